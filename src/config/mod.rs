//! The configuration: TOML with unknown keys as errors, to absolute paths and parsed durations.
//! Secrets are read where they are first needed, and certificates by whoever asks for a
//! [`Policy`](crate::model::policy::Policy); nothing here opens a connection.

mod error;
mod people;
mod place;
mod policy;
mod raw;
mod read;
mod secret;
mod servers;
mod value;

#[cfg(test)]
mod tests;

pub use error::ConfigError;
pub use secret::{Secret, SecretSource, private_length};

use crate::model::policy::{Calendar, Role};
use crate::model::{Address, Language, Tlp};
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A configuration to start from, with every key and its default: what `init` writes.
pub const START: &str = include_str!("start.toml");

/// The configuration as the program uses it: every path absolute, every value legal.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file that it was read from; empty for [`Config::defaults`].
    pub file: PathBuf,
    pub center: Center,
    pub intake: Intake,
    pub outgoing: Outgoing,
    pub openpgp: OpenPgp,
    /// Analysts, then chiefs, in the order of the file.
    pub people: Vec<Member>,
    pub internal_units: Vec<Unit>,
    pub acknowledgement: Acknowledgement,
    pub sla: Sla,
    pub dissemination: Dissemination,
    pub report: Report,
    pub retention: Retention,
    /// `None` is off.
    pub metrics_listen: Option<SocketAddr>,
    /// The keys that the file sets, as `section.key`, sorted; for what `check` says of them.
    pub keys_set: BTreeSet<String>,
}

/// `[center]`.
#[derive(Debug, Clone)]
pub struct Center {
    pub name: String,
    pub address: Address,
    pub ticket_prefix: String,
    pub language: Language,
    pub time_zone: TimeZone,
    pub data_dir: PathBuf,
    /// `None`: the rules that are built in.
    pub rules_dir: Option<PathBuf>,
    /// `None`: the templates that are built in.
    pub templates_dir: Option<PathBuf>,
}

/// How a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    Implicit,
    StartTls,
    /// Accepted for loopback addresses alone.
    None,
}

/// A mail server.
#[derive(Debug, Clone)]
pub struct Server {
    pub host: String,
    pub port: u16,
    pub tls: Tls,
    /// Trusted instead of the system's roots.
    pub ca_file: Option<PathBuf>,
}

/// How to log in.
#[derive(Debug, Clone)]
pub enum Login {
    /// No log-in at all (SMTP only).
    None,
    Password {
        user: String,
        password: SecretSource,
    },
    /// The command prints an access token.
    XOauth2 {
        user: String,
        token_command: Vec<String>,
    },
}

/// `[intake]`.
#[derive(Debug, Clone)]
pub struct Intake {
    /// `None`: the file names neither host nor path; enough for verbs that fetch no mail.
    pub source: Option<Source>,
    pub mailbox: String,
    pub processed: String,
    pub quarantine: String,
    pub poll_interval: Duration,
    pub message_bytes_max: u64,
    /// The one server whose Authentication-Results are believed.
    pub authserv_id: Option<String>,
    config_file: PathBuf,
}

/// Where mail comes from.
#[derive(Debug, Clone)]
pub enum Source {
    Imap { server: Server, login: Login },
    Maildir { path: PathBuf },
}

/// `[outgoing]`.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// `None`: the file names neither host nor path; enough for verbs that send no mail.
    pub target: Option<Target>,
    pub plus_addresses: bool,
    config_file: PathBuf,
}

/// Where mail goes.
#[derive(Debug, Clone)]
pub enum Target {
    Smtp { server: Server, login: Login },
    Maildir { path: PathBuf },
}

/// `[openpgp]`.
#[derive(Debug, Clone)]
pub struct OpenPgp {
    /// The centre's transferable secret key.
    pub key_file: Option<PathBuf>,
    password: Option<SecretSource>,
    config_file: PathBuf,
}

/// An `[[analyst]]` or a `[[chief]]`.
#[derive(Debug, Clone)]
pub struct Member {
    pub name: String,
    pub address: Address,
    pub role: Role,
    pub certificate: PathBuf,
    pub can_approve: bool,
    /// Where the entry stands, for errors: `analyst[2]`.
    key: String,
}

/// An `[[internal_unit]]`.
#[derive(Debug, Clone)]
pub struct Unit {
    pub name: String,
    pub address: Address,
    pub certificate: Option<PathBuf>,
    key: String,
}

/// `[acknowledgement]`.
#[derive(Debug, Clone)]
pub struct Acknowledgement {
    pub per_sender_per_day: u32,
    pub per_domain_per_hour: u32,
    pub per_hour: u32,
    pub sign: bool,
}

/// `[sla]`.
#[derive(Debug, Clone)]
pub struct Sla {
    pub verification: Duration,
    pub analysis: Duration,
    pub survey: Duration,
    /// Thousandths of a term, ascending.
    pub warn_at: Vec<u16>,
    pub calendar: Calendar,
}

/// `[dissemination]`.
#[derive(Debug, Clone)]
pub struct Dissemination {
    pub approvals: BTreeMap<Tlp, u32>,
    pub confirm_within: Duration,
    pub remind_every: Duration,
}

/// `[report]`; `None` is off.
#[derive(Debug, Clone)]
pub struct Report {
    /// Minutes of the day.
    pub daily_at: Option<u16>,
    pub weekly_on: Option<Weekday>,
}

/// `[retention]`, from the day of closing; `None` is kept.
#[derive(Debug, Clone)]
pub struct Retention {
    pub identity_documents: Option<Duration>,
    pub messages: Option<Duration>,
}

impl Config {
    /// Reads and validates a configuration file.
    ///
    /// # Errors
    /// One line with file, line, key, reason and remedy: unreadable file, no TOML, unknown key, illegal value.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        read::load(path)
    }

    /// Validates the text of a configuration that may not be written yet; `file` is for errors
    /// and the place that relative paths are meant from.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        read::parse(file, text)
    }

    /// The contract's defaults with the built-in rules and templates: for `inspect` and `rules`
    /// where there is no configuration.
    #[must_use]
    pub fn defaults() -> Self {
        read::defaults()
    }

    /// What `run` needs and other verbs do not, each key that is missing: where mail comes from and
    /// goes to, the centre's key, an analyst. Empty where all is there.
    #[must_use]
    pub fn missing_to_run(&self) -> Vec<ConfigError> {
        [
            (
                self.intake.source.is_none(),
                "intake.host",
                "name the IMAP server that mail is fetched from (or kind = \"maildir\" and path)",
            ),
            (
                self.outgoing.target.is_none(),
                "outgoing.host",
                "name the SMTP server that mail is sent through (or kind = \"maildir\" and path)",
            ),
            (
                self.openpgp.key_file.is_none(),
                "openpgp.key_file",
                "name the centre's secret key; 'bantuan70 init DIR --generate-key' makes one",
            ),
            (self.people.is_empty(), "analyst", "name at least one person with address and certificate in an [[analyst]] section"),
        ]
        .into_iter()
        .filter(|(is_missing, ..)| *is_missing)
        .map(|(_, key, remedy)| ConfigError::of(&self.file, key, format!("is missing; {remedy}")))
        .collect()
    }
}

impl Login {
    fn password(&self, file: &Path, key: &str) -> Result<Option<Secret>, ConfigError> {
        match self {
            Self::Password { password, .. } => password.read(file, key).map(Some),
            Self::None | Self::XOauth2 { .. } => Ok(None),
        }
    }
}

impl Intake {
    /// The password of the IMAP log-in, read now; `None` where the log-in has none.
    ///
    /// # Errors
    /// The file or credential is missing, empty, or others may read it.
    pub fn password(&self) -> Result<Option<Secret>, ConfigError> {
        match &self.source {
            Some(Source::Imap { login, .. }) => login.password(&self.config_file, "intake.password_file"),
            Some(Source::Maildir { .. }) | None => Ok(None),
        }
    }
}

impl Outgoing {
    /// The password of the SMTP log-in, read now; `None` where the log-in has none.
    ///
    /// # Errors
    /// The file or credential is missing, empty, or others may read it.
    pub fn password(&self) -> Result<Option<Secret>, ConfigError> {
        match &self.target {
            Some(Target::Smtp { login, .. }) => login.password(&self.config_file, "outgoing.password_file"),
            Some(Target::Maildir { .. }) | None => Ok(None),
        }
    }
}

impl OpenPgp {
    /// The password of the centre's key, read now; `None` where the key has none.
    ///
    /// # Errors
    /// The file or credential is missing, empty, or others may read it.
    pub fn password(&self) -> Result<Option<Secret>, ConfigError> {
        self.password.as_ref().map(|source| source.read(&self.config_file, "openpgp.password_file")).transpose()
    }
}
