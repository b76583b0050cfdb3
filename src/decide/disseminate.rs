//! Disseminations (contract 9): draft, agreement, release, confirmation. What is not proved to be
//! allowed does not leave, and a person is told why.

use super::act::{Job, local};
use super::command::names_center;
use super::letters::{list, text};
use super::report::{self, note_message, one_line};
use super::work::Work;
use super::{Arrived, Desk, reply, retry};
use crate::mail::template::TemplateName;
use crate::model::contact::{Contact, ContactKind};
use crate::model::dissemination::{
    Approval, Dissemination, DisseminationNumber, DisseminationState, Recipient, RecipientKind, RecipientState,
};
use crate::model::effect::{Decision, Effect};
use crate::model::letter::{AutoSubmitted, Letter, LetterKind, LetterState, Protection};
use crate::model::policy::Person;
use crate::model::snapshot::OurLetter;
use crate::model::ticket::{AtReporter, Service, State, Ticket, TicketEvent, TicketNumber};
use crate::model::{Address, Tlp};
use crate::openpgp::open::SignedText;
use std::collections::BTreeSet;

/// Certificates that end within this many days are named to who approves (contract 9).
const EXPIRES_SOON_DAYS: i64 = 60;

/// `!diseminasi`: the text and attachments of the mail become a dissemination.
pub fn draft(targets: &[String], job: &mut Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let desk = work.desk;
    let words = job.speech(work)?;
    let mut wrong = Vec::new();
    let target = job.target.as_ref().and_then(|number| work.ticket(number)).cloned();
    if !job.rivals.is_empty() {
        let numbers = job.rivals.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        wrong.push(desk.say("refused.two_numbers", &[("numbers", &numbers)]));
    }
    if let (Some(number), None) = (&job.target, &target) {
        wrong.push(desk.say("refused.no_such_ticket", &[("number", &number.0)]));
    }
    if target.is_none() && !names_center(job.signed, desk.policy) {
        wrong.push(desk.say("refused.names_no_center", &[("address", desk.policy.center_address.as_str())]));
    }
    let mark = job.mark.or_else(|| target.as_ref().and_then(|ticket| ticket.tlp));
    let Some(mark) = mark else {
        wrong.push(desk.say("refused.no_mark", &[]));
        return Err(wrong.join("; "));
    };
    let contacts = resolve(targets, mark, work, &mut wrong);
    if !wrong.is_empty() {
        return Err(wrong.join("; "));
    }
    let ticket = match &target {
        Some(ticket) => ticket.number.clone(),
        None => open_ticket(&subject_of(job), mark, job, work),
    };
    job.target = Some(ticket.clone());
    let received = target.as_ref().and_then(|ticket| ticket.received_tlp);
    let mut dissemination = Dissemination {
        number: work.world.next_dissemination.clone(),
        ticket,
        author: job.person.address.clone(),
        state: DisseminationState::AwaitingApproval,
        tlp: mark,
        lowered: received.is_some_and(|received| mark < received),
        subject: subject_of(job),
        text: words,
        enclosures: std::mem::take(&mut job.enclosures),
        recipients: recipients(&contacts, mark, work),
        approvals: Vec::new(),
        created_at: desk.now,
        sent_at: None,
        told: BTreeSet::new(),
    };
    if job.person.can_approve {
        dissemination.approvals.push(Approval { by: job.person.address.clone(), at: desk.now });
    }
    preview(&dissemination, &contacts, job, work);
    let number = dissemination.number.to_string();
    if is_agreed(&dissemination, work) {
        let what = desk.say("dissemination.drafted", &[("number", &number), ("mark", &mark.label())]);
        work.set_dissemination(dissemination.clone(), job.person.address.as_str(), what);
        let held = held_words(&dissemination, work);
        release(dissemination, job.person.address.as_str(), work);
        return Ok(format!("{}{held}", desk.say("done.dissemination_sending", &[("number", &number)])));
    }
    let what = desk.say("dissemination.awaits", &[("number", &number), ("mark", &mark.label())]);
    let held = held_words(&dissemination, work);
    request_approval(&dissemination, &contacts, job, work);
    work.set_dissemination(dissemination, job.person.address.as_str(), what);
    Ok(format!("{}{held}", desk.say("done.dissemination_awaits", &[("number", &number)])))
}

/// Who cannot be reached as the mark demands, in words for the receipt; empty where everybody can.
fn held_words(dissemination: &Dissemination, work: &Work<'_>) -> String {
    let held = dissemination.recipients.iter().filter(|recipient| must_be_held(recipient, dissemination.tlp));
    let lines = held.map(|recipient| {
        format!("; {}", work.desk.say("held.recipient", &[("address", recipient.address.as_str()), ("because", &recipient.because)]))
    });
    lines.collect()
}

/// The true subject: the protected Subject without its tag, else a neutral one.
fn subject_of(job: &Job<'_>) -> String {
    let subject = job.signed.protected_subject().unwrap_or_default();
    let mut subject = one_line(subject);
    while let (Some(open), Some(close)) = (subject.find('['), subject.find(']')) {
        if open >= close {
            break;
        }
        subject = one_line(&format!("{} {}", subject.get(..open).unwrap_or_default(), subject.get(close + 1..).unwrap_or_default()));
    }
    loop {
        let lower = subject.to_lowercase();
        let Some(prefix) = ["re:", "fwd:", "fw:", "bls:", "trs:"].into_iter().find(|prefix| lower.starts_with(prefix)) else { break };
        subject = subject.get(prefix.len()..).unwrap_or_default().trim().to_owned();
    }
    subject
}

/// The contacts that the targets name; each target that does not fit is a line in `wrong`.
fn resolve(targets: &[String], mark: Tlp, work: &Work<'_>, wrong: &mut Vec<String>) -> Vec<Contact> {
    let desk = work.desk;
    let mut contacts: Vec<Contact> = Vec::new();
    for target in targets {
        let is_collective = target.to_lowercase().starts_with("sector:") || target.to_lowercase().starts_with("group:");
        if mark == Tlp::Red && is_collective {
            wrong.push(desk.say("refused.red_needs_persons", &[("target", target)]));
            continue;
        }
        let found = work.world.targets.get(target).map(Vec::as_slice).unwrap_or_default();
        if !is_collective && found.len() > 1 {
            wrong.push(desk.say("refused.ambiguous_target", &[("target", target)]));
            continue;
        }
        let verified: Vec<&Contact> = found.iter().filter(|contact| contact.is_verified(desk.now)).collect();
        if found.is_empty() {
            wrong.push(desk.say("refused.no_such_target", &[("target", target)]));
        } else if verified.is_empty() || (!is_collective && verified.len() < found.len()) {
            wrong.push(desk.say("refused.not_verified", &[("target", target)]));
        }
        for contact in verified {
            if mark == Tlp::Red && contact.kind != ContactKind::Person {
                wrong.push(desk.say("refused.red_needs_persons", &[("target", target)]));
            } else if !contacts.iter().any(|other| other.address == contact.address) {
                contacts.push(contact.clone());
            }
        }
    }
    contacts
}

/// The recipients of the manifest: the contacts, and the internal units up to AMBER+STRICT.
fn recipients(contacts: &[Contact], mark: Tlp, work: &Work<'_>) -> Vec<Recipient> {
    let (policy, now) = (work.desk.policy, work.desk.now);
    let of_contact = contacts.iter().map(|contact| Recipient {
        address: contact.address.clone(),
        name: contact.name.clone(),
        kind: if contact.kind == ContactKind::Person { RecipientKind::Person } else { RecipientKind::Role },
        language: contact.language.of_answer(),
        fingerprint: contact.fingerprint.clone(),
        state: RecipientState::Queued,
        at: now,
        because: String::new(),
        message_id: None,
        sent_at: None,
        reminders: 0,
    });
    let of_unit =
        policy.internal_units.iter().filter(|unit| mark < Tlp::Red && !contacts.iter().any(|contact| contact.address == unit.address)).map(
            |unit| Recipient {
                address: unit.address.clone(),
                name: unit.name.clone(),
                kind: RecipientKind::InternalUnit,
                language: policy.language,
                fingerprint: unit.fingerprint.clone(),
                state: RecipientState::Queued,
                at: now,
                because: String::new(),
                message_id: None,
                sent_at: None,
                reminders: 0,
            },
        );
    let mut recipients: Vec<Recipient> = of_contact.chain(of_unit).collect();
    for recipient in &mut recipients {
        if must_be_held(recipient, mark) {
            recipient.state = RecipientState::Held;
            recipient.because = work.desk.say("held.no_certificate", &[("mark", &mark.label())]);
        }
    }
    recipients
}

/// AMBER and above never leave unencrypted; an internal unit without certificate is held in any case.
fn must_be_held(recipient: &Recipient, mark: Tlp) -> bool {
    recipient.fingerprint.is_none() && (mark.must_be_encrypted() || recipient.kind == RecipientKind::InternalUnit)
}

/// A dissemination without a report opens a ticket of its own service: in handling, with no
/// reporter, clocks or survey (contract 5).
fn open_ticket(subject: &str, mark: Tlp, job: &Job<'_>, work: &mut Work<'_>) -> TicketNumber {
    let number = work.world.next_ticket.clone();
    let mut ticket: Ticket = report::blank(&number, work);
    ticket.service = Service::Dissemination;
    ticket.state = State::Handling;
    ticket.former_state = State::Handling;
    ticket.subject = subject.to_owned();
    ticket.tlp = Some(mark);
    ticket.assignee = Some(job.person.address.clone());
    let by = job.person.address.as_str();
    work.event(&number, by, TicketEvent::Opened(Box::new(ticket)), subject);
    number
}

/// The receipt's preview: the manifest, each recipient with protection, and the mail as one of them sees it.
fn preview(dissemination: &Dissemination, contacts: &[Contact], job: &mut Job<'_>, work: &mut Work<'_>) {
    job.next.push(format!("{}\n{}", dissemination.number, dissemination.manifest()));
    job.next.extend(recipient_lines(dissemination, work));
    job.next.extend(expiring(contacts, work));
    if let Some(recipient) = dissemination.recipients.iter().find(|recipient| recipient.state != RecipientState::Held) {
        let letter = letter_to(recipient, dissemination, work);
        job.sent.push(format!("To: {}\nSubject: {}\n\n{}", letter.to, letter.subject, letter.text));
    }
}

/// Certificates that end soon or have ended, a line each.
fn expiring(contacts: &[Contact], work: &Work<'_>) -> Vec<String> {
    let soon = work.desk.now.as_second() + EXPIRES_SOON_DAYS * 86_400;
    contacts
        .iter()
        .filter_map(|contact| {
            let ends = contact.expires_at.filter(|ends| ends.as_second() < soon)?;
            Some(work.desk.say("dissemination.expires", &[("address", contact.address.as_str()), ("at", &local(ends, work))]))
        })
        .collect()
}

/// Whether enough people agree: the number for the mark, and a second person where the mark is lowered.
fn is_agreed(dissemination: &Dissemination, work: &Work<'_>) -> bool {
    let needed = work.desk.policy.approvals_for(dissemination.tlp).max(if dissemination.lowered { 2 } else { 1 });
    // Counted by person of today's configuration (ATTACKS C13, C16).
    let people: BTreeSet<&Address> = dissemination
        .approvals
        .iter()
        .filter(|approval| work.desk.policy.person(&approval.by).is_some_and(|person| person.can_approve))
        .map(|approval| &approval.by)
        .collect();
    let a_second = people.iter().any(|by| **by != dissemination.author);
    people.len() as u32 >= needed && (!dissemination.lowered || a_second)
}

/// Everyone else who can approve gets the manifest, encrypted, with the line to send back.
fn request_approval(dissemination: &Dissemination, contacts: &[Contact], job: &Job<'_>, work: &mut Work<'_>) {
    let mut fields = work.fields(Some(&dissemination.ticket));
    let code = dissemination.code();
    text(&mut fields, "dissemination", dissemination.number.to_string());
    let lowered = if dissemination.lowered { work.desk.say("dissemination.lowered", &[]) } else { String::new() };
    text(&mut fields, "mark", format!("{} {lowered}", dissemination.tlp.label()).trim());
    text(&mut fields, "author", job.person.address.as_str());
    text(&mut fields, "subject", &dissemination.subject);
    text(&mut fields, "text", &dissemination.text);
    let (held, reached): (Vec<&Recipient>, Vec<&Recipient>) =
        dissemination.recipients.iter().partition(|recipient| recipient.state == RecipientState::Held);
    list(&mut fields, "recipients", reached.iter().map(|recipient| recipient_line(recipient, dissemination.tlp)));
    list(&mut fields, "held", held.iter().map(|recipient| recipient_line(recipient, dissemination.tlp)));
    list(&mut fields, "expiring", expiring(contacts, work));
    text(&mut fields, "manifest", dissemination.manifest());
    text(&mut fields, "code", &code);
    list(&mut fields, "commands", [format!("!setuju {} {code}", dissemination.number)]);
    let people: Vec<&Person> =
        work.desk.policy.people.iter().filter(|person| person.can_approve && person.address != job.person.address).collect();
    for person in people {
        let mut letter = work.to_person(person, Some(&dissemination.ticket), LetterKind::Notice, TemplateName::NoticeApproval, &fields);
        letter.enclosures.clone_from(&dissemination.enclosures);
        work.queue(letter, AtReporter::No);
    }
}

/// `!setuju DIS CODE`: agreement to exactly the manifest whose code it is.
pub fn approve(number: &DisseminationNumber, code: &str, job: &mut Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let desk = work.desk;
    let mut dissemination = known(number, work)?;
    if dissemination.state != DisseminationState::AwaitingApproval {
        return Err(desk.say("refused.not_awaiting", &[("number", &number.0), ("state", dissemination.state.word())]));
    }
    if !job.person.can_approve {
        return Err(desk.say("refused.cannot_approve", &[]));
    }
    if dissemination.code() != code {
        return Err(desk.say("refused.wrong_code", &[("number", &number.0)]));
    }
    if dissemination.approvals.iter().any(|approval| approval.by == job.person.address) {
        return Err(desk.say("refused.agreed_already", &[("number", &number.0)]));
    }
    dissemination.approvals.push(Approval { by: job.person.address.clone(), at: desk.now });
    job.target = Some(dissemination.ticket.clone());
    let by = job.person.address.as_str();
    let agreed = is_agreed(&dissemination, work);
    work.set_dissemination(dissemination.clone(), by, desk.say("dissemination.agreed", &[("number", &number.0)]));
    if !agreed {
        return Ok(desk.say("done.agreed_waits", &[("number", &number.0)]));
    }
    let author = dissemination.author.clone();
    let ticket = dissemination.ticket.clone();
    release(dissemination, by, work);
    if author != job.person.address
        && let Some(person) = desk.policy.person(&author)
    {
        let what = desk.say("notice.agreed", &[("number", &number.0), ("by", by)]);
        let fields = work.event_fields(Some(&ticket), what, Vec::new(), "");
        let letter = work.to_person(person, Some(&ticket), LetterKind::Notice, TemplateName::NoticeEvent, &fields);
        work.queue(letter, AtReporter::No);
    }
    Ok(desk.say("done.dissemination_sending", &[("number", &number.0)]))
}

fn known(number: &DisseminationNumber, work: &Work<'_>) -> Result<Dissemination, String> {
    work.dissemination(number).cloned().ok_or_else(|| work.desk.say("refused.no_such_dissemination", &[("number", &number.0)]))
}

/// `!batal DIS`: stops all that has not left.
pub fn cancel(number: &DisseminationNumber, job: &mut Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let mut dissemination = known(number, work)?;
    if matches!(dissemination.state, DisseminationState::Cancelled | DisseminationState::Closed) {
        let state = dissemination.state.word();
        return Err(work.desk.say("refused.not_awaiting", &[("number", &number.0), ("state", state)]));
    }
    dissemination.state = DisseminationState::Cancelled;
    job.target = Some(dissemination.ticket.clone());
    work.effect(Effect::CancelLetters { dissemination: number.clone() });
    let what = work.desk.say("dissemination.cancelled", &[("number", &number.0)]);
    work.set_dissemination(dissemination, job.person.address.as_str(), what.clone());
    Ok(what)
}

/// Queues one letter a recipient, exactly as the manifest says; who cannot be reached safely is held.
fn release(mut dissemination: Dissemination, by: &str, work: &mut Work<'_>) {
    dissemination.state = DisseminationState::Sending;
    dissemination.sent_at = Some(work.desk.now);
    let mut recipients = dissemination.recipients.clone();
    for recipient in &mut recipients {
        if must_be_held(recipient, dissemination.tlp) {
            continue;
        }
        let letter = letter_to(recipient, &dissemination, work);
        recipient.message_id = Some(letter.message_id.clone());
        recipient.state = RecipientState::Queued;
        recipient.at = work.desk.now;
        work.queue(letter, AtReporter::No);
    }
    dissemination.recipients = recipients;
    let held = dissemination.recipients.iter().filter(|recipient| recipient.state == RecipientState::Held).count();
    let queued = dissemination.recipients.len() - held;
    let counts = [("number", dissemination.number.0.clone()), ("queued", queued.to_string()), ("held", held.to_string())];
    let arguments: Vec<(&str, &str)> = counts.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let what = work.desk.say("dissemination.released", &arguments);
    work.set_dissemination(dissemination, by, what);
}

/// The mail to one recipient: label in the subject and directly before and after the text (TLP 2.0).
fn letter_to(recipient: &Recipient, dissemination: &Dissemination, work: &mut Work<'_>) -> Letter {
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
    let protection =
        recipient.fingerprint.as_ref().map_or(Protection::Signed, |fingerprint| Protection::Sealed { recipient: fingerprint.clone() });
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
        protection,
        tlp: Some(dissemination.tlp),
        language: recipient.language,
        token: work.token(&message_id),
        message_id,
        encloses_certificate: false,
        held_because: None,
        not_before: None,
    }
}

/// Whether a sealed letter of a dissemination may still leave: the certificate that was approved is
/// still the one pinned to its recipient (contract 9). `contact` is the recipient as the directory
/// has it now. The reason why not is for the analyst.
#[must_use]
pub fn why_held(letter: &Letter, contact: Option<&Contact>, desk: Desk<'_>) -> Option<String> {
    let (Some(_), Protection::Sealed { recipient }) = (&letter.dissemination, &letter.protection) else { return None };
    let unit = desk.policy.internal_units.iter().find(|unit| unit.address == letter.to);
    let pinned = contact.map_or_else(|| unit.and_then(|unit| unit.fingerprint.as_ref()), |contact| contact.fingerprint.as_ref());
    (pinned != Some(recipient)).then(|| desk.say("held.other_certificate", &[("address", letter.to.as_str())]))
}

/// A reply of a recipient: a confirmation where it proves itself, else something for the assignee.
#[must_use]
pub fn answered(arrived: &Arrived<'_>, number: &DisseminationNumber, mut work: Work<'_>) -> Decision {
    let desk = work.desk;
    arrived_after_all(arrived, number, &mut work);
    let Some(mut dissemination) = work.dissemination(number).cloned() else {
        return report::open(arrived, report::Origin::Fresh, work);
    };
    let ticket = dissemination.ticket.clone();
    let strict = dissemination.tlp >= Tlp::AmberStrict;
    let Some(from) = arrived.from().cloned() else { return report::open(arrived, report::Origin::Fresh, work) };
    let Some(recipient) = dissemination.recipients.iter_mut().find(|recipient| recipient.address == from) else {
        return report::open(arrived, report::Origin::Stranger(Some(ticket)), work);
    };
    let arguments = [("address", from.as_str()), ("number", number.0.as_str())];
    if !reply::begins_with_receipt(&arrived.opened.mail.text.new) {
        let what = desk.say("dissemination.other_answer", &arguments);
        return reply::join_dissemination(arrived, &ticket, what, work);
    }
    if matches!(recipient.state, RecipientState::Confirmed | RecipientState::Handled) {
        note_message(arrived, &ticket, &mut work);
        let because = desk.say("dissemination.confirmed_twice", &arguments);
        return work.file(arrived, Some(ticket), because);
    }
    let how = match confirmation(arrived, recipient, strict, number, &work) {
        Ok(how) => how,
        Err(reason) => {
            let what = desk.say("dissemination.unproved", &[("address", from.as_str()), ("number", &number.0), ("reason", &reason)]);
            return reply::join_dissemination(arrived, &ticket, what, work);
        }
    };
    recipient.state = RecipientState::Confirmed;
    recipient.at = desk.now;
    recipient.because.clone_from(&how);
    // A signature that confirmed does not confirm again, whatever else would have proved this answer.
    if let Some(signed) = own_signature(arrived, recipient).filter(|signed| !work.world.seen_signatures.contains_key(signed.key())) {
        work.effect(Effect::RememberSignature { key: signed.key().clone(), by: from.clone(), signed_at: signed.signed_at() });
    }
    close_when_confirmed(&mut dissemination);
    note_message(arrived, &ticket, &mut work);
    let what = desk.say("dissemination.confirmed", &[("address", from.as_str()), ("number", &number.0), ("how", &how)]);
    work.set_dissemination(dissemination, from.as_str(), what.clone());
    work.file(arrived, Some(ticket), what)
}

/// Who answers a mail has it: where its fate was uncertain it is known now, and it is not sent again.
fn arrived_after_all(arrived: &Arrived<'_>, number: &DisseminationNumber, work: &mut Work<'_>) {
    let Some(from) = arrived.from() else { return };
    let is_meant = |letter: &&OurLetter| {
        let names = letter.dissemination.as_ref() == Some(number) && letter.kind == LetterKind::Dissemination;
        names && letter.state == LetterState::Uncertain && letter.to == *from
    };
    let Some(letter) = work.world.letters.iter().find(is_meant) else { return };
    let because = work.desk.say("letter.answered", &[]);
    work.effect(Effect::SetLetterState { message_id: letter.message_id.clone(), state: LetterState::Sent, because });
    let sent_at = work.dissemination(number).and_then(|one| one.sent_at).unwrap_or(work.desk.now);
    retry::sent_to(number, from, sent_at, work);
}

/// The recipient's own signature counts, with its own time, whatever others stand beside it.
fn own_signature(arrived: &Arrived<'_>, recipient: &Recipient) -> Option<SignedText> {
    arrived.opened.signed_text.as_ref().zip(recipient.fingerprint.as_ref()).and_then(|(signed, signer)| signed.by(signer))
}

/// What proves a confirmation: a signature made after the sending and not seen before; up to AMBER
/// the keyed Message-ID or address token serves instead (contract 9).
fn confirmation(
    arrived: &Arrived<'_>,
    recipient: &Recipient,
    strict: bool,
    number: &DisseminationNumber,
    work: &Work<'_>,
) -> Result<String, String> {
    let desk = work.desk;
    let Some(sent_at) = recipient.sent_at else { return Err(desk.say("unproved.not_sent", &[])) };
    let signed = own_signature(arrived, recipient)
        .filter(|signed| signed.signed_at().as_second() >= sent_at.as_second() && !work.world.seen_signatures.contains_key(signed.key()));
    if signed.is_some() {
        return Ok(desk.say("dissemination.by_signature", &[]));
    }
    if strict {
        return Err(desk.say("unproved.needs_signature", &[]));
    }
    let keyed = work.world.letters.iter().any(|letter| letter.dissemination.as_ref() == Some(number) && letter.to == recipient.address);
    if keyed { Ok(desk.say("dissemination.by_token", &[])) } else { Err(desk.say("unproved.no_token", &[])) }
}

/// All recipients but internal units confirmed: the dissemination is closed.
fn close_when_confirmed(dissemination: &mut Dissemination) {
    let done = |recipient: &Recipient| {
        recipient.kind == RecipientKind::InternalUnit || matches!(recipient.state, RecipientState::Confirmed | RecipientState::Handled)
    };
    if matches!(dissemination.state, DisseminationState::Sending | DisseminationState::Sent) && dissemination.recipients.iter().all(done) {
        dissemination.state = DisseminationState::Closed;
    }
}

/// What a recipient reported by another way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    Received,
    Handled,
}

/// `!konfirmasi` and `!ditangani`: an analyst vouches for a recipient, and says how it is known.
pub fn confirm_by_hand(
    ticket: &Ticket,
    address: &Address,
    word: Word,
    how: &str,
    person: &Person,
    work: &mut Work<'_>,
) -> Result<String, String> {
    let desk = work.desk;
    if how.trim().is_empty() {
        return Err(desk.say("refused.say_how", &[]));
    }
    let is_theirs = |one: &&Dissemination| {
        !matches!(one.state, DisseminationState::Draft | DisseminationState::AwaitingApproval | DisseminationState::Cancelled)
            && one.recipients.iter().any(|recipient| recipient.address == *address)
    };
    // The newest first: an older one to the same recipient was settled before.
    let all: Vec<&Dissemination> = work.disseminations_of(&ticket.number).filter(is_theirs).collect();
    let Some(mut dissemination) = all.last().map(|one| (*one).clone()) else {
        return Err(desk.say("refused.no_such_recipient", &[("address", address.as_str())]));
    };
    let number = dissemination.number.to_string();
    let state = if word == Word::Received { RecipientState::Confirmed } else { RecipientState::Handled };
    for recipient in dissemination.recipients.iter_mut().filter(|recipient| recipient.address == *address) {
        recipient.state = state;
        recipient.at = desk.now;
        recipient.because = one_line(how);
    }
    close_when_confirmed(&mut dissemination);
    let arguments = [("address", address.as_str()), ("number", number.as_str()), ("how", how)];
    let key = if word == Word::Received { "dissemination.confirmed" } else { "dissemination.handled" };
    let what = desk.say(key, &arguments);
    work.set_dissemination(dissemination, person.address.as_str(), one_line(&what));
    Ok(what)
}

/// Recipients who have not confirmed, internal units aside: what keeps a ticket from closing.
#[must_use]
pub fn unconfirmed(ticket: &TicketNumber, work: &Work<'_>) -> Vec<String> {
    work.disseminations_of(ticket)
        .filter(|one| !matches!(one.state, DisseminationState::Cancelled | DisseminationState::Closed))
        .flat_map(|one| &one.recipients)
        .filter(|recipient| {
            recipient.kind != RecipientKind::InternalUnit && !matches!(recipient.state, RecipientState::Confirmed | RecipientState::Handled)
        })
        .map(|recipient| recipient.address.to_string())
        .collect()
}

/// One line a recipient: address, protection, state, reason.
#[must_use]
pub fn recipient_lines(dissemination: &Dissemination, work: &Work<'_>) -> Vec<String> {
    let mut lines = vec![format!("{} {} {}", dissemination.number, dissemination.tlp.label(), dissemination.state)];
    for recipient in &dissemination.recipients {
        let at = local(recipient.at, work);
        lines.push(format!("  {} · {at}", recipient_line(recipient, dissemination.tlp)));
    }
    lines
}

fn recipient_line(recipient: &Recipient, mark: Tlp) -> String {
    let protection = match (&recipient.fingerprint, mark.must_be_encrypted()) {
        (Some(fingerprint), _) => format!("OpenPGP {fingerprint}"),
        (None, true) => "-".to_owned(),
        (None, false) => "signed".to_owned(),
    };
    format!("{} <{}> · {} · {protection} · {} {}", recipient.name, recipient.address, recipient.kind, recipient.state, recipient.because)
        .trim_end()
        .to_owned()
}
