//! How the daemon stands, as it wrote it into the store: when the mailbox was last looked through,
//! what is unaccounted for, which alarms are up. Asked beside a daemon that runs, or long after it ended.

use super::Report;
use crate::cli::{Exit, Failure};
use crate::config::Config;
use crate::daemon::SYNC_LATE_AFTER;
use crate::store::{SYNC, Store, UNACCOUNTED};
use jiff::Timestamp;

pub(super) fn check(report: &mut Report, config: &Config, store: &Store, now: Timestamp) -> Result<(), Failure> {
    let shown = |at: Timestamp| at.to_zoned_datetime(config.center.time_zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string();
    match store.standing(SYNC)? {
        None => report.ok("mailbox looked through", "not yet; 'run' does it")?,
        Some(last) if now.duration_since(last.at) > SYNC_LATE_AFTER => {
            let never = if last.value == 0 { "never, and it runs since" } else { "not since" };
            let cause = format!("{never} {}; is the daemon running? its log says why it cannot", shown(last.at));
            report.fail("mailbox looked through", Exit::NotInOrder, &cause)?;
        }
        Some(last) if last.value == 0 => {
            report.ok("mailbox looked through", &format!("not yet; the daemon runs since {}", shown(last.at)))?
        }
        Some(last) => report.ok("mailbox looked through", &shown(last.at))?,
    }
    match store.standing(UNACCOUNTED)? {
        None => report.ok("mail accounted for", "the folders were not compared with the store yet; 'run' does it")?,
        Some(found) if found.value == 0 => report.ok("mail accounted for", &format!("all of it, {}", shown(found.at)))?,
        Some(found) => {
            let cause = format!(
                "{} messages are in no store ({}): {}; move them into {} and they are taken in",
                found.value,
                shown(found.at),
                found.detail,
                config.intake.mailbox
            );
            report.fail("mail accounted for", Exit::NotInOrder, &cause)?;
        }
    }
    for alarm in store.alarms()? {
        report.fail(&format!("alarm {}", alarm.cause), Exit::NotInOrder, &format!("since {}: {}", shown(alarm.since), alarm.reason))?;
    }
    Ok(())
}
