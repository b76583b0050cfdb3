//! Reports that machines write: delivery status (RFC 3464) and the bounces that are none, and
//! reports of abuse (RFC 5965, X-ARF). Reading only; what a bounce changes is decided elsewhere.

use super::{Attachment, Mail, field};
use crate::model::Address;

/// Recipients of one delivery report that are read.
const RECIPIENTS_MAX: usize = 100;
/// Addresses in the words of one bounce; a letter of ours has one recipient.
const NAMED_MAX: usize = 20;
/// Lines of a bounce that are words of the server; what it returns stands below.
const WORDS_LINES_MAX: usize = 200;
/// Characters of these lines: a server says it in less than a page.
const WORDS_CHARS_MAX: usize = 20_000;

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
        found = told_in_words(mail, original_id);
    }
    found
}

/// What a bounce that is no DSN says in its own words, above what it returns: a value for each
/// address in them (qmail, Exim, Gmail, Exchange, sendmail, Postfix without its report).
fn told_in_words(mail: &Mail, original_id: Option<String>) -> Vec<Bounce> {
    let text = &mail.text.full;
    let end = text.char_indices().nth(WORDS_CHARS_MAX).map_or(text.len(), |(end, _)| end);
    let words: Vec<&str> =
        text.get(..end).unwrap_or_default().lines().take(WORDS_LINES_MAX).take_while(|line| !begins_what_is_returned(line)).collect();
    let head = words.join("\n");
    let lower = head.to_lowercase();
    let says_over = GIVEN_UP.iter().any(|over| lower.contains(over));
    let is_delayed = !says_over && (says_delayed(&mail.subject) || says_delayed(&head));
    let action = if is_delayed {
        "delayed"
    } else if says_over {
        "failed"
    } else {
        ""
    };
    let whole_status = status_in(&head);
    let bounce = |recipient: Option<Address>, below: &str| {
        let status = Some(status_in(below)).filter(|status| !status.is_empty()).unwrap_or_else(|| whole_status.clone());
        let diagnostic = below.split_whitespace().collect::<Vec<_>>().join(" ");
        Bounce {
            original_id: original_id.clone(),
            recipient,
            fate: fate_of(action, &status),
            action: action.to_owned(),
            diagnostic: words_of(&diagnostic.chars().take(200).collect::<String>()),
            status,
        }
    };
    let mut named: Vec<(Address, usize)> = Vec::new();
    for (place, line) in words.iter().enumerate() {
        for address in addresses_in(line) {
            let is_sender = mail.from.iter().any(|from| from.address.as_ref() == Some(&address));
            let is_robot = matches!(address.local(), "mailer-daemon" | "postmaster");
            if !is_sender && !is_robot && named.len() < NAMED_MAX && named.iter().all(|(known, _)| *known != address) {
                named.push((address, place));
            }
        }
    }
    let failed = mail.header_values("X-Failed-Recipients").flat_map(|value| value.split(',')).filter_map(Address::parse).take(NAMED_MAX);
    let failed: Vec<Address> = failed.filter(|address| named.iter().all(|(known, _)| known != address)).collect();
    let mut found: Vec<Bounce> = failed.into_iter().map(|address| bounce(Some(address), "")).collect();
    for (number, (address, place)) in named.iter().enumerate() {
        let end = named.get(number + 1).map_or(words.len(), |(_, next)| *next).max(place + 1);
        let below = words.get(*place..end).unwrap_or_default().join(" ").replacen(address.as_str(), "", 1);
        found.push(bounce(Some(address.clone()), below.trim_matches(|c: char| c.is_whitespace() || "<>:,".contains(c))));
    }
    if found.is_empty() {
        found.push(bounce(None, ""));
    }
    found
}

/// The line above the returned mail, as the usual servers write it.
fn begins_what_is_returned(line: &str) -> bool {
    let lower = line.trim_start().to_lowercase();
    let is_rule = lower.starts_with("--")
        && ["copy of", "original message", "returned", "headers follow", "pesan asli", "salinan"].iter().any(|word| lower.contains(word));
    is_rule || lower.starts_with("return-path:") || lower.starts_with("received:") || lower.starts_with("original message headers")
}

/// The addresses in a line of words.
fn addresses_in(line: &str) -> impl Iterator<Item = Address> + '_ {
    let is_edge = |c: char| c.is_whitespace() || "<>()[]\"',;:*".contains(c);
    line.split(is_edge).filter(|word| word.contains('@')).filter_map(|word| Address::parse(word.trim_end_matches('.')))
}

/// What says that a server has given up, whatever class of status it last met.
const GIVEN_UP: &[&str] = &[
    "not going to try again",
    "giving up",
    "in the queue too long",
    "retry timeout exceeded",
    "this is a permanent error",
    "permanent fatal error",
    "tidak akan dicoba lagi",
];

fn fate_of(action: &str, status: &str) -> Fate {
    match action.split_whitespace().next().unwrap_or_default() {
        "delayed" => Fate::Delayed,
        // A class 4 that a server gave up on (4.4.7, expired) is over all the same.
        "failed" => Fate::Permanent,
        "delivered" | "relayed" | "expanded" => Fate::Delivered,
        _ if status.starts_with('4') => Fate::Delayed,
        _ if status.starts_with('2') => Fate::Delivered,
        _ => Fate::Permanent,
    }
}

fn says_delayed(text: &str) -> bool {
    let lower = text.chars().take(2_000).collect::<String>().to_lowercase();
    [
        "delayed",
        "will be retried",
        "will retry",
        "will keep trying",
        "temporary problem",
        "delivery incomplete",
        "tertunda",
        "akan dicoba",
        "not need to resend",
        "tidak perlu mengirim ulang",
    ]
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
