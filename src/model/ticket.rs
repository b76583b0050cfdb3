//! A ticket, and the events that make it. The ticket is the fold of its events and nothing else:
//! the store keeps both and `audit verify` compares them.

use super::clock::{Clock, ClockName};
use super::document::Document;
use super::{Address, Category, Language, Tlp, words};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// `BANTUAN70-2026-000123`: prefix, year in the centre's zone, serial without a hole in the year.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TicketNumber(pub String);

impl TicketNumber {
    /// Composes a number.
    #[must_use]
    pub fn new(prefix: &str, year: i16, serial: u32) -> Self {
        Self(format!("{prefix}-{year}-{serial:06}"))
    }

    /// Reads a number of this prefix, letter case aside; anything else is `None`.
    #[must_use]
    pub fn parse(prefix: &str, text: &str) -> Option<Self> {
        let text = text.trim();
        let (head, rest) = text.split_at_checked(prefix.len())?;
        if !head.eq_ignore_ascii_case(prefix) {
            return None;
        }
        let (year, serial) = rest.strip_prefix('-')?.split_once('-')?;
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if year.len() != 4 || !(6..=9).contains(&serial.len()) || !digits(year) || !digits(serial) {
            return None;
        }
        Some(Self::new(prefix, year.parse().ok()?, serial.parse().ok()?))
    }

    /// `[BANTUAN70-2026-000123]`, as it stands in subjects.
    #[must_use]
    pub fn tag(&self) -> String {
        format!("[{}]", self.0)
    }
}

impl std::fmt::Display for TicketNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

words! {
    /// The life of a ticket (contract 8).
    State {
        New = "new",
        AwaitingReporter = "awaiting_reporter",
        Verifying = "verifying",
        Analysing = "analysing",
        Handling = "handling",
        Closed = "closed",
        Rejected = "rejected",
        Merged = "merged",
    }
}

impl State {
    /// Whether work goes on.
    #[must_use]
    pub const fn is_open(self) -> bool {
        !matches!(self, Self::Closed | Self::Rejected | Self::Merged)
    }
}

words! {
    /// The two services of the centre.
    Service { Complaint = "complaint", Dissemination = "dissemination" }
}

words! {
    /// How a report came.
    Channel {
        Email = "email",
        Telegram = "telegram",
        Whatsapp = "whatsapp",
        Phone = "phone",
        Line183 = "183",
        Portal = "portal",
        Letter = "letter",
    }
}

words! {
    Priority { Low = "low", Medium = "medium", High = "high", Critical = "critical" }
}

/// A ticket as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    pub number: TicketNumber,
    pub state: State,
    /// Where `!buka` returns to from `closed`, `rejected` and `merged`.
    pub former_state: State,
    pub service: Service,
    pub category: Category,
    pub priority: Priority,
    /// The mark that holds for the ticket.
    pub tlp: Option<Tlp>,
    /// The most restrictive mark on anything that came in.
    pub received_tlp: Option<Tlp>,
    pub subject: String,
    pub reporter: Option<Address>,
    pub reporter_name: String,
    /// The reporter and the parties that the reporter copied: whoever may write under this tag.
    pub participants: BTreeSet<Address>,
    pub language: Language,
    pub channel: Channel,
    pub assignee: Option<Address>,
    pub opened_at: Timestamp,
    pub updated_at: Timestamp,
    pub closed_at: Option<Timestamp>,
    /// When an analyst last did something.
    pub touched_at: Option<Timestamp>,
    pub documents: BTreeSet<Document>,
    /// The fields of the service form, by name.
    pub form: BTreeMap<String, String>,
    /// What the acknowledgement or the last request asked for was asked for.
    pub was_asked: bool,
    pub clocks: Vec<Clock>,
    pub links: BTreeSet<TicketNumber>,
    pub merged_into: Option<TicketNumber>,
    /// Message-IDs of the conversation with the reporter, oldest first, at most 50 kept.
    pub thread: Vec<String>,
    /// Reminders to the reporter that went out since documents were last asked for.
    pub reminders: u32,
    pub asked_at: Option<Timestamp>,
    /// What was asked for and has not come.
    #[serde(default)]
    pub asked: BTreeSet<Document>,
    /// An acknowledgement that waits for an analyst, and why.
    pub acknowledgement_held: Option<String>,
    pub acknowledged: bool,
    /// The nine answers of the survey, in the order of the questions.
    pub survey_answer: Option<Vec<u8>>,
    pub survey_sent: bool,
    /// What was told once already, by name (`untouched`, `close_proposal`).
    pub told: BTreeSet<String>,
}

/// One thing that happened to a ticket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum TicketEvent {
    Opened(Box<Ticket>),
    /// A message of the conversation, in or out; the text stands with the stored mail or letter.
    Message {
        direction: Direction,
        kind: String,
        message_id: String,
        at_reporter: AtReporter,
    },
    Noted {
        text: String,
    },
    DocumentsCame {
        documents: BTreeSet<Document>,
        form: BTreeMap<String, String>,
    },
    DocumentsAsked {
        documents: BTreeSet<Document>,
    },
    StateChanged {
        to: State,
    },
    CategorySet {
        to: Category,
    },
    PrioritySet {
        to: Priority,
    },
    TlpSet {
        to: Tlp,
    },
    TlpReceived {
        mark: Tlp,
    },
    Assigned {
        to: Address,
    },
    Linked {
        to: TicketNumber,
    },
    MergedInto {
        to: TicketNumber,
    },
    ParticipantAdded {
        address: Address,
    },
    /// A clock was started, met, warned of or breached: its new value.
    ClockSet {
        clock: Clock,
    },
    Touched,
    AcknowledgementHeld {
        because: String,
    },
    Acknowledged,
    Reminded,
    SurveySent,
    SurveyAnswered {
        answers: Vec<u8>,
        comment: String,
    },
    Told {
        what: String,
    },
    /// Something about a dissemination of the ticket, for its timeline.
    Dissemination {
        number: String,
        what: String,
    },
}

words! {
    Direction { In = "in", Out = "out" }
}

words! {
    /// Whether a message belongs to the conversation with the reporter.
    AtReporter { Yes = "yes", No = "no" }
}

impl TicketEvent {
    /// The event's word in the timeline and in the audit log.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Opened(_) => "opened",
            Self::Message { .. } => "message",
            Self::Noted { .. } => "noted",
            Self::DocumentsCame { .. } => "documents_came",
            Self::DocumentsAsked { .. } => "documents_asked",
            Self::StateChanged { .. } => "state_changed",
            Self::CategorySet { .. } => "category_set",
            Self::PrioritySet { .. } => "priority_set",
            Self::TlpSet { .. } => "tlp_set",
            Self::TlpReceived { .. } => "tlp_received",
            Self::Assigned { .. } => "assigned",
            Self::Linked { .. } => "linked",
            Self::MergedInto { .. } => "merged_into",
            Self::ParticipantAdded { .. } => "participant_added",
            Self::ClockSet { .. } => "clock_set",
            Self::Touched => "touched",
            Self::AcknowledgementHeld { .. } => "acknowledgement_held",
            Self::Acknowledged => "acknowledged",
            Self::Reminded => "reminded",
            Self::SurveySent => "survey_sent",
            Self::SurveyAnswered { .. } => "survey_answered",
            Self::Told { .. } => "told",
            Self::Dissemination { .. } => "dissemination",
        }
    }
}

impl Ticket {
    /// The clock of that name, in whatever state.
    #[must_use]
    pub fn clock(&self, name: ClockName) -> Clock {
        self.clocks.iter().find(|clock| clock.name == name).cloned().unwrap_or_else(|| Clock::waiting(name))
    }

    /// What the reporter still has to bring.
    #[must_use]
    pub fn missing(&self) -> BTreeSet<Document> {
        if self.service == Service::Dissemination { BTreeSet::new() } else { super::document::missing(&self.documents) }
    }

    /// The ticket after one more event. `None` only where the first event is not `Opened`.
    #[must_use]
    pub fn fold(ticket: Option<Self>, event: &TicketEvent, at: Timestamp) -> Option<Self> {
        let mut ticket = match (ticket, event) {
            (None, TicketEvent::Opened(first)) => return Some((**first).clone()),
            (None, _) => return None,
            (Some(ticket), _) => ticket,
        };
        ticket.updated_at = at;
        match event {
            TicketEvent::Opened(_) | TicketEvent::Noted { .. } | TicketEvent::Dissemination { .. } => {}
            TicketEvent::Message { message_id, at_reporter, .. } => {
                if *at_reporter == AtReporter::Yes {
                    ticket.thread.push(message_id.clone());
                    if ticket.thread.len() > 50 {
                        // The first is the report itself, which every client threads by.
                        ticket.thread.remove(1);
                    }
                }
            }
            TicketEvent::DocumentsCame { documents, form } => {
                ticket.documents.extend(documents.iter().copied());
                ticket.asked.retain(|document| !documents.contains(document));
                ticket.form.extend(form.clone());
            }
            TicketEvent::DocumentsAsked { documents } => {
                ticket.was_asked = true;
                ticket.asked.clone_from(documents);
                ticket.asked_at = Some(at);
                ticket.reminders = 0;
                ticket.told.remove("close_proposal");
            }
            TicketEvent::StateChanged { to } => {
                if ticket.state.is_open() && !to.is_open() {
                    ticket.former_state = ticket.state;
                    ticket.closed_at = Some(at);
                }
                if to.is_open() {
                    ticket.closed_at = None;
                    ticket.merged_into = None;
                }
                ticket.state = *to;
            }
            TicketEvent::CategorySet { to } => ticket.category = *to,
            TicketEvent::PrioritySet { to } => ticket.priority = *to,
            TicketEvent::TlpSet { to } => ticket.tlp = Some(*to),
            TicketEvent::TlpReceived { mark } => {
                ticket.received_tlp = ticket.received_tlp.max(Some(*mark));
                ticket.tlp = ticket.tlp.max(Some(*mark));
            }
            TicketEvent::Assigned { to } => ticket.assignee = Some(to.clone()),
            TicketEvent::Linked { to } => {
                ticket.links.insert(to.clone());
            }
            TicketEvent::MergedInto { to } => ticket.merged_into = Some(to.clone()),
            TicketEvent::ParticipantAdded { address } => {
                ticket.participants.insert(address.clone());
            }
            TicketEvent::ClockSet { clock } => {
                ticket.clocks.retain(|other| other.name != clock.name);
                ticket.clocks.push(clock.clone());
                ticket.clocks.sort_by_key(|clock| clock.name);
            }
            TicketEvent::Touched => {
                ticket.touched_at = Some(at);
                ticket.told.remove("untouched");
            }
            TicketEvent::AcknowledgementHeld { because } => ticket.acknowledgement_held = Some(because.clone()),
            TicketEvent::Acknowledged => {
                ticket.acknowledgement_held = None;
                ticket.acknowledged = true;
            }
            TicketEvent::Reminded => ticket.reminders += 1,
            TicketEvent::SurveySent => ticket.survey_sent = true,
            TicketEvent::SurveyAnswered { answers, .. } => ticket.survey_answer = Some(answers.clone()),
            TicketEvent::Told { what } => {
                ticket.told.insert(what.clone());
            }
        }
        Some(ticket)
    }
}
