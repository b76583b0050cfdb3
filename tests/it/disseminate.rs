//! Disseminations under TLP, through the real daemon between two Maildirs: who gets what, who does
//! not, and who is told.

mod agreement;
mod approvals;
mod attacks;
mod confirmed;
mod counted;
mod draft;
mod drift;
mod ended;
mod exceeded;
mod followup;
mod forecast;
mod heir;
mod laws;
mod log;
mod queue;
mod risen;
mod stopped;
mod table;
mod tampered;
mod told;
mod unreached;
mod wire;

use bantuan70::cli::demo::stage::{Actor, Note, Received, Setting, Stage};
use bantuan70::daemon::by_hand;
use bantuan70::decide::retry::{self, Tried};
use bantuan70::model::contact::ContactKind;
use bantuan70::model::dissemination::{Dissemination, DisseminationNumber, RecipientState};
use bantuan70::model::letter::LetterState;
use bantuan70::model::outcome::SendOutcome;
use bantuan70::model::{Address, Fingerprint, Language};
use bantuan70::openpgp::Certificate;
use bantuan70::store::{Claim, NewContact, OutboxId, OutboxRow, QueuedLetter, View};
use jiff::{SignedDuration, Timestamp};
use std::path::PathBuf;

/// The life of a key that the program makes.
const KEY_LIFE: SignedDuration = SignedDuration::from_hours(3 * 365 * 24);

/// A stage with analysts ani and budi and the chief rudi, and what the tests do on it.
struct Hall {
    stage: Stage,
    /// In which numbers begin.
    year: i16,
    folder: tempfile::TempDir,
    /// Contacts were added that the daemon has not read yet.
    has_news: bool,
}

/// The server takes a letter never.
fn refused() -> SendOutcome {
    SendOutcome::Never { reason: "550 5.1.1 no such user".to_owned() }
}

impl Hall {
    /// One attempt to send this letter, with that end.
    fn attempt(&self, id: OutboxId, outcome: &SendOutcome) {
        self.settled(&self.claimed(id), outcome);
    }

    /// A letter whose attempt has begun, as it stood before.
    fn claimed(&self, id: OutboxId) -> QueuedLetter {
        let queued = self.stage.daemon.store.letter(id).unwrap();
        assert_eq!(self.stage.daemon.store.claim(&queued, Some(b"sealed"), self.now()).unwrap(), Claim::Taken);
        queued
    }

    /// So its attempt ends.
    fn settled(&self, queued: &QueuedLetter, outcome: &SendOutcome) {
        let (daemon, now) = (&self.stage.daemon, self.now());
        let bench = daemon.bench();
        let tried = Tried { queued_at: queued.queued_at, attempts: queued.attempts, resends: queued.resends, was: queued.state };
        let settled = retry::settle(&queued.letter, tried, outcome, now);
        let consequences = |world: &_| retry::consequences(queued.id, &queued.letter, &settled, world, bench.desk(&daemon.key, now));
        daemon.store.settle(queued.id, &settled, &bench.place(), &retry::ask(&queued.letter), now, consequences).unwrap();
    }

    /// As `outbox retry` does.
    fn retry(&self, id: OutboxId) -> anyhow::Result<()> {
        let daemon = &self.stage.daemon;
        by_hand::retry(&daemon.store, &daemon.bench(), id, "test", self.now())
    }

    fn view(&self) -> View {
        View { time_zone: jiff::tz::TimeZone::UTC, now: self.now(), center_address: "bantuan70@bssn.test".to_owned() }
    }

    /// What the timeline of that dissemination's ticket says.
    fn history(&self, serial: u32) -> String {
        let number = self.dissemination(serial).unwrap().ticket;
        let page = self.stage.daemon.store.ticket(&number, &self.view()).unwrap().unwrap();
        page.timeline.iter().map(|line| format!("{}\n", line.detail)).collect()
    }

    /// Joko, whom the stage knows by then, writes to the centre.
    fn report(&mut self, text: &str, answers: Option<String>) {
        let note = Note { subject: "Situs diretas".to_owned(), text: text.to_owned(), answers, ..Note::default() };
        let id = self.stage.next_message_id("joko");
        let center = Address::parse("bantuan70@bssn.test").unwrap();
        let raw = self.stage.actor("joko").unwrap().writes(&center, &note, &id, self.now()).unwrap();
        self.stage.deliver(&raw).unwrap();
    }

    fn new(more: &str) -> Self {
        Self::with_intake("", more)
    }

    fn with_intake(intake: &str, more: &str) -> Self {
        // In memory where the system has that: whether commits outlast a power cut is not what is tested.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let start = Timestamp::now();
        let people = [("analyst", "Ani", "ani@bssn.test"), ("analyst", "Budi", "budi@bssn.test"), ("chief", "Rudi", "rudi@bssn.test")];
        let setting = Setting { people: &people, intake, more, ..Setting::default() };
        let stage = Stage::set_up(&folder.path().join("stage"), start, &setting).unwrap();
        let year = start.to_zoned_datetime(stage.daemon.config.center.time_zone.clone()).year();
        Self { stage, year, folder, has_news: false }
    }

    /// gpg's clock went on while the stage's stood: what gpg has made must not lie ahead of the stage.
    fn catch_up(&self) {
        let behind = Timestamp::now().duration_since(self.now()).max(SignedDuration::ZERO);
        self.stage.clock.advance(behind + SignedDuration::from_secs(5));
    }

    fn now(&self) -> Timestamp {
        self.stage.clock.now()
    }

    /// Where configuration, database and both Maildirs lie.
    fn folder(&self) -> PathBuf {
        self.folder.path().join("stage")
    }

    /// A contact with this certificate, and someone on the stage who takes its mail.
    fn contact(&mut self, address: &str, kind: ContactKind, certificate: Option<&[u8]>, is_verified: bool) {
        let fingerprint = certificate.map(|bytes| self.keep(bytes));
        let contact = NewContact {
            name: address.split('@').next().unwrap().to_owned(),
            address: Address::parse(address).unwrap(),
            kind,
            organisation: "Bank".to_owned(),
            sectors: vec!["finance".to_owned()],
            groups: Vec::new(),
            language: Language::Id,
            expires_at: certificate.and_then(|bytes| Certificate::read(bytes).unwrap().expires_at(self.now())),
            fingerprint,
        };
        let now = self.now();
        let store = &self.stage.daemon.store;
        store.add_contact(&contact, "test", now).unwrap();
        if is_verified {
            store.verify_contact(&contact.address, "call-back", "test", now).unwrap();
        }
        if !self.stage.actors.values().any(|actor| actor.address == contact.address) {
            self.stage.add(address, Actor::without_key(&contact.name, address).unwrap());
        }
        self.has_news = true;
    }

    /// The daemon reads the directory's certificates, as it does by itself; once for all that are new,
    /// since the rules are read along with them.
    fn tell_news(&mut self) {
        if std::mem::take(&mut self.has_news) {
            self.stage.reload().unwrap();
        }
    }

    /// Someone with a key of its own, who is a verified contact.
    fn keyed_contact(&mut self, address: &str, kind: ContactKind) {
        let actor = Actor::with_key("Bank", address, self.now()).unwrap();
        let certificate = actor.certificate().unwrap();
        self.stage.add(address, actor);
        self.contact(address, kind, Some(&certificate), true);
    }

    /// Stores a certificate as `key import` does.
    fn keep(&self, bytes: &[u8]) -> Fingerprint {
        let certificate = Certificate::read(bytes).unwrap();
        let (fingerprint, ends) = (certificate.fingerprint(), certificate.expires_at(self.now()));
        let unfit = certificate.problems(self.now()).join(", ");
        let unfit = if ends.is_some_and(|ends| ends <= self.now()) { "" } else { unfit.as_str() };
        self.stage.daemon.store.put_certificate_with(&fingerprint, bytes, ends, unfit, self.now()).unwrap();
        fingerprint
    }

    /// A signed mail of an analyst lies in the mailbox.
    fn command(&mut self, who: &str, text: &str) {
        self.command_with(who, Note { subject: "Perintah".to_owned(), text: text.to_owned(), ..Note::default() });
    }

    fn command_with(&mut self, who: &str, note: Note) {
        let id = self.stage.next_message_id(who);
        let center = Address::parse("bantuan70@bssn.test").unwrap();
        let raw = self.stage.actor(who).unwrap().signs(&center, &note, &id, self.now()).unwrap();
        self.stage.deliver(&raw).unwrap();
    }

    /// Takes in, decides and sends.
    async fn play(&mut self) -> Vec<Received> {
        self.tell_news();
        self.stage.play().await.unwrap()
    }

    /// Takes in and decides; sends nothing.
    async fn decide(&mut self) {
        self.tell_news();
        self.stage.daemon.take_in().await.unwrap();
    }

    fn dissemination(&self, serial: u32) -> Option<Dissemination> {
        let number = DisseminationNumber::new(self.year, serial);
        self.stage.daemon.store.dissemination_state(&number).unwrap()
    }

    /// The line with which somebody agrees to it as it stands.
    fn agreement(&self, serial: u32) -> String {
        let one = self.dissemination(serial).unwrap();
        format!("!setuju {} {}", one.number, one.code())
    }

    fn state_of(&self, serial: u32, address: &str) -> (RecipientState, String) {
        let one = self.dissemination(serial).unwrap();
        let recipient = one.recipients.iter().find(|recipient| recipient.address.as_str() == address).unwrap();
        (recipient.state, recipient.because.clone())
    }

    fn outbox(&self) -> Vec<OutboxRow> {
        self.stage.daemon.store.outbox(LetterState::ALL, &self.view()).unwrap()
    }

    /// The bytes that were sealed for a letter, where any were.
    fn sealed(&self, row: &OutboxRow) -> Option<Vec<u8>> {
        self.stage.daemon.store.letter(OutboxId(row.id)).unwrap().sealed
    }
}

/// The mails to an address.
fn to<'r>(mails: &'r [Received], address: &str) -> Vec<&'r Received> {
    mails.iter().filter(|mail| mail.to.as_str() == address).collect()
}

/// All that an address can read in these mails.
fn read_by(mails: &[Received], address: &str) -> String {
    to(mails, address).iter().map(|mail| format!("{}\n{}\n", mail.subject, mail.text)).collect()
}
