//! Certificates that come with a mail: attached, or in an Autocrypt field. They are candidates for
//! answers to its sender and prove nothing (ATTACKS P4).

use super::Certificate;
use super::certificate::CERTIFICATE_BYTES_MAX;
use crate::mail::Mail;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Certificates taken from one mail.
const CARRIED_MAX: usize = 5;

/// The certificates that came with `mail`, each once.
pub(super) fn certificates(mail: &Mail) -> Vec<Certificate> {
    let attached = mail
        .attachments
        .iter()
        .filter(|attachment| attachment.media_type == "application/pgp-keys" && attachment.content.len() <= CERTIFICATE_BYTES_MAX)
        .map(|attachment| attachment.content.to_vec());
    let mut certificates: Vec<Certificate> = Vec::new();
    for bytes in attached.chain(autocrypt(mail)).take(CARRIED_MAX) {
        if let Ok(certificate) = Certificate::read(&bytes)
            && !certificates.iter().any(|other| other.fingerprint() == certificate.fingerprint())
        {
            certificates.push(certificate);
        }
    }
    certificates
}

/// Autocrypt Level 1 §2.1: one field, whose `addr` is the sender's; more than one is none.
fn autocrypt(mail: &Mail) -> Option<Vec<u8>> {
    let mut fields = mail.header_values("Autocrypt");
    let (field, None) = (fields.next()?, fields.next()) else { return None };
    let attribute = |name: &str| {
        field.split(';').filter_map(|pair| pair.split_once('=')).find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
    };
    let sender = mail.from_one()?;
    if !attribute("addr").is_some_and(|address| address.eq_ignore_ascii_case(sender.as_str())) {
        return None;
    }
    let data: String = attribute("keydata")?.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(data).ok()
}
