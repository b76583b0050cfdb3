//! Header fields: unfolding, encoded words, addresses, identifiers, parameters. Addresses are taken
//! apart before anything is decoded (ATTACKS M6); every loop here is linear (M7).

use super::body;
use super::{Mailbox, part::Budget};
use crate::model::Address;
use jiff::Timestamp;
use mail_parser::{HeaderValue, parsers::MessageStream};

/// More mailboxes than this in one field are not read (M7).
pub const ADDRESSES_MAX: usize = 1_000;
/// A Content-Type or Content-Disposition is read to here; real ones stay under 2 KiB.
const PARAMETERS_BYTES_MAX: usize = 16 * 1024;
/// RFC 5322 §2.1.1: no identifier is longer than a line.
const ID_BYTES_MAX: usize = 998;
/// More identifiers than this are not looked at.
const IDS_MAX: usize = 10_000;
/// The first so many identifiers are kept (the start of the thread) …
pub const REFERENCES_FIRST: usize = 10;
/// … and the last so many (M3).
pub const REFERENCES_LAST: usize = 50;
/// A date is read to here (M8: comments of a megabyte).
const DATE_BYTES_MAX: usize = 256;

/// The value of a field with its line breaks taken out; not decoded. Bytes that are no UTF-8 are
/// read as windows-1252, which is what careless writers of raw headers use.
#[must_use]
pub fn unfold(value: &[u8]) -> String {
    let flat: Vec<u8> = value.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    body::utf8_or_windows(flat).trim().to_owned()
}

/// A value with parameters (RFC 2045 §5.1, RFC 2231).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters {
    /// The value before the first semicolon, lower case.
    pub value: String,
    /// Names in lower case; values decoded.
    pub attributes: Vec<(String, String)>,
}

impl Parameters {
    /// The first parameter of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Every parameter of that name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.attributes.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Reads a value with parameters.
#[must_use]
pub fn parameters(unfolded: &str) -> Parameters {
    let end = unfolded.floor_char_boundary(PARAMETERS_BYTES_MAX);
    let line = format!("{}\n", unfolded.get(..end).unwrap_or_default());
    let HeaderValue::ContentType(read) = MessageStream::new(line.as_bytes()).parse_content_type() else {
        return Parameters::default();
    };
    let value = match read.subtype() {
        Some(subtype) => format!("{}/{}", read.ctype(), subtype),
        None => read.ctype().to_owned(),
    };
    let attributes = read
        .attributes()
        .map(|all| all.iter().map(|a| (a.name.trim_end_matches('*').to_ascii_lowercase(), a.value.trim().to_owned())).collect())
        .unwrap_or_default();
    Parameters { value: value.trim().to_ascii_lowercase(), attributes }
}

/// Decodes the encoded words of RFC 2047; adjacent ones of one charset are joined before decoding,
/// since many writers split characters.
#[must_use]
pub fn decode_words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut pending: Option<(String, Vec<u8>)> = None;
    let mut rest = text;
    let flush = |pending: &mut Option<(String, Vec<u8>)>, out: &mut String| {
        if let Some((charset, bytes)) = pending.take() {
            out.push_str(&body::decode_charset(&bytes, Some(&charset), &mut Budget::default()));
        }
    };
    while let Some(at) = rest.find("=?") {
        let (before, from) = rest.split_at(at);
        let Some((charset, bytes, after)) = encoded_word(from) else {
            flush(&mut pending, &mut out);
            let keep = before.len() + 2;
            out.push_str(rest.get(..keep).unwrap_or_default());
            rest = rest.get(keep..).unwrap_or_default();
            continue;
        };
        // White space between two encoded words is no text (RFC 2047 §6.2).
        let is_adjacent = pending.is_some() && before.trim().is_empty();
        match &mut pending {
            Some((known, joined)) if is_adjacent && *known == charset => joined.extend_from_slice(&bytes),
            _ => {
                flush(&mut pending, &mut out);
                if !is_adjacent {
                    out.push_str(before);
                }
                pending = Some((charset, bytes));
            }
        }
        rest = after;
    }
    flush(&mut pending, &mut out);
    out.push_str(rest);
    out
}

/// One encoded word at the start of `text`: charset, bytes, what follows.
fn encoded_word(text: &str) -> Option<(String, Vec<u8>, &str)> {
    const CHARSET_BYTES_MAX: usize = 64;
    // RFC 2047 §2 allows 75; careless writers put a whole subject into one word.
    const WORD_BYTES_MAX: usize = 8 * 1024;
    let inner = text.strip_prefix("=?")?;
    let (charset, inner) = inner.split_at_checked(inner.bytes().take(CHARSET_BYTES_MAX).position(|byte| byte == b'?')?)?;
    let mut rest = inner.chars();
    let (_, encoding, _) = (rest.next()?, rest.next()?, rest.next().filter(|c| *c == '?')?);
    let content = rest.as_str();
    let end = memchr::memmem::find(content.as_bytes().get(..content.len().min(WORD_BYTES_MAX))?, b"?=")?;
    let (word, after) = (content.get(..end)?, content.get(end + 2..)?);
    let bytes = match encoding {
        'B' | 'b' => body::base64(word.as_bytes()),
        'Q' | 'q' => body::quoted_word(word.as_bytes()),
        _ => return None,
    };
    // RFC 2231 §5: a language may follow the charset.
    let charset = charset.split('*').next().unwrap_or_default().to_ascii_lowercase();
    Some((charset, bytes, after))
}

/// Text for people: C0, C1 and line separators become spaces; bidi controls and invisible
/// characters are written out, so that nobody is deceived by them (M6, M16).
#[must_use]
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    for c in text.chars() {
        let is_joiner_of_pictures = c == '\u{200d}' && before > '\u{2000}';
        match c {
            _ if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => out.push(' '),
            _ if is_invisible(c) && !is_joiner_of_pictures => out.extend(c.escape_unicode()),
            _ => out.push(c),
        }
        before = c;
    }
    out
}

/// Bidi controls, zero-width characters and tags: they change how text looks and not what it is.
#[must_use]
pub const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// The mailboxes of an address field (RFC 5322 §3.4, groups included), unfolded and not decoded.
#[must_use]
pub fn mailboxes(unfolded: &str, budget: &mut Budget) -> Vec<Mailbox> {
    let mut found = Vec::new();
    let mut word = Word::default();
    let mut quoted = false;
    let mut escaped = false;
    let mut comment_depth = 0_usize;
    for c in unfolded.chars() {
        if found.len() >= ADDRESSES_MAX {
            budget.note("too-many-addresses", &format!("only the first {ADDRESSES_MAX} of a field were read"));
            return found;
        }
        if escaped {
            escaped = false;
            word.push(c, comment_depth > 0);
            continue;
        }
        match c {
            '\\' if quoted || comment_depth > 0 => {
                escaped = true;
                word.push(c, comment_depth > 0);
            }
            '"' if comment_depth == 0 => {
                quoted = !quoted;
                word.push(c, false);
            }
            _ if quoted => word.push(c, false),
            '(' => {
                comment_depth += 1;
                if comment_depth > 1 {
                    word.push(c, true);
                }
            }
            ')' if comment_depth > 0 => {
                comment_depth -= 1;
                if comment_depth > 0 {
                    word.push(c, true);
                }
            }
            _ if comment_depth > 0 => word.push(c, true),
            ':' if word.angle.is_none() && !word.plain.contains('@') => word = Word::default(),
            ',' | ';' if word.angle.is_none() || word.is_closed => found.extend(std::mem::take(&mut word).finish(budget)),
            '<' if word.angle.is_none() => word.angle = Some(String::new()),
            '<' => {
                // A second address without a comma: two mailboxes, so that it is never the one sender (P3).
                found.extend(std::mem::take(&mut word).finish(budget));
                word.angle = Some(String::new());
            }
            '>' if word.angle.is_some() => word.is_closed = true,
            // It closes nothing: the field is written by no mail program, and what it means nobody knows (L16).
            '>' => {
                word.is_broken = true;
                word.push(c, false);
            }
            _ if word.is_closed && !c.is_whitespace() => {
                found.extend(std::mem::take(&mut word).finish(budget));
                word.push(c, false);
            }
            _ => word.push(c, false),
        }
    }
    found.extend(word.finish(budget));
    found
}

/// One mailbox while it is read.
#[derive(Default)]
struct Word {
    plain: String,
    angle: Option<String>,
    comment: String,
    is_closed: bool,
    is_broken: bool,
}

impl Word {
    fn push(&mut self, c: char, is_comment: bool) {
        match &mut self.angle {
            _ if is_comment => self.comment.push(c),
            Some(angle) if !self.is_closed => angle.push(c),
            Some(_) => {}
            None => self.plain.push(c),
        }
    }

    fn finish(self, budget: &mut Budget) -> Option<Mailbox> {
        let plain = self.plain.trim();
        let (typed, name) = match &self.angle {
            Some(angle) => (angle.trim(), plain),
            None => (plain, self.comment.trim()),
        };
        if typed.is_empty() && name.is_empty() && self.angle.is_none() {
            return None;
        }
        // A source route (RFC 5322 §4.4) names other hosts before the mailbox.
        let bare = match typed.strip_prefix('@').and_then(|route| route.split_once(':')) {
            Some((_, mailbox)) => mailbox,
            None => typed,
        };
        // White space round the dots and the @ is obsolete syntax (RFC 5322 §4.4); within quotes it is an attack.
        let bare: String = if bare.contains('"') { bare.to_owned() } else { bare.split_whitespace().collect() };
        if bare.contains("=?") {
            budget.note("encoded-address", "an address with encoded words is none (RFC 2047 section 5)");
        }
        // An angle that nothing closes is as odd as one that nothing opens.
        let is_broken = self.is_broken || self.angle.is_some() && !self.is_closed;
        let address = if is_broken || bare.contains("=?") { None } else { Address::parse(&to_a_labels(&bare)) };
        Some(Mailbox {
            name: name_of(name),
            typed: visible(&self.angle.as_deref().unwrap_or(plain).chars().take(320).collect::<String>()),
            address,
        })
    }
}

/// The domain of an address as A-labels (RFC 5891); the text as it is where that cannot be.
fn to_a_labels(bare: &str) -> String {
    match bare.rsplit_once('@') {
        Some((local, domain)) if !domain.is_ascii() && domain.len() < 256 => {
            idna::domain_to_ascii(domain).map_or_else(|_| bare.to_owned(), |ascii| format!("{local}@{ascii}"))
        }
        _ => bare.to_owned(),
    }
}

fn name_of(typed: &str) -> String {
    const NAME_CHARS_MAX: usize = 200;
    let mut plain = String::with_capacity(typed.len());
    let mut escaped = false;
    for c in typed.chars().take(4 * NAME_CHARS_MAX) {
        match c {
            _ if escaped => {
                escaped = false;
                plain.push(c);
            }
            '\\' => escaped = true,
            '"' => {}
            _ => plain.push(c),
        }
    }
    visible(&decode_words(&plain)).split_whitespace().collect::<Vec<_>>().join(" ").chars().take(NAME_CHARS_MAX).collect()
}

/// The identifiers of a Message-ID, In-Reply-To or References value, without angle brackets.
#[must_use]
pub fn identifiers(unfolded: &str) -> Vec<String> {
    let mut found = Vec::new();
    if unfolded.contains('<') {
        for piece in unfolded.split('<').skip(1).take(IDS_MAX) {
            let id: String = piece.split('>').next().unwrap_or_default().split_whitespace().collect();
            if !id.is_empty() && id.len() <= ID_BYTES_MAX {
                found.push(visible(&id));
            }
        }
    } else {
        let bare = unfolded.split_whitespace().take(IDS_MAX).filter(|id| id.contains('@') && id.len() <= ID_BYTES_MAX);
        found.extend(bare.map(visible));
    }
    found
}

/// The first and the last identifiers of a long thread (M3).
#[must_use]
pub fn first_and_last(mut ids: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    ids.retain(|id| seen.insert(id.clone()));
    if ids.len() > REFERENCES_FIRST + REFERENCES_LAST {
        let last = ids.split_off(ids.len() - REFERENCES_LAST);
        ids.truncate(REFERENCES_FIRST);
        ids.extend(last);
    }
    ids
}

/// The time of a Date field.
#[must_use]
pub fn date(unfolded: &str) -> Option<Timestamp> {
    let line: String = unfolded.chars().take(DATE_BYTES_MAX).chain(std::iter::once('\n')).collect();
    match MessageStream::new(line.as_bytes()).parse_date() {
        HeaderValue::DateTime(read) if read.is_valid() => Timestamp::from_second(read.to_timestamp()).ok(),
        _ => None,
    }
}
