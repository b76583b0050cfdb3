//! One pass over the texts of a mail: which words of the rule set stand where, and which of them
//! are denied ("bukan phishing", "tidak ada data yang bocor", "not a DDoS").

use super::compile::{Compiled, Denial, SetId};
use super::vocabulary::{PatternId, TermId};
use super::words::Tokens;
use std::collections::HashMap;

/// Hits of one set kept for a place: a word that stands there a hundred times says no more than that.
const HITS_MAX: usize = 100;
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

/// All hits of a mail, by set; within a set by place, then by position.
pub type Hits = HashMap<SetId, Vec<Hit>>;

/// Adds the hits of one text. `is_prose` is false for links and names, where nothing is denied.
pub fn scan(compiled: &Compiled, place: usize, tokens: &Tokens, is_prose: bool, into: &mut Hits) {
    let terms = terms(compiled, tokens);
    let mut found: Vec<(usize, usize, PatternId)> = Vec::new();
    for start in 0..tokens.list.len() {
        walk(compiled, &terms, start, start, 0, &mut found);
    }
    let denied = if is_prose { denied(compiled, tokens, &found) } else { vec![false; tokens.list.len()] };
    for (start, end, pattern) in found {
        let (Some(first), Some(last)) = (tokens.list.get(start), tokens.list.get(end - 1)) else { continue };
        let hit = Hit {
            pattern,
            place,
            start: first.start,
            end: last.end,
            first: first.position,
            last: last.position,
            is_denied: denied.get(start).copied().unwrap_or(false),
        };
        for set in compiled.sets_of.get(pattern as usize).into_iter().flatten() {
            let hits = into.entry(*set).or_default();
            if hits.len() < HITS_MAX || hits.iter().rev().take(HITS_MAX).any(|hit| hit.place != place) {
                hits.push(hit);
            }
        }
    }
}

/// The terms of each token; a token that was seen before is not looked up again.
fn terms(compiled: &Compiled, tokens: &Tokens) -> Vec<std::rc::Rc<[TermId]>> {
    let mut known: HashMap<&str, std::rc::Rc<[TermId]>> = HashMap::new();
    let mut buffer = Vec::new();
    let mut all = Vec::with_capacity(tokens.list.len());
    for token in &tokens.list {
        let word = tokens.word(token);
        let terms = known.entry(word).or_insert_with(|| {
            compiled.vocabulary.terms_of(word, &mut buffer);
            buffer.as_slice().into()
        });
        all.push(std::rc::Rc::clone(terms));
    }
    all
}

/// Follows the tree of words from one token on. A token has few terms and a phrase few words, so
/// the work at each token is bounded.
fn walk(
    compiled: &Compiled,
    terms: &[std::rc::Rc<[TermId]>],
    start: usize,
    at: usize,
    node: u32,
    found: &mut Vec<(usize, usize, PatternId)>,
) {
    for term in terms.get(at).into_iter().flat_map(|terms| terms.iter()) {
        if let Some((next, end)) = compiled.vocabulary.step(node, *term) {
            if let Some(pattern) = end {
                found.push((start, at + 1, pattern));
            }
            walk(compiled, terms, start, at + 1, next, found);
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
