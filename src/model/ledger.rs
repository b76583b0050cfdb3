//! What the chief's figures are made of: the histories of tickets, disseminations, and what stands
//! in the way of mail. The store fills it; `figures` reads it. Nothing is counted here.

use super::dissemination::Dissemination;
use super::letter::{LetterKind, LetterState};
use super::ticket::{TicketEvent, TicketNumber};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use std::collections::BTreeMap;

/// Whole days of the centre's zone, both included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period {
    pub first: Date,
    pub last: Date,
}

impl Period {
    /// From a day to a later one or itself; `None` the other way round, and where a period of the
    /// same length before it would not lie in the calendar.
    #[must_use]
    pub fn new(first: Date, last: Date) -> Option<Self> {
        let period = Self { first, last };
        (first <= last && last.tomorrow().is_ok() && period.earlier().is_some()).then_some(period)
    }

    /// The one day.
    #[must_use]
    pub fn day(day: Date) -> Option<Self> {
        Self::new(day, day)
    }

    /// How many days it has, one at least.
    #[must_use]
    pub fn days(&self) -> i64 {
        self.first.until(self.last).map_or(0, |span| i64::from(span.get_days())) + 1
    }

    fn earlier(&self) -> Option<Self> {
        let last = self.first.yesterday().ok()?;
        let first = self.first.checked_sub(self.days().days()).ok()?;
        Some(Self { first, last })
    }

    /// The period of the same length before this one.
    #[must_use]
    pub fn before(&self) -> Self {
        // Looked at when the period was made.
        self.earlier().unwrap_or(*self)
    }

    /// The first moment in the period.
    #[must_use]
    pub fn begins(&self, zone: &TimeZone) -> Timestamp {
        self.first.to_zoned_datetime(zone.clone()).map_or(Timestamp::MIN, |at| at.timestamp())
    }

    /// The first moment after the period.
    #[must_use]
    pub fn ends(&self, zone: &TimeZone) -> Timestamp {
        let next = self.last.tomorrow().and_then(|next| next.to_zoned_datetime(zone.clone()));
        next.map_or(Timestamp::MAX, |at| at.timestamp())
    }
}

/// Which ledger a decision asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    Of(Period),
    /// The last so many whole days and what has passed of today.
    LastDays(i64),
}

impl Wanted {
    /// The period that is meant at `now`.
    #[must_use]
    pub fn period(self, zone: &TimeZone, now: Timestamp) -> Period {
        match self {
            Self::Of(period) => period,
            Self::LastDays(days) => {
                let last = now.to_zoned_datetime(zone.clone()).date();
                let first = last.checked_sub(days.max(0).days()).unwrap_or(last);
                Period { first, last }
            }
        }
    }
}

/// One thing in a ticket's history.
#[derive(Debug, Clone)]
pub struct Happened {
    pub at: Timestamp,
    pub event: TicketEvent,
}

/// What happened to one ticket, oldest first. Events that no figure needs may be left out.
#[derive(Debug, Clone)]
pub struct History {
    pub number: TicketNumber,
    pub events: Vec<Happened>,
}

/// A letter that failed, is held or is uncertain.
#[derive(Debug, Clone)]
pub struct StuckLetter {
    pub id: i64,
    pub kind: LetterKind,
    pub to: String,
    pub ticket: Option<TicketNumber>,
    pub state: LetterState,
    pub because: String,
    pub queued_at: Timestamp,
}

/// What the store knows of a span of time, and of how mail stands at this moment.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// What was asked for; the ledger reaches back to the period before.
    pub period: Period,
    /// Tickets that were open in the span or changed in it.
    pub histories: Vec<History>,
    /// Disseminations that are under way or changed in the span.
    pub disseminations: Vec<Dissemination>,
    /// Letters by state, as they stand.
    pub letters: BTreeMap<LetterState, u32>,
    /// Those that a person must look at, oldest first.
    pub stuck: Vec<StuckLetter>,
    /// Mail in the quarantine that nobody released.
    pub quarantined: u32,
    /// Messages in the mailbox that the store does not know; `None` where nothing was compared yet.
    pub unaccounted: Option<u32>,
    /// What is out of order now, by its word, and since when.
    pub alarms: Vec<(String, Timestamp)>,
    pub audit_entries: u64,
    pub audit_head: String,
    /// When the first entry of the audit log was written.
    pub begun_at: Option<Timestamp>,
}
