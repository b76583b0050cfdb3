//! Curve25519 for what leaves: signatures, and session keys for recipients, by aws-lc, which takes a
//! fourth of the time that the libraries behind Sequoia take. All other keys, and all reading, are
//! Sequoia's: the last look opens and verifies by another library than the one that signed and wrapped.

use aws_lc_rs::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use aws_lc_rs::rand::{SystemRandom, fill};
use aws_lc_rs::signature::Ed25519KeyPair;
use sequoia_openpgp as openpgp;

use openpgp::crypto::mem::Protected;
use openpgp::crypto::mpi::{Ciphertext, MPI, PublicKey, SecretKeyMaterial, Signature};
use openpgp::crypto::{KeyPair, SessionKey, Signer, ecdh};
use openpgp::packet::key::{PublicParts, UnspecifiedRole};
use openpgp::packet::pkesk::{PKESK3, PKESK6};
use openpgp::packet::{Key, PKESK};
use openpgp::types::{Curve, HashAlgorithm, PublicKeyAlgorithm, SymmetricAlgorithm};

/// RFC 9580 §11.5: every session key is filled up to this, so that its length does not show.
const PADDED_BYTES: usize = 40;

/// A key of ours that signs. Its secret part is unlocked for each signature and forgotten again.
pub(super) struct Signing<'k>(pub &'k KeyPair);

impl Signer for Signing<'_> {
    fn public(&self) -> &Key<PublicParts, UnspecifiedRole> {
        self.0.public()
    }

    fn sign(&mut self, hash: HashAlgorithm, digest: &[u8]) -> openpgp::Result<Signature> {
        let is_mixed = || anyhow::anyhow!("public and secret part of the signing key are of two kinds");
        match self.public().mpis() {
            PublicKey::EdDSA { curve: curve @ Curve::Ed25519, q } => {
                let (public, _) = q.decode_point(curve)?;
                let signature = self.0.secret().map(|secret| match secret {
                    SecretKeyMaterial::EdDSA { scalar } => ed25519(&scalar.value_padded(32), public, digest),
                    _ => Err(is_mixed()),
                })?;
                let (r, s) = signature.as_ref().split_at(32);
                Ok(Signature::EdDSA { r: MPI::new(r), s: MPI::new(s) })
            }
            PublicKey::Ed25519 { a } => {
                let signature = self.0.secret().map(|secret| match secret {
                    SecretKeyMaterial::Ed25519 { x } => ed25519(x, a, digest),
                    _ => Err(is_mixed()),
                })?;
                Ok(Signature::Ed25519 { s: Box::new(signature.as_ref().try_into()?) })
            }
            _ => self.0.clone().sign(hash, digest),
        }
    }
}

/// The public part is reckoned from the secret one and compared: a signature under another would give the secret away.
fn ed25519(secret: &[u8], public: &[u8], digest: &[u8]) -> openpgp::Result<aws_lc_rs::signature::Signature> {
    let pair = Ed25519KeyPair::from_seed_and_public_key(secret, public)
        .map_err(|_| anyhow::anyhow!("public and secret part of the signing key do not belong together"))?;
    pair.try_sign(digest).map_err(|_| anyhow::anyhow!("the signature could not be made"))
}

/// A fresh session key for this cipher.
pub(super) fn session_key(cipher: SymmetricAlgorithm) -> openpgp::Result<SessionKey> {
    let mut bytes = Protected::from(vec![0; cipher.key_size()?]);
    fill(bytes.as_mut()).map_err(|_| anyhow::anyhow!("the system gives no random bytes"))?;
    Ok(bytes.into())
}

/// The session key for a recipient's key, in version 3 with its cipher, in version 6 without
/// (RFC 9580 §5.1: version 6 stands before encrypted data of version 2, which names the cipher itself).
pub(super) fn wrapped(
    session: &SessionKey,
    cipher: Option<SymmetricAlgorithm>,
    key: &Key<PublicParts, UnspecifiedRole>,
) -> openpgp::Result<PKESK> {
    let PublicKey::ECDH { curve: curve @ Curve::Cv25519, q, hash, sym } = key.mpis() else {
        return Ok(match cipher {
            Some(cipher) => PKESK3::for_recipient(cipher, session, key)?.into(),
            None => PKESK6::for_recipient(session, key)?.into(),
        });
    };
    let (theirs, _) = q.decode_point(curve)?;
    let (ephemeral, shared) = agreed(theirs)?;
    let wrapping = wrapping_key(&shared, key, curve, *hash, *sym)?;
    let esk = ecdh::aes_key_wrap(*sym, &wrapping, &padded(session, cipher)?)?;
    let esk = Ciphertext::ECDH { e: MPI::new_compressed_point(&ephemeral), key: esk.into() };
    Ok(match cipher {
        Some(_) => PKESK3::new(Some(key.keyid()), PublicKeyAlgorithm::ECDH, esk)?.into(),
        None => PKESK6::new(Some(key.fingerprint()), PublicKeyAlgorithm::ECDH, esk)?.into(),
    })
}

/// The public part of a key for this once, and the secret that it shares with theirs.
fn agreed(theirs: &[u8]) -> openpgp::Result<(Vec<u8>, Protected)> {
    let failed = || anyhow::anyhow!("no secret could be agreed on with the recipient's key");
    let ours = EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).map_err(|_| failed())?;
    let ephemeral = ours.compute_public_key().map_err(|_| failed())?.as_ref().to_vec();
    // A point that would make the secret known to all is refused here (RFC 7748 §6.1).
    let shared = agree_ephemeral(ours, UnparsedPublicKey::new(&X25519, theirs), failed(), |shared| Ok(Protected::from(shared)))?;
    Ok((ephemeral, shared))
}

/// RFC 9580 §5.1.3 and §11.5: cipher, session key, the sum of its bytes, and filling that names its own length.
fn padded(session: &SessionKey, cipher: Option<SymmetricAlgorithm>) -> openpgp::Result<Protected> {
    let sum = session.iter().fold(0_u16, |sum, &byte| sum.wrapping_add(u16::from(byte)));
    // Room for all of it from the start: a vector that grows would leave a copy behind.
    let mut bytes = Vec::with_capacity(PADDED_BYTES);
    bytes.extend(cipher.map(u8::from));
    bytes.extend_from_slice(session);
    bytes.extend_from_slice(&sum.to_be_bytes());
    let missing = PADDED_BYTES.checked_sub(bytes.len()).and_then(|missing| u8::try_from(missing).ok());
    let missing = missing.filter(|&missing| missing > 0).ok_or_else(|| anyhow::anyhow!("a session key of an unknown length"))?;
    bytes.extend(std::iter::repeat_n(missing, usize::from(missing)));
    Ok(bytes.into())
}

/// RFC 9580 §11.5, the key derivation function.
fn wrapping_key(
    shared: &Protected,
    key: &Key<PublicParts, UnspecifiedRole>,
    curve: &Curve,
    hash: HashAlgorithm,
    cipher: SymmetricAlgorithm,
) -> openpgp::Result<Protected> {
    let mut wrapping = Protected::from(vec![0; cipher.key_size()?]);
    if hash.digest_size()? < wrapping.len() {
        return Err(anyhow::anyhow!("the key asks for a hash that is shorter than its cipher's key"));
    }
    let mut context = hash.context()?.for_digest();
    context.update(&[0, 0, 0, 1]);
    context.update(shared);
    context.update(&[u8::try_from(curve.oid().len())?]);
    context.update(curve.oid());
    context.update(&[PublicKeyAlgorithm::ECDH.into(), 3, 1, hash.into(), cipher.into()]);
    context.update(b"Anonymous Sender    ");
    context.update(key.fingerprint().as_bytes());
    context.digest(&mut wrapping)?;
    Ok(wrapping)
}

#[cfg(test)]
mod tests {
    use super::*;
    use openpgp::cert::{CertBuilder, CipherSuite};
    use openpgp::packet::key::SecretParts;
    use openpgp::packet::signature::SignatureBuilder;
    use openpgp::policy::StandardPolicy;
    use openpgp::types::SignatureType;
    use openpgp::{Cert, Profile};

    const CIPHER: SymmetricAlgorithm = SymmetricAlgorithm::AES256;

    fn cert(suite: CipherSuite, profile: Profile) -> Cert {
        let builder = CertBuilder::new().set_profile(profile).unwrap().set_cipher_suite(suite);
        builder.add_userid("a@x.example").add_signing_subkey().add_transport_encryption_subkey().generate().unwrap().0
    }

    fn all() -> [Cert; 4] {
        [
            cert(CipherSuite::Cv25519, Profile::RFC4880),
            cert(CipherSuite::Cv25519, Profile::RFC9580),
            cert(CipherSuite::P256, Profile::RFC4880),
            cert(CipherSuite::RSA2k, Profile::RFC4880),
        ]
    }

    fn pair(key: Key<SecretParts, UnspecifiedRole>) -> KeyPair {
        key.into_keypair().unwrap()
    }

    #[test]
    fn sequoia_finds_each_signature_good() {
        for cert in all() {
            let policy = StandardPolicy::new();
            let signing = pair(cert.keys().with_policy(&policy, None).for_signing().secret().next().unwrap().key().clone());
            let template = SignatureBuilder::new(SignatureType::Binary).set_hash_algo(HashAlgorithm::SHA512);
            let signature = template.sign_message(&mut Signing(&signing), b"text").unwrap();
            signature.verify_message(signing.public(), b"text").unwrap();
            assert!(signature.verify_message(signing.public(), b"another text").is_err());
        }
    }

    #[test]
    fn nothing_is_signed_where_the_parts_of_a_key_do_not_belong_together() {
        let [one, other] =
            [(); 2].map(|()| pair(cert(CipherSuite::Cv25519, Profile::RFC4880).keys().secret().next().unwrap().key().clone()));
        let mixed = KeyPair::new(one.public().clone(), other.secret().clone()).unwrap();
        assert!(Signing(&mixed).sign(HashAlgorithm::SHA512, &[7; 64]).is_err());
    }

    #[test]
    fn sequoia_opens_each_session_key() {
        for cert in all() {
            let policy = StandardPolicy::new();
            let opening = pair(cert.keys().with_policy(&policy, None).for_transport_encryption().secret().next().unwrap().key().clone());
            for cipher in [Some(CIPHER), None] {
                let session = session_key(CIPHER).unwrap();
                let pkesk = wrapped(&session, cipher, opening.public()).unwrap();
                assert!(pkesk.recipient().unwrap().aliases(opening.public().key_handle()));
                let (found, back) = pkesk.decrypt(&mut opening.clone(), None).unwrap();
                assert_eq!((found, &back), (cipher, &session));
            }
        }
    }

    #[test]
    fn each_hash_and_cipher_that_a_key_may_ask_for_is_served() {
        let cert = cert(CipherSuite::Cv25519, Profile::RFC4880);
        let key = cert.keys().subkeys().find(|key| key.key().pk_algo() == PublicKeyAlgorithm::ECDH).unwrap();
        let mut key = pair(key.key().clone().parts_into_secret().unwrap().role_into_unspecified());
        for asked_hash in [HashAlgorithm::SHA256, HashAlgorithm::SHA384, HashAlgorithm::SHA512] {
            for asked_cipher in [SymmetricAlgorithm::AES128, SymmetricAlgorithm::AES192, SymmetricAlgorithm::AES256] {
                let mut public = key.public().clone();
                if let PublicKey::ECDH { hash, sym, .. } = public.mpis_mut() {
                    (*hash, *sym) = (asked_hash, asked_cipher);
                }
                key = KeyPair::new(public, key.secret().clone()).unwrap();
                let session = session_key(CIPHER).unwrap();
                let pkesk = wrapped(&session, Some(CIPHER), key.public()).unwrap();
                assert_eq!(pkesk.decrypt(&mut key, None), Some((Some(CIPHER), session)), "{asked_hash} {asked_cipher}");
            }
        }
    }

    #[test]
    fn a_key_that_shares_its_secret_with_all_gets_nothing() {
        // RFC 7748 §6.1: points of small order make the secret zero.
        for point in [[0; 32], std::array::from_fn(|index| u8::from(index == 0))] {
            assert!(agreed(&point).is_err());
        }
    }
}
