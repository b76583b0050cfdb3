//! Which documents are here (contract 8): by the name, the sort and the text of each attachment and
//! by the words around; and the service form, filled in in the text or in a file. Nothing is read
//! off pictures. What is promised is not here, and a blank form is none.

use super::names::{self, EVIDENCE, NOT_HERE, SUPPLYING, WORDS};
use crate::model::Document;
use std::collections::{BTreeMap, BTreeSet};

pub use super::form::fields_of_form;

/// The words of a message are read to here: what it brings along stands near the beginning.
const LOOK_BYTES_MAX: usize = 128 * 1024;
/// So many attachments are told apart; whatever comes after them supports the report.
const FILES_MAX: usize = 200;

/// An attachment as this module sees it.
#[derive(Debug, Clone, Copy)]
pub struct File<'a> {
    pub name: &'a str,
    pub media_type: &'a str,
    /// A picture of the layout.
    pub is_layout: bool,
    pub text: Option<&'a str>,
}

/// The evidence of a service form that stands in the text of the mail.
pub const FORM_IN_TEXT: &str = "filled in in the text";

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Each document that is here, with the evidence: the attachment or the words.
    pub documents: BTreeMap<Document, String>,
    /// For each attachment, in their order: what it is; `None` for what is no document.
    pub files: Vec<Option<Document>>,
    /// The fields of the service form: `name`, `organisation`, `telephone`, `system`, `time`, `event`, `impact`.
    pub form: BTreeMap<String, String>,
}

impl Found {
    /// The documents alone.
    #[must_use]
    pub fn set(&self) -> BTreeSet<Document> {
        self.documents.keys().copied().collect()
    }
}

/// Finds the documents of a message.
#[must_use]
pub fn find(new_text: &str, files: &[File<'_>]) -> Found {
    let mut found = Found { files: vec![None; files.len()], ..Found::default() };
    if let Some(form) = fields_of_form(new_text) {
        found.form = form;
        found.documents.insert(Document::Form, FORM_IN_TEXT.to_owned());
    }
    let new_text = new_text.get(..new_text.floor_char_boundary(LOOK_BYTES_MAX)).unwrap_or_default();
    let mut unnamed: Vec<usize> = Vec::new();
    for (at, file) in files.iter().enumerate() {
        if is_no_document(file) {
            continue;
        }
        if at >= FILES_MAX {
            note(&mut found, at, Document::Other, file.name);
            continue;
        }
        let sorts = sorts_of_file(file, new_text, &mut found);
        if sorts.is_empty() {
            unnamed.push(at);
        }
        for sort in sorts {
            note(&mut found, at, sort, file.name);
        }
    }
    assign_by_words(new_text, files, &unnamed, &mut found);
    found
}

fn note(found: &mut Found, at: usize, sort: Document, evidence: &str) {
    if let Some(slot) = found.files.get_mut(at) {
        *slot = slot.or(Some(sort));
    }
    found.documents.entry(sort).or_insert_with(|| evidence.to_owned());
}

/// Signatures, keys, calendars, cards, layout and the parts of a delivery report.
fn is_no_document(file: &File<'_>) -> bool {
    const TYPES: &[&str] = &[
        "application/pgp-signature",
        "application/pgp-keys",
        "application/pgp-encrypted",
        "application/pkcs7-signature",
        "application/x-pkcs7-signature",
        "text/calendar",
        "application/ics",
        "text/vcard",
        "text/x-vcard",
        "text/directory",
        "message/delivery-status",
        "message/global-delivery-status",
        "message/global-headers",
        "message/disposition-notification",
        "message/feedback-report",
        "text/rfc822-headers",
        "message/partial",
        "message/external-body",
    ];
    let name = file.name.to_lowercase();
    file.is_layout
        || TYPES.contains(&file.media_type)
        || name.ends_with(".ics")
        || name.ends_with(".vcf")
        // Keys, signatures and what nobody could open.
        || [".asc", ".pgp", ".gpg", ".sig"].iter().any(|end| name.ends_with(end))
        || name == "smime.p7s"
        // It says what the mail says, and what it packed up stands beside it.
        || file.media_type == "application/ms-tnef" && file.text.is_some()
}

/// What one file is, by its name, then by what the text says of it by name, then by its own text.
fn sorts_of_file(file: &File<'_>, new_text: &str, found: &mut Found) -> Vec<Document> {
    if let Some(text) = file.text
        && file.media_type != "message/rfc822"
        && super::form::looks_like_form(text)
    {
        // A form is known by its questions; blank it is no document at all.
        return match fields_of_form(text) {
            Some(form) => {
                found.form.extend(form);
                vec![Document::Form]
            }
            None => Vec::new(),
        };
    }
    let by_name = sorts_in_name(file.name);
    if !by_name.is_empty() {
        return by_name;
    }
    if let Some(sort) = sort_said_of(file.name, new_text) {
        return vec![sort];
    }
    file.text.and_then(sort_of_title).into_iter().collect()
}

/// The documents that a file name names, in the order of the contract.
fn sorts_in_name(name: &str) -> Vec<Document> {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let words = normal(stem);
    if words.trim() == "id" {
        return vec![Document::Identity];
    }
    let found: Vec<Document> =
        WORDS.iter().filter(|(_, words_of)| words_of.iter().any(|word| holds(&words, word))).map(|(sort, _)| *sort).collect();
    // "KTP + Surat kuasa" is still one picture; the first that fits is what counts.
    found.into_iter().take(1).collect()
}

/// Lower case, words apart by single spaces, with a space at both ends. Capitals inside a word and
/// the step from letters to digits part words too.
fn normal(text: &str) -> String {
    let mut out = String::from(" ");
    let mut before = ' ';
    for c in text.chars() {
        let is_step = before.is_lowercase() && c.is_uppercase() || before.is_alphabetic() && c.is_ascii_digit();
        if is_step && !out.ends_with(' ') {
            out.push(' ');
        }
        if c.is_alphanumeric() {
            out.extend(c.to_lowercase());
        } else if !out.ends_with(' ') {
            out.push(' ');
        }
        before = c;
    }
    if !out.ends_with(' ') {
        out.push(' ');
    }
    out
}

fn holds(normal_text: &str, word: &str) -> bool {
    let word = normal(word);
    normal_text.contains(word.as_str())
}

/// What the text says of a file that it names: "KTP saya (yang IMG-20260108-WA0007)".
fn sort_said_of(name: &str, text: &str) -> Option<Document> {
    const STEM_BYTES_MIN: usize = 5;
    let lower = text.to_lowercase();
    let name = name.to_lowercase();
    let stem = name.rsplit_once('.').map_or(name.as_str(), |(stem, _)| stem);
    if stem.len() < STEM_BYTES_MIN {
        return None;
    }
    let line = lower
        .lines()
        .flat_map(|line| line.split(['.', ';', ',']).map(str::to_owned).chain(std::iter::once(line.to_owned())).collect::<Vec<_>>())
        .find(|piece| piece.contains(stem))?;
    let rest = normal(&line.replace(name.as_str(), " ").replace(stem, " "));
    WORDS.iter().find(|(_, words)| words.iter().any(|word| holds(&rest, word))).map(|(sort, _)| *sort)
}

/// What the first lines of a file call it.
fn sort_of_title(text: &str) -> Option<Document> {
    const TITLE_CHARS_MAX: usize = 120;
    let title: String = text.lines().map(str::trim).find(|line| !line.is_empty())?.chars().take(TITLE_CHARS_MAX).collect();
    let title = normal(&title);
    [
        (Document::ImpactAnalysis, &["analisis dampak", "analisa dampak", "impact assessment", "impact analysis", "penilaian dampak"][..]),
        (Document::AssetInfo, &["informasi aset", "daftar aset", "daftar server", "asset inventory", "asset list", "daftar perangkat"][..]),
        (
            Document::VulnerabilityInfo,
            &[
                "laporan kerentanan",
                "vulnerability assessment",
                "vulnerability report",
                "penetration test",
                "laporan uji tembus",
                "laporan pentest",
                "security assessment",
                "penilaian keamanan",
                "penilaian kerentanan",
                "pengujian keamanan",
                "hasil pemindaian",
                "scan report",
                "scan results",
            ][..],
        ),
        (Document::Topology, &["topologi jaringan", "network topology"][..]),
    ]
    .into_iter()
    .find(|(_, words)| words.iter().any(|word| holds(&title, word)))
    .map(|(sort, _)| sort)
}

/// Attachments whose names say nothing are what the text says it brings, in its order: pictures
/// first take what is photographed, and what is left over supports the report.
fn assign_by_words(new_text: &str, files: &[File<'_>], unnamed: &[usize], found: &mut Found) {
    let mut free: Vec<usize> = unnamed.iter().copied().filter(|at| files.get(*at).is_some_and(says_nothing)).collect();
    let mut promised = mentioned(new_text);
    // A form that the text itself fills in is among the documents already. Evidence that has a
    // telling name of its own needs no other picture.
    let is_evidence_named = free.len() < unnamed.len();
    let is_here = |sort: &Document| found.documents.contains_key(sort) || (*sort == Document::Other && is_evidence_named);
    promised.retain(|(sort, _)| !is_here(sort));
    // More words than files: those that stand far from "attached" belong to the story.
    while promised.len() > free.len() {
        let farthest = promised.iter().enumerate().max_by_key(|(_, (_, distance))| *distance).map_or(0, |(at, _)| at);
        promised.remove(farthest);
    }
    for (sort, _) in promised {
        let fits = |at: &usize| files.get(*at).is_some_and(|file| may_be(file, sort));
        if let Some(place) = free.iter().position(fits) {
            let at = free.remove(place);
            let name = files.get(at).map_or("", |file| file.name);
            note(found, at, sort, &format!("{name}, by the words of the text"));
        }
    }
    for at in unnamed {
        let is_taken = found.files.get(*at).is_some_and(Option::is_some);
        let is_blank_form =
            files.get(*at).is_some_and(|file| file.text.is_some_and(super::form::looks_like_form) && file.media_type != "message/rfc822");
        if !is_taken && !is_blank_form {
            let sort = if lists_vulnerable_hosts(files.get(*at), new_text) { Document::VulnerabilityInfo } else { Document::Other };
            note(found, *at, sort, files.get(*at).map_or("", |file| file.name));
        }
    }
}

/// Whether a file is what a scanner wrote, or a list beside a text about holes that are open: of who has
/// them. A list beside a text about what happened (infected hosts, false domains) is evidence.
fn lists_vulnerable_hosts(file: Option<&File<'_>>, new_text: &str) -> bool {
    let Some(file) = file else { return false };
    let says = |text: &str, words: &[&str]| words.iter().filter(|word| text.contains(**word)).count();
    if let Some(text) = file.text.filter(|_| !file.media_type.starts_with("message/")) {
        let beginning = text.get(..text.floor_char_boundary(SCAN_BYTES)).unwrap_or_default().to_lowercase();
        if says(&beginning, names::SCANNERS) > 0 || says(&beginning, names::SCANNED) >= SCANNED_MIN {
            return true;
        }
    }
    let lower = new_text.to_lowercase();
    is_extension(file.name, &["csv", "xlsx", "tsv", "ods", "txt", "json"])
        && says(&lower, names::VULNERABLE) > 0
        && says(&lower, names::HAPPENED) == 0
}

/// A scanner names itself and its columns this early.
const SCAN_BYTES: usize = 16 * 1024;
/// So many of a scanner's words are no chance.
const SCANNED_MIN: usize = 3;

/// Whether a file of this sort could be that document.
fn may_be(file: &File<'_>, sort: Document) -> bool {
    let is_picture = file.media_type.starts_with("image/") || is_extension(file.name, &["jpg", "jpeg", "png", "heic", "webp", "gif"]);
    let is_scan = is_picture || file.media_type == "application/pdf" || is_extension(file.name, &["pdf"]);
    let holds_text = file.text.is_some_and(|text| text.trim().chars().count() > 40);
    match sort {
        Document::Identity => is_picture || is_scan && !holds_text,
        Document::Topology => is_scan,
        Document::Form => !holds_text && (is_scan || is_extension(file.name, &["docx", "doc", "odt"])),
        Document::AssetInfo | Document::ImpactAnalysis | Document::VulnerabilityInfo => {
            !file.media_type.starts_with("message/") && !is_picture
        }
        Document::Other => true,
    }
}

fn is_extension(name: &str, known: &[&str]) -> bool {
    name.rsplit_once('.').is_some_and(|(_, extension)| known.contains(&extension.to_ascii_lowercase().as_str()))
}

/// Names that cameras, scanners and clients give, and those that say no more than "document".
fn says_nothing(file: &File<'_>) -> bool {
    let words = normal(file.name.rsplit_once('.').map_or(file.name, |(stem, _)| stem));
    let telling =
        words.split(' ').filter(|word| !word.is_empty() && !word.chars().all(|c| c.is_ascii_digit()) && !names::EMPTY.contains(word));
    telling.count() == 0
}

/// The documents that the text says it brings, in its order, each once, and how far each stands
/// from the word that brings it.
fn mentioned(text: &str) -> Vec<(Document, usize)> {
    let mut all: Vec<(Document, usize)> = Vec::new();
    let mut brings = false;
    for line in text.lines() {
        let item = line.trim_start().starts_with(['-', '*', '•', '–']) || line.trim_start().starts_with(|c: char| c.is_ascii_digit());
        // A list that follows "Yang kami lampirkan:" is part of that sentence.
        brings = brings && (item || line.trim().is_empty());
        for sentence in line.split_inclusive(['.', '!', '?', ';']) {
            let lower = sentence.to_lowercase();
            let is_supplying = SUPPLYING.iter().any(|word| lower.contains(word));
            let is_absent = NOT_HERE.iter().any(|word| lower.contains(word));
            let is_brought = is_supplying || brings && item || is_photographed(&lower);
            if is_absent || !is_brought {
                continue;
            }
            brings = brings || is_supplying && lower.trim_end().ends_with(':');
            for (sort, distance) in in_order(&lower) {
                if !all.iter().any(|(known, _)| *known == sort) {
                    all.push((sort, distance));
                }
            }
        }
        brings = brings || SUPPLYING.iter().any(|word| line.to_lowercase().contains(word)) && line.trim_end().ends_with(':');
    }
    all
}

/// "sudah saya isi, lalu saya foto": a form that was filled in by hand.
fn is_photographed(lower: &str) -> bool {
    (lower.contains("saya foto")
        || lower.contains("kami foto")
        || lower.contains("saya scan")
        || lower.contains("di scan")
        || lower.contains("discan"))
        && lower.contains("isi")
}

/// The documents of a sentence by the place of their first word, with the distance from the word
/// that brings them.
fn in_order(sentence: &str) -> Vec<(Document, usize)> {
    let words = normal(sentence);
    let first_of = |words_of: &[&str]| words_of.iter().filter_map(|word| words.find(normal(word).as_str())).min();
    let brought_at: Vec<usize> = SUPPLYING.iter().filter_map(|word| words.find(word)).collect();
    let mut places: Vec<(usize, Document)> =
        WORDS.iter().filter_map(|(sort, words_of)| first_of(words_of).map(|place| (place, *sort))).collect();
    places.extend(first_of(EVIDENCE).map(|place| (place, Document::Other)));
    places.sort();
    let distance = |place: usize| brought_at.iter().map(|at| at.abs_diff(place)).min().unwrap_or_default();
    places.into_iter().map(|(place, sort)| (sort, distance(place))).collect()
}
