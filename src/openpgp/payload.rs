//! What stands under a signature or inside an encryption: the entity to read, and the header
//! fields that it protects (RFC 9788, and the older `protected-headers="v1"`).

use crate::mail::entity::Entity;
use crate::mail::{Mail, Reading, read};
use crate::model::Address;

/// Fields of a payload that say how to read its body.
fn is_structural(name: &str) -> bool {
    name.to_ascii_lowercase().starts_with("content-") || name.eq_ignore_ascii_case("MIME-Version")
}

/// The header fields of a payload that count in place of the outer ones.
#[derive(Debug, Clone, Default)]
pub(super) struct Protected {
    pub subject: Option<String>,
    /// The addresses of To, lower case.
    pub to: Vec<String>,
    /// Message-IDs of In-Reply-To and References.
    pub references: Vec<String>,
    /// The address of From; `None` where there is no protected From.
    pub from: Option<Option<Address>>,
    /// A field that must stand once stands twice.
    pub is_ambiguous: bool,
}

/// A payload, read.
#[derive(Debug)]
pub(super) struct Payload {
    pub reading: Reading,
    pub protected: Protected,
    /// Protected and outer From are not the same mailbox.
    pub from_differs: bool,
}

/// Whether protected fields count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Under a good signature, or decrypted.
    Proven,
    /// Under a signature that proves nothing: the outer fields count (ATTACKS P27).
    Unproven,
}

/// Reads a payload of `outer`.
pub(super) fn read_payload(outer: &Mail, bytes: &[u8], trust: Trust) -> Payload {
    let Ok(entity) = Entity::read(bytes) else {
        // No header that can be relied on: the outer fields stay, the body is read as well as it can be.
        let mut plain = b"Content-Type: text/plain; charset=utf-8\r\n\r\n".to_vec();
        plain.extend_from_slice(bytes);
        return Payload {
            reading: read::read_inner(outer, &plain),
            protected: Protected { is_ambiguous: true, ..Protected::default() },
            from_differs: false,
        };
    };
    let media_type = entity.media_type();
    let says_so =
        ["clear", "cipher"].iter().any(|value| media_type.parameter_is("hp", value)) || media_type.parameter_is("protected-headers", "v1");
    if trust == Trust::Unproven || !says_so {
        let reading = read::read_inner(outer, &entity.with_fields(is_structural));
        return Payload { reading, protected: Protected::default(), from_differs: false };
    }
    let protected = protected_fields(&entity);
    let from_differs = protected.from.as_ref().is_some_and(|inside| inside.is_none() || inside.as_ref() != outer.from_one());
    // The From that everybody saw stays where the two differ; it is the one that servers checked.
    let is_left_out = |name: &str| from_differs && name.eq_ignore_ascii_case("From");
    let mut reading = read::read_inner(outer, &entity.with_fields(|name| !is_left_out(name)));
    if bytes.windows(LEGACY_DISPLAY.len()).any(|window| window.eq_ignore_ascii_case(LEGACY_DISPLAY)) {
        let text = &mut reading.0.text;
        text.full = without_legacy_display(&text.full);
        text.new = without_legacy_display(&text.new);
    }
    Payload { reading, protected, from_differs }
}

/// RFC 9788 §2.1.2: the parameter that marks a body which repeats the protected fields for old clients.
const LEGACY_DISPLAY: &[u8] = b"hp-legacy-display";

/// The header fields alone are read, so that nothing of the body can pass for one.
fn protected_fields(entity: &Entity<'_>) -> Protected {
    let (fields, _) = read::read(&entity.header_with(|name| !is_structural(name)));
    Protected {
        subject: (entity.field_count("Subject") == 1).then(|| fields.subject.clone()),
        to: fields.to.iter().filter_map(|mailbox| mailbox.address.as_ref()).map(ToString::to_string).collect(),
        references: fields.references.clone(),
        from: (entity.field_count("From") > 0).then(|| fields.from_one().cloned()),
        is_ambiguous: ["Subject", "From", "To"].iter().any(|name| entity.field_count(name) > 1),
    }
}

/// RFC 9788 §4.5.3: leading `Name: value` lines up to the first empty one are for old clients.
fn without_legacy_display(text: &str) -> String {
    let Some((head, rest)) = text.split_once("\n\n").or_else(|| text.split_once("\r\n\r\n")) else { return text.to_owned() };
    let is_field = |line: &str| {
        line.starts_with([' ', '\t'])
            || line.split_once(':').is_some_and(|(name, _)| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
    };
    if head.lines().all(is_field) { rest.to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outer() -> Mail {
        read::read(b"From: a@x.example\r\nSubject: outside\r\n\r\n\r\n").0
    }

    #[test]
    fn p27_headers_without_the_mark_or_without_proof_protect_nothing() {
        let marked = b"Content-Type: text/plain; protected-headers=\"v1\"\r\nSubject: inside\r\n\r\nbody\r\n";
        let unmarked = b"Content-Type: text/plain\r\nSubject: inside\r\n\r\nbody\r\n";
        assert_eq!(read_payload(&outer(), unmarked, Trust::Proven).reading.0.subject, "outside");
        assert_eq!(read_payload(&outer(), marked, Trust::Unproven).reading.0.subject, "outside");
        let proven = read_payload(&outer(), marked, Trust::Proven);
        assert_eq!(proven.reading.0.subject, "inside");
        assert_eq!(proven.protected.subject.as_deref(), Some("inside"));
    }

    #[test]
    fn p26_another_from_inside_does_not_replace_the_one_outside() {
        let inside = b"Content-Type: text/plain; hp=\"clear\"\r\nFrom: b@x.example\r\n\r\nbody\r\n";
        let payload = read_payload(&outer(), inside, Trust::Proven);
        assert!(payload.from_differs);
        assert_eq!(payload.reading.0.from_one().unwrap().as_str(), "a@x.example");
        let same = b"Content-Type: text/plain; hp=\"clear\"\r\nFrom: A <A@x.example>\r\n\r\nbody\r\n";
        assert!(!read_payload(&outer(), same, Trust::Proven).from_differs);
    }

    #[test]
    fn what_is_repeated_for_old_clients_is_not_part_of_the_text() {
        let inside = b"Content-Type: text/plain; hp=\"cipher\"; hp-legacy-display=\"1\"\r\nSubject: inside\r\n\r\nSubject: inside\r\n\r\n!status\r\n";
        assert_eq!(read_payload(&outer(), inside, Trust::Proven).reading.0.text.full.trim(), "!status");
    }
}
