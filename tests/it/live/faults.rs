//! A mailbox that lacks something, and a daemon that is killed between its commit and the move.

use super::center::{ADDRESS, Center, report};
use crate::harness::servers::{Servers, wait_for};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

fn deliver(center: &Center, user: &str) {
    center.deliver(&report(&format!("{user}@warga.example"), "Situs diretas", "Halaman depan situs kami diretas.\r\n"));
}

fn tickets(center: &Center) -> usize {
    center.json(&["ticket", "list"]).len()
}

#[test]
fn f3_f4_killed_between_commit_and_move_the_move_is_done_later_and_nothing_twice() {
    let center = Center::new();
    let mut daemon = center.start();
    // A folder that Dovecot may not write to: the move is refused while all else goes on.
    let processed = center.servers.maildir("bantuan70", "Processed");
    fs::create_dir(&processed).unwrap();
    fs::set_permissions(&processed, fs::Permissions::from_mode(0o700)).unwrap();
    for user in ["satu", "dua"] {
        deliver(&center, user);
        center.wait_mail(user, "an acknowledgement", |_| true);
    }
    assert_eq!(center.servers.messages("bantuan70", "INBOX").len(), 2, "{}", center.log());
    assert!(!daemon.has_ended());
    daemon.kill();
    fs::remove_dir(&processed).unwrap();
    let _daemon = center.start();
    let is_filed = || center.servers.messages("bantuan70", "INBOX").is_empty();
    wait_for(|| center.log(), || is_filed().then_some(()));
    center.wait_quiet();
    assert_eq!(tickets(&center), 2);
    assert_eq!(center.servers.messages("bantuan70", "Processed").len(), 2);
    assert_eq!(center.written_to().len(), 2);
    center.audit();
}

#[test]
fn f5_without_move_mail_is_copied_and_expunged_once() {
    let center = Center::with(Arc::new(Servers::start_with("IMAP4rev1 UIDPLUS")), ADDRESS, |_| {});
    deliver(&center, "satu");
    deliver(&center, "dua");
    for _ in 0..2 {
        assert_eq!(center.once(), 0);
        assert!(center.servers.messages("bantuan70", "INBOX").is_empty());
        assert_eq!(center.servers.messages("bantuan70", "Processed").len(), 2);
        assert_eq!((tickets(&center), center.written_to().len()), (2, 2));
    }
}

#[test]
fn f5_without_uidplus_mail_stays_marked_and_is_not_met_again() {
    let center = Center::with(Arc::new(Servers::start_with("IMAP4rev1")), ADDRESS, |_| {});
    deliver(&center, "satu");
    for _ in 0..3 {
        assert_eq!(center.once(), 0);
        // Nothing is expunged: that would take away what others marked.
        assert_eq!(center.servers.messages("bantuan70", "INBOX").len(), 1);
        assert_eq!(center.servers.messages("bantuan70", "Processed").len(), 1);
        assert_eq!((tickets(&center), center.written_to().len()), (1, 1));
    }
}

#[test]
fn f20_m25_two_copies_of_a_mail_are_one_ticket_and_one_acknowledgement() {
    let center = Center::new();
    let bytes = report("satu@warga.example", "Situs diretas", "Halaman depan situs kami diretas.\r\n");
    let again = [b"Received: from alias.bssn.test by mx.bssn.test; Tue, 24 Nov 2026 08:00:01 +0700\r\n", bytes.as_slice()].concat();
    for bytes in [&bytes, &bytes, &again] {
        center.deliver(bytes);
    }
    assert_eq!(center.once(), 0);
    assert_eq!((tickets(&center), center.written_to()), (1, vec!["satu@warga.example".to_owned()]));
    assert!(center.servers.messages("bantuan70", "INBOX").is_empty());
    assert_eq!(center.servers.messages("bantuan70", "Processed").len(), 3);
}
