//! The inbox ladder (DESIGN 4): a mail is stored (I1), decided (I2), filed (I3). Where a mail lies
//! in a mailbox is an arrival; the mail itself is one row by source and SHA-256, however often it
//! arrives.

use super::audit::{self, Entry};
use super::{Store, apply, at};
use crate::model::{InboxId, Sha256};
use anyhow::{Context as _, bail};
use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Transaction, named_params};
use std::collections::BTreeSet;

/// One message as the mailbox gave it.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The mailbox, as the configuration names it.
    pub source: String,
    /// 0 for a Maildir.
    pub uid_validity: u32,
    /// The UID, or the file's unique name in a Maildir.
    pub uid: String,
    pub raw: Vec<u8>,
    /// The size that the server named, where the mail was too large and `raw` is its header alone (F15).
    pub header_only_bytes: Option<u64>,
    pub received_at: Timestamp,
}

/// A place in a mailbox that a decided mail still has to leave (rung I2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfiled {
    /// The row of the arrival.
    pub arrival: i64,
    pub inbox: InboxId,
    pub source: String,
    pub uid_validity: u32,
    pub uid: String,
    /// To the quarantine folder instead of the processed one.
    pub quarantine: bool,
    /// COPY was answered OK before; only the removal is missing (F5).
    pub is_copied: bool,
}

impl Store {
    /// Stores new mail in one commit (rung I1) and gives the row of each arrival, in their order.
    /// The same place again changes nothing, unless it was filed: what lies there once more is filed once more,
    /// or is another mail. The same bytes from the same source under another key are one more arrival of the
    /// same mail (F8, F20).
    ///
    /// # Errors
    /// Where nothing could be committed; the mail is then on the server alone, as before.
    pub fn insert_mail(&self, arrivals: &[Arrival], now: Timestamp) -> anyhow::Result<Vec<InboxId>> {
        if arrivals.is_empty() {
            return Ok(Vec::new());
        }
        self.write(|tx| arrivals.iter().map(|arrival| insert(tx, arrival, now)).collect())
    }

    /// Mail on rung I1, oldest first.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn waiting_mail(&self, limit: usize) -> anyhow::Result<Vec<InboxId>> {
        self.read(|db| {
            let mut statement =
                db.prepare_cached("SELECT id FROM inbox WHERE state = 'stored' ORDER BY id LIMIT ?1").context("prepare waiting mail")?;
            let rows = statement.query_map([i64::try_from(limit)?], |row| row.get(0).map(InboxId)).context("read waiting mail")?;
            rows.collect::<Result<_, _>>().context("read waiting mail")
        })
    }

    /// Arrivals of decided mail that still lie in this mailbox (rung I2), oldest first.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn unfiled(&self, source: &str, limit: usize) -> anyhow::Result<Vec<Unfiled>> {
        self.read(|db| {
            let mut statement = db
                .prepare_cached(
                    "SELECT arrival.id, arrival.inbox, arrival.source, arrival.uid_validity, arrival.uid, inbox.quarantine, arrival.state = 'copied'
                     FROM arrival JOIN inbox ON inbox.id = arrival.inbox
                     WHERE arrival.state IN ('stored', 'copied') AND inbox.state = 'decided' AND arrival.source = ?1 ORDER BY arrival.id LIMIT ?2",
                )
                .context("prepare unfiled mail")?;
            let rows = statement
                .query_map((source, i64::try_from(limit)?), |row| {
                    Ok(Unfiled {
                        arrival: row.get(0)?,
                        inbox: InboxId(row.get(1)?),
                        source: row.get(2)?,
                        uid_validity: row.get(3)?,
                        uid: row.get(4)?,
                        quarantine: row.get(5)?,
                        is_copied: row.get(6)?,
                    })
                })
                .context("read unfiled mail")?;
            rows.collect::<Result<_, _>>().context("read unfiled mail")
        })
    }

    /// COPY was answered OK for these arrivals (servers without MOVE, F5).
    ///
    /// # Errors
    /// Where it cannot be committed.
    pub fn mark_copied(&self, arrivals: &[i64], now: Timestamp) -> anyhow::Result<()> {
        self.mark(arrivals, "UPDATE arrival SET state = 'copied', copied_at = ?2 WHERE id = ?1 AND state = 'stored'", now)
    }

    /// These arrivals have left the mailbox (rung I3); "not there" counts (F3, F7).
    ///
    /// # Errors
    /// Where it cannot be committed.
    pub fn mark_filed(&self, arrivals: &[i64], now: Timestamp) -> anyhow::Result<()> {
        self.mark(arrivals, "UPDATE arrival SET state = 'filed', filed_at = ?2 WHERE id = ?1 AND state IN ('stored', 'copied')", now)
    }

    fn mark(&self, arrivals: &[i64], sql: &str, now: Timestamp) -> anyhow::Result<()> {
        if arrivals.is_empty() {
            return Ok(());
        }
        self.write(|tx| {
            let mut statement = tx.prepare_cached(sql)?;
            for arrival in arrivals {
                statement.execute((arrival, at(now))).with_context(|| format!("mark arrival {arrival}"))?;
            }
            Ok(())
        })
    }

    /// Which of these keys of that source are stored, so that only new messages are fetched. One that was
    /// noted as gone and is there after all is none of them: a server may have lied, and the mail must come in.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn known(&self, source: &str, uid_validity: u32, uids: &[String]) -> anyhow::Result<BTreeSet<String>> {
        self.among(uids, (source, uid_validity), "inbox IS NOT NULL")
    }

    /// Which of these keys are those of mail that has left the mailbox (rung I3).
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn filed(&self, source: &str, uid_validity: u32, uids: &[String]) -> anyhow::Result<BTreeSet<String>> {
        self.among(uids, (source, uid_validity), "state = 'filed'")
    }

    fn among(&self, uids: &[String], (source, uid_validity): (&str, u32), what: &str) -> anyhow::Result<BTreeSet<String>> {
        self.read(|db| {
            // A look-up for each: years of filed mail lie in the table, and few messages in the mailbox.
            let sql = format!("SELECT EXISTS (SELECT 1 FROM arrival WHERE source = ?1 AND uid_validity = ?2 AND uid = ?3 AND {what})");
            let mut statement = db.prepare_cached(&sql).context("prepare known mail")?;
            let mut known = BTreeSet::new();
            for uid in uids {
                if statement.query_row((source, uid_validity, uid), |row| row.get(0)).context("read known mail")? {
                    known.insert(uid.clone());
                }
            }
            Ok(known)
        })
    }

    /// A message that another client took away between SEARCH and FETCH (F6): no mail, no alarm, an audit entry.
    ///
    /// # Errors
    /// Where it cannot be committed.
    pub fn mark_gone(&self, source: &str, uid_validity: u32, uid: &str, now: Timestamp) -> anyhow::Result<()> {
        self.write(|tx| {
            let added = tx
                .prepare_cached(
                    "INSERT INTO arrival (source, uid_validity, uid, state, seen_at) VALUES (?1, ?2, ?3, 'gone', ?4)
                     ON CONFLICT (source, uid_validity, uid) DO NOTHING",
                )?
                .execute((source, uid_validity, uid, at(now)))
                .context("note the vanished message")?;
            if added == 0 {
                return Ok(());
            }
            let id = format!("{source} {uid_validity} {uid}");
            let detail = "another client took it away before it was fetched";
            audit::append(
                tx,
                now,
                &Entry { by: apply::SELF, what: "gone", thing: "mail", thing_id: &id, detail, cause: "fetch", digest: "" },
            )
        })
    }

    /// Takes a mail out of the quarantine. Without a ticket it is handled anew; a mail that has one,
    /// or of which the header alone is here, leaves the list and stays as it is.
    ///
    /// # Errors
    /// Where the mail is not in the quarantine or it cannot be committed.
    pub fn release(&self, id: InboxId, by: &str, now: Timestamp) -> anyhow::Result<Released> {
        self.write(|tx| {
            let row: Option<(bool, Option<i64>)> = tx
                .query_row(
                    "SELECT ticket IS NULL, header_only_bytes FROM inbox WHERE id = ?1 AND quarantine = 1 AND released_at IS NULL AND state = 'decided'",
                    [id.0],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()
                .context("read the mail")?;
            let Some((is_without_ticket, header_only)) = row else { bail!("mail {id} is not in the quarantine") };
            let (released, detail) = if is_without_ticket && header_only.is_none() {
                tx.execute("UPDATE inbox SET state = 'stored', attempts = 0, quarantine = 0, released_at = ?2 WHERE id = ?1", (id.0, at(now)))?;
                (Released::ToBeHandled, "to be handled anew")
            } else {
                tx.execute("UPDATE inbox SET released_at = ?2 WHERE id = ?1", (id.0, at(now)))?;
                (Released::Acknowledged, "seen; it stays as it is")
            };
            audit::append(
                tx,
                now,
                &Entry { by, what: "released", thing: "mail", thing_id: &id.to_string(), detail, cause: "quarantine release", digest: "" },
            )?;
            Ok(released)
        })
    }
}

/// What became of a mail that was released from the quarantine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Released {
    /// It waits on rung I1 again.
    ToBeHandled,
    /// It has a ticket, or its header alone is here: it left the list and stays as it is.
    Acknowledged,
}

fn insert(tx: &Transaction<'_>, arrival: &Arrival, now: Timestamp) -> anyhow::Result<InboxId> {
    let known: Option<Option<i64>> = tx
        .prepare_cached("SELECT inbox FROM arrival WHERE source = ?1 AND uid_validity = ?2 AND uid = ?3 AND state <> 'filed'")?
        .query_row((&arrival.source, arrival.uid_validity, &arrival.uid), |row| row.get(0))
        .optional()
        .context("look for the arrival")?;
    if let Some(Some(id)) = known {
        return Ok(InboxId(id));
    }
    let sha256 = Sha256::of(&arrival.raw);
    let same: Option<i64> = tx
        .prepare_cached("SELECT id FROM inbox WHERE source = ?1 AND sha256 = ?2")?
        .query_row((&arrival.source, &sha256.0), |row| row.get(0))
        .optional()
        .context("look for the same bytes")?;
    let id = match same {
        Some(id) => id,
        None => insert_row(tx, arrival, &sha256, now)?,
    };
    // A message that was noted as gone or filed and is there after all takes its place.
    tx.prepare_cached(
        "INSERT INTO arrival (inbox, source, uid_validity, uid, seen_at) VALUES (:inbox, :source, :uid_validity, :uid, :seen_at)
         ON CONFLICT (source, uid_validity, uid) DO UPDATE SET inbox = excluded.inbox, state = 'stored'",
    )?
    .execute(named_params! {
        ":inbox": id, ":source": arrival.source, ":uid_validity": arrival.uid_validity, ":uid": arrival.uid, ":seen_at": at(now),
    })
    .context("store the arrival")?;
    Ok(InboxId(id))
}

fn insert_row(tx: &Transaction<'_>, arrival: &Arrival, sha256: &Sha256, now: Timestamp) -> anyhow::Result<i64> {
    tx.prepare_cached(
        "INSERT INTO inbox (source, sha256, bytes, header_only_bytes, received_at, stored_at)
         VALUES (:source, :sha256, :bytes, :header_only_bytes, :received_at, :stored_at)",
    )?
    .execute(named_params! {
        ":source": arrival.source,
        ":sha256": sha256.0,
        ":bytes": i64::try_from(arrival.raw.len())?,
        ":header_only_bytes": arrival.header_only_bytes.map(i64::try_from).transpose()?,
        ":received_at": at(arrival.received_at),
        ":stored_at": at(now),
    })
    .context("store the mail")?;
    let id = tx.last_insert_rowid();
    tx.prepare_cached("INSERT INTO raw (inbox, content) VALUES (?1, ?2)")?
        .execute((id, &arrival.raw))
        .context("store the bytes of the mail")?;
    audit::append(
        tx,
        now,
        &Entry {
            by: apply::SELF,
            what: "stored",
            thing: "mail",
            thing_id: &id.to_string(),
            detail: &format!("{} {} {}", arrival.source, arrival.uid_validity, arrival.uid),
            cause: "fetch",
            digest: &sha256.0,
        },
    )?;
    Ok(id)
}
