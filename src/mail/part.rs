//! The MIME tree, split with a limit on everything (ATTACKS M1-M4). mail-parser reads the fields;
//! the splitting is done here in linear time, since the crate scans again for each open boundary.
//! Nothing here decodes a body.

use super::field::{self, Parameters};
use crate::extract::file::Allowance;
use crate::model::Damage;
use memchr::memmem;

/// Nested deeper than this, a part stays one raw attachment (M3: real mail stays under ten).
pub const DEPTH_MAX: usize = 64;
/// More parts than this stay together as one raw attachment (M3).
pub const PARTS_MAX: usize = 10_000;
/// More header fields than this are not read (M3).
pub const HEADERS_MAX: usize = 10_000;
/// A header field is cut here (M3).
pub const HEADER_BYTES_MAX: usize = 256 * 1024;
/// RFC 2046 §5.1.1 allows 70; writers that exceed it are read all the same, to here.
const BOUNDARY_BYTES_MAX: usize = 998;
/// Each level is looked through once; a large mail in many levels stops here.
const SCAN_BYTES_MAX: usize = 1 << 30;
/// White space after a boundary is skipped to here.
const BLANKS_MAX: usize = 998;
/// How many boundaries a part may claim before the rest is not tried.
const BOUNDARIES_MAX: usize = 4;
/// HTML that is parsed in one message, all its parts together: parsing costs a second for some ten
/// megabytes. Past it tags are taken off by hand.
const PARSED_HTML_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The text taken out of all attachments together, attached messages included.
const ATTACHMENT_TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A header field as it stands in the bytes: the name, and the value still folded.
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    pub name: &'a str,
    pub value: &'a [u8],
}

/// An entity: header and body, and what it holds where it is a multipart.
#[derive(Debug, Clone)]
pub struct Part<'a> {
    pub fields: Vec<Field<'a>>,
    pub body: &'a [u8],
    /// `type/subtype`, lower case; what the context implies where the part says nothing.
    pub media_type: String,
    pub content_type: Parameters,
    pub disposition: Parameters,
    /// The entities of a multipart, in their order.
    pub children: Vec<Part<'a>>,
    /// Read by a second boundary that the part claimed as well: attachments, never body text.
    pub others: Vec<Part<'a>>,
}

impl<'a> Part<'a> {
    /// The unfolded values of all fields of that name.
    pub fn values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = String> + 's {
        self.fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field::unfold(field.value))
    }

    /// The transfer encoding, lower case; the first of several.
    #[must_use]
    pub fn transfer_encoding(&self) -> String {
        self.values("Content-Transfer-Encoding").next().map_or_else(String::new, |value| {
            value.split([';', '(']).next().unwrap_or_default().trim().trim_matches('"').to_ascii_lowercase()
        })
    }

    /// The Content-ID without angle brackets.
    #[must_use]
    pub fn content_id(&self) -> Option<String> {
        self.values("Content-ID").next().map(|value| value.trim().trim_matches(['<', '>']).to_owned()).filter(|id| !id.is_empty())
    }

    /// Says to be an attachment.
    #[must_use]
    pub fn says_attachment(&self) -> bool {
        self.disposition.value == "attachment"
    }
}

/// What is left to spend on one message, its nested messages included.
#[derive(Debug)]
pub struct Budget {
    pub parts: usize,
    /// Bytes that may still be looked through for boundaries.
    scan: usize,
    /// Bytes of HTML that may still be parsed.
    pub html: usize,
    /// Bytes of text that may still be taken out of attachments.
    pub text: usize,
    /// What reading its files may still cost.
    pub files: Allowance,
    pub damage: Vec<Damage>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            parts: PARTS_MAX,
            scan: SCAN_BYTES_MAX,
            html: PARSED_HTML_BYTES_MAX,
            text: ATTACHMENT_TEXT_BYTES_MAX,
            files: Allowance::default(),
            damage: Vec::new(),
        }
    }
}

impl Budget {
    /// Notes a finding; each kind once (M5: a note per kind, not per byte).
    pub fn note(&mut self, code: &str, detail: &str) {
        if !self.damage.iter().any(|known| known.code == code) {
            self.damage.push(Damage::new(code, detail));
        }
    }
}

/// Splits the header of `raw` from its body.
#[must_use]
pub fn split_header<'a>(raw: &'a [u8], budget: &mut Budget) -> (Vec<Field<'a>>, &'a [u8]) {
    let mut fields: Vec<Field<'a>> = Vec::new();
    let mut at = 0;
    while let Some(rest) = raw.get(at..).filter(|rest| !rest.is_empty()) {
        let line_len = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        let (line, after) = rest.split_at_checked(line_len).unwrap_or((rest, &[]));
        if line.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
            return (fields, after);
        }
        let field_len = line_len + folded_len(after);
        match field_of(rest.get(..field_len).unwrap_or(rest)) {
            Some(mut field) => {
                if field.value.len() > HEADER_BYTES_MAX {
                    budget.note("header-too-long", &format!("{}: {} bytes", field.name, field.value.len()));
                    field.value = field.value.get(..HEADER_BYTES_MAX).unwrap_or(field.value);
                }
                if fields.len() < HEADERS_MAX {
                    fields.push(field);
                } else {
                    budget.note("too-many-headers", &format!("only the first {HEADERS_MAX} were read"));
                }
            }
            // The mark of an mbox file before the header is none of the mail's.
            None if at == 0 && (line.starts_with(b"From ") || line.starts_with(b">From ")) => {}
            None if fields.is_empty() => return (fields, rest),
            None if next_is_field(raw.get(at + field_len..).unwrap_or_default()) => {
                budget.note("bad-header", &String::from_utf8_lossy(line.get(..line.len().min(80)).unwrap_or(line)));
            }
            None => {
                budget.note("no-blank-line", "the body follows the header without an empty line");
                return (fields, rest);
            }
        }
        at += field_len;
    }
    (fields, &[])
}

/// How many bytes of folded continuation lines `rest` begins with.
fn folded_len(rest: &[u8]) -> usize {
    let mut len = 0;
    while let Some([b' ' | b'\t', ..]) = rest.get(len..) {
        let line = rest.get(len..).unwrap_or_default();
        let line_len = memchr::memchr(b'\n', line).map_or(line.len(), |end| end + 1);
        // A line of white space alone ends the header for careless writers (RFC 5322 §4.2 forbids it).
        if line.get(..line_len).unwrap_or(line).iter().all(u8::is_ascii_whitespace) {
            break;
        }
        len += line_len;
    }
    len
}

/// A field, if the bytes are one: a name of printable ASCII (RFC 5322 §3.6.8) and a colon.
fn field_of(bytes: &[u8]) -> Option<Field<'_>> {
    const NAME_BYTES_MAX: usize = 256;
    let colon = memchr::memchr(b':', bytes.get(..bytes.len().min(NAME_BYTES_MAX)).unwrap_or(bytes))?;
    let name = std::str::from_utf8(bytes.get(..colon)?).ok()?.trim_end_matches([' ', '\t']);
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
    is_name.then(|| Field { name, value: bytes.get(colon + 1..).unwrap_or_default() })
}

fn next_is_field(rest: &[u8]) -> bool {
    let line = rest.get(..memchr::memchr(b'\n', rest).unwrap_or(rest.len())).unwrap_or(rest);
    line.trim_ascii().is_empty() || field_of(line).is_some()
}

/// Reads an entity and what it holds.
#[must_use]
pub fn parse<'a>(raw: &'a [u8], depth: usize, implied: &str, budget: &mut Budget) -> Part<'a> {
    budget.parts = budget.parts.saturating_sub(1);
    let (fields, body) = split_header(raw, budget);
    let mut part = Part {
        fields,
        body,
        media_type: implied.to_owned(),
        content_type: Parameters::default(),
        disposition: Parameters::default(),
        children: Vec::new(),
        others: Vec::new(),
    };
    let types: Vec<Parameters> = part.values("Content-Type").map(|value| field::parameters(&value)).collect();
    if types.len() > 1 {
        budget.note("ambiguous-mime", "several Content-Type fields");
    }
    if part.values("Content-Transfer-Encoding").count() > 1 {
        budget.note("ambiguous-mime", "several Content-Transfer-Encoding fields");
    }
    // A reader that takes any of several types for a multipart misses nothing that another would see.
    if let Some(chosen) = types.iter().find(|t| t.value.starts_with("multipart/")).or_else(|| types.first())
        && chosen.value.contains('/')
    {
        part.media_type = chosen.value.clone();
        part.content_type = chosen.clone();
    }
    let disposition = part.values("Content-Disposition").next();
    part.disposition = disposition.as_deref().map(field::parameters).unwrap_or_default();
    if part.media_type.starts_with("multipart/") {
        if depth >= DEPTH_MAX || budget.scan < part.body.len() {
            budget.note("too-deep", &format!("more than {DEPTH_MAX} levels, or too much in them; the rest stays one raw attachment"));
        } else {
            budget.scan -= part.body.len();
            split_multipart(&mut part, &types, depth, budget);
        }
    }
    part
}

fn split_multipart(part: &mut Part<'_>, types: &[Parameters], depth: usize, budget: &mut Budget) {
    let implied = if part.media_type == "multipart/digest" { "message/rfc822" } else { "text/plain" };
    let mut boundaries: Vec<String> = Vec::new();
    for boundary in types.iter().flat_map(|t| t.all("boundary")) {
        let boundary = boundary.trim_end().to_owned();
        if boundary.len() > BOUNDARY_BYTES_MAX || boundary.is_empty() {
            budget.note("ambiguous-mime", "an empty or overlong boundary");
        } else if !boundaries.contains(&boundary) && boundaries.len() < BOUNDARIES_MAX {
            boundaries.push(boundary);
        }
    }
    if boundaries.len() > 1 {
        budget.note("ambiguous-mime", "several boundaries are named");
    }
    let mut is_first = true;
    for boundary in &boundaries {
        let read = parts_between(part.body, boundary.as_bytes(), depth, implied, budget);
        if read.is_empty() {
            continue;
        }
        if is_first {
            part.children = read;
        } else {
            part.others.extend(read);
        }
        is_first = false;
    }
    if part.children.is_empty()
        && let Some(boundary) = guessed_boundary(part.body)
    {
        budget.note("ambiguous-mime", "the boundary was taken from the body");
        part.children = parts_between(part.body, boundary, depth, implied, budget);
    }
    if part.children.is_empty() {
        budget.note("ambiguous-mime", "a multipart without any part");
    }
}

fn parts_between<'a>(body: &'a [u8], boundary: &[u8], depth: usize, implied: &str, budget: &mut Budget) -> Vec<Part<'a>> {
    let (pieces, rest) = pieces(body, boundary, budget);
    let mut parts: Vec<Part<'a>> = pieces.into_iter().map(|piece| parse(piece, depth + 1, implied, budget)).collect();
    parts.extend(rest.map(|body| Part {
        fields: Vec::new(),
        body,
        media_type: "application/octet-stream".to_owned(),
        content_type: Parameters::default(),
        disposition: Parameters::default(),
        children: Vec::new(),
        others: Vec::new(),
    }));
    parts
}

/// What stands between the boundary lines of `body`. Preamble and epilogue are left out (P7). The
/// end boundary may be missing. Past the budget the rest of the body is given apart.
fn pieces<'a>(body: &'a [u8], boundary: &[u8], budget: &mut Budget) -> (Vec<&'a [u8]>, Option<&'a [u8]>) {
    let mut needle = Vec::with_capacity(boundary.len() + 2);
    needle.extend_from_slice(b"--");
    needle.extend_from_slice(boundary);
    let mut found = Vec::new();
    let mut start: Option<usize> = None;
    let mut has_end = false;
    for at in memmem::find_iter(body, &needle) {
        if at > 0 && body.get(at - 1) != Some(&b'\n') {
            continue;
        }
        let tail = body.get(at + needle.len()..).unwrap_or_default();
        let dashes = if tail.starts_with(b"--") { 2 } else { 0 };
        let blanks = tail.iter().skip(dashes).take(BLANKS_MAX).take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
        let line_len = dashes + blanks;
        // Not the prefix of another boundary (M1): nothing but white space may follow.
        if !matches!(tail.get(line_len), None | Some(b'\n')) {
            continue;
        }
        let is_end = dashes > 0;
        if let Some(start) = start {
            found.push(body.get(start..line_end_before(body, at).max(start)).unwrap_or_default());
        }
        start = Some((at + needle.len() + line_len + 1).min(body.len()));
        if is_end {
            has_end = true;
            start = None;
            break;
        }
        if found.len() + 1 >= budget.parts {
            budget.note("too-many-parts", &format!("more than {PARTS_MAX} parts; the rest stays one raw attachment"));
            return (found, start.and_then(|start| body.get(start..)));
        }
    }
    if let Some(start) = start {
        found.push(body.get(start..).unwrap_or_default());
    }
    if !has_end && !found.is_empty() {
        budget.note("no-end-boundary", "the last boundary is missing");
    }
    (found, None)
}

/// The line break before a boundary belongs to the boundary (RFC 2046 §5.1.1).
fn line_end_before(body: &[u8], at: usize) -> usize {
    match (at.checked_sub(2).and_then(|before| body.get(before)), at.checked_sub(1).and_then(|before| body.get(before))) {
        (Some(b'\r'), Some(b'\n')) => at - 2,
        (_, Some(b'\n')) => at - 1,
        _ => at,
    }
}

/// The boundary that the body itself uses: a line of two hyphens and more, followed by a header field.
fn guessed_boundary(body: &[u8]) -> Option<&[u8]> {
    const LOOK_BYTES_MAX: usize = 64 * 1024;
    let head = body.get(..body.len().min(LOOK_BYTES_MAX)).unwrap_or(body);
    let mut lines = head.split(|byte| *byte == b'\n').peekable();
    while let Some(line) = lines.next() {
        let follows = lines.peek().is_some_and(|next| next.len() > 8 && next.get(..8).is_some_and(|n| n.eq_ignore_ascii_case(b"content-")));
        if let Some(boundary) = line.strip_prefix(b"--")
            && follows
            && !boundary.trim_ascii().is_empty()
        {
            return Some(boundary.trim_ascii_end());
        }
    }
    None
}
