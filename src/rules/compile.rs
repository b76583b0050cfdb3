//! Rule files to what is run: words interned, lists resolved, names checked, and for each rule the
//! words without which it cannot fire, so that a mail meets only the rules that may concern it.

mod when;

use super::expression::{ExpressionId, Expressions};
use super::lexicon::{Lexicon, Reader};
use super::likeness::{Lesson, Likeness, Prose};
use super::rsit;
use super::scan::{Hits, scan};
use super::syntax::{Decision, File, Negation, Parts, Rule as RawRule, RulesError, Sample, Source, Test, likeness_alone};
use super::vocabulary::{PatternId, Vocabulary};
use super::words;
use crate::model::effect::MailKind;
use crate::model::ticket::Priority;
use crate::model::{Category, Language};
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

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
    /// How many sets there are.
    pub sets: usize,
    /// What a pattern denies.
    denial_of: Vec<Option<Denial>>,
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
                    return Err(source.error(raw.id.span().start, format!("id: '{}' is already used at {first}", rule.id)));
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
        let brands =
            compiler.lists.get("brands").map(|brands| brands.iter().map(|brand| words::folded(brand)).collect()).unwrap_or_default();
        let Compiler { vocabulary, sets, denial_of, mut expressions, .. } = compiler;
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
        let denial_of = (0..).take(vocabulary.patterns()).map(|pattern| denial_of.get(&pattern).copied()).collect();
        let likeness = Likeness::default();
        let lexicon = Lexicon::new(&vocabulary, &likeness, std::iter::empty());
        let mut new = Self {
            vocabulary,
            lexicon,
            sets_of,
            sets: set_count,
            denial_of,
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

    /// Learns from every example and test of the set as from a labelled mail. What is denied in them is told
    /// by the set itself, which has to be whole for that.
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
        for (_, _, test) in &self.tests {
            lessons.extend(Category::parse(&test.category).map(|category| lesson(category, &test.subject, &test.text)));
        }
        for rule in self.rules.iter().filter(|rule| rule.weight > 0.0) {
            let Some(category) = rule.category else { continue };
            lessons.extend(rule.examples.iter().map(|(_, parts)| lesson(category, &parts.subject, &parts.text)));
        }
        self.likeness = Likeness::learn(&lessons, &self.vocabulary, self.decision.likeness);
        self.lexicon = Lexicon::new(&self.vocabulary, &self.likeness, lessons.iter().flat_map(Lesson::words));
    }

    /// What a pattern does to the words around it.
    pub fn denial(&self, pattern: PatternId) -> Option<Denial> {
        self.denial_of.get(pattern as usize).copied().flatten()
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
    lists: BTreeMap<&'a str, &'a Vec<String>>,
    sets: HashMap<Vec<PatternId>, SetId>,
    denial_of: FxHashMap<PatternId, Denial>,
    expressions: Expressions,
}

impl<'a> Compiler<'a> {
    fn new(sources: &'a [Source], files: &'a [File]) -> Result<Self, RulesError> {
        let vocabulary = Vocabulary::new(files.iter().flat_map(|file| &file.spelling));
        let mut new = Self {
            sources,
            files,
            vocabulary,
            lists: BTreeMap::new(),
            sets: HashMap::new(),
            denial_of: FxHashMap::default(),
            expressions: Expressions::default(),
        };
        for (source, file) in sources.iter().zip(files) {
            for (name, words) in &file.lists {
                if new.lists.insert(name.get_ref(), words).is_some() {
                    return Err(source.error(name.span().start, format!("lists.{}: this list is already defined", name.get_ref())));
                }
            }
        }
        for (source, file) in sources.iter().zip(files) {
            for name in file.lists.keys() {
                new.set(&[format!("@{}", name.get_ref())], 0)
                    .map_err(|reason| source.error(name.span().start, format!("lists.{}: {reason}", name.get_ref())))?;
            }
            if let Some(negation) = &file.negation {
                new.denials(negation.get_ref()).map_err(|reason| source.error(negation.span().start, format!("negation: {reason}")))?;
            }
        }
        Ok(new)
    }

    fn denials(&mut self, negation: &Negation) -> Result<(), String> {
        let Negation { before, before_short, after, asks, never, doubt, ends } = negation;
        for (words, denial) in [
            (before, Denial::Before),
            (before_short, Denial::BeforeShort),
            (after, Denial::After),
            (asks, Denial::BeforeOrAsks),
            (never, Denial::Never),
            (doubt, Denial::Doubt),
            (ends, Denial::Ends),
        ] {
            for word in words {
                let pattern = self.vocabulary.pattern(word, true)?;
                let denial = match (self.denial_of.get(&pattern), denial) {
                    (Some(Denial::Before), Denial::After) => Denial::Both,
                    (Some(Denial::Before), Denial::BeforeOrAsks) => Denial::BeforeOrAsks,
                    (_, Denial::BeforeOrAsks) => Denial::Never,
                    _ => denial,
                };
                self.denial_of.insert(pattern, denial);
            }
        }
        Ok(())
    }

    /// The decision's numbers and the places' factors, with the defaults of the format.
    fn numbers(&self) -> Result<(Decision, Vec<f64>), RulesError> {
        let mut decision = Decision {
            threshold: 2.0,
            margin: 0.25,
            clear_spam_score: 6.0,
            clear_spam_margin: 4.0,
            likeness: 0.12,
            likeness_alone: likeness_alone(),
            short_text_words: 40,
        };
        let mut factors = vec![1.2, 1.0, 0.35, 0.8, 0.8, 1.0, 1.0];
        let (mut has_decision, mut has_places) = (false, false);
        for (source, file) in self.sources.iter().zip(self.files) {
            if let Some(raw) = &file.decision {
                if std::mem::replace(&mut has_decision, true) {
                    return Err(source.error(raw.span().start, "decision: stands in two files of the set"));
                }
                decision = raw.get_ref().clone();
            }
            let Some(raw) = &file.places else { continue };
            if std::mem::replace(&mut has_places, true) {
                return Err(source.error(raw.span().start, "places: stands in two files of the set"));
            }
            for (name, factor) in raw.get_ref() {
                let place = PLACES.iter().position(|place| place == name);
                let slot = place.and_then(|place| factors.get_mut(place)).filter(|_| (0.0..=10.0).contains(factor));
                let Some(slot) = slot else {
                    return Err(
                        source.error(raw.span().start, format!("places.{name}: a place ({}) and a number from 0 to 10", PLACES.join(", ")))
                    );
                };
                *slot = *factor;
            }
        }
        Ok((decision, factors))
    }

    fn tests(&self) -> Result<Vec<(usize, usize, Test)>, RulesError> {
        let mut tests = Vec::new();
        for (index, (source, file)) in self.sources.iter().zip(self.files).enumerate() {
            for test in &file.test {
                let at = test.span().start;
                let raw = test.get_ref();
                named::<Category>(source, at, "category", &raw.category, Category::parse)?;
                if let Some(priority) = &raw.priority {
                    named(source, at, "priority", priority, Priority::parse)?;
                }
                tests.push((index, source.line(at), raw.clone()));
            }
        }
        Ok(tests)
    }

    fn rule(&mut self, source: &Source, file: usize, raw: &RawRule) -> Result<Rule, RulesError> {
        let id = raw.id.get_ref();
        let at = raw.id.span().start;
        let error = |offset: usize, reason: String| source.error(offset, format!("rule '{id}': {reason}"));
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if id.is_empty() || id.len() > 64 || !id.chars().all(is_name) {
            return Err(error(at, "id: up to 64 small letters, digits and hyphens".to_owned()));
        }
        if raw.reason_id.trim().is_empty() || raw.reason_en.trim().is_empty() {
            return Err(error(at, "reason_id and reason_en: a sentence that a colleague would accept".to_owned()));
        }
        if !raw.weight.is_finite() || raw.weight.abs() > 100.0 {
            return Err(error(at, "weight: a number from -100 to 100".to_owned()));
        }
        if raw.most.is_some_and(|most| !most.is_finite() || most < raw.weight || raw.weight <= 0.0) {
            return Err(error(at, "most: a number of at least the weight, which must be above nought".to_owned()));
        }
        if raw.others.is_some_and(|others| !(0.0..=1.0).contains(&others)) || (raw.others.is_some() && raw.category.is_none()) {
            return Err(error(at, "others: a number from 0 to 1, in a rule with a category".to_owned()));
        }
        let category = match &raw.category {
            None if raw.weight != 0.0 => return Err(error(at, "weight: without a category there is no score to add to".to_owned())),
            None => None,
            Some(name) => Some(named(source, name.span().start, "category", name.get_ref(), Category::parse)?),
        };
        let rsit = match &raw.rsit {
            Some(name) if !rsit::is_known(name.get_ref()) => {
                return Err(error(name.span().start, format!("rsit: '{}' is not a class:type of RSIT 1003", name.get_ref())));
            }
            other => other.as_ref().map(|name| name.get_ref().clone()),
        };
        let priority = match &raw.priority {
            Some(name) => Some(named(source, name.span().start, "priority", name.get_ref(), Priority::parse)?),
            None => None,
        };
        let condition = self.condition(raw.when.get_ref(), 0).map_err(|reason| error(raw.when.span().start, format!("when: {reason}")))?;
        let samples = |samples: &[toml::Spanned<Sample>]| {
            samples.iter().map(|sample| (source.line(sample.span().start), parts(sample.get_ref()))).collect::<Vec<_>>()
        };
        Ok(Rule {
            id: id.as_str().into(),
            at: format!("{}:{}", source.name, source.line(at)),
            category,
            weight: raw.weight,
            most: raw.most,
            others: raw.others,
            group: raw.group.clone(),
            reason_id: raw.reason_id.as_str().into(),
            reason_en: raw.reason_en.as_str().into(),
            rsit,
            priority,
            tags: raw.tags.clone(),
            condition,
            examples: samples(&raw.examples),
            counterexamples: samples(&raw.counterexamples),
            file,
        })
    }

    /// The set of these words: alternatives with `|`, lists with `@`.
    fn set(&mut self, words: &[String], depth: usize) -> Result<SetId, String> {
        let mut patterns = Vec::new();
        self.collect(words, depth, &mut patterns)?;
        patterns.sort_unstable();
        patterns.dedup();
        let next = SetId::try_from(self.sets.len()).map_err(|_| "too many words")?;
        Ok(*self.sets.entry(patterns).or_insert(next))
    }

    fn collect(&mut self, words: &[String], depth: usize, into: &mut Vec<PatternId>) -> Result<(), String> {
        if depth > NESTING_MAX {
            return Err(format!("lists stand in lists more than {NESTING_MAX} deep, or in a circle"));
        }
        for word in words.iter().flat_map(|word| word.split('|')).map(str::trim) {
            match word.strip_prefix('@') {
                Some(name) => {
                    let list = *self.lists.get(name).ok_or_else(|| format!("there is no list '@{name}'"))?;
                    self.collect(list, depth + 1, into)?;
                }
                None => into.push(self.vocabulary.pattern(word, false)?),
            }
        }
        Ok(())
    }
}

fn named<T>(source: &Source, at: usize, key: &str, word: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, RulesError> {
    parse(word).ok_or_else(|| source.error(at, format!("{key}: '{word}' is not known; write one of {}", when::choices(key))))
}

fn parts(sample: &Sample) -> Parts {
    match sample {
        Sample::Text(text) => Parts { text: text.clone(), ..Parts::default() },
        Sample::Parts(parts) => parts.clone(),
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
