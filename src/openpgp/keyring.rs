//! The certificates that the daemon knows, and the centre's own key. Whom a certificate belongs to
//! is decided elsewhere: by the configuration for analysts, by pinning for contacts.

use super::certificate::{Certificate, fingerprint_of};
use super::own_key::OwnKey;
use crate::model::Fingerprint;
use sequoia_openpgp as openpgp;

use openpgp::{Cert, KeyHandle, KeyID};
use std::collections::{BTreeMap, HashMap};

/// Why a certificate or key was not taken: reason and remedy, one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyError {
    reason: String,
    remedy: String,
}

impl KeyError {
    pub(super) fn new(reason: &str, remedy: &str) -> Self {
        Self { reason: reason.to_owned(), remedy: remedy.to_owned() }
    }
}

impl std::fmt::Display for KeyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; {}", self.reason, self.remedy)
    }
}

impl std::error::Error for KeyError {}

/// All certificates, found by fingerprint or by the identifier of any of their keys.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    own: Option<OwnKey>,
    certificates: BTreeMap<Fingerprint, Certificate>,
    by_key: HashMap<KeyID, Vec<Fingerprint>>,
}

impl Keyring {
    /// A keyring with nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the centre's own key.
    pub fn set_own(&mut self, own: OwnKey) {
        self.own = Some(own);
    }

    /// The centre's own key.
    #[must_use]
    pub const fn own(&self) -> Option<&OwnKey> {
        self.own.as_ref()
    }

    /// Adds one certificate, armored or binary. A newer copy under a fingerprint that is already
    /// here is merged: what was revoked once stays revoked.
    ///
    /// # Errors
    /// Where the bytes are not exactly one certificate without secret parts.
    pub fn add(&mut self, bytes: &[u8]) -> Result<Fingerprint, KeyError> {
        Ok(self.add_certificate(Certificate::read(bytes)?))
    }

    /// Adds a certificate that was read already.
    pub fn add_certificate(&mut self, certificate: Certificate) -> Fingerprint {
        let fingerprint = certificate.fingerprint();
        let certificate = match self.certificates.remove(&fingerprint) {
            Some(known) => known.merged(certificate),
            None => certificate,
        };
        for key in certificate.cert.keys() {
            let owners = self.by_key.entry(key.key().keyid()).or_default();
            if !owners.contains(&fingerprint) {
                owners.push(fingerprint.clone());
            }
        }
        self.certificates.insert(fingerprint.clone(), certificate);
        fingerprint
    }

    /// The certificate of that primary fingerprint.
    #[must_use]
    pub fn get(&self, fingerprint: &Fingerprint) -> Option<&Certificate> {
        self.certificates.get(fingerprint)
    }

    /// All certificates, by fingerprint; the centre's own is not among them.
    pub fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        self.certificates.values()
    }

    /// The certificates that could have made a signature by one of these issuers, the centre's own included.
    pub(super) fn certs_for(&self, issuers: &[KeyHandle]) -> Vec<Cert> {
        let mut found: Vec<&Fingerprint> = Vec::new();
        for issuer in issuers {
            for owner in self.by_key.get(&KeyID::from(issuer)).into_iter().flatten() {
                if !found.contains(&owner) {
                    found.push(owner);
                }
            }
        }
        let mut certs: Vec<Cert> = found.into_iter().filter_map(|owner| self.get(owner)).map(|owner| owner.cert.clone()).collect();
        if let Some(own) = &self.own
            && !certs.iter().any(|cert| fingerprint_of(cert) == own.fingerprint())
            && own.cert.keys().key_handles(issuers).next().is_some()
        {
            certs.push(own.cert.clone());
        }
        certs
    }
}
