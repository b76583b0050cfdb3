//! The nine categories of contract 7 and their place in the Reference Security Incident Taxonomy.

use super::words;

words! {
    /// What a report is about (contract 7).
    Category {
        WebDefacement = "web_defacement",
        Phishing = "phishing",
        Malware = "malware",
        DataMisuse = "data_misuse",
        Ddos = "ddos",
        IllegalAccess = "illegal_access",
        Vulnerability = "vulnerability",
        Other = "other",
        Spam = "spam",
    }
}

impl Category {
    /// The class and type that RSIT version 1003 gives to the plain case of the category, as
    /// `class:type`; a rule may name a more fitting one.
    #[must_use]
    pub const fn rsit(self) -> &'static str {
        match self {
            Self::WebDefacement => "information-content-security:unauthorised-information-modification",
            Self::Phishing => "fraud:phishing",
            Self::Malware => "malicious-code:infected-system",
            Self::DataMisuse => "information-content-security:data-leak",
            Self::Ddos => "availability:ddos",
            Self::IllegalAccess => "intrusions:system-compromise",
            Self::Vulnerability => "vulnerable:vulnerable-system",
            Self::Other => "other:other",
            Self::Spam => "abusive-content:spam",
        }
    }
}
