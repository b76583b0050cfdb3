//! Which mails a set of rules has learned from. Whoever measures rules by mails that stand in them as examples measures
//! their memory, and not how well they file what they have not seen.

use super::set::RuleSet;
use super::words;
use crate::mail::Mail;
use rustc_hash::{FxHashSet, FxHasher};
use std::hash::{Hash as _, Hasher as _};

/// Texts of fewer words are the same only where they are equal.
const WORDS_MIN: usize = 5;
/// So much of two texts' words is in both where one was made of the other: names and numbers are taken out.
const SHARED_MIN: f64 = 0.75;

/// The examples and tests of a set.
#[derive(Debug)]
pub struct Taught {
    reports: FxHashSet<String>,
    texts: Vec<FxHashSet<u64>>,
}

impl Taught {
    /// What a set has learned from.
    #[must_use]
    pub fn of(rules: &RuleSet) -> Self {
        let tests = || rules.compiled.tests.iter().map(|(_, _, test)| test);
        let whole = tests().map(|test| words_of(&[&test.subject, &test.text]));
        let examples = rules.compiled.rules.iter().flat_map(|rule| &rule.examples);
        let examples = examples.map(|(_, parts)| words_of(&[&parts.subject, &parts.text]));
        Self {
            reports: tests().filter_map(|test| test.report.clone()).collect(),
            texts: whole.chain(examples).filter(|words| !words.is_empty()).collect(),
        }
    }

    /// Whether a mail stands in the set: by the ticket that its test names, or by its words.
    #[must_use]
    pub fn has(&self, ticket: Option<&str>, mail: &Mail) -> bool {
        if ticket.is_some_and(|ticket| self.reports.contains(ticket)) {
            return true;
        }
        let whole = words_of(&[&mail.subject, &mail.text.new]);
        let text = words_of(&[&mail.text.new]);
        self.texts.iter().any(|known| is_same(known, &whole) || is_same(known, &text))
    }
}

fn is_same(one: &FxHashSet<u64>, other: &FxHashSet<u64>) -> bool {
    if one.len().min(other.len()) < WORDS_MIN {
        return !one.is_empty() && one == other;
    }
    let shared = one.intersection(other).count();
    let count = |words: usize| f64::from(u32::try_from(words).unwrap_or(u32::MAX));
    count(shared) >= count(one.len() + other.len() - shared) * SHARED_MIN
}

/// The different words of some texts.
fn words_of(texts: &[&str]) -> FxHashSet<u64> {
    let mut all = FxHashSet::default();
    for text in texts {
        let tokens = words::prose(text);
        all.extend(tokens.list.iter().map(|token| {
            let mut hasher = FxHasher::default();
            tokens.word(token).hash(&mut hasher);
            hasher.finish()
        }));
    }
    all
}
