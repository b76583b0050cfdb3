//! The centre's key, the certificates of people and units, and those of the contacts: readable,
//! usable, and for how many days.

use super::Report;
use crate::cli::{Exit, Failure};
use crate::config::{Config, Secret, private_length};
use crate::model::policy::Policy;
use crate::model::{Address, Fingerprint, Tlp};
use crate::openpgp::{Certificate, OwnKey};
use crate::store::Store;
use jiff::Timestamp;
use std::path::Path;

/// Certificates that end within this many days are named, so that there is time to ask for new ones.
const FORECAST_DAYS: i64 = 60;

/// Verifications that age out within this many days are named.
const VERIFY_AGAIN_DAYS: i64 = 30;

/// A certificate is a few kilobytes; a file of more than this is the wrong file.
const CERTIFICATE_BYTES_MAX: u64 = 4 << 20;

/// The centre's key and every certificate that the configuration names.
pub(super) fn check(report: &mut Report, config: &Config, now: Timestamp) -> Result<(), Failure> {
    own_key(report, config, now)?;
    for (address, path) in config
        .people
        .iter()
        .map(|member| (&member.address, Some(&member.certificate)))
        .chain(config.internal_units.iter().map(|unit| (&unit.address, unit.certificate.as_ref())))
    {
        let what = format!("certificate {address}");
        let Some(path) = path else {
            report.ok(&what, "none: disseminations to this unit will be held")?;
            continue;
        };
        match read(path) {
            Err(reason) => report.fail(&what, Exit::Usage, &reason)?,
            Ok(certificate) => {
                let about = format!("{} {}", certificate.fingerprint(), end(certificate.expires_at(now), now));
                match certificate.problems(now).first() {
                    None => report.ok(&what, &about)?,
                    Some(problem) => {
                        let cause = format!("{}: {problem}; ask {address} for a new one", path.display());
                        report.fail(&what, Exit::NotInOrder, &cause)?;
                    }
                }
            }
        }
    }
    // Two people with one certificate are found where the policy is made.
    let fingerprint = |path: &Path| -> Result<Fingerprint, String> { read(path).map(|certificate| certificate.fingerprint()) };
    let readable = config.people.iter().all(|member| read(&member.certificate).is_ok());
    match config.policy(&fingerprint) {
        Err(error) if readable => report.fail("people", Exit::Usage, &error.to_string()),
        Err(_) => Ok(()),
        Ok(policy) => check_approvals(report, &policy),
    }
}

/// A mark for which more people must agree than can is never released, and each draft ends after 7 days.
fn check_approvals(report: &mut Report, policy: &Policy) -> Result<(), Failure> {
    let can = policy.people.iter().filter(|person| person.can_approve).count();
    let asks = |mark: &Tlp| (mark.label(), policy.approvals_for(*mark) as usize);
    let short: Vec<String> = Tlp::ALL
        .iter()
        .map(asks)
        .filter(|(_, needed)| !policy.people.is_empty() && *needed > can)
        .map(|(label, needed)| format!("{label} asks for {needed}"))
        .collect();
    if short.is_empty() {
        return Ok(());
    }
    report.ok("approvals", &format!("warning: {can} can agree to a dissemination, and {}: none of it can leave", short.join(", ")))
}

fn own_key(report: &mut Report, config: &Config, now: Timestamp) -> Result<(), Failure> {
    let Some(path) = &config.openpgp.key_file else { return Ok(()) };
    let what = "openpgp.key_file";
    if let Err(reason) = private_length(path) {
        return report.fail(what, Exit::Usage, &format!("{}: {what}: {reason}", config.file.display()));
    }
    let password = match config.openpgp.password() {
        Ok(password) => password,
        Err(error) => return report.fail("openpgp.password_file", Exit::Usage, &error.to_string()),
    };
    let own = std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display())).and_then(|bytes| {
        OwnKey::read(&bytes, password.as_ref().map(Secret::expose), now).map_err(|error| format!("{}: {error}", path.display()))
    });
    match own {
        Err(reason) => report.fail(what, Exit::Usage, &format!("{}: {what}: {reason}", config.file.display())),
        Ok(own) => match own.signing_problem(now) {
            Some(problem) => report.fail(what, Exit::NotInOrder, &format!("{}: {problem}; make or import a new key", path.display())),
            None => report.ok(what, &format!("{} {}", own.fingerprint(), end(own.expires_at(now), now))),
        },
    }
}

/// The pinned certificates of the contacts, in one line: how many, and which end soon.
pub(super) fn check_contacts(report: &mut Report, store: &Store, now: Timestamp) -> Result<(), Failure> {
    let contacts = store.contacts()?;
    if contacts.is_empty() {
        return Ok(());
    }
    let with_certificate = contacts.iter().filter(|contact| contact.fingerprint.is_some()).count();
    let mut soon: Vec<(i64, String)> = contacts
        .iter()
        .filter_map(|contact| Some((days_until(contact.expires_at?, now), contact.address.to_string())))
        .filter(|(days, _)| *days <= FORECAST_DAYS)
        .collect();
    soon.sort();
    let ended: Vec<&str> = soon.iter().filter(|(days, _)| *days < 0).map(|(_, address)| address.as_str()).collect();
    if !ended.is_empty() {
        let cause = format!("certificates have ended, and what is TLP:AMBER or above will be held: {}", ended.join(", "));
        return report.fail("contacts", Exit::NotInOrder, &cause);
    }
    let unfit: Vec<String> =
        contacts.iter().filter(|one| !one.unfit.is_empty()).map(|one| format!("{} ({})", one.address, one.unfit)).collect();
    if !unfit.is_empty() {
        let cause = format!("certificates cannot be used, and mail to these will be held: {}", unfit.join(", "));
        return report.fail("contacts", Exit::NotInOrder, &cause);
    }
    let mut detail = format!("{}, {with_certificate} with a certificate", contacts.len());
    let verified: Vec<(i64, &Address)> = contacts.iter().filter_map(|one| Some((one.verified_days_left(now)?, &one.address))).collect();
    if verified.len() < contacts.len() {
        detail.push_str(&format!("; {} not verified (any more)", contacts.len() - verified.len()));
    }
    let mut aging: Vec<&(i64, &Address)> = verified.iter().filter(|(days, _)| *days <= VERIFY_AGAIN_DAYS).collect();
    aging.sort();
    if !aging.is_empty() {
        let list: Vec<String> = aging.iter().map(|(days, address)| format!("{address} in {days} days")).collect();
        detail.push_str(&format!("; to be verified again: {}", list.join(", ")));
    }
    if !soon.is_empty() {
        let list: Vec<String> = soon.iter().map(|(days, address)| format!("{address} in {days} days")).collect();
        detail.push_str(&format!("; end soon: {}", list.join(", ")));
    }
    report.ok("contacts", &detail)
}

fn read(path: &Path) -> Result<Certificate, String> {
    let wrong = |reason: &dyn std::fmt::Display| format!("{}: {reason}", path.display());
    let about = std::fs::metadata(path).map_err(|error| wrong(&format_args!("{error}; put the person's OpenPGP certificate there")))?;
    if !about.is_file() || about.len() > CERTIFICATE_BYTES_MAX {
        return Err(wrong(&"is no certificate file"));
    }
    let bytes = std::fs::read(path).map_err(|error| wrong(&error))?;
    Certificate::read(&bytes).map_err(|error| wrong(&error))
}

/// `ends in 300 days (2027-09-20)`.
fn end(at: Option<Timestamp>, now: Timestamp) -> String {
    match at {
        None => "never ends".to_owned(),
        Some(at) => {
            let day = at.strftime("%Y-%m-%d");
            match days_until(at, now) {
                days if days < 0 => format!("ended on {day}"),
                days if days <= FORECAST_DAYS => format!("ends in {days} days ({day}): renew it now"),
                days => format!("ends in {days} days ({day})"),
            }
        }
    }
}

fn days_until(at: Timestamp, now: Timestamp) -> i64 {
    (at.as_second() - now.as_second()).div_euclid(86_400)
}
