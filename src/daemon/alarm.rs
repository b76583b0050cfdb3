//! What the chief must hear of beside tickets: told once, again after a day, and once more when it is
//! in order again. What is up stands in the store, so that a restart tells nothing twice.

use super::Daemon;
use crate::decide::due;
use crate::model::snapshot::Question;
use crate::store::Alarm;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// The same alarm is told again after a day.
const TELL_AGAIN: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// What can be out of order. The words stand in the store, in metrics and as phrases (`alarm.intake`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// The mailbox was not looked through for an hour, or the server refuses us.
    Intake,
    /// `token_command` gives no token.
    Token,
    /// Letters cannot be sent.
    Outgoing,
    /// The disk is nearly full: no mail is taken in.
    Disk,
    /// Decided mail cannot be moved out of the mailbox.
    Filing,
    /// A folder that reconciliation needs cannot be opened.
    Folders,
    /// Messages that are in no store.
    Unaccounted,
    /// New rules, templates or certificates are wrong; the old ones go on.
    Reload,
    /// The rules in the folder are wrong; the set in force stays.
    Rules,
    /// The host's clock is behind what the audit log knows: commands wait.
    ClockBehind,
    /// The host's clock jumped.
    ClockJumped,
    /// The certificate of somebody whom the configuration names is unfit: what is encrypted to it is held.
    Certificate,
    /// A letter that cannot even be read was held.
    Letter,
}

impl Cause {
    pub(super) const ALL: [Self; 13] = [
        Self::Intake,
        Self::Token,
        Self::Outgoing,
        Self::Disk,
        Self::Filing,
        Self::Folders,
        Self::Unaccounted,
        Self::Reload,
        Self::Rules,
        Self::ClockBehind,
        Self::ClockJumped,
        Self::Certificate,
        Self::Letter,
    ];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::Token => "token",
            Self::Outgoing => "outgoing",
            Self::Disk => "disk",
            Self::Filing => "filing",
            Self::Folders => "folders",
            Self::Unaccounted => "unaccounted",
            Self::Reload => "reload",
            Self::Rules => "rules",
            Self::ClockBehind => "clock_behind",
            Self::ClockJumped => "clock_jumped",
            Self::Certificate => "certificate",
            Self::Letter => "letter",
        }
    }

    fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.word() == word)
    }

    /// Something that happened, not something that lasts: nothing is ever in order again.
    pub(super) const fn is_event(self) -> bool {
        matches!(self, Self::ClockJumped | Self::Letter)
    }
}

/// The alarms that are up, as this process knows them.
#[derive(Debug)]
pub(super) struct Raised(Mutex<BTreeSet<Cause>>);

impl Raised {
    pub(super) fn new(alarms: &[Alarm]) -> Self {
        Self(Mutex::new(alarms.iter().filter_map(|alarm| Cause::of(&alarm.cause)).collect()))
    }

    pub(super) fn is_up(&self, cause: Cause) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&cause)
    }

    fn set(&self, cause: Cause) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(cause);
    }

    /// Whether it was up; it is no longer.
    fn take(&self, cause: Cause) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&cause)
    }
}

impl Daemon {
    /// Tells the chief, unless that was done within a day. `reason` is a technical line, shown as it is.
    pub(super) async fn alarm(&self, cause: Cause, reason: &str) {
        let reason = reason.to_owned();
        let outcome = self.blocking(move |daemon| daemon.raise(cause, &reason)).await;
        if let Err(error) = outcome {
            tracing::error!(cause = cause.word(), error = format!("{error:#}"), "cannot tell the chief");
        }
    }

    /// As [`Daemon::alarm`], for those who may block.
    pub(super) fn raise(&self, cause: Cause, reason: &str) -> anyhow::Result<()> {
        let now = self.clock.now();
        let last = self.store.alarms()?.into_iter().find(|alarm| alarm.cause == cause.word());
        // A clock that went back would silence it for as long.
        let is_told = last.is_some_and(|last| last.told_at <= now && now.duration_since(last.told_at) < TELL_AGAIN);
        if is_told && !cause.is_event() {
            return Ok(());
        }
        tracing::error!(cause = cause.word(), reason, "alarm");
        let what = self.bench().desk(&self.key, now).say(&format!("alarm.{}", cause.word()), &[]);
        self.tell(cause, &what, reason, now)?;
        if !cause.is_event() {
            self.raised.set(cause);
            self.store.raise_alarm(cause.word(), reason, now)?;
        }
        Ok(())
    }

    /// What was told is in order again.
    pub(super) async fn over(&self, cause: Cause) {
        if !self.raised.take(cause) {
            return;
        }
        let outcome = self.blocking(move |daemon| daemon.settle_alarm(cause)).await;
        if let Err(error) = outcome {
            self.raised.set(cause);
            tracing::error!(cause = cause.word(), error = format!("{error:#}"), "cannot tell the chief");
        }
    }

    fn settle_alarm(&self, cause: Cause) -> anyhow::Result<()> {
        let now = self.clock.now();
        let Some(alarm) = self.store.alarms()?.into_iter().find(|alarm| alarm.cause == cause.word()) else { return Ok(()) };
        tracing::info!(cause = cause.word(), since = alarm.since.to_string(), "alarm over");
        let bench = self.bench();
        let desk = bench.desk(&self.key, now);
        let what = desk.say("alarm.over", &[("what", &desk.say(&format!("alarm.{}", cause.word()), &[]))]);
        let since = alarm.since.to_zoned_datetime(bench.policy.time_zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string();
        self.tell(cause, &what, &desk.say("alarm.since", &[("since", &since)]), now)?;
        self.store.clear_alarm(cause.word())?;
        Ok(())
    }

    fn tell(&self, cause: Cause, what: &str, fact: &str, now: jiff::Timestamp) -> anyhow::Result<()> {
        let bench = self.bench();
        let (desk, facts) = (bench.desk(&self.key, now), [fact.to_owned()]);
        let key = format!("{}\0{what}\0{fact}\0{now}", cause.word());
        self.store.act(&format!("alarm {}", cause.word()), &Question::default(), &bench.place(), now, |world| {
            due::alarm(&key, what, &facts, world, desk)
        })?;
        self.outbox_wake.notify_one();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::template::Templates;
    use crate::model::Language;

    #[test]
    fn every_alarm_has_its_words_in_both_languages() {
        let templates = Templates::load(None).unwrap();
        for cause in Cause::ALL {
            assert_eq!(Cause::of(cause.word()), Some(cause));
            for language in [Language::Id, Language::En] {
                let text = templates.phrase(language, &format!("alarm.{}", cause.word()), &[]);
                assert!(!text.starts_with('?'), "{text}");
            }
        }
    }
}
