//! What those who wrote and agreed to a dissemination are told of it: its subject, its end, its confirmations.

use super::{Hall, Note, read_by, to};
use bantuan70::model::contact::ContactKind;
use bantuan70::model::letter::{LetterKind, LetterState};

const SOC: &str = "soc@listrik.example";
const ANI: &str = "ani@bssn.test";
const BUDI: &str = "budi@bssn.test";

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

/// Agreed to and cancelled before it left: the author learns that it never did, from whom, and why.
#[test]
fn the_author_hears_that_what_was_agreed_to_is_cancelled() {
    run(async {
        let mut hall = Hall::new("");
        hall.keyed_contact(SOC, ContactKind::Role);
        hall.command("ani", &format!("!tlp AMBER+STRICT\n!diseminasi {SOC}\nUntuk bantuan70@bssn.test: blokir 192.0.2.7."));
        hall.decide().await;
        let agreement = hall.agreement(1);
        hall.command("budi", &agreement);
        hall.decide().await;
        let number = hall.dissemination(1).unwrap().number;
        hall.command("budi", &format!("!batal {number}\nAlamatnya salah ketik."));
        let sent = hall.play().await;
        assert!(to(&sent, SOC).is_empty(), "nothing left");
        assert!(hall.outbox().iter().all(|row| row.kind != LetterKind::Dissemination || row.state == LetterState::Cancelled));
        let ani = read_by(&sent, ANI);
        assert!(ani.contains(&format!("{number} dibatalkan oleh {BUDI}")), "{ani}");
        assert!(ani.contains("Alamatnya salah ketik."), "{ani}");
        assert!(ani.contains("0 dari 1 terkirim"), "{ani}");
        assert!(!ani.contains("dan dikirim"), "nobody says that it was sent: {ani}");
    });
}

/// A receipt says nothing of its own dissemination that is not so, before and after it is agreed to.
#[test]
fn a_receipt_says_whether_it_is_agreed_to() {
    run(async {
        let mut hall = Hall::new("");
        hall.keyed_contact(SOC, ContactKind::Role);
        for (mark, says, never) in [
            ("AMBER", "TEPAT YANG DIKIRIM", "menunggu persetujuan"),
            ("AMBER+STRICT", "YANG AKAN DIKIRIM BILA DISETUJUI", "TEPAT YANG DIKIRIM"),
        ] {
            hall.command("ani", &format!("!tlp {mark}\n!diseminasi {SOC}\nUntuk bantuan70@bssn.test: blokir 192.0.2.7."));
            let receipt = read_by(&hall.play().await, ANI);
            assert!(receipt.contains(says), "{mark}: {receipt}");
            assert!(!receipt.contains(never), "{mark}: {receipt}");
        }
    });
}

/// A subject that was not signed is not used; who wrote it learns so, and who is to agree reads which one it is.
#[test]
fn a_subject_that_is_not_signed_is_told() {
    run(async {
        let mut hall = Hall::new("");
        hall.keyed_contact(SOC, ContactKind::Role);
        let text = format!("!tlp AMBER+STRICT\n!diseminasi {SOC}\nUntuk bantuan70@bssn.test: blokir 192.0.2.7.");
        hall.command_with("ani", Note { text, ..Note::default() });
        let sent = hall.play().await;
        let receipt = read_by(&sent, ANI);
        assert!(receipt.contains("Tidak ada Subjek yang ikut ditandatangani"), "{receipt}");
        let request = read_by(&sent, BUDI);
        assert!(request.contains("Diseminasi informasi (judul netral)"), "{request}");
        hall.command("ani", &format!("!tlp AMBER+STRICT\n!diseminasi {SOC}\nUntuk bantuan70@bssn.test: blokir 192.0.2.8."));
        let receipt = read_by(&hall.play().await, ANI);
        assert!(!receipt.contains("Tidak ada Subjek"), "one that was signed is used: {receipt}");
    });
}
