//! The daemon as an administrator meets it: exit status, the one line that says why, one instance a data folder,
//! the end on SIGTERM.

use super::center::{ADDRESS, Center, report};
use crate::harness::scripted::Scripted;
use crate::harness::servers::{Servers, free_port, wait_for};
use std::fs;
use std::sync::Arc;

/// A password that must be seen nowhere.
const CANARY: &str = "sandi-rahasia-4711";

fn imap_only() -> Center {
    Center::with(Arc::new(Servers::imap_only("")), ADDRESS, |_| {})
}

/// The one line that says why `run` ended with that status; log lines stand before it.
fn refused(center: &Center, exit: i32, arguments: &[&str]) -> String {
    let ran = center.run(arguments);
    assert_eq!(ran.exit, exit, "{arguments:?}: {}", ran.err);
    let lines: Vec<&str> = ran.err.lines().filter(|line| line.starts_with("bantuan70: ")).collect();
    assert!(lines.len() == 1 && ran.err.lines().last() == Some(lines[0]), "{}", ran.err);
    assert!(ran.out.is_empty() && !ran.err.contains(CANARY), "{}{}", ran.out, ran.err);
    lines[0].to_owned()
}

#[test]
fn run_says_on_one_line_what_is_wrong_with_configuration_files_and_servers() {
    let center = imap_only();
    let configuration = fs::read_to_string(center.path("bantuan70.toml")).unwrap();
    let spoil = |from: &str, to: &str| {
        assert!(configuration.contains(from), "{from}");
        fs::write(center.path("bantuan70.toml"), configuration.replacen(from, to, 1)).unwrap();
    };
    spoil("[intake]\nhost", "[intake]\nhosts");
    let line = refused(&center, 2, &["run"]);
    assert!(line.contains("bantuan70.toml:") && line.contains("intake.hosts"), "{line}");
    spoil("certificate = \"analyst2.asc\"", "certificate = \"nowhere.asc\"");
    let line = refused(&center, 2, &["run"]);
    assert!(line.contains("nowhere.asc") && line.contains("analyst[2].certificate"), "{line}");
    spoil("center.key\"", "nowhere.key\"");
    let line = refused(&center, 2, &["run"]);
    assert!(line.contains("openpgp.key_file") && line.contains("nowhere.key"), "{line}");
    let port = free_port();
    spoil(&format!("port = {}", center.servers.imaps), &format!("port = {port}"));
    let line = refused(&center, 3, &["run", "--once"]);
    assert!(line.contains(&format!("localhost:{port}")), "{line}");
    spoil("password_file = \"password\"", "password_file = \"nowhere.password\"");
    let line = refused(&center, 2, &["run", "--once"]);
    assert!(line.contains("intake.password_file") && line.contains("nowhere.password"), "{line}");
}

#[test]
fn f12_a_wrong_password_ends_once_with_3_and_keeps_run_alive() {
    let center = imap_only();
    fs::write(center.path("password"), CANARY).unwrap();
    let line = refused(&center, 3, &["run", "--once"]);
    assert!(line.contains(&format!("localhost:{}", center.servers.imaps)) && line.contains("log-in"), "{line}");
    let mut daemon = center.start_with(&["run"]);
    center.wait_log("intake interrupted", 1);
    assert!(!daemon.has_ended(), "{}", center.log());
    let (status, _) = daemon.terminate();
    assert_eq!(status.code(), Some(0), "{}", center.log());
    assert!(!center.log().contains(CANARY));
}

#[test]
fn f66_a_second_instance_is_refused_and_names_the_first() {
    let center = imap_only();
    let daemon = center.start();
    for arguments in [&["run"][..], &["run", "--once"]] {
        let line = refused(&center, 3, arguments);
        assert!(line.contains(&daemon.pid().to_string()), "{line}");
    }
    // Verbs that read work beside it.
    assert!(center.json(&["ticket", "list"]).is_empty());
    drop(daemon);
    assert_eq!(center.once(), 0, "the lock goes with the process");
}

#[test]
fn f68_sigterm_ends_with_0_and_what_is_under_way_is_uncertain() {
    let idle = imap_only();
    let (status, took) = idle.start().terminate();
    assert_eq!(status.code(), Some(0), "{}", idle.log());
    println!("idle: ended after {} ms", took.as_millis());

    // The server keeps silent after the final dot.
    let server = Scripted::start(&["S: 220 ready\nC: EHLO\nS: 250-lab\nS: 250 AUTH PLAIN\nC: AUTH PLAIN\nS: 235 welcome
        C: MAIL\nS: 250 ok\nC: RCPT\nS: 250 ok\nC: DATA\nS: 354 go\n!data\n!silence"]);
    let center = Center::with(Arc::new(Servers::imap_only("")), ADDRESS, |ports| (ports.smtp, ports.smtp_tls) = (server.port(), "none"));
    let mut daemon = center.start();
    center.deliver(&report("satu@warga.example", "Situs diretas", "Halaman depan situs kami diretas.\r\n"));
    wait_for(|| center.log(), || server.heard().iter().any(|words| words.contains("To: satu@")).then_some(()));
    let (status, took) = daemon.terminate();
    println!("sending: ended after {} ms", took.as_millis());
    assert_eq!(status.code(), Some(0), "{}", center.log());
    server.end();
    assert_eq!(center.once(), 3, "nobody listens any more");
    let outbox = center.outbox();
    assert_eq!(outbox.iter().find(|row| row["to"] == "satu@warga.example").unwrap()["state"], "uncertain");
    center.audit();
}

#[test]
fn f74_a_log_that_nobody_reads_holds_up_no_mail() {
    let center = Center::new();
    let (mut daemon, _pipe) = center.start_unheard();
    center.open_ticket("satu@warga.example", "Situs diretas");
    let (status, _) = daemon.terminate();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn f72_broken_rules_on_sighup_leave_the_old_ones_in_force() {
    let center = Center::new();
    let daemon = center.start();
    fs::write(center.path("rules/mine.toml"), "nosuch = 1\n").unwrap();
    daemon.reload();
    center.wait_log("the old ones stay", 1);
    center.open_ticket("satu@warga.example", "Situs diretas");
    fs::remove_file(center.path("rules/mine.toml")).unwrap();
    daemon.reload();
    center.wait_log("read again", 1);
    center.open_ticket("dua@warga.example", "Situs diretas");
}

#[test]
fn f72_a_changed_rule_file_is_taken_without_a_signal() {
    let center = Center::new();
    let _daemon = center.start();
    center.open_ticket("satu@warga.example", "Situs diretas");
    fs::write(center.path("rules/mine.toml"), "nosuch = 1\n").unwrap();
    center.wait_log("the rules in the folder are refused; the set in force stays", 1);
    // As an editor writes it: beside the file, then renamed over it.
    fs::write(center.path("rules/mine.toml~"), "[[test]]\nname = \"milik sendiri\"\ncategory = \"web_defacement\"\nsubject = \"Situs diretas\"\ntext = \"Halaman depan situs kami diretas dan diganti orang.\"\n").unwrap();
    fs::rename(center.path("rules/mine.toml~"), center.path("rules/mine.toml")).unwrap();
    center.wait_log("new rules taken", 1);
    center.open_ticket("dua@warga.example", "Situs diretas");
    let versions: Vec<String> = center
        .json(&["mail", "list"])
        .iter()
        .map(|mail| center.json(&["mail", "show", &mail["id"].to_string()])[0]["rules_version"].to_string())
        .collect();
    assert!(versions.len() == 2 && versions[0] != versions[1], "each decision bears the version that it was made by: {versions:?}");
}
