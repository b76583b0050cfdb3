//! One OpenPGP certificate of somebody: what it is called, when it ends, and what is wrong with it.
//! It never holds a secret key.

use super::KeyError;
use crate::model::Fingerprint;
use crate::model::unfit::Unfit;
use jiff::Timestamp;
use sequoia_openpgp as openpgp;

use openpgp::cert::{CertParser, ValidCert};
use openpgp::packet::key;
use openpgp::parse::Parse as _;
use openpgp::policy::StandardPolicy;
use openpgp::serialize::Serialize as _;
use openpgp::types::RevocationStatus;
use openpgp::{Cert, Packet, armor};
use std::io::Write as _;
use std::time::{Duration, SystemTime};

/// Bytes of one certificate file. Real ones with many signatures of others reach some 100 kB.
pub const CERTIFICATE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Keys in one certificate. Sequoia compares each signature with each key; real certificates have below 20.
const KEYS_MAX: usize = 200;

/// A certificate, without any secret part.
#[derive(Debug, Clone)]
pub struct Certificate {
    pub(super) cert: Cert,
}

impl Certificate {
    /// Reads exactly one certificate, armored or binary.
    ///
    /// # Errors
    /// Where there is none, more than one, or a secret key.
    pub fn read(bytes: &[u8]) -> Result<Self, KeyError> {
        let cert = one_cert(bytes)?;
        if cert.is_tsk() {
            return Err(KeyError::new("it holds a secret key", "export the public part alone (gpg --export --armor)"));
        }
        Ok(Self { cert })
    }

    /// Reads every certificate of a file, at most 100.
    ///
    /// # Errors
    /// Where there is none, one cannot be read, or one is a secret key.
    pub fn read_all(bytes: &[u8]) -> Result<Vec<Self>, KeyError> {
        let certs = all_certs(bytes)?;
        if certs.iter().any(Cert::is_tsk) {
            return Err(KeyError::new("it holds a secret key", "export the public part alone (gpg --export --armor)"));
        }
        Ok(certs.into_iter().map(|cert| Self { cert }).collect())
    }

    pub(super) fn public_part_of(cert: &Cert) -> Self {
        Self { cert: cert.clone().strip_secret_key_material() }
    }

    /// This certificate with what `other` of the same fingerprint adds: what was revoked once
    /// stays revoked, what was prolonged is prolonged.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        match self.cert.clone().merge_public(other.cert) {
            Ok(cert) => Self { cert },
            Err(_) => self,
        }
    }

    /// The fingerprint of the primary key.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        fingerprint_of(&self.cert)
    }

    /// The user IDs as text, at most 50; control characters are escaped.
    #[must_use]
    pub fn user_ids(&self) -> Vec<String> {
        self.cert.userids().take(50).map(|user_id| escaped(&String::from_utf8_lossy(user_id.userid().value()))).collect()
    }

    /// The first moment from which nothing can be encrypted to it any more (or, without an
    /// encryption subkey, nothing be verified); `None` where it never ends.
    #[must_use]
    pub fn expires_at(&self, now: Timestamp) -> Option<Timestamp> {
        let policy = policy_at(now);
        let valid = self.cert.with_policy(&policy, system_time(now)).ok()?;
        let primary = valid.primary_key().key_expiration_time();
        let mut latest = None;
        let mut is_endless = true;
        for subkey in valid.keys().subkeys().revoked(false).for_transport_encryption() {
            match subkey.key_expiration_time() {
                None => return primary.and_then(timestamp),
                Some(at) => {
                    is_endless = false;
                    latest = latest.max(Some(at));
                }
            }
        }
        let end = match (primary, latest) {
            (Some(primary), Some(latest)) => Some(primary.min(latest)),
            (primary, latest) => primary.or(latest.filter(|_| !is_endless)),
        };
        end.and_then(timestamp)
    }

    /// What keeps the centre from encrypting to this certificate at `now`, in words; empty where nothing does.
    #[must_use]
    pub fn problems(&self, now: Timestamp) -> Vec<String> {
        self.unfit(now).iter().map(ToString::to_string).collect()
    }

    /// The same as values.
    #[must_use]
    pub fn unfit(&self, now: Timestamp) -> Vec<Unfit> {
        let policy = policy_at(now);
        let mut problems = Vec::new();
        let valid = match self.cert.with_policy(&policy, system_time(now)) {
            Ok(valid) => valid,
            Err(error) => return vec![Unfit::Refused(cause(&error))],
        };
        problems.extend(general_problems(&valid, now));
        if problems.is_empty() && encryption_keys(&valid).next().is_none() {
            problems.push(why_no_encryption_key(&valid));
        }
        problems
    }

    /// The certificate in ASCII armor, without comments (ATTACKS D6).
    #[must_use]
    pub fn armored(&self) -> Vec<u8> {
        armored(&self.binary())
    }

    /// The certificate in binary, without the signatures of others.
    #[must_use]
    pub fn minimal(&self) -> Vec<u8> {
        let own_alone = self.cert.clone().into_packets().filter(|packet| match packet {
            Packet::Signature(signature) => {
                signature.get_issuers().iter().any(|issuer| self.cert.keys().any(|key| issuer.aliases(key.key().key_handle())))
            }
            _ => true,
        });
        match Cert::from_packets(own_alone) {
            Ok(cert) => Self { cert }.binary(),
            Err(_) => self.binary(),
        }
    }

    /// The certificate in binary.
    #[must_use]
    pub fn binary(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // Writing to memory cannot fail; an empty answer would be refused by every reader.
        match self.cert.serialize(&mut bytes) {
            Ok(()) => bytes,
            Err(_) => Vec::new(),
        }
    }
}

/// Reads exactly one certificate or key, with or without secret parts.
pub(super) fn one_cert(bytes: &[u8]) -> Result<Cert, KeyError> {
    let mut certs = all_certs(bytes)?;
    match (certs.pop(), certs.len()) {
        (Some(cert), 0) => Ok(cert),
        (_, more) => Err(KeyError::new(&format!("it holds {} certificates", more + 1), "put each one into a file of its own")),
    }
}

/// Reads at least one certificate or key.
pub(super) fn all_certs(bytes: &[u8]) -> Result<Vec<Cert>, KeyError> {
    if bytes.len() > CERTIFICATE_BYTES_MAX {
        return Err(KeyError::new("it is larger than 4 MiB", "export the certificate without the signatures of others"));
    }
    let remedy = "give the file that 'gpg --export --armor' writes";
    let parser = CertParser::from_bytes(bytes)
        .map_err(|error| KeyError::new(&format!("it is no OpenPGP certificate: {}", cause(&error)), remedy))?;
    let mut certs = Vec::new();
    for cert in parser.take(100) {
        let cert = cert.map_err(|error| KeyError::new(&format!("it cannot be read: {}", cause(&error)), remedy))?;
        if cert.keys().count() > KEYS_MAX {
            return Err(KeyError::new("it has more than 200 subkeys", "ask its owner for a certificate with fewer"));
        }
        certs.push(cert);
    }
    if certs.is_empty() { Err(KeyError::new("it holds no OpenPGP certificate", remedy)) } else { Ok(certs) }
}

/// A key of a certificate, as it stands at one moment.
pub(super) type ValidKey<'a> = openpgp::cert::amalgamation::key::ValidErasedKeyAmalgamation<'a, key::PublicParts>;

/// The encryption subkeys that are fit at the moment of `valid`.
pub(super) fn encryption_keys<'a>(
    valid: &ValidCert<'a>,
) -> openpgp::cert::amalgamation::key::ValidKeyAmalgamationIter<'a, key::PublicParts, key::UnspecifiedRole> {
    valid.keys().supported().alive().revoked(false).for_transport_encryption()
}

pub(super) fn general_problems(valid: &ValidCert<'_>, now: Timestamp) -> Vec<Unfit> {
    let mut problems = Vec::new();
    if let RevocationStatus::Revoked(_) = valid.revocation_status() {
        problems.push(Unfit::Revoked);
    }
    if valid.alive().is_err() {
        problems.push(match valid.primary_key().key_expiration_time().and_then(timestamp) {
            Some(at) if at <= now => Unfit::Expired(at.strftime("%Y-%m-%d").to_string()),
            _ => Unfit::NotYetValid,
        });
    }
    problems
}

fn why_no_encryption_key(valid: &ValidCert<'_>) -> Unfit {
    let keys = || valid.keys().subkeys().for_transport_encryption();
    if keys().next().is_none() {
        Unfit::NoSubkey
    } else if keys().revoked(false).next().is_none() {
        Unfit::SubkeyRevoked
    } else if keys().revoked(false).alive().next().is_none() {
        Unfit::SubkeyExpired
    } else {
        Unfit::SubkeyUnsupported
    }
}

/// The rules for algorithms and expiry: Sequoia's, as they stand at `now`.
pub(super) fn policy_at(now: Timestamp) -> StandardPolicy<'static> {
    StandardPolicy::at(system_time(now))
}

pub(super) fn fingerprint_of(cert: &Cert) -> Fingerprint {
    Fingerprint(cert.fingerprint().to_hex())
}

/// `at` as OpenPGP counts it: whole seconds since 1970.
pub(super) fn system_time(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(at.as_second()).unwrap_or(0))
}

pub(super) fn timestamp(at: SystemTime) -> Option<Timestamp> {
    Timestamp::try_from(at).ok()
}

/// The innermost cause of an error on one line, for people.
pub(super) fn cause(error: &anyhow::Error) -> String {
    let mut text = escaped(&error.root_cause().to_string());
    if let Some((end, _)) = text.char_indices().nth(160) {
        text.truncate(end);
    }
    text
}

pub(super) fn escaped(text: &str) -> String {
    text.chars().take(300).flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}

/// ASCII armor of a public certificate.
fn armored(binary: &[u8]) -> Vec<u8> {
    let write = || -> std::io::Result<Vec<u8>> {
        let mut writer = armor::Writer::new(Vec::new(), armor::Kind::PublicKey)?;
        writer.write_all(binary)?;
        writer.finalize()
    };
    write().unwrap_or_default()
}

/// Whether any packet of these bytes is a secret key: the last look before a certificate is stored.
#[must_use]
pub fn holds_secret_key(bytes: &[u8]) -> bool {
    match openpgp::PacketPile::from_bytes(bytes) {
        Ok(pile) => pile.descendants().any(|packet| matches!(packet, Packet::SecretKey(_) | Packet::SecretSubkey(_))),
        Err(_) => false,
    }
}
