//! Commands as the mail programs write them: the structure of what Thunderbird, K-9, GPGMail, Mutt
//! and Enigmail send, signed and encrypted by gpg. Each must be understood, with its true subject.

use super::incoming::Stage;
use crate::harness::gpg::{Gpg, crlf};
use bantuan70::model::Fingerprint;
use bantuan70::openpgp::open::Opened;

const TRUE_SUBJECT: &str = "Re: [BANTUAN70-2026-000001] Laporan baru";

/// The outer header of each program: clear where it only signs, neutral where it encrypts.
fn header(subject: &str) -> String {
    format!(
        "Message-ID: <a1b2@bssn.test>\nDate: Tue, 24 Nov 2026 10:00:00 +0700\nUser-Agent: Mozilla Thunderbird\nFrom: Ani <analyst1@bssn.test>\nTo: bantuan70@bssn.test\nSubject: {subject}\nMIME-Version: 1.0"
    )
}

const BODY: &str = "!tiket BANTUAN70-2026-000001\n!status\n\nTerima kasih,\nAni\n\nOn 24/11/26 09:12, Pusat Kontak wrote:\n> !tutup\n";

/// The fields that Thunderbird copies to the inner header.
fn protected() -> String {
    format!("From: Ani <analyst1@bssn.test>\nTo: bantuan70@bssn.test\nMessage-ID: <a1b2@bssn.test>\nSubject: {TRUE_SUBJECT}\n")
}

/// Thunderbird 78 to 128: a mixed part with protected headers, the text inside, its own key beside it.
fn thunderbird(key: &[u8]) -> String {
    let key = String::from_utf8(key.to_vec()).unwrap().replace("\r\n", "\n");
    format!(
        "Content-Type: multipart/mixed; boundary=\"------------lUar\";\n protected-headers=\"v1\"\n{}\n--------------lUar\nContent-Type: multipart/mixed; boundary=\"------------dALam\"\n\n--------------dALam\nContent-Type: text/plain; charset=UTF-8; format=flowed\nContent-Transfer-Encoding: base64\n\n{}\n--------------dALam\nContent-Type: application/pgp-keys; name=\"OpenPGP_0x0123456789ABCDEF.asc\"\nContent-Disposition: attachment; filename=\"OpenPGP_0x0123456789ABCDEF.asc\"\nContent-Description: OpenPGP public key\nContent-Transfer-Encoding: quoted-printable\n\n{}\n--------------dALam--\n\n--------------lUar--\n",
        protected(),
        base64(&crlf(BODY.as_bytes())),
        key.replace('=', "=3D"),
    )
}

/// Text as lines of base64; gpg is not asked for this, so that the fixture is not made by what it tests.
fn base64(bytes: &[u8]) -> String {
    let output = std::process::Command::new("base64")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .and_then(|mut child| {
            std::io::Write::write_all(&mut child.stdin.take().unwrap(), bytes)?;
            child.wait_with_output()
        })
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// RFC 9788 §11: the text part itself bears `hp`, the outer fields are listed, the subject is repeated for old programs.
fn rfc9788(hp: &str) -> String {
    let outer = if hp == "cipher" {
        "HP-Outer: From: Ani <analyst1@bssn.test>\nHP-Outer: To: bantuan70@bssn.test\nHP-Outer: Subject: [...]\n"
    } else {
        ""
    };
    let (legacy, display) =
        if hp == "cipher" { ("; hp-legacy-display=\"1\"", format!("Subject: {TRUE_SUBJECT}\n\n")) } else { ("", String::new()) };
    format!("Content-Type: text/plain; charset=utf-8; hp=\"{hp}\"{legacy}\n{}{outer}\n{display}{BODY}", protected())
}

/// Enigmail: the subject once more in a part of its own, for programs that do not know protected headers.
fn enigmail() -> String {
    format!(
        "Content-Type: multipart/mixed; boundary=\"e\";\n protected-headers=\"v1\"\n{}\n--e\nContent-Type: text/rfc822-headers; protected-headers=\"v1\"\nContent-Disposition: inline\n\nSubject: {TRUE_SUBJECT}\n\n--e\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\nContent-Language: id-ID\n\n{}\n--e--\n",
        protected(),
        BODY.replace("tiket BANTUAN70", "tiket BANTUAN=\n70"),
    )
}

/// Mutt, Claws, KMail and `gpg` by hand: a text part and nothing protected.
fn plain() -> String {
    format!("Content-Type: text/plain; charset=us-ascii\nContent-Disposition: inline\n\n{BODY}")
}

/// What each must come to: the analyst's words, encrypted or not, and the subject where it was protected.
fn understood(stage: &Stage, what: &str, mail: &[u8], subject: Option<&str>, is_encrypted: bool) -> Opened {
    let opened = stage.open(mail);
    assert_eq!(opened.refusals, [], "{what}: {:?}", opened.damage);
    let signed = opened.signed_text.as_ref().unwrap_or_else(|| panic!("{what} does not command"));
    assert_eq!(signed.signers(), [Fingerprint(stage.analyst.clone())], "{what}");
    let text = signed.text().replace("\r\n", "\n");
    assert!(text.trim_start().starts_with("!tiket BANTUAN70-2026-000001\n!status"), "{what}: {text}");
    assert_eq!(signed.protected_subject(), subject, "{what}");
    assert_eq!(signed.is_encrypted(), is_encrypted, "{what}");
    opened
}

#[test]
fn signed_commands_of_each_program_are_understood() {
    let stage = Stage::new();
    let clear = header(TRUE_SUBJECT);
    let sign = |entity: &str| stage.gpg.sign_mime(&stage.analyst, &clear, entity.as_bytes());
    let with_key = sign(&thunderbird(&stage.gpg.export(&stage.analyst)));
    // Thunderbird writes a sentence before the first boundary.
    let with_preamble = {
        let text = String::from_utf8(with_key.clone()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        format!("{head}\r\n\r\nThis is an OpenPGP/MIME signed message (RFC 4880 and 3156)\r\n{body}").into_bytes()
    };
    for (what, mail, subject) in [
        ("Thunderbird", with_key, Some(TRUE_SUBJECT)),
        ("Thunderbird with its preamble", with_preamble, Some(TRUE_SUBJECT)),
        ("RFC 9788", sign(&rfc9788("clear")), Some(TRUE_SUBJECT)),
        ("Enigmail", sign(&enigmail()), Some(TRUE_SUBJECT)),
        ("Mutt", sign(&plain()), None),
    ] {
        let opened = understood(&stage, what, &mail, subject, false);
        assert_eq!(opened.mail.subject, TRUE_SUBJECT, "{what}");
    }
}

#[test]
fn encrypted_commands_of_each_program_are_understood_with_the_subject_inside() {
    let stage = Stage::new();
    let outside = header("...");
    let signer = Some(stage.analyst.as_str());
    let to = [stage.center.as_str(), stage.analyst.as_str()];
    let combined = |entity: &str| stage.gpg.encrypt_sign_mime(signer, &to, &outside, entity.as_bytes());
    // RFC 3156 §6.1: the signed mail as a whole inside, as GPGMail and K-9 do.
    let nested = |entity: &str| {
        let inside = stage.gpg.sign_mime(&stage.analyst, "MIME-Version: 1.0", entity.as_bytes());
        stage.gpg.encrypt_sign_mime(None, &to, &outside, &inside)
    };
    let key = stage.gpg.export(&stage.analyst);
    for (what, mail, subject) in [
        ("Thunderbird", combined(&thunderbird(&key)), Some(TRUE_SUBJECT)),
        ("RFC 9788", combined(&rfc9788("cipher")), Some(TRUE_SUBJECT)),
        ("Enigmail", combined(&enigmail()), Some(TRUE_SUBJECT)),
        ("Mutt", combined(&plain()), None),
        ("K-9", nested(&thunderbird(&key)), Some(TRUE_SUBJECT)),
        ("GPGMail", nested(&plain()), None),
    ] {
        let opened = understood(&stage, what, &mail, subject, true);
        assert_eq!(opened.mail.subject, subject.unwrap_or("..."), "{what}");
        let outer = String::from_utf8_lossy(&mail);
        assert!(!outer.contains("Laporan baru"), "{what}: the fixture itself hides its subject");
    }
}

/// A header that somebody put round the ciphertext on its way moves nothing: the one inside counts.
#[test]
fn the_subject_outside_of_an_encrypted_mail_moves_nothing() {
    let stage = Stage::new();
    let outside = header("Re: [BANTUAN70-2026-000777] lain");
    let mail = stage.gpg.encrypt_sign_mime(Some(&stage.analyst), &[&stage.center], &outside, rfc9788("cipher").as_bytes());
    let opened = understood(&stage, "changed on its way", &mail, Some(TRUE_SUBJECT), true);
    assert_eq!(opened.findings.outer_subject.as_deref(), Some("Re: [BANTUAN70-2026-000777] lain"));
}

/// The key that Thunderbird encloses is the analyst's own or a forger's: it commands nothing by itself.
#[test]
fn p4_a_forged_key_enclosed_in_thunderbirds_way_commands_nothing() {
    let stage = Stage::new();
    let eve = Gpg::new();
    let forged = eve.new_key("Ani <analyst1@bssn.test>", "future-default");
    let entity = thunderbird(&eve.export(&forged));
    let opened = stage.open(&eve.sign_mime(&forged, &header(TRUE_SUBJECT), entity.as_bytes()));
    assert!(opened.signed_text.is_none());
    assert_eq!(opened.findings.is_valid, Some(false));
}
