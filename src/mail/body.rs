//! Bodies to text: transfer encodings, charsets that lie or are missing, format=flowed. Lossy
//! where it must be, never failing.

use super::html::HTML_BYTES_MAX;
use super::part::{Budget, Part};
use mail_parser::decoders::{base64::base64_decode, charsets::map::charset_decoder};
use std::borrow::Cow;

/// The text of one part is cut here (rules, indicators and display need no more).
pub const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// The content of a part with its transfer encoding undone.
#[must_use]
pub fn content<'a>(part: &Part<'a>, budget: &mut Budget) -> Cow<'a, [u8]> {
    match part.transfer_encoding().as_str() {
        "base64" => {
            let body = part.body.trim_ascii_end();
            let padding_at = memchr::memchr(b'=', body).unwrap_or(body.len());
            let is_padding_last = body.get(padding_at..).is_some_and(|tail| tail.iter().all(|byte| *byte == b'='));
            Cow::Owned(match base64_decode(body).filter(|_| is_padding_last) {
                Some(bytes) => bytes,
                None => {
                    budget.note("bad-base64", "what is no base64 was skipped");
                    base64(body)
                }
            })
        }
        "quoted-printable" => Cow::Owned(quoted_printable(part.body)),
        "" | "7bit" | "8bit" | "binary" => Cow::Borrowed(part.body),
        other => {
            budget.note("unknown-encoding", other);
            Cow::Borrowed(part.body)
        }
    }
}

/// Base64 as lenient as any reader: junk is skipped, padding in the middle starts anew (M2).
#[must_use]
pub fn base64(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() / 4 * 3 + 3);
    let (mut group, mut count) = (0_u32, 0_u32);
    for byte in bytes {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => {
                finish_group(&mut out, group, count);
                (group, count) = (0, 0);
                continue;
            }
            _ => continue,
        };
        group = (group << 6) | u32::from(value);
        count += 1;
        if count == 4 {
            let [_, a, b, c] = group.to_be_bytes();
            out.extend_from_slice(&[a, b, c]);
            (group, count) = (0, 0);
        }
    }
    finish_group(&mut out, group, count);
    out
}

fn finish_group(out: &mut Vec<u8>, group: u32, count: u32) {
    let [_, a, b, _] = (group << (6 * (4 - count.min(4)))).to_be_bytes();
    match count {
        2 => out.push(a),
        3 => out.extend_from_slice(&[a, b]),
        _ => {}
    }
}

/// RFC 2045 §6.7; what is no escape stays as it is.
#[must_use]
pub fn quoted_printable(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = line.trim_ascii_end();
        let (text, is_soft) = text.strip_suffix(b"=").map_or((text, false), |text| (text, true));
        unescape(text, b'=', &mut out);
        if !is_soft && line.ends_with(b"\n") {
            out.extend_from_slice(if line.ends_with(b"\r\n") { b"\r\n" } else { b"\n" });
        }
    }
    out
}

/// RFC 2047 §4.2.
#[must_use]
pub fn quoted_word(bytes: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = bytes.iter().map(|byte| if *byte == b'_' { b' ' } else { *byte }).collect();
    let mut out = Vec::with_capacity(spaced.len());
    unescape(&spaced, b'=', &mut out);
    out
}

fn unescape(text: &[u8], mark: u8, out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(mark, rest) {
        out.extend_from_slice(rest.get(..at).unwrap_or_default());
        let escape = rest.get(at..).unwrap_or_default();
        match escape {
            [_, high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(hex(*high) << 4 | hex(*low));
                rest = after;
            }
            _ => {
                out.push(mark);
                rest = rest.get(at + 1..).unwrap_or_default();
            }
        }
    }
    out.extend_from_slice(rest);
}

const fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}

/// The text of a text part: decoded, line ends as `\n`, controls as spaces, cut at the limit.
#[must_use]
pub fn text_of(part: &Part<'_>, budget: &mut Budget) -> String {
    // Escapes are at most three bytes for one: of a long body the beginning is enough.
    let raw_max = 4 * HTML_BYTES_MAX;
    let head = Part { body: part.body.get(..raw_max).unwrap_or(part.body), ..part.clone() };
    text_of_bytes(&content(&head, budget), part, budget)
}

/// As [`text_of`], for content that was already decoded.
#[must_use]
pub fn text_of_bytes(content: &[u8], part: &Part<'_>, budget: &mut Budget) -> String {
    // Markup is many times its text, so that HTML is cut later.
    let bytes_max = if part.media_type == "text/html" { HTML_BYTES_MAX } else { TEXT_BYTES_MAX };
    let bytes = content.get(..content.len().min(bytes_max)).unwrap_or(content);
    if content.len() > bytes_max {
        budget.note("text-too-long", &format!("{} bytes of text, cut at {bytes_max}", content.len()));
    }
    let declared = part.content_type.get("charset");
    // UTF-7 hides markup from whoever looks for it, so HTML is never decoded from it (M5).
    let is_utf7_html = part.media_type == "text/html" && declared.is_some_and(|name| name.to_ascii_lowercase().contains("utf-7"));
    let text = if is_utf7_html {
        budget.note("utf-7-html", "not decoded");
        utf8_or_windows(bytes.to_vec())
    } else {
        decode_charset(bytes, declared, budget)
    };
    let mut text = clean(&text);
    // Bytes of a Western charset grow to two or three each.
    text.truncate(text.floor_char_boundary(bytes_max));
    let is_flowed = part.content_type.get("format").is_some_and(|format| format.eq_ignore_ascii_case("flowed"));
    if is_flowed { unflow(&text, part.content_type.get("delsp").is_some_and(|delsp| delsp.eq_ignore_ascii_case("yes"))) } else { text }
}

/// Bytes to text by the declared charset, or by what the bytes are where that is missing or a lie.
#[must_use]
pub fn decode_charset(bytes: &[u8], declared: Option<&str>, budget: &mut Budget) -> String {
    let label = declared.unwrap_or_default().trim().trim_matches(['"', '\'']).to_ascii_lowercase();
    if let Some(rest) = bytes.strip_prefix(b"\xef\xbb\xbf") {
        return utf8_or_windows(rest.to_vec());
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return decode_utf16(bytes, bytes.starts_with(b"\xff\xfe"));
    }
    if let Some(is_little) = looks_like_utf16(bytes) {
        if !label.starts_with("utf-16") {
            budget.note("charset-lies", &format!("'{label}' is UTF-16"));
        }
        return decode_utf16(bytes, is_little);
    }
    let is_plain = matches!(label.as_str(), "" | "us-ascii" | "ascii" | "utf-8" | "utf8" | "unknown-8bit" | "x-unknown" | "default");
    if bytes.is_ascii() && (is_plain || !label.starts_with("utf-") && !label.starts_with("iso-2022") && !label.starts_with("hz")) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let is_valid_utf8 = std::str::from_utf8(bytes).is_ok();
    if is_plain {
        if !is_valid_utf8 {
            budget.note("charset-lies", &format!("'{label}' was read as windows-1252"));
        } else if label.contains("ascii") {
            budget.note("charset-lies", "'us-ascii' is UTF-8");
        }
        return utf8_or_windows(bytes.to_vec());
    }
    // No one writes text in a Western charset that happens to be several bytes of valid UTF-8.
    if is_valid_utf8 && (label.starts_with("iso-8859") || label.starts_with("windows-125") || label.starts_with("latin")) {
        budget.note("charset-lies", &format!("'{label}' is UTF-8"));
        return String::from_utf8_lossy(bytes).into_owned();
    }
    match charset_decoder(label.as_bytes()) {
        Some(decode) => decode(bytes),
        None => {
            budget.note("unknown-charset", &label);
            utf8_or_windows(bytes.to_vec())
        }
    }
}

/// UTF-8 where it is valid, else windows-1252, of which ISO 8859-1 is a part in practice.
#[must_use]
pub fn utf8_or_windows(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| match charset_decoder(b"windows-1252") {
        Some(decode) => decode(error.as_bytes()),
        None => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

/// Text in Latin letters as UTF-16 has a zero in every second byte; `Some(true)` is little-endian.
fn looks_like_utf16(bytes: &[u8]) -> Option<bool> {
    let sample = bytes.get(..bytes.len().min(512)).filter(|sample| sample.len() >= 4)?;
    let zeros = |odd: usize| sample.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count() * 2;
    let enough = sample.len() * 6 / 10;
    match (zeros(0) > enough, zeros(1) > enough) {
        (true, false) => Some(false),
        (false, true) => Some(true),
        _ => None,
    }
}

fn decode_utf16(bytes: &[u8], is_little: bool) -> String {
    let units = bytes.chunks_exact(2).map(|pair| match *pair {
        [a, b] if is_little => u16::from_le_bytes([a, b]),
        [a, b] => u16::from_be_bytes([a, b]),
        _ => 0xfffd,
    });
    char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')).filter(|c| *c != '\u{feff}').collect()
}

/// Line ends as `\n`, other controls as spaces.
#[must_use]
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                if chars.peek() != Some(&'\n') {
                    out.push('\n');
                }
            }
            '\n' | '\t' => out.push(c),
            '\u{85}' | '\u{2028}' | '\u{2029}' => out.push('\n'),
            '\u{feff}' => {}
            _ if c.is_control() => out.push(' '),
            _ => out.push(c),
        }
    }
    out
}

/// RFC 3676: soft line breaks are joined, space-stuffing is undone, quoted depth stays as typed.
#[must_use]
pub fn unflow(text: &str, is_delsp: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut open: Option<usize> = None;
    for line in text.lines() {
        let depth = line.bytes().take_while(|byte| *byte == b'>').count();
        let content = line.get(depth..).unwrap_or_default();
        let content = content.strip_prefix(' ').unwrap_or(content);
        let is_mark = content == "-- ";
        if open != Some(depth) || is_mark {
            if open.is_some() {
                out.push('\n');
            }
            if depth > 0 {
                out.extend(std::iter::repeat_n('>', depth));
                out.push(' ');
            }
        }
        let is_soft = content.ends_with(' ') && !is_mark;
        let content = if is_soft && is_delsp { content.strip_suffix(' ').unwrap_or(content) } else { content };
        out.push_str(content);
        open = is_soft.then_some(depth);
        if !is_soft {
            out.push('\n');
        }
    }
    if open.is_some() {
        out.push('\n');
    }
    out
}
