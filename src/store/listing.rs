//! The rows of listings: their fields are the JSON of contract 11. Times are text with the centre's
//! offset here.

use super::row::local;
use crate::model::dissemination::{Dissemination, DisseminationNumber, DisseminationState, RecipientState};
use crate::model::effect::MailKind;
use crate::model::letter::{LetterKind, LetterState};
use crate::model::ticket::{Channel, Direction, Priority, Service, State, Ticket, TicketNumber};
use crate::model::{Address, Category, Document, InboxId, Tlp, clock};
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// How times and the centre itself are shown.
#[derive(Debug, Clone)]
pub struct View {
    pub time_zone: TimeZone,
    pub now: Timestamp,
    /// The centre's address: `to` of what came, `from` of what went.
    pub center_address: String,
}

/// Which tickets. Empty fields ask for nothing.
#[derive(Debug, Clone, Default)]
pub struct TicketFilter {
    pub states: Vec<State>,
    pub categories: Vec<Category>,
    pub reporter: Option<Address>,
    pub assignee: Option<Address>,
    /// Opened at or after.
    pub since: Option<Timestamp>,
    /// The newest so many.
    pub limit: Option<usize>,
}

/// A ticket in a listing.
#[derive(Debug, Clone, Serialize)]
pub struct TicketRow {
    pub number: TicketNumber,
    pub state: State,
    pub service: Service,
    pub category: Category,
    pub priority: Priority,
    pub tlp: Option<Tlp>,
    pub subject: String,
    pub reporter: Option<Address>,
    pub channel: Channel,
    pub assignee: Option<Address>,
    pub opened_at: String,
    pub updated_at: String,
    pub missing: BTreeSet<Document>,
    pub clocks: Vec<ClockRow>,
}

/// A clock as it stands at the time of the listing.
#[derive(Debug, Clone, Serialize)]
pub struct ClockRow {
    pub name: clock::ClockName,
    pub state: clock::ClockState,
    pub started_at: Option<String>,
    /// Absent while it stands still: the term is reckoned anew when the ticket is reopened.
    pub due_at: Option<String>,
    pub met_at: Option<String>,
    /// Since when it stands still, because the ticket is closed, rejected or merged.
    pub paused_at: Option<String>,
}

/// One ticket with all that belongs to it.
#[derive(Debug, Clone, Serialize)]
pub struct TicketPage {
    #[serde(flatten)]
    pub ticket: TicketRow,
    pub messages: Vec<MessageRow>,
    pub timeline: Vec<TimelineRow>,
    /// Which documents are here.
    pub documents: BTreeSet<Document>,
    /// The fields of the service form.
    pub form: BTreeMap<String, String>,
    pub attachments: Vec<AttachmentRow>,
    /// Values by kind; every kind is there.
    pub indicators: BTreeMap<String, Vec<String>>,
    pub links: BTreeSet<TicketNumber>,
    pub merged_into: Option<TicketNumber>,
    pub disseminations: Vec<DisseminationRow>,
}

/// A mail of a ticket, in or out.
#[derive(Debug, Clone, Serialize)]
pub struct MessageRow {
    pub message_id: Option<String>,
    pub direction: Direction,
    pub kind: String,
    pub from: Option<String>,
    pub to: String,
    pub at: String,
    pub subject: String,
    pub text: String,
    /// `mail show` and `outbox` know it by this number.
    pub id: i64,
    /// The state of a letter; absent for what came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<LetterState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dissemination: Option<DisseminationNumber>,
}

/// One line of a ticket's history.
#[derive(Debug, Clone, Serialize)]
pub struct TimelineRow {
    pub at: String,
    pub event: String,
    pub by: String,
    pub detail: String,
}

/// A file that stays with a ticket.
#[derive(Debug, Clone, Serialize)]
pub struct AttachmentRow {
    pub name: String,
    pub media_type: String,
    pub bytes: i64,
    pub sha256: String,
    pub document: Option<String>,
    pub at: String,
    /// When its name and bytes were erased (`[retention]`); absent where they are here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub erased_at: Option<String>,
}

/// A dissemination of a ticket.
#[derive(Debug, Clone, Serialize)]
pub struct DisseminationRow {
    pub number: DisseminationNumber,
    /// Under which it was drafted; another one than is shown where that was merged.
    pub ticket: TicketNumber,
    pub tlp: Tlp,
    pub state: DisseminationState,
    pub subject: String,
    pub text: String,
    /// How many recipients stand how; states in which none stands are left out.
    pub progress: BTreeMap<RecipientState, usize>,
    /// To how many of them it was sent: who confirmed by another way may never have been sent any.
    pub sent: usize,
    pub approvals: Vec<ApprovalRow>,
    pub recipients: Vec<RecipientRow>,
    /// Its sending is over and nothing is known to have left: for people, whom the word of the state would tell otherwise.
    #[serde(skip)]
    pub reached_nobody: bool,
}

/// Who agreed, and when.
#[derive(Debug, Clone, Serialize)]
pub struct ApprovalRow {
    pub by: Address,
    pub at: String,
}

/// A recipient and how far it is.
#[derive(Debug, Clone, Serialize)]
pub struct RecipientRow {
    pub address: Address,
    pub state: RecipientState,
    pub at: String,
    pub because: String,
    /// Not agreed to yet, and another certificate is pinned since it was drafted: as it is, it would be held.
    pub certificate_changed: bool,
    /// When the mail left; absent where none is known to have left.
    pub sent_at: Option<String>,
    /// An attempt ended uncertain and nothing is known since.
    #[serde(skip)]
    pub may_have_it: bool,
}

/// A letter in `outbox list`.
#[derive(Debug, Clone, Serialize)]
pub struct OutboxRow {
    pub id: i64,
    pub message_id: String,
    pub to: String,
    pub kind: LetterKind,
    pub ticket: Option<TicketNumber>,
    pub state: LetterState,
    pub attempts: u32,
    pub next_at: Option<String>,
    pub last_error: Option<String>,
    pub queued_at: String,
    pub sent_at: Option<String>,
    /// How often it was sent again after an uncertain end: the recipient may have it twice.
    pub resends: u32,
    pub dissemination: Option<DisseminationNumber>,
    /// The recipient of a dissemination may have it, since an attempt ended uncertain.
    #[serde(skip)]
    pub may_have_left: bool,
}

/// Which stored mail. Empty fields ask for nothing.
#[derive(Debug, Clone, Default)]
pub struct MailFilter {
    pub kind: Option<MailKind>,
    pub ticket: Option<TicketNumber>,
    /// Filed without a ticket and to be named in the digest.
    pub in_digest: bool,
    /// In the quarantine, and not released.
    pub in_quarantine: bool,
    /// Received at or after; with one of the two above, decided at or after, so that mail which waited
    /// out an outage is told too.
    pub since: Option<Timestamp>,
    /// Before, in the same sense.
    pub before: Option<Timestamp>,
    /// The newest so many.
    pub limit: Option<usize>,
}

/// A mail in `mail list`.
#[derive(Debug, Clone, Serialize)]
pub struct MailRow {
    pub id: InboxId,
    pub message_id: Option<String>,
    /// `stored`: not handled yet.
    pub state: String,
    pub kind: Option<MailKind>,
    pub ticket: Option<TicketNumber>,
    pub from: Option<String>,
    pub subject: String,
    pub category: Category,
    /// Why it was filed so.
    pub reason: String,
    pub bytes: i64,
    pub at: String,
    pub quarantine: bool,
}

/// A mail in `mail show`.
#[derive(Debug, Clone, Serialize)]
pub struct MailPage {
    #[serde(flatten)]
    pub mail: MailRow,
    /// What the sender newly wrote.
    pub text: String,
    pub sha256: String,
    /// How often the daemon began with it.
    pub attempts: u32,
    /// The set of rules that filed it, by its hash; empty where that was not kept.
    pub rules_version: String,
    /// Where it lay, and whether it was filed from there: `INBOX 7 12 filed`.
    pub places: Vec<String>,
}

/// A mail in `quarantine list`.
#[derive(Debug, Clone, Serialize)]
pub struct QuarantineRow {
    pub id: InboxId,
    pub message_id: Option<String>,
    pub from: Option<String>,
    pub subject: String,
    pub bytes: i64,
    pub reason: String,
    pub at: String,
}

impl TicketRow {
    /// The ticket at `view.now`.
    #[must_use]
    pub fn new(ticket: &Ticket, view: &View) -> Self {
        let show = |time: Timestamp| local(time, &view.time_zone);
        Self {
            number: ticket.number.clone(),
            state: ticket.state,
            service: ticket.service,
            category: ticket.category,
            priority: ticket.priority,
            tlp: ticket.tlp,
            subject: ticket.subject.clone(),
            reporter: ticket.reporter.clone(),
            channel: ticket.channel,
            assignee: ticket.assignee.clone(),
            opened_at: show(ticket.opened_at),
            updated_at: show(ticket.updated_at),
            missing: ticket.missing(),
            clocks: ticket
                .clocks
                .iter()
                .map(|clock| ClockRow {
                    name: clock.name,
                    // Nothing is late or will be while nobody works on it (contract 11 has no word of its own for it).
                    state: if clock.stands_still(view.now) { clock::ClockState::Waiting } else { clock.state(view.now) },
                    started_at: clock.started_at.map(show),
                    due_at: clock.due_at.filter(|_| !clock.stands_still(view.now)).map(show),
                    met_at: clock.met_at.map(show),
                    paused_at: clock.paused_at.filter(|_| clock.met_at.is_none()).map(show),
                })
                .collect(),
        }
    }
}

impl DisseminationRow {
    /// `changed`: whose pinned certificate is another one than the manifest names.
    pub(super) fn new(one: &Dissemination, changed: &BTreeSet<Address>, view: &View) -> Self {
        Self {
            number: one.number.clone(),
            ticket: one.ticket.clone(),
            tlp: one.tlp,
            state: one.state,
            subject: one.subject.clone(),
            text: one.text.clone(),
            progress: one.progress(),
            sent: one.sent(),
            approvals: one
                .approvals
                .iter()
                .map(|approval| ApprovalRow { by: approval.by.clone(), at: local(approval.at, &view.time_zone) })
                .collect(),
            recipients: one
                .recipients
                .iter()
                .map(|recipient| RecipientRow {
                    address: recipient.address.clone(),
                    state: recipient.state,
                    at: local(recipient.at, &view.time_zone),
                    because: recipient.because.clone(),
                    certificate_changed: changed.contains(&recipient.address),
                    sent_at: recipient.sent_at.map(|at| local(at, &view.time_zone)),
                    may_have_it: recipient.may_have_it(),
                })
                .collect(),
            reached_nobody: one.reached_nobody(),
        }
    }
}
