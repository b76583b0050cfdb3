//! A text to a reporter that was queued to be read by all, and whose ticket is marked AMBER or above before it
//! leaves: the mark of the moment of sending counts, as the directory of that moment does for disseminations.

use super::{Hall, read_by, to};
use bantuan70::cli::demo::stage::{Actor, Received};
use bantuan70::mail::write::Center;
use bantuan70::model::clock::ClockName;
use bantuan70::model::contact::ContactKind;
use bantuan70::model::ledger::Period;
use bantuan70::model::letter::{LetterKind, LetterState};
use bantuan70::model::ticket::State;
use bantuan70::openpgp::seal;
use bantuan70::store::{OutboxId, OutboxRow, TicketFilter};

const JOKO: &str = "joko@kantor.example";
const CANARY: &str = "canary-teks";

/// Joko, who has no key, reported; his ticket has the number 1, and he was acknowledged.
async fn reported() -> Hall {
    let mut hall = Hall::new("");
    hall.stage.add("joko", Actor::without_key("Joko", JOKO).unwrap());
    hall.report("Halaman depan situs kantor kami diganti orang.", None);
    hall.play().await;
    hall
}

/// Decided on, and not sent yet.
async fn decided(hall: &mut Hall, ticket: u32, command: &str) {
    hall.command("ani", &format!("!tiket BANTUAN70-{}-{ticket:06}\n{command}", hall.year));
    hall.decide().await;
}

/// The letters to joko that are no acknowledgement.
fn answers(hall: &Hall) -> Vec<OutboxRow> {
    hall.outbox().into_iter().filter(|row| row.to == JOKO && !row.message_id.starts_with("acknowledgement.")).collect()
}

/// Nothing left for joko that holds the text; it is held, and ani was told why and what to do.
fn is_held(hall: &Hall, sent: &[Received], why: &str) -> OutboxId {
    assert!(to(sent, JOKO).iter().all(|mail| !String::from_utf8_lossy(&mail.raw).contains("canary")), "it left: {why}");
    let row = answers(hall).pop().unwrap();
    assert_eq!(row.state, LetterState::Held, "{why}");
    assert!(row.last_error.as_deref().unwrap_or_default().contains(why), "{row:?}");
    let told = read_by(sent, "ani@bssn.test");
    let id = OutboxId(row.id);
    // After !analisis the ticket waits for it again; of any other text !balas is never refused.
    let command = if row.kind == LetterKind::Analysis { "!analisis" } else { "!balas" };
    let lines = [why.to_owned(), format!("{command}\n!terbuka"), format!("outbox cancel {id}"), format!("outbox retry {id}")];
    for line in lines {
        assert!(told.contains(&line), "{line}: nobody was told:\n{told}");
    }
    // What stands in the subject is what happened, and not all that can be done about it.
    assert!(to(sent, "ani@bssn.test").iter().any(|mail| mail.subject.ends_with(&format!("kepada {JOKO} ditahan"))), "{told}");
    id
}

/// Each kind of text that an analyst writes, under each mark that must be encrypted.
#[tokio::test]
async fn p30_a_text_that_waits_is_held_once_its_ticket_is_marked_amber_or_above() {
    for (speech, mark) in [("!balas", "AMBER"), ("!analisis", "RED"), ("!tolak", "AMBER+STRICT"), ("!lengkapi topologi", "AMBER")] {
        let mut hall = reported().await;
        decided(&mut hall, 1, &format!("{speech}\n{CANARY}")).await;
        assert_eq!(answers(&hall)[0].state, LetterState::Queued);
        decided(&mut hall, 1, &format!("!tlp {mark}")).await;
        let sent = hall.play().await;
        let id = is_held(&hall, &sent, &format!("sejak itu bertanda TLP:{mark}"));
        let page = hall.stage.daemon.store.letter(id).unwrap();
        assert!(page.sealed.is_none(), "it was not even made: {speech}");
        // Somebody who only tries again changes nothing, and is told again.
        hall.stage.wait(1);
        hall.retry(id).unwrap();
        let sent = hall.play().await;
        is_held(&hall, &sent, "sejak itu bertanda");
        assert_eq!(hall.stage.daemon.store.audit_verify().unwrap().problems, [""; 0]);
    }
}

/// Contract 5 and 8: the analysis is given when it is sent. One that is held stops no clock, the ticket is being analysed
/// as before, and the analyst is told until when and what to do; once it leaves, it counts from then.
#[tokio::test]
async fn an_analysis_that_is_held_meets_no_clock_until_it_leaves() {
    let state = |hall: &Hall| {
        let all = hall.stage.daemon.store.ticket_states(&TicketFilter::default()).unwrap();
        let ticket = all.into_iter().next().unwrap();
        (ticket.state, ticket.clock(ClockName::Analysis))
    };
    let kept = |hall: &Hall| {
        let day = hall.now().to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
        let period = Period::new(day.yesterday().unwrap(), day.tomorrow().unwrap()).unwrap();
        let ledger = hall.stage.daemon.store.ledger(period, &jiff::tz::TimeZone::UTC).unwrap();
        let figures = bantuan70::figures::reckon(&ledger, period, &hall.stage.daemon.bench().policy, hall.now());
        let analysis = figures.sla.into_iter().find(|kept| kept.clock == ClockName::Analysis).unwrap();
        (analysis.kept, analysis.running)
    };
    let mut hall = reported().await;
    decided(&mut hall, 1, "!valid").await;
    hall.stage.wait(1);
    let (_, running) = state(&hall);
    decided(&mut hall, 1, &format!("!analisis\n{CANARY}")).await;
    assert_eq!(state(&hall).0, State::Handling);
    hall.stage.wait(1);
    decided(&mut hall, 1, "!tlp RED").await;
    let sent = hall.play().await;
    let id = is_held(&hall, &sent, "sejak itu bertanda TLP:RED");
    assert_eq!(state(&hall), (State::Analysing, running.clone()), "as if nothing had been said");
    assert_eq!(kept(&hall), (0, 1));
    let told = read_by(&sent, "ani@bssn.test");
    let due = running.due_at.unwrap().to_zoned_datetime(hall.stage.daemon.config.center.time_zone.clone());
    let due = format!("tenggat analisis awal berjalan lagi ({}", due.strftime("%Y-%m-%d %H:%M"));
    assert!(told.contains(&due) && told.contains("outbox cancel") && told.contains("\n!analisis\n"), "{told}");

    // It was not RED after all; a person lets the letter go.
    decided(&mut hall, 1, "!tlp GREEN").await;
    hall.play().await;
    hall.retry(id).unwrap();
    let sent = hall.play().await;
    assert!(to(&sent, JOKO).iter().any(|mail| mail.text.contains(CANARY)));
    let (now, clock) = state(&hall);
    assert_eq!((now, clock.met_at.is_some_and(|met| met > running.started_at.unwrap())), (State::Handling, true), "{clock:?}");
    assert_eq!(kept(&hall), (1, 0));
    assert_eq!(hall.stage.daemon.store.audit_verify().unwrap().problems, [""; 0]);
}

/// One mail that says something to the reporter and raises the mark by what it says below is wrong as a whole.
#[tokio::test]
async fn p30_a_mail_that_merges_into_a_marked_ticket_says_nothing_that_all_can_read() {
    let mut hall = reported().await;
    hall.report("Laporan lain: basis data pelanggan kami bocor.", None);
    hall.play().await;
    decided(&mut hall, 2, "!tlp AMBER").await;
    hall.play().await;
    let merge = format!("!analisis\n!gabung BANTUAN70-{}-000002\n{CANARY}", hall.year);
    decided(&mut hall, 1, &merge).await;
    let sent = hall.play().await;
    assert!(to(&sent, JOKO).is_empty() && answers(&hall).is_empty(), "{sent:?}");
    let read = read_by(&sent, "ani@bssn.test");
    assert!(read.contains("bertanda TLP:AMBER") && read.contains("Tidak satu pun perintah"), "{read}");
}

/// Bytes that were made when they were free to leave, and wait for another try.
#[tokio::test]
async fn p30_a_sealed_letter_that_waits_for_another_try_is_held_too_until_the_mark_is_lowered() {
    let mut hall = reported().await;
    decided(&mut hall, 1, &format!("!balas\n{CANARY}")).await;
    let id = OutboxId(answers(&hall)[0].id);
    let (daemon, bench) = (hall.stage.daemon.clone(), hall.stage.daemon.bench());
    let center = Center { name: bench.policy.center_name.clone(), address: bench.policy.center_address.clone() };
    let sealed = seal(&daemon.store.letter(id).unwrap().letter, &center, &bench.reader.keyring, hall.now()).unwrap();
    daemon.store.store_sealed(id, sealed.bytes(), hall.now()).unwrap();
    decided(&mut hall, 1, "!tlp AMBER").await;
    let sent = hall.play().await;
    is_held(&hall, &sent, "sejak itu bertanda TLP:AMBER");
    // A person says that it was not AMBER after all.
    decided(&mut hall, 1, "!tlp GREEN").await;
    hall.play().await;
    hall.retry(id).unwrap();
    let sent = hall.play().await;
    let (mails, row) = (to(&sent, JOKO), answers(&hall).pop().unwrap());
    assert_eq!((mails.len(), row.state, &*mails[0].raw), (1, LetterState::Sent, sealed.bytes()), "those bytes, once");
    assert!(mails[0].protection == "signed" && mails[0].text.contains(CANARY));
}

/// What carries nothing of the report, and what a person declared free to read, leaves as it was queued; the
/// way out of a hold is to write the text again with that declaration, or under a lower mark.
#[tokio::test]
async fn fixed_letters_and_texts_declared_free_leave_whatever_the_mark_has_become() {
    let mut hall = reported().await;
    for (command, shown) in [("!lengkapi topologi", "Topologi jaringan"), (&*format!("!balas\n!terbuka\n{CANARY}"), CANARY)] {
        decided(&mut hall, 1, "!tlp CLEAR").await;
        hall.play().await;
        decided(&mut hall, 1, command).await;
        decided(&mut hall, 1, "!tlp RED").await;
        let sent = hall.play().await;
        let mails = to(&sent, JOKO);
        assert_eq!(mails.len(), 1, "{command}");
        assert!(mails[0].protection == "signed" && mails[0].text.contains(shown), "{command}: {}", mails[0].text);
    }
    // A report that comes while its sender's ticket is RED is acknowledged, and a reminder goes out.
    hall.report("Laporan lain: basis data pelanggan kami bocor.", None);
    assert_eq!(to(&hall.play().await, JOKO).len(), 1);
    decided(&mut hall, 2, "!tlp RED").await;
    hall.stage.wait(73);
    let sent = hall.play().await;
    assert!(to(&sent, JOKO).iter().any(|mail| mail.message_id.starts_with("reminder.")), "{sent:?}");
    decided(&mut hall, 1, "!tlp CLEAR\n!balas\ncanary dua").await;
    decided(&mut hall, 1, "!tlp AMBER").await;
    let sent = hall.play().await;
    let id = is_held(&hall, &sent, "sejak itu bertanda TLP:AMBER");
    decided(&mut hall, 1, "!tlp GREEN").await;
    hall.retry(id).unwrap();
    let sent = hall.play().await;
    assert!(to(&sent, JOKO).iter().any(|mail| mail.text.contains("canary dua") && mail.protection == "signed"));
}

/// The mark need not be a command's: what the ticket received since counts, and the ticket that took it up. What is
/// disseminated later under a mark of its own does not mark what was written before.
#[tokio::test]
async fn p30_the_marks_of_what_was_received_and_of_a_merge_count_as_well() {
    let mut hall = reported().await;
    hall.keyed_contact("rina@bank.example", ContactKind::Person);
    decided(&mut hall, 1, &format!("!balas\n{CANARY}")).await;
    decided(&mut hall, 1, "!tlp AMBER\n!diseminasi rina@bank.example\nTutup port 8443.").await;
    let sent = hall.play().await;
    assert_eq!(to(&sent, "rina@bank.example").len(), 1);
    assert!(to(&sent, JOKO).iter().any(|mail| mail.text.contains(CANARY)));

    let mut hall = reported().await;
    decided(&mut hall, 1, &format!("!balas\n{CANARY}")).await;
    let acknowledgement = hall.outbox().into_iter().find(|row| row.to == JOKO).unwrap().message_id;
    hall.report("TLP:RED\n\nIni catatan servernya.", Some(acknowledgement));
    hall.decide().await;
    let sent = hall.play().await;
    is_held(&hall, &sent, "sejak itu bertanda TLP:RED");

    let mut hall = reported().await;
    hall.report("Laporan lain: basis data pelanggan kami bocor.", None);
    hall.play().await;
    decided(&mut hall, 2, "!tlp AMBER").await;
    hall.play().await;
    decided(&mut hall, 1, &format!("!balas\n{CANARY}")).await;
    let heir = format!("!gabung BANTUAN70-{}-000002", hall.year);
    decided(&mut hall, 1, &heir).await;
    let sent = hall.play().await;
    // It is the other ticket that is marked, and has to be lowered where that was wrong.
    is_held(&hall, &sent, &format!("tiket BANTUAN70-{}-000002 sejak itu bertanda TLP:AMBER", hall.year));
}

/// A text that is held when its ticket ends is cancelled, and whoever closes hears it; the closing letter goes out.
#[tokio::test]
async fn a_text_that_is_held_when_its_ticket_ends_is_cancelled() {
    for ending in ["!tutup\nSelesai.", "!tolak\n!terbuka\nBukan insiden siber."] {
        let mut hall = reported().await;
        decided(&mut hall, 1, &format!("!balas\n{CANARY}")).await;
        decided(&mut hall, 1, "!tlp AMBER").await;
        let sent = hall.play().await;
        let id = is_held(&hall, &sent, "sejak itu bertanda");
        decided(&mut hall, 1, ending).await;
        let sent = hall.play().await;
        let receipt = read_by(&sent, "ani@bssn.test");
        assert!(receipt.contains(&format!("tidak akan dikirim: balasan kepada {JOKO}")), "{ending}: {receipt}");
        let mails = to(&sent, JOKO);
        assert_eq!(mails.len(), 1, "{ending}: the letter that ends it leaves");
        assert!(!mails[0].text.contains("canary"));
        let store = &hall.stage.daemon.store;
        assert_eq!(store.letter(id).unwrap().state, LetterState::Cancelled);
        assert!(hall.retry(id).is_err());
        assert_eq!(store.audit_verify().unwrap().problems, [""; 0]);
    }
}

/// A text that is held on a ticket that was merged goes with the one that took it up: cancelled when that is closed.
#[tokio::test]
async fn a_text_that_is_held_on_a_merged_ticket_is_cancelled_when_its_heir_is_closed() {
    let mut hall = reported().await;
    hall.report("Laporan lain: basis data pelanggan kami bocor.", None);
    hall.play().await;
    decided(&mut hall, 1, &format!("!balas\n{CANARY}")).await;
    decided(&mut hall, 1, "!tlp AMBER").await;
    let sent = hall.play().await;
    let id = is_held(&hall, &sent, "sejak itu bertanda");
    let merge = format!("!gabung BANTUAN70-{}-000002", hall.year);
    decided(&mut hall, 1, &merge).await;
    hall.play().await;
    assert_eq!(hall.stage.daemon.store.letter(id).unwrap().state, LetterState::Held, "its conversation goes on");
    decided(&mut hall, 2, "!tutup\nSelesai.").await;
    let receipt = read_by(&hall.play().await, "ani@bssn.test");
    assert!(receipt.contains(&format!("tidak akan dikirim: balasan kepada {JOKO}")), "{receipt}");
    let store = &hall.stage.daemon.store;
    assert_eq!(store.letter(id).unwrap().state, LetterState::Cancelled);
    assert!(hall.retry(id).is_err());
}
