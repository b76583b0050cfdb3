//! A centre with servers: its folder as `init` makes it, two analysts whose keys gpg made, the verbs, and the
//! daemon as a process. Dropping it ends what it started.

use crate::harness::gpg::Gpg;
use crate::harness::servers::{Servers, free_port, wait_for};
use bantuan70::mail::Mail;
use bantuan70::mail::entity::Entity;
use bantuan70::mail::read::read;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub const ADDRESS: &str = "bantuan70@bssn.test";

/// Where the centre's mail comes from and goes to.
pub struct Ports {
    pub imap: u16,
    pub smtp: u16,
    /// `starttls`, or `none` for a scripted server.
    pub smtp_tls: &'static str,
}

/// A centre.
pub struct Center {
    pub servers: Arc<Servers>,
    pub address: String,
    /// Both analysts' keys, and the centre's certificate.
    pub gpg: Gpg,
    /// The fingerprints of analyst1@bssn.test and analyst2@bssn.test, made a month ago.
    pub analysts: [String; 2],
    /// The centre's.
    pub fingerprint: String,
    folder: tempfile::TempDir,
}

impl Center {
    /// With Dovecot and Postfix.
    pub fn new() -> Self {
        Self::with(Arc::new(Servers::start()), ADDRESS, |_| {})
    }

    /// With these servers; `place` may put the ports of others into the configuration.
    pub fn with(servers: Arc<Servers>, address: &str, place: impl FnOnce(&mut Ports)) -> Self {
        let gpg = Gpg::new();
        let folder = tempfile::Builder::new().prefix("bc").tempdir_in("/tmp").unwrap();
        let born = time(SignedDuration::from_hours(24 * 30));
        let analysts = ["Ani <analyst1@bssn.test>", "Budi <analyst2@bssn.test>"].map(|name| {
            let run = gpg.must(&["--faked-system-time", &born, "--quick-gen-key", name, "future-default", "default", "2y"], b"");
            last_word(&run.status, "KEY_CREATED")
        });
        let mut center = Self { servers, address: address.to_owned(), gpg, analysts, fingerprint: String::new(), folder };
        let made = center.run(&["init", center.path("").to_str().unwrap(), "--generate-key", "--address", address]);
        assert_eq!(made.exit, 0, "{}", made.err);
        fs::write(center.path("password"), "pw\n").unwrap();
        fs::set_permissions(center.path("password"), fs::Permissions::from_mode(0o600)).unwrap();
        let mut ports = Ports { imap: center.servers.imaps, smtp: center.servers.submission, smtp_tls: "starttls" };
        if ports.smtp == 0 {
            // Nobody listens there.
            ports.smtp = free_port();
        }
        place(&mut ports);
        let (user, _) = address.split_once('@').unwrap();
        let ca = center.servers.ca.display().to_string();
        let server = |port: u16, tls: &str| {
            format!(
                "host = \"localhost\"\nport = {port}\ntls = \"{tls}\"\nca_file = \"{ca}\"\nuser = \"{user}\"\npassword_file = \"password\""
            )
        };
        center.configure("intake", &server(ports.imap, "implicit"));
        center.configure("outgoing", &server(ports.smtp, ports.smtp_tls));
        let mut text = center.configuration();
        for (number, key) in center.analysts.iter().enumerate() {
            let (name, file) = (format!("analyst{}", number + 1), format!("analyst{}.asc", number + 1));
            fs::write(center.path(&file), center.gpg.export(key)).unwrap();
            text += &format!(
                "\n[[analyst]]\nname = \"{name}\"\naddress = \"{name}@bssn.test\"\ncertificate = \"{file}\"\ncan_approve = true\n"
            );
        }
        fs::write(center.path("bantuan70.toml"), text).unwrap();
        let exported = center.run(&["key", "export"]);
        assert_eq!(exported.exit, 0, "{}", exported.err);
        let imported = center.gpg.must(&["--import"], exported.out.as_bytes());
        center.fingerprint = last_word(&imported.status, "IMPORT_OK");
        center
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn configuration(&self) -> String {
        fs::read_to_string(self.path("bantuan70.toml")).unwrap()
    }

    /// Puts lines into a section of the configuration.
    pub fn configure(&self, section: &str, lines: &str) {
        let (text, head) = (self.configuration(), format!("[{section}]\n"));
        assert!(text.contains(&head), "{section} is not in the configuration");
        fs::write(self.path("bantuan70.toml"), text.replacen(&head, &format!("{head}{lines}\n"), 1)).unwrap();
    }

    /// Puts lines at the end of the configuration.
    pub fn add(&self, lines: &str) {
        fs::write(self.path("bantuan70.toml"), self.configuration() + lines).unwrap();
    }

    /// Leaves one analyst, so that there are fewer notices.
    pub fn dismiss_second_analyst(&self) {
        let text = self.configuration();
        let (one, _) = text.split_once("\n[[analyst]]\nname = \"analyst2\"").unwrap();
        fs::write(self.path("bantuan70.toml"), one).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bantuan70"));
        command.arg("--config").arg(self.path("bantuan70.toml")).args(arguments).env("RUST_BACKTRACE", "0").stdin(Stdio::null());
        command
    }

    /// Runs a verb to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { exit: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Runs a verb that must succeed.
    pub fn must(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.exit, 0, "{arguments:?}: {}{}", ran.out, ran.err);
        ran.out
    }

    /// The objects of a listing verb.
    pub fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let out = self.must(&[arguments, &["--json"]].concat());
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub fn ticket(&self, number: &str) -> Value {
        self.json(&["ticket", "show", number]).remove(0)
    }

    /// What commands move on a ticket: everything but its conversation and the time of the last change.
    pub fn standing(&self, number: &str) -> Value {
        let mut ticket = self.ticket(number);
        let fields = ticket.as_object_mut().unwrap();
        for told in ["messages", "timeline", "updated_at"] {
            fields.remove(told);
        }
        ticket
    }

    /// Starts the daemon and waits until it watches the mailbox; what it logs is added to the file `log`.
    pub fn start(&self) -> Daemon {
        let before = self.log().matches("watching").count();
        let daemon = self.start_with(&["run"]);
        self.wait_log("watching", before + 1);
        daemon
    }

    pub fn start_with(&self, arguments: &[&str]) -> Daemon {
        let log = File::options().create(true).append(true).open(self.path("log")).unwrap();
        let mut command = self.command(arguments);
        command.env("BANTUAN70_LOG", "bantuan70=debug,warn").stdout(Stdio::null()).stderr(log);
        Daemon { child: command.spawn().unwrap() }
    }

    /// Starts the daemon with a stderr that takes not one byte: a full pipe that nobody reads. It ends with the pipe.
    pub fn start_unheard(&self) -> (Daemon, std::io::PipeReader) {
        use std::io::Write as _;
        let (reader, mut writer) = std::io::pipe().unwrap();
        // As much as a pipe holds (pipe(7)).
        writer.write_all(&[b'.'; 65_536]).unwrap();
        let mut command = self.command(&["run"]);
        command.stdout(Stdio::null()).stderr(writer);
        (Daemon { child: command.spawn().unwrap() }, reader)
    }

    /// All that daemons of this centre have logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Waits until the log says something `count` times.
    pub fn wait_log(&self, words: &str, count: usize) {
        wait_for(|| format!("{count} × {words:?} in\n{}", self.log()), || (self.log().matches(words).count() >= count).then_some(()));
    }

    /// Puts a message into the centre's mailbox, as an MTA does, from this envelope sender.
    pub fn deliver(&self, bytes: &[u8]) {
        self.servers.deliver(&self.address, bytes);
    }

    /// A mail that an analyst (1 or 2) signed; `subject` is the protected one, `outer` the one outside. Gives its
    /// Message-ID too.
    pub fn signed(&self, analyst: usize, outer: &str, subject: Option<&str>, text: &str) -> (String, Vec<u8>) {
        let id = fresh_id();
        let header = analyst_header(analyst, outer, &id);
        (id, self.gpg.sign_mime(&self.analysts[analyst - 1], &header, entity(analyst, subject, text).as_bytes()))
    }

    /// Sends a mail of an analyst and opens the answer.
    pub fn ask(&self, analyst: usize, (id, bytes): (String, Vec<u8>)) -> Receipt {
        self.deliver(&bytes);
        self.wait_receipt(&format!("analyst{analyst}"), &id)
    }

    /// Every letter of the outbox, sent ones too.
    pub fn outbox(&self) -> Vec<Value> {
        self.json(&["outbox", "list", "--all"])
    }

    /// The letters that are neither sent nor given up, as a person makes them due at once.
    pub fn retry_all(&self) {
        for row in self.json(&["outbox", "list", "--state", "queued", "--state", "uncertain"]) {
            self.must(&["outbox", "retry", &row["id"].to_string()]);
        }
    }

    /// Handles what waits, once; gives the exit status, which is 0 or, where a server failed, 3.
    pub fn once(&self) -> i32 {
        let ran = self.run(&["run", "--once"]);
        assert!([0, 3].contains(&ran.exit), "{} {}", ran.exit, ran.err);
        ran.exit
    }

    /// Whether the audit chain and the fold of all events are in order.
    pub fn audit(&self) {
        self.must(&["audit", "verify"]);
    }

    /// Commands of analyst1, signed as they ought to be.
    pub fn order(&self, text: &str) -> Receipt {
        self.ask(1, self.signed(1, "perintah", None, text))
    }

    /// Waits until nothing waits: no mail to decide on, no letter to send.
    pub fn wait_quiet(&self) {
        let waits = || {
            let mail = self.json(&["mail", "list"]).into_iter().filter(|row| row["state"] == "stored");
            let letters = self.json(&["outbox", "list", "--state", "queued", "--state", "sending"]);
            mail.chain(letters).collect::<Vec<_>>()
        };
        wait_for(|| format!("quiet: {:?}\n{}", waits(), self.log()), || waits().is_empty().then_some(()));
    }

    /// Everyone but the analysts to whom a letter went or goes, once a letter; what is held until an analyst acts
    /// goes to nobody.
    pub fn written_to(&self) -> Vec<String> {
        let all = self.outbox().into_iter().filter(|row| row["state"] != "held");
        all.map(|row| row["to"].as_str().unwrap().to_owned()).filter(|to| !to.starts_with("analyst")).collect()
    }

    /// Waits for a mail of the daemon in a mailbox that meets a condition.
    pub fn wait_mail(&self, user: &str, what: &str, is_it: impl Fn(&Letter) -> bool) -> Letter {
        let found = || self.letters(user).into_iter().find(|letter| is_it(letter));
        wait_for(|| format!("{what} for {user}:\n{}", self.log()), found)
    }

    /// All mail in someone's mailbox.
    pub fn letters(&self, user: &str) -> Vec<Letter> {
        self.servers.messages(user, "INBOX").into_iter().map(Letter::new).collect()
    }

    /// Waits for the answer of the daemon to a mail of an analyst, and opens it with that analyst's gpg.
    pub fn wait_receipt(&self, user: &str, message_id: &str) -> Receipt {
        let letter = self.wait_mail(user, &format!("a receipt for {message_id}"), |letter| letter.answers(message_id));
        self.opened(&letter)
    }

    /// Opens an encrypted letter with the analysts' gpg; fails where it is not encrypted or the centre did not sign it.
    pub fn opened(&self, letter: &Letter) -> Receipt {
        let run = self.gpg.decrypt(&letter.ciphertext());
        assert_eq!(run.good_signer().as_deref(), Some(self.fingerprint.as_str()), "{}", run.status);
        let (inside, _) = read(&run.out);
        Receipt { subject: inside.subject, text: inside.text.full }
    }

    /// Reports from `from` and waits for the acknowledgement; gives the ticket's number.
    pub fn open_ticket(&self, from: &str, subject: &str) -> String {
        self.deliver(&report(from, subject, "Halaman depan situs kami diretas dan berubah sejak pagi tadi.\n"));
        let letter = self.wait_mail(from, "an acknowledgement", |letter| letter.header("X-Bantuan70-Ticket").is_some());
        letter.header("X-Bantuan70-Ticket").unwrap()
    }
}

/// What a verb said.
pub struct Ran {
    pub exit: i32,
    pub out: String,
    pub err: String,
}

/// What an analyst reads.
pub struct Receipt {
    pub subject: String,
    pub text: String,
}

impl Receipt {
    /// Fails unless the receipt says each of these.
    pub fn says(&self, words: &[&str]) {
        for words in words {
            assert!(self.one_line().contains(words), "{words:?} is not in\n{}", self.text);
        }
    }

    fn one_line(&self) -> String {
        self.text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// A mail that the daemon sent, as it came.
pub struct Letter {
    pub raw: Vec<u8>,
    pub mail: Mail,
}

impl Letter {
    fn new(raw: Vec<u8>) -> Self {
        let raw = crate::harness::gpg::crlf(&raw);
        let (mail, _) = read(&raw);
        Self { raw, mail }
    }

    pub fn header(&self, name: &str) -> Option<String> {
        self.mail.header_values(name).next().map(|value| value.trim().to_owned())
    }

    /// Whether it answers the mail of that Message-ID.
    pub fn answers(&self, message_id: &str) -> bool {
        self.header("In-Reply-To").is_some_and(|id| id == format!("<{message_id}>"))
    }

    /// A part of the outermost multipart, byte for byte.
    pub fn part(&self, index: usize) -> Vec<u8> {
        Entity::read(&self.raw).unwrap().parts().expect("a multipart")[index].to_vec()
    }

    /// The armored message of `multipart/encrypted`.
    pub fn ciphertext(&self) -> Vec<u8> {
        assert!(self.header("Content-Type").unwrap().starts_with("multipart/encrypted"), "it is not encrypted");
        Entity::read(&self.part(1)).unwrap().content().to_vec()
    }
}

/// The daemon as a process.
pub struct Daemon {
    child: Child,
}

impl Daemon {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status().unwrap();
        assert!(sent.success());
    }

    /// Sends SIGHUP: rules, templates and certificates are read again.
    pub fn reload(&self) {
        self.signal("HUP");
    }

    /// Sends SIGTERM; gives the exit status and how long it took.
    pub fn terminate(&mut self) -> (ExitStatus, Duration) {
        let start = Instant::now();
        self.signal("TERM");
        (self.child.wait().unwrap(), start.elapsed())
    }
}

impl Daemon {
    /// kill -9.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What an analyst signs; the header inside is protected as Thunderbird writes it.
pub fn entity(analyst: usize, subject: Option<&str>, text: &str) -> String {
    let subject = subject.map_or_else(String::new, |subject| format!("Subject: {subject}\n"));
    let protected = format!("protected-headers=\"v1\"\nFrom: analyst{analyst}@bssn.test\nTo: {ADDRESS}\n{subject}");
    format!("Content-Type: text/plain; charset=utf-8; {protected}\n{text}\n")
}

/// The header outside of an analyst's mail.
pub fn analyst_header(analyst: usize, subject: &str, id: &str) -> String {
    format!("From: Analis <analyst{analyst}@bssn.test>\nTo: {ADDRESS}\nSubject: {subject}\nMessage-ID: <{id}>\nMIME-Version: 1.0\n")
}

/// A time in the past as gpg takes it.
pub fn time(ago: SignedDuration) -> String {
    (Timestamp::now() - ago).strftime("%Y%m%dT%H%M%S!").to_string()
}

fn last_word(status: &str, of: &str) -> String {
    let line = status.lines().find(|line| line.contains(of)).unwrap();
    line.split_whitespace().last().unwrap().to_owned()
}

/// A Message-ID that was not used before.
pub fn fresh_id() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("m{}.{}@writer.example", NEXT.fetch_add(1, Ordering::Relaxed), std::process::id())
}

/// A plain report.
pub fn report(from: &str, subject: &str, text: &str) -> Vec<u8> {
    let id = fresh_id();
    format!(
        "From: Pelapor <{from}>\r\nTo: {ADDRESS}\r\nSubject: {subject}\r\nDate: Tue, 24 Nov 2026 08:00:00 +0700\r\nMessage-ID: <{id}>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}"
    )
    .into_bytes()
}
