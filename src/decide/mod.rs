//! THE CORE: what is to be done about a mail, a passing hour or a sent letter. Pure: no IO, no
//! clock, no `Result`, no async. What it may know is in the [`Snapshot`]; what it wants is in the
//! [`Decision`].

pub mod act;
pub mod bounce;
pub mod candidate;
pub mod chief;
pub mod command;
pub mod disseminate;
pub mod due;
pub mod forecast;
pub mod letters;
pub mod readable;
pub mod reply;
pub mod report;
pub mod retry;
pub mod trust;
pub mod unsealed;
mod work;

use crate::mail::dsn::Bounce;
use crate::mail::kind::Recognised;
use crate::mail::template::Templates;
use crate::mail::thread;
use crate::mail::token::TokenKey;
use crate::mail::told::Told;
use crate::model::document::Document;
use crate::model::effect::{Decision, Effect, Filing, MailKind};
use crate::model::policy::{Person, Policy};
use crate::model::snapshot::{Question, Snapshot};
use crate::model::ticket::TicketNumber;
use crate::model::{Address, Category, Damage, InboxId};
use crate::openpgp::open::Opened;
use crate::rules::explain::{self, Explanation};
use crate::rules::{Assessment, RuleSet, assess};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

pub use work::Work;

/// What every decision is made with: the configuration, the letters' words, the key of our
/// identifiers, and the time, which the shell read once.
#[derive(Debug, Clone, Copy)]
pub struct Desk<'a> {
    pub policy: &'a Policy,
    pub templates: &'a Templates,
    pub key: &'a TokenKey,
    pub now: Timestamp,
}

impl Desk<'_> {
    /// The everyday word for one of the contract's words, in the centre's language.
    #[must_use]
    pub fn word(&self, kind: &str, word: &str) -> String {
        let key = format!("{kind}.{word}");
        let found = self.templates.phrase(self.policy.language, &key, &[]);
        if found == format!("?{key}?") { word.to_owned() } else { found }
    }

    /// A moment as people in the centre read it.
    #[must_use]
    pub fn local(&self, at: Timestamp) -> String {
        at.to_zoned_datetime(self.policy.time_zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
    }

    /// A phrase in the centre's language.
    #[must_use]
    pub fn say(&self, key: &str, arguments: &[(&str, &str)]) -> String {
        let phrase = |key: &str, arguments: &[(&str, &str)]| self.templates.phrase(self.policy.language, key, arguments);
        // The contract's words of clocks and letters are for programs; people read them in their language.
        let translated: Vec<(&str, String)> = arguments
            .iter()
            .map(|(name, value)| match *name {
                "clock" => (*name, phrase(&format!("clock_name.{value}"), &[])),
                "kind" => (*name, phrase(&format!("letter_kind.{value}"), &[])),
                "state" => (*name, self.word("state", value)),
                "channel" => (*name, self.word("channel", value)),
                _ => (*name, (*value).to_owned()),
            })
            .collect();
        let arguments: Vec<(&str, &str)> = translated.iter().map(|(name, value)| (*name, value.as_str())).collect();
        phrase(key, &arguments)
    }
}

/// A mail that has been read, opened and assessed, with what it tells by itself.
#[derive(Debug, Clone)]
pub struct Arrived<'a> {
    pub id: InboxId,
    pub received_at: Timestamp,
    pub opened: &'a Opened,
    pub damage: &'a [Damage],
    /// Its kind: as the mail tells, and in [`decide`] as the outbox proved it.
    pub recognised: &'a Recognised,
    pub told: &'a Told,
    /// The rules that it was assessed by: what would have changed the result is asked where a person is told.
    pub rules: &'a RuleSet,
    pub found: &'a Assessment,
    /// The required documents that the mail brings.
    pub documents: BTreeSet<Document>,
    /// For each attachment of the mail, in its order, which document it is.
    pub attachment_documents: Vec<Option<Document>>,
    /// Which attachment or which words each document was told by.
    pub evidence: BTreeMap<Document, String>,
    /// The fields of the service form, where it is filled in.
    pub form: BTreeMap<String, String>,
    /// What a delivery report says, a value for each recipient.
    pub bounces: Vec<Bounce>,
    /// The message was too large: only its header was fetched; its size in bytes.
    pub header_only: Option<u64>,
    /// The mail that `!angkat` names, read in the same way.
    pub promoted: Option<&'a Arrived<'a>>,
    /// The mail that opened the ticket which `!status` asks about or `!kategori` is about, read in the same way.
    pub opening: Option<&'a Arrived<'a>>,
}

impl Arrived<'_> {
    /// The one sender of the mail.
    #[must_use]
    pub fn from(&self) -> Option<&Address> {
        self.opened.mail.writer()
    }

    /// Why it was filed as it was: the value that `rules explain` shows.
    #[must_use]
    pub fn explained(&self) -> Explanation {
        explain::explain(self.rules, &self.opened.mail, self.told)
    }

    /// The Message-ID that everybody saw: what is answered by it tells nothing of what was encrypted.
    #[must_use]
    pub fn message_id(&self) -> Option<&str> {
        self.opened.outer_message_id.as_deref()
    }

    /// It came encrypted, whether or not it could be opened: what is answered must not tell which.
    #[must_use]
    pub const fn is_hidden(&self) -> bool {
        self.opened.findings.is_encrypted
    }

    /// The sender's display name, one line, at most 80 characters.
    #[must_use]
    pub fn from_name(&self) -> String {
        self.opened.mail.writer_name().chars().take(80).collect()
    }

    /// The person whose address stands in From. Whether it is that person is another question.
    #[must_use]
    pub fn person<'p>(&self, policy: &'p Policy) -> Option<&'p Person> {
        self.from().and_then(|address| policy.person(address))
    }

    /// The ticket numbers that the subject bears, in their order; more than five mean none (ATTACKS M22).
    #[must_use]
    pub fn tags(&self, prefix: &str) -> Vec<TicketNumber> {
        thread::tags(&self.opened.mail.subject, prefix)
    }
}

/// What the decision on this mail needs to know.
#[must_use]
pub fn ask(arrived: &Arrived<'_>, policy: &Policy) -> Question {
    let mail = &arrived.opened.mail;
    let mut question = Question {
        references: mail.references.clone(),
        tickets: arrived.tags(&policy.ticket_prefix),
        sender: arrived.from().cloned(),
        person: arrived.person(policy).map(|person| person.address.clone()),
        // Of a mail whose body was not fetched nobody can say that it is the same.
        content: arrived.header_only.is_none().then(|| mail.content_sha256.clone()),
        token: letters::token_of(mail, policy),
        plaintexts: trust::plaintexts(arrived).cloned().collect(),
        ..Question::default()
    };
    question.references.extend(arrived.bounces.iter().filter_map(|bounce| bounce.original_id.clone()));
    if let Some(signed) = &arrived.opened.signed_text {
        let person = arrived.person(policy);
        let by_person = person.and_then(|person| signed.by(&person.fingerprint));
        let each = signed.signers().iter().filter_map(|signer| signed.by(signer));
        question.signatures = each.map(|signed| signed.key().clone()).collect();
        if let (Some(_), Some(signed)) = (person, &by_person) {
            command::ask(signed, policy, &mut question);
        } else {
            question.disseminations.extend(command::disseminations_in(&command::signed_words(signed)));
        }
    }
    question
}

/// Decides on a mail.
#[must_use]
pub fn decide(arrived: &Arrived<'_>, world: &Snapshot, desk: Desk<'_>) -> Decision {
    let recognised = proved(arrived.recognised, world);
    let arrived = &Arrived { recognised, ..arrived.clone() };
    let mut decision = decide_by_kind(arrived, world, desk);
    let from = arrived.from().map(Address::as_counted);
    for hash in trust::plaintexts(arrived).filter(|hash| !world.seen_plaintexts.contains_key(hash)) {
        decision.effects.push(Effect::RememberPlaintext { sha256: hash.clone(), from: from.clone() });
    }
    decision
}

/// What the mail is, now that the outbox was asked for the Message-IDs that it cites. They hold a keyed part
/// that nobody guesses: one that we never gave makes no reply, whatever domain it names (contract 3).
fn proved<'a>(recognised: &'a Recognised, world: &Snapshot) -> &'a Recognised {
    recognised.unless_ours.as_deref().filter(|_| world.letters.is_empty()).unwrap_or(recognised)
}

fn decide_by_kind(arrived: &Arrived<'_>, world: &Snapshot, desk: Desk<'_>) -> Decision {
    let work = Work::new(desk, world, arrived.opened.mail.sha256.0.clone());
    if let Some((first, ticket)) = world.duplicate_of.as_ref().filter(|_| !is_unused_command(arrived, world, desk.policy)) {
        let because = desk.say("file.duplicate", &[("mail", &first.to_string())]);
        return work.file(arrived, ticket.clone(), because);
    }
    match arrived.recognised.kind {
        MailKind::Analyst => act::command_mail(arrived, work),
        MailKind::Bounce => bounce::bounced(arrived, work),
        MailKind::AutoReply => reply::automatic(arrived, work),
        MailKind::List | MailKind::Own => {
            let because = [Some(arrived.recognised.because.clone()), reads_like_report(arrived, desk)];
            work.file_for_digest(arrived, None, because.into_iter().flatten().collect::<Vec<_>>().join("; "))
        }
        MailKind::Report | MailKind::Reply | MailKind::Unreadable => {
            if let Some(seen) = trust::replayed(arrived, &work) {
                return report::open(arrived, report::Origin::Replayed(seen.clone()), work);
            }
            // Whether an encrypted mail is answered must not depend on what it says.
            let spam = arrived.found.is_clear_spam && arrived.recognised.kind == MailKind::Report && !arrived.is_hidden();
            if spam && world.letters.is_empty() && arrived.tags(&desk.policy.ticket_prefix).is_empty() {
                let because = desk.say("file.spam", &[]);
                return work.file_for_digest(arrived, None, because);
            }
            match reply::matched(arrived, &work) {
                reply::Match::Ticket(number) => reply::follow_up(arrived, &number, work),
                reply::Match::Dissemination(number) => disseminate::answered(arrived, &number, work),
                reply::Match::Stranger(other) => report::open(arrived, report::Origin::Stranger(other), work),
                reply::Match::Beside(other) => report::open(arrived, report::Origin::Beside(other), work),
                reply::Match::None => match report::flooded(arrived, &work) {
                    Some(number) => report::join_flood(arrived, &number, work),
                    None => report::open(arrived, report::Origin::Fresh, work),
                },
            }
        }
    }
}

/// What the digest says of a list's mail that would surely be a report had a person written it to the centre alone: it
/// opens no ticket and is not answered (contract 8), and whoever reads the digest should not pass it over.
fn reads_like_report(arrived: &Arrived<'_>, desk: Desk<'_>) -> Option<String> {
    if arrived.recognised.kind != MailKind::List || arrived.is_hidden() {
        return None;
    }
    let mut told = arrived.told.clone();
    told.recognised.kind = MailKind::Report;
    let found = assess(arrived.rules, &arrived.opened.mail, &told);
    let is_report = !found.is_unsure && !matches!(found.category, Category::Other | Category::Spam);
    is_report.then(|| desk.say("file.reads_like_report", &[("category", &desk.word("category", found.category.word()))]))
}

/// An analyst's good signature that nothing was done for yet: what came before and looked the same
/// did not bear it, and whoever sent that must not silence the analyst.
fn is_unused_command(arrived: &Arrived<'_>, world: &Snapshot, policy: &Policy) -> bool {
    let person = arrived.person(policy).filter(|_| arrived.recognised.kind == MailKind::Analyst);
    let signed = person.zip(arrived.opened.signed_text.as_ref()).and_then(|(person, signed)| signed.by(&person.fingerprint));
    signed.is_some_and(|signed| !world.seen_signatures.contains_key(signed.key()))
}

/// A mail that failed three times is kept raw, ticketed and put aside (ATTACKS F14).
#[must_use]
pub fn give_up(id: InboxId, raw_sha256: &str, reason: &str, world: &Snapshot, desk: Desk<'_>) -> Decision {
    let mut work = Work::new(desk, world, raw_sha256.to_owned());
    let because = desk.say("file.gave_up", &[("reason", reason)]);
    let number = report::open_unreadable(id, &because, &mut work);
    let filing = Filing {
        kind: MailKind::Unreadable,
        ticket: Some(number),
        from: None,
        message_id: None,
        subject: String::new(),
        text: String::new(),
        language: crate::model::Language::Unknown,
        category: crate::model::Category::Other,
        because,
        quarantine: true,
        in_digest: false,
        rules_version: String::new(),
    };
    work.effect(Effect::File(Box::new(filing)));
    work.finish()
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::model::policy::{Calendar, Policy};
    use crate::model::{Address, Language};
    use jiff::tz::TimeZone;
    use std::collections::BTreeMap;
    use std::time::Duration;

    /// The contract's defaults, with nobody in it.
    pub(crate) fn policy() -> Policy {
        let hours = |hours: u64| Duration::from_secs(hours * 3_600);
        Policy {
            center_name: "Pusat Kontak Siber Nasional".to_owned(),
            center_address: Address::parse("bantuan70@bssn.test").unwrap(),
            ticket_prefix: "BANTUAN70".to_owned(),
            language: Language::Id,
            time_zone: TimeZone::UTC,
            authserv_id: None,
            plus_addresses: false,
            people: Vec::new(),
            internal_units: Vec::new(),
            ack_per_sender_per_day: 5,
            ack_per_domain_per_hour: 300,
            ack_per_hour: 2_000,
            ack_sign: true,
            sla_verification: hours(24),
            sla_analysis: hours(72),
            sla_survey: hours(72),
            warn_at: vec![500, 800],
            calendar: Calendar::Continuous,
            approvals: BTreeMap::new(),
            confirm_within: hours(72),
            remind_every: hours(24),
            report_daily_at: None,
            report_weekly_on: None,
        }
    }
}
