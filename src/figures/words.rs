//! How figures read: names of months, numbers with their decimal sign, what changed since the
//! period before, and the fields of the text letter.

use super::{Addressee, Case, Counts, Figures, Kept, Missed, ToDecide};
use crate::mail::template::{Fields, Templates};
use crate::model::Language;

/// Tickets that missed a term, recipients and letters that the text names one by one.
const LINES_MAX: usize = 40;

/// The words of one language.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words<'a> {
    pub templates: &'a Templates,
    pub language: Language,
}

impl Words<'_> {
    /// A phrase of the section `figures`.
    pub fn say(&self, key: &str, arguments: &[(&str, &str)]) -> String {
        self.templates.phrase(self.language, &format!("figures.{key}"), arguments)
    }

    /// The everyday word for one of the contract's words.
    pub fn word(&self, kind: &str, word: &str) -> String {
        let key = format!("{kind}.{word}");
        let found = self.templates.phrase(self.language, &key, &[]);
        if found == format!("?{key}?") { word.to_owned() } else { found }
    }

    /// A number with at most this many digits after the decimal sign of the language.
    pub fn number(&self, value: f64, digits: usize) -> String {
        let text = format!("{value:.digits$}");
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text };
        if self.language.of_answer() == Language::En { text } else { text.replace('.', ",") }
    }

    /// `3 Maret 2026` of `2026-03-03`.
    pub fn day(&self, day: &str) -> String {
        let months = self.say("months", &[]);
        let mut parts = day.splitn(3, '-');
        let (year, month, of_month) = (parts.next(), parts.next(), parts.next());
        let name = month.and_then(|month| months.split_whitespace().nth(month.parse::<usize>().ok()?.checked_sub(1)?));
        match (year, name, of_month) {
            (Some(year), Some(name), Some(of_month)) => format!("{} {name} {year}", of_month.trim_start_matches('0')),
            _ => day.to_owned(),
        }
    }

    /// The period in words.
    pub fn period(&self, from: &str, to: &str) -> String {
        if from == to {
            return self.day(from);
        }
        let first = match (from.get(..8), to.get(..8), from.get(8..)) {
            // The same month is named once.
            (Some(a), Some(b), Some(day)) if a == b => day.trim_start_matches('0').to_owned(),
            _ => self.day(from),
        };
        self.say("from_to", &[("from", &first), ("to", &self.day(to))])
    }

    /// `3 Maret 2026 pukul 07.00` of an RFC 3339 moment of the centre.
    pub fn moment(&self, at: &str) -> String {
        match (at.get(..10), at.get(11..16)) {
            (Some(day), Some(time)) => {
                let time = if self.language.of_answer() == Language::En { time.to_owned() } else { time.replace(':', ".") };
                self.say("moment", &[("day", &self.day(day)), ("time", &time)])
            }
            _ => at.to_owned(),
        }
    }

    /// The same without the year, for lists of what is of these days.
    fn short_moment(&self, at: &str) -> String {
        let whole = self.moment(at);
        match at.get(..4) {
            Some(year) => whole.replacen(&format!(" {year}"), "", 1),
            None => whole,
        }
    }

    /// What changed, with its sign; empty where nothing did.
    pub fn change(&self, now: f64, before: f64, digits: usize) -> String {
        let text = self.number((now - before).abs(), digits);
        match now - before {
            _ if text == "0" => String::new(),
            difference if difference > 0.0 => format!("+{text}"),
            _ => format!("−{text}"),
        }
    }

    /// The title of a reason with its number.
    pub fn reason(&self, decision: &ToDecide) -> String {
        self.say(&format!("decide_{}", decision.reason.word()), &[("count", &decision.count.to_string())])
    }

    /// The line of a case: what it is, since when it waits, and with whom.
    pub fn case(&self, case: &Case) -> String {
        let mut parts = vec![self.word("alarm", &case.id)];
        parts.extend(case.mark.clone());
        parts.extend(case.category.map(|category| self.word("category", category.word())));
        parts.extend(case.priority.map(|priority| self.word("priority", priority.word())));
        parts.extend(case.kind.map(|kind| self.word("letter_kind", kind.word())));
        parts.extend(case.state.map(|state| self.word("letter_state", state.word())));
        parts.extend(case.to.clone());
        let since = self.short_moment(&case.since);
        parts.push(match case.clock {
            Some(clock) => self.say("case_due", &[("clock", &self.word("clock_name", clock.word())), ("since", &since)]),
            None => self.say("case_since", &[("since", &since)]),
        });
        // A ticket without an assignee says so; a letter and an alarm have nobody anyway.
        parts.extend(case.who.clone().or_else(|| case.category.map(|_| self.say("nobody", &[]))));
        parts.join(" · ")
    }

    /// The line of a ticket that missed a term.
    pub fn missed(&self, missed: &Missed) -> String {
        let (due, met) = (self.short_moment(&missed.due_at), missed.met_at.as_deref().map(|at| self.short_moment(at)));
        let nobody = self.say("nobody", &[]);
        let who = missed.assignee.as_deref().unwrap_or(&nobody);
        match met {
            Some(met) => self.say("missed_met", &[("number", &missed.number.0), ("due", &due), ("met", &met), ("who", who)]),
            None => self.say("missed_open", &[("number", &missed.number.0), ("due", &due), ("who", who)]),
        }
    }

    /// The line of a recipient.
    pub fn addressee(&self, one: &Addressee) -> String {
        format!("{} · {} · {} · {}", one.dissemination, one.mark, one.address, self.moment(&one.since))
    }

    /// The head of a term: `Verifikasi persyaratan, paling lama 24 jam`.
    pub fn term(&self, kept: &Kept) -> String {
        self.say(&format!("term_{}", kept.clock.word()), &[("hours", &self.number(kept.term_hours, 1))])
    }

    /// Counts with their everyday words, the largest first.
    pub fn counts(&self, counts: &Counts, kind: &str) -> Vec<(String, u32)> {
        let mut rows: Vec<(String, u32)> = counts.iter().map(|(word, count)| (self.word(kind, word), *count)).collect();
        rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        rows
    }
}

/// The fields of the letter `report`: the same figures as the page, to be read without HTML.
#[must_use]
pub fn fields(figures: &Figures, title: &str, templates: &Templates, language: Language) -> Fields {
    let words = Words { templates, language };
    let decide: u32 = figures.decisions.iter().map(|decision| decision.count).sum();
    Fields::new()
        .text("title", words.say(title, &[]))
        .text("period", words.period(&figures.from, &figures.to))
        .text("generated_at", words.moment(&figures.generated_at))
        .number("opened", i64::from(figures.tickets.opened))
        .number("closed", i64::from(figures.tickets.closed))
        .number("to_decide", i64::from(decide))
        .list("decisions", decisions(figures, words))
        .list("numbers", numbers(figures, words))
        .list("terms", terms(figures, words))
        .list("missed", figures.sla.iter().flat_map(|kept| &kept.missed_tickets).take(LINES_MAX).map(|missed| words.missed(missed)))
        .list("states", lines(words.counts(&figures.tickets.open_by_state, "state")))
        .list("categories", lines(words.counts(&figures.tickets.opened_by_category, "category")))
        .list("channels", lines(words.counts(&figures.tickets.opened_by_channel, "channel")))
        .list("disseminations", disseminations(figures, words))
        .list("survey", survey(figures, words))
        .list("mail", mail(figures, words))
        .text("audit", words.say("audit", &[("entries", &figures.audit.entries.to_string()), ("head", &figures.audit.head)]))
}

fn lines(rows: Vec<(String, u32)>) -> Vec<String> {
    rows.into_iter().map(|(name, count)| format!("{name}: {count}")).collect()
}

fn decisions(figures: &Figures, words: Words<'_>) -> Vec<String> {
    let one = |decision: &ToDecide| {
        let more = usize::try_from(decision.count).unwrap_or(usize::MAX).saturating_sub(decision.which.len());
        let more = (more > 0 && !decision.which.is_empty()).then(|| words.say("and_more", &[("count", &more.to_string())]));
        let which: String = decision.which.iter().map(|case| words.case(case)).chain(more).map(|line| format!("\n    {line}")).collect();
        format!("{}{which}", words.reason(decision))
    };
    figures.decisions.iter().map(one).collect()
}

fn numbers(figures: &Figures, words: Words<'_>) -> Vec<String> {
    let before = &figures.before;
    let line = |key: &str, now: u32, before: u32| {
        words.say("number_line", &[("name", &words.say(key, &[])), ("now", &now.to_string()), ("before", &before.to_string())])
    };
    let mut lines = vec![
        line("opened", figures.tickets.opened, before.opened),
        line("closed", figures.tickets.closed, before.closed),
        line("open", figures.tickets.open, before.open),
    ];
    for (key, count) in [("rejected", figures.tickets.rejected), ("merged", figures.tickets.merged), ("reopened", figures.tickets.reopened)]
    {
        if count > 0 {
            lines.push(format!("{}: {count}", words.say(key, &[])));
        }
    }
    lines
}

fn terms(figures: &Figures, words: Words<'_>) -> Vec<String> {
    let one = |kept: &Kept| {
        let percent = kept.kept_percent.map_or_else(|| "-".to_owned(), |percent| format!("{} %", words.number(percent, 1)));
        let before = figures.before.kept_percent.get(kept.clock.word());
        let before = before.map_or_else(|| "-".to_owned(), |percent| format!("{} %", words.number(*percent, 1)));
        let median = kept.median_hours.map_or_else(|| "-".to_owned(), |hours| words.number(hours, 1));
        let counts = [kept.kept.to_string(), kept.missed.to_string(), kept.running.to_string()];
        let arguments = [
            ("percent", percent.as_str()),
            ("before", before.as_str()),
            ("median", median.as_str()),
            ("kept", counts[0].as_str()),
            ("missed", counts[1].as_str()),
            ("running", counts[2].as_str()),
        ];
        format!("{}:\n{}", words.term(kept), words.say("term_line", &arguments))
    };
    figures.sla.iter().map(one).collect()
}

fn disseminations(figures: &Figures, words: Words<'_>) -> Vec<String> {
    let sum = &figures.disseminations;
    let count = |value: u32| value.to_string();
    let mut lines = vec![words.say(
        "disseminations_line",
        &[
            ("released", &count(sum.released)),
            ("sent", &count(sum.sent)),
            ("confirmed", &count(sum.confirmed)),
            ("handled", &count(sum.handled)),
            ("bounced", &count(sum.bounced)),
        ],
    )];
    for (key, list) in [("late", &sum.late), ("not_handled", &sum.not_handled), ("held", &sum.held)] {
        if !list.is_empty() {
            let which: String = list.iter().take(LINES_MAX).map(|one| format!("\n    {}", words.addressee(one))).collect();
            lines.push(format!("{}{which}", words.say(key, &[("count", &list.len().to_string())])));
        }
    }
    lines
}

fn survey(figures: &Figures, words: Words<'_>) -> Vec<String> {
    let survey = &figures.survey;
    let (Some(index), Some(grade)) = (survey.index, survey.grade) else {
        return vec![words.say("survey_none", &[("sent", &survey.sent.to_string())])];
    };
    let before = figures.before.survey_index.map_or_else(|| "-".to_owned(), |index| words.number(index, 2));
    let mut lines = vec![words.say(
        "survey_line",
        &[
            ("index", &words.number(index, 2)),
            ("grade", &grade.to_string()),
            ("answers", &survey.answers.to_string()),
            ("sent", &survey.sent.to_string()),
            ("before", &before),
        ],
    )];
    lines.extend((1..).zip(&survey.elements).map(|(place, mean)| {
        let name = words.say(&format!("element_{place}"), &[]);
        format!("{name}: {}", words.number(*mean, 2))
    }));
    lines.extend(survey.comments.iter().map(|comment| format!("“{comment}”")));
    lines
}

fn mail(figures: &Figures, words: Words<'_>) -> Vec<String> {
    let mail = &figures.mail;
    let unaccounted = mail.unaccounted.map_or_else(|| words.say("not_compared", &[]), |count| count.to_string());
    let mut lines = vec![format!("{}: {unaccounted}", words.say("unaccounted", &[]))];
    for (key, count) in [
        ("queued", mail.queued),
        ("failed", mail.failed),
        ("held_letters", mail.held),
        ("uncertain", mail.uncertain),
        ("quarantined", mail.quarantined),
    ] {
        lines.push(format!("{}: {count}", words.say(key, &[])));
    }
    let stuck = mail.stuck.iter().take(LINES_MAX);
    lines.extend(stuck.map(|letter| {
        let (kind, state) = (words.word("letter_kind", &letter.kind), words.word("letter_state", &letter.state));
        format!("#{} {kind} → {}: {state}. {}", letter.id, letter.to, letter.reason)
    }));
    lines
}
