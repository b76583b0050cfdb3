//! How long to leave a server alone that did not answer or said no.

use std::time::Duration;
use tokio::time::Instant;

/// Between the first tries after a lost connection (ATTACKS F1).
const FIRST: Duration = Duration::from_secs(1);
/// At most, where the server cannot be reached.
const LONGEST: Duration = Duration::from_secs(300);
/// After a refusal: a server counts wrong log-ins and locks the account (F12, F34).
const FIRST_REFUSED: Duration = Duration::from_secs(60);
/// At most, after refusals.
const LONGEST_REFUSED: Duration = Duration::from_secs(900);
/// An outage that lasts this long is told to a person (F30).
const TELL_AFTER: Duration = Duration::from_secs(900);

/// Pauses that double, with a little chance in them so that many daemons do not come back at once.
#[derive(Debug)]
pub(super) struct Backoff {
    failures: u32,
    since: Option<Instant>,
    was_refused: bool,
}

impl Backoff {
    pub(super) const fn new() -> Self {
        Self { failures: 0, since: None, was_refused: false }
    }

    /// One more failure; how long to wait now.
    pub(super) fn next(&mut self, refused: bool) -> Duration {
        self.since.get_or_insert_with(Instant::now);
        self.was_refused = refused;
        let (first, longest) = if refused { (FIRST_REFUSED, LONGEST_REFUSED) } else { (FIRST, LONGEST) };
        let pause = first.saturating_mul(2_u32.saturating_pow(self.failures.min(16))).min(longest);
        self.failures = self.failures.saturating_add(1);
        // Up to a quarter more, from the clock's smallest digits: no secret hangs on it.
        let chance = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.subsec_nanos() % 250);
        pause + pause * chance / 1000
    }

    pub(super) const fn reset(&mut self) {
        self.failures = 0;
        self.since = None;
        self.was_refused = false;
    }

    pub(super) const fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// Whether a person should hear of it: at once where we were refused, else after a quarter of an hour.
    pub(super) fn is_worth_telling(&self) -> bool {
        self.was_refused || self.since.is_some_and(|since| since.elapsed() >= TELL_AFTER)
    }
}
