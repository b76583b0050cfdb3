//! What an analyst's signed mail may move, and what it may not: rows C of the attacks, with gpg as
//! the analyst's program and the daemon between two Maildirs.

use crate::harness::gpg::{Gpg, crlf, encrypted_mail};
use bantuan70::cli::demo::stage::{Note, Received, Setting, Stage};
use bantuan70::config::Config;
use bantuan70::daemon::clock::Clock;
use bantuan70::daemon::{Daemon, bench};
use bantuan70::model::letter::{LetterKind, LetterState};
use bantuan70::model::ticket::{State, Ticket};
use bantuan70::store::{FILE_NAME, OutboxId, OutboxRow, Store, TicketFilter, View};
use jiff::{SignedDuration, Timestamp};
use std::path::PathBuf;

/// A centre with one analyst, whose key gpg holds, and a citizen.
struct Room {
    folder: tempfile::TempDir,
    stage: Stage,
    gpg: Gpg,
    key: String,
    sent: u32,
}

impl Room {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let gpg = Gpg::new();
        let key = gpg.new_key("Ani <ani@bssn.test>", "future-default");
        // The daemon's clock stands still from here on: a key may not be younger.
        let start = Timestamp::now();
        let people = [("analyst", "Ani", "ani@bssn.test"), ("chief", "Ketua", "ketua@bssn.test")];
        let mut stage = Stage::set_up(&folder.path().join("play"), start, &Setting { people: &people, ..Setting::default() }).unwrap();
        std::fs::write(folder.path().join("play/ani.asc"), gpg.export(&key)).unwrap();
        gpg.import(&std::fs::read(folder.path().join("play/center.key")).unwrap());
        stage.reload().unwrap();
        stage.add("budi", bantuan70::cli::demo::stage::Actor::without_key("Budi", "budi@warga.test").unwrap());
        Self { folder, stage, gpg, key, sent: 0 }
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("play")
    }

    async fn report(&mut self) -> Ticket {
        let note = Note { subject: "Situs diretas".into(), text: "Halaman depan situs desa kami diganti orang.".into(), ..Note::default() };
        let (now, id) = (self.stage.clock.now(), self.stage.next_message_id("budi"));
        let to = self.stage.daemon.config.center.address.clone();
        let raw = self.stage.actor("budi").unwrap().writes(&to, &note, &id, now).unwrap();
        self.stage.deliver(&raw).unwrap();
        self.stage.play().await.unwrap();
        self.tickets().pop().unwrap()
    }

    fn tickets(&self) -> Vec<Ticket> {
        self.stage.daemon.store.ticket_states(&TicketFilter::default()).unwrap()
    }

    fn header(&mut self, subject: &str) -> String {
        self.sent += 1;
        format!(
            "From: Ani <ani@bssn.test>\nTo: bantuan70@bssn.test\nSubject: {subject}\nMessage-ID: <a{}@bssn.test>\nMIME-Version: 1.0",
            self.sent
        )
    }

    /// Delivers this entity signed by the analyst; gives what went out.
    async fn signs(&mut self, entity: &str) -> Vec<Received> {
        let header = self.header("perintah");
        let raw = self.gpg.sign_mime(&self.key, &header, entity.as_bytes());
        self.stage.deliver(&raw).unwrap();
        self.stage.play().await.unwrap()
    }

    /// What an analyst reads of a mail that was encrypted to her.
    fn reads(&self, mail: &Received) -> String {
        let text = String::from_utf8_lossy(&mail.raw).into_owned();
        let from = text.find("-----BEGIN PGP MESSAGE-----").unwrap_or_else(|| panic!("not encrypted: {text}"));
        let plain = self.gpg.decrypt(text.get(from..).unwrap().as_bytes());
        let (mail, _) = bantuan70::mail::read::read(&plain.out);
        mail.text.full
    }

    fn outbox(&self) -> Vec<OutboxRow> {
        let zone = self.stage.daemon.config.center.time_zone.clone();
        let view = View { time_zone: zone, now: self.stage.clock.now(), center_address: "bantuan70@bssn.test".into() };
        self.stage.daemon.store.outbox(LetterState::ALL, &view).unwrap()
    }

    fn receipt(&self, sent: &[Received]) -> String {
        let mine: Vec<&Received> = sent.iter().filter(|mail| mail.to.as_str() == "ani@bssn.test").collect();
        assert_eq!(mine.len(), 1, "one receipt");
        self.reads(mine[0])
    }
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

fn plain(text: &str) -> String {
    format!("Content-Type: text/plain; charset=utf-8\n\n{text}")
}

/// Two views of one message: `multipart/alternative`, or parts beside each other.
fn both(subtype: &str, plain: &str, html: &str) -> String {
    format!(
        "Content-Type: multipart/{subtype}; boundary=b\n\n--b\nContent-Type: text/plain; charset=utf-8\n\n{plain}\n--b\nContent-Type: text/html; charset=utf-8\n\n<html><body>{html}</body></html>\n--b--\n"
    )
}

/// The plain text of what is signed is what acts and what is sent on; HTML does neither.
#[test]
fn c10_html_beside_the_plain_text_acts_not_and_is_not_sent_on() {
    run(async {
        let mut room = Room::new();
        let number = room.report().await.number;
        for subtype in ["alternative", "mixed"] {
            let words = format!("!tiket {number}\n!balas\nKami sudah menerima laporan Bapak.");
            let html = format!("<p>!tiket {number}</p><p>!tutup</p><p>kata-html-kenari</p>");
            let sent = room.signs(&both(subtype, &words, &html)).await;
            assert!(room.tickets()[0].state.is_open(), "{subtype}: the HTML closed nothing");
            let reply = sent.iter().find(|mail| mail.to.as_str() == "budi@warga.test");
            // Where the reading is in doubt the mail is refused; where it is not, the reply is the plain text.
            if let Some(reply) = reply {
                assert!(reply.text.contains("Kami sudah menerima laporan Bapak."), "{subtype}: {}", reply.text);
            }
            for mail in sent.iter().filter(|mail| mail.to.as_str() != "ani@bssn.test") {
                assert!(!String::from_utf8_lossy(&mail.raw).contains("kenari"), "{subtype}: {}", mail.text);
            }
        }
        assert!(room.outbox().iter().any(|row| row.kind == LetterKind::Reply), "the alternative was understood");
    });
}

#[test]
fn c10_signed_html_alone_commands_nothing_and_says_why() {
    run(async {
        let mut room = Room::new();
        let number = room.report().await.number;
        let entity = format!("Content-Type: text/html; charset=utf-8\n\n<p>!tiket {number}</p><p>!tutup</p>\n");
        let sent = room.signs(&entity).await;
        assert!(room.tickets()[0].state.is_open());
        let receipt = room.receipt(&sent);
        assert!(receipt.contains("tidak memuat teks biasa (text/plain)"), "{receipt}");
    });
}

/// Words that an analyst signed for another centre do nothing here (contract 5).
#[test]
fn c3_what_names_no_ticket_must_name_this_centre() {
    run(async {
        let mut room = Room::new();
        let other = "Content-Type: text/plain; charset=utf-8; protected-headers=\"v1\"\nFrom: ani@bssn.test\nTo: bantuan@csirt.lain.test\nSubject: surat\n\n";
        for entity in [
            plain("!catatkan phone\nSeorang ibu menelepon: rekeningnya dikuras."),
            format!("{other}!catatkan phone\nSeorang ibu menelepon: rekeningnya dikuras."),
            format!("{other}!tlp GREEN\n!diseminasi sector:bank\nWaspada."),
        ] {
            let sent = room.signs(&entity).await;
            assert_eq!(room.tickets().len(), 0, "{entity}");
            assert!(room.receipt(&sent).contains("bantuan70@bssn.test"), "the receipt says what must be named: {}", room.receipt(&sent));
        }
        let here = other.replace("bantuan@csirt.lain.test", "bantuan70@bssn.test");
        room.signs(&format!("{here}!catatkan phone\nSeorang ibu menelepon: rekeningnya dikuras.")).await;
        assert_eq!(room.tickets().len(), 1, "the protected To names this centre");
        // An answer to the configured address alone tells nobody else anything.
        let sent = room.signs(&format!("{other}!laporan")).await;
        assert_eq!(sent.iter().map(|mail| mail.to.as_str()).collect::<Vec<_>>(), ["ani@bssn.test"]);
    });
}

/// Ten thousand forged mails do not become ten thousand receipts.
#[test]
fn c15_forged_mail_costs_an_analyst_ten_receipts_and_one_summary_a_day() {
    run(async {
        let mut room = Room::new();
        let number = room.report().await.number;
        let before = room.outbox().len();
        for _ in 0..40 {
            let header = room.header(&format!("Re: [{number}] x"));
            let raw = format!("{header}\n{}", plain("!tutup"));
            room.stage.deliver(&crlf(raw.as_bytes())).unwrap();
        }
        room.stage.play().await.unwrap();
        room.stage.clock.advance(SignedDuration::from_hours(25));
        room.stage.play().await.unwrap();
        let receipts = room.outbox().iter().skip(before).filter(|row| row.kind == LetterKind::Receipt).count();
        assert_eq!(receipts, 11, "ten, and one summary");
        assert!(room.tickets()[0].state.is_open());
        let last = room.outbox().iter().filter(|row| row.kind == LetterKind::Receipt).map(|row| row.id).max().unwrap();
        let summary = room.stage.daemon.store.letter(OutboxId(last)).unwrap().letter.text;
        assert!(summary.contains("Sampai besok"), "{summary}");
    });
}

/// Who may command is what the configuration says when the mail is handled, not when it came.
#[test]
fn c16_an_analyst_who_was_removed_while_a_mail_waits_commands_nothing() {
    run(async {
        let mut room = Room::new();
        let number = room.report().await.number;
        let header = room.header("perintah");
        let raw = room.gpg.sign_mime(&room.key, &header, plain(&format!("!tiket {number}\n!tutup\nSelesai.")).as_bytes());
        room.stage.deliver(&raw).unwrap();
        let file = room.dir().join("bantuan70.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let people = text.find("[[analyst]]").unwrap();
        let chief = text.find("[[chief]]").unwrap();
        assert!(people < chief);
        std::fs::write(&file, format!("{}{}", text.get(..people).unwrap(), text.get(chief..).unwrap())).unwrap();
        let (clock, dir) = (room.stage.clock.clone(), room.dir());
        let Room { stage, folder, .. } = room;
        drop(stage);
        let daemon = start(&dir, &clock);
        daemon.once().await.unwrap();
        let ticket = daemon.store.ticket_states(&TicketFilter::default()).unwrap().remove(0);
        assert_ne!(ticket.state, State::Closed);
        assert_eq!(
            daemon.store.ticket_states(&TicketFilter::default()).unwrap().iter().filter(|ticket| ticket.state == State::Closed).count(),
            0
        );
        drop(folder);
    });
}

fn start(dir: &std::path::Path, clock: &Clock) -> Daemon {
    let config = Config::load(&dir.join("bantuan70.toml")).unwrap();
    let store = Store::open(&config.center.data_dir.join(FILE_NAME)).unwrap();
    let bench = bench(&config, Some(&store), clock.now()).unwrap();
    Daemon::new(config, store, bench, clock.clone()).unwrap()
}

/// An encrypted command is answered as a signed one is, and the ticket that it names is the one inside.
#[test]
fn an_encrypted_command_acts_and_its_receipt_is_encrypted() {
    run(async {
        let mut room = Room::new();
        let number = room.report().await.number;
        let center = room.stage.daemon.bench().reader.keyring.own().unwrap().fingerprint().0;
        let entity = crlf(plain(&format!("!tiket {number}\n!prioritas kritis\n")).as_bytes());
        let message = room.gpg.encrypt_sign(Some(&room.key), &[&center], &entity);
        let header = room.header("...");
        room.stage.deliver(&encrypted_mail(&header, &message)).unwrap();
        let sent = room.stage.play().await.unwrap();
        assert_eq!(room.tickets()[0].priority.to_string(), "critical");
        assert!(room.receipt(&sent).contains(&number.0));
    });
}

/// The analyst's next digest of mail that opened no ticket. It leaves at an hour of the day, and a test begins at any.
async fn digest(room: &mut Room) -> String {
    for _ in 0..26 {
        room.stage.wait(1);
        let sent = room.stage.play().await.unwrap();
        if let Some(mail) = sent.iter().find(|mail| mail.to.as_str() == "ani@bssn.test") {
            return room.reads(mail);
        }
    }
    panic!("no digest within a day");
}

/// A list is not answered and opens nothing, and who reads the digest sees which of its mail tells of an incident.
#[test]
fn l4_a_lists_mail_that_reads_like_a_report_is_told_as_one_in_the_digest() {
    run(async {
        let mut room = Room::new();
        for (subject, text) in [
            ("Laporan", "Situs kampus kami diretas, halaman depannya diganti oleh kelompok peretas. Mohon bantuan."),
            ("Kabar pekan ini", "Rapat pengurus pindah ke hari Kamis."),
        ] {
            let mail = format!("From: budi@kampus.test\r\nList-Id: <it.kampus.test>\r\nSubject: {subject}\r\n\r\n{text}\r\n");
            room.stage.deliver(mail.as_bytes()).unwrap();
        }
        let sent = room.stage.play().await.unwrap();
        assert!(sent.iter().all(|mail| mail.to.as_str() != "budi@kampus.test") && room.tickets().is_empty());
        let digest = digest(&mut room).await;
        assert_eq!(digest.matches("terbaca seperti laporan").count(), 1, "{digest}");
        assert!(digest.contains("terbaca seperti laporan: peretasan situs"), "{digest}");
    });
}

/// What the digest says to do works in a program that signs no header fields: its quotation names the centre.
#[test]
fn a_mail_is_promoted_by_an_answer_below_which_the_digest_is_quoted() {
    run(async {
        let mut room = Room::new();
        let robot = b"From: sistem@warga.test\r\nAuto-Submitted: auto-replied\r\nSubject: Alarm\r\n\r\nHalaman depan situs berubah.\r\n";
        room.stage.deliver(robot).unwrap();
        room.stage.play().await.unwrap();
        let digest = digest(&mut room).await;
        let refused = room.signs(&plain("!angkat 1\n")).await;
        assert!(room.receipt(&refused).contains("bantuan70@bssn.test"), "the receipt says what is wanted");
        assert!(room.tickets().is_empty());
        let quoted: String = digest.lines().map(|line| format!("> {line}\n")).collect();
        room.signs(&plain(&format!("!angkat 1\n\n{quoted}"))).await;
        assert_eq!(room.tickets().len(), 1);
    });
}

/// Who looks for late tickets finds none among those that nobody works on.
#[test]
fn a_closed_ticket_has_no_running_clock_in_the_listing() {
    run(async {
        let mut room = Room::new();
        let number = room.report().await.number;
        room.signs(&plain(&format!("!tiket {number}\n!valid\n!tutup"))).await;
        let zone = room.stage.daemon.config.center.time_zone.clone();
        let now = room.stage.clock.now() + SignedDuration::from_hours(24 * 30);
        let view = View { time_zone: zone, now, center_address: "bantuan70@bssn.test".into() };
        let page = room.stage.daemon.store.ticket(&number, &view).unwrap().unwrap();
        let json = serde_json::to_value(&page).unwrap();
        let analysis = json["clocks"].as_array().unwrap().iter().find(|clock| clock["name"] == "analysis").unwrap().clone();
        assert_eq!((&analysis["state"], &analysis["due_at"]), (&"waiting".into(), &serde_json::Value::Null), "{analysis}");
        assert!(analysis["started_at"].is_string() && analysis["paused_at"].is_string(), "{analysis}");
        // Reopened, its term goes on.
        room.signs(&plain(&format!("!tiket {number}\n!buka"))).await;
        let view = View { now: room.stage.clock.now(), ..view };
        let json = serde_json::to_value(room.stage.daemon.store.ticket(&number, &view).unwrap().unwrap()).unwrap();
        let analysis = json["clocks"].as_array().unwrap().iter().find(|clock| clock["name"] == "analysis").unwrap();
        assert_eq!(analysis["state"], "running", "{analysis}");
        assert!(analysis["due_at"].is_string() && analysis["paused_at"].is_null(), "{analysis}");
    });
}
