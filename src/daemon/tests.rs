//! The shell between its parts: what a person is told, what waits, what ends the daemon. Mail in and
//! out are Maildirs; the clock is moved by hand.

use super::alarm::Cause;
use super::*;
use crate::cli::demo::stage::{Actor, Note, Received, Setting, Stage};
use crate::config::Source;
use crate::model::letter::LetterState;
use crate::store::{FILE_NAME, MailFilter, Store, View};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

const START: &str = "2026-03-03T01:15:00Z";
const PEOPLE: &[(&str, &str, &str)] = &[("analyst", "Ani Lestari", "ani@bssn.test"), ("chief", "Rudi Hartono", "rudi@bssn.test")];

fn start() -> Timestamp {
    START.parse().unwrap()
}

pub(super) fn stage() -> (TempDir, Stage) {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = Stage::set_up(&folder.path().join("centre"), start(), &Setting { people: PEOPLE, ..Setting::default() }).unwrap();
    stage.add("siti", Actor::without_key("siti", "siti@warga.example").unwrap());
    (folder, stage)
}

fn database(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join("centre/data").join(FILE_NAME)
}

pub(super) fn report(stage: &mut Stage) {
    let note = Note { subject: "Situs diretas".to_owned(), text: "Halaman depan situs kami diganti orang.".to_owned(), ..Note::default() };
    let id = stage.next_message_id("siti");
    let raw = stage.actor("siti").unwrap().writes(&stage.daemon.config.center.address, &note, &id, stage.clock.now()).unwrap();
    stage.deliver(&raw).unwrap();
}

pub(super) fn view(stage: &Stage) -> View {
    View { time_zone: jiff::tz::TimeZone::UTC, now: stage.clock.now(), center_address: String::new() }
}

/// What the chief was told, subject and text.
fn told(mails: &[Received]) -> Vec<String> {
    mails.iter().filter(|mail| mail.to.as_str() == "rudi@bssn.test").map(|mail| format!("{}\n{}", mail.subject, mail.text)).collect()
}

#[tokio::test]
async fn f68_a_task_that_falls_ends_the_daemon_with_its_name() {
    let (_folder, stage) = stage();
    let daemon = stage.daemon.clone();
    let waits = daemon.task("sending", |daemon| async move { daemon.stopped().await });
    let falls = daemon.task("intake", |_| async { panic!("as the test asked") });
    let outcome = daemon.watch_over(vec![waits, falls]).await;
    assert!(matches!(outcome, Err(RunError::Task("intake"))), "{outcome:?}");
    assert!(daemon.is_stopping(), "the others were told to end");
}

#[tokio::test]
async fn f68_a_stop_that_was_asked_for_is_no_fall() {
    let (_folder, stage) = stage();
    let daemon = stage.daemon.clone();
    // Whoever notices first: the tasks may have ended before the watch hears of it.
    for has_ended in [true, false] {
        let tasks: Vec<Task> = (0..8).map(|_| daemon.task("some", |daemon| async move { daemon.stopped().await })).collect();
        daemon.stop();
        while has_ended && !tasks.iter().all(|task| task.handle.is_finished()) {
            tokio::task::yield_now().await;
        }
        for _ in 0..20 {
            let done = (0..3).map(|_| daemon.task("done", |_| async {})).collect();
            assert!(daemon.watch_over(done).await.is_ok());
        }
        assert!(daemon.watch_over(tasks).await.is_ok());
    }
}

#[tokio::test]
async fn an_alarm_is_told_once_again_after_a_day_and_when_it_is_over() {
    let (folder, mut stage) = stage();
    stage.daemon.alarm(Cause::Token, "token_command ended with 1").await;
    stage.daemon.alarm(Cause::Token, "token_command ended with 1").await;
    let first = told(&stage.play().await.unwrap());
    assert_eq!(first.len(), 1, "{first:?}");
    assert!(first[0].contains("Token masuk (XOAUTH2)") && first[0].contains("token_command ended with 1"), "{first:?}");
    // The daemon is started again: it knows what it has told.
    let Stage { daemon, config_file, clock, .. } = stage;
    drop(daemon);
    let config = Config::load(&config_file).unwrap();
    let store = Store::open(&database(&folder)).unwrap();
    let bench = bench(&config, Some(&store), clock.now()).unwrap();
    let daemon = Daemon::new(config, store, bench, clock.clone()).unwrap();
    let letters = |daemon: &Daemon| {
        let view = View { time_zone: jiff::tz::TimeZone::UTC, now: start(), center_address: String::new() };
        daemon.store.outbox(LetterState::ALL, &view).unwrap().len()
    };
    daemon.alarm(Cause::Token, "token_command ended with 1").await;
    assert_eq!(letters(&daemon), 1);
    clock.advance(SignedDuration::from_hours(25));
    daemon.alarm(Cause::Token, "token_command ended with 1").await;
    assert_eq!(letters(&daemon), 2);
    daemon.over(Cause::Token).await;
    daemon.over(Cause::Token).await;
    assert_eq!((letters(&daemon), daemon.store.alarms().unwrap()), (3, Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn p30_certificates_that_could_not_be_read_are_read_again() {
    let (folder, stage) = stage();
    let bank = Actor::with_key("bank", "csirt@bank.example", start()).unwrap();
    let fingerprint = bank.fingerprint.clone().unwrap();
    let beside = Store::open_read(&database(&folder)).unwrap();
    let (key, aside) = (folder.path().join("centre/center.key"), folder.path().join("aside"));
    std::fs::rename(&key, &aside).unwrap();
    beside.put_certificate(&fingerprint, &bank.certificate().unwrap(), None, start()).unwrap();
    let knows = || stage.daemon.bench().reader.keyring.get(&fingerprint).is_some();
    stage.daemon.refresh_certificates().await.unwrap();
    assert!(!knows(), "the key is away: the old certificates go on");
    std::fs::rename(&aside, &key).unwrap();
    tokio::time::advance(READ_AGAIN).await;
    stage.daemon.refresh_certificates().await.unwrap();
    assert!(knows());
}

#[tokio::test]
async fn a_letter_that_cannot_be_read_is_held_and_told() {
    let (folder, mut stage) = stage();
    report(&mut stage);
    stage.daemon.take_in().await.unwrap();
    let db = rusqlite::Connection::open(database(&folder)).unwrap();
    db.execute_batch("DROP TRIGGER outbox_letter_is_fixed; UPDATE outbox SET letter = '{}' WHERE kind = 'acknowledgement';").unwrap();
    let told = told(&stage.play().await.unwrap());
    assert!(told.iter().any(|text| text.contains("tidak dapat dibaca dan ditahan")), "{told:?}");
    let held = stage.daemon.store.outbox(&[LetterState::Held], &view(&stage)).unwrap();
    assert_eq!(held.len(), 1, "{held:?}");
}

/// `audit verify` would have said so, and nobody asks it before each letter.
#[tokio::test]
async fn a_letter_that_was_changed_in_the_database_is_held_and_told() {
    for change in [
        "json_set(letter, '$.protection', 'signed', '$.tlp', 'CLEAR')",
        "json_set(letter, '$.to', 'maling@lain.example')",
        "json_set(letter, '$.text', 'Kirim sandi Anda ke sini.')",
        "json_set(letter, '$.outer_subject', 'rahasia')",
    ] {
        let (folder, mut stage) = stage();
        report(&mut stage);
        stage.daemon.take_in().await.unwrap();
        let db = rusqlite::Connection::open(database(&folder)).unwrap();
        db.execute_batch("DROP TRIGGER outbox_letter_is_fixed;").unwrap();
        assert_eq!(db.execute(&format!("UPDATE outbox SET letter = {change} WHERE kind = 'acknowledgement'"), []).unwrap(), 1);
        let sent = stage.play().await.unwrap();
        assert!(sent.iter().all(|letter| !letter.message_id.starts_with("acknowledgement.")), "it left after {change}");
        assert!(sent.iter().any(|letter| letter.text.contains("diubah di basis data")), "{change}: {sent:?}");
        let held = stage.daemon.store.outbox(&[LetterState::Held], &view(&stage)).unwrap();
        assert_eq!(held.len(), 1, "{change}: {held:?}");
        // Nor does a person send it by trying again.
        let (store, bench) = (&stage.daemon.store, stage.daemon.bench());
        super::by_hand::retry(store, &bench, crate::store::OutboxId(held[0].id), "test", stage.clock.now()).unwrap();
        let sent = stage.play().await.unwrap();
        assert!(sent.iter().all(|letter| !letter.message_id.starts_with("acknowledgement.")), "it left after {change}, tried again");
    }
}

#[tokio::test]
async fn c4_c5_c6_while_the_clock_is_behind_the_log_commands_wait_and_reports_go_on() {
    let (_folder, mut stage) = stage();
    report(&mut stage);
    stage.play().await.unwrap();
    let number = stage.daemon.store.open_tickets().unwrap().remove(0);
    // A year back; a command of that year comes, captured then and never delivered.
    let year = SignedDuration::from_hours(24 * 365);
    stage.clock.advance(-year);
    let note = Note { subject: String::new(), text: format!("!tiket {number}\n!prioritas kritis\n"), ..Note::default() };
    let ani = Actor::with_key("ani2", "ani@bssn.test", stage.clock.now()).unwrap();
    let raw = ani.signs(&stage.daemon.config.center.address, &note, "c4@bssn.test", stage.clock.now()).unwrap();
    stage.deliver(&raw).unwrap();
    report(&mut stage);
    for _ in 0..4 {
        stage.daemon.take_in().await.unwrap();
    }
    let mail = stage.daemon.store.mail(&MailFilter::default(), &view(&stage)).unwrap();
    let waiting: Vec<_> = mail.iter().filter(|row| row.state == "stored").collect();
    assert_eq!((mail.len(), waiting.len()), (3, 1), "the report is decided, the command waits: {mail:?}");
    assert_eq!(stage.daemon.store.quarantine(&view(&stage)).unwrap().len(), 0, "waiting is no failure");
    assert_eq!(stage.daemon.store.mail_page(waiting[0].id, &view(&stage)).unwrap().unwrap().attempts, 0);
    // The clock is set right: what waited is decided, by what counts then.
    stage.clock.advance(year);
    stage.daemon.take_in().await.unwrap();
    let mail = stage.daemon.store.mail(&MailFilter::default(), &view(&stage)).unwrap();
    assert!(mail.iter().all(|row| row.state == "decided"), "{mail:?}");
}

#[tokio::test]
async fn c4_a_log_that_a_wrong_clock_wrote_is_overruled_by_a_person() {
    let (_folder, mut stage) = stage();
    stage.clock.advance(SignedDuration::from_hours(24 * 365));
    report(&mut stage);
    stage.play().await.unwrap();
    stage.clock.advance(-SignedDuration::from_hours(24 * 365));
    let behind = |stage: &Stage| pipeline::clock_behind(&stage.daemon.store, stage.clock.now()).unwrap();
    assert!(behind(&stage).is_some());
    stage.daemon.store.accept_clock("admin", stage.clock.now()).unwrap();
    assert_eq!(behind(&stage), None);
    assert_eq!(stage.daemon.store.audit_verify().unwrap().problems, [""; 0]);
}

/// The alarms that are up.
fn alarms(stage: &Stage) -> Vec<String> {
    stage.daemon.store.alarms().unwrap().into_iter().map(|alarm| alarm.cause).collect()
}

#[tokio::test]
async fn an_hour_without_a_sync_is_told_and_its_end_too() {
    let (_folder, mut stage) = stage();
    let look = async |stage: &Stage| tick::watch_standing(&stage.daemon, &clock::Watch::default()).await.unwrap();
    // A mailbox that never could be read counts from the first start.
    look(&stage).await;
    stage.clock.advance(SignedDuration::from_mins(59));
    look(&stage).await;
    assert!(alarms(&stage).is_empty());
    stage.clock.advance(SignedDuration::from_mins(2));
    look(&stage).await;
    look(&stage).await;
    assert_eq!(alarms(&stage), ["intake"]);
    let sent = told(&stage.play().await.unwrap());
    assert_eq!(sent.len(), 2, "one alarm, and one that it is over: {sent:?}");
    assert!(sent[0].contains("2026-03-03 08:15"), "{sent:?}");
    assert!(sent[1].contains("Sudah pulih: Kotak surat tidak dapat dibaca"), "{sent:?}");
    assert!(alarms(&stage).is_empty());
}

#[tokio::test]
async fn a_certificate_of_the_configuration_that_ended_is_told_to_the_chief_and_when_it_is_in_order() {
    let (_folder, mut stage) = stage();
    let look = async |stage: &Stage| tick::watch_standing(&stage.daemon, &clock::Watch::default()).await.unwrap();
    let file = stage.config_file.with_file_name("ani.asc");
    let good = std::fs::read(&file).unwrap();
    let life = SignedDuration::from_hours(3 * 365 * 24);
    let ending = Actor::with_key("Ani Lestari", "ani@bssn.test", start() - life + SignedDuration::from_mins(10)).unwrap();
    std::fs::write(&file, ending.certificate().unwrap()).unwrap();
    stage.reload().unwrap();
    look(&stage).await;
    assert!(alarms(&stage).is_empty());
    stage.clock.advance(SignedDuration::from_mins(20));
    look(&stage).await;
    look(&stage).await;
    assert_eq!(alarms(&stage), ["certificate"]);
    let sent = told(&stage.play().await.unwrap());
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert!(sent[0].contains("Ani Lestari <ani@bssn.test>: sudah berakhir pada 2026-03-03"), "{sent:?}");
    std::fs::write(&file, good).unwrap();
    stage.reload().unwrap();
    look(&stage).await;
    assert!(alarms(&stage).is_empty() && told(&stage.play().await.unwrap())[0].contains("Sudah pulih"));
}

#[tokio::test]
async fn mail_that_is_in_no_store_is_counted_named_and_told_until_it_is_taken_in() {
    let (folder, mut stage) = stage();
    report(&mut stage);
    stage.play().await.unwrap();
    let found = |stage: &Stage| stage.daemon.store.standing(crate::store::UNACCOUNTED).unwrap().unwrap();
    assert_eq!(found(&stage).value, 0);
    // Somebody puts a mail into the folder of handled ones by hand.
    let processed = folder.path().join("centre/in/.Processed/cur");
    assert_eq!(std::fs::read_dir(&processed).unwrap().count(), 1);
    let lost = processed.join("lost:2,S");
    std::fs::write(&lost, "From: a@warga.example\nMessage-ID: <hilang@warga.example>\n\nSitus diretas\n").unwrap();
    reconcile::folders(&stage.daemon, Vec::new()).await;
    assert_eq!(found(&stage).value, 1);
    assert!(found(&stage).detail.contains("Processed: lost <hilang@warga.example>"), "{}", found(&stage).detail);
    assert_eq!(alarms(&stage), ["unaccounted"]);
    // A copy of a mail that is in the store is accounted for, under whatever name.
    let first = std::fs::read_dir(&processed).unwrap().map(|entry| entry.unwrap().path()).find(|path| *path != lost).unwrap();
    std::fs::copy(&first, processed.join("copy:2,")).unwrap();
    reconcile::folders(&stage.daemon, Vec::new()).await;
    assert_eq!(found(&stage).value, 1);
    // Moved into the inbox it is taken in, and all is in order.
    std::fs::rename(&lost, folder.path().join("centre/in/new/lost")).unwrap();
    stage.daemon.take_in().await.unwrap();
    reconcile::folders(&stage.daemon, Vec::new()).await;
    assert_eq!((found(&stage).value, alarms(&stage).len()), (0, 0));
}

#[tokio::test]
async fn the_metrics_hold_figures_and_no_word_of_any_mail() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (_folder, mut stage) = stage();
    report(&mut stage);
    stage.daemon.take_in().await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = listener.local_addr().unwrap();
    drop(listener);
    let daemon = stage.daemon.clone();
    let task = tokio::spawn(async move { metrics::run(&daemon, listen).await });
    let mut stream = loop {
        match tokio::net::TcpStream::connect(listen).await {
            Ok(stream) => break stream,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).await.unwrap();
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    for line in [
        "bantuan70_inbox_waiting 0",
        "bantuan70_unaccounted 0",
        "bantuan70_sync_age_seconds 0",
        "bantuan70_outbox{state=\"queued\"} 2",
        "bantuan70_tickets{state=\"awaiting_reporter\"} 1",
        "bantuan70_alarm{cause=\"intake\"} 0",
        "bantuan70_mail_stored_total 1",
        "bantuan70_mail_decided_total 1",
    ] {
        assert!(page.lines().any(|one| one == line), "{line} is not in\n{page}");
    }
    for word in ["siti", "diretas", "BANTUAN70-", "@"] {
        assert!(!page.contains(word), "{word} is in\n{page}");
    }
    stage.daemon.stop();
    task.await.unwrap();
}

#[tokio::test]
async fn whatever_is_in_the_quarantine_is_told_to_analysts_in_one_digest() {
    let folder = tempfile::tempdir().unwrap();
    let setting = Setting { people: PEOPLE, intake: "max_message = \"1KiB\"\n", ..Setting::default() };
    let mut stage = Stage::set_up(&folder.path().join("centre"), start(), &setting).unwrap();
    for user in ["siti", "joko", "wati"] {
        stage.add(user, Actor::without_key(user, &format!("{user}@warga.example")).unwrap());
        let note = Note { subject: "Situs diretas".to_owned(), text: "Halaman depan diganti orang. ".repeat(100), ..Note::default() };
        let id = stage.next_message_id(user);
        let raw = stage.actor(user).unwrap().writes(&stage.daemon.config.center.address, &note, &id, stage.clock.now()).unwrap();
        stage.deliver(&raw).unwrap();
    }
    stage.play().await.unwrap();
    let waiting = stage.daemon.store.quarantine(&view(&stage)).unwrap();
    assert_eq!(waiting.len(), 3);
    let digests = |mails: Vec<Received>| -> Vec<Received> {
        mails.into_iter().filter(|mail| mail.to.as_str() == "ani@bssn.test" && mail.subject.contains("di karantina: 3")).collect()
    };
    stage.wait(24);
    let told = digests(stage.play().await.unwrap());
    assert_eq!(told.len(), 1);
    for row in waiting {
        assert!(told[0].text.contains(&format!("{} · ", row.id)), "{} is not in\n{}", row.id, told[0].text);
    }
    assert!(digests(stage.play().await.unwrap()).is_empty(), "once");
}

#[tokio::test]
async fn f14_a_mail_whose_bytes_are_damaged_in_the_database_is_put_aside_and_told() {
    let (folder, mut stage) = stage();
    report(&mut stage);
    report(&mut stage);
    let Source::Maildir { path } = stage.daemon.config.intake.source.clone().unwrap() else { panic!("a maildir") };
    let arrivals: Vec<crate::store::Arrival> = std::fs::read_dir(path.join("new"))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            crate::store::Arrival {
                source: stage.daemon.source(),
                uid_validity: 0,
                uid: path.file_name().unwrap().to_string_lossy().into_owned(),
                raw: std::fs::read(&path).unwrap(),
                header_only_bytes: None,
                received_at: start(),
            }
        })
        .collect();
    let ids = stage.daemon.store.insert_mail(&arrivals, start()).unwrap();
    let db = rusqlite::Connection::open(database(&folder)).unwrap();
    db.execute_batch(&format!("DROP TRIGGER raw_is_fixed; UPDATE raw SET content = x'00' WHERE inbox = {};", ids[0])).unwrap();
    for _ in 0..4 {
        stage.daemon.take_in().await.unwrap();
    }
    let quarantine = stage.daemon.store.quarantine(&view(&stage)).unwrap();
    assert_eq!((quarantine.len(), quarantine[0].id), (1, ids[0]));
    let mails = stage.play().await.unwrap();
    assert!(mails.iter().any(|mail| mail.to.as_str() == "ani@bssn.test" && mail.text.contains("damaged")), "an analyst knows");
    assert!(mails.iter().any(|mail| mail.to.as_str() == "siti@warga.example"), "the other report went on");
}

#[tokio::test]
async fn f44_a_clock_that_went_back_puts_no_letter_off_for_long() {
    let (_folder, mut stage) = stage();
    stage.clock.advance(SignedDuration::from_hours(24 * 365));
    report(&mut stage);
    stage.daemon.take_in().await.unwrap();
    stage.clock.advance(-SignedDuration::from_hours(24 * 365));
    let due = |stage: &Stage| stage.daemon.store.due_letters(stage.clock.now(), 9).unwrap().len();
    assert_eq!(due(&stage), 0);
    tick::watch_standing(&stage.daemon, &clock::Watch::default()).await.unwrap();
    assert_eq!(due(&stage), 3, "the acknowledgement, the notice, and the word about the clock");
}

#[tokio::test]
async fn f14_f68_f73_a_mail_on_which_the_process_ends_each_time_is_put_aside_unread_and_told() {
    let (_folder, mut stage) = stage();
    report(&mut stage);
    stage.daemon.take_in().await.unwrap();
    let arrival = crate::store::Arrival {
        source: stage.daemon.source(),
        uid_validity: 0,
        uid: "greedy".to_owned(),
        raw: b"From: siti@warga.example\r\nSubject: uses up the memory\r\n\r\nisi\r\n".to_vec(),
        header_only_bytes: None,
        received_at: start(),
    };
    let id = stage.daemon.store.insert_mail(&[arrival], start()).unwrap()[0];
    // A process without memory ends at once; all it leaves behind is what it was at. The first try may be made with others.
    stage.daemon.store.begin_attempt(id, start()).unwrap();
    for _ in 0..3 {
        stage.daemon.store.begin_attempt(id, start()).unwrap();
        std::mem::forget(stage.daemon.store.at_work(id));
    }
    stage.clock.advance(SignedDuration::from_mins(1));
    report(&mut stage);
    let mails = stage.play().await.unwrap();
    let quarantine = stage.daemon.store.quarantine(&view(&stage)).unwrap();
    assert_eq!((quarantine.len(), quarantine[0].id), (1, id));
    let page = stage.daemon.store.mail_page(id, &view(&stage)).unwrap().unwrap();
    assert!(page.mail.ticket.is_some() && page.text.is_empty() && page.mail.subject.is_empty(), "it was not read: {page:?}");
    assert!(mails.iter().any(|mail| mail.to.as_str() == "ani@bssn.test" && mail.text.contains("ended 3 times")), "an analyst knows");
    assert_eq!(mails.iter().filter(|mail| mail.to.as_str() == "siti@warga.example").count(), 2, "the other reports went on");
}

#[tokio::test]
async fn f69_nothing_is_erased_in_the_first_hour_nor_after_a_jump_of_the_clock() {
    let folder = tempfile::tempdir().unwrap();
    let setting = Setting { people: PEOPLE, more: "[retention]\nmessages = \"30d\"\n", ..Setting::default() };
    let mut stage = Stage::set_up(&folder.path().join("centre"), start(), &setting).unwrap();
    stage.deliver(b"From: milis@warga.example\r\nList-Id: <a.example>\r\nSubject: kabar\r\n\r\nisi\r\n").unwrap();
    stage.play().await.unwrap();
    let due = |stage: &Stage| {
        let terms = retention::terms(&stage.daemon.config);
        stage.daemon.store.retention_due(terms, &view(stage)).unwrap().len()
    };
    assert_eq!(due(&stage), 0);
    stage.clock.advance(SignedDuration::from_hours(24 * 31));
    assert_eq!(due(&stage), 1);
    let hour = Duration::from_secs(3_600);
    let at = |wall: Timestamp, boot| clock::Moment { wall, boot, running: boot };
    let mut watch = clock::Watch::default();
    watch.look(at(start(), hour));
    tick::do_what_time_asks(&stage.daemon, &watch, hour - Duration::from_secs(1)).await;
    assert_eq!(due(&stage), 1, "the first hour");
    // A month in a minute: neither erasing nor anything else that time alone causes.
    watch.look(at(start() + SignedDuration::from_hours(24 * 31), hour + Duration::from_secs(60)));
    let before = stage.daemon.store.outbox(LetterState::ALL, &view(&stage)).unwrap().len();
    tick::do_what_time_asks(&stage.daemon, &watch, hour * 5).await;
    assert_eq!((due(&stage), stage.daemon.store.outbox(LetterState::ALL, &view(&stage)).unwrap().len()), (1, before), "a jump");
    // The clock went on for an hour as clocks do: it is believed.
    watch.look(at(start() + SignedDuration::from_hours(24 * 31 + 1), hour * 2 + Duration::from_secs(60)));
    tick::do_what_time_asks(&stage.daemon, &watch, hour * 6).await;
    assert_eq!(due(&stage), 0);
}

/// A centre whose folder of rules begins with these.
fn stage_with_rules(rules: &str) -> (TempDir, Stage, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("rules");
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(dir.join("own.toml"), rules).unwrap();
    let center = format!("rules_dir = {dir:?}\n");
    let setting = Setting { people: PEOPLE, center: &center, ..Setting::default() };
    let mut stage = Stage::set_up(&folder.path().join("centre"), start(), &setting).unwrap();
    stage.add("siti", Actor::without_key("siti", "siti@warga.example").unwrap());
    (folder, stage, dir.join("own.toml"))
}

fn rule(word: &str, example: &str) -> String {
    format!(
        "[[rule]]\nid = \"own\"\ncategory = \"web_defacement\"\nweight = 4.0\nreason_id = \"a\"\nreason_en = \"a\"\n\
         when = {{ any = [\"{word}\"] }}\nexamples = [\"{example}\"]\n"
    )
}

#[tokio::test]
async fn f72_a_changed_rule_file_is_taken_without_a_signal_and_a_failing_set_is_told_once() {
    let (_folder, mut stage, file) = stage_with_rules(&rule("gerhana", "ada gerhana"));
    let daemon = stage.daemon.clone();
    let version = || daemon.bench().reader.rules.version().to_owned();
    let first = version();
    let mut rules = rules_folder::RulesFolder::new(daemon.config.center.rules_dir.clone().unwrap());
    let look = async |mut rules, times: usize| {
        for _ in 0..times {
            rules = daemon.look_at_rules(rules).await;
        }
        rules
    };
    rules = look(rules, 3).await;
    assert_eq!(version(), first, "what is in force already");
    report(&mut stage);
    stage.play().await.unwrap();
    // A set that does as it says.
    std::fs::write(&file, rule("diretas", "situs kami diretas")).unwrap();
    rules = look(rules, 1).await;
    assert_eq!(version(), first, "it is not taken while it may still be written");
    rules = look(rules, 1).await;
    let second = version();
    assert_ne!(second, first);
    stage.clock.advance(SignedDuration::from_mins(1));
    report(&mut stage);
    stage.play().await.unwrap();
    let mut mail = stage.daemon.store.mail(&MailFilter::default(), &view(&stage)).unwrap();
    mail.sort_by_key(|row| row.id);
    let used: Vec<String> =
        mail.iter().map(|row| stage.daemon.store.mail_page(row.id, &view(&stage)).unwrap().unwrap().rules_version).collect();
    assert_eq!(used, [first, second.clone()], "each decision bears the version that it was made by");
    // One whose example does not come out as it says: refused, told once, whatever passes.
    std::fs::write(&file, rule("diretas", "hari ini cerah")).unwrap();
    rules = look(rules, 5).await;
    assert_eq!(version(), second);
    let refused = daemon.counters.rules_refused.load(std::sync::atomic::Ordering::Relaxed);
    let mails = told(&stage.play().await.unwrap());
    assert_eq!((refused, mails.len()), (1, 1), "{mails:?}");
    assert!(mails[0].contains("Aturan klasifikasi yang baru tidak dapat dipakai") && mails[0].contains("own.toml:"), "{mails:?}");
    // Mended: in force, and the chief hears that it is over.
    std::fs::write(&file, rule("diretas", "situs desa diretas")).unwrap();
    look(rules, 2).await;
    assert_ne!(version(), second);
    let mails = told(&stage.play().await.unwrap());
    assert!(mails.len() == 1 && mails[0].contains("Sudah pulih"), "{mails:?}");
}

/// The mailbox holds a report, and the disk has no room for it; an earlier run had stored another one.
fn stage_without_room() -> (TempDir, Stage) {
    let (folder, mut stage) = stage();
    let arrival = crate::store::Arrival {
        source: stage.daemon.source(),
        uid_validity: 0,
        uid: "earlier".to_owned(),
        raw: b"From: siti@warga.example\r\nSubject: Situs diretas\r\n\r\nHalaman depan situs diganti.\r\n".to_vec(),
        header_only_bytes: None,
        received_at: start(),
    };
    stage.daemon.store.insert_mail(&[arrival], start()).unwrap();
    stage.clock.advance(SignedDuration::from_mins(1));
    report(&mut stage);
    stage.daemon.free_bytes_min.store(u64::MAX, Ordering::Relaxed);
    (folder, stage)
}

/// How many letters of each kind left: the alarm and its end, and acknowledgements.
fn left(stage: &Stage) -> (usize, usize) {
    let sent = stage.daemon.store.outbox(&[LetterState::Sent], &view(stage)).unwrap();
    let of = |to: &str| sent.iter().filter(|row| row.to == to).count();
    (of("rudi@bssn.test"), of("siti@warga.example"))
}

#[tokio::test]
async fn f60_once_ends_on_a_full_disk_tells_the_chief_and_leaves_mail_in_the_mailbox() {
    let (folder, stage) = stage_without_room();
    let waiting = || std::fs::read_dir(folder.path().join("centre/in/new")).unwrap().count();
    for _ in 0..2 {
        let outcome = stage.daemon.once().await;
        assert!(matches!(outcome, Err(RunError::Intake(IntakeError::Disk(_)))), "{outcome:?}");
        assert_eq!((left(&stage), waiting(), alarms(&stage)), ((1, 1), 1, vec!["disk".to_owned()]), "what was stored is answered");
    }
    stage.daemon.free_bytes_min.store(0, Ordering::Relaxed);
    stage.daemon.once().await.unwrap();
    assert_eq!((left(&stage), waiting(), alarms(&stage).len()), ((2, 2), 0, 0));
}

#[tokio::test(start_paused = true)]
async fn f60_a_daemon_on_a_full_disk_goes_on_sending_and_takes_mail_in_once_there_is_room() {
    let (_folder, stage) = stage_without_room();
    let daemon = stage.daemon.clone();
    let tasks = [
        daemon.task("intake", |daemon| async move { intake::run(&daemon).await }),
        daemon.task("sending", |daemon| async move { send::Sender::new().run(&daemon).await }),
    ];
    let until = async |expected: (usize, usize)| {
        while left(&stage) != expected {
            tokio::time::advance(Duration::from_secs(1)).await;
            tokio::task::yield_now().await;
        }
    };
    until((1, 1)).await;
    assert_eq!(alarms(&stage), ["disk"]);
    stage.daemon.free_bytes_min.store(0, Ordering::Relaxed);
    until((2, 2)).await;
    assert_eq!(alarms(&stage).len(), 0);
    daemon.stop();
    for task in tasks {
        task.handle.await.unwrap();
    }
}
