//! How far a sender can be believed to be who From says, in words for analysts, and what a mail that
//! is not believed may still move. Nothing here lets anybody act: commands have their own proof.

use super::Arrived;
use super::letters::lines::Part;
use super::work::Work;
use crate::mail::results::Dmarc;
use crate::model::Sha256;
use crate::model::snapshot::SeenPlaintext;
use crate::model::ticket::Ticket;
use crate::openpgp::open::Refusal;

/// One line about the sender: signature, what our mail server found, the part taken in the ticket.
#[must_use]
pub fn words(arrived: &Arrived<'_>, ticket: Option<&Ticket>, work: &Work<'_>) -> String {
    let mut words = vec![signature(arrived, work)];
    let dmarc = match arrived.recognised.dmarc {
        Dmarc::Pass => Some("trust.dmarc_pass"),
        Dmarc::Fail => Some("trust.dmarc_fail"),
        Dmarc::None => Some("trust.dmarc_none"),
        Dmarc::Unchecked => None,
    };
    words.extend(dmarc.map(|key| work.desk.say(key, &[])));
    match ticket.map(|ticket| part(arrived, ticket, work)) {
        Some(Part::Copied) => words.push(work.desk.say("trust.not_reporter", &[])),
        Some(Part::OfMerged(number)) => words.push(work.desk.say("trust.reporter_of_merged", &[("number", &number.0)])),
        Some(Part::Reporter) | None => {}
    }
    words.join("; ")
}

fn signature(arrived: &Arrived<'_>, work: &Work<'_>) -> String {
    let findings = &arrived.opened.findings;
    let refused = |refusal| arrived.opened.refusals.contains(&refusal);
    let key = match (&findings.signer, findings.is_valid) {
        (None, _) => return work.desk.say("trust.none", &[]),
        (Some(_), Some(true)) if is_signed_by_pinned(arrived, work) => "trust.signed_pinned",
        (Some(_), Some(true)) => "trust.signed",
        (Some(_), _) if findings.carried_signer.is_some() => "trust.signed_carried",
        (Some(_), _) if refused(Refusal::BadSignature) => "trust.bad_signature",
        (Some(_), _) if refused(Refusal::UnfitKey) => "trust.unfit_key",
        (Some(_), _) if refused(Refusal::UnknownSigner) => "trust.unknown_signer",
        (Some(_), _) => "trust.not_proved",
    };
    let signer = findings.carried_signer.as_ref().filter(|_| key == "trust.signed_carried").or(findings.signer.as_ref());
    work.desk.say(key, &[("signer", signer.map_or("", |signer| signer.0.as_str()))])
}

/// Neither a signature nor our mail server says anything of the sender.
pub const UNCHECKED: &str = "unchecked";

/// How far the sender is believed, in one word: one notice of a flood goes out for each.
#[must_use]
pub fn level(arrived: &Arrived<'_>) -> &'static str {
    match (arrived.opened.findings.is_valid, arrived.recognised.dmarc) {
        (_, Dmarc::Fail) => "fail",
        _ if from_differs(arrived) => "fail",
        (Some(true), _) => "signed",
        (_, Dmarc::Pass) => "pass",
        (_, Dmarc::None) => "none",
        (_, Dmarc::Unchecked) => UNCHECKED,
    }
}

/// Signed with the certificate that is pinned to the sender's address.
#[must_use]
pub fn is_signed_by_pinned(arrived: &Arrived<'_>, work: &Work<'_>) -> bool {
    let findings = &arrived.opened.findings;
    let pinned = work.world.contact.as_ref().and_then(|contact| contact.fingerprint.as_ref());
    findings.is_valid == Some(true) && pinned.is_some() && pinned == findings.signer.as_ref()
}

/// The mail comes from the reporter's address.
#[must_use]
pub fn is_reporter(arrived: &Arrived<'_>, ticket: &Ticket) -> bool {
    ticket.reporter.is_some() && ticket.reporter.as_ref() == arrived.from()
}

/// Which part the sender takes in the ticket. The reporter of a ticket that was merged into it is a reporter of
/// the matter too, known by the number that the mail answers.
#[must_use]
pub fn part(arrived: &Arrived<'_>, ticket: &Ticket, work: &Work<'_>) -> Part {
    if is_reporter(arrived, ticket) {
        return Part::Reporter;
    }
    let named = work.world.tickets.values().filter(|other| other.number != ticket.number && is_reporter(arrived, other));
    let mut merged = named.filter(|other| other.merged_into.is_some() && work.survivor(&other.number) == ticket.number);
    merged.next_back().map_or(Part::Copied, |other| Part::OfMerged(other.number.clone()))
}

/// Our mail server, or what is protected, says that From is not true. Such a mail is shown and kept,
/// and moves nothing.
#[must_use]
pub fn is_doubtful(arrived: &Arrived<'_>) -> bool {
    arrived.recognised.dmarc == Dmarc::Fail || from_differs(arrived)
}

/// The From inside the protection is another than the one outside (ATTACKS P26).
#[must_use]
pub fn from_differs(arrived: &Arrived<'_>) -> bool {
    arrived.opened.refusals.contains(&Refusal::FromDiffers)
}

/// What came out of the encryption of this mail, as a whole or as files, each by its hash.
pub fn plaintexts<'o>(arrived: &'o Arrived<'_>) -> impl Iterator<Item = &'o Sha256> {
    arrived.opened.plaintext_sha256.iter().chain(arrived.opened.opened_files.iter().map(|file| &file.sha256))
}

/// The same text came out of an earlier mail of another sender: whoever sends it again may have
/// captured it, and must learn nothing of what it holds (ATTACKS P19, P20).
#[must_use]
pub fn replayed<'w>(arrived: &Arrived<'_>, work: &Work<'w>) -> Option<&'w SeenPlaintext> {
    arrived.opened.plaintext_sha256.as_ref().and_then(|hash| seen_elsewhere(hash, arrived, work))
}

/// As [`replayed`], for files that were encrypted by themselves.
#[must_use]
pub fn replayed_file<'w>(arrived: &Arrived<'_>, work: &Work<'w>) -> Option<&'w SeenPlaintext> {
    arrived.opened.opened_files.iter().find_map(|file| seen_elsewhere(&file.sha256, arrived, work))
}

fn seen_elsewhere<'w>(hash: &Sha256, arrived: &Arrived<'_>, work: &Work<'w>) -> Option<&'w SeenPlaintext> {
    let from = arrived.from().map(crate::model::Address::as_counted);
    work.world.seen_plaintexts.get(hash).filter(|seen| seen.from.is_none() || seen.from != from)
}

/// The analysts' warning about a text that came before from somebody else.
#[must_use]
pub fn replay_warning(seen: &SeenPlaintext, work: &Work<'_>) -> String {
    let from = seen.from.as_ref().map_or("-", |from| from.as_str());
    let ticket = seen.ticket.as_ref().map_or("-", |ticket| ticket.0.as_str());
    work.desk.say("notice.replayed", &[("mail", &seen.mail.to_string()), ("from", from), ("ticket", ticket)])
}
