//! A ticket as a MISP event: what other teams may correlate, and nothing of who reported it. No
//! subject, text, attachment or form field goes along; the indicators are what the rules found.

use crate::model::ticket::{Priority, State};
use crate::model::{Address, Category, Tlp};
use crate::store::TicketPage;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The event of one ticket (MISP core format). Its identifiers are the same each time, so that a
/// second import changes the event of the first. `to_ids` is false throughout: no analyst has
/// said yet that a machine may act on a value.
pub(super) fn event(page: &TicketPage, center: &Address, center_name: &str) -> Value {
    let ticket = &page.ticket;
    let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, format!("mailto:{center}#{}", ticket.number).as_bytes());
    let opened: Option<Timestamp> = ticket.opened_at.parse().ok();
    let updated = ticket.updated_at.parse::<Timestamp>().map_or(0, Timestamp::as_second);
    let attributes: Vec<Value> = attributes(page, center)
        .into_iter()
        .map(|(category, kind, value)| {
            json!({
                "uuid": uuid::Uuid::new_v5(&id, format!("{kind}|{value}").as_bytes()).to_string(),
                "category": category, "type": kind, "value": value, "to_ids": false, "distribution": "5",
                "comment": "", "timestamp": updated.to_string(),
            })
        })
        .collect();
    let organisation = json!({
        "name": center_name,
        "uuid": uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, format!("mailto:{center}").as_bytes()).to_string(),
    });
    let mut tags = vec![json!({ "name": rsit_tag(ticket.category) })];
    tags.extend(ticket.tlp.map(|tlp| json!({ "name": format!("tlp:{}", tlp.to_string().to_ascii_lowercase()) })));
    json!({ "Event": {
        "uuid": id.to_string(),
        "info": format!("{} ({})", ticket.number, ticket.category),
        "date": opened.map_or_else(String::new, |at| at.strftime("%Y-%m-%d").to_string()),
        "timestamp": updated.to_string(),
        "published": false,
        "distribution": distribution(ticket.tlp),
        "threat_level_id": threat_level(ticket.priority),
        "analysis": analysis(ticket.state),
        "Orgc": organisation,
        "Tag": tags,
        "Attribute": attributes,
    }})
}

/// Who may get the event: a ticket without a mark is kept as one marked RED is, since nobody has
/// said that it may be shared.
const fn distribution(tlp: Option<Tlp>) -> &'static str {
    match tlp {
        Some(Tlp::Clear) => "3",
        Some(Tlp::Green) => "1",
        Some(Tlp::Amber | Tlp::AmberStrict | Tlp::Red) | None => "0",
    }
}

const fn threat_level(priority: Priority) -> &'static str {
    match priority {
        Priority::Critical | Priority::High => "1",
        Priority::Medium => "2",
        Priority::Low => "3",
    }
}

/// 0 initial, 1 ongoing, 2 completed.
const fn analysis(state: State) -> &'static str {
    match state {
        State::New | State::AwaitingReporter | State::Verifying => "0",
        State::Analysing | State::Handling => "1",
        State::Closed | State::Rejected | State::Merged => "2",
    }
}

/// `fraud:phishing` → `rsit:fraud="phishing"`, as the MISP taxonomy writes it.
fn rsit_tag(category: Category) -> String {
    let (class, kind) = category.rsit().split_once(':').unwrap_or(("other", "other"));
    format!("rsit:{class}=\"{kind}\"")
}

/// Category, type and value of each indicator; every type stands in a category that MISP allows it in.
fn attributes(page: &TicketPage, center: &Address) -> Vec<(&'static str, &'static str, String)> {
    let known = Known::of(page, center);
    let ip = match page.ticket.category {
        Category::Ddos | Category::IllegalAccess => "ip-src",
        _ => "ip-dst",
    };
    let mut found = Vec::new();
    for (kind, values) in &page.indicators {
        for value in values.iter().filter(|value| !known.names(value)) {
            found.extend(
                match kind.as_str() {
                    "urls" => Some(("Network activity", "url")),
                    "domains" => Some(("Network activity", "domain")),
                    "ips" => Some(("Network activity", ip)),
                    "emails" => Some(("Payload delivery", "email-src")),
                    "cves" => Some(("External analysis", "vulnerability")),
                    "hashes" => hash_type(value).map(|kind| ("Payload delivery", kind)),
                    _ => None,
                }
                .map(|(category, kind)| (category, kind, value.clone())),
            );
        }
    }
    found
}

fn hash_type(value: &str) -> Option<&'static str> {
    match value.len() {
        32 => Some("md5"),
        40 => Some("sha1"),
        64 => Some("sha256"),
        128 => Some("sha512"),
        _ => None,
    }
}

/// Who wrote on the ticket, and the domains that they write from: values that name them are not
/// exported, even where the reporter's own site is what was attacked. An analyst can add it.
struct Known {
    addresses: BTreeSet<String>,
    domains: BTreeSet<String>,
}

impl Known {
    fn of(page: &TicketPage, center: &Address) -> Self {
        let written = page.messages.iter().flat_map(|message| message.from.as_deref().into_iter().chain([message.to.as_str()]));
        let addresses: BTreeSet<String> = written
            .chain(page.ticket.reporter.as_ref().map(Address::as_str))
            .chain([center.as_str()])
            .map(str::to_ascii_lowercase)
            .collect();
        let domains = addresses.iter().filter_map(|address| Some(address.rsplit_once('@')?.1.to_owned())).collect();
        Self { addresses, domains }
    }

    fn names(&self, value: &str) -> bool {
        let value = value.to_ascii_lowercase();
        let after_scheme = value.split_once("://").map_or(value.as_str(), |(_, rest)| rest);
        let host = after_scheme.split(['/', '?', '#']).next().unwrap_or_default();
        let host = host.rsplit('@').next().unwrap_or_default().split(':').next().unwrap_or_default();
        self.addresses.iter().any(|address| value.contains(address.as_str()))
            || self.domains.iter().any(|domain| host == domain || host.strip_suffix(domain.as_str()).is_some_and(|sub| sub.ends_with('.')))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_name_who_wrote_are_known() {
        let known = Known {
            addresses: BTreeSet::from(["siti@rs.example".to_owned(), "budi@mail.example".to_owned()]),
            domains: BTreeSet::from(["rs.example".to_owned()]),
        };
        for value in [
            "siti@rs.example",
            "https://www.RS.example/x",
            "rs.example",
            "http://a@rs.example:81/",
            "https://evil.test/?to=budi@mail.example",
        ] {
            assert!(known.names(value), "{value}");
        }
        for value in ["evil.test", "https://evil.test/rs.example", "notrs.example", "203.0.113.7"] {
            assert!(!known.names(value), "{value}");
        }
    }

    #[test]
    fn nothing_without_a_mark_is_shared() {
        assert_eq!(distribution(None), "0");
        assert_eq!(
            [Tlp::Red, Tlp::AmberStrict, Tlp::Amber, Tlp::Green, Tlp::Clear].map(|tlp| distribution(Some(tlp))),
            ["0", "0", "0", "1", "3"]
        );
        assert_eq!(rsit_tag(Category::Phishing), "rsit:fraud=\"phishing\"");
    }
}
