//! Sealing and opening 10 kB with cv25519, beside what gpg takes for the same (it is started anew
//! for each message, as a program that calls gpg would).

#![expect(clippy::expect_used, reason = "a measurement without its keys measures nothing")]

use bantuan70::mail::write::Center;
use bantuan70::model::letter::{AutoSubmitted, Letter, LetterKind, Protection};
use bantuan70::model::{Address, Fingerprint, Language};
use bantuan70::openpgp::{Keyring, OwnKey, generate_own, open::open, seal};
use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

fn address(text: &str) -> Address {
    Address::parse(text).expect("an address")
}

fn letter(recipient: Fingerprint, text: String) -> Letter {
    Letter {
        kind: LetterKind::Dissemination,
        to: address("csirt@bank.example"),
        to_name: String::new(),
        ticket: None,
        dissemination: None,
        message_id: "dis.0123456789abcdef0123456789abcdef@bssn.test".to_owned(),
        in_reply_to: None,
        references: Vec::new(),
        subject: "TLP:AMBER".to_owned(),
        outer_subject: "TLP:AMBER".to_owned(),
        text,
        html: None,
        enclosures: Vec::new(),
        auto_submitted: AutoSubmitted::No,
        protection: Protection::Sealed { recipient },
        tlp: Some(bantuan70::model::Tlp::Amber),
        language: Language::Id,
        token: None,
        encloses_certificate: false,
        held_because: None,
        not_before: None,
    }
}

fn gpg(home: &Path, arguments: &[&str], input: &[u8]) {
    let mut child = Command::new("gpg")
        .env("GNUPGHOME", home)
        .args(["--batch", "--yes", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "", "--trust-model", "always"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("gpg is installed");
    drop(child.stdin.take().expect("stdin").write_all(input));
    assert!(child.wait().expect("gpg ends").success(), "gpg {arguments:?}");
}

/// Contacts of a centre: both keyrings hold as many in the second group.
const CONTACTS: usize = 300;

fn sealing(criterion: &mut Criterion) {
    let now = Timestamp::now();
    let center = Center { name: "Pusat".to_owned(), address: address("bantuan70@bssn.test") };
    let own = generate_own("Pusat", &center.address, None, now).expect("a key");
    let theirs = generate_own("Bank", &address("csirt@bank.example"), None, now).expect("a key");
    let mut keyring = Keyring::new();
    keyring.set_own(OwnKey::read(&own.secret, None, now).expect("the key"));
    let their_key = OwnKey::read(&theirs.secret, None, now).expect("the key");
    let recipient = keyring.add(&their_key.armored()).expect("the certificate");
    let text = "Isi peringatan keamanan, satu baris dari banyak.\n".repeat(210);
    let letter = letter(recipient, text.clone());
    let sealed = seal(&letter, &center, &keyring, now).expect("sealed");

    let mut group = criterion.benchmark_group("10 kB, sign and encrypt, cv25519");
    group.bench_function("seal, with the last look", |bencher| bencher.iter(|| seal(&letter, &center, &keyring, now)));
    let mut theirs_ring = Keyring::new();
    theirs_ring.add(&keyring.own().expect("own").armored()).expect("the certificate");
    theirs_ring.set_own(their_key);
    group.bench_function("open", |bencher| {
        bencher.iter(|| open(bantuan70::mail::read::read(sealed.bytes()), &theirs_ring, now, 1 << 20));
    });
    let home = tempfile::Builder::new().prefix("g").tempdir_in("/tmp").expect("a folder");
    gpg(home.path(), &["--import"], &own.secret);
    gpg(home.path(), &["--import"], &theirs.secret);
    let names = ["-u", own.fingerprint.0.as_str(), "-r", theirs.fingerprint.0.as_str(), "-r", own.fingerprint.0.as_str()];
    let arguments = [&names[..], &["--armor", "--sign", "--encrypt"]].concat();
    group.bench_function("gpg", |bencher| bencher.iter(|| gpg(home.path(), &arguments, text.as_bytes())));
    group.finish();

    for number in 0..CONTACTS {
        let address = address(&format!("csirt{number}@agency.example"));
        let contact = OwnKey::read(&generate_own("Agency", &address, None, now).expect("a key").secret, None, now).expect("the key");
        gpg(home.path(), &["--import"], &contact.armored());
        keyring.add(&contact.armored()).expect("the certificate");
    }
    let mut group = criterion.benchmark_group("10 kB, sign and encrypt, cv25519, 300 contacts");
    group.bench_function("seal, with the last look", |bencher| bencher.iter(|| seal(&letter, &center, &keyring, now)));
    group.bench_function("gpg", |bencher| bencher.iter(|| gpg(home.path(), &arguments, text.as_bytes())));
    group.finish();
    drop(Command::new("gpgconf").env("GNUPGHOME", home.path()).args(["--kill", "all"]).output());
}

criterion_group!(benches, sealing);
criterion_main!(benches);
