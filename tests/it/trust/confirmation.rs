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
        let gpg = Gpg::new();
        let key = gpg.new_key("Bank <csirt@bank.example>", "future-default");
        let mut play = Play::with(Timestamp::now() + SignedDuration::from_mins(1), "", ALONE);
        play.contact("csirt@bank.example", &gpg.export(&key));
        play.bring("bank", "csirt@bank.example");
        let mut letters = Vec::new();
        for _ in 0..2 {
            let sent = play.commands("!tlp AMBER+STRICT\n!diseminasi csirt@bank.example\nUntuk bantuan70@bssn.test: blokir 192.0.2.1.");
            letters.extend(sent.into_iter().filter(|letter| letter.message_id.starts_with("dissemination.")));
        }
        assert_eq!(letters.len(), 2);
        Self { play, gpg, key, letters }
    }

    /// The bank's signed answer; the fields outside lead to the second dissemination.
    fn answers(&mut self, text: &str) -> [RecipientState; 2] {
        // The signature must be younger than the sending, by a clock that is a little ahead of gpg's.
        let at = (self.play.stage.clock.now() + SignedDuration::from_mins(2)).strftime("%Y%m%dT%H%M%S").to_string();
        let entity = crate::harness::gpg::crlf(format!("Content-Type: text/plain; charset=utf-8\n\n{text}\n").as_bytes());
        let id = &self.letters[1].message_id;
        let header = format!(
            "From: csirt@bank.example\nTo: bantuan70@bssn.test\nSubject: Re: {}\nIn-Reply-To: <{id}>\nReferences: <{id}>\nMIME-Version: 1.0",
            self.letters[1].outer_subject
        );
        let signature = self.gpg.sign_at(&self.key, &entity, &at);
        self.play.post(&crate::harness::gpg::signed_mail(&header, &entity, &signature));
        self.states()
    }

    fn states(&self) -> [RecipientState; 2] {
        let view = View { time_zone: TimeZone::UTC, now: self.play.stage.clock.now(), center_address: "bantuan70@bssn.test".to_owned() };
        [1, 2].map(|serial| {
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
