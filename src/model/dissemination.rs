//! A dissemination (diseminasi informasi) and its recipients (contract 9).

use super::letter::Enclosure;
use super::ticket::TicketNumber;
use super::{Address, Fingerprint, Language, Sha256, Tlp, words};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// `DIS-2026-0007`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DisseminationNumber(pub String);

impl DisseminationNumber {
    /// Composes a number.
    #[must_use]
    pub fn new(year: i16, serial: u32) -> Self {
        Self(format!("DIS-{year}-{serial:04}"))
    }

    /// Reads `DIS-2026-0007`, letter case aside.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_uppercase();
        let (year, serial) = text.strip_prefix("DIS-")?.split_once('-')?;
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        if year.len() != 4 || !(4..=9).contains(&serial.len()) || !digits(year) || !digits(serial) {
            return None;
        }
        Some(Self::new(year.parse().ok()?, serial.parse().ok()?))
    }
}

impl std::fmt::Display for DisseminationNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

words! {
    DisseminationState {
        Draft = "draft",
        AwaitingApproval = "awaiting_approval",
        Sending = "sending",
        Sent = "sent",
        Closed = "closed",
        Cancelled = "cancelled",
    }
}

impl DisseminationState {
    /// Whether nobody is waited for any more.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Closed | Self::Cancelled)
    }
}

words! {
    RecipientState {
        Held = "held",
        Queued = "queued",
        Sent = "sent",
        Bounced = "bounced",
        Confirmed = "confirmed",
        Handled = "handled",
    }
}

words! {
    RecipientKind { Person = "person", Role = "role", InternalUnit = "internal_unit" }
}

/// One recipient as the manifest names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    pub address: Address,
    pub name: String,
    pub kind: RecipientKind,
    pub language: Language,
    /// The certificate that was approved; another one holds the recipient.
    pub fingerprint: Option<Fingerprint>,
    pub state: RecipientState,
    /// Since when it stands so; a confirmation is waited for since then.
    pub at: Timestamp,
    /// Why it is held or bounced, or how it was confirmed.
    pub because: String,
    /// The Message-ID of the mail that went to this recipient.
    pub message_id: Option<String>,
    pub sent_at: Option<Timestamp>,
    pub reminders: u32,
    /// An attempt to send the mail ended uncertain (RFC 1047): whatever became of the mail since, it may have gone out.
    #[serde(default)]
    pub may_have_left: bool,
}

impl Recipient {
    /// The mail has left, or its matter came by another way.
    #[must_use]
    pub const fn has_it(&self) -> bool {
        self.sent_at.is_some() || matches!(self.state, RecipientState::Confirmed | RecipientState::Handled)
    }

    /// The mail has left and is not known to have come back: what "sent" counts, wherever it is told. Who confirmed
    /// by another way may never have been sent any.
    #[must_use]
    pub fn was_sent(&self) -> bool {
        self.sent_at.is_some() && self.state != RecipientState::Bounced
    }

    /// Nobody knows whether the mail has left.
    #[must_use]
    pub const fn may_have_it(&self) -> bool {
        self.may_have_left && !self.has_it()
    }
}

/// One person's agreement to one manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The address under which the person stands in the configuration.
    pub by: Address,
    pub at: Timestamp,
    /// The code of the manifest that it is to; empty in one that was stored before codes were, which is to none.
    #[serde(default)]
    pub code: String,
}

/// A dissemination as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dissemination {
    pub number: DisseminationNumber,
    pub ticket: TicketNumber,
    pub author: Address,
    pub state: DisseminationState,
    pub tlp: Tlp,
    /// The mark is lower than that of what the ticket received: a second person must agree.
    pub lowered: bool,
    /// What the ticket had received by then, where that is a higher mark: it is part of what is agreed to. Absent in one
    /// that was stored before it was.
    #[serde(default)]
    pub lowered_from: Option<Tlp>,
    /// The true subject, without tag and label.
    pub subject: String,
    pub text: String,
    pub enclosures: Vec<Enclosure>,
    pub recipients: Vec<Recipient>,
    pub approvals: Vec<Approval>,
    pub created_at: Timestamp,
    pub sent_at: Option<Timestamp>,
    /// The SHA-256 code of the manifest that was released; letters leave only while it still fits.
    #[serde(default)]
    pub released: Option<String>,
    pub told: BTreeSet<String>,
}

/// One recipient of a dissemination, and as much of the whole as the sending of one mail of thousands needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressed {
    pub number: DisseminationNumber,
    pub ticket: TicketNumber,
    pub author: Address,
    pub state: DisseminationState,
    pub recipient: Recipient,
    /// The mail of another recipient still waits to leave.
    pub others_wait: bool,
    /// The mail of another recipient has left.
    pub others_left: bool,
}

impl Addressed {
    /// Where nothing waits any more, the sending is over: what could be sent is sent, and what is held or failed
    /// leaves by a person's hand alone. `true`: it ended just now and nothing is known to have left, so that a
    /// person has to act.
    pub fn note_progress(&mut self) -> bool {
        let waits = self.others_wait || self.recipient.state == RecipientState::Queued;
        let left = self.others_left || self.recipient.sent_at.is_some();
        let is_over = self.state == DisseminationState::Sending && !waits;
        if is_over {
            self.state = DisseminationState::Sent;
        }
        is_over && !left
    }
}

impl Dissemination {
    /// One of the recipients.
    #[must_use]
    pub fn addressed(&self, to: &Address) -> Option<Addressed> {
        let others = || self.recipients.iter().filter(|other| other.address != *to);
        Some(Addressed {
            number: self.number.clone(),
            ticket: self.ticket.clone(),
            author: self.author.clone(),
            state: self.state,
            recipient: self.recipients.iter().find(|recipient| recipient.address == *to)?.clone(),
            others_wait: others().any(|other| other.state == RecipientState::Queued),
            others_left: others().any(|other| other.sent_at.is_some()),
        })
    }

    /// It was closed over recipients who had not confirmed, and goes on: whom the mail has reached is waited for from
    /// now on, and reminded anew.
    pub fn reopen(&mut self, now: Timestamp) {
        let waits = self.recipients.iter().any(|one| one.state == RecipientState::Queued);
        self.state = if waits { DisseminationState::Sending } else { DisseminationState::Sent };
        for recipient in self.recipients.iter_mut().filter(|one| one.state == RecipientState::Sent) {
            recipient.at = now;
            recipient.reminders = 0;
            self.told.remove(&format!("silent {}", recipient.address));
        }
        self.told.remove("silent");
    }

    /// Its sending is over and nothing is known to have left, nor to have come by another way.
    #[must_use]
    pub fn reached_nobody(&self) -> bool {
        self.state == DisseminationState::Sent && !self.recipients.iter().any(Recipient::has_it)
    }

    /// To how many of its recipients it was sent.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.recipients.iter().filter(|one| one.was_sent()).count()
    }

    /// How many recipients stand how.
    #[must_use]
    pub fn progress(&self) -> BTreeMap<RecipientState, usize> {
        let mut progress = BTreeMap::new();
        for recipient in &self.recipients {
            *progress.entry(recipient.state).or_default() += 1;
        }
        progress
    }

    /// What is approved: the SHA-256 of text and attachments, the mark, the ticket, each
    /// recipient's address and fingerprint (contract 9), as lines that a person can read.
    #[must_use]
    pub fn manifest(&self) -> String {
        let mut lines = vec![
            format!("dissemination {}", self.number),
            format!("ticket {}", self.ticket),
            format!("mark {}{}", self.tlp.label(), self.lowered_words()),
            format!("subject {}", Sha256::of(self.subject.as_bytes())),
            format!("text {}", Sha256::of(self.text.as_bytes())),
        ];
        for enclosure in &self.enclosures {
            // The name goes to the recipients too; its hash keeps the line free of a stranger's text.
            lines.push(format!("attachment {} {} {}", enclosure.sha256, Sha256::of(enclosure.name.as_bytes()), enclosure.media_type));
        }
        let mut recipients: Vec<String> = self
            .recipients
            .iter()
            .map(|recipient| {
                let fingerprint = recipient.fingerprint.as_ref().map_or("none", |fingerprint| fingerprint.0.as_str());
                format!("recipient {} {} {fingerprint}", recipient.address, recipient.kind)
            })
            .collect();
        recipients.sort();
        lines.extend(recipients);
        lines.push(String::new());
        lines.join("\n")
    }

    /// As the manifest says that the mark is lower than that of a source.
    fn lowered_words(&self) -> String {
        match (self.lowered, self.lowered_from) {
            (true, Some(from)) => format!(" lowered from {}", from.label()),
            (true, None) => " lowered".to_owned(),
            (false, _) => String::new(),
        }
    }

    /// Whether a mark that its ticket has received is higher than any that was agreed to (ATTACKS C13).
    #[must_use]
    pub fn is_exceeded_by(&self, received: Option<Tlp>) -> bool {
        received > Some(self.tlp).max(self.lowered_from)
    }

    /// The agreements to this manifest, and to no other that stood there before.
    pub fn agreements(&self) -> impl Iterator<Item = &Approval> {
        let code = self.code();
        self.approvals.iter().filter(move |approval| approval.code == code)
    }

    /// CODE of `!setuju`: the first 12 hexadecimal digits of the SHA-256 of the manifest.
    #[must_use]
    pub fn code(&self) -> String {
        Sha256::of(self.manifest().as_bytes()).0.chars().take(12).collect()
    }
}
