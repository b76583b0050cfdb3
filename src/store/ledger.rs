//! What the figures are made of, read in one go: histories, disseminations, stuck mail, the head of
//! the audit chain. Nothing is counted here but rows.

use super::row::{At, Word};
use super::{Store, at, audit, dissemination, standing};
use crate::model::ledger::{Happened, History, Ledger, Period, StuckLetter};
use crate::model::ticket::TicketNumber;
use anyhow::Context as _;
use jiff::{Timestamp, tz::TimeZone};
use rusqlite::{Connection, OptionalExtension as _};

/// Stuck letters that a report names; the number tells of the others.
const STUCK_MAX: i64 = 200;

impl Store {
    /// The ledger of a period and of the one before it, for `report`.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn ledger(&self, period: Period, zone: &TimeZone) -> anyhow::Result<Ledger> {
        self.read(|db| take(db, period, zone))
    }

    /// Whether notices of new tickets wait to be told together.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn has_crowd(&self) -> anyhow::Result<bool> {
        self.read(|db| {
            db.prepare_cached("SELECT EXISTS (SELECT 1 FROM crowd)")?
                .query_row([], |row| row.get(0))
                .context("look for new tickets to tell")
        })
    }

    /// Whether a letter of this Message-ID was ever queued.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn has_letter(&self, message_id: &str) -> anyhow::Result<bool> {
        self.read(|db| {
            db.prepare_cached("SELECT EXISTS (SELECT 1 FROM outbox WHERE message_id = ?1)")?
                .query_row([message_id], |row| row.get(0))
                .context("look for a letter")
        })
    }
}

/// Reads what belongs to a period and to the one before it.
pub(super) fn take(db: &Connection, period: Period, zone: &TimeZone) -> anyhow::Result<Ledger> {
    let (from, to) = (period.before().begins(zone), period.ends(zone));
    let head = audit::head(db)?;
    let mut ledger = Ledger {
        period,
        histories: histories(db, from, to)?,
        audit_entries: head.entries,
        audit_head: head.hash,
        unaccounted: unaccounted(db)?,
        ..Ledger::default()
    };
    let mut statement = db.prepare_cached(
        "SELECT body FROM dissemination WHERE created_at < ?2 AND (updated_at >= ?1 OR state NOT IN ('closed', 'cancelled')) ORDER BY number",
    )?;
    for body in statement.query_map((at(from), at(to)), |row| row.get::<_, String>(0))? {
        ledger.disseminations.push(dissemination::whole(db, &body?).context("read a dissemination")?);
    }
    let mut statement = db.prepare_cached("SELECT state, count(*) FROM outbox GROUP BY state")?;
    for row in statement.query_map([], |row| Ok((row.get::<_, Word<_>>(0)?.0, row.get(1)?)))? {
        let (state, count) = row.context("count the letters")?;
        ledger.letters.insert(state, count);
    }
    let mut statement = db.prepare_cached(
        "SELECT id, kind, to_address, ticket, state, coalesce(last_error, ''), queued_at FROM outbox
         WHERE state IN ('failed', 'held', 'uncertain') ORDER BY id LIMIT ?1",
    )?;
    let rows = statement.query_map([STUCK_MAX], |row| {
        Ok(StuckLetter {
            id: row.get(0)?,
            kind: row.get::<_, Word<_>>(1)?.0,
            to: row.get(2)?,
            ticket: row.get::<_, Option<String>>(3)?.map(TicketNumber),
            state: row.get::<_, Word<_>>(4)?.0,
            because: row.get(5)?,
            queued_at: row.get::<_, At>(6)?.0,
        })
    })?;
    ledger.stuck = rows.collect::<Result<_, _>>().context("read the stuck letters")?;
    ledger.quarantined = db
        .query_row("SELECT count(*) FROM inbox WHERE quarantine = 1 AND released_at IS NULL", [], |row| row.get(0))
        .context("count the quarantine")?;
    let mut statement = db.prepare_cached("SELECT cause, since FROM alarm ORDER BY since")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, At>(1)?.0)))?;
    ledger.alarms = rows.collect::<Result<_, _>>().context("read the alarms")?;
    ledger.begun_at = db
        .query_row("SELECT at FROM audit ORDER BY id LIMIT 1", [], |row| row.get::<_, At>(0))
        .optional()
        .context("read the first audit entry")?
        .map(|at| at.0);
    Ok(ledger)
}

/// What the reconciliation found when it last ran.
fn unaccounted(db: &Connection) -> anyhow::Result<Option<u32>> {
    db.query_row("SELECT value FROM standing WHERE name = ?1", [standing::UNACCOUNTED], |row| row.get(0))
        .optional()
        .context("read what is unaccounted for")
}

fn histories(db: &Connection, from: Timestamp, to: Timestamp) -> anyhow::Result<Vec<History>> {
    let mut histories: Vec<History> = Vec::new();
    // Messages and notes are most of a history, and no figure needs them.
    let mut statement = db.prepare_cached(
        "SELECT event.ticket, event.at, event.body FROM ticket JOIN event ON event.ticket = ticket.number
         WHERE ticket.opened_at < ?2 AND (ticket.updated_at >= ?1 OR ticket.state NOT IN ('closed', 'rejected', 'merged'))
           AND event.event NOT IN ('message', 'noted', 'linked', 'participant_added', 'documents_came', 'dissemination', 'reminded')
         ORDER BY ticket.opened_at, ticket.number, event.n",
    )?;
    let mut rows = statement.query((at(from), at(to)))?;
    while let Some(row) = rows.next().context("read the histories")? {
        let number: String = row.get(0)?;
        let body: String = row.get(2)?;
        let happened = Happened { at: row.get::<_, At>(1)?.0, event: serde_json::from_str(&body).context("read an event")? };
        match histories.last_mut() {
            Some(history) if history.number.0 == number => history.events.push(happened),
            _ => histories.push(History { number: TicketNumber(number), events: vec![happened] }),
        }
    }
    Ok(histories)
}
