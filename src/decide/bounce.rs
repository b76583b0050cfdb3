//! A mail of ours came back (RFC 3464, and what is no DSN). Only a bounce that names our keyed
//! token or Message-ID and our recipient changes anything (ATTACKS L19); the rest is shown or filed.

use super::letters::lines::About;
use super::work::Work;
use super::{Arrived, disseminate, retry};
use crate::mail::dsn::{Bounce, Fate};
use crate::model::Address;
use crate::model::dissemination::RecipientState;
use crate::model::effect::{Decision, Effect};
use crate::model::letter::{LetterKind, LetterState, OutboxId};
use crate::model::snapshot::OurLetter;

/// A bounce.
#[must_use]
pub fn bounced(arrived: &Arrived<'_>, mut work: Work<'_>) -> Decision {
    let Some((bounce, mut letter)) = ours(arrived, &work) else {
        let because = work.desk.say("file.bounce_unknown", &[]);
        return work.file_for_digest(arrived, None, because);
    };
    letter.ticket = work.ticket_of(letter.ticket.as_ref(), letter.dissemination.as_ref());
    let reason = format!("{} {}", bounce.status, bounce.diagnostic).trim().to_owned();
    let say = |key: &str| work.desk.say(key, &[("kind", letter.kind.word()), ("to", letter.to.as_str()), ("reason", &reason)]);
    // Whether a stakeholder was reached is not decided by a report that does not say who was not.
    let is_proved = match &bounce.recipient {
        Some(recipient) => *recipient == letter.to,
        None => letter.dissemination.is_none(),
    };
    let because = match (is_proved, bounce.fate) {
        (true, Fate::Permanent) => say("file.bounce"),
        (true, Fate::Delayed) => say("file.bounce_delayed"),
        (true, Fate::Delivered) => say("file.bounce_delivered"),
        (false, _) => say("file.bounce_unconfirmed"),
    };
    let has_left = matches!(letter.state, LetterState::Sent | LetterState::Uncertain);
    match (is_proved, bounce.fate) {
        (true, Fate::Permanent) if has_left => {
            let message_id = letter.message_id.clone();
            work.effect(Effect::SetLetterState { message_id, state: LetterState::Failed, because: reason.clone() });
            work.effect(Effect::NoteContactBounce { address: letter.to.clone(), because: reason });
            tell(&letter, &because, None, &mut work);
        }
        // Nothing is over yet: the letter has left, and why it is not there stands beside it.
        (true, Fate::Delayed | Fate::Delivered) if has_left && is_first("delayed", &letter, &mut work) => {
            let message_id = letter.message_id.clone();
            work.effect(Effect::SetLetterState { message_id, state: LetterState::Sent, because: because.clone() });
            if let Some(number) = letter.dissemination.as_ref().filter(|_| letter.kind == LetterKind::Dissemination) {
                retry::sent_to(number, &letter.to, work.desk.now, &mut work);
            }
        }
        // It may be forged and it may be true: an analyst sees it once, and nothing else changes.
        (false, Fate::Permanent) if has_left && letter.dissemination.is_some() && is_first("unconfirmed", &letter, &mut work) => {
            if let Some(ticket) = &letter.ticket {
                let about = [letter.to.clone()];
                work.notify_about(ticket, About::Silent(&about), because.clone(), which(&letter, &work), "");
            }
        }
        _ => {}
    }
    work.file(arrived, letter.ticket, because)
}

/// What the report says of a letter of ours: by the token in the address that it came to, else by
/// the Message-ID that it names, else the one letter that its references name.
fn ours(arrived: &Arrived<'_>, work: &Work<'_>) -> Option<(Bounce, OurLetter)> {
    let letters = &work.world.letters;
    let by_token = work.world.token_letter.as_ref().and_then(|id| letters.iter().find(|letter| letter.message_id == *id));
    let by_id = |bounce: &Bounce| match (&bounce.original_id, letters.as_slice()) {
        (Some(id), _) => letters.iter().find(|letter| letter.message_id == *id),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    let named: Vec<(&Bounce, &OurLetter)> =
        arrived.bounces.iter().filter_map(|bounce| Some((bounce, by_token.or_else(|| by_id(bounce))?))).collect();
    // A report of several recipients is about the one that our letter was for.
    let about = named.iter().find(|(bounce, letter)| bounce.recipient.as_ref() == Some(&letter.to)).or_else(|| named.first())?;
    Some((about.0.clone(), about.1.clone()))
}

/// Whether this was never said of this letter before; from now on it was. A storm of reports says it once.
fn is_first(what: &str, letter: &OurLetter, work: &mut Work<'_>) -> bool {
    let Some(ticket) = letter.ticket.clone() else { return false };
    retry::is_first(&format!("{what} {}", letter.message_id), &ticket, work)
}

/// The recipient's state changes and the analysts hear of it; a bounced notice is recorded only, since
/// nobody outside waits for it. `again`: the letter itself never left and may be tried again.
pub fn tell(letter: &OurLetter, because: &str, again: Option<OutboxId>, work: &mut Work<'_>) {
    let Some(ticket) = &letter.ticket else { return };
    if letter.kind == LetterKind::Dissemination
        && let Some(mut one) = letter.dissemination.as_ref().and_then(|number| work.addressed(number, &letter.to))
    {
        if matches!(one.recipient.state, RecipientState::Held | RecipientState::Queued | RecipientState::Sent) {
            one.recipient.state = RecipientState::Bounced;
            one.recipient.at = work.desk.now;
            because.clone_into(&mut one.recipient.because);
        }
        disseminate::set_unsent(one, because, again, work);
    }
    let matters = !matches!(letter.kind, LetterKind::Notice | LetterKind::Receipt | LetterKind::Report | LetterKind::Survey);
    if matters && work.ticket(ticket).is_some() {
        let to = [letter.to.clone()];
        work.notify_about(ticket, unreached(letter, &to), because.to_owned(), which(letter, work), "");
    }
}

/// Whom a notice is about where a letter did not arrive: another one to the same address is no remedy.
const fn unreached<'a>(letter: &OurLetter, to: &'a [Address]) -> About<'a> {
    if letter.dissemination.is_some() { About::Silent(to) } else { About::LostReporter }
}

/// Which letter it was, for who reads of it: of two to one address each has its own fate.
fn which(letter: &OurLetter, work: &Work<'_>) -> Vec<String> {
    let number = letter.dissemination.as_ref().map_or("", |number| number.0.as_str());
    let kind = work.desk.say("fact.letter", &[("kind", letter.kind.word()), ("number", number)]).trim_end().to_owned();
    let sent = letter.sent_at.map(|at| work.desk.say("fact.letter_sent", &[("at", &work.desk.local(at))]));
    std::iter::once(kind).chain(sent).collect()
}
