//! The only place that reads the time. The demonstration and the tests move it by hand.

use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex};

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
