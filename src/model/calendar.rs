//! When a term of the service standard ends, and how much of it is left: round the clock, or in
//! working hours with holidays. Pure: the calendar is the policy's, the moments are given.

use super::clock::{Clock, ClockName};
use super::policy::{Calendar, Policy};
use jiff::civil::{Date, Weekday};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// The longest a working-hours term may reach: a calendar of nothing but holidays must end somewhere.
const DAYS_MAX: u32 = 3_660;

/// The threshold of a breach, in thousandths of the term.
pub const BREACH: u16 = 1_000;

/// `start` plus `term` as the calendar of the policy counts time.
#[must_use]
pub fn due_after(start: Timestamp, term: Duration, policy: &Policy) -> Timestamp {
    let term = SignedDuration::try_from(term).unwrap_or(SignedDuration::MAX);
    add(start, term, policy)
}

fn add(start: Timestamp, term: SignedDuration, policy: &Policy) -> Timestamp {
    if policy.calendar == Calendar::Continuous {
        return start.checked_add(term).unwrap_or(Timestamp::MAX);
    }
    let mut left = term;
    let mut date = start.to_zoned_datetime(policy.time_zone.clone()).date();
    for _ in 0..DAYS_MAX {
        if let Some((opens, closes)) = working_day(date, policy) {
            let begin = opens.max(start);
            let span = closes.duration_since(begin);
            if span > SignedDuration::ZERO {
                if span >= left {
                    return begin.checked_add(left).unwrap_or(Timestamp::MAX);
                }
                left -= span;
            }
        }
        let Ok(next) = date.tomorrow() else { break };
        date = next;
    }
    Timestamp::MAX
}

/// How much time of the calendar lies between two moments; none where the second is not later.
#[must_use]
pub fn between(from: Timestamp, to: Timestamp, policy: &Policy) -> SignedDuration {
    if to <= from {
        return SignedDuration::ZERO;
    }
    if policy.calendar == Calendar::Continuous {
        return to.duration_since(from);
    }
    let mut sum = SignedDuration::ZERO;
    let mut date = from.to_zoned_datetime(policy.time_zone.clone()).date();
    for _ in 0..DAYS_MAX {
        if let Some((opens, closes)) = working_day(date, policy) {
            if opens >= to {
                break;
            }
            sum += closes.min(to).duration_since(opens.max(from)).max(SignedDuration::ZERO);
        }
        let Ok(next) = date.tomorrow() else { break };
        date = next;
    }
    sum
}

/// When work begins and ends on a day of the centre's zone; `None` on days without work.
fn working_day(date: Date, policy: &Policy) -> Option<(Timestamp, Timestamp)> {
    let Calendar::WorkingHours { from_minute, to_minute, holidays } = &policy.calendar else { return None };
    if matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday) || holidays.contains(&date) {
        return None;
    }
    // The hour on the wall, also on the day on which the clocks are changed.
    let at = |minute: u16| {
        let (date, minute) = if minute >= 24 * 60 { (date.tomorrow().ok()?, 0) } else { (date, minute) };
        let hour = i8::try_from(minute / 60).ok()?;
        let minute = i8::try_from(minute % 60).ok()?;
        Some(date.at(hour, minute, 0, 0).to_zoned_datetime(policy.time_zone.clone()).ok()?.timestamp())
    };
    Some((at(*from_minute)?, at(*to_minute)?))
}

/// The term of a clock.
#[must_use]
pub const fn term(name: ClockName, policy: &Policy) -> Duration {
    match name {
        ClockName::Verification => policy.sla_verification,
        ClockName::Analysis => policy.sla_analysis,
        ClockName::Survey => policy.sla_survey,
    }
}

/// A clock that starts at `at`.
#[must_use]
pub fn started(name: ClockName, at: Timestamp, policy: &Policy) -> Clock {
    let due_at = Some(due_after(at, term(name, policy), policy));
    Clock { started_at: Some(at), due_at, ..Clock::waiting(name) }
}

/// The clock going on after the ticket was closed: what was left of its term is left again. What was
/// over before the closing stays over.
#[must_use]
pub fn resumed(mut clock: Clock, at: Timestamp, policy: &Policy) -> Clock {
    if let (Some(paused), Some(due)) = (clock.paused_at.take(), clock.due_at)
        && at > paused
        && due > paused
    {
        clock.due_at = Some(add(at, between(paused, due, policy), policy));
    }
    clock
}

/// The thresholds of a running clock that are passed at `now`, in thousandths of its term, the
/// breach among them. Time in which the ticket was closed does not count.
#[must_use]
pub fn passed(clock: &Clock, now: Timestamp, policy: &Policy) -> Vec<u16> {
    let (Some(started), Some(due), None, None) = (clock.started_at, clock.due_at, clock.met_at, clock.paused_at) else {
        return Vec::new();
    };
    if now > due {
        return policy.warn_at.iter().copied().filter(|part| *part < BREACH).chain([BREACH]).collect();
    }
    // The term of the configuration may have changed since the clock started.
    let term = SignedDuration::try_from(term(clock.name, policy)).unwrap_or(SignedDuration::MAX).min(between(started, due, policy));
    let used = term.as_secs().saturating_sub(between(now, due, policy).as_secs()).max(0);
    let is_passed = |part: u16| part < BREACH && i128::from(used) * 1_000 >= i128::from(term.as_secs()) * i128::from(part);
    policy.warn_at.iter().copied().filter(|part| is_passed(*part)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::tests::policy;
    use jiff::tz::TimeZone;

    fn working(zone: &str) -> Policy {
        let mut policy = policy();
        policy.time_zone = TimeZone::get(zone).unwrap();
        // 2026-03-19 is Nyepi, a Thursday.
        let holidays = [jiff::civil::date(2026, 3, 19)].into();
        policy.calendar = Calendar::WorkingHours { from_minute: 8 * 60, to_minute: 16 * 60, holidays };
        policy
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn working_hours_skip_nights_weekends_and_holidays() {
        let policy = working("Asia/Jakarta");
        // Wednesday 15:00; Thursday is a holiday, then a weekend: 1 h + 8 h (Friday) + 8 h (Monday) + 7 h.
        let due = due_after(at("2026-03-18T15:00:00+07:00"), Duration::from_hours(24), &policy);
        assert_eq!(due, at("2026-03-24T15:00:00+07:00"));
        assert_eq!(between(at("2026-03-18T15:00:00+07:00"), due, &policy), SignedDuration::from_hours(24));
        // What comes at night starts in the morning.
        assert_eq!(due_after(at("2026-03-20T21:00:00+07:00"), Duration::from_hours(1), &policy), at("2026-03-23T09:00:00+07:00"));
    }

    #[test]
    fn the_day_on_which_clocks_change_has_the_same_working_hours() {
        let policy = working("Europe/Berlin");
        // The clocks go forward on Sunday 2026-03-29; Monday's work begins at 08:00 on the wall.
        assert_eq!(due_after(at("2026-03-27T15:00:00+01:00"), Duration::from_hours(2), &policy), at("2026-03-30T09:00:00+02:00"));
    }

    #[test]
    fn a_warning_comes_at_its_part_of_the_working_time() {
        let policy = working("Asia/Jakarta");
        let clock = started(ClockName::Verification, at("2026-03-16T08:00:00+07:00"), &policy);
        // 24 h of work are Monday, Tuesday, Wednesday: half of them is Tuesday noon.
        assert_eq!(passed(&clock, at("2026-03-17T11:59:00+07:00"), &policy), [0_u16; 0]);
        assert_eq!(passed(&clock, at("2026-03-17T12:00:00+07:00"), &policy), [500]);
        assert_eq!(passed(&clock, at("2026-03-18T16:00:00+07:00"), &policy), [500, 800]);
        assert_eq!(passed(&clock, at("2026-03-18T16:00:01+07:00"), &policy), [500, 800, 1000]);
    }

    #[test]
    fn the_closed_time_counts_for_no_warning() {
        let policy = policy();
        let start = at("2026-03-02T00:00:00Z");
        let clock = started(ClockName::Verification, start, &policy).paused(at("2026-03-02T06:00:00Z"));
        let clock = resumed(clock, at("2026-03-12T06:00:00Z"), &policy);
        assert_eq!(clock.due_at, Some(at("2026-03-13T00:00:00Z")));
        assert_eq!(passed(&clock, at("2026-03-12T11:00:00Z"), &policy), [0_u16; 0]);
        assert_eq!(passed(&clock, at("2026-03-12T12:00:00Z"), &policy), [500]);
    }

    #[test]
    fn a_weekend_in_which_the_ticket_was_closed_costs_no_working_time() {
        let policy = working("Asia/Jakarta");
        // 24 h from Friday 15:00: 1 h of them is used at 16:00, when it is closed.
        let clock = started(ClockName::Verification, at("2026-03-27T15:00:00+07:00"), &policy).paused(at("2026-03-27T16:00:00+07:00"));
        let resumed = resumed(clock, at("2026-03-30T08:00:00+07:00"), &policy);
        assert_eq!(between(at("2026-03-30T08:00:00+07:00"), resumed.due_at.unwrap(), &policy), SignedDuration::from_hours(23));
    }

    #[test]
    fn nothing_but_holidays_ends_all_the_same() {
        let mut policy = working("Asia/Jakarta");
        if let Calendar::WorkingHours { to_minute, .. } = &mut policy.calendar {
            *to_minute = 8 * 60;
        }
        assert_eq!(due_after(at("2026-03-16T08:00:00Z"), Duration::from_hours(1), &policy), Timestamp::MAX);
        assert_eq!(between(at("2026-03-16T08:00:00Z"), at("2026-04-16T08:00:00Z"), &policy), SignedDuration::ZERO);
    }
}
