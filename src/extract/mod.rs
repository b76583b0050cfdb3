//! Facts out of plain text: language, documents, indicators, the TLP mark; and plain text out of
//! files. Pure functions; nothing here knows of mail.

mod archive;
pub mod document;
pub mod file;
pub mod form;
pub mod indicator;
pub mod language;
mod mapi;
pub mod mark;
mod msg;
mod names;
mod office;
mod ole;
mod pdf;
mod rtf;
pub mod sandbox;
pub mod short;
mod tnef;
