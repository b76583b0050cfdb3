//! Stored reports with what they were filed as and what analysts made of that: what `rules replay`
//! and `rules export-corrections` go through. A correction is the last `!kategori` on the ticket that
//! a report opened; history keeps it, so nothing is written here.

use super::row::{At, Word};
use super::{Store, at};
use crate::model::ticket::TicketNumber;
use crate::model::{Category, InboxId};
use anyhow::Context as _;
use jiff::Timestamp;

/// A report as it was filed.
#[derive(Debug, Clone)]
pub struct Judged {
    pub id: InboxId,
    pub ticket: Option<TicketNumber>,
    pub received_at: Timestamp,
    pub filed: Category,
    /// The version of the rules that filed it; empty where that was not kept yet.
    pub rules_version: String,
    /// What an analyst said that the ticket is about, and who.
    pub corrected: Option<(Category, String)>,
    pub raw: Vec<u8>,
}

/// Which reports are gone through.
#[derive(Debug, Clone, Copy, Default)]
pub struct JudgedFilter {
    pub since: Option<Timestamp>,
    pub corrected_only: bool,
}

/// Reports that were read whole and whose words were not erased.
const REPORTS: &str = "FROM inbox i JOIN raw ON raw.inbox = i.id
     LEFT JOIN event e ON e.ticket = i.ticket AND e.event = 'category_set'
        AND e.n = (SELECT max(n) FROM event WHERE ticket = i.ticket AND event = 'category_set')
        AND i.id = (SELECT min(id) FROM inbox WHERE ticket = i.ticket AND kind = 'report')
     WHERE i.state = 'decided' AND i.kind = 'report' AND i.header_only_bytes IS NULL AND i.erased_at IS NULL
        AND (?1 IS NULL OR i.received_at >= ?1) AND (?2 = 0 OR e.id IS NOT NULL)";

impl Store {
    /// How many reports there are to go through.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn judged_count(&self, filter: JudgedFilter) -> anyhow::Result<u64> {
        self.read(|db| {
            db.prepare_cached(&format!("SELECT count(*) {REPORTS}"))?
                .query_row((filter.since.map(at), filter.corrected_only), |row| row.get::<_, i64>(0))
                .map(|count| u64::try_from(count).unwrap_or_default())
                .context("count the reports")
        })
    }

    /// The next report after `after`, oldest first; one at a time, since each may have 50 MiB.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn judged_after(&self, after: InboxId, filter: JudgedFilter) -> anyhow::Result<Option<Judged>> {
        let sql = format!(
            "SELECT i.id, i.ticket, i.received_at, i.category, i.rules_version, json_extract(e.body, '$.to'), e.by, raw.content {REPORTS}
             AND i.id > ?3 ORDER BY i.id LIMIT 1"
        );
        self.read(|db| {
            let mut statement = db.prepare_cached(&sql)?;
            let mut rows = statement.query((filter.since.map(at), filter.corrected_only, after.0))?;
            let Some(row) = rows.next().context("read a report")? else { return Ok(None) };
            let corrected = row.get::<_, Option<String>>(5)?.as_deref().and_then(Category::parse);
            Ok(Some(Judged {
                id: InboxId(row.get(0)?),
                ticket: row.get::<_, Option<String>>(1)?.map(TicketNumber),
                received_at: row.get::<_, At>(2)?.0,
                filed: row.get::<_, Word<_>>(3)?.0,
                rules_version: row.get(4)?,
                corrected: corrected.zip(row.get::<_, Option<String>>(6)?),
                raw: row.get(7)?,
            }))
        })
    }
}
