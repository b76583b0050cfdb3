//! The shell round the core: intake, pipeline, sending, time. It decides nothing.

pub mod clock;
mod intake;
pub mod pipeline;
mod send;
mod setup;
mod tick;
mod wait;

use crate::config::{Config, Login as ConfigLogin, Secret, Server};
use crate::decide::due;
use crate::mail::token::TokenKey;
use crate::model::snapshot::Question;
use crate::store::Store;
use crate::wire::{Endpoint, Login, Tls};
use anyhow::Context as _;
use clock::Clock;
use jiff::Timestamp;
use pipeline::Bench;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{Notify, watch};

pub use intake::IntakeError;
pub use send::SendError;
pub use setup::{SetupError, bench, house, keep_files_private, may_write, reader};

/// Intake stops below this much free space, so that what was taken in can still be decided (F60).
const FREE_BYTES_MIN: u64 = 512 * 1024 * 1024;
/// After SIGTERM what is under way may take this long; then connections are dropped (F68).
const STOP_WITHIN: Duration = Duration::from_secs(4);
/// The same outage is told again after a day.
const TELL_AGAIN: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// Everything that runs shares this.
#[derive(Debug)]
pub struct Shared {
    pub config: Config,
    pub store: Store,
    pub key: TokenKey,
    pub clock: Clock,
    bench: RwLock<Arc<Bench>>,
    /// The database's generation when the certificates in it were last read.
    generation: Mutex<i64>,
    outbox_wake: Notify,
    stop: watch::Sender<Stop>,
    /// When each outage was last told.
    told: Mutex<BTreeMap<String, Timestamp>>,
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
}

impl std::fmt::Display for RunError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Intake(error) => write!(f, "{error}"),
            Self::Send(error) => write!(f, "{error}"),
            Self::Store(error) => write!(f, "{error:#}"),
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
        store.recover_outbox(clock.now())?;
        let shared = Shared {
            config,
            store,
            key,
            clock,
            bench: RwLock::new(Arc::new(bench)),
            generation: Mutex::new(generation),
            outbox_wake: Notify::new(),
            stop: watch::Sender::new(Stop::No),
            told: Mutex::new(BTreeMap::new()),
        };
        Ok(Self(Arc::new(shared)))
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
    pub async fn run(&self) {
        let watched = self.clone();
        tokio::spawn(async move { watched.signals().await });
        let tasks = [
            tokio::spawn({
                let daemon = self.clone();
                async move { intake::run(&daemon).await }
            }),
            tokio::spawn({
                let daemon = self.clone();
                async move { send::Sender::new().run(&daemon).await }
            }),
            tokio::spawn({
                let daemon = self.clone();
                async move { tick::run(&daemon).await }
            }),
        ];
        tracing::info!(version = env!("CARGO_PKG_VERSION"), "running");
        setup::tell_systemd(&[sd_notify::NotifyState::Ready]);
        self.stopped().await;
        setup::tell_systemd(&[sd_notify::NotifyState::Stopping]);
        let deadline = tokio::time::Instant::now() + STOP_WITHIN;
        for mut task in tasks {
            if tokio::time::timeout_at(deadline, &mut task).await.is_err() {
                // An open attempt is found as `sending` at the next start and becomes uncertain.
                task.abort();
            }
        }
        tracing::info!("stopped");
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
            Ok(()) => tracing::info!("read again"),
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "the new rules, templates or certificates are wrong; the old ones stay");
                self.alarm("reload", "reload", &format!("{error:#}")).await;
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
        if handled > 0 {
            self.outbox_wake.notify_one();
        }
        Ok(handled)
    }

    /// Reads the certificates of contacts again where another process has changed the database.
    async fn refresh_certificates(&self) -> anyhow::Result<()> {
        let generation = self.store.outbox_generation()?;
        {
            let mut known = self.generation.lock().unwrap_or_else(PoisonError::into_inner);
            if *known == generation {
                return Ok(());
            }
            *known = generation;
        }
        self.blocking(Self::replace_keyring).await
    }

    /// Takes the certificates as they stand now; rules and templates stay. Where a file of the
    /// configuration has gone wrong meanwhile, the old ones go on: sending must not stop for it.
    fn replace_keyring(&self) -> anyhow::Result<()> {
        match setup::keyring(&self.config, &self.store, self.clock.now()) {
            Ok(keyring) => {
                let bench = self.bench().with_keyring(keyring);
                *self.bench.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(bench);
            }
            Err(error) => tracing::error!(error = error.to_string(), "certificates not read again"),
        }
        Ok(())
    }

    /// Reads rules, templates and certificates again.
    ///
    /// # Errors
    /// What is wrong with them; the old ones stay.
    pub fn replace_bench(&self) -> anyhow::Result<()> {
        let bench = bench(&self.config, Some(&self.store), self.clock.now()).map_err(|error| anyhow::anyhow!("{error}"))?;
        *self.bench.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(bench);
        Ok(())
    }

    /// Waits while the disk is nearly full; what is queued goes on being sent (F60).
    async fn wait_for_space(&self) {
        let needed = FREE_BYTES_MIN.max(self.config.intake.message_bytes_max.saturating_mul(3));
        while !self.is_stopping() {
            match setup::free_bytes(&self.config.center.data_dir) {
                Some(free) if free < needed => {
                    tracing::error!(free, needed, "the disk is nearly full: no mail is taken in");
                    self.alarm("disk", "disk full", &format!("{free} bytes free, {needed} needed")).await;
                    tokio::select! {
                        () = self.stopped() => return,
                        () = tokio::time::sleep(Duration::from_secs(30)) => {}
                    }
                }
                _ => return,
            }
        }
    }

    /// An outage that lasts is told to the chief, once a day.
    async fn outage(&self, what: &str, reason: &str, backoff: &wait::Backoff) {
        if backoff.is_worth_telling() {
            self.alarm(what, &format!("{what} interrupted"), reason).await;
        }
    }

    async fn alarm(&self, cause: &str, what: &str, reason: &str) {
        let now = self.clock.now();
        {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            let last = told.get(cause).copied();
            if last.is_some_and(|last| now.duration_since(last) < TELL_AGAIN) {
                return;
            }
            told.insert(cause.to_owned(), now);
        }
        let (cause, what, facts) = (format!("{cause} {now}"), what.to_owned(), vec![reason.to_owned()]);
        let outcome = self
            .blocking(move |daemon| {
                let bench = daemon.bench();
                let desk = bench.desk(&daemon.key, now);
                daemon.store.act(&cause, &Question::default(), &bench.place(), now, |world| due::alarm(&cause, &what, &facts, world, desk))
            })
            .await;
        if let Err(error) = outcome {
            tracing::error!(error = format!("{error:#}"), "cannot tell the chief");
        }
    }
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
