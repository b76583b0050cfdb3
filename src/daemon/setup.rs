//! From the configuration to what the daemon judges by: policy, templates, rules, keys.

use super::pipeline::Bench;
use crate::config::Config;
use crate::mail::template::Templates;
use crate::model::Fingerprint;
use crate::openpgp::certificate::Certificate;
use crate::openpgp::keyring::Keyring;
use crate::openpgp::own_key::OwnKey;
use crate::rules::set::RuleSet;
use crate::store::Store;
use jiff::Timestamp;
use std::cell::RefCell;
use std::path::Path;

/// What is wrong with the configuration or a file that it names, on one line.
#[derive(Debug)]
pub struct SetupError(pub String);

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
    let wrong = |error: &dyn std::fmt::Display| SetupError(error.to_string());
    let keyring = RefCell::new(Keyring::new());
    if let Some(path) = &config.openpgp.key_file {
        let bytes =
            std::fs::read(path).map_err(|error| SetupError(format!("openpgp.key_file: cannot read {}: {error}", path.display())))?;
        let password = config.openpgp.password().map_err(|error| wrong(&error))?;
        let own = OwnKey::read(&bytes, password.as_ref().map(crate::config::Secret::expose), now)
            .map_err(|error| SetupError(format!("openpgp.key_file {}: {error}", path.display())))?;
        keyring.borrow_mut().set_own(own);
    }
    let read = |path: &Path| -> Result<Fingerprint, String> {
        let bytes = std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let certificate = Certificate::read(&bytes).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(keyring.borrow_mut().add_certificate(certificate))
    };
    let policy = config.policy(&read).map_err(|error| wrong(&error))?;
    let templates = Templates::load(config.center.templates_dir.as_deref()).map_err(|error| wrong(&error))?;
    let rules = match &config.center.rules_dir {
        Some(dir) => RuleSet::load(dir).map_err(|error| wrong(&error))?,
        None => RuleSet::embedded().map_err(|error| wrong(&error))?,
    };
    let mut keyring = keyring.into_inner();
    if let Some(store) = store {
        for row in store.certificates().map_err(|error| SetupError(format!("{error:#}")))? {
            if let Err(error) = keyring.add(&row.bytes) {
                tracing::warn!(fingerprint = row.fingerprint.0, error = error.to_string(), "a stored certificate cannot be read");
            }
        }
    }
    Ok(Bench::new(config, policy, templates, rules, keyring))
}

/// Tells systemd, where it listens.
pub(super) fn tell_systemd(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(error = error.to_string(), "systemd does not listen");
    }
}

/// Free bytes on the file system of `path`.
pub(super) fn free_bytes(path: &Path) -> Option<u64> {
    let about = rustix::fs::statvfs(path).ok()?;
    Some(about.f_bavail.saturating_mul(about.f_frsize))
}
