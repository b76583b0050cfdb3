//! What a server's answer makes of a letter in the outbox: queued, failed or uncertain, and sent again only under
//! the same Message-ID with the same bytes.

use super::center::{ADDRESS, Center, Ports, report};
use crate::harness::scripted::Scripted;
use crate::harness::servers::{Servers, wait_for};
use serde_json::Value;
use std::sync::Arc;

const HELLO: &str = "S: 220 ready\nC: EHLO bssn.test\nS: 250-lab\nS: 250 AUTH PLAIN\nC: AUTH PLAIN\nS: 235 welcome\n";
const ENVELOPE: &str = "C: MAIL FROM:<bantuan70@bssn.test>\nS: 250 ok\nC: RCPT TO\nS: 250 ok\nC: DATA\nS: 354 go\n!data\n";
const QUIT: &str = "C: QUIT\nS: 221 bye\n";

/// A centre whose letters go to a server that plays these scripts, one a connection.
fn center(scripts: &[String]) -> (Center, Scripted) {
    let server = Scripted::start(&scripts.iter().map(String::as_str).collect::<Vec<_>>());
    let place = |ports: &mut Ports| (ports.smtp, ports.smtp_tls) = (server.port(), "none");
    (Center::with(Arc::new(Servers::imap_only("")), ADDRESS, place), server)
}

fn deliver(center: &Center, user: &str) {
    center.deliver(&report(&format!("{user}@warga.example"), "Situs diretas", "Halaman depan situs kami diretas.\r\n"));
}

/// The row of the acknowledgement to a reporter.
fn acknowledgement(center: &Center, user: &str) -> Value {
    let to = format!("{user}@warga.example");
    center.outbox().into_iter().find(|row| row["to"] == to.as_str()).unwrap_or_else(|| panic!("nothing goes to {to}"))
}

fn retry(center: &Center, row: &Value) {
    center.must(&["outbox", "retry", &row["id"].to_string()]);
}

#[test]
fn f35_f36_f40_f41_f42_each_answer_leads_to_its_rung() {
    let kept = format!("{ENVELOPE}S: 250 kept\n");
    let notices = |count: usize| kept.repeat(count);
    let (center, server) = center(&[
        // The first report: greylisted; then lost after the dot; then kept.
        format!("{HELLO}C: MAIL\nS: 250 ok\nC: RCPT\nS: 450 4.2.0 greylisted\nC: RSET\nS: 250 ok\n{}{QUIT}", notices(2)),
        format!("{HELLO}{ENVELOPE}!close"),
        format!("{HELLO}{kept}{QUIT}"),
        // The second: no such user, of which the analysts hear.
        format!("{HELLO}C: MAIL\nS: 250 ok\nC: RCPT\nS: 550 5.1.1 no such user\nC: RSET\nS: 250 ok\n{}{QUIT}", notices(4)),
        // The third: refused after the dot.
        format!("{HELLO}{ENVELOPE}S: 554 5.7.1 not liked\n{}{QUIT}", notices(4)),
        // The fourth: the daemon is killed after the dot; at the next start only the notices are due.
        format!("{HELLO}{ENVELOPE}!silence"),
        format!("{HELLO}{}{QUIT}", notices(2)),
        format!("{HELLO}{kept}{QUIT}"),
    ]);
    deliver(&center, "satu");
    assert_eq!(center.once(), 0);
    let row = acknowledgement(&center, "satu");
    assert_eq!((&row["state"], &row["attempts"]), (&"queued".into(), &1.into()), "F36: {row}");
    assert!(row["last_error"].as_str().unwrap().contains("greylisted") && row["next_at"].is_string(), "{row}");
    retry(&center, &row);
    assert_eq!(center.once(), 0);
    let row = acknowledgement(&center, "satu");
    assert_eq!((&row["state"], &row["attempts"], &row["resends"]), (&"uncertain".into(), &2.into(), &0.into()), "F41: {row}");
    assert!(row["last_error"].as_str().unwrap().contains("may have been delivered") && row["next_at"].is_string(), "{row}");
    // Not before its time.
    assert_eq!(center.once(), 0);
    retry(&center, &row);
    assert_eq!(center.once(), 0);
    let row = acknowledgement(&center, "satu");
    assert_eq!((&row["state"], &row["resends"]), (&"sent".into(), &1.into()), "{row}");

    for (user, words) in [("dua", "no such user"), ("tiga", "not liked")] {
        deliver(&center, user);
        assert_eq!(center.once(), 0);
        let row = acknowledgement(&center, user);
        assert_eq!((&row["state"], &row["attempts"]), (&"failed".into(), &1.into()), "F35, F40: {row}");
        assert!(row["last_error"].as_str().unwrap().contains(words), "{row}");
    }

    deliver(&center, "empat");
    let mut daemon = center.start_with(&["run", "--once"]);
    let contents = || server.heard().iter().filter(|words| words.contains("To: empat@")).count();
    wait_for(|| format!("the content: {}", center.log()), || (contents() == 1).then_some(()));
    assert_eq!(acknowledgement(&center, "empat")["state"], "sending");
    daemon.kill();
    assert_eq!(center.once(), 0);
    let row = acknowledgement(&center, "empat");
    assert_eq!((&row["state"], &row["resends"]), (&"uncertain".into(), &0.into()), "F42: {row}");
    retry(&center, &row);
    assert_eq!(center.once(), 0);
    assert_eq!(acknowledgement(&center, "empat")["state"], "sent");

    let heard = server.end();
    for user in ["satu", "empat"] {
        let copies: Vec<_> = heard.iter().filter(|words| words.contains(&format!("\r\nTo: {user}@warga.example"))).collect();
        assert_eq!(copies.len(), 2, "{user}");
        assert_eq!(copies[0], copies[1], "{user}: the same bytes, so the same Message-ID");
    }
    center.audit();
}

#[test]
fn f30_f31_f34_what_is_about_the_server_costs_no_letter_an_attempt() {
    let (center, server) = center(&[
        "S: 554 5.7.1 you are not wanted here\n!close".to_owned(),
        "S: 220 ready\nC: EHLO\nS: 250-lab\nS: 250 AUTH PLAIN\nC: AUTH PLAIN\nS: 535 5.7.8 wrong\n!silence".to_owned(),
        "S: 220 ready\nC: EHLO\nS: 250-lab\nS: 250 AUTH PLAIN\nC: AUTH PLAIN\nS: 454 4.7.0 not now\n!silence".to_owned(),
        format!("{HELLO}C: MAIL FROM\nS: 421 4.3.2 going down\n!close"),
    ]);
    deliver(&center, "satu");
    for words in ["not wanted", "log-in", "log-in"] {
        let ran = center.run(&["run", "--once"]);
        assert_eq!(ran.exit, 3, "{words}: {}", ran.err);
        let why = ran.err.lines().filter(|line| line.starts_with("bantuan70: ")).collect::<Vec<_>>();
        assert!(
            why.len() == 1 && why[0].contains(words) && why[0].contains(&format!("localhost:{}", server.port())),
            "{words}: {}",
            ran.err
        );
        let row = acknowledgement(&center, "satu");
        assert_eq!((&row["state"], &row["attempts"]), (&"queued".into(), &0.into()), "{row}");
    }
    assert_eq!(center.once(), 3, "421");
    let row = acknowledgement(&center, "satu");
    assert_eq!((&row["state"], &row["attempts"]), (&"queued".into(), &0.into()), "{row}");
    let port = server.port();
    server.end();
    retry(&center, &row);
    let ran = center.run(&["run", "--once"]);
    assert_eq!(ran.exit, 3, "nobody listens any more");
    assert!(ran.err.contains(&format!("localhost:{port}")), "{}", ran.err);
    assert_eq!(acknowledgement(&center, "satu")["attempts"], 0);
}
