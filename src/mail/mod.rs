//! RFC 5322 and MIME, in and out. Reading never fails: any bytes give a [`Mail`] and a list of
//! damage. Nothing here decrypts, decides or stores.

pub mod attachment;
pub mod body;
pub mod dsn;
pub(crate) mod encode;
pub mod entity;
pub mod field;
pub mod html;
pub mod kind;
pub mod part;
mod quote;
pub mod read;
pub mod results;
pub mod template;
pub mod text;
pub mod thread;
pub mod token;
pub mod told;
mod unpack;
pub mod write;

use crate::model::{Address, Damage, Sha256};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;

/// One message, read.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The bytes as they came.
    pub raw: Arc<[u8]>,
    /// SHA-256 of `raw`.
    pub sha256: Sha256,
    /// SHA-256 of Message-ID, From, Date and body: the same mail under other trace headers (contract 12.1).
    pub content_sha256: Sha256,
    /// Top-level header fields in their order: name as typed, value unfolded, not decoded.
    pub headers: Vec<Header>,
    /// Every mailbox of every From field.
    pub from: Vec<Mailbox>,
    /// How many From fields there are.
    pub from_fields: usize,
    pub sender: Option<Mailbox>,
    pub reply_to: Vec<Mailbox>,
    pub to: Vec<Mailbox>,
    pub cc: Vec<Mailbox>,
    /// Decoded; control characters are spaces.
    pub subject: String,
    pub date: Option<Timestamp>,
    /// Without angle brackets.
    pub message_id: Option<String>,
    /// Without angle brackets; the first 10 and the last 50 of In-Reply-To and References together.
    pub references: Vec<String>,
    pub text: Text,
    /// The text was made from HTML because there is no text/plain.
    pub is_html_only: bool,
    /// Where the links of the HTML body point to, whether or not its text was taken.
    pub links: BTreeSet<String>,
    /// `type/subtype` of the whole, lower case.
    pub media_type: String,
    /// The `report-type` of a multipart/report, lower case.
    pub report_type: Option<String>,
    pub attachments: Vec<Attachment>,
}

/// One header field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub name: String,
    pub value: String,
}

/// One mailbox of an address field. The address was parsed before anything was decoded (ATTACKS M6).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mailbox {
    /// The display name, decoded, for people only.
    pub name: String,
    /// As typed, for people only.
    pub typed: String,
    /// `None` where what was typed is no mailbox that mail could be sent to.
    pub address: Option<Address>,
}

/// The body as text, told apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text {
    /// All of it.
    pub full: String,
    /// What the sender wrote now (contract 6 `new_text`).
    pub new: String,
    /// Quoted and forwarded text.
    pub quoted: String,
}

/// A part that is not the body.
#[derive(Debug, Clone)]
pub struct Attachment {
    /// Made safe: no separators, controls or bidi marks, at most 120 bytes (ATTACKS M9).
    pub name: String,
    /// As declared, lower case.
    pub media_type: String,
    pub sha256: Sha256,
    pub content: Arc<[u8]>,
    /// A picture of the layout: inline with a Content-ID.
    pub is_layout: bool,
    /// Text found in it, for classification, indicators and documents.
    pub text: Option<String>,
}

impl Mail {
    /// The one sender: exactly one From field with exactly one mailbox (ATTACKS P3), else none.
    #[must_use]
    pub fn from_one(&self) -> Option<&Address> {
        match (self.from_fields, self.from.as_slice()) {
            (1, [only]) => only.address.as_ref(),
            _ => None,
        }
    }

    /// Who wrote, for reading and answering: [`Mail::from_one`], and where a name with a comma was not
    /// quoted ("Sulastri, S.E. <sulastri@dinas.go.id>", as offices write it) the one address that is
    /// there. What acts or proves takes the strict reading.
    #[must_use]
    pub fn writer(&self) -> Option<&Address> {
        match (self.from_fields, self.from.as_slice()) {
            (1, [names @ .., last]) if names.iter().all(Mailbox::is_bare_name) => last.address.as_ref(),
            _ => None,
        }
    }

    /// The writer's name as it was meant, commas included.
    #[must_use]
    pub fn writer_name(&self) -> String {
        let shown =
            |mailbox: &'_ Mailbox| if mailbox.is_bare_name() { mailbox.typed.trim().to_owned() } else { mailbox.name.trim().to_owned() };
        let names: Vec<String> = self.from.iter().map(shown).filter(|name| !name.is_empty()).collect();
        if self.writer().is_some() { names.join(", ") } else { names.into_iter().next().unwrap_or_default() }
    }

    /// The texts of attachments in which the sender could have stated a TLP mark: not of attached
    /// messages, which are somebody else's.
    pub fn stated_in_files(&self) -> impl Iterator<Item = &str> {
        self.attachments.iter().filter(|a| !a.is_message()).filter_map(|a| a.text.as_deref())
    }

    /// The values of all top-level fields of that name, in their order.
    pub fn header_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value.as_str())
    }
}

impl Mailbox {
    /// Words before an unquoted comma: no address, and nothing that could be one.
    fn is_bare_name(&self) -> bool {
        self.address.is_none() && !self.typed.contains(['@', '<', '>', '"'])
    }
}

impl Attachment {
    /// Somebody else's message, evidence: nothing in it is the sender's own statement.
    #[must_use]
    pub fn is_message(&self) -> bool {
        self.media_type.starts_with("message/")
            || self.media_type == "application/vnd.ms-outlook"
            || [".eml", ".msg"].iter().any(|end| self.name.to_ascii_lowercase().ends_with(end))
    }
}

/// A message and what was odd about it.
pub type Reading = (Mail, Vec<Damage>);
