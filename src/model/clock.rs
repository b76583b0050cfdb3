//! The clocks of the service standard (contract 8). A clock is a value; who reads the time is elsewhere.

use super::words;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

words! {
    /// 24 h to verify, 72 h to the first analysis, 72 h after closing for the survey.
    ClockName { Verification = "verification", Analysis = "analysis", Survey = "survey" }
}

words! {
    ClockState { Waiting = "waiting", Running = "running", Met = "met", Breached = "breached" }
}

/// One clock of one ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    pub name: ClockName,
    pub started_at: Option<Timestamp>,
    pub due_at: Option<Timestamp>,
    pub met_at: Option<Timestamp>,
    /// Set while the ticket is closed: the closed time does not count.
    pub paused_at: Option<Timestamp>,
    /// The thresholds told so far, in thousandths of the term; 1000 is the breach. Each once.
    pub told: Vec<u16>,
}

impl Clock {
    /// A clock that never ran.
    #[must_use]
    pub const fn waiting(name: ClockName) -> Self {
        Self { name, started_at: None, due_at: None, met_at: None, paused_at: None, told: Vec::new() }
    }

    /// How the clock stands at `now`. Met too late is breached.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> ClockState {
        match (self.due_at, self.met_at) {
            (Some(due), Some(met)) if met > due => ClockState::Breached,
            (_, Some(_)) => ClockState::Met,
            (None, None) => ClockState::Waiting,
            (Some(due), None) if self.paused_at.unwrap_or(now) > due => ClockState::Breached,
            (Some(_), None) => ClockState::Running,
        }
    }

    /// Whether it neither runs nor ran out: the ticket is closed, and its term counts only from a reopening.
    #[must_use]
    pub fn stands_still(&self, now: Timestamp) -> bool {
        self.paused_at.is_some() && self.state(now) == ClockState::Running
    }

    /// The clock, met at `at`; what was met stays met.
    #[must_use]
    pub fn met(mut self, at: Timestamp) -> Self {
        self.met_at = self.met_at.or(Some(at));
        self
    }

    /// The clock, stopped while the ticket is closed.
    #[must_use]
    pub fn paused(mut self, at: Timestamp) -> Self {
        if self.met_at.is_none() && self.started_at.is_some() {
            self.paused_at = self.paused_at.or(Some(at));
        }
        self
    }
}
