//! What may not be kept any longer is erased, a few tickets at a time. What is due is said by the
//! store; nothing here decides.

use super::Daemon;
use crate::config::Config;
use crate::store::{RetentionTerms, View};
use std::time::Duration;

/// Nothing is erased in the first hour after a start: a clock that was set wrongly is found by then (ATTACKS F69).
pub(super) const SETTLED_AFTER: Duration = Duration::from_secs(3600);

/// Erased in one look, so that mail does not wait behind years of it.
const ERASURES_MAX: usize = 20;

/// The terms of `[retention]`.
#[must_use]
pub fn terms(config: &Config) -> RetentionTerms {
    RetentionTerms { identity_documents: config.retention.identity_documents, messages: config.retention.messages }
}

/// Erases what is due, to a limit.
///
/// # Errors
/// Where it cannot be committed; what was erased before is erased.
pub(super) fn erase(daemon: &Daemon) -> anyhow::Result<()> {
    let terms = terms(&daemon.config);
    let center = &daemon.config.center;
    let view = View { time_zone: center.time_zone.clone(), now: daemon.clock.now(), center_address: center.address.to_string() };
    for _ in 0..ERASURES_MAX {
        let Some(erased) = daemon.store.erase_next(terms, "bantuan70", &view)? else { return Ok(()) };
        tracing::info!(erased = erased.erases.word(), ticket = erased.ticket, since = erased.since, "erased after the term of retention");
    }
    Ok(())
}
