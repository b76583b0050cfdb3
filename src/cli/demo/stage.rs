//! People who write to the daemon and read what it sends, between two Maildirs and with a clock
//! that is moved by hand. The demonstration and the story tests play on it; the daemon is the real one.

use crate::config::Config;
use crate::daemon::clock::Clock;
use crate::daemon::{Daemon, bench};
use crate::mail::read;
use crate::mail::write::Center;
use crate::model::letter::{AutoSubmitted, Enclosure, Letter, LetterKind, Protection, Words};
use crate::model::{Address, Fingerprint, Language, Sha256};
use crate::openpgp::{Keyring, OwnKey, generate_own, open, seal};
use crate::store::{FILE_NAME, Store};
use anyhow::{Context as _, anyhow, bail};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Someone with an address and, perhaps, an OpenPGP key.
#[derive(Debug)]
pub struct Actor {
    pub name: String,
    pub address: Address,
    keyring: Keyring,
    pub fingerprint: Option<Fingerprint>,
}

/// What an actor writes.
#[derive(Debug, Clone, Default)]
pub struct Note {
    pub subject: String,
    pub text: String,
    /// Header lines to add, without line ends: `Auto-Submitted: auto-replied`.
    pub headers: Vec<String>,
    /// The Message-ID that it answers.
    pub answers: Option<String>,
    pub enclosures: Vec<(String, String, Vec<u8>)>,
}

/// A mail of the daemon as its recipient reads it.
#[derive(Debug, Clone)]
pub struct Received {
    pub to: Address,
    pub message_id: String,
    /// The subject that everybody on the way can read.
    pub outer_subject: String,
    pub subject: String,
    pub text: String,
    /// The files that came with it, by their names.
    pub files: BTreeMap<String, Arc<[u8]>>,
    /// `signed`, `encrypted`, `plain`.
    pub protection: &'static str,
    pub raw: Vec<u8>,
}

/// The stage.
#[derive(Debug)]
pub struct Stage {
    pub daemon: Daemon,
    pub clock: Clock,
    pub actors: BTreeMap<String, Actor>,
    pub config_file: PathBuf,
    inbox: PathBuf,
    outbox: PathBuf,
    seen: BTreeSet<PathBuf>,
    delivered: u32,
}

impl Actor {
    /// Someone with a key made at `now`.
    ///
    /// # Errors
    /// Where no key can be made.
    pub fn with_key(name: &str, address: &str, now: Timestamp) -> anyhow::Result<Self> {
        Ok(Self::with_secret(name, address, now)?.0)
    }

    fn with_secret(name: &str, address: &str, now: Timestamp) -> anyhow::Result<(Self, Vec<u8>)> {
        let address = Address::parse(address).with_context(|| format!("{address} is no address"))?;
        let made = generate_own(name, &address, None, now).map_err(|error| anyhow!("{error}"))?;
        let own = OwnKey::read(&made.secret, None, now).map_err(|error| anyhow!("{error}"))?;
        let mut keyring = Keyring::new();
        keyring.set_own(own);
        let actor = Self { name: name.to_owned(), address, keyring, fingerprint: Some(made.fingerprint) };
        Ok((actor, made.secret))
    }

    /// Someone without a key.
    ///
    /// # Errors
    /// The address is none.
    pub fn without_key(name: &str, address: &str) -> anyhow::Result<Self> {
        let address = Address::parse(address).with_context(|| format!("{address} is no address"))?;
        Ok(Self { name: name.to_owned(), address, keyring: Keyring::new(), fingerprint: None })
    }

    /// The certificate, in ASCII armor.
    #[must_use]
    pub fn certificate(&self) -> Option<Vec<u8>> {
        self.keyring.own().map(OwnKey::armored)
    }

    /// A mail without any protection; header lines of the note stand on top.
    ///
    /// # Errors
    /// The note cannot be written as a mail.
    pub fn writes(&self, to: &Address, note: &Note, message_id: &str, now: Timestamp) -> anyhow::Result<Vec<u8>> {
        let mut mail: Vec<u8> = note.headers.iter().flat_map(|line| format!("{line}\r\n").into_bytes()).collect();
        mail.extend(self.mails(to, note, message_id, Protection::Plain, now)?);
        Ok(mail)
    }

    /// A mail signed by this actor, in the form that Thunderbird sends (RFC 3156, protected headers).
    ///
    /// # Errors
    /// The actor has no key.
    pub fn signs(&self, to: &Address, note: &Note, message_id: &str, now: Timestamp) -> anyhow::Result<Vec<u8>> {
        self.mails(to, note, message_id, Protection::Signed, now)
    }

    /// A mail signed by this actor and encrypted to whoever holds that certificate (RFC 3156 §6.2).
    ///
    /// # Errors
    /// The actor has no key, or the certificate cannot be encrypted to.
    pub fn seals(&self, to: &Address, certificate: &[u8], note: &Note, message_id: &str, now: Timestamp) -> anyhow::Result<Vec<u8>> {
        let mut sealer = Self { name: self.name.clone(), address: self.address.clone(), keyring: self.keyring.clone(), fingerprint: None };
        let recipient = sealer.keyring.add(certificate).map_err(|error| anyhow!("{error}"))?;
        sealer.mails(to, note, message_id, Protection::Sealed { recipient }, now)
    }

    /// An actor's mail is made as the daemon's own letters are: one writer, one seal.
    fn mails(&self, to: &Address, note: &Note, message_id: &str, protection: Protection, now: Timestamp) -> anyhow::Result<Vec<u8>> {
        let enclosure = |(name, media_type, content): &(String, String, Vec<u8>)| Enclosure {
            name: name.clone(),
            media_type: media_type.clone(),
            sha256: Sha256::of(content),
            content: Arc::from(content.as_slice()),
        };
        let letter = Letter {
            kind: LetterKind::Reply,
            to: to.clone(),
            to_name: String::new(),
            ticket: None,
            dissemination: None,
            message_id: message_id.to_owned(),
            in_reply_to: note.answers.clone(),
            references: note.answers.iter().cloned().collect(),
            subject: note.subject.clone(),
            outer_subject: String::new(),
            text: note.text.clone(),
            html: None,
            enclosures: note.enclosures.iter().map(enclosure).collect(),
            auto_submitted: AutoSubmitted::No,
            protection,
            tlp: None,
            words: Words::Written,
            language: Language::Id,
            token: None,
            encloses_certificate: false,
            held_because: None,
            not_before: None,
        };
        let center = Center { name: self.name.clone(), address: self.address.clone() };
        let sealed = seal(&letter, &center, &self.keyring, now).map_err(|held| anyhow!("{held}"))?;
        Ok(sealed.bytes().to_vec())
    }

    /// Reads a mail of the daemon with this actor's key.
    #[must_use]
    pub fn reads(&self, raw: &[u8], now: Timestamp) -> Received {
        let reading = read::read(raw);
        let outer_subject = reading.0.subject.clone();
        let opened = open::open(reading, &self.keyring, now, 64 * 1024 * 1024);
        let protection = match (opened.findings.is_encrypted, opened.findings.is_signed) {
            (true, _) => "encrypted",
            (false, true) => "signed",
            (false, false) => "plain",
        };
        Received {
            to: self.address.clone(),
            message_id: opened.mail.message_id.clone().unwrap_or_default(),
            outer_subject,
            subject: opened.mail.subject.clone(),
            text: opened.mail.text.full.clone(),
            files: opened.mail.attachments.iter().map(|file| (file.name.clone(), Arc::clone(&file.content))).collect(),
            protection,
            raw: raw.to_vec(),
        }
    }
}

/// What is on the stage before the play begins.
#[derive(Debug, Clone, Copy, Default)]
pub struct Setting<'a> {
    /// Kind (`analyst`, `chief`, `internal_unit`), name and address of those whom the configuration names.
    pub people: &'a [(&'a str, &'a str, &'a str)],
    /// More lines of `[center]`.
    pub center: &'a str,
    /// More lines of `[intake]`.
    pub intake: &'a str,
    /// Further sections.
    pub more: &'a str,
}

impl Setting<'_> {
    /// Writes keys and a configuration into `dir`; gives the people by the local part of their
    /// addresses, and the configuration's file.
    ///
    /// # Errors
    /// The folder is not empty or cannot be written.
    pub fn furnish(&self, dir: &Path, start: Timestamp) -> anyhow::Result<(BTreeMap<String, Actor>, PathBuf)> {
        std::fs::create_dir_all(dir).with_context(|| format!("make {}", dir.display()))?;
        if std::fs::read_dir(dir).with_context(|| format!("look into {}", dir.display()))?.next().is_some() {
            bail!("{} is not empty; name another folder", dir.display());
        }
        let (_, secret) = Actor::with_secret("Pusat Kontak Siber Nasional", "bantuan70@bssn.test", start)?;
        write_private(&dir.join("center.key"), &secret)?;
        let mut config = format!("[center]\ndata_dir = \"data\"\n{}", self.center);
        config.push_str("\n[intake]\nkind = \"maildir\"\npath = \"in\"\n");
        config.push_str(self.intake);
        config.push_str("\n[outgoing]\nkind = \"maildir\"\npath = \"out\"\n\n[openpgp]\nkey_file = \"center.key\"\n");
        config.push_str(self.more);
        let mut actors = BTreeMap::new();
        for (kind, name, address) in self.people {
            let actor = Actor::with_key(name, address, start)?;
            let file = format!("{}.asc", actor.address.local());
            std::fs::write(dir.join(&file), actor.certificate().unwrap_or_default()).with_context(|| format!("write {file}"))?;
            config.push_str(&format!("\n[[{kind}]]\nname = \"{name}\"\naddress = \"{address}\"\ncertificate = \"{file}\"\n"));
            if *kind == "analyst" {
                config.push_str("can_approve = true\n");
            }
            actors.insert(actor.address.local().to_owned(), actor);
        }
        let config_file = dir.join("bantuan70.toml");
        std::fs::write(&config_file, config).with_context(|| format!("write {}", config_file.display()))?;
        Ok((actors, config_file))
    }
}

impl Stage {
    /// Writes keys and a configuration into `dir`, and starts the daemon on them.
    ///
    /// # Errors
    /// The folder is not empty or cannot be written.
    pub fn set_up(dir: &Path, start: Timestamp, setting: &Setting<'_>) -> anyhow::Result<Self> {
        let (actors, config_file) = setting.furnish(dir, start)?;
        let clock = Clock::standing_at(start);
        let daemon = Self::start(&config_file, &clock)?;
        let (inbox, outbox) = (dir.join("in"), dir.join("out"));
        for maildir in [&inbox, &outbox] {
            for folder in ["tmp", "new", "cur"] {
                std::fs::create_dir_all(maildir.join(folder)).with_context(|| format!("make {}", maildir.display()))?;
            }
        }
        Ok(Self { daemon, clock, actors, config_file, inbox, outbox, seen: BTreeSet::new(), delivered: 0 })
    }

    fn start(config_file: &Path, clock: &Clock) -> anyhow::Result<Daemon> {
        let config = Config::load(config_file).map_err(|error| anyhow!("{error}"))?;
        std::fs::create_dir_all(&config.center.data_dir).context("make the data folder")?;
        let store = Store::open(&config.center.data_dir.join(FILE_NAME))?;
        let bench = bench(&config, Some(&store), clock.now())?;
        Daemon::new(config, store, bench, clock.clone())
    }

    /// Brings someone else on, by a short name.
    pub fn add(&mut self, short: &str, actor: Actor) {
        self.actors.insert(short.to_owned(), actor);
    }

    /// Reads the configuration and the stored certificates again, as SIGHUP does.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn reload(&self) -> anyhow::Result<()> {
        self.daemon.replace_bench()
    }

    /// The daemon ends, and another begins on what it left.
    ///
    /// # Errors
    /// Why it does not begin.
    pub fn restart(self) -> anyhow::Result<Self> {
        let Self { daemon, clock, actors, config_file, inbox, outbox, seen, delivered } = self;
        // It holds the lock of the database.
        drop(daemon);
        let daemon = Self::start(&config_file, &clock)?;
        Ok(Self { daemon, clock, actors, config_file, inbox, outbox, seen, delivered })
    }

    /// The actor of that short name.
    ///
    /// # Errors
    /// There is none.
    pub fn actor(&self, short: &str) -> anyhow::Result<&Actor> {
        self.actors.get(short).with_context(|| format!("nobody is called {short}"))
    }

    /// Puts a raw message into the mailbox.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn deliver(&mut self, raw: &[u8]) -> anyhow::Result<()> {
        self.delivered += 1;
        let path = self.inbox.join("new").join(format!("{:06}.stage", self.delivered));
        std::fs::write(&path, raw).with_context(|| format!("write {}", path.display()))
    }

    /// A Message-ID for the next mail of an actor.
    #[must_use]
    pub fn next_message_id(&self, short: &str) -> String {
        let domain = self.actors.get(short).map_or("stage.test", |actor| actor.address.domain());
        format!("{short}.{}@{domain}", self.delivered + 1)
    }

    /// Lets the daemon do all that is to be done now; gives the mails that it sent, as their recipients read them.
    ///
    /// # Errors
    /// What the daemon says.
    pub async fn play(&mut self) -> anyhow::Result<Vec<Received>> {
        self.daemon.once().await.map_err(|error| anyhow!("{error}"))?;
        let mut paths: Vec<PathBuf> = Vec::new();
        for entry in std::fs::read_dir(self.outbox.join("new")).context("look into the outgoing Maildir")? {
            paths.push(entry.context("look into the outgoing Maildir")?.path());
        }
        paths.sort();
        let mut received = Vec::new();
        for path in paths {
            if !self.seen.insert(path.clone()) {
                continue;
            }
            let raw = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
            let to = read::read(&raw).0.to.first().and_then(|mailbox| mailbox.address.clone());
            let reader = self.actors.values().find(|actor| Some(&actor.address) == to.as_ref());
            let reader = reader.with_context(|| format!("a mail went to {to:?}, whom nobody knows"))?;
            received.push(reader.reads(&raw, self.clock.now()));
        }
        Ok(received)
    }

    /// Lets time pass.
    pub fn wait(&self, hours: i64) {
        self.clock.advance(SignedDuration::from_hours(hours));
    }
}

/// Writes a file that only its owner can read.
fn write_private(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("create {}", path.display()))?;
    file.write_all(content).with_context(|| format!("write {}", path.display()))
}
