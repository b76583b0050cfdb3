//! One rule of a file: each of its keys is looked at, and what is wrong is said with the key's own line.

use super::super::rsit;
use super::super::syntax::{Parts, Rule as RawRule, RulesError, Sample, Source};
use super::{Compiler, Fault, Rule, unknown, when};
use crate::model::ticket::Priority;
use crate::model::{Category, nearest::nearest};
use toml::Spanned;

/// The largest weight: twice what is nearly certain alone and more. A point that is forgotten (25 for 2.5) is above it.
const WEIGHT_MAX: f64 = 10.0;
/// A name longer than this is a sentence.
const ID_CHARS_MAX: usize = 64;

impl Compiler<'_> {
    pub(super) fn rule(&mut self, source: &Source, file: usize, raw: &RawRule) -> Result<Rule, RulesError> {
        let head = raw.id.span().start;
        let prefixed = |fault: Fault| Fault { reason: format!("rule '{}': {}", raw.id.get_ref(), fault.reason), ..fault };
        let told = |fault: Fault| source.error(fault.at.unwrap_or(head), prefixed(fault).reason);
        self::id(&raw.id).map_err(told)?;
        for (key, reason) in [("reason_id", &raw.reason_id), ("reason_en", &raw.reason_en)] {
            if reason.get_ref().trim().is_empty() {
                return Err(told(Fault::at(reason)(format!("{key}: is empty; write a sentence that a colleague would accept"))));
            }
        }
        let category = value(raw.category.as_ref(), "category", Category::parse).map_err(told)?;
        let priority = value(raw.priority.as_ref(), "priority", Priority::parse).map_err(told)?;
        let weight = weight(raw).map_err(told)?;
        if let Some(name) = raw.rsit.as_ref().filter(|name| !rsit::is_known(name.get_ref())) {
            return Err(told(Fault::at(name)(format!("rsit: {}", no_rsit(name.get_ref())))));
        }
        let condition = self.condition(&raw.when, "when", 0).map_err(|fault| match fault.list {
            Some(_) => self.told(source, head, fault),
            None => told(Fault { at: fault.at.or(Some(raw.when.span().start)), ..fault }),
        })?;
        Ok(Rule {
            id: raw.id.get_ref().as_str().into(),
            at: source.place(head),
            category,
            weight,
            most: raw.most.as_ref().map(|most| *most.get_ref()),
            others: raw.others.as_ref().map(|others| *others.get_ref()),
            group: raw.group.clone(),
            reason_id: raw.reason_id.get_ref().as_str().into(),
            reason_en: raw.reason_en.get_ref().as_str().into(),
            rsit: raw.rsit.as_ref().map(|name| name.get_ref().clone()),
            priority,
            tags: raw.tags.clone(),
            condition,
            examples: samples(source, "examples", &raw.examples).map_err(told)?,
            counterexamples: samples(source, "counterexamples", &raw.counterexamples).map_err(told)?,
            file,
        })
    }
}

fn id(id: &Spanned<String>) -> Result<(), Fault> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let text = id.get_ref();
    if text.is_empty() || text.len() > ID_CHARS_MAX || !text.chars().all(is_name) {
        let reason = format!("id: up to {ID_CHARS_MAX} small letters, digits and hyphens; write it as \"malware-courier\"");
        return Err(Fault::at(id)(reason));
    }
    Ok(())
}

/// The weight, and whether what goes with it fits.
fn weight(raw: &RawRule) -> Result<f64, Fault> {
    let weight = raw.weight.as_ref().map_or(0.0, |weight| *weight.get_ref());
    let does_more = raw.priority.is_some() || raw.rsit.is_some() || !raw.tags.is_empty() || raw.others.is_some();
    match (&raw.category, &raw.weight) {
        (Some(_), None) => {
            let reason = "weight: is missing; write weight = 2.5 (4: nearly certain alone, 2 to 3: strong, 1: a hint), or weight = 0 for a rule that adds nothing";
            return Err(reason.to_owned().into());
        }
        (None, Some(given)) if weight != 0.0 => {
            let reason = "weight: without a category there is no score to add to; name a category, or take the weight out";
            return Err(Fault::at(given)(reason.to_owned()));
        }
        (_, Some(given)) if !(-WEIGHT_MAX..=WEIGHT_MAX).contains(&weight) => {
            return Err(Fault::at(given)(format!(
                "weight: {weight} is no number from -{WEIGHT_MAX} to {WEIGHT_MAX}; 4 is nearly certain alone, 2 to 3 is strong, 1 a hint"
            )));
        }
        _ if weight == 0.0 && !does_more => {
            return Err("does nothing: it has neither a weight nor priority, rsit, tags or others".to_owned().into());
        }
        _ => {}
    }
    if let Some(most) = raw.most.as_ref().filter(|most| !most.get_ref().is_finite() || *most.get_ref() < weight || weight <= 0.0) {
        return Err(Fault::at(most)("most: a number of at least the weight, which must be above nought".to_owned()));
    }
    let is_wrong = |others: &f64| !(0.0..=1.0).contains(others) || raw.category.is_none();
    if let Some(others) = raw.others.as_ref().filter(|others| is_wrong(others.get_ref())) {
        return Err(Fault::at(others)("others: a number from 0 to 1, in a rule with a category".to_owned()));
    }
    Ok(weight)
}

/// A value that takes one of some words.
fn value<T>(raw: Option<&Spanned<String>>, key: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Fault> {
    raw.map(|raw| named(key, raw.get_ref(), parse).map_err(|fault| Fault { at: Some(raw.span().start), ..fault })).transpose()
}

pub(super) fn named<T>(key: &str, word: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, Fault> {
    parse(word).ok_or_else(|| format!("{key}: {}", unknown(word, when::choices(key))).into())
}

/// What may stand at `rsit`: of a class that there is its own types, else all.
fn no_rsit(name: &str) -> String {
    let class = name.split_once(':').map_or(name, |(class, _)| class);
    let of_class = || rsit::TYPES.iter().copied().filter(|known| known.split_once(':').is_some_and(|(known, _)| known == class));
    let known: Vec<&str> = if of_class().next().is_some() { of_class().collect() } else { rsit::TYPES.to_vec() };
    let meant = nearest(name, rsit::TYPES.iter().copied()).map(|meant| format!(" (did you mean '{meant}'?)")).unwrap_or_default();
    format!("'{name}' is not a class:type of RSIT 1003{meant}; write one of {}", known.join(", "))
}

/// The mails of a rule's tests, each with its line.
fn samples(source: &Source, key: &str, samples: &[Spanned<Sample>]) -> Result<Vec<(usize, Parts)>, Fault> {
    let mut all = Vec::with_capacity(samples.len());
    for sample in samples {
        let parts = match sample.get_ref() {
            Sample::Text(text) => Parts { text: text.clone(), ..Parts::default() },
            Sample::Parts(parts) => parts.clone(),
        };
        if let Some(result) = &parts.dmarc {
            named("dmarc", result, when::dmarc).map_err(|fault| Fault { at: Some(sample.span().start), ..fault }.under(key))?;
        }
        all.push((source.line(sample.span().start), parts));
    }
    Ok(all)
}
