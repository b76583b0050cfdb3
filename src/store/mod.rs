//! SQLite behind a narrow interface: snapshot, apply, claim, settle, queries. No SQL and no
//! rusqlite type outside. One writer connection, `BEGIN IMMEDIATE` for each write; one reader that
//! cannot write. Nothing here decides anything, reads a clock or touches the network.

mod apply;
mod audit;
mod backup;
mod deaths;
mod decision;
mod directory;
mod dissemination;
mod failure;
mod ground;
mod inbox;
mod judged;
mod ledger;
mod listing;
mod migrate;
mod outbox;
mod query;
mod retention;
mod row;
mod snapshot;
mod standing;
#[cfg(test)]
mod tests;

pub use crate::model::letter::OutboxId;
pub use audit::{AuditHead, AuditReport};
pub use decision::{Deciding, WaitingMail};
pub use directory::{CertificateRow, ChangedContact, ContactRow, NewContact};
pub use failure::{Unfit, is_busy, is_corrupt, is_full, is_refusal};
pub use inbox::{Arrival, Released, Unfiled};
pub use judged::{Judged, JudgedFilter};
pub use listing::{
    ApprovalRow, AttachmentRow, ClockRow, DisseminationRow, MailFilter, MailPage, MailRow, MessageRow, OutboxRow, QuarantineRow,
    RecipientRow, TicketFilter, TicketPage, TicketRow, TimelineRow, View,
};
pub use outbox::{Claim, QueuedLetter};
pub use retention::{DueErasure, Erasure, RetentionTerms};
pub use standing::{Alarm, Figures, SYNC, Standing, UNACCOUNTED};

use crate::mail::token::TokenKey;
use anyhow::{Context as _, bail};
use jiff::{Timestamp, tz::TimeZone};
use row::At;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The name of the database in the data directory.
pub const FILE_NAME: &str = "bantuan70.db";

/// The name of the lock beside it.
pub const LOCK_NAME: &str = "bantuan70.lock";

/// How long a statement waits for another writer (an administrator's `sqlite3`, a CLI verb) before it gives up (F61).
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long to wait for the lock: a child process of a daemon that just ended may hold it for the
/// moment between fork and exec. Less than the second within which a second daemon is refused (F66).
const LOCK_PATIENCE: Duration = Duration::from_millis(500);

/// What a decision needs to know of the centre to be stored: the ticket prefix, and the zone whose
/// year and midnight count.
#[derive(Debug, Clone)]
pub struct Place {
    pub prefix: String,
    pub time_zone: TimeZone,
}

/// Asked before each commit with the number of the commit since opening, from 1; `false` makes the
/// commit fail, as a full disk or a killed process would. For the simulation test.
pub type CommitHook = Box<dyn Fn(u64) -> bool + Send + Sync>;

/// The database of one centre.
pub struct Store {
    path: PathBuf,
    writer: Mutex<Connection>,
    reader: Mutex<Connection>,
    commits: AtomicU64,
    commit_hook: Option<CommitHook>,
    deaths: deaths::Deaths,
    /// Held for life by the daemon, so that two never work on one data directory (F66).
    _lock: Option<File>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the database for the daemon: makes directory and file (0600) where they are missing,
    /// takes the lock of the data directory, brings the schema up to date and checks the file.
    ///
    /// # Errors
    /// [`Unfit`] in the chain where another daemon has the lock, the file is newer than this program
    /// or damaged; else what the disk says.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        make_file(path)?;
        let lock = lock(path)?;
        let mut writer = connect(path)?;
        migrate::climb(&mut writer, path)?;
        migrate::quick_check(&writer, path)?;
        Self::with_connections(path, writer, Some(lock))
    }

    /// Opens the database beside a daemon that may be running. Reads see what is committed; a verb
    /// that writes does so in short transactions.
    ///
    /// # Errors
    /// As for [`Store::open`]; also where there is no database yet, or where it is older than this
    /// program and a daemon of the older version has it open.
    pub fn open_read(path: &Path) -> anyhow::Result<Self> {
        if !path.exists() {
            return Err(Unfit::Absent { path: path.to_owned() }.into());
        }
        let mut writer = connect(path)?;
        if migrate::version(&writer, path)? < migrate::NEWEST {
            let lock = lock(path)?;
            migrate::climb(&mut writer, path)?;
            drop(lock);
        }
        Self::with_connections(path, writer, None)
    }

    fn with_connections(path: &Path, writer: Connection, lock: Option<File>) -> anyhow::Result<Self> {
        migrate::refuse_newer(&writer, path)?;
        let reader = connect(path)?;
        reader.pragma_update(None, "query_only", true).context("set query_only")?;
        let store = Self {
            path: path.to_owned(),
            writer: Mutex::new(writer),
            reader: Mutex::new(reader),
            commits: AtomicU64::new(0),
            commit_hook: None,
            deaths: deaths::Deaths::beside(path),
            _lock: lock,
        };
        store.make_token_key()?;
        Ok(store)
    }

    /// The store with a hook before each commit.
    #[must_use]
    pub fn with_commit_hook(mut self, hook: CommitHook) -> Self {
        self.commit_hook = Some(hook);
        self
    }

    /// Where the database is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The secret of this installation, made once.
    ///
    /// # Errors
    /// Where it cannot be read or has not 32 bytes.
    pub fn token_key(&self) -> anyhow::Result<TokenKey> {
        let bytes: Option<Vec<u8>> = self.read(|db| {
            db.query_row("SELECT value FROM meta WHERE name = 'token_key'", [], |row| row.get(0)).optional().context("read the token key")
        })?;
        let Some(bytes) = bytes else { bail!("the database holds no token key") };
        let Ok(key) = <[u8; 32]>::try_from(bytes) else { bail!("the token key in the database has not 32 bytes") };
        Ok(TokenKey(key))
    }

    fn make_token_key(&self) -> anyhow::Result<()> {
        let is_there = self.read(|db| {
            db.query_row("SELECT EXISTS (SELECT 1 FROM meta WHERE name = 'token_key')", [], |row| row.get::<_, bool>(0))
                .context("look for the token key")
        })?;
        if is_there {
            return Ok(());
        }
        let mut key = [0_u8; 32];
        getrandom::fill(&mut key).map_err(|error| anyhow::anyhow!("draw the token key: {error}"))?;
        self.write(|tx| {
            // Another process may have been first: what stands stays.
            tx.execute("INSERT INTO meta (name, value) VALUES ('token_key', ?1) ON CONFLICT (name) DO NOTHING", [key.as_slice()])
                .context("store the token key")?;
            Ok(())
        })
    }

    /// A number that changes when another process has committed: how a running daemon notices that
    /// a CLI verb changed the outbox.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn outbox_generation(&self) -> anyhow::Result<i64> {
        self.lock_writer().pragma_query_value(None, "data_version", |row| row.get(0)).context("read data_version")
    }

    /// Checks every page and index of the file (`check`); an empty list is good news.
    ///
    /// # Errors
    /// Where the check cannot run.
    pub fn check_integrity(&self) -> anyhow::Result<Vec<String>> {
        self.read(migrate::integrity_problems)
    }

    fn lock_writer(&self) -> MutexGuard<'_, Connection> {
        // A panic inside a decision rolled its transaction back; the connection is sound.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `f` on the connection that cannot write.
    fn read<T>(&self, f: impl FnOnce(&Connection) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        // One transaction, so that all statements of one listing see the same state.
        let tx = reader.transaction().context("begin reading")?;
        let answer = f(&tx)?;
        tx.finish().context("end reading")?;
        Ok(answer)
    }

    /// Runs `f` in one `BEGIN IMMEDIATE` transaction and commits. Where `f` fails nothing has happened.
    fn write<T>(&self, f: impl FnOnce(&Transaction<'_>) -> anyhow::Result<T>) -> anyhow::Result<T> {
        self.write_if(|tx| Ok((f(tx)?, Changed::Yes)))
    }

    /// As [`Store::write`], but nothing is committed where `f` says that nothing changed.
    fn write_if<T>(&self, f: impl FnOnce(&Transaction<'_>) -> anyhow::Result<(T, Changed)>) -> anyhow::Result<T> {
        let mut writer = self.lock_writer();
        let tx = writer.transaction_with_behavior(TransactionBehavior::Immediate).context("begin writing")?;
        let (answer, changed) = f(&tx)?;
        if changed == Changed::No {
            return Ok(answer);
        }
        let n = self.commits.fetch_add(1, Ordering::Relaxed) + 1;
        if self.commit_hook.as_ref().is_some_and(|hook| !hook(n)) {
            bail!("commit {n} failed as the test asked");
        }
        tx.commit().context("commit")?;
        Ok(answer)
    }
}

/// Whether a transaction has something to commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Changed {
    Yes,
    No,
}

/// Makes the data directory (0700) and the file (0600) where they are missing; the database's own
/// companions (`-wal`, `-shm`) take the rights of the file.
fn make_file(path: &Path) -> anyhow::Result<()> {
    if let Some(folder) = path.parent()
        && !folder.as_os_str().is_empty()
        && !folder.exists()
    {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("open {}", path.display()))?;
    Ok(())
}

/// Takes the lock beside the database, or names who has it.
fn lock(path: &Path) -> anyhow::Result<File> {
    use std::io::{Read as _, Seek as _, Write as _};
    let lock_path = path.with_file_name(LOCK_NAME);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&lock_path)
        .with_context(|| format!("open {}", lock_path.display()))?;
    let until = Instant::now() + LOCK_PATIENCE;
    let mut locked = file.try_lock();
    while matches!(locked, Err(std::fs::TryLockError::WouldBlock)) && Instant::now() < until {
        std::thread::sleep(LOCK_PATIENCE / 20);
        locked = file.try_lock();
    }
    match locked {
        Ok(()) => {
            file.set_len(0)
                .and_then(|()| file.rewind())
                .and_then(|()| write!(file, "{}", std::process::id()))
                .context("write the lock file")?;
            Ok(file)
        }
        Err(std::fs::TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let _ = file.take(20).read_to_string(&mut pid);
            Err(Unfit::InUse { path: path.to_owned(), pid: pid.trim().to_owned() }.into())
        }
        Err(std::fs::TryLockError::Error(error)) => Err(error).with_context(|| format!("lock {}", lock_path.display())),
    }
}

/// One connection with the rules of DESIGN 5.
fn connect(path: &Path) -> anyhow::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(|error| failure::at_open(error, path))?;
    db.busy_timeout(BUSY_TIMEOUT).context("set busy_timeout")?;
    let set = |name: &str, value: &dyn rusqlite::ToSql| db.pragma_update(None, name, value).map_err(|error| failure::at_open(error, path));
    set("trusted_schema", &false)?;
    set("foreign_keys", &true)?;
    let mode: String =
        db.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)).map_err(|error| failure::at_open(error, path))?;
    if !mode.eq_ignore_ascii_case("wal") {
        bail!("{}: the file system has no shared memory, so the database cannot run in WAL mode", path.display());
    }
    // Mail is moved after the commit: a commit that a power cut takes back is lost mail.
    set("synchronous", &"FULL")?;
    set("cell_size_check", &true)?;
    // What retention erases is written over, not only unlinked.
    set("secure_delete", &true)?;
    // Nothing of a mail lies in a temporary file, and a log that a long backup let grow shrinks again.
    set("temp_store", &"MEMORY")?;
    set("journal_size_limit", &(64 * 1024 * 1024))?;
    db.set_prepared_statement_cache_capacity(128);
    Ok(db)
}

/// The time as rows hold it.
const fn at(time: Timestamp) -> At {
    At(time)
}
