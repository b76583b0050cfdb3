//! What only somebody with the file in hand can do to a store: rows changed behind its back, a disk
//! that is full, another writer, a file that is no database.

use super::*;
use crate::model::effect::{Decision, Effect, Filing, MailKind};
use crate::model::snapshot::{Question, Snapshot};
use crate::model::ticket::{Channel, Priority, Service, State, Ticket, TicketEvent};
use crate::model::{Category, InboxId, Language};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

fn now() -> Timestamp {
    "2026-11-24T06:00:00Z".parse().unwrap()
}

fn place() -> Place {
    Place { prefix: "BANTUAN70".into(), time_zone: TimeZone::UTC }
}

fn ticket(world: &Snapshot) -> Ticket {
    Ticket {
        number: world.next_ticket.clone(),
        state: State::New,
        former_state: State::New,
        service: Service::Complaint,
        category: Category::Other,
        priority: Priority::Low,
        tlp: None,
        received_tlp: None,
        subject: "x".repeat(2_000),
        reporter: None,
        reporter_name: String::new(),
        participants: BTreeSet::new(),
        language: Language::Id,
        channel: Channel::Email,
        assignee: None,
        opened_at: now(),
        updated_at: now(),
        closed_at: None,
        touched_at: None,
        documents: BTreeSet::new(),
        form: BTreeMap::new(),
        was_asked: false,
        asked: BTreeSet::new(),
        clocks: Vec::new(),
        links: BTreeSet::new(),
        merged_into: None,
        thread: Vec::new(),
        reminders: 0,
        asked_at: None,
        acknowledgement_held: None,
        acknowledged: false,
        survey_answer: None,
        survey_sent: false,
        told: BTreeSet::new(),
    }
}

fn opens(world: &Snapshot) -> Decision {
    let number = world.next_ticket.clone();
    let filing = Filing {
        kind: MailKind::Report,
        ticket: Some(number.clone()),
        from: None,
        message_id: None,
        subject: String::new(),
        text: "isi ".repeat(500),
        language: Language::Id,
        category: Category::Other,
        because: String::new(),
        quarantine: false,
        in_digest: false,
        rules_version: "0123456789abcdef".into(),
    };
    let opened = TicketEvent::Opened(Box::new(ticket(world)));
    let note = TicketEvent::Noted { text: "catatan".into() };
    let event = |event| Effect::Event { ticket: number.clone(), by: "bantuan70".into(), event, detail: String::new() };
    Decision { effects: vec![event(opened), event(note), Effect::File(Box::new(filing))], because: vec!["a report".into()] }
}

fn mail(store: &Store, uid: u32) -> anyhow::Result<InboxId> {
    let arrival = Arrival {
        source: "INBOX".into(),
        uid_validity: 1,
        uid: uid.to_string(),
        raw: format!("{uid} {}", "isi ".repeat(1_000)).into_bytes(),
        header_only_bytes: None,
        received_at: now(),
    };
    Ok(store.insert_mail(&[arrival], now())?.remove(0))
}

fn open_one(store: &Store, uid: u32) -> anyhow::Result<()> {
    let id = mail(store, uid)?;
    store.decide(id, &Question::default(), &place(), now(), opens)?;
    Ok(())
}

fn with_tickets(folder: &Path, count: u32) -> Store {
    let store = Store::open(&folder.join(FILE_NAME)).unwrap();
    (1..=count).for_each(|uid| open_one(&store, uid).unwrap());
    store
}

/// Problems that `audit verify` finds after somebody with a shell did `sql`, triggers off.
fn after_tampering(sql: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let store = with_tickets(folder.path(), 3);
    assert_eq!(store.audit_verify().unwrap().problems, [""; 0]);
    let triggers = "DROP TRIGGER audit_is_kept; DROP TRIGGER audit_is_fixed; DROP TRIGGER event_is_kept; DROP TRIGGER event_is_fixed;
                    DROP TRIGGER raw_is_kept; DROP TRIGGER raw_is_fixed; DROP TRIGGER ticket_stays; PRAGMA foreign_keys = OFF;";
    store.lock_writer().execute_batch(&format!("{triggers} {sql}")).unwrap();
    store.audit_verify().unwrap().problems
}

#[test]
fn f78_a_changed_removed_or_reordered_entry_is_named() {
    for (sql, named) in [
        ("UPDATE audit SET detail = 'nothing' WHERE id = 4", "entry 4 was changed"),
        ("UPDATE audit SET at = '2020-01-01T00:00:00.000000000Z' WHERE id = 4", "entry 4 was changed"),
        ("UPDATE audit SET hash = previous WHERE id = 4", "entry 4 was changed"),
        ("DELETE FROM audit WHERE id = 4", "entry 4 is missing"),
        ("DELETE FROM audit WHERE id = 1", "entry 1 is missing"),
        ("DELETE FROM audit WHERE id = (SELECT max(id) FROM audit)", "the chain ends at entry"),
        (
            "UPDATE audit SET id = 1000 WHERE id = 4; UPDATE audit SET id = 4 WHERE id = 5; UPDATE audit SET id = 5 WHERE id = 1000",
            "entry 4 does not follow",
        ),
    ] {
        let problems = after_tampering(sql);
        assert!(problems.first().is_some_and(|problem| problem.starts_with(named)), "{sql}: {problems:?}");
    }
}

#[test]
fn f78_rows_that_the_chain_tells_of_are_compared_with_it() {
    for (sql, named) in [
        (
            "UPDATE event SET body = replace(body, 'catatan', 'lain') WHERE n = 2 AND ticket LIKE '%2'",
            "event 2 of BANTUAN70-2026-000002 was changed",
        ),
        ("UPDATE event SET by = 'somebody@else.test' WHERE id = 1", "event 1 of BANTUAN70-2026-000001 was changed"),
        ("DELETE FROM event WHERE id = 3", "event row 3 is missing"),
        ("UPDATE raw SET content = x'00' WHERE inbox = 2", "the bytes of mail 2 were changed"),
        ("UPDATE ticket SET state = 'closed' WHERE number LIKE '%3'", "ticket BANTUAN70-2026-000003 is not the fold of its events"),
        (
            "UPDATE ticket SET fold = replace(fold, 'xxx', 'yyy') WHERE number LIKE '%3'",
            "ticket BANTUAN70-2026-000003 is not the fold of its events",
        ),
    ] {
        let problems = after_tampering(sql);
        assert!(problems.iter().any(|problem| problem == named), "{sql}: {problems:?}");
    }
}

#[test]
fn history_audit_and_raw_mail_cannot_be_changed_by_a_slip() {
    let folder = tempfile::tempdir().unwrap();
    let store = with_tickets(folder.path(), 1);
    for sql in [
        "DELETE FROM event",
        "UPDATE event SET by = 'x'",
        "DELETE FROM audit",
        "UPDATE audit SET detail = 'x'",
        "DELETE FROM raw",
        "UPDATE raw SET content = x'00'",
        "DELETE FROM ticket",
        "DELETE FROM inbox",
        "UPDATE ticket SET state = 'sleeping'",
        "UPDATE inbox SET kind = 'letter'",
        "INSERT INTO counter (name, year, last) VALUES ('ticket', 'soon', 1)",
    ] {
        assert!(store.lock_writer().execute_batch(sql).is_err(), "{sql}");
    }
    assert!(store.reader.lock().unwrap().execute_batch("DELETE FROM refusal").is_err(), "the reader cannot write");
}

#[test]
fn f60_f63_a_disk_that_is_full_at_any_page_leaves_whole_tickets_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = with_tickets(folder.path(), 1);
    let mut uid = 1;
    let mut refused = 0;
    for pages in 0..60 {
        let used: i64 = store.lock_writer().pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        store.lock_writer().pragma_update_and_check(None, "max_page_count", used + pages % 6, |_| Ok(())).unwrap();
        uid += 1;
        if let Err(error) = open_one(&store, uid) {
            assert!(is_full(&error), "{error:#}");
            refused += 1;
        }
    }
    assert!(refused > 10, "{refused}");
    store.lock_writer().pragma_update_and_check(None, "max_page_count", 1_000_000, |_| Ok(())).unwrap();
    assert_eq!(store.audit_verify().unwrap().problems, [""; 0]);
    assert_eq!(store.check_integrity().unwrap(), [""; 0]);
    // It resumes by itself: what waits is decided, numbers have no hole.
    for id in store.waiting_mail(100).unwrap() {
        store.decide(id, &Question::default(), &place(), now(), opens).unwrap();
    }
    let tickets = store.ticket_states(&TicketFilter::default()).unwrap();
    let serials: Vec<String> = tickets.iter().map(|ticket| ticket.number.0.clone()).collect();
    let expected: Vec<String> = (1..=serials.len()).map(|serial| format!("BANTUAN70-2026-{serial:06}")).collect();
    assert_eq!(serials, expected);
}

#[test]
fn f61_another_writer_makes_a_step_fail_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let store = with_tickets(folder.path(), 1);
    let admin = connect(store.path()).unwrap();
    admin.execute_batch("BEGIN IMMEDIATE").unwrap();
    store.lock_writer().busy_timeout(Duration::ZERO).unwrap();
    let error = open_one(&store, 2).unwrap_err();
    assert!(is_busy(&error), "{error:#}");
    // Reading goes on.
    assert_eq!(store.ticket_states(&TicketFilter::default()).unwrap().len(), 1);
    admin.execute_batch("ROLLBACK").unwrap();
    open_one(&store, 2).unwrap();
}

#[test]
fn f62_what_is_no_sound_database_is_refused_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    drop(with_tickets(folder.path(), 20));
    let good = std::fs::read(&path).unwrap();
    let overwritten = |from: usize, len: usize| {
        let mut bytes = good.clone();
        bytes[from..from + len].fill(0xa5);
        bytes
    };
    for (what, bytes) in
        [("header", overwritten(0, 100)), ("pages", overwritten(4_096 * 20, 4_096 * 10)), ("text", b"no database".repeat(1_000))]
    {
        std::fs::write(&path, &bytes).unwrap();
        let error = Store::open(&path).unwrap_err();
        assert!(is_corrupt(&error) && error.to_string().contains("bantuan70 restore"), "{what}: {error:#}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "{what}: the evidence stays");
    }
    std::fs::write(&path, good).unwrap();
    Store::open(&path).unwrap();
}

#[test]
fn f62_a_newer_file_is_refused_with_both_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    let store = with_tickets(folder.path(), 1);
    store.lock_writer().pragma_update(None, "user_version", 99).unwrap();
    drop(store);
    for error in [Store::open(&path).unwrap_err(), Store::open_read(&path).unwrap_err()] {
        assert!(matches!(error.downcast_ref(), Some(Unfit::Newer { found: 99, .. })), "{error:#}");
        assert!(error.to_string().contains("version 99") && error.to_string().contains(&format!("knows {}", migrate::NEWEST)), "{error:#}");
    }
}

#[test]
fn f65_a_restore_that_was_killed_leaves_no_database_and_can_be_done_again() {
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup.db");
    with_tickets(&folder.path().join("old"), 2).backup(&backup).unwrap();
    let target = folder.path().join("new");
    std::fs::create_dir(&target).unwrap();
    std::fs::write(target.join("bantuan70.db.part"), b"half").unwrap();
    std::fs::write(target.join("bantuan70.db.part-wal"), b"half").unwrap();
    let path = Store::restore(&backup, &target, now()).unwrap();
    let left: BTreeSet<_> = std::fs::read_dir(&target).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, BTreeSet::from([FILE_NAME.into()]));
    let store = Store::open(&path).unwrap();
    assert_eq!(store.ticket_states(&TicketFilter::default()).unwrap().len(), 2);
    let report = store.audit_verify().unwrap();
    assert_eq!(report.problems, [""; 0]);
    let last: String = store.lock_writer().query_row("SELECT what FROM audit ORDER BY id DESC LIMIT 1", [], |row| row.get(0)).unwrap();
    assert_eq!(last, "restored");
    // Anything else in the folder is a reason to refuse.
    assert!(Store::restore(&backup, &target, now()).is_err());
    assert!(Store::restore(&target.join("nothing.db"), &folder.path().join("x"), now()).is_err());
    std::fs::write(folder.path().join("text"), "no database").unwrap();
    assert!(is_corrupt(&Store::restore(&folder.path().join("text"), &folder.path().join("y"), now()).unwrap_err()));
}

#[test]
fn only_the_owner_reads_the_database() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let store = with_tickets(&folder.path().join("data"), 1);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.path().join("data")), 0o700);
    for entry in std::fs::read_dir(folder.path().join("data")).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    store.backup(&folder.path().join("copy.db")).unwrap();
    assert_eq!(mode(&folder.path().join("copy.db")), 0o600);
}

#[test]
fn the_token_key_is_made_once_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let store = with_tickets(folder.path(), 0);
    let key = store.token_key().unwrap();
    assert_ne!(key.0, [0; 32]);
    assert_eq!(Store::open_read(store.path()).unwrap().token_key().unwrap().0, key.0);
    drop(store);
    assert_eq!(with_tickets(folder.path(), 0).token_key().unwrap().0, key.0);
}

#[test]
fn f14_a_mail_that_two_attempts_failed_on_waits_until_all_others_are_handled() {
    let folder = tempfile::tempdir().unwrap();
    let store = with_tickets(folder.path(), 0);
    let ids: Vec<InboxId> = (1..=3).map(|uid| mail(&store, uid).unwrap()).collect();
    let next = || store.next_batch(9, &BTreeSet::new()).unwrap();
    assert_eq!(next(), ids);
    store.begin_attempt(ids[0], now()).unwrap();
    assert_eq!(next(), [ids[0]], "a second attempt is made in its turn, and alone");
    store.begin_attempt(ids[0], now()).unwrap();
    assert_eq!(next(), [ids[1], ids[2]]);
    for id in &ids[1..] {
        store.begin_attempt(*id, now()).unwrap();
        store.decide(*id, &Question::default(), &place(), now(), opens).unwrap();
    }
    assert_eq!(next(), [ids[0]]);
}

#[test]
fn f14_f73_ends_of_the_program_count_for_the_mail_that_it_was_at_and_outlive_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = with_tickets(folder.path(), 0);
    let ids: Vec<InboxId> = (1..=2).map(|uid| mail(&store, uid).unwrap()).collect();
    std::mem::forget(store.at_work(ids[0]));
    drop(store.at_work(ids[1]));
    drop(store);
    let store = with_tickets(folder.path(), 0);
    assert_eq!(ids.iter().map(|id| store.deaths(*id)).collect::<Vec<_>>(), [1, 0]);
    std::mem::forget(store.at_work(ids[0]));
    drop(store);
    std::fs::OpenOptions::new().append(true).open(folder.path().join("at-work")).unwrap().write_all(b"no line of ours\n").unwrap();
    let store = with_tickets(folder.path(), 0);
    assert_eq!(store.deaths(ids[0]), 2);
    store.forget_deaths(ids[0]);
    drop(store);
    assert_eq!(with_tickets(folder.path(), 0).deaths(ids[0]), 0);
}

#[test]
fn f62_one_mail_with_damaged_bytes_holds_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let store = with_tickets(folder.path(), 0);
    let ids: Vec<InboxId> = (1..=3).map(|uid| mail(&store, uid).unwrap()).collect();
    store.lock_writer().execute_batch("DROP TRIGGER raw_is_fixed; UPDATE raw SET content = x'00' WHERE inbox = 2").unwrap();
    let begun: Vec<InboxId> =
        store.begin_attempts(&store.next_batch(9, &BTreeSet::new()).unwrap(), now()).unwrap().into_iter().map(|one| one.id).collect();
    assert_eq!(begun, [ids[0], ids[2]]);
    for id in begun {
        store.decide(id, &Question::default(), &place(), now(), opens).unwrap();
    }
    assert_eq!(store.next_batch(9, &BTreeSet::new()).unwrap(), [ids[1]]);
    assert!(store.begin_attempt(ids[1], now()).unwrap_err().to_string().contains("damaged"));
}
