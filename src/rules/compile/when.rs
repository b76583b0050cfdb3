//! What a rule demands (`when`) to conditions: names are checked, words are interned, and each error says what
//! may stand there.

use super::super::syntax::{Near, When};
use super::{Compiler, Condition, Fault, Glob, NESTING_MAX, PLACES, Places, unknown};
use crate::model::effect::MailKind;
use crate::model::ticket::Priority;
use crate::model::{Category, Language};
use std::slice::from_ref;
use toml::Spanned;

const INDICATORS: &[&str] = &["urls", "domains", "ips", "hashes", "emails", "cves"];
const FORMATS: &[&str] = &["xarf", "feedback_report"];
const RESULTS: &[&str] = &["pass", "fail", "none"];
/// Words that stand near one another; of more it is a text.
const NEAR_WORDS: std::ops::RangeInclusive<usize> = 2..=5;
const WITHIN_MAX: u32 = 100;

impl Compiler<'_> {
    /// `path` leads to these conditions: `when.any_of`.
    pub(super) fn condition(&mut self, raw: &Spanned<When>, path: &str, depth: usize) -> Result<Condition, Fault> {
        let here = Fault::at(raw);
        let raw = raw.get_ref();
        if depth > NESTING_MAX {
            return Err(here(format!("{path}: conditions stand in conditions more than {NESTING_MAX} deep")));
        }
        let places = places(&raw.places).map_err(|fault| fault.under(&format!("{path}.in")))?;
        let mut all = Vec::new();
        self.word_conditions(raw, path, places, &mut all)?;
        fact_conditions(raw, &mut all).map_err(|fault| Fault { reason: format!("{path}.{}", fault.reason), ..fault })?;
        let of = |key: &str| format!("{path}.{key}");
        for inner in &raw.all_of {
            all.push(self.condition(inner, &of("all_of"), depth + 1)?);
        }
        if !raw.any_of.is_empty() {
            let inner = raw.any_of.iter().map(|inner| self.condition(inner, &of("any_of"), depth + 1));
            all.push(Condition::One(inner.collect::<Result<_, _>>()?));
        }
        for inner in &raw.none_of {
            all.push(Condition::Not(Box::new(self.condition(inner, &of("none_of"), depth + 1)?)));
        }
        match (all.len(), all.pop()) {
            (1, Some(only)) => Ok(only),
            (_, Some(last)) => {
                all.push(last);
                Ok(Condition::All(all))
            }
            (_, None) => Err(here(format!("{path}: names no condition; write one, as any = [\"virus\", \"trojan*\"]"))),
        }
    }

    fn word_conditions(&mut self, raw: &When, path: &str, places: Places, all: &mut Vec<Condition>) -> Result<(), Fault> {
        let under = |key: &'static str| move |fault: Fault| fault.under(&format!("{path}.{key}"));
        let at_least = raw.at_least.as_ref();
        if raw.any.is_empty() {
            if let Some(number) = at_least {
                return Err(under("at_least")(Fault::at(number)("counts the words of `any`, and there is none".to_owned())));
            }
        } else {
            let set = self.set(&raw.any, 0).map_err(under("any"))?;
            let (wanted, there) = (at_least.map_or(1, |number| *number.get_ref()), self.size(set));
            if let Some(number) = at_least.filter(|_| wanted == 0 || wanted > there) {
                let reason = format!("{wanted} is wanted, and `any` has {there} different words; write a number from 1 to that");
                return Err(under("at_least")(Fault::at(number)(reason)));
            }
            all.push(Condition::Words { set, at_least: wanted, places });
        }
        for word in &raw.all {
            all.push(Condition::Words { set: self.set(from_ref(word), 0).map_err(under("all"))?, at_least: 1, places });
        }
        for near in &raw.near {
            let check = || usable(near.get_ref()).map_err(Fault::at(near));
            let sets = check().and_then(|()| near.get_ref().words.iter().map(|word| self.set(from_ref(word), 0)).collect());
            let Near { within, ordered, .. } = *near.get_ref();
            all.push(Condition::Near { sets: sets.map_err(under("near"))?, within, ordered, places });
        }
        if let Some(text) = &raw.regex {
            let expression = self.expressions.add(text.get_ref());
            let expression = expression.and_then(|expression| looks_for_something(text.get_ref()).map(|()| expression));
            let expression = expression.map_err(Fault::at(text)).map_err(under("regex"))?;
            all.push(Condition::Regex { expression, written: text.get_ref().as_str().into(), places });
        }
        if !raw.none.is_empty() {
            let set = self.set(&raw.none, 0).map_err(under("none"))?;
            all.push(Condition::Not(Box::new(Condition::Words { set, at_least: 1, places })));
        }
        Ok(())
    }
}

/// An expression that fits nothing at all fits everywhere.
fn looks_for_something(text: &str) -> Result<(), String> {
    let fits_nothing = regex::Regex::new(text).is_ok_and(|regex| regex.is_match(""));
    if fits_nothing { Err(format!("'{text}' fits every text, an empty one too; write what must stand there")) } else { Ok(()) }
}

fn usable(near: &Near) -> Result<(), String> {
    let count = near.words.len();
    if !NEAR_WORDS.contains(&count) {
        let words = if count == 1 { "word" } else { "words" };
        return Err(format!("has {count} {words}; write two to five of them"));
    }
    let apart = u32::try_from(count - 1).unwrap_or(u32::MAX);
    if !(apart..=WITHIN_MAX).contains(&near.within) {
        return Err(format!("within = {}: {count} words stand {apart} to {WITHIN_MAX} words apart; write such a number", near.within));
    }
    Ok(())
}

/// The conditions that look at facts instead of words.
fn fact_conditions(raw: &When, all: &mut Vec<Condition>) -> Result<(), Fault> {
    if !raw.sender.is_empty() {
        all.push(Condition::Sender(globs("sender", &raw.sender, sender)?));
    }
    if !raw.attachment_name.is_empty() {
        all.push(Condition::AttachmentName(globs("attachment_name", &raw.attachment_name, attachment_name)?));
    }
    if !raw.attachment_type.is_empty() {
        all.push(Condition::AttachmentType(globs("attachment_type", &raw.attachment_type, attachment_type)?));
    }
    for (name, least) in &raw.indicators {
        if !INDICATORS.contains(&name.get_ref().as_str()) {
            return Err(Fault::at(name)(format!("indicators: {}", unknown(name.get_ref(), INDICATORS.iter().copied()))));
        }
        if *least == 0 {
            let reason = "0 holds for every mail; write 1 or more, and none_of = [{ indicators = { … = 1 } }] for a mail without any";
            return Err(Fault::at(name)(format!("indicators.{}: {reason}", name.get_ref())));
        }
        all.push(Condition::Indicators(name.get_ref().clone(), *least));
    }
    all.extend(raw.lookalike.map(Condition::Lookalike));
    all.extend(raw.go_id.map(Condition::GoId));
    if !raw.language.is_empty() {
        all.push(Condition::Language(each("language", &raw.language, Language::parse)?));
    }
    if !raw.dmarc.is_empty() {
        all.push(Condition::Dmarc(each("dmarc", &raw.dmarc, dmarc)?));
    }
    if !raw.format.is_empty() {
        all.push(Condition::Format(each("format", &raw.format, |word| FORMATS.contains(&word).then(|| word.to_owned()))?));
    }
    if !raw.kind.is_empty() {
        let automatic = [MailKind::AutoReply, MailKind::Bounce, MailKind::List, MailKind::Own];
        let kinds = |word: &str| if word == "automatic" { Some(automatic.to_vec()) } else { MailKind::parse(word).map(|kind| vec![kind]) };
        all.push(Condition::Kind(each("kind", &raw.kind, kinds)?.concat()));
    }
    if raw.words_min.is_some() || raw.words_max.is_some() {
        let (min, max) = (raw.words_min.unwrap_or(0), raw.words_max.as_ref().map_or(usize::MAX, |max| *max.get_ref()));
        if let Some(most) = raw.words_max.as_ref().filter(|_| min > max) {
            return Err(Fault::at(most)(format!("words_max: {max} is less than words_min, {min}; no text is so long")));
        }
        all.push(Condition::NewWords { min, max });
    }
    Ok(())
}

/// A result of DMARC in the words of rule files.
pub(super) fn dmarc(word: &str) -> Option<String> {
    RESULTS.contains(&word).then(|| word.to_owned())
}

fn globs(key: &str, texts: &[Spanned<String>], meant: impl Fn(&str) -> Result<String, String>) -> Result<Vec<Glob>, Fault> {
    let glob = |text: &Spanned<String>| meant(text.get_ref().trim()).map_err(Fault::at(text)).map_err(|fault| fault.under(key));
    texts.iter().map(|text| Ok(Glob::new(&glob(text)?))).collect()
}

/// An address with a star where anything may stand: a domain is that of any address.
fn sender(text: &str) -> Result<String, String> {
    match text.split_once('@') {
        _ if text.is_empty() || text.contains(char::is_whitespace) => {
            Err(format!("'{text}' is no address; write \"ani@bank.example\", a domain \"bank.example\", or \"*noreply*\""))
        }
        Some(("", _)) => Ok(format!("*{text}")),
        Some((_, "")) => Err(format!("'{text}' has no domain; write \"{text}*\" for any")),
        Some(_) => Ok(text.to_owned()),
        None if text.contains('*') => Ok(text.to_owned()),
        None if text.contains('.') => Ok(format!("*@{text}")),
        None => Err(format!("'{text}' is no address and no domain; write \"*{text}*\" for addresses that hold it")),
    }
}

fn attachment_name(text: &str) -> Result<String, String> {
    if text.contains('*') || text.split_once('.').is_some_and(|(name, _)| !name.is_empty()) {
        return Ok(text.to_owned());
    }
    let ending = text.trim_start_matches('.');
    Err(format!(
        "'{text}' is a whole name, without an ending; write \"*.{ending}\" for files that end so, or \"*{ending}*\" for names that hold it"
    ))
}

fn attachment_type(text: &str) -> Result<String, String> {
    if text.contains(['*', '/']) {
        return Ok(text.to_owned());
    }
    Err(format!("'{text}' is no media type; write it as \"application/zip\", or \"image/*\" for all of a kind"))
}

/// What may stand at a key that takes one of some words.
pub(super) fn choices(key: &str) -> Vec<&'static str> {
    match key {
        "category" => Category::ALL.iter().map(|category| category.word()).collect(),
        "priority" => Priority::ALL.iter().map(|priority| priority.word()).collect(),
        "language" => Language::ALL.iter().map(|language| language.word()).collect(),
        "kind" => std::iter::once("automatic").chain(MailKind::ALL.iter().map(|kind| kind.word())).collect(),
        "dmarc" => RESULTS.to_vec(),
        _ => FORMATS.to_vec(),
    }
}

fn each<T>(key: &str, words: &[Spanned<String>], parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, Fault> {
    let wrong = |word: &Spanned<String>| Fault::at(word)(format!("{key}: {}", unknown(word.get_ref(), choices(key))));
    words.iter().map(|word| parse(word.get_ref()).ok_or_else(|| wrong(word))).collect()
}

fn places(names: &[Spanned<String>]) -> Result<Places, Fault> {
    if names.is_empty() {
        return Ok(Places::USUAL);
    }
    let mut bits = 0;
    for name in names {
        let place = PLACES.iter().position(|place| place == name.get_ref());
        bits |= 1 << place.ok_or_else(|| Fault::at(name)(unknown(name.get_ref(), PLACES.iter().copied())))?;
    }
    Ok(Places(bits))
}
