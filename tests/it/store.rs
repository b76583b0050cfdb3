//! The store: both ladders rung by rung, what can never be committed twice, and what the audit log shows.

use bantuan70::decide::retry::{Tried, settle as ended};
use bantuan70::model::effect::{Decision, Effect, Filing, MailKind};
use bantuan70::model::letter::{AutoSubmitted, Letter, LetterKind, LetterState, Protection, Words};
use bantuan70::model::outcome::{SendOutcome, Settled};
use bantuan70::model::snapshot::{Question, Snapshot};
use bantuan70::model::ticket::{Channel, Priority, Service, State, Ticket, TicketEvent, TicketNumber};
use bantuan70::model::{Address, Category, InboxId, Language, Sha256};
use bantuan70::store::{Arrival, Claim, OutboxId, Place, Store, TicketFilter, View};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn start() -> Timestamp {
    time("2026-11-24T06:00:00.123456789Z")
}

pub(crate) fn later(minutes: i64) -> Timestamp {
    start() + SignedDuration::from_mins(minutes)
}

pub(crate) fn place() -> Place {
    Place { prefix: "BANTUAN70".into(), time_zone: jiff::tz::TimeZone::get("Asia/Jakarta").unwrap() }
}

pub(crate) fn view(now: Timestamp) -> View {
    View { time_zone: place().time_zone, now, center_address: "bantuan70@bssn.test".into() }
}

/// The attempt begins with the bytes that are stored.
pub(crate) fn claim(store: &Store, id: OutboxId, now: Timestamp) -> bool {
    store.claim(&store.letter(id).unwrap(), None, now).unwrap() == Claim::Taken
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

pub(crate) fn arrival(uid: u32, raw: &str) -> Arrival {
    Arrival {
        source: "INBOX".into(),
        uid_validity: 7,
        uid: uid.to_string(),
        raw: raw.as_bytes().to_vec(),
        header_only_bytes: None,
        received_at: start(),
    }
}

pub(crate) fn open_store(folder: &Path) -> Store {
    Store::open(&folder.join("data").join("bantuan70.db")).unwrap()
}

pub(crate) fn new_ticket(number: &TicketNumber, now: Timestamp) -> Ticket {
    Ticket {
        number: number.clone(),
        state: State::AwaitingReporter,
        former_state: State::AwaitingReporter,
        service: Service::Complaint,
        category: Category::Phishing,
        priority: Priority::Medium,
        tlp: None,
        received_tlp: None,
        subject: "Situs palsu".into(),
        reporter: Some(address("budi@dinas.go.test")),
        reporter_name: "Budi".into(),
        participants: BTreeSet::from([address("budi@dinas.go.test")]),
        language: Language::Id,
        channel: Channel::Email,
        assignee: None,
        opened_at: now,
        updated_at: now,
        closed_at: None,
        touched_at: None,
        documents: BTreeSet::new(),
        form: BTreeMap::new(),
        was_asked: true,
        asked: BTreeSet::new(),
        clocks: Vec::new(),
        links: BTreeSet::new(),
        merged_into: None,
        thread: vec!["laporan-1@dinas.go.test".into()],
        reminders: 0,
        asked_at: Some(now),
        acknowledgement_held: None,
        acknowledged: true,
        survey_answer: None,
        survey_sent: false,
        told: BTreeSet::new(),
    }
}

pub(crate) fn filing(kind: MailKind, ticket: Option<&TicketNumber>) -> Box<Filing> {
    Box::new(Filing {
        kind,
        ticket: ticket.cloned(),
        from: Some(address("budi@dinas.go.test")),
        message_id: Some("laporan-1@dinas.go.test".into()),
        subject: "Situs palsu".into(),
        text: "Ada halaman palsu di contoh.go.test".into(),
        language: Language::Id,
        category: Category::Phishing,
        because: "rule phishing-1".into(),
        quarantine: false,
        in_digest: false,
        rules_version: "0123456789abcdef".into(),
    })
}

pub(crate) fn letter(kind: LetterKind, ticket: Option<&TicketNumber>, message_id: &str) -> Letter {
    Letter {
        kind,
        to: address("budi@dinas.go.test"),
        to_name: "Budi".into(),
        ticket: ticket.cloned(),
        dissemination: None,
        message_id: message_id.into(),
        in_reply_to: None,
        references: Vec::new(),
        subject: "[X] diterima".into(),
        outer_subject: String::new(),
        text: "Laporan diterima.".into(),
        html: None,
        enclosures: Vec::new(),
        auto_submitted: AutoSubmitted::Replied,
        protection: Protection::Signed,
        tlp: None,
        words: Words::Written,
        language: Language::Id,
        token: None,
        encloses_certificate: false,
        held_because: None,
        not_before: None,
    }
}

/// The decision on a first report: a ticket, its mail, one acknowledgement.
pub(crate) fn opens(world: &Snapshot, now: Timestamp) -> Decision {
    let number = &world.next_ticket;
    Decision {
        effects: vec![
            Effect::File(filing(MailKind::Report, Some(number))),
            Effect::Queue(Box::new(letter(LetterKind::Acknowledgement, Some(number), &format!("ack.{number}@bssn.test")))),
            Effect::Event {
                ticket: number.clone(),
                by: "bantuan70".into(),
                event: TicketEvent::Opened(Box::new(new_ticket(number, now))),
                detail: "report by mail".into(),
            },
        ],
        because: vec!["a report".into()],
    }
}

pub(crate) fn event(number: &TicketNumber, event: TicketEvent) -> Effect {
    Effect::Event { ticket: number.clone(), by: "analyst1@bssn.test".into(), event, detail: "by command".into() }
}

pub(crate) fn just(effects: Vec<Effect>) -> impl FnOnce(&Snapshot) -> Decision {
    move |_| Decision { effects, because: Vec::new() }
}

/// One report, stored and decided at `start`.
pub(crate) fn with_ticket(store: &Store) -> (InboxId, TicketNumber) {
    let ids = store.insert_mail(&[arrival(1, "Subject: satu\r\n\r\nisi")], start()).unwrap();
    store.begin_attempt(ids[0], start()).unwrap();
    let decision = store.decide(ids[0], &Question::default(), &place(), start(), |world| opens(world, start())).unwrap();
    let Effect::Event { ticket, .. } = &decision.effects[2] else { panic!() };
    (ids[0], ticket.clone())
}

fn ready(store: &Store) -> OutboxId {
    let id = store.due_letters(later(1), 10).unwrap()[0];
    store.store_sealed(id, b"sealed bytes", later(1)).unwrap();
    id
}

pub(crate) fn settled(state: LetterState) -> Settled {
    Settled { state, next_at: None, error: None, reply: Some("250 queued".into()), counts_attempt: true }
}

fn settle(store: &Store, id: OutboxId, settled: &Settled, now: Timestamp) -> anyhow::Result<Decision> {
    store.settle(id, settled, &place(), &Question::default(), now, just(Vec::new()))
}

/// What was under way ended uncertain, as the daemon says at its start.
pub(crate) fn recover(store: &Store, now: Timestamp) -> usize {
    let under_way = store.under_way().unwrap();
    for id in &under_way {
        let queued = store.letter(*id).unwrap();
        let tried = Tried { queued_at: queued.queued_at, attempts: queued.attempts, resends: queued.resends, was: queued.state };
        let settled = ended(&queued.letter, tried, &SendOutcome::Uncertain { reason: "the program ended".to_owned() }, now);
        settle(store, *id, &settled, now).unwrap();
    }
    under_way.len()
}

/// A person lets it go, and nothing else follows.
pub(crate) fn retry(store: &Store, id: OutboxId, now: Timestamp) -> anyhow::Result<()> {
    store.retry_with(&store.letter(id)?, "admin", &place(), &Question::default(), now, |_| Ok(Decision::default()))
}

#[test]
fn a_mail_climbs_the_inbox_ladder() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let ids = store.insert_mail(&[arrival(1, "Subject: satu\r\n\r\nisi"), arrival(2, "Subject: dua\r\n\r\nisi")], start()).unwrap();
    assert_eq!(store.waiting_mail(10).unwrap(), ids);
    assert_eq!(store.unfiled("INBOX", 10).unwrap(), []);
    let asked = ["1", "2", "3"].map(str::to_owned);
    assert_eq!(store.known("INBOX", 7, &asked).unwrap(), BTreeSet::from(["1", "2"].map(str::to_owned)));

    let waiting = store.begin_attempt(ids[0], start()).unwrap();
    assert_eq!((waiting.raw.as_slice(), waiting.attempts), ("Subject: satu\r\n\r\nisi".as_bytes(), 1));
    store.decide(ids[0], &Question::default(), &place(), start(), |world| opens(world, start())).unwrap();
    assert_eq!(store.waiting_mail(10).unwrap(), [ids[1]]);

    let unfiled = store.unfiled("INBOX", 10).unwrap();
    assert_eq!((unfiled.len(), unfiled[0].uid.as_str(), unfiled[0].is_copied), (1, "1", false));
    store.mark_copied(&[unfiled[0].arrival], start()).unwrap();
    assert!(store.unfiled("INBOX", 10).unwrap()[0].is_copied);
    store.mark_filed(&[unfiled[0].arrival], start()).unwrap();
    assert_eq!(store.unfiled("INBOX", 10).unwrap(), []);
    assert_eq!(store.audit_verify().unwrap().problems, [""; 0]);
}

#[test]
fn f3_a_mail_is_decided_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (id, _) = with_ticket(&store);
    let error = store.decide(id, &Question::default(), &place(), later(1), |world| opens(world, later(1))).unwrap_err();
    assert!(error.to_string().contains("decided already"), "{error:#}");
    assert_eq!(store.tickets(&TicketFilter::default(), &view(later(1))).unwrap().len(), 1);
    // The same place again is the same mail.
    assert_eq!(store.insert_mail(&[arrival(1, "Subject: satu\r\n\r\nisi")], later(1)).unwrap(), [id]);
    assert_eq!(store.waiting_mail(10).unwrap(), []);
}

#[test]
fn f8_f20_the_same_bytes_under_another_key_are_filed_too_and_decided_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (id, _) = with_ticket(&store);
    let mut again = arrival(9, "Subject: satu\r\n\r\nisi");
    again.uid_validity = 8;
    assert_eq!(store.insert_mail(&[again], later(1)).unwrap(), [id]);
    assert_eq!(store.waiting_mail(10).unwrap(), []);
    let unfiled: Vec<_> = store.unfiled("INBOX", 10).unwrap().into_iter().map(|one| (one.uid_validity, one.uid)).collect();
    assert_eq!(unfiled, [(7, "1".to_owned()), (8, "9".to_owned())]);
}

#[test]
fn f8_a_place_that_was_filed_and_holds_a_mail_again_is_met_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (id, _) = with_ticket(&store);
    let places = || store.unfiled("INBOX", 10).unwrap().into_iter().map(|one| (one.inbox, one.uid)).collect::<Vec<_>>();
    let file = || store.mark_filed(&[store.unfiled("INBOX", 10).unwrap()[0].arrival], later(1)).unwrap();
    file();
    let asked = ["1".to_owned()];
    assert_eq!(store.filed("INBOX", 7, &asked).unwrap(), BTreeSet::from(asked.clone()));
    // The same mail was put back: it is filed once more and not decided.
    assert_eq!(store.insert_mail(&[arrival(1, "Subject: satu\r\n\r\nisi")], later(2)).unwrap(), [id]);
    assert_eq!((places(), store.waiting_mail(10).unwrap()), (vec![(id, "1".to_owned())], Vec::new()));
    assert_eq!(store.filed("INBOX", 7, &asked).unwrap(), BTreeSet::new());
    file();
    // The server gave the number to another mail: it comes in.
    let other = store.insert_mail(&[arrival(1, "Subject: lain\r\n\r\nisi")], later(3)).unwrap()[0];
    assert_ne!(other, id);
    assert_eq!(store.waiting_mail(10).unwrap(), [other]);
}

#[test]
fn f6_a_message_that_another_client_took_leaves_a_trace_and_no_mail() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    store.mark_gone("INBOX", 7, "3", start()).unwrap();
    assert_eq!(store.waiting_mail(10).unwrap(), []);
    // It was there after all: what is noted as gone is looked for again wherever the mailbox names it.
    assert_eq!(store.known("INBOX", 7, &["3".to_owned()]).unwrap(), BTreeSet::new());
    store.insert_mail(&[arrival(3, "Subject: x\r\n\r\n")], start()).unwrap();
    assert_eq!(store.waiting_mail(10).unwrap().len(), 1);
}

#[test]
fn f14_an_attempt_is_counted_before_anything_is_parsed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let id = store.insert_mail(&[arrival(1, "poison")], start()).unwrap()[0];
    store.begin_attempt(id, start()).unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = store.decide(id, &Question::default(), &place(), start(), |_| panic!("a parser's bug"));
    }));
    assert!(panicked.is_err());
    drop(store);
    let store = open_store(folder.path());
    assert_eq!(store.begin_attempt(id, start()).unwrap().attempts, 2);
}

#[test]
fn numbers_have_no_hole_when_two_processes_open_tickets_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = open_store(folder.path());
    let beside = Store::open_read(daemon.path()).unwrap();
    let arrivals: Vec<_> = (1..=40).map(|uid| arrival(uid, &format!("Subject: {uid}\r\n\r\n"))).collect();
    let ids = daemon.insert_mail(&arrivals, start()).unwrap();
    std::thread::scope(|scope| {
        for (store, ids) in [(&daemon, &ids[..20]), (&beside, &ids[20..])] {
            scope.spawn(move || {
                for id in ids {
                    // Every fifth decision fails on the way and takes no number.
                    if id.0 % 5 == 0 {
                        store.decide(*id, &Question::default(), &place(), start(), just(Vec::new())).unwrap_err();
                    }
                    store.decide(*id, &Question::default(), &place(), start(), |world| opens(world, start())).unwrap();
                }
            });
        }
    });
    let numbers: BTreeSet<String> =
        daemon.tickets(&TicketFilter::default(), &view(start())).unwrap().into_iter().map(|row| row.number.0).collect();
    let expected: BTreeSet<String> = (1..=40).map(|serial| format!("BANTUAN70-2026-{serial:06}")).collect();
    assert_eq!(numbers, expected);
    assert_eq!(daemon.audit_verify().unwrap().problems, [""; 0]);
}

#[test]
fn f70_the_year_is_the_centres_and_never_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let mut uid = 0;
    let mut open_at = |now: Timestamp| {
        uid += 1;
        let id = store.insert_mail(&[arrival(uid, &format!("{uid}"))], now).unwrap()[0];
        let decision = store.decide(id, &Question::default(), &place(), now, |world| opens(world, now)).unwrap();
        let Effect::Event { ticket, .. } = &decision.effects[2] else { panic!() };
        ticket.0.clone()
    };
    // Midnight in Jakarta is 17:00 UTC.
    assert_eq!(open_at(time("2026-12-31T16:59:59Z")), "BANTUAN70-2026-000001");
    assert_eq!(open_at(time("2026-12-31T17:00:00Z")), "BANTUAN70-2027-000001");
    // The clock jumps back: 2027 goes on.
    assert_eq!(open_at(time("2026-12-31T16:00:00Z")), "BANTUAN70-2027-000002");
}

#[test]
fn a_number_that_would_leave_a_hole_is_not_committed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let wrong = TicketNumber::new("BANTUAN70", 2026, 2);
    let effects = vec![event(&wrong, TicketEvent::Opened(Box::new(new_ticket(&wrong, start()))))];
    let error = store.act("test", &Question::default(), &place(), start(), just(effects)).unwrap_err();
    assert!(format!("{error:#}").contains("the next number is BANTUAN70-2026-000001"), "{error:#}");
    assert_eq!(store.tickets(&TicketFilter::default(), &view(start())).unwrap().len(), 0);
}

#[test]
fn f46_no_ticket_has_two_acknowledgements() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (_, number) = with_ticket(&store);
    let again = Effect::Queue(Box::new(letter(LetterKind::Acknowledgement, Some(&number), "other@bssn.test")));
    store.act("test", &Question::default(), &place(), later(1), just(vec![again])).unwrap_err();
    let same_id = Effect::Queue(Box::new(letter(LetterKind::Notice, Some(&number), &format!("ack.{number}@bssn.test"))));
    store.act("test", &Question::default(), &place(), later(1), just(vec![same_id])).unwrap_err();
    assert_eq!(store.outbox(&[], &view(later(1))).unwrap().len(), 1);
}

#[test]
fn c1_a_signature_acts_once_and_the_snapshot_says_when() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (id, number) = with_ticket(&store);
    let key = Sha256::of(b"signature");
    let remember = || Effect::RememberSignature { key: key.clone(), by: address("analyst1@bssn.test"), signed_at: start() };
    store.act("mail", &Question::default(), &place(), later(1), just(vec![remember()])).unwrap();
    let question = Question { signatures: vec![key.clone()], ..Question::default() };
    store
        .act("mail", &question, &place(), later(2), |world| {
            assert_eq!(world.seen_signatures.values().next().map(|(_, at)| *at), Some(later(1)));
            Decision::default()
        })
        .unwrap();
    let note = event(&number, TicketEvent::Noted { text: "dua kali".into() });
    store.act("mail", &Question::default(), &place(), later(3), just(vec![note, remember()])).unwrap_err();
    // Nothing of the second decision stayed.
    assert_eq!(store.ticket(&number, &view(later(3))).unwrap().unwrap().timeline.len(), 1);
    let _ = id;
}

#[test]
fn a_killed_process_leaves_a_whole_decision_or_none() {
    for fail_at in 1..=3 {
        let folder = tempfile::tempdir().unwrap();
        let store = open_store(folder.path()).with_commit_hook(Box::new(move |n| n != fail_at));
        let run = |store: &Store, now: Timestamp| -> anyhow::Result<()> {
            let ids = store.insert_mail(&[arrival(1, "Subject: satu\r\n\r\nisi")], now)?;
            if store.waiting_mail(1)?.is_empty() {
                return Ok(());
            }
            store.begin_attempt(ids[0], now)?;
            store.decide(ids[0], &Question::default(), &place(), now, |world| opens(world, now))?;
            Ok(())
        };
        let _ = run(&store, start());
        drop(store);
        let store = open_store(folder.path());
        run(&store, later(1)).unwrap();
        let rows = store.tickets(&TicketFilter::default(), &view(later(1))).unwrap();
        assert_eq!(rows.iter().map(|row| row.number.0.as_str()).collect::<Vec<_>>(), ["BANTUAN70-2026-000001"], "commit {fail_at}");
        assert_eq!(store.outbox(&[], &view(later(1))).unwrap().len(), 1, "commit {fail_at}");
        assert_eq!(store.audit_verify().unwrap().problems, [""; 0]);
    }
}

#[test]
fn a_letter_climbs_the_outbox_ladder() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    with_ticket(&store);
    let id = store.due_letters(start(), 10).unwrap()[0];
    assert!(!claim(&store, id, start()), "nothing is sent that was not sealed and stored");
    store.store_sealed(id, b"sealed bytes", start()).unwrap();
    assert!(claim(&store, id, start()));
    assert!(!claim(&store, id, start()), "nobody else sends what is under way");
    assert_eq!(store.due_letters(later(9_999), 10).unwrap(), []);

    let again = Settled { next_at: Some(later(5)), reply: None, error: Some("451 greylisted".into()), ..settled(LetterState::Queued) };
    settle(&store, id, &again, start()).unwrap();
    assert_eq!(store.due_letters(later(4), 10).unwrap(), []);
    assert_eq!(store.next_outbox_time().unwrap(), Some(later(5)));
    assert!(claim(&store, id, later(5)));
    let queued = store.letter(id).unwrap();
    assert_eq!((queued.sealed.as_deref(), queued.attempts), (Some(b"sealed bytes".as_slice()), 2));
    settle(&store, id, &settled(LetterState::Sent), later(5)).unwrap();
    assert!(settle(&store, id, &settled(LetterState::Failed), later(6)).is_err(), "what is sent stays sent");
    assert_eq!(store.next_outbox_time().unwrap(), None);
}

#[test]
fn f30_a_fault_of_the_server_costs_the_letter_no_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    with_ticket(&store);
    let id = ready(&store);
    claim(&store, id, later(1));
    let fault = Settled { next_at: Some(later(3)), counts_attempt: false, ..settled(LetterState::Queued) };
    settle(&store, id, &fault, later(1)).unwrap();
    assert_eq!(store.letter(id).unwrap().attempts, 0);
}

#[test]
fn f42_what_was_under_way_at_a_kill_goes_once_more_after_a_quarter_of_an_hour() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    with_ticket(&store);
    let id = ready(&store);
    assert!(claim(&store, id, later(1)));
    drop(store);

    let store = open_store(folder.path());
    assert_eq!(recover(&store, later(2)), 1);
    assert_eq!(store.letter(id).unwrap().state, LetterState::Uncertain);
    assert_eq!(store.due_letters(later(16), 10).unwrap(), []);
    assert_eq!(store.due_letters(later(17), 10).unwrap(), [id]);
    assert!(claim(&store, id, later(17)));
    drop(store);

    // Killed again: it is not sent a third time by itself.
    let store = open_store(folder.path());
    recover(&store, later(18));
    assert_eq!(store.due_letters(later(99_999), 10).unwrap(), []);
    let row = &store.outbox(&[], &view(later(18))).unwrap()[0];
    assert_eq!((row.state, row.resends), (LetterState::Uncertain, 1));
    // A person may say so.
    retry(&store, id, later(20)).unwrap();
    assert_eq!(store.due_letters(later(20), 10).unwrap(), [id]);
}

/// Not a test of its own: the process that the next test kills. It prints each number once it is committed.
#[test]
fn f64_child() {
    let Ok(path) = std::env::var("BANTUAN70_F64_DATABASE") else { return };
    let store = Store::open(Path::new(&path)).unwrap();
    recover(&store, start());
    for uid in 1..=10_000 {
        store.insert_mail(&[arrival(uid, &format!("mail {uid}"))], start()).unwrap();
        for id in store.waiting_mail(10).unwrap() {
            store.begin_attempt(id, start()).unwrap();
            let decision = store.decide(id, &Question::default(), &place(), start(), |world| opens(world, start())).unwrap();
            let Effect::Event { ticket, .. } = &decision.effects[2] else { panic!() };
            println!("committed {ticket}");
        }
        for id in store.due_letters(later(1), 2).unwrap() {
            store.store_sealed(id, b"sealed", later(1)).unwrap();
            assert!(claim(&store, id, later(1)));
            settle(&store, id, &settled(LetterState::Sent), later(1)).unwrap();
        }
    }
}

#[test]
fn f64_kill_9_loses_nothing_that_was_committed_and_leaves_no_hole() {
    use std::io::{BufRead as _, BufReader};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bantuan70.db");
    let mut committed = BTreeSet::new();
    for round in 0..8 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::f64_child", "--nocapture", "--test-threads=1"])
            .env("BANTUAN70_F64_DATABASE", &path)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let numbers = lines.filter_map(|line| line.split_once("committed ").map(|(_, number)| number.to_owned()));
        committed.extend(numbers.take(5 + round * 3));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(committed.len() >= 8 * 5);
    let store = Store::open(&path).unwrap();
    let tickets: Vec<String> = store.ticket_states(&TicketFilter::default()).unwrap().into_iter().map(|ticket| ticket.number.0).collect();
    assert!(committed.iter().all(|number| tickets.contains(number)));
    let expected: Vec<String> = (1..=tickets.len()).map(|serial| format!("BANTUAN70-2026-{serial:06}")).collect();
    assert_eq!(tickets, expected);
    assert_eq!(store.outbox(LetterState::ALL, &view(start())).unwrap().len(), tickets.len(), "one acknowledgement each");
    assert_eq!(store.audit_verify().unwrap().problems, [""; 0]);
    assert_eq!(store.check_integrity().unwrap(), [""; 0]);
}

#[test]
fn f60_f63_a_write_that_fails_at_any_byte_loses_nothing_that_was_committed() {
    for blocks in [4, 80, 200, 350, 450, 500, 550, 600, 650, 700, 800, 900] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bantuan70.db");
        // No file may grow past the limit: in the middle of a page, a frame or a checkpoint the write fails.
        let output = std::process::Command::new("sh")
            .args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" --exact store::f64_child --nocapture --test-threads=1")])
            .arg(std::env::current_exe().unwrap())
            .env("BANTUAN70_F64_DATABASE", &path)
            .output()
            .unwrap();
        assert!(!output.status.success(), "{blocks}: the limit was never met");
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let committed: Vec<&str> =
            stdout.lines().filter_map(|line| line.split_once("committed ")).map(|(_, number)| number.trim()).collect();
        let store = Store::open(&path).unwrap();
        let tickets: Vec<String> =
            store.ticket_states(&TicketFilter::default()).unwrap().into_iter().map(|ticket| ticket.number.0).collect();
        assert!(committed.iter().all(|number| tickets.iter().any(|ticket| ticket == number)), "{blocks}");
        let expected: Vec<String> = (1..=tickets.len()).map(|serial| format!("BANTUAN70-2026-{serial:06}")).collect();
        assert_eq!(tickets, expected, "{blocks}");
        assert_eq!(store.outbox(LetterState::ALL, &view(start())).unwrap().len(), tickets.len(), "{blocks}");
        assert_eq!(store.audit_verify().unwrap().problems, [""; 0], "{blocks}");
        assert_eq!(store.check_integrity().unwrap(), [""; 0], "{blocks}");
    }
}

#[test]
fn a_cancelled_or_held_letter_is_not_claimed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    with_ticket(&store);
    let id = ready(&store);
    store.hold(id, "no certificate", later(1)).unwrap();
    assert!(!claim(&store, id, later(2)));
    retry(&store, id, later(2)).unwrap();
    store.cancel(id, "admin", later(3)).unwrap();
    assert!(!claim(&store, id, later(4)));
    assert!(retry(&store, id, later(5)).is_err());
}

#[test]
fn a_running_daemon_sees_that_another_process_changed_the_outbox() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = open_store(folder.path());
    with_ticket(&daemon);
    let id = ready(&daemon);
    let before = daemon.outbox_generation().unwrap();
    daemon.hold(id, "no certificate", later(1)).unwrap();
    assert_eq!(daemon.outbox_generation().unwrap(), before, "its own work wakes nobody");
    retry(&Store::open_read(daemon.path()).unwrap(), id, later(1)).unwrap();
    assert_ne!(daemon.outbox_generation().unwrap(), before);
}

#[test]
fn acknowledgements_go_before_disseminations_and_wait_for_their_turn() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let kinds = [LetterKind::Dissemination, LetterKind::Notice, LetterKind::Acknowledgement];
    let mut effects: Vec<Effect> =
        kinds.iter().map(|kind| Effect::Queue(Box::new(letter(*kind, None, &format!("{kind}@bssn.test"))))).collect();
    let mut put_off = letter(LetterKind::Acknowledgement, None, "later@bssn.test");
    put_off.not_before = Some(later(30));
    effects.push(Effect::Queue(Box::new(put_off)));
    store.act("test", &Question::default(), &place(), start(), just(effects)).unwrap();
    let kinds: Vec<_> = store.due_letters(later(1), 10).unwrap().into_iter().map(|id| store.letter(id).unwrap().letter.kind).collect();
    assert_eq!(kinds, [LetterKind::Acknowledgement, LetterKind::Notice, LetterKind::Dissemination]);
    assert_eq!(store.due_letters(later(30), 10).unwrap().len(), 4);
}

#[test]
fn f44_a_letter_that_is_put_off_is_tried_less_and_less_often_and_given_up_in_its_time() {
    use bantuan70::decide::retry::settle;
    use bantuan70::model::outcome::{Fault, SendOutcome};
    let later = SendOutcome::Later { reason: "450 greylisted".to_owned(), fault: Fault::Letter };
    let minutes = |attempts: u32| {
        let tried = Tried { queued_at: start(), attempts, resends: 0, was: LetterState::Queued };
        let next = settle(&letter(LetterKind::Acknowledgement, None, "f44"), tried, &later, start()).next_at.unwrap();
        next.duration_since(start()).as_mins()
    };
    assert_eq!([0, 1, 2, 3, 4, 5, 50].map(minutes), [1, 5, 15, 60, 180, 360, 360]);
    for (kind, hours) in [(LetterKind::Acknowledgement, 48), (LetterKind::Receipt, 24), (LetterKind::Dissemination, 120)] {
        let state = |waited: i64| {
            let tried = Tried { queued_at: start(), attempts: 9, resends: 0, was: LetterState::Queued };
            let now = start().checked_add(jiff::SignedDuration::from_hours(waited)).unwrap();
            settle(&letter(kind, None, "f44"), tried, &later, now).state
        };
        assert_eq!((state(hours - 1), state(hours)), (LetterState::Queued, LetterState::Failed), "{kind:?}");
    }
}
