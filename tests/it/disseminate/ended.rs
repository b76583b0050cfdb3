//! How a dissemination ends: where every mail of it failed, where a ticket is closed over recipients who have not
//! confirmed, and where the term of retention ends.

use super::attacks::header;
use super::{Hall, read_by, refused, to};
use crate::harness::gpg::crlf;
use bantuan70::cli::demo::stage::{Actor, Note};
use bantuan70::model::contact::ContactKind;
use bantuan70::model::dissemination::{DisseminationState, RecipientState};
use bantuan70::model::letter::{LetterKind, LetterState};
use bantuan70::model::ticket::{State, TicketNumber};
use bantuan70::store::{OutboxId, RetentionTerms};
use std::time::Duration;

const RINA: &str = "rina@bank.example";

fn letter_to(hall: &Hall, address: &str) -> OutboxId {
    let rows = hall.outbox();
    OutboxId(rows.iter().find(|row| row.to == address && row.kind == LetterKind::Dissemination).unwrap().id)
}

#[tokio::test]
async fn a_dissemination_of_which_every_mail_failed_ends_and_its_author_hears_what_to_do() {
    let mut hall = Hall::new("");
    hall.keyed_contact(RINA, ContactKind::Person);
    hall.keyed_contact("siti@bank.example", ContactKind::Person);
    hall.command("ani", &format!("!tlp AMBER\n!diseminasi {RINA}, siti@bank.example\nUntuk bantuan70@bssn.test."));
    hall.decide().await;
    let ids = [letter_to(&hall, RINA), letter_to(&hall, "siti@bank.example")];
    hall.attempt(ids[0], &refused());
    assert_eq!(hall.dissemination(1).unwrap().state, DisseminationState::Sending, "the other one still waits");
    // Somebody else takes the ticket: the author hears of it all the same.
    let ticket = hall.dissemination(1).unwrap().ticket;
    hall.command("budi", &format!("!tiket {ticket}\n!petugas me"));
    hall.decide().await;
    hall.attempt(ids[1], &refused());
    let one = hall.dissemination(1).unwrap();
    assert_eq!(one.state, DisseminationState::Sent, "the sending is over");
    assert!(one.recipients.iter().all(|one| one.state == RecipientState::Bounced && one.sent_at.is_none()));
    let sent = hall.play().await;
    let line = "Tidak satu pun surel DIS-";
    let notices: Vec<_> = sent.iter().filter(|mail| mail.text.contains(line)).collect();
    assert_eq!(notices.iter().map(|mail| mail.to.as_str()).collect::<Vec<_>>(), ["ani@bssn.test"], "once, to the author");
    let told = &notices[0].text;
    for way_out in ["outbox retry", "!diseminasi baru", "!konfirmasi ALAMAT", &format!("!batal {}", one.number)] {
        assert!(told.contains(way_out), "{way_out}:\n{told}");
    }
    let view = hall.view();
    let page = hall.stage.daemon.store.ticket(&ticket, &view).unwrap().unwrap();
    assert!(page.timeline.iter().any(|event| event.detail.contains(line)), "it stands in the timeline");
    // It keeps the ticket from being closed without a reason, and nobody is reminded of what never came.
    hall.command("budi", &format!("!tiket {ticket}\n!tutup"));
    hall.stage.wait(80);
    let sent = hall.play().await;
    assert!(read_by(&sent, "budi@bssn.test").contains("belum mengonfirmasi"));
    assert!(to(&sent, RINA).is_empty());

    // Once the cause is mended, the same mail goes out; the bytes that this test gave it are none of ours.
    let db = rusqlite::Connection::open(hall.stage.daemon.store.path()).unwrap();
    db.execute("UPDATE outbox SET sealed = NULL WHERE id = ?1", [ids[0].0]).unwrap();
    hall.retry(ids[0]).unwrap();
    let again = hall.play().await;
    assert_eq!(to(&again, RINA)[0].protection, "encrypted");
    let (state, _) = hall.state_of(1, RINA);
    assert_eq!((state, hall.dissemination(1).unwrap().state), (RecipientState::Sent, DisseminationState::Sent));
    let confirm = [header(RINA, &to(&again, RINA)[0].message_id, "r1@bank.example"), "\nDITERIMA.\n".to_owned()].concat();
    hall.stage.deliver(&crlf(confirm.as_bytes())).unwrap();
    hall.play().await;
    assert_eq!(hall.state_of(1, RINA).0, RecipientState::Confirmed);
}

#[tokio::test]
async fn one_that_reached_somebody_ends_as_sent_and_nobody_is_told_that_it_reached_nobody() {
    let mut hall = Hall::new("");
    hall.keyed_contact(RINA, ContactKind::Person);
    hall.keyed_contact("siti@bank.example", ContactKind::Person);
    hall.command("ani", &format!("!tlp AMBER\n!diseminasi {RINA}, siti@bank.example\nUntuk bantuan70@bssn.test."));
    hall.decide().await;
    let id = letter_to(&hall, "siti@bank.example");
    hall.attempt(id, &refused());
    let sent = hall.play().await;
    assert_eq!(to(&sent, RINA).len(), 1);
    assert_eq!(hall.dissemination(1).unwrap().state, DisseminationState::Sent);
    assert!(!read_by(&sent, "ani@bssn.test").contains("Tidak satu pun surel"));
}

/// Contract 5 and 9: closing over recipients who have not confirmed closes their dissemination, with the reason in
/// the history; nobody is reminded any more, and who confirms after that is recorded, and is not taken for all.
#[tokio::test]
async fn a_ticket_closed_over_the_unconfirmed_closes_its_disseminations() {
    let mut hall = Hall::new("");
    for name in ["rina", "siti", "tono"] {
        hall.keyed_contact(&format!("{name}@bank.example"), ContactKind::Person);
    }
    hall.command("ani", "!tlp AMBER\n!diseminasi rina@bank.example, siti@bank.example\nUntuk bantuan70@bssn.test.");
    let sent = hall.play().await;
    let mail_to_siti = to(&sent, "siti@bank.example")[0].message_id.clone();
    let ticket = hall.dissemination(1).unwrap().ticket;
    // A second one of the same ticket waits for agreement.
    hall.command("ani", &format!("!tiket {ticket}\n!tlp RED\n!diseminasi tono@bank.example\nRahasia."));
    hall.play().await;
    assert_eq!(hall.dissemination(2).unwrap().state, DisseminationState::AwaitingApproval);
    let agreement = hall.agreement(2);

    hall.command("ani", &format!("!tiket {ticket}\n!tutup"));
    let refusal = read_by(&hall.play().await, "ani@bssn.test");
    assert!(refusal.contains("belum mengonfirmasi") && refusal.contains(RINA) && refusal.contains("tono@"), "{refusal}");
    assert_eq!(hall.dissemination(1).unwrap().state, DisseminationState::Sent);
    hall.command("ani", &format!("!tiket {ticket}\n!tutup\nKeduanya sudah ditelepon."));
    let closed = hall.play().await;
    assert!(read_by(&closed, "ani@bssn.test").contains("Ditutup walaupun penerima ini belum mengonfirmasi"));
    assert_eq!(hall.dissemination(1).unwrap().state, DisseminationState::Closed);
    assert_eq!(hall.dissemination(2).unwrap().state, DisseminationState::Cancelled, "what nobody agreed to never leaves");
    let view = hall.view();
    let page = hall.stage.daemon.store.ticket(&ticket, &view).unwrap().unwrap();
    let said = |text: &str| page.timeline.iter().any(|event| event.by == "ani@bssn.test" && event.detail.contains(text));
    assert!(said("ditutup bersama tiketnya oleh ani@bssn.test") && said("Keduanya sudah ditelepon."), "{:?}", page.timeline);
    hall.command("budi", &agreement);
    let late = hall.play().await;
    assert!(to(&late, "tono@bank.example").is_empty() && read_by(&late, "budi@bssn.test").contains("dibatalkan"));

    // Neither reminders nor the silence of the unconfirmed are told any more.
    for _ in 0..8 {
        hall.stage.wait(24);
        let mails = hall.play().await;
        assert!(mails.iter().all(|mail| !mail.to.as_str().ends_with("@bank.example")), "{mails:?}");
        assert!(!read_by(&mails, "ani@bssn.test").contains("dua kali batas waktu"));
    }
    // Reopened, a late confirmation of one is recorded, and is not the confirmation of all.
    hall.command("ani", &format!("!tiket {ticket}\n!buka"));
    hall.play().await;
    let confirm = [header("siti@bank.example", &mail_to_siti, "s1@bank.example"), "\nDITERIMA.\n".to_owned()].concat();
    hall.stage.deliver(&crlf(confirm.as_bytes())).unwrap();
    let told = read_by(&hall.play().await, "ani@bssn.test");
    assert_eq!(hall.state_of(1, "siti@bank.example").0, RecipientState::Confirmed);
    assert!(!told.contains("semua penerima"), "{told}");
    assert_eq!(hall.stage.daemon.store.audit_verify().unwrap().problems, [""; 0]);
}

/// Contract 9: cancelling stops all that has not left, also after the ticket was closed over it.
#[tokio::test]
async fn what_a_closed_ticket_still_sends_is_told_and_can_be_stopped() {
    let mut hall = Hall::new("");
    hall.keyed_contact(RINA, ContactKind::Person);
    hall.command("ani", &format!("!tlp AMBER\n!diseminasi {RINA}\nUntuk bantuan70@bssn.test."));
    hall.decide().await;
    let one = hall.dissemination(1).unwrap();
    assert_eq!((one.state, one.recipients[0].state), (DisseminationState::Sending, RecipientState::Queued));
    hall.command("ani", &format!("!tiket {}\n!tutup\nSelesai.", one.ticket));
    hall.decide().await;
    assert_eq!(hall.dissemination(1).unwrap().state, DisseminationState::Closed);
    hall.command("ani", &format!("!batal {}", one.number));
    let mails = hall.play().await;
    assert_eq!(hall.dissemination(1).unwrap().state, DisseminationState::Cancelled);
    assert!(to(&mails, RINA).is_empty(), "{mails:?}");
    let read = read_by(&mails, "ani@bssn.test");
    assert!(read.contains("1 surel DIS-") && read.contains(&format!("!batal {}", one.number)), "{read}");
}

/// `!buka` after such a closing: who has not confirmed is waited for again and reminded from then on; by a reporter's
/// reply the ticket alone reopens, for what was closed was closed by a person who said why.
#[tokio::test]
async fn reopening_waits_again_for_those_who_had_not_confirmed() {
    let mut hall = Hall::new("");
    hall.stage.add("joko", Actor::without_key("Joko", "joko@kantor.example").unwrap());
    for name in ["rina", "siti"] {
        hall.keyed_contact(&format!("{name}@bank.example"), ContactKind::Person);
    }
    hall.command("ani", "!catatkan telegram joko@kantor.example\nbantuan70@bssn.test: situs bank diretas.");
    hall.play().await;
    let ticket = TicketNumber(format!("BANTUAN70-{}-000001", hall.year));
    hall.command("ani", &format!("!tiket {ticket}\n!tlp AMBER\n!diseminasi rina@bank.example, siti@bank.example\nTutup port 8443."));
    let sent = hall.play().await;
    let siti = to(&sent, "siti@bank.example")[0].message_id.clone();
    // Nobody answers until reminders are over; then one does.
    for _ in 0..8 {
        hall.stage.wait(24);
        hall.play().await;
    }
    let confirm = [header("siti@bank.example", &siti, "s1@bank.example"), "\nDITERIMA.\n".to_owned()].concat();
    hall.stage.deliver(&crlf(confirm.as_bytes())).unwrap();
    hall.command("ani", &format!("!tiket {ticket}\n!tutup\nRina sudah ditelepon."));
    let closed = hall.play().await;
    assert_eq!(hall.dissemination(1).unwrap().state, DisseminationState::Closed);

    let closing = to(&closed, "joko@kantor.example")[0].message_id.clone();
    let note =
        Note { subject: "Re: Laporan".to_owned(), text: "Situsnya rusak lagi.".to_owned(), answers: Some(closing), ..Note::default() };
    let id = hall.stage.next_message_id("joko");
    let center = bantuan70::model::Address::parse("bantuan70@bssn.test").unwrap();
    let raw = hall.stage.actor("joko").unwrap().writes(&center, &note, &id, hall.now()).unwrap();
    hall.stage.deliver(&raw).unwrap();
    hall.play().await;
    let view = hall.view();
    assert!(hall.stage.daemon.store.ticket(&ticket, &view).unwrap().unwrap().ticket.state.is_open());
    assert_eq!(hall.dissemination(1).unwrap().state, DisseminationState::Closed);
    hall.command("ani", &format!("!tiket {ticket}\n!tutup"));
    hall.play().await;

    hall.command("ani", &format!("!tiket {ticket}\n!buka"));
    let read = read_by(&hall.play().await, "ani@bssn.test");
    let line = format!("{} dibuka kembali bersama tiketnya", hall.dissemination(1).unwrap().number);
    assert!(!read.contains("yang ditahan"), "nobody is held: {read}");
    assert!(read.contains(&line) && read.contains(RINA) && !read.contains("siti@"), "{read}");
    assert_eq!(hall.dissemination(1).unwrap().state, DisseminationState::Sent);
    hall.command("ani", &format!("!tiket {ticket}\n!tutup"));
    let sent = hall.play().await;
    assert!(read_by(&sent, "ani@bssn.test").contains("belum mengonfirmasi: rina@bank.example"), "{sent:?}");
    assert!(to(&sent, RINA).is_empty(), "no reminder yet");
    let (mut reminders, mut told) = (0, 0);
    for _ in 0..8 {
        hall.stage.wait(24);
        let sent = hall.play().await;
        assert!(to(&sent, "siti@bank.example").is_empty(), "{sent:?}");
        reminders += to(&sent, RINA).len();
        told += usize::from(read_by(&sent, "ani@bssn.test").contains("setelah dua kali batas waktu"));
    }
    assert_eq!((reminders, told), (5, 1), "as after the sending: each day until the term is twice over, and then told once");
    assert_eq!(hall.stage.daemon.store.audit_verify().unwrap().problems, [""; 0]);
}

/// A recipient who was held all along, and whose ticket is closed and reopened: nothing waits to leave by itself, and
/// the analyst hears it. On a ticket that is over nothing is drafted, for nobody would ask whether it arrived.
#[tokio::test]
async fn on_a_closed_ticket_nothing_is_drafted_and_who_was_held_stays_held() {
    let mut hall = Hall::new("");
    hall.contact("it@rsud.example", ContactKind::Role, None, true);
    hall.keyed_contact(RINA, ContactKind::Person);
    hall.command("ani", "!tlp AMBER\n!diseminasi it@rsud.example\nUntuk bantuan70@bssn.test: tutup port 8443.");
    hall.play().await;
    let ticket = hall.dissemination(1).unwrap().ticket;
    hall.command("ani", &format!("!tiket {ticket}\n!tutup\nSudah ditelepon."));
    hall.play().await;
    hall.command("ani", &format!("!tiket {ticket}\n!tlp AMBER\n!diseminasi {RINA}\nTutup juga port 9443."));
    let sent = hall.play().await;
    assert!(to(&sent, RINA).is_empty() && hall.dissemination(2).is_none(), "{sent:?}");
    assert!(read_by(&sent, "ani@bssn.test").contains("buka dahulu dengan !buka"), "{sent:?}");

    hall.command("ani", &format!("!tiket {ticket}\n!buka"));
    let read = read_by(&hall.play().await, "ani@bssn.test");
    assert!(read.contains("it@rsud.example (ditahan)") && read.contains("yang ditahan tidak dikirim dengan sendirinya"), "{read}");
    let one = hall.dissemination(1).unwrap();
    assert_eq!((one.state, one.recipients[0].state), (DisseminationState::Sent, RecipientState::Held));
    hall.command("ani", &format!("!tiket {ticket}\n!konfirmasi it@rsud.example\nDitelepon."));
    let read = read_by(&hall.play().await, "ani@bssn.test");
    assert!(read.contains("Ditelepon; surel DIS-") && read.contains("terkirim; semua penerima"), "{read}");
    assert_eq!(hall.dissemination(1).unwrap().state, DisseminationState::Closed);
}

#[tokio::test]
async fn a_rejected_ticket_sends_no_dissemination_that_nobody_agreed_to() {
    let mut hall = Hall::new("");
    hall.keyed_contact(RINA, ContactKind::Person);
    hall.command("ani", &format!("!tlp RED\n!diseminasi {RINA}\nRahasia, untuk bantuan70@bssn.test."));
    hall.play().await;
    let one = hall.dissemination(1).unwrap();
    assert_eq!(one.state, DisseminationState::AwaitingApproval);
    let agreement = hall.agreement(1);
    hall.command("ani", &format!("!tiket {}\n!tolak\nBukan insiden.", one.ticket));
    hall.play().await;
    assert_eq!(hall.dissemination(1).unwrap().state, DisseminationState::Cancelled);
    hall.command("budi", &agreement);
    let late = hall.play().await;
    assert!(to(&late, RINA).is_empty() && read_by(&late, "budi@bssn.test").contains("dibatalkan"), "{late:?}");
}

/// What was released goes on as after `!tutup`: the receipt says who has not confirmed and what still leaves, `!batal`
/// stops it, and `!buka` waits again.
#[tokio::test]
async fn a_rejected_ticket_closes_what_was_released_and_says_what_still_leaves() {
    let mut hall = Hall::new("");
    for name in ["rina", "siti"] {
        hall.keyed_contact(&format!("{name}@bank.example"), ContactKind::Person);
    }
    hall.command("ani", &format!("!tlp AMBER\n!diseminasi {RINA}, siti@bank.example\nUntuk bantuan70@bssn.test."));
    hall.decide().await;
    let one = hall.dissemination(1).unwrap();
    hall.command("ani", &format!("!tiket {}\n!tolak\nBukan insiden.", one.ticket));
    hall.decide().await;
    assert_eq!(hall.dissemination(1).unwrap().state, DisseminationState::Closed);
    let mails = hall.play().await;
    let receipt = read_by(&mails, "ani@bssn.test").split_whitespace().collect::<Vec<_>>().join(" ");
    for says in [format!("2 surel {} yang sudah disetujui belum terkirim", one.number), format!("!batal {}", one.number), RINA.to_owned()] {
        assert!(receipt.contains(&says), "{says}: {receipt}");
    }
    assert_eq!((to(&mails, RINA).len(), hall.state_of(1, RINA).0), (1, RecipientState::Sent), "it was agreed to, and leaves");
    hall.command("ani", &format!("!tiket {}\n!buka", one.ticket));
    hall.play().await;
    assert_eq!(hall.dissemination(1).unwrap().state, DisseminationState::Sent);
}

/// Whether these bytes stand anywhere in the database or its companions.
fn is_on_disk(hall: &Hall, needle: &str) -> bool {
    let files = std::fs::read_dir(hall.folder().join("data")).unwrap();
    let holds = |bytes: Vec<u8>| bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
    files.into_iter().any(|entry| holds(std::fs::read(entry.unwrap().path()).unwrap()))
}

/// `[retention] messages`: words and files of a dissemination go with the ticket's other messages; to whom it went,
/// who agreed and to which code stay, and so does the proof.
#[tokio::test]
async fn the_words_and_files_of_a_dissemination_are_erased_with_the_messages_of_its_ticket() {
    const FIVE_YEARS: i64 = 5 * 365 * 24;
    let mut hall = Hall::new("");
    hall.keyed_contact(RINA, ContactKind::Person);
    hall.stage.add("joko", Actor::without_key("Joko", "joko@kantor.example").unwrap());
    let file = |name: &str, content: &str| vec![(name.to_owned(), "text/plain".to_owned(), content.as_bytes().to_vec())];
    let text = format!("!tlp AMBER\n!diseminasi {RINA}\ncanary-teks untuk bantuan70@bssn.test.");
    hall.command_with(
        "ani",
        Note { subject: "Perintah".to_owned(), text, enclosures: file("canary-nama.txt", "canary-isi"), ..Note::default() },
    );
    hall.play().await;
    let before = hall.dissemination(1).unwrap();
    // A text to nobody but the ticket's reporter goes the same way, with its file.
    let year = hall.year;
    hall.command_with(
        "ani",
        Note {
            subject: "x".to_owned(),
            text: "!catatkan telegram joko@kantor.example\nbantuan70@bssn.test: situs diretas.".to_owned(),
            ..Note::default()
        },
    );
    hall.play().await;
    let (second, text) =
        (TicketNumber(format!("BANTUAN70-{year}-000002")), format!("!tiket BANTUAN70-{year}-000002\n!balas\nLihat lampiran."));
    hall.command_with("ani", Note { subject: "x".to_owned(), text, enclosures: file("surat.txt", "canary-lampiran"), ..Note::default() });
    hall.play().await;
    for ticket in [&before.ticket, &second] {
        hall.command("ani", &format!("!tiket {ticket}\n!tutup\nSelesai."));
    }
    hall.play().await;
    for canary in ["canary-teks", "canary-nama.txt", "canary-isi", "canary-lampiran"] {
        assert!(is_on_disk(&hall, canary), "{canary}");
    }
    let terms = RetentionTerms { messages: Some(Duration::from_secs(5 * 365 * 24 * 3_600)), identity_documents: None };
    let view = Hall::view;
    hall.stage.wait(FIVE_YEARS - 1);
    let store = &hall.stage.daemon.store;
    assert!(store.retention_due(terms, &view(&hall)).unwrap().iter().all(|due| due.ticket.is_none()));
    hall.stage.wait(2);
    let mut erased = Vec::new();
    while let Some(one) = store.erase_next(terms, "a test", &view(&hall)).unwrap() {
        erased.extend(one.ticket);
        assert!(erased.len() < 10, "it comes to an end: {erased:?}");
    }
    assert_eq!(erased.len(), 2, "each ticket once: {erased:?}");
    for canary in ["canary-teks", "canary-nama.txt", "canary-isi", "canary-lampiran"] {
        assert!(!is_on_disk(&hall, canary), "{canary} is still there");
    }
    let after = hall.dissemination(1).unwrap();
    assert_eq!((&after.released, &after.approvals, after.state), (&before.released, &before.approvals, DisseminationState::Closed));
    assert_eq!((&after.recipients[0].address, after.recipients[0].sent_at), (&before.recipients[0].address, before.recipients[0].sent_at));
    assert_eq!(store.ticket(&second, &view(&hall)).unwrap().unwrap().ticket.state, State::Closed);
    assert_eq!(store.audit_verify().unwrap().problems, [""; 0]);
    // Whoever sends it again by hand sends nothing.
    let id = letter_to(&hall, RINA);
    assert!(hall.retry(id).is_err());
    assert_eq!(store.letter(id).unwrap().state, LetterState::Sent);
}

/// A mail of a dissemination that is under way when its ticket's term ends keeps its words until it has left.
#[tokio::test]
async fn words_that_still_wait_to_leave_are_not_erased() {
    let mut hall = Hall::new("");
    hall.keyed_contact(RINA, ContactKind::Person);
    hall.command("ani", &format!("!tlp AMBER\n!diseminasi {RINA}\ncanary-teks untuk bantuan70@bssn.test."));
    hall.decide().await;
    let ticket = hall.dissemination(1).unwrap().ticket;
    hall.command("ani", &format!("!tiket {ticket}\n!tutup\nSelesai."));
    hall.decide().await;
    let terms = RetentionTerms { messages: Some(Duration::from_secs(1)), identity_documents: None };
    hall.stage.wait(1);
    let view = hall.view();
    while hall.stage.daemon.store.erase_next(terms, "a test", &view).unwrap().is_some() {}
    let sent = hall.play().await;
    assert!(to(&sent, RINA).len() == 1 && to(&sent, RINA)[0].text.contains("canary-teks"), "closed over, and sent as agreed");
}
