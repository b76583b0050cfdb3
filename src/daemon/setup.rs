//! From the configuration to what the daemon judges by: policy, templates, rules, keys.

use super::pipeline::{Bench, Reader};
use crate::config::{Config, Secret, private_length};
use crate::mail::kind::House;
use crate::mail::template::Templates;
use crate::model::Fingerprint;
use crate::model::policy::Policy;
use crate::openpgp::{Certificate, Keyring, OwnKey};
use crate::rules::{RuleSet, selftest};
use crate::store::Store;
use jiff::Timestamp;
use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

/// What is wrong with the configuration or a file that it names, on one line.
#[derive(Debug)]
pub struct SetupError(pub String);

impl SetupError {
    fn of(error: &dyn std::fmt::Display) -> Self {
        Self(format!("{error:#}"))
    }
}

impl std::fmt::Display for SetupError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SetupError {}

/// Loads everything that mail is judged by. Without a store the contacts' certificates are left out.
///
/// # Errors
/// The first thing that is wrong: key file, certificate, template, rule.
pub fn bench(config: &Config, store: Option<&Store>, now: Timestamp) -> Result<Bench, SetupError> {
    let (policy, keyring) = people(config, store, now)?;
    let templates = Templates::load(config.center.templates_dir.as_deref()).map_err(|error| SetupError::of(&error))?;
    for warning in templates.warnings() {
        tracing::warn!(warning = warning.to_string(), "a text of the centre is not used");
    }
    let rules = rules(config)?;
    Ok(Bench { policy: Arc::new(policy), templates: Arc::new(templates), reader: reader(config, rules, keyring) })
}

/// What a message is read by.
#[must_use]
pub fn reader(config: &Config, rules: RuleSet, keyring: Keyring) -> Reader {
    let house = house(config);
    let plaintext_limit = usize::try_from(config.intake.message_bytes_max).unwrap_or(usize::MAX);
    Reader { rules: Arc::new(rules), house, keyring, plaintext_limit }
}

/// The centre as recognition sees it.
#[must_use]
pub fn house(config: &Config) -> House {
    House {
        center: config.center.address.clone(),
        ticket_prefix: config.center.ticket_prefix.clone(),
        people: config.people.iter().map(|member| member.address.clone()).collect(),
        authserv_id: config.intake.authserv_id.clone(),
    }
}

/// The rules of the configuration, else the built-in ones. A set whose own tests fail is not loaded.
fn rules(config: &Config) -> Result<RuleSet, SetupError> {
    let rules = unproven(config)?;
    if config.center.rules_dir.is_some() { proven(rules, config) } else { Ok(rules) }
}

/// The rules of the configuration where they are another set than the one of that version.
///
/// # Errors
/// The first thing that is wrong with them.
pub(super) fn other_rules(config: &Config, version: &str) -> Result<Option<RuleSet>, SetupError> {
    let rules = unproven(config)?;
    if rules.version() == version { Ok(None) } else { proven(rules, config).map(Some) }
}

/// The rules of the configuration, before their tests were run; the tests of the built-in ones are the program's.
fn unproven(config: &Config) -> Result<RuleSet, SetupError> {
    let rules = config.center.rules_dir.as_deref().map_or_else(RuleSet::embedded, RuleSet::load);
    rules.map_err(|error| SetupError::of(&error))
}

fn proven(rules: RuleSet, config: &Config) -> Result<RuleSet, SetupError> {
    match selftest::run(&rules, &house(config)).failures.first() {
        Some(failure) => Err(SetupError(format!("{failure}; 'bantuan70 rules test' names all"))),
        None => Ok(rules),
    }
}

/// The people of the configuration, and the keys and certificates of everybody.
fn people(config: &Config, store: Option<&Store>, now: Timestamp) -> Result<(Policy, Keyring), SetupError> {
    let keyring = RefCell::new(Keyring::new());
    if let Some(path) = &config.openpgp.key_file {
        private_length(path).map_err(|reason| SetupError(format!("{}: openpgp.key_file: {reason}", config.file.display())))?;
        let bytes =
            std::fs::read(path).map_err(|error| SetupError(format!("openpgp.key_file: cannot read {}: {error}", path.display())))?;
        let password = config.openpgp.password().map_err(|error| SetupError::of(&error))?;
        let own = OwnKey::read(&bytes, password.as_ref().map(Secret::expose), now)
            .map_err(|error| SetupError(format!("openpgp.key_file {}: {error}", path.display())))?;
        keyring.borrow_mut().set_own(own);
    }
    let read = |path: &Path| -> Result<Fingerprint, String> {
        // The policy names the file.
        let bytes = std::fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
        let certificate = Certificate::read(&bytes).map_err(|error| error.to_string())?;
        Ok(keyring.borrow_mut().add_certificate(certificate))
    };
    let mut policy = config.policy(&read).map_err(|error| SetupError::of(&error))?;
    let mut keyring = keyring.into_inner();
    if let Some(store) = store {
        for row in store.certificates().map_err(|error| SetupError::of(&error))? {
            if let Err(error) = keyring.add(&row.bytes) {
                tracing::warn!(fingerprint = row.fingerprint.0, error = error.to_string(), "a stored certificate cannot be read");
            }
        }
    }
    look_at_units(&mut policy, &keyring, now);
    Ok((policy, keyring))
}

/// How the certificates of internal units stand: who drafts and who agrees sees it, as of contacts.
pub(super) fn look_at_units(policy: &mut Policy, keyring: &Keyring, now: Timestamp) {
    for unit in &mut policy.internal_units {
        let certificate = unit.fingerprint.as_ref().and_then(|fingerprint| keyring.get(fingerprint));
        unit.ends = certificate.and_then(|certificate| certificate.expires_at(now));
        unit.unfit = certificate.map(|certificate| certificate.unfit(now)).unwrap_or_default();
    }
}

/// The keys and certificates as they stand now.
///
/// # Errors
/// The first file that is wrong.
pub fn keyring(config: &Config, store: &Store, now: Timestamp) -> Result<Keyring, SetupError> {
    people(config, Some(store), now).map(|(_, keyring)| keyring)
}

/// From here on, files that this process makes are its owner's alone: what goes out can be secret.
pub fn keep_files_private() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
}

/// Tells systemd, where it listens.
pub(super) fn tell_systemd(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(error = error.to_string(), "systemd does not listen");
    }
}

/// Whether this user may make things in a folder; read-only file systems and access lists count.
///
/// # Errors
/// What the system says against it.
pub fn may_write(folder: &Path) -> std::io::Result<()> {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    Ok(accessat(CWD, folder, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)?)
}

/// Free bytes on the file system of `path`.
pub(super) fn free_bytes(path: &Path) -> Option<u64> {
    let about = rustix::fs::statvfs(path).ok()?;
    Some(about.f_bavail.saturating_mul(about.f_frsize))
}
