//! What leaves: one letter a recipient, and the last question before it goes. What stands in the
//! directory now counts, not what stood there when the dissemination was drafted.

use crate::decide::Desk;
use crate::decide::letters::text;
use crate::decide::work::Work;
use crate::mail::template::TemplateName;
use crate::model::contact::{Contact, ContactKind};
use crate::model::dissemination::{Dissemination, DisseminationState, Recipient, RecipientKind, RecipientState};
use crate::model::letter::{AutoSubmitted, Letter, LetterKind, Protection};
use crate::model::ticket::AtReporter;
use crate::model::{Address, Sha256, Tlp};
use std::collections::BTreeMap;

/// Recipients as the directory has them now.
pub(super) type Directory = BTreeMap<Address, Contact>;

/// Queues one letter a recipient, exactly as the manifest says. Who cannot be reached safely is held;
/// where a person can mend that, the letter waits in the outbox as held.
pub(super) fn release(mut dissemination: Dissemination, by: &str, directory: &Directory, work: &mut Work<'_>) -> Dissemination {
    dissemination.state = DisseminationState::Sending;
    dissemination.sent_at = Some(work.desk.now);
    dissemination.released = Some(dissemination.code());
    let mut recipients = dissemination.recipients.clone();
    for recipient in &mut recipients {
        let why = obstacle(recipient, dissemination.tlp, directory.get(&recipient.address), work.desk);
        recipient.at = work.desk.now;
        recipient.state = if why.is_some() { RecipientState::Held } else { RecipientState::Queued };
        recipient.because = why.clone().unwrap_or_default();
        if is_out_of_reach(recipient, dissemination.tlp) {
            continue;
        }
        let mut letter = letter_to(recipient, &dissemination, work);
        letter.held_because = why;
        recipient.message_id = Some(letter.message_id.clone());
        work.queue(letter, AtReporter::No);
    }
    dissemination.recipients = recipients;
    let held = dissemination.recipients.iter().filter(|recipient| recipient.state == RecipientState::Held).count();
    let queued = dissemination.recipients.len() - held;
    let counts = [("number", dissemination.number.0.clone()), ("queued", queued.to_string()), ("held", held.to_string())];
    let arguments: Vec<(&str, &str)> = counts.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let what = work.desk.say("dissemination.released", &arguments);
    work.set_dissemination(dissemination.clone(), by, what);
    dissemination
}

/// Without a certificate AMBER and above never leave, and no mail to an internal unit does: there is
/// nothing that could be sealed.
fn is_out_of_reach(recipient: &Recipient, mark: Tlp) -> bool {
    recipient.fingerprint.is_none() && (mark.must_be_encrypted() || recipient.kind == RecipientKind::InternalUnit)
}

/// What keeps the mail from this recipient as the configuration and the directory stand now, in
/// words for the analyst; `None` where nothing does.
pub(super) fn obstacle(recipient: &Recipient, mark: Tlp, contact: Option<&Contact>, desk: Desk<'_>) -> Option<String> {
    let label = mark.label();
    let arguments = [("address", recipient.address.as_str()), ("mark", label.as_str())];
    let because = |key: &str| Some(desk.say(key, &arguments));
    let pinned = match (recipient.kind, contact) {
        (RecipientKind::InternalUnit, _) => {
            let Some(unit) = desk.policy.internal_units.iter().find(|unit| unit.address == recipient.address) else {
                return because("held.no_unit");
            };
            if mark == Tlp::Red {
                return because("held.needs_person");
            }
            unit.fingerprint.as_ref()
        }
        (_, None) => return because("held.not_in_directory"),
        (_, Some(contact)) => {
            if !contact.is_verified(desk.now) {
                return because("held.not_verified");
            }
            if mark == Tlp::Red && contact.kind != ContactKind::Person {
                return because("held.needs_person");
            }
            contact.fingerprint.as_ref()
        }
    };
    if pinned != recipient.fingerprint.as_ref() {
        return because("held.other_certificate");
    }
    if is_out_of_reach(recipient, mark) {
        return because("held.no_certificate");
    }
    let contact = contact.filter(|contact| pinned.is_some() && contact.fingerprint.as_ref() == pinned)?;
    if contact.expires_at.is_some_and(|ends| ends <= desk.now) {
        return because("held.certificate_ended");
    }
    (!contact.unfit.is_empty())
        .then(|| desk.say("held.certificate_unfit", &[("address", recipient.address.as_str()), ("reason", &contact.unfit)]))
}

/// Whether a letter of a dissemination may still leave: it is what was agreed to, and nothing stands
/// in its way now (contract 9). `contact` is the recipient as the directory has it now. The reason
/// why not is for the analyst; other letters have none.
#[must_use]
pub fn why_held(letter: &Letter, dissemination: Option<&Dissemination>, contact: Option<&Contact>, desk: Desk<'_>) -> Option<String> {
    letter.dissemination.as_ref()?;
    let differs = || Some(desk.say("held.not_as_agreed", &[("address", letter.to.as_str())]));
    let Some(dissemination) = dissemination.filter(|one| one.released.as_ref() == Some(&one.code())) else { return differs() };
    let Some(recipient) = dissemination.recipients.iter().find(|recipient| recipient.address == letter.to) else { return differs() };
    let hashes = |enclosures: &[crate::model::letter::Enclosure]| enclosures.iter().map(|one| one.sha256.clone()).collect::<Vec<Sha256>>();
    let is_as_agreed = letter.protection == protection(recipient)
        && letter.tlp == Some(dissemination.tlp)
        && (letter.kind != LetterKind::Dissemination || hashes(&letter.enclosures) == hashes(&dissemination.enclosures));
    if !is_as_agreed {
        return differs();
    }
    obstacle(recipient, dissemination.tlp, contact, desk)
}

/// Sealed to the certificate of the manifest, else signed. Where the mark demands more, nothing is
/// queued at all.
fn protection(recipient: &Recipient) -> Protection {
    recipient.fingerprint.as_ref().map_or(Protection::Signed, |fingerprint| Protection::Sealed { recipient: fingerprint.clone() })
}

/// Nothing waits any more: what could be sent is sent.
pub fn note_progress(dissemination: &mut Dissemination) {
    let has = |state: RecipientState| dissemination.recipients.iter().any(|recipient| recipient.state == state);
    let left = dissemination.recipients.iter().any(|recipient| recipient.sent_at.is_some());
    if dissemination.state == DisseminationState::Sending && left && !has(RecipientState::Queued) {
        dissemination.state = DisseminationState::Sent;
    }
}

/// The mail to one recipient: label in the subject and directly before and after the text (TLP 2.0).
pub(super) fn letter_to(recipient: &Recipient, dissemination: &Dissemination, work: &mut Work<'_>) -> Letter {
    let label = dissemination.tlp.label();
    let mut fields = work.fields(Some(&dissemination.ticket));
    text(&mut fields, "label", &label);
    text(&mut fields, "dissemination", dissemination.number.to_string());
    text(&mut fields, "subject", &dissemination.subject);
    text(&mut fields, "text", &dissemination.text);
    // Above AMBER a token proves nothing: who is not told so would answer in vain.
    let ask = if dissemination.tlp >= Tlp::AmberStrict { "confirm.signed" } else { "confirm.any" };
    text(&mut fields, "ask", work.desk.templates.phrase(recipient.language, ask, &[("label", &label)]));
    let rendered = work.desk.templates.render(TemplateName::Dissemination, recipient.language, &fields);
    // One mail a recipient and dissemination, whatever is decided again (contract 9).
    let cause = format!("{}\0{}", dissemination.number, recipient.address);
    let kind = LetterKind::Dissemination;
    let message_id = work.desk.key.message_id(kind.word(), &cause, work.desk.policy.center_address.domain());
    let neutral = work.desk.say("outer.dissemination", &[]);
    Letter {
        kind,
        to: recipient.address.clone(),
        to_name: recipient.name.clone(),
        ticket: Some(dissemination.ticket.clone()),
        dissemination: Some(dissemination.number.clone()),
        in_reply_to: None,
        references: Vec::new(),
        subject: rendered.subject,
        outer_subject: format!("{} [{label}] {neutral}", dissemination.ticket.tag()),
        text: rendered.text,
        html: rendered.html,
        enclosures: dissemination.enclosures.clone(),
        // A person wrote and approved it (RFC 3834 §5).
        auto_submitted: AutoSubmitted::No,
        protection: protection(recipient),
        tlp: Some(dissemination.tlp),
        language: recipient.language,
        token: work.token(&message_id),
        message_id,
        encloses_certificate: false,
        held_because: None,
        not_before: None,
    }
}
