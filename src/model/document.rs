//! What a report has to bring with it (contract 8, service standard: requirements).

use super::words;
use std::collections::BTreeSet;

words! {
    /// A required or supporting document.
    Document {
        /// KTP, SIM, passport or another proof of identity.
        Identity = "identity",
        /// The service form, filled in.
        Form = "form",
        /// Affected assets and systems.
        AssetInfo = "asset_info",
        /// Topology.
        Topology = "topology",
        /// Vulnerability information.
        VulnerabilityInfo = "vulnerability_info",
        /// Impact analysis.
        ImpactAnalysis = "impact_analysis",
        /// Other supporting data.
        Other = "other",
    }
}

/// What an acknowledgement asks for: an identity, the service form and, where no technical
/// document is here, `other` standing for "at least one technical document".
#[must_use]
pub fn missing(here: &BTreeSet<Document>) -> BTreeSet<Document> {
    let mut missing = BTreeSet::new();
    for required in [Document::Identity, Document::Form] {
        if !here.contains(&required) {
            missing.insert(required);
        }
    }
    if !here.iter().any(|document| !matches!(document, Document::Identity | Document::Form)) {
        missing.insert(Document::Other);
    }
    missing
}
