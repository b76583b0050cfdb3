//! Time passes: what is due on tickets and disseminations, through the same door as mail.

use super::alarm::Cause;
use super::clock::Watch;
use super::{Daemon, pipeline, retention, setup};
use crate::decide::{chief, due, forecast, unsealed};
use crate::model::effect::MailKind;
use crate::model::snapshot::Question;
use crate::model::ticket::TicketNumber;
use crate::model::{Address, Fingerprint};
use crate::store::{MailFilter, MailRow, SYNC, View};
use jiff::{SignedDuration, Timestamp};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How often the clocks are looked at. Terms are hours; a minute late is on time.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Open tickets in one look at the clocks: each is a transaction of some 0.2 ms.
const TICKETS_IN_LOOK_MAX: usize = 5_000;

/// A mailbox that was not looked through for so long is told to the chief.
pub const SYNC_LATE_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// The minute of the day of the digest, where the chief's report has none: 07:00.
const DIGEST_AT: u16 = 7 * 60;
/// A storm of bounces is told by its first lines.
const DIGEST_LINES_MAX: usize = 200;

/// Looks at the clocks until told to stop.
pub(super) async fn run(daemon: &Daemon) {
    let started = tokio::time::Instant::now();
    let mut watch = Watch::default();
    while !daemon.is_stopping() {
        watch_clock(daemon, &mut watch).await;
        do_what_time_asks(daemon, &watch, started.elapsed()).await;
        if let Err(error) = watch_standing(daemon, &watch).await {
            tracing::error!(error = format!("{error:#}"), "cannot look at how the daemon stands");
        }
        setup::tell_systemd(&[sd_notify::NotifyState::Watchdog]);
        tokio::select! {
            () = daemon.stopped() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Terms, reminders and surveys, where the clock is believed; and erasing, where the daemon has run for an hour too.
pub(super) async fn do_what_time_asks(daemon: &Daemon, watch: &Watch, running_for: Duration) {
    if watch.is_doubted() {
        tracing::warn!("the clock jumped ahead: terms, reminders and surveys wait until it has stood still for an hour");
        return;
    }
    if let Err(error) = tick(daemon).await {
        tracing::error!(error = format!("{error:#}"), "cannot look at the clocks");
    }
    if running_for >= retention::SETTLED_AFTER
        && let Err(error) = daemon.blocking(retention::erase).await
    {
        tracing::error!(error = format!("{error:#}"), "cannot erase what is due");
    }
}

async fn watch_clock(daemon: &Daemon, watch: &mut Watch) {
    let Some(moment) = daemon.clock.moment() else { return };
    let seen = watch.look(moment);
    if let Some(slept) = seen.slept {
        tracing::warn!(seconds = slept.as_secs(), "the machine slept: connections are made anew");
        daemon.sleeps.fetch_add(1, Ordering::Relaxed);
        daemon.resumed.notify_waiters();
    }
    if let Some(jumped) = seen.jumped {
        daemon.alarm(Cause::ClockJumped, &format!("{} s", jumped.as_secs())).await;
    }
}

/// Whether the mailbox was looked through within the hour, and whether the clock is behind the log.
pub(super) async fn watch_standing(daemon: &Daemon, watch: &Watch) -> anyhow::Result<()> {
    let now = daemon.clock.now();
    match daemon.store.standing(SYNC)? {
        // Counted from the first start, so that a mailbox that never could be read is told too.
        None => daemon.store.set_standing(SYNC, 0, "", now)?,
        Some(last) if now.duration_since(last.at) > SYNC_LATE_AFTER && !watch.is_lenient() => {
            let since = last.at.to_zoned_datetime(daemon.config.center.time_zone.clone()).strftime("%Y-%m-%d %H:%M %Z");
            daemon.alarm(Cause::Intake, &format!("no successful look into the mailbox since {since}")).await;
        }
        Some(_) => {}
    }
    match pipeline::clock_behind(&daemon.store, now)? {
        Some(behind) => {
            let pulled = daemon.blocking(move |daemon| daemon.store.pull_in_letters(now)).await?;
            if pulled > 0 {
                tracing::warn!(letters = pulled, "letters were put off by a clock that went back; they are due now");
            }
            let reason = format!("{} s; set the clock, or where it is right, restart with --accept-clock", behind.as_secs());
            daemon.alarm(Cause::ClockBehind, &reason).await;
        }
        None => daemon.over(Cause::ClockBehind).await,
    }
    let unfit = unfit_people(daemon);
    if unfit.is_empty() {
        daemon.over(Cause::Certificate).await
    } else {
        daemon.alarm(Cause::Certificate, &unfit.join("; ")).await
    }
    Ok(())
}

/// Those whom the configuration names and to whom nothing can be encrypted now: a receipt that tells
/// them why would be held itself.
fn unfit_people(daemon: &Daemon) -> Vec<String> {
    let (bench, now) = (daemon.bench(), daemon.clock.now());
    let desk = bench.desk(&daemon.key, now);
    let problem = |(name, address, print): (&str, &Address, &Fingerprint)| {
        let unfit = bench.reader.keyring.get(print)?.unfit(now);
        (!unfit.is_empty()).then(|| format!("{name} <{address}>: {}", unsealed::unfit(&unfit, desk)))
    };
    bench.policy.certified().filter_map(problem).collect()
}

/// Those that are looked at now: all, or where a flood opened more than that, so many, on from where the last
/// look ended. A hundred thousand tickets are then all seen within ten minutes, and no look holds up the store.
fn in_turn(mut open: Vec<TicketNumber>, turn: &AtomicUsize) -> Vec<TicketNumber> {
    if open.len() <= TICKETS_IN_LOOK_MAX {
        return open;
    }
    let from = turn.fetch_add(TICKETS_IN_LOOK_MAX, Ordering::Relaxed) % open.len();
    open.rotate_left(from);
    open.truncate(TICKETS_IN_LOOK_MAX);
    open
}

/// The centre's key, and the certificates of those whom the configuration names, as far as they end soon.
fn forecast_house(daemon: &Daemon) -> anyhow::Result<()> {
    let now = daemon.clock.now();
    let bench = daemon.bench();
    let (desk, place, keyring) = (bench.desk(&daemon.key, now), bench.place(), &bench.reader.keyring);
    let until = now.checked_add(SignedDuration::from_hours(24 * forecast::AHEAD_DAYS))?;
    let mut house = Vec::new();
    let mut add = |name: &str, address: &Address, fingerprint: &Fingerprint, ends: Option<Timestamp>| {
        if let Some(ends) = ends.filter(|ends| *ends > now && *ends <= until) {
            house.push(forecast::House { name: name.to_owned(), address: address.clone(), fingerprint: fingerprint.clone(), ends });
        }
    };
    if let Some(own) = keyring.own() {
        add(&bench.policy.center_name, &bench.policy.center_address, &own.fingerprint(), own.expires_at(now));
    }
    for (name, address, print) in bench.policy.certified() {
        if let Some(certificate) = keyring.get(print) {
            add(name, address, print, certificate.expires_at(now));
        }
    }
    if !house.is_empty() {
        let question = forecast::ask_house(&house, desk);
        daemon.store.act("certificates of the house", &question, &place, now, |world| forecast::house(&house, world, desk))?;
    }
    Ok(())
}

/// Certificates of contacts that end soon.
fn forecast(daemon: &Daemon) -> anyhow::Result<()> {
    let now = daemon.clock.now();
    let bench = daemon.bench();
    let (desk, place) = (bench.desk(&daemon.key, now), bench.place());
    let until = now.checked_add(SignedDuration::from_hours(24 * forecast::AHEAD_DAYS))?;
    for contacts in daemon.store.contacts_ending(now, until)?.chunks(forecast::CONTACTS_MAX) {
        let question = forecast::ask(contacts, desk);
        daemon.store.act("certificates", &question, &place, now, |world| forecast::certificates(contacts, world, desk))?;
    }
    Ok(())
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
            for number in in_turn(daemon.store.open_tickets()?, &daemon.turn) {
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
            due_thing("certificates", || forecast(daemon));
            due_thing("certificates of the house", || forecast_house(daemon));
            due_thing("new tickets", || {
                if daemon.store.has_crowd()? {
                    let question = Question { asks_crowd: true, ..Question::default() };
                    daemon.store.act("new tickets", &question, &place, now, |world| due::crowd(world, desk))?;
                }
                Ok(())
            });
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

/// Mail that was filed without a ticket, or into the quarantine, since yesterday's digest, told once a day
/// at the hour of the chief's report, else at 07:00.
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
    let told = MailFilter { since: Some(since), before: Some(until), limit: Some(DIGEST_LINES_MAX), ..MailFilter::default() };
    let question = due::ask_digest(&day, desk);
    let lines = |filter: MailFilter| anyhow::Ok(daemon.store.mail(&filter, &view)?.iter().map(digest_line).collect::<Vec<_>>());
    let quarantine = lines(MailFilter { in_quarantine: true, ..told.clone() })?;
    let lines = lines(MailFilter { in_digest: true, ..told })?;
    daemon.store.act(&format!("digest {day}"), &question, &place, now, |world| due::digest(&day, &lines, &quarantine, world, desk))?;
    Ok(())
}

fn digest_line(row: &MailRow) -> String {
    let kind = row.kind.map_or("-", MailKind::word);
    let from = row.from.as_deref().unwrap_or("-");
    let subject: String = row.subject.chars().take(80).collect();
    format!("{} · {} · {kind} · {from} · {subject} · {}", row.id, row.at, row.reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_tickets_is_looked_at_in_turn_and_none_is_left_out() {
        let open: Vec<TicketNumber> = (1..=12_345).map(|number| TicketNumber::new("B", 2026, number)).collect();
        let turn = AtomicUsize::new(0);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..3 {
            let some = in_turn(open.clone(), &turn);
            assert_eq!(some.len(), TICKETS_IN_LOOK_MAX);
            seen.extend(some);
        }
        assert_eq!(seen.len(), open.len());
        assert_eq!(in_turn(open[..10].to_vec(), &turn), open[..10], "as many as there ever were: all");
    }
}
