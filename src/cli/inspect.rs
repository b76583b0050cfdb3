//! `bantuan70 inspect`: what the daemon would make of a raw message, without storing or sending.

use super::{Common, Exit, Failure, Outcome, print};
use crate::extract::{document, language, mark};
use crate::mail::{Mail, kind, read};
use crate::model::{Address, document::missing, effect::MailKind};
use clap::Args;
use serde_json::{Value, json};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// A larger file is not read at all; the mailbox's own limit is lower.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Raw messages (RFC 5322)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) fn run(common: &Common, arguments: Arguments) -> Outcome {
    let house = house(common)?;
    for path in &arguments.files {
        print(object(path, &house))?;
    }
    Ok(Exit::Done)
}

/// The centre of the configuration, or the defaults of the contract where there is none.
fn house(_common: &Common) -> Result<kind::House, Failure> {
    let center = Address::parse("bantuan70@bssn.test").ok_or_else(|| Failure::usage("the default address is none"))?;
    Ok(kind::House { center, ticket_prefix: "BANTUAN70".to_owned(), people: Vec::new(), authserv_id: None })
}

fn object(path: &Path, house: &kind::House) -> Value {
    match bytes_of(path) {
        Ok(raw) => {
            let (mail, damage) = read::read(&raw);
            let mut object = describe(&mail, house);
            if let Value::Object(fields) = &mut object {
                fields.insert("file".to_owned(), json!(path.to_string_lossy()));
                fields.insert("damage".to_owned(), json!(damage));
            }
            object
        }
        Err(error) => json!({ "file": path.to_string_lossy(), "kind": "unreadable", "error": error }),
    }
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, String> {
    let file = std::fs::File::open(path).map_err(|error| format!("cannot open: {error}"))?;
    let mut raw = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut raw).map_err(|error| format!("cannot read: {error}"))?;
    match raw.len() {
        0 => Err("the file is empty".to_owned()),
        len if len as u64 > FILE_BYTES_MAX => Err(format!("larger than {FILE_BYTES_MAX} bytes")),
        _ => Ok(raw),
    }
}

fn describe(mail: &Mail, house: &kind::House) -> Value {
    let recognised = kind::recognise(mail, house);
    // A robot's or a bounce's parts are no documents of a report.
    let is_filed = matches!(recognised.kind, MailKind::Report | MailKind::Reply | MailKind::Analyst);
    let found = if is_filed { document::find(&mail.text.new, &files_of(mail)) } else { document::Found::default() };
    let stated = mail.attachments.iter().filter(|a| !a.media_type.starts_with("message/")).filter_map(|a| a.text.as_deref());
    let tlp = mark::tlp_stated(&mail.subject, &mail.text.new, stated);
    let attachments: Vec<Value> = mail
        .attachments
        .iter()
        .map(|a| json!({ "name": a.name, "media_type": a.media_type, "bytes": a.content.len(), "sha256": a.sha256 }))
        .collect();
    json!({
        "kind": recognised.kind,
        "because": recognised.because,
        "subject": mail.subject,
        "from": mail.from.first().map(|from| from.address.as_ref().map_or(from.typed.as_str(), |address| address.as_str())),
        "language": language_of(mail),
        "category": Value::Null,
        "score": Value::Null,
        "rules": [],
        "priority": Value::Null,
        "tlp": tlp,
        "indicators": {},
        "attachments": attachments,
        "documents": found.set(),
        "form": found.form,
        "missing": missing(&found.set()),
        "new_text": mail.text.new,
        "should_ack": recognised.may_answer,
        "ack_reason": recognised.answer_because,
        "openpgp": { "encrypted": false, "signed": false, "signer": null, "valid": null },
    })
}

/// The language of what was newly written; of the subject where nothing was.
fn language_of(mail: &Mail) -> crate::model::Language {
    language::of_message(&mail.subject, &mail.text.new)
}

fn files_of(mail: &Mail) -> Vec<document::File<'_>> {
    mail.attachments
        .iter()
        .map(|a| document::File { name: &a.name, media_type: &a.media_type, is_layout: a.is_layout, text: a.text.as_deref() })
        .collect()
}
