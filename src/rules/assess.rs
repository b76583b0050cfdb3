//! A message against a rule set: scores, margin, reasons.

pub(super) mod beside;

use super::compile::{ATTACHMENT, ATTACHMENT_NAME, PLACES, Places, QUOTED, Rule, SUBJECT};
use super::condition::{Facts, Found};
use super::facts::{attachment_at, facts, is_answer};
use super::scan::Hit;
use super::set::RuleSet;
use crate::mail::Mail;
use crate::mail::field::visible;
use crate::mail::told::Told;
use crate::model::Category;
use crate::model::effect::MailKind;
use crate::model::ticket::Priority;
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

/// What the rules make of a message.
#[derive(Debug, Clone, Serialize)]
pub struct Assessment {
    pub category: Category,
    /// The score of `category`.
    pub score: f64,
    /// How far the second best is behind.
    pub margin: f64,
    /// `other` until a person says; the best two are in `scores`.
    pub is_unsure: bool,
    pub unsure_because: Option<Unsure>,
    /// Spam with so clear a margin that no ticket opens (contract 8).
    pub is_clear_spam: bool,
    /// The headers show it to be sent by a machine, which alone decides (contract 8).
    pub is_automatic: bool,
    /// Every category with a score, best first.
    pub scores: Vec<(Category, f64)>,
    /// The scores that a rule of another category lowered.
    pub damped: Vec<Damped>,
    /// Other categories that the message is about as well, best first.
    pub secondary: Vec<Category>,
    /// RSIT `class:type`.
    pub rsit: String,
    pub priority: Priority,
    /// The priority that the mail would have if a person said that it is of this category.
    #[serde(skip)]
    pub priorities: Vec<(Category, Priority)>,
    /// Words that rules attach for searching and statistics.
    pub tags: BTreeSet<String>,
    pub fired: Vec<Fired>,
    /// The version (hash) of the rule set.
    pub rules_version: String,
}

impl Assessment {
    /// The priority that the mail would have if a person said that it is of this category.
    #[must_use]
    pub fn priority_as(&self, category: Category) -> Priority {
        self.priorities.iter().find(|(of, _)| *of == category).map_or(self.priority, |(_, priority)| *priority)
    }
}

/// Why a result is not sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unsure {
    /// No category reaches the threshold.
    BelowThreshold,
    /// The best two are closer to one another than the margin.
    TooClose,
    /// The mail sounds like one of an incident, and nothing in it says so.
    LikenessAlone,
    /// It is advertising by its score, and without the advertising it tells of an incident or is a letter, or somebody
    /// passes the advertising on with words of their own.
    BesideAdvertising,
    /// Words that speak of no report lowered what tells of an incident, which weighs no less than they do.
    LoweredIncident,
}

/// A score that a rule of another category lowered (`others`).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Damped {
    pub category: Category,
    /// What its own rules add together.
    pub sum: f64,
    /// What of that counts, from 0 to 1.
    pub share: f64,
    pub rule: String,
    pub reason_id: String,
    pub reason_en: String,
}

/// The tag of a mail that names a host with look-alike letters of another script (ATTACKS M15).
pub const MIXED_SCRIPT: &str = "mixed-script";
/// Whether a rule is the one that stands for likeness to the examples of a category.
pub(super) fn is_likeness(rule: &str) -> bool {
    rule.starts_with("likeness-")
}

/// A rule that fired.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fired {
    #[serde(serialize_with = "as_words")]
    pub rule: Arc<str>,
    pub category: Category,
    pub adds: f64,
    /// The priority, where this rule raised it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raises: Option<Priority>,
    /// The words it saw, with the place: `subject: "situs diretas"`.
    pub saw: Vec<String>,
    #[serde(serialize_with = "as_words")]
    pub reason_id: Arc<str>,
    #[serde(serialize_with = "as_words")]
    pub reason_en: Arc<str>,
}

/// As a string of JSON.
fn as_words<S: Serializer>(words: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(words)
}

/// A rule that holds for a mail, before scores are summed.
#[derive(Debug, Clone)]
pub(super) struct Holding<'a> {
    pub rule: &'a Rule,
    pub adds: f64,
    pub hits: Vec<Hit>,
    /// What made it hold besides words.
    pub told: Vec<String>,
    /// A stronger rule of its group counts in its place.
    pub is_covered: bool,
    /// Its priority counts.
    pub may_raise: bool,
}

impl Holding<'_> {
    /// Whether it adds to this category, or takes away from it.
    fn counts_for(&self, category: Category) -> bool {
        !self.is_covered && self.rule.category == Some(category)
    }

    /// Whether its priority counts where the mail is of this category.
    fn raises(&self, category: Category) -> bool {
        self.may_raise && !self.is_covered && self.rule.category.is_none_or(|of| of == category)
    }

    /// Whether it says of itself what the mail is about: neither likeness nor a list of weak words does.
    fn tells(&self) -> bool {
        self.adds > 0.0 && self.rule.most.is_none() && !is_likeness(&self.rule.id)
    }

    /// What it saw, with the places.
    pub fn saw(&self, facts: &Facts<'_>) -> Vec<String> {
        self.hits.iter().map(|hit| saw(facts, hit)).chain(self.told.iter().cloned()).collect()
    }
}

/// Assesses a message by its words and by what it tells ([`crate::mail::told::tell`]). Pure, and never
/// fails: an empty mail is `other`, unsure.
#[must_use]
pub fn assess(rules: &RuleSet, mail: &Mail, told: &Told) -> Assessment {
    let facts = facts(rules, mail, told);
    let holding = holding(rules, &facts);
    conclude(rules, &facts, &holding)
}

/// Every rule that holds. Only rules that some word of the mail belongs to are looked at.
pub(super) fn holding<'a>(rules: &'a RuleSet, facts: &Facts<'_>) -> Vec<Holding<'a>> {
    let compiled = &rules.compiled;
    let touched = facts.hits.touched().filter_map(|set| compiled.rules_of.get(set as usize)).flatten();
    let mut candidates: Vec<usize> = touched.chain(&compiled.wordless).copied().collect();
    candidates.sort_unstable();
    candidates.dedup();
    // In an answer the quotation is what somebody else asked or told, ourselves first.
    let raising = if is_answer(facts.mail, facts.told) { Places::ALL.without(QUOTED) } else { Places::ALL };
    let mut holding: Vec<Holding<'a>> = candidates
        .into_iter()
        .filter_map(|index| compiled.rules.get(index))
        .filter_map(|rule| {
            let mut found: Found = facts.test(&rule.condition, Places::ALL)?;
            // Rounded here, so that what is shown of each rule adds up to the score that is shown.
            let adds = round(found.worth(rule.weight, rule.most, &facts.factors));
            let told = std::mem::take(&mut found.told);
            let may_raise = rule.priority.is_some() && (raising == Places::ALL || facts.test(&rule.condition, raising).is_some());
            Some(Holding { rule, adds, told, hits: found.shown(), is_covered: false, may_raise })
        })
        .collect();
    cover(&mut holding);
    holding
}

/// Of each group the strongest alone counts.
pub(super) fn cover(holding: &mut [Holding<'_>]) {
    let keys: Vec<_> = holding.iter().map(|one| one.rule.group.as_ref().map(|group| (group, one.rule.category))).collect();
    let strength: Vec<f64> = holding.iter().map(|one| one.adds.abs()).collect();
    for (index, one) in holding.iter_mut().enumerate() {
        let Some(key) = keys.get(index).filter(|key| key.is_some()) else { continue };
        let own = strength.get(index).copied().unwrap_or_default();
        one.is_covered = keys.iter().zip(&strength).enumerate().any(|(other, (other_key, other_strength))| {
            other_key == key && (*other_strength > own || (*other_strength == own && other < index))
        });
    }
}

/// The score of a category and how it comes about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sum<'a> {
    pub category: Category,
    pub score: f64,
    /// What its rules add together.
    sum: f64,
    /// The rule that lets only a share of that count.
    damped: Option<(f64, &'a Rule)>,
}

/// Scores by category, best first; equal scores in the order of the contract.
pub(super) fn scores<'a>(holding: &[Holding<'a>]) -> Vec<Sum<'a>> {
    let mut scores: Vec<Sum<'a>> = Vec::new();
    for category in Category::ALL {
        let counted = holding.iter().filter(|one| one.counts_for(*category));
        let (sum, any) = counted.fold((0.0, false), |(sum, _), one| (sum + one.adds, true));
        if any {
            let sum = round(sum);
            let others = holding.iter().filter(|one| one.rule.category != Some(*category));
            let shares = others.filter_map(|one| Some((one.rule.others?, one.rule)));
            let damped = shares.min_by(|one, other| one.0.total_cmp(&other.0)).filter(|(share, _)| sum > 0.0 && *share < 1.0);
            let score = damped.map_or(sum, |(share, _)| shared(sum, share));
            scores.push(Sum { category: *category, score, sum, damped });
        }
    }
    scores.sort_by(|one, other| other.score.total_cmp(&one.score));
    scores
}

/// The share of a sum, in whole cents as a reader would work it out: in binary 4.77 × 0.5 comes to less than half a cent.
fn shared(sum: f64, share: f64) -> f64 {
    let thousandths = (share * 1000.0).round();
    ((sum * 100.0).round() * thousandths / 1000.0).round() / 100.0
}

/// Two decimals are what people read; sums of weights have no more meaning than that.
fn round(score: f64) -> f64 {
    (score * 100.0).round() / 100.0
}

/// What the scores come to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Verdict {
    pub category: Category,
    pub unsure: Option<Unsure>,
    score: f64,
    margin: f64,
    is_automatic: bool,
    is_clear_spam: bool,
}

/// What the rules that hold come to. `skip` are rules that are thought away ([`beside`] looks again at the text).
pub(super) fn verdict(rules: &RuleSet, facts: &Facts<'_>, holding: &[Holding<'_>], sums: &[Sum<'_>], skip: &[&str]) -> Verdict {
    let decision = &rules.compiled.decision;
    let of = |category: Category| sums.iter().find(|sum| sum.category == category).map_or(0.0, |sum| sum.score);
    let (best, score) = sums.first().map_or((Category::Other, 0.0), |sum| (sum.category, sum.score));
    let margin = round(score - sums.get(1).map_or(0.0, |sum| sum.score.max(0.0)));
    let is_automatic = matches!(facts.told.recognised.kind, MailKind::AutoReply | MailKind::Bounce | MailKind::List | MailKind::Own);
    if is_automatic {
        // Contract 8: what the headers show to be automatic opens no ticket, whatever its words.
        let margin = if best == Category::Spam { margin } else { 0.0 };
        let score = of(Category::Spam);
        return Verdict { category: Category::Spam, unsure: None, score, margin, is_automatic, is_clear_spam: true };
    }
    let unsure = if score < decision.threshold {
        Some(Unsure::BelowThreshold)
    } else if margin < decision.margin {
        Some(Unsure::TooClose)
    } else if is_harm(best) && !is_told(rules, holding, best) {
        Some(Unsure::LikenessAlone)
    } else if best == Category::Spam
        && (speaks_against(holding)
            || beside::is_only_passed_on(rules, facts, skip)
            || beside::tells_of_incident(rules, facts, holding, skip))
    {
        Some(Unsure::BesideAdvertising)
    } else if best == Category::Other && sums.iter().any(|sum| is_harm(sum.category) && sum.sum >= score) {
        // Who thanks, asks or announces a drill may be struck all the same.
        Some(Unsure::LoweredIncident)
    } else {
        None
    };
    let (category, score) = if unsure.is_some() { (Category::Other, of(Category::Other)) } else { (best, score) };
    // A report that is lost is worse than an advertisement that is read: neither what it sounds like nor weak words are enough.
    let says_so = || holding.iter().any(|one| one.counts_for(Category::Spam) && one.tells());
    let is_clear = score >= decision.clear_spam_score && margin >= decision.clear_spam_margin;
    let is_clear_spam = category == Category::Spam && is_clear && says_so();
    Verdict { category, unsure, score, margin, is_automatic, is_clear_spam }
}

/// Whether a rule says that the mail is no advertising, however much in it is.
fn speaks_against(holding: &[Holding<'_>]) -> bool {
    holding.iter().any(|one| one.counts_for(Category::Spam) && one.adds < 0.0 && !is_likeness(&one.rule.id))
}

/// Whether an incident is told of, and not only a mail of that kind sounded like.
fn is_told(rules: &RuleSet, holding: &[Holding<'_>], category: Category) -> bool {
    let compiled = &rules.compiled;
    let likeness = holding.iter().filter(|one| one.counts_for(category) && is_likeness(&one.rule.id)).map(|one| one.adds).sum::<f64>();
    !compiled.likeness.is_taught()
        || likeness >= compiled.decision.likeness_alone
        || holding.iter().any(|one| one.counts_for(category) && one.tells())
}

/// Whether a category is one of incidents.
const fn is_harm(category: Category) -> bool {
    !matches!(category, Category::Other | Category::Spam)
}

const fn usual_priority(category: Category, unsure: Option<Unsure>) -> Priority {
    if is_harm(category) || unsure.is_some() { Priority::Medium } else { Priority::Low }
}

/// The priority of a mail of this category: the highest that a rule of it, or of none, names.
fn priority_of(holding: &[Holding<'_>], category: Category, unsure: Option<Unsure>) -> Priority {
    let raised = holding.iter().filter(|one| one.raises(category)).filter_map(|one| one.rule.priority).max();
    raised.filter(|_| is_harm(category) || unsure.is_some()).unwrap_or(usual_priority(category, unsure))
}

pub(super) fn conclude(rules: &RuleSet, facts: &Facts<'_>, holding: &[Holding<'_>]) -> Assessment {
    let sums = scores(holding);
    let Verdict { category, unsure, score, margin, is_automatic, is_clear_spam } = verdict(rules, facts, holding, &sums, &[]);
    let is_unsure = unsure.is_some();
    let scores: Vec<(Category, f64)> = sums.iter().map(|sum| (sum.category, sum.score)).collect();
    let damped = |sum: &Sum<'_>| {
        let (share, rule) = sum.damped?;
        let (reason_id, reason_en) = (rule.reason_id.to_string(), rule.reason_en.to_string());
        Some(Damped { category: sum.category, sum: sum.sum, share, rule: rule.id.to_string(), reason_id, reason_en })
    };
    let decision = &rules.compiled.decision;
    let secondary = scores
        .iter()
        .filter(|(other, other_score)| {
            *other != category && is_harm(*other) && *other_score >= decision.threshold && *other_score * 2.0 >= score
        })
        .map(|(other, _)| *other)
        .collect();
    let counted = || holding.iter().filter(|one| !one.is_covered);
    let rsit = counted()
        .filter(|one| one.rule.category == Some(category) && one.rule.rsit.is_some())
        .max_by(|one, other| one.adds.total_cmp(&other.adds))
        .and_then(|one| one.rule.rsit.clone())
        .unwrap_or_else(|| if is_unsure { "other:undetermined".to_owned() } else { category.rsit().to_owned() });
    let usual = usual_priority(category, unsure);
    let priority = priority_of(holding, category, unsure);
    let raises = |one: &Holding<'_>| one.raises(category);
    let mut fired = fired(facts, holding, category);
    for one in holding.iter().filter(|one| priority != usual && raises(one) && one.rule.priority == Some(priority)) {
        fired.iter_mut().filter(|fired| fired.rule == one.rule.id).for_each(|fired| fired.raises = Some(priority));
    }
    Assessment {
        category,
        score,
        margin,
        is_unsure,
        unsure_because: unsure,
        is_clear_spam,
        is_automatic,
        damped: sums.iter().filter_map(damped).collect(),
        secondary,
        rsit,
        priority,
        priorities: Category::ALL.iter().map(|of| (*of, priority_of(holding, *of, None))).collect(),
        tags: counted()
            .filter(|one| one.rule.category.is_none_or(|of| of == category))
            .flat_map(|one| one.rule.tags.iter().cloned())
            .chain((!facts.told.mixed_script.is_empty()).then(|| MIXED_SCRIPT.to_owned()))
            .collect(),
        fired,
        scores,
        rules_version: rules.version().to_owned(),
    }
}

/// What likeness says where it speaks against a category.
const UNLIKE_ID: &str = "Kata-katanya tidak seperti pada laporan sejenis yang sudah dikenal.";
const UNLIKE_EN: &str = "It is told in words unlike those of known mail of this kind.";

fn fired(facts: &Facts<'_>, holding: &[Holding<'_>], category: Category) -> Vec<Fired> {
    let mut fired: Vec<Fired> = holding
        .iter()
        .filter(|one| !one.is_covered)
        .map(|one| {
            let is_unlike = one.adds < 0.0 && is_likeness(&one.rule.id);
            Fired {
                rule: Arc::clone(&one.rule.id),
                category: one.rule.category.unwrap_or(category),
                adds: one.adds,
                raises: None,
                saw: one.saw(facts),
                reason_id: if is_unlike { UNLIKE_ID.into() } else { Arc::clone(&one.rule.reason_id) },
                reason_en: if is_unlike { UNLIKE_EN.into() } else { Arc::clone(&one.rule.reason_en) },
            }
        })
        .collect();
    // Likeness stands behind what rules say: a colleague wants to hear what was seen, then what it sounds like.
    let key = |one: &Fired| (one.category != category, is_likeness(&one.rule));
    fired.sort_by(|one, other| key(one).cmp(&key(other)).then(other.adds.abs().total_cmp(&one.adds.abs())));
    fired
}

/// `new 3: "situs diretas"`: the place, the line in it, the words as they stand there.
pub(super) fn saw(facts: &Facts<'_>, hit: &Hit) -> String {
    let place = PLACES.get(hit.place).copied().unwrap_or_default();
    let text = facts.texts.get(hit.place).map_or("", |text| text);
    let typed = text.get(hit.start as usize..hit.end as usize).unwrap_or_default();
    let words = if typed.bytes().all(|byte| byte.is_ascii_alphanumeric()) { Cow::Borrowed(typed) } else { Cow::Owned(shown(typed)) };
    let mut saw = String::with_capacity(place.len() + words.len() + 12);
    saw.push_str(place);
    if hit.place == ATTACHMENT
        && let Some((name, start)) = attachment_at(facts.mail, hit.start as usize)
    {
        let before = memchr::memchr_iter(b'\n', text.as_bytes().get(..start).unwrap_or_default()).count();
        let name: String = shown(name).replace(": ", " ").chars().take(NAME_CHARS_MAX).collect();
        let _ = write!(saw, " {} {name}", facts.line(hit) - before);
    } else if hit.place != SUBJECT && hit.place != ATTACHMENT_NAME {
        // Formatting is for numbers alone; a mail has a hundred of these.
        let _ = write!(saw, " {}", facts.line(hit));
    }
    saw.push_str(": \"");
    saw.push_str(&words);
    saw.push('"');
    saw
}

/// So much of a file's name tells it from the others.
const NAME_CHARS_MAX: usize = 60;

/// Words on one line, without what a terminal would obey or a reader be deceived by.
pub(super) fn shown(typed: &str) -> String {
    let words = typed.split_whitespace().collect::<Vec<_>>().join(" ");
    visible(&words.chars().take(80).collect::<String>())
}
