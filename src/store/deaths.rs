//! How often the program ended while it was at one mail (ATTACKS F14, F73).
//!
//! The count of tries in the mail's row cannot tell: a try lasts until its decision is committed, and a kill that
//! comes from outside strikes that wait on the disk far more often than the work on the mail (F64). So the work alone
//! is written down, in a small file beside the database. It is never synced: it has to outlive the process, not the
//! machine, and costs two writes into memory.

use super::Store;
use crate::model::InboxId;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the file holds: each mail that the program ended on, or is at, with the number of times.
#[derive(Debug)]
pub(super) struct Deaths {
    path: PathBuf,
    counts: Mutex<BTreeMap<InboxId, u32>>,
}

impl Deaths {
    /// What is no line of ours is left out: a mail too many is tried once more, none is put aside for it.
    pub(super) fn beside(database: &Path) -> Self {
        let path = database.with_file_name("at-work");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let line = |line: &str| {
            let (id, count) = line.split_once(' ')?;
            Some((InboxId(id.parse().ok()?), count.parse().ok()?))
        };
        Self { counts: Mutex::new(text.lines().filter_map(line).collect()), path }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<InboxId, u32>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the count of one mail, 0 for none, in memory and in the file.
    fn set(&self, id: InboxId, change: impl FnOnce(u32) -> u32) {
        let mut counts = self.lock();
        let before = counts.get(&id).copied().unwrap_or_default();
        let after = change(before);
        if after == before {
            return;
        }
        if after == 0 {
            counts.remove(&id);
        } else {
            counts.insert(id, after);
        }
        let text: String = counts.iter().map(|(id, count)| format!("{} {count}\n", id.0)).collect();
        let part = self.path.with_extension("part");
        // Where it cannot be written the try does not count; a full disk stops the intake elsewhere.
        if let Err(error) = std::fs::write(&part, text).and_then(|()| std::fs::rename(&part, &self.path)) {
            tracing::warn!(path = %self.path.display(), %error, "not written which mail is being read");
        }
    }
}

/// The program is at a mail, and at nothing else, as long as this lives.
#[derive(Debug)]
pub struct AtWork<'a> {
    deaths: &'a Deaths,
    id: InboxId,
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.deaths.set(self.id, |count| count.saturating_sub(1));
    }
}

impl Store {
    /// The program is at this mail until what is given back is dropped; where it never is, that counts.
    #[must_use]
    pub fn at_work(&self, id: InboxId) -> AtWork<'_> {
        self.deaths.set(id, |count| count.saturating_add(1));
        AtWork { deaths: &self.deaths, id }
    }

    /// How often the program ended while it was at this mail.
    #[must_use]
    pub fn deaths(&self, id: InboxId) -> u32 {
        self.deaths.lock().get(&id).copied().unwrap_or_default()
    }

    /// The mail is decided: what it did to the program before says nothing any more.
    pub fn forget_deaths(&self, id: InboxId) {
        self.deaths.set(id, |_| 0);
    }
}
