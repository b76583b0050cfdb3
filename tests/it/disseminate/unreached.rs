//! A dissemination of which no mail can be made, or of which every mail is held: receipt, request and `!status` say
//! that nothing left, and the way out that they name is one that works.

use super::{Hall, read_by, to};
use bantuan70::cli::demo::stage::Actor;
use bantuan70::model::contact::ContactKind;
use bantuan70::model::dissemination::{DisseminationState, RecipientState};
use bantuan70::model::letter::LetterKind;
use std::path::Path;
use std::process::Command;

const RINA: &str = "rina@bank.example";
const ANI: &str = "ani@bssn.test";
const BUDI: &str = "budi@bssn.test";

/// One verb at the command line, beside the daemon.
pub fn verb(hall: &Hall, arguments: &[&str]) -> Result<String, String> {
    let run = Command::new(env!("CARGO_BIN_EXE_bantuan70")).arg("--config").arg(&hall.stage.config_file).args(arguments).output().unwrap();
    if run.status.success() {
        Ok(String::from_utf8_lossy(&run.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&run.stderr).into_owned())
    }
}

/// The words of a receipt without its line breaks.
pub fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Rina gets a key of her own, and somebody pins it to her as the receipt says.
fn pin(hall: &mut Hall, file: &Path) {
    let rina = Actor::with_key("Rina", RINA, hall.now()).unwrap();
    std::fs::write(file, rina.certificate().unwrap()).unwrap();
    hall.stage.actors.retain(|_, actor| actor.address.as_str() != RINA);
    hall.stage.add(RINA, rina);
    verb(hall, &["key", "import", file.to_str().unwrap(), "--contact", RINA]).unwrap();
    verb(hall, &["contact", "verify", RINA, "--how", "ditelepon kembali"]).unwrap();
    hall.stage.reload().unwrap();
}

fn letters(hall: &Hall) -> usize {
    hall.outbox().iter().filter(|row| row.kind == LetterKind::Dissemination).count()
}

const DRAFT: &str = "!diseminasi rina@bank.example\nUntuk bantuan70@bssn.test: blokir 192.0.2.7.";

#[tokio::test]
async fn one_without_any_letter_is_told_as_it_is_and_the_way_out_works() {
    let mut hall = Hall::new("");
    hall.contact(RINA, ContactKind::Person, None, true);
    hall.command("ani", &format!("!tlp AMBER\n{DRAFT}"));
    let receipt = flat(&read_by(&hall.play().await, ANI));
    assert_eq!((letters(&hall), hall.dissemination(1).unwrap().state), (0, DisseminationState::Sent));
    for says in ["tidak satu pun surelnya dikirim", "TLP:AMBER tidak satu pun diketahui terkirim", "key import BERKAS --contact ALAMAT"] {
        assert!(receipt.contains(says), "{says}:\n{receipt}");
    }
    for never in ["TEPAT YANG DIKIRIM", "YANG AKAN DIKIRIM", "TLP:AMBER terkirim", "disiapkan untuk dikirim", "outbox retry"] {
        assert!(!receipt.contains(never), "{never}:\n{receipt}");
    }
    let ticket = hall.dissemination(1).unwrap().ticket;
    hall.command("ani", &format!("!tiket {ticket}\n!status"));
    let status = flat(&read_by(&hall.play().await, ANI));
    assert!(status.contains("TLP:AMBER tidak satu pun diketahui terkirim") && !status.contains("TLP:AMBER terkirim"), "{status}");

    // What the receipt says: pin, verify, draft anew.
    let file = hall.folder().join("rina.asc");
    pin(&mut hall, &file);
    hall.command("ani", &format!("!tlp AMBER\n{DRAFT}"));
    let mails = hall.play().await;
    let receipt = flat(&read_by(&mails, ANI));
    assert_eq!((to(&mails, RINA).len(), hall.state_of(2, RINA).0), (1, RecipientState::Sent));
    assert!(receipt.contains("TEPAT YANG DIKIRIM") && !receipt.contains("tidak satu pun"), "{receipt}");
    assert_eq!(hall.state_of(1, RINA).0, RecipientState::Held, "the first one stays what it was");
    // And the first one is stopped as the receipt says.
    let number = hall.dissemination(1).unwrap().number;
    hall.command("ani", &format!("!batal {number}"));
    hall.play().await;
    assert_eq!(hall.dissemination(1).unwrap().state, DisseminationState::Cancelled);
}

#[tokio::test]
async fn who_is_to_agree_to_what_can_reach_nobody_hears_it_before() {
    let mut hall = Hall::new("");
    hall.contact(RINA, ContactKind::Person, None, true);
    hall.command("ani", &format!("!tlp RED\n{DRAFT}"));
    let mails = hall.play().await;
    let number = hall.dissemination(1).unwrap().number;
    let (receipt, request) = (flat(&read_by(&mails, ANI)), flat(&read_by(&mails, BUDI)));
    for text in [&receipt, &request] {
        assert!(text.contains(&format!("{number} tidak dapat sampai kepada siapa pun")), "{text}");
        assert!(text.contains(&format!("!batal {number}")), "{text}");
    }
    assert!(!receipt.contains("YANG AKAN DIKIRIM") && !receipt.contains("TEPAT YANG DIKIRIM"), "{receipt}");
    // Agreed to all the same: who agreed and who wrote it hear that nothing left.
    let line = hall.agreement(1);
    hall.command("budi", &line);
    let mails = hall.play().await;
    for who in [ANI, BUDI] {
        let told = flat(&read_by(&mails, who));
        assert!(told.contains("tetapi tidak satu pun surelnya dikirim"), "{who}: {told}");
        assert!(!told.contains("disiapkan untuk dikirim") && !told.contains("outbox retry"), "{who}: {told}");
    }
    // The way that the request named.
    let file = hall.folder().join("rina.asc");
    pin(&mut hall, &file);
    hall.command("ani", &format!("!batal {number}\n!tlp RED\n{DRAFT}"));
    hall.play().await;
    let line = hall.agreement(2);
    hall.command("budi", &line);
    assert_eq!(to(&hall.play().await, RINA).len(), 1);
}

/// Held for a reason that can be mended before it is agreed to: the preview shows the mail, and it leaves.
#[tokio::test]
async fn what_is_mended_before_it_is_agreed_to_leaves() {
    let mut hall = Hall::new("");
    let rina = Actor::with_key("Rina", RINA, hall.now()).unwrap();
    hall.contact(RINA, ContactKind::Person, rina.certificate().as_deref(), true);
    hall.stage.actors.retain(|_, actor| actor.address.as_str() != RINA);
    hall.stage.add(RINA, rina);
    let print = hall.stage.daemon.store.contact(&bantuan70::model::Address::parse(RINA).unwrap()).unwrap().unwrap().fingerprint.unwrap();
    let bytes = hall.stage.daemon.store.certificate(&print).unwrap().unwrap().bytes;
    let unfit =
        |hall: &Hall, problem: &str| hall.stage.daemon.store.put_certificate_with(&print, &bytes, None, problem, hall.now()).unwrap();
    unfit(&hall, "no encryption key");
    hall.command("ani", &format!("!tlp RED\n{DRAFT}"));
    let receipt = flat(&read_by(&hall.play().await, ANI));
    assert!(receipt.contains("tidak akan sampai kepada siapa pun walaupun disetujui"), "{receipt}");
    assert!(receipt.contains("YANG AKAN DIKIRIM BILA DISETUJUI") && !receipt.contains("TEPAT YANG DIKIRIM"), "{receipt}");
    unfit(&hall, "");
    let line = hall.agreement(1);
    hall.command("budi", &line);
    let mails = hall.play().await;
    assert_eq!(to(&mails, RINA).len(), 1);
    // Who agreed sees the mark and to whom it goes.
    let receipt = flat(&read_by(&mails, BUDI));
    assert!(receipt.contains("TLP:RED sedang dikirim 0 dari 1 terkirim, 1 antre"), "{receipt}");
    assert!(receipt.contains(&format!("<{RINA}> · perorangan")), "{receipt}");
}

/// Where letters stand in the outbox, held, the receipt names the way to let them go, and it works.
#[tokio::test]
async fn of_held_letters_none_is_shown_as_sent_and_retry_sends_them() {
    let mut hall = Hall::new("");
    hall.keyed_contact(RINA, ContactKind::Person);
    let print = hall.stage.daemon.store.contact(&bantuan70::model::Address::parse(RINA).unwrap()).unwrap().unwrap().fingerprint.unwrap();
    let bytes = hall.stage.daemon.store.certificate(&print).unwrap().unwrap().bytes;
    let unfit =
        |hall: &Hall, problem: &str| hall.stage.daemon.store.put_certificate_with(&print, &bytes, None, problem, hall.now()).unwrap();
    unfit(&hall, "no encryption key");
    hall.command("ani", &format!("!tlp AMBER\n{DRAFT}"));
    let receipt = flat(&read_by(&hall.play().await, ANI));
    assert!(receipt.contains("'bantuan70 outbox retry ID'") && receipt.contains("tidak satu pun surelnya dikirim"), "{receipt}");
    assert!(!receipt.contains("TEPAT YANG DIKIRIM") && !receipt.contains("key import"), "{receipt}");
    let row = hall.outbox().into_iter().find(|row| row.kind == LetterKind::Dissemination).unwrap();
    assert!(verb(&hall, &["outbox", "list"]).unwrap().contains(&row.id.to_string()));
    unfit(&hall, "");
    verb(&hall, &["outbox", "retry", &row.id.to_string()]).unwrap();
    hall.stage.wait(1);
    let mails = hall.play().await;
    assert_eq!((to(&mails, RINA).len(), hall.state_of(1, RINA).0), (1, RecipientState::Sent));
}

/// A contact that nobody vouched for: the refusal names the verb that mends it, and it does.
#[tokio::test]
async fn an_unverified_contact_is_refused_with_the_verb_that_mends_it() {
    let mut hall = Hall::new("");
    let rina = Actor::with_key("Rina", RINA, hall.now()).unwrap();
    hall.contact(RINA, ContactKind::Person, rina.certificate().as_deref(), false);
    hall.command("ani", &format!("!tlp AMBER\n{DRAFT}"));
    let receipt = flat(&read_by(&hall.play().await, ANI));
    assert!(receipt.contains("'bantuan70 contact verify ALAMAT --how CARA'") && hall.dissemination(1).is_none(), "{receipt}");
    verb(&hall, &["contact", "verify", RINA, "--how", "ditelepon kembali"]).unwrap();
    hall.command("ani", &format!("!tlp AMBER\n{DRAFT}"));
    assert_eq!(to(&hall.play().await, RINA).len(), 1);
}

/// Some are reached and one is held: who released it and who wrote it hear the way out that fits, and there is a letter in
/// the outbox exactly where that way is to try it again.
#[tokio::test]
async fn who_is_held_at_the_release_is_told_with_the_way_out_that_fits() {
    const SITI: &str = "siti@bank.example";
    for has_key in [false, true] {
        let mut hall = Hall::new("");
        hall.keyed_contact(SITI, ContactKind::Person);
        if has_key {
            hall.keyed_contact(RINA, ContactKind::Person);
        } else {
            hall.contact(RINA, ContactKind::Person, None, true);
        }
        let mark = |hall: &Hall, problem: &str| {
            let store = &hall.stage.daemon.store;
            let contact = store.contact(&bantuan70::model::Address::parse(RINA).unwrap()).unwrap().unwrap();
            if let Some(print) = contact.fingerprint {
                let bytes = store.certificate(&print).unwrap().unwrap().bytes;
                store.put_certificate_with(&print, &bytes, None, problem, hall.now()).unwrap();
            }
        };
        hall.tell_news();
        mark(&hall, "no encryption key");
        hall.command("ani", &format!("!tlp RED\n!diseminasi {SITI} {RINA}\nUntuk bantuan70@bssn.test: blokir 192.0.2.7."));
        hall.play().await;
        let line = hall.agreement(1);
        hall.command("budi", &line);
        let mails = hall.play().await;
        assert_eq!((to(&mails, SITI).len(), hall.state_of(1, RINA).0), (1, RecipientState::Held));
        let listed = verb(&hall, &["outbox", "list"]).unwrap();
        assert_eq!((letters(&hall), listed.contains(RINA)), (1 + usize::from(has_key), has_key), "{listed}");
        for who in [ANI, BUDI] {
            let told = flat(&read_by(&mails, who));
            let ways = (told.contains("outbox retry ID"), told.contains("tidak ada surel yang dapat dikirim ulang"));
            assert_eq!(ways, (has_key, !has_key), "{who}: {told}");
            assert!(told.contains("!diseminasi baru") && !told.contains("Tidak satu pun surel"), "{who}: {told}");
        }
        if has_key {
            mark(&hall, "");
            let row = hall.outbox().into_iter().find(|row| row.to == RINA).unwrap();
            hall.retry(bantuan70::store::OutboxId(row.id)).unwrap();
            assert_eq!(to(&hall.play().await, RINA).len(), 1);
        }
    }
}
