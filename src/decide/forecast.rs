//! News of keys, in words that carry nothing else. Certificates that end soon are told to the chiefs
//! and to whom they belong, once for each threshold, whatever restarts lie between; the centre's own
//! next certificate is announced to contacts.

use super::Desk;
use super::letters::{list, set, text};
use super::work::{DAEMON, Work};
use crate::mail::template::{Field, Fields, TemplateName};
use crate::model::contact::Contact;
use crate::model::effect::{Decision, Effect};
use crate::model::letter::{AutoSubmitted, Enclosure, Letter, LetterKind, Protection, Words};
use crate::model::policy::{Person, Role};
use crate::model::snapshot::{Question, Snapshot};
use crate::model::ticket::AtReporter;
use crate::model::{Address, Fingerprint};
use jiff::Timestamp;

/// How many days before its end a certificate is told, the last first.
const TOLD_DAYS: [i64; 3] = [7, 30, 60];
/// What is told first lies no further ahead than this.
pub const AHEAD_DAYS: i64 = 60;
/// Contacts of one decision: each brings one Message-ID that is looked up.
pub const CONTACTS_MAX: usize = 50;

const DAY: i64 = 86_400;

/// The question of which of these were told before.
#[must_use]
pub fn ask(contacts: &[Contact], desk: Desk<'_>) -> Question {
    let references = contacts.iter().filter_map(|contact| due(contact, desk.now).map(|due| due.message_id(contact, desk))).collect();
    Question { references, ..Question::default() }
}

/// A certificate that has come under a threshold.
struct Due {
    ends: Timestamp,
    threshold: i64,
}

impl Due {
    /// The same for the same certificate, end and threshold: its letter in the outbox is the mark that it was told.
    fn message_id(&self, contact: &Contact, desk: Desk<'_>) -> String {
        let print = contact.fingerprint.as_ref().map_or("", |print| print.0.as_str());
        let cause = format!("certificate\0{}\0{print}\0{}\0{}", contact.address, self.ends, self.threshold);
        desk.key.message_id(LetterKind::Notice.word(), &cause, desk.policy.center_address.domain())
    }
}

/// The threshold that a certificate has passed last. What has ended is told where it holds up something.
fn due(contact: &Contact, now: Timestamp) -> Option<Due> {
    let ends = contact.expires_at?;
    contact.fingerprint.as_ref()?;
    Some(Due { ends, threshold: threshold(ends, now)? })
}

fn threshold(ends: Timestamp, now: Timestamp) -> Option<i64> {
    let left = ends.as_second() - now.as_second();
    TOLD_DAYS.into_iter().find(|days| left > 0 && left <= days * DAY)
}

/// What is to be told now.
#[must_use]
pub fn certificates(contacts: &[Contact], world: &Snapshot, desk: Desk<'_>) -> Decision {
    let mut work = Work::new(desk, world, format!("forecast\0{}", desk.now));
    let mut facts = Vec::new();
    for contact in contacts.iter().filter(|contact| contact.is_verified(desk.now)) {
        let Some(due) = due(contact, desk.now) else { continue };
        let message_id = due.message_id(contact, desk);
        if world.letters.iter().any(|letter| letter.message_id == message_id) {
            continue;
        }
        let ends = due.ends.to_zoned_datetime(desk.policy.time_zone.clone()).strftime("%Y-%m-%d").to_string();
        facts.push(desk.say("forecast.line", &[("address", contact.address.as_str()), ("name", &contact.name), ("ends", &ends)]));
        let letter = to_contact(contact, &due, ends, message_id, &work);
        work.queue(letter, AtReporter::No);
    }
    if facts.is_empty() {
        return work.finish();
    }
    let count = facts.len().to_string();
    let mut people: Vec<&Person> = desk.policy.chiefs().collect();
    if people.is_empty() {
        people = work.audience(None);
    }
    for person in people {
        let mut fields = work.fields(None);
        text(&mut fields, "what", desk.say("forecast.what", &[("count", &count)]));
        list(&mut fields, "facts", facts.clone());
        let letter = work.to_person(person, None, LetterKind::Notice, TemplateName::Alarm, &fields);
        work.queue(letter, AtReporter::No);
    }
    work.effect(Effect::Audit { by: DAEMON.to_owned(), what: "forecast".to_owned(), detail: count });
    work.finish()
}

fn to_contact(contact: &Contact, due: &Due, ends: String, message_id: String, work: &Work<'_>) -> Letter {
    let mut fields = work.fields(None);
    text(&mut fields, "fingerprint", contact.fingerprint.as_ref().map_or("", |print| print.0.as_str()));
    text(&mut fields, "ends", ends);
    set(&mut fields, "days", Field::Number(due.threshold));
    notice(contact, TemplateName::CertificateEnds, &fields, message_id, work)
}

/// A letter about keys alone. Nothing of any matter stands in it, so that it may go in the clear, signed.
fn notice(contact: &Contact, template: TemplateName, fields: &Fields, message_id: String, work: &Work<'_>) -> Letter {
    let language = contact.language.of_answer();
    let rendered = work.desk.templates.render(template, language, fields);
    Letter {
        kind: LetterKind::Notice,
        to: contact.address.clone(),
        to_name: contact.name.clone(),
        ticket: None,
        dissemination: None,
        in_reply_to: None,
        references: Vec::new(),
        outer_subject: rendered.subject.clone(),
        subject: rendered.subject,
        text: rendered.text,
        html: rendered.html,
        enclosures: Vec::new(),
        auto_submitted: AutoSubmitted::Generated,
        protection: Protection::Signed,
        tlp: None,
        words: Words::Fixed,
        language,
        token: work.token(&message_id),
        message_id,
        encloses_certificate: false,
        held_because: None,
        not_before: None,
    }
}

/// A certificate of the house: the centre's own, or that of somebody whom the configuration names.
#[derive(Debug, Clone)]
pub struct House {
    pub name: String,
    pub address: Address,
    pub fingerprint: Fingerprint,
    pub ends: Timestamp,
}

impl House {
    /// The same for the same certificate, end, threshold and reader.
    fn message_id(&self, threshold: i64, to: &Person, desk: Desk<'_>) -> String {
        let cause = format!("house\0{}\0{}\0{threshold}\0{}", self.fingerprint, self.ends, to.address);
        desk.key.message_id(LetterKind::Notice.word(), &cause, desk.policy.center_address.domain())
    }

    /// The chiefs, and whose certificate it is.
    fn readers<'d>(&self, desk: Desk<'d>) -> Vec<&'d Person> {
        let has_chief = desk.policy.chiefs().next().is_some();
        desk.policy.people.iter().filter(|person| !has_chief || person.role == Role::Chief || person.address == self.address).collect()
    }
}

/// The question of which of these were told before.
#[must_use]
pub fn ask_house(house: &[House], desk: Desk<'_>) -> Question {
    let ids = |one: &House| -> Vec<String> {
        let threshold = threshold(one.ends, desk.now);
        threshold.map_or_else(Vec::new, |days| one.readers(desk).into_iter().map(|to| one.message_id(days, to, desk)).collect())
    };
    Question { references: house.iter().flat_map(ids).collect(), ..Question::default() }
}

/// What ends in the house and was not told at this threshold. After its end nothing is signed, or
/// nothing reaches that person.
#[must_use]
pub fn house(house: &[House], world: &Snapshot, desk: Desk<'_>) -> Decision {
    let mut work = Work::new(desk, world, format!("house\0{}", desk.now));
    for one in house {
        let Some(days) = threshold(one.ends, desk.now) else { continue };
        let ends = desk.local(one.ends);
        let arguments = [("name", one.name.as_str()), ("address", one.address.as_str()), ("ends", ends.as_str())];
        let key = if one.address == desk.policy.center_address { "own" } else { "person" };
        let say = |what: &str| desk.say(&format!("forecast.{key}_{what}"), &arguments);
        for person in one.readers(desk) {
            let message_id = one.message_id(days, person, desk);
            if world.letters.iter().any(|letter| letter.message_id == message_id) {
                continue;
            }
            let mut fields = work.fields(None);
            text(&mut fields, "what", say("ends"));
            list(&mut fields, "facts", [one.fingerprint.0.clone(), say("remedy")]);
            let letter = work.to_person(person, None, LetterKind::Notice, TemplateName::Alarm, &fields);
            work.queue(Letter { message_id, ..letter }, AtReporter::No);
        }
    }
    work.finish()
}

/// The centre's own certificate as it is from now on, or will be next.
#[derive(Debug, Clone)]
pub struct News {
    pub fingerprint: Fingerprint,
    pub ends: Option<Timestamp>,
    pub enclosure: Enclosure,
}

impl News {
    /// The same contact is told of the same certificate once, however often it is announced.
    fn message_id(&self, contact: &Contact, desk: Desk<'_>) -> String {
        let ends = self.ends.map_or_else(String::new, |at| at.to_string());
        let cause = format!("announced\0{}\0{ends}\0{}", self.fingerprint, contact.address);
        desk.key.message_id(LetterKind::Notice.word(), &cause, desk.policy.center_address.domain())
    }

    /// The question of which of these were told before.
    #[must_use]
    pub fn ask(&self, contacts: &[Contact], desk: Desk<'_>) -> Question {
        Question { references: contacts.iter().map(|contact| self.message_id(contact, desk)).collect(), ..Question::default() }
    }

    /// A signed letter to each contact that was not told yet, the certificate attached.
    #[must_use]
    pub fn tell(&self, contacts: &[Contact], world: &Snapshot, desk: Desk<'_>) -> Decision {
        let mut work = Work::new(desk, world, format!("announced\0{}", self.fingerprint));
        let ends = |at: Timestamp| at.to_zoned_datetime(desk.policy.time_zone.clone()).strftime("%Y-%m-%d").to_string();
        for contact in contacts {
            let message_id = self.message_id(contact, desk);
            if world.letters.iter().any(|letter| letter.message_id == message_id) {
                continue;
            }
            let mut fields = work.fields(None);
            text(&mut fields, "fingerprint", self.fingerprint.0.as_str());
            text(&mut fields, "ends", self.ends.map_or_else(|| "-".to_owned(), ends));
            let mut letter = notice(contact, TemplateName::KeyAnnouncement, &fields, message_id, &work);
            letter.enclosures.push(self.enclosure.clone());
            work.queue(letter, AtReporter::No);
        }
        work.effect(Effect::Audit { by: DAEMON.to_owned(), what: "announced".to_owned(), detail: self.fingerprint.0.clone() });
        work.finish()
    }
}
