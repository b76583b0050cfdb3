//! A seeded simulation: mail, commands, bounces, answers of the mail server, jumps of the clock and
//! deaths of the process; after each step the laws and ladders of DESIGN 4 and 8 hold.
//! `BANTUAN70_SIM_SEEDS=N` plays the seeds 0 to N - 1; `BANTUAN70_SIM_SEED=N` that one alone.

mod crash;
mod day;
mod events;
mod laws;
mod post;
pub mod town;

use laws::Watch;
use std::collections::BTreeSet;
use town::{Chance, Town};

/// Played in every run of the tests.
const SEEDS: u64 = 20;
const STEPS: usize = 30;

#[test]
fn whatever_happens_the_laws_hold() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("BANTUAN70_SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("BANTUAN70_SIM_SEEDS").unwrap_or(SEEDS),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut failed = Vec::new();
    let mut reached = BTreeSet::new();
    let is_whole = seeds.clone().count() as u64 >= SEEDS;
    for seed in seeds {
        match runtime.block_on(play(seed)) {
            Ok(of_seed) => reached.extend(of_seed),
            Err(broken) => failed.push(format!("seed {seed}: {broken}")),
        }
    }
    assert!(failed.is_empty(), "{} seeds failed; play one with BANTUAN70_SIM_SEED=N:\n{}", failed.len(), failed.join("\n"));
    let missed: Vec<&str> = TO_BE_REACHED.iter().copied().filter(|what| is_whole && !reached.contains(*what)).collect();
    assert!(missed.is_empty(), "the seeds no longer reach {missed:?}, but only {reached:?}");
}

/// What some of the seeds must come to, or the laws were tried on nothing.
const TO_BE_REACHED: [&str; 25] = [
    "a death",
    "analyst",
    "report",
    "reply",
    "auto_reply",
    "bounce",
    "list",
    "acknowledgement",
    "request",
    "reply letter",
    "analysis",
    "rejection",
    "closing",
    "survey",
    "dissemination",
    "reminder",
    "notice",
    "receipt",
    "sent",
    "failed",
    "held",
    "sent again",
    "merged",
    "rejected",
    "closed",
];

async fn play(seed: u64) -> Result<BTreeSet<String>, String> {
    let mut deaths = BTreeSet::new();
    let mut chance = Chance(seed);
    let mut town = Town::new();
    let mut watch = Watch::default();
    for step in 0..STEPS {
        let what = happen(&mut town, &mut chance);
        if chance.percent(20) {
            town.fuse.light(1 + chance.below(25) as i64);
        }
        work(&mut town, &mut chance).await;
        let died = town.fuse.is_dead();
        if died {
            deaths.insert("a death".to_owned());
            town.open();
        }
        town.fuse.light(i64::MAX);
        watch.look(&town).map_err(|broken| format!("step {step} ({what}{}): {broken}", if died { ", a death" } else { "" }))?;
    }
    // Everything comes to rest: nothing fails any more, and time passes.
    for _ in 0..3 {
        town.wait(8 * 60);
        work(&mut town, &mut Chance(u64::MAX)).await;
        watch.look(&town).map_err(|broken| format!("at the end: {broken}"))?;
    }
    deaths.extend(watch.rest(&town)?);
    Ok(deaths)
}

fn happen(town: &mut Town, chance: &mut Chance) -> &'static str {
    match chance.below(100) {
        0..=29 => {
            town.report(chance);
            "report"
        }
        30..=54 => {
            town.answer(chance);
            "answer"
        }
        55..=60 => {
            town.bounce(chance);
            "bounce"
        }
        61..=89 => {
            town.command(chance);
            "command"
        }
        _ => {
            town.wait(*[5, 20, 70, 26 * 60, 4 * 24 * 60].get(chance.below(5)).unwrap());
            "clock"
        }
    }
}

/// One round of the daemon; a commit that fails ends it, as death does.
async fn work(town: &mut Town, chance: &mut Chance) {
    let daemon = town.daemon().clone();
    if daemon.take_in().await.is_err() || town.fuse.is_dead() {
        return;
    }
    if daemon.look_at_clocks().await.is_err() || town.fuse.is_dead() {
        return;
    }
    if let Err(error) = town.send(chance) {
        assert!(town.fuse.is_dead(), "sending failed though no commit did: {error:#}");
    }
}
