//! A dissemination to many, with kill -9 while it is decided on, sealed and sent: each recipient has it, once
//! but where nobody can know, and nobody on the way can read it.

use super::center::{ADDRESS, Center, analyst_header, entity, fresh_id};
use super::cut::Wire;
use super::dissemination::{add, readings};
use super::kill::Random;
use crate::harness::servers::{Servers, wait_for};
use bantuan70::cli::demo::stage::Actor;
use bantuan70::model::dissemination::{DisseminationNumber, DisseminationState, RecipientState};
use bantuan70::store::{OutboxId, Store};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// More than leave before the first and between the halts below, also where the first kills come late.
const RECIPIENTS: usize = 60;
const SUBJECT: &str = "canary-subjek celah Gateway";
const TEXT: &str = "Tutup akses canary-teks pada Gateway Anda.";
/// Another seed, other moments.
const SEED: u64 = 0x0d15_0007;

/// Bytes to the server and back after which the wire halts. A log-in takes 1 kB and 2 kB, a mail some 7 kB and 0.2 kB.
const HALTS: [(usize, usize); 8] = [
    (3_000, usize::MAX),
    (7_500, usize::MAX),
    (12_000, usize::MAX),
    (18_500, usize::MAX),
    (usize::MAX, 2_500),
    (usize::MAX, 2_600),
    (usize::MAX, 2_700),
    (usize::MAX, 2_800),
];

fn letters(center: &Center, states: &[&str]) -> usize {
    let arguments: Vec<&str> = states.iter().flat_map(|state| ["--state", state]).collect();
    center.json(&[&["outbox", "list"], arguments.as_slice()].concat()).len()
}

/// The order is decided on, and nothing waits but what is uncertain.
fn is_done(center: &Center) -> bool {
    center.servers.messages("bantuan70", "INBOX").is_empty()
        && letters(center, &["sent"]) > 0
        && letters(center, &["queued", "sending"]) == 0
}

#[test]
fn f64_a_dissemination_that_is_killed_again_and_again_reaches_each_recipient() {
    let servers = Arc::new(Servers::start());
    let wire = Wire::to(servers.submission);
    let center = Center::with(servers, ADDRESS, |ports| ports.smtp = wire.port);
    center.dismiss_second_analyst();
    // The first run makes the database.
    assert_eq!(center.once(), 0);
    let now = Timestamp::now();
    let recipients: Vec<(String, Actor)> = (0..RECIPIENTS)
        .map(|n| {
            let name = format!("csirt{n}");
            let actor = Actor::with_key("CSIRT", &format!("{name}@stake.test"), now).unwrap();
            let file = center.path(&format!("{name}.pgp"));
            std::fs::write(&file, actor.certificate().unwrap()).unwrap();
            add(&center, &name, file.to_str());
            (name, actor)
        })
        .collect();
    let addresses: Vec<String> = recipients.iter().map(|(name, _)| format!("{name}@stake.test")).collect();
    let order = format!("!diseminasi {}\n!tlp AMBER\n\n{TEXT}\n\nUntuk bantuan70@bssn.test.\n", addresses.join(" "));
    let (header, wanted) = (analyst_header(1, "...", &fresh_id()), entity(1, Some(SUBJECT), &order));
    let mail = center.gpg.encrypt_sign_mime(Some(&center.analysts[0]), &[&center.fingerprint], &header, wanted.as_bytes());
    center.servers.append("bantuan70", "INBOX", &mail);

    // Anywhere at first, while it is taken in, decided on and begun.
    let mut random = Random(SEED);
    let mut kills = 0;
    for _ in 0..3 {
        let (before, more) = (center.log().len(), random.below(1_500) as usize);
        let mut daemon = center.start_with(&["run"]);
        wait_for(|| center.log(), || (center.log().len() > before + more || is_done(&center)).then_some(()));
        assert!(!daemon.has_ended(), "{}", center.log());
        daemon.kill();
        kills += 1;
    }
    // Then while a mail is in flight, and nowhere else: the wire carries so many bytes to the server or back and
    // comes to a halt, within the text of a mail or before the answer to it.
    wire.halt_at_limit();
    let (mut in_flight, mut places) = (0, Vec::new());
    for (up, down) in HALTS {
        let (before, halted) = (letters(&center, &["sent"]), wire.halted());
        wire.limit(up, down);
        let mut daemon = center.start_with(&["run"]);
        wait_for(|| center.log(), || (wire.halted() > halted || is_done(&center)).then_some(()));
        assert!(!daemon.has_ended(), "{}", center.log());
        daemon.kill();
        wire.cut();
        kills += 1;
        // What the dead process left on the disk says where it was.
        in_flight += letters(&center, &["sending"]);
        places.push((up.min(down), letters(&center, &["sent"]) - before, letters(&center, &["sending"])));
    }
    println!("{places:?}");
    assert!(in_flight >= 6, "{in_flight} of {} kills while a mail was in flight: {places:?}", HALTS.len());
    wire.limit(usize::MAX, usize::MAX);
    let mut daemon = center.start_with(&["run"]);
    wait_for(|| center.log(), || is_done(&center).then_some(()));
    daemon.kill();
    // What was under way may have gone out; a person sends it again.
    let uncertain = letters(&center, &["uncertain"]);
    assert!(uncertain <= kills);
    center.retry_all();
    assert_eq!(center.once(), 0);
    println!("seed {SEED:#x}: {kills} kills, {in_flight} with a mail in flight, {uncertain} uncertain");
    assert!(uncertain >= in_flight, "what was in flight is told as uncertain: {uncertain} of {in_flight}");

    let store = Store::open_read(&center.path("data/bantuan70.db")).unwrap();
    let number = center.outbox().iter().find_map(|row| row["dissemination"].as_str().map(str::to_owned)).unwrap();
    let one = store.dissemination_state(&DisseminationNumber(number)).unwrap().unwrap();
    assert_eq!((one.state, one.progress()), (DisseminationState::Sent, BTreeMap::from([(RecipientState::Sent, RECIPIENTS)])));
    assert_eq!(one.released, Some(one.code()), "what was sent is what was agreed to");
    let rows = center.outbox();
    for (name, actor) in &recipients {
        let of_recipient: Vec<_> = rows.iter().filter(|row| row["to"] == actor.address.as_str()).collect();
        assert_eq!(of_recipient.len(), 1, "{name} has one letter");
        let row = of_recipient[0];
        assert_eq!(row["state"], "sent", "{row}");
        let raws = center.servers.wait_messages(name, "INBOX", 1);
        assert!(raws.len() as u64 <= 1 + row["resends"].as_u64().unwrap(), "{name} has {} copies: {row}", raws.len());
        for raw in &raws {
            let read = actor.reads(&crate::harness::gpg::crlf(raw), now);
            assert_eq!((read.protection, read.message_id.as_str()), ("encrypted", row["message_id"].as_str().unwrap()));
            assert!(read.text.contains(TEXT) && read.subject.ends_with(&format!("TLP:AMBER {SUBJECT}")), "{}: {}", read.subject, read.text);
            is_closed(raw);
        }
        is_closed(&store.letter(OutboxId(row["id"].as_i64().unwrap())).unwrap().sealed.unwrap());
    }
    assert!(!center.log().contains("canary-"), "the log tells of it");
    center.audit();
}

/// Nobody on the way reads any of it.
fn is_closed(raw: &[u8]) {
    let all = readings(raw);
    assert!(!all.contains("canary-subjek") && !all.contains("canary-teks"), "{all}");
}
