//! Laws of every letter, whatever stands in it: what goes to the wire, what two readers find (D1, D3, D4).

use super::outgoing::{address, center, keyring, letter};
use bantuan70::mail::write::Center;
use bantuan70::model::Sha256;
use bantuan70::model::letter::{Enclosure, Letter, Protection};
use bantuan70::openpgp::{Keyring, seal};
use jiff::Timestamp;
use mail_parser::{MessageParser, MimeHeaders as _};
use proptest::prelude::*;
use std::sync::LazyLock;

static NOW: LazyLock<Timestamp> = LazyLock::new(Timestamp::now);
static KEYRING: LazyLock<Keyring> = LazyLock::new(|| keyring(*NOW).0);

const FIELDS: &[&str] = &[
    "From",
    "To",
    "Reply-To",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "X-Bantuan70-Ticket",
    "Autocrypt",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
];

/// Text with everything in it that has ever ended a line, a header or a message too early.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[ -~]{0,20}",
        2 => "\\PC{0,20}",
        1 => proptest::sample::select(vec![
            "\r\n", "\n", "\r", "\n.\n", "\r.\r", "\r\n.\r\n", "\r\n.\r", "\n.\r\n", "\r\n.\n", "\n.\r", "\r.\n", "\r.\r\n", "\u{0}",
            "\u{85}", "\u{2028}", "\u{2029}", "\u{b}", "\u{c}", "\u{7f}", "\t", "\r\nBcc: x@y.example\r\n\r\n", "=?utf-8?q?=0d=0aBcc:_x?=",
            "\nFrom me", "--=_s", "\u{202e}", "\u{1f980}", "MAIL FROM:<x@y.example>\r\n",
        ]).prop_map(str::to_owned),
        1 => (0..2_000_usize).prop_map(|length| "x".repeat(length)),
    ];
    proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

/// What a letter of one line becomes of a text of many.
fn one_line(text: &str) -> String {
    let is_break = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let clean: String = text.chars().take(1_000).map(|c| if is_break(c) { ' ' } else { c }).collect();
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn lf(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn d1_d3_d4_no_value_leaves_its_place(
        subject in hostile(), name in hostile(), own in hostile(), text in hostile(), html in proptest::option::of(hostile()),
        file in hostile(), kind in hostile(), reference in hostile(), is_signed in any::<bool>(),
    ) {
        let content: std::sync::Arc<[u8]> = text.as_bytes().to_vec().into();
        let letter = Letter {
            to: address("csirt@bank.example"), to_name: name, subject: subject.clone(), text: text.clone(), html: html.clone(),
            enclosures: vec![Enclosure { name: file, media_type: kind, sha256: Sha256::of(&content), content: content.clone() }],
            in_reply_to: Some(reference.clone()), references: vec![reference],
            ..letter(if is_signed { Protection::Signed } else { Protection::Plain })
        };
        let center = Center { name: own, ..center() };
        let sealed = seal(&letter, &center, &KEYRING, *NOW).expect("any letter can be written");
        let bytes = sealed.bytes();
        let wire = std::str::from_utf8(bytes).expect("7-bit");
        prop_assert!(wire.is_ascii() && !wire.contains('\0'));
        prop_assert!(!wire.replace("\r\n", "").contains(['\r', '\n']), "a bare CR or LF");
        for line in wire.split("\r\n") {
            prop_assert!(line.len() <= 998);
            prop_assert!(!line.starts_with('.') && !line.starts_with("From "), "{line:?}");
        }
        let ours = bantuan70::mail::read::read(bytes).0;
        let theirs = MessageParser::default().parse(bytes).expect("a message");
        let names: Vec<&str> = theirs.headers_raw().map(|(name, _)| name).collect();
        prop_assert_eq!(&names, &ours.headers.iter().map(|header| header.name.as_str()).collect::<Vec<_>>());
        for name in &names {
            prop_assert!(FIELDS.contains(name), "a field {name}");
            prop_assert_eq!(names.iter().filter(|other| *other == name).count(), 1);
        }
        prop_assert_eq!(theirs.subject().unwrap_or_default(), one_line(&subject));
        prop_assert_eq!(theirs.to().unwrap().iter().count(), 1);
        let body = lf(&theirs.body_text(0).unwrap_or_default());
        let written = lf(&text);
        prop_assert_eq!(body.trim_end_matches('\n'), written.trim_end_matches('\n'));
        let enclosed = theirs.attachments().find(|part| part.attachment_name().is_some() || part.content_disposition().is_some()).expect("the file");
        prop_assert_eq!(enclosed.contents(), &*content);
    }
}
