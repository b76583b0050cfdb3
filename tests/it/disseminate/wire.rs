//! A reader of mail and OpenPGP of the tests' own: what stands in the bytes that left is judged by
//! code that has nothing of the program's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What a mail is to somebody who holds no key.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    /// One encrypted container, and the identifiers of the keys that open it.
    Encrypted(Vec<String>),
    /// Readable, with a signature beside it.
    Signed,
    Plain,
}

/// Looks at the bytes of a mail.
pub fn look(raw: &[u8]) -> Seen {
    let text = std::str::from_utf8(raw).expect("mail that leaves is 7-bit");
    let (header, body) = text.split_once("\r\n\r\n").expect("a header and a body");
    let content_type = field(header, "content-type");
    let kind = content_type.split(';').next().unwrap().trim().to_ascii_lowercase();
    if kind == "multipart/signed" {
        assert!(body.contains("-----BEGIN PGP SIGNATURE-----"));
        return Seen::Signed;
    }
    if kind != "multipart/encrypted" {
        return Seen::Plain;
    }
    let boundary = content_type.split("boundary=").nth(1).unwrap().trim_start_matches('"').split(['"', ';']).next().unwrap();
    let pieces: Vec<&str> = body.split(&format!("--{boundary}")).collect();
    // Preamble, version, message, the end.
    assert_eq!(pieces.len(), 4, "two parts and no more:\n{text}");
    assert_eq!(pieces[0].trim(), "", "no text before the parts");
    assert_eq!(pieces[3].trim(), "--", "no text behind the parts");
    let (_, version) = pieces[1].trim_start().split_once("\r\n\r\n").unwrap();
    assert_eq!(version.trim(), "Version: 1");
    let (_, message) = pieces[2].trim_start().split_once("\r\n\r\n").unwrap();
    let armor = message.trim().strip_prefix("-----BEGIN PGP MESSAGE-----").unwrap().strip_suffix("-----END PGP MESSAGE-----").unwrap();
    let data: String = armor.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('=')).collect();
    packets(&STANDARD.decode(data).expect("armor without a line of its own"))
}

/// The packets of an OpenPGP message (RFC 9580 §4): session keys for named keys, then one container
/// with integrity protection, and nothing behind it.
fn packets(mut bytes: &[u8]) -> Seen {
    let mut keys = Vec::new();
    let mut containers = 0;
    while let [first, rest @ ..] = bytes {
        assert!(first & 0x80 != 0, "a packet begins with its mark");
        assert_eq!(containers, 0, "nothing stands behind the container");
        let (tag, content, after) =
            if first & 0x40 != 0 { new_format(first & 0x3f, rest) } else { old_format((first >> 2) & 0x0f, first & 3, rest) };
        match tag {
            // RFC 9580 §5.1: version 3 with a key's identifier, or version 6 with a version 4 fingerprint.
            1 => {
                let identifier = match content[..] {
                    [3, ..] => &content[1..9],
                    [6, 21, 4, ..] => &content[15..23],
                    _ => panic!("a session key of an unknown form"),
                };
                assert_ne!(identifier, [0; 8], "a recipient is named");
                keys.push(identifier.iter().map(|byte| format!("{byte:02X}")).collect());
            }
            18 => containers += 1,
            other => panic!("a packet {other} in what should be encrypted"),
        }
        bytes = after;
    }
    assert_eq!(containers, 1, "one container");
    Seen::Encrypted(keys)
}

fn new_format(tag: u8, mut bytes: &[u8]) -> (u8, Vec<u8>, &[u8]) {
    let mut content = Vec::new();
    loop {
        let (length, used, is_last) = match bytes[0] {
            n @ 0..=191 => (usize::from(n), 1, true),
            n @ 192..=223 => (((usize::from(n) - 192) << 8) + usize::from(bytes[1]) + 192, 2, true),
            255 => (u32::from_be_bytes(bytes[1..5].try_into().unwrap()) as usize, 5, true),
            n => (1 << (n & 0x1f), 1, false),
        };
        content.extend_from_slice(&bytes[used..used + length]);
        bytes = &bytes[used + length..];
        if is_last {
            return (tag, content, bytes);
        }
    }
}

fn old_format(tag: u8, kind: u8, bytes: &[u8]) -> (u8, Vec<u8>, &[u8]) {
    let (length, used) = match kind {
        0 => (usize::from(bytes[0]), 1),
        1 => (usize::from(u16::from_be_bytes(bytes[..2].try_into().unwrap())), 2),
        2 => (u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize, 4),
        _ => (bytes.len(), 0),
    };
    (tag, bytes[used..used + length].to_vec(), &bytes[used + length..])
}

/// One field of a header, unfolded; empty where it is not there.
pub fn field(header: &str, name: &str) -> String {
    let unfolded = header.replace("\r\n ", " ").replace("\r\n\t", " ");
    let line = unfolded.lines().find(|line| line.split(':').next().is_some_and(|word| word.eq_ignore_ascii_case(name)));
    line.and_then(|line| line.split_once(':')).map_or_else(String::new, |(_, value)| value.trim().to_owned())
}

/// All that can be read in bytes without a key: as they are, and with every line of base64,
/// quoted-printable and encoded words undone.
pub fn readings(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw).into_owned();
    let joined = text.replace("=\r\n", "");
    let mut all = format!("{text}\n{joined}\n{}", unquoted(&joined));
    for word in text.split(|c: char| c.is_whitespace() || "?<>\"".contains(c)) {
        if let Ok(bytes) = STANDARD.decode(word) {
            all.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
    all
}

fn unquoted(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'=' {
            let pair: Vec<u8> = bytes.clone().take(2).collect();
            if let Some(value) = std::str::from_utf8(&pair).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
                out.push(value);
                bytes.nth(1);
                continue;
            }
        }
        out.push(byte);
    }
    String::from_utf8_lossy(&out).into_owned()
}
