//! Erasing what may not be kept any longer (`[retention]`). What stays: the ticket with its history,
//! which figures are derived from, and the row and hash of all that was erased, so that the audit
//! log still tells what was there. One ticket is one transaction: a kill leaves it whole or erased.

use super::audit::{self, Entry};
use super::row::{At, local};
use super::{Store, View, at};
use crate::model::dissemination::Dissemination;
use crate::model::letter::Letter;
use crate::model::{Document, Sha256};
use anyhow::Context as _;
use jiff::Timestamp;
use rusqlite::{Connection, Transaction, named_params};
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;

/// What the bytes of an erased mail begin with; the schema lets raw mail become this alone.
pub(super) const ERASED: &str = "X-Bantuan70-Erased: ";

/// Mails without a ticket that one transaction erases.
const UNTICKETED_BATCH: i64 = 200;

/// How long content is kept after its ticket was closed; `None` is for ever (contract 2).
#[derive(Debug, Clone, Copy, Default)]
pub struct RetentionTerms {
    pub identity_documents: Option<Duration>,
    pub messages: Option<Duration>,
}

/// What is erased together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Erasure {
    /// Identity documents, and the bytes of the reporter's mails, which hold them too.
    IdentityDocuments,
    /// Words and bytes of mail in and out and of disseminations, and every file.
    Messages,
}

impl Erasure {
    /// The key of `[retention]` that asks for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::IdentityDocuments => "identity_documents",
            Self::Messages => "messages",
        }
    }
}

/// One line of `retention show`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DueErasure {
    pub erases: Erasure,
    /// `None`: mail that has no ticket; it counts from its arrival.
    pub ticket: Option<String>,
    /// The day that the term runs from.
    pub since: String,
    pub mails: u64,
    pub files: u64,
    /// Letters, and disseminations, whose words stand once for all their letters.
    pub letters: u64,
}

impl Store {
    /// What is due to be erased now, the oldest first.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn retention_due(&self, terms: RetentionTerms, view: &View) -> anyhow::Result<Vec<DueErasure>> {
        self.read(|db| due(db, terms, view, i64::MAX))
    }

    /// Erases what is due of one ticket (or a batch of mail without one), and says what it was; `None`
    /// where nothing is due any more. `by` stands in the audit log.
    ///
    /// # Errors
    /// Where it cannot be committed: then nothing was erased.
    pub fn erase_next(&self, terms: RetentionTerms, by: &str, view: &View) -> anyhow::Result<Option<DueErasure>> {
        let erased = self.write_if(|tx| {
            let Some(next) = due(tx, terms, view, 1)?.into_iter().next() else { return Ok((None, super::Changed::No)) };
            let erasing = Erasing { tx, by, why: next.erases, now: view.now };
            match (&next.ticket, next.erases) {
                (Some(ticket), Erasure::IdentityDocuments) => erasing.identity_documents(ticket)?,
                (Some(ticket), Erasure::Messages) => erasing.messages(ticket)?,
                (None, _) => erasing.unticketed(cutoff(terms.messages, view.now))?,
            }
            Ok((Some(next), super::Changed::Yes))
        })?;
        if erased.is_some() {
            self.forget_pages()?;
        }
        Ok(erased)
    }

    /// The log of the database still holds the pages as they were; this writes over them.
    fn forget_pages(&self) -> anyhow::Result<()> {
        let writer = self.lock_writer();
        // A reader at work keeps the old pages for now; the next erasure or checkpoint ends them.
        writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).context("empty the write-ahead log")
    }
}

/// The moment before which a ticket must have been closed; `None` where nothing is erased.
fn cutoff(term: Option<Duration>, now: Timestamp) -> Option<Timestamp> {
    now.checked_sub(term?).ok()
}

/// What is due, at most `limit` lines of each kind.
fn due(db: &Connection, terms: RetentionTerms, view: &View, limit: i64) -> anyhow::Result<Vec<DueErasure>> {
    let mut found = Vec::new();
    if let Some(before) = cutoff(terms.messages, view.now) {
        found.extend(tickets(db, Erasure::Messages, before, view, limit)?);
        found.extend(unticketed(db, before, view)?);
    }
    if let Some(before) = cutoff(terms.identity_documents, view.now) {
        found.extend(tickets(db, Erasure::IdentityDocuments, before, view, limit)?);
    }
    Ok(found)
}

/// Tickets that have been closed for the term and of which something is left to erase. Letters that
/// wait to leave stay until they have; those that nobody has let go in all that time do not.
fn tickets(db: &Connection, erases: Erasure, before: Timestamp, view: &View, limit: i64) -> anyhow::Result<Vec<DueErasure>> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT * FROM (
             SELECT number, closed_at,
                 CASE WHEN :messages THEN (SELECT count(*) FROM inbox WHERE ticket = number AND state = 'decided' AND erased_at IS NULL) ELSE 0 END AS mails,
                 (SELECT count(*) FROM attachment WHERE ticket = number AND erased_at IS NULL AND (:messages OR document = 'identity')) AS files,
                 CASE WHEN :messages THEN (SELECT count(*) FROM outbox WHERE ticket = number AND erased_at IS NULL
                     AND {LEAVES_NO_MORE})
                     + (SELECT count(*) FROM dissemination WHERE dissemination.ticket = ticket.number AND {}) ELSE 0 END AS letters
             FROM ticket WHERE closed_at <= :before AND state IN ('closed', 'rejected', 'merged'))
         WHERE mails + files + letters > 0 ORDER BY closed_at, number LIMIT :limit",
        has_words()
    ))?;
    let rows =
        statement.query_map(named_params! { ":messages": erases == Erasure::Messages, ":before": at(before), ":limit": limit }, |row| {
            Ok(DueErasure {
                erases,
                ticket: Some(row.get(0)?),
                since: local(row.get::<_, At>(1)?.0, &view.time_zone),
                mails: row.get::<_, i64>(2)?.unsigned_abs(),
                files: row.get::<_, i64>(3)?.unsigned_abs(),
                letters: row.get::<_, i64>(4)?.unsigned_abs(),
            })
        })?;
    rows.collect::<Result<_, _>>().context("look for what is due to be erased")
}

/// Mail that was filed without a ticket, in one line.
fn unticketed(db: &Connection, before: Timestamp, view: &View) -> anyhow::Result<Option<DueErasure>> {
    let (count, oldest): (i64, Option<At>) = db
        .prepare_cached(
            "SELECT count(*), min(received_at) FROM inbox WHERE ticket IS NULL AND state = 'decided' AND erased_at IS NULL AND received_at <= ?1",
        )?
        .query_row([at(before)], |row| Ok((row.get(0)?, row.get(1)?)))
        .context("look for mail without a ticket")?;
    Ok(oldest.map(|oldest| DueErasure {
        erases: Erasure::Messages,
        ticket: None,
        since: local(oldest.0, &view.time_zone),
        mails: count.unsigned_abs(),
        files: 0,
        letters: 0,
    }))
}

struct Erasing<'a> {
    tx: &'a Transaction<'a>,
    by: &'a str,
    why: Erasure,
    now: Timestamp,
}

impl Erasing<'_> {
    /// The files that show who somebody is, every letter that carried one, and the bytes of what the
    /// reporter sent: the document stands in them too. Their words stay until the other term ends.
    fn identity_documents(&self, ticket: &str) -> anyhow::Result<()> {
        let files = self.files(ticket, Some(Document::Identity))?;
        for id in
            self.ids("SELECT id FROM inbox WHERE ticket = ?1 AND state = 'decided' AND kind <> 'analyst' AND erased_at IS NULL", ticket)?
        {
            self.raw(id)?;
        }
        for id in self.ids(&letters_over(), ticket)? {
            let letter = self.letter_of(id)?;
            if letter.enclosures.iter().any(|enclosure| files.contains(&enclosure.sha256)) {
                self.end(id)?;
                self.tx.prepare_cached("UPDATE outbox SET sealed = NULL WHERE id = ?1")?.execute([id]).context("erase a sent letter")?;
            }
        }
        files.iter().try_for_each(|sha256| self.bytes(sha256, ticket))
    }

    fn messages(&self, ticket: &str) -> anyhow::Result<()> {
        for id in self.ids("SELECT id FROM inbox WHERE ticket = ?1 AND state = 'decided' AND erased_at IS NULL", ticket)? {
            self.mail(id)?;
        }
        let mut enclosed = BTreeSet::new();
        for id in self.ids(&letters_over(), ticket)? {
            self.end(id)?;
            enclosed.extend(self.letter(id)?);
        }
        enclosed.extend(self.disseminations(ticket)?);
        enclosed.extend(self.files(ticket, None)?);
        enclosed.iter().try_for_each(|sha256| self.bytes(sha256, ticket))?;
        self.tx.prepare_cached("DELETE FROM candidate WHERE ticket = ?1")?.execute([ticket]).context("erase a reporter's key")?;
        self.tx.prepare_cached("DELETE FROM words WHERE ticket = ?1")?.execute([ticket]).context("erase the words that are searched")?;
        Ok(())
    }

    fn unticketed(&self, before: Option<Timestamp>) -> anyhow::Result<()> {
        let Some(before) = before else { return Ok(()) };
        let mut statement = self.tx.prepare_cached(
            "SELECT id FROM inbox WHERE ticket IS NULL AND state = 'decided' AND erased_at IS NULL AND received_at <= ?1 ORDER BY id LIMIT ?2",
        )?;
        let ids: Vec<i64> =
            statement.query_map((at(before), UNTICKETED_BATCH), |row| row.get(0))?.collect::<Result<_, _>>().context("list mail")?;
        ids.into_iter().try_for_each(|id| self.mail(id))
    }

    fn ids(&self, sql: &str, ticket: &str) -> anyhow::Result<Vec<i64>> {
        let mut statement = self.tx.prepare_cached(sql)?;
        statement.query_map([ticket], |row| row.get(0))?.collect::<Result<_, _>>().context("list what is due to be erased")
    }

    /// Bytes and words of one mail.
    fn mail(&self, id: i64) -> anyhow::Result<()> {
        self.raw(id)?;
        self.tx
            .prepare_cached("UPDATE inbox SET text = '', subject = '', from_address = NULL, erased_at = ?2 WHERE id = ?1")?
            .execute((id, at(self.now)))
            .context("erase the words of a mail")?;
        // The hash of what was decrypted goes on telling a replay; from whom it came first is forgotten.
        self.tx
            .prepare_cached("UPDATE plaintext SET sender = NULL WHERE inbox = ?1")?
            .execute([id])
            .context("erase the sender of a decrypted text")?;
        Ok(())
    }

    /// The bytes of one mail become a line that names their hash.
    fn raw(&self, id: i64) -> anyhow::Result<()> {
        let sha256: String = self.tx.prepare_cached("SELECT sha256 FROM inbox WHERE id = ?1")?.query_row([id], |row| row.get(0))?;
        let tombstone = format!("{ERASED}{:.0}; {}; sha256={sha256}\r\n\r\n", self.now, self.why.word());
        let changed = self
            .tx
            .prepare_cached("UPDATE raw SET content = ?2 WHERE inbox = ?1 AND substr(content, 1, length(?3)) <> CAST(?3 AS BLOB)")?
            .execute((id, tombstone.as_bytes(), ERASED))
            .context("erase the bytes of a mail")?;
        if changed == 0 {
            return Ok(());
        }
        self.audit("mail", &id.to_string(), &Sha256::of(tombstone.as_bytes()))
    }

    /// What nobody has let go until its term ended never leaves: it would leave without its words.
    fn end(&self, id: i64) -> anyhow::Result<()> {
        let ended = self
            .tx
            .prepare_cached("UPDATE outbox SET state = 'cancelled', next_at = NULL WHERE id = ?1 AND state IN ('held', 'uncertain')")?
            .execute([id])
            .context("cancel a letter that was held")?;
        if ended == 0 {
            return Ok(());
        }
        let thing_id = id.to_string();
        let (detail, cause) = (self.why.word(), "retention");
        let entry = Entry { by: self.by, what: "cancelled", thing: "letter", thing_id: &thing_id, detail, cause, digest: "" };
        audit::append(self.tx, self.now, &entry)
    }

    /// The words and sealed bytes of one letter; to whom, when and why stay. Gives the files that it carried.
    fn letter(&self, id: i64) -> anyhow::Result<Vec<Sha256>> {
        let mut letter = self.letter_of(id)?;
        letter.subject.clear();
        letter.outer_subject.clear();
        letter.text.clear();
        letter.html = None;
        letter.to_name.clear();
        let files = letter.enclosures.drain(..).map(|enclosure| enclosure.sha256).collect();
        let body = serde_json::to_string(&letter).context("write an erased letter")?;
        self.tx
            .prepare_cached("UPDATE outbox SET letter = ?2, sealed = NULL, erased_at = ?3 WHERE id = ?1")?
            .execute((id, &body, at(self.now)))
            .context("erase a letter")?;
        self.audit("letter", &id.to_string(), &Sha256::of(body.as_bytes()))?;
        Ok(files)
    }

    /// The words of the ticket's disseminations and the names of their recipients; who agreed, to which code, whose
    /// address was sent what and when stay. Gives the files that they carried.
    fn disseminations(&self, ticket: &str) -> anyhow::Result<Vec<Sha256>> {
        let sql = format!("SELECT number, body FROM dissemination WHERE ticket = ?1 AND {}", has_words());
        let mut statement = self.tx.prepare_cached(&sql)?;
        let rows = statement.query_map([ticket], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let rows: Vec<(String, String)> = rows.collect::<Result<_, _>>().context("list disseminations")?;
        let mut files = Vec::new();
        for (number, body) in rows {
            let mut one: Dissemination = serde_json::from_str(&body).with_context(|| format!("read dissemination {number}"))?;
            one.subject.clear();
            one.text.clear();
            // Rows of their own hold them; an older schema left a copy here.
            one.recipients.clear();
            files.extend(one.enclosures.drain(..).map(|enclosure| enclosure.sha256));
            let body = serde_json::to_string(&one).context("write an erased dissemination")?;
            self.tx
                .prepare_cached("UPDATE dissemination SET body = ?2 WHERE number = ?1")?
                .execute((&number, &body))
                .context("erase the words of a dissemination")?;
            self.tx
                .prepare_cached("UPDATE recipient SET body = json_set(body, '$.name', '') WHERE dissemination = ?1")?
                .execute([&number])
                .context("erase the names of recipients")?;
            self.audit("dissemination", &number, &Sha256::of(body.as_bytes()))?;
        }
        Ok(files)
    }

    fn letter_of(&self, id: i64) -> anyhow::Result<Letter> {
        let body: String = self.tx.prepare_cached("SELECT letter FROM outbox WHERE id = ?1")?.query_row([id], |row| row.get(0))?;
        serde_json::from_str(&body).with_context(|| format!("read letter {id}"))
    }

    /// The files of a ticket, of one kind or all.
    fn files(&self, ticket: &str, only: Option<Document>) -> anyhow::Result<Vec<Sha256>> {
        let only = only.map(Document::word);
        let mut statement = self.tx.prepare_cached(
            "SELECT id, sha256 FROM attachment WHERE ticket = ?1 AND erased_at IS NULL AND (?2 IS NULL OR document = ?2)",
        )?;
        let rows: Vec<(i64, String)> =
            statement.query_map((ticket, only), |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>().context("list files")?;
        for (id, _) in &rows {
            self.tx
                .prepare_cached("UPDATE attachment SET name = '', erased_at = ?2 WHERE id = ?1")?
                .execute((id, at(self.now)))
                .context("erase the name of a file")?;
        }
        Ok(rows.into_iter().map(|(_, sha256)| Sha256(sha256)).collect())
    }

    /// The bytes of a file. What another ticket, letter or dissemination still needs stays until that one's
    /// term ends.
    fn bytes(&self, sha256: &Sha256, ticket: &str) -> anyhow::Result<()> {
        let emptied = self
            .tx
            .prepare_cached(
                "UPDATE blob SET content = x'' WHERE sha256 = ?1 AND length(content) > 0
                     AND NOT EXISTS (SELECT 1 FROM attachment WHERE sha256 = ?1 AND erased_at IS NULL)
                     AND NOT EXISTS (SELECT 1 FROM outbox WHERE state NOT IN ('sent', 'failed', 'cancelled') AND instr(letter, ?1) > 0)
                     AND NOT EXISTS (SELECT 1 FROM dissemination WHERE ticket <> ?2 AND instr(body, ?1) > 0)",
            )?
            .execute((&sha256.0, ticket))
            .context("erase the bytes of a file")?;
        if emptied > 0 { self.audit("file", &sha256.0, &Sha256::of(b"")) } else { Ok(()) }
    }

    fn audit(&self, thing: &str, thing_id: &str, digest: &Sha256) -> anyhow::Result<()> {
        let entry = Entry { by: self.by, what: "erased", thing, thing_id, detail: self.why.word(), cause: "retention", digest: &digest.0 };
        audit::append(self.tx, self.now, &entry)
    }
}

/// Letters to which nothing more happens by itself.
const LEAVES_NO_MORE: &str =
    "(outbox.state IN ('sent', 'failed', 'cancelled', 'held') OR (outbox.state = 'uncertain' AND outbox.next_at IS NULL))";

fn letters_over() -> String {
    format!("SELECT id FROM outbox WHERE ticket = ?1 AND erased_at IS NULL AND {LEAVES_NO_MORE}")
}

/// A dissemination that has words left, and of which nothing waits to be sent.
fn has_words() -> String {
    format!(
        "json_extract(dissemination.body, '$.text') <> '' AND NOT EXISTS (SELECT 1 FROM outbox
             WHERE outbox.dissemination = dissemination.number AND NOT {LEAVES_NO_MORE})"
    )
}
