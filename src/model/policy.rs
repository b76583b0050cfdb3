//! What the configuration decides, as the core sees it: people, limits, terms. Made by `config`.

use super::unfit::Unfit;
use super::{Address, Fingerprint, Language, Tlp, words};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

words! {
    Role { Analyst = "analyst", Chief = "chief" }
}

/// An analyst or a chief. One entry of the configuration, one certificate, is one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub name: String,
    pub address: Address,
    pub role: Role,
    /// The certificate that the configuration names, read at start.
    pub fingerprint: Fingerprint,
    pub can_approve: bool,
}

/// An internal unit, copied on disseminations up to AMBER+STRICT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InternalUnit {
    pub name: String,
    pub address: Address,
    pub fingerprint: Option<Fingerprint>,
    /// When the certificate ends; `None` where it never does, or it has not been looked at.
    pub ends: Option<Timestamp>,
    /// What kept it from being used when it was last looked at.
    pub unfit: Vec<Unfit>,
}

/// Working time for the clocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Calendar {
    Continuous,
    /// Monday to Friday between two minutes of the day, but for holidays, in the centre's zone.
    WorkingHours {
        from_minute: u16,
        to_minute: u16,
        holidays: BTreeSet<jiff::civil::Date>,
    },
}

/// Everything that a decision may know of the configuration.
#[derive(Debug, Clone)]
pub struct Policy {
    pub center_name: String,
    pub center_address: Address,
    pub ticket_prefix: String,
    pub language: Language,
    pub time_zone: TimeZone,
    pub authserv_id: Option<String>,
    pub plus_addresses: bool,
    /// Analysts and chiefs.
    pub people: Vec<Person>,
    pub internal_units: Vec<InternalUnit>,
    pub ack_per_sender_per_day: u32,
    pub ack_per_domain_per_hour: u32,
    pub ack_per_hour: u32,
    pub ack_sign: bool,
    pub sla_verification: Duration,
    pub sla_analysis: Duration,
    pub sla_survey: Duration,
    /// Thousandths of a term at which to warn, ascending.
    pub warn_at: Vec<u16>,
    pub calendar: Calendar,
    pub approvals: BTreeMap<Tlp, u32>,
    pub confirm_within: Duration,
    pub remind_every: Duration,
    /// Minutes of the day of the chief's daily report; `None` is off.
    pub report_daily_at: Option<u16>,
    pub report_weekly_on: Option<jiff::civil::Weekday>,
}

impl Policy {
    /// The person configured under this address.
    #[must_use]
    pub fn person(&self, address: &Address) -> Option<&Person> {
        self.people.iter().find(|person| person.address == *address)
    }

    /// Everyone with an analyst's right and no chief's office.
    pub fn analysts(&self) -> impl Iterator<Item = &Person> {
        self.people.iter().filter(|person| person.role == Role::Analyst)
    }

    /// The chiefs.
    pub fn chiefs(&self) -> impl Iterator<Item = &Person> {
        self.people.iter().filter(|person| person.role == Role::Chief)
    }

    /// Those whom the configuration names with a certificate: people, then internal units.
    pub fn certified(&self) -> impl Iterator<Item = (&str, &Address, &Fingerprint)> {
        let people = self.people.iter().map(|person| (person.name.as_str(), &person.address, &person.fingerprint));
        let units = self.internal_units.iter();
        people.chain(units.filter_map(|unit| Some((unit.name.as_str(), &unit.address, unit.fingerprint.as_ref()?))))
    }

    /// How many people must agree to a dissemination of this mark, the author counted.
    #[must_use]
    pub fn approvals_for(&self, tlp: Tlp) -> u32 {
        self.approvals.get(&tlp).copied().unwrap_or(if tlp >= Tlp::AmberStrict { 2 } else { 1 })
    }
}
