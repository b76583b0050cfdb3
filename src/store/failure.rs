//! Why the database cannot be used, for those who choose an exit status or a pause by it.

use std::path::{Path, PathBuf};

/// The database as it stands cannot be worked on. Found with `error.downcast_ref::<Unfit>()`.
#[derive(Debug)]
pub enum Unfit {
    /// There is none yet.
    Absent { path: PathBuf },
    /// A newer program wrote it: exit 2.
    Newer { path: PathBuf, found: i64, known: i64 },
    /// Damaged or no database: exit 1.
    Corrupt { path: PathBuf, problem: String },
    /// Another daemon has it: exit 3.
    InUse { path: PathBuf, pid: String },
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Absent { path } => write!(f, "{}: no database here yet: `bantuan70 run` makes it", path.display()),
            Self::Newer { path, found, known } => {
                write!(f, "{}: the database has version {found}, this program knows {known}: install the newer program", path.display())
            }
            Self::Corrupt { path, problem } => {
                write!(f, "{}: the database is damaged ({problem}): put a backup back with `bantuan70 restore`", path.display())
            }
            Self::InUse { path, pid } => write!(f, "{}: another bantuan70 works here (process {pid})", path.display()),
        }
    }
}

impl std::error::Error for Unfit {}

/// An error while opening: damage is told apart from what the disk says.
pub(super) fn at_open(error: rusqlite::Error, path: &Path) -> anyhow::Error {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt) => {
            Unfit::Corrupt { path: path.to_owned(), problem: error.to_string() }.into()
        }
        _ => anyhow::Error::new(error).context(format!("open the database {}", path.display())),
    }
}

/// Whether the store itself said no, for what was asked is not there or not in that state; neither
/// disk nor database is at fault.
#[must_use]
pub fn is_refusal(error: &anyhow::Error) -> bool {
    !error.chain().any(|cause| cause.is::<rusqlite::Error>() || cause.is::<std::io::Error>() || cause.is::<Unfit>())
}

fn code(error: &anyhow::Error) -> Option<rusqlite::ErrorCode> {
    error.chain().find_map(|cause| cause.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code))
}

/// Whether the disk is full (F60): intake pauses, nothing is moved.
#[must_use]
pub fn is_full(error: &anyhow::Error) -> bool {
    code(error) == Some(rusqlite::ErrorCode::DiskFull)
}

/// Whether the file turned out damaged (F62): nothing more is fetched or sent.
#[must_use]
pub fn is_corrupt(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<Unfit>(), Some(Unfit::Corrupt { .. }))
        || matches!(code(error), Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase))
}

/// Whether another writer was in the way for longer than the time-out (F61), or SQLite got no memory (F68): the
/// step is done again later.
#[must_use]
pub fn is_busy(error: &anyhow::Error) -> bool {
    matches!(code(error), Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked | rusqlite::ErrorCode::OutOfMemory))
}
