//! A stakeholder in the directory (contract 9).

use super::{Address, Fingerprint, Language, words};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

const DAY: i64 = 86_400;

words! {
    /// TLP:RED goes to persons alone.
    ContactKind { Person = "person", Role = "role" }
}

/// A stakeholder (pemangku kepentingan).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    pub id: i64,
    pub name: String,
    pub address: Address,
    pub kind: ContactKind,
    pub organisation: String,
    pub sectors: Vec<String>,
    pub groups: Vec<String>,
    pub language: Language,
    /// The pinned certificate.
    pub fingerprint: Option<Fingerprint>,
    /// When the pinned certificate ends, as it stood when it was last read.
    pub expires_at: Option<Timestamp>,
    /// What else keeps mail from being encrypted to it, in words; empty where nothing does.
    #[serde(default)]
    pub unfit: String,
    pub verified_at: Option<Timestamp>,
    /// How the contact was verified: "call-back", "letter".
    pub verified_how: Option<String>,
    /// When mail to this address last came back; `None` since somebody verified the contact again.
    pub bounced_at: Option<Timestamp>,
    /// What the other server said then.
    pub bounced_because: Option<String>,
}

impl Contact {
    /// A verification ages out after 365 days (contract 9).
    #[must_use]
    pub fn is_verified(&self, now: Timestamp) -> bool {
        self.verified_days_left(now).is_some()
    }

    /// Begun days until the verification ages out; `None` where there is none, or it has.
    #[must_use]
    pub fn verified_days_left(&self, now: Timestamp) -> Option<i64> {
        let left = 365 * DAY - (now.as_second() - self.verified_at?.as_second());
        (left > 0).then(|| (left + DAY - 1).div_euclid(DAY))
    }
}
