//! Short texts with `{{ name }}` in them: reasons, results, and the words for the contract's words.

use super::TemplateError;
use super::files::File;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The phrases of one language, by `section.key` or `key`.
#[derive(Debug)]
pub(super) struct Phrases {
    pub texts: BTreeMap<String, String>,
    /// The file that the last text came from, for errors.
    pub shown: PathBuf,
    /// Texts of the centre that are not used, and why: a program that was upgraded may know other
    /// keys than the copy was made of, and that must not keep it from starting.
    pub warnings: Vec<TemplateError>,
}

impl Phrases {
    /// Reads every `phrases.toml`; a later file changes texts of the one before and adds none.
    pub fn read(files: &[File]) -> Result<Self, TemplateError> {
        let mut phrases = Self { texts: BTreeMap::new(), shown: PathBuf::new(), warnings: Vec::new() };
        let mut is_first = true;
        for file in files.iter().filter(|file| file.is_phrases()) {
            let table: toml::Table = file.content.parse().map_err(|error: toml::de::Error| TemplateError {
                file: file.shown.clone(),
                line: error.span().map(|span| file.content.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1),
                reason: error.message().replace('\n', " "),
            })?;
            for (key, text) in flattened(file, table)? {
                if let Some(known) = phrases.texts.get(&key) {
                    if arguments(known) != arguments(&text) {
                        let reason = "does not hold the same {{ names }} as the text that it stands for; the built-in text is used";
                        phrases.warnings.push(wrong(file, &key, reason));
                        continue;
                    }
                } else if !is_first {
                    phrases.warnings.push(wrong(file, &key, "is no phrase of this program and is not used"));
                    continue;
                }
                phrases.texts.insert(key, text);
            }
            phrases.shown.clone_from(&file.shown);
            is_first = false;
        }
        Ok(phrases)
    }

    /// The text of a key with its names filled in.
    pub fn fill(&self, key: &str, arguments: &[(&str, &str)]) -> String {
        let Some(text) = self.texts.get(key) else { return format!("?{key}?") };
        let mut filled = String::with_capacity(text.len());
        for piece in pieces(text) {
            match piece {
                Piece::Words(words) => filled.push_str(words),
                Piece::Name(name) => match arguments.iter().find(|(given, _)| *given == name) {
                    Some((_, value)) => filled.push_str(value),
                    None => filled.push_str(&format!("?{name}?")),
                },
            }
        }
        filled
    }

    /// How people call one of the contract's words: the phrase `kind.value`, else the word itself.
    pub fn word(&self, kind: &str, value: &str) -> String {
        self.texts.get(&format!("{kind}.{value}")).cloned().unwrap_or_else(|| value.to_owned())
    }
}

fn wrong(file: &File, key: &str, reason: &str) -> TemplateError {
    let last = key.rsplit('.').next().unwrap_or_default();
    let line = (1..).zip(file.content.lines()).find(|(_, line)| line.split('=').next().is_some_and(|name| name.trim() == last));
    TemplateError { file: file.shown.clone(), line: line.map(|(number, _)| number), reason: format!("{key}: {reason}") }
}

fn flattened(file: &File, table: toml::Table) -> Result<Vec<(String, String)>, TemplateError> {
    let mut texts = Vec::new();
    for (key, value) in table {
        match value {
            toml::Value::String(text) => texts.push((key, text)),
            toml::Value::Table(section) => {
                for (inner, value) in section {
                    let key = format!("{key}.{inner}");
                    let toml::Value::String(text) = value else { return Err(wrong(file, &key, "must be a text in quotes")) };
                    texts.push((key, text));
                }
            }
            _ => return Err(wrong(file, &key, "must be a text in quotes")),
        }
    }
    Ok(texts)
}

enum Piece<'a> {
    Words(&'a str),
    Name(&'a str),
}

/// Splits `a {{ name }} b`. An opening without its end is plain words.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, behind)) = after.split_once("}}") else { break };
        pieces.push(Piece::Words(before));
        pieces.push(Piece::Name(name.trim()));
        rest = behind;
    }
    pieces.push(Piece::Words(rest));
    pieces
}

/// The names that a text takes.
pub(super) fn arguments(text: &str) -> BTreeSet<&str> {
    pieces(text).into_iter().filter_map(|piece| if let Piece::Name(name) = piece { Some(name) } else { None }).collect()
}
