//! `bantuan70 outbox`.

use super::{Common, Failure, Outcome};
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct Arguments {}

pub(super) fn run(_common: &Common, _arguments: Arguments) -> Outcome {
    Err(Failure::usage("outbox: not built yet"))
}
