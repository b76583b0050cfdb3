//! Facts out of plain text: language, documents, indicators, the TLP mark; and plain text out of
//! files. Pure functions; nothing here knows of mail.

pub mod document;
pub mod file;
pub mod form;
pub mod indicator;
pub mod language;
pub mod mark;
mod names;
mod office;
mod pdf;
mod rtf;
pub mod sandbox;
