//! A mail of ours came back (RFC 3464, and what is no DSN). Only a bounce that names our keyed
//! Message-ID and our recipient changes anything (ATTACKS L19).

use super::work::{DAEMON, Work};
use super::{Arrived, disseminate};
use crate::mail::dsn::{Bounce, Fate};
use crate::model::dissemination::RecipientState;
use crate::model::effect::{Decision, Effect};
use crate::model::letter::{LetterKind, LetterState};
use crate::model::snapshot::OurLetter;

/// A bounce.
#[must_use]
pub fn bounced(arrived: &Arrived<'_>, mut work: Work<'_>) -> Decision {
    let desk = work.desk;
    let ours = arrived.bounces.iter().find_map(|bounce| named_letter(bounce, &work).map(|letter| (bounce, letter.clone())));
    let Some((bounce, letter)) = ours else {
        let because = desk.say("file.bounce_unknown", &[]);
        return work.file_for_digest(arrived, None, because);
    };
    let reason = format!("{} {}", bounce.status, bounce.diagnostic).trim().to_owned();
    let arguments = [("to", letter.to.as_str()), ("reason", reason.as_str())];
    // Whether a stakeholder was reached is not decided by a report that does not say who was not (ATTACKS L19).
    let is_recipient = match &bounce.recipient {
        Some(recipient) => *recipient == letter.to,
        None => letter.dissemination.is_none(),
    };
    if !is_recipient || bounce.fate != Fate::Permanent {
        // A delay is no loss yet, and a bounce for somebody else is not about this letter.
        let because = desk.say("file.bounce_delayed", &arguments);
        return work.file(arrived, letter.ticket, because);
    }
    let because = desk.say("file.bounce", &arguments);
    if matches!(letter.state, LetterState::Sent | LetterState::Uncertain) {
        let message_id = letter.message_id.clone();
        work.effect(Effect::SetLetterState { message_id, state: LetterState::Failed, because: reason });
        tell(&letter, &because, &mut work);
    }
    work.file(arrived, letter.ticket, because)
}

/// The letter that the report is about: by the Message-ID that it names, else the one letter that
/// its references name.
fn named_letter<'w>(bounce: &Bounce, work: &Work<'w>) -> Option<&'w OurLetter> {
    let letters = &work.world.letters;
    match (&bounce.original_id, letters.as_slice()) {
        (Some(id), _) => letters.iter().find(|letter| letter.message_id == *id),
        (None, [only]) => Some(only),
        (None, _) => None,
    }
}

/// The recipient's state changes and the analysts hear of it; a bounced acknowledgement or notice
/// is recorded only, since nobody waits for it (ATTACKS L20).
pub fn tell(letter: &OurLetter, because: &str, work: &mut Work<'_>) {
    let Some(ticket) = &letter.ticket else { return };
    if let Some(mut dissemination) = letter.dissemination.as_ref().and_then(|number| work.dissemination(number)).cloned() {
        let now = work.desk.now;
        for recipient in dissemination.recipients.iter_mut().filter(|recipient| recipient.address == letter.to) {
            if matches!(recipient.state, RecipientState::Queued | RecipientState::Sent) {
                recipient.state = RecipientState::Bounced;
                recipient.at = now;
                because.clone_into(&mut recipient.because);
            }
        }
        disseminate::note_progress(&mut dissemination);
        work.set_dissemination(dissemination, DAEMON, because);
    }
    let matters = !matches!(letter.kind, LetterKind::Notice | LetterKind::Receipt | LetterKind::Report | LetterKind::Survey);
    if matters && work.ticket(ticket).is_some() {
        work.notify_event(ticket, because.to_owned(), Vec::new(), "", None);
    }
}
