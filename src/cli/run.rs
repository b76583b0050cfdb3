//! `bantuan70 run`: the daemon.

use super::{Common, Exit, Failure, Outcome};
use crate::daemon::clock::Clock;
use crate::daemon::{Daemon, RunError, bench, keep_files_private};
use crate::store::{self, Store};
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Handle all that waits in the mailbox and all that is due in the outbox, then exit
    #[arg(long)]
    once: bool,
    /// Say that this host's clock is right: times in the audit log that are ahead of it, which a wrong
    /// clock wrote, hold up no command any more
    #[arg(long)]
    accept_clock: bool,
}

pub(super) fn run(common: &Common, arguments: Arguments) -> Outcome {
    log_to_stderr();
    keep_files_private();
    let config = common.load()?;
    if let Some(first) = config.missing_to_run().first() {
        return Err(Failure::usage(first.to_string()));
    }
    // A password that cannot be read is the configuration's fault, not a server's (F71).
    config.intake.password().and(config.outgoing.password()).map_err(|error| Failure::usage(error.to_string()))?;
    let data_dir = config.center.data_dir.clone();
    let clock = Clock::System;
    // Keys and rules first: what is wrong there is found without touching the database.
    bench(&config, None, clock.now()).map_err(|error| Failure::usage(error.to_string()))?;
    let store = Store::open(&data_dir.join(store::FILE_NAME))?;
    if arguments.accept_clock {
        store.accept_clock(&super::listing::who(), clock.now())?;
    }
    let bench = bench(&config, Some(&store), clock.now()).map_err(|error| Failure::usage(error.to_string()))?;
    let daemon = Daemon::new(config, store, bench, clock)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::service(format!("cannot start: {error}")))?;
    let outcome = runtime.block_on(async {
        if arguments.once {
            return daemon.once().await;
        }
        daemon.run().await
    });
    // What still blocks is in the store's hands and can be repeated.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    super::log::finish();
    match outcome {
        Ok(()) => Ok(Exit::Done),
        Err(RunError::Store(error)) => Err(Failure::from(error)),
        Err(error) => Err(Failure::service(error.to_string())),
    }
}

/// Events go to stderr as lines without colour; `BANTUAN70_LOG` chooses (`debug`, `bantuan70::wire=debug`).
fn log_to_stderr() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("BANTUAN70_LOG").unwrap_or_else(|_| EnvFilter::new("bantuan70=info,warn"));
    std::panic::set_hook(Box::new(|panic| {
        // Where, and not what: the message of a panic may hold words of a mail (DESIGN 6).
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panic");
    }));
    // A second call, as a test makes it, changes nothing.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(super::log::Queued).with_ansi(false).try_init();
}
