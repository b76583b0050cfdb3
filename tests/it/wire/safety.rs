//! TLS and what is said before it, for both protocols (ATTACKS S1, S2).

use super::login;
use crate::harness::scripted::{Scripted, Validity};
use bantuan70::wire::imap::Session;
use bantuan70::wire::smtp::Connection;
use bantuan70::wire::{Endpoint, Timeouts, Tls, WireError};

async fn imap(endpoint: &Endpoint) -> WireError {
    Session::connect(endpoint, &login(), "INBOX", Timeouts::default()).await.unwrap_err()
}

async fn smtp(endpoint: &Endpoint) -> WireError {
    Connection::open(endpoint, Some(&login()), "pusat.bssn.test", Timeouts::default()).await.unwrap_err()
}

#[tokio::test]
async fn s1_a_certificate_that_is_not_this_servers_is_refused() {
    let ours = Scripted::start(&["!silence"]);
    let other_authority = ours.endpoint(Tls::Implicit).ca_file;
    for (names, validity, is_foreign) in
        [(["localhost"], Validity::Past, false), (["mail.example"], Validity::Now, false), (["localhost"], Validity::Now, true)]
    {
        let server = Scripted::start_with(&["!tls\n!silence", "!tls\n!silence"], &names, validity);
        let mut endpoint = server.endpoint(Tls::Implicit);
        if is_foreign {
            endpoint.ca_file = other_authority.clone();
        }
        for error in [imap(&endpoint).await, smtp(&endpoint).await] {
            assert!(matches!(&error, WireError::Refused(text) if text.contains("certificate")), "{names:?} {validity:?}: {error}");
        }
        assert!(server.end().is_empty(), "not one word was said");
    }
    let mut endpoint = ours.endpoint(Tls::Implicit);
    endpoint.ca_file = Some("/nonexistent/ca.pem".into());
    assert!(matches!(imap(&endpoint).await, WireError::Refused(text) if text.contains("ca_file")));
    ours.end();
}

#[tokio::test]
async fn s2_f33_without_starttls_nothing_is_said_in_the_clear() {
    for script in ["S: * OK ready\nC: STARTTLS\nS: {tag} BAD what\n!silence", "S: * OK ready\nC: STARTTLS\nS: {tag} NO not today\n!silence"]
    {
        let server = Scripted::start(&[script]);
        let error = imap(&server.endpoint(Tls::StartTls)).await;
        assert!(matches!(&error, WireError::Refused(text) if text.contains("starttls")), "{error}");
        assert_eq!(server.end().len(), 1);
    }
    for script in [
        "S: 220 ready\nC: EHLO\nS: 250-lab\nS: 250 AUTH PLAIN\n!silence",
        "S: 220 ready\nC: EHLO\nS: 250-lab\nS: 250 STARTTLS\nC: STARTTLS\nS: 454 not now\n!silence",
        "S: 220 ready\nC: EHLO\nS: 250-lab\nS: 250 STARTTLS\nC: STARTTLS\nS: 502 what\n!silence",
    ] {
        let server = Scripted::start(&[script]);
        let error = smtp(&server.endpoint(Tls::StartTls)).await;
        assert!(matches!(&error, WireError::Refused(text) if text.contains("starttls")), "{error}");
        assert!(server.end().iter().all(|line| !line.contains("AUTH") && !line.contains("MAIL")));
    }
}

#[tokio::test]
async fn s2_a_session_that_is_logged_in_before_we_logged_in_is_refused() {
    for tls in [Tls::StartTls, Tls::None] {
        let server = Scripted::start(&["S: * PREAUTH welcome back\n!silence"]);
        let error = imap(&server.endpoint(tls)).await;
        assert!(matches!(&error, WireError::Protocol(text) if text.contains("preauth")), "{error}");
        server.end();
    }
}

#[tokio::test]
async fn s2_words_sent_before_the_handshake_never_reach_the_time_after() {
    let server =
        Scripted::start(&["S: * OK ready\nC: STARTTLS\nR: {tag} OK go\\r\\n* CAPABILITY IMAP4rev1\\r\\na1 OK done\\r\\n\n!tls\n!silence"]);
    let error = imap(&server.endpoint(Tls::StartTls)).await;
    assert!(matches!(error, WireError::Protocol(_)), "{error}");
    server.end();
    let server =
        Scripted::start(&["S: 220 ready\nC: EHLO\nS: 250 STARTTLS\nC: STARTTLS\nR: 220 go\\r\\n250 AUTH PLAIN\\r\\n\n!tls\n!silence"]);
    let error = smtp(&server.endpoint(Tls::StartTls)).await;
    assert!(matches!(error, WireError::Protocol(_)), "{error}");
    server.end();
}

#[tokio::test]
async fn s2_what_was_promised_before_tls_does_not_count_after_it() {
    // The log-in mechanisms of the first EHLO came over an open line.
    let server = Scripted::start(&["S: 220 ready
        C: EHLO
        S: 250-lab
        S: 250-AUTH PLAIN LOGIN
        S: 250 STARTTLS
        C: STARTTLS
        S: 220 go
        !tls
        C: EHLO
        S: 250 lab
        !silence"]);
    let error = smtp(&server.endpoint(Tls::StartTls)).await;
    assert!(matches!(&error, WireError::Refused(text) if text.contains("log-in")), "{error}");
    server.end();
}

#[tokio::test]
async fn the_clear_is_for_this_machine_alone_and_a_dead_port_is_unreachable() {
    let server = Scripted::start(&[]);
    let endpoint = server.endpoint(Tls::Implicit);
    server.end();
    assert!(matches!(imap(&endpoint).await, WireError::Unreachable(_)));
    assert!(matches!(smtp(&endpoint).await, WireError::Unreachable(_)));
    let elsewhere = Endpoint { host: "192.0.2.1".to_owned(), tls: Tls::None, ..endpoint.clone() };
    assert!(matches!(imap(&elsewhere).await, WireError::Refused(text) if text.contains("without tls")));
    assert!(matches!(smtp(&elsewhere).await, WireError::Refused(text) if text.contains("without tls")));
    let nowhere = Endpoint { host: "no-such-host.invalid".to_owned(), ..endpoint };
    assert!(matches!(smtp(&nowhere).await, WireError::Unreachable(_)));
}

#[tokio::test]
async fn s1_plain_speech_on_the_tls_port_is_no_tls() {
    let server = Scripted::start(&["S: * OK plain imap\n!silence"]);
    let error = imap(&server.endpoint(Tls::Implicit)).await;
    assert!(matches!(&error, WireError::Protocol(text) if text.contains("not tls")), "{error}");
    server.end();
}

#[tokio::test]
async fn s1_tls_of_before_2008_is_refused() {
    // A ServerHello of TLS 1.0 (RFC 2246 §7.4.1.3), with a cipher of its time.
    let random = "00".repeat(32);
    let hello = format!("!hex 16 0301 002a 02 000026 0301 {random} 00 002f 00\n!silence");
    let server = Scripted::start(&[&hello, &hello]);
    for error in [imap(&server.endpoint(Tls::Implicit)).await, smtp(&server.endpoint(Tls::Implicit)).await] {
        assert!(matches!(&error, WireError::Refused(text) if text.contains("Tls12")), "{error}");
    }
    server.end();
}

#[tokio::test]
async fn both_protocols_are_spoken_inside_tls() {
    let log_in = "!tls
        S: 220 ready
        C: EHLO
        S: 250 AUTH PLAIN
        C: AUTH PLAIN
        S: 235 welcome
        C: QUIT
        S: 221 bye";
    let server = Scripted::start(&[log_in]);
    Connection::open(&server.endpoint(Tls::Implicit), Some(&login()), "pusat.bssn.test", Timeouts::default()).await.unwrap().quit().await;
    server.end();
}
