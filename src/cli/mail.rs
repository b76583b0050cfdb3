//! `bantuan70 mail`.

use super::{Common, Failure, Outcome};
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct Arguments {}

pub(super) fn run(_common: &Common, _arguments: Arguments) -> Outcome {
    Err(Failure::usage("mail: not built yet"))
}

#[derive(Debug, Args)]
pub(super) struct QuarantineArguments {}

pub(super) fn run_quarantine(_common: &Common, _arguments: QuarantineArguments) -> Outcome {
    Err(Failure::usage("quarantine: not built yet"))
}
