//! A mailbox that mail can be sent to. The type cannot hold a line break, a space, a control
//! character or a second address, so neither a header nor an SMTP command can be injected through it.

use serde::{Deserialize, Serialize};

/// Octets of a local part (RFC 5321 §4.5.3.1.1).
const LOCAL_MAX: usize = 64;

/// An RFC 5321 §4.1.2 mailbox, in lower case as a whole.
///
/// Local parts are case-sensitive by the letter of the RFC and nowhere in practice; one spelling
/// makes comparison, counting and matching one thing. Domains are A-labels (RFC 5890): the reader
/// converts before it comes here. Address literals (`a@[192.0.2.1]`) are refused. A local part keeps its
/// quotes only where it cannot stand without them: `"ana"@x`, `"\\ana"@x` and `"a\\na"@x` are `ana@x`
/// (RFC 5321 §4.1.2), and whatever asks who somebody is sees one mailbox.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(String);

impl Address {
    /// Reads one bare address: no display name, no angle brackets, no comment.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > 254 || !text.is_ascii() {
            return None;
        }
        let (local, domain) = text.rsplit_once('@')?;
        let local = canonical_local(local)?;
        domain_is_valid(domain).then(|| Self(format!("{local}@{domain}").to_ascii_lowercase()))
    }

    /// What stands before the last `@`.
    #[must_use]
    pub fn local(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(local, _)| local)
    }

    /// What stands after the last `@`.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// Whether the local part cannot stand without quotes: legal, and hardly ever a person's.
    #[must_use]
    pub fn is_quoted(&self) -> bool {
        self.0.starts_with('"')
    }

    /// The whole address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same mailbox without `+detail`, so that `a+1@x` and `a@x` count as one sender.
    #[must_use]
    pub fn without_detail(&self) -> Self {
        let Some((local, _)) = self.local().split_once('+') else { return self.clone() };
        // A plus sign is never the second half of an escape, so the cut leaves whole characters.
        let local = if self.is_quoted() { canonical_local(&format!("{local}\"")) } else { Some(local.to_owned()) };
        match local {
            Some(local) if !local.is_empty() => Self(format!("{local}@{}", self.domain())),
            _ => self.clone(),
        }
    }
}

impl Address {
    /// The mailbox that counts for limits: without `+detail`, and where a large provider gives one
    /// person many spellings (dots at Gmail, two names of its domain), in one of them.
    #[must_use]
    pub fn as_counted(&self) -> Self {
        let plain = self.without_detail();
        match plain.domain() {
            "gmail.com" | "googlemail.com" if !plain.is_quoted() => Self(format!("{}@gmail.com", plain.local().replace('.', ""))),
            _ => plain,
        }
    }
}

/// A local part in its one spelling (RFC 5321 §4.1.2): a dot-string of atoms, or a quoted string of
/// printable ASCII (no spaces: they are legal and only ever seen in attacks). Quotes and escapes that
/// change nothing are taken off, for "the sender" and every check by name means the mailbox, not its spelling.
fn canonical_local(local: &str) -> Option<String> {
    if local.is_empty() || local.len() > LOCAL_MAX {
        return None;
    }
    let Some(inner) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return is_dot_string(local).then(|| local.to_owned());
    };
    let (mut plain, mut escaped) = (String::with_capacity(inner.len()), false);
    for c in inner.chars() {
        if !c.is_ascii_graphic() || c == '<' || c == '>' {
            return None;
        }
        match c {
            _ if escaped => {
                escaped = false;
                plain.push(c);
            }
            '\\' => escaped = true,
            '"' => return None,
            _ => plain.push(c),
        }
    }
    if plain.is_empty() || escaped {
        return None;
    }
    if is_dot_string(&plain) {
        return Some(plain);
    }
    Some(format!("\"{}\"", plain.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// Atoms with single dots between them.
fn is_dot_string(local: &str) -> bool {
    local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c)))
}

/// RFC 5321 §4.5.3.1.2 and RFC 1035 §2.3.4: labels of letters, digits and inner hyphens.
fn domain_is_valid(domain: &str) -> bool {
    !domain.is_empty()
        && domain.len() <= 253
        && domain.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        })
        && !domain.rsplit('.').next().is_some_and(|last| last.chars().all(|c| c.is_ascii_digit()))
}

impl TryFrom<String> for Address {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("'{}' is not a mail address", text.escape_debug()))
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.0
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d2_no_address_can_carry_a_second_command_or_header() {
        for hostile in [
            "a@b>\r\nRCPT TO:<c@d",
            "a@b\r\nBcc: x@y",
            "a b@c.example",
            "a@b,c@d",
            "<a@b.example>",
            "a@[192.0.2.1]",
            "a@192.0.2.1",
            "@b",
            "a@",
            "a",
            "a@-b.example",
            "\"a\r\nb\"@c.example",
            "\"<script>\"@x.example",
            "a@b.exa\u{0}mple",
            "пример@x.example",
        ] {
            assert_eq!(Address::parse(hostile), None, "{hostile:?}");
        }
        for honest in ["budi.santoso+tiket@dinas.go.test", "o'brien@x.example", "\"odd\"@x.example", "A@XN--BCHER-KVA.example"] {
            assert!(Address::parse(honest).is_some(), "{honest:?}");
        }
    }

    #[test]
    fn one_person_under_many_details_is_one_sender() {
        let plain = Address::parse("Reply@them.example").unwrap();
        assert_eq!(Address::parse("reply+5000@them.example").unwrap().without_detail(), plain);
    }

    #[test]
    fn l12_one_mailbox_under_many_spellings_counts_once() {
        let counted = |text: &str| Address::parse(text).unwrap().as_counted().to_string();
        for spelling in ["budi.santoso@gmail.com", "b.u.d.i.santoso+1@gmail.com", "BudiSantoso@googlemail.com"] {
            assert_eq!(counted(spelling), "budisantoso@gmail.com");
        }
        assert_eq!(counted("budi.santoso+1@dinas.go.test"), "budi.santoso@dinas.go.test");
    }
    #[test]
    fn l12_quotes_and_escapes_that_change_nothing_make_no_second_mailbox() {
        let read = |text: &str| Address::parse(text).unwrap();
        for spelling in [r#""korban"@v.test"#, r#""\korban"@v.test"#, r#""k\orban"@v.test"#, r#""KORB\AN"@V.test"#, r#""korban+3"@v.test"#]
        {
            assert_eq!(read(spelling).as_counted(), read("korban@v.test"), "{spelling}");
            assert!(!read(spelling).is_quoted(), "{spelling}");
        }
        for (spelling, one) in [
            (r#""a,\b"@v.test"#, r#""a,b"@v.test"#),
            (r#""a\"\\b"@v.test"#, r#""a\"\\b"@v.test"#),
            (r#""a..b"@v.test"#, r#""a..b"@v.test"#),
        ] {
            assert_eq!(read(spelling).as_str(), one);
            assert_eq!(read(one), read(spelling), "what was stored is read as the same");
            assert!(read(spelling).is_quoted());
        }
        assert_eq!(read(r#""a,b+7"@v.test"#).as_counted(), read(r#""a,b"@v.test"#));
        assert_eq!(Address::parse(r#""a\"@v.test"#), None);
    }
}
