//! `bantuan70 mail` and `bantuan70 quarantine`: every stored message, and those that could not be
//! processed.

use super::listing::{Desk, cell, escaped_lines, not_found, open, print_fields, print_json, print_rows, row_count, row_id, who};
use super::ticket::words;
use super::{Common, Exit, Failure, Outcome, print};
use crate::model::InboxId;
use crate::model::effect::MailKind;
use crate::store::{MailFilter, Released};
use clap::{Args, Subcommand};
use std::io::Write as _;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List stored messages, newest last
    List {
        /// Only this kind
        #[arg(long, value_name = "KIND", value_parser = kind)]
        kind: Option<MailKind>,
        /// Only messages of this ticket
        #[arg(long, value_name = "NUMBER")]
        ticket: Option<String>,
        /// The newest so many
        #[arg(long, value_name = "NUMBER", value_parser = row_count)]
        limit: Option<usize>,
    },
    /// Show one stored message
    Show(Show),
}

#[derive(Debug, Args)]
struct Show {
    /// MAIL-ID of the list
    #[arg(value_parser = row_id)]
    id: i64,
    /// The bytes as they came, nothing else
    #[arg(long)]
    raw: bool,
}

#[derive(Debug, Args)]
pub(super) struct QuarantineArguments {
    #[command(subcommand)]
    verb: QuarantineVerb,
}

#[derive(Debug, Subcommand)]
enum QuarantineVerb {
    /// List messages that could not be processed
    List,
    /// Show one of them
    Show(Show),
    /// Handle a message anew; one that has a ticket only leaves the list
    Release {
        /// MAIL-ID of the list
        #[arg(value_parser = row_id)]
        id: i64,
    },
}

fn kind(word: &str) -> Result<MailKind, String> {
    MailKind::parse(word).ok_or_else(|| format!("a kind is one of {}", words(MailKind::ALL.iter().map(|kind| kind.word()))))
}

pub(super) fn run(common: &Common, arguments: Arguments) -> Outcome {
    let desk = open(common)?;
    match arguments.verb {
        Verb::List { kind, ticket, limit } => {
            let ticket = ticket.map(|typed| desk.ticket_number(&typed)).transpose()?;
            if let Some(number) = &ticket
                && desk.store.ticket(number, &desk.view)?.is_none()
            {
                return Err(not_found(format!("there is no ticket {number}")));
            }
            let rows = desk.store.mail(&MailFilter { kind, ticket, limit, ..MailFilter::default() }, &desk.view)?;
            print_rows(common, &rows, &["ID", "RECEIVED", "KIND", "TICKET", "FROM", "SUBJECT", "REASON"], |row| {
                vec![
                    row.id.to_string(),
                    row.at.clone(),
                    row.kind.map_or_else(|| "waits".to_owned(), |kind| kind.to_string()),
                    cell(row.ticket.as_ref()),
                    cell(row.from.as_ref()),
                    row.subject.clone(),
                    row.reason.clone(),
                ]
            })
        }
        Verb::Show(what) => show(common, &desk, &what),
    }
}

pub(super) fn run_quarantine(common: &Common, arguments: QuarantineArguments) -> Outcome {
    let desk = open(common)?;
    match arguments.verb {
        QuarantineVerb::List => {
            let rows = desk.store.quarantine(&desk.view)?;
            print_rows(common, &rows, &["ID", "RECEIVED", "BYTES", "FROM", "SUBJECT", "REASON"], |row| {
                vec![
                    row.id.to_string(),
                    row.at.clone(),
                    row.bytes.to_string(),
                    cell(row.from.as_ref()),
                    row.subject.clone(),
                    row.reason.clone(),
                ]
            })
        }
        QuarantineVerb::Show(what) => {
            if !desk.store.quarantine(&desk.view)?.iter().any(|row| row.id == InboxId(what.id)) {
                return Err(not_found(format!("mail {} is not in the quarantine", what.id)));
            }
            show(common, &desk, &what)
        }
        QuarantineVerb::Release { id } => {
            let released = desk.store.release(InboxId(id), &who(), desk.view.now).map_err(Failure::from_refusal)?;
            print(match released {
                Released::ToBeHandled => format!("mail {id} will be handled anew"),
                Released::Acknowledged => format!("mail {id} has left the list and stays as it is"),
            })?;
            Ok(Exit::Done)
        }
    }
}

fn show(common: &Common, desk: &Desk, what: &Show) -> Outcome {
    let id = InboxId(what.id);
    let absent = || not_found(format!("there is no mail {id}"));
    if what.raw {
        let raw = desk.store.raw(id)?.ok_or_else(absent)?;
        std::io::stdout().write_all(&raw).map_err(|error| Failure::from(anyhow::Error::new(error)))?;
        return Ok(Exit::Done);
    }
    let page = desk.store.mail_page(id, &desk.view)?.ok_or_else(absent)?;
    if common.json {
        print_json(&page)?;
        return Ok(Exit::Done);
    }
    let mail = &page.mail;
    print_fields(&[
        ("id", mail.id.to_string()),
        ("state", mail.state.clone()),
        ("kind", cell(mail.kind.as_ref())),
        ("ticket", cell(mail.ticket.as_ref())),
        ("reason", mail.reason.clone()),
        ("received", mail.at.clone()),
        ("from", cell(mail.from.as_ref())),
        ("subject", mail.subject.clone()),
        ("message-id", cell(mail.message_id.as_ref())),
        ("bytes", mail.bytes.to_string()),
        ("sha256", page.sha256.clone()),
        ("rules", page.rules_version.clone()),
        ("attempts", page.attempts.to_string()),
        ("came in by", page.places.join("; ")),
    ])?;
    if !page.text.is_empty() {
        print(format!("\n{}", escaped_lines(page.text.trim_end())))?;
    }
    Ok(Exit::Done)
}
