//! `bantuan70 contact`: the stakeholder directory. A contact is added unverified; who vouches for
//! it says so with `verify`.

mod export;
mod import;

use super::listing::{Desk, cell, escaped, not_found, open, print_fields, print_json, print_rows, who};
use super::ticket::{address, words};
use super::{Common, Exit, Failure, Outcome, print};
use crate::model::contact::{Contact, ContactKind};
use crate::model::{Address, Language};
use crate::openpgp::Certificate;
use crate::openpgp::certificate::CERTIFICATE_BYTES_MAX;
use crate::store::{ContactRow, NewContact};
use clap::{Args, Subcommand};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Characters of a name, an organisation, a label.
const FIELD_CHARS_MAX: usize = 200;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Add a contact, not yet verified
    Add(Add),
    /// List all contacts
    List,
    /// Show one contact
    Show {
        /// Mail address of the contact
        #[arg(value_parser = address)]
        address: Address,
    },
    /// Vouch for a contact; it ages out after 365 days
    Verify {
        /// Mail address of the contact
        #[arg(value_parser = address)]
        address: Address,
        /// By which way: "call-back", "letter"
        #[arg(long, value_name = "TEXT", default_value = "not said")]
        how: String,
    },
    /// Bring the directory up to what a CSV file says; one wrong row, and nothing is done
    ///
    /// Prints what becomes of each row, field by field: new, changed (before and after), unchanged. A
    /// contact that the file does not name stays as it is, and so does what a column that is not there,
    /// an empty language or an empty certificate would say. Where name, kind or certificate change, the
    /// contact must be verified again.
    Import {
        /// Columns name, address, kind, organisation, and where wanted sectors, groups (names with ; between), language, certificate (a file)
        file: PathBuf,
        /// Print the same and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Write all contacts to a CSV file that `import` reads, certificates beside it; verification is not carried over
    Export {
        /// The file to make; nothing is overwritten
        file: PathBuf,
    },
    /// Take a contact out of the directory
    Remove {
        /// Mail address of the contact
        #[arg(value_parser = address)]
        address: Address,
    },
}

#[derive(Debug, Args)]
struct Add {
    /// Name of the person, or of the mailbox's desk
    #[arg(long)]
    name: String,
    /// Mail address; each stands once in the directory
    #[arg(long, value_parser = address)]
    address: Address,
    /// person or role; TLP:RED goes to persons alone
    #[arg(long, value_parser = kind)]
    kind: ContactKind,
    /// Organisation that it belongs to
    #[arg(long)]
    organisation: String,
    /// For `!diseminasi sector:SECTOR`; may be given more than once
    #[arg(long, value_name = "SECTOR")]
    sector: Vec<String>,
    /// For `!diseminasi group:GROUP`; may be given more than once
    #[arg(long, value_name = "GROUP")]
    group: Vec<String>,
    /// id or en
    #[arg(long, value_parser = language, default_value = "id")]
    language: Language,
    /// OpenPGP certificate, armored or binary
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
}

fn kind(word: &str) -> Result<ContactKind, String> {
    ContactKind::parse(word).ok_or_else(|| format!("a kind is one of {}", words(ContactKind::ALL.iter().map(|kind| kind.word()))))
}

fn language(word: &str) -> Result<Language, String> {
    Language::parse(word)
        .filter(|language| matches!(language, Language::Id | Language::En))
        .ok_or_else(|| "a language is id or en".to_owned())
}

pub(super) fn run(common: &Common, arguments: Arguments) -> Outcome {
    let desk = open(common)?;
    match arguments.verb {
        Verb::Add(add) => run_add(common, &desk, add),
        Verb::List => {
            let rows = desk.store.contacts()?.into_iter().map(|contact| row(&desk, contact)).collect::<Result<Vec<_>, _>>()?;
            print_rows(
                common,
                &rows,
                &["ID", "NAME", "ADDRESS", "KIND", "ORGANISATION", "SECTORS", "GROUPS", "CERTIFICATE", "VERIFIED", "CAME BACK"],
                |row| {
                    vec![
                        row.id.to_string(),
                        row.name.clone(),
                        row.address.to_string(),
                        row.kind.to_string(),
                        row.organisation.clone(),
                        row.sectors.join(", "),
                        row.groups.join(", "),
                        row.fingerprint.as_ref().map_or_else(
                            || "none".to_owned(),
                            |print| print.0.chars().rev().take(16).collect::<Vec<_>>().into_iter().rev().collect(),
                        ),
                        match &row.verified_at {
                            None => "no".to_owned(),
                            Some(at) if row.is_verified => at.clone(),
                            Some(at) => format!("{at}, aged out"),
                        },
                        cell(row.bounced_at.as_ref()),
                    ]
                },
            )
        }
        Verb::Show { address } => {
            let contact = desk.store.contact(&address)?.ok_or_else(|| not_found(format!("{address} is not in the directory")))?;
            show(common, &desk, contact)
        }
        Verb::Verify { address, how } => {
            let how = field("--how", &how).map_err(Failure::usage)?;
            desk.store.verify_contact(&address, &how, &who(), desk.view.now).map_err(Failure::from_refusal)?;
            let contact = desk.store.contact(&address)?.ok_or_else(|| not_found(format!("{address} is gone again")))?;
            let print_of = contact.fingerprint.as_ref().map_or_else(|| "no certificate".to_owned(), |print| format!("certificate {print}"));
            // Whoever verifies compares this with what the contact reads out.
            print(format!("{address} is verified: {} ({}, {print_of})", escaped(&contact.name), contact.kind))?;
            Ok(Exit::Done)
        }
        Verb::Import { file, dry_run } => import::run(common, &desk, &file, dry_run),
        Verb::Export { file } => export::run(&desk, &file),
        Verb::Remove { address } => {
            desk.store.remove_contact(&address, &who(), desk.view.now).map_err(Failure::from_refusal)?;
            print(format!("{address} is removed"))?;
            Ok(Exit::Done)
        }
    }
}

fn row(desk: &Desk, contact: Contact) -> Result<ContactRow, Failure> {
    let by = desk.store.verified_by(&contact)?;
    Ok(ContactRow::new(contact, by, &desk.view.time_zone, desk.view.now))
}

fn show(common: &Common, desk: &Desk, contact: Contact) -> Outcome {
    let came_back = contact.bounced_because.clone();
    let is_verified = contact.is_verified(desk.view.now);
    let row = row(desk, contact)?;
    if common.json {
        print_json(&row)?;
        return Ok(Exit::Done);
    }
    let verified = match (&row.verified_at, is_verified) {
        (None, _) => "no".to_owned(),
        (Some(at), true) => {
            let by = row.verified_by.as_deref().map(|by| format!(", {by}")).unwrap_or_default();
            format!("{at} ({}{by})", row.verified_how.clone().unwrap_or_default())
        }
        (Some(at), false) => format!("{at}, aged out after 365 days: verify again"),
    };
    let came_back = row.bounced_at.as_ref().map_or_else(|| "no".to_owned(), |at| format!("{at} ({})", came_back.unwrap_or_default()));
    print_fields(&[
        ("id", row.id.to_string()),
        ("name", row.name),
        ("address", row.address.to_string()),
        ("kind", row.kind.to_string()),
        ("organisation", row.organisation),
        ("sectors", row.sectors.join(", ")),
        ("groups", row.groups.join(", ")),
        ("language", row.language.to_string()),
        ("certificate", row.fingerprint.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string)),
        ("expires", cell(row.expires_at.as_ref())),
        ("verified", verified),
        ("came back", came_back),
    ])?;
    Ok(Exit::Done)
}

fn run_add(common: &Common, desk: &Desk, add: Add) -> Outcome {
    let typed = Typed {
        name: add.name,
        organisation: add.organisation,
        sectors: add.sector,
        groups: add.group,
        certificate: add.certificate,
        address: add.address,
        kind: add.kind,
        language: add.language,
    };
    let (contact, certificate) = typed.read(desk).map_err(Failure::usage)?;
    store_certificates(desk, certificate.iter())?;
    desk.store.add_contact(&contact, &who(), desk.view.now).map_err(Failure::from_refusal)?;
    let stored = desk.store.contact(&contact.address)?.ok_or_else(|| not_found("the contact is gone again"))?;
    show(common, desk, stored)
}

/// A contact as typed or as it stands in a row.
struct Typed {
    name: String,
    address: Address,
    kind: ContactKind,
    organisation: String,
    sectors: Vec<String>,
    groups: Vec<String>,
    language: Language,
    certificate: Option<PathBuf>,
}

impl Typed {
    /// The contact and its certificate, or one line on what is wrong with them.
    fn read(self, desk: &Desk) -> Result<(NewContact, Option<Certificate>), String> {
        let label = |what: &str, name: &str| match field(what, name)? {
            // It stands between the names in a CSV file.
            name if name.contains(';') => Err(format!("{what} '{name}' holds a semicolon")),
            name => Ok(name),
        };
        let labels = |what: &str, names: &[String]| names.iter().map(|name| label(what, name)).collect::<Result<Vec<_>, _>>();
        let certificate = self.certificate.as_deref().map(|path| read_certificate(desk, path, &self.address)).transpose()?;
        let contact = NewContact {
            name: field("name", &self.name)?,
            address: self.address,
            kind: self.kind,
            organisation: field("organisation", &self.organisation)?,
            sectors: labels("sector", &self.sectors)?,
            groups: labels("group", &self.groups)?,
            language: self.language,
            fingerprint: certificate.as_ref().map(Certificate::fingerprint),
            expires_at: certificate.as_ref().and_then(|certificate| certificate.expires_at(desk.view.now)),
        };
        Ok((contact, certificate))
    }
}

/// A field that stands in mails and listings later: not empty, one line, of a person's length.
fn field(what: &str, text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err(format!("{what} is empty"));
    }
    if text.chars().count() > FIELD_CHARS_MAX {
        return Err(format!("{what} has more than {FIELD_CHARS_MAX} characters"));
    }
    if escaped(text) != text {
        return Err(format!("{what} holds characters that nobody sees: '{}'", escaped(text)));
    }
    Ok(text.to_owned())
}

/// Reads a certificate; what keeps mail from being encrypted to it refuses it here, not on the day it is needed.
fn read_certificate(desk: &Desk, path: &Path, address: &Address) -> Result<Certificate, String> {
    let bytes = read_limited(path, CERTIFICATE_BYTES_MAX)?;
    let certificate = Certificate::read(&bytes).map_err(|error| format!("{}: {error}", path.display()))?;
    let problems = certificate.problems(desk.view.now);
    if !problems.is_empty() {
        return Err(format!("{}: nothing can be encrypted to it: {}", path.display(), problems.join("; ")));
    }
    let user_ids = certificate.user_ids();
    if !user_ids.iter().any(|user_id| user_id.to_ascii_lowercase().contains(address.as_str())) {
        eprintln!("bantuan70: warning: {}: none of its user IDs names {address}: {}", path.display(), user_ids.join(", "));
    }
    Ok(certificate)
}

fn read_limited(path: &Path, bytes_max: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    std::fs::File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(|error| format!("read {}: {error}", path.display()))?;
    if bytes.len() > bytes_max { Err(format!("{} has more than {bytes_max} bytes", path.display())) } else { Ok(bytes) }
}

fn store_certificates<'a>(desk: &Desk, certificates: impl Iterator<Item = &'a Certificate>) -> Result<(), Failure> {
    for certificate in certificates {
        super::key::keep(&desk.store, certificate.clone(), desk.view.now)?;
    }
    Ok(())
}
