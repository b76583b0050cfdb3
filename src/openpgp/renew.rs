//! A longer life for the centre's key, a successor to it, and the places where a web site shows it.
//! What is made here is given as bytes; nothing is written or announced.

use super::KeyError;
use super::certificate::{Certificate, all_certs, cause, policy_at, system_time};
use super::own_key::{Generated, OWN_KEY_LIFETIME, unlocked};
use crate::model::Address;
use jiff::Timestamp;
use sequoia_openpgp as openpgp;

use openpgp::crypto::Password;
use openpgp::serialize::Serialize as _;
use openpgp::types::HashAlgorithm;
use openpgp::{Cert, armor};

/// The key file with its first key valid for three years from `now`. The keys in use are
/// prolonged; subkeys that were left to expire before stay so.
///
/// # Errors
/// Where the file cannot be read or unlocked, or the key is refused by policy.
pub fn renewed(file: &[u8], password: Option<&str>, now: Timestamp) -> Result<Vec<u8>, KeyError> {
    let mut certs = all_certs(file)?;
    let first = certs.first().cloned().ok_or_else(|| KeyError::new("it holds no key", "make one with 'bantuan70 key generate'"))?;
    let password = password.map(Password::from);
    let secret = |key: openpgp::packet::Key<openpgp::packet::key::PublicParts, openpgp::packet::key::UnspecifiedRole>| {
        let remedy = "bring the whole secret key, primary key included";
        let key = key.parts_into_secret().map_err(|_| KeyError::new("a secret part is missing", remedy))?;
        unlocked(key, password.as_ref())
    };
    let failed = |error: anyhow::Error| KeyError::new(&format!("it cannot be renewed: {}", cause(&error)), "make a new key");
    let policy = policy_at(now);
    let valid = first.with_policy(&policy, system_time(now)).map_err(failed)?;
    let mut primary = secret(valid.primary_key().key().clone().role_into_unspecified())?;
    let was_alive = valid.alive().is_ok();
    let until = Some(system_time(now) + OWN_KEY_LIFETIME);
    let mut signatures = Vec::new();
    for key in valid.keys().revoked(false) {
        if was_alive && key.alive().is_err() {
            continue;
        }
        let mut subkey = if key.for_signing() { Some(secret(key.key().clone())?) } else { None };
        let signer = subkey.as_mut().map(|pair| pair as &mut dyn openpgp::crypto::Signer);
        signatures.extend(key.set_expiration_time(&mut primary, signer, until).map_err(failed)?);
    }
    let (first, _) = first.clone().insert_packets(signatures).map_err(failed)?;
    if let Some(old) = certs.first_mut() {
        *old = first;
    }
    armored(&certs)
}

/// A key file with a new key at its head and the old ones behind it: what was encrypted to them is
/// still opened, and nothing is signed by them.
///
/// # Errors
/// Where the old file cannot be read.
pub fn rolled_over(file: &[u8], made: &Generated) -> Result<Vec<u8>, KeyError> {
    let mut certs = all_certs(&made.secret)?;
    certs.extend(all_certs(file)?);
    armored(&certs)
}

/// One block of armor, since readers stop at the end of the first.
fn armored(certs: &[Cert]) -> Result<Vec<u8>, KeyError> {
    let write = || -> openpgp::Result<Vec<u8>> {
        let mut writer = armor::Writer::new(Vec::new(), armor::Kind::SecretKey)?;
        for cert in certs {
            cert.as_tsk().serialize(&mut writer)?;
        }
        Ok(writer.finalize()?)
    };
    write().map_err(|error| KeyError::new(&format!("the key could not be written: {}", cause(&error)), "try again"))
}

/// Where a web site shows the certificate of an address (Web Key Directory): paths under its root,
/// for the direct and for the advanced method, with what stands there.
///
/// # Errors
/// Where the crypto library has no SHA-1, which names the file and protects nothing.
pub fn web_key_directory(address: &Address, certificate: &Certificate) -> Result<Vec<(String, Vec<u8>)>, KeyError> {
    let name = web_key_name(address.local()).map_err(|error| {
        KeyError::new(&format!("the name cannot be made: {}", cause(&error)), "publish the armored certificate instead")
    })?;
    let root = ".well-known/openpgpkey";
    let bytes = certificate.minimal();
    Ok([root.to_owned(), format!("{root}/{}", address.domain())]
        .into_iter()
        .flat_map(|folder| [(format!("{folder}/hu/{name}"), bytes.clone()), (format!("{folder}/policy"), Vec::new())])
        .collect())
}

/// The local part in lower case, SHA-1, z-base-32.
fn web_key_name(local: &str) -> openpgp::Result<String> {
    const ALPHABET: &[u8; 32] = b"ybndrfg8ejkmcpqxot1uwisza345h769";
    let mut hash = HashAlgorithm::SHA1.context()?.for_digest();
    hash.update(local.to_ascii_lowercase().as_bytes());
    let digest = hash.into_digest()?;
    let mut name = String::with_capacity(32);
    // 160 bits are 32 groups of five: four characters for each 20 bits.
    for index in 0..32 {
        let bit = index * 5;
        let pair = u16::from_be_bytes([digest.get(bit / 8).copied().unwrap_or(0), digest.get(bit / 8 + 1).copied().unwrap_or(0)]);
        let group = usize::from((pair >> (11 - bit % 8)) & 0x1f);
        name.push(char::from(ALPHABET.get(group).copied().unwrap_or(b'y')));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openpgp::{OwnKey, generate_own};
    use jiff::SignedDuration;

    #[test]
    fn a_key_that_ended_lives_again_and_stays_the_same_key() {
        let now = Timestamp::now();
        let year = SignedDuration::from_hours(365 * 24);
        let made = generate_own("Pusat", &Address::parse("a@x.example").unwrap(), Some("pw"), now - year * 4).unwrap();
        let ended = OwnKey::read(&made.secret, Some("pw"), now).unwrap();
        assert!(ended.signing_problem(now).unwrap().to_string().contains("expired"));
        let renewed = renewed(&made.secret, Some("pw"), now).unwrap();
        let now = Timestamp::now();
        let own = OwnKey::read(&renewed, Some("pw"), now).unwrap();
        assert_eq!((own.fingerprint(), own.signing_problem(now)), (made.fingerprint, None));
        assert_eq!(own.certificate().problems(now), Vec::<String>::new());
        let days = own.expires_at(now).unwrap().duration_since(now).as_hours() / 24;
        assert!((1_094..=1_095).contains(&days), "{days}");
        assert!(OwnKey::read(&renewed, None, now).is_err(), "it is still protected");
    }
}
