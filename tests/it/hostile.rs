//! Hostile messages: the rows M1 to M16 and the rows L of ATTACKS that need no database. Small ones
//! lie in `tests/mail`; large ones are made here. Asserted are structure and limits, not time.

use bantuan70::mail::kind::{House, Recognised, recognise};
use bantuan70::mail::{Mail, body, field, html, part, read};
use bantuan70::model::{Address, Damage, effect::MailKind};

const HEADER: &[u8] = b"From: a@x.example\r\nTo: bantuan70@bssn.test\r\nSubject: s\r\n";

fn house() -> House {
    House {
        center: Address::parse("bantuan70@bssn.test").unwrap(),
        ticket_prefix: "BANTUAN70".to_owned(),
        people: vec![Address::parse("analyst1@bssn.test").unwrap()],
        authserv_id: Some("mx.bssn.test".to_owned()),
    }
}

/// A message of `tests/mail`.
fn stored(name: &str) -> (Mail, Vec<Damage>) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mail").join(format!("{name}.eml"));
    read::read(&std::fs::read(path).unwrap())
}

fn verdict(name: &str) -> Recognised {
    recognise(&stored(name).0, &house())
}

fn with_header(header: &str) -> Recognised {
    let raw = format!("From: siti@dinas.go.test\r\nSubject: Laporan\r\n{header}\r\n\r\nSitus kami diretas.\r\n");
    recognise(&read::read(raw.as_bytes()).0, &house())
}

fn has(damage: &[Damage], code: &str) -> bool {
    damage.iter().any(|finding| finding.code == code)
}

fn message(rest: &[u8]) -> Vec<u8> {
    [HEADER, rest].concat()
}

#[test]
fn m1_no_reading_of_ambiguous_mime_loses_text_or_an_attachment() {
    for name in [
        "m1-two-content-types",
        "m1-boundary-in-pieces",
        "m1-boundary-missing-parameter",
        "m1-boundary-prefix-of-another",
        "m1-end-boundary-missing",
        "m1-multipart-without-parts",
        "m1-boundary-empty",
        "m1-boundary-overlong",
        "m1-boundary-trailing-blanks",
    ] {
        let (mail, _) = stored(name);
        assert!(mail.text.full.contains("situs kami berubah tampilannya"), "{name}: {:?}", mail.text.full);
    }
    let (mail, damage) = stored("m1-two-boundaries");
    assert!(has(&damage, "ambiguous-mime"));
    assert!(mail.attachments.iter().any(|a| a.name == "evil.exe"), "what the other reading shows is there as well");
    let (mail, _) = stored("m1-preamble-and-epilogue");
    assert!(!mail.text.full.contains("!tutup"), "preamble and epilogue are never text");
}

#[test]
fn m2_transfer_encodings_are_decoded_as_leniently_as_any_reader_does() {
    assert_eq!(body::base64(b"TW9o*b24=!!"), b"Mohon");
    assert_eq!(body::base64(b"TW9obw==biBi"), b"Mohon b");
    for name in ["m2-base64-with-junk", "m2-base64-padding-in-the-middle"] {
        let (mail, damage) = stored(name);
        assert!(mail.text.full.starts_with("Mohon bantuan"), "{name}: {}", mail.text.full);
        assert!(has(&damage, "bad-base64"), "{name}");
    }
    let (mail, damage) = stored("m2-unknown-transfer-encoding");
    assert!(mail.text.full.contains("situs kami") && has(&damage, "unknown-encoding"));
}

#[test]
fn m3_depth_parts_headers_and_references_have_their_limits() {
    let mut deep = HEADER.to_vec();
    for level in 0..1_000 {
        deep.extend(format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n").bytes());
    }
    deep.extend(b"\r\ninnermost\r\n");
    let (mail, damage) = read::read(&deep);
    assert!(has(&damage, "too-deep"));
    assert!(mail.attachments.iter().any(|a| a.content.windows(9).any(|w| w == b"innermost")), "the rest is one raw attachment");

    let mut nested = HEADER.to_vec();
    for _ in 0..1_000 {
        nested.extend(b"Content-Type: message/rfc822\r\n\r\nFrom: a@x.example\r\n");
    }
    let (mail, damage) = read::read(&nested);
    assert!(has(&damage, "too-deep") && mail.attachments.len() == 1);

    let many = message(
        &[b"Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_vec(), b"--b\r\n\r\n\r\n".repeat(1_000_000), b"--b--\r\n".to_vec()]
            .concat(),
    );
    let (mail, damage) = read::read(&many);
    assert!(has(&damage, "too-many-parts"));
    assert!(mail.attachments.len() <= part::PARTS_MAX);

    let fields: Vec<u8> = (0..100_000).flat_map(|n| format!("X-{n}: y\r\n").into_bytes()).collect();
    let (mail, damage) = read::read(&[fields.as_slice(), b"\r\nbody\r\n"].concat());
    assert!(has(&damage, "too-many-headers") && mail.headers.len() == part::HEADERS_MAX);
    assert!(mail.text.full.contains("body"));

    let (mail, damage) = read::read(&[b"Subject: ".as_slice(), &vec![b'A'; 10 << 20], b"\r\n\r\nbody"].concat());
    assert!(has(&damage, "header-too-long") && mail.subject.len() <= part::HEADER_BYTES_MAX);

    let ids: String = (0..5_000).map(|n| format!("<{n}@x.example> ")).collect();
    let (mail, _) = read::read(format!("References: {ids}\r\n\r\nx").as_bytes());
    assert_eq!(mail.references.len(), field::REFERENCES_FIRST + field::REFERENCES_LAST);
    assert_eq!((mail.references[0].as_str(), mail.references.last().unwrap().as_str()), ("0@x.example", "4999@x.example"));
}

#[test]
fn m3_fifty_megabytes_of_anything_are_read_within_the_limits() {
    let line = b"kata kata kata kata\r\n".repeat((50 << 20) / 21);
    for head in [
        "\r\n",
        "Content-Type: message/rfc822\r\n\r\nFrom: b@x.example\r\n\r\n",
        "Content-Type: text/html\r\n\r\n",
        "Content-Transfer-Encoding: base64\r\n\r\n",
    ] {
        let (mail, _) = read::read(&message(&[head.as_bytes(), &line].concat()));
        assert!(mail.text.full.len() <= body::TEXT_BYTES_MAX + 1, "{head}");
        assert!(mail.attachments.iter().all(|a| a.text.as_ref().is_none_or(|text| text.len() <= body::TEXT_BYTES_MAX)));
    }
    let dashes = message(&[b"Content-Type: multipart/mixed; boundary=\"------\"\r\n\r\n".as_slice(), &vec![b'-'; 8 << 20]].concat());
    let (mail, damage) = read::read(&dashes);
    assert!(mail.attachments.is_empty() && has(&damage, "ambiguous-mime"));
}

#[test]
fn m4_nothing_is_assembled_or_fetched() {
    let (mail, _) = stored("m4-external-body");
    assert_eq!(mail.attachments[0].media_type, "message/external-body");
    let (mail, _) = stored("m4-message-partial");
    assert_eq!(mail.attachments[0].media_type, "message/partial");
}

#[test]
fn m5_charsets_that_lie_or_are_missing_still_give_text() {
    for (name, words) in [
        ("m5-utf16-body-without-charset", "situs kami berubah"),
        ("m5-windows1252-declared-ascii", "Situs “kami” diretas – mohon"),
        ("m5-utf8-declared-latin1", "Situs “kami” diretas"),
        ("m5-unknown-charset", "Situs café kami dirusak"),
        ("m5-utf7-text", "Mohon bantuan atas situs kami"),
        ("m5-nul-bytes", "situs kami berubah"),
        ("m5-bare-cr-only", "situs kami berubah"),
        ("m5-mixed-line-ends", "Situs\n kami\nberubah."),
    ] {
        let (mail, damage) = stored(name);
        assert!(mail.text.full.contains(words), "{name}: {:?}", mail.text.full);
        let mut codes: Vec<&str> = damage.iter().map(|finding| finding.code.as_str()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), damage.len(), "{name}: one note a kind");
    }
    let (mail, _) = stored("m5-utf7-html-not-decoded");
    assert!(!mail.text.full.contains("<script"), "{}", mail.text.full);
    assert_eq!(stored("m5-latin1-raw-header").0.subject, "Situs café");
}

#[test]
fn m6_what_is_decoded_is_for_people_and_addresses_are_taken_apart_before() {
    let (mail, _) = stored("m6-encoded-line-break-in-subject");
    assert_eq!(mail.subject, "Laporan  Bcc: x@y.example");
    let (mail, damage) = stored("m6-encoded-address");
    assert!(mail.from_one().is_none() && has(&damage, "encoded-address"));
    assert_eq!(stored("m6-encoded-word-split-in-a-character").0.subject, "😀 darurat");
    let (mail, _) = stored("m6-name-that-is-an-address");
    assert_eq!(mail.from_one().unwrap().as_str(), "eve@evil.example");
    let words = "=?utf-8?q?a?= ".repeat(100_000);
    assert!(field::decode_words(&words).starts_with("aaaa"));
    assert!(field::decode_words("=?utf-8?q?".repeat(50_000).as_str()).len() <= 500_000);
}

#[test]
fn m7_address_fields_cost_linear_time_and_have_a_limit() {
    for from in [
        "(".repeat(200_000) + " a@x.example",
        ",".repeat(200_000) + "a@x.example",
        ":".repeat(200_000),
        "<".repeat(200_000),
        "\"".repeat(200_001),
    ] {
        let (mail, _) = read::read(format!("From: {from}\r\n\r\nx").as_bytes());
        assert!(mail.from.len() <= field::ADDRESSES_MAX);
    }
    assert_eq!(stored("m7-from-nested-comments").0.from_one().unwrap().as_str(), "siti@dinas.go.test");
    assert_eq!(stored("m7-from-group").0.from.len(), 2);
}

#[test]
fn p3_only_one_from_with_one_mailbox_is_a_sender() {
    for name in ["p3-from-twice", "p3-two-mailboxes-in-from", "p3-two-angle-addresses", "m8-from-absent", "m8-from-empty", "m7-from-group"]
    {
        let (mail, _) = stored(name);
        assert!(mail.from_one().is_none(), "{name}");
        let verdict = recognise(&mail, &house());
        assert!(verdict.kind == MailKind::Report && !verdict.may_answer && verdict.hold_answer, "{name}: {verdict:?}");
    }
}

#[test]
fn m8_missing_and_broken_fields_leave_a_message_that_can_be_filed() {
    for name in [
        "m8-date-absurd",
        "m8-message-id-with-spaces",
        "m8-message-id-twice",
        "m8-header-only",
        "m8-body-only",
        "m8-no-blank-line",
        "m8-mbox-from-line",
    ] {
        let (mail, _) = stored(name);
        assert_eq!(mail.sha256.0.len(), 64, "{name}");
        assert_eq!(recognise(&mail, &house()).kind, MailKind::Report, "{name}");
    }
    assert_eq!(stored("m8-date-absurd").0.date, None);
    assert_eq!(stored("m8-message-id-with-spaces").0.message_id.as_deref(), Some("ab@c.example"));
    assert!(stored("m8-no-blank-line").0.text.full.contains("situs kami diretas"));
    assert!(stored("m8-body-only").0.text.full.contains("situs kami diretas"));
    let (mail, damage) = read::read(b"");
    assert!(has(&damage, "empty") && mail.text.full.is_empty());
}

#[test]
fn m9_shown_names_are_safe_anywhere() {
    for (name, shown) in [
        ("m9-name-path-up", "x"),
        ("m9-name-device", "_CON.txt"),
        ("m9-name-bidi", "codfdp.exe"),
        ("m9-name-leading-dash", "rf.txt"),
        ("m9-name-windows-path", "x.doc"),
        ("m9-two-filenames", "a.txt"),
    ] {
        let (mail, damage) = stored(name);
        assert_eq!(mail.attachments[0].name, shown, "{name}");
        assert!(has(&damage, "odd-name"), "{name}");
    }
    let (mail, _) = stored("m9-name-overlong");
    assert!(mail.attachments[0].name.len() <= 120 && mail.attachments[0].name.ends_with(".pdf"));
    for name in ["m9-name-percent", "m9-name-with-nul", "m9-name-2231-out-of-order"] {
        let (mail, _) = stored(name);
        assert!(!mail.attachments[0].name.contains(['/', '\\', '\0']), "{name}");
    }
}

#[test]
fn m10_what_is_not_what_it_says_is_named() {
    for name in ["m10-image-that-is-html", "m10-image-that-is-a-program"] {
        assert!(has(&stored(name).1, "disguised"), "{name}");
    }
}

#[test]
fn m11_bombs_and_archives_are_findings_on_the_attachment() {
    let (mail, damage) = stored("m11-docx-part-unfolds-to-40-mb");
    assert!(mail.attachments[0].text.is_none() && has(&damage, "file-too-large"));
    let (mail, _) = stored("m11-docx-with-entity-bomb");
    assert!(mail.attachments[0].text.as_deref().unwrap().len() < 100);
    let (mail, _) = stored("m11-pdf-stream-unfolds-to-100-mb");
    assert!(mail.attachments[0].text.as_ref().is_none_or(|text| text.len() <= body::TEXT_BYTES_MAX));
    assert!(has(&stored("m11-docx-truncated").1, "file-unreadable"));
    assert!(stored("m11-zip-is-not-unpacked").0.attachments[0].text.is_none());
}

#[test]
fn m12_letters_are_read_and_an_attached_message_is_evidence_alone() {
    assert!(stored("m12-letter-in-docx").0.attachments[0].text.as_deref().unwrap().contains("halaman judi"));
    assert!(stored("m12-rtf-letter").0.attachments[0].text.as_deref().unwrap().contains("Situs kami \"diretas\""));
    assert!(stored("m12-old-word-file").0.attachments[0].text.as_deref().unwrap().contains("orang tidak dikenal"));
    assert!(has(&stored("m12-encrypted-office-file").1, "file-encrypted"));
    let (mail, _) = stored("m12-attached-message-is-evidence");
    let verdict = recognise(&mail, &house());
    assert!(verdict.kind == MailKind::Report && verdict.may_answer, "{verdict:?}");
    assert!(mail.references.is_empty());
    let text = mail.attachments[0].text.as_deref().unwrap();
    assert!(text.contains("http://bank-palsu.example/login") && text.contains("x@penipu.example"));
}

#[test]
fn m13_hidden_html_is_no_text_and_wild_html_costs_little() {
    let (mail, damage) = stored("m13-html-hidden-text");
    assert_eq!(mail.text.new, "Situs kami diretas.");
    assert!(has(&damage, "hidden-text") && mail.is_html_only);
    let (mail, _) = stored("m13-html-link-to-elsewhere");
    assert!(mail.links.contains("http://jahat.example/login") && mail.text.new.contains("http://jahat.example/login"));
    assert!(stored("m13-plain-part-is-a-stub").0.text.new.contains("halaman judi"));
    for wild in [
        "<div>".repeat(100_000),
        "<b><i><p>".repeat(50_000),
        "<table><tr><td>".repeat(30_000),
        format!("<a href=\"{}\">x</a>", "A".repeat(1 << 20)),
    ] {
        let found = html::to_text(&format!("{wild}isi"), &mut part::Budget::default());
        assert!(found.text.contains("isi"));
    }
}

#[test]
fn m16_marks_that_deceive_the_eye_are_written_out() {
    let (mail, _) = stored("m16-bidi-and-zero-width-in-subject");
    assert_eq!(mail.subject, "Laporan \\u{202e}fdp\\u{202c} \\u{200b}x");
    assert!(!stored("m16-terminal-escapes-in-subject").0.subject.contains('\u{1b}'));
}

#[test]
fn m21_control_headers_from_outside_mean_nothing() {
    let verdict = verdict("m21-control-headers-from-outside");
    assert!(verdict.kind == MailKind::Report && verdict.may_answer);
}

#[test]
fn m22_a_tag_is_plain_ascii_and_fifty_of_them_are_none() {
    assert_eq!(verdict("m22-tag-in-look-alike-letters").kind, MailKind::Report);
    assert_eq!(verdict("m22-fifty-tags").kind, MailKind::Report);
    assert_eq!(verdict("m22-tag-in-small-letters").kind, MailKind::Reply);
}

#[test]
fn l1_to_l5_what_a_robot_marks_is_never_answered() {
    assert_eq!(verdict("l1-null-return-path").kind, MailKind::AutoReply);
    for (header, answered) in [
        ("Auto-Submitted: auto-replied", false),
        ("Auto-Submitted: AUTO-GENERATED; x=y", false),
        ("Auto-Submitted: something-new", false),
        ("Auto-Submitted: no; comment", true),
        ("Auto-Submitted: no\r\nAuto-Submitted: auto-replied", false),
        ("Precedence: bulk", false),
        ("Precedence: junk", false),
        ("Precedence: list", false),
        ("Precedence: auto_reply", false),
        ("Precedence: never-bounce\r\nPrecedence: bulk", false),
        ("List-Id: <x.example>", false),
        ("List-Unsubscribe: <http://x.example>", false),
        ("X-Auto-Response-Suppress: DR, OOF, AutoReply", false),
        ("X-Auto-Response-Suppress: All", false),
        ("X-Auto-Response-Suppress: DR, RN, NRN", true),
        ("X-FC-Machinegenerated: true", false),
    ] {
        let verdict = with_header(header);
        assert_eq!(verdict.may_answer, answered, "{header}: {verdict:?}");
        assert!(!verdict.because.is_empty() && !verdict.answer_because.is_empty());
    }
    assert_eq!(with_header("List-Post: <mailto:a@x.example>").kind, MailKind::List);
    assert!(verdict("l4-newsletter-attached").may_answer, "the newsletter is the evidence, not the mail");
    assert_eq!(verdict("l4-abuse-report-is-no-bounce").kind, MailKind::Report);
}

#[test]
fn l7_mail_of_our_own_is_known() {
    for name in ["l7-from-own-address", "l7-from-own-address-with-detail", "l7-own-message-id"] {
        assert_eq!(verdict(name).kind, MailKind::Own, "{name}");
    }
    let raw = b"From: analyst1@bssn.test\r\nSubject: x\r\n\r\n!tutup\r\n";
    let verdict = recognise(&read::read(raw).0, &house());
    assert!(verdict.kind == MailKind::Analyst && !verdict.may_answer);
}

#[test]
fn l8_senders_that_nobody_reads_are_not_answered() {
    for name in ["noreply", "no-reply", "donotreply", "postmaster", "bounce+x", "majordomo", "owner-x", "x-request"] {
        let verdict = verdict(&format!("l8-from-{name}"));
        assert!(verdict.kind == MailKind::Report && !verdict.may_answer, "{name}: {verdict:?}");
    }
    assert_eq!(verdict("l8-from-mailer-daemon").kind, MailKind::Bounce);
}

#[test]
fn l9_l10_l11_what_answers_us_is_not_acknowledged() {
    for name in ["l10-reply-to-our-acknowledgement", "l11-growing-subject"] {
        let verdict = verdict(name);
        assert!(verdict.kind != MailKind::Report && !verdict.may_answer, "{name}: {verdict:?}");
    }
    // Our own acknowledgement, as another daemon of this program receives it (L9).
    let raw = b"From: bantuan70@lain.test\r\nAuto-Submitted: auto-replied\r\nSubject: [LAIN-2026-000001] diterima\r\n\r\nx\r\n";
    let verdict = recognise(&read::read(raw).0, &house());
    assert!(verdict.kind == MailKind::AutoReply && !verdict.may_answer);
}

#[test]
fn l14_only_our_own_servers_authentication_results_count() {
    for (header, held) in [
        ("Authentication-Results: mx.bssn.test; spf=pass; dmarc=fail (p=none) header.from=x", true),
        ("Authentication-Results: mx.bssn.test 1; dmarc = fail", true),
        ("Authentication-Results: mx.bssn.test; dmarc=pass\r\nAuthentication-Results: mx.bssn.test; dmarc=fail", false),
        ("Authentication-Results: other.test; dmarc=fail", false),
        ("Authentication-Results: mx.bssn.test; spf=pass\r\nAuthentication-Results: mx.bssn.test; dmarc=fail", true),
        ("Authentication-Results: mx.bssn.test; dmarc (c)=fail", true),
        ("Authentication-Results: mx.bssn.test; dmarc/1=fail", true),
        (r#"Authentication-Results: mx.bssn.test; spf=pass smtp.mailfrom="a; dmarc=fail"@x.example; dmarc=pass"#, false),
        ("Authentication-Results: mx.bssn.test; dmarc=fail\r\nAuthentication-Results: other.test; dmarc=pass", true),
    ] {
        let verdict = with_header(header);
        assert_eq!((verdict.hold_answer, verdict.may_answer), (held, !held), "{header}: {verdict:?}");
        assert_eq!(verdict.kind, MailKind::Report);
    }
}

#[test]
fn l15_l16_nothing_is_sent_to_what_is_no_mailbox() {
    for name in ["l16-from-script", "l16-from-ip-literal", "l16-from-at-less", "l16-from-overlong", "l16-from-quoted-line-break"] {
        let verdict = verdict(name);
        assert!(verdict.kind == MailKind::Report && !verdict.may_answer, "{name}: {verdict:?}");
    }
    let (mail, _) = stored("l16-from-idn");
    assert_eq!(mail.from_one().unwrap().as_str(), "siti@xn--bcher-kva.example");
    let (mail, _) = stored("l15-reply-to-many");
    assert_eq!(mail.from_one().unwrap().as_str(), "siti@dinas.go.test");
    assert!(recognise(&mail, &house()).may_answer);
}

#[test]
fn l17_words_alone_make_no_automatic_reply() {
    assert_eq!(verdict("l17-vacation-by-subject-and-reference").kind, MailKind::AutoReply);
    let alone = verdict("l17-vacation-subject-alone");
    assert!(alone.kind == MailKind::Report && alone.may_answer);
}

#[test]
fn l18_l20_receipts_calendars_and_bounces_are_told() {
    assert_eq!(verdict("l18-read-receipt").kind, MailKind::AutoReply);
    assert_eq!(verdict("l18-calendar-answer").kind, MailKind::AutoReply);
    assert!(!verdict("l18-calendar-invitation").may_answer);
    for name in ["l18-delivery-report", "l20-qmail-bounce", "l20-exim-bounce"] {
        assert_eq!(verdict(name).kind, MailKind::Bounce, "{name}");
        let found = bantuan70::mail::dsn::bounces(&stored(name).0);
        assert_eq!(found[0].fate, bantuan70::mail::dsn::Fate::Permanent, "{name}");
    }
    let found = bantuan70::mail::dsn::bounces(&stored("l18-delivery-report").0);
    assert_eq!(found[0].original_id.as_deref(), Some("acknowledgement.0123@bssn.test"));
    assert_eq!(found[0].recipient.as_ref().unwrap().as_str(), "budi@x.example");
    assert_eq!((found[0].action.as_str(), found[0].status.as_str()), ("failed", "5.1.1"));
    assert_eq!(bantuan70::mail::dsn::bounces(&stored("l20-qmail-bounce").0)[0].status, "5.1.1");
}

/// Starts the process that reads files and waits, at its first read, until it has given up its rights.
fn reader(sort: &str) -> std::process::Child {
    std::process::Command::new(env!("CARGO_BIN_EXE_bantuan70"))
        .args(["__read-file", sort])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn m12_files_are_read_by_a_process_that_can_do_nothing_else() {
    let mut child = reader("pdf");
    let folder = std::path::PathBuf::from(format!("/proc/{}", child.id()));
    // The kernel says when the filter is in place; there is no event for it to be waited on.
    let status = std::iter::repeat_with(|| {
        std::thread::yield_now();
        std::fs::read_to_string(folder.join("status")).unwrap()
    })
    .take(2_000_000)
    .find(|status| status.lines().any(|line| line.starts_with("Seccomp:") && line.ends_with('2')))
    .expect("the filter of system calls is in place");
    assert!(status.lines().any(|line| line.starts_with("NoNewPrivs:") && line.ends_with('1')));
    let limits = std::fs::read_to_string(folder.join("limits")).unwrap();
    let of = |name: &str| limits.lines().find(|line| line.starts_with(name)).unwrap().split_whitespace().rev().nth(1).unwrap().to_owned();
    assert_eq!((of("Max cpu time"), of("Max data size")), ("1".to_owned(), (256_u32 << 20).to_string()));
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn m12_a_reader_that_is_given_rubbish_answers_and_ends() {
    use std::io::{Read as _, Write as _};
    for sort in ["office", "pdf", "rtf", "ole"] {
        let mut child = reader(sort);
        child.stdin.take().unwrap().write_all(&b"PK\x03\x04%PDF-1.7{\\rtf1".repeat(10_000)).unwrap();
        let mut answer = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut answer).unwrap();
        assert!(child.wait().unwrap().success(), "{sort}");
        assert!(!answer.is_empty() && answer.len() <= (1 << 20) + 1_024, "{sort}");
    }
}

/// Everything that is done to a message before the database is asked.
fn go_through(raw: &[u8]) {
    let (mail, _) = read::read(raw);
    let _verdict = recognise(&mail, &house());
    let _bounces = bantuan70::mail::dsn::bounces(&mail);
    let (inner, _) = read::read_inner(&mail, raw);
    let part = bantuan70::mail::text::command_part(&inner.text.full);
    assert!(!part.lines().any(|line| line.trim_start().starts_with('>')), "nothing quoted is ever a command");
    assert!(mail.text.full.len() <= body::TEXT_BYTES_MAX + 1);
}

#[test]
fn f14_no_cut_and_no_changed_byte_of_any_message_stops_the_reader() {
    const BYTES_MAX: usize = 6_000;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mail");
    let mut state = 1_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let raw = std::fs::read(&path).unwrap();
        if path.extension().is_none_or(|extension| extension != "eml") || raw.len() > BYTES_MAX {
            continue;
        }
        for _ in 0..6 {
            go_through(&raw[..next(raw.len())]);
            let mut changed = raw.clone();
            for _ in 0..4 {
                let at = next(changed.len());
                changed[at] = u8::try_from(next(256)).unwrap();
            }
            go_through(&changed);
        }
    }
}
