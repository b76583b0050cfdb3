//! What leaves: one letter a recipient, and the last question before it goes. What stands in the
//! directory now counts, not what stood there when the dissemination was drafted.

use super::progress::{reached_nobody, ways_of, ways_out, ways_words};
use crate::decide::Desk;
use crate::decide::letters::text;
use crate::decide::readable;
use crate::decide::unsealed;
use crate::decide::work::Work;
use crate::mail::template::TemplateName;
use crate::model::contact::{Contact, ContactKind};
use crate::model::dissemination::{Dissemination, DisseminationNumber, DisseminationState, Recipient, RecipientKind, RecipientState};
use crate::model::letter::{AutoSubmitted, Enclosure, Letter, LetterKind, Protection, Words};
use crate::model::snapshot::Ground;
use crate::model::ticket::AtReporter;
use crate::model::unfit::Unfit;
use crate::model::{Address, Sha256, Tlp};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Recipients as the directory has them now.
pub(super) type Directory = BTreeMap<Address, Contact>;

/// Queues one letter a recipient, exactly as the manifest says. Who cannot be reached safely is held;
/// where a person can mend that, the letter waits in the outbox as held. Where nobody can be reached, the sending is
/// over before it began. Gives the words for whoever hears of it now: how what is held can still leave.
pub(super) fn release(
    mut dissemination: Dissemination,
    by: &str,
    directory: &Directory,
    work: &mut Work<'_>,
) -> (Dissemination, Vec<String>) {
    dissemination.state = DisseminationState::Sending;
    dissemination.sent_at = Some(work.desk.now);
    dissemination.released = Some(dissemination.code());
    weigh(&mut dissemination, directory, work.desk);
    let mut recipients = dissemination.recipients.clone();
    for recipient in &mut recipients {
        recipient.at = work.desk.now;
        if is_out_of_reach(recipient, dissemination.tlp) {
            continue;
        }
        let mut letter = without_words(letter_to(recipient, &dissemination, Occasion::Dissemination, work.desk));
        letter.held_because = (recipient.state == RecipientState::Held).then(|| recipient.because.clone());
        recipient.message_id = Some(letter.message_id.clone());
        work.queue(letter, AtReporter::No);
    }
    dissemination.recipients = recipients;
    let held = dissemination.recipients.iter().filter(|recipient| recipient.state == RecipientState::Held).count();
    let queued = dissemination.recipients.len() - held;
    if queued == 0 {
        dissemination.state = DisseminationState::Sent;
    }
    let counts = [("number", dissemination.number.0.clone()), ("queued", queued.to_string()), ("held", held.to_string())];
    let arguments: Vec<(&str, &str)> = counts.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let what = work.desk.say("dissemination.released", &arguments);
    work.set_dissemination(dissemination.clone(), by, what);
    let ways = ways_of(&dissemination.recipients);
    if queued > 0 {
        let told = ways_words(&ways, work);
        return (dissemination, told);
    }
    let mut told = vec![reached_nobody(&dissemination.number, &dissemination.ticket, work)];
    told.extend(ways_out(&ways, work));
    (dissemination, told)
}

/// Whom it reaches is told as things stand now: a certificate may have been mended since the draft, another one
/// pinned, or it may have ended.
pub(super) fn weigh(dissemination: &mut Dissemination, directory: &Directory, desk: Desk<'_>) {
    for recipient in &mut dissemination.recipients {
        let why = obstacle(recipient, dissemination.tlp, directory.get(&recipient.address), desk);
        recipient.state = if why.is_some() { RecipientState::Held } else { RecipientState::Queued };
        recipient.because = why.unwrap_or_default();
    }
}

/// Without a certificate AMBER and above never leave, and no mail to an internal unit does: there is
/// nothing that could be sealed.
pub(super) fn is_out_of_reach(recipient: &Recipient, mark: Tlp) -> bool {
    recipient.fingerprint.is_none() && (mark.must_be_encrypted() || recipient.kind == RecipientKind::InternalUnit)
}

/// What keeps the mail from this recipient as the configuration and the directory stand now, in
/// words for the analyst; `None` where nothing does.
pub(super) fn obstacle(recipient: &Recipient, mark: Tlp, contact: Option<&Contact>, desk: Desk<'_>) -> Option<String> {
    let label = mark.label();
    let arguments = [("address", recipient.address.as_str()), ("mark", label.as_str())];
    let because = |key: &str| Some(desk.say(key, &arguments));
    let (pinned, ends, problems) = match (recipient.kind, contact) {
        (RecipientKind::InternalUnit, _) => {
            let Some(unit) = desk.policy.internal_units.iter().find(|unit| unit.address == recipient.address) else {
                return because("held.no_unit");
            };
            if mark == Tlp::Red {
                return because("held.needs_person");
            }
            (unit.fingerprint.as_ref(), unit.ends, unit.unfit.clone())
        }
        (_, None) => return because("held.not_in_directory"),
        (_, Some(contact)) => {
            if !contact.is_verified(desk.now) {
                return because("held.not_verified");
            }
            if mark == Tlp::Red && contact.kind != ContactKind::Person {
                return because("held.needs_person");
            }
            (contact.fingerprint.as_ref(), contact.expires_at, Unfit::read_all(&contact.unfit))
        }
    };
    if pinned != recipient.fingerprint.as_ref() {
        return because("held.other_certificate");
    }
    if is_out_of_reach(recipient, mark) {
        return because("held.no_certificate");
    }
    pinned?;
    if ends.is_some_and(|ends| ends <= desk.now) {
        return because("held.certificate_ended");
    }
    let reason = || unsealed::unfit(&problems, desk);
    (!problems.is_empty()).then(|| desk.say("held.certificate_unfit", &[("address", recipient.address.as_str()), ("reason", &reason())]))
}

/// A dissemination that was released and is still, to the last recipient, what was agreed to.
#[derive(Debug, Clone)]
pub struct Agreed(Dissemination);

impl Agreed {
    /// Compares the manifest with the code that was agreed to, and with what the audit log took down then (`manifest`,
    /// its SHA-256): code and words stand in one row. `None` where it is another.
    #[must_use]
    pub fn new(dissemination: Dissemination, manifest: &Sha256) -> Option<Self> {
        let is_coded = dissemination.released.as_ref() == Some(&dissemination.code());
        (is_coded && Sha256::of(dissemination.manifest().as_bytes()) == *manifest).then_some(Self(dissemination))
    }

    /// Which one it is.
    #[must_use]
    pub const fn number(&self) -> &DisseminationNumber {
        &self.0.number
    }
}

/// The letter as it leaves. One of a dissemination is made anew of what was agreed to, whatever stands
/// in its row; it leaves only where its row asks for exactly that, and nothing stands in its way now
/// (contract 9). Any other letter leaves as it was decided, unless the mark of its ticket has risen above what
/// it may be read under.
///
/// # Errors
/// Why it is held, in words for the analyst.
pub fn leaving<'q>(queued: &'q Letter, ground: &Ground, agreed: Option<&Agreed>, desk: Desk<'_>) -> Result<Cow<'q, Letter>, String> {
    if queued.dissemination.is_none() && !matches!(queued.kind, LetterKind::Dissemination) {
        return readable::obstacle(queued, ground, desk).map_or(Ok(Cow::Borrowed(queued)), Err);
    }
    let differs = || desk.say("held.not_as_agreed", &[("address", queued.to.as_str())]);
    let dissemination = &agreed.filter(|one| Some(one.number()) == queued.dissemination.as_ref()).ok_or_else(differs)?.0;
    let recipient = dissemination.recipients.iter().find(|recipient| recipient.address == queued.to).ok_or_else(differs)?;
    let occasion = if queued.kind == LetterKind::Reminder { Occasion::Reminder(&queued.message_id) } else { Occasion::Dissemination };
    let mut letter = letter_to(recipient, dissemination, occasion, desk);
    // What an enclosure holds was compared with its hash when it was read.
    let named = |enclosures: &[Enclosure]| -> Vec<(String, String, Sha256)> {
        enclosures.iter().map(|one| (one.name.clone(), one.media_type.clone(), one.sha256.clone())).collect()
    };
    let is_as_agreed = (letter.kind, letter.tlp, &letter.protection) == (queued.kind, queued.tlp, &queued.protection)
        && letter.message_id == queued.message_id
        && named(&letter.enclosures) == named(&queued.enclosures)
        && (queued.text.is_empty() || queued.text == letter.text)
        && (queued.html.is_none() || queued.html == letter.html);
    if !is_as_agreed {
        return Err(differs());
    }
    let has_it = matches!(ground.recipient, Some(RecipientState::Sent | RecipientState::Confirmed | RecipientState::Handled));
    if has_it && queued.kind == LetterKind::Dissemination {
        return Err(desk.say("held.has_it", &[("address", queued.to.as_str())]));
    }
    if let Some(why) = obstacle(recipient, dissemination.tlp, ground.contact.as_ref(), desk) {
        return Err(why);
    }
    // A reminder holds nothing of the matter, and who gets it has the mail already.
    let received = ground.mark.as_ref().map(|(_, received)| *received).filter(|_| queued.kind == LetterKind::Dissemination);
    if let Some(received) = received.filter(|received| dissemination.is_exceeded_by(Some(*received))) {
        return Err(risen(&dissemination.number, received, desk));
    }
    letter.enclosures.clone_from(&queued.enclosures);
    letter.token.clone_from(&queued.token);
    Ok(Cow::Owned(letter))
}

/// Why what was agreed to before its ticket received a higher mark does not leave (ATTACKS C13).
#[must_use]
pub fn risen(number: &DisseminationNumber, received: Tlp, desk: Desk<'_>) -> String {
    desk.say("held.risen", &[("number", &number.0), ("mark", &received.label())])
}

/// Sealed to the certificate of the manifest, else signed. Where the mark demands more, nothing is
/// queued at all.
fn protection(recipient: &Recipient) -> Protection {
    recipient.fingerprint.as_ref().map_or(Protection::Signed, |fingerprint| Protection::Sealed { recipient: fingerprint.clone() })
}

/// Why a recipient is written to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Occasion<'a> {
    Dissemination,
    /// No confirmation came. Its Message-ID is that of the look at the clock.
    Reminder(&'a str),
}

/// The letter to one recipient: label in the subject and directly before and after the text (TLP 2.0). A
/// reminder carries the number and the label, nothing of the matter; still it goes as the mail that it
/// reminds of went, for the outer subject of one sealed mail is as neutral as the other's.
pub(super) fn letter_to(recipient: &Recipient, dissemination: &Dissemination, occasion: Occasion<'_>, desk: Desk<'_>) -> Letter {
    let label = dissemination.tlp.label();
    let mut fields = desk.fields(Some(&dissemination.ticket));
    text(&mut fields, "label", &label);
    text(&mut fields, "dissemination", dissemination.number.to_string());
    let (kind, template, message_id, above) = match occasion {
        Occasion::Dissemination => {
            text(&mut fields, "subject", &dissemination.subject);
            text(&mut fields, "text", &dissemination.text);
            // Above AMBER a token proves nothing: who is not told so would answer in vain.
            let ask = if dissemination.tlp >= Tlp::AmberStrict { "confirm.signed" } else { "confirm.any" };
            text(&mut fields, "ask", desk.templates.phrase(recipient.language, ask, &[("label", &label)]));
            // One mail a recipient and dissemination, whatever is decided again (contract 9).
            let cause = format!("{}\0{}", dissemination.number, recipient.address);
            let kind = LetterKind::Dissemination;
            let message_id = desk.key.message_id(kind.word(), &cause, desk.policy.center_address.domain());
            (kind, TemplateName::Dissemination, message_id, None)
        }
        Occasion::Reminder(message_id) => {
            text(&mut fields, "sent_at", recipient.sent_at.map_or_else(String::new, |at| desk.local(at)));
            (LetterKind::Reminder, TemplateName::DisseminationReminder, message_id.to_owned(), recipient.message_id.clone())
        }
    };
    let is_reminder = kind == LetterKind::Reminder;
    let rendered = desk.templates.render(template, recipient.language, &fields);
    Letter {
        kind,
        to: recipient.address.clone(),
        to_name: recipient.name.clone(),
        ticket: Some(dissemination.ticket.clone()),
        dissemination: Some(dissemination.number.clone()),
        in_reply_to: above.clone(),
        references: above.into_iter().collect(),
        subject: rendered.subject,
        outer_subject: format!("{} [{label}] {}", dissemination.ticket.tag(), desk.say("outer.dissemination", &[])),
        text: rendered.text,
        html: rendered.html,
        enclosures: if is_reminder { Vec::new() } else { dissemination.enclosures.clone() },
        // A person wrote and approved the dissemination (RFC 3834 §5).
        auto_submitted: if is_reminder { AutoSubmitted::Generated } else { AutoSubmitted::No },
        protection: protection(recipient),
        tlp: Some(dissemination.tlp),
        words: Words::Written,
        language: recipient.language,
        token: desk.token(&message_id),
        message_id,
        encloses_certificate: false,
        held_because: None,
        not_before: None,
    }
}

/// The letter as its row holds it: without the words, which are those of the dissemination and stand
/// there once for its thousands of recipients.
fn without_words(mut letter: Letter) -> Letter {
    letter.text.clear();
    letter.html = None;
    letter
}

/// Queues a reminder.
pub fn reminder(recipient: &Recipient, dissemination: &Dissemination, work: &mut Work<'_>) {
    let message_id = work.next_message_id(LetterKind::Reminder.word());
    let letter = letter_to(recipient, dissemination, Occasion::Reminder(&message_id), work.desk);
    work.queue(without_words(letter), AtReporter::No);
}
