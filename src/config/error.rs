//! What is wrong with a configuration, on one line: file, line, key, reason and remedy.

use std::path::{Path, PathBuf};

/// A configuration that cannot be used. Printed as `FILE:LINE: KEY: REASON`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    pub file: PathBuf,
    /// Counted from 1, where the key stands in the file.
    pub line: Option<usize>,
    /// `section.key`; empty where the file as a whole is meant.
    pub key: String,
    /// Why, and what to do.
    pub reason: String,
}

impl ConfigError {
    /// An error about a key that need not stand in the file.
    #[must_use]
    pub fn of(file: &Path, key: &str, reason: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: None, key: key.to_owned(), reason: reason.into() }
    }
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.file.as_os_str().is_empty() {
            f.write_str("configuration")?;
        } else {
            write!(f, "{}", self.file.display())?;
        }
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        f.write_str(": ")?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.reason)
    }
}

impl std::error::Error for ConfigError {}
