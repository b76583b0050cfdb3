//! `bantuan70 key`: the centre's own key, and the certificates of others in the directory. Secret
//! parts are written to the key file alone and never printed.

mod announce;
mod refresh;

use super::listing::{database, escaped, not_found, print_fields, print_json, print_rows, who};
use super::{Common, Exit, Failure, Outcome, print};
use crate::config::{Config, Secret, private_length};
use crate::model::{Address, Fingerprint};
use crate::openpgp::certificate::CERTIFICATE_BYTES_MAX;
use crate::openpgp::{Certificate, OwnKey, generate_own, renew};
use crate::store::{Store, View};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde::Serialize;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make the centre's own key: v4, cv25519, valid for three years; nothing is overwritten
    Generate {
        /// Where to write it, with mode 0600 [default: key_file of the configuration]
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Write the present key, valid for three years from now, to --output
        #[arg(long, requires = "output", conflicts_with = "roll_over")]
        renew: bool,
        /// Write a new key to --output, with the present one behind it for what is encrypted to it
        #[arg(long, requires = "output")]
        roll_over: bool,
    },
    /// Store certificates; what was known under the same fingerprint is brought up to date
    Import {
        /// OpenPGP certificates, armored or binary, one a file
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Pin it to this contact, who must then be verified again; without this it is stored and used for nobody
        #[arg(long, value_name = "ADDRESS", value_parser = super::ticket::address)]
        contact: Option<Address>,
    },
    /// Bring stored certificates up to date from a file or a folder of files; another fingerprint waits for a person
    Refresh {
        /// A file, or a folder whose files are OpenPGP certificates
        #[arg(value_name = "PATH")]
        path: PathBuf,
    },
    /// Tell every verified contact of the centre's renewed or next certificate, signed with the present key
    Announce {
        /// The next key or its certificate; absent: the centre's own as it is
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// List the centre's key, those of the configuration, and the stored certificates
    List,
    /// Show one certificate
    Show {
        /// Fingerprint, or its last 16 digits or more
        #[arg(value_name = "FINGERPRINT")]
        key: String,
    },
    /// Write a certificate in ASCII armor to stdout: the centre's own, or that of a fingerprint
    Export {
        /// Fingerprint, or its last 16 digits or more; absent: the centre's own
        #[arg(value_name = "FINGERPRINT")]
        key: Option<String>,
        /// Write the centre's own under this folder, as a web site shows it (Web Key Directory)
        #[arg(long, value_name = "DIR", conflicts_with = "key")]
        wkd: Option<PathBuf>,
    },
    /// Remove a stored certificate that no contact uses
    Remove {
        /// Fingerprint, or its last 16 digits or more
        #[arg(value_name = "FINGERPRINT")]
        key: String,
    },
}

pub(super) fn run(common: &Common, arguments: Arguments) -> Outcome {
    let config = common.load()?;
    let now = Timestamp::now();
    match arguments.verb {
        Verb::Generate { output, renew, roll_over } => match output {
            Some(output) if renew => renewed(&config, &output, now),
            output => generate(&config, output, roll_over, now),
        },
        Verb::Import { files, contact } => import(&config, &files, contact.as_ref(), now),
        Verb::Announce { file } => {
            let certificate = match file {
                Some(file) => next_certificate(&config, &file, now)?,
                None => own_key(&config, now)?.certificate(),
            };
            announce::run(&config, &store(&config)?, &certificate, now)
        }
        Verb::Refresh { path } => {
            let (time_zone, center_address) = (config.center.time_zone.clone(), config.center.address.to_string());
            refresh::run(&store(&config)?, &path, &View { time_zone, now, center_address })
        }
        Verb::List => {
            let rows: Vec<KeyRow> = known(&config, now)?.iter().map(|known| known.row(&config, now)).collect();
            print_rows(common, &rows, &["USE", "FINGERPRINT", "USER ID", "ENDS", "PROBLEMS"], |row| {
                let user_id = row.user_ids.first().cloned().unwrap_or_default();
                let ends = row.expires_at.as_deref().map_or("never", |at| at.get(..10).unwrap_or(at)).to_owned();
                vec![row.used_by.clone(), row.fingerprint.to_string(), user_id, ends, row.problems.join("; ")]
            })
        }
        Verb::Show { key } => show(common, &config, &find(&config, &key, now)?, now),
        Verb::Export { wkd: Some(folder), .. } => export_for_web(&config, &folder, now),
        Verb::Export { key, wkd: None } => {
            let certificate = match key {
                Some(key) => find(&config, &key, now)?.certificate,
                None => own_key(&config, now)?.certificate(),
            };
            print(String::from_utf8_lossy(&certificate.armored()).trim_end())?;
            Ok(Exit::Done)
        }
        Verb::Remove { key } => {
            let fingerprint = find(&config, &key, now)?.certificate.fingerprint();
            store(&config)?.remove_certificate(&fingerprint, &who(), now).map_err(Failure::from_refusal)?;
            print(format_args!("{fingerprint} is removed"))?;
            Ok(Exit::Done)
        }
    }
}

fn generate(config: &Config, output: Option<PathBuf>, keeps_old: bool, now: Timestamp) -> Outcome {
    let file = output.or_else(|| config.openpgp.key_file.clone()).ok_or_else(|| {
        Failure::usage(format!("{}: openpgp.key_file is not set; set it, or name a file with --output", config.file.display()))
    })?;
    if file.exists() {
        return Err(Failure::usage(format!("{} is there already and stays as it is; move it away first", file.display())));
    }
    let password = config.openpgp.password().map_err(|error| Failure::usage(error.to_string()))?;
    let made = generate_own(&config.center.name, &config.center.address, password.as_ref().map(Secret::expose), now)
        .map_err(|error| Failure::service(error.to_string()))?;
    let secret = if keeps_old {
        let (path, old) = key_file(config)?;
        renew::rolled_over(&old, &made).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?
    } else {
        made.secret.clone()
    };
    write_new(&file, &secret)?;
    let revocation = file.with_extension("revocation.asc");
    write_new(&revocation, &made.revocation)?;
    print(format_args!("{} for {} <{}>", made.fingerprint, escaped(&config.center.name), config.center.address))?;
    print(format_args!("wrote {} and {}", file.display(), revocation.display()))?;
    print("keep the revocation certificate apart from the key: on paper, or on another machine")?;
    Ok(Exit::Done)
}

fn renewed(config: &Config, output: &Path, now: Timestamp) -> Outcome {
    let (path, bytes) = key_file(config)?;
    let password = config.openpgp.password().map_err(|error| Failure::usage(error.to_string()))?;
    let wrong = |error: crate::openpgp::KeyError| Failure::usage(format!("{}: {error}", path.display()));
    let secret = renew::renewed(&bytes, password.as_ref().map(Secret::expose), now).map_err(wrong)?;
    // The new signatures are made now, which is later than when the verb began.
    let now = Timestamp::now();
    let own = OwnKey::read(&secret, password.as_ref().map(Secret::expose), now).map_err(wrong)?;
    write_new(output, &secret)?;
    let ends = own.expires_at(now).map_or_else(|| "never".to_owned(), |at| at.strftime("%Y-%m-%d").to_string());
    print(format_args!("{} ends on {ends} now; wrote {}", own.fingerprint(), output.display()))?;
    print(format_args!("name it as key_file in {} and export the certificate anew", config.file.display()))?;
    Ok(Exit::Done)
}

/// The certificate as files under the root of a web site.
fn export_for_web(config: &Config, folder: &Path, now: Timestamp) -> Outcome {
    let own = own_key(config, now)?;
    let files =
        renew::web_key_directory(&config.center.address, &own.certificate()).map_err(|error| Failure::service(error.to_string()))?;
    for (name, content) in files {
        let path = folder.join(name);
        let write = || -> std::io::Result<()> {
            path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            // What a web site shows is replaced by what is true now.
            std::fs::write(&path, &content)
        };
        write().map_err(|error| Failure::service(format!("cannot write {}: {error}", path.display())))?;
        print(format_args!("wrote {}", path.display()))?;
    }
    Ok(Exit::Done)
}

/// A new file that its owner alone can read.
fn write_new(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(content)?;
        file.sync_all()
    };
    write().map_err(|error| Failure::service(format!("cannot write {}: {error}", path.display())))
}

fn import(config: &Config, files: &[PathBuf], contact: Option<&Address>, now: Timestamp) -> Outcome {
    if contact.is_some() && files.len() > 1 {
        return Err(Failure::usage("--contact takes one file: a contact has one certificate"));
    }
    let certificates = files.iter().map(|path| read(path).map_err(Failure::usage)).collect::<Result<Vec<_>, _>>()?;
    let store = store(config)?;
    for (path, certificate) in files.iter().zip(certificates) {
        let certificate = keep(&store, certificate, now)?;
        let fingerprint = certificate.fingerprint();
        let problems = certificate.problems(now);
        if !problems.is_empty() {
            eprintln!("bantuan70: warning: {}: nothing can be encrypted to it: {}", path.display(), problems.join("; "));
        }
        if let Some(address) = contact {
            let ends = certificate.expires_at(now);
            let before = store.contact(address)?;
            store.pin_certificate(address, &fingerprint, ends, &who(), now).map_err(Failure::from_refusal)?;
            if let Some(contact) = before {
                if !refresh::names(&certificate, &contact) {
                    let user_ids = escaped(&certificate.user_ids().join(", ")).into_owned();
                    eprintln!("bantuan70: warning: {}: none of its user IDs names {address}: {user_ids}", path.display());
                }
                if contact.fingerprint.as_ref() != Some(&fingerprint) {
                    eprintln!(
                        "bantuan70: warning: {address} must be verified again, certificate included: 'contact verify {address} --how TEXT'"
                    );
                }
            }
        }
        print(format_args!("{fingerprint} {}", escaped(certificate.user_ids().first().map_or("", String::as_str))))?;
    }
    if contact.is_none() {
        eprintln!("bantuan70: stored, and pinned to nobody: 'key import FILE --contact ADDRESS' pins it to a contact");
    }
    Ok(Exit::Done)
}

/// Stores a certificate together with what was known of it: an older copy undoes no revocation.
pub(super) fn keep(store: &Store, certificate: Certificate, now: Timestamp) -> Result<Certificate, Failure> {
    let certificate = merged(store, certificate)?;
    let (fingerprint, ends) = (certificate.fingerprint(), certificate.expires_at(now));
    store.put_certificate_with(&fingerprint, &certificate.binary(), ends, &unfit(&certificate, now), now)?;
    Ok(certificate)
}

/// A certificate together with what is stored of it.
pub(super) fn merged(store: &Store, certificate: Certificate) -> Result<Certificate, Failure> {
    let known = store.certificate(&certificate.fingerprint())?.and_then(|row| Certificate::read(&row.bytes).ok());
    Ok(match known {
        Some(known) => known.merged(certificate),
        None => certificate,
    })
}

/// What keeps mail from being encrypted to a certificate besides its age, which is kept as a time.
pub(super) fn unfit(certificate: &Certificate, now: Timestamp) -> String {
    let has_ended = certificate.expires_at(now).is_some_and(|ends| ends <= now);
    if has_ended { String::new() } else { certificate.problems(now).join(", ") }
}

/// The database, made where there is none yet: certificates may be brought in before the first run.
fn store(config: &Config) -> Result<Store, Failure> {
    let path = database(config);
    let store = if path.exists() { Store::open_read(&path) } else { Store::open(&path) };
    Ok(store?)
}

/// The configured key file and its bytes, where strangers cannot read it.
fn key_file(config: &Config) -> Result<(&Path, Vec<u8>), Failure> {
    let wrong = |reason: &str| Failure::usage(format!("{}: openpgp.key_file {reason}", config.file.display()));
    let path = config.openpgp.key_file.as_deref().ok_or_else(|| wrong("is not set; the centre has no key"))?;
    private_length(path).map_err(|reason| wrong(&format!("cannot be used: {reason}")))?;
    Ok((path, read_limited(path).map_err(Failure::usage)?))
}

/// The certificate in a file, or the public part of the key in it.
fn next_certificate(config: &Config, path: &Path, now: Timestamp) -> Result<Certificate, Failure> {
    let bytes = read_limited(path).map_err(Failure::usage)?;
    if let Ok(certificate) = Certificate::read(&bytes) {
        return Ok(certificate);
    }
    let password = config.openpgp.password().map_err(|error| Failure::usage(error.to_string()))?;
    let own = OwnKey::read(&bytes, password.as_ref().map(Secret::expose), now);
    own.map(|own| own.certificate()).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

fn own_key(config: &Config, now: Timestamp) -> Result<OwnKey, Failure> {
    let (path, bytes) = key_file(config)?;
    let password = config.openpgp.password().map_err(|error| Failure::usage(error.to_string()))?;
    OwnKey::read(&bytes, password.as_ref().map(Secret::expose), now).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

/// A certificate and what it is used for.
struct Known {
    used_by: String,
    certificate: Certificate,
}

#[derive(Serialize)]
struct KeyRow {
    fingerprint: Fingerprint,
    used_by: String,
    user_ids: Vec<String>,
    expires_at: Option<String>,
    problems: Vec<String>,
}

impl Known {
    fn row(&self, config: &Config, now: Timestamp) -> KeyRow {
        let local = |at: Timestamp| at.to_zoned_datetime(config.center.time_zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        KeyRow {
            fingerprint: self.certificate.fingerprint(),
            used_by: self.used_by.clone(),
            user_ids: self.certificate.user_ids(),
            expires_at: self.certificate.expires_at(now).map(local),
            problems: self.certificate.problems(now),
        }
    }
}

/// All certificates that can be read; what cannot be is told by `check`.
fn known(config: &Config, now: Timestamp) -> Result<Vec<Known>, Failure> {
    let mut all = Vec::new();
    if config.openpgp.key_file.as_deref().is_some_and(Path::exists) {
        all.push(Known { used_by: "centre".to_owned(), certificate: own_key(config, now)?.certificate() });
    }
    let people = config.people.iter().map(|member| (&member.address, Some(&member.certificate)));
    let units = config.internal_units.iter().map(|unit| (&unit.address, unit.certificate.as_ref()));
    for (address, path) in people.chain(units) {
        if let Some(Ok(certificate)) = path.map(|path| read(path)) {
            all.push(Known { used_by: address.to_string(), certificate });
        }
    }
    if database(config).exists() {
        let store = store(config)?;
        let contacts = store.contacts()?;
        for row in store.certificates()? {
            let pinned = contacts.iter().filter(|contact| contact.fingerprint.as_ref() == Some(&row.fingerprint));
            let used_by = pinned.map(|contact| contact.address.to_string()).collect::<Vec<_>>().join(", ");
            if let Ok(certificate) = Certificate::read(&row.bytes) {
                all.push(Known { used_by: if used_by.is_empty() { "nobody".to_owned() } else { used_by }, certificate });
            }
        }
    }
    Ok(all)
}

fn find(config: &Config, typed: &str, now: Timestamp) -> Result<Known, Failure> {
    let wanted: String = typed.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_uppercase();
    let wanted = wanted.strip_prefix("0X").unwrap_or(&wanted);
    // Shorter ones can be made to fit by anybody.
    if wanted.len() < 16 || !wanted.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Failure::usage(format!("'{}' is no fingerprint, nor its last 16 digits", escaped(typed))));
    }
    let mut found: Vec<Known> =
        known(config, now)?.into_iter().filter(|known| known.certificate.fingerprint().0.ends_with(wanted)).collect();
    let prints: std::collections::BTreeSet<Fingerprint> = found.iter().map(|known| known.certificate.fingerprint()).collect();
    match (found.pop(), prints.len()) {
        (Some(known), 1) => Ok(known),
        (None, _) => Err(not_found(format!("there is no certificate {wanted}"))),
        _ => Err(not_found(format!("more than one certificate ends in {wanted}; give the whole fingerprint"))),
    }
}

fn show(common: &Common, config: &Config, known: &Known, now: Timestamp) -> Outcome {
    let row = known.row(config, now);
    if common.json {
        print_json(&row)?;
        return Ok(Exit::Done);
    }
    let problems = if row.problems.is_empty() { "none".to_owned() } else { row.problems.join("; ") };
    print_fields(&[
        ("fingerprint", row.fingerprint.to_string()),
        ("used by", row.used_by),
        ("user ids", row.user_ids.join(", ")),
        ("ends", row.expires_at.unwrap_or_else(|| "never".to_owned())),
        ("problems", problems),
    ])?;
    Ok(Exit::Done)
}

fn read(path: &Path) -> Result<Certificate, String> {
    Certificate::read(&read_limited(path)?).map_err(|error| format!("{}: {error}", path.display()))
}

fn read_limited(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(CERTIFICATE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    std::fs::File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    Ok(bytes)
}
