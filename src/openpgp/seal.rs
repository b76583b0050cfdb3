//! Signs and encrypts what leaves, or refuses. [`SealedMail`] can be made here only, and sending
//! takes nothing else: what is marked AMBER or above cannot leave in the clear.

use super::Keyring;
use super::armor::{Checksum, armored};
use super::certificate::{Certificate, ValidKey, cause, encryption_keys, policy_at, system_time};
use super::curve25519::{session_key, wrapped};
use super::own_key::OwnKey;
use crate::mail::write::{Body, Center, Fields, boundary, framed, is_message_id};
use crate::model::letter::{Letter, Protection};
use crate::model::unfit::Unfit;
use crate::model::{Address, Fingerprint, Tlp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use sequoia_openpgp as openpgp;

use openpgp::Packet;
use openpgp::cert::Preferences as _;
use openpgp::cert::amalgamation::ValidAmalgamation as _;
use openpgp::serialize::Serialize as _;
use openpgp::serialize::stream::padding::padme;
use openpgp::serialize::stream::{Encryptor, LiteralWriter, Message, Signer};
use openpgp::types::{AEADAlgorithm, HashAlgorithm, SymmetricAlgorithm};
use std::borrow::Cow;
use std::io::Write as _;
use std::sync::Arc;

/// The hash under our signatures, and its name in `micalg` (RFC 3156 §5).
const HASH: HashAlgorithm = HashAlgorithm::SHA512;
const MICALG: &str = "pgp-sha512";

/// The cipher that Sequoia's encryptor takes, whatever a certificate prefers.
const CIPHER: SymmetricAlgorithm = SymmetricAlgorithm::AES256;

/// Receipts, reminders and short letters are all of one size.
const PADDED_BYTES_MIN: usize = 4 * 1024;

/// Bytes that are what their letter demands. No other way leads out of the house.
#[derive(Debug, Clone)]
pub struct SealedMail {
    pub(super) bytes: Arc<[u8]>,
    pub(super) envelope_from: Address,
    pub(super) envelope_to: Address,
    pub(super) message_id: String,
}

impl SealedMail {
    /// The whole mail: only CRLF, 7-bit, lines under 998.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
    /// The envelope sender, with the letter's token where it has one.
    #[must_use]
    pub const fn envelope_from(&self) -> &Address {
        &self.envelope_from
    }
    /// The one recipient.
    #[must_use]
    pub const fn envelope_to(&self) -> &Address {
        &self.envelope_to
    }
    /// Without angle brackets.
    #[must_use]
    pub fn message_id(&self) -> &str {
        &self.message_id
    }
}

/// Why a letter cannot leave as it must. Nothing weaker happens instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub reason: Reason,
    /// The letter is in order and its bytes are not what the keys of today ask for: sealing afresh may do.
    pub may_reseal: bool,
}

/// What keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The mark demands encryption, and the letter has none.
    NotEncrypted {
        mark: Tlp,
    },
    NoOwnKey,
    /// The centre's key cannot sign.
    OwnKey {
        problem: Unfit,
    },
    NoCertificate {
        to: Address,
        fingerprint: Fingerprint,
    },
    Unfit {
        to: Address,
        fingerprint: Fingerprint,
        problems: Vec<Unfit>,
    },
    /// Encrypted to other keys than those of the recipient and the centre, as they stand now.
    OtherKeys {
        to: Address,
    },
    /// The letter or its bytes are not in order, or the crypto library failed.
    Failed(String),
}

impl Held {
    pub(super) const fn new(reason: Reason) -> Self {
        Self { reason, may_reseal: false }
    }

    pub(super) fn failed(what: impl Into<String>) -> Self {
        Self::new(Reason::Failed(what.into()))
    }
}

impl std::fmt::Display for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.reason {
            Reason::NotEncrypted { mark } => write!(f, "{} leaves only encrypted, and this letter is not", mark.label()),
            Reason::NoOwnKey => f.write_str("the centre has no key; make one with 'bantuan70 key generate'"),
            Reason::OwnKey { problem } => write!(f, "the centre's own key cannot sign: {problem}"),
            Reason::NoCertificate { to, fingerprint } => write!(f, "no certificate {fingerprint} for {to} is here"),
            Reason::Unfit { to, fingerprint, problems } => {
                let problems = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                write!(f, "the certificate {fingerprint} of {to} cannot be used: {problems}")
            }
            Reason::OtherKeys { to } => write!(f, "it is not encrypted to the keys of {to} and the centre alone, as they stand now"),
            Reason::Failed(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Held {}

/// Makes the bytes of a letter with the protection that it demands, at `now`.
///
/// # Errors
/// Where the letter's mark demands more than its protection, or a key or certificate is not fit.
pub fn seal(letter: &Letter, center: &Center, keyring: &Keyring, now: Timestamp) -> Result<SealedMail, Held> {
    // The same look that bytes from the outbox get: what leaves was parsed, not only written.
    super::recheck::recheck(unchecked(letter, center, keyring, now)?, letter, center, keyring, now)
}

/// The bytes of a letter with the protection that it demands, before the last look at them. Nothing that
/// sends takes them: [`super::recheck()`] makes of them what does, or refuses.
///
/// # Errors
/// As [`seal`].
pub fn unchecked(letter: &Letter, center: &Center, keyring: &Keyring, now: Timestamp) -> Result<Vec<u8>, Held> {
    demands(letter, center)?;
    match &letter.protection {
        Protection::Plain => Ok(plain(letter, center, keyring, now)),
        Protection::Signed => signed(letter, center, fit_own(keyring, now)?, now),
        Protection::Sealed { recipient } => {
            let own = fit_own(keyring, now)?;
            let certificate = fit_recipient(letter, recipient, keyring, now)?;
            sealed(letter, center, own, &certificate, now)
        }
    }
}

/// What must hold before any key is touched; gives the envelope sender.
pub(super) fn demands(letter: &Letter, center: &Center) -> Result<Address, Held> {
    if let Some(tlp) = letter.tlp
        && tlp.must_be_encrypted()
        && !matches!(letter.protection, Protection::Sealed { .. })
    {
        return Err(Held::new(Reason::NotEncrypted { mark: tlp }));
    }
    if !is_message_id(&letter.message_id) {
        return Err(Held::failed("the letter's Message-ID is not one"));
    }
    center.return_address(letter.token.as_deref()).ok_or_else(|| Held::failed("the token makes no address"))
}

/// The centre's key, able to sign at `now`.
pub(super) fn fit_own(keyring: &Keyring, now: Timestamp) -> Result<&OwnKey, Held> {
    let own = keyring.own().ok_or_else(|| Held::new(Reason::NoOwnKey))?;
    match own.signing_problem(now) {
        None => Ok(own),
        Some(problem) => Err(Held::new(Reason::OwnKey { problem })),
    }
}

/// The recipient's certificate, fit to encrypt to at `now` (ATTACKS P30).
pub(super) fn fit_recipient<'k>(
    letter: &Letter,
    recipient: &Fingerprint,
    keyring: &'k Keyring,
    now: Timestamp,
) -> Result<Cow<'k, Certificate>, Held> {
    let own = keyring.own().filter(|own| own.fingerprint() == *recipient).map(|own| Cow::Owned(own.certificate()));
    // Borrowed: what was verified of a certificate once is remembered in it, and would be lost with a copy.
    let Some(certificate) = own.or_else(|| keyring.get(recipient).map(Cow::Borrowed)) else {
        return Err(Held::new(Reason::NoCertificate { to: letter.to.clone(), fingerprint: recipient.clone() }));
    };
    let problems = certificate.unfit(now);
    if problems.is_empty() {
        return Ok(certificate);
    }
    Err(Held::new(Reason::Unfit { to: letter.to.clone(), fingerprint: recipient.clone(), problems }))
}

fn plain(letter: &Letter, center: &Center, keyring: &Keyring, now: Timestamp) -> Vec<u8> {
    let mut fields = Fields::of(letter, center, &letter.subject, now);
    let body = Body::of(letter, enclosed_certificate(letter, keyring.own()).as_deref());
    if let Some(own) = keyring.own() {
        fields.push("Autocrypt", autocrypt(center, own));
    }
    whole(&fields, &body.with("", ""))
}

/// RFC 3156 §5, with protected header fields (RFC 9788, and for older clients `protected-headers="v1"`).
fn signed(letter: &Letter, center: &Center, own: &OwnKey, now: Timestamp) -> Result<Vec<u8>, Held> {
    let mut fields = Fields::of(letter, center, &letter.subject, now);
    let body = Body::of(letter, enclosed_certificate(letter, Some(own)).as_deref());
    let payload = body.with(";\r\n hp=\"clear\"; protected-headers=\"v1\"", &fields.lines());
    let signature = (|| -> openpgp::Result<Vec<u8>> {
        let mut out = Vec::new();
        let signer = Signer::new(Message::new(&mut out), own.signer())?.hash_algo(HASH)?.creation_time(system_time(now)).detached();
        let mut signer = signer.build()?;
        signer.write_all(&payload)?;
        signer.finalize()?;
        Ok(out)
    })()
    .map_err(|error| Held::failed(format!("the letter could not be signed: {}", cause(&error))))?;
    let mut part =
        b"Content-Type: application/pgp-signature; name=\"signature.asc\"\r\nContent-Description: OpenPGP digital signature\r\n\r\n"
            .to_vec();
    part.extend(armored("SIGNATURE", &signature, Checksum::Written));
    let (parameters, content) = framed(&boundary('s', letter), &[payload, part]);
    let mut entity =
        format!("Content-Type: multipart/signed; micalg={MICALG};\r\n protocol=\"application/pgp-signature\"{parameters}\r\n\r\n")
            .into_bytes();
    entity.extend(content);
    fields.push("Autocrypt", autocrypt(center, own));
    Ok(whole(&fields, &entity))
}

/// The size that a payload is filled up to, by Sequoia's policy (Padmé: it tells little more than the
/// logarithm of a size, and costs at most 12 %). OpenPGP itself pads v6 messages only, so the MIME inside does it.
fn padded(length: usize) -> usize {
    let length = length.max(PADDED_BYTES_MIN);
    u64::try_from(length).ok().and_then(|length| usize::try_from(padme(length)).ok()).unwrap_or(length)
}

/// RFC 3156 §6.2: signed and encrypted in one, to the recipient and the centre alone.
fn sealed(letter: &Letter, center: &Center, own: &OwnKey, recipient: &Certificate, now: Timestamp) -> Result<Vec<u8>, Held> {
    let inside = Fields::of(letter, center, &letter.subject, now);
    let outside = Fields::of(letter, center, &letter.outer_subject, now);
    let body = Body::of(letter, enclosed_certificate(letter, Some(own)).as_deref());
    let lines = format!("{}{}", inside.lines(), outside.outer_lines());
    let payload = body.filled(letter, ";\r\n hp=\"cipher\"; protected-headers=\"v1\"", &lines, padded);
    let message = encrypt(&payload, own, recipient, now)
        .map_err(|error| Held::failed(format!("the letter could not be encrypted: {}", cause(&error))))?;
    let version =
        b"Content-Type: application/pgp-encrypted\r\nContent-Description: PGP/MIME version identification\r\n\r\nVersion: 1\r\n".to_vec();
    let mut part = b"Content-Type: application/octet-stream; name=\"encrypted.asc\"\r\nContent-Description: OpenPGP encrypted message\r\nContent-Disposition: inline; filename=\"encrypted.asc\"\r\n\r\n".to_vec();
    part.extend(message);
    let (parameters, content) = framed(&boundary('e', letter), &[version, part]);
    let mut entity =
        format!("Content-Type: multipart/encrypted;\r\n protocol=\"application/pgp-encrypted\"{parameters}\r\n\r\n").into_bytes();
    entity.extend(content);
    Ok(whole(&outside, &entity))
}

/// The armored message.
fn encrypt(payload: &[u8], own: &OwnKey, recipient: &Certificate, now: Timestamp) -> openpgp::Result<Vec<u8>> {
    let policy = policy_at(now);
    let theirs = recipient.cert.with_policy(&policy, system_time(now))?;
    let ours = own.cert.with_policy(&policy, system_time(now))?;
    let mut keys: Vec<_> = encryption_keys(&theirs).collect();
    for key in encryption_keys(&ours) {
        if !keys.iter().any(|other| other.key().fingerprint() == key.key().fingerprint()) {
            keys.push(key);
        }
    }
    // As Sequoia's encryptor chooses: version 2 with its stronger integrity where everybody reads it.
    let reads_v2 = |key: &ValidKey<'_>| key.valid_cert().features().is_some_and(|features| features.supports_seipdv2());
    let is_v2 = keys.iter().all(reads_v2);
    let session = session_key(CIPHER)?;
    let mut out = Vec::with_capacity(payload.len() + payload.len() / 8);
    for key in &keys {
        Packet::from(wrapped(&session, (!is_v2).then_some(CIPHER), key.key())?).serialize(&mut out)?;
    }
    let encryptor = Encryptor::with_session_key(Message::new(&mut out), CIPHER, session)?;
    let message = if is_v2 { encryptor.aead_algo(AEADAlgorithm::default()) } else { encryptor }.build()?;
    let message = Signer::new(message, own.signer())?
        .hash_algo(HASH)?
        .creation_time(system_time(now))
        // What is signed says for whom, so that it cannot be passed on as if meant for another.
        .add_intended_recipient(&recipient.cert)
        .add_intended_recipient(&own.cert)
        .build()?;
    let mut message = LiteralWriter::new(message).build()?;
    message.write_all(payload)?;
    message.finalize()?;
    Ok(armored("MESSAGE", &out, if is_v2 { Checksum::LeftOut } else { Checksum::Written }))
}

fn enclosed_certificate(letter: &Letter, own: Option<&OwnKey>) -> Option<Vec<u8>> {
    own.filter(|_| letter.encloses_certificate).map(OwnKey::armored)
}

/// Autocrypt Level 1 §2.1. It stands on letters in the clear, which tell nothing that must be hidden.
fn autocrypt(center: &Center, own: &OwnKey) -> String {
    let data = STANDARD.encode(own.certificate().minimal());
    let pieces: Vec<&str> = data.as_bytes().chunks(70).map(|piece| std::str::from_utf8(piece).unwrap_or_default()).collect();
    format!("addr={}; keydata= {}", center.address, pieces.join(" "))
}

fn whole(fields: &Fields, entity: &[u8]) -> Vec<u8> {
    let mut bytes = fields.lines().into_bytes();
    bytes.extend_from_slice(b"MIME-Version: 1.0\r\n");
    bytes.extend_from_slice(entity);
    bytes
}
