//! Whose signatures are good. A signature counts here only by a certificate of the keyring, by
//! Sequoia's policy at the signature's time, and unrevoked now; freshness counts too.

use super::Keyring;
use super::certificate::{cause, fingerprint_of, policy_at, system_time, timestamp};
use super::open::Refusal;
use crate::model::Fingerprint;
use jiff::{SignedDuration, Timestamp};
use sequoia_openpgp as openpgp;

use openpgp::cert::amalgamation::ValidAmalgamation as _;
use openpgp::packet::Signature;
use openpgp::parse::stream::{
    DetachedVerifierBuilder, GoodChecksum, MessageLayer, MessageStructure, VerificationError, VerificationHelper, VerifierBuilder,
};
use openpgp::parse::{PacketParser, Parse as _};
use openpgp::policy::StandardPolicy;
use openpgp::types::RevocationStatus;
use openpgp::{Cert, KeyHandle, Packet};
use std::io::Read as _;

/// How old a command's signature may be (contract 5).
pub const SIGNATURE_AGE_MAX: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How far ahead of our clock a command's signature may be (contract 5).
pub const SIGNATURE_AHEAD_MAX: SignedDuration = SignedDuration::from_mins(10);
/// Signatures looked at in one mail. Two analysts who both sign make two.
const SIGNATURES_MAX: usize = 10;
/// Bytes of a detached signature; an RSA-4096 one in armor has some 800.
const SIGNATURE_BYTES_MAX: usize = 64 * 1024;

/// One good, fresh signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proof {
    /// The certificate's primary key.
    pub signer: Fingerprint,
    /// The key that made it.
    pub issuer: Fingerprint,
    pub signed_at: Timestamp,
}

/// One signature that proves nothing, and why.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub refusal: Refusal,
    /// The certificate if known, else the issuer that the signature names.
    pub named: Option<Fingerprint>,
    /// For people.
    pub words: String,
    /// The signature itself is right, but too old or too far ahead.
    pub is_checksum_good: bool,
}

/// All signatures over one entity.
#[derive(Debug, Clone, Default)]
pub(super) struct Signatures {
    pub proofs: Vec<Proof>,
    pub faults: Vec<Fault>,
}

impl Signatures {
    pub fn is_empty(&self) -> bool {
        self.proofs.is_empty() && self.faults.is_empty()
    }

    fn fault(&mut self, refusal: Refusal, named: Option<Fingerprint>, words: impl Into<String>) {
        self.faults.push(Fault { refusal, named, words: words.into(), is_checksum_good: false });
    }

    /// Takes in what Sequoia found in a message.
    pub fn take(&mut self, structure: &MessageStructure<'_>, now: Timestamp) {
        let policy = policy_at(now);
        for layer in structure.iter() {
            if let MessageLayer::SignatureGroup { results } = layer {
                for result in results {
                    match result {
                        Ok(good) => self.take_good(good, &policy, now),
                        Err(error) => self.take_bad(error, now),
                    }
                }
            }
        }
    }

    fn take_good(&mut self, good: &GoodChecksum<'_>, policy: &StandardPolicy<'_>, now: Timestamp) {
        let cert = good.ka.cert();
        let signer = fingerprint_of(cert);
        // A notarisation signs a signature, not the text alone.
        if good.sig.level() != 0 {
            return self.fault(Refusal::BadSignature, Some(signer), "a signature over another signature");
        }
        if let Some(words) = unfit_now(cert, &KeyHandle::from(good.ka.key().fingerprint()), policy, now) {
            return self.fault(Refusal::UnfitKey, Some(signer), words);
        }
        let Some(signed_at) = good.sig.signature_creation_time().and_then(timestamp) else {
            return self.fault(Refusal::BadSignature, Some(signer), "the signature bears no time");
        };
        let age = now.duration_since(signed_at);
        if age > SIGNATURE_AGE_MAX || age < -SIGNATURE_AHEAD_MAX {
            let words = format!("the signature was made at {signed_at}: older than 7 days or more than 10 minutes ahead");
            self.faults.push(Fault { refusal: Refusal::NotFresh, named: Some(signer), words, is_checksum_good: true });
            return;
        }
        let issuer = Fingerprint(good.ka.key().fingerprint().to_hex());
        let proof = Proof { signer, issuer, signed_at };
        if !self.proofs.contains(&proof) {
            self.proofs.push(proof);
        }
    }

    fn take_bad(&mut self, error: &VerificationError<'_>, now: Timestamp) {
        use VerificationError as Bad;
        match error {
            Bad::MissingKey { sig } => {
                let named = named_issuer(sig);
                let words = match &named {
                    Some(issuer) => format!("no certificate here has the key {issuer}"),
                    None => "the signature names no key".to_owned(),
                };
                self.fault(Refusal::UnknownSigner, named, words);
            }
            Bad::UnboundKey { cert, error, .. } => {
                self.fault(Refusal::UnfitKey, Some(fingerprint_of(cert)), format!("the key is refused: {}", cause(error)));
            }
            Bad::BadKey { ka, error, .. } => {
                self.fault(Refusal::UnfitKey, Some(fingerprint_of(ka.cert())), format!("the key is unfit: {}", cause(error)));
            }
            Bad::BadSignature { sig, ka, error } => {
                let ahead = sig.signature_creation_time().and_then(timestamp).filter(|at| at.duration_since(now) > SIGNATURE_AHEAD_MAX);
                let signer = Some(fingerprint_of(ka.cert()));
                match ahead {
                    Some(at) => self.fault(Refusal::NotFresh, signer, format!("the signature says it was made at {at}, which is ahead")),
                    None => self.fault(Refusal::BadSignature, signer, cause(error)),
                }
            }
            Bad::MalformedSignature { sig, error } => self.fault(Refusal::BadSignature, named_issuer(sig), cause(error)),
            Bad::UnknownSignature { sig } => self.fault(Refusal::BadSignature, None, cause(sig.error())),
            _ => self.fault(Refusal::BadSignature, None, "the signature is of an unknown kind"),
        }
    }
}

/// Revoked by now, or by now refused: soft revocations after the signature count as well (ATTACKS P13).
fn unfit_now(cert: &Cert, key: &KeyHandle, policy: &StandardPolicy<'_>, now: Timestamp) -> Option<String> {
    let at = system_time(now);
    if let RevocationStatus::Revoked(_) = cert.revocation_status(policy, at) {
        return Some("the certificate is revoked".to_owned());
    }
    match cert.keys().with_policy(policy, at).key_handle(key.clone()).next() {
        None => Some("the key is no longer bound to its certificate".to_owned()),
        Some(key) => match key.revocation_status() {
            RevocationStatus::Revoked(_) => Some("the signing key is revoked".to_owned()),
            _ => None,
        },
    }
}

fn named_issuer(signature: &Signature) -> Option<Fingerprint> {
    signature.get_issuers().into_iter().next().map(|issuer| match issuer {
        KeyHandle::Fingerprint(fingerprint) => Fingerprint(fingerprint.to_hex()),
        KeyHandle::KeyID(id) => Fingerprint(id.to_hex()),
    })
}

/// Verifies a detached signature over the exact bytes.
pub(super) fn detached(signature: &[u8], signed: &[u8], keyring: &Keyring, now: Timestamp) -> Signatures {
    let mut found = Signatures::default();
    if signature.len() > SIGNATURE_BYTES_MAX {
        found.fault(Refusal::BadSignature, None, "the signature is larger than 64 KiB");
        return found;
    }
    let policy = policy_at(now);
    let outcome = (|| {
        let witness = Witness { keyring, now, seen: 0, found: &mut found };
        let at = system_time(now.checked_add(SIGNATURE_AHEAD_MAX)?);
        DetachedVerifierBuilder::from_bytes(signature)?.with_policy(&policy, at, witness)?.verify_bytes(signed)
    })();
    if let Err(error) = outcome
        && found.is_empty()
    {
        found.fault(Refusal::BadSignature, None, cause(&error));
    }
    found
}

/// Verifies a text under the cleartext signature framework and gives it as it was signed.
pub(super) fn cleartext(block: &[u8], keyring: &Keyring, now: Timestamp) -> Option<(Vec<u8>, Signatures)> {
    let mut found = Signatures::default();
    let policy = policy_at(now);
    let outcome = (|| {
        let witness = Witness { keyring, now, seen: 0, found: &mut found };
        let at = system_time(now.checked_add(SIGNATURE_AHEAD_MAX)?);
        let mut reader = VerifierBuilder::from_bytes(block)?.buffer_size(block.len()).with_policy(&policy, at, witness)?;
        if !reader.message_processed() {
            return Err(anyhow::anyhow!("it is longer inside than outside"));
        }
        let mut text = Vec::new();
        reader.read_to_end(&mut text)?;
        Ok(text)
    })();
    match outcome {
        Ok(text) => Some((text, found)),
        Err(error) => {
            found.fault(Refusal::BadSignature, None, cause(&error));
            None
        }
    }
}

struct Witness<'a> {
    keyring: &'a Keyring,
    now: Timestamp,
    seen: usize,
    found: &'a mut Signatures,
}

impl VerificationHelper for Witness<'_> {
    fn inspect(&mut self, packet: &PacketParser<'_>) -> openpgp::Result<()> {
        count_signature(packet, &mut self.seen)
    }

    fn get_certs(&mut self, ids: &[KeyHandle]) -> openpgp::Result<Vec<Cert>> {
        Ok(self.keyring.certs_for(ids))
    }

    fn check(&mut self, structure: MessageStructure<'_>) -> openpgp::Result<()> {
        self.found.take(&structure, self.now);
        Ok(())
    }
}

/// Ends the reading of a message with too many signatures.
pub(super) fn count_signature(packet: &PacketParser<'_>, seen: &mut usize) -> openpgp::Result<()> {
    if matches!(packet.packet, Packet::Signature(_) | Packet::OnePassSig(_)) {
        *seen += 1;
        // A signature inside a message comes with a one-pass packet before it.
        if *seen > 2 * SIGNATURES_MAX {
            return Err(anyhow::anyhow!("too many signatures"));
        }
    }
    Ok(())
}
