//! Bounces of all shapes, challenges and storms (ATTACKS 1.3): what they change, and what not.

use super::{Play, kinds_to, note, notice};
use crate::property;
use bantuan70::cli::demo::stage::Note;
use bantuan70::mail::dsn::{self, Fate};
use bantuan70::mail::kind::{House, recognise};
use bantuan70::mail::read;
use bantuan70::model::Address;
use bantuan70::model::dissemination::RecipientState;
use bantuan70::model::effect::{Effect, MailKind};
use bantuan70::model::letter::LetterState;
use bantuan70::model::ticket::State;
use bantuan70::store::View;
use jiff::{SignedDuration, tz::TimeZone};

fn stored(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mail").join(format!("{name}.eml"));
    std::fs::read_to_string(path).unwrap()
}

fn house() -> House {
    House {
        center: Address::parse("bantuan70@bssn.test").unwrap(),
        ticket_prefix: "BANTUAN70".to_owned(),
        people: Vec::new(),
        authserv_id: None,
    }
}

/// Name, what it says of budi@x.example, the status.
const BOUNCES: [(&str, Fate, &str); 7] = [
    ("l19-postfix-bounce-in-words", Fate::Permanent, "5.1.1"),
    ("l19-gmail-address-not-found", Fate::Permanent, "5.1.1"),
    ("l19-gmail-delivery-incomplete", Fate::Delayed, ""),
    ("l19-exim-bounce-in-words", Fate::Permanent, ""),
    ("l19-exim-delayed-in-words", Fate::Delayed, ""),
    ("l19-exchange-bounce", Fate::Permanent, "5.1.10"),
    ("l19-qmail-queue-too-long", Fate::Permanent, "4.4.1"),
];

#[test]
fn l19_each_shape_of_bounce_names_letter_recipient_and_fate() {
    for (name, fate, status) in BOUNCES {
        let (mail, _) = read::read(stored(name).as_bytes());
        assert_eq!(recognise(&mail, &house()).kind, MailKind::Bounce, "{name}");
        let found = dsn::bounces(&mail);
        let budi = found.iter().find(|bounce| bounce.recipient.as_ref().is_some_and(|to| to.as_str() == "budi@x.example"));
        let budi = budi.unwrap_or_else(|| panic!("{name}: {found:?}"));
        assert_eq!((budi.fate, budi.status.as_str()), (fate, status), "{name}: {budi:?}");
        assert_eq!(budi.original_id.as_deref(), Some("dissemination.0123@bssn.test"), "{name}");
        // What stands in the returned mail was said by nobody who could not deliver it.
        assert!(found.iter().all(|bounce| bounce.recipient.as_ref().is_none_or(|to| to.as_str() != "siti@lain.example")), "{name}");
    }
}

#[test]
fn l18_a_challenge_to_confirm_is_a_robot() {
    for name in ["l18-challenge-to-confirm", "l18-challenge-by-field"] {
        let verdict = recognise(&read::read(stored(name).as_bytes()).0, &house());
        assert!(verdict.kind == MailKind::AutoReply && !verdict.may_answer, "{name}: {verdict:?}");
    }
}

/// A dissemination that went to budi, and its Message-ID.
fn disseminated(intake: &str) -> (Play, String) {
    let mut play = Play::new(intake);
    play.bring_with_key("budi", "budi@x.example");
    let certificate = play.stage.actor("budi").unwrap().certificate().unwrap();
    play.contact("budi@x.example", &certificate);
    let letters = play.commands("!tlp GREEN\n!diseminasi budi@x.example\nUntuk bantuan70@bssn.test: blokir 192.0.2.1.");
    let id = letters.iter().find(|letter| letter.message_id.starts_with("dissemination.")).unwrap().message_id.clone();
    (play, id)
}

fn view(play: &Play) -> View {
    View { time_zone: TimeZone::UTC, now: play.stage.clock.now(), center_address: "bantuan70@bssn.test".to_owned() }
}

fn recipient(play: &Play) -> RecipientState {
    let page = play.stage.daemon.store.ticket(&play.ticket(1).number, &view(play)).unwrap().unwrap();
    page.disseminations[0].recipients[0].state
}

fn letter(play: &Play, id: &str) -> (LetterState, Option<String>) {
    let all = play.stage.daemon.store.outbox(LetterState::ALL, &view(play)).unwrap();
    let row = all.into_iter().find(|row| row.message_id == id).unwrap();
    (row.state, row.last_error)
}

fn bounce(name: &str, id: &str) -> String {
    stored(name).replace("dissemination.0123@bssn.test", id)
}

#[test]
fn l19_a_bounce_is_told_to_entry_recipient_contact_and_analyst() {
    for (name, fate, _) in BOUNCES {
        let (mut play, id) = disseminated("");
        let letters = play.post(bounce(name, &id).as_bytes());
        let contact = play.stage.daemon.store.contact(&Address::parse("budi@x.example").unwrap()).unwrap().unwrap();
        if fate == Fate::Permanent {
            assert_eq!(recipient(&play), RecipientState::Bounced, "{name}");
            assert_eq!(letter(&play, &id).0, LetterState::Failed, "{name}");
            assert!(contact.bounced_at.is_some(), "{name}");
            let notice = notice(&letters);
            assert!(notice.contains("Surat: diseminasi DIS-") && notice.contains("!konfirmasi budi@x.example"), "{name}: {notice}");
            assert!(!notice.contains("!balas"), "{name}: nothing is to be written to a dead address: {notice}");
        } else {
            assert_eq!(recipient(&play), RecipientState::Sent, "{name}");
            let (state, because) = letter(&play, &id);
            assert!(state == LetterState::Sent && because.is_some_and(|because| because.contains("tertunda")), "{name}");
            assert!(contact.bounced_at.is_none() && letters.is_empty(), "{name}");
        }
        assert_eq!(play.tickets(), 1, "{name}");
    }
}

#[test]
fn l19_what_a_forger_can_know_changes_no_recipient() {
    let (mut play, id) = disseminated("");
    let foreign = bounce("l19-exchange-bounce", "dissemination.ffffffffffffffffffffffffffffffff@bssn.test");
    assert!(play.post(foreign.as_bytes()).is_empty());
    for changed in [
        bounce("l19-exchange-bounce", &id).replace("budi@x.example", "lain@x.example"),
        bounce("l19-exim-bounce-in-words", &id).replace("budi@x.example", "<>"),
        bounce("l19-postfix-bounce-in-words", &id).replace("<budi@x.example>", "<nobody>"),
    ] {
        let letters = play.post(changed.as_bytes());
        assert_eq!(recipient(&play), RecipientState::Sent);
        assert_eq!(letter(&play, &id), (LetterState::Sent, None));
        assert!(letters.iter().all(|letter| letter.to.as_str() == "ani@bssn.test"));
    }
    // Verifying the contact again forgets what came back.
    play.post(bounce("l19-exchange-bounce", &id).as_bytes());
    let (store, budi) = (&play.stage.daemon.store, Address::parse("budi@x.example").unwrap());
    assert!(store.contact(&budi).unwrap().unwrap().bounced_because.unwrap().contains("5.1.10"));
    store.verify_contact(&budi, "call-back", "test", play.stage.clock.now()).unwrap();
    assert_eq!(store.contact(&budi).unwrap().unwrap().bounced_at, None);
}

#[test]
fn l19_a_storm_of_bounces_is_told_once() {
    let (mut play, id) = disseminated("");
    let mut told = 0;
    for round in 0..3 {
        for (serial, name) in BOUNCES.iter().map(|bounce| bounce.0).enumerate() {
            let forged = bounce(name, &id).replace("budi@x.example", "lain@x.example");
            let forged = forged.replacen("Message-ID: <b", &format!("Message-ID: <storm.{round}.{serial}.b"), 1);
            told += play.post(forged.as_bytes()).len();
        }
    }
    assert_eq!(told, 1, "one line that there is an unconfirmed bounce");
    assert_eq!((recipient(&play), play.tickets()), (RecipientState::Sent, 1));
}

#[test]
fn l19_the_token_in_the_address_comes_before_any_message_id() {
    let (mut play, first) = disseminated("");
    let sent = play.commands("!tlp GREEN\n!diseminasi budi@x.example\nUntuk bantuan70@bssn.test: blokir 192.0.2.2.");
    let second = sent.iter().find(|letter| letter.message_id.starts_with("dissemination.")).unwrap().message_id.clone();
    // Without addresses that carry a token, what stands behind the plus means nothing.
    let raw = bounce("l19-exchange-bounce", &first)
        .replace("To: <bantuan70@bssn.test>", "To: <bantuan70+0123456789abcdef0123456789abcdef@bssn.test>");
    play.post(raw.as_bytes());
    assert_eq!((letter(&play, &first).0, letter(&play, &second).0), (LetterState::Failed, LetterState::Sent));
    // With them, it says which letter came back.
    let mut world = property::with_ticket(State::Verifying, SignedDuration::from_hours(1));
    let mut other = world.letters[0].clone();
    other.message_id = "acknowledgement.00000000000000000000000000000000@bssn.test".to_owned();
    world.token_letter = Some(other.message_id.clone());
    let raw = bounce("l19-exchange-bounce", &world.letters[0].message_id).replace("budi@x.example", other.to.as_str());
    world.letters.push(other.clone());
    let decision = property::decided(raw.as_bytes(), &world, property::now());
    let failed = decision
        .effects
        .iter()
        .find_map(|effect| if let Effect::SetLetterState { message_id, .. } = effect { Some(message_id) } else { None });
    assert_eq!(failed, Some(&other.message_id));
}

#[test]
fn l20_a_bounce_of_an_acknowledgement_is_recorded_and_answered_by_nothing() {
    let mut play = Play::new("");
    play.bring("budi", "budi@x.example");
    let letters = play.writes("budi", &note("Situs kami diretas", "Halaman depan situs kami diganti orang."));
    let id = letters.iter().find(|letter| letter.message_id.starts_with("acknowledgement.")).unwrap().message_id.clone();
    let letters = play.post(bounce("l19-gmail-address-not-found", &id).as_bytes());
    assert_eq!(kinds_to(&letters, "budi@x.example"), [""; 0]);
    let told = notice(&letters);
    assert!(told.contains("Surat: tanda terima") && told.contains("!catat") && !told.contains("!balas"), "{told}");
    assert_eq!((letter(&play, &id).0, play.tickets()), (LetterState::Failed, 1));
    assert!(play.waits(24).iter().all(|letter| letter.to.as_str() == "ani@bssn.test"));
}

#[test]
fn l6_l12_a_forged_sender_gets_five_acknowledgements_whatever_its_spelling() {
    let mut play = Play::new("");
    play.bring("korban", "budi.santoso@gmail.com");
    let spellings = ["budi.santoso@gmail.com", "budisantoso@gmail.com", "b.udi.santoso@googlemail.com", "budi.santoso+1@gmail.com"];
    for spelling in spellings {
        play.bring(spelling, spelling);
    }
    let mut acknowledged = 0;
    for round in 0..20 {
        let who = spellings[round % spellings.len()];
        let report = Note {
            subject: format!("Situs diretas {round}"),
            text: format!("Halaman depan situs {round} diganti orang."),
            ..Note::default()
        };
        let raw = play.raw(who, &report);
        let letters = play.post(&raw);
        for letter in letters.iter().filter(|letter| letter.to.as_str() != "ani@bssn.test") {
            acknowledged += 1;
            assert!(letter.raw.len() < raw.len() + 8 * 1024 || letter.raw.len() < 16 * 1024, "{}", letter.raw.len());
            assert!(!letter.text.contains(&report.text));
        }
    }
    assert_eq!((acknowledged, play.tickets()), (5, 20));
}

#[test]
fn l6_l12_quotes_round_a_senders_name_are_no_new_sender_and_no_disguise() {
    let mut play = Play::new("");
    play.bring("korban", "korban@v.example");
    play.bring("siti", "siti@v.example");
    for at in 0..6 {
        play.bring(&format!("korban{at}"), &format!("korban+{at}@v.example"));
    }
    let report = |serial: usize| note(&format!("Situs {serial} diretas"), &format!("Halaman depan situs {serial} diganti orang."));
    let mut answers = |typed: &str, serial: usize| {
        let raw = String::from_utf8(play.raw("korban", &report(serial))).unwrap();
        let at = raw.find("From: ").unwrap();
        let end = at + raw[at..].find("\r\n").unwrap();
        let letters = play.post(format!("{}From: {typed}{}", &raw[..at], &raw[end..]).as_bytes());
        letters.into_iter().filter(|letter| letter.message_id.starts_with("acknowledgement.")).map(|letter| letter.to).collect::<Vec<_>>()
    };
    let name = "korban";
    let spellings = (0..name.len()).flat_map(|at| {
        let (head, tail) = name.split_at(at);
        [format!(r#""{head}\{tail}"@v.example"#), format!(r#""{head}{tail}+{at}"@v.example"#)]
    });
    let acknowledged: usize = spellings.enumerate().map(|(serial, spelling)| answers(&spelling, serial).len()).sum();
    assert_eq!(acknowledged, 5, "one mailbox, one budget");
    for (serial, typed) in [
        r#""bantuan70"@bssn.test"#,
        r#""bantuan7\0"@bssn.test"#,
        r#""ani"@bssn.test"#,
        r#""mailer-daemon"@v.example"#,
        r#""post\master"@v.example"#,
        r#""owner-x"@v.example"#,
        r#""no,body"@v.example"#,
        "siti@v.example>RCPT TO:<joko@v.example",
        "<siti@v.example",
        "siti@localhost",
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(answers(typed, 100 + serial), [], "{typed}");
    }
    assert_eq!(answers("Siti <siti@v.example>", 200).len(), 1, "who writes plainly is answered");
}

#[test]
fn l6_a_flood_does_not_hide_what_is_urgent() {
    let mut play = Play::new("");
    for who in ["banjir", "joko", "rsud", "dinas"] {
        play.bring(who, &format!("{who}@{who}.example"));
    }
    for serial in 0..12 {
        play.writes("banjir", &note(&format!("Situs {serial} diretas"), &format!("Halaman depan situs {serial} diganti orang.")));
    }
    let high = play.writes("dinas", &note("Server kena ransomware", "Berkas di server dinas kami minta tebusan."));
    assert_eq!(kinds_to(&high, "ani@bssn.test"), [""; 0], "it waits for the digest");
    let critical = |serial: usize| {
        note(&format!("DARURAT {serial}"), &format!("SIMRS rumah sakit lumpuh sejak subuh, server {serial} terenkripsi, minta tebusan."))
    };
    for serial in 0..12 {
        let letters = play.writes("rsud", &critical(serial));
        assert_eq!(kinds_to(&letters, "ani@bssn.test").len(), usize::from(serial < 10), "{serial}: each by itself, up to ten");
    }
    play.stage.clock.advance(SignedDuration::from_mins(6));
    let digest = play.waits(0);
    let text = notice(&digest);
    let place = |words: &str| text.find(words).unwrap_or_else(|| panic!("{words} is missing: {text}"));
    assert!(place("DARURAT 10") < place("DARURAT 11") && place("DARURAT 11") < place("Server kena ransomware"), "{text}");
    assert!(place("Server kena ransomware") < place("Situs 10 diretas"), "{text}");
}

#[test]
fn l6_of_a_flood_everything_is_kept_and_others_are_answered_in_time() {
    const FLOOD: usize = 60;
    let more = "\n[acknowledgement]\nper_sender_per_day = 2\n";
    let mut play = Play::with("2026-03-03T01:15:00Z".parse().unwrap(), "", more);
    play.bring("banjir", "banjir@lain.example");
    play.bring("joko", "joko@kantor.example");
    for serial in 0..FLOOD {
        let raw = play.raw("banjir", &note(&format!("Situs {serial} diretas"), &format!("Halaman depan situs {serial} diganti orang.")));
        play.stage.deliver(&raw).unwrap();
    }
    let letters = play.writes("joko", &note("Situs kami diretas", "Halaman depan situs kami diganti orang."));
    assert_eq!(kinds_to(&letters, "banjir@lain.example").len(), 2);
    assert_eq!(kinds_to(&letters, "joko@kantor.example"), ["acknowledgement"]);
    // Twenty tickets with a notice each at most, one notice of the flood, and joko's.
    let told = letters.iter().filter(|letter| letter.text.contains("mengirim sangat banyak surel")).count();
    assert_eq!((play.tickets(), told), (21, 1));
    assert!(kinds_to(&letters, "ani@bssn.test").len() <= 22);
    let kept = play.stage.daemon.store.ticket(&play.ticket(20).number, &view(&play)).unwrap().unwrap();
    assert_eq!(kept.messages.iter().filter(|message| message.from.as_deref() == Some("banjir@lain.example")).count(), FLOOD - 20 + 1);
    // The next day it is a sender like any other.
    play.stage.wait(25);
    let letters = play.writes("banjir", &note("Situs lain diretas", "Halaman depan situs yang lain diganti orang."));
    assert_eq!(kinds_to(&letters, "banjir@lain.example"), ["acknowledgement"]);
    assert_eq!(play.tickets(), 22);
}

#[test]
fn l6_an_honest_mail_after_a_forged_flood_is_told_with_its_trust() {
    let more = "authserv_id = \"mx.bssn.test\"\n";
    let mut play = Play::new(more);
    play.bring("joko", "joko@kantor.example");
    let report = |serial: usize, verdict: &str| Note {
        headers: vec![format!("Authentication-Results: mx.bssn.test; dmarc={verdict} header.from=kantor.example")],
        ..note(&format!("Situs {serial} diretas"), &format!("Halaman depan situs {serial} diganti orang."))
    };
    let told = |letters: &[bantuan70::cli::demo::stage::Received]| -> Vec<String> {
        letters.iter().filter(|letter| letter.text.contains("mengirim sangat banyak surel")).map(|letter| letter.text.clone()).collect()
    };
    let mut letters = Vec::new();
    for serial in 0..60 {
        letters.extend(play.writes("joko", &report(serial, "fail")));
    }
    let forged = told(&letters);
    assert!(forged.len() <= 2 && forged[0].contains("DMARC GAGAL"), "{forged:?}");
    // The one whose address it is writes at last: kept with the others, and seen.
    let honest = told(&play.writes("joko", &report(70, "pass")));
    assert_eq!(honest.len(), 1);
    for shown in ["DMARC lulus", "Situs 70 diretas", "Halaman depan situs 70 diganti orang."] {
        assert!(honest[0].contains(shown), "{shown}: {}", honest[0]);
    }
    assert!(told(&play.writes("joko", &report(71, "pass"))).is_empty(), "and not one by one");
    // Where nothing tells them apart, the first mail after the hour is seen.
    letters.extend(play.waits(1));
    let together: Vec<_> = letters.iter().filter(|letter| letter.text.contains("Lebih dari sepuluh laporan masuk")).collect();
    assert!(!together.is_empty() && together.iter().all(|letter| letter.text.contains("DMARC GAGAL")), "{together:?}");
    assert_eq!(told(&play.writes("joko", &report(72, "fail"))).len(), 1);
    assert_eq!(play.tickets(), 50);
}

#[test]
fn l12_past_the_limit_of_a_domain_acknowledgements_wait_their_turn() {
    let more = "\n[acknowledgement]\nper_domain_per_hour = 3\n";
    let mut play = Play::with("2026-03-03T01:15:00Z".parse().unwrap(), "", more);
    for serial in 0..6 {
        play.bring(&format!("warga{serial}"), &format!("warga{serial}@banyak.example"));
    }
    let mut sent = 0;
    for serial in 0..6 {
        let report = note(&format!("Situs {serial} diretas"), &format!("Halaman depan situs {serial} diganti orang."));
        let letters = play.writes(&format!("warga{serial}"), &report);
        sent += letters.iter().filter(|letter| letter.message_id.starts_with("acknowledgement.")).count();
    }
    assert_eq!((sent, play.tickets()), (3, 6));
    let later = play.waits(3);
    assert_eq!(later.iter().filter(|letter| letter.message_id.starts_with("acknowledgement.")).count(), 3);
}

#[test]
fn l13_l21_no_word_of_a_forger_and_nothing_to_clear_spam() {
    let mut play = Play::new("");
    play.bring("korban", "korban@warga.example");
    let report = note("Your bssn account: http://evil.example", "Situs kami diretas, klik http://evil.example/masuk");
    let letters = play.writes("korban", &report);
    let letter = letters.iter().find(|letter| letter.to.as_str() == "korban@warga.example").expect("it is a report");
    assert!(!String::from_utf8_lossy(&letter.raw).contains("evil") && !letter.text.contains("account"), "{}", letter.text);
    let spam = "Congratulations! You have won the lottery. Claim your prize of $1,000,000 now: http://casino.example\nBuy cheap viagra, casino bonus, SEO backlinks. Unsubscribe here.";
    let letters = play.writes("korban", &note("WINNER!!! Claim your lottery prize, casino bonus, cheap viagra", spam));
    assert_eq!(kinds_to(&letters, "korban@warga.example"), [""; 0]);
}

#[test]
fn l19_a_bounce_of_a_million_addresses_is_read_to_its_limit() {
    let many: String = (0..200_000).map(|serial| format!("<a{serial}@x.example>: 550 5.1.1 no ")).collect();
    let raw = format!("Return-Path: <>\r\nFrom: MAILER-DAEMON@x.example\r\nSubject: failure notice\r\n\r\n{many}\r\n");
    let found = dsn::bounces(&read::read(raw.as_bytes()).0);
    assert_eq!(found.len(), 20);
    assert!(found.iter().all(|bounce| bounce.diagnostic.len() <= 512));
}
