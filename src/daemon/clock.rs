//! The only place that reads the time. The demonstration and the tests move it by hand. The machine's
//! clock is watched against the two that only go forward: a jump and a sleep are told apart.

use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Where the daemon's time comes from.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that stands still until it is moved.
    Moved(Arc<Mutex<Timestamp>>),
}

impl Clock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn standing_at(start: Timestamp) -> Self {
        Self::Moved(Arc::new(Mutex::new(start)))
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            // Whole seconds: what is stored, shown and compared is then one value.
            Self::System => Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default(),
            Self::Moved(at) => at.lock().map_or_else(|poisoned| *poisoned.into_inner(), |at| *at),
        }
    }

    /// Moves a clock that stands; the machine's clock is left alone.
    pub fn advance(&self, by: SignedDuration) {
        if let Self::Moved(at) = self
            && let Ok(mut at) = at.lock()
        {
            *at = at.checked_add(by).unwrap_or(*at);
        }
    }
}

/// A jump of the machine's clock that people hear of (ATTACKS F69).
const JUMP_TOLD: SignedDuration = SignedDuration::from_mins(10);
/// A jump forward past which nothing that time alone causes is done until the clock has stood the test.
const JUMP_DOUBTED: SignedDuration = SignedDuration::from_hours(24);
/// How long the clock must go without a jump before it is believed again.
const STABLE_AFTER: Duration = Duration::from_secs(3600);
/// A sleep of the machine after which servers have closed their connections (F76).
const SLEEP_NOTED: Duration = Duration::from_secs(30);
/// How long after a jump or a sleep nobody is told that something is late: it has just begun again.
const LENIENT_FOR: Duration = Duration::from_secs(600);

/// What the machine's three clocks show.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub wall: Timestamp,
    /// Since the start of the machine, sleep included. Nobody can set it.
    pub boot: Duration,
    /// Sleep not included.
    pub running: Duration,
}

impl Moment {
    fn now() -> Self {
        use rustix::time::{ClockId, clock_gettime};
        let read = |id| {
            let time = clock_gettime(id);
            Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
        };
        Self { wall: Timestamp::now(), boot: read(ClockId::Boottime), running: read(ClockId::Monotonic) }
    }
}

impl Clock {
    /// What the machine's clocks show; `None` for a clock that is moved by hand.
    pub(super) fn moment(&self) -> Option<Moment> {
        matches!(self, Self::System).then(Moment::now)
    }
}

/// What happened between two looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// The clock was set by so much, and people should hear of it.
    pub jumped: Option<SignedDuration>,
    /// The machine slept so long.
    pub slept: Option<Duration>,
}

/// Watches the machine's clock from one look to the next.
#[derive(Debug, Default)]
pub(super) struct Watch {
    last: Option<Moment>,
    /// By the clock since the start of the machine.
    doubted_until: Option<Duration>,
    lenient_until: Option<Duration>,
}

impl Watch {
    pub(super) fn look(&mut self, now: Moment) -> Seen {
        let Some(last) = self.last.replace(now) else { return Seen::default() };
        let passed = now.boot.saturating_sub(last.boot);
        let slept = passed.saturating_sub(now.running.saturating_sub(last.running));
        let jumped = now.wall.duration_since(last.wall) - SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX);
        let seen = Seen { jumped: (jumped.abs() > JUMP_TOLD).then_some(jumped), slept: (slept > SLEEP_NOTED).then_some(slept) };
        let is_doubted = self.doubted_until.is_some_and(|until| now.boot < until);
        if jumped > JUMP_DOUBTED || (seen.jumped.is_some() && is_doubted) {
            self.doubted_until = Some(now.boot + STABLE_AFTER);
        }
        if seen != Seen::default() {
            self.lenient_until = Some(now.boot + LENIENT_FOR);
        }
        seen
    }

    /// Whether what time alone causes waits: notices of the service terms, reminders, surveys, erasing.
    pub(super) fn is_doubted(&self) -> bool {
        self.is_before(self.doubted_until)
    }

    /// Whether what is late may be so because the clock or the machine stood still.
    pub(super) fn is_lenient(&self) -> bool {
        self.is_doubted() || self.is_before(self.lenient_until)
    }

    fn is_before(&self, until: Option<Duration>) -> bool {
        self.last.zip(until).is_some_and(|(last, until)| last.boot < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(wall_hours: i64, boot: u64, running: u64) -> Moment {
        let start: Timestamp = "2026-03-03T01:15:00Z".parse().unwrap();
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        Moment { wall: start + SignedDuration::from_hours(wall_hours), boot: hours(boot), running: hours(running) }
    }

    #[test]
    fn f69_a_jump_is_seen_against_the_clock_that_nobody_sets() {
        let mut watch = Watch::default();
        assert_eq!(watch.look(moment(0, 10, 10)), Seen::default());
        assert_eq!(watch.look(moment(1, 11, 11)), Seen::default(), "an hour that passed is no jump");
        assert_eq!(watch.look(moment(0, 11, 11)).jumped, Some(SignedDuration::from_hours(-1)));
        assert!(!watch.is_doubted(), "a clock that went back makes nothing due");
        assert_eq!(watch.look(moment(24 * 365, 11, 11)).jumped, Some(SignedDuration::from_hours(24 * 365)));
        assert!(watch.is_doubted() && watch.is_lenient());
    }

    #[test]
    fn f69_after_an_hour_without_a_jump_the_clock_is_believed_again() {
        let mut watch = Watch::default();
        watch.look(moment(0, 10, 10));
        watch.look(moment(100, 10, 10));
        watch.last = watch.last.map(|last| Moment { boot: last.boot + Duration::from_secs(1800), ..last });
        assert!(watch.is_doubted());
        // Set right again: that is a jump too, and the hour begins anew.
        let half = Moment { boot: Duration::from_secs(10 * 3600 + 1800), ..moment(0, 10, 10) };
        watch.look(half);
        let later = |seconds: u64| Moment {
            wall: half.wall + SignedDuration::from_secs(i64::try_from(seconds).unwrap()),
            boot: half.boot + Duration::from_secs(seconds),
            running: half.running + Duration::from_secs(seconds),
        };
        watch.look(later(3599));
        assert!(watch.is_doubted());
        assert_eq!(watch.look(later(3600)), Seen::default());
        assert!(!watch.is_doubted());
    }

    #[test]
    fn f76_a_sleep_is_no_jump_and_is_noticed() {
        let mut watch = Watch::default();
        watch.look(moment(0, 10, 10));
        let seen = watch.look(moment(8, 18, 10));
        assert_eq!(seen, Seen { jumped: None, slept: Some(Duration::from_secs(8 * 3600)) });
        assert!(!watch.is_doubted() && watch.is_lenient());
    }

    #[test]
    fn f76_the_machines_clocks_are_read() {
        let (one, two) = (Clock::System.moment().unwrap(), Clock::System.moment().unwrap());
        assert!(two.boot >= one.boot && two.running >= one.running && one.boot > Duration::ZERO);
        assert!(Clock::standing_at(one.wall).moment().is_none());
    }
}
