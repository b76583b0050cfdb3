//! Links that are wrapped by mail filters, and those that only count readers.

/// Hosts of link wrappers, and the parameter that holds the true target.
const WRAPPERS: &[(&str, &[&str])] = &[
    ("safelinks.protection.outlook.com", &["url"]),
    ("google.com", &["url", "q"]),
    ("facebook.com", &["u"]),
    ("urldefense.proofpoint.com", &["u"]),
    ("linkprotect.cudasvc.com", &["a"]),
];

/// The target inside a link wrapper of a mail filter.
pub fn wrapped(url: &str) -> Option<String> {
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
pub fn is_tracking(host: &str, tail: &str) -> bool {
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
