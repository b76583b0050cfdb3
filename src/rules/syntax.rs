//! The rule format: what a TOML file in `rules/` may hold. Unknown keys are errors; each error
//! names file, line, rule, key, reason and remedy on one line. What the words mean is compiled elsewhere.

mod mistake;

use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use toml::Spanned;

/// One file is read up to here; the shipped ones have some 30 kB.
pub const FILE_BYTES_MAX: usize = 4 << 20;

/// One rule file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Numbers of the decision; once in a set.
    pub decision: Option<Spanned<Decision>>,
    /// What a hit is worth by the place where it stands; once in a set.
    pub places: Option<Spanned<BTreeMap<String, f64>>>,
    /// Words that deny; once in a set.
    pub negation: Option<Spanned<Negation>>,
    /// The usual spelling of a word, and the other spellings.
    #[serde(default)]
    pub spelling: BTreeMap<Spanned<String>, Vec<String>>,
    /// Named word lists, used as `@name` by every file of the set.
    #[serde(default)]
    pub lists: BTreeMap<Spanned<String>, Vec<Spanned<String>>>,
    #[serde(default)]
    pub rule: Vec<Rule>,
    #[serde(default)]
    pub test: Vec<Spanned<Test>>,
}

/// When a result counts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// A best score under this is `other`, unsure.
    pub threshold: f64,
    /// A best score that is ahead of the second by less is `other`, unsure.
    pub margin: f64,
    /// Spam opens no ticket from this score on …
    pub clear_spam_score: f64,
    /// … if it is ahead of every other category by this.
    pub clear_spam_margin: f64,
    /// What likeness to the examples counts; 0 turns it off.
    pub likeness: f64,
    /// What likeness must add to an incident's category where no rule but lists of weak words speaks for it.
    #[serde(default = "likeness_alone")]
    pub likeness_alone: f64,
    /// A new text of at most so many words leans on what it forwards or encloses.
    pub short_text_words: usize,
}

/// More than any garbage was measured to add, and less than any report.
pub(super) const fn likeness_alone() -> f64 {
    3.0
}

/// Words that deny what stands after or before them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Negation {
    /// Deny what follows: "bukan", "tidak ada", "not a".
    pub before: Vec<String>,
    /// Deny only the next word: "tidak bisa".
    #[serde(default)]
    pub before_short: Vec<String>,
    /// Deny what stands right before: "… tidak ditemukan".
    #[serde(default)]
    pub after: Vec<String>,
    /// Ask at a sentence's end, and deny nothing there: "ini phishing bukan", "atau tidak".
    #[serde(default)]
    pub asks: Vec<String>,
    /// Look like a denial and are none: "tidak hanya".
    #[serde(default)]
    pub never: Vec<String>,
    /// Say that what follows was thought and is not so: "awalnya kami kira".
    #[serde(default)]
    pub doubt: Vec<String>,
    /// End a denial: "tetapi", "melainkan", "but".
    #[serde(default)]
    pub ends: Vec<String>,
}

/// One rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub id: Spanned<String>,
    /// Left out: the rule raises priority or sets tags, and adds nothing.
    pub category: Option<Spanned<String>>,
    /// Added to the score of the category; below nought it speaks against it. A rule with a category names it,
    /// so that one that was forgotten is no rule that silently adds nothing.
    pub weight: Option<Spanned<f64>>,
    /// Every word seen adds the weight once more, up to this much: for lists of words that say little alone.
    pub most: Option<Spanned<f64>>,
    /// What the other categories still count where this rule fires, from 0 to 1: an invitation to a seminar
    /// about ransomware is no report of ransomware.
    pub others: Option<Spanned<f64>>,
    /// Of the rules of one group and category only the strongest counts.
    pub group: Option<String>,
    pub reason_id: Spanned<String>,
    pub reason_en: Spanned<String>,
    /// A more fitting type than the category's own, as `class:type`.
    pub rsit: Option<Spanned<String>>,
    pub priority: Option<Spanned<String>>,
    #[serde(default)]
    pub tags: Vec<String>,
    pub when: Spanned<When>,
    /// Mails on which the rule must fire.
    #[serde(default)]
    pub examples: Vec<Spanned<Sample>>,
    /// Mails on which the rule must not fire.
    #[serde(default)]
    pub counterexamples: Vec<Spanned<Sample>>,
}

/// When a rule fires: everything that is named must hold.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// At least one of these words (or `at_least` of them) stands there undenied.
    #[serde(default, deserialize_with = "filled")]
    pub any: Vec<Spanned<String>>,
    pub at_least: Option<Spanned<usize>>,
    /// Every one of these stands there undenied.
    #[serde(default, deserialize_with = "filled")]
    pub all: Vec<Spanned<String>>,
    /// None of these stands there undenied.
    #[serde(default, deserialize_with = "filled")]
    pub none: Vec<Spanned<String>>,
    #[serde(default, deserialize_with = "filled")]
    pub near: Vec<Spanned<Near>>,
    /// Where the words are looked for; left out: subject, new, quoted, attachment.
    #[serde(default, rename = "in", deserialize_with = "filled")]
    pub places: Vec<Spanned<String>>,
    pub regex: Option<Spanned<String>>,
    #[serde(default, deserialize_with = "filled")]
    pub any_of: Vec<Spanned<When>>,
    #[serde(default, deserialize_with = "filled")]
    pub all_of: Vec<Spanned<When>>,
    #[serde(default, deserialize_with = "filled")]
    pub none_of: Vec<Spanned<When>>,
    /// Sender's address: whole, a domain (`bank.example`, `@bank.example`), or with `*`.
    #[serde(default, deserialize_with = "filled")]
    pub sender: Vec<Spanned<String>>,
    /// Attachment's name, with `*`.
    #[serde(default, deserialize_with = "filled")]
    pub attachment_name: Vec<Spanned<String>>,
    /// Attachment's media type, with `*`.
    #[serde(default, deserialize_with = "filled")]
    pub attachment_type: Vec<Spanned<String>>,
    /// Least numbers: urls, domains, ips, hashes, emails, cves.
    #[serde(default)]
    pub indicators: BTreeMap<Spanned<String>, usize>,
    /// A domain imitates one of the list `@brands` or `go.id`.
    pub lookalike: Option<bool>,
    /// A genuine government domain is named.
    pub go_id: Option<bool>,
    #[serde(default, deserialize_with = "filled")]
    pub language: Vec<Spanned<String>>,
    /// Result in the Authentication-Results of the configured server: pass, fail, none.
    #[serde(default, deserialize_with = "filled")]
    pub dmarc: Vec<Spanned<String>>,
    /// Machine formats: xarf, feedback_report.
    #[serde(default, deserialize_with = "filled")]
    pub format: Vec<Spanned<String>>,
    /// Kinds of contract 6, and `automatic` for auto_reply, bounce, list and own together.
    #[serde(default, deserialize_with = "filled")]
    pub kind: Vec<Spanned<String>>,
    /// Bounds on the number of words that the sender newly wrote.
    pub words_min: Option<usize>,
    pub words_max: Option<Spanned<usize>>,
}

/// Words that stand near one another.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Near {
    /// Each of these must be there; alternatives with `|` or `@list`.
    pub words: Vec<Spanned<String>>,
    /// Greatest distance from the first to the last, in words.
    #[serde(default = "eight")]
    pub within: u32,
    /// In this order.
    #[serde(default)]
    pub ordered: bool,
}

const fn eight() -> u32 {
    8
}

/// A list that was left empty is a condition that its author believes to be there.
fn filled<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    let list = Vec::deserialize(from)?;
    if list.is_empty() { Err(serde::de::Error::custom(mistake::EMPTY)) } else { Ok(list) }
}

/// A mail of a test: its new text alone, or its parts.
#[derive(Debug, Clone, Deserialize)]
#[serde(
    untagged,
    expecting = "an example is a text in quotes, or { subject = …, text = …, quoted = …, from = …, dmarc = …, headers = { … }, links = [ … ], attachments = [ … ] }"
)]
pub enum Sample {
    Text(String),
    Parts(Parts),
}

/// The parts of a mail of a test.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parts {
    #[serde(default)]
    pub subject: String,
    #[serde(default)]
    pub text: String,
    #[serde(default)]
    pub quoted: String,
    #[serde(default)]
    pub from: String,
    /// Header fields, name and value.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default)]
    pub attachments: Vec<SampleAttachment>,
    /// What our own mail server found about the sender's domain: pass, fail, none.
    pub dmarc: Option<String>,
    /// Addresses of the web behind the text, as HTML has them.
    #[serde(default)]
    pub links: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SampleAttachment {
    pub name: String,
    #[serde(default, rename = "type", skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// A mail and what the whole set must make of it.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    /// What is special about it.
    pub name: Option<String>,
    /// The ticket of the report that it was made of: `rules replay` measures that report apart, since the rules have
    /// learned from it.
    pub report: Option<String>,
    pub category: String,
    pub priority: Option<String>,
    pub unsure: Option<bool>,
    pub clear_spam: Option<bool>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub quoted: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub from: String,
    pub dmarc: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<SampleAttachment>,
}

/// Tests as the text of a rule file.
///
/// # Errors
/// None that a test of strings could cause.
pub fn written(test: Vec<Test>) -> Result<String, String> {
    #[derive(Serialize)]
    struct Tests {
        test: Vec<Test>,
    }
    toml::to_string(&Tests { test }).map_err(|error| error.to_string())
}

impl Test {
    /// Its mail.
    #[must_use]
    pub fn parts(&self) -> Parts {
        Parts {
            subject: self.subject.clone(),
            text: self.text.clone(),
            quoted: self.quoted.clone(),
            from: self.from.clone(),
            headers: self.headers.clone(),
            attachments: self.attachments.clone(),
            dmarc: self.dmarc.clone(),
            links: self.links.clone(),
        }
    }
}

/// Why a set was not loaded: one line, `file:line: rule 'id': key: reason; remedy`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesError {
    pub file: String,
    /// 1 for the first line; 0 where no line can be named.
    pub line: usize,
    pub reason: String,
}

impl std::fmt::Display for RulesError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.line == 0 { write!(f, "{}: {}", self.file, self.reason) } else { write!(f, "{}:{}: {}", self.file, self.line, self.reason) }
    }
}

impl std::error::Error for RulesError {}

/// A file of rules: its name and text, for the places of errors.
#[derive(Debug, Clone)]
pub struct Source {
    pub name: String,
    pub text: String,
}

impl Source {
    /// The line of a byte of the text.
    #[must_use]
    pub fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or(self.text.as_bytes());
        memchr::memchr_iter(b'\n', before).count() + 1
    }

    /// The place of a byte of the text: `file:line`.
    #[must_use]
    pub fn place(&self, offset: usize) -> String {
        format!("{}:{}", self.name, self.line(offset))
    }

    /// An error at a byte of the text.
    pub fn error(&self, offset: usize, reason: impl Into<String>) -> RulesError {
        RulesError { file: self.name.clone(), line: self.line(offset), reason: reason.into() }
    }

    /// Reads the file.
    ///
    /// # Errors
    /// TOML that is none, unknown or missing keys, wrong types.
    pub fn parse(&self) -> Result<File, RulesError> {
        if self.text.len() > FILE_BYTES_MAX {
            return Err(RulesError { file: self.name.clone(), line: 0, reason: format!("larger than {FILE_BYTES_MAX} bytes") });
        }
        toml::from_str(&self.text).map_err(|error| mistake::told(self, &error))
    }
}
