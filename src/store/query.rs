//! What listings and figures ask of the database. Reads only.

use super::listing::{
    AttachmentRow, DisseminationRow, MailFilter, MailPage, MailRow, MessageRow, OutboxRow, QuarantineRow, TicketFilter, TicketPage,
    TicketRow, TimelineRow, View,
};
use super::retention::ERASED;
use super::row::{At, Word, local};
use super::{Store, at, dissemination, snapshot};
use crate::model::dissemination::{Dissemination, DisseminationNumber};
use crate::model::letter::{Letter, LetterKind, LetterState};
use crate::model::ticket::{Direction, Ticket, TicketNumber};
use crate::model::{Address, InboxId, Sha256};
use anyhow::Context as _;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row};
use std::collections::{BTreeMap, BTreeSet};

/// No listing reads more rows than this at once.
const ROWS_MAX: usize = 1_000_000;
/// Words of disseminations that one page of a ticket repeats with each of their letters; past it they stand with the
/// dissemination alone. A page is held in memory as a whole.
const WORDS_MAX: usize = 16 * 1024 * 1024;
/// A search of more words than this is cut: nobody types more.
const SEARCH_WORDS_MAX: usize = 20;

impl Store {
    /// One ticket as the core knows it.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn ticket_state(&self, number: &TicketNumber) -> anyhow::Result<Option<Ticket>> {
        self.read(|db| snapshot::ticket(db, number))
    }

    /// Tickets as the core knows them, oldest first: for the figures.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn ticket_states(&self, filter: &TicketFilter) -> anyhow::Result<Vec<Ticket>> {
        self.read(|db| select_tickets(db, filter))
    }

    /// Tickets that time can still do something to: open, or closed with the survey not sent.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn open_tickets(&self) -> anyhow::Result<Vec<TicketNumber>> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT number FROM ticket INDEXED BY ticket_open WHERE state NOT IN ('closed', 'rejected', 'merged')
                     OR (state = 'closed' AND survey_sent = 0 AND service = 'complaint') ORDER BY opened_at, number",
            )?;
            let rows = statement.query_map([], |row| row.get(0).map(TicketNumber))?;
            rows.collect::<Result<_, _>>().context("read open tickets")
        })
    }

    /// Disseminations that are neither closed nor cancelled.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn open_disseminations(&self) -> anyhow::Result<Vec<DisseminationNumber>> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT number FROM dissemination WHERE state NOT IN ('closed', 'cancelled') ORDER BY created_at, number",
            )?;
            let rows = statement.query_map([], |row| row.get(0).map(DisseminationNumber))?;
            rows.collect::<Result<_, _>>().context("read open disseminations")
        })
    }

    /// `ticket list`, newest last.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn tickets(&self, filter: &TicketFilter, view: &View) -> anyhow::Result<Vec<TicketRow>> {
        Ok(self.ticket_states(filter)?.into_iter().map(|ticket| TicketRow::new(&ticket, view)).collect())
    }

    /// `ticket search`: tickets in whose words all of these stand, the best first.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn search(&self, words: &str, view: &View) -> anyhow::Result<Vec<TicketRow>> {
        let Some(query) = fts_query(words) else { return Ok(Vec::new()) };
        self.read(|db| {
            // The words may stand in different mails of one ticket.
            let mut found: Option<Vec<TicketNumber>> = None;
            let mut statement = db.prepare_cached("SELECT DISTINCT ticket FROM words WHERE words MATCH ?1 ORDER BY rank")?;
            for word in &query {
                let rows = statement.query_map([word], |row| row.get(0).map(TicketNumber))?;
                let tickets: Vec<TicketNumber> = rows.collect::<Result<_, _>>().context("search")?;
                found = Some(match found {
                    None => tickets,
                    Some(before) => {
                        let tickets: BTreeSet<_> = tickets.into_iter().collect();
                        before.into_iter().filter(|number| tickets.contains(number)).collect()
                    }
                });
            }
            let mut rows = Vec::new();
            for number in found.unwrap_or_default() {
                rows.extend(snapshot::ticket(db, &number)?.map(|ticket| TicketRow::new(&ticket, view)));
            }
            Ok(rows)
        })
    }

    /// `ticket show`.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn ticket(&self, number: &TicketNumber, view: &View) -> anyhow::Result<Option<TicketPage>> {
        self.read(|db| {
            let Some(ticket) = snapshot::ticket(db, number)? else { return Ok(None) };
            let disseminations = dissemination::of_ticket(db, number)?;
            Ok(Some(TicketPage {
                messages: messages(db, number, &disseminations, view)?,
                timeline: timeline(db, number, view)?,
                attachments: attachments(db, number, view)?,
                indicators: indicators(db, number)?,
                disseminations: disseminations
                    .iter()
                    .map(|one| Ok(DisseminationRow::new(one, &dissemination::repinned(db, one)?, view)))
                    .collect::<anyhow::Result<_>>()?,
                ticket: TicketRow::new(&ticket, view),
                documents: ticket.documents,
                form: ticket.form,
                links: ticket.links,
                merged_into: ticket.merged_into,
            }))
        })
    }

    /// `outbox list`: without `states`, what is not at rest (`sent`, `cancelled`).
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn outbox(&self, states: &[LetterState], view: &View) -> anyhow::Result<Vec<OutboxRow>> {
        let restless = |state: &&LetterState| !matches!(state, LetterState::Sent | LetterState::Cancelled);
        let wanted: Vec<&str> = match states {
            [] => LetterState::ALL.iter().filter(restless).map(|state| state.word()).collect(),
            some => some.iter().map(|state| state.word()).collect(),
        };
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT id, message_id, to_address, kind, ticket, state, attempts, next_at, last_error, queued_at, sent_at, resends,
                     dissemination, kind = 'dissemination' AND EXISTS (SELECT 1 FROM recipient WHERE recipient.dissemination = outbox.dissemination
                         AND address = to_address AND json_extract(body, '$.may_have_left'))
                 FROM outbox WHERE state IN (SELECT value FROM json_each(?1)) ORDER BY id",
            )?;
            let rows = statement.query_map([serde_json::json!(wanted).to_string()], |row| outbox_row(row, view))?;
            rows.collect::<Result<_, _>>().context("read the outbox")
        })
    }

    /// How far each dissemination is of which a letter has not left: for each, its letters by state. A recipient
    /// for whom no letter could be made counts as held, and as cancelled once it came by another way.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn dissemination_progress(&self) -> anyhow::Result<BTreeMap<DisseminationNumber, BTreeMap<LetterState, u32>>> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT dissemination, state, count(*) FROM outbox WHERE kind = 'dissemination' AND dissemination IN
                     (SELECT dissemination FROM outbox WHERE kind = 'dissemination' AND state NOT IN ('sent', 'cancelled'))
                 GROUP BY dissemination, state",
            )?;
            let rows = statement.query_map([], |row| {
                Ok((DisseminationNumber(row.get(0)?), row.get::<_, Word<LetterState>>(1)?.0, row.get::<_, u32>(2)?))
            })?;
            let mut progress: BTreeMap<DisseminationNumber, BTreeMap<LetterState, u32>> = BTreeMap::new();
            for row in rows {
                let (number, state, count) = row.context("read how far disseminations are")?;
                progress.entry(number).or_default().insert(state, count);
            }
            let mut statement = db.prepare_cached(
                "SELECT state = 'held', count(*) FROM recipient WHERE dissemination = ?1 AND message_id IS NULL GROUP BY 1",
            )?;
            for (number, by_state) in &mut progress {
                let rows = statement.query_map([&number.0], |row| Ok((row.get::<_, bool>(0)?, row.get::<_, u32>(1)?)))?;
                for row in rows {
                    let (is_held, out_of_reach) = row.context("count those out of reach")?;
                    let state = if is_held { LetterState::Held } else { LetterState::Cancelled };
                    *by_state.entry(state).or_default() += out_of_reach;
                }
            }
            Ok(progress)
        })
    }

    /// `mail list`, newest last.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn mail(&self, filter: &MailFilter, view: &View) -> anyhow::Result<Vec<MailRow>> {
        self.read(|db| {
            let mut conditions = vec!["1"];
            let mut values: Vec<Box<dyn rusqlite::ToSql>> = Vec::new();
            // Only what is asked stands in the statement, so that an index can answer it.
            let mut ask = |condition, value: Box<dyn rusqlite::ToSql>| {
                conditions.push(condition);
                values.push(value);
            };
            if let Some(kind) = filter.kind {
                ask("kind = ?", Box::new(kind.word()));
            }
            if let Some(ticket) = &filter.ticket {
                ask("ticket = ?", Box::new(ticket.0.clone()));
            }
            let is_told = filter.in_digest || filter.in_quarantine;
            if let Some(since) = filter.since {
                ask(if is_told { "decided_at >= ?" } else { "received_at >= ?" }, Box::new(at(since)));
            }
            if let Some(before) = filter.before {
                ask(if is_told { "decided_at < ?" } else { "received_at < ?" }, Box::new(at(before)));
            }
            let digest = if filter.in_digest { "AND in_digest = 1" } else { "" };
            let quarantine = if filter.in_quarantine { "AND quarantine = 1 AND released_at IS NULL" } else { "" };
            let conditions = conditions.join(" AND ");
            values.push(Box::new(i64::try_from(filter.limit.unwrap_or(ROWS_MAX))?));
            let mut statement = db.prepare_cached(&format!(
                "SELECT {MAIL_COLUMNS} FROM (SELECT * FROM inbox WHERE {conditions} {digest} {quarantine} ORDER BY id DESC LIMIT ?) ORDER BY id"
            ))?;
            let rows = statement.query_map(rusqlite::params_from_iter(values), |row| mail_row(row, view))?;
            rows.collect::<Result<_, _>>().context("read the mail")
        })
    }

    /// `mail show`.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn mail_page(&self, id: InboxId, view: &View) -> anyhow::Result<Option<MailPage>> {
        self.read(|db| {
            let mut statement =
                db.prepare_cached("SELECT source, uid_validity, uid, state FROM arrival WHERE inbox = ?1 ORDER BY id LIMIT 100")?;
            let rows = statement.query_map([id.0], |row| {
                let (source, validity, uid, state): (String, u32, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
                Ok(format!("{source} {validity} {uid} {state}"))
            })?;
            let places: Vec<String> = rows.collect::<Result<_, _>>().context("read where the mail lies")?;
            db.prepare_cached(&format!("SELECT {MAIL_COLUMNS}, text, sha256, attempts, rules_version FROM inbox WHERE id = ?1"))?
                .query_row([id.0], |row| {
                    Ok(MailPage {
                        mail: mail_row(row, view)?,
                        text: row.get(12)?,
                        sha256: row.get(13)?,
                        attempts: row.get(14)?,
                        rules_version: row.get(15)?,
                        places,
                    })
                })
                .optional()
                .with_context(|| format!("read mail {id}"))
        })
    }

    /// The raw bytes of a stored mail.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn raw(&self, id: InboxId) -> anyhow::Result<Option<Vec<u8>>> {
        self.read(|db| {
            db.prepare_cached("SELECT content FROM raw WHERE inbox = ?1")?
                .query_row([id.0], |row| row.get(0))
                .optional()
                .with_context(|| format!("read mail {id}"))
        })
    }

    /// The mail that opened a ticket, with its bytes; none where no mail did, or where its bytes were erased.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn opening_mail(&self, number: &TicketNumber) -> anyhow::Result<Option<(InboxId, Vec<u8>)>> {
        self.read(|db| {
            // The mail that !angkat made a ticket of came before the command that opened it.
            db.prepare_cached(
                "SELECT inbox.id, content FROM inbox JOIN raw ON raw.inbox = inbox.id
                 JOIN event ON event.ticket = inbox.ticket AND event.n = 1
                 WHERE inbox.ticket = ?1 AND inbox.id <= event.inbox AND inbox.kind <> 'analyst'
                   AND substr(content, 1, length(?2)) <> CAST(?2 AS BLOB) ORDER BY inbox.id LIMIT 1",
            )?
            .query_row((&number.0, ERASED), |row| Ok((InboxId(row.get(0)?), row.get(1)?)))
            .optional()
            .with_context(|| format!("read the mail that opened {number}"))
        })
    }

    /// The bytes of a file that was kept; none where they were erased.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn blob(&self, sha256: &Sha256) -> anyhow::Result<Option<Vec<u8>>> {
        self.read(|db| {
            db.prepare_cached("SELECT content FROM blob WHERE sha256 = ?1 AND (length(content) > 0 OR sha256 = ?2)")?
                .query_row((&sha256.0, Sha256::of(b"").0), |row| row.get(0))
                .optional()
                .context("read an attachment")
        })
    }

    /// `quarantine list`: what nobody has released.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn quarantine(&self, view: &View) -> anyhow::Result<Vec<QuarantineRow>> {
        self.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT id, message_id, from_address, subject, coalesce(header_only_bytes, bytes), because, received_at FROM inbox
                 WHERE quarantine = 1 AND released_at IS NULL ORDER BY id",
            )?;
            let rows = statement.query_map([], |row| {
                Ok(QuarantineRow {
                    id: InboxId(row.get(0)?),
                    message_id: row.get(1)?,
                    from: row.get(2)?,
                    subject: row.get(3)?,
                    bytes: row.get(4)?,
                    reason: row.get(5)?,
                    at: local(row.get::<_, At>(6)?.0, &view.time_zone),
                })
            })?;
            rows.collect::<Result<_, _>>().context("read the quarantine")
        })
    }
}

/// Every word as a quoted string of FTS5: nothing that is typed is syntax (M18). `None` where no word is left.
fn fts_query(words: &str) -> Option<Vec<String>> {
    let quoted: Vec<String> = words
        .split_whitespace()
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .take(SEARCH_WORDS_MAX)
        .map(|word| format!("\"{}\"", word.replace('"', "\"\"").replace('\0', " ")))
        .collect();
    (!quoted.is_empty()).then_some(quoted)
}

pub(super) fn select_tickets(db: &Connection, filter: &TicketFilter) -> anyhow::Result<Vec<Ticket>> {
    // Lists travel as JSON, so that the statement is one text whatever is asked.
    let words = |words: Vec<&str>| (!words.is_empty()).then(|| serde_json::json!(words).to_string());
    let mut statement = db.prepare_cached(
        "SELECT fold FROM (SELECT fold, opened_at, number FROM ticket
             WHERE (?1 IS NULL OR state IN (SELECT value FROM json_each(?1))) AND (?2 IS NULL OR category IN (SELECT value FROM json_each(?2)))
             AND (?3 IS NULL OR reporter = ?3) AND (?4 IS NULL OR assignee = ?4) AND (?5 IS NULL OR opened_at >= ?5)
             ORDER BY opened_at DESC, number DESC LIMIT ?6) ORDER BY opened_at, number",
    )?;
    let parameters = (
        words(filter.states.iter().map(|state| state.word()).collect()),
        words(filter.categories.iter().map(|category| category.word()).collect()),
        filter.reporter.as_ref().map(Address::as_str),
        filter.assignee.as_ref().map(Address::as_str),
        filter.since.map(at),
        i64::try_from(filter.limit.unwrap_or(ROWS_MAX))?,
    );
    let rows = statement.query_map(parameters, |row| row.get::<_, String>(0))?;
    let mut tickets = Vec::new();
    for fold in rows {
        tickets.push(serde_json::from_str(&fold?).context("read a ticket")?);
    }
    Ok(tickets)
}

fn messages(db: &Connection, number: &TicketNumber, disseminations: &[Dissemination], view: &View) -> anyhow::Result<Vec<MessageRow>> {
    let mut messages: Vec<(Timestamp, MessageRow)> = Vec::new();
    let mut statement = db.prepare_cached(
        "SELECT id, message_id, kind, from_address, received_at, subject, text, decided_at FROM inbox WHERE ticket = ?1 AND state = 'decided' ORDER BY id",
    )?;
    let rows = statement.query_map([&number.0], |row| {
        let time = row.get::<_, At>(4)?.0;
        // Ordered by our own clock: that of the mail server may differ, and an answer never stands before its cause.
        let order = row.get::<_, At>(7)?.0;
        let message = MessageRow {
            message_id: row.get(1)?,
            direction: Direction::In,
            kind: row.get(2)?,
            from: row.get(3)?,
            to: view.center_address.clone(),
            at: local(time, &view.time_zone),
            subject: row.get(5)?,
            text: row.get(6)?,
            id: row.get(0)?,
            state: None,
            dissemination: None,
        };
        Ok((order, message))
    })?;
    messages.extend(rows.collect::<Result<Vec<_>, _>>().context("read the mail of a ticket")?);
    let mut statement = db.prepare_cached(
        "SELECT id, state, coalesce(sent_at, queued_at), letter, queued_at, erased_at IS NULL FROM outbox WHERE ticket = ?1 ORDER BY id",
    )?;
    let mut words_left = WORDS_MAX;
    let rows = statement.query_map([&number.0], |row| {
        let times = (row.get::<_, At>(2)?.0, row.get::<_, At>(4)?.0);
        Ok((row.get::<_, i64>(0)?, row.get::<_, Word<LetterState>>(1)?.0, times, row.get::<_, String>(3)?, row.get::<_, bool>(5)?))
    })?;
    for row in rows {
        let (id, state, (time, order), body, has_words) = row.context("read the letters of a ticket")?;
        let mut letter: Letter = serde_json::from_str(&body).with_context(|| format!("read letter {id}"))?;
        // The words of a dissemination stand with it and not with each of its letters.
        let of = disseminations
            .iter()
            .find(|one| has_words && letter.kind == LetterKind::Dissemination && letter.dissemination.as_ref() == Some(&one.number));
        if let Some(left) = of.and_then(|one| words_left.checked_sub(one.text.len())).filter(|_| letter.text.is_empty()) {
            words_left = left;
            letter.text = of.map(|one| one.text.clone()).unwrap_or_default();
        }
        let message = MessageRow {
            message_id: Some(letter.message_id),
            direction: Direction::Out,
            kind: letter.kind.word().to_owned(),
            from: Some(view.center_address.clone()),
            to: letter.to.to_string(),
            at: local(time, &view.time_zone),
            subject: letter.subject,
            text: letter.text,
            id,
            state: Some(state),
            dissemination: letter.dissemination,
        };
        messages.push((order, message));
    }
    messages.sort_by_key(|(order, _)| *order);
    Ok(messages.into_iter().map(|(_, message)| message).collect())
}

fn timeline(db: &Connection, number: &TicketNumber, view: &View) -> anyhow::Result<Vec<TimelineRow>> {
    let mut statement = db.prepare_cached("SELECT at, event, by, detail FROM event WHERE ticket = ?1 ORDER BY n")?;
    let rows = statement.query_map([&number.0], |row| {
        Ok(TimelineRow { at: local(row.get::<_, At>(0)?.0, &view.time_zone), event: row.get(1)?, by: row.get(2)?, detail: row.get(3)? })
    })?;
    rows.collect::<Result<_, _>>().context("read the timeline")
}

fn attachments(db: &Connection, number: &TicketNumber, view: &View) -> anyhow::Result<Vec<AttachmentRow>> {
    let mut statement =
        db.prepare_cached("SELECT name, media_type, bytes, sha256, document, at, erased_at FROM attachment WHERE ticket = ?1 ORDER BY id")?;
    let rows = statement.query_map([&number.0], |row| {
        Ok(AttachmentRow {
            name: row.get(0)?,
            media_type: row.get(1)?,
            bytes: row.get(2)?,
            sha256: row.get(3)?,
            document: row.get(4)?,
            at: local(row.get::<_, At>(5)?.0, &view.time_zone),
            erased_at: row.get::<_, Option<At>>(6)?.map(|at| local(at.0, &view.time_zone)),
        })
    })?;
    rows.collect::<Result<_, _>>().context("read the attachments")
}

fn indicators(db: &Connection, number: &TicketNumber) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let mut found: BTreeMap<String, Vec<String>> =
        ["urls", "domains", "ips", "hashes", "emails", "cves"].into_iter().map(|kind| (kind.to_owned(), Vec::new())).collect();
    let mut statement = db.prepare_cached("SELECT kind, value FROM indicator WHERE ticket = ?1 ORDER BY kind, value")?;
    let rows = statement.query_map([&number.0], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    for row in rows {
        let (kind, value) = row.context("read the indicators")?;
        found.entry(kind).or_default().push(value);
    }
    Ok(found)
}

fn outbox_row(row: &Row<'_>, view: &View) -> rusqlite::Result<OutboxRow> {
    let show = |time: At| local(time.0, &view.time_zone);
    Ok(OutboxRow {
        id: row.get(0)?,
        message_id: row.get(1)?,
        to: row.get(2)?,
        kind: row.get::<_, Word<_>>(3)?.0,
        ticket: row.get::<_, Option<String>>(4)?.map(TicketNumber),
        state: row.get::<_, Word<_>>(5)?.0,
        attempts: row.get(6)?,
        next_at: row.get::<_, Option<At>>(7)?.map(show),
        last_error: row.get(8)?,
        queued_at: show(row.get(9)?),
        sent_at: row.get::<_, Option<At>>(10)?.map(show),
        resends: row.get(11)?,
        dissemination: row.get::<_, Option<String>>(12)?.map(DisseminationNumber),
        may_have_left: row.get(13)?,
    })
}

const MAIL_COLUMNS: &str = "id, message_id, state, kind, ticket, from_address, subject, category, because, bytes, received_at, quarantine";

fn mail_row(row: &Row<'_>, view: &View) -> rusqlite::Result<MailRow> {
    Ok(MailRow {
        id: InboxId(row.get(0)?),
        message_id: row.get(1)?,
        state: row.get(2)?,
        kind: row.get::<_, Option<Word<_>>>(3)?.map(|word| word.0),
        ticket: row.get::<_, Option<String>>(4)?.map(TicketNumber),
        from: row.get(5)?,
        subject: row.get(6)?,
        category: row.get::<_, Word<_>>(7)?.0,
        reason: row.get(8)?,
        bytes: row.get(9)?,
        at: local(row.get::<_, At>(10)?.0, &view.time_zone),
        quarantine: row.get(11)?,
    })
}
