//! The Reference Security Incident Taxonomy, version 1003: 11 classes, 39 types. Rules may name no others.

/// Every `class:type`.
pub const TYPES: &[&str] = &[
    "abusive-content:spam",
    "abusive-content:harmful-speech",
    "abusive-content:violence",
    "malicious-code:infected-system",
    "malicious-code:c2-server",
    "malicious-code:malware-distribution",
    "malicious-code:malware-configuration",
    "information-gathering:scanner",
    "information-gathering:sniffing",
    "information-gathering:social-engineering",
    "intrusion-attempts:exploit",
    "intrusion-attempts:brute-force",
    "intrusion-attempts:ids-alert",
    "intrusions:privileged-account-compromise",
    "intrusions:unprivileged-account-compromise",
    "intrusions:application-compromise",
    "intrusions:system-compromise",
    "intrusions:burglary",
    "availability:dos",
    "availability:ddos",
    "availability:misconfiguration",
    "availability:sabotage",
    "availability:outage",
    "information-content-security:unauthorised-information-access",
    "information-content-security:unauthorised-information-modification",
    "information-content-security:data-loss",
    "information-content-security:data-leak",
    "fraud:unauthorised-use-of-resources",
    "fraud:copyright",
    "fraud:masquerade",
    "fraud:phishing",
    "vulnerable:weak-crypto",
    "vulnerable:ddos-amplifier",
    "vulnerable:potentially-unwanted-accessible",
    "vulnerable:information-disclosure",
    "vulnerable:vulnerable-system",
    "other:other",
    "other:undetermined",
    "test:test",
];

/// Whether `class:type` is in the taxonomy.
#[must_use]
pub fn is_known(name: &str) -> bool {
    TYPES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_the_size_that_version_1003_names_and_holds_every_category() {
        let classes: std::collections::BTreeSet<_> = TYPES.iter().filter_map(|name| name.split(':').next()).collect();
        assert_eq!((classes.len(), TYPES.len()), (11, 39));
        for category in crate::model::Category::ALL {
            assert!(is_known(category.rsit()), "{category}");
        }
    }
}
