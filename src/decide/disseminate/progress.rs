//! How far a dissemination is, in words for `!status`: first the numbers, then the recipients that a
//! person has to do something about.

use super::preview::{recipient_line, state_of_recipient, state_words};
use crate::decide::work::Work;
use crate::model::dissemination::{Dissemination, DisseminationState, RecipientState};

/// Recipients that one answer names; of thousands the numbers tell more, and `ticket show` names all.
const NAMED_MAX: usize = 100;

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
    lines
}

/// Of how many the mail has left, and how many stand otherwise.
pub(super) fn numbers(dissemination: &Dissemination, work: &Work<'_>) -> String {
    let progress = dissemination.progress();
    let of = |states: &[RecipientState]| states.iter().filter_map(|state| progress.get(state)).sum::<usize>().to_string();
    let sent = of(&[RecipientState::Sent, RecipientState::Confirmed, RecipientState::Handled]);
    let mut words = work.desk.say("dissemination.progress", &[("sent", &sent), ("all", &of(RecipientState::ALL))]);
    for state in ORDER.into_iter().filter(|state| *state != RecipientState::Sent) {
        if let Some(count) = progress.get(&state) {
            words.push_str(&format!(", {count} {}", state_of_recipient(state, dissemination.state, work)));
        }
    }
    words
}
