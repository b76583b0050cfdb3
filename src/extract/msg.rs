//! Outlook's `.msg`: a message as an OLE file (MS-OXMSG). Read is what a person would look at: sender,
//! recipients, subject, body, attachments. It is evidence, like an attached message.

use super::file::{self, Enclosed, Inside, PACKED_BYTES_MAX, TEXT_BYTES_MAX};
use super::mapi::{self, BINARY, Message, STRING8, UNICODE};
use super::ole::{Container, stream};

/// Messages inside messages are read to this depth; deeper ones are left out.
const NESTED_MAX: usize = 3;

/// Whether an OLE file is a message: each has its table of properties.
pub(super) fn is_message(container: &Container<'_>) -> bool {
    container.is_stream("/__properties_version1.0")
}

/// The message.
pub(super) fn read(container: &mut Container<'_>) -> Inside {
    let mut left = PACKED_BYTES_MAX;
    message(container, "", 0, &mut left).into_evidence()
}

/// The message whose streams stand under `folder`; `left` is what its files may still hold.
fn message(container: &mut Container<'_>, folder: &str, depth: usize, left: &mut usize) -> Message {
    let mut message = Message::default();
    for property in [
        mapi::SUBJECT,
        mapi::SENDER_NAME,
        mapi::SENDER_ADDRESS,
        mapi::SENDER_SMTP_ADDRESS,
        mapi::DISPLAY_TO,
        mapi::TRANSPORT_HEADER,
        mapi::BODY,
        mapi::RTF_COMPRESSED,
        mapi::BODY_HTML,
    ] {
        if let Some((kind, value)) = value(container, folder, property, 4 * TEXT_BYTES_MAX) {
            message.set(property, kind, &value);
        }
    }
    for attachment in attachments(container, folder) {
        message.files.extend(enclosed(container, &attachment, depth, left));
    }
    message
}

/// The storages of the attachments.
fn attachments(container: &Container<'_>, folder: &str) -> Vec<String> {
    let path = if folder.is_empty() { "/" } else { folder };
    let Ok(entries) = container.read_storage(path) else { return Vec::new() };
    let is_attachment = |entry: &cfb::Entry| entry.is_storage() && entry.name().starts_with("__attach_version1.0_");
    entries.filter(is_attachment).take(file::ENCLOSED_MAX).map(|entry| format!("{folder}/{}", entry.name())).collect()
}

/// One attachment: its bytes, or a message inside this one as a message of text.
fn enclosed(container: &mut Container<'_>, folder: &str, depth: usize, left: &mut usize) -> Option<Enclosed> {
    let text = |container: &mut Container<'_>, property: u16| {
        value(container, folder, property, 4_096).map(|(kind, value)| mapi::text_of(kind, &value)).filter(|text| !text.trim().is_empty())
    };
    let name = text(container, mapi::ATTACH_NAME)
        .or_else(|| text(container, mapi::ATTACH_SHORT_NAME))
        .or_else(|| text(container, mapi::DISPLAY_NAME))
        .unwrap_or_default();
    let media_type = text(container, mapi::ATTACH_TYPE).unwrap_or_default();
    let inner = format!("{folder}/__substg1.0_3701000D");
    if container.is_storage(&inner) {
        if depth >= NESTED_MAX {
            return Some(Enclosed { name, media_type, content: Vec::new() });
        }
        let inside = message(container, &inner, depth + 1, left).into_evidence();
        return Some(Enclosed {
            name: format!("{name}.txt"),
            media_type: "message/x-outlook".to_owned(),
            content: inside.text.into_bytes(),
        });
    }
    let (_, content) = value(container, folder, mapi::ATTACH_DATA, *left)?;
    *left = left.saturating_sub(content.len());
    Some(Enclosed { name, media_type, content })
}

/// The value of a property that is text or bytes, in the first form that is there.
fn value(container: &mut Container<'_>, folder: &str, property: u16, bytes_max: usize) -> Option<(u16, Vec<u8>)> {
    [UNICODE, STRING8, BINARY].into_iter().find_map(|kind| {
        let path = format!("{folder}/__substg1.0_{property:04X}{kind:04X}");
        stream(container, &path, bytes_max).map(|bytes| (kind, bytes))
    })
}

#[cfg(test)]
mod tests {
    use super::super::ole;
    use std::io::{Cursor, Write as _};

    #[test]
    fn m12_an_outlook_message_is_read_with_its_attachments() {
        let mut container = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
        let wide = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
        let attached = "/__attach_version1.0_#00000000";
        let inner = "/__attach_version1.0_#00000001/__substg1.0_3701000D";
        for folder in [attached, "/__attach_version1.0_#00000001", inner] {
            container.create_storage(folder).unwrap();
        }
        for (path, value) in [
            ("/__properties_version1.0".to_owned(), vec![0; 32]),
            ("/__substg1.0_0037001F".to_owned(), wide("Tagihan\0")),
            ("/__substg1.0_0C1A001F".to_owned(), wide("Bank Palsu")),
            ("/__substg1.0_0C1F001F".to_owned(), wide("/o=Org/cn=bank")),
            ("/__substg1.0_5D01001F".to_owned(), wide("bank@evil.example")),
            ("/__substg1.0_1000001F".to_owned(), wide("Klik http://evil.example/a\r\nsegera")),
            ("/__substg1.0_007D001E".to_owned(), b"Received: from mx.evil.example\r\n (203.0.113.9)\r\nX: y\r\n".to_vec()),
            (format!("{attached}/__substg1.0_3707001F"), wide("faktur.pdf.exe")),
            (format!("{attached}/__substg1.0_37010102"), b"MZ..".to_vec()),
            (format!("{inner}/__substg1.0_0037001F"), wide("Dalam")),
            (format!("{inner}/__substg1.0_1000001F"), wide("Isi dalam")),
        ] {
            container.create_stream(&path).unwrap().write_all(&value).unwrap();
        }
        let bytes = container.into_inner().into_inner();
        let inside = ole::read(&bytes).unwrap();
        assert_eq!(
            inside.text,
            "From: Bank Palsu <bank@evil.example>\nSubject: Tagihan\nReceived: from mx.evil.example (203.0.113.9)\n\nKlik http://evil.example/a\nsegera"
        );
        assert_eq!((inside.files[0].name.as_str(), inside.files[0].content.as_slice()), ("faktur.pdf.exe", &b"MZ.."[..]));
        assert_eq!(inside.files[1].content, b"Subject: Dalam\n\nIsi dalam");
        // Cut anywhere it gives something or a finding, and never a panic.
        for cut in (0..bytes.len()).step_by(97) {
            let _outcome = ole::read(&bytes[..cut]);
        }
    }
}
