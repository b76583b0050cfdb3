//! Why a message was filed as it was: which rules, which words, what each added, and what would
//! have changed the result. As text in both languages of the centre, as JSON, as HTML.

use super::assess::{self, Assessment, Holding};
use super::compile::{NEW, PLACES, SUBJECT};
use super::condition::Facts;
use super::facts::facts;
use super::set::RuleSet;
use crate::mail::Mail;
use crate::model::{Category, Language};
use serde::Serialize;
use std::fmt::Write as _;

/// How the names of the rules begin that stand for likeness to the examples.
const LIKENESS: &str = "likeness-";
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
    /// The rule concerned.
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
    /// If the words were not denied.
    WithoutDenial,
}

/// Explains a message.
#[must_use]
pub fn explain(rules: &RuleSet, mail: &Mail) -> Explanation {
    let mut facts = facts(rules, mail);
    let holding = assess::holding(rules, &facts);
    let assessment = assess::conclude(rules, &facts, &holding);
    let mut turns = without_each(rules, &facts, &holding, &assessment);
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
    Explanation { assessment, turns, texts, marks }
}

fn marks(holding: &[Holding<'_>], category: Category) -> Vec<(usize, usize, usize, String, Category)> {
    let counted = holding.iter().filter(|one| !one.is_covered && (one.adds >= 0.0 || !one.rule.id.starts_with(LIKENESS)));
    let mut marks: Vec<_> = counted
        .flat_map(|one| {
            let of = one.rule.category.unwrap_or(category);
            one.hits.iter().map(move |hit| (hit.place, hit.start as usize, hit.end as usize, one.rule.id.clone(), of))
        })
        .collect();
    marks.sort_by_key(|mark| (mark.0, mark.1, mark.2));
    marks
}

/// Rules of the winner without which it would not have won.
fn without_each(rules: &RuleSet, facts: &Facts<'_>, holding: &[Holding<'_>], assessment: &Assessment) -> Vec<Turn> {
    let mut turns = Vec::new();
    for one in holding.iter().filter(|one| !one.is_covered && one.rule.category == Some(assessment.category) && one.adds > 0.0) {
        let mut scores = assessment.scores.clone();
        for score in &mut scores {
            if score.0 == assessment.category {
                score.1 -= one.adds;
            }
        }
        scores.sort_by(|one, other| other.1.total_cmp(&one.1));
        let (category, _, _, is_unsure) = assess::winner(rules, &scores);
        if category != assessment.category || is_unsure != assessment.is_unsure {
            let saw = one.hits.iter().map(|hit| assess::saw(facts, hit)).collect();
            turns.push(Turn { because: Because::WithoutRule, rule: one.rule.id.clone(), saw, category, is_unsure });
        }
    }
    turns
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
            let saw = one.hits.iter().map(|hit| assess::saw(facts, hit)).collect();
            (one.adds, Turn { because: Because::WithoutDenial, rule: one.rule.id.clone(), saw, category, is_unsure })
        })
        .collect();
    turns.sort_by(|one, other| other.0.total_cmp(&one.0));
    turns.into_iter().map(|(_, turn)| turn).take(2).collect()
}

/// The words of an explanation in one language.
struct Words {
    unsure: &'static str,
    score: &'static str,
    ahead: &'static str,
    second: &'static str,
    also: &'static str,
    why: &'static str,
    against: &'static str,
    turned: &'static str,
    without: &'static str,
    undenied: &'static str,
    nothing: &'static str,
    priority: &'static str,
    saw: &'static str,
    raising: &'static str,
    clear_spam: &'static str,
}

const ENGLISH: Words = Words {
    unsure: "unsure: a person has to decide",
    score: "score",
    ahead: "ahead by",
    second: "next",
    also: "also about",
    why: "Because",
    against: "Other rules that fired",
    turned: "What would have changed it",
    without: "without rule",
    undenied: "if this were not denied",
    nothing: "no rule fired",
    priority: "priority",
    saw: "saw",
    raising: "For the priority",
    clear_spam: "clearly spam: no ticket opens",
};

const INDONESIAN: Words = Words {
    unsure: "belum pasti: perlu keputusan petugas",
    score: "skor",
    ahead: "unggul",
    second: "berikutnya",
    also: "juga mengenai",
    why: "Karena",
    against: "Aturan lain yang cocok",
    turned: "Yang akan mengubah hasilnya",
    without: "tanpa aturan",
    undenied: "seandainya ini tidak disangkal",
    nothing: "tidak ada aturan yang cocok",
    priority: "prioritas",
    saw: "terlihat",
    raising: "Untuk prioritas",
    clear_spam: "jelas spam: tidak dibuatkan tiket",
};

const fn words(language: Language) -> &'static Words {
    if matches!(language, Language::Id) { &INDONESIAN } else { &ENGLISH }
}

impl Explanation {
    /// The first line: the result and how sure it is.
    fn result(&self, words: &Words) -> String {
        let a = &self.assessment;
        let mut line = a.category.to_string();
        if a.is_unsure {
            let _ = write!(line, " ({})", words.unsure);
        }
        if a.is_clear_spam {
            let _ = write!(line, " ({})", words.clear_spam);
        }
        let _ = write!(line, " · {} {:.2}", words.score, a.score);
        if !a.is_unsure {
            let _ = write!(line, ", {} {:.2}", words.ahead, a.margin);
        }
        let others: Vec<String> = a
            .scores
            .iter()
            .filter(|(category, score)| (a.is_unsure || *category != a.category) && *score > 0.0)
            .take(2)
            .map(|(category, score)| format!("{category} {score:.2}"))
            .collect();
        if !others.is_empty() {
            let _ = write!(line, " · {}: {}", words.second, others.join(", "));
        }
        let _ = write!(line, " · {} {} · RSIT {}", words.priority, a.priority, a.rsit);
        if !a.secondary.is_empty() {
            let also: Vec<&str> = a.secondary.iter().map(|category| category.word()).collect();
            let _ = write!(line, " · {} {}", words.also, also.join(", "));
        }
        line
    }

    fn turn(turn: &Turn, words: &Words) -> String {
        let change = match turn.because {
            Because::WithoutRule => words.without,
            Because::WithoutDenial => words.undenied,
        };
        let then = if turn.is_unsure { format!("{} ({})", turn.category, words.unsure) } else { turn.category.to_string() };
        match turn.because {
            Because::WithoutRule => format!("{change} {} → {then}", turn.rule),
            Because::WithoutDenial => format!("{change}: {} ({}) → {then}", turn.saw.join(", "), turn.rule),
        }
    }

    /// As text, for terminals and timelines.
    #[must_use]
    pub fn text(&self, language: Language) -> String {
        let words = words(language);
        let mut out = self.result(words);
        out.push('\n');
        // Rules without a category only raise the priority.
        let (raising, adding): (Vec<_>, Vec<_>) = self.assessment.fired.iter().partition(|fired| fired.adds == 0.0);
        // What likeness says against a category explains nothing by itself.
        let adding: Vec<_> = adding.into_iter().filter(|fired| fired.adds > 0.0 || !fired.rule.starts_with(LIKENESS)).collect();
        let (own, others): (Vec<_>, Vec<_>) = adding.into_iter().partition(|fired| fired.category == self.assessment.category);
        if self.assessment.fired.is_empty() {
            let _ = writeln!(out, "{}", words.nothing);
        }
        for (title, list) in [(words.why, own), (words.against, others), (words.raising, raising)] {
            if list.is_empty() {
                continue;
            }
            let _ = writeln!(out, "{title}:");
            for fired in list
                .into_iter()
                .filter(|fired| fired.adds == 0.0 || fired.category == self.assessment.category || fired.adds.abs() >= SHOWN_MIN)
            {
                let reason = if matches!(language, Language::Id) { &fired.reason_id } else { &fired.reason_en };
                let adds = if fired.adds == 0.0 { String::new() } else { format!("{:+6.2} {} ", fired.adds, fired.category) };
                let _ = writeln!(out, "  {adds}[{}] {reason}", fired.rule);
                if !fired.saw.is_empty() {
                    let _ = writeln!(out, "         {} {}", words.saw, joined(&fired.saw));
                }
            }
        }
        if !self.turns.is_empty() {
            let _ = writeln!(out, "{}:", words.turned);
            for turn in &self.turns {
                let _ = writeln!(out, "  {}", Self::turn(turn, words));
            }
        }
        out
    }

    /// As one HTML page without scripts and without anything from outside; everything that came
    /// from the mail is escaped.
    #[must_use]
    pub fn html(&self, language: Language, title: &str) -> String {
        let words = words(language);
        let mut out = format!(
            "<!doctype html><html lang=\"{}\"><meta charset=\"utf-8\">\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"><title>{}</title><style>{STYLE}</style><h1>{}</h1><p>{}</p>",
            if matches!(language, Language::Id) { "id" } else { "en" },
            escaped(title),
            escaped(title),
            escaped(&self.result(words))
        );
        out.push_str("<table>");
        for fired in self.assessment.fired.iter().filter(|fired| fired.adds >= 0.0 || !fired.rule.starts_with(LIKENESS)) {
            let reason = if matches!(language, Language::Id) { &fired.reason_id } else { &fired.reason_en };
            let _ = write!(
                out,
                "<tr class=\"{0}\"><td>{1:+.2}<td>{0}<td><code>{2}</code><td>{3}<td>{4}",
                fired.category,
                fired.adds,
                escaped(&fired.rule),
                escaped(reason),
                escaped(&joined(&fired.saw))
            );
        }
        out.push_str("</table>");
        if !self.turns.is_empty() {
            let _ = write!(out, "<h2>{}</h2><ul>", words.turned);
            for turn in &self.turns {
                let _ = write!(out, "<li>{}", escaped(&Self::turn(turn, words)));
            }
            out.push_str("</ul>");
        }
        let is_shown = |place: usize| matches!(place, SUBJECT | NEW) || self.marks.iter().any(|mark| mark.0 == place);
        for (place, text) in self.texts.iter().filter(|(place, _)| is_shown(*place)) {
            let name = PLACES.get(*place).copied().unwrap_or_default();
            let _ = write!(out, "<h2>{name}</h2><pre>{}</pre>", self.marked(*place, text));
        }
        out
    }

    /// A text with the words marked that rules saw; overlapping marks are shown as the first one.
    fn marked(&self, place: usize, text: &str) -> String {
        let mut out = String::new();
        let mut at = 0;
        for (_, from, to, rule, category) in self.marks.iter().filter(|mark| mark.0 == place) {
            let (Some(before), Some(word)) = (text.get(at..*from), text.get(*from..*to)) else { continue };
            let _ = write!(out, "{}<mark class=\"{category}\" title=\"{}\">{}</mark>", escaped(before), escaped(rule), escaped(word));
            at = *to;
        }
        out.push_str(&escaped(text.get(at..).unwrap_or_default()));
        out
    }
}

/// `new 3: "situs", "diretas"`: the place is named once for the words that follow one another there.
fn joined(saw: &[String]) -> String {
    let mut out = String::new();
    let mut last = "";
    for word in saw {
        let (place, quoted) = word.split_once(": ").unwrap_or(("", word));
        let separator = if out.is_empty() { "" } else { ", " };
        let _ = if place == last { write!(out, "{separator}{quoted}") } else { write!(out, "{separator}{word}") };
        last = place;
    }
    out
}

const STYLE: &str = "body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}table{border-collapse:collapse}\
td{padding:.2em .6em;border-bottom:1px solid #ccc;vertical-align:top}pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f6f6f6;padding:1em}\
mark{background:#ffe08a}mark.spam{background:#ddd}mark.other{background:#cfe8ff}mark.phishing{background:#ffd0a8}mark.malware{background:#f4b6c2}\
mark.ddos{background:#d6c8f5}mark.data_misuse{background:#c9ecc5}mark.illegal_access{background:#f8c8a0}mark.vulnerability{background:#bfe6e6}";

/// For element content and quoted attributes; control and bidi characters are shown, not obeyed (ATTACKS M16).
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => out.extend(c.escape_unicode()),
            c if c.is_control() => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}
