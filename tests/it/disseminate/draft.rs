//! What the author and those who must agree see before anything leaves, and what time and a second
//! thought do to it.

use super::{Hall, read_by, to};
use bantuan70::cli::demo::stage::{Actor, Note};
use bantuan70::model::Address;
use bantuan70::model::contact::ContactKind;
use bantuan70::model::dissemination::DisseminationState;
use bantuan70::model::letter::LetterState;

const RINA: &str = "rina@bank.example";

/// What an analyst answers below (or above) holds other people's words: an internal note, another ticket, another
/// stakeholder. Nothing of it goes along.
#[tokio::test]
async fn d8_nothing_quoted_goes_along_to_a_recipient_or_a_reporter() {
    let mut hall = Hall::new("");
    hall.keyed_contact(RINA, ContactKind::Person);
    hall.stage.add("joko", Actor::without_key("Joko", "joko@kantor.example").unwrap());
    hall.command("ani", "!catatkan telegram joko@kantor.example\nbantuan70@bssn.test: situs bank diretas.");
    hall.play().await;
    let ticket = format!("BANTUAN70-{}-000001", hall.year);
    let secrets = ["canary-catatan", "BANTUAN70-2026-000777", "direktur@bank-lain.example", "!tutup"];
    let quoted = "> -- balas di atas garis ini / reply above this line --\n> Catatan internal: canary-catatan, lihat BANTUAN70-2026-000777\n> dan direktur@bank-lain.example\n> !tutup\n";
    let attribution = "Pada Sel, 24 Nov 2026 pukul 09.00 Bantuan70 <bantuan70@bssn.test> menulis:\n";
    let commands = [("!balas\n!terbuka", "joko@kantor.example"), ("!tlp GREEN\n!diseminasi rina@bank.example", RINA)];
    for (n, (command, address)) in commands.into_iter().enumerate() {
        for (m, text) in [
            format!("!tiket {ticket}\n{command}\nTutup port 8443.\n\n{attribution}{quoted}"),
            format!("{attribution}{quoted}\n!tiket {ticket}\n{command}\nTutup port 8443."),
        ]
        .into_iter()
        .enumerate()
        {
            hall.command("ani", &text);
            let mails = hall.play().await;
            let (letter, receipt) = (read_by(&mails, address), read_by(&mails, "ani@bssn.test"));
            assert!(letter.contains("Tutup port 8443.") && receipt.contains("TEPAT YANG DIKIRIM"), "{n} {m}: {letter}\n{receipt}");
            for secret in secrets {
                assert!(!letter.contains(secret), "{n} {m}: {secret} in\n{letter}");
            }
            let shown = receipt.split("TEPAT YANG DIKIRIM").nth(1).unwrap();
            assert!(shown.contains("Tutup port 8443.") && !shown.contains("canary-catatan"), "{n} {m}: {shown}");
        }
    }
}

#[tokio::test]
async fn the_receipt_shows_manifest_recipients_who_must_agree_and_the_mail_itself() {
    let mut hall = Hall::new("");
    hall.keyed_contact(RINA, ContactKind::Person);
    hall.contact("tanpa@bank.example", ContactKind::Person, None, true);
    let file = ("jejak.csv".to_owned(), "text/csv".to_owned(), b"203.0.113.7".to_vec());
    let text = format!("!tlp RED\n!diseminasi {RINA}, tanpa@bank.example\nBlokir alamat itu. (bantuan70@bssn.test)");
    hall.command_with("ani", Note { subject: "Serangan".to_owned(), text, enclosures: vec![file], ..Note::default() });
    let mails = hall.play().await;
    let one = hall.dissemination(1).unwrap();
    let print = one.recipients[0].fingerprint.as_ref().unwrap();
    let receipt = read_by(&mails, "ani@bssn.test");
    for line in [
        format!("Manifes rilis {}; yang disetujui adalah tepat baris-baris ini:", one.number),
        format!("recipient {RINA} person {print}"),
        format!("attachment {}", one.enclosures[0].sha256),
        format!("<{RINA}> · perorangan · OpenPGP {print} · akan dikirim bila disetujui"),
        "<tanpa@bank.example> · perorangan · - · ditahan".to_owned(),
        "tanpa@bank.example ditahan: TLP:RED tidak pernah dikirim tanpa enkripsi".to_owned(),
        "masih diperlukan persetujuan 1 orang lagi; yang berwenang: budi@bssn.test, rudi@bssn.test".to_owned(),
        format!("Kepada: {RINA}"),
        "TLP:RED Serangan".to_owned(),
        "Subjek di luar enkripsi: [".to_owned(),
        "Lampiran: jejak.csv · text/csv".to_owned(),
        "Perihal: Serangan".to_owned(),
    ] {
        assert!(receipt.contains(&line), "{line}:\n{receipt}");
    }
    let request = read_by(&mails, "budi@bssn.test");
    for line in [one.manifest().lines().last().unwrap().trim(), "jejak.csv · text/csv", &one.code(), "tanpa@bank.example"] {
        assert!(request.contains(line), "{line}:\n{request}");
    }
    // The mail that was shown is the mail that comes.
    let line = hall.agreement(1);
    hall.command("budi", &line);
    let sent = hall.play().await;
    let mail = to(&sent, RINA)[0];
    let shown: String = receipt.lines().map(|line| format!("{}\n", line.strip_prefix("    ").unwrap_or(line))).collect();
    assert!(shown.contains(mail.text.replace("\r\n", "\n").trim()), "{}\n--- shown\n{shown}", mail.text);
    assert!(shown.contains(&mail.subject));
}

/// Whoever drafts and whoever agrees sees beside each recipient that mail to it came back, and that its
/// certificate ends soon; once somebody has spoken with it again, the first is gone.
#[tokio::test]
async fn receipt_and_request_show_whose_mail_came_back_and_whose_certificate_ends() {
    let mut hall = Hall::new("");
    hall.keyed_contact("lain@bank.example", ContactKind::Person);
    let made = hall.now().checked_sub(super::KEY_LIFE).unwrap() + jiff::SignedDuration::from_hours(24 * 20);
    let rina = Actor::with_key("Rina", RINA, made).unwrap();
    let certificate = rina.certificate().unwrap();
    hall.stage.add("rina", rina);
    hall.contact(RINA, ContactKind::Person, Some(&certificate), true);
    hall.command("ani", &format!("!tlp AMBER\n!diseminasi {RINA}\nUntuk bantuan70@bssn.test."));
    let sent = hall.play().await;
    let mail = to(&sent, RINA).into_iter().find(|mail| mail.message_id.starts_with("dissemination.")).unwrap();
    let bounce = format!(
        "Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example\r\nTo: bantuan70@bssn.test\r\nSubject: Undelivered\r\nMessage-ID: <dsn@mx.example>\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; {RINA}\r\n\
         Action: failed\r\nStatus: 5.1.1\r\nDiagnostic-Code: smtp; 550 no such user\r\n\r\n\
         --b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{}>\r\n\r\n--b--\r\n",
        mail.message_id
    );
    hall.stage.deliver(bounce.as_bytes()).unwrap();
    hall.play().await;
    let drafted =
        |hall: &mut Hall| hall.command("ani", &format!("!tlp RED\n!diseminasi {RINA}, lain@bank.example\nUntuk bantuan70@bssn.test."));
    drafted(&mut hall);
    let mails = hall.play().await;
    let of = |text: &str, address: &str| text.lines().find(|line| line.contains(&format!("<{address}>"))).unwrap().to_owned();
    for person in ["ani@bssn.test", "budi@bssn.test"] {
        let told = read_by(&mails, person);
        let line = of(&told, RINA);
        assert!(line.contains(" · surel kepadanya kembali 20") && line.contains("550 no such user"), "{person}: {line}");
        assert!(line.contains(" · sertifikatnya berakhir 20"), "{person}: {line}");
        let other = of(&told, "lain@bank.example");
        assert!(!other.contains("kembali") && !other.contains("berakhir"), "{person}: {other}");
    }
    hall.stage.daemon.store.verify_contact(&Address::parse(RINA).unwrap(), "call-back", "test", hall.now()).unwrap();
    drafted(&mut hall);
    let line = of(&read_by(&hall.play().await, "budi@bssn.test"), RINA);
    assert!(!line.contains("kembali") && line.contains("berakhir"), "{line}");
}

/// A label higher than the chosen one, wherever it stands, needs a second person.
#[tokio::test]
async fn a_higher_mark_in_text_name_or_file_needs_a_second_person() {
    let files = |name: &str, content: &str| vec![(name.to_owned(), "text/plain".to_owned(), content.as_bytes().to_vec())];
    for (text, enclosures, named) in [
        ("TLP:AMBER\nBlokir alamat itu.", Vec::new(), "teksnya"),
        ("Blokir alamat itu.", files("TLP_RED_daftar.txt", "alamat"), "TLP_RED_daftar.txt"),
        ("Blokir alamat itu.", files("daftar.txt", "TLP:AMBER+STRICT\n\n203.0.113.7"), "daftar.txt"),
    ] {
        let mut hall = Hall::new("");
        hall.keyed_contact(RINA, ContactKind::Person);
        let text = format!("!tlp GREEN\n!diseminasi {RINA}\n{text}\nUntuk bantuan70@bssn.test.");
        hall.command_with("ani", Note { subject: "Serangan".to_owned(), text, enclosures, ..Note::default() });
        let mails = hall.play().await;
        assert!(to(&mails, RINA).is_empty(), "{named}: the author alone was enough");
        assert!(hall.dissemination(1).unwrap().manifest().contains("mark TLP:GREEN lowered"));
        for person in ["ani@bssn.test", "budi@bssn.test"] {
            let told = read_by(&mails, person);
            assert!(told.contains(&format!("{named} bertanda TLP:")) && told.contains("TLP:GREEN"), "{named}:\n{told}");
        }
        let line = hall.agreement(1);
        hall.command("budi", &line);
        assert_eq!(to(&hall.play().await, RINA).len(), 1, "{named}");
    }
}

#[tokio::test]
async fn a_draft_that_nobody_agreed_to_ends_after_a_week_and_its_author_is_told() {
    let mut hall = Hall::new("");
    hall.keyed_contact(RINA, ContactKind::Person);
    hall.command("ani", &format!("!tlp RED\n!diseminasi {RINA}\nUntuk bantuan70@bssn.test."));
    hall.play().await;
    let line = hall.agreement(1);
    hall.stage.wait(7 * 24 - 1);
    assert!(hall.play().await.iter().all(|mail| !mail.text.contains("tidak disetujui dalam 7 hari")));
    hall.stage.wait(1);
    let told = read_by(&hall.play().await, "ani@bssn.test");
    assert!(told.contains("DIS-") && told.contains("7 hari"), "{told}");
    assert_eq!(hall.dissemination(1).unwrap().state, DisseminationState::Cancelled);
    hall.command("budi", &line);
    assert!(to(&hall.play().await, RINA).is_empty());
    hall.stage.wait(1);
    assert!(hall.play().await.is_empty(), "it ends once");
}

#[tokio::test]
async fn a_cancelled_dissemination_sends_nothing_that_has_not_left() {
    let mut hall = Hall::new("");
    hall.keyed_contact(RINA, ContactKind::Person);
    hall.contact("tanpa@bank.example", ContactKind::Person, None, true);
    hall.command("ani", &format!("!tlp GREEN\n!diseminasi {RINA}, tanpa@bank.example\nUntuk bantuan70@bssn.test."));
    hall.decide().await;
    let one = hall.dissemination(1).unwrap();
    hall.command("budi", &format!("!batal {}", one.number));
    let mails = hall.play().await;
    assert!(mails.iter().all(|mail| mail.to.as_str().ends_with("@bssn.test")));
    let left: Vec<LetterState> =
        hall.outbox().iter().filter(|row| row.to.as_str().ends_with("bank.example")).map(|row| row.state).collect();
    assert_eq!(left, [LetterState::Cancelled; 2]);
    hall.stage.wait(48);
    assert!(hall.play().await.iter().all(|mail| !mail.to.as_str().ends_with("bank.example")), "no reminder of what was never sent");
}
