//! The brake under the IMAP parser: what a server sends is measured before anything is set aside for it.
//! The parser alone would buffer half a gigabyte, recurse as deep as a server nests, and read a long
//! line again with every packet (ATTACKS S3).

use crate::wire::connect::Stream;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Room for all that stands round a message in one response.
pub(super) const RESPONSE_SLACK_BYTES: usize = 1024 * 1024;
/// One line outside of literals. The parser reads an unfinished line anew with each packet, so the cost is its square.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// The one long line that is lawful: the answer to SEARCH, here some 500,000 messages.
pub(super) const SEARCH_LINE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Parentheses in one response. What we ask for has fewer than ten; the parser recurses on them.
const PARENTHESES_MAX: usize = 64;
/// Responses to one command: each message of a very large mailbox may get new flags meanwhile.
const RESPONSES_MAX: u32 = 1_000_000;
/// A literal's announcement, `{4294967295}` with its line end, and some zeros before it.
const ANNOUNCEMENT_BYTES_MAX: usize = 32;

/// Why the brake was pulled; found again in the `io::Error` that the parser passes on.
#[derive(Debug)]
pub(super) struct Excess(pub &'static str);

impl std::fmt::Display for Excess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Excess {}

/// A stream that measures responses as they come in.
#[derive(Debug)]
pub(super) struct Limited {
    inner: Box<dyn Stream>,
    gauge: Gauge,
}

impl Limited {
    pub(super) fn new(inner: Box<dyn Stream>) -> Self {
        Self { inner, gauge: Gauge::default() }
    }

    /// A new command: its responses may have `response_bytes_max` each, of which `line_bytes_max` outside of literals.
    pub(super) fn begin(&mut self, response_bytes_max: usize, line_bytes_max: usize) {
        self.gauge.response_bytes_max = response_bytes_max.max(line_bytes_max);
        self.gauge.line_bytes_max = line_bytes_max.max(LINE_BYTES_MAX);
        self.gauge.responses = 0;
    }
}

/// Where in the conversation the last byte was.
#[derive(Debug)]
struct Gauge {
    response_bytes_max: usize,
    line_bytes_max: usize,
    responses: u32,
    /// Of the response that is coming in.
    response_bytes: usize,
    line_bytes: usize,
    parentheses: usize,
    literal_left: usize,
    /// The first and the last bytes of the line.
    head: Vec<u8>,
    tail: Vec<u8>,
    may_hold_literals: bool,
}

impl Default for Gauge {
    fn default() -> Self {
        Self {
            response_bytes_max: RESPONSE_SLACK_BYTES,
            line_bytes_max: LINE_BYTES_MAX,
            responses: 0,
            response_bytes: 0,
            line_bytes: 0,
            parentheses: 0,
            literal_left: 0,
            head: Vec::new(),
            tail: Vec::new(),
            may_hold_literals: false,
        }
    }
}

impl Gauge {
    /// Measures bytes, and makes ASCII of what stands outside of literals: the parser cuts status texts
    /// at a byte that may lie inside a character, and no name or number that we use has others.
    fn measure(&mut self, mut bytes: &mut [u8]) -> Result<(), Excess> {
        while !bytes.is_empty() {
            if self.literal_left > 0 {
                let skip = self.literal_left.min(bytes.len());
                self.literal_left -= skip;
                self.grow(skip)?;
                bytes = bytes.get_mut(skip..).unwrap_or_default();
                continue;
            }
            let Some((byte, rest)) = bytes.split_first_mut() else { break };
            if !byte.is_ascii() {
                *byte = b'?';
            }
            self.line_byte(*byte)?;
            bytes = rest;
        }
        Ok(())
    }

    fn grow(&mut self, by: usize) -> Result<(), Excess> {
        self.response_bytes = self.response_bytes.saturating_add(by);
        if self.response_bytes > self.response_bytes_max { Err(Excess("a response is too large")) } else { Ok(()) }
    }

    fn line_byte(&mut self, byte: u8) -> Result<(), Excess> {
        self.grow(1)?;
        self.line_bytes += 1;
        if self.line_bytes > self.line_bytes_max {
            return Err(Excess("a line is too long"));
        }
        if byte == b'(' {
            self.parentheses += 1;
            if self.parentheses > PARENTHESES_MAX {
                return Err(Excess("a response is nested too deep"));
            }
        }
        if self.head.len() < ANNOUNCEMENT_BYTES_MAX {
            self.head.push(byte);
        }
        if byte == b'{' {
            self.tail.clear();
        }
        if self.tail.len() < ANNOUNCEMENT_BYTES_MAX {
            self.tail.push(byte);
        }
        if byte == b'\n' { self.line_end() } else { Ok(()) }
    }

    fn line_end(&mut self) -> Result<(), Excess> {
        // Only these carry literals; a status text that looks like one is a text.
        self.may_hold_literals |= has_data(&self.head);
        let announced = if self.may_hold_literals { announced(&self.tail)? } else { None };
        self.tail.clear();
        if let Some(bytes) = announced {
            if self.response_bytes.saturating_add(bytes) > self.response_bytes_max {
                return Err(Excess("a literal is too large"));
            }
            self.literal_left = bytes;
            return Ok(());
        }
        self.responses += 1;
        if self.responses > RESPONSES_MAX {
            return Err(Excess("a command has too many responses"));
        }
        (self.response_bytes, self.line_bytes, self.parentheses) = (0, 0, 0);
        self.head.clear();
        self.may_hold_literals = false;
        Ok(())
    }
}

/// `* 12 FETCH …` and `* LIST …`.
fn has_data(head: &[u8]) -> bool {
    let mut words = head.split(|byte| *byte == b' ');
    let (star, second, third) = (words.next(), words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let is_number = !second.is_empty() && second.iter().all(u8::is_ascii_digit);
    star == Some(b"*") && (second.eq_ignore_ascii_case(b"LIST") || (is_number && third.eq_ignore_ascii_case(b"FETCH")))
}

/// The size in `{size}` CRLF at the end of a line. A size that is no 32-bit number is an excess in itself.
fn announced(tail: &[u8]) -> Result<Option<usize>, Excess> {
    let Some(digits) = tail.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}\r\n")) else { return Ok(None) };
    let digits = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    match digits.map(str::parse::<u32>) {
        Some(Ok(size)) => Ok(Some(usize::try_from(size).unwrap_or(usize::MAX))),
        _ => Err(Excess("a literal's size is no number")),
    }
}

impl AsyncRead for Limited {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        let fresh = buf.filled_mut().get_mut(before..).unwrap_or_default();
        Poll::Ready(self.gauge.measure(fresh).map_err(|excess| io::Error::new(io::ErrorKind::InvalidData, excess)))
    }
}

impl AsyncWrite for Limited {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(limit: usize, bytes: &[u8]) -> Result<(), &'static str> {
        let mut whole = Gauge { response_bytes_max: limit, line_bytes_max: 100, ..Gauge::default() };
        let mut dripped = Gauge { response_bytes_max: limit, line_bytes_max: 100, ..Gauge::default() };
        let result = whole.measure(&mut bytes.to_vec()).map_err(|excess| excess.0);
        let drops = bytes.iter().try_for_each(|byte| dripped.measure(&mut [*byte])).map_err(|excess| excess.0);
        assert_eq!(result, drops, "the same in one packet as in many");
        result
    }

    #[test]
    fn s3_a_literal_is_refused_by_its_announcement() {
        assert_eq!(measured(1000, b"* 1 FETCH (UID 7 BODY[] {900}\r\n"), Ok(()));
        assert_eq!(measured(1000, b"* 1 FETCH (UID 7 BODY[] {4294967295}\r\n"), Err("a literal is too large"));
        assert_eq!(measured(1000, b"* 1 FETCH (UID 7 BODY[] {99999999999999999999}\r\n"), Err("a literal's size is no number"));
        assert_eq!(measured(1000, b"* LIST () \"/\" {1001}\r\n"), Err("a literal is too large"));
    }

    #[test]
    fn s3_many_literals_in_one_response_count_together() {
        let mut bytes = b"* 1 FETCH (UID 7".to_vec();
        for _ in 0..4 {
            bytes.extend_from_slice(b" BODY[] {300}\r\n");
            bytes.extend_from_slice(&[b'\n'; 300]);
        }
        assert_eq!(measured(1000, &bytes), Err("a literal is too large"));
        assert_eq!(measured(2000, &bytes), Ok(()));
    }

    #[test]
    fn s3_a_line_without_end_and_nesting_without_end_are_stopped() {
        assert_eq!(measured(1000, &[b'x'; 101]), Err("a line is too long"));
        assert_eq!(measured(1000, format!("* 1 FETCH {}", "(".repeat(65)).as_bytes()), Err("a response is nested too deep"));
        // A status text that pretends to announce a literal hides nothing.
        let hidden = format!("* OK {{500}}\r\n* 1 FETCH {}", "(".repeat(65));
        assert_eq!(measured(1000, hidden.as_bytes()), Err("a response is nested too deep"));
    }

    #[test]
    fn ordinary_talk_passes_however_long() {
        let talk = b"* 1 FETCH (UID 1 BODY[] {5}\r\n((((()\r\n* OK still (here)\r\n".repeat(1000);
        assert_eq!(measured(100, &talk), Ok(()));
    }

    #[test]
    fn status_texts_are_made_ascii_and_literals_are_not() {
        let mut bytes = "* OK [ALERT]\u{e9}\r\n* 1 FETCH (BODY[] {2}\r\n\u{e9})\r\n".as_bytes().to_vec();
        Gauge::default().measure(&mut bytes).unwrap();
        assert_eq!(bytes, "* OK [ALERT]??\r\n* 1 FETCH (BODY[] {2}\r\n\u{e9})\r\n".as_bytes());
    }

    /// What the parser reads from a server that says `bytes` and leaves.
    async fn read_all(bytes: Vec<u8>) {
        let (ours, mut theirs) = tokio::io::duplex(bytes.len().max(1));
        tokio::io::AsyncWriteExt::write_all(&mut theirs, &bytes).await.unwrap();
        drop(theirs);
        let mut client = async_imap::Client::new(Limited::new(Box::new(ours)));
        while let Ok(Some(response)) = client.read_response().await {
            response.parsed();
        }
    }

    proptest::proptest! {
        #[test]
        fn s3_no_words_of_a_server_make_the_parser_panic(
            words in proptest::collection::vec(proptest::sample::select(WORDS), 0..40),
            noise in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..8),
        ) {
            let mut bytes = words.concat().into_bytes();
            bytes.extend(noise);
            bytes.extend_from_slice(b"\r\n");
            tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(read_all(bytes));
        }
    }

    const WORDS: &[&str] = &[
        "* ",
        "+ ",
        "a1 ",
        "1 ",
        "4294967296 ",
        "OK ",
        "NO ",
        "BYE ",
        "PREAUTH ",
        "[",
        "]",
        "[ALERT]",
        "[CAPABILITY ",
        "[UIDVALIDITY 1]",
        "[COPYUID 1 4294967295:1 2]",
        "[PERMANENTFLAGS (\\*)]",
        "[BADCHARSET (",
        "FETCH (",
        "UID 1",
        "BODY[]",
        "BODY[HEADER]<0>",
        "BODYSTRUCTURE (",
        "ENVELOPE (",
        "INTERNALDATE \"",
        "RFC822.SIZE 1",
        "FLAGS (\\Seen)",
        "SEARCH ",
        "SORT ",
        "LIST () \"/\" ",
        "STATUS x (",
        "EXISTS",
        "EXPUNGE",
        "VANISHED (EARLIER) ",
        "QUOTA x (",
        "ID (",
        "ACL x ",
        "METADATA \"\" (",
        "CAPABILITY IMAP4rev1",
        "ENABLED ",
        "{0}\r\n",
        "{3}\r\n",
        "abc",
        "\"",
        "\\",
        "(",
        ")",
        " ",
        "  ",
        "\r\n",
        "\n",
        "\r",
        "\u{e9}",
        "\0",
        "NIL",
        "1:2",
        ",",
        "*",
    ];
}
