//! A whole set of rules: loaded from a directory or from what is built in, checked, compiled, and
//! never changed afterwards. A reload makes a new set; a set with an error is not made at all.

use super::compile::{Compiled, Rule};
use super::syntax::{RulesError, Source};
use crate::model::ticket::Priority;
use crate::model::{Category, Sha256};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The shipped rule files, in the order of their names.
const EMBEDDED: &[(&str, &str)] = &[
    ("bahasa.toml", include_str!("../../rules/bahasa.toml")),
    ("daftar.toml", include_str!("../../rules/daftar.toml")),
    ("data_misuse.toml", include_str!("../../rules/data_misuse.toml")),
    ("ddos.toml", include_str!("../../rules/ddos.toml")),
    ("illegal_access.toml", include_str!("../../rules/illegal_access.toml")),
    ("impact.toml", include_str!("../../rules/impact.toml")),
    ("kosakata.toml", include_str!("../../rules/kosakata.toml")),
    ("latih_data_misuse.toml", include_str!("../../rules/latih_data_misuse.toml")),
    ("latih_ddos.toml", include_str!("../../rules/latih_ddos.toml")),
    ("latih_illegal_access.toml", include_str!("../../rules/latih_illegal_access.toml")),
    ("latih_malware.toml", include_str!("../../rules/latih_malware.toml")),
    ("latih_other.toml", include_str!("../../rules/latih_other.toml")),
    ("latih_phishing.toml", include_str!("../../rules/latih_phishing.toml")),
    ("latih_spam.toml", include_str!("../../rules/latih_spam.toml")),
    ("latih_vulnerability.toml", include_str!("../../rules/latih_vulnerability.toml")),
    ("latih_web_defacement.toml", include_str!("../../rules/latih_web_defacement.toml")),
    ("malware.toml", include_str!("../../rules/malware.toml")),
    ("other.toml", include_str!("../../rules/other.toml")),
    ("phishing.toml", include_str!("../../rules/phishing.toml")),
    ("spam.toml", include_str!("../../rules/spam.toml")),
    ("uji_asing.toml", include_str!("../../rules/uji_asing.toml")),
    ("uji_luar.toml", include_str!("../../rules/uji_luar.toml")),
    ("uji_luar2.toml", include_str!("../../rules/uji_luar2.toml")),
    ("uji_luar3.toml", include_str!("../../rules/uji_luar3.toml")),
    ("uji_luar4.toml", include_str!("../../rules/uji_luar4.toml")),
    ("uji_data_misuse.toml", include_str!("../../rules/uji_data_misuse.toml")),
    ("uji_ddos.toml", include_str!("../../rules/uji_ddos.toml")),
    ("uji_illegal_access.toml", include_str!("../../rules/uji_illegal_access.toml")),
    ("uji_malware.toml", include_str!("../../rules/uji_malware.toml")),
    ("uji_other.toml", include_str!("../../rules/uji_other.toml")),
    ("uji_phishing.toml", include_str!("../../rules/uji_phishing.toml")),
    ("uji_ragam.toml", include_str!("../../rules/uji_ragam.toml")),
    ("uji_spam.toml", include_str!("../../rules/uji_spam.toml")),
    ("uji_vulnerability.toml", include_str!("../../rules/uji_vulnerability.toml")),
    ("uji_web_defacement.toml", include_str!("../../rules/uji_web_defacement.toml")),
    ("vulnerability.toml", include_str!("../../rules/vulnerability.toml")),
    ("web_defacement.toml", include_str!("../../rules/web_defacement.toml")),
];

/// The page for analysts that stands beside the files: its name and text.
pub const PAGE: (&str, &str) = ("README.md", include_str!("../../rules/README.md"));

/// More files than this are a mistake in `rules_dir`.
pub const FILES_MAX: usize = 1_000;

/// Whether a file is one of the set. What begins with a dot is an editor's.
#[must_use]
pub fn is_rule_file(path: &Path) -> bool {
    let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !is_hidden && path.extension().is_some_and(|extension| extension == "toml")
}

/// Files of a folder whose authors may believe that they are read: "koreksi.toml.txt". Backups are not among them.
#[must_use]
pub fn passed_over(dir: &Path) -> Vec<PathBuf> {
    let is_meant = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        let is_backup = name.starts_with('.') || [".bak", ".orig", ".old", ".swp"].iter().any(|ending| name.ends_with(ending));
        name.contains(".toml") && !name.ends_with('~') && !is_backup && !is_rule_file(path)
    };
    let entries = std::fs::read_dir(dir).into_iter().flatten().take(FILES_MAX);
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_meant).collect();
    paths.sort();
    paths
}

/// Rules that belong together, ready to assess mail.
#[derive(Debug)]
pub struct RuleSet {
    pub(super) compiled: Compiled,
    pub(super) sources: Vec<Source>,
    /// The hash of all files of the set: it stands on each decision.
    version: String,
}

impl RuleSet {
    /// Loads every `*.toml` of a directory as one set.
    ///
    /// # Errors
    /// A file that cannot be read, or is wrong: nothing is loaded then.
    pub fn load(dir: &Path) -> Result<Self, RulesError> {
        let io =
            |error: std::io::Error| RulesError { file: dir.display().to_string(), line: 0, reason: format!("read the rules: {error}") };
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(io)? {
            let path = entry.map_err(io)?.path();
            if is_rule_file(&path) {
                paths.push(path);
            }
            // A part of a set would be another set.
            if paths.len() > FILES_MAX {
                let reason = format!("holds more than {FILES_MAX} rule files; name the folder of the rules alone");
                return Err(RulesError { file: dir.display().to_string(), line: 0, reason });
            }
        }
        paths.sort();
        if paths.is_empty() {
            return Err(RulesError { file: dir.display().to_string(), line: 0, reason: "holds no *.toml: no rules".to_owned() });
        }
        let mut sources = Vec::new();
        for path in paths {
            let name = path.display().to_string();
            let error = |line: usize, reason: String| RulesError { file: name.clone(), line, reason };
            let bytes = std::fs::read(&path).map_err(|wrong| error(0, format!("read the rules: {wrong}")))?;
            let text = String::from_utf8(bytes).map_err(|wrong| {
                let before = wrong.as_bytes().iter().take(wrong.utf8_error().valid_up_to());
                error(before.filter(|byte| **byte == b'\n').count() + 1, "is not UTF-8; save it as UTF-8".to_owned())
            })?;
            sources.push(Source { name, text });
        }
        Self::from_sources(sources)
    }

    /// The rules that the program was built with.
    ///
    /// # Errors
    /// None in a build whose tests pass.
    pub fn embedded() -> Result<Self, RulesError> {
        Self::from_sources(EMBEDDED.iter().map(|(name, text)| Source { name: format!("rules/{name}"), text: (*text).to_owned() }).collect())
    }

    /// Names and texts of the built-in files, for `init`.
    #[must_use]
    pub fn embedded_files() -> &'static [(&'static str, &'static str)] {
        EMBEDDED
    }

    /// Makes a set of these files.
    ///
    /// # Errors
    /// The first thing that is wrong in any of them.
    pub fn from_sources(sources: Vec<Source>) -> Result<Self, RulesError> {
        let mut files = Vec::with_capacity(sources.len());
        for source in &sources {
            files.push(source.parse()?);
        }
        let compiled = Compiled::new(&sources, &files)?;
        let mut all = Vec::new();
        for source in &sources {
            // The directory does not count: the same files elsewhere are the same rules.
            all.extend_from_slice(source.name.rsplit('/').next().unwrap_or_default().as_bytes());
            all.push(0);
            all.extend_from_slice(source.text.as_bytes());
            all.push(0);
        }
        let mut version = Sha256::of(&all).0;
        version.truncate(16);
        Ok(Self { compiled, sources, version })
    }

    /// The version of the set: 16 hexadecimal digits of the hash over its files.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The rules, for listings.
    pub fn list(&self) -> impl Iterator<Item = Listed<'_>> {
        self.written().map(|rule| Listed {
            id: &rule.id,
            category: rule.category,
            weight: rule.weight,
            group: rule.group.as_deref(),
            priority: rule.priority,
            rsit: rule.rsit.as_deref(),
            tags: &rule.tags,
            reason_id: &rule.reason_id,
            reason_en: &rule.reason_en,
            at: &rule.at,
            examples: rule.examples.len(),
            counterexamples: rule.counterexamples.len(),
        })
    }

    /// How many rules there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.written().count()
    }

    /// Whether there is no rule.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.written().next().is_none()
    }

    /// The rules that stand in files; likeness to the examples stands in none.
    fn written(&self) -> impl Iterator<Item = &Rule> {
        self.compiled.rules.iter().filter(|rule| rule.file < self.sources.len())
    }
}

/// A rule as `rules list` shows it.
#[derive(Debug, Clone, Serialize)]
pub struct Listed<'a> {
    pub id: &'a str,
    pub category: Option<Category>,
    pub weight: f64,
    pub group: Option<&'a str>,
    pub priority: Option<Priority>,
    pub rsit: Option<&'a str>,
    pub tags: &'a [String],
    pub reason_id: &'a str,
    pub reason_en: &'a str,
    /// `file:line`.
    pub at: &'a str,
    pub examples: usize,
    pub counterexamples: usize,
}
