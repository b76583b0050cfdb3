//! Text out of the files that offices attach: letters, tables, PDF. Bounded; whatever is wrong with
//! a file is a finding on that file. Archives are named, never unpacked (ATTACKS M11).

use super::{office, pdf, rtf, sandbox};

/// A file larger than this is not looked into: letters are small, and a scan holds no text.
pub const FILE_BYTES_MAX: usize = 20 * 1024 * 1024;
/// The text of one file is cut here.
pub const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// What could not be done with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// A fixed word: `file-unreadable`, `file-encrypted`, `file-too-large`.
    pub code: &'static str,
    pub detail: String,
}

impl Finding {
    pub(super) fn unreadable(detail: impl Into<String>) -> Self {
        Self { code: "file-unreadable", detail: detail.into() }
    }
    pub(super) fn encrypted() -> Self {
        Self { code: "file-encrypted", detail: "protected by a password".to_owned() }
    }
    pub(super) fn too_large(detail: impl Into<String>) -> Self {
        Self { code: "file-too-large", detail: detail.into() }
    }
}

/// The sorts of files that are looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// DOCX, XLSX, PPTX, ODT, ODS: ZIP with XML in it.
    Office,
    Pdf,
    Rtf,
    /// Word, Excel and Outlook before 2007, and encrypted office files.
    Ole,
    /// Any other ZIP: looked at for a password, never unpacked.
    Archive,
}

impl Sort {
    const ALL: &'static [Self] = &[Self::Office, Self::Pdf, Self::Rtf, Self::Ole, Self::Archive];

    /// How the child process is told.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Office => "office",
            Self::Pdf => "pdf",
            Self::Rtf => "rtf",
            Self::Ole => "ole",
            Self::Archive => "archive",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|sort| sort.word() == word)
    }
}

/// The sort of a file by its first bytes; by them alone, since names and declared types lie.
#[must_use]
pub fn sort_of(name: &str, media_type: &str, content: &[u8]) -> Option<Sort> {
    let head = content.get(..content.len().min(1_024)).unwrap_or(content);
    let lower = name.to_ascii_lowercase();
    let says_office = [".docx", ".xlsx", ".pptx", ".odt", ".ods", ".docm", ".xlsm"].iter().any(|end| lower.ends_with(end))
        || media_type.contains("officedocument")
        || media_type.contains("opendocument");
    if head.starts_with(b"PK\x03\x04") {
        return Some(if says_office { Sort::Office } else { Sort::Archive });
    }
    if head.windows(5).any(|window| window == b"%PDF-") {
        return Some(Sort::Pdf);
    }
    if head.starts_with(b"{\\rtf") {
        return Some(Sort::Rtf);
    }
    (head.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]) && !lower.ends_with(".msi")).then_some(Sort::Ole)
}

/// The text of a file, if it is of a sort that holds text, and what went wrong.
#[must_use]
pub fn text_of(name: &str, media_type: &str, content: &[u8]) -> (Option<String>, Option<Finding>) {
    let Some(sort) = sort_of(name, media_type, content) else { return (None, None) };
    if content.len() > FILE_BYTES_MAX {
        return (None, Some(Finding::too_large(format!("{} bytes; not looked into", content.len()))));
    }
    match sandbox::read(sort, content) {
        Ok(text) if text.trim().is_empty() => (None, None),
        Ok(mut text) => {
            truncate(&mut text, TEXT_BYTES_MAX);
            (Some(text), None)
        }
        Err(finding) => (None, Some(finding)),
    }
}

/// Reads a file of a known sort. The parsers are other people's code over a stranger's bytes: a
/// panic in one of them is a finding.
pub(super) fn read(sort: Sort, content: &[u8]) -> Result<String, Finding> {
    let outcome = std::panic::catch_unwind(|| match sort {
        Sort::Office => office::text_of(content),
        Sort::Pdf => pdf::text_of(content),
        Sort::Rtf => Ok(rtf::text_of(content)),
        Sort::Ole => office::ole_text_of(content),
        Sort::Archive => office::look_at_archive(content),
    });
    outcome.unwrap_or_else(|_| Err(Finding::unreadable("its parser failed")))
}

/// Cuts a text at a character boundary.
pub(super) fn truncate(text: &mut String, bytes_max: usize) {
    text.truncate(text.floor_char_boundary(bytes_max));
}
