//! What a word of a mail stands for, looked up once: the terms that rules write, and the word of the
//! examples that it is. Words that examples hold are known beforehand; of others the affixes are
//! taken off, and the last few hundred are remembered.

use super::likeness::Likeness;
use super::vocabulary::{TermId, Vocabulary};
use super::words::Tokens;
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::hash::BuildHasher;

/// Words of one mail that are remembered; a newer one takes the place of an older. A power of two.
const REMEMBERED: usize = 1 << 10;
/// In place of a likeness: the examples hold no such word.
pub const UNLIKE: u32 = u32::MAX;

/// What one word stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// Its terms: from here …
    from: u32,
    /// … to here in the terms of the lexicon, and after those in the terms of the mail.
    to: u32,
    /// Its number among the words of the examples, or [`UNLIKE`].
    pub likeness: u32,
}

/// The words that are known beforehand.
#[derive(Debug, Default)]
pub struct Lexicon {
    known: FxHashMap<Box<str>, Meaning>,
    terms: Vec<TermId>,
}

impl Lexicon {
    /// Looks these words up, which mails are likely to hold.
    pub fn new<'a>(vocabulary: &Vocabulary, likeness: &Likeness, words: impl Iterator<Item = &'a str>) -> Self {
        let mut new = Self::default();
        let mut buffer = Vec::new();
        for word in words {
            if !new.known.contains_key(word) {
                let meaning = meaning(vocabulary, likeness, word, 0, &mut new.terms, &mut buffer);
                new.known.insert(word.into(), meaning);
            }
        }
        new
    }
}

fn meaning(
    vocabulary: &Vocabulary,
    likeness: &Likeness,
    word: &str,
    before: usize,
    into: &mut Vec<TermId>,
    buffer: &mut Vec<TermId>,
) -> Meaning {
    vocabulary.terms_of(word, buffer);
    let from = as_u32(before + into.len());
    into.extend_from_slice(buffer);
    Meaning { from, to: as_u32(before + into.len()), likeness: likeness.number(vocabulary, word).unwrap_or(UNLIKE) }
}

/// The meanings of the words of one mail.
#[derive(Debug)]
pub struct Reader<'a> {
    lexicon: &'a Lexicon,
    vocabulary: &'a Vocabulary,
    likeness: &'a Likeness,
    /// Terms of words that the lexicon does not hold.
    terms: Vec<TermId>,
    remembered: Vec<Option<(Box<str>, Meaning)>>,
    buffer: Vec<TermId>,
}

impl<'a> Reader<'a> {
    pub fn new(lexicon: &'a Lexicon, vocabulary: &'a Vocabulary, likeness: &'a Likeness) -> Self {
        Self { lexicon, vocabulary, likeness, terms: Vec::new(), remembered: Vec::new(), buffer: Vec::new() }
    }

    /// What each token stands for, in their order.
    pub fn read(&mut self, tokens: &Tokens) -> Vec<Meaning> {
        tokens.list.iter().map(|token| self.meaning(tokens.word(token))).collect()
    }

    /// The terms of a meaning.
    pub fn terms(&self, meaning: Meaning) -> &[TermId] {
        let (from, to, known) = (meaning.from as usize, meaning.to as usize, self.lexicon.terms.len());
        if from < known { self.lexicon.terms.get(from..to) } else { self.terms.get(from - known..to - known) }.unwrap_or_default()
    }

    fn meaning(&mut self, word: &str) -> Meaning {
        if let Some(known) = self.lexicon.known.get(word) {
            return *known;
        }
        if self.remembered.is_empty() {
            self.remembered.resize(REMEMBERED, None);
        }
        // Whoever writes words that fall on one place makes this forget, and costs what new words cost.
        let place = usize::try_from(FxBuildHasher.hash_one(word)).unwrap_or_default() & (REMEMBERED - 1);
        if let Some(Some((remembered, meaning))) = self.remembered.get(place)
            && **remembered == *word
        {
            return *meaning;
        }
        let meaning = meaning(self.vocabulary, self.likeness, word, self.lexicon.terms.len(), &mut self.terms, &mut self.buffer);
        if let Some(slot) = self.remembered.get_mut(place) {
            *slot = Some((word.into(), meaning));
        }
        meaning
    }
}

fn as_u32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
