//! What classification costs: by number of rules and length of the text, and beside reading the mail.
//! What is compared is measured in turns, by the time on the processor, so that what else the machine
//! does strikes all alike, and the best of each is printed, as the rows of the tables in
//! `benches/README.md`. The variable `MAILS` names
//! a folder of messages for the last row; else those of the tests are taken.

#![expect(clippy::panic, reason = "a benchmark that cannot load its rules has nothing to measure")]

use bantuan70::config::Config;
use bantuan70::daemon::house;
use bantuan70::mail::kind::House;
use bantuan70::mail::told::tell;
use bantuan70::mail::{Mail, read};
use bantuan70::openpgp::{Keyring, open};
use bantuan70::rules::syntax::{Parts, Source};
use bantuan70::rules::{RuleSet, assess, selftest};
use jiff::Timestamp;
use std::fmt::Write as _;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const SIZES: [(usize, &str); 4] = [(1_000, "1 kB"), (10_000, "10 kB"), (100_000, "100 kB"), (1_000_000, "1 MB")];
const COUNTS: [usize; 3] = [20, 200, 2_000];

/// For each row of a table: so long, and at least so many rounds.
const SPENT: Duration = Duration::from_secs(4);
const ROUNDS_MIN: usize = 20;

fn main() {
    let house = house(&Config::defaults());
    by_rules_and_text(&house);
    beside_reading(&house);
}

/// A word that no other number gives, of two to four syllables.
fn word(number: usize) -> String {
    const SYLLABLES: [&str; 16] = ["ba", "ci", "du", "fe", "go", "ha", "ji", "ku", "le", "mo", "na", "pi", "ru", "se", "to", "wa"];
    let mut left = number;
    let mut word = String::new();
    for _ in 0..4 {
        word.push_str(SYLLABLES.get(left % SYLLABLES.len()).copied().unwrap_or_default());
        left /= SYLLABLES.len();
    }
    word
}

/// Rules as analysts write them: a few words, a phrase, words near a shared list.
fn rules(count: usize) -> RuleSet {
    let mut text = String::from("[lists]\nsites = [\"situs\", \"website\", \"laman\"]\n");
    for number in 0..count {
        let words: Vec<String> = (0..8).map(|n| word(number * 8 + n)).collect();
        let [a, b, c, d, e, f, g, h] = words.as_slice() else { continue };
        let category = ["phishing", "malware", "ddos", "other"].get(number % 4).copied().unwrap_or_default();
        let _ = write!(
            text,
            "[[rule]]\nid = \"r{number}\"\ncategory = \"{category}\"\nweight = 1.0\nreason_id = \"a\"\nreason_en = \"b\"\nwhen = {{ any_of = [\
             {{ any = [\"{a}\", \"{b}\", \"{c} {d}\"] }}, {{ near = [{{ words = [\"@sites\", \"{e}|{f}\", \"{g}\"], within = 9 }}] }}], none = [\"{h}\"] }}\n"
        );
    }
    RuleSet::from_sources(vec![Source { name: "bench.toml".to_owned(), text }]).unwrap_or_else(|error| panic!("{error}"))
}

/// Text of a small vocabulary with some words of rules among them; the same bytes each time.
fn text(bytes: usize) -> String {
    const COMMON: [&str; 12] =
        ["kami", "melaporkan", "situs", "yang", "tidak", "dapat", "dibuka", "sejak", "kemarin,", "mohon", "bantuan.", "terima"];
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut out = String::with_capacity(bytes + 16);
    while out.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let draw = usize::try_from(state >> 33).unwrap_or_default();
        if draw.is_multiple_of(10) {
            // One word in ten may belong to a rule, of the first 20 as of the last 2,000.
            out.push_str(&word(draw / 10 % 65_536));
        } else {
            out.push_str(COMMON.get(draw % COMMON.len()).copied().unwrap_or_default());
        }
        out.push(' ');
    }
    out
}

/// The time that this thread has had on a processor: what waits for another program does not count.
fn spent() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// The best times of several legs that are taken in turns.
fn in_turns<const LEGS: usize>(mut round: impl FnMut() -> [Duration; LEGS]) -> [f64; LEGS] {
    let begin = Instant::now();
    let mut best = [Duration::MAX; LEGS];
    let mut rounds = 0;
    while rounds < ROUNDS_MIN || begin.elapsed() < SPENT {
        rounds += 1;
        for (best, spent) in best.iter_mut().zip(round()) {
            *best = spent.min(*best);
        }
    }
    best.map(|best| best.as_secs_f64() * 1_000.0)
}

fn by_rules_and_text(house: &House) {
    let sets = COUNTS.map(rules);
    println!("| text | 20 rules | 200 rules | 2,000 rules | 2,000 : 20 |\n| --- | --- | --- | --- | --- |");
    for (bytes, name) in SIZES {
        let mail = selftest::mail(&Parts { text: text(bytes), ..Parts::default() });
        let told = tell(&mail, house);
        let [few, some, many] = in_turns(|| {
            sets.each_ref().map(|set| {
                let start = spent();
                black_box(assess(set, black_box(&mail), &told));
                spent() - start
            })
        });
        println!("| {name} | {few:.3} ms | {some:.3} ms | {many:.3} ms | {:.1} |", many / few);
    }
    println!();
}

/// A report with a letter in it, as bytes.
fn report(bytes: usize) -> Vec<u8> {
    let mut raw = String::from(
        "From: Budi <budi@dinas.go.test>\r\nTo: bantuan70@bssn.test\r\nSubject: Laporan situs diretas\r\nDate: Mon, 4 May 2026 10:00:00 +0700\r\n\
         Message-ID: <a@dinas.go.test>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n",
    );
    for line in text(bytes).split_whitespace().collect::<Vec<_>>().chunks(10) {
        raw.push_str(&line.join(" "));
        raw.push_str("\r\n");
    }
    raw.push_str("\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>Laporan situs diretas</p>\r\n--b--\r\n");
    raw.into_bytes()
}

/// What the daemon does before it assesses: MIME, text, attachments, what is new and what quoted, what is
/// encrypted and signed, of which there is nothing here; then what the mail tells by itself.
fn beside_reading(house: &House) {
    let set = RuleSet::embedded().unwrap_or_else(|error| panic!("{error}"));
    println!("| text | parsing | telling | the rules | rules : reading | rules : parsing |\n| --- | --- | --- | --- | --- | --- |");
    for (bytes, name) in SIZES {
        row(&set, house, name, &[report(bytes)]);
    }
    let folder = std::env::var("MAILS").unwrap_or_else(|_| "tests/mail".to_owned());
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
    paths.sort();
    let mails: Vec<Vec<u8>> = paths.iter().filter_map(|path| std::fs::read(path).ok()).collect();
    let bytes: usize = mails.iter().map(Vec::len).sum();
    row(&set, house, &format!("{} messages, {} kB together", mails.len(), bytes / 1_000), &mails);
}

/// A row: the best times of parsing all of these messages, of what they tell, and of assessing them.
fn row(set: &RuleSet, house: &House, name: &str, messages: &[Vec<u8>]) {
    let keyring = Keyring::default();
    let parse = |raw: &Vec<u8>| -> Mail { open::open(read::read(black_box(raw)), &keyring, Timestamp::UNIX_EPOCH, usize::MAX).mail };
    let [parsing, telling, rules] = in_turns(|| {
        let start = spent();
        let mails: Vec<Mail> = messages.iter().map(|raw| black_box(parse(raw))).collect();
        let parsed = spent();
        let told: Vec<_> = mails.iter().map(|mail| black_box(tell(black_box(mail), house))).collect();
        let heard = spent();
        for (mail, told) in mails.iter().zip(&told) {
            black_box(assess(set, black_box(mail), told));
        }
        [parsed - start, heard - parsed, spent() - heard]
    });
    let (reading, parsed) = (rules / (parsing + telling), rules / parsing);
    println!("| {name} | {parsing:.3} ms | {telling:.3} ms | {rules:.3} ms | {reading:.2} | {parsed:.2} |");
}
