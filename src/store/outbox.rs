//! The outbox ladder (DESIGN 4): queued (O1), ready (O2, the sealed bytes stand here), attempting
//! (O3, `sending`), and what came of it. Who seals and who sends is elsewhere; here each rung is a commit.

use super::audit::{self, Entry};
use super::row::{At, Word};
use super::{Changed, Place, Store, apply, at, ground, snapshot};
use crate::model::Sha256;
use crate::model::effect::Decision;
use crate::model::letter::{Letter, LetterState, OutboxId};
use crate::model::outcome::Settled;
use crate::model::snapshot::{Ground, Question, Snapshot};
use crate::model::ticket::TicketNumber;
use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Transaction, named_params};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Sealed bytes of a dissemination's letter that stay once it is sent. A larger one holds the files, which stand once
/// in the database already: 10 MB to 2,000 would be 27 GB. The audit log has its SHA-256.
const SENT_BYTES_MAX: i64 = 64 * 1024;

/// The turns of the column `turn`, and whether the letters are of a dissemination. A reminder of one is of turn 1,
/// and there may be thousands of them too.
const TURNS: [(i64, bool); 6] = [(0, false), (0, true), (1, false), (1, true), (2, false), (2, true)];

/// A letter with what is known of its sending.
#[derive(Debug, Clone)]
pub struct QueuedLetter {
    pub id: OutboxId,
    /// With the content of its enclosures.
    pub letter: Letter,
    /// What it may leave on, as it stood when it was read.
    pub ground: Ground,
    /// The exact bytes to send, from rung O2 on; of a large letter of a dissemination until it is sent.
    pub sealed: Option<Vec<u8>>,
    pub state: LetterState,
    pub attempts: u32,
    /// How often it was sent again after an uncertain end.
    pub resends: u32,
    pub queued_at: Timestamp,
    pub next_at: Option<Timestamp>,
    pub last_error: Option<String>,
}

/// What came of the wish to send a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The attempt is committed: it may be sent.
    Taken,
    /// It is not due any more (sent, cancelled, held meanwhile), or not sealed.
    Gone,
    /// What it may leave on is no longer what it was made ready by: ask again.
    Changed,
}

impl QueuedLetter {
    /// It needs no person's hand to leave.
    #[must_use]
    pub const fn leaves_by_itself(&self) -> bool {
        matches!(self.state, LetterState::Queued | LetterState::Uncertain) && self.next_at.is_some()
    }
}

impl Store {
    /// What is being sent; at start, what was when the program ended.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn under_way(&self) -> anyhow::Result<Vec<OutboxId>> {
        self.read(|db| {
            let mut statement = db.prepare_cached("SELECT id FROM outbox WHERE state = 'sending' ORDER BY id")?;
            let rows = statement.query_map([], |row| row.get(0).map(OutboxId))?;
            rows.collect::<Result<_, _>>().context("look for letters under way")
        })
    }

    /// What may be sent now: acknowledgements first, then what one person waits for, then reminders of
    /// disseminations and the disseminations themselves, each by its time, so that what goes to thousands
    /// delays nobody.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn due_letters(&self, now: Timestamp, limit: usize) -> anyhow::Result<Vec<OutboxId>> {
        self.read(|db| {
            let mut due = Vec::new();
            let mut statement = db.prepare_cached(
                "SELECT id FROM outbox INDEXED BY outbox_due
                 WHERE state IN ('queued', 'uncertain') AND turn = ?1 AND next_at <= ?2 AND (dissemination IS NOT NULL) = ?4
                 ORDER BY next_at, id LIMIT ?3",
            )?;
            for (turn, is_of_dissemination) in TURNS {
                let left = i64::try_from(limit.saturating_sub(due.len()))?;
                if left == 0 {
                    break;
                }
                let rows = statement.query_map((turn, at(now), left, is_of_dissemination), |row| row.get(0).map(OutboxId))?;
                for id in rows {
                    due.push(id.context("read due letters")?);
                }
            }
            Ok(due)
        })
    }

    /// When the outbox has something to do next; `None` where nothing waits.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn next_outbox_time(&self) -> anyhow::Result<Option<Timestamp>> {
        self.read(|db| {
            db.prepare_cached("SELECT min(next_at) FROM outbox INDEXED BY outbox_next WHERE state IN ('queued', 'uncertain')")?
                .query_row([], |row| row.get::<_, Option<At>>(0))
                .map(|time| time.map(|at| at.0))
                .context("read the next time of the outbox")
        })
    }

    /// One letter, its enclosures filled.
    ///
    /// # Errors
    /// Where it is not there, or an enclosure is missing or is not the bytes that were approved.
    pub fn letter(&self, id: OutboxId) -> anyhow::Result<QueuedLetter> {
        self.read(|db| {
            let found = db
                .prepare_cached(
                    "SELECT letter, sealed, state, attempts, resends, queued_at, next_at, last_error FROM outbox WHERE id = ?1",
                )?
                .query_row([id.0], |row| {
                    let body: String = row.get(0)?;
                    Ok(serde_json::from_str(&body).map(|letter| {
                        Ok::<_, rusqlite::Error>(QueuedLetter {
                            id,
                            letter,
                            ground: Ground::default(),
                            sealed: row.get(1)?,
                            state: row.get::<_, Word<_>>(2)?.0,
                            attempts: row.get(3)?,
                            resends: row.get(4)?,
                            queued_at: row.get::<_, At>(5)?.0,
                            next_at: row.get::<_, Option<At>>(6)?.map(|at| at.0),
                            last_error: row.get(7)?,
                        })
                    }))
                })
                .optional()
                .with_context(|| format!("read letter {id}"))?;
            let Some(found) = found else { bail!("there is no letter {id}") };
            let mut queued = found.with_context(|| format!("read letter {id}"))?.with_context(|| format!("read letter {id}"))?;
            queued.ground = ground::of(db, &queued.letter)?;
            for enclosure in &mut queued.letter.enclosures {
                let content: Vec<u8> = db
                    .prepare_cached("SELECT content FROM blob WHERE sha256 = ?1")?
                    .query_row([&enclosure.sha256.0], |row| row.get(0))
                    .with_context(|| format!("read an attachment of letter {id}"))?;
                let is_erased =
                    content.is_empty() && matches!(queued.state, LetterState::Sent | LetterState::Failed | LetterState::Cancelled);
                ensure!(is_erased || Sha256::of(&content) == enclosure.sha256, "an attachment of letter {id} was changed in the database");
                enclosure.content = Arc::from(content);
            }
            Ok(queued)
        })
    }

    /// The SHA-256 of the bytes that were last sealed for each letter of a ticket, whether or not they are kept still.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn sealed_digests(&self, ticket: &TicketNumber) -> anyhow::Result<BTreeMap<OutboxId, Sha256>> {
        self.read(|db| {
            // By time, which has an index; of each letter the last entry stays.
            let mut statement = db.prepare_cached(
                "SELECT outbox.id, audit.digest FROM audit INDEXED BY audit_by_time
                 JOIN outbox ON outbox.id = CAST(audit.thing_id AS INTEGER)
                 WHERE audit.at >= (SELECT min(queued_at) FROM outbox WHERE ticket = ?1) AND audit.thing = 'letter' AND audit.what = 'sealed'
                     AND outbox.ticket = ?1 ORDER BY audit.id",
            )?;
            let rows = statement.query_map([&ticket.0], |row| Ok((OutboxId(row.get(0)?), Sha256(row.get(1)?))))?;
            rows.collect::<Result<_, _>>().with_context(|| format!("read what was sealed for {ticket}"))
        })
    }

    /// Whether the row still holds the letter that was decided: its bytes have the hash that the audit log took
    /// down in the transaction that queued it.
    ///
    /// # Errors
    /// Where it is not there or cannot be read.
    pub fn is_as_decided(&self, id: OutboxId) -> anyhow::Result<bool> {
        self.read(|db| {
            let (body, queued_at): (String, At) = db
                .prepare_cached("SELECT letter, queued_at FROM outbox WHERE id = ?1")?
                .query_row([id.0], |row| Ok((row.get(0)?, row.get(1)?)))
                .with_context(|| format!("read letter {id}"))?;
            // By time, which has an index: a letter and its entry are of one moment.
            let digest: Option<String> = db
                .prepare_cached(
                    "SELECT digest FROM audit WHERE at = ?1 AND thing = 'letter' AND thing_id = ?2 AND what IN ('queued', 'held')
                         AND digest <> '' ORDER BY id LIMIT 1",
                )?
                .query_row((queued_at, id.0.to_string()), |row| row.get(0))
                .optional()
                .with_context(|| format!("read the audit entry of letter {id}"))?;
            Ok(digest.is_some_and(|digest| digest == Sha256::of(body.as_bytes()).0))
        })
    }

    /// Rung O2: the bytes that every attempt sends. Replaced where a refreshed certificate re-seals.
    ///
    /// # Errors
    /// Where the letter does not wait any more, or it cannot be committed: then nothing may be sent (F60).
    pub fn store_sealed(&self, id: OutboxId, bytes: &[u8], now: Timestamp) -> anyhow::Result<()> {
        self.write(|tx| keep_sealed(tx, id, bytes, now))
    }

    /// Rung O3: commits the attempt before the letter is given to anybody. `fresh`: bytes that were sealed while a
    /// connection stood ready, kept in the same commit (O2); without them those that are stored go out. What the letter
    /// was made ready by is asked again in this transaction: a mark that has risen since, a contact that was changed, a
    /// dissemination that was cancelled is not missed.
    ///
    /// # Errors
    /// Where it cannot be committed: then nothing may be sent.
    pub fn claim(&self, queued: &QueuedLetter, fresh: Option<&[u8]>, now: Timestamp) -> anyhow::Result<Claim> {
        let id = queued.id;
        self.write_if(|tx| {
            let is_due: bool = tx
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM outbox WHERE id = ?1 AND state IN ('queued', 'uncertain') AND next_at <= ?2)",
                )?
                .query_row((id.0, at(now)), |row| row.get(0))
                .with_context(|| format!("read letter {id}"))?;
            if !is_due {
                return Ok((Claim::Gone, Changed::No));
            }
            if ground::of(tx, &queued.letter)? != queued.ground {
                return Ok((Claim::Changed, Changed::No));
            }
            if let Some(bytes) = fresh {
                keep_sealed(tx, id, bytes, now)?;
            }
            attempt(tx, id, now)
        })
    }

    /// What came of the attempt, and in the same transaction what follows from it (`f`: a recipient's
    /// state, a ticket's timeline, a notice).
    ///
    /// # Errors
    /// Where the letter is settled already or it cannot be committed: it is then still `sending`.
    pub fn settle(
        &self,
        id: OutboxId,
        settled: &Settled,
        place: &Place,
        question: &Question,
        now: Timestamp,
        f: impl FnOnce(&Snapshot) -> Decision,
    ) -> anyhow::Result<Decision> {
        self.write(|tx| {
            let next_at = match settled.state {
                LetterState::Queued => settled.next_at.or(Some(now)),
                LetterState::Uncertain => settled.next_at,
                _ => None,
            };
            let changed = tx
                .prepare_cached(
                    "UPDATE outbox SET attempts = max(0, attempts - (state = 'sending' AND NOT :counts)), state = :state, next_at = :next_at,
                     last_error = :error, reply = coalesce(:reply, reply), sent_at = CASE WHEN :state = 'sent' THEN :now ELSE sent_at END,
                     sealed = CASE WHEN :state = 'sent' AND kind = 'dissemination' AND length(sealed) > :sent_bytes_max THEN NULL ELSE sealed END
                     WHERE id = :id AND state IN ('queued', 'sending', 'uncertain')",
                )?
                .execute(named_params! {
                    ":counts": settled.counts_attempt, ":state": settled.state.word(), ":next_at": next_at.map(at), ":error": settled.error,
                    ":reply": settled.reply, ":now": at(now), ":sent_bytes_max": SENT_BYTES_MAX, ":id": id.0,
                })
                .with_context(|| format!("settle letter {id}"))?;
            ensure!(changed == 1, "letter {id} is settled already");
            let detail = settled.error.as_deref().or(settled.reply.as_deref()).unwrap_or_default();
            note(tx, now, id, apply::SELF, settled.state.word(), detail, "outbox")?;
            let decision = f(&snapshot::take(tx, question, None, place, now)?);
            let cause = format!("letter {id}");
            apply::all(tx, &apply::Cause { text: &cause, inbox: None, content: None }, &decision, place, now)?;
            Ok(decision)
        })
    }

    /// A person has to look at it before it goes: no certificate, another fingerprint, a refusal to seal.
    ///
    /// # Errors
    /// Where the letter has left or it cannot be committed.
    pub fn hold(&self, id: OutboxId, because: &str, now: Timestamp) -> anyhow::Result<()> {
        self.write(|tx| {
            let sql = "UPDATE outbox SET state = 'held', next_at = NULL, last_error = ?2 WHERE id = ?1 AND state IN ('queued', 'sending', 'uncertain')";
            let changed = tx.prepare_cached(sql)?.execute((id.0, because)).with_context(|| format!("hold letter {id}"))?;
            ensure!(changed == 1, "letter {id} does not wait to be sent");
            note(tx, now, id, apply::SELF, LetterState::Held.word(), because, "outbox")
        })
    }

    /// `outbox retry`: it is due now, whatever held it back, and in the same transaction what follows from it (`f`), which
    /// may refuse it. An uncertain letter stays marked so and may go once more.
    ///
    /// # Errors
    /// Where the letter is sent, cancelled, under way or not there, or no longer as it was read; what `f` refuses it for;
    /// where it cannot be committed.
    pub fn retry_with(
        &self,
        queued: &QueuedLetter,
        by: &str,
        place: &Place,
        question: &Question,
        now: Timestamp,
        f: impl FnOnce(&Snapshot) -> Result<Decision, String>,
    ) -> anyhow::Result<()> {
        self.write(|tx| {
            is_as_read(tx, queued)?;
            again(tx, queued.id, by, now)?;
            let decision = f(&snapshot::take(tx, question, None, place, now)?).map_err(anyhow::Error::msg)?;
            follow(tx, queued.id, &decision, place, now)
        })
    }

    /// It never leaves, and nothing else follows from that.
    ///
    /// # Errors
    /// Where the letter is sent, cancelled, under way or not there, or it cannot be committed.
    pub fn cancel(&self, id: OutboxId, by: &str, now: Timestamp) -> anyhow::Result<()> {
        self.write(|tx| never(tx, id, by, now))
    }

    /// `outbox cancel`: as [`Store::cancel`], and in the same transaction what follows from it (`f`: a recipient's
    /// state, a ticket's timeline, a notice).
    ///
    /// # Errors
    /// As [`Store::cancel`]; where the letter is no longer as it was read.
    pub fn cancel_with(
        &self,
        queued: &QueuedLetter,
        by: &str,
        place: &Place,
        question: &Question,
        now: Timestamp,
        f: impl FnOnce(&Snapshot) -> Decision,
    ) -> anyhow::Result<()> {
        self.write(|tx| {
            is_as_read(tx, queued)?;
            never(tx, queued.id, by, now)?;
            let decision = f(&snapshot::take(tx, question, None, place, now)?);
            follow(tx, queued.id, &decision, place, now)
        })
    }
}

/// What was decided by how it stood holds for that alone.
fn is_as_read(tx: &Transaction<'_>, queued: &QueuedLetter) -> anyhow::Result<()> {
    let id = queued.id;
    let (state, attempts): (Word<LetterState>, u32) = tx
        .query_row("SELECT state, attempts FROM outbox WHERE id = ?1", [id.0], |row| Ok((row.get(0)?, row.get(1)?)))
        .with_context(|| format!("read letter {id}"))?;
    ensure!((state.0, attempts) == (queued.state, queued.attempts), "letter {id} has changed since it was read: it is {} now", state.0);
    Ok(())
}

fn follow(tx: &Transaction<'_>, id: OutboxId, decision: &Decision, place: &Place, now: Timestamp) -> anyhow::Result<()> {
    let cause = format!("letter {id}");
    apply::all(tx, &apply::Cause { text: &cause, inbox: None, content: None }, decision, place, now)
}

fn again(tx: &Transaction<'_>, id: OutboxId, by: &str, now: Timestamp) -> anyhow::Result<()> {
    by_hand(
        tx,
        id,
        by,
        "retry",
        "UPDATE outbox SET state = CASE state WHEN 'uncertain' THEN 'uncertain' ELSE 'queued' END, next_at = ?2
         WHERE id = ?1 AND state IN ('queued', 'uncertain', 'held', 'failed') AND ?2 IS NOT NULL",
        now,
    )
}

fn never(tx: &Transaction<'_>, id: OutboxId, by: &str, now: Timestamp) -> anyhow::Result<()> {
    by_hand(
        tx,
        id,
        by,
        "cancelled",
        "UPDATE outbox SET state = 'cancelled', next_at = NULL
         WHERE id = ?1 AND state IN ('queued', 'uncertain', 'held', 'failed') AND ?2 IS NOT NULL",
        now,
    )
}

fn by_hand(tx: &Transaction<'_>, id: OutboxId, by: &str, what: &str, sql: &str, now: Timestamp) -> anyhow::Result<()> {
    let state: Option<Word<LetterState>> = tx.query_row("SELECT state FROM outbox WHERE id = ?1", [id.0], |row| row.get(0)).optional()?;
    let Some(Word(state)) = state else { bail!("there is no letter {id}") };
    let changed = tx.execute(sql, (id.0, at(now))).with_context(|| format!("change letter {id}"))?;
    ensure!(changed == 1, "letter {id} is {state}");
    note(tx, now, id, by, what, &format!("was {state}"), "command line")
}

fn keep_sealed(tx: &Transaction<'_>, id: OutboxId, bytes: &[u8], now: Timestamp) -> anyhow::Result<()> {
    let changed = tx
        .prepare_cached("UPDATE outbox SET sealed = ?2 WHERE id = ?1 AND state IN ('queued', 'uncertain')")?
        .execute((id.0, bytes))
        .with_context(|| format!("store the sealed letter {id}"))?;
    ensure!(changed == 1, "letter {id} does not wait to be sent");
    let (digest, thing_id) = (Sha256::of(bytes), id.to_string());
    let entry =
        Entry { by: apply::SELF, what: "sealed", thing: "letter", thing_id: &thing_id, detail: "", cause: "outbox", digest: &digest.0 };
    audit::append(tx, now, &entry)
}

fn attempt(tx: &Transaction<'_>, id: OutboxId, now: Timestamp) -> anyhow::Result<(Claim, Changed)> {
    let changed = tx
        .prepare_cached(
            "UPDATE outbox SET resends = resends + (state = 'uncertain'), state = 'sending', attempts = attempts + 1, attempted_at = ?2
             WHERE id = ?1 AND state IN ('queued', 'uncertain') AND next_at <= ?2 AND sealed IS NOT NULL",
        )?
        .execute((id.0, at(now)))
        .with_context(|| format!("claim letter {id}"))?;
    if changed == 0 {
        return Ok((Claim::Gone, Changed::No));
    }
    note(tx, now, id, apply::SELF, LetterState::Sending.word(), "", "outbox")?;
    Ok((Claim::Taken, Changed::Yes))
}

fn note(tx: &Transaction<'_>, now: Timestamp, id: OutboxId, by: &str, what: &str, detail: &str, cause: &str) -> anyhow::Result<()> {
    audit::append(tx, now, &Entry { by, what, thing: "letter", thing_id: &id.to_string(), detail, cause, digest: "" })
}
