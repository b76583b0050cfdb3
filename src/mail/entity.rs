//! One strict reading of a MIME entity on its raw bytes, for `multipart/signed` and
//! `multipart/encrypted` alone. Whatever two readers could understand in two ways is refused here;
//! general mail, which must be read whatever it is, goes through [`super::read`].

use mail_parser::MessageParser;
use std::borrow::Cow;
use std::ops::Range;

/// Bytes of a header block. Real ones stay below 64 KiB.
const HEADER_BYTES_MAX: usize = 256 * 1024;
/// Fields of a header block. Real ones stay below 200.
const FIELDS_MAX: usize = 1_000;
/// Parts of a multipart that is looked into. The forms of RFC 3156 have two, Exchange's has three.
const PARTS_MAX: usize = 16;

/// Why an entity has more than one reading, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ambiguity {
    /// A line of the header is no field, or the header is too large.
    Header,
    /// Two Content-Type or two Content-Transfer-Encoding fields.
    TwoContentTypes,
    /// A Content-Type that cannot be read, or with a parameter given twice or in pieces.
    Parameters,
    /// The boundary is empty, too long, or another delimiter begins like it.
    Boundary,
    /// The closing delimiter is missing, or another delimiter follows it.
    End,
    TooManyParts,
    /// A carriage return that ends no line.
    BareCr,
}

impl Ambiguity {
    /// For people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Header => "the header cannot be read without doubt",
            Self::TwoContentTypes => "two Content-Type fields",
            Self::Parameters => "the Content-Type has more than one reading",
            Self::Boundary => "the boundary has more than one reading",
            Self::End => "the end of the parts is missing or doubled",
            Self::TooManyParts => "too many parts",
            Self::BareCr => "a carriage return stands alone",
        }
    }
}

/// One header field as it stands in the raw bytes.
#[derive(Debug, Clone)]
pub struct Field<'a> {
    pub name: &'a str,
    /// Unfolded, not decoded; bytes that are no UTF-8 are replaced.
    pub value: String,
    range: Range<usize>,
}

/// A media type with its parameters, names in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaType {
    /// Lower case: `multipart/signed`.
    pub essence: String,
    parameters: Vec<(String, String)>,
}

impl MediaType {
    /// RFC 2045 §5.2: what holds where nothing is said.
    fn plain_text() -> Self {
        Self { essence: "text/plain".to_owned(), parameters: Vec::new() }
    }

    /// The value of a parameter.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// Whether a parameter has this value, letter case aside.
    #[must_use]
    pub fn parameter_is(&self, name: &str, value: &str) -> bool {
        self.parameter(name).is_some_and(|other| other.eq_ignore_ascii_case(value))
    }
}

/// A MIME entity: its header block and its body, as ranges of the bytes it was read from.
#[derive(Debug, Clone)]
pub struct Entity<'a> {
    raw: &'a [u8],
    fields: Vec<Field<'a>>,
    body: Range<usize>,
    media_type: MediaType,
}

impl<'a> Entity<'a> {
    /// Reads header and media type.
    ///
    /// # Errors
    /// Where they have more than one reading.
    pub fn read(raw: &'a [u8]) -> Result<Self, Ambiguity> {
        let (fields, body_start) = read_fields(raw)?;
        if count(&fields, "Content-Transfer-Encoding") > 1 || count(&fields, "Content-Type") > 1 {
            return Err(Ambiguity::TwoContentTypes);
        }
        let media_type = match fields.iter().find(|field| field.name.eq_ignore_ascii_case("Content-Type")) {
            Some(field) => media_type(&field.value)?,
            None => MediaType::plain_text(),
        };
        Ok(Self { raw, fields, body: body_start..raw.len(), media_type })
    }

    /// The bytes of the entity as they were read.
    #[must_use]
    pub const fn raw(&self) -> &'a [u8] {
        self.raw
    }

    #[must_use]
    pub const fn media_type(&self) -> &MediaType {
        &self.media_type
    }

    /// The fields in their order.
    #[must_use]
    pub fn fields(&self) -> &[Field<'a>] {
        &self.fields
    }

    /// The value of a field that stands exactly once.
    #[must_use]
    pub fn field_once(&self, name: &str) -> Option<&str> {
        let mut found = self.fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
        match (found.next(), found.next()) {
            (Some(field), None) => Some(&field.value),
            _ => None,
        }
    }

    /// How many fields of that name there are.
    #[must_use]
    pub fn field_count(&self, name: &str) -> usize {
        count(&self.fields, name)
    }

    /// The body, transfer encoding and all.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.raw.get(self.body.clone()).unwrap_or_default()
    }

    /// The body, transfer encoding taken off.
    #[must_use]
    pub fn content(&self) -> Cow<'a, [u8]> {
        let encoding = self.field_once("Content-Transfer-Encoding").unwrap_or("7bit").trim().to_ascii_lowercase();
        if !matches!(encoding.as_str(), "base64" | "quoted-printable") {
            return Cow::Borrowed(self.body());
        }
        // A header of our own, so that the decoder never looks at what the entity says of itself.
        let mut bytes = format!("Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n").into_bytes();
        bytes.extend_from_slice(self.body());
        let message = MessageParser::default().parse(&bytes);
        Cow::Owned(message.and_then(|message| message.parts.first().map(|part| part.contents().to_vec())).unwrap_or_default())
    }

    /// The entity with only those header fields that `keep` accepts by their name.
    #[must_use]
    pub fn with_fields(&self, keep: impl Fn(&str) -> bool) -> Cow<'a, [u8]> {
        if self.fields.iter().all(|field| keep(field.name)) {
            return Cow::Borrowed(self.raw);
        }
        let mut bytes = Vec::with_capacity(self.raw.len());
        for field in self.fields.iter().filter(|field| keep(field.name)) {
            bytes.extend_from_slice(self.raw.get(field.range.clone()).unwrap_or_default());
            if !bytes.ends_with(b"\n") {
                bytes.extend_from_slice(b"\r\n");
            }
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(self.body());
        Cow::Owned(bytes)
    }

    /// The header alone, with those fields that `keep` accepts by their name.
    #[must_use]
    pub fn header_with(&self, keep: impl Fn(&str) -> bool) -> Vec<u8> {
        let header =
            Entity { raw: self.raw.get(..self.body.start).unwrap_or_default(), body: self.body.start..self.body.start, ..self.clone() };
        header.with_fields(keep).into_owned()
    }

    /// The parts of a multipart, as exact bytes: the line end before a delimiter belongs to the
    /// delimiter (RFC 2046 §5.1.1). Preamble and epilogue are left out.
    ///
    /// # Errors
    /// Where they can be told apart in more than one way, or not at all.
    pub fn parts(&self) -> Result<Vec<&'a [u8]>, Ambiguity> {
        let boundary = self.media_type.parameter("boundary").ok_or(Ambiguity::Boundary)?;
        // RFC 2046 §5.1.1: 1 to 70 characters, no white space at the end.
        if boundary.is_empty()
            || boundary.len() > 70
            || boundary.ends_with([' ', '\t'])
            || !boundary.bytes().all(|b| (0x20..0x7f).contains(&b))
        {
            return Err(Ambiguity::Boundary);
        }
        let body = self.body();
        let delimiter = format!("--{boundary}").into_bytes();
        let mut parts = Vec::new();
        let mut part_start = None;
        let mut is_closed = false;
        for line in lines(body) {
            let Some(rest) = body.get(line.clone()).and_then(|line| line.strip_prefix(delimiter.as_slice())) else { continue };
            if is_closed {
                return Err(Ambiguity::End);
            }
            let (is_close, padding) = match rest.strip_prefix(b"--") {
                Some(padding) => (true, padding),
                None => (false, rest),
            };
            if !padding.iter().all(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n')) {
                return Err(Ambiguity::Boundary);
            }
            if let Some(start) = part_start {
                let part: &'a [u8] = body.get(start..line.start).unwrap_or_default();
                parts.push(without_line_end(part));
                if parts.len() > PARTS_MAX {
                    return Err(Ambiguity::TooManyParts);
                }
            }
            is_closed = is_close;
            part_start = (!is_close).then_some(line.end);
        }
        if is_closed && !parts.is_empty() { Ok(parts) } else { Err(Ambiguity::End) }
    }
}

/// The bytes with CRLF at each line's end, as they are hashed for a signature (RFC 3156 §5).
///
/// # Errors
/// Where a CR stands alone: readers disagree whether a line ends there.
pub fn canonical(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Ambiguity> {
    let mut bare_line_feeds = 0;
    let mut previous = 0;
    for &byte in bytes {
        if previous == b'\r' && byte != b'\n' {
            return Err(Ambiguity::BareCr);
        }
        bare_line_feeds += usize::from(byte == b'\n' && previous != b'\r');
        previous = byte;
    }
    if previous == b'\r' {
        return Err(Ambiguity::BareCr);
    }
    if bare_line_feeds == 0 {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut out = Vec::with_capacity(bytes.len() + bare_line_feeds);
    for &byte in bytes {
        if byte == b'\n' && out.last() != Some(&b'\r') {
            out.push(b'\r');
        }
        out.push(byte);
    }
    Ok(Cow::Owned(out))
}

/// Ranges of the lines, their ends included.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = bytes.get(start..).filter(|rest| !rest.is_empty())?;
        let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let line = start..start + length;
        start += length;
        Some(line)
    })
}

fn without_line_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

fn count(fields: &[Field<'_>], name: &str) -> usize {
    fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name)).count()
}

/// The fields, and where the body begins.
fn read_fields(raw: &[u8]) -> Result<(Vec<Field<'_>>, usize), Ambiguity> {
    let mut fields: Vec<Field<'_>> = Vec::new();
    for line in lines(raw) {
        if line.end > HEADER_BYTES_MAX || fields.len() > FIELDS_MAX {
            return Err(Ambiguity::Header);
        }
        let bytes = without_line_end(raw.get(line.clone()).unwrap_or_default());
        if bytes.is_empty() {
            return Ok((fields, line.end));
        }
        if bytes.contains(&b'\r') || bytes.contains(&0) {
            return Err(Ambiguity::Header);
        }
        let text = String::from_utf8_lossy(bytes);
        if bytes.starts_with(b" ") || bytes.starts_with(b"\t") {
            let field = fields.last_mut().ok_or(Ambiguity::Header)?;
            field.value.push_str(&text);
            field.range.end = line.end;
            continue;
        }
        let colon = bytes.iter().position(|&b| b == b':').ok_or(Ambiguity::Header)?;
        let name = bytes.get(..colon).and_then(|name| std::str::from_utf8(name).ok()).ok_or(Ambiguity::Header)?;
        // RFC 5322 §2.2: a name is printable ASCII. A space before the colon is read by some and not by others.
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Ambiguity::Header);
        }
        let value = text.split_once(':').map(|(_, value)| value.to_owned()).unwrap_or_default();
        fields.push(Field { name, value, range: line });
    }
    // The header never ended: an entity without a body.
    Ok((fields, raw.len()))
}

/// Reads a Content-Type: `type/subtype; name=value; name="quoted"`. RFC 2231 pieces (`boundary*0`) are refused.
fn media_type(value: &str) -> Result<MediaType, Ambiguity> {
    let value = without_comments(value)?;
    let mut rest = value.as_str();
    let essence = take_until(&mut rest, ';').trim().to_ascii_lowercase();
    let is_token = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && !"()<>@,;:\\\"/[]?=".contains(c));
    match essence.split_once('/') {
        Some((kind, subtype)) if is_token(kind) && is_token(subtype) => {}
        _ => return Err(Ambiguity::Parameters),
    }
    let mut parameters: Vec<(String, String)> = Vec::new();
    while !rest.trim().is_empty() {
        let name = take_until(&mut rest, '=').trim().to_ascii_lowercase();
        if !is_token(&name) || name.contains('*') && ["boundary*", "protocol*"].iter().any(|split| name.starts_with(split)) {
            return Err(Ambiguity::Parameters);
        }
        let value = parameter_value(&mut rest)?;
        if parameters.iter().any(|(other, _)| *other == name) {
            return Err(Ambiguity::Parameters);
        }
        parameters.push((name, value));
    }
    Ok(MediaType { essence, parameters })
}

/// A parameter's value, and with it the semicolon behind.
fn parameter_value(rest: &mut &str) -> Result<String, Ambiguity> {
    let trimmed = rest.trim_start();
    let Some(quoted) = trimmed.strip_prefix('"') else {
        *rest = trimmed;
        let value = take_until(rest, ';').trim();
        return if value.is_empty() || value.contains([' ', '\t', '"']) { Err(Ambiguity::Parameters) } else { Ok(value.to_owned()) };
    };
    let mut value = String::new();
    let mut characters = quoted.chars();
    loop {
        match characters.next() {
            None => return Err(Ambiguity::Parameters),
            Some('"') => break,
            Some('\\') => value.push(characters.next().ok_or(Ambiguity::Parameters)?),
            Some(c) => value.push(c),
        }
    }
    let mut after = characters.as_str();
    let gap = take_until(&mut after, ';');
    *rest = after;
    if gap.trim().is_empty() { Ok(value) } else { Err(Ambiguity::Parameters) }
}

/// What stands before `mark`, which is taken off too; all of it where there is none.
fn take_until<'a>(rest: &mut &'a str, mark: char) -> &'a str {
    let (head, tail) = rest.split_once(mark).unwrap_or((rest, ""));
    *rest = tail;
    head
}

/// Comments (RFC 5322 §3.2.2) taken off; quoted strings stay.
fn without_comments(value: &str) -> Result<String, Ambiguity> {
    let mut out = String::with_capacity(value.len());
    let mut depth = 0_u32;
    let mut in_quotes = false;
    let mut characters = value.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' if in_quotes || depth > 0 => {
                let escaped = characters.next().ok_or(Ambiguity::Parameters)?;
                if depth == 0 {
                    out.extend([c, escaped]);
                }
            }
            '"' if depth == 0 => {
                in_quotes = !in_quotes;
                out.push(c);
            }
            '(' if !in_quotes => depth += 1,
            ')' if !in_quotes && depth > 0 => depth -= 1,
            _ if depth == 0 => out.push(c),
            _ => {}
        }
    }
    if depth == 0 { Ok(out) } else { Err(Ambiguity::Parameters) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts_of(content_type: &str, body: &str) -> Result<Vec<String>, Ambiguity> {
        let raw = format!("Content-Type: {content_type}\r\n\r\n{body}");
        let entity = Entity::read(raw.as_bytes())?;
        Ok(entity.parts()?.into_iter().map(|part| String::from_utf8_lossy(part).into_owned()).collect())
    }

    #[test]
    fn p7_the_parts_are_the_exact_bytes_between_the_boundaries() {
        let body = "preamble\r\n--a b\r\n\r\none \r\n\r\n--a b  \r\nX: y\r\n\r\ntwo\r\n--a b--\r\nepilogue\r\n";
        let parts = parts_of("multipart/signed; boundary=\"a b\"; (a comment) protocol=x/y", body).unwrap();
        assert_eq!(parts, ["\r\none \r\n", "X: y\r\n\r\ntwo"]);
        let with_lf = body.replace("\r\n", "\n");
        assert_eq!(parts_of("multipart/signed; boundary=\"a b\"", &with_lf).unwrap(), ["\none \n", "X: y\n\ntwo"]);
    }

    #[test]
    fn p28_m1_what_has_two_readings_has_none() {
        let body = "--a\r\n\r\none\r\n--a--\r\n";
        for content_type in [
            "multipart/signed; boundary=a; boundary=b",
            "multipart/signed; boundary=a; boundary=a",
            "multipart/signed; boundary*0=a",
            "multipart/signed; boundary=",
            "multipart/signed; boundary=\"a \"",
            "multipart/signed; boundary=\"a",
            "multipart/signed; boundary=\"a\" b",
            "multipart/signed; boundary=a b",
            "multipart/signed boundary=a",
            "multipart/signed; boundary=a (open",
            "multipart/signed",
            "multipart/signed; boundary=a\r\nContent-Type: text/plain",
            "multipart/signed; boundary=a\r\nContent-Type : text/plain",
            "multipart/signed; boundary=a\r\nno field",
        ] {
            assert!(parts_of(content_type, body).is_err(), "{content_type}");
        }
        for body in
            ["--a\r\n\r\none\r\n", "--a\r\n\r\none\r\n--ab\r\n--a--\r\n", "--a\r\n\r\none\r\n--a--\r\n--a\r\n\r\ntwo\r\n--a--\r\n", "none"]
        {
            assert!(parts_of("multipart/signed; boundary=a", body).is_err(), "{body}");
        }
    }

    #[test]
    fn a_line_feed_becomes_crlf_and_a_lone_cr_is_refused() {
        assert_eq!(&*canonical(b"a\nb\r\nc").unwrap(), b"a\r\nb\r\nc");
        assert_eq!(canonical(b"a\rb"), Err(Ambiguity::BareCr));
        assert_eq!(canonical(b"a\r"), Err(Ambiguity::BareCr));
    }

    #[test]
    fn transfer_encodings_come_off_and_fields_can_be_left_out() {
        let raw = b"From: a@b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n";
        let entity = Entity::read(raw).unwrap();
        assert_eq!(&*entity.content(), b"ABC");
        assert_eq!(&*entity.with_fields(|name| name.starts_with("Content-")), raw.get(11..).unwrap());
    }
}
