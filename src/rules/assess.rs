//! A message against a rule set: scores, margin, reasons.

use super::compile::{ATTACHMENT_NAME, PLACES, Rule, SUBJECT};
use super::condition::{Facts, Found};
use super::facts::facts;
use super::scan::Hit;
use super::set::RuleSet;
use crate::mail::Mail;
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
    /// Under the threshold or the margin: `other` until a person says; the best two are in `scores`.
    pub is_unsure: bool,
    /// Spam with so clear a margin that no ticket opens (contract 8).
    pub is_clear_spam: bool,
    /// Every category with a score, best first.
    pub scores: Vec<(Category, f64)>,
    /// Other categories that the message is about as well, best first.
    pub secondary: Vec<Category>,
    /// RSIT `class:type`.
    pub rsit: String,
    pub priority: Priority,
    /// Words that rules attach for searching and statistics.
    pub tags: BTreeSet<String>,
    pub fired: Vec<Fired>,
    /// The version (hash) of the rule set.
    pub rules_version: String,
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
#[derive(Debug)]
pub(super) struct Holding<'a> {
    pub rule: &'a Rule,
    pub adds: f64,
    pub hits: Vec<Hit>,
    /// What made it hold besides words.
    pub told: Vec<String>,
    /// A stronger rule of its group counts in its place.
    pub is_covered: bool,
}

impl Holding<'_> {
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
    let mut holding: Vec<Holding<'a>> = candidates
        .into_iter()
        .filter_map(|index| compiled.rules.get(index))
        .filter_map(|rule| {
            let mut found: Found = facts.test(&rule.condition)?;
            let adds = found.worth(rule.weight, rule.most, &facts.factors);
            let told = std::mem::take(&mut found.told);
            Some(Holding { rule, adds, told, hits: found.shown(), is_covered: false })
        })
        .collect();
    cover(&mut holding);
    holding
}

/// Of each group the strongest alone counts.
fn cover(holding: &mut [Holding<'_>]) {
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

/// Scores by category, best first; equal scores in the order of the contract.
pub(super) fn scores(holding: &[Holding<'_>]) -> Vec<(Category, f64)> {
    let mut scores: Vec<(Category, f64)> = Vec::new();
    for category in Category::ALL {
        let counted = holding.iter().filter(|one| !one.is_covered && one.rule.category == Some(*category));
        let (sum, any) = counted.fold((0.0, false), |(sum, _), one| (sum + one.adds, true));
        if any {
            let share =
                holding.iter().filter(|one| one.rule.category != Some(*category)).filter_map(|one| one.rule.others).fold(1.0, f64::min);
            scores.push((*category, round(if sum > 0.0 { sum * share } else { sum })));
        }
    }
    scores.sort_by(|one, other| other.1.total_cmp(&one.1));
    scores
}

/// Two decimals are what people read; sums of weights have no more meaning than that.
fn round(score: f64) -> f64 {
    (score * 100.0).round() / 100.0
}

/// The category of these scores, its margin, and whether that is unsure.
pub(super) fn winner(rules: &RuleSet, scores: &[(Category, f64)]) -> (Category, f64, f64, bool) {
    let best = scores.first().copied();
    let second = scores.get(1).map_or(0.0, |score| score.1.max(0.0));
    let Some((category, score)) = best else { return (Category::Other, 0.0, 0.0, true) };
    let margin = round(score - second);
    let decision = &rules.compiled.decision;
    if score < decision.threshold || margin < decision.margin {
        let own = scores.iter().find(|(category, _)| *category == Category::Other).map_or(0.0, |(_, score)| *score);
        return (Category::Other, own, margin, true);
    }
    (category, score, margin, false)
}

pub(super) fn conclude(rules: &RuleSet, facts: &Facts<'_>, holding: &[Holding<'_>]) -> Assessment {
    let scores = scores(holding);
    let (mut category, mut score, mut margin, mut is_unsure) = winner(rules, &scores);
    let is_automatic = matches!(facts.told.recognised.kind, MailKind::AutoReply | MailKind::Bounce | MailKind::List | MailKind::Own);
    let decision = &rules.compiled.decision;
    if is_automatic && category != Category::Spam {
        // Contract 8: what the headers show to be automatic opens no ticket, whatever its words.
        (category, is_unsure) = (Category::Spam, false);
        score = scores.iter().find(|(category, _)| *category == Category::Spam).map_or(0.0, |(_, score)| *score);
        margin = 0.0;
    }
    let is_clear_spam =
        category == Category::Spam && (is_automatic || (score >= decision.clear_spam_score && margin >= decision.clear_spam_margin));
    let is_harm = |category: &Category| !matches!(category, Category::Other | Category::Spam);
    let secondary = scores
        .iter()
        .filter(|(other, other_score)| {
            *other != category && is_harm(other) && *other_score >= decision.threshold && *other_score * 2.0 >= score
        })
        .map(|(other, _)| *other)
        .collect();
    let counted = || holding.iter().filter(|one| !one.is_covered);
    let rsit = counted()
        .filter(|one| one.rule.category == Some(category) && one.rule.rsit.is_some())
        .max_by(|one, other| one.adds.total_cmp(&other.adds))
        .and_then(|one| one.rule.rsit.clone())
        .unwrap_or_else(|| if is_unsure { "other:undetermined".to_owned() } else { category.rsit().to_owned() });
    let usual = if is_harm(&category) || is_unsure { Priority::Medium } else { Priority::Low };
    let raised = counted()
        .filter(|one| one.rule.category.is_none_or(|of| of == category))
        .filter_map(|one| one.rule.priority)
        .max()
        .filter(|_| is_harm(&category) || is_unsure);
    let fired = fired(facts, holding, category);
    Assessment {
        category,
        score,
        margin,
        is_unsure,
        is_clear_spam,
        secondary,
        rsit,
        priority: raised.unwrap_or(usual),
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

fn fired(facts: &Facts<'_>, holding: &[Holding<'_>], category: Category) -> Vec<Fired> {
    let mut fired: Vec<Fired> = holding
        .iter()
        .filter(|one| !one.is_covered)
        .map(|one| Fired {
            rule: Arc::clone(&one.rule.id),
            category: one.rule.category.unwrap_or(category),
            adds: round(one.adds),
            saw: one.saw(facts),
            reason_id: Arc::clone(&one.rule.reason_id),
            reason_en: Arc::clone(&one.rule.reason_en),
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
    if hit.place != SUBJECT && hit.place != ATTACHMENT_NAME {
        // Formatting is for numbers alone; a mail has a hundred of these.
        let _ = write!(saw, " {}", facts.line(hit));
    }
    saw.push_str(": \"");
    saw.push_str(&words);
    saw.push('"');
    saw
}

/// Words on one line, without what a terminal would obey.
pub(super) fn shown(typed: &str) -> String {
    let words = typed.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().take(80).flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] }).collect()
}
