//! SMTP against a real Postfix, and stage by stage against servers that fail and lie (ATTACKS F30 to F45, S5).

use super::{login, timeouts_for};
use crate::harness::scripted::Scripted;
use crate::harness::servers::Servers;
use bantuan70::mail::write::Center;
use bantuan70::model::letter::{AutoSubmitted, Letter, LetterKind, Protection, Words};
use bantuan70::model::{Address, Fault, Language, SendOutcome};
use bantuan70::openpgp::Keyring;
use bantuan70::openpgp::seal::{SealedMail, seal};
use bantuan70::wire::smtp::{Connection, login_check};
use bantuan70::wire::{Login, Timeouts, Tls, WireError};
use jiff::Timestamp;

const HOST: &str = "pusat.bssn.test";

fn sealed(to: &str, number: usize) -> SealedMail {
    let center = Center { name: "Pusat".to_owned(), address: Address::parse("bantuan70@bssn.test").unwrap() };
    let letter = Letter {
        kind: LetterKind::Acknowledgement,
        to: Address::parse(to).unwrap(),
        to_name: String::new(),
        ticket: None,
        dissemination: None,
        message_id: format!("ack.{number:032x}@bssn.test"),
        in_reply_to: None,
        references: Vec::new(),
        subject: format!("[BANTUAN70-2026-{number:06}] Laporan diterima"),
        outer_subject: String::new(),
        text: "Terima kasih.\n.\n..titik\n.\nMAIL FROM:<x@y.example>\n".to_owned(),
        html: None,
        enclosures: Vec::new(),
        auto_submitted: AutoSubmitted::Replied,
        protection: Protection::Plain,
        tlp: None,
        words: Words::Written,
        language: Language::Id,
        token: None,
        encloses_certificate: false,
        held_because: None,
        not_before: None,
    };
    seal(&letter, &center, &Keyring::new(), Timestamp::UNIX_EPOCH).unwrap()
}

#[tokio::test]
async fn letters_reach_their_mailboxes_byte_for_byte_over_one_connection() {
    let servers = Servers::start();
    let user = Servers::login("bantuan70@bssn.test");
    login_check(&servers.submission_endpoint(), Some(&user), HOST, Timeouts::default()).await.unwrap();
    let mut connection = Connection::open(&servers.submission_endpoint(), Some(&user), HOST, Timeouts::default()).await.unwrap();
    for number in 0..20 {
        let outcome = connection.send(&sealed("pelapor@warga.example", number)).await;
        assert!(matches!(&outcome, SendOutcome::Sent { reply } if reply.starts_with("250 ")), "{outcome:?}");
    }
    let elsewhere = connection.send(&sealed("somebody@elsewhere.example", 99)).await;
    assert!(matches!(elsewhere, SendOutcome::Sent { .. }), "{elsewhere:?}");
    assert!(connection.refresh().await);
    connection.quit().await;
    let bounce = String::from_utf8(servers.wait_messages("bantuan70", "INBOX", 1).remove(0)).unwrap();
    let named = format!("Message-ID: <{}>", sealed("somebody@elsewhere.example", 99).message_id());
    assert!(bounce.contains(&named), "{bounce}");
    let arrived = servers.wait_messages("pelapor", "INBOX", 20);
    let arrived: Vec<String> = arrived.iter().map(|bytes| String::from_utf8_lossy(bytes).replace("\r\n", "\n")).collect();
    for number in 0..20 {
        let sent = String::from_utf8(sealed("pelapor@warga.example", number).bytes().to_vec()).unwrap().replace("\r\n", "\n");
        assert!(arrived.iter().any(|mail| mail.ends_with(&sent)), "{sent}\n{}", arrived[0]);
    }
}

#[tokio::test]
async fn f34_a_wrong_password_is_told_to_a_person_and_without_the_password() {
    let servers = Servers::start();
    let refused = login_check(&servers.submission_endpoint(), Some(&login()), HOST, Timeouts::default()).await.unwrap_err();
    assert!(matches!(&refused, WireError::Refused(text) if text.contains("535") && !text.contains("s3cret")), "{refused}");
    let open = Connection::open(&servers.submission_endpoint(), None, HOST, Timeouts::default()).await;
    let outcome = open.unwrap().send(&sealed("somebody@elsewhere.example", 1)).await;
    assert!(!matches!(outcome, SendOutcome::Sent { .. }), "{outcome:?}");
}

#[tokio::test]
async fn f30_a_server_that_is_away_blames_no_letter_and_takes_it_when_it_is_back() {
    let mut servers = Servers::start();
    let user = Servers::login("bantuan70@bssn.test");
    let mut connection = Connection::open(&servers.submission_endpoint(), Some(&user), HOST, Timeouts::default()).await.unwrap();
    servers.stop_submission();
    let mail = sealed("pelapor@warga.example", 1);
    let outcome = connection.send(&mail).await;
    assert!(is_later(&outcome, Fault::Server) && !connection.is_open(), "{outcome:?}");
    let away = Connection::open(&servers.submission_endpoint(), Some(&user), HOST, Timeouts::default()).await;
    assert!(matches!(away, Err(WireError::Unreachable(_))));
    servers.start_submission();
    let mut connection = Connection::open(&servers.submission_endpoint(), Some(&user), HOST, Timeouts::default()).await.unwrap();
    assert!(matches!(connection.send(&mail).await, SendOutcome::Sent { .. }));
    assert_eq!(servers.wait_messages("pelapor", "INBOX", 1).len(), 1);
}

/// Greeting, EHLO and log-in, and then `acts`.
fn script(acts: &str) -> String {
    format!(
        "S: 220 ready
        C: EHLO {HOST}
        S: 250-lab
        S: 250-   \u{20}
        S: 250-SIZE 1000000
        S: 250 AUTH PLAIN LOGIN
        C: AUTH PLAIN AHB1c2F0AHMzY3JldA==
        S: 235 welcome
        {acts}"
    )
}

const ENVELOPE: &str = "C: MAIL FROM:<bantuan70@bssn.test>\nS: 250 ok\nC: RCPT TO:<pelapor@warga.example>\nS: 250 ok\n";

async fn open(server: &Scripted, timeouts: Timeouts) -> Connection {
    Connection::open(&server.endpoint(Tls::None), Some(&login()), HOST, timeouts).await.unwrap()
}

/// The outcome of one letter, and whether the connection may be used again.
async fn outcome_of(acts: &str) -> (SendOutcome, bool) {
    let server = Scripted::start(&[&script(&format!("{acts}\n!silence"))]);
    let mut connection = open(&server, timeouts_for(acts)).await;
    let outcome = connection.send(&sealed("pelapor@warga.example", 1)).await;
    let is_open = connection.is_open();
    drop(connection);
    server.end();
    (outcome, is_open)
}

fn is_later(outcome: &SendOutcome, whose: Fault) -> bool {
    matches!(outcome, SendOutcome::Later { fault, .. } if *fault == whose)
}

async fn opening_fails(acts: &str) -> WireError {
    let server = Scripted::start(&[&format!("{acts}\n!silence")]);
    let error = Connection::open(&server.endpoint(Tls::None), Some(&login()), HOST, timeouts_for(acts)).await.unwrap_err();
    server.end();
    error
}

#[tokio::test]
async fn f30_f31_f32_f34_before_the_first_letter_it_is_the_server_or_us() {
    let greeted = "S: 220 ready\nC: EHLO\n";
    let offered = "S: 220 ready\nC: EHLO\nS: 250-lab\nS: 250 AUTH PLAIN\nC: AUTH PLAIN\n";
    for put_off in [
        "S: 421 busy".to_owned(),
        "!close".to_owned(),
        "!silence".to_owned(),
        format!("{greeted}S: 421 busy\nC: QUIT\nS: 221 bye"),
        format!("{greeted}!close"),
        format!("{offered}S: 454 later"),
        format!("{offered}!reset"),
    ] {
        let error = opening_fails(&put_off).await;
        assert!(matches!(error, WireError::Unreachable(_)), "{put_off}: {error}");
    }
    for refused in [
        "S: 554 no service".to_owned(),
        format!("{greeted}S: 502 what\nC: QUIT\nS: 221 bye"),
        format!("{greeted}S: 250 lab"),
        format!("{offered}S: 535 wrong"),
        format!("{offered}S: 530 no"),
    ] {
        let error = opening_fails(&refused).await;
        assert!(matches!(error, WireError::Refused(_)), "{refused}: {error}");
        assert!(!error.to_string().contains("s3cret"));
    }
    for lie in [
        "S: hello".to_owned(),
        "R: 220".to_owned() + &"x".repeat(2000),
        "R: 220 ready\\r\\n250 lab\\r\\n".to_owned(),
        format!("{greeted}S: 250-one\nS: 550 two"),
    ] {
        let error = opening_fails(&lie).await;
        assert!(matches!(error, WireError::Protocol(_)), "{lie}: {error}");
    }
}

#[tokio::test]
async fn f35_f36_f38_what_concerns_the_letter_puts_off_or_ends_the_letter() {
    let mail = "C: MAIL FROM\n";
    let rcpt = "C: MAIL FROM\nS: 250 ok\nC: RCPT TO\n";
    let data = format!("{ENVELOPE}C: DATA\n");
    let dot = format!("{ENVELOPE}C: DATA\nS: 354 go\n!data\n");
    for (stage, code) in [(mail, "451 4.3.0"), (mail, "452 full"), (rcpt, "450 4.2.0 greylisted"), (rcpt, "452 many"), (&data, "451 later")]
    {
        let (outcome, is_open) = outcome_of(&format!("{stage}S: {code}\nC: RSET\nS: 250 ok")).await;
        assert!(is_later(&outcome, Fault::Letter) && is_open, "{stage}{code}: {outcome:?}");
        assert!(format!("{outcome:?}").contains(code));
    }
    for (stage, code) in
        [(mail, "550 no"), (mail, "552 large"), (rcpt, "550 5.1.1 who"), (rcpt, "553 what"), (rcpt, "554 no"), (&data, "554 no")]
    {
        let (outcome, is_open) = outcome_of(&format!("{stage}S: {code}\nC: RSET\nS: 250 ok")).await;
        assert!(matches!(&outcome, SendOutcome::Never { reason } if reason.contains(code)) && is_open, "{stage}{code}: {outcome:?}");
    }
    let (outcome, is_open) = outcome_of(&format!("{dot}S: 451 later")).await;
    assert!(is_later(&outcome, Fault::Letter) && is_open, "f40: {outcome:?}");
    let (outcome, is_open) = outcome_of(&format!("{dot}S: 554 spam")).await;
    assert!(matches!(outcome, SendOutcome::Never { .. }) && is_open, "f40: {outcome:?}");
    let (outcome, _) =
        outcome_of(&format!("C: MAIL\nS: 250 ok\nC: RCPT\nS: 251 will forward\n{}", "C: DATA\nS: 354 go\n!data\nS: 250 kept")).await;
    assert_eq!(outcome, SendOutcome::Sent { reply: "250 kept".to_owned() }, "f36: 251 is accepted");
}

#[tokio::test]
async fn f36_what_concerns_the_server_blames_no_letter() {
    let rcpt = "C: MAIL FROM\nS: 250 ok\nC: RCPT TO\n";
    let data = format!("{ENVELOPE}C: DATA\n");
    for stage in ["C: MAIL FROM\nS: 421 bye", "C: MAIL FROM\nS: 530 log in first", "C: MAIL FROM\n!close", "C: MAIL FROM\n!silence"] {
        let (outcome, is_open) = outcome_of(stage).await;
        assert!(is_later(&outcome, Fault::Server) && !is_open, "{stage}: {outcome:?}");
    }
    for stage in [rcpt, &data, &format!("{data}S: 354 go\n!data\n")] {
        let (outcome, is_open) = outcome_of(&format!("{stage}S: 421 bye")).await;
        assert!(is_later(&outcome, Fault::Server) && !is_open, "{stage}: {outcome:?}");
    }
}

#[tokio::test]
async fn f39_lost_before_the_final_dot_is_surely_not_delivered() {
    let rcpt = "C: MAIL FROM\nS: 250 ok\nC: RCPT TO\n";
    let data = format!("{ENVELOPE}C: DATA\n");
    for stage in
        [format!("{rcpt}!close"), format!("{rcpt}!silence"), format!("{data}!reset"), format!("{data}R: 354 go\\r\\n250 ok already\\r\\n")]
    {
        let (outcome, is_open) = outcome_of(&stage).await;
        assert!(is_later(&outcome, Fault::Letter) && !is_open, "{stage}: {outcome:?}");
    }
}

#[tokio::test]
async fn f39_a_refusal_in_the_middle_of_the_content_is_the_answer() {
    // The refusal is there before the end of the content is handed over, in one packet with 354.
    let (outcome, _) = outcome_of(&format!("{ENVELOPE}C: DATA\nR: 354 go\\r\\n552 too large\\r\\n\n")).await;
    assert!(matches!(&outcome, SendOutcome::Never { reason } if reason.contains("552 too large")), "{outcome:?}");
    let (outcome, _) = outcome_of(&format!("{ENVELOPE}C: DATA\nR: 354 go\\r\\n421 going down\\r\\n\n")).await;
    assert!(is_later(&outcome, Fault::Server), "{outcome:?}");
}

#[tokio::test]
async fn f41_after_the_final_dot_silence_and_nonsense_are_uncertain() {
    for end in [
        "!close",
        "!reset",
        "!silence",
        "S: hello",
        "S: 299 odd",
        "S: 354 more",
        "R: 250 o\n!silence",
        "S: 250-one\nS: 251 two",
        "S: 650 x",
        "S: 25",
    ] {
        let (outcome, is_open) = outcome_of(&format!("{ENVELOPE}C: DATA\nS: 354 go\n!data\n{end}")).await;
        assert!(matches!(outcome, SendOutcome::Uncertain { .. }) && !is_open, "{end}: {outcome:?}");
    }
}

#[tokio::test]
async fn s5_nothing_counts_as_sent_but_2xx_after_the_final_dot() {
    let rcpt = "C: MAIL FROM\nS: 250 ok\nC: RCPT TO\n";
    for lie in [
        "C: MAIL FROM\nS: 354 go".to_owned(),
        format!("{rcpt}S: 354 go"),
        format!("{rcpt}S: 299 odd"),
        format!("{rcpt}S: ok"),
        format!("{rcpt}R: 250 o\n!silence"),
        format!("{rcpt}!flood 200000 250-filling the memory with a reply that does not end\\r\\n"),
        format!("{rcpt}!flood 200000 250-filling the memory with a line that does not end"),
        format!("{ENVELOPE}C: DATA\nS: 250 ok"),
        format!("{ENVELOPE}C: DATA\nR: 354 go\\r\\n250 ok\\r\\n\n"),
        "C: MAIL FROM\nR: 250 ok\\r\\n250 ok\\r\\n354 go\\r\\n250 sent\\r\\n\n".to_owned(),
    ] {
        let (outcome, is_open) = outcome_of(&lie).await;
        assert!(is_later(&outcome, Fault::Letter) && !is_open, "{lie}: {outcome:?}");
    }
}

#[tokio::test]
async fn m17_a_servers_words_are_one_line_of_plain_text() {
    let (outcome, _) =
        outcome_of("C: MAIL FROM\nR: 550-no\u{1b}[31m \u{e9}\\r\\n550-5.7.1 second\\r\\n550 third\\r\\n\nC: RSET\nS: 250 ok").await;
    let SendOutcome::Never { reason } = outcome else { panic!("{outcome:?}") };
    assert!(reason.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{reason:?}");
    assert!(reason.contains("550") && reason.contains("second") && reason.contains("third"), "{reason}");
}

#[tokio::test]
async fn f43_f45_one_letter_after_the_other_and_a_quit_that_fails() {
    let transaction = format!("{ENVELOPE}C: DATA\nS: 354 go\n!data\nS: 250 kept\n");
    let server = Scripted::start(&[&script(&format!("{transaction}C: MAIL\nS: 550 no\nC: RSET\nS: 250 ok\n{transaction}C: QUIT\n!close"))]);
    let mut connection = open(&server, Timeouts::default()).await;
    let mail = sealed("pelapor@warga.example", 1);
    assert!(matches!(connection.send(&mail).await, SendOutcome::Sent { .. }));
    assert!(matches!(connection.send(&mail).await, SendOutcome::Never { .. }));
    assert!(matches!(connection.send(&mail).await, SendOutcome::Sent { .. }));
    connection.quit().await;
    let heard = server.end();
    let messages: Vec<_> = heard.iter().filter(|words| words.contains("Subject:")).collect();
    assert_eq!(messages.len(), 2);
    let text = String::from_utf8(mail.bytes().to_vec()).unwrap();
    let dotted = text.strip_suffix("\r\n").unwrap().replace("\r\n.", "\r\n..");
    assert_eq!(*messages[0], format!("{dotted}\r\n.\r\n"), "the same bytes, dots doubled, no line added");
    assert_eq!(messages[0], messages[1]);
}

#[tokio::test]
async fn f34_a_token_that_is_refused_wants_a_person() {
    let login = Login::XOAuth2 { user: "pusat".to_owned(), token: "t0ken".to_owned() };
    let server = Scripted::start(&["S: 220 ready
        C: EHLO
        S: 250-lab
        S: 250 AUTH XOAUTH2
        C: AUTH XOAUTH2 dXNlcj1wdXNhdAFhdXRoPUJlYXJlciB0MGtlbgEB
        S: 334 eyJzdGF0dXMiOiI0MDEifQ==
        !silence"]);
    let error = Connection::open(&server.endpoint(Tls::None), Some(&login), HOST, Timeouts::default()).await.unwrap_err();
    assert!(matches!(&error, WireError::Refused(text) if !text.contains("t0ken")), "{error}");
    server.end();
}

#[tokio::test]
async fn a_connection_that_died_while_idle_is_noticed_before_a_letter_is_begun() {
    let server = Scripted::start(&[&script("!close")]);
    let mut connection = open(&server, Timeouts::default()).await;
    assert!(!connection.refresh().await);
    assert!(is_later(&connection.send(&sealed("pelapor@warga.example", 1)).await, Fault::Server));
    server.end();
}

#[tokio::test]
async fn a_transaction_given_up_half_way_is_not_continued_by_the_next_letter() {
    let server = Scripted::start(&[&script(&format!("{ENVELOPE}!silence"))]);
    let mut connection = open(&server, Timeouts::default()).await;
    let mail = sealed("pelapor@warga.example", 1);
    assert!(tokio::time::timeout(std::time::Duration::from_millis(100), connection.send(&mail)).await.is_err());
    assert!(!connection.is_open());
    assert!(is_later(&connection.send(&mail).await, Fault::Server));
    drop(connection);
    server.end();
}

#[tokio::test]
async fn a_greeting_name_that_is_none_is_refused_before_connecting() {
    let server = Scripted::start(&[]);
    for name in ["", "a b", "x\r\nMAIL FROM:<a@b>"] {
        let error = Connection::open(&server.endpoint(Tls::None), None, name, Timeouts::default()).await.unwrap_err();
        assert!(matches!(error, WireError::Refused(_)), "d2: {name:?}");
    }
    server.end();
}
