//! What we seal, gpg opens; what may not leave, does not.

use crate::harness::gpg::Gpg;
use bantuan70::mail::entity::Entity;
use bantuan70::mail::write::Center;
use bantuan70::model::letter::{AutoSubmitted, Enclosure, Letter, LetterKind, Protection, Words};
use bantuan70::model::ticket::TicketNumber;
use bantuan70::model::{Address, Fingerprint, Language, Sha256, Tlp};
use bantuan70::openpgp::open::open;
use bantuan70::openpgp::{Keyring, OwnKey, generate_own, recheck, seal};
use jiff::Timestamp;

pub fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

pub fn center() -> Center {
    Center { name: "Pusat Kontak Siber Nasional".to_owned(), address: address("bantuan70@bssn.test") }
}

/// A keyring with an own key made at `now`, and that key's secret part for gpg.
pub fn keyring(now: Timestamp) -> (Keyring, Vec<u8>) {
    let made = generate_own("Pusat Kontak Siber Nasional", &center().address, None, now).unwrap();
    let mut keyring = Keyring::new();
    keyring.set_own(OwnKey::read(&made.secret, None, now).unwrap());
    (keyring, made.secret)
}

pub fn letter(protection: Protection) -> Letter {
    let content: std::sync::Arc<[u8]> = b"From: stranger\n\n.\r\n.\n\r.\r MAIL FROM:<x@y>".to_vec().into();
    Letter {
        kind: LetterKind::Dissemination,
        to: address("csirt@bank.example"),
        to_name: "Tim Tanggap Insiden \u{2014} Bank".to_owned(),
        ticket: Some(TicketNumber("BANTUAN70-2026-000123".to_owned())),
        dissemination: None,
        message_id: "dis.0123456789abcdef0123456789abcdef@bssn.test".to_owned(),
        in_reply_to: None,
        references: vec!["a@b.example".to_owned(), "no id\r\nBcc: x@y.example".to_owned()],
        subject: "[BANTUAN70-2026-000123] TLP:AMBER kerentanan di gerbang pembayaran \u{2014} mendesak".to_owned(),
        outer_subject: "[BANTUAN70-2026-000123] TLP:AMBER informasi".to_owned(),
        text: "TLP:AMBER\n\nIsi rahasia.\n.\nFrom us\n-- \nTLP:AMBER\n".to_owned(),
        html: Some("<p>Isi rahasia.</p>".to_owned()),
        enclosures: vec![Enclosure {
            name: "r\u{e9}kam.eml".to_owned(),
            media_type: "message/rfc822".to_owned(),
            sha256: Sha256::of(&content),
            content,
        }],
        auto_submitted: AutoSubmitted::No,
        protection,
        tlp: None,
        words: Words::Written,
        language: Language::Id,
        token: None,
        encloses_certificate: false,
        held_because: None,
        not_before: None,
    }
}

fn part(bytes: &[u8], index: usize) -> Vec<u8> {
    Entity::read(bytes).unwrap().parts().unwrap()[index].to_vec()
}

#[test]
fn gpg_finds_the_signature_of_a_signed_letter_good() {
    let now = Timestamp::now();
    let (keyring, _) = keyring(now);
    let gpg = Gpg::new();
    gpg.import(&keyring.own().unwrap().armored());
    let mut letter = letter(Protection::Signed);
    letter.encloses_certificate = true;
    let sealed = seal(&letter, &center(), &keyring, now).unwrap();
    let signature = Entity::read(&part(sealed.bytes(), 1)).unwrap().content().into_owned();
    let run = gpg.verify(&signature, &part(sealed.bytes(), 0));
    assert_eq!(run.good_signer().as_deref(), Some(keyring.own().unwrap().fingerprint().0.as_str()), "{}", run.status);
    // micalg names the hash that was really used.
    assert!(gpg.packets(&signature).contains("digest algo 10"));
}

#[test]
fn gpg_takes_the_key_that_was_generated() {
    let now = Timestamp::now();
    let (keyring, secret) = keyring(now);
    let gpg = Gpg::new();
    gpg.import(&secret);
    let own = keyring.own().unwrap();
    let key = own.fingerprint().0;
    let message = gpg.encrypt_sign(Some(&key), &[&key], b"pulang");
    assert_eq!(gpg.decrypt(&message).good_signer(), Some(key));
    let days = own.expires_at(now).unwrap().duration_since(now).as_hours() / 24;
    assert!((1094..=1095).contains(&days), "{days}");
}

#[test]
fn each_recipients_gpg_opens_its_own_letter_and_no_other() {
    let (mut keyring, _) = keyring(Timestamp::now());
    let (curve, rsa) = (Gpg::new(), Gpg::new());
    for (gpg, algorithm, other) in [(&curve, "future-default", &rsa), (&rsa, "default", &curve)] {
        let key = gpg.new_key("Bank <csirt@bank.example>", algorithm);
        let now = Timestamp::now();
        gpg.import(&keyring.own().unwrap().armored());
        keyring.add(&gpg.export(&key)).unwrap();
        let mut letter = letter(Protection::Sealed { recipient: Fingerprint(key) });
        letter.tlp = Some(Tlp::Red);
        let sealed = seal(&letter, &center(), &keyring, now).unwrap();
        let outside = String::from_utf8(sealed.bytes().to_vec()).unwrap();
        for secret in ["rahasia", "kerentanan", "mendesak", ".eml", "Comment:", "Autocrypt:", "Bcc:"] {
            assert!(!outside.contains(secret), "{secret} stands outside:\n{outside}");
        }
        let message = Entity::read(&part(sealed.bytes(), 1)).unwrap().content().into_owned();
        let run = gpg.decrypt(&message);
        assert_eq!(run.good_signer().as_deref(), Some(keyring.own().unwrap().fingerprint().0.as_str()), "{}", run.status);
        let (inside, _) = bantuan70::mail::read::read(&run.out);
        assert_eq!(inside.subject, letter.subject);
        assert!(inside.text.full.contains("Isi rahasia."));
        assert_eq!(inside.attachments[0].content, letter.enclosures[0].content);
        assert!(!other.decrypt(&message).ok);
        // RFC 9580 §6.1: the checksum stands for programs that ask for it; gpg is not one of them.
        let text = String::from_utf8(message).unwrap();
        let checksum = checksum(&text).expect("a line of checksum");
        assert!(gpg.decrypt(text.replace(&format!("{checksum}\r\n"), "").as_bytes()).good_signer().is_some());
    }
}

fn checksum(armor: &str) -> Option<&str> {
    armor.lines().find(|line| line.starts_with('=') && line.len() == 5)
}

#[test]
fn who_reads_rfc_9580_gets_its_container_and_no_checksum() {
    let now = Timestamp::now();
    let (mut keyring, _) = keyring(now);
    let bank = generate_own("Bank", &address("csirt@bank.example"), None, now).unwrap();
    let bank = OwnKey::read(&bank.secret, None, now).unwrap();
    let recipient = keyring.add(&bank.armored()).unwrap();
    let sealed = seal(&letter(Protection::Sealed { recipient }), &center(), &keyring, now).unwrap();
    let message = String::from_utf8(Entity::read(&part(sealed.bytes(), 1)).unwrap().content().into_owned()).unwrap();
    assert_eq!(checksum(&message), None);
    // The recipient, who has another key than the centre, opens it as well.
    let mut theirs = Keyring::new();
    theirs.add(&keyring.own().unwrap().armored()).unwrap();
    theirs.set_own(bank);
    let opened = open(bantuan70::mail::read::read(sealed.bytes()), &theirs, now, usize::MAX);
    assert!(opened.mail.text.full.contains("Isi rahasia."));
}

#[test]
fn p30_nothing_weaker_happens_where_the_certificate_is_not_fit() {
    let (mut keyring, _) = keyring(Timestamp::now());
    let gpg = Gpg::new();
    let short = gpg.new_key_until("A <a@x.example>", "future-default", "2d");
    let sign_only = gpg.new_key("B <b@x.example>", "ed25519");
    let revoked = gpg.new_key("C <c@x.example>", "future-default");
    let certificate = std::fs::read_to_string(gpg.home().join(format!("openpgp-revocs.d/{revoked}.rev"))).unwrap();
    let good = gpg.export(&revoked);
    gpg.import(certificate.replace(":-----BEGIN", "-----BEGIN").as_bytes());
    // Later than the keys, whose times are whole seconds.
    let now = Timestamp::now();
    for key in [&short, &sign_only, &revoked] {
        keyring.add(&gpg.export(key)).unwrap();
    }
    // An older copy does not undo a revocation.
    keyring.add(&good).unwrap();
    let sealed =
        |key: &str, at: Timestamp| seal(&letter(Protection::Sealed { recipient: Fingerprint(key.to_owned()) }), &center(), &keyring, at);
    let later = now + jiff::SignedDuration::from_hours(72);
    let bytes = sealed(&short, now).unwrap().bytes().to_vec();
    assert!(sealed(&short, later).unwrap_err().to_string().contains("expired"));
    assert!(sealed(&sign_only, now).unwrap_err().to_string().contains("no encryption subkey"));
    assert!(sealed(&revoked, now).unwrap_err().to_string().contains("revoked"));
    assert!(sealed(&"0".repeat(40), now).unwrap_err().to_string().contains("no certificate"));
    // Sealed in time, and too late to send.
    let letter = letter(Protection::Sealed { recipient: Fingerprint(short) });
    assert!(recheck(bytes.clone(), &letter, &center(), &keyring, now).is_ok());
    assert!(recheck(bytes, &letter, &center(), &keyring, later).unwrap_err().to_string().contains("expired"));
}

#[test]
fn amber_never_leaves_unsealed() {
    let now = Timestamp::now();
    let (keyring, _) = keyring(now);
    for tlp in Tlp::ALL {
        for protection in [Protection::Plain, Protection::Signed] {
            let letter = Letter { tlp: Some(*tlp), ..letter(protection) };
            assert_eq!(seal(&letter, &center(), &keyring, now).is_ok(), !tlp.must_be_encrypted(), "{tlp}");
        }
    }
}

#[test]
fn d1_the_header_has_the_fields_of_the_contract_and_no_other() {
    let now = Timestamp::now();
    let (keyring, _) = keyring(now);
    let hostile = "x\r\nBcc: thief@evil.example\r\n\r\nbody\u{85}\u{2028}=?utf-8?q?=0d=0aCc:_x@y?=";
    let letter = Letter {
        subject: hostile.to_owned(),
        to_name: hostile.to_owned(),
        in_reply_to: Some("a@b>\r\nBcc: x@y.example".to_owned()),
        token: Some("t0ken".to_owned()),
        ..letter(Protection::Plain)
    };
    let center = Center { name: hostile.to_owned(), ..center() };
    let sealed = seal(&letter, &center, &keyring, now).unwrap();
    let names: Vec<String> = Entity::read(sealed.bytes()).unwrap().fields().iter().map(|field| field.name.to_owned()).collect();
    let expected = [
        "From",
        "To",
        "Reply-To",
        "Subject",
        "Date",
        "Message-ID",
        "References",
        "X-Bantuan70-Ticket",
        "Autocrypt",
        "MIME-Version",
        "Content-Type",
        "Content-Transfer-Encoding",
    ];
    assert_eq!(names, expected);
    let (mail, _) = bantuan70::mail::read::read(sealed.bytes());
    assert_eq!(mail.headers.len(), expected.len());
    assert_eq!(sealed.envelope_from().as_str(), "bantuan70+t0ken@bssn.test");
    let token = Letter { token: Some("x>\r\nRCPT TO:<y@z".to_owned()), ..letter };
    assert!(seal(&token, &center, &keyring, now).is_err());
}

#[test]
fn bytes_that_are_not_the_letter_are_refused() {
    let (mut keyring, _) = keyring(Timestamp::now());
    let gpg = Gpg::new();
    let (theirs, others) = (gpg.new_key("A <a@x.example>", "future-default"), gpg.new_key("B <b@x.example>", "future-default"));
    // Later than the keys, whose times are whole seconds.
    let now = Timestamp::now();
    let mine = keyring.add(&gpg.export(&theirs)).unwrap();
    keyring.add(&gpg.export(&others)).unwrap();
    let wanted = letter(Protection::Sealed { recipient: mine });
    let good = seal(&wanted, &center(), &keyring, now).unwrap().bytes().to_vec();
    let text = String::from_utf8(good.clone()).unwrap();
    let other = letter(Protection::Sealed { recipient: Fingerprint(others) });
    let to_other = seal(&other, &center(), &keyring, now).unwrap().bytes().to_vec();
    let signed = seal(&letter(Protection::Signed), &center(), &keyring, now).unwrap().bytes().to_vec();
    let plain = seal(&letter(Protection::Plain), &center(), &keyring, now).unwrap().bytes().to_vec();
    let changed = |from: &str, to: &str| text.replacen(from, to, 1).into_bytes();
    for (what, bytes) in [
        ("encrypted to another", to_other),
        ("signed alone", signed.clone()),
        ("plain", plain),
        ("another Message-ID", changed("<dis.0", "<dis.1")),
        ("another recipient", changed("csirt@bank.example", "thief@evil.example")),
        ("two recipients", changed("<csirt@bank.example>", "<csirt@bank.example>, x@y.example")),
        ("a Bcc", changed("Date:", "Bcc: x@y.example\r\nDate:")),
        ("a bare line feed", changed("Version: 1\r\n", "Version: 1\n")),
        ("a bare carriage return", changed("Version: 1", "Version: 1\r")),
        ("text beside", changed("Version: 1", "Version: 1\r\nrahasia")),
        ("a comment", changed("-----BEGIN PGP MESSAGE-----\r\n", "-----BEGIN PGP MESSAGE-----\r\nComment: rahasia\r\n")),
        ("an 8-bit byte", changed("Version: 1", "Version: 1\u{e9}")),
    ] {
        assert!(recheck(bytes, &wanted, &center(), &keyring, now).is_err(), "{what}");
    }
    assert!(recheck(good, &wanted, &center(), &keyring, now).is_ok());
    let forged = String::from_utf8(signed).unwrap().replacen("rahasia", "terbuka", 1).into_bytes();
    assert!(recheck(forged, &letter(Protection::Signed), &center(), &keyring, now).is_err());
}

#[test]
fn d5_the_size_of_a_sealed_letter_tells_neither_recipient_nor_text() {
    let mut keyring = keyring(Timestamp::now()).0;
    let gpg = Gpg::new();
    let key = gpg.new_key("A <a@x.example>", "future-default");
    let recipient = keyring.add(&gpg.export(&key)).unwrap();
    let now = Timestamp::now();
    let size = |text: &str, name: &str| {
        let letter = Letter {
            text: text.to_owned(),
            html: None,
            enclosures: Vec::new(),
            to_name: name.to_owned(),
            ..letter(Protection::Sealed { recipient: recipient.clone() })
        };
        let sealed = seal(&letter, &center(), &keyring, now).unwrap();
        let message = Entity::read(&part(sealed.bytes(), 1)).unwrap().content().into_owned();
        let run = gpg.decrypt(&message);
        assert!(!bantuan70::mail::read::read(&run.out).0.text.full.contains("   "));
        message.len()
    };
    assert_eq!(size("ya", "A"), size(&"panjang ".repeat(100), "Kementerian Negara Urusan Panjang"));
    assert!(size(&"panjang ".repeat(10_000), "A") > size("ya", "A"));
}
