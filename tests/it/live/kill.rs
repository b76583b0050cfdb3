//! kill -9 at random moments: nothing is lost, nothing is done twice (contract 12.1 and 12.2).

use super::center::{Center, report};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

const REPORTS: usize = 300;
/// Another seed, other moments; this one is printed with the result.
const SEED: u64 = 0x70_70_70_70;

/// xorshift64: the moments come again with the seed.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn log_bytes(center: &Center) -> u64 {
    std::fs::metadata(center.path("log")).map_or(0, |about| about.len())
}

fn is_done(center: &Center) -> bool {
    let filed = center.servers.messages("bantuan70", "INBOX").is_empty();
    filed
        && center.path("data/bantuan70.db").exists()
        && center.json(&["outbox", "list", "--state", "queued", "--state", "sending"]).is_empty()
}

#[test]
fn f64_300_reports_and_kills_until_done_make_300_tickets_without_a_hole() {
    let center = Center::new();
    center.dismiss_second_analyst();
    for number in 0..REPORTS {
        let bytes = report(&format!("p{number}@warga.example"), &format!("Laporan {number}"), "Halaman depan situs kami diretas.\r\n");
        center.servers.append("bantuan70", "INBOX", &bytes);
    }
    let (start, mut random, mut kills) = (Instant::now(), Random(SEED), 0);
    loop {
        let mut daemon = center.start_with(&["run"]);
        // The moment is so many bytes of log and some milliseconds later, so that each run gets some work done
        // however busy the machine is.
        let until = log_bytes(&center) + random.below(9_000);
        let mut looks = 0;
        while log_bytes(&center) < until {
            std::thread::sleep(Duration::from_millis(2));
            looks += 1;
            if looks % 200 == 0 && is_done(&center) {
                break;
            }
        }
        std::thread::sleep(Duration::from_millis(random.below(12)));
        assert!(!daemon.has_ended(), "{}", center.log());
        daemon.kill();
        kills += 1;
        if is_done(&center) {
            break;
        }
    }
    // What was under way at a kill may have gone out; a person sends it again.
    let uncertain = center.json(&["outbox", "list", "--state", "uncertain"]).len();
    assert_eq!(center.once(), 0);
    center.retry_all();
    assert_eq!(center.once(), 0);
    println!("seed {SEED:#x}: {kills} kills, {uncertain} uncertain, done after {} ms", start.elapsed().as_millis());

    let put_aside = center.json(&["quarantine", "list"]);
    assert!(put_aside.is_empty(), "kills from outside are no fault of a mail: {put_aside:?}");
    let numbers: BTreeSet<String> =
        center.json(&["ticket", "list"]).iter().map(|ticket| ticket["number"].as_str().unwrap()[15..].to_owned()).collect();
    assert_eq!(numbers, (1..=REPORTS).map(|number| format!("{number:06}")).collect());
    let outbox = center.outbox();
    assert!(outbox.iter().all(|row| row["state"] == "sent"), "all is sent in the end");
    let resent: BTreeMap<&str, u64> =
        outbox.iter().map(|row| (row["message_id"].as_str().unwrap(), row["resends"].as_u64().unwrap())).collect();
    let mut repeats = 0;
    for number in 0..REPORTS {
        let letters = center.servers.wait_messages(&format!("p{number}"), "INBOX", 1);
        let ids: BTreeSet<String> =
            letters.iter().map(|raw| bantuan70::mail::read::read(raw).0.message_id.expect("a Message-ID")).collect();
        assert_eq!(ids.len(), 1, "p{number} has two acknowledgements: {ids:?}");
        let marked = resent[ids.first().unwrap().as_str()];
        assert!(letters.len() as u64 <= 1 + marked, "p{number} has {} copies, {marked} are marked", letters.len());
        repeats += letters.len() - 1;
    }
    println!("{repeats} acknowledgements came twice");
    assert!(center.servers.messages("bantuan70", "INBOX").is_empty());
    assert_eq!(center.servers.messages("bantuan70", "Processed").len(), REPORTS);
    center.audit();
}
