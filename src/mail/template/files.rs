//! The template files: the embedded copies, and those of the centre that stand in their place.

use super::{TemplateError, TemplateName};
use std::path::{Path, PathBuf};

/// A letter is some pages; a file of more than this is the wrong file.
const TEMPLATE_BYTES_MAX: u64 = 256 << 10;

/// Lists the embedded files of both languages, as `("id/reply.txt", content)`.
macro_rules! embedded {
    ($($name:literal),+ $(,)?) => {
        &[
            $((concat!("id/", $name), include_str!(concat!("../../../templates/id/", $name))),)+
            $((concat!("en/", $name), include_str!(concat!("../../../templates/en/", $name))),)+
            ("README.md", include_str!("../../../templates/README.md")),
        ]
    };
}

/// Every file under `templates/`, for `init` and for what is missing in the centre's own folder.
pub const EMBEDDED: &[(&str, &str)] = embedded![
    "_form.txt",
    "_parts.txt",
    "acknowledgement.txt",
    "alarm.txt",
    "analysis.txt",
    "cannot_decrypt.txt",
    "closing.txt",
    "digest.txt",
    "digest_new.txt",
    "dissemination.txt",
    "dissemination_reminder.txt",
    "certificate_ends.txt",
    "key_announcement.txt",
    "help.txt",
    "notice_approval.txt",
    "notice_event.txt",
    "notice_followup.txt",
    "notice_new.txt",
    "phrases.toml",
    "receipt.txt",
    "refusal.txt",
    "refusal_summary.txt",
    "rejection.txt",
    "reminder.txt",
    "reply.txt",
    "report.txt",
    "request.txt",
    "status.txt",
    "survey.txt",
    "survey_again.txt",
];

/// One file of one language.
#[derive(Debug, Clone)]
pub(super) struct File {
    /// `reply.txt`.
    pub name: String,
    /// As errors show it.
    pub shown: PathBuf,
    pub content: String,
}

impl File {
    /// The name without its ending.
    pub fn stem(&self) -> &str {
        self.name.rsplit_once('.').map_or(self.name.as_str(), |(stem, _)| stem)
    }

    /// The template that the file belongs to; none for phrases and for what others include.
    pub fn template(&self) -> Option<TemplateName> {
        let stem = self.stem();
        TemplateName::ALL.iter().copied().find(|name| name.word() == stem)
    }

    pub fn is_phrases(&self) -> bool {
        self.name == "phrases.toml"
    }

    pub fn is_letter_text(&self) -> bool {
        self.template().is_some() && self.name.ends_with(".txt")
    }
}

/// The files of a language: those of `dir` first in rank, then the embedded ones. The embedded
/// phrases stay beside those of `dir`, which may change some of them only.
pub(super) fn collect(dir: Option<&Path>, language: &str) -> Result<Vec<File>, TemplateError> {
    let mut files: Vec<File> = EMBEDDED
        .iter()
        .filter_map(|(path, content)| {
            let name = path.strip_prefix(language)?.strip_prefix('/')?;
            Some(File { name: name.to_owned(), shown: Path::new("templates").join(path), content: (*content).to_owned() })
        })
        .collect();
    let Some(folder) = dir.map(|dir| dir.join(language)).filter(|folder| folder.exists()) else { return Ok(files) };
    for file in own(&folder)? {
        match files.iter_mut().find(|other| other.name == file.name) {
            Some(other) if !file.is_phrases() => *other = file,
            _ => files.push(file),
        }
    }
    Ok(files)
}

fn own(folder: &Path) -> Result<Vec<File>, TemplateError> {
    let wrong = |file: &Path, reason: String| TemplateError { file: file.to_owned(), line: None, reason };
    let unreadable = |file: &Path, error: std::io::Error| wrong(file, format!("cannot be read: {error}"));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| unreadable(folder, error))? {
        let path = entry.map_err(|error| unreadable(folder, error))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        // What editors leave beside a file is not a template.
        if !(name.ends_with(".txt") || name.ends_with(".html") || name == "phrases.toml") || name.starts_with('.') {
            continue;
        }
        let about = std::fs::metadata(&path).map_err(|error| unreadable(&path, error))?;
        if about.len() > TEMPLATE_BYTES_MAX {
            return Err(wrong(&path, "is larger than 256 KiB and no template".to_owned()));
        }
        let content = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, error))?.replace("\r\n", "\n");
        let file = File { name, shown: path.clone(), content };
        if file.template().is_none() && !file.is_phrases() && !file.name.starts_with('_') {
            let names: Vec<&str> = TemplateName::ALL.iter().map(|name| name.word()).collect();
            return Err(wrong(&path, format!("no letter has this name; the names are {}", names.join(", "))));
        }
        files.push(file);
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}
