//! What an analyst asks: the state of a ticket, open tickets, the commands.

use super::Job;
use crate::decide::letters::{list, text};
use crate::decide::work::Work;
use crate::decide::{chief, disseminate};
use crate::decide::{command, report};
use crate::mail::template::TemplateName;
use crate::model::clock::ClockState;
use crate::model::policy::Policy;
use crate::model::snapshot::{Spoken, TimelineLine};
use crate::model::ticket::{Ticket, TicketNumber};
use crate::model::{Address, Document, Language, Tlp};
use std::collections::BTreeSet;

/// A moment as people in the centre read it.
#[must_use]
pub fn local(at: jiff::Timestamp, work: &Work<'_>) -> String {
    work.desk.local(at)
}

pub(super) fn status(job: &mut Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let ticket = job.ticket(work)?;
    let mut fields = work.fields(Some(&ticket.number));
    list(&mut fields, "facts", facts(&ticket, work));
    let event = |word: &str| work.desk.word("event_name", word);
    let timeline = work.world.timeline.iter();
    let timeline = timeline.map(|line| format!("{} · {} · {}\n{}", local(line.at, work), line.by, event(&line.event), detail(line, work)));
    list(&mut fields, "timeline", timeline);
    list(&mut fields, "messages", work.world.conversation.iter().map(|one| message(one, work)));
    let (all, files) = (work.world.attachments.len(), work.world.files.len());
    let left_out = work.desk.say("done.not_enclosed", &[("number", &ticket.number.0)]);
    list(&mut fields, "attachments", work.world.attachments.iter().cloned().chain((files < all).then_some(left_out)));
    job.answer_enclosures.clone_from(&work.world.files);
    list(&mut fields, "indicators", report::indicators(&work.world.indicators));
    if let Some(opening) = job.arrived.opening {
        // The rules may have changed since; the timeline has the reasons of that day.
        if opening.found.category == ticket.category {
            list(&mut fields, "category_reasons", report::reasons(&opening.explained(), work.desk));
        }
        list(&mut fields, "damage", report::damage_lines(opening, work.desk));
        text(&mut fields, "quoted", report::quoted(opening, work.desk));
    }
    let recipients: Vec<String> =
        work.disseminations_of(&work.survivor(&ticket.number)).flat_map(|one| disseminate::progress_lines(one, work)).collect();
    list(&mut fields, "recipients", recipients);
    job.answer = Some((TemplateName::Status, fields));
    Ok(work.desk.say("done.status", &[]))
}

/// A message of the conversation; the words of one that was cut say by how much.
fn message(one: &Spoken, work: &Work<'_>) -> String {
    let cut =
        if one.cut > 0 { format!("\n{}", work.desk.say("notice.clipped", &[("count", &one.cut.to_string())])) } else { String::new() };
    format!("{} · {} · {}\n{}{cut}", local(one.at, work), one.from, one.subject, one.text.trim_end())
}

/// The detail of an event as people call it: the history keeps the words of the contract.
fn detail(line: &TimelineLine, work: &Work<'_>) -> String {
    let kind = match line.event.as_str() {
        "state_changed" => "state",
        "category_set" => "category",
        "priority_set" => "priority",
        "documents_came" | "documents_asked" => "document",
        _ => return line.detail.clone(),
    };
    line.detail.split(", ").map(|word| work.desk.word(kind, word)).collect::<Vec<_>>().join(", ")
}

/// The running clocks of a ticket with their ends, on one line.
#[must_use]
pub fn running(ticket: &Ticket, work: &Work<'_>) -> String {
    let running = ticket.clocks.iter().filter(|clock| clock.met_at.is_none() && clock.paused_at.is_none());
    let line = |clock: &crate::model::clock::Clock| {
        clock.due_at.map(|due| work.desk.say("receipt.clock", &[("clock", clock.name.word()), ("due", &local(due, work))]))
    };
    running.filter_map(line).collect::<Vec<_>>().join("; ")
}

/// What a ticket is, a fact a line.
#[must_use]
pub fn facts(ticket: &Ticket, work: &Work<'_>) -> Vec<String> {
    let desk = work.desk;
    let fact = |key: &str, value: &str| desk.say(&format!("fact.{key}"), &[("value", if value.is_empty() { "-" } else { value })]);
    let documents = |documents: &BTreeSet<Document>| {
        documents.iter().map(|document| desk.word("document", document.word())).collect::<Vec<_>>().join(", ")
    };
    let mut facts = vec![
        fact("state", &desk.word("state", ticket.state.word())),
        fact("category", &desk.word("category", ticket.category.word())),
        fact("priority", &desk.word("priority", ticket.priority.word())),
        fact("tlp", &ticket.tlp.map_or_else(String::new, Tlp::label)),
        fact("subject", &ticket.subject),
        fact("channel", &desk.word("channel", ticket.channel.word())),
        fact("reporter", ticket.reporter.as_ref().map_or("", Address::as_str)),
        fact("assignee", ticket.assignee.as_ref().map_or("", Address::as_str)),
        fact("documents", &documents(&ticket.documents)),
        fact("missing", &documents(&ticket.missing())),
    ];
    facts.extend(ticket.form.iter().map(|(name, value)| format!("{}: {}", desk.word("form", name), report::one_line(value))));
    for clock in ticket.clocks.iter().filter(|clock| clock.due_at.is_some() || clock.met_at.is_some()) {
        let due = clock.due_at.map_or_else(String::new, |due| format!(", {}", local(due, work)));
        let stands = clock.stands_still(desk.now);
        let due = if stands { String::new() } else { due };
        let state = desk.word("clock_state", if stands { "paused" } else { clock.state(desk.now).word() });
        facts.push(format!("{}: {state}{due}", desk.say("clock.named", &[("clock", clock.name.word())])));
    }
    facts
}

/// Open tickets that fit every word of the filter, one a line.
pub(super) fn open_list(filter: &str, job: &mut Job<'_>, work: &Work<'_>) -> String {
    let words: Vec<String> = filter.split_whitespace().map(str::to_lowercase).collect();
    let lines: Vec<String> = work
        .world
        .open_tickets
        .iter()
        .filter(|ticket| words.iter().all(|word| fits(ticket, word, job, work)))
        .map(|ticket| list_line(ticket, work))
        .take(LIST_LINES_MAX)
        .collect();
    let count = lines.len().to_string();
    let mut fields = work.fields(None);
    text(&mut fields, "heading", work.desk.say("done.list_heading", &[("count", &count), ("filter", filter.trim())]));
    list(&mut fields, "facts", lines);
    job.answer = Some((TemplateName::Status, fields));
    work.desk.say("done.listed", &[("count", &count)])
}

/// Lines of one `!daftar`; a longer list is read by nobody in a mail.
const LIST_LINES_MAX: usize = 200;

pub(super) fn fits(ticket: &Ticket, word: &str, job: &Job<'_>, work: &Work<'_>) -> bool {
    let of_category = word.strip_prefix("kategori:").or_else(|| word.strip_prefix("category:"));
    match (word, of_category) {
        (_, Some(name)) => {
            command::category(name) == Some(ticket.category) || work.desk.word("category", ticket.category.word()).to_lowercase() == name
        }
        ("saya" | "mine" | "me", _) => ticket.assignee.as_ref() == Some(&job.person.address),
        ("baru" | "new", _) => ticket.touched_at.is_none(),
        ("terlambat" | "late", _) => is_late(ticket, work),
        _ => list_line(ticket, work).to_lowercase().contains(word),
    }
}

pub(super) fn list_line(ticket: &Ticket, work: &Work<'_>) -> String {
    let due = ticket.clocks.iter().filter(|clock| clock.met_at.is_none()).filter_map(|clock| clock.due_at).min();
    let assignee = ticket.assignee.as_ref().map_or("-", Address::local);
    let due = due.map_or_else(|| "-".to_owned(), |due| local(due, work));
    let desk = work.desk;
    let state = desk.word("state", ticket.state.word());
    let (category, priority) = (desk.word("category", ticket.category.word()), desk.word("priority", ticket.priority.word()));
    format!("{} · {state} · {category} · {priority} · {assignee} · {due}\n{}", ticket.number, ticket.subject)
}

/// The figures of the last seven days, as the chief receives them.
pub(super) fn report(job: &mut Job<'_>, work: &Work<'_>) -> String {
    let Some((fields, enclosures)) = chief::answer(work) else { return work.desk.say("done.help", &[]) };
    job.answer = Some((TemplateName::Report, fields));
    job.answer_enclosures = enclosures;
    work.desk.say("done.report", &[])
}

/// Whether a clock of the ticket ran out and was not met.
fn is_late(ticket: &Ticket, work: &Work<'_>) -> bool {
    ticket.clocks.iter().any(|clock| clock.met_at.is_none() && clock.state(work.desk.now) == ClockState::Breached)
}

pub(super) fn help(work: &Work<'_>, job: &mut Job<'_>) -> String {
    let mut fields = work.fields(None);
    list(&mut fields, "commands", examples(work.desk.policy));
    job.answer = Some((TemplateName::Help, fields));
    work.desk.say("done.help", &[])
}

/// Whole mails as an analyst would send them, in the centre's language.
fn examples(policy: &Policy) -> Vec<String> {
    let ticket = TicketNumber::new(&policy.ticket_prefix, 2026, 123);
    let of_ticket = |lines: &str| format!("!{} {ticket}\n{lines}", if policy.language == Language::En { "ticket" } else { "tiket" });
    let (on_ticket, of_dissemination) = if policy.language == Language::En {
        (
            [
                "!assign me\n!valid",
                "!reply\n…",
                "!reply\n!clear\n…",
                "!tlp AMBER\n!disseminate csirt@bank.example, sector:kesehatan\n…",
                "!confirm csirt@bank.example\nRina Wulandari said so by telephone, 14:10.",
                "!handled csirt@bank.example\nTheir letter of 12 March.",
                "!close\nThe hospital does not answer; its ministry was told by letter.",
            ],
            ["!approve DIS-2026-0007 3f9c01ab77de", "!cancel DIS-2026-0007\nThe port that it names is wrong."],
        )
    } else {
        (
            [
                "!petugas me\n!valid",
                "!balas\n…",
                "!balas\n!terbuka\n…",
                "!tlp AMBER\n!diseminasi csirt@bank.example, sector:kesehatan\n…",
                "!konfirmasi csirt@bank.example\nRina Wulandari lewat telepon, pukul 14.10.",
                "!ditangani csirt@bank.example\nSurat mereka tanggal 12 Maret.",
                "!tutup\nRumah sakitnya tidak menjawab; kementeriannya sudah disurati.",
            ],
            ["!setuju DIS-2026-0007 3f9c01ab77de", "!batal DIS-2026-0007\nPort yang disebut ternyata keliru."],
        )
    };
    on_ticket.into_iter().map(of_ticket).chain(of_dissemination.map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::examples;
    use crate::decide::command::{Command, read_order};
    use crate::model::Language;

    #[test]
    fn every_example_is_carried_out_as_it_stands_and_each_command_of_dissemination_has_one() {
        for language in [Language::Id, Language::En] {
            let policy = crate::model::policy::Policy { language, ..crate::decide::tests::policy() };
            let mut shown = Vec::new();
            for example in examples(&policy) {
                let order = read_order(&example, &policy);
                assert!(order.is_readable(), "{example}");
                let asks_for_text =
                    |command: &Command| matches!(command, Command::Confirm(_) | Command::Handled(_) | Command::Disseminate(_));
                assert!(!order.commands().any(asks_for_text) || !order.text.is_empty(), "{example}");
                shown.extend(order.commands().cloned());
            }
            let has = |is_meant: fn(&Command) -> bool| shown.iter().any(is_meant);
            assert!(has(|one| matches!(one, Command::Disseminate(_))) && has(|one| matches!(one, Command::Tlp(_))), "{shown:?}");
            assert!(has(|one| matches!(one, Command::Approve(..))) && has(|one| matches!(one, Command::Cancel(_))), "{shown:?}");
            assert!(has(|one| matches!(one, Command::Confirm(_))) && has(|one| matches!(one, Command::Handled(_))), "{shown:?}");
            assert!(
                has(|one| *one == Command::Close) && has(|one| *one == Command::Reply) && has(|one| *one == Command::Clear),
                "{shown:?}"
            );
        }
    }
}
