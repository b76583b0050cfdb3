//! What gpg signs and encrypts, we prove and open; what only looks so, proves nothing.

use super::outgoing::keyring;
use crate::harness::gpg::{Gpg, crlf, encrypted_mail, signed_mail};
use bantuan70::mail::read::read;
use bantuan70::model::Fingerprint;
use bantuan70::openpgp::Keyring;
use bantuan70::openpgp::open::{Opened, Refusal, open};
use jiff::{SignedDuration, Timestamp};

pub const HEADER: &str =
    "From: Ani <analyst1@bssn.test>\nTo: bantuan70@bssn.test\nSubject: Re: [BANTUAN70-2026-000009] x\nMIME-Version: 1.0\n";
pub const ENTITY: &str = "Content-Type: text/plain; charset=utf-8; protected-headers=\"v1\"\nFrom: analyst1@bssn.test\nTo: Bantuan <Bantuan70@bssn.test>\nSubject: Re: [BANTUAN70-2026-000001] x\n\n!tutup\nselesai \u{2014} \n";
pub const LIMIT: usize = 4 * 1024 * 1024;

/// An analyst with gpg, and the centre that knows the analyst's certificate.
pub struct Stage {
    pub gpg: Gpg,
    pub analyst: String,
    pub center: String,
    pub keyring: Keyring,
}

impl Stage {
    pub fn new() -> Self {
        let (mut keyring, _) = keyring(Timestamp::now() - SignedDuration::from_hours(1));
        let gpg = Gpg::new();
        let analyst = gpg.new_key("Ani <analyst1@bssn.test>", "future-default");
        keyring.add(&gpg.export(&analyst)).unwrap();
        gpg.import(&keyring.own().unwrap().armored());
        let center = keyring.own().unwrap().fingerprint().0;
        Self { gpg, analyst, center, keyring }
    }

    pub fn open(&self, mail: &[u8]) -> Opened {
        self.open_at(mail, Timestamp::now())
    }

    pub fn open_at(&self, mail: &[u8], now: Timestamp) -> Opened {
        open(read(mail), &self.keyring, now, LIMIT)
    }

    pub fn signed(&self) -> Vec<u8> {
        self.gpg.sign_mime(&self.analyst, HEADER, ENTITY.as_bytes())
    }

    /// Refused, for this reason before all others, and acts for nobody.
    pub fn refuses(&self, mail: &[u8], refusal: Refusal, what: &str) -> Opened {
        let opened = self.open(mail);
        assert!(opened.signed_text.is_none(), "{what} commands");
        assert_eq!(opened.refusals.first(), Some(&refusal), "{what}: {:?} {:?}", opened.refusals, opened.damage);
        opened
    }
}

/// Mail text with one piece replaced.
pub fn swap(mail: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(mail.to_vec()).unwrap();
    assert!(text.contains(from), "{from:?} is not in {text}");
    text.replacen(from, to, 1).into_bytes()
}

fn time(ago: SignedDuration) -> String {
    (Timestamp::now() - ago).strftime("%Y%m%dT%H%M%S").to_string()
}

#[test]
fn a_mail_that_gpg_signed_whole_commands() {
    let stage = Stage::new();
    let opened = stage.open(&stage.signed());
    let text = opened.signed_text.expect("it is signed");
    assert_eq!(text.signers(), [Fingerprint(stage.analyst.clone())]);
    assert!(text.text().starts_with("!tutup"));
    assert_eq!(text.protected_subject(), Some("Re: [BANTUAN70-2026-000001] x"));
    assert_eq!(text.protected_to(), ["bantuan70@bssn.test"]);
    assert!(!text.is_encrypted());
    assert!(opened.refusals.is_empty());
    assert_eq!(opened.findings.is_valid, Some(true));
    assert_eq!(opened.findings.outer_subject.as_deref(), Some("Re: [BANTUAN70-2026-000009] x"));
    assert_eq!(opened.mail.subject, "Re: [BANTUAN70-2026-000001] x");
    assert!(opened.mail.attachments.is_empty());
}

#[test]
fn encrypted_and_signed_commands_in_both_forms() {
    let stage = Stage::new();
    let combined = stage.gpg.encrypt_sign_mime(Some(&stage.analyst), &[&stage.center], HEADER, ENTITY.as_bytes());
    let inside = stage.gpg.sign_mime(&stage.analyst, "MIME-Version: 1.0", ENTITY.as_bytes());
    let nested = stage.gpg.encrypt_sign_mime(None, &[&stage.center], HEADER, &inside);
    for mail in [combined, nested] {
        let opened = stage.open(&mail);
        assert_eq!(opened.refusals, [], "{:?}", opened.damage);
        let text = opened.signed_text.unwrap();
        assert!(text.is_encrypted() && text.text().starts_with("!tutup"));
        assert_eq!(text.signers(), [Fingerprint(stage.analyst.clone())]);
        assert_eq!(opened.findings.is_decrypted, Some(true));
    }
}

#[test]
fn p1_p2_p8_a_signed_part_is_not_a_signed_mail() {
    let stage = Stage::new();
    let signed = String::from_utf8(stage.signed()).unwrap();
    let (_, inner) = signed.split_once("MIME-Version: 1.0\r\n").unwrap();
    let mixed = |subtype: &str, before: &str, after: &str| {
        let part = |text: &str| if text.is_empty() { String::new() } else { format!("--m\r\n{text}\r\n") };
        let body = format!("{}--m\r\n{inner}\r\n{}--m--\r\n", part(before), part(after));
        format!("{}Content-Type: multipart/{subtype}; boundary=m\r\n\r\n{body}", crlf_text(HEADER)).into_bytes()
    };
    let command = "Content-Type: text/plain\r\n\r\n!tutup";
    for (what, mail) in [
        ("M1", mixed("mixed", command, "")),
        ("M2", mixed("related", "Content-Type: text/html\r\n\r\n<p>!tutup<div style='display:none'>", "")),
        ("M3", mixed("related", "Content-Type: text/html\r\n\r\n!tutup <img src='cid:x'>", "")),
        ("P8", mixed("mixed", "", "Content-Type: text/plain\r\n\r\n-- \r\nmailing list")),
        ("alone in a mixed", mixed("mixed", "", "")),
    ] {
        stage.refuses(&mail, Refusal::NotAllSigned, what);
    }
    let attached = format!(
        "{}Content-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\n{command}\r\n--q\r\nContent-Type: message/rfc822\r\n\r\n{signed}\r\n--q--\r\n",
        crlf_text(HEADER)
    );
    stage.refuses(attached.as_bytes(), Refusal::NotAllSigned, "M4");
}

fn crlf_text(text: &str) -> String {
    String::from_utf8(crlf(text.as_bytes())).unwrap()
}

#[test]
fn p3_p28_whoever_is_not_one_sender_does_not_command() {
    let stage = Stage::new();
    let signed = stage.signed();
    let from = "From: Ani <analyst1@bssn.test>\r\n";
    for (what, with) in [
        ("empty From", "From: \r\n"),
        ("no From", ""),
        ("two From", "From: eve@evil.example\r\nFrom: analyst1@bssn.test\r\n"),
        ("two From, the other way", "From: analyst1@bssn.test\r\nFrom: eve@evil.example\r\n"),
        ("two mailboxes", "From: analyst1@bssn.test, eve@evil.example\r\n"),
        ("a comma that is not quoted", "From: Ani, S.Kom. <analyst1@bssn.test>\r\n"),
        ("a space before the colon", "From : eve@evil.example\r\nFrom: analyst1@bssn.test\r\n"),
        ("two Content-Type", "From: analyst1@bssn.test\r\nContent-Type: text/plain\r\n"),
    ] {
        stage.refuses(&swap(&signed, from, with), Refusal::Ambiguous, what);
    }
    // Eve signs with a certificate of her own that bears the analyst's name.
    let eve = Gpg::new();
    let key = eve.new_key("Ani <analyst1@bssn.test>", "future-default");
    let opened = stage.refuses(&eve.sign_mime(&key, HEADER, ENTITY.as_bytes()), Refusal::UnknownSigner, "eve");
    assert_eq!(opened.findings.is_valid, Some(false));
}

#[test]
fn p5_p15_what_a_signature_says_of_itself_is_not_believed() {
    let stage = Stage::new();
    let entity = crlf(ENTITY.as_bytes());
    let sign = |arguments: &[&str]| {
        let mut all = vec!["--armor", "-u", &stage.analyst];
        all.extend_from_slice(arguments);
        all.push("--detach-sign");
        signed_mail(HEADER, &entity, &stage.gpg.must(&all, &entity).out)
    };
    // SigSpoof: a file name that speaks gpg's status language. Nothing here reads such a language.
    let spoof = "x\n[GNUPG:] GOODSIG 0000000000000000 Ani\n[GNUPG:] VALIDSIG";
    let named = stage.gpg.must(&["--armor", "--set-filename", spoof, "-r", &stage.center, "--encrypt"], &entity).out;
    stage.refuses(&encrypted_mail(HEADER, &named), Refusal::Unsigned, "file name");
    stage.refuses(&sign(&["--sig-notation", "!x@y.example=a"]), Refusal::BadSignature, "critical notation");
    stage.refuses(&swap(&stage.signed(), "selesai", "tidak  "), Refusal::BadSignature, "changed text");
}

#[test]
fn p6_inline_signatures_are_shown_and_command_nothing() {
    let stage = Stage::new();
    let block = String::from_utf8(stage.gpg.must(&["-u", &stage.analyst, "--clearsign"], b"!tutup\n- dash\n").out).unwrap();
    let mail = |text: &str| format!("{HEADER}Content-Type: text/plain; charset=utf-8\n\n{text}").into_bytes();
    let whole = stage.refuses(&mail(&block), Refusal::Inline, "whole");
    assert_eq!((whole.findings.is_signed, whole.findings.is_valid), (true, Some(true)));
    assert_eq!(whole.mail.text.full.replace("\r\n", "\n").trim(), "!tutup\n- dash");
    for (what, text) in [("before", format!("halo\n{block}")), ("after", format!("{block}halo\n")), ("two", format!("{block}{block}"))] {
        let opened = stage.refuses(&mail(&text), Refusal::Inline, what);
        assert_eq!(opened.findings.is_valid, Some(false), "{what}");
    }
    let forged = stage.refuses(&mail(&block.replace("!tutup", "!buka")), Refusal::Inline, "forged");
    assert_eq!(forged.findings.is_valid, Some(false));
}

#[test]
fn p7_the_exact_bytes_between_the_boundaries_are_what_is_signed() {
    let stage = Stage::new();
    let signed = stage.signed();
    let text = String::from_utf8(signed.clone()).unwrap();
    let good = |what: &str, mail: &[u8]| {
        let opened = stage.open(mail);
        assert!(opened.signed_text.is_some(), "{what}: {:?} {:?}", opened.refusals, opened.damage);
        opened
    };
    good("line feeds", text.replace("\r\n", "\n").as_bytes());
    good("no micalg", &swap(&signed, "micalg=pgp-sha512;", ""));
    good("wrong micalg", &swap(&signed, "pgp-sha512", "pgp-md5"));
    good("a boundary with spaces", text.replace("=_sig", "a b").as_bytes());
    let outside = good("preamble and epilogue", format!("{}!buka\r\n", text.replacen("--=_sig\r\n", "!buka\r\n--=_sig\r\n", 1)).as_bytes());
    assert!(!outside.mail.text.full.contains("!buka"));
    let trimmed = swap(&signed, "selesai \u{2014} \r\n", "selesai \u{2014}\r\n");
    stage.refuses(&trimmed, Refusal::BadSignature, "spaces stripped");
    stage.refuses(&swap(&signed, "!tutup\r\n", "!tutup\r"), Refusal::BadSignature, "a bare carriage return");
    let third = swap(&signed, "--=_sig--", "--=_sig\r\n\r\nthird\r\n--=_sig--");
    stage.refuses(&third, Refusal::NotAllSigned, "a third part");
    stage.refuses(&swap(&signed, "--=_sig--", ""), Refusal::NotAllSigned, "no end");
    stage.refuses(&swap(&signed, "application/pgp-signature\"", "application/x-other\""), Refusal::NotAllSigned, "another protocol");
}

#[test]
fn p9_an_encrypted_report_is_read_and_commands_nothing() {
    let stage = Stage::new();
    let mail = stage.gpg.encrypt_sign_mime(None, &[&stage.center], HEADER, ENTITY.as_bytes());
    let opened = stage.refuses(&mail, Refusal::Unsigned, "encrypted alone");
    assert!(opened.mail.text.full.starts_with("!tutup"));
    assert_eq!((opened.findings.is_encrypted, opened.findings.is_decrypted, opened.findings.is_signed), (true, Some(true), false));
}

#[test]
fn p10_a_signature_round_a_ciphertext_proves_nothing() {
    let stage = Stage::new();
    let cipher = stage.gpg.encrypt_sign_mime(None, &[&stage.center], "MIME-Version: 1.0", ENTITY.as_bytes());
    let opened = stage.open(&stage.gpg.sign_mime(&stage.analyst, HEADER, &cipher));
    assert!(opened.signed_text.is_none());
    assert!(opened.refusals.contains(&Refusal::NotAllSigned) && opened.refusals.contains(&Refusal::NotDecrypted));
    assert!(!opened.mail.text.full.contains("!tutup"));
}

#[test]
fn p11_smime_is_never_verified() {
    let stage = Stage::new();
    let mail = format!(
        "{HEADER}Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=s\n\n--s\nContent-Type: text/plain\n\n!tutup\n--s\nContent-Type: application/pkcs7-signature; name=smime.p7s\n\nAAAA\n--s--\n"
    );
    let opened = stage.refuses(mail.as_bytes(), Refusal::Unsigned, "S/MIME");
    assert_eq!(opened.findings.is_valid, None);
}

#[test]
fn p12_others_signatures_neither_help_nor_hinder() {
    let mut stage = Stage::new();
    let other = stage.gpg.new_key("Budi <analyst2@bssn.test>", "future-default");
    let entity = crlf(ENTITY.as_bytes());
    let both = stage.gpg.must(&["--armor", "-u", &stage.analyst, "-u", &other, "--detach-sign"], &entity).out;
    let mail = signed_mail(HEADER, &entity, &both);
    let opened = stage.open(&mail);
    assert_eq!(opened.signed_text.unwrap().signers(), [Fingerprint(stage.analyst.clone())]);
    assert!(opened.damage.iter().any(|damage| damage.code == "signature-ignored"));
    stage.keyring.add(&stage.gpg.export(&other)).unwrap();
    let text = stage.open(&mail).signed_text.unwrap();
    assert_eq!(text.signers().len(), 2);
    // Whoever adds a signature to a mail that was carried out does not make it a new one.
    let alone = signed_mail(HEADER, &entity, &stage.gpg.sign(&stage.analyst, &entity));
    let analyst = Fingerprint(stage.analyst.clone());
    let (alone, text) = (stage.open(&alone).signed_text.unwrap().by(&analyst).unwrap(), text.by(&analyst).unwrap());
    assert_eq!(alone.signed_at() == text.signed_at(), alone.key() == text.key());
    assert_eq!(text.signers(), [analyst]);
}

#[test]
fn p13_keys_that_are_unfit_prove_nothing() {
    let mut stage = Stage::new();
    let weak = stage.gpg.new_key("W <w@x.example>", "rsa1024");
    let revoked = stage.gpg.new_key("R <r@x.example>", "future-default");
    let weak_mail = stage.gpg.sign_mime(&weak, HEADER, ENTITY.as_bytes());
    let revoked_mail = stage.gpg.sign_mime(&revoked, HEADER, ENTITY.as_bytes());
    stage.keyring.add(&stage.gpg.export(&weak)).unwrap();
    stage.keyring.add(&stage.gpg.export(&revoked)).unwrap();
    stage.refuses(&weak_mail, Refusal::UnfitKey, "RSA-1024");
    let dsa = stage.gpg.new_key("D <d@x.example>", "dsa1024");
    let dsa_mail = stage.gpg.sign_mime(&dsa, HEADER, ENTITY.as_bytes());
    stage.keyring.add(&stage.gpg.export(&dsa)).unwrap();
    stage.refuses(&dsa_mail, Refusal::UnfitKey, "DSA-1024");
    // A certificate that nothing but SHA-1 holds together.
    let made =
        stage.gpg.must(&["--cert-digest-algo", "SHA1", "--quick-gen-key", "S <s@x.example>", "future-default", "default", "2y"], b"");
    let bound = made.status.lines().find(|line| line.contains("KEY_CREATED")).unwrap().split_whitespace().last().unwrap().to_owned();
    let bound_mail = stage.gpg.sign_mime(&bound, HEADER, ENTITY.as_bytes());
    stage.keyring.add(&stage.gpg.export(&bound)).unwrap();
    stage.refuses(&bound_mail, Refusal::UnfitKey, "SHA-1 self-signature");
    assert!(stage.open(&revoked_mail).signed_text.is_some());
    let certificate = std::fs::read_to_string(stage.gpg.home().join(format!("openpgp-revocs.d/{revoked}.rev"))).unwrap();
    stage.gpg.import(certificate.replace(":-----BEGIN", "-----BEGIN").as_bytes());
    stage.keyring.add(&stage.gpg.export(&revoked)).unwrap();
    stage.refuses(&revoked_mail, Refusal::UnfitKey, "revoked");
    let entity = crlf(ENTITY.as_bytes());
    let sha1 = stage.gpg.must(&["--armor", "--digest-algo", "SHA1", "-u", &stage.analyst, "--detach-sign"], &entity).out;
    stage.refuses(&signed_mail(HEADER, &entity, &sha1), Refusal::BadSignature, "SHA-1");
    let md5 = stage.gpg.run(&["--armor", "--allow-weak-digest-algos", "--digest-algo", "MD5", "-u", &weak, "--detach-sign"], &entity);
    if md5.ok {
        assert!(stage.open(&signed_mail(HEADER, &entity, &md5.out)).signed_text.is_none(), "MD5");
    }
}

#[test]
fn p14_only_a_fresh_signature_commands() {
    let old = Gpg::new();
    let (mut keyring, _) = keyring(Timestamp::now());
    let born = time(SignedDuration::from_hours(24 * 30));
    let made = old.must(
        &["--faked-system-time", &format!("{born}!"), "--quick-gen-key", "Ani <analyst1@bssn.test>", "future-default", "default", "2y"],
        b"",
    );
    let key = made.status.lines().find(|line| line.contains("KEY_CREATED")).unwrap().split_whitespace().last().unwrap().to_owned();
    keyring.add(&old.export(&key)).unwrap();
    let entity = crlf(ENTITY.as_bytes());
    for (hours, refused) in [(24 * 8, true), (24 * 6, false), (1, false), (-1, true)] {
        let mail = signed_mail(HEADER, &entity, &old.sign_at(&key, &entity, &time(SignedDuration::from_hours(hours))));
        let opened = open(read(&mail), &keyring, Timestamp::now(), LIMIT);
        assert_eq!(opened.refusals.as_slice() == [Refusal::NotFresh], refused, "{hours} h: {:?} {:?}", opened.refusals, opened.damage);
        assert_eq!(opened.signed_text.is_none(), refused, "{hours} h");
    }
}

#[test]
fn c1_the_same_signature_is_known_again_under_other_clothes() {
    let stage = Stage::new();
    let signed = stage.signed();
    let key = |mail: &[u8]| stage.open(mail).signed_text.unwrap().key().clone();
    let first = key(&signed);
    assert_eq!(first, key(&swap(&signed, "MIME-Version: 1.0\r\n", "MIME-Version: 1.0\r\nMessage-ID: <other@x.example>\r\n")));
    assert_eq!(first, key(&swap(&signed, "-----BEGIN PGP SIGNATURE-----\r\n", "-----BEGIN PGP SIGNATURE-----\r\nComment: other\r\n")));
    assert_eq!(first, key(String::from_utf8(signed).unwrap().replace("\r\n", "\n").as_bytes()));
}

#[test]
fn p16_a_text_signature_counts_and_shows_what_was_hashed() {
    let stage = Stage::new();
    let entity = crlf(ENTITY.as_bytes());
    let text = stage.gpg.must(&["--armor", "--textmode", "-u", &stage.analyst, "--detach-sign"], &entity).out;
    let opened = stage.open(&signed_mail(HEADER, &entity, &text));
    assert!(opened.signed_text.is_some(), "{:?} {:?}", opened.refusals, opened.damage);
}

#[test]
fn p26_p27_what_is_protected_counts_and_nothing_else() {
    let stage = Stage::new();
    let other_from = ENTITY.replace("From: analyst1@bssn.test", "From: someone@else.example");
    let opened = stage.refuses(&stage.gpg.sign_mime(&stage.analyst, HEADER, other_from.as_bytes()), Refusal::FromDiffers, "P26");
    assert_eq!(opened.mail.from_one().unwrap().as_str(), "analyst1@bssn.test");
    let unmarked = ENTITY.replace("; protected-headers=\"v1\"", "");
    let opened = stage.open(&stage.gpg.sign_mime(&stage.analyst, HEADER, unmarked.as_bytes()));
    assert_eq!(opened.signed_text.unwrap().protected_subject(), None);
    assert_eq!(opened.mail.subject, "Re: [BANTUAN70-2026-000009] x");
    let plain = format!("{HEADER}{}", ENTITY.replace("Subject: Re: ", "X-Subject: "));
    let opened = stage.refuses(swap(plain.as_bytes(), "From: analyst1@bssn.test\n", "").as_slice(), Refusal::Unsigned, "P27");
    assert_eq!(opened.findings.outer_subject, None);
    let html = "Content-Type: text/html\n\n<p>!tutup</p>\n";
    stage.refuses(&stage.gpg.sign_mime(&stage.analyst, HEADER, html.as_bytes()), Refusal::HtmlOnly, "C10");
}

#[test]
fn p29_hidden_and_mangled_mail_is_opened_all_the_same() {
    let stage = Stage::new();
    let hidden =
        stage.gpg.must(&["--armor", "-u", &stage.analyst, "-R", &stage.center, "--sign", "--encrypt"], &crlf(ENTITY.as_bytes())).out;
    let mail = encrypted_mail(HEADER, &hidden);
    assert!(stage.open(&mail).signed_text.is_some());
    let mangled =
        String::from_utf8(mail).unwrap().replace("multipart/encrypted; protocol=\"application/pgp-encrypted\"", "multipart/mixed");
    assert!(stage.open(mangled.as_bytes()).signed_text.is_some());
    let with_text = mangled.replacen("--=_enc\r\n", "--=_enc\r\nContent-Type: text/plain\r\n\r\n\r\n--=_enc\r\n", 1);
    assert!(stage.open(with_text.as_bytes()).signed_text.is_some());
    let with_words = mangled.replacen("--=_enc\r\n", "--=_enc\r\nContent-Type: text/plain\r\n\r\n!buka\r\n--=_enc\r\n", 1);
    let opened = stage.open(with_words.as_bytes());
    assert!(opened.signed_text.is_none() && !opened.mail.text.full.contains("!tutup"));
}

#[test]
fn p18_ciphertext_beside_other_parts_stays_closed() {
    let stage = Stage::new();
    let message = String::from_utf8(crlf(&stage.gpg.encrypt_sign(None, &[&stage.center], b"rahasia negara"))).unwrap();
    let html = "Content-Type: text/html\r\n\r\n<img src=\"http://evil.example/";
    let sandwich = format!(
        "{}Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n{html}\r\n--m\r\nContent-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=e\r\n\r\n--e\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n--e\r\nContent-Type: application/octet-stream; name=encrypted.asc\r\n\r\n{message}\r\n--e--\r\n--m\r\nContent-Type: text/html\r\n\r\n\">\r\n--m--\r\n",
        crlf_text(HEADER)
    );
    let inline = format!("{}Content-Type: text/plain\r\n\r\nlook:\r\n{message}\r\nmore\r\n", crlf_text(HEADER));
    for mail in [sandwich, inline] {
        let opened = stage.open(mail.as_bytes());
        assert!(opened.signed_text.is_none());
        let shown = format!("{:?} {:?}", opened.mail.text, opened.damage);
        assert!(!shown.contains("rahasia"), "{shown}");
    }
    let alone = format!("{}Content-Type: text/plain\r\n\r\n{message}", crlf_text(HEADER));
    let opened = stage.open(alone.as_bytes());
    assert_eq!(opened.mail.text.full.trim(), "rahasia negara");
    assert_eq!(opened.findings.is_decrypted, Some(true));
}

#[test]
fn p4_a_certificate_that_comes_along_is_a_candidate_and_commands_nothing() {
    let stage = Stage::new();
    let eve = Gpg::new();
    let key = eve.new_key("Ani <analyst1@bssn.test>", "future-default");
    eve.import(&stage.keyring.own().unwrap().armored());
    let armored = String::from_utf8(eve.export(&key)).unwrap();
    let attached = format!(
        "Content-Type: multipart/mixed; boundary=k\n\n--k\nContent-Type: text/plain\n\n!tutup\n--k\nContent-Type: application/pgp-keys\nContent-Disposition: attachment; filename=key.asc\n\n{armored}\n--k--\n"
    );
    let signed = eve.sign_mime(&key, HEADER, attached.as_bytes());
    let encrypted = eve.encrypt_sign_mime(Some(&key), &[&stage.center], HEADER, attached.as_bytes());
    for mail in [signed, encrypted] {
        let opened = stage.refuses(&mail, Refusal::UnknownSigner, "carried");
        assert_eq!(opened.findings.carried, [Fingerprint(key.clone())]);
        assert_eq!(opened.findings.carried_signer, Some(Fingerprint(key.clone())));
        assert_eq!(opened.findings.is_valid, Some(false));
        assert_eq!(opened.carried[0].fingerprint().0, key);
    }
    // Another's certificate that is only attached made nothing.
    let unsigned = format!("{HEADER}{attached}");
    let opened = stage.refuses(unsigned.as_bytes(), Refusal::Unsigned, "attached");
    assert_eq!((opened.findings.carried.len(), opened.findings.carried_signer), (1, None));
}

#[test]
fn an_encrypted_file_is_opened_by_itself() {
    let stage = Stage::new();
    let message = String::from_utf8(stage.gpg.encrypt_sign(None, &[&stage.center], b"isi berkas")).unwrap();
    let mail = format!(
        "{HEADER}Content-Type: multipart/mixed; boundary=k\n\n--k\nContent-Type: text/plain\n\nterlampir\n--k\nContent-Type: application/octet-stream\nContent-Disposition: attachment; filename=laporan.docx.asc\n\n{message}\n--k--\n"
    );
    let opened = stage.open(mail.as_bytes());
    assert_eq!(opened.opened_files.len(), 1);
    assert_eq!((opened.opened_files[0].name.as_str(), &*opened.opened_files[0].content), ("laporan.docx", b"isi berkas".as_slice()));
    assert!(!opened.mail.text.full.contains("berkas") && !format!("{:?}", opened.damage).contains("berkas"));
}

#[test]
fn p5_no_other_program_is_asked_about_signatures() {
    let mut folders = vec![std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                files += 1;
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(!text.contains(concat!("Command::new(\"g", "pg")), "{}", path.display());
            }
        }
    }
    assert!(files > 50);
}
