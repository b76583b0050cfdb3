//! Laws of the clocks over random histories and calendars: what is reckoned anew from the history is
//! what the ticket says, each threshold is told once at most, and no time is negative.

use super::change::{declare_valid, end, meet, move_to, reopen_ticket};
use crate::decide::report::{blank, start_clock};
use crate::decide::work::Work;
use crate::decide::{Desk, due};
use crate::figures::runs::{Ended, ended, runs};
use crate::mail::template::Templates;
use crate::mail::token::TokenKey;
use crate::model::calendar;
use crate::model::clock::{ClockName, ClockState};
use crate::model::effect::Effect;
use crate::model::ledger::{Happened, History};
use crate::model::policy::{Calendar, Person, Policy, Role};
use crate::model::snapshot::Snapshot;
use crate::model::ticket::{State, Ticket, TicketEvent, TicketNumber};
use crate::model::{Address, Fingerprint};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::LazyLock;

static TEMPLATES: LazyLock<Templates> = LazyLock::new(|| Templates::load(None).unwrap());

/// What happens to a ticket, as far as its clocks hear of it.
#[derive(Debug, Clone, Copy)]
enum Step {
    DocumentsCame,
    Valid,
    Asked,
    Analysed,
    Closed,
    Rejected,
    Reopened,
    /// The daemon looks at the clocks; it does so whenever it runs, once or several times.
    Looked,
}

fn steps() -> impl Strategy<Value = Vec<(i64, Step)>> {
    let step = prop_oneof![
        3 => Just(Step::DocumentsCame),
        2 => Just(Step::Valid),
        2 => Just(Step::Asked),
        2 => Just(Step::Analysed),
        2 => Just(Step::Closed),
        1 => Just(Step::Rejected),
        2 => Just(Step::Reopened),
        8 => Just(Step::Looked),
    ];
    // Minutes until it happens: at once, within hours, or after a long standstill.
    let minutes = prop_oneof![Just(0_i64), 1_i64..600, 600_i64..6_000];
    proptest::collection::vec((minutes, step), 1..40)
}

fn calendars() -> impl Strategy<Value = (Calendar, &'static str)> {
    let zone = prop_oneof![Just("Asia/Jakarta"), Just("Europe/Berlin"), Just("America/New_York"), Just("UTC")];
    let working = (0_u16..12 * 60, 60_u16..12 * 60, proptest::collection::btree_set(0_i64..60, 0..12)).prop_map(|(from, long, days)| {
        let first = jiff::civil::date(2026, 3, 1);
        let holidays = days.into_iter().map(|day| first.checked_add(SignedDuration::from_hours(24 * day)).unwrap()).collect();
        Calendar::WorkingHours { from_minute: from, to_minute: (from + long).min(24 * 60), holidays }
    });
    (prop_oneof![Just(Calendar::Continuous), working], zone)
}

fn policy(calendar: Calendar, zone: &str) -> Policy {
    let mut policy = crate::decide::tests::policy();
    policy.calendar = calendar;
    policy.time_zone = jiff::tz::TimeZone::get(zone).unwrap();
    let person = |address: &str, role| Person {
        name: address.to_owned(),
        address: Address::parse(address).unwrap(),
        role,
        fingerprint: Fingerprint("0".repeat(40)),
        can_approve: false,
    };
    policy.people = vec![person("ani@bssn.test", Role::Analyst), person("rudi@bssn.test", Role::Chief)];
    policy
}

/// One ticket in the making.
struct Play<'p> {
    policy: &'p Policy,
    key: TokenKey,
    now: Timestamp,
    number: TicketNumber,
    ticket: Option<Ticket>,
    history: History,
    /// Notices by what they say of a clock: the clock, its start and the threshold.
    told: BTreeMap<(ClockName, Timestamp, u16), u32>,
}

impl<'p> Play<'p> {
    fn new(policy: &'p Policy) -> Self {
        let number = TicketNumber("BANTUAN70-2026-000001".to_owned());
        let history = History { number: number.clone(), events: Vec::new() };
        let now = "2026-03-20T09:30:00Z".parse().unwrap();
        Self { policy, key: TokenKey([7; 32]), now, number, ticket: None, history, told: BTreeMap::new() }
    }

    /// Does one thing as the core does it, and applies what it decided.
    fn happens(&mut self, what: impl FnOnce(&mut Work<'_>, &TicketNumber)) {
        let desk = Desk { policy: self.policy, templates: &TEMPLATES, key: &self.key, now: self.now };
        let mut world = Snapshot::empty("BANTUAN70", 2026);
        world.tickets.extend(self.ticket.clone().map(|ticket| (self.number.clone(), ticket)));
        let mut work = Work::new(desk, &world, format!("step {}", self.history.events.len()));
        what(&mut work, &self.number);
        let effects = work.finish().effects;
        self.apply(&effects);
    }

    fn looks(&mut self) {
        let desk = Desk { policy: self.policy, templates: &TEMPLATES, key: &self.key, now: self.now };
        let mut world = Snapshot::empty("BANTUAN70", 2026);
        world.tickets.extend(self.ticket.clone().map(|ticket| (self.number.clone(), ticket)));
        let effects = due::ticket(&self.number, &world, desk).effects;
        self.apply(&effects);
    }

    fn apply(&mut self, effects: &[Effect]) {
        for effect in effects {
            let Effect::Event { event, .. } = effect else { continue };
            if let (TicketEvent::ClockSet { clock }, Some(ticket)) = (event, &self.ticket) {
                let before = ticket.clock(clock.name);
                let is_same_run = before.started_at == clock.started_at;
                for part in clock.told.iter().filter(|part| !is_same_run || !before.told.contains(part)) {
                    *self.told.entry((clock.name, clock.started_at.unwrap(), *part)).or_default() += 1;
                }
            }
            self.ticket = Ticket::fold(self.ticket.take(), event, self.now);
            self.history.events.push(Happened { at: self.now, event: event.clone() });
        }
    }

    fn step(&mut self, step: Step) {
        let state = self.ticket.as_ref().unwrap().state;
        let by = "ani@bssn.test";
        match step {
            Step::Looked => {
                self.looks();
                // What was told a moment ago is not told again.
                let before = self.history.events.len();
                self.looks();
                assert_eq!(self.history.events.len(), before, "the second look found something to tell");
            }
            Step::DocumentsCame if matches!(state, State::New | State::AwaitingReporter) => self.happens(|work, number| {
                move_to(number, State::Verifying, by, work);
                start_clock(number, ClockName::Verification, work);
            }),
            Step::Valid if !matches!(state, State::Analysing | State::Handling) && state.is_open() => {
                self.happens(|work, number| declare_valid(number, by, work));
            }
            Step::Asked if state.is_open() => self.happens(|work, number| {
                meet(number, ClockName::Verification, by, work);
                if !matches!(state, State::Analysing | State::Handling) {
                    move_to(number, State::AwaitingReporter, by, work);
                }
            }),
            Step::Analysed if state.is_open() && state != State::Handling => self.happens(|work, number| {
                if state != State::Analysing {
                    declare_valid(number, by, work);
                }
                meet(number, ClockName::Analysis, by, work);
                move_to(number, State::Handling, by, work);
            }),
            Step::Closed if state.is_open() => self.happens(|work, number| {
                end(number, State::Closed, by, work);
                start_clock(number, ClockName::Survey, work);
            }),
            Step::Rejected if state.is_open() => self.happens(|work, number| {
                meet(number, ClockName::Verification, by, work);
                end(number, State::Rejected, by, work);
            }),
            Step::Reopened if !state.is_open() => {
                let ticket = self.ticket.clone().unwrap();
                self.happens(|work, _| reopen_ticket(&ticket, by, work));
            }
            _ => {}
        }
    }

    /// The history says what the ticket says, and nothing in it is before its time.
    fn laws(&self) {
        let ticket = self.ticket.as_ref().unwrap();
        let until = self.now.checked_add(SignedDuration::from_secs(1)).unwrap();
        let runs = runs(&self.history, until, self.policy);
        for name in crate::figures::runs::NAMES {
            let stored = ticket.clock(name);
            let Some(last) = runs.iter().rev().find(|run| run.name == name) else {
                assert_eq!(stored.started_at, None, "{name} runs and the history does not know it");
                continue;
            };
            assert_eq!(last, &stored, "{name}: reckoned anew, and stored");
            assert_eq!(last.state(self.now), stored.state(self.now));
        }
        for run in &runs {
            let (Some(started), Some(due)) = (run.started_at, run.due_at) else { continue };
            assert!(started <= due && calendar::between(started, due, self.policy) >= SignedDuration::ZERO, "{run:?}");
            assert!(run.met_at.is_none_or(|met| met >= started), "{run:?}");
            assert!(run.told.is_sorted() && run.told.windows(2).all(|pair| pair[0] < pair[1]), "told twice: {run:?}");
            // What was told had passed, as far as the term was not moved by a closing since.
            if run.told.contains(&1000) {
                assert!(matches!(ended(run, self.now), Some(Ended::Missed(_))), "a breach was told that was none: {run:?}");
            }
            if run.state(self.now) == ClockState::Running && run.paused_at.is_none() {
                let left = calendar::between(self.now, due, self.policy);
                assert!(left >= SignedDuration::ZERO && left <= SignedDuration::try_from(calendar::term(run.name, self.policy)).unwrap());
            }
        }
        for (what, count) in &self.told {
            assert_eq!(*count, 1, "{what:?} was told {count} times");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_reckoned_anew_is_what_is_stored_and_each_threshold_is_told_once((calendar, zone) in calendars(), steps in steps()) {
        play(calendar, zone, &steps);
    }
}

/// Plays the steps on one ticket; after each the laws hold.
fn play(calendar: Calendar, zone: &str, steps: &[(i64, Step)]) {
    let policy = policy(calendar, zone);
    let mut play = Play::new(&policy);
    play.happens(|work, number| {
        let mut ticket = blank(number, work);
        ticket.acknowledged = true;
        ticket.reporter = Address::parse("siti@warga.example");
        work.event(number, "bantuan70", TicketEvent::Opened(Box::new(ticket)), "");
    });
    for (minutes, step) in steps {
        play.now = play.now.checked_add(SignedDuration::from_mins(*minutes)).unwrap();
        play.step(*step);
        play.laws();
    }
}

/// A clock that is met in the moment in which it began, and begins again in the same moment, is one run after another.
#[test]
fn a_clock_that_begins_is_met_and_begins_again_in_one_moment_is_told_apart() {
    for zone in ["Asia/Jakarta", "UTC"] {
        play(Calendar::Continuous, zone, &[(0, Step::DocumentsCame), (0, Step::Asked), (0, Step::DocumentsCame)]);
        play(Calendar::Continuous, zone, &[(0, Step::DocumentsCame), (0, Step::Asked), (0, Step::DocumentsCame), (1_441, Step::Looked)]);
    }
}
