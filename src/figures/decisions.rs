//! What needs a decision now, whatever the period: terms that are over, tickets that nobody
//! touches, disseminations that wait, mail that does not leave.

use super::services::{is_late, now_of};
use super::{Case, Reason, ToDecide, moment};
use crate::model::clock::ClockState;
use crate::model::dissemination::{DisseminationState, RecipientKind, RecipientState};
use crate::model::ledger::Ledger;
use crate::model::policy::Policy;
use crate::model::ticket::{State, Ticket};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Cases of one reason; the number tells of the others.
const WHICH_MAX: usize = 12;
const DAY: i64 = 86_400;
/// A ticket that no analyst has touched for a day is told to the chief (contract 8).
const UNTOUCHED_AFTER: i64 = DAY;
/// When nothing came after the last reminder.
const CLOSING_AFTER: i64 = 14 * DAY;

/// Cases by reason.
type Found = BTreeMap<Reason, Vec<(Timestamp, Case)>>;

pub(super) fn decisions(ledger: &Ledger, policy: &Policy, now: Timestamp) -> Vec<ToDecide> {
    let mut found = Found::new();
    for ticket in ledger.histories.iter().filter_map(now_of).filter(|ticket| ticket.state.is_open()) {
        of_ticket(&ticket, policy, now, &mut found);
    }
    of_disseminations(ledger, policy, now, &mut found);
    for (cause, since) in &ledger.alarms {
        let case = Case { id: cause.clone(), since: moment(*since, policy), ..Case::default() };
        found.entry(Reason::Alarm).or_default().push((*since, case));
    }
    for letter in &ledger.stuck {
        let case = Case {
            id: format!("#{}", letter.id),
            since: moment(letter.queued_at, policy),
            kind: Some(letter.kind),
            state: Some(letter.state),
            to: Some(letter.to.clone()),
            ..Case::default()
        };
        found.entry(Reason::StuckLetter).or_default().push((letter.queued_at, case));
    }
    let mut decisions: Vec<ToDecide> = found
        .into_iter()
        .map(|(reason, mut cases)| {
            cases.sort();
            let count = u32::try_from(cases.len()).unwrap_or(u32::MAX);
            ToDecide { reason, count, which: cases.into_iter().map(|(_, case)| case).take(WHICH_MAX).collect() }
        })
        .collect();
    let counted = [(Reason::Unaccounted, ledger.unaccounted.unwrap_or_default()), (Reason::Quarantine, ledger.quarantined)];
    decisions.extend(counted.into_iter().filter(|(_, count)| *count > 0).map(|(reason, count)| ToDecide {
        reason,
        count,
        which: Vec::new(),
    }));
    decisions.sort_by_key(|decision| decision.reason);
    decisions
}

fn of_ticket(ticket: &Ticket, policy: &Policy, now: Timestamp, found: &mut Found) {
    let mut add = |reason, since: Timestamp, clock| {
        let case = Case {
            id: ticket.number.to_string(),
            since: moment(since, policy),
            category: Some(ticket.category),
            priority: Some(ticket.priority),
            clock,
            who: ticket.assignee.as_ref().map(ToString::to_string),
            ..Case::default()
        };
        found.entry(reason).or_default().push((since, case));
    };
    let overdue = ticket.clocks.iter().filter(|clock| clock.met_at.is_none() && clock.state(now) == ClockState::Breached);
    if let Some((due, name)) = overdue.filter_map(|clock| Some((clock.due_at?, clock.name))).min() {
        add(Reason::Overdue, due, Some(name));
        // What is overdue is not told a second time as untouched.
        return;
    }
    let waits_for_us = matches!(ticket.state, State::New | State::Verifying | State::Analysing)
        || (ticket.state == State::AwaitingReporter && ticket.touched_at.is_none());
    let touched = ticket.touched_at.unwrap_or(ticket.opened_at);
    if waits_for_us && now.as_second() - touched.as_second() >= UNTOUCHED_AFTER {
        add(Reason::Untouched, touched, None);
    }
    if let (State::AwaitingReporter, Some(asked)) = (ticket.state, ticket.asked_at)
        && now.as_second() - asked.as_second() >= CLOSING_AFTER
    {
        add(Reason::Closing, asked, None);
    }
}

fn of_disseminations(ledger: &Ledger, policy: &Policy, now: Timestamp, found: &mut Found) {
    for one in &ledger.disseminations {
        let case = |since: Timestamp| Case {
            id: one.number.to_string(),
            since: moment(since, policy),
            mark: Some(one.tlp.label()),
            who: Some(one.author.to_string()),
            ..Case::default()
        };
        if one.state == DisseminationState::AwaitingApproval {
            found.entry(Reason::Approval).or_default().push((one.created_at, case(one.created_at)));
        }
        if !matches!(one.state, DisseminationState::Sending | DisseminationState::Sent) {
            continue;
        }
        for recipient in &one.recipients {
            let since = recipient.sent_at.unwrap_or(recipient.at);
            let case = Case { to: Some(recipient.address.to_string()), ..case(since) };
            // Reminders go out until the term is twice over; then a person decides (contract 9).
            let is_over = is_late(recipient, policy, now.checked_sub(policy.confirm_within).unwrap_or(now));
            match recipient.state {
                RecipientState::Sent if is_over && recipient.kind != RecipientKind::InternalUnit => {
                    found.entry(Reason::Silent).or_default().push((since, case));
                }
                RecipientState::Held => found.entry(Reason::HeldRecipient).or_default().push((since, case)),
                _ => {}
            }
        }
    }
}
