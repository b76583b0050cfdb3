//! What conditions may look at, gathered once for a mail: the hits of all words, beside what the mail
//! tells by itself.

use super::compile::{ATTACHMENT, ATTACHMENT_NAME, LINK, NEW, PLACES, QUOTED, SENDER_NAME, SUBJECT};
use super::condition::{Facts, Undenied};
use super::lexicon::Reader;
use super::likeness::Prose;
use super::scan::{Hits, scan};
use super::set::RuleSet;
use super::words;
use crate::extract::indicator;
use crate::mail::Mail;
use crate::mail::told::Told;
use crate::model::effect::MailKind;
use std::borrow::Cow;

/// What conditions may look at, gathered once.
pub(super) fn facts<'a>(rules: &'a RuleSet, mail: &'a Mail, told: &'a Told) -> Facts<'a> {
    let kind = told.recognised.kind;
    let compiled = &rules.compiled;
    let mut texts = texts(mail);
    let mut hits = Hits::new(compiled);
    let mut reader = Reader::new(&compiled.lexicon, &compiled.vocabulary, &compiled.likeness);
    let mut prose = Vec::new();
    for place in 0..PLACES.len() {
        let is_prose = matches!(place, SUBJECT | NEW | QUOTED | ATTACHMENT);
        if place == LINK {
            let links = links(&texts, &prose);
            set(&mut texts, LINK, Cow::Owned(links));
        }
        let text = texts.get(place).map_or("", |text| text);
        if text.is_empty() {
            continue;
        }
        let tokens = if place == LINK { words::links(text) } else { words::prose(text) };
        let words = reader.read(&tokens);
        let denied = scan(compiled, place, &tokens, &words, &reader, is_prose, &mut hits);
        if is_prose {
            prose.push(Prose { place, tokens, words, denied });
        }
    }
    let new_words = prose.iter().find(|text| text.place == NEW).map_or(0, |text| text.tokens.list.len());
    let mut factors = rules.compiled.factors.clone();
    if kind != MailKind::Reply && new_words <= rules.compiled.decision.short_text_words {
        // "Mohon ditindaklanjuti surat terlampir": the matter is in what is forwarded or enclosed.
        for (place, least) in [(QUOTED, 0.75), (ATTACHMENT, 1.0)] {
            if let Some(factor) = factors.get_mut(place) {
                *factor = factor.max(least);
            }
        }
    }
    if kind != MailKind::Reply
        && is_forward(&mail.subject)
        && let Some(factor) = factors.get_mut(QUOTED)
    {
        *factor = factor.max(0.6);
    }
    let likeness = compiled.likeness.lean(&prose, &reader, &factors);
    let indicators = &told.indicators;
    let mut lookalikes = told.mixed_script.clone();
    lookalikes.extend(indicators.domains.iter().filter(|domain| indicator::is_lookalike(domain, &rules.compiled.brands)).cloned());
    let has_go_id = indicators.domains.iter().any(|domain| indicator::is_government(domain));
    Facts {
        mail,
        told,
        hits,
        texts,
        expressions: &compiled.expressions,
        fits: Default::default(),
        line_ends: Default::default(),
        factors,
        lookalikes,
        has_go_id,
        new_words,
        likeness,
        undenied: Undenied::default(),
    }
}

/// How mail programs mark the subject of what is passed on, …
const FORWARD_MARKS: [&str; 8] = ["fw:", "fwd:", "fw :", "fwd :", "diteruskan:", "terusan:", "trs:", "wg:"];
/// … and of what is answered.
const ANSWER_MARKS: [&str; 5] = ["re:", "re :", "bls:", "balas:", "aw:"];

/// What follows one of these marks.
fn after_mark<'a>(subject: &'a str, marks: &[&str]) -> Option<&'a str> {
    let subject = subject.trim_start();
    marks.iter().find_map(|mark| {
        let (start, rest) = subject.split_at_checked(mark.len())?;
        start.eq_ignore_ascii_case(mark).then_some(rest)
    })
}

/// Whether the subject says that the mail passes another one on.
fn is_forward(subject: &str) -> bool {
    after_mark(subject, &FORWARD_MARKS).is_some()
}

/// Whether a mail answers another one, so that what it quotes was said before and by others.
pub(super) fn is_answer(mail: &Mail, told: &Told) -> bool {
    told.recognised.kind == MailKind::Reply || after_mark(&mail.subject, &ANSWER_MARKS).is_some()
}

/// A subject without the marks that mail programs put before it.
pub(super) fn without_marks(subject: &str) -> &str {
    let mut rest = subject.trim();
    while let Some(next) = after_mark(rest, &FORWARD_MARKS).or_else(|| after_mark(rest, &ANSWER_MARKS)) {
        rest = next.trim_start();
    }
    rest
}

/// The attachment whose text stands at this byte of the text of all: its name, and where its own text begins.
pub(super) fn attachment_at(mail: &Mail, at: usize) -> Option<(&str, usize)> {
    let mut start = 0;
    for attachment in mail.attachments.iter() {
        if start >= words::TEXT_BYTES_MAX {
            return None;
        }
        let end = start + words::capped(attachment.text.as_deref().unwrap_or_default()).len() + BETWEEN.len();
        if at < end {
            return Some((&attachment.name, start));
        }
        start = end;
    }
    None
}

/// Parts the texts of attachments, so that no rule sees words of two as one phrase.
const BETWEEN: &str = "\n\n";

/// The text of each place, in the order of [`PLACES`]; that of the links is made from the others.
fn texts(mail: &Mail) -> Vec<Cow<'_, str>> {
    let mut attachments = String::new();
    let mut names = String::new();
    for attachment in &mail.attachments {
        if attachments.len() < words::TEXT_BYTES_MAX {
            attachments.push_str(words::capped(attachment.text.as_deref().unwrap_or_default()));
            attachments.push_str(BETWEEN);
        }
        // Extensions and underscores part words in names.
        names.push_str(&attachment.name.replace(['.', '_'], " "));
        names.push_str("\n\n");
    }
    let senders = mail.from.iter().map(|mailbox| mailbox.name.as_str()).collect::<Vec<_>>().join("\n\n");
    let mut texts = vec![Cow::Borrowed(""); PLACES.len()];
    set(&mut texts, SUBJECT, Cow::Borrowed(words::capped(&mail.subject)));
    set(&mut texts, NEW, Cow::Borrowed(words::capped(&mail.text.new)));
    set(&mut texts, QUOTED, Cow::Borrowed(words::capped(&mail.text.quoted)));
    set(&mut texts, ATTACHMENT, Cow::Owned(attachments));
    set(&mut texts, ATTACHMENT_NAME, Cow::Owned(names));
    set(&mut texts, SENDER_NAME, Cow::Owned(senders));
    texts
}

fn set<'a>(texts: &mut [Cow<'a, str>], place: usize, text: Cow<'a, str>) {
    if let Some(slot) = texts.get_mut(place) {
        *slot = text;
    }
}

/// The addresses of the web in what the sender wrote and enclosed, a line each.
fn links(texts: &[Cow<'_, str>], prose: &[Prose]) -> String {
    let mut links = String::new();
    for Prose { place, tokens, .. } in prose.iter().filter(|text| text.place != QUOTED) {
        let text = texts.get(*place).map_or("", |text| text);
        for (from, to) in &tokens.addresses {
            let address = text.get(*from as usize..*to as usize).unwrap_or_default();
            if !address.contains('@') && links.len() < words::TEXT_BYTES_MAX {
                links.push_str(address);
                links.push('\n');
            }
        }
    }
    links
}
