//! Confirmation under attack, and what whoever sees a sealed mail can make of it. Each is tried on the
//! real daemon, and the true confirmation acts at the end, so that nothing is refused for another reason.

use super::agreement::awaiting;
use super::{Hall, read_by, to};
use crate::harness::gpg::{Gpg, crlf};
use bantuan70::cli::demo::stage::{Actor, Note, Received};
use bantuan70::model::Address;
use bantuan70::model::contact::ContactKind;
use bantuan70::model::dissemination::RecipientState;
use bantuan70::model::letter::LetterState;

const RINA: &str = "rina@bank.example";

pub fn center() -> Address {
    Address::parse("bantuan70@bssn.test").unwrap()
}

pub fn replaced(raw: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(raw).unwrap();
    assert!(text.contains(from), "{from} in\n{text}");
    text.replacen(from, to, 1).into_bytes()
}

/// One recipient who is a real gpg, with the mail that it got.
pub struct Recipient {
    pub gpg: Gpg,
    pub key: String,
}

impl Recipient {
    pub fn on(hall: &mut Hall, address: &str, kind: ContactKind) -> Self {
        Self::on_until(hall, address, kind, "2y")
    }

    pub fn on_until(hall: &mut Hall, address: &str, kind: ContactKind, expires: &str) -> Self {
        let gpg = Gpg::new();
        let key = gpg.new_key_until(&format!("Rina <{address}>"), "future-default", expires);
        hall.catch_up();
        hall.contact(address, kind, Some(&gpg.export(&key)), true);
        Self { gpg, key }
    }

    /// DITERIMA in answer to that mail, signed now, by gpg's clock.
    fn confirms(&self, from: &str, answered: &Received, id: &str) -> Vec<u8> {
        self.gpg.sign_mime(&self.key, &header(from, &answered.message_id, id), b"Content-Type: text/plain\n\nDITERIMA.\n")
    }
}

pub fn header(from: &str, answered: &str, id: &str) -> String {
    format!(
        "From: <{from}>\nTo: bantuan70@bssn.test\nSubject: Re: informasi\nMessage-ID: <{id}>\nIn-Reply-To: <{answered}>\nMIME-Version: 1.0\n"
    )
}

/// The mail comes in and confirms nothing; where it is somebody's answer, ani hears of it.
async fn unproved(hall: &mut Hall, raw: &[u8], told: &str) {
    hall.stage.deliver(raw).unwrap();
    let sent = hall.play().await;
    assert_eq!(hall.state_of(1, RINA).0, RecipientState::Sent, "{told}: it confirmed");
    let read = read_by(&sent, "ani@bssn.test");
    assert!(read.contains(told), "{told}:\n{read}");
}

#[tokio::test]
async fn d7_red_is_confirmed_by_the_recipients_own_fresh_signature_alone() {
    let mut hall = Hall::new("");
    let rina = Recipient::on(&mut hall, RINA, ContactKind::Person);
    let eve = Recipient::on(&mut hall, "eve@lain.example", ContactKind::Person);
    let before = rina.gpg.sign_mime(&rina.key, &header(RINA, "x@y", "a0@bank.example"), b"Content-Type: text/plain\n\nDITERIMA.\n");
    // The stage's clock goes ahead of gpg's, so that what gpg signed until now is older than the sending.
    hall.stage.clock.advance(jiff::SignedDuration::from_secs(60));
    let line = awaiting(&mut hall, RINA).await;
    hall.command("budi", &line);
    let sent = hall.play().await;
    let mail = to(&sent, RINA)[0].clone();
    let plain = [header(RINA, &mail.message_id, "a1@bank.example"), "\nDITERIMA.\n".to_owned()].concat();
    unproved(&mut hall, &crlf(plain.as_bytes()), "menuntut konfirmasi yang bertanda tangan").await;
    // Signed by a known contact who is not rina; by a certificate that bears her name.
    unproved(&mut hall, &eve.confirms(RINA, &mail, "a2@bank.example"), "menuntut konfirmasi yang bertanda tangan").await;
    let forged = Gpg::new();
    let key = forged.new_key(&format!("Rina <{RINA}>"), "future-default");
    let forged = Recipient { gpg: forged, key };
    unproved(&mut hall, &forged.confirms(RINA, &mail, "a3@bank.example"), "menuntut konfirmasi yang bertanda tangan").await;
    // Hers, and made before she had the mail.
    let old = replaced(&before, "In-Reply-To: <x@y>", &format!("In-Reply-To: <{}>", mail.message_id));
    unproved(&mut hall, &old, "menuntut konfirmasi yang bertanda tangan").await;
    // A machine's, though it bears the word and refers to the mail.
    let robot = [&header(RINA, &mail.message_id, "a4@bank.example"), "Auto-Submitted: auto-replied\n\nDITERIMA.\n"].concat();
    unproved(&mut hall, &crlf(robot.as_bytes()), "").await;
    // The word after other words is no confirmation.
    let later = rina.gpg.sign_mime(
        &rina.key,
        &header(RINA, &mail.message_id, "a5@bank.example"),
        b"Content-Type: text/plain\n\nBelum kami baca. DITERIMA nanti.\n",
    );
    unproved(&mut hall, &later, "tanpa mengonfirmasi").await;
    // Her own, fresh: by now gpg's clock must have passed the sending, which the stage put a minute ahead.
    let time = hall.now() + jiff::SignedDuration::from_secs(90);
    let stamp = time.strftime("%Y%m%dT%H%M%S").to_string();
    let entity = crlf(b"Content-Type: text/plain\n\nDITERIMA.\n");
    let good = crate::harness::gpg::signed_mail(
        &header(RINA, &mail.message_id, "a6@bank.example"),
        &entity,
        &rina.gpg.sign_at(&rina.key, &entity, &stamp),
    );
    hall.stage.clock.advance(jiff::SignedDuration::from_secs(120));
    hall.stage.deliver(&good).unwrap();
    hall.play().await;
    assert_eq!(hall.state_of(1, RINA).0, RecipientState::Confirmed);

    // That signature, taken to another dissemination, confirms nothing there.
    let line = awaiting(&mut hall, RINA).await;
    hall.command("budi", &line);
    let second = to(&hall.play().await, RINA)[0].clone();
    let moved = replaced(&good, &mail.message_id, &second.message_id);
    hall.stage.deliver(&replaced(&moved, "a6@", "a7@")).unwrap();
    hall.play().await;
    assert_eq!(hall.state_of(2, RINA).0, RecipientState::Sent);
}

#[tokio::test]
async fn d7_up_to_amber_the_reference_to_ones_own_mail_confirms_and_nobody_elses_does() {
    let mut hall = Hall::new("");
    hall.keyed_contact(RINA, ContactKind::Person);
    hall.keyed_contact("eve@lain.example", ContactKind::Role);
    hall.command("ani", &format!("!tlp AMBER\n!diseminasi {RINA}, eve@lain.example\nUntuk bantuan70@bssn.test."));
    let sent = hall.play().await;
    let (hers, eves) = (to(&sent, RINA)[0].clone(), to(&sent, "eve@lain.example")[0].clone());
    let says = |from: &str, answered: &str, id: &str| crlf([header(from, answered, id), "\nDITERIMA.\n".to_owned()].concat().as_bytes());
    // Who knows rina's address and not the mail that she got.
    unproved(&mut hall, &says(RINA, "tebakan@bssn.test", "b1@bank.example"), "").await;
    unproved(&mut hall, &says(RINA, &eves.message_id, "b2@bank.example"), "belum terbukti").await;
    // Who has her mail and is not she.
    unproved(&mut hall, &says("eve@lain.example", &hers.message_id, "b3@lain.example"), "belum terbukti").await;
    unproved(&mut hall, &says("orang@asing.example", &hers.message_id, "b4@asing.example"), "").await;
    assert_eq!(hall.state_of(1, "eve@lain.example").0, RecipientState::Sent);
    hall.stage.deliver(&says(RINA, &hers.message_id, "b5@bank.example")).unwrap();
    hall.play().await;
    assert_eq!(hall.state_of(1, RINA).0, RecipientState::Confirmed);
    assert_eq!(hall.state_of(1, "eve@lain.example").0, RecipientState::Sent);
}

/// A bounce counts where it names our Message-ID and our recipient; a forged one changes nothing.
#[tokio::test]
async fn l19_only_a_bounce_of_our_mail_to_our_recipient_changes_its_state() {
    let mut hall = Hall::new("");
    hall.keyed_contact(RINA, ContactKind::Person);
    hall.stage.add("mx", Actor::without_key("mx", "mailer-daemon@mx.example").unwrap());
    hall.command("ani", &format!("!tlp AMBER\n!diseminasi {RINA}\nUntuk bantuan70@bssn.test."));
    let mail = to(&hall.play().await, RINA)[0].clone();
    let dsn = |n: u32, id: &str, recipient: &str, fate: &str| {
        format!(
            "Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example\r\nTo: bantuan70@bssn.test\r\nSubject: Undelivered\r\nMessage-ID: <dsn.{n}@mx.example>\r\n\
             MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSorry {n}.\r\n\
             --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; {recipient}\r\n{fate}\r\n\r\n\
             --b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{id}>\r\n\r\n--b--\r\n"
        )
    };
    let failed = "Action: failed\r\nStatus: 5.1.1";
    for (n, id, recipient, fate) in [
        (1, "dissemination.00000000000000000000000000000000@bssn.test", RINA, failed),
        (2, mail.message_id.as_str(), "orang@lain.example", failed),
        (3, mail.message_id.as_str(), RINA, "Action: delayed\r\nStatus: 4.4.1"),
    ] {
        hall.stage.deliver(dsn(n, id, recipient, fate).as_bytes()).unwrap();
        hall.play().await;
        assert_eq!(hall.state_of(1, RINA).0, RecipientState::Sent, "bounce {n}");
        let row = hall.outbox().into_iter().find(|row| row.to.as_str() == RINA).unwrap();
        assert_eq!(row.state, LetterState::Sent, "bounce {n}");
    }
    hall.stage.deliver(dsn(4, &mail.message_id, RINA, failed).as_bytes()).unwrap();
    let told = read_by(&hall.play().await, "ani@bssn.test");
    assert_eq!(hall.state_of(1, RINA).0, RecipientState::Bounced);
    assert!(told.contains(RINA), "{told}");
    // It confirms nothing, and a bounce of the bounced one tells nothing more.
    hall.stage.deliver(dsn(5, &mail.message_id, RINA, failed).as_bytes()).unwrap();
    assert!(to(&hall.play().await, "ani@bssn.test").is_empty());
}

/// What we signed names for whom: who passes it on sealed to another shows that it was not meant for that one.
#[tokio::test]
async fn surreptitious_forwarding_shows_in_what_we_signed() {
    let mut hall = Hall::new("");
    let rina = Recipient::on(&mut hall, RINA, ContactKind::Person);
    hall.command("ani", &format!("!tlp AMBER\n!diseminasi {RINA}\nUntuk bantuan70@bssn.test."));
    let mail = to(&hall.play().await, RINA)[0].clone();
    let text = String::from_utf8(mail.raw).unwrap();
    let armor = &text[text.find("-----BEGIN PGP").unwrap()..text.find("-----END PGP MESSAGE-----").unwrap()];
    let message = format!("{armor}-----END PGP MESSAGE-----\n");
    // The encryption alone taken off, as who passes it on would do.
    let signed = rina.gpg.must(&["--unwrap", "--decrypt"], message.as_bytes()).out;
    let bench = hall.stage.daemon.bench();
    let own = bench.reader.keyring.own().unwrap().fingerprint().0;
    // RFC 9580 §5.2.3.36: subpacket 35 of 22 bytes for each whom it was meant for, version 4 and fingerprint.
    let meant: Vec<String> = signed
        .windows(23)
        .filter(|window| window[..3] == [22, 35, 4])
        .map(|window| window[3..].iter().map(|byte| format!("{byte:02X}")).collect())
        .collect();
    assert_eq!(meant.len(), 2, "{meant:?}");
    assert!(meant.contains(&rina.key) && meant.contains(&own), "{meant:?}");
}

/// As Thunderbird, K-9 and gpg read it: the true subject stands in the header of what was encrypted,
/// and in the text for who sees that alone; outside stand tag, label and neutral words. No recipient
/// learns of another, neither outside nor inside.
#[tokio::test]
async fn d5_d6_a_client_that_reads_protected_headers_shows_the_true_subject() {
    let mut hall = Hall::new("");
    let rina = Recipient::on(&mut hall, RINA, ContactKind::Person);
    let eve = Recipient::on(&mut hall, "eve@lain.example", ContactKind::Role);
    let bench = hall.stage.daemon.bench();
    let own = bench.reader.keyring.own().unwrap();
    rina.gpg.import(&own.armored());
    eve.gpg.import(&own.armored());
    let text = format!("!tlp AMBER\n!diseminasi {RINA}, eve@lain.example\nUntuk bantuan70@bssn.test.");
    hall.command_with("ani", Note { subject: "Celah pada gerbang".to_owned(), text, ..Note::default() });
    let sent = hall.play().await;
    for (who, address, other, other_key) in [(&rina, RINA, "eve@lain.example", &eve.key), (&eve, "eve@lain.example", RINA, &rina.key)] {
        let raw = String::from_utf8(to(&sent, address)[0].raw.clone()).unwrap();
        let (header, body) = raw.split_once("\r\n\r\n").unwrap();
        let outside = super::wire::field(header, "subject");
        assert!(outside.ends_with("[TLP:AMBER] Diseminasi informasi"), "{outside}");
        for hidden in ["Celah", "Cc:", "Bcc:", "Comment:", "Version: Gnu", "Autocrypt:", other] {
            assert!(!raw.contains(hidden), "{hidden} outside");
        }
        let message = &body[body.find("-----BEGIN PGP").unwrap()..body.find("-----END PGP MESSAGE-----").unwrap()];
        let run = who.gpg.decrypt(format!("{message}-----END PGP MESSAGE-----\n").as_bytes());
        assert_eq!(run.good_signer().as_deref(), Some(own.fingerprint().0.as_str()), "{}", run.status);
        let inside = String::from_utf8(run.out).unwrap();
        let (head, rest) = inside.split_once("\r\n\r\n").unwrap();
        let kind = super::wire::field(head, "content-type");
        assert!(kind.contains("protected-headers=\"v1\"") && kind.contains("hp=\"cipher\""), "{kind}");
        let subject = super::wire::field(head, "subject");
        assert!(subject.ends_with("TLP:AMBER Celah pada gerbang"), "{subject}");
        assert!(super::wire::field(head, "to").contains(address), "{head}");
        let readable = super::wire::readings(rest.as_bytes());
        assert!(readable.contains("Perihal: Celah pada gerbang"), "{readable}");
        assert!(!inside.contains(other) && !readable.contains(other), "{other} inside");
        // Nor by the keys that open it.
        let super::wire::Seen::Encrypted(keys) = super::wire::look(raw.as_bytes()) else { panic!("{raw}") };
        assert_eq!(keys.len(), 2);
        let listed = String::from_utf8(who.gpg.must(&["--with-colons", "--list-keys"], b"").out).unwrap();
        assert!(keys.iter().any(|key| listed.contains(key.as_str())), "{keys:?} in {listed}");
        assert!(keys.iter().all(|key| !other_key.ends_with(key.as_str())));
    }
}
