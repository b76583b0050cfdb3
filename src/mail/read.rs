//! Bytes to [`Mail`]. Never fails, within the limits of `part`, `field`, `body` and `html`.

use super::body;
use super::field;
use super::field::Parameters;
use super::part::{self, Budget, Part};
use super::{Attachment, Header, Mail, Mailbox, Reading, Text, attachment, html, text, unpack};
use crate::model::{Damage, Sha256};
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

/// Messages inside messages are read to this depth for their text; deeper ones stay raw (M3).
const NESTED_MAX: usize = 8;
/// A plain part shorter than this beside a long HTML part only says "see the HTML version".
const STUB_CHARS_MAX: usize = 200;

/// The fields that a signed or encrypted entity protects (RFC 9788 §2, as far as they mean anything here).
const PROTECTED: &[&str] =
    &["From", "To", "Cc", "Reply-To", "Sender", "Subject", "Date", "Message-ID", "References", "In-Reply-To", "Followup-To"];

/// Reads a message.
#[must_use]
pub fn read(raw: &[u8]) -> Reading {
    let mut budget = Budget::default();
    let sha256 = Sha256::of(raw);
    let repaired = only_bare_cr(raw);
    let bytes = repaired.as_deref().unwrap_or(raw);
    let entity = part::parse(bytes, 0, "text/plain", &mut budget);
    let headers = headers_of(&entity, &mut budget);
    let mut mail = Mail { raw: Arc::from(raw), content_sha256: sha256.clone(), sha256, ..Mail::empty() };
    if raw.is_empty() {
        budget.note("empty", "no bytes at all");
    } else if headers.is_empty() {
        budget.note("no-header", "no header field was found");
    }
    mail.headers = headers;
    fill_fields(&mut mail, &mut budget);
    mail.content_sha256 = content_hash(&mail, entity.body);
    fill_body(&mut mail, &entity, &mut budget);
    (mail, budget.damage)
}

/// Reads a decrypted or signed entity: its body, its attachments and the header fields that it
/// protects; all else, raw bytes and hashes included, is the outer mail's.
#[must_use]
pub fn read_inner(outer: &Mail, inner_entity: &[u8]) -> Reading {
    let mut budget = Budget::default();
    let entity = part::parse(inner_entity, 0, "text/plain", &mut budget);
    let inner = headers_of(&entity, &mut budget);
    let is_protected = |name: &str| PROTECTED.iter().any(|known| known.eq_ignore_ascii_case(name));
    let given: BTreeSet<String> = inner.iter().filter(|h| is_protected(&h.name)).map(|h| h.name.to_ascii_lowercase()).collect();
    let mut mail = Mail {
        raw: Arc::clone(&outer.raw),
        sha256: outer.sha256.clone(),
        content_sha256: outer.content_sha256.clone(),
        headers: outer.headers.iter().filter(|h| !given.contains(&h.name.to_ascii_lowercase())).cloned().collect(),
        ..Mail::empty()
    };
    mail.headers.extend(inner.into_iter().filter(|h| is_protected(&h.name)));
    fill_fields(&mut mail, &mut budget);
    fill_body(&mut mail, &entity, &mut budget);
    (mail, budget.damage)
}

impl Mail {
    fn empty() -> Self {
        Self {
            raw: Arc::from(&[][..]),
            sha256: Sha256(String::new()),
            content_sha256: Sha256(String::new()),
            headers: Vec::new(),
            from: Vec::new(),
            from_fields: 0,
            sender: None,
            reply_to: Vec::new(),
            to: Vec::new(),
            cc: Vec::new(),
            subject: String::new(),
            date: None,
            message_id: None,
            references: Vec::new(),
            text: Text::default(),
            is_html_only: false,
            links: BTreeSet::new(),
            media_type: String::new(),
            report_type: None,
            attachments: Vec::new(),
        }
    }
}

/// Files of old Macintosh programs end lines with CR alone (M5).
fn only_bare_cr(raw: &[u8]) -> Option<Vec<u8>> {
    (memchr::memchr(b'\n', raw).is_none() && memchr::memchr(b'\r', raw).is_some())
        .then(|| raw.iter().map(|byte| if *byte == b'\r' { b'\n' } else { *byte }).collect())
}

fn headers_of(entity: &Part<'_>, budget: &mut Budget) -> Vec<Header> {
    let headers: Vec<Header> = entity.fields.iter().map(|f| Header { name: f.name.to_owned(), value: field::unfold(f.value) }).collect();
    for once in ["From", "Subject", "Date", "Message-ID", "To", "Sender", "Reply-To"] {
        if headers.iter().filter(|header| header.name.eq_ignore_ascii_case(once)).count() > 1 {
            budget.damage.push(Damage::new("repeated-header", once));
        }
    }
    headers
}

/// All that the header fields say.
fn fill_fields(mail: &mut Mail, budget: &mut Budget) {
    let values = |name: &str| -> Vec<String> { mail.header_values(name).map(str::to_owned).collect() };
    let mut boxes = |name: &str| -> Vec<Mailbox> { values(name).iter().flat_map(|value| field::mailboxes(value, budget)).collect() };
    let (from, sender, reply_to, to, cc) = (boxes("From"), boxes("Sender"), boxes("Reply-To"), boxes("To"), boxes("Cc"));
    let subject = values("Subject").into_iter().next().unwrap_or_default();
    let subject = field::visible(&field::decode_words(&subject)).trim().to_owned();
    let date = values("Date").into_iter().next();
    let id = values("Message-ID").into_iter().next();
    let references: Vec<String> = ["In-Reply-To", "References"].into_iter().flat_map(values).flat_map(|v| field::identifiers(&v)).collect();
    mail.from_fields = values("From").len();
    (mail.from, mail.sender, mail.reply_to, mail.to, mail.cc) = (from, sender.into_iter().next(), reply_to, to, cc);
    mail.subject = subject;
    mail.date = date.as_deref().and_then(field::date);
    mail.message_id = id.as_deref().map(field::identifiers).and_then(|ids| ids.into_iter().next());
    mail.references = field::first_and_last(references);
    if date.is_some() && mail.date.is_none() {
        budget.note("bad-date", &date.unwrap_or_default());
    }
    if mail.from_fields == 0 {
        budget.note("no-from", "there is no From field");
    } else if mail.from_one().is_none() && mail.writer().is_some() {
        budget.note("unquoted-comma", "a comma in the name of From is not quoted");
    } else if mail.from_one().is_none() {
        budget.note("odd-from", "not exactly one From with one mailbox that can be written to");
    }
    if id.is_some() && mail.message_id.is_none() {
        budget.note("bad-message-id", &id.unwrap_or_default());
    }
}

/// The same mail under other trace fields has the same hash (contract 12.1). How the body is read
/// belongs to it: the same bytes under another Content-Type are another mail.
fn content_hash(mail: &Mail, body: &[u8]) -> Sha256 {
    let mut all = Vec::with_capacity(1_024);
    for name in ["Message-ID", "From", "Date", "Content-Type", "Content-Transfer-Encoding"] {
        for value in mail.header_values(name) {
            all.extend_from_slice(value.as_bytes());
            all.push(b'\n');
        }
        all.push(0);
    }
    all.extend_from_slice(Sha256::of(body).0.as_bytes());
    Sha256::of(&all)
}

fn fill_body(mail: &mut Mail, entity: &Part<'_>, budget: &mut Budget) {
    let mut gathered = Gathered::default();
    gather(entity, &Place::top(), &mut gathered, budget);
    let Gathered { plain, html: html_text, links, attachments, .. } = gathered;
    let mut plain = plain.join("\n");
    truncate(&mut plain, budget);
    mail.media_type = entity.media_type.clone();
    mail.report_type = entity.content_type.get("report-type").map(str::to_ascii_lowercase);
    mail.is_html_only = plain.trim().is_empty() && !html_text.trim().is_empty();
    let is_unsplit = entity.children.is_empty() && entity.media_type.starts_with("multipart/");
    mail.text = match if mail.is_html_only { html_text } else { plain } {
        // Of parts that could not be split nothing is told apart, so that nothing is lost.
        full if is_unsplit => Text { new: full.trim().to_owned(), quoted: String::new(), full },
        full => text::tell_apart(&full),
    };
    mail.links = links;
    mail.attachments = attachments;
    unpack::fill(mail, budget);
}

/// A text, if the message may still have that much.
pub(super) fn afforded(text: String, budget: &mut Budget) -> Option<String> {
    if text.len() > budget.text {
        budget.note("text-too-long", "the text of further attachments was left out");
        return None;
    }
    budget.text -= text.len();
    Some(text)
}

/// Cuts the body where many parts have made it longer than one may be.
fn truncate(text: &mut String, budget: &mut Budget) {
    if text.len() > body::TEXT_BYTES_MAX {
        budget.note("text-too-long", "the text of further parts was left out");
        text.truncate(text.floor_char_boundary(body::TEXT_BYTES_MAX));
    }
}

/// What the walk through the parts finds.
#[derive(Default)]
struct Gathered {
    /// How many bytes of body text there are.
    bytes: usize,
    plain: Vec<String>,
    html: String,
    links: BTreeSet<String>,
    attachments: Vec<Attachment>,
}

/// Where in the tree a part stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    parent: &'a str,
    index: usize,
    /// Inside multipart/related.
    in_related: bool,
    /// What stands here is never the body.
    is_beside: bool,
    depth: usize,
    nested: usize,
}

impl Place<'_> {
    const fn top() -> Self {
        Self { parent: "", index: 0, in_related: false, is_beside: false, depth: 0, nested: 0 }
    }
}

fn gather(part: &Part<'_>, place: &Place<'_>, out: &mut Gathered, budget: &mut Budget) {
    if part.children.is_empty() || !part.media_type.starts_with("multipart/") {
        return gather_leaf(part, place, out, budget);
    }
    if part.media_type == "multipart/alternative" {
        gather_alternative(part, place, out, budget);
    } else {
        for (index, child) in part.children.iter().enumerate() {
            gather(child, &inside(part, place, index), out, budget);
        }
    }
    for other in &part.others {
        gather(other, &Place { is_beside: true, ..inside(part, place, 1) }, out, budget);
    }
}

fn inside<'a>(part: &'a Part<'_>, place: &Place<'_>, index: usize) -> Place<'a> {
    let in_related = part.media_type == "multipart/related" || place.in_related;
    // Of a signed entity the first part is the body, of a report the first is for people (RFC 1847, RFC 6522).
    let is_beside = place.is_beside || (index > 0 && matches!(part.media_type.as_str(), "multipart/signed" | "multipart/encrypted"));
    Place { parent: &part.media_type, index, in_related, is_beside, depth: place.depth + 1, nested: place.nested }
}

/// text/plain is preferred, unless it only says to look at the HTML; what is neither is an attachment.
fn gather_alternative(part: &Part<'_>, place: &Place<'_>, out: &mut Gathered, budget: &mut Budget) {
    let mut own = Gathered { bytes: out.bytes, ..Gathered::default() };
    for (index, child) in part.children.iter().enumerate() {
        gather(child, &inside(part, place, index), &mut own, budget);
    }
    let plain = own.plain.join("\n");
    let is_stub = plain.trim().chars().count() < STUB_CHARS_MAX && own.html.trim().chars().count() > 3 * plain.trim().chars().count() + 40;
    if plain.trim().is_empty() || is_stub {
        if !own.html.trim().is_empty() && !plain.trim().is_empty() {
            budget.note("stub-text", "the text part only points to the HTML part");
        }
        out.html.push_str(&own.html);
        if out.plain.iter().any(|text| !text.trim().is_empty()) && !own.html.trim().is_empty() {
            out.plain.push(own.html);
        }
    } else {
        out.plain.push(plain);
    }
    out.bytes = own.bytes;
    out.links.append(&mut own.links);
    out.attachments.append(&mut own.attachments);
}

fn gather_leaf(part: &Part<'_>, place: &Place<'_>, out: &mut Gathered, budget: &mut Budget) {
    let has_name = part.disposition.get("filename").or_else(|| part.content_type.get("name")).is_some_and(|name| !name.is_empty());
    let is_report_detail = place.parent == "multipart/report" && place.index > 0;
    let is_file = part.says_attachment() || has_name && place.depth > 0;
    // Past what a body may hold, further parts of text are kept as files.
    let may_be_body = !(place.is_beside || is_report_detail || is_file || out.bytes > body::TEXT_BYTES_MAX);
    match part.media_type.as_str() {
        "text/html" if may_be_body => {
            let html = html::to_text(&body::text_of(part, budget), budget);
            out.bytes += html.text.len() + 1;
            out.links.extend(html.links);
            // HTML between plain parts of a mixed mail is text like theirs (Apple Mail writes it so).
            if place.parent != "multipart/alternative" && out.plain.iter().any(|text| !text.trim().is_empty()) {
                out.plain.push(html.text);
            } else {
                out.html.push_str(&html.text);
            }
        }
        "text/plain" | "text/enriched" | "text/markdown" | "text/x-amp-html" if may_be_body => {
            let text = body::text_of(part, budget);
            out.bytes += text.len() + 1;
            if !out.html.trim().is_empty() && place.parent != "multipart/alternative" {
                out.plain.push(std::mem::take(&mut out.html));
            }
            out.plain.push(text);
        }
        // A multipart that could not be split, or a type that no one knows, alone in the mail: text, so that nothing is lost.
        kind if place.depth == 0 && (kind.starts_with("multipart/") || !kind.contains('/')) => out.plain.push(body::text_of(part, budget)),
        _ => gather_attachment(part, place, out, budget),
    }
}

fn gather_attachment(part: &Part<'_>, place: &Place<'_>, out: &mut Gathered, budget: &mut Budget) {
    let attachment = attachment(part, place, out.attachments.len() + 1, budget);
    out.attachments.push(attachment);
}

fn attachment(part: &Part<'_>, place: &Place<'_>, number: usize, budget: &mut Budget) -> Attachment {
    let content = body::content(part, budget);
    let (name, is_changed) = attachment::name_of(part, number);
    if is_changed {
        let names = attachment::all_names(part);
        budget.damage.push(Damage::new("odd-name", if names.is_empty() { &name } else { &names }));
    }
    let sniffed = attachment::sniffed(&content);
    if attachment::is_disguised(&part.media_type, sniffed) {
        budget.damage.push(Damage::new("disguised", format!("{name} says {} and is {sniffed}", part.media_type)));
    }
    let is_picture = part.media_type.starts_with("image/");
    let mut text = plain_text(part, &name, &content, place, budget);
    // The bytes of what is inside a message are not kept, so that they are looked into at once.
    if place.nested > 0 && text.is_none() {
        text = unpack::text_of(&name, &part.media_type, &content, place.nested, budget);
    }
    let text = text.and_then(|text| afforded(text, budget));
    Attachment {
        name,
        media_type: part.media_type.clone(),
        sha256: Sha256::of(&content),
        is_layout: is_picture && part.content_id().is_some() && (place.in_related || !part.says_attachment()),
        text,
        // Of messages inside messages the text alone is kept: the outermost holds all their bytes.
        content: if place.nested > 0 { Arc::from(&[][..]) } else { Arc::from(&*content) },
    }
}

/// A file out of a packed file, as an attachment of its own; its name and type are as a stranger wrote them.
pub(super) fn attachment_of(name: &str, media_type: &str, content: &[u8], number: usize, nested: usize, budget: &mut Budget) -> Attachment {
    let media_type = media_type.trim().to_ascii_lowercase();
    let is_type = media_type.len() < 128 && media_type.contains('/') && media_type.bytes().all(|byte| byte.is_ascii_graphic());
    let disposition = Parameters { value: "attachment".to_owned(), attributes: vec![("filename".to_owned(), name.to_owned())] };
    let part = Part {
        fields: Vec::new(),
        body: content,
        media_type: if is_type { media_type } else { "application/octet-stream".to_owned() },
        content_type: Parameters::default(),
        disposition,
        children: Vec::new(),
        others: Vec::new(),
    };
    attachment(&part, &Place { is_beside: true, nested, ..Place::top() }, number, budget)
}

/// The text of an attachment that is text or a message, by its type, or by its name where the type
/// says nothing.
fn plain_text(part: &Part<'_>, name: &str, content: &[u8], place: &Place<'_>, budget: &mut Budget) -> Option<String> {
    const NO_TYPE: &[&str] = &["application/octet-stream", "application/x-unknown", "application/binary"];
    let extension = name.rsplit_once('.').map_or(String::new(), |(_, extension)| extension.to_ascii_lowercase());
    let by_name = match extension.as_str() {
        "eml" => "message/rfc822",
        "html" | "htm" | "xhtml" => "text/html",
        "txt" | "csv" | "tsv" | "log" | "json" | "yaml" | "yml" | "xml" | "md" | "conf" | "ini" | "asc" => "text/plain",
        _ => "",
    };
    if budget.text == 0 {
        budget.note("text-too-long", "the text of further attachments was left out");
        return None;
    }
    let kind = if NO_TYPE.contains(&part.media_type.as_str()) { by_name } else { part.media_type.as_str() };
    match kind {
        "message/rfc822" | "message/global" | "message/news" => Some(nested_text(content, place.nested + 1, budget)),
        "text/html" | "application/xhtml+xml" => {
            let source = body::text_of_bytes(content, part, budget);
            Some(with_links(html::to_text(&source, budget)))
        }
        "application/json" | "application/xml" | "application/yaml" | "application/x-yaml" => {
            Some(body::text_of_bytes(content, part, budget))
        }
        kind if kind.starts_with("message/") => Some(body::text_of_bytes(content, part, budget)),
        kind if kind.starts_with("text/") && kind != "text/rtf" && !content.starts_with(b"{\\rtf") => {
            Some(body::text_of_bytes(content, part, budget))
        }
        _ => None,
    }
}

fn with_links(html: html::Html) -> String {
    let mut text = html.text;
    add_links(&html.links, &mut text);
    text
}

/// Adds the targets of links that the text does not show.
fn add_links(links: &BTreeSet<String>, text: &mut String) {
    let shown: HashSet<&str> = text.split(|c: char| c.is_whitespace() || matches!(c, '<' | '>')).collect();
    let missing: Vec<&String> = links.iter().filter(|link| !shown.contains(link.as_str())).collect();
    let lines: String = missing.into_iter().flat_map(|link| ["\n", link.as_str()]).collect();
    text.push_str(&lines);
}

/// An attached message as text: evidence. Its fields are shown and mean nothing else (M12).
fn nested_text(raw: &[u8], nested: usize, budget: &mut Budget) -> String {
    if nested > NESTED_MAX {
        budget.note("too-deep", &format!("more than {NESTED_MAX} messages inside messages"));
        return String::new();
    }
    let entity = part::parse(raw, nested, "text/plain", budget);
    let mut text = String::new();
    for name in ["From", "Reply-To", "Return-Path", "To", "Subject", "Date", "Message-ID", "Received"] {
        for value in entity.values(name).take(10) {
            text.push_str(&format!("{name}: {}\n", field::visible(&field::decode_words(&value))));
        }
    }
    text.push('\n');
    let mut gathered = Gathered::default();
    gather(&entity, &Place { nested, ..Place::top() }, &mut gathered, budget);
    for plain in &gathered.plain {
        text.push_str(plain);
    }
    text.push_str(&gathered.html);
    add_links(&gathered.links, &mut text);
    for inner in &gathered.attachments {
        text.push_str(&format!("\n[{}]\n{}", inner.name, inner.text.as_deref().unwrap_or_default()));
    }
    text.truncate(text.floor_char_boundary(body::TEXT_BYTES_MAX));
    text
}
