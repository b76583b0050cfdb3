//! How the daemon stands with the world outside: the last successful sync, what reconciliation
//! found, which alarms are up, and the figures that metrics and `check` show. No mail stands here.

use super::audit::{self, Entry};
use super::row::At;
use super::{Changed, Store, at};
use crate::model::{InboxId, Sha256};
use anyhow::Context as _;
use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Transaction};
use std::collections::{BTreeMap, BTreeSet};

/// The mailbox was looked through without an error.
pub const SYNC: &str = "sync";
/// What reconciliation could not account for (contract 12.6).
pub const UNACCOUNTED: &str = "unaccounted";
/// A person said that the host's clock is right, though the log knows later times.
const CLOCK_ACCEPTED: &str = "clock_accepted";

/// No step of trying again is longer.
const PUT_OFF_MAX: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// One row of the standing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub at: Timestamp,
    pub value: i64,
    pub detail: String,
}

/// Something out of order that was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    pub cause: String,
    pub since: Timestamp,
    pub told_at: Timestamp,
    pub reason: String,
}

/// How much there is of each thing; no word of any mail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Mail on rung I1.
    pub waiting: i64,
    /// Mail on rung I2: decided, and still in the mailbox.
    pub unfiled: i64,
    /// In the quarantine and not released.
    pub quarantine: i64,
    /// Tickets by state.
    pub tickets: BTreeMap<String, i64>,
    /// Letters by state; those that were sent or cancelled are left out, they only grow.
    pub outbox: BTreeMap<String, i64>,
    /// When the oldest letter that is due was to leave.
    pub oldest_due: Option<Timestamp>,
}

impl Store {
    /// Writes one row of the standing.
    ///
    /// # Errors
    /// Where it cannot be committed.
    pub fn set_standing(&self, name: &str, value: i64, detail: &str, now: Timestamp) -> anyhow::Result<()> {
        self.write(|tx| put(tx, name, value, detail, now))
    }

    /// One row of the standing; `None` where that never happened.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn standing(&self, name: &str) -> anyhow::Result<Option<Standing>> {
        self.read(|db| {
            db.prepare_cached("SELECT at, value, detail FROM standing WHERE name = ?1")?
                .query_row([name], |row| Ok(Standing { at: row.get::<_, At>(0)?.0, value: row.get(1)?, detail: row.get(2)? }))
                .optional()
                .context("read the standing")
        })
    }

    /// The alarms that are up, by cause.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn alarms(&self) -> anyhow::Result<Vec<Alarm>> {
        self.read(|db| {
            let mut statement = db.prepare_cached("SELECT cause, since, told_at, reason FROM alarm ORDER BY cause")?;
            let rows = statement.query_map([], |row| {
                Ok(Alarm { cause: row.get(0)?, since: row.get::<_, At>(1)?.0, told_at: row.get::<_, At>(2)?.0, reason: row.get(3)? })
            })?;
            rows.collect::<Result<_, _>>().context("read the alarms")
        })
    }

    /// An alarm is up and was told now; since when it is up stays.
    ///
    /// # Errors
    /// Where it cannot be committed.
    pub fn raise_alarm(&self, cause: &str, reason: &str, now: Timestamp) -> anyhow::Result<()> {
        self.write(|tx| {
            tx.prepare_cached(
                "INSERT INTO alarm (cause, since, told_at, reason) VALUES (?1, ?2, ?2, ?3)
                 ON CONFLICT (cause) DO UPDATE SET told_at = excluded.told_at, reason = excluded.reason",
            )?
            .execute((cause, at(now), reason))
            .context("raise the alarm")?;
            Ok(())
        })
    }

    /// What was out of order is in order. `false` where no such alarm was up.
    ///
    /// # Errors
    /// Where it cannot be committed.
    pub fn clear_alarm(&self, cause: &str) -> anyhow::Result<bool> {
        self.write_if(|tx| {
            let cleared = tx.prepare_cached("DELETE FROM alarm WHERE cause = ?1")?.execute([cause]).context("clear the alarm")?;
            Ok((cleared > 0, if cleared > 0 { Changed::Yes } else { Changed::No }))
        })
    }

    /// How much there is of each thing.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn figures(&self, now: Timestamp) -> anyhow::Result<Figures> {
        self.read(|db| {
            let count = |sql: &str| db.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0)).context("count");
            let by_word = |sql: &str| -> anyhow::Result<BTreeMap<String, i64>> {
                let mut statement = db.prepare_cached(sql)?;
                let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
                rows.collect::<Result<_, _>>().context("count by state")
            };
            let oldest_due = db
                .prepare_cached("SELECT min(next_at) FROM outbox INDEXED BY outbox_next WHERE state IN ('queued', 'uncertain')")?
                .query_row([], |row| row.get::<_, Option<At>>(0))
                .context("read the oldest letter")?;
            Ok(Figures {
                waiting: count("SELECT count(*) FROM inbox WHERE state = 'stored'")?,
                unfiled: count(
                    "SELECT count(*) FROM arrival JOIN inbox ON inbox.id = arrival.inbox
                     WHERE arrival.state IN ('stored', 'copied') AND inbox.state = 'decided'",
                )?,
                quarantine: count("SELECT count(*) FROM inbox WHERE quarantine = 1 AND released_at IS NULL")?,
                tickets: by_word("SELECT state, count(*) FROM ticket GROUP BY state")?,
                outbox: by_word(
                    "SELECT state, count(*) FROM outbox WHERE state IN ('queued', 'sending', 'failed', 'uncertain', 'held') GROUP BY state",
                )?,
                oldest_due: oldest_due.map(|time| time.0).filter(|due| *due <= now),
            })
        })
    }

    /// The latest time in the audit log since a person last said that the clock is right; `None` where
    /// nothing was written since.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn latest_audit(&self) -> anyhow::Result<Option<Timestamp>> {
        self.read(|db| {
            // The index gives the latest times first; what an accepted clock has overtaken stands before them, and is little.
            db.prepare_cached(
                "SELECT at FROM audit INDEXED BY audit_by_time
                 WHERE id > coalesce((SELECT value FROM standing WHERE name = ?1), 0) ORDER BY at DESC LIMIT 1",
            )?
            .query_row([CLOCK_ACCEPTED], |row| row.get::<_, At>(0))
            .optional()
            .map(|time| time.map(|at| at.0))
            .context("read the latest time of the audit log")
        })
    }

    /// A person says that the host's clock is right: later times in the log, which a wrong clock wrote,
    /// hold up no command any more. An audit entry says so.
    ///
    /// # Errors
    /// Where it cannot be committed.
    pub fn accept_clock(&self, by: &str, now: Timestamp) -> anyhow::Result<()> {
        self.write(|tx| {
            let last: i64 = tx.query_row("SELECT coalesce(max(id), 0) FROM audit", [], |row| row.get(0)).context("read the last entry")?;
            put(tx, CLOCK_ACCEPTED, last, by, now)?;
            let entry = Entry { by, what: "clock_accepted", thing: "clock", thing_id: "", detail: "", cause: "command line", digest: "" };
            audit::append(tx, now, &entry)
        })
    }

    /// Notes where mail was filed to: folder, its UIDVALIDITY, the UID there, the mail.
    ///
    /// # Errors
    /// Where it cannot be committed.
    pub fn note_placed(&self, source: &str, folder: &str, uid_validity: u32, placed: &[(String, InboxId)]) -> anyhow::Result<()> {
        if placed.is_empty() {
            return Ok(());
        }
        self.write(|tx| {
            let mut statement = tx.prepare_cached(
                "INSERT INTO placed (source, folder, uid_validity, uid, inbox) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (source, folder, uid_validity, uid) DO UPDATE SET inbox = excluded.inbox",
            )?;
            for (uid, inbox) in placed {
                statement.execute((source, folder, uid_validity, uid, inbox.0)).context("note where mail lies")?;
            }
            Ok(())
        })
    }

    /// Which of these messages of a folder are known. UIDs of another UIDVALIDITY mean nothing and are forgotten.
    ///
    /// # Errors
    /// Where the database cannot be used.
    pub fn placed(&self, source: &str, folder: &str, uid_validity: u32, uids: &[String]) -> anyhow::Result<BTreeSet<String>> {
        self.write_if(|tx| {
            let forgotten = tx
                .prepare_cached("DELETE FROM placed WHERE source = ?1 AND folder = ?2 AND uid_validity <> ?3")?
                .execute((source, folder, uid_validity))
                .context("forget old uids")?;
            let mut statement = tx.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM placed WHERE source = ?1 AND folder = ?2 AND uid_validity = ?3 AND uid = ?4)",
            )?;
            let mut known = BTreeSet::new();
            for uid in uids {
                if statement.query_row((source, folder, uid_validity, uid), |row| row.get(0)).context("look for a message")? {
                    known.insert(uid.clone());
                }
            }
            Ok((known, if forgotten > 0 { Changed::Yes } else { Changed::No }))
        })
    }

    /// The stored mail with these bytes, whatever the mailbox was called when it came.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn mail_with(&self, sha256: &Sha256) -> anyhow::Result<Option<InboxId>> {
        self.read(|db| {
            db.prepare_cached("SELECT id FROM inbox WHERE sha256 = ?1 LIMIT 1")?
                .query_row([&sha256.0], |row| row.get(0).map(InboxId))
                .optional()
                .context("look for the bytes of a message")
        })
    }

    /// For a clock that went back: letters whose time lies more than a day ahead were put off by it and are due now
    /// (ATTACKS F44). Gives how many there were.
    ///
    /// # Errors
    /// Where it cannot be committed.
    pub fn pull_in_letters(&self, now: Timestamp) -> anyhow::Result<usize> {
        let Ok(latest) = now.checked_add(PUT_OFF_MAX) else { return Ok(0) };
        self.write_if(|tx| {
            let pulled = tx
                .prepare_cached("UPDATE outbox SET next_at = ?1 WHERE state IN ('queued', 'uncertain') AND next_at > ?2")?
                .execute((at(now), at(latest)))
                .context("pull in letters")?;
            Ok((pulled, if pulled > 0 { Changed::Yes } else { Changed::No }))
        })
    }

    /// A mail that must not be decided yet keeps its place and its attempts.
    ///
    /// # Errors
    /// Where it cannot be committed.
    pub fn postpone(&self, id: InboxId) -> anyhow::Result<()> {
        self.write(|tx| {
            tx.prepare_cached("UPDATE inbox SET attempts = max(0, attempts - 1) WHERE id = ?1 AND state = 'stored'")?
                .execute([id.0])
                .context("give an attempt back")?;
            Ok(())
        })
    }
}

fn put(tx: &Transaction<'_>, name: &str, value: i64, detail: &str, now: Timestamp) -> anyhow::Result<()> {
    tx.prepare_cached(
        "INSERT INTO standing (name, at, value, detail) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (name) DO UPDATE SET at = excluded.at, value = excluded.value, detail = excluded.detail",
    )?
    .execute((name, at(now), value, detail))
    .with_context(|| format!("note {name}"))?;
    Ok(())
}
