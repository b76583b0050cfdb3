//! Certificates brought up to date from files: what a pinned fingerprint adds (a later end, a
//! revocation) is taken; another fingerprint changes nothing and waits for a person.

use super::super::listing::escaped;
use super::super::{Exit, Failure, Outcome, print};
use super::{keep, read_limited};
use crate::model::contact::Contact;
use crate::model::letter::{LetterKind, LetterState};
use crate::openpgp::Certificate;
use crate::store::{Store, View};
use std::path::{Path, PathBuf};

/// A folder of more files is no folder of certificates.
const FILES_MAX: usize = 10_000;

/// Goes through a file, or the files of a folder (not of folders in it).
pub(super) fn run(store: &Store, path: &Path, view: &View) -> Outcome {
    let files = files(path).map_err(Failure::usage)?;
    let contacts = store.contacts()?;
    let (mut taken, mut same, mut waiting, mut strange) = (0_usize, 0_usize, 0_usize, 0_usize);
    for file in &files {
        let found =
            read_limited(file).and_then(|bytes| Certificate::read_all(&bytes).map_err(|error| format!("{}: {error}", file.display())));
        let certificates = match found {
            Ok(certificates) => certificates,
            Err(reason) => {
                eprintln!("bantuan70: warning: {}", escaped(&reason));
                continue;
            }
        };
        for certificate in certificates {
            let fingerprint = certificate.fingerprint();
            if store.certificate(&fingerprint)?.is_some() {
                let changed = take(store, certificate, &contacts, view)?;
                taken += usize::from(changed);
                same += usize::from(!changed);
                continue;
            }
            let named: Vec<&Contact> = contacts.iter().filter(|contact| names(&certificate, contact)).collect();
            for contact in &named {
                print(format_args!(
                    "{fingerprint} names {} and is not the pinned one: not taken; ask its owner, then 'key import {} --contact {}'",
                    contact.address,
                    file.display(),
                    contact.address
                ))?;
            }
            waiting += usize::from(!named.is_empty());
            strange += usize::from(named.is_empty());
        }
    }
    print(format_args!("{taken} brought up to date, {same} as they were, {waiting} wait for a person, {strange} of nobody here"))?;
    Ok(Exit::Done)
}

fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| format!("read {}: {error}", path.display());
    if !std::fs::metadata(path).map_err(failed)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_file() {
            files.push(entry.path());
        }
        if files.len() > FILES_MAX {
            return Err(format!("{} has more than {FILES_MAX} files", path.display()));
        }
    }
    files.sort();
    Ok(files)
}

/// Merges a certificate whose fingerprint is known, and says what that changed.
fn take(store: &Store, certificate: Certificate, contacts: &[Contact], view: &View) -> Result<bool, Failure> {
    let fingerprint = certificate.fingerprint();
    let state = |certificate: &Certificate| (certificate.expires_at(view.now), certificate.problems(view.now));
    let before = store.certificate(&fingerprint)?.and_then(|row| Certificate::read(&row.bytes).ok()).map(|known| state(&known));
    let kept = keep(store, certificate, view.now)?;
    let after = state(&kept);
    if before.as_ref() == Some(&after) {
        return Ok(false);
    }
    let ends = after.0.map_or_else(|| "never ends".to_owned(), |at| format!("ends on {}", at.strftime("%Y-%m-%d")));
    let problems = if after.1.is_empty() { String::new() } else { format!("; nothing can be encrypted to it: {}", after.1.join("; ")) };
    print(format_args!("{fingerprint} {ends}{problems}"))?;
    if after.1.is_empty() {
        for contact in contacts.iter().filter(|contact| contact.fingerprint.as_ref() == Some(&fingerprint)) {
            for row in store.outbox(&[LetterState::Held], view)? {
                if row.to.as_str() == contact.address.as_str() && row.kind == LetterKind::Dissemination {
                    print(format_args!("  letter {} to {} is held; 'outbox retry {}' sends it", row.id, contact.address, row.id))?;
                }
            }
        }
    }
    Ok(true)
}

/// Whether one of the user IDs bears the contact's address. Anybody can write one: this proves nothing.
pub(super) fn names(certificate: &Certificate, contact: &Contact) -> bool {
    certificate.user_ids().iter().any(|user_id| user_id.to_ascii_lowercase().contains(contact.address.as_str()))
}
