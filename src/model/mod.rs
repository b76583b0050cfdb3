//! The words of the contract as types. Nothing here reads a file, a clock or the network,
//! and nothing here fails: a value that exists is a legal one.

pub mod address;
pub mod calendar;
pub mod category;
pub mod clock;
pub mod contact;
pub mod damage;
pub mod dissemination;
pub mod document;
pub mod effect;
pub mod ledger;
pub mod letter;
pub mod nearest;
pub mod outcome;
pub mod policy;
pub mod snapshot;
pub mod ticket;
pub mod tlp;
pub mod unfit;

pub use address::Address;
pub use category::Category;
pub use damage::Damage;
pub use document::Document;
pub use outcome::{Fault, SendOutcome};
pub use tlp::Tlp;

/// Defines an enumeration whose variants are written as the contract's words in the database,
/// in JSON, in rule files and in logs, so that the list of words stands in one place.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vmeta])* #[serde(rename = $word)] $variant),+ }
        impl $name {
            /// Every value, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The contract's word.
            pub const fn word(self) -> &'static str { match self { $(Self::$variant => $word),+ } }
            /// The value that a word names, letter case aside.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.word().eq_ignore_ascii_case(word.trim()))
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.pad(self.word()) }
        }
    };
}
pub(crate) use words;

words! {
    /// The language of a message or of a person.
    Language { Id = "id", En = "en", Mixed = "mixed", Unknown = "unknown" }
}

impl Language {
    /// The language to answer in: English where the sender wrote English, else Indonesian.
    #[must_use]
    pub fn of_answer(self) -> Self {
        if self == Self::En { Self::En } else { Self::Id }
    }
}

/// The number of a row in the inbox: the MAIL-ID of `!angkat` and of `mail show`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct InboxId(pub i64);

impl std::fmt::Display for InboxId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The fingerprint of an OpenPGP certificate, in upper-case hexadecimal digits without spaces.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Fingerprint(pub String);

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

/// The SHA-256 of some bytes, in lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Sha256(pub String);

impl Sha256 {
    /// Hashes `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest;
        let mut text = String::with_capacity(64);
        for byte in sha2::Sha256::digest(bytes) {
            text.push_str(&format!("{byte:02x}"));
        }
        Self(text)
    }
}

impl std::fmt::Display for Sha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}
