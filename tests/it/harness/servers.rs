//! A real Dovecot (IMAPS, IMAP with STARTTLS, LMTP, SASL) and a real Postfix (submission, delivery into that
//! Dovecot, true bounces) on loopback, with temporary configuration and own ports, ended on drop.
//! Any user of bssn.test, warga.example and stake.test exists, the password is `pw`; mail to any other domain comes
//! back as a bounce. Needs root.

use super::files::{DOVECOT, MAIN_CF, MASTER_CF};
use bantuan70::wire::{Endpoint, Login, Tls};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// How long a server may take to come up on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Running servers. Folders are on disk under `mail`, so that a test can look at what a mailbox holds.
pub struct Servers {
    pub imaps: u16,
    pub imap: u16,
    pub submission: u16,
    pub lmtp: u16,
    /// The authority that signed the servers' certificate (for `localhost` and `127.0.0.1`).
    pub ca: PathBuf,
    folder: tempfile::TempDir,
    /// What Dovecot listens on, SASL included.
    ports: [u16; 4],
    dovecot: Option<Child>,
    postfix: Option<Child>,
}

impl Servers {
    /// Dovecot and Postfix.
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// Dovecot with these capabilities alone (as for [`Self::imap_only`]), and Postfix.
    pub fn start_with(capability: &str) -> Self {
        let mut servers = Self::imap_only(capability);
        servers.start_postfix();
        servers
    }

    /// Dovecot alone. `capability`: all that IMAP clients are told it can do, such as `IMAP4rev1 UIDPLUS` for a
    /// server without MOVE and IDLE; empty: what it can.
    pub fn imap_only(capability: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("bt").tempdir_in("/tmp").unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let ca = write_certificates(folder.path());
        let mut servers = Self { imaps: 0, imap: 0, submission: 0, lmtp: 0, ca, folder, ports: [0; 4], dovecot: None, postfix: None };
        for _ in 0..5 {
            if servers.try_dovecot(capability) {
                return servers;
            }
        }
        panic!("dovecot does not start: {}", servers.read("dovecot/log"));
    }

    pub fn imaps_endpoint(&self) -> Endpoint {
        Endpoint { host: "localhost".to_owned(), port: self.imaps, tls: Tls::Implicit, ca_file: Some(self.ca.clone()) }
    }

    pub fn imap_endpoint(&self) -> Endpoint {
        Endpoint { host: "localhost".to_owned(), port: self.imap, tls: Tls::StartTls, ca_file: Some(self.ca.clone()) }
    }

    pub fn submission_endpoint(&self) -> Endpoint {
        Endpoint { host: "localhost".to_owned(), port: self.submission, tls: Tls::StartTls, ca_file: Some(self.ca.clone()) }
    }

    /// The log-in of a user.
    pub fn login(user: &str) -> Login {
        Login::Password { user: user.to_owned(), password: "pw".to_owned() }
    }

    /// Makes a folder of a user (`INBOX` or another), empty.
    pub fn make(&self, user: &str, folder: &str) {
        make_maildir(&self.maildir(user, folder));
    }

    /// Puts a message into a folder of a user (`INBOX` or another) as if it had been delivered.
    pub fn append(&self, user: &str, folder: &str, bytes: &[u8]) {
        static COUNT: AtomicU16 = AtomicU16::new(0);
        let path = self.maildir(user, folder);
        make_maildir(&path);
        let name = format!("{}.Q{:05}.test", milliseconds(), COUNT.fetch_add(1, Ordering::Relaxed));
        let pending = path.join("tmp").join(&name);
        fs::write(&pending, bytes).unwrap();
        own(&pending);
        fs::rename(pending, path.join("new").join(name)).unwrap();
    }

    /// The messages of a folder as they lie on disk, in the order of their file names. Dovecot keeps them with
    /// bare line feeds where they came by LMTP or APPEND.
    pub fn messages(&self, user: &str, folder: &str) -> Vec<Vec<u8>> {
        let mut files = Vec::new();
        for part in ["new", "cur"] {
            let Ok(entries) = fs::read_dir(self.maildir(user, folder).join(part)) else { continue };
            files.extend(entries.map(|entry| entry.unwrap().path()));
        }
        files.sort_by_key(|path| path.file_name().map(ToOwned::to_owned));
        files.iter().filter_map(|path| fs::read(path).ok()).collect()
    }

    /// The file names of a folder's messages, flags included.
    pub fn file_names(&self, user: &str, folder: &str) -> Vec<String> {
        let mut names = Vec::new();
        for part in ["new", "cur"] {
            let Ok(entries) = fs::read_dir(self.maildir(user, folder).join(part)) else { continue };
            names.extend(entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()));
        }
        names
    }

    /// Waits until a folder holds at least `count` messages, and returns them.
    pub fn wait_messages(&self, user: &str, folder: &str, count: usize) -> Vec<Vec<u8>> {
        let what = || format!("{count} messages in {folder} of {user}\n{}", self.log());
        wait_for(what, || Some(self.messages(user, folder)).filter(|all| all.len() >= count))
    }

    /// Delivers to `to` by LMTP, from an envelope sender at warga.example.
    pub fn deliver(&self, to: &str, bytes: &[u8]) {
        self.deliver_from("pelapor@warga.example", to, bytes);
    }

    /// Delivers to `to` by LMTP under the envelope sender `from` (empty: a bounce). Returns when it is in the mailbox.
    pub fn deliver_from(&self, from: &str, to: &str, bytes: &[u8]) {
        let stream = TcpStream::connect(("127.0.0.1", self.lmtp)).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut say = |words: &[u8], code: &str| {
            (&stream).write_all(words).unwrap();
            let mut line = String::new();
            loop {
                line.clear();
                reader.read_line(&mut line).unwrap();
                if line.as_bytes().get(3) != Some(&b'-') {
                    break;
                }
            }
            assert!(line.starts_with(code), "lmtp: {line}");
        };
        say(b"", "220");
        say(b"LHLO test\r\n", "250");
        say(format!("MAIL FROM:<{from}>\r\n").as_bytes(), "250");
        say(format!("RCPT TO:<{to}>\r\n").as_bytes(), "250");
        say(b"DATA\r\n", "354");
        let mut wire = Vec::new();
        for line in bytes.strip_suffix(b"\n").unwrap_or(bytes).split(|byte| *byte == b'\n') {
            if line.starts_with(b".") {
                wire.push(b'.');
            }
            wire.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b".\r\n");
        say(&wire, "250");
        say(b"QUIT\r\n", "221");
    }

    /// The logs, for the message of a failed test.
    fn log(&self) -> String {
        format!("{}\n{}", self.read("dovecot/log"), self.read("postfix/log"))
    }

    /// Where a folder of a user lies on disk.
    pub fn maildir(&self, user: &str, folder: &str) -> PathBuf {
        let local = user.split(['@', '+']).next().unwrap_or(user);
        let root = self.path("dovecot/mail").join(local);
        if folder.eq_ignore_ascii_case("INBOX") { root } else { root.join(format!(".{}", folder.replace('/', "."))) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn try_dovecot(&mut self, capability: &str) -> bool {
        [self.imaps, self.imap, self.lmtp] = [free_port(), free_port(), free_port()];
        let sasl = free_port();
        fs::create_dir_all(self.path("dovecot/run")).unwrap();
        fs::create_dir_all(self.path("dovecot/mail")).unwrap();
        own(&self.path("dovecot/mail"));
        let capability = if capability.is_empty() { String::new() } else { format!("imap_capability = {capability}") };
        let text = DOVECOT
            .replace("{D}", &self.folder.path().display().to_string())
            .replace("{IMAPS}", &self.imaps.to_string())
            .replace("{IMAP}", &self.imap.to_string())
            .replace("{LMTP}", &self.lmtp.to_string())
            .replace("{SASL}", &sasl.to_string())
            .replace("{CAPABILITY}", &capability);
        fs::write(self.path("dovecot/dovecot.conf"), text).unwrap();
        fs::write(self.path("sasl"), sasl.to_string()).unwrap();
        self.ports = [self.imap, self.imaps, self.lmtp, sasl];
        self.spawn_dovecot()
    }

    fn spawn_dovecot(&mut self) -> bool {
        let mut command = bounded("dovecot");
        command.arg("-F").arg("-c").arg(self.path("dovecot/dovecot.conf")).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let is_up = came_up(&mut child, &self.ports) && greets(self.imap, "* OK") && greets(self.lmtp, "220");
        self.dovecot = Some(child);
        if !is_up {
            self.stop_imap();
        }
        is_up
    }

    /// Ends Dovecot; the mail stays. Whoever was connected is cut off.
    pub fn stop_imap(&mut self) {
        if let Some(child) = self.dovecot.take() {
            end(child);
        }
    }

    /// Starts Dovecot again, on the same ports.
    pub fn start_imap(&mut self) {
        assert!(self.spawn_dovecot(), "dovecot does not come back: {}", self.read("dovecot/log"));
    }

    /// Starts Postfix again, on the same port.
    pub fn start_submission(&mut self) {
        assert!(self.spawn_postfix(), "postfix does not come back: {}", self.read("postfix/log"));
    }

    fn start_postfix(&mut self) {
        for _ in 0..5 {
            self.submission = free_port();
            for folder in ["etc", "spool", "data"] {
                fs::create_dir_all(self.path("postfix").join(folder)).unwrap();
            }
            let owner = Command::new("chown").arg("postfix").arg(self.path("postfix/data")).status().unwrap();
            assert!(owner.success(), "postfix is not installed");
            let fill = |text: &str| {
                text.replace("{D}", &self.folder.path().display().to_string())
                    .replace("{LMTP}", &self.lmtp.to_string())
                    .replace("{SASL}", &self.read("sasl"))
                    .replace("{SUB}", &self.submission.to_string())
            };
            fs::write(self.path("postfix/etc/main.cf"), fill(MAIN_CF)).unwrap();
            fs::write(self.path("postfix/etc/master.cf"), fill(MASTER_CF)).unwrap();
            if self.spawn_postfix() {
                return;
            }
        }
        panic!("postfix does not start: {}", self.read("postfix/log"));
    }

    fn spawn_postfix(&mut self) -> bool {
        let mut command = bounded("postfix");
        command.arg("-c").arg(self.path("postfix/etc")).arg("start-fg").stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let is_up = came_up(&mut child, &[self.submission]) && greets(self.submission, "220 mx.lab.test");
        self.postfix = Some(child);
        if !is_up {
            self.stop_submission();
        }
        is_up
    }

    /// Ends Postfix; what it has queued stays.
    pub fn stop_submission(&mut self) {
        let Some(child) = self.postfix.take() else { return };
        let mut command = Command::new("postfix");
        command.arg("-c").arg(self.path("postfix/etc")).arg("abort").stdout(Stdio::null()).stderr(Stdio::null());
        command.status().ok();
        end(child);
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.stop_submission();
        self.stop_imap();
    }
}

/// A program that ends by itself some day, should the tests be killed before they can end it.
fn bounded(program: &str) -> Command {
    let mut command = Command::new("timeout");
    command.arg("900").arg(program);
    command
}

/// Asks a server to end, and makes it where it does not.
fn end(mut child: Child) {
    Command::new("kill").arg(child.id().to_string()).stderr(Stdio::null()).status().ok();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        if child.try_wait().is_ok_and(|status| status.is_some()) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().ok();
    child.wait().ok();
}

/// Waits until all ports take connections; `false` where the server ended instead.
fn came_up(child: &mut Child, ports: &[u16]) -> bool {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if child.try_wait().is_ok_and(|status| status.is_some()) {
            return false;
        }
        if ports.iter().all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok()) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

/// Whether the server on a port is the one that is meant, and serves.
fn greets(port: u16, with: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    stream.set_read_timeout(Some(PATIENCE)).ok();
    let mut greeting = vec![0; with.len()];
    stream.read_exact(&mut greeting).is_ok() && greeting == with.as_bytes()
}

/// Polls until `look` finds something; a test that waits for another program has no event to wait for.
pub fn wait_for<T>(what: impl Fn() -> String, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {}", what());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A port below the range from which the kernel gives out ports by itself, so that no connection of another
/// test takes it between this look and the server's start.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let base = u32::from(number) + std::process::id().wrapping_mul(61);
        let port = 10_000 + u16::try_from(base % 20_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn milliseconds() -> u128 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis()
}

fn make_maildir(path: &Path) {
    if !path.exists() {
        fs::create_dir_all(path).unwrap();
        own(path);
    }
    for part in ["tmp", "new", "cur"] {
        let part = path.join(part);
        if !part.exists() {
            fs::create_dir(&part).unwrap();
            own(&part);
        }
    }
}

/// Gives a path to nobody, as whom Dovecot reads mail here.
fn own(path: &Path) {
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let nobody = users.lines().find(|line| line.starts_with("nobody:")).unwrap();
    let mut numbers = nobody.split(':').skip(2).map(|number| number.parse::<u32>().unwrap());
    chown(path, numbers.next(), numbers.next()).unwrap();
}

/// An authority, and a certificate of it for localhost, as PEM files. Returns the authority's.
fn write_certificates(folder: &Path) -> PathBuf {
    let authority = super::scripted::Authority::new();
    let (certificate, key) = authority.issue(&["localhost", "127.0.0.1"], super::scripted::Validity::Now);
    fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    fs::write(folder.join("cert.pem"), certificate.pem()).unwrap();
    fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    folder.join("ca.pem")
}
