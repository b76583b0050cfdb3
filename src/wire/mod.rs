//! The network and the Maildir: raw bytes in, sealed mail out. Nothing here reads a message.

mod connect;
pub mod imap;
pub mod maildir;
pub mod smtp;

use std::path::PathBuf;
use std::time::Duration;

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

/// How long a server may take. The defaults are those of RFC 5321 §4.5.3.2 and of DESIGN 9; tests shorten them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For each address of the host, TLS included.
    pub connect: Duration,
    /// From the connection to the greeting.
    pub greeting: Duration,
    /// From a command to its answer; in IMAP to the next line of it.
    pub command: Duration,
    /// From DATA to 354.
    pub data: Duration,
    /// For the writing of one message.
    pub block: Duration,
    /// From the final dot to its answer.
    pub after_dot: Duration,
    /// How long IDLE may be silent before it is ended and begun anew.
    pub idle: Duration,
    /// From DONE to its answer: a dead connection shows here.
    pub idle_end: Duration,
    /// For one IMAP operation as a whole, so that a server that drips lines ends.
    pub operation: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let minutes = |minutes| Duration::from_secs(60_u64 * minutes);
        Self {
            connect: Duration::from_secs(30),
            greeting: minutes(5),
            command: minutes(5),
            data: minutes(2),
            block: minutes(3),
            after_dot: minutes(10),
            idle: minutes(4),
            idle_end: minutes(1),
            operation: minutes(30),
        }
    }
}

/// What was read of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Every byte, as the server or the file has it.
    Whole(Vec<u8>),
    /// The message is larger than the limit: its header, at most [`HEADER_BYTES_MAX`], and its size in bytes.
    HeaderOnly { header: Vec<u8>, size: u64 },
    /// It is no longer there: somebody else moved or removed it (ATTACKS F6).
    Gone,
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

/// A server's words as they may be shown: one line, no control characters, at most 512 bytes (ATTACKS M17).
pub(crate) fn shown(text: &str) -> String {
    let mut line = String::new();
    for c in text.trim().chars() {
        let before = line.len();
        match c {
            ' '..='~' => line.push(c),
            _ if c.is_control() => line.push(' '),
            // Escapes what turns or hides text; letters stay.
            _ => line.extend(c.escape_debug()),
        }
        if line.len() > 512 {
            line.truncate(before);
            break;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m17_words_of_a_server_are_one_harmless_line() {
        assert_eq!(
            shown(" it's \"5.7.1\" a\\b\r\nnext\u{1b}[31m caf\u{e9} \u{202e}x "),
            "it's \"5.7.1\" a\\b  next [31m caf\u{e9} \\u{202e}x"
        );
        assert!(shown(&"\u{202e}".repeat(1000)).len() <= 512);
    }

    #[test]
    fn no_debug_form_shows_a_password() {
        let login = Login::Password { user: "u".to_owned(), password: "s3cret".to_owned() };
        let token = Login::XOAuth2 { user: "u".to_owned(), token: "s3cret".to_owned() };
        assert!(!format!("{login:?}{token:?}").contains("s3cret"));
    }
}
