//! How much the words of a mail are like those of the examples in the rule files. Every example and
//! test is a labelled mail; from them each word gets its log-odds for each category (naive Bayes).
//! It adds a little to what the rules say, so that a report in words that no rule foresaw leans to
//! the right side. An analyst's correction that is kept as a test teaches it.

use super::compile::{ATTACHMENT, NEW, QUOTED, SUBJECT};
use super::scan::Hit;
use super::syntax::Parts;
use super::vocabulary::Vocabulary;
use super::words::{self, Token, Tokens};
use crate::model::Category;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// With fewer examples than this, words tell the author's taste and not the category.
const SAMPLES_MIN: usize = 100;
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

/// The log-odds of words, by category in the order of [`Category::ALL`].
#[derive(Debug, Default)]
pub struct Likeness {
    odds: HashMap<Box<str>, Odds>,
    scale: f64,
}

/// What one word says.
#[derive(Debug)]
struct Odds {
    of: Vec<f64>,
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
    pub fn learn(samples: &[(Category, &Parts)], vocabulary: &Vocabulary, scale: f64) -> Self {
        if samples.len() < SAMPLES_MIN || scale <= 0.0 {
            return Self::default();
        }
        let mut docs = vec![0.0; Category::ALL.len()];
        let mut counts: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (category, parts) in samples {
            let Some(index) = Category::ALL.iter().position(|known| known == category) else { continue };
            if let Some(count) = docs.get_mut(index) {
                *count += 1.0;
            }
            let mut keys = BTreeSet::new();
            for text in [parts.subject.as_str(), parts.text.as_str()] {
                let tokens = words::prose(text);
                keys.extend(tokens.list.iter().filter_map(|token| key(vocabulary, tokens.word(token)).map(str::to_owned)));
            }
            for key in keys {
                if let Some(count) = counts.entry(key).or_insert_with(|| vec![0.0; docs.len()]).get_mut(index) {
                    *count += 1.0;
                }
            }
        }
        let all: f64 = docs.iter().sum();
        let odds = counts
            .into_iter()
            .map(|(key, counts)| {
                let seen: f64 = counts.iter().sum();
                let of = |count: f64, docs: f64| {
                    let prior = PRIOR_WORDS * seen / all;
                    let inside = (count + prior * docs + 0.05) / (docs + 0.5);
                    let outside = (seen - count + prior * (all - docs) + 0.05) / (all - docs + 0.5);
                    (inside / outside).ln().clamp(ODDS_MIN, ODDS_MAX)
                };
                let of = counts.iter().zip(&docs).map(|(count, docs)| of(*count, *docs)).collect();
                (key.into(), Odds { of, is_telling: seen >= TELLING_MIN })
            })
            .collect();
        Self { odds, scale }
    }

    /// What the words of the places say, for each category.
    pub fn lean(&self, vocabulary: &Vocabulary, texts: &[(usize, &Tokens)], factors: &[f64]) -> Vec<Leaning> {
        let mut sums: Vec<Leaning> = vec![Leaning::default(); Category::ALL.len()];
        if self.odds.is_empty() {
            return sums;
        }
        let mut seen: HashSet<&str> = HashSet::new();
        let mut told: Vec<(usize, Token, &Odds)> = Vec::new();
        for (place, tokens) in texts {
            // What is quoted or enclosed counts where the new text is short, as with rules.
            let factor = factors.get(*place).copied().unwrap_or(0.0);
            let counts = matches!(*place, SUBJECT | NEW) || (*place == QUOTED && factor >= 0.6) || (*place == ATTACHMENT && factor >= 1.0);
            for token in tokens.list.iter().filter(|_| counts) {
                if let Some((key, odds)) = key(vocabulary, tokens.word(token)).and_then(|key| self.odds.get_key_value(key))
                    && seen.insert(key)
                {
                    told.push((*place, *token, odds));
                }
            }
        }
        for (index, leaning) in sums.iter_mut().enumerate() {
            let of = |odds: &Odds| odds.of.get(index).copied().unwrap_or(0.0);
            let sum: f64 = told.iter().map(|(_, _, odds)| of(odds)).sum();
            leaning.adds = (sum * self.scale).clamp(-SCORE_MAX, SCORE_MAX);
            let mut best: Vec<_> = told.iter().filter(|(_, _, odds)| odds.is_telling && of(odds) > 0.5).collect();
            best.sort_by(|one, other| of(other.2).total_cmp(&of(one.2)));
            leaning.hits = best.into_iter().take(SHOWN_MAX).map(|(place, token, _)| hit(*place, token)).collect();
        }
        sums
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
