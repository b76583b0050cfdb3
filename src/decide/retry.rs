//! What follows from one attempt to send a letter: the next rung of the outbox ladder, when to try
//! again, and who must hear of it (ATTACKS F30 to F45).

use super::letters::lines::About;
use super::work::{DAEMON, Work};
use super::{Desk, act, bounce, disseminate};
use crate::model::Address;
use crate::model::dissemination::{DisseminationNumber, RecipientState};
use crate::model::effect::Decision;
use crate::model::letter::{Letter, LetterKind, LetterState};
use crate::model::outcome::{Fault, SendOutcome, Settled};
use crate::model::snapshot::{OurLetter, Question, Snapshot};
use crate::model::ticket::TicketEvent;
use jiff::{SignedDuration, Timestamp};

/// Minutes until the next try after the first, second, … failure (F44); afterwards every 6 h.
const RETRY_MINUTES: [i64; 5] = [1, 5, 15, 60, 180];
const RETRY_LATER_MINUTES: i64 = 360;
/// A letter whose fate is unknown goes out once more, after the time in which a slow server
/// would have answered (DESIGN 4, rung O5).
const RESEND_AFTER_MINUTES: i64 = 15;
/// The server is unwell: the shell's breaker decides when to connect again, this is how soon a letter may be looked at.
const SERVER_RETRY_MINUTES: i64 = 1;

/// How a letter stood before the attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tried {
    pub queued_at: Timestamp,
    /// Attempts before this one.
    pub attempts: u32,
    /// Times it was sent again after an uncertain end.
    pub resends: u32,
}

/// The next rung.
#[must_use]
pub fn settle(letter: &Letter, tried: Tried, outcome: &SendOutcome, now: Timestamp) -> Settled {
    let after = |minutes: i64| now.checked_add(SignedDuration::from_mins(minutes)).ok();
    let settled =
        |state, next_at, error: Option<&String>| Settled { state, next_at, error: error.cloned(), reply: None, counts_attempt: true };
    match outcome {
        SendOutcome::Sent { reply } => {
            Settled { state: LetterState::Sent, next_at: None, error: None, reply: Some(reply.clone()), counts_attempt: true }
        }
        SendOutcome::Never { reason } => settled(LetterState::Failed, None, Some(reason)),
        SendOutcome::Uncertain { reason } => {
            let next_at = if tried.resends == 0 { after(RESEND_AFTER_MINUTES) } else { None };
            settled(LetterState::Uncertain, next_at, Some(reason))
        }
        SendOutcome::Later { reason, fault: Fault::Server } => Settled {
            state: LetterState::Queued,
            next_at: after(SERVER_RETRY_MINUTES),
            error: Some(reason.clone()),
            reply: None,
            counts_attempt: false,
        },
        SendOutcome::Later { reason, fault: Fault::Letter } => {
            if now.duration_since(tried.queued_at) >= patience(letter.kind) {
                return settled(LetterState::Failed, None, Some(reason));
            }
            let step = usize::try_from(tried.attempts).unwrap_or(usize::MAX);
            let minutes = RETRY_MINUTES.get(step).copied().unwrap_or(RETRY_LATER_MINUTES);
            settled(LetterState::Queued, after(minutes), Some(reason))
        }
    }
}

/// How long a letter is worth trying (F44): an acknowledgement of last week helps nobody.
const fn patience(kind: LetterKind) -> SignedDuration {
    match kind {
        LetterKind::Acknowledgement => SignedDuration::from_hours(48),
        LetterKind::Receipt => SignedDuration::from_hours(24),
        _ => SignedDuration::from_hours(120),
    }
}

/// What the consequences need to know.
#[must_use]
pub fn ask(letter: &Letter) -> Question {
    Question {
        tickets: letter.ticket.iter().cloned().collect(),
        addressed: letter.dissemination.clone().map(|number| (number, letter.to.clone())),
        skips_disseminations: true,
        ..Question::default()
    }
}

/// What else changes with the letter's new state: the recipient of a dissemination, and the
/// analysts, where a letter that somebody waits for did not leave.
#[must_use]
pub fn consequences(letter: &Letter, settled: &Settled, world: &Snapshot, desk: Desk<'_>) -> Decision {
    // With the time: one that is held, tried again by a person and held again is told again.
    let mut work = Work::new(desk, world, format!("settle\0{}\0{}\0{}", letter.message_id, settled.state, desk.now));
    match settled.state {
        LetterState::Sent => sent(letter, &mut work),
        LetterState::Failed | LetterState::Held => {
            let reason = settled.error.clone().unwrap_or_default();
            let key = if settled.state == LetterState::Held { "letter.held" } else { "letter.failed" };
            let arguments = [("kind", letter.kind.word()), ("to", letter.to.as_str()), ("reason", reason.as_str())];
            let what = work.desk.say(key, &arguments);
            not_sent(letter, settled.state, &what, &mut work);
        }
        LetterState::Uncertain => uncertain(letter, settled, &mut work),
        LetterState::Queued | LetterState::Sending | LetterState::Cancelled => {}
    }
    work.finish()
}

/// The timeline says that the recipient may get it twice (F41). After the second uncertain end nobody
/// sends it again by itself: the analysts hear that a person decides.
fn uncertain(letter: &Letter, settled: &Settled, work: &mut Work<'_>) {
    let ticket = work.ticket_of(letter.ticket.as_ref(), letter.dissemination.as_ref());
    let Some(ticket) = ticket.as_ref().filter(|ticket| work.ticket(ticket).is_some()) else { return };
    let reason = settled.error.clone().unwrap_or_default();
    let key = if settled.next_at.is_some() { "letter.uncertain" } else { "letter.uncertain_again" };
    let arguments = [("kind", letter.kind.word()), ("to", letter.to.as_str()), ("reason", reason.as_str())];
    let what = work.desk.say(key, &arguments);
    work.event(ticket, DAEMON, TicketEvent::Noted { text: what.clone() }, what.clone());
    let is_told = !matches!(letter.kind, LetterKind::Notice | LetterKind::Receipt | LetterKind::Report);
    if settled.next_at.is_none() && is_told {
        let to = [letter.to.clone()];
        let about = if letter.dissemination.is_some() { About::Silent(&to) } else { About::LostReporter };
        work.notify_about(ticket, about, what, Vec::new(), "");
    }
}

fn sent(letter: &Letter, work: &mut Work<'_>) {
    if let Some(ticket) = letter.ticket.as_ref().filter(|_| letter.kind == LetterKind::Analysis) {
        act::analysis_sent(ticket, DAEMON, work);
    }
    // A reminder is about a dissemination and is not it.
    if letter.kind != LetterKind::Dissemination {
        return;
    }
    if let Some(number) = &letter.dissemination {
        sent_to(number, &letter.to, work.desk.now, work);
    }
}

/// The mail to this recipient left at that time.
pub fn sent_to(number: &DisseminationNumber, to: &Address, sent_at: Timestamp, work: &mut Work<'_>) {
    let Some(mut one) = work.addressed(number, to) else { return };
    let recipient = &mut one.recipient;
    if matches!(recipient.state, RecipientState::Queued | RecipientState::Held | RecipientState::Bounced) {
        recipient.state = RecipientState::Sent;
        recipient.at = work.desk.now;
        recipient.sent_at = Some(sent_at);
        recipient.because.clear();
    }
    one.note_progress();
    let what = work.desk.say("dissemination.sent_to", &[("number", &number.0), ("to", to.as_str())]);
    work.set_addressed(one, DAEMON, what);
}

fn not_sent(letter: &Letter, state: LetterState, what: &str, work: &mut Work<'_>) {
    if state == LetterState::Held
        && let Some(mut one) = letter.dissemination.as_ref().and_then(|number| work.addressed(number, &letter.to))
    {
        if one.recipient.state == RecipientState::Queued {
            one.recipient.state = RecipientState::Held;
            one.recipient.at = work.desk.now;
            what.clone_into(&mut one.recipient.because);
        }
        disseminate::set_unsent(one, what, work);
    }
    // A notice about a notice that could not be sent would itself not be sent.
    if matches!(letter.kind, LetterKind::Notice | LetterKind::Receipt | LetterKind::Report) {
        return;
    }
    let Some(ticket) = work.ticket_of(letter.ticket.as_ref(), letter.dissemination.as_ref()) else { return };
    if state == LetterState::Held {
        let to = [letter.to.clone()];
        let about = match (&letter.dissemination, letter.kind) {
            (Some(_), _) => About::Silent(&to),
            (None, LetterKind::Analysis) => About::HeldAnalysis,
            (None, _) => About::Ticket,
        };
        let due = Some(&ticket).filter(|_| letter.kind == LetterKind::Analysis).and_then(|ticket| act::analysis_held(ticket, DAEMON, work));
        let facts = due.map(|due| work.desk.say("letter.analysis_held", &[("due", &work.desk.local(due))]));
        if letter.dissemination.is_none() && work.ticket(&ticket).is_some() {
            work.event(&ticket, DAEMON, TicketEvent::Noted { text: what.to_owned() }, what);
        }
        work.notify_about(&ticket, about, what.to_owned(), facts.into_iter().collect(), "");
        return;
    }
    let ours = OurLetter {
        message_id: letter.message_id.clone(),
        kind: letter.kind,
        ticket: Some(ticket),
        dissemination: letter.dissemination.clone(),
        to: letter.to.clone(),
        state,
        sent_at: None,
    };
    bounce::tell(&ours, what, work);
}
