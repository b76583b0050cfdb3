//! Why a message was filed as it was: which rules, which words, what each added, and what would
//! have changed the result. As text in both languages of the centre, as JSON, as HTML.

mod brief;
mod page;
#[cfg(test)]
mod tests;
mod words;

use super::assess::beside::{self, Passage, ReadsAs};
use super::assess::{self, Assessment, Damped, Fired, Holding, Unsure, is_likeness};
use super::condition::{Facts, Undenied};
use super::facts::facts;
use super::set::RuleSet;
use crate::mail::Mail;
use crate::mail::template::Templates;
use crate::mail::told::Told;
use crate::model::{Category, Language};
use serde::Serialize;
use std::fmt::Write as _;
use words::{Words, words};

/// Another category is shown where one of its rules adds so much: below, it only lengthens the page.
const SHOWN_MIN: f64 = 1.0;
/// So many other categories are shown.
const OTHERS_MAX: usize = 3;
/// Turning points that are named; more would bury the first.
const TURNS_MAX: usize = 5;
/// Rules that see denied words, of which the turning points are looked for, …
const DENIALS_MAX: usize = 8;
/// … and shown.
const DENIALS_SHOWN: usize = 2;

/// An assessment with all that led to it.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    pub assessment: Assessment,
    /// What would have changed the result.
    pub turns: Vec<Turn>,
    /// What was read beside advertising: why the mail is not filed as spam, or that nothing else was found in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<Passage>,
    /// The least score and the least lead that make a result sure, and what likeness must add where it stands alone.
    pub threshold: f64,
    pub least_lead: f64,
    pub likeness_alone: f64,
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
    /// The words concerned, where it is one rule or a denial.
    pub saw: Vec<String>,
    /// The rules that are thought away, with what each saw.
    pub grounds: Vec<Ground>,
    pub category: Category,
    /// `other` for want of points or of a lead.
    pub is_unsure: bool,
}

/// A rule that is thought away. It need not be one of those that counted: one of a group steps in for another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ground {
    pub rule: String,
    pub saw: Vec<String>,
    pub reason_id: String,
    pub reason_en: String,
}

impl Ground {
    fn new(facts: &Facts<'_>, one: &Holding<'_>) -> Self {
        let (reason_id, reason_en) = (one.rule.reason_id.to_string(), one.rule.reason_en.to_string());
        Self { rule: one.rule.id.to_string(), saw: one.saw(facts), reason_id, reason_en }
    }
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

/// Explains a message.
#[must_use]
pub fn explain(rules: &RuleSet, mail: &Mail, told: &Told) -> Explanation {
    let mut facts = facts(rules, mail, told);
    let holding = assess::holding(rules, &facts);
    let assessment = assess::conclude(rules, &facts, &holding);
    let mut turns = without_each(rules, &facts, &holding, &assessment);
    if turns.is_empty() {
        turns.extend(without_strongest(rules, &facts, &holding, &assessment));
    }
    let marks = marks(&holding, assessment.category);
    turns.extend(without_denials(rules, &mut facts, &holding, &assessment));
    turns.truncate(TURNS_MAX);
    let is_beside = assessment.unsure_because == Some(Unsure::BesideAdvertising);
    let is_spam = assessment.category == Category::Spam && !assessment.is_automatic;
    let beside = if is_beside || is_spam { beside::passage(rules, &facts, &holding) } else { None };
    let texts = facts
        .texts
        .into_iter()
        .enumerate()
        .filter(|(_, text)| !text.trim().is_empty())
        .map(|(place, text)| (place, text.into_owned()))
        .collect();
    let decision = &rules.compiled.decision;
    let (threshold, least_lead, likeness_alone) = (decision.threshold, decision.margin, decision.likeness_alone);
    Explanation { assessment, turns, beside, threshold, least_lead, likeness_alone, texts, marks }
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

/// Rules that count for a category, the strongest first.
fn strongest<'a, 'b>(holding: &'b [Holding<'a>], category: Category) -> Vec<&'b Holding<'a>> {
    let mut own: Vec<_> = holding.iter().filter(|one| !one.is_covered && one.rule.category == Some(category) && one.adds > 0.0).collect();
    own.sort_by(|one, other| other.adds.total_cmp(&one.adds));
    own
}

/// What a mail is filed as, and whether that is unsure.
type Filed = (Category, bool);

fn filed(assessment: &Assessment) -> Filed {
    (assessment.category, assessment.is_unsure)
}

/// The rules that hold where these are thought away: those that they covered count, and nothing that they damped is.
fn left<'a>(holding: &[Holding<'a>], gone: &[&str]) -> Vec<Holding<'a>> {
    let mut left: Vec<_> = holding.iter().filter(|one| !gone.contains(&&*one.rule.id)).cloned().collect();
    assess::cover(&mut left);
    left
}

fn outcome(rules: &RuleSet, facts: &Facts<'_>, holding: &[Holding<'_>], gone: &[&str]) -> Filed {
    let verdict = assess::verdict(rules, facts, holding, &assess::scores(holding), gone);
    (verdict.category, verdict.unsure.is_some())
}

/// Rules without which the mail would have been filed otherwise: those of the winner, then the others.
fn without_each(rules: &RuleSet, facts: &Facts<'_>, holding: &[Holding<'_>], assessment: &Assessment) -> Vec<Turn> {
    let is_of_winner = |one: &&Holding<'_>| one.rule.category == Some(assessment.category);
    // Nobody asks what would be if a mail did sound like a kind of which it has no word.
    let is_asked = |one: &&Holding<'_>| !one.is_covered && one.rule.category.is_some() && !(is_likeness(&one.rule.id) && one.adds < 0.0);
    let mut asked: Vec<_> = holding.iter().filter(is_asked).collect();
    asked.sort_by(|one, other| is_of_winner(other).cmp(&is_of_winner(one)).then(other.adds.abs().total_cmp(&one.adds.abs())));
    let mut turns = Vec::new();
    for one in asked {
        let gone = [&*one.rule.id];
        let (category, is_unsure) = outcome(rules, facts, &left(holding, &gone), &gone);
        // Without a rule of spam its words stand among those of the report: true, and no reason.
        let is_advert = assessment.unsure_because == Some(Unsure::BesideAdvertising) && one.rule.category == Some(Category::Spam);
        if (category, is_unsure) != filed(assessment) && turns.len() < TURNS_MAX && !(is_advert && category == Category::Spam) {
            let ground = Ground::new(facts, one);
            let (rule, saw) = (ground.rule.clone(), ground.saw.clone());
            turns.push(Turn { because: Because::WithoutRule, rule, saw, grounds: vec![ground], category, is_unsure });
        }
    }
    turns
}

/// How many of the strongest rules would have to be wrong together.
fn without_strongest(rules: &RuleSet, facts: &Facts<'_>, holding: &[Holding<'_>], assessment: &Assessment) -> Option<Turn> {
    if assessment.is_unsure || assessment.is_automatic {
        return None;
    }
    let mut gone: Vec<&str> = Vec::new();
    let mut grounds = Vec::new();
    loop {
        // A rule that stands in for one of its group is a reason like the others.
        let left = left(holding, &gone);
        let one = *strongest(&left, assessment.category).first()?;
        gone.push(&one.rule.id);
        grounds.push(Ground::new(facts, one));
        let (category, is_unsure) = outcome(rules, facts, &self::left(holding, &gone), &gone);
        if (category, is_unsure) != filed(assessment) {
            let because = Because::WithoutStrongest(gone.len());
            return Some(Turn { because, rule: gone.join(", "), saw: Vec::new(), grounds, category, is_unsure });
        }
    }
}

/// Denied words that would have changed the result: each rule's alone, or where no such rule is found all together.
fn without_denials(rules: &RuleSet, facts: &mut Facts<'_>, holding: &[Holding<'_>], assessment: &Assessment) -> Vec<Turn> {
    facts.undenied = Undenied::All;
    let all = assess::holding(rules, facts);
    let together = outcome(rules, facts, &all, &[]);
    let is_new = |one: &&Holding<'_>| one.rule.category.is_some() && !holding.iter().any(|known| known.rule.id == one.rule.id);
    let mut found: Vec<Holding<'_>> =
        all.iter().filter(is_new).filter(|one| one.adds > 0.0 && one.hits.iter().any(|hit| hit.is_denied)).cloned().collect();
    found.sort_by(|one, other| other.adds.total_cmp(&one.adds));
    found.truncate(DENIALS_MAX);
    let mut turns = Vec::new();
    let words = |one: &mut Holding<'_>| {
        one.hits.retain(|hit| hit.is_denied);
        one.told.clear();
        one.hits.iter().map(|hit| (hit.place, hit.first, hit.last)).collect::<Vec<_>>()
    };
    let turn = |rule: String, saw: Vec<String>, (category, is_unsure): Filed| Turn {
        because: Because::WithoutDenial,
        rule,
        saw,
        grounds: Vec::new(),
        category,
        is_unsure,
    };
    for one in &mut found {
        facts.undenied = Undenied::These(words(one));
        let then = outcome(rules, facts, &assess::holding(rules, facts), &[]);
        if then != filed(assessment) && turns.len() < DENIALS_SHOWN {
            turns.push(turn(one.rule.id.to_string(), one.saw(facts), then));
        }
    }
    facts.undenied = Undenied::Nothing;
    if turns.is_empty() && together != filed(assessment) && !found.is_empty() {
        let mut saw: Vec<String> = Vec::new();
        found.iter().flat_map(|one| one.saw(facts)).for_each(|word| {
            if !saw.contains(&word) {
                saw.push(word)
            }
        });
        let these: Vec<_> = found.iter_mut().flat_map(words).collect();
        facts.undenied = Undenied::These(these);
        let then = outcome(rules, facts, &assess::holding(rules, facts), &[]);
        facts.undenied = Undenied::Nothing;
        if then != filed(assessment) {
            let rules: Vec<&str> = found.iter().map(|one| &*one.rule.id).collect();
            turns.push(turn(rules.join(", "), saw, then));
        }
    }
    turns
}

/// A category's score as it is shown: what each rule added, what a rule of another category let count, the sum.
#[derive(Debug)]
struct Part<'a> {
    title: String,
    /// `None` for the rules that raise the priority and add nothing.
    of: Option<Category>,
    lines: Vec<&'a Fired>,
    damped: Option<&'a Damped>,
    /// The score, where more than one line leads to it.
    total: Option<f64>,
}

impl Explanation {
    /// The first line: the result and how sure it is.
    fn result(&self, words: &Words, templates: &Templates) -> String {
        let a = &self.assessment;
        let mut line = words.category(a.category, templates);
        if let Some(lack) = self.lack(words) {
            let _ = write!(line, " ({}; {lack})", words.unsure);
        }
        if a.is_clear_spam {
            let _ = write!(line, " ({})", if a.is_automatic { words.automatic } else { words.clear_spam });
        }
        // Nothing was chosen where it is unsure: the score of `other` is no reason for it.
        if !a.is_unsure {
            let _ = write!(line, " · {} {}, {} {}", words.score, words.number(a.score), words.ahead, words.number(a.margin));
        }
        let others: Vec<String> = self.next().map(|(category, score)| named(words, templates, category, score)).collect();
        if !others.is_empty() {
            let next = if a.is_unsure { words.nearest } else { words.second };
            let _ = write!(line, " · {next}: {}", others.join(", "));
        }
        let _ = write!(line, " · {} {} · RSIT {}", words.priority, words.priority(a.priority, templates), a.rsit);
        if !a.secondary.is_empty() {
            let also: Vec<String> = a.secondary.iter().map(|category| words.category(*category, templates)).collect();
            let _ = write!(line, " · {} {}", words.also, also.join(", "));
        }
        line
    }

    /// Why nothing was chosen, in a few words.
    fn lack(&self, words: &Words) -> Option<String> {
        self.assessment.unsure_because.map(|because| match because {
            Unsure::BelowThreshold => format!("{}: {}", words.below, words.number(self.threshold)),
            Unsure::TooClose => format!("{}: {}", words.close, words.number(self.least_lead)),
            Unsure::LikenessAlone => format!("{}: {}", words.likeness_alone, words.number(self.likeness_alone)),
            Unsure::BesideAdvertising => words.beside_advertising.to_owned(),
            Unsure::LoweredIncident => words.lowered_incident.to_owned(),
        })
    }

    /// The best two that were not chosen, with their scores.
    fn next(&self) -> impl Iterator<Item = (Category, f64)> + '_ {
        let a = &self.assessment;
        let is_next = |(category, score): &(Category, f64)| (a.is_unsure || *category != a.category) && *score > 0.0;
        a.scores.iter().copied().filter(is_next).take(2)
    }

    /// What was read beside advertising, for people, and its words.
    fn read_beside(&self, words: &Words, templates: &Templates) -> Option<(String, &str)> {
        let passage = self.beside.as_ref()?;
        let told = match (passage.reads_as, passage.category) {
            (ReadsAs::Report, Some(category)) => format!("{}: {}", words.reads_as_report, words.category(category, templates)),
            (ReadsAs::Report, None) => words.reads_as_report.to_owned(),
            (ReadsAs::Letter, _) => words.reads_as_letter.to_owned(),
            (ReadsAs::PassedOn, _) => words.passed_on.to_owned(),
            (ReadsAs::Nothing, _) => words.no_report_beside.to_owned(),
        };
        Some((told, &passage.text))
    }

    /// The rules that fired under their headings: for the winner, for others, for the priority.
    fn parts(&self, words: &Words, templates: &Templates) -> Vec<Part<'_>> {
        let a = &self.assessment;
        let own = if a.is_unsure { format!("{} {}", words.against, words.category(a.category, templates)) } else { words.why.to_owned() };
        let mut parts = vec![self.part(a.category, own)];
        // What takes points from `other` is no reason why nothing was chosen.
        parts.retain(|part| !a.is_unsure || part.lines.iter().any(|fired| fired.adds > 0.0));
        let is_next = |category: &Category| a.is_unsure && a.scores.iter().take(2).any(|(best, score)| best == category && *score > 0.0);
        let is_strong = |category: &Category| a.fired.iter().any(|fired| fired.category == *category && fired.adds >= SHOWN_MIN);
        let others = a.scores.iter().map(|(category, _)| *category).filter(|category| *category != a.category);
        for category in others.filter(|category| is_next(category) || is_strong(category)).take(OTHERS_MAX) {
            parts.push(self.part(category, format!("{} {}", words.against, words.category(category, templates))));
        }
        let raising = a.fired.iter().filter(|fired| fired.raises.is_some()).collect();
        parts.push(Part { title: words.raising.to_owned(), of: None, lines: raising, damped: None, total: None });
        parts.retain(|part| !part.lines.is_empty());
        parts
    }

    fn part(&self, category: Category, title: String) -> Part<'_> {
        let a = &self.assessment;
        let lines: Vec<_> = a.fired.iter().filter(|fired| fired.category == category && fired.adds != 0.0).collect();
        let damped = a.damped.iter().find(|damped| damped.category == category);
        let score = a.scores.iter().find(|(of, _)| *of == category).map(|(_, score)| *score);
        let total = score.filter(|_| lines.len() > 1 || damped.is_some());
        Part { title, of: Some(category), lines, damped, total }
    }

    /// The turning points: what would have come out, and what each rule that is thought away saw.
    fn turned(&self, words: &Words, language: Language, templates: &Templates) -> Vec<(String, Vec<String>)> {
        let reason = |ground: &Ground| format!("\"{}\" [{}]", said(language, &ground.reason_id, &ground.reason_en), ground.rule);
        let seen = |ground: &Ground| (!ground.saw.is_empty()).then(|| format!("{} {}", words.saw, words.seen(&ground.saw)));
        let turned = |turn: &Turn| {
            let then = words.category(turn.category, templates);
            let then = if turn.is_unsure { format!("{then} ({})", words.unsure) } else { then };
            let (change, grounds) = match (turn.because, turn.grounds.as_slice()) {
                (Because::WithoutDenial, _) => (format!("{}: {} [{}]", words.undenied, words.seen(&turn.saw), turn.rule), Vec::new()),
                (Because::WithoutRule | Because::WithoutStrongest(_), [ground]) => {
                    (format!("{} {}", words.without, reason(ground)), seen(ground).into_iter().collect())
                }
                (Because::WithoutRule | Because::WithoutStrongest(_), grounds) => {
                    let line = |ground: &Ground| seen(ground).map_or_else(|| reason(ground), |seen| format!("{}, {seen}", reason(ground)));
                    (words.without_strongest.replace("{}", &grounds.len().to_string()), grounds.iter().map(line).collect())
                }
            };
            (format!("{change} → {then}"), grounds)
        };
        self.turns.iter().map(turned).collect()
    }

    /// As text, for terminals and timelines.
    #[must_use]
    pub fn text(&self, language: Language, templates: &Templates) -> String {
        let words = words(language);
        let mut out = self.result(words, templates);
        out.push('\n');
        let parts = self.parts(words, templates);
        if parts.is_empty() && self.beside.is_none() {
            let _ = writeln!(out, "{}", words.nothing);
        }
        if let Some((told, passage)) = self.read_beside(words, templates) {
            let _ = writeln!(out, "{}:\n  {told}\n         \"{passage}\"", words.beside);
        }
        for part in parts {
            let _ = writeln!(out, "{}:", part.title);
            for fired in part.lines {
                let adds = part.of.map_or_else(String::new, |_| format!("{:>6} ", words.signed(fired.adds)));
                let _ = writeln!(out, "  {adds}{} [{}]", said(language, &fired.reason_id, &fired.reason_en), fired.rule);
                if !fired.saw.is_empty() {
                    let _ = writeln!(out, "         {} {}", words.saw, words.seen(&fired.saw));
                }
            }
            if let Some(damped) = part.damped {
                let reason = said(language, &damped.reason_id, &damped.reason_en);
                let _ = writeln!(out, "  × {} {} {reason} [{}]", words.number(damped.share), words.because, damped.rule);
            }
            if let Some(total) = part.total {
                let _ = writeln!(out, "  = {}", words.number(total));
            }
        }
        let turns = self.turned(words, language, templates);
        if !turns.is_empty() {
            let _ = writeln!(out, "{}:", words.turned);
            for (turn, grounds) in turns {
                let _ = writeln!(out, "  {turn}");
                for ground in grounds {
                    let _ = writeln!(out, "         {ground}");
                }
            }
        }
        out
    }
}

/// A category with its score.
fn named(words: &Words, templates: &Templates, category: Category, score: f64) -> String {
    format!("{} {}", words.category(category, templates), words.number(score))
}

/// A reason in the reader's language.
fn said<'a>(language: Language, id: &'a str, en: &'a str) -> &'a str {
    if matches!(language, Language::Id) { id } else { en }
}
