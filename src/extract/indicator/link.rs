//! Links that are wrapped by mail filters, and those that only count readers.

/// Hosts of link wrappers, and the parameter that holds the true target.
const WRAPPERS: &[(&str, &[&str])] = &[
    ("google.com", &["url", "q"]),
    ("google.co.id", &["url", "q"]),
    ("youtube.com", &["q"]),
    ("facebook.com", &["u"]),
    ("instagram.com", &["u"]),
    ("linkedin.com", &["url"]),
    ("slack-redir.net", &["url"]),
    ("vk.com", &["to"]),
    ("t.me", &["url"]),
];

/// Those of mail filters: where the target is not in the link, the link says nothing of its sender.
const FILTERS: &[(&str, &[&str])] = &[
    ("safelinks.protection.outlook.com", &["url"]),
    ("safelinks.office.net", &["url"]),
    ("urldefense.proofpoint.com", &["u"]),
    ("urldefense.com", &[]),
    ("urldefense.us", &[]),
    ("linkprotect.cudasvc.com", &["a"]),
    ("mimecast.com", &["domain"]),
    ("mimecastprotect.com", &["domain"]),
    ("secure-web.cisco.com", &[]),
    ("protection.sophos.com", &["d"]),
    ("clicktime.symantec.com", &["u"]),
    ("avanan.click", &[]),
    ("trendmicro.com", &["url"]),
    ("fireeye.com", &["u"]),
];

/// What a link wraps.
#[derive(Debug, PartialEq, Eq)]
pub enum Wrapped {
    Not,
    /// The true target.
    Target(String),
    /// A filter's link that does not tell its target.
    Hidden,
}

/// The target inside a link wrapper.
pub fn wrapped(url: &str) -> Wrapped {
    let Some((host, tail)) = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')) else { return Wrapped::Not };
    let host = host.to_ascii_lowercase();
    let is_of = |name: &str| host.strip_suffix(name).is_some_and(|left| left.is_empty() || left.ends_with('.'));
    let query = tail.split_once('?').map_or("", |(_, query)| query);
    let of = |keys: &[&str]| query.split(['&', ';']).filter_map(|pair| pair.split_once('=')).find(|(key, _)| keys.contains(key));
    if let Some((_, keys)) = WRAPPERS.iter().find(|(name, _)| is_of(name)) {
        let target = of(keys).map(|(_, value)| percent_decoded(value)).filter(|target| is_url(target));
        return target.map_or(Wrapped::Not, Wrapped::Target);
    }
    let Some((_, keys)) = FILTERS.iter().find(|(name, _)| is_of(name)) else { return Wrapped::Not };
    let value = of(keys).map(|(key, value)| match key {
        // Version 2 of Proofpoint writes `-` for `%` and `_` for `/`.
        "u" if tail.starts_with("v2/") => percent_decoded(&value.replace('-', "%").replace('_', "/")),
        _ => percent_decoded(value),
    });
    let target = value.filter(|value| !value.contains(char::is_whitespace)).or_else(|| in_path(tail));
    target.map_or(Wrapped::Hidden, Wrapped::Target)
}

fn is_url(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

/// A target in the path: `v3/__http://…__;` (Proofpoint), `v2/___http://…___.` (Avanan), `…/https%3A%2F%2F…` (Cisco).
fn in_path(tail: &str) -> Option<String> {
    if let Some((_, marked)) = tail.split_once("/__") {
        let marked = marked.trim_start_matches('_');
        let target = marked.split_once("__").map_or(marked, |(target, _)| target);
        return is_url(target).then(|| target.to_owned());
    }
    let last = percent_decoded(tail.rsplit('/').next().unwrap_or_default());
    is_url(&last).then_some(last)
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

/// Hosts of those who send newsletters for others, and name spaces of markup: they say nothing of who sent a mail.
pub fn is_of_no_sender(host: &str) -> bool {
    ["list-manage.com", "sendgrid.net"]
        .iter()
        .any(|name| host.strip_suffix(name).is_some_and(|left| left.is_empty() || left.ends_with('.')))
        || ["www.w3.org", "schemas.microsoft.com", "schemas.openxmlformats.org"].contains(&host)
}

/// Links of a newsletter that count readers or end subscriptions: they lead to its sender.
pub fn is_tracking(host: &str, tail: &str) -> bool {
    let label = host.split('.').next().unwrap_or_default();
    let tail = tail.to_ascii_lowercase();
    ["click", "clicks", "track", "tracking", "email-track", "trk", "open", "links-email"].contains(&label)
        || ["/unsubscribe", "/track/click", "/track/open", "/wf/open", "/ls/click", "utm_medium=email"]
            .iter()
            .any(|mark| tail.contains(mark))
}
