//! What a rule demands (`when`) to conditions: names are checked, words are interned, and each error says what
//! may stand there.

use super::super::syntax::When;
use super::{Compiler, Condition, Glob, NESTING_MAX, PLACES, Places};
use crate::model::effect::MailKind;
use crate::model::ticket::Priority;
use crate::model::{Category, Language};

impl Compiler<'_> {
    pub(super) fn condition(&mut self, raw: &When, depth: usize) -> Result<Condition, String> {
        if depth > NESTING_MAX {
            return Err(format!("conditions stand in conditions more than {NESTING_MAX} deep"));
        }
        let places = places(&raw.places)?;
        let mut all = Vec::new();
        self.word_conditions(raw, places, &mut all)?;
        fact_conditions(raw, &mut all)?;
        for inner in &raw.all_of {
            all.push(self.condition(inner, depth + 1)?);
        }
        if !raw.any_of.is_empty() {
            all.push(Condition::One(raw.any_of.iter().map(|inner| self.condition(inner, depth + 1)).collect::<Result<_, _>>()?));
        }
        for inner in &raw.none_of {
            all.push(Condition::Not(Box::new(self.condition(inner, depth + 1)?)));
        }
        match all.len() {
            0 => Err("names no condition".to_owned()),
            1 => all.pop().ok_or_else(String::new),
            _ => Ok(Condition::All(all)),
        }
    }

    fn word_conditions(&mut self, raw: &When, places: Places, all: &mut Vec<Condition>) -> Result<(), String> {
        if !raw.any.is_empty() {
            let at_least = raw.at_least.unwrap_or(1).max(1);
            all.push(Condition::Words { set: self.set(&raw.any, 0)?, at_least, places });
        } else if raw.at_least.is_some() {
            return Err("at_least: counts the words of 'any', and there is none".to_owned());
        }
        for word in &raw.all {
            all.push(Condition::Words { set: self.set(std::slice::from_ref(word), 0)?, at_least: 1, places });
        }
        for near in &raw.near {
            if near.words.len() < 2 || near.words.len() > 5 || near.within == 0 || near.within > 100 {
                return Err("near: two to five words, within 1 to 100".to_owned());
            }
            let sets = near.words.iter().map(|word| self.set(std::slice::from_ref(word), 0)).collect::<Result<_, _>>()?;
            all.push(Condition::Near { sets, within: near.within, ordered: near.ordered, places });
        }
        if let Some(text) = &raw.regex {
            all.push(Condition::Regex { expression: self.expressions.add(text)?, places });
        }
        if !raw.none.is_empty() {
            let set = self.set(&raw.none, 0)?;
            all.push(Condition::Not(Box::new(Condition::Words { set, at_least: 1, places })));
        }
        Ok(())
    }
}

/// The conditions that look at facts instead of words.
fn fact_conditions(raw: &When, all: &mut Vec<Condition>) -> Result<(), String> {
    let globs = |texts: &[String]| texts.iter().map(|text| Glob::new(text)).collect::<Vec<_>>();
    if !raw.sender.is_empty() {
        let senders: Vec<String> =
            raw.sender.iter().map(|text| if text.starts_with('@') { format!("*{text}") } else { text.clone() }).collect();
        all.push(Condition::Sender(globs(&senders)));
    }
    if !raw.attachment_name.is_empty() {
        all.push(Condition::AttachmentName(globs(&raw.attachment_name)));
    }
    if !raw.attachment_type.is_empty() {
        all.push(Condition::AttachmentType(globs(&raw.attachment_type)));
    }
    for (name, least) in &raw.indicators {
        if !["urls", "domains", "ips", "hashes", "emails", "cves"].contains(&name.as_str()) {
            return Err(format!("indicators: there is no kind '{name}'; write urls, domains, ips, hashes, emails or cves"));
        }
        all.push(Condition::Indicators(name.clone(), *least));
    }
    all.extend(raw.lookalike.map(Condition::Lookalike));
    all.extend(raw.go_id.map(Condition::GoId));
    if !raw.language.is_empty() {
        all.push(Condition::Language(each("language", &raw.language, Language::parse)?));
    }
    if !raw.dmarc.is_empty() {
        all.push(Condition::Dmarc(each("dmarc", &raw.dmarc, |word| ["pass", "fail", "none"].contains(&word).then(|| word.to_owned()))?));
    }
    if !raw.format.is_empty() {
        let known = |word: &str| ["xarf", "feedback_report"].contains(&word).then(|| word.to_owned());
        all.push(Condition::Format(each("format", &raw.format, known)?));
    }
    if !raw.kind.is_empty() {
        let automatic = [MailKind::AutoReply, MailKind::Bounce, MailKind::List, MailKind::Own];
        let kinds = |word: &str| if word == "automatic" { Some(automatic.to_vec()) } else { MailKind::parse(word).map(|kind| vec![kind]) };
        all.push(Condition::Kind(each("kind", &raw.kind, kinds)?.concat()));
    }
    if raw.words_min.is_some() || raw.words_max.is_some() {
        all.push(Condition::NewWords { min: raw.words_min.unwrap_or(0), max: raw.words_max.unwrap_or(usize::MAX) });
    }
    Ok(())
}

/// What may stand at a key that takes one of some words.
pub(super) fn choices(key: &str) -> String {
    let of = |words: Vec<&str>| words.join(", ");
    match key {
        "category" => of(Category::ALL.iter().map(|category| category.word()).collect()),
        "priority" => of(Priority::ALL.iter().map(|priority| priority.word()).collect()),
        "language" => of(Language::ALL.iter().map(|language| language.word()).collect()),
        "kind" => format!("automatic, {}", of(MailKind::ALL.iter().map(|kind| kind.word()).collect())),
        "dmarc" => "pass, fail, none".to_owned(),
        _ => "xarf, feedback_report".to_owned(),
    }
}

fn each<T>(key: &str, words: &[String], parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, String> {
    words.iter().map(|word| parse(word).ok_or_else(|| format!("{key}: '{word}' is not known; write one of {}", choices(key)))).collect()
}

fn places(names: &[String]) -> Result<Places, String> {
    if names.is_empty() {
        return Ok(Places::USUAL);
    }
    let mut bits = 0;
    for name in names {
        let place =
            PLACES.iter().position(|place| place == name).ok_or_else(|| format!("in: '{name}' is none of {}", PLACES.join(", ")))?;
        bits |= 1 << place;
    }
    Ok(Places(bits))
}
