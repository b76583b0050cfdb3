//! How much the words of a mail are like those of the examples in the rule files. Every example and
//! test is a labelled mail; from them each word, and each two words that follow one another, get their
//! log-odds for each category (naive Bayes).
//! It adds a little to what the rules say, so that a report in words that no rule foresaw leans to
//! the right side. An analyst's correction that is kept as a test teaches it.

use super::compile::{ATTACHMENT, NEW, QUOTED, SUBJECT};
use super::lexicon::{Reader, UNLIKE, WordId};
use super::scan::Hit;
use super::vocabulary::Vocabulary;
use super::words::{Token, Tokens};
use crate::model::Category;
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

/// With fewer examples than this, words tell the author's taste and not the category.
const LESSONS_MIN: usize = 100;
/// Letters of a word that count: enough to tell words apart, few enough to leave suffixes away.
const KEY_CHARS: usize = 6;
/// One word may say so much for or against a category, and no more.
const ODDS_MAX: f64 = 2.0;
const ODDS_MIN: f64 = -1.5;
/// What an unseen word of a seen kind counts (Laplace): tuned on mails that were not among the examples.
const PRIOR_WORDS: f64 = 0.6;
/// All words together say at most this much, after scaling.
const SCORE_MAX: f64 = 6.0;
/// So far into a text two words in a row are looked up: what a mail is about stands there, and a
/// megabyte of pairs would only cost time.
const PAIRS_MAX: usize = 4_000;
/// Fewer known words than this tell nothing: a mail of one word may be about anything.
const KNOWN_MIN: usize = 3;
/// Where fewer than one word in so many is known, the mail is garbage or in another language.
const KNOWN_SHARE: usize = 5;
/// The most like category is given its lead over the next one, up to this, if all sums are below it: what
/// many kinds of mail lack in a long mail says nothing against the one that it is most like.
const LEAD_MAX: f64 = 1.5;
/// In fewer examples a word may stand by chance: it counts, and is not shown as a reason.
const TELLING_MIN: f64 = 4.0;
/// Words shown as the reason.
const SHOWN_MAX: usize = 6;
/// Shorter ones are not shown.
const SHOWN_BYTES_MIN: u32 = 4;

const CATEGORIES: usize = Category::ALL.len();

/// In place of the first of two words in a row: the other one is denied. What is denied is a word of its
/// own: "tidak pernah pinjam" is told by who is asked to pay, "bukan phishing" by nobody's victim.
const DENIED: u32 = UNLIKE - 1;

/// A labelled mail, cut into words.
#[derive(Debug)]
pub struct Lesson {
    pub category: Category,
    pub texts: Vec<Prose>,
}

impl Lesson {
    /// Every word of its texts.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().flat_map(|text| text.tokens.list.iter().map(|token| text.tokens.word(token)))
    }
}

/// The text of one place, cut into words.
#[derive(Debug)]
pub struct Prose {
    pub place: usize,
    pub tokens: Tokens,
    /// What each token stands for.
    pub words: Vec<WordId>,
    /// Which tokens are denied; empty where none is.
    pub denied: Vec<bool>,
}

impl Prose {
    fn is_denied(&self, index: usize) -> bool {
        self.denied.get(index).copied().unwrap_or(false)
    }
}

/// The log-odds of words, by category in the order of [`Category::ALL`].
#[derive(Debug, Default)]
pub struct Likeness {
    numbers: FxHashMap<Box<str>, u32>,
    /// The numbers of two words in a row.
    pairs: FxHashMap<u64, u32>,
    odds: Vec<Odds>,
    scale: f64,
}

/// What one word says.
#[derive(Debug)]
struct Odds {
    of: [f64; CATEGORIES],
    /// How many examples hold it, and the logarithm of that.
    seen: f64,
    seen_ln: f64,
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
        let mut new = Self { scale, ..Self::default() };
        let words: BTreeSet<&str> = lessons.iter().flat_map(Lesson::words).filter_map(|word| key(vocabulary, word)).collect();
        new.numbers = words.into_iter().zip(0..).map(|(key, number)| (key.into(), number)).collect();
        let mut docs = [0.0; CATEGORIES];
        let mut counts = vec![[0.0; CATEGORIES]; new.numbers.len()];
        for lesson in lessons {
            let Some(index) = Category::ALL.iter().position(|known| *known == lesson.category) else { continue };
            if let Some(count) = docs.get_mut(index) {
                *count += 1.0;
            }
            for number in new.told_by(lesson, vocabulary) {
                if counts.len() <= number as usize {
                    counts.resize(number as usize + 1, [0.0; CATEGORIES]);
                }
                if let Some(count) = counts.get_mut(number as usize).and_then(|counts| counts.get_mut(index)) {
                    *count += 1.0;
                }
            }
        }
        new.odds = counts.iter().map(|counts| odds(counts, &docs)).collect();
        new
    }

    /// The numbers of the words and pairs of a lesson, each once; new pairs get theirs.
    fn told_by(&mut self, lesson: &Lesson, vocabulary: &Vocabulary) -> BTreeSet<u32> {
        let mut told = BTreeSet::new();
        for text in &lesson.texts {
            let mut before = None;
            for (index, token) in text.tokens.list.iter().enumerate() {
                let number = self.number(vocabulary, text.tokens.word(token));
                let is_denied = text.is_denied(index);
                told.extend(number.filter(|_| !is_denied));
                if let (Some(first), Some(second)) = (if is_denied { Some(DENIED) } else { before }, number) {
                    let next = u32::try_from(self.numbers.len() + self.pairs.len()).unwrap_or(UNLIKE);
                    told.insert(*self.pairs.entry(pair(first, second)).or_insert(next));
                }
                before = number.filter(|_| !is_denied);
            }
        }
        told
    }

    /// Whether there were examples enough to learn from.
    pub const fn is_taught(&self) -> bool {
        !self.odds.is_empty()
    }

    /// The number of a word among those of the examples.
    pub fn number(&self, vocabulary: &Vocabulary, word: &str) -> Option<u32> {
        self.numbers.get(key(vocabulary, word)?).copied()
    }

    /// What the words of the places say, for each category.
    pub fn lean(&self, texts: &[Prose], reader: &Reader<'_>, factors: &[f64]) -> Vec<Leaning> {
        let mut seen = vec![0_u64; self.odds.len().div_ceil(64)];
        let mut told: Vec<(Hit, &Odds)> = Vec::new();
        let (mut known, mut read) = (0, 0);
        for text in texts {
            let Prose { place, tokens, words, .. } = text;
            // What is quoted or enclosed counts where the new text is short, as with rules.
            let factor = factors.get(*place).copied().unwrap_or(0.0);
            let counts = matches!(*place, SUBJECT | NEW) || (*place == QUOTED && factor >= 0.6) || (*place == ATTACHMENT && factor >= 1.0);
            if !counts {
                continue;
            }
            let mut tell = |first: &Token, last: &Token, number: u32| {
                let bit = 1 << (number % u64::BITS);
                if let Some(seen) = seen.get_mut((number / u64::BITS) as usize).filter(|seen| **seen & bit == 0)
                    && let Some(odds) = self.odds.get(number as usize)
                {
                    *seen |= bit;
                    told.push((hit(*place, first, last), odds));
                }
            };
            let mut before: Option<(&Token, u32)> = None;
            for (index, (token, word)) in tokens.list.iter().zip(words).enumerate() {
                let number = reader.likeness(*word);
                if number == UNLIKE {
                    read += usize::from(index < PAIRS_MAX && !tokens.word(token).starts_with(|c: char| c.is_ascii_digit()));
                    before = None;
                    continue;
                }
                if text.is_denied(index) {
                    if let Some(denied) = self.pairs.get(&pair(DENIED, number)).filter(|_| index < PAIRS_MAX) {
                        tell(token, token, *denied);
                    }
                    (known, read) = (known + 1, read + 1);
                    before = None;
                    continue;
                }
                tell(token, token, number);
                if index < PAIRS_MAX {
                    if let Some((first, one)) = before
                        && let Some(pair) = self.pairs.get(&pair(one, number))
                    {
                        tell(first, token, *pair);
                    }
                    known += 1;
                    read += 1;
                }
                before = Some((token, number));
            }
        }
        if known < KNOWN_MIN || known * KNOWN_SHARE < read {
            return vec![Leaning::default(); CATEGORIES];
        }
        let mut sums = [0.0; CATEGORIES];
        for (_, odds) in &told {
            sums.iter_mut().zip(odds.of).for_each(|(sum, odds)| *sum += odds * self.scale);
        }
        let (best, second) = sums.iter().fold((f64::MIN, f64::MIN), |(best, second), sum| (best.max(*sum), second.max(sum.min(best))));
        let lift = ((best - second).min(LEAD_MAX) - best).max(0.0);
        sums.iter().enumerate().map(|(category, sum)| leaning(category, (sum + lift).clamp(-SCORE_MAX, SCORE_MAX), &told)).collect()
    }
}

/// What is shown of the words that lean a mail to a category.
fn leaning(category: usize, adds: f64, told: &[(Hit, &Odds)]) -> Leaning {
    let of = |odds: &Odds| odds.of.get(category).copied().unwrap_or(0.0);
    if adds <= 0.0 {
        // What speaks against a kind is that its words are missing: there is nothing to show.
        return Leaning { adds, hits: Vec::new() };
    }
    // What few examples hold may stand there by chance, and short words explain nothing.
    let is_telling = |hit: &Hit, odds: &Odds| odds.seen >= TELLING_MIN && of(odds) > 0.5 && hit.end - hit.start >= SHOWN_BYTES_MIN;
    let mut best: Vec<_> = told.iter().filter(|(hit, odds)| is_telling(hit, odds)).collect();
    let weight = |odds: &Odds| of(odds) * odds.seen_ln;
    let by_weight = |one: &&(Hit, &Odds), other: &&(Hit, &Odds)| {
        weight(other.1).total_cmp(&weight(one.1)).then((one.0.place, one.0.start).cmp(&(other.0.place, other.0.start)))
    };
    if best.len() > 4 * SHOWN_MAX {
        best.select_nth_unstable_by(4 * SHOWN_MAX, by_weight);
        best.truncate(4 * SHOWN_MAX);
    }
    best.sort_by(by_weight);
    let mut hits: Vec<Hit> = Vec::new();
    for (hit, _) in best {
        let is_apart = hits.iter().all(|other| other.place != hit.place || hit.end <= other.start || hit.start >= other.end);
        if is_apart && hits.len() < SHOWN_MAX {
            hits.push(*hit);
        }
    }
    Leaning { adds, hits }
}

/// The log-odds for each category of a word that so many examples of each hold.
fn odds(counts: &[f64; CATEGORIES], docs: &[f64; CATEGORIES]) -> Odds {
    let (seen, all): (f64, f64) = (counts.iter().sum(), docs.iter().sum());
    let prior = PRIOR_WORDS * seen / all;
    let mut of = [0.0; CATEGORIES];
    for ((odds, count), docs) in of.iter_mut().zip(counts).zip(docs) {
        let inside = (count + prior * docs + 0.05) / (docs + 0.5);
        let outside = (seen - count + prior * (all - docs) + 0.05) / (all - docs + 0.5);
        *odds = (inside / outside).ln().clamp(ODDS_MIN, ODDS_MAX);
    }
    Odds { of, seen, seen_ln: seen.ln() }
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

/// Two words in a row as one key, which is hashed in one step.
fn pair(first: u32, second: u32) -> u64 {
    u64::from(first) << u32::BITS | u64::from(second)
}

fn hit(place: usize, first: &Token, last: &Token) -> Hit {
    Hit { pattern: u32::MAX, place, start: first.start, end: last.end, first: first.position, last: last.position, is_denied: false }
}
