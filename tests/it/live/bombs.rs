//! Mail that unfolds to far more than it is, among mail of people: every person is answered, the daemon stays
//! small, and each bomb is a ticket whose analyst is told what is wrong with it.

use super::center::{ADDRESS, Center, fresh_id};
use crate::harness::gpg::crlf;
use base64::Engine as _;
use std::fs;
use std::io::{Cursor, Write as _};

/// What one bomb unfolds to: more than any limit, little enough to be made in a test.
const UNFOLDED_BYTES: usize = 96 << 20;
const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

fn header(from: &str) -> String {
    format!(
        "From: <{from}@warga.example>\nTo: {ADDRESS}\nSubject: Laporan situs diretas\nMessage-ID: <{}>\nMIME-Version: 1.0\n",
        fresh_id()
    )
}

/// A mail of a person with one file.
fn with_file(from: &str, name: &str, media_type: &str, content: &[u8]) -> Vec<u8> {
    let encoded = base64::engine::general_purpose::STANDARD.encode(content);
    let mut body = String::new();
    for line in encoded.as_bytes().chunks(76) {
        body += std::str::from_utf8(line).unwrap();
        body.push('\n');
    }
    let text = format!(
        "{}Content-Type: multipart/mixed; boundary=b\n\n--b\n\nSitus kami diretas, berkas terlampir.\n--b\nContent-Type: {media_type}\n\
         Content-Disposition: attachment; filename={name}\nContent-Transfer-Encoding: base64\n\n{body}--b--\n",
        header(from)
    );
    crlf(text.as_bytes())
}

/// A ZIP whose one entry unfolds to so many spaces.
fn zip_of(name: &str, content: &[u8]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    writer.write_all(content).unwrap();
    writer.finish().unwrap().into_inner()
}

/// A PDF whose object stream unfolds to so many spaces.
fn pdf_of(zip: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
    let mut packed = b"\x78\x9c".to_vec();
    std::io::copy(&mut archive.by_index_raw(0).unwrap(), &mut packed).unwrap();
    let objects = [
        b"<</Type/Catalog/Pages 2 0 R>>".to_vec(),
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>".to_vec(),
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]>>".to_vec(),
        [
            format!("<</Type/ObjStm/N 1000000/First 10/Filter/FlateDecode/Length {}>>stream\n", packed.len()).as_bytes(),
            &packed,
            b"\nendstream",
        ]
        .concat(),
    ];
    let mut pdf = b"%PDF-1.5\n".to_vec();
    let mut table = String::from("xref\n0 5\n0000000000 65535 f \n");
    for (at, object) in objects.iter().enumerate() {
        table += &format!("{:010} 00000 n \n", pdf.len());
        pdf.extend([format!("{} 0 obj\n", at + 1).as_bytes(), object, b"\nendobj\n"].concat());
    }
    let start = pdf.len();
    pdf.extend(format!("{table}trailer<</Size 5/Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n").bytes());
    pdf
}

fn encrypted(center: &Center, from: &str, plaintext: &[u8]) -> Vec<u8> {
    let run = center.gpg.must(&["--armor", "--trust-model", "always", "--recipient", &center.fingerprint, "--encrypt"], plaintext);
    let armored = String::from_utf8(run.out).unwrap();
    let text = format!(
        "{}Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b\n\n--b\n\
         Content-Type: application/pgp-encrypted\n\nVersion: 1\n\n--b\nContent-Type: application/octet-stream\n\n{armored}\n--b--\n",
        header(from)
    );
    crlf(text.as_bytes())
}

fn deep(from: &str) -> Vec<u8> {
    let mut text = header(from);
    for level in 0..5_000 {
        text += &format!("Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n");
    }
    crlf((text + "\nSitus kami diretas.\n").as_bytes())
}

fn long_header(from: &str) -> Vec<u8> {
    let text = format!("{}X-Long: {}\n\nSitus kami diretas.\n", header(from), "abcdefgh ".repeat(10_000_000 / 9));
    crlf(text.as_bytes())
}

/// The most memory that a process ever had, in bytes.
fn peak_of(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
}

#[test]
fn m3_m11_p23_among_bombs_of_every_kind_each_person_is_answered_and_little_memory_is_used() {
    let center = Center::new();
    let spaces = vec![b' '; UNFOLDED_BYTES];
    let (document, plain) = (zip_of("word/document.xml", &spaces), zip_of("bukti.txt", &spaces));
    let bombs = [
        ("bom-zip", "arsip", with_file("bom-zip", "bukti.zip", "application/zip", &plain)),
        ("bom-zip-dalam-zip", "arsip", with_file("bom-zip-dalam-zip", "bukti.zip", "application/zip", &zip_of("dalam.zip", &plain))),
        ("bom-pdf", "surat.pdf", with_file("bom-pdf", "surat.pdf", "application/pdf", &pdf_of(&plain))),
        ("bom-docx", "berkas terlalu besar untuk dibaca isinya", with_file("bom-docx", "surat.docx", DOCX, &document)),
        ("bom-openpgp", "surel terenkripsi tidak dapat dibuka", encrypted(&center, "bom-openpgp", &spaces)),
        ("bom-mime", "bagian surel bersusun terlalu dalam", deep("bom-mime")),
        ("bom-header", "baris kepala surel yang terlalu panjang", long_header("bom-header")),
    ];
    // The bombs come first; their analysts are told of each before notices of a flood are put together.
    for (_, _, bytes) in &bombs {
        center.servers.append("bantuan70", "INBOX", bytes);
    }
    for number in 0..20 {
        let text = format!("{}\nSitus kami diretas sejak pagi.\n", header(&format!("warga{number}")));
        center.servers.append("bantuan70", "INBOX", &crlf(text.as_bytes()));
    }
    let daemon = center.start();
    for number in 0..20 {
        center.wait_mail(&format!("warga{number}"), "an acknowledgement", |letter| letter.header("X-Bantuan70-Ticket").is_some());
    }
    center.wait_quiet();
    let peak = peak_of(daemon.pid());
    println!("peak memory {} MB", peak / 1_000_000);
    assert!(peak < 400_000_000, "{peak} bytes");
    let tickets = center.json(&["ticket", "list"]);
    assert_eq!(tickets.len(), 27, "{}", center.log());
    for (from, finding, _) in &bombs {
        let ticket = tickets.iter().find(|ticket| ticket["reporter"] == format!("{from}@warga.example")).unwrap();
        let number = ticket["number"].as_str().unwrap();
        let notice = center.wait_mail("analyst1", &format!("a notice of {number}"), |letter| {
            letter.header("X-Bantuan70-Ticket").as_deref() == Some(number)
        });
        center.opened(&notice).says(&[finding]);
    }
    assert!(center.json(&["quarantine", "list"]).is_empty());
    center.audit();
}
