//! Disseminations as their rows stand, and their recipients as the directory has them now.

use super::row::Word;
use super::snapshot::TAKEN_UP;
use super::{Store, at, audit, directory};
use crate::model::contact::Contact;
use crate::model::dissemination::{Addressed, Dissemination, DisseminationNumber, DisseminationState, Recipient, RecipientKind};
use crate::model::ticket::TicketNumber;
use crate::model::{Address, Sha256};
use anyhow::Context as _;
use rusqlite::{Connection, OptionalExtension as _};
use std::collections::{BTreeMap, BTreeSet};

impl Store {
    /// One dissemination as the core knows it, without the content of its enclosures.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn dissemination_state(&self, number: &DisseminationNumber) -> anyhow::Result<Option<Dissemination>> {
        self.read(|db| one(db, number))
    }

    /// A dissemination, and the SHA-256 of the manifest that the audit log took down when it was released.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn released(&self, number: &DisseminationNumber) -> anyhow::Result<Option<(Dissemination, Sha256)>> {
        self.read(|db| {
            let Some(found) = one(db, number)? else { return Ok(None) };
            // By time, which has an index; the first entry counts.
            let manifest: Option<String> = db
                .prepare_cached(
                    "SELECT digest FROM audit INDEXED BY audit_by_time
                     WHERE at >= ?1 AND thing = 'dissemination' AND thing_id = ?2 AND what = ?3 ORDER BY at, id LIMIT 1",
                )?
                .query_row((at(found.created_at), &number.0, audit::RELEASED), |row| row.get(0))
                .optional()
                .with_context(|| format!("read what was agreed to of {number}"))?;
            Ok(manifest.map(|manifest| (found, Sha256(manifest))))
        })
    }
}

/// One dissemination as it stands; the content of its enclosures stays in the store.
pub(super) fn one(db: &Connection, number: &DisseminationNumber) -> anyhow::Result<Option<Dissemination>> {
    let body: Option<String> = db
        .prepare_cached("SELECT body FROM dissemination WHERE number = ?1")?
        .query_row([&number.0], |row| row.get(0))
        .optional()
        .with_context(|| format!("read dissemination {number}"))?;
    body.map(|body| whole(db, &body).with_context(|| format!("read dissemination {number}"))).transpose()
}

/// A dissemination of its row and the rows of its recipients.
pub(super) fn whole(db: &Connection, body: &str) -> anyhow::Result<Dissemination> {
    let mut dissemination: Dissemination = serde_json::from_str(body)?;
    let mut statement = db.prepare_cached("SELECT body FROM recipient WHERE dissemination = ?1 ORDER BY n, address")?;
    let mut rows = statement.query([&dissemination.number.0])?;
    dissemination.recipients.clear();
    while let Some(row) = rows.next().context("read the recipients")? {
        dissemination.recipients.push(serde_json::from_str(row.get_ref(0)?.as_str()?).context("read a recipient")?);
    }
    Ok(dissemination)
}

/// One recipient of a dissemination, whatever the number of the others.
pub(super) fn addressed(db: &Connection, number: &DisseminationNumber, to: &Address) -> anyhow::Result<Option<Addressed>> {
    let row: Option<(String, String, Word<DisseminationState>, String)> = db
        .prepare_cached(
            "SELECT dissemination.ticket, dissemination.author, dissemination.state, recipient.body FROM recipient
             JOIN dissemination ON dissemination.number = recipient.dissemination WHERE recipient.dissemination = ?1 AND address = ?2",
        )?
        .query_row((&number.0, to.as_str()), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()
        .with_context(|| format!("read a recipient of {number}"))?;
    let Some((ticket, author, Word(state), body)) = row else { return Ok(None) };
    let others_wait: bool = db
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM recipient WHERE dissemination = ?1 AND state = 'queued' AND address <> ?2)")?
        .query_row((&number.0, to.as_str()), |row| row.get(0))
        .context("look for recipients that wait")?;
    // Asked only of the last one: it reads them all.
    let others_left: bool = !others_wait
        && db
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM recipient WHERE dissemination = ?1 AND address <> ?2 AND json_extract(body, '$.sent_at') IS NOT NULL)",
            )?
            .query_row((&number.0, to.as_str()), |row| row.get(0))
            .context("look for recipients that were reached")?;
    let recipient = serde_json::from_str(&body).with_context(|| format!("read a recipient of {number}"))?;
    let author = Address::parse(&author).with_context(|| format!("the author of {number} is no address"))?;
    let (number, ticket) = (number.clone(), TicketNumber(ticket));
    Ok(Some(Addressed { number, ticket, author, state, recipient, others_wait, others_left }))
}

/// The disseminations of a ticket and of those that were merged into it, in the order of their numbers.
pub(super) fn of_ticket(db: &Connection, ticket: &TicketNumber) -> anyhow::Result<Vec<Dissemination>> {
    let mut found = Vec::new();
    for number in numbers_of(db, ticket)? {
        found.extend(one(db, &number)?);
    }
    Ok(found)
}

pub(super) fn numbers_of(db: &Connection, ticket: &TicketNumber) -> anyhow::Result<Vec<DisseminationNumber>> {
    let mut statement =
        db.prepare_cached(&format!("{TAKEN_UP} SELECT number FROM dissemination WHERE ticket IN taken_up ORDER BY created_at, number"))?;
    let rows = statement.query_map([&ticket.0], |row| row.get(0).map(DisseminationNumber))?;
    rows.collect::<Result<_, _>>().with_context(|| format!("read the disseminations of {ticket}"))
}

/// The recipients of one that is not agreed to yet, as the directory has them now.
pub(super) fn contacts(db: &Connection, dissemination: &Dissemination) -> anyhow::Result<BTreeMap<Address, Contact>> {
    let mut known = BTreeMap::new();
    if dissemination.state == DisseminationState::AwaitingApproval {
        for recipient in &dissemination.recipients {
            let contact = directory::by_address(db, &recipient.address)?;
            known.extend(contact.map(|contact| (recipient.address.clone(), contact)));
        }
    }
    Ok(known)
}

/// Recipients of one that is not agreed to yet whose pinned certificate is another one than the manifest names.
pub(super) fn repinned(db: &Connection, dissemination: &Dissemination) -> anyhow::Result<BTreeSet<Address>> {
    let known = contacts(db, dissemination)?;
    let of_contact = dissemination.recipients.iter().filter(|recipient| recipient.kind != RecipientKind::InternalUnit);
    let is_changed =
        |recipient: &&Recipient| known.get(&recipient.address).is_some_and(|contact| contact.fingerprint != recipient.fingerprint);
    Ok(of_contact.filter(is_changed).map(|recipient| recipient.address.clone()).collect())
}
