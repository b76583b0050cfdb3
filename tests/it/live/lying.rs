//! The daemon between servers that lie, lines that die in silence, and mail that is a bomb.

use super::center::{ADDRESS, Center, fresh_id, report};
use super::cut::Wire;
use crate::harness::scripted::Scripted;
use crate::harness::servers::{Servers, wait_for};
use bantuan70::wire::imap::Session;
use bantuan70::wire::{Endpoint, Timeouts, Wake, WireError};
use std::fs;
use std::sync::Arc;
use std::time::Duration;

/// Greeting and log-in without TLS, and then `acts`.
fn script(acts: &str) -> String {
    format!(
        "S: * OK ready
        C: CAPABILITY
        S: * CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN
        S: {{tag}} OK done
        C: AUTHENTICATE PLAIN
        S: {{tag}} OK logged in
        C: CAPABILITY
        S: * CAPABILITY IMAP4rev1 MOVE UIDPLUS
        S: {{tag}} OK done
        C: SELECT \"INBOX\"
        S: * 1 EXISTS
        S: * OK [UIDVALIDITY 7] valid
        S: {{tag}} OK [READ-WRITE] done
        C: LIST \"\" \"INBOX\"
        S: {{tag}} OK done
        C: LIST \"\" \"Processed\"
        S: {{tag}} OK done
        C: LIST \"\" \"Quarantine\"
        S: {{tag}} OK done
        C: NOOP
        {acts}"
    )
}

/// After the list of UIDs: sizes of 5 bytes, and then `answer` to the question for the bodies.
fn fetching(answer: &str) -> String {
    script(&format!(
        "S: {{tag}} OK done
        C: UID SEARCH ALL
        S: * SEARCH 3
        S: {{tag}} OK done
        C: UID FETCH 3 (UID RFC822.SIZE)
        S: * 1 FETCH (UID 3 RFC822.SIZE 5)
        S: {{tag}} OK done
        C: UID FETCH 3 (UID RFC822.SIZE)
        S: * 1 FETCH (UID 3 RFC822.SIZE 5)
        S: {{tag}} OK done
        C: UID FETCH 3 (UID INTERNALDATE BODY.PEEK[])
        {answer}"
    ))
}

/// The resident memory at its highest, in MiB.
fn peak_mib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[test]
fn s3_s4_the_daemon_outlives_a_server_that_lies_and_takes_the_mail_when_it_is_honest() {
    let mail = String::from_utf8(report("satu@warga.example", "Situs diretas", "Halaman depan situs kami diretas.\r\n")).unwrap();
    let honest = format!("R: * 1 FETCH (UID 3 BODY[] {{{}}}\\r\\n{}", mail.len(), mail.replace("\r\n", "\\r\\n"));
    let scripts = [
        fetching("R: * 1 FETCH (UID 3 BODY[] {4294967295}\\r\\n\n!flood 200000 0123456789012345678901234567890123456789\n!silence"),
        fetching("S: * 1 FETCH (UID 3 BODY[] {99999999999999999999}\n!silence"),
        script("S: * 4294967295 EXISTS\nR: * SEARCH \n!flood 1000000 1234567 \n!silence"),
        fetching(&format!(
            "S: * 1 FETCH (UID 4 BODY[] {{5}}
            S: other)
            {honest})\\r\\n
            S: * 1 FETCH (UID 3 BODY[] {{5}}
            S: again)
            S: {{tag}} OK done
            !silence"
        )),
    ];
    let server = Scripted::start(&scripts.iter().map(String::as_str).collect::<Vec<_>>());
    let center = Center::with(Arc::new(Servers::start()), ADDRESS, |_| {});
    let text = fs::read_to_string(center.path("bantuan70.toml")).unwrap();
    let real = format!("port = {}\ntls = \"implicit\"", center.servers.imaps);
    assert!(text.contains(&real));
    fs::write(center.path("bantuan70.toml"), text.replacen(&real, &format!("port = {}\ntls = \"none\"", server.port()), 1)).unwrap();
    let mut daemon = center.start_with(&["run"]);
    center.wait_mail("satu", "an acknowledgement", |_| true);
    assert!(!daemon.has_ended());
    center.wait_quiet();
    let all = center.json(&["mail", "list"]);
    assert_eq!(all.len(), 1, "only what was asked for, once: {all:?}");
    assert_eq!(center.written_to(), ["satu@warga.example"]);
    assert!(center.log().matches("intake interrupted").count() >= 3, "{}", center.log());
    let peak = peak_mib(daemon.pid());
    println!("at most {peak} MiB");
    assert!(peak < 400, "{peak} MiB");
}

/// No firewall can be set here that drops packets: this line keeps both ends open and carries nothing more.
#[test]
fn f10_a_line_that_dies_without_a_word_is_found_and_mail_that_came_meanwhile_is_met() {
    let patience = Timeouts::default();
    assert!(patience.idle + patience.idle_end <= Duration::from_secs(300), "found within five minutes");
    let servers = Servers::imap_only("");
    let wire = Wire::to(servers.imaps);
    let endpoint = Endpoint { port: wire.port, ..servers.imaps_endpoint() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let short = Timeouts { idle: Duration::from_millis(300), idle_end: Duration::from_millis(500), ..Timeouts::default() };
        let login = Servers::login("pusat");
        let mut session = Session::connect(&endpoint, &login, "INBOX", short).await.unwrap();
        assert!(session.uids().await.unwrap().is_empty());
        assert_eq!(session.wait(Duration::from_millis(900)).await.unwrap(), Wake::Timeout, "doubted twice, and alive");
        wire.silence();
        servers.deliver("pusat@bssn.test", b"Subject: sesudah\r\n\r\nisi\r\n");
        let error = session.wait(Duration::from_secs(60)).await.unwrap_err();
        assert!(matches!(&error, WireError::Unreachable(text) if text.contains("idle")), "{error}");
        wire.speak();
        let mut session = Session::connect(&endpoint, &login, "INBOX", short).await.unwrap();
        assert_eq!(session.uids().await.unwrap().len(), 1);
    });
}

#[test]
fn f77_descriptors_stay_as_many_over_many_lost_connections() {
    let servers = Arc::new(Servers::start());
    let wire = Wire::to(servers.imaps);
    let center = Center::with(servers, ADDRESS, |ports| ports.imap = wire.port);
    let daemon = center.start();
    let descriptors = || fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap().count();
    center.open_ticket("satu@warga.example", "Situs diretas");
    center.wait_quiet();
    let before = descriptors();
    for number in 1..=12 {
        wire.cut();
        center.wait_log("watching", number + 1);
    }
    center.open_ticket("dua@warga.example", "Situs diretas");
    center.wait_quiet();
    wait_for(|| format!("{before} descriptors, {} now", descriptors()), || (descriptors() <= before + 1).then_some(()));
}

#[test]
fn f68_without_descriptors_the_daemon_waits_and_goes_on_when_there_are_some() {
    let servers = Arc::new(Servers::start());
    let wire = Wire::to(servers.imaps);
    let center = Center::with(servers, ADDRESS, |ports| ports.imap = wire.port);
    let mut daemon = center.start();
    center.open_ticket("satu@warga.example", "Situs diretas");
    center.wait_quiet();
    let limit = |count: usize| {
        let run =
            std::process::Command::new("prlimit").args(["--pid", &daemon.pid().to_string(), &format!("--nofile={count}:4096")]).status();
        assert!(run.unwrap().success());
    };
    // Not one more than standard input, output and error: whatever is opened now fails.
    limit(3);
    wire.cut();
    center.wait_log("intake interrupted", 3);
    let lines = center.log().lines().count();
    center.wait_log("intake interrupted", 4);
    let more = center.log().lines().count() - lines;
    assert!(more < 20, "a pause between tries, no circle: {more} lines\n{}", center.log());
    limit(1024);
    center.deliver(&report("dua@warga.example", "Situs diretas", "Halaman depan situs kami diretas.\r\n"));
    center.wait_mail("dua", "an acknowledgement", |_| true);
    assert!(!daemon.has_ended());
    center.audit();
}

#[test]
fn p23_a_mailbox_of_encrypted_bombs_keeps_no_report_waiting() {
    let center = Center::new();
    center.dismiss_second_analyst();
    // Some 200 MiB of zeros each, packed and sealed to the centre in a few hundred KiB; and letters that grow to
    // just what is let through.
    for (size, count) in [(200 << 20, 2), (3 << 20, 24)] {
        let mut inside = b"Content-Type: text/plain\n\n".to_vec();
        inside.resize(size, b'a');
        let sealed =
            center.gpg.must(&["-z", "9", "--trust-model", "always", "-r", &center.fingerprint, "--armor", "--encrypt"], &inside).out;
        drop(inside);
        for _ in 0..count {
            let id = fresh_id();
            let head = format!(
                "From: <bom@{id}>\nTo: {ADDRESS}\nSubject: bom\nMessage-ID: <{id}>\nMIME-Version: 1.0\nContent-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b\n\n--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n\n--b\nContent-Type: application/octet-stream\n\n",
                id = id.split('@').next().unwrap().to_owned() + ".example"
            );
            center.servers.append("bantuan70", "INBOX", &[head.as_bytes(), &sealed, b"\n--b--\n"].concat());
        }
    }
    for number in 0..20 {
        center.deliver(&report(&format!("p{number}@warga.example"), "Situs diretas", "Halaman depan situs kami diretas.\r\n"));
    }
    let daemon = center.start();
    for number in 0..20 {
        center.wait_mail(&format!("p{number}"), "an acknowledgement", |_| true);
    }
    wait_for(|| center.log(), || center.servers.messages("bantuan70", "INBOX").is_empty().then_some(()));
    let peak = peak_mib(daemon.pid());
    println!("at most {peak} MiB");
    assert!(peak < 400, "{peak} MiB");
    // Beside bounces from domains that are not there.
    assert_eq!(center.json(&["mail", "list"]).iter().filter(|mail| mail["kind"] == "report").count(), 46);
}
