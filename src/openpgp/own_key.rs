//! The centre's own key: read, tested, used to sign and to decrypt. Its secret parts show in no
//! `Debug`, no error and no log.

use super::KeyError;
use super::certificate::{Certificate, all_certs, cause, fingerprint_of, general_problems, policy_at, system_time, timestamp};
use super::curve25519::Signing;
use crate::model::unfit::Unfit;
use crate::model::{Address, Fingerprint};
use jiff::Timestamp;
use sequoia_openpgp as openpgp;

use openpgp::cert::amalgamation::key::PrimaryKey as _;
use openpgp::cert::{CertBuilder, CipherSuite};
use openpgp::crypto::{KeyPair, Password, SessionKey};
use openpgp::packet::signature::SignatureBuilder;
use openpgp::packet::{Key, PKESK, UserID, key};
use openpgp::policy::StandardPolicy;
use openpgp::serialize::SerializeInto as _;
use openpgp::types::{HashAlgorithm, KeyFlags, SignatureType, SymmetricAlgorithm};
use openpgp::{Cert, KeyHandle, Profile};
use std::time::Duration;

/// How long a generated key lives.
pub(super) const OWN_KEY_LIFETIME: Duration = Duration::from_secs(3 * 365 * 86_400);

/// The centre's transferable secret key, unlocked. Keys that stand behind the first one in the
/// same file are retired: what was encrypted to them is still opened, nothing is signed by them.
#[derive(Clone)]
pub struct OwnKey {
    /// Public parts alone.
    pub(super) cert: Cert,
    signing: KeyPair,
    decrypting: Vec<(KeyHandle, KeyPair)>,
    retired: Vec<Cert>,
}

impl std::fmt::Debug for OwnKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OwnKey({}, …)", self.cert.fingerprint())
    }
}

impl OwnKey {
    /// Reads a key, armored or binary, unlocks it and tests that it signs and decrypts (ATTACKS P25).
    ///
    /// # Errors
    /// With reason and remedy on one line, never with secret material.
    pub fn read(bytes: &[u8], password: Option<&str>, now: Timestamp) -> Result<Self, KeyError> {
        let mut certs = all_certs(bytes)?.into_iter();
        let Some(first) = certs.next() else {
            return Err(KeyError::new("it holds no key", "make one with 'bantuan70 key generate'"));
        };
        if !first.is_tsk() {
            return Err(KeyError::new("it holds no secret key", "export the secret key, or make one with 'bantuan70 key generate'"));
        }
        let retired: Vec<Cert> = certs.collect();
        let password = password.map(Password::from);
        let mut decrypting = Vec::new();
        for cert in std::iter::once(&first).chain(&retired) {
            decrypting.extend(decryption_pairs(cert, password.as_ref())?);
        }
        let policy = policy_at(now);
        let signing = signing_pair(&first, password.as_ref(), &policy, now)?;
        let cert = first.strip_secret_key_material();
        let retired = retired.into_iter().map(Cert::strip_secret_key_material).collect();
        let own = Self { cert, signing, decrypting, retired };
        own.test(now)?;
        Ok(own)
    }

    /// The fingerprint of the primary key.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        fingerprint_of(&self.cert)
    }

    /// The public part.
    #[must_use]
    pub fn certificate(&self) -> Certificate {
        Certificate::public_part_of(&self.cert)
    }

    /// The public part in ASCII armor.
    #[must_use]
    pub fn armored(&self) -> Vec<u8> {
        self.certificate().armored()
    }

    /// When it ends: the first of its own end and that of its encryption subkeys.
    #[must_use]
    pub fn expires_at(&self, now: Timestamp) -> Option<Timestamp> {
        let policy = policy_at(now);
        let signing_end = self
            .cert
            .keys()
            .with_policy(&policy, system_time(now))
            .key_handle(KeyHandle::from(self.signing.public().fingerprint()))
            .next()
            .and_then(|key| key.key_expiration_time())
            .and_then(timestamp);
        match (self.certificate().expires_at(now), signing_end) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Why nothing can be signed at `now`.
    #[must_use]
    pub fn signing_problem(&self, now: Timestamp) -> Option<Unfit> {
        let policy = policy_at(now);
        let handle = KeyHandle::from(self.signing.public().fingerprint());
        let valid = match self.cert.with_policy(&policy, system_time(now)) {
            Ok(valid) => valid,
            Err(error) => return Some(Unfit::Refused(cause(&error))),
        };
        let is_fit = || valid.keys().key_handle(handle).alive().revoked(false).for_signing().next().is_some();
        general_problems(&valid, now).into_iter().next().or_else(|| (!is_fit()).then_some(Unfit::SigningSubkey))
    }

    pub(super) const fn signer(&self) -> Signing<'_> {
        Signing(&self.signing)
    }

    pub(super) fn decryption_pairs(&self) -> &[(KeyHandle, KeyPair)] {
        &self.decrypting
    }

    pub(super) fn retired(&self) -> &[Cert] {
        &self.retired
    }

    /// Signs and verifies, encrypts and decrypts, so that a key file whose public part was changed
    /// under a secret part that still unlocks is found at start.
    fn test(&self, now: Timestamp) -> Result<(), KeyError> {
        let broken = |what: &str, error: &anyhow::Error| {
            KeyError::new(&format!("its self-test failed ({what}: {})", cause(error)), "restore the key file from its safe copy")
        };
        let sign = || -> openpgp::Result<()> {
            let mut pair = self.signing.clone();
            let signature = SignatureBuilder::new(SignatureType::Binary)
                .set_hash_algo(HashAlgorithm::SHA512)
                .set_signature_creation_time(system_time(now))?
                .sign_message(&mut pair, b"bantuan70")?;
            let fingerprint = self.signing.public().fingerprint();
            let key = self.cert.keys().key_handle(KeyHandle::from(fingerprint)).next();
            let key = key.ok_or_else(|| anyhow::anyhow!("the signing key is not in the certificate"))?;
            signature.verify_message(key.key(), b"bantuan70")
        };
        sign().map_err(|error| broken("signing", &error))?;
        let policy = policy_at(now);
        let valid = self.cert.with_policy(&policy, system_time(now)).map_err(|error| broken("policy", &error))?;
        let mut tested = 0;
        for key in super::certificate::encryption_keys(&valid) {
            let decrypt = || -> openpgp::Result<()> {
                let session = SessionKey::new(32)?;
                let pkesk: PKESK = openpgp::packet::pkesk::PKESK3::for_recipient(SymmetricAlgorithm::AES256, &session, key.key())?.into();
                let pair = self.decrypting.iter().find(|(handle, _)| handle.aliases(key.key().key_handle()));
                let (_, pair) = pair.ok_or_else(|| anyhow::anyhow!("the secret part of its encryption subkey is missing"))?;
                match pkesk.decrypt(&mut pair.clone(), None) {
                    Some((_, back)) if back == session => Ok(()),
                    _ => Err(anyhow::anyhow!("what was encrypted to it could not be decrypted")),
                }
            };
            decrypt().map_err(|error| broken("decrypting", &error))?;
            tested += 1;
        }
        if tested == 0 && self.certificate().problems(now).iter().all(|problem| !problem.contains("expired")) {
            return Err(KeyError::new("it has no usable encryption subkey", "add one, or make a new key with 'bantuan70 key generate'"));
        }
        Ok(())
    }
}

/// Every key of `cert` that can decrypt, whatever its age: old mail must stay readable.
fn decryption_pairs(cert: &Cert, password: Option<&Password>) -> Result<Vec<(KeyHandle, KeyPair)>, KeyError> {
    let mut pairs = Vec::new();
    for key in cert.keys().secret() {
        if key.key().pk_algo().for_encryption() && key.key().pk_algo().is_supported() {
            pairs.push((key.key().key_handle(), unlocked(key.key().clone(), password)?));
        }
    }
    Ok(pairs)
}

/// The signing key that is fit now, a subkey before the primary key, the newest first.
fn signing_pair(cert: &Cert, password: Option<&Password>, policy: &StandardPolicy<'_>, now: Timestamp) -> Result<KeyPair, KeyError> {
    let at = system_time(now);
    let pick = |must_be_alive: bool| {
        let keys = cert.keys().with_policy(policy, at).supported().revoked(false).for_signing();
        let keys = if must_be_alive { keys.alive() } else { keys };
        keys.secret().max_by_key(|key| (!key.primary(), key.key().creation_time()))
    };
    // An expired key still starts the daemon: intake goes on, and sealing is held (ATTACKS F71).
    let key = pick(true).or_else(|| pick(false)).ok_or_else(|| {
        let reason = match cert.with_policy(policy, at) {
            Err(error) => format!("it is refused: {}", cause(&error)),
            Ok(_) => "it has no usable signing key".to_owned(),
        };
        KeyError::new(&reason, "make a new key with 'bantuan70 key generate'")
    })?;
    unlocked(key.key().clone().role_into_unspecified(), password)
}

pub(super) fn unlocked(key: Key<key::SecretParts, key::UnspecifiedRole>, password: Option<&Password>) -> Result<KeyPair, KeyError> {
    let wrong = |reason: &str| KeyError::new(reason, "set password_file of [openpgp] to the file with its password");
    let key = if key.secret().is_encrypted() {
        let password = password.ok_or_else(|| wrong("it is protected by a password and none is configured"))?;
        key.decrypt_secret(password).map_err(|_| wrong("the password does not fit"))?
    } else {
        key
    };
    key.into_keypair().map_err(|error| wrong(&format!("its secret part cannot be used: {}", cause(&error))))
}

/// A key that was just made.
#[derive(Clone)]
pub struct Generated {
    pub fingerprint: Fingerprint,
    /// The transferable secret key in ASCII armor: for the key file, with mode 0600.
    pub secret: Vec<u8>,
    /// A revocation certificate in ASCII armor: to be kept apart.
    pub revocation: Vec<u8>,
}

impl std::fmt::Debug for Generated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Generated({}, …)", self.fingerprint)
    }
}

/// Makes a key for the centre: v4, cv25519, a primary key that only certifies, one subkey to sign
/// and one to encrypt, valid for three years.
///
/// # Errors
/// Where name and address make no user ID, or the crypto library fails.
pub fn generate_own(name: &str, address: &Address, password: Option<&str>, now: Timestamp) -> Result<Generated, KeyError> {
    let user_id = UserID::from_address(Some(name).filter(|name| !name.is_empty()), None, address.as_str())
        .or_else(|_| UserID::from_address(None, None, address.as_str()))
        .map_err(|error| {
            KeyError::new(&format!("name and address make no user ID: {}", cause(&error)), "change [center] name or address")
        })?;
    let make = || -> openpgp::Result<Generated> {
        let (cert, revocation) = CertBuilder::new()
            .set_profile(Profile::RFC4880)?
            .set_cipher_suite(CipherSuite::Cv25519)
            .set_creation_time(system_time(now))
            .set_validity_period(OWN_KEY_LIFETIME)
            .set_primary_key_flags(KeyFlags::empty().set_certification())
            .add_userid(user_id)
            .add_signing_subkey()
            .add_subkey(KeyFlags::empty().set_transport_encryption().set_storage_encryption(), None, None)
            .set_password(password.map(Password::from))
            .generate()?;
        let secret = cert.as_tsk().armored().to_vec()?;
        let revocation = armored_signature(&revocation)?;
        Ok(Generated { fingerprint: fingerprint_of(&cert), secret, revocation })
    };
    make().map_err(|error| KeyError::new(&format!("the key could not be made: {}", cause(&error)), "try again"))
}

fn armored_signature(signature: &openpgp::packet::Signature) -> openpgp::Result<Vec<u8>> {
    use openpgp::serialize::Serialize as _;
    // gpg imports a revocation only from a public-key armor.
    let mut writer = openpgp::armor::Writer::new(Vec::new(), openpgp::armor::Kind::PublicKey)?;
    openpgp::Packet::from(signature.clone()).serialize(&mut writer)?;
    Ok(writer.finalize()?)
}
