//! Copies of the database: a consistent one while the daemon runs, and the way back into an empty
//! directory.

use super::audit::{self, Entry};
use super::{FILE_NAME, LOCK_NAME, Store, Unfit, migrate};
use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// All pages in one step: in WAL mode that hinders no writer, and no commit makes the copy begin anew.
const ALL_PAGES: i32 = -1;

impl Store {
    /// Writes a consistent copy to `path`, which must not exist; the daemon may go on.
    ///
    /// # Errors
    /// Where `path` exists or the disk refuses.
    pub fn backup(&self, path: &Path) -> anyhow::Result<()> {
        let reader = self.reader.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        copy(&reader, path)
    }

    /// Puts a backup back: `folder` must be empty or absent. The last act is a rename, so that a
    /// killed restore leaves no database at all. Gives the path of the database.
    ///
    /// # Errors
    /// Where the folder holds anything, the backup is damaged or newer than this program, or the disk refuses.
    pub fn restore(from: &Path, folder: &Path, now: Timestamp) -> anyhow::Result<PathBuf> {
        let source = open_backup(from)?;
        let part = folder.join(format!("{FILE_NAME}.part"));
        clear_leftovers(folder)?;
        super::make_file(&part)?;
        copy_into(&source, &part)?;
        let old_head = {
            let store = Self::open_read(&part)?;
            let head = store.audit_head()?;
            store.write(|tx| {
                let detail = format!("from a backup whose chain ended at entry {} with {}", head.entries, head.hash);
                let entry = Entry {
                    by: super::apply::SELF,
                    what: "restored",
                    thing: "store",
                    thing_id: "",
                    detail: &detail,
                    cause: "restore",
                    digest: &head.hash,
                };
                audit::append(tx, now, &entry)
            })?;
            head
        };
        // The last connection has written the WAL back and removed it; the file is whole by itself.
        let mut wal = part.as_os_str().to_owned();
        wal.push("-wal");
        ensure!(!Path::new(&wal).exists(), "the restored database could not be closed: {} is left", Path::new(&wal).display());
        File::open(&part).and_then(|file| file.sync_all()).with_context(|| format!("sync {}", part.display()))?;
        tracing::info!(entries = old_head.entries, "restored");
        let path = folder.join(FILE_NAME);
        std::fs::rename(&part, &path).with_context(|| format!("rename {}", part.display()))?;
        File::open(folder).and_then(|folder| folder.sync_all()).with_context(|| format!("sync {}", folder.display()))?;
        Ok(path)
    }
}

/// Removes what a killed restore left behind; anything else in the folder is a reason to refuse.
fn clear_leftovers(folder: &Path) -> anyhow::Result<()> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.with_context(|| format!("read {}", folder.display()))?,
    };
    let mut leftovers = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("read {}", folder.display()))?;
        let is_ours = entry.file_name().to_string_lossy().starts_with(&format!("{FILE_NAME}.part")) || entry.file_name() == LOCK_NAME;
        ensure!(is_ours, "{} is not empty: a backup is put back into an empty directory alone", folder.display());
        leftovers.push(entry.path());
    }
    for path in leftovers {
        std::fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
    }
    Ok(())
}

/// A backup as it lies on the disk, checked.
fn open_backup(from: &Path) -> anyhow::Result<Connection> {
    if !from.exists() {
        return Err(Unfit::Absent { path: from.to_owned() }.into());
    }
    let source = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .with_context(|| format!("open {}", from.display()))?;
    let version = migrate::refuse_newer(&source, from)?;
    ensure!(version > 0, "{} is no backup of bantuan70", from.display());
    migrate::quick_check(&source, from)?;
    Ok(source)
}

/// Copies a database to a path that does not exist: written beside it, synced, renamed.
pub(super) fn copy(source: &Connection, path: &Path) -> anyhow::Result<()> {
    if path.exists() {
        bail!("{} exists already", path.display());
    }
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    match std::fs::remove_file(&part) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("remove {}", part.display()));
        }
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part).with_context(|| format!("make {}", part.display()))?;
    copy_into(source, &part)?;
    File::open(&part).and_then(|file| file.sync_all()).with_context(|| format!("sync {}", part.display()))?;
    std::fs::rename(&part, path).with_context(|| format!("rename {}", part.display()))
}

fn copy_into(source: &Connection, part: &Path) -> anyhow::Result<()> {
    let mut target = Connection::open_with_flags(part, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .with_context(|| format!("open {}", part.display()))?;
    {
        let backup = Backup::new(source, &mut target).context("begin the copy")?;
        loop {
            match backup.step(ALL_PAGES).context("copy the database")? {
                StepResult::Done => break,
                StepResult::More => {}
                _ => std::thread::yield_now(),
            }
        }
    }
    // The copy is one file: no WAL that could be left behind.
    target.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())).context("finish the copy")?;
    Ok(())
}
