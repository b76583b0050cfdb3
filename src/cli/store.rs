//! `bantuan70 audit`, `backup`, `restore`: the database as a whole.

use super::listing::{not_found, open, print_json};
use super::{Common, Exit, Failure, Outcome, print};
use crate::store::{Store, Unfit, is_refusal};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct AuditArguments {
    #[command(subcommand)]
    verb: AuditVerb,
}

#[derive(Debug, Subcommand)]
enum AuditVerb {
    /// Walk the chain of hashes and rebuild every ticket from its events
    Verify,
}

#[derive(Debug, Args)]
pub(super) struct BackupArguments {
    /// File to write; it must not exist
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct RestoreArguments {
    /// Backup to put into the data directory of the configuration, which must be empty
    file: PathBuf,
}

pub(super) fn run_audit(common: &Common, arguments: AuditArguments) -> Outcome {
    let AuditVerb::Verify = arguments.verb;
    let desk = open(common)?;
    let report = desk.store.audit_verify()?;
    let is_whole = report.problems.is_empty();
    if common.json {
        print_json(&report)?;
    } else {
        report.problems.iter().try_for_each(|problem| print(format!("FAIL {}", super::listing::escaped(problem))))?;
        let word = if is_whole { "ok" } else { "FAIL" };
        print(format!("{word} {} entries, head {}", report.entries, report.head))?;
    }
    Ok(if is_whole { Exit::Done } else { Exit::NotInOrder })
}

pub(super) fn run_backup(common: &Common, arguments: BackupArguments) -> Outcome {
    if arguments.file.exists() {
        return Err(Failure::usage(format!("{} exists already", arguments.file.display())));
    }
    let desk = open(common)?;
    desk.store.backup(&arguments.file)?;
    let head = desk.store.audit_head()?;
    print(format!("{} written; audit chain: {} entries, head {}", arguments.file.display(), head.entries, head.hash))?;
    Ok(Exit::Done)
}

pub(super) fn run_restore(common: &Common, arguments: RestoreArguments) -> Outcome {
    let config = common.load()?;
    let path = Store::restore(&arguments.file, &config.center.data_dir, Timestamp::now()).map_err(|error| {
        match error.downcast_ref::<Unfit>() {
            Some(Unfit::Absent { path }) => Failure::usage(format!("{}: there is no such file", path.display())),
            Some(Unfit::Corrupt { path, problem }) if *path == arguments.file => {
                not_found(format!("{}: it is no backup of bantuan70, or a damaged one ({problem}); take another", path.display()))
            }
            // What the store itself refuses here is the choice of the directory or of the file.
            _ if is_refusal(&error) => Failure::usage(format!("{error:#}")),
            _ => Failure::from(error),
        }
    })?;
    print(format!("{} restored", path.display()))?;
    Ok(Exit::Done)
}
