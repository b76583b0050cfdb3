//! The figures that the chief receives (contract 10): counted from histories, not from what the
//! tickets say of themselves. Pure: no IO, no clock. How they read stands in `words` and `page`.

mod chart;
mod count;
mod decisions;
mod page;
pub mod runs;
mod services;
mod words;

pub use count::Tally;
pub use page::page;
pub use words::fields;

use crate::model::Category;
use crate::model::clock::ClockName;
use crate::model::ledger::{Ledger, Period};
use crate::model::letter::{LetterKind, LetterState};
use crate::model::policy::Policy;
use crate::model::ticket::{Priority, TicketNumber};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// How many of something, by the contract's word.
pub type Counts = BTreeMap<String, u32>;

/// The figures of a period, and how things stand at the moment of reckoning.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    pub center: String,
    /// The first and the last day, both included.
    pub from: String,
    pub to: String,
    /// RFC 3339 with the centre's offset.
    pub generated_at: String,
    #[serde(flatten)]
    pub tickets: Tally,
    pub sla: Vec<Kept>,
    pub disseminations: Disseminations,
    pub survey: Survey,
    pub mail: MailFigures,
    pub audit: AuditFigures,
    /// What needs a decision now, the most pressing first.
    pub decisions: Vec<ToDecide>,
    /// The period of the same length before.
    pub before: Before,
}

/// One day of the period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Day {
    pub day: String,
    pub opened: u32,
    pub closed: u32,
}

/// One term of the service standard.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Kept {
    pub clock: ClockName,
    pub term_hours: f64,
    /// Ended in the period, in time.
    pub kept: u32,
    /// Ended in the period, not in time.
    pub missed: u32,
    /// Running at the end of the period.
    pub running: u32,
    /// Of those that ended; absent where none did.
    pub kept_percent: Option<f64>,
    /// Half of those that were met took no longer; hours of the calendar.
    pub median_hours: Option<f64>,
    pub missed_tickets: Vec<Missed>,
}

/// A ticket that missed a term.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missed {
    pub number: TicketNumber,
    pub due_at: String,
    /// When it was met after all.
    pub met_at: Option<String>,
    pub assignee: Option<String>,
}

/// Disseminations of the period.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Disseminations {
    /// Released in the period.
    pub released: u32,
    /// Mails that left in the period and did not come back, to as many recipients.
    pub sent: u32,
    /// Of these recipients, those who confirmed.
    pub confirmed: u32,
    /// Of these recipients, those who reported the matter handled.
    pub handled: u32,
    /// Mails that left in the period and came back.
    pub bounced: u32,
    /// Not confirmed within the term, whenever it was sent.
    pub late: Vec<Addressee>,
    /// Confirmed, and not yet reported handled (contract 9).
    pub not_handled: Vec<Addressee>,
    /// Held for want of a certificate.
    pub held: Vec<Addressee>,
    pub by_mark: Counts,
}

/// A recipient of a dissemination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Addressee {
    pub dissemination: String,
    pub ticket: TicketNumber,
    pub mark: String,
    pub address: String,
    /// Since when it stands so.
    pub since: String,
}

/// Answers to the survey.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Survey {
    /// Surveys that were sent in the period.
    pub sent: u32,
    /// Answers that came in the period.
    pub answers: u32,
    /// The mean × 25; absent where there was no answer.
    pub index: Option<f64>,
    /// A, B, C or D.
    pub grade: Option<char>,
    /// The mean of each of the nine elements, in their order.
    pub elements: Vec<f64>,
    /// Free words of the answers, cut.
    pub comments: Vec<String>,
}

/// How mail stands at the moment of reckoning.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct MailFigures {
    pub queued: u32,
    pub failed: u32,
    pub held: u32,
    pub uncertain: u32,
    pub quarantined: u32,
    /// Must be 0; absent where mailbox and store were not compared yet.
    pub unaccounted: Option<u32>,
    pub stuck: Vec<Stuck>,
}

/// A letter that a person must look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stuck {
    pub id: i64,
    pub kind: String,
    pub to: String,
    pub ticket: Option<TicketNumber>,
    pub state: String,
    pub reason: String,
    pub since: String,
}

/// The head of the audit chain (contract 12.5).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AuditFigures {
    pub entries: u64,
    pub head: String,
}

/// Why something needs a decision; the word is the key of its phrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The mailbox holds mail that the store does not know.
    Unaccounted,
    /// Something of the daemon is out of order.
    Alarm,
    /// A term of the service standard is over.
    Overdue,
    /// No analyst has touched it for 24 h.
    Untouched,
    /// A dissemination waits for agreement.
    Approval,
    /// Recipients who did not confirm in twice the term.
    Silent,
    /// Recipients held for want of a certificate.
    HeldRecipient,
    /// Letters that failed, are held or uncertain.
    StuckLetter,
    /// The reporter sent nothing for 14 days.
    Closing,
    /// Mail in the quarantine.
    Quarantine,
}

impl Reason {
    /// The key of its phrase.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unaccounted => "unaccounted",
            Self::Alarm => "alarm",
            Self::Overdue => "overdue",
            Self::Untouched => "untouched",
            Self::Approval => "approval",
            Self::Silent => "silent",
            Self::HeldRecipient => "held_recipient",
            Self::StuckLetter => "stuck_letter",
            Self::Closing => "closing",
            Self::Quarantine => "quarantine",
        }
    }
}

/// One thing to decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToDecide {
    pub reason: Reason,
    pub count: u32,
    /// Which ones, the oldest first, cut.
    pub which: Vec<Case>,
}

/// One case to decide; what does not concern it is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Case {
    /// RFC 3339 with the centre's offset: since when it waits.
    pub since: String,
    /// A ticket, a dissemination, the word of an alarm, or `#` and the identifier of a letter.
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
    /// The kind of a letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<LetterKind>,
    /// The state of a letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<LetterState>,
    /// The recipient of a dissemination or letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The assignee of a ticket, the author of a dissemination.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
}

/// What the period before had.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Before {
    pub from: String,
    pub to: String,
    pub opened: u32,
    pub closed: u32,
    pub open: u32,
    /// By clock; a clock of which no run ended is not there.
    pub kept_percent: BTreeMap<String, f64>,
    pub disseminations_sent: u32,
    pub survey_index: Option<f64>,
    pub survey_answers: u32,
}

/// Reckons the figures of a period from a ledger that reaches back to the period before.
#[must_use]
pub fn reckon(ledger: &Ledger, period: Period, policy: &Policy, now: Timestamp) -> Figures {
    let tickets = count::tally(ledger, period, policy, now);
    let earlier = period.before();
    let before = count::tally(ledger, earlier, policy, now);
    let show = |at: Timestamp| moment(at, policy);
    let sla = services::sla(ledger, period, policy, now);
    let earlier_sla = services::sla(ledger, earlier, policy, now);
    let earlier_survey = services::survey(ledger, earlier, policy);
    Figures {
        center: policy.center_name.clone(),
        from: period.first.to_string(),
        to: period.last.to_string(),
        generated_at: show(now),
        tickets,
        disseminations: services::disseminations(ledger, period, policy, now),
        survey: services::survey(ledger, period, policy),
        mail: services::mail(ledger, policy),
        audit: AuditFigures { entries: ledger.audit_entries, head: ledger.audit_head.clone() },
        decisions: decisions::decisions(ledger, policy, now),
        before: Before {
            from: earlier.first.to_string(),
            to: earlier.last.to_string(),
            opened: before.opened,
            closed: before.closed,
            open: before.open,
            kept_percent: earlier_sla.iter().filter_map(|kept| Some((kept.clock.word().to_owned(), kept.kept_percent?))).collect(),
            disseminations_sent: services::disseminations(ledger, earlier, policy, now).sent,
            survey_index: earlier_survey.index,
            survey_answers: earlier_survey.answers,
        },
        sla,
    }
}

/// RFC 3339 with the centre's offset (contract 11).
fn moment(at: Timestamp, policy: &Policy) -> String {
    at.to_zoned_datetime(policy.time_zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// One digit after the point: more says nothing about people.
fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// The figures as one JSON object.
#[must_use]
pub fn json(figures: &Figures) -> String {
    // Maps with text keys and plain values: nothing here can fail to be written.
    serde_json::to_string_pretty(figures).unwrap_or_default()
}
