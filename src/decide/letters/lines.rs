//! The ready-made lines of a notice: what a person would answer to it, for the one whom it is about.
//! `!balas` goes to the reporter whoever wrote, so it stands only where the reporter is to be answered.

use crate::model::dissemination::DisseminationNumber;
use crate::model::ticket::{State, Ticket, TicketNumber};
use crate::model::{Address, Tlp};

/// Recipients of one dissemination that a notice has lines for; past them the list is no help.
const RECIPIENTS_MAX: usize = 5;

/// Nothing keeps the ticket open any more.
const CLOSE: &str = "!tutup";

/// Whom a notice is about.
#[derive(Debug, Clone, Copy)]
pub enum About<'a> {
    /// The ticket, and with it its reporter.
    Ticket,
    /// A text to the reporter that has not left: the lines that send it again.
    Unsent(&'a str),
    /// A recipient wrote who is to be answered: with a dissemination of the same mark.
    Recipient(&'a Address, Tlp),
    /// As [`Self::Recipient`], of the one whose confirmation was the last that was waited for.
    LastRecipient(&'a Address, Tlp),
    /// Recipients who were not reached by mail, or are silent: how it stands with them is learnt by another way.
    Silent(&'a [Address]),
    /// Mail to the reporter comes back: another letter would as well.
    LostReporter,
    /// All recipients confirmed.
    AllConfirmed,
    /// A dissemination as a whole, of which nobody outside waits for an answer.
    Dissemination,
    /// A dissemination that has reached nobody.
    Unreached(&'a DisseminationNumber),
}

/// The lines of an event.
#[must_use]
pub fn of_event(about: About<'_>, ticket: Option<&Ticket>) -> Vec<String> {
    let mut lines = match about {
        About::Ticket if ticket.is_some_and(|ticket| ticket.reporter.is_some()) => vec!["!balas".to_owned()],
        About::Unsent(lines) => vec![lines.to_owned()],
        About::Ticket | About::LostReporter | About::Dissemination => Vec::new(),
        About::Recipient(address, mark) => of_writer(address, mark),
        About::LastRecipient(address, mark) => std::iter::once(CLOSE.to_owned()).chain(of_writer(address, mark)).collect(),
        About::Silent(addresses) => addresses.iter().take(RECIPIENTS_MAX).flat_map(of_recipient).collect(),
        About::AllConfirmed => vec![CLOSE.to_owned()],
        About::Unreached(number) => vec![format!("!batal {number}")],
    };
    lines.extend(["!catat", "!status"].map(str::to_owned));
    lines
}

/// How it stands with the recipient who wrote, and an answer under the same mark.
fn of_writer(address: &Address, mark: Tlp) -> Vec<String> {
    let mut lines = of_recipient(address);
    lines.push(format!("!tlp {}\n!diseminasi {address}", mark.word()));
    lines
}

fn of_recipient(address: &Address) -> Vec<String> {
    vec![format!("!konfirmasi {address}"), format!("!ditangani {address}")]
}

/// Which part the writer of a further mail takes in the ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Reporter,
    /// The reporter of this ticket, which was merged into the other and has a conversation of its own.
    OfMerged(TicketNumber),
    /// Somebody whom the reporter copied.
    Copied,
}

/// The lines of a further mail: those that its ticket still allows, and the answer to the one who wrote.
#[must_use]
pub fn of_follow_up(part: &Part, ticket: &Ticket) -> Vec<String> {
    let answer = match part {
        Part::Reporter => Some("!balas".to_owned()),
        Part::OfMerged(number) => Some(format!("!tiket {number}\n!balas")),
        Part::Copied => None,
    };
    let next: &[&str] = match ticket.state {
        State::New | State::AwaitingReporter | State::Verifying => &["!valid", "!lengkapi"],
        State::Analysing => &["!analisis"],
        State::Handling => &[],
        State::Closed | State::Rejected | State::Merged => &["!buka"],
    };
    answer.into_iter().chain(next.iter().chain(&["!catat", "!status"]).map(|line| (*line).to_owned())).collect()
}
