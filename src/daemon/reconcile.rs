//! Reconciliation (contract 12.6): at start and each hour everything in the mailbox and in the two
//! folders that mail is filed into is compared with the store. What is in no store is counted, named
//! and told. It looks and changes nothing: folders are opened read-only.

use super::alarm::Cause;
use super::intake::{IntakeError, log_in};
use super::{Daemon, intake};
use crate::config::Source;
use crate::model::{InboxId, Sha256};
use crate::store::UNACCOUNTED;
use crate::wire::imap::{Examined, LoggedIn, Session};
use crate::wire::maildir::Maildir;
use crate::wire::{Body, WireError};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How often everything in the folders is compared with the store (contract 12.6).
const RECONCILE_EVERY: Duration = Duration::from_secs(3600);
/// Bytes that one reconciliation fetches to know messages by. A folder that another program filled is known
/// after some hours, and the line to the server stays free.
const LOOK_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Messages that one reconciliation fetches, for the same reason.
const LOOK_MESSAGES_MAX: usize = 2_000;
/// Fetched at a time.
const LOOK_BATCH: usize = 50;
/// Lost messages that are named; the others are counted.
const NAMED_MAX: usize = 20;

/// A message that is in no store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lost {
    pub folder: String,
    /// How a person finds it: UID and Message-ID, or the file's name.
    pub name: String,
}

impl Lost {
    /// The server lists it and does not give it.
    pub(super) fn not_given(folder: &str, uid: u32) -> Self {
        Self { folder: folder.to_owned(), name: format!("uid {uid} (listed, and not given)") }
    }
}

/// What is asked of the reconciling task.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// What the look at the mailbox left over.
    left: Mutex<Option<Vec<Lost>>>,
    /// When everything was last looked at; it outlives connections.
    begun_at: Mutex<Option<Instant>>,
    wake: Notify,
}

impl Asked {
    /// The mailbox was looked through; now the folders.
    pub(super) fn ask(&self, left: Vec<Lost>) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(left);
        self.wake.notify_one();
    }

    /// Whether it is time to look at everything again.
    pub(super) fn is_due(&self) -> bool {
        self.begun_at.lock().unwrap_or_else(PoisonError::into_inner).is_none_or(|at| at.elapsed() >= RECONCILE_EVERY)
    }

    pub(super) fn begun(&self) {
        *self.begun_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn take(&self) -> Option<Vec<Lost>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Reconciles whenever it is asked, beside intake, which it never holds up.
pub(super) async fn run(daemon: &Daemon) {
    loop {
        tokio::select! {
            () = daemon.stopped() => return,
            () = daemon.reconcile.wake.notified() => {}
        }
        if let Some(left) = daemon.reconcile.take() {
            tokio::select! {
                () = daemon.stopped() => return,
                () = folders(daemon, left) => {}
            }
        }
    }
}

/// What one look found.
#[derive(Debug, Default)]
struct Found {
    lost: Vec<Lost>,
    accounted: usize,
    /// Not looked at for want of time; the next look goes on.
    unexamined: usize,
    closed: Vec<String>,
}

/// Looks into the folders and says how all stands.
pub(super) async fn folders(daemon: &Daemon, left: Vec<Lost>) {
    let mut found = Found { lost: left, ..Found::default() };
    let outcome = match &daemon.config.intake.source {
        Some(Source::Maildir { path }) => {
            Maildir::open(path).map_err(IntakeError::Wire).and_then(|inbox| maildir(daemon, &inbox, &mut found))
        }
        _ => imap(daemon, &mut found).await,
    };
    if let Err(error) = outcome {
        // The hour's look is missing; the time of the last one stands in the store.
        tracing::warn!(error = error.to_string(), "folders not compared with the store");
        return;
    }
    if found.closed.is_empty() {
        daemon.over(Cause::Folders).await;
    } else {
        daemon.alarm(Cause::Folders, &found.closed.join("; ")).await;
    }
    if let Err(error) = tell(daemon, &found).await {
        tracing::error!(error = format!("{error:#}"), "cannot note what is unaccounted for");
    }
}

async fn tell(daemon: &Daemon, found: &Found) -> anyhow::Result<()> {
    let count = found.lost.len();
    let mut lines: Vec<String> = found.lost.iter().take(NAMED_MAX).map(|lost| format!("{}: {}", lost.folder, lost.name)).collect();
    if count > NAMED_MAX {
        lines.push(format!("and {} more", count - NAMED_MAX));
    }
    let detail = lines.join("; ");
    tracing::info!(unaccounted = count, accounted = found.accounted, unexamined = found.unexamined, "folders compared with the store");
    let (value, noted, now) = (i64::try_from(count)?, detail.clone(), daemon.clock.now());
    daemon.blocking(move |daemon| daemon.store.set_standing(UNACCOUNTED, value, &noted, now)).await?;
    if count == 0 {
        daemon.over(Cause::Unaccounted).await;
    } else {
        daemon.alarm(Cause::Unaccounted, &detail).await;
    }
    Ok(())
}

async fn imap(daemon: &Daemon, found: &mut Found) -> Result<(), IntakeError> {
    let intake = &daemon.config.intake;
    let mut logged_in = log_in(daemon).await?;
    for folder in [&intake.processed, &intake.quarantine] {
        logged_in = match logged_in.examine(folder).await? {
            Examined::Open(mut session) => {
                imap_folder(daemon, &mut session, folder, found).await?;
                session.leave()
            }
            Examined::Missing(logged_in) => logged_in,
            Examined::Closed(logged_in, reason) => {
                found.closed.push(format!("{folder}: {reason}"));
                logged_in
            }
        };
    }
    LoggedIn::logout(logged_in).await;
    Ok(())
}

async fn imap_folder(daemon: &Daemon, session: &mut Session, folder: &str, found: &mut Found) -> Result<(), IntakeError> {
    let (source, validity) = (daemon.source(), session.uid_validity());
    let there = session.all_uids().await?;
    let names: Vec<String> = there.iter().map(ToString::to_string).collect();
    let known = daemon.store.placed(&source, folder, validity, &names)?;
    found.accounted += known.len();
    // The newest first: what was put there just now is what a person looks for.
    let unknown: Vec<u32> = there.into_iter().rev().filter(|uid| !known.contains(&uid.to_string())).collect();
    let max = usize::try_from(daemon.config.intake.message_bytes_max).unwrap_or(usize::MAX);
    let (mut looked_at, mut bytes) = (0, 0);
    for some in unknown.chunks(LOOK_BATCH) {
        let sizes = session.sizes(some).await?;
        let total: u64 = sizes.values().map(|size| u64::from(*size)).sum();
        // One batch is always looked at, so that a folder of large messages is known some day.
        if looked_at >= LOOK_MESSAGES_MAX || (looked_at > 0 && bytes + total > LOOK_BYTES_MAX) {
            break;
        }
        looked_at += some.len();
        bytes += total;
        let mut recognised = Vec::new();
        for batch in intake::batches(some, &sizes) {
            for message in session.fetch(&batch, max).await? {
                match account(daemon, &message.body)? {
                    Account::For(inbox) => recognised.push((message.uid.to_string(), inbox)),
                    Account::Gone => {}
                    Account::Lost(said) => {
                        found.lost.push(Lost { folder: folder.to_owned(), name: format!("uid {}{said}", message.uid) });
                    }
                }
            }
        }
        found.accounted += recognised.len();
        daemon.store.note_placed(&source, folder, validity, &recognised)?;
    }
    found.unexamined += unknown.len() - looked_at.min(unknown.len());
    Ok(())
}

fn maildir(daemon: &Daemon, inbox: &Maildir, found: &mut Found) -> Result<(), IntakeError> {
    let (intake, source) = (&daemon.config.intake, daemon.source());
    for folder in [&intake.processed, &intake.quarantine] {
        let Some(maildir) = inbox.subfolder(folder) else { continue };
        let names: Vec<String> = match maildir.waiting() {
            Ok(there) => there.into_iter().map(|entry| entry.name).collect(),
            Err(error) => {
                found.closed.push(format!("{folder}: {error}"));
                continue;
            }
        };
        // A file keeps its name when it is filed: it is known by it.
        let mut known = daemon.store.known(&source, 0, &names)?;
        known.extend(daemon.store.placed(&source, folder, 0, &names)?);
        found.accounted += known.len();
        let unknown: Vec<&String> = names.iter().filter(|name| !known.contains(*name)).collect();
        let mut recognised = Vec::new();
        for name in unknown.iter().take(LOOK_MESSAGES_MAX) {
            let body = match maildir.read(name, intake.message_bytes_max) {
                Err(WireError::Unreachable(_) | WireError::Refused(_) | WireError::Protocol(_)) => {
                    found.lost.push(Lost { folder: folder.clone(), name: (*name).clone() });
                    continue;
                }
                Ok(body) => body,
            };
            match account(daemon, &body)? {
                Account::For(inbox) => recognised.push(((*name).clone(), inbox)),
                Account::Gone => {}
                Account::Lost(said) => found.lost.push(Lost { folder: folder.clone(), name: format!("{name}{said}") }),
            }
        }
        found.accounted += recognised.len();
        found.unexamined += unknown.len().saturating_sub(LOOK_MESSAGES_MAX);
        daemon.store.note_placed(&source, folder, 0, &recognised)?;
    }
    Ok(())
}

/// Whether a message is in the store.
enum Account {
    For(InboxId),
    Gone,
    /// In no store; what its header says of it.
    Lost(String),
}

fn account(daemon: &Daemon, body: &Body) -> Result<Account, IntakeError> {
    let bytes = match body {
        Body::Whole(bytes) => bytes,
        Body::HeaderOnly { header, .. } => header,
        Body::Gone => return Ok(Account::Gone),
    };
    if let Some(inbox) = daemon.store.mail_with(&Sha256::of(bytes))? {
        return Ok(Account::For(inbox));
    }
    let id = crate::mail::read::read(bytes).0.message_id;
    Ok(Account::Lost(
        id.map_or_else(String::new, |id| format!(" <{}>", id.escape_debug().to_string().chars().take(120).collect::<String>())),
    ))
}
