//! What stands in rule files beside rules: other spellings, words that deny, the decision's numbers, tests.

use super::super::syntax::{Decision, Negation, RulesError, Test, likeness_alone};
use super::super::vocabulary::Denial;
use super::super::words;
use super::{Compiler, Fault, PLACES, rule, when};
use crate::model::Category;
use crate::model::ticket::Priority;
use std::collections::BTreeMap;

impl Compiler<'_> {
    /// Each other spelling is one of one word, or the last file alone would be heard.
    pub(super) fn spellings(&self) -> Result<(), RulesError> {
        let mut seen: BTreeMap<String, (String, String)> = BTreeMap::new();
        for (source, file) in self.sources.iter().zip(self.files) {
            for (usual, others) in &file.spelling {
                let at = usual.span().start;
                for other in others {
                    let of = (words::folded(usual.get_ref()), source.place(at));
                    if let Some((first, place)) =
                        seen.insert(words::folded(other), of).filter(|(first, _)| *first != words::folded(usual.get_ref()))
                    {
                        let reason = format!("'{other}' is already another spelling of '{first}' ({place}); keep one of them");
                        return Err(source.error(at, format!("spelling.{}: {reason}", usual.get_ref())));
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn denials(&mut self, negation: &Negation) -> Result<(), String> {
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
                let denial = match (self.vocabulary.denial(pattern), denial) {
                    (Some(Denial::Before), Denial::After) => Denial::Both,
                    (Some(Denial::Before), Denial::BeforeOrAsks) => Denial::BeforeOrAsks,
                    (_, Denial::BeforeOrAsks) => Denial::Never,
                    _ => denial,
                };
                self.vocabulary.deny(pattern, denial);
            }
        }
        Ok(())
    }

    /// The decision's numbers and the places' factors, with the defaults of the format.
    pub(super) fn numbers(&self) -> Result<(Decision, Vec<f64>), RulesError> {
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
        let (mut first_decision, mut first_places) = (None, None);
        for (source, file) in self.sources.iter().zip(self.files) {
            if let Some(raw) = &file.decision {
                if let Some(first) = first_decision.replace(source.place(raw.span().start)) {
                    return Err(source.error(raw.span().start, format!("decision: stands in two files of the set; keep that at {first}")));
                }
                decision = raw.get_ref().clone();
                let Decision { threshold, margin, clear_spam_score, clear_spam_margin, likeness, likeness_alone, short_text_words: _ } =
                    decision;
                for (key, number, most) in [
                    ("threshold", threshold, 100.0),
                    ("margin", margin, 100.0),
                    ("clear_spam_score", clear_spam_score, 100.0),
                    ("clear_spam_margin", clear_spam_margin, 100.0),
                    ("likeness", likeness, 1.0),
                    ("likeness_alone", likeness_alone, 100.0),
                ] {
                    if !(0.0..=most).contains(&number) {
                        return Err(source.error(raw.span().start, format!("decision.{key}: {number} is no number from 0 to {most}")));
                    }
                }
            }
            let Some(raw) = &file.places else { continue };
            if let Some(first) = first_places.replace(source.place(raw.span().start)) {
                return Err(source.error(raw.span().start, format!("places: stands in two files of the set; keep that at {first}")));
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

    pub(super) fn tests(&self) -> Result<Vec<(usize, usize, Test)>, RulesError> {
        let mut tests = Vec::new();
        for (index, (source, file)) in self.sources.iter().zip(self.files).enumerate() {
            for test in &file.test {
                let at = test.span().start;
                let raw = test.get_ref();
                let error = |fault: Fault| {
                    let name = raw.name.as_ref().map(|name| format!(" '{name}'")).unwrap_or_default();
                    source.error(at, format!("test{name}: {}", fault.reason))
                };
                rule::named("category", &raw.category, Category::parse).map_err(error)?;
                if let Some(priority) = &raw.priority {
                    rule::named("priority", priority, Priority::parse).map_err(error)?;
                }
                if let Some(result) = &raw.dmarc {
                    rule::named("dmarc", result, when::dmarc).map_err(error)?;
                }
                tests.push((index, source.line(at), raw.clone()));
            }
        }
        Ok(tests)
    }
}
