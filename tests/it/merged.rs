//! `!gabung`: what a reporter sent for the one ticket is not asked for again for the other (contract 8).

use crate::trust::{Play, note};
use bantuan70::cli::demo::stage::{Note, Received};
use bantuan70::model::Document;
use bantuan70::model::clock::ClockName;
use bantuan70::model::ticket::State;
use std::collections::BTreeSet;

const JOKO: &str = "joko@kantor.example";

fn with_documents(subject: &str) -> Note {
    let file = |name: &str| (name.to_owned(), "application/octet-stream".to_owned(), name.as_bytes().to_vec());
    let text = "Halaman depan situs kami diganti orang. Terlampir KTP saya dan topologi jaringan kami.";
    Note { enclosures: vec![file("KTP Joko.bin"), file("topologi jaringan.bin")], ..note(subject, text) }
}

/// A report without documents, and a later one with them; the later one is merged into the first.
fn merged(other: &str) -> Play {
    let mut play = Play::new("");
    play.bring("joko", JOKO);
    play.bring("siti", "siti@warga.example");
    play.writes("joko", &note("Situs kami diretas", "Halaman depan situs kami diganti orang."));
    assert_eq!(play.ticket(1).state, State::AwaitingReporter);
    play.waits(5);
    let raw = play.raw(other, &with_documents("Situs perusahaan rusak"));
    play.post(&raw);
    let second = play.ticket(2);
    assert_eq!(second.state, State::Verifying);
    assert!(second.documents.contains(&Document::Identity) && second.documents.contains(&Document::Topology), "{:?}", second.documents);
    play.waits(2);
    play.commands("!tiket BANTUAN70-2026-000002\n!gabung BANTUAN70-2026-000001");
    assert_eq!(play.ticket(2).state, State::Merged);
    play
}

fn reminders(mails: &[Received]) -> usize {
    mails.iter().filter(|mail| mail.to.as_str() == JOKO && mail.message_id.starts_with("reminder.")).count()
}

#[test]
fn documents_that_the_same_reporter_sent_go_along_with_the_time_since_they_came() {
    let mut play = merged("joko");
    let (first, second) = (play.ticket(1), play.ticket(2));
    assert_eq!(first.state, State::Verifying);
    assert_eq!(first.documents, second.documents);
    assert!(!first.missing().contains(&Document::Identity), "{:?}", first.missing());
    // Their reporter waits since they came, and not since an analyst merged the tickets.
    let clock = first.clock(ClockName::Verification);
    assert_eq!(clock.started_at, second.clock(ClockName::Verification).started_at);
    assert!(clock.started_at.is_some() && clock.due_at.is_some() && clock.paused_at.is_none(), "{clock:?}");
    // Nobody asks for them again.
    assert_eq!((0..8).map(|_| reminders(&play.waits(24))).sum::<usize>(), 0);
    assert_eq!(play.stage.daemon.store.audit_verify().unwrap().problems, [""; 0]);
}

#[test]
fn what_somebody_else_sent_is_no_identity_of_this_reporter() {
    let mut play = merged("siti");
    let first = play.ticket(1);
    assert_eq!((first.state, &first.documents), (State::AwaitingReporter, &BTreeSet::new()));
    assert_eq!(first.clock(ClockName::Verification).started_at, None);
    assert_eq!((0..8).map(|_| reminders(&play.waits(24))).sum::<usize>(), 2, "after 3 and 7 days");
}
