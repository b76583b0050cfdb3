//! Messages that are made to be dear to read, of any size: for the benchmark `read` and for the test
//! that bounds their cost. The same bytes each time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A sort of message: its name, and what makes one of some so many bytes.
pub type Shape = (&'static str, fn(usize) -> Vec<u8>);

pub const SHAPES: &[Shape] = &[
    ("picture", |bytes| with_file(bytes, "foto.png", "image/png", b"\x89PNG\r\n\x1a\n")),
    ("pdf", |bytes| with_file(bytes, "surat.pdf", "application/pdf", b"%PDF-1.7\n1 0 obj <</Length 9>> stream\n")),
    ("pdf-of-objects", pdf_of_objects),
    ("zip", |bytes| with_file(bytes, "bukti.zip", "application/zip", b"PK\x03\x04")),
    ("docx", |bytes| with_file(bytes, "surat.docx", WORD, b"PK\x03\x04")),
    ("msg", |bytes| with_file(bytes, "pesan.msg", "application/vnd.ms-outlook", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")),
    ("winmail", |bytes| with_file(bytes, "winmail.dat", "application/ms-tnef", b"\x78\x9f\x3e\x22\x01\x00")),
    ("rtf", |bytes| with_file(bytes, "surat.rtf", "application/rtf", &b"{\\rtf1 \\u8364? {\\b a} ".repeat(800_000))),
    ("plain-text", |bytes| with_body("text/plain", bytes, "Situs kami diretas dan tampilannya berubah sejak kemarin pagi.\r\n")),
    ("one-line", |bytes| with_body("text/plain", bytes, "Situs kami diretas pada 10.00, dari a@b.example menulis: ")),
    ("quoted-printable", |bytes| with_body("text/plain\r\nContent-Transfer-Encoding: quoted-printable", bytes, "Situs=20kami=3D=\r\n")),
    ("html", |bytes| {
        with_body("text/html", bytes, "<p style=\"color:red\">Situs <b>kami</b> <a href=\"http://x.example/\">diretas</a></p>\r\n")
    }),
    ("html-unclosed", |bytes| with_body("text/html", bytes, "<div><b><i><a href=\"http://x.example/\">")),
    ("html-table", |bytes| with_body("text/html", bytes, "<table><tr><td>a<td>b<table><tr><td>")),
    ("html-attributes", |bytes| with_body("text/html", bytes, "<p a=b c='d' e=\"f\" style='x:y;z:w'")),
    ("html-parts", |bytes| {
        of_parts(bytes, "Content-Type: text/html\r\n", |n| format!("<p><a href=\"http://{n}.example/\">x</a></p>").repeat(100))
    }),
    ("html-files", |bytes| {
        of_parts(bytes, "Content-Type: text/html; name=a.html\r\n", |n| format!("<a href=\"http://{n}.example/\">x</a>").repeat(100))
    }),
    ("one-header", |bytes| with_header(bytes, "X-Long: ", "abcdefgh ")),
    ("folded-header", |bytes| with_header(bytes, "X-Long: ", "abcdefgh\r\n ")),
    ("many-headers", |bytes| with_header(bytes, "", "X-Short: y\r\n")),
    ("many-subjects", |bytes| with_header(bytes, "", "Subject: =?utf-8?q?Laporan?=\r\n")),
    ("encoded-words", |bytes| with_header(bytes, "Subject: ", "=?utf-8?b?TGFwb3Jhbg==?=\r\n ")),
    ("encoded-words-open", |bytes| with_header(bytes, "Subject: ", "=?utf-8?q?")),
    ("encoded-names", |bytes| with_header(bytes, "To: ", "=?utf-8?q?Siti?= <siti@dinas.go.test>,\r\n ")),
    ("encoded-names-open", |bytes| with_header(bytes, "", "To: =?a?q?=?a?q?=?a?q?=?a?q? <siti@dinas.go.test>\r\n")),
    ("comments", |bytes| with_header(bytes, "To: ", "((((((((")),
    ("references", |bytes| with_header(bytes, "References: ", "<1234567890@dinas.go.test>\r\n ")),
    ("tiny-parts", |bytes| of_parts(bytes, "", |_| String::new())),
    ("text-parts", |bytes| of_parts(bytes, "Content-Type: text/plain\r\n", |n| format!("Baris {n}.\r\n").repeat(400))),
    ("named-parts", |bytes| of_parts(bytes, "Content-Type: application/octet-stream; name=lampiran-panjang.bin\r\n", |_| "x".to_owned())),
    ("many-files-and-text", many_files_and_text),
    ("messages", |bytes| of_parts(bytes, "Content-Type: message/rfc822\r\n", |n| format!("Subject: {n}\r\n\r\nSitus kami.\r\n").repeat(9))),
    ("nested-messages", nested_messages),
    ("nested-parts", nested_parts),
    ("quoted-lines", |bytes| with_body("text/plain", bytes, "> Situs kami diretas.\r\n")),
    ("attributions", |bytes| with_body("text/plain", bytes, "Pada Selasa, 3 Maret 2026\r\nPusat\r\ntulis\r\n")),
    ("signature-marks", |bytes| with_body("text/plain", bytes, "--\r\n")),
    ("empty-lines", |bytes| with_body("text/plain", bytes, "\r\n")),
    ("header-blocks", |bytes| with_body("text/plain", bytes, "From: a\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n")),
    ("flowed", |bytes| with_body("text/plain; format=flowed; delsp=yes", bytes, ">>> a \r\n>>>> b \r\n")),
    ("urls", |bytes| with_body("text/plain", bytes, &numbered(|n| format!("http://{n}.dinas.go.test/jalan/{n}?a={n}\r\n")))),
    ("addresses-and-hashes", |bytes| {
        with_body("text/plain", bytes, &numbered(|n| format!("{n}@a{n}.example 10.{}.{}.1 {n:064x}\r\n", n % 256, n / 256 % 256)))
    }),
    ("questions-of-the-form", |bytes| with_body("text/plain", bytes, "Nama pelapor: Budi\r\nInstansi: Dinas\r\nDampak:\r\n")),
    ("attached-list", |bytes| with_body("text/plain", bytes, "Terlampir: KTP, formulir, topologi. ")),
    ("encrypted", encrypted),
    ("inline-openpgp", |bytes| {
        with_body("text/plain", bytes, "-----BEGIN PGP MESSAGE-----\r\n\r\nwcBMA0Z0\r\n-----END PGP MESSAGE-----\r\n")
    }),
    ("signed-text", |bytes| {
        with_body("text/plain", bytes, "-----BEGIN PGP SIGNED MESSAGE-----\r\n\r\n- --\r\n-----BEGIN PGP SIGNATURE-----\r\n\r\n")
    }),
    ("zeros", |bytes| vec![0; bytes]),
    ("no-line-end", |bytes| vec![b'a'; bytes]),
    ("carriage-returns", |bytes| vec![b'\r'; bytes]),
    ("line-feeds", |bytes| vec![b'\n'; bytes]),
    ("utf-16", |bytes| with_body("text/plain; charset=utf-16le", bytes, "S\0i\0t\0u\0s\0 \0")),
    ("iso-2022-jp", |bytes| with_body("text/plain; charset=iso-2022-jp", bytes, "\x1b$B%f!<\x1b(B ")),
    ("delivery-report", |bytes| {
        of_parts_within("multipart/report; report-type=delivery-status", bytes, "Content-Type: message/delivery-status\r\n", |n| {
            format!("Final-Recipient: rfc822; {n}@x.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n").repeat(50)
        })
    }),
];

const WORD: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
const HEADER: &str = "From: Siti <siti@dinas.go.test>\r\nTo: bantuan70@bssn.test\r\nSubject: Laporan\r\nMIME-Version: 1.0\r\n";

/// Bytes that do not compress and are no text.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()
    })
    .take(bytes / 8 + 1)
    .flatten()
    .collect()
}

fn lines_of_base64(content: &[u8]) -> Vec<u8> {
    let text = STANDARD.encode(content).into_bytes();
    let mut out = Vec::with_capacity(text.len() / 76 * 78 + 78);
    for line in text.chunks(76) {
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
    out
}

fn with_file(bytes: usize, name: &str, media_type: &str, start: &[u8]) -> Vec<u8> {
    let mut content = start.to_vec();
    content.extend(noise((bytes / 78 * 57).saturating_sub(start.len())));
    content.truncate(bytes / 78 * 57);
    attached(name, media_type, &content)
}

fn attached(name: &str, media_type: &str, content: &[u8]) -> Vec<u8> {
    let mut out = format!(
        "{HEADER}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nTerlampir surat kami.\r\n--b\r\nContent-Type: {media_type}; \
         name={name}\r\nContent-Disposition: attachment; filename={name}\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    )
    .into_bytes();
    out.extend(lines_of_base64(content));
    out.extend_from_slice(b"--b--\r\n");
    out
}

/// As large a PDF as is looked into, of as many objects as that holds.
fn pdf_of_objects(bytes: usize) -> Vec<u8> {
    let mut content = b"%PDF-1.7\n".to_vec();
    let mut number = 0;
    while content.len() < bytes.min(20 << 20) {
        number += 1;
        content.extend(format!("{number} 0 obj <</A [1 2 3] /B ({number}) /C <</D {number} 0 R>>>> endobj\n").bytes());
    }
    content.extend_from_slice(b"trailer <</Root 1 0 R>>\n%%EOF\n");
    attached("surat.pdf", "application/pdf", &content)
}

fn filled(mut out: Vec<u8>, bytes: usize, unit: &[u8]) -> Vec<u8> {
    out.reserve(bytes);
    while !unit.is_empty() && out.len() < bytes {
        out.extend_from_slice(unit);
    }
    out
}

fn with_body(media_type: &str, bytes: usize, unit: &str) -> Vec<u8> {
    filled(format!("{HEADER}Content-Type: {media_type}\r\n\r\n").into_bytes(), bytes, unit.as_bytes())
}

fn with_header(bytes: usize, start: &str, unit: &str) -> Vec<u8> {
    let mut out = filled(format!("{HEADER}{start}").into_bytes(), bytes, unit.as_bytes());
    out.extend_from_slice(b"\r\n\r\nSitus kami diretas.\r\n");
    out
}

/// Some megabytes of lines that differ.
fn numbered(line: impl Fn(usize) -> String) -> String {
    (0..100_000).map(line).collect()
}

fn of_parts(bytes: usize, header: &str, body: impl Fn(usize) -> String) -> Vec<u8> {
    of_parts_within("multipart/mixed", bytes, header, body)
}

fn of_parts_within(kind: &str, bytes: usize, header: &str, body: impl Fn(usize) -> String) -> Vec<u8> {
    let mut out = format!("{HEADER}Content-Type: {kind}; boundary=b\r\n\r\n").into_bytes();
    let mut number = 0;
    while out.len() < bytes {
        number += 1;
        out.extend(format!("--b\r\n{header}\r\n{}\r\n", body(number)).bytes());
    }
    out.extend_from_slice(b"--b--\r\n");
    out
}

/// Ten thousand files with names that the text could speak of, and as much text as is read.
fn many_files_and_text(bytes: usize) -> Vec<u8> {
    let mut out = format!("{HEADER}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n").into_bytes();
    out.extend("Kami lampirkan KTP, formulir dan topologi; bukti menyusul.\r\n".repeat(20_000).bytes());
    for number in 0..9_900 {
        let sort = ["application/octet-stream", "text/plain", "image/jpeg"].get(number % 3).copied().unwrap_or_default();
        out.extend(format!("\r\n--b\r\nContent-Type: {sort}; name=lampiran{number}.bin\r\n\r\n").bytes());
        out.extend("Topologi jaringan.\r\n".repeat(bytes / 9_900 / 22).bytes());
    }
    out.extend_from_slice(b"\r\n--b--\r\n");
    out
}

/// Messages inside messages, each with its share of the bytes beside it.
fn nested_messages(bytes: usize) -> Vec<u8> {
    let mut out = HEADER.to_owned().into_bytes();
    for level in 0..20 {
        out.extend(format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n\r\n").bytes());
        out.extend("Situs kami diretas.\r\n".repeat(bytes / 20 / 21).bytes());
        out.extend(format!("\r\n--b{level}\r\nContent-Type: message/rfc822\r\n\r\nSubject: {level}\r\n").bytes());
    }
    out.extend_from_slice(b"\r\ninnermost\r\n");
    out
}

fn nested_parts(bytes: usize) -> Vec<u8> {
    let mut out = HEADER.to_owned().into_bytes();
    for level in 0..70 {
        out.extend(format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n").bytes());
    }
    filled(out, bytes, b"\r\n--b9999\r\nSitus kami diretas.")
}

/// OpenPGP to a key that nobody here has.
fn encrypted(bytes: usize) -> Vec<u8> {
    // A session key packet for an RSA key of another, then a sealed packet of noise, in the old format.
    let mut packets = vec![0xc1, 0x0d, 3, 1, 2, 3, 4, 5, 6, 7, 8, 1, 0, 1, 0xff];
    let sealed = noise(bytes / 78 * 57);
    let length = u32::try_from(sealed.len() + 1).unwrap_or(u32::MAX);
    packets.extend_from_slice(&[0xd2, 0xff]);
    packets.extend_from_slice(&length.to_be_bytes());
    packets.push(1);
    packets.extend(sealed);
    let mut out = format!(
        "{HEADER}Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b\r\n\r\n--b\r\n\
         Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\n\
         -----BEGIN PGP MESSAGE-----\r\n\r\n"
    )
    .into_bytes();
    out.extend(lines_of_base64(&packets));
    out.extend_from_slice(b"-----END PGP MESSAGE-----\r\n\r\n--b--\r\n");
    out
}
