//! Reports that machines write: delivery status (RFC 3464) and the bounces that are none, and
//! reports of abuse (RFC 5965, X-ARF). Reading only; what a bounce changes is decided elsewhere.

use super::{Attachment, Mail, field};
use crate::model::Address;

/// Recipients of one delivery report that are read.
const RECIPIENTS_MAX: usize = 100;

/// Whether the message may still arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// `Action: failed`, or Status of class 5.
    Permanent,
    /// `Action: delayed`, or Status of class 4: nothing is over yet.
    Delayed,
    /// Delivered, relayed or expanded.
    Delivered,
}

/// What a delivery report says about one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounce {
    /// The Message-ID of the mail that came back, without angle brackets.
    pub original_id: Option<String>,
    /// The address that our mail was for.
    pub recipient: Option<Address>,
    pub action: String,
    /// `5.1.1` and the like; empty where it is not told.
    pub status: String,
    /// The other server's words, at most 512 characters, without controls (M17).
    pub diagnostic: String,
    pub fate: Fate,
}

/// A delivery status, its internationalised form (RFC 6533) included.
#[must_use]
pub fn is_status(media_type: &str) -> bool {
    matches!(media_type, "message/delivery-status" | "message/global-delivery-status")
}

/// Whether the mail is a report of abuse for people who handle incidents, not about a delivery.
#[must_use]
pub fn is_abuse_report(mail: &Mail) -> bool {
    mail.report_type.as_deref() == Some("feedback-report")
        || mail.header_values("X-XARF").next().is_some()
        || mail.header_values("X-ARF").next().is_some()
        || mail.attachments.iter().any(|a| a.media_type == "message/feedback-report" || is_xarf(a))
}

/// X-ARF: JSON with `xarf_version` or a `Reporter` block, or the older YAML.
fn is_xarf(attachment: &Attachment) -> bool {
    let name = attachment.name.to_ascii_lowercase();
    let text = attachment.text.as_deref().unwrap_or_default();
    let has = |word: &str| text.contains(word);
    match attachment.media_type.as_str() {
        "application/json" | "text/json" => has("\"xarf_version\"") || has("\"ReporterInfo\"") && has("\"Report\""),
        "text/yaml" | "application/yaml" | "text/plain" => {
            has("Reported-From:") && has("Report-Type:") && (has("Schema-URL:") || name.contains("arf"))
        }
        _ => false,
    }
}

/// What a delivery report says, a value for each recipient; one with what little is known for
/// bounces that are no DSN.
#[must_use]
pub fn bounces(mail: &Mail) -> Vec<Bounce> {
    let original_id = original_id(mail);
    let status = mail.attachments.iter().find(|a| is_status(&a.media_type)).and_then(|a| a.text.as_deref());
    let mut found: Vec<Bounce> = Vec::new();
    // RFC 3464 §2.1: groups of fields; the first concerns the message, the others a recipient each.
    for group in status.unwrap_or_default().split("\n\n").take(RECIPIENTS_MAX + 1) {
        let fields = fields_of(group);
        let get = |name: &str| fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str());
        let Some(final_recipient) = get("Final-Recipient").or_else(|| get("Original-Recipient")) else { continue };
        let recipient = get("Original-Recipient").and_then(address_of).or_else(|| address_of(final_recipient));
        let action = get("Action").unwrap_or_default().to_ascii_lowercase();
        let status: String = get("Status").unwrap_or_default().chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        found.push(Bounce {
            original_id: original_id.clone(),
            recipient,
            fate: fate_of(&action, &status),
            diagnostic: words_of(get("Diagnostic-Code").unwrap_or_default()),
            action,
            status,
        });
    }
    if found.is_empty() {
        let text = mail.text.full.as_str();
        let status = status_in(text);
        let recipient =
            mail.header_values("X-Failed-Recipients").find_map(|value| Address::parse(value.split(',').next().unwrap_or_default()));
        let fate = fate_of(if says_delayed(&mail.subject) || says_delayed(text) { "delayed" } else { "" }, &status);
        found.push(Bounce { original_id, recipient, action: String::new(), diagnostic: String::new(), fate, status });
    }
    found
}

fn fate_of(action: &str, status: &str) -> Fate {
    match action.split_whitespace().next().unwrap_or_default() {
        "delayed" => Fate::Delayed,
        "delivered" | "relayed" | "expanded" => Fate::Delivered,
        _ if status.starts_with('4') => Fate::Delayed,
        _ if status.starts_with('2') => Fate::Delivered,
        _ => Fate::Permanent,
    }
}

fn says_delayed(text: &str) -> bool {
    let lower = text.chars().take(2_000).collect::<String>().to_lowercase();
    ["delayed", "will be retried", "will keep trying", "tertunda", "akan dicoba", "not need to resend", "tidak perlu mengirim ulang"]
        .iter()
        .any(|word| lower.contains(word))
}

/// The first enhanced status code in free text (RFC 3463).
fn status_in(text: &str) -> String {
    let is_status = |word: &&str| {
        let parts: Vec<&str> = word.split('.').collect();
        matches!(parts.as_slice(), [class, subject, detail]
            if matches!(*class, "4" | "5") && [subject, detail].iter().all(|n| (1..=3).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit())))
    };
    text.split(|c: char| !(c.is_ascii_digit() || c == '.')).take(20_000).find(is_status).unwrap_or_default().to_owned()
}

/// The identifier of the mail that came back: of the returned message or header, else one in the text.
fn original_id(mail: &Mail) -> Option<String> {
    let returned = mail
        .attachments
        .iter()
        .find(|a| matches!(a.media_type.as_str(), "message/rfc822" | "text/rfc822-headers" | "message/global" | "message/global-headers"));
    let from_returned = returned.and_then(|a| id_in(a.text.as_deref().unwrap_or_default()));
    from_returned.or_else(|| id_in(&mail.text.full)).or_else(|| mail.references.last().cloned())
}

fn id_in(text: &str) -> Option<String> {
    text.lines().take(5_000).find_map(|line| {
        let line = line.trim_start_matches(['>', ' ', '\t']);
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("Message-ID").then(|| field::identifiers(value).into_iter().next()).flatten()
    })
}

fn fields_of(group: &str) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in group.lines().take(200) {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            fields.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    fields
}

/// `rfc822; a@b` to `a@b`.
fn address_of(value: &str) -> Option<Address> {
    let address = value.split_once(';').map_or(value, |(_, address)| address);
    Address::parse(address.trim().trim_matches(['<', '>']))
}

fn words_of(text: &str) -> String {
    text.chars().take(512).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
