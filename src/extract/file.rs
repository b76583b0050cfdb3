//! Text out of the files that offices attach: letters, tables, PDF; and what Outlook packs up
//! (`winmail.dat`, `.msg`). Bounded; whatever is wrong with a file is a finding on that file.
//! Archives are named, never unpacked (ATTACKS M11).

use super::{archive, office, ole, pdf, rtf, sandbox, tnef};
use std::time::Duration;

/// A file larger than this is not looked into: letters are small, and a scan holds no text.
pub const FILE_BYTES_MAX: usize = 20 * 1024 * 1024;
/// What Outlook packs up holds the attachments of a mail and may be as large as these.
pub const PACKED_BYTES_MAX: usize = 40 * 1024 * 1024;
/// The text of one file is cut here.
pub const TEXT_BYTES_MAX: usize = 1024 * 1024;
/// Files that one packed file may hold; the rest stays inside it.
pub const ENCLOSED_MAX: usize = 100;
/// The files of one message take no more CPU time than this: no further one is begun past it.
const CPU_OF_ALL_MAX: Duration = Duration::from_secs(1);
/// Files of one message that are looked into.
const FILES_MAX: usize = 50;

/// What a file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inside {
    pub text: String,
    /// The files that it packs up; letters have none.
    pub files: Vec<Enclosed>,
    /// The file is broken or holds too much: there is more in it than stands here.
    pub is_partial: bool,
}

impl Inside {
    pub(super) fn of_text(text: String) -> Self {
        Self { text, ..Self::default() }
    }
}

/// A file inside a packed file. Its name and type are as typed by a stranger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Enclosed {
    pub name: String,
    pub media_type: String,
    pub content: Vec<u8>,
}

/// What could not be done with a file, or what it is where that cannot be looked into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// A fixed word: `file-unreadable`, `file-encrypted`, `file-too-large`, `file-slow`, `archive`.
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
    pub(super) fn slow(detail: impl Into<String>) -> Self {
        Self { code: "file-slow", detail: detail.into() }
    }
    pub(super) fn archive(detail: impl Into<String>) -> Self {
        Self { code: "archive", detail: detail.into() }
    }
    /// By the code as it came from the child.
    pub(super) fn by_code(code: &str, detail: String) -> Self {
        match code {
            "file-encrypted" => Self { code: "file-encrypted", detail },
            "file-too-large" => Self::too_large(detail),
            "file-slow" => Self::slow(detail),
            "archive" => Self::archive(detail),
            _ => Self::unreadable(detail),
        }
    }
}

/// What the files of one message may still cost.
#[derive(Debug, Clone)]
pub struct Allowance {
    files: usize,
    cpu: Duration,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { files: FILES_MAX, cpu: CPU_OF_ALL_MAX }
    }
}

impl Allowance {
    fn take(&mut self) -> Result<(), Finding> {
        if self.files == 0 {
            return Err(Finding::slow(format!("only {FILES_MAX} files of a message are looked into")));
        }
        if self.cpu.is_zero() {
            return Err(Finding::slow("the other files of the message took the time; not looked into"));
        }
        self.files -= 1;
        Ok(())
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
    /// `winmail.dat`.
    Tnef,
    /// Any other archive: its names are listed where its directory lies open, it is never unpacked.
    Archive,
}

impl Sort {
    const ALL: &'static [Self] = &[Self::Office, Self::Pdf, Self::Rtf, Self::Ole, Self::Tnef, Self::Archive];

    /// How the child process is told.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Office => "office",
            Self::Pdf => "pdf",
            Self::Rtf => "rtf",
            Self::Ole => "ole",
            Self::Tnef => "tnef",
            Self::Archive => "archive",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|sort| sort.word() == word)
    }

    /// The largest file of this sort that is looked into, and the most that its answer holds.
    pub(super) const fn bytes_max(self) -> usize {
        match self {
            Self::Ole | Self::Tnef => PACKED_BYTES_MAX,
            _ => FILE_BYTES_MAX,
        }
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
    if head.starts_with(tnef::MARK) {
        return Some(Sort::Tnef);
    }
    if archive::name_of(head).is_some() {
        return Some(Sort::Archive);
    }
    (head.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]) && !lower.ends_with(".msi")).then_some(Sort::Ole)
}

/// What a file holds, if it is of a sort that holds text, and what went wrong.
#[must_use]
pub fn inside(name: &str, media_type: &str, content: &[u8], allowance: &mut Allowance) -> (Option<Inside>, Option<Finding>) {
    let Some(sort) = sort_of(name, media_type, content) else { return (None, None) };
    if content.len() > sort.bytes_max() {
        let what = archive::name_of(content).unwrap_or("not looked into");
        return (None, Some(Finding::too_large(format!("{} bytes; {what}", content.len()))));
    }
    if let Err(finding) = allowance.take() {
        return (None, Some(finding));
    }
    let (answer, cpu) = sandbox::read(sort, content);
    allowance.cpu = allowance.cpu.saturating_sub(cpu);
    match answer {
        Ok(inside) if inside.text.trim().is_empty() && inside.files.is_empty() => (None, None),
        Ok(mut inside) => {
            truncate(&mut inside.text, TEXT_BYTES_MAX);
            (Some(inside), None)
        }
        Err(finding) => (None, Some(finding)),
    }
}

/// Reads a file of a known sort. The parsers are other people's code over a stranger's bytes: a
/// panic in one of them is a finding.
pub(super) fn read(sort: Sort, content: &[u8]) -> Result<Inside, Finding> {
    let text = |text: Result<String, Finding>| text.map(Inside::of_text);
    let outcome = std::panic::catch_unwind(|| match sort {
        Sort::Office => text(office::text_of(content)),
        Sort::Pdf => text(pdf::text_of(content)),
        Sort::Rtf => text(Ok(rtf::text_of(content))),
        Sort::Ole => ole::read(content),
        Sort::Tnef => tnef::read(content),
        Sort::Archive => Err(archive::look_at(content)),
    });
    outcome.unwrap_or_else(|_| Err(Finding::unreadable("its parser failed")))
}

/// Cuts a text at a character boundary.
pub(super) fn truncate(text: &mut String, bytes_max: usize) {
    text.truncate(text.floor_char_boundary(bytes_max));
}
