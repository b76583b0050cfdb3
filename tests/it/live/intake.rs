//! Reports come in and are acknowledged; robots are not; daemons that write to each other fall silent.

use super::center::{ADDRESS, Center, report};
use crate::harness::servers::wait_for;
use bantuan70::mail::entity::Entity;
use std::time::Instant;

/// The reporters' answers are the first thing that people see of the centre, so the time is printed.
#[test]
fn a_report_is_acknowledged_at_once_signed_and_with_the_contracts_headers() {
    let center = Center::new();
    let mut daemon = center.start();
    center.open_ticket("pertama@warga.example", "Situs diretas");
    let bytes = report("kedua@warga.example", "Situs dinas canary-subjek diretas", "Halaman depan canary-teks berubah.\r\n");
    let start = Instant::now();
    center.deliver(&bytes);
    let letter = center.wait_mail("kedua@warga.example", "an acknowledgement", |_| true);
    println!("acknowledged after {} ms", start.elapsed().as_millis());

    let number = letter.header("X-Bantuan70-Ticket").unwrap();
    assert!(number.ends_with("-000002"), "{number}");
    let ours = letter.mail.message_id.clone().unwrap();
    let theirs = bantuan70::mail::read::read(&bytes).0.message_id.unwrap();
    assert!(ours.ends_with("@bssn.test"), "{ours}");
    assert_eq!(letter.header("Auto-Submitted").as_deref(), Some("auto-replied"));
    assert!(letter.answers(&theirs));
    assert_eq!(letter.header("References"), Some(format!("<{theirs}>")));
    assert_eq!(letter.mail.from_one().unwrap().as_str(), ADDRESS);
    assert_eq!(letter.header("Return-Path"), Some(format!("<{ADDRESS}>")));
    assert!(letter.mail.subject.starts_with(&format!("[{number}] ")), "{}", letter.mail.subject);
    assert!(letter.header("Date").is_some());
    let all = String::from_utf8(letter.raw.clone()).unwrap();
    assert!(all.is_ascii() && all.lines().all(|line| line.len() <= 998));
    assert!(letter.mail.text.full.contains(&number));
    for canary in ["canary-subjek", "canary-teks"] {
        assert!(!all.contains(canary) && !letter.mail.text.full.contains(canary), "{canary} was sent back");
    }

    assert!(letter.header("Content-Type").unwrap().starts_with("multipart/signed"));
    let signature = Entity::read(&letter.part(1)).unwrap().content().to_vec();
    let run = center.gpg.verify(&signature, &letter.part(0));
    assert_eq!(run.good_signer().as_deref(), Some(center.fingerprint.as_str()), "{}", run.status);
    let (status, _) = daemon.terminate();
    assert_eq!(status.code(), Some(0), "{}", center.log());
    assert!(center.servers.messages("bantuan70", "INBOX").is_empty(), "what is decided has left the inbox");
    center.audit();
}

#[test]
fn l20_a_real_bounce_of_an_acknowledgement_is_recorded_and_answered_by_nothing() {
    let center = Center::new();
    let _daemon = center.start();
    // Postfix takes the acknowledgement and then finds that it cannot be delivered.
    center.deliver(&report("pelapor@nirwana.example", "Situs diretas", "Halaman depan situs kami diretas.\r\n"));
    let is_bounce = || center.json(&["mail", "list"]).into_iter().find(|row| row["kind"] == "bounce" && row["state"] == "decided");
    let bounce = wait_for(|| format!("the bounce\n{}", center.log()), is_bounce);
    assert!(bounce["ticket"].as_str().is_some_and(|number| number.ends_with("-000001")), "{bounce}");
    center.wait_quiet();
    assert_eq!(center.written_to(), ["pelapor@nirwana.example"]);
    let row = center.outbox().into_iter().find(|row| row["to"] == "pelapor@nirwana.example").unwrap();
    assert_eq!((&row["state"], &row["attempts"]), (&"failed".into(), &1.into()), "{row}");
    assert_eq!(center.json(&["ticket", "list"]).len(), 1);
}
