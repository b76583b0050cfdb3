//! What changes between draft, agreement and sending: the directory of the moment of sending counts,
//! and agreement is to exactly what was shown.

use super::unreached::{flat, verb};
use super::{Hall, read_by, to};
use bantuan70::cli::demo::stage::{Actor, Note};
use bantuan70::model::Address;
use bantuan70::model::contact::ContactKind;
use bantuan70::model::dissemination::{DisseminationState, RecipientState};
use bantuan70::model::letter::LetterState;
use bantuan70::store::OutboxId;

const RINA: &str = "rina@bank.example";

fn rina() -> Address {
    Address::parse(RINA).unwrap()
}

/// A dissemination to rina is agreed to and queued; then something changes. Her mail is held and the
/// author is told, once.
async fn held_after(mark: &str, kind: ContactKind, has_key: bool, change: impl FnOnce(&mut Hall), reason: &str) -> Hall {
    let mut hall = Hall::new("");
    if has_key {
        hall.keyed_contact(RINA, kind);
    } else {
        hall.contact(RINA, kind, None, true);
    }
    hall.command("ani", &format!("!tlp {mark}\n!diseminasi {RINA}\nRahasia untuk bantuan70@bssn.test."));
    hall.decide().await;
    if mark == "RED" {
        let line = hall.agreement(1);
        hall.command("budi", &line);
        hall.decide().await;
    }
    assert_eq!(hall.state_of(1, RINA).0, RecipientState::Queued);
    change(&mut hall);
    hall.stage.reload().unwrap();
    let sent = hall.play().await;
    assert!(to(&sent, RINA).is_empty(), "{reason}: it left");
    assert_eq!(hall.state_of(1, RINA).0, RecipientState::Held);
    let told = read_by(&sent, "ani@bssn.test");
    assert!(told.contains(reason), "{reason}: nobody was told:\n{told}");
    assert!(flat(&told).contains("surat ini tidak dapat dikirim: batalkan, lalu susun !diseminasi baru"), "{reason}:\n{told}");
    // Once: neither time nor a restart tells it again.
    for _ in 0..3 {
        hall.stage.wait(1);
        hall.stage = hall.stage.restart().unwrap();
        assert!(hall.play().await.is_empty(), "{reason}: told again");
    }
    hall
}

#[tokio::test]
async fn who_was_removed_since_gets_nothing() {
    let remove = |hall: &mut Hall| hall.stage.daemon.store.remove_contact(&rina(), "test", hall.now()).unwrap();
    for mark in ["AMBER", "CLEAR"] {
        held_after(mark, ContactKind::Person, true, remove, "tidak lagi tercantum dalam direktori").await;
    }
}

#[tokio::test]
async fn whose_verification_aged_out_since_gets_nothing() {
    let age = |hall: &mut Hall| hall.stage.wait(365 * 24 + 1);
    held_after("AMBER", ContactKind::Role, true, age, "sudah lebih dari 365 hari").await;
    held_after("GREEN", ContactKind::Role, false, age, "sudah lebih dari 365 hari").await;
}

#[tokio::test]
async fn red_does_not_go_to_what_became_a_role_mailbox_since() {
    let become_role = |hall: &mut Hall| {
        let now = hall.now();
        let store = &hall.stage.daemon.store;
        let certificate = store.certificate(&store.contact(&rina()).unwrap().unwrap().fingerprint.unwrap()).unwrap().unwrap().bytes;
        store.remove_contact(&rina(), "test", now).unwrap();
        hall.contact(RINA, ContactKind::Role, Some(&certificate), true);
    };
    held_after("RED", ContactKind::Person, true, become_role, "TLP:RED hanya untuk orang").await;
}

#[tokio::test]
async fn another_certificate_since_holds_the_mail_also_where_there_was_none() {
    let pin_another = |hall: &mut Hall| {
        let other = Actor::with_key("Rina", RINA, hall.now()).unwrap().certificate().unwrap();
        let fingerprint = hall.keep(&other);
        let store = &hall.stage.daemon.store;
        store.pin_certificate(&rina(), &fingerprint, None, "test", hall.now()).unwrap();
        store.verify_contact(&rina(), "call-back", "test", hall.now()).unwrap();
    };
    held_after("AMBER", ContactKind::Person, true, pin_another, "bukan lagi sertifikat yang disetujui").await;
    held_after("GREEN", ContactKind::Person, false, pin_another, "bukan lagi sertifikat yang disetujui").await;
}

/// Held for what a person can mend: once it is mended, `outbox retry` sends what was agreed to.
#[tokio::test]
async fn what_was_held_for_an_old_verification_leaves_when_it_is_verified_anew_and_tried_again() {
    let mut hall = held_after("AMBER", ContactKind::Role, true, |hall| hall.stage.wait(365 * 24 + 1), "sudah lebih dari 365 hari").await;
    let row = hall.outbox().into_iter().find(|row| row.to.as_str() == RINA).unwrap();
    hall.stage.daemon.store.verify_contact(&rina(), "letter", "test", hall.now()).unwrap();
    hall.retry(OutboxId(row.id)).unwrap();
    let sent = hall.play().await;
    assert_eq!(to(&sent, RINA)[0].protection, "encrypted");
    assert_eq!(hall.state_of(1, RINA).0, RecipientState::Sent);
    assert_eq!(hall.dissemination(1).unwrap().state, DisseminationState::Sent);
}

/// What the directory says when somebody agrees is in that person's receipt, not in a notice later.
#[tokio::test]
async fn who_agrees_hears_whom_the_dissemination_will_not_reach() {
    let mut hall = Hall::new("");
    hall.keyed_contact(RINA, ContactKind::Person);
    hall.keyed_contact("budiman@bank.example", ContactKind::Person);
    hall.command("ani", &format!("!tlp RED\n!diseminasi {RINA}, budiman@bank.example\nRahasia untuk bantuan70@bssn.test."));
    hall.play().await;
    hall.stage.daemon.store.remove_contact(&rina(), "test", hall.now()).unwrap();
    let line = hall.agreement(1);
    hall.command("budi", &line);
    let sent = hall.play().await;
    assert!(to(&sent, RINA).is_empty());
    assert_eq!(to(&sent, "budiman@bank.example").len(), 1);
    for person in ["budi@bssn.test", "ani@bssn.test"] {
        let told = read_by(&sent, person);
        assert!(told.contains(&format!("{RINA} ditahan: {RINA} tidak lagi tercantum")), "{told}");
    }
    assert_eq!(hall.outbox().iter().find(|row| row.to.as_str() == RINA).unwrap().state, LetterState::Held);
}

/// C14: nine of ten have a certificate that lives; the tenth is held and named in the receipt.
#[tokio::test]
async fn c14_nine_are_sent_and_the_one_whose_certificate_ended_is_held() {
    let mut hall = Hall::new("");
    hall.command("ani", "!tlp AMBER\n!diseminasi sector:finance\nUntuk bantuan70@bssn.test.");
    assert!(read_by(&hall.play().await, "ani@bssn.test").contains("tidak ada kontak sector:finance"));
    // One that nobody vouched for makes no sector.
    hall.contact("unverified@bank.example", ContactKind::Role, None, false);
    hall.command("ani", "!tlp AMBER\n!diseminasi sector:finance\nUntuk bantuan70@bssn.test.");
    assert!(read_by(&hall.play().await, "ani@bssn.test").contains("kontak sector:finance belum diverifikasi"));
    assert!(hall.dissemination(1).is_none());
    for n in 0..9 {
        hall.keyed_contact(&format!("n{n}@bank.example"), ContactKind::Role);
    }
    let made = hall.now().checked_sub(super::KEY_LIFE).unwrap() - jiff::SignedDuration::from_hours(1);
    let ended = Actor::with_key("Bank", "ended@bank.example", made).unwrap().certificate().unwrap();
    hall.contact("ended@bank.example", ContactKind::Role, Some(&ended), true);
    hall.command("ani", "!tlp RED\n!diseminasi sector:finance\nUntuk bantuan70@bssn.test.");
    assert!(read_by(&hall.play().await, "ani@bssn.test").contains("TLP:RED hanya untuk orang yang disebut satu per satu"));
    hall.command("ani", "!tlp AMBER\n!diseminasi sector:finance\nUntuk bantuan70@bssn.test.");
    let sent = hall.play().await;
    let reached: Vec<&str> = sent.iter().map(|mail| mail.to.as_str()).filter(|to| to.ends_with("bank.example")).collect();
    assert_eq!(reached.len(), 9, "{reached:?}");
    let receipt = read_by(&sent, "ani@bssn.test");
    assert!(receipt.contains("ended@bank.example ditahan: masa berlaku sertifikat"), "{receipt}");
    assert!(!receipt.contains("unverified@bank.example"));
    assert!(receipt.contains("sector:finance: 1 kontak tidak ikut karena belum diverifikasi"), "{receipt}");
    // Sent to all who could be reached.
    assert_eq!(hall.dissemination(1).unwrap().state, DisseminationState::Sent);
}

/// C13: what the ticket received since the draft bears a higher mark; the agreement was to another thing.
#[tokio::test]
async fn c13_a_higher_mark_received_since_voids_what_was_agreed_to() {
    let mut hall = Hall::new("\n[dissemination]\napprovals = { GREEN = 2 }\n");
    hall.contact(RINA, ContactKind::Person, None, true);
    hall.stage.add("joko", Actor::without_key("Joko", "joko@kantor.example").unwrap());
    let center = Address::parse("bantuan70@bssn.test").unwrap();
    let report = |hall: &mut Hall, text: &str, answers: Option<String>| {
        let note = Note { subject: "Situs diretas".to_owned(), text: text.to_owned(), answers, ..Note::default() };
        let id = hall.stage.next_message_id("joko");
        let raw = hall.stage.actor("joko").unwrap().writes(&center, &note, &id, hall.now()).unwrap();
        hall.stage.deliver(&raw).unwrap();
    };
    report(&mut hall, "Halaman depan situs kantor kami diganti orang.", None);
    let acknowledged = hall.play().await;
    let acknowledgement = to(&acknowledged, "joko@kantor.example")[0].message_id.clone();
    let year = hall.year;
    hall.command("ani", &format!("!tiket BANTUAN70-{year}-000001\n!tlp GREEN\n!diseminasi {RINA}\nBlokir alamat itu."));
    hall.play().await;
    let before = hall.agreement(1);
    report(&mut hall, "TLP:AMBER\n\nIni catatan servernya.", Some(acknowledgement));
    hall.play().await;

    hall.command("budi", &before);
    let asked = hall.play().await;
    assert!(to(&asked, RINA).is_empty(), "agreement to GREEN was given before AMBER came");
    let one = hall.dissemination(1).unwrap();
    assert!(one.lowered && one.approvals.is_empty() && one.state == DisseminationState::AwaitingApproval);
    assert!(read_by(&asked, "budi@bssn.test").contains("persetujuan sebelumnya gugur"));
    for person in ["ani@bssn.test", "budi@bssn.test", "rudi@bssn.test"] {
        let told = read_by(&asked, person);
        assert!(told.contains(&hall.agreement(1)) && told.contains("diturunkan dari tanda sumbernya"), "{person}:\n{told}");
    }
    // The former code fits no more; the author alone is not enough.
    hall.command("budi", &before);
    let line = hall.agreement(1);
    hall.command("ani", &line);
    let still = hall.play().await;
    assert!(to(&still, RINA).is_empty());
    assert!(read_by(&still, "budi@bssn.test").contains("kode tidak cocok"));
    let line = hall.agreement(1);
    hall.command("budi", &line);
    assert_eq!(to(&hall.play().await, RINA).len(), 1);
}

/// Between draft and agreement a contact gets another certificate: who asks hears it before anybody agrees, with the way
/// out, and that way works.
#[tokio::test]
async fn who_asks_before_it_is_agreed_to_hears_who_would_be_held() {
    let mut hall = Hall::new("");
    hall.keyed_contact(RINA, ContactKind::Person);
    hall.command("ani", &format!("!tlp RED\n!diseminasi {RINA}\nRahasia untuk bantuan70@bssn.test."));
    hall.play().await;
    let ticket = hall.dissemination(1).unwrap().ticket;
    let ask = async |hall: &mut Hall| {
        hall.command("ani", &format!("!tiket {ticket}\n!status"));
        flat(&read_by(&hall.play().await, "ani@bssn.test"))
    };
    let page = |hall: &Hall| verb(hall, &["ticket", "show", &ticket.0]).unwrap();
    let status = ask(&mut hall).await;
    assert!(status.contains("akan dikirim bila disetujui") && !status.contains("disetujui sekarang"), "{status}");
    assert!(!page(&hall).contains("would be held"), "{}", page(&hall));

    let other = Actor::with_key("Rina", RINA, hall.now()).unwrap();
    let fingerprint = hall.keep(&other.certificate().unwrap());
    let store = &hall.stage.daemon.store;
    store.pin_certificate(&rina(), &fingerprint, None, "test", hall.now()).unwrap();
    store.verify_contact(&rina(), "call-back", "test", hall.now()).unwrap();
    hall.stage.add(RINA, other);
    hall.stage.reload().unwrap();
    let number = hall.dissemination(1).unwrap().number;
    let status = ask(&mut hall).await;
    for says in ["bukan lagi sertifikat yang disetujui", "1 penerima ditahan", &format!("!batal {number}, lalu susun !diseminasi baru")] {
        assert!(status.contains(says), "{says}:\n{status}");
    }
    assert!(!status.contains("akan dikirim bila disetujui"), "{status}");
    assert!(page(&hall).contains("would be held"), "{}", page(&hall));
    // It is as they say, and so is the way out.
    hall.command("ani", &format!("!batal {number}"));
    hall.command("ani", &format!("!tiket {ticket}\n!tlp RED\n!diseminasi {RINA}\nRahasia untuk bantuan70@bssn.test."));
    hall.play().await;
    let line = hall.agreement(2);
    hall.command("budi", &line);
    assert_eq!(to(&hall.play().await, RINA).len(), 1);
}
