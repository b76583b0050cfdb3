//! The configuration file as it is typed: every key of the contract, nothing else, all optional.
//! What the values mean is decided in [`super`]; here a key is known or it is an error.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub center: Center,
    pub intake: Intake,
    pub outgoing: Outgoing,
    pub openpgp: OpenPgp,
    pub analyst: Vec<Analyst>,
    pub chief: Vec<Chief>,
    pub internal_unit: Vec<Unit>,
    pub acknowledgement: Acknowledgement,
    pub sla: Sla,
    pub dissemination: Dissemination,
    pub report: Report,
    pub retention: Retention,
    pub metrics: Metrics,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Center {
    pub name: Option<String>,
    pub address: Option<String>,
    pub ticket_prefix: Option<String>,
    pub language: Option<String>,
    pub time_zone: Option<String>,
    pub data_dir: Option<PathBuf>,
    pub rules_dir: Option<PathBuf>,
    pub templates_dir: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Intake {
    pub kind: Option<String>,
    pub path: Option<PathBuf>,
    pub host: Option<String>,
    pub port: Option<u16>,
    pub tls: Option<String>,
    pub ca_file: Option<PathBuf>,
    pub user: Option<String>,
    pub password_file: Option<PathBuf>,
    pub password_credential: Option<String>,
    pub auth: Option<String>,
    pub token_command: Option<Vec<String>>,
    pub mailbox: Option<String>,
    pub processed: Option<String>,
    pub quarantine: Option<String>,
    pub poll_interval: Option<String>,
    pub max_message: Option<String>,
    pub authserv_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Outgoing {
    pub kind: Option<String>,
    pub path: Option<PathBuf>,
    pub host: Option<String>,
    pub port: Option<u16>,
    pub tls: Option<String>,
    pub ca_file: Option<PathBuf>,
    pub user: Option<String>,
    pub password_file: Option<PathBuf>,
    pub password_credential: Option<String>,
    pub plus_addresses: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct OpenPgp {
    pub key_file: Option<PathBuf>,
    pub password_file: Option<PathBuf>,
    pub password_credential: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Analyst {
    pub name: Option<String>,
    pub address: Option<String>,
    pub certificate: Option<PathBuf>,
    pub can_approve: Option<bool>,
}

/// A chief has every analyst's right, approval included, so that there is no key for it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Chief {
    pub name: Option<String>,
    pub address: Option<String>,
    pub certificate: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Unit {
    pub name: Option<String>,
    pub address: Option<String>,
    pub certificate: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Acknowledgement {
    pub per_sender_per_day: Option<u32>,
    pub per_domain_per_hour: Option<u32>,
    pub per_hour: Option<u32>,
    pub sign: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Sla {
    pub verification: Option<String>,
    pub analysis: Option<String>,
    pub survey: Option<String>,
    pub warn_at: Option<Vec<f64>>,
    pub calendar: Option<String>,
    pub working_hours: Option<String>,
    pub holidays: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Dissemination {
    pub approvals: BTreeMap<String, u32>,
    pub confirm_within: Option<String>,
    pub remind_every: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Report {
    pub daily_at: Option<String>,
    pub weekly_on: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Retention {
    pub identity_documents: Option<String>,
    pub messages: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Metrics {
    pub listen: Option<String>,
}
