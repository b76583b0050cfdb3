//! `winmail.dat`: what Outlook makes of a mail in its own format (MS-OXTNEF). Its body stands in the
//! place of the mail's own where that has none, its attachments are the mail's.

use super::file::{self, Enclosed, Finding, Inside, PACKED_BYTES_MAX};
use super::mapi::{self, BINARY, Message, STRING8, UNICODE};

/// The first bytes of each such file.
pub(super) const MARK: &[u8] = &[0x78, 0x9f, 0x3e, 0x22];
/// Attributes and properties that are read; real files have some hundreds.
const ATTRIBUTES_MAX: usize = 10_000;
const PROPERTIES_MAX: usize = 10_000;
/// Values of one property that are read over.
const VALUES_MAX: usize = 10_000;
/// Messages inside messages are read to this depth.
const NESTED_MAX: usize = 3;

/// Attributes by their numbers (MS-OXTNEF 2.1.3.2).
const SUBJECT: u32 = 0x0001_8004;
const BODY: u32 = 0x0002_800c;
const MESSAGE_PROPERTIES: u32 = 0x0006_9003;
const ATTACH_BEGIN: u32 = 0x0006_9002;
const ATTACH_TITLE: u32 = 0x0001_8010;
const ATTACH_DATA: u32 = 0x0006_800f;
const ATTACH_PROPERTIES: u32 = 0x0006_9005;

/// What a `winmail.dat` holds.
pub(super) fn read(content: &[u8]) -> Result<Inside, Finding> {
    let mut left = PACKED_BYTES_MAX;
    let message = message(content, 0, &mut left).ok_or_else(|| Finding::unreadable("it ends within its first attribute"))?;
    Ok(message.into_body())
}

/// Reads the attributes to the end, or to where the file is broken: what came before is kept.
fn message(content: &[u8], depth: usize, left: &mut usize) -> Option<Message> {
    let mut rest = content.strip_prefix(MARK)?;
    // The key, which says nothing.
    take(&mut rest, 2)?;
    let mut message = Message { is_partial: true, ..Message::default() };
    let mut has_any = false;
    for _ in 0..ATTRIBUTES_MAX {
        if rest.is_empty() {
            message.is_partial = false;
            break;
        }
        let Some((number, value)) = attribute(&mut rest) else { break };
        has_any = true;
        match number {
            SUBJECT => message.subject = mapi::text_of(STRING8, value),
            BODY => message.body = mapi::text_of(STRING8, value),
            MESSAGE_PROPERTIES => properties(value, |property, kind, value| message.set(property, kind, value)),
            ATTACH_BEGIN if message.files.len() < file::ENCLOSED_MAX => message.files.push(Enclosed::default()),
            ATTACH_BEGIN => break,
            _ => {
                if let Some(file) = message.files.last_mut() {
                    attach(file, number, value, depth, left);
                }
            }
        }
    }
    message.files.retain(|file| !file.content.is_empty() || !file.name.is_empty());
    has_any.then_some(message)
}

/// One attribute: level, number, length, value, checksum. The checksum is not looked at: a wrong one
/// hides nothing from people, and must not from us.
fn attribute<'a>(rest: &mut &'a [u8]) -> Option<(u32, &'a [u8])> {
    take(rest, 1)?;
    let number = number(rest)?;
    let length = usize::try_from(self::number(rest)?).ok()?;
    let value = take(rest, length)?;
    // The last checksum may be cut off.
    let _checksum = take(rest, 2);
    Some((number, value))
}

/// An attribute of the attachment that was begun last.
fn attach(file: &mut Enclosed, number: u32, value: &[u8], depth: usize, left: &mut usize) {
    match number {
        ATTACH_TITLE if file.name.is_empty() => file.name = mapi::text_of(STRING8, value),
        ATTACH_DATA if file.content.is_empty() => put(file, value, left),
        ATTACH_PROPERTIES => properties(value, |property, kind, value| match property {
            // The long name is the better one.
            mapi::ATTACH_NAME => file.name = mapi::text_of(kind, value),
            mapi::ATTACH_SHORT_NAME | mapi::DISPLAY_NAME if file.name.is_empty() => file.name = mapi::text_of(kind, value),
            mapi::ATTACH_TYPE => file.media_type = mapi::text_of(kind, value),
            mapi::ATTACH_DATA => attach_object(file, value, depth, left),
            _ => {}
        }),
        _ => {}
    }
}

/// The data of an attachment among its properties: a message in the same format behind the 16 bytes
/// that say so, or bytes.
fn attach_object(file: &mut Enclosed, value: &[u8], depth: usize, left: &mut usize) {
    const INTERFACE_BYTES: usize = 16;
    let object = value.get(INTERFACE_BYTES..).unwrap_or_default();
    if object.starts_with(MARK) {
        if depth < NESTED_MAX
            && let Some(inner) = message(object, depth + 1, left)
        {
            file.media_type = "message/x-outlook".to_owned();
            file.name = format!("{}.txt", if file.name.is_empty() { "message" } else { &file.name });
            file.content = inner.into_evidence().text.into_bytes();
        }
    } else if file.content.is_empty() {
        put(file, value, left);
    }
}

fn put(file: &mut Enclosed, value: &[u8], left: &mut usize) {
    // What does not fit stays in the whole.
    let value = value.get(..value.len().min(*left)).unwrap_or(value);
    *left -= value.len();
    file.content = value.to_vec();
}

/// Walks through properties (MS-OXTNEF 2.1.3.4) and shows those that are text or bytes.
fn properties(mut rest: &[u8], mut show: impl FnMut(u16, u16, &[u8])) {
    let Some(count) = number(&mut rest) else { return };
    for _ in 0..usize::try_from(count).unwrap_or(usize::MAX).min(PROPERTIES_MAX) {
        if property(&mut rest, &mut show).is_none() {
            return;
        }
    }
}

/// One property; None where the rest cannot be told apart any more.
fn property(rest: &mut &[u8], show: &mut impl FnMut(u16, u16, &[u8])) -> Option<()> {
    const MANY: u16 = 0x1000;
    let head = number(rest)?;
    let (kind, property) = (u16::try_from(head & 0xffff).ok()?, u16::try_from(head >> 16).ok()?);
    if property >= 0x8000 {
        // A named property: its name space, then a number or a name.
        take(rest, 16)?;
        if number(rest)? == 0 {
            number(rest)?;
        } else {
            let length = usize::try_from(number(rest)?).ok()?;
            take(rest, padded(length))?;
        }
    }
    let plain = kind & !MANY;
    let is_long = matches!(plain, STRING8 | UNICODE | BINARY | 0x000d);
    let count = if is_long || kind & MANY != 0 { usize::try_from(number(rest)?).ok()? } else { 1 };
    if count > VALUES_MAX {
        return None;
    }
    for _ in 0..count {
        if is_long {
            let length = usize::try_from(number(rest)?).ok()?;
            let value = take(rest, padded(length))?;
            show(property, plain, value.get(..length).unwrap_or(value));
        } else {
            take(rest, fixed_bytes(plain)?)?;
        }
    }
    Some(())
}

/// How many bytes a value of fixed length takes, its padding included.
const fn fixed_bytes(kind: u16) -> Option<usize> {
    match kind {
        0x0002 | 0x0003 | 0x0004 | 0x000a | 0x000b => Some(4),
        0x0005 | 0x0006 | 0x0007 | 0x0014 | 0x0040 => Some(8),
        0x0048 => Some(16),
        _ => None,
    }
}

const fn padded(length: usize) -> usize {
    length.saturating_add(3) & !3
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    let (bytes, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    Some(u32::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(level: u8, number: u32, value: &[u8]) -> Vec<u8> {
        let length = u32::try_from(value.len()).unwrap();
        [&[level][..], &number.to_le_bytes(), &length.to_le_bytes(), value, &[0, 0]].concat()
    }

    fn text_property(property: u16, text: &str) -> Vec<u8> {
        let mut value: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let length = u32::try_from(value.len()).unwrap();
        value.resize(padded(value.len()), 0);
        [&UNICODE.to_le_bytes()[..], &property.to_le_bytes(), &1_u32.to_le_bytes(), &length.to_le_bytes(), &value].concat()
    }

    fn winmail(attributes: &[Vec<u8>]) -> Vec<u8> {
        [MARK, &[1, 0], &attributes.concat()].concat()
    }

    #[test]
    fn m12_what_outlook_packs_up_is_unpacked() {
        let number = [&0x0003_u16.to_le_bytes()[..], &0x0e07_u16.to_le_bytes(), &[1, 0, 0, 0]].concat();
        let named = [&0x000b_u16.to_le_bytes()[..], &0x8001_u16.to_le_bytes(), &[7; 16], &[0; 4], &[1, 0, 0, 0], &[1, 0, 0, 0]].concat();
        let properties = |all: &[Vec<u8>]| [&u32::try_from(all.len()).unwrap().to_le_bytes()[..], &all.concat()].concat();
        let inner = winmail(&[one(1, SUBJECT, b"Dalam\0"), one(1, BODY, b"Isi dalam\0")]);
        let object = [&[7; 16][..], &inner].concat();
        let mut padded_object = object.clone();
        padded_object.resize(padded(object.len()), 0);
        let object = [
            &0x000d_u16.to_le_bytes()[..],
            &mapi::ATTACH_DATA.to_le_bytes(),
            &1_u32.to_le_bytes(),
            &u32::try_from(object.len()).unwrap().to_le_bytes(),
            &padded_object,
        ]
        .concat();
        let content = winmail(&[
            one(1, 0x0008_9006, &[0, 0, 1, 0]),
            one(1, SUBJECT, b"Laporan\0"),
            one(1, MESSAGE_PROPERTIES, &properties(&[number, named, text_property(mapi::BODY, "Situs kami diretas.\r\nMohon bantuan.")])),
            one(2, ATTACH_BEGIN, &[0; 14]),
            one(2, ATTACH_TITLE, b"TOPOLO~1.PDF\0"),
            one(2, ATTACH_DATA, b"%PDF-1.7"),
            one(2, ATTACH_PROPERTIES, &properties(&[text_property(mapi::ATTACH_NAME, "topologi jaringan.pdf")])),
            one(2, ATTACH_BEGIN, &[0; 14]),
            one(2, ATTACH_PROPERTIES, &properties(&[object])),
        ]);
        let inside = read(&content).unwrap();
        assert_eq!(inside.text, "Situs kami diretas.\nMohon bantuan.");
        assert_eq!(inside.files[0].name, "topologi jaringan.pdf");
        assert_eq!(inside.files[0].content, b"%PDF-1.7");
        assert_eq!(inside.files[1].content, b"Subject: Dalam\n\nIsi dalam");
        // Cut anywhere it gives what came before, and never a panic.
        for cut in 0..content.len() {
            let _outcome = read(&content[..cut]);
        }
    }

    #[test]
    fn m11_lengths_that_lie_and_files_without_number_stay_bounded() {
        let lying = [MARK, &[1, 0, 2], &ATTACH_DATA.to_le_bytes(), &u32::MAX.to_le_bytes(), b"x"].concat();
        assert!(read(&lying).is_err());
        let many = winmail(&vec![[one(2, ATTACH_BEGIN, &[]), one(2, ATTACH_TITLE, b"a")].concat(); 5_000]);
        assert_eq!(read(&many).unwrap().files.len(), file::ENCLOSED_MAX);
        let wide = [&u32::MAX.to_le_bytes()[..], &0x1003_u16.to_le_bytes(), &[1, 0], &u32::MAX.to_le_bytes()].concat();
        assert!(read(&winmail(&[one(1, MESSAGE_PROPERTIES, &wide)])).is_ok());
    }
}
