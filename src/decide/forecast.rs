//! News of keys to contacts, in words that carry nothing else. Certificates that end soon are told to
//! the chiefs and to each contact, once for each threshold, whatever restarts lie between; the
//! centre's own next certificate is announced.

use super::Desk;
use super::letters::{list, set, text};
use super::work::{DAEMON, Work};
use crate::mail::template::{Field, Fields, TemplateName};
use crate::model::Fingerprint;
use crate::model::contact::Contact;
use crate::model::effect::{Decision, Effect};
use crate::model::letter::{AutoSubmitted, Enclosure, Letter, LetterKind, Protection};
use crate::model::policy::Person;
use crate::model::snapshot::{Question, Snapshot};
use crate::model::ticket::AtReporter;
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
    let left = ends.as_second() - now.as_second();
    contact.fingerprint.as_ref()?;
    let threshold = TOLD_DAYS.into_iter().find(|days| left > 0 && left <= days * DAY)?;
    Some(Due { ends, threshold })
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
        language,
        token: work.token(&message_id),
        message_id,
        encloses_certificate: false,
        held_because: None,
        not_before: None,
    }
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
