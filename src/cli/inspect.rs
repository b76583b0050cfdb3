//! `bantuan70 inspect`: what the daemon would make of a raw message, without storing or sending
//! anything. It needs no key and no server; with a configuration it uses what that names.

use super::rules::rule_set;
use super::{Common, Exit, Outcome, print};
use crate::config::Config;
use crate::extract::document;
use crate::mail::{Mail, kind, read};
use crate::model::{document::missing, effect::MailKind};
use crate::openpgp::keyring::Keyring;
use crate::openpgp::open::{Findings, open};
use crate::openpgp::own_key::OwnKey;
use crate::rules::{RuleSet, assess};
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
}

pub(super) fn run(common: &Common, arguments: Arguments) -> Outcome {
    let config = common.load_or_defaults()?;
    let rules = rule_set(&config)?;
    let view =
        View { rules, house: house_of(&config), keyring: keyring_of(&config), plaintext_limit: limit_of(&config), now: Timestamp::now() };
    for path in &arguments.files {
        print(view.object(path))?;
    }
    Ok(Exit::Done)
}

/// What inspection knows beside the message.
struct View {
    rules: RuleSet,
    house: kind::House,
    keyring: Keyring,
    plaintext_limit: usize,
    now: Timestamp,
}

/// The centre as recognition sees it.
pub(super) fn house_of(config: &Config) -> kind::House {
    kind::House {
        center: config.center.address.clone(),
        ticket_prefix: config.center.ticket_prefix.clone(),
        people: config.people.iter().map(|member| member.address.clone()).collect(),
        authserv_id: config.intake.authserv_id.clone(),
    }
}

fn limit_of(config: &Config) -> usize {
    usize::try_from(config.intake.message_bytes_max).unwrap_or(usize::MAX)
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

impl View {
    fn object(&self, path: &Path) -> Value {
        match bytes_of(path) {
            Ok(raw) => {
                let opened = open(read::read(&raw), &self.keyring, self.now, self.plaintext_limit);
                let mut object = self.describe(&opened.mail);
                if let Value::Object(fields) = &mut object {
                    fields.insert("file".to_owned(), json!(path.to_string_lossy()));
                    fields.insert("damage".to_owned(), json!(opened.damage));
                    fields.insert("openpgp".to_owned(), openpgp_of(&opened.findings));
                }
                object
            }
            Err(error) => json!({ "file": path.to_string_lossy(), "kind": MailKind::Unreadable, "error": error }),
        }
    }

    fn describe(&self, mail: &Mail) -> Value {
        let recognised = kind::recognise(mail, &self.house);
        // The parts of a robot's mail or of a bounce are no documents of a report.
        let is_filed = matches!(recognised.kind, MailKind::Report | MailKind::Reply | MailKind::Analyst);
        let found = if is_filed { document::find(&mail.text.new, &files_of(mail)) } else { document::Found::default() };
        let assessment = assess(&self.rules, mail);
        let (should_ack, ack_reason) = if recognised.may_answer && assessment.is_clear_spam {
            (false, "the rules call it spam with a clear margin".to_owned())
        } else {
            (recognised.may_answer, recognised.answer_because)
        };
        json!({
            "kind": recognised.kind,
            "because": recognised.because,
            "subject": mail.subject,
            "from": mail.from.first().map(|from| from.address.as_ref().map_or(from.typed.as_str(), |address| address.as_str())),
            "language": assessment.language,
            "category": assessment.category,
            "score": assessment.score,
            "is_unsure": assessment.is_unsure,
            "scores": assessment.scores,
            "secondary": assessment.secondary,
            "rsit": assessment.rsit,
            "rules": assessment.fired,
            "rules_version": assessment.rules_version,
            "priority": assessment.priority,
            "tlp": assessment.tlp,
            "indicators": assessment.indicators,
            "attachments": attachments_of(mail),
            "documents": found.set(),
            "form": found.form,
            "missing": missing(&found.set()),
            "new_text": mail.text.new,
            "should_ack": should_ack,
            "ack_reason": ack_reason,
        })
    }
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, String> {
    let file = std::fs::File::open(path).map_err(|error| format!("cannot open the file: {error}"))?;
    let mut raw = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut raw).map_err(|error| format!("cannot read the file: {error}"))?;
    match raw.len() {
        0 => Err("the file is empty".to_owned()),
        len if len as u64 > FILE_BYTES_MAX => Err(format!("the file is larger than {FILE_BYTES_MAX} bytes")),
        _ => Ok(raw),
    }
}

fn attachments_of(mail: &Mail) -> Vec<Value> {
    let describe =
        |a: &crate::mail::Attachment| json!({ "name": a.name, "media_type": a.media_type, "bytes": a.content.len(), "sha256": a.sha256 });
    mail.attachments.iter().map(describe).collect()
}

fn files_of(mail: &Mail) -> Vec<document::File<'_>> {
    mail.attachments
        .iter()
        .map(|a| document::File { name: &a.name, media_type: &a.media_type, is_layout: a.is_layout, text: a.text.as_deref() })
        .collect()
}

fn openpgp_of(findings: &Findings) -> Value {
    json!({
        "encrypted": findings.is_encrypted,
        "signed": findings.is_signed,
        "signer": findings.signer,
        "valid": findings.is_valid,
    })
}
