//! Why a message was filed as it was: which rules, which words, what each added, and what would
//! have changed the result. As text in both languages of the centre, as JSON, as HTML.

mod page;
mod words;

use super::assess::{self, Assessment, Fired, Holding, is_likeness};
use super::condition::Facts;
use super::facts::facts;
use super::set::RuleSet;
use crate::mail::Mail;
use crate::mail::template::Templates;
use crate::mail::told::Told;
use crate::model::{Category, Language};
use serde::Serialize;
use std::fmt::Write as _;
use words::{Words, words};

/// What other categories' rules add is shown from here on: below, it only lengthens the page.
const SHOWN_MIN: f64 = 1.0;
/// Turning points that are named; more would bury the first.
const TURNS_MAX: usize = 5;

/// An assessment with all that led to it.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    pub assessment: Assessment,
    /// What would have changed the result.
    pub turns: Vec<Turn>,
    /// The least score and the least lead that make a result sure.
    pub threshold: f64,
    pub least_lead: f64,
    /// The texts that were looked at, by place, for marking.
    #[serde(skip)]
    texts: Vec<(usize, String)>,
    /// Marks in them: place, from, to, rule, category.
    #[serde(skip)]
    marks: Vec<(usize, usize, usize, String, Category)>,
}

/// One thing that would have changed the result.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Turn {
    pub because: Because,
    /// The rule concerned; of several, their names with commas.
    pub rule: String,
    /// The words concerned.
    pub saw: Vec<String>,
    pub category: Category,
    /// `other` for want of points or of a lead.
    pub is_unsure: bool,
}

/// The change that a turn imagines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// Without this rule.
    WithoutRule,
    /// Without so many of the strongest rules, where no single one decides.
    WithoutStrongest(usize),
    /// If the words were not denied.
    WithoutDenial,
}

/// What rules saw, for people: the places are named in their language.
#[must_use]
pub fn seen(saw: &[String], language: Language) -> String {
    words(language).seen(saw)
}

/// Explains a message.
#[must_use]
pub fn explain(rules: &RuleSet, mail: &Mail, told: &Told) -> Explanation {
    let mut facts = facts(rules, mail, told);
    let holding = assess::holding(rules, &facts);
    let assessment = assess::conclude(rules, &facts, &holding);
    let mut turns = without_each(rules, &facts, &holding, &assessment);
    if turns.is_empty() {
        turns.extend(without_strongest(rules, &holding, &assessment));
    }
    let marks = marks(&holding, assessment.category);
    facts.ignores_denial = true;
    turns.extend(without_denials(rules, &facts, &holding, &assessment));
    turns.truncate(TURNS_MAX);
    let texts = facts
        .texts
        .into_iter()
        .enumerate()
        .filter(|(_, text)| !text.trim().is_empty())
        .map(|(place, text)| (place, text.into_owned()))
        .collect();
    let decision = &rules.compiled.decision;
    Explanation { assessment, turns, threshold: decision.threshold, least_lead: decision.margin, texts, marks }
}

fn marks(holding: &[Holding<'_>], category: Category) -> Vec<(usize, usize, usize, String, Category)> {
    // What the mail sounds like is marked for the winner alone: the other kinds would colour every second word.
    let is_marked = |one: &&Holding<'_>| !one.is_covered && (!is_likeness(&one.rule.id) || one.rule.category == Some(category));
    let counted = holding.iter().filter(is_marked);
    let mut marks: Vec<_> = counted
        .flat_map(|one| {
            let of = one.rule.category.unwrap_or(category);
            one.hits.iter().map(move |hit| (hit.place, hit.start as usize, hit.end as usize, one.rule.id.to_string(), of))
        })
        .collect();
    // Of marks at one place that of the winner is shown, and a rule's rather than that of likeness.
    marks.sort_by_key(|mark| (mark.0, mark.1, mark.4 != category, is_likeness(&mark.3), mark.2));
    marks
}

/// Rules that count for the winner, the strongest first.
fn own<'a, 'b>(holding: &'b [Holding<'a>], assessment: &Assessment) -> Vec<&'b Holding<'a>> {
    let mut own: Vec<_> =
        holding.iter().filter(|one| !one.is_covered && one.rule.category == Some(assessment.category) && one.adds > 0.0).collect();
    own.sort_by(|one, other| other.adds.total_cmp(&one.adds));
    own
}

/// What the mail would be with so much less for its category.
fn with_less(rules: &RuleSet, assessment: &Assessment, less: f64) -> (Category, bool) {
    let mut scores = assessment.scores.clone();
    scores.iter_mut().filter(|score| score.0 == assessment.category).for_each(|score| score.1 -= less);
    scores.sort_by(|one, other| other.1.total_cmp(&one.1));
    let (category, _, _, is_unsure) = assess::winner(rules, &scores);
    (category, is_unsure)
}

/// Rules of the winner without which it would not have won.
fn without_each(rules: &RuleSet, facts: &Facts<'_>, holding: &[Holding<'_>], assessment: &Assessment) -> Vec<Turn> {
    let mut turns = Vec::new();
    for one in own(holding, assessment) {
        let (category, is_unsure) = with_less(rules, assessment, one.adds);
        if category != assessment.category || is_unsure != assessment.is_unsure {
            turns.push(Turn { because: Because::WithoutRule, rule: one.rule.id.to_string(), saw: one.saw(facts), category, is_unsure });
        }
    }
    turns
}

/// How many of the strongest rules would have to be wrong together.
fn without_strongest(rules: &RuleSet, holding: &[Holding<'_>], assessment: &Assessment) -> Option<Turn> {
    if assessment.is_unsure {
        return None;
    }
    let mut less = 0.0;
    let mut names: Vec<&str> = Vec::new();
    for one in own(holding, assessment) {
        less += one.adds;
        names.push(&one.rule.id);
        let (category, is_unsure) = with_less(rules, assessment, less);
        if category != assessment.category || is_unsure {
            let because = Because::WithoutStrongest(names.len());
            return Some(Turn { because, rule: names.join(", "), saw: Vec::new(), category, is_unsure });
        }
    }
    None
}

/// What the words that are denied would have added, where that would have changed the result.
fn without_denials(rules: &RuleSet, facts: &Facts<'_>, holding: &[Holding<'_>], assessment: &Assessment) -> Vec<Turn> {
    let all = assess::holding(rules, facts);
    let (category, _, _, is_unsure) = assess::winner(rules, &assess::scores(&all));
    if category == assessment.category {
        return Vec::new();
    }
    let is_new = |one: &&Holding<'_>| !one.is_covered && !holding.iter().any(|known| known.rule.id == one.rule.id);
    let mut turns: Vec<(f64, Turn)> = all
        .iter()
        .filter(is_new)
        .filter(|one| one.rule.category == Some(category) && one.adds > 0.0)
        .map(|one| {
            let turn = Turn { because: Because::WithoutDenial, rule: one.rule.id.to_string(), saw: one.saw(facts), category, is_unsure };
            (one.adds, turn)
        })
        .collect();
    turns.sort_by(|one, other| other.0.total_cmp(&one.0));
    turns.into_iter().map(|(_, turn)| turn).take(2).collect()
}

impl Explanation {
    /// The first line: the result and how sure it is.
    fn result(&self, words: &Words, templates: &Templates) -> String {
        let a = &self.assessment;
        let mut line = words.category(a.category, templates);
        if a.is_unsure {
            let best = a.scores.first().map_or(0.0, |(_, score)| *score);
            let lack = if best < self.threshold { (words.below, self.threshold) } else { (words.close, self.least_lead) };
            let _ = write!(line, " ({}; {}: {})", words.unsure, lack.0, words.number(lack.1));
        }
        if a.is_clear_spam {
            let _ = write!(line, " ({})", words.clear_spam);
        }
        let _ = write!(line, " · {} {}", words.score, words.number(a.score));
        if !a.is_unsure {
            let _ = write!(line, ", {} {}", words.ahead, words.number(a.margin));
        }
        let others: Vec<String> = a
            .scores
            .iter()
            .filter(|(category, score)| (a.is_unsure || *category != a.category) && *score > 0.0)
            .take(2)
            .map(|(category, score)| format!("{} {}", words.category(*category, templates), words.number(*score)))
            .collect();
        if !others.is_empty() {
            let _ = write!(line, " · {}: {}", words.second, others.join(", "));
        }
        let _ = write!(line, " · {} {} · RSIT {}", words.priority, words.priority(a.priority, templates), a.rsit);
        if !a.secondary.is_empty() {
            let also: Vec<String> = a.secondary.iter().map(|category| words.category(*category, templates)).collect();
            let _ = write!(line, " · {} {}", words.also, also.join(", "));
        }
        line
    }

    /// The rules that fired under their headings: for the winner, for others, for the priority.
    fn parts<'a>(&'a self, words: &Words) -> Vec<(&'static str, Vec<&'a Fired>)> {
        let a = &self.assessment;
        // Rules without a category only raise the priority.
        let (raising, adding): (Vec<_>, Vec<_>) = a.fired.iter().partition(|fired| fired.adds == 0.0);
        let (own, others): (Vec<_>, Vec<_>) = adding.into_iter().partition(|fired| fired.category == a.category);
        // What likeness says against a category explains nothing by itself.
        let own = own.into_iter().filter(|fired| fired.adds > 0.0 || !is_likeness(&fired.rule)).collect();
        let is_shown = |fired: &&Fired| fired.adds >= SHOWN_MIN || (fired.adds <= -SHOWN_MIN && !is_likeness(&fired.rule));
        let others = others.into_iter().filter(is_shown).collect();
        let parts = [(words.why, own), (words.against, others), (words.raising, raising)];
        parts.into_iter().filter(|(_, list): &(_, Vec<_>)| !list.is_empty()).collect()
    }

    /// The turning points, a line each.
    fn turned(&self, words: &Words, language: Language, templates: &Templates) -> Vec<String> {
        let reason = |rule: &str| {
            let fired = self.assessment.fired.iter().find(|fired| *fired.rule == *rule);
            let said = fired.map(|fired| if matches!(language, Language::Id) { &fired.reason_id } else { &fired.reason_en });
            said.map_or_else(|| rule.to_owned(), |said| format!("\"{said}\" [{rule}]"))
        };
        let line = |turn: &Turn| {
            let change = match turn.because {
                Because::WithoutRule => format!("{} {}", words.without, reason(&turn.rule)),
                Because::WithoutStrongest(many) => words.without_strongest.replace("{}", &many.to_string()),
                Because::WithoutDenial => format!("{}: {} [{}]", words.undenied, words.seen(&turn.saw), turn.rule),
            };
            let then = words.category(turn.category, templates);
            if turn.is_unsure { format!("{change} → {then} ({})", words.unsure) } else { format!("{change} → {then}") }
        };
        self.turns.iter().map(line).collect()
    }

    /// As text, for terminals and timelines.
    #[must_use]
    pub fn text(&self, language: Language, templates: &Templates) -> String {
        let words = words(language);
        let mut out = self.result(words, templates);
        out.push('\n');
        let parts = self.parts(words);
        if parts.is_empty() {
            let _ = writeln!(out, "{}", words.nothing);
        }
        for (title, list) in parts {
            let _ = writeln!(out, "{title}:");
            for fired in list {
                let reason = if matches!(language, Language::Id) { &fired.reason_id } else { &fired.reason_en };
                let adds = if fired.adds == 0.0 { String::new() } else { format!("{:>6} ", words.signed(fired.adds)) };
                let is_of_other = fired.adds != 0.0 && fired.category != self.assessment.category;
                let of = if is_of_other { format!("{}: ", words.category(fired.category, templates)) } else { String::new() };
                let _ = writeln!(out, "  {adds}{of}{reason} [{}]", fired.rule);
                if !fired.saw.is_empty() {
                    let _ = writeln!(out, "         {} {}", words.saw, words.seen(&fired.saw));
                }
            }
        }
        let turns = self.turned(words, language, templates);
        if !turns.is_empty() {
            let _ = writeln!(out, "{}:", words.turned);
            for turn in turns {
                let _ = writeln!(out, "  {turn}");
            }
        }
        out
    }
}
