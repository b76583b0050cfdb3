//! A dissemination to many holds up nobody, and shows how far it is.

use super::{Hall, read_by, to};
use bantuan70::cli::demo::stage::{Actor, Note};
use bantuan70::model::contact::ContactKind;
use bantuan70::model::dissemination::{DisseminationState, RecipientState};
use bantuan70::model::letter::{LetterKind, LetterState};
use bantuan70::model::{Address, Language};
use bantuan70::store::{NewContact, OutboxId};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// A report that comes while a dissemination waits to go to many is acknowledged before it.
#[tokio::test]
async fn an_acknowledgement_overtakes_a_dissemination_to_many() {
    let mut hall = Hall::new("");
    let certificate = Actor::with_key("Bank", "csirt@bank.example", hall.now()).unwrap().certificate().unwrap();
    for n in 0..60 {
        hall.contact(&format!("n{n}@bank.example"), ContactKind::Role, Some(&certificate), true);
    }
    hall.command("ani", "!tlp AMBER\n!diseminasi sector:finance\nUntuk bantuan70@bssn.test.");
    hall.decide().await;
    let joko = Actor::without_key("Joko", "joko@kantor.example").unwrap();
    let note = Note { subject: "Situs diretas".to_owned(), text: "Halaman depan kami diganti orang.".to_owned(), ..Note::default() };
    let raw = joko.writes(&Address::parse("bantuan70@bssn.test").unwrap(), &note, "a@kantor.example", hall.now()).unwrap();
    hall.stage.add("joko", joko);
    hall.stage.deliver(&raw).unwrap();
    hall.decide().await;
    let store = &hall.stage.daemon.store;
    // What the sending side takes next, a batch at a time.
    let next: Vec<LetterKind> =
        store.due_letters(hall.now(), 20).unwrap().into_iter().map(|id| store.letter(id).unwrap().letter.kind).collect();
    assert_eq!(next[0], LetterKind::Acknowledgement, "{next:?}");
    let first = next.iter().position(|kind| *kind == LetterKind::Dissemination).unwrap();
    assert!(next[first..].iter().all(|kind| *kind == LetterKind::Dissemination), "{next:?}");
    assert!(next[..first].iter().all(|kind| *kind != LetterKind::Dissemination));
    // Sixty that wait for their first try are one line, and each is listed to who asks for all.
    let list = said(&hall, &["outbox", "list"]);
    assert!(list.contains("DIS-") && !list.contains("@bank.example"), "{list}");
    assert_eq!(said(&hall, &["outbox", "list", "--all"]).matches("@bank.example").count(), 60);

    // How far it is, before, in between and after.
    let number = hall.dissemination(1).unwrap().number;
    let far =
        |hall: &Hall, state| hall.stage.daemon.store.dissemination_progress().unwrap().get(&number).and_then(|by| by.get(&state)).copied();
    assert_eq!((far(&hall, LetterState::Queued), far(&hall, LetterState::Sent)), (Some(60), None));
    let held = hall.outbox().into_iter().find(|row| row.kind == LetterKind::Dissemination).unwrap();
    hall.stage.daemon.store.hold(OutboxId(held.id), "test", hall.now()).unwrap();
    hall.play().await;
    assert_eq!((far(&hall, LetterState::Held), far(&hall, LetterState::Sent), far(&hall, LetterState::Queued)), (Some(1), Some(59), None));
    // Who asks sees it: at the command line, for programs, and by mail.
    let list = said(&hall, &["outbox", "list"]);
    assert!(list.ends_with(&format!("{number}: 59 of 60 sent, 1 held\n")) && list.lines().count() == 3, "{list}");
    let ticket = hall.dissemination(1).unwrap().ticket.to_string();
    let page = said(&hall, &["ticket", "show", &ticket]);
    assert!(page.contains(&format!("{number} TLP:AMBER sending: 59 of 60 sent, 1 queued\n")), "{page}");
    assert_eq!(page.matches("(the same text)").count(), 59, "the text of all is shown once");
    let json: serde_json::Value = serde_json::from_str(&said(&hall, &["ticket", "show", &ticket, "--json"])).unwrap();
    assert_eq!(json["disseminations"][0]["progress"], serde_json::json!({"queued": 1, "sent": 59}));
    let letters = json["messages"].as_array().unwrap().iter().filter(|message| message["kind"] == "dissemination");
    assert!(letters.clone().count() == 60 && letters.clone().all(|letter| letter["text"] == "Untuk bantuan70@bssn.test."));
    hall.command("ani", &format!("!tiket {ticket}\n!status"));
    let answer = read_by(&hall.play().await, "ani@bssn.test");
    assert!(answer.contains(&format!("{number} TLP:AMBER sedang dikirim")) && answer.contains("59 dari 60 terkirim, 1 antre"), "{answer}");

    hall.retry(OutboxId(held.id)).unwrap();
    hall.play().await;
    assert_eq!(far(&hall, LetterState::Sent), None, "what has left is no longer shown as on its way");
}

/// A file that goes to many stands in the database once, not in each sealed mail that has left; one that came back is
/// sealed anew under its Message-ID.
#[tokio::test]
async fn a_large_file_stays_in_the_database_once_and_can_be_sent_again() {
    let mut hall = Hall::new("");
    for n in 0..3 {
        hall.keyed_contact(&format!("n{n}@bank.example"), ContactKind::Role);
    }
    let text = "!tlp AMBER\n!diseminasi sector:finance\nUntuk bantuan70@bssn.test.".to_owned();
    let file = ("rekaman.pcap".to_owned(), "application/octet-stream".to_owned(), (0..200_000_u32).map(|n| (n % 251) as u8).collect());
    hall.command_with("ani", Note { subject: "Perintah".to_owned(), text, enclosures: vec![file], ..Note::default() });
    let first = hall.play().await;
    let rows: Vec<_> = hall.outbox().into_iter().filter(|row| row.kind == LetterKind::Dissemination).collect();
    assert!(rows.len() == 3 && rows.iter().all(|row| row.state == LetterState::Sent && hall.sealed(row).is_none()));
    let others: Vec<_> = hall.outbox().into_iter().filter(|row| row.kind != LetterKind::Dissemination).collect();
    assert!(others.iter().all(|row| hall.sealed(row).is_some()), "what is sent once is kept as it went");
    assert_eq!(hall.stage.daemon.store.audit_verify().unwrap().problems, [""; 0]);
    // The export names what it has no more, by the hash of exactly what went out, and brings all else.
    let export = said(&hall, &["ticket", "export", "--format", "eml", &hall.dissemination(1).unwrap().ticket.0]);
    let (mails, left_out) = export.split_once("Left out: ").unwrap();
    for row in &rows {
        let mail = to(&first, &row.to)[0];
        let line = left_out.lines().find(|line| line.contains(&row.message_id)).unwrap();
        assert!(line.contains(&row.to) && line.ends_with(&bantuan70::model::Sha256::of(&mail.raw).0), "{line}");
    }
    assert_eq!(left_out.matches("SHA-256 ").count() - left_out.matches("with the SHA-256").count(), rows.len(), "{left_out}");
    assert_eq!(mails.matches("Content-Type: message/rfc822").count(), 1 + others.len(), "the command and each letter to people");

    let back = &rows[0];
    let report = format!(
        "Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example\r\nTo: bantuan70@bssn.test\r\nSubject: Undelivered\r\nMessage-ID: <dsn.1@mx.example>\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\
         Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; {}\r\nAction: failed\r\n\
         Status: 5.2.2\r\n\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{}>\r\n\r\n--b--\r\n",
        back.to, back.message_id
    );
    hall.stage.deliver(report.as_bytes()).unwrap();
    hall.play().await;
    hall.retry(OutboxId(back.id)).unwrap();
    let again = hall.play().await;
    let again = to(&again, &back.to)[0];
    let before = to(&first, &back.to)[0];
    assert_eq!((again.protection, &again.message_id), ("encrypted", &before.message_id));
    assert_eq!((&again.text, &again.subject), (&before.text, &before.subject));
}

/// What a verb of the command line answers about this hall.
fn said(hall: &Hall, arguments: &[&str]) -> String {
    let config = hall.folder().join("bantuan70.toml");
    let output = Command::new(env!("CARGO_BIN_EXE_bantuan70")).args(arguments).arg("--config").arg(config).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Contract 12.2 for many: each of 2,000 gets its mail once, and who reports in between is acknowledged
/// before the next of them. Asserted on the order in which the mails left.
#[tokio::test]
async fn two_thousand_get_one_mail_each_and_acknowledgements_leave_in_between() {
    const RECIPIENTS: usize = 2_000;
    let mut hall = Hall::new("");
    let (now, center) = (hall.now(), Address::parse("bantuan70@bssn.test").unwrap());
    for n in 0..RECIPIENTS {
        let contact = NewContact {
            name: format!("Kontak {n}"),
            address: Address::parse(&format!("csirt{n}@bank.example")).unwrap(),
            kind: ContactKind::Role,
            organisation: "Bank".to_owned(),
            sectors: vec!["finance".to_owned()],
            groups: Vec::new(),
            language: Language::Id,
            fingerprint: None,
            expires_at: None,
        };
        hall.stage.daemon.store.add_contact(&contact, "test", now).unwrap();
        hall.stage.daemon.store.verify_contact(&contact.address, "call-back", "test", now).unwrap();
    }
    let text = "!tlp GREEN\n!diseminasi sector:finance\nTutup port 8443. Untuk bantuan70@bssn.test.".to_owned();
    let file = ("ioc.csv".to_owned(), "text/csv".to_owned(), vec![b'7'; 20_000]);
    hall.command_with("ani", Note { subject: "Perintah".to_owned(), text, enclosures: vec![file], ..Note::default() });
    hall.decide().await;
    let database = hall.folder().join("data/bantuan70.db");
    let bytes = std::fs::metadata(&database).unwrap().len();
    assert!(bytes < 15_000_000, "the words and files stand in the database once, not 2,000 times: {bytes} bytes");

    let out = hall.folder().join("out/new");
    let left = || std::fs::read_dir(&out).unwrap().count();
    let daemon = hall.stage.daemon.clone();
    let sending = tokio::spawn(async move { daemon.once().await.map_err(|error| error.to_string()) });
    let mut latest: BTreeMap<String, usize> = BTreeMap::new();
    for (when, who) in [(200, "joko"), (800, "siti"), (1_400, "wati")] {
        while left() < when {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let reporter = Actor::without_key(who, &format!("{who}@kantor.example")).unwrap();
        let note = Note { subject: "Situs diretas".to_owned(), text: format!("Halaman depan {who} diganti orang."), ..Note::default() };
        hall.stage.deliver(&reporter.writes(&center, &note, &format!("{who}@kantor.example"), now).unwrap()).unwrap();
        hall.decide().await;
        // One mail may be under way at the moment at which the acknowledgement is queued.
        latest.insert(reporter.address.to_string(), left() + 1);
    }
    sending.await.unwrap().unwrap();

    // The files are named in the order in which they were delivered.
    let mut files: Vec<PathBuf> = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for (place, path) in files.iter().enumerate() {
        let mail = bantuan70::mail::read::read(&std::fs::read(path).unwrap()).0;
        let to = mail.to[0].address.clone().unwrap().to_string();
        if let Some(latest) = latest.get(&to) {
            assert!(place <= *latest, "the acknowledgement to {to} left as number {place}, and {latest} is late");
        }
        if to.starts_with("csirt") {
            assert!(mail.text.full.contains("Tutup port 8443.") && mail.text.full.matches("TLP:GREEN").count() >= 2);
            assert_eq!(mail.attachments.iter().filter(|file| file.content.len() == 20_000).count(), 1);
        }
        *times.entry(to).or_default() += 1;
    }
    assert!(latest.keys().all(|to| times.get(to) == Some(&1)), "each reporter was acknowledged once");
    assert_eq!(times.iter().filter(|(to, times)| to.starts_with("csirt") && **times == 1).count(), RECIPIENTS);
    assert!(hall.outbox().iter().all(|row| row.state == LetterState::Sent), "everything left");
    let one = hall.dissemination(1).unwrap();
    assert_eq!((one.state, one.progress()), (DisseminationState::Sent, BTreeMap::from([(RecipientState::Sent, RECIPIENTS)])));
    assert_eq!(hall.stage.daemon.store.audit_verify().unwrap().problems, [""; 0]);
}
