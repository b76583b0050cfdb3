//! OpenPGP: what was encrypted is opened, what was signed is proved, what leaves is sealed.
//! [`SignedText`] and [`SealedMail`] can be made here only.

pub mod keyring;
pub mod open;
pub mod seal;
