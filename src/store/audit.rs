//! The audit log: what was done, by whom, because of what, each entry chained by hash to the one
//! before it (contract 12.5). It cannot hinder a rewriting of the whole; the head in the chief's
//! signed reports shows that one.

use super::row::At;
use super::{Store, at, dissemination};
use crate::model::Sha256;
use crate::model::ticket::{Ticket, TicketEvent};
use anyhow::Context as _;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, named_params};
use serde::Serialize;
use std::collections::BTreeMap;

/// More problems than this are not listed one by one.
const PROBLEMS_MAX: usize = 100;

/// The entry of a dissemination that was released; its digest is the SHA-256 of the manifest that was agreed to.
pub(super) const RELEASED: &str = "released";

/// What is written down. `digest` covers the row that the entry is about.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub by: &'a str,
    pub what: &'a str,
    pub thing: &'a str,
    pub thing_id: &'a str,
    pub detail: &'a str,
    pub cause: &'a str,
    pub digest: &'a str,
}

/// The last entry of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditHead {
    pub entries: u64,
    /// 64 zeros where there is no entry yet.
    pub hash: String,
}

/// What `audit verify` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditReport {
    pub entries: u64,
    pub head: String,
    /// Empty where the chain is whole and the tickets are the fold of their events.
    pub problems: Vec<String>,
}

impl Store {
    /// The head of the chain, as the chief's report bears it.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn audit_head(&self) -> anyhow::Result<AuditHead> {
        self.read(head)
    }

    /// Walks the whole chain, and folds every ticket's events anew.
    ///
    /// # Errors
    /// Where the database cannot be read; what is wrong in it is in the report.
    pub fn audit_verify(&self) -> anyhow::Result<AuditReport> {
        self.read(|db| {
            let head = head(db)?;
            let mut problems = Vec::new();
            let digests = verify_chain(db, &head, &mut problems)?;
            verify_events(db, digests.events, &mut problems)?;
            verify_letters(db, digests.letters, &mut problems)?;
            verify_mail(db, digests.mail, &mut problems)?;
            verify_disseminations(db, digests.manifests, &mut problems)?;
            verify_tickets(db, &mut problems)?;
            if problems.len() > PROBLEMS_MAX {
                let more = problems.len() - PROBLEMS_MAX;
                problems.truncate(PROBLEMS_MAX);
                problems.push(format!("and {more} more"));
            }
            Ok(AuditReport { entries: head.entries, head: head.hash, problems })
        })
    }
}

pub(super) fn head(db: &Connection) -> anyhow::Result<AuditHead> {
    let text: Option<Vec<u8>> =
        db.query_row("SELECT value FROM meta WHERE name = 'audit_head'", [], |row| row.get(0)).optional().context("read the audit head")?;
    let Some(text) = text else { return Ok(AuditHead { entries: 0, hash: "0".repeat(64) }) };
    let text = String::from_utf8_lossy(&text).into_owned();
    let (entries, hash) = text.split_once(' ').context("the audit head is damaged")?;
    Ok(AuditHead { entries: entries.parse().context("the audit head is damaged")?, hash: hash.to_owned() })
}

fn hash(id: u64, time: &str, entry: &Entry<'_>, previous: &str) -> String {
    // A JSON array: no two different entries give the same bytes.
    let fields =
        serde_json::json!([id, time, entry.by, entry.what, entry.thing, entry.thing_id, entry.detail, entry.cause, entry.digest, previous]);
    Sha256::of(fields.to_string().as_bytes()).0
}

/// Adds one entry to the chain, inside the transaction of what it tells about (F78).
pub(super) fn append(tx: &Transaction<'_>, now: Timestamp, entry: &Entry<'_>) -> anyhow::Result<()> {
    let head = head(tx)?;
    let id = head.entries + 1;
    let time = format!("{now:.9}");
    let hash = hash(id, &time, entry, &head.hash);
    tx.prepare_cached(
        "INSERT INTO audit (id, at, by, what, thing, thing_id, detail, cause, digest, previous, hash)
         VALUES (:id, :at, :by, :what, :thing, :thing_id, :detail, :cause, :digest, :previous, :hash)",
    )?
    .execute(named_params! {
        ":id": i64::try_from(id)?, ":at": at(now), ":by": entry.by, ":what": entry.what, ":thing": entry.thing,
        ":thing_id": entry.thing_id, ":detail": entry.detail, ":cause": entry.cause, ":digest": entry.digest,
        ":previous": head.hash, ":hash": hash,
    })
    .context("write the audit entry")?;
    tx.prepare_cached("INSERT INTO meta (name, value) VALUES ('audit_head', ?1) ON CONFLICT (name) DO UPDATE SET value = excluded.value")?
        .execute([format!("{id} {hash}").into_bytes()])
        .context("move the audit head")?;
    Ok(())
}

/// What the chain says that rows hold, by the number of the row.
#[derive(Default)]
struct Digests {
    events: BTreeMap<i64, String>,
    letters: BTreeMap<i64, String>,
    mail: BTreeMap<i64, String>,
    /// What was agreed to, by the number of the dissemination.
    manifests: BTreeMap<String, String>,
}

impl Digests {
    fn take(&mut self, thing: &str, thing_id: &str, what: &str, digest: String) {
        if (thing, what) == ("dissemination", RELEASED) {
            self.manifests.entry(thing_id.to_owned()).or_insert(digest);
            return;
        }
        let of = match (thing, what) {
            ("event", _) => &mut self.events,
            // What was erased holds less than it did, and the chain says what is left of it.
            ("letter", "queued" | "held" | "erased") if !digest.is_empty() => &mut self.letters,
            ("mail", "stored" | "erased") => &mut self.mail,
            _ => return,
        };
        if let Ok(id) = thing_id.parse() {
            of.insert(id, digest);
        }
    }
}

/// Walks the chain; gives what it says of the rows.
fn verify_chain(db: &Connection, head: &AuditHead, problems: &mut Vec<String>) -> anyhow::Result<Digests> {
    let mut digests = Digests::default();
    let mut expected: u64 = 1;
    let mut previous = "0".repeat(64);
    let mut statement = db
        .prepare("SELECT id, at, by, what, thing, thing_id, detail, cause, digest, previous, hash FROM audit ORDER BY id")
        .context("prepare the audit walk")?;
    let mut rows = statement.query([]).context("walk the audit log")?;
    while let Some(row) = rows.next().context("read the audit log")? {
        let id = u64::try_from(row.get::<_, i64>(0)?).unwrap_or_default();
        let text = |column: usize| row.get::<_, String>(column);
        let (time, by, what, thing, thing_id) = (text(1)?, text(2)?, text(3)?, text(4)?, text(5)?);
        let (detail, cause, digest, before, stored) = (text(6)?, text(7)?, text(8)?, text(9)?, text(10)?);
        if id != expected {
            problems.push(format!("entry {expected} is missing (entry {id} follows)"));
        } else if before != previous {
            problems.push(format!("entry {id} does not follow from entry {}", id.saturating_sub(1)));
        }
        let entry = Entry { by: &by, what: &what, thing: &thing, thing_id: &thing_id, detail: &detail, cause: &cause, digest: &digest };
        if hash(id, &time, &entry, &before) != stored {
            problems.push(format!("entry {id} was changed"));
        }
        digests.take(&thing, &thing_id, &what, digest);
        expected = id.saturating_add(1);
        previous = stored;
        if problems.len() > PROBLEMS_MAX {
            break;
        }
    }
    if problems.is_empty() && (expected != head.entries + 1 || previous != head.hash) {
        problems.push(format!("the chain ends at entry {}, its head says {}", expected.saturating_sub(1), head.entries));
    }
    Ok(digests)
}

/// What an event row is bound to in the audit log.
pub(super) fn event_digest(ticket: &str, n: i64, time: Timestamp, by: &str, detail: &str, body: &str) -> String {
    let time = format!("{time:.9}");
    Sha256::of(serde_json::json!([ticket, n, time, by, detail, body]).to_string().as_bytes()).0
}

fn verify_events(db: &Connection, mut digests: BTreeMap<i64, String>, problems: &mut Vec<String>) -> anyhow::Result<()> {
    let mut statement = db.prepare("SELECT id, ticket, n, at, by, detail, body FROM event ORDER BY id").context("prepare the events")?;
    let mut rows = statement.query([]).context("walk the events")?;
    while let Some(row) = rows.next().context("read the events")? {
        let (id, ticket, n, time): (i64, String, i64, At) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        let (by, detail, body): (String, String, String) = (row.get(4)?, row.get(5)?, row.get(6)?);
        match digests.remove(&id) {
            None => problems.push(format!("event {n} of {ticket} has no audit entry")),
            Some(digest) if digest != event_digest(&ticket, n, time.0, &by, &detail, &body) => {
                problems.push(format!("event {n} of {ticket} was changed"));
            }
            Some(_) => {}
        }
    }
    problems.extend(digests.keys().map(|id| format!("event row {id} is missing")));
    Ok(())
}

/// A letter is sent as it was decided.
fn verify_letters(db: &Connection, mut digests: BTreeMap<i64, String>, problems: &mut Vec<String>) -> anyhow::Result<()> {
    let mut statement = db.prepare("SELECT id, letter FROM outbox ORDER BY id").context("prepare the letters")?;
    let mut rows = statement.query([]).context("walk the letters")?;
    while let Some(row) = rows.next().context("read the letters")? {
        let (id, letter): (i64, String) = (row.get(0)?, row.get(1)?);
        match digests.remove(&id) {
            None => problems.push(format!("letter {id} has no audit entry")),
            Some(digest) if digest != Sha256::of(letter.as_bytes()).0 => problems.push(format!("letter {id} was changed")),
            Some(_) => {}
        }
    }
    problems.extend(digests.keys().map(|id| format!("letter {id} is missing")));
    Ok(())
}

/// Mail stands as it came.
fn verify_mail(db: &Connection, mut digests: BTreeMap<i64, String>, problems: &mut Vec<String>) -> anyhow::Result<()> {
    let mut statement = db
        .prepare("SELECT inbox.id, content FROM inbox LEFT JOIN raw ON raw.inbox = inbox.id ORDER BY inbox.id")
        .context("prepare the mail")?;
    let mut rows = statement.query([]).context("walk the mail")?;
    while let Some(row) = rows.next().context("read the mail")? {
        let (id, content): (i64, Option<Vec<u8>>) = (row.get(0)?, row.get(1)?);
        match (digests.remove(&id), content) {
            (None, _) => problems.push(format!("mail {id} has no audit entry")),
            (_, None) => problems.push(format!("the bytes of mail {id} are missing")),
            (Some(digest), Some(content)) if digest != Sha256::of(&content).0 => {
                problems.push(format!("the bytes of mail {id} were changed"))
            }
            _ => {}
        }
    }
    problems.extend(digests.keys().map(|id| format!("mail {id} is missing")));
    Ok(())
}

/// What was released is what was agreed to. Of one whose words were erased in their time the code is left.
fn verify_disseminations(db: &Connection, mut digests: BTreeMap<String, String>, problems: &mut Vec<String>) -> anyhow::Result<()> {
    let mut statement = db.prepare("SELECT number, body FROM dissemination ORDER BY number").context("prepare the disseminations")?;
    let mut rows = statement.query([]).context("walk the disseminations")?;
    while let Some(row) = rows.next().context("read the disseminations")? {
        let (number, body): (String, String) = (row.get(0)?, row.get(1)?);
        let Ok(one) = dissemination::whole(db, &body) else {
            problems.push(format!("dissemination {number} cannot be read"));
            digests.remove(&number);
            continue;
        };
        match (digests.remove(&number), &one.released) {
            (None, None) => {}
            (None, Some(_)) => problems.push(format!("dissemination {number} was released without an audit entry")),
            (Some(manifest), released) => {
                let is_erased = one.text.is_empty();
                let is_code = released.as_ref().is_some_and(|code| manifest.starts_with(code));
                if !is_code || (!is_erased && Sha256::of(one.manifest().as_bytes()).0 != manifest) {
                    problems.push(format!("dissemination {number} is not what was agreed to"));
                }
            }
        }
    }
    problems.extend(digests.keys().map(|number| format!("dissemination {number} is missing")));
    Ok(())
}

fn verify_tickets(db: &Connection, problems: &mut Vec<String>) -> anyhow::Result<()> {
    let mut statement = db.prepare("SELECT number, fold, state FROM ticket ORDER BY number").context("prepare the tickets")?;
    let mut rows = statement.query([]).context("walk the tickets")?;
    while let Some(row) = rows.next().context("read the tickets")? {
        let (number, fold, state): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let stored: Option<Ticket> = serde_json::from_str(&fold).ok();
        let folded = fold_events(db, &number)?;
        if stored.is_none() || stored != folded || folded.is_some_and(|ticket| ticket.state.word() != state) {
            problems.push(format!("ticket {number} is not the fold of its events"));
        }
    }
    Ok(())
}

/// The ticket as its events make it.
pub(super) fn fold_events(db: &Connection, number: &str) -> anyhow::Result<Option<Ticket>> {
    let mut ticket = None;
    let mut statement = db.prepare_cached("SELECT at, body FROM event WHERE ticket = ?1 ORDER BY n").context("prepare the fold")?;
    let mut rows = statement.query([number]).context("read the events of a ticket")?;
    while let Some(row) = rows.next().context("read an event")? {
        let (time, body): (At, String) = (row.get(0)?, row.get(1)?);
        match serde_json::from_str::<TicketEvent>(&body) {
            Ok(event) => ticket = Ticket::fold(ticket, &event, time.0),
            Err(_) => return Ok(None),
        }
    }
    Ok(ticket)
}
