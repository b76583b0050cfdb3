//! What keeps a certificate from being used, as a value: the database and the command
//! line have it as an English sentence, analysts read it in the centre's language.

/// One thing that is wrong with a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// An algorithm that the policy refuses; the library's words.
    Refused(String),
    Revoked,
    /// The day on which it ended.
    Expired(String),
    NotYetValid,
    NoSubkey,
    SubkeyRevoked,
    SubkeyExpired,
    SubkeyUnsupported,
    /// It has expired or is revoked: of the centre's own key.
    SigningSubkey,
    /// A sentence that another version of the program stored.
    Other(String),
}

const REFUSED: &str = "refused by the policy for algorithms: ";
const EXPIRED: &str = "it expired on ";
/// Those that are one sentence.
const FIXED: [(Unfit, &str, &str); 7] = [
    (Unfit::Revoked, "revoked", "it is revoked"),
    (Unfit::NotYetValid, "not_yet_valid", "it is not valid yet"),
    (Unfit::NoSubkey, "no_subkey", "it has no encryption subkey"),
    (Unfit::SubkeyRevoked, "subkey_revoked", "its encryption subkey is revoked"),
    (Unfit::SubkeyExpired, "subkey_expired", "its encryption subkey has expired"),
    (Unfit::SubkeyUnsupported, "subkey_unsupported", "its encryption subkey uses an algorithm that is not supported"),
    (Unfit::SigningSubkey, "signing_subkey", "its signing subkey has expired or is revoked"),
];

impl Unfit {
    /// Reads what was stored: sentences with commas between.
    #[must_use]
    pub fn read_all(stored: &str) -> Vec<Self> {
        // The library's words may hold a comma, and stand alone.
        if let Some(reason) = stored.strip_prefix(REFUSED) {
            return vec![Self::Refused(reason.to_owned())];
        }
        stored.split(", ").filter(|sentence| !sentence.is_empty()).map(Self::read).collect()
    }

    fn read(sentence: &str) -> Self {
        if let Some(day) = sentence.strip_prefix(EXPIRED) {
            return Self::Expired(day.to_owned());
        }
        let fixed = FIXED.into_iter().find(|(_, _, words)| *words == sentence);
        fixed.map_or_else(|| Self::Other(sentence.to_owned()), |(unfit, _, _)| unfit)
    }

    /// The phrase under `[unfit]`, and what stands in it as `detail`.
    #[must_use]
    pub fn phrase(&self) -> (&'static str, &str) {
        match self {
            Self::Refused(reason) => ("refused", reason),
            Self::Expired(day) => ("expired", day),
            Self::Other(sentence) => ("other", sentence),
            fixed => (FIXED.iter().find(|(unfit, ..)| unfit == fixed).map_or("other", |(_, key, _)| key), ""),
        }
    }
}

/// The English sentence.
impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(reason) => write!(f, "{REFUSED}{reason}"),
            Self::Expired(day) => write!(f, "{EXPIRED}{day}"),
            Self::Other(sentence) => f.write_str(sentence),
            fixed => f.write_str(FIXED.iter().find(|(unfit, ..)| unfit == fixed).map_or("", |(_, _, words)| words)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stored_is_read_again() {
        let all: Vec<Unfit> = FIXED.into_iter().map(|(unfit, ..)| unfit).chain([Unfit::Expired("2026-01-02".to_owned())]).collect();
        let stored = all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        assert_eq!(Unfit::read_all(&stored), all);
        let refused = Unfit::Refused("Policy rejected, RSA1024".to_owned());
        assert_eq!(Unfit::read_all(&refused.to_string()), [refused]);
        assert_eq!(Unfit::read_all(""), []);
        assert_eq!(Unfit::read_all("of another version"), [Unfit::Other("of another version".to_owned())]);
    }
}
