//! Time passes: what is due on tickets and disseminations, through the same door as mail.

use super::{Daemon, retention, setup};
use crate::decide::{chief, due};
use crate::model::effect::MailKind;
use crate::model::snapshot::Question;
use crate::store::{MailFilter, MailRow, View};
use jiff::SignedDuration;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// How often the clocks are looked at. Terms are hours; a minute late is on time.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// The minute of the day of the digest, where the chief's report has none: 07:00.
const DIGEST_AT: u16 = 7 * 60;
/// A storm of bounces is told by its first lines.
const DIGEST_LINES_MAX: usize = 200;

/// Looks at the clocks until told to stop.
pub(super) async fn run(daemon: &Daemon) {
    let started = tokio::time::Instant::now();
    while !daemon.is_stopping() {
        if let Err(error) = tick(daemon).await {
            tracing::error!(error = format!("{error:#}"), "cannot look at the clocks");
        }
        if started.elapsed() >= retention::SETTLED_AFTER
            && let Err(error) = daemon.blocking(retention::erase).await
        {
            tracing::error!(error = format!("{error:#}"), "cannot erase what is due");
        }
        setup::tell_systemd(&[sd_notify::NotifyState::Watchdog]);
        tokio::select! {
            () = daemon.stopped() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Does one due thing. What fails, or makes the core panic, is named in the log and keeps nothing else from
/// being done.
fn due_thing(what: &str, work: impl FnOnce() -> anyhow::Result<()>) {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(what, error = format!("{error:#}"), "cannot do what is due"),
        Err(_) => tracing::error!(what, "what is due made the program panic"),
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
                due_thing(&number.0, || {
                    let question = Question { tickets: vec![number.clone()], ..Question::default() };
                    daemon.store.act(&number.0, &question, &place, now, |world| due::ticket(&number, world, desk)).map(|_| ())
                });
            }
            for number in daemon.store.open_disseminations()? {
                due_thing(&number.0, || {
                    let question = Question { disseminations: vec![number.clone()], ..Question::default() };
                    daemon.store.act(&number.0, &question, &place, now, |world| due::dissemination(&number, world, desk)).map(|_| ())
                });
            }
            reports(daemon);
            digest(daemon)
        })
        .await?;
    daemon.outbox_wake.notify_one();
    Ok(())
}

/// The chief's reports whose hour has come, each once.
fn reports(daemon: &Daemon) {
    let now = daemon.clock.now();
    let bench = daemon.bench();
    let (desk, place) = (bench.desk(&daemon.key, now), bench.place());
    for issue in chief::due(&bench.policy, now) {
        let tell = || -> anyhow::Result<()> {
            // Asked first, so that the figures are reckoned once a period and not at each look at the clock.
            match issue.mark(desk) {
                Some(mark) if !daemon.store.has_letter(&mark)? => {}
                _ => return Ok(()),
            }
            daemon.store.act(&issue.name(), &issue.ask(desk), &place, now, |world| chief::report(issue, world, desk))?;
            Ok(())
        };
        if let Err(error) = tell() {
            tracing::error!(report = issue.name(), error = format!("{error:#}"), "cannot make the report");
        }
    }
}

/// Mail that was filed without a ticket since yesterday's digest, told once a day at the hour of
/// the chief's report, else at 07:00.
fn digest(daemon: &Daemon) -> anyhow::Result<()> {
    let now = daemon.clock.now();
    let bench = daemon.bench();
    let (desk, place) = (bench.desk(&daemon.key, now), bench.place());
    let today = now.to_zoned_datetime(place.time_zone.clone());
    let minute = bench.policy.report_daily_at.unwrap_or(DIGEST_AT);
    let Ok(midnight) = today.start_of_day() else { return Ok(()) };
    // Each digest tells of the 24 h before its hour, so that no mail is told twice or never.
    let until = midnight.timestamp().checked_add(SignedDuration::from_mins(i64::from(minute)))?;
    if now < until {
        return Ok(());
    }
    let since = until.checked_sub(SignedDuration::from_hours(24))?;
    let day = today.date().to_string();
    let view = View { time_zone: place.time_zone.clone(), now, center_address: bench.policy.center_address.to_string() };
    let filter =
        MailFilter { in_digest: true, since: Some(since), before: Some(until), limit: Some(DIGEST_LINES_MAX), ..MailFilter::default() };
    let question = due::ask_digest(&day, desk);
    let lines: Vec<String> = daemon.store.mail(&filter, &view)?.iter().map(digest_line).collect();
    daemon.store.act(&format!("digest {day}"), &question, &place, now, |world| due::digest(&day, &lines, world, desk))?;
    Ok(())
}

fn digest_line(row: &MailRow) -> String {
    let kind = row.kind.map_or("-", MailKind::word);
    let from = row.from.as_deref().unwrap_or("-");
    let subject: String = row.subject.chars().take(80).collect();
    format!("{} · {} · {kind} · {from} · {subject} · {}", row.id, row.at, row.reason)
}
