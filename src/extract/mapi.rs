//! What Outlook's own forms of a message have in common: the numbers of the properties that are
//! read, their text, and compressed RTF. `msg` and `tnef` find the bytes.

use super::file::{self, Enclosed, Inside, TEXT_BYTES_MAX, truncate};
use super::rtf;

/// Properties by their numbers (MS-OXPROPS).
pub(super) const SUBJECT: u16 = 0x0037;
pub(super) const SENDER_NAME: u16 = 0x0c1a;
pub(super) const SENDER_ADDRESS: u16 = 0x0c1f;
pub(super) const SENDER_SMTP_ADDRESS: u16 = 0x5d01;
pub(super) const DISPLAY_TO: u16 = 0x0e04;
pub(super) const TRANSPORT_HEADER: u16 = 0x007d;
pub(super) const BODY: u16 = 0x1000;
pub(super) const RTF_COMPRESSED: u16 = 0x1009;
pub(super) const BODY_HTML: u16 = 0x1013;
pub(super) const ATTACH_DATA: u16 = 0x3701;
pub(super) const ATTACH_SHORT_NAME: u16 = 0x3704;
pub(super) const ATTACH_NAME: u16 = 0x3707;
pub(super) const ATTACH_TYPE: u16 = 0x370e;
pub(super) const DISPLAY_NAME: u16 = 0x3001;

/// Types of values (MS-OXCDATA 2.11.1).
pub(super) const STRING8: u16 = 0x001e;
pub(super) const UNICODE: u16 = 0x001f;
pub(super) const BINARY: u16 = 0x0102;

/// A message as Outlook holds it, on its way to an [`Inside`].
#[derive(Debug, Default)]
pub(super) struct Message {
    pub subject: String,
    pub sender_name: String,
    pub sender_address: String,
    pub to: String,
    /// The header as it came over the network, where it did.
    pub header: String,
    pub body: String,
    pub html: Vec<u8>,
    pub rtf: Vec<u8>,
    pub files: Vec<Enclosed>,
    /// There is more than was read.
    pub is_partial: bool,
}

impl Message {
    /// A property of the message itself; those that are not wanted are passed over. The better of two
    /// spellings of a sender wins, whichever comes first.
    pub fn set(&mut self, property: u16, kind: u16, value: &[u8]) {
        match property {
            SUBJECT => self.subject = text_of(kind, value),
            SENDER_NAME => self.sender_name = text_of(kind, value),
            SENDER_SMTP_ADDRESS => self.sender_address = text_of(kind, value),
            SENDER_ADDRESS if !self.sender_address.contains('@') => self.sender_address = text_of(kind, value),
            DISPLAY_TO => self.to = text_of(kind, value),
            TRANSPORT_HEADER => self.header = text_of(kind, value),
            BODY => self.body = text_of(kind, value),
            BODY_HTML => self.html = value.to_vec(),
            RTF_COMPRESSED => self.rtf = uncompressed(value),
            _ => {}
        }
    }

    /// The text of the body: as it was typed, else out of the RTF. HTML is handed on as a file, since
    /// reading it is the mail's business.
    fn text(&mut self) -> String {
        if !self.body.trim().is_empty() {
            return std::mem::take(&mut self.body);
        }
        let text = rtf::text_of(&self.rtf);
        if text.trim().is_empty() && !self.html.is_empty() {
            let content = std::mem::take(&mut self.html);
            self.files.insert(0, Enclosed { name: "body.html".to_owned(), media_type: "text/html".to_owned(), content });
        }
        text
    }

    /// The body and the files, for what stands in the place of the mail's own body (`winmail.dat`).
    pub fn into_body(mut self) -> Inside {
        let mut text = self.text();
        truncate(&mut text, TEXT_BYTES_MAX);
        self.files.truncate(file::ENCLOSED_MAX);
        Inside { text, files: self.files, is_partial: self.is_partial }
    }

    /// The message as evidence: who wrote it to whom about what, then the body.
    pub fn into_evidence(mut self) -> Inside {
        let body = self.text();
        let mut text = String::new();
        let sender = match (self.sender_name.trim(), self.sender_address.trim()) {
            (name, "") => name.to_owned(),
            ("", address) => address.to_owned(),
            (name, address) => format!("{name} <{address}>"),
        };
        for (name, value) in [("From", sender.as_str()), ("To", self.to.trim()), ("Subject", self.subject.trim())] {
            if !value.is_empty() {
                text.push_str(&format!("{name}: {}\n", value.split_whitespace().collect::<Vec<_>>().join(" ")));
            }
        }
        // Of the trace the hosts alone are evidence beyond what stands above.
        for line in unfolded(&self.header).filter(|line| is_trace(line)).take(10) {
            text.push_str(&line);
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&body);
        truncate(&mut text, TEXT_BYTES_MAX);
        self.files.truncate(file::ENCLOSED_MAX);
        Inside { text, files: self.files, is_partial: self.is_partial }
    }
}

fn is_trace(line: &str) -> bool {
    ["received:", "reply-to:", "return-path:", "message-id:", "date:"]
        .iter()
        .any(|name| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)))
}

/// Header lines with what was folded joined.
fn unfolded(header: &str) -> impl Iterator<Item = String> + '_ {
    const LINES_MAX: usize = 2_000;
    let mut lines = header.lines().take(LINES_MAX).peekable();
    std::iter::from_fn(move || {
        let mut line = lines.next()?.to_owned();
        while let Some(more) = lines.next_if(|next| next.starts_with([' ', '\t'])) {
            line.push(' ');
            line.push_str(more.trim());
        }
        Some(line)
    })
}

/// The text of a value.
pub(super) fn text_of(kind: u16, value: &[u8]) -> String {
    let value = value.get(..value.len().min(2 * TEXT_BYTES_MAX)).unwrap_or(value);
    let text = if kind == UNICODE {
        let units = value.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair));
        char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')).collect()
    } else {
        match std::str::from_utf8(value) {
            Ok(text) => text.to_owned(),
            Err(_) => value.iter().map(|byte| rtf::windows(*byte)).collect(),
        }
    };
    text.replace("\r\n", "\n").replace('\r', "\n").trim_end_matches('\0').to_owned()
}

/// The dictionary that compressed RTF begins with (MS-OXRTFCP 2.1.2.1).
const DICTIONARY: &[u8] = b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor \
MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";
/// RTF of a mail unfolds to no more than this; a reference gives at most 17 bytes for its two.
const RTF_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Compressed RTF undone (MS-OXRTFCP 3.1.3); what is broken gives what came before.
pub(super) fn uncompressed(bytes: &[u8]) -> Vec<u8> {
    const WINDOW: usize = 4_096;
    let Some((header, mut rest)) = bytes.split_first_chunk::<16>() else { return Vec::new() };
    if header.get(8..12) == Some(b"MELA") {
        return rest.get(..rest.len().min(RTF_BYTES_MAX)).unwrap_or(rest).to_vec();
    }
    if header.get(8..12) != Some(b"LZFu") {
        return Vec::new();
    }
    let mut window = [0_u8; WINDOW];
    for (slot, byte) in window.iter_mut().zip(DICTIONARY) {
        *slot = *byte;
    }
    let mut at = DICTIONARY.len();
    let mut out = Vec::new();
    let mut put = |byte: u8, window: &mut [u8; WINDOW], out: &mut Vec<u8>| {
        if let Some(slot) = window.get_mut(at % WINDOW) {
            *slot = byte;
        }
        at = (at + 1) % WINDOW;
        out.push(byte);
        at
    };
    let mut next = DICTIONARY.len();
    while let Some((control, after)) = rest.split_first() {
        rest = after;
        for bit in 0..8 {
            if out.len() > RTF_BYTES_MAX {
                return out;
            }
            if control & (1 << bit) == 0 {
                let Some((byte, after)) = rest.split_first() else { return out };
                rest = after;
                next = put(*byte, &mut window, &mut out);
                continue;
            }
            let Some((pair, after)) = rest.split_first_chunk::<2>() else { return out };
            rest = after;
            let reference = u16::from_be_bytes(*pair);
            let (offset, length) = (usize::from(reference >> 4), usize::from(reference & 0xf) + 2);
            // A reference to the place that is written next marks the end.
            if offset == next {
                return out;
            }
            for step in 0..length {
                let byte = window.get((offset + step) % WINDOW).copied().unwrap_or_default();
                next = put(byte, &mut window, &mut out);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressed_rtf_comes_back_and_broken_one_gives_what_it_can() {
        // The first example of MS-OXRTFCP 4.1.1.
        let compressed = [
            0x2d, 0, 0, 0, 0x2b, 0, 0, 0, 0x4c, 0x5a, 0x46, 0x75, 0xf1, 0xc5, 0xc7, 0xa7, 0x03, 0x00, 0x0a, 0x00, 0x72, 0x63, 0x70, 0x67,
            0x31, 0x32, 0x35, 0x42, 0x32, 0x0a, 0xf3, 0x20, 0x68, 0x65, 0x6c, 0x09, 0x00, 0x20, 0x62, 0x77, 0x05, 0xb0, 0x6c, 0x64, 0x7d,
            0x0a, 0x80, 0x0f, 0xa0,
        ];
        assert_eq!(uncompressed(&compressed), b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n");
        for cut in 0..compressed.len() {
            assert!(uncompressed(&compressed[..cut]).len() <= 45);
        }
        assert_eq!(uncompressed(b"................"), b"");
    }

    #[test]
    fn a_reference_that_repeats_itself_stays_bounded() {
        let mut bomb = b"\0\0\0\0\0\0\0\0LZFu\0\0\0\0".to_vec();
        bomb.extend([0xff_u8, 0, 0xff, 0, 0xff].repeat(2_000_000));
        assert!(uncompressed(&bomb).len() <= RTF_BYTES_MAX + 18);
    }
}
