//! What a decision may know: the question answered inside the transaction that will apply the
//! decision, so that nothing can change in between.

use super::listing::TicketFilter;
use super::row::{At, Word};
use super::{Place, at, directory, dissemination, ledger, query};
use crate::model::dissemination::DisseminationNumber;
use crate::model::effect::Filing;
use crate::model::letter::{ENCLOSURES_BYTES_MAX, ENCLOSURES_MAX, Enclosure};
use crate::model::snapshot::{
    Candidate, Counters, FiledMail, HeldLetter, Moment, OurLetter, Question, SeenPlaintext, Snapshot, Spoken, TimelineLine,
};
use crate::model::ticket::{State, Ticket, TicketNumber};
use crate::model::{Address, Fingerprint, InboxId, Sha256};
use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Params, Row};
use std::collections::BTreeSet;

/// More references than this are not looked up (a mail brings at most 60).
const REFERENCES_MAX: usize = 100;
/// More tickets than this are not loaded for one decision: nothing legal needs them.
pub(super) const TICKETS_MAX: usize = 100;
/// What `!status` shows of a ticket's history.
const TIMELINE_LINES_MAX: i64 = 50;
/// Messages that `!status` shows, and characters of each: a page is read, a book is exported.
const SPOKEN_MAX: i64 = 10;
const SPOKEN_CHARS_MAX: usize = 8_000;
/// Files that `!status` names.
const ATTACHMENTS_MAX: i64 = 100;
/// Indicators that `!status` names; more is evidence to be exported.
const INDICATORS_MAX: i64 = 100;

/// Tickets of this long make a crowd.
const CROWDED_WITHIN: SignedDuration = SignedDuration::from_mins(5);
/// Lines of one digest of new tickets; past them nobody reads on, and `!daftar baru` names all.
const CROWD_LINES_MAX: i64 = 2_000;

/// What is numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Series {
    Ticket,
    Dissemination,
}

impl Series {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ticket => "ticket",
            Self::Dissemination => "dissemination",
        }
    }

    pub(super) fn number(self, prefix: &str, year: i16, serial: u32) -> String {
        match self {
            Self::Ticket => TicketNumber::new(prefix, year, serial).0,
            Self::Dissemination => DisseminationNumber::new(year, serial).0,
        }
    }
}

/// The next year and serial. A year lower than the last used one (a clock that jumped back) goes on with the last (F70).
pub(super) fn next(db: &Connection, series: Series, place: &Place, now: Timestamp) -> anyhow::Result<(i16, u32)> {
    let this_year = now.to_zoned_datetime(place.time_zone.clone()).year();
    let last: Option<(i16, u32)> = db
        .prepare_cached("SELECT year, last FROM counter WHERE name = ?1 ORDER BY year DESC LIMIT 1")?
        .query_row([series.word()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
        .context("read the counter")?;
    Ok(match last {
        Some((year, serial)) if year >= this_year => (year, serial.saturating_add(1)),
        _ => (this_year, 1),
    })
}

/// Answers the question. `inbox` is the mail itself, which is not its own duplicate.
pub(super) fn take(
    db: &Connection,
    question: &Question,
    inbox: Option<InboxId>,
    place: &Place,
    now: Timestamp,
) -> anyhow::Result<Snapshot> {
    let (year, serial) = next(db, Series::Ticket, place, now)?;
    let mut world = Snapshot::empty(&place.prefix, year);
    world.next_ticket = TicketNumber::new(&place.prefix, year, serial);
    let (year, serial) = next(db, Series::Dissemination, place, now)?;
    world.next_dissemination = DisseminationNumber::new(year, serial);
    world.duplicate_of = duplicate(db, question, inbox)?;
    (world.token_letter, world.letters) = letters(db, question)?;
    world.referred_tickets = referred(db, question, inbox)?;
    world.newest_of_sender = newest_of_sender(db, question, now)?;
    load_tickets(db, question, &mut world)?;
    world.counters = counters(db, question, place, now)?;
    for key in &question.signatures {
        let seen = db
            .prepare_cached("SELECT inbox, used_at FROM signature WHERE key = ?1")?
            .query_row([&key.0], |row| Ok((InboxId(row.get::<_, Option<i64>>(0)?.unwrap_or_default()), row.get::<_, At>(1)?.0)))
            .optional()
            .context("look for the signature")?;
        world.seen_signatures.extend(seen.map(|seen| (key.clone(), seen)));
    }
    for hash in &question.plaintexts {
        let seen = db
            .prepare_cached(
                "SELECT plaintext.inbox, plaintext.sender, inbox.ticket FROM plaintext LEFT JOIN inbox ON inbox.id = plaintext.inbox
                 WHERE plaintext.sha256 = ?1",
            )?
            .query_row([&hash.0], |row| {
                Ok(SeenPlaintext {
                    mail: InboxId(row.get::<_, Option<i64>>(0)?.unwrap_or_default()),
                    from: row.get::<_, Option<Word<Address>>>(1)?.map(|from| from.0),
                    ticket: row.get::<_, Option<String>>(2)?.map(TicketNumber),
                })
            })
            .optional()
            .context("look for a decrypted text")?;
        world.seen_plaintexts.extend(seen.map(|seen| (hash.clone(), seen)));
    }
    for target in &question.targets {
        world.targets.insert(target.clone(), directory::named(db, target)?);
    }
    if let Some(to) = question.acknowledged.as_ref().or(question.sender.as_ref()) {
        world.is_first_letter = !db
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM outbox WHERE to_mailbox = ?1)")?
            .query_row([to.as_counted().as_str()], |row| row.get(0))
            .context("look for earlier letters")?;
    }
    if let Some(sender) = &question.sender {
        world.contact = directory::by_address(db, sender)?;
        world.awaited_of_sender = awaited_of(db, sender)?;
        for number in &world.awaited_of_sender {
            world.held.extend(held(db, "dissemination = ?1 AND to_address = ?2", (&number.0, sender.as_str()))?);
        }
    }
    if let Some(id) = question.mail {
        world.mail = filed(db, id)?;
    }
    if let Some(number) = &question.held_of {
        let own = format!("dissemination IS NULL AND ticket IN ({TAKEN_UP} SELECT number FROM taken_up)");
        world.held.extend(held(db, &own, [&number.0])?);
        for dissemination in world.disseminations.keys() {
            world.held.extend(held(db, "dissemination = ?1", [&dissemination.0])?);
        }
    }
    if let Some(number) = &question.timeline {
        world.timeline = timeline(db, number)?;
        world.conversation = conversation(db, number)?;
        world.attachments = attachments(db, number)?;
        world.files = files(db, number)?;
        world.indicators = indicators(db, number)?;
    }
    if let Some(number) = &question.opening {
        world.priority_by = priority_by(db, number)?;
    }
    if question.asks_crowd {
        world.crowd = crowd(db)?;
    }
    if let Some(wanted) = question.ledger {
        let period = wanted.period(&place.time_zone, now);
        world.ledger = Some(Box::new(ledger::take(db, period, &place.time_zone)?));
    }
    if question.open_tickets > 0 {
        let states = State::ALL.iter().copied().filter(|state| state.is_open()).collect();
        let limit = usize::try_from(question.open_tickets).ok();
        world.open_tickets = query::select_tickets(db, &TicketFilter { states, limit, ..TicketFilter::default() })?;
    }
    Ok(world)
}

fn duplicate(db: &Connection, question: &Question, inbox: Option<InboxId>) -> anyhow::Result<Option<(InboxId, Option<TicketNumber>)>> {
    let Some(content) = &question.content else { return Ok(None) };
    db.prepare_cached("SELECT id, ticket FROM inbox WHERE content_sha256 = ?1 AND id <> ?2 AND state = 'decided' ORDER BY id LIMIT 1")?
        .query_row((&content.0, inbox.map_or(0, |id| id.0)), |row| {
            Ok((InboxId(row.get(0)?), row.get::<_, Option<String>>(1)?.map(TicketNumber)))
        })
        .optional()
        .context("look for the same mail")
}

const LETTER_COLUMNS: &str = "message_id, kind, ticket, dissemination, to_address, state, sent_at";

fn our_letter(row: &Row<'_>) -> rusqlite::Result<OurLetter> {
    Ok(OurLetter {
        message_id: row.get(0)?,
        kind: row.get::<_, Word<_>>(1)?.0,
        ticket: row.get::<_, Option<String>>(2)?.map(TicketNumber),
        dissemination: row.get::<_, Option<String>>(3)?.map(DisseminationNumber),
        to: row.get::<_, Word<Address>>(4)?.0,
        state: row.get::<_, Word<_>>(5)?.0,
        sent_at: row.get::<_, Option<At>>(6)?.map(|at| at.0),
    })
}

/// The letter of the token in the address first, and its Message-ID; then those of the references in their order.
fn letters(db: &Connection, question: &Question) -> anyhow::Result<(Option<String>, Vec<OurLetter>)> {
    let mut letters: Vec<OurLetter> = Vec::new();
    if let Some(token) = &question.token {
        let found = db
            .prepare_cached(&format!("SELECT {LETTER_COLUMNS} FROM outbox WHERE token = ?1 ORDER BY id DESC LIMIT 1"))?
            .query_row([token], our_letter)
            .optional()
            .context("look for the letter of a token")?;
        letters.extend(found);
    }
    let of_token = letters.first().map(|letter| letter.message_id.clone());
    let mut by_message_id = db.prepare_cached(&format!("SELECT {LETTER_COLUMNS} FROM outbox WHERE message_id = ?1"))?;
    for reference in question.references.iter().take(REFERENCES_MAX) {
        let found = by_message_id.query_row([reference], our_letter).optional().context("look for a letter of ours")?;
        letters.extend(found.filter(|letter| letters.iter().all(|other| other.message_id != letter.message_id)));
    }
    Ok((of_token, letters))
}

fn referred(db: &Connection, question: &Question, inbox: Option<InboxId>) -> anyhow::Result<Vec<TicketNumber>> {
    let mut tickets: Vec<TicketNumber> = Vec::new();
    let mut statement = db.prepare_cached(
        "SELECT DISTINCT ticket FROM inbox WHERE message_id = ?1 AND ticket IS NOT NULL AND id <> ?2 ORDER BY id LIMIT 10",
    )?;
    for reference in question.references.iter().take(REFERENCES_MAX) {
        let rows = statement.query_map((reference, inbox.map_or(0, |id| id.0)), |row| row.get(0).map(TicketNumber))?;
        for number in rows {
            let number = number.context("look for stored mail")?;
            if !tickets.contains(&number) {
                tickets.push(number);
            }
        }
    }
    Ok(tickets)
}

/// What was sent to this address and is not confirmed yet.
fn awaited_of(db: &Connection, sender: &Address) -> anyhow::Result<Vec<DisseminationNumber>> {
    let mut statement = db.prepare_cached(
        "SELECT dissemination FROM recipient JOIN dissemination ON dissemination.number = recipient.dissemination
         WHERE recipient.address = ?1 AND recipient.state = 'sent' AND dissemination.state IN ('sending', 'sent') ORDER BY dissemination",
    )?;
    let rows = statement.query_map([sender.as_str()], |row| row.get::<_, String>(0))?;
    let numbers: Vec<String> = rows.collect::<Result<_, _>>().context("look for what the sender has to confirm")?;
    Ok(numbers.into_iter().map(DisseminationNumber).collect())
}

/// A ticket (`?1`) and those that were merged into it: it links to each of them.
pub(super) const TAKEN_UP: &str = "WITH RECURSIVE taken_up (number) AS (
    SELECT ?1 UNION SELECT other.number FROM taken_up JOIN ticket ON ticket.number = taken_up.number
    JOIN json_each(ticket.fold, '$.links') AS link JOIN ticket AS other ON other.number = link.value
    WHERE json_extract(other.fold, '$.merged_into') = taken_up.number)";

/// Letters that nobody has let go, reminders that wait, and mail of disseminations that waits. Those to the house say what happened, and an
/// acknowledgement waits for a command of its own (contract 2): they are none of these.
fn held(db: &Connection, which: &str, parameters: impl Params) -> anyhow::Result<Vec<HeldLetter>> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT message_id, kind, to_address, dissemination, state = 'queued' AND kind = 'dissemination' FROM outbox
         WHERE {which} AND kind NOT IN ('acknowledgement', 'notice', 'receipt', 'report')
             AND (state = 'held' OR (state = 'queued' AND kind IN ('reminder', 'dissemination'))) ORDER BY id"
    ))?;
    let rows = statement.query_map(parameters, |row| {
        Ok(HeldLetter {
            message_id: row.get(0)?,
            kind: row.get::<_, Word<_>>(1)?.0,
            to: row.get::<_, Word<Address>>(2)?.0,
            dissemination: row.get::<_, Option<String>>(3)?.map(DisseminationNumber),
            is_let_go: row.get(4)?,
        })
    })?;
    rows.collect::<Result<_, _>>().context("look for letters that are held")
}

fn newest_of_sender(db: &Connection, question: &Question, now: Timestamp) -> anyhow::Result<Option<TicketNumber>> {
    let Some(sender) = &question.sender else { return Ok(None) };
    let since = at(now.saturating_sub(SignedDuration::from_hours(24)).unwrap_or(now));
    db.prepare_cached(
        "SELECT number FROM ticket WHERE reporter_mailbox = ?1 AND opened_at > ?2 ORDER BY opened_at DESC, number DESC LIMIT 1",
    )?
    .query_row((sender.as_counted().as_str(), since), |row| row.get(0).map(TicketNumber))
    .optional()
    .context("look for the sender's newest ticket")
}

/// Tickets that anything in the question leads to, and the disseminations of each.
fn load_tickets(db: &Connection, question: &Question, world: &mut Snapshot) -> anyhow::Result<()> {
    let mut numbers: BTreeSet<TicketNumber> = question.tickets.iter().cloned().collect();
    numbers.extend(world.referred_tickets.iter().cloned());
    numbers.extend(world.newest_of_sender.iter().cloned());
    numbers.extend(world.letters.iter().filter_map(|letter| letter.ticket.clone()));
    numbers.extend(world.duplicate_of.iter().filter_map(|(_, ticket)| ticket.clone()));
    let mut named: Vec<DisseminationNumber> = question.disseminations.clone();
    named.extend(world.letters.iter().filter_map(|letter| letter.dissemination.clone()));
    for number in named.into_iter().take(TICKETS_MAX) {
        if world.disseminations.contains_key(&number) {
            continue;
        }
        if let Some(found) = dissemination::one(db, &number)? {
            numbers.insert(found.ticket.clone());
            world.recipients.extend(dissemination::contacts(db, &found)?);
            world.disseminations.insert(number, found);
        }
    }
    let wanted: Vec<TicketNumber> = numbers.into_iter().collect();
    add_tickets(db, wanted, world)?;
    if let Some((number, to)) = &question.addressed {
        world.addressed = dissemination::addressed(db, number, to)?;
    }
    let mut drafted_under = Vec::new();
    for number in world.tickets.keys().filter(|_| !question.skips_disseminations) {
        for one in dissemination::numbers_of(db, number)? {
            if !world.disseminations.contains_key(&one)
                && let Some(found) = dissemination::one(db, &one)?
            {
                if question.timeline.is_some() {
                    world.recipients.extend(dissemination::contacts(db, &found)?);
                }
                drafted_under.push(found.ticket.clone());
                world.disseminations.insert(one, found);
            }
        }
    }
    // Whose they are is told by the tickets that they were drafted under.
    add_tickets(db, drafted_under, world)?;
    for number in world.tickets.keys() {
        world.candidates.extend(candidate(db, number)?.map(|(candidate, _)| (number.clone(), candidate)));
    }
    let reporters: BTreeSet<Address> = world.tickets.values().filter_map(|ticket| ticket.reporter.clone()).collect();
    for reporter in reporters {
        if let Some(fingerprint) = directory::by_address(db, &reporter)?.and_then(|contact| contact.fingerprint) {
            world.certificates.insert(reporter, fingerprint);
        }
    }
    Ok(())
}

/// These tickets, and those that took them up: what concerns a merged ticket may have to go to the other one.
fn add_tickets(db: &Connection, mut wanted: Vec<TicketNumber>, world: &mut Snapshot) -> anyhow::Result<()> {
    while let Some(number) = wanted.pop() {
        if world.tickets.contains_key(&number) || world.tickets.len() >= TICKETS_MAX {
            continue;
        }
        let Some(ticket) = ticket(db, &number)? else { continue };
        wanted.extend(ticket.merged_into.clone());
        world.tickets.insert(number, ticket);
    }
    Ok(())
}

/// The key of a ticket's reporter that nobody has verified, and its bytes.
pub(super) fn candidate(db: &Connection, number: &TicketNumber) -> anyhow::Result<Option<(Candidate, Vec<u8>)>> {
    // It came with the report where the same mail opened the ticket.
    db.prepare_cached(
        "SELECT fingerprint, content, coalesce(inbox = (SELECT inbox FROM event WHERE event.ticket = candidate.ticket ORDER BY n LIMIT 1), 0)
         FROM candidate WHERE ticket = ?1",
    )?
    .query_row([&number.0], |row| {
        let moment = if row.get(2)? { Moment::Opening } else { Moment::Later };
        Ok((Candidate { fingerprint: Fingerprint(row.get(0)?), moment }, row.get(1)?))
    })
    .optional()
    .with_context(|| format!("look for the key of the reporter of {number}"))
}

/// One ticket as it stands.
pub(super) fn ticket(db: &Connection, number: &TicketNumber) -> anyhow::Result<Option<Ticket>> {
    let fold: Option<String> = db
        .prepare_cached("SELECT fold FROM ticket WHERE number = ?1")?
        .query_row([&number.0], |row| row.get(0))
        .optional()
        .with_context(|| format!("read ticket {number}"))?;
    fold.map(|fold| serde_json::from_str(&fold).with_context(|| format!("read ticket {number}"))).transpose()
}

/// What counts against the limits of contract 2. A held or cancelled acknowledgement was not sent
/// and does not count: else a forger could use up the victim's share.
fn counters(db: &Connection, question: &Question, place: &Place, now: Timestamp) -> anyhow::Result<Counters> {
    const COUNTED: &str = "kind = 'acknowledgement' AND state NOT IN ('held', 'cancelled')";
    let ago = |hours: i64| at(now.saturating_sub(SignedDuration::from_hours(hours)).unwrap_or(now));
    let mut counters = Counters::default();
    if let Some(sender) = question.acknowledged.as_ref().or(question.sender.as_ref()) {
        counters.acks_to_sender = db
            .prepare_cached(&format!("SELECT count(*) FROM outbox WHERE to_mailbox = ?1 AND {COUNTED} AND queued_at > ?2"))?
            .query_row((sender.as_counted().as_str(), ago(24)), |row| row.get(0))?;
        counters.tickets_of_sender = db
            .prepare_cached("SELECT count(*) FROM ticket WHERE reporter_mailbox = ?1 AND opened_at > ?2")?
            .query_row((sender.as_counted().as_str(), ago(24)), |row| row.get(0))?;
        counters.acks_to_domain = db
            .prepare_cached(&format!(
                "SELECT count(*) FROM outbox WHERE to_domain = ?1 AND {COUNTED} AND (queued_at > ?2 OR next_at > ?2)"
            ))?
            .query_row((sender.domain(), ago(1)), |row| row.get(0))?;
    }
    // What still waits for its turn counts as well, or a long flood would pass the limit later.
    counters.acks = db
        .prepare_cached(&format!("SELECT count(*) FROM outbox WHERE {COUNTED} AND (queued_at > ?1 OR next_at > ?1)"))?
        .query_row([ago(1)], |row| row.get(0))?;
    (counters.new_tickets, counters.new_critical) = db
        .prepare_cached("SELECT count(*), count(*) FILTER (WHERE priority = 'critical') FROM ticket WHERE opened_at > ?1")?
        .query_row([at(now.saturating_sub(CROWDED_WITHIN).unwrap_or(now))], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if let Some(person) = &question.person {
        let midnight = now.to_zoned_datetime(place.time_zone.clone()).start_of_day().map_or(now, |day| day.timestamp());
        counters.refusals = db
            .prepare_cached("SELECT count(*) FROM refusal WHERE person = ?1 AND at >= ?2")?
            .query_row((person.as_str(), at(midnight)), |row| row.get(0))?;
    }
    Ok(counters)
}

/// The lines that wait to be told together, the most urgent first, of the same priority the oldest: who reads
/// only the top of a flood must not miss what burns.
fn crowd(db: &Connection) -> anyhow::Result<Vec<(Timestamp, String)>> {
    let mut statement = db.prepare_cached(
        "SELECT crowd.at, crowd.line FROM crowd LEFT JOIN ticket ON ticket.number = crowd.ticket
         ORDER BY CASE ticket.priority WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2 ELSE 3 END, crowd.at, crowd.ticket
         LIMIT ?1",
    )?;
    let rows = statement.query_map([CROWD_LINES_MAX], |row| Ok((row.get::<_, At>(0)?.0, row.get(1)?)))?;
    rows.collect::<Result<_, _>>().context("read the lines of new tickets")
}

/// Who set the priority of a ticket last.
fn priority_by(db: &Connection, number: &TicketNumber) -> anyhow::Result<Option<String>> {
    db.prepare_cached("SELECT by FROM event WHERE ticket = ?1 AND event = 'priority_set' ORDER BY n DESC LIMIT 1")?
        .query_row([&number.0], |row| row.get(0))
        .optional()
        .with_context(|| format!("read who set the priority of {number}"))
}

/// The last events of a ticket, oldest first.
fn timeline(db: &Connection, number: &TicketNumber) -> anyhow::Result<Vec<TimelineLine>> {
    let mut statement = db.prepare_cached(
        "SELECT at, event, by, detail FROM (SELECT n, at, event, by, detail FROM event WHERE ticket = ?1 ORDER BY n DESC LIMIT ?2) ORDER BY n",
    )?;
    let rows = statement.query_map((&number.0, TIMELINE_LINES_MAX), |row| {
        Ok(TimelineLine { at: row.get::<_, At>(0)?.0, event: row.get(1)?, by: row.get(2)?, detail: row.get(3)? })
    })?;
    rows.collect::<Result<_, _>>().with_context(|| format!("read the history of {number}"))
}

/// What was said with the reporter and others last, notices and receipts left out: oldest first.
fn conversation(db: &Connection, number: &TicketNumber) -> anyhow::Result<Vec<Spoken>> {
    let mut statement = db.prepare_cached(
        "SELECT at, sender, subject, text FROM (
             SELECT decided_at AS at, coalesce(from_address, '-') AS sender, subject, text FROM inbox
             WHERE ticket = ?1 AND state = 'decided' AND kind IN ('report', 'reply')
             UNION ALL
             SELECT queued_at, '→ ' || to_address, json_extract(letter, '$.subject'), json_extract(letter, '$.text') FROM outbox
             WHERE ticket = ?1 AND kind IN ('request', 'reply', 'analysis', 'rejection')
             ORDER BY at DESC LIMIT ?2) ORDER BY at",
    )?;
    let rows = statement.query_map((&number.0, SPOKEN_MAX), |row| {
        let text: String = row.get(3)?;
        Ok(Spoken {
            at: row.get::<_, At>(0)?.0,
            from: row.get(1)?,
            subject: row.get(2)?,
            cut: text.chars().count().saturating_sub(SPOKEN_CHARS_MAX),
            text: text.chars().take(SPOKEN_CHARS_MAX).collect(),
        })
    })?;
    rows.collect::<Result<_, _>>().with_context(|| format!("read what was said on {number}"))
}

/// The files of a ticket, one a line.
fn attachments(db: &Connection, number: &TicketNumber) -> anyhow::Result<Vec<String>> {
    let mut statement =
        db.prepare_cached("SELECT name, media_type, bytes, sha256 FROM attachment WHERE ticket = ?1 ORDER BY id LIMIT ?2")?;
    let rows = statement.query_map((&number.0, ATTACHMENTS_MAX), |row| {
        let (name, media_type, bytes, sha256): (String, String, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        Ok(format!("{name} · {media_type} · {bytes} B · {sha256}"))
    })?;
    rows.collect::<Result<_, _>>().with_context(|| format!("read the files of {number}"))
}

/// The files of a ticket that one mail takes, each once and none that was erased, in their order.
fn files(db: &Connection, number: &TicketNumber) -> anyhow::Result<Vec<Enclosure>> {
    let mut statement = db.prepare_cached(
        "SELECT name, media_type, attachment.sha256, length(content) FROM attachment JOIN blob ON blob.sha256 = attachment.sha256
         WHERE ticket = ?1 AND length(content) > 0 GROUP BY attachment.sha256 ORDER BY min(attachment.id)",
    )?;
    let mut content = db.prepare_cached("SELECT content FROM blob WHERE sha256 = ?1")?;
    let mut rows = statement.query([&number.0])?;
    let (mut files, mut bytes) = (Vec::new(), 0_usize);
    while let Some(row) = rows.next().with_context(|| format!("read the files of {number}"))? {
        let (name, media_type, sha256, length): (String, String, String, u32) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if files.len() == ENCLOSURES_MAX {
            break;
        }
        if bytes.saturating_add(length) > ENCLOSURES_BYTES_MAX {
            continue;
        }
        bytes += length;
        let content: Vec<u8> = content.query_row([&sha256], |row| row.get(0)).with_context(|| format!("read a file of {number}"))?;
        files.push(Enclosure { name, media_type, sha256: Sha256(sha256), content: content.into() });
    }
    Ok(files)
}

/// The indicators of a ticket, with the kind of each.
fn indicators(db: &Connection, number: &TicketNumber) -> anyhow::Result<Vec<(String, String)>> {
    let mut statement = db.prepare_cached("SELECT kind, value FROM indicator WHERE ticket = ?1 ORDER BY kind, value LIMIT ?2")?;
    let rows = statement.query_map((&number.0, INDICATORS_MAX), |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect::<Result<_, _>>().with_context(|| format!("read the indicators of {number}"))
}

/// A decided mail with its verdict and its bytes.
fn filed(db: &Connection, id: InboxId) -> anyhow::Result<Option<FiledMail>> {
    db.prepare_cached(
        "SELECT kind, ticket, from_address, message_id, subject, text, language, category, because, quarantine, in_digest, content, received_at, rules_version
         FROM inbox JOIN raw ON raw.inbox = inbox.id WHERE inbox.id = ?1 AND state = 'decided'",
    )?
    .query_row([id.0], |row| {
        let filing = Filing {
            kind: row.get::<_, Word<_>>(0)?.0,
            ticket: row.get::<_, Option<String>>(1)?.map(TicketNumber),
            from: row.get::<_, Option<Word<Address>>>(2)?.map(|from| from.0),
            message_id: row.get(3)?,
            subject: row.get(4)?,
            text: row.get(5)?,
            language: row.get::<_, Word<_>>(6)?.0,
            category: row.get::<_, Word<_>>(7)?.0,
            because: row.get(8)?,
            quarantine: row.get(9)?,
            in_digest: row.get(10)?,
            rules_version: row.get(13)?,
        };
        Ok(FiledMail { id, filing, raw: row.get(11)?, received_at: row.get::<_, At>(12)?.0 })
    })
    .optional()
    .with_context(|| format!("read mail {id}"))
}
