//! `!batal` stops all that has not left, also what was already under way when it came (contract 9).

use bantuan70::cli::demo::stage::{Actor, Note, Setting, Stage};
use bantuan70::model::contact::ContactKind;
use bantuan70::model::letter::LetterState;
use bantuan70::model::{Address, Language};
use bantuan70::store::{Claim, NewContact, View};

#[tokio::test]
async fn what_was_uncertain_when_its_dissemination_was_cancelled_does_not_leave_later() {
    let folder = tempfile::tempdir().unwrap();
    let start = "2026-03-03T01:00:00Z".parse().unwrap();
    let people = [("analyst", "Ani", "ani@bssn.test")];
    let setting = Setting { people: &people, center: "", intake: "", more: "" };
    let mut stage = Stage::set_up(&folder.path().join("stage"), start, &setting).unwrap();
    let bank = Actor::with_key("CSIRT Bank", "csirt@bank.example", start).unwrap();
    let store = &stage.daemon.store;
    store.put_certificate(bank.fingerprint.as_ref().unwrap(), &bank.certificate().unwrap(), None, start).unwrap();
    let contact = NewContact {
        name: bank.name.clone(),
        address: bank.address.clone(),
        kind: ContactKind::Role,
        organisation: "Bank".to_owned(),
        sectors: Vec::new(),
        groups: Vec::new(),
        language: Language::Id,
        fingerprint: bank.fingerprint.clone(),
        expires_at: None,
    };
    store.add_contact(&contact, "test", start).unwrap();
    store.verify_contact(&bank.address, "call-back", "test", start).unwrap();
    stage.add("bank", bank);
    stage.reload().unwrap();

    command(&mut stage, "!tlp AMBER\n!diseminasi csirt@bank.example\nUntuk bantuan70@bssn.test: blokir alamat itu.").await;
    let letter = state_to(&stage, "csirt@bank.example");
    assert_eq!(letter.1, LetterState::Queued);
    // The process dies while the letter is under way, and finds it uncertain when it starts again.
    let (store, now) = (&stage.daemon.store, stage.clock.now());
    assert_eq!(store.claim(&store.letter(letter.0).unwrap(), Some(b"sealed\r\n"), now).unwrap(), Claim::Taken);
    let mut stage = stage.restart().unwrap();
    assert_eq!(state_to(&stage, "csirt@bank.example").1, LetterState::Uncertain);

    command(&mut stage, "!batal DIS-2026-0001").await;
    stage.wait(1);
    let sent = stage.play().await.unwrap();
    assert!(sent.iter().all(|mail| mail.to.as_str() != "csirt@bank.example"), "{sent:?}");
    assert_eq!(state_to(&stage, "csirt@bank.example").1, LetterState::Cancelled);
}

/// A signed command that is decided while nothing is sent.
async fn command(stage: &mut Stage, text: &str) {
    let center = Address::parse("bantuan70@bssn.test").unwrap();
    let note = Note { subject: "Perintah".to_owned(), text: text.to_owned(), ..Note::default() };
    let id = stage.next_message_id("ani");
    let raw = stage.actor("ani").unwrap().signs(&center, &note, &id, stage.clock.now()).unwrap();
    stage.deliver(&raw).unwrap();
    stage.daemon.take_in().await.unwrap();
}

/// The letter to an address and how it stands.
fn state_to(stage: &Stage, address: &str) -> (bantuan70::store::OutboxId, LetterState) {
    let config = &stage.daemon.config.center;
    let view = View { time_zone: config.time_zone.clone(), now: stage.clock.now(), center_address: config.address.to_string() };
    let rows = stage.daemon.store.outbox(LetterState::ALL, &view).unwrap();
    let row = rows.iter().find(|row| row.to.as_str() == address).unwrap_or_else(|| panic!("no letter to {address}: {rows:?}"));
    (bantuan70::store::OutboxId(row.id), row.state)
}
