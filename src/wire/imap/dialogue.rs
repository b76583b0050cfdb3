//! Commands and answers of one IMAP connection: tags, time-outs, what NO and BAD mean, IDLE.
//! async-imap reads and parses; which answer belongs to which command is decided here, since its own
//! commands pass over NO and BAD in places where a mail would be lost by it.

use super::limit::{Excess, Limited, RESPONSE_SLACK_BYTES, SEARCH_LINE_BYTES_MAX};
use crate::wire::connect::{self, Place, Speech};
use crate::wire::{Endpoint, Timeouts, WireError, shown};
use async_imap::imap_proto::{Capability, MailboxDatum, Response, ResponseCode, Status};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

/// What we use where a server has it and can do without.
const OPTIONAL: [&str; 2] = ["MOVE", "IDLE"];
/// So many times BAD to such a command, and this server is not asked for it again (ATTACKS F13).
const BAD_MAX: u32 = 3;
/// How often each server answered an optional command with BAD. It outlives sessions, since BAD ends one.
static MISUNDERSTOOD: Mutex<BTreeMap<(String, u16, &str), u32>> = Mutex::new(BTreeMap::new());

/// How large the responses to one command may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub response_bytes_max: usize,
    pub line_bytes_max: usize,
}

impl Size {
    /// For answers of a few short lines.
    pub(super) const SMALL: Self = Self { response_bytes_max: RESPONSE_SLACK_BYTES, line_bytes_max: 0 };
}

/// The tagged end of a command.
#[derive(Debug)]
pub(super) enum Answer {
    Ok,
    No {
        /// The response code, such as `TRYCREATE` or `OVERQUOTA`; empty where there is none.
        code: String,
        /// The server's text, fit to be shown.
        text: String,
    },
}

/// One connection, greeted and, after `log_in`, logged in.
#[derive(Debug)]
pub(super) struct Dialogue {
    client: async_imap::Client<Limited>,
    endpoint: Endpoint,
    pub timeouts: Timeouts,
    commands: u32,
    capabilities: BTreeSet<String>,
    /// Messages in the mailbox as the server last counted them.
    exists: u32,
    has_news: bool,
    /// The tag of an IDLE that has not ended.
    idling: Option<String>,
    /// An answer is half read. Set for good where a caller gave a command up: its answer must not pass for another's.
    is_mid_answer: bool,
    /// The UIDVALIDITY that the open mailbox was opened under, and the last one that was told.
    uid_validity: Option<u32>,
    uid_validity_told: Option<u32>,
}

impl Dialogue {
    pub(super) async fn open(endpoint: &Endpoint, timeouts: Timeouts) -> Result<Self, WireError> {
        let connected = connect::connect(endpoint, Speech::Imap, &timeouts).await?;
        let client = async_imap::Client::new(Limited::new(connected.stream));
        let endpoint = endpoint.clone();
        let capabilities = BTreeSet::new();
        let mut new = Self {
            client,
            endpoint,
            timeouts,
            commands: 0,
            capabilities,
            exists: 0,
            has_news: false,
            idling: None,
            is_mid_answer: false,
            uid_validity: None,
            uid_validity_told: None,
        };
        if !connected.is_greeted {
            new.read_greeting().await?;
        }
        new.ask_capabilities().await?;
        Ok(new)
    }

    pub(super) fn at(&self) -> Place<'_> {
        Place(&self.endpoint)
    }

    /// Whether the server has the extension; `name` in capitals.
    pub(super) fn can(&self, name: &str) -> bool {
        self.capabilities.contains(name) && !self.has_given_up(name)
    }

    fn has_given_up(&self, name: &str) -> bool {
        let Some(name) = OPTIONAL.into_iter().find(|optional| *optional == name) else { return false };
        let counts = MISUNDERSTOOD.lock().unwrap_or_else(PoisonError::into_inner);
        counts.get(&(self.endpoint.host.clone(), self.endpoint.port, name)).is_some_and(|count| *count >= BAD_MAX)
    }

    fn count_bad(&self, command: &str) {
        let Some(name) = OPTIONAL.into_iter().find(|optional| command.split(' ').any(|word| word == *optional)) else { return };
        let mut counts = MISUNDERSTOOD.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry((self.endpoint.host.clone(), self.endpoint.port, name)).or_default();
        *count = count.saturating_add(1);
        if *count == BAD_MAX {
            tracing::warn!(server = %self.at(), feature = name, "imap feature given up: the server has it and does not understand it");
        }
    }

    /// From now on the mailbox is this one; `None`: none is open.
    pub(super) fn pin_uid_validity(&mut self, uid_validity: Option<u32>) {
        self.uid_validity = uid_validity;
        self.uid_validity_told = None;
    }

    /// A mailbox that was made anew under an open session: its UIDs mean other messages now (ATTACKS F8).
    fn made_anew(&self) -> Option<WireError> {
        let (pinned, told) = (self.uid_validity?, self.uid_validity_told?);
        (pinned != told).then(|| WireError::Unreachable(format!("imap server {} made the mailbox anew: it is opened again", self.at())))
    }

    /// Whether more mail came since this was last asked.
    pub(super) fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.has_news)
    }

    pub(super) fn has_news(&self) -> bool {
        self.has_news
    }

    async fn read_greeting(&mut self) -> Result<(), WireError> {
        let greeted = self.read(self.timeouts.greeting, |this, response| match response {
            Response::Data { status: Status::Ok, .. } => Ok(()),
            // Whoever logged this connection in, it was not us: the mailbox may be another's.
            Response::Data { status: Status::PreAuth, .. } => Err(this.protocol("greets with preauth")),
            Response::Data { status: Status::Bye, .. } => Err(this.farewell(response)),
            other => Err(this.protocol(&format!("greets with no imap: {}", told(other)))),
        });
        greeted.await?
    }

    pub(super) async fn ask_capabilities(&mut self) -> Result<(), WireError> {
        let mut found = BTreeSet::new();
        let answer = self.run("CAPABILITY", Size::SMALL, |response| {
            if let Response::Capabilities(list) = response {
                found.extend(list.iter().map(capability));
            }
        });
        if let Answer::No { text, .. } = answer.await? {
            return Err(self.refused("tells no capabilities", &text));
        }
        self.capabilities = found;
        Ok(())
    }

    /// Runs a command; `take` sees each response, the tagged one last.
    pub(super) async fn run(&mut self, command: &str, size: Size, take: impl FnMut(&Response<'_>)) -> Result<Answer, WireError> {
        self.run_as(command, command, size, take).await
    }

    /// As [`Dialogue::run`], with the name under which the command may be told in an error.
    pub(super) async fn run_as(
        &mut self,
        name: &str,
        command: &str,
        size: Size,
        take: impl FnMut(&Response<'_>),
    ) -> Result<Answer, WireError> {
        let limit = self.timeouts.operation;
        match timeout(limit, self.converse(name, command, size, take)).await {
            Ok(answer) => answer,
            Err(_) => Err(self.at().silent("finish with", limit)),
        }
    }

    async fn converse(&mut self, name: &str, command: &str, size: Size, mut take: impl FnMut(&Response<'_>)) -> Result<Answer, WireError> {
        self.end_idle().await?;
        if std::mem::replace(&mut self.is_mid_answer, true) {
            return Err(WireError::Unreachable(format!("an earlier command to {} was given up half way", self.at())));
        }
        let tag = self.say(command, size).await?;
        // A large message may take its time: past the first megabytes 64 KiB a second are asked for.
        let large = size.response_bytes_max.saturating_sub(SEARCH_LINE_BYTES_MAX);
        let patience = self.timeouts.command + Duration::from_secs(u64::try_from(large >> 16).unwrap_or(0));
        loop {
            let end = self.read(patience, |this, response| match response {
                Response::Done { tag: done, status, outcome } if done.0 == tag => {
                    take(response);
                    Some(this.answer(name, status, outcome))
                }
                Response::Data { status: Status::Bye, .. } if name != "LOGOUT" => Some(Err(this.farewell(response))),
                other => {
                    take(other);
                    None
                }
            });
            if let Some(answer) = end.await? {
                self.is_mid_answer = false;
                return self.made_anew().map_or(answer, Err);
            }
        }
    }

    pub(super) fn answer(&self, name: &str, status: &Status, outcome: &async_imap::imap_proto::Outcome<'_>) -> Result<Answer, WireError> {
        let text = shown(outcome.information.as_deref().unwrap_or(""));
        match status {
            Status::Ok => Ok(Answer::Ok),
            Status::No => Ok(Answer::No { code: code(outcome), text: text.to_lowercase() }),
            _ => {
                self.count_bad(name);
                let command: String = name.chars().take(200).collect();
                tracing::warn!(server = %self.at(), %command, answer = %text, "imap command not understood");
                Err(self.protocol(&format!("does not understand {}: {}", shown(&command).to_lowercase(), text.to_lowercase())))
            }
        }
    }

    /// Waits with IDLE (RFC 2177) until mail came or `limit` is over.
    /// The wait may be given up at any moment; the next command ends it first.
    pub(super) async fn idle(&mut self, limit: Duration) -> Result<(), WireError> {
        let over = tokio::time::sleep(limit);
        tokio::pin!(over);
        while !self.has_news {
            if self.idling.is_none() {
                self.begin_idle().await?;
            }
            let silence = self.timeouts.idle;
            let heard = tokio::select! {
                () = &mut over => break,
                heard = timeout(silence, self.next_of_idle()) => heard,
            };
            match heard {
                Ok(heard) => heard?,
                // The line may be dead. DONE finds out, and IDLE begins anew.
                Err(_) => self.end_idle().await?,
            }
        }
        self.end_idle().await
    }

    async fn begin_idle(&mut self) -> Result<(), WireError> {
        let tag = self.next_tag(Size::SMALL);
        self.idling = Some(tag.clone());
        self.write(&format!("{tag} IDLE")).await
    }

    /// One line while idling; any line shows that the connection lives.
    async fn next_of_idle(&mut self) -> Result<(), WireError> {
        let tag = self.idling.clone();
        let end = self.read(self.timeouts.idle.saturating_mul(2), |this, response| match response {
            Response::Data { status: Status::Bye, .. } => Some(Err(this.farewell(response))),
            Response::Done { tag: done, status, outcome } if Some(&done.0) == tag.as_ref() => Some(this.answer("IDLE", status, outcome)),
            _ => None,
        });
        let Some(answer) = end.await? else { return Ok(()) };
        self.idling = None;
        match answer? {
            // Only DONE ends it; a server that does so by itself would be asked again at once, for ever.
            Answer::Ok => Err(self.protocol("ends idle unasked")),
            Answer::No { text, .. } => Err(self.refused("refuses idle", &text)),
        }
    }

    /// Ends an IDLE that goes on. A dead connection shows by its silence.
    pub(super) async fn end_idle(&mut self) -> Result<(), WireError> {
        let Some(tag) = self.idling.take() else { return Ok(()) };
        let limit = self.timeouts.idle_end;
        self.is_mid_answer = true;
        let ended = timeout(limit, async {
            self.write("DONE").await?;
            loop {
                let end = self.read(limit.saturating_mul(2), |this, response| match response {
                    Response::Done { tag: done, status, outcome } if done.0 == tag => {
                        Some(this.answer("IDLE", status, outcome).map(|_| ()))
                    }
                    Response::Data { status: Status::Bye, .. } => Some(Err(this.farewell(response))),
                    _ => None,
                });
                if let Some(end) = end.await? {
                    return end;
                }
            }
        })
        .await;
        ended.unwrap_or_else(|_| Err(self.at().silent("end idle at", limit)))?;
        self.is_mid_answer = false;
        Ok(())
    }

    pub(super) async fn say(&mut self, command: &str, size: Size) -> Result<String, WireError> {
        let tag = self.next_tag(size);
        self.write(&format!("{tag} {command}")).await?;
        Ok(tag)
    }

    fn next_tag(&mut self, size: Size) -> String {
        self.client.get_mut().begin(size.response_bytes_max, size.line_bytes_max);
        self.commands += 1;
        format!("a{}", self.commands)
    }

    pub(super) async fn write(&mut self, line: &str) -> Result<(), WireError> {
        debug_assert!(!line.contains(['\r', '\n']), "a command is one line");
        let limit = self.timeouts.command;
        let bytes = format!("{line}\r\n");
        let stream = self.client.get_mut();
        let written = timeout(limit, async {
            stream.write_all(bytes.as_bytes()).await?;
            stream.flush().await
        });
        match written.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.at().lost("talk to", &error)),
            Err(_) => Err(self.at().silent("talk to", limit)),
        }
    }

    /// The next response. What it says about the number of messages is noted.
    pub(super) async fn read<T>(&mut self, limit: Duration, look: impl FnOnce(&Self, &Response<'_>) -> T) -> Result<T, WireError> {
        let response = match timeout(limit, self.client.read_response()).await {
            Ok(Ok(Some(response))) => response,
            Ok(Ok(None)) => return Err(WireError::Unreachable(format!("{} closed the connection", self.at()))),
            Ok(Err(error)) => return Err(self.unreadable(&error)),
            Err(_) => return Err(self.at().silent("hear from", limit)),
        };
        match response.parsed() {
            Response::MailboxData(MailboxDatum::Exists(count)) => {
                self.has_news |= *count > self.exists;
                self.exists = *count;
            }
            Response::Expunge(_) => self.exists = self.exists.saturating_sub(1),
            Response::Data { outcome, .. } => {
                if let Some(ResponseCode::UidValidity(number)) = outcome.code {
                    self.uid_validity_told = Some(number);
                }
            }
            _ => {}
        }
        Ok(look(self, response.parsed()))
    }

    /// The parser's own words quote what it was given, which is mail: they are not told.
    fn unreadable(&self, error: &io::Error) -> WireError {
        if let Some(excess) = error.get_ref().and_then(|inner| inner.downcast_ref::<Excess>()) {
            return self.protocol(&format!("says too much: {excess}"));
        }
        match error.kind() {
            io::ErrorKind::Other => self.protocol("says what cannot be read as imap"),
            _ => self.at().lost("hear from", error),
        }
    }

    pub(super) fn protocol(&self, what: &str) -> WireError {
        WireError::Protocol(format!("imap server {} {what}", self.at()))
    }

    pub(super) fn refused(&self, what: &str, why: &str) -> WireError {
        WireError::Refused(format!("imap server {} {what}: {why}", self.at()))
    }

    pub(super) fn farewell(&self, response: &Response<'_>) -> WireError {
        WireError::Unreachable(format!("imap server {} says goodbye: {}", self.at(), told(response)))
    }

    /// Ends the connection politely.
    pub(super) async fn log_out(mut self) {
        // The mail is filed whatever the server says to this.
        self.timeouts.operation = self.timeouts.operation.min(Duration::from_secs(5));
        self.run("LOGOUT", Size::SMALL, |_| {}).await.ok();
    }
}

fn capability(capability: &Capability<'_>) -> String {
    match capability {
        Capability::Imap4rev1 => "IMAP4REV1".to_owned(),
        Capability::Auth(name) => format!("AUTH={}", name.to_uppercase()),
        Capability::Atom(name) => name.to_uppercase(),
    }
}

/// The response code of a NO: the few that the parser knows, and RFC 5530's, which it leaves in the text.
fn code(outcome: &async_imap::imap_proto::Outcome<'_>) -> String {
    if outcome.code == Some(ResponseCode::TryCreate) {
        return "TRYCREATE".to_owned();
    }
    let text = outcome.information.as_deref().unwrap_or("").trim_start();
    let inner = text.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or("", |(inner, _)| inner);
    inner.split(' ').next().unwrap_or("").to_uppercase()
}

fn told(response: &Response<'_>) -> String {
    match response {
        Response::Data { outcome, .. } | Response::Done { outcome, .. } => {
            shown(outcome.information.as_deref().unwrap_or("")).to_lowercase()
        }
        _ => "something else".to_owned(),
    }
}
