//! The network against real servers, and against servers that fail and lie.

use crate::harness::servers::Servers;
use bantuan70::wire::imap::{self, Session};
use bantuan70::wire::{Body, Filing, Timeouts, Wake, WireError, smtp};

fn mail(number: usize) -> Vec<u8> {
    format!("From: a@warga.example\r\nSubject: laporan {number}\r\n\r\nisi {number}\r\n").into_bytes()
}

async fn open(servers: &Servers) -> Session {
    Session::connect(&servers.imaps_endpoint(), &Servers::login("pusat"), "INBOX", Timeouts::default()).await.unwrap()
}

#[tokio::test]
async fn mail_is_fetched_as_it_is_and_filed_in_batches() {
    let servers = Servers::imap_only("");
    for number in 0..30 {
        servers.append("pusat", "INBOX", &mail(number));
    }
    let mut session = open(&servers).await;
    let uids = session.uids().await.unwrap();
    assert_eq!(uids.len(), 30);
    let fetched = session.fetch(&uids, 10_000).await.unwrap();
    let bodies: Vec<_> = fetched.iter().map(|one| one.body.clone()).collect();
    assert_eq!(bodies, (0..30).map(|number| Body::Whole(mail(number))).collect::<Vec<_>>());
    assert!(fetched.iter().all(|one| one.internal_date.is_some()));
    let filed = session.file(&uids, "Processed").await.unwrap();
    assert_eq!(filed, uids.iter().map(|uid| (*uid, Filing::Filed)).collect::<Vec<_>>());
    assert!(session.uids().await.unwrap().is_empty());
    assert_eq!(servers.messages("pusat", "Processed").len(), 30);
    session.logout().await;
}

#[tokio::test]
async fn letters_reach_a_mailbox_through_submission() {
    let servers = Servers::start();
    let login = Servers::login("pusat@bssn.test");
    smtp::login_check(&servers.submission_endpoint(), Some(&login), "pusat.bssn.test", Timeouts::default()).await.unwrap();
}
