//! The TLP mark that a sender stated. The most restrictive one counts. Marks in quoted text are not
//! the sender's and are never shown to this module.

use crate::model::Tlp;
use regex::Regex;
use std::sync::LazyLock;

/// A text is searched to here; a label stands near the beginning, the end or beside its information.
const LOOK_BYTES_MAX: usize = 1024 * 1024;
/// Text that names so many different labels without one standing for itself talks about TLP.
const LABELS_OF_A_DISCUSSION: usize = 3;

static LABEL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    // Beside the one right spelling (TLP 2.0 §3) what people write: a space, a dash, small letters.
    Regex::new(r"(?i)\b(?:TLP|traffic\s+light\s+protocol)(?:\s*[:=]\s*|\s*[-–]\s*|\s+)\(?\s*(RED|AMBER(?:\s*[+-]\s*|\s+)STRICT|AMBER|GREEN|CLEAR|WHITE)\b").ok()
});

/// The mark stated in the subject, the new text or an attachment.
#[must_use]
pub fn tlp_stated<'a>(subject: &str, new_text: &str, attachments: impl IntoIterator<Item = &'a str>) -> Option<Tlp> {
    [mark_in(subject), mark_in(new_text), attachments.into_iter().filter_map(mark_in).max()].into_iter().flatten().max()
}

/// The mark stated in one text, a name or a file.
#[must_use]
pub fn stated_in(text: &str) -> Option<Tlp> {
    mark_in(text)
}

/// The most restrictive mark of one text; none where the text only speaks of the labels.
fn mark_in(text: &str) -> Option<Tlp> {
    let text = text.get(..text.floor_char_boundary(LOOK_BYTES_MAX))?;
    let label = LABEL.as_ref()?;
    let lower = text.to_ascii_lowercase();
    if !lower.contains("tlp") && !lower.contains("traffic") {
        return None;
    }
    let mut marks: Vec<Tlp> = Vec::new();
    let mut own_line: Option<Tlp> = None;
    for line in text.lines() {
        for found in label.captures_iter(line) {
            let Some(mark) = found.get(1).and_then(|word| tlp_of(word.as_str())) else { continue };
            if !marks.contains(&mark) {
                marks.push(mark);
            }
            let starts_line =
                found.get(0).is_some_and(|whole| line.get(..whole.start()).unwrap_or_default().chars().all(|c| !c.is_alphanumeric()));
            if starts_line {
                own_line = own_line.max(Some(mark));
            }
        }
    }
    if marks.len() >= LABELS_OF_A_DISCUSSION { own_line } else { marks.into_iter().max() }
}

fn tlp_of(word: &str) -> Option<Tlp> {
    let upper = word.to_ascii_uppercase();
    if upper.ends_with("STRICT") { Some(Tlp::AmberStrict) } else { Tlp::parse(&upper) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_restrictive_stated_mark_counts() {
        let none: [&str; 0] = [];
        for (subject, text, mark) in [
            ("Insiden [TLP:RED]", "", Some(Tlp::Red)),
            ("", "Bersifat TLP:GREEN, boleh dibagikan.", Some(Tlp::Green)),
            ("TLP:AMBER x", "TLP:AMBER+STRICT", Some(Tlp::AmberStrict)),
            ("", "tlp amber strict", Some(Tlp::AmberStrict)),
            ("", "TLP: WHITE", Some(Tlp::Clear)),
            ("", "TLP in practice (RED, AMBER, GREEN, CLEAR)", None),
            ("", "We explain TLP:RED, TLP:AMBER, TLP:GREEN and TLP:CLEAR.", None),
            ("", "TLP:RED\nWe explain TLP:RED, TLP:AMBER, TLP:GREEN and TLP:CLEAR.", Some(Tlp::Red)),
            ("", "TLP:AMBERJACK", None),
        ] {
            assert_eq!(tlp_stated(subject, text, none), mark, "{subject} / {text}");
        }
        assert_eq!(tlp_stated("", "lihat lampiran", ["x\nTLP:AMBER\ny"]), Some(Tlp::Amber));
    }
}
