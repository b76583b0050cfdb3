//! A server that says what a script says, for faults and lies that no real server commits. One script a
//! connection, one line an act:
//!   `S: text` says a line (`{tag}`: the tag of the client's last line) · `R: text` says text with `\r \n` as written ·
//!   `C: text` hears a line that contains text · `!data` hears up to the final dot · `!bytes N` hears N bytes ·
//!   `!hex 16…` says bytes · `!tls` starts TLS · `!close` · `!reset` · `!silence` waits until the client leaves · `!flood N text` says a line N times

use bantuan70::wire::{Endpoint, Tls};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A script that waits longer than this for its client has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// When a certificate holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    Now,
    Past,
}

/// A certificate authority of a test.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Certificate,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "lab authority");
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// A certificate for these names and addresses.
    pub fn issue(&self, names: &[&str], validity: Validity) -> (Certificate, KeyPair) {
        let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        if validity == Validity::Past {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }
}

/// A scripted server that runs.
pub struct Scripted {
    port: u16,
    folder: tempfile::TempDir,
    heard: Arc<Mutex<Vec<String>>>,
    thread: JoinHandle<Result<(), String>>,
}

impl Scripted {
    /// A server for as many connections as there are scripts.
    pub fn start(scripts: &[&str]) -> Self {
        Self::start_with(scripts, &["localhost"], Validity::Now)
    }

    /// With a certificate for other names, or one that is over.
    pub fn start_with(scripts: &[&str], names: &[&str], validity: Validity) -> Self {
        let authority = Authority::new();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
        let config = Arc::new(server_config(&authority, names, validity));
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let scripts: Vec<String> = scripts.iter().map(|script| (*script).to_owned()).collect();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&heard);
        let thread = std::thread::spawn(move || {
            for (number, script) in scripts.iter().enumerate() {
                let stream = accept(&listener).map_err(|error| format!("connection {number}: {error}"))?;
                let mut play = Play { stream: Line::Plain(stream), config: Arc::clone(&config), tag: String::new(), heard: &hears };
                play.run(script).map_err(|error| format!("connection {number}: {error}"))?;
            }
            Ok(())
        });
        Self { port, folder, heard, thread }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// What was heard so far.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    /// The endpoint of this server, trusting its authority.
    pub fn endpoint(&self, tls: Tls) -> Endpoint {
        let ca_file: PathBuf = self.folder.path().join("ca.pem");
        Endpoint { host: "localhost".to_owned(), port: self.port, tls, ca_file: Some(ca_file) }
    }

    /// Waits until all scripts are played and returns what was heard, line by line, a message as one line.
    /// Fails the test where the client said something else than the script expects.
    pub fn end(self) -> Vec<String> {
        let Self { heard, thread, .. } = self;
        match thread.join().unwrap() {
            Ok(()) => std::mem::take(&mut *heard.lock().unwrap()),
            Err(complaint) => panic!("{complaint}"),
        }
    }
}

fn server_config(authority: &Authority, names: &[&str], validity: Validity) -> ServerConfig {
    let (certificate, key) = authority.issue(names, validity);
    let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap()
}

fn accept(listener: &TcpListener) -> Result<TcpStream, String> {
    listener.set_nonblocking(true).map_err(|error| error.to_string())?;
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).map_err(|error| error.to_string())?;
                stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
                stream.set_nodelay(true).map_err(|error| error.to_string())?;
                return Ok(stream);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(Duration::from_millis(2)),
            Err(error) => return Err(error.to_string()),
        }
    }
    Err("no client came".to_owned())
}

enum Line {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
    Closed,
}

struct Play<'a> {
    stream: Line,
    config: Arc<ServerConfig>,
    tag: String,
    heard: &'a Mutex<Vec<String>>,
}

impl Play<'_> {
    fn run(&mut self, script: &str) -> Result<(), String> {
        for act in script.lines().map(str::trim_start).filter(|act| !act.is_empty()) {
            self.act(act).map_err(|error| format!("at '{act}': {error}"))?;
        }
        Ok(())
    }

    fn act(&mut self, act: &str) -> Result<(), String> {
        if let Some(text) = act.strip_prefix("S: ") {
            let text = text.replace("{tag}", &self.tag);
            return self.say(format!("{text}\r\n").as_bytes());
        }
        if let Some(text) = act.strip_prefix("R: ") {
            return self.say(text.replace("{tag}", &self.tag).replace("\\r", "\r").replace("\\n", "\n").as_bytes());
        }
        if let Some(wanted) = act.strip_prefix("C: ") {
            return self.hear_line(wanted);
        }
        let (word, rest) = act.split_once(' ').unwrap_or((act, ""));
        match word {
            "!data" => self.hear_until(b"\r\n.\r\n").map(|text| self.heard.lock().unwrap().push(text)),
            "!bytes" => self.hear_bytes(rest.parse().map_err(|_| "no number")?),
            "!hex" => {
                let digits: Vec<char> = rest.chars().filter(char::is_ascii_hexdigit).collect();
                let pairs = digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16));
                self.say(&pairs.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?)
            }
            "!tls" => self.start_tls(),
            "!close" => self.close(),
            "!reset" => self.reset(),
            "!silence" => self.hear_end(),
            "!flood" => self.flood(rest),
            _ => Err("no such act".to_owned()),
        }
    }

    fn say(&mut self, bytes: &[u8]) -> Result<(), String> {
        let written = match &mut self.stream {
            Line::Plain(stream) => stream.write_all(bytes),
            Line::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
            Line::Closed => return Err("closed".to_owned()),
        };
        // A client that has heard enough may have left: what it did then is what the test looks at.
        written.or(Ok(()))
    }

    fn read_byte(&mut self) -> Result<Option<u8>, String> {
        let mut byte = [0];
        let read = match &mut self.stream {
            Line::Plain(stream) => stream.read(&mut byte),
            Line::Tls(stream) => stream.read(&mut byte),
            Line::Closed => return Err("closed".to_owned()),
        };
        match read {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(byte[0])),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Err("the client is silent".to_owned()),
            Err(_) => Ok(None),
        }
    }

    fn hear_until(&mut self, end: &[u8]) -> Result<String, String> {
        let mut bytes = Vec::new();
        while !bytes.ends_with(end) {
            match self.read_byte()? {
                Some(byte) => bytes.push(byte),
                None => return Err(format!("the client left after {:?}", String::from_utf8_lossy(&bytes))),
            }
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn hear_line(&mut self, wanted: &str) -> Result<(), String> {
        let line = self.hear_until(b"\r\n")?.trim_end().to_owned();
        self.tag = line.split(' ').next().unwrap_or_default().to_owned();
        let is_wanted = line.to_lowercase().contains(&wanted.to_lowercase());
        self.heard.lock().unwrap().push(line.clone());
        if is_wanted { Ok(()) } else { Err(format!("heard '{line}'")) }
    }

    fn hear_bytes(&mut self, count: usize) -> Result<(), String> {
        for _ in 0..count {
            self.read_byte()?.ok_or("the client left")?;
        }
        Ok(())
    }

    fn hear_end(&mut self) -> Result<(), String> {
        if matches!(self.stream, Line::Closed) {
            return Ok(());
        }
        while self.read_byte()?.is_some() {}
        Ok(())
    }

    fn start_tls(&mut self) -> Result<(), String> {
        let Line::Plain(stream) = std::mem::replace(&mut self.stream, Line::Closed) else { return Err("no plain stream".to_owned()) };
        let connection = ServerConnection::new(Arc::clone(&self.config)).map_err(|error| error.to_string())?;
        let mut stream = StreamOwned::new(connection, stream);
        // A client that does not trust this server ends the handshake; that is for the test to see.
        while stream.conn.is_handshaking() {
            if stream.conn.complete_io(&mut stream.sock).is_err() {
                break;
            }
        }
        self.stream = Line::Tls(Box::new(stream));
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        self.stream = Line::Closed;
        Ok(())
    }

    /// Closes with a reset: the client's next read or write fails.
    fn reset(&mut self) -> Result<(), String> {
        let socket = match &self.stream {
            Line::Plain(stream) => stream,
            Line::Tls(stream) => &stream.sock,
            Line::Closed => return Ok(()),
        };
        socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO)).map_err(|error| error.to_string())?;
        self.close()
    }

    fn flood(&mut self, rest: &str) -> Result<(), String> {
        let (count, text) = rest.split_once(' ').ok_or("no text")?;
        let count: usize = count.parse().map_err(|_| "no number")?;
        let line = text.replace("\\r", "\r").replace("\\n", "\n");
        let block = line.repeat(1000);
        for _ in 0..count.div_ceil(1000) {
            let written = match &mut self.stream {
                Line::Plain(stream) => stream.write_all(block.as_bytes()),
                Line::Tls(stream) => stream.write_all(block.as_bytes()),
                Line::Closed => break,
            };
            if written.is_err() {
                break;
            }
        }
        Ok(())
    }
}
