//! What is sent. A letter is decided as a whole: its words, its Message-ID, its one recipient and
//! the protection it must have. Sealing and sending add nothing to it and may only refuse it.

use super::dissemination::DisseminationNumber;
use super::ticket::TicketNumber;
use super::{Address, Fingerprint, Language, Sha256, Tlp, words};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

words! {
    /// The kinds of outgoing mail (contract 11).
    LetterKind {
        Acknowledgement = "acknowledgement",
        Request = "request",
        Reply = "reply",
        Analysis = "analysis",
        Rejection = "rejection",
        Closing = "closing",
        Survey = "survey",
        Dissemination = "dissemination",
        Reminder = "reminder",
        Notice = "notice",
        Receipt = "receipt",
        Report = "report",
    }
}

words! {
    /// The outbox ladder as people see it (contract 11, DESIGN 4): `sending` is rung O3.
    LetterState {
        Queued = "queued",
        Sending = "sending",
        Sent = "sent",
        Failed = "failed",
        Uncertain = "uncertain",
        Held = "held",
        Cancelled = "cancelled",
    }
}

words! {
    /// `Auto-Submitted` of RFC 3834 §5.
    AutoSubmitted {
        /// A person wrote or approved it: the field is left out.
        No = "no",
        Replied = "auto-replied",
        Generated = "auto-generated",
    }
}

/// What must be done to a letter before it may leave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protection {
    /// Neither signed nor encrypted: acknowledgements where `sign = false`.
    Plain,
    /// Signed by the centre, readable by all (RFC 3156 §5).
    Signed,
    /// Signed, and encrypted to this certificate and the centre's own alone (RFC 3156 §6.2).
    Sealed { recipient: Fingerprint },
}

words! {
    /// Whose words a letter holds: what decides whether it may leave readable once its ticket is marked
    /// AMBER or above (contract 4 and 9).
    Words {
        /// Templates alone: nothing of the report.
        Fixed = "fixed",
        /// A person wrote them, or nobody can tell.
        Written = "written",
        /// A person wrote them and declared them free to read (`!terbuka`).
        DeclaredFree = "declared_free",
        /// It was queued by a version that did not write this down, and a queued letter never changes.
        Unsaid = "unsaid",
    }
}

/// Of a letter whose row does not say it.
const fn unsaid() -> Words {
    Words::Unsaid
}

/// The number of a row in the outbox: the ID of `outbox retry`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OutboxId(pub i64);

impl std::fmt::Display for OutboxId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Files that one mail to an analyst carries: each analyst gets a copy of its own.
pub const ENCLOSURES_MAX: usize = 50;
/// Bytes of them together; mail servers refuse much larger mail.
pub const ENCLOSURES_BYTES_MAX: usize = 10 * 1024 * 1024;

/// A file that goes along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enclosure {
    /// As shown to the recipient; made safe when it was read.
    pub name: String,
    pub media_type: String,
    pub sha256: Sha256,
    /// The bytes. Not part of the letter's JSON: the store keeps them by `sha256`.
    #[serde(skip)]
    pub content: Arc<[u8]>,
}

/// One mail to one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    pub kind: LetterKind,
    pub to: Address,
    pub to_name: String,
    pub ticket: Option<TicketNumber>,
    pub dissemination: Option<DisseminationNumber>,
    /// Without angle brackets; keyed, fixed for ever (contract 4).
    pub message_id: String,
    /// Without angle brackets.
    pub in_reply_to: Option<String>,
    /// Without angle brackets, oldest first.
    pub references: Vec<String>,
    /// The subject that the recipient reads, tag included.
    pub subject: String,
    /// The subject outside a sealed letter; ignored for others.
    pub outer_subject: String,
    pub text: String,
    pub html: Option<String>,
    pub enclosures: Vec<Enclosure>,
    pub auto_submitted: AutoSubmitted,
    pub protection: Protection,
    /// The mark of what the letter tells; AMBER and above never leave unsealed.
    pub tlp: Option<Tlp>,
    /// Whose words it holds.
    #[serde(default = "unsaid")]
    pub words: Words,
    pub language: Language,
    /// The keyed token of the envelope sender and `Reply-To`, where `plus_addresses` is on.
    pub token: Option<String>,
    /// Attach the centre's certificate (to a reporter met for the first time).
    pub encloses_certificate: bool,
    /// Queue as `held` with this reason: a person decides whether it goes.
    pub held_because: Option<String>,
    /// Not to be sent before this moment: an acknowledgement whose turn comes later (contract 2).
    pub not_before: Option<jiff::Timestamp>,
}
