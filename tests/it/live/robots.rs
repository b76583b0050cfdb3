//! Nothing automatic is answered (RFC 3834, contract 4), and daemons that write to each other fall silent.

use super::center::{ADDRESS, Center, fresh_id};
use crate::harness::servers::{Servers, wait_for};
use serde_json::Value;
use std::sync::Arc;

const WORDS: &str = "Halaman depan situs kami diretas dan berubah sejak pagi tadi.";
const PLAIN: &str = "Content-Type: text/plain; charset=utf-8";

/// One mail: what it is, its sender, its envelope sender, more header lines, Content-Type and body, and the kind
/// that it must be taken for.
struct Row(&'static str, String, String, String, String, &'static str);

fn row(what: &'static str, headers: &str, kind: &'static str) -> Row {
    let from = format!("r{}", fresh_id().replace("writer", "warga"));
    Row(what, from.clone(), from, headers.to_owned(), format!("{PLAIN}\r\n\r\n{WORDS}\r\n"), kind)
}

impl Row {
    fn from(mut self, from: &str) -> Self {
        self.1 = from.to_owned();
        self.2 = from.to_owned();
        self
    }

    fn envelope(mut self, from: &str) -> Self {
        self.2 = from.to_owned();
        self
    }

    fn body(mut self, body: &str) -> Self {
        self.4 = body.to_owned();
        self
    }

    fn deliver(&self, center: &Center) -> String {
        let Self(_, from, envelope, headers, body, _) = self;
        let id = fresh_id();
        let subject = if headers.contains("Subject:") { "" } else { "Subject: Situs diretas\r\n" };
        let mail =
            format!("{headers}{subject}From: Seseorang <{from}>\r\nTo: {ADDRESS}\r\nMessage-ID: <{id}>\r\nMIME-Version: 1.0\r\n{body}");
        center.servers.deliver_from(envelope, ADDRESS, mail.as_bytes());
        id
    }
}

fn parts(content_type: &str, parts: &[&str]) -> String {
    let parts: String = parts.iter().map(|part| format!("--b\r\n{part}\r\n")).collect();
    format!("Content-Type: {content_type}; boundary=b\r\n\r\n{parts}--b--\r\n")
}

fn delivery_report() -> String {
    let status = "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.warga.example\r\n\r\nFinal-Recipient: rfc822; x@warga.example\r\nAction: failed\r\nStatus: 5.1.1\r\n";
    parts("multipart/report; report-type=delivery-status", &["Content-Type: text/plain\r\n\r\ngagal", status])
}

fn read_receipt() -> String {
    let status = "Content-Type: message/disposition-notification\r\n\r\nFinal-Recipient: rfc822; x@warga.example\r\nDisposition: manual-action/MDN-sent-manually; displayed\r\n";
    parts("multipart/report; report-type=disposition-notification", &["Content-Type: text/plain\r\n\r\ndibaca", status])
}

fn calendar_reply() -> String {
    let calendar = "Content-Type: text/calendar; method=REPLY\r\n\r\nBEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\nUID:1@x\r\nDTSTAMP:20261124T010000Z\r\nEND:VEVENT\r\nEND:VCALENDAR";
    parts("multipart/alternative", &["Content-Type: text/plain\r\n\r\nhadir", calendar])
}

/// All that must not be answered. `ours`: the Message-ID of an acknowledgement that went out; `tag`: its ticket's.
fn robots(ours: &str, tag: &str) -> Vec<Row> {
    let answer = format!("In-Reply-To: <{ours}>\r\n");
    vec![
        row("L1 null return path", "", "auto_reply").envelope(""),
        row("L2 auto-replied", "Auto-Submitted: auto-replied\r\n", "auto_reply"),
        row("L2 auto-generated", "Auto-Submitted: AUTO-GENERATED; x=y\r\n", "report"),
        row("L2 twice", "Auto-Submitted: no\r\nAuto-Submitted: auto-replied\r\n", "auto_reply"),
        row("L3 bulk", "Precedence: bulk\r\n", "report"),
        row("L3 junk", "Precedence: junk\r\n", "report"),
        row("L3 list", "Precedence: list\r\n", "list"),
        row("L3 auto_reply", "Precedence: auto_reply\r\n", "auto_reply"),
        row("L3 second", "Precedence: first-class\r\nPrecedence: bulk\r\n", "report"),
        row("L4 list", "List-Id: <x.warga.example>\r\n", "list"),
        row("L4 newsletter", "List-Unsubscribe: <mailto:x@warga.example>\r\n", "report"),
        row("L5 OOF", "X-Auto-Response-Suppress: DR, OOF, AutoReply\r\n", "report"),
        row("L5 All", "X-Auto-Response-Suppress: All\r\n", "report"),
        row("L7 our own address", "", "own").from(ADDRESS),
        row("L7 an alias of ours", "", "own").from("bantuan70+x@bssn.test"),
        row("L7 an internal unit", "", "report").from("unit@bssn.test"),
        row("L7 an analyst", "", "analyst").from("analyst1@bssn.test"),
        row("L8 noreply", "", "report").from("noreply@warga.example"),
        row("L8 no-reply", "", "report").from("no-reply@warga.example"),
        row("L8 donotreply", "", "report").from("donotreply@warga.example"),
        row("L8 bounce+", "", "report").from("bounce+abc@warga.example"),
        // Under its own return path it is a person's (RFC 2142).
        row("L8 postmaster", "", "report").from("postmaster@warga.example").envelope("double-bounce@warga.example"),
        row("L8 mailer-daemon", "", "bounce").from("mailer-daemon@warga.example"),
        row("DSN", "", "bounce").body(&delivery_report()),
        row("L18 read receipt", "", "auto_reply").body(&read_receipt()),
        row("L18 calendar", "", "auto_reply").body(&calendar_reply()),
        row("vacation", &format!("{answer}X-Autoreply: yes\r\n"), "auto_reply"),
        row("L17 out of office", &format!("{answer}Subject: Di luar kantor: {tag} Laporan Anda\r\n"), "auto_reply"),
        row("L10 their acknowledgement", &answer, "reply"),
        row("L11 a subject that grows", &format!("Subject: [#117904] Request 286614 - [#117896] {tag} Laporan\r\n"), "reply"),
    ]
}

/// All that looks like it and is a person's.
fn people() -> Vec<Row> {
    let newsletter = "Content-Type: message/rfc822\r\n\r\nFrom: a@x.example\r\nList-Id: <x.example>\r\nSubject: promo\r\n\r\npromo";
    let forwarded = parts("multipart/mixed", &[&format!("{PLAIN}\r\n\r\n{WORDS}"), newsletter]);
    vec![
        row("L2 no", "Auto-Submitted: no; comment\r\n", "report"),
        row("L4 forwarded newsletter", "", "report").body(&forwarded),
        row("L5 receipts only", "X-Auto-Response-Suppress: DR, RN, NRN\r\n", "report"),
    ]
}

#[test]
fn l1_l2_l3_l4_l5_l7_l8_l10_l11_robots_get_nothing() {
    let center = Center::new();
    center.add("\n[[internal_unit]]\nname = \"Unit\"\naddress = \"unit@bssn.test\"\n");
    let _daemon = center.start();
    center.open_ticket("pelapor@warga.example", "Situs diretas");
    let ours = center.letters("pelapor@warga.example").remove(0);
    let tag = ours.mail.subject.split_whitespace().next().unwrap().to_owned();

    let rows: Vec<Row> = robots(&ours.mail.message_id.unwrap(), &tag).into_iter().chain(people()).collect();
    assert!(rows.len() >= 20);
    let ids: Vec<String> = rows.iter().map(|row| row.deliver(&center)).collect();
    let all = wait_for(
        || format!("all to be filed\n{}", center.log()),
        || Some(center.json(&["mail", "list"])).filter(|all| all.len() > ids.len() && all.iter().all(|row| row["state"] == "decided")),
    );
    center.wait_quiet();
    let taken_for = |id: &str| all.iter().find(|row| row["message_id"] == id).unwrap_or_else(|| panic!("{id} is not in {all:?}"));
    for (row, id) in rows.iter().zip(&ids) {
        let filed = taken_for(id);
        assert_eq!(filed["kind"], row.5, "{}: {}", row.0, filed["reason"]);
        let opens = ["report", "reply"].contains(&row.5);
        assert_eq!(filed["ticket"].is_string(), opens, "{}: {filed}", row.0);
    }
    let mut wanted: Vec<String> = rows[rows.len() - people().len()..].iter().map(|row| row.1.clone()).collect();
    wanted.push("pelapor@warga.example".to_owned());
    wanted.sort();
    let mut written = center.written_to();
    written.sort();
    assert_eq!(written, wanted);
    // What is in the mailboxes is what the outbox says.
    for row in rows.iter().filter(|row| !["own", "analyst"].contains(&row.5)) {
        let user = row.1.split(['@', '+']).next().unwrap();
        assert_eq!(center.letters(user).len(), usize::from(wanted.contains(&row.1)), "{}", row.0);
    }
}

#[test]
fn l9_two_daemons_that_write_to_each_other_fall_silent() {
    let servers = Arc::new(Servers::start());
    let one = Center::with(Arc::clone(&servers), ADDRESS, |_| {});
    let two = Center::with(Arc::clone(&servers), "kontak@stake.test", |_| {});
    let _daemons = [one.start(), two.start()];
    // Somebody forges a report of each to the other.
    for (to, from) in [(&one, &two), (&two, &one)] {
        let id = fresh_id();
        let mail = format!(
            "From: <{}>\r\nTo: <{}>\r\nSubject: Situs diretas\r\nMessage-ID: <{id}>\r\n{PLAIN}\r\n\r\n{WORDS}\r\n",
            from.address, to.address
        );
        servers.deliver_from(&from.address, &to.address, mail.as_bytes());
    }
    let filed =
        |center: &Center| -> Vec<Value> { center.json(&["mail", "list"]).into_iter().filter(|row| row["state"] == "decided").collect() };
    for (center, other) in [(&one, &two), (&two, &one)] {
        let mail = wait_for(|| center.log(), || Some(filed(center)).filter(|all| all.len() >= 2));
        assert!(mail.iter().any(|row| row["kind"] == "auto_reply" && row["from"] == other.address.as_str()), "{mail:?}");
    }
    one.wait_quiet();
    two.wait_quiet();
    // One letter each way, and it has arrived: what could cause another one is not there.
    for (center, other) in [(&one, &two), (&two, &one)] {
        assert_eq!(center.written_to(), std::slice::from_ref(&other.address));
        assert_eq!(center.json(&["mail", "list"]).len(), 2);
        assert_eq!(center.json(&["ticket", "list"]).len(), 1);
    }
}
