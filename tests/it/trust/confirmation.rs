//! A stakeholder's signed DITERIMA confirms what it names, and nothing that the fields outside name.

use super::Play;
use crate::harness::gpg::Gpg;
use bantuan70::cli::demo::stage::Received;
use bantuan70::model::dissemination::RecipientState;
use bantuan70::store::View;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

const ALONE: &str = "\n[dissemination]\napprovals = { RED = 1, \"AMBER+STRICT\" = 1, AMBER = 1, GREEN = 1, CLEAR = 1 }\n";

struct Bank {
    play: Play,
    gpg: Gpg,
    key: String,
    letters: Vec<Received>,
}

impl Bank {
    /// Two disseminations went to the bank, DIS-2026-0001 and DIS-2026-0002.
    fn new() -> Self {
        Self::with(2)
    }

    fn with(disseminations: usize) -> Self {
        let gpg = Gpg::new();
        let key = gpg.new_key("Bank <csirt@bank.example>", "future-default");
        let mut play = Play::with(Timestamp::now() + SignedDuration::from_mins(1), "", ALONE);
        play.contact("csirt@bank.example", &gpg.export(&key));
        play.bring("bank", "csirt@bank.example");
        let mut bank = Self { play, gpg, key, letters: Vec::new() };
        (0..disseminations).for_each(|_| bank.is_sent_one());
        bank
    }

    fn is_sent_one(&mut self) {
        let order = "!tlp AMBER+STRICT\n!diseminasi csirt@bank.example\nUntuk bantuan70@bssn.test: blokir 192.0.2.1.";
        let before = self.letters.len();
        self.letters.extend(self.play.commands(order).into_iter().filter(|letter| letter.message_id.starts_with("dissemination.")));
        assert_eq!(self.letters.len(), before + 1);
    }

    /// The bank's signed answer; the fields outside lead to the second dissemination.
    fn answers(&mut self, text: &str) -> [RecipientState; 2] {
        let raw = self.signed(text, "", &self.key);
        self.play.post(&raw);
        self.states()
    }

    /// An answer to the newest letter, with these fields more, under this key of the bank's gpg.
    fn signed(&self, text: &str, fields: &str, key: &str) -> Vec<u8> {
        // The signature must be younger than the sending, by a clock that is a little ahead of gpg's.
        let at = (self.play.stage.clock.now() + SignedDuration::from_mins(2)).strftime("%Y%m%dT%H%M%S").to_string();
        let entity = crate::harness::gpg::crlf(format!("Content-Type: text/plain; charset=utf-8\n\n{text}\n").as_bytes());
        let letter = self.letters.last().unwrap();
        let id = &letter.message_id;
        let own = bantuan70::model::Sha256::of(format!("{text}{fields}{key}{id}").as_bytes()).0;
        let header = format!(
            "From: csirt@bank.example\nMessage-ID: <{own}@bank.example>\nTo: bantuan70@bssn.test\nSubject: Re: {}\nIn-Reply-To: <{id}>\nReferences: <{id}>\n{fields}MIME-Version: 1.0",
            letter.outer_subject
        );
        crate::harness::gpg::signed_mail(&header, &entity, &self.gpg.sign_at(key, &entity, &at))
    }

    fn states(&self) -> [RecipientState; 2] {
        let view = View { time_zone: TimeZone::UTC, now: self.play.stage.clock.now(), center_address: "bantuan70@bssn.test".to_owned() };
        let newest = u32::try_from(self.letters.len()).unwrap();
        [1, newest].map(|serial| {
            let number = self.play.ticket(serial).number;
            self.play.stage.daemon.store.ticket(&number, &view).unwrap().unwrap().disseminations[0].recipients[0].state
        })
    }
}

#[test]
fn d7_a_signed_receipt_that_names_nothing_confirms_nothing() {
    let mut bank = Bank::new();
    assert_eq!(bank.answers("DITERIMA"), [RecipientState::Sent, RecipientState::Sent]);
}

/// Where one dissemination alone awaits the bank, its bare signed word can mean no other. A machine's, a stranger's
/// and one that was used count no more for being bare.
#[test]
fn d7_a_bare_signed_word_confirms_the_only_one_that_is_awaited_and_no_forged_or_automatic_one_does() {
    const WAITS: [RecipientState; 2] = [RecipientState::Sent, RecipientState::Sent];
    for word in ["RECEIVED", "DITERIMA"] {
        let mut bank = Bank::with(1);
        let forger = bank.gpg.new_key("Bank <csirt@bank.example>", "future-default");
        let mut tried = vec![bank.signed(word, "", &forger)];
        for field in ["Auto-Submitted: auto-replied\n", "X-Autoreply: yes\n", "Precedence: bulk\n", "Return-Path: <>\n"] {
            tried.push(bank.signed(word, field, &bank.key));
        }
        // The signature says one thing, the text another.
        tried.push(
            String::from_utf8(bank.signed("Belum.", "", &bank.key)).unwrap().replace("\r\nBelum.", &format!("\r\n{word}")).into_bytes(),
        );
        for raw in tried {
            bank.play.post(&raw);
            assert_eq!(bank.states(), WAITS, "{}", String::from_utf8_lossy(&raw));
        }
        let good = bank.signed(word, "", &bank.key);
        bank.play.post(&good);
        assert_eq!(bank.states()[0], RecipientState::Confirmed);
        // The same signature, turned to the next one that is awaited alone.
        bank.is_sent_one();
        let turned = String::from_utf8(good).unwrap().replace(&bank.letters[0].message_id, &bank.letters[1].message_id);
        bank.play.post(turned.as_bytes());
        assert_eq!(bank.states(), [RecipientState::Confirmed, RecipientState::Sent]);
    }
}

#[test]
fn d7_a_signed_receipt_for_one_dissemination_is_not_turned_to_another() {
    let mut bank = Bank::new();
    assert_eq!(bank.answers("DITERIMA\n\n> Nomor diseminasi: DIS-2026-0001"), [RecipientState::Confirmed, RecipientState::Sent]);
}

#[test]
fn d7_a_signed_receipt_may_quote_the_ticket_or_the_dissemination() {
    let mut bank = Bank::new();
    let ticket = bank.play.ticket(2).number;
    assert_eq!(bank.answers(&format!("DITERIMA\n\n> {ticket}")), [RecipientState::Sent, RecipientState::Confirmed]);
    let mut bank = Bank::new();
    assert_eq!(bank.answers("Diterima dis-2026-0002."), [RecipientState::Sent, RecipientState::Confirmed]);
}
