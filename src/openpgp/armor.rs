//! ASCII armor (RFC 9580 §6) as it stands in mail: CRLF at each line's end, no header lines.

use crate::mail::encode::base64_lines;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Whether the line with 24 bits of checksum is written. Integrity never rests on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checksum {
    /// For programs older than RFC 9580, of which some ask for it.
    Written,
    /// Where who reads the rest knows RFC 9580 (§6.1: then it must not stand there).
    LeftOut,
}

/// The armor of a `MESSAGE` or `SIGNATURE`.
pub(super) fn armored(label: &str, bytes: &[u8], checksum: Checksum) -> Vec<u8> {
    let mut out = format!("-----BEGIN PGP {label}-----\r\n\r\n").into_bytes();
    out.extend(base64_lines(bytes));
    if checksum == Checksum::Written {
        let [_, sum @ ..] = crc24(bytes).to_be_bytes();
        out.extend_from_slice(format!("={}\r\n", STANDARD.encode(sum)).as_bytes());
    }
    out.extend_from_slice(format!("-----END PGP {label}-----\r\n").as_bytes());
    out
}

/// What the armor of a message without header lines holds; nothing where it is anything but that.
pub(super) fn message_in(armor: &[u8]) -> Option<Vec<u8>> {
    let lines = armor.strip_prefix(b"-----BEGIN PGP MESSAGE-----\r\n\r\n")?.trim_ascii_end();
    let mut lines = lines.strip_suffix(b"\r\n-----END PGP MESSAGE-----")?;
    let mut text = Vec::with_capacity(lines.len());
    while !lines.is_empty() {
        let end = memchr::memchr(b'\n', lines).map_or(lines.len(), |at| at + 1);
        let (line, rest) = lines.split_at(end);
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        if !is_checksum(line) {
            text.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        }
        lines = rest;
    }
    STANDARD.decode(&text).ok()
}

/// The line of the checksum, which RFC 9580 §6.1 tells readers to leave aside. Integrity is shown inside.
const fn is_checksum(line: &[u8]) -> bool {
    matches!(line, [b'=', _, _, _, _])
}

/// RFC 9580 §6.1.1, at the upper end of 32 bits.
const START: u32 = 0x00B7_04CE << 8;
const POLYNOMIAL: u32 = 0x0086_4CFB << 8;

/// What a byte does to the sum with none, one, two and three bytes behind it.
const AHEAD: [[u32; 256]; 4] = ahead();

#[expect(clippy::indexing_slicing, reason = "constants cannot be made by iterators")]
const fn ahead() -> [[u32; 256]; 4] {
    let mut tables = [[0_u32; 256]; 4];
    let mut byte = 0;
    let mut first = 0_u32;
    while byte < 256 {
        let mut sum = first;
        let mut bit = 0;
        while bit < 8 {
            sum = (sum << 1) ^ if sum & 0x8000_0000 == 0 { 0 } else { POLYNOMIAL };
            bit += 1;
        }
        tables[0][byte] = sum;
        byte += 1;
        first = first.wrapping_add(1 << 24);
    }
    let mut table = 1;
    while table < 4 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[table - 1][byte];
            tables[table][byte] = (before << 8) ^ tables[0][(before >> 24) as usize];
            byte += 1;
        }
        table += 1;
    }
    tables
}

/// The checksum of RFC 9580 §6.1.1. Four bytes a step, since each step waits for the one before.
fn crc24(bytes: &[u8]) -> u32 {
    let [none, one, two, three] = &AHEAD;
    let at = |table: &[u32; 256], byte: u8| table.get(usize::from(byte)).copied().unwrap_or_default();
    let (fours, rest) = bytes.as_chunks::<4>();
    let sum = fours.iter().fold(START, |sum, four| {
        let [a, b, c, d] = (sum ^ u32::from_be_bytes(*four)).to_be_bytes();
        at(three, a) ^ at(two, b) ^ at(one, c) ^ at(none, d)
    });
    let sum = rest.iter().fold(sum, |sum, &byte| {
        let [first, ..] = sum.to_be_bytes();
        (sum << 8) ^ at(none, first ^ byte)
    });
    sum >> 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use sequoia_openpgp::armor::{Kind, Reader, ReaderMode, Writer};
    use std::io::{Read as _, Write as _};

    #[test]
    fn sequoia_reads_the_same_bytes_and_writes_the_same_checksum() {
        for length in (1..20).chain([47, 48, 57, 1_000, 10_001]) {
            let bytes: Vec<u8> = (0..length).map(|index| u8::try_from(index * 7 % 251).unwrap()).collect();
            let mut writer = Writer::new(Vec::new(), Kind::Message).unwrap();
            writer.write_all(&bytes).unwrap();
            let theirs = String::from_utf8(writer.finalize().unwrap()).unwrap();
            for checksum in [Checksum::Written, Checksum::LeftOut] {
                let ours = String::from_utf8(armored("MESSAGE", &bytes, checksum)).unwrap();
                let sum = |armor: &str| armor.lines().find(|line| is_checksum(line.as_bytes())).map(str::to_owned);
                assert_eq!(sum(&ours), sum(&theirs).filter(|_| checksum == Checksum::Written), "{length}");
                let mut back = Vec::new();
                Reader::from_bytes(ours.as_bytes(), ReaderMode::Tolerant(Some(Kind::Message))).read_to_end(&mut back).unwrap();
                assert_eq!(back, bytes);
                assert!(ours.split_inclusive('\n').all(|line| line.ends_with("\r\n") && line.len() <= 78));
                assert_eq!(message_in(ours.as_bytes()), Some(bytes.clone()));
            }
        }
    }

    #[test]
    fn what_is_not_armor_alone_holds_nothing() {
        let good = String::from_utf8(armored("MESSAGE", b"abcdef", Checksum::Written)).unwrap();
        assert_eq!(message_in(good.as_bytes()).as_deref(), Some(&b"abcdef"[..]));
        for (from, to) in [
            ("-----\r\n\r\n", "-----\r\nComment: x\r\n\r\n"),
            ("-----BEGIN", "text\r\n-----BEGIN"),
            ("-----END PGP MESSAGE-----\r\n", "-----END PGP MESSAGE-----\r\ntext\r\n"),
            ("YWJj", "YW-j"),
            ("\r\n=", "\r\n\r\ntext=\r\n="),
        ] {
            assert_ne!(good.replace(from, to), good);
            assert_eq!(message_in(good.replace(from, to).as_bytes()), None, "{to}");
        }
    }
}
