//! A decision in the making: the world as it was, with the effects so far applied to a copy, so
//! that the second command of a mail sees what the first one did.

use super::{Arrived, Desk, report};
use crate::model::dissemination::{Addressed, Dissemination, DisseminationNumber};
use crate::model::effect::{Decision, Effect, Filing, MailKind};
use crate::model::letter::{Letter, LetterKind};
use crate::model::policy::Person;
use crate::model::snapshot::Snapshot;
use crate::model::ticket::{AtReporter, Direction, Ticket, TicketEvent, TicketNumber};
use crate::model::{Address, Category};
use std::collections::BTreeMap;

/// The name under which the daemon itself stands in the timeline.
pub const DAEMON: &str = "bantuan70";

/// See the module.
#[derive(Debug, Clone)]
pub struct Work<'a> {
    pub desk: Desk<'a>,
    pub world: &'a Snapshot,
    tickets: BTreeMap<TicketNumber, Ticket>,
    disseminations: BTreeMap<DisseminationNumber, Dissemination>,
    addressed: Option<Addressed>,
    decision: Decision,
    /// What our identifiers are derived from: the mail's hash, or the name of the due thing.
    cause: String,
    letters: u32,
}

impl<'a> Work<'a> {
    /// Begins a decision.
    #[must_use]
    pub fn new(desk: Desk<'a>, world: &'a Snapshot, cause: String) -> Self {
        Self {
            desk,
            world,
            tickets: world.tickets.clone(),
            disseminations: world.disseminations.clone(),
            addressed: world.addressed.clone(),
            decision: Decision::default(),
            cause,
            letters: 0,
        }
    }

    /// The ticket as it stands after the effects so far.
    #[must_use]
    pub fn ticket(&self, number: &TicketNumber) -> Option<&Ticket> {
        self.tickets.get(number)
    }

    /// The dissemination as it stands after the effects so far.
    #[must_use]
    pub fn dissemination(&self, number: &DisseminationNumber) -> Option<&Dissemination> {
        self.disseminations.get(number)
    }

    /// The ticket that goes on with this one's matter: itself, or where it was merged the one that took it up.
    #[must_use]
    pub fn survivor(&self, number: &TicketNumber) -> TicketNumber {
        let mut number = number.clone();
        // Merging refuses merged targets, so a chain is short; the bound keeps a damaged one from going round.
        for _ in 0..20 {
            match self.ticket(&number).and_then(|ticket| ticket.merged_into.clone()) {
                Some(next) if self.ticket(&next).is_some() => number = next,
                _ => break,
            }
        }
        number
    }

    /// Every dissemination that the ticket answers for: its own, and those of tickets that it took up. The number
    /// that one was drafted under stays in its manifest and in the subjects of its mail.
    pub fn disseminations_of<'s>(&'s self, ticket: &'s TicketNumber) -> impl Iterator<Item = &'s Dissemination> {
        self.disseminations.values().filter(move |dissemination| self.survivor(&dissemination.ticket) == *ticket)
    }

    /// The ticket in whose history a letter stands: mail of a dissemination belongs to whoever answers for that.
    #[must_use]
    pub fn ticket_of(&self, ticket: Option<&TicketNumber>, dissemination: Option<&DisseminationNumber>) -> Option<TicketNumber> {
        ticket.map(|ticket| if dissemination.is_some() { self.survivor(ticket) } else { ticket.clone() })
    }

    /// Adds an effect that changes no ticket.
    pub fn effect(&mut self, effect: Effect) {
        self.decision.effects.push(effect);
    }

    /// Something happens to a ticket.
    pub fn event(&mut self, number: &TicketNumber, by: &str, event: TicketEvent, detail: impl Into<String>) {
        let before = self.tickets.remove(number);
        if let Some(after) = Ticket::fold(before, &event, self.desk.now) {
            self.tickets.insert(number.clone(), after);
        }
        self.effect(Effect::Event { ticket: number.clone(), by: by.to_owned(), event, detail: detail.into() });
    }

    /// Who set the priority of a ticket, among the effects so far.
    pub fn priority_by(&self, number: &TicketNumber) -> Option<&str> {
        self.decision.effects.iter().rev().find_map(|effect| match effect {
            Effect::Event { ticket, by, event: TicketEvent::PrioritySet { .. }, .. } if ticket == number => Some(by.as_str()),
            _ => None,
        })
    }

    /// The dissemination is from now on as given, and the ticket's timeline says what happened.
    pub fn set_dissemination(&mut self, dissemination: Dissemination, by: &str, what: impl Into<String>) {
        let what = what.into();
        let event = TicketEvent::Dissemination { number: dissemination.number.to_string(), what: what.clone() };
        let ticket = self.survivor(&dissemination.ticket);
        self.disseminations.insert(dissemination.number.clone(), dissemination.clone());
        self.effect(Effect::SetDissemination(Box::new(dissemination)));
        self.event(&ticket, by, event, what);
    }

    /// One recipient of a dissemination as it stands after the effects so far.
    #[must_use]
    pub fn addressed(&self, number: &DisseminationNumber, to: &Address) -> Option<Addressed> {
        match self.dissemination(number) {
            Some(whole) => whole.addressed(to),
            None => self.addressed.clone().filter(|one| one.number == *number && one.recipient.address == *to),
        }
    }

    /// One recipient is from now on as given, and the ticket's timeline says what happened.
    pub fn set_addressed(&mut self, one: Addressed, by: &str, what: impl Into<String>) {
        let what = what.into();
        let (number, ticket, state, recipient) =
            (one.number.clone(), self.survivor(&one.ticket), one.state, Box::new(one.recipient.clone()));
        if let Some(whole) = self.disseminations.get_mut(&number) {
            whole.state = state;
            whole.recipients.iter_mut().filter(|other| other.address == recipient.address).for_each(|other| other.clone_from(&recipient));
        }
        self.addressed = Some(one);
        self.effect(Effect::SetRecipient { dissemination: number.clone(), recipient, state });
        self.event(&ticket, by, TicketEvent::Dissemination { number: number.0, what: what.clone() }, what);
    }

    /// Queues a letter; where it belongs to a ticket, the ticket's thread learns its Message-ID.
    pub fn queue(&mut self, letter: Letter, at_reporter: AtReporter) {
        if let Some(ticket) = self.ticket_of(letter.ticket.as_ref(), letter.dissemination.as_ref()) {
            let event = TicketEvent::Message {
                direction: Direction::Out,
                kind: letter.kind.word().to_owned(),
                message_id: letter.message_id.clone(),
                at_reporter,
            };
            let detail = self.desk.say("event.queued", &[("kind", letter.kind.word()), ("to", letter.to.as_str())]);
            self.event(&ticket, DAEMON, event, detail);
        }
        self.effect(Effect::Queue(Box::new(letter)));
    }

    /// The letters among the effects so far.
    pub fn queued(&self) -> impl Iterator<Item = &Letter> {
        self.decision.effects.iter().filter_map(|effect| if let Effect::Queue(letter) = effect { Some(&**letter) } else { None })
    }

    /// A Message-ID that nobody can guess and that is the same when this is decided again.
    pub fn next_message_id(&mut self, kind: &str) -> String {
        self.letters += 1;
        let cause = format!("{}\0{}", self.cause, self.letters);
        self.desk.key.message_id(kind, &cause, self.desk.policy.center_address.domain())
    }

    /// Whether a notice to this person is among the effects so far.
    #[must_use]
    pub fn has_told(&self, person: &Address) -> bool {
        self.queued().any(|letter| letter.kind == LetterKind::Notice && letter.to == *person)
    }

    /// Adds a reason.
    pub fn because(&mut self, reason: impl Into<String>) {
        self.decision.because.push(reason.into());
    }

    /// Those who hear of a ticket: its assignee, else every analyst, else the chiefs.
    #[must_use]
    pub fn audience(&self, ticket: Option<&Ticket>) -> Vec<&'a Person> {
        let policy = self.desk.policy;
        if let Some(person) = ticket.and_then(|ticket| ticket.assignee.as_ref()).and_then(|address| policy.person(address)) {
            return vec![person];
        }
        let analysts: Vec<&Person> = policy.analysts().collect();
        if analysts.is_empty() { policy.chiefs().collect() } else { analysts }
    }

    /// Ends the decision on a mail with its verdict.
    #[must_use]
    pub fn file(self, arrived: &Arrived<'_>, ticket: Option<TicketNumber>, because: String) -> Decision {
        self.filed(arrived, ticket, because, false)
    }

    /// The same, for a mail without a ticket that the daily digest names.
    #[must_use]
    pub fn file_for_digest(self, arrived: &Arrived<'_>, ticket: Option<TicketNumber>, because: String) -> Decision {
        self.filed(arrived, ticket, because, true)
    }

    fn filed(mut self, arrived: &Arrived<'_>, ticket: Option<TicketNumber>, because: String, in_digest: bool) -> Decision {
        let mail = &arrived.opened.mail;
        let because = match arrived.header_only {
            Some(bytes) => format!("{}; {because}", self.desk.say("file.too_large", &[("bytes", &bytes.to_string())])),
            None => because,
        };
        let from: Option<Address> = arrived.from().cloned();
        let is_kept_closed = ticket.is_none() && arrived.is_hidden();
        let filing = Filing {
            kind: arrived.recognised.kind,
            ticket,
            from,
            message_id: arrived.message_id().map(str::to_owned),
            subject: mail.subject.clone(),
            // What was decrypted and belongs to no ticket is read by nobody: it stays in the raw mail.
            text: if is_kept_closed { String::new() } else { report::stored(mail, self.desk) },
            language: arrived.told.language,
            category: if arrived.recognised.kind == MailKind::Report { arrived.found.category } else { Category::Other },
            because: because.clone(),
            quarantine: arrived.header_only.is_some(),
            in_digest,
            rules_version: arrived.found.rules_version.clone(),
        };
        self.because(because);
        self.effect(Effect::File(Box::new(filing)));
        self.finish()
    }

    /// Ends a decision without a mail.
    #[must_use]
    pub fn finish(self) -> Decision {
        self.decision
    }
}
