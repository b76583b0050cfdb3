//! One pass over the texts of a mail: which words of the rule set stand where, and which of them
//! are denied ("bukan phishing", "tidak ada data yang bocor", "not a DDoS").

use super::compile::{Compiled, Denial, SetId};
use super::lexicon::{Meaning, Reader};
use super::vocabulary::{PatternId, ROOT};
use super::words::Tokens;
use std::cell::OnceCell;

/// Hits of one word or phrase kept for a place: what stands there a hundred times says no more than that.
const HITS_MAX: u32 = 100;
/// How far a denial reaches, in words: "tidak ada satu pun berkas kami yang terkunci".
const REACH: usize = 7;
/// How far "tidak bisa" reaches: what cannot be done is the next word or two.
const REACH_SHORT: usize = 2;
/// How far a mistaken first thought reaches: "awalnya kami kira ini hanya serangan DDoS".
const REACH_DOUBT: usize = 9;
/// After a comma a denial goes on only where "or" follows so soon: "no malware, leak or intrusion".
const ENUMERATION: usize = 4;
/// How far back "… tidak ditemukan" reaches.
const REACH_BACK: usize = 4;
/// The end of a chain.
const NONE: u32 = u32::MAX;

/// A word of the rule set in a text of the mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    pub pattern: PatternId,
    pub place: usize,
    /// Bytes of the place's text.
    pub start: u32,
    pub end: u32,
    /// Ordinals of the first and the last word.
    pub first: u32,
    pub last: u32,
    pub is_denied: bool,
}

/// All hits of a mail. They are kept once, by word or phrase; those of a set are put together when a
/// rule asks for them, so that a word that many rules know costs no more than another.
#[derive(Debug)]
pub struct Hits {
    /// By place, then by position.
    all: Vec<Hit>,
    /// The hits of a pattern, newest first.
    of_pattern: Chains,
    /// The last place with a hit of a pattern, and how many it has.
    counts: Vec<(usize, u32)>,
    /// The patterns of a set that were hit.
    of_set: Chains,
    /// The hits of a set in the order of `all`, once they were asked for.
    together: Vec<OnceCell<Vec<Hit>>>,
    /// The sets with a hit.
    touched: Vec<SetId>,
}

/// Lists of numbers, one for each key, in two allocations.
#[derive(Debug, Default)]
struct Chains {
    heads: Vec<u32>,
    links: Vec<(u32, u32)>,
}

impl Chains {
    fn new(keys: usize) -> Self {
        Self { heads: vec![NONE; keys], links: Vec::new() }
    }

    /// Adds a value; whether it is the first of its key.
    fn push(&mut self, key: u32, value: u32) -> bool {
        let Some(head) = self.heads.get_mut(key as usize) else { return false };
        let is_first = *head == NONE;
        self.links.push((value, *head));
        *head = u32::try_from(self.links.len() - 1).unwrap_or(NONE);
        is_first
    }

    /// The values of a key, newest first.
    fn of(&self, key: u32) -> impl Iterator<Item = u32> + '_ {
        let link = |at: &u32| self.links.get(*at as usize).copied();
        let first = self.heads.get(key as usize).and_then(link);
        std::iter::successors(first, move |(_, next)| link(next)).map(|(value, _)| value)
    }
}

impl Hits {
    pub fn new(compiled: &Compiled) -> Self {
        let (patterns, sets) = (compiled.vocabulary.patterns(), compiled.sets);
        Self {
            all: Vec::new(),
            of_pattern: Chains::new(patterns),
            counts: vec![(0, 0); patterns],
            of_set: Chains::new(sets),
            together: std::iter::repeat_with(OnceCell::new).take(sets).collect(),
            touched: Vec::new(),
        }
    }

    /// The sets of which a word was seen.
    pub fn touched(&self) -> &[SetId] {
        &self.touched
    }

    /// The hits of a set, by place, then by position.
    pub fn of(&self, set: SetId) -> &[Hit] {
        let Some(cell) = self.together.get(set as usize) else { return &[] };
        cell.get_or_init(|| {
            let mut indices: Vec<u32> = self.of_set.of(set).flat_map(|pattern| self.of_pattern.of(pattern)).collect();
            indices.sort_unstable();
            indices.into_iter().filter_map(|index| self.all.get(index as usize).copied()).collect()
        })
    }

    fn add(&mut self, compiled: &Compiled, hit: Hit) {
        let Some(count) = self.counts.get_mut(hit.pattern as usize) else { return };
        *count = if count.0 == hit.place { (count.0, count.1 + 1) } else { (hit.place, 1) };
        if count.1 > HITS_MAX {
            return;
        }
        let index = u32::try_from(self.all.len()).unwrap_or(NONE);
        self.all.push(hit);
        if self.of_pattern.push(hit.pattern, index) {
            for set in compiled.sets_of.get(hit.pattern as usize).into_iter().flatten() {
                if self.of_set.push(*set, hit.pattern) {
                    self.touched.push(*set);
                }
            }
        }
    }
}

/// Adds the hits of one text, whose words stand for `meanings`. `is_prose` is false for links and
/// names, where nothing is denied.
pub fn scan(
    compiled: &Compiled,
    place: usize,
    tokens: &Tokens,
    meanings: &[Meaning],
    reader: &Reader<'_>,
    is_prose: bool,
    into: &mut Hits,
) {
    let mut found: Vec<(usize, usize, PatternId)> = Vec::new();
    let mut has_denial = false;
    for start in 0..tokens.list.len() {
        let from = found.len();
        walk(compiled, meanings, reader, start, start, ROOT, &mut found);
        has_denial |= found.iter().skip(from).any(|(_, _, pattern)| compiled.denial_of.contains_key(pattern));
    }
    let denied = if is_prose && has_denial { denied(compiled, tokens, &found) } else { Vec::new() };
    for (start, end, pattern) in found {
        let (Some(first), Some(last)) = (tokens.list.get(start), tokens.list.get(end - 1)) else { continue };
        let is_denied = denied.get(start).copied().unwrap_or(false);
        let hit = Hit { pattern, place, start: first.start, end: last.end, first: first.position, last: last.position, is_denied };
        into.add(compiled, hit);
    }
}

/// Follows the tree of words from one token on. A token has few terms and a phrase few words, so
/// the work at each token is bounded.
fn walk(
    compiled: &Compiled,
    meanings: &[Meaning],
    reader: &Reader<'_>,
    start: usize,
    at: usize,
    node: u32,
    found: &mut Vec<(usize, usize, PatternId)>,
) {
    let Some(meaning) = meanings.get(at) else { return };
    for term in reader.terms(*meaning) {
        if let Some((next, end)) = compiled.vocabulary.step(node, *term) {
            if let Some(pattern) = end {
                found.push((start, at + 1, pattern));
            }
            walk(compiled, meanings, reader, start, at + 1, next, found);
        }
    }
}

/// Which tokens stand in the reach of a denial.
fn denied(compiled: &Compiled, tokens: &Tokens, found: &[(usize, usize, PatternId)]) -> Vec<bool> {
    let mut denied = vec![false; tokens.list.len()];
    let mut marks: Vec<(usize, usize, Denial)> = Vec::new();
    for (start, end, pattern) in found {
        if let Some(denial) = compiled.denial_of.get(pattern) {
            match marks.last_mut() {
                // "tidak bisa" is not "tidak": the longest of those that begin together.
                Some(last) if last.0 == *start => {
                    if *end > last.1 {
                        *last = (*start, *end, *denial);
                    }
                }
                // "bisa" inside "tidak bisa", "tidak" inside "bukan tidak".
                Some(last) if last.1 > *start => {}
                _ => marks.push((*start, *end, *denial)),
            }
        }
    }
    let mut ends = vec![false; tokens.list.len()];
    for (start, end, denial) in &marks {
        if *denial != Denial::After {
            ends.iter_mut().take(*end).skip(*start).for_each(|token| *token = true);
        }
    }
    for (start, end, denial) in &marks {
        match denial {
            Denial::Before if is_last(tokens, *end) => backward(tokens, &ends, *start, &mut denied),
            Denial::Before => forward(tokens, &ends, *end, REACH, &mut denied),
            Denial::BeforeShort => forward(tokens, &ends, *end, REACH_SHORT, &mut denied),
            Denial::Doubt => forward(tokens, &ends, *end, REACH_DOUBT, &mut denied),
            Denial::After => backward(tokens, &ends, *start, &mut denied),
            Denial::Never | Denial::Ends => {}
        }
    }
    denied
}

/// Whether a sentence is over before this token: "kebocoran data tidak ada."
fn is_last(tokens: &Tokens, end: usize) -> bool {
    let sentence = |index: usize| tokens.list.get(index).map(|token| token.sentence);
    end > 0 && sentence(end) != sentence(end - 1)
}

/// Words that carry a denial over a comma.
const ENUMERATES: &[&str] = &["atau", "ataupun", "maupun", "or", "nor"];

fn forward(tokens: &Tokens, ends: &[bool], from: usize, reach: usize, denied: &mut [bool]) {
    let Some(sentence) = from.checked_sub(1).and_then(|before| tokens.list.get(before)).map(|token| token.sentence) else { return };
    let mut left = reach;
    for (index, token) in tokens.list.iter().enumerate().skip(from) {
        if left == 0 || token.sentence != sentence || ends.get(index).copied().unwrap_or(true) {
            return;
        }
        if token.after_comma {
            let follows = |word: &str| ENUMERATES.contains(&word);
            if !tokens.list.iter().skip(index).take(ENUMERATION).any(|token| follows(tokens.word(token))) {
                return;
            }
            left = left.max(ENUMERATION);
        }
        if let Some(token) = denied.get_mut(index) {
            *token = true;
        }
        left -= 1;
    }
}

fn backward(tokens: &Tokens, ends: &[bool], before: usize, denied: &mut [bool]) {
    let Some(sentence) = tokens.list.get(before).map(|token| token.sentence) else { return };
    for index in (before.saturating_sub(REACH_BACK)..before).rev() {
        let Some(token) = tokens.list.get(index) else { return };
        if token.sentence != sentence || ends.get(index).copied().unwrap_or(true) {
            return;
        }
        if let Some(slot) = denied.get_mut(index) {
            *slot = true;
        }
        if token.after_comma {
            return;
        }
    }
}
