//! Traffic Light Protocol 2.0 (FIRST).

use serde::{Deserialize, Serialize};

/// A TLP 2.0 mark. The order is that of restriction: `Red` is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Tlp {
    /// No limit on disclosure. TLP 1.0 called it WHITE.
    #[serde(rename = "CLEAR")]
    Clear,
    /// The community.
    #[serde(rename = "GREEN")]
    Green,
    /// The recipient's organisation and its clients, where they need to know.
    #[serde(rename = "AMBER")]
    Amber,
    /// The recipient's organisation alone.
    #[serde(rename = "AMBER+STRICT")]
    AmberStrict,
    /// The named individuals alone.
    #[serde(rename = "RED")]
    Red,
}

impl Tlp {
    /// Every mark, from the least restrictive.
    pub const ALL: &'static [Self] = &[Self::Clear, Self::Green, Self::Amber, Self::AmberStrict, Self::Red];

    /// The mark without the prefix: `AMBER+STRICT`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Clear => "CLEAR",
            Self::Green => "GREEN",
            Self::Amber => "AMBER",
            Self::AmberStrict => "AMBER+STRICT",
            Self::Red => "RED",
        }
    }

    /// The label as TLP 2.0 writes it: capitals, no space, never translated.
    #[must_use]
    pub fn label(self) -> String {
        format!("TLP:{}", self.word())
    }

    /// Reads a mark with or without `TLP:`, letter case aside; WHITE is CLEAR.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_uppercase();
        let word = text.strip_prefix("TLP:").unwrap_or(&text).trim();
        if word == "WHITE" {
            return Some(Self::Clear);
        }
        Self::ALL.iter().copied().find(|tlp| tlp.word() == word)
    }

    /// Whether the centre's own procedure demands encryption: AMBER and above.
    #[must_use]
    pub fn must_be_encrypted(self) -> bool {
        self >= Self::Amber
    }
}

impl std::fmt::Display for Tlp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}
