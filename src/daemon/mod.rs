//! The shell round the core: intake, pipeline, sending, time. It decides nothing.

mod alarm;
pub mod by_hand;
pub mod clock;
mod filing;
mod intake;
mod metrics;
pub mod pipeline;
mod reconcile;
mod retention;
mod rules_folder;
mod send;
mod setup;
#[cfg(test)]
mod tests;
mod tick;
mod wait;

use crate::config::{Config, Login as ConfigLogin, Secret, Server};
use crate::mail::token::TokenKey;
use crate::store::{SYNC, Store};
use crate::wire::{Endpoint, Login, Tls};
use alarm::Cause;
use anyhow::Context as _;
use clock::Clock;
use pipeline::Bench;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

pub use intake::IntakeError;
pub use retention::terms as retention_terms;
pub use send::SendError;
pub use setup::{SetupError, bench, house, keep_files_private, keyring, may_write, reader};
pub use tick::SYNC_LATE_AFTER;

/// Intake stops below this much free space, or thrice the largest message, so that what was taken in can still be
/// decided (F60).
const FREE_BYTES_MIN: u64 = 512 * 1024 * 1024;
/// After SIGTERM what is under way may take this long; then connections are dropped (F68).
const STOP_WITHIN: Duration = Duration::from_secs(4);
/// The time of the last successful sync is written down no more often than this.
const SYNC_NOTED_EVERY: Duration = Duration::from_secs(60);
/// After certificates could not be read they are left alone for this long.
const READ_AGAIN: Duration = Duration::from_secs(30);

/// Everything that runs shares this.
#[derive(Debug)]
pub struct Shared {
    pub config: Config,
    pub store: Store,
    pub key: TokenKey,
    pub clock: Clock,
    bench: RwLock<Arc<Bench>>,
    /// Held by whoever reads rules from the disk to put them in force, so that no older set overtakes a newer one.
    reading: Mutex<()>,
    certificates: Mutex<Freshness>,
    outbox_wake: Notify,
    stop: watch::Sender<Stop>,
    raised: alarm::Raised,
    reconcile: reconcile::Asked,
    /// The machine slept: connections are dead. How often it did, and a call at the moment.
    sleeps: AtomicU64,
    resumed: Notify,
    counters: metrics::Counters,
    /// When the last successful sync was written down.
    synced_at: Mutex<Option<tokio::time::Instant>>,
    /// Where the next look at the clocks goes on, where there are too many tickets for one.
    turn: AtomicUsize,
    /// Free space below which intake stops.
    free_bytes_min: AtomicU64,
}

/// How fresh the certificates of contacts are.
#[derive(Debug)]
struct Freshness {
    /// The database's generation when the certificates in it were last read.
    generation: i64,
    /// When they are tried again after they could not be read.
    not_before: Option<tokio::time::Instant>,
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    No,
    Yes,
}

/// The daemon, cheap to clone.
#[derive(Debug, Clone)]
pub struct Daemon(Arc<Shared>);

impl std::ops::Deref for Daemon {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// Why `run --once` did not finish.
#[derive(Debug)]
pub enum RunError {
    Intake(IntakeError),
    Send(SendError),
    Store(anyhow::Error),
    /// One of the daemon's tasks ended by itself: nothing that stands on it would go on.
    Task(&'static str),
}

impl std::fmt::Display for RunError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Intake(error) => write!(f, "{error}"),
            Self::Send(error) => write!(f, "{error}"),
            Self::Store(error) => write!(f, "{error:#}"),
            Self::Task(name) => write!(f, "the {name} task ended by itself; its log says where, and the daemon must be started again"),
        }
    }
}

impl Daemon {
    /// Puts a daemon together. The store holds the lock of the data folder (F66).
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn new(config: Config, store: Store, bench: Bench, clock: Clock) -> anyhow::Result<Self> {
        let key = store.token_key()?;
        let generation = store.outbox_generation()?;
        let raised = alarm::Raised::new(&store.alarms()?);
        let free_bytes_min = FREE_BYTES_MIN.max(config.intake.message_bytes_max.saturating_mul(3));
        let shared = Shared {
            config,
            store,
            key,
            clock,
            bench: RwLock::new(Arc::new(bench)),
            reading: Mutex::new(()),
            certificates: Mutex::new(Freshness { generation, not_before: None }),
            outbox_wake: Notify::new(),
            stop: watch::Sender::new(Stop::No),
            raised,
            reconcile: reconcile::Asked::default(),
            sleeps: AtomicU64::new(0),
            resumed: Notify::new(),
            counters: metrics::Counters::default(),
            synced_at: Mutex::new(None),
            turn: AtomicUsize::new(0),
            free_bytes_min: AtomicU64::new(free_bytes_min),
        };
        let daemon = Self(Arc::new(shared));
        send::recover(&daemon)?;
        Ok(daemon)
    }

    /// What mail is judged by at this moment.
    #[must_use]
    pub fn bench(&self) -> Arc<Bench> {
        Arc::clone(&self.bench.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Handles all that waits in the mailbox and all that is due, then returns.
    ///
    /// # Errors
    /// A server could not be reached or refused us; what is done is done, the rest waits.
    pub async fn once(&self) -> Result<(), RunError> {
        let taken_in = self.take_in().await;
        // What is already decided goes out, even where no mail could be fetched.
        self.look_at_clocks().await?;
        send::Sender::new().drain(self).await.map_err(RunError::Send)?;
        taken_in
    }

    /// Takes in, decides and files what waits in the mailbox; sends nothing.
    ///
    /// # Errors
    /// As for [`Daemon::once`].
    pub async fn take_in(&self) -> Result<(), RunError> {
        self.refresh_certificates().await.map_err(RunError::Store)?;
        intake::drain(self).await.map_err(RunError::Intake)
    }

    /// Does what is due by the clock; sends nothing.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub async fn look_at_clocks(&self) -> Result<(), RunError> {
        tick::tick(self).await.map_err(RunError::Store)
    }

    /// Runs until SIGTERM or SIGINT.
    ///
    /// # Errors
    /// A task of the daemon ended by itself: whoever started it must start it again.
    pub async fn run(&self) -> Result<(), RunError> {
        let watched = self.clone();
        tokio::spawn(async move { watched.signals().await });
        let mut tasks = vec![
            self.task("intake", |daemon| async move { intake::run(&daemon).await }),
            self.task("sending", |daemon| async move { send::Sender::new().run(&daemon).await }),
            self.task("clock", |daemon| async move { tick::run(&daemon).await }),
            self.task("reconciliation", |daemon| async move { reconcile::run(&daemon).await }),
        ];
        if let Some(dir) = self.config.center.rules_dir.clone() {
            tasks.push(self.task("rules", move |daemon| async move { rules_folder::run(&daemon, dir).await }));
        }
        if let Some(listen) = self.config.metrics_listen {
            tasks.push(self.task("metrics", move |daemon| async move { metrics::run(&daemon, listen).await }));
        }
        tracing::info!(version = env!("CARGO_PKG_VERSION"), "running");
        setup::tell_systemd(&[sd_notify::NotifyState::Ready]);
        let outcome = self.watch_over(tasks).await;
        tracing::info!("stopped");
        outcome
    }

    fn task<F: Future<Output = ()> + Send + 'static>(&self, name: &'static str, work: impl FnOnce(Self) -> F) -> Task {
        Task { name, handle: tokio::spawn(work(self.clone())) }
    }

    /// Waits for the end, and ends all where one task ends before: a daemon that looks alive and takes in
    /// no mail is worse than one that is started again.
    async fn watch_over(&self, mut tasks: Vec<Task>) -> Result<(), RunError> {
        let ended = tokio::select! {
            () = self.stopped() => None,
            name = first_to_end(&mut tasks) => Some(name),
        };
        // A task that was told to end has not fallen.
        let fallen = ended.filter(|_| !self.is_stopping());
        if let Some(name) = fallen {
            tracing::error!(task = name, "a task ended by itself; the daemon stops, to be started again");
            self.stop();
        }
        setup::tell_systemd(&[sd_notify::NotifyState::Stopping]);
        let deadline = tokio::time::Instant::now() + STOP_WITHIN;
        for Task { name, handle } in tasks.iter_mut().filter(|task| Some(task.name) != ended) {
            match tokio::time::timeout_at(deadline, &mut *handle).await {
                // An open attempt is found as `sending` at the next start and becomes uncertain.
                Err(_) => handle.abort(),
                Ok(Err(error)) => tracing::error!(task = *name, error = error.to_string(), "a task did not end well"),
                Ok(Ok(())) => {}
            }
        }
        fallen.map_or(Ok(()), |name| Err(RunError::Task(name)))
    }

    async fn signals(&self) {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut term), Ok(mut int), Ok(mut hup)) =
            (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()))
        else {
            tracing::error!("cannot listen for signals");
            return;
        };
        loop {
            tokio::select! {
                _ = term.recv() => break,
                _ = int.recv() => break,
                _ = hup.recv() => self.reload().await,
            }
        }
        self.stop();
    }

    /// Reads rules, templates and certificates again; the old ones stay where the new are wrong (F68, F72).
    async fn reload(&self) {
        let outcome = self.blocking(Self::replace_bench).await;
        match outcome {
            Ok(()) => {
                tracing::info!("read again");
                self.over(Cause::Reload).await;
                self.over(Cause::Rules).await;
            }
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "the new rules, templates or certificates are wrong; the old ones stay");
                self.alarm(Cause::Reload, &format!("{error:#}")).await;
            }
        }
    }

    /// Ends [`Daemon::run`].
    pub fn stop(&self) {
        self.stop.send_replace(Stop::Yes);
    }

    fn is_stopping(&self) -> bool {
        *self.stop.borrow() == Stop::Yes
    }

    async fn stopped(&self) {
        let mut receiver = self.stop.subscribe();
        // The sender lives as long as `self`, so an error cannot come.
        let _ = receiver.wait_for(|stop| *stop == Stop::Yes).await;
    }

    /// Runs something that blocks away from the network tasks.
    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Self) -> anyhow::Result<T> + Send + 'static) -> anyhow::Result<T> {
        let daemon = self.clone();
        tokio::task::spawn_blocking(move || work(&daemon)).await.context("run on a blocking thread")?
    }

    /// Decides on all stored mail and wakes the sending side.
    async fn handle_waiting(&self) -> anyhow::Result<usize> {
        let handled =
            self.blocking(|daemon| pipeline::handle_waiting(&daemon.store, &daemon.bench(), &daemon.key, || daemon.clock.now())).await?;
        metrics::Counters::add(&self.counters.decided, handled);
        if handled > 0 {
            self.outbox_wake.notify_one();
        }
        Ok(handled)
    }

    /// Reads the certificates of contacts again where another process has changed the database. What
    /// could not be read is read again later: until it is, a certificate that was taken away still counts.
    async fn refresh_certificates(&self) -> anyhow::Result<()> {
        let generation = self.store.outbox_generation()?;
        {
            let known = self.certificates.lock().unwrap_or_else(PoisonError::into_inner);
            if known.generation == generation || known.not_before.is_some_and(|time| tokio::time::Instant::now() < time) {
                return Ok(());
            }
        }
        let outcome = self.blocking(Self::replace_keyring).await;
        let mut known = self.certificates.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Ok(()) => *known = Freshness { generation, not_before: None },
            // Where a file of the configuration has gone wrong meanwhile, the old ones go on: sending must not stop for it.
            Err(error) => {
                known.not_before = Some(tokio::time::Instant::now() + READ_AGAIN);
                tracing::error!(error = format!("{error:#}"), "certificates not read again; the old ones stay");
            }
        }
        Ok(())
    }

    /// Takes the certificates as they stand now; rules and templates stay.
    fn replace_keyring(&self) -> anyhow::Result<()> {
        let now = self.clock.now();
        let keyring = setup::keyring(&self.config, &self.store, now)?;
        self.change_bench(|bench| bench.with_keyring(keyring, now));
        Ok(())
    }

    /// Reads rules, templates and certificates again.
    ///
    /// # Errors
    /// What is wrong with them; the old ones stay.
    pub fn replace_bench(&self) -> anyhow::Result<()> {
        let _alone = self.alone();
        let bench = bench(&self.config, Some(&self.store), self.clock.now()).map_err(|error| anyhow::anyhow!("{error}"))?;
        self.change_bench(|_| bench);
        Ok(())
    }

    /// Whoever holds this is the only one that reads rules to put them in force.
    fn alone(&self) -> MutexGuard<'_, ()> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes another bench of the one in force. Under one lock, so that of two changes at a time none is lost.
    fn change_bench(&self, change: impl FnOnce(&Bench) -> Bench) {
        let mut bench = self.bench.write().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&bench);
        *bench = Arc::new(changed);
    }

    /// How much is free and how much is needed, where the disk is nearly full; the chief hears of it, and when it is over.
    async fn shortage(&self) -> Option<String> {
        let needed = self.free_bytes_min.load(Ordering::Relaxed);
        let Some(free) = setup::free_bytes(&self.config.center.data_dir).filter(|free| *free < needed) else {
            self.over(Cause::Disk).await;
            return None;
        };
        tracing::error!(free, needed, "the disk is nearly full: no mail is taken in");
        let shortage = format!("{free} bytes free, {needed} needed");
        self.alarm(Cause::Disk, &shortage).await;
        Some(shortage)
    }

    /// The mailbox was looked through without an error. Written down at most once a minute.
    async fn synced(&self) -> anyhow::Result<()> {
        {
            let mut last = self.synced_at.lock().unwrap_or_else(PoisonError::into_inner);
            if last.is_some_and(|last| last.elapsed() < SYNC_NOTED_EVERY) && !self.raised.is_up(Cause::Intake) {
                return Ok(());
            }
            *last = Some(tokio::time::Instant::now());
        }
        let now = self.clock.now();
        self.blocking(move |daemon| daemon.store.set_standing(SYNC, 1, "", now)).await?;
        self.over(Cause::Intake).await;
        Ok(())
    }

    /// An outage that lasts is told to the chief.
    async fn outage(&self, cause: Cause, reason: &str, backoff: &wait::Backoff) {
        if backoff.is_worth_telling() {
            self.alarm(cause, reason).await;
        }
    }
}

/// A task of the daemon.
struct Task {
    name: &'static str,
    handle: JoinHandle<()>,
}

/// The name of the first task that ends, by a panic or by returning.
async fn first_to_end(tasks: &mut [Task]) -> &'static str {
    std::future::poll_fn(|context| {
        for Task { name, handle } in tasks.iter_mut() {
            if std::pin::Pin::new(handle).poll(context).is_ready() {
                return std::task::Poll::Ready(*name);
            }
        }
        std::task::Poll::Pending
    })
    .await
}

/// The server of the configuration as the wire knows it.
#[must_use]
pub fn endpoint(server: &Server) -> Endpoint {
    let tls = match server.tls {
        crate::config::Tls::Implicit => Tls::Implicit,
        crate::config::Tls::StartTls => Tls::StartTls,
        crate::config::Tls::None => Tls::None,
    };
    Endpoint { host: server.host.clone(), port: server.port, tls, ca_file: server.ca_file.clone() }
}

/// How long `token_command` may take.
const TOKEN_WITHIN: Duration = Duration::from_secs(30);

/// The log-in of the configuration with its secret, read now.
///
/// # Errors
/// Where there is no password, or `token_command` fails.
pub async fn wire_login(login: &ConfigLogin, password: Option<Secret>) -> anyhow::Result<Login> {
    match login {
        ConfigLogin::Password { user, .. } => {
            let password = password.context("the log-in has no password")?;
            Ok(Login::Password { user: user.clone(), password: password.expose().to_owned() })
        }
        ConfigLogin::XOauth2 { user, token_command } => {
            let (program, arguments) = token_command.split_first().context("token_command is empty")?;
            let mut command = tokio::process::Command::new(program);
            command.args(arguments).stdin(std::process::Stdio::null()).kill_on_drop(true);
            let output = tokio::time::timeout(TOKEN_WITHIN, command.output())
                .await
                .context("token_command did not end within 30 s")?
                .with_context(|| format!("run token_command {program}"))?;
            anyhow::ensure!(output.status.success(), "token_command {program} ended with {}", output.status);
            let token = String::from_utf8(output.stdout).context("token_command printed no text")?.trim().to_owned();
            anyhow::ensure!(!token.is_empty(), "token_command {program} printed nothing");
            Ok(Login::XOAuth2 { user: user.clone(), token })
        }
        ConfigLogin::None => anyhow::bail!("there is no log-in"),
    }
}
