//! The first answer to a report: whether it goes out, in which language, and by what it may go. Of
//! encrypted mail it may go by nothing that is inside.

use super::Origin;
use crate::decide::due::tell_chiefs;
use crate::decide::letters::{self, Speech, language_for, list, words};
use crate::decide::work::{DAEMON, Work};
use crate::decide::{Arrived, trust};
use crate::mail::kind::Headers;
use crate::mail::template::{Field, Fields, TemplateName};
use crate::model::effect::MailKind;
use crate::model::letter::{AutoSubmitted, LetterKind, Protection, Words};
use crate::model::ticket::{AtReporter, Ticket, TicketEvent, TicketNumber};
use crate::model::{Category, Language};
use std::collections::BTreeSet;

/// Whether the reporter hears at once.
pub(super) enum Answer {
    Now,
    Held(String),
    None(String),
}

/// Whether and when the sender is acknowledged (contract 4, RFC 3834 §2).
pub(super) fn answer(arrived: &Arrived<'_>, origin: &Origin, work: &Work<'_>) -> Answer {
    let (desk, policy) = (work.desk, work.desk.policy);
    let Some(from) = arrived.from() else { return Answer::None(desk.say("ack.no_sender", &[])) };
    if from.without_detail() == policy.center_address || policy.internal_units.iter().any(|unit| unit.address == *from) {
        return Answer::None(desk.say("ack.house", &[]));
    }
    if policy.person(from).is_some() {
        return Answer::None(desk.say("ack.house", &[]));
    }
    let recognised = arrived.recognised;
    let is_late = matches!(origin, Origin::Late(_));
    if let Origin::Replayed(seen) = origin {
        return Answer::None(desk.say("ack.replayed", &[("mail", &seen.mail.to_string())]));
    }
    if matches!(origin, Origin::Stranger(_)) || (recognised.kind == MailKind::Reply && !is_late) {
        return Answer::None(desk.say("ack.refers_to_us", &[]));
    }
    if let Headers::Forbid(because) = &recognised.headers {
        return Answer::None(because.clone());
    }
    if recognised.kind != MailKind::Report && !is_late {
        return Answer::None(recognised.answer_because.clone());
    }
    if arrived.found.category == Category::Spam && *origin != Origin::Promoted && !arrived.is_hidden() {
        return Answer::Held(desk.say("ack.perhaps_spam", &[]));
    }
    if trust::from_differs(arrived) {
        return Answer::Held(desk.say("ack.from_differs", &[]));
    }
    if let Headers::Hold(because) = &recognised.headers {
        return Answer::Held(because.clone());
    }
    if work.world.counters.acks_to_sender >= policy.ack_per_sender_per_day {
        let limit = policy.ack_per_sender_per_day.to_string();
        return Answer::None(desk.say("ack.sender_limit", &[("limit", &limit)]));
    }
    Answer::Now
}

/// What an acknowledgement may go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum About {
    /// The checklist names what is missing.
    Open,
    /// It came encrypted: the letter is the same whatever is in it, and whether or not it was opened.
    Hidden,
    /// Encrypted to none of our keys.
    ForOthers,
}

/// Queues the acknowledgement, or records why it is held or left out; returns what happened in words.
pub(super) fn acknowledge(number: &TicketNumber, answer: Answer, about: About, work: &mut Work<'_>) -> String {
    let held_because = match answer {
        Answer::None(because) => {
            let told = work.desk.say("ack.none", &[("because", &because)]);
            work.because(told.clone());
            return told;
        }
        Answer::Held(because) => Some(because),
        Answer::Now => None,
    };
    let fields = acknowledgement_fields(number, about, work);
    let is_for_others = about == About::ForOthers;
    let protection = if work.desk.policy.ack_sign { Protection::Signed } else { Protection::Plain };
    let speech = Speech {
        kind: LetterKind::Acknowledgement,
        template: if is_for_others { TemplateName::CannotDecrypt } else { TemplateName::Acknowledgement },
        text: String::new(),
        enclosures: Vec::new(),
        protection,
        tlp: None,
        words: Words::Fixed,
        auto_submitted: AutoSubmitted::Replied,
    };
    let Some(mut letter) = work.to_reporter(number, fields, speech) else { return String::new() };
    letter.held_because.clone_from(&held_because);
    letter.not_before = work.turn_of_acknowledgement();
    letter.encloses_certificate = is_for_others || work.world.is_first_letter;
    let waits = letter.not_before;
    let to = letter.to.clone();
    work.queue(letter, AtReporter::Yes);
    if waits.is_some() && held_because.is_none() {
        tell_of_the_wait(number, work);
    }
    let told = if let Some(because) = held_because {
        let told = work.desk.say("ack.held", &[("because", &because)]);
        work.event(number, DAEMON, TicketEvent::AcknowledgementHeld { because }, told.clone());
        told
    } else {
        let told = match waits {
            Some(at) => work.desk.say("ack.waits", &[("until", &at.to_string())]),
            None => work.desk.say("ack.queued", &[("to", to.as_str())]),
        };
        work.event(number, DAEMON, TicketEvent::Acknowledged, told.clone());
        told
    };
    work.because(told.clone());
    told
}

/// The chief hears of it when the acknowledgements of an hour begin to wait (contract 2), not at each.
fn tell_of_the_wait(number: &TicketNumber, work: &mut Work<'_>) {
    let (policy, counters) = (work.desk.policy, work.world.counters);
    if counters.acks_to_domain == policy.ack_per_domain_per_hour || counters.acks == policy.ack_per_hour {
        let what = work.desk.say("notice.acknowledgements_wait", &[]);
        let facts = vec![
            format!("{} / {}", counters.acks_to_domain, policy.ack_per_domain_per_hour),
            format!("{} / {}", counters.acks, policy.ack_per_hour),
        ];
        tell_chiefs(number, &what, facts, work);
    }
}

/// The fields of an acknowledgement: number and checklist, nothing of the report.
fn acknowledgement_fields(number: &TicketNumber, about: About, work: &Work<'_>) -> Fields {
    let mut fields = work.fields(Some(number));
    let missing = match about {
        About::Open => work.ticket(number).map(Ticket::missing).unwrap_or_default(),
        About::Hidden | About::ForOthers => crate::model::document::missing(&BTreeSet::new()),
    };
    letters::set(&mut fields, "is_hidden", Field::Flag(about == About::Hidden));
    letters::set(&mut fields, "has_missing", Field::Flag(!missing.is_empty()));
    list(&mut fields, "missing", words(&missing));
    fields
}

/// The language to write to the sender in. Of encrypted mail only what stands outside is gone by, so
/// that the answer tells nothing of what is inside.
pub(super) fn language_of(arrived: &Arrived<'_>, work: &Work<'_>) -> Language {
    let house = work.desk.policy.language;
    if !arrived.is_hidden() {
        return language_for(arrived.told.language, house);
    }
    let outside = ["Content-Language", "Accept-Language"].iter().flat_map(|name| arrived.opened.mail.header_values(name)).next();
    let tag: String =
        outside.unwrap_or_default().trim().chars().take_while(char::is_ascii_alphabetic).collect::<String>().to_ascii_lowercase();
    match tag.as_str() {
        "en" => Language::En,
        // ISO 639 called Indonesian "in" until 1989, and some programs still do.
        "id" | "in" => Language::Id,
        _ => house.of_answer(),
    }
}
