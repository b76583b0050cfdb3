//! The text of a PDF by lopdf, bounded in pages and in what its streams may unfold to.

use super::file::{Finding, TEXT_BYTES_MAX};
use lopdf::{Document, LoadOptions};

/// Pages that are read: letters have few, and a report's first pages say what it is about.
const PAGES_MAX: usize = 50;
/// What one stream may unfold to (ATTACKS M11).
const STREAM_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The text of the first pages.
pub(super) fn text_of(content: &[u8]) -> Result<String, Finding> {
    let options = LoadOptions { max_decompressed_size: Some(STREAM_BYTES_MAX), ..LoadOptions::default() };
    let document = Document::load_mem_with_options(content, options).map_err(|error| match error.to_string().to_ascii_lowercase() {
        text if text.contains("password") || text.contains("encrypt") => Finding::encrypted(),
        text if text.contains("limit") => Finding::too_large("a stream unfolds to too much"),
        text => Finding::unreadable(text),
    })?;
    if document.is_encrypted() {
        return Err(Finding::encrypted());
    }
    let mut text = String::new();
    let mut failed = None;
    for number in document.get_pages().keys().copied().take(PAGES_MAX) {
        match document.extract_text_with_limit(&[number], STREAM_BYTES_MAX) {
            Ok(page) => {
                text.push_str(&page);
                text.push('\n');
            }
            Err(error) => failed = Some(Finding::unreadable(error.to_string())),
        }
        if text.len() > TEXT_BYTES_MAX {
            break;
        }
    }
    match failed {
        Some(finding) if text.trim().is_empty() => Err(finding),
        _ => Ok(text),
    }
}
