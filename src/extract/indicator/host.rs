//! Host names and numeric hosts as a browser reads them. Nothing is looked up anywhere: a name counts
//! where its suffix is known.

use std::net::{Ipv4Addr, Ipv6Addr};

/// A label of a name in any script; longer ones are none (63 bytes as an A-label, RFC 1035 §2.3.4).
const LABEL_BYTES_MAX: usize = 63 * 4;

/// Names with dots in a text, each with the character before it: labels of letters, digits and
/// hyphens, of which the last is a top-level domain by its form.
pub fn hosts(text: &str) -> impl Iterator<Item = (Option<char>, &str)> {
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
pub fn split_port(text: &str) -> (&str, &str) {
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
pub fn numeric_ip(host: &str) -> Option<String> {
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
pub fn is_bare_suffix(domain: &str) -> bool {
    !domain.contains('.')
        || psl::suffix(domain.as_bytes()).is_some_and(|suffix| suffix.is_known() && suffix.as_bytes() == domain.as_bytes())
}

/// Endings that are top-level domains and, far more often in reports, files.
const FILE_ENDINGS: &[&str] =
    &["zip", "mov", "sh", "py", "md", "rs", "pl", "ps", "so", "cab", "app", "java", "bz", "gz", "cc", "do", "id_rsa"];

pub fn is_file_name(host: &str) -> bool {
    let labels: Vec<&str> = host.split('.').collect();
    let last = labels.last().map(|label| label.to_ascii_lowercase()).unwrap_or_default();
    // A short sentence typed without a space, "sekali.Mohon": a capital after the dot, none before.
    let is_sentence = labels.len() == 2
        && labels.last().is_some_and(|label| label.starts_with(char::is_uppercase) && label.chars().skip(1).any(char::is_lowercase));
    (labels.len() == 2 && FILE_ENDINGS.contains(&last.as_str())) || is_sentence
}
