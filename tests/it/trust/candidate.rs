//! The key that came with a report: what answers are encrypted to, and what it is not good for.

use super::{PASSES, Play, TRUSTED, note, notice};
use bantuan70::cli::demo::stage::{Actor, Note, Received};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};

fn report() -> Note {
    note("Situs kami diretas", "Halaman depan situs kami diganti orang.")
}

/// How the letter of that kind to joko went out.
fn protection<'l>(letters: &'l [Received], kind: &str) -> &'l str {
    let is_meant = |letter: &&Received| letter.to.as_str() == "joko@kantor.example" && letter.message_id.starts_with(&format!("{kind}."));
    let letter = letters.iter().find(is_meant).unwrap_or_else(|| panic!("joko gets no {kind}"));
    letter.protection
}

fn replies(play: &mut Play) -> Vec<Received> {
    play.commands("!tiket BANTUAN70-2026-000001\n!balas\nKami sudah memeriksa.")
}

#[test]
fn p4_answers_are_encrypted_to_the_key_that_signed_the_report() {
    let mut play = Play::new("");
    play.bring_with_key("joko", "joko@kantor.example");
    let fingerprint = play.stage.actor("joko").unwrap().fingerprint.clone().unwrap();
    let letters = play.signs("joko", &report());
    assert!(
        notice(&letters).contains("CALON KUNCI, BELUM DIVERIFIKASI") && notice(&letters).contains(&fingerprint.0),
        "{}",
        notice(&letters)
    );
    assert_eq!(protection(&letters, "acknowledgement"), "signed");
    let letters = replies(&mut play);
    assert_eq!(protection(&letters, "reply"), "encrypted");
    let reply = letters.iter().find(|letter| letter.message_id.starts_with("reply.")).unwrap();
    assert!(reply.text.contains("Kami sudah memeriksa.") && !reply.outer_subject.contains("diretas"), "{reply:?}");
    let receipt = letters.iter().find(|letter| letter.message_id.starts_with("receipt.")).unwrap();
    assert!(receipt.text.contains("belum diverifikasi"), "{}", receipt.text);
    let letters = play.commands("!tiket BANTUAN70-2026-000001\n!tlp AMBER\n!analisis\nPenyerang masuk lewat plugin lama.");
    assert_eq!(protection(&letters, "analysis"), "encrypted");
    assert_eq!(protection(&play.commands("!tiket BANTUAN70-2026-000001\n!tutup"), "closing"), "signed");
    // The key of one ticket is not the key of another.
    play.writes("joko", &note("Situs lain diretas", "Halaman depan situs kami yang lain diganti orang."));
    let letters = play.commands("!tiket BANTUAN70-2026-000002\n!balas\nKami sudah memeriksa.");
    assert_eq!(protection(&letters, "reply"), "signed");
}

#[test]
fn p4_a_key_that_did_not_sign_the_mail_is_no_candidate() {
    let mut play = Play::new("");
    play.bring_with_key("joko", "joko@kantor.example");
    let raw = play.raw("joko", &report());
    let fields = bantuan70::mail::read::read(&raw).0.header_values("Autocrypt").count();
    assert_eq!(fields, 1, "the key comes along");
    let letters = play.post(&raw);
    assert!(!notice(&letters).contains("CALON KUNCI"));
    assert_eq!(protection(&replies(&mut play), "reply"), "signed");
}

#[test]
fn p4_p10_a_signature_round_anothers_ciphertext_brings_no_key() {
    let mut play = Play::at(Timestamp::now() + SignedDuration::from_mins(1), "");
    play.bring_with_key("joko", "joko@kantor.example");
    play.bring_with_key("siti", "siti@warga.example");
    let sealed = String::from_utf8(play.sealed("siti", &report())).unwrap();
    let entity = &sealed[sealed.find("Content-Type: multipart/encrypted").unwrap()..];
    // Joko's mail carries and is signed by his key; its one signed part is siti's ciphertext.
    let gpg = crate::harness::gpg::Gpg::new();
    let key = gpg.new_key("Joko <joko@kantor.example>", "future-default");
    let keydata = STANDARD.encode(gpg.must(&["--export", &key], b"").out);
    let lines: Vec<&str> = keydata.as_bytes().chunks(70).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let autocrypt = format!("Autocrypt: addr=joko@kantor.example; keydata={}", lines.join("\n "));
    let header = format!("From: joko@kantor.example\nMessage-ID: <r.1@kantor.example>\nSubject: x\n{autocrypt}\nMIME-Version: 1.0");
    let signed = gpg.sign_mime(&key, &header, entity.as_bytes());
    let opened = play.stage.daemon.bench().reader.prepare(&signed, play.stage.clock.now()).opened;
    assert_eq!(opened.findings.carried_signer.as_ref().map(|signer| signer.0.as_str()), Some(key.as_str()), "{:?}", opened.damage);
    play.post(&signed);
    assert!(play.stage.daemon.store.candidate(&play.ticket(1).number).unwrap().is_none());
    assert_eq!(protection(&replies(&mut play), "reply"), "signed");
}

#[test]
fn p4_a_pinned_certificate_stays_before_any_key_that_comes_along() {
    let mut play = Play::new("");
    play.bring_with_key("joko", "joko@kantor.example");
    let other = Actor::with_key("Joko di kantor", "joko@kantor.example", play.stage.clock.now()).unwrap();
    play.contact("joko@kantor.example", &other.certificate().unwrap());
    let letters = play.signs("joko", &report());
    assert!(notice(&letters).contains("tidak dipakai: sudah ada sertifikat"), "{}", notice(&letters));
    let now = play.stage.clock.now();
    let raw = replies(&mut play).into_iter().find(|letter| letter.message_id.starts_with("reply.")).unwrap().raw;
    assert!(other.reads(&raw, now).text.contains("Kami sudah memeriksa."));
}

#[test]
fn p4_a_later_mail_brings_a_key_only_from_a_sender_that_is_proved_and_replaces_none() {
    let mut play = Play::new(TRUSTED);
    play.bring("joko", "joko@kantor.example");
    play.writes("joko", &report());
    // Somebody who forges joko's address and hopes for an answer that joko cannot read.
    play.bring_with_key("palsu", "joko@kantor.example");
    let follow = note("Re: [BANTUAN70-2026-000001] Laporan", "Ini kunci saya.");
    let letters = play.signs("palsu", &follow);
    assert!(notice(&letters).contains("tidak dipakai, karena kebenaran pengirimnya"), "{}", notice(&letters));
    assert_eq!(protection(&replies(&mut play), "reply"), "signed");
    let proved = |raw: Vec<u8>| [format!("{PASSES}\r\n").into_bytes(), raw].concat();
    play.bring_with_key("asli", "joko@kantor.example");
    let raw = proved(play.signed("asli", &follow));
    assert!(notice(&play.post(&raw)).contains("CALON KUNCI"));
    let raw = proved(play.signed("palsu", &follow));
    assert!(notice(&play.post(&raw)).contains("KUNCI LAIN"));
    let now = play.stage.clock.now();
    let raw = replies(&mut play).into_iter().find(|letter| letter.message_id.starts_with("reply.")).unwrap().raw;
    assert!(play.stage.actor("asli").unwrap().reads(&raw, now).text.contains("Kami sudah memeriksa."));
}

#[test]
fn p4_l14_a_verdict_forged_in_the_envelope_address_brings_no_key() {
    let mut play = Play::new(TRUSTED);
    play.bring("joko", "joko@kantor.example");
    play.writes("joko", &report());
    play.bring_with_key("palsu", "joko@kantor.example");
    let follow = note("Re: [BANTUAN70-2026-000001] Laporan", "Ini kunci saya.");
    let field = r#"Authentication-Results: mx.bssn.test; spf=pass smtp.mailfrom="a; dmarc=pass; b"@evil.example"#;
    let raw = [format!("{field}\r\n").into_bytes(), play.signed("palsu", &follow)].concat();
    let letters = play.post(&raw);
    assert!(notice(&letters).contains("tidak dipakai, karena kebenaran pengirimnya"), "{}", notice(&letters));
    assert_eq!(protection(&replies(&mut play), "reply"), "signed");
}

#[test]
fn p4_above_amber_no_later_mail_brings_a_key_even_from_a_proved_sender() {
    for mark in ["RED", "AMBER+STRICT"] {
        let mut play = Play::new(TRUSTED);
        play.bring("joko", "joko@kantor.example");
        play.writes("joko", &report());
        play.commands(&format!("!tiket BANTUAN70-2026-000001\n!tlp {mark}"));
        play.bring_with_key("asli", "joko@kantor.example");
        let follow = note("Re: [BANTUAN70-2026-000001] Laporan", "Ini kunci saya.");
        let raw = [format!("{PASSES}\r\n").into_bytes(), play.signed("asli", &follow)].concat();
        let letters = play.post(&raw);
        assert!(notice(&letters).contains("harus dicatat oleh petugas"), "{}", notice(&letters));
        let letters = replies(&mut play);
        assert!(letters.iter().all(|letter| !letter.message_id.starts_with("reply.")), "{mark}: nothing is sealed to it");
    }
}

/// The rule holds when the key is used as well as when it came: a mark that rises since ends its use, for what is
/// written then and for what waits to leave.
#[test]
fn p4_a_later_key_is_not_used_once_the_mark_has_risen_above_amber() {
    let reads = |play: &Play, letters: &[Received]| {
        let now = play.stage.clock.now();
        let replies = letters.iter().filter(|letter| letter.message_id.starts_with("reply."));
        replies.map(|letter| play.stage.actor("asli").unwrap().reads(&letter.raw, now).text).collect::<String>()
    };
    for mark in ["RED", "AMBER+STRICT"] {
        let mut play = Play::new(TRUSTED);
        play.bring("joko", "joko@kantor.example");
        play.writes("joko", &report());
        play.bring_with_key("asli", "joko@kantor.example");
        let follow = note("Re: [BANTUAN70-2026-000001] Laporan", "Ini kunci saya.");
        let raw = [format!("{PASSES}\r\n").into_bytes(), play.signed("asli", &follow)].concat();
        assert!(notice(&play.post(&raw)).contains("CALON KUNCI"));
        let letters = play.commands_of("!tlp AMBER\n!balas\nDi bawah AMBER.");
        assert!(reads(&play, &letters).contains("Di bawah AMBER."));
        // One is decided on, and the mark rises before it leaves.
        play.decides("!tiket BANTUAN70-2026-000001\n!balas\nYang menunggu.");
        let letters = play.commands_of(&format!("!tlp {mark}"));
        assert_eq!(reads(&play, &letters), "", "{mark}");
        assert!(notice_of(&letters, "tandanya sejak itu naik").contains("!terbuka"), "{mark}");
        let letters = replies(&mut play);
        assert_eq!(reads(&play, &letters), "", "{mark}");
        let receipt = letters.iter().find(|letter| letter.message_id.starts_with("receipt.")).unwrap();
        assert!(receipt.text.contains("ikut dalam surel susulan dan tidak dipakai"), "{}", receipt.text);
        // The same mail that sets the mark is bound by it.
        play.commands_of("!tlp GREEN");
        let letters = play.commands_of(&format!("!balas\n!tlp {mark}\nSerentak."));
        assert_eq!(reads(&play, &letters), "", "{mark}");
    }
    // Who wrote the report has the key that came with it, whatever the mark.
    let mut play = Play::new(TRUSTED);
    play.bring_with_key("asli", "joko@kantor.example");
    play.signs("asli", &report());
    play.commands_of("!tlp RED");
    let letters = replies(&mut play);
    assert!(reads(&play, &letters).contains("Kami sudah memeriksa."));
}

fn notice_of<'l>(letters: &'l [Received], what: &str) -> &'l str {
    let is_meant = |letter: &&Received| letter.message_id.starts_with("notice.") && letter.text.contains(what);
    letters.iter().find(is_meant).map_or_else(|| panic!("nobody was told: {what}"), |letter| &letter.text)
}
