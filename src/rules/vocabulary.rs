//! The words of a rule set as numbers, so that a text is gone through once for all rules: a token
//! becomes the terms that it can stand for, a sequence of terms is a pattern in one tree.

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

#[derive(Debug, Default)]
pub struct Vocabulary {
    roots: FxHashMap<Box<str>, TermId>,
    exact: FxHashMap<Box<str>, TermId>,
    prefixes: FxHashMap<Box<str>, TermId>,
    /// Which lengths the prefixes have, so that only those are cut off and looked up.
    prefix_lengths: Vec<usize>,
    spelling: FxHashMap<Box<str>, Box<str>>,
    terms: TermId,
    /// Where a term leads from the root of the tree, by term; most words of a mail end there.
    firsts: Vec<u32>,
    branches: FxHashMap<(u32, TermId), u32>,
    /// The pattern that ends at a node of the tree.
    ends: Vec<Option<PatternId>>,
    /// Each pattern as its author wrote it.
    written: Vec<String>,
}

impl Vocabulary {
    /// An empty vocabulary with these other spellings: `usual -> [others]`.
    pub fn new<'a>(spelling: impl Iterator<Item = (&'a String, &'a Vec<String>)>) -> Self {
        let mut new = Self { ends: vec![None], ..Self::default() };
        for (usual, others) in spelling {
            for other in others {
                new.spelling.insert(words::folded(other).into(), words::folded(usual).into());
            }
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
        let next = PatternId::try_from(self.written.len()).unwrap_or(PatternId::MAX);
        let end = self.ends.get_mut(node as usize).ok_or("the tree of words is broken")?;
        if end.is_none() {
            *end = Some(next);
            self.written.push(phrase.to_owned());
        }
        end.ok_or_else(|| "the tree of words is broken".to_owned())
    }

    /// How many patterns there are.
    pub fn patterns(&self) -> usize {
        self.written.len()
    }

    fn next_term(&mut self) -> TermId {
        self.terms += 1;
        self.terms
    }

    fn term(&mut self, word: &str, is_exact: bool) -> TermId {
        let word = self.spelling.get(word).map_or(word, |usual| usual).to_owned();
        let known = if is_exact { self.exact.get(word.as_str()) } else { self.roots.get(word.as_str()) };
        if let Some(term) = known {
            return *term;
        }
        let term = self.next_term();
        if is_exact {
            self.exact.insert(word.into(), term)
        } else {
            self.roots.insert(word.into(), term)
        };
        term
    }

    fn prefix_term(&mut self, part: &str) -> TermId {
        if let Some(term) = self.prefixes.get(part) {
            return *term;
        }
        let term = self.next_term();
        self.prefixes.insert(part.into(), term);
        if !self.prefix_lengths.contains(&part.len()) {
            self.prefix_lengths.push(part.len());
        }
        term
    }

    fn branch(&mut self, node: u32, term: TermId) -> u32 {
        if let Some((next, _)) = self.step(node, term) {
            return next;
        }
        let next = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        self.ends.push(None);
        if node == ROOT {
            let at = term as usize;
            self.firsts.resize(self.firsts.len().max(at + 1), ROOT);
            if let Some(first) = self.firsts.get_mut(at) {
                *first = next;
            }
        } else {
            self.branches.insert((node, term), next);
        }
        next
    }

    /// Where a term leads from a node: the node, and the pattern that ends there.
    pub fn step(&self, node: u32, term: TermId) -> Option<(u32, Option<PatternId>)> {
        let next = if node == ROOT {
            // No branch leads back to the root, so that the root stands for "nowhere".
            self.firsts.get(term as usize).copied().filter(|next| *next != ROOT)?
        } else {
            *self.branches.get(&(node, term))?
        };
        Some((next, self.ends.get(next as usize).copied().flatten()))
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
        for length in &self.prefix_lengths {
            if let Some(term) = token.get(..*length).and_then(|beginning| self.prefixes.get(beginning)) {
                into.push(*term);
            }
        }
        if usual != token {
            into.extend(self.roots.get(usual));
        }
        words::stems(token, &mut |stem| {
            if let Some(term) = self.roots.get(stem) {
                into.push(*term);
            }
            // "dihek": under the affix stands another spelling of "hack". Two letters are no stem.
            if stem.len() > 2
                && let Some(usual) = self.spelling.get(stem)
            {
                into.extend(self.roots.get(usual));
            }
        });
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
