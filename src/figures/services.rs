//! The terms of the service standard, disseminations, the survey, and how mail stands.

use super::runs::{self, Ended};
use super::{Addressee, Disseminations, Kept, MailFigures, Missed, Stuck, Survey, moment, rounded};
use crate::model::calendar;
use crate::model::clock::Clock;
use crate::model::dissemination::{Dissemination, Recipient, RecipientKind, RecipientState};
use crate::model::ledger::{History, Ledger, Period};
use crate::model::letter::LetterState;
use crate::model::policy::Policy;
use crate::model::ticket::{Ticket, TicketEvent};
use jiff::Timestamp;

/// Free words of the survey that a report repeats, and characters of each.
const COMMENTS_MAX: usize = 10;
const COMMENT_CHARS_MAX: usize = 400;
/// The nine elements of the survey (contract 10).
const ELEMENTS: usize = 9;

/// Each term: kept or missed by the clocks that ended in the period.
pub(super) fn sla(ledger: &Ledger, period: Period, policy: &Policy, now: Timestamp) -> Vec<Kept> {
    let (begins, ends) = (period.begins(&policy.time_zone), period.ends(&policy.time_zone));
    let until = ends.min(now.saturating_add(jiff::SignedDuration::from_secs(1)).unwrap_or(now));
    let all: Vec<(&History, Clock)> =
        ledger.histories.iter().flat_map(|history| runs::runs(history, until, policy).into_iter().map(move |run| (history, run))).collect();
    let is_within = |at: Timestamp| at >= begins && at < until;
    runs::NAMES
        .into_iter()
        .map(|name| {
            let mut kept = Kept {
                clock: name,
                term_hours: rounded(calendar::term(name, policy).as_secs_f64() / 3_600.0),
                kept: 0,
                missed: 0,
                running: 0,
                kept_percent: None,
                median_hours: None,
                missed_tickets: Vec::new(),
            };
            let mut hours: Vec<f64> = Vec::new();
            for (history, run) in all.iter().filter(|(_, run)| run.name == name) {
                if let (Some(started), Some(met)) = (run.started_at, run.met_at)
                    && is_within(met)
                {
                    hours.push(calendar::between(started, met, policy).as_secs_f64() / 3_600.0);
                }
                match runs::ended(run, until.min(now)) {
                    Some(Ended::Kept(met)) if is_within(met) => kept.kept += 1,
                    Some(Ended::Missed(due)) if is_within(due) => {
                        kept.missed += 1;
                        kept.missed_tickets.push(missed(history, run, until, policy));
                    }
                    Some(Ended::Not) if run.paused_at.is_none() => kept.running += 1,
                    _ => {}
                }
            }
            let ended = kept.kept + kept.missed;
            kept.kept_percent = (ended > 0).then(|| rounded(100.0 * f64::from(kept.kept) / f64::from(ended)));
            kept.median_hours = median(hours).map(rounded);
            kept
        })
        .collect()
}

fn missed(history: &History, run: &Clock, until: Timestamp, policy: &Policy) -> Missed {
    let assigned = history.events.iter().take_while(|happened| happened.at < until).filter_map(|happened| match &happened.event {
        TicketEvent::Assigned { to } => Some(to.to_string()),
        _ => None,
    });
    Missed {
        number: history.number.clone(),
        due_at: run.due_at.map_or_else(String::new, |at| moment(at, policy)),
        met_at: run.met_at.map(|at| moment(at, policy)),
        assignee: assigned.last(),
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().checked_sub(1)? / 2).copied()
}

/// The disseminations of the period, and who still owes an answer.
pub(super) fn disseminations(ledger: &Ledger, period: Period, policy: &Policy, now: Timestamp) -> Disseminations {
    let (begins, ends) = (period.begins(&policy.time_zone), period.ends(&policy.time_zone));
    let is_within = |at: Option<Timestamp>| at.is_some_and(|at| at >= begins && at < ends);
    let mut sum = Disseminations::default();
    for one in &ledger.disseminations {
        if is_within(one.sent_at) {
            sum.released += 1;
            *sum.by_mark.entry(one.tlp.label()).or_default() += 1;
        }
        for recipient in &one.recipients {
            if is_within(recipient.sent_at) {
                sum.sent += u32::from(recipient.was_sent());
                sum.confirmed += u32::from(matches!(recipient.state, RecipientState::Confirmed | RecipientState::Handled));
                sum.handled += u32::from(recipient.state == RecipientState::Handled);
                sum.bounced += u32::from(recipient.state == RecipientState::Bounced);
            }
            let is_stakeholder = recipient.kind != RecipientKind::InternalUnit;
            match recipient.state {
                RecipientState::Sent if is_stakeholder && is_late(recipient, policy, now) => {
                    sum.late.push(addressee(one, recipient, recipient.sent_at, policy));
                }
                RecipientState::Confirmed if is_stakeholder => sum.not_handled.push(addressee(one, recipient, Some(recipient.at), policy)),
                // What is held when it ends is cancelled with it: there is nothing left to do about it.
                RecipientState::Held if !one.state.is_over() => sum.held.push(addressee(one, recipient, Some(recipient.at), policy)),
                _ => {}
            }
        }
    }
    sum
}

/// Whether the recipient had `confirm_within` to answer and did not; where it was reopened, since then.
pub(super) fn is_late(recipient: &Recipient, policy: &Policy, now: Timestamp) -> bool {
    let within = i64::try_from(policy.confirm_within.as_secs()).unwrap_or(i64::MAX);
    recipient.sent_at.is_some_and(|sent| now.as_second().saturating_sub(sent.max(recipient.at).as_second()) > within)
}

pub(super) fn addressee(one: &Dissemination, recipient: &Recipient, since: Option<Timestamp>, policy: &Policy) -> Addressee {
    Addressee {
        dissemination: one.number.to_string(),
        ticket: one.ticket.clone(),
        mark: one.tlp.label(),
        address: recipient.address.to_string(),
        since: since.map_or_else(String::new, |at| moment(at, policy)),
    }
}

/// The survey: what was sent in the period, and what came.
pub(super) fn survey(ledger: &Ledger, period: Period, policy: &Policy) -> Survey {
    let (begins, ends) = (period.begins(&policy.time_zone), period.ends(&policy.time_zone));
    let mut survey = Survey::default();
    let mut marks: Vec<Vec<u8>> = Vec::new();
    for happened in ledger.histories.iter().flat_map(|history| &history.events) {
        if happened.at < begins || happened.at >= ends {
            continue;
        }
        match &happened.event {
            TicketEvent::SurveySent => survey.sent += 1,
            TicketEvent::SurveyAnswered { answers, comment } if answers.len() == ELEMENTS => {
                marks.push(answers.clone());
                let words: String = comment.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(COMMENT_CHARS_MAX).collect();
                if !words.is_empty() && survey.comments.len() < COMMENTS_MAX {
                    survey.comments.push(words);
                }
            }
            _ => {}
        }
    }
    survey.answers = u32::try_from(marks.len()).unwrap_or(u32::MAX);
    if marks.is_empty() {
        return survey;
    }
    let mean = |values: &mut dyn Iterator<Item = u8>| {
        let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + f64::from(value), count + 1.0));
        sum / count
    };
    survey.elements = (0..ELEMENTS)
        .map(|place| (100.0 * mean(&mut marks.iter().filter_map(|answer| answer.get(place).copied()))).round() / 100.0)
        .collect();
    // Two digits: the bounds of the grades have two.
    let index = (mean(&mut marks.iter().flatten().copied()) * 25.0 * 100.0).round() / 100.0;
    survey.index = Some(index);
    survey.grade = Some(grade(index));
    survey
}

/// The grade of an index (PermenPANRB 14/2017).
pub(super) fn grade(index: f64) -> char {
    match index {
        index if index >= 88.31 => 'A',
        index if index >= 76.61 => 'B',
        index if index >= 65.0 => 'C',
        _ => 'D',
    }
}

/// How mail stands now.
pub(super) fn mail(ledger: &Ledger, policy: &Policy) -> MailFigures {
    let count = |state| ledger.letters.get(&state).copied().unwrap_or_default();
    MailFigures {
        queued: count(LetterState::Queued) + count(LetterState::Sending),
        failed: count(LetterState::Failed),
        held: count(LetterState::Held),
        uncertain: count(LetterState::Uncertain),
        quarantined: ledger.quarantined,
        unaccounted: ledger.unaccounted,
        stuck: ledger
            .stuck
            .iter()
            .map(|letter| Stuck {
                id: letter.id,
                kind: letter.kind.word().to_owned(),
                to: letter.to.clone(),
                ticket: letter.ticket.clone(),
                state: letter.state.word().to_owned(),
                reason: letter.because.clone(),
                since: moment(letter.queued_at, policy),
            })
            .collect(),
    }
}

/// The ticket as the whole ledger leaves it.
pub(super) fn now_of(history: &History) -> Option<Ticket> {
    history.events.iter().fold(None, |ticket, happened| Ticket::fold(ticket, &happened.event, happened.at))
}
