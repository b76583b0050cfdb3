//! What a person at the command line does with one letter of the outbox, with all that follows from it.

use super::pipeline::Bench;
use crate::decide::retry::{self, Stood};
use crate::store::{OutboxId, Store};
use jiff::Timestamp;

/// `outbox retry`.
///
/// # Errors
/// Where the letter cannot be read, is sent, cancelled or not there, nobody waits for it any more, or it cannot be
/// committed.
pub fn retry(store: &Store, bench: &Bench, id: OutboxId, by: &str, now: Timestamp) -> anyhow::Result<()> {
    let queued = store.letter(id)?;
    let (key, letter) = (store.token_key()?, &queued.letter);
    let stood = Stood { queued_at: queued.queued_at, leaves_by_itself: queued.leaves_by_itself() };
    let consequences = |world: &_| retry::again(letter, stood, by, world, bench.desk(&key, now));
    store.retry_with(&queued, by, &bench.place(), &retry::ask(letter), now, consequences)
}

/// `outbox cancel`: whoever waits for the letter no longer does, and where a dissemination ends by it, its author is
/// told. Of one that cannot be read nothing follows.
///
/// # Errors
/// Where the letter is sent, cancelled, under way or not there, or it cannot be committed.
pub fn cancel(store: &Store, bench: &Bench, id: OutboxId, by: &str, now: Timestamp) -> anyhow::Result<()> {
    let Ok(queued) = store.letter(id) else { return store.cancel(id, by, now) };
    let (key, letter) = (store.token_key()?, &queued.letter);
    let consequences = |world: &_| retry::cancelled(letter, queued.state, by, world, bench.desk(&key, now));
    store.cancel_with(&queued, by, &bench.place(), &retry::ask(letter), now, consequences)
}
