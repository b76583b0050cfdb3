//! How far a dissemination is, in words for `!status`: first the numbers, then the recipients that a
//! person has to do something about.

use super::leave::weigh;
use super::preview::{recipient_line, state_of_recipient, state_words};
use crate::decide::letters::lines::About;
use crate::decide::work::{DAEMON, Work};
use crate::mail::template::TemplateName;
use crate::model::Address;
use crate::model::dissemination::{Addressed, Dissemination, DisseminationNumber, DisseminationState, Recipient, RecipientState};
use crate::model::letter::{LetterKind, OutboxId};
use crate::model::ticket::{AtReporter, TicketEvent, TicketNumber};

/// Recipients that one answer names; of thousands the numbers tell more, and `ticket show` names all.
const NAMED_MAX: usize = 100;

/// Recipients that the receipt of a cancelling names.
const LEFT_NAMED_MAX: usize = 20;

/// Who stands so is named first: a person has to look at it.
const ORDER: [RecipientState; 6] = [
    RecipientState::Held,
    RecipientState::Bounced,
    RecipientState::Queued,
    RecipientState::Sent,
    RecipientState::Confirmed,
    RecipientState::Handled,
];

/// A line of numbers, then one line a recipient.
#[must_use]
pub fn progress_lines(dissemination: &Dissemination, work: &Work<'_>) -> Vec<String> {
    let desk = work.desk;
    let mut weighed = None;
    if dissemination.state == DisseminationState::AwaitingApproval {
        weigh(weighed.insert(dissemination.clone()), &work.world.recipients, desk);
    }
    let dissemination = weighed.as_ref().unwrap_or(dissemination);
    let state = state_words(dissemination, work);
    let mut lines = vec![format!("{} {} {state}", dissemination.number, dissemination.tlp.label())];
    if !matches!(dissemination.state, DisseminationState::Draft | DisseminationState::AwaitingApproval) {
        lines.push(format!("  {}", numbers(dissemination, work)));
    }
    let in_order = ORDER.iter().flat_map(|state| dissemination.recipients.iter().filter(move |one| one.state == *state));
    for recipient in in_order.take(NAMED_MAX) {
        lines.push(format!("  {} · {}", recipient_line(recipient, dissemination, work), desk.local(recipient.at)));
    }
    let left = dissemination.recipients.len().saturating_sub(NAMED_MAX);
    if left > 0 {
        lines.push(format!("  {}", desk.say("dissemination.more", &[("count", &left.to_string()), ("number", &dissemination.ticket.0)])));
    }
    let held = weighed.iter().flat_map(|one| &one.recipients).filter(|one| one.state == RecipientState::Held).count();
    if held > 0 {
        let arguments = [("count", &*held.to_string()), ("number", &*dissemination.number.0)];
        lines.push(format!("  {}", desk.say("dissemination.would_hold", &arguments)));
    }
    lines
}

/// The mail to one recipient did not leave, or came back. Where that was the last one and none has left, the
/// author hears what can be done; `again`: its letter, where that may be tried again.
pub fn set_unsent(mut one: Addressed, what: &str, again: Option<OutboxId>, work: &mut Work<'_>) {
    let reaches_nobody = one.note_progress();
    let to = one.recipient.address.clone();
    let (number, ticket, author) = (one.number.clone(), work.survivor(&one.ticket), one.author.clone());
    work.set_addressed(one, DAEMON, what);
    if !reaches_nobody {
        return;
    }
    let told = reached_nobody(&number, &ticket, work);
    let fields = work.event_fields(
        &ticket,
        About::Unreached(&number),
        told,
        ways_out(&[again.map_or(Way::Retry, |id| Way::RetryThis(id, &to))], work),
        "",
    );
    let author = work.desk.policy.person(&author);
    let people = author.map_or_else(|| work.audience(work.ticket(&ticket)), |author| vec![author]);
    for person in people {
        let letter = work.to_person(person, Some(&ticket), LetterKind::Notice, TemplateName::NoticeEvent, &fields);
        work.queue(letter, AtReporter::No);
    }
}

/// The sending is over and nothing is known to have left: the history says so. Gives the words.
pub(super) fn reached_nobody(number: &DisseminationNumber, ticket: &TicketNumber, work: &mut Work<'_>) -> String {
    let told = work.desk.say("dissemination.reached_nobody", &[("number", &number.0)]);
    work.event(ticket, DAEMON, TicketEvent::Dissemination { number: number.0.clone(), what: told.clone() }, told.clone());
    told
}

/// How a mail that did not leave can still leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way<'a> {
    /// Its letter stands in the outbox: held, failed or uncertain.
    Retry,
    /// This one does, to that recipient.
    RetryThis(OutboxId, &'a Address),
    /// Nothing could be sealed to what was agreed to, and so there is no letter.
    DraftAnew,
}

/// Those that the recipients of one who are held at its release stand for.
pub(super) fn ways_of(recipients: &[Recipient]) -> Vec<Way<'static>> {
    let has = |way, is_there: bool| is_there.then_some(way);
    let held = || recipients.iter().filter(|one| one.state == RecipientState::Held);
    let letters = has(Way::Retry, held().any(|one| one.message_id.is_some()));
    let others = has(Way::DraftAnew, held().any(|one| one.message_id.is_none()));
    letters.into_iter().chain(others).collect()
}

/// What a person can do about a dissemination that has reached nobody.
pub(super) fn ways_out(ways: &[Way<'_>], work: &Work<'_>) -> Vec<String> {
    let say = |key: &str| work.desk.say(&format!("dissemination.unreached_{key}"), &[]);
    std::iter::once(say("why")).chain(ways_words(ways, work)).chain([say("otherwise")]).collect()
}

/// How mail that did not leave can still leave, a line each.
pub(super) fn ways_words(ways: &[Way<'_>], work: &Work<'_>) -> Vec<String> {
    let say = |key: &str, arguments: &[(&str, &str)]| work.desk.say(&format!("dissemination.unreached_{key}"), arguments);
    let ways = ways.iter().map(|way| match way {
        Way::Retry => say("again", &[]),
        Way::RetryThis(id, address) => say("again_this", &[("id", &id.to_string()), ("address", address.as_str())]),
        Way::DraftAnew => say("anew", &[]),
    });
    ways.collect()
}

/// Of how many the mail has left, and how many stand otherwise.
pub(super) fn numbers(dissemination: &Dissemination, work: &Work<'_>) -> String {
    let (sent, all) = (dissemination.sent().to_string(), dissemination.recipients.len().to_string());
    let mut words = work.desk.say("dissemination.progress", &[("sent", &sent), ("all", &all)]);
    // Those who stand otherwise but are told by the same words are one number.
    let mut others: Vec<(String, usize)> = Vec::new();
    for (state, may_have_it) in
        ORDER.into_iter().filter(|state| *state != RecipientState::Sent).flat_map(|state| [(state, false), (state, true)])
    {
        let stands_so = |one: &&Recipient| (one.state, one.may_have_it()) == (state, may_have_it);
        let count = dissemination.recipients.iter().filter(stands_so).count();
        let told = state_of_recipient(state, may_have_it, dissemination.state, work);
        match others.iter_mut().find(|(other, _)| *other == told) {
            Some((_, sum)) => *sum += count,
            None => others.push((told, count)),
        }
    }
    let others = others.iter().filter(|(_, count)| *count > 0);
    others.for_each(|(told, count)| words.push_str(&format!(", {count} {told}")));
    words
}

/// Of what was cancelled: the numbers, and whom it has reached or may have reached, a line each.
pub(super) fn left_before(dissemination: &Dissemination, work: &Work<'_>) -> Vec<String> {
    let line = |key: &str, is_meant: fn(&Recipient) -> bool| {
        let all: Vec<&str> = dissemination.recipients.iter().filter(|one| is_meant(one)).map(|one| one.address.as_str()).collect();
        let more = all.len().saturating_sub(LEFT_NAMED_MAX);
        let named = all.into_iter().take(LEFT_NAMED_MAX).collect::<Vec<_>>().join(", ");
        let rest = work.desk.say("dissemination.more", &[("count", &more.to_string()), ("number", &dissemination.ticket.0)]);
        let recipients = if more > 0 { format!("{named}, {rest}") } else { named };
        (!recipients.is_empty()).then(|| work.desk.say(key, &[("recipients", &recipients)]))
    };
    let numbers = numbers(dissemination, work);
    let lines = [line("dissemination.had_left", Recipient::was_sent), line("dissemination.had_left_perhaps", Recipient::may_have_it)];
    std::iter::once(format!("{}: {numbers}", dissemination.number)).chain(lines.into_iter().flatten()).collect()
}
