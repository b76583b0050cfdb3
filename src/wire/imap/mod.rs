//! The mailbox on an IMAP server: what waits in it, its bytes, filing, and waiting for more.
//! Nothing of a stranger's stands in a command: UIDs are numbers, folder names come from the configuration.

mod dialogue;
mod filing;
mod limit;
mod login;
mod opening;

use super::{Body, Endpoint, HEADER_BYTES_MAX, Login, Timeouts, Wake, WireError};
use async_imap::imap_proto::{AttributeValue, MailboxDatum, MessageSection, Response, SectionPath};
use dialogue::{Answer, Dialogue, Size};
use jiff::Timestamp;
use limit::{RESPONSE_SLACK_BYTES, SEARCH_LINE_BYTES_MAX};
use login::quoted;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub use filing::Folders;
pub use opening::{Examined, LoggedIn};

/// Marks what is filed where the server can neither move nor remove one message (ATTACKS F5).
const FILED_KEYWORD: &str = "bantuan70-filed";
/// UIDs in one command: some 5 KB, well under the 8 KB that RFC 7162 §4 lets a server expect.
const UIDS_IN_COMMAND_MAX: usize = 500;

/// A message as fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    pub uid: u32,
    /// When the server received it; `None` where it tells no date.
    pub internal_date: Option<Timestamp>,
    pub body: Body,
}

/// What a server can do and what the folders are, for `check`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    pub can_idle: bool,
    pub can_move: bool,
    pub can_expunge_one: bool,
    /// Messages that wait.
    pub waiting: usize,
    /// Folders of the configuration that are not there yet; they are made when first needed.
    pub missing_folders: Vec<String>,
    /// Folders that the server does not open, with its reason.
    pub closed_folders: Vec<String>,
}

/// A logged-in connection with one mailbox selected. After an error it is of no further use.
#[derive(Debug)]
pub struct Session {
    dialogue: Dialogue,
    mailbox: String,
    uid_validity: u32,
    /// The mailbox takes keywords of ours (RFC 3501 §7.1, PERMANENTFLAGS).
    takes_keywords: bool,
    /// Where the server says that it put what was filed.
    placed: Vec<Placed>,
}

/// Where a filed message lies now, by COPYUID (RFC 4315 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// Its UID in the mailbox that it came from.
    pub uid: u32,
    /// The UIDVALIDITY of the folder, and the UID there.
    pub uid_validity: u32,
    pub uid_there: u32,
}

impl Session {
    /// Connects, logs in and selects `mailbox`.
    pub async fn connect(endpoint: &Endpoint, login: &Login, mailbox: &str, timeouts: Timeouts) -> Result<Self, WireError> {
        LoggedIn::open(endpoint, login, timeouts).await?.select(mailbox).await
    }

    fn new(dialogue: Dialogue, mailbox: &str, uid_validity: u32, takes_keywords: bool) -> Self {
        Self { dialogue, mailbox: mailbox.to_owned(), uid_validity, takes_keywords, placed: Vec::new() }
    }

    /// The UIDVALIDITY of the mailbox: UIDs mean nothing under another one (ATTACKS F8).
    #[must_use]
    pub fn uid_validity(&self) -> u32 {
        self.uid_validity
    }

    /// The UIDs of all that waits, ascending. `\Seen` is no criterion (ATTACKS F17); what we filed without
    /// being able to remove it is left out.
    pub async fn uids(&mut self) -> Result<Vec<u32>, WireError> {
        // A server searches what it last announced; NOOP is the moment to announce (RFC 3501 §6.1.2).
        self.noop().await?;
        self.dialogue.take_news();
        let found = self.search(&format!("UNKEYWORD {FILED_KEYWORD}")).await?;
        Ok(found.into_iter().collect())
    }

    /// The UIDs of everything in the mailbox, ascending, what we marked as filed too: others can set that mark.
    pub async fn all_uids(&mut self) -> Result<Vec<u32>, WireError> {
        self.noop().await?;
        self.dialogue.take_news();
        Ok(self.search("ALL").await?.into_iter().collect())
    }

    /// Those of `uids` that are in the mailbox and bear no mark of having been filed or deleted.
    pub async fn unmarked(&mut self, uids: &[u32]) -> Result<BTreeSet<u32>, WireError> {
        self.those_of(uids, &format!(" UNDELETED UNKEYWORD {FILED_KEYWORD}")).await
    }

    /// Where the server put what was filed since this was last asked.
    pub fn take_placed(&mut self) -> Vec<Placed> {
        std::mem::take(&mut self.placed)
    }

    /// Those of `uids` that still are in the mailbox.
    pub async fn still_there(&mut self, uids: &[u32]) -> Result<BTreeSet<u32>, WireError> {
        self.those_of(uids, "").await
    }

    async fn those_of(&mut self, uids: &[u32], which: &str) -> Result<BTreeSet<u32>, WireError> {
        let mut found = BTreeSet::new();
        for some in uids.chunks(UIDS_IN_COMMAND_MAX) {
            let asked: BTreeSet<u32> = some.iter().copied().collect();
            found.extend(self.search(&format!("UID {}{which}", uid_set(some))).await?.intersection(&asked));
        }
        Ok(found)
    }

    async fn noop(&mut self) -> Result<(), WireError> {
        match self.dialogue.run("NOOP", Size::SMALL, |_| {}).await? {
            Answer::Ok => Ok(()),
            Answer::No { text, .. } => Err(self.dialogue.refused("refuses noop", &text)),
        }
    }

    async fn search(&mut self, what: &str) -> Result<BTreeSet<u32>, WireError> {
        let mut found = BTreeSet::new();
        let size = Size { response_bytes_max: SEARCH_LINE_BYTES_MAX, line_bytes_max: SEARCH_LINE_BYTES_MAX };
        let command = format!("UID SEARCH {what}");
        let answer = self.dialogue.run(&command, size, |response| {
            if let Response::MailboxData(MailboxDatum::Search(numbers)) = response {
                found.extend(numbers.iter().copied().filter(|uid| *uid != 0));
            }
        });
        match answer.await? {
            Answer::Ok => Ok(found),
            Answer::No { text, .. } => Err(self.dialogue.refused(&format!("does not search mailbox '{}'", self.mailbox), &text)),
        }
    }

    /// The sizes in bytes as the server tells them; what is gone is left out.
    pub async fn sizes(&mut self, uids: &[u32]) -> Result<BTreeMap<u32, u32>, WireError> {
        let mut sizes = BTreeMap::new();
        for some in uids.chunks(UIDS_IN_COMMAND_MAX) {
            let asked: BTreeSet<u32> = some.iter().copied().collect();
            let command = format!("UID FETCH {} (UID RFC822.SIZE)", uid_set(some));
            let answer = self.dialogue.run(&command, Size::SMALL, |response| {
                let Response::Fetch(_, attributes) = response else { return };
                let parts = Parts::of(attributes);
                if let (Some(uid), Some(size)) = (parts.uid, parts.size)
                    && asked.contains(&uid)
                {
                    sizes.insert(uid, size);
                }
            });
            if let Answer::No { text, .. } = answer.await? {
                // Part of them may be gone; what was told was told.
                tracing::debug!(server = %self.dialogue.at(), answer = %text, "imap fetch of sizes refused in part");
            }
        }
        Ok(sizes)
    }

    /// Fetches messages without marking them as read. Each of `uids` comes back once, as [`Body::Gone`] where it is
    /// no longer there, or not at all where it is there and the server does not give it: ask again later.
    /// Memory: the sum of what the server tells as sizes, and once `max_bytes`; choose `uids` by [`Session::sizes`].
    pub async fn fetch(&mut self, uids: &[u32], max_bytes: usize) -> Result<Vec<Fetched>, WireError> {
        let asked: BTreeSet<u32> = uids.iter().copied().filter(|uid| *uid != 0).collect();
        let asked: Vec<u32> = asked.into_iter().collect();
        let sizes = self.sizes(&asked).await?;
        let is_small = |uid: &u32| sizes.get(uid).is_some_and(|size| *size as usize <= max_bytes);
        let (whole, rest): (Vec<u32>, Vec<u32>) = asked.iter().copied().partition(is_small);
        let mut found = BTreeMap::new();
        for some in whole.chunks(UIDS_IN_COMMAND_MAX) {
            let total: usize = some.iter().filter_map(|uid| sizes.get(uid)).map(|size| *size as usize).sum();
            self.fetch_into(&mut found, some, &sizes, max_bytes, total + max_bytes + RESPONSE_SLACK_BYTES).await?;
        }
        for uid in rest {
            let Some(size) = sizes.get(&uid) else { continue };
            self.fetch_header(&mut found, uid, *size).await?;
        }
        let missing: Vec<u32> = asked.into_iter().filter(|uid| !found.contains_key(uid)).collect();
        if !missing.is_empty() {
            let there = self.still_there(&missing).await?;
            for uid in missing.into_iter().filter(|uid| !there.contains(uid)) {
                found.insert(uid, Fetched { uid, internal_date: None, body: Body::Gone });
            }
        }
        Ok(found.into_values().collect())
    }

    async fn fetch_into(
        &mut self,
        found: &mut BTreeMap<u32, Fetched>,
        uids: &[u32],
        sizes: &BTreeMap<u32, u32>,
        max_bytes: usize,
        mut budget: usize,
    ) -> Result<(), WireError> {
        let size = Size { response_bytes_max: max_bytes.saturating_add(RESPONSE_SLACK_BYTES), line_bytes_max: 0 };
        let (mut strange, mut is_over_budget) = (0_u32, false);
        let command = format!("UID FETCH {} (UID INTERNALDATE BODY.PEEK[])", uid_set(uids));
        let answer = self.dialogue.run(&command, size, |response| {
            let Response::Fetch(_, attributes) = response else { return };
            let parts = Parts::of(attributes);
            let (Some(uid), Some(bytes)) = (parts.uid, parts.body) else { return };
            // Only what was asked for, each once (ATTACKS S4): the first answer counts.
            if uids.binary_search(&uid).is_err() || found.contains_key(&uid) {
                strange += 1;
                return;
            }
            is_over_budget |= bytes.len() > budget;
            budget = budget.saturating_sub(bytes.len());
            if is_over_budget {
                return;
            }
            let body = if bytes.len() <= max_bytes {
                Body::Whole(bytes.to_vec())
            } else {
                let size = sizes.get(&uid).map_or(0, |size| u64::from(*size)).max(bytes.len() as u64);
                Body::HeaderOnly { header: header_of(bytes), size }
            };
            found.insert(uid, Fetched { uid, internal_date: parts.internal_date, body });
        });
        let answer = answer.await?;
        if strange > 0 {
            tracing::warn!(server = %self.dialogue.at(), count = strange, "imap server gave messages that were not asked for");
        }
        if is_over_budget {
            return Err(self.dialogue.protocol("gives more bytes than it told"));
        }
        if let Answer::No { text, .. } = answer {
            tracing::warn!(server = %self.dialogue.at(), answer = %text, "imap fetch refused in part");
        }
        Ok(())
    }

    async fn fetch_header(&mut self, found: &mut BTreeMap<u32, Fetched>, asked: u32, size: u32) -> Result<(), WireError> {
        let command = format!("UID FETCH {asked} (UID INTERNALDATE BODY.PEEK[HEADER]<0.{HEADER_BYTES_MAX}>)");
        let limit = Size { response_bytes_max: HEADER_BYTES_MAX + RESPONSE_SLACK_BYTES, line_bytes_max: 0 };
        let answer = self.dialogue.run(&command, limit, |response| {
            let Response::Fetch(_, attributes) = response else { return };
            let parts = Parts::of(attributes);
            if let (Some(uid), Some(header)) = (parts.uid, parts.header)
                && uid == asked
                && !found.contains_key(&uid)
            {
                let header = header.get(..HEADER_BYTES_MAX).unwrap_or(header).to_vec();
                let body = Body::HeaderOnly { header, size: u64::from(size) };
                found.insert(uid, Fetched { uid, internal_date: parts.internal_date, body });
            }
        });
        if let Answer::No { text, .. } = answer.await? {
            tracing::warn!(server = %self.dialogue.at(), answer = %text, "imap fetch of a header refused");
        }
        Ok(())
    }

    /// Waits until mail came or `poll` is over: by IDLE where the server has it, else by asking at the end of `poll`.
    /// May be dropped half way; the session stays usable.
    pub async fn wait(&mut self, poll: Duration) -> Result<Wake, WireError> {
        if !self.dialogue.has_news() {
            if self.dialogue.can("IDLE") {
                self.dialogue.idle(poll).await?;
            } else {
                tokio::time::sleep(poll).await;
                self.noop().await?;
            }
        }
        Ok(if self.dialogue.has_news() { Wake::Changed } else { Wake::Timeout })
    }

    /// Ends the session. Whatever the server says to it, nothing is lost.
    pub async fn logout(self) {
        self.dialogue.log_out().await;
    }
}

/// For `check`: connects, logs in, opens the mailbox and looks at the folders.
pub async fn login_check(
    endpoint: &Endpoint,
    login: &Login,
    mailbox: &str,
    processed: &str,
    quarantine: &str,
    timeouts: Timeouts,
) -> Result<Checked, WireError> {
    let mut session = Session::connect(endpoint, login, mailbox, timeouts).await?;
    let folders = session.check_folders(&[processed, quarantine]).await?;
    let waiting = session.uids().await?.len();
    let checked = Checked {
        can_idle: session.dialogue.can("IDLE"),
        can_move: session.dialogue.can("MOVE"),
        can_expunge_one: session.dialogue.can("UIDPLUS"),
        waiting,
        missing_folders: folders.missing,
        closed_folders: folders.closed,
    };
    session.logout().await;
    Ok(checked)
}

/// What we look at in a FETCH response.
#[derive(Default)]
struct Parts<'a> {
    uid: Option<u32>,
    size: Option<u32>,
    internal_date: Option<Timestamp>,
    body: Option<&'a [u8]>,
    header: Option<&'a [u8]>,
}

impl<'a> Parts<'a> {
    fn of(attributes: &'a [AttributeValue<'_>]) -> Self {
        let mut parts = Self::default();
        for attribute in attributes {
            match attribute {
                AttributeValue::Uid(uid) => parts.uid = Some(*uid),
                AttributeValue::Rfc822Size(size) => parts.size = Some(*size),
                AttributeValue::InternalDate(text) => parts.internal_date = date(text),
                AttributeValue::BodySection { section: None, data: Some(data), .. } => parts.body = Some(data),
                AttributeValue::BodySection { section: Some(SectionPath::Full(MessageSection::Header)), data: Some(data), .. } => {
                    parts.header = Some(data);
                }
                _ => {}
            }
        }
        parts
    }
}

/// RFC 3501 §9, `date-time`: ` 4-Nov-2026 13:28:12 +0700`.
fn date(text: &str) -> Option<Timestamp> {
    Timestamp::strptime("%d-%b-%Y %H:%M:%S %z", text.trim()).ok()
}

fn header_of(bytes: &[u8]) -> Vec<u8> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    bytes.get(..end.min(HEADER_BYTES_MAX)).unwrap_or(bytes).to_vec()
}

/// `1:3,7` for 1, 2, 3, 7.
fn uid_set(uids: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for uid in uids.iter().copied().collect::<BTreeSet<_>>() {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(uid) => *last = uid,
            _ => ranges.push((uid, uid)),
        }
    }
    let ranges = ranges.into_iter().map(|(from, to)| if from == to { from.to_string() } else { format!("{from}:{to}") });
    ranges.collect::<Vec<_>>().join(",")
}

/// A folder name of the configuration as a command may hold it (ATTACKS D11). Letters beyond ASCII are
/// written as the server shows them (RFC 3501 §5.1.3), wildcards would mean many folders.
fn folder(name: &str) -> Result<String, WireError> {
    let is_valid = !name.is_empty() && name.len() <= 200 && name.trim() == name && !name.contains(['*', '%']);
    match quoted(name).filter(|_| is_valid) {
        Some(quoted) => Ok(quoted),
        None => Err(WireError::Refused(format!("'{}' is no folder name for imap: plain ascii without * and %", name.escape_debug()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_are_written_as_ranges() {
        assert_eq!(uid_set(&[7, 1, 2, 3, 3, u32::MAX]), "1:3,7,4294967295");
        assert_eq!(uid_set(&[]), "");
    }

    #[test]
    fn d11_no_folder_name_carries_a_second_command() {
        for hostile in ["", "a\r\nb", "a\nLOGOUT", "a\0", "*", "Ordner%", " x", "Gelöscht", &"x".repeat(201)] {
            assert!(folder(hostile).is_err(), "{hostile:?}");
        }
        assert_eq!(folder("INBOX/a \"b\" \\c").unwrap(), "\"INBOX/a \\\"b\\\" \\\\c\"");
    }

    #[test]
    fn internal_dates_are_read() {
        assert_eq!(date(" 4-Nov-2026 07:28:12 +0700").unwrap().to_string(), "2026-11-04T00:28:12Z");
        assert_eq!(date("yesterday"), None);
    }
}
