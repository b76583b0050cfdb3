//! Mail comes in: from the server or the Maildir into the store (rung I1), through the pipeline
//! (I2), and out of the inbox into the folder for it (I3). Moving repeats until it is done.

use super::alarm::Cause;
use super::{Daemon, endpoint, wait, wire_login};
use crate::config::Source;
use crate::store::{Arrival, Unfiled};
use crate::wire::imap::Session;
use crate::wire::maildir::Maildir;
use crate::wire::{Body, Filing, Timeouts, Wake, WireError};
use anyhow::anyhow;
use std::collections::{BTreeMap, BTreeSet};

/// Messages fetched and committed together (one fsync for all).
const FETCH_BATCH: usize = 50;
/// Bytes fetched together, so that memory stays flat whatever waits; one larger message goes alone.
const FETCH_BYTES: u64 = 32 * 1024 * 1024;
/// Places in the mailbox that are cleared in one round: many, so that messages which cannot be moved
/// (no rights, over quota) do not keep newer ones in the inbox.
const FILE_BATCH: usize = 10_000;

/// Why a round of intake ended.
#[derive(Debug)]
pub enum IntakeError {
    Wire(WireError),
    Store(anyhow::Error),
}

impl From<WireError> for IntakeError {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

impl From<anyhow::Error> for IntakeError {
    fn from(error: anyhow::Error) -> Self {
        Self::Store(error)
    }
}

impl std::fmt::Display for IntakeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Wire(error) => write!(f, "{error}"),
            Self::Store(error) => write!(f, "{error:#}"),
        }
    }
}

/// Takes mail in until told to stop.
pub(super) async fn run(daemon: &Daemon) {
    let mut backoff = wait::Backoff::new();
    while !daemon.is_stopping() {
        let outcome = tokio::select! {
            () = daemon.stopped() => break,
            outcome = watch(daemon, &mut backoff) => outcome,
        };
        if let Err(error) = outcome {
            let pause = backoff.next(matches!(error, IntakeError::Wire(WireError::Refused(_))));
            tracing::warn!(error = error.to_string(), retry_after = pause.as_secs(), "intake interrupted");
            daemon.outage(Cause::Intake, &error.to_string(), &backoff).await;
            tokio::select! {
                () = daemon.stopped() => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

/// Takes in what waits now.
///
/// # Errors
/// The server could not be reached or refused us, or the store failed; the mail then waits where it was.
pub(super) async fn drain(daemon: &Daemon) -> Result<(), IntakeError> {
    let mut mailbox = Mailbox::open(daemon).await?;
    // A mail that fails is tried three times before it is put aside.
    for _ in 0..4 {
        if mailbox.round(daemon).await? == 0 && daemon.store.waiting_mail(1)?.is_empty() {
            break;
        }
    }
    mailbox.close().await;
    Ok(())
}

async fn watch(daemon: &Daemon, backoff: &mut wait::Backoff) -> Result<(), IntakeError> {
    let mut mailbox = Mailbox::open(daemon).await?;
    tracing::info!(source = mailbox.source(), "watching");
    loop {
        mailbox.round(daemon).await?;
        backoff.reset();
        mailbox.wait(daemon).await?;
    }
}

/// The place that mail comes from.
enum Mailbox {
    Imap { session: Box<Session>, source: String },
    Maildir { maildir: Maildir, source: String },
}

impl Mailbox {
    async fn open(daemon: &Daemon) -> Result<Self, IntakeError> {
        let intake = &daemon.config.intake;
        match &intake.source {
            Some(Source::Maildir { path }) => {
                Ok(Self::Maildir { maildir: Maildir::open(path)?, source: format!("maildir:{}", path.display()) })
            }
            Some(Source::Imap { server, login }) => {
                let refused = |text: String| IntakeError::Wire(WireError::Refused(text));
                let password = intake.password().map_err(|error| refused(error.to_string()))?;
                let login = wire_login(login, password).await.map_err(|error| refused(error.to_string()))?;
                let mut session = Session::connect(&endpoint(server), &login, &intake.mailbox, Timeouts::default()).await?;
                // An alias of the inbox as target would move mail in a circle for ever (F18).
                let missing = session.check_folders(&[&intake.processed, &intake.quarantine]).await?;
                if !missing.is_empty() {
                    tracing::info!(folders = missing.join(", "), "folders will be made when they are first needed");
                }
                Ok(Self::Imap { session: Box::new(session), source: format!("imap:{}", intake.mailbox) })
            }
            None => Err(IntakeError::Wire(WireError::Refused("intake.host is missing in the configuration".to_owned()))),
        }
    }

    fn source(&self) -> &str {
        match self {
            Self::Imap { source, .. } | Self::Maildir { source, .. } => source,
        }
    }

    /// Fetches what is new, decides, files; gives how many messages were new.
    async fn round(&mut self, daemon: &Daemon) -> Result<usize, IntakeError> {
        // What an earlier run had decided leaves first, so that it is not fetched again.
        self.file(daemon).await?;
        let new = match self {
            Self::Imap { session, source } => imap_new(session, source, daemon).await?,
            Self::Maildir { maildir, source } => maildir_new(maildir, source, daemon).await?,
        };
        daemon.handle_waiting().await?;
        self.file(daemon).await?;
        Ok(new)
    }

    async fn wait(&mut self, daemon: &Daemon) -> Result<(), IntakeError> {
        let poll = daemon.config.intake.poll_interval;
        match self {
            Self::Imap { session, .. } => {
                let wake = session.wait(poll).await?;
                tracing::debug!(changed = wake == Wake::Changed, "woken");
            }
            Self::Maildir { maildir, .. } => {
                maildir.wait_changed(poll).await;
            }
        }
        Ok(())
    }

    async fn close(self) {
        if let Self::Imap { session, .. } = self {
            session.logout().await;
        }
    }

    /// Rung I2 to I3: what is decided leaves the inbox. A message that cannot be moved stays, is
    /// tried again next round, and holds up nothing (F4).
    async fn file(&mut self, daemon: &Daemon) -> Result<(), IntakeError> {
        let mine = daemon.store.unfiled(self.source(), FILE_BATCH)?;
        if mine.is_empty() {
            return Ok(());
        }
        match self {
            Self::Maildir { maildir, .. } => maildir_file(maildir, &mine, daemon),
            Self::Imap { session, .. } => imap_file(session, mine, daemon).await,
        }
    }
}

async fn imap_new(session: &mut Session, source: &str, daemon: &Daemon) -> Result<usize, IntakeError> {
    let validity = session.uid_validity();
    let there = session.uids().await?;
    let names: Vec<String> = there.iter().map(ToString::to_string).collect();
    let known = daemon.store.known(source, validity, &names)?;
    let new: Vec<u32> = there.into_iter().filter(|uid| !known.contains(&uid.to_string())).collect();
    let max = usize::try_from(daemon.config.intake.message_bytes_max).unwrap_or(usize::MAX);
    let mut taken = 0;
    for some in new.chunks(500) {
        let sizes = session.sizes(some).await?;
        for batch in batches(some, &sizes) {
            if daemon.is_stopping() {
                return Ok(taken);
            }
            daemon.wait_for_space().await;
            let fetched = session.fetch(&batch, max).await?;
            let mut arrivals = Vec::new();
            for message in fetched {
                let received_at = message.internal_date.unwrap_or_else(|| daemon.clock.now());
                match arrival(source, validity, message.uid.to_string(), message.body, received_at) {
                    Some(arrival) => arrivals.push(arrival),
                    None => daemon.store.mark_gone(source, validity, &message.uid.to_string(), daemon.clock.now())?,
                }
            }
            taken += arrivals.len();
            store(arrivals, daemon).await?;
            // Decided batch by batch, so that the first reporters do not wait for a full inbox to be read.
            daemon.handle_waiting().await?;
        }
    }
    Ok(taken)
}

/// UIDs in portions of bounded number and size, oldest first.
fn batches(uids: &[u32], sizes: &BTreeMap<u32, u32>) -> Vec<Vec<u32>> {
    let mut all = Vec::new();
    let mut batch = Vec::new();
    let mut bytes = 0;
    for uid in uids {
        let size = u64::from(sizes.get(uid).copied().unwrap_or(0));
        if !batch.is_empty() && (batch.len() >= FETCH_BATCH || bytes + size > FETCH_BYTES) {
            all.push(std::mem::take(&mut batch));
            bytes = 0;
        }
        batch.push(*uid);
        bytes += size;
    }
    if !batch.is_empty() {
        all.push(batch);
    }
    all
}

fn arrival(source: &str, uid_validity: u32, uid: String, body: Body, received_at: jiff::Timestamp) -> Option<Arrival> {
    let (raw, header_only_bytes) = match body {
        Body::Whole(raw) => (raw, None),
        Body::HeaderOnly { header, size } => (header, Some(size)),
        Body::Gone => return None,
    };
    Some(Arrival { source: source.to_owned(), uid_validity, uid, raw, header_only_bytes, received_at })
}

async fn store(arrivals: Vec<Arrival>, daemon: &Daemon) -> Result<(), IntakeError> {
    if arrivals.is_empty() {
        return Ok(());
    }
    let count = arrivals.len();
    let now = daemon.clock.now();
    daemon.blocking(move |daemon| daemon.store.insert_mail(&arrivals, now)).await?;
    tracing::info!(count, "stored");
    Ok(())
}

async fn maildir_new(maildir: &Maildir, source: &str, daemon: &Daemon) -> Result<usize, IntakeError> {
    let there: Vec<String> = maildir.waiting()?.into_iter().map(|entry| entry.name).collect();
    let known = daemon.store.known(source, 0, &there)?;
    let new: Vec<String> = there.into_iter().filter(|name| !known.contains(name)).collect();
    let mut taken = 0;
    for batch in new.chunks(FETCH_BATCH) {
        daemon.wait_for_space().await;
        let mut arrivals = Vec::new();
        for name in batch {
            let body = maildir.read(name, daemon.config.intake.message_bytes_max)?;
            arrivals.extend(arrival(source, 0, name.clone(), body, daemon.clock.now()));
        }
        taken += arrivals.len();
        store(arrivals, daemon).await?;
        daemon.handle_waiting().await?;
    }
    Ok(taken)
}

fn maildir_file(maildir: &Maildir, rows: &[Unfiled], daemon: &Daemon) -> Result<(), IntakeError> {
    let intake = &daemon.config.intake;
    let mut done = Vec::new();
    for row in rows {
        let folder = if row.quarantine { &intake.quarantine } else { &intake.processed };
        match maildir.file(&row.uid, folder)? {
            Filing::Filed | Filing::Gone => done.push(row.arrival),
            Filing::Failed(reason) => tracing::warn!(inbox = row.inbox.0, reason, "not filed"),
        }
    }
    Ok(daemon.store.mark_filed(&done, daemon.clock.now())?)
}

async fn imap_file(session: &mut Session, rows: Vec<Unfiled>, daemon: &Daemon) -> Result<(), IntakeError> {
    let validity = session.uid_validity();
    // UIDs of an earlier UIDVALIDITY name nothing any more (F8): the mail itself was met again under a new one.
    let (rows, old): (Vec<Unfiled>, Vec<Unfiled>) = rows.into_iter().partition(|row| row.uid_validity == validity);
    let old: Vec<i64> = old.iter().map(|row| row.arrival).collect();
    daemon.store.mark_filed(&old, daemon.clock.now())?;
    let intake = &daemon.config.intake;
    for (folder, quarantine) in [(&intake.processed, false), (&intake.quarantine, true)] {
        let by_uid: BTreeMap<u32, &Unfiled> =
            rows.iter().filter(|row| row.quarantine == quarantine).filter_map(|row| Some((row.uid.parse().ok()?, row))).collect();
        if by_uid.is_empty() {
            continue;
        }
        let outcomes = if session.can_move() {
            let uids: Vec<u32> = by_uid.keys().copied().collect();
            session.file(&uids, folder).await?
        } else {
            copy_and_expunge(session, &by_uid, folder, daemon).await?
        };
        let mut done = Vec::new();
        for (uid, outcome) in outcomes {
            let Some(row) = by_uid.get(&uid) else { continue };
            match outcome {
                Filing::Filed | Filing::Gone => done.push(row.arrival),
                Filing::Failed(reason) => tracing::warn!(inbox = row.inbox.0, reason, "not filed"),
            }
        }
        daemon.store.mark_filed(&done, daemon.clock.now())?;
    }
    Ok(())
}

/// A server without MOVE (F5): COPY, commit that it is copied, then remove. A crash between the
/// copy and the commit leaves one more copy in the folder, never a second ticket.
async fn copy_and_expunge(
    session: &mut Session,
    by_uid: &BTreeMap<u32, &Unfiled>,
    folder: &str,
    daemon: &Daemon,
) -> Result<Vec<(u32, Filing)>, IntakeError> {
    let fresh: Vec<u32> = by_uid.iter().filter(|(_, row)| !row.is_copied).map(|(uid, _)| *uid).collect();
    let mut copied: BTreeSet<u32> = by_uid.iter().filter(|(_, row)| row.is_copied).map(|(uid, _)| *uid).collect();
    let mut outcomes = Vec::new();
    let mut arrivals = Vec::new();
    if !fresh.is_empty() {
        for (uid, outcome) in session.copy(&fresh, folder).await? {
            if outcome == Filing::Filed {
                let row = by_uid.get(&uid).ok_or_else(|| anyhow!("the server copied uid {uid}, which was not asked for"))?;
                arrivals.push(row.arrival);
                copied.insert(uid);
            } else {
                outcomes.push((uid, outcome));
            }
        }
    }
    daemon.store.mark_copied(&arrivals, daemon.clock.now())?;
    let copied: Vec<u32> = copied.into_iter().collect();
    if !copied.is_empty() {
        outcomes.extend(session.expunge(&copied).await?);
    }
    Ok(outcomes)
}
