#![doc = include_str!("ARCHITECTURE.md")]
#![cfg_attr(test, allow(clippy::string_slice, reason = "a test that panics fails, as it should"))]

pub mod cli;
pub mod config;
pub mod daemon;
pub mod decide;
pub mod extract;
pub mod figures;
pub mod mail;
pub mod model;
pub mod openpgp;
pub mod rules;
pub mod store;
pub mod wire;
