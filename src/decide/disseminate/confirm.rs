//! What recipients answer, and what counts as their confirmation (contract 9).

use super::drop_held;
use crate::decide::letters::lines::About;
use crate::decide::report::{self, note_message, one_line};
use crate::decide::work::Work;
use crate::decide::{Arrived, command, reply, retry, trust};
use crate::model::Address;
use crate::model::Tlp;
use crate::model::dissemination::{Dissemination, DisseminationNumber, DisseminationState, Recipient, RecipientKind, RecipientState};
use crate::model::effect::{Decision, Effect};
use crate::model::letter::{LetterKind, LetterState};
use crate::model::policy::Person;
use crate::model::snapshot::{HeldLetter, OurLetter};
use crate::model::ticket::{Ticket, TicketNumber};
use crate::openpgp::open::SignedText;
use jiff::Timestamp;

/// A reply of a recipient: a confirmation where it proves itself, else something for the assignee.
#[must_use]
pub fn answered(arrived: &Arrived<'_>, number: &DisseminationNumber, mut work: Work<'_>) -> Decision {
    let desk = work.desk;
    if !trust::is_doubtful(arrived) {
        arrived_after_all(arrived, number, &mut work);
    }
    let Some(mut dissemination) = work.dissemination(number).cloned() else {
        return report::open(arrived, report::Origin::Fresh, work);
    };
    let ticket = work.survivor(&dissemination.ticket);
    let strict = dissemination.tlp >= Tlp::AmberStrict;
    let released_at = dissemination.sent_at;
    let Some(from) = arrived.from().cloned() else { return report::open(arrived, report::Origin::Fresh, work) };
    let Some(recipient) = dissemination.recipients.iter_mut().find(|recipient| recipient.address == from) else {
        return report::open(arrived, report::Origin::Stranger(Some(ticket)), work);
    };
    let arguments = [("address", from.as_str()), ("number", number.0.as_str())];
    if !reply::begins_with_receipt(&arrived.opened.mail.text.new) {
        let what = desk.say("dissemination.other_answer", &arguments);
        return reply::join_dissemination(arrived, &dissemination, what, work);
    }
    let wrote_more = reply::says_more_than_receipt(arrived);
    if matches!(recipient.state, RecipientState::Confirmed | RecipientState::Handled) {
        if wrote_more {
            let what = desk.say("dissemination.wrote_again", &arguments);
            return reply::join_dissemination(arrived, &dissemination, what, work);
        }
        note_message(arrived, &ticket, &mut work);
        let because = desk.say("dissemination.confirmed_twice", &arguments);
        return work.file(arrived, Some(ticket), because);
    }
    let sent_at = recipient.sent_at.or(released_at.filter(|_| recipient.may_have_left));
    let how = match confirmation(arrived, recipient, sent_at, strict, &work, number) {
        Ok(how) => how,
        Err(reason) => {
            let what = desk.say("dissemination.unproved", &[("address", from.as_str()), ("number", &number.0), ("reason", &reason)]);
            return reply::join_dissemination(arrived, &dissemination, what, work);
        }
    };
    recipient.state = RecipientState::Confirmed;
    recipient.at = desk.now;
    recipient.sent_at = sent_at;
    recipient.because.clone_from(&how);
    // A signature that confirmed does not confirm again, whatever else would have proved this answer.
    if let Some(signed) = own_signature(arrived, recipient).filter(|signed| !work.world.seen_signatures.contains_key(signed.key())) {
        work.effect(Effect::RememberSignature { key: signed.key().clone(), by: from.clone(), signed_at: signed.signed_at() });
    }
    close_when_confirmed(&mut dissemination);
    let what = desk.say("dissemination.confirmed", &[("address", from.as_str()), ("number", &number.0), ("how", &how)]);
    if let Some(one) = dissemination.addressed(&from) {
        work.set_addressed(one, from.as_str(), what.clone());
    }
    drop_held(|letter| is_to(letter, number, &from), &ticket, &mut work);
    let all = all_confirmed(&dissemination, &work);
    if wrote_more {
        // Whatever stands beside the word somebody has to read: it may be a call for help.
        let subject = desk.say("dissemination.confirmed_and_wrote", &arguments);
        let about = if all.is_some() { About::LastRecipient } else { About::Recipient };
        let facts = std::iter::once(what.clone()).chain(all).collect();
        reply::tell_dissemination(arrived, &dissemination, subject, facts, about, &mut work);
        return work.file(arrived, Some(ticket), what);
    }
    note_message(arrived, &ticket, &mut work);
    if let Some(all) = all {
        work.notify_about(&ticket, About::AllConfirmed, all, vec![what.clone()], "");
    }
    work.file(arrived, Some(ticket), what)
}

/// The last one confirmed and nothing else of the open ticket is waited for: nothing keeps it from closing.
fn all_confirmed(dissemination: &Dissemination, work: &Work<'_>) -> Option<String> {
    let ticket = work.ticket(&work.survivor(&dissemination.ticket)).filter(|ticket| ticket.state.is_open())?;
    // An analyst may have closed it before.
    let is_whole = dissemination.state == DisseminationState::Closed && dissemination.recipients.iter().all(has_confirmed);
    let is_over = is_whole && unconfirmed(&ticket.number, work).is_empty();
    is_over.then(|| work.desk.say("dissemination.all_confirmed", &[("number", &dissemination.number.0), ("ticket", &ticket.number.0)]))
}

/// Who answers a mail has it: where its fate was uncertain it is known now, and it is not sent again. One that was
/// stopped or held since stays so, and has arrived all the same.
fn arrived_after_all(arrived: &Arrived<'_>, number: &DisseminationNumber, work: &mut Work<'_>) {
    let Some(from) = arrived.from() else { return };
    let is_mail = |letter: &&OurLetter| {
        letter.dissemination.as_ref() == Some(number) && letter.kind == LetterKind::Dissemination && letter.to == *from
    };
    let may_have_it = || work.addressed(number, from).is_some_and(|one| one.recipient.may_have_it());
    let is_open = |letter: &&OurLetter| letter.state == LetterState::Uncertain || may_have_it();
    let Some(letter) = work.world.letters.iter().find(is_mail).filter(is_open) else { return };
    if letter.state == LetterState::Uncertain {
        let because = work.desk.say("letter.answered", &[]);
        work.effect(Effect::SetLetterState { message_id: letter.message_id.clone(), state: LetterState::Sent, because });
    }
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
    sent_at: Option<Timestamp>,
    strict: bool,
    work: &Work<'_>,
    number: &DisseminationNumber,
) -> Result<String, String> {
    let desk = work.desk;
    if trust::is_doubtful(arrived) {
        return Err(desk.say("unproved.doubtful", &[]));
    }
    let Some(sent_at) = sent_at else { return Err(desk.say("unproved.not_sent", &[])) };
    let signed = own_signature(arrived, recipient)
        .filter(|signed| signed.signed_at().as_second() >= sent_at.as_second() && !work.world.seen_signatures.contains_key(signed.key()));
    if signed.as_ref().is_some_and(|signed| names(signed, recipient, number, work)) {
        return Ok(desk.say("dissemination.by_signature", &[]));
    }
    if strict {
        let key = if signed.is_some() { "unproved.names_nothing" } else { "unproved.needs_signature" };
        return Err(desk.say(key, &[("number", &number.0)]));
    }
    let keyed = work.world.letters.iter().any(|letter| letter.dissemination.as_ref() == Some(number) && letter.to == recipient.address);
    if keyed { Ok(desk.say("dissemination.by_token", &[])) } else { Err(desk.say("unproved.no_token", &[])) }
}

/// What is signed says what it confirms: this dissemination, the mail that brought it, or its
/// ticket. Where it says nothing, it counts if there is but one that it can mean; of two, a signed
/// DITERIMA for one could be turned to the other by the fields outside.
fn names(signed: &SignedText, recipient: &Recipient, number: &DisseminationNumber, work: &Work<'_>) -> bool {
    let words = command::signed_words(signed);
    let disseminations = command::disseminations_in(&words);
    if !disseminations.is_empty() {
        return disseminations.contains(number);
    }
    if recipient.message_id.as_ref().is_some_and(|id| signed.protected_references().contains(id)) {
        return true;
    }
    let tickets = command::numbers_in(&words, &work.desk.policy.ticket_prefix);
    if tickets.is_empty() && signed.protected_references().is_empty() {
        return work.world.awaited_of_sender == [number.clone()];
    }
    work.dissemination(number).is_some_and(|one| tickets.contains(&one.ticket))
}

/// All recipients but internal units confirmed: the dissemination is closed.
fn close_when_confirmed(dissemination: &mut Dissemination) {
    let is_under_way = matches!(dissemination.state, DisseminationState::Sending | DisseminationState::Sent);
    if is_under_way && dissemination.recipients.iter().all(has_confirmed) {
        dissemination.state = DisseminationState::Closed;
    }
}

/// Whether nothing is waited for from this recipient; of internal units nothing ever is.
pub(super) fn has_confirmed(recipient: &Recipient) -> bool {
    recipient.kind == RecipientKind::InternalUnit || matches!(recipient.state, RecipientState::Confirmed | RecipientState::Handled)
}

/// What a recipient reported by another way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    Received,
    Handled,
}

impl Word {
    /// Whether it says something new of a recipient who stands so.
    const fn settles(self, state: RecipientState) -> bool {
        match self {
            Self::Received => !matches!(state, RecipientState::Confirmed | RecipientState::Handled),
            Self::Handled => !matches!(state, RecipientState::Handled),
        }
    }
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
    let names = |one: &Dissemination| one.recipients.iter().any(|recipient| recipient.address == *address);
    // What was cancelled may have left before.
    let has_left = |one: &Dissemination| {
        one.recipients.iter().any(|recipient| recipient.address == *address && (recipient.has_it() || recipient.may_have_it()))
    };
    // The newest first of those that this settles, what was cancelled last: of what was settled before nobody reports anew.
    let heir = work.survivor(&ticket.number);
    let released = |one: &&Dissemination| !matches!(one.state, DisseminationState::Draft | DisseminationState::AwaitingApproval);
    let (cancelled, others): (Vec<&Dissemination>, Vec<&Dissemination>) =
        work.disseminations_of(&heir).filter(released).filter(|one| names(one)).partition(|one| one.state == DisseminationState::Cancelled);
    let stopped = cancelled.last().map(|one| one.number.to_string());
    let all: Vec<&Dissemination> = cancelled.into_iter().filter(|one| has_left(one)).chain(others).collect();
    let waits =
        |one: &&&Dissemination| one.recipients.iter().any(|recipient| recipient.address == *address && word.settles(recipient.state));
    let Some(mut dissemination) = all.iter().rfind(waits).or(all.last()).map(|one| (*one).clone()) else {
        let (key, number) = stopped.map_or(("refused.no_such_recipient", String::new()), |number| ("refused.never_left", number));
        return Err(desk.say(key, &[("address", address.as_str()), ("number", &number)]));
    };
    let number = dissemination.number.to_string();
    let state = if word == Word::Received { RecipientState::Confirmed } else { RecipientState::Handled };
    for recipient in dissemination.recipients.iter_mut().filter(|recipient| recipient.address == *address) {
        recipient.state = state;
        recipient.at = desk.now;
        recipient.because = one_line(how);
    }
    let before = dissemination.state;
    close_when_confirmed(&mut dissemination);
    let arguments = [("address", address.as_str()), ("number", number.as_str()), ("how", how)];
    let key = if word == Word::Received { "dissemination.confirmed" } else { "dissemination.handled" };
    let what = desk.say(key, &arguments);
    let mut never_left = None;
    if let Some(mut one) = dissemination.addressed(address) {
        let left = one.recipient.sent_at.is_some() || one.recipient.may_have_left;
        never_left = (!left).then(|| desk.say("dissemination.without_mail", &arguments));
        // Its mail may have been the last that waited.
        one.note_progress();
        dissemination.state = one.state;
        work.set_addressed(one, person.address.as_str(), one_line(&what));
    }
    let dropped = drop_held(|letter| is_to(letter, &dissemination.number, address), &ticket.number, work);
    let was_over = before == DisseminationState::Closed;
    let all = all_confirmed(&dissemination, work).filter(|_| !was_over);
    let more: Vec<String> = never_left.into_iter().chain(dropped).chain(all).collect();
    Ok(if more.is_empty() { what } else { format!("{}; {}", what.trim_end_matches('.'), more.join("; ")) })
}

/// A mail or reminder of the dissemination that was not let go, to one who has it by now.
fn is_to(letter: &HeldLetter, number: &DisseminationNumber, address: &Address) -> bool {
    letter.dissemination.as_ref() == Some(number) && letter.to == *address
}

/// Recipients who have not confirmed, each with its state, internal units aside: what keeps a ticket from closing.
#[must_use]
pub fn unconfirmed(ticket: &TicketNumber, work: &Work<'_>) -> Vec<String> {
    work.disseminations_of(ticket).filter(|one| !one.state.is_over()).flat_map(|one| silent(one, work)).collect()
}

/// Those of one dissemination.
pub(super) fn silent(one: &Dissemination, work: &Work<'_>) -> Vec<String> {
    let state = |recipient: &Recipient| work.desk.say(&format!("recipient_state.{}", recipient.state), &[]);
    let silent = one.recipients.iter().filter(|recipient| !has_confirmed(recipient));
    silent.map(|recipient| format!("{} ({})", recipient.address, state(recipient))).collect()
}
