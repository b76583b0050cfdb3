//! `bantuan70 inspect`: what the daemon would make of a raw message, without storing or sending
//! anything. It needs no key and no server; with a configuration it uses what that names.

use super::rules;
use super::{Common, Exit, Outcome, print};
use crate::config::Config;
use crate::daemon::pipeline::{Prepared, Reader};
use crate::daemon::reader;
use crate::mail::Mail;
use crate::model::{Address, document::missing, effect::MailKind};
use crate::openpgp::open::Findings;
use crate::openpgp::{Keyring, OwnKey};
use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// A larger file is not read: no mailbox of the centre would hold it (`max_message`).
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Raw messages (RFC 5322)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Use the rules of this directory instead of the configured or built-in ones
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
}

pub(super) fn run(common: &Common, arguments: Arguments) -> Outcome {
    let config = common.load_or_defaults()?;
    let reader = reader(&config, rules::load(arguments.rules.as_deref().or(config.center.rules_dir.as_deref()))?, keyring_of(&config));
    let now = Timestamp::now();
    for path in &arguments.files {
        print(object(path, &reader, now))?;
    }
    Ok(Exit::Done)
}

/// The keys and certificates that the configuration names, as far as they can be read: who may not
/// read the centre's key can inspect mail all the same.
fn keyring_of(config: &Config) -> Keyring {
    let mut keyring = Keyring::new();
    if let Some(bytes) = config.openpgp.key_file.as_deref().and_then(|path| std::fs::read(path).ok())
        && let Ok(password) = config.openpgp.password()
        && let Ok(own) = OwnKey::read(&bytes, password.as_ref().map(|secret| secret.expose()), Timestamp::now())
    {
        keyring.set_own(own);
    }
    for member in &config.people {
        if let Ok(bytes) = std::fs::read(&member.certificate) {
            // A certificate that cannot be used shows in `check`; here its signatures are unknown ones.
            let _unusable = keyring.add(&bytes);
        }
    }
    keyring
}

fn object(path: &Path, reader: &Reader, now: Timestamp) -> Value {
    match bytes_of(path) {
        Ok(raw) => {
            let mut object = describe(&reader.prepare(&raw, now));
            if let Value::Object(fields) = &mut object {
                fields.insert("file".to_owned(), json!(path.to_string_lossy()));
            }
            object
        }
        Err(error) => json!({ "file": path.to_string_lossy(), "kind": MailKind::Unreadable, "error": error }),
    }
}

fn describe(prepared: &Prepared) -> Value {
    let Prepared { told, found, .. } = prepared;
    let (mail, recognised) = (&prepared.opened.mail, &told.recognised);
    let (should_ack, ack_reason) = if recognised.may_answer && found.is_clear_spam {
        (false, "the rules call it spam with a clear margin")
    } else {
        (recognised.may_answer, recognised.answer_because.as_str())
    };
    let because = recognised.unless_ours.as_ref().map_or_else(
        || recognised.because.clone(),
        |other| format!("{}; where the outbox knows no such mail it is of kind '{}'", recognised.because, other.kind.word()),
    );
    let mut object = json!({
        "kind": recognised.kind,
        "because": because,
        "subject": mail.subject,
        "from": mail.writer().map(Address::as_str).or_else(|| {
            let first = mail.from.first()?;
            Some(first.address.as_ref().map_or(first.typed.as_str(), Address::as_str))
        }),
        "language": told.language,
        "category": found.category,
        "score": found.score,
        "is_unsure": found.is_unsure,
        "scores": found.scores,
        "secondary": found.secondary,
        "rsit": found.rsit,
        "rules": found.fired,
        "rules_version": found.rules_version,
        "priority": found.priority,
        "tlp": told.tlp,
        "indicators": told.indicators,
        "attachments": attachments_of(mail),
        "documents": prepared.documents,
        "evidence": prepared.evidence,
        "form": prepared.form,
        "missing": missing(&prepared.documents),
        "new_text": mail.text.new,
        "should_ack": should_ack,
        "ack_reason": ack_reason,
        "damage": prepared.opened.damage,
        "openpgp": openpgp_of(&prepared.opened.findings),
    });
    // What Outlook packed up beside the body stands beside `new_text`: two readings of one mail (ATTACKS 1.4).
    let packed = mail.packed_text();
    if let Value::Object(fields) = &mut object
        && !packed.is_empty()
    {
        fields.insert("packed_text".to_owned(), json!(packed));
    }
    object
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, String> {
    let file = std::fs::File::open(path).map_err(|error| format!("cannot open the file: {error}"))?;
    let mut raw = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut raw).map_err(|error| format!("cannot read the file: {error}"))?;
    // An empty file is a mail in which nothing stands, as it is to the daemon (ATTACKS M8).
    if raw.len() as u64 > FILE_BYTES_MAX { Err(format!("the file is larger than {FILE_BYTES_MAX} bytes")) } else { Ok(raw) }
}

fn attachments_of(mail: &Mail) -> Vec<Value> {
    let describe =
        |a: &crate::mail::Attachment| json!({ "name": a.name, "media_type": a.media_type, "bytes": a.content.len(), "sha256": a.sha256 });
    mail.attachments.iter().map(describe).collect()
}

fn openpgp_of(findings: &Findings) -> Value {
    json!({
        "encrypted": findings.is_encrypted,
        "signed": findings.is_signed,
        "signer": findings.signer,
        "valid": findings.is_valid,
    })
}
