//! A key that came with a report and signed it: whoever wrote the report has it, and nothing says
//! who that is. Answers on that ticket are encrypted to it. It never commands, confirms or takes the
//! place of a certificate that a person pinned (ATTACKS P4).

use super::Arrived;
use super::trust;
use super::unsealed;
use super::work::{DAEMON, Work};
use crate::mail::results::Dmarc;
use crate::model::effect::Effect;
use crate::model::ticket::{Ticket, TicketEvent, TicketNumber};
use crate::model::{Fingerprint, Tlp};
use crate::openpgp::Certificate;
use crate::openpgp::open::Refusal;

/// When in the life of a ticket the key came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// With the report itself: whoever holds the key knows what the ticket is about.
    Opening,
    /// With a later mail, whose sender could be forged.
    Later,
}

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
        Some(known) if *known == fingerprint => return None,
        Some(_) => return say("candidate.another", "", work),
        None => {}
    }
    if moment == Moment::Later && arrived.recognised.dmarc != Dmarc::Pass {
        return say("candidate.unproved", "", work);
    }
    // What nobody but the one person may read is not sealed to a key on the word of a mail server alone.
    if moment == Moment::Later && ticket.tlp.is_some_and(|mark| mark >= Tlp::AmberStrict) {
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

/// The key of a ticket's reporter: the pinned one before any candidate.
#[must_use]
pub fn key_of(ticket: &Ticket, work: &Work<'_>) -> Option<Key> {
    let candidate = || work.world.candidates.get(&ticket.number).filter(|_| ticket.reporter.is_some());
    pinned(ticket, work).map(Key::Pinned).or_else(|| candidate().cloned().map(Key::Candidate))
}

fn pinned(ticket: &Ticket, work: &Work<'_>) -> Option<Fingerprint> {
    ticket.reporter.as_ref().and_then(|reporter| work.world.certificates.get(reporter)).cloned()
}
