//! How much the words of a mail are like those of the examples in the rule files. Every example and
//! test is a labelled mail; from them each word gets its log-odds for each category (naive Bayes).
//! It adds a little to what the rules say, so that a report in words that no rule foresaw leans to
//! the right side. An analyst's correction that is kept as a test teaches it.

use super::compile::{ATTACHMENT, NEW, QUOTED, SUBJECT};
use super::lexicon::{Meaning, UNLIKE};
use super::scan::Hit;
use super::vocabulary::Vocabulary;
use super::words::{Token, Tokens};
use crate::model::Category;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet};

/// With fewer examples than this, words tell the author's taste and not the category.
const LESSONS_MIN: usize = 100;
/// Letters of a word that count: enough to tell words apart, few enough to leave suffixes away.
const KEY_CHARS: usize = 6;
/// One word may say so much for or against a category, and no more.
const ODDS_MAX: f64 = 2.0;
const ODDS_MIN: f64 = -1.5;
/// What an unseen word of a seen kind counts (Laplace): tuned on mails that were not among the examples.
const PRIOR_WORDS: f64 = 0.3;
/// All words together say at most this much, after scaling.
const SCORE_MAX: f64 = 4.0;
/// In fewer examples a word may stand by chance: it counts, and is not shown as a reason.
const TELLING_MIN: f64 = 4.0;
/// Words shown as the reason.
const SHOWN_MAX: usize = 6;

const CATEGORIES: usize = Category::ALL.len();

/// A labelled mail, cut into words.
#[derive(Debug)]
pub struct Lesson {
    pub category: Category,
    pub texts: Vec<Tokens>,
}

impl Lesson {
    /// Every word of its texts.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().flat_map(|tokens| tokens.list.iter().map(|token| tokens.word(token)))
    }
}

/// The log-odds of words, by category in the order of [`Category::ALL`].
#[derive(Debug, Default)]
pub struct Likeness {
    numbers: FxHashMap<Box<str>, u32>,
    odds: Vec<Odds>,
    scale: f64,
}

/// What one word says.
#[derive(Debug)]
struct Odds {
    of: [f64; CATEGORIES],
    /// Seen often enough to be shown to people as a reason.
    is_telling: bool,
}

/// What likeness says for one category.
#[derive(Debug, Clone, Default)]
pub struct Leaning {
    pub adds: f64,
    /// The words that said most.
    pub hits: Vec<Hit>,
}

impl Likeness {
    /// Learns from labelled mails. `scale` is what one unit of log-odds adds to a score.
    pub fn learn(lessons: &[Lesson], vocabulary: &Vocabulary, scale: f64) -> Self {
        if lessons.len() < LESSONS_MIN || scale <= 0.0 {
            return Self::default();
        }
        let mut docs = [0.0; CATEGORIES];
        let mut counts: BTreeMap<&str, [f64; CATEGORIES]> = BTreeMap::new();
        for lesson in lessons {
            let Some(index) = Category::ALL.iter().position(|known| *known == lesson.category) else { continue };
            if let Some(count) = docs.get_mut(index) {
                *count += 1.0;
            }
            let keys: BTreeSet<&str> = lesson.words().filter_map(|word| key(vocabulary, word)).collect();
            for key in keys {
                if let Some(count) = counts.entry(key).or_default().get_mut(index) {
                    *count += 1.0;
                }
            }
        }
        let all: f64 = docs.iter().sum();
        let mut new = Self { scale, ..Self::default() };
        for (key, counts) in counts {
            let seen: f64 = counts.iter().sum();
            let mut of = [0.0; CATEGORIES];
            for ((odds, count), docs) in of.iter_mut().zip(counts).zip(docs) {
                let prior = PRIOR_WORDS * seen / all;
                let inside = (count + prior * docs + 0.05) / (docs + 0.5);
                let outside = (seen - count + prior * (all - docs) + 0.05) / (all - docs + 0.5);
                *odds = (inside / outside).ln().clamp(ODDS_MIN, ODDS_MAX);
            }
            new.numbers.insert(key.into(), u32::try_from(new.odds.len()).unwrap_or(UNLIKE));
            new.odds.push(Odds { of, is_telling: seen >= TELLING_MIN });
        }
        new
    }

    /// The number of a word among those of the examples.
    pub fn number(&self, vocabulary: &Vocabulary, word: &str) -> Option<u32> {
        self.numbers.get(key(vocabulary, word)?).copied()
    }

    /// What the words of the places say, for each category.
    pub fn lean(&self, texts: &[(usize, &Tokens, &[Meaning])], factors: &[f64]) -> Vec<Leaning> {
        let mut seen = vec![false; self.odds.len()];
        let mut told: Vec<(usize, Token, &Odds)> = Vec::new();
        for (place, tokens, meanings) in texts {
            // What is quoted or enclosed counts where the new text is short, as with rules.
            let factor = factors.get(*place).copied().unwrap_or(0.0);
            let counts = matches!(*place, SUBJECT | NEW) || (*place == QUOTED && factor >= 0.6) || (*place == ATTACHMENT && factor >= 1.0);
            if !counts {
                continue;
            }
            for (token, meaning) in tokens.list.iter().zip(*meanings) {
                if let Some(seen) = seen.get_mut(meaning.likeness as usize)
                    && !std::mem::replace(seen, true)
                    && let Some(odds) = self.odds.get(meaning.likeness as usize)
                {
                    told.push((*place, *token, odds));
                }
            }
        }
        (0..CATEGORIES).map(|category| self.leaning(category, &told)).collect()
    }

    fn leaning(&self, category: usize, told: &[(usize, Token, &Odds)]) -> Leaning {
        let of = |odds: &Odds| odds.of.get(category).copied().unwrap_or(0.0);
        let sum: f64 = told.iter().map(|(_, _, odds)| of(odds)).sum();
        let adds = (sum * self.scale).clamp(-SCORE_MAX, SCORE_MAX);
        if adds <= 0.0 {
            // What speaks against a kind is that its words are missing: there is nothing to show.
            return Leaning { adds, hits: Vec::new() };
        }
        let mut best: Vec<_> = told.iter().filter(|(_, _, odds)| odds.is_telling && of(odds) > 0.5).collect();
        let by_odds = |one: &&(usize, Token, &Odds), other: &&(usize, Token, &Odds)| {
            of(other.2).total_cmp(&of(one.2)).then((one.0, one.1.start).cmp(&(other.0, other.1.start)))
        };
        if best.len() > SHOWN_MAX {
            best.select_nth_unstable_by(SHOWN_MAX, by_odds);
            best.truncate(SHOWN_MAX);
        }
        best.sort_by(by_odds);
        let hits = best.into_iter().map(|(place, token, _)| hit(*place, token)).collect();
        Leaning { adds, hits }
    }
}

/// The letters of a word that count: the usual spelling, its beginning; numbers and single letters do not.
fn key<'a>(vocabulary: &'a Vocabulary, word: &'a str) -> Option<&'a str> {
    let usual = vocabulary.usual(word);
    if usual.len() < 2 || usual.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let end = usual.char_indices().nth(KEY_CHARS).map_or(usual.len(), |(at, _)| at);
    usual.get(..end)
}

fn hit(place: usize, token: &Token) -> Hit {
    Hit { pattern: u32::MAX, place, start: token.start, end: token.end, first: token.position, last: token.position, is_denied: false }
}
