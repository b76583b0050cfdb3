//! The last look at the bytes that are about to leave: they are read as a stranger would read them,
//! and refused where they are not what their letter demands.

use super::Keyring;
use super::armor::message_in;
use super::certificate::{encryption_keys, policy_at, system_time};
use super::decrypt::{Unsealed, decrypt};
use super::own_key::OwnKey;
use super::seal::{Held, Reason, SealedMail, demands, fit_own, fit_recipient};
use super::verify::{self, Signatures};
use crate::mail::entity::{Entity, lines};
use crate::mail::read;
use crate::mail::write::Center;
use crate::model::letter::{Letter, Protection};
use jiff::Timestamp;
use sequoia_openpgp as openpgp;

use openpgp::packet::Tag;
use openpgp::parse::{PacketParser, PacketParserResult, Parse as _};
use openpgp::{KeyHandle, Packet};
use std::collections::BTreeSet;

/// RFC 5321 §4.5.3.1.6 allows 998 characters before CRLF.
const LINE_BYTES_MAX: usize = 998;

/// The header fields that a letter may have, and no other.
const FIELDS: &[&str] = &[
    "from",
    "to",
    "reply-to",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "auto-submitted",
    "x-bantuan70-ticket",
    "autocrypt",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "content-disposition",
];

/// Checks bytes that were stored against the letter they were made of, at `now`.
///
/// # Errors
/// Where they are not what the letter demands, or a key or certificate is no longer fit.
pub fn recheck(bytes: Vec<u8>, letter: &Letter, center: &Center, keyring: &Keyring, now: Timestamp) -> Result<SealedMail, Held> {
    let envelope_from = demands(letter, center)?;
    let wrong = |what: &str| Held::failed(format!("the bytes to send are not the letter: {what}"));
    wire_form(&bytes).map_err(&wrong)?;
    let entity = Entity::read(&bytes).map_err(|ambiguity| wrong(ambiguity.words()))?;
    header(&entity, letter, center).map_err(|what| wrong(&what))?;
    match &letter.protection {
        Protection::Plain => {
            if entity.media_type().essence.starts_with("multipart/encrypted") || entity.media_type().essence == "multipart/signed" {
                return Err(wrong("signed or encrypted, and neither was asked for"));
            }
        }
        Protection::Signed => {
            fit_own(keyring, now)?;
            if !is_signed_by_us(&entity, keyring, now) {
                return Err(wrong("not signed by the centre over all of it"));
            }
        }
        Protection::Sealed { recipient } => {
            let own = fit_own(keyring, now)?;
            let certificate = fit_recipient(letter, recipient, keyring, now)?;
            let message = sealed_message(&entity).map_err(|what| wrong(&what))?;
            let named = recipients(&message)
                .map_err(|error| wrong(&format!("the OpenPGP message cannot be read: {}", super::certificate::cause(&error))))?;
            let policy = policy_at(now);
            let handles = |cert: &openpgp::Cert| -> Vec<KeyHandle> {
                cert.with_policy(&policy, system_time(now))
                    .map(|valid| encryption_keys(&valid).map(|key| key.key().key_handle()).collect())
                    .unwrap_or_default()
            };
            let (theirs, ours) = (handles(&certificate.cert), handles(&own.cert));
            let is_in = |keys: &[KeyHandle], named: &KeyHandle| keys.iter().any(|key| key.aliases(named));
            let is_right = named.iter().all(|name| is_in(&theirs, name) || is_in(&ours, name))
                && theirs.iter().any(|key| named.iter().any(|name| key.aliases(name)))
                && ours.iter().any(|key| named.iter().any(|name| key.aliases(name)));
            if !is_right {
                return Err(Held { reason: Reason::OtherKeys { to: letter.to.clone() }, may_reseal: true });
            }
            inside(&message, letter, keyring, now).map_err(|what| wrong(&what))?;
        }
    }
    Ok(SealedMail { bytes: bytes.into(), envelope_from, envelope_to: letter.to.clone(), message_id: letter.message_id.clone() })
}

/// Only CRLF, 7-bit, no NUL, lines of at most 998 (ATTACKS D3, D4).
fn wire_form(bytes: &[u8]) -> Result<(), &'static str> {
    if bytes.contains(&0) {
        return Err("a NUL byte");
    }
    if !bytes.is_ascii() {
        return Err("a byte above 127");
    }
    for line in lines(bytes).filter_map(|line| bytes.get(line)) {
        match line.strip_suffix(b"\r\n") {
            Some(text) if text.contains(&b'\r') => return Err("a carriage return without line feed"),
            Some(text) if text.len() > LINE_BYTES_MAX => return Err("a line longer than 998"),
            Some(_) => {}
            None if line.ends_with(b"\n") => return Err("a line feed without carriage return"),
            None => return Err("no line end at its end"),
        }
    }
    if bytes.is_empty() { Err("no line end at its end") } else { Ok(()) }
}

fn header(entity: &Entity<'_>, letter: &Letter, center: &Center) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for field in entity.fields() {
        let name = field.name.to_ascii_lowercase();
        if !FIELDS.contains(&name.as_str()) {
            return Err(format!("a field {name}"));
        }
        if !seen.insert(name.clone()) {
            return Err(format!("two fields {name}"));
        }
    }
    let is_asked = |name: &str| name.eq_ignore_ascii_case("From") || name.eq_ignore_ascii_case("To");
    let (mail, _) = read::read(&entity.header_with(is_asked));
    let only_to = matches!(mail.to.as_slice(), [only] if only.address.as_ref() == Some(&letter.to));
    if mail.from_one() != Some(&center.address) {
        return Err("another sender".to_owned());
    }
    if !only_to {
        return Err("another recipient, or more than one".to_owned());
    }
    if entity.field_once("Message-ID").map(str::trim) != Some(&format!("<{}>", letter.message_id)) {
        return Err("another Message-ID".to_owned());
    }
    Ok(())
}

/// Whether the centre's signature is good and over the whole.
fn is_signed_by_us(entity: &Entity<'_>, keyring: &Keyring, now: Timestamp) -> bool {
    if entity.media_type().essence != "multipart/signed" || !entity.media_type().parameter_is("protocol", "application/pgp-signature") {
        return false;
    }
    let Ok(parts) = entity.parts() else { return false };
    let [signed, signature] = parts.as_slice() else { return false };
    Entity::read(signature).is_ok_and(|signature| is_ours(&verify::detached(&signature.content(), signed, keyring, now), keyring))
}

fn is_ours(signatures: &Signatures, keyring: &Keyring) -> bool {
    let own = keyring.own().map(OwnKey::fingerprint);
    // A letter may wait longer than a command may be old: age alone is no fault here.
    let old = signatures.faults.iter().filter(|fault| fault.is_checksum_good).map(|fault| fault.named.as_ref());
    signatures.proofs.iter().map(|proof| Some(&proof.signer)).chain(old).any(|signer| signer.is_some() && signer == own.as_ref())
}

/// The OpenPGP message of a sealed mail without its armor, once the mail is shown to be nothing but that.
fn sealed_message(entity: &Entity<'_>) -> Result<Vec<u8>, String> {
    let media_type = entity.media_type();
    if media_type.essence != "multipart/encrypted" || !media_type.parameter_is("protocol", "application/pgp-encrypted") {
        return Err("not multipart/encrypted".to_owned());
    }
    let parts = entity.parts().map_err(|ambiguity| ambiguity.words().to_owned())?;
    let [version, message] = parts.as_slice() else { return Err("not two parts".to_owned()) };
    let read = |part| Entity::read(part).map_err(|ambiguity| ambiguity.words().to_owned());
    let (version, message) = (read(version)?, read(message)?);
    if version.media_type().essence != "application/pgp-encrypted" || version.body().trim_ascii() != b"Version: 1" {
        return Err("text in the first part".to_owned());
    }
    let armored = Some(message.body()).filter(|_| message.media_type().essence == "application/octet-stream").and_then(message_in);
    armored.ok_or_else(|| "the second part is not one OpenPGP message without comments".to_owned())
}

/// What the centre itself can open of its own mail: signed by the centre, and this letter's.
fn inside(message: &[u8], letter: &Letter, keyring: &Keyring, now: Timestamp) -> Result<(), String> {
    // Nothing that leaves is compressed: there is never more inside than outside.
    let Unsealed::Open { plaintext, signatures } = decrypt(message, keyring, now, message.len()) else {
        return Err("the centre cannot open it".to_owned());
    };
    let inside = Entity::read(&plaintext).map_err(|ambiguity| ambiguity.words().to_owned())?;
    if !is_ours(&signatures, keyring) {
        return Err("not signed by the centre inside".to_owned());
    }
    if inside.field_once("Message-ID").map(str::trim) != Some(&format!("<{}>", letter.message_id)) {
        return Err("another letter inside".to_owned());
    }
    Ok(())
}

/// The top-level packets are session keys for named keys and one container with integrity protection.
fn recipients(message: &[u8]) -> openpgp::Result<Vec<KeyHandle>> {
    let mut keys = Vec::new();
    let mut containers = 0;
    let mut result = PacketParser::from_bytes(message)?;
    while let PacketParserResult::Some(parser) = result {
        match &parser.packet {
            Packet::PKESK(pkesk) => keys.push(pkesk.recipient().ok_or_else(|| anyhow::anyhow!("a recipient without name"))?),
            packet if packet.tag() == Tag::SEIP => containers += 1,
            packet => return Err(anyhow::anyhow!("a packet {}", packet.tag())),
        }
        result = parser.next()?.1;
    }
    if containers == 1 && !keys.is_empty() { Ok(keys) } else { Err(anyhow::anyhow!("not one encrypted container")) }
}
