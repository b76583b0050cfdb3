//! The network and the Maildir: raw bytes in, sealed mail out. Nothing here reads a message.

pub mod imap;
pub mod maildir;
pub mod smtp;

use std::path::PathBuf;

/// Why a server gave nothing. One line, lower case, with the act, the host and the reason; never a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WireError {
    /// No connection, or it broke, or the server did not answer in time: the same may work later.
    Unreachable(String),
    /// The server said no: log-in, rights, a folder. A person has to look.
    Refused(String),
    /// The server said something that no server may say, or too much of it.
    Protocol(String),
}

impl std::fmt::Display for WireError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Unreachable(text) | Self::Refused(text) | Self::Protocol(text)) = self;
        f.write_str(text)
    }
}

impl std::error::Error for WireError {}

/// How a connection is protected (contract 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// TLS from the first byte.
    Implicit,
    /// Plain first, then STARTTLS; without it nothing is said (ATTACKS S2).
    StartTls,
    /// In the clear: for loopback addresses alone.
    None,
}

/// A server and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub host: String,
    pub port: u16,
    pub tls: Tls,
    /// PEM certificates that are trusted instead of the system's roots.
    pub ca_file: Option<PathBuf>,
}

/// Who logs in.
#[derive(Clone, PartialEq, Eq)]
pub enum Login {
    Password { user: String, password: String },
    XOAuth2 { user: String, token: String },
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kind, user) = match self {
            Self::Password { user, .. } => ("Password", user),
            Self::XOAuth2 { user, .. } => ("XOAuth2", user),
        };
        f.debug_struct(kind).field("user", user).finish_non_exhaustive()
    }
}

/// What was read of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Every byte, as the server or the file has it.
    Whole(Vec<u8>),
    /// The message is larger than the limit: its header, at most [`HEADER_BYTES_MAX`], and its size in bytes.
    HeaderOnly { header: Vec<u8>, size: u64 },
}

/// How much is read of the header of a message that is too large: four times what a reader keeps.
pub const HEADER_BYTES_MAX: usize = 1024 * 1024;

/// What became of one message that was to be filed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filing {
    /// It is in the folder.
    Filed,
    /// It is no longer in the inbox; somebody else moved or removed it, or we did before a crash.
    Gone,
    /// It is still in the inbox, with the reason.
    Failed(String),
}

/// Why a wait for new mail ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// The mailbox changed.
    Changed,
    /// The time is over; look all the same.
    Timeout,
}
