//! Sending what the outbox holds: seal, commit the attempt, give it to the server, settle
//! (DESIGN 4, O1 to O6). One connection for many letters; a server that is unwell is left alone for a while.

#[cfg(test)]
mod tests;

use super::alarm::Cause;
use super::metrics::Counters;
use super::{Daemon, wait};
use crate::config::{Login as ConfigLogin, Target};
use crate::decide::candidate::is_too_late;
use crate::decide::disseminate::{self, Agreed};
use crate::decide::retry::{self, Tried};
use crate::decide::unsealed;
use crate::mail::write::Center;
use crate::model::dissemination::DisseminationState;
use crate::model::letter::{LetterState, Protection};
use crate::model::outcome::{Fault, SendOutcome, Settled};
use crate::openpgp::{Held, Keyring, SealedMail, recheck, seal};
use crate::store::{Claim, OutboxId, QueuedLetter, is_busy, is_full};
use crate::wire::maildir::Maildir;
use crate::wire::smtp::Connection;
use crate::wire::{Timeouts, WireError};
use anyhow::Context as _;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// Letters of one round, in which the certificates are read once and the manifest of a dissemination is
/// compared once with what was agreed to: few, so that what changes is seen within seconds.
const ROUND: usize = 20;
/// How often the outbox is looked at without being told: a CLI `outbox retry` is seen within 5 s (contract 1).
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A connection that was idle this long is asked whether it lives before a letter is begun on it.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// Where letters go.
enum Way {
    Smtp(Box<Connection>),
    Maildir(Maildir),
}

/// The sending side of the daemon.
pub(super) struct Sender {
    way: Option<Way>,
    backoff: wait::Backoff,
    used_at: tokio::time::Instant,
    /// The dissemination of which letters leave in this round: the manifest of thousands is not hashed for each.
    agreed: Option<Arc<Agreed>>,
    /// How often the machine had slept when the connection was last used.
    sleeps: u64,
}

impl Sender {
    pub(super) fn new() -> Self {
        Self { way: None, backoff: wait::Backoff::new(), used_at: tokio::time::Instant::now(), agreed: None, sleeps: 0 }
    }

    /// Sends until told to stop.
    pub(super) async fn run(mut self, daemon: &Daemon) {
        while !daemon.is_stopping() {
            let pause = match self.round(daemon).await {
                Ok(0) => LOOK_EVERY,
                Ok(_) => continue,
                Err(error) => {
                    self.way = None;
                    let pause = self.backoff.next(matches!(error, SendError::Wire(WireError::Refused(_))));
                    tracing::warn!(error = error.to_string(), retry_after = pause.as_secs(), "cannot send");
                    daemon.outage(Cause::Outgoing, &error.to_string(), &self.backoff).await;
                    pause
                }
            };
            tokio::select! {
                () = daemon.stopped() => break,
                () = tokio::time::sleep(pause) => {}
                () = daemon.outbox_wake.notified(), if self.way.is_some() || !self.backoff.is_failing() => {}
            }
        }
        if let Some(Way::Smtp(connection)) = self.way.take() {
            connection.quit().await;
        }
    }

    /// Sends everything that is due now.
    ///
    /// # Errors
    /// The server could not be reached or refused us; the letters wait as they were.
    pub(super) async fn drain(&mut self, daemon: &Daemon) -> Result<usize, SendError> {
        let mut sent = 0;
        loop {
            match self.round(daemon).await? {
                0 => break,
                n => sent += n,
            }
        }
        if let Some(Way::Smtp(connection)) = self.way.take() {
            connection.quit().await;
        }
        Ok(sent)
    }

    /// One round; gives how many letters were attempted or held. Each letter is chosen when the one before
    /// it has left, so that an acknowledgement waits for no more than one of a dissemination.
    async fn round(&mut self, daemon: &Daemon) -> Result<usize, SendError> {
        daemon.refresh_certificates().await.map_err(SendError::Store)?;
        self.agreed = None;
        let mut done = 0;
        for _ in 0..ROUND {
            if daemon.is_stopping() {
                break;
            }
            let now = daemon.clock.now();
            let due = daemon.blocking(move |daemon| daemon.store.due_letters(now, 1)).await.map_err(SendError::Store)?;
            let Some(id) = due.first() else { break };
            done += usize::from(self.one(daemon, *id).await?);
        }
        Ok(done)
    }

    /// One letter, from rung O1 or O2 to where the attempt leads. `false`: it was no longer due.
    async fn one(&mut self, daemon: &Daemon, id: OutboxId) -> Result<bool, SendError> {
        let mut made = self.make_ready(daemon, id).await?;
        // Connected before the attempt is committed: an unreachable server costs no letter an attempt (F30). To connect,
        // or to ask whether a line still stands, may take long, and a mark may rise or a certificate end meanwhile:
        // then all is asked again.
        if matches!(made, Ready::Sealed(..)) && self.connect(daemon).await? == Line::WaitedFor {
            made = self.make_ready(daemon, id).await?;
        }
        let (queued, sealed, bytes) = match made {
            Ready::Sealed(queued, sealed, bytes) => (queued, sealed, bytes),
            Ready::Held => return Ok(true),
            Ready::Gone => return Ok(false),
        };
        let now = daemon.clock.now();
        let claim = move |daemon: &Daemon| {
            let fresh = match &bytes {
                Bytes::Fresh(bytes) => Some(bytes.as_slice()),
                Bytes::Stored => None,
            };
            Ok((daemon.store.claim(&queued, fresh, now)?, queued))
        };
        let (claim, queued) = daemon.blocking(claim).await.map_err(SendError::Store)?;
        match claim {
            Claim::Taken => {}
            Claim::Gone => return Ok(false),
            // It is due still: the round takes it up again, and asks all anew.
            Claim::Changed => return Ok(true),
        }
        let outcome = match &mut self.way {
            Some(Way::Smtp(connection)) => connection.send(&sealed).await,
            Some(Way::Maildir(maildir)) => deliver(maildir, &sealed),
            None => SendOutcome::Later { reason: "no connection".to_owned(), fault: Fault::Server },
        };
        self.used_at = tokio::time::Instant::now();
        let counters = &daemon.counters;
        let counter = match &outcome {
            SendOutcome::Sent { .. } => &counters.sent,
            SendOutcome::Later { .. } => &counters.put_off,
            SendOutcome::Never { .. } => &counters.failed,
            SendOutcome::Uncertain { .. } => &counters.uncertain,
        };
        Counters::add(counter, 1);
        tracing::info!(
            letter = id.0,
            message_id = queued.letter.message_id,
            kind = queued.letter.kind.word(),
            outcome = word(&outcome),
            "attempted"
        );
        let server_fault = match &outcome {
            SendOutcome::Later { reason, fault: Fault::Server } => Some(reason.clone()),
            _ => None,
        };
        daemon.blocking(move |daemon| settle(daemon, id, &queued, &outcome)).await.map_err(SendError::Store)?;
        match server_fault {
            Some(reason) => Err(SendError::Wire(WireError::Unreachable(reason))),
            None => {
                self.backoff.reset();
                daemon.over(Cause::Outgoing).await;
                Ok(true)
            }
        }
    }

    /// The letter as it may leave now. One that cannot be read or sealed at all is held: it must not stand before the
    /// others for ever.
    async fn make_ready(&mut self, daemon: &Daemon, id: OutboxId) -> Result<Ready, SendError> {
        let mut agreed = self.agreed.take();
        let made = daemon.blocking(move |daemon| Ok((ready(daemon, id, &mut agreed), agreed))).await;
        let made = made.and_then(|(made, agreed)| {
            self.agreed = agreed;
            made
        });
        match made {
            Err(error) if !is_busy(&error) && !is_full(&error) => {
                tracing::error!(letter = id.0, error = format!("{error:#}"), "held");
                let because = format!("{error:#}");
                daemon.blocking(move |daemon| hold_unsealed(daemon, id, &because)).await.map_err(SendError::Store)?;
                Ok(Ready::Held)
            }
            made => made.map_err(SendError::Store),
        }
    }

    async fn connect(&mut self, daemon: &Daemon) -> Result<Line, SendError> {
        let sleeps = daemon.sleeps.load(std::sync::atomic::Ordering::Relaxed);
        let has_slept = std::mem::replace(&mut self.sleeps, sleeps) != sleeps;
        let mut line = Line::Stood;
        if let Some(Way::Smtp(connection)) = &mut self.way {
            let is_asked = has_slept || self.used_at.elapsed() > IDLE_MAX;
            let is_alive = if is_asked { connection.refresh().await } else { connection.is_open() };
            if !is_alive {
                self.way = None;
            } else if is_asked {
                line = Line::WaitedFor;
            }
        }
        if self.way.is_none() {
            self.way = Some(open(daemon).await?);
            line = Line::WaitedFor;
        }
        if line == Line::WaitedFor {
            self.used_at = tokio::time::Instant::now();
        }
        Ok(line)
    }
}

/// Whether there was a way out already, or a server had to answer first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Stood,
    WaitedFor,
}

/// Why a round ended early.
#[derive(Debug)]
pub enum SendError {
    Wire(WireError),
    Store(anyhow::Error),
}

impl std::fmt::Display for SendError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Wire(error) => write!(f, "{error}"),
            Self::Store(error) => write!(f, "{error:#}"),
        }
    }
}

async fn open(daemon: &Daemon) -> Result<Way, SendError> {
    let refused = |text: String| SendError::Wire(WireError::Refused(text));
    match &daemon.config.outgoing.target {
        Some(Target::Maildir { path }) => Maildir::open(path).map(Way::Maildir).map_err(SendError::Wire),
        Some(Target::Smtp { server, login }) => {
            let password = daemon.config.outgoing.password().map_err(|error| refused(error.to_string()))?;
            let login = match login {
                ConfigLogin::None => None,
                other => Some(super::wire_login(other, password).await.map_err(|error| refused(error.to_string()))?),
            };
            let endpoint = super::endpoint(server);
            let ehlo_name = daemon.config.center.address.domain();
            let connection = Connection::open(&endpoint, login.as_ref(), ehlo_name, Timeouts::default()).await.map_err(SendError::Wire)?;
            Ok(Way::Smtp(Box::new(connection)))
        }
        None => Err(refused("outgoing.host is missing in the configuration".to_owned())),
    }
}

fn deliver(maildir: &Maildir, sealed: &SealedMail) -> SendOutcome {
    match maildir.deliver(sealed.bytes()) {
        Ok(name) => SendOutcome::Sent { reply: format!("delivered as {name}") },
        Err(error) => SendOutcome::Later { reason: error.to_string(), fault: Fault::Server },
    }
}

const fn word(outcome: &SendOutcome) -> &'static str {
    match outcome {
        SendOutcome::Sent { .. } => "sent",
        SendOutcome::Later { .. } => "later",
        SendOutcome::Never { .. } => "never",
        SendOutcome::Uncertain { .. } => "uncertain",
    }
}

/// A letter before its attempt.
enum Ready {
    Sealed(Box<QueuedLetter>, SealedMail, Bytes),
    Held,
    Gone,
}

/// Whether the sealed bytes stand in the store already; fresh ones are committed with the attempt.
enum Bytes {
    Fresh(Vec<u8>),
    Stored,
}

/// Seals a letter; bytes that were sealed before are checked again (F48).
fn ready(daemon: &Daemon, id: OutboxId, agreed: &mut Option<Arc<Agreed>>) -> anyhow::Result<Ready> {
    let queued = daemon.store.letter(id)?;
    if !matches!(queued.state, LetterState::Queued | LetterState::Uncertain) {
        return Ok(Ready::Gone);
    }
    let bench = daemon.bench();
    let now = daemon.clock.now();
    // What was uncertain, failed or under way when its dissemination was cancelled does not leave after all.
    if let Some(number) = &queued.letter.dissemination {
        if queued.ground.dissemination == Some(DisseminationState::Cancelled) {
            let desk = bench.desk(&daemon.key, now);
            let consequences = |world: &_| retry::stop(&queued.letter, queued.state, world, desk);
            daemon.store.cancel_with(&queued, "bantuan70", &bench.place(), &retry::ask(&queued.letter), now, consequences)?;
            return Ok(Ready::Held);
        }
        if agreed.as_ref().is_none_or(|one| one.number() != number) {
            *agreed = daemon.store.released(number)?.and_then(|(one, manifest)| Agreed::new(one, &manifest)).map(Arc::new);
        }
    }
    let desk = bench.desk(&daemon.key, now);
    let letter = match disseminate::leaving(&queued.letter, &queued.ground, agreed.as_deref(), desk) {
        Ok(letter) => letter,
        Err(because) => {
            hold(daemon, id, &queued, &because)?;
            return Ok(Ready::Held);
        }
    };
    // One of a dissemination was made anew of what was agreed to; any other leaves as it was decided, or not at all.
    if matches!(letter, Cow::Borrowed(_)) && !daemon.store.is_as_decided(id)? {
        hold(daemon, id, &queued, &desk.say("held.not_as_decided", &[]))?;
        return Ok(Ready::Held);
    }
    let center = Center { name: bench.policy.center_name.clone(), address: bench.policy.center_address.clone() };
    let Some(keyring) = keyring_for(daemon, &queued, &bench.reader.keyring)? else {
        hold(daemon, id, &queued, &desk.say("held.late_key", &[]))?;
        return Ok(Ready::Held);
    };
    let fresh = || {
        let sealed = seal(&letter, &center, &keyring, now)?;
        let bytes = Bytes::Fresh(sealed.bytes().to_vec());
        Ok((sealed, bytes))
    };
    let sealed: Result<(SealedMail, Bytes), Held> = match &queued.sealed {
        None => fresh(),
        Some(bytes) => match recheck(bytes.clone(), &letter, &center, &keyring, now) {
            Err(held) if held.may_reseal => fresh(),
            other => other.map(|sealed| (sealed, Bytes::Stored)),
        },
    };
    drop(letter);
    match sealed {
        Ok((sealed, bytes)) => Ok(Ready::Sealed(Box::new(queued), sealed, bytes)),
        Err(held) => {
            hold(daemon, id, &queued, &unsealed::words(&held, bench.desk(&daemon.key, now)))?;
            Ok(Ready::Held)
        }
    }
}

/// The known certificates, and for an answer to a reporter the key that came with that report; `None`: the mark has
/// risen above what may be encrypted to that key.
fn keyring_for<'k>(daemon: &Daemon, queued: &QueuedLetter, known: &'k Keyring) -> anyhow::Result<Option<Cow<'k, Keyring>>> {
    let Protection::Sealed { recipient } = &queued.letter.protection else { return Ok(Some(Cow::Borrowed(known))) };
    let Some(ticket) = queued.letter.ticket.as_ref().filter(|_| known.get(recipient).is_none()) else {
        return Ok(Some(Cow::Borrowed(known)));
    };
    let candidate = daemon.store.candidate(ticket)?.filter(|(candidate, _)| candidate.fingerprint == *recipient);
    let Some((candidate, bytes)) = candidate else { return Ok(Some(Cow::Borrowed(known))) };
    if is_too_late(candidate.moment, queued.ground.mark.as_ref().map(|(_, mark)| *mark)) {
        return Ok(None);
    }
    let mut keyring = known.clone();
    keyring.add(&bytes).map_err(|error| anyhow::anyhow!("the key {recipient} of {}: {error}", queued.letter.to))?;
    Ok(Some(Cow::Owned(keyring)))
}

fn hold(daemon: &Daemon, id: OutboxId, queued: &QueuedLetter, because: &str) -> anyhow::Result<()> {
    tracing::warn!(letter = id.0, message_id = queued.letter.message_id, "held");
    let settled = Settled { state: LetterState::Held, next_at: None, error: Some(because.to_owned()), reply: None, counts_attempt: false };
    commit(daemon, id, queued, &settled)
}

/// A letter that could not be made ready is held, and a person hears of it: the analyst, as of each held
/// letter, or where not even its recipient can be read, the chief.
fn hold_unsealed(daemon: &Daemon, id: OutboxId, because: &str) -> anyhow::Result<()> {
    if let Ok(queued) = daemon.store.letter(id)
        && hold(daemon, id, &queued, because).is_ok()
    {
        return Ok(());
    }
    daemon.store.hold(id, because, daemon.clock.now())?;
    daemon.raise(Cause::Letter, &format!("outbox {id}: {because}"))
}

fn settle(daemon: &Daemon, id: OutboxId, queued: &QueuedLetter, outcome: &SendOutcome) -> anyhow::Result<()> {
    let tried = Tried { queued_at: queued.queued_at, attempts: queued.attempts, resends: queued.resends, was: queued.state };
    let settled = retry::settle(&queued.letter, tried, outcome, daemon.clock.now());
    commit(daemon, id, queued, &settled)
}

/// At start: what was under way when the program ended may have gone out (RFC 1047, F42), so its attempt ended
/// uncertain, with all that follows from that. One that cannot be read stops no start.
pub(super) fn recover(daemon: &Daemon) -> anyhow::Result<()> {
    let outcome = SendOutcome::Uncertain { reason: "the program ended while this was being sent: it may have gone out".to_owned() };
    for id in daemon.store.under_way()? {
        match daemon.store.letter(id) {
            Ok(queued) => settle(daemon, id, &queued, &outcome)?,
            // The store is in need, not the letter: the start is tried again.
            Err(error) if is_busy(&error) || is_full(&error) => return Err(error),
            Err(error) => hold_unsealed(daemon, id, &format!("it may have gone out, and cannot be read: {error:#}"))?,
        }
    }
    Ok(())
}

/// The letter's next rung and what follows from it, in one transaction.
fn commit(daemon: &Daemon, id: OutboxId, queued: &QueuedLetter, settled: &Settled) -> anyhow::Result<()> {
    let bench = daemon.bench();
    let now = daemon.clock.now();
    let question = retry::ask(&queued.letter);
    let desk = bench.desk(&daemon.key, now);
    let consequences = |world: &_| retry::consequences(id, &queued.letter, settled, world, desk);
    daemon.store.settle(id, settled, &bench.place(), &question, now, consequences).with_context(|| format!("settle letter {id}"))?;
    Ok(())
}
