//! OpenPGP: what was encrypted is opened, what was signed is proved, what leaves is sealed.
//! [`open::SignedText`] and [`seal::SealedMail`] can be made here only.

mod armor;
mod carried;
pub mod certificate;
mod curve25519;
mod decrypt;
#[cfg(test)]
mod hostile;
mod inline;
pub mod keyring;
pub mod open;
pub mod own_key;
mod payload;
pub mod recheck;
pub mod renew;
pub mod seal;
mod verify;

pub use certificate::Certificate;
pub use keyring::{KeyError, Keyring};
pub use own_key::{OwnKey, generate_own};
pub use recheck::recheck;
pub use seal::{Held, Reason, SealedMail, seal};
