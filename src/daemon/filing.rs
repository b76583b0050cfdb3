//! Rung I2 to I3: what is decided leaves the inbox. Moving repeats until it is done; a message that
//! cannot be moved stays, is tried again next round, and holds up nothing (ATTACKS F4).

use super::Daemon;
use super::alarm::Cause;
use super::intake::IntakeError;
use crate::model::InboxId;
use crate::store::Unfiled;
use crate::wire::Filing;
use crate::wire::imap::Session;
use crate::wire::maildir::Maildir;
use anyhow::anyhow;
use std::collections::{BTreeMap, BTreeSet};

/// Places in the mailbox that are cleared in one round: many, so that messages which cannot be moved
/// (no rights, over quota) do not keep newer ones in the inbox.
pub(super) const FILE_BATCH: usize = 10_000;

/// What could not be moved in a round: how many, and why the first.
#[derive(Debug, Default)]
struct Stuck {
    count: usize,
    first: String,
}

impl Stuck {
    fn note(&mut self, inbox: InboxId, folder: &str, reason: &str) {
        if self.count == 0 {
            self.first = format!("mail {inbox} to {folder}: {reason}");
        }
        self.count += 1;
    }

    /// One line and one alarm, however many there are.
    async fn tell(self, daemon: &Daemon) {
        if self.count == 0 {
            return daemon.over(Cause::Filing).await;
        }
        tracing::warn!(count = self.count, first = self.first, "not filed");
        daemon.alarm(Cause::Filing, &format!("{} messages; {}", self.count, self.first)).await;
    }
}

pub(super) async fn maildir_file(maildir: &Maildir, rows: &[Unfiled], daemon: &Daemon) -> Result<(), IntakeError> {
    let intake = &daemon.config.intake;
    let (mut done, mut stuck) = (Vec::new(), Stuck::default());
    for row in rows {
        let folder = if row.quarantine { &intake.quarantine } else { &intake.processed };
        match maildir.file(&row.uid, folder) {
            Ok(Filing::Filed | Filing::Gone) => done.push(row.arrival),
            Ok(Filing::Failed(reason)) => stuck.note(row.inbox, folder, &reason),
            // A folder that takes nothing keeps no new mail from coming in.
            Err(error) => stuck.note(row.inbox, folder, &error.to_string()),
        }
    }
    daemon.store.mark_filed(&done, daemon.clock.now())?;
    stuck.tell(daemon).await;
    Ok(())
}

pub(super) async fn imap_file(session: &mut Session, source: &str, rows: Vec<Unfiled>, daemon: &Daemon) -> Result<(), IntakeError> {
    let mut stuck = Stuck::default();
    let validity = session.uid_validity();
    // UIDs of an earlier UIDVALIDITY name nothing any more (F8): the mail itself was met again under a new one.
    let (rows, old): (Vec<Unfiled>, Vec<Unfiled>) = rows.into_iter().partition(|row| row.uid_validity == validity);
    let old: Vec<i64> = old.iter().map(|row| row.arrival).collect();
    daemon.store.mark_filed(&old, daemon.clock.now())?;
    let intake = &daemon.config.intake;
    for (folder, quarantine) in [(&intake.processed, false), (&intake.quarantine, true)] {
        let by_uid: BTreeMap<u32, &Unfiled> =
            rows.iter().filter(|row| row.quarantine == quarantine).filter_map(|row| Some((row.uid.parse().ok()?, row))).collect();
        if by_uid.is_empty() {
            continue;
        }
        let outcomes = if session.can_move() {
            let uids: Vec<u32> = by_uid.keys().copied().collect();
            session.file(&uids, folder).await?
        } else {
            copy_and_expunge(session, &by_uid, folder, daemon).await?
        };
        let mut done = Vec::new();
        for (uid, outcome) in outcomes {
            let Some(row) = by_uid.get(&uid) else { continue };
            match outcome {
                Filing::Filed | Filing::Gone => done.push(row.arrival),
                Filing::Failed(reason) => stuck.note(row.inbox, folder, &reason),
            }
        }
        // Noted first: what is known to lie there need not be fetched again to be accounted for.
        let mut placed: BTreeMap<u32, Vec<(String, InboxId)>> = BTreeMap::new();
        for place in session.take_placed() {
            if let Some(row) = by_uid.get(&place.uid) {
                placed.entry(place.uid_validity).or_default().push((place.uid_there.to_string(), row.inbox));
            }
        }
        for (uid_validity, placed) in placed {
            daemon.store.note_placed(source, folder, uid_validity, &placed)?;
        }
        daemon.store.mark_filed(&done, daemon.clock.now())?;
    }
    stuck.tell(daemon).await;
    Ok(())
}

/// A server without MOVE (F5): COPY, commit that it is copied, then remove. A crash between the
/// copy and the commit leaves one more copy in the folder, never a second ticket.
async fn copy_and_expunge(
    session: &mut Session,
    by_uid: &BTreeMap<u32, &Unfiled>,
    folder: &str,
    daemon: &Daemon,
) -> Result<Vec<(u32, Filing)>, IntakeError> {
    let fresh: Vec<u32> = by_uid.iter().filter(|(_, row)| !row.is_copied).map(|(uid, _)| *uid).collect();
    let mut copied: BTreeSet<u32> = by_uid.iter().filter(|(_, row)| row.is_copied).map(|(uid, _)| *uid).collect();
    let mut outcomes = Vec::new();
    let mut arrivals = Vec::new();
    if !fresh.is_empty() {
        for (uid, outcome) in session.copy(&fresh, folder).await? {
            if outcome == Filing::Filed {
                let row = by_uid.get(&uid).ok_or_else(|| anyhow!("the server copied uid {uid}, which was not asked for"))?;
                arrivals.push(row.arrival);
                copied.insert(uid);
            } else {
                outcomes.push((uid, outcome));
            }
        }
    }
    daemon.store.mark_copied(&arrivals, daemon.clock.now())?;
    let copied: Vec<u32> = copied.into_iter().collect();
    if !copied.is_empty() {
        outcomes.extend(session.expunge(&copied).await?);
    }
    Ok(outcomes)
}
