//! A key that came with a report and signed it: whoever wrote the report has it, and nothing says
//! who that is. Answers on that ticket are encrypted to it. It never commands, confirms or takes the
//! place of a certificate that a person pinned (ATTACKS P4).

use super::trust;
use super::unsealed;
use super::work::{DAEMON, Work};
use super::{Arrived, readable};
use crate::mail::results::Dmarc;
use crate::model::effect::Effect;
use crate::model::snapshot::Candidate;
use crate::model::ticket::{Ticket, TicketEvent, TicketNumber};
use crate::model::{Fingerprint, Tlp};
use crate::openpgp::Certificate;
use crate::openpgp::open::Refusal;

pub use crate::model::snapshot::Moment;

/// Keeps the key as the candidate of this ticket where it may be, and says so in one line for
/// analysts. `None`: no key came that made the mail's signature, or it is known already.
pub fn keep(arrived: &Arrived<'_>, number: &TicketNumber, moment: Moment, work: &mut Work<'_>) -> Option<String> {
    let certificate = signer(arrived)?;
    let fingerprint = certificate.fingerprint();
    let ticket = work.ticket(number).filter(|ticket| trust::is_reporter(arrived, ticket))?.clone();
    let reporter = ticket.reporter.clone()?;
    let say = |key: &str, reason: &str, work: &Work<'_>| Some(work.desk.say(key, &[("signer", &fingerprint.0), ("reason", reason)]));
    if pinned(&ticket, work).is_some() || work.world.contact.as_ref().is_some_and(|contact| contact.fingerprint.is_some()) {
        return say("candidate.pinned", "", work);
    }
    match work.world.candidates.get(number) {
        Some(known) if known.fingerprint == fingerprint => return None,
        Some(_) => return say("candidate.another", "", work),
        None => {}
    }
    if moment == Moment::Later && arrived.recognised.dmarc != Dmarc::Pass {
        return say("candidate.unproved", "", work);
    }
    if is_too_late(moment, readable::marks(&ticket, work).ticket) {
        return say("candidate.marked", "", work);
    }
    let problems = certificate.unfit(work.desk.now);
    if !problems.is_empty() {
        return say("candidate.unfit", &unsealed::unfit(&problems, work.desk), work);
    }
    work.effect(Effect::KeepCandidate {
        ticket: number.clone(),
        address: reporter,
        fingerprint: fingerprint.clone(),
        certificate: certificate.minimal(),
    });
    let told = say("candidate.kept", "", work)?;
    work.event(number, DAEMON, TicketEvent::Noted { text: told.clone() }, told.clone());
    Some(told)
}

/// What nobody but the one person, or its organisation, may read is not sealed to a key on the word of a mail server
/// alone: under such a mark a key that came with a later mail is neither kept nor used.
#[must_use]
pub fn is_too_late(moment: Moment, mark: Option<Tlp>) -> bool {
    moment == Moment::Later && mark.is_some_and(|mark| mark >= Tlp::AmberStrict)
}

/// The certificate that came along and made a signature over all of the mail.
fn signer<'o>(arrived: &Arrived<'o>) -> Option<&'o Certificate> {
    let opened = arrived.opened;
    // The one thing that may be wrong with the signature is that nobody here knows whose it is. What is
    // signed from outside, in part, or under another sender says nothing of who wrote it (P1, P10, P26).
    let is_whole = opened.refusals.iter().all(|refusal| matches!(refusal, Refusal::UnknownSigner | Refusal::HtmlOnly));
    let signer = opened.findings.carried_signer.as_ref().filter(|_| is_whole && !trust::is_doubtful(arrived))?;
    opened.carried.iter().find(|certificate| certificate.fingerprint() == *signer)
}

/// What answers to a reporter are encrypted to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// A person pinned it to the reporter's address.
    Pinned(Fingerprint),
    /// The candidate of the ticket.
    Candidate(Fingerprint),
}

impl Key {
    /// The certificate.
    #[must_use]
    pub const fn fingerprint(&self) -> &Fingerprint {
        match self {
            Self::Pinned(fingerprint) | Self::Candidate(fingerprint) => fingerprint,
        }
    }
}

/// The key that what is so marked is encrypted to on this ticket: the pinned one before any candidate.
#[must_use]
pub fn key_of(ticket: &Ticket, mark: Option<Tlp>, work: &Work<'_>) -> Option<Key> {
    let candidate = || candidate_of(ticket, work).filter(|candidate| !is_too_late(candidate.moment, mark));
    pinned(ticket, work).map(Key::Pinned).or_else(|| candidate().map(|candidate| Key::Candidate(candidate.fingerprint.clone())))
}

/// The key that is known and may not be used under this mark.
#[must_use]
pub fn unused(ticket: &Ticket, mark: Option<Tlp>, work: &Work<'_>) -> Option<Fingerprint> {
    let candidate = candidate_of(ticket, work).filter(|candidate| is_too_late(candidate.moment, mark))?;
    pinned(ticket, work).is_none().then(|| candidate.fingerprint.clone())
}

fn candidate_of<'w>(ticket: &Ticket, work: &Work<'w>) -> Option<&'w Candidate> {
    work.world.candidates.get(&ticket.number).filter(|_| ticket.reporter.is_some())
}

fn pinned(ticket: &Ticket, work: &Work<'_>) -> Option<Fingerprint> {
    ticket.reporter.as_ref().and_then(|reporter| work.world.certificates.get(reporter)).cloned()
}
