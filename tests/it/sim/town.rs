//! The world of the simulation: people with keys, a mailbox, a store whose commits can be made to
//! fail, and what the mail server accepted. All chance comes from one seed.

use bantuan70::cli::demo::stage::{Actor, Note, Received, Setting};
use bantuan70::config::Config;
use bantuan70::daemon::clock::Clock;
use bantuan70::daemon::{Daemon, bench};
use bantuan70::model::contact::ContactKind;
use bantuan70::model::{Address, Language};
use bantuan70::store::{FILE_NAME, NewContact, Store, View};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use tempfile::TempDir;

pub const START: &str = "2026-03-03T01:15:00Z";

/// Reporters; the robot writes with an automatic mark alone.
pub const REPORTERS: [&str; 4] = ["joko", "siti", "wati", "maling"];

/// Chance (splitmix64): the same seed, the same play.
#[derive(Debug)]
pub struct Chance(pub u64);

impl Chance {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// From 0 to `n` - 1.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
    pub fn percent(&mut self, n: usize) -> bool {
        self.below(100) < n
    }
    pub fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

/// Keys, configuration and directory are made once; each play begins with a copy of them, so that
/// two plays have the same token key and make the same identifiers.
pub struct Base {
    folder: TempDir,
    pub actors: BTreeMap<String, Actor>,
}

impl Base {
    /// The configuration that lies there.
    pub fn config(&self) -> Config {
        Config::load(&self.folder.path().join("base/bantuan70.toml")).unwrap()
    }
}

pub fn base() -> &'static Base {
    static BASE: OnceLock<Base> = OnceLock::new();
    BASE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let start: Timestamp = START.parse().unwrap();
        let people = [
            ("analyst", "Ani Lestari", "ani@bssn.test"),
            ("analyst", "Budi Santoso", "budi@bssn.test"),
            ("chief", "Rudi Hartono", "rudi@bssn.test"),
            ("internal_unit", "Humas", "humas@bssn.test"),
        ];
        let intake = "authserv_id = \"mx.bssn.test\"\n";
        let (mut actors, config_file) =
            Setting { people: &people, intake, ..Setting::default() }.furnish(&folder.path().join("base"), start).unwrap();
        for (short, address) in [
            ("joko", "joko@kantor.example"),
            ("siti", "siti@warga.example"),
            ("wati", "wati@kantor.example"),
            ("maling", "maling@lain.example"),
            ("robot", "sistem@kantor.example"),
            ("rsud", "it@rsud.example"),
        ] {
            actors.insert(short.to_owned(), Actor::without_key(short, address).unwrap());
        }
        for (short, address) in [("bank", "csirt@bank.example"), ("rina", "rina@bank.example")] {
            actors.insert(short.to_owned(), Actor::with_key(short, address, start).unwrap());
        }
        let config = Config::load(&config_file).unwrap();
        std::fs::create_dir_all(&config.center.data_dir).unwrap();
        let store = Store::open(&config.center.data_dir.join(FILE_NAME)).unwrap();
        for (short, kind) in
            [("bank", ContactKind::Role), ("rina", ContactKind::Person), ("rsud", ContactKind::Role), ("siti", ContactKind::Person)]
        {
            let actor = &actors[short];
            if let Some(fingerprint) = &actor.fingerprint {
                store.put_certificate(fingerprint, &actor.certificate().unwrap(), None, start).unwrap();
            }
            let contact = NewContact {
                name: short.to_owned(),
                address: actor.address.clone(),
                kind,
                organisation: short.to_owned(),
                sectors: vec!["finance".to_owned()],
                groups: Vec::new(),
                language: Language::Id,
                fingerprint: actor.fingerprint.clone(),
                expires_at: None,
            };
            store.add_contact(&contact, "sim", start).unwrap();
            if short != "siti" {
                store.verify_contact(&actor.address, "call-back", "sim", start).unwrap();
            }
        }
        Base { folder, actors }
    })
}

/// Refuses the n-th commit from when it is lit, and all after it: the process is gone.
#[derive(Debug)]
pub struct Fuse {
    left: AtomicI64,
    is_dead: AtomicBool,
    pub commits: AtomicU64,
}

impl Fuse {
    fn new() -> Arc<Self> {
        Arc::new(Self { left: AtomicI64::new(i64::MAX), is_dead: AtomicBool::new(false), commits: AtomicU64::new(0) })
    }
    pub fn light(&self, commits: i64) {
        self.left.store(commits, Ordering::SeqCst);
    }
    fn allows(&self) -> bool {
        if self.is_dead.load(Ordering::SeqCst) {
            return false;
        }
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.is_dead.store(true, Ordering::SeqCst);
            return false;
        }
        self.commits.fetch_add(1, Ordering::SeqCst);
        true
    }
    pub fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::SeqCst)
    }
}

/// A mail that the server accepted.
#[derive(Debug, Clone)]
pub struct Accepted {
    pub message_id: String,
    pub to: Address,
    pub raw: Vec<u8>,
}

/// One play.
pub struct Town {
    pub dir: PathBuf,
    _folder: TempDir,
    pub clock: Clock,
    daemon: Option<Daemon>,
    pub fuse: Arc<Fuse>,
    pub accepted: Vec<Accepted>,
    pub delivered: u32,
}

impl Town {
    pub fn new() -> Self {
        let folder = in_memory();
        let dir = folder.path().join("play");
        copy(&base().folder.path().join("base"), &dir);
        for maildir in ["in", "out"] {
            for sub in ["tmp", "new", "cur"] {
                std::fs::create_dir_all(dir.join(maildir).join(sub)).unwrap();
            }
        }
        let clock = Clock::standing_at(START.parse().unwrap());
        let mut town = Self { dir, _folder: folder, clock, daemon: None, fuse: Fuse::new(), accepted: Vec::new(), delivered: 0 };
        town.open();
        town
    }

    /// Starts the daemon on what is on the disk.
    pub fn open(&mut self) {
        self.daemon = None;
        let before = self.fuse.commits.load(Ordering::SeqCst);
        if self.fuse.is_dead() {
            self.fuse = Fuse::new();
            self.fuse.commits.store(before, Ordering::SeqCst);
        }
        let config = Config::load(&self.dir.join("bantuan70.toml")).unwrap();
        let store = Store::open(&config.center.data_dir.join(FILE_NAME)).unwrap();
        let fuse = Arc::clone(&self.fuse);
        let store = store.with_commit_hook(Box::new(move |_| fuse.allows()));
        let bench = bench(&config, Some(&store), self.clock.now()).unwrap();
        self.daemon = Some(Daemon::new(config, store, bench, self.clock.clone()).unwrap());
    }

    pub fn daemon(&self) -> &Daemon {
        self.daemon.as_ref().unwrap()
    }

    pub fn view(&self) -> View {
        let time_zone = self.daemon().config.center.time_zone.clone();
        View { time_zone, now: self.clock.now(), center_address: "bantuan70@bssn.test".to_owned() }
    }

    pub fn deliver(&mut self, raw: &[u8]) {
        self.delivered += 1;
        std::fs::write(self.dir.join(format!("in/new/{:06}.sim", self.delivered)), raw).unwrap();
    }

    pub fn wait(&self, minutes: i64) {
        self.clock.advance(SignedDuration::from_mins(minutes));
    }

    /// A mail of someone to the centre.
    pub fn written(&self, who: &str, note: &Note, is_signed: bool) -> Vec<u8> {
        let actor = &base().actors[who];
        let to = Address::parse("bantuan70@bssn.test").unwrap();
        let id = format!("{who}.{}@{}", self.delivered + 1, actor.address.domain());
        let written =
            if is_signed { actor.signs(&to, note, &id, self.clock.now()) } else { actor.writes(&to, note, &id, self.clock.now()) };
        written.unwrap()
    }

    /// What someone received, as it reads.
    pub fn received(&self, who: &str) -> impl DoubleEndedIterator<Item = Received> {
        let actor = &base().actors[who];
        let now = self.clock.now();
        self.accepted.iter().filter(|mail| mail.to == actor.address).map(move |mail| actor.reads(&mail.raw, now))
    }
}

/// A folder in memory where the system has one: thousands of commits are made here, and whether they
/// outlast a power cut is not what is tested.
fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
