//! The configuration as the core sees it. Certificates are read by the caller, so that no
//! OpenPGP is needed here.

use super::{Config, ConfigError};
use crate::model::Fingerprint;
use crate::model::policy::{InternalUnit, Person, Policy};
use std::collections::BTreeMap;
use std::path::Path;

impl Config {
    /// What decisions may know. `fingerprints` reads the certificate in a file, or says why it cannot.
    ///
    /// # Errors
    /// A certificate cannot be read, or two people have the same one: one certificate is one
    /// person (contract 2, ATTACKS C13).
    pub fn policy(&self, fingerprints: &dyn Fn(&Path) -> Result<Fingerprint, String>) -> Result<Policy, ConfigError> {
        let mut owners: BTreeMap<Fingerprint, String> = BTreeMap::new();
        let mut people = Vec::with_capacity(self.people.len());
        for member in &self.people {
            let key = format!("{}.certificate", member.key);
            let fingerprint = fingerprints(&member.certificate)
                .map_err(|reason| ConfigError::of(&self.file, &key, format!("{}: {reason}", member.certificate.display())))?;
            if let Some(other) = owners.insert(fingerprint.clone(), member.key.clone()) {
                let reason = format!("is the same certificate as that of {other}; one certificate is one person, so give each their own");
                return Err(ConfigError::of(&self.file, &key, reason));
            }
            people.push(Person {
                name: member.name.clone(),
                address: member.address.clone(),
                role: member.role,
                fingerprint,
                can_approve: member.can_approve,
            });
        }
        let mut internal_units = Vec::with_capacity(self.internal_units.len());
        for unit in &self.internal_units {
            let fingerprint = unit
                .certificate
                .as_deref()
                .map(|path| {
                    fingerprints(path).map_err(|reason| {
                        ConfigError::of(&self.file, &format!("{}.certificate", unit.key), format!("{}: {reason}", path.display()))
                    })
                })
                .transpose()?;
            let (name, address) = (unit.name.clone(), unit.address.clone());
            internal_units.push(InternalUnit { name, address, fingerprint, ends: None, unfit: Vec::new() });
        }
        Ok(self.policy_of(people, internal_units))
    }

    /// The same with nobody in it: for figures and listings, which need no certificate.
    #[must_use]
    pub fn policy_without_people(&self) -> Policy {
        self.policy_of(Vec::new(), Vec::new())
    }

    fn policy_of(&self, people: Vec<Person>, internal_units: Vec<InternalUnit>) -> Policy {
        Policy {
            center_name: self.center.name.clone(),
            center_address: self.center.address.clone(),
            ticket_prefix: self.center.ticket_prefix.clone(),
            language: self.center.language,
            time_zone: self.center.time_zone.clone(),
            authserv_id: self.intake.authserv_id.clone(),
            plus_addresses: self.outgoing.plus_addresses,
            people,
            internal_units,
            ack_per_sender_per_day: self.acknowledgement.per_sender_per_day,
            ack_per_domain_per_hour: self.acknowledgement.per_domain_per_hour,
            ack_per_hour: self.acknowledgement.per_hour,
            ack_sign: self.acknowledgement.sign,
            sla_verification: self.sla.verification,
            sla_analysis: self.sla.analysis,
            sla_survey: self.sla.survey,
            warn_at: self.sla.warn_at.clone(),
            calendar: self.sla.calendar.clone(),
            approvals: self.dissemination.approvals.clone(),
            confirm_within: self.dissemination.confirm_within,
            remind_every: self.dissemination.remind_every,
            report_daily_at: self.report.daily_at,
            report_weekly_on: self.report.weekly_on,
        }
    }
}
