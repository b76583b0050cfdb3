//! Laws over random mail of strangers: whom a letter can go to, and what it can hold.

use super::note;
use crate::property::{decided, letters, now, the_bench, with_ticket};
use crate::sim::town::base;
use bantuan70::cli::demo::stage::Note;
use bantuan70::model::dissemination::{Dissemination, DisseminationNumber, DisseminationState, Recipient, RecipientKind, RecipientState};
use bantuan70::model::effect::Effect;
use bantuan70::model::letter::{Letter, LetterKind, LetterState};
use bantuan70::model::snapshot::{OurLetter, SeenPlaintext, Snapshot};
use bantuan70::model::ticket::{State, Ticket, TicketEvent, TicketNumber};
use bantuan70::model::{Address, InboxId, Language, Tlp};
use jiff::SignedDuration;
use proptest::prelude::*;
use std::collections::BTreeSet;

const DISSEMINATION_ID: &str = "dissemination.0123456789abcdef0123456789abcdef@bssn.test";

const NAMED: [&str; 6] =
    ["joko@kantor.example", "maling@lain.example", "ani@bssn.test", "bantuan70@bssn.test", "csirt@bank.example", "siti@warga.example"];

fn header() -> impl Strategy<Value = String> {
    let name =
        prop::sample::select(&["Reply-To", "Sender", "Cc", "To", "Return-Path", "Errors-To", "Disposition-Notification-To", "From"][..]);
    (name, prop::sample::select(&NAMED[..])).prop_map(|(name, address)| format!("{name}: <{address}>\r\n"))
}

/// A world with joko's ticket, a survey and a dissemination letter that went out, and stored mail that can be referred to.
fn world(state: State, days: i64) -> Snapshot {
    let mut world = with_ticket(state, SignedDuration::from_hours(24 * days));
    let number = TicketNumber::new("BANTUAN70", 2026, 1);
    for (kind, to) in [(LetterKind::Survey, "joko@kantor.example"), (LetterKind::Reply, "joko@kantor.example")] {
        world.letters.push(OurLetter {
            message_id: format!("{kind}.0123456789abcdef0123456789abcdef@bssn.test"),
            kind,
            ticket: Some(number.clone()),
            dissemination: None,
            to: Address::parse(to).unwrap(),
            state: LetterState::Sent,
            sent_at: Some(now()),
        });
    }
    world.referred_tickets.push(number.clone());
    let bank = Address::parse("csirt@bank.example").unwrap();
    let recipient = Recipient {
        address: bank.clone(),
        name: "Bank".to_owned(),
        kind: RecipientKind::Role,
        language: Language::Id,
        fingerprint: None,
        state: RecipientState::Sent,
        at: now(),
        because: String::new(),
        message_id: Some(DISSEMINATION_ID.to_owned()),
        sent_at: Some(now()),
        reminders: 0,
        may_have_left: false,
    };
    let dissemination = Dissemination {
        number: DisseminationNumber::new(2026, 1),
        ticket: number.clone(),
        author: Address::parse("ani@bssn.test").unwrap(),
        state: DisseminationState::Sent,
        tlp: Tlp::Green,
        lowered: false,
        lowered_from: None,
        subject: String::new(),
        text: "Blokir 192.0.2.1.".to_owned(),
        enclosures: Vec::new(),
        recipients: vec![recipient],
        approvals: Vec::new(),
        created_at: now(),
        sent_at: Some(now()),
        told: BTreeSet::new(),
        released: None,
    };
    world.letters.push(OurLetter {
        message_id: DISSEMINATION_ID.to_owned(),
        kind: LetterKind::Dissemination,
        ticket: Some(number.clone()),
        dissemination: Some(dissemination.number.clone()),
        to: bank,
        state: LetterState::Sent,
        sent_at: Some(now()),
    });
    world.disseminations.insert(dissemination.number.clone(), dissemination);
    world.tickets.get_mut(&number).unwrap().participants.insert(Address::parse("siti@warga.example").unwrap());
    world
}

fn is_of_the_house(letter: &Letter) -> bool {
    the_bench().policy.person(&letter.to).is_some()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a mail refers to, bears, copies or forges: letters that follow from it go to the one
    /// address in its From, or to the house.
    #[test]
    fn l6_l15_a_mail_makes_letters_to_its_one_sender_and_to_nobody_else(
        from in prop::collection::vec(prop::sample::select(&NAMED[..]), 0..3),
        headers in prop::collection::vec(header(), 0..5),
        state in prop::sample::select(State::ALL),
        days in 0_i64..40,
        refers in prop::option::of(0_usize..4),
        tag in any::<bool>(),
        words in prop::sample::select(&["Situs kami diretas.", "DITERIMA", "1: 4\r\n2: 3", "KTP terlampir", "!status", "TLP:RED rahasia"][..]),
    ) {
        let mut world = world(state, days);
        let answered = refers.and_then(|place| world.letters.get(place).cloned());
        world.letters.retain(|letter| Some(letter) == answered.as_ref());
        let mut raw: String = from.iter().map(|address| format!("From: <{address}>\r\n")).collect();
        raw.extend(headers);
        if let Some(letter) = &answered {
            raw.push_str(&format!("In-Reply-To: <{}>\r\n", letter.message_id));
        }
        raw.push_str("Message-ID: <m.1@lain.example>\r\nSubject: ");
        raw.push_str(if tag { "Re: [BANTUAN70-2026-000001] kabar" } else { "Situs diretas" });
        raw.push_str(&format!("\r\n\r\n{words}\r\n"));
        let sender = bantuan70::mail::read::read(raw.as_bytes()).0.from_one().cloned();
        let decision = decided(raw.as_bytes(), &world, now());
        for letter in letters(&decision) {
            prop_assert!(is_of_the_house(letter) || Some(&letter.to) == sender.as_ref(), "{} to {}: {raw}", letter.kind, letter.to);
        }
        let to_sender = letters(&decision).filter(|letter| !is_of_the_house(letter)).count();
        prop_assert!(to_sender <= 1, "{raw}");
    }

    /// Of an encrypted report no word is in anything that leaves the house, whatever analysts then do,
    /// and nothing at all goes to whoever sends it again under another name.
    #[test]
    fn p19_no_word_that_was_encrypted_is_in_a_letter_to_anybody_outside(
        words in prop::collection::vec("[bcdfgjkqvxz]{3}[a-z]{3,8}", 3..12),
        lines in prop::collection::vec(prop::sample::select(&["!valid", "!lengkapi", "!balas", "!analisis", "!tutup", "!tolak", "!catat", "!petugas me"][..]), 1..3),
        thief in prop::sample::select(&["maling@lain.example", "siti@warga.example"][..]),
    ) {
        let (joko, center) = (&base().actors["bank"], Address::parse("bantuan70@bssn.test").unwrap());
        let certificate = the_bench().reader.keyring.own().unwrap().armored();
        let file = (format!("{}.png", words[0]), "image/png".to_owned(), words.join(" ").into_bytes());
        let report = Note { enclosures: vec![file], ..note(&words.join(" "), &format!("Situs kami diretas.\n{}", words.join(" "))) };
        let raw = joko.seals(&center, &certificate, &report, "r.1@bank.example", now()).unwrap();
        let mut world = Snapshot::empty("BANTUAN70", 2026);
        let opening = decided(&raw, &world, now());
        let mut ticket: Option<Ticket> = None;
        for effect in &opening.effects {
            match effect {
                Effect::Event { event, .. } => ticket = Ticket::fold(ticket, event, now()),
                Effect::RememberPlaintext { sha256, from } => {
                    let seen = SeenPlaintext { mail: InboxId(9), from: from.clone(), ticket: None };
                    world.seen_plaintexts.insert(sha256.clone(), seen);
                }
                _ => {}
            }
        }
        prop_assert!(ticket.is_some() && !world.seen_plaintexts.is_empty());
        let ticket = ticket.unwrap();
        let number = ticket.number.clone();
        world.tickets.insert(number.clone(), ticket);
        world.next_ticket = TicketNumber::new("BANTUAN70", 2026, 2);
        let command = note("Perintah", &format!("!tiket {number}\n{}\nKata petugas sendiri.", lines.join("\n")));
        let command = base().actors["ani"].signs(&center, &command, "c.1@bssn.test", now()).unwrap();
        let again = decided(&super::hidden::captured(&raw, thief), &world, now());
        prop_assert!(letters(&again).all(is_of_the_house));
        let opened = again.effects.iter().find_map(|effect| match effect {
            Effect::Event { event: TicketEvent::Opened(ticket), .. } => Some(ticket),
            _ => None,
        });
        prop_assert!(opened.is_some_and(|ticket| ticket.reporter.is_none() && ticket.participants.is_empty()));
        for decision in [&opening, &decided(&command, &world, now()), &again] {
            for letter in letters(decision) {
                let clear = if is_of_the_house(letter) { letter.outer_subject.clone() } else { format!("{letter:?}") };
                for word in &words {
                    prop_assert!(!clear.contains(word.as_str()), "'{word}' is in {clear}");
                }
                let holds = |word: &String| letter.enclosures.iter().any(|file| file.content.windows(word.len()).any(|window| window == word.as_bytes()));
                prop_assert!(is_of_the_house(letter) || !words.iter().any(holds));
            }
        }
    }
}
