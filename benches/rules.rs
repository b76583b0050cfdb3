//! What classification costs: by number of rules, by length of the text, and beside reading the mail.

#![expect(clippy::panic, reason = "a benchmark that cannot load its rules has nothing to measure")]

use bantuan70::mail::{Mail, read};
use bantuan70::openpgp::{Keyring, open};
use bantuan70::rules::syntax::{Parts, Source};
use bantuan70::rules::{RuleSet, assess, selftest};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

const SIZES: [(usize, &str); 4] = [(1_000, "1 kB"), (10_000, "10 kB"), (100_000, "100 kB"), (1_000_000, "1 MB")];

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

fn by_rules_and_text(criterion: &mut Criterion) {
    for count in [20, 200, 2_000] {
        let set = rules(count);
        let mut group = criterion.benchmark_group(format!("{count} rules"));
        for (bytes, name) in SIZES {
            let mail = selftest::mail(&Parts { text: text(bytes), ..Parts::default() });
            group.throughput(Throughput::Bytes(bytes as u64));
            group.bench_with_input(BenchmarkId::from_parameter(name), &mail, |bencher, mail| {
                bencher.iter(|| black_box(assess(&set, black_box(mail))));
            });
        }
        group.finish();
    }
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

fn beside_reading(criterion: &mut Criterion) {
    let set = RuleSet::embedded().unwrap_or_else(|error| panic!("{error}"));
    let mut group = criterion.benchmark_group("shipped set");
    for (bytes, name) in SIZES {
        let raw = report(bytes);
        let (mail, _) = read::read(&raw);
        group.throughput(Throughput::Bytes(bytes as u64));
        group.bench_with_input(BenchmarkId::new("read", name), &raw, |bencher, raw| bencher.iter(|| black_box(read::read(black_box(raw)))));
        group.bench_with_input(BenchmarkId::new("assess", name), &mail, |bencher, mail| {
            bencher.iter(|| black_box(assess(&set, black_box(mail))));
        });
    }
    group.bench_function("load", |bencher| bencher.iter(|| black_box(RuleSet::embedded())));
    group.finish();
}

/// Reads and assesses in turns, so that what else the machine does strikes both alike, and prints the
/// best of each: whether the shipped set costs less than reading. The messages of a folder are those of
/// the tests, or of the folder that the variable `MAILS` names.
fn in_turns(_: &mut Criterion) {
    let set = RuleSet::embedded().unwrap_or_else(|error| panic!("{error}"));
    println!("| text | reading | assessing | assessing : reading |\n| --- | --- | --- | --- |");
    for (bytes, name) in SIZES {
        turns(&set, name, &[report(bytes)]);
    }
    let folder = std::env::var("MAILS").unwrap_or_else(|_| "tests/mail".to_owned());
    let mut paths: Vec<_> = std::fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let is_mail = |path: &std::path::PathBuf| path.extension().is_some_and(|extension| extension == "eml");
    let mails: Vec<Vec<u8>> = paths.iter().filter(|path| is_mail(path)).filter_map(|path| std::fs::read(path).ok()).collect();
    let bytes: usize = mails.iter().map(Vec::len).sum();
    turns(&set, &format!("{} messages, {} kB together", mails.len(), bytes / 1_000), &mails);
}

/// What the daemon does before it assesses: MIME, text, attachments, what is new and what quoted; then
/// what is encrypted and signed, of which there is nothing here.
fn opened(keyring: &Keyring, raw: &[u8]) -> Mail {
    open::open(read::read(black_box(raw)), keyring, Timestamp::UNIX_EPOCH, usize::MAX).mail
}

/// A row: the best time of reading all of these messages, and of assessing them.
fn turns(set: &RuleSet, name: &str, messages: &[Vec<u8>]) {
    const SPENT: Duration = Duration::from_secs(3);
    const ROUNDS_MIN: usize = 20;
    let keyring = Keyring::default();
    let begin = Instant::now();
    let (mut reading, mut assessing) = (Duration::MAX, Duration::MAX);
    let mut rounds = 0;
    while rounds < ROUNDS_MIN || begin.elapsed() < SPENT {
        rounds += 1;
        let start = Instant::now();
        let mails: Vec<_> = messages.iter().map(|raw| black_box(opened(&keyring, raw))).collect();
        let read = Instant::now();
        for mail in &mails {
            black_box(assess(set, black_box(mail)));
        }
        assessing = assessing.min(read.elapsed());
        reading = reading.min(read - start);
    }
    let (read, assess) = (reading.as_secs_f64() * 1_000.0, assessing.as_secs_f64() * 1_000.0);
    println!("| {name} | {read:.3} ms | {assess:.3} ms | {:.2} |", assess / read);
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = in_turns, by_rules_and_text, beside_reading
}
criterion_main!(benches);
