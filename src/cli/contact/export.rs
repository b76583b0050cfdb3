//! The directory as a CSV file that `contact import` reads again, certificates beside it. Who vouched
//! for whom is not carried over: what comes in again is verified again.

use super::super::listing::{Desk, escaped};
use super::super::{Exit, Failure, Outcome, print};
use crate::model::contact::Contact;
use crate::openpgp::Certificate;
use std::io::Write as _;
use std::path::Path;

/// What a spreadsheet computes or cuts at instead of showing it (ATTACKS M20).
const FORMULA: &[char] = &['=', '+', '-', '@', '\t', '\r', '\n', '|'];

pub(super) fn run(desk: &Desk, file: &Path) -> Outcome {
    let failed = |error: &dyn std::fmt::Display| Failure::service(format!("write {}: {error}", file.display()));
    let folder = file.parent().unwrap_or_else(|| Path::new(""));
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(super::import::COLUMNS).map_err(|error| failed(&error))?;
    let contacts = desk.store.contacts()?;
    let mut beside = Vec::new();
    for contact in &contacts {
        let certificate = certificate_of(desk, contact)?;
        let name = certificate.as_ref().map(|certificate| format!("{}.asc", certificate.fingerprint())).unwrap_or_default();
        beside.extend(certificate.map(|certificate| (folder.join(&name), certificate.armored())));
        let cells = [
            contact.name.clone(),
            contact.address.to_string(),
            contact.kind.to_string(),
            contact.organisation.clone(),
            contact.sectors.join("; "),
            contact.groups.join("; "),
            contact.language.to_string(),
            name,
        ];
        writer.write_record(cells.map(|cell| guarded(&cell))).map_err(|error| failed(&error))?;
    }
    let bytes = writer.into_inner().map_err(|error| failed(&error))?;
    // The certificates first: a file that names them all is a whole export.
    for (path, content) in &beside {
        write_new(path, content)?;
    }
    write_new(file, &bytes)?;
    print(format_args!("wrote {} contacts to {} and {} certificates beside it", contacts.len(), file.display(), beside.len()))?;
    Ok(Exit::Done)
}

/// The pinned certificate, where `import` would take it again.
fn certificate_of(desk: &Desk, contact: &Contact) -> Result<Option<Certificate>, Failure> {
    let Some(fingerprint) = &contact.fingerprint else { return Ok(None) };
    let stored = desk.store.certificate(fingerprint)?.and_then(|row| Certificate::read(&row.bytes).ok());
    let Some(certificate) = stored else { return Ok(None) };
    let problems = certificate.problems(desk.view.now);
    if problems.is_empty() {
        return Ok(Some(certificate));
    }
    eprintln!("bantuan70: warning: {}: its certificate is left out: {}", contact.address, escaped(&problems.join("; ")));
    Ok(None)
}

/// Nothing is overwritten, but what is the same already.
fn write_new(path: &Path, content: &[u8]) -> Result<(), Failure> {
    if std::fs::read(path).is_ok_and(|there| there == content) {
        return Ok(());
    }
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(path)?;
        file.write_all(content)?;
        file.sync_all()
    };
    write().map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Failure::usage(format!("{} is there already and stays as it is; name another file", path.display()))
        }
        _ => Failure::service(format!("write {}: {error}", path.display())),
    })
}

/// A cell with a `'` before what a spreadsheet would compute; quotes before it are kept apart from it.
fn guarded(cell: &str) -> String {
    if is_formula(cell) { format!("'{cell}") } else { cell.to_owned() }
}

/// A cell without the `'` that a careful export writes.
pub(super) fn without_guard(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| is_formula(rest)).unwrap_or(cell)
}

fn is_formula(cell: &str) -> bool {
    cell.trim_start_matches('\'').starts_with(FORMULA)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m20_what_is_guarded_comes_back_as_it_was() {
        for cell in ["=1+1", "+62", "-", "@x", "|calc", "'=1", "''=1", "'x", "x=1", "", "'"] {
            let guarded = guarded(cell);
            assert!(!guarded.starts_with(FORMULA), "{guarded}");
            assert_eq!(without_guard(&guarded), cell);
        }
    }
}
