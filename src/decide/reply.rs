//! A mail that refers to something of ours: which ticket it belongs to, whether its sender takes
//! part there, and what a reporter's reply moves.

use super::Arrived;
use super::act::{self, reopen_ticket};
use super::candidate::{self, Moment};
use super::command;
use super::letters::lines::{self, About, Part};
use super::letters::{list, text, words};
use super::report::{self, Origin, note_message, one_line, start_clock};
use super::trust;
use super::work::{DAEMON, Work};
use crate::mail::template::TemplateName;
use crate::model::clock::ClockName;
use crate::model::dissemination::{Dissemination, DisseminationNumber, DisseminationState};
use crate::model::effect::Decision;
use crate::model::letter::LetterKind;
use crate::model::ticket::{AtReporter, State, Ticket, TicketEvent, TicketNumber};
use crate::model::{Address, Document, Tlp};
use std::collections::{BTreeMap, BTreeSet};

/// A reply reopens within 14 days after closing; later it opens a linked ticket (contract 8).
const REOPENS_WITHIN_DAYS: i64 = 14;

/// Where a mail belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    Ticket(TicketNumber),
    /// The sender is a recipient of this dissemination.
    Dissemination(DisseminationNumber),
    /// It refers to a ticket of ours, and the sender takes no part in it; `None`: there is no such ticket.
    Stranger(Option<TicketNumber>),
    /// It names nothing of ours and answers a stored mail of a ticket in which its sender takes no part.
    Beside(TicketNumber),
    None,
}

/// References first, then the tag, and only where the sender takes part (contract 3).
#[must_use]
pub fn matched(arrived: &Arrived<'_>, work: &Work<'_>) -> Match {
    let world = work.world;
    let Some(from) = arrived.from() else { return Match::None };
    // What is signed says which dissemination is meant; the fields outside can be changed by anybody.
    let signed = arrived.opened.signed_text.as_ref().map(command::signed_words).unwrap_or_default();
    let named = command::disseminations_in(&signed);
    if let Some(number) = addressed_to(named.iter().filter_map(|number| work.dissemination(number)), from) {
        return Match::Dissemination(number);
    }
    let answered = world.letters.iter().filter_map(|letter| work.dissemination(letter.dissemination.as_ref()?));
    if let Some(number) = addressed_to(answered, from) {
        return Match::Dissemination(number);
    }
    let tags = arrived.tags(&work.desk.policy.ticket_prefix);
    let by_letter: Vec<TicketNumber> = world.letters.iter().filter_map(|letter| letter.ticket.clone()).collect();
    for number in by_letter.iter().chain(&world.referred_tickets).chain(&tags) {
        if let Some(ticket) = work.ticket(number)
            && takes_part(ticket, from)
        {
            return Match::Ticket(work.survivor(number));
        }
        let heir = work.survivor(number);
        let newest_first: Vec<&Dissemination> = work.disseminations_of(&heir).collect();
        if let Some(number) = addressed_to(newest_first.into_iter().rev(), from) {
            return Match::Dissemination(number);
        }
    }
    if by_letter.is_empty() && tags.is_empty() {
        // A reference to somebody else's mail is no secret of ours. If it stopped the acknowledgement,
        // anybody could ask us whose mail we hold.
        let beside = world.referred_tickets.iter().find(|number| work.ticket(number).is_some());
        return beside.map_or(Match::None, |number| Match::Beside(number.clone()));
    }
    // A reference to a mail that the sender may honestly know of (a copied party's thread) is not
    // told apart from a guess: the analysts see both, the sender learns nothing.
    Match::Stranger(by_letter.into_iter().chain(tags).find(|number| work.ticket(number).is_some()))
}

/// The first of these that went to this address: one that is out before one that is not, or is over.
fn addressed_to<'d>(all: impl Iterator<Item = &'d Dissemination>, from: &Address) -> Option<DisseminationNumber> {
    let mut theirs: Vec<&Dissemination> = all.filter(|one| one.recipients.iter().any(|recipient| recipient.address == *from)).collect();
    theirs.sort_by_key(|one| !matches!(one.state, DisseminationState::Sending | DisseminationState::Sent));
    theirs.first().map(|one| one.number.clone())
}

fn takes_part(ticket: &Ticket, from: &Address) -> bool {
    ticket.reporter.as_ref() == Some(from) || ticket.participants.contains(from)
}

/// A reply of someone who takes part.
#[must_use]
pub fn follow_up(arrived: &Arrived<'_>, number: &TicketNumber, mut work: Work<'_>) -> Decision {
    let Some(ticket) = work.ticket(number).cloned() else { return report::open(arrived, Origin::Fresh, work) };
    let by = arrived.from().map_or_else(|| DAEMON.to_owned(), ToString::to_string);
    // Copied parties may add to a ticket and a forged sender is shown; only a reporter of the matter moves it.
    let is_doubtful = trust::is_doubtful(arrived);
    let part = trust::part(arrived, &ticket, &work);
    let may_move = part != Part::Copied && !is_doubtful;
    if may_move && let Some(decision) = survey_answer(arrived, &ticket, &by, &work) {
        return decision;
    }
    if ticket.state == State::Closed && may_move {
        let closed_at = ticket.closed_at.unwrap_or(ticket.updated_at);
        if work.desk.now.as_second() - closed_at.as_second() > REOPENS_WITHIN_DAYS * 86_400 {
            return report::open(arrived, Origin::Late(number.clone()), work);
        }
        reopen_ticket(&ticket, &by, &mut work);
    }
    note_message(arrived, number, &mut work);
    if let Part::OfMerged(own) = &part {
        // The answer to it goes out under that number, in the thread of that conversation.
        note_message(arrived, own, &mut work);
    }
    report::keep(arrived, number, &mut work);
    if let Some(mark) = arrived.told.tlp
        && Some(mark) > ticket.received_tlp
        && !is_doubtful
    {
        work.event(number, &by, TicketEvent::TlpReceived { mark }, mark.word());
    }
    if !is_doubtful {
        documents_came(arrived, number, &by, &mut work);
    }
    let stays = if is_doubtful {
        Some(work.desk.say("notice.doubtful", &[]))
    } else if ticket.state == State::Closed && !may_move {
        Some(work.desk.say("notice.stays_closed", &[]))
    } else {
        None
    };
    // Answers go out under the number that the writer reported.
    let own = if let Part::OfMerged(own) = &part { own } else { number };
    let key = candidate::keep(arrived, own, Moment::Later, &mut work);
    let attention: Vec<String> = stays.iter().cloned().chain(key).collect();
    notice(arrived, number, &part, attention, &mut work);
    let mut because = work.desk.say("file.joined", &[("number", &number.0)]);
    if let Some(stays) = stays {
        because = format!("{because}; {stays}");
    }
    work.file(arrived, Some(number.clone()), because)
}

fn documents_came(arrived: &Arrived<'_>, number: &TicketNumber, by: &str, work: &mut Work<'_>) {
    take_documents(arrived.documents.clone(), arrived.form.clone(), number, by, work);
}

/// Documents move a ticket that waited for them to verification, and start its clock (contract 8). `true`: they did.
pub fn take_documents(
    documents: BTreeSet<Document>,
    form: BTreeMap<String, String>,
    number: &TicketNumber,
    by: &str,
    work: &mut Work<'_>,
) -> bool {
    if documents.is_empty() && form.is_empty() {
        return false;
    }
    let (detail, brings) = (words(&documents).join(", "), !documents.is_empty());
    work.event(number, by, TicketEvent::DocumentsCame { documents, form }, detail);
    let waits = work.ticket(number).is_some_and(|ticket| matches!(ticket.state, State::New | State::AwaitingReporter));
    if waits && brings {
        work.event(number, by, TicketEvent::StateChanged { to: State::Verifying }, State::Verifying.word());
        start_clock(number, ClockName::Verification, work);
    }
    waits && brings
}

fn notice(arrived: &Arrived<'_>, number: &TicketNumber, part: &Part, attention: Vec<String>, work: &mut Work<'_>) {
    let Some(ticket) = work.ticket(number).cloned() else { return };
    let mail = &arrived.opened.mail;
    let mut fields = work.fields(Some(number));
    text(&mut fields, "from", arrived.from().map_or_else(String::new, ToString::to_string));
    text(&mut fields, "subject", one_line(&mail.subject));
    text(&mut fields, "text", report::said(arrived, work.desk));
    list(&mut fields, "documents", words(&arrived.documents));
    list(&mut fields, "evidence", report::evidence_lines(arrived, work));
    list(&mut fields, "missing", words(&ticket.missing()));
    list(&mut fields, "attachments", report::attachment_lines(arrived.opened));
    text(&mut fields, "trust", trust::words(arrived, Some(&ticket), work));
    let elsewhere = goes_elsewhere(part, &ticket, work);
    let lines: Vec<String> = attention.into_iter().chain(elsewhere).chain(report::warnings(arrived, work)).collect();
    text(&mut fields, "attention", lines.join("\n"));
    text(&mut fields, "state", ticket.state.word());
    list(&mut fields, "form", arrived.form.iter().map(|(name, value)| format!("{}: {}", work.desk.word("form", name), one_line(value))));
    text(&mut fields, "clock", super::act::running(&ticket, work));
    list(&mut fields, "commands", lines::of_follow_up(part, &ticket));
    let enclosures = report::enclosures(arrived.opened);
    work.notify(number, TemplateName::NoticeFollowup, &fields, &enclosures, arrived.from());
}

/// Whom `!balas` would reach, where that is somebody else than the one who wrote.
fn goes_elsewhere(part: &Part, ticket: &Ticket, work: &Work<'_>) -> Option<String> {
    let reporter = ticket.reporter.as_ref().map_or_else(|| work.desk.say("notice.nobody", &[]), ToString::to_string);
    match part {
        Part::Reporter => None,
        Part::OfMerged(own) => Some(work.desk.say("notice.answer_merged", &[("own", &own.0), ("reporter", &reporter)])),
        Part::Copied => Some(work.desk.say("notice.answer_copied", &[("reporter", &reporter)])),
    }
}

/// A robot's answer may be filed with a ticket and changes nothing (STANDARDS, RFC 3834).
#[must_use]
pub fn automatic(arrived: &Arrived<'_>, work: Work<'_>) -> Decision {
    let ticket = match matched(arrived, &work) {
        Match::Ticket(number) => Some(number),
        Match::Dissemination(number) => work.dissemination(&number).map(|one| work.survivor(&one.ticket)),
        Match::Stranger(_) | Match::Beside(_) | Match::None => None,
    };
    let because = arrived.recognised.because.clone();
    let mut work = work;
    if let Some(number) = &ticket {
        note_automatic(arrived, number, &mut work);
    }
    if ticket.is_some() { work.file(arrived, ticket, because) } else { work.file_for_digest(arrived, None, because) }
}

/// The robot's mail in the timeline, but not in the thread with the reporter.
fn note_automatic(arrived: &Arrived<'_>, number: &TicketNumber, work: &mut Work<'_>) {
    let mail = &arrived.opened.mail;
    let message_id = arrived.message_id().map_or_else(|| format!("{}@no-message-id.invalid", mail.sha256), str::to_owned);
    let event = TicketEvent::Message {
        direction: crate::model::ticket::Direction::In,
        kind: arrived.recognised.kind.word().to_owned(),
        message_id,
        at_reporter: AtReporter::No,
    };
    work.event(number, DAEMON, event, arrived.recognised.because.clone());
}

/// An answer to the survey is recorded and never reopens (contract 8, 10). `None`: it is none.
fn survey_answer(arrived: &Arrived<'_>, ticket: &Ticket, by: &str, work: &Work<'_>) -> Option<Decision> {
    let (answers, comment) = read_survey(&arrived.opened.mail.text.new);
    let complete = answers.iter().all(Option::is_some);
    let tried = answers.iter().any(Option::is_some);
    // The first is the one that it answers; a later mail of the thread names the survey as well, and
    // is an answer to it only where it bears marks.
    let of_ticket = work.world.letters.iter().filter(|letter| letter.ticket.as_ref() == Some(&ticket.number));
    let mut surveys = of_ticket.enumerate().filter(|(_, letter)| letter.kind == LetterKind::Survey).map(|(place, _)| place);
    let answers_survey = surveys.next().is_some_and(|place| place == 0 || tried);
    if !answers_survey || ticket.reporter.as_ref() != arrived.from() {
        return None;
    }
    let mut work = work.clone();
    note_message(arrived, &ticket.number, &mut work);
    if ticket.survey_answer.is_some() && tried {
        let because = work.desk.say("file.survey_twice", &[]);
        return Some(work.file(arrived, Some(ticket.number.clone()), because));
    }
    if complete {
        let answers: Vec<u8> = answers.into_iter().flatten().collect();
        let detail = answers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        work.event(&ticket.number, by, TicketEvent::SurveyAnswered { answers, comment }, detail);
        let because = work.desk.say("file.survey", &[]);
        return Some(work.file(arrived, Some(ticket.number.clone()), because));
    }
    if tried && !ticket.told.contains("survey_again") {
        work.event(&ticket.number, DAEMON, TicketEvent::Told { what: "survey_again".to_owned() }, "");
        let fields = work.fields(Some(&ticket.number));
        if let Some(letter) = work.fixed(&ticket.number, LetterKind::Survey, TemplateName::SurveyAgain, fields) {
            work.queue(letter, AtReporter::Yes);
        }
        let because = work.desk.say("file.survey_unclear", &[]);
        return Some(work.file(arrived, Some(ticket.number.clone()), because));
    }
    // Words instead of marks: a person reads them, and the ticket stays closed.
    report::keep(arrived, &ticket.number, &mut work);
    notice(arrived, &ticket.number, &Part::Reporter, Vec::new(), &mut work);
    let because = work.desk.say("file.survey_words", &[]);
    Some(work.file(arrived, Some(ticket.number.clone()), because))
}

/// The nine marks of a survey answer, `1: 4`, and whatever else was written.
#[must_use]
pub fn read_survey(answer: &str) -> ([Option<u8>; 9], String) {
    let mut marks = [None; 9];
    let mut comment = Vec::new();
    for line in answer.lines() {
        let digits: Vec<u8> = line.bytes().filter(u8::is_ascii_digit).map(|b| b - b'0').collect();
        let plain = line.chars().all(|c| c.is_ascii_digit() || c.is_whitespace() || ":=.)-–>".contains(c));
        match digits.as_slice() {
            [question @ 1..=9, mark @ 1..=4] if plain => {
                if let Some(slot) = marks.get_mut(usize::from(question - 1)) {
                    *slot = slot.or(Some(*mark));
                }
            }
            _ if line.trim().is_empty() => {}
            _ => comment.push(line.trim()),
        }
    }
    (marks, comment.join("\n"))
}

/// Whether the new text of a mail begins with one of the words of contract 9. "Terima kasih" thanks
/// and confirms nothing.
#[must_use]
pub fn begins_with_receipt(text: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase);
    let begins = text.trim_start().starts_with(char::is_alphanumeric);
    match (begins.then(|| words.next()).flatten().as_deref(), words.next().as_deref()) {
        (Some("terima"), next) => next != Some("kasih"),
        (Some(word), _) => ["diterima", "received"].contains(&word),
        (None, _) => false,
    }
}

/// The reply of a recipient that is no reply to the dissemination belongs to its ticket all the same.
#[must_use]
pub fn join_dissemination(arrived: &Arrived<'_>, dissemination: &Dissemination, what: String, mut work: Work<'_>) -> Decision {
    let number = work.survivor(&dissemination.ticket);
    tell_dissemination(arrived, dissemination, what.clone(), Vec::new(), About::Recipient, &mut work);
    work.file(arrived, Some(number), what)
}

/// What a recipient wrote stands with the ticket, and whoever has to do with that reads it; `first`: what it led to;
/// `about`: which lines may answer it.
pub fn tell_dissemination<'a>(
    arrived: &'a Arrived<'_>,
    dissemination: &Dissemination,
    what: String,
    first: Vec<String>,
    about: fn(&'a Address, Tlp) -> About<'a>,
    work: &mut Work<'_>,
) {
    let number = &work.survivor(&dissemination.ticket);
    note_message(arrived, number, work);
    report::keep(arrived, number, work);
    let from = arrived.from().map_or_else(String::new, ToString::to_string);
    let who = format!("{from}: {}", trust::words(arrived, None, work));
    let answer = work.desk.say("notice.answer_recipient", &[("address", &from), ("mark", &dissemination.tlp.label())]);
    let facts = first.into_iter().chain([who, answer]).chain(report::warnings(arrived, work)).collect();
    let words = report::said(arrived, work.desk);
    let about = arrived.from().map_or(About::Dissemination, |address| about(address, dissemination.tlp));
    work.notify_about(number, about, what, facts, &words);
}

/// Whether a mail that begins with the word says anything beside it: more text, or a file.
#[must_use]
pub fn says_more_than_receipt(arrived: &Arrived<'_>) -> bool {
    let mail = &arrived.opened.mail;
    act::files(arrived).next().is_some() || !mail.packed_text().trim().is_empty() || !is_bare_receipt(&mail.text.new)
}

/// The word, numbers of ours, thanks, a salutation, and a signature below its mark or below a closing formula. What
/// cannot be told to be one of these is something to read.
fn is_bare_receipt(text: &str) -> bool {
    const EMPTY: [&str; 30] = [
        "diterima",
        "terima",
        "received",
        "kasih",
        "terimakasih",
        "thanks",
        "thank",
        "you",
        "with",
        "baik",
        "sudah",
        "telah",
        "kami",
        "salam",
        "hormat",
        "regards",
        "best",
        "kind",
        "yth",
        "bapak",
        "ibu",
        "pak",
        "bu",
        "dengan",
        "tim",
        "rekan",
        "dan",
        "and",
        "dear",
        "team",
    ];
    const CLOSING: [&str; 8] =
        ["salam", "salam hormat", "hormat kami", "hormat saya", "regards", "best regards", "kind regards", "terima kasih"];
    let mut lines = text.lines().map(str::trim_end).take_while(|line| *line != "--").filter(|line| !line.is_empty());
    for line in lines.by_ref() {
        let words = |word: &&str| !EMPTY.contains(&word.to_lowercase().as_str());
        // A number of ours is of capitals, digits and hyphens alone.
        let is_number = |word: &str| word.contains('-') && word.chars().any(|c| c.is_ascii_digit());
        let plain = line.split_whitespace().filter(|word| !is_number(word.trim_matches(|c: char| !c.is_alphanumeric())));
        if plain.flat_map(|word| word.split(|c: char| !c.is_alphanumeric())).filter(|word| !word.is_empty()).any(|word| words(&word)) {
            return false;
        }
        if CLOSING.contains(&line.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase().as_str()) {
            break;
        }
    }
    // Below a closing formula a name may stand, as names are written, and no sentence.
    let is_name = |word: &str| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        let mut letters = word.chars();
        letters.next().is_none_or(char::is_uppercase) && (letters.all(char::is_lowercase) || word.chars().count() <= 4)
    };
    let below: Vec<&str> = lines.collect();
    below.len() <= 2 && below.iter().all(|line| line.split_whitespace().count() <= 4 && line.split_whitespace().all(is_name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_beside_the_word_is_told_from_courtesies() {
        for text in [
            "DITERIMA",
            "Diterima, terima kasih.",
            "DITERIMA DIS-2026-0007\n\nSalam,\nRina Wati\nSOC Bank",
            "Received with thanks\nBest regards,\nRina",
            "DITERIMA\n-- \nRina Wati, Kepala SOC, telp. 021-5550100",
        ] {
            assert!(is_bare_receipt(text), "{text}");
        }
        for text in [
            "DITERIMA, tetapi lampiran tidak dapat dibuka dan kami SUDAH DIRETAS, tolong hubungi segera.",
            "DITERIMA\n\nTolong!",
            "DITERIMA\nSalam,\nkami sudah diretas",
            "DITERIMA\nSalam,\nKAMI SUDAH DIRETAS",
            "DITERIMA\nSalam,\nRina\nSOC\nTolong Hubungi Kami",
            "DITERIMA 192.0.2.7",
            "Received. 5 machines hit.",
        ] {
            assert!(!is_bare_receipt(text), "{text}");
        }
    }

    #[test]
    fn thanks_confirm_nothing() {
        for text in ["DITERIMA", " Terima, sudah kami baca", "terima", "Received with thanks", "Diterima kasih"] {
            assert!(begins_with_receipt(text), "{text}");
        }
        for text in ["Terima kasih, kami pelajari", "terima  KASIH", "Terima\nkasih", "Terimakasih", "Belum diterima", "", "> DITERIMA"] {
            assert!(!begins_with_receipt(text), "{text}");
        }
    }
}
