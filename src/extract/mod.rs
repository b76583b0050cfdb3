//! Facts out of plain text: language, documents, indicators. Pure functions over strings.

pub mod document;
pub mod indicator;
pub mod language;
