//! What follows from one attempt to send a letter: the next rung of the outbox ladder, when to try
//! again, and who must hear of it (ATTACKS F30 to F45).

use super::letters::lines::About;
use super::work::{DAEMON, Work};
use super::{Desk, act, bounce, disseminate, readable};
use crate::mail::template::TemplateName;
use crate::model::dissemination::{Addressed, DisseminationNumber, DisseminationState, RecipientState};
use crate::model::effect::{Decision, Effect};
use crate::model::letter::{Letter, LetterKind, LetterState, OutboxId};
use crate::model::outcome::{Fault, SendOutcome, Settled};
use crate::model::snapshot::{OurLetter, Question, Snapshot};
use crate::model::ticket::{AtReporter, State, Ticket, TicketEvent, TicketNumber};
use crate::model::{Address, Tlp};
use jiff::{SignedDuration, Timestamp};

/// Minutes until the next try after the first, second, … failure (F44); afterwards every 6 h.
const RETRY_MINUTES: [i64; 5] = [1, 5, 15, 60, 180];
const RETRY_LATER_MINUTES: i64 = 360;
/// A letter whose fate is unknown goes out once more, after the time in which a slow server
/// would have answered (DESIGN 4, rung O5).
const RESEND_AFTER_MINUTES: i64 = 15;
/// The server is unwell: the shell's breaker decides when to connect again, this is how soon a letter may be looked at.
const SERVER_RETRY_MINUTES: i64 = 1;

/// How a letter stood when the attempt was made ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tried {
    pub queued_at: Timestamp,
    /// Attempts before this one.
    pub attempts: u32,
    /// Times it was sent again after an uncertain end, this attempt left out.
    pub resends: u32,
    /// From an uncertain one this attempt is the one sending again.
    pub was: LetterState,
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
            let is_first = tried.resends == 0 && tried.was != LetterState::Uncertain;
            let next_at = if is_first { after(RESEND_AFTER_MINUTES) } else { None };
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
pub fn consequences(id: OutboxId, letter: &Letter, settled: &Settled, world: &Snapshot, desk: Desk<'_>) -> Decision {
    // With the time: one that is held, tried again by a person and held again is told again.
    let mut work = Work::new(desk, world, format!("settle\0{}\0{}\0{}", letter.message_id, settled.state, desk.now));
    if let Some(number) = cancelled_meanwhile(letter, &work) {
        stopped(&number, letter, settled, &mut work);
        return work.finish();
    }
    match settled.state {
        LetterState::Sent => sent(letter, &mut work),
        LetterState::Failed => failed(id, letter, &settled.error.clone().unwrap_or_default(), &mut work),
        LetterState::Held => held(id, letter, &settled.error.clone().unwrap_or_default(), &mut work),
        LetterState::Uncertain => uncertain(id, letter, settled, &mut work),
        LetterState::Queued | LetterState::Sending | LetterState::Cancelled => {}
    }
    work.finish()
}

/// The timeline says that the recipient may get it twice (F41). After the second uncertain end nobody
/// sends it again by itself: the analysts hear that a person decides.
fn uncertain(id: OutboxId, letter: &Letter, settled: &Settled, work: &mut Work<'_>) {
    let ticket = work.ticket_of(letter.ticket.as_ref(), letter.dissemination.as_ref());
    let Some(ticket) = ticket.as_ref().filter(|ticket| work.ticket(ticket).is_some()) else { return };
    let reason = settled.error.clone().unwrap_or_default();
    let key = if settled.next_at.is_some() { "letter.uncertain" } else { "letter.uncertain_again" };
    let arguments = [("kind", letter.kind.word()), ("to", letter.to.as_str()), ("reason", reason.as_str())];
    let what = work.desk.say(key, &arguments);
    let is_noted = if settled.next_at.is_some() {
        note_may_have_left(letter, &what, work)
    } else {
        waits_no_more(letter, &what, Some(id), MayHaveLeft::Yes, work)
    };
    if !is_noted {
        work.event(ticket, DAEMON, TicketEvent::Noted { text: what.clone() }, what.clone());
    }
    if settled.next_at.is_none() && is_awaited(letter) {
        let to = [letter.to.clone()];
        let about = if letter.dissemination.is_some() { About::Silent(&to) } else { About::LostReporter };
        let ways_out = work.desk.say("letter.again_uncertain", &[("id", &id.to_string())]);
        work.notify_about(ticket, about, what, vec![ways_out], "");
    }
}

/// The recipient that a mail of a dissemination is for; `None` of any other letter.
fn recipient_of(letter: &Letter, work: &Work<'_>) -> Option<Addressed> {
    let number = letter.dissemination.as_ref().filter(|_| letter.kind == LetterKind::Dissemination)?;
    work.addressed(number, &letter.to)
}

/// From now on the recipient of a dissemination may have its mail, whatever becomes of that. `false` where the letter is
/// none.
fn note_may_have_left(letter: &Letter, what: &str, work: &mut Work<'_>) -> bool {
    let Some(mut one) = recipient_of(letter, work) else { return false };
    one.recipient.may_have_left = true;
    work.set_addressed(one, DAEMON, what);
    true
}

/// The dissemination of the letter, where that was cancelled while an attempt was under way or waited to be made.
fn cancelled_meanwhile(letter: &Letter, work: &Work<'_>) -> Option<DisseminationNumber> {
    let number = letter.dissemination.as_ref()?;
    let one = work.addressed(number, &letter.to)?;
    (one.state == DisseminationState::Cancelled).then(|| number.clone())
}

/// An attempt ended when the dissemination was cancelled already: it is the last one. That its mail has left all the
/// same, or may have, somebody has to hear: the receipt of the cancelling could not say so.
fn stopped(number: &DisseminationNumber, letter: &Letter, settled: &Settled, work: &mut Work<'_>) {
    let reason = settled.error.clone().unwrap_or_default();
    let named = [("kind", letter.kind.word()), ("to", letter.to.as_str()), ("number", number.0.as_str()), ("reason", reason.as_str())];
    let may_wait = matches!(settled.state, LetterState::Queued | LetterState::Uncertain | LetterState::Held);
    if may_wait {
        let because = work.desk.say("letter.stopped", &named);
        work.effect(Effect::SetLetterState { message_id: letter.message_id.clone(), state: LetterState::Cancelled, because });
    }
    let Some(mut one) = recipient_of(letter, work) else { return };
    let key = match settled.state {
        LetterState::Sent => "letter.left_after_all",
        LetterState::Uncertain => "letter.left_perhaps",
        _ => "letter.stopped",
    };
    let what = work.desk.say(key, &named);
    let ticket = work.survivor(&one.ticket);
    if settled.state == LetterState::Sent {
        sent_to(number, &letter.to, work.desk.now, work);
    } else {
        one.recipient.may_have_left |= settled.state == LetterState::Uncertain;
        work.set_addressed(one, DAEMON, what.clone());
    }
    if matches!(settled.state, LetterState::Sent | LetterState::Uncertain) {
        let to = [letter.to.clone()];
        work.notify_about(&ticket, About::Silent(&to), what, Vec::new(), "");
    }
}

/// What waits of a dissemination that was cancelled does not leave: its letter was read before the cancelling and taken
/// up after it, or a version that did not stop it at once left it waiting.
#[must_use]
pub fn stop(letter: &Letter, was: LetterState, world: &Snapshot, desk: Desk<'_>) -> Decision {
    let mut work = Work::new(desk, world, format!("stop\0{}\0{}", letter.message_id, desk.now));
    if let (Some(number), Some(mut one)) = (&letter.dissemination, recipient_of(letter, &work)) {
        let is_uncertain = was == LetterState::Uncertain;
        let named = [("kind", letter.kind.word()), ("to", letter.to.as_str()), ("number", number.0.as_str()), ("reason", "")];
        let what = work.desk.say("letter.stopped", &named);
        one.recipient.may_have_left |= is_uncertain;
        work.set_addressed(one, DAEMON, what);
    }
    work.finish()
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
    // Who confirmed by another way while it was under way has been sent it all the same.
    recipient.sent_at.get_or_insert(sent_at);
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

/// Whether the last that is known of an attempt is that it may have succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MayHaveLeft {
    Yes,
    /// Not by what is known now; what was noted before stays.
    AsBefore,
}

/// The recipient of a dissemination whose mail leaves by a person's hand alone, if at all: it waits for nothing any
/// more. `false` where the letter is none; `again`: it may be tried again.
fn waits_no_more(letter: &Letter, what: &str, again: Option<OutboxId>, may_have_left: MayHaveLeft, work: &mut Work<'_>) -> bool {
    let Some(mut one) = recipient_of(letter, work) else { return false };
    one.recipient.may_have_left |= may_have_left == MayHaveLeft::Yes;
    if matches!(one.recipient.state, RecipientState::Queued | RecipientState::Held) {
        one.recipient.state = RecipientState::Held;
        one.recipient.at = work.desk.now;
        what.clone_into(&mut one.recipient.because);
    }
    disseminate::set_unsent(one, what, again, work);
    true
}

/// Whether somebody outside waits for it: a notice about a notice that could not be sent would itself not be sent.
const fn is_awaited(letter: &Letter) -> bool {
    !matches!(letter.kind, LetterKind::Notice | LetterKind::Receipt | LetterKind::Report)
}

/// A person decides whether it leaves, and hears why, and how to let it go or stop it.
fn held(id: OutboxId, letter: &Letter, reason: &str, work: &mut Work<'_>) {
    let named = [("kind", letter.kind.word()), ("to", letter.to.as_str()), ("reason", reason)];
    let what = work.desk.say("letter.held", &named);
    if has_lost_its_reason(letter, work) {
        let ticket = work.ticket_of(letter.ticket.as_ref(), letter.dissemination.as_ref());
        return drop_letter(&letter.message_id, letter.kind, &letter.to, ticket.as_ref(), work);
    }
    let before = letter.dissemination.as_ref().and_then(|number| work.addressed(number, &letter.to));
    let is_of_dissemination = waits_no_more(letter, &what, Some(id), MayHaveLeft::AsBefore, work);
    let ticket = work.ticket_of(letter.ticket.as_ref(), letter.dissemination.as_ref());
    let Some(ticket) = ticket.filter(|_| is_awaited(letter)) else { return };
    let risen = risen_mark(letter, reason, &ticket, work);
    // One mark holds all that wait of a dissemination to thousands: it is told once, and again of one that a person
    // let go since, which waits from a later moment than the others.
    if let (Some((number, mark)), Some(one)) = (&risen, &before)
        && !is_first(&format!("risen {number} {} {}", mark.word(), one.recipient.at), &ticket, work)
    {
        return;
    }
    let due = Some(&ticket).filter(|_| letter.kind == LetterKind::Analysis).and_then(|ticket| act::analysis_held(ticket, DAEMON, work));
    if !is_of_dissemination && work.ticket(&ticket).is_some() {
        work.event(&ticket, DAEMON, TicketEvent::Noted { text: what.clone() }, what);
    }
    // What is refused on the ticket as it stands now is no way out.
    let is_awaited_analysis =
        work.ticket(&ticket).is_some_and(|ticket| ticket.state == State::Analysing) && letter.kind == LetterKind::Analysis;
    let command = if is_awaited_analysis { "!analisis" } else { "!balas" };
    let marks = work.ticket(&ticket).map(|ticket| readable::marks(ticket, work).ticket);
    let is_readable = marks.flatten().is_some_and(Tlp::must_be_encrypted) && readable::is_asked(letter);
    let (to, free) = ([letter.to.clone()], format!("{command}\n!terbuka"));
    let (about, ways_out): (About<'_>, &[&str]) = if let Some((number, _)) = &risen {
        (About::Unreached(number), &["letter.risen_or_never"])
    } else if letter.kind == LetterKind::Dissemination {
        (About::Silent(&to), &["letter.again_or_never", "letter.to_another_anew"])
    } else if letter.dissemination.is_some() {
        (About::Silent(&to), &["letter.again_or_never"])
    } else if is_readable {
        (About::Unsent(&free), &["letter.write_free", "letter.write_sealed", "letter.after_lowering"])
    } else {
        (if is_awaited_analysis { About::Unsent(command) } else { About::Ticket }, &["letter.again_or_never"])
    };
    let number = letter.dissemination.as_ref().map_or("", |number| number.0.as_str());
    let (id, due) = (id.to_string(), due.map(|due| work.desk.say("letter.analysis_held", &[("due", &work.desk.local(due))])));
    let ways_out = ways_out.iter().map(|key| work.desk.say(key, &[("id", &id), ("command", command), ("number", number)]));
    let facts: Vec<String> = std::iter::once(reason.to_owned()).chain(due).chain(ways_out).collect();
    let subject = work.desk.say("letter.is_held", &named);
    let fields = work.event_fields(&ticket, about, subject, facts, "");
    work.notify(&ticket, TemplateName::NoticeEvent, &fields, &[], None);
    // Whoever wrote a dissemination has to know too, where the ticket is another's.
    let author = before.and_then(|one| work.desk.policy.person(&one.author));
    let others = author.filter(|author| !work.audience(work.ticket(&ticket)).iter().any(|person| person.address == author.address));
    if let Some(author) = others {
        let letter = work.to_person(author, Some(&ticket), LetterKind::Notice, TemplateName::NoticeEvent, &fields);
        work.queue(letter, AtReporter::No);
    }
}

/// The mark that was received above what was agreed to, where that is the reason of the hold.
fn risen_mark(letter: &Letter, reason: &str, ticket: &TicketNumber, work: &Work<'_>) -> Option<(DisseminationNumber, Tlp)> {
    let (number, mark) = (letter.dissemination.clone()?, work.ticket(ticket)?.received_tlp?);
    (disseminate::risen(&number, mark, work.desk) == reason).then_some((number, mark))
}

/// Whether this was never said on the ticket before; from now on it was.
pub(super) fn is_first(told: &str, ticket: &TicketNumber, work: &mut Work<'_>) -> bool {
    if work.ticket(ticket).is_none_or(|ticket| ticket.told.contains(told)) {
        return false;
    }
    work.event(ticket, DAEMON, TicketEvent::Told { what: told.to_owned() }, "");
    true
}

/// Its recipient has confirmed, by whatever way: nobody has to decide on it.
fn has_lost_its_reason(letter: &Letter, work: &Work<'_>) -> bool {
    let one = letter.dissemination.as_ref().and_then(|number| work.addressed(number, &letter.to));
    one.is_some_and(|one| matches!(one.recipient.state, RecipientState::Confirmed | RecipientState::Handled))
}

/// A letter that nobody has let go is cancelled, and the history says so.
pub(super) fn drop_letter(message_id: &str, kind: LetterKind, to: &Address, ticket: Option<&TicketNumber>, work: &mut Work<'_>) {
    let because = work.desk.say("letter.lost_reason", &[]);
    work.effect(Effect::SetLetterState { message_id: message_id.to_owned(), state: LetterState::Cancelled, because });
    if let Some(ticket) = ticket.filter(|ticket| work.ticket(ticket).is_some()) {
        let what = work.desk.say("letter.dropped", &[("kind", kind.word()), ("to", to.as_str())]);
        work.event(ticket, DAEMON, TicketEvent::Noted { text: what.clone() }, what);
    }
}

/// A person at the command line lets it go: the recipient of a dissemination waits again with it.
///
/// # Errors
/// Why nobody waits for it any more, in English for the command line: its dissemination was cancelled or closed, its
/// recipient has confirmed, or it was written before its ticket ended.
pub fn again(letter: &Letter, stood: Stood, by: &str, world: &Snapshot, desk: Desk<'_>) -> Result<Decision, String> {
    let mut work = Work::new(desk, world, format!("again\0{}\0{}", letter.message_id, desk.now));
    has_reason(letter, stood, &work)?;
    let what = desk.say("letter.let_go", &[("kind", letter.kind.word()), ("to", letter.to.as_str()), ("by", by)]);
    if let Some(mut one) = recipient_of(letter, &work) {
        if matches!(one.recipient.state, RecipientState::Held | RecipientState::Bounced) {
            one.recipient.state = RecipientState::Queued;
            one.recipient.at = desk.now;
            one.recipient.because.clear();
            if one.state == DisseminationState::Sent {
                one.state = DisseminationState::Sending;
            }
        }
        work.set_addressed(one, by, what);
    } else if let Some(ticket) = work.ticket_of(letter.ticket.as_ref(), letter.dissemination.as_ref())
        && is_awaited(letter)
        && work.ticket(&ticket).is_some()
    {
        work.event(&ticket, by, TicketEvent::Noted { text: what.clone() }, what);
    }
    Ok(work.finish())
}

/// How a letter stood when a person at the command line took it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stood {
    pub queued_at: Timestamp,
    /// Without a person's hand it waits for one for ever.
    pub leaves_by_itself: bool,
}

fn has_reason(letter: &Letter, stood: Stood, work: &Work<'_>) -> Result<(), String> {
    // The ticket that answers for it, where that is over.
    let over = || letter.ticket.as_ref().and_then(|ticket| work.ticket(&work.survivor(ticket))).filter(|ticket| !ticket.state.is_open());
    if let Some(number) = &letter.dissemination {
        let Some(one) = work.addressed(number, &letter.to) else { return Ok(()) };
        if one.state == DisseminationState::Cancelled {
            return Err(format!("it is of {number}, which is cancelled: nothing of it leaves any more"));
        }
        if matches!(one.recipient.state, RecipientState::Confirmed | RecipientState::Handled) {
            return Err(format!("{} has confirmed {number}: the letter is no longer needed", letter.to));
        }
        return match over().filter(|_| one.state == DisseminationState::Closed && !stood.leaves_by_itself) {
            Some(Ticket { number: ticket, .. }) => {
                Err(format!("it is of {number}, which was closed with its ticket {ticket}; where it has to leave, reopen that with !buka"))
            }
            None => Ok(()),
        };
    }
    let is_of_its_time = matches!(letter.kind, LetterKind::Request | LetterKind::Reply | LetterKind::Analysis | LetterKind::Reminder);
    let ended = over().filter(|ticket| ticket.closed_at.is_some_and(|closed_at| stood.queued_at <= closed_at));
    match ended.filter(|_| is_of_its_time && !stood.leaves_by_itself) {
        Some(Ticket { number, state, .. }) => {
            Err(format!("it was written before its ticket {number} ended ({state}); what has to be said still is written anew"))
        }
        None => Ok(()),
    }
}

/// A person at the command line stopped it for good: the history says so, and nobody waits for it any more. What the
/// analysts take for sent (`was`: how it stood) they hear of.
#[must_use]
pub fn cancelled(letter: &Letter, was: LetterState, by: &str, world: &Snapshot, desk: Desk<'_>) -> Decision {
    let mut work = Work::new(desk, world, format!("cancel\0{}\0{}", letter.message_id, desk.now));
    let what = desk.say("letter.cancelled", &[("kind", letter.kind.word()), ("to", letter.to.as_str()), ("by", by)]);
    // One that a version without that note left uncertain.
    let may_have_left = if was == LetterState::Uncertain { MayHaveLeft::Yes } else { MayHaveLeft::AsBefore };
    if !waits_no_more(letter, &what, None, may_have_left, &mut work)
        && let Some(ticket) = letter.ticket.as_ref().filter(|ticket| is_awaited(letter) && work.ticket(ticket).is_some())
    {
        work.event(ticket, by, TicketEvent::Noted { text: what.clone() }, what.clone());
        if matches!(was, LetterState::Queued | LetterState::Uncertain) && letter.dissemination.is_none() {
            let is_analysis = letter.kind == LetterKind::Analysis && was == LetterState::Queued;
            let due = Some(ticket).filter(|_| is_analysis).and_then(|ticket| act::analysis_held(ticket, DAEMON, &mut work));
            let due = due.map(|due| work.desk.say("letter.analysis_held", &[("due", &work.desk.local(due))]));
            work.notify_about(ticket, About::Ticket, what, due.into_iter().collect(), "");
        }
    }
    work.finish()
}

fn failed(id: OutboxId, letter: &Letter, reason: &str, work: &mut Work<'_>) {
    let what = work.desk.say("letter.failed", &[("kind", letter.kind.word()), ("to", letter.to.as_str()), ("reason", reason)]);
    let ticket = work.ticket_of(letter.ticket.as_ref(), letter.dissemination.as_ref()).filter(|_| is_awaited(letter));
    if ticket.is_none() {
        return;
    }
    let ours = OurLetter {
        message_id: letter.message_id.clone(),
        kind: letter.kind,
        ticket,
        dissemination: letter.dissemination.clone(),
        to: letter.to.clone(),
        state: LetterState::Failed,
        sent_at: None,
    };
    bounce::tell(&ours, &what, Some(id), work);
}
