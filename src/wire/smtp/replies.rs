//! The stream under lettre: it hands on whole, clean reply lines, and notes what the outcome of a sending
//! turns on and lettre does not tell: whether the final dot left, and whether a reply came before it was due.

use crate::wire::connect::Stream;
use crate::wire::shown;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// One reply line: RFC 5321 §4.5.3.1.5 has 512, lettre reads 1000.
const LINE_BYTES_MAX: usize = 990;
/// Lines of one reply (EHLO of a large server has some 20).
const LINES_MAX: u32 = 100;
/// What ends a message (RFC 5321 §4.1.1.4). Dots at the start of lines are doubled, so a message cannot hold it.
const FINAL_DOT: &[u8; 5] = b"\r\n.\r\n";

/// What the stream has seen, shared with the connection above lettre.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// The last bytes that were handed to the network.
    tail: VecDeque<u8>,
    /// The reply that came last, its lines joined, fit to be shown.
    reply: String,
    /// The last 4xx or 5xx: lettre says QUIT after some of them, and the answer to that is not the reason.
    refusal: Option<String>,
    /// A reply that came before it was due: 550 while a message is still being written.
    early: Option<String>,
    has_written: bool,
}

impl Ledger {
    /// Whether the end of a message was handed to the network as the last thing.
    pub(super) fn is_dot_out(&self) -> bool {
        self.tail.iter().eq(FINAL_DOT)
    }

    pub(super) fn reply(&self) -> &str {
        &self.reply
    }

    pub(super) fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    pub(super) fn early(&self) -> Option<&str> {
        self.early.as_deref()
    }

    /// Whether anything was said to the server yet.
    pub(super) fn has_written(&self) -> bool {
        self.has_written
    }

    fn wrote(&mut self, bytes: &[u8]) {
        self.has_written = true;
        let new = bytes.get(bytes.len().saturating_sub(FINAL_DOT.len())..).unwrap_or_default();
        self.tail.extend(new);
        let surplus = self.tail.len().saturating_sub(FINAL_DOT.len());
        self.tail.drain(..surplus);
    }
}

/// The stream that lettre talks through.
#[derive(Debug)]
pub(super) struct Replies {
    inner: Box<dyn Stream>,
    peer: std::net::SocketAddr,
    ledger: Arc<Mutex<Ledger>>,
    /// Clean lines that lettre has not read yet.
    clean: VecDeque<u8>,
    /// The line that is coming in.
    line: Vec<u8>,
    lines: u32,
    /// The code of the reply that is coming in; empty before its first line.
    code: String,
    /// A reply is due: a command was written, or the greeting stands out.
    is_due: bool,
    /// After 354: nothing is due until the final dot.
    is_in_data: bool,
    fault: Option<&'static str>,
}

impl Replies {
    /// `greeting`: given to lettre first, where the true one was read before STARTTLS; it expects one on each stream.
    pub(super) fn new(
        inner: Box<dyn Stream>,
        peer: std::net::SocketAddr,
        ledger: Arc<Mutex<Ledger>>,
        greeting: Option<&'static [u8]>,
    ) -> Self {
        let is_due = greeting.is_none();
        let clean = greeting.unwrap_or_default().iter().copied().collect();
        Self { inner, peer, ledger, clean, line: Vec::new(), lines: 0, code: String::new(), is_due, is_in_data: false, fault: None }
    }

    fn take_in(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.fault.is_some() {
                return;
            }
            self.line.push(*byte);
            if *byte == b'\n' {
                self.end_line();
            } else if self.line.len() > LINE_BYTES_MAX {
                self.fault = Some("a reply line is too long");
            }
        }
    }

    /// A line becomes what lettre reads without stumbling: `250-text` or `250 text`, printable ASCII, CRLF.
    fn end_line(&mut self) {
        let text: String =
            self.line.trim_ascii_end().iter().map(|byte| if (b' '..=b'~').contains(byte) { char::from(*byte) } else { '?' }).collect();
        self.line.clear();
        let (code, rest) = (text.get(..3).unwrap_or_default(), text.get(3..).unwrap_or_default());
        let is_reply =
            code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit()) && (rest.is_empty() || rest.starts_with([' ', '-']));
        if !is_reply {
            self.fault = Some("what it says is no smtp reply");
            return;
        }
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_due {
            // Its words are kept: they may be the reason why the connection is about to end.
            self.fault = Some("it answers before it was asked");
            ledger.early = Some(shown(&text));
            return;
        }
        self.lines += 1;
        if self.lines > LINES_MAX {
            self.fault = Some("a reply has too many lines");
            return;
        }
        if self.code.is_empty() {
            code.clone_into(&mut self.code);
            ledger.reply.clear();
        }
        if self.code != code {
            self.fault = Some("the lines of a reply have different codes");
            return;
        }
        let words = if ledger.reply.is_empty() { text.as_str() } else { rest.trim_start_matches(['-', ' ']) };
        ledger.reply = shown(&format!("{} {words}", ledger.reply));
        let (mark, words) = if rest.starts_with('-') { ('-', rest.trim_start_matches('-')) } else { (' ', rest) };
        self.clean.extend(format!("{code}{mark}{}\r\n", words.trim()).bytes());
        if mark == ' ' {
            if code.starts_with(['4', '5']) {
                ledger.refusal = Some(ledger.reply.clone());
            }
            self.is_in_data = code == "354";
            (self.is_due, self.lines) = (false, 0);
            self.code.clear();
        }
    }

    /// Reads what is there without waiting. `false`: the server closed its side.
    fn look(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        let mut room = [0; 4096];
        let mut buf = ReadBuf::new(&mut room);
        match Pin::new(&mut self.inner).poll_read(cx, &mut buf)? {
            Poll::Ready(()) if buf.filled().is_empty() => Ok(false),
            Poll::Ready(()) => {
                self.take_in(buf.filled());
                Ok(true)
            }
            Poll::Pending => Ok(true),
        }
    }

    fn failed(&self) -> io::Result<()> {
        self.fault.map_or(Ok(()), |fault| Err(io::Error::new(io::ErrorKind::InvalidData, fault)))
    }
}

impl AsyncRead for Replies {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            if !self.clean.is_empty() {
                let count = buf.remaining().min(self.clean.len());
                for byte in self.clean.drain(..count) {
                    buf.put_slice(&[byte]);
                }
                return Poll::Ready(Ok(()));
            }
            self.failed()?;
            let mut room = [0; 4096];
            let mut fresh = ReadBuf::new(&mut room);
            ready!(Pin::new(&mut self.inner).poll_read(cx, &mut fresh))?;
            if fresh.filled().is_empty() {
                // lettre would call this an incomplete reply, which is another thing.
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed")));
            }
            self.take_in(fresh.filled());
        }
    }
}

impl AsyncWrite for Replies {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.failed()?;
        if buf == FINAL_DOT {
            // The last moment to see that the server has answered already, or has gone (RFC 5321 §3.8 allows both):
            // a 250 from before the dot must not pass for the answer to it.
            let is_open = self.look(cx)?;
            self.failed()?;
            if !is_open {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
        }
        match Pin::new(&mut self.inner).poll_write(cx, buf) {
            Poll::Ready(Ok(count)) => {
                let written = buf.get(..count).unwrap_or_default();
                let is_dot_out = {
                    let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
                    ledger.wrote(written);
                    ledger.is_dot_out()
                };
                self.is_due = !self.is_in_data || is_dot_out;
                Poll::Ready(Ok(count))
            }
            Poll::Ready(Err(error)) => {
                // Its last words may say why it hung up, as with a message that is too large.
                self.look(cx).ok();
                Poll::Ready(Err(error))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl lettre::transport::smtp::client::AsyncTokioStream for Replies {
    fn peer_addr(&self) -> io::Result<std::net::SocketAddr> {
        Ok(self.peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lettre::transport::smtp::client::AsyncSmtpConnection;
    use lettre::transport::smtp::commands::Noop;
    use lettre::transport::smtp::extension::ClientId;

    /// lettre talks to a server that says `bytes` whatever it hears.
    async fn talk(bytes: Vec<u8>) {
        let (ours, mut theirs) = tokio::io::duplex(1 << 16);
        tokio::io::AsyncWriteExt::write_all(&mut theirs, &bytes).await.unwrap();
        let (mut reader, mut writer) = tokio::io::split(theirs);
        tokio::io::AsyncWriteExt::shutdown(&mut writer).await.unwrap();
        let ignore = async { tokio::io::copy(&mut reader, &mut tokio::io::sink()).await.ok() };
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let stream = Box::new(Replies::new(Box::new(ours), ([127, 0, 0, 1], 25).into(), ledger, Some(b"220 x\r\n")));
        let converse = async {
            if let Ok(mut connection) = AsyncSmtpConnection::connect_with_transport(stream, &ClientId::Domain("x".to_owned())).await {
                for _ in 0..4 {
                    connection.command(Noop).await.ok();
                }
            }
        };
        tokio::select! { () = converse => {}, _ = ignore => {} }
    }

    proptest::proptest! {
        #[test]
        fn s5_no_words_of_a_server_make_lettre_panic(
            words in proptest::collection::vec(proptest::sample::select(WORDS), 0..40),
            noise in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..8),
        ) {
            let mut bytes = words.concat().into_bytes();
            bytes.extend(noise);
            tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(talk(bytes));
        }
    }

    const WORDS: &[&str] = &[
        "220 ", "250-", "250 ", "250", "354 ", "421 ", "550-", "550 ", "599", "999 ", "2", "AUTH", "AUTH ", "PLAIN", "STARTTLS", "SIZE ",
        " ", "\t", "\r\n", "\r\n", "\n", "\r", "\u{e9}", "\u{a0}", "\0", "5.7.1 ", "-", "x",
    ];
}
