//! An explanation in a few lines, for letters to analysts and the timeline of a ticket.

use super::words::{Words, words};
use super::{Because, Explanation, named, said};
use crate::mail::template::Templates;
use crate::model::{Category, Language};
use crate::rules::assess::Fired;

/// Rules that are named for the category that was chosen, …
const REASONS_MAX: usize = 6;
/// … and for each of the best two where none was.
const NEAREST_REASONS_MAX: usize = 2;

impl Explanation {
    /// Why the category was chosen, or why none was and what was nearest: what each rule added, a line each.
    #[must_use]
    pub fn reason_lines(&self, language: Language, templates: &Templates) -> Vec<String> {
        let words = words(language);
        let mut lines = Vec::new();
        if let Some(lack) = self.lack(words) {
            lines.push(format!("{}; {lack}", words.unsure));
        }
        if let Some((told, passage)) = self.read_beside(words, templates) {
            lines.push(format!("{told}: \"{passage}\""));
        }
        if self.assessment.is_unsure {
            for (category, score) in self.next() {
                lines.push(format!("{} {}", words.nearest, named(words, templates, category, score)));
                lines.extend(self.spoke_for(category).take(NEAREST_REASONS_MAX).map(|fired| line(fired, words, language)));
            }
        } else {
            let own = self.spoke_for(self.assessment.category).take(REASONS_MAX);
            lines.extend(own.map(|fired| line(fired, words, language)));
        }
        lines
    }

    /// What would have changed the result, a line each.
    #[must_use]
    pub fn turned_lines(&self, language: Language, templates: &Templates) -> Vec<String> {
        let words = words(language);
        let turned = self.turned(words, language, templates).into_iter().zip(&self.turns);
        let line = |((turned, _), turn): ((String, Vec<String>), &super::Turn)| match turn.because {
            Because::WithoutStrongest(count) if count > 1 => format!("{}: {turned} [{}]", words.turned, turn.rule),
            _ => format!("{}: {turned}", words.turned),
        };
        turned.map(line).collect()
    }

    fn spoke_for(&self, category: Category) -> impl Iterator<Item = &Fired> {
        self.assessment.fired.iter().filter(move |fired| fired.category == category && fired.adds > 0.0)
    }
}

/// What a rule added, why, and the words it saw with their places.
fn line(fired: &Fired, words: &Words, language: Language) -> String {
    let reason = said(language, &fired.reason_id, &fired.reason_en);
    format!("{} {reason} {}", words.signed(fired.adds), words.seen(&fired.saw)).trim_end().to_owned()
}
