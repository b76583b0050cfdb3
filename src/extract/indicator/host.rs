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
        // "_jahat.example_" is written slanting; "_dmarc.jahat.example" is a record of jahat.example.
        let host = match host.strip_prefix('_') {
            Some(slanting) if slanting.ends_with('_') => slanting.trim_matches('_'),
            Some(record) => record.split_once('.').map_or(record, |(_, host)| host),
            None => host,
        };
        let is_label = |label: &str| {
            !label.is_empty() && label.len() <= LABEL_BYTES_MAX && !label.starts_with(['-', '_']) && !label.ends_with(['-', '_'])
        };
        let is_top = |label: &str| (label.chars().nth(1).is_some() && label.chars().all(char::is_alphabetic)) || has_a_label_mark(label);
        let before_run = std::mem::replace(&mut before, piece.chars().next_back());
        // "*.jahat.example", ".jahat.example": all names under it. After anything else a dot goes on with it.
        let is_all = run.starts_with(['.', '_']) && before_run.is_none_or(|c| c == '*' || c.is_whitespace());
        let is_whole = is_all || run.starts_with(|c: char| c.is_alphanumeric());
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
        return inner.split('%').next().and_then(|address| address.parse::<Ipv6Addr>().ok()).map(|address| address.to_string());
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

/// An address in its usual form, where this is one that leads anywhere. Times ("08:15::30"), names of
/// programs ("a::b") and hardware addresses are none.
pub fn six(typed: &str) -> Option<String> {
    let address =
        typed.parse::<Ipv6Addr>().ok().filter(|address| !address.is_unspecified() && !address.is_loopback() && !address.is_multicast())?;
    if let Some(four) = address.to_ipv4_mapped() {
        return Some(four.to_string());
    }
    let groups: Vec<&str> = typed.split(':').collect();
    let first = groups.first().copied().unwrap_or_default();
    // What is in use begins with three digits or more (RFC 4291 §2.4), but for 64:ff9b::/96 (RFC 6052).
    let is_in_use = first.len() > 2 || first == "64" || typed.contains('.');
    let has_digit = typed.bytes().any(|byte| byte.is_ascii_digit());
    (is_in_use && has_digit).then(|| address.to_string())
}

/// Whether an address leads to one machine: "0.0.0.0" and network masks do not, nor do the machine's own,
/// those of a cable (RFC 3927) and those of many.
pub fn is_place(address: &Ipv4Addr) -> bool {
    !address.is_unspecified()
        && !address.is_loopback()
        && !address.is_link_local()
        && !address.is_multicast()
        && address.octets().first() != Some(&255)
}

/// The bits of a network of which one can speak as of a place. Who blocks what is listed would cut off
/// half the world by a shorter one.
const MASKS_V4: std::ops::RangeInclusive<u8> = 8..=32;
const MASKS_V6: std::ops::RangeInclusive<u8> = 16..=128;

/// An address with its mask, where that is one; the address alone otherwise.
pub fn with_mask(address: &str, mask: &str) -> String {
    let possible = if address.contains(':') { MASKS_V6 } else { MASKS_V4 };
    if mask.parse().is_ok_and(|mask| possible.contains(&mask)) { format!("{address}/{mask}") } else { address.to_owned() }
}

/// Endings that are top-level domains and, far more often in reports, files. Behind a scheme or `www.`,
/// or where somebody wrote "[.]zip", they are domains all the same.
pub const FILE_ENDINGS: &[&str] =
    &["zip", "mov", "sh", "py", "md", "rs", "pl", "ps", "so", "cab", "app", "java", "bz", "gz", "do", "id_rsa"];
/// Those of them that stand at the end of file names of many parts: "laporan.2026.zip".
const FILE_ENDINGS_SURE: &[&str] = &["zip", "mov", "py", "java"];
/// Names of programs that are spelled like domains.
const PROGRAMS: &[&str] = &["asp.net", "vb.net", "ado.net", "system.io", "java.io", "system.net"];
/// What is short for something before a name: "PT.ABC".
const SHORT: &[&str] = &["PT", "CV", "UD", "RS", "NO", "JL", "DR", "IR"];

/// Whether a name with dots is no host. `defanged` are the endings that this text makes unclickable.
pub fn is_file_name(host: &str, defanged: &[&str]) -> bool {
    let labels: Vec<&str> = host.split('.').collect();
    let last = labels.last().map(|label| label.to_ascii_lowercase()).unwrap_or_default();
    let is_pair = labels.len() == 2;
    // A short sentence typed without a space, "sekali.Mohon": a capital after the dot, none before.
    let is_sentence = is_pair
        && labels.last().is_some_and(|label| label.starts_with(char::is_uppercase) && label.chars().skip(1).any(char::is_lowercase));
    let is_capital = |label: &&str| label.chars().all(char::is_uppercase);
    let is_short = is_pair && labels.iter().all(is_capital) && labels.first().is_some_and(|label| SHORT.contains(label));
    let endings = if is_pair { FILE_ENDINGS } else { FILE_ENDINGS_SURE };
    let is_file = endings.contains(&last.as_str()) && !defanged.contains(&last.as_str()) && labels.first() != Some(&"www");
    is_file || is_sentence || is_short || PROGRAMS.contains(&host.to_ascii_lowercase().as_str())
}
