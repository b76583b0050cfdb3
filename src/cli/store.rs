//! `bantuan70 audit`, `backup`, `restore`: the database as a whole.

use super::{Common, Failure, Outcome};
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct AuditArguments {}
#[derive(Debug, Args)]
pub(super) struct BackupArguments {}
#[derive(Debug, Args)]
pub(super) struct RestoreArguments {}

pub(super) fn run_audit(_common: &Common, _arguments: AuditArguments) -> Outcome {
    Err(Failure::usage("audit: not built yet"))
}
pub(super) fn run_backup(_common: &Common, _arguments: BackupArguments) -> Outcome {
    Err(Failure::usage("backup: not built yet"))
}
pub(super) fn run_restore(_common: &Common, _arguments: RestoreArguments) -> Outcome {
    Err(Failure::usage("restore: not built yet"))
}
