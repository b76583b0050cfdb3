//! A letter to RFC 5322 bytes: typed values in, 7-bit CRLF lines out. It neither signs nor
//! encrypts, and writes no field but those of contract 4.

use super::encode::{base64_lines, field, filename, media_type, phrase, quoted_printable, unstructured};
use crate::model::letter::{AutoSubmitted, Enclosure, Letter};
use crate::model::{Address, Sha256};
use jiff::Timestamp;

/// Characters of References kept: the first and the last ones that fit (RFC 5322 §2.1.1 has no limit, servers have).
const REFERENCES_MAX: usize = 20;

/// Characters of a line of filling, its end included.
const FILLER_LINE: usize = 72;

/// Who writes: the `From` of everything that is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Center {
    pub name: String,
    pub address: Address,
}

impl Center {
    /// The address that brings answers and bounces back with the letter's token, or the plain one.
    #[must_use]
    pub fn return_address(&self, token: Option<&str>) -> Option<Address> {
        match token {
            Some(token) => Address::parse(&format!("{}+{token}@{}", self.address.local(), self.address.domain())),
            None => Some(self.address.clone()),
        }
    }
}

/// Header fields in their order, each with its value folded and encoded.
#[derive(Debug, Clone, Default)]
pub struct Fields(Vec<(&'static str, String)>);

impl Fields {
    /// The fields of a letter, under this subject.
    #[must_use]
    pub fn of(letter: &Letter, center: &Center, subject: &str, date: Timestamp) -> Self {
        let mut fields = vec![("From", mailbox(&center.name, &center.address)), ("To", mailbox(&letter.to_name, &letter.to))];
        if letter.token.is_some()
            && let Some(address) = center.return_address(letter.token.as_deref())
        {
            fields.push(("Reply-To", address.to_string()));
        }
        fields.push(("Subject", unstructured(subject)));
        // RFC 5322 §3.3; the day and month names are English whatever the locale.
        fields.push(("Date", date.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()));
        fields.push(("Message-ID", format!("<{}>", letter.message_id)));
        if let Some(id) = letter.in_reply_to.as_deref().filter(|id| is_message_id(id)) {
            fields.push(("In-Reply-To", format!("<{id}>")));
        }
        let references = references(letter);
        if !references.is_empty() {
            fields.push(("References", references));
        }
        if letter.auto_submitted != AutoSubmitted::No {
            fields.push(("Auto-Submitted", letter.auto_submitted.word().to_owned()));
        }
        if let Some(ticket) = &letter.ticket {
            fields.push(("X-Bantuan70-Ticket", unstructured(&ticket.0)));
        }
        Self(fields)
    }

    /// Adds a field whose value is ASCII words between single spaces.
    pub fn push(&mut self, name: &'static str, value: String) {
        self.0.push((name, value));
    }

    /// As header lines.
    #[must_use]
    pub fn lines(&self) -> String {
        self.0.iter().map(|(name, value)| field(name, value)).collect()
    }

    /// As `HP-Outer` lines: what stands outside, repeated inside (RFC 9788 §2.2).
    #[must_use]
    pub fn outer_lines(&self) -> String {
        self.0.iter().map(|(name, value)| field("HP-Outer", &format!("{name}: {value}"))).collect()
    }
}

/// A MIME entity that can still take parameters and fields.
#[derive(Debug, Clone)]
pub struct Body {
    content_type: String,
    transfer_encoding: &'static str,
    disposition: Option<String>,
    content: Vec<u8>,
}

impl Body {
    /// Text, HTML, enclosures and the centre's certificate of a letter.
    #[must_use]
    pub fn of(letter: &Letter, certificate: Option<&[u8]>) -> Self {
        let text = Self::text("plain", &letter.text);
        let readable = match &letter.html {
            Some(html) => Self::multipart("alternative", &boundary('a', letter), &[text, Self::text("html", html)]),
            None => text,
        };
        let mut parts = vec![readable];
        parts.extend(letter.enclosures.iter().map(Self::enclosure));
        parts.extend(certificate.map(|armored| Self {
            content_type: "application/pgp-keys".to_owned(),
            transfer_encoding: "7bit",
            disposition: Some("attachment; filename=\"openpgp-certificate.asc\"".to_owned()),
            content: armored.iter().filter(|&&b| b != b'\r').flat_map(|&b| if b == b'\n' { vec![b'\r', b'\n'] } else { vec![b] }).collect(),
        }));
        match (parts.pop(), parts.is_empty()) {
            (Some(only), true) => only,
            (last, _) => {
                parts.extend(last);
                Self::multipart("mixed", &boundary('m', letter), &parts)
            }
        }
    }

    /// As [`Self::with`], inside a multipart whose epilogue, which no client shows, fills it up to
    /// the number of bytes that `padded` makes of its length.
    #[must_use]
    pub fn filled(self, letter: &Letter, parameters: &str, lines: &str, padded: impl Fn(usize) -> usize) -> Vec<u8> {
        let mut bytes = Self::multipart("mixed", &boundary('f', letter), &[self]).with(parameters, lines);
        let mut missing = padded(bytes.len()).saturating_sub(bytes.len());
        while missing > 0 {
            // Spaces, so that whoever looks at the raw text sees nothing; the line end counts too.
            let line = missing.min(FILLER_LINE);
            bytes.extend(std::iter::repeat_n(b' ', line.saturating_sub(2)));
            bytes.extend_from_slice(b"\r\n".get(..line.min(2)).unwrap_or_default());
            missing -= line;
        }
        bytes
    }

    fn text(subtype: &str, text: &str) -> Self {
        Self {
            content_type: format!("text/{subtype}; charset=utf-8"),
            transfer_encoding: "quoted-printable",
            disposition: None,
            content: quoted_printable(text),
        }
    }

    fn enclosure(enclosure: &Enclosure) -> Self {
        Self {
            content_type: media_type(&enclosure.media_type),
            transfer_encoding: "base64",
            disposition: Some(format!("attachment{}", filename(&enclosure.name))),
            content: base64_lines(&enclosure.content),
        }
    }

    fn multipart(subtype: &str, boundary: &str, parts: &[Self]) -> Self {
        let parts: Vec<Vec<u8>> = parts.iter().map(|part| part.with("", "")).collect();
        let (parameters, content) = framed(boundary, &parts);
        Self { content_type: format!("multipart/{subtype}{parameters}"), transfer_encoding: "7bit", disposition: None, content }
    }

    /// The entity's bytes, with more Content-Type parameters (`; name="value"`) and header lines put in.
    #[must_use]
    pub fn with(&self, parameters: &str, lines: &str) -> Vec<u8> {
        let mut head = format!("Content-Type: {}{parameters}\r\n", self.content_type);
        head.push_str(&format!("Content-Transfer-Encoding: {}\r\n", self.transfer_encoding));
        if let Some(disposition) = &self.disposition {
            head.push_str(&format!("Content-Disposition: {disposition}\r\n"));
        }
        head.push_str(lines);
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.content);
        bytes
    }
}

/// The boundary parameter and the body of a multipart.
#[must_use]
pub fn framed(boundary: &str, parts: &[Vec<u8>]) -> (String, Vec<u8>) {
    let mut body = Vec::with_capacity(parts.iter().map(|part| part.len() + 80).sum());
    for part in parts {
        body.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        body.extend_from_slice(part);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (format!(";\r\n boundary=\"{boundary}\""), body)
}

/// A boundary that comes from the letter alone, so that writing it twice gives the same bytes.
/// `=_` stands in no quoted-printable and no base64 text (RFC 2045 §6.7). None begins another.
#[must_use]
pub fn boundary(mark: char, letter: &Letter) -> String {
    let digest = Sha256::of(letter.message_id.as_bytes()).0;
    format!("=_{mark}{}", digest.get(..32).unwrap_or_default())
}

/// Whether an identifier can stand between angle brackets (RFC 5322 §3.6.4, without its obsolete forms).
#[must_use]
pub fn is_message_id(id: &str) -> bool {
    id.len() <= 250
        && id.contains('@')
        && id.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>' | b'(' | b')' | b'\\' | b','))
}

fn mailbox(name: &str, address: &Address) -> String {
    if name.trim().is_empty() { address.to_string() } else { format!("{} <{address}>", phrase(name)) }
}

fn references(letter: &Letter) -> String {
    let ids: Vec<&String> = letter.references.iter().filter(|id| is_message_id(id)).collect();
    let kept: Vec<String> = match ids.as_slice() {
        // The first is what every client threads by.
        [first, .., last] if ids.len() > REFERENCES_MAX => {
            let tail = ids.get(ids.len() - (REFERENCES_MAX - 1)..).unwrap_or(std::slice::from_ref(last));
            std::iter::once(first).chain(tail).map(|id| format!("<{id}>")).collect()
        }
        all => all.iter().map(|id| format!("<{id}>")).collect(),
    };
    kept.join(" ")
}
