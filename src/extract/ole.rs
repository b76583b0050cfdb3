//! OLE files: Outlook's `.msg` (read in `msg`), Word and Excel before 2007 as far as their text lies
//! open, and office files behind a password, which are named as such.

use super::file::{Finding, Inside, TEXT_BYTES_MAX, truncate};
use super::msg;
use std::io::{Cursor, Read as _};

/// A container with more entries than this is made to be slow; Outlook writes some hundreds.
pub(super) const ENTRIES_MAX: usize = 10_000;

/// The container of a file.
pub(super) type Container<'a> = cfb::CompoundFile<Cursor<&'a [u8]>>;

/// What an OLE file holds.
pub(super) fn read(content: &[u8]) -> Result<Inside, Finding> {
    // The name of the one stream that holds a whole office file behind a password; it is looked for
    // in the bytes, so that a broken container hides nothing.
    let name: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    if memchr::memmem::find(content, &name).is_some() {
        return Err(Finding::encrypted());
    }
    if let Ok(mut container) = cfb::CompoundFile::open(Cursor::new(content)) {
        if container.walk().nth(ENTRIES_MAX).is_some() {
            return Err(Finding::too_large(format!("more than {ENTRIES_MAX} entries")));
        }
        if msg::is_message(&container) {
            return Ok(msg::read(&mut container));
        }
        if is_locked(&mut container) {
            return Err(Finding::encrypted());
        }
    }
    Ok(Inside::of_text(open_text(content)))
}

/// The first bytes of a stream.
pub(super) fn stream(container: &mut Container<'_>, path: &str, bytes_max: usize) -> Option<Vec<u8>> {
    let stream = container.open_stream(path).ok()?;
    let mut bytes = Vec::new();
    stream.take(bytes_max as u64).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Word and Excel 97 to 2003 behind a password: bit 8 of the flags at 10 in Word's stream (MS-DOC
/// 2.5.2), a FilePass record among the first of Excel's (MS-XLS 2.4.117).
fn is_locked(container: &mut Container<'_>) -> bool {
    const RECORDS_MAX: usize = 8;
    if let Some(head) = stream(container, "/WordDocument", 12) {
        return head.get(11).is_some_and(|flags| flags & 1 != 0);
    }
    let Some(head) = stream(container, "/Workbook", 512).or_else(|| stream(container, "/Book", 512)) else { return false };
    let mut rest = head.as_slice();
    for _ in 0..RECORDS_MAX {
        let [kind_low, kind_high, length_low, length_high, after @ ..] = rest else { return false };
        if u16::from_le_bytes([*kind_low, *kind_high]) == 0x2f {
            return true;
        }
        rest = after.get(usize::from(u16::from_le_bytes([*length_low, *length_high]))..).unwrap_or_default();
    }
    false
}

/// Old Word and Excel files hold their text as UTF-16 or single bytes in runs; what reads as text is
/// taken, as `strings` would.
fn open_text(content: &[u8]) -> String {
    const RUN_CHARS_MIN: usize = 6;
    let mut text = String::new();
    let is_text = |unit: u16| matches!(unit, 9 | 10 | 13 | 0x20..=0x7e | 0xa0..=0x24f | 0x2010..=0x2026);
    let mut run = String::new();
    let end_run = |run: &mut String, text: &mut String| {
        if run.trim().chars().count() >= RUN_CHARS_MIN {
            text.push_str(run.trim());
            text.push('\n');
        }
        run.clear();
    };
    for pair in content.chunks_exact(2) {
        let unit = match *pair {
            [low, high] => u16::from_le_bytes([low, high]),
            _ => 0,
        };
        match char::from_u32(u32::from(unit)).filter(|_| is_text(unit)) {
            Some(c) => run.push(if c == '\r' { '\n' } else { c }),
            None => end_run(&mut run, &mut text),
        }
        if text.len() > TEXT_BYTES_MAX {
            break;
        }
    }
    end_run(&mut run, &mut text);
    for byte in content {
        match byte {
            b'\r' | b'\n' | b'\t' | 0x20..=0x7e => run.push(if *byte == b'\r' { '\n' } else { char::from(*byte) }),
            _ => end_run(&mut run, &mut text),
        }
        if text.len() > 2 * TEXT_BYTES_MAX {
            break;
        }
    }
    end_run(&mut run, &mut text);
    truncate(&mut text, TEXT_BYTES_MAX);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn with_stream(name: &str, content: &[u8]) -> Vec<u8> {
        let mut container = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
        container.create_stream(name).unwrap().write_all(content).unwrap();
        container.into_inner().into_inner()
    }

    #[test]
    fn office_files_behind_a_password_are_named() {
        let word = |flags: u8| with_stream("/WordDocument", &[0xec, 0xa5, 0xc1, 0, 0, 0, 0, 0, 0, 0, 0, flags, 0, 0]);
        assert_eq!(read(&word(1)).unwrap_err().code, "file-encrypted");
        assert!(read(&word(0)).is_ok());
        let sheet = |kind: u8| with_stream("/Workbook", &[9, 8, 2, 0, 0, 6, kind, 0, 2, 0, 0, 0, 10, 0, 0, 0]);
        assert_eq!(read(&sheet(0x2f)).unwrap_err().code, "file-encrypted");
        assert!(read(&sheet(0x42)).is_ok());
        assert_eq!(read(&with_stream("/EncryptedPackage", b"x")).unwrap_err().code, "file-encrypted");
    }
}
