//! What reading costs, by the shape of the message. `cargo bench --bench read -- --write DIR` writes
//! 50 MB of each shape instead, for `inspect` under `/usr/bin/time -v`.

#![expect(clippy::panic, reason = "a benchmark that cannot load its rules or write its files has nothing to measure")]

#[path = "shapes.rs"]
mod shapes;

use bantuan70::config::Config;
use bantuan70::daemon::house;
use bantuan70::mail::read;
use bantuan70::mail::told::tell;
use bantuan70::rules::{RuleSet, assess};
use criterion::{BenchmarkId, Criterion, Throughput};
use std::hint::black_box;
use std::time::Duration;

const WRITTEN_BYTES: usize = 50_000_000;
const READ_BYTES: usize = 5_000_000;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--write") {
        let folder = std::path::PathBuf::from(arguments.get(at + 1).map_or(".", String::as_str));
        for (name, make) in shapes::SHAPES {
            let path = folder.join(format!("{name}.eml"));
            std::fs::write(&path, make(WRITTEN_BYTES)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
        return;
    }
    let rules = RuleSet::embedded().unwrap_or_else(|error| panic!("{error}"));
    let house = house(&Config::defaults());
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("read");
    group.sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    for (name, make) in shapes::SHAPES {
        let raw = make(READ_BYTES);
        group.throughput(Throughput::Bytes(u64::try_from(raw.len()).unwrap_or_default()));
        group.bench_with_input(BenchmarkId::new("5 MB", name), &raw, |bencher, raw| {
            bencher.iter(|| {
                let (mail, _) = read::read(black_box(raw));
                black_box(assess(&rules, &mail, &tell(&mail, &house)))
            });
        });
    }
    group.finish();
    criterion.final_summary();
}
