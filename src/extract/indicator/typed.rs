//! Text as it was meant: characters that nobody sees, wide forms of others, lines broken in transport.
//! And numbers with dots that count something and lead nowhere.

use super::expressions;
use std::borrow::Cow;

/// A soft line break of quoted-printable stands at the end of so long a line (RFC 2045 §6.7: 76 at most).
const SOFT_LINE_BYTES: std::ops::RangeInclusive<usize> = 60..=78;

expressions! {
    // RFC 3986 appendix C: between angle brackets a break is no part of the URL.
    ANGLED = r"(?i)<(?:URL:)?\s?((?:h[tx*]{2}ps?|f[tx]ps?)[^\s<>]+(?:[ \t]*\r?\n[ \t]*[^\s<>]+)+)>";
}

/// The text without invisible characters, in ASCII letters, digits and dots where it was written in
/// their wide forms, and without breaks that are none.
pub fn plain(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    if !text.is_ascii() && text.chars().any(|c| meant(c) != Some(c)) {
        text = Cow::Owned(text.chars().filter_map(meant).collect());
    }
    if text.contains("=\n") || text.contains("=\r\n") {
        text = Cow::Owned(joined(&text));
    }
    if text.contains('<')
        && text.contains('\n')
        && let Cow::Owned(whole) = ANGLED.replace_all(&text, |found: &regex::Captures<'_>| {
            format!("<{}>", found.get(1).map_or("", |inner| inner.as_str()).split_whitespace().collect::<String>())
        })
    {
        text = Cow::Owned(whole);
    }
    text
}

/// What a character stands for; none where nobody sees it.
fn meant(c: char) -> Option<char> {
    match c {
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => None,
        '\u{3002}' | '\u{ff61}' => Some('.'),
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0),
        _ => Some(c),
    }
}

/// Lines joined at a soft break that was not decoded.
fn joined(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let inner = line.trim_end_matches(['\r', '\n']);
        match inner.strip_suffix('=').filter(|_| SOFT_LINE_BYTES.contains(&inner.len())) {
            Some(begun) => whole.push_str(begun),
            None => whole.push_str(line),
        }
    }
    whole
}

/// Words before numbers with dots that are no addresses: "versi 1.2.3.4", "pasal 3.1.2.1".
const NUMBERS: &[&str] = &[
    "versi", "version", "ver", "v", "vers", "rilis", "release", "firmware", "build", "revisi", "revision", "patch", "kernel", "pasal",
    "bab", "butir", "ayat", "bagian", "section", "chapter", "poin", "point", "oid",
];
/// Words before a slash and an address: "tcp/198.51.100.7" is one, "nginx/1.18.0.2" is none.
const PROTOCOLS: &[&str] = &["tcp", "udp", "icmp", "ip", "host", "src", "dst"];
/// A longer word is none of these.
const WORD_BYTES_MAX: usize = 16;

/// Whether what follows this text counts something.
pub fn is_numbering(before: &str) -> bool {
    let tail = before.get(before.floor_char_boundary(before.len().saturating_sub(2 * WORD_BYTES_MAX))..).unwrap_or_default();
    let word = |text: &str| text.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default().to_ascii_lowercase();
    if let Some(path) = tail.strip_suffix('/') {
        let name = word(path);
        return name.ends_with(|c: char| c.is_ascii_alphabetic()) && !PROTOCOLS.contains(&name.as_str());
    }
    NUMBERS.contains(&word(tail.trim_end_matches([' ', ':', '.', '=', '-', '\t'])).as_str())
}
