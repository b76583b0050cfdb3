//! A dissemination above GREEN: each recipient reads its own mail and nobody else reads any of it.

use super::center::{ADDRESS, Center, Letter, analyst_header, entity, fresh_id};
use crate::harness::gpg::Gpg;
use bantuan70::mail::read::read;
use base64::Engine as _;
use serde_json::Value;
use std::fs;

const SUBJECT: &str = "canary-subjek kerentanan Gateway";
const TEXT: &str = "Segera tutup akses canary-teks pada Gateway Anda.";

/// A recipient with a key of its own.
struct Recipient {
    address: String,
    gpg: Gpg,
    key: String,
}

impl Recipient {
    fn new(name: &str, algorithm: &str, center: &Center) -> Self {
        let (address, gpg) = (format!("{name}@stake.test"), Gpg::new());
        let key = gpg.new_key(&format!("CSIRT <{address}>"), algorithm);
        gpg.import(center.must(&["key", "export"]).as_bytes());
        fs::write(center.path(&format!("{name}.asc")), gpg.export(&key)).unwrap();
        Self { address, gpg, key }
    }

    fn user(&self) -> &str {
        self.address.split('@').next().unwrap()
    }

    /// An answer to a letter, signed where `signs`.
    fn answers(&self, letter: &Letter, signs: bool) -> Vec<u8> {
        let (to, id) = (letter.mail.message_id.clone().unwrap(), fresh_id());
        let header = format!(
            "From: <{}>\nTo: {ADDRESS}\nSubject: Re: {}\nMessage-ID: <{id}>\nIn-Reply-To: <{to}>\nMIME-Version: 1.0\n",
            self.address, letter.mail.subject
        );
        let entity = "Content-Type: text/plain; charset=utf-8\n\nDITERIMA, terima kasih.\n";
        if signs { self.gpg.sign_mime(&self.key, &header, entity.as_bytes()) } else { format!("{header}{entity}").into_bytes() }
    }
}

pub fn add(center: &Center, name: &str, certificate: Option<&str>) {
    let address = format!("{name}@stake.test");
    let mut arguments = vec!["contact", "add", "--name", name, "--address", &address, "--kind", "role", "--organisation", "Bank"];
    arguments.extend(certificate.into_iter().flat_map(|file| ["--certificate", file]));
    center.must(&arguments);
    center.must(&["contact", "verify", &address, "--how", "call-back"]);
}

/// The state of each recipient of the ticket's one dissemination, and its own.
fn states(center: &Center, ticket: &str) -> (String, Vec<String>) {
    let ticket = center.ticket(ticket);
    let one = &ticket["disseminations"][0];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&one["state"]), one["recipients"].as_array().unwrap().iter().map(|recipient| text(&recipient["state"])).collect())
}

/// All that can be read in bytes on the way: as they are, and with every base64 and quoted-printable undone.
pub fn readings(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw).into_owned();
    let joined = text.replace("=\r\n", "");
    let base64: String = text.lines().flat_map(|line| base64::engine::general_purpose::STANDARD.decode(line.trim())).fold(
        String::new(),
        |mut all, bytes| {
            all.push_str(&String::from_utf8_lossy(&bytes));
            all
        },
    );
    let (mail, _) = read(raw);
    let files: String = mail.attachments.iter().map(|file| String::from_utf8_lossy(&file.content).into_owned()).collect();
    format!("{text}{joined}{base64}{}{}{files}", mail.subject, mail.text.full)
}

#[test]
fn d5_d6_amber_is_read_by_each_recipient_alone_and_confirmed_by_diterima() {
    let center = Center::new();
    let _daemon = center.start();
    let number = center.open_ticket("pelapor@warga.example", "Situs diretas");
    // Added while the daemon runs.
    let both = [Recipient::new("csirta", "future-default", &center), Recipient::new("csirtb", "default", &center)];
    for one in &both {
        add(&center, one.user(), Some(center.path(&format!("{}.asc", one.user())).to_str().unwrap()));
    }
    add(&center, "csirtc", None);

    let orders = format!("!tiket {number}\n!diseminasi csirta@stake.test csirtb@stake.test csirtc@stake.test\n!tlp AMBER\n\n{TEXT}\n");
    let id = fresh_id();
    let wanted = entity(1, Some(&format!("[{number}] {SUBJECT}")), &orders);
    let mail =
        center.gpg.encrypt_sign_mime(Some(&center.analysts[0]), &[&center.fingerprint], &analyst_header(1, "...", &id), wanted.as_bytes());
    let receipt = center.ask(1, (id, mail));
    receipt.says(&[
        "disetujui; surelnya disiapkan untuk dikirim",
        "csirtc@stake.test ditahan: TLP:AMBER tidak pernah dikirim tanpa enkripsi",
        TEXT,
    ]);

    let letters: Vec<Letter> = both.iter().map(|one| center.wait_mail(one.user(), "the dissemination", |_| true)).collect();
    for (letter, (one, other)) in letters.iter().zip([(&both[0], &both[1]), (&both[1], &both[0])]) {
        let run = one.gpg.decrypt(&letter.ciphertext());
        assert_eq!(run.good_signer().as_deref(), Some(center.fingerprint.as_str()), "{}", run.status);
        let (inside, _) = read(&run.out);
        assert_eq!(inside.subject, format!("[{number}] TLP:AMBER {SUBJECT}"));
        let body = inside.text.full.replace("\r\n", "\n");
        assert!(body.contains(&format!("TLP:AMBER\n\n{TEXT}\n\nTLP:AMBER")), "the label stands directly round the text: {body}");
        assert!(!body.contains(&other.address));
        assert!(!other.gpg.decrypt(&letter.ciphertext()).ok, "{} reads the mail of {}", other.address, one.address);
        assert!(!center.gpg.decrypt(&letter.ciphertext()).ok, "the analysts read it");
        assert_eq!(letter.mail.subject, format!("[{number}] [TLP:AMBER] Diseminasi informasi"));
        assert_eq!(letter.header("Auto-Submitted"), None, "a person wrote it");
        assert_eq!((letter.header("Cc"), letter.header("Bcc")), (None, None));
        assert!(!readings(&letter.raw).contains(&other.address));
    }
    center.wait_quiet();
    assert_eq!(states(&center, &number), ("sent".to_owned(), vec!["sent".to_owned(), "sent".to_owned(), "held".to_owned()]));
    assert!(center.letters("csirtc").is_empty());

    // Nothing that left, and nothing that was logged, can be read by anybody on the way.
    for user in ["pelapor", "analyst1", "analyst2", "csirta", "csirtb"] {
        for letter in center.letters(user) {
            let all = readings(&letter.raw);
            for canary in ["canary-subjek", "canary-teks", "csirtc@"] {
                assert!(!all.contains(canary), "{canary} in a mail to {user}:\n{all}");
            }
            assert!(user.starts_with("csirt") || !all.contains("csirt"), "a recipient in a mail to {user}:\n{all}");
        }
    }
    let log = center.log();
    for canary in ["canary-subjek", "canary-teks", "csirta@", "csirtb@", "csirtc@"] {
        assert!(!log.contains(canary), "{canary} in the log");
    }

    // One confirms by the reference to its own mail, one by signature; the third, by telephone, through the analyst.
    let wait_states = |wanted: [&str; 4]| {
        let now = || states(&center, &number);
        let as_wanted = |(state, recipients): &(String, Vec<String>)| *state == wanted[0] && *recipients == wanted[1..];
        crate::harness::servers::wait_for(|| format!("{wanted:?}: {:?}\n{}", now(), center.log()), || Some(now()).filter(as_wanted));
    };
    center.deliver(&both[0].answers(&letters[0], false));
    wait_states(["sent", "confirmed", "sent", "held"]);
    center.deliver(&both[1].answers(&letters[1], true));
    wait_states(["sent", "confirmed", "confirmed", "held"]);
    // Until all have it the ticket does not close without a reason.
    center.order(&format!("!tiket {number}\n!tutup\n")).says(&["belum mengonfirmasi: csirtc@stake.test"]);
    center
        .order(&format!("!tiket {number}\n!konfirmasi csirtc@stake.test\nDibacakan lewat telepon.\n"))
        .says(&["mengonfirmasi penerimaan"]);
    wait_states(["closed", "confirmed", "confirmed", "confirmed"]);
    center.order(&format!("!tiket {number}\n!tutup\n")).says(&["!tutup → ditutup"]);
    assert_eq!(center.ticket(&number)["state"], "closed");
    center.audit();
}
