//! Values to 7-bit header and body text (RFC 2045, 2047, 2231). No line break and no control
//! character of a value survives, so that none can begin a header field or an SMTP command.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;

/// RFC 2045 §6.7: an encoded line has at most 76 characters.
const LINE_MAX: usize = 76;
/// RFC 2047 §2: an encoded word has at most 75 characters: 12 of frame, and 63 in multiples of four.
const WORD_BYTES_MAX: usize = 45;
/// Characters of a header value that are kept. Longer ones are no subject or name.
const VALUE_CHARS_MAX: usize = 1_000;

/// One line of text: every control character and every line or paragraph separator is a space.
#[must_use]
pub(super) fn one_line(text: &str) -> String {
    let is_break = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let clean: String = text.chars().take(VALUE_CHARS_MAX).map(|c| if is_break(c) { ' ' } else { c }).collect();
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Unstructured header text: as it is where that is safe, else encoded words, one to a fold.
#[must_use]
pub(super) fn unstructured(text: &str) -> String {
    let line = one_line(text);
    let is_plain = line.is_ascii() && !line.contains("=?") && line.split(' ').all(|word| word.len() < LINE_MAX - 20);
    if is_plain { line } else { encoded_words(&line) }
}

/// A display name: a quoted string where it is ASCII, else encoded words.
#[must_use]
pub(super) fn phrase(name: &str) -> String {
    let line: String = one_line(name).chars().take(100).collect();
    if line.is_ascii() && !line.contains("=?") {
        let mut quoted = String::from('"');
        for c in line.chars() {
            if matches!(c, '"' | '\\') {
                quoted.push('\\');
            }
            quoted.push(c);
        }
        quoted.push('"');
        quoted
    } else {
        encoded_words(&line)
    }
}

fn encoded_words(line: &str) -> String {
    let mut words = Vec::new();
    let mut chunk = String::new();
    for c in line.chars() {
        // A character is never split between two words (RFC 2047 §5).
        if chunk.len() + c.len_utf8() > WORD_BYTES_MAX {
            words.push(std::mem::take(&mut chunk));
        }
        chunk.push(c);
    }
    words.push(chunk);
    words.iter().map(|chunk| format!("=?utf-8?B?{}?=", STANDARD.encode(chunk))).collect::<Vec<_>>().join(" ")
}

/// A header field with its line end, folded at spaces where it grows past 76 characters.
#[must_use]
pub(super) fn field(name: &str, value: &str) -> String {
    let mut out = format!("{name}:");
    let mut length = out.len();
    for word in value.split(' ').filter(|word| !word.is_empty()) {
        if length + 1 + word.len() > LINE_MAX && length > name.len() + 1 {
            out.push_str("\r\n");
            length = 0;
        }
        out.push(' ');
        out.push_str(word);
        length += 1 + word.len();
    }
    out.push_str("\r\n");
    out
}

/// Quoted-printable text (RFC 2045 §6.7). Any of CRLF, CR and LF ends a line; what a relay might
/// change is encoded: spaces at the end, a leading full stop, a leading "From ", dashes.
#[must_use]
pub(super) fn quoted_printable(text: &str) -> Vec<u8> {
    let text = if text.contains('\r') { Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n")) } else { Cow::Borrowed(text) };
    let mut out = Vec::with_capacity(text.len() * 5 / 4);
    for line in text.strip_suffix('\n').unwrap_or(&text).split('\n') {
        let bytes = line.as_bytes();
        if needs_no_encoding(bytes) {
            out.extend_from_slice(bytes);
            out.extend_from_slice(b"\r\n");
            continue;
        }
        let mut length = 0;
        for (position, &byte) in bytes.iter().enumerate() {
            let is_last = position + 1 == bytes.len();
            // What a relay might change: a leading full stop, a leading "From ", spaces at the end.
            let is_plain = |length: usize| match byte {
                b' ' | b'\t' => !is_last,
                b'.' | b'-' => length > 0,
                b'F' => length > 0 || !bytes.get(position..).is_some_and(|rest| rest.starts_with(b"From ")),
                b'=' => false,
                0x21..=0x7e => true,
                _ => false,
            };
            let width = |length: usize| if is_plain(length) { 1 } else { 3 };
            // A soft line break, unless at the very end, takes a place of its own.
            if length + width(length) > LINE_MAX - usize::from(!is_last) {
                out.extend_from_slice(b"=\r\n");
                length = 0;
            }
            if is_plain(length) {
                out.push(byte);
            } else {
                out.extend_from_slice(format!("={byte:02X}").as_bytes());
            }
            length += width(length);
        }
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Whether a line stands in quoted-printable as it is: most lines do, and are copied whole.
fn needs_no_encoding(line: &[u8]) -> bool {
    line.len() <= LINE_MAX
        && line.iter().all(|&byte| matches!(byte, b' '..=b'~') && byte != b'=')
        && !matches!(line, [b'.' | b'-', ..] | [.., b' '])
        && !line.starts_with(b"From ")
}

/// Base64 in lines of 76 characters.
#[must_use]
pub(crate) fn base64_lines(bytes: &[u8]) -> Vec<u8> {
    let text = STANDARD.encode(bytes);
    let mut out = Vec::with_capacity(text.len() + text.len() / 38 + 2);
    for line in text.as_bytes().chunks(LINE_MAX) {
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// A media type that is safe to declare. Messages and multiparts of strangers are bytes: read as
/// what they are, their headers would come to life on the way (ATTACKS D3).
#[must_use]
pub(super) fn media_type(declared: &str) -> String {
    let declared = declared.trim().to_ascii_lowercase();
    let is_token = |text: &str| {
        !text.is_empty() && text.len() <= 80 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'+' | b'_'))
    };
    match declared.split_once('/') {
        Some((kind, subtype)) if is_token(kind) && is_token(subtype) && !matches!(kind, "message" | "multipart") => declared,
        _ => "application/octet-stream".to_owned(),
    }
}

/// `; filename=…` for Content-Disposition, and `filename*=` beside it where the name is not ASCII (RFC 2231, RFC 6266).
#[must_use]
pub(super) fn filename(name: &str) -> String {
    let name: String = one_line(name).chars().take(120).collect();
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '/' | '%' | '=') || c == ' ' { c } else { '_' })
        .collect();
    if plain == name {
        return format!("; filename=\"{plain}\"");
    }
    // RFC 2231 §3: pieces, so that no line grows past its limit.
    let mut pieces = vec![String::from("utf-8''")];
    let mut buffer = [0; 4];
    for c in name.chars() {
        let encoded: String = if c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_') {
            c.to_string()
        } else {
            c.encode_utf8(&mut buffer).bytes().map(|byte| format!("%{byte:02X}")).collect()
        };
        match pieces.last_mut() {
            Some(piece) if piece.len() + encoded.len() <= 55 => piece.push_str(&encoded),
            _ => pieces.push(encoded),
        }
    }
    match pieces.as_slice() {
        [only] => format!(";\r\n filename*={only}"),
        many => many.iter().enumerate().map(|(index, piece)| format!(";\r\n filename*{index}*={piece}")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d1_no_value_begins_a_line_of_its_own() {
        for hostile in ["a\r\nBcc: x@y.example", "a\nBcc: x", "a\rBcc: x", "a\u{85}Bcc: x", "a\u{2028}Bcc: x", "=?utf-8?q?=0d=0aBcc:_x?="] {
            for value in [unstructured(hostile), phrase(hostile), filename(hostile).replace("\r\n ", "")] {
                assert!(value.bytes().all(|b| (0x20..0x7f).contains(&b)), "{value:?}");
                assert!(!value.contains("=?utf-8?q?"), "{value:?}");
            }
        }
    }

    #[test]
    fn d3_d4_text_is_seven_bit_short_and_has_no_line_of_a_full_stop() {
        let text = format!("a \r\n.\r\n\n.\n\r.\rFrom me\n-- \n{}\u{1F980}é=", "x".repeat(5_000));
        let encoded = String::from_utf8(quoted_printable(&text)).unwrap();
        for line in encoded.split("\r\n") {
            assert!(line.len() <= 76 && line.is_ascii() && !line.contains(['\r', '\n']), "{line:?}");
            assert!(!line.starts_with('.') && !line.starts_with("From ") && !line.ends_with(' '), "{line:?}");
        }
    }

    #[test]
    fn a_strangers_message_goes_along_as_bytes() {
        assert_eq!(media_type("message/rfc822"), "application/octet-stream");
        assert_eq!(media_type("text/plain; x=\"\r\nBcc: a\""), "application/octet-stream");
        assert_eq!(media_type("Image/PNG"), "image/png");
    }
}
