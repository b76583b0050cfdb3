//! What may keep a letter from leaving while it waits: read when it is made ready, and again when it is claimed.

use super::row::Word;
use super::{directory, snapshot};
use crate::model::Tlp;
use crate::model::dissemination::{DisseminationState, RecipientState};
use crate::model::letter::Letter;
use crate::model::snapshot::Ground;
use crate::model::ticket::{Ticket, TicketNumber};
use anyhow::Context as _;
use rusqlite::{Connection, OptionalExtension as _};

/// What a letter may leave on, as it stands now.
pub(super) fn of(db: &Connection, letter: &Letter) -> anyhow::Result<Ground> {
    let Some(number) = &letter.dissemination else {
        let mark = letter.ticket.as_ref().map(|ticket| mark(db, ticket, |ticket| ticket.tlp)).transpose()?.flatten();
        return Ok(Ground { mark, ..Ground::default() });
    };
    let found: Option<(Word<DisseminationState>, TicketNumber)> = db
        .prepare_cached("SELECT state, ticket FROM dissemination WHERE number = ?1")?
        .query_row([&number.0], |row| Ok((row.get(0)?, TicketNumber(row.get(1)?))))
        .optional()
        .with_context(|| format!("read the state of {number}"))?;
    // What a person marked the ticket with says nothing of a dissemination, which has a mark of its own.
    let received = found.as_ref().map(|(_, ticket)| mark(db, ticket, |ticket| ticket.received_tlp)).transpose()?.flatten();
    let recipient: Option<Word<RecipientState>> = db
        .prepare_cached("SELECT state FROM recipient WHERE dissemination = ?1 AND address = ?2")?
        .query_row((&number.0, letter.to.as_str()), |row| row.get(0))
        .optional()
        .with_context(|| format!("read a recipient of {number}"))?;
    Ok(Ground {
        mark: received,
        recipient: recipient.map(|word| word.0),
        dissemination: found.map(|(word, _)| word.0),
        contact: directory::by_address(db, &letter.to)?,
    })
}

/// The highest mark, of the kind that `of` reads, of a ticket and those that took it up, and which of them bears it.
fn mark(db: &Connection, number: &TicketNumber, of: impl Fn(&Ticket) -> Option<Tlp>) -> anyhow::Result<Option<(TicketNumber, Tlp)>> {
    let (mut mark, mut next): (Option<(TicketNumber, Tlp)>, _) = (None, Some(number.clone()));
    // Merging refuses merged targets, so a chain is short; the bound keeps a damaged one from going round.
    for _ in 0..snapshot::TICKETS_MAX {
        let Some(number) = next.take() else { break };
        let Some(ticket) = snapshot::ticket(db, &number)? else { break };
        if let Some(higher) = of(&ticket).filter(|tlp| mark.as_ref().is_none_or(|(_, mark)| tlp > mark)) {
            mark = Some((ticket.number, higher));
        }
        next = ticket.merged_into;
    }
    Ok(mark)
}
