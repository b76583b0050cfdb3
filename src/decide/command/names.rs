//! What commands take for a category, a channel, a document, a priority: the contract's words, and those that
//! letters to analysts show in both languages.

use crate::model::ticket::{Channel, Priority};
use crate::model::{Category, Document};
use std::collections::BTreeSet;

/// A word as people type it: letter case, and what joins or parts words, aside.
fn loose(text: &str) -> String {
    let parted = text.to_lowercase().replace(['_', '-'], " ");
    parted.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A category by the contract's word or as the letters to analysts call it.
#[must_use]
pub fn category(text: &str) -> Option<Category> {
    match loose(text).as_str() {
        "peretasan situs" | "peretasan" | "website hacking" => Some(Category::WebDefacement),
        "pengelabuan" => Some(Category::Phishing),
        "perangkat perusak" => Some(Category::Malware),
        "penyalahgunaan data pribadi" | "penyalahgunaan data" | "misuse of personal data" => Some(Category::DataMisuse),
        "serangan ddos" | "ddos attack" => Some(Category::Ddos),
        "akses ilegal" => Some(Category::IllegalAccess),
        "kerentanan" => Some(Category::Vulnerability),
        "lain lain" | "lain" | "lainnya" => Some(Category::Other),
        other => Category::parse(&other.replace(' ', "_")),
    }
}

/// A channel by the contract's word or as the letters to analysts call it.
pub(super) fn channel(text: &str) -> Option<Channel> {
    match loose(text).as_str() {
        "surel" | "mail" => Some(Channel::Email),
        "telepon" | "telephone" => Some(Channel::Phone),
        "saluran 183" | "line 183" => Some(Channel::Line183),
        "portal aduan" | "complaints portal" => Some(Channel::Portal),
        "surat" => Some(Channel::Letter),
        other => Channel::parse(other),
    }
}

/// A document by the contract's word or as the letters to analysts call it.
fn document(text: &str) -> Option<Document> {
    match loose(text).as_str() {
        "identitas" | "ktp" => Some(Document::Identity),
        "formulir" | "formulir layanan" | "service form" => Some(Document::Form),
        "aset" | "keterangan aset" | "asset information" => Some(Document::AssetInfo),
        "topologi" => Some(Document::Topology),
        "kerentanan" | "keterangan kerentanan" | "vulnerability information" => Some(Document::VulnerabilityInfo),
        "dampak" | "analisis dampak" => Some(Document::ImpactAnalysis),
        "lainnya" | "lain" | "pendukung" | "data pendukung" | "data teknis" | "supporting data" => Some(Document::Other),
        other => Document::parse(&other.replace(' ', "_")),
    }
}

/// Documents one after the other, with or without commas; a name may be two words.
pub(super) fn documents(arguments: &str) -> Option<BTreeSet<Document>> {
    let words: Vec<&str> = arguments.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let (mut rest, mut found) = (words.as_slice(), BTreeSet::new());
    while let [first, others @ ..] = rest {
        let pair = others.split_first().and_then(|(second, after)| Some((document(&format!("{first} {second}"))?, after)));
        let (named, after) = pair.or_else(|| Some((document(first)?, others)))?;
        found.insert(named);
        rest = after;
    }
    Some(found)
}

/// A priority by the contract's word or in Indonesian.
pub(super) fn priority(text: &str) -> Option<Priority> {
    match text.trim().to_lowercase().as_str() {
        "rendah" => Some(Priority::Low),
        "sedang" => Some(Priority::Medium),
        "tinggi" => Some(Priority::High),
        "kritis" => Some(Priority::Critical),
        other => Priority::parse(other),
    }
}
