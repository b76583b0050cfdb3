//! Rung I1 to I2: an attempt is counted, a decision is made and applied, each in one commit. A
//! batch of mails shares the commit and its fsync; each stands or falls alone within it.

use super::row::At;
use super::{Changed, Place, Store, apply, at, is_refusal, snapshot};
use crate::model::effect::{Decision, Effect};
use crate::model::snapshot::{Question, Snapshot};
use crate::model::{InboxId, Sha256};
use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Transaction};
use std::collections::BTreeSet;

/// A mail on rung I1 with one more attempt counted.
#[derive(Debug, Clone)]
pub struct WaitingMail {
    pub id: InboxId,
    pub raw: Vec<u8>,
    pub received_at: Timestamp,
    /// This one counted.
    pub attempts: u32,
    pub header_only_bytes: Option<u64>,
}

/// Raw bytes of one batch, which is in memory as a whole; a larger mail goes alone.
const BATCH_BYTES_MAX: i64 = 4 * 1024 * 1024;

/// One mail of a batch and how it is decided.
pub struct Deciding<'a> {
    pub id: InboxId,
    pub question: Question,
    /// Must not call the store.
    pub decide: Box<dyn FnOnce(&Snapshot) -> Decision + 'a>,
}

impl std::fmt::Debug for Deciding<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deciding").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Store {
    /// The mails to handle next, oldest first: either several that nobody began with, or one alone
    /// that an attempt failed on, so that what kills the process never counts against its neighbours
    /// more than once (F14). One that two attempts failed on waits until all others are handled: it holds up nobody,
    /// and a power cut at each start does not strike the same mail each time. Mails in `but` are left out.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn next_batch(&self, limit: usize, but: &BTreeSet<InboxId>) -> anyhow::Result<Vec<InboxId>> {
        self.read(|db| {
            for which in ["attempts < 2", "attempts >= 2"] {
                let sql = format!("SELECT id, attempts, bytes FROM inbox WHERE state = 'stored' AND {which} ORDER BY id LIMIT ?1");
                let mut statement = db.prepare_cached(&sql)?;
                let rows = statement.query_map([i64::try_from(limit.saturating_add(but.len()))?], |row| {
                    Ok((InboxId(row.get(0)?), row.get::<_, u32>(1)?, row.get::<_, i64>(2)?))
                })?;
                let mut batch = Vec::new();
                let mut bytes_sum: i64 = 0;
                for row in rows {
                    let (id, attempts, bytes) = row.context("read waiting mail")?;
                    if but.contains(&id) {
                        continue;
                    }
                    bytes_sum = bytes_sum.saturating_add(bytes);
                    if attempts > 0 || batch.len() >= limit || bytes_sum > BATCH_BYTES_MAX {
                        if batch.is_empty() {
                            batch.push(id);
                        }
                        break;
                    }
                    batch.push(id);
                }
                if !batch.is_empty() {
                    return Ok(batch);
                }
            }
            Ok(Vec::new())
        })
    }

    /// Counts one more attempt, committed before anything is parsed, so that a mail that kills the
    /// process is counted too (F14).
    ///
    /// # Errors
    /// Where the row is not on rung I1, or the attempt cannot be committed.
    pub fn begin_attempt(&self, id: InboxId, now: Timestamp) -> anyhow::Result<WaitingMail> {
        self.write(|tx| {
            count_attempt(tx, id, now)?;
            load(tx, id)
        })
    }

    /// As [`Store::begin_attempt`] for several, in one commit. A mail whose bytes are damaged is left
    /// out with its attempt counted, so that it stands alone the next time and holds up nobody.
    ///
    /// # Errors
    /// Where the attempts cannot be committed.
    pub fn begin_attempts(&self, ids: &[InboxId], now: Timestamp) -> anyhow::Result<Vec<WaitingMail>> {
        self.write(|tx| {
            let mut waiting = Vec::with_capacity(ids.len());
            for id in ids {
                count_attempt(tx, *id, now)?;
                match load(tx, *id) {
                    Ok(mail) => waiting.push(mail),
                    Err(error) if is_refusal(&error) => tracing::error!(inbox = id.0, error = format!("{error:#}"), "not read"),
                    Err(error) => return Err(error),
                }
            }
            Ok(waiting)
        })
    }

    /// Decides on one mail: snapshot, `f`, every effect, the audit entries and rung I2, in one
    /// `BEGIN IMMEDIATE` transaction. `f` must not call the store.
    ///
    /// # Errors
    /// Where the mail is decided already, the decision does not fit the database (a number with a
    /// hole, a second acknowledgement, no verdict or two), or it cannot be committed: then nothing has happened.
    pub fn decide(
        &self,
        id: InboxId,
        question: &Question,
        place: &Place,
        now: Timestamp,
        f: impl FnOnce(&Snapshot) -> Decision,
    ) -> anyhow::Result<Decision> {
        self.write(|tx| one(tx, id, question, place, now, f))
    }

    /// As [`Store::decide`] for several mails, in their order and under one commit. What does not fit
    /// is undone alone and its error given in its place; later ones see what earlier ones did.
    ///
    /// # Errors
    /// Where the batch as a whole cannot be committed: then none of it has happened.
    pub fn decide_all(&self, mails: Vec<Deciding<'_>>, place: &Place, now: Timestamp) -> anyhow::Result<Vec<anyhow::Result<Decision>>> {
        if mails.is_empty() {
            return Ok(Vec::new());
        }
        self.write(|tx| {
            let mut decisions = Vec::with_capacity(mails.len());
            for mail in mails {
                tx.execute_batch("SAVEPOINT one_mail").context("begin a mail of the batch")?;
                let decision = one(tx, mail.id, &mail.question, place, now, mail.decide);
                if decision.is_err() {
                    if tx.is_autocommit() {
                        // A full disk or an I/O error has undone the whole transaction already.
                        return decision.map(|_| Vec::new());
                    }
                    tx.execute_batch("ROLLBACK TO one_mail").context("undo a mail of the batch")?;
                }
                tx.execute_batch("RELEASE one_mail").context("end a mail of the batch")?;
                decisions.push(decision);
            }
            Ok(decisions)
        })
    }

    /// The same without a mail: for a clock, a CLI verb. `cause` says in words what led to it.
    ///
    /// # Errors
    /// As for [`Store::decide`]; also where the decision holds a verdict on a mail.
    pub fn act(
        &self,
        cause: &str,
        question: &Question,
        place: &Place,
        now: Timestamp,
        f: impl FnOnce(&Snapshot) -> Decision,
    ) -> anyhow::Result<Decision> {
        self.write_if(|tx| {
            let world = snapshot::take(tx, question, None, place, now)?;
            let decision = f(&world);
            if decision.effects.is_empty() {
                return Ok((decision, Changed::No));
            }
            apply::all(tx, &apply::Cause { text: cause, inbox: None, content: None }, &decision, place, now)?;
            Ok((decision, Changed::Yes))
        })
    }
}

fn count_attempt(tx: &Transaction<'_>, id: InboxId, now: Timestamp) -> anyhow::Result<()> {
    let changed = tx
        .prepare_cached("UPDATE inbox SET attempts = attempts + 1, attempted_at = ?2 WHERE id = ?1 AND state = 'stored'")?
        .execute((id.0, at(now)))
        .context("count the attempt")?;
    ensure!(changed == 1, "mail {id} does not wait");
    Ok(())
}

fn load(tx: &Transaction<'_>, id: InboxId) -> anyhow::Result<WaitingMail> {
    let (mail, sha256) = tx
        .prepare_cached(
            "SELECT content, received_at, attempts, header_only_bytes, sha256 FROM inbox JOIN raw ON raw.inbox = inbox.id WHERE inbox.id = ?1",
        )?
        .query_row([id.0], |row| {
            let mail = WaitingMail {
                id,
                raw: row.get(0)?,
                received_at: row.get::<_, At>(1)?.0,
                attempts: row.get(2)?,
                header_only_bytes: row.get::<_, Option<i64>>(3)?.map(i64::unsigned_abs),
            };
            Ok((mail, row.get::<_, String>(4)?))
        })
        .with_context(|| format!("read mail {id}"))?;
    ensure!(Sha256::of(&mail.raw).0 == sha256, "the bytes of mail {id} are not those that came: the database is damaged");
    Ok(mail)
}

fn one(
    tx: &Transaction<'_>,
    id: InboxId,
    question: &Question,
    place: &Place,
    now: Timestamp,
    f: impl FnOnce(&Snapshot) -> Decision,
) -> anyhow::Result<Decision> {
    let state: Option<String> =
        tx.prepare_cached("SELECT state FROM inbox WHERE id = ?1")?.query_row([id.0], |row| row.get(0)).optional()?;
    match state.as_deref() {
        Some("stored") => {}
        Some(_) => bail!("mail {id} is decided already"),
        None => bail!("there is no mail {id}"),
    }
    let world = snapshot::take(tx, question, Some(id), place, now)?;
    let decision = f(&world);
    let verdicts = decision.effects.iter().filter(|effect| matches!(effect, Effect::File(_))).count();
    if verdicts != 1 {
        bail!("the decision on mail {id} holds {verdicts} verdicts instead of one");
    }
    let cause = apply::Cause { text: &format!("mail {id}"), inbox: Some(id), content: question.content.as_ref() };
    apply::all(tx, &cause, &decision, place, now)?;
    Ok(decision)
}
