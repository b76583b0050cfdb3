//! What a message is by its outermost MIME structure, read strictly.

use crate::mail::entity::{Ambiguity, Entity};
use std::borrow::Cow;

/// What the top of a message, or of what was decrypted, is.
pub(super) enum Form<'a> {
    /// RFC 3156 §5.
    Signed {
        signed: &'a [u8],
        signature: Cow<'a, [u8]>,
    },
    /// RFC 3156 §4, or what Exchange makes of it.
    Encrypted {
        message: Cow<'a, [u8]>,
    },
    /// It says that it is signed or encrypted, and is not built so.
    Broken(Ambiguity),
    Other,
}

/// Tells the form of an entity.
pub(super) fn form<'a>(entity: &Entity<'a>) -> Form<'a> {
    let media_type = entity.media_type();
    let speaks = |protocol: &str| media_type.parameter("protocol").is_none() || media_type.parameter_is("protocol", protocol);
    let is_signed = media_type.essence == "multipart/signed" && speaks("application/pgp-signature");
    let is_encrypted = media_type.essence == "multipart/encrypted" && speaks("application/pgp-encrypted");
    let is_mixed = media_type.essence == "multipart/mixed";
    if !is_signed && !is_encrypted && !is_mixed {
        return Form::Other;
    }
    let parts = match entity.parts() {
        Ok(parts) => parts,
        Err(_) if is_mixed => return Form::Other,
        Err(ambiguity) => return Form::Broken(ambiguity),
    };
    let read: Vec<Entity<'a>> = parts.iter().filter_map(|part| Entity::read(part).ok()).collect();
    let essence = |part: &Entity<'_>| part.media_type().essence.clone();
    match (parts.as_slice(), read.as_slice()) {
        ([signed, _], [_, signature]) if is_signed && essence(signature) == "application/pgp-signature" => {
            Form::Signed { signed, signature: signature.content() }
        }
        ([_, _], [version, message])
            if is_encrypted && essence(version) == "application/pgp-encrypted" && essence(message) == "application/octet-stream" =>
        {
            Form::Encrypted { message: message.content() }
        }
        _ if is_mixed => exchange_form(&read).filter(|_| read.len() == parts.len()).unwrap_or(Form::Other),
        _ => Form::Broken(Ambiguity::TooManyParts),
    }
}

/// Exchange turns `multipart/encrypted` into `multipart/mixed` and puts an empty text before it (ATTACKS P29).
fn exchange_form<'a>(parts: &[Entity<'a>]) -> Option<Form<'a>> {
    let (version, message) = match parts {
        [version, message] => (version, message),
        [empty, version, message] if empty.media_type().essence == "text/plain" && empty.content().iter().all(u8::is_ascii_whitespace) => {
            (version, message)
        }
        _ => return None,
    };
    let is_version = matches!(version.media_type().essence.as_str(), "application/pgp-encrypted" | "application/octet-stream")
        && version.content().trim_ascii().eq_ignore_ascii_case(b"Version: 1");
    let content = message.content();
    let is_message = message.media_type().essence == "application/octet-stream"
        && content.trim_ascii_start().starts_with(b"-----BEGIN PGP MESSAGE-----");
    (is_version && is_message).then_some(Form::Encrypted { message: content })
}

/// Whether there is an OpenPGP signature somewhere inside.
pub(super) fn holds_signature(bytes: &[u8]) -> bool {
    const MARK: &[u8] = b"application/pgp-signature";
    // From one "a" to the next: window by window, 50 MiB would cost more than all the rest of reading.
    memchr::memchr2_iter(b'a', b'A', bytes).any(|at| bytes.get(at..at + MARK.len()).is_some_and(|found| found.eq_ignore_ascii_case(MARK)))
}
