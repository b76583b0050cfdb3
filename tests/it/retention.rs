//! What may not be kept any longer is gone from the disk, and what must stay still proves itself.

use crate::store::{arrival, claim, event, filing, letter, open_store, opens, place, retry, settled, start, view};
use bantuan70::model::effect::{Decision, Effect, Indicators, Kept, MailKind};
use bantuan70::model::letter::{Enclosure, LetterKind, LetterState};
use bantuan70::model::snapshot::Question;
use bantuan70::model::ticket::{State, TicketEvent, TicketNumber};
use bantuan70::model::{Document, InboxId, Sha256};
use bantuan70::store::{Erasure, OutboxId, RetentionTerms, Store};
use jiff::{SignedDuration, Timestamp};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const CARD: &[u8] = b"KTP-3171-kenari-kartu";
const LOG: &[u8] = b"catatan-server-kenari";
const WORDS: &str = "kata-kata-kenari-pelapor";

const TERMS: RetentionTerms = RetentionTerms { identity_documents: Some(days_long(90)), messages: Some(days_long(5 * 365)) };

const fn days_long(days: u64) -> Duration {
    Duration::from_secs(days * 86_400)
}

fn after(days: i64) -> Timestamp {
    start() + SignedDuration::from_hours(24 * days)
}

fn file(name: &str, content: &[u8]) -> Enclosure {
    Enclosure { name: name.into(), media_type: "image/png".into(), sha256: Sha256::of(content), content: Arc::from(content) }
}

fn act(store: &Store, effects: Vec<Effect>, at: Timestamp) {
    store.act("a test", &Question::default(), &place(), at, |_| Decision { effects, because: Vec::new() }).unwrap();
}

/// A report with an identity card and a log, acknowledged, and a sent notice that carried the card.
fn report(store: &Store, uid: u32) -> (InboxId, TicketNumber) {
    let raw = format!("Subject: {uid}\r\n\r\n{WORDS} {} {}", String::from_utf8_lossy(CARD), String::from_utf8_lossy(LOG));
    let id = store.insert_mail(&[arrival(uid, &raw)], start()).unwrap()[0];
    let mut number = None;
    store
        .decide(id, &Question::default(), &place(), start(), |world| {
            let mut decision = opens(world, start());
            let ticket = world.next_ticket.clone();
            let mut filed = filing(MailKind::Report, Some(&ticket));
            filed.text = WORDS.into();
            decision.effects[0] = Effect::File(filed);
            let kept = [(CARD, "KTP.png", Document::Identity), (LOG, "log.txt", Document::Other)];
            decision.effects.push(Effect::Keep {
                ticket: ticket.clone(),
                attachments: kept.map(|(bytes, name, document)| Kept { enclosure: file(name, bytes), document: Some(document) }).into(),
                indicators: Indicators::default(),
            });
            let mut notice = letter(LetterKind::Notice, Some(&ticket), &format!("notice.{ticket}@bssn.test"));
            notice.text = WORDS.into();
            notice.enclosures = vec![file("KTP.png", CARD)];
            decision.effects.push(Effect::Queue(Box::new(notice)));
            number = Some(ticket);
            decision
        })
        .unwrap();
    for letter in store.due_letters(start(), 10).unwrap() {
        let enclosed = store.letter(letter).unwrap().letter.enclosures.iter().flat_map(|file| file.content.to_vec()).collect();
        store.store_sealed(letter, &[b"sealed ".to_vec(), enclosed].concat(), start()).unwrap();
        assert!(claim(store, letter, start()));
        let sent = settled(LetterState::Sent);
        store
            .settle(letter, &sent, &place(), &Question::default(), start(), |_| Decision { effects: Vec::new(), because: Vec::new() })
            .unwrap();
    }
    (id, number.unwrap())
}

fn close(store: &Store, number: &TicketNumber, at: Timestamp) {
    act(store, vec![event(number, TicketEvent::StateChanged { to: State::Closed })], at);
}

fn erase(store: &Store, at: Timestamp) -> Vec<Erasure> {
    std::iter::from_fn(|| store.erase_next(TERMS, "a test", &view(at)).unwrap()).map(|erased| erased.erases).collect()
}

/// Whether these bytes stand anywhere in the database or its companions.
fn is_on_disk(folder: &Path, needle: &[u8]) -> bool {
    std::fs::read_dir(folder.join("data"))
        .unwrap()
        .any(|entry| std::fs::read(entry.unwrap().path()).unwrap().windows(needle.len()).any(|window| window == needle))
}

#[test]
fn identity_documents_go_after_their_term_and_messages_after_theirs() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (id, number) = report(&store, 1);
    assert_eq!(erase(&store, after(9_999)), [], "an open ticket keeps everything");
    close(&store, &number, after(10));
    assert_eq!(erase(&store, after(99)), []);
    let due = store.retention_due(TERMS, &view(after(100))).unwrap();
    assert_eq!(
        (due.len(), due[0].erases, due[0].files, due[0].ticket.as_deref()),
        (1, Erasure::IdentityDocuments, 1, Some(number.0.as_str()))
    );

    assert_eq!(erase(&store, after(100)), [Erasure::IdentityDocuments]);
    assert!(!is_on_disk(folder.path(), CARD), "not in a table, a sealed letter, a free page or the log");
    let names: Vec<String> =
        store.ticket(&number, &view(after(100))).unwrap().unwrap().attachments.into_iter().map(|file| file.name).collect();
    assert_eq!(names, ["", "log.txt"], "its name is a person's too");
    assert!(is_on_disk(folder.path(), LOG) && is_on_disk(folder.path(), WORDS.as_bytes()), "the rest stays for its own term");
    assert_eq!(store.blob(&Sha256::of(CARD)).unwrap(), None);
    assert_eq!(store.audit_verify().unwrap().problems, [""; 0]);
    let raw = String::from_utf8(store.raw(id).unwrap().unwrap()).unwrap();
    assert!(raw.starts_with("X-Bantuan70-Erased: ") && raw.contains("identity_documents"), "{raw}");

    assert_eq!(erase(&store, after(10 + 5 * 365)), [Erasure::Messages]);
    assert!(!is_on_disk(folder.path(), b"KTP.png") && !is_on_disk(folder.path(), LOG) && !is_on_disk(folder.path(), WORDS.as_bytes()));
    assert_eq!(store.search("kenari", &view(after(9_999))).unwrap().len(), 0);
    assert_eq!(store.audit_verify().unwrap().problems, [""; 0]);
    let page = store.ticket(&number, &view(after(9_999))).unwrap().unwrap();
    assert_eq!((page.timeline.len(), page.attachments.len(), page.messages.len()), (2, 2, 3), "the history stays");
    assert!(page.attachments.iter().all(|file| file.erased_at.is_some()));
}

#[test]
fn a_file_that_another_ticket_needs_stays_until_that_one_is_due() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (_, first) = report(&store, 1);
    let (_, second) = report(&store, 2);
    close(&store, &first, after(0));
    assert_eq!(erase(&store, after(90)), [Erasure::IdentityDocuments]);
    assert_eq!(store.blob(&Sha256::of(CARD)).unwrap().as_deref(), Some(CARD));
    close(&store, &second, after(91));
    assert_eq!(erase(&store, after(181)), [Erasure::IdentityDocuments]);
    assert_eq!(store.blob(&Sha256::of(CARD)).unwrap(), None);
    // The same file comes again: it is there again.
    let (_, third) = report(&store, 3);
    assert_eq!(store.blob(&Sha256::of(CARD)).unwrap().as_deref(), Some(CARD));
    assert_eq!(store.ticket(&third, &view(after(182))).unwrap().unwrap().attachments.len(), 2);
}

#[test]
fn f65_an_erasure_that_is_killed_leaves_the_ticket_whole() {
    let folder = tempfile::tempdir().unwrap();
    let dies = Arc::new(AtomicBool::new(false));
    let hook = Arc::clone(&dies);
    let store = open_store(folder.path()).with_commit_hook(Box::new(move |_| !hook.load(Ordering::Relaxed)));
    let (id, number) = report(&store, 1);
    close(&store, &number, after(0));
    dies.store(true, Ordering::Relaxed);
    assert!(store.erase_next(TERMS, "a test", &view(after(90))).is_err());
    dies.store(false, Ordering::Relaxed);
    assert_eq!(store.blob(&Sha256::of(CARD)).unwrap().as_deref(), Some(CARD));
    assert!(!store.raw(id).unwrap().unwrap().starts_with(b"X-Bantuan70-Erased"));
    assert_eq!(erase(&store, after(90)), [Erasure::IdentityDocuments]);
}

#[test]
fn raw_mail_may_become_the_mark_of_its_erasure_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    report(&store, 1);
    let shell = rusqlite::Connection::open(store.path()).unwrap();
    for sql in [
        "UPDATE raw SET content = x'00'",
        "DELETE FROM raw",
        "UPDATE outbox SET letter = json_set(letter, '$.text', 'other words')",
        "UPDATE outbox SET to_address = 'a@b.test', letter = json_set(letter, '$.text', '')",
    ] {
        let error = shell.execute(sql, []).unwrap_err().to_string();
        assert!(error.contains("append-only") || error.contains("never changes"), "{sql}: {error}");
    }
    // And whoever writes such a mark by hand is found by the chain.
    shell.execute("UPDATE raw SET content = CAST('X-Bantuan70-Erased: by me' AS BLOB)", []).unwrap();
    assert!(store.audit_verify().unwrap().problems.iter().any(|problem| problem.contains("the bytes of mail 1 were changed")));
}

#[test]
fn a_reporters_key_goes_with_the_messages_and_a_replay_is_known_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (_, number) = report(&store, 1);
    let (hash, key) = (Sha256::of(b"decrypted"), bantuan70::model::Fingerprint("0123456789ABCDEF".to_owned()));
    let address = bantuan70::model::Address::parse("kunci@warga.example").unwrap();
    let candidate = Effect::KeepCandidate {
        ticket: number.clone(),
        address,
        fingerprint: key.clone(),
        certificate: b"certificate of a person".to_vec(),
    };
    act(&store, vec![candidate, Effect::RememberPlaintext { sha256: hash.clone(), from: None }], after(1));
    assert!(store.candidate(&number).unwrap().unwrap().0.fingerprint == key);
    close(&store, &number, after(10));
    erase(&store, after(10 + 5 * 365));
    assert!(store.candidate(&number).unwrap().is_none());
    assert!(!is_on_disk(folder.path(), b"kunci@warga.example") && !is_on_disk(folder.path(), b"certificate of a person"));
    let question = Question { plaintexts: vec![hash.clone()], ..Question::default() };
    let mut seen = false;
    store
        .act("a test", &question, &place(), after(9_000), |world| {
            seen = world.seen_plaintexts.contains_key(&hash);
            Decision { effects: Vec::new(), because: Vec::new() }
        })
        .unwrap();
    assert!(seen);
}

#[test]
fn what_nobody_let_go_until_the_term_ended_is_erased_and_never_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (_, number) = report(&store, 1);
    let [held, uncertain, waits] = ["ditahan", "tak-pasti", "menunggu"].map(|words| {
        let mut one = letter(LetterKind::Notice, Some(&number), &format!("{words}@bssn.test"));
        one.text = format!("canary-{words}");
        if words == "ditahan" {
            one.enclosures = vec![file("KTP.png", CARD)];
            one.held_because = Some("no certificate".to_owned());
        }
        act(&store, vec![Effect::Queue(Box::new(one))], after(1));
        OutboxId(store.outbox(LetterState::ALL, &view(after(1))).unwrap().iter().map(|row| row.id).max().unwrap())
    });
    let shell = rusqlite::Connection::open(store.path()).unwrap();
    shell.execute("UPDATE outbox SET state = 'uncertain', next_at = NULL WHERE id = ?1", [uncertain.0]).unwrap();
    drop(shell);
    close(&store, &number, after(10));
    assert_eq!(erase(&store, after(100)), [Erasure::IdentityDocuments]);
    assert!(!is_on_disk(folder.path(), CARD), "a letter that is held keeps no identity card");
    let state = |id| store.letter(id).unwrap().state;
    assert_eq!([held, uncertain, waits].map(state), [LetterState::Cancelled, LetterState::Uncertain, LetterState::Queued]);
    assert!(is_on_disk(folder.path(), b"canary-ditahan"));

    assert_eq!(erase(&store, after(10 + 5 * 365)), [Erasure::Messages]);
    assert!(!is_on_disk(folder.path(), b"canary-ditahan") && !is_on_disk(folder.path(), b"canary-tak-pasti"));
    assert!(is_on_disk(folder.path(), b"canary-menunggu"), "what waits to leave leaves whole");
    assert_eq!([held, uncertain, waits].map(state), [LetterState::Cancelled, LetterState::Cancelled, LetterState::Queued]);
    assert!(retry(&store, held, after(9_000)).is_err() && retry(&store, uncertain, after(9_000)).is_err());
    assert_eq!(store.audit_verify().unwrap().problems, [""; 0]);
}
