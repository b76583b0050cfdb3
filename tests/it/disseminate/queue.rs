//! A dissemination to many holds up nobody, and shows how far it is.

use super::Hall;
use bantuan70::cli::demo::stage::{Actor, Note};
use bantuan70::model::Address;
use bantuan70::model::contact::ContactKind;
use bantuan70::model::letter::{LetterKind, LetterState};
use bantuan70::store::OutboxId;

/// A report that comes while a dissemination waits to go to many is acknowledged before it.
#[tokio::test]
async fn an_acknowledgement_overtakes_a_dissemination_to_many() {
    let mut hall = Hall::new("");
    let certificate = Actor::with_key("Bank", "csirt@bank.example", hall.now()).unwrap().certificate().unwrap();
    for n in 0..60 {
        hall.contact(&format!("n{n}@bank.example"), ContactKind::Role, Some(&certificate), true);
    }
    hall.command("ani", "!tlp AMBER\n!diseminasi sector:finance\nUntuk bantuan70@bssn.test.");
    hall.decide().await;
    let joko = Actor::without_key("Joko", "joko@kantor.example").unwrap();
    let note = Note { subject: "Situs diretas".to_owned(), text: "Halaman depan kami diganti orang.".to_owned(), ..Note::default() };
    let raw = joko.writes(&Address::parse("bantuan70@bssn.test").unwrap(), &note, "a@kantor.example", hall.now()).unwrap();
    hall.stage.add("joko", joko);
    hall.stage.deliver(&raw).unwrap();
    hall.decide().await;
    let store = &hall.stage.daemon.store;
    // What the sending side takes next, a batch at a time.
    let next: Vec<LetterKind> =
        store.due_letters(hall.now(), 20).unwrap().into_iter().map(|id| store.letter(id).unwrap().letter.kind).collect();
    assert_eq!(next[0], LetterKind::Acknowledgement, "{next:?}");
    let first = next.iter().position(|kind| *kind == LetterKind::Dissemination).unwrap();
    assert!(next[first..].iter().all(|kind| *kind == LetterKind::Dissemination), "{next:?}");
    assert!(next[..first].iter().all(|kind| *kind != LetterKind::Dissemination));

    // How far it is, before, in between and after.
    let number = hall.dissemination(1).unwrap().number;
    let far =
        |hall: &Hall, state| hall.stage.daemon.store.dissemination_progress().unwrap().get(&number).and_then(|by| by.get(&state)).copied();
    assert_eq!((far(&hall, LetterState::Queued), far(&hall, LetterState::Sent)), (Some(60), None));
    let held = hall.outbox().into_iter().find(|row| row.kind == LetterKind::Dissemination).unwrap();
    hall.stage.daemon.store.hold(OutboxId(held.id), "test", hall.now()).unwrap();
    hall.play().await;
    assert_eq!((far(&hall, LetterState::Held), far(&hall, LetterState::Sent), far(&hall, LetterState::Queued)), (Some(1), Some(59), None));
    hall.stage.daemon.store.retry(OutboxId(held.id), "test", hall.now()).unwrap();
    hall.play().await;
    assert_eq!(far(&hall, LetterState::Sent), None, "what has left is no longer shown as on its way");
}
