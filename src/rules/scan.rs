//! One pass over the texts of a mail: which words of the rule set stand where, and which of them
//! are denied ("bukan phishing", "tidak ada data yang bocor", "not a DDoS").

use super::compile::{Compiled, SetId};
use super::lexicon::{NOTHING, Reader, WordId};
use super::vocabulary::{Denial, PatternId, mask};
use super::words::Tokens;
use std::cell::OnceCell;

/// Hits of one word or phrase kept for a place: what stands there a hundred times says no more than that.
const HITS_MAX: u8 = 100;
/// How far a denial reaches, in words: "tidak ada satu pun berkas kami yang terkunci".
const REACH: usize = 7;
/// How far "tidak bisa" reaches: what cannot be done is the next word.
const REACH_SHORT: usize = 1;
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

/// So many hits a mail of a page has: space for them is asked for once.
const USUAL_HITS: usize = 256;
/// Ends a chain.
const NONE: u32 = u32::MAX;
/// The chain of all hits of a pattern.
const ALL: usize = 0;
/// The chain of those that are the first in their place, denied or not: for what only asks whether a word
/// stands somewhere, however often it does.
const FIRSTS: usize = 1;

/// All hits of a mail. They are kept once, by word or phrase; those of a set are put together when a
/// rule asks for them, so that a word that many rules know costs no more than another.
#[derive(Debug)]
pub struct Hits {
    /// By place, then by position.
    all: Vec<Hit>,
    /// For each of them the next one of its pattern, in each chain that it is in.
    next: Vec<[u32; 2]>,
    /// Where a pattern or a set stands in the next two lists, from 1 on; nought where it was not hit.
    of_pattern: Vec<u32>,
    of_set: Vec<u32>,
    patterns: Vec<PatternHits>,
    sets: Vec<SetHits>,
    /// Patterns of sets, each with the one before it in the same set.
    members: Vec<(u32, u32)>,
}

/// The hits of one word or phrase.
#[derive(Debug)]
struct PatternHits {
    /// The last place with a hit, and how many it has.
    place: usize,
    count: u8,
    /// The first and the last hit of each chain.
    chains: [(u32, u32); 2],
    /// Where the last of the firsts stands, and which there are: one bit for denied, one for not.
    firsts: (usize, u8),
}

/// What was hit of one set.
#[derive(Debug)]
struct SetHits {
    set: SetId,
    /// Index in `members`.
    newest: u32,
    /// The hits of each chain in the order of `all`, once they were asked for.
    together: [OnceCell<Vec<Hit>>; 2],
}

impl Hits {
    pub fn new(compiled: &Compiled) -> Self {
        Self {
            all: Vec::with_capacity(USUAL_HITS),
            next: Vec::with_capacity(USUAL_HITS),
            of_pattern: vec![0; compiled.vocabulary.patterns()],
            of_set: vec![0; compiled.sets],
            patterns: Vec::with_capacity(USUAL_HITS),
            sets: Vec::with_capacity(USUAL_HITS),
            members: Vec::with_capacity(2 * USUAL_HITS),
        }
    }

    /// The sets of which a word was seen.
    pub fn touched(&self) -> impl Iterator<Item = SetId> {
        self.sets.iter().map(|hits| hits.set)
    }

    /// Whether a word of a set was seen.
    pub fn has(&self, set: SetId) -> bool {
        self.of_set.get(set as usize).is_some_and(|at| *at > 0)
    }

    /// The hits of a set, by place, then by position.
    pub fn of(&self, set: SetId) -> &[Hit] {
        self.chain(set, ALL)
    }

    /// Of each word of a set, in each place, the first hit that is denied and the first that is not; in the
    /// order of [`Hits::of`].
    pub fn firsts_of(&self, set: SetId) -> &[Hit] {
        self.chain(set, FIRSTS)
    }

    fn chain(&self, set: SetId, chain: usize) -> &[Hit] {
        let at = self.of_set.get(set as usize).and_then(|at| at.checked_sub(1));
        let Some(hits) = at.and_then(|at| self.sets.get(at as usize)) else { return &[] };
        let Some(together) = hits.together.get(chain) else { return &[] };
        together.get_or_init(|| {
            let mut indices = Vec::new();
            let mut member = self.members.get(hits.newest as usize);
            while let Some((pattern, before)) = member {
                let chains = self.patterns.get(*pattern as usize).map(|pattern| pattern.chains);
                let mut index = chains.and_then(|chains| chains.get(chain).copied()).map_or(NONE, |(first, _)| first);
                while let Some(next) = self.next.get(index as usize).and_then(|next| next.get(chain)) {
                    indices.push(index);
                    index = *next;
                }
                member = self.members.get(*before as usize);
            }
            indices.sort_unstable();
            indices.into_iter().filter_map(|index| self.all.get(index as usize).copied()).collect()
        })
    }

    /// Counts a pattern in a text; whether it is still few enough times there to be kept.
    fn count(&mut self, compiled: &Compiled, place: usize, pattern: PatternId) -> bool {
        let Some(at) = self.of_pattern.get_mut(pattern as usize) else { return false };
        let Some(known) = at.checked_sub(1) else {
            self.patterns.push(PatternHits { place, count: 1, chains: [(NONE, NONE); 2], firsts: (place, 0) });
            *at = as_u32(self.patterns.len());
            self.touch(compiled, pattern);
            return true;
        };
        let Some(hits) = self.patterns.get_mut(known as usize) else { return false };
        hits.count = if hits.place == place { hits.count.saturating_add(1) } else { 1 };
        hits.place = place;
        hits.count <= HITS_MAX
    }

    fn add(&mut self, hit: Hit) {
        let index = as_u32(self.all.len());
        let at = self.of_pattern.get(hit.pattern as usize).and_then(|at| at.checked_sub(1));
        let Some(pattern) = at.and_then(|at| self.patterns.get_mut(at as usize)) else { return };
        if pattern.firsts.0 != hit.place {
            pattern.firsts = (hit.place, 0);
        }
        let kind = if hit.is_denied { 2 } else { 1 };
        let is_first = pattern.firsts.1 & kind == 0;
        pattern.firsts.1 |= kind;
        for (chain, (first, last)) in pattern.chains.iter_mut().enumerate().take(if is_first { 2 } else { 1 }) {
            match self.next.get_mut(*last as usize).and_then(|next| next.get_mut(chain)) {
                Some(next) => *next = index,
                None => *first = index,
            }
            *last = index;
        }
        self.next.push([NONE; 2]);
        self.all.push(hit);
    }

    /// Adds the newest pattern to the sets that it is in.
    fn touch(&mut self, compiled: &Compiled, pattern: PatternId) {
        let newest = as_u32(self.patterns.len() - 1);
        for set in compiled.sets_of.get(pattern as usize).into_iter().flatten() {
            let Some(at) = self.of_set.get_mut(*set as usize) else { continue };
            let member = as_u32(self.members.len());
            match at.checked_sub(1).and_then(|at| self.sets.get_mut(at as usize)) {
                Some(hits) => self.members.push((newest, std::mem::replace(&mut hits.newest, member))),
                None => {
                    self.members.push((newest, NONE));
                    self.sets.push(SetHits { set: *set, newest: member, together: Default::default() });
                    *at = as_u32(self.sets.len());
                }
            }
        }
    }
}

fn as_u32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// A word or phrase that was found: its first token, the one after its last.
#[derive(Debug, Clone, Copy)]
struct Seen {
    start: u32,
    end: u32,
    pattern: PatternId,
}

/// Adds the hits of one text, whose tokens are these words. `is_prose` is false for links and names,
/// where nothing is denied. Gives which tokens are denied; nothing where none is.
pub fn scan(
    compiled: &Compiled,
    place: usize,
    tokens: &Tokens,
    words: &[WordId],
    reader: &Reader<'_>,
    is_prose: bool,
    into: &mut Hits,
) -> Vec<bool> {
    let mut walk = Walk { compiled, place, words, reader, hits: into, seen: Vec::with_capacity(words.len()), denials: Vec::new() };
    // A text of fewer words has none of them so often.
    let mut times = vec![0_u8; if words.len() > usize::from(HITS_MAX) { reader.meanings() } else { 0 }];
    for (start, word) in words.iter().enumerate() {
        if *word == NOTHING {
            continue;
        }
        let (meaning, begins) = reader.meaning(*word);
        if begins.is_empty() {
            continue;
        }
        let next = words.get(start + 1).map_or(0, |next| reader.mask(*next));
        // Of what stands often enough in a text only longer phrases and denials are looked for.
        let is_known = times.get_mut(*word as usize).is_some_and(|times| {
            let is_known = *times == HITS_MAX && !meaning.denies;
            *times = HITS_MAX.min(*times + 1);
            is_known
        });
        if is_known && meaning.wants & next == 0 {
            continue;
        }
        for begin in begins {
            if let Some(pattern) = begin.pattern.filter(|_| !is_known) {
                walk.see(start, start + 1, pattern);
            }
            let wanted = begin.wants & next;
            if wanted > 0 {
                walk.go_on(start, start + 1, begin.node, wanted);
            }
        }
    }
    let Walk { seen, denials, .. } = walk;
    let denied = if is_prose && !denials.is_empty() { denied(tokens, &denials) } else { Vec::new() };
    for Seen { start, end, pattern } in seen {
        let (start, end) = (start as usize, end as usize);
        let (Some(first), Some(last)) = (tokens.list.get(start), tokens.list.get(end - 1)) else { continue };
        let is_denied = denied.get(start).copied().unwrap_or(false);
        let hit = Hit { pattern, place, start: first.start, end: last.end, first: first.position, last: last.position, is_denied };
        into.add(hit);
    }
    denied
}

/// A walk through one text along the tree of phrases.
struct Walk<'a> {
    compiled: &'a Compiled,
    place: usize,
    words: &'a [WordId],
    reader: &'a Reader<'a>,
    hits: &'a mut Hits,
    /// What is kept, and …
    seen: Vec<Seen>,
    /// … every word that denies.
    denials: Vec<(Seen, Denial)>,
}

impl Walk<'_> {
    fn see(&mut self, start: usize, end: usize, pattern: PatternId) {
        let seen = Seen { start: as_u32(start), end: as_u32(end), pattern };
        self.denials.extend(self.compiled.vocabulary.denial(pattern).map(|denial| (seen, denial)));
        if self.hits.count(self.compiled, self.place, pattern) {
            self.seen.push(seen);
        }
    }

    /// Follows the tree from one token on, by those of its terms that are wanted there. A token has few
    /// terms and a phrase few words, so that the work at each token is bounded.
    fn go_on(&mut self, start: usize, at: usize, node: u32, wanted: u64) {
        let Some(word) = self.words.get(at) else { return };
        for term in self.reader.terms(*word).iter().filter(|term| wanted & mask(**term) > 0) {
            if let Some((next, node)) = self.compiled.vocabulary.step(node, *term) {
                if let Some(pattern) = node.ends {
                    self.see(start, at + 1, pattern);
                }
                let wanted = node.wants & self.words.get(at + 1).map_or(0, |word| self.reader.mask(*word));
                if wanted > 0 {
                    self.go_on(start, at + 1, next, wanted);
                }
            }
        }
    }
}

/// Which tokens stand in the reach of a denial.
fn denied(tokens: &Tokens, denials: &[(Seen, Denial)]) -> Vec<bool> {
    let mut denied = vec![false; tokens.list.len()];
    let mut marks: Vec<(usize, usize, Denial)> = Vec::new();
    for (Seen { start, end, .. }, denial) in denials {
        let (start, end, denial) = (*start as usize, *end as usize, *denial);
        if !is_together(tokens, start, end) {
            continue;
        }
        match marks.last_mut() {
            // "tidak bisa" is not "tidak": the longest of those that begin together.
            Some(last) if last.0 == start => {
                if end > last.1 {
                    *last = (start, end, denial);
                }
            }
            // "bisa" inside "tidak bisa", "tidak" inside "bukan tidak".
            Some(last) if last.1 > start => {}
            _ => marks.push((start, end, denial)),
        }
    }
    let mut ends = vec![false; tokens.list.len()];
    for (start, end, denial) in &marks {
        if !matches!(denial, Denial::After | Denial::Both) {
            ends.iter_mut().take(*end).skip(*start).for_each(|token| *token = true);
        }
    }
    let questions = questions(tokens);
    let is_asked = |index: usize| sentence(tokens, index).is_some_and(|sentence| questions.binary_search(&sentence).is_ok());
    for (start, end, denial) in &marks {
        let (start, end) = (*start, *end);
        match denial {
            Denial::Never | Denial::Ends => {}
            Denial::Before | Denial::BeforeOrAsks if is_numbered(tokens, end) => {}
            Denial::Before | Denial::BeforeOrAsks | Denial::Both if is_last(tokens, end) => {
                if begins(tokens, start) {
                    answer(tokens, &ends, start, &is_asked, &mut denied);
                } else if !is_asked(start) && (*denial != Denial::BeforeOrAsks || is_set_off(tokens, start)) {
                    backward(tokens, &ends, start, REACH_BACK, &mut denied);
                }
            }
            Denial::Before | Denial::BeforeOrAsks => forward(tokens, &ends, end, REACH, &mut denied),
            Denial::BeforeShort => forward(tokens, &ends, end, REACH_SHORT, &mut denied),
            Denial::Doubt => forward(tokens, &ends, end, REACH_DOUBT, &mut denied),
            Denial::After | Denial::Both => {
                if *denial == Denial::Both {
                    forward(tokens, &ends, end, REACH, &mut denied);
                }
                // "Apakah phishing ini sudah ditutup?", "tell us when the flaw is fixed".
                if !begins(tokens, start) && !is_asked(start) && !is_supposed(tokens, start) {
                    backward(tokens, &ends, start, REACH_BACK, &mut denied);
                }
            }
        }
    }
    denied
}

/// Whether no comma or sentence's end parts a phrase: "benar tidak" is not in "Benar, tidak ada …".
fn is_together(tokens: &Tokens, start: usize, end: usize) -> bool {
    (start + 1..end).all(|index| {
        let before = tokens.list.get(index - 1).map_or("", |token| tokens.word(token));
        let is_apart = tokens.list.get(index).is_some_and(|token| token.after_comma);
        // "No. HP" is no sentence's end.
        !is_apart && (before == NUMBER || !is_last(tokens, index))
    })
}

/// The numbers of the sentences that end in a question mark.
fn questions(tokens: &Tokens) -> Vec<u32> {
    let mut questions = Vec::new();
    for mark in tokens.question_marks() {
        let next = tokens.list.partition_point(|token| (token.start as usize) < mark);
        if next == tokens.list.len() || is_last(tokens, next) {
            questions.extend(next.checked_sub(1).and_then(|last| sentence(tokens, last)));
        }
    }
    questions.dedup();
    questions
}

/// Whether a sentence is over before this token: "kebocoran data tidak ada."
fn is_last(tokens: &Tokens, end: usize) -> bool {
    end > 0 && sentence(tokens, end) != sentence(tokens, end - 1)
}

/// Whether a sentence begins with this token.
fn begins(tokens: &Tokens, start: usize) -> bool {
    start.checked_sub(1).is_none_or(|before| sentence(tokens, before) != sentence(tokens, start))
}

fn sentence(tokens: &Tokens, index: usize) -> Option<u32> {
    tokens.list.get(index).map(|token| token.sentence)
}

/// Short for "nomor", where a dot stands after it.
const NUMBER: &str = "no";

/// Whether a number follows: "bukan 1 akun", and "WA no. 0812".
fn is_numbered(tokens: &Tokens, end: usize) -> bool {
    let word = |index: usize| tokens.list.get(index).map_or("", |token| tokens.word(token));
    let is_number = word(end).bytes().all(|byte| byte.is_ascii_digit()) && !word(end).is_empty();
    is_number && (!is_last(tokens, end) || (end.checked_sub(1).is_some_and(|at| word(at) == NUMBER && tokens.gap(at).trim() == ".")))
}

/// Words after which a denial at the end is meant so: "data bocor juga tidak".
const STRESSES: &[&str] = &["pun", "juga", "sih", "mah"];

/// Whether a denial at a sentence's end is set off from what it denies, as answers in a form are:
/// "tebusan: tidak".
fn is_set_off(tokens: &Tokens, start: usize) -> bool {
    let Some(before) = start.checked_sub(1) else { return false };
    let word = tokens.list.get(before).map_or("", |token| tokens.word(token));
    tokens.gap(before).contains([':', '=', '-', '–', '—', '|']) || STRESSES.contains(&word)
}

/// Words that make a clause a case to come, no fact: "when the flaw is fixed".
const SUPPOSES: &[&str] = &[
    "when", "until", "once", "if", "before", "sure", "ensure", "kalau", "jika", "bila", "sampai", "hingga", "agar", "supaya", "apakah",
    "pastikan",
];

/// Whether such a word stands before, in the same sentence and within the reach of a denial.
fn is_supposed(tokens: &Tokens, start: usize) -> bool {
    let reach = start.saturating_sub(REACH_BACK + 2)..start;
    reach.rev().take_while(|index| sentence(tokens, *index) == sentence(tokens, start)).any(|index| {
        let word = tokens.list.get(index).map_or("", |token| tokens.word(token));
        SUPPOSES.contains(&word)
    })
}

/// A sentence that is a denial alone answers the question before it: "Apakah data bocor? Tidak."
fn answer(tokens: &Tokens, ends: &[bool], start: usize, is_asked: &impl Fn(usize) -> bool, denied: &mut [bool]) {
    if start.checked_sub(1).is_some_and(is_asked) && !is_asked(start) {
        backward(tokens, ends, start, REACH, denied);
    }
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

fn backward(tokens: &Tokens, ends: &[bool], before: usize, reach: usize, denied: &mut [bool]) {
    let Some(sentence) = before.checked_sub(1).and_then(|at| sentence(tokens, at)) else { return };
    for index in (before.saturating_sub(reach)..before).rev() {
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
