//! The words of a rule set as numbers, so that a text is gone through once for all rules: a token
//! becomes the terms that it can stand for, a sequence of terms is a pattern in one tree.

use super::affix::{self, Beginnings};
use super::words;
use rustc_hash::FxHashMap;

/// A word as a rule writes it: with affixes (`retas`), as it stands (`=retas`), or its beginning (`retas*`).
pub type TermId = u32;
/// A word or phrase.
pub type PatternId = u32;

/// Words of a phrase; longer ones are sentences, and no reporter repeats a sentence.
const PHRASE_WORDS_MAX: usize = 8;
/// The root of the tree of phrases.
pub const ROOT: u32 = 0;
/// Shortest beginning that `*` may stand after.
const PREFIX_MIN: usize = 3;

/// What a word does to the words around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    Before,
    BeforeShort,
    After,
    /// "tidak ditemukan malware", "malware tidak ditemukan".
    Both,
    /// What denies before, and asks at a sentence's end: "ini phishing bukan".
    BeforeOrAsks,
    Never,
    Doubt,
    Ends,
}

/// A node of the tree of phrases.
#[derive(Debug, Clone, Copy, Default)]
pub struct Node {
    /// The pattern that ends here.
    pub ends: Option<PatternId>,
    /// The terms with which longer patterns go on from here, as [`mask`]s; nought where none does.
    pub wants: u64,
}

/// A term as one bit, so that one comparison tells that none of some terms is among others.
pub fn mask(term: TermId) -> u64 {
    1 << (term % u64::BITS)
}

/// The way from a node by a term, as one key, which is hashed in one step.
fn branch(node: u32, term: TermId) -> u64 {
    u64::from(node) << u32::BITS | u64::from(term)
}

/// What a stem stands for.
#[derive(Debug, Clone, Copy, Default)]
struct Stem {
    own: Option<TermId>,
    /// The term of the word that it is another spelling of.
    of_usual: Option<TermId>,
}

#[derive(Debug, Default)]
pub struct Vocabulary {
    stems: FxHashMap<Box<str>, Stem>,
    stem_beginnings: Beginnings,
    exact: FxHashMap<Box<str>, TermId>,
    prefixes: FxHashMap<Box<str>, TermId>,
    prefix_beginnings: Beginnings,
    /// Which lengths the prefixes have, so that only those are cut off and looked up.
    prefix_lengths: Vec<usize>,
    spelling: FxHashMap<Box<str>, Box<str>>,
    /// The other spellings of a usual one.
    others: FxHashMap<Box<str>, Vec<Box<str>>>,
    terms: TermId,
    /// Where a term leads from the root of the tree, by term; most words of a mail end there.
    firsts: Vec<u32>,
    branches: FxHashMap<u64, u32>,
    nodes: Vec<Node>,
    /// Which terms stand anywhere but at the beginning of a phrase, by term.
    inner: Vec<bool>,
    /// What each pattern denies.
    denials: Vec<Option<Denial>>,
}

impl Vocabulary {
    /// An empty vocabulary with these other spellings: `usual -> [others]`.
    pub fn new<'a>(spelling: impl Iterator<Item = (&'a String, &'a Vec<String>)>) -> Self {
        let mut new = Self { nodes: vec![Node::default()], ..Self::default() };
        for (usual, others) in spelling {
            for other in others {
                new.spelling.insert(words::folded(other).into(), words::folded(usual).into());
            }
        }
        for (other, usual) in &new.spelling {
            new.others.entry(usual.clone()).or_default().push(other.clone());
        }
        new
    }

    /// The pattern of a phrase; the same phrase is the same pattern.
    ///
    /// # Errors
    /// A phrase without words, with too many, or with a `*` after too little.
    pub fn pattern(&mut self, phrase: &str, must_be_exact: bool) -> Result<PatternId, String> {
        let mut node = ROOT;
        let mut count = 0;
        for piece in phrase.split_whitespace() {
            let is_exact = must_be_exact || piece.starts_with('=');
            let is_prefix = piece.ends_with('*');
            let parts = words::prose(piece.trim_matches(['=', '*']));
            let parts: Vec<&str> = parts.list.iter().map(|token| parts.word(token)).collect();
            let last = parts.len().saturating_sub(1);
            for (index, part) in parts.iter().enumerate() {
                count += 1;
                let term = if is_prefix && index == last {
                    if part.len() < PREFIX_MIN {
                        return Err(format!("'{phrase}': '*' needs at least {PREFIX_MIN} letters before it"));
                    }
                    self.prefix_term(part)
                } else {
                    self.term(part, is_exact)
                };
                node = self.branch(node, term);
            }
        }
        if count == 0 {
            return Err(format!("'{phrase}' holds no word"));
        }
        if count > PHRASE_WORDS_MAX {
            return Err(format!("'{phrase}' is longer than {PHRASE_WORDS_MAX} words"));
        }
        let next = PatternId::try_from(self.denials.len()).unwrap_or(PatternId::MAX);
        let node = self.nodes.get_mut(node as usize).ok_or("the tree of words is broken")?;
        if node.ends.is_none() {
            node.ends = Some(next);
            self.denials.push(None);
        }
        node.ends.ok_or_else(|| "the tree of words is broken".to_owned())
    }

    /// How many patterns there are.
    pub fn patterns(&self) -> usize {
        self.denials.len()
    }

    /// Makes a pattern deny the words around it.
    pub fn deny(&mut self, pattern: PatternId, denial: Denial) {
        if let Some(slot) = self.denials.get_mut(pattern as usize) {
            *slot = Some(denial);
        }
    }

    /// What a pattern does to the words around it.
    pub fn denial(&self, pattern: PatternId) -> Option<Denial> {
        self.denials.get(pattern as usize).copied().flatten()
    }

    fn next_term(&mut self) -> TermId {
        self.terms += 1;
        self.terms
    }

    fn term(&mut self, word: &str, is_exact: bool) -> TermId {
        let word = self.spelling.get(word).map_or(word, |usual| usual).to_owned();
        let known = if is_exact { self.exact.get(word.as_str()).copied() } else { self.root(&word) };
        if let Some(term) = known {
            return term;
        }
        let term = self.next_term();
        if is_exact {
            self.exact.insert(word.into(), term);
        } else {
            self.add_root(word.into(), term);
        }
        term
    }

    fn add_root(&mut self, word: Box<str>, term: TermId) {
        for other in self.others.get(&word).into_iter().flatten() {
            self.stem_beginnings.add(other);
            self.stems.entry(other.clone()).or_default().of_usual = Some(term);
        }
        self.stem_beginnings.add(&word);
        self.stems.entry(word).or_default().own = Some(term);
    }

    /// The term of a word that rules name with its affixes.
    fn root(&self, word: &str) -> Option<TermId> {
        self.stems.get(word)?.own
    }

    fn prefix_term(&mut self, part: &str) -> TermId {
        if let Some(term) = self.prefixes.get(part) {
            return *term;
        }
        let term = self.next_term();
        self.prefixes.insert(part.into(), term);
        self.prefix_beginnings.add(part);
        if !self.prefix_lengths.contains(&part.len()) {
            self.prefix_lengths.push(part.len());
        }
        term
    }

    fn branch(&mut self, node: u32, term: TermId) -> u32 {
        if let Some((next, _)) = self.step(node, term) {
            return next;
        }
        let next = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        self.nodes.push(Node::default());
        let at = term as usize;
        if node == ROOT {
            self.firsts.resize(self.firsts.len().max(at + 1), ROOT);
            if let Some(first) = self.firsts.get_mut(at) {
                *first = next;
            }
            return next;
        }
        self.branches.insert(branch(node, term), next);
        if let Some(node) = self.nodes.get_mut(node as usize) {
            node.wants |= mask(term);
        }
        self.inner.resize(self.inner.len().max(at + 1), false);
        if let Some(inner) = self.inner.get_mut(at) {
            *inner = true;
        }
        next
    }

    /// Where a term leads from a node: the number of the next, and what is there.
    pub fn step(&self, node: u32, term: TermId) -> Option<(u32, Node)> {
        let next = if node == ROOT {
            // No branch leads back to the root, so that the root stands for "nowhere".
            self.firsts.get(term as usize).copied().filter(|next| *next != ROOT)?
        } else {
            *self.branches.get(&branch(node, term))?
        };
        Some((next, self.nodes.get(next as usize).copied().unwrap_or_default()))
    }

    /// Whether a term stands anywhere but at the beginning of a phrase.
    pub fn is_inner(&self, term: TermId) -> bool {
        self.inner.get(term as usize).copied().unwrap_or(false)
    }

    /// The usual spelling of a folded token.
    pub fn usual<'a>(&'a self, token: &'a str) -> &'a str {
        self.spelling.get(token).map_or(token, |usual| usual)
    }

    /// The terms that a folded token can stand for.
    pub fn terms_of(&self, token: &str, into: &mut Vec<TermId>) {
        into.clear();
        let usual = self.usual(token);
        into.extend(self.exact.get(usual));
        if self.prefix_beginnings.may_begin(None, token.as_bytes()) {
            let beginnings = self.prefix_lengths.iter().filter_map(|length| token.get(..*length));
            into.extend(beginnings.filter_map(|beginning| self.prefixes.get(beginning)));
        }
        if usual != token {
            into.extend(self.root(usual));
        }
        let mut hit = |stem: &str| {
            let Some(known) = self.stems.get(stem) else { return };
            into.extend(known.own);
            // "dihek": under the affix stands another spelling of "hack". Two letters are no stem.
            into.extend(known.of_usual.filter(|_| stem.len() > 2));
        };
        affix::stems(token, &self.stem_beginnings, &mut hit);
        into.sort_unstable();
        into.dedup();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_written_word_stands_for_its_affixes_spellings_and_nothing_else() {
        let spelling = [("hack".to_owned(), vec!["hek".to_owned()]), ("tidak".to_owned(), vec!["gak".to_owned()])];
        let mut vocabulary = Vocabulary::new(spelling.iter().map(|(usual, others)| (usual, others)));
        vocabulary.pattern("hack", false).unwrap();
        vocabulary.pattern("=tidak", false).unwrap();
        vocabulary.pattern("defac*", false).unwrap();
        let mut terms = Vec::new();
        let mut count = |token: &str| {
            vocabulary.terms_of(token, &mut terms);
            terms.len()
        };
        for token in ["hack", "hacked", "dihek", "kehack", "gak", "defacement"] {
            assert_eq!(count(token), 1, "{token}");
        }
        for token in ["setidaknya", "hackathonx", "def"] {
            assert_eq!(count(token), 0, "{token}");
        }
    }

    #[test]
    fn a_phrase_without_words_or_too_long_is_an_error() {
        let mut vocabulary = Vocabulary::new(std::iter::empty());
        assert!(vocabulary.pattern(" = ", false).is_err());
        assert!(vocabulary.pattern("de*", false).is_err());
        assert!(vocabulary.pattern("a1 b2 c3 d4 e5 f6 g7 h8 i9", false).is_err());
    }
}
