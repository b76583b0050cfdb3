//! From a host name to a stream that may carry a password: resolving, TCP, TLS, STARTTLS.
//! What is said before STARTTLS is read byte by byte here, so that nothing of it can reach the time after (ATTACKS S2).

use super::{Endpoint, Timeouts, Tls, WireError, shown};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Addresses of one host that are tried: two of each family.
const ADDRESSES_MAX: usize = 4;
/// Bytes in a line before TLS (RFC 5321 §4.5.3.1.5 has 512, servers say more).
const LINE_BYTES_MAX: usize = 2048;
/// Lines in one answer before TLS.
const LINES_MAX: usize = 100;

/// A stream to a server, whatever protects it.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin + std::fmt::Debug {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin + std::fmt::Debug> Stream for T {}

/// Which protocol asks for STARTTLS.
#[derive(Debug, Clone, Copy)]
pub(super) enum Speech<'a> {
    Imap,
    Smtp { ehlo_name: &'a str },
}

/// A connection that is as safe as the endpoint says.
#[derive(Debug)]
pub(super) struct Connected {
    pub stream: Box<dyn Stream>,
    pub peer: SocketAddr,
    /// The server's greeting was read before STARTTLS and does not come again.
    pub is_greeted: bool,
}

/// Connects, and protects the connection as `endpoint` says.
pub(super) async fn connect(endpoint: &Endpoint, speech: Speech<'_>, limits: &Timeouts) -> Result<Connected, WireError> {
    let at = Place(endpoint);
    let mut tcp = open_tcp(endpoint, limits.connect).await?;
    let peer = tcp.peer_addr().map_err(|error| at.lost("connect to", &error))?;
    match endpoint.tls {
        Tls::None => Ok(Connected { stream: Box::new(tcp), peer, is_greeted: false }),
        Tls::Implicit => Ok(Connected { stream: handshake(endpoint, tcp, limits.connect).await?, peer, is_greeted: false }),
        Tls::StartTls => {
            ask_for_tls(endpoint, &mut tcp, speech, limits).await?;
            Ok(Connected { stream: handshake(endpoint, tcp, limits.connect).await?, peer, is_greeted: true })
        }
    }
}

/// How errors name the server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a>(pub &'a Endpoint);

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", shown(&self.0.host), self.0.port)
    }
}

impl Place<'_> {
    pub(super) fn lost(&self, act: &str, error: &io::Error) -> WireError {
        WireError::Unreachable(format!("cannot {act} {self}: {}", shown(&error.to_string().to_lowercase())))
    }

    pub(super) fn silent(&self, act: &str, after: Duration) -> WireError {
        WireError::Unreachable(format!("cannot {act} {self}: no answer within {} s", after.as_secs_f32()))
    }
}

async fn open_tcp(endpoint: &Endpoint, limit: Duration) -> Result<TcpStream, WireError> {
    let at = Place(endpoint);
    let found = timeout(limit, tokio::net::lookup_host((endpoint.host.as_str(), endpoint.port)))
        .await
        .map_err(|_| at.silent("resolve", limit))?
        .map_err(|error| at.lost("resolve", &error))?;
    let mut found: Vec<SocketAddr> = found.collect();
    if endpoint.tls == Tls::None {
        found.retain(|address| address.ip().is_loopback());
        if found.is_empty() {
            return Err(WireError::Refused(format!("will not talk to {at} without tls: it is not this machine")));
        }
    }
    let mut last = WireError::Unreachable(format!("cannot resolve {at}: it has no address"));
    for address in in_turn(found) {
        match timeout(limit, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => {
                tune(&tcp).map_err(|error| at.lost("connect to", &error))?;
                return Ok(tcp);
            }
            Ok(Err(error)) => last = at.lost("connect to", &error),
            Err(_) => last = at.silent("connect to", limit),
        }
    }
    Err(last)
}

/// The first addresses, families in turn, so that a dead IPv6 does not hide a living IPv4 (ATTACKS F75).
fn in_turn(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let (v6, v4): (Vec<_>, Vec<_>) = addresses.into_iter().partition(SocketAddr::is_ipv6);
    let mut turns = Vec::new();
    let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
    while turns.len() < ADDRESSES_MAX {
        let pair = [v6.next(), v4.next()];
        if pair.iter().all(Option::is_none) {
            break;
        }
        turns.extend(pair.into_iter().flatten());
    }
    turns
}

/// No delay for small packets (each command waits for its answer), and probes on a line that is silent.
fn tune(tcp: &TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let probes = socket2::TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(20)).with_retries(3);
    socket2::SockRef::from(tcp).set_tcp_keepalive(&probes)
}

async fn handshake(endpoint: &Endpoint, tcp: TcpStream, limit: Duration) -> Result<Box<dyn Stream>, WireError> {
    let at = Place(endpoint);
    let name = ServerName::try_from(endpoint.host.clone())
        .map_err(|_| WireError::Refused(format!("cannot start tls with {at}: not a host name")))?;
    let connector = TlsConnector::from(Arc::new(tls_config(endpoint).await?));
    match timeout(limit, connector.connect(name, tcp)).await {
        Ok(Ok(tls)) => Ok(Box::new(tls)),
        Ok(Err(error)) => Err(tls_fault(&at, &error)),
        Err(_) => Err(at.silent("start tls with", limit)),
    }
}

fn tls_fault(at: &Place<'_>, error: &io::Error) -> WireError {
    let text = |reason: &dyn std::fmt::Display| format!("cannot start tls with {at}: {}", shown(&reason.to_string()));
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidMessage(_)) => WireError::Protocol(format!(
            "cannot start tls with {at}: the answer is not tls (port and tls setting at odds, or words sent too early)"
        )),
        Some(fault) => WireError::Refused(text(fault)),
        None => WireError::Unreachable(text(error)),
    }
}

async fn tls_config(endpoint: &Endpoint) -> Result<ClientConfig, WireError> {
    let mut roots = RootCertStore::empty();
    let trusted = match &endpoint.ca_file {
        Some(path) => {
            let fault = |reason: &dyn std::fmt::Display| {
                WireError::Refused(format!("cannot read ca_file {}: {}", path.display(), shown(&reason.to_string().to_lowercase())))
            };
            let pem = tokio::fs::read(path).await.map_err(|error| fault(&error))?;
            CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>().map_err(|error| fault(&format!("{error:?}")))?
        }
        None => rustls_native_certs::load_native_certs().certs,
    };
    roots.add_parsable_certificates(trusted);
    if roots.is_empty() {
        return Err(WireError::Refused(format!(
            "cannot start tls with {}: no certificate is trusted (ca_file, or the system's roots)",
            Place(endpoint)
        )));
    }
    // One provider for IMAP and SMTP; TLS 1.2 and 1.3 are all that rustls has.
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_root_certificates(roots).with_no_client_auth())
        .map_err(|error| WireError::Refused(format!("cannot start tls with {}: {error}", Place(endpoint))))
}

async fn ask_for_tls(endpoint: &Endpoint, tcp: &mut TcpStream, speech: Speech<'_>, limits: &Timeouts) -> Result<(), WireError> {
    let mut plain = Plain { at: Place(endpoint), tcp };
    match speech {
        Speech::Imap => plain.imap(limits).await,
        Speech::Smtp { ehlo_name } => plain.smtp(ehlo_name, limits).await,
    }
}

/// The few words in the clear before TLS. Nothing learned here is used afterwards.
struct Plain<'a> {
    at: Place<'a>,
    tcp: &'a mut TcpStream,
}

impl Plain<'_> {
    /// RFC 3501 §6.2.1.
    async fn imap(&mut self, limits: &Timeouts) -> Result<(), WireError> {
        let greeting = self.line(limits.greeting).await?;
        let word = greeting.strip_prefix("* ").and_then(|rest| rest.split(' ').next()).unwrap_or("").to_ascii_uppercase();
        match word.as_str() {
            "OK" => {}
            "BYE" => return Err(WireError::Unreachable(format!("{} says goodbye: {}", self.at, shown(&greeting)))),
            // A session that is logged in before TLS is somebody else's (RFC 3501 §7.1.4).
            "PREAUTH" => return Err(WireError::Protocol(format!("{} greets with preauth before starttls", self.at))),
            _ => return Err(WireError::Protocol(format!("{} greets with no imap: {}", self.at, shown(&greeting)))),
        }
        self.say("t1 STARTTLS\r\n", limits.command).await?;
        for _ in 0..LINES_MAX {
            let line = self.line(limits.command).await?;
            let Some(answer) = line.strip_prefix("t1 ") else { continue };
            let is_ok = answer.get(..2).is_some_and(|word| word.eq_ignore_ascii_case("OK"));
            return if is_ok { Ok(()) } else { Err(self.refused(answer)) };
        }
        Err(WireError::Protocol(format!("{} talks on before it answers starttls", self.at)))
    }

    /// RFC 3207.
    async fn smtp(&mut self, ehlo_name: &str, limits: &Timeouts) -> Result<(), WireError> {
        let greeting = self.reply(limits.greeting).await?;
        self.expect("greets with", &greeting)?;
        self.say(&format!("EHLO {ehlo_name}\r\n"), limits.command).await?;
        let features = self.reply(limits.command).await?;
        self.expect("answers ehlo with", &features)?;
        if !features.iter().any(|line| line.get(4..).is_some_and(|word| word.trim().eq_ignore_ascii_case("STARTTLS"))) {
            return Err(self.refused("it does not offer starttls"));
        }
        self.say("STARTTLS\r\n", limits.command).await?;
        let answer = self.reply(limits.command).await?;
        match answer.last() {
            Some(line) if line.starts_with("220") => Ok(()),
            line => Err(self.refused(line.map_or("", String::as_str))),
        }
    }

    fn refused(&self, answer: &str) -> WireError {
        WireError::Refused(format!("{} refuses starttls, nothing is said in the clear: {}", self.at, shown(answer)))
    }

    fn expect(&self, act: &str, reply: &[String]) -> Result<(), WireError> {
        let last = reply.last().map_or("", String::as_str);
        let text = format!("{} {act} {}", self.at, shown(last));
        match last.as_bytes().first() {
            Some(b'2') => Ok(()),
            Some(b'4') => Err(WireError::Unreachable(text)),
            Some(b'5') => Err(WireError::Refused(text)),
            _ => Err(WireError::Protocol(text)),
        }
    }

    async fn say(&mut self, command: &str, limit: Duration) -> Result<(), WireError> {
        let written = timeout(limit, self.tcp.write_all(command.as_bytes())).await;
        written.map_err(|_| self.at.silent("ask for starttls at", limit))?.map_err(|error| self.at.lost("ask for starttls at", &error))
    }

    /// One SMTP reply with all its lines (RFC 5321 §4.2.1).
    async fn reply(&mut self, limit: Duration) -> Result<Vec<String>, WireError> {
        let mut lines = Vec::new();
        while lines.len() < LINES_MAX {
            let line = self.line(limit).await?;
            if line.len() < 3 || !line.bytes().take(3).all(|byte| byte.is_ascii_digit()) {
                return Err(WireError::Protocol(format!("{} answers with no smtp: {}", self.at, shown(&line))));
            }
            let is_last = line.as_bytes().get(3) != Some(&b'-');
            lines.push(line);
            if is_last {
                return Ok(lines);
            }
        }
        Err(WireError::Protocol(format!("{} answers with too many lines", self.at)))
    }

    /// One line, read byte by byte: what follows it stays in the socket, for TLS to refuse.
    async fn line(&mut self, limit: Duration) -> Result<String, WireError> {
        let mut line = Vec::new();
        let read = async {
            while line.last() != Some(&b'\n') && line.len() < LINE_BYTES_MAX {
                line.push(self.tcp.read_u8().await?);
            }
            Ok(())
        };
        timeout(limit, read)
            .await
            .map_err(|_| self.at.silent("hear from", limit))?
            .map_err(|error: io::Error| self.at.lost("hear from", &error))?;
        if line.last() != Some(&b'\n') {
            return Err(WireError::Protocol(format!("{} sends a line without end", self.at)));
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f75_both_families_are_tried_in_turn_and_few_of_each() {
        let found = |text: &[&str]| in_turn(text.iter().map(|address| address.parse().unwrap()).collect());
        let mixed = found(&["[2001:db8::1]:993", "[2001:db8::2]:993", "[2001:db8::3]:993", "192.0.2.1:993"]);
        let shown: Vec<String> = mixed.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["[2001:db8::1]:993", "192.0.2.1:993", "[2001:db8::2]:993", "[2001:db8::3]:993"], "a dead IPv6 hides no IPv4");
        assert_eq!(found(&["192.0.2.1:993", "192.0.2.2:993"]).len(), 2);
        assert_eq!(found(&["192.0.2.1:993"; 40]).len(), ADDRESSES_MAX, "40 dead addresses are not 20 minutes");
        assert!(found(&[]).is_empty());
    }
}
