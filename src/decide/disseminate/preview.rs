//! What people see of a dissemination before it leaves: the author in the receipt, who must agree in
//! the request, everybody in the state of a ticket.

use super::leave::{Directory, Occasion, is_out_of_reach, letter_to};
use super::{Job, agreements_needed, local};
use crate::decide::letters::{enclosure_line, list, shown, text};
use crate::decide::report::one_line;
use crate::decide::work::Work;
use crate::extract::mark::stated_in;
use crate::mail::template::TemplateName;
use crate::model::dissemination::{Dissemination, DisseminationState, Recipient, RecipientKind, RecipientState};
use crate::model::letter::LetterKind;
use crate::model::policy::Person;
use crate::model::ticket::AtReporter;
use crate::model::{Address, Tlp};
use jiff::Timestamp;

/// Certificates that end within this many days are named to who approves (contract 9).
const EXPIRES_SOON_DAYS: i64 = 60;

/// The receipt's preview: the manifest, each recipient with protection, who must agree, and the mail
/// as one of them sees it.
pub(super) fn show(dissemination: &Dissemination, directory: &Directory, warnings: &[String], job: &mut Job<'_>, work: &mut Work<'_>) {
    let heading = work.desk.say("dissemination.manifest", &[("number", &dissemination.number.0)]);
    job.next.push(format!("{heading}\n{}", dissemination.manifest().trim_end()));
    job.next.extend(lines(dissemination, directory, work));
    job.next.extend(warnings.iter().cloned());
    job.next.extend(expiring(dissemination, directory, work));
    job.next.extend(must_agree(dissemination, work));
    if dissemination.subject.is_empty() {
        job.next.push(work.desk.say("dissemination.neutral_subject", &[]));
    }
    job.next.extend(would_reach_nobody(dissemination, work));
    let is_released = dissemination.released.is_some();
    let reached = dissemination.recipients.iter().find(|recipient| recipient.state != RecipientState::Held);
    // A mail that is held may leave once its cause is mended; of one that cannot be sealed there is none to see.
    let mendable = || dissemination.recipients.iter().find(|recipient| !is_out_of_reach(recipient, dissemination.tlp));
    let seen = |recipient: &Recipient| shown(&letter_to(recipient, dissemination, Occasion::Dissemination, work.desk), work.desk);
    if is_released {
        job.sent.extend(reached.map(seen));
    } else {
        job.proposed.extend(reached.or_else(mendable).map(seen));
    }
}

/// As things stand nobody would get it, even if it is agreed to: what has to be mended, and whether that is enough.
fn would_reach_nobody(dissemination: &Dissemination, work: &Work<'_>) -> Option<String> {
    let is_held = |recipient: &Recipient| recipient.state == RecipientState::Held;
    if dissemination.released.is_some() || !dissemination.recipients.iter().all(is_held) {
        return None;
    }
    let never = dissemination.recipients.iter().all(|recipient| is_out_of_reach(recipient, dissemination.tlp));
    let key = if never { "would_never_reach" } else { "would_reach_nobody" };
    Some(work.desk.say(&format!("dissemination.{key}"), &[("number", &dissemination.number.0)]))
}

/// What among subject, text and attachments (names and what stands in them) bears a higher mark than
/// the chosen one, and which.
pub(super) fn marked_higher(subject: &str, words: &str, mark: Tlp, job: &Job<'_>, work: &Work<'_>) -> Vec<(String, Tlp)> {
    let place = |key: &str| work.desk.say(&format!("dissemination.of_{key}"), &[]);
    let mut found = vec![(place("subject"), stated_in(subject)), (place("text"), stated_in(words))];
    let attachments = &job.arrived.opened.mail.attachments;
    for enclosure in &job.enclosures {
        let inside = attachments.iter().find(|file| file.sha256 == enclosure.sha256).and_then(|file| file.text.as_deref());
        // File names have no spaces: TLP_RED.pdf is meant as TLP RED.
        let named = stated_in(&enclosure.name.replace('_', " "));
        found.push((enclosure.name.clone(), named.max(inside.and_then(stated_in))));
    }
    found.into_iter().filter_map(|(name, stated)| stated.filter(|stated| *stated > mark).map(|stated| (name, stated))).collect()
}

/// Each higher mark of a source in words: a second person must agree to that.
pub(super) fn warnings(marked: &[(String, Tlp)], mark: Tlp, received: Option<Tlp>, work: &Work<'_>) -> Vec<String> {
    let line = |name: &str, higher: Tlp| {
        let arguments = [("name", name), ("higher", &higher.label()), ("mark", &mark.label())];
        work.desk.say("dissemination.marked_higher", &arguments)
    };
    let ticket =
        received.filter(|received| *received > mark).map(|received| line(&work.desk.say("dissemination.of_ticket", &[]), received));
    ticket.into_iter().chain(marked.iter().map(|(name, higher)| line(name, *higher))).collect()
}

/// How many more people must agree, and who can; `None` where enough do.
fn must_agree(dissemination: &Dissemination, work: &Work<'_>) -> Option<String> {
    let agreed = |person: &&Person| dissemination.agreements().any(|approval| approval.by == person.address);
    let (those, others): (Vec<&Person>, Vec<&Person>) =
        work.desk.policy.people.iter().filter(|person| person.can_approve).partition(agreed);
    let missing = agreements_needed(dissemination, work).saturating_sub(u32::try_from(those.len()).unwrap_or(u32::MAX));
    let people = others.iter().map(|person| person.address.to_string()).collect::<Vec<_>>().join(", ");
    (missing > 0).then(|| work.desk.say("dissemination.must_agree", &[("count", &missing.to_string()), ("people", &people)]))
}

/// Who cannot be reached as the mark demands and why, in words for the receipt; empty where everybody can.
pub(super) fn held_words(dissemination: &Dissemination, work: &Work<'_>) -> Vec<String> {
    let held = dissemination.recipients.iter().filter(|recipient| recipient.state == RecipientState::Held);
    let lines = held.map(|recipient| {
        format!("; {}", work.desk.say("held.recipient", &[("address", recipient.address.as_str()), ("because", &recipient.because)]))
    });
    lines.collect()
}

/// Certificates that end soon or have ended, a line each.
fn expiring(dissemination: &Dissemination, directory: &Directory, work: &Work<'_>) -> Vec<String> {
    let line = |recipient: &Recipient| {
        let ends = ends_soon(recipient, directory, work)?;
        Some(work.desk.say("dissemination.expires", &[("address", recipient.address.as_str()), ("at", &local(ends, work))]))
    };
    dissemination.recipients.iter().filter_map(line).collect()
}

fn ends_soon(recipient: &Recipient, directory: &Directory, work: &Work<'_>) -> Option<Timestamp> {
    let of_unit = || work.desk.policy.internal_units.iter().find(|unit| unit.address == recipient.address)?.ends;
    let ends = match recipient.kind {
        RecipientKind::InternalUnit => of_unit(),
        RecipientKind::Person | RecipientKind::Role => directory.get(&recipient.address)?.expires_at,
    };
    let soon = work.desk.now.as_second() + EXPIRES_SOON_DAYS * 86_400;
    ends.filter(|ends| ends.as_second() < soon)
}

/// What somebody who agrees should know of a recipient: mail to it came back since it was last
/// verified, or its certificate ends soon.
fn doubts(recipient: &Recipient, directory: &Directory, work: &Work<'_>) -> String {
    let contact = directory.get(&recipient.address);
    let came_back = contact.and_then(|contact| Some((contact, contact.bounced_at?))).map(|(contact, at)| {
        let reason = contact.bounced_because.as_deref().map(one_line).unwrap_or_default();
        work.desk.say("dissemination.came_back", &[("at", &local(at, work)), ("reason", &reason)])
    });
    let ends = ends_soon(recipient, directory, work).map(|ends| work.desk.say("dissemination.ends", &[("at", &local(ends, work))]));
    came_back.into_iter().chain(ends).map(|doubt| format!(" · {doubt}")).collect()
}

/// Everyone who can approve, but for who agreed by drafting it, gets the manifest, encrypted, with
/// the line to send back.
pub(super) fn request_approval(
    dissemination: &Dissemination,
    directory: &Directory,
    warnings: &[String],
    but: Option<&Address>,
    work: &mut Work<'_>,
) {
    let ticket = work.survivor(&dissemination.ticket);
    let mut fields = work.fields(Some(&ticket));
    let code = dissemination.code();
    text(&mut fields, "dissemination", dissemination.number.to_string());
    list(&mut fields, "warnings", warnings.iter().cloned().chain(would_reach_nobody(dissemination, work)));
    list(&mut fields, "attachments", dissemination.enclosures.iter().map(enclosure_line));
    let lowered = if dissemination.lowered { work.desk.say("dissemination.lowered", &[]) } else { String::new() };
    text(&mut fields, "mark", format!("{} {lowered}", dissemination.tlp.label()).trim());
    text(&mut fields, "author", dissemination.author.as_str());
    let neutral = || format!("{} {}", work.desk.say("outer.dissemination", &[]), work.desk.say("dissemination.neutral", &[]));
    text(&mut fields, "subject", if dissemination.subject.is_empty() { neutral() } else { dissemination.subject.clone() });
    text(&mut fields, "text", &dissemination.text);
    let (held, reached): (Vec<&Recipient>, Vec<&Recipient>) =
        dissemination.recipients.iter().partition(|recipient| recipient.state == RecipientState::Held);
    let line = |recipient: &&Recipient| format!("{}{}", recipient_line(recipient, dissemination, work), doubts(recipient, directory, work));
    let (reached, held): (Vec<String>, Vec<String>) = (reached.iter().map(line).collect(), held.iter().map(line).collect());
    list(&mut fields, "recipients", reached);
    list(&mut fields, "held", held);
    list(&mut fields, "expiring", expiring(dissemination, directory, work));
    text(&mut fields, "manifest", dissemination.manifest());
    text(&mut fields, "code", &code);
    list(&mut fields, "commands", [format!("!setuju {} {code}", dissemination.number)]);
    let people: Vec<&Person> = work.desk.policy.people.iter().filter(|person| person.can_approve && Some(&person.address) != but).collect();
    for person in people {
        let mut letter = work.to_person(person, Some(&ticket), LetterKind::Notice, TemplateName::NoticeApproval, &fields);
        letter.enclosures.clone_from(&dissemination.enclosures);
        work.queue(letter, AtReporter::No);
    }
}

/// One line a recipient: address, protection, state, reason.
fn lines(dissemination: &Dissemination, directory: &Directory, work: &Work<'_>) -> Vec<String> {
    let state = state_words(dissemination, work);
    let mut lines = vec![format!("{} {} {state}", dissemination.number, dissemination.tlp.label())];
    for recipient in &dissemination.recipients {
        let (line, at) = (recipient_line(recipient, dissemination, work), local(recipient.at, work));
        lines.push(format!("  {line} · {at}{}", doubts(recipient, directory, work)));
    }
    lines
}

/// The state, for people.
pub(super) fn state_words(dissemination: &Dissemination, work: &Work<'_>) -> String {
    if dissemination.reached_nobody() {
        return work.desk.say("dissemination.nothing_left", &[]);
    }
    work.desk.say(&format!("dissemination_state.{}", dissemination.state), &[])
}

/// What stands for a recipient who is to be sent the mail: before it is agreed to nothing waits to leave.
/// `may_have_it`: nobody knows whether it has left.
pub(super) fn state_of_recipient(state: RecipientState, may_have_it: bool, of: DisseminationState, work: &Work<'_>) -> String {
    let key = match (state, of) {
        (RecipientState::Queued, DisseminationState::Draft | DisseminationState::AwaitingApproval) => "dissemination.if_agreed".to_owned(),
        (RecipientState::Queued | RecipientState::Held, DisseminationState::Cancelled) if may_have_it => {
            return work.desk.say("dissemination.perhaps_sent_once", &[]);
        }
        (RecipientState::Queued | RecipientState::Held, DisseminationState::Cancelled) => "dissemination.not_sent".to_owned(),
        (state, _) => format!("recipient_state.{state}"),
    };
    let words = work.desk.say(&key, &[]);
    if may_have_it { format!("{words} ({})", work.desk.say("dissemination.perhaps_sent", &[])) } else { words }
}

pub(super) fn recipient_line(recipient: &Recipient, dissemination: &Dissemination, work: &Work<'_>) -> String {
    let say = |key: &str| work.desk.say(key, &[]);
    let protection = match (&recipient.fingerprint, dissemination.tlp.must_be_encrypted()) {
        (Some(fingerprint), _) => format!("OpenPGP {fingerprint}"),
        (None, true) => "-".to_owned(),
        (None, false) => say("dissemination.signed_only"),
    };
    let (kind, state) = (
        say(&format!("recipient_kind.{}", recipient.kind)),
        state_of_recipient(recipient.state, recipient.may_have_it(), dissemination.state, work),
    );
    format!("{} <{}> · {kind} · {protection} · {state} {}", recipient.name, recipient.address, recipient.because).trim_end().to_owned()
}
