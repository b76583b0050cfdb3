//! What is tried when templates are loaded: names of fields, subjects, the line to answer above,
//! and every letter filled with sample values, full and empty.

use super::files::File;
use super::phrases::{Phrases, arguments};
use super::{Book, Fields, REPLY_ABOVE, Shape, TemplateError, TemplateName};
use std::collections::BTreeSet;

/// Names that the template language itself gives.
const GLOBALS: &[&str] = &["range", "dict", "namespace", "debug", "loop"];
const SAMPLE_TAG: &str = "[BANTUAN70-2026-000001]";

/// Tries every template of a language.
pub(super) fn book(book: &Book, files: &[File]) -> Result<(), TemplateError> {
    for file in files.iter().filter(|file| !file.is_phrases()) {
        names(book, file)?;
    }
    for file in files {
        let Some(name) = file.template() else { continue };
        for is_full in [true, false] {
            let fields = sample(name, is_full);
            let rendered = book.fill(name, &fields).map_err(|error| explained(file, &error))?;
            if !file.is_letter_text() {
                continue;
            }
            let wrong = |line, reason: String| Err(TemplateError { file: file.shown.clone(), line: Some(line), reason });
            if is_full && !name.may_lack_ticket() && rendered.subject.matches(SAMPLE_TAG).count() != 1 {
                return wrong(1, "the subject must hold {{ tag }} once, so that an answer finds its ticket".to_owned());
            }
            if rendered.subject.is_empty() || rendered.subject.len() > 200 {
                return wrong(1, "the subject must be neither empty nor longer than 200 bytes".to_owned());
            }
            if is_full && rendered.text.trim().is_empty() {
                return wrong(3, "the text is empty".to_owned());
            }
            let first = rendered.text.lines().next().unwrap_or_default();
            if name.is_to_analysts() && (!first.contains(REPLY_ABOVE) || first.trim_end() == "--") {
                return wrong(
                    3,
                    format!("the text must begin with a line that holds '{REPLY_ABOVE}', so that nothing quoted is carried out"),
                );
            }
        }
    }
    Ok(())
}

/// Each name that a template uses must be declared, whether or not a sample comes to it.
fn names(book: &Book, file: &File) -> Result<(), TemplateError> {
    let declared: BTreeSet<&str> = match file.template() {
        Some(name) => name.fields().map(|(field, _)| field).collect(),
        // A file that others include may use what any of them is given.
        None => TemplateName::ALL.iter().flat_map(|name| name.fields()).map(|(field, _)| field).collect(),
    };
    let subject = format!("{}.subject", file.stem());
    for part in [file.name.as_str(), subject.as_str()] {
        let Ok(template) = book.environment.get_template(part) else { continue };
        let mut unknown: Vec<String> = template
            .undeclared_variables(false)
            .into_iter()
            .filter(|name| !declared.contains(name.as_str()) && !GLOBALS.contains(&name.as_str()))
            .collect();
        unknown.sort();
        if let Some(name) = unknown.first() {
            let line = (1..).zip(file.content.lines()).find(|(_, line)| has_word(line, name)).map(|(number, _)| number);
            let known: Vec<&str> = declared.iter().copied().collect();
            let reason = format!("'{name}' is no field of this letter; its fields are {}", known.join(", "));
            return Err(TemplateError { file: file.shown.clone(), line, reason });
        }
    }
    Ok(())
}

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|piece| piece == word)
}

/// Sample values of every declared field.
fn sample(name: TemplateName, is_full: bool) -> Fields {
    name.fields().fold(Fields::new(), |fields, (field, shape)| match (shape, field) {
        (Shape::Text, "tag") if is_full => fields.text(field, SAMPLE_TAG),
        (Shape::Text, "number") if is_full => fields.text(field, "BANTUAN70-2026-000001"),
        (Shape::Text, "center_name") => fields.text(field, "Pusat Kontak"),
        (Shape::Text, "center_address") => fields.text(field, "pusat@kontak.example"),
        (Shape::Text, _) => fields.text(field, if is_full { field } else { "" }),
        (Shape::List, "missing" | "documents") if is_full => fields.list(field, ["identity", "form", "other"]),
        (Shape::List, _) => fields.list(field, if is_full { vec!["first", "second"] } else { Vec::new() }),
        (Shape::Flag, _) => fields.flag(field, is_full),
        (Shape::Number, _) => fields.number(field, if is_full { 3 } else { 0 }),
    })
}

/// What the template language says, as one line with file and line.
pub(super) fn explained(file: &File, error: &minijinja::Error) -> TemplateError {
    // An error inside an included file names that file.
    let inner = error.name().filter(|name| name.starts_with('_') && *name != file.name);
    let shown = match inner {
        Some(name) => file.shown.with_file_name(name),
        None => file.shown.clone(),
    };
    let reason = error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()));
    TemplateError { file: shown, line: error.line(), reason: reason.replace('\n', " ") }
}

/// A text that one language has, the other has too, with the same names in it.
pub(super) fn same_phrases(id: &Phrases, en: &Phrases) -> Result<(), TemplateError> {
    for (here, there) in [(id, en), (en, id)] {
        for (key, text) in &here.texts {
            let reason = match there.texts.get(key) {
                None => format!("{key}: is missing, and the other language has it"),
                Some(other) if arguments(other) != arguments(text) => {
                    format!("{key}: takes other {{{{ names }}}} than in the other language")
                }
                Some(_) => continue,
            };
            return Err(TemplateError { file: there.shown.clone(), line: None, reason });
        }
    }
    Ok(())
}
