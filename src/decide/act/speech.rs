//! What an analyst says: notes, and letters to the reporter with the protection that the mark demands.

use super::Job;
use super::change::{declare_valid, end, meet, move_to};
use crate::decide::candidate::{self, Key};
use crate::decide::letters::{Speech, list, shown, text, words};
use crate::decide::work::Work;
use crate::decide::{disseminate, readable, report};
use crate::mail::template::TemplateName;
use crate::model::clock::ClockName;
use crate::model::effect::{Effect, Indicators, Kept};
use crate::model::letter::{AutoSubmitted, LetterKind, Protection, Words};
use crate::model::ticket::{AtReporter, State, Ticket, TicketEvent, TicketNumber};
use crate::model::{Document, Tlp};
use std::collections::BTreeSet;

pub(super) fn note(job: &mut Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let number = job.number(work)?;
    let words = job.speech(work)?;
    let event = TicketEvent::Noted { text: words.clone() };
    work.event(&number, job.person.address.as_str(), event, report::one_line(&words));
    keep_enclosures(&number, job, work);
    Ok(work.desk.say("done.noted", &[("number", &number.0)]))
}

/// The protection of what an analyst writes to the reporter (contract 4): encrypted where the
/// reporter has a certificate; on AMBER and above never otherwise, unless declared free to read. A
/// ticket that was merged has the mark of the one that took it up.
pub(super) fn protection(ticket: &Ticket, job: &Job<'_>, work: &Work<'_>) -> Result<(Protection, Option<Tlp>), String> {
    if job.is_clear {
        return Ok((Protection::Signed, None));
    }
    let mut marks = readable::marks(ticket, work);
    // The mark that this very mail sets counts too, wherever in it the command stands.
    marks.ticket = marks.ticket.max(job.mark);
    match (candidate::key_of(ticket, marks.ticket, work), readable::refusal(&marks, work.desk)) {
        (Some(key), _) => Ok((Protection::Sealed { recipient: key.fingerprint().clone() }, marks.ticket)),
        (None, Some(refusal)) => match candidate::unused(ticket, marks.ticket, work) {
            Some(key) => Err(format!("{refusal}; {}", work.desk.say("refused.late_key", &[("signer", &key.0)]))),
            None => Err(refusal),
        },
        (None, None) => Ok((Protection::Signed, marks.ticket)),
    }
}

/// What an analyst writes to the reporter: the words of the mail and nothing else (ATTACKS P19, D8).
pub(super) fn speak(job: &mut Job<'_>, work: &mut Work<'_>, kind: LetterKind, template: TemplateName) -> Result<String, String> {
    let ticket = job.ticket(work)?;
    let words = job.speech(work)?;
    speak_words(&ticket, words, job, work, kind, template, BTreeSet::new())
}

pub(super) fn speak_words(
    ticket: &Ticket,
    words_typed: String,
    job: &mut Job<'_>,
    work: &mut Work<'_>,
    kind: LetterKind,
    template: TemplateName,
    missing: BTreeSet<Document>,
) -> Result<String, String> {
    let Some(reporter) = ticket.reporter.clone() else { return Err(work.desk.say("refused.no_reporter", &[])) };
    let (protection, tlp, whose) = if words_typed.is_empty() && job.enclosures.is_empty() {
        // A fixed letter: nothing of the report in it.
        (Protection::Signed, None, Words::Fixed)
    } else {
        let (protection, tlp) = protection(ticket, job, work)?;
        (protection, tlp, if job.is_clear { Words::DeclaredFree } else { Words::Written })
    };
    release_acknowledgement(&ticket.number, job.by(), work);
    if work.ticket(&ticket.number).is_some_and(|ticket| !ticket.acknowledged) {
        // From here on the reporter is one that a person wrote to: closing letter and survey may follow.
        let detail = work.desk.say("event.released", &[]);
        work.event(&ticket.number, job.by(), TicketEvent::Acknowledged, detail);
    }
    let mut fields = work.fields(Some(&ticket.number));
    text(&mut fields, "text", words_typed.clone());
    if kind == LetterKind::Request {
        list(&mut fields, "missing", words(&missing));
    }
    let enclosures = std::mem::take(&mut job.enclosures);
    let speech = Speech { kind, template, text: words_typed, enclosures, protection, tlp, words: whose, auto_submitted: AutoSubmitted::No };
    let Some(letter) = work.to_reporter(&ticket.number, fields, speech) else {
        return Err(work.desk.say("refused.no_reporter", &[]));
    };
    job.sent.push(shown(&letter, work.desk));
    let how = match (&letter.protection, candidate::key_of(ticket, letter.tlp, work)) {
        (Protection::Sealed { recipient }, Some(Key::Candidate(key))) if key == *recipient => ("done.sent_to_candidate", key.0),
        (Protection::Sealed { .. }, _) => ("done.sent_encrypted", String::new()),
        _ => ("done.sent_signed", String::new()),
    };
    work.queue(letter, AtReporter::Yes);
    Ok(work.desk.say(how.0, &[("to", reporter.as_str()), ("signer", &how.1)]))
}

/// An acknowledgement that waited for an analyst goes out now (contract 2, authserv_id).
pub(super) fn release_acknowledgement(number: &TicketNumber, by: &str, work: &mut Work<'_>) {
    if work.ticket(number).is_some_and(|ticket| ticket.acknowledgement_held.is_some()) {
        work.effect(Effect::ReleaseHeld { ticket: number.clone() });
        let detail = work.desk.say("event.released", &[]);
        work.event(number, by, TicketEvent::Acknowledged, detail);
    }
}

pub(super) fn request(documents: &BTreeSet<Document>, job: &mut Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let ticket = job.open_ticket(work)?;
    let missing = if documents.is_empty() { ticket.missing() } else { documents.clone() };
    if missing.is_empty() {
        return Err(work.desk.say("refused.nothing_missing", &[]));
    }
    job.text_is_used = true;
    let words_typed = job.order.text.clone();
    let result = speak_words(&ticket, words_typed, job, work, LetterKind::Request, TemplateName::Request, missing.clone())?;
    meet(&ticket.number, ClockName::Verification, job.by(), work);
    if !matches!(ticket.state, State::Analysing | State::Handling) {
        move_to(&ticket.number, State::AwaitingReporter, job.by(), work);
    }
    let detail = words(&missing).join(", ");
    work.event(&ticket.number, job.by(), TicketEvent::DocumentsAsked { documents: missing }, detail);
    Ok(result)
}

pub(super) fn reject(job: &mut Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let ticket = job.open_ticket(work)?;
    let words = job.speech(work)?;
    let result = if ticket.reporter.is_some() {
        speak_words(&ticket, words, job, work, LetterKind::Rejection, TemplateName::Rejection, BTreeSet::new())?
    } else {
        work.event(&ticket.number, job.by(), TicketEvent::Noted { text: words.clone() }, report::one_line(&words));
        work.desk.say("done.noted", &[("number", &ticket.number.0)])
    };
    meet(&ticket.number, ClockName::Verification, job.by(), work);
    disseminate::close_with_ticket(&ticket.number, job, work);
    job.next.extend(disseminate::drop_held_of(&ticket.number, work));
    end(&ticket.number, State::Rejected, job.by(), work);
    Ok(result)
}

pub(super) fn analysis(job: &mut Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let ticket = job.open_ticket(work)?;
    if ticket.state == State::Handling {
        return Err(work.desk.say("refused.already_analysed", &[]));
    }
    let result = speak(job, work, LetterKind::Analysis, TemplateName::Analysis)?;
    if ticket.state != State::Analysing {
        declare_valid(&ticket.number, job.by(), work);
    }
    meet(&ticket.number, ClockName::Analysis, job.by(), work);
    move_to(&ticket.number, State::Handling, job.by(), work);
    Ok(result)
}

/// What the analyst attached to a note or a registration stays with the ticket.
pub(super) fn keep_enclosures(number: &TicketNumber, job: &Job<'_>, work: &mut Work<'_>) {
    if job.enclosures.is_empty() {
        return;
    }
    let attachments = job.enclosures.iter().cloned().map(|enclosure| Kept { enclosure, document: None }).collect();
    let indicators = Indicators::default();
    work.effect(Effect::Keep { ticket: number.clone(), attachments, indicators });
}
