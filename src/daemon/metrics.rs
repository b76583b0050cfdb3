//! Figures for Prometheus on a loopback port: numbers and the contract's words, never a word of a mail,
//! an address or a ticket number. As much HTTP/1.1 (RFC 9112) as one GET needs.

use super::Daemon;
use super::alarm::Cause;
use crate::store::{SYNC, UNACCOUNTED};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// A request with its header; what asks for figures sends some 300 bytes.
const REQUEST_BYTES_MAX: usize = 8 * 1024;
/// A client may take this long with its question, and with the answer.
const CLIENT_WITHIN: Duration = Duration::from_secs(5);
/// Clients at a time, so that they cannot use up the descriptors of the process.
const CLIENTS_MAX: usize = 8;
/// After the port could not be had, or a connection not be accepted (no descriptors left).
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// What the process counted since it started.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub stored: AtomicU64,
    pub decided: AtomicU64,
    pub sent: AtomicU64,
    pub put_off: AtomicU64,
    pub failed: AtomicU64,
    pub uncertain: AtomicU64,
    pub interrupted: AtomicU64,
    pub rules_refused: AtomicU64,
}

impl Counters {
    pub(super) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// Answers until told to stop. Where the port cannot be had it is tried again: figures are no reason to stop.
pub(super) async fn run(daemon: &Daemon, listen: SocketAddr) {
    while !daemon.is_stopping() {
        match TcpListener::bind(listen).await {
            Ok(listener) => {
                tracing::info!(%listen, "metrics");
                return serve(daemon, &listener).await;
            }
            Err(error) => tracing::error!(%listen, error = error.to_string(), "cannot listen for metrics"),
        }
        tokio::select! {
            () = daemon.stopped() => return,
            () = tokio::time::sleep(TRY_AGAIN) => {}
        }
    }
}

async fn serve(daemon: &Daemon, listener: &TcpListener) {
    let free = Arc::new(Semaphore::new(CLIENTS_MAX));
    loop {
        // Never closed, so an error cannot come.
        let Ok(place) = Arc::clone(&free).acquire_owned().await else { return };
        let accepted = tokio::select! {
            () = daemon.stopped() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let daemon = daemon.clone();
                tokio::spawn(async move {
                    let _place = place;
                    // A client that is too slow is left; it asks again.
                    let _ = tokio::time::timeout(CLIENT_WITHIN.saturating_mul(2), answer(&daemon, stream)).await;
                });
            }
            // Without descriptors (F68) accepting would fail again at once, for ever.
            Err(error) => {
                tracing::warn!(error = error.to_string(), "cannot accept a client of the metrics");
                tokio::time::sleep(TRY_AGAIN).await;
            }
        }
    }
}

async fn answer(daemon: &Daemon, mut stream: TcpStream) -> std::io::Result<()> {
    let request = tokio::time::timeout(CLIENT_WITHIN, question(&mut stream)).await.unwrap_or_else(|_| Ok(Vec::new()))?;
    let (status, body) = match asked(&request) {
        Asked::Figures => match daemon.blocking(page).await {
            Ok(page) => ("200 OK", page),
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "no figures");
                ("503 Service Unavailable", "the database cannot be read\n".to_owned())
            }
        },
        Asked::Elsewhere => ("404 Not Found", "the figures are at /metrics\n".to_owned()),
        Asked::Otherwise => ("405 Method Not Allowed", "ask with GET\n".to_owned()),
        Asked::Nonsense => ("400 Bad Request", String::new()),
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

async fn question(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut request = Vec::new();
    let mut piece = [0; 1024];
    while request.len() < REQUEST_BYTES_MAX && !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut piece).await? {
            0 => break,
            count => request.extend_from_slice(piece.get(..count).unwrap_or_default()),
        }
    }
    Ok(request)
}

#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Figures,
    Elsewhere,
    Otherwise,
    Nonsense,
}

fn asked(request: &[u8]) -> Asked {
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let words: Vec<&str> = line.split(' ').collect();
    match words.as_slice() {
        ["GET", path, version] if version.starts_with("HTTP/1.") => {
            if path.split('?').next() == Some("/metrics") {
                Asked::Figures
            } else {
                Asked::Elsewhere
            }
        }
        [_, _, version] if version.starts_with("HTTP/1.") => Asked::Otherwise,
        _ => Asked::Nonsense,
    }
}

/// The page in the text format of Prometheus.
pub(super) fn page(daemon: &Daemon) -> anyhow::Result<String> {
    let now = daemon.clock.now();
    let figures = daemon.store.figures(now)?;
    let age = |at: jiff::Timestamp| now.duration_since(at).as_secs().max(0);
    let mut page = Page(String::new());
    let rules = daemon.bench().reader.rules.version().to_string();
    page.gauge(
        "info",
        "the program and the set of rules that it judges by",
        &format!("version=\"{}\",rules=\"{rules}\"", env!("CARGO_PKG_VERSION")),
        1,
    );
    page.gauge("inbox_waiting", "mail that is stored and not decided", "", figures.waiting);
    page.gauge("inbox_unfiled", "mail that is decided and still in the mailbox", "", figures.unfiled);
    page.gauge("quarantine", "mail in the quarantine that nobody released", "", figures.quarantine);
    if let Some(found) = daemon.store.standing(UNACCOUNTED)? {
        page.gauge("unaccounted", "messages on the server that are in no store", "", found.value);
        page.gauge("reconciliation_age_seconds", "since the folders were last compared with the store", "", age(found.at));
    }
    if let Some(sync) = daemon.store.standing(SYNC)? {
        page.gauge("sync_age_seconds", "since the mailbox was last looked through, or since the first start", "", age(sync.at));
    }
    page.gauge("outbox_overdue_seconds", "how long the oldest letter that is due waits", "", figures.oldest_due.map_or(0, age));
    page.head("outbox", "letters that are neither sent nor cancelled", "gauge");
    for state in ["queued", "sending", "failed", "uncertain", "held"] {
        page.value("outbox", &format!("state=\"{state}\""), figures.outbox.get(state).copied().unwrap_or(0));
    }
    page.head("tickets", "tickets by state", "gauge");
    for (state, count) in &figures.tickets {
        page.value("tickets", &format!("state=\"{state}\""), *count);
    }
    page.head("alarm", "whether an alarm is up", "gauge");
    for cause in Cause::ALL.into_iter().filter(|cause| !cause.is_event()) {
        page.value("alarm", &format!("cause=\"{}\"", cause.word()), i64::from(daemon.raised.is_up(cause)));
    }
    let counters = &daemon.counters;
    let read = |counter: &AtomicU64| i64::try_from(counter.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
    page.counter("mail_stored_total", "mail that came in", read(&counters.stored));
    page.counter("mail_decided_total", "mail that was decided", read(&counters.decided));
    page.counter("intake_interrupted_total", "how often the connection to the mailbox was lost or refused", read(&counters.interrupted));
    page.counter("rules_refused_total", "sets of rules in the folder that were not taken", read(&counters.rules_refused));
    page.head("attempts_total", "attempts to send a letter, by what came of them", "counter");
    for (outcome, counter) in
        [("sent", &counters.sent), ("later", &counters.put_off), ("never", &counters.failed), ("uncertain", &counters.uncertain)]
    {
        page.value("attempts_total", &format!("outcome=\"{outcome}\""), read(counter));
    }
    Ok(page.0)
}

/// A page on its way.
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, what: &str, kind: &str) {
        // Writing to a string does not fail.
        let _ = write!(self.0, "# HELP bantuan70_{name} {what}\n# TYPE bantuan70_{name} {kind}\n");
    }

    fn value(&mut self, name: &str, labels: &str, value: i64) {
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = writeln!(self.0, "bantuan70_{name}{labels} {value}");
    }

    fn gauge(&mut self, name: &str, what: &str, labels: &str, value: i64) {
        self.head(name, what, "gauge");
        self.value(name, labels, value);
    }

    fn counter(&mut self, name: &str, what: &str, value: i64) {
        self.head(name, what, "counter");
        self.value(name, "", value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_get_of_the_page_is_answered_with_figures() {
        for (request, wanted) in [
            ("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", Asked::Figures),
            ("GET /metrics?x=y HTTP/1.0\r\n\r\n", Asked::Figures),
            ("GET / HTTP/1.1\r\n\r\n", Asked::Elsewhere),
            ("GET /metrics/../../etc/passwd HTTP/1.1\r\n\r\n", Asked::Elsewhere),
            ("POST /metrics HTTP/1.1\r\n\r\n", Asked::Otherwise),
            ("", Asked::Nonsense),
            ("\u{16}\u{3}\u{1} tls", Asked::Nonsense),
            ("GET /metrics\r\n", Asked::Nonsense),
        ] {
            assert_eq!(asked(request.as_bytes()), wanted, "{request:?}");
        }
    }
}
