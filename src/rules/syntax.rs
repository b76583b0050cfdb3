//! The rule format: what a TOML file in `rules/` may hold. Unknown keys are errors; each error
//! names file, line, key and reason on one line. What the words mean is compiled elsewhere.

use serde::{Deserialize, Serialize};
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
    pub spelling: BTreeMap<String, Vec<String>>,
    /// Named word lists, used as `@name` by every file of the set.
    #[serde(default)]
    pub lists: BTreeMap<Spanned<String>, Vec<String>>,
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
    /// Added to the score of the category; below nought it speaks against it.
    #[serde(default)]
    pub weight: f64,
    /// Every word seen adds the weight once more, up to this much: for lists of words that say little alone.
    pub most: Option<f64>,
    /// What the other categories still count where this rule fires, from 0 to 1: an invitation to a seminar
    /// about ransomware is no report of ransomware.
    pub others: Option<f64>,
    /// Of the rules of one group and category only the strongest counts.
    pub group: Option<String>,
    pub reason_id: String,
    pub reason_en: String,
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
    #[serde(default)]
    pub any: Vec<String>,
    pub at_least: Option<usize>,
    /// Every one of these stands there undenied.
    #[serde(default)]
    pub all: Vec<String>,
    /// None of these stands there undenied.
    #[serde(default)]
    pub none: Vec<String>,
    #[serde(default)]
    pub near: Vec<Near>,
    /// Where the words are looked for; left out: subject, new, quoted, attachment.
    #[serde(default, rename = "in")]
    pub places: Vec<String>,
    pub regex: Option<String>,
    #[serde(default)]
    pub any_of: Vec<When>,
    #[serde(default)]
    pub all_of: Vec<When>,
    #[serde(default)]
    pub none_of: Vec<When>,
    /// Sender's address: whole, `@domain`, or with `*`.
    #[serde(default)]
    pub sender: Vec<String>,
    /// Attachment's name, with `*`.
    #[serde(default)]
    pub attachment_name: Vec<String>,
    /// Attachment's media type, with `*`.
    #[serde(default)]
    pub attachment_type: Vec<String>,
    /// Least numbers: urls, domains, ips, hashes, emails, cves.
    #[serde(default)]
    pub indicators: BTreeMap<String, usize>,
    /// A domain imitates one of the list `@brands` or `go.id`.
    pub lookalike: Option<bool>,
    /// A genuine government domain is named.
    pub go_id: Option<bool>,
    #[serde(default)]
    pub language: Vec<String>,
    /// Result in the Authentication-Results of the configured server: pass, fail, none.
    #[serde(default)]
    pub dmarc: Vec<String>,
    /// Machine formats: xarf, feedback_report.
    #[serde(default)]
    pub format: Vec<String>,
    /// Kinds of contract 6, and `automatic` for auto_reply, bounce, list and own together.
    #[serde(default)]
    pub kind: Vec<String>,
    /// Bounds on the number of words that the sender newly wrote.
    pub words_min: Option<usize>,
    pub words_max: Option<usize>,
}

/// Words that stand near one another.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Near {
    /// Each of these must be there; alternatives with `|` or `@list`.
    pub words: Vec<String>,
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

/// A mail of a test: its new text alone, or its parts.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "an example is a text in quotes, or { subject, text, quoted, from, headers, attachments } and no other key")]
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
        }
    }
}

/// Why a set was not loaded: one line, `file:line: key: reason`.
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
        self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
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
        toml::from_str(&self.text).map_err(|error| {
            let reason = error.message().replace('\n', " ");
            match error.span() {
                Some(span) => {
                    let key = self.key_at(span.start);
                    self.error(span.start, if key.is_empty() { reason } else { format!("{key}: {reason}") })
                }
                None => RulesError { file: self.name.clone(), line: 0, reason },
            }
        })
    }

    /// The key on the line of a byte, for errors about its value.
    fn key_at(&self, offset: usize) -> String {
        let line = self.text.lines().nth(self.line(offset).saturating_sub(1)).unwrap_or_default();
        line.split_once('=').map(|(key, _)| key.trim().trim_matches(['"', '{', ' ', '[']).to_owned()).unwrap_or_default()
    }
}
