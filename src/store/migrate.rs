//! The schema's way up: numbered SQL files, `user_version`, a copy before the first step. There is
//! no way down: an older program refuses a newer file and names both numbers.

use super::Unfit;
use anyhow::Context as _;
use rusqlite::{Connection, TransactionBehavior};
use std::path::{Path, PathBuf};

/// Every step, from version 1. A landed file never changes.
const STEPS: &[&str] = &[include_str!("migrations/0001_first.sql")];

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

/// The quick check at start.
pub(super) fn quick_check(db: &Connection, path: &Path) -> anyhow::Result<()> {
    let found: rusqlite::Result<String> = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
    match found {
        Ok(word) if word == "ok" => Ok(()),
        Ok(problem) => Err(Unfit::Corrupt { path: path.to_owned(), problem }.into()),
        Err(error) => Err(super::failure::at_open(error, path)),
    }
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

    fn climb_steps(db: &mut Connection, path: &Path, steps: &[&str]) -> anyhow::Error {
        climb_with(db, path, steps).unwrap_err()
    }
}
