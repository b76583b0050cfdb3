//! The figures as a page that stands alone: HTML and SVG without script, nothing from outside, every
//! word escaped. It reads in a mail program, in a browser, in the dark and on paper.

use super::words::Words;
use super::{Addressee, Figures, Kept, chart};
use crate::mail::template::Templates;
use crate::model::Language;

/// Rows of one table; the number above tells of the others.
const ROWS_MAX: usize = 60;
/// Tickets that missed a term, named one by one.
const MISSED_MAX: usize = 20;

/// The page. `title` is the key of its phrase.
#[must_use]
pub fn page(figures: &Figures, title: &str, templates: &Templates, language: Language) -> String {
    let words = Words { templates, language };
    let code = if language.of_answer() == Language::En { "en" } else { "id" };
    let heading = format!("{} · {}", words.say(title, &[]), words.period(&figures.from, &figures.to));
    let sections = [
        cards(figures, words),
        decide(figures, words),
        by_day(figures, words),
        terms(figures, words),
        kinds(figures, words),
        disseminations(figures, words),
        survey(figures, words),
        mail(figures, words),
    ];
    format!(
        "<!DOCTYPE html>\n<html lang=\"{code}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>\n{css}</style>\n</head>\n<body>\n<main>\n\
         <header><p class=\"center\">{center}</p><h1>{title}</h1><p class=\"made\">{made}</p></header>\n{sections}\
         <footer>{audit}<br><span class=\"hash\">{head}</span></footer>\n</main>\n</body>\n</html>\n",
        title = escaped(&heading),
        css = include_str!("page.css"),
        center = escaped(&figures.center),
        made = escaped(&words.say("made", &[("at", &words.moment(&figures.generated_at))])),
        sections = sections.concat(),
        audit = escaped(&words.say("audit_head", &[("entries", &figures.audit.entries.to_string())])),
        head = escaped(&figures.audit.head),
    )
}

/// What stands in HTML text and in attributes.
fn escaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => plain.push_str("&amp;"),
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            '"' => plain.push_str("&quot;"),
            '\'' => plain.push_str("&#39;"),
            // Direction marks would turn the rest of a line round.
            c if c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {
                plain.push(' ')
            }
            c => plain.push(c),
        }
    }
    plain
}

fn section(heading: &str, body: &str) -> String {
    format!("<section><h2>{}</h2>{body}</section>\n", escaped(heading))
}

fn cards(figures: &Figures, words: Words<'_>) -> String {
    let before = &figures.before;
    let card = |figure: String, what: &str, change: String| {
        let change = if change.is_empty() { String::new() } else { format!("<div class=\"change\">{}</div>", escaped(&change)) };
        format!("<td><div class=\"figure\">{}</div><div class=\"what\">{}</div>{change}</td>", escaped(&figure), escaped(what))
    };
    let counted = |key: &str, now: u32, before: u32| {
        let change = words.change(f64::from(now), f64::from(before), 0);
        let change = if change.is_empty() { words.say("as_before", &[]) } else { words.say("changed", &[("change", &change)]) };
        card(now.to_string(), &words.say(key, &[]), change)
    };
    let all = figures.sla.iter().fold((0, 0), |(kept, missed), one| (kept + one.kept, missed + one.missed));
    let kept = if all.0 + all.1 == 0 {
        "–".to_owned()
    } else {
        format!("{} %", words.number(100.0 * f64::from(all.0) / f64::from(all.0 + all.1), 1))
    };
    let missed = words.say("missed_count", &[("count", &all.1.to_string())]);
    let (index, grade) = match (figures.survey.index, figures.survey.grade) {
        (Some(index), Some(grade)) => (words.number(index, 1), words.say("index_grade", &[("grade", &grade.to_string())])),
        _ => ("–".to_owned(), words.say("index", &[])),
    };
    let index_change = match (figures.survey.index, before.survey_index) {
        (Some(now), Some(before)) => words.say("changed", &[("change", &words.change(now, before, 1))]),
        _ => words.say("answers", &[("count", &figures.survey.answers.to_string())]),
    };
    format!(
        "<table class=\"cards\" role=\"presentation\"><tr>{}{}{}{}{}</tr></table>\n",
        counted("opened", figures.tickets.opened, before.opened),
        counted("closed", figures.tickets.closed, before.closed),
        counted("open", figures.tickets.open, before.open),
        card(kept, &words.say("kept", &[]), missed),
        card(index, &grade, index_change),
    )
}

fn decide(figures: &Figures, words: Words<'_>) -> String {
    if figures.decisions.is_empty() {
        let (heading, calm) = (words.say("decide_now", &[]), words.say("nothing_to_decide", &[]));
        return format!("<section class=\"decide calm\"><h2>{}</h2>{}</section>\n", escaped(&heading), escaped(&calm));
    }
    let mut body = String::new();
    for decision in &figures.decisions {
        body.push_str(&format!("<h3>{}</h3>", escaped(&words.reason(decision))));
        if decision.which.is_empty() {
            continue;
        }
        let more = usize::try_from(decision.count).unwrap_or(usize::MAX).saturating_sub(decision.which.len());
        let more = (more > 0).then(|| words.say("and_more", &[("count", &more.to_string())]));
        let lines: String =
            decision.which.iter().map(|case| words.case(case)).chain(more).map(|line| format!("<li>{}</li>", escaped(&line))).collect();
        body.push_str(&format!("<ul>{lines}</ul>"));
    }
    format!("<section class=\"decide\"><h2>{}</h2>{body}</section>\n", escaped(&words.say("decide_now", &[])))
}

fn by_day(figures: &Figures, words: Words<'_>) -> String {
    if figures.tickets.days.len() < 2 {
        return String::new();
    }
    let key = |class: &str, name: &str| {
        format!(
            "<span><svg viewBox=\"0 0 12 12\"><rect class=\"{class}\" width=\"12\" height=\"12\" rx=\"2\"/></svg>{}</span>",
            escaped(name)
        )
    };
    let heading = words.say("by_day", &[]);
    let keys = format!("<p class=\"key\">{}{}</p>", key("opened", &words.say("opened", &[])), key("closed", &words.say("closed", &[])));
    section(&heading, &format!("{keys}{}", chart::days(&figures.tickets.days, &escaped(&heading))))
}

fn terms(figures: &Figures, words: Words<'_>) -> String {
    let head = ["term", "kept_share", "kept", "missed", "running", "median"].map(|key| words.say(&format!("head_{key}"), &[]));
    let head: String = head
        .iter()
        .enumerate()
        .map(
            |(place, name)| {
                if place > 1 { format!("<th class=\"count\">{}</th>", escaped(name)) } else { format!("<th>{}</th>", escaped(name)) }
            },
        )
        .collect();
    let row = |kept: &Kept| {
        let percent = kept.kept_percent.map_or_else(|| "–".to_owned(), |percent| format!("{} %", words.number(percent, 1)));
        let change = kept.kept_percent.zip(figures.before.kept_percent.get(kept.clock.word()).copied());
        let change = change.map(|(now, before)| words.change(now, before, 1)).filter(|change| !change.is_empty());
        let change = change.map_or_else(String::new, |change| format!(" ({change})"));
        let missed = if kept.missed > 0 { format!("<span class=\"bad\">{}</span>", kept.missed) } else { "0".to_owned() };
        let median = kept.median_hours.map_or_else(|| "–".to_owned(), |hours| words.say("hours", &[("hours", &words.number(hours, 1))]));
        format!(
            "<tr><td>{}</td><td class=\"share-cell\">{}{}{}</td><td class=\"count\">{}</td><td class=\"count\">{missed}</td><td class=\"count\">{}</td><td class=\"count\">{}</td></tr>",
            escaped(&words.term(kept)),
            escaped(&percent),
            escaped(&change),
            chart::share(kept.kept, kept.missed, &escaped(&percent)),
            kept.kept,
            kept.running,
            escaped(&median),
        )
    };
    let rows: String = figures.sla.iter().map(row).collect();
    let missed: Vec<String> = figures
        .sla
        .iter()
        .flat_map(|kept| kept.missed_tickets.iter().map(move |missed| (kept, missed)))
        .take(MISSED_MAX)
        .map(|(kept, missed)| {
            format!("<li>{}: {}</li>", escaped(&words.word("clock_name", kept.clock.word())), escaped(&words.missed(missed)))
        })
        .collect();
    let missed = if missed.is_empty() {
        String::new()
    } else {
        let all: usize = figures.sla.iter().map(|kept| kept.missed_tickets.len()).sum();
        let more = all.saturating_sub(missed.len());
        let more =
            if more > 0 { format!("<li>{}</li>", escaped(&words.say("and_more", &[("count", &more.to_string())]))) } else { String::new() };
        format!("<h3>{}</h3><ul class=\"small\">{}{more}</ul>", escaped(&words.say("missed_list", &[])), missed.concat())
    };
    section(&words.say("terms", &[]), &format!("<table class=\"rows\"><tr>{head}</tr>{rows}</table>{missed}"))
}

/// By category and by channel, by state and by priority, two charts beside each other.
fn kinds(figures: &Figures, words: Words<'_>) -> String {
    let chart = |heading: &str, counts: &super::Counts, kind: &str| {
        let heading = words.say(heading, &[]);
        let rows: Vec<(String, f64, String)> =
            words.counts(counts, kind).into_iter().map(|(name, count)| (escaped(&name), f64::from(count), count.to_string())).collect();
        let body = if rows.is_empty() { "<p class=\"note\">–</p>".to_owned() } else { chart::bars(&rows, None, &escaped(&heading)) };
        section(&heading, &body)
    };
    format!(
        "<table class=\"two\" role=\"presentation\"><tr><td>{}{}</td><td>{}{}</td></tr></table>\n",
        chart("by_category", &figures.tickets.opened_by_category, "category"),
        chart("by_channel", &figures.tickets.opened_by_channel, "channel"),
        chart("by_state", &figures.tickets.open_by_state, "state"),
        chart("by_priority", &figures.tickets.opened_by_priority, "priority"),
    )
}

fn disseminations(figures: &Figures, words: Words<'_>) -> String {
    let sum = &figures.disseminations;
    let cells: String =
        [("released", sum.released), ("sent", sum.sent), ("confirmed", sum.confirmed), ("handled", sum.handled), ("bounced", sum.bounced)]
            .iter()
            .map(|(key, count)| {
                let name = words.say(&format!("head_{key}"), &[]);
                format!("<td><div class=\"figure\">{count}</div><div class=\"what\">{}</div></td>", escaped(&name))
            })
            .collect();
    let list = |key: &str, all: &[Addressee]| {
        if all.is_empty() {
            return String::new();
        }
        let lines: String = all.iter().take(ROWS_MAX).map(|one| format!("<li>{}</li>", escaped(&words.addressee(one)))).collect();
        format!("<h3>{}</h3><ul class=\"small\">{lines}</ul>", escaped(&words.say(key, &[("count", &all.len().to_string())])))
    };
    let body = format!(
        "<table class=\"cards\" role=\"presentation\"><tr>{cells}</tr></table>{}{}{}",
        list("late", &sum.late),
        list("not_handled", &sum.not_handled),
        list("held", &sum.held)
    );
    section(&words.say("disseminations", &[]), &body)
}

fn survey(figures: &Figures, words: Words<'_>) -> String {
    let survey = &figures.survey;
    let heading = words.say("survey", &[]);
    let (Some(index), Some(grade)) = (survey.index, survey.grade) else {
        let none = words.say("survey_none", &[("sent", &survey.sent.to_string())]);
        return section(&heading, &format!("<p class=\"note\">{}</p>", escaped(&none)));
    };
    let before = figures.before.survey_index.map_or_else(|| "–".to_owned(), |index| words.number(index, 2));
    let line = words.say(
        "survey_line",
        &[
            ("index", &words.number(index, 2)),
            ("grade", &grade.to_string()),
            ("answers", &survey.answers.to_string()),
            ("sent", &survey.sent.to_string()),
            ("before", &before),
        ],
    );
    let rows: Vec<(String, f64, String)> = (1..)
        .zip(&survey.elements)
        .map(|(place, mean)| (escaped(&words.say(&format!("element_{place}"), &[])), *mean, words.number(*mean, 2)))
        .collect();
    let comments: String = survey.comments.iter().map(|comment| format!("<li>{}</li>", escaped(comment))).collect();
    let comments = if comments.is_empty() { String::new() } else { format!("<ul class=\"quotes\">{comments}</ul>") };
    let body = format!(
        "<p>{}</p><table class=\"two\" role=\"presentation\"><tr><td>{}</td><td>{comments}</td></tr></table>",
        escaped(&line),
        // The scale of the answers, not the best of them, is the full length.
        chart::bars(&rows, Some(4.0), &escaped(&heading)),
    );
    section(&heading, &body)
}

fn mail(figures: &Figures, words: Words<'_>) -> String {
    let mail = &figures.mail;
    let unaccounted = match mail.unaccounted {
        Some(0) => "0".to_owned(),
        Some(count) => format!("<span class=\"bad\">{count}</span>"),
        None => escaped(&words.say("not_compared", &[])),
    };
    let counts: String = [
        ("queued", mail.queued),
        ("failed", mail.failed),
        ("held_letters", mail.held),
        ("uncertain", mail.uncertain),
        ("quarantined", mail.quarantined),
    ]
    .iter()
    .map(|(key, count)| format!("<tr><td>{}</td><td class=\"count\">{count}</td></tr>", escaped(&words.say(key, &[]))))
    .collect();
    let stuck: String = mail
        .stuck
        .iter()
        .take(ROWS_MAX)
        .map(|letter| {
            let kind = words.word("letter_kind", &letter.kind);
            let state = words.word("letter_state", &letter.state);
            let line = format!("#{} {kind} → {}: {state}. {}", letter.id, letter.to, letter.reason);
            format!("<li>{}</li>", escaped(&line))
        })
        .collect();
    let stuck = if stuck.is_empty() { String::new() } else { format!("<ul class=\"small\">{stuck}</ul>") };
    let body = format!(
        "<table class=\"rows\"><tr><td>{}</td><td class=\"count\">{unaccounted}</td></tr>{counts}</table>{stuck}",
        escaped(&words.say("unaccounted", &[]))
    );
    section(&words.say("mail", &[]), &body)
}
