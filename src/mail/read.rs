//! Bytes to [`Mail`]. Never fails, within limits.

use super::{Attachment, Header, Mail, Mailbox, Reading, Text};
use crate::model::{Address, Damage, Sha256};
use mail_parser::{MessageParser, MimeHeaders};
use std::sync::Arc;

/// Reads a message.
#[must_use]
pub fn read(raw: &[u8]) -> Reading {
    let sha256 = Sha256::of(raw);
    let mut mail = Mail {
        raw: Arc::from(raw),
        content_sha256: sha256.clone(),
        sha256,
        headers: Vec::new(),
        from: Vec::new(),
        from_fields: 0,
        sender: None,
        reply_to: Vec::new(),
        to: Vec::new(),
        cc: Vec::new(),
        subject: String::new(),
        date: None,
        message_id: None,
        references: Vec::new(),
        text: Text::default(),
        is_html_only: false,
        attachments: Vec::new(),
    };
    let Some(message) = MessageParser::default().parse(raw) else {
        return (mail, vec![Damage::new("unreadable", "no header could be read")]);
    };
    for (name, value) in message.headers_raw() {
        mail.headers.push(Header { name: name.to_owned(), value: value.trim().to_owned() });
    }
    mail.from_fields = mail.header_values("From").count();
    let boxes = |field: Option<&mail_parser::Address<'_>>| -> Vec<Mailbox> {
        field
            .into_iter()
            .flat_map(mail_parser::Address::iter)
            .map(|address| Mailbox {
                name: address.name().unwrap_or_default().to_owned(),
                typed: address.address().unwrap_or_default().to_owned(),
                address: address.address().and_then(Address::parse),
            })
            .collect()
    };
    (mail.from, mail.to) = (boxes(message.from()), boxes(message.to()));
    mail.subject = message.subject().unwrap_or_default().to_owned();
    mail.message_id = message.message_id().map(str::to_owned);
    mail.text.full = message.body_text(0).unwrap_or_default().into_owned();
    mail.text.new = mail.text.full.clone();
    mail.attachments = message
        .attachments()
        .map(|part| Attachment {
            name: part.attachment_name().unwrap_or_default().to_owned(),
            media_type: String::new(),
            sha256: Sha256::of(part.contents()),
            content: Arc::from(part.contents()),
            is_layout: false,
            text: None,
        })
        .collect();
    (mail, Vec::new())
}

/// Reads a decrypted or signed entity: its body, and its header fields before those of the outer mail.
#[must_use]
pub fn read_inner(outer: &Mail, inner_entity: &[u8]) -> Reading {
    let (inner, damage) = read(inner_entity);
    let own = |name: &str| inner.header_values(name).next().is_some();
    let mut mail = outer.clone();
    if own("From") {
        (mail.from, mail.from_fields) = (inner.from.clone(), inner.from_fields);
    }
    if own("Subject") {
        mail.subject.clone_from(&inner.subject);
    }
    (mail.text, mail.attachments, mail.is_html_only) = (inner.text, inner.attachments, inner.is_html_only);
    (mail, damage)
}
