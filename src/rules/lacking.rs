//! Why a rule does not fire on a mail: the condition that fails, in words that its author wrote, and what the mail
//! has instead. For the tests of rule files; nothing of it is asked while mail is filed.

use super::assess::{saw, shown};
use super::compile::{Condition, Glob, PLACES, Places};
use super::condition::Facts;
use super::set::RuleSet;
use crate::mail::Mailbox;

/// Groups of `any_of` whose reasons are told.
const GROUPS_MAX: usize = 3;
/// Words of a long list that are told.
const WORDS_CHARS_MAX: usize = 120;

/// What is lacking for a condition to hold; `None` where it holds.
pub(super) fn lacking(rules: &RuleSet, facts: &Facts<'_>, condition: &Condition) -> Option<String> {
    if facts.test(condition, Places::ALL).is_some() {
        return None;
    }
    Some(match condition {
        Condition::All(parts) => return parts.iter().find_map(|part| lacking(rules, facts, part)),
        Condition::One(parts) => {
            let reasons: Vec<String> = parts.iter().filter_map(|part| lacking(rules, facts, part)).take(GROUPS_MAX).collect();
            let more = if parts.len() > GROUPS_MAX { "; …" } else { "" };
            format!("none of the {} groups of any_of holds: {}{more}", parts.len(), reasons.join("; "))
        }
        Condition::Not(inner) => format!("what must not be there is there: {}", seen(facts, inner)),
        Condition::Words { set, at_least, places } => words(rules, facts, (*set, *places), *at_least),
        Condition::Near { sets, within, ordered, places } => {
            let missing = sets.iter().find(|set| facts.test(&one_of(**set, *places), Places::ALL).is_none());
            match missing {
                Some(set) => format!("near: {}", words(rules, facts, (*set, *places), 1)),
                None => {
                    let all: Vec<&str> = sets.iter().map(|set| written(rules, *set)).collect();
                    let order = if *ordered { " in this order" } else { "" };
                    format!("near: {} are there, and nowhere within {within} words{order}", all.join(" and "))
                }
            }
        }
        Condition::Regex { written, places, .. } => format!("regex: '{written}' fits nothing {}", of(*places)),
        fact => fact_lacking(facts, fact),
    })
}

const fn one_of(set: u32, places: Places) -> Condition {
    Condition::Words { set, at_least: 1, places }
}

/// Why so many words of a set do not count.
fn words(rules: &RuleSet, facts: &Facts<'_>, (set, places): (u32, Places), at_least: usize) -> String {
    let wanted = written(rules, set);
    if let Some(found) = facts.test(&one_of(set, places), Places::ALL) {
        let there: Vec<String> = found.shown().iter().map(|hit| saw(facts, hit)).collect();
        return format!("at_least: {} of the {at_least} wanted words are there: {}", there.len(), there.join(", "));
    }
    let hits = || facts.hits.firsts_of(set).iter();
    if let Some(denied) = hits().find(|hit| places.has(hit.place) && hit.is_denied) {
        return format!("of {wanted} there is {}, and it is denied", saw(facts, denied));
    }
    match hits().next() {
        Some(elsewhere) => format!("of {wanted} there is {}, where `in` does not look", saw(facts, elsewhere)),
        None => format!("of {wanted} none is there {}{}", of(places), comma_hint(wanted)),
    }
}

/// Commas inside the quotes of one phrase look like a list and are none.
fn comma_hint(written: &str) -> String {
    let phrase = written.split("\", \"").map(|phrase| phrase.trim_matches('"')).find(|phrase| phrase.contains(','));
    let parted = phrase.map(|phrase| phrase.split(',').map(|part| format!("\"{}\"", part.trim())).collect::<Vec<_>>().join(", "));
    parted.map(|parted| format!("; each phrase wants its own quotes: {parted}")).unwrap_or_default()
}

/// The words of a set as its author wrote them.
fn written(rules: &RuleSet, set: u32) -> &str {
    let all = rules.compiled.written.get(set as usize).map_or("", String::as_str);
    all.get(..all.char_indices().nth(WORDS_CHARS_MAX).map_or(all.len(), |(end, _)| end)).unwrap_or(all)
}

fn of(places: Places) -> String {
    let names: Vec<&str> = PLACES.iter().enumerate().filter(|(index, _)| places.has(*index)).map(|(_, name)| *name).collect();
    format!("(looked at: {})", names.join(", "))
}

/// What made a condition hold.
fn seen(facts: &Facts<'_>, condition: &Condition) -> String {
    let Some(found) = facts.test(condition, Places::ALL) else { return String::new() };
    let told = found.told.clone();
    let all: Vec<String> = found.shown().iter().map(|hit| saw(facts, hit)).chain(told).collect();
    if all.is_empty() { "a condition that looks at no words".to_owned() } else { all.join(", ") }
}

/// The conditions that look at facts: what the mail has, and what was wanted.
fn fact_lacking(facts: &Facts<'_>, condition: &Condition) -> String {
    let list = |words: &mut dyn Iterator<Item = &str>| {
        let words: Vec<String> = words.map(|word| format!("\"{}\"", shown(word))).collect();
        if words.is_empty() { "none".to_owned() } else { words.join(", ") }
    };
    let globs = |globs: &[Glob]| globs.iter().map(|glob| format!("\"{glob}\"")).collect::<Vec<_>>().join(", ");
    let attachments = || facts.mail.attachments.iter();
    match condition {
        Condition::Sender(wanted) => {
            let typed = |mailbox: &Mailbox| mailbox.typed.clone();
            let senders: Vec<String> = facts.mail.from.iter().map(typed).collect();
            format!("sender: {} wanted, the mail has {}", globs(wanted), list(&mut senders.iter().map(String::as_str)))
        }
        Condition::AttachmentName(wanted) => {
            format!("attachment_name: {} wanted, the mail has {}", globs(wanted), list(&mut attachments().map(|one| one.name.as_str())))
        }
        Condition::AttachmentType(wanted) => {
            format!(
                "attachment_type: {} wanted, the mail has {}",
                globs(wanted),
                list(&mut attachments().map(|one| one.media_type.as_str()))
            )
        }
        Condition::Indicators(name, least) => format!("indicators: {least} {name} wanted, {} found", facts.of_kind(name).len()),
        Condition::Lookalike(true) => "lookalike: no domain imitates another".to_owned(),
        Condition::Lookalike(false) => format!("lookalike: {} imitates another", list(&mut facts.lookalikes.iter().map(String::as_str))),
        Condition::GoId(true) => "go_id: no government domain is named".to_owned(),
        Condition::GoId(false) => "go_id: a government domain is named".to_owned(),
        Condition::Language(wanted) => {
            format!("language: {} wanted, the mail has \"{}\"", list(&mut wanted.iter().map(|one| one.word())), facts.told.language)
        }
        Condition::Dmarc(wanted) => {
            format!("dmarc: {} wanted, the mail has \"{}\"", list(&mut wanted.iter().map(String::as_str)), facts.told.dmarc())
        }
        Condition::Format(wanted) => {
            let has = list(&mut facts.told.formats.iter().copied());
            format!("format: {} wanted, the mail has {has}", list(&mut wanted.iter().map(String::as_str)))
        }
        Condition::Kind(wanted) => {
            let has = facts.told.recognised.kind.word();
            format!("kind: {} wanted, the mail is \"{has}\"", list(&mut wanted.iter().map(|kind| kind.word())))
        }
        Condition::NewWords { min, max } => {
            let most = if *max == usize::MAX { "any number".to_owned() } else { max.to_string() };
            format!("words: the sender wrote {}, and {min} to {most} are wanted", facts.new_words)
        }
        _ => "a condition does not hold".to_owned(),
    }
}
