//! Whether a person's words to a reporter may leave so that everybody can read them (contract 4 and 9). Asked when
//! they are written, and again at the moment of sending: the mark may have risen while they waited.

use super::work::Work;
use super::{Desk, reply};
use crate::model::Tlp;
use crate::model::dissemination::DisseminationNumber;
use crate::model::letter::{Letter, Protection, Words};
use crate::model::snapshot::Marks;
use crate::model::ticket::Ticket;

/// What keeps words from being readable.
enum Cause<'m> {
    Mark(Tlp),
    /// Nobody can tell by machine whether a text repeats some of it, so a person has to say that it does not.
    Beside(&'m DisseminationNumber, Tlp),
}

fn cause(marks: &Marks) -> Option<Cause<'_>> {
    let of_ticket = marks.ticket.filter(|mark| mark.must_be_encrypted()).map(Cause::Mark);
    let beside = || marks.dissemination.as_ref().filter(|(_, mark)| mark.must_be_encrypted());
    of_ticket.or_else(|| beside().map(|(number, mark)| Cause::Beside(number, *mark)))
}

/// What the ticket is marked with, and the one that took it up where it was merged.
#[must_use]
pub(super) fn marks(ticket: &Ticket, work: &Work<'_>) -> Marks {
    let heir = reply::survivor(ticket, work);
    let mut marks = Marks::default();
    for ticket in std::iter::once(ticket).chain(work.ticket(&heir)) {
        marks.take_ticket(ticket);
    }
    for one in work.disseminations_of(&ticket.number).chain(work.disseminations_of(&heir)) {
        marks.take_dissemination(&one.number, one.tlp);
    }
    marks
}

/// Why words that nobody declared free to read may not be queued without encryption.
#[must_use]
pub(super) fn refusal(marks: &Marks, desk: Desk<'_>) -> Option<String> {
    Some(match cause(marks)? {
        Cause::Mark(mark) => desk.say("refused.needs_certificate", &[("mark", &mark.label())]),
        Cause::Beside(number, mark) => desk.say("refused.beside_dissemination", &[("number", &number.0), ("mark", &mark.label())]),
    })
}

/// Whether the marks have a say in how this letter leaves: words of a person that are not encrypted.
#[must_use]
pub fn is_asked(letter: &Letter) -> bool {
    letter.words == Words::Written && !matches!(letter.protection, Protection::Sealed { .. })
}

/// Why a letter may not leave as it was queued, and the way out, in words for the analyst.
#[must_use]
pub(super) fn obstacle(letter: &Letter, marks: &Marks, desk: Desk<'_>) -> Option<String> {
    Some(match cause(marks).filter(|_| is_asked(letter))? {
        Cause::Mark(mark) => desk.say("held.marked_since", &[("mark", &mark.label())]),
        Cause::Beside(number, mark) => desk.say("held.disseminated_since", &[("number", &number.0), ("mark", &mark.label())]),
    })
}
