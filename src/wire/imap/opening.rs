//! From a connection to an open mailbox: SELECT for the one that mail is taken from, EXAMINE for
//! looking into others, which changes nothing there, not even what counts as new.

use super::dialogue::{Answer, Dialogue, Size};
use super::{Session, folder};
use crate::wire::{Endpoint, Login, Timeouts, WireError};
use async_imap::imap_proto::{MailboxDatum, Response, ResponseCode};

/// A connection that is logged in and has no mailbox open.
#[derive(Debug)]
pub struct LoggedIn {
    dialogue: Dialogue,
}

/// What came of a look into a folder.
#[derive(Debug)]
pub enum Examined {
    Open(Box<Session>),
    /// There is no such folder.
    Missing(LoggedIn),
    /// It is there, and the server does not open it, for this reason.
    Closed(LoggedIn, String),
}

/// The server cannot now, and may be able to in a moment (RFC 5530).
const PASSING: [&str; 3] = ["UNAVAILABLE", "INUSE", "LIMIT"];

/// Why a mailbox is not opened.
struct Unopened {
    reason: String,
    is_passing: bool,
}

/// What a mailbox is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Filing,
    Looking,
}

impl LoggedIn {
    /// Connects and logs in.
    pub async fn open(endpoint: &Endpoint, login: &Login, timeouts: Timeouts) -> Result<Self, WireError> {
        let mut dialogue = Dialogue::open(endpoint, timeouts).await?;
        dialogue.log_in(login).await?;
        Ok(Self { dialogue })
    }

    /// Opens the mailbox that mail is taken from. Refused where it is not there, not ours or read-only.
    pub async fn select(self, mailbox: &str) -> Result<Session, WireError> {
        let mut dialogue = self.dialogue;
        match opened(&mut dialogue, mailbox, Access::Filing).await? {
            Ok((uid_validity, takes_keywords)) => Ok(Session::new(dialogue, mailbox, uid_validity, takes_keywords)),
            Err(Unopened { reason, is_passing: true }) => {
                Err(WireError::Unreachable(format!("imap server {} does not open mailbox '{mailbox}' now: {reason}", dialogue.at())))
            }
            Err(Unopened { reason, .. }) => Err(dialogue.refused(&format!("does not open mailbox '{mailbox}'"), &reason)),
        }
    }

    /// Opens a folder for looking alone.
    pub async fn examine(mut self, name: &str) -> Result<Examined, WireError> {
        if !is_listed(&mut self.dialogue, &folder(name)?).await? {
            return Ok(Examined::Missing(self));
        }
        match opened(&mut self.dialogue, name, Access::Looking).await? {
            Ok((uid_validity, takes_keywords)) => {
                Ok(Examined::Open(Box::new(Session::new(self.dialogue, name, uid_validity, takes_keywords))))
            }
            Err(unopened) => Ok(Examined::Closed(self, unopened.reason)),
        }
    }

    /// Ends the connection politely.
    pub async fn logout(self) {
        self.dialogue.log_out().await;
    }
}

impl Session {
    /// Leaves the mailbox for another one.
    #[must_use]
    pub fn leave(self) -> LoggedIn {
        LoggedIn { dialogue: self.dialogue }
    }
}

/// The UIDVALIDITY and whether keywords of ours stay; or why the server does not open it.
async fn opened(dialogue: &mut Dialogue, name: &str, access: Access) -> Result<Result<(u32, bool), Unopened>, WireError> {
    let verb = if access == Access::Filing { "SELECT" } else { "EXAMINE" };
    let (mut uid_validity, mut takes_keywords, mut is_read_only) = (None, false, false);
    let command = format!("{verb} {}", folder(name)?);
    // Whatever was open is left, and with it the number that it was known by.
    dialogue.pin_uid_validity(None);
    let answer = dialogue.run(&command, Size::SMALL, |response| {
        if let Response::Data { outcome, .. } | Response::Done { outcome, .. } = response {
            match &outcome.code {
                Some(ResponseCode::UidValidity(number)) => uid_validity = Some(*number),
                Some(ResponseCode::PermanentFlags(flags)) => takes_keywords = flags.iter().any(|flag| flag == "\\*"),
                Some(ResponseCode::ReadOnly) => is_read_only = true,
                _ => {}
            }
        }
    });
    if let Answer::No { code, text } = answer.await? {
        return Ok(Err(Unopened { reason: text, is_passing: PASSING.contains(&code.as_str()) }));
    }
    if is_read_only && access == Access::Filing {
        return Ok(Err(Unopened { reason: "it is read-only, nothing could be filed".to_owned(), is_passing: false }));
    }
    let Some(uid_validity) = uid_validity else {
        return Err(dialogue.protocol("tells no uidvalidity"));
    };
    dialogue.pin_uid_validity(Some(uid_validity));
    dialogue.take_news();
    Ok(Ok((uid_validity, takes_keywords)))
}

/// Whether there is such a folder; `quoted` as a command holds it.
pub(super) async fn is_listed(dialogue: &mut Dialogue, quoted: &str) -> Result<bool, WireError> {
    let mut is_there = false;
    dialogue
        .run(&format!("LIST \"\" {quoted}"), Size::SMALL, |response| {
            is_there |= matches!(response, Response::MailboxData(MailboxDatum::List(_)));
        })
        .await?;
    Ok(is_there)
}
