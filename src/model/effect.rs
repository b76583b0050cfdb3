//! What a decision does. Each effect is rows; all effects of one mail, its audit entries and its
//! own change of state are one transaction (DESIGN 1). Nothing else in the program changes anything.

use super::dissemination::{Dissemination, DisseminationNumber, DisseminationState, Recipient};
use super::letter::{Enclosure, Letter, LetterState};
use super::ticket::{TicketEvent, TicketNumber};
use super::{Address, Category, Document, Language, Sha256, words};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

words! {
    /// What a message is (contract 6).
    MailKind {
        Report = "report",
        Reply = "reply",
        Analyst = "analyst",
        AutoReply = "auto_reply",
        Bounce = "bounce",
        List = "list",
        Own = "own",
        Unreadable = "unreadable",
    }
}

/// What the core decided, and why.
#[derive(Debug, Clone, Default)]
pub struct Decision {
    pub effects: Vec<Effect>,
    /// The reasons, for `inspect`, receipts, the timeline and the audit log.
    pub because: Vec<String>,
}

/// The verdict on the mail itself, kept with its row in the inbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Filing {
    pub kind: MailKind,
    pub ticket: Option<TicketNumber>,
    pub from: Option<Address>,
    pub message_id: Option<String>,
    pub subject: String,
    /// What the sender newly wrote. Empty where it was decrypted and belongs to no ticket.
    pub text: String,
    pub language: Language,
    pub category: Category,
    /// One line: why it was filed so.
    pub because: String,
    /// Goes to the quarantine folder instead of the processed one.
    pub quarantine: bool,
    /// Named in the daily digest to analysts (filed without a ticket).
    pub in_digest: bool,
    /// The set of rules that the category is from, by its hash; empty where none was asked.
    #[serde(default)]
    pub rules_version: String,
}

/// Indicators found in a message, refanged, sorted and unique (contract 6).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Indicators {
    pub urls: BTreeSet<String>,
    pub domains: BTreeSet<String>,
    pub ips: BTreeSet<String>,
    pub hashes: BTreeSet<String>,
    pub emails: BTreeSet<String>,
    pub cves: BTreeSet<String>,
}

/// An attachment that stays with a ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub enclosure: Enclosure,
    pub document: Option<Document>,
}

/// One change.
#[derive(Debug, Clone)]
pub enum Effect {
    /// The verdict; exactly one in the decision on a mail.
    File(Box<Filing>),
    /// Something happened to a ticket. `by` is an address or `bantuan70`; `detail` is one line for people.
    Event {
        ticket: TicketNumber,
        by: String,
        event: TicketEvent,
        detail: String,
    },
    Queue(Box<Letter>),
    /// The acknowledgement of this ticket was held: let it go now.
    ReleaseHeld {
        ticket: TicketNumber,
    },
    /// Attachments and indicators of the mail stay with the ticket.
    Keep {
        ticket: TicketNumber,
        attachments: Vec<Kept>,
        indicators: Indicators,
    },
    /// The dissemination as it is from now on (new or changed).
    SetDissemination(Box<Dissemination>),
    /// One recipient of a dissemination as it is from now on, and the dissemination's state; the others stay as they are.
    SetRecipient {
        dissemination: DisseminationNumber,
        recipient: Box<Recipient>,
        state: DisseminationState,
    },
    /// Letters of this dissemination that have not left are cancelled.
    CancelLetters {
        dissemination: DisseminationNumber,
    },
    /// A letter of ours bounced, or its fate became known.
    SetLetterState {
        message_id: String,
        state: LetterState,
        because: String,
    },
    /// A command signature was used; it never acts again (contract 5).
    RememberSignature {
        key: Sha256,
        by: Address,
        signed_at: Timestamp,
    },
    /// Mail to this address came back: whoever chooses recipients sees it. Nothing where it is no contact.
    NoteContactBounce {
        address: Address,
        because: String,
    },
    /// A reporter's key, for answers on this ticket alone. The first one stays.
    KeepCandidate {
        ticket: TicketNumber,
        address: Address,
        fingerprint: super::Fingerprint,
        /// In binary.
        certificate: Vec<u8>,
    },
    /// A text was decrypted; whoever sends it again under another address is known by it.
    RememberPlaintext {
        sha256: Sha256,
        /// The sender as it counts for limits.
        from: Option<Address>,
    },
    /// A mail without a good signature was refused with a receipt (contract 5: ten a day).
    CountRefusal {
        person: Address,
    },
    /// A mail that was filed without a ticket got one.
    Promote {
        mail: super::InboxId,
        ticket: TicketNumber,
    },
    /// The notice of a new ticket waits to be told with others; the line tells of it.
    Crowd {
        ticket: TicketNumber,
        line: String,
    },
    /// What waited to be told together was told.
    CrowdTold,
    /// For the audit log, where no ticket is concerned.
    Audit {
        by: String,
        what: String,
        detail: String,
    },
}
