//! What a message is (contract 6, RFC 3834): report, reply, robot, bounce, list, our own; and
//! whether it may be answered automatically. By header and words alone, without the database.

use super::Mail;
use crate::model::{Address, effect::MailKind};

/// What recognition knows of the centre.
#[derive(Debug, Clone)]
pub struct House {
    pub center: Address,
    pub ticket_prefix: String,
    /// Analysts and chiefs.
    pub people: Vec<Address>,
    pub authserv_id: Option<String>,
}

/// The verdict on a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognised {
    pub kind: MailKind,
    /// Why this kind, in one line.
    pub because: String,
    /// Whether the headers allow an automatic answer.
    pub may_answer: bool,
    /// Why, in one line.
    pub answer_because: String,
    /// The mail should open a ticket, but its acknowledgement waits for an analyst (DMARC fail, no-reply senders).
    pub hold_answer: bool,
}

/// Recognises a message.
#[must_use]
pub fn recognise(_mail: &Mail, _house: &House) -> Recognised {
    Recognised {
        kind: MailKind::Report,
        because: "nothing marks it as automatic".to_owned(),
        may_answer: true,
        answer_because: "a person wrote it".to_owned(),
        hold_answer: false,
    }
}
