//! The clocks of a ticket, derived anew from its history: only when each started, stood still, went
//! on and was met is taken from the events; where its term ends is reckoned by the calendar and the
//! terms that are configured now, so that a corrected rule can be run over the past.

use crate::model::calendar;
use crate::model::clock::{Clock, ClockName, ClockState};
use crate::model::ledger::History;
use crate::model::policy::Policy;
use crate::model::ticket::TicketEvent;
use jiff::Timestamp;

/// Every run of every clock of the ticket, oldest first, as it stood at `until`. A clock runs again
/// where documents come after more were asked for; the last run of a name is the ticket's clock.
#[must_use]
pub fn runs(history: &History, until: Timestamp, policy: &Policy) -> Vec<Clock> {
    let mut runs: Vec<Clock> = Vec::new();
    for happened in history.events.iter().take_while(|happened| happened.at < until) {
        let TicketEvent::ClockSet { clock } = &happened.event else { continue };
        match runs.iter_mut().rev().find(|run| run.name == clock.name) {
            // The letter that met it was held: nothing was met after all.
            Some(run)
                if run.started_at == clock.started_at && clock.met_at.is_none() && run.started_at.is_some_and(|at| at < happened.at) =>
            {
                run.met_at = None;
                goes_on(run, clock, happened.at, policy);
            }
            // What was met and runs again was started anew, be it in the same minute.
            Some(run) if run.started_at == clock.started_at && (run.met_at.is_none() || clock.met_at.is_some()) => {
                goes_on(run, clock, happened.at, policy);
            }
            _ => runs.push(begun(clock, policy)),
        }
    }
    runs
}

/// The same run, as the event has it.
fn goes_on(run: &mut Clock, clock: &Clock, at: Timestamp, policy: &Policy) {
    if clock.paused_at.is_some() {
        run.paused_at = run.paused_at.or(clock.paused_at);
    } else if run.paused_at.is_some() {
        *run = calendar::resumed(run.clone(), at, policy);
    }
    run.met_at = run.met_at.or(clock.met_at);
    run.told.clone_from(&clock.told);
}

fn begun(clock: &Clock, policy: &Policy) -> Clock {
    let fresh = clock.started_at.map_or_else(|| Clock::waiting(clock.name), |at| calendar::started(clock.name, at, policy));
    Clock { met_at: clock.met_at, paused_at: clock.paused_at, told: clock.told.clone(), ..fresh }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Met in time, at this moment.
    Kept(Timestamp),
    /// Not met when the term ended, which was at this moment.
    Missed(Timestamp),
    /// Still running, or standing still with its ticket.
    Not,
}

/// How the run stands at `now`; a clock that was set met without having run has no term to keep.
#[must_use]
pub fn ended(run: &Clock, now: Timestamp) -> Option<Ended> {
    let due = run.due_at?;
    Some(match (run.state(now), run.met_at) {
        (ClockState::Breached, _) => Ended::Missed(due),
        (_, Some(met)) => Ended::Kept(met),
        (_, None) => Ended::Not,
    })
}

/// The name of each clock, in the order of the service standard.
pub const NAMES: [ClockName; 3] = [ClockName::Verification, ClockName::Analysis, ClockName::Survey];
