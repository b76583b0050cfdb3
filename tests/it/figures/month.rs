//! A month of made-up work: what the figures are tried on, and what the picture in the README shows.

use bantuan70::model::calendar;
use bantuan70::model::clock::{Clock, ClockName};
use bantuan70::model::dissemination::{Dissemination, DisseminationNumber, DisseminationState, Recipient, RecipientKind, RecipientState};
use bantuan70::model::ledger::{Happened, History, Ledger, Period, StuckLetter};
use bantuan70::model::letter::{LetterKind, LetterState};
use bantuan70::model::policy::Policy;
use bantuan70::model::ticket::{Channel, Priority, Service, State, Ticket, TicketEvent, TicketNumber};
use bantuan70::model::{Address, Category, Language, Tlp};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

use crate::sim::town::Chance;

/// A complaint that nothing happened to yet.
pub fn blank(number: &str, at: Timestamp) -> Ticket {
    let clocks = [ClockName::Verification, ClockName::Analysis, ClockName::Survey].map(Clock::waiting).to_vec();
    Ticket {
        number: TicketNumber(number.to_owned()),
        state: State::AwaitingReporter,
        former_state: State::New,
        service: Service::Complaint,
        category: Category::Phishing,
        priority: Priority::Medium,
        tlp: None,
        received_tlp: None,
        subject: "Laporan".to_owned(),
        reporter: Address::parse("siti@warga.example"),
        reporter_name: String::new(),
        participants: BTreeSet::new(),
        language: Language::Id,
        channel: Channel::Email,
        assignee: None,
        opened_at: at,
        updated_at: at,
        closed_at: None,
        touched_at: None,
        documents: BTreeSet::new(),
        form: BTreeMap::new(),
        was_asked: true,
        clocks,
        links: BTreeSet::new(),
        merged_into: None,
        thread: Vec::new(),
        reminders: 0,
        asked_at: None,
        asked: BTreeSet::new(),
        acknowledgement_held: None,
        acknowledged: true,
        survey_answer: None,
        survey_sent: false,
        told: BTreeSet::new(),
    }
}

/// A history in the making; a clock is kept as the core keeps it.
pub struct Writer<'p> {
    pub history: History,
    clocks: BTreeMap<ClockName, Clock>,
    policy: &'p Policy,
}

impl<'p> Writer<'p> {
    pub fn opens(ticket: Ticket, policy: &'p Policy) -> Self {
        let (number, at) = (ticket.number.clone(), ticket.opened_at);
        let events = vec![Happened { at, event: TicketEvent::Opened(Box::new(ticket)) }];
        Self { history: History { number, events }, clocks: BTreeMap::new(), policy }
    }

    pub fn then(&mut self, at: Timestamp, event: TicketEvent) -> &mut Self {
        self.history.events.push(Happened { at, event });
        self
    }

    pub fn state(&mut self, at: Timestamp, to: State) -> &mut Self {
        self.then(at, TicketEvent::StateChanged { to })
    }

    pub fn starts(&mut self, at: Timestamp, name: ClockName) -> &mut Self {
        let clock = calendar::started(name, at, self.policy);
        self.set(at, clock)
    }

    pub fn meets(&mut self, at: Timestamp, name: ClockName) -> &mut Self {
        let clock = self.clocks[&name].clone().met(at);
        self.set(at, clock)
    }

    fn set(&mut self, at: Timestamp, clock: Clock) -> &mut Self {
        self.clocks.insert(clock.name, clock.clone());
        self.then(at, TicketEvent::ClockSet { clock })
    }
}

fn hours(at: Timestamp, hours: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_hours(hours)).unwrap()
}

/// Two months up to the end of the period: the one that is told of, and the one before.
pub fn ledger(policy: &Policy, period: Period, now: Timestamp) -> Ledger {
    let mut chance = Chance(70);
    let begins = period.before().begins(&policy.time_zone);
    let length = now.duration_since(begins).as_hours();
    let mut opened: Vec<i64> = (0..430).map(|_| chance.below(length as usize) as i64).collect();
    opened.sort_unstable();
    let mut histories = Vec::new();
    for (place, after) in opened.into_iter().enumerate() {
        let at = hours(begins, after);
        histories.push(one(place, at, now, policy, &mut chance));
    }
    let mut ledger = Ledger {
        period,
        histories,
        disseminations: (1..=9).map(|serial| dissemination(serial, begins, now, &mut chance)).collect(),
        letters: [(LetterState::Sent, 1_912), (LetterState::Queued, 3), (LetterState::Failed, 1), (LetterState::Held, 1)].into(),
        quarantined: 1,
        unaccounted: Some(0),
        audit_entries: 18_734,
        audit_head: "5b1f0c86d1c2a54b17d7d1e1c6b0c8f0d2c35e9b2f7f4d0fb6a1f5a3c9c0e4d7".to_owned(),
        begun_at: Some(begins),
        ..Ledger::default()
    };
    ledger.stuck = vec![
        stuck(
            1_873,
            LetterKind::Closing,
            "dewi@dinas-pariwisata.example",
            LetterState::Failed,
            "550 5.1.1 mailbox unavailable",
            hours(now, -9),
        ),
        stuck(1_901, LetterKind::Dissemination, "soc@rsud-melati.example", LetterState::Held, "certificate expired", hours(now, -5)),
    ];
    ledger
}

fn stuck(id: i64, kind: LetterKind, to: &str, state: LetterState, because: &str, queued_at: Timestamp) -> StuckLetter {
    StuckLetter { id, kind, to: to.to_owned(), ticket: None, state, because: because.to_owned(), queued_at }
}

/// What happens at one moment of a made-up month.
type Happening = Box<dyn FnOnce(&mut Writer<'_>)>;

fn one(place: usize, at: Timestamp, now: Timestamp, policy: &Policy, chance: &mut Chance) -> History {
    let mut ticket = blank(&format!("BANTUAN70-2026-{:06}", 4_120 + place), at);
    let categories = [
        (34, Category::Phishing),
        (20, Category::DataMisuse),
        (14, Category::WebDefacement),
        (11, Category::Malware),
        (9, Category::IllegalAccess),
        (6, Category::Vulnerability),
        (4, Category::Ddos),
        (2, Category::Other),
    ];
    ticket.category = weighted(&categories, chance);
    ticket.priority = weighted(&[(15, Priority::Low), (50, Priority::Medium), (27, Priority::High), (8, Priority::Critical)], chance);
    ticket.channel = weighted(
        &[(71, Channel::Email), (11, Channel::Line183), (8, Channel::Whatsapp), (6, Channel::Portal), (4, Channel::Phone)],
        chance,
    );
    let mut writer = Writer::opens(ticket, policy);
    let person = *chance.one(&[&"ani@bssn.test", &"budi@bssn.test", &"citra@bssn.test"]);
    let mut until = |from: Timestamp, least: usize, most: usize| hours(from, (least + chance.below(most - least)) as i64);
    // Most bring documents within two days; verification and analysis are mostly in time.
    let came = until(at, 0, 40);
    let verified = if place.is_multiple_of(41) { until(came, 25, 31) } else { until(came, 1, 20) };
    let analysed = if place.is_multiple_of(31) { until(verified, 73, 90) } else { until(verified, 4, 60) };
    let closed = until(analysed, 12, 160);
    let surveyed = hours(closed, 24);
    let answered = until(surveyed, 2, 60);
    let marks: Vec<u8> =
        (0..9).map(|element| if chance.below(100) < 42 + element * 4 { 4 } else { 3 - u8::from(chance.percent(14)) }).collect();
    // What waits is of the last days: a centre where old tickets lie has other troubles.
    let is_recent = now.duration_since(at).as_hours() < 8 * 24;
    let (to, waits) = (Address::parse(person).unwrap(), is_recent && place.is_multiple_of(9));
    let is_lazy = is_recent && place.is_multiple_of(13);
    let steps: Vec<(Timestamp, Happening)> = vec![
        (
            came,
            Box::new(move |writer| {
                writer.state(came, State::Verifying).starts(came, ClockName::Verification);
            }),
        ),
        (
            verified,
            Box::new(move |writer| {
                writer.then(verified, TicketEvent::Assigned { to }).then(verified, TicketEvent::Touched);
                writer.meets(verified, ClockName::Verification).state(verified, State::Analysing).starts(verified, ClockName::Analysis);
            }),
        ),
        (
            analysed,
            Box::new(move |writer| {
                writer.meets(analysed, ClockName::Analysis).state(analysed, State::Handling).then(analysed, TicketEvent::Touched);
            }),
        ),
        (
            closed,
            Box::new(move |writer| {
                writer.starts(closed, ClockName::Survey).state(closed, State::Closed);
            }),
        ),
        (
            surveyed,
            Box::new(move |writer| {
                writer.then(surveyed, TicketEvent::SurveySent).meets(surveyed, ClockName::Survey);
            }),
        ),
        (
            answered,
            Box::new(move |writer| {
                let comment = match place {
                    270 => "Petugas sabar dan penjelasannya mudah diikuti. Terima kasih.",
                    300 => "Mohon formulirnya dapat diisi lewat telepon genggam.",
                    330 => "Jawaban cepat, tetapi istilahnya masih banyak yang asing bagi kami.",
                    _ => "",
                };
                if place.is_multiple_of(3) {
                    writer.then(answered, TicketEvent::SurveyAnswered { answers: marks, comment: comment.to_owned() });
                }
            }),
        ),
    ];
    let stops_at = if is_lazy {
        1
    } else if waits {
        0
    } else {
        usize::MAX
    };
    for (step, (moment, happens)) in steps.into_iter().enumerate() {
        if moment >= now || step > stops_at {
            break;
        }
        happens(&mut writer);
    }
    writer.history
}

fn weighted<T: Copy>(weights: &[(usize, T)], chance: &mut Chance) -> T {
    let mut left = chance.below(weights.iter().map(|(weight, _)| weight).sum());
    for (weight, value) in weights {
        if left < *weight {
            return *value;
        }
        left -= weight;
    }
    weights[0].1
}

fn dissemination(serial: u32, begins: Timestamp, now: Timestamp, chance: &mut Chance) -> Dissemination {
    let created_at = hours(begins, i64::from(serial) * 150);
    let waits = serial == 9;
    let names = ["csirt@bank-mandala.example", "soc@pln-sekar.example", "keamanan@telko-nusa.example", "it@rsud-melati.example"];
    let recipients = names
        .iter()
        .enumerate()
        .map(|(place, name)| {
            let state = match (serial, place) {
                (9, _) => RecipientState::Queued,
                (8, 3) => RecipientState::Held,
                (7 | 8, 0) => RecipientState::Sent,
                _ if chance.percent(70) => RecipientState::Handled,
                _ => RecipientState::Confirmed,
            };
            let left = !waits && state != RecipientState::Held;
            Recipient {
                address: Address::parse(name).unwrap(),
                name: String::new(),
                kind: RecipientKind::Role,
                language: Language::Id,
                fingerprint: None,
                state,
                at: hours(created_at, 20),
                because: String::new(),
                message_id: None,
                sent_at: left.then(|| hours(created_at, 1)),
                reminders: 0,
                may_have_left: false,
            }
        })
        .collect();
    Dissemination {
        number: DisseminationNumber::new(2026, serial),
        ticket: TicketNumber(format!("BANTUAN70-2026-{:06}", 4_200 + serial)),
        author: Address::parse("ani@bssn.test").unwrap(),
        state: if waits { DisseminationState::AwaitingApproval } else { DisseminationState::Sent },
        tlp: if serial.is_multiple_of(3) { Tlp::Amber } else { Tlp::Green },
        lowered: false,
        lowered_from: None,
        subject: String::new(),
        text: String::new(),
        enclosures: Vec::new(),
        recipients,
        approvals: Vec::new(),
        created_at,
        sent_at: (!waits && created_at < now).then(|| hours(created_at, 1)),
        released: None,
        told: BTreeSet::new(),
    }
}
