//! Laws of the core, tried over random mail. Pure: read, opened and decided on in a world that is a
//! value; no database, no clock. The laws of the store beside it are tried by the simulation.

use crate::sim::town::{START, base};
use bantuan70::cli::demo::stage::Note;
use bantuan70::daemon::bench;
use bantuan70::daemon::pipeline::Bench;
use bantuan70::decide::{ask, decide};
use bantuan70::mail::token::TokenKey;
use bantuan70::model::effect::{Decision, Effect, MailKind};
use bantuan70::model::letter::{Letter, LetterKind, LetterState, Protection};
use bantuan70::model::snapshot::{OurLetter, Snapshot};
use bantuan70::model::ticket::{State, Ticket, TicketEvent, TicketNumber};
use bantuan70::model::{Address, InboxId, Tlp};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// Each case signs or opens mail; these are enough to meet every branch below many times.
fn cases() -> ProptestConfig {
    ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() }
}

pub fn now() -> Timestamp {
    START.parse().unwrap()
}

pub fn the_bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| bench(&base().config(), None, now()).unwrap())
}

pub const KEY: TokenKey = TokenKey([7; 32]);

pub fn raw(who: &str, note: &Note, is_signed: bool, at: Timestamp) -> Vec<u8> {
    let actor = &base().actors[who];
    let to = Address::parse("bantuan70@bssn.test").unwrap();
    let id = format!("{who}.1@{}", actor.address.domain());
    if is_signed { actor.signs(&to, note, &id, at) } else { actor.writes(&to, note, &id, at) }.unwrap()
}

/// What is decided on these bytes in this world.
pub fn decided(raw: &[u8], world: &Snapshot, at: Timestamp) -> Decision {
    let bench = the_bench();
    let prepared = bench.reader.prepare(raw, at);
    let arrived = prepared.arrived(InboxId(9), at, None);
    decide(&arrived, world, bench.desk(&KEY, at))
}

pub fn letters(decision: &Decision) -> impl Iterator<Item = &Letter> {
    decision.effects.iter().filter_map(|effect| if let Effect::Queue(letter) = effect { Some(&**letter) } else { None })
}

/// A world with one ticket of joko's, made by the core itself, in that state since then.
pub fn with_ticket(state: State, since: SignedDuration) -> Snapshot {
    let mut world = Snapshot::empty("BANTUAN70", 2026);
    let opened_at = now().checked_sub(since).unwrap();
    let report = Note { subject: "Situs diretas".to_owned(), text: "Halaman depan diganti orang.".to_owned(), ..Note::default() };
    let decision = decided(&raw("joko", &report, false, opened_at), &world, opened_at);
    let mut ticket: Option<Ticket> = None;
    for effect in &decision.effects {
        if let Effect::Event { event, .. } = effect {
            ticket = Ticket::fold(ticket, event, opened_at);
        }
    }
    let ticket = Ticket::fold(ticket, &TicketEvent::StateChanged { to: state }, opened_at).unwrap();
    for letter in letters(&decision) {
        world.letters.push(OurLetter {
            message_id: letter.message_id.clone(),
            kind: letter.kind,
            ticket: letter.ticket.clone(),
            dissemination: None,
            to: letter.to.clone(),
            state: LetterState::Sent,
            sent_at: Some(opened_at),
        });
    }
    world.next_ticket = TicketNumber::new("BANTUAN70", 2026, 2);
    world.tickets.insert(ticket.number.clone(), ticket);
    world.is_first_letter = false;
    world
}

fn state() -> impl Strategy<Value = State> {
    prop::sample::select(State::ALL)
}

/// Words of more than four letters that stand in no template.
fn odd_word() -> impl Strategy<Value = String> {
    "[bcdfgjkqvxz]{3}[a-z]{3,8}"
}

/// Lines that are right by themselves on an open ticket.
const RIGHT: [&str; 12] = [
    "!valid",
    "!catat",
    "!petugas me",
    "!prioritas tinggi",
    "!kategori phishing",
    "!tlp AMBER",
    "!tutup",
    "!lengkapi",
    "!balas",
    "!analisis",
    "!status",
    "!bantuan",
];
const WRONG: [&str; 8] = [
    "!tutpu",
    "!kategori phising",
    "!gabung BANTUAN70-2026-000099",
    "!prioritas",
    "!diseminasi tidak.ada@x.example",
    "!setuju DIS-2026-0009 000000000000",
    "!petugas siapa@x.example",
    "!angkat 999",
];
/// Each of these says that nobody is to be answered by a machine (RFC 3834, and what vendors write).
const MARKS: [&str; 12] = [
    "Auto-Submitted: auto-replied",
    "Auto-Submitted: auto-generated",
    "Auto-Submitted: AUTO-NOTIFIED; owner-email=a@x.example",
    "Auto-Submitted: (comment) auto-generated",
    "Precedence: bulk",
    "Precedence: junk",
    "Precedence: list",
    "List-Id: <berita.kantor.example>",
    "List-Unsubscribe: <https://kantor.example/u>",
    "X-Auto-Response-Suppress: All",
    "Return-Path: <>",
    "X-Autoreply: yes",
];

proptest! {
    #![proptest_config(cases())]

    /// The same input gives the same effects: identifiers, numbers, words.
    #[test]
    fn deciding_twice_is_deciding_the_same(subject in ".{0,60}", text in "(?s).{0,300}", state in state(), days in 0_i64..40, refers in any::<bool>()) {
        let world = with_ticket(state, SignedDuration::from_hours(24 * days));
        let answers = refers.then(|| world.letters[0].message_id.clone());
        let note = Note { subject: subject.replace(['\r', '\n'], " "), text, answers, ..Note::default() };
        let raw = raw("joko", &note, false, now());
        let (first, second) = (decided(&raw, &world, now()), decided(&raw, &world, now()));
        prop_assert_eq!(format!("{first:?}"), format!("{second:?}"));
        // One verdict, and at most one new ticket, under the next number.
        prop_assert_eq!(first.effects.iter().filter(|effect| matches!(effect, Effect::File(_))).count(), 1);
        let opened: Vec<&TicketNumber> = first.effects.iter().filter_map(|effect| match effect {
            Effect::Event { ticket, event: TicketEvent::Opened(_), .. } => Some(ticket),
            _ => None,
        }).collect();
        prop_assert!(opened.is_empty() || opened == [&world.next_ticket]);
    }

    /// The same mail again is filed with the first and does nothing.
    #[test]
    fn the_same_mail_twice_is_once(text in "(?s).{0,200}", state in state(), is_signed in any::<bool>(), command in prop::sample::select(&RIGHT[..])) {
        let mut world = with_ticket(state, SignedDuration::from_hours(1));
        let number = TicketNumber::new("BANTUAN70", 2026, 1);
        let (who, text) = if is_signed { ("ani", format!("!tiket {number}\n{command}\n{text}")) } else { ("joko", text) };
        let raw = raw(who, &Note { subject: "Situs".to_owned(), text, ..Note::default() }, is_signed, now());
        world.duplicate_of = Some((InboxId(3), Some(number)));
        // A command that came before has used its signature; one that did not was never carried out.
        let bench = the_bench();
        let prepared = bench.reader.prepare(&raw, now());
        for key in ask(&prepared.arrived(InboxId(9), now(), None), &bench.policy).signatures {
            world.seen_signatures.insert(key, (InboxId(3), now()));
        }
        let decision = decided(&raw, &world, now());
        prop_assert!(matches!(decision.effects.as_slice(), [Effect::File(_)]), "{:?}", decision.because);
    }

    /// Whatever a mail refers to and whatever became of that ticket: a mark of a machine, and no
    /// machine of ours writes back.
    #[test]
    fn l1_nothing_automatic_answers_something_automatic(
        mark in prop::sample::select(&MARKS[..]),
        state in state(),
        days in 0_i64..40,
        refers in any::<bool>(),
        tag in any::<bool>(),
        text in prop::sample::select(&["Situs kami diretas.", "DITERIMA", "1: 4\n2: 3", "KTP terlampir"][..]),
    ) {
        let world = with_ticket(state, SignedDuration::from_hours(24 * days));
        let answers = refers.then(|| world.letters[0].message_id.clone());
        let subject = if tag { "[BANTUAN70-2026-000001] kabar" } else { "Situs diretas" };
        let note = Note { subject: subject.to_owned(), text: text.to_owned(), headers: vec![mark.to_owned()], answers, ..Note::default() };
        let mut world = world;
        if !refers {
            world.letters.clear();
        }
        let decision = decided(&raw("joko", &note, false, now()), &world, now());
        let sender = &base().actors["joko"].address;
        let written: Vec<LetterKind> = letters(&decision).filter(|letter| letter.to == *sender).map(|letter| letter.kind).collect();
        prop_assert!(written.is_empty(), "{mark}: {written:?}");
    }

    /// From an analyst's address without a good signature: a refusal to that analyst, and nothing else.
    #[test]
    fn c1_without_signed_text_nothing_acts(command in prop::sample::select(&RIGHT[..]), text in ".{0,80}", state in state()) {
        let world = with_ticket(state, SignedDuration::from_hours(1));
        let text = format!("!tiket BANTUAN70-2026-000001\n{command}\n{text}");
        let decision = decided(&raw("ani", &Note { subject: "Re: [BANTUAN70-2026-000001]".to_owned(), text, ..Note::default() }, false, now()), &world, now());
        for effect in &decision.effects {
            match effect {
                Effect::CountRefusal { .. } => {}
                Effect::File(filing) => prop_assert!(filing.kind == MailKind::Analyst && filing.ticket.is_none() && filing.text.is_empty()),
                Effect::Queue(letter) => {
                    let is_refusal = letter.kind == LetterKind::Receipt && letter.to.as_str() == "ani@bssn.test" && letter.ticket.is_none();
                    let is_sealed = matches!(letter.protection, Protection::Sealed { .. });
                    prop_assert!(is_refusal && is_sealed);
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }

    /// One wrong line among right ones: a receipt, a remembered signature, and nothing else.
    #[test]
    fn c9_one_wrong_command_and_none_is_carried_out(
        right in prop::collection::vec(prop::sample::select(&RIGHT[..]), 0..4),
        wrong in prop::sample::select(&WRONG[..]),
        place in 0_usize..4,
        state in state(),
    ) {
        let world = with_ticket(state, SignedDuration::from_hours(1));
        let mut lines: Vec<&str> = right;
        lines.insert(place.min(lines.len()), wrong);
        let text = format!("!tiket BANTUAN70-2026-000001\n{}\nKata petugas.", lines.join("\n"));
        let decision = decided(&raw("ani", &Note { subject: "Perintah".to_owned(), text, ..Note::default() }, true, now()), &world, now());
        let mut receipts = 0;
        for effect in &decision.effects {
            match effect {
                Effect::RememberSignature { .. } | Effect::File(_) | Effect::Event { event: TicketEvent::Message { .. }, .. } => {}
                Effect::Queue(letter) if letter.kind == LetterKind::Receipt && letter.to.as_str() == "ani@bssn.test" => receipts += 1,
                other => prop_assert!(false, "{lines:?}: {other:?}"),
            }
        }
        prop_assert_eq!(receipts, 1);
    }

    /// What leaves is protected as its mark demands; what an analyst wrote on an AMBER ticket is
    /// sealed, or declared free to read.
    #[test]
    fn p1_each_letter_is_protected_as_its_mark_demands(
        lines in prop::collection::vec(prop::sample::select(&RIGHT[..]), 1..4),
        mark in prop::sample::select(Tlp::ALL),
        is_clear in any::<bool>(),
        has_certificate in any::<bool>(),
    ) {
        let mut world = with_ticket(State::Verifying, SignedDuration::from_hours(1));
        let number = TicketNumber::new("BANTUAN70", 2026, 1);
        let joko = base().actors["joko"].address.clone();
        world.tickets.get_mut(&number).unwrap().tlp = Some(mark);
        if has_certificate {
            world.certificates.insert(joko.clone(), base().actors["bank"].fingerprint.clone().unwrap());
        }
        let clear = if is_clear { "!terbuka\n" } else { "" };
        let text = format!("!tiket {number}\n{clear}{}\nKataRahasiaKenari.", lines.join("\n"));
        let decision = decided(&raw("ani", &Note { subject: "Perintah".to_owned(), text, ..Note::default() }, true, now()), &world, now());
        for letter in letters(&decision) {
            let is_sealed = matches!(letter.protection, Protection::Sealed { .. });
            prop_assert!(is_sealed || !letter.tlp.is_some_and(Tlp::must_be_encrypted), "{} {:?}", letter.kind, letter.tlp);
            prop_assert!(is_sealed || is_clear || !mark.must_be_encrypted() || !letter.text.contains("KataRahasiaKenari"), "{}", letter.kind);
            prop_assert!(is_sealed || letter.to == joko, "a notice to {} is not sealed", letter.to);
            prop_assert!(!letter.outer_subject.contains("KataRahasiaKenari"));
        }
    }

    /// Nothing of a stranger's words is repeated to that stranger.
    #[test]
    fn l3_an_acknowledgement_repeats_nothing(
        subject in prop::collection::vec(odd_word(), 1..6),
        text in prop::collection::vec(odd_word(), 1..30),
        name in odd_word(),
    ) {
        let world = Snapshot::empty("BANTUAN70", 2026);
        let note = Note { subject: subject.join(" "), text: format!("Situs kami diretas.\n{}", text.join(" ")),
            enclosures: vec![(format!("{name}.jpg"), "image/jpeg".to_owned(), b"x".to_vec())], ..Note::default() };
        let decision = decided(&raw("joko", &note, false, now()), &world, now());
        let acknowledgement = letters(&decision).find(|letter| letter.kind == LetterKind::Acknowledgement);
        let Some(letter) = acknowledgement else { return Ok(()) };
        prop_assert_eq!(letter.to.as_str(), "joko@kantor.example");
        let whole = format!("{} {} {} {}", letter.subject, letter.outer_subject, letter.text, letter.html.clone().unwrap_or_default()).to_lowercase();
        for word in subject.iter().chain(&text).chain([&name]) {
            prop_assert!(!whole.contains(word.as_str()), "'{word}' is repeated");
        }
        prop_assert!(letter.enclosures.is_empty());
    }
}

/// The question names what the mail names: a decision is not made in ignorance of the ticket it is about.
#[test]
fn a_decision_asks_for_every_ticket_that_it_may_act_on() {
    let text = "!tiket BANTUAN70-2026-000007\n!gabung BANTUAN70-2026-000008\n!catat\nKata petugas.";
    let raw = raw("ani", &Note { subject: "Perintah".to_owned(), text: text.to_owned(), ..Note::default() }, true, now());
    let bench = the_bench();
    let prepared = bench.reader.prepare(&raw, now());
    let question = ask(&prepared.arrived(InboxId(1), now(), None), &bench.policy);
    let asked: BTreeSet<String> = question.tickets.iter().map(ToString::to_string).collect();
    assert_eq!(asked, BTreeSet::from(["BANTUAN70-2026-000007".to_owned(), "BANTUAN70-2026-000008".to_owned()]));
    assert!(!question.signatures.is_empty());
}
