//! `bantuan70 check`.

use super::{Common, Failure, Outcome};
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct Arguments {}

pub(super) fn run(_common: &Common, _arguments: Arguments) -> Outcome {
    Err(Failure::usage("check: not built yet"))
}
