//! Disseminations (contract 9): draft, agreement, release, confirmation. What is not proved to be
//! allowed does not leave, and a person is told why.

mod confirm;
mod leave;
mod preview;
mod progress;

use super::act::{Job, local};
use super::command::names_center;
use super::letters::lines::About;
use super::report::{self, one_line};
use super::retry;
use super::work::Work;
use crate::mail::template::TemplateName;
use crate::model::contact::{Contact, ContactKind};
use crate::model::dissemination::{
    Approval, Dissemination, DisseminationNumber, DisseminationState, Recipient, RecipientKind, RecipientState,
};
use crate::model::effect::Effect;
use crate::model::letter::LetterKind;
use crate::model::snapshot::HeldLetter;
use crate::model::ticket::{AtReporter, Service, State, Ticket, TicketEvent, TicketNumber};
use crate::model::{Address, Tlp};
use leave::{Directory, obstacle, release};
use preview::{held_words, request_approval};
use std::collections::{BTreeMap, BTreeSet};

/// Cancelled letters that one receipt names.
const DROPPED_NAMED_MAX: usize = 20;

pub use confirm::{Word, answered, confirm_by_hand, unconfirmed};
pub use leave::{Agreed, leaving, reminder, risen};
pub use progress::{progress_lines, set_unsent};

/// `!diseminasi`: the text and attachments of the mail become a dissemination.
pub fn draft(targets: &[String], job: &mut Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let desk = work.desk;
    let words = job.speech(work)?;
    let mut wrong = Vec::new();
    // A ticket that was merged answers for nothing more: what is new is the other one's.
    let target = job.target.as_ref().and_then(|number| work.ticket(&work.survivor(number))).cloned();
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
    // Nobody would ask for the confirmations of one that is drafted on a ticket that is over (contract 5).
    if let Some(over) = target.as_ref().filter(|ticket| !ticket.state.is_open()) {
        wrong.push(desk.say("refused.not_open", &[("state", over.state.word())]));
    }
    let mark = job.mark.or_else(|| target.as_ref().and_then(|ticket| ticket.tlp));
    let Some(mark) = mark else {
        wrong.push(desk.say("refused.no_mark", &[]));
        return Err(wrong.join("; "));
    };
    let (contacts, left_out) = resolve(targets, mark, work, &mut wrong);
    if !wrong.is_empty() {
        return Err(wrong.join("; "));
    }
    let ticket = match &target {
        Some(ticket) => ticket.number.clone(),
        None => open_ticket(&subject_of(job), mark, job, work),
    };
    job.target = Some(ticket.clone());
    let received = target.as_ref().and_then(|ticket| ticket.received_tlp);
    let subject = subject_of(job);
    let marked_higher = preview::marked_higher(&subject, &words, mark, job, work);
    let mut dissemination = Dissemination {
        number: work.world.next_dissemination.clone(),
        ticket,
        author: job.person.address.clone(),
        state: DisseminationState::AwaitingApproval,
        tlp: mark,
        lowered: received > Some(mark) || !marked_higher.is_empty(),
        lowered_from: received.filter(|received| *received > mark),
        subject,
        text: words,
        enclosures: std::mem::take(&mut job.enclosures),
        recipients: recipients(&contacts, mark, work),
        approvals: Vec::new(),
        created_at: desk.now,
        sent_at: None,
        released: None,
        told: BTreeSet::new(),
    };
    if job.person.can_approve {
        let code = dissemination.code();
        dissemination.approvals.push(Approval { by: job.person.address.clone(), at: desk.now, code });
    }
    let directory: Directory = contacts.into_iter().map(|contact| (contact.address.clone(), contact)).collect();
    let warnings: Vec<String> = preview::warnings(&marked_higher, mark, received, work).into_iter().chain(left_out).collect();
    let number = dissemination.number.to_string();
    if is_agreed(&dissemination, work) {
        let what = desk.say("dissemination.drafted", &[("number", &number), ("mark", &mark.label())]);
        work.set_dissemination(dissemination.clone(), job.person.address.as_str(), what);
        let (dissemination, ways) = release(dissemination, job.person.address.as_str(), &directory, work);
        job.next.extend(ways);
        preview::show(&dissemination, &directory, &warnings, job, work);
        return Ok(released_words(&dissemination, work));
    }
    preview::show(&dissemination, &directory, &warnings, job, work);
    let what = desk.say("dissemination.awaits", &[("number", &number), ("mark", &mark.label())]);
    let held = held_words(&dissemination, work).concat();
    request_approval(&dissemination, &directory, &warnings, Some(&job.person.address), work);
    work.set_dissemination(dissemination, job.person.address.as_str(), what);
    Ok(format!("{}{held}", desk.say("done.dissemination_awaits", &[("number", &number)])))
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

/// The contacts that the targets name, and in words whom a sector or group leaves out; each target that does not fit
/// is a line in `wrong`.
fn resolve(targets: &[String], mark: Tlp, work: &Work<'_>, wrong: &mut Vec<String>) -> (Vec<Contact>, Vec<String>) {
    let desk = work.desk;
    let mut left_out = Vec::new();
    let mut contacts: Vec<Contact> = Vec::new();
    let mut named: BTreeSet<&Address> = BTreeSet::new();
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
        } else if verified.len() < found.len() {
            let count = (found.len() - verified.len()).to_string();
            left_out.push(desk.say("dissemination.left_out", &[("target", target), ("count", &count)]));
        }
        for contact in verified {
            if mark == Tlp::Red && contact.kind != ContactKind::Person {
                wrong.push(desk.say("refused.red_needs_persons", &[("target", target)]));
            } else if named.insert(&contact.address) {
                contacts.push(contact.clone());
            }
        }
    }
    (contacts, left_out)
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
        may_have_left: false,
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
                may_have_left: false,
            },
        );
    let mut recipients: Vec<Recipient> = of_contact.chain(of_unit).collect();
    let by_address: BTreeMap<&Address, &Contact> = contacts.iter().map(|contact| (&contact.address, contact)).collect();
    for recipient in &mut recipients {
        let contact = by_address.get(&recipient.address).copied();
        if let Some(why) = obstacle(recipient, mark, contact, work.desk) {
            recipient.state = RecipientState::Held;
            recipient.because = why;
        }
    }
    recipients
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

fn agreements_needed(dissemination: &Dissemination, work: &Work<'_>) -> u32 {
    work.desk.policy.approvals_for(dissemination.tlp).max(if dissemination.lowered { 2 } else { 1 })
}

/// Whether enough people agree: the number for the mark, and a second person where the mark is lowered.
fn is_agreed(dissemination: &Dissemination, work: &Work<'_>) -> bool {
    let needed = agreements_needed(dissemination, work);
    // Counted by person of today's configuration (ATTACKS C13, C16).
    let people: BTreeSet<&Address> = dissemination
        .agreements()
        .filter(|approval| work.desk.policy.person(&approval.by).is_some_and(|person| person.can_approve))
        .map(|approval| &approval.by)
        .collect();
    let a_second = people.iter().any(|by| **by != dissemination.author);
    people.len() as u32 >= needed && (!dissemination.lowered || a_second)
}

/// `!setuju DIS CODE`: agreement to exactly the manifest whose code it is.
pub fn approve(number: &DisseminationNumber, code: &str, job: &mut Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let desk = work.desk;
    let mut dissemination = known(number, work)?;
    if dissemination.state != DisseminationState::AwaitingApproval {
        return Err(desk.say("refused.not_awaiting", &[("number", &number.0), ("state", &preview::state_words(&dissemination, work))]));
    }
    if !job.person.can_approve {
        return Err(desk.say("refused.cannot_approve", &[]));
    }
    if dissemination.code() != code {
        return Err(desk.say("refused.wrong_code", &[("number", &number.0)]));
    }
    if dissemination.agreements().any(|approval| approval.by == job.person.address) {
        return Err(desk.say("refused.agreed_already", &[("number", &number.0)]));
    }
    let ticket = work.survivor(&dissemination.ticket);
    job.target = Some(ticket.clone());
    let by = job.person.address.as_str();
    // What the ticket received since then may bear a higher mark: what was agreed to is another thing now (ATTACKS C13).
    let received = work.ticket(&ticket).and_then(|ticket| ticket.received_tlp);
    if dissemination.is_exceeded_by(received) {
        dissemination.lowered = true;
        dissemination.lowered_from = received;
        return Ok(ask_anew(dissemination, "dissemination.asked_anew", by, work));
    }
    if dissemination.agreements().count() < dissemination.approvals.len() {
        return Ok(ask_anew(dissemination, "dissemination.agreed_to_none", by, work));
    }
    dissemination.approvals.push(Approval { by: job.person.address.clone(), at: desk.now, code: code.to_owned() });
    let agreed = is_agreed(&dissemination, work);
    work.set_dissemination(dissemination.clone(), by, desk.say("dissemination.agreed", &[("number", &number.0)]));
    if !agreed {
        return Ok(desk.say("done.agreed_waits", &[("number", &number.0)]));
    }
    let author = dissemination.author.clone();
    let directory = work.world.recipients.clone();
    let (dissemination, ways) = release(dissemination, by, &directory, work);
    let held = held_words(&dissemination, work);
    if author != job.person.address
        && let Some(person) = desk.policy.person(&author)
    {
        let key = if dissemination.reached_nobody() { "notice.agreed_unreached" } else { "notice.agreed" };
        let what = desk.say(key, &[("number", &number.0), ("by", by)]);
        let facts = held.iter().map(|line| line.trim_start_matches("; ").to_owned()).chain(ways.iter().cloned()).collect();
        let fields = work.event_fields(&ticket, About::Dissemination, what, facts, "");
        let letter = work.to_person(person, Some(&ticket), LetterKind::Notice, TemplateName::NoticeEvent, &fields);
        work.queue(letter, AtReporter::No);
    }
    job.next.extend(ways);
    // Who agreed sees what that was, and to whom it goes.
    job.next.push(progress_lines(&dissemination, work).join("\n"));
    Ok(released_words(&dissemination, work))
}

/// What its release did, for the receipt of whoever released it.
fn released_words(dissemination: &Dissemination, work: &Work<'_>) -> String {
    let key = if dissemination.reached_nobody() { "done.dissemination_unreached" } else { "done.dissemination_sending" };
    format!("{}{}", work.desk.say(key, &[("number", &dissemination.number.0)]), held_words(dissemination, work).concat())
}

/// The mark is lower now than that of what the ticket received, or an agreement says not to what it is: what was
/// agreed to before counts no more, and everyone who can approve is asked anew.
fn ask_anew(mut dissemination: Dissemination, because: &str, by: &str, work: &mut Work<'_>) -> String {
    dissemination.approvals.clear();
    let what = work.desk.say(because, &[("number", &dissemination.number.0)]);
    let directory = work.world.recipients.clone();
    leave::weigh(&mut dissemination, &directory, work.desk);
    let received = work.ticket(&work.survivor(&dissemination.ticket)).and_then(|ticket| ticket.received_tlp);
    let warnings = preview::warnings(&[], dissemination.tlp, received, work);
    request_approval(&dissemination, &directory, &warnings, None, work);
    work.set_dissemination(dissemination, by, what.clone());
    what
}

fn known(number: &DisseminationNumber, work: &Work<'_>) -> Result<Dissemination, String> {
    work.dissemination(number).cloned().ok_or_else(|| work.desk.say("refused.no_such_dissemination", &[("number", &number.0)]))
}

/// `!batal DIS`: stops all that has not left. Of one that was closed with its ticket mail may be leaving still.
pub fn cancel(number: &DisseminationNumber, job: &mut Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let dissemination = known(number, work)?;
    let is_over = match dissemination.state {
        DisseminationState::Cancelled => true,
        DisseminationState::Closed => waiting(&dissemination) == 0,
        _ => false,
    };
    if is_over {
        let state = preview::state_words(&dissemination, work);
        return Err(work.desk.say("refused.not_awaiting", &[("number", &number.0), ("state", &state)]));
    }
    job.target = Some(work.survivor(&dissemination.ticket));
    let (what, facts) = withdraw(dissemination, job, work);
    job.next.extend(facts);
    Ok(what)
}

/// How many mails of it have not left and may still.
fn waiting(dissemination: &Dissemination) -> usize {
    let waits = |recipient: &&Recipient| matches!(recipient.state, RecipientState::Queued | RecipientState::Held);
    dissemination.recipients.iter().filter(waits).count()
}

/// Gives what was done, and of what was released how much of it had left.
fn withdraw(mut dissemination: Dissemination, job: &Job<'_>, work: &mut Work<'_>) -> (String, Vec<String>) {
    let before = dissemination.state;
    dissemination.state = DisseminationState::Cancelled;
    work.effect(Effect::CancelLetters { dissemination: dissemination.number.clone() });
    let what = work.desk.say("dissemination.cancelled", &[("number", &dissemination.number.0)]);
    work.set_dissemination(dissemination.clone(), job.person.address.as_str(), what.clone());
    // Some of it may have left: who wrote it and who agreed to it have to know which.
    let facts: Vec<String> = if matches!(before, DisseminationState::Sending | DisseminationState::Sent | DisseminationState::Closed) {
        progress::left_before(&dissemination, work)
    } else {
        Vec::new()
    };
    tell_cancelled(&dissemination, facts.clone(), job, work);
    (what, facts)
}

/// `!tutup`, `!tolak`: with its ticket a dissemination is closed, whoever has not confirmed: nobody is reminded any more, and
/// who confirms later is recorded still. What waits to leave was agreed to, and leaves: the analyst hears how many
/// mails these are and how to stop them. What was not agreed to never leaves.
pub fn close_with_ticket(ticket: &TicketNumber, job: &mut Job<'_>, work: &mut Work<'_>) {
    withdraw_drafts(ticket, job, work);
    let silent = confirm::unconfirmed(ticket, work);
    if !silent.is_empty() {
        job.next.push(work.desk.say("receipt.closed_over", &[("recipients", &silent.join(", "))]));
    }
    let open: Vec<Dissemination> = work.disseminations_of(ticket).filter(|one| !one.state.is_over()).cloned().collect();
    for mut one in open {
        let number = one.number.0.clone();
        // What is held is cancelled with the rest of the ticket's letters that are.
        let queued = one.recipients.iter().filter(|recipient| recipient.state == RecipientState::Queued).count();
        one.state = DisseminationState::Closed;
        let by = job.person.address.as_str();
        let what = work.desk.say("dissemination.closed", &[("number", &number), ("by", by)]);
        work.set_dissemination(one, by, what);
        if queued > 0 {
            job.next.push(work.desk.say("receipt.still_leaves", &[("number", &number), ("count", &queued.to_string())]));
        }
    }
}

/// Letters that are held and have lost their reason are cancelled, and the receipt names them: a person who tried
/// them again would send what nobody waits for, and their words would never be erased.
pub fn drop_held(is_meant: impl Fn(&HeldLetter) -> bool, ticket: &TicketNumber, work: &mut Work<'_>) -> Option<String> {
    let dropped: Vec<HeldLetter> = work.world.held.iter().filter(|letter| is_meant(letter)).cloned().collect();
    for letter in &dropped {
        retry::drop_letter(&letter.message_id, letter.kind, &letter.to, Some(ticket), work);
    }
    let named = |letter: &HeldLetter| work.desk.say("receipt.letter", &[("kind", letter.kind.word()), ("to", letter.to.as_str())]);
    let more = dropped.len().saturating_sub(DROPPED_NAMED_MAX);
    let more = (more > 0).then(|| work.desk.say("receipt.more_letters", &[("count", &more.to_string())]));
    let letters: Vec<String> = dropped.iter().take(DROPPED_NAMED_MAX).map(named).chain(more).collect();
    (!letters.is_empty()).then(|| work.desk.say("receipt.held_cancelled", &[("letters", &letters.join(", "))]))
}

/// As [`drop_held`], all of the ticket and of what it answers for.
pub fn drop_held_of(ticket: &TicketNumber, work: &mut Work<'_>) -> Option<String> {
    let numbers: BTreeSet<DisseminationNumber> = work.disseminations_of(ticket).map(|one| one.number.clone()).collect();
    let is_of = |letter: &HeldLetter| letter.dissemination.as_ref().is_none_or(|number| numbers.contains(number));
    drop_held(|letter| !letter.is_let_go && is_of(letter), ticket, work)
}

/// `!buka`: what was closed over recipients who have not confirmed goes on with its ticket. They count again, and the
/// analyst hears who they are.
pub fn reopen_with_ticket(ticket: &TicketNumber, job: &mut Job<'_>, work: &mut Work<'_>) {
    let is_closed_over =
        |one: &&Dissemination| one.state == DisseminationState::Closed && !one.recipients.iter().all(confirm::has_confirmed);
    let closed: Vec<Dissemination> = work.disseminations_of(ticket).filter(is_closed_over).cloned().collect();
    for mut one in closed {
        one.reopen(work.desk.now);
        let arguments = [("number", one.number.to_string()), ("recipients", confirm::silent(&one, work).join(", "))];
        let arguments: Vec<(&str, &str)> = arguments.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let what = work.desk.say("dissemination.reopened", &arguments);
        job.next.push(what.clone());
        if one.recipients.iter().any(|recipient| recipient.state == RecipientState::Held) {
            job.next.push(work.desk.say("receipt.held_at_reopening", &[("number", &one.number.0)]));
        }
        work.set_dissemination(one, job.person.address.as_str(), what);
    }
}

/// `!gabung`: what is not over goes along, in words for whoever has to do with it; `None` where nothing does.
pub fn going_along(ticket: &TicketNumber, into: &TicketNumber, work: &Work<'_>) -> Option<String> {
    let numbers: Vec<String> =
        work.disseminations_of(ticket).filter(|one| !one.state.is_over()).map(|one| one.number.to_string()).collect();
    let arguments = [("numbers", numbers.join(", ")), ("own", ticket.to_string()), ("number", into.to_string())];
    let arguments: Vec<(&str, &str)> = arguments.iter().map(|(name, value)| (*name, value.as_str())).collect();
    (!numbers.is_empty()).then(|| work.desk.say("receipt.dissemination_goes_along", &arguments))
}

/// What was not agreed to ends with its ticket where that is closed or rejected; a merged one goes on as another.
pub fn withdraw_drafts(ticket: &TicketNumber, job: &Job<'_>, work: &mut Work<'_>) {
    let is_draft = |one: &&Dissemination| matches!(one.state, DisseminationState::Draft | DisseminationState::AwaitingApproval);
    let drafts: Vec<Dissemination> = work.disseminations_of(ticket).filter(is_draft).cloned().collect();
    for one in drafts {
        withdraw(one, job, work);
    }
}

/// The author, and whoever agreed, hear that it is cancelled, by whom, and why: what is told as a reason stands
/// in the text of the mail.
fn tell_cancelled(dissemination: &Dissemination, facts: Vec<String>, job: &Job<'_>, work: &mut Work<'_>) {
    let agreed = dissemination.approvals.iter().map(|approval| &approval.by);
    let concerned: BTreeSet<&Address> =
        std::iter::once(&dissemination.author).chain(agreed).filter(|address| **address != job.person.address).collect();
    let what = work.desk.say("notice.cancelled", &[("number", &dissemination.number.0), ("by", job.person.address.as_str())]);
    let ticket = work.survivor(&dissemination.ticket);
    let fields = work.event_fields(&ticket, About::Dissemination, what, facts, job.reason());
    for person in concerned.into_iter().filter_map(|address| work.desk.policy.person(address)) {
        let letter = work.to_person(person, Some(&ticket), LetterKind::Notice, TemplateName::NoticeEvent, &fields);
        work.queue(letter, AtReporter::No);
    }
}
