//! What a word of a mail stands for, looked up once for each different word: the phrases of the rules
//! that it begins or goes on with, and the word of the examples that it is. Words that examples hold
//! are known beforehand; of others the affixes are taken off.

use super::likeness::Likeness;
use super::vocabulary::{PatternId, ROOT, TermId, Vocabulary, mask};
use super::words::{Token, Tokens};
use crate::extract::short;
use rustc_hash::FxHashMap;

/// Different words of one mail that are remembered; past them all are forgotten and looked up again, so
/// that a megabyte of words that nobody ever wrote costs time in its measure, and no memory.
const REMEMBERED_MAX: usize = 1 << 14;
/// In place of a likeness: the examples hold no such word.
pub const UNLIKE: u32 = u32::MAX;
/// The number of each word that stands for nothing.
pub const NOTHING: WordId = 0;

/// The number of what a word stands for.
pub type WordId = u32;

/// What one word stands for.
#[derive(Debug, Clone, Copy)]
pub struct Meaning {
    /// Where its beginnings and its terms stand in the lists of its [`Words`].
    begins: (u32, u32),
    terms: (u32, u32),
    /// Its number among the words of the examples, or [`UNLIKE`].
    pub likeness: u32,
    /// Whether a phrase that it alone is denies.
    pub denies: bool,
    /// What all phrases that it begins want next.
    pub wants: u64,
}

const MEANS_NOTHING: Meaning = Meaning { begins: (0, 0), terms: (0, 0), likeness: UNLIKE, denies: false, wants: 0 };

/// A phrase that begins with the word.
#[derive(Debug, Clone, Copy)]
pub struct Begin {
    /// The pattern that the word alone is.
    pub pattern: Option<PatternId>,
    /// The node of the tree from which longer ones go on, with what they want there.
    pub node: u32,
    pub wants: u64,
}

/// Words and what they stand for.
#[derive(Debug, Default)]
struct Words {
    short: FxHashMap<u128, WordId>,
    long: FxHashMap<Box<str>, WordId>,
    meanings: Vec<Meaning>,
    /// The terms of each meaning as one mask: asked of every second word, and most answers are no.
    masks: Vec<u64>,
    begins: Vec<Begin>,
    /// The terms with which a phrase can go on.
    terms: Vec<TermId>,
}

impl Words {
    fn find(&self, tokens: &Tokens, token: &Token) -> Option<WordId> {
        match tokens.short(token) {
            Some(number) => self.short.get(&number),
            None => self.long.get(tokens.word(token)),
        }
        .copied()
    }

    /// Looks a new word up; `before` is the number of words that others hold.
    fn add(&mut self, vocabulary: &Vocabulary, likeness: &Likeness, word: &str, before: usize, buffer: &mut Vec<TermId>) -> WordId {
        vocabulary.terms_of(word, buffer);
        let (begins, terms) = (self.begins.len(), self.terms.len());
        for term in buffer.iter() {
            if let Some((number, node)) = vocabulary.step(ROOT, *term) {
                self.begins.push(Begin { pattern: node.ends, node: number, wants: node.wants });
            }
            if vocabulary.is_inner(*term) {
                self.terms.push(*term);
            }
        }
        let own = self.begins.get(begins..).unwrap_or_default();
        let meaning = Meaning {
            denies: own.iter().any(|begin| begin.pattern.is_some_and(|pattern| vocabulary.denial(pattern).is_some())),
            wants: own.iter().fold(0, |all, begin| all | begin.wants),
            begins: (as_u32(begins), as_u32(self.begins.len())),
            terms: (as_u32(terms), as_u32(self.terms.len())),
            likeness: likeness.number(vocabulary, word).unwrap_or(UNLIKE),
        };
        let is_nothing = begins == self.begins.len() && terms == self.terms.len() && meaning.likeness == UNLIKE;
        let id = if is_nothing { NOTHING } else { as_u32(before + self.meanings.len()) };
        if !is_nothing {
            let own = self.terms.get(terms..).unwrap_or_default();
            self.masks.push(own.iter().fold(0, |all, term| all | mask(*term)));
            self.meanings.push(meaning);
        }
        match short::of(word) {
            Some(number) => self.short.insert(number, id),
            None => self.long.insert(word.into(), id),
        };
        id
    }
}

/// The words that are known beforehand.
#[derive(Debug, Default)]
pub struct Lexicon(Words);

impl Lexicon {
    /// Looks these words up, which mails are likely to hold.
    pub fn new<'a>(vocabulary: &Vocabulary, likeness: &Likeness, words: impl Iterator<Item = &'a str>) -> Self {
        let mut known = Words { meanings: vec![MEANS_NOTHING], masks: vec![0], ..Words::default() };
        let mut buffer = Vec::new();
        for word in words {
            let is_known = match short::of(word) {
                Some(number) => known.short.contains_key(&number),
                None => known.long.contains_key(word),
            };
            if !is_known {
                known.add(vocabulary, likeness, word, 0, &mut buffer);
            }
        }
        Self(known)
    }
}

/// The meanings of the words of one mail.
#[derive(Debug)]
pub struct Reader<'a> {
    known: &'a Words,
    vocabulary: &'a Vocabulary,
    likeness: &'a Likeness,
    /// Words that the lexicon does not hold.
    own: Words,
    buffer: Vec<TermId>,
}

impl<'a> Reader<'a> {
    pub fn new(lexicon: &'a Lexicon, vocabulary: &'a Vocabulary, likeness: &'a Likeness) -> Self {
        Self { known: &lexicon.0, vocabulary, likeness, own: Words::default(), buffer: Vec::new() }
    }

    /// What each token stands for, in their order.
    pub fn read(&mut self, tokens: &Tokens) -> Vec<WordId> {
        tokens.list.iter().map(|token| self.number(tokens, token)).collect()
    }

    fn number(&mut self, tokens: &Tokens, token: &Token) -> WordId {
        if let Some(known) = self.known.find(tokens, token).or_else(|| self.own.find(tokens, token)) {
            return known;
        }
        if self.own.short.len() + self.own.long.len() >= REMEMBERED_MAX {
            self.own.short.clear();
            self.own.long.clear();
        }
        self.own.add(self.vocabulary, self.likeness, tokens.word(token), self.known.meanings.len(), &mut self.buffer)
    }

    /// Where a word stands.
    fn place(&self, word: WordId) -> (&Words, usize) {
        let (at, known) = (word as usize, self.known.meanings.len());
        if at < known { (self.known, at) } else { (&self.own, at - known) }
    }

    /// How many words stand for something; each has a lower number.
    pub fn meanings(&self) -> usize {
        self.known.meanings.len() + self.own.meanings.len()
    }

    /// What a word stands for, and the phrases that it begins.
    pub fn meaning(&self, word: WordId) -> (&Meaning, &[Begin]) {
        let (words, at) = self.place(word);
        let meaning = words.meanings.get(at).unwrap_or(&MEANS_NOTHING);
        let (from, to) = meaning.begins;
        (meaning, words.begins.get(from as usize..to as usize).unwrap_or_default())
    }

    /// The terms with which a word goes on in phrases, as one mask.
    pub fn mask(&self, word: WordId) -> u64 {
        let (words, at) = self.place(word);
        words.masks.get(at).copied().unwrap_or_default()
    }

    /// The terms with which a word goes on in a phrase.
    pub fn terms(&self, word: WordId) -> &[TermId] {
        let (words, at) = self.place(word);
        let (from, to) = words.meanings.get(at).map_or((0, 0), |meaning| meaning.terms);
        words.terms.get(from as usize..to as usize).unwrap_or_default()
    }

    /// The number of a word among those of the examples, or [`UNLIKE`].
    pub fn likeness(&self, word: WordId) -> u32 {
        let (words, at) = self.place(word);
        words.meanings.get(at).map_or(UNLIKE, |meaning| meaning.likeness)
    }
}

fn as_u32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
