//! What was odd about a mail, for people: the code of each finding in the centre's language. Details are
//! English sentences for `inspect`; of them only names and values are shown in another language.

use crate::decide::{Arrived, Desk};
use crate::model::{Damage, Language};

/// Findings whose detail is a value out of the mail.
const OF_A_VALUE: &[&str] =
    &["bad-date", "bad-header", "bad-message-id", "odd-name", "repeated-header", "unknown-charset", "unknown-encoding"];
/// Where the name at the head of a detail ends.
const NAME_ENDS: &[&str] = &[": ", " says ", " is encrypted ", " was opened ", " could not be opened"];

/// A line for each finding, and that a mail was too large to be read.
#[must_use]
pub fn lines(arrived: &Arrived<'_>, desk: Desk<'_>) -> Vec<String> {
    let too_large = arrived.header_only.map(|bytes| desk.say("file.too_large", &[("bytes", &bytes.to_string())]));
    too_large.into_iter().chain(arrived.damage.iter().map(|damage| line(damage, desk))).collect()
}

fn line(damage: &Damage, desk: Desk<'_>) -> String {
    let word = sort_of(damage);
    let words = desk.word("damage", word);
    if words == word || desk.policy.language.of_answer() == Language::En {
        return format!("{words}: {}", damage.detail);
    }
    match value_of(damage) {
        Some(value) => format!("{words}: {value}"),
        None => words,
    }
}

/// The word that the phrases have: some codes stand for two things that people must tell apart.
fn sort_of(damage: &Damage) -> &str {
    match damage.code.as_str() {
        "encrypted-file" if damage.detail.contains(" was opened ") => "encrypted-file-opened",
        "tnef" if damage.detail.contains("kept whole;") => "tnef-closed",
        "ambiguous-mime" if damage.detail.contains("winmail.dat") => "packed-text-differs",
        other => other,
    }
}

fn value_of(damage: &Damage) -> Option<&str> {
    let code = damage.code.as_str();
    if OF_A_VALUE.contains(&code) {
        return Some(&damage.detail);
    }
    if !(code.starts_with("file-") || matches!(code, "archive" | "encrypted-file" | "disguised" | "header-too-long")) {
        return None;
    }
    NAME_ENDS.iter().filter_map(|end| damage.detail.split_once(end)).map(|(name, _)| name).min_by_key(|name| name.len())
}
