//! Commands that gpg signed. What is not proved, or not bound to one ticket, moves nothing and is answered with
//! the reason, encrypted; what is proved acts.

use super::center::{Center, Receipt, analyst_header, entity, fresh_id, time};
use crate::harness::gpg::{crlf, signed_mail};
use jiff::SignedDuration;

/// The part of a signed mail that stands below its outer header, `Content-Type` first.
fn signed_part(mail: &[u8]) -> String {
    let text = String::from_utf8(mail.to_vec()).unwrap();
    text.split_once("MIME-Version: 1.0\r\n").unwrap().1.to_owned()
}

/// A mail of analyst1 with `body` below the outer header.
fn outside(subject: &str, body: &str) -> (String, Vec<u8>) {
    let id = fresh_id();
    (id.clone(), crlf(format!("{}{body}", analyst_header(1, subject, &id)).as_bytes()))
}

/// The receipt says so, and nothing of the ticket moved.
fn moves_nothing(center: &Center, number: &str, what: &str, mail: (String, Vec<u8>), says: &[&str]) -> Receipt {
    let before = center.standing(number);
    let receipt = center.ask(1, mail);
    receipt.says(says);
    assert_eq!(center.standing(number), before, "{what}");
    receipt
}

#[test]
fn p1_p2_p3_p6_p8_p14_c1_what_is_not_proved_moves_nothing_and_is_answered() {
    let center = Center::new();
    let _daemon = center.start();
    let number = center.open_ticket("pelapor@warga.example", "Situs diretas");
    let orders = format!("!tiket {number}\n!tutup\n");
    let plain = format!("Content-Type: text/plain; charset=utf-8\n\n{orders}canary-rahasia\n");
    let (_, good) = center.signed(1, "perintah", None, &orders);
    let part = signed_part(&good);
    let mixed = |subtype: &str, first: &str, last: &str| {
        let around = |text: &str| if text.is_empty() { String::new() } else { format!("--m\n{text}\n") };
        format!("Content-Type: multipart/{subtype}; boundary=m\n\n{}--m\n{part}\n{}--m--\n", around(first), around(last))
    };
    let clear = center.gpg.must(&["-u", &center.analysts[0], "--clearsign"], orders.as_bytes()).out;
    let inline = format!("Content-Type: text/plain; charset=utf-8\n\n{}", String::from_utf8(clear).unwrap());
    let footer = "Content-Type: text/plain\n\n-- \nmilis internal, berhenti: milis-leave@bssn.test";
    let html = "Content-Type: text/html\n\n<p>!tutup<div style='display:none'>";
    let attached = format!(
        "Content-Type: multipart/mixed; boundary=q\n\n--q\nContent-Type: text/plain\n\n!tutup\n--q\nContent-Type: message/rfc822\n\n{}\n--q--\n",
        String::from_utf8(good.clone()).unwrap()
    );
    let not_all = "tidak seluruh surel bertanda tangan";
    for (what, body, says) in [
        ("unsigned", plain.clone(), "surel tidak bertanda tangan OpenPGP"),
        ("P1 words outside the signed part", mixed("mixed", plain.trim_end(), ""), not_all),
        ("P2 HTML round the signed part", mixed("related", html, ""), not_all),
        ("P2 signed mail as attachment", attached, not_all),
        ("P6 inline cleartext", inline, "inline PGP"),
        ("P8 a mailing list's footer", mixed("mixed", "", footer), not_all),
    ] {
        let receipt = moves_nothing(&center, &number, what, outside(&format!("Re: [{number}] {what}"), &body), &[says, "YANG TERBACA"]);
        assert!(!receipt.text.contains("canary-rahasia"), "{what}: the text goes nowhere");
    }

    // P3: the other analyst's signature under the first one's name.
    let id = fresh_id();
    let entity1 = entity(1, None, &orders);
    let forged = center.gpg.sign_mime(&center.analysts[1], &analyst_header(1, "perintah", &id), entity1.as_bytes());
    moves_nothing(&center, &number, "P3", (id, forged), &["tanda tangan dibuat oleh", &center.analysts[1], &center.analysts[0]]);

    // P14: signed eight days ago.
    let (id, entity1) = (fresh_id(), crlf(entity1.as_bytes()));
    let old = center.gpg.sign_at(&center.analysts[0], &entity1, time(SignedDuration::from_hours(8 * 24)).trim_end_matches('!'));
    let old = signed_mail(&analyst_header(1, "perintah", &id), &entity1, &old);
    moves_nothing(&center, &number, "P14", (id, old), &["7 hari yang lalu"]);

    // C1: what was carried out once is sent again under another Message-ID and other outer fields.
    let (id, once) = center.signed(1, "perintah", None, &format!("!tiket {number}\n!prioritas kritis\n"));
    let part = signed_part(&once);
    center.ask(1, (id, once)).says(&["kritis"]);
    center.order(&format!("!tiket {number}\n!prioritas rendah\n"));
    moves_nothing(&center, &number, "C1", outside(&format!("[{number}] lagi"), &part), &["sudah pernah diterima"]);
    assert_eq!(center.standing(&number)["priority"], "low");
    center.audit();
}

#[test]
fn c2_c7_c9_what_is_not_bound_to_one_ticket_or_not_understood_moves_nothing() {
    let center = Center::new();
    let _daemon = center.start();
    let (one, two) = (center.open_ticket("a@warga.example", "Situs diretas"), center.open_ticket("b@warga.example", "Situs diretas"));
    let none = "tidak ada nomor tiket dalam bagian bertanda tangan";
    let outer = format!("Re: [{one}] Pemberitahuan");
    for (what, protected, text, says) in [
        ("number only in the outer subject", None, "!tutup\n".to_owned(), none),
        ("C2 a note to a colleague", Some("makan siang"), "!valid\n\nSampai nanti.\n".to_owned(), none),
        ("C7 two numbers and no protected subject", None, format!("!tutup\n\nDuplikat {one} dan {two}.\n"), "lebih dari satu nomor tiket"),
        ("C9 one wrong among good", None, format!("!tiket {one}\n!valid\n!prioritas tinggi\n!tutpu\n"), "!tutpu → perintah tidak dikenal"),
        ("C9 a wrong argument", None, format!("!tiket {one}\n!valid\n!kategori phising\n"), "isiannya tidak sesuai"),
        ("C11 a look-alike", None, format!("！tutup\n{one}\n"), "hanya mirip tanda seru"),
        ("C12 a command below the text", None, format!("!tiket {one}\n!catat\nsudah saya telepon\n!tutup\n"), "di bawah teks"),
        ("no such ticket", None, "!tiket BANTUAN70-2026-009999\n!tutup\n".to_owned(), "tidak ada"),
    ] {
        let other = center.standing(&two);
        let mail = center.signed(1, &outer, protected, &text);
        moves_nothing(&center, &one, what, mail, &[says, "Tidak satu pun perintah dalam surel ini dijalankan"]);
        assert_eq!(center.standing(&two), other, "{what}");
    }
    // Nothing of all this went to a reporter.
    center.wait_quiet();
    assert_eq!(center.written_to().len(), 2, "{:?}", center.written_to());
}

#[test]
fn c8_p7_p9_good_commands_act_in_each_form_and_the_receipt_is_encrypted() {
    let center = Center::new();
    let _daemon = center.start();
    let (one, two) = (center.open_ticket("a@warga.example", "Situs diretas"), center.open_ticket("b@warga.example", "Situs diretas"));
    let other = center.standing(&two);

    // C8: the outer subject names the other ticket and moves nothing.
    let mail = center.signed(1, &format!("Re: [{two}] x"), None, &format!("!tiket {one}\n!valid\n!prioritas tinggi\n"));
    let receipt = center.ask(1, mail);
    receipt.says(&["!valid → dinyatakan valid", "!prioritas tinggi → tinggi", &format!("menyebut {two}; itu tidak berpengaruh")]);
    assert!(receipt.subject.starts_with(&format!("[{one}] ")), "{}", receipt.subject);
    let ticket = center.standing(&one);
    assert_eq!((&ticket["state"], &ticket["priority"]), (&"analysing".into(), &"high".into()));
    assert_eq!((&ticket["clocks"][0]["state"], &ticket["clocks"][1]["state"]), (&"met".into(), &"running".into()));

    // The tag in the protected subject is enough.
    let mail = center.signed(2, "perintah", Some(&format!("Re: [{one}] Pemberitahuan")), "!petugas me\n");
    center.ask(2, mail).says(&["petugas: analyst2@bssn.test"]);
    assert_eq!(center.standing(&one)["assignee"], "analyst2@bssn.test");

    // P7: what stands outside the boundaries is neither shown nor parsed.
    let (id, mail) = center.signed(1, "perintah", None, &format!("!tiket {one}\n!kategori malware\n"));
    let mail = String::from_utf8(mail).unwrap().replacen("--=_sig\r\n", "!tutup\r\n--=_sig\r\n", 1) + "!tutup\r\n";
    center.ask(1, (id, mail.into_bytes())).says(&["!kategori malware → perangkat perusak"]);

    // Encrypted and signed, RFC 3156 §6.2 (combined) and §6.1 (signed inside).
    let recipients = [center.fingerprint.as_str()];
    let (id, wanted) = (fresh_id(), entity(1, None, &format!("!tiket {one}\n!kategori phishing\n")));
    let header = analyst_header(1, "...", &id);
    let combined = center.gpg.encrypt_sign_mime(Some(&center.analysts[0]), &recipients, &header, wanted.as_bytes());
    center.ask(1, (id, combined)).says(&["!kategori phishing → pengelabuan"]);
    let (id, wanted) = (fresh_id(), entity(1, None, &format!("!tiket {one}\n!prioritas kritis\n")));
    let header = analyst_header(1, "...", &id);
    let inside = center.gpg.sign_mime(&center.analysts[0], "MIME-Version: 1.0", wanted.as_bytes());
    let nested = center.gpg.encrypt_sign_mime(None, &recipients, &header, &inside);
    center.ask(1, (id, nested)).says(&["!prioritas kritis → kritis"]);
    let ticket = center.standing(&one);
    assert_eq!((&ticket["category"], &ticket["priority"], &ticket["state"]), (&"phishing".into(), &"critical".into(), &"analysing".into()));

    // P9: encrypted alone is no proof.
    let id = fresh_id();
    let header = analyst_header(1, "...", &id);
    let unsigned = center.gpg.encrypt_sign_mime(None, &recipients, &header, entity(1, None, &format!("!tiket {one}\n!tutup\n")).as_bytes());
    moves_nothing(&center, &one, "P9", (id, unsigned), &["surel tidak bertanda tangan OpenPGP"]);
    assert_eq!(center.standing(&two), other);

    // Each receipt came sealed to its analyst alone (and the centre, which keeps none of the keys).
    for letter in center.letters("analyst1") {
        assert!(letter.header("Content-Type").unwrap().starts_with("multipart/encrypted"), "{}", letter.mail.subject);
    }
}

#[test]
fn d8_a_reply_ends_at_the_quotation_and_amber_needs_a_certificate() {
    let center = Center::new();
    let _daemon = center.start();
    let number = center.open_ticket("pelapor@warga.example", "Situs diretas");
    let text = format!(
        "!tiket {number}\n!balas\nMohon kirim catatan log server.\n\nTerima kasih.\n\nPada Sel, 24 Nov 2026 pukul 09.00 Bantuan70 <bantuan70@bssn.test> menulis:\n> -- balas di atas garis ini / reply above this line --\n> !tutup\n> canary-kutipan\n"
    );
    let receipt = center.order(&text);
    receipt.says(&["TEPAT YANG DIKIRIM", "Mohon kirim catatan log server."]);
    assert!(!receipt.text.contains("canary-kutipan"), "{}", receipt.text);
    let words = "Mohon kirim catatan log server.";
    let letter = center.wait_mail("pelapor@warga.example", "the reply", |letter| letter.mail.text.full.contains(words));
    assert!(!letter.mail.text.full.contains("canary-kutipan") && !letter.mail.text.full.contains("!tutup"), "{}", letter.mail.text.full);
    assert_eq!(letter.header("Auto-Submitted"), None, "an analyst wrote it");
    assert_eq!(center.standing(&number)["state"], "awaiting_reporter");

    // Above GREEN the words leave encrypted or, by the analyst's word, in the clear; never by oversight.
    center.order(&format!("!tiket {number}\n!tlp AMBER\n"));
    let before = center.letters("pelapor@warga.example").len();
    let refused = center.signed(1, "perintah", None, &format!("!tiket {number}\n!balas\ncanary-amber\n"));
    moves_nothing(&center, &number, "AMBER", refused, &["TLP:AMBER", "!terbuka"]);
    center.order(&format!("!tiket {number}\n!terbuka\n!balas\nBoleh dibaca umum.\n"));
    center.wait_mail("pelapor@warga.example", "the free reply", |letter| letter.mail.text.full.contains("Boleh dibaca umum."));
    let after = center.letters("pelapor@warga.example");
    assert_eq!(after.len(), before + 1);
    assert!(after.iter().all(|letter| !letter.mail.text.full.contains("canary-amber")));
}
