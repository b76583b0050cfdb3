//! `bantuan70 templates`: the words of the letters, checked, listed, and one of them filled as a
//! ticket would get it. Nothing is sent and nothing is stored.

use super::listing::{escaped, escaped_lines, open, print_json, print_rows};
use super::{Common, Exit, Failure, Outcome, print};
use crate::mail::template::{Fields, Shape, TemplateName, Templates};
use crate::model::ticket::Ticket;
use crate::model::{Language, Tlp};
use clap::{Args, Subcommand};
use serde::Serialize;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Fill every letter with sample values; name file, line and reason of what is wrong
    Check,
    /// Every letter with the fields that it is given
    List,
    /// Fill one letter for a ticket and print it; what the ticket does not say stands as ‹field›
    Show {
        /// Name of the letter, such as acknowledgement
        #[arg(value_parser = name)]
        name: TemplateName,
        /// Ticket number, such as BANTUAN70-2026-000123
        #[arg(long, value_name = "NUMBER")]
        ticket: String,
        /// id or en [default: the language of the ticket]
        #[arg(long, value_parser = language)]
        language: Option<Language>,
    },
}

fn name(word: &str) -> Result<TemplateName, String> {
    TemplateName::parse(word.trim_end_matches(".txt"))
        .ok_or_else(|| format!("a letter is one of {}", super::ticket::words(TemplateName::ALL.iter().map(|name| name.word()))))
}

fn language(word: &str) -> Result<Language, String> {
    Language::parse(word).filter(|language| matches!(language, Language::Id | Language::En)).ok_or_else(|| "id or en".to_owned())
}

#[derive(Debug, Serialize)]
struct Row {
    name: &'static str,
    fields: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct Shown {
    subject: String,
    text: String,
    html: Option<String>,
}

pub(super) fn run(common: &Common, arguments: Arguments) -> Outcome {
    match arguments.verb {
        Verb::Check => check(common),
        Verb::List => {
            let row = |name: &TemplateName| Row { name: name.word(), fields: name.fields().map(|(field, _)| field).collect() };
            let rows: Vec<Row> = TemplateName::ALL.iter().map(row).collect();
            print_rows(common, &rows, &["LETTER", "FIELDS"], |row| vec![row.name.to_owned(), row.fields.join(" ")])
        }
        Verb::Show { name, ticket, language } => show(common, name, &ticket, language),
    }
}

pub(super) fn load(common: &Common) -> Result<Templates, Failure> {
    let config = common.load_or_defaults()?;
    Templates::load(config.center.templates_dir.as_deref()).map_err(|error| Failure::usage(error.to_string()))
}

fn check(common: &Common) -> Outcome {
    let templates = load(common)?;
    if common.json {
        let warnings: Vec<String> = templates.warnings().map(ToString::to_string).collect();
        print_json(&serde_json::json!({ "ok": true, "letters": TemplateName::ALL.len(), "warnings": warnings }))?;
        return Ok(Exit::Done);
    }
    for warning in templates.warnings() {
        print(format!("warning  {}", escaped(&warning.to_string())))?;
    }
    print(format!("ok       {} letters in two languages", TemplateName::ALL.len()))?;
    Ok(Exit::Done)
}

fn show(common: &Common, name: TemplateName, typed: &str, language: Option<Language>) -> Outcome {
    let desk = open(common)?;
    let templates = load(common)?;
    let number = desk.ticket_number(typed)?;
    let ticket = desk.store.ticket_state(&number)?.ok_or_else(|| super::listing::not_found(format!("there is no ticket {number}")))?;
    let center = &desk.config.center;
    let fields = filled(name, &ticket).text("center_name", &center.name).text("center_address", center.address.as_str());
    let language = language.unwrap_or(if name.is_to_analysts() { center.language } else { ticket.language });
    let letter = templates.render(name, language, &fields);
    if common.json {
        print_json(&Shown { subject: letter.subject, text: letter.text, html: letter.html })?;
        return Ok(Exit::Done);
    }
    print(format!("Subject: {}\n", escaped(&letter.subject)))?;
    print(escaped_lines(letter.text.trim_end()))?;
    Ok(Exit::Done)
}

/// The fields of a letter from a ticket; a field that comes from a mail or an analyst shows its name.
fn filled(name: TemplateName, ticket: &Ticket) -> Fields {
    let missing: Vec<&str> = ticket.missing().iter().map(|document| document.word()).collect();
    let documents: Vec<&str> = ticket.documents.iter().map(|document| document.word()).collect();
    name.fields().fold(Fields::new(), |fields, (field, shape)| match (shape, field) {
        (_, "number") => fields.text(field, ticket.number.to_string()),
        (_, "tag") => fields.text(field, ticket.number.tag()),
        (_, "missing") => fields.list(field, missing.clone()),
        (_, "documents") => fields.list(field, documents.clone()),
        (_, "has_missing") => fields.flag(field, !missing.is_empty()),
        (_, "from") => fields.text(field, ticket.reporter.as_ref().map_or_else(String::new, ToString::to_string)),
        (_, "from_name") => fields.text(field, &ticket.reporter_name),
        (_, "subject") => fields.text(field, &ticket.subject),
        (_, "category") => fields.text(field, ticket.category.word()),
        (_, "priority") => fields.text(field, ticket.priority.word()),
        (_, "state") => fields.text(field, ticket.state.word()),
        (_, "language") => fields.text(field, ticket.language.word()),
        (_, "tlp" | "label" | "mark") => fields.text(field, ticket.tlp.map_or_else(String::new, Tlp::label)),
        (Shape::Text, _) => fields.text(field, format!("‹{field}›")),
        (Shape::List, _) => fields.list(field, [format!("‹{field}›")]),
        (Shape::Flag, _) => fields.flag(field, false),
        (Shape::Number, _) => fields.number(field, 3),
    })
}
