//! A server that lets the daemon wait: what changed meanwhile counts.

use super::*;
use crate::cli::demo::stage::{Actor, Note, Stage};
use crate::config::Config;
use crate::daemon::tests::{report, stage, view};
use crate::model::Language;
use crate::model::contact::ContactKind;
use crate::store::{FILE_NAME, NewContact, Store};
use jiff::SignedDuration;
use std::sync::{Mutex, PoisonError};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// An SMTP server that keeps every letter, and halts at one place until it is let go.
#[derive(Default)]
struct Server {
    kept: Mutex<Vec<String>>,
    halts_at: Mutex<Option<&'static str>>,
    has_halted: Notify,
    goes_on: Notify,
}

impl Server {
    async fn start() -> (Arc<Self>, u16) {
        let server = Arc::new(Self::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serves = Arc::clone(&server);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serves = Arc::clone(&serves);
                tokio::spawn(async move { serves.serve(stream).await });
            }
        });
        (server, port)
    }

    async fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        self.pass("greeting").await;
        stream.write_all(b"220 ready\r\n").await.ok()?;
        loop {
            let command = line(&mut stream).await?;
            let word = command.get(..4)?.to_ascii_uppercase();
            let answer = match word.as_str() {
                "DATA" => {
                    stream.write_all(b"354 go on\r\n").await.ok()?;
                    let mut letter = String::new();
                    while !letter.ends_with("\r\n.\r\n") {
                        letter.push_str(&line(&mut stream).await?);
                    }
                    self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(letter);
                    "250 kept\r\n"
                }
                "RSET" => {
                    self.pass("RSET").await;
                    "250 ok\r\n"
                }
                "QUIT" => "221 bye\r\n",
                _ => "250 ok\r\n",
            };
            stream.write_all(answer.as_bytes()).await.ok()?;
        }
    }

    async fn pass(&self, place: &str) {
        let halts = self.halts_at.lock().unwrap_or_else(PoisonError::into_inner).take_if(|at| *at == place).is_some();
        if halts {
            self.has_halted.notify_one();
            self.goes_on.notified().await;
        }
    }

    fn halt_at(&self, place: &'static str) {
        *self.halts_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(place);
    }

    fn has_kept(&self, words: &str) -> bool {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|letter| letter.contains(words))
    }
}

async fn line(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await.ok()?;
    (read > 0).then_some(line)
}

/// The stage, with that server instead of a Maildir.
async fn with_server() -> (tempfile::TempDir, Stage, Arc<Server>) {
    let (server, port) = Server::start().await;
    let (folder, mut stage) = stage();
    let written = std::fs::read_to_string(&stage.config_file).unwrap();
    let smtp = format!("kind = \"smtp\"\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"");
    // The stage's own daemon has its database open.
    let changed = written.replace("kind = \"maildir\"\npath = \"out\"", &smtp).replace("data_dir = \"data\"", "data_dir = \"other\"");
    std::fs::write(&stage.config_file, changed).unwrap();
    let config = Config::load(&stage.config_file).unwrap();
    std::fs::create_dir(&config.center.data_dir).unwrap();
    let store = Store::open(&config.center.data_dir.join(FILE_NAME)).unwrap();
    let bench = crate::daemon::bench(&config, Some(&store), stage.clock.now()).unwrap();
    stage.daemon = Daemon::new(config, store, bench, stage.clock.clone()).unwrap();
    (folder, stage, server)
}

async fn command(stage: &mut Stage, text: &str) {
    let note = Note { text: text.to_owned(), ..Note::default() };
    let id = stage.next_message_id("ani");
    let raw = stage.actor("ani").unwrap().signs(&stage.daemon.config.center.address, &note, &id, stage.clock.now()).unwrap();
    stage.deliver(&raw).unwrap();
    stage.daemon.take_in().await.unwrap();
}

/// The next letter is made ready, and the server halts: while the daemon connects, or asks whether its line stands.
/// Then something changes. Gives why the newest letter to this address is held.
async fn held_by(change: &str, to: &str, place: &'static str, stage: &mut Stage, server: &Server, sender: &mut Sender) -> String {
    match place {
        "greeting" => *sender = Sender::new(),
        _ => drop(stage.daemon.sleeps.fetch_add(1, std::sync::atomic::Ordering::Relaxed)),
    }
    server.halt_at(place);
    let daemon = stage.daemon.clone();
    let changes = async {
        server.has_halted.notified().await;
        if change.is_empty() {
            stage.clock.advance(SignedDuration::from_hours(366 * 24));
        } else {
            command(stage, change).await;
        }
        server.goes_on.notify_one();
    };
    let (round, ()) = tokio::join!(sender.round(&daemon), changes);
    round.unwrap();
    assert!(!server.has_kept("canary"), "it left, while the server halted at {place}");
    let held = stage.daemon.store.outbox(&[LetterState::Held], &view(stage)).unwrap();
    let row = held.iter().filter(|row| row.to == to).max_by_key(|row| row.id).unwrap_or_else(|| panic!("{place}: {held:?}"));
    assert_eq!(row.attempts, 0);
    row.last_error.clone().unwrap()
}

#[tokio::test]
async fn p30_a_mark_that_rises_while_the_server_is_slow_holds_the_text() {
    let (_folder, mut stage, server) = with_server().await;
    report(&mut stage);
    stage.daemon.take_in().await.unwrap();
    let mut sender = Sender::new();
    sender.round(&stage.daemon.clone()).await.unwrap();
    let number = stage.daemon.store.open_tickets().unwrap().remove(0);
    for (place, mark) in [("greeting", "RED"), ("RSET", "AMBER")] {
        command(&mut stage, &format!("!tiket {number}\n!tlp CLEAR\n!balas\ncanary")).await;
        let rise = format!("!tiket {number}\n!tlp {mark}");
        let why = held_by(&rise, "siti@warga.example", place, &mut stage, &server, &mut sender).await;
        assert!(why.contains(&format!("TLP:{mark}")), "{why}");
    }
}

/// Nothing in the database changes: time alone passes while the server is slow.
#[tokio::test]
async fn p30_a_verification_that_ages_out_while_the_server_is_slow_holds_the_mail() {
    let (_folder, mut stage, server) = with_server().await;
    let bank = Actor::with_key("Bank", "csirt@bank.example", stage.clock.now()).unwrap();
    let contact = NewContact {
        name: "Bank".to_owned(),
        address: bank.address.clone(),
        kind: ContactKind::Role,
        organisation: "Bank".to_owned(),
        sectors: Vec::new(),
        groups: Vec::new(),
        language: Language::Id,
        fingerprint: bank.fingerprint.clone(),
        expires_at: None,
    };
    let certificate = bank.certificate().unwrap();
    stage.daemon.store.put_certificate(bank.fingerprint.as_ref().unwrap(), &certificate, None, stage.clock.now()).unwrap();
    stage.daemon.store.add_contact(&contact, "test", stage.clock.now()).unwrap();
    stage.reload().unwrap();
    let mut sender = Sender::new();
    report(&mut stage);
    stage.daemon.take_in().await.unwrap();
    sender.round(&stage.daemon.clone()).await.unwrap();
    for (place, known) in [("greeting", 0), ("RSET", 1)] {
        let now = stage.clock.now();
        stage.daemon.store.verify_contact(&bank.address, "call-back", "test", now).unwrap();
        command(&mut stage, "!tlp GREEN\n!diseminasi csirt@bank.example\ncanary untuk bantuan70@bssn.test.").await;
        // Nothing goes before the mail of the dissemination.
        while let Some(id) = stage.daemon.store.due_letters(now, 9).unwrap().into_iter().find(|id| is_of_the_house(&stage, *id)) {
            stage.daemon.store.cancel(id, "test", now).unwrap();
        }
        let why = held_by("", "csirt@bank.example", place, &mut stage, &server, &mut sender).await;
        assert!(why.contains("365 hari"), "{why}");
        assert_eq!(stage.daemon.store.outbox(&[LetterState::Held], &view(&stage)).unwrap().len(), known + 1);
    }
}

fn is_of_the_house(stage: &Stage, id: OutboxId) -> bool {
    stage.daemon.store.letter(id).unwrap().letter.dissemination.is_none()
}
