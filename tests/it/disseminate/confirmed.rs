//! Confirmations whose form lies: another sender inside than outside, a signed part beside an unsigned one, other
//! signatures, ciphertext without integrity protection. What they confirm is nothing, a person hears why, and the
//! true confirmation acts at the end, so that nothing is refused for another reason.

use super::agreement::{armored, awaiting, flipped, unprotected};
use super::attacks::{Recipient, header, replaced};
use super::{Hall, read_by, to};
use crate::harness::gpg::{crlf, encrypted_mail, signed_mail};
use bantuan70::cli::demo::stage::Received;
use bantuan70::model::contact::ContactKind;
use bantuan70::model::dissemination::RecipientState;

const RINA: &str = "rina@bank.example";
const EVE: &str = "eve@lain.example";
const WORD: &str = "Content-Type: text/plain\n\nDITERIMA.\n";

/// One of that mark went to rina, who is a gpg, and to nobody else.
async fn sent_to_rina(mark: &str) -> (Hall, Recipient, Received) {
    let mut hall = Hall::new("");
    let rina = Recipient::on(&mut hall, RINA, ContactKind::Person);
    hall.catch_up();
    if mark == "RED" {
        let line = awaiting(&mut hall, RINA).await;
        hall.command("budi", &line);
    } else {
        hall.command("ani", &format!("!tlp {mark}\n!diseminasi {RINA}\nUntuk bantuan70@bssn.test."));
    }
    let mail = to(&hall.play().await, RINA)[0].clone();
    (hall, rina, mail)
}

/// An entity signed by these keys of rina's gpg, now by the stage's clock.
fn signed(hall: &Hall, rina: &Recipient, keys: &[&str], header: &str, entity: &str) -> Vec<u8> {
    let entity = crlf(entity.as_bytes());
    let stamp = format!("{}!", hall.now().strftime("%Y%m%dT%H%M%S"));
    let mut arguments = vec!["--faked-system-time", &stamp, "--armor", "--digest-algo", "SHA512"];
    for key in keys {
        arguments.extend(["-u", key]);
    }
    arguments.push("--detach-sign");
    signed_mail(header, &entity, &rina.gpg.must(&arguments, &entity).out)
}

/// It comes in and confirms nothing; ani hears of it in these words.
async fn unproved(hall: &mut Hall, raw: &[u8], told: &str) {
    hall.stage.deliver(raw).unwrap();
    let sent = hall.play().await;
    assert_eq!(hall.state_of(1, RINA).0, RecipientState::Sent, "{told}: it confirmed");
    let read = read_by(&sent, "ani@bssn.test").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(read.contains(told), "{told}:\n{read}");
}

async fn confirms(hall: &mut Hall, raw: &[u8]) {
    hall.stage.deliver(raw).unwrap();
    hall.play().await;
    assert_eq!(hall.state_of(1, RINA).0, RecipientState::Confirmed);
}

/// Signed by rina herself, the sender inside and outside differ: neither of them has confirmed, whatever the mark and
/// though the mail refers to hers.
#[tokio::test]
async fn p26_a_confirmation_whose_sender_differs_inside_and_outside_confirms_nothing() {
    for mark in ["RED", "AMBER"] {
        let (mut hall, rina, mail) = sent_to_rina(mark).await;
        let inside = |from: &str| format!("Content-Type: text/plain; protected-headers=\"v1\"\nFrom: <{from}>\n\nDITERIMA.\n");
        let under = |id: &str| header(RINA, &mail.message_id, id);
        let other_inside = signed(&hall, &rina, &[&rina.key], &under("p1@bank.example"), &inside(EVE));
        unproved(&mut hall, &other_inside, "pengirimnya diragukan").await;
        // RFC 9788's own form, and the same sealed to the centre.
        let hp = inside(EVE).replace("protected-headers=\"v1\"", "hp=\"clear\"");
        let other_inside = signed(&hall, &rina, &[&rina.key], &under("p2@bank.example"), &hp);
        unproved(&mut hall, &other_inside, "pengirimnya diragukan").await;
        let sealed = sealed(&hall, &rina, &inside(EVE));
        unproved(&mut hall, &encrypted_mail(&under("p3@bank.example"), &armored(&sealed)), "pengirimnya diragukan").await;
        // Hers inside, a stranger's outside: it is nobody's confirmation, and the analysts hear of the difference.
        let outside = header(EVE, &mail.message_id, "p4@lain.example");
        let other_outside = signed(&hall, &rina, &[&rina.key], &outside, &inside(RINA));
        unproved(&mut hall, &other_outside, "Pengirim di dalam enkripsi atau tanda tangan berbeda dari pengirim di luar").await;
        let good = signed(&hall, &rina, &[&rina.key], &under("p5@bank.example"), &inside(RINA));
        confirms(&mut hall, &good).await;
    }
}

/// Signed and encrypted to the centre in one message, as gpg does it, now by the stage's clock.
fn sealed(hall: &Hall, rina: &Recipient, entity: &str) -> Vec<u8> {
    let own = hall.stage.daemon.bench().reader.keyring.own().unwrap().clone();
    rina.gpg.import(&own.armored());
    let stamp = format!("{}!", hall.now().strftime("%Y%m%dT%H%M%S"));
    let arguments = ["--faked-system-time", &stamp, "-u", &rina.key, "-r", &own.fingerprint().0, "--sign", "--encrypt"];
    rina.gpg.must(&arguments, &crlf(entity.as_bytes())).out
}

#[tokio::test]
async fn p1_a_signed_part_beside_an_unsigned_one_confirms_nothing() {
    let (mut hall, rina, mail) = sent_to_rina("RED").await;
    let under = |id: &str| header(RINA, &mail.message_id, id);
    let good = signed(&hall, &rina, &[&rina.key], &under("m1@bank.example"), WORD);
    // What she signed says something else: the word stands beside it.
    let other = signed(&hall, &rina, &[&rina.key], "", "Content-Type: text/plain\n\nBelum kami baca.\n");
    let inner = String::from_utf8(other).unwrap().trim_start().to_owned();
    let plain = WORD.replace('\n', "\r\n");
    for (n, (first, second)) in [(&plain, &inner), (&inner, &plain)].into_iter().enumerate() {
        let outer = under(&format!("m2.{n}@bank.example")).replace('\n', "\r\n");
        let beside =
            format!("{outer}Content-Type: multipart/mixed; boundary=luar\r\n\r\n--luar\r\n{first}\r\n--luar\r\n{second}\r\n--luar--\r\n");
        let told = if n == 0 { "menuntut konfirmasi yang bertanda tangan" } else { RINA };
        unproved(&mut hall, beside.as_bytes(), told).await;
    }
    confirms(&mut hall, &good).await;
}

#[tokio::test]
async fn p12_of_two_signatures_on_a_confirmation_the_recipients_own_counts() {
    let (mut hall, rina, mail) = sent_to_rina("RED").await;
    let stranger = rina.gpg.new_key("Orang <orang@asing.example>", "future-default");
    hall.catch_up();
    let under = |id: &str| header(RINA, &mail.message_id, id);
    let alone = signed(&hall, &rina, &[&stranger], &under("s1@bank.example"), WORD);
    unproved(&mut hall, &alone, "menuntut konfirmasi yang bertanda tangan").await;
    let both = signed(&hall, &rina, &[&stranger, &rina.key], &under("s2@bank.example"), WORD);
    // Both over words that were changed afterwards.
    unproved(&mut hall, &replaced(&both, "DITERIMA.", "DITERIMA!"), "menuntut konfirmasi yang bertanda tangan").await;
    confirms(&mut hall, &replaced(&both, "s2@", "s3@")).await;
}

#[tokio::test]
async fn p17_a_confirmation_in_ciphertext_without_integrity_protection_is_not_opened() {
    let (mut hall, rina, mail) = sent_to_rina("RED").await;
    let under = |id: &str| header(RINA, &mail.message_id, id);
    let message = sealed(&hall, &rina, WORD);
    for (n, bytes) in [unprotected(&message), flipped(&message)].iter().enumerate() {
        unproved(&mut hall, &encrypted_mail(&under(&format!("e{n}@bank.example")), &armored(bytes)), "tanpa mengonfirmasi").await;
    }
    confirms(&mut hall, &encrypted_mail(&under("e2@bank.example"), &armored(&message))).await;
}
