//! What a decision may know of the database. The core asks, the store answers, inside one transaction.

use super::contact::Contact;
use super::dissemination::{Addressed, Dissemination, DisseminationNumber, DisseminationState, RecipientState};
use super::effect::Filing;
use super::ledger::{Ledger, Wanted};
use super::letter::{Enclosure, LetterKind, LetterState};
use super::ticket::{Ticket, TicketNumber};
use super::{Address, Fingerprint, InboxId, Sha256, Tlp};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Which tickets, people and counters a decision needs.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// Message-IDs that the mail refers to, without angle brackets.
    pub references: Vec<String>,
    /// Tickets named by tag or in signed text.
    pub tickets: Vec<TicketNumber>,
    pub disseminations: Vec<DisseminationNumber>,
    /// One recipient of a dissemination.
    pub addressed: Option<(DisseminationNumber, Address)>,
    /// No dissemination is loaded whole: of thousands of letters each is settled without the others.
    pub skips_disseminations: bool,
    /// The sender as it counts for limits.
    pub sender: Option<Address>,
    /// Whom an acknowledgement would go to, where that is not the sender: `!catatkan ADDRESS`, `!angkat`.
    pub acknowledged: Option<Address>,
    /// The person whose refusals of today count.
    pub person: Option<Address>,
    /// Each good signature of the mail, one for each signer.
    pub signatures: Vec<Sha256>,
    /// What was decrypted of the mail, hashed: the whole, and files by themselves.
    pub plaintexts: Vec<Sha256>,
    /// Targets of `!diseminasi` as typed: an address, a contact's name, `sector:NAME`, `group:NAME`.
    pub targets: Vec<String>,
    /// The MAIL-ID of `!angkat`.
    pub mail: Option<InboxId>,
    /// The keyed token in the address that the mail came to.
    pub token: Option<String>,
    /// Message-ID, From, Date and body of the mail, hashed (contract 12.1).
    pub content: Option<Sha256>,
    /// How many open tickets `!daftar` chooses from; 0 where it is not asked.
    pub open_tickets: u32,
    /// The figures of this period are asked for.
    pub ledger: Option<Wanted>,
    /// The notices that wait to be told together are asked for.
    pub asks_crowd: bool,
    /// The ticket whose history `!status` shows.
    pub timeline: Option<TicketNumber>,
    /// The ticket whose first mail is read again: for `!status`, and for what `!kategori` makes of the priority.
    pub opening: Option<TicketNumber>,
    /// The ticket whose letters may lose their reason: it ends, or a recipient confirms.
    pub held_of: Option<TicketNumber>,
}

/// A letter of ours that a mail refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OurLetter {
    pub message_id: String,
    pub kind: LetterKind,
    pub ticket: Option<TicketNumber>,
    pub dissemination: Option<DisseminationNumber>,
    pub to: Address,
    pub state: LetterState,
    pub sent_at: Option<Timestamp>,
}

/// A letter that has not left and loses its reason where its recipient confirms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldLetter {
    pub message_id: String,
    pub kind: LetterKind,
    pub to: Address,
    pub dissemination: Option<DisseminationNumber>,
    /// A mail of a dissemination that was agreed to and waits for its turn. The others nobody has let go: they are
    /// held, or they are reminders.
    pub is_let_go: bool,
}

/// What may keep a letter from leaving and can change while it waits: read when it is made ready, and again in the
/// transaction of its attempt, where it must be the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ground {
    /// Of a letter of a ticket: the highest mark of that ticket and the ones that took it up, and which of them bears it.
    /// Of a letter of a dissemination: the highest that they have received.
    pub mark: Option<(TicketNumber, Tlp)>,
    /// Of a letter of a dissemination: how that stands.
    pub dissemination: Option<DisseminationState>,
    /// How the recipient stands in it: one mail reaches each once.
    pub recipient: Option<RecipientState>,
    /// And as the directory has it.
    pub contact: Option<Contact>,
}

/// Where a decrypted text was seen first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenPlaintext {
    pub mail: InboxId,
    /// Whose address stood in From, as it counts for limits.
    pub from: Option<Address>,
    pub ticket: Option<TicketNumber>,
}

/// When in the life of a ticket its reporter's key came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// With the report itself: whoever holds the key knows what the ticket is about.
    Opening,
    /// With a later mail, whose sender could be forged.
    Later,
}

/// A key that came with a mail of a ticket's reporter, which nobody has verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub fingerprint: Fingerprint,
    pub moment: Moment,
}

/// What has gone out lately (contract 2, acknowledgement).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Acknowledgements to the sender in the last 24 h.
    pub acks_to_sender: u32,
    /// Tickets that the sender's mail opened in the last 24 h.
    pub tickets_of_sender: u32,
    /// Acknowledgements queued to the sender's domain in the last hour.
    pub acks_to_domain: u32,
    /// Acknowledgements queued in the last hour.
    pub acks: u32,
    /// Tickets opened in the last five minutes.
    pub new_tickets: u32,
    /// As [`Counters::new_tickets`], those of critical priority.
    pub new_critical: u32,
    /// Refusals answered to the person since midnight, in the centre's zone.
    pub refusals: u32,
}

/// A mail that was filed without a ticket, for `!angkat`.
#[derive(Debug, Clone, PartialEq)]
pub struct FiledMail {
    pub id: InboxId,
    pub filing: Filing,
    pub raw: Vec<u8>,
    pub received_at: Timestamp,
}

/// One line of a ticket's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineLine {
    pub at: Timestamp,
    /// The event's word.
    pub event: String,
    pub by: String,
    pub detail: String,
}

/// A message of a ticket as `!status` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spoken {
    pub at: Timestamp,
    /// Who wrote; behind an arrow, to whom we wrote.
    pub from: String,
    pub subject: String,
    /// What was newly written, cut.
    pub text: String,
    /// Characters that were cut off.
    pub cut: usize,
}

/// The answer.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The number that a new ticket gets, taken in this transaction.
    pub next_ticket: TicketNumber,
    pub next_dissemination: DisseminationNumber,
    /// The same mail (Message-ID, From, Date, body) under other trace headers came before.
    pub duplicate_of: Option<(InboxId, Option<TicketNumber>)>,
    /// Letters of ours among the references, in the order of the question.
    pub letters: Vec<OurLetter>,
    /// The Message-ID of that of them whose token stood in the address.
    pub token_letter: Option<String>,
    /// Tickets of the question, of the letters, of the references to stored mail, and of the disseminations.
    pub tickets: BTreeMap<TicketNumber, Ticket>,
    /// Tickets whose stored mail the references name (a reporter's mail answered by a copied party).
    pub referred_tickets: Vec<TicketNumber>,
    /// Those that were asked for, and those of these tickets and of what was merged into them, whatever their state.
    pub disseminations: BTreeMap<DisseminationNumber, Dissemination>,
    /// The one recipient that was asked for.
    pub addressed: Option<Addressed>,
    pub counters: Counters,
    /// The newest ticket of the last 24 h that the sender's mail opened.
    pub newest_of_sender: Option<TicketNumber>,
    /// Letters of the ticket that the question names, and of what the sender has to confirm, that nobody has let go.
    pub held: Vec<HeldLetter>,
    /// Those of the question's signatures that were used before: in which mail, and when.
    pub seen_signatures: BTreeMap<Sha256, (InboxId, Timestamp)>,
    /// Those of the question's decrypted texts that came before.
    pub seen_plaintexts: BTreeMap<Sha256, SeenPlaintext>,
    /// Each target of the question with the contacts that it names.
    pub targets: BTreeMap<String, Vec<Contact>>,
    /// For reporters of those tickets: the certificate pinned to them in the directory.
    pub certificates: BTreeMap<Address, Fingerprint>,
    /// The recipients of the disseminations that the question names, and for `!status` of the ticket's, where they are not
    /// agreed to yet: as the directory has them now.
    pub recipients: BTreeMap<Address, Contact>,
    pub candidates: BTreeMap<TicketNumber, Candidate>,
    /// The sender as a contact.
    pub contact: Option<Contact>,
    /// Disseminations that were sent to the sender and wait for a confirmation.
    pub awaited_of_sender: Vec<DisseminationNumber>,
    pub mail: Option<FiledMail>,
    /// The last 50 events of the ticket that the question names, oldest first.
    pub timeline: Vec<TimelineLine>,
    /// Who last set the priority of the ticket whose first mail is read again; none where it is as it was opened.
    pub priority_by: Option<String>,
    /// The last messages of that ticket's conversation, oldest first.
    pub conversation: Vec<Spoken>,
    /// A line for each file that stays with that ticket.
    pub attachments: Vec<String>,
    /// Those of these files that one mail takes, in their order.
    pub files: Vec<Enclosure>,
    /// What was found in that ticket's mail: the kind of indicator and its value.
    pub indicators: Vec<(String, String)>,
    /// Open tickets, the newest first.
    pub open_tickets: Vec<Ticket>,
    /// The lines of new tickets that wait to be told together, with the time of each, oldest first.
    pub crowd: Vec<(Timestamp, String)>,
    /// What the figures are made of, where they were asked for.
    pub ledger: Option<Box<Ledger>>,
    /// A reporter's address that nothing was sent to before.
    pub is_first_letter: bool,
}

impl Snapshot {
    /// A world in which nothing has happened yet: for `inspect`, `rules explain` and tests.
    #[must_use]
    pub fn empty(prefix: &str, year: i16) -> Self {
        Self {
            next_ticket: TicketNumber::new(prefix, year, 1),
            next_dissemination: DisseminationNumber::new(year, 1),
            duplicate_of: None,
            letters: Vec::new(),
            token_letter: None,
            tickets: BTreeMap::new(),
            referred_tickets: Vec::new(),
            disseminations: BTreeMap::new(),
            addressed: None,
            counters: Counters::default(),
            newest_of_sender: None,
            held: Vec::new(),
            seen_signatures: BTreeMap::new(),
            seen_plaintexts: BTreeMap::new(),
            targets: BTreeMap::new(),
            certificates: BTreeMap::new(),
            recipients: BTreeMap::new(),
            candidates: BTreeMap::new(),
            contact: None,
            awaited_of_sender: Vec::new(),
            mail: None,
            timeline: Vec::new(),
            priority_by: None,
            open_tickets: Vec::new(),
            conversation: Vec::new(),
            attachments: Vec::new(),
            files: Vec::new(),
            indicators: Vec::new(),
            ledger: None,
            crowd: Vec::new(),
            is_first_letter: true,
        }
    }
}
