//! Stories: `stories/*.txt` are played through the real daemon, between two Maildirs and with a clock
//! moved by hand, and below each step stands what came of it. `UPDATE=1` writes the outcomes anew, to
//! be read as a diff. What differs from run to run (keys, codes, identifiers) is masked.

mod script;

use bantuan70::cli::demo::stage::{Actor, Note, Received, Setting, Stage};
use bantuan70::model::contact::ContactKind;
use bantuan70::model::letter::LetterState;
use bantuan70::model::ticket::Ticket;
use bantuan70::model::{Address, InboxId, Language};
use bantuan70::store::{MailFilter, NewContact, TicketFilter, View};
use jiff::{Timestamp, tz::TimeZone};
use script::{Scene, Someone, Story, Writing};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// A Tuesday morning in Jakarta.
const START: &str = "2026-03-03T01:15:00Z";

/// One test a story, so that a failure names it.
macro_rules! stories {
    ($($name:ident),* $(,)?) => {
        $(#[test] fn $name() { tell(stringify!($name)); })*

        #[test]
        fn every_story_is_told() {
            let told: BTreeSet<String> = [$(stringify!($name)),*].iter().map(|name| format!("{name}.txt")).collect();
            let written: BTreeSet<String> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            assert_eq!(told, written);
        }
    };
}

stories! {
    a_complaint_in_indonesian,
    a_complaint_in_english,
    documents_come_late,
    a_request_and_its_reminders,
    a_rejection,
    a_reply_reopens_and_a_late_one_opens_anew,
    a_red_dissemination_needs_two,
    an_amber_reply_needs_a_certificate,
    a_held_acknowledgement,
    one_sender_writes_too_often,
    a_clock_warns_once,
    a_colleague_answers,
    a_registered_address_has_the_limits_of_a_sender,
    a_merged_ticket_is_closed_and_reopened,
    what_is_wrong_is_told_at_once,
    many_reports_at_once,
    a_stranger_bears_a_tag,
    survey_answers,
    a_telephone_call_is_registered,
    tickets_are_merged_and_linked,
    a_robot_is_promoted,
    a_promoted_mail_gets_its_priority,
    a_recipient_cannot_open_it,
    a_report_is_merged_into_a_closed_one,
    a_dissemination_is_cancelled,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/stories")
}

fn tell(name: &str) {
    let path = folder().join(format!("{name}.txt"));
    let written = std::fs::read_to_string(&path).unwrap();
    let told = play(&Story::read(&written));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, told).unwrap();
        return;
    }
    if told != written {
        let differs =
            written.lines().zip(told.lines()).position(|(a, b)| a != b).unwrap_or(written.lines().count().min(told.lines().count()));
        let around = |text: &str| text.lines().skip(differs.saturating_sub(4)).take(12).collect::<Vec<_>>().join("\n");
        panic!("{name}.txt, line {}: it was told otherwise.\n--- written\n{}\n--- told\n{}", differs + 1, around(&written), around(&told));
    }
}

fn play(story: &Story) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let mut teller = Teller::new(folder.path().join("play"), story);
        let mut told = String::new();
        for piece in &story.pieces {
            told.push_str(&piece.written);
            if let Some(scene) = &piece.scene {
                for line in teller.play(scene).await {
                    told.push_str(format!("    {line}").trim_end());
                    told.push('\n');
                }
            }
        }
        let audit = teller.stage.daemon.store.audit_verify().unwrap();
        assert_eq!(audit.problems, Vec::<String>::new(), "the audit log is in order after the story");
        told
    })
}

/// Plays scenes and tells what changed since the one before.
struct Teller {
    stage: Stage,
    zone: TimeZone,
    mail: BTreeSet<InboxId>,
    tickets: BTreeMap<String, String>,
    disseminations: BTreeMap<String, String>,
    letters: BTreeMap<i64, String>,
    /// Every mail that anyone received.
    received: Vec<Received>,
    /// The last raw mail of each.
    written: BTreeMap<String, Vec<u8>>,
}

impl Teller {
    fn new(dir: PathBuf, story: &Story) -> Self {
        let start: Timestamp = START.parse().unwrap();
        let people: Vec<(&str, &str, &str)> =
            story.people.iter().map(|one| (one.kind.as_str(), one.name.as_str(), one.address.as_str())).collect();
        // A better rule of the centre is to change no story.
        let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/story/rules");
        let center = format!("rules_dir = {rules:?}\n{}", story.center);
        let setting = Setting { people: &people, center: &center, intake: &story.intake, more: &story.more };
        let stage = Stage::set_up(&dir, start, &setting).unwrap();
        let zone = stage.daemon.config.center.time_zone.clone();
        let nothing = (BTreeSet::new(), BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (mail, tickets, disseminations, letters) = nothing;
        let mut teller = Self { stage, zone, mail, tickets, disseminations, letters, received: Vec::new(), written: BTreeMap::new() };
        for one in &story.others {
            teller.bring(one, start);
        }
        teller.stage.reload().unwrap();
        teller
    }

    fn bring(&mut self, one: &Someone, start: Timestamp) {
        let actor = if one.has_key {
            Actor::with_key(&one.name, &one.address, start).unwrap()
        } else {
            Actor::without_key(&one.name, &one.address).unwrap()
        };
        let store = &self.stage.daemon.store;
        if let Some(fingerprint) = &actor.fingerprint {
            store.put_certificate(fingerprint, &actor.certificate().unwrap(), None, start).unwrap();
        }
        if let Some(kind) = ContactKind::parse(&one.kind) {
            let contact = NewContact {
                name: one.name.clone(),
                address: actor.address.clone(),
                kind,
                organisation: one.name.clone(),
                sectors: one.sectors.clone(),
                groups: Vec::new(),
                language: Language::Id,
                fingerprint: actor.fingerprint.clone(),
                expires_at: None,
            };
            store.add_contact(&contact, "story", start).unwrap();
            if one.is_verified {
                store.verify_contact(&actor.address, "call-back", "story", start).unwrap();
            }
        }
        self.stage.add(&one.short, actor);
    }

    /// Plays one scene; gives the lines that tell what came of it.
    async fn play(&mut self, scene: &Scene) -> Vec<String> {
        let mut shown = BTreeSet::new();
        match scene {
            Scene::Wait(minutes, shows) => {
                shown.clone_from(shows);
                self.stage.clock.advance(jiff::SignedDuration::from_mins(*minutes));
            }
            Scene::Mail(writing) => {
                shown.clone_from(&writing.shows);
                self.deliver(writing);
            }
            Scene::Again(who) => {
                let mut raw = b"Received: from another.example by mx.bssn.test; Tue, 3 Mar 2026 09:00:00 +0700\r\n".to_vec();
                raw.extend_from_slice(&self.written[who]);
                self.stage.deliver(&raw).unwrap();
            }
        }
        let sent = self.stage.play().await.unwrap();
        let mut lines = vec![format!("[{}]", self.local(self.stage.clock.now()))];
        self.tell_mail(&mut lines);
        self.tell_tickets(&mut lines);
        self.tell_disseminations(&mut lines);
        self.tell_letters(&sent, &shown, &mut lines);
        self.received.extend(sent);
        if lines.len() == 1 {
            lines.push("nothing happens".to_owned());
        }
        lines
    }

    fn deliver(&mut self, writing: &Writing) {
        let now = self.stage.clock.now();
        let to = Address::parse("bantuan70@bssn.test").unwrap();
        let id = self.stage.next_message_id(&writing.who);
        let actor = self.stage.actor(&writing.who).unwrap();
        let mine = self.received.iter().filter(|mail| mail.to == actor.address);
        let answered = writing.answers.as_ref().map(|kind| {
            let last = mine.clone().rfind(|mail| kind_of(mail) == *kind);
            last.unwrap_or_else(|| panic!("{} never got a {kind}", writing.who)).message_id.clone()
        });
        let code = mine.clone().rev().find_map(|mail| script::code_in(&mail.text));
        let text = writing.text.replace("{code}", code.as_deref().unwrap_or("no code was received"));
        let note = Note {
            subject: writing.subject.clone(),
            text,
            headers: writing.headers.clone(),
            answers: answered,
            enclosures: writing.files.iter().map(|(name, media_type)| (name.clone(), media_type.clone(), script::content(name))).collect(),
        };
        let raw = if writing.is_signed { actor.signs(&to, &note, &id, now) } else { actor.writes(&to, &note, &id, now) }.unwrap();
        self.stage.deliver(&raw).unwrap();
        self.written.insert(writing.who.clone(), raw);
    }

    fn view(&self) -> View {
        View { time_zone: self.zone.clone(), now: self.stage.clock.now(), center_address: "bantuan70@bssn.test".to_owned() }
    }

    fn tell_mail(&mut self, lines: &mut Vec<String>) {
        for row in self.stage.daemon.store.mail(&MailFilter::default(), &self.view()).unwrap() {
            if !self.mail.insert(row.id) {
                continue;
            }
            let kind = row.kind.map_or("not decided", |kind| kind.word());
            let ticket = row.ticket.map_or_else(String::new, |number| format!(", {number}"));
            let aside = if row.quarantine { ", put aside" } else { "" };
            lines.push(format!("filed: {kind}{ticket}{aside}"));
            lines.extend(row.reason.split("; ").map(|reason| format!("  because: {}", script::masked(reason))));
        }
    }

    fn tell_tickets(&mut self, lines: &mut Vec<String>) {
        for ticket in self.stage.daemon.store.ticket_states(&TicketFilter::default()).unwrap() {
            let number = ticket.number.to_string();
            let told = self.ticket(&ticket);
            if self.tickets.get(&number) != Some(&told) {
                lines.push(format!("ticket {number}: {told}"));
                self.tickets.insert(number, told);
            }
        }
    }

    fn ticket(&self, ticket: &Ticket) -> String {
        let now = self.stage.clock.now();
        let mut facts = vec![ticket.state.to_string(), ticket.category.to_string(), ticket.priority.to_string()];
        facts.extend(ticket.tlp.map(|mark| mark.label()));
        facts.extend(ticket.assignee.as_ref().map(|to| format!("with {}", to.local())));
        let missing: Vec<&str> = ticket.missing().iter().map(|document| document.word()).collect();
        if !missing.is_empty() {
            facts.push(format!("missing {}", missing.join(" ")));
        }
        for clock in &ticket.clocks {
            let state = clock.state(now);
            let stopped = if clock.paused_at.is_some() { " (stands still)" } else { "" };
            if clock.started_at.is_some() || clock.met_at.is_some() {
                let until = clock.due_at.filter(|_| clock.met_at.is_none()).map(|due| format!(" until {}", self.local(due)));
                facts.push(format!("{} {state}{}{stopped}", clock.name, until.unwrap_or_default()));
            }
        }
        if !ticket.links.is_empty() {
            facts.push(format!("linked {}", ticket.links.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")));
        }
        facts.extend(ticket.merged_into.as_ref().map(|into| format!("merged into {into}")));
        facts.extend(ticket.survey_answer.as_ref().map(|answers| format!("survey {answers:?}")));
        facts.join(", ")
    }

    fn tell_disseminations(&mut self, lines: &mut Vec<String>) {
        let store = &self.stage.daemon.store;
        for number in self.tickets.keys() {
            let number = bantuan70::model::ticket::TicketNumber(number.clone());
            for one in store.ticket(&number, &self.view()).unwrap().unwrap().disseminations {
                let recipients: Vec<String> =
                    one.recipients.iter().map(|recipient| format!("{} {}", recipient.address, recipient.state)).collect();
                let agreed: Vec<&str> = one.approvals.iter().map(|approval| approval.by.local()).collect();
                let told = format!("{}, {}, agreed by {}: {}", one.tlp.label(), one.state, agreed.join(" and "), recipients.join(", "));
                let name = one.number.to_string();
                if self.disseminations.get(&name) != Some(&told) {
                    lines.push(format!("{name}: {told}"));
                    self.disseminations.insert(name, told);
                }
            }
        }
    }

    /// What left, in the order of the outbox; what is in it and did not leave.
    fn tell_letters(&mut self, sent: &[Received], shown: &BTreeSet<String>, lines: &mut Vec<String>) {
        for row in self.stage.daemon.store.outbox(LetterState::ALL, &self.view()).unwrap() {
            let told = format!("{} {:?}", row.state, row.last_error);
            if self.letters.insert(row.id, told.clone()).as_ref() == Some(&told) {
                continue;
            }
            let Some(mail) = sent.iter().find(|mail| mail.message_id == row.message_id) else {
                let error = row.last_error.map_or_else(String::new, |error| format!(": {}", script::masked(&error)));
                let when = row.next_at.filter(|_| row.state == LetterState::Queued).map_or_else(String::new, |at| format!(" until {at}"));
                lines.push(format!("letter: {} to {} is {}{when}{error}", row.kind, row.to, row.state));
                continue;
            };
            let outside = if mail.outer_subject == mail.subject { String::new() } else { format!(" (outside: {})", mail.outer_subject) };
            lines.push(format!("letter: {}, {}, to {}: {}{outside}", row.kind, mail.protection, row.to, mail.subject));
            if shown.contains(row.kind.word()) {
                lines.extend(script::masked(mail.text.trim_end()).lines().map(|line| format!("  | {line}")));
            }
        }
    }

    fn local(&self, at: Timestamp) -> String {
        at.to_zoned_datetime(self.zone.clone()).strftime("%d %b %H:%M").to_string()
    }
}

/// The kind stands at the head of our Message-IDs.
fn kind_of(mail: &Received) -> &str {
    mail.message_id.split('.').next().unwrap_or_default()
}
