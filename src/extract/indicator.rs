//! URLs, domains, addresses, hashes and CVEs out of text, refanged (contract 6). Nothing is looked
//! up anywhere: a domain counts where its suffix is known, an address where it can be one.

use crate::model::effect::Indicators;
use regex::{Captures, Regex};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

/// Indicators kept of one message, all kinds together (ATTACKS M15).
pub const KEPT_MAX: usize = 5_000;
/// A longer URL is cut: browsers take no longer one.
const URL_BYTES_MAX: usize = 2_048;
/// Words on both sides of a suspicious one that are looked through with it: "situs dot example garis miring masuk".
const CONTEXT_WORDS: usize = 4;
/// A label of a name in any script; longer ones are none (63 bytes as an A-label, RFC 1035 §2.3.4).
const LABEL_BYTES_MAX: usize = 63 * 4;
/// The digits of the shortest hash, MD5.
const HASH_DIGITS_MIN: usize = 32;
/// Text that is looked through in one call.
const TEXT_BYTES_MAX: usize = 2 << 20;

/// Collects indicators of one message over its texts, within the limit.
#[derive(Debug, Default)]
pub struct Collector {
    pub found: Indicators,
    /// How many more there were than are kept.
    pub dropped: usize,
    /// Hosts that mix scripts inside a label: `pаypal.com` with a Cyrillic letter.
    pub mixed_script: BTreeSet<String>,
    own_domain: Option<String>,
}

/// The indicators of a text.
#[must_use]
pub fn indicators(text: &str) -> Indicators {
    let mut collector = Collector::new(None);
    collector.read(text);
    collector.found
}

/// An expression that is known to be right: it is compiled by the first test that runs.
fn expression(text: &str) -> Regex {
    #[expect(clippy::expect_used, reason = "the literals below are compiled by the tests of this file")]
    Regex::new(text).expect("a literal expression")
}

macro_rules! expressions {
    ($($name:ident = $text:expr;)*) => { $(static $name: LazyLock<Regex> = LazyLock::new(|| expression($text));)* };
}

expressions! {
    SCHEME = r"(?i)(?-u:\b)(?:h[tx*]{2}p|htp|hxp|hp|meow)s?\s?(?:\[:\]|\(:\)|:|\[:)\s?(?:\[?//\]?|\\\\|\[/\]\[/\]|\[//\])";
    SCHEME_BRACKET = r"(?i)(?-u:\b)h[tx*]{2}ps?(?:\[://\]|\(://\)|\[:\]//|:\[//\])";
    FTP = r"(?i)(?-u:\b)(?:fxp|ftp)s?(?:\[:\]|:)//";
    DOT_BRACKET = r"(?i)\s?[\[({<]\s?(?:\.|dot|titik|d0t)\s?[\])}>]\s?";
    DOT_HALF = r"\[\.|\.\]|\\\.";
    DOT_WORD = r"(?i)([a-z0-9_-]) (?:dot|titik) ([a-z0-9-])";
    DOT_SPACED = r"(?i)([a-z0-9-]{2,}) ?\. ([a-z]{2,24})(?-u:\b)|([a-z0-9-]{2,}) \. ?([a-z]{2,24})(?-u:\b)";
    IP_SPACED = r"(?-u:\b)([0-9]{1,3}) ?\. ?([0-9]{1,3}) ?\. ?([0-9]{1,3}) ?\. ?([0-9]{1,3})(?-u:\b)";
    AT = r"(?i)\s?[\[({<]\s?(?:@|at|et)\s?[\])}>]\s?";
    COLON = r"\[:\]";
    SLASH = r"\[/\]";
    SLASH_WORD = r"(?i)([a-z0-9])\s(?:garis miring|slash)\s([a-z0-9])";
    URL = r#"(?i)(?-u:\b)(?:https?|ftps?)://[^\s<>"'`|\\^{}“”«»]+"#;
    EMAIL = r"(?i)[a-z0-9.!#$%&*+/=?^_~-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:xn--[a-z0-9-]{2,59}|[a-z]{2,63})(?-u:\b)";
    IPV4 = r"(?-u:\b)(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?-u:\b)(?:/[0-9]{1,2}(?-u:\b))?";
    IPV6 = r"(?i)[0-9a-f]{0,4}:(?:[0-9a-f]{0,4}:){1,7}(?:(?:[0-9]{1,3}\.){3}[0-9]{1,3}|[0-9a-f]{0,4})(?:/[0-9]{1,3}(?-u:\b))?";
    HASH = r"(?i)(?-u:\b)(?:[0-9a-f]{128}|[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32})(?-u:\b)";
    CVE = r"(?i)(?-u:\b)CVE[ \-\u{2010}-\u{2014}]([0-9]{4})[ \-\u{2010}-\u{2014}]([0-9]{4,7})(?-u:\b)";
}

/// Undoes the usual ways of making an indicator unclickable. Each expression is tried only where the
/// text holds what it needs.
fn refanged(text: &str) -> Cow<'_, str> {
    let lower = text.to_ascii_lowercase();
    let has = |marks: &[&str]| marks.iter().any(|mark| lower.contains(mark));
    let mut text = Cow::Borrowed(text);
    let mut replace = |is_needed: bool, expression: &Regex, to: &dyn Fn(&Captures<'_>) -> String| {
        if is_needed && let Cow::Owned(new) = expression.replace_all(&text, to) {
            text = Cow::Owned(new);
        }
    };
    let part = |found: &Captures<'_>, number: usize| found.get(number).map_or(String::new(), |part| part.as_str().to_owned());
    let scheme =
        |name: &str, found: &Captures<'_>| format!("{name}{}://", if part(found, 0).to_ascii_lowercase().contains('s') { "s" } else { "" });
    let is_bracketed = has(&["[", "(", "{", "<"]);
    replace(is_bracketed && has(&["//"]), &SCHEME_BRACKET, &|found| scheme("http", found));
    replace(has(&["//", "\\\\", "[/"]), &SCHEME, &|found| scheme("http", found));
    replace(has(&["fxp", "ftp"]), &FTP, &|found| scheme("ftp", found));
    replace(has(&["[:]"]), &COLON, &|_| ":".to_owned());
    replace(has(&["[/]"]), &SLASH, &|_| "/".to_owned());
    replace(is_bracketed && has(&[".", "dot", "titik", "d0t"]), &DOT_BRACKET, &|_| ".".to_owned());
    replace(has(&["[.", ".]", "\\."]), &DOT_HALF, &|_| ".".to_owned());
    let says_dot = has(&[" dot ", " titik "]);
    // Once for every second pair, once for the pairs between: matches do not overlap.
    replace(says_dot, &DOT_WORD, &|found| format!("{}.{}", part(found, 1), part(found, 2)));
    replace(says_dot, &DOT_WORD, &|found| format!("{}.{}", part(found, 1), part(found, 2)));
    let is_spaced = has(&[" .", ". "]);
    replace(is_spaced, &IP_SPACED, &|found| format!("{}.{}.{}.{}", part(found, 1), part(found, 2), part(found, 3), part(found, 4)));
    replace(is_bracketed && has(&["@", "at", "et"]), &AT, &|_| "@".to_owned());
    replace(has(&["garis", "slash"]), &SLASH_WORD, &|found| format!("{}/{}", part(found, 1), part(found, 2)));
    replace(has(&[" ."]), &DOT_SPACED, &|found| {
        let either = |one: usize, other: usize| found.get(one).or_else(|| found.get(other)).map_or("", |part| part.as_str());
        let (label, suffix, whole) = (either(1, 3), either(2, 4), part(found, 0));
        // "PKBM . TEST" on purpose; "… kami. Di …" is a sentence's end: only a space before the dot tells.
        if whole.contains(" .") && has_known_suffix(&format!("a.{suffix}")) { format!("{label}.{suffix}") } else { whole }
    });
    text
}

/// The parts of a text where an indicator may stand, each with a few words around it; prose is most
/// of a mail, and none of the expressions has to see it.
fn suspicious(text: &str) -> String {
    let mut kept = String::new();
    // Where the words before began, for what belongs to the left side of a mark.
    let mut before = [0; CONTEXT_WORDS];
    let (mut kept_to, mut more) = (0, 0);
    let (mut start, mut looks) = (None, Looks::default());
    for (at, byte) in text.bytes().chain(std::iter::once(b' ')).enumerate() {
        if byte > b' ' {
            start = start.or(Some(at));
            looks.see(byte);
            continue;
        }
        let Some(from) = start.take() else { continue };
        let is_near = std::mem::take(&mut looks).is_worth(text.get(from..at).unwrap_or_default());
        if is_near || more > 0 {
            let from = if is_near { before.first().copied().unwrap_or(from).max(kept_to) } else { from };
            if from > kept_to && more == 0 {
                kept.push('\n');
            }
            kept.push_str(text.get(if more > 0 { kept_to } else { from }..at).unwrap_or_default());
            kept_to = at;
            more = if is_near { CONTEXT_WORDS } else { more - 1 };
        }
        before.rotate_left(1);
        if let Some(last) = before.last_mut() {
            *last = from;
        }
    }
    kept
}

/// What was seen in a run of characters without white space.
#[derive(Default)]
struct Looks {
    length: usize,
    has_mark: bool,
}

impl Looks {
    fn see(&mut self, byte: u8) {
        self.length += 1;
        self.has_mark |= matches!(byte, b'.' | b'@' | b':' | b'[' | b'(' | b'{' | b'<' | b'/' | b'\\');
    }

    /// Whether an indicator may stand in this run or beside it.
    fn is_worth(&self, run: &str) -> bool {
        let is = |words: &[&str]| words.iter().any(|word| run.eq_ignore_ascii_case(word));
        match self.length {
            0..=2 if !self.has_mark => false,
            3..=5 if is(&["dot", "titik", "slash", "garis", "cve"]) => true,
            11.. if holds_cve(run) || (self.length >= HASH_DIGITS_MIN && has_hash(run)) => true,
            _ => self.has_mark && has_worthy_mark(run.as_bytes()),
        }
    }
}

fn holds_cve(run: &str) -> bool {
    run.as_bytes().windows(3).any(|three| three.eq_ignore_ascii_case(b"cve"))
}

fn has_hash(run: &str) -> bool {
    run.as_bytes().chunk_by(|one, other| one.is_ascii_hexdigit() && other.is_ascii_hexdigit()).any(|digits| digits.len() >= HASH_DIGITS_MIN)
}

/// Whether a dot, at-sign, colon or bracket stands where prose has none: inside the run or at its beginning.
fn has_worthy_mark(run: &[u8]) -> bool {
    let numbers = run.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b','));
    if numbers {
        // "2.500.000" is an amount, "12." may be the first part of an address with spaces in it.
        let dots = run.iter().filter(|byte| **byte == b'.').count();
        return dots >= 3 || run.first() == Some(&b'.') || (run.last() == Some(&b'.') && run.len() <= 4);
    }
    let mut rest = run;
    while let Some((byte, after)) = rest.split_first() {
        let opens = |words: &[&[u8]]| {
            after.is_empty() || words.iter().any(|word| after.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word)))
        };
        let is_worthy = match byte {
            b'@' => true,
            b'.' | b':' => rest.len() == run.len() || after.first().is_some_and(|next| !b".,;:!?)\"'*".contains(next)),
            b'[' | b'(' | b'{' | b'<' => opens(&[b".", b"@", b":", b"/", b"dot", b"d0t", b"titik", b"at", b"et"]),
            b'/' | b'\\' => after.first() == Some(byte),
            _ => false,
        };
        if is_worthy {
            return true;
        }
        rest = after;
    }
    false
}

impl Collector {
    /// A collector that leaves out the centre's own domain.
    #[must_use]
    pub fn new(own_domain: Option<&str>) -> Self {
        Self { own_domain: own_domain.map(str::to_ascii_lowercase), ..Self::default() }
    }

    /// Adds what a text holds.
    pub fn read(&mut self, text: &str) {
        let near = suspicious(text.get(..text.floor_char_boundary(TEXT_BYTES_MAX)).unwrap_or_default());
        if near.is_empty() {
            return;
        }
        let text = refanged(&near);
        let mut rest = String::with_capacity(text.len());
        let mut after = 0;
        for url in URL.find_iter(&text) {
            rest.push_str(text.get(after..url.start()).unwrap_or_default());
            rest.push(' ');
            after = url.end();
            self.url(url.as_str());
        }
        rest.push_str(text.get(after..).unwrap_or_default());
        self.words(&rest);
        // Hashes and CVEs may stand in the path of a URL too (reports of malware lists).
        for hash in HASH.find_iter(&text) {
            if hash.as_str().contains(|c: char| c.is_ascii_alphabetic()) {
                self.add(hash.as_str().to_ascii_lowercase(), |found| &mut found.hashes);
            }
        }
        for cve in CVE.captures_iter(&text) {
            let part = |number| cve.get(number).map_or("", |part| part.as_str());
            self.add(format!("CVE-{}-{}", part(1), part(2)), |found| &mut found.cves);
        }
    }

    /// Adds the target of a link.
    pub fn link(&mut self, target: &str) {
        let target = target.trim();
        if let Some(address) = target.strip_prefix("mailto:") {
            self.words(address.split('?').next().unwrap_or_default());
        } else {
            self.read(target);
        }
    }

    /// What stands outside URLs.
    fn words(&mut self, text: &str) {
        let mut rest = String::with_capacity(text.len());
        let mut after = 0;
        let has_at = text.contains('@');
        for email in EMAIL.find_iter(if has_at { text } else { "" }) {
            rest.push_str(text.get(after..email.start()).unwrap_or_default());
            rest.push(' ');
            after = email.end();
            let email = email.as_str().trim_start_matches('.').to_ascii_lowercase();
            let domain = email.rsplit_once('@').map_or("", |(_, domain)| domain);
            if !self.is_own(domain) && has_known_suffix(domain) {
                self.add(email, |found| &mut found.emails);
            }
        }
        rest.push_str(text.get(after..).unwrap_or_default());
        for ip in IPV4.find_iter(&rest) {
            let address = ip.as_str().split('/').next().unwrap_or_default();
            if address.parse::<Ipv4Addr>().is_ok() {
                self.add(ip.as_str().to_owned(), |found| &mut found.ips);
            }
        }
        let has_colons = rest.bytes().filter(|byte| *byte == b':').nth(1).is_some();
        for ip in IPV6.find_iter(if has_colons { &rest } else { "" }) {
            // Part of a word ("mouse::click") is no address.
            let touches = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
            if touches(rest.get(..ip.start()).unwrap_or_default().chars().next_back())
                || touches(rest.get(ip.end()..).unwrap_or_default().chars().next())
            {
                continue;
            }
            let (address, mask) = ip.as_str().split_once('/').map_or((ip.as_str(), ""), |(address, mask)| (address, mask));
            // "::" alone and "12:30:45" are no addresses.
            if let Some(address) = address.parse::<Ipv6Addr>().ok().filter(|address| !address.is_unspecified() && !address.is_loopback()) {
                self.add(if mask.is_empty() { address.to_string() } else { format!("{address}/{mask}") }, |found| &mut found.ips);
            }
        }
        for (before, host) in hosts(&rest) {
            // The tail of a path, or of an address that was no address.
            let is_tail = before.is_some_and(|c| matches!(c, '@' | '/' | '\\'));
            if !is_tail && !is_file_name(host) {
                self.host(host);
            }
        }
    }

    fn url(&mut self, typed: &str) {
        let mut url = typed.trim_end_matches(['.', ',', ';', ':', '!', '?', '*', '…', '_', '~']);
        // "(https://a.example/x)" against "https://a.example/x_(y)".
        for (open, close) in [('(', ')'), ('[', ']')] {
            while url.ends_with(close) && url.matches(close).count() > url.matches(open).count() {
                url = url.strip_suffix(close).unwrap_or(url).trim_end_matches(['.', ',', ';']);
            }
        }
        if let Some(target) = wrapped(url) {
            self.read(&target);
            return;
        }
        let url: String = url
            .chars()
            .scan(0, |bytes, c| {
                *bytes += c.len_utf8();
                (*bytes <= URL_BYTES_MAX).then_some(c)
            })
            .collect();
        let Some((scheme, rest)) = url.split_once("://") else { return };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let tail = rest.get(authority.len()..).unwrap_or_default();
        // RFC 3986 §3.2.1: what stands before '@' is a name, not the host.
        let (user, host_and_port) = authority.rsplit_once('@').map_or(("", authority), |(user, host)| (user, host));
        let (host, port) = split_port(host_and_port);
        if host.is_empty() || self.is_own(&host.to_ascii_lowercase()) || is_tracking(&host.to_ascii_lowercase(), tail) {
            return;
        }
        let user = if user.is_empty() { String::new() } else { format!("{user}@") };
        let scheme = scheme.to_ascii_lowercase();
        if let Some(ip) = numeric_ip(host) {
            self.add(format!("{scheme}://{user}{ip}{port}{tail}"), |found| &mut found.urls);
            self.add(ip, |found| &mut found.ips);
            return;
        }
        if self.host(host) {
            self.add(format!("{scheme}://{user}{}{port}{tail}", host.to_lowercase()), |found| &mut found.urls);
        }
    }

    /// Adds a host by name, as A-label and, where it differs, as Unicode. False where it is none.
    fn host(&mut self, typed: &str) -> bool {
        let typed = typed.trim_end_matches('.').to_lowercase();
        let Ok(ascii) = idna::domain_to_ascii(&typed) else { return false };
        if ascii.len() > 253 || !has_known_suffix(&ascii) || is_bare_suffix(&ascii) || self.is_own(&ascii) {
            return false;
        }
        let (unicode, _) = idna::domain_to_unicode(&ascii);
        if unicode.split('.').any(mixes_scripts) {
            self.mixed_script.insert(unicode.clone());
        }
        if unicode != ascii {
            self.add(unicode, |found| &mut found.domains);
        }
        self.add(ascii, |found| &mut found.domains);
        true
    }

    fn is_own(&self, domain: &str) -> bool {
        self.own_domain.as_deref().is_some_and(|own| domain == own || domain.strip_suffix(own).is_some_and(|sub| sub.ends_with('.')))
    }

    fn add(&mut self, value: String, of: impl Fn(&mut Indicators) -> &mut BTreeSet<String>) {
        let Indicators { urls, domains, ips, hashes, emails, cves } = &self.found;
        let kept: usize = [urls, domains, ips, hashes, emails, cves].iter().map(|set| set.len()).sum();
        let set = of(&mut self.found);
        if kept >= KEPT_MAX {
            self.dropped += usize::from(!set.contains(&value));
        } else {
            set.insert(value);
        }
    }
}

/// Names with dots in a text, each with the character before it: labels of letters, digits and
/// hyphens, of which the last is a top-level domain by its form.
fn hosts(text: &str) -> impl Iterator<Item = (Option<char>, &str)> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    let mut before = None;
    text.split_inclusive(move |c| !is_part(c)).filter_map(move |piece| {
        let run = piece.trim_end_matches(|c| !is_part(c));
        let host = run.trim_matches(['.', '-']);
        let is_label = |label: &str| {
            !label.is_empty() && label.len() <= LABEL_BYTES_MAX && !label.starts_with(['-', '_']) && !label.ends_with(['-', '_'])
        };
        let is_top = |label: &str| (label.chars().nth(1).is_some() && label.chars().all(char::is_alphabetic)) || has_a_label_mark(label);
        let is_whole = run.starts_with(|c: char| c.is_alphanumeric());
        let before_run = std::mem::replace(&mut before, piece.chars().next_back());
        let is_host =
            is_whole && host.split_once('.').is_some() && host.split('.').all(is_label) && host.rsplit('.').next().is_some_and(is_top);
        is_host.then_some((before_run, host))
    })
}

/// Whether a label is an A-label (RFC 5890 §2.3.2.1).
fn has_a_label_mark(label: &str) -> bool {
    label.get(..4).is_some_and(|mark| mark.eq_ignore_ascii_case("xn--"))
}

/// Host and `:port`; the brackets of an IPv6 literal stay with the host.
fn split_port(text: &str) -> (&str, &str) {
    let from = text.rfind(']').unwrap_or(0);
    match text.get(from..).and_then(|end| end.find(':')) {
        Some(colon) if text.get(from + colon + 1..).is_some_and(|port| port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit())) => {
            text.split_at_checked(from + colon).unwrap_or((text, ""))
        }
        _ => (text, ""),
    }
}

/// The address that a numeric host means to a browser: `0x7f.1`, `017700000001`, `2130706433` and
/// `[::1]` too (WHATWG URL, IPv4 parser).
fn numeric_ip(host: &str) -> Option<String> {
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inner.parse::<Ipv6Addr>().ok().map(|address| address.to_string());
    }
    let parts: Vec<&str> = host.trim_end_matches('.').split('.').collect();
    if parts.len() > 4 {
        return None;
    }
    let mut numbers = Vec::new();
    for part in &parts {
        let lower = part.to_ascii_lowercase();
        let number = match (lower.strip_prefix("0x"), lower.strip_prefix('0')) {
            (Some(""), _) => 0,
            (Some(hex), _) => u64::from_str_radix(hex, 16).ok()?,
            (None, Some(octal)) if !octal.is_empty() => u64::from_str_radix(octal, 8).ok()?,
            _ => lower.parse().ok()?,
        };
        numbers.push(number);
    }
    let (last, leading) = numbers.split_last()?;
    let bytes_left = u32::try_from(4 - leading.len()).ok()?;
    if leading.iter().any(|number| *number > 255) || *last >= 1_u64 << (8 * bytes_left) {
        return None;
    }
    let high = leading.iter().fold(0_u64, |sum, number| sum << 8 | number) << (8 * bytes_left);
    u32::try_from(high | last).ok().map(|bits| Ipv4Addr::from(bits).to_string())
}

/// Whether a domain ends in a public suffix that is listed, or in one of the reserved names of RFC 2606.
#[must_use]
pub fn has_known_suffix(domain: &str) -> bool {
    let last = domain.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    if ["test", "example", "onion", "invalid"].contains(&last.as_str()) {
        return true;
    }
    psl::suffix(last.as_bytes()).is_some_and(|suffix| suffix.is_known())
}

/// `go.id`, `co.id`, `com`: a suffix without a name before it says nothing.
fn is_bare_suffix(domain: &str) -> bool {
    !domain.contains('.')
        || psl::suffix(domain.as_bytes()).is_some_and(|suffix| suffix.is_known() && suffix.as_bytes() == domain.as_bytes())
}

/// Endings that are top-level domains and, far more often in reports, files.
const FILE_ENDINGS: &[&str] =
    &["zip", "mov", "sh", "py", "md", "rs", "pl", "ps", "so", "cab", "app", "java", "bz", "gz", "cc", "do", "id_rsa"];

fn is_file_name(host: &str) -> bool {
    let labels: Vec<&str> = host.split('.').collect();
    let last = labels.last().map(|label| label.to_ascii_lowercase()).unwrap_or_default();
    // A short sentence typed without a space, "sekali.Mohon": a capital after the dot, none before.
    let is_sentence = labels.len() == 2
        && labels.last().is_some_and(|label| label.starts_with(char::is_uppercase) && label.chars().skip(1).any(char::is_lowercase));
    (labels.len() == 2 && FILE_ENDINGS.contains(&last.as_str())) || is_sentence
}

/// Hosts of link wrappers, and the parameter that holds the true target.
const WRAPPERS: &[(&str, &[&str])] = &[
    ("safelinks.protection.outlook.com", &["url"]),
    ("google.com", &["url", "q"]),
    ("facebook.com", &["u"]),
    ("urldefense.proofpoint.com", &["u"]),
    ("linkprotect.cudasvc.com", &["a"]),
];

/// The target inside a link wrapper of a mail filter.
fn wrapped(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let (host, tail) = rest.split_once('/')?;
    let host = host.to_ascii_lowercase();
    let (_, keys) = WRAPPERS.iter().find(|(name, _)| host == *name || host.ends_with(&format!(".{name}")))?;
    let (_, query) = tail.split_once('?')?;
    let value = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| keys.contains(key))?.1;
    let target = percent_decoded(value);
    (target.starts_with("http://") || target.starts_with("https://")).then_some(target)
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut ahead = rest.clone();
            let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
            if let (Some(high), Some(low)) = (digit(ahead.next()), digit(ahead.next())) {
                bytes.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                rest = ahead;
                continue;
            }
        }
        bytes.push(byte);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Links that count readers or end subscriptions: they lead to the sender of a newsletter.
fn is_tracking(host: &str, tail: &str) -> bool {
    let label = host.split('.').next().unwrap_or_default();
    let tail = tail.to_ascii_lowercase();
    ["click", "clicks", "track", "tracking", "email-track", "trk", "open", "links-email"].contains(&label)
        || host.ends_with("list-manage.com")
        || host.ends_with("sendgrid.net")
        || ["/unsubscribe", "/track/click", "/track/open", "/wf/open", "/ls/click", "utm_medium=email"].iter().any(|mark| tail.contains(mark))
        // Name spaces of markup, not places.
        || host == "www.w3.org"
        || host == "schemas.microsoft.com"
        || host == "schemas.openxmlformats.org"
}

/// Whether a label mixes Latin letters with Cyrillic or Greek ones that look like them.
fn mixes_scripts(label: &str) -> bool {
    let has = |ranges: &[std::ops::RangeInclusive<char>]| label.chars().any(|c| ranges.iter().any(|range| range.contains(&c)));
    let latin = has(&['a'..='z', 'à'..='ɏ']);
    let others = has(&['\u{370}'..='\u{3ff}', '\u{400}'..='\u{52f}', '\u{530}'..='\u{58f}', '\u{13a0}'..='\u{13ff}']);
    latin && others
}

/// A genuine government domain of Indonesia (`.go.test` plays its part in tests).
#[must_use]
pub fn is_government(domain: &str) -> bool {
    [".go.id", ".go.test", ".desa.id", ".desa.test", ".mil.id"].iter().any(|suffix| domain.ends_with(suffix))
}

/// Whether a domain imitates: `go-id`, `goid` or a known name inside the registrable part of a domain
/// that is neither government nor the name's own `name.co.id`, `name.com`.
#[must_use]
pub fn is_lookalike(domain: &str, brands: &[String]) -> bool {
    if is_government(domain) || domain.ends_with(".id") || domain.ends_with(".sch.test") || domain.ends_with(".ac.test") {
        return false;
    }
    let labels: Vec<&str> = domain.split('.').collect();
    let imitates_government = labels.iter().any(|label| {
        let parts: Vec<&str> = label.split('-').collect();
        label.ends_with("goid") || parts.windows(2).any(|pair| pair == ["go", "id"])
    }) || domain.contains(".go.id.");
    let name = labels.iter().rev().nth(1).copied().unwrap_or_default();
    let borrows = brands
        .iter()
        .any(|brand| name != brand && (name.split('-').any(|part| part == brand) || (brand.len() >= 5 && name.contains(brand.as_str()))));
    imitates_government || borrows || domain.split('.').any(mixes_scripts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<String> {
        let Indicators { urls, domains, ips, hashes, emails, cves } = indicators(text);
        [urls, domains, ips, hashes, emails, cves].into_iter().flatten().collect()
    }

    #[test]
    fn the_usual_ways_of_defanging_are_undone() {
        for (typed, meant) in [
            ("hxxps://jahat[.]example/a.php?x=1", "https://jahat.example/a.php?x=1"),
            ("hXXp://jahat(.)example", "http://jahat.example"),
            ("http[:]//jahat[dot]example/x", "http://jahat.example/x"),
            ("h**ps://jahat{.}example/x.", "https://jahat.example/x"),
            ("hxxps[://]jahat[.]example/login", "https://jahat.example/login"),
            ("karangturi(dot)desa(dot)test", "karangturi.desa.test"),
            ("linknya refund-toko dot example garis miring aktivasi", "refund-toko.example"),
            ("situs jahat titik example", "jahat.example"),
            ("ALAMAT PKBMMELATI . TEST", "pkbmmelati.test"),
            ("203[.]0[.]113[.]211 port 23", "203.0.113.211"),
            ("IP kena: 192 . 0 . 2 . 171", "192.0.2.171"),
            ("penipu[@]jahat.example", "penipu@jahat.example"),
            ("penipu(at)jahat[.]example", "penipu@jahat.example"),
            ("dari 2001:db8:77::a ke luar", "2001:db8:77::a"),
            ("198.51.100.64/28", "198.51.100.64/28"),
            ("cve 2026-10421", "CVE-2026-10421"),
            ("MD5 098F6BCD4621D373CADE4E832627B4F6", "098f6bcd4621d373cade4e832627b4f6"),
            ("http:\\\\jahat.example\\x", "http://jahat.example"),
        ] {
            assert!(all(typed).iter().any(|found| found == meant), "{typed}: {:?}", all(typed));
        }
    }

    #[test]
    fn m15_hosts_are_what_a_browser_would_go_to() {
        for (typed, meant) in [
            ("http://user@evil.example/x", "evil.example"),
            ("http://bank.example:80@198.51.100.9/", "198.51.100.9"),
            ("http://0x7f.1/", "127.0.0.1"),
            ("http://3325256704/a", "198.51.100.0"),
            ("http://0306.063.0144.05/", "198.51.100.5"),
            ("https://[2001:db8::1]:8443/x", "2001:db8::1"),
            ("https://пример.example/", "xn--e1afmkfd.example"),
            ("https://xn--e1afmkfd.example/", "пример.example"),
            ("https://nam.safelinks.protection.outlook.com/?url=https%3A%2F%2Fevil.example%2Fa&data=1", "https://evil.example/a"),
        ] {
            assert!(all(typed).iter().any(|found| found == meant), "{typed}: {:?}", all(typed));
        }
        let mut collector = Collector::new(None);
        collector.read("http://pаypal.com/ dan paypal.com");
        assert_eq!(collector.mixed_script.len(), 1);
    }

    #[test]
    fn m15_floods_are_bounded_and_counted() {
        let flood: String = (0..100_000).map(|n| format!("http://h{n}.example/ ")).collect();
        let mut collector = Collector::new(None);
        collector.read(&flood);
        assert_eq!(collector.found.urls.len() + collector.found.domains.len(), KEPT_MAX);
        assert!(collector.dropped > 10_000);
        let long = format!("http://a.example/{}", "x".repeat(2 << 20));
        assert!(indicators(&long).urls.iter().all(|url| url.len() <= URL_BYTES_MAX));
        assert!(all(&format!("http://xn--{}.example", "9".repeat(200))).is_empty());
    }

    #[test]
    fn what_is_no_indicator_is_left_out() {
        for text in [
            "jam 12:30:45",
            "versi 9.1.2",
            "file invoice.zip",
            "selesai.Mohon dibantu",
            "go.id",
            "Rp2.500.000",
            "1.2.3.999",
            "mouse::click",
        ] {
            assert_eq!(all(text), Vec::<String>::new(), "{text}");
        }
        let mut collector = Collector::new(Some("bssn.test"));
        collector.read("bantuan70@bssn.test https://www.bssn.test/x https://news.example/unsubscribe?u=1");
        assert_eq!(collector.found, Indicators::default());
    }

    #[test]
    fn look_alikes_are_told_from_the_genuine() {
        let brands = vec!["bpjs".to_owned(), "coretax".to_owned(), "mandala".to_owned()];
        for domain in ["daftar-sscasn.go-id.example", "bpjs-denda.example", "coretaxupdate.example", "pajak.go.id.example"] {
            assert!(is_lookalike(domain, &brands), "{domain}");
        }
        for domain in ["pajak.go.id", "kabupaten.go.test", "toko.example", "bpjs.example"] {
            assert!(!is_lookalike(domain, &brands), "{domain}");
        }
    }
}
