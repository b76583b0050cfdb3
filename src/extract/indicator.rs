//! URLs, domains, addresses, hashes and CVEs out of text, refanged (contract 6). Nothing is looked
//! up anywhere: a domain counts where its suffix is known, an address where it can be one.

mod host;
mod link;
mod lookalike;
mod near;
mod refang;
#[cfg(test)]
mod table;
mod typed;

use crate::model::effect::Indicators;
use host::{hosts, is_bare_suffix, is_file_name, numeric_ip, split_port};
use link::{Wrapped, is_of_no_sender, is_tracking, wrapped};
use lookalike::mixes_scripts;
use refang::refanged;
use regex::Regex;
use std::borrow::Cow;
use std::collections::BTreeSet;

pub use host::has_known_suffix;
pub use lookalike::{is_government, is_lookalike};

/// Indicators kept of one message, all kinds together (ATTACKS M15).
pub const KEPT_MAX: usize = 5_000;
/// A longer URL is cut: browsers take no longer one.
const URL_BYTES_MAX: usize = 2_048;
/// A link wrapper is looked into no further than this.
const WRAPPED_BYTES_MAX: usize = 8_192;
/// Link wrappers inside link wrappers.
const WRAPPED_MAX: usize = 4;
/// The hashes of the empty file, which stand in many reports and name nothing (MD5, SHA-1, SHA-256).
const OF_NOTHING: &[&str] = &[
    "d41d8cd98f00b204e9800998ecf8427e",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
];
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
    is_newsletter: bool,
    /// How many link wrappers the text that is read stood in.
    depth: usize,
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
    ($($name:ident = $text:expr;)*) => {
        $(static $name: std::sync::LazyLock<regex::Regex> = std::sync::LazyLock::new(|| $crate::extract::indicator::expression($text));)*
    };
}
use expressions;

expressions! {
    URL = r#"(?i)(?:(?-u:\b)|_)(?:https?|ftps?)://[^\s<>"'`|\\^{}“”«»]+"#;
    EMAIL = r"(?i)[a-z0-9.!#$%&*+/=?^_~-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:xn--[a-z0-9-]{2,59}|[a-z]{2,63})(?-u:\b)";
    IPV4 = r"(?-u:\b)(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?-u:\b)(?:/[0-9]{1,2}(?-u:\b))?";
    IPV6 = r"(?i)[0-9a-f]{0,4}:(?:[0-9a-f]{0,4}:){1,7}(?:(?:[0-9]{1,3}\.){3}[0-9]{1,3}|[0-9a-f]{0,4})(?:/[0-9]{1,3}(?-u:\b))?";
    HASH = r"(?i)(?:(?-u:\b)(?:0x)?|_)(?:[0-9a-f]{128}|[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32})(?:(?-u:\b)|_)";
    HASH_PAIRS = r"(?i)(?-u:\b)(?:[0-9a-f]{2}:){15,31}[0-9a-f]{2}(?-u:\b)";
    CVE = r"(?i)(?-u:\b)CVE[ _:\-\u{2010}-\u{2015}]{0,2}((?:199|20[0-9])[0-9])[ _\-\u{2010}-\u{2015}]([0-9]{4,7})(?-u:\b)";
}

/// Domains for people's eyes: an internationalised name once, its A-label (RFC 5890 §2.3.2.1) with the Unicode
/// form beside it, since the two stand far apart in a sorted list and either alone deceives or tells nothing.
#[must_use]
pub fn beside_unicode<'a>(domains: impl Iterator<Item = &'a str> + Clone) -> Vec<String> {
    let unicode = |domain: &str| domain.split('.').any(|label| label.starts_with("xn--")).then(|| idna::domain_to_unicode(domain).0);
    let listed: BTreeSet<&str> = domains.clone().collect();
    let told: BTreeSet<String> = domains.clone().filter_map(unicode).collect();
    let shown = |domain: &str| match unicode(domain) {
        Some(unicode) if listed.contains(unicode.as_str()) => format!("{domain} ({unicode})"),
        _ => domain.to_owned(),
    };
    domains.filter(|domain| domain.is_ascii() || !told.contains(*domain)).map(shown).collect()
}

impl Collector {
    /// A collector that leaves out the centre's own domain.
    #[must_use]
    pub fn new(own_domain: Option<&str>) -> Self {
        Self { own_domain: own_domain.map(str::to_ascii_lowercase), ..Self::default() }
    }

    /// The mail is a newsletter: links that count its readers lead to its sender alone and are left out. What a
    /// person wrote or passed on never does: "track.courier.example" is what a swindler calls his host.
    #[must_use]
    pub fn of_newsletter(self, is_newsletter: bool) -> Self {
        Self { is_newsletter, ..self }
    }

    /// Adds what a text holds.
    pub fn read(&mut self, text: &str) {
        let text = typed::plain(text.get(..text.floor_char_boundary(TEXT_BYTES_MAX)).unwrap_or_default());
        let near = near::suspicious(&text);
        if near.is_empty() {
            return;
        }
        let text = refanged(&near);
        let mut rest = String::with_capacity(text.len());
        let mut after = 0;
        for url in URL.find_iter(if text.contains("://") { &text } else { "" }) {
            rest.push_str(text.get(after..url.start()).unwrap_or_default());
            rest.push(' ');
            after = url.end();
            self.url(url.as_str().trim_start_matches('_'));
        }
        rest.push_str(text.get(after..).unwrap_or_default());
        self.words(&rest, &refang::defanged_files(&near));
        // Hashes and CVEs may stand in the path of a URL too (reports of malware lists).
        for hash in HASH.find_iter(if near::holds_hash(text.as_bytes()) { &text } else { "" }) {
            let hash = hash.as_str().trim_matches('_').to_ascii_lowercase();
            let hash = hash.strip_prefix("0x").unwrap_or(&hash);
            if hash.contains(|c: char| c.is_ascii_alphabetic()) && !OF_NOTHING.contains(&hash) {
                self.add(hash.to_owned(), |found| &mut found.hashes);
            }
        }
        for pairs in HASH_PAIRS.find_iter(if near::holds_pairs(text.as_bytes()) { &text } else { "" }) {
            let hash = pairs.as_str().replace(':', "").to_ascii_lowercase();
            if matches!(hash.len(), 32 | 40 | 64) && !OF_NOTHING.contains(&hash.as_str()) {
                self.add(hash, |found| &mut found.hashes);
            }
        }
        for cve in CVE.captures_iter(if near::holds_cve(text.as_bytes()) { &text } else { "" }) {
            let part = |number| cve.get(number).map_or("", |part| part.as_str());
            self.add(format!("CVE-{}-{}", part(1), part(2)), |found| &mut found.cves);
        }
    }

    /// Adds the target of a link.
    pub fn link(&mut self, target: &str) {
        let target = target.trim();
        if let Some(address) = target.strip_prefix("mailto:") {
            self.words(address.split('?').next().unwrap_or_default(), &[]);
        } else {
            self.read(target);
        }
    }

    /// What stands outside URLs. `defanged` are endings of files that are meant as domains.
    fn words(&mut self, text: &str, defanged: &[&str]) {
        let mut rest = String::with_capacity(text.len());
        let mut after = 0;
        let has_at = text.contains('@');
        for email in EMAIL.find_iter(if has_at { text } else { "" }) {
            rest.push_str(text.get(after..email.start()).unwrap_or_default());
            rest.push(' ');
            after = email.end();
            let email = email.as_str().trim_start_matches(['.', '*', '=', '\'', '`', '/', '&']).to_ascii_lowercase();
            let domain = email.rsplit_once('@').map_or("", |(_, domain)| domain);
            if !self.is_own(domain) && has_known_suffix(domain) {
                self.add(email, |found| &mut found.emails);
            }
        }
        rest.push_str(text.get(after..).unwrap_or_default());
        let rest = self.six(&rest);
        for ip in IPV4.find_iter(if has_numbers(&rest) { &rest } else { "" }) {
            let (address, mask) = ip.as_str().split_once('/').unwrap_or((ip.as_str(), ""));
            let is_place = address.parse().is_ok_and(|address| host::is_place(&address));
            if is_place && !typed::is_numbering(rest.get(..ip.start()).unwrap_or_default()) {
                self.add(host::with_mask(address, mask), |found| &mut found.ips);
            }
        }
        for (before, host) in hosts(&rest) {
            // The tail of a path, or of an address that was no address.
            let is_tail = before.is_some_and(|c| matches!(c, '@' | '/' | '\\'));
            if !is_tail && !is_file_name(host, defanged) {
                self.host(host);
            }
        }
    }

    /// Takes the IPv6 addresses, and gives the text without them.
    fn six<'a>(&mut self, text: &'a str) -> Cow<'a, str> {
        if text.bytes().filter(|byte| *byte == b':').nth(1).is_none() {
            return Cow::Borrowed(text);
        }
        let mut rest = String::with_capacity(text.len());
        let mut after = 0;
        for ip in IPV6.find_iter(text) {
            // Part of a word ("mouse::click") is no address.
            let touches = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
            if touches(text.get(..ip.start()).unwrap_or_default().chars().next_back())
                || touches(text.get(ip.end()..).unwrap_or_default().chars().next())
            {
                continue;
            }
            let (address, mask) = ip.as_str().split_once('/').unwrap_or((ip.as_str(), ""));
            let Some(address) = host::six(address) else { continue };
            rest.push_str(text.get(after..ip.start()).unwrap_or_default());
            rest.push(' ');
            after = ip.end();
            self.add(host::with_mask(&address, mask), |found| &mut found.ips);
        }
        rest.push_str(text.get(after..).unwrap_or_default());
        Cow::Owned(rest)
    }

    fn url(&mut self, typed: &str) {
        let mut url = typed.trim_end_matches(['.', ',', ';', ':', '!', '?', '*', '…', '_', '~']);
        // "(https://a.example/x)" against "https://a.example/x_(y)".
        for (open, close) in [('(', ')'), ('[', ']')] {
            while url.ends_with(close) && url.matches(close).count() > url.matches(open).count() {
                url = url.strip_suffix(close).unwrap_or(url).trim_end_matches(['.', ',', ';']);
            }
        }
        match wrapped(url.get(..url.floor_char_boundary(WRAPPED_BYTES_MAX)).unwrap_or_default()) {
            Wrapped::Target(target) if self.depth < WRAPPED_MAX => {
                self.depth += 1;
                self.read(&target);
                self.depth -= 1;
                return;
            }
            Wrapped::Hidden => return,
            Wrapped::Target(_) | Wrapped::Not => {}
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
        let name = host.to_ascii_lowercase();
        if host.is_empty() || self.is_own(&name) || is_of_no_sender(&name) || (self.is_newsletter && is_tracking(&name, tail)) {
            return;
        }
        let user = if user.is_empty() { String::new() } else { format!("{user}@") };
        let scheme = scheme.to_ascii_lowercase();
        if let Some(ip) = numeric_ip(host) {
            let host = if ip.contains(':') { format!("[{ip}]") } else { ip.clone() };
            self.add(format!("{scheme}://{user}{host}{port}{tail}"), |found| &mut found.urls);
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
        // A name of ASCII letters without a mark of Unicode is its own A-label.
        let is_plain = typed.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')) && !typed.contains("xn--");
        let ascii = if is_plain { Ok(typed) } else { idna::domain_to_ascii(&typed) };
        let Ok(ascii) = ascii else { return false };
        if ascii.len() > 253 || !has_known_suffix(&ascii) || is_bare_suffix(&ascii) || self.is_own(&ascii) {
            return false;
        }
        if !is_plain {
            let (unicode, _) = idna::domain_to_unicode(&ascii);
            if unicode.split('.').any(mixes_scripts) {
                self.mixed_script.insert(unicode.clone());
            }
            if unicode != ascii {
                self.add(unicode, |found| &mut found.domains);
            }
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

/// Whether a dot stands between digits.
fn has_numbers(text: &str) -> bool {
    let is_digit = |at: usize| text.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    memchr::memchr_iter(b'.', text.as_bytes()).any(|at| at > 0 && is_digit(at - 1) && is_digit(at + 1))
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
            ("buka jahat[.]example/masuk/bank.php?x=1,", "http://jahat.example/masuk/bank.php?x=1"),
            ("(www(dot)jahat[.]example:8080/a)", "http://www.jahat.example:8080/a"),
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
    fn a_path_is_a_link_where_somebody_made_it_unclickable() {
        for text in ["jahat.example/masuk", "jahat[.]example / lainnya", "jahat[.]example//", "dan[.]atau/maupun"] {
            assert_eq!(indicators(text).urls, BTreeSet::new(), "{text}");
        }
        let once = indicators("hxxps://jahat[.]example/a[.]php").urls;
        assert_eq!(once, BTreeSet::from(["https://jahat.example/a.php".to_owned()]));
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
        let shown = beside_unicode(collector.found.domains.iter().map(String::as_str));
        assert_eq!(shown, ["paypal.com", "xn--pypal-4ve.com (p\u{430}ypal.com)"]);
        assert_eq!(beside_unicode(["b.example", "xn--a.example"].into_iter()), ["b.example", "xn--a.example"]);
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
        let nested = "https://google.com/url?q=".repeat(80_000) + "https://jahat.example/";
        assert!(indicators(&nested).urls.len() <= 1, "wrappers in wrappers are looked into a few times");
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
        let mut collector = Collector::new(Some("bssn.test")).of_newsletter(true);
        collector.read("bantuan70@bssn.test https://www.bssn.test/x https://news.example/unsubscribe?u=1");
        collector.link("https://click.news.example/?qs=1");
        collector.link("https://news.example/track/click?u=1");
        assert_eq!(collector.found, Indicators::default());
        let mut collector = Collector::new(None);
        collector.read("https://click.news.example/?qs=1");
        assert_eq!(collector.found.domains, BTreeSet::from(["click.news.example".to_owned()]));
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
