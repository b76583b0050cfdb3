//! Classification by rule files: what a message is about, how sure that is, and why.

pub mod assess;
pub mod selftest;
pub mod syntax;
