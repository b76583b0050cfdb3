//! What time alone causes: warnings and breaches of the clocks, reminders, the survey, tickets
//! that nobody touched, confirmations that do not come. Everything once: what was told is an event.

use super::letters::lines::About;
use super::letters::{self, list, text, words};
use super::work::{DAEMON, Work};
use super::{Desk, act, disseminate};
use crate::mail::template::{Field, TemplateName};
use crate::model::calendar::{self, BREACH};
use crate::model::clock::Clock;
use crate::model::clock::ClockName;
use crate::model::dissemination::{Dissemination, DisseminationNumber, DisseminationState, RecipientState};
use crate::model::effect::{Decision, Effect};
use crate::model::letter::LetterKind;
use crate::model::policy::Person;
use crate::model::snapshot::{Question, Snapshot};
use crate::model::ticket::{AtReporter, Service, State, Ticket, TicketEvent, TicketNumber};
use crate::model::{Address, Document};
use std::collections::BTreeSet;

/// Seconds that the first of many new tickets waits for the others: analysts hear of each at once (contract 8), and of
/// a flood in a mail a minute.
const CROWD_WAITS: i64 = 60;
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
/// Reminders to a reporter who was asked for documents (contract 8).
const REMIND_AFTER_DAYS: [i64; 2] = [3, 7];
/// When nothing came after the last reminder, the analyst is asked whether to close.
const PROPOSE_CLOSING_AFTER_DAYS: i64 = 14;
/// The survey leaves 24 h after closing unless reopened (contract 8).
const SURVEY_AFTER: i64 = DAY;
/// A ticket that no analyst has touched for 24 h is told to the chief (contract 8).
const UNTOUCHED_AFTER: i64 = DAY;
/// A draft that nobody agreed to in a week has been overtaken by events.
const DRAFT_EXPIRES_AFTER: i64 = 7 * DAY;

/// What is due on a ticket now.
#[must_use]
pub fn ticket(number: &TicketNumber, world: &Snapshot, desk: Desk<'_>) -> Decision {
    let mut work = Work::new(desk, world, format!("due\0{number}\0{}", desk.now));
    let Some(ticket) = work.ticket(number).cloned() else { return work.finish() };
    if ticket.state == State::Closed {
        survey(&ticket, &mut work);
    } else if ticket.state.is_open() {
        for name in [ClockName::Verification, ClockName::Analysis] {
            clock(&ticket, &ticket.clock(name), &mut work);
        }
        reminders(&ticket, &mut work);
        untouched(&ticket, &mut work);
    }
    work.finish()
}

/// Warnings at the thresholds and the breach, each once, however long the daemon slept.
fn clock(ticket: &Ticket, clock: &Clock, work: &mut Work<'_>) {
    let Some(due) = clock.due_at else { return };
    let mut passed = calendar::passed(clock, work.desk.now, work.desk.policy);
    passed.retain(|part| !clock.told.contains(part));
    let Some(highest) = passed.iter().max().copied() else { return };
    let mut told = clock.clone();
    told.told.extend(passed);
    told.told.sort_unstable();
    let is_breach = highest == BREACH;
    let due_words = act::local(due, work);
    let percent = (highest / 10).to_string();
    let arguments =
        [("clock", clock.name.word()), ("due", due_words.as_str()), ("percent", percent.as_str()), ("number", &ticket.number.0)];
    let what = work.desk.say(if is_breach { "clock.breached" } else { "clock.warned" }, &arguments);
    work.event(&ticket.number, DAEMON, TicketEvent::ClockSet { clock: told }, what.clone());
    let facts = act::facts(ticket, work);
    match by_turn(ticket, work) {
        // The first warning on what nobody took goes to one: what goes to all, each leaves to the others.
        Some(person) if !is_breach && work.desk.policy.warn_at.first() == Some(&highest) => {
            let fields = work.event_fields(&ticket.number, About::Ticket, what.clone(), facts, "");
            let letter = work.to_person(person, Some(&ticket.number), LetterKind::Notice, TemplateName::NoticeEvent, &fields);
            work.queue(letter, AtReporter::No);
        }
        _ => work.notify_event(&ticket.number, what.clone(), facts, "", None),
    }
    if is_breach {
        tell_chiefs(&ticket.number, &what, act::facts(ticket, work), work);
    }
}

/// For a ticket without an assignee the analyst whose turn it is, by the ticket's number.
fn by_turn<'w>(ticket: &Ticket, work: &Work<'w>) -> Option<&'w Person> {
    let serial: usize = ticket.number.0.rsplit('-').next().and_then(|serial| serial.parse().ok())?;
    let analysts: Vec<&Person> = work.desk.policy.analysts().collect();
    let turn = serial.checked_rem(analysts.len())?;
    if ticket.assignee.is_some() { None } else { analysts.get(turn).copied() }
}

/// The chiefs hear what needs a decision, unless they were told as the ticket's audience.
pub fn tell_chiefs(number: &TicketNumber, what: &str, facts: Vec<String>, work: &mut Work<'_>) {
    let audience: Vec<Address> = work.audience(work.ticket(number)).iter().map(|person| person.address.clone()).collect();
    let chiefs: Vec<&Person> = work.desk.policy.chiefs().filter(|chief| !audience.contains(&chief.address)).collect();
    for chief in chiefs {
        let mut fields = work.fields(Some(number));
        text(&mut fields, "what", what);
        list(&mut fields, "facts", facts.clone());
        let letter = work.to_person(chief, Some(number), LetterKind::Notice, TemplateName::Alarm, &fields);
        work.queue(letter, AtReporter::No);
    }
}

/// A reporter who was asked for documents is reminded after 3 and 7 days; then the analyst decides.
fn reminders(ticket: &Ticket, work: &mut Work<'_>) {
    let (State::AwaitingReporter, Some(asked_at), true) = (ticket.state, ticket.asked_at, ticket.acknowledged) else { return };
    let waited = (work.desk.now.as_second() - asked_at.as_second()) / DAY;
    let sent = usize::try_from(ticket.reminders).unwrap_or(usize::MAX);
    // After a long sleep one reminder is enough: the last that is due.
    let due = REMIND_AFTER_DAYS.iter().filter(|days| waited >= **days).count();
    if due > sent {
        for _ in sent..due {
            let detail = work.desk.say("event.reminded", &[]);
            work.event(&ticket.number, DAEMON, TicketEvent::Reminded, detail);
        }
        let mut fields = work.fields(Some(&ticket.number));
        let asked: BTreeSet<Document> = if ticket.asked.is_empty() { ticket.missing() } else { ticket.asked.clone() };
        list(&mut fields, "missing", words(&asked));
        letters::set(&mut fields, "days", Field::Number(waited));
        if let Some(letter) = work.fixed(&ticket.number, LetterKind::Reminder, TemplateName::Reminder, fields) {
            work.queue(letter, AtReporter::Yes);
        }
    } else if waited >= PROPOSE_CLOSING_AFTER_DAYS && !ticket.told.contains("close_proposal") {
        let what = work.desk.say("notice.propose_closing", &[("number", &ticket.number.0), ("days", &waited.to_string())]);
        work.event(&ticket.number, DAEMON, TicketEvent::Told { what: "close_proposal".to_owned() }, what.clone());
        work.notify_event(&ticket.number, what, act::facts(ticket, work), "", None);
    }
}

fn untouched(ticket: &Ticket, work: &mut Work<'_>) {
    // Documents that come after a long wait are news of that moment.
    let came = ticket.clock(ClockName::Verification).started_at;
    let last = ticket.touched_at.unwrap_or(ticket.opened_at).max(came.unwrap_or(ticket.opened_at));
    let waits_for_us = matches!(ticket.state, State::New | State::Verifying | State::Analysing)
        || (ticket.state == State::AwaitingReporter && ticket.touched_at.is_none());
    let is_due = work.desk.now.as_second() - last.as_second() >= UNTOUCHED_AFTER;
    if !is_due || !waits_for_us || ticket.told.contains("untouched") {
        return;
    }
    let what = work.desk.say("notice.untouched", &[("number", &ticket.number.0)]);
    work.event(&ticket.number, DAEMON, TicketEvent::Told { what: "untouched".to_owned() }, what.clone());
    tell_chiefs(&ticket.number, &what, act::facts(ticket, work), work);
}

/// The survey, once, 24 h after closing, to reporters who were written to.
fn survey(ticket: &Ticket, work: &mut Work<'_>) {
    let clock = ticket.clock(ClockName::Survey);
    let (Some(closed_at), Some(_), None) = (ticket.closed_at, clock.started_at, clock.met_at) else { return };
    let is_due = work.desk.now.as_second() - closed_at.as_second() >= SURVEY_AFTER;
    if !is_due || ticket.survey_sent || ticket.service != Service::Complaint {
        return;
    }
    let fields = work.fields(Some(&ticket.number));
    if let Some(letter) = work.fixed(&ticket.number, LetterKind::Survey, TemplateName::Survey, fields) {
        work.queue(letter, AtReporter::Yes);
    }
    let detail = work.desk.say("event.survey_sent", &[]);
    work.event(&ticket.number, DAEMON, TicketEvent::SurveySent, detail);
    let detail = work.desk.say("clock.met", &[("clock", ClockName::Survey.word())]);
    work.event(&ticket.number, DAEMON, TicketEvent::ClockSet { clock: clock.met(work.desk.now) }, detail);
}

/// What is due on a dissemination now.
#[must_use]
pub fn dissemination(number: &DisseminationNumber, world: &Snapshot, desk: Desk<'_>) -> Decision {
    let mut work = Work::new(desk, world, format!("due\0{number}\0{}", desk.now));
    let Some(dissemination) = work.dissemination(number).cloned() else { return work.finish() };
    match dissemination.state {
        DisseminationState::AwaitingApproval | DisseminationState::Draft => expire(dissemination, &mut work),
        DisseminationState::Sending | DisseminationState::Sent => remind(dissemination, &mut work),
        DisseminationState::Closed | DisseminationState::Cancelled => {}
    }
    work.finish()
}

fn expire(mut dissemination: Dissemination, work: &mut Work<'_>) {
    if work.desk.now.as_second() - dissemination.created_at.as_second() < DRAFT_EXPIRES_AFTER {
        return;
    }
    dissemination.state = DisseminationState::Cancelled;
    let ticket = work.survivor(&dissemination.ticket);
    let what = work.desk.say("dissemination.expired", &[("number", &dissemination.number.0)]);
    work.set_dissemination(dissemination, DAEMON, what.clone());
    work.notify_about(&ticket, About::Dissemination, what, Vec::new(), "");
}

/// Reminders until `confirm_within` is twice over, then the analyst decides (contract 9).
fn remind(mut dissemination: Dissemination, work: &mut Work<'_>) {
    let (policy, now) = (work.desk.policy, work.desk.now);
    let every = i64::try_from(policy.remind_every.as_secs()).unwrap_or(i64::MAX).max(HOUR);
    let until = i64::try_from(policy.confirm_within.as_secs()).unwrap_or(i64::MAX).saturating_mul(2);
    let mut due: Vec<usize> = Vec::new();
    let mut silent: Vec<Address> = Vec::new();
    for (index, recipient) in dissemination.recipients.iter_mut().enumerate() {
        let (RecipientState::Sent, Some(sent_at)) = (recipient.state, recipient.sent_at) else { continue };
        // Of one that was reopened, since then.
        let waited = now.as_second() - sent_at.max(recipient.at).as_second();
        if waited >= until {
            // Each is told once, also who was reached days after the others.
            if !dissemination.told.contains("silent") && dissemination.told.insert(format!("silent {}", recipient.address)) {
                silent.push(recipient.address.clone());
            }
        } else if waited / every > i64::from(recipient.reminders) {
            recipient.reminders = u32::try_from(waited / every).unwrap_or(u32::MAX);
            due.push(index);
        }
    }
    let ticket = work.survivor(&dissemination.ticket);
    if !due.is_empty() {
        let addresses: Vec<String> =
            due.iter().filter_map(|index| dissemination.recipients.get(*index)).map(|recipient| recipient.address.to_string()).collect();
        for recipient in due.into_iter().filter_map(|index| dissemination.recipients.get(index)) {
            disseminate::reminder(recipient, &dissemination, work);
        }
        let arguments = [("number", dissemination.number.0.clone()), ("recipients", addresses.join(", "))];
        let arguments: Vec<(&str, &str)> = arguments.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let what = work.desk.say("dissemination.reminded", &arguments);
        work.set_dissemination(dissemination.clone(), DAEMON, what);
    }
    if !silent.is_empty() {
        let number = dissemination.number.0.clone();
        let names: Vec<String> = silent.iter().map(ToString::to_string).collect();
        let what = work.desk.say("dissemination.silent", &[("number", &number), ("recipients", &names.join(", "))]);
        work.set_dissemination(dissemination, DAEMON, what.clone());
        work.notify_about(&ticket, About::Silent(&silent), what, names, "");
    }
}

/// What the digest of a day needs to know: whether it went out before.
#[must_use]
pub fn ask_digest(day: &str, desk: Desk<'_>) -> Question {
    Question { references: vec![digest_id(day, desk)], ..Question::default() }
}

fn digest_id(day: &str, desk: Desk<'_>) -> String {
    desk.key.message_id(LetterKind::Notice.word(), &format!("digest\0{day}"), desk.policy.center_address.domain())
}

/// The daily digest of mail that was filed without a ticket (contract 8), a line a mail; once a day.
#[must_use]
pub fn digest(day: &str, lines: &[String], quarantine: &[String], world: &Snapshot, desk: Desk<'_>) -> Decision {
    let mut work = Work::new(desk, world, format!("digest\0{day}"));
    if (lines.is_empty() && quarantine.is_empty()) || !world.letters.is_empty() {
        return work.finish();
    }
    let people: Vec<&Person> = work.audience(None);
    for (at, person) in people.into_iter().enumerate() {
        let mut fields = work.fields(None);
        list(&mut fields, "lines", lines.iter().cloned());
        list(&mut fields, "quarantine", quarantine.iter().cloned());
        let mut letter = work.to_person(person, None, LetterKind::Notice, TemplateName::Digest, &fields);
        if at == 0 {
            // The first one's Message-ID is the day's mark.
            letter.message_id = digest_id(day, desk);
        }
        work.queue(letter, AtReporter::No);
    }
    let detail = (lines.len() + quarantine.len()).to_string();
    work.effect(Effect::Audit { by: DAEMON.to_owned(), what: "digest".to_owned(), detail });
    work.finish()
}

/// New tickets that came in a crowd, told together once the oldest has waited.
#[must_use]
pub fn crowd(world: &Snapshot, desk: Desk<'_>) -> Decision {
    let mut work = Work::new(desk, world, format!("crowd\0{}", desk.now));
    if world.crowd.iter().map(|(at, _)| at).min().is_none_or(|at| desk.now.as_second() - at.as_second() < CROWD_WAITS) {
        return work.finish();
    }
    for person in work.audience(None) {
        let mut fields = work.fields(None);
        list(&mut fields, "lines", world.crowd.iter().map(|(_, line)| line.clone()));
        let letter = work.to_person(person, None, LetterKind::Notice, TemplateName::DigestNew, &fields);
        work.queue(letter, AtReporter::No);
    }
    work.effect(Effect::CrowdTold);
    work.effect(Effect::Audit { by: DAEMON.to_owned(), what: "digest".to_owned(), detail: world.crowd.len().to_string() });
    work.finish()
}

/// Something that no ticket is about went wrong: the chiefs and, where there are none, the analysts hear of it.
#[must_use]
pub fn alarm(cause: &str, what: &str, facts: &[String], world: &Snapshot, desk: Desk<'_>) -> Decision {
    let mut work = Work::new(desk, world, format!("alarm\0{cause}"));
    let mut people: Vec<&Person> = desk.policy.chiefs().collect();
    if people.is_empty() {
        people = work.audience(None);
    }
    for person in people {
        let mut fields = work.fields(None);
        text(&mut fields, "what", what);
        list(&mut fields, "facts", facts.iter().cloned());
        let letter = work.to_person(person, None, LetterKind::Notice, TemplateName::Alarm, &fields);
        work.queue(letter, AtReporter::No);
    }
    work.effect(Effect::Audit { by: DAEMON.to_owned(), what: "alarm".to_owned(), detail: what.to_owned() });
    work.finish()
}
