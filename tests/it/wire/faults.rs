//! IMAP against servers that fail and lie.

use super::{impatient, login};
use crate::harness::scripted::Scripted;
use bantuan70::wire::imap::Session;
use bantuan70::wire::{Body, Filing, Login, Timeouts, Tls, Wake, WireError};
use std::time::Duration;

const MAX: usize = 10_000;

/// A session up to the selected mailbox, and then `acts`.
fn script(capabilities: &str, acts: &str) -> String {
    format!(
        "S: * OK ready
        C: CAPABILITY
        S: * CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN
        S: {{tag}} OK done
        C: AUTHENTICATE PLAIN AHB1c2F0AHMzY3JldA==
        S: {{tag}} OK logged in
        C: CAPABILITY
        S: * CAPABILITY IMAP4rev1 {capabilities}
        S: {{tag}} OK done
        C: SELECT \"INBOX\"
        S: * FLAGS (\\Seen \\Deleted)
        S: * 2 EXISTS
        S: * OK [UIDVALIDITY 7] valid
        S: * OK [PERMANENTFLAGS (\\Deleted \\*)] kept
        S: {{tag}} OK [READ-WRITE] done
        {acts}"
    )
}

/// Sizes of 5 bytes for UIDs 3 and 4, and then `acts` instead of an honest answer to FETCH.
fn fetching(acts: &str) -> String {
    script(
        "UIDPLUS MOVE IDLE",
        &format!(
            "C: UID FETCH 3:4 (UID RFC822.SIZE)
            S: * 1 FETCH (UID 3 RFC822.SIZE 5)
            S: * 2 FETCH (RFC822.SIZE 5 UID 4)
            S: {{tag}} OK done
            C: UID FETCH 3:4 (UID INTERNALDATE BODY.PEEK[])
            {acts}"
        ),
    )
}

async fn open(server: &Scripted, timeouts: Timeouts) -> Session {
    Session::connect(&server.endpoint(Tls::None), &login(), "INBOX", timeouts).await.unwrap()
}

async fn fetch_fails(acts: &str) -> WireError {
    let server = Scripted::start(&[&fetching(&format!("{acts}\n!silence"))]);
    let mut session = open(&server, Timeouts::default()).await;
    let error = session.fetch(&[3, 4], MAX).await.unwrap_err();
    drop(session);
    server.end();
    error
}

fn is_protocol(error: &WireError) -> bool {
    matches!(error, WireError::Protocol(_))
}

#[tokio::test]
async fn f1_of_a_message_cut_off_nothing_is_given() {
    let error = fetch_fails("R: * 1 FETCH (UID 3 BODY[] {5}\\r\\nhel\n!reset").await;
    assert!(matches!(error, WireError::Unreachable(_)), "{error}");
    let error = fetch_fails("R: * 1 FETCH (UID 3 BODY[] {5}\\r\\nhello)\\r\\n\n!close").await;
    assert!(matches!(error, WireError::Unreachable(_)), "{error}");
}

#[tokio::test]
async fn s3_what_is_too_large_is_dropped_before_it_is_taken_in() {
    for lie in [
        "S: * 1 FETCH (UID 3 BODY[] {4294967295}",
        "S: * 1 FETCH (UID 3 BODY[] {99999999999999999999}",
        "S: * 1 FETCH (UID 3 BODY[] {1100000}",
        "!flood 20000 * 1 FETCH (UID 3 BODY[] {5}",
        "!flood 20000 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "!flood 1100000 * OK x\\r\\n",
        "!flood 1000 (",
        "!flood 5000 * 1 FETCH (BODYSTRUCTURE ((((((((((((((((((((((((((((((((((",
    ] {
        let error = fetch_fails(lie).await;
        assert!(is_protocol(&error), "{lie}: {error}");
    }
}

#[tokio::test]
async fn s3_f16_more_bytes_than_were_told_end_the_session() {
    // Each stays under the limit of one message, together they would fill the memory.
    let part = format!("R: * 1 FETCH (UID {{uid}} BODY[] {{{MAX}}}\\r\\n{})\\r\\n\n", "x".repeat(MAX));
    let script = script(
        "IDLE",
        &format!(
            "C: UID FETCH 1:200 (UID RFC822.SIZE)
            {}
            S: {{tag}} OK done
            C: UID FETCH 1:200
            {}
            S: {{tag}} OK done",
            (1..=200).map(|uid| format!("S: * {uid} FETCH (UID {uid} RFC822.SIZE 5)\n")).collect::<String>(),
            (1..=200).map(|uid| part.replace("{uid}", &uid.to_string())).collect::<String>(),
        ),
    );
    let server = Scripted::start(&[&script]);
    let mut session = open(&server, Timeouts::default()).await;
    let error = session.fetch(&(1..=200).collect::<Vec<_>>(), MAX).await.unwrap_err();
    assert!(is_protocol(&error), "{error}");
    server.end();
}

#[tokio::test]
async fn s3_strange_and_broken_answers_never_panic_and_never_quote_mail() {
    for lie in [
        "S: * 1 FETCH (UID 3 BODY[] secret-of-a-reporter",
        "S: * FETCH FETCH FETCH",
        "S: \u{fffd}\u{fffd} secret-of-a-reporter",
        "S: * OK [ALERT]\u{e9}secret-of-a-reporter\nS: nonsense",
        "S: * SEARCH 99999999999999999999",
        "S: + go on\nS: a1 OK not this command\nS: * 0 EXPUNGE\nS: ?",
    ] {
        let error = fetch_fails(lie).await;
        assert!(!error.to_string().contains("secret"), "{error}");
        assert!(is_protocol(&error), "{lie}: {error}");
    }
}

#[tokio::test]
async fn s4_only_what_was_asked_for_counts_each_once() {
    let server = Scripted::start(&[&fetching(
        "S: * 9 FETCH (UID 99 BODY[] \"alien\")
        S: * 1 FETCH (BODY[] \"nouid\")
        S: * 2 FETCH (UID 4 INTERNALDATE \" 4-Nov-2026 07:28:12 +0700\" BODY[] \"four.\")
        S: * 1 FETCH (FLAGS (\\Seen))
        S: * 2 FETCH (UID 4 BODY[] \"again\")
        S: * 4294967295 EXISTS
        S: * 1 FETCH (BODY[] {5}
        S: three UID 3)
        S: {tag} OK done
        !silence",
    )]);
    let mut session = open(&server, Timeouts::default()).await;
    let fetched = session.fetch(&[4, 3, 3, 0], MAX).await.unwrap();
    let found: Vec<_> = fetched.iter().map(|one| (one.uid, one.body.clone())).collect();
    assert_eq!(found, [(3, Body::Whole(b"three".to_vec())), (4, Body::Whole(b"four.".to_vec()))]);
    assert_eq!(fetched[1].internal_date.unwrap().to_string(), "2026-11-04T00:28:12Z");
    drop(session);
    server.end();
}

#[tokio::test]
async fn a_message_that_the_server_does_not_give_is_not_taken_for_gone() {
    let server = Scripted::start(&[&fetching(
        "S: * 2 FETCH (UID 4 BODY[] \"four.\")
        S: {tag} NO [SERVERBUG] one cannot be read
        C: UID SEARCH UID 3
        S: * SEARCH 3
        S: {tag} OK done
        !silence",
    )]);
    let mut session = open(&server, Timeouts::default()).await;
    let fetched = session.fetch(&[3, 4], MAX).await.unwrap();
    assert_eq!(fetched.iter().map(|one| one.uid).collect::<Vec<_>>(), [4]);
    drop(session);
    server.end();
}

async fn filed(acts: &str) -> Result<Vec<(u32, Filing)>, WireError> {
    let server = Scripted::start(&[&script("UIDPLUS MOVE", &format!("{acts}\n!silence"))]);
    let mut session = open(&server, Timeouts::default()).await;
    let result = session.file(&[3, 4], "Processed").await;
    drop(session);
    server.end();
    result
}

#[tokio::test]
async fn f4_the_folder_is_made_once() {
    let result = filed(
        "C: UID MOVE 3:4 \"Processed\"
        S: {tag} NO [TRYCREATE] no such folder
        C: CREATE \"Processed\"
        S: {tag} OK done
        C: UID MOVE 3:4 \"Processed\"
        S: * OK [COPYUID 9 3:4 1:2] moved
        S: {tag} OK done",
    );
    assert_eq!(result.await.unwrap(), [(3, Filing::Filed), (4, Filing::Filed)]);
    let refused = filed(
        "C: UID MOVE 3:4
        S: {tag} NO [TRYCREATE] no such folder
        C: CREATE
        S: {tag} NO [NOPERM] not yours
        C: UID MOVE 3:4
        S: {tag} NO [TRYCREATE] no such folder
        C: UID SEARCH UID 3:4
        S: * SEARCH 3 4
        S: {tag} OK done",
    );
    assert!(refused.await.unwrap().iter().all(|(_, filing)| matches!(filing, Filing::Failed(_))), "no endless round");
}

#[tokio::test]
async fn f4_what_the_server_refuses_stays_and_says_why() {
    let result = filed(
        "C: UID MOVE 3:4
        S: {tag} NO [OVERQUOTA] mailbox is full
        C: UID SEARCH UID 3:4
        S: * SEARCH 4 3
        S: {tag} OK done",
    );
    let result = result.await.unwrap();
    assert!(result.iter().all(|(_, filing)| matches!(filing, Filing::Failed(why) if why.contains("full"))), "{result:?}");
}

#[tokio::test]
async fn f7_a_set_refused_for_one_that_is_gone_is_tried_without_it() {
    let result = filed(
        "C: UID MOVE 3:4
        S: {tag} NO Some of the requested messages no longer exist
        C: UID SEARCH UID 3:4
        S: * SEARCH 4
        S: {tag} OK done
        C: UID MOVE 4 \"Processed\"
        S: {tag} OK done",
    );
    assert_eq!(result.await.unwrap(), [(3, Filing::Gone), (4, Filing::Filed)]);
}

#[tokio::test]
async fn f18_a_folder_that_is_the_mailbox_itself_stops_all_filing() {
    let round = filed(
        "C: UID MOVE 3:4
        S: * OK [COPYUID 7 3:4 10:11] moved
        S: {tag} OK done
        C: UID SEARCH UID 10
        S: * SEARCH 10
        S: {tag} OK done",
    );
    assert!(is_protocol(&round.await.unwrap_err()));
    // Two folders may have one UIDVALIDITY by chance: where the message is not in the inbox, all is well.
    let chance = filed(
        "C: UID MOVE 3:4
        S: * OK [COPYUID 7 3:4 10:11] moved
        S: {tag} OK done
        C: UID SEARCH UID 10
        S: * SEARCH
        S: {tag} OK done",
    );
    assert_eq!(chance.await.unwrap(), [(3, Filing::Filed), (4, Filing::Filed)]);
}

#[tokio::test]
async fn f18_an_alias_is_found_before_anything_is_filed() {
    let same = "S: * STATUS x (MESSAGES 2 UIDNEXT 5 UIDVALIDITY 7)\nS: {tag} OK done";
    let server = Scripted::start(&[&script(
        "MOVE",
        &format!(
            "C: LIST \"\" \"INBOX\"\nS: * LIST () \"/\" INBOX\nS: {{tag}} OK done\nC: STATUS \"INBOX\"\n{same}
            C: LIST \"\" \"Processed\"\nS: * LIST () \"/\" Processed\nS: {{tag}} OK done\nC: STATUS \"Processed\"\n{same}\n!silence"
        ),
    )]);
    let mut session = open(&server, Timeouts::default()).await;
    let refused = session.check_folders(&["Processed"]).await.unwrap_err();
    assert!(matches!(&refused, WireError::Refused(text) if text.contains("Processed")), "{refused}");
    drop(session);
    server.end();
}

#[tokio::test]
async fn f10_silence_in_idle_is_met_with_a_new_idle_and_a_dead_line_is_found() {
    let server = Scripted::start(&[&script(
        "IDLE",
        "C: IDLE
        S: + idling
        C: DONE
        S: a5 OK done
        C: IDLE
        S: + idling
        S: * OK still here
        S: * 2 RECENT
        C: DONE
        !silence",
    )]);
    let mut session = open(&server, impatient()).await;
    let error = session.wait(Duration::from_secs(60)).await.unwrap_err();
    assert!(matches!(&error, WireError::Unreachable(text) if text.contains("idle")), "{error}");
    drop(session);
    server.end();
}

#[tokio::test]
async fn f10_a_server_that_will_not_idle_is_not_asked_in_a_circle() {
    for (answer, is_lie) in [("S: + idling\nS: {tag} OK done already", true), ("S: {tag} NO not now", false)] {
        let server = Scripted::start(&[&script("IDLE", &format!("C: IDLE\n{answer}\n!silence"))]);
        let mut session = open(&server, Timeouts::default()).await;
        let error = session.wait(Duration::from_secs(60)).await.unwrap_err();
        assert_eq!(is_protocol(&error), is_lie, "{error}");
        drop(session);
        assert_eq!(server.end().iter().filter(|line| line.contains("IDLE")).count(), 1);
    }
}

#[tokio::test]
async fn f10_mail_that_came_between_two_commands_is_not_slept_over() {
    let server = Scripted::start(&[&script(
        "IDLE",
        "C: NOOP
        S: * 3 EXISTS
        S: {tag} OK done
        C: UID SEARCH
        S: * SEARCH 3 4
        S: * 4 EXISTS
        S: {tag} OK done
        !silence",
    )]);
    let mut session = open(&server, Timeouts::default()).await;
    assert_eq!(session.uids().await.unwrap(), [3, 4]);
    assert_eq!(session.wait(Duration::from_secs(60)).await.unwrap(), Wake::Changed);
    drop(session);
    server.end();
}

#[tokio::test]
async fn f19_a_hundred_thousand_waiting_mails_are_listed() {
    let uids: String = (1..=100_000_u32).map(|uid| format!(" {}", uid * 7)).collect();
    let server =
        Scripted::start(&[&script("IDLE", &format!("C: NOOP\nS: {{tag}} OK\nC: UID SEARCH\nS: * SEARCH{uids}\nS: {{tag}} OK\n!silence"))]);
    let mut session = open(&server, Timeouts::default()).await;
    let found = session.uids().await.unwrap();
    assert_eq!((found.len(), found[0], found[99_999]), (100_000, 7, 700_000));
    drop(session);
    server.end();
}

#[tokio::test]
async fn f11_a_goodbye_is_no_answer() {
    let server =
        Scripted::start(&[&script("IDLE", "C: NOOP\nS: {tag} OK\nC: UID SEARCH\nS: * SEARCH 3\nS: * BYE shutting down\n!silence")]);
    let mut session = open(&server, Timeouts::default()).await;
    assert!(matches!(session.uids().await, Err(WireError::Unreachable(text)) if text.contains("shutting down")));
    drop(session);
    server.end();
    for greeting in ["S: * BYE too busy", "!close"] {
        let server = Scripted::start(&[greeting]);
        let error = Session::connect(&server.endpoint(Tls::None), &login(), "INBOX", Timeouts::default()).await.unwrap_err();
        assert!(matches!(error, WireError::Unreachable(_)), "{greeting}: {error}");
    }
}

async fn log_in_answered(answer: &str) -> WireError {
    let script = format!(
        "S: * OK ready\nC: CAPABILITY\nS: * CAPABILITY IMAP4rev1 AUTH=PLAIN\nS: {{tag}} OK done\nC: AUTHENTICATE PLAIN\n{answer}\n!silence"
    );
    let server = Scripted::start(&[&script]);
    let error = Session::connect(&server.endpoint(Tls::None), &login(), "INBOX", Timeouts::default()).await.unwrap_err();
    server.end();
    error
}

#[tokio::test]
async fn f12_a_server_that_cannot_now_is_told_from_one_that_will_not() {
    let error = log_in_answered("S: + \nC: AHB1c2F0AHMzY3JldA==\nS: a2 NO [UNAVAILABLE] try later").await;
    assert!(matches!(error, WireError::Unreachable(_)), "{error}");
    let error = log_in_answered("S: + \nC: AHB1c2F0AHMzY3JldA==\nS: a2 NO [AUTHENTICATIONFAILED] no").await;
    assert!(matches!(error, WireError::Refused(_)), "{error}");
    let error = log_in_answered("S: a2 BAD what").await;
    assert!(is_protocol(&error), "{error}");
}

#[tokio::test]
async fn f13_a_command_not_understood_ends_the_session_and_tells_no_password() {
    let server = Scripted::start(&[
        "S: * OK ready\nC: CAPABILITY\nS: * CAPABILITY IMAP4rev1\nS: {tag} OK\nC: LOGIN \"pusat\" \"s3cret\"\nS: {tag} BAD LOGIN no\n!silence",
    ]);
    let error = Session::connect(&server.endpoint(Tls::None), &login(), "INBOX", Timeouts::default()).await.unwrap_err();
    assert!(is_protocol(&error) && !error.to_string().contains("s3cret"), "{error}");
    server.end();
}

#[tokio::test]
async fn f13_a_feature_that_is_misunderstood_three_times_is_not_used_again() {
    let misunderstood = script("IDLE MOVE", "C: IDLE\nS: {tag} BAD what\n!silence");
    let plain = script("IDLE MOVE", "C: NOOP\nS: {tag} OK done\n!silence");
    let server = Scripted::start(&[&misunderstood, &misunderstood, &misunderstood, &plain]);
    for _ in 0..3 {
        let mut session = open(&server, Timeouts::default()).await;
        assert!(is_protocol(&session.wait(Duration::from_secs(60)).await.unwrap_err()));
    }
    let mut session = open(&server, Timeouts::default()).await;
    assert_eq!(session.wait(Duration::from_millis(10)).await.unwrap(), Wake::Timeout);
    assert!(session.can_move());
    drop(session);
    server.end();
}

#[tokio::test]
async fn a_token_that_is_refused_ends_the_log_in() {
    let server = Scripted::start(&["S: * OK ready
        C: CAPABILITY
        S: * CAPABILITY IMAP4rev1 AUTH=XOAUTH2
        S: {tag} OK
        C: AUTHENTICATE XOAUTH2
        S: +
        C: dXNlcj1wdXNhdAFhdXRoPUJlYXJlciB0MGtlbgEB
        S: + eyJzdGF0dXMiOiI0MDEifQ==
        C: 
        S: a2 NO [AUTHENTICATIONFAILED] expired
        !silence"]);
    let login = Login::XOAuth2 { user: "pusat".to_owned(), token: "t0ken".to_owned() };
    let error = Session::connect(&server.endpoint(Tls::None), &login, "INBOX", Timeouts::default()).await.unwrap_err();
    assert!(matches!(&error, WireError::Refused(text) if !text.contains("t0ken")), "{error}");
    server.end();
}

#[tokio::test]
async fn f8_f9_a_mailbox_without_uidvalidity_or_rights_is_not_used() {
    for (answer, is_lie) in [("S: {tag} OK done", true), ("S: * OK [UIDVALIDITY 7] x\nS: {tag} OK [READ-ONLY] done", false)] {
        let script = script("", "");
        let script = script.split("S: * FLAGS").next().unwrap();
        let server = Scripted::start(&[&format!("{script}\n{answer}\n!silence")]);
        let error = Session::connect(&server.endpoint(Tls::None), &login(), "INBOX", Timeouts::default()).await.unwrap_err();
        assert_eq!(is_protocol(&error), is_lie, "{error}");
        server.end();
    }
}

#[tokio::test]
async fn f8_a_mailbox_that_is_made_anew_under_an_open_session_ends_it() {
    let server = Scripted::start(&[&script(
        "IDLE",
        "C: NOOP
        S: * OK [UIDVALIDITY 7] as before
        S: {tag} OK
        C: UID SEARCH
        S: * SEARCH 3
        S: {tag} OK
        C: UID FETCH 3 (UID RFC822.SIZE)
        S: * OK [UIDVALIDITY 8] made anew
        S: * 1 FETCH (UID 3 RFC822.SIZE 5)
        S: {tag} OK done
        !silence",
    )]);
    let mut session = open(&server, Timeouts::default()).await;
    assert_eq!(session.uids().await.unwrap(), [3]);
    let error = session.fetch(&[3], MAX).await.unwrap_err();
    assert!(matches!(&error, WireError::Unreachable(text) if text.contains("anew")), "{error}");
    drop(session);
    server.end();
}

#[tokio::test]
async fn s4_where_filed_mail_lies_is_believed_only_where_the_answer_fits_the_question() {
    for (code, places) in [
        ("COPYUID 9 3:4 21:22", vec![(3, 21), (4, 22)]),
        ("COPYUID 9 3:4 1:4294967295", vec![]),
        ("COPYUID 9 3,4,5,6 21:24", vec![]),
        ("COPYUID 9 3,9 21:22", vec![(3, 21)]),
    ] {
        let server =
            Scripted::start(&[&script("MOVE UIDPLUS", &format!("C: UID MOVE 3:4\nS: * OK [{code}] moved\nS: {{tag}} OK done\n!silence"))]);
        let mut session = open(&server, Timeouts::default()).await;
        session.file(&[3, 4], "Processed").await.unwrap();
        let placed: Vec<(u32, u32)> = session.take_placed().into_iter().map(|one| (one.uid, one.uid_there)).collect();
        assert_eq!(placed, places, "{code}");
        drop(session);
        server.end();
    }
}

#[tokio::test]
async fn a_silent_server_is_left_and_a_command_given_up_is_not_mixed_with_the_next() {
    let server = Scripted::start(&[&script("IDLE", "C: NOOP\nS: {tag} OK\nC: UID SEARCH\n!silence")]);
    let mut session = open(&server, Timeouts::default()).await;
    assert!(tokio::time::timeout(Duration::from_millis(50), session.uids()).await.is_err());
    assert!(matches!(session.uids().await, Err(WireError::Unreachable(_))));
    drop(session);
    server.end();
    let server = Scripted::start(&[&script("IDLE", "C: NOOP\nS: {tag} OK\nC: UID SEARCH\nR: * SEARCH 3\n!silence")]);
    let mut session = open(&server, impatient()).await;
    assert!(matches!(session.uids().await, Err(WireError::Unreachable(_))));
    drop(session);
    server.end();
}
