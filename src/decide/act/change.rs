//! What an analyst changes on a ticket: state, clocks, marks, assignee, its place among others.

use super::Job;
use super::answer::local;
use super::speech::{keep_enclosures, release_acknowledgement};
use crate::decide::letters::{self, lines::About};
use crate::decide::report::{self, Origin, start_clock};
use crate::decide::work::{DAEMON, Work};
use crate::decide::{command, disseminate, reply};
use crate::mail::template::TemplateName;
use crate::model::calendar;
use crate::model::clock::{Clock, ClockName};
use crate::model::effect::Effect;
use crate::model::letter::LetterKind;
use crate::model::ticket::{AtReporter, Channel, Service, State, Ticket, TicketEvent, TicketNumber};
use crate::model::{Address, Category, Document, InboxId, Tlp};
use command::Command;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// `word` stands in the history, `shown` in the receipt.
pub(super) fn set(job: &Job<'_>, work: &mut Work<'_>, event: TicketEvent, word: &str, shown: &str) -> Result<String, String> {
    let number = job.number(work)?;
    work.event(&number, job.by(), event, word);
    Ok(work.desk.say("done.set", &[("value", shown)]))
}

/// The category; and the priority that the report would have had from the start if it had been filed so, unless
/// a person has said how urgent it is.
pub(super) fn category(to: Category, job: &Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let number = job.number(work)?;
    let before = work.ticket(&number).map(|ticket| (ticket.category, ticket.priority));
    let shown = work.desk.word("category", to.word());
    let said = set(job, work, TicketEvent::CategorySet { to }, to.word(), &shown)?;
    let opened_here = number == work.world.next_ticket;
    let first = if opened_here { job.arrived.promoted } else { job.arrived.opening };
    let Some((first, (category, priority))) = first.zip(before) else { return Ok(said) };
    let wanted = first.found.priority_as(to);
    if category == to || priority == wanted || is_priority_a_persons(&number, work) {
        return Ok(said);
    }
    let urgency = work.desk.word("priority", wanted.word());
    let detail = work.desk.say("done.priority_follows", &[("priority", &urgency), ("category", &shown)]);
    work.event(&number, DAEMON, TicketEvent::PrioritySet { to: wanted }, &detail);
    Ok(format!("{said}; {detail}"))
}

/// Whether a person set the priority: before this mail, or by a command above in it.
fn is_priority_a_persons(number: &TicketNumber, work: &Work<'_>) -> bool {
    let opened_here = *number == work.world.next_ticket;
    let before = work.world.priority_by.as_deref().filter(|_| !opened_here);
    work.priority_by(number).or(before).is_some_and(|by| by != DAEMON)
}

pub(super) fn tlp(mark: Tlp, job: &Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    // Beside !diseminasi the mark is the dissemination's (contract 5).
    if job.order.commands().any(|command| matches!(command, Command::Disseminate(_))) {
        return Ok(work.desk.say("done.dissemination_mark", &[("mark", &mark.label())]));
    }
    set(job, work, TicketEvent::TlpSet { to: mark }, mark.word(), &mark.label())
}

pub(super) fn clear(job: &Job<'_>, work: &Work<'_>) -> Result<String, String> {
    let speaks =
        job.order.commands().any(|command| matches!(command, Command::Reply | Command::Request(_) | Command::Reject | Command::Analysis));
    if speaks { Ok(work.desk.say("done.clear", &[])) } else { Err(work.desk.say("refused.clear_alone", &[])) }
}

pub(super) fn meet(number: &TicketNumber, name: ClockName, by: &str, work: &mut Work<'_>) {
    let Some(clock) = work.ticket(number).map(|ticket| ticket.clock(name)) else { return };
    if clock.met_at.is_none() {
        let clock: Clock = clock.met(work.desk.now);
        let detail = work.desk.say("clock.met", &[("clock", name.word())]);
        work.event(number, by, TicketEvent::ClockSet { clock }, detail);
    }
}

/// The first analysis was held instead of sent: what counts is that the reporter gets it (contract 5 and 8), so its
/// clock runs on as if it had never been met. `Some`: until when.
pub fn analysis_held(number: &TicketNumber, by: &str, work: &mut Work<'_>) -> Option<Timestamp> {
    let ticket = work.ticket(number).filter(|ticket| ticket.state == State::Handling)?;
    let clock = ticket.clock(ClockName::Analysis);
    let due = clock.due_at.filter(|_| clock.met_at.is_some())?;
    let detail = work.desk.say("clock.resumed", &[("clock", clock.name.word())]);
    work.event(number, by, TicketEvent::ClockSet { clock: Clock { met_at: None, ..clock } }, detail);
    move_to(number, State::Analysing, by, work);
    Some(due)
}

/// It was sent after all.
pub fn analysis_sent(number: &TicketNumber, by: &str, work: &mut Work<'_>) {
    if work.ticket(number).is_some_and(|ticket| ticket.state == State::Analysing) {
        meet(number, ClockName::Analysis, by, work);
        move_to(number, State::Handling, by, work);
    }
}

pub(super) fn move_to(number: &TicketNumber, to: State, by: &str, work: &mut Work<'_>) {
    if work.ticket(number).is_some_and(|ticket| ticket.state != to) {
        work.event(number, by, TicketEvent::StateChanged { to }, to.word());
    }
}

pub(super) fn valid(job: &mut Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let ticket = job.open_ticket(work)?;
    if matches!(ticket.state, State::Analysing | State::Handling) {
        return Err(work.desk.say("refused.already_valid", &[]));
    }
    release_acknowledgement(&ticket.number, job.by(), work);
    declare_valid(&ticket.number, job.by(), work);
    let due = work.ticket(&ticket.number).and_then(|ticket| ticket.clock(ClockName::Analysis).due_at);
    Ok(work.desk.say("done.valid", &[("due", &due.map_or_else(String::new, |due| local(due, work)))]))
}

pub(super) fn declare_valid(number: &TicketNumber, by: &str, work: &mut Work<'_>) {
    meet(number, ClockName::Verification, by, work);
    move_to(number, State::Analysing, by, work);
    start_clock(number, ClockName::Analysis, work);
}

/// A ticket leaves the open states: its clocks stand still.
pub(super) fn end(number: &TicketNumber, state: State, by: &str, work: &mut Work<'_>) {
    let clocks = work.ticket(number).map(|ticket| ticket.clocks.clone()).unwrap_or_default();
    for clock in clocks.into_iter().filter(|clock| clock.started_at.is_some() && clock.met_at.is_none()) {
        let detail = work.desk.say("clock.paused", &[("clock", clock.name.word())]);
        let clock = clock.paused(work.desk.now);
        work.event(number, by, TicketEvent::ClockSet { clock }, detail);
    }
    move_to(number, state, by, work);
}

pub(super) fn assign(to: Option<&Address>, job: &Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let number = job.number(work)?;
    let to = to.unwrap_or(&job.person.address).clone();
    let Some(person) = work.desk.policy.person(&to) else {
        return Err(work.desk.say("refused.not_an_analyst", &[("address", to.as_str())]));
    };
    work.event(&number, job.by(), TicketEvent::Assigned { to: to.clone() }, to.as_str());
    if to != job.person.address {
        let what = work.desk.say("notice.assigned", &[("number", &number.0), ("by", job.by())]);
        let fields = work.event_fields(&number, About::Ticket, what, Vec::new(), "");
        let letter = work.to_person(person, Some(&number), LetterKind::Notice, TemplateName::NoticeEvent, &fields);
        work.queue(letter, AtReporter::No);
    }
    Ok(work.desk.say("done.assigned", &[("address", to.as_str())]))
}

pub(super) fn merge(into: &TicketNumber, job: &mut Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let ticket = job.open_ticket(work)?;
    let Some(other) = work.ticket(into).cloned() else {
        return Err(work.desk.say("refused.no_such_ticket", &[("number", &into.0)]));
    };
    if *into == ticket.number || other.state == State::Merged {
        return Err(work.desk.say("refused.cannot_merge", &[("number", &into.0)]));
    }
    // The clocks of this one stand still from here on: where nobody works on the other, nothing would run.
    if !other.state.is_open() {
        return Err(work.desk.say("refused.merge_into_ended", &[("number", &into.0), ("state", other.state.word())]));
    }
    for address in &ticket.participants {
        work.event(into, job.by(), TicketEvent::ParticipantAdded { address: address.clone() }, address.as_str());
    }
    work.event(into, job.by(), TicketEvent::Linked { to: ticket.number.clone() }, ticket.number.to_string());
    // What was marked stays marked where the conversation goes on.
    let disseminated = work.disseminations_of(&ticket.number).map(|one| one.tlp).filter(|mark| mark.must_be_encrypted()).max();
    if let Some(mark) = ticket.received_tlp.max(ticket.tlp).max(disseminated) {
        work.event(into, job.by(), TicketEvent::TlpReceived { mark }, mark.word());
    }
    carry_documents(&ticket, &other, job, work);
    let goes_along = disseminate::going_along(&ticket.number, into, work);
    job.next.extend(goes_along.clone());
    work.event(&ticket.number, job.by(), TicketEvent::MergedInto { to: into.clone() }, into.to_string());
    end(&ticket.number, State::Merged, job.by(), work);
    if let Some(person) = other.assignee.as_ref().filter(|to| **to != job.person.address).and_then(|to| work.desk.policy.person(to)) {
        let what = work.desk.say("notice.merged", &[("number", &into.0), ("other", &ticket.number.0), ("by", job.by())]);
        let fields = work.event_fields(into, About::Ticket, what, goes_along.into_iter().collect(), "");
        let letter = work.to_person(person, Some(into), LetterKind::Notice, TemplateName::NoticeEvent, &fields);
        work.queue(letter, AtReporter::No);
    }
    if let Some(reporter) = ticket.reporter.as_ref().filter(|reporter| other.reporter.as_ref() != Some(*reporter)) {
        let arguments = [("reporter", reporter.as_str()), ("own", ticket.number.0.as_str()), ("number", into.0.as_str())];
        job.next.push(work.desk.say("receipt.merged_reporter", &arguments));
    }
    Ok(work.desk.say("done.merged", &[("number", &into.0)]))
}

/// What a reporter sent for one ticket is not asked for again for the other. What somebody else sent stays where it
/// is: it is no identity of this reporter. The files themselves stay with the ticket that they came to.
fn carry_documents(from: &Ticket, into: &Ticket, job: &Job<'_>, work: &mut Work<'_>) {
    if into.reporter.is_some() && into.reporter != from.reporter {
        return;
    }
    let documents: BTreeSet<Document> = from.documents.difference(&into.documents).copied().collect();
    let form = from.form.iter().filter(|(name, _)| !into.form.contains_key(*name)).map(|(name, value)| (name.clone(), value.clone()));
    let has_moved = reply::take_documents(documents, form.collect(), &into.number, job.by(), work);
    let clock = from.clock(ClockName::Verification);
    if has_moved && clock.started_at.is_some() && clock.met_at.is_none() {
        // The reporter waits since the documents came, and not since the tickets were merged.
        let detail = work.desk.say("clock.resumed", &[("clock", clock.name.word())]);
        work.event(&into.number, job.by(), TicketEvent::ClockSet { clock }, detail);
    }
}

pub(super) fn link(to: &TicketNumber, job: &Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let number = job.number(work)?;
    if work.ticket(to).is_none() || *to == number {
        return Err(work.desk.say("refused.no_such_ticket", &[("number", &to.0)]));
    }
    work.event(&number, job.by(), TicketEvent::Linked { to: to.clone() }, to.to_string());
    work.event(to, job.by(), TicketEvent::Linked { to: number.clone() }, number.to_string());
    Ok(work.desk.say("done.linked", &[("number", &to.0)]))
}

pub(super) fn close(job: &mut Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let ticket = job.open_ticket(work)?;
    let reason = job.optional_text();
    let silent = disseminate::unconfirmed(&ticket.number, work);
    if !silent.is_empty() && reason.trim().is_empty() {
        return Err(work.desk.say("refused.unconfirmed", &[("recipients", &silent.join(", "))]));
    }
    if !reason.trim().is_empty() {
        work.event(&ticket.number, job.by(), TicketEvent::Noted { text: reason.clone() }, report::one_line(&reason));
    }
    disseminate::close_with_ticket(&ticket.number, job, work);
    job.next.extend(disseminate::drop_held_of(&ticket.number, work));
    end(&ticket.number, State::Closed, job.by(), work);
    if ticket.service == Service::Complaint && letters::may_write(&ticket) {
        let fields = work.fields(Some(&ticket.number));
        if let Some(letter) = work.fixed(&ticket.number, LetterKind::Closing, TemplateName::Closing, fields) {
            job.sent.push(letters::shown(&letter, work.desk));
            work.queue(letter, AtReporter::Yes);
        }
        if !ticket.survey_sent {
            start_clock(&ticket.number, ClockName::Survey, work);
        }
    }
    Ok(work.desk.say("done.closed", &[]))
}

pub(super) fn reopen(job: &mut Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let ticket = job.ticket(work)?;
    if ticket.state.is_open() {
        return Err(work.desk.say("refused.is_open", &[]));
    }
    reopen_ticket(&ticket, job.by(), work);
    disseminate::reopen_with_ticket(&ticket.number, job, work);
    Ok(work.desk.say("done.reopened", &[("state", ticket.former_state.word())]))
}

/// Back to the former state: met clocks stay met, the others go on without the closed time (contract 8).
pub fn reopen_ticket(ticket: &Ticket, by: &str, work: &mut Work<'_>) {
    for clock in &ticket.clocks {
        let resumed = if clock.name == ClockName::Survey && !ticket.survey_sent {
            // The survey leaves unless reopened: it starts afresh with the next closing.
            Clock::waiting(ClockName::Survey)
        } else {
            calendar::resumed(clock.clone(), work.desk.now, work.desk.policy)
        };
        if resumed != *clock {
            let detail = work.desk.say("clock.resumed", &[("clock", clock.name.word())]);
            work.event(&ticket.number, by, TicketEvent::ClockSet { clock: resumed }, detail);
        }
    }
    move_to(&ticket.number, ticket.former_state, by, work);
}

pub(super) fn promote(id: InboxId, job: &mut Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let (Some(filed), Some(promoted)) = (&work.world.mail, job.arrived.promoted) else {
        return Err(work.desk.say("refused.no_such_mail", &[("mail", &id.to_string())]));
    };
    // It moves no ticket that is named, so what is signed must name this centre (contract 5, ATTACKS C3).
    if job.target.is_none() && !command::names_center(job.signed, work.desk.policy) {
        return Err(work.desk.say("refused.names_no_center", &[("address", work.desk.policy.center_address.as_str())]));
    }
    // One mail and one new ticket a command mail: the snapshot holds one of each.
    if filed.id != id || work.ticket(&work.world.next_ticket).is_some() {
        return Err(work.desk.say("refused.one_new_ticket", &[]));
    }
    if let Some(number) = &filed.filing.ticket {
        return Err(work.desk.say("refused.has_ticket", &[("mail", &id.to_string()), ("number", &number.0)]));
    }
    let number = report::open_ticket(promoted, &Origin::Promoted, work);
    work.effect(Effect::Promote { mail: id, ticket: number.clone() });
    if job.target.is_none() {
        job.target = Some(number.clone());
    }
    Ok(work.desk.say("done.promoted", &[("number", &number.0)]))
}

pub(super) fn register(channel: Channel, address: Option<&Address>, job: &mut Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    if !command::names_center(job.signed, work.desk.policy) {
        return Err(work.desk.say("refused.names_no_center", &[("address", work.desk.policy.center_address.as_str())]));
    }
    if work.ticket(&work.world.next_ticket).is_some() {
        return Err(work.desk.say("refused.one_new_ticket", &[]));
    }
    if job.target.is_some() || !job.rivals.is_empty() {
        return Err(work.desk.say("refused.register_with_number", &[]));
    }
    let words = job.speech(work)?;
    let number = report::register(channel, address, &words, job, work);
    keep_enclosures(&number, job, work);
    job.target = Some(number.clone());
    Ok(work.desk.say("done.registered", &[("number", &number.0)]))
}
