//! One integration binary: every module below is a group of tests. What they share is in `harness`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that panics fails, as it should"
)]

mod cancelled;
mod cli;
mod cost;
mod desk;
mod disseminate;
mod figures;
mod harness;
mod hostile;
mod inspect;
mod live;
mod merged;
mod migrate;
mod notice;
mod openpgp;
mod property;
mod retention;
mod rules;
mod sim;
mod store;
mod store_cli;
mod store_effects;
mod storm;
mod story;
mod tidy;
mod trust;
mod wire;
