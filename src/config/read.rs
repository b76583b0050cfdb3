//! From the typed file to a [`Config`]: defaults filled in, values parsed, contradictions refused.

use super::place::{key_at, keys_set, line_of};
use super::{Acknowledgement, Center, Config, ConfigError, Dissemination, Intake, OpenPgp, Outgoing, Report, Retention, Sla, raw, value};
use crate::model::policy::Calendar;
use crate::model::{Address, Language, Tlp};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A configuration is some pages; a file of more than this is the wrong file.
const CONFIG_BYTES_MAX: u64 = 1 << 20;
const RULES_DIR: &str = "/etc/bantuan70/rules";
const TEMPLATES_DIR: &str = "/etc/bantuan70/templates";

/// See [`Config::load`].
pub(super) fn load(path: &Path) -> Result<Config, ConfigError> {
    let whole = |reason: String| ConfigError::of(path, "", reason);
    let about = std::fs::metadata(path)
        .map_err(|error| whole(format!("cannot read the configuration: {error}; 'bantuan70 init DIR' writes one to start from")))?;
    if about.len() > CONFIG_BYTES_MAX {
        return Err(whole("is larger than 1 MiB and no configuration".to_owned()));
    }
    let text = std::fs::read_to_string(path).map_err(|error| whole(format!("cannot read the configuration: {error}")))?;
    parse(path, &text)
}

/// See [`Config::parse`].
pub(super) fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let folder = std::path::absolute(path).ok().and_then(|path| path.parent().map(Path::to_owned)).unwrap_or_default();
    Reading { file: path.to_owned(), folder, text }.config()
}

/// See [`Config::defaults`].
pub(super) fn defaults() -> Config {
    let center = Center {
        name: "Pusat Kontak Siber Nasional".to_owned(),
        address: default_address(),
        ticket_prefix: "BANTUAN70".to_owned(),
        language: Language::Id,
        time_zone: TimeZone::get("Asia/Jakarta").unwrap_or(TimeZone::UTC),
        data_dir: PathBuf::from("/var/lib/bantuan70"),
        rules_dir: None,
        templates_dir: None,
    };
    Config {
        file: PathBuf::new(),
        center,
        intake: Intake {
            source: None,
            mailbox: "INBOX".to_owned(),
            processed: "Processed".to_owned(),
            quarantine: "Quarantine".to_owned(),
            poll_interval: Duration::from_secs(60),
            message_bytes_max: 50 << 20,
            authserv_id: None,
            config_file: PathBuf::new(),
        },
        outgoing: Outgoing { target: None, plus_addresses: false, config_file: PathBuf::new() },
        openpgp: OpenPgp { key_file: None, password: None, config_file: PathBuf::new() },
        people: Vec::new(),
        internal_units: Vec::new(),
        acknowledgement: Acknowledgement { per_sender_per_day: 5, per_domain_per_hour: 300, per_hour: 2_000, sign: true },
        sla: Sla {
            verification: Duration::from_secs(24 * 3_600),
            analysis: Duration::from_secs(72 * 3_600),
            survey: Duration::from_secs(72 * 3_600),
            warn_at: vec![500, 800],
            calendar: Calendar::Continuous,
        },
        dissemination: Dissemination {
            approvals: BTreeMap::from([(Tlp::Red, 2), (Tlp::AmberStrict, 2), (Tlp::Amber, 1), (Tlp::Green, 1), (Tlp::Clear, 1)]),
            confirm_within: Duration::from_secs(72 * 3_600),
            remind_every: Duration::from_secs(24 * 3_600),
        },
        report: Report { daily_at: None, weekly_on: None },
        retention: Retention { identity_documents: None, messages: None },
        metrics_listen: None,
        keys_set: BTreeSet::new(),
    }
}

/// The figures have no log-in: they are for this machine alone.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let shown = value::shown(text);
    let address: SocketAddr = text.parse().map_err(|_| format!("'{shown}' is no address and port; write it as \"127.0.0.1:9170\""))?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    Err(format!(
        "'{shown}' can be reached from other machines, and the figures have no log-in; name a loopback address and put a proxy that asks for one before it"
    ))
}

fn default_address() -> Address {
    #[expect(clippy::expect_used, reason = "a constant that a test reads")]
    Address::parse("bantuan70@bssn.test").expect("the default address is a mailbox")
}

/// One file on its way to a [`Config`].
pub(super) struct Reading<'a> {
    pub(super) file: PathBuf,
    /// Relative paths are meant from here.
    folder: PathBuf,
    text: &'a str,
}

impl Reading<'_> {
    fn config(&self) -> Result<Config, ConfigError> {
        let file: raw::File = toml::from_str(self.text).map_err(|error| self.syntax(&error))?;
        let mut config = defaults();
        config.file.clone_from(&self.file);
        config.keys_set = keys_set(self.text);
        self.center(file.center, &mut config.center)?;
        self.intake(file.intake, &mut config.intake)?;
        self.outgoing(file.outgoing, &mut config.outgoing)?;
        self.two_maildirs(&config)?;
        config.openpgp = OpenPgp {
            key_file: file.openpgp.key_file.map(|path| self.path(path)),
            password: self.secret("openpgp", file.openpgp.password_file, file.openpgp.password_credential)?,
            config_file: self.file.clone(),
        };
        for (index, analyst) in file.analyst.into_iter().enumerate() {
            config.people.push(self.analyst(format!("analyst[{}]", index + 1), analyst)?);
        }
        for (index, chief) in file.chief.into_iter().enumerate() {
            config.people.push(self.chief(format!("chief[{}]", index + 1), chief)?);
        }
        for (index, unit) in file.internal_unit.into_iter().enumerate() {
            config.internal_units.push(self.unit(format!("internal_unit[{}]", index + 1), unit)?);
        }
        self.addresses_differ(&config)?;
        self.acknowledgement(&file.acknowledgement, &mut config.acknowledgement);
        self.sla(file.sla, &mut config.sla)?;
        self.dissemination(file.dissemination, &mut config.dissemination)?;
        config.report.daily_at = self.parsed("report.daily_at", file.report.daily_at, value::minute_of_day)?;
        config.report.weekly_on = self.parsed("report.weekly_on", file.report.weekly_on, value::weekday)?;
        config.retention.identity_documents =
            self.parsed("retention.identity_documents", file.retention.identity_documents, value::duration)?;
        config.retention.messages = self.parsed("retention.messages", file.retention.messages, value::duration)?;
        config.metrics_listen = self.parsed("metrics.listen", file.metrics.listen, loopback)?;
        Ok(config)
    }

    fn center(&self, raw: raw::Center, center: &mut Center) -> Result<(), ConfigError> {
        self.set("center.name", raw.name, value::name, &mut center.name)?;
        self.set("center.address", raw.address, address, &mut center.address)?;
        self.set("center.ticket_prefix", raw.ticket_prefix, ticket_prefix, &mut center.ticket_prefix)?;
        self.set("center.language", raw.language, language, &mut center.language)?;
        self.set("center.time_zone", raw.time_zone, time_zone, &mut center.time_zone)?;
        if let Some(path) = raw.data_dir {
            center.data_dir = self.path(path);
        }
        // The packaged folders count where they are there; else what is built in does.
        let existing = |path: &str| Some(PathBuf::from(path)).filter(|path| path.is_dir());
        center.rules_dir = raw.rules_dir.map(|path| self.path(path)).or_else(|| existing(RULES_DIR));
        center.templates_dir = raw.templates_dir.map(|path| self.path(path)).or_else(|| existing(TEMPLATES_DIR));
        Ok(())
    }

    fn acknowledgement(&self, raw: &raw::Acknowledgement, acknowledgement: &mut Acknowledgement) {
        let given = &mut *acknowledgement;
        given.per_sender_per_day = raw.per_sender_per_day.unwrap_or(given.per_sender_per_day);
        given.per_domain_per_hour = raw.per_domain_per_hour.unwrap_or(given.per_domain_per_hour);
        given.per_hour = raw.per_hour.unwrap_or(given.per_hour);
        given.sign = raw.sign.unwrap_or(given.sign);
    }

    fn sla(&self, raw: raw::Sla, sla: &mut Sla) -> Result<(), ConfigError> {
        self.set("sla.verification", raw.verification, value::duration, &mut sla.verification)?;
        self.set("sla.analysis", raw.analysis, value::duration, &mut sla.analysis)?;
        self.set("sla.survey", raw.survey, value::duration, &mut sla.survey)?;
        if let Some(shares) = raw.warn_at {
            let mut thousandths = BTreeSet::new();
            for share in shares {
                if !(0.001..1.0).contains(&share) {
                    return Err(self.wrong(
                        "sla.warn_at",
                        format!("{share} is no share of a term; write numbers between 0 and 1, such as [0.5, 0.8]"),
                    ));
                }
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and 999 by the test above")]
                thousandths.insert((share * 1_000.0).round() as u16);
            }
            sla.warn_at = thousandths.into_iter().collect();
        }
        let hours = self.parsed("sla.working_hours", raw.working_hours, value::working_hours)?;
        let mut holidays = BTreeSet::new();
        for day in raw.holidays.unwrap_or_default() {
            let date: Date = day
                .parse()
                .map_err(|_| self.wrong("sla.holidays", format!("'{}' is no day; write it as \"2026-08-17\"", value::shown(&day))))?;
            holidays.insert(date);
        }
        sla.calendar = match raw.calendar.as_deref().unwrap_or("continuous") {
            "continuous" => Calendar::Continuous,
            "working-hours" => {
                let Some((from_minute, to_minute)) = hours else {
                    let reason = "is missing for calendar = \"working-hours\"; write it as \"08:00-16:00\"";
                    return Err(self.wrong("sla.working_hours", reason));
                };
                Calendar::WorkingHours { from_minute, to_minute, holidays }
            }
            other => {
                let reason = format!("'{}' is not known; write \"continuous\" or \"working-hours\"", value::shown(other));
                return Err(self.wrong("sla.calendar", reason));
            }
        };
        Ok(())
    }

    fn dissemination(&self, raw: raw::Dissemination, dissemination: &mut Dissemination) -> Result<(), ConfigError> {
        for (mark, count) in raw.approvals {
            let Some(tlp) = Tlp::parse(&mark) else {
                let reason = format!("'{}' is no mark; write RED, \"AMBER+STRICT\", AMBER, GREEN or CLEAR", value::shown(&mark));
                return Err(self.wrong("dissemination.approvals", reason));
            };
            if count == 0 || count > 9 {
                return Err(self.wrong(
                    "dissemination.approvals",
                    format!("{count} for {tlp} is out of range; write 1 to 9 people, the author counted"),
                ));
            }
            dissemination.approvals.insert(tlp, count);
        }
        self.set("dissemination.confirm_within", raw.confirm_within, value::duration, &mut dissemination.confirm_within)?;
        self.set("dissemination.remind_every", raw.remind_every, value::duration, &mut dissemination.remind_every)
    }

    /// Parses a value that may be left out.
    pub(super) fn parsed<T>(
        &self,
        key: &str,
        typed: Option<String>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ConfigError> {
        typed.map(|text| parse(&text).map_err(|reason| self.wrong(key, reason))).transpose()
    }

    /// Parses a value that has a default, which stands in `place`.
    pub(super) fn set<T>(
        &self,
        key: &str,
        typed: Option<String>,
        parse: impl Fn(&str) -> Result<T, String>,
        place: &mut T,
    ) -> Result<(), ConfigError> {
        if let Some(given) = self.parsed(key, typed, parse)? {
            *place = given;
        }
        Ok(())
    }

    /// A path of the file, from the file's own folder.
    pub(super) fn path(&self, path: PathBuf) -> PathBuf {
        self.folder.join(path)
    }

    /// An error about a key, with the line where it stands.
    pub(super) fn wrong(&self, key: &str, reason: impl Into<String>) -> ConfigError {
        ConfigError { line: line_of(self.text, key), ..ConfigError::of(&self.file, key, reason) }
    }

    /// An error of the TOML reader, with the key that it is about and the remedy where there is one.
    fn syntax(&self, error: &toml::de::Error) -> ConfigError {
        let at = error.span().map_or(0, |span| span.start);
        let line = self.text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
        let key = key_at(self.text, line);
        let last = key.rsplit('.').next().unwrap_or_default();
        let message = error.message().lines().next().unwrap_or_default();
        let reason = if matches!(last, "password" | "passphrase" | "token" | "secret") && message.starts_with("unknown field") {
            "a password is never written into this file; put it into a file of its own and name that as password_file, or use password_credential"
                .to_owned()
        } else if message.starts_with("unknown field") {
            format!("{message}; correct the key or take it out").replace("unknown field", "unknown key").replace('`', "'")
        } else {
            in_words(message)
        };
        ConfigError { line: Some(line), ..ConfigError::of(&self.file, &key, reason) }
    }
}

/// What the TOML reader says of a value of the wrong kind or size, with what to write instead: it names types of
/// the programming language, which nobody who writes a configuration knows.
fn in_words(message: &str) -> String {
    let plain = message.replace('`', "'");
    let Some((found, expected)) = plain.split_once(", expected ") else { return plain };
    let Some(found) = found.strip_prefix("invalid type: ").or_else(|| found.strip_prefix("invalid value: ")) else { return plain };
    let wanted = match expected {
        "u8" => "a whole number from 0 to 255, without quotes",
        "u16" => "a whole number from 0 to 65535, without quotes",
        "u32" | "u64" | "usize" => "a whole number from 0, without quotes",
        "i8" | "i16" | "i32" | "i64" => "a whole number, without quotes",
        "f32" | "f64" => "a number, without quotes",
        "a string" | "path string" => "text in double quotes",
        "a boolean" => "true or false, without quotes",
        "a sequence" => "a list in square brackets, as [ … ]",
        "a map" => "pairs in braces, as { name = … }, or a section of its own",
        _ => return plain,
    };
    format!("{found} cannot stand here; write {wanted}")
}

pub(super) fn address(text: &str) -> Result<Address, String> {
    Address::parse(text).ok_or_else(|| format!("'{}' is no mail address; write it as \"name@domain\"", value::shown(text)))
}

/// The prefix stands in subjects and commands: plain capitals and digits cannot be misread there.
fn ticket_prefix(text: &str) -> Result<String, String> {
    let is_plain = (2..=20).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    if is_plain {
        Ok(text.to_owned())
    } else {
        Err(format!("'{}' is no prefix; write 2 to 20 capital letters and digits", value::shown(text)))
    }
}

fn language(text: &str) -> Result<Language, String> {
    match text {
        "id" => Ok(Language::Id),
        "en" => Ok(Language::En),
        _ => Err(format!("'{}' is not known; write \"id\" or \"en\"", value::shown(text))),
    }
}

fn time_zone(text: &str) -> Result<TimeZone, String> {
    TimeZone::get(text).map_err(|_| format!("'{}' is no time zone; write it as \"Asia/Jakarta\"", value::shown(text)))
}
