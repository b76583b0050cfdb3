//! Filing: out of the inbox, into a folder. Each step may be repeated; what is no longer there is done.

use super::dialogue::{Answer, Size};
use super::opening::is_listed;
use super::{FILED_KEYWORD, Placed, Session, UIDS_IN_COMMAND_MAX, folder, uid_set};
use crate::wire::{Filing, WireError};
use async_imap::imap_proto::rfc4315::UidSetMember;
use async_imap::imap_proto::{MailboxDatum, Response, ResponseCode, StatusAttribute};

/// Which of the two commands puts messages into another folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transfer {
    Move,
    Copy,
}

impl Transfer {
    fn word(self) -> &'static str {
        match self {
            Self::Move => "MOVE",
            Self::Copy => "COPY",
        }
    }
}

/// What COPYUID told (RFC 4315 §3).
#[derive(Debug, Default)]
struct Copied {
    uid_validity: u32,
    from: Vec<UidSetMember>,
    to: Vec<UidSetMember>,
}

impl Session {
    /// Whether [`Session::file`] can be used (RFC 6851). Where not: [`Session::copy`], commit, [`Session::expunge`].
    #[must_use]
    pub fn can_move(&self) -> bool {
        self.dialogue.can("MOVE")
    }

    /// Moves messages into `name`, which is made if it is missing. One result for each of `uids`.
    /// Fails as a whole where the folder turns out to be the mailbox itself (ATTACKS F18).
    pub async fn file(&mut self, uids: &[u32], name: &str) -> Result<Vec<(u32, Filing)>, WireError> {
        if !self.can_move() {
            return Err(self.dialogue.refused("cannot move messages", "it has no move"));
        }
        self.transfer(uids, name, Transfer::Move).await
    }

    /// Copies messages into `name`, which is made if it is missing: the first half of filing without MOVE.
    /// [`Filing::Filed`] means copied; commit that before [`Session::expunge`], so that a crash copies at most once more.
    pub async fn copy(&mut self, uids: &[u32], name: &str) -> Result<Vec<(u32, Filing)>, WireError> {
        self.transfer(uids, name, Transfer::Copy).await
    }

    /// The second half: takes copied messages out of the mailbox. Without UIDPLUS they are only marked, since
    /// a plain EXPUNGE would also remove what other people have marked; [`Session::uids`] leaves them out.
    pub async fn expunge(&mut self, uids: &[u32]) -> Result<Vec<(u32, Filing)>, WireError> {
        let mut results = Vec::new();
        for some in uids.chunks(UIDS_IN_COMMAND_MAX) {
            let set = uid_set(some);
            let can_remove_one = self.dialogue.can("UIDPLUS");
            let marks = if can_remove_one || !self.takes_keywords { "\\Deleted".to_owned() } else { format!("\\Deleted {FILED_KEYWORD}") };
            let mut answer = self.dialogue.run(&format!("UID STORE {set} +FLAGS.SILENT ({marks})"), Size::SMALL, |_| {}).await?;
            if can_remove_one && matches!(answer, Answer::Ok) {
                answer = self.dialogue.run(&format!("UID EXPUNGE {set}"), Size::SMALL, |_| {}).await?;
            }
            match answer {
                Answer::Ok => results.extend(some.iter().map(|uid| (*uid, Filing::Filed))),
                Answer::No { text, .. } => results.extend(self.told_apart(some, &text).await?),
            }
        }
        Ok(results)
    }

    async fn transfer(&mut self, uids: &[u32], name: &str, how: Transfer) -> Result<Vec<(u32, Filing)>, WireError> {
        let target = folder(name)?;
        if is_same_name(name, &self.mailbox) {
            return Err(self.dialogue.refused("is not asked to file", &format!("folder '{name}' is the mailbox itself")));
        }
        let mut results = Vec::new();
        for some in uids.chunks(UIDS_IN_COMMAND_MAX) {
            let mut left = some.to_vec();
            let (mut has_created, mut has_sorted) = (false, false);
            while !left.is_empty() {
                let (answer, copied) = self.transfer_once(&left, &target, how).await?;
                match answer {
                    Answer::Ok => {
                        self.refuse_itself(name, copied.as_ref()).await?;
                        if let Some(copied) = &copied {
                            self.note_placed(&left, copied);
                        }
                        results.extend(left.iter().map(|uid| (*uid, copied_or_gone(*uid, copied.as_ref()))));
                        break;
                    }
                    Answer::No { code, .. } if code == "TRYCREATE" && !has_created => {
                        has_created = true;
                        self.create(&target).await?;
                    }
                    Answer::No { text, .. } => {
                        // One that is gone makes some servers refuse the whole set: once more without it.
                        let (gone, there): (Vec<_>, Vec<_>) =
                            self.told_apart(&left, &text).await?.into_iter().partition(|(_, filing)| *filing == Filing::Gone);
                        left = there.iter().map(|(uid, _)| *uid).collect();
                        let is_worth_a_try = !gone.is_empty() && !std::mem::replace(&mut has_sorted, true);
                        results.extend(gone);
                        if !is_worth_a_try {
                            results.extend(there);
                            break;
                        }
                    }
                }
            }
        }
        Ok(results)
    }

    async fn transfer_once(&mut self, uids: &[u32], target: &str, how: Transfer) -> Result<(Answer, Option<Copied>), WireError> {
        let mut copied: Option<Copied> = None;
        let command = format!("UID {} {} {target}", how.word(), uid_set(uids));
        let answer = self.dialogue.run(&command, Size::SMALL, |response| {
            let (Response::Data { outcome, .. } | Response::Done { outcome, .. }) = response else { return };
            if let Some(ResponseCode::CopyUid(uid_validity, from, to)) = &outcome.code {
                let all = copied.get_or_insert_default();
                all.uid_validity = *uid_validity;
                all.from.extend_from_slice(from);
                all.to.extend_from_slice(to);
            }
        });
        Ok((answer.await?, copied))
    }

    async fn create(&mut self, target: &str) -> Result<(), WireError> {
        // A NO is no matter: another client may have made it meanwhile, and the next try tells.
        if let Answer::No { text, .. } = self.dialogue.run(&format!("CREATE {target}"), Size::SMALL, |_| {}).await? {
            tracing::warn!(server = %self.dialogue.at(), folder = target, answer = %text, "imap folder not created");
        }
        Ok(())
    }

    /// After a NO: what is no longer in the mailbox is gone, the rest failed (ATTACKS F7).
    async fn told_apart(&mut self, uids: &[u32], reason: &str) -> Result<Vec<(u32, Filing)>, WireError> {
        let there = self.still_there(uids).await?;
        let filing = |uid| if there.contains(uid) { Filing::Failed(reason.to_owned()) } else { Filing::Gone };
        Ok(uids.iter().map(|uid| (*uid, filing(uid))).collect())
    }

    /// Where what was filed turns up in the mailbox under the UIDs that filing gave it, folder and mailbox are one:
    /// filing would go round for ever. UIDVALIDITY alone proves nothing, two folders may have the same.
    async fn refuse_itself(&mut self, name: &str, copied: Option<&Copied>) -> Result<(), WireError> {
        let Some(copied) = copied.filter(|copied| copied.uid_validity == self.uid_validity()) else { return Ok(()) };
        let first = copied.to.iter().map(|member| match member {
            UidSetMember::Uid(uid) => *uid,
            UidSetMember::UidRange(range) => *range.start(),
        });
        let Some(first) = first.min() else { return Ok(()) };
        if self.still_there(&[first]).await?.is_empty() {
            return Ok(());
        }
        Err(self.dialogue.protocol(&format!("files into the mailbox itself: folder '{name}' is another name of it")))
    }

    /// Compares the folders with the mailbox and tells which of them are missing or closed to us. Refuses
    /// where one is the mailbox under another name: filing would go round for ever (ATTACKS F18).
    pub async fn check_folders(&mut self, names: &[&str]) -> Result<Folders, WireError> {
        let mailbox = self.mailbox.clone();
        let own = match self.status(&mailbox).await? {
            Told::Status(status) => Some(status),
            Told::Missing | Told::Closed(_) => None,
        };
        let mut folders = Folders::default();
        for name in names {
            let status = if is_same_name(name, &mailbox) { Told::Status(own.unwrap_or_default()) } else { self.status(name).await? };
            match status {
                Told::Missing => folders.missing.push((*name).to_owned()),
                // What is filed there will be refused one by one; mail comes in all the same.
                Told::Closed(reason) => folders.closed.push(format!("{name}: {reason}")),
                // A mailbox that never held mail looks like each other one.
                Told::Status(status) if is_same_name(name, &mailbox) || (Some(status) == own && status.uid_next > 1) => {
                    return Err(self
                        .dialogue
                        .refused("cannot be used as configured", &format!("folder '{name}' is mailbox '{mailbox}' itself")));
                }
                Told::Status(_) => {}
            }
        }
        Ok(folders)
    }

    async fn status(&mut self, name: &str) -> Result<Told, WireError> {
        let quoted = folder(name)?;
        if !is_listed(&mut self.dialogue, &quoted).await? {
            return Ok(Told::Missing);
        }
        let mut status = Status::default();
        let command = format!("STATUS {quoted} (MESSAGES UIDNEXT UIDVALIDITY)");
        let answer = self.dialogue.run(&command, Size::SMALL, |response| {
            let Response::MailboxData(MailboxDatum::Status { status: items, .. }) = response else { return };
            for item in items {
                match item {
                    StatusAttribute::Messages(number) => status.messages = *number,
                    StatusAttribute::UidNext(number) => status.uid_next = *number,
                    StatusAttribute::UidValidity(number) => status.uid_validity = *number,
                    _ => {}
                }
            }
        });
        match answer.await? {
            Answer::Ok => Ok(Told::Status(status)),
            Answer::No { text, .. } => Ok(Told::Closed(text)),
        }
    }

    /// Notes where each message lies now. The two lists of COPYUID answer each other in their order; where
    /// they are of different lengths, or longer than what was asked for, nothing is believed.
    fn note_placed(&mut self, asked: &[u32], copied: &Copied) {
        let expand = |members: &[UidSetMember]| -> Vec<u32> {
            let mut all = Vec::new();
            for member in members {
                match member {
                    UidSetMember::Uid(uid) => all.push(*uid),
                    UidSetMember::UidRange(range) => all.extend(range.clone().take(asked.len() + 1)),
                }
                if all.len() > asked.len() {
                    break;
                }
            }
            all
        };
        let (from, to) = (expand(&copied.from), expand(&copied.to));
        if from.len() != to.len() || from.len() > asked.len() {
            return;
        }
        let uid_validity = copied.uid_validity;
        let places = from.into_iter().zip(to).filter(|(uid, _)| asked.contains(uid));
        self.placed.extend(places.map(|(uid, uid_there)| Placed { uid, uid_validity, uid_there }));
    }
}

/// How the folders stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folders {
    /// Not there yet; they are made when first needed.
    pub missing: Vec<String>,
    /// There, and the server does not let us in: `name: reason`.
    pub closed: Vec<String>,
}

/// What the server says about a folder.
enum Told {
    Status(Status),
    Missing,
    Closed(String),
}

/// What tells two folders apart.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Status {
    messages: u32,
    uid_next: u32,
    uid_validity: u32,
}

/// INBOX is INBOX in any case (RFC 3501 §5.1); other names are compared as they are.
fn is_same_name(a: &str, b: &str) -> bool {
    a == b || (a.eq_ignore_ascii_case("INBOX") && b.eq_ignore_ascii_case("INBOX"))
}

/// After OK: a message that COPYUID leaves out was no longer there (RFC 4315 §3); without COPYUID all count as filed.
fn copied_or_gone(uid: u32, copied: Option<&Copied>) -> Filing {
    let is_in = |copied: &Copied| {
        copied.from.iter().any(|member| match member {
            UidSetMember::Uid(one) => *one == uid,
            UidSetMember::UidRange(range) => range.contains(&uid),
        })
    };
    if copied.is_none_or(is_in) { Filing::Filed } else { Filing::Gone }
}
