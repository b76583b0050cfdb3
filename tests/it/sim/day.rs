//! A day of 200 tickets and 3 analysts: how much mail each of them gets, and that each breach is told once.

use super::town::{Chance, START};
use bantuan70::cli::demo::stage::{Actor, Note, Received, Setting, Stage};
use bantuan70::model::Address;
use bantuan70::model::ticket::{State, Ticket};
use bantuan70::store::TicketFilter;
use std::collections::{BTreeMap, BTreeSet};

const TICKETS: usize = 200;
const ANALYSTS: [&str; 3] = ["ani", "budi", "citra"];
/// Minutes of the day, in steps.
const STEP: usize = 10;

struct Day {
    stage: Stage,
    chance: Chance,
    /// Notices by analyst.
    notices: BTreeMap<String, usize>,
    /// Tickets whose breach was told, with whom.
    breaches: Vec<(String, String)>,
    written: usize,
    /// Whose turn it is to take the next ticket.
    turn: usize,
}

#[tokio::test]
async fn a_day_of_200_tickets_floods_nobody_and_tells_each_breach_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut people: Vec<(&str, String, String)> =
        ANALYSTS.iter().map(|short| ("analyst", short.to_string(), format!("{short}@bssn.test"))).collect();
    people.push(("chief", "rudi".to_owned(), "rudi@bssn.test".to_owned()));
    let people: Vec<(&str, &str, &str)> = people.iter().map(|(kind, name, address)| (*kind, name.as_str(), address.as_str())).collect();
    let setting = Setting { people: &people, center: "", intake: "", more: "" };
    let mut stage = Stage::set_up(&folder.path().join("day"), START.parse().unwrap(), &setting).unwrap();
    for place in 0..TICKETS {
        stage.add(&format!("w{place}"), Actor::without_key("Warga", &format!("warga{place}@kota{place}.example")).unwrap());
    }
    let mut day = Day { stage, chance: Chance(6), notices: BTreeMap::new(), breaches: Vec::new(), written: 0, turn: 0 };
    // The 200 come within twelve hours, forty of them in one storm; the day after they are worked on.
    for minute in (0..30 * 60).step_by(STEP) {
        day.step(minute).await;
    }
    assert_eq!(day.written, TICKETS);
    let opened = day.tickets().len();
    assert_eq!(opened, TICKETS);
    for short in ANALYSTS {
        let each = day.notices[short] as f64 / opened as f64;
        assert!(each <= 1.5, "{short} got {} notices for {opened} tickets: {each:.2} each; {:?}", day.notices[short], day.notices);
    }
    let told: BTreeSet<&(String, String)> = day.breaches.iter().collect();
    assert_eq!(told.len(), day.breaches.len(), "a breach was told twice to one person");
    let breached: BTreeSet<&String> = day.breaches.iter().map(|(ticket, _)| ticket).collect();
    let really: Vec<String> = day.tickets().iter().filter(|ticket| has_breached(ticket)).map(|ticket| ticket.number.to_string()).collect();
    assert!(!really.is_empty(), "the day has a breach to be told");
    assert_eq!(breached.into_iter().cloned().collect::<Vec<_>>(), really);
}

fn has_breached(ticket: &Ticket) -> bool {
    ticket.clocks.iter().any(|clock| clock.told.contains(&1000))
}

impl Day {
    fn tickets(&self) -> Vec<Ticket> {
        self.stage.daemon.store.ticket_states(&TicketFilter::default()).unwrap()
    }

    async fn step(&mut self, minute: usize) {
        let due = match minute {
            minute if minute >= 12 * 60 => TICKETS,
            360.. => 40 + 160 * minute / (12 * 60),
            _ => 160 * minute / (12 * 60),
        };
        while self.written < due.min(TICKETS) {
            self.report();
        }
        if minute.is_multiple_of(30) && minute > 60 {
            self.work();
        }
        if minute % 60 == 20 && minute > 120 {
            self.reporter_answers();
        }
        self.play().await;
        self.stage.clock.advance(jiff::SignedDuration::from_mins(STEP as i64));
        if minute % 60 == 50 {
            self.play().await;
        }
    }

    fn report(&mut self) {
        let place = self.written;
        self.written += 1;
        let words = ["situs kantor diretas", "email phishing meniru bank", "data pelanggan bocor", "server terkena ransomware"];
        let mut note = Note {
            subject: format!("Laporan {place}"),
            text: format!("{}, nomor {place}. Mohon bantuannya.", words[self.chance.below(words.len())]),
            ..Note::default()
        };
        if self.chance.percent(35) {
            note.enclosures.push(("topologi.pdf".to_owned(), "application/pdf".to_owned(), format!("{place}").into_bytes()));
        }
        self.mail(&format!("w{place}"), &note, false);
    }

    /// The three take what is new and go on with what they have: some of it a colleague does.
    fn work(&mut self) {
        let tickets: Vec<Ticket> = self.tickets();
        for ticket in tickets.iter().filter(|ticket| ticket.assignee.is_none() && ticket.state.is_open()).take(9) {
            let who = ANALYSTS[self.turn % 3];
            self.turn += 1;
            let verb = if ticket.state == State::Verifying && self.chance.percent(60) { "\n!valid" } else { "" };
            self.command(who, &format!("!tiket {}\n!petugas me{verb}", ticket.number));
        }
        // Every twentieth is forgotten, and its term runs out.
        let is_remembered = |ticket: &&Ticket| !ticket.number.0.ends_with("07") && !ticket.number.0.ends_with("57");
        let waits = |ticket: &&Ticket| ticket.state == State::Verifying && ticket.assignee.is_some();
        for ticket in tickets.iter().filter(waits).filter(is_remembered).take(12) {
            let who = ticket.assignee.as_ref().map_or("ani", |assignee| assignee.local()).to_owned();
            self.command(&who, &format!("!tiket {}\n!valid", ticket.number));
        }
        for ticket in tickets.iter().filter(|ticket| ticket.state == State::Analysing).take(4) {
            let own = ticket.assignee.as_ref().map_or("ani", |assignee| assignee.local()).to_owned();
            let who = if self.chance.percent(15) { ANALYSTS[self.chance.below(3)].to_owned() } else { own };
            self.command(&who, &format!("!tiket {}\n!analisis\nBlokir alamat itu, lalu ganti kata sandi.", ticket.number));
        }
        for ticket in tickets.iter().filter(|ticket| ticket.state == State::Handling).take(2) {
            let who = ticket.assignee.as_ref().map_or("ani", |assignee| assignee.local()).to_owned();
            self.command(&who, &format!("!tiket {}\n!tutup\nSelesai.", ticket.number));
        }
    }

    /// Reporters who were asked for documents send them, hours later.
    fn reporter_answers(&mut self) {
        for ticket in self.tickets().iter().filter(|ticket| ticket.state == State::AwaitingReporter).take(7) {
            let reporter = ticket.reporter.as_ref().unwrap().local().replace("warga", "w");
            let note = Note {
                subject: format!("Re: {} laporan", ticket.number.tag()),
                text: "Terlampir dokumennya.".to_owned(),
                answers: ticket.thread.last().cloned(),
                enclosures: vec![("KTP.jpg".to_owned(), "image/jpeg".to_owned(), ticket.number.0.clone().into_bytes())],
                ..Note::default()
            };
            self.mail(&reporter, &note, false);
        }
    }

    fn command(&mut self, who: &str, text: &str) {
        let note = Note { subject: "Perintah".to_owned(), text: text.to_owned(), ..Note::default() };
        self.mail(who, &note, true);
    }

    fn mail(&mut self, who: &str, note: &Note, is_signed: bool) {
        let center = Address::parse("bantuan70@bssn.test").unwrap();
        let id = self.stage.next_message_id(who);
        let (actor, now) = (self.stage.actor(who).unwrap(), self.stage.clock.now());
        let raw = if is_signed { actor.signs(&center, note, &id, now) } else { actor.writes(&center, note, &id, now) }.unwrap();
        self.stage.deliver(&raw).unwrap();
    }

    async fn play(&mut self) {
        let sent = self.stage.play().await.unwrap();
        for mail in sent.iter().filter(|mail| mail.message_id.starts_with("notice.")) {
            *self.notices.entry(mail.to.local().to_owned()).or_default() += 1;
            if mail.subject.contains("terlampaui") {
                self.breaches.push((number(mail), mail.to.to_string()));
            }
        }
    }
}

fn number(mail: &Received) -> String {
    mail.subject.split(['[', ']']).nth(1).unwrap_or_default().to_owned()
}
