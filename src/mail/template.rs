//! The letters' words: templates in Indonesian and English, embedded and replaceable one by one.
//! Values are data, never template source (ATTACKS M19). Everything that can go wrong is found
//! when the templates are loaded, so that rendering a letter never fails.

mod check;
mod fields;
mod files;
mod phrases;
#[cfg(test)]
mod tests;

pub use fields::{Field, Fields, Shape, TemplateName};
pub use files::EMBEDDED;

use crate::model::Language;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use phrases::Phrases;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The line that every mail to analysts begins with holds these words in both languages: what
/// stands below it in an answer is never carried out or passed on (contract 5).
pub const REPLY_ABOVE: &str = "balas di atas garis ini";

/// A letter's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line, without control characters.
    pub subject: String,
    pub text: String,
    pub html: Option<String>,
}

/// Why templates cannot be used: file, line and reason on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    pub file: PathBuf,
    /// Counted from 1; `None` where the file as a whole is meant.
    pub line: Option<usize>,
    pub reason: String,
}

impl std::fmt::Display for TemplateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl std::error::Error for TemplateError {}

/// Every template in both languages, checked.
#[derive(Debug)]
pub struct Templates {
    id: Book,
    en: Book,
}

/// The templates and phrases of one language.
#[derive(Debug)]
struct Book {
    environment: Environment<'static>,
    phrases: Arc<Phrases>,
}

impl Templates {
    /// Loads the embedded templates; files of the same name under `DIR/id` and `DIR/en` stand in
    /// their place. Every template is rendered with sample values before this returns.
    ///
    /// # Errors
    /// Unreadable file, unknown file name, wrong syntax, a field that is not declared, a subject
    /// without the tag.
    pub fn load(dir: Option<&Path>) -> Result<Self, TemplateError> {
        let templates = Self { id: Book::load(dir, "id")?, en: Book::load(dir, "en")? };
        check::same_phrases(&templates.id.phrases, &templates.en.phrases)?;
        Ok(templates)
    }

    /// Fills a template. Fields that are not given count as empty.
    #[must_use]
    pub fn render(&self, name: TemplateName, language: Language, fields: &Fields) -> Rendered {
        let book = self.book(language);
        book.fill(name, fields).unwrap_or_else(|_| {
            // Every template was filled when it was loaded, so nobody should ever see this.
            let number = fields.text_of("number");
            Rendered { subject: one_line(fields.text_of("tag")), text: format!("{number}\n"), html: None }
        })
    }

    /// Texts of the centre that are not used, each with file, line and reason.
    pub fn warnings(&self) -> impl Iterator<Item = &TemplateError> {
        self.id.phrases.warnings.iter().chain(&self.en.phrases.warnings)
    }

    /// A short text of `phrases.toml`, its `{{ name }}` filled in. A key that is not there comes
    /// back between question marks, which tests look for.
    #[must_use]
    pub fn phrase(&self, language: Language, key: &str, arguments: &[(&str, &str)]) -> String {
        self.book(language).phrases.fill(key, arguments)
    }

    fn book(&self, language: Language) -> &Book {
        if language.of_answer() == Language::En { &self.en } else { &self.id }
    }
}

impl Book {
    fn load(dir: Option<&Path>, language: &'static str) -> Result<Self, TemplateError> {
        let files = files::collect(dir, language)?;
        let phrases = Arc::new(Phrases::read(&files)?);
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|name| if name.ends_with(".html") { AutoEscape::Html } else { AutoEscape::None });
        // With block tags on lines of their own, a text reads in the file as it reads in the mail.
        if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
            environment.set_syntax(syntax);
        }
        let words = Arc::clone(&phrases);
        environment.add_filter("word", move |value: &str, kind: &str| words.word(kind, value));
        for file in files.iter().filter(|file| !file.is_phrases()) {
            let source = if file.is_letter_text() {
                let (subject, text) = split(file)?;
                add(&mut environment, file, &format!("{}.subject", file.stem()), subject)?;
                text
            } else {
                file.content.clone()
            };
            add(&mut environment, file, &file.name, source)?;
        }
        let book = Self { environment, phrases };
        check::book(&book, &files)?;
        Ok(book)
    }

    fn fill(&self, name: TemplateName, fields: &Fields) -> Result<Rendered, minijinja::Error> {
        let values = name.values(fields);
        let filled = |part: &str| self.environment.get_template(&format!("{name}{part}"))?.render(&values);
        let html = match self.environment.get_template(&format!("{name}.html")) {
            Ok(template) => Some(template.render(&values)?),
            Err(_) => None,
        };
        Ok(Rendered { subject: one_line(&filled(".subject")?), text: tidy_end(&filled(".txt")?), html })
    }
}

/// Puts a template into the environment.
fn add(environment: &mut Environment<'static>, file: &files::File, name: &str, source: String) -> Result<(), TemplateError> {
    environment.add_template_owned(name.to_owned(), source).map_err(|error| check::explained(file, &error))
}

/// The subject line and the text of a letter. The text keeps its place in the file by two empty
/// lines, so that errors name the right one.
fn split(file: &files::File) -> Result<(String, String), TemplateError> {
    let wrong = |line: usize, reason: &str| TemplateError { file: file.shown.clone(), line: Some(line), reason: reason.to_owned() };
    let (first, rest) = file.content.split_once('\n').ok_or_else(|| wrong(1, "is empty; a letter has a subject line and a text"))?;
    let subject = first.strip_prefix("Subject:").ok_or_else(|| wrong(1, "the first line must begin with 'Subject:'"))?;
    let text = rest.strip_prefix('\n').ok_or_else(|| wrong(2, "the second line must be empty"))?;
    Ok((subject.trim().to_owned(), format!("\n\n{text}")))
}

/// A subject: control characters and runs of spaces become one space (ATTACKS D1).
fn one_line(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn tidy_end(text: &str) -> String {
    format!("{}\n", text.trim_matches('\n').trim_end())
}

impl TemplateName {
    /// The declared fields with the given values; what is not given, or of another shape, is empty.
    fn values(self, fields: &Fields) -> Value {
        let values: BTreeMap<&str, Value> = self
            .fields()
            .map(|(name, shape)| {
                let value = match (shape, fields.get(name)) {
                    (Shape::Text, Some(Field::Text(text))) => Value::from(text.as_str()),
                    (Shape::Text, _) => Value::from(""),
                    (Shape::List, Some(Field::List(lines))) => lines.iter().map(String::as_str).collect(),
                    (Shape::List, _) => Value::from(Vec::<String>::new()),
                    (Shape::Flag, Some(Field::Flag(flag))) => Value::from(*flag),
                    (Shape::Flag, _) => Value::from(false),
                    (Shape::Number, Some(Field::Number(number))) => Value::from(*number),
                    (Shape::Number, _) => Value::from(0),
                };
                (name, value)
            })
            .collect();
        Value::from(values)
    }
}
