//! Messages that gpg would not make: bombs, broken containers, odd signatures (ATTACKS P13 to P24).

use super::decrypt::{Unsealed, decrypt};
use super::open::{Opened, Refusal, open};
use super::{Certificate, Keyring, OwnKey, generate_own};
use crate::mail::read::read;
use crate::model::Address;
use jiff::{SignedDuration, Timestamp};
use sequoia_openpgp as openpgp;

use openpgp::cert::{CertBuilder, CertRevocationBuilder, CipherSuite};
use openpgp::packet::signature::SignatureBuilder;
use openpgp::packet::{PKESK, SKESK, skesk::SKESK4};
use openpgp::parse::Parse as _;
use openpgp::policy::StandardPolicy;
use openpgp::serialize::stream::{Compressor, Encryptor, LiteralWriter, Message, Signer};
use openpgp::serialize::{Serialize as _, SerializeInto as _};
use openpgp::types::{CompressionAlgorithm, KeyFlags, ReasonForRevocation, SignatureType, SymmetricAlgorithm};
use openpgp::{Cert, Packet, PacketPile};
use std::io::Write as _;
use std::time::{Duration, SystemTime};

const LIMIT: usize = 1024 * 1024;
const HEADER: &str = "From: analyst1@bssn.test\r\nTo: bantuan70@bssn.test\r\nSubject: x\r\nMIME-Version: 1.0\r\n";
const ENTITY: &[u8] = b"Content-Type: text/plain\r\n\r\n!tutup\r\n";

fn keyring(now: Timestamp) -> Keyring {
    let made =
        generate_own("Pusat", &Address::parse("bantuan70@bssn.test").unwrap(), None, now - SignedDuration::from_hours(24 * 60)).unwrap();
    let mut keyring = Keyring::new();
    keyring.set_own(OwnKey::read(&made.secret, None, now).unwrap());
    keyring
}

/// A binary message to the centre's key, with whatever `write` puts inside.
fn encrypted(keyring: &Keyring, write: impl FnOnce(Message<'_>) -> openpgp::Result<()>) -> Vec<u8> {
    let policy = StandardPolicy::new();
    let cert = &keyring.own().unwrap().cert;
    let mut out = Vec::new();
    let keys: Vec<_> = cert.keys().with_policy(&policy, None).for_transport_encryption().collect();
    let message = Encryptor::for_recipients(Message::new(&mut out), keys).build().unwrap();
    write(message).unwrap();
    out
}

fn zlib(message: Message<'_>) -> openpgp::Result<Message<'_>> {
    Compressor::new(message).algo(CompressionAlgorithm::Zlib).build()
}

fn literal(message: Message<'_>, bytes: &[u8]) -> openpgp::Result<()> {
    let mut message = LiteralWriter::new(message).build()?;
    message.write_all(bytes)?;
    message.finalize()
}

fn mail(message: &[u8]) -> Vec<u8> {
    let mut mail = format!("{HEADER}Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b\r\n\r\n--b\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n").into_bytes();
    use base64::Engine as _;
    for line in base64::engine::general_purpose::STANDARD.encode(message).as_bytes().chunks(76) {
        mail.extend_from_slice(line);
        mail.extend_from_slice(b"\r\n");
    }
    mail.extend_from_slice(b"--b--\r\n");
    mail
}

fn signed_mail(signature: &openpgp::packet::Signature) -> Vec<u8> {
    let armored = String::from_utf8(
        Packet::from(signature.clone())
            .to_vec()
            .map(|bytes| {
                let mut writer = openpgp::armor::Writer::new(Vec::new(), openpgp::armor::Kind::Signature).unwrap();
                writer.write_all(&bytes).unwrap();
                writer.finalize().unwrap()
            })
            .unwrap(),
    )
    .unwrap();
    let mut mail =
        format!("{HEADER}Content-Type: multipart/signed; protocol=\"application/pgp-signature\"; boundary=s\r\n\r\n--s\r\n").into_bytes();
    mail.extend_from_slice(ENTITY);
    mail.extend_from_slice(format!("\r\n--s\r\nContent-Type: application/pgp-signature\r\n\r\n{armored}\r\n--s--\r\n").as_bytes());
    mail
}

fn opened(keyring: &Keyring, mail: &[u8], now: Timestamp) -> Opened {
    open(read(mail), keyring, now, LIMIT)
}

fn is_damaged(keyring: &Keyring, message: &[u8], now: Timestamp) -> bool {
    matches!(decrypt(message, keyring, now, LIMIT), Unsealed::Damaged(_))
}

#[test]
fn p23_bombs_stop_at_the_limit() {
    let now = Timestamp::now();
    let keyring = keyring(now);
    let zeros = vec![0; 64 * LIMIT];
    let bomb = encrypted(&keyring, |message| literal(zlib(message)?, &zeros));
    assert!(bomb.len() < LIMIT / 4);
    assert!(is_damaged(&keyring, &bomb, now));
    let report = opened(&keyring, &mail(&bomb), now);
    assert_eq!(report.findings.is_decrypted, Some(false));
    assert!(!report.findings.is_for_others && report.mail.text.full.len() < 1_000);
    let nested = encrypted(&keyring, |message| {
        let mut message = message;
        for _ in 0..15 {
            message = zlib(message)?;
        }
        literal(message, b"x")
    });
    assert!(is_damaged(&keyring, &nested, now));
    let two = encrypted(&keyring, |message| literal(zlib(zlib(message)?)?, b"x"));
    assert!(is_damaged(&keyring, &two, now));
    // Just below the limit it is opened, without a byte missing.
    let fits = encrypted(&keyring, |message| literal(zlib(message)?, zeros.get(..LIMIT).unwrap()));
    assert!(matches!(decrypt(&fits, &keyring, now, LIMIT), Unsealed::Open { plaintext, .. } if plaintext.len() == LIMIT));
}

#[test]
fn p17_not_one_byte_comes_out_of_a_damaged_message() {
    let now = Timestamp::now();
    let keyring = keyring(now);
    let good = encrypted(&keyring, |message| literal(message, &[b'x'; 5_000]));
    assert!(matches!(decrypt(&good, &keyring, now, LIMIT), Unsealed::Open { .. }));
    for position in (good.len() - 4_900..good.len()).step_by(97).chain([good.len() - 1]) {
        let mut flipped = good.clone();
        flipped[position] ^= 1;
        assert!(is_damaged(&keyring, &flipped, now), "byte {position}");
    }
    for length in (150..good.len()).step_by(211) {
        assert!(!matches!(decrypt(&good[..length], &keyring, now, LIMIT), Unsealed::Open { .. }), "cut at {length}");
    }
    // The container without integrity protection (SED, tag 9) in place of the one with it (tag 18).
    let pile = PacketPile::from_bytes(&good).unwrap();
    let mut sed = Vec::new();
    for packet in pile.children() {
        let bytes = packet.to_vec().unwrap();
        if packet.tag() == openpgp::packet::Tag::SEIP {
            sed.push(0xc0 | 9);
            sed.extend_from_slice(&bytes[1..]);
        } else {
            sed.extend_from_slice(&bytes);
        }
    }
    let report = opened(&keyring, &mail(&sed), now);
    assert_eq!((report.findings.is_decrypted, report.findings.is_for_others), (Some(false), false));
    assert_eq!(report.refusals, [Refusal::NotDecrypted]);
    // Damage that only the owner of the key could tell apart looks the same in the findings.
    let mut flipped = good;
    *flipped.last_mut().unwrap() ^= 1;
    let report = opened(&keyring, &mail(&flipped), now);
    assert_eq!((report.findings.is_decrypted, report.findings.is_for_others), (Some(false), false));
}

/// Sequoia hands out what is past its buffer, 25 MiB unless told otherwise, before the end is verified.
#[test]
fn p17_past_25_mib_too_no_byte_comes_out_before_all_is_verified() {
    const BYTES: usize = 27 << 20;
    let now = Timestamp::now();
    let keyring = keyring(now);
    let good = encrypted(&keyring, |message| literal(message, &vec![b'x'; BYTES]));
    match decrypt(&good, &keyring, now, BYTES) {
        Unsealed::Open { plaintext, .. } => assert_eq!(plaintext.len(), BYTES),
        other => panic!("{other:?}"),
    }
    let mut flipped = good;
    *flipped.last_mut().unwrap() ^= 1;
    assert!(matches!(decrypt(&flipped, &keyring, now, BYTES), Unsealed::Damaged(_)));
}

#[test]
fn p22_session_keys_are_tried_to_a_limit_and_passwords_never() {
    let now = Timestamp::now();
    let keyring = keyring(now);
    let good = encrypted(&keyring, |message| literal(message, b"x"));
    let pile: Vec<Packet> = PacketPile::from_bytes(&good).unwrap().into_children().collect();
    let (pkesk, container) = (pile[0].to_vec().unwrap(), pile[1].to_vec().unwrap());
    let many = |first: &[u8], count: usize, last: &[u8]| {
        let mut bytes = first.repeat(count);
        bytes.extend_from_slice(last);
        bytes.extend_from_slice(&container);
        bytes
    };
    // A session key for our key that holds another session's key: each is tried, 20 at most.
    let decoy = PacketPile::from_bytes(&encrypted(&keyring, |message| literal(message, b"y"))).unwrap().into_children().next().unwrap();
    let decoy = decoy.to_vec().unwrap();
    assert!(matches!(decrypt(&many(&decoy, 19, &pkesk), &keyring, now, LIMIT), Unsealed::Open { .. }));
    assert!(is_damaged(&keyring, &many(&decoy, 10_000, &pkesk), now));
    // Without a key identifier each of ours would be tried on each: five of them, and no more.
    let hidden = |bytes: &[u8]| match PacketPile::from_bytes(bytes).unwrap().into_children().next() {
        Some(Packet::PKESK(PKESK::V3(mut pkesk))) => {
            pkesk.set_recipient(None);
            Packet::from(PKESK::V3(pkesk)).to_vec().unwrap()
        }
        Some(Packet::PKESK(PKESK::V6(mut pkesk))) => {
            pkesk.set_recipient(None);
            Packet::from(PKESK::V6(pkesk)).to_vec().unwrap()
        }
        other => panic!("no session key: {other:?}"),
    };
    assert!(matches!(decrypt(&many(&hidden(&decoy), 4, &hidden(&pkesk)), &keyring, now, LIMIT), Unsealed::Open { .. }));
    assert!(is_damaged(&keyring, &many(&hidden(&decoy), 1_000, &hidden(&pkesk)), now));
    // Those for others are passed over.
    let (other, _) = CertBuilder::new()
        .set_cipher_suite(CipherSuite::Cv25519)
        .add_userid("o@x.example")
        .add_transport_encryption_subkey()
        .generate()
        .unwrap();
    let policy = StandardPolicy::new();
    let mut foreign = Vec::new();
    let keys: Vec<_> = other.keys().with_policy(&policy, None).for_transport_encryption().collect();
    literal(Encryptor::for_recipients(Message::new(&mut foreign), keys).build().unwrap(), b"z").unwrap();
    let theirs = PacketPile::from_bytes(&foreign).unwrap().into_children().next().unwrap().to_vec().unwrap();
    assert!(matches!(decrypt(&many(&theirs, 10_000, &pkesk), &keyring, now, LIMIT), Unsealed::Open { .. }));
    assert!(matches!(decrypt(&foreign, &keyring, now, LIMIT), Unsealed::ForOthers));
    // A password with a cost of 2^31 octets would take minutes to try.
    let skesk: SKESK = SKESK4::new(
        SymmetricAlgorithm::AES256,
        openpgp::crypto::S2K::Iterated { hash: openpgp::types::HashAlgorithm::SHA256, salt: [0; 8], hash_bytes: 65_011_712 },
        None,
    )
    .unwrap()
    .into();
    let mut with_password = Packet::from(skesk).to_vec().unwrap();
    with_password.extend_from_slice(&container);
    assert!(matches!(decrypt(&with_password, &keyring, now, LIMIT), Unsealed::ForOthers));
}

#[test]
fn p24_no_bytes_make_reading_fail_or_endless() {
    let now = Timestamp::now();
    let keyring = keyring(now);
    let good = encrypted(&keyring, |message| literal(message, b"hello"));
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for _ in 0..2_000 {
        let mut bytes = good.clone();
        for _ in 0..1 + next() % 4 {
            let position = usize::try_from(next()).unwrap() % bytes.len();
            bytes[position] = next().to_le_bytes()[0];
        }
        let _ = decrypt(&bytes, &keyring, now, LIMIT);
    }
    let lines = format!("-----BEGIN PGP MESSAGE-----\n{}\n", "Comment: x\n".repeat(100_000));
    let partial: Vec<u8> = std::iter::once(0xcb).chain(std::iter::repeat_n(0xf0, 70_000)).collect();
    for hostile in [lines.as_bytes(), &partial, &[0xcb, 0xff, 0xff, 0xff, 0xff, 0xff, b'b'], &[0xcd, 0xff, 0, 0x10, 0, 0], b"", b"\xff"] {
        assert!(!matches!(decrypt(hostile, &keyring, now, LIMIT), Unsealed::Open { .. }));
        let _ = opened(&keyring, &mail(hostile), now);
        assert!(Certificate::read(hostile).is_err());
    }
    // Armor whose checksum is wrong or missing is still armor (RFC 9580 §6.1).
    let mut writer = openpgp::armor::Writer::new(Vec::new(), openpgp::armor::Kind::Message).unwrap();
    writer.write_all(&good).unwrap();
    let armored = String::from_utf8(writer.finalize().unwrap()).unwrap();
    let lines = |checksum: &str| -> String {
        armored
            .lines()
            .filter(|line| !line.starts_with('='))
            .map(|line| format!("{}{line}\n", if line.starts_with("-----END") { checksum } else { "" }))
            .collect()
    };
    for checksum in ["=AAAA\n", ""] {
        assert!(matches!(decrypt(lines(checksum).as_bytes(), &keyring, now, LIMIT), Unsealed::Open { .. }), "{checksum}");
    }
}

/// A certificate made `age` ago that lives `life` long, its signing subkey alone able to sign.
fn signer(age: Duration, life: Duration) -> (Cert, openpgp::crypto::KeyPair, openpgp::packet::Signature) {
    let (cert, revocation) = CertBuilder::new()
        .set_cipher_suite(CipherSuite::Cv25519)
        .set_creation_time(SystemTime::now() - age)
        .set_validity_period(life)
        .set_primary_key_flags(KeyFlags::empty().set_certification())
        .add_userid("analyst1@bssn.test")
        .add_signing_subkey()
        .generate()
        .unwrap();
    let pair = cert.keys().subkeys().secret().next().unwrap().key().clone().role_into_unspecified().into_keypair().unwrap();
    (cert, pair, revocation)
}

const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn p13_p16_only_a_fit_keys_signature_over_a_document_is_good() {
    let now = Timestamp::now();
    let sign = |pair: &mut openpgp::crypto::KeyPair, kind: SignatureType| SignatureBuilder::new(kind).sign_message(pair, ENTITY).unwrap();
    let refusal = |cert: &Cert, signature: &openpgp::packet::Signature| {
        let mut keyring = keyring(now);
        let mut bytes = Vec::new();
        cert.serialize(&mut bytes).unwrap();
        keyring.add(&bytes).unwrap();
        let found = opened(&keyring, &signed_mail(signature), now);
        assert_eq!(found.signed_text.is_some(), found.refusals.is_empty());
        found.refusals.first().copied()
    };
    let (good, mut pair, _) = signer(10 * DAY, 400 * DAY);
    assert_eq!(refusal(&good, &sign(&mut pair, SignatureType::Binary)), None);
    // A primary key that only certifies does not sign mail.
    let mut primary = good.primary_key().key().clone().parts_into_secret().unwrap().role_into_unspecified().into_keypair().unwrap();
    assert_eq!(refusal(&good, &sign(&mut primary, SignatureType::Binary)), Some(Refusal::UnfitKey));
    let (expired, mut old, _) = signer(10 * DAY, 5 * DAY);
    assert_eq!(refusal(&expired, &sign(&mut old, SignatureType::Binary)), Some(Refusal::UnfitKey));
    // Soft revocation after the signature: it was good then, and does not command now.
    let revoke = |reason| {
        let (cert, mut pair, _) = signer(10 * DAY, 400 * DAY);
        let signature = sign(&mut pair, SignatureType::Binary);
        let mut primary = cert.primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
        let revocation =
            CertRevocationBuilder::new().set_reason_for_revocation(reason, b"").unwrap().build(&mut primary, &cert, None).unwrap();
        (cert.insert_packets(revocation).unwrap().0, signature)
    };
    for reason in [ReasonForRevocation::KeySuperseded, ReasonForRevocation::KeyRetired, ReasonForRevocation::KeyCompromised] {
        let (cert, signature) = revoke(reason);
        assert_eq!(refusal(&cert, &signature), Some(Refusal::UnfitKey), "{reason}");
    }
    // A signature of another kind over the same bytes.
    let standalone = SignatureBuilder::new(SignatureType::Standalone).sign_standalone(&mut pair).unwrap();
    assert_eq!(refusal(&good, &standalone), Some(Refusal::BadSignature));
}

#[test]
fn what_was_signed_for_another_recipient_does_not_command_here() {
    let now = Timestamp::now();
    let mut keyring = keyring(now);
    let (cert, pair, _) = signer(10 * DAY, 400 * DAY);
    let mut bytes = Vec::new();
    cert.serialize(&mut bytes).unwrap();
    keyring.add(&bytes).unwrap();
    let (elsewhere, _) = CertBuilder::general_purpose(Some("other@center.example")).generate().unwrap();
    for (recipient, commands) in [(&keyring.own().unwrap().cert.clone(), true), (&elsewhere, false)] {
        let message = encrypted(&keyring, |message| {
            let message = Signer::new(message, pair.clone())?.add_intended_recipient(recipient).build()?;
            literal(message, ENTITY)
        });
        let found = opened(&keyring, &mail(&message), now);
        assert_eq!(found.signed_text.is_some(), commands, "{:?} {:?}", found.refusals, found.damage);
    }
}

#[test]
fn p25_a_key_file_with_a_foreign_public_part_does_not_load() {
    let now = Timestamp::now();
    let made = generate_own("Pusat", &Address::parse("a@x.example").unwrap(), Some("pw"), now).unwrap();
    assert!(OwnKey::read(&made.secret, Some("pw"), now).is_ok());
    let wrong = |password| OwnKey::read(&made.secret, password, now).unwrap_err().to_string();
    assert!(wrong(Some("other")).contains("password does not fit") && wrong(None).contains("none is configured"));
    assert!(!format!("{:?}", OwnKey::read(&made.secret, Some("pw"), now).unwrap()).contains("secret"));
    // Any changed byte of the key packets is found before the daemon starts.
    let made = generate_own("Pusat", &Address::parse("a@x.example").unwrap(), None, now).unwrap();
    let packets: Vec<Packet> = PacketPile::from_bytes(&made.secret).unwrap().into_children().collect();
    for key in (0..packets.len()).filter(|index| matches!(packets[*index], Packet::SecretKey(_) | Packet::SecretSubkey(_))) {
        // Behind version, time and algorithm stand the public parameters.
        for position in (8..50).step_by(3) {
            let mut bytes = Vec::new();
            for (index, packet) in packets.iter().enumerate() {
                let start = bytes.len();
                packet.serialize(&mut bytes).unwrap();
                if index == key {
                    bytes[start + position] ^= 4;
                }
            }
            let found = OwnKey::read(&bytes, None, now);
            assert!(found.is_err(), "byte {position} of packet {key}: {found:?}");
        }
    }
}

#[test]
fn c1_p16_line_ends_that_have_two_readings_command_nothing() {
    let now = Timestamp::now();
    let mut keyring = keyring(now);
    let (cert, pair, _) = signer(10 * DAY, 400 * DAY);
    let mut bytes = Vec::new();
    cert.serialize(&mut bytes).unwrap();
    keyring.add(&bytes).unwrap();
    // Signed as text, so that the signature holds whatever the line ends are.
    let text = b"Content-Type: text/plain\r\n\r\n!valid\r\nsatu\r\ndua\r\n";
    let signature = SignatureBuilder::new(SignatureType::Text).sign_message(&mut pair.clone(), text).unwrap();
    let wrapped = |text: &[u8]| {
        let message = encrypted(&keyring, |message| {
            let mut inside = Vec::new();
            let mut announced = openpgp::packet::OnePassSig::try_from(&signature)?;
            announced.set_last(true);
            Packet::from(announced).serialize(&mut inside)?;
            let mut literal = openpgp::packet::Literal::new(openpgp::types::DataFormat::Unicode);
            literal.set_body(text.to_vec());
            Packet::from(literal).serialize(&mut inside)?;
            Packet::from(signature.clone()).serialize(&mut inside)?;
            let mut message = message;
            message.write_all(&inside)?;
            message.finalize()
        });
        opened(&keyring, &mail(&message), now)
    };
    let plain = wrapped(text);
    let key = plain.signed_text.unwrap_or_else(|| panic!("a good signature over text: {:?}", plain.damage)).key().clone();
    let bare = wrapped(&replaced(text, b"\r\n", b"\n"));
    assert_eq!(bare.signed_text.expect("line feeds have one reading").key(), &key);
    for other in [replaced(text, b"satu\r\n", b"satu\r"), replaced(text, b"dua\r\n", b"dua\r")] {
        let found = wrapped(&other);
        assert!(found.signed_text.is_none(), "{:?}", found.damage);
        assert!(found.refusals.contains(&Refusal::Ambiguous) || found.refusals.contains(&Refusal::BadSignature), "{:?}", found.refusals);
    }
}

fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let (text, from, to) = [text, from, to].map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()).into();
    text.replace(&from, &to).into_bytes()
}

#[test]
fn p13_a_key_that_is_not_bound_for_signing_signs_nothing() {
    let now = Timestamp::now();
    let policy = StandardPolicy::new();
    let refusal = |cert: &Cert, pair: &mut openpgp::crypto::KeyPair| {
        let mut keyring = keyring(now);
        let mut bytes = Vec::new();
        cert.serialize(&mut bytes).unwrap();
        keyring.add(&bytes).unwrap();
        let signature = SignatureBuilder::new(SignatureType::Binary).sign_message(pair, ENTITY).unwrap();
        opened(&keyring, &signed_mail(&signature), now).refusals.first().copied()
    };
    // A subkey that the primary key claims and that never agreed: it has signed no binding back.
    let (cert, mut good, _) = signer(10 * DAY, 400 * DAY);
    assert_eq!(refusal(&cert, &mut good), None);
    let stolen: openpgp::packet::Key<openpgp::packet::key::SecretParts, openpgp::packet::key::SubordinateRole> =
        openpgp::packet::key::Key4::generate_ecc(true, openpgp::types::Curve::Ed25519).unwrap().into();
    let mut primary = cert.primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
    let binding = SignatureBuilder::new(SignatureType::SubkeyBinding)
        .set_key_flags(KeyFlags::empty().set_signing())
        .unwrap()
        .sign_subkey_binding(&mut primary, None, &stolen)
        .unwrap();
    let mut pair = stolen.clone().role_into_unspecified().into_keypair().unwrap();
    let claimed = cert.clone().insert_packets([Packet::from(stolen.take_secret().0), Packet::from(binding)]).unwrap().0;
    assert_eq!(refusal(&claimed, &mut pair), Some(Refusal::UnfitKey));
    // A key for encryption alone, of an algorithm that could sign.
    let (encrypts, _) = CertBuilder::new()
        .set_cipher_suite(CipherSuite::RSA2k)
        .set_creation_time(SystemTime::now() - 10 * DAY)
        .add_userid("analyst1@bssn.test")
        .add_transport_encryption_subkey()
        .generate()
        .unwrap();
    let key = encrypts.keys().with_policy(&policy, None).for_transport_encryption().secret().next().unwrap().key().clone();
    assert_eq!(refusal(&encrypts, &mut key.role_into_unspecified().into_keypair().unwrap()), Some(Refusal::UnfitKey));
    // A certificate of tomorrow, its signature of today.
    let (tomorrow, _) = CertBuilder::new()
        .set_cipher_suite(CipherSuite::Cv25519)
        .set_creation_time(SystemTime::now() + DAY)
        .add_userid("analyst1@bssn.test")
        .add_signing_subkey()
        .generate()
        .unwrap();
    let key = tomorrow.keys().subkeys().secret().next().unwrap().key().clone();
    assert!(matches!(
        refusal(&tomorrow, &mut key.role_into_unspecified().into_keypair().unwrap()),
        Some(Refusal::UnfitKey | Refusal::BadSignature)
    ));
}
