//! The schema's way up: numbered SQL files, `user_version`, a copy before the first step. There is
//! no way down: an older program refuses a newer file and names both numbers.

use super::Unfit;
use anyhow::Context as _;
use rusqlite::{Connection, TransactionBehavior};
use std::path::{Path, PathBuf};

/// Every step, from version 1. A landed file never changes.
const STEPS: &[&str] =
    &[include_str!("migrations/0001_first.sql"), include_str!("migrations/0002_growth.sql"), include_str!("migrations/0003_progress.sql")];

/// The version that this program writes.
pub(super) const NEWEST: i64 = STEPS.len() as i64;

/// The version of the file; 0 is an empty one.
pub(super) fn version(db: &Connection, path: &Path) -> anyhow::Result<i64> {
    db.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(|error| super::failure::at_open(error, path))
}

/// Refuses a file that a newer program wrote.
pub(super) fn refuse_newer(db: &Connection, path: &Path) -> anyhow::Result<i64> {
    let found = version(db, path)?;
    if found > NEWEST {
        return Err(Unfit::Newer { path: path.to_owned(), found, known: NEWEST }.into());
    }
    Ok(found)
}

/// Brings the file to [`NEWEST`]; each step is one transaction, so that a kill leaves one version or the next.
pub(super) fn climb(db: &mut Connection, path: &Path) -> anyhow::Result<()> {
    climb_with(db, path, STEPS)
}

fn climb_with(db: &mut Connection, path: &Path, steps: &[&str]) -> anyhow::Result<()> {
    let found = refuse_newer(db, path)?;
    let newest = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    if found == newest {
        return Ok(());
    }
    if found > 0 {
        let copy = copy_path(path, found);
        super::backup::copy(db, &copy).with_context(|| format!("copy the database to {} before the migration", copy.display()))?;
    }
    for (index, step) in steps.iter().enumerate() {
        let number = i64::try_from(index).unwrap_or(i64::MAX).saturating_add(1);
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate).context("begin the migration")?;
        // Asked again under the lock: another process may have climbed meanwhile.
        if version(&tx, path)? >= number {
            continue;
        }
        tx.execute_batch(step).with_context(|| format!("migrate the database to version {number}"))?;
        tx.pragma_update(None, "user_version", number).context("set the database version")?;
        tx.commit().with_context(|| format!("commit the migration to version {number}"))?;
    }
    Ok(())
}

/// `bantuan70.db` → `bantuan70.db.before-1`; the version is that of the copy.
fn copy_path(path: &Path, version: i64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".version-{version}"));
    PathBuf::from(name)
}

/// Up to this size the whole file is checked at start; 3 s on a slow machine.
const WHOLE_CHECK_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Tables of large files left out of the check at start, so that a store of years opens in seconds:
/// what they hold is compared with its SHA-256 whenever it is read, and `check` reads all.
const LARGE_TABLES: &[&str] = &["raw", "blob"];

/// The quick check at start.
pub(super) fn quick_check(db: &Connection, path: &Path) -> anyhow::Result<()> {
    let size = std::fs::metadata(path).with_context(|| format!("look at {}", path.display()))?.len();
    let corrupt = |problem: String| Err(Unfit::Corrupt { path: path.to_owned(), problem }.into());
    if size <= WHOLE_CHECK_BYTES_MAX {
        return match db.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0)) {
            Ok(word) if word == "ok" => Ok(()),
            Ok(problem) => corrupt(problem),
            Err(error) => Err(super::failure::at_open(error, path)),
        };
    }
    quick_check_tables(db, path)
}

/// The quick check, table by table.
fn quick_check_tables(db: &Connection, path: &Path) -> anyhow::Result<()> {
    let at_open = |error| super::failure::at_open(error, path);
    let mut statement = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").map_err(at_open)?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).map_err(at_open)?;
    let tables: Vec<String> = rows.collect::<Result<_, _>>().map_err(at_open)?;
    for table in tables.iter().filter(|table| !LARGE_TABLES.contains(&table.as_str())) {
        let word: String = db.query_row("SELECT quick_check FROM pragma_quick_check(?1)", [table], |row| row.get(0)).map_err(at_open)?;
        if word != "ok" {
            return Err(Unfit::Corrupt { path: path.to_owned(), problem: format!("{table}: {word}") }.into());
        }
    }
    Ok(())
}

/// The full check: damaged pages, wrong indexes, rows that point nowhere.
pub(super) fn integrity_problems(db: &Connection) -> anyhow::Result<Vec<String>> {
    let mut problems = Vec::new();
    let mut statement = db.prepare("PRAGMA integrity_check(20)").context("prepare integrity_check")?;
    let mut rows = statement.query([]).context("run integrity_check")?;
    while let Some(row) = rows.next().context("read integrity_check")? {
        let line: String = row.get(0)?;
        if line != "ok" {
            problems.push(line);
        }
    }
    let mut statement = db.prepare("PRAGMA foreign_key_check").context("prepare foreign_key_check")?;
    let mut rows = statement.query([]).context("run foreign_key_check")?;
    while let Some(row) = rows.next().context("read foreign_key_check")? {
        let (table, id): (String, Option<i64>) = (row.get(0)?, row.get(1)?);
        problems.push(format!("row {} of {table} points to a row that is not there", id.unwrap_or_default()));
        if problems.len() >= 20 {
            break;
        }
    }
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f65_a_step_that_fails_leaves_the_version_before_and_its_copy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let mut db = Connection::open(&path).unwrap();
        climb_with(&mut db, &path, &["CREATE TABLE a (x TEXT) STRICT; INSERT INTO a (x) VALUES ('kept');"]).unwrap();
        let steps = ["", "CREATE TABLE b (x TEXT) STRICT; CREATE TABLE a (x TEXT) STRICT;"];
        // The second step makes `b`, then fails on `a`.
        let error = climb_steps(&mut db, &path, &steps);
        assert!(format!("{error:#}").contains("version 2"), "{error:#}");
        assert_eq!(version(&db, &path).unwrap(), 1);
        assert!(db.query_row("SELECT x FROM b", [], |row| row.get::<_, String>(0)).is_err());
        let copy = Connection::open(folder.path().join("a.db.version-1")).unwrap();
        assert_eq!(copy.query_row("SELECT x FROM a", [], |row| row.get::<_, String>(0)).unwrap(), "kept");
    }

    #[test]
    fn f62_a_large_file_is_checked_table_by_table_and_damage_outside_of_raw_mail_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let mut db = Connection::open(&path).unwrap();
        climb(&mut db, &path).unwrap();
        db.execute_batch(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
             INSERT INTO refusal (person, at) SELECT 'person ' || i, 'x' FROM n;",
        )
        .unwrap();
        quick_check_tables(&db, &path).unwrap();
        let root: i64 = db.query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'refusal'", [], |row| row.get(0)).unwrap();
        let root = usize::try_from(root).unwrap();
        drop(db);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[(root - 1) * 4096 + 100..(root - 1) * 4096 + 4096].fill(0xa5);
        std::fs::write(&path, bytes).unwrap();
        let error = quick_check_tables(&Connection::open(&path).unwrap(), &path).unwrap_err();
        assert!(super::super::is_corrupt(&error), "{error:#}");
    }

    fn climb_steps(db: &mut Connection, path: &Path, steps: &[&str]) -> anyhow::Error {
        climb_with(db, path, steps).unwrap_err()
    }
}
