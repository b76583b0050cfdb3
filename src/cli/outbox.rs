//! `bantuan70 outbox`: mail that waits, failed or is uncertain. What is changed here a running
//! daemon sees within 5 s.

use super::listing::{Desk, cell, open, print_rows, row_id, who};
use super::ticket::words;
use super::{Common, Exit, Failure, Outcome, print};
use crate::daemon::{self, by_hand};
use crate::model::letter::LetterState;
use crate::store::{OutboxId, OutboxRow, Store};
use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List letters that are neither sent nor cancelled, and how far each dissemination is
    ///
    /// Letters of a dissemination that wait for their first try are counted in its line, such as
    /// `DIS-2026-0007: 1240 of 2000 sent, 757 queued, 3 held`, and listed by --all, --state and --json alone.
    List {
        /// Only this state; may be given more than once
        #[arg(long, value_name = "STATE", value_parser = state)]
        state: Vec<LetterState>,
        /// Every letter
        #[arg(long, conflicts_with = "state")]
        all: bool,
    },
    /// Send a letter now: one that waits, failed, is held or uncertain
    ///
    /// Why it was held is asked again: while the cause stands it is held again, and the analysts are told again.
    Retry {
        /// ID of `outbox list`
        #[arg(value_parser = row_id)]
        id: i64,
    },
    /// Never send a letter
    ///
    /// The history of its ticket says so; a recipient of a dissemination counts as held from then on.
    Cancel {
        /// ID of `outbox list`
        #[arg(value_parser = row_id)]
        id: i64,
    },
}

fn state(word: &str) -> Result<LetterState, String> {
    LetterState::parse(word).ok_or_else(|| format!("a state is one of {}", words(LetterState::ALL.iter().map(|state| state.word()))))
}

pub(super) fn run(common: &Common, arguments: Arguments) -> Outcome {
    let desk = open(common)?;
    match arguments.verb {
        Verb::List { state, all } => {
            let is_brief = !common.json && !all && state.is_empty();
            let states = if all { LetterState::ALL.to_vec() } else { state };
            let mut rows = desk.store.outbox(&states, &desk.view)?;
            let waits = |row: &OutboxRow| row.dissemination.is_some() && row.state == LetterState::Queued && row.attempts == 0;
            rows.retain(|row| !is_brief || !waits(row));
            let exit = print_rows(common, &rows, &["ID", "STATE", "KIND", "TO", "TICKET", "TRIES", "NEXT", "REASON"], |row| {
                let again = match (row.resends, row.may_have_left && row.state != LetterState::Uncertain) {
                    (0, false) => "",
                    (0, true) => "may have gone out before, possible duplicate; ",
                    _ => "sent again, possible duplicate; ",
                };
                vec![
                    row.id.to_string(),
                    row.state.to_string(),
                    row.kind.to_string(),
                    row.to.clone(),
                    cell(row.ticket.as_ref()),
                    row.attempts.to_string(),
                    cell(row.next_at.as_ref()),
                    format!("{again}{}", row.last_error.as_deref().unwrap_or_default()),
                ]
            })?;
            if !common.json {
                progress(&desk.store)?;
            }
            Ok(exit)
        }
        Verb::Retry { id } => retry(&desk, OutboxId(id)),
        Verb::Cancel { id } => cancel(&desk, OutboxId(id)),
    }
}

/// A line for each dissemination of which something has not left.
fn progress(store: &Store) -> Result<(), Failure> {
    for (number, by_state) in store.dissemination_progress()? {
        let all: u32 = by_state.values().sum();
        let sent = by_state.get(&LetterState::Sent).copied().unwrap_or_default();
        let others = by_state.iter().filter(|(state, _)| **state != LetterState::Sent);
        let others: String = others.map(|(state, count)| format!(", {count} {state}")).collect();
        print(format_args!("{number}: {sent} of {all} sent{others}"))?;
    }
    Ok(())
}

/// A letter of which nothing follows is stopped with a configuration in disorder too: nobody is told of it.
fn cancel(desk: &Desk, id: OutboxId) -> Outcome {
    let now = desk.view.now;
    let bench = match daemon::bench(&desk.config, Some(&desk.store), now) {
        Ok(bench) => Some(bench),
        Err(error) if desk.store.letter(id).is_ok_and(|queued| queued.letter.dissemination.is_some()) => {
            return Err(Failure::usage(error.to_string()));
        }
        Err(_) => None,
    };
    change(&desk.store, id, "is cancelled", |store| match &bench {
        Some(bench) => by_hand::cancel(store, bench, id, &who(), now),
        None => store.cancel(id, &who(), now),
    })
}

fn retry(desk: &Desk, id: OutboxId) -> Outcome {
    let now = desk.view.now;
    let bench = daemon::bench(&desk.config, Some(&desk.store), now).map_err(|error| Failure::usage(error.to_string()))?;
    change(&desk.store, id, "is due now", |store| by_hand::retry(store, &bench, id, &who(), now))
}

fn change(store: &Store, id: OutboxId, done: &str, f: impl FnOnce(&Store) -> anyhow::Result<()>) -> Outcome {
    f(store).map_err(Failure::from_refusal)?;
    print(format!("letter {id} {done}"))?;
    Ok(Exit::Done)
}
