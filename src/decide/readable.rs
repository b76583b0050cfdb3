//! Whether a person's words to a reporter may leave so that everybody can read them (contract 4 and 9). Asked when
//! they are written, and again at the moment of sending: the mark may have risen while they waited.

use super::Desk;
use super::work::Work;
use crate::model::Tlp;
use crate::model::dissemination::DisseminationNumber;
use crate::model::letter::{Letter, LetterKind, Protection, Words};
use crate::model::snapshot::Ground;
use crate::model::ticket::Ticket;

/// What a ticket is marked with as it stands, together with the one that took it up.
#[derive(Debug, Clone)]
pub(super) struct Marks {
    pub ticket: Option<Tlp>,
    /// The dissemination of the highest mark.
    dissemination: Option<(DisseminationNumber, Tlp)>,
}

/// What the ticket is marked with, and the one that took it up where it was merged.
#[must_use]
pub(super) fn marks(ticket: &Ticket, work: &Work<'_>) -> Marks {
    let heir = work.survivor(&ticket.number);
    Marks {
        ticket: ticket.tlp.max(work.ticket(&heir).and_then(|heir| heir.tlp)),
        dissemination: work.disseminations_of(&heir).max_by_key(|one| one.tlp).map(|one| (one.number.clone(), one.tlp)),
    }
}

/// Why words that nobody declared free to read may not be queued without encryption.
#[must_use]
pub(super) fn refusal(marks: &Marks, desk: Desk<'_>) -> Option<String> {
    if let Some(mark) = marks.ticket.filter(|mark| mark.must_be_encrypted()) {
        return Some(desk.say("refused.needs_certificate", &[("mark", &mark.label())]));
    }
    // Nobody can tell by machine whether a text repeats some of it, so a person has to say that it does not.
    let (number, mark) = marks.dissemination.as_ref().filter(|(_, mark)| mark.must_be_encrypted())?;
    Some(desk.say("refused.beside_dissemination", &[("number", &number.0), ("mark", &mark.label())]))
}

/// Whether the marks have a say in how this letter leaves: words of a person that are not encrypted.
#[must_use]
pub fn is_asked(letter: &Letter) -> bool {
    let is_written = match letter.words {
        Words::Fixed | Words::DeclaredFree => false,
        Words::Written => true,
        // A request may have had a text, and nobody can tell whether it was declared free.
        Words::Unsaid => {
            !matches!(letter.kind, LetterKind::Acknowledgement | LetterKind::Reminder | LetterKind::Closing | LetterKind::Survey)
        }
    };
    is_written && letter.dissemination.is_none() && !matches!(letter.protection, Protection::Sealed { .. })
}

/// Why a letter may not leave as it was queued, in words for the analyst. A dissemination that was drafted since marks
/// itself, and not what was written before it.
#[must_use]
pub(super) fn obstacle(letter: &Letter, ground: &Ground, desk: Desk<'_>) -> Option<String> {
    let (ticket, mark) = ground.mark.as_ref().filter(|(_, mark)| mark.must_be_encrypted() && is_asked(letter))?;
    Some(desk.say("held.marked_since", &[("number", &ticket.0), ("mark", &mark.label())]))
}
