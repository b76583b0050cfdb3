//! Passwords and where they come from. They are read when they are first needed, never printed,
//! and never stand in the configuration file itself.

use super::ConfigError;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// A password is a line; a file of more than this is the wrong file.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// A password or token. Printing it shows that there is one, and no more.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret that was come by in another way (a token command's output).
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself, for the one place that gives it to a server or a key.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where a password is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// A file of mode 0600 or 0640.
    File(PathBuf),
    /// `$CREDENTIALS_DIRECTORY/NAME` (systemd.exec(5), LoadCredential=).
    Credential(String),
}

impl SecretSource {
    /// Reads the password. `config` and `key` say in an error where it is configured.
    pub(super) fn read(&self, config: &Path, key: &str) -> Result<Secret, ConfigError> {
        let wrong = |reason: String| ConfigError { file: config.to_owned(), line: None, key: key.to_owned(), reason };
        let path = match self {
            Self::File(path) => path.clone(),
            Self::Credential(name) => {
                let folder = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| {
                    wrong(format!("systemd gave no credentials; start the unit with LoadCredential={name}:FILE, or use password_file"))
                })?;
                PathBuf::from(folder).join(name)
            }
        };
        let length = private_length(&path).map_err(&wrong)?;
        if length > SECRET_BYTES_MAX {
            return Err(wrong(format!("{} is too long for a password file", path.display())));
        }
        let text = std::fs::read_to_string(&path).map_err(|error| wrong(format!("cannot read {}: {error}", path.display())))?;
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Err(wrong(format!("{} is empty; write the password into it", path.display())));
        }
        Ok(Secret(text.to_owned()))
    }
}

/// The length in bytes of a file that strangers cannot read and the group cannot write
/// (ATTACKS F71); else the reason and the remedy. Also for key files.
pub fn private_length(path: &Path) -> Result<u64, String> {
    let about =
        std::fs::metadata(path).map_err(|error| format!("cannot read {}: {error}; create it or name another file", path.display()))?;
    if !about.is_file() {
        return Err(format!("{} is no file", path.display()));
    }
    let mode = about.permissions().mode() & 0o777;
    if mode & 0o027 != 0 {
        return Err(format!("{} has mode {mode:04o}, so others can reach it; run: chmod 600 {}", path.display(), path.display()));
    }
    Ok(about.len())
}
