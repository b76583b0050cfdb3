//! The tests inside rule files: each example must make its rule fire, no counter-example may, and
//! each whole test must be filed as it says.

use super::assess::{self, Fired, Unsure, assess};
use super::compile::Rule;
use super::facts::facts;
use super::lacking::lacking;
use super::set::RuleSet;
use super::syntax::{Parts, Test};
use crate::mail::kind::House;
use crate::mail::told::{Told, tell};
use crate::mail::{Attachment, Header, Mail, Mailbox, read};
use crate::model::ticket::Priority;
use crate::model::{Address, Category, Sha256};
use serde::Serialize;
use std::sync::Arc;

/// What the tests of a set said.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    pub rules: usize,
    pub examples: usize,
    pub counterexamples: usize,
    pub tests: usize,
    pub failures: Vec<Failure>,
    /// Rules without an example.
    pub untested: Vec<Untested>,
}

/// A rule without an example.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Untested {
    pub rule: String,
    /// `file:line`.
    pub at: String,
}

impl std::fmt::Display for Untested {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: rule {} has no example; write one or two mails on which it must fire", self.at, self.rule)
    }
}

/// A test that failed.
#[derive(Debug, Clone, Serialize)]
pub struct Failure {
    pub file: String,
    pub line: usize,
    /// The rule, or the name of the test.
    pub of: String,
    pub reason: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file, self.line, self.of, self.reason)
    }
}

impl Report {
    /// Whether all tests passed.
    #[must_use]
    pub fn is_passed(&self) -> bool {
        self.failures.is_empty()
    }
}

/// Runs every test of a set, as mail to this centre.
#[must_use]
pub fn run(rules: &RuleSet, house: &House) -> Report {
    let mut report = Report { rules: rules.len(), ..Report::default() };
    let name = |file: usize| rules.sources.get(file).map(|source| source.name.clone()).unwrap_or_default();
    for rule in &rules.compiled.rules {
        if rule.examples.is_empty() && rule.file != usize::MAX {
            report.untested.push(Untested { rule: rule.id.to_string(), at: rule.at.clone() });
        }
        report.examples += rule.examples.len();
        report.counterexamples += rule.counterexamples.len();
        for (samples, must_fire) in [(&rule.examples, Must::Fire), (&rule.counterexamples, Must::BeSilent)] {
            for (line, parts) in samples {
                if let Some(reason) = disobeyed(rules, house, (rule, parts), must_fire) {
                    report.failures.push(Failure { file: name(rule.file), line: *line, of: format!("rule {}", rule.id), reason });
                }
            }
        }
    }
    for (file, line, test) in &rules.compiled.tests {
        report.tests += 1;
        if let Some(reason) = wrong(rules, house, test) {
            let of = test.name.clone().unwrap_or_else(|| "test".to_owned());
            report.failures.push(Failure { file: name(*file), line: *line, of, reason });
        }
    }
    report
}

/// What a rule must do on a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Must {
    Fire,
    BeSilent,
}

/// How a rule does otherwise than it must, and which of its conditions made it so.
fn disobeyed(rules: &RuleSet, house: &House, (rule, parts): (&Rule, &Parts), must: Must) -> Option<String> {
    let (mail, told) = told(parts, house);
    let facts = facts(rules, &mail, &told);
    let fired = assess::holding(rules, &facts).into_iter().find(|one| one.rule.id == rule.id);
    match (must, fired) {
        (Must::Fire, None) => {
            let because = lacking(rules, &facts, &rule.condition).unwrap_or_default();
            Some(format!("does not fire on this example: {}: {because}", beginning(parts)))
        }
        (Must::BeSilent, Some(fired)) => {
            let saw = fired.saw(&facts).join(", ");
            let saw = if saw.is_empty() { "no word: its conditions look at none".to_owned() } else { saw };
            Some(format!("fires on this counter-example: {}: it saw {saw}", beginning(parts)))
        }
        _ => None,
    }
}

/// The tests of the whole set, for those who check further properties on them.
pub fn whole_tests(rules: &RuleSet) -> impl Iterator<Item = &Test> {
    rules.compiled.tests.iter().map(|(_, _, test)| test)
}

/// How a whole test came out otherwise than it says.
fn wrong(rules: &RuleSet, house: &House, test: &Test) -> Option<String> {
    let parts = test.parts();
    let (mail, told) = told(&parts, house);
    let found = assess(rules, &mail, &told);
    let wanted = Category::parse(&test.category)?;
    if found.category != wanted {
        let best: Vec<String> = found.scores.iter().take(3).map(|(category, score)| format!("{category} {score:.2}")).collect();
        let best = if best.is_empty() { "no rule fires".to_owned() } else { best.join(", ") };
        // What stands in the way: of an unsure mail, the best that was not wanted.
        let rival = found.scores.iter().map(|(category, _)| *category).find(|category| *category != wanted);
        let against = if found.is_unsure { rival } else { Some(found.category) };
        let speaks = |fired: &&Fired| fired.adds > 0.0 && Some(fired.category) == against;
        let strongest = found.fired.iter().filter(speaks).max_by(|one, other| one.adds.total_cmp(&other.adds));
        let most = strongest.map(|fired| format!("; most by {} ({:+.2}) on {}", fired.rule, fired.adds, fired.saw.join(", ")));
        let unsure = found.unsure_because.map(|why| format!("; unsure: {}", because(why))).unwrap_or_default();
        let first = format!("{unsure}{}", most.unwrap_or_default());
        return Some(format!("category {wanted} wanted, {} given ({best}{first}): {}", found.category, beginning(&parts)));
    }
    if let Some(priority) = test.priority.as_deref().and_then(Priority::parse)
        && priority != found.priority
    {
        let raising: Vec<&str> = found.fired.iter().filter(|fired| fired.raises.is_some()).map(|fired| &*fired.rule).collect();
        let by = if raising.is_empty() { "no rule raised it".to_owned() } else { format!("by {}", raising.join(", ")) };
        return Some(format!("priority {priority} wanted, {} given ({by}): {}", found.priority, beginning(&parts)));
    }
    if test.unsure.is_some_and(|unsure| unsure != found.is_unsure) {
        return Some(format!("unsure {} given: {}", found.is_unsure, beginning(&parts)));
    }
    if test.clear_spam.is_some_and(|clear| clear != found.is_clear_spam) {
        return Some(format!("clear_spam {} given: {}", found.is_clear_spam, beginning(&parts)));
    }
    None
}

const fn because(why: Unsure) -> &'static str {
    match why {
        Unsure::BelowThreshold => "no category reaches the threshold",
        Unsure::TooClose => "the best two are too close to one another",
        Unsure::LikenessAlone => "it sounds like an incident, and no rule says so",
        Unsure::BesideAdvertising => "it is advertising, and without the advertising it would be an incident",
        Unsure::LoweredIncident => "what tells of an incident weighs no less than the words of no report that lower it",
    }
}

fn beginning(parts: &Parts) -> String {
    let text = format!("{} {}", parts.subject, parts.text);
    let text: Vec<&str> = text.split_whitespace().take(9).collect();
    format!("\"{} …\"", text.join(" "))
}

/// The mail that a test describes and what it tells. What the test says of DMARC is written as our own server
/// writes it, so that a rule is tested by the way that a real mail takes, whatever the configuration names.
#[must_use]
pub fn told(parts: &Parts, house: &House) -> (Mail, Told) {
    let mut mail = mail(parts);
    let Some(result) = &parts.dmarc else {
        let told = tell(&mail, house);
        return (mail, told);
    };
    let server = house.authserv_id.clone().unwrap_or_else(|| "mx.invalid".to_owned());
    let value = format!("{server}; dmarc={result}");
    mail.headers.retain(|header| !header.name.eq_ignore_ascii_case(RESULTS));
    mail.headers.insert(0, Header { name: RESULTS.to_owned(), value });
    let told = tell(&mail, &House { authserv_id: Some(server), ..house.clone() });
    (mail, told)
}

/// The field of RFC 8601 that our own server writes.
const RESULTS: &str = "Authentication-Results";

/// The mail that a test describes.
#[must_use]
pub fn mail(parts: &Parts) -> Mail {
    let (mut mail, _) = read::read(b"");
    mail.subject.clone_from(&parts.subject);
    mail.text.new.clone_from(&parts.text);
    mail.text.quoted.clone_from(&parts.quoted);
    mail.text.full = format!("{}\n{}", parts.text, parts.quoted);
    mail.headers = parts.headers.iter().map(|(name, value)| Header { name: name.clone(), value: value.clone() }).collect();
    mail.links = parts.links.iter().cloned().collect();
    if !parts.from.is_empty() {
        let (name, typed) = match parts.from.split_once('<') {
            Some((name, rest)) => (name.trim(), rest.trim_end_matches('>')),
            None => ("", parts.from.as_str()),
        };
        mail.from = vec![Mailbox { name: name.to_owned(), typed: typed.to_owned(), address: Address::parse(typed) }];
        mail.from_fields = 1;
    }
    mail.attachments = parts
        .attachments
        .iter()
        .map(|attachment| Attachment {
            name: attachment.name.clone(),
            media_type: attachment.media_type.to_ascii_lowercase(),
            sha256: Sha256::of(attachment.text.as_bytes()),
            content: Arc::from(attachment.text.as_bytes()),
            is_layout: false,
            text: (!attachment.text.is_empty()).then(|| attachment.text.clone()),
        })
        .collect();
    mail
}
