//! The way of old databases to the newest version: each landed schema, with rows as a program of
//! that version left them, is climbed from here.

use crate::store::{later, place, recover, view};
use bantuan70::decide::readable;
use bantuan70::model::letter::{Letter, LetterKind, LetterState, Words};
use bantuan70::model::snapshot::Question;
use bantuan70::model::{Address, Sha256};
use bantuan70::store::{OutboxId, Store, TicketFilter, Unfit};
use std::path::Path;

/// A landed step: its file, the hash that it will have for ever, and rows of its version.
struct Step {
    sql: &'static str,
    sha256: &'static str,
    rows: &'static str,
}

const STEPS: &[Step] = &[
    Step {
        sql: include_str!("../../src/store/migrations/0001_first.sql"),
        sha256: "474739d84b7e7d96901f309024c569f5c110bb8bef08ea0118870b76e2ad9cc2",
        rows: include_str!("../schema/0001_rows.sql"),
    },
    Step {
        sql: include_str!("../../src/store/migrations/0002_growth.sql"),
        sha256: "235bd61e0bcb9a1587976022dd50d6f4769717be1eabb11c42a291d51194c670",
        rows: include_str!("../schema/0001_rows.sql"),
    },
    Step {
        sql: include_str!("../../src/store/migrations/0003_progress.sql"),
        sha256: "3959b64ff5771a823c9b42449ef29b9c81c31577df25f5a36bbff404d7b18fd1",
        rows: include_str!("../schema/0003_rows.sql"),
    },
];

/// A database of that version, made without the program.
fn old_database(path: &Path, version: usize) {
    let db = rusqlite::Connection::open(path).unwrap();
    for step in &STEPS[..version] {
        db.execute_batch(step.sql).unwrap();
    }
    db.execute_batch(&format!("BEGIN; PRAGMA defer_foreign_keys = ON; {} COMMIT;", STEPS[version - 1].rows)).unwrap();
    db.pragma_update(None, "user_version", i64::try_from(version).unwrap()).unwrap();
}

#[test]
fn a_landed_step_never_changes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/migrations");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), STEPS.len(), "each step has its rows here");
    for (index, step) in STEPS.iter().enumerate() {
        assert_eq!(Sha256::of(step.sql.as_bytes()).0, step.sha256, "step {}: write the next number instead", index + 1);
    }
}

#[test]
fn each_old_version_climbs_with_all_that_it_holds() {
    for version in 1..=STEPS.len() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bantuan70.db");
        old_database(&path, version);
        let store = Store::open(&path).unwrap();
        // A field that a type got since then needs a default, or the history could not be read any more.
        assert_eq!(store.audit_verify().unwrap().problems, [""; 0], "version {version}");
        assert_eq!(store.check_integrity().unwrap(), [""; 0], "version {version}");
        let tickets = store.ticket_states(&TicketFilter::default()).unwrap();
        let page = store.ticket(&tickets[0].number, &view(later(2))).unwrap().unwrap();
        assert_eq!((page.messages.len(), page.timeline.len(), page.attachments.len(), page.disseminations.len()), (2, 3, 1, 1));
        let recipients: Vec<String> =
            page.disseminations[0].recipients.iter().map(|one| format!("{} {}", one.address, one.state)).collect();
        assert_eq!(recipients, ["sari@bank.test queued", "tono@pln.test held"], "version {version}");
        assert_eq!(store.search("halaman palsu", &view(later(2))).unwrap().len(), 1);
        let contact = store.contact(&Address::parse("sari@bank.test").unwrap()).unwrap().unwrap();
        assert_eq!((contact.sectors.len(), contact.verified_how.as_deref()), (1, Some("call-back")));
        assert_eq!(store.certificates().unwrap().len(), 1);
        // An acknowledgement holds nothing of the report, whatever its ticket is marked, also where it does not say so;
        // of what a person may have written nobody can tell.
        let old = store.letter(OutboxId(1)).unwrap().letter;
        assert_eq!((old.kind, old.words), (LetterKind::Acknowledgement, Words::Unsaid), "version {version}");
        let is_asked = |kind| readable::is_asked(&Letter { kind, ..old.clone() });
        let (fixed, written): (Vec<LetterKind>, Vec<LetterKind>) = LetterKind::ALL.iter().partition(|kind| !is_asked(**kind));
        assert_eq!(fixed, [LetterKind::Acknowledgement, LetterKind::Closing, LetterKind::Survey, LetterKind::Reminder]);
        assert!(written.contains(&LetterKind::Request) && written.contains(&LetterKind::Reply));
        // What was under way and what waited goes on.
        assert_eq!(recover(&store, later(2)), 1);
        let row = &store.outbox(&[], &view(later(3))).unwrap()[0];
        assert_eq!((row.state, row.attempts), (LetterState::Uncertain, 1));
        let waiting = store.waiting_mail(9).unwrap();
        store
            .decide(waiting[0], &Question::default(), &place(), later(3), |world| {
                assert_eq!(world.next_ticket.0, "BANTUAN70-2026-000002");
                crate::store::opens(world, later(3))
            })
            .unwrap();
        assert_eq!(store.audit_verify().unwrap().problems, [""; 0], "version {version}");
    }
}

#[test]
fn f66_nothing_climbs_under_a_daemon_that_has_the_database_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bantuan70.db");
    let _daemon = Store::open(&path).unwrap();
    // As it looks to a newer program beside it.
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 0).unwrap();
    let error = Store::open_read(&path).unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(Unfit::InUse { .. })), "{error:#}");
}

#[test]
fn an_empty_file_becomes_a_database_and_a_missing_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bantuan70.db");
    assert!(matches!(Store::open_read(&path).unwrap_err().downcast_ref(), Some(Unfit::Absent { .. })));
    std::fs::write(&path, b"").unwrap();
    assert_eq!(Store::open(&path).unwrap().ticket_states(&TicketFilter::default()).unwrap().len(), 0);
}
