//! A report with advertising beside it: a signature that sells, a footer, text that is not seen in
//! the sender's window. By its score such a mail is advertising, and advertising that speaks of
//! incidents looks the same. So what stands between the advertising is read by itself.

use super::{Holding, cover, holding, is_harm, is_likeness, scores};
use crate::mail::Mail;
use crate::model::Category;
use crate::rules::compile::{NEW, SUBJECT};
use crate::rules::condition::Facts;
use crate::rules::facts::facts;
use crate::rules::set::RuleSet;
use std::collections::BTreeSet;

/// What likeness must add to an incident's category in such a piece, where rules speak for it by so much: advertising
/// names incidents, and does not sound like who suffers one.
const LIKENESS_MIN: f64 = 1.0;
const TOLD_MIN: f64 = 0.8;
/// What likeness must add without them; the least that set reports apart from all advertising it was measured with.
const LIKENESS_ALONE_MIN: f64 = 2.0;
/// The longest pieces between the advertising are read, …
const PIECES_MAX: usize = 3;
/// … each up to here.
const PIECE_CHARS_MAX: usize = 8_000;

/// Whether a mail whose best category is spam tells of an incident where it does not advertise. `skip` are
/// rules that are thought away.
pub(super) fn tells_of_incident(rules: &RuleSet, facts: &Facts<'_>, all: &[Holding<'_>], skip: &[&str]) -> bool {
    let adverts = || all.iter().filter(|one| one.rule.category == Some(Category::Spam) && one.tells()).flat_map(|one| &one.hits);
    let text = facts.texts.get(NEW).map_or("", |text| text);
    let words: BTreeSet<&str> = adverts()
        .filter(|hit| hit.place == NEW)
        .filter_map(|hit| text.get(hit.start as usize..hit.end as usize))
        .filter(|word| !word.is_empty())
        .collect();
    let subject = if adverts().any(|hit| hit.place == SUBJECT) { "" } else { facts.mail.subject.as_str() };
    pieces(text, &words).into_iter().any(|piece| is_incident(rules, facts, subject, piece, skip))
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

/// Whether a mail of this text alone would be an incident's, by what it says and how it says it.
fn is_incident(rules: &RuleSet, facts_of_all: &Facts<'_>, subject: &str, piece: &str, skip: &[&str]) -> bool {
    let end = piece.char_indices().nth(PIECE_CHARS_MAX).map_or(piece.len(), |(at, _)| at);
    let mut mail: Mail = facts_of_all.mail.clone();
    mail.subject = subject.to_owned();
    mail.text.new = piece.get(..end).unwrap_or_default().to_owned();
    mail.text.quoted.clear();
    mail.attachments.clear();
    let facts = facts(rules, &mail, facts_of_all.told);
    let mut all = holding(rules, &facts);
    all.retain(|one| !skip.contains(&&*one.rule.id));
    cover(&mut all);
    let sums = scores(&all);
    let Some(best) = sums.first() else { return false };
    let decision = &rules.compiled.decision;
    let lead = best.score - sums.get(1).map_or(0.0, |sum| sum.score.max(0.0));
    let (by_likeness, by_rules): (Vec<_>, Vec<_>) =
        all.iter().filter(|one| one.counts_for(best.category)).partition(|one| is_likeness(&one.rule.id));
    let likeness: f64 = by_likeness.iter().map(|one| one.adds).sum();
    let told: f64 = by_rules.iter().map(|one| one.adds).sum();
    let sounds_so = likeness >= LIKENESS_ALONE_MIN || (likeness >= LIKENESS_MIN && told >= TOLD_MIN);
    is_harm(best.category)
        && best.score >= decision.threshold
        && lead >= decision.margin
        && (sounds_so || !rules.compiled.likeness.is_taught())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_the_advertising_is_left_the_longest_first() {
        let words = BTreeSet::from(["promo", "Diskon 50"]);
        let text = "PROMO kami terkunci diskon 50% Promo promo sejak pagi";
        assert_eq!(pieces(text, &words), ["kami terkunci", "sejak pagi", "%"]);
        assert_eq!(pieces("", &words), Vec::<&str>::new());
        assert_eq!(pieces("é promo é", &words), ["é", "é"]);
    }
}
