//! A report becomes a ticket: its number, its first state, its acknowledgement or the reason why
//! there is none, and the notice to the analysts.

mod acknowledge;
mod notice;
mod odd;
mod said;

use super::Arrived;
use super::candidate;
use super::letters::{language_for, words};
use super::trust;
use super::work::{DAEMON, Work};
use crate::model::calendar;
use crate::model::clock::{Clock, ClockName};
use crate::model::effect::{Decision, Effect, Kept, MailKind};
use crate::model::snapshot::SeenPlaintext;
use crate::model::ticket::{AtReporter, Channel, Direction, Priority, Service, State, Ticket, TicketEvent, TicketNumber};
use crate::model::{Category, InboxId};
use acknowledge::{About, Answer, acknowledge, answer, language_of};
use notice::{judged, notice_new};
use std::collections::{BTreeMap, BTreeSet};

pub use notice::{attachment_lines, defanged, enclosure, enclosures, evidence_lines, indicators, reasons};
pub use odd::lines as damage_lines;
pub use said::{quoted, said, stored};

/// Tickets of one sender in a day before more of its mail is joined, in daily acknowledgements.
const FLOOD_FACTOR: u32 = 10;
/// As many tickets a day has any sender, however few acknowledgements.
const FLOOD_TICKETS_MIN: u32 = 20;

/// Why a ticket opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A new report.
    Fresh,
    /// The mail refers to a ticket in which its sender takes no part: the sender learns nothing of it.
    Stranger(Option<TicketNumber>),
    /// A reporter's reply that came more than 14 days after closing.
    Late(TicketNumber),
    /// It answers a stored mail of this ticket, in which its sender takes no part, and names nothing
    /// of ours: answered as any report, so that nobody can ask which mail we hold.
    Beside(TicketNumber),
    /// The same encrypted text came before from another sender.
    Replayed(SeenPlaintext),
    /// `!angkat`: an analyst made a ticket of a mail that was filed without one.
    Promoted,
}

/// Opens a ticket for the mail.
#[must_use]
pub fn open(arrived: &Arrived<'_>, origin: Origin, mut work: Work<'_>) -> Decision {
    let number = open_ticket(arrived, &origin, &mut work);
    let because = match &origin {
        Origin::Fresh | Origin::Promoted | Origin::Beside(_) => work.desk.say("file.opened", &[("number", &number.0)]),
        Origin::Stranger(None) => work.desk.say("file.stranger_unknown", &[("number", &number.0)]),
        Origin::Stranger(Some(other)) => work.desk.say("file.stranger", &[("number", &number.0), ("other", &other.0)]),
        Origin::Replayed(seen) => work.desk.say("file.replayed", &[("number", &number.0), ("mail", &seen.mail.to_string())]),
        Origin::Late(other) => work.desk.say("file.late", &[("number", &number.0), ("other", &other.0)]),
    };
    work.file(arrived, Some(number), because)
}

/// The ticket with its events, acknowledgement and notices; `!angkat` uses it as well.
pub fn open_ticket(arrived: &Arrived<'_>, origin: &Origin, work: &mut Work<'_>) -> TicketNumber {
    let number = work.world.next_ticket.clone();
    let mail = &arrived.opened.mail;
    let answer = answer(arrived, origin, work);
    let asked = matches!(answer, Answer::Now);
    let mut ticket = blank(&number, work);
    ticket.category = arrived.found.category;
    ticket.priority = arrived.found.priority;
    ticket.tlp = arrived.told.tlp;
    ticket.received_tlp = arrived.told.tlp;
    ticket.subject = one_line(&mail.subject);
    // Whoever captured another's mail becomes nobody's reporter: no letter of this ticket can go there.
    if !matches!(origin, Origin::Replayed(_)) {
        ticket.reporter = arrived.from().cloned();
        ticket.reporter_name = arrived.from_name();
        ticket.participants = participants(arrived, work);
    }
    ticket.language = language_of(arrived, work);
    ticket.documents = arrived.documents.clone();
    ticket.form = arrived.form.clone();
    ticket.state = match (ticket.documents.is_empty(), asked) {
        (false, _) => State::Verifying,
        (true, true) => State::AwaitingReporter,
        (true, false) => State::New,
    };
    let documents_here = !ticket.documents.is_empty();
    let missing = ticket.missing();
    let opened =
        work.desk.say("event.opened", &[("subject", &ticket.subject), ("category", &work.desk.word("category", ticket.category.word()))]);
    let explained = arrived.explained();
    let detail: Vec<String> = [opened, judged(&explained, work)].into_iter().chain(origin.words(arrived, work)).collect();
    let detail = detail.join("; ");
    work.event(&number, DAEMON, TicketEvent::Opened(Box::new(ticket)), detail);
    note_message(arrived, &number, work);
    if documents_here {
        start_clock(&number, ClockName::Verification, work);
    }
    if let Some(other) = origin.other() {
        work.event(&number, DAEMON, TicketEvent::Linked { to: other.clone() }, other.to_string());
    }
    keep(arrived, &number, work);
    // Only mail encrypted to none of our keys is answered with how to send it again; damaged mail gets
    // the ordinary words, so that nobody can ask us what decrypts (ATTACKS P17).
    let about = match (arrived.opened.findings.is_for_others, arrived.is_hidden()) {
        (true, _) => About::ForOthers,
        (false, true) => About::Hidden,
        (false, false) => About::Open,
    };
    let told = acknowledge(&number, answer, about, work);
    if asked && !missing.is_empty() {
        let detail = words(&missing).join(", ");
        work.event(&number, DAEMON, TicketEvent::DocumentsAsked { documents: missing }, detail);
    }
    let key = candidate::keep(arrived, &number, candidate::Moment::Opening, work);
    let attention = attention(arrived, origin, key, work);
    notice_new((arrived, &explained), origin, &number, &told, attention, work);
    number
}

impl Origin {
    /// The ticket that the new one is linked with.
    const fn other(&self) -> Option<&TicketNumber> {
        match self {
            Self::Late(other) | Self::Stranger(Some(other)) | Self::Beside(other) => Some(other),
            Self::Replayed(seen) => seen.ticket.as_ref(),
            Self::Fresh | Self::Promoted | Self::Stranger(None) => None,
        }
    }

    /// What the analysts must know of why the ticket stands by itself.
    fn words(&self, arrived: &Arrived<'_>, work: &Work<'_>) -> Option<String> {
        let desk = work.desk;
        match self {
            Self::Late(other) | Self::Stranger(Some(other)) => Some(desk.say("notice.other_ticket", &[("other", &other.0)])),
            Self::Stranger(None) => {
                let tags: Vec<String> = arrived.tags(&desk.policy.ticket_prefix).iter().map(ToString::to_string).collect();
                Some(desk.say("notice.no_such_ticket", &[("numbers", &tags.join(", "))]))
            }
            Self::Beside(other) => Some(desk.say("notice.beside", &[("other", &other.0)])),
            Self::Replayed(seen) => Some(trust::replay_warning(seen, work)),
            Self::Fresh | Self::Promoted => None,
        }
    }
}

/// What analysts must see before anything else in the notice of a new ticket.
fn attention(arrived: &Arrived<'_>, origin: &Origin, key: Option<String>, work: &Work<'_>) -> String {
    let mut lines: Vec<String> = origin.words(arrived, work).into_iter().collect();
    lines.extend(warnings(arrived, work));
    lines.extend(key);
    lines.join("\n")
}

/// What is doubtful about a mail, whatever it belongs to.
#[must_use]
pub fn warnings(arrived: &Arrived<'_>, work: &Work<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    if trust::from_differs(arrived) {
        lines.push(work.desk.say("notice.from_differs", &[]));
    }
    lines.extend(trust::replayed_file(arrived, work).map(|seen| trust::replay_warning(seen, work)));
    // Outside an encryption stand neutral words; another subject outside a signature was put there by somebody.
    let outside = arrived.opened.findings.outer_subject.as_ref().filter(|_| !arrived.is_hidden());
    lines.extend(outside.map(|subject| work.desk.say("notice.outside_said", &[("subject", &one_line(subject))])));
    lines
}

/// The open ticket that takes up what more this sender writes today: past ten times the acknowledgements
/// of a day, a notice a mail would bury everybody else's. `None`: the mail gets a ticket of its own.
#[must_use]
pub fn flooded(arrived: &Arrived<'_>, work: &Work<'_>) -> Option<TicketNumber> {
    let limit = work.desk.policy.ack_per_sender_per_day.saturating_mul(FLOOD_FACTOR).max(FLOOD_TICKETS_MIN);
    let number = work.world.newest_of_sender.as_ref()?;
    let is_flood = arrived.recognised.kind == MailKind::Report && work.world.counters.tickets_of_sender >= limit;
    let is_known = trust::is_signed_by_pinned(arrived, work);
    (is_flood && !is_known && work.ticket(number)?.state.is_open()).then(|| number.clone())
}

/// Keeps a mail of a flood with the ticket that takes it up. Each hour the analysts see one of them, and one of
/// each kind of sender: after a flood of forged mail the honest one differs by its trust, or by coming later.
#[must_use]
pub fn join_flood(arrived: &Arrived<'_>, number: &TicketNumber, mut work: Work<'_>) -> Decision {
    let from = arrived.from().map_or_else(|| DAEMON.to_owned(), ToString::to_string);
    let mail = &arrived.opened.mail;
    let message_id = arrived.message_id().map_or_else(|| format!("{}@no-message-id.invalid", mail.sha256), str::to_owned);
    let kind = arrived.recognised.kind.word().to_owned();
    let event = TicketEvent::Message { direction: Direction::In, kind, message_id, at_reporter: AtReporter::No };
    work.event(number, &from, event, one_line(&mail.subject));
    keep(arrived, number, &mut work);
    if let Some(mark) = arrived.told.tlp
        && work.ticket(number).is_some_and(|ticket| Some(mark) > ticket.received_tlp)
    {
        work.event(number, &from, TicketEvent::TlpReceived { mark }, mark.word());
    }
    let because = work.desk.say("file.flood", &[("number", &number.0), ("from", &from)]);
    let told = format!("flood {} {}", trust::level(arrived), work.desk.now.as_second().div_euclid(3_600));
    if work.ticket(number).is_some_and(|ticket| !ticket.told.contains(&told)) {
        work.event(number, DAEMON, TicketEvent::Told { what: told }, because.clone());
        let facts = [one_line(&mail.subject), format!("{from}: {}", trust::words(arrived, None, &work))];
        let facts = facts.into_iter().chain(warnings(arrived, &work)).collect();
        work.notify_event(number, because.clone(), facts, &said(arrived, work.desk), None);
    }
    work.file(arrived, Some(number.clone()), because)
}

/// The reporter and whoever was copied, but for the house itself: they may write under the tag.
fn participants(arrived: &Arrived<'_>, work: &Work<'_>) -> BTreeSet<crate::model::Address> {
    let policy = work.desk.policy;
    let mail = &arrived.opened.mail;
    let copied = mail.to.iter().chain(&mail.cc).filter_map(|mailbox| mailbox.address.clone());
    // A report with hundreds of addresses is a circular, whose readers are no parties to the ticket.
    let copied = copied.filter(|address| address.without_detail() != policy.center_address && policy.person(address).is_none()).take(20);
    arrived.from().cloned().into_iter().chain(copied).collect()
}

/// A ticket with nothing in it yet.
#[must_use]
pub fn blank(number: &TicketNumber, work: &Work<'_>) -> Ticket {
    let now = work.desk.now;
    Ticket {
        number: number.clone(),
        state: State::New,
        former_state: State::New,
        service: Service::Complaint,
        category: Category::Other,
        priority: Priority::Medium,
        tlp: None,
        received_tlp: None,
        subject: String::new(),
        reporter: None,
        reporter_name: String::new(),
        participants: BTreeSet::new(),
        language: work.desk.policy.language,
        channel: Channel::Email,
        assignee: None,
        opened_at: now,
        updated_at: now,
        closed_at: None,
        touched_at: None,
        documents: BTreeSet::new(),
        form: BTreeMap::new(),
        was_asked: false,
        clocks: vec![Clock::waiting(ClockName::Verification), Clock::waiting(ClockName::Analysis), Clock::waiting(ClockName::Survey)],
        links: BTreeSet::new(),
        merged_into: None,
        thread: Vec::new(),
        reminders: 0,
        asked_at: None,
        asked: BTreeSet::new(),
        acknowledgement_held: None,
        acknowledged: false,
        survey_answer: None,
        survey_sent: false,
        told: BTreeSet::new(),
    }
}

/// Starts a clock of the service standard, unless it runs or was met.
pub fn start_clock(number: &TicketNumber, name: ClockName, work: &mut Work<'_>) {
    let Some(clock) = work.ticket(number).map(|ticket| ticket.clock(name)) else { return };
    if clock.started_at.is_some() && clock.met_at.is_none() {
        return;
    }
    let clock = calendar::started(name, work.desk.now, work.desk.policy);
    let due = clock.due_at.map_or_else(String::new, |due| super::act::local(due, work));
    let detail = work.desk.say("clock.started", &[("clock", name.word()), ("due", &due)]);
    work.event(number, DAEMON, TicketEvent::ClockSet { clock }, detail);
}

/// The incoming message in the ticket's thread and conversation.
pub fn note_message(arrived: &Arrived<'_>, number: &TicketNumber, work: &mut Work<'_>) {
    let mail = &arrived.opened.mail;
    // Without a Message-ID of its own the mail is known by its hash, which no thread refers to.
    let message_id = arrived.message_id().map_or_else(|| format!("{}@no-message-id.invalid", mail.sha256), str::to_owned);
    let at_reporter = match work.ticket(number).and_then(|ticket| ticket.reporter.as_ref()) {
        // A forged sender's identifier gets no place in what we write to the reporter.
        Some(reporter) if Some(reporter) == arrived.from() && arrived.message_id().is_some() && !trust::is_doubtful(arrived) => {
            AtReporter::Yes
        }
        _ => AtReporter::No,
    };
    let event = TicketEvent::Message { direction: Direction::In, kind: arrived.recognised.kind.word().to_owned(), message_id, at_reporter };
    let from = arrived.from().map_or_else(String::new, ToString::to_string);
    work.event(number, if from.is_empty() { DAEMON } else { &from }, event, one_line(&mail.subject));
}

/// Attachments and indicators of the mail stay with the ticket.
pub fn keep(arrived: &Arrived<'_>, number: &TicketNumber, work: &mut Work<'_>) {
    let mail = &arrived.opened.mail;
    let documents = arrived.attachment_documents.iter().copied().chain(std::iter::repeat(None));
    let files = mail.attachments.iter().zip(documents).filter(|(attachment, _)| !attachment.is_layout);
    // A file that was encrypted by itself is kept both as it came and as it was opened.
    let files = files.chain(arrived.opened.opened_files.iter().map(|file| (file, None)));
    let attachments: Vec<Kept> = files.map(|(file, document)| Kept { enclosure: enclosure(file), document }).collect();
    let indicators = arrived.told.indicators.clone();
    if !attachments.is_empty() || indicators != crate::model::effect::Indicators::default() {
        work.effect(Effect::Keep { ticket: number.clone(), attachments, indicators });
    }
}

/// A ticket for a mail that the program could not process.
pub fn open_unreadable(id: InboxId, because: &str, work: &mut Work<'_>) -> TicketNumber {
    let number = work.world.next_ticket.clone();
    let mut ticket = blank(&number, work);
    ticket.subject = work.desk.say("subject.unreadable", &[("mail", &id.to_string())]);
    let subject = ticket.subject.clone();
    work.event(&number, DAEMON, TicketEvent::Opened(Box::new(ticket)), subject.clone());
    work.because(because);
    work.notify_event(&number, subject, vec![because.to_owned()], "", None);
    number
}

/// A subject on one line, at most 200 characters.
#[must_use]
pub fn one_line(subject: &str) -> String {
    subject.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect()
}

/// Whether the address of a registered report is acknowledged: not the house itself, and not past the
/// limit of a sender (contract 2). The number stands in the receipt in any case.
fn answer_registered(address: &crate::model::Address, work: &Work<'_>) -> Answer {
    let (desk, policy) = (work.desk, work.desk.policy);
    let is_house = address.without_detail() == policy.center_address
        || policy.person(address).is_some()
        || policy.internal_units.iter().any(|unit| unit.address == *address);
    if is_house {
        return Answer::None(desk.say("ack.house", &[]));
    }
    if work.world.counters.acks_to_sender >= policy.ack_per_sender_per_day {
        return Answer::None(desk.say("ack.sender_limit", &[("limit", &policy.ack_per_sender_per_day.to_string())]));
    }
    Answer::Now
}

/// A report that came by another channel, written down by an analyst (contract 5, `!catatkan`).
pub fn register(
    channel: Channel,
    address: Option<&crate::model::Address>,
    report: &str,
    job: &super::act::Job<'_>,
    work: &mut Work<'_>,
) -> TicketNumber {
    let number = work.world.next_ticket.clone();
    let found = job.arrived.found;
    let by = job.person.address.as_str();
    let mut ticket = blank(&number, work);
    ticket.channel = channel;
    ticket.category = found.category;
    ticket.priority = found.priority;
    ticket.tlp = job.mark;
    ticket.received_tlp = job.mark;
    ticket.subject = one_line(report.lines().next().unwrap_or_default()).chars().take(120).collect();
    ticket.reporter = address.cloned();
    ticket.participants = address.cloned().into_iter().collect();
    ticket.language = language_for(job.arrived.told.language, work.desk.policy.language);
    let answer = address.map(|address| answer_registered(address, work));
    let is_asked = matches!(answer, Some(Answer::Now));
    ticket.state = if is_asked { State::AwaitingReporter } else { State::New };
    ticket.assignee = None;
    let missing = ticket.missing();
    let subject = ticket.subject.clone();
    work.event(&number, by, TicketEvent::Opened(Box::new(ticket)), subject);
    work.event(&number, by, TicketEvent::Noted { text: report.to_owned() }, one_line(report));
    if let Some(answer) = answer {
        acknowledge(&number, answer, About::Open, work);
        if is_asked {
            let detail = words(&missing).join(", ");
            work.event(&number, by, TicketEvent::DocumentsAsked { documents: missing }, detail);
        }
    }
    // Whoever wrote it down has the receipt; the others hear of it as of any other ticket (contract 8).
    let what = work.desk.say("event.registered", &[("channel", channel.word()), ("by", by)]);
    work.notify_event(&number, what, Vec::new(), report, Some(&job.person.address));
    number
}
