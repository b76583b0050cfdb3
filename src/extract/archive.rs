//! Archives are named for the analyst: what sort, which names stand in its directory, whether it asks
//! for a password. Nothing is ever unpacked (ATTACKS M11), so that nothing can unfold.

use super::file::Finding;
use std::io::Cursor;

/// Names are read to here; the rest is counted.
const ENTRIES_MAX: usize = 1_000;
/// So many names are shown.
const SHOWN_MAX: usize = 8;
/// A name is shown to here.
const NAME_CHARS_MAX: usize = 60;

/// What archives call themselves in their first bytes; a ZIP that is an office file is none here.
const MARKS: &[(&[u8], &str)] = &[
    (b"PK\x03\x04", "a ZIP archive"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x1f\x8b", "a gzip file"),
    (b"\xfd7zXZ\x00", "an XZ file"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file"),
    (b"BZh", "a bzip2 file"),
    (b"MSCF", "a cabinet archive"),
    (b"ITSF", "a compiled help file"),
];

/// What sort of archive the bytes begin.
#[must_use]
pub(super) fn name_of(head: &[u8]) -> Option<&'static str> {
    let by_mark = MARKS.iter().find(|(mark, _)| head.starts_with(mark)).map(|(_, name)| *name);
    by_mark.or_else(|| (head.get(257..262) == Some(b"ustar")).then_some("a tar archive"))
}

/// What an archive is and holds, by its directory alone.
pub(super) fn look_at(content: &[u8]) -> Finding {
    match name_of(content) {
        Some("a ZIP archive") => look_at_zip(content),
        Some(name) if hides_its_names(content) => encrypted(name),
        Some(name) => Finding::archive(format!("{name}; not looked into")),
        None => Finding::unreadable("no archive"),
    }
}

/// A RAR or 7-Zip archive whose very directory is encrypted: RAR4 says so by bit 7 of the flags of its
/// first header, RAR5 by a first header of type 4, 7-Zip by the number of AES in its last bytes.
fn hides_its_names(content: &[u8]) -> bool {
    const TAIL_BYTES: usize = 4_096;
    match content {
        [b'R', b'a', b'r', b'!', 0x1a, 7, 0, _, _, 0x73, flags, ..] => flags & 0x80 != 0,
        [b'R', b'a', b'r', b'!', 0x1a, 7, 1, 0, _, _, _, _, _, kind, ..] => *kind == 4,
        [b'7', b'z', ..] => {
            let tail = content.get(content.len().saturating_sub(TAIL_BYTES)..).unwrap_or(content);
            memchr::memmem::find(tail, &[0x06, 0xf1, 0x07, 0x01]).is_some()
        }
        _ => false,
    }
}

fn encrypted(what: &str) -> Finding {
    Finding { detail: format!("{}: {what}", Finding::encrypted().detail), ..Finding::encrypted() }
}

fn look_at_zip(content: &[u8]) -> Finding {
    let mut archive = match zip::ZipArchive::new(Cursor::new(content)) {
        Ok(archive) => archive,
        Err(error) => return Finding::unreadable(error.to_string()),
    };
    let mut names = Vec::new();
    let mut is_encrypted = false;
    for at in 0..archive.len().min(ENTRIES_MAX) {
        let Ok(entry) = archive.by_index_raw(at) else { continue };
        is_encrypted = is_encrypted || entry.encrypted();
        if names.len() < SHOWN_MAX && !entry.is_dir() {
            names.push(entry.name().unwrap_or_default().chars().take(NAME_CHARS_MAX).collect::<String>());
        }
    }
    let more = archive.len().saturating_sub(names.len());
    let mut listed = format!("a ZIP archive of {}: {}", archive.len(), names.join(", "));
    if more > 0 {
        listed.push_str(&format!(" and {more} more"));
    }
    if is_encrypted { encrypted(&listed) } else { Finding::archive(listed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn zip_of(names: &[&str]) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for name in names {
            writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            writer.write_all(b"x").unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn m11_an_archive_is_listed_and_a_password_is_named() {
        let open = zip_of(&["bukti/log.txt", "faktur.pdf.exe"]);
        let finding = look_at(&open);
        assert_eq!((finding.code, finding.detail.as_str()), ("archive", "a ZIP archive of 2: bukti/log.txt, faktur.pdf.exe"));
        // Bit 0 of the flags in local header and directory says encrypted (APPNOTE 4.4.4).
        let mut locked = open;
        for mark in [&b"PK\x03\x04"[..], b"PK\x01\x02"] {
            let flags = if mark == b"PK\x03\x04" { 6 } else { 8 };
            let places: Vec<usize> = memchr::memmem::find_iter(&locked, mark).collect();
            for at in places {
                locked[at + flags] |= 1;
            }
        }
        let finding = look_at(&locked);
        assert_eq!(finding.code, "file-encrypted");
        assert!(finding.detail.contains("faktur.pdf.exe"), "{}", finding.detail);
    }

    #[test]
    fn m11_many_entries_are_counted_and_few_are_shown() {
        let names: Vec<String> = (0..2_000).map(|n| format!("{n}.txt")).collect();
        let finding = look_at(&zip_of(&names.iter().map(String::as_str).collect::<Vec<_>>()));
        assert!(finding.detail.contains("of 2000") && finding.detail.ends_with("and 1992 more"), "{}", finding.detail);
    }

    #[test]
    fn other_archives_are_named() {
        for (bytes, words) in
            [(&b"7z\xbc\xaf\x27\x1c\x00\x04"[..], "7-Zip"), (b"Rar!\x1a\x07\x01\x00", "RAR"), (b"\x1f\x8b\x08", "gzip"), (b"BZh9", "bzip2")]
        {
            let finding = look_at(bytes);
            assert!(finding.code == "archive" && finding.detail.contains(words), "{finding:?}");
        }
        for bytes in
            [&b"Rar!\x1a\x07\x01\x00crcc\x21\x04"[..], b"Rar!\x1a\x07\x00cc\x73\x80\x00", b"7z\xbc\xaf\x27\x1c..\x06\xf1\x07\x01.."]
        {
            assert_eq!(look_at(bytes).code, "file-encrypted", "{bytes:?}");
        }
    }
}
