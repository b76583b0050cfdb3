//! What ties a mail to a ticket, as far as the mail itself says: tags in its subject and references
//! to our Message-IDs. Whether the sender takes part in that ticket is decided elsewhere.

use super::Mail;
use crate::model::ticket::TicketNumber;

/// A subject with more tags than this names none (ATTACKS M22).
pub const TAGS_MAX: usize = 5;

/// The ticket numbers that a subject bears as `[PREFIX-YEAR-NUMBER]`, in plain ASCII, letter case
/// aside, each once. None where there are more than [`TAGS_MAX`].
#[must_use]
pub fn tags(subject: &str, prefix: &str) -> Vec<TicketNumber> {
    let mut found: Vec<TicketNumber> = Vec::new();
    for piece in subject.split('[').skip(1) {
        let Some((inside, _)) = piece.split_once(']') else { continue };
        if let Some(number) = TicketNumber::parse(prefix, inside)
            && !found.contains(&number)
        {
            found.push(number);
        }
        if found.len() > TAGS_MAX {
            return Vec::new();
        }
    }
    found
}

/// Whether the mail cites a Message-ID of the centre's domain. That proves nothing: see the outbox.
#[must_use]
pub fn refers_to(mail: &Mail, domain: &str) -> bool {
    mail.references.iter().any(|id| id.rsplit_once('@').is_some_and(|(_, of)| of.eq_ignore_ascii_case(domain)))
}
