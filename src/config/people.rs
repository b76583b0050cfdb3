//! `[[analyst]]`, `[[chief]]` and `[[internal_unit]]`: who may command, and who is copied.

use super::read::{Reading, address};
use super::{Config, ConfigError, Member, Unit, raw, value};
use crate::model::Address;
use crate::model::policy::Role;
use std::collections::BTreeMap;
use std::path::PathBuf;

impl Reading<'_> {
    pub(super) fn analyst(&self, key: String, raw: raw::Analyst) -> Result<Member, ConfigError> {
        let can_approve = raw.can_approve.unwrap_or(false);
        self.member(Role::Analyst, key, (raw.name, raw.address, raw.certificate), can_approve)
    }

    pub(super) fn chief(&self, key: String, raw: raw::Chief) -> Result<Member, ConfigError> {
        self.member(Role::Chief, key, (raw.name, raw.address, raw.certificate), true)
    }

    fn member(
        &self,
        role: Role,
        key: String,
        (name, address, certificate): (Option<String>, Option<String>, Option<PathBuf>),
        can_approve: bool,
    ) -> Result<Member, ConfigError> {
        let (name, address) = self.name_and_address(&key, name, address)?;
        let Some(certificate) = certificate else {
            let reason = "is missing; name the file of this person's OpenPGP certificate, which signs the commands";
            return Err(self.wrong(&format!("{key}.certificate"), reason));
        };
        Ok(Member { name, address, role, certificate: self.path(certificate), can_approve, key })
    }

    pub(super) fn unit(&self, key: String, raw: raw::Unit) -> Result<Unit, ConfigError> {
        let (name, address) = self.name_and_address(&key, raw.name, raw.address)?;
        Ok(Unit { name, address, certificate: raw.certificate.map(|path| self.path(path)), key })
    }

    fn name_and_address(&self, key: &str, name: Option<String>, typed: Option<String>) -> Result<(String, Address), ConfigError> {
        let address_key = format!("{key}.address");
        let Some(address) = self.parsed(&address_key, typed, address)? else {
            return Err(self.wrong(&address_key, "is missing; write the mail address"));
        };
        let name = self.parsed(&format!("{key}.name"), name, value::name)?.unwrap_or_else(|| address.to_string());
        Ok((name, address))
    }

    /// One address is one person, or one unit, and never the centre itself (ATTACKS L7, C13).
    pub(super) fn addresses_differ(&self, config: &Config) -> Result<(), ConfigError> {
        let people = config.people.iter().map(|member| (&member.key, &member.address));
        let units = config.internal_units.iter().map(|unit| (&unit.key, &unit.address));
        for entries in [people.collect::<Vec<_>>(), units.collect()] {
            let mut seen: BTreeMap<&Address, &str> = BTreeMap::from([(&config.center.address, "center")]);
            for (key, address) in entries {
                if let Some(other) = seen.insert(address, key) {
                    let reason = format!("{address} is that of {other} already; give each their own address");
                    return Err(self.wrong(&format!("{key}.address"), reason));
                }
            }
        }
        Ok(())
    }
}
