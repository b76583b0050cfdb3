//! `bantuan70 ticket`: read tickets. Nothing here changes one; that is what signed commands are for.

mod misp;

use super::listing::{Desk, cell, escaped, escaped_lines, not_found, open, print_fields, print_json, print_rows, row_count};
use super::{Common, Exit, Failure, Outcome, print};
use crate::extract::indicator::beside_unicode;
use crate::model::dissemination::{DisseminationState, RecipientState};
use crate::model::ticket::{Direction, State};
use crate::model::{Address, Category, InboxId};
use crate::store::{DisseminationRow, OutboxId, RecipientRow, TicketFilter, TicketPage, TicketRow};
use clap::{Args, Subcommand, ValueEnum};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List tickets, newest last
    List(List),
    /// Show one ticket with its messages, history and disseminations
    Show {
        /// Ticket number, such as BANTUAN70-2026-000123
        number: String,
    },
    /// Find tickets whose messages and notes hold all of these words
    Search {
        /// Words; a ticket is found where each of them stands in it
        #[arg(required = true)]
        words: Vec<String>,
    },
    /// Write one ticket for another program
    Export {
        /// Ticket number, such as BANTUAN70-2026-000123
        number: String,
        /// One JSON object; one mail that holds every message of the ticket; or a MISP event with the
        /// indicators and nothing of the reporter
        #[arg(long, value_enum)]
        format: Format,
    },
}

#[derive(Debug, Args)]
struct List {
    /// Only this state; may be given more than once
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Vec<State>,
    /// Only tickets that are worked on
    #[arg(long, conflicts_with = "state")]
    open: bool,
    /// Only this category; may be given more than once
    #[arg(long, value_name = "CATEGORY", value_parser = category)]
    category: Vec<Category>,
    /// Only this reporter
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    reporter: Option<Address>,
    /// Only this assignee
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    assignee: Option<Address>,
    /// The newest so many
    #[arg(long, value_name = "NUMBER", value_parser = row_count)]
    limit: Option<usize>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Json,
    Eml,
    Misp,
}

fn state(word: &str) -> Result<State, String> {
    State::parse(word).ok_or_else(|| format!("a state is one of {}", words(State::ALL.iter().map(|state| state.word()))))
}

fn category(word: &str) -> Result<Category, String> {
    Category::parse(word).ok_or_else(|| format!("a category is one of {}", words(Category::ALL.iter().map(|category| category.word()))))
}

pub(super) fn address(text: &str) -> Result<Address, String> {
    Address::parse(text).ok_or_else(|| "not a mail address".to_owned())
}

/// `a, b, c`.
pub(super) fn words<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

pub(super) fn run(common: &Common, arguments: Arguments) -> Outcome {
    let desk = open(common)?;
    match arguments.verb {
        Verb::List(list) => {
            let states = if list.open { State::ALL.iter().copied().filter(|state| state.is_open()).collect() } else { list.state };
            let filter = TicketFilter {
                states,
                categories: list.category,
                reporter: list.reporter,
                assignee: list.assignee,
                since: None,
                limit: list.limit,
            };
            print_tickets(common, &desk.store.tickets(&filter, &desk.view)?)
        }
        Verb::Show { number } => show(common, &desk, &number),
        Verb::Search { words } => {
            let rows = desk.store.search(&words.join(" "), &desk.view)?;
            if rows.is_empty() {
                return Err(not_found("no ticket holds these words"));
            }
            print_tickets(common, &rows)
        }
        Verb::Export { number, format } => {
            let page = page(&desk, &number)?;
            match format {
                Format::Json => print_json(&page)?,
                Format::Eml => export_eml(&desk, &page)?,
                Format::Misp => print_json(&misp::event(&page, &desk.config.center.address, &desk.config.center.name))?,
            }
            Ok(Exit::Done)
        }
    }
}

fn page(desk: &Desk, typed: &str) -> Result<TicketPage, Failure> {
    let number = desk.ticket_number(typed)?;
    desk.store.ticket(&number, &desk.view)?.ok_or_else(|| not_found(format!("there is no ticket {number}")))
}

fn print_tickets(common: &Common, rows: &[TicketRow]) -> Outcome {
    print_rows(common, rows, &["NUMBER", "STATE", "CATEGORY", "PRIORITY", "TLP", "OPENED", "DUE", "ASSIGNEE", "SUBJECT"], |row| {
        let due = row
            .clocks
            .iter()
            .filter(|clock| clock.met_at.is_none() && clock.paused_at.is_none())
            .filter_map(|clock| clock.due_at.clone())
            .min();
        vec![
            row.number.to_string(),
            row.state.to_string(),
            row.category.to_string(),
            row.priority.to_string(),
            cell(row.tlp.as_ref()),
            row.opened_at.clone(),
            due.unwrap_or_default(),
            cell(row.assignee.as_ref()),
            row.subject.clone(),
        ]
    })
}

fn show(common: &Common, desk: &Desk, number: &str) -> Outcome {
    let page = page(desk, number)?;
    if common.json {
        print_json(&page)?;
        return Ok(Exit::Done);
    }
    let ticket = &page.ticket;
    print_fields(&[
        ("number", ticket.number.to_string()),
        ("state", ticket.state.to_string()),
        ("service", ticket.service.to_string()),
        ("category", ticket.category.to_string()),
        ("priority", ticket.priority.to_string()),
        ("tlp", cell(ticket.tlp.as_ref())),
        ("subject", ticket.subject.clone()),
        ("reporter", cell(ticket.reporter.as_ref())),
        ("channel", ticket.channel.to_string()),
        ("assignee", cell(ticket.assignee.as_ref())),
        ("opened", ticket.opened_at.clone()),
        ("updated", ticket.updated_at.clone()),
        ("documents", words(page.documents.iter().map(|document| document.word()))),
        ("missing", words(ticket.missing.iter().map(|document| document.word()))),
        ("links", words(page.links.iter().map(|link| link.0.as_str()))),
        ("merged into", cell(page.merged_into.as_ref())),
    ])?;
    for clock in &ticket.clocks {
        let due = clock.due_at.as_deref().unwrap_or("-");
        let paused = clock.paused_at.as_ref().map_or_else(String::new, |at| format!(", stands still since {at}"));
        print(format!("clock        {} {}, due {due}, met {}{paused}", clock.name, clock.state, clock.met_at.as_deref().unwrap_or("-")))?;
    }
    for (name, value) in &page.form {
        print(format!("form         {}: {}", escaped(name), escaped(value)))?;
    }
    for file in &page.attachments {
        let name = file.erased_at.as_ref().map_or_else(|| file.name.clone(), |at| format!("erased on {at}"));
        print(format!("attachment   {} ({}, {} bytes) {}", escaped(&name), escaped(&file.media_type), file.bytes, file.sha256))?;
    }
    for (kind, values) in &page.indicators {
        let values = if kind == "domains" { beside_unicode(values.iter().map(String::as_str)) } else { values.clone() };
        values.iter().try_for_each(|value| print(format!("{kind:12} {}", escaped(value))))?;
    }
    show_disseminations(&page)?;
    print("\nTIMELINE")?;
    for line in &page.timeline {
        print(format!("{}  {}  {}  {}", line.at, line.event, escaped(&line.by), escaped(&line.detail)))?;
    }
    let mut shown = BTreeSet::new();
    for message in &page.messages {
        print(format!("\n{} {} {} {}", message.direction.word().to_uppercase(), message.at, message.kind, cell(message.state.as_ref())))?;
        print(format!("From: {}\nTo: {}", escaped(message.from.as_deref().unwrap_or_default()), escaped(&message.to)))?;
        let is_again = message.dissemination.as_ref().is_some_and(|number| !message.text.is_empty() && !shown.insert(number));
        let text = if is_again { "(the same text)" } else { message.text.trim_end() };
        print(format!("Subject: {}\n\n{}", escaped(&message.subject), escaped_lines(text)))?;
    }
    Ok(Exit::Done)
}

/// Of a recipient whose certificate is no longer the one that is to be agreed to.
const CHANGED: &str = "; would be held: the certificate pinned now is not the one in the manifest; !cancel, and !disseminate anew";

fn show_disseminations(page: &TicketPage) -> Result<(), Failure> {
    for dissemination in &page.disseminations {
        let progress = progress(dissemination);
        let state = if dissemination.reached_nobody { "reached nobody" } else { dissemination.state.word() };
        let own = Some(&dissemination.ticket).filter(|ticket| **ticket != page.ticket.number);
        let own = own.map_or_else(String::new, |ticket| format!(" (drafted under {ticket})"));
        print(format!("\n{} TLP:{} {state}{own}: {progress}", dissemination.number, dissemination.tlp))?;
        for approval in &dissemination.approvals {
            print(format!("  agreed     {}  {}", approval.at, approval.by))?;
        }
        for recipient in &dissemination.recipients {
            let changed = if recipient.certificate_changed { CHANGED } else { "" };
            print(format!(
                "  {:9}  {}  {}  {}{changed}",
                state_of(recipient, dissemination.state),
                recipient.at,
                recipient.address,
                escaped(&recipient.because)
            ))?;
        }
    }
    Ok(())
}

/// `1240 of 2000 sent, 12 confirmed, 757 queued, 3 held`.
fn progress(dissemination: &DisseminationRow) -> String {
    let mut others: BTreeMap<&str, usize> = BTreeMap::new();
    for recipient in dissemination.recipients.iter().filter(|recipient| recipient.state != RecipientState::Sent) {
        *others.entry(state_of(recipient, dissemination.state)).or_default() += 1;
    }
    let others: String = others.iter().map(|(state, count)| format!(", {count} {state}")).collect();
    format!("{} of {} sent{others}", dissemination.sent, dissemination.recipients.len())
}

/// The state of a recipient for people: of what was cancelled nothing waits any more.
const fn state_of(recipient: &RecipientRow, of: DisseminationState) -> &'static str {
    match (recipient.state, of, recipient.may_have_it) {
        (RecipientState::Queued | RecipientState::Held, _, true) => "may have been sent",
        (RecipientState::Queued | RecipientState::Held, DisseminationState::Cancelled, false) => "not sent",
        (state, ..) => state.word(),
    }
}

/// One mail (RFC 2046 §5.1.5, `multipart/digest`) with every message of the ticket as it came and as it went.
fn export_eml(desk: &Desk, page: &TicketPage) -> Result<(), Failure> {
    let mut parts: Vec<Vec<u8>> = Vec::new();
    let (sealed, mut left_out) = (desk.store.sealed_digests(&page.ticket.number)?, String::new());
    for message in &page.messages {
        let bytes = match message.direction {
            Direction::In => desk.store.raw(InboxId(message.id))?,
            Direction::Out => desk.store.letter(OutboxId(message.id))?.sealed,
        };
        // A letter that was never sealed has not been sent: it has no form as a mail. One of a dissemination with large
        // files had one, until it left: words and files stand with the dissemination, and what it was is named.
        if let (Direction::Out, None, Some(sha256)) = (message.direction, &bytes, sealed.get(&OutboxId(message.id))) {
            let (id, to) = (message.message_id.as_deref().unwrap_or_default(), &message.to);
            left_out.push_str(&format!("{} to {to}, {}, Message-ID <{id}>: SHA-256 {sha256}\r\n", message.kind, message.at));
        }
        parts.extend(bytes);
    }
    let mut boundary = format!("ticket-{}", page.ticket.number);
    while parts.iter().any(|part| part.windows(boundary.len()).any(|window| window == boundary.as_bytes())) {
        boundary.push('-');
        boundary.push_str(&crate::model::Sha256::of(boundary.as_bytes()).0.chars().take(8).collect::<String>());
    }
    let mut out = Vec::new();
    let number = &page.ticket.number;
    let head = format!(
        "From: {}\r\nSubject: {} export\r\nX-Bantuan70-Ticket: {number}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/digest; boundary=\"{boundary}\"\r\n\r\n",
        desk.config.center.address,
        number.tag()
    );
    out.extend_from_slice(head.as_bytes());
    for part in parts {
        out.extend_from_slice(
            format!("--{boundary}\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n").as_bytes(),
        );
        out.extend_from_slice(&part);
        out.extend_from_slice(b"\r\n");
    }
    if !left_out.is_empty() {
        let head = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit";
        let why = "Left out: mails whose bytes are not kept any longer, each with the SHA-256 of what was sealed.";
        out.extend_from_slice(format!("--{boundary}\r\n{head}\r\n\r\n{why}\r\n{left_out}\r\n").as_bytes());
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    std::io::stdout().write_all(&out).map_err(|error| Failure::from(anyhow::Error::new(error)))
}
