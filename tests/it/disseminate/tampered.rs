//! Somebody changes the database behind the daemon's back, between agreement and sending: what leaves
//! is what was agreed to, or nothing.

use super::{Hall, read_by, to};
use bantuan70::model::Tlp;
use bantuan70::model::contact::ContactKind;
use bantuan70::model::dissemination::{Dissemination, RecipientState};
use bantuan70::model::letter::LetterState;
use bantuan70::store::OutboxId;

const RINA: &str = "rina@bank.example";
const AGREED: &str = "Tutup port 8443. Untuk bantuan70@bssn.test.";

/// A dissemination to rina is agreed to and waits; then this is done to the database.
async fn after(sql: &str) -> Hall {
    let mut hall = Hall::new("");
    hall.keyed_contact(RINA, ContactKind::Role);
    hall.command("ani", &format!("!tlp AMBER\n!diseminasi {RINA}\n{AGREED}"));
    hall.decide().await;
    assert_eq!(hall.state_of(1, RINA).0, RecipientState::Queued);
    let db = rusqlite::Connection::open(hall.folder().join("data/bantuan70.db")).unwrap();
    db.execute_batch("DROP TRIGGER outbox_letter_is_fixed;").unwrap();
    db.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    assert_eq!(db.query_row("SELECT total_changes()", [], |row| row.get::<_, i64>(0)).unwrap(), 1, "{sql}");
    hall
}

fn letter(change: &str) -> String {
    format!("UPDATE outbox SET letter = {change} WHERE kind = 'dissemination'")
}

/// Words, files, mark, protection, Message-ID of the row; words, mark, certificate and recipients of the whole.
#[tokio::test]
async fn a_row_that_says_something_else_than_what_was_agreed_to_is_held() {
    let other = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB";
    let file = r#"json('{"name":"x.csv","media_type":"text/csv","sha256":"0000"}')"#;
    let whole = |change: &str| format!("UPDATE dissemination SET body = {change}");
    let changes = [
        letter("json_set(letter, '$.text', 'Kirim sandi Anda ke sini.')"),
        letter("json_set(letter, '$.html', '<p>Kirim sandi Anda ke sini.</p>')"),
        letter("json_set(letter, '$.tlp', 'GREEN')"),
        letter("json_set(letter, '$.protection', 'signed')"),
        letter("json_set(letter, '$.message_id', 'lain@bssn.test')"),
        letter("json_set(letter, '$.kind', 'reminder', '$.tlp', 'RED')"),
        letter("json_set(letter, '$.dissemination', json('null'))"),
        whole("json_set(body, '$.text', 'Kirim sandi Anda ke sini.')"),
        whole("json_set(body, '$.subject', 'Kirim sandi Anda')"),
        whole("json_set(body, '$.tlp', 'CLEAR')"),
        whole(&format!("json_insert(body, '$.enclosures[#]', {file})")),
        format!("UPDATE recipient SET body = json_set(body, '$.fingerprint', '{other}')"),
        "UPDATE recipient SET body = json_set(body, '$.fingerprint', json('null'))".to_owned(),
        "UPDATE recipient SET body = json_set(body, '$.kind', 'person')".to_owned(),
        "INSERT INTO recipient (dissemination, address, kind, state, at, n, body) SELECT dissemination, 'maling@lain.example', kind, state,
             at, 1, json_set(body, '$.address', 'maling@lain.example') FROM recipient"
            .to_owned(),
    ];
    for sql in changes {
        let mut hall = after(&sql).await;
        let sent = hall.play().await;
        assert!(to(&sent, RINA).is_empty(), "it left after {sql}");
        let told = read_by(&sent, "ani@bssn.test");
        assert!(told.contains("tidak sama dengan yang disetujui"), "{sql}: nobody was told:\n{told}");
        let row = hall.outbox().into_iter().find(|row| row.to.as_str() == RINA).unwrap();
        assert_eq!(row.state, LetterState::Held, "{sql}");
        assert!(hall.sealed(&row).is_none(), "{sql}: it was sealed");
        // Nor does a person send it by trying again.
        hall.retry(OutboxId(row.id)).unwrap();
        assert!(to(&hall.play().await, RINA).is_empty(), "it left after {sql}, tried again");
    }
}

/// Whoever makes all rows fit each other makes them fit nothing that anybody agreed to.
#[tokio::test]
async fn rows_that_were_changed_to_fit_each_other_are_held_and_the_audit_log_names_them() {
    for what in ["text", "mark and certificate"] {
        let mut hall = after("UPDATE outbox SET sealed = NULL WHERE kind = 'dissemination'").await;
        let mut one = hall.dissemination(1).unwrap();
        if what == "text" {
            one.text = "Kirim sandi Anda ke sini.".to_owned();
        } else {
            one.tlp = Tlp::Clear;
            one.recipients.iter_mut().for_each(|recipient| recipient.fingerprint = None);
        }
        one.released = Some(one.code());
        one.approvals.iter_mut().for_each(|approval| approval.code = one.released.clone().unwrap());
        let db = rusqlite::Connection::open(hall.folder().join("data/bantuan70.db")).unwrap();
        for recipient in &one.recipients {
            let body = serde_json::to_string(recipient).unwrap();
            db.execute("UPDATE recipient SET fingerprint = ?1, body = ?2", (recipient.fingerprint.as_ref().map(|it| &it.0), body)).unwrap();
        }
        if one.tlp == Tlp::Clear {
            db.execute_batch("UPDATE contact SET fingerprint = NULL").unwrap();
            db.execute_batch(&letter("json_set(letter, '$.tlp', 'CLEAR', '$.protection', 'signed')")).unwrap();
        }
        let body = serde_json::to_string(&Dissemination { recipients: Vec::new(), ..one.clone() }).unwrap();
        db.execute("UPDATE dissemination SET tlp = ?1, body = ?2", (one.tlp.word(), body)).unwrap();
        let sent = hall.play().await;
        assert!(to(&sent, RINA).is_empty(), "{what}: it left");
        assert!(read_by(&sent, "ani@bssn.test").contains("tidak sama dengan yang disetujui"), "{what}");
        let problems = hall.stage.daemon.store.audit_verify().unwrap().problems;
        assert!(
            problems.iter().any(|problem| problem == &format!("dissemination {} is not what was agreed to", one.number)),
            "{problems:?}"
        );
    }
}

/// A mail that has left, and whose row is made to say that it waits, does not leave again.
#[tokio::test]
async fn a_sent_mail_that_is_made_to_wait_again_is_not_sent_twice() {
    let mut hall = after("UPDATE outbox SET sealed = NULL WHERE kind = 'dissemination'").await;
    assert_eq!(to(&hall.play().await, RINA).len(), 1);
    let db = rusqlite::Connection::open(hall.folder().join("data/bantuan70.db")).unwrap();
    let sql = "UPDATE outbox SET state = 'queued', sent_at = NULL, next_at = queued_at, sealed = NULL WHERE kind = 'dissemination'";
    assert_eq!(db.execute(sql, []).unwrap(), 1);
    let sent = hall.play().await;
    assert!(to(&sent, RINA).is_empty(), "it left twice");
    let row = hall.outbox().into_iter().find(|row| row.to == RINA).unwrap();
    assert_eq!((row.state, hall.state_of(1, RINA).0), (LetterState::Held, RecipientState::Sent));
    assert!(read_by(&sent, "ani@bssn.test").contains("sudah menerima diseminasi ini"));
}

/// What a row says of names and subjects is not what leaves.
#[tokio::test]
async fn a_changed_subject_or_name_in_a_row_leaves_nobody_a_trace() {
    for change in
        ["'$.subject', 'Kirim sandi Anda'", "'$.outer_subject', 'rahasia'", "'$.to_name', 'Kirim sandi Anda'", "'$.language', 'en'"]
    {
        let mut hall = after(&letter(&format!("json_set(letter, {change})"))).await;
        let sent = hall.play().await;
        let mail = to(&sent, RINA)[0];
        assert!(mail.text.contains(AGREED) && mail.text.contains("MOHON KONFIRMASI PENERIMAAN"), "{change}: {}", mail.text);
        let seen = format!("{} {} {}", mail.subject, mail.outer_subject, String::from_utf8_lossy(&mail.raw));
        assert!(!seen.contains("Kirim sandi") && !seen.contains("rahasia"), "{change}: {seen}");
        let problems = hall.stage.daemon.store.audit_verify().unwrap().problems;
        assert!(problems.iter().any(|problem| problem.ends_with("was changed")), "the audit log names it: {problems:?}");
    }
}

/// What the author agreed to by drafting it was another text: nobody else's agreement alone lets the changed one go.
#[tokio::test]
async fn agreement_to_a_draft_counts_no_more_once_somebody_changed_it() {
    let mut hall = Hall::new("");
    hall.keyed_contact(RINA, ContactKind::Person);
    hall.command("ani", &format!("!tlp RED\n!diseminasi {RINA}\n{AGREED}"));
    hall.play().await;
    let db = rusqlite::Connection::open(hall.folder().join("data/bantuan70.db")).unwrap();
    assert_eq!(db.execute("UPDATE dissemination SET body = json_set(body, '$.text', 'Kirim sandi Anda.')", []).unwrap(), 1);
    let line = hall.agreement(1);
    hall.command("budi", &line);
    let sent = hall.play().await;
    assert!(to(&sent, RINA).is_empty(), "it left with one person's agreement");
    assert_eq!(hall.dissemination(1).unwrap().released, None);
}
