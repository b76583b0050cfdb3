//! IMAP against a real Dovecot.

use super::mail;
use crate::harness::servers::Servers;
use bantuan70::wire::imap::{Session, login_check};
use bantuan70::wire::{Body, Filing, Timeouts, Wake, WireError};
use std::time::Duration;

const USER: &str = "pusat";

async fn open(servers: &Servers) -> Session {
    Session::connect(&servers.imaps_endpoint(), &Servers::login(USER), "INBOX", Timeouts::default()).await.unwrap()
}

fn all(uids: &[u32], filing: &Filing) -> Vec<(u32, Filing)> {
    uids.iter().map(|uid| (*uid, filing.clone())).collect()
}

#[tokio::test]
async fn mail_is_fetched_as_it_is_and_filed_in_batches() {
    let servers = Servers::imap_only("");
    for number in 0..30 {
        servers.append(USER, "INBOX", &mail(number));
    }
    let mut session = open(&servers).await;
    let uids = session.uids().await.unwrap();
    assert_eq!(uids.len(), 30);
    let fetched = session.fetch(&uids, 10_000).await.unwrap();
    let bodies: Vec<_> = fetched.iter().map(|one| one.body.clone()).collect();
    assert_eq!(bodies, (0..30).map(|number| Body::Whole(mail(number))).collect::<Vec<_>>());
    assert!(fetched.iter().all(|one| one.internal_date.is_some()));
    assert!(session.can_move());
    assert_eq!(session.file(&uids, "Processed").await.unwrap(), all(&uids, &Filing::Filed));
    assert!(session.uids().await.unwrap().is_empty());
    assert_eq!(servers.messages(USER, "Processed").len(), 30);
    session.logout().await;
}

#[tokio::test]
async fn odd_bytes_come_through_unchanged() {
    let servers = Servers::imap_only("");
    let odd: [&[u8]; 4] = [
        b"",
        b"no header\r\n",
        b"a: b\r\n\r\n\xff\xfe\x80 {12}\r\n) FETCH (UID 1\r\n* BYE\r\n",
        b"S: \xc3\xa9\r\n\r\nlast line without end",
    ];
    for bytes in odd {
        servers.append(USER, "INBOX", bytes);
    }
    let mut session = open(&servers).await;
    let uids = session.uids().await.unwrap();
    let fetched = session.fetch(&uids, 10_000).await.unwrap();
    assert_eq!(fetched.into_iter().map(|one| one.body).collect::<Vec<_>>(), odd.map(|bytes| Body::Whole(bytes.to_vec())));
}

#[tokio::test]
async fn a_large_mailbox_is_read_in_batches_and_over_starttls_too() {
    let servers = Servers::imap_only("");
    for number in 0..1200 {
        servers.append(USER, "INBOX", &mail(number));
    }
    let mut session = Session::connect(&servers.imap_endpoint(), &Servers::login(USER), "INBOX", Timeouts::default()).await.unwrap();
    let uids = session.uids().await.unwrap();
    assert_eq!(uids.len(), 1200);
    let sizes = session.sizes(&uids).await.unwrap();
    assert_eq!(sizes.len(), 1200);
    let fetched = session.fetch(&uids, 10_000).await.unwrap();
    assert_eq!(fetched.len(), 1200);
    assert_eq!(session.file(&uids, "Arsip/2026").await.unwrap(), all(&uids, &Filing::Filed));
    assert_eq!(servers.messages(USER, "Arsip/2026").len(), 1200);
}

#[tokio::test]
async fn f5_without_move_mail_is_copied_then_removed_and_others_marks_stay() {
    let servers = Servers::imap_only("IMAP4rev1 UIDPLUS");
    for number in 0..3 {
        servers.append(USER, "INBOX", &mail(number));
    }
    let mut session = open(&servers).await;
    assert!(!session.can_move());
    let uids = session.uids().await.unwrap();
    assert!(matches!(session.file(&uids, "Processed").await, Err(WireError::Refused(_))));
    let mut session = open(&servers).await;
    raw(&servers, &format!("UID STORE {} +FLAGS (\\Deleted)", uids[2])).await;
    assert_eq!(session.copy(&uids[..2], "Processed").await.unwrap(), all(&uids[..2], &Filing::Filed));
    assert_eq!(session.uids().await.unwrap(), uids, "copied is not yet filed");
    assert_eq!(session.expunge(&uids[..2]).await.unwrap(), all(&uids[..2], &Filing::Filed));
    assert_eq!(session.uids().await.unwrap(), [uids[2]], "what somebody else marked is still there, and still waits");
    assert_eq!(servers.messages(USER, "Processed").len(), 2);
    assert_eq!(servers.messages(USER, "INBOX").len(), 1);
}

#[tokio::test]
async fn f5_without_uidplus_nothing_is_expunged_and_what_is_filed_waits_no_more() {
    let servers = Servers::imap_only("IMAP4rev1");
    servers.append(USER, "INBOX", &mail(1));
    servers.append(USER, "INBOX", &mail(2));
    let mut session = open(&servers).await;
    let uids = session.uids().await.unwrap();
    session.copy(&uids[..1], "Processed").await.unwrap();
    assert_eq!(session.expunge(&uids[..1]).await.unwrap(), all(&uids[..1], &Filing::Filed));
    assert_eq!(session.uids().await.unwrap(), uids[1..]);
    session.logout().await;
    assert_eq!(open(&servers).await.uids().await.unwrap(), uids[1..], "in the next session too");
    assert_eq!(servers.messages(USER, "INBOX").len(), 2);
}

#[tokio::test]
async fn f6_f7_what_another_client_took_is_gone_and_no_error() {
    let servers = Servers::imap_only("");
    for number in 0..3 {
        servers.append(USER, "INBOX", &mail(number));
    }
    let mut ours = open(&servers).await;
    let uids = ours.uids().await.unwrap();
    let mut theirs = open(&servers).await;
    theirs.file(&uids[1..2], "Elsewhere").await.unwrap();
    let bodies: Vec<_> = ours.fetch(&uids, 10_000).await.unwrap().into_iter().map(|one| one.body).collect();
    assert_eq!(bodies, [Body::Whole(mail(0)), Body::Gone, Body::Whole(mail(2))]);
    let results = ours.file(&uids, "Processed").await.unwrap();
    assert_eq!(results, [(uids[0], Filing::Filed), (uids[1], Filing::Gone), (uids[2], Filing::Filed)]);
    let again = ours.file(&uids, "Processed").await.unwrap();
    assert!(again.iter().all(|(_, filing)| !matches!(filing, Filing::Failed(_))), "f3: repeated after a crash: {again:?}");
    assert_eq!(servers.messages(USER, "Processed").len(), 2);
}

#[tokio::test]
async fn f15_of_a_mail_that_is_too_large_the_header_alone_is_fetched() {
    let servers = Servers::imap_only("");
    let mut large = mail(1);
    large.extend_from_slice(&b"0123456789\r\n".repeat(1000));
    servers.append(USER, "INBOX", &mail(0));
    servers.append(USER, "INBOX", &large);
    let mut session = open(&servers).await;
    let uids = session.uids().await.unwrap();
    let fetched = session.fetch(&uids, large.len() - 1).await.unwrap();
    assert_eq!(fetched[0].body, Body::Whole(mail(0)));
    let header = b"From: a@warga.example\r\nSubject: laporan 1\r\n\r\n".to_vec();
    assert_eq!(fetched[1].body, Body::HeaderOnly { header, size: large.len() as u64 });
    assert_eq!(session.fetch(&uids[1..], large.len()).await.unwrap()[0].body, Body::Whole(large));
}

#[tokio::test]
async fn f17_what_a_person_has_read_still_waits_and_we_mark_nothing_as_read() {
    let servers = Servers::imap_only("");
    servers.append(USER, "INBOX", &mail(1));
    servers.append(USER, "INBOX", &mail(2));
    let mut session = open(&servers).await;
    let uids = session.uids().await.unwrap();
    session.fetch(&uids, 10_000).await.unwrap();
    assert!(names(&servers).iter().all(|name| !flags(name).contains('S')), "{:?}", names(&servers));
    let mut other = open(&servers).await;
    raw(&servers, &format!("UID STORE {} +FLAGS (\\Seen)", uids[0])).await;
    assert_eq!(other.uids().await.unwrap(), uids);
}

#[tokio::test]
async fn f10_a_wait_ends_when_mail_comes_and_may_be_given_up() {
    let servers = Servers::imap_only("");
    let mut session = open(&servers).await;
    assert_eq!(session.wait(Duration::from_millis(50)).await.unwrap(), Wake::Timeout);
    assert!(tokio::time::timeout(Duration::from_millis(50), session.wait(Duration::from_secs(60))).await.is_err());
    assert!(session.uids().await.unwrap().is_empty(), "usable after a wait that was given up");
    let (woken, ()) = tokio::join!(session.wait(Duration::from_secs(60)), async {
        tokio::task::yield_now().await;
        servers.deliver(&format!("{USER}@bssn.test"), &mail(1));
    });
    assert_eq!(woken.unwrap(), Wake::Changed);
    assert_eq!(session.wait(Duration::from_secs(60)).await.unwrap(), Wake::Changed, "until it was looked at");
    assert_eq!(session.uids().await.unwrap().len(), 1);
    assert_eq!(session.wait(Duration::from_millis(50)).await.unwrap(), Wake::Timeout);
}

#[tokio::test]
async fn mail_that_came_since_the_last_command_is_in_the_list() {
    let servers = Servers::imap_only("");
    let mut session = open(&servers).await;
    for number in 1..4 {
        servers.append(USER, "INBOX", &mail(number));
        assert_eq!(session.uids().await.unwrap().len(), number);
    }
}

#[tokio::test]
async fn f10_without_idle_the_mailbox_is_asked_at_the_end_of_the_poll() {
    let servers = Servers::imap_only("IMAP4rev1 UIDPLUS MOVE");
    let mut session = open(&servers).await;
    assert_eq!(session.wait(Duration::from_millis(20)).await.unwrap(), Wake::Timeout);
    servers.deliver(&format!("{USER}@bssn.test"), &mail(1));
    assert_eq!(session.wait(Duration::from_millis(20)).await.unwrap(), Wake::Changed);
    assert_eq!(session.uids().await.unwrap().len(), 1);
}

#[tokio::test]
async fn f12_a_wrong_password_is_a_refusal_that_does_not_tell_it() {
    let servers = Servers::imap_only("");
    let refused = Session::connect(&servers.imaps_endpoint(), &super::login(), "INBOX", Timeouts::default()).await.unwrap_err();
    assert!(matches!(&refused, WireError::Refused(text) if text.contains("log-in") && !text.contains("s3cret")), "{refused}");
}

#[tokio::test]
async fn f11_a_server_that_is_restarted_has_the_same_mail_under_the_same_numbers() {
    let mut servers = Servers::imap_only("");
    servers.append(USER, "INBOX", &mail(1));
    let mut session = open(&servers).await;
    let (uids, validity) = (session.uids().await.unwrap(), session.uid_validity());
    servers.stop_imap();
    assert!(matches!(session.wait(Duration::from_secs(60)).await, Err(WireError::Unreachable(_))));
    let refused = Session::connect(&servers.imaps_endpoint(), &Servers::login(USER), "INBOX", Timeouts::default()).await;
    assert!(matches!(refused, Err(WireError::Unreachable(_))));
    servers.start_imap();
    let mut session = open(&servers).await;
    assert_eq!((session.uids().await.unwrap(), session.uid_validity()), (uids, validity));
}

#[tokio::test]
async fn check_tells_what_the_server_can_and_which_folders_are_missing() {
    let servers = Servers::imap_only("IMAP4rev1 UIDPLUS IDLE");
    servers.append(USER, "INBOX", &mail(1));
    servers.append(USER, "Processed", &mail(2));
    let check = |processed: &'static str, quarantine: &'static str| {
        let (endpoint, login) = (servers.imaps_endpoint(), Servers::login(USER));
        async move { login_check(&endpoint, &login, "INBOX", processed, quarantine, Timeouts::default()).await }
    };
    let checked = check("Processed", "Quarantine").await.unwrap();
    assert!(checked.can_idle && !checked.can_move && checked.can_expunge_one);
    assert_eq!((checked.waiting, checked.missing_folders), (1, vec!["Quarantine".to_owned()]));
    for (processed, quarantine) in [("inbox", "Quarantine"), ("Processed", "INBOX")] {
        assert!(matches!(check(processed, quarantine).await, Err(WireError::Refused(_))), "f18: {processed} {quarantine}");
    }
    assert!(matches!(check("Pro*", "Q").await, Err(WireError::Refused(_))), "d11");
}

#[tokio::test]
async fn f8_a_mailbox_made_anew_has_another_uidvalidity() {
    let servers = Servers::imap_only("");
    let validity = || async {
        raw(&servers, "CREATE Masuk").await;
        let session = Session::connect(&servers.imaps_endpoint(), &Servers::login(USER), "Masuk", Timeouts::default()).await.unwrap();
        session.uid_validity()
    };
    let first = validity().await;
    raw(&servers, "DELETE Masuk").await;
    assert_ne!(validity().await, first);
}

#[tokio::test]
async fn a_mailbox_that_is_not_there_is_a_refusal() {
    let servers = Servers::imap_only("");
    let missing = Session::connect(&servers.imaps_endpoint(), &Servers::login(USER), "Nowhere", Timeouts::default()).await;
    assert!(matches!(missing, Err(WireError::Refused(text)) if text.contains("nowhere") || text.contains("Nowhere")));
}

/// Another client, in as few words as possible.
async fn raw(servers: &Servers, command: &str) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let roots = std::fs::read(&servers.ca).unwrap();
    let mut store = rustls::RootCertStore::empty();
    store.add_parsable_certificates(rustls::pki_types::pem::PemObject::pem_slice_iter(&roots).map(Result::unwrap));
    let config = rustls::ClientConfig::builder_with_provider(std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(store)
        .with_no_client_auth();
    let tcp = tokio::net::TcpStream::connect(("127.0.0.1", servers.imaps)).await.unwrap();
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let mut tls = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config)).connect(name, tcp).await.unwrap();
    let words = format!("a LOGIN {USER} pw\r\nb SELECT INBOX\r\nc {command}\r\nd LOGOUT\r\n");
    tls.write_all(words.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tls.read_to_string(&mut answer).await.ok();
    assert!(answer.contains("c OK"), "{answer}");
}

fn names(servers: &Servers) -> Vec<String> {
    servers.file_names(USER, "INBOX")
}

fn flags(name: &str) -> &str {
    name.split_once(":2,").map_or("", |(_, flags)| flags)
}
