//! Rule files to what is run: words interned, lists resolved, names checked, and for each rule the
//! words without which it cannot fire, so that a mail meets only the rules that may concern it.

mod rule;
mod tables;
mod when;

use super::expression::{ExpressionId, Expressions};
use super::lexicon::{Lexicon, Reader};
use super::likeness::{Lesson, Likeness, Prose};
use super::scan::{Hits, scan};
use super::syntax::{Decision, File, Parts, RulesError, Source, Test};
use super::vocabulary::{PatternId, Vocabulary};
use super::words;
use crate::model::effect::MailKind;
use crate::model::nearest::nearest;
use crate::model::ticket::Priority;
use crate::model::{Category, Language};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use toml::Spanned;

/// A number of words of which one is wanted.
pub type SetId = u32;

/// Rules of a set; ten times what the format was measured with.
const RULES_MAX: usize = 20_000;
/// Conditions inside conditions, and lists inside lists.
const NESTING_MAX: usize = 4;

/// Places of a mail where words stand. The order is that of the bits in [`Places`].
pub const PLACES: &[&str] = &["subject", "new", "quoted", "attachment", "attachment_name", "link", "sender_name"];
pub const SUBJECT: usize = 0;
pub const NEW: usize = 1;
pub const QUOTED: usize = 2;
pub const ATTACHMENT: usize = 3;
pub const ATTACHMENT_NAME: usize = 4;
pub const LINK: usize = 5;
pub const SENDER_NAME: usize = 6;

/// A set of places, a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places(pub u8);

impl Places {
    /// Subject, new text, quoted text, attachments.
    const USUAL: Self = Self(0b1111);
    pub const ALL: Self = Self(0b111_1111);
    pub const fn has(self, place: usize) -> bool {
        self.0 >> place & 1 == 1
    }
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
    pub const fn without(self, place: usize) -> Self {
        Self(self.0 & !(1 << place))
    }
}

/// A condition, ready to be tested.
#[derive(Debug)]
pub enum Condition {
    Words {
        set: SetId,
        at_least: usize,
        places: Places,
    },
    Near {
        sets: Vec<SetId>,
        within: u32,
        ordered: bool,
        places: Places,
    },
    Regex {
        expression: ExpressionId,
        /// As its author wrote it, for those who ask why it does not fit.
        written: Box<str>,
        places: Places,
    },
    All(Vec<Condition>),
    One(Vec<Condition>),
    Not(Box<Condition>),
    Sender(Vec<Glob>),
    AttachmentName(Vec<Glob>),
    AttachmentType(Vec<Glob>),
    Indicators(String, usize),
    Lookalike(bool),
    GoId(bool),
    Language(Vec<Language>),
    Dmarc(Vec<String>),
    Format(Vec<String>),
    Kind(Vec<MailKind>),
    NewWords {
        min: usize,
        max: usize,
    },
    /// Likeness to the examples of a category, by its place in [`Category::ALL`].
    Likeness(usize),
}

/// A pattern with `*` for any run of characters, letter case aside.
#[derive(Debug, Clone)]
pub struct Glob(Vec<String>);

impl Glob {
    fn new(text: &str) -> Self {
        Self(text.to_ascii_lowercase().split('*').map(str::to_owned).collect())
    }

    /// Whether the whole of `text` fits: the first piece begins it, the last ends it, the others follow one another.
    pub fn fits(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        let Some((first, rest)) = self.0.split_first() else { return false };
        let Some((last, inner)) = rest.split_last() else { return *first == text };
        let Some(mut left) = text.strip_prefix(first.as_str()) else { return false };
        for piece in inner {
            let Some((_, after)) = left.split_once(piece.as_str()) else { return false };
            left = after;
        }
        left.ends_with(last.as_str())
    }
}

impl std::fmt::Display for Glob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("*"))
    }
}

/// A rule, ready to be tested.
#[derive(Debug)]
pub struct Rule {
    pub id: Arc<str>,
    /// Where it stands: `file:line`.
    pub at: String,
    pub category: Option<Category>,
    pub weight: f64,
    pub most: Option<f64>,
    pub others: Option<f64>,
    pub group: Option<String>,
    pub reason_id: Arc<str>,
    pub reason_en: Arc<str>,
    pub rsit: Option<String>,
    pub priority: Option<Priority>,
    pub tags: Vec<String>,
    pub condition: Condition,
    pub examples: Vec<(usize, Parts)>,
    pub counterexamples: Vec<(usize, Parts)>,
    pub file: usize,
}

/// All files of a set together.
#[derive(Debug)]
pub struct Compiled {
    pub vocabulary: Vocabulary,
    /// What the words of the examples stand for.
    pub lexicon: Lexicon,
    /// The sets that a pattern is in.
    pub sets_of: Vec<Vec<SetId>>,
    /// The words of each set as a rule writes them.
    pub written: Vec<String>,
    /// How many sets there are.
    pub sets: usize,
    pub rules: Vec<Rule>,
    /// The rules that one of a set's words may make fire, by set.
    pub rules_of: Vec<Vec<usize>>,
    /// Rules that may fire without any word.
    pub wordless: Vec<usize>,
    pub expressions: Expressions,
    pub decision: Decision,
    pub factors: Vec<f64>,
    /// Names that look-alike domains borrow.
    pub brands: Vec<String>,
    pub likeness: Likeness,
    /// Tests of the whole set: file, line, test.
    pub tests: Vec<(usize, usize, Test)>,
}

impl Compiled {
    /// Compiles the files; `sources` are their texts, for the places of errors.
    pub fn new(sources: &[Source], files: &[File]) -> Result<Self, RulesError> {
        let mut compiler = Compiler::new(sources, files)?;
        let mut rules = Vec::new();
        let mut seen: BTreeMap<&str, String> = BTreeMap::new();
        for (index, (source, file)) in sources.iter().zip(files).enumerate() {
            for raw in &file.rule {
                let rule = compiler.rule(source, index, raw)?;
                if let Some(first) = seen.insert(raw.id.get_ref(), rule.at.clone()) {
                    let reason = format!("rule '{}': id: is already used at {first}; take another name", rule.id);
                    return Err(source.error(raw.id.span().start, reason));
                }
                rules.push(rule);
                if rules.len() > RULES_MAX {
                    return Err(source.error(raw.id.span().start, format!("more than {RULES_MAX} rules")));
                }
            }
        }
        let tests = compiler.tests()?;
        let (decision, factors) = compiler.numbers()?;
        rules.extend(Category::ALL.iter().enumerate().map(|(index, category)| by_likeness(index, *category)));
        let mut rules_of: Vec<Vec<usize>> = vec![Vec::new(); compiler.sets.len()];
        let mut wordless = Vec::new();
        let mut counts = HashMap::new();
        rules.iter().for_each(|rule| usage(&rule.condition, &mut counts));
        for (index, rule) in rules.iter().enumerate() {
            match anchors(&rule.condition, &counts) {
                Some(sets) => {
                    for set in sets {
                        if let Some(rules) = rules_of.get_mut(set as usize) {
                            rules.push(index);
                        }
                    }
                }
                None => wordless.push(index),
            }
        }
        let brands = compiler
            .lists
            .get("brands")
            .map(|(_, brands)| brands.iter().map(|brand| words::folded(brand.get_ref())).collect())
            .unwrap_or_default();
        let Compiler { vocabulary, sets, written, mut expressions, .. } = compiler;
        expressions.group();
        let set_count = sets.len();
        let mut sets_of = vec![Vec::new(); vocabulary.patterns()];
        for (set, number) in sets {
            for pattern in set {
                if let Some(sets) = sets_of.get_mut(pattern as usize) {
                    sets.push(number);
                }
            }
        }
        let likeness = Likeness::default();
        let lexicon = Lexicon::new(&vocabulary, &likeness, std::iter::empty());
        let mut new = Self {
            vocabulary,
            lexicon,
            sets_of,
            written,
            sets: set_count,
            rules,
            rules_of,
            wordless,
            expressions,
            decision,
            factors,
            brands,
            likeness,
            tests,
        };
        new.learn();
        Ok(new)
    }

    /// Learns from every example of the set, and every test that does not ask for unsure, as from a labelled mail. What
    /// is denied in them is told by the set itself, which has to be whole for that.
    fn learn(&mut self) {
        let mut reader = Reader::new(&self.lexicon, &self.vocabulary, &self.likeness);
        let mut prose = |place, text: &str| {
            let tokens = words::prose(text);
            let words = reader.read(&tokens);
            let denied = scan(self, place, &tokens, &words, &reader, true, &mut Hits::new(self));
            Prose { place, tokens, words, denied }
        };
        let mut lesson = |category, subject: &str, text: &str| Lesson { category, texts: vec![prose(SUBJECT, subject), prose(NEW, text)] };
        let mut lessons = Vec::new();
        // What nobody can be sure of is like no kind of mail.
        for (_, _, test) in self.tests.iter().filter(|(_, _, test)| test.unsure != Some(true)) {
            lessons.extend(Category::parse(&test.category).map(|category| lesson(category, &test.subject, &test.text)));
        }
        for rule in self.rules.iter().filter(|rule| rule.weight > 0.0) {
            let Some(category) = rule.category else { continue };
            lessons.extend(rule.examples.iter().map(|(_, parts)| lesson(category, &parts.subject, &parts.text)));
        }
        self.likeness = Likeness::learn(&lessons, &self.vocabulary, self.decision.likeness);
        self.lexicon = Lexicon::new(&self.vocabulary, &self.likeness, lessons.iter().flat_map(Lesson::words));
    }
}

/// The rule that stands for likeness to the examples of a category.
fn by_likeness(index: usize, category: Category) -> Rule {
    Rule {
        id: format!("likeness-{}", category.word().replace('_', "-")).into(),
        at: "the examples of all files".to_owned(),
        category: Some(category),
        weight: 0.0,
        most: None,
        others: None,
        group: None,
        reason_id: "Kata-katanya seperti pada laporan sejenis yang sudah dikenal.".into(),
        reason_en: "It is told in words like those of known mail of this kind.".into(),
        rsit: None,
        priority: None,
        tags: Vec::new(),
        condition: Condition::Likeness(index),
        examples: Vec::new(),
        counterexamples: Vec::new(),
        file: usize::MAX,
    }
}

/// How many conditions use each set: a shared list ("@situs") is used by many and seen in most mails.
fn usage(condition: &Condition, counts: &mut HashMap<SetId, usize>) {
    match condition {
        Condition::Words { set, .. } => *counts.entry(*set).or_default() += 1,
        Condition::Near { sets, .. } => sets.iter().for_each(|set| *counts.entry(*set).or_default() += 1),
        Condition::All(parts) | Condition::One(parts) => parts.iter().for_each(|part| usage(part, counts)),
        _ => {}
    }
}

/// Sets of which one must be hit for the condition to hold; `None` where it may hold without words.
/// Where there is a choice, the sets that the fewest conditions use, so that few rules are tested in vain.
fn anchors(condition: &Condition, counts: &HashMap<SetId, usize>) -> Option<Vec<SetId>> {
    let cost = |sets: &Vec<SetId>| sets.iter().map(|set| counts.get(set).copied().unwrap_or(0)).sum::<usize>();
    match condition {
        Condition::Words { set, .. } => Some(vec![*set]),
        Condition::Near { sets, .. } => sets.iter().map(|set| vec![*set]).min_by_key(cost),
        Condition::All(parts) => parts.iter().filter_map(|part| anchors(part, counts)).min_by_key(cost),
        Condition::One(parts) => parts.iter().map(|part| anchors(part, counts)).collect::<Option<Vec<_>>>().map(|sets| sets.concat()),
        _ => None,
    }
}

struct Compiler<'a> {
    sources: &'a [Source],
    files: &'a [File],
    vocabulary: Vocabulary,
    /// With the file that a list stands in.
    lists: BTreeMap<&'a str, (usize, &'a Vec<Spanned<String>>)>,
    sets: HashMap<Vec<PatternId>, SetId>,
    written: Vec<String>,
    expressions: Expressions,
}

/// What is wrong with a value: where it stands, as far as that is known, and why.
#[derive(Debug)]
struct Fault {
    /// The list that it stands in, and the file of that.
    list: Option<(usize, String)>,
    at: Option<usize>,
    reason: String,
}

impl From<String> for Fault {
    fn from(reason: String) -> Self {
        Self { list: None, at: None, reason }
    }
}

impl Fault {
    /// A fault at a value, for `map_err`.
    fn at<T>(value: &Spanned<T>) -> impl FnOnce(String) -> Self {
        let at = value.span().start;
        move |reason| Self { list: None, at: Some(at), reason }
    }

    /// The same, told of a list: of the innermost.
    fn in_list(mut self, file: usize, name: &str) -> Self {
        // A circle has no innermost list; where it was met first is as good as any.
        self.list.get_or_insert_with(|| (file, name.to_owned()));
        self
    }

    /// The same at the key that leads there; what stands in a list is told of the list.
    fn under(mut self, key: &str) -> Self {
        if self.list.is_none() {
            self.reason = format!("{key}: {}", self.reason);
        }
        self
    }
}

/// A word that is none of the known ones, with the nearest of them.
fn unknown<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let meant = nearest(word, known.iter().copied()).map(|meant| format!(" (did you mean '{meant}'?)")).unwrap_or_default();
    format!("'{word}' is not known{meant}; write one of {}", known.join(", "))
}

impl<'a> Compiler<'a> {
    fn new(sources: &'a [Source], files: &'a [File]) -> Result<Self, RulesError> {
        let spelling = files.iter().flat_map(|file| &file.spelling).map(|(usual, others)| (usual.get_ref(), others));
        let mut new = Self {
            sources,
            files,
            vocabulary: Vocabulary::new(spelling),
            lists: BTreeMap::new(),
            sets: HashMap::new(),
            written: Vec::new(),
            expressions: Expressions::default(),
        };
        new.spellings()?;
        let mut seen = BTreeMap::new();
        for (index, (source, file)) in sources.iter().zip(files).enumerate() {
            for (name, words) in &file.lists {
                let (at, name) = (name.span().start, name.get_ref());
                if let Some(first) = seen.insert(name, source.place(at)) {
                    let reason = "there is a list of this name already; add your words to it there, or take another name";
                    return Err(source.error(at, format!("lists.{name}: {reason} (first at {first})")));
                }
                new.lists.insert(name, (index, words));
            }
        }
        for (index, (source, file)) in sources.iter().zip(files).enumerate() {
            for (name, words) in &file.lists {
                new.set(std::slice::from_ref(&Spanned::new(name.span(), format!("@{}", name.get_ref()))), 0)
                    .map_err(|fault| new.told(source, name.span().start, fault.in_list(index, name.get_ref())))?;
                if words.is_empty() {
                    return Err(
                        source.error(name.span().start, format!("lists.{}: is an empty list; name at least one word", name.get_ref()))
                    );
                }
            }
            if let Some(negation) = &file.negation {
                new.denials(negation.get_ref()).map_err(|reason| source.error(negation.span().start, format!("negation: {reason}")))?;
            }
        }
        Ok(new)
    }

    /// The fault as an error of its file; `source` and `at` where the fault does not know better.
    fn told(&self, source: &Source, at: usize, fault: Fault) -> RulesError {
        match fault.list {
            Some((file, name)) => {
                let source = self.sources.get(file).unwrap_or(source);
                source.error(fault.at.unwrap_or(at), format!("lists.{name}: {}", fault.reason))
            }
            None => source.error(fault.at.unwrap_or(at), fault.reason),
        }
    }

    /// The set of these words: alternatives with `|`, lists with `@`.
    fn set(&mut self, words: &[Spanned<String>], depth: usize) -> Result<SetId, Fault> {
        let mut patterns = Vec::new();
        self.collect(words, depth, &mut patterns)?;
        patterns.sort_unstable();
        patterns.dedup();
        let next = SetId::try_from(self.sets.len()).map_err(|_| "too many words".to_owned())?;
        let set = *self.sets.entry(patterns).or_insert(next);
        if set == next {
            self.written.push(words.iter().map(|word| format!("\"{}\"", word.get_ref())).collect::<Vec<_>>().join(", "));
        }
        Ok(set)
    }

    /// How many different words a set has.
    fn size(&self, set: SetId) -> usize {
        self.sets.iter().find(|(_, number)| **number == set).map_or(0, |(patterns, _)| patterns.len())
    }

    fn collect(&mut self, words: &[Spanned<String>], depth: usize, into: &mut Vec<PatternId>) -> Result<(), Fault> {
        if depth > NESTING_MAX {
            return Err(format!("lists stand in lists more than {NESTING_MAX} deep, or in a circle").into());
        }
        for typed in words {
            for word in typed.get_ref().split('|').map(str::trim) {
                match word.strip_prefix('@') {
                    Some(name) => {
                        let list = self.lists.get(name).copied();
                        let (file, words) = list.ok_or_else(|| self.no_list(name)).map_err(Fault::at(typed))?;
                        self.collect(words, depth + 1, into).map_err(|fault| fault.in_list(file, name))?;
                    }
                    None => {
                        let pattern = legible(word).and_then(|()| self.vocabulary.pattern(word, false));
                        into.push(pattern.map_err(Fault::at(typed))?);
                    }
                }
            }
        }
        Ok(())
    }

    fn no_list(&self, name: &str) -> String {
        if name.contains(char::is_whitespace) {
            return format!("'@{name}': a list stands by itself; write near = [{{ words = [\"@list\", \"word\"] }}]");
        }
        let meant = nearest(name, self.lists.keys().copied()).map(|meant| format!(" (did you mean '@{meant}'?)")).unwrap_or_default();
        let known: Vec<&str> = self.lists.keys().copied().collect();
        let known =
            if known.is_empty() { "no file of the set has [lists]".to_owned() } else { format!("the lists are {}", known.join(", ")) };
        format!("there is no list '@{name}'{meant}; {known}")
    }
}

/// Signs that say something in an expression and nothing in a word: they would be passed over, and the rule would
/// look for something else than its author wrote.
fn legible(word: &str) -> Result<(), String> {
    if let Some(sign) = word.chars().find(|c| "()[]{}^$\\".contains(*c)) {
        return Err(format!("'{word}': '{sign}' says nothing in a word; write alternatives as \"a b|a c\", or use regex"));
    }
    if !word.chars().any(char::is_alphanumeric) {
        return Err(format!("'{word}' holds no word; write one, or take it out"));
    }
    let is_odd = |piece: &str| piece.trim_end_matches('*').contains('*') || piece.trim_start_matches('=').contains('=');
    match word.split_whitespace().find(|piece| is_odd(piece)) {
        Some(piece) => Err(format!("'{piece}': '*' stands at the end of a word alone, '=' before it; parts inside of a word are no words")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_of_characters() {
        for (glob, text, fits) in [
            ("*.apk", "Undangan.APK", true),
            ("*.apk", "undangan.apk.txt", false),
            ("*undangan*.apk", "surat_undangan_2.apk", true),
            ("ktp.jpg", "ktp.jpg", true),
            ("*", "", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(Glob::new(glob).fits(text), fits, "{glob} {text}");
        }
    }
}
