//! Agreement under attack: forged, replayed, redirected, borrowed from elsewhere, with keys that are
//! unfit. Each is tried on the real daemon, nothing leaves and budi is told why; at the end his true
//! agreement acts, so that nothing was refused for another reason.

use super::attacks::{center, replaced};
use super::{Hall, read_by, to};
use crate::harness::gpg::{Gpg, crlf, encrypted_mail, signed_mail};
use bantuan70::cli::demo::stage::{Actor, Note, Received};
use bantuan70::model::contact::ContactKind;
use bantuan70::model::dissemination::DisseminationState;
use bantuan70::model::letter::{LetterKind, LetterState};
use bantuan70::store::MailFilter;
use base64::Engine as _;
use jiff::Timestamp;

const RINA: &str = "rina@bank.example";
const BUDI: &str = "budi@bssn.test";
/// Why a signature of an unfit key is refused.
const UNFIT: &str = "kedaluwarsa, dicabut, atau terlalu lemah";
const FROM_BUDI: &str = "From: \"Budi\" <budi@bssn.test>";

/// A RED dissemination to that address that awaits a second person, and the line that agrees to it.
pub async fn awaiting(hall: &mut Hall, to: &str) -> String {
    hall.command("ani", &format!("!tlp RED\n!diseminasi {to}\nRahasia untuk bantuan70@bssn.test."));
    hall.play().await;
    let serial = (1..).take_while(|serial| hall.dissemination(*serial).is_some()).last().unwrap();
    assert_eq!(hall.dissemination(serial).unwrap().state, DisseminationState::AwaitingApproval);
    hall.agreement(serial)
}

fn note(text: &str) -> Note {
    Note { subject: "Re: Mohon persetujuan".to_owned(), text: text.to_owned(), ..Note::default() }
}

/// The mail comes in: nobody gets anything of the dissemination.
async fn moves_nothing(hall: &mut Hall, raw: &[u8], reason: &str) -> Vec<Received> {
    hall.stage.deliver(raw).unwrap();
    let sent = hall.play().await;
    assert!(to(&sent, RINA).is_empty(), "{reason}: it left");
    assert_eq!(hall.dissemination(1).unwrap().approvals.len(), 1, "{reason}: it counted");
    sent
}

/// It moves nothing, and budi is told why.
async fn refused(hall: &mut Hall, raw: &[u8], reason: &str) {
    let told = read_by(&moves_nothing(hall, raw, reason).await, BUDI);
    assert!(told.contains(reason), "{reason}:\n{told}");
}

async fn acts(hall: &mut Hall, raw: &[u8]) {
    hall.stage.deliver(raw).unwrap();
    let sent = hall.play().await;
    assert_eq!(to(&sent, RINA).len(), 1, "{}", read_by(&sent, BUDI));
}

/// A hall in which rina's dissemination awaits budi.
async fn awaiting_budi() -> (Hall, String) {
    let mut hall = Hall::new("");
    hall.keyed_contact(RINA, ContactKind::Person);
    let line = awaiting(&mut hall, RINA).await;
    (hall, line)
}

/// What an actor of the stage signs, as its own mail.
fn signed(hall: &Hall, who: &Actor, text: &str, id: &str) -> Vec<u8> {
    who.signs(&center(), &note(text), &format!("{id}@bssn.test"), hall.now()).unwrap()
}

#[tokio::test]
async fn p3_a_from_that_is_not_the_signers_agrees_to_nothing() {
    let (mut hall, line) = awaiting_budi().await;
    let (ani, budi) = (hall.stage.actor("ani").unwrap(), hall.stage.actor("budi").unwrap());
    let unsigned = budi.writes(&center(), &note(&line), "x1@bssn.test", hall.now()).unwrap();
    let of_ani = replaced(&signed(&hall, ani, &line, "x2"), "From: \"Ani\" <ani@bssn.test>", FROM_BUDI);
    let good = signed(&hall, budi, &line, "x3");
    refused(&mut hall, &unsigned, "tidak bertanda tangan").await;
    refused(&mut hall, &of_ani, "berbeda dari From di luar").await;
    acts(&mut hall, &good).await;
}

#[tokio::test]
async fn p4_a_certificate_with_a_forged_user_id_agrees_to_nothing() {
    let (mut hall, line) = awaiting_budi().await;
    let forger = Actor::with_key("Budi", BUDI, hall.now()).unwrap();
    let mut enclosing = note(&line);
    enclosing.enclosures.push(("budi.asc".to_owned(), "application/pgp-keys".to_owned(), forger.certificate().unwrap()));
    let forged = signed(&hall, &forger, &line, "x1");
    let with_its_key = forger.signs(&center(), &enclosing, "x2@bssn.test", hall.now()).unwrap();
    let good = signed(&hall, hall.stage.actor("budi").unwrap(), &line, "x3");
    refused(&mut hall, &forged, "sertifikat yang tidak dikenal").await;
    refused(&mut hall, &with_its_key, "sertifikat yang tidak dikenal").await;
    // Nor where the forged one stands in the directory, pinned to a contact of that address.
    hall.contact(BUDI, ContactKind::Person, forger.certificate().as_deref(), true);
    let known = signed(&hall, &forger, &line, "x4");
    refused(&mut hall, &known, "bukan oleh sertifikat yang terdaftar untuk Anda").await;
    acts(&mut hall, &good).await;
}

#[tokio::test]
async fn p26_a_mail_whose_outer_header_differs_from_the_inner_agrees_to_nothing() {
    let (mut hall, line) = awaiting_budi().await;
    let budi = hall.stage.actor("budi").unwrap();
    // Signed by him, and under another sender outside: neither of the two has agreed.
    let outer_differs = replaced(&signed(&hall, budi, &line, "x1"), FROM_BUDI, "From: \"Rudi\" <rudi@bssn.test>");
    // Sealed by him to the centre, another sender outside.
    let own = hall.stage.daemon.bench().reader.keyring.own().unwrap().armored();
    let sealed = budi.seals(&center(), &own, &note(&line), "x2@bssn.test", hall.now()).unwrap();
    let sealed_differs = replaced(&sealed, FROM_BUDI, "From: \"Rudi\" <rudi@bssn.test>");
    let other_subject = signed(&hall, budi, &line, "x3");
    for raw in [&outer_differs, &sealed_differs] {
        hall.stage.deliver(raw).unwrap();
        let sent = hall.play().await;
        assert!(to(&sent, RINA).is_empty());
        assert_eq!(hall.dissemination(1).unwrap().approvals.len(), 1);
        let told = read_by(&sent, "rudi@bssn.test");
        assert!(told.contains("berbeda dari From di luar"), "{told}");
    }
    // The subject outside moves nothing, and does not hinder what is signed.
    let text = String::from_utf8(other_subject).unwrap();
    let outside = text.replacen("Subject: Re: Mohon persetujuan", "Subject: [BANTUAN70-2026-000099] !batal", 1);
    assert_ne!(outside, text);
    acts(&mut hall, outside.as_bytes()).await;
}

#[tokio::test]
async fn p1_a_signed_part_beside_an_unsigned_one_agrees_to_nothing() {
    let (mut hall, line) = awaiting_budi().await;
    // His own signed mail, beside a line that he did not sign; and his signed line beside another text.
    let whole = signed(&hall, hall.stage.actor("budi").unwrap(), &line, "x1");
    let text = std::str::from_utf8(&whole).unwrap();
    let (header, body) = text.split_once("\r\n\r\n").unwrap();
    let (outer, kind) = header.split_at(header.find("Content-Type:").unwrap());
    let inner = format!("{kind}\r\n\r\n{body}");
    let plain = format!("Content-Type: text/plain\r\n\r\n{line}\r\n");
    for (first, second) in [(&plain, &inner), (&inner, &plain)] {
        let beside =
            format!("{outer}Content-Type: multipart/mixed; boundary=luar\r\n\r\n--luar\r\n{first}\r\n--luar\r\n{second}\r\n--luar--\r\n");
        refused(&mut hall, beside.as_bytes(), "tidak seluruh surel bertanda tangan").await;
    }
    acts(&mut hall, &whole).await;
}

#[tokio::test]
async fn c1_an_agreement_that_comes_again_counts_once() {
    let mut hall = Hall::new("\n[dissemination]\napprovals = { RED = 3 }\n");
    hall.keyed_contact(RINA, ContactKind::Person);
    let line = awaiting(&mut hall, RINA).await;
    // Good, but a third person is needed; sent again by whoever caught it, it is no third person.
    let good = signed(&hall, hall.stage.actor("budi").unwrap(), &line, "x1");
    hall.stage.deliver(&good).unwrap();
    assert!(to(&hall.play().await, RINA).is_empty());
    for dress in ["", "Received: from x.example by mx.bssn.test; Tue, 24 Nov 2026 10:00:00 +0700\r\n"] {
        hall.stage.deliver(&[dress.as_bytes(), &good].concat()).unwrap();
        hall.play().await;
    }
    let other_id = replaced(&good, "Message-ID: <", "Message-ID: <lain.");
    hall.stage.deliver(&other_id).unwrap();
    let told = read_by(&hall.play().await, BUDI);
    assert!(told.contains("sudah pernah diterima") || told.contains("berbeda"), "{told}");
    assert_eq!(hall.dissemination(1).unwrap().approvals.len(), 2);
    hall.command("rudi", &line);
    assert_eq!(to(&hall.play().await, RINA).len(), 1);
    // What is released is not agreed to again.
    hall.command("rudi", &line);
    assert!(to(&hall.play().await, RINA).is_empty());
}

#[tokio::test]
async fn c13_an_agreement_to_another_manifest_or_twice_by_one_person_does_not_count() {
    let mut hall = Hall::new("\n[dissemination]\napprovals = { RED = 3 }\n");
    hall.keyed_contact(RINA, ContactKind::Person);
    let first = awaiting(&mut hall, RINA).await;
    // The same words to the same person again: another dissemination, another code.
    let second = awaiting(&mut hall, RINA).await;
    let (code_of_first, code_of_second) = (first.rsplit(' ').next().unwrap(), second.rsplit(' ').next().unwrap());
    assert_ne!(code_of_first, code_of_second);
    let budi = |hall: &Hall, text: &str, id: &str| signed(hall, hall.stage.actor("budi").unwrap(), text, id);
    let of_another = budi(&hall, &format!("!setuju DIS-{}-0001 {code_of_second}", hall.year), "x1");
    refused(&mut hall, &of_another, "kode tidak cocok").await;
    // The author counts once, and so does whoever agrees.
    hall.command("ani", &first);
    assert!(to(&hall.play().await, RINA).is_empty());
    hall.command("budi", &first);
    hall.play().await;
    hall.command("budi", &first);
    assert!(read_by(&hall.play().await, BUDI).contains("masih diperlukan"));
    assert_eq!(hall.dissemination(1).unwrap().approvals.len(), 2);
    hall.command("rudi", &first);
    assert_eq!(to(&hall.play().await, RINA).len(), 1);
    // Nor was the other one agreed to by any of this.
    assert_eq!(hall.dissemination(2).unwrap().approvals.len(), 1);
}

/// What is not an agreement to this dissemination as it stands agrees to nothing, and the receipt says what is wanted.
#[tokio::test]
async fn an_agreement_without_its_code_or_with_anothers_agrees_to_nothing_and_is_answered() {
    let (mut hall, line) = awaiting_budi().await;
    let second = awaiting(&mut hall, RINA).await;
    let (number, code) = line.trim_start_matches("!setuju ").split_once(' ').unwrap();
    let (other, code_of_other) = second.trim_start_matches("!setuju ").split_once(' ').unwrap();
    let wanted = "yang diharapkan: DIS-… KODE";
    for (text, reason) in [
        ("!setuju".to_owned(), wanted),
        (format!("!setuju {number}"), wanted),
        (format!("!setuju {number} "), wanted),
        (format!("!setuju {code}"), wanted),
        (format!("!setuju {number} {}", &code[..11]), wanted),
        (format!("!setuju {number} {code}0"), wanted),
        (format!("!setuju {number} {}", "z".repeat(12)), wanted),
        (format!("!setuju {number} {code_of_other}"), "kode tidak cocok dengan isi"),
        (format!("!setuju {other} {code}"), "kode tidak cocok dengan isi"),
        (format!("!setuju DIS-{}-0099 {code}", hall.year), "tidak ada"),
        // One that fits beside one that does not: none of the mail is carried out.
        (format!("{line}\n!setuju {other} {code}"), "kode tidak cocok dengan isi"),
    ] {
        hall.command("budi", &text);
        let sent = hall.play().await;
        let told = read_by(&sent, BUDI).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains(reason) && told.contains("Tidak satu pun perintah dalam surel ini dijalankan"), "{text}:\n{told}");
        assert!(to(&sent, RINA).is_empty(), "{text}");
        let agreed = [1, 2].map(|serial| (hall.dissemination(serial).unwrap().approvals.len(), hall.dissemination(serial).unwrap().state));
        assert_eq!(agreed, [(1, DisseminationState::AwaitingApproval); 2], "{text}");
    }
    // Letter case of number and code is of no account.
    hall.command("budi", &line.to_uppercase().replace("SETUJU", "setuju"));
    assert_eq!(to(&hall.play().await, RINA).len(), 1);
    assert_eq!(hall.dissemination(2).unwrap().state, DisseminationState::AwaitingApproval);
}

/// Budi as a gpg, with the certificate that the configuration names.
struct Budi {
    gpg: Gpg,
    key: String,
}

impl Budi {
    fn on(hall: &Hall, expires: &str) -> Self {
        let gpg = Gpg::new();
        let key = gpg.new_key_until(&format!("Budi <{BUDI}>"), "future-default", expires);
        hall.catch_up();
        let budi = Self { gpg, key };
        budi.configured(hall);
        budi
    }

    /// The certificate as gpg has it now is the one that the configuration names.
    fn configured(&self, hall: &Hall) {
        std::fs::write(hall.stage.config_file.with_file_name("budi.asc"), self.gpg.export(&self.key)).unwrap();
        hall.stage.reload().unwrap();
    }

    /// It moves nothing, and he reads why.
    async fn is_refused(&self, hall: &mut Hall, raw: &[u8], reason: &str) {
        let told = self.reads(&moves_nothing(hall, raw, reason).await);
        assert!(told.contains(reason), "{reason}:\n{told}");
    }

    /// All that he can read in the mails to him.
    fn reads(&self, mails: &[Received]) -> String {
        let open = |mail: &&Received| {
            let text = std::str::from_utf8(&mail.raw).unwrap();
            let message = &text[text.find("-----BEGIN PGP MESSAGE").unwrap()..text.find("-----END PGP MESSAGE").unwrap()];
            let run = self.gpg.decrypt(format!("{message}-----END PGP MESSAGE-----\n").as_bytes());
            bantuan70::mail::read::read(&run.out).0.text.full
        };
        to(mails, BUDI).iter().map(open).collect()
    }

    /// What came of the last mail is written down, though nothing could be encrypted to him.
    fn is_held_for_him(hall: &Hall, reason: &str) {
        let row = hall.outbox().into_iter().rfind(|row| row.to.as_str() == BUDI).unwrap();
        assert_eq!((row.kind, row.state), (LetterKind::Receipt, LetterState::Held));
        assert!(row.last_error.as_deref().unwrap().contains(reason), "{row:?}");
        assert!(reasons(hall).iter().any(|reason| reason.contains(UNFIT)));
    }

    /// His agreement, signed by these keys at that time.
    fn agrees_at(&self, keys: &[&str], line: &str, id: &str, at: Timestamp) -> Vec<u8> {
        let entity = entity(line);
        let stamp = format!("{}!", at.strftime("%Y%m%dT%H%M%S"));
        let mut arguments = vec!["--faked-system-time", &stamp, "--armor", "--digest-algo", "SHA512"];
        for key in keys {
            arguments.extend(["-u", key]);
        }
        arguments.push("--detach-sign");
        signed_mail(&header(id), &entity, &self.gpg.must(&arguments, &entity).out)
    }
}

/// Why each mail was filed as it was.
fn reasons(hall: &Hall) -> Vec<String> {
    let view = hall.view();
    hall.stage.daemon.store.mail(&MailFilter::default(), &view).unwrap().into_iter().map(|mail| mail.reason).collect()
}

fn entity(line: &str) -> Vec<u8> {
    crlf(format!("Content-Type: text/plain; charset=utf-8\n\n{line}\n").as_bytes())
}

fn header(id: &str) -> String {
    format!("{FROM_BUDI}\nTo: bantuan70@bssn.test\nSubject: Re: Mohon persetujuan\nMessage-ID: <{id}@bssn.test>\nMIME-Version: 1.0\n")
}

#[tokio::test]
async fn p13_a_revoked_key_agrees_to_nothing() {
    let (mut hall, line) = awaiting_budi().await;
    let budi = Budi::on(&hall, "2y");
    // Signed while the key was good, and come in when it was revoked: whoever stole it can date it back.
    let before = budi.agrees_at(&[&budi.key], &line, "x1", hall.now());
    let certificate = std::fs::read_to_string(budi.gpg.home().join(format!("openpgp-revocs.d/{}.rev", budi.key))).unwrap();
    budi.gpg.import(certificate.replace(":-----BEGIN", "-----BEGIN").as_bytes());
    budi.configured(&hall);
    moves_nothing(&mut hall, &before, "revoked").await;
    Budi::is_held_for_him(&hall, "sudah dicabut");
    hall.command("rudi", &line);
    assert_eq!(to(&hall.play().await, RINA).len(), 1);
}

#[tokio::test]
async fn p13_a_key_that_ended_agrees_to_nothing_until_its_new_end_is_known_here() {
    let (mut hall, line) = awaiting_budi().await;
    let budi = Budi::on(&hall, "2d");
    let in_time = budi.agrees_at(&[&budi.key], "!daftar", "x1", hall.now());
    // He prolongs it and tells nobody; to the centre it has ended.
    budi.gpg.must(&["--quick-set-expire", &budi.key, "2y"], b"");
    budi.gpg.must(&["--quick-set-expire", &budi.key, "2y", "*"], b"");
    hall.stage.wait(3 * 24);
    let ended = budi.agrees_at(&[&budi.key], &line, "x2", hall.now());
    moves_nothing(&mut hall, &ended, "ended").await;
    Budi::is_held_for_him(&hall, "sudah berakhir pada");
    // What he signed while it lived is still his: validity is asked of the time of the signature.
    hall.stage.deliver(&in_time).unwrap();
    hall.play().await;
    let reasons = reasons(&hall);
    assert_eq!(reasons.iter().filter(|reason| reason.contains(UNFIT)).count(), 1, "{reasons:?}");
    budi.configured(&hall);
    let again = budi.agrees_at(&[&budi.key], &line, "x3", hall.now());
    acts(&mut hall, &again).await;
}

#[tokio::test]
async fn p12_of_two_signatures_the_configured_one_counts_and_the_other_neither_helps_nor_hinders() {
    let (mut hall, line) = awaiting_budi().await;
    let budi = Budi::on(&hall, "2y");
    let stranger = budi.gpg.new_key("Orang <orang@asing.example>", "future-default");
    let unknown_alone = budi.agrees_at(&[&stranger], &line, "x1", hall.now());
    budi.is_refused(&mut hall, &unknown_alone, "sertifikat yang tidak dikenal").await;
    // Both over words that were changed afterwards.
    let both = budi.agrees_at(&[&stranger, &budi.key], &line, "x2", hall.now());
    let changed = replaced(&both, &line, &line.replace("setuju", "Setuju"));
    budi.is_refused(&mut hall, &changed, "tanda tangan rusak").await;
    acts(&mut hall, &both).await;
    let noted = hall.history(1);
    assert!(noted.contains("tanda tangan lain pada surel ini tidak diperhitungkan") && noted.contains(&stranger[24..]), "{noted}");
    assert_eq!(hall.dissemination(1).unwrap().approvals.iter().map(|one| one.by.as_str()).collect::<Vec<_>>(), ["ani@bssn.test", BUDI]);
}

/// Signed by two analysts, it acts for the one in From alone: one mail is one person's agreement.
#[tokio::test]
async fn p12_c13_a_mail_that_two_analysts_signed_is_the_agreement_of_its_sender_alone() {
    let mut hall = Hall::new("\n[dissemination]\napprovals = { RED = 3 }\n");
    hall.keyed_contact(RINA, ContactKind::Person);
    let line = awaiting(&mut hall, RINA).await;
    let budi = Budi::on(&hall, "2y");
    let rudi = budi.gpg.new_key("Rudi <rudi@bssn.test>", "future-default");
    std::fs::write(hall.stage.config_file.with_file_name("rudi.asc"), budi.gpg.export(&rudi)).unwrap();
    hall.catch_up();
    hall.stage.reload().unwrap();
    let both = budi.agrees_at(&[&budi.key, &rudi], &line, "x1", hall.now());
    hall.stage.deliver(&both).unwrap();
    let sent = hall.play().await;
    assert!(to(&sent, RINA).is_empty());
    let told = budi.reads(&sent);
    for words in [told.replace(['\r', '\n'], " "), hall.history(1)] {
        assert!(words.contains("juga ditandatangani dengan sertifikat") && words.contains(&format!("{rudi} (Rudi)")), "{words}");
    }
    assert_eq!(hall.dissemination(1).unwrap().approvals.iter().map(|one| one.by.as_str()).collect::<Vec<_>>(), ["ani@bssn.test", BUDI]);
}

#[tokio::test]
async fn p17_an_agreement_in_ciphertext_without_integrity_protection_is_not_opened() {
    let (mut hall, line) = awaiting_budi().await;
    let budi = Budi::on(&hall, "2y");
    let own = hall.stage.daemon.bench().reader.keyring.own().unwrap().clone();
    budi.gpg.import(&own.armored());
    let stamp = format!("{}!", hall.now().strftime("%Y%m%dT%H%M%S"));
    let arguments = ["--faked-system-time", &stamp, "-u", &budi.key, "-r", &own.fingerprint().0, "--sign", "--encrypt"];
    let message = budi.gpg.must(&arguments, &entity(&line)).out;
    for (n, bytes) in [(1, &unprotected(&message)), (2, &flipped(&message))] {
        budi.is_refused(&mut hall, &encrypted_mail(&header(&format!("x{n}")), &armored(bytes)), "tidak dapat dibuka").await;
    }
    acts(&mut hall, &encrypted_mail(&header("x3"), &armored(&message))).await;
}

/// RFC 9580 §5.13: the container with integrity protection is tag 18, the one without is tag 9.
pub fn unprotected(message: &[u8]) -> Vec<u8> {
    let container = match message[..] {
        [0x84, length, ..] => 2 + usize::from(length),
        [0x85, high, low, ..] => 3 + usize::from(u16::from_be_bytes([high, low])),
        _ => panic!("no session key first"),
    };
    assert_eq!(message[container], 0xc0 | 18);
    let mut unprotected = message.to_vec();
    unprotected[container] = 0xc0 | 9;
    unprotected
}

/// As it is where somebody changed it on the way.
pub fn flipped(message: &[u8]) -> Vec<u8> {
    let mut flipped = message.to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    flipped
}

pub fn armored(bytes: &[u8]) -> Vec<u8> {
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN PGP MESSAGE-----\n\n{}\n-----END PGP MESSAGE-----\n", lines.join("\n")).into_bytes()
}
