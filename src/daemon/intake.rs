//! Mail comes in: from the server or the Maildir into the store (rung I1), and through the pipeline
//! (I2). Each round ends with what `filing` does (I3).

use super::alarm::Cause;
use super::filing::{FILE_BATCH, imap_file, maildir_file};
use super::metrics::Counters;
use super::reconcile::{self, Lost};
use super::{Daemon, endpoint, wait, wire_login};
use crate::config::Source;
use crate::store::Arrival;
use crate::wire::imap::{LoggedIn, Session};
use crate::wire::maildir::Maildir;
use crate::wire::{Body, Timeouts, Wake, WireError};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Messages fetched and committed together (one fsync for all).
const FETCH_BATCH: usize = 50;
/// Bytes fetched together, so that memory stays flat whatever waits; one larger message goes alone.
const FETCH_BYTES: u64 = 32 * 1024 * 1024;
/// How often it is looked whether there is room again.
const LOOK_FOR_SPACE_EVERY: Duration = Duration::from_secs(30);
/// A session ends after so long and is begun anew: a server whose view of the mailbox has gone stale under it
/// (its index files were replaced, say) answers every question and tells of no new mail.
const SESSION_MAX: Duration = Duration::from_secs(1800);

/// Why a round of intake ended.
#[derive(Debug)]
pub enum IntakeError {
    Wire(WireError),
    /// The password cannot be read: a person has to look, and no server was asked.
    Secret(String),
    /// `token_command` gave no token: it may have asked a server that counts.
    Token(String),
    /// The server does not open the mailbox: it may be made or given back at any moment (F9).
    Mailbox(WireError),
    /// The disk is nearly full: what waits in the mailbox stays there.
    Disk(String),
    Store(anyhow::Error),
}

impl IntakeError {
    /// Asked again too soon, a server locks the account (F12).
    fn is_refusal(&self) -> bool {
        matches!(self, Self::Wire(WireError::Refused(_)) | Self::Token(_))
    }
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
            Self::Wire(error) | Self::Mailbox(error) => write!(f, "{error}"),
            Self::Secret(error) | Self::Token(error) => f.write_str(error),
            Self::Disk(shortage) => write!(f, "no mail was taken in, the disk is nearly full: {shortage}; make room and start again"),
            Self::Store(error) => write!(f, "{error:#}"),
        }
    }
}

/// What to do where the disk is nearly full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AtFullDisk {
    /// Mail is taken in once there is room again.
    Wait,
    /// Mail stays in the mailbox, and whoever asked for it to be taken in hears why.
    Leave,
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
            Counters::add(&daemon.counters.interrupted, 1);
            let mut pause = backoff.next(error.is_refusal());
            if let IntakeError::Mailbox(_) = error {
                pause = daemon.config.intake.poll_interval;
            }
            tracing::warn!(error = error.to_string(), retry_after = pause.as_secs(), "intake interrupted");
            match &error {
                IntakeError::Token(reason) => daemon.alarm(Cause::Token, reason).await,
                IntakeError::Mailbox(_) | IntakeError::Secret(_) => daemon.alarm(Cause::Intake, &error.to_string()).await,
                other => daemon.outage(Cause::Intake, &other.to_string(), &backoff).await,
            }
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
    let mut mailbox = Mailbox::open(daemon, AtFullDisk::Leave).await?;
    // A mail that fails is tried three times before it is put aside.
    for _ in 0..4 {
        if mailbox.round(daemon).await? == 0 && daemon.store.waiting_mail(1)?.is_empty() {
            break;
        }
    }
    daemon.synced().await?;
    let left = mailbox.left();
    mailbox.close().await;
    if let Some(left) = left {
        reconcile::folders(daemon, left).await;
    }
    Ok(())
}

async fn watch(daemon: &Daemon, backoff: &mut wait::Backoff) -> Result<(), IntakeError> {
    let sleeps = daemon.sleeps.load(Ordering::Relaxed);
    let opened_at = tokio::time::Instant::now();
    let mut mailbox = Mailbox::open(daemon, AtFullDisk::Wait).await?;
    daemon.over(Cause::Token).await;
    tracing::info!(source = mailbox.source, "watching");
    loop {
        mailbox.round(daemon).await?;
        if daemon.sleeps.load(Ordering::Relaxed) != sleeps {
            return Ok(());
        }
        backoff.reset();
        daemon.synced().await?;
        if let Some(left) = mailbox.left() {
            daemon.reconcile.ask(left);
        }
        if opened_at.elapsed() > SESSION_MAX {
            mailbox.close().await;
            return Ok(());
        }
        tokio::select! {
            waited = mailbox.wait(daemon) => waited?,
            // After the machine slept the server has long closed the connection, and it does not say so (F76).
            () = daemon.resumed.notified() => return Ok(()),
        }
    }
}

/// The mailbox as it is open now.
struct Mailbox {
    place: Place,
    source: String,
    /// What a look at everything in it left over, until it is taken.
    left: Option<Vec<Lost>>,
    at_full_disk: AtFullDisk,
}

/// Where mail comes from.
enum Place {
    Imap(Box<Session>),
    Maildir(Maildir),
}

impl Mailbox {
    async fn open(daemon: &Daemon, at_full_disk: AtFullDisk) -> Result<Self, IntakeError> {
        let intake = &daemon.config.intake;
        let (place, source) = match &intake.source {
            Some(Source::Maildir { path }) => (Place::Maildir(Maildir::open(path)?), daemon.source()),
            Some(Source::Imap { .. }) => {
                let logged_in = log_in(daemon).await?;
                let mut session = logged_in.select(&intake.mailbox).await.map_err(|error| match error {
                    WireError::Refused(_) => IntakeError::Mailbox(error),
                    other => IntakeError::Wire(other),
                })?;
                // An alias of the inbox as target would move mail in a circle for ever (F18).
                let folders = session.check_folders(&[&intake.processed, &intake.quarantine]).await?;
                if !folders.missing.is_empty() {
                    tracing::info!(folders = folders.missing.join(", "), "folders will be made when they are first needed");
                }
                // Mail comes in all the same; what cannot be filed is told when it is tried.
                if !folders.closed.is_empty() {
                    tracing::warn!(folders = folders.closed.join(", "), "folders are closed to us");
                }
                (Place::Imap(Box::new(session)), daemon.source())
            }
            None => return Err(IntakeError::Wire(WireError::Refused("intake.host is missing in the configuration".to_owned()))),
        };
        Ok(Self { place, source, left: None, at_full_disk })
    }

    /// What the last look at everything left over, once.
    fn left(&mut self) -> Option<Vec<Lost>> {
        self.left.take()
    }

    /// Fetches what is new, decides, files; gives how many messages were new.
    async fn round(&mut self, daemon: &Daemon) -> Result<usize, IntakeError> {
        // What an earlier run had decided leaves first, so that it is not fetched again.
        self.file(daemon).await?;
        // Everything that is there, not only what is new.
        let is_whole = daemon.reconcile.is_due();
        let fetched = match &mut self.place {
            Place::Imap(session) => imap_new(session, &self.source, daemon, is_whole, self.at_full_disk).await,
            Place::Maildir(maildir) => maildir_new(maildir, &self.source, daemon, self.at_full_disk).await,
        };
        if let Err(IntakeError::Disk(_)) = fetched {
            self.file(daemon).await?;
        }
        let (new, left) = fetched?;
        if is_whole {
            daemon.reconcile.begun();
            self.left = Some(left);
        }
        daemon.handle_waiting().await?;
        self.file(daemon).await?;
        Ok(new)
    }

    async fn wait(&mut self, daemon: &Daemon) -> Result<(), IntakeError> {
        let poll = daemon.config.intake.poll_interval;
        match &mut self.place {
            Place::Imap(session) => {
                let wake = session.wait(poll).await?;
                tracing::debug!(changed = wake == Wake::Changed, "woken");
            }
            Place::Maildir(maildir) => {
                maildir.wait_changed(poll).await;
            }
        }
        Ok(())
    }

    async fn close(self) {
        if let Place::Imap(session) = self.place {
            session.logout().await;
        }
    }

    async fn file(&mut self, daemon: &Daemon) -> Result<(), IntakeError> {
        let mine = daemon.store.unfiled(&self.source, FILE_BATCH)?;
        if mine.is_empty() {
            daemon.over(Cause::Filing).await;
            return Ok(());
        }
        match &mut self.place {
            Place::Maildir(maildir) => maildir_file(maildir, &mine, daemon).await,
            Place::Imap(session) => imap_file(session, &self.source, mine, daemon).await,
        }
    }
}

/// A connection to the IMAP server of the configuration, with the secret as it is now.
pub(super) async fn log_in(daemon: &Daemon) -> Result<LoggedIn, IntakeError> {
    let intake = &daemon.config.intake;
    let Some(Source::Imap { server, login }) = &intake.source else {
        return Err(IntakeError::Wire(WireError::Refused("intake.host is missing in the configuration".to_owned())));
    };
    let password = intake.password().map_err(|error| IntakeError::Secret(error.to_string()))?;
    let login = wire_login(login, password).await.map_err(|error| IntakeError::Token(format!("{error:#}")))?;
    Ok(LoggedIn::open(&endpoint(server), &login, Timeouts::default()).await?)
}

impl Daemon {
    /// The mailbox as the store knows it.
    pub(super) fn source(&self) -> String {
        match &self.config.intake.source {
            Some(Source::Maildir { path }) => format!("maildir:{}", path.display()),
            Some(Source::Imap { .. }) | None => format!("imap:{}", self.config.intake.mailbox),
        }
    }
}

/// Before mail is taken in there is room for it. Where there is none, what was taken in before is decided, and what is
/// queued goes on being sent (F60).
async fn find_space(daemon: &Daemon, at_full_disk: AtFullDisk) -> Result<(), IntakeError> {
    while let Some(shortage) = daemon.shortage().await {
        daemon.handle_waiting().await?;
        if at_full_disk == AtFullDisk::Leave {
            return Err(IntakeError::Disk(shortage));
        }
        tokio::select! {
            () = daemon.stopped() => break,
            () = tokio::time::sleep(LOOK_FOR_SPACE_EVERY) => {}
        }
    }
    Ok(())
}

/// Takes in what is new; gives how many there were, and what is there and could not be had. `is_whole`:
/// what another client hid by our own mark is found too.
async fn imap_new(
    session: &mut Session,
    source: &str,
    daemon: &Daemon,
    is_whole: bool,
    at_full_disk: AtFullDisk,
) -> Result<(usize, Vec<Lost>), IntakeError> {
    let validity = session.uid_validity();
    let there = if is_whole { session.all_uids().await? } else { session.uids().await? };
    let names: Vec<String> = there.iter().map(ToString::to_string).collect();
    let mut known = daemon.store.known(source, validity, &names)?;
    // What was filed and is there all the same was put back, or is another mail: a server whose index was
    // restored gives UIDs a second time.
    let filed: Vec<u32> = daemon.store.filed(source, validity, &names)?.iter().filter_map(|uid| uid.parse().ok()).collect();
    for uid in session.unmarked(&filed).await? {
        known.remove(&uid.to_string());
    }
    let new: Vec<u32> = there.into_iter().filter(|uid| !known.contains(&uid.to_string())).collect();
    let max = usize::try_from(daemon.config.intake.message_bytes_max).unwrap_or(usize::MAX);
    let (mut taken, mut left) = (0, Vec::new());
    for some in new.chunks(500) {
        let sizes = session.sizes(some).await?;
        for batch in batches(some, &sizes) {
            if daemon.is_stopping() {
                return Ok((taken, left));
            }
            find_space(daemon, at_full_disk).await?;
            let fetched = session.fetch(&batch, max).await?;
            let given: Vec<u32> = fetched.iter().map(|message| message.uid).collect();
            left.extend(batch.iter().filter(|uid| !given.contains(uid)).map(|uid| Lost::not_given(&daemon.config.intake.mailbox, *uid)));
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
    Ok((taken, left))
}

/// UIDs in portions of bounded number and size, oldest first.
pub(super) fn batches(uids: &[u32], sizes: &BTreeMap<u32, u32>) -> Vec<Vec<u32>> {
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
    Counters::add(&daemon.counters.stored, count);
    tracing::info!(count, "stored");
    Ok(())
}

async fn maildir_new(
    maildir: &Maildir,
    source: &str,
    daemon: &Daemon,
    at_full_disk: AtFullDisk,
) -> Result<(usize, Vec<Lost>), IntakeError> {
    let there: Vec<String> = maildir.waiting()?.into_iter().map(|entry| entry.name).collect();
    let known = daemon.store.known(source, 0, &there)?;
    let filed = daemon.store.filed(source, 0, &there)?;
    let new: Vec<String> = there.into_iter().filter(|name| !known.contains(name) || filed.contains(name)).collect();
    let mut taken = 0;
    for batch in new.chunks(FETCH_BATCH) {
        find_space(daemon, at_full_disk).await?;
        let mut arrivals = Vec::new();
        for name in batch {
            let body = maildir.read(name, daemon.config.intake.message_bytes_max)?;
            arrivals.extend(arrival(source, 0, name.clone(), body, daemon.clock.now()));
        }
        taken += arrivals.len();
        store(arrivals, daemon).await?;
        daemon.handle_waiting().await?;
    }
    let left = maildir.unnamed().into_iter().map(|name| Lost { folder: "new, cur".to_owned(), name }).collect();
    Ok((taken, left))
}
