//! Sealing and opening 10 kB with cv25519, beside what gpg takes for the same work in the same run. Both
//! take turns, so that what else the machine does strikes both alike, and the best of each is printed.
//! gpg is started anew for each message, as a program that calls gpg would; its agent stays.

#![expect(clippy::expect_used, reason = "a measurement without its keys measures nothing")]

use bantuan70::mail::write::Center;
use bantuan70::model::letter::{AutoSubmitted, Letter, LetterKind, Protection};
use bantuan70::model::{Address, Fingerprint, Language};
use bantuan70::openpgp::seal::unchecked;
use bantuan70::openpgp::{Keyring, OwnKey, generate_own, open::open, seal};
use jiff::Timestamp;
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

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
        words: bantuan70::model::letter::Words::Written,
        language: Language::Id,
        token: None,
        encloses_certificate: false,
        held_because: None,
        not_before: None,
    }
}

/// One call of gpg as a program makes it. What would only slow it down is switched off: no compression,
/// since sealing has none either, and no web of trust.
fn gpg(home: &Path, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("gpg")
        .env("GNUPGHOME", home)
        .args(["--batch", "--yes", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""])
        .args(["--trust-model", "always", "--no-auto-check-trustdb", "--compress-algo", "none"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("gpg is installed");
    let mut stdin = child.stdin.take().expect("stdin");
    // All of it fits into the pipe: gpg reads while nobody waits for it.
    drop(stdin.write_all(input));
    drop(stdin);
    let output = child.wait_with_output().expect("gpg ends");
    assert!(output.status.success(), "gpg {arguments:?}");
    output.stdout
}

/// How often each side did its work in turns, and the best and the median time of each.
struct Sides {
    ours: Vec<Duration>,
    gpg: Vec<Duration>,
}

/// Ours goes first in each turn, with cold caches after gpg's.
fn in_turns(mut ours: impl FnMut() -> Duration, mut gpg: impl FnMut() -> Duration) -> Sides {
    const SPENT: Duration = Duration::from_secs(4);
    const OURS_A_TURN: usize = 8;
    let begin = Instant::now();
    let mut sides = Sides { ours: Vec::new(), gpg: Vec::new() };
    while begin.elapsed() < SPENT {
        sides.ours.extend((0..OURS_A_TURN).map(|_| ours()));
        sides.gpg.push(gpg());
    }
    sides.ours.sort_unstable();
    sides.gpg.sort_unstable();
    sides
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    black_box(work());
    start.elapsed()
}

fn row(name: &str, sides: &Sides) {
    let milliseconds = |time: Option<&Duration>| time.map_or(f64::NAN, Duration::as_secs_f64) * 1_000.0;
    let (best, median) = (|times: &[Duration]| milliseconds(times.first()), |times: &[Duration]| milliseconds(times.get(times.len() / 2)));
    println!(
        "| {name} | {:.3} ms | {:.2} ms | {:.1} | {:.3} ms | {:.2} ms | {:.1} |",
        best(&sides.ours),
        best(&sides.gpg),
        best(&sides.gpg) / best(&sides.ours),
        median(&sides.ours),
        median(&sides.gpg),
        median(&sides.gpg) / median(&sides.ours),
    );
}

/// The keyrings of both, with the same keys in them.
struct Desk {
    center: Center,
    keyring: Keyring,
    home: tempfile::TempDir,
    text: String,
    now: Timestamp,
}

impl Desk {
    fn new() -> Self {
        let now = Timestamp::now();
        let center = Center { name: "Pusat".to_owned(), address: address("bantuan70@bssn.test") };
        let own = generate_own("Pusat", &center.address, None, now).expect("a key");
        let home = tempfile::Builder::new().prefix("g").tempdir_in("/tmp").expect("a folder");
        gpg(home.path(), &["--import"], &own.secret);
        let mut keyring = Keyring::new();
        keyring.set_own(OwnKey::read(&own.secret, None, now).expect("the key"));
        Self { center, keyring, home, text: "Isi peringatan keamanan, satu baris dari banyak.\n".repeat(210), now }
    }

    fn own(&self) -> &OwnKey {
        self.keyring.own().expect("own")
    }

    fn add(&mut self, certificate: &[u8]) -> Fingerprint {
        gpg(self.home.path(), &["--import"], certificate);
        self.keyring.add(certificate).expect("the certificate")
    }

    /// gpg's own key, made by gpg as most contacts make theirs: it does not say that it reads RFC 9580.
    fn contact_of_gpg(&mut self) -> Fingerprint {
        let home = tempfile::Builder::new().prefix("g").tempdir_in("/tmp").expect("a folder");
        gpg(home.path(), &["--quick-gen-key", "csirt@bank.example", "future-default", "default", "never"], b"");
        let certificate = gpg(home.path(), &["--export"], b"");
        ends(home.path());
        // gpg may have bound the key a second after our clock was read: the key is not yet valid then.
        self.now = Timestamp::now();
        self.add(&certificate)
    }

    fn letter(&self, recipient: &Fingerprint) -> Letter {
        letter(recipient.clone(), self.text.clone())
    }

    fn gpg_seals(&self, recipient: &Fingerprint) -> Vec<u8> {
        let own = self.own().fingerprint();
        let mut names = vec!["-u", own.0.as_str(), "-r", recipient.0.as_str()];
        if *recipient != own {
            names.extend(["-r", own.0.as_str()]);
        }
        names.extend(["--armor", "--digest-algo", "SHA512", "--sign", "--encrypt"]);
        gpg(self.home.path(), &names, self.text.as_bytes())
    }

    /// MIME, signature, encryption and armor, without the last look, beside gpg's signing, encrypting and armor.
    fn sealing(&self, name: &str, recipient: &Fingerprint) {
        let letter = self.letter(recipient);
        let sides = in_turns(
            || timed(|| unchecked(&letter, &self.center, &self.keyring, self.now).expect("sealed")),
            || timed(|| self.gpg_seals(recipient)),
        );
        row(name, &sides);
    }

    /// All that happens before a mail may leave, beside gpg's sealing and then its reading of what it made.
    fn sealing_and_looking(&self, name: &str, recipient: &Fingerprint) {
        let letter = self.letter(recipient);
        let sides = in_turns(
            || timed(|| seal(&letter, &self.center, &self.keyring, self.now).expect("sealed")),
            || {
                timed(|| {
                    let sealed = self.gpg_seals(recipient);
                    let opened = gpg(self.home.path(), &["--decrypt"], &sealed);
                    assert_eq!(opened, self.text.as_bytes());
                })
            },
        );
        row(name, &sides);
    }

    /// Opening mail of the same size, never the same twice: Sequoia remembers which signatures it verified.
    fn opening(&self, name: &str, recipient: &Fingerprint) {
        let letter = self.letter(recipient);
        let sides = in_turns(
            || {
                let sealed = unchecked(&letter, &self.center, &self.keyring, self.now).expect("sealed");
                timed(|| open(bantuan70::mail::read::read(&sealed), &self.keyring, self.now, 1 << 20))
            },
            || {
                let sealed = self.gpg_seals(recipient);
                timed(|| gpg(self.home.path(), &["--decrypt"], &sealed))
            },
        );
        row(name, &sides);
    }
}

fn ends(home: &Path) {
    drop(Command::new("gpgconf").env("GNUPGHOME", home).args(["--kill", "all"]).output());
}

/// Contacts of a centre: both keyrings hold as many in the last rows.
const CONTACTS: usize = 300;

fn main() {
    // Built to be run by `cargo test --benches` too, which asks for no measurement.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let mut desk = Desk::new();
    let now = desk.now;
    let certificate = |address: &Address| {
        let key = generate_own("Bank", address, None, now).expect("a key");
        OwnKey::read(&key.secret, None, now).expect("the key").armored()
    };
    let own = desk.own().fingerprint();
    let bank = desk.add(&certificate(&address("csirt@bank.example")));
    let of_gpg = desk.contact_of_gpg();
    println!("cores: {}", std::thread::available_parallelism().map_or(0, usize::from));
    println!("| 10 kB, cv25519 | best | gpg, best | ratio | median | gpg, median | ratio |\n| --- | --- | --- | --- | --- | --- | --- |");
    desk.sealing("sealing to two keys", &bank);
    desk.sealing("sealing to two keys, one of them made by gpg", &of_gpg);
    desk.sealing("sealing to one key", &own);
    desk.sealing_and_looking("sealing to two keys, and the last look", &bank);
    desk.sealing_and_looking("sealing to two keys, one of them made by gpg, and the last look", &of_gpg);
    desk.sealing_and_looking("sealing to one key, and the last look", &own);
    desk.opening("opening", &own);
    for number in 0..CONTACTS {
        desk.add(&certificate(&address(&format!("csirt{number}@agency.example"))));
    }
    desk.sealing("sealing to two keys, 300 contacts", &bank);
    desk.sealing_and_looking("sealing to two keys, and the last look, 300 contacts", &bank);
    ends(desk.home.path());
}
