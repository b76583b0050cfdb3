#![doc = include_str!("ARCHITECTURE.md")]

pub mod cli;
pub mod config;
pub mod daemon;
pub mod decide;
pub mod extract;
pub mod mail;
pub mod model;
pub mod openpgp;
pub mod rules;
pub mod store;
pub mod wire;
