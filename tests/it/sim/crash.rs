//! A small play of the whole daemon, with a death at each of its commits in turn: what comes of it
//! in the end is what comes of it undisturbed.

use super::town::Town;
use bantuan70::cli::demo::stage::Note;
use bantuan70::mail::read;
use bantuan70::model::letter::{LetterKind, LetterState};
use bantuan70::store::TicketFilter;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

/// What the play is made of: minutes pass, then mail may come.
#[derive(Debug, Clone)]
struct Step {
    minutes: i64,
    raw: Option<Vec<u8>>,
}

/// How it ended.
#[derive(Debug, PartialEq)]
struct Ending {
    /// Number, state, documents, clocks that were met, thread.
    tickets: Vec<String>,
    disseminations: Vec<String>,
    /// Kind, recipient, ticket, Message-ID.
    letters: Vec<String>,
}

#[test]
fn a_death_at_each_commit_changes_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut town = Town::new();
        let steps = rehearse(&mut town).await;
        let undisturbed = ending(&town);
        let commits = town.fuse.commits.load(Ordering::SeqCst);
        assert!(undisturbed.letters.len() > 8 && commits > 40, "the play is too small to tell anything: {undisturbed:#?}");
        let mut twice = 0;
        for n in 1.. {
            let mut town = Town::new();
            town.fuse.light(n);
            let mut died = false;
            for step in &steps {
                town.wait(step.minutes);
                if let Some(raw) = &step.raw {
                    town.deliver(raw);
                }
                let outcome = round(&town).await;
                if town.fuse.is_dead() {
                    died = true;
                    town.open();
                    round(&town).await.unwrap();
                } else {
                    outcome.unwrap();
                }
            }
            if !died {
                assert!(n as u64 > commits, "the undisturbed play has {commits} commits, this one {n}");
                break;
            }
            assert_eq!(ending(&town), undisturbed, "after a death at commit {n}");
            let problems = town.daemon().store.audit_verify().unwrap().problems;
            assert!(problems.is_empty(), "after a death at commit {n}: {problems:?}");
            twice += repeated(&town, n);
        }
        assert!(twice > 0, "some death came between the server's answer and the commit of it");
    });
}

async fn round(town: &Town) -> Result<(), String> {
    town.daemon().once().await.map_err(|error| error.to_string())
}

/// Plays it for the first time, with each mail written when its turn comes.
async fn rehearse(town: &mut Town) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let note = |subject: &str, text: &str| Note { subject: subject.to_owned(), text: text.to_owned(), ..Note::default() };
    let mut report = note("Situs desa diretas", "Halaman depan situs desa kami diganti orang.");
    report.enclosures.push(("KTP.jpg".to_owned(), "image/jpeg".to_owned(), b"a picture".to_vec()));
    let scenes: Vec<(i64, &str, bool, Note)> = vec![
        (0, "joko", false, report),
        (5, "ani", true, note("Re: [BANTUAN70-2026-000001]", "!petugas me\n!analisis\nSandi pengelola tertebak.")),
        (5, "ani", true, note("Re: [BANTUAN70-2026-000001]", "!tlp AMBER\n!diseminasi csirt@bank.example\nGanti sandi pengelola.")),
        (5, "bank", true, note("Re: [BANTUAN70-2026-000001]", "DITERIMA")),
        (5, "ani", true, note("Re: [BANTUAN70-2026-000001]", "!tutup")),
    ];
    for (minutes, who, is_signed, mut note) in scenes {
        town.wait(minutes);
        if who == "bank" {
            // A letter that was under way when the process died is known to have arrived by its answer.
            let rows = town.daemon().store.outbox(LetterState::ALL, &town.view()).unwrap();
            note.answers =
                rows.into_iter().find(|row| row.kind == LetterKind::Dissemination && row.to.contains("bank")).map(|row| row.message_id);
        }
        let raw = town.written(who, &note, is_signed);
        town.deliver(&raw);
        round(town).await.unwrap();
        steps.push(Step { minutes, raw: Some(raw) });
    }
    // The survey; and time for what is uncertain to go out again.
    for minutes in [25 * 60, 20] {
        town.wait(minutes);
        round(town).await.unwrap();
        steps.push(Step { minutes, raw: None });
    }
    steps
}

fn ending(town: &Town) -> Ending {
    let store = &town.daemon().store;
    let view = town.view();
    let tickets = store.ticket_states(&TicketFilter::default()).unwrap();
    let disseminations = tickets.iter().flat_map(|ticket| store.ticket(&ticket.number, &view).unwrap().unwrap().disseminations);
    let disseminations = disseminations
        .map(|one| {
            let recipients: Vec<String> = one.recipients.iter().map(|to| format!("{} {}", to.address, to.state)).collect();
            format!("{} {} {}", one.number, one.state, recipients.join(" "))
        })
        .collect();
    let tickets = tickets
        .iter()
        .map(|ticket| format!("{} {} {:?} {:?} {:?}", ticket.number, ticket.state, ticket.documents, ticket.clocks, ticket.thread))
        .collect();
    let rows = store.outbox(LetterState::ALL, &view).unwrap();
    let mut letters: Vec<String> =
        rows.iter().map(|row| format!("{} {} {:?} {} {}", row.kind, row.to, row.ticket, row.state, row.message_id)).collect();
    letters.sort();
    Ending { tickets, disseminations, letters }
}

/// Each letter lies once in the outgoing Maildir, but one that was under way when the process died:
/// twice, and the outbox says so. Gives how many there were.
fn repeated(town: &Town, n: i64) -> usize {
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    for entry in std::fs::read_dir(town.dir.join("out/new")).unwrap() {
        let raw = std::fs::read(entry.unwrap().path()).unwrap();
        let id = read::read(&raw).0.message_id.unwrap();
        *times.entry(id).or_default() += 1;
    }
    let rows = town.daemon().store.outbox(LetterState::ALL, &town.view()).unwrap();
    assert_eq!(times.len(), rows.len(), "after a death at commit {n} every letter went out");
    for row in &rows {
        let of_letter = times[&row.message_id];
        assert!(of_letter <= 1 + row.resends, "after a death at commit {n} the {} to {} went out {of_letter} times", row.kind, row.to);
    }
    times.values().filter(|times| **times > 1).count()
}
