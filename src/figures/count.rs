//! Tickets: opened, closed, open at the end, by what they are.

use super::{Counts, Day};
use crate::model::ledger::{Ledger, Period};
use crate::model::policy::Policy;
use crate::model::ticket::{State, Ticket, TicketEvent};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use std::collections::BTreeMap;

/// Days that the series of a period names; a longer one would be no chart.
const DAYS_MAX: usize = 400;

/// Tickets of a period.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    pub opened: u32,
    pub closed: u32,
    pub rejected: u32,
    pub merged: u32,
    pub reopened: u32,
    /// Open at the end of the period.
    pub open: u32,
    pub open_by_state: Counts,
    pub open_by_category: Counts,
    pub opened_by_category: Counts,
    pub opened_by_channel: Counts,
    pub opened_by_priority: Counts,
    pub opened_by_service: Counts,
    pub days: Vec<Day>,
}

/// Counts the tickets of a period. What a ticket is counted as is what it was at the period's end.
pub(super) fn tally(ledger: &Ledger, period: Period, policy: &Policy, now: Timestamp) -> Tally {
    let zone = &policy.time_zone;
    let (begins, ends) =
        (period.begins(zone), period.ends(zone).min(now.saturating_add(jiff::SignedDuration::from_secs(1)).unwrap_or(now)));
    let mut tally = Tally::default();
    let mut days: BTreeMap<Date, (u32, u32)> = BTreeMap::new();
    for history in &ledger.histories {
        let mut ticket: Option<Ticket> = None;
        for happened in history.events.iter().take_while(|happened| happened.at < ends) {
            let was = ticket.as_ref().map(|ticket| ticket.state);
            ticket = Ticket::fold(ticket, &happened.event, happened.at);
            if happened.at < begins {
                continue;
            }
            let day = happened.at.to_zoned_datetime(zone.clone()).date();
            match (&happened.event, was) {
                (TicketEvent::Opened(_), _) => days.entry(day).or_default().0 += 1,
                (TicketEvent::StateChanged { to }, Some(was)) if was.is_open() && !to.is_open() => {
                    match to {
                        State::Rejected => tally.rejected += 1,
                        State::Merged => tally.merged += 1,
                        _ => tally.closed += 1,
                    }
                    days.entry(day).or_default().1 += 1;
                }
                (TicketEvent::StateChanged { to }, Some(was)) if !was.is_open() && to.is_open() => tally.reopened += 1,
                _ => {}
            }
        }
        if let Some(ticket) = ticket {
            count(&ticket, begins, &mut tally);
        }
    }
    tally.days = series(period, &days);
    tally
}

fn count(ticket: &Ticket, begins: Timestamp, tally: &mut Tally) {
    let one = |counts: &mut Counts, word: &str| *counts.entry(word.to_owned()).or_default() += 1;
    if ticket.opened_at >= begins {
        tally.opened += 1;
        one(&mut tally.opened_by_category, ticket.category.word());
        one(&mut tally.opened_by_channel, ticket.channel.word());
        one(&mut tally.opened_by_priority, ticket.priority.word());
        one(&mut tally.opened_by_service, ticket.service.word());
    }
    if ticket.state.is_open() {
        tally.open += 1;
        one(&mut tally.open_by_state, ticket.state.word());
        one(&mut tally.open_by_category, ticket.category.word());
    }
}

/// Every day of the period, also those on which nothing happened.
fn series(period: Period, days: &BTreeMap<Date, (u32, u32)>) -> Vec<Day> {
    let mut series = Vec::new();
    let mut day = period.first;
    while day <= period.last && series.len() < DAYS_MAX {
        let (opened, closed) = days.get(&day).copied().unwrap_or_default();
        series.push(Day { day: day.to_string(), opened, closed });
        let Ok(next) = day.tomorrow() else { break };
        day = next;
    }
    series
}
