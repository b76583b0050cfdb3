//! Whose signed words a mail is (contract 5): the one signature that counts, why there is none, and
//! which others stood beside it.

use super::Job;
use crate::decide::Arrived;
use crate::decide::work::{DAEMON, Work};
use crate::model::Fingerprint;
use crate::model::policy::Person;
use crate::model::ticket::TicketEvent;
use crate::openpgp::open::{Refusal, SignedText};

/// The signed text, if it is this person's, fresh and not seen before; else why not.
pub(super) fn signed_by(arrived: &Arrived<'_>, person: &Person, work: &Work<'_>) -> Result<SignedText, Vec<String>> {
    let desk = work.desk;
    let Some(signed) = &arrived.opened.signed_text else {
        let mut reasons: Vec<String> = arrived.opened.refusals.iter().map(|refusal| desk.say(refusal_key(*refusal), &[])).collect();
        if reasons.is_empty() {
            reasons.push(desk.say("refused.unsigned", &[]));
        }
        return Err(reasons);
    };
    let Some(signed) = signed.by(&person.fingerprint) else {
        let signers = signed.signers().iter().map(|signer| owner(signer, work)).collect::<Vec<_>>().join(", ");
        return Err(vec![desk.say("refused.other_signer", &[("signer", &signers), ("expected", &person.fingerprint.0)])]);
    };
    if let Some((mail, at)) = work.world.seen_signatures.get(signed.key()) {
        return Err(vec![desk.say("refused.seen_before", &[("mail", &mail.to_string()), ("at", &desk.local(*at))])]);
    }
    Ok(signed)
}

const fn refusal_key(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Unsigned => "refused.unsigned",
        Refusal::NotAllSigned => "refused.not_all_signed",
        Refusal::Inline => "refused.inline",
        Refusal::Ambiguous => "refused.ambiguous",
        Refusal::BadSignature => "refused.bad_signature",
        Refusal::UnknownSigner => "refused.unknown_signer",
        Refusal::UnfitKey => "refused.unfit_key",
        Refusal::NotFresh => "refused.not_fresh",
        Refusal::FromDiffers => "refused.from_differs",
        Refusal::NotDecrypted => "refused.not_decrypted",
        Refusal::HtmlOnly => "refused.html_only",
    }
}

/// Whose key it is tells apart a mixed-up key ring and a forgery.
fn owner(signer: &Fingerprint, work: &Work<'_>) -> String {
    match work.desk.policy.people.iter().find(|other| other.fingerprint == *signer) {
        Some(owner) => format!("{signer} ({})", owner.name),
        None => signer.to_string(),
    }
}

/// Other signatures over the same words neither help nor hinder, and are named: in the receipt and in
/// the ticket's timeline (ATTACKS P12).
pub(super) fn name_others(job: &mut Job<'_>, work: &mut Work<'_>) {
    let opened = &job.arrived.opened;
    let good = opened.signed_text.iter().flat_map(SignedText::signers).filter(|signer| **signer != job.person.fingerprint);
    let mut lines: Vec<String> = good.map(|signer| work.desk.say("receipt.also_signed", &[("signer", &owner(signer, work))])).collect();
    let ignored = job.arrived.damage.iter().filter(|damage| damage.code == "signature-ignored");
    lines.extend(ignored.map(|damage| work.desk.say("receipt.ignored_signature", &[("detail", &damage.detail)])));
    let number = job.target.clone().filter(|number| work.ticket(number).is_some());
    for line in lines {
        if let Some(number) = &number {
            work.event(number, DAEMON, TicketEvent::Noted { text: line.clone() }, line.clone());
        }
        job.next.push(line);
    }
}
