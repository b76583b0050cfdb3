//! Undoes the usual ways of making an indicator unclickable, so that one form of each is looked for.

use super::expressions;
use super::host::{FILE_ENDINGS, has_known_suffix};
use regex::{Captures, Regex};
use std::borrow::Cow;

expressions! {
    SCHEME = r"(?i)(?-u:\b)(?:h[tx*]{2}p|htp|hxp|hp|meow)s?\s?(?:\[:\]|\(:\)|:|\[:)\s?(?:\[?//\]?|\\\\|\[/\]\[/\]|\[//\])";
    SCHEME_BRACKET = r"(?i)(?-u:\b)h[tx*]{2}ps?(?:\[://\]|\(://\)|\[:\]//|:\[//\])";
    FTP = r"(?i)(?-u:\b)(?:fxp|ftp)s?(?:\[:\]|:)//";
    DOT_BRACKET = r"(?i)\s?[\[({<]\s?(?:\.|,|dot|titik|d0t)\s?[\])}>]\s?";
    DOT_HALF = r"\[\.|\.\]|\\\.";
    DOT_WORD = r"(?i)([a-z0-9_-]) (?:dot|titik) ([a-z0-9-])";
    DOT_SPACED = r"(?i)(^|[^a-z0-9/-])([a-z0-9-]{2,})(?: ?\. ([a-z]{2,24})| \. ?([a-z]{2,24}))(?-u:\b)";
    IP_SPACED = r"(?-u:\b)([0-9]{1,3}) ?\. ?([0-9]{1,3}) ?\. ?([0-9]{1,3}) ?\. ?([0-9]{1,3})(?-u:\b)";
    AT = r"(?i)\s?[\[({<]\s?(?:@|at|et)\s?[\])}>]\s?";
    COLON = r"\[:\]";
    SLASH = r"\[/\]";
    SCHEME_TYPO = r"(?i)(?-u:\b)h[tx]{2}ps?(?::/|//)([a-z0-9])";
    SCHEME_SPACED = r"(?i)((?:https?|ftp)://)\s((?:[a-z0-9-]+\.)+[a-z]{2,24}(?-u:\b))";
    SCHEME_LESS = r#"(?im)(^|[\s"'(=<>])//((?:[a-z0-9-]+\.)+[a-z]{2,24}(?-u:\b))"#;
    PATH_LESS = r#"(?im)(^|[\s"'(=<>])((?:[a-z0-9-]+(?:\[\.\]|\(\.\)|\{\.\}|\[dot\]|\(dot\)|\.))+[a-z]{2,24}(?::[0-9]{1,5})?/[^\s/<>"'`|\\^{}])"#;
    SLASH_WORD = r"(?i)([a-z0-9])\s(?:garis miring|slash)\s([a-z0-9])";
}

/// Undoes the usual ways of making an indicator unclickable. Each expression is tried only where the
/// text holds what it needs.
pub fn refanged(text: &str) -> Cow<'_, str> {
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
    replace(has(&["p:/", "s:/", "p//", "s//"]), &SCHEME_TYPO, &|found| format!("{}{}", scheme("http", found), part(found, 1)));
    // What was made unclickable with its path was a link: a browser that is given it goes there by HTTP.
    replace(is_bracketed && has(&["/"]), &PATH_LESS, &|found| {
        let (before, link) = (part(found, 1), part(found, 2));
        let scheme = if link.contains(['[', '(', '{']) { "http://" } else { "" };
        format!("{before}{scheme}{link}")
    });
    replace(is_bracketed && has(&[".", ",", "dot", "titik", "d0t"]), &DOT_BRACKET, &|_| ".".to_owned());
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
        let (before, label, whole) = (part(found, 1), part(found, 2), part(found, 0));
        let suffix = found.get(3).or_else(|| found.get(4)).map_or("", |suffix| suffix.as_str());
        // "PKBM . TEST" on purpose; "… kami. Di …" is a sentence's end: only a space before the dot tells.
        // "… kena . gw sudah …" is one too: two letters are a word more often than a country.
        let is_top = suffix.len() > 2 || matches!(suffix.to_ascii_lowercase().as_str(), "id" | "co" | "go" | "ac");
        let is_dot = whole.contains(" .") && is_top && (suffix.len() == 2 || has_known_suffix(&format!("a.{suffix}")));
        if is_dot { format!("{before}{label}.{suffix}") } else { whole }
    });
    replace(has(&["// "]), &SCHEME_SPACED, &|found| format!("{}{}", part(found, 1), part(found, 2)));
    replace(has(&["//"]), &SCHEME_LESS, &|found| format!("{} {}", part(found, 1), part(found, 2)));
    // Markup that was left over.
    if text.contains('&') {
        for (left_over, meant) in [("&amp;", "&"), ("&nbsp;", " "), ("&quot;", " "), ("&lt;", " "), ("&gt;", " ")] {
            if text.contains(left_over) {
                text = Cow::Owned(text.replace(left_over, meant));
            }
        }
    }
    text
}

/// The endings of files that a text makes unclickable, as only domains are: "bank[.]zip".
pub fn defanged_files(text: &str) -> Vec<&'static str> {
    let lower = text.to_ascii_lowercase();
    if !lower.contains(['[', '(', '{']) {
        return Vec::new();
    }
    let is_defanged = |ending: &&&str| ["[.]", "(.)", "{.}", "[dot]", "(dot)"].iter().any(|dot| lower.contains(&format!("{dot}{ending}")));
    FILE_ENDINGS.iter().filter(is_defanged).copied().collect()
}
