//! Encrypted mail: what was hidden returns to nobody, and whoever captured it gains nothing by it.

use super::{Play, center, kinds_to, note, notice};
use crate::harness::gpg::{Gpg, encrypted_mail};
use bantuan70::cli::demo::stage::Note;
use bantuan70::model::ticket::State;
use jiff::{SignedDuration, Timestamp};

const CANARY: &str = "kenariBiruTujuhBelas";

fn secret() -> Note {
    let text = format!("Our site was hacked, {CANARY} is the password. The server log is attached. TLP:AMBER");
    Note {
        enclosures: vec![("topology.png".to_owned(), "image/png".to_owned(), CANARY.as_bytes().to_vec())],
        ..note(&format!("Defaced site {CANARY}"), &text)
    }
}

/// The same ciphertext under another sender and Message-ID.
pub fn captured(sealed: &[u8], from: &str) -> Vec<u8> {
    let text = String::from_utf8(sealed.to_vec()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let keep = |line: &&str| !line.to_ascii_lowercase().starts_with("from:") && !line.to_ascii_lowercase().starts_with("message-id:");
    let head: Vec<&str> = head.split("\r\n").filter(keep).collect();
    format!("From: {from}\r\nMessage-ID: <captured.1@lain.example>\r\n{}\r\n\r\n{body}", head.join("\r\n")).into_bytes()
}

#[test]
fn p19_a_captured_report_sent_again_by_another_is_answered_by_nothing() {
    let mut play = Play::new("");
    play.bring_with_key("joko", "joko@kantor.example");
    play.bring("maling", "maling@lain.example");
    let sealed = play.sealed("joko", &secret());
    play.post(&sealed);
    let letters = play.post(&captured(&sealed, "maling@lain.example"));
    assert_eq!(kinds_to(&letters, "maling@lain.example"), [""; 0]);
    let told = notice(&letters);
    assert!(told.contains("TEKS TERENKRIPSI YANG SAMA") && told.contains("joko@kantor.example"), "{told}");
    let ticket = play.ticket(2);
    assert_eq!((ticket.reporter, ticket.participants.len(), ticket.links.len()), (None, 0, 1));
    // Nothing that an analyst does by mistake, and no clock, writes to whoever sent it again.
    for command in ["!balas\nKami periksa.", "!lengkapi", "!valid", "!tutup"] {
        let letters = play.commands(&format!("!tiket BANTUAN70-2026-000002\n{command}\n"));
        assert_eq!(kinds_to(&letters, "maling@lain.example"), [""; 0], "{command}");
    }
    assert_eq!(kinds_to(&play.waits(24 * 4), "maling@lain.example"), [""; 0]);
    // From the same sender it is a report that was sent twice.
    let twice = captured(&sealed, "joko@kantor.example");
    assert_eq!(kinds_to(&play.post(&twice), "joko@kantor.example"), ["acknowledgement"]);
}

#[test]
fn p26_where_the_sender_inside_is_another_the_acknowledgement_waits() {
    let mut play = Play::new("");
    play.bring_with_key("joko", "joko@kantor.example");
    play.bring("maling", "maling@lain.example");
    let sealed = play.sealed("joko", &secret());
    let letters = play.post(&captured(&sealed, "maling@lain.example"));
    assert_eq!(kinds_to(&letters, "maling@lain.example"), [""; 0]);
    assert!(notice(&letters).contains("berbeda dari pengirim di luar"), "{}", notice(&letters));
    assert!(play.ticket(1).acknowledgement_held.is_some());
}

/// Encrypted to the centre by gpg, with no header field inside.
fn by_gpg(play: &Play, from: &str, id: &str, entity: &str) -> Vec<u8> {
    let gpg = Gpg::new();
    gpg.import(&play.certificate());
    let own = play.stage.daemon.bench().reader.keyring.own().unwrap().fingerprint().0;
    let message = gpg.encrypt_sign(None, &[&own], crate::harness::gpg::crlf(entity.as_bytes()).as_slice());
    encrypted_mail(&format!("From: {from}\nTo: {}\nSubject: ...\nMessage-ID: <{id}>\nMIME-Version: 1.0", center()), &message)
}

#[test]
fn p9_p17_the_answer_is_the_same_whatever_was_encrypted_and_whether_it_opens() {
    let mut play = Play::at(Timestamp::now() - SignedDuration::from_mins(5), "");
    play.bring("joko", "joko@kantor.example");
    let complete = "Content-Type: multipart/mixed; boundary=k\n\n--k\nContent-Type: text/plain\n\nDear team, our web site was hacked and the front page was replaced. My identity card, the service form and the topology are attached.\n--k\nContent-Type: image/jpeg\nContent-Disposition: attachment; filename=ktp.jpg\n\nx\n--k\nContent-Type: application/pdf\nContent-Disposition: attachment; filename=topology.pdf\n\nx\n--k--\n";
    let empty = "Content-Type: text/plain\n\nSitus kami diretas orang, halaman depannya diganti.\n";
    let spam = "Content-Type: text/plain\n\nSEO backlinks cheap casino viagra lottery winner claim your prize now http://casino.example unsubscribe\n";
    let damaged = String::from_utf8(by_gpg(&play, "joko@kantor.example", "d.1@kantor.example", empty)).unwrap();
    let line = damaged.split("\r\n").find(|line| line.len() == 64).unwrap().to_owned();
    let flipped: String = line.chars().rev().collect();
    let number = regex::Regex::new("BANTUAN70-2026-[0-9]{6}").unwrap();
    let mut texts = Vec::new();
    for (id, raw) in [
        ("c.1", by_gpg(&play, "joko@kantor.example", "c.1@kantor.example", complete)),
        ("e.1", by_gpg(&play, "joko@kantor.example", "e.1@kantor.example", empty)),
        ("s.1", by_gpg(&play, "joko@kantor.example", "s.1@kantor.example", spam)),
        ("d.1", damaged.replace(&line, &flipped).into_bytes()),
    ] {
        let letters = play.post(&raw);
        assert_eq!(kinds_to(&letters, "joko@kantor.example"), ["acknowledgement"], "{id}");
        let letter = letters.iter().find(|letter| letter.to.as_str() == "joko@kantor.example").unwrap();
        texts.push(number.replace_all(&format!("{}\n{}", letter.subject, letter.text), "N").into_owned());
    }
    for text in &texts[1..] {
        assert_eq!(text, &texts[0]);
    }
    assert!(texts[0].contains("SYARAT LAPORAN YANG LENGKAP"), "{}", texts[0]);
    assert_eq!((play.ticket(1).state, play.ticket(2).state), (State::Verifying, State::AwaitingReporter), "analysts see what is there");
}

/// Contract 8: what was asked for is reminded of after 3 and 7 days, in words that say nothing of what was encrypted.
#[test]
fn p9_who_wrote_encrypted_is_reminded_as_others_are() {
    let mut play = Play::at(Timestamp::now() - SignedDuration::from_mins(5), "");
    play.bring("joko", "joko@kantor.example");
    let inside = format!("Content-Type: text/plain\n\nSitus kami diretas orang, halaman depannya diganti. {CANARY}\n");
    let raw = by_gpg(&play, "joko@kantor.example", "r.1@kantor.example", &inside);
    play.post(&raw);
    assert_eq!(play.ticket(1).state, State::AwaitingReporter);
    for hours in [73, 24 * 4] {
        let letters = play.waits(hours);
        assert_eq!(kinds_to(&letters, "joko@kantor.example"), ["reminder"]);
        let reminder = letters.iter().find(|letter| letter.to.as_str() == "joko@kantor.example").unwrap();
        assert!(!tells(&reminder.raw, CANARY) && !tells(&reminder.raw, "diretas"), "{}", reminder.text);
    }
    assert_eq!(kinds_to(&play.waits(24 * 30), "joko@kantor.example"), [""; 0], "twice is enough");
}

/// Whether a mail says it to anybody who sees its bytes on the way.
fn tells(raw: &[u8], word: &str) -> bool {
    let (mail, _) = bantuan70::mail::read::read(raw);
    let files = mail.attachments.iter().any(|file| file.content.windows(word.len()).any(|window| window == word.as_bytes()));
    let headers = mail.headers.iter().any(|header| header.value.contains(word));
    files || headers || mail.subject.contains(word) || mail.text.full.contains(word) || String::from_utf8_lossy(raw).contains(word)
}

#[test]
fn p9_p19_nothing_that_was_hidden_ever_leaves_in_the_clear() {
    let mut play = Play::at(Timestamp::now() - SignedDuration::from_mins(5), "");
    play.bring_with_key("joko", "joko@kantor.example");
    play.bring("maling", "maling@lain.example");
    let sealed = play.sealed("joko", &secret());
    play.post(&sealed);
    play.post(&captured(&sealed, "maling@lain.example"));
    let inline = String::from_utf8(by_gpg(&play, "joko@kantor.example", "i.1@kantor.example", CANARY)).unwrap();
    let block = &inline[inline.find("-----BEGIN PGP").unwrap()..inline.find("-----END PGP MESSAGE-----").unwrap() + 25];
    play.writes("joko", &note("Laporan", block));
    // As a file beside a text in the clear, it reaches analysts as a file of its own.
    let file = ("laporan.txt.asc".to_owned(), "application/octet-stream".to_owned(), block.as_bytes().to_vec());
    let letters = play.writes("joko", &Note { enclosures: vec![file], ..note("Berkas terenkripsi", "Terlampir.") });
    let told = letters.iter().find(|letter| letter.message_id.starts_with("notice.")).unwrap();
    assert!(told.text.contains("laporan.txt ·") && !told.text.contains(CANARY), "{}", told.text);
    let again = Note { subject: format!("Re: [BANTUAN70-2026-000001] {CANARY}"), ..secret() };
    let again = play.sealed("joko", &again);
    play.post(&again);
    for serial in 1..=4 {
        for command in ["!lengkapi", "!valid", "!terbuka\n!balas\nKami periksa.", "!tutup"] {
            play.commands(&format!("!tiket BANTUAN70-2026-{serial:06}\n{command}\n"));
        }
    }
    play.waits(24 * 4);
    let outgoing = play.outgoing();
    assert!(outgoing.len() > 20, "{}", outgoing.len());
    for raw in &outgoing {
        assert!(!tells(raw, CANARY), "{}", String::from_utf8_lossy(raw));
    }
    assert!(tells(&play.raw("joko", &secret()), CANARY), "the search finds what is there");
}

#[test]
fn p20_no_command_of_an_unsigned_mail_answers_with_what_we_know() {
    let mut play = Play::at(Timestamp::now() - SignedDuration::from_mins(5), "");
    play.bring("joko", "joko@kantor.example");
    play.writes("joko", &note("Situs kami diretas", &format!("Halaman depan situs kami diganti orang. {CANARY}")));
    for (from, command) in [
        ("ani@bssn.test", "!tiket BANTUAN70-2026-000001\n!status"),
        ("ani@bssn.test", "!daftar"),
        ("joko@kantor.example", "!tiket BANTUAN70-2026-000001\n!status"),
    ] {
        let entity = format!("Content-Type: text/plain\n\n{command}\n");
        let id = format!("{}.{}@x.example", command.len(), from.len());
        let letters = play.post(&by_gpg(&play, from, &id, &entity));
        for letter in &letters {
            let is_notice = letter.message_id.starts_with("notice.") && letter.protection == "encrypted";
            assert!(is_notice || !letter.text.contains(CANARY), "{from} {command}: {}", letter.text);
        }
        let to_sender = kinds_to(&letters, from);
        assert!(to_sender.iter().all(|kind| ["acknowledgement", "receipt", "notice"].contains(kind)), "{to_sender:?}");
        assert!(letters.iter().filter(|letter| letter.message_id.starts_with("receipt.")).all(|letter| letter.protection == "encrypted"));
    }
    // A forged bounce of an encrypted mail brings nothing back either.
    let sealed = by_gpg(&play, "mailer-daemon@x.example", "m.1@x.example", "Content-Type: text/plain\n\nrahasia\n");
    let bounce = [b"Return-Path: <>\r\n".as_slice(), &sealed].concat();
    assert!(play.post(&bounce).is_empty());
}

#[test]
fn p21_what_the_centre_signs_in_the_clear_holds_no_strangers_words() {
    let mut play = Play::new("");
    play.stage.add("joko", bantuan70::cli::demo::stage::Actor::without_key(CANARY, "joko@kantor.example").unwrap());
    let file = (format!("{CANARY}.png"), "image/png".to_owned(), CANARY.as_bytes().to_vec());
    play.writes(
        "joko",
        &Note { enclosures: vec![file], ..note(CANARY, &format!("Situs kami diretas. {CANARY} http://{CANARY}.example/")) },
    );
    let forged = format!("From: Ani <ani@bssn.test>\r\nMessage-ID: <f.1@lain.example>\r\nSubject: {CANARY}\r\n\r\n!status\r\n{CANARY}\r\n");
    assert_eq!(kinds_to(&play.post(forged.as_bytes()), "ani@bssn.test"), ["receipt"]);
    for command in ["!lengkapi", "!valid", "!tutup"] {
        play.commands(&format!("!tiket BANTUAN70-2026-000001\n{command}\n"));
    }
    play.waits(24 * 3);
    let outgoing = play.outgoing();
    assert!(outgoing.len() >= 8, "{}", outgoing.len());
    for raw in outgoing {
        assert!(!tells(&raw, CANARY), "{}", String::from_utf8_lossy(&raw));
    }
}

#[test]
fn a_mail_that_only_others_can_open_is_answered_with_how_to_send_it_again() {
    let mut play = Play::at(Timestamp::now() - SignedDuration::from_mins(5), "");
    play.bring("joko", "joko@kantor.example");
    let gpg = Gpg::new();
    let key = gpg.new_key("Orang lain <lain@x.example>", "future-default");
    let message = gpg.encrypt_sign(None, &[&key], CANARY.as_bytes());
    let raw = encrypted_mail(
        &format!("From: joko@kantor.example\nTo: {}\nSubject: Laporan\nMessage-ID: <o.1@kantor.example>\nMIME-Version: 1.0", center()),
        &message,
    );
    let letters = play.post(&raw);
    assert!(notice(&letters).contains("tidak dengan kunci pusat kontak"), "{}", notice(&letters));
    let letter = letters.iter().find(|letter| letter.to.as_str() == "joko@kantor.example").unwrap();
    let (mail, _) = bantuan70::mail::read::read(&letter.raw);
    let certificate = mail.attachments.iter().find(|file| file.media_type == "application/pgp-keys").expect("our certificate");
    assert_eq!(String::from_utf8_lossy(&certificate.content).replace('\r', ""), String::from_utf8(play.certificate()).unwrap());
    // Encrypted with it, the report is opened.
    gpg.import(&certificate.content);
    let letters =
        play.post(&by_gpg(&play, "joko@kantor.example", "o.2@kantor.example", "Content-Type: text/plain\n\nSitus kami diretas.\n"));
    assert_eq!(kinds_to(&letters, "joko@kantor.example"), ["acknowledgement"]);
    assert!(notice(&letters).contains("Situs kami diretas."));
}

#[test]
fn the_acknowledgement_brings_our_certificate_signed_or_not() {
    for sign in ["true", "false"] {
        let mut play = Play::with("2026-03-03T01:15:00Z".parse().unwrap(), "", &format!("\n[acknowledgement]\nsign = {sign}\n"));
        play.bring("joko", "joko@kantor.example");
        for (round, attached) in [(1, 1), (2, 0)] {
            let letters = play.writes("joko", &note(&format!("Situs {round} diretas"), "Halaman depan situs kami diganti orang."));
            let raw = &letters.iter().find(|letter| letter.to.as_str() == "joko@kantor.example").unwrap().raw;
            let (mail, _) = bantuan70::mail::read::read(raw);
            assert_eq!(mail.header_values("Autocrypt").count(), 1, "sign = {sign}");
            let certificates = mail.attachments.iter().filter(|file| file.media_type == "application/pgp-keys").count();
            assert_eq!(certificates, attached, "sign = {sign}, acknowledgement {round}");
        }
    }
}

#[test]
fn p20_an_analysts_captured_command_acts_for_the_analyst_alone_whoever_is_first() {
    for thief_first in [false, true] {
        let mut play = Play::new("");
        play.bring("joko", "joko@kantor.example");
        play.bring("maling", "maling@lain.example");
        play.writes("joko", &note("Situs kami diretas", "Halaman depan situs kami diganti orang."));
        let command = play.sealed("ani", &note("Perintah", &format!("!tiket BANTUAN70-2026-000001\n!catat\n{CANARY}")));
        let stolen = captured(&command, "maling@lain.example");
        let (first, second) = if thief_first { (&stolen, &command) } else { (&command, &stolen) };
        let letters = [play.post(first), play.post(second)].concat();
        assert_eq!(kinds_to(&letters, "maling@lain.example"), [""; 0], "thief first: {thief_first}");
        assert_eq!(kinds_to(&letters, "ani@bssn.test").iter().filter(|kind| **kind == "receipt").count(), 1);
        let noted = letters.iter().find(|letter| letter.message_id.starts_with("receipt.")).unwrap();
        assert!(noted.text.contains("dicatat pada BANTUAN70-2026-000001"), "{}", noted.text);
        assert!(play.outgoing().iter().all(|raw| !tells(raw, CANARY)));
    }
}

#[test]
fn p18_p19_a_captured_file_or_reply_is_shown_as_what_it_is() {
    let mut play = Play::at(Timestamp::now() - SignedDuration::from_mins(5), "");
    play.bring_with_key("joko", "joko@kantor.example");
    play.bring("maling", "maling@lain.example");
    let inline = String::from_utf8(by_gpg(&play, "joko@kantor.example", "f.1@kantor.example", CANARY)).unwrap();
    let block = &inline[inline.find("-----BEGIN PGP").unwrap()..inline.find("-----END PGP MESSAGE-----").unwrap() + 25];
    let with_file = |name: &str| Note {
        enclosures: vec![(name.to_owned(), "application/octet-stream".to_owned(), block.as_bytes().to_vec())],
        ..note("Situs kami diretas", "Halaman depan situs kami diganti orang. Log terlampir.")
    };
    assert!(!notice(&play.writes("joko", &with_file("log.txt.asc"))).contains("TEKS TERENKRIPSI YANG SAMA"));
    let letters = play.writes("maling", &with_file("lain.txt.gpg"));
    assert!(notice(&letters).contains("TEKS TERENKRIPSI YANG SAMA") && notice(&letters).contains("joko@kantor.example"));
    assert_eq!(kinds_to(&letters, "maling@lain.example"), ["acknowledgement"], "what is in the file decides nothing");
    // A reply with the tag inside joins joko's ticket; captured, it opens one without a reporter beside it.
    let reply = play.sealed("joko", &Note { subject: "Re: [BANTUAN70-2026-000001] Log".to_owned(), ..secret() });
    play.post(&reply);
    assert_eq!(play.tickets(), 2);
    let letters = play.post(&captured(&reply, "maling@lain.example"));
    assert_eq!(kinds_to(&letters, "maling@lain.example"), [""; 0]);
    let ticket = play.ticket(3);
    assert_eq!((ticket.reporter, ticket.links.iter().map(ToString::to_string).collect()), (None, vec!["BANTUAN70-2026-000001".to_owned()]));
}
