//! More than anybody can read: a storm of bounces, one sender who does not stop, bombs. The pipeline, the store and
//! the clocks are the real ones; the number is small enough for a test, and `STORM=50000 cargo test --test it storm`
//! takes another. What is asserted does not hang on it.

use bantuan70::cli::demo::stage::{Actor, Note, Received, Setting, Stage};
use bantuan70::model::effect::MailKind;
use bantuan70::model::letter::LetterState;
use bantuan70::store::{MailFilter, TicketFilter, View};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Instant;
use tempfile::TempDir;

const PEOPLE: &[(&str, &str, &str)] = &[("analyst", "Ani Lestari", "ani@bssn.test"), ("chief", "Rudi Hartono", "rudi@bssn.test")];

/// How many mails a storm has: a thousand, or as many as the variable `STORM` says.
fn storm() -> usize {
    std::env::var("STORM").map_or(1_000, |count| count.parse().expect("STORM is a number of mails"))
}

fn stage() -> (TempDir, Stage) {
    let folder = tempfile::tempdir().unwrap();
    let start: Timestamp = "2026-03-03T01:15:00Z".parse().unwrap();
    let setting = Setting { people: PEOPLE, ..Setting::default() };
    let mut stage = Stage::set_up(&folder.path().join("centre"), start, &setting).unwrap();
    for user in ["siti", "joko", "wati", "flood"] {
        stage.add(user, Actor::without_key(user, &format!("{user}@{user}.example")).unwrap());
    }
    (folder, stage)
}

fn view(stage: &Stage) -> View {
    View { time_zone: jiff::tz::TimeZone::UTC, now: stage.clock.now(), center_address: String::new() }
}

fn report(stage: &mut Stage, user: &str, number: usize) {
    let note = Note {
        subject: format!("Situs diretas {number}"),
        text: format!("Halaman depan situs {number} diganti orang."),
        ..Note::default()
    };
    let (id, to) = (stage.next_message_id(user), stage.daemon.config.center.address.clone());
    let raw = stage.actor(user).unwrap().writes(&to, &note, &id, stage.clock.now()).unwrap();
    stage.deliver(&raw).unwrap();
}

fn bounce(number: usize, original: &str) -> Vec<u8> {
    format!(
        "Return-Path: <>\r\nFrom: Mail Delivery System <mailer-daemon@mx{n}.example>\r\nTo: bantuan70@bssn.test\r\nSubject: Undelivered Mail\r\n\
         Message-ID: <b{number}@mx.example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\ngagal\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n\
         Final-Recipient: rfc822; orang{number}@warga.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\n\
         Message-ID: <{original}>\r\nFrom: bantuan70@bssn.test\r\n\r\n--b--\r\n",
        n = number % 7
    )
    .into_bytes()
}

fn letters(stage: &Stage) -> BTreeMap<String, usize> {
    let mut letters = BTreeMap::new();
    for row in stage.daemon.store.outbox(LetterState::ALL, &view(stage)).unwrap() {
        *letters.entry(format!("{} {}", row.kind.word(), row.state.word())).or_default() += 1;
    }
    letters
}

fn to<'a>(mails: &'a [Received], address: &str) -> Vec<&'a Received> {
    mails.iter().filter(|mail| mail.to.as_str() == address).collect()
}

#[tokio::test]
async fn a_storm_of_bounces_opens_nothing_sends_nothing_and_is_told_in_one_digest() {
    let count = storm();
    let (_folder, mut stage) = stage();
    report(&mut stage, "siti", 0);
    let sent = stage.play().await.unwrap();
    let ours = to(&sent, "siti@siti.example")[0].message_id.clone();
    let before = (letters(&stage), stage.daemon.store.ticket_states(&TicketFilter::default()).unwrap());
    for number in 0..count {
        // Backscatter of mail that we never sent, forged ones for a letter that we did send to somebody else, and
        // guesses at our identifiers.
        let original = match number % 3 {
            0 => format!("x{number}@elsewhere.example"),
            1 => ours.clone(),
            _ => format!("acknowledgement.{number:032x}@bssn.test"),
        };
        stage.deliver(&bounce(number, &original)).unwrap();
    }
    let start = Instant::now();
    let received = stage.play().await.unwrap();
    println!("{count} bounces in {} ms", start.elapsed().as_millis());
    let mail = stage.daemon.store.mail(&MailFilter { kind: Some(MailKind::Bounce), ..MailFilter::default() }, &view(&stage)).unwrap();
    assert_eq!(mail.len(), count);
    assert!(mail.iter().all(|row| row.state == "decided"));
    let after = stage.daemon.store.ticket_states(&TicketFilter::default()).unwrap();
    assert_eq!(after.len(), 1);
    assert_eq!((after[0].state, &after[0].clocks, &after[0].documents), (before.1[0].state, &before.1[0].clocks, &before.1[0].documents));
    assert!(to(&received, "siti@siti.example").is_empty(), "the reporter learns nothing of it");
    assert!(to(&received, "ani@bssn.test").len() <= 1, "an analyst is not buried: {}", received.len());
    assert!(received.len() <= 2, "{:?}", letters(&stage));
    // The ticket is no longer than people can read.
    let page = stage.daemon.store.ticket(&after[0].number, &view(&stage)).unwrap().unwrap();
    println!("{} lines in the timeline", page.timeline.len());
    stage.wait(24);
    let told = stage.play().await.unwrap();
    let digests = to(&told, "ani@bssn.test").iter().filter(|mail| mail.subject.contains("Surel tanpa tiket")).count();
    assert_eq!(digests, 1);
}

#[tokio::test]
async fn a_flood_of_one_sender_leaves_other_reporters_their_acknowledgements() {
    let count = storm();
    let (_folder, mut stage) = stage();
    for number in 0..count {
        report(&mut stage, "flood", number);
        if number == count / 2 {
            report(&mut stage, "siti", number);
        }
    }
    for user in ["joko", "wati"] {
        report(&mut stage, user, 0);
    }
    let start = Instant::now();
    stage.daemon.take_in().await.unwrap();
    println!("{} mails taken in after {} ms", count + 3, start.elapsed().as_millis());
    // Everything is stored and stands with a ticket; what the one sender goes on writing is joined to few of them.
    let mail = stage.daemon.store.mail(&MailFilter { limit: Some(2 * count), ..MailFilter::default() }, &view(&stage)).unwrap();
    assert_eq!((mail.len(), mail.iter().filter(|row| row.ticket.is_some()).count()), (count + 3, count + 3));
    let tickets = stage.daemon.store.ticket_states(&TicketFilter::default()).unwrap().len();
    assert!((3..=100).contains(&tickets), "{tickets}");
    // The one sender is answered to the limit.
    let queued = stage.daemon.store.outbox(&[LetterState::Queued], &view(&stage)).unwrap();
    let acknowledged =
        |address: &str| queued.iter().filter(|row| row.kind.word() == "acknowledgement" && row.to.as_str() == address).count();
    assert_eq!(acknowledged("flood@flood.example"), 5);
    // What leaves first are the acknowledgements, of all reporters, whatever else was queued before them.
    let first = stage.daemon.store.due_letters(stage.clock.now(), 8).unwrap();
    let mut kinds: Vec<String> = Vec::new();
    for id in first {
        kinds.push(stage.daemon.store.letter(id).unwrap().letter.to.to_string());
    }
    kinds.sort();
    let mut wanted = vec!["flood@flood.example"; 5];
    wanted.extend(["joko@joko.example", "siti@siti.example", "wati@wati.example"]);
    assert_eq!(kinds, wanted);
    // A look at the clocks of all these tickets, twice: nothing is due, and nothing grows.
    let before = queued.len();
    let start = Instant::now();
    stage.daemon.look_at_clocks().await.unwrap();
    println!("a look at {tickets} tickets took {} ms", start.elapsed().as_millis());
    let after = stage.daemon.store.outbox(&[LetterState::Queued], &view(&stage)).unwrap().len();
    println!("{before} letters queued, {after} after the look");
    assert!(before < 100, "analysts are told of a flood in digests: {:?}", letters(&stage));
}
