//! How many people must agree: mark, number that is configured, and who of those who can, cannot, or
//! are told of elsewhere has agreed. Whether anything leaves is asked of the mail that left.

use super::{Hall, read_by, to};
use bantuan70::cli::demo::stage::Actor;
use bantuan70::model::Tlp;
use bantuan70::model::contact::ContactKind;
use bantuan70::model::dissemination::DisseminationState;

const RINA: &str = "rina@bank.example";

/// Ani and budi can agree and the chief rudi may; cici is an analyst who cannot.
fn hall(needed: u32, folder: &std::path::Path) -> Hall {
    let cici = Actor::with_key("Cici", "cici@bssn.test", jiff::Timestamp::now()).unwrap();
    let file = folder.join("cici.asc");
    std::fs::write(&file, cici.certificate().unwrap()).unwrap();
    let more = format!(
        "\n[dissemination]\napprovals = {{ RED = {needed}, \"AMBER+STRICT\" = {needed}, AMBER = {needed}, GREEN = {needed}, CLEAR = {needed} }}\n\
         \n[[analyst]]\nname = \"Cici\"\naddress = \"cici@bssn.test\"\ncertificate = {file:?}\ncan_approve = false\n"
    );
    let mut hall = Hall::new(&more);
    hall.stage.add("cici", cici);
    hall.keyed_contact(RINA, ContactKind::Person);
    hall
}

/// Whether anything left for rina, and what each was told.
async fn left(hall: &mut Hall) -> (bool, String) {
    let sent = hall.play().await;
    let letters = to(&sent, RINA).iter().filter(|mail| mail.message_id.starts_with("dissemination.")).count();
    assert!(letters <= 1);
    let told = ["ani", "budi", "rudi", "cici"].map(|person| read_by(&sent, &format!("{person}@bssn.test")));
    (letters == 1, told.concat())
}

/// Drafts under that mark, then lets these agree one after another; gives after how many it left.
async fn sequence(hall: &mut Hall, serial: u32, mark: Tlp, people: &[&str]) -> Option<usize> {
    hall.command(people[0], &format!("!tlp {}\n!diseminasi {RINA}\nSegera perbarui (bantuan70@bssn.test).", mark.word()));
    let mut left_after = left(hall).await.0.then_some(0);
    for (index, person) in people.iter().enumerate().skip(1) {
        let line = hall.agreement(serial);
        hall.command(person, &line);
        let (has_left, told) = left(hall).await;
        assert!(!(has_left && left_after.is_some()), "it left twice");
        if has_left {
            left_after = Some(index);
        } else if *person == "cici" && left_after.is_none() {
            assert!(told.contains("tidak berwenang menyetujui"), "{told}");
        } else if left_after.is_none() {
            assert!(told.contains("masih menunggu orang lain") || told.contains("persetujuan orang lain yang masih diperlukan"), "{told}");
        }
    }
    let state = hall.dissemination(serial).unwrap().state;
    assert_eq!(state != DisseminationState::AwaitingApproval, left_after.is_some(), "{mark:?} {people:?}: {state}");
    left_after
}

/// The author's mail is the first agreement, where the author can agree at all; one person counts once;
/// who cannot agree never counts; a chief may.
#[tokio::test]
async fn c13_it_leaves_with_the_agreement_of_enough_people_and_not_before() {
    for needed in 1..=3 {
        let folder = tempfile::tempdir().unwrap();
        let mut hall = hall(needed, folder.path());
        let mut serial = 0;
        for mark in Tlp::ALL {
            for (people, wanted) in [
                (&["ani", "cici", "ani", "budi", "rudi"][..], [Some(0), Some(3), Some(4)]),
                (&["cici", "cici", "rudi", "budi", "ani"], [Some(2), Some(3), Some(4)]),
                (&["ani", "ani", "ani", "cici"], [Some(0), None, None]),
                (&["rudi", "budi"], [Some(0), Some(1), None]),
            ] {
                serial += 1;
                let got = sequence(&mut hall, serial, *mark, people).await;
                assert_eq!(got, wanted[needed as usize - 1], "{mark:?}, {needed} needed, {people:?}");
            }
        }
    }
}

/// What contract 2 has where nothing is configured: RED and AMBER+STRICT ask for a second person.
#[tokio::test]
async fn by_default_red_and_amber_strict_ask_for_two_people_and_the_others_for_one() {
    let mut hall = Hall::new("");
    hall.keyed_contact(RINA, ContactKind::Person);
    for (serial, mark) in (1..).zip(Tlp::ALL) {
        let got = sequence(&mut hall, serial, *mark, &["ani", "rudi"]).await;
        assert_eq!(got, Some(usize::from(*mark >= Tlp::AmberStrict)), "{mark:?}");
    }
}
