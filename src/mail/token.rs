//! Keyed identifiers: Message-IDs and address tokens that nobody can guess (contract 3, 4). They
//! are hashes of what caused them, so that deciding twice gives the same bytes.

use hmac::{Hmac, KeyInit, Mac};

/// The secret of this installation, kept in the store.
#[derive(Clone)]
pub struct TokenKey(pub [u8; 32]);

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKey(…)")
    }
}

impl TokenKey {
    /// 128 bits of HMAC-SHA-256 over `purpose` and `cause`, as 32 hexadecimal digits.
    #[must_use]
    pub fn digits(&self, purpose: &str, cause: &str) -> String {
        let Ok(mut mac) = <Hmac<sha2::Sha256> as KeyInit>::new_from_slice(&self.0) else { return String::new() };
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(cause.as_bytes());
        mac.finalize().into_bytes().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// A Message-ID without angle brackets: `<kind>.<128 keyed bits>@<domain>`.
    #[must_use]
    pub fn message_id(&self, kind: &str, cause: &str, domain: &str) -> String {
        format!("{kind}.{}@{domain}", self.digits("message-id", &format!("{kind}\0{cause}")))
    }
}
