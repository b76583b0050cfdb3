//! C13: what its ticket receives may rise above the mark that a dissemination was agreed to under, before it is agreed
//! to as well as while its mails wait.

use super::attacks::header;
use super::{Hall, read_by, to};
use crate::harness::gpg::crlf;
use bantuan70::cli::demo::stage::{Actor, Received};
use bantuan70::model::Address;
use bantuan70::model::contact::ContactKind;
use bantuan70::model::dissemination::{DisseminationState, RecipientState};
use bantuan70::model::letter::LetterState;
use bantuan70::store::OutboxId;

const JOKO: &str = "joko@kantor.example";
const RINA: &str = "rina@bank.example";
const TONO: &str = "tono@bank.example";

/// Joko's report bears that mark, if any; gives what an answer to it refers to.
async fn reported(hall: &mut Hall, mark: &str) -> String {
    hall.stage.add("joko", Actor::without_key("Joko", JOKO).unwrap());
    hall.report(&format!("{mark}\n\nHalaman depan situs kantor kami diganti orang."), None);
    to(&hall.play().await, JOKO)[0].message_id.clone()
}

fn draft(hall: &mut Hall, mark: &str, targets: &str) {
    let text = format!("!tiket BANTUAN70-{}-000001\n!tlp {mark}\n!diseminasi {targets}\nBlokir alamat itu.", hall.year);
    hall.command("ani", &text);
}

/// Asked anew, the request tells whom it would reach as things stand then.
#[tokio::test]
async fn what_was_mended_since_the_draft_is_not_told_as_an_obstacle_when_agreement_is_asked_anew() {
    const WOULD_NOT: &str = "tidak akan sampai kepada siapa pun";
    let mut hall = Hall::new("");
    hall.keyed_contact(RINA, ContactKind::Person);
    let fingerprint = hall.stage.actor(RINA).unwrap().fingerprint.clone().unwrap();
    let rina = Address::parse(RINA).unwrap();
    let ends = |hall: &Hall, at| hall.stage.daemon.store.pin_certificate(&rina, &fingerprint, at, "test", hall.now()).unwrap();
    ends(&hall, Some(hall.now()));
    let acknowledgement = reported(&mut hall, "TLP:AMBER").await;
    draft(&mut hall, "GREEN", RINA);
    let words = |mails: &[Received]| read_by(mails, "budi@bssn.test").split_whitespace().collect::<Vec<_>>().join(" ");
    let asked = hall.play().await;
    assert!(words(&asked).contains(WOULD_NOT), "{}", words(&asked));
    let before = hall.agreement(1);
    ends(&hall, None);
    hall.report("TLP:RED\n\nIni catatan servernya.", Some(acknowledgement));
    hall.play().await;
    hall.command("budi", &before);
    let asked = hall.play().await;
    assert!(words(&asked).contains(&hall.agreement(1)) && !words(&asked).contains(WOULD_NOT), "{}", words(&asked));
    assert_eq!(hall.state_of(1, RINA).0, RecipientState::Queued);
}

#[tokio::test]
async fn c13_each_further_rise_of_a_lowered_one_is_asked_about_anew() {
    let mut hall = Hall::new("");
    hall.contact(RINA, ContactKind::Person, None, true);
    let acknowledgement = reported(&mut hall, "TLP:AMBER").await;
    draft(&mut hall, "GREEN", RINA);
    let asked = hall.play().await;
    let line = "mark TLP:GREEN lowered from TLP:AMBER\n";
    assert!(hall.dissemination(1).unwrap().manifest().contains(line) && read_by(&asked, "budi@bssn.test").contains(line.trim()));
    for (rise, from) in [("TLP:AMBER+STRICT", "TLP:AMBER+STRICT"), ("TLP:RED", "TLP:RED")] {
        let before = hall.agreement(1);
        hall.report(&format!("{rise}\n\nIni catatan servernya."), Some(acknowledgement.clone()));
        hall.play().await;
        hall.command("budi", &before);
        let asked = hall.play().await;
        assert!(to(&asked, RINA).is_empty(), "{rise}: it left under the code of before");
        let one = hall.dissemination(1).unwrap();
        assert!(one.approvals.is_empty() && one.state == DisseminationState::AwaitingApproval, "{rise}: {one:?}");
        assert!(one.manifest().contains(&format!("mark TLP:GREEN lowered from {from}\n")), "{}", one.manifest());
        assert_ne!(hall.agreement(1), before, "{rise}: the code is another");
        for person in ["ani@bssn.test", "budi@bssn.test", "rudi@bssn.test"] {
            assert!(read_by(&asked, person).contains(&hall.agreement(1)), "{rise}: {person} is not asked");
        }
        hall.command("rudi", &before);
        assert!(to(&hall.play().await, RINA).is_empty());
    }
    // Agreed to as it stands, it leaves: a lower or equal mark that comes again is nothing new.
    hall.report("TLP:RED\n\nSatu catatan lagi.", Some(acknowledgement));
    hall.play().await;
    let line = hall.agreement(1);
    for who in ["ani", "budi"] {
        hall.command(who, &line);
    }
    assert_eq!(to(&hall.play().await, RINA).len(), 1);
}

/// Readable or sealed, first or lowered: mail that waits is held, its author told once and told again on another try.
#[tokio::test]
async fn c13_mail_that_waits_is_held_once_a_higher_mark_was_received() {
    for (first, mark, is_keyed, rise) in [
        ("", "GREEN", false, "TLP:RED"),
        ("", "CLEAR", false, "TLP:GREEN"),
        ("", "AMBER", true, "TLP:AMBER+STRICT"),
        ("TLP:AMBER", "GREEN", false, "TLP:RED"),
    ] {
        let mut hall = Hall::new("");
        for address in [RINA, TONO] {
            if is_keyed {
                hall.keyed_contact(address, ContactKind::Person);
            } else {
                hall.contact(address, ContactKind::Person, None, true);
            }
        }
        let acknowledgement = reported(&mut hall, first).await;
        // The ticket is another's than the author's.
        hall.command("budi", &format!("!tiket BANTUAN70-{}-000001\n!petugas me", hall.year));
        hall.play().await;
        draft(&mut hall, mark, &format!("{RINA}, {TONO}"));
        hall.decide().await;
        if !first.is_empty() {
            let line = hall.agreement(1);
            hall.command("budi", &line);
            hall.decide().await;
        }
        assert_eq!(hall.state_of(1, RINA).0, RecipientState::Queued, "{mark}");
        hall.report(&format!("{rise}\n\nIni catatan servernya."), Some(acknowledgement));
        hall.decide().await;
        let sent = hall.play().await;
        assert!(to(&sent, RINA).is_empty() && to(&sent, TONO).is_empty(), "{mark}: it left after {rise}");
        for address in [RINA, TONO] {
            let (state, because) = hall.state_of(1, address);
            assert!(state == RecipientState::Held && because.contains(&format!("bertanda {rise}, lebih tinggi")), "{because}");
        }
        for person in ["ani@bssn.test", "budi@bssn.test"] {
            let told = read_by(&sent, person);
            assert!(told.contains(&format!("bertanda {rise}, lebih tinggi")) && told.contains("!batal DIS-"), "{person}:\n{told}");
            let holds = to(&sent, person).into_iter().filter(|mail| mail.subject.ends_with("ditahan")).count();
            assert_eq!(holds, 1, "{person}: two mails are held by one mark");
        }
        let row = hall.outbox().into_iter().find(|row| row.to == RINA).unwrap();
        hall.stage.wait(1);
        hall.retry(OutboxId(row.id)).unwrap();
        let sent = hall.play().await;
        assert!(to(&sent, RINA).is_empty(), "{mark}: it left on another try");
        assert!(read_by(&sent, "ani@bssn.test").contains(&format!("bertanda {rise}, lebih tinggi")), "{sent:?}");
        assert_eq!(hall.outbox().into_iter().find(|row| row.to == RINA).unwrap().state, LetterState::Held);
        assert_eq!(hall.stage.daemon.store.audit_verify().unwrap().problems, [""; 0]);
    }
}

/// An equal or lower mark holds nothing, nor does one that was agreed to be lowered.
#[tokio::test]
async fn c13_what_was_agreed_to_knowing_the_mark_leaves() {
    for (first, mark, rise) in [("", "GREEN", "TLP:GREEN"), ("TLP:RED", "GREEN", "TLP:AMBER")] {
        let mut hall = Hall::new("");
        hall.contact(RINA, ContactKind::Person, None, true);
        let acknowledgement = reported(&mut hall, first).await;
        draft(&mut hall, mark, RINA);
        hall.decide().await;
        if !first.is_empty() {
            let line = hall.agreement(1);
            hall.command("budi", &line);
            hall.decide().await;
        }
        hall.report(&format!("{rise}\n\nIni catatan servernya."), Some(acknowledgement));
        hall.decide().await;
        assert_eq!(to(&hall.play().await, RINA).len(), 1, "{first} {mark} {rise}");
    }
}

/// D7: what our mail server takes for forged confirms nothing, with whatever reference.
#[tokio::test]
async fn d7_the_word_of_a_doubtful_sender_confirms_nothing() {
    let mut hall = Hall::with_intake("authserv_id = \"mx.bssn.test\"\n", "");
    hall.keyed_contact(RINA, ContactKind::Person);
    hall.command("ani", &format!("!tlp AMBER\n!diseminasi {RINA}\nUntuk bantuan70@bssn.test."));
    let mail = to(&hall.play().await, RINA)[0].message_id.clone();
    let says = |id: &str, found: &str| {
        let results = format!("Authentication-Results: mx.bssn.test; dmarc={found} header.from=bank.example\n");
        crlf([results, header(RINA, &mail, id), "\nDITERIMA.\n".to_owned()].concat().as_bytes())
    };
    hall.stage.deliver(&says("f1@bank.example", "fail")).unwrap();
    let sent = hall.play().await;
    assert_eq!(hall.state_of(1, RINA).0, RecipientState::Sent, "it confirmed");
    let told = read_by(&sent, "ani@bssn.test");
    assert!(told.contains("belum terbukti") && told.contains("pengirimnya diragukan"), "{told}");
    hall.stage.deliver(&says("f2@bank.example", "pass")).unwrap();
    hall.play().await;
    assert_eq!(hall.state_of(1, RINA).0, RecipientState::Confirmed);
}
