//! Opens one OpenPGP message, all or nothing: no byte comes out before the whole was authenticated,
//! and nothing past a limit is unpacked. Passwords are never tried.

use super::Keyring;
use super::certificate::{cause, policy_at, system_time};
use super::verify::{SIGNATURE_AHEAD_MAX, Signatures, count_signature};
use jiff::Timestamp;
use sequoia_openpgp as openpgp;

use openpgp::crypto::{KeyPair, SessionKey};
use openpgp::packet::header::BodyLength;
use openpgp::packet::{PKESK, SKESK};
use openpgp::parse::stream::{DecryptionHelper, DecryptorBuilder, MessageLayer, MessageStructure, VerificationHelper};
use openpgp::parse::{PacketParser, Parse as _};
use openpgp::types::SymmetricAlgorithm;
use openpgp::{Cert, KeyHandle, Packet};
use std::io::Read as _;

/// Encrypted session keys tried, each once (ATTACKS P22).
const SESSION_KEYS_MAX: usize = 20;
/// Of these, without a key identifier: each is tried with each of our keys.
const HIDDEN_SESSION_KEYS_MAX: usize = 5;
/// Layers of compression. Every program writes one at most; nested ones are bombs (ATTACKS P23).
const COMPRESSIONS_MAX: usize = 1;
/// Packets in a message; real ones have one for each recipient and signature, and a few more.
const PACKETS_MAX: usize = 20_000;
/// Bytes of a packet that is neither text nor container.
const SMALL_PACKET_BYTES_MAX: u32 = 1024 * 1024;

/// Text compresses to a fourth, not to a sixteenth.
const EXPANSION_LIKELY: usize = 16;
const BUFFER_BYTES_MIN: usize = 64 * 1024;

/// What became of a message.
#[derive(Debug)]
pub(super) enum Unsealed {
    Open {
        plaintext: Vec<u8>,
        signatures: Signatures,
    },
    /// Encrypted to none of our keys.
    ForOthers,
    /// It was not encrypted at all.
    NotEncrypted,
    /// Damaged, or past a limit; the words are for analysts and never for the sender.
    Damaged(String),
}

/// Decrypts and verifies one message of at most `plaintext_limit` bytes of text.
pub(super) fn decrypt(message: &[u8], keyring: &Keyring, now: Timestamp, plaintext_limit: usize) -> Unsealed {
    // Buffers are made as large as they may become. Most texts need no more than this.
    let likely = message.len().saturating_mul(EXPANSION_LIKELY).clamp(BUFFER_BYTES_MIN, plaintext_limit.max(BUFFER_BYTES_MIN));
    match within(message, keyring, now, likely) {
        Err(TooLarge) if likely < plaintext_limit => within(message, keyring, now, plaintext_limit),
        Ok(Unsealed::Open { plaintext, .. }) if plaintext.len() > plaintext_limit => Err(TooLarge),
        outcome => outcome,
    }
    .unwrap_or_else(|TooLarge| Unsealed::Damaged(format!("its text is larger than the limit of {plaintext_limit} bytes")))
}

struct TooLarge;

fn within(message: &[u8], keyring: &Keyring, now: Timestamp, limit: usize) -> Result<Unsealed, TooLarge> {
    let mut seen = Seen::default();
    let policy = policy_at(now);
    let outcome = (|| {
        let opener = Opener { keyring, now, seen: &mut seen };
        let at = system_time(now.checked_add(SIGNATURE_AHEAD_MAX)?);
        // With a buffer of the whole limit everything is authenticated before the first byte comes out.
        let mut reader = DecryptorBuilder::from_bytes(message)?.buffer_size(limit).with_policy(&policy, at, opener)?;
        if !reader.message_processed() {
            return Ok(None);
        }
        let mut plaintext = Vec::new();
        reader.read_to_end(&mut plaintext)?;
        Ok(Some(plaintext))
    })();
    match outcome {
        Ok(None) => Err(TooLarge),
        Ok(Some(plaintext)) if seen.is_encrypted => Ok(Unsealed::Open { plaintext, signatures: seen.signatures }),
        Ok(Some(_)) => Ok(Unsealed::NotEncrypted),
        // Only who names other keys, and those alone, is told so: whatever fails under a key of
        // ours looks the same from outside (ATTACKS P17).
        Err(_) if seen.containers > 0 && !seen.is_ours && !seen.is_hidden => Ok(Unsealed::ForOthers),
        Err(error) => Ok(Unsealed::Damaged(cause(&error))),
    }
}

#[derive(Default)]
struct Seen {
    packets: usize,
    signature_packets: usize,
    compressions: usize,
    containers: usize,
    /// A session key names a key of ours.
    is_ours: bool,
    /// A session key names no key.
    is_hidden: bool,
    is_encrypted: bool,
    signatures: Signatures,
}

struct Opener<'a> {
    keyring: &'a Keyring,
    now: Timestamp,
    seen: &'a mut Seen,
}

impl Opener<'_> {
    fn pairs(&self) -> &[(KeyHandle, KeyPair)] {
        self.keyring.own().map_or(&[], |own| own.decryption_pairs())
    }
}

impl VerificationHelper for Opener<'_> {
    fn inspect(&mut self, packet: &PacketParser<'_>) -> openpgp::Result<()> {
        count_signature(packet, &mut self.seen.signature_packets)?;
        self.seen.packets += 1;
        match &packet.packet {
            Packet::CompressedData(_) => self.seen.compressions += 1,
            Packet::SEIP(_) => self.seen.containers += 1,
            Packet::Literal(_) => {}
            Packet::PKESK(pkesk) => match pkesk.recipient() {
                None => self.seen.is_hidden = true,
                Some(handle) => self.seen.is_ours |= self.pairs().iter().any(|(ours, _)| ours.aliases(&handle)),
            },
            _ => {
                let is_small = matches!(packet.header().length(), BodyLength::Full(bytes) if *bytes <= SMALL_PACKET_BYTES_MAX);
                if !is_small {
                    return Err(anyhow::anyhow!("a packet is too large"));
                }
            }
        }
        if self.seen.compressions > COMPRESSIONS_MAX || self.seen.packets > PACKETS_MAX || self.seen.containers > 1 {
            return Err(anyhow::anyhow!("too many layers or packets"));
        }
        Ok(())
    }

    fn get_certs(&mut self, ids: &[KeyHandle]) -> openpgp::Result<Vec<Cert>> {
        Ok(self.keyring.certs_for(ids))
    }

    fn check(&mut self, structure: MessageStructure<'_>) -> openpgp::Result<()> {
        self.seen.is_encrypted = matches!(structure.iter().next(), Some(MessageLayer::Encryption { .. }));
        self.seen.signatures.take(&structure, self.now);
        Ok(())
    }
}

impl DecryptionHelper for Opener<'_> {
    fn decrypt(
        &mut self,
        pkesks: &[PKESK],
        _passwords: &[SKESK],
        algorithm: Option<SymmetricAlgorithm>,
        unlock: &mut dyn FnMut(Option<SymmetricAlgorithm>, &SessionKey) -> bool,
    ) -> openpgp::Result<Option<Cert>> {
        let own = self.keyring.own().ok_or_else(|| anyhow::anyhow!("the centre has no key"))?;
        let mut tried = 0;
        let mut hidden = 0;
        for pkesk in pkesks {
            let recipient = pkesk.recipient();
            if recipient.is_none() {
                hidden += 1;
                if hidden > HIDDEN_SESSION_KEYS_MAX {
                    continue;
                }
            }
            let fits = |ours: &KeyHandle| recipient.as_ref().is_none_or(|handle| ours.aliases(handle));
            let mut pairs = self.pairs().iter().filter(|(ours, _)| fits(ours)).peekable();
            if pairs.peek().is_none() {
                continue;
            }
            tried += 1;
            if tried > SESSION_KEYS_MAX {
                break;
            }
            for (ours, pair) in pairs {
                let found = pkesk.decrypt(&mut pair.clone(), algorithm);
                if found.is_some_and(|(algorithm, session)| unlock(algorithm, &session)) {
                    let retired = own.retired().iter().find(|cert| cert.keys().any(|key| ours.aliases(key.key().key_handle())));
                    return Ok(Some(retired.unwrap_or(&own.cert).clone()));
                }
            }
        }
        Err(anyhow::anyhow!("no key of ours opens it"))
    }
}
