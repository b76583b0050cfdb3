//! A report with advertising beside it: a signature that sells, a footer, text that is not seen in
//! the sender's window. By its score such a mail is advertising, and advertising that speaks of
//! incidents looks the same. So what stands between the advertising is read by itself.

use super::{Holding, cover, holding, is_harm, is_likeness, scores, speaks_against};
use crate::mail::Mail;
use crate::mail::field::visible;
use crate::model::Category;
use crate::rules::compile::{NEW, SUBJECT};
use crate::rules::condition::Facts;
use crate::rules::facts::{facts, without_marks};
use crate::rules::set::RuleSet;
use crate::rules::words;
use serde::Serialize;
use std::collections::BTreeSet;

/// What likeness must add to an incident's category in such a piece, where rules speak for it by so much: advertising
/// names incidents, and does not sound like who suffers one.
const LIKENESS_MIN: f64 = 1.0;
const TOLD_MIN: f64 = 0.4;
/// What likeness must add without them; the least that set reports apart from all advertising it was measured with.
const LIKENESS_ALONE_MIN: f64 = 2.0;
/// Where rules speak for it by so much that they would file a mail alone, it need only sound no more like
/// advertising than like a report: who tells of two incidents in ten words sounds little like either.
const TOLD_ALONE_MIN: f64 = 4.0;
const LIKENESS_TOLD_MIN: f64 = -0.5;
/// … and be so many words: what is cut out of a sentence of advertising is shorter.
const TOLD_WORDS_MIN: usize = 5;
/// What such a piece scores as advertising, of its own score, at most: who offers data for sale lists them as a report of
/// it would.
const SPAM_SHARE_MAX: f64 = 0.5;
/// The longest pieces between the advertising are read, …
const PIECES_MAX: usize = 3;
/// … each up to here.
const PIECE_CHARS_MAX: usize = 8_000;

/// What is left of a letter beside its footer has so many words, …
const REST_WORDS_MIN: usize = 6;
/// … and scores no more than this as advertising: what is left of advertising still sounds like it.
const REST_SPAM_MAX: f64 = 0.0;
/// Where it tells of an incident and scores no more than this as advertising, likeness may take away so much.
const REST_SPAM_TOLD_MAX: f64 = 1.0;
const REST_LIKENESS_MIN: f64 = -1.0;

/// Whether a mail whose best category is spam tells of an incident where it does not advertise, or is a
/// letter under which somebody advertises. `skip` are rules that are thought away.
pub(super) fn tells_of_incident(rules: &RuleSet, facts: &Facts<'_>, all: &[Holding<'_>], skip: &[&str]) -> bool {
    told_beside(rules, facts, all, skip).is_some_and(|passage| passage.reads_as != ReadsAs::Nothing)
}

/// What was read beside advertising.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Passage {
    pub reads_as: ReadsAs,
    /// The kind of report that it reads like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// Its beginning, on one line, without what a terminal would obey.
    pub text: String,
}

/// What a passage beside advertising reads like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadsAs {
    Report,
    /// A letter of its own, under which somebody advertises.
    Letter,
    /// The sender's own words, with which the advertising is passed on.
    PassedOn,
    /// Neither.
    Nothing,
}

/// From so many words on it is no name or title that stands in quotation marks.
const QUOTATION_WORDS_MIN: usize = 5;
/// Of a passage the words are shown that begin within so many bytes, and so many characters of each.
const SHOWN_BYTES_MAX: usize = 160;

impl Passage {
    fn new(reads_as: ReadsAs, category: Option<Category>, text: &str) -> Self {
        let mut shown = String::new();
        for word in text.split_whitespace() {
            if shown.len() > SHOWN_BYTES_MAX {
                shown.push_str(" …");
                break;
            }
            shown.push_str(if shown.is_empty() { "" } else { " " });
            shown.extend(word.chars().take(SHOWN_BYTES_MAX));
        }
        Self { reads_as, category, text: visible(&shown) }
    }
}

/// What was read beside the advertising of a mail whose best category is spam, for a person; `None` where nothing
/// stands beside it, or where a rule says why it is none.
pub(in crate::rules) fn passage(rules: &RuleSet, facts: &Facts<'_>, all: &[Holding<'_>]) -> Option<Passage> {
    if is_only_passed_on(rules, facts, &[]) {
        let new = facts.mail.text.new.as_str();
        let own = if says_something(new) { new } else { without_marks(&facts.mail.subject) };
        return Some(Passage::new(ReadsAs::PassedOn, None, own));
    }
    let is_shown = |passage: &Passage| says_something(&passage.text) && (passage.reads_as != ReadsAs::Nothing || !speaks_against(all));
    told_beside(rules, facts, all, &[]).filter(is_shown)
}

/// The passage that decides, or the longest of those that were read.
fn told_beside(rules: &RuleSet, facts: &Facts<'_>, all: &[Holding<'_>], skip: &[&str]) -> Option<Passage> {
    let adverts = || all.iter().filter(|one| one.rule.category == Some(Category::Spam) && one.tells()).flat_map(|one| &one.hits);
    let text = facts.texts.get(NEW).map_or("", |text| text);
    let words_in = |wanted: &[usize]| -> BTreeSet<&str> {
        adverts()
            .filter(|hit| wanted.contains(&hit.place))
            .filter_map(|hit| facts.texts.get(hit.place)?.get(hit.start as usize..hit.end as usize))
            .filter(|word| !word.is_empty())
            .collect()
    };
    // A word of both is told of the subject alone.
    let words = words_in(&[SUBJECT, NEW]);
    let subject = if adverts().any(|hit| hit.place == SUBJECT) { "" } else { facts.mail.subject.as_str() };
    let pieces = pieces(text, &words);
    let told = pieces.iter().find_map(|piece| Some((incident(rules, facts, subject, piece, skip)?, piece)));
    if let Some((category, piece)) = told {
        return Some(Passage::new(ReadsAs::Report, Some(category), piece));
    }
    // A question about the advertisement in the subject names it by its words.
    let rest = rest(text, &words_in(&[NEW]));
    if is_letter(rules, facts, subject, &rest, skip) {
        return Some(Passage::new(ReadsAs::Letter, None, &rest));
    }
    pieces.first().map(|piece| Passage::new(ReadsAs::Nothing, None, piece))
}

/// Whether somebody passes advertising on with a word of their own, in a forward, a quotation or an enclosed mail:
/// "Apakah ini penipuan?" is a report, however short. The word may be the subject's, where it is not that of the
/// mail passed on. `skip` are rules that are thought away.
pub(super) fn is_only_passed_on(rules: &RuleSet, facts: &Facts<'_>, skip: &[&str]) -> bool {
    let mail = facts.mail;
    let enclosed = || mail.attachments.iter().filter(|attachment| attachment.is_message()).filter_map(|one| one.text.as_deref());
    let passed_on = || std::iter::once(mail.text.quoted.as_str()).chain(enclosed());
    let new = mail.text.new.as_str();
    let own = outside_quotations(new).filter(|own| words::prose(own).list.len() >= REST_WORDS_MIN);
    if own.is_some_and(|own| !advertises(rules, facts, "", &own, skip)) {
        return true;
    }
    if passed_on().all(|text| text.trim().is_empty()) {
        return false;
    }
    if says_something(new) {
        return !advertises(rules, facts, "", new, skip);
    }
    let subject = without_marks(&mail.subject);
    let is_theirs = || passed_on().any(|text| plain(text).contains(&plain(subject)));
    says_something(subject) && !is_theirs() && !advertises(rules, facts, subject, "", skip)
}

/// What stands outside of quotation marks, where somebody quotes more than a name.
fn outside_quotations(text: &str) -> Option<String> {
    // Odd ones are inside, and the last one is not closed where their number is even.
    let parts: Vec<&str> = text.split(['"', '“', '”', '„', '«', '»']).collect();
    let is_quotation =
        |at: usize, part: &str| at % 2 == 1 && at + 1 < parts.len() && part.split_whitespace().count() >= QUOTATION_WORDS_MIN;
    let (quoted, own): (Vec<_>, Vec<_>) = parts.iter().enumerate().partition(|(at, part)| is_quotation(*at, part));
    (!quoted.is_empty()).then(|| own.into_iter().map(|(_, part)| *part).collect())
}

/// Whether there is a word, and not an address alone.
fn says_something(text: &str) -> bool {
    !words::prose(text).list.is_empty()
}

/// As it is compared: mail programs wrap subjects where they copy them.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Whether a rule of advertising fires on this alone.
fn advertises(rules: &RuleSet, facts_of_all: &Facts<'_>, subject: &str, text: &str, skip: &[&str]) -> bool {
    let mail = alone(facts_of_all, subject, text);
    let facts = facts(rules, &mail, facts_of_all.told);
    holding(rules, &facts).iter().any(|one| one.counts_for(Category::Spam) && one.tells() && !skip.contains(&&*one.rule.id))
}

/// The paragraphs in which none of these words stands.
fn rest(text: &str, words: &BTreeSet<&str>) -> String {
    let words: Vec<String> = words.iter().map(|word| word.to_ascii_lowercase()).collect();
    let mut rest = String::new();
    for paragraph in text.split(PARAGRAPH) {
        let lower = paragraph.to_ascii_lowercase();
        if !words.iter().any(|word| stands_in(&lower, word)) {
            rest.push_str(paragraph);
            rest.push_str(PARAGRAPH);
        }
    }
    rest
}

/// Whether a word stands in a text, and not inside a longer one.
fn stands_in(text: &str, word: &str) -> bool {
    let is_inner = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    text.match_indices(word).any(|(at, found)| {
        !is_inner(text.get(..at).and_then(|before| before.chars().next_back()))
            && !is_inner(text.get(at + found.len()..).and_then(|after| after.chars().next()))
    })
}

/// Parts the paragraphs of a text.
const PARAGRAPH: &str = "\n\n";

/// Whether what is left beside advertising is a letter of its own: it tells of an incident by a rule, or it is
/// nothing like advertising.
fn is_letter(rules: &RuleSet, facts_of_all: &Facts<'_>, subject: &str, rest: &str, skip: &[&str]) -> bool {
    let words = words::prose(rest);
    if words.list.is_empty() && words.addresses.is_empty() {
        return false;
    }
    let mail = alone(facts_of_all, subject, rest);
    let facts = facts(rules, &mail, facts_of_all.told);
    let read = Read::new(rules, &facts, skip);
    let is_told = is_harm(read.best) && read.lead >= rules.compiled.decision.margin && read.told >= TOLD_MIN;
    let sounds_so = (read.spam <= REST_SPAM_TOLD_MAX && read.likeness >= REST_LIKENESS_MIN)
        || (read.spam <= read.score * SPAM_SHARE_MAX && read.likeness >= LIKENESS_MIN);
    (read.spam <= REST_SPAM_MAX && words.list.len() >= REST_WORDS_MIN) || (is_told && sounds_so)
}

/// What a text comes to by itself.
struct Read {
    best: Category,
    score: f64,
    /// How far the best of what is no incident is behind: two incidents in one mail do not make each other doubtful.
    lead: f64,
    spam: f64,
    /// What likeness adds to advertising.
    sales: f64,
    /// What likeness and what rules add to the best category.
    likeness: f64,
    told: f64,
}

impl Read {
    fn new(rules: &RuleSet, facts: &Facts<'_>, skip: &[&str]) -> Self {
        let mut all = holding(rules, facts);
        all.retain(|one| !skip.contains(&&*one.rule.id));
        cover(&mut all);
        let sums = scores(&all);
        let (best, score) = sums.first().map_or((Category::Other, 0.0), |best| (best.category, best.score));
        let others = sums.iter().filter(|sum| sum.category != best && !is_harm(sum.category)).map(|sum| sum.score);
        let likeness =
            |of: Category| all.iter().filter(move |one| one.counts_for(of) && is_likeness(&one.rule.id)).map(|one| one.adds).sum();
        let by_rules = all.iter().filter(|one| one.counts_for(best) && !is_likeness(&one.rule.id));
        Self {
            best,
            score,
            lead: score - others.fold(0.0, f64::max),
            spam: sums.iter().find(|sum| sum.category == Category::Spam).map_or(0.0, |sum| sum.score),
            sales: likeness(Category::Spam),
            likeness: likeness(best),
            told: by_rules.map(|one| one.adds).sum(),
        }
    }
}

/// The mail as if this were all of it.
fn alone(facts_of_all: &Facts<'_>, subject: &str, text: &str) -> Mail {
    let mut mail: Mail = facts_of_all.mail.clone();
    let end = text.char_indices().nth(PIECE_CHARS_MAX).map_or(text.len(), |(at, _)| at);
    mail.subject = subject.to_owned();
    mail.text.new = text.get(..end).unwrap_or_default().to_owned();
    mail.text.quoted.clear();
    mail.attachments.clear();
    mail
}

/// What stands between these words, wherever they stand, the longest first.
fn pieces<'a>(text: &'a str, words: &BTreeSet<&str>) -> Vec<&'a str> {
    let lower = text.to_ascii_lowercase();
    let mut cuts: Vec<(usize, usize)> = Vec::new();
    for word in words {
        cuts.extend(lower.match_indices(&word.to_ascii_lowercase()).map(|(at, found)| (at, at + found.len())));
    }
    cuts.sort_unstable();
    cuts.push((text.len(), text.len()));
    let mut pieces = Vec::new();
    let mut end = 0;
    for (from, to) in cuts {
        pieces.extend(text.get(end..from).map(str::trim).filter(|piece| !piece.is_empty()));
        end = end.max(to);
    }
    pieces.sort_by_key(|piece| std::cmp::Reverse(piece.len()));
    pieces.truncate(PIECES_MAX);
    pieces
}

/// The incident of which a mail of this text alone would be, by what it says and how it says it.
fn incident(rules: &RuleSet, facts_of_all: &Facts<'_>, subject: &str, piece: &str, skip: &[&str]) -> Option<Category> {
    let mail = alone(facts_of_all, subject, piece);
    let facts = facts(rules, &mail, facts_of_all.told);
    let read = Read::new(rules, &facts, skip);
    let decision = &rules.compiled.decision;
    let is_told = read.told >= TOLD_ALONE_MIN
        && read.likeness >= LIKENESS_TOLD_MIN
        && read.sales <= read.likeness.max(0.0)
        && words::prose(piece).list.len() >= TOLD_WORDS_MIN;
    let sounds_so = read.likeness >= LIKENESS_ALONE_MIN || (read.likeness >= LIKENESS_MIN && read.told >= TOLD_MIN) || is_told;
    let is_incident = is_harm(read.best)
        && read.score >= decision.threshold
        && read.lead >= decision.margin
        && read.spam <= read.score * SPAM_SHARE_MAX
        && (sounds_so || !rules.compiled.likeness.is_taught());
    is_incident.then_some(read.best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quotation_is_more_than_a_name_and_is_closed() {
        for (text, own) in [
            ("kami menerima \"promo besar hanya hari ini saja\" dari sana", Some("kami menerima  dari sana")),
            ("dia kirim “beli satu dapat dua sampai habis” dan \"Toko Jaya\"", Some("dia kirim  dan Toko Jaya")),
            ("Ikuti \"Tangguh Siber 2026\" di Bandung", None),
            ("layar 15\" dan promo besar hanya hari ini saja", None),
            ("", None),
        ] {
            assert_eq!(outside_quotations(text).as_deref(), own, "{text}");
        }
    }

    #[test]
    fn what_stands_between_the_advertising_is_left_the_longest_first() {
        let words = BTreeSet::from(["promo", "Diskon 50"]);
        let text = "PROMO kami terkunci diskon 50% Promo promo sejak pagi";
        assert_eq!(pieces(text, &words), ["kami terkunci", "sejak pagi", "%"]);
        assert_eq!(rest("Lapor promosi.\n\nPromo ini.\n\nSalam", &words), "Lapor promosi.\n\nSalam\n\n");
        assert_eq!(pieces("", &words), Vec::<&str>::new());
        assert_eq!(pieces("é promo é", &words), ["é", "é"]);
    }
}
