//! When a term of the service standard ends: round the clock, or in working hours with holidays.

use crate::model::policy::{Calendar, Policy};
use jiff::civil::{Date, Weekday};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// The longest a working-hours term may reach ahead: a calendar of nothing but holidays must end somewhere.
const DAYS_MAX: u32 = 3_660;

/// `start` plus `term` as the calendar of the policy counts time.
#[must_use]
pub fn due_after(start: Timestamp, term: Duration, policy: &Policy) -> Timestamp {
    let term = SignedDuration::try_from(term).unwrap_or(SignedDuration::MAX);
    match &policy.calendar {
        Calendar::Continuous => start.checked_add(term).unwrap_or(Timestamp::MAX),
        Calendar::WorkingHours { from_minute, to_minute, holidays } => {
            let works = |date: Date| !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday) && !holidays.contains(&date);
            let at = |date: Date, minute: u16| {
                let midnight = date.to_zoned_datetime(policy.time_zone.clone()).ok()?;
                midnight.timestamp().checked_add(SignedDuration::from_mins(i64::from(minute))).ok()
            };
            let mut date = start.to_zoned_datetime(policy.time_zone.clone()).date();
            let mut left = term;
            for _ in 0..DAYS_MAX {
                if works(date)
                    && let (Some(opens), Some(closes)) = (at(date, *from_minute), at(date, *to_minute))
                {
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
    }
}

/// The moment at which `thousandths` of the way from `start` to `due` have passed, in plain time.
#[must_use]
pub fn part_of(start: Timestamp, due: Timestamp, thousandths: u16) -> Timestamp {
    let whole = due.as_second().saturating_sub(start.as_second()).max(0);
    let part = whole / 1000 * i64::from(thousandths) + whole % 1000 * i64::from(thousandths) / 1000;
    Timestamp::from_second(start.as_second().saturating_add(part)).unwrap_or(due)
}
