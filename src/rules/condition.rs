//! Conditions against the hits and facts of one mail.

use super::assess::shown;
use super::compile::{ATTACHMENT, Condition, Glob, LINK, NEW, PLACES, Places, QUOTED, SUBJECT};
use super::expression::{ExpressionId, Expressions, Fits};
use super::likeness::Leaning;
use super::scan::{Hit, Hits};
use crate::extract::indicator;
use crate::mail::Mail;
use crate::mail::told::Told;
use crate::model::effect::Indicators;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeSet;

/// Words shown as the reason of one rule.
const SHOWN_MAX: usize = 8;
/// Domains, names and the like shown as the reason of one rule.
const TOLD_MAX: usize = 3;

/// What conditions may look at.
#[derive(Debug)]
pub struct Facts<'a> {
    pub mail: &'a Mail,
    /// What it tells by itself.
    pub told: &'a Told,
    pub hits: Hits,
    /// The text of each place, as it was scanned.
    pub texts: Vec<Cow<'a, str>>,
    pub expressions: &'a Expressions,
    /// Which expressions fit somewhere in each text.
    pub fits: [Fits; PLACES.len()],
    /// Where the lines of each text end, once somebody asked.
    pub line_ends: [OnceCell<Vec<usize>>; PLACES.len()],
    /// What a hit is worth by its place.
    pub factors: Vec<f64>,
    /// Domains that imitate a government's or a brand's.
    pub lookalikes: BTreeSet<String>,
    pub has_go_id: bool,
    pub new_words: usize,
    pub likeness: Vec<Leaning>,
    /// Denials that are thought away, to say what would have changed the result.
    pub undenied: Undenied,
}

/// Which denials are thought away.
#[derive(Debug, Default)]
pub enum Undenied {
    #[default]
    Nothing,
    /// Those of these words: place, ordinals of the first and the last.
    These(Vec<(usize, u32, u32)>),
    All,
}

impl Undenied {
    fn has(&self, hit: &Hit) -> bool {
        match self {
            Self::Nothing => false,
            Self::These(words) => words.iter().any(|(place, first, last)| *place == hit.place && hit.first <= *last && *first <= hit.last),
            Self::All => true,
        }
    }
}

/// A condition that holds: what it is worth by place, and the words that made it hold.
#[derive(Debug, Default)]
pub struct Found {
    /// `None` where no word took part.
    pub factor: Option<f64>,
    pub hits: Vec<Hit>,
    /// What the rule adds, where the condition itself says so.
    pub fixed: Option<f64>,
    /// What made it hold besides words, as words are shown: `domain: "bpjs-go.example"`.
    pub told: Vec<String>,
}

impl Facts<'_> {
    fn factor(&self, place: usize) -> f64 {
        self.factors.get(place).copied().unwrap_or(0.0)
    }

    fn counts(&self, hit: &Hit, places: Places) -> bool {
        places.has(hit.place) && (!hit.is_denied || self.undenied.has(hit))
    }

    fn firsts_of(&self, set: u32, places: Places) -> impl Iterator<Item = &Hit> {
        self.hits.firsts_of(set).iter().filter(move |hit| self.counts(hit, places))
    }

    /// The line of a hit in its text, from 1 on.
    pub fn line(&self, hit: &Hit) -> usize {
        let ends = self.line_ends.get(hit.place).map(|ends| {
            let text = self.texts.get(hit.place).map_or("", |text| text);
            ends.get_or_init(|| memchr::memchr_iter(b'\n', text.as_bytes()).collect())
        });
        ends.map_or(1, |ends| ends.partition_point(|end| *end < hit.start as usize) + 1)
    }

    /// What is cheaply known: without a word of each set, and without the facts, a condition fails.
    fn may_hold(&self, condition: &Condition) -> bool {
        match condition {
            Condition::Words { set, .. } => self.hits.has(*set),
            Condition::Near { sets, .. } => sets.iter().all(|set| self.hits.has(*set)),
            Condition::All(parts) => parts.iter().all(|part| self.may_hold(part)),
            Condition::One(parts) => parts.iter().any(|part| self.may_hold(part)),
            Condition::Regex { .. } | Condition::Not(_) | Condition::Likeness(_) => true,
            fact => self.fact(fact),
        }
    }

    /// Tests a condition by the words in some places.
    pub fn test(&self, condition: &Condition, looked_at: Places) -> Option<Found> {
        if self.may_hold(condition) { self.holds(condition, looked_at) } else { None }
    }

    fn holds(&self, condition: &Condition, looked_at: Places) -> Option<Found> {
        match condition {
            Condition::Words { set, at_least, places } => self.words(*set, *at_least, places.and(looked_at)),
            Condition::Near { sets, within, ordered, places } => self.near(sets, *within, *ordered, places.and(looked_at)),
            Condition::Regex { expression, places, .. } => self.regex(*expression, places.and(looked_at)),
            Condition::All(parts) => {
                let mut all = Found::default();
                for part in parts {
                    let found = self.holds(part, looked_at)?;
                    all.factor = match (all.factor, found.factor) {
                        (Some(one), Some(other)) => Some(one.min(other)),
                        (one, other) => one.or(other),
                    };
                    all.hits.extend(found.hits);
                    all.told.extend(found.told);
                }
                Some(all)
            }
            Condition::One(parts) => parts
                .iter()
                .filter_map(|part| self.test(part, looked_at))
                .max_by(|one, other| one.factor.unwrap_or(1.0).total_cmp(&other.factor.unwrap_or(1.0))),
            Condition::Not(inner) => self.test(inner, looked_at).is_none().then(Found::default),
            Condition::Likeness(index) => {
                let leaning = self.likeness.get(*index).filter(|leaning| leaning.adds.abs() >= 0.05)?;
                Some(Found { hits: leaning.hits.clone(), fixed: Some(leaning.adds), ..Found::default() })
            }
            fact => self.fact(fact).then(|| Found { told: self.told(fact), ..Found::default() }),
        }
    }

    fn fact(&self, condition: &Condition) -> bool {
        let fits = |globs: &[Glob], text: &str| globs.iter().any(|glob| glob.fits(text));
        match condition {
            Condition::Sender(globs) => {
                self.mail.from.iter().filter_map(|mailbox| mailbox.address.as_ref()).any(|address| fits(globs, address.as_str()))
            }
            Condition::AttachmentName(globs) => self.mail.attachments.iter().any(|attachment| fits(globs, &attachment.name)),
            Condition::AttachmentType(globs) => self.mail.attachments.iter().any(|attachment| fits(globs, &attachment.media_type)),
            Condition::Indicators(name, least) => self.of_kind(name).len() >= *least,
            Condition::Lookalike(wanted) => self.lookalikes.is_empty() != *wanted,
            Condition::GoId(wanted) => self.has_go_id == *wanted,
            Condition::Language(languages) => languages.contains(&self.told.language),
            Condition::Dmarc(results) => results.iter().any(|result| result == self.told.dmarc()),
            Condition::Format(formats) => formats.iter().any(|format| self.told.formats.contains(&format.as_str())),
            Condition::Kind(kinds) => kinds.contains(&self.told.recognised.kind),
            Condition::NewWords { min, max } => (*min..=*max).contains(&self.new_words),
            _ => false,
        }
    }

    /// What a fact that holds was seen by, for people.
    fn told(&self, condition: &Condition) -> Vec<String> {
        let show = |name: &str, values: &mut dyn Iterator<Item = &str>| -> Vec<String> {
            values.take(TOLD_MAX).map(|value| format!("{name}: \"{}\"", shown(value))).collect()
        };
        let fits = |globs: &[Glob], text: &str| globs.iter().any(|glob| glob.fits(text));
        let attachments = self.mail.attachments.iter();
        match condition {
            Condition::Sender(globs) => {
                let senders = self.mail.from.iter().filter_map(|mailbox| mailbox.address.as_ref());
                show("sender", &mut senders.map(|address| address.as_str()).filter(|address| fits(globs, address)))
            }
            Condition::AttachmentName(globs) => {
                show("attachment_name", &mut attachments.map(|attachment| attachment.name.as_str()).filter(|name| fits(globs, name)))
            }
            Condition::AttachmentType(globs) => {
                show("attachment_type", &mut attachments.map(|attachment| attachment.media_type.as_str()).filter(|kind| fits(globs, kind)))
            }
            Condition::Indicators(name, _) => show("indicator", &mut self.of_kind(name).iter().map(String::as_str)),
            Condition::Lookalike(true) => show("domain", &mut self.lookalikes.iter().map(String::as_str)),
            Condition::GoId(true) => show(
                "domain",
                &mut self.told.indicators.domains.iter().map(String::as_str).filter(|domain| indicator::is_government(domain)),
            ),
            Condition::Language(_) => show("language", &mut std::iter::once(self.told.language.word())),
            Condition::Dmarc(_) => show("dmarc", &mut std::iter::once(self.told.dmarc())),
            Condition::Format(formats) => {
                show("format", &mut self.told.formats.iter().copied().filter(|format| formats.iter().any(|one| one == format)))
            }
            Condition::Kind(_) => show("kind", &mut std::iter::once(self.told.recognised.kind.word())),
            _ => Vec::new(),
        }
    }

    /// The indicators of one kind.
    pub fn of_kind(&self, name: &str) -> &BTreeSet<String> {
        let Indicators { urls, domains, ips, hashes, emails, cves } = &self.told.indicators;
        match name {
            "urls" => urls,
            "domains" => domains,
            "ips" => ips,
            "hashes" => hashes,
            "emails" => emails,
            _ => cves,
        }
    }

    fn words(&self, set: u32, at_least: usize, places: Places) -> Option<Found> {
        let mut hits: Vec<Hit> = Vec::new();
        for hit in self.firsts_of(set, places) {
            match hits.iter_mut().find(|known| known.pattern == hit.pattern) {
                Some(known) if self.factor(hit.place) > self.factor(known.place) => *known = *hit,
                Some(_) => {}
                None => hits.push(*hit),
            }
        }
        if hits.len() < at_least {
            return None;
        }
        hits.sort_by(|one, other| self.factor(other.place).total_cmp(&self.factor(one.place)));
        let factor = hits.get(at_least - 1).map(|hit| self.factor(hit.place));
        Some(Found { factor, hits, ..Found::default() })
    }

    /// The best window in which every set has a word. For each word of the first set the nearest
    /// of the others is taken, which costs the number of hits and a search, not their product.
    fn near(&self, sets: &[u32], within: u32, ordered: bool, places: Places) -> Option<Found> {
        let counts = |hit: &Hit| self.counts(hit, places);
        let (first, others) = sets.split_first()?;
        let others: Vec<&[Hit]> = others.iter().map(|set| self.hits.of(*set)).collect();
        if others.iter().any(|list| list.is_empty()) {
            return None;
        }
        let mut best: Option<(f64, Vec<Hit>)> = None;
        let mut window: Vec<Hit> = Vec::with_capacity(sets.len());
        for anchor in self.hits.of(*first).iter().filter(|hit| counts(hit)) {
            let factor = self.factor(anchor.place);
            if best.as_ref().is_some_and(|(best, _)| *best >= factor) {
                continue;
            }
            window.clear();
            window.push(*anchor);
            for list in &others {
                let from = list.partition_point(|hit| (hit.place, hit.first) < (anchor.place, anchor.first.saturating_sub(within)));
                let candidates = list.iter().skip(from).take_while(|hit| hit.place == anchor.place && hit.first <= anchor.first + within);
                let fits = |hit: &&Hit| {
                    let is_apart = window.iter().all(|other| hit.last < other.first || hit.first > other.last);
                    is_apart && (!ordered || window.last().is_some_and(|last| hit.first > last.last))
                };
                let nearest = candidates.filter(|hit| counts(hit)).filter(fits).min_by_key(|hit| hit.first.abs_diff(anchor.first)).copied();
                let Some(next) = nearest else { break };
                window.push(next);
            }
            let span = window.iter().map(|hit| hit.first).max().unwrap_or(0) - window.iter().map(|hit| hit.first).min().unwrap_or(0);
            if window.len() == sets.len() && span <= within {
                best = Some((factor, window.clone()));
            }
        }
        best.map(|(factor, hits)| Found { factor: Some(factor), hits, ..Found::default() })
    }

    fn regex(&self, expression: ExpressionId, places: Places) -> Option<Found> {
        let mut best: Option<Found> = None;
        for place in [SUBJECT, NEW, QUOTED, ATTACHMENT, super::compile::ATTACHMENT_NAME, LINK, super::compile::SENDER_NAME] {
            let text = self.texts.get(place).map(|text| super::words::capped(text)).filter(|_| places.has(place)).unwrap_or_default();
            let factor = Some(self.factor(place));
            if best.as_ref().is_some_and(|best| best.factor >= factor) {
                continue;
            }
            let found = self.fits.get(place).and_then(|fits| self.expressions.find(expression, text, fits));
            if let Some((start, end)) = found {
                let as_u32 = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
                let hit = Hit { pattern: u32::MAX, place, start: as_u32(start), end: as_u32(end), first: 0, last: 0, is_denied: false };
                best = Some(Found { factor, hits: vec![hit], ..Found::default() });
            }
        }
        best
    }
}

impl Found {
    /// The score that a rule adds: by place, and somewhat more where it saw more words; with `most`
    /// each word counts.
    pub fn worth(&self, weight: f64, most: Option<f64>, factors: &[f64]) -> f64 {
        if let Some(fixed) = self.fixed {
            return fixed;
        }
        if self.hits.len() < 2 && most.is_none() {
            return weight * self.factor.unwrap_or(1.0);
        }
        let mut patterns: Vec<_> = self.hits.iter().map(|hit| (hit.pattern, hit.place)).collect();
        patterns.sort_unstable();
        patterns.dedup_by_key(|(pattern, _)| *pattern);
        if let Some(most) = most {
            let sum: f64 = patterns.iter().map(|(_, place)| weight * factors.get(*place).copied().unwrap_or(0.0)).sum();
            return sum.min(most);
        }
        let more = u32::try_from(patterns.len().saturating_sub(1).min(3)).map_or(0.0, f64::from);
        weight * self.factor.unwrap_or(1.0) * more.mul_add(0.12, 1.0)
    }

    /// The words to show, at most a few, in the order of the mail.
    pub fn shown(self) -> Vec<Hit> {
        let mut hits = self.hits;
        hits.dedup_by_key(|hit| (hit.place, hit.start, hit.end));
        hits.truncate(SHOWN_MAX);
        hits.sort_by_key(|hit| (hit.place, hit.start));
        hits
    }
}
