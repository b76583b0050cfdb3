//! Letters as the core makes them: who gets which words, under which subject, with which
//! protection. The words themselves are templates.

pub mod lines;

use super::Desk;
use super::work::Work;
use crate::mail::Mail;
use crate::mail::template::{Field, Fields, TemplateName};
use crate::model::letter::{AutoSubmitted, Enclosure, Letter, LetterKind, Protection, Words};
use crate::model::policy::{Calendar, Person, Policy};
use crate::model::ticket::{AtReporter, Ticket, TicketNumber};
use crate::model::{Address, Document, Language, Tlp};
use jiff::SignedDuration;
use lines::About;
use std::collections::BTreeSet;

/// The keyed token in an address that the mail came to, where `plus_addresses` is on: what
/// stands between `+` and `@` of an address of ours.
#[must_use]
pub fn token_of(mail: &Mail, policy: &Policy) -> Option<String> {
    if !policy.plus_addresses {
        return None;
    }
    let center = &policy.center_address;
    let delivered = ["Delivered-To", "X-Original-To"].iter().flat_map(|name| mail.header_values(name)).filter_map(Address::parse);
    let addressed = mail.to.iter().chain(&mail.cc).filter_map(|mailbox| mailbox.address.clone());
    delivered
        .chain(addressed)
        .find(|address| address.domain() == center.domain() && address.without_detail() == center.without_detail() && address != center)
        .and_then(|address| address.local().split_once('+').map(|(_, token)| token.to_owned()))
}

/// Puts a value into the fields.
pub fn set(fields: &mut Fields, name: &'static str, field: Field) {
    *fields = std::mem::take(fields).with(name, field);
}

/// Puts a text into the fields.
pub fn text(fields: &mut Fields, name: &'static str, value: impl Into<String>) {
    set(fields, name, Field::Text(value.into()));
}

/// Puts a list into the fields.
pub fn list(fields: &mut Fields, name: &'static str, values: impl IntoIterator<Item = String>) {
    set(fields, name, Field::List(values.into_iter().collect()));
}

/// The contract's words of documents.
#[must_use]
pub fn words(documents: &BTreeSet<Document>) -> Vec<String> {
    documents.iter().map(|document| document.word().to_owned()).collect()
}

/// A speech to a reporter.
#[derive(Debug, Clone)]
pub struct Speech {
    pub kind: LetterKind,
    pub template: TemplateName,
    pub text: String,
    pub enclosures: Vec<Enclosure>,
    pub protection: Protection,
    pub tlp: Option<Tlp>,
    pub words: Words,
    pub auto_submitted: AutoSubmitted,
}

/// A letter as the receipt shows it: exactly what goes out.
#[must_use]
pub fn shown(letter: &Letter, desk: Desk<'_>) -> String {
    let line = |key: &str, value: &str| format!("{}: {value}\n", desk.say(&format!("shown.{key}"), &[]));
    let mut lines = line("to", letter.to.as_str()) + &line("subject", &letter.subject);
    if matches!(letter.protection, Protection::Sealed { .. }) {
        lines += &line("outside", &letter.outer_subject);
    }
    for file in &letter.enclosures {
        lines += &line("attachment", &enclosure_line(file));
    }
    format!("{lines}\n{}", letter.text)
}

/// A file that goes along, in one line.
#[must_use]
pub fn enclosure_line(file: &Enclosure) -> String {
    format!("{} · {} · SHA-256 {}", file.name, file.media_type, file.sha256)
}

impl Desk<'_> {
    /// The fields that every template has.
    #[must_use]
    pub fn fields(&self, ticket: Option<&TicketNumber>) -> Fields {
        let policy = self.policy;
        let mut fields = Fields::new();
        text(&mut fields, "center_name", &policy.center_name);
        text(&mut fields, "center_address", policy.center_address.as_str());
        text(&mut fields, "number", ticket.map_or_else(String::new, ToString::to_string));
        text(&mut fields, "tag", ticket.map_or_else(String::new, TicketNumber::tag));
        // Begun hours are promised whole.
        let hours = |term: std::time::Duration| Field::Number(i64::try_from(term.as_secs().div_ceil(3_600)).unwrap_or(i64::MAX));
        set(&mut fields, "verification_hours", hours(policy.sla_verification));
        set(&mut fields, "analysis_hours", hours(policy.sla_analysis));
        set(&mut fields, "in_working_hours", Field::Flag(policy.calendar != Calendar::Continuous));
        fields
    }

    /// The address token of a letter, where addresses can carry one.
    #[must_use]
    pub fn token(&self, message_id: &str) -> Option<String> {
        self.policy.plus_addresses.then(|| self.key.digits("address", message_id))
    }
}

impl Work<'_> {
    /// The fields that every template has.
    #[must_use]
    pub fn fields(&self, ticket: Option<&TicketNumber>) -> Fields {
        self.desk.fields(ticket)
    }

    /// The protection of a fixed letter, which carries nothing of the report.
    #[must_use]
    pub fn fixed_letter(&self) -> Protection {
        Protection::Signed
    }

    /// A letter to the reporter of a ticket, in the ticket's language and thread. `None` where
    /// the ticket has no reporter with an address.
    pub fn to_reporter(&mut self, number: &TicketNumber, fields: Fields, speech: Speech) -> Option<Letter> {
        let ticket = self.ticket(number)?.clone();
        let to = ticket.reporter.clone()?;
        let message_id = self.next_message_id(speech.kind.word());
        let rendered = self.desk.templates.render(speech.template, ticket.language, &fields);
        Some(Letter {
            kind: speech.kind,
            to,
            to_name: String::new(),
            ticket: Some(number.clone()),
            dissemination: None,
            in_reply_to: ticket.thread.last().cloned(),
            references: ticket.thread.clone(),
            outer_subject: number.tag(),
            subject: rendered.subject,
            text: rendered.text,
            html: rendered.html,
            enclosures: speech.enclosures,
            auto_submitted: speech.auto_submitted,
            protection: speech.protection,
            tlp: speech.tlp,
            words: speech.words,
            language: ticket.language,
            token: self.token(&message_id),
            message_id,
            encloses_certificate: false,
            held_because: None,
            not_before: None,
        })
    }

    /// A fixed letter to the reporter: nothing of the report in it, signed, by a clock or a command.
    pub fn fixed(&mut self, number: &TicketNumber, kind: LetterKind, template: TemplateName, fields: Fields) -> Option<Letter> {
        let protection = self.fixed_letter();
        let auto_submitted = AutoSubmitted::Generated;
        let (tlp, words) = (None, Words::Fixed);
        let speech = Speech { kind, template, text: String::new(), enclosures: Vec::new(), protection, tlp, words, auto_submitted };
        self.to_reporter(number, fields, speech)
    }

    /// A letter to an analyst or a chief: encrypted to the certificate that the configuration
    /// names, threaded below the first notice of the same ticket.
    pub fn to_person(
        &mut self,
        person: &Person,
        ticket: Option<&TicketNumber>,
        kind: LetterKind,
        template: TemplateName,
        fields: &Fields,
    ) -> Letter {
        let policy = self.desk.policy;
        let rendered = self.desk.templates.render(template, policy.language, fields);
        let root = ticket.map(|number| self.notice_root(person, number));
        let message_id = if template == TemplateName::NoticeNew {
            root.clone().unwrap_or_else(|| self.next_message_id(kind.word()))
        } else {
            self.next_message_id(kind.word())
        };
        let above = root.filter(|root| *root != message_id);
        let neutral = self.desk.say("outer.notice", &[]);
        Letter {
            kind,
            to: person.address.clone(),
            to_name: person.name.clone(),
            ticket: ticket.cloned(),
            dissemination: None,
            in_reply_to: above.clone(),
            references: above.into_iter().collect(),
            subject: rendered.subject,
            outer_subject: ticket.map_or_else(|| neutral.clone(), |number| format!("{} {neutral}", number.tag())),
            text: rendered.text,
            html: rendered.html,
            enclosures: Vec::new(),
            auto_submitted: AutoSubmitted::Generated,
            protection: Protection::Sealed { recipient: person.fingerprint.clone() },
            tlp: None,
            words: Words::Written,
            language: policy.language,
            token: self.token(&message_id),
            message_id,
            encloses_certificate: false,
            held_because: None,
            not_before: None,
        }
    }

    /// Queues the same notice to each of the ticket's audience but the one who caused it.
    pub fn notify(
        &mut self,
        number: &TicketNumber,
        template: TemplateName,
        fields: &Fields,
        enclosures: &[Enclosure],
        but: Option<&Address>,
    ) {
        let ticket = self.ticket(number).cloned();
        for person in self.audience(ticket.as_ref()) {
            if but == Some(&person.address) {
                continue;
            }
            let mut letter = self.to_person(person, Some(number), LetterKind::Notice, template, fields);
            letter.enclosures = enclosures.to_vec();
            self.queue(letter, AtReporter::No);
        }
    }

    /// Tells the audience of a ticket about one event of the ticket.
    pub fn notify_event(&mut self, number: &TicketNumber, what: String, facts: Vec<String>, words: &str, but: Option<&Address>) {
        let fields = self.event_fields(number, About::Ticket, what, facts, words);
        self.notify(number, TemplateName::NoticeEvent, &fields, &[], but);
    }

    /// Tells the audience of a ticket about one event that concerns somebody else than its reporter.
    pub fn notify_about(&mut self, number: &TicketNumber, about: About<'_>, what: String, facts: Vec<String>, words: &str) {
        let fields = self.event_fields(number, about, what, facts, words);
        self.notify(number, TemplateName::NoticeEvent, &fields, &[], None);
    }

    /// The fields of an event notice.
    #[must_use]
    pub fn event_fields(&self, number: &TicketNumber, about: About<'_>, what: String, facts: Vec<String>, words: &str) -> Fields {
        let mut fields = self.fields(Some(number));
        text(&mut fields, "what", what);
        list(&mut fields, "facts", facts);
        text(&mut fields, "text", words);
        list(&mut fields, "commands", lines::of_event(about, self.ticket(number)));
        fields
    }

    /// The Message-ID of the first notice of a ticket to a person: the head of that person's thread.
    fn notice_root(&self, person: &Person, number: &TicketNumber) -> String {
        let cause = format!("root\0{number}\0{}", person.address);
        self.desk.key.message_id(LetterKind::Notice.word(), &cause, self.desk.policy.center_address.domain())
    }

    /// The address token of a letter, where addresses can carry one.
    #[must_use]
    pub fn token(&self, message_id: &str) -> Option<String> {
        self.desk.token(message_id)
    }

    /// When an acknowledgement may go out: at once, or when its turn comes (contract 2: past the
    /// limits of a domain and of the whole they wait in the outbox). `None` is at once.
    #[must_use]
    pub fn turn_of_acknowledgement(&self) -> Option<jiff::Timestamp> {
        let (policy, counters) = (self.desk.policy, self.world.counters);
        let hours = |count: u32, limit: u32| i64::from(count.checked_div(limit).unwrap_or(count));
        let wait = hours(counters.acks_to_domain, policy.ack_per_domain_per_hour).max(hours(counters.acks, policy.ack_per_hour));
        (wait > 0).then(|| self.desk.now.checked_add(SignedDuration::from_hours(wait)).unwrap_or(self.desk.now))
    }
}

/// A new ticket on one line, for the digest of many.
#[must_use]
pub fn new_line(ticket: &Ticket, from: &str, attention: &str, work: &Work<'_>) -> String {
    let word = |kind: &str, word: &str| work.desk.templates.phrase(work.desk.policy.language, &format!("{kind}.{word}"), &[]);
    let mark = ticket.tlp.map_or_else(String::new, |mark| format!(" · {}", mark.label()));
    let category = word("category", ticket.category.word());
    let priority = word("priority", ticket.priority.word());
    let state = word("state", ticket.state.word());
    let mut line = format!("{} · {category} · {priority}{mark} · {state}\n{from} · {}", ticket.number, ticket.subject);
    if !attention.trim().is_empty() {
        line.push_str(&format!("\n{}", attention.trim()));
    }
    line
}

/// Ready-made commands; the template puts the line that names the ticket before each (contract 5).
#[must_use]
pub fn commands(verbs: &[&str]) -> Vec<String> {
    verbs.iter().map(|verb| (*verb).to_owned()).collect()
}

/// The language to write to the reporter in.
#[must_use]
pub fn language_for(found: Language, house: Language) -> Language {
    match found {
        Language::Unknown => house.of_answer(),
        other => other.of_answer(),
    }
}

/// Whether the ticket's reporter has ever been written to, so that closing and survey may follow.
#[must_use]
pub fn may_write(ticket: &Ticket) -> bool {
    ticket.acknowledged && ticket.reporter.is_some()
}
