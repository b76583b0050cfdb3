//! Whom a mail is believed to come from, and what it learns and moves: replayed ciphertext, forged
//! and copied senders, references to other people's mail. Played through the real daemon between two Maildirs.

mod candidate;
mod confirmation;
mod hidden;
mod laws;
mod robots;

use crate::property;
use bantuan70::cli::demo::stage::{Actor, Note, Received, Setting, Stage};
use bantuan70::decide::retry;
use bantuan70::model::contact::ContactKind;
use bantuan70::model::effect::Effect;
use bantuan70::model::letter::{Letter, LetterKind, LetterState};
use bantuan70::model::outcome::Settled;
use bantuan70::model::ticket::{State, Ticket, TicketEvent};
use bantuan70::model::{Address, Language, ticket::TicketNumber};
use bantuan70::store::{NewContact, OutboxId, TicketFilter, View};
use jiff::{SignedDuration, Timestamp};

/// A centre with the analyst ani; whoever else is brought writes to it.
pub struct Play {
    pub stage: Stage,
    runtime: tokio::runtime::Runtime,
    folder: tempfile::TempDir,
    mails: u32,
}

impl Play {
    pub fn new(intake: &str) -> Self {
        Self::at("2026-03-03T01:15:00Z".parse().unwrap(), intake)
    }

    pub fn at(start: Timestamp, intake: &str) -> Self {
        Self::with(start, intake, "")
    }

    pub fn with(start: Timestamp, intake: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let setting = Setting { people: &[("analyst", "Ani Lestari", "ani@bssn.test")], intake, more, ..Setting::default() };
        let stage = Stage::set_up(&folder.path().join("play"), start, &setting).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { stage, runtime, folder, mails: 0 }
    }

    pub fn bring(&mut self, short: &str, address: &str) {
        self.stage.add(short, Actor::without_key(short, address).unwrap());
    }

    pub fn bring_with_key(&mut self, short: &str, address: &str) {
        let now = self.stage.clock.now();
        self.stage.add(short, Actor::with_key(short, address, now).unwrap());
    }

    /// The centre's certificate, as everybody has it.
    pub fn certificate(&self) -> Vec<u8> {
        self.stage.daemon.bench().reader.keyring.own().unwrap().armored()
    }

    pub fn id(&mut self, who: &str) -> String {
        self.mails += 1;
        format!("{who}.{}@{}", self.mails, self.stage.actor(who).unwrap().address.domain())
    }

    /// A mail in the clear, its bytes.
    pub fn raw(&mut self, who: &str, note: &Note) -> Vec<u8> {
        let (id, now) = (self.id(who), self.stage.clock.now());
        self.stage.actor(who).unwrap().writes(&center(), note, &id, now).unwrap()
    }

    pub fn signed(&mut self, who: &str, note: &Note) -> Vec<u8> {
        let (id, now) = (self.id(who), self.stage.clock.now());
        self.stage.actor(who).unwrap().signs(&center(), note, &id, now).unwrap()
    }

    /// Signed and encrypted to the centre.
    pub fn sealed(&mut self, who: &str, note: &Note) -> Vec<u8> {
        let (id, now, certificate) = (self.id(who), self.stage.clock.now(), self.certificate());
        self.stage.actor(who).unwrap().seals(&center(), &certificate, note, &id, now).unwrap()
    }

    /// A verified contact with this certificate.
    pub fn contact(&mut self, address: &str, certificate: &[u8]) {
        let now = self.stage.clock.now();
        let fingerprint = bantuan70::openpgp::Certificate::read(certificate).unwrap().fingerprint();
        let contact = NewContact {
            name: address.to_owned(),
            address: Address::parse(address).unwrap(),
            kind: ContactKind::Person,
            organisation: "Bank".to_owned(),
            sectors: Vec::new(),
            groups: Vec::new(),
            language: Language::Id,
            fingerprint: Some(fingerprint.clone()),
            expires_at: None,
        };
        let store = &self.stage.daemon.store;
        store.put_certificate(&fingerprint, certificate, None, now).unwrap();
        store.add_contact(&contact, "test", now).unwrap();
        store.verify_contact(&contact.address, "call-back", "test", now).unwrap();
        self.stage.reload().unwrap();
    }

    /// Delivers these bytes; gives what was sent for it.
    pub fn post(&mut self, raw: &[u8]) -> Vec<Received> {
        self.stage.deliver(raw).unwrap();
        self.runtime.block_on(self.stage.play()).unwrap()
    }

    pub fn writes(&mut self, who: &str, note: &Note) -> Vec<Received> {
        let raw = self.raw(who, note);
        self.post(&raw)
    }

    pub fn signs(&mut self, who: &str, note: &Note) -> Vec<Received> {
        let raw = self.signed(who, note);
        self.post(&raw)
    }

    /// Ani's signed commands.
    pub fn commands(&mut self, text: &str) -> Vec<Received> {
        self.signs("ani", &Note { subject: "Perintah".to_owned(), text: text.to_owned(), ..Note::default() })
    }

    /// Ani's signed commands on the first ticket.
    pub fn commands_of(&mut self, text: &str) -> Vec<Received> {
        self.commands(&format!("!tiket BANTUAN70-2026-000001\n{text}"))
    }

    /// As [`Self::commands`], and nothing is sent yet.
    pub fn decides(&mut self, text: &str) {
        let raw = self.signed("ani", &Note { subject: "Perintah".to_owned(), text: text.to_owned(), ..Note::default() });
        self.stage.deliver(&raw).unwrap();
        self.runtime.block_on(self.stage.daemon.take_in()).unwrap();
    }

    pub fn waits(&mut self, hours: i64) -> Vec<Received> {
        self.stage.wait(hours);
        self.runtime.block_on(self.stage.play()).unwrap()
    }

    pub fn ticket(&self, serial: u32) -> Ticket {
        let number = TicketNumber::new("BANTUAN70", 2026, serial);
        let all = self.stage.daemon.store.ticket_states(&TicketFilter::default()).unwrap();
        all.into_iter().find(|ticket| ticket.number == number).unwrap_or_else(|| panic!("there is no ticket {number}"))
    }

    pub fn tickets(&self) -> usize {
        self.stage.daemon.store.ticket_states(&TicketFilter::default()).unwrap().len()
    }

    /// Everything that ever left, as bytes.
    pub fn outgoing(&self) -> Vec<Vec<u8>> {
        let folder = self.folder.path().join("play/out/new");
        std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect()
    }
}

pub fn center() -> Address {
    Address::parse("bantuan70@bssn.test").unwrap()
}

pub fn note(subject: &str, text: &str) -> Note {
    Note { subject: subject.to_owned(), text: text.to_owned(), ..Note::default() }
}

pub fn kinds_to<'a>(letters: &'a [Received], address: &str) -> Vec<&'a str> {
    let theirs = letters.iter().filter(|letter| letter.to.as_str() == address);
    theirs.map(|letter| letter.message_id.split('.').next().unwrap()).collect()
}

/// The text of the one notice to ani.
pub fn notice(letters: &[Received]) -> &str {
    let mut notices = letters.iter().filter(|letter| letter.to.as_str() == "ani@bssn.test" && letter.message_id.starts_with("notice."));
    let notice = notices.next().expect("ani hears of it");
    assert!(notices.next().is_none(), "ani hears of it once");
    &notice.text
}

const FAILS: &str = "Authentication-Results: mx.bssn.test; dmarc=fail header.from=kantor.example";
const PASSES: &str = "Authentication-Results: mx.bssn.test; spf=pass; dmarc=pass header.from=kantor.example";
const TRUSTED: &str = "authserv_id = \"mx.bssn.test\"\n";

#[test]
fn m24_a_reference_to_a_strangers_mail_changes_no_answer() {
    let mut play = Play::new("");
    play.bring("joko", "joko@kantor.example");
    play.bring("maling", "maling@lain.example");
    play.writes("joko", &note("Situs kami diretas", "Halaman depan situs kami diganti orang."));
    let asks =
        |answers: &str| Note { answers: Some(answers.to_owned()), ..note("Situs diretas", "Halaman depan situs saya diganti orang.") };
    let known = play.writes("maling", &asks("joko.1@kantor.example"));
    let unknown = play.writes("maling", &asks("joko.99@kantor.example"));
    assert_eq!(kinds_to(&known, "maling@lain.example"), ["acknowledgement"]);
    let words = |letters: &[Received], number: &str| {
        letters.iter().find(|letter| letter.to.as_str() == "maling@lain.example").unwrap().text.replace(number, "")
    };
    assert_eq!(words(&known, "BANTUAN70-2026-000002"), words(&unknown, "BANTUAN70-2026-000003"));
    assert!(notice(&known).contains("membalas surel pada BANTUAN70-2026-000001"), "{}", notice(&known));
    assert_eq!(play.ticket(2).links.len(), 1);
}

#[test]
fn m24_a_message_id_of_our_domain_that_we_never_gave_makes_no_reply() {
    let mut play = Play::new("");
    play.bring("joko", "joko@kantor.example");
    play.bring("siti", "siti@warga.example");
    let asks = |answers: &str, serial: u32| Note {
        answers: Some(answers.to_owned()),
        ..note(&format!("Situs {serial} diretas"), &format!("Halaman depan situs {serial} kami diganti orang."))
    };
    // In the form of ours, and as a colleague's mail program writes it: each is a report like any other.
    for (serial, cited) in [(1, "acknowledgement.0123456789abcdef0123456789abcdef@bssn.test"), (2, "CAF+9=x1@bssn.test")] {
        let letters = play.writes("joko", &asks(cited, serial));
        assert_eq!(kinds_to(&letters, "joko@kantor.example"), ["acknowledgement"], "{cited}");
        assert!(play.ticket(serial).links.is_empty(), "{cited}");
        assert_eq!(play.ticket(serial).state, State::AwaitingReporter, "{cited}");
    }
    let ours = play.writes("joko", &note("Situs 3 diretas", "Halaman depan situs 3 kami diganti orang."));
    let ours = ours.iter().find(|letter| letter.to.as_str() == "joko@kantor.example").unwrap().message_id.clone();
    // One that we gave joins its reporter's ticket, and acknowledges nobody else.
    assert_eq!(kinds_to(&play.writes("joko", &asks(&ours, 3)), "joko@kantor.example"), [""; 0]);
    assert_eq!(play.tickets(), 3);
    assert_eq!(kinds_to(&play.writes("siti", &asks(&ours, 4)), "siti@warga.example"), [""; 0]);
    assert_eq!(play.ticket(4).links.len(), 1);
    // An absence notice that answers nothing of ours is read by a person; one that does changes nothing.
    let away =
        |answers: &str| Note { answers: Some(answers.to_owned()), ..note("Automatic reply: Laporan", "Saya sedang cuti sampai Senin.") };
    play.writes("joko", &away(&ours));
    assert_eq!(play.tickets(), 4);
}

#[test]
fn the_timeline_says_by_which_rules_a_ticket_got_its_category() {
    let mut play = Play::new("");
    play.bring("joko", "joko@kantor.example");
    play.writes("joko", &note("Situs kami diretas", "Halaman depan situs kami diganti orang."));
    let view = View { time_zone: jiff::tz::TimeZone::UTC, now: play.stage.clock.now(), center_address: String::new() };
    let page = play.stage.daemon.store.ticket(&play.ticket(1).number, &view).unwrap().unwrap();
    let opened = page.timeline.iter().find(|line| line.event == "opened").unwrap();
    let version = play.stage.daemon.bench().reader.rules.version().to_owned();
    assert!(opened.detail.contains(&format!("aturan klasifikasi {version}: +")), "{}", opened.detail);
    assert!(opened.detail.contains("subject: \"situs kami diretas\"") || opened.detail.contains("diretas"), "{}", opened.detail);
}

#[test]
fn m23_who_tries_numbers_learns_nothing_of_which_exist() {
    let mut play = Play::new("");
    play.bring("joko", "joko@kantor.example");
    play.bring("maling", "maling@lain.example");
    for _ in 0..2 {
        play.writes("joko", &note("Situs kami diretas", "Halaman depan situs kami diganti orang."));
    }
    for number in [1, 2, 3, 4, 500, 999] {
        let subject = format!("Re: [BANTUAN70-2026-{number:06}] Laporan");
        let letters = play.writes("maling", &note(&subject, "Bagaimana perkembangannya?"));
        assert!(kinds_to(&letters, "maling@lain.example").is_empty(), "{number}: {letters:?}");
        assert!(kinds_to(&letters, "joko@kantor.example").is_empty(), "{number}: {letters:?}");
    }
    assert!(play.ticket(1).links.is_empty() || play.ticket(1).state == State::AwaitingReporter);
}

#[test]
fn c1_a_look_alike_sent_before_does_not_silence_an_analyst() {
    let mut play = Play::new("");
    play.bring("joko", "joko@kantor.example");
    play.writes("joko", &note("Situs kami diretas", "Halaman depan situs kami diganti orang."));
    let command = play.signed("ani", &note("Perintah", "!tiket BANTUAN70-2026-000001\n!valid\n"));
    // The same Message-ID, From, Date and body: made unreadable as a signature, and marked as a robot's.
    let text = String::from_utf8(command.clone()).unwrap();
    let mime = "MIME-Version: 1.0\r\n";
    for (from, to) in [
        ("Content-Type: multipart/signed", "Content-Type: multipart/mixed".to_owned()),
        (mime, format!("{mime}From: maling@lain.example\r\n")),
        (mime, format!("{mime}Auto-Submitted: auto-replied\r\n")),
    ] {
        play.post(text.replacen(from, &to, 1).as_bytes());
    }
    assert_eq!(play.ticket(1).state, State::AwaitingReporter);
    let receipts = play.post(&command);
    assert_eq!(kinds_to(&receipts, "ani@bssn.test"), ["receipt"]);
    assert_eq!(play.ticket(1).state, State::Analysing);
    // What the server delivers twice is once, and answered once.
    let again = [b"Received: from a by b; Tue, 3 Mar 2026 09:00:00 +0700\r\n".as_slice(), &command].concat();
    assert!(play.post(&again).is_empty());
}

#[test]
fn f41_what_may_have_arrived_twice_is_said_and_a_second_uncertain_end_is_told() {
    let world = property::with_ticket(State::Verifying, SignedDuration::from_hours(1));
    let bench = property::the_bench();
    let letter = |kind| Letter { kind, ..acknowledgement() };
    let settled = |next_at| Settled {
        state: LetterState::Uncertain,
        next_at,
        error: Some("the connection died".to_owned()),
        reply: None,
        counts_attempt: true,
    };
    let consequences = |kind, next_at| {
        retry::consequences(OutboxId(7), &letter(kind), &settled(next_at), &world, bench.desk(&property::KEY, property::now()))
    };
    let timeline = |effects: &[Effect]| {
        effects.iter().filter(|effect| matches!(effect, Effect::Event { event: TicketEvent::Noted { .. }, detail, .. } if detail.contains("kemungkinan ganda"))).count()
    };
    let first = consequences(LetterKind::Reply, Some(property::now()));
    assert_eq!((timeline(&first.effects), property::letters(&first).count()), (1, 0));
    let second = consequences(LetterKind::Reply, None);
    assert_eq!(timeline(&second.effects), 1);
    let told: Vec<&str> = property::letters(&second).map(|letter| letter.to.as_str()).collect();
    assert!(!told.is_empty() && told.iter().all(|to| to.ends_with("@bssn.test")), "{told:?}");
    // A notice about a notice would itself end so.
    assert_eq!(property::letters(&consequences(LetterKind::Notice, None)).count(), 0);
}

fn acknowledgement() -> Letter {
    let world = bantuan70::model::snapshot::Snapshot::empty("BANTUAN70", 2026);
    let raw = property::raw("joko", &note("Situs diretas", "Halaman depan diganti orang."), false, property::now());
    let decision = property::decided(&raw, &world, property::now());
    property::letters(&decision).find(|letter| letter.kind == LetterKind::Acknowledgement).unwrap().clone()
}

#[test]
fn m22_a_number_without_its_brackets_is_no_tag() {
    let mut play = Play::new("");
    play.bring("joko", "joko@kantor.example");
    play.writes("joko", &note("Situs kami diretas", "Halaman depan situs kami diganti orang."));
    let letters = play.writes("joko", &note("seperti BANTUAN70-2026-000001 dahulu", "Kini situs kami yang lain diretas."));
    assert_eq!(kinds_to(&letters, "joko@kantor.example"), ["acknowledgement"]);
    assert_eq!(play.tickets(), 2);
}

#[test]
fn only_the_reporter_reopens_a_ticket_and_others_are_shown_as_what_they_are() {
    let mut play = Play::new(TRUSTED);
    play.bring("joko", "joko@kantor.example");
    play.bring("rekan", "rekan@kantor.example");
    let report = Note {
        headers: vec!["Cc: rekan@kantor.example".to_owned()],
        ..note("Situs kami diretas", "Halaman depan situs kami diganti orang.")
    };
    play.writes("joko", &report);
    play.commands("!tiket BANTUAN70-2026-000001\n!tutup\n");
    assert_eq!(play.ticket(1).state, State::Closed);
    let answer = |headers: &[&str]| Note {
        headers: headers.iter().map(|line| (*line).to_owned()).collect(),
        ..note("Re: [BANTUAN70-2026-000001] Laporan", "Kami masih melihatnya. TLP:RED")
    };
    let copied = play.writes("rekan", &answer(&[PASSES]));
    assert_eq!(play.ticket(1).state, State::Closed);
    assert!(notice(&copied).contains("BUKAN PELAPOR") && notice(&copied).contains("tetap ditutup"), "{}", notice(&copied));
    let mark = play.ticket(1).tlp;
    let forged = play.writes("joko", &answer(&[FAILS]));
    assert_eq!((play.ticket(1).state, play.ticket(1).tlp), (State::Closed, mark));
    assert!(notice(&forged).contains("DMARC GAGAL"), "{}", notice(&forged));
    let genuine = play.writes("joko", &answer(&[PASSES]));
    assert!(play.ticket(1).state.is_open());
    assert!(notice(&genuine).contains("DMARC lulus") && !notice(&genuine).contains("BUKAN PELAPOR"), "{}", notice(&genuine));
    // Long after closing only the reporter's mail opens a linked ticket and is answered.
    play.commands("!tiket BANTUAN70-2026-000001\n!tutup\n");
    play.waits(24 * 20);
    for (who, header, tickets) in [("rekan", PASSES, 1), ("joko", FAILS, 1), ("joko", PASSES, 2)] {
        let letters = play.writes(who, &answer(&[header]));
        assert_eq!(play.tickets(), tickets, "{who} {header}");
        let address = format!("{who}@kantor.example");
        assert_eq!(kinds_to(&letters, &address).is_empty(), tickets == 1, "{who} {header}");
    }
}

#[test]
fn l14_the_trust_in_a_sender_stands_in_the_notice_of_a_new_ticket() {
    let mut play = Play::new(TRUSTED);
    play.bring("joko", "joko@kantor.example");
    for (header, words, kinds) in [
        (PASSES, "DMARC lulus", vec!["acknowledgement"]),
        (FAILS, "DMARC GAGAL", vec![]),
        ("Authentication-Results: mx.bssn.test; dmarc=none", "DMARC tidak menyatakan", vec!["acknowledgement"]),
        // The topmost of our server counts; what stands below was written by whoever sent it.
        ("Authentication-Results: mx.bssn.test; dmarc=fail\r\nAuthentication-Results: mx.bssn.test; dmarc=pass", "DMARC GAGAL", vec![]),
        ("Authentication-Results: mx.lain.example; dmarc=pass", "tanpa tanda tangan", vec!["acknowledgement"]),
    ] {
        let report = Note { headers: vec![header.to_owned()], ..note("Situs kami diretas", "Halaman depan situs kami diganti orang.") };
        let letters = play.writes("joko", &report);
        assert_eq!(kinds_to(&letters, "joko@kantor.example"), kinds, "{header}");
        assert!(notice(&letters).contains(words), "{header}: {}", notice(&letters));
    }
}

#[test]
fn p26_the_notice_tells_known_from_unknown_and_changed_signatures_and_the_subject_outside() {
    let mut play = Play::new("");
    play.bring_with_key("joko", "joko@kantor.example");
    let report = note("Situs kami diretas", "Halaman depan situs kami diganti orang.");
    let signed = String::from_utf8(play.signed("joko", &report)).unwrap();
    // The key does not come along.
    let (head, tail) = signed.split_once("Autocrypt:").unwrap();
    let rest = tail.split_once("\r\nMIME-Version").unwrap().1;
    let alone = format!("{head}MIME-Version{rest}");
    let changed = alone.replace("Halaman depan", "Halaman muka").replace("joko.1@", "joko.11@");
    let outside = alone.replacen("Subject: Situs kami diretas", "Subject: Tagihan Anda", 1).replacen("joko.1@", "joko.12@", 1);
    let expected =
        [(alone, "kunci yang tidak kami kenal"), (changed, "kunci yang tidak kami kenal"), (outside, "kunci yang tidak kami kenal")];
    for (raw, words) in &expected {
        let letters = play.post(raw.as_bytes());
        assert!(notice(&letters).contains(words), "{}", notice(&letters));
    }
    // Pinned to its owner it is known, what was changed is seen, and so is what stands outside.
    let certificate = play.stage.actor("joko").unwrap().certificate().unwrap();
    play.contact("joko@kantor.example", &certificate);
    for (serial, (raw, _)) in expected.iter().enumerate() {
        let raw =
            raw.replacen("MIME-Version: 1.0\r\n", &format!("MIME-Version: 1.0\r\nDate: Tue, 03 Mar 2026 10:0{serial}:00 +0700\r\n"), 1);
        let letters = play.post(raw.as_bytes());
        let words = ["dengan sertifikat yang tercatat untuk pengirim ini", "TANDA TANGAN TIDAK SAH", "subjeknya: Tagihan Anda"][serial];
        assert!(notice(&letters).contains(words), "{}", notice(&letters));
    }
}
