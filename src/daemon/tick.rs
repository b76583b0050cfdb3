//! Time passes: what is due on tickets and disseminations, through the same door as mail.

use super::{Daemon, setup};
use crate::decide::due;
use crate::model::snapshot::Question;
use std::time::Duration;

/// How often the clocks are looked at. Terms are hours; a minute late is on time.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Looks at the clocks until told to stop.
pub(super) async fn run(daemon: &Daemon) {
    while !daemon.is_stopping() {
        if let Err(error) = tick(daemon).await {
            tracing::error!(error = format!("{error:#}"), "cannot look at the clocks");
        }
        setup::tell_systemd(&[sd_notify::NotifyState::Watchdog]);
        tokio::select! {
            () = daemon.stopped() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Everything that is due now.
///
/// # Errors
/// Where the store cannot be read; a ticket that fails is named in the log and left for the next round.
pub(super) async fn tick(daemon: &Daemon) -> anyhow::Result<()> {
    daemon
        .blocking(|daemon| {
            let now = daemon.clock.now();
            let bench = daemon.bench();
            let (desk, place) = (bench.desk(&daemon.key, now), bench.place());
            for number in daemon.store.open_tickets()? {
                let question = Question { tickets: vec![number.clone()], ..Question::default() };
                let due = daemon.store.act(&number.0, &question, &place, now, |world| due::ticket(&number, world, desk));
                if let Err(error) = due {
                    tracing::error!(ticket = number.0, error = format!("{error:#}"), "cannot do what is due");
                }
            }
            for number in daemon.store.open_disseminations()? {
                let question = Question { disseminations: vec![number.clone()], ..Question::default() };
                let due = daemon.store.act(&number.0, &question, &place, now, |world| due::dissemination(&number, world, desk));
                if let Err(error) = due {
                    tracing::error!(dissemination = number.0, error = format!("{error:#}"), "cannot do what is due");
                }
            }
            Ok(())
        })
        .await?;
    daemon.outbox_wake.notify_one();
    Ok(())
}
