//! What a decision sees of the database, and what each effect leaves in it.

use crate::store::{arrival, claim, new_ticket, opens, place};
use crate::store::{event, filing, just, later, letter, open_store, settled, start, view, with_ticket};
use bantuan70::model::contact::ContactKind;
use bantuan70::model::dissemination::{
    Approval, Dissemination, DisseminationNumber, DisseminationState, Recipient, RecipientKind, RecipientState,
};
use bantuan70::model::effect::{Decision, Effect, Indicators, Kept, MailKind};
use bantuan70::model::letter::{Enclosure, LetterKind, LetterState};
use bantuan70::model::outcome::Settled;
use bantuan70::model::snapshot::{Question, Snapshot};
use bantuan70::model::ticket::{State, TicketEvent, TicketNumber};
use bantuan70::model::{Address, Document, Fingerprint, InboxId, Language, Sha256, Tlp};
use bantuan70::store::{ChangedContact, Claim, Deciding, MailFilter, NewContact, Place, QueuedLetter, Released, Store, TicketFilter};
use std::collections::BTreeSet;
use std::sync::Arc;

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

/// What a decision with this question would see now; nothing is changed.
fn world(store: &Store, question: &Question, minutes: i64) -> Snapshot {
    let mut seen = None;
    store
        .act("look", question, &place(), later(minutes), |world| {
            seen = Some(world.clone());
            Decision::default()
        })
        .unwrap();
    seen.unwrap()
}

fn act(store: &Store, effects: Vec<Effect>, minutes: i64) -> anyhow::Result<Decision> {
    store.act("test", &Question::default(), &place(), later(minutes), just(effects))
}

fn enclosure(content: &[u8]) -> Enclosure {
    Enclosure { name: "laporan.pdf".into(), media_type: "application/pdf".into(), sha256: Sha256::of(content), content: Arc::from(content) }
}

fn dissemination(ticket: &TicketNumber, state: DisseminationState) -> Dissemination {
    let recipient = |text: &str, state| Recipient {
        address: address(text),
        name: "Sari".into(),
        kind: RecipientKind::Person,
        language: Language::Id,
        fingerprint: Some(Fingerprint("A".repeat(40))),
        state,
        at: later(10),
        because: String::new(),
        message_id: None,
        sent_at: None,
        reminders: 0,
        may_have_left: false,
    };
    Dissemination {
        number: DisseminationNumber::new(2026, 1),
        ticket: ticket.clone(),
        author: address("analyst1@bssn.test"),
        state,
        tlp: Tlp::Amber,
        lowered: false,
        lowered_from: None,
        subject: "Peringatan".into(),
        text: "Isi".into(),
        enclosures: vec![enclosure(b"dokumen")],
        recipients: vec![recipient("sari@bank.test", RecipientState::Queued), recipient("tono@pln.test", RecipientState::Held)],
        approvals: vec![Approval { by: address("analyst2@bssn.test"), at: later(10), code: String::new() }],
        created_at: later(10),
        sent_at: None,
        released: None,
        told: BTreeSet::new(),
    }
}

fn contact(name: &str, text: &str, sectors: &[&str], groups: &[&str]) -> NewContact {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    NewContact {
        name: name.into(),
        address: address(text),
        kind: ContactKind::Person,
        organisation: "Bank".into(),
        sectors: owned(sectors),
        groups: owned(groups),
        language: Language::Id,
        fingerprint: None,
        expires_at: None,
    }
}

#[test]
fn a_reply_leads_to_its_ticket_by_our_letter_by_a_token_and_by_stored_mail() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (_, number) = with_ticket(&store);
    let mut tokened = letter(LetterKind::Request, Some(&number), "request-1@bssn.test");
    tokened.token = Some("keyed".into());
    act(&store, vec![Effect::Queue(Box::new(tokened))], 1).unwrap();

    let references = vec!["stranger@x.test".to_owned(), format!("ack.{number}@bssn.test"), "laporan-1@dinas.go.test".to_owned()];
    let seen = world(&store, &Question { references, token: Some("keyed".into()), ..Question::default() }, 2);
    let found: Vec<_> = seen.letters.iter().map(|letter| (letter.kind, letter.state)).collect();
    assert_eq!(found, [(LetterKind::Request, LetterState::Queued), (LetterKind::Acknowledgement, LetterState::Queued)]);
    assert_eq!(seen.referred_tickets, std::slice::from_ref(&number));
    assert_eq!(seen.tickets.keys().collect::<Vec<_>>(), [&number]);
    // What is not ours leads nowhere.
    let seen =
        world(&store, &Question { references: vec!["stranger@x.test".into()], token: Some("guessed".into()), ..Question::default() }, 2);
    assert!(seen.letters.is_empty() && seen.tickets.is_empty());
}

#[test]
fn the_same_mail_under_other_trace_headers_is_known_and_is_not_its_own_duplicate() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let question = Question { content: Some(Sha256::of(b"content")), ..Question::default() };
    let ids = store.insert_mail(&[arrival(1, "Received: a\r\n\r\nisi"), arrival(2, "Received: b\r\n\r\nisi")], start()).unwrap();
    let mut first = None;
    store
        .decide(ids[0], &question, &place(), start(), |world| {
            assert_eq!(world.duplicate_of, None);
            first = Some(world.next_ticket.clone());
            opens(world, start())
        })
        .unwrap();
    let number = first.unwrap();
    store
        .decide(ids[1], &question, &place(), later(1), |world| {
            assert_eq!(world.duplicate_of, Some((ids[0], Some(number.clone()))));
            assert!(world.tickets.contains_key(&number));
            Decision { effects: vec![Effect::File(filing(MailKind::Report, Some(&number)))], because: Vec::new() }
        })
        .unwrap();
    assert_eq!(store.ticket_states(&TicketFilter::default()).unwrap().len(), 1);
}

#[test]
fn acknowledgements_are_counted_by_mailbox_domain_and_whole_and_held_ones_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let ack = |to: &str, n: u32, held: Option<&str>| {
        let mut one = letter(LetterKind::Acknowledgement, None, &format!("ack-{n}@bssn.test"));
        one.to = address(to);
        one.held_because = held.map(str::to_owned);
        Effect::Queue(Box::new(one))
    };
    act(
        &store,
        vec![ack("budi+1@x.test", 1, None), ack("BUDI@x.test", 2, None), ack("ani@x.test", 3, None), ack("budi@x.test", 4, Some("dmarc"))],
        0,
    )
    .unwrap();
    let question = Question { sender: Some(address("budi+other@x.test")), ..Question::default() };
    let counted = |minutes| {
        let counters = world(&store, &question, minutes).counters;
        (counters.acks_to_sender, counters.acks_to_domain, counters.acks)
    };
    assert_eq!(counted(59), (2, 3, 3));
    assert_eq!(counted(61), (2, 0, 0));
    assert_eq!(counted(24 * 60 + 1), (0, 0, 0));
    assert!(!world(&store, &question, 1).is_first_letter);
    assert!(world(&store, &Question { sender: Some(address("new@x.test")), ..Question::default() }, 1).is_first_letter);
}

#[test]
fn refusals_are_counted_since_midnight_in_the_centres_zone() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let person = address("analyst1@bssn.test");
    let question = Question { person: Some(person.clone()), ..Question::default() };
    act(&store, vec![Effect::CountRefusal { person: person.clone() }, Effect::CountRefusal { person }], 0).unwrap();
    // 06:00 UTC is 13:00 in Jakarta; its midnight comes 11 hours later.
    assert_eq!(world(&store, &question, 10 * 60 + 59).counters.refusals, 2);
    assert_eq!(world(&store, &question, 11 * 60 + 1).counters.refusals, 0);
}

#[test]
fn a_target_names_contacts_by_address_name_sector_or_group() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    store
        .take_contacts(
            &[
                contact("Sari", "sari@bank.test", &["keuangan"], &["perbankan"]),
                contact("Tono", "tono@pln.test", &["energi", "Keuangan"], &[]),
            ],
            &[],
            "test",
            start(),
        )
        .unwrap();
    let targets = ["sari@bank.test", "TONO", "sector:KEUANGAN", "group: perbankan", "sector:nothing", "sector:' OR 1=1 --"];
    let question = Question { targets: targets.iter().map(|target| (*target).to_owned()).collect(), ..Question::default() };
    let seen = world(&store, &question, 1);
    let named: Vec<Vec<&str>> = targets.iter().map(|target| seen.targets[*target].iter().map(|one| one.name.as_str()).collect()).collect();
    assert_eq!(named, [vec!["Sari"], vec!["Tono"], vec!["Sari", "Tono"], vec!["Sari"], vec![], vec![]]);
    assert!(
        store.take_contacts(&[contact("A", "a@b.test", &[], &[]), contact("S", "sari@bank.test", &[], &[])], &[], "test", start()).is_err()
    );
    assert_eq!(store.contacts().unwrap().len(), 2, "one known address, and none is added");
    // What was planned for a contact that is another one by now is not done, nor anything beside it.
    let before = store.contacts().unwrap().into_iter().find(|one| one.name == "Tono").unwrap();
    let change = ChangedContact { before, after: contact("Tono", "tono@pln.test", &["energi"], &[]) };
    store.verify_contact(&change.before.address, "letter", "test", start()).unwrap();
    assert!(store.take_contacts(&[contact("A", "a@b.test", &[], &[])], std::slice::from_ref(&change), "test", start()).is_err());
    assert_eq!(store.contacts().unwrap().len(), 2);
    let before = store.contacts().unwrap().into_iter().find(|one| one.name == "Tono").unwrap();
    store.take_contacts(&[], &[ChangedContact { before, ..change }], "test", start()).unwrap();
    let after = store.contacts().unwrap().into_iter().find(|one| one.name == "Tono").unwrap();
    assert_eq!((after.sectors, after.verified_how.as_deref()), (vec!["energi".to_owned()], Some("letter")));
}

#[test]
fn another_certificate_undoes_a_verification_and_the_same_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let sari = address("sari@bank.test");
    store.add_contact(&contact("Sari", "sari@bank.test", &[], &[]), "test", start()).unwrap();
    let (first, second) = (Fingerprint("A".repeat(40)), Fingerprint("B".repeat(40)));
    store.pin_certificate(&sari, &first, None, "test", start()).unwrap();
    store.verify_contact(&sari, "call-back", "test", start()).unwrap();
    store.pin_certificate(&sari, &first, Some(later(9)), "test", later(1)).unwrap();
    assert!(store.contact(&sari).unwrap().unwrap().is_verified(later(2)));
    store.pin_certificate(&sari, &second, None, "test", later(3)).unwrap();
    assert!(!store.contact(&sari).unwrap().unwrap().is_verified(later(4)));

    store.put_certificate(&second, b"bytes", Some(later(99)), later(4)).unwrap();
    assert_eq!(store.contact(&sari).unwrap().unwrap().expires_at, Some(later(99)));
    assert!(store.remove_certificate(&second, "test", later(5)).is_err(), "a pinned certificate stays");
    assert_eq!(store.certificates().unwrap().len(), 1);
}

#[test]
fn a_reporters_pinned_certificate_and_the_history_are_seen() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (_, number) = with_ticket(&store);
    let mut budi = contact("Budi", "budi@dinas.go.test", &[], &[]);
    budi.fingerprint = Some(Fingerprint("C".repeat(40)));
    store.add_contact(&budi, "test", start()).unwrap();
    let notes = (0..60).map(|n| event(&number, TicketEvent::Noted { text: n.to_string() })).collect();
    act(&store, notes, 1).unwrap();
    let seen = world(&store, &Question { tickets: vec![number.clone()], timeline: Some(number.clone()), ..Question::default() }, 2);
    assert_eq!(seen.certificates.get(&address("budi@dinas.go.test")), Some(&Fingerprint("C".repeat(40))));
    assert_eq!((seen.timeline.len(), seen.timeline[0].event.as_str()), (50, "noted"));
}

#[test]
fn a_merged_ticket_brings_the_one_that_took_it_up() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (_, first) = with_ticket(&store);
    let id = store.insert_mail(&[arrival(2, "dua")], start()).unwrap()[0];
    store
        .decide(id, &Question::default(), &place(), start(), |world| {
            let mut decision = opens(world, start());
            decision.effects.push(event(&world.next_ticket, TicketEvent::MergedInto { to: first.clone() }));
            decision.effects.push(event(&world.next_ticket, TicketEvent::StateChanged { to: State::Merged }));
            decision
        })
        .unwrap();
    let second = TicketNumber::new("BANTUAN70", 2026, 2);
    let seen = world(&store, &Question { tickets: vec![second.clone()], ..Question::default() }, 1);
    assert_eq!(seen.tickets.keys().collect::<Vec<_>>(), [&first, &second]);
    assert_eq!(store.open_tickets().unwrap(), [first]);
}

#[test]
fn a_dissemination_is_kept_changed_and_its_waiting_letters_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (_, number) = with_ticket(&store);
    let draft = dissemination(&number, DisseminationState::AwaitingApproval);
    act(&store, vec![Effect::SetDissemination(Box::new(draft.clone()))], 10).unwrap();
    assert_eq!(store.open_disseminations().unwrap(), std::slice::from_ref(&draft.number));

    let seen = world(&store, &Question { tickets: vec![number.clone()], ..Question::default() }, 11);
    assert_eq!(seen.disseminations.keys().collect::<Vec<_>>(), [&draft.number], "with its ticket");
    assert_eq!(seen.next_dissemination, DisseminationNumber::new(2026, 2));
    let mut stored = seen.disseminations[&draft.number].clone();
    assert_eq!(stored.code(), draft.code(), "the manifest survives the way through the database");
    // Read back it has no bytes; the letters made of it find them by their hash.
    assert!(stored.enclosures[0].content.is_empty());
    let mut effects = vec![Effect::SetDissemination(Box::new({
        stored.state = DisseminationState::Sending;
        stored.clone()
    }))];
    for recipient in &stored.recipients {
        let mut one = letter(LetterKind::Dissemination, Some(&number), &format!("dis.{}", recipient.address));
        one.to = recipient.address.clone();
        one.dissemination = Some(draft.number.clone());
        one.enclosures = stored.enclosures.clone();
        effects.push(Effect::Queue(Box::new(one)));
    }
    act(&store, effects, 12).unwrap();
    let due: Vec<_> = store.due_letters(later(12), 10).unwrap();
    let sari = *due.iter().find(|id| store.letter(**id).unwrap().letter.to == address("sari@bank.test")).unwrap();
    assert_eq!(&*store.letter(sari).unwrap().letter.enclosures[0].content, b"dokumen");

    store.store_sealed(sari, b"sealed", later(12)).unwrap();
    assert!(claim(&store, sari, later(12)));
    let sent = Settled { state: LetterState::Sent, next_at: None, error: None, reply: None, counts_attempt: true };
    let question = Question { disseminations: vec![draft.number.clone()], ..Question::default() };
    store
        .settle(sari, &sent, &place(), &question, later(13), |world| {
            let mut changed = world.disseminations[&draft.number].clone();
            changed.recipients[0].state = RecipientState::Sent;
            Decision { effects: vec![Effect::SetDissemination(Box::new(changed))], because: Vec::new() }
        })
        .unwrap();
    act(&store, vec![Effect::CancelLetters { dissemination: draft.number.clone() }], 14).unwrap();
    let rows = store.outbox(LetterState::ALL, &view(later(15))).unwrap();
    let states: Vec<_> = rows.iter().filter(|row| row.kind == LetterKind::Dissemination).map(|row| row.state).collect();
    assert_eq!(states, [LetterState::Sent, LetterState::Cancelled], "what has left is not called back");
    let page = store.ticket(&number, &view(later(15))).unwrap().unwrap();
    let json = serde_json::to_value(&page.disseminations[0]).unwrap();
    assert_eq!(json["recipients"][0]["state"], "sent");
    assert_eq!(json["approvals"][0]["by"], "analyst2@bssn.test");
    assert_eq!(store.audit_verify().unwrap().problems, [""; 0]);
}

#[test]
fn an_attachment_that_is_not_the_bytes_of_its_hash_goes_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (_, number) = with_ticket(&store);
    let mut wrong = letter(LetterKind::Reply, Some(&number), "reply@bssn.test");
    wrong.enclosures = vec![Enclosure { sha256: Sha256::of(b"approved"), ..enclosure(b"other") }];
    assert!(act(&store, vec![Effect::Queue(Box::new(wrong))], 1).is_err());
}

#[test]
fn attachments_and_indicators_stay_with_the_ticket() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (_, number) = with_ticket(&store);
    let keep = || Effect::Keep {
        ticket: number.clone(),
        attachments: vec![Kept { enclosure: enclosure(b"ktp"), document: Some(Document::Identity) }],
        indicators: Indicators { domains: BTreeSet::from(["palsu.example".into()]), ..Indicators::default() },
    };
    act(&store, vec![keep()], 1).unwrap();
    act(&store, vec![keep()], 2).unwrap();
    let page = serde_json::to_value(store.ticket(&number, &view(later(3))).unwrap().unwrap()).unwrap();
    assert_eq!(page["indicators"]["domains"], serde_json::json!(["palsu.example"]));
    assert_eq!(page["indicators"]["cves"], serde_json::json!([]));
    assert_eq!((&page["attachments"][0]["document"], &page["attachments"][0]["bytes"]), (&"identity".into(), &3.into()));
    assert_eq!(store.blob(&Sha256::of(b"ktp")).unwrap().unwrap(), b"ktp");
}

#[test]
fn a_held_acknowledgement_goes_when_it_is_released() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let id = store.insert_mail(&[arrival(1, "x")], start()).unwrap()[0];
    let decision = store
        .decide(id, &Question::default(), &place(), start(), |world| {
            let number = &world.next_ticket;
            let mut held = letter(LetterKind::Acknowledgement, Some(number), "ack@bssn.test");
            held.held_because = Some("dmarc=fail".into());
            let opened = TicketEvent::Opened(Box::new(new_ticket(number, start())));
            Decision {
                effects: vec![event(number, opened), Effect::Queue(Box::new(held)), Effect::File(filing(MailKind::Report, Some(number)))],
                because: Vec::new(),
            }
        })
        .unwrap();
    let Effect::Event { ticket, .. } = &decision.effects[0] else { panic!() };
    assert_eq!(store.due_letters(later(9), 10).unwrap(), []);
    act(&store, vec![Effect::ReleaseHeld { ticket: ticket.clone() }], 10).unwrap();
    assert_eq!(store.due_letters(later(10), 10).unwrap().len(), 1);
}

#[test]
fn a_bounce_changes_the_letter_that_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (_, number) = with_ticket(&store);
    let bounced =
        |message_id: String| Effect::SetLetterState { message_id, state: LetterState::Failed, because: "550 no such user".into() };
    let ack = format!("ack.{number}@bssn.test");
    let becomes = |state, minutes| {
        let effect = Effect::SetLetterState { message_id: ack.clone(), state, because: "it was decided".into() };
        act(&store, vec![effect], minutes)
    };
    let state = || store.outbox(LetterState::ALL, &view(later(1))).unwrap()[0].state;
    // What has not left neither bounces nor passes for sent, and nothing of it stays that was decided with it.
    for wrong in [LetterState::Sent, LetterState::Failed, LetterState::Queued, LetterState::Uncertain, LetterState::Held] {
        assert!(becomes(wrong, 1).is_err(), "{wrong}");
        assert_eq!(state(), LetterState::Queued);
    }
    let queued = store.due_letters(later(1), 10).unwrap()[0];
    store.store_sealed(queued, b"sealed", later(1)).unwrap();
    assert!(claim(&store, queued, later(1)));
    assert!(becomes(LetterState::Cancelled, 1).is_err(), "it is under way");
    store.settle(queued, &settled(LetterState::Sent), &place(), &Question::default(), later(1), just(Vec::new())).unwrap();
    assert!(becomes(LetterState::Cancelled, 1).is_err(), "what has left is not stopped");
    assert!(becomes(LetterState::Sent, 1).is_ok(), "of one that is late the reason is noted");
    act(&store, vec![bounced(ack.clone())], 1).unwrap();
    assert!(becomes(LetterState::Sent, 1).is_err(), "what came back does not pass for sent");
    let row = &store.outbox(&[], &view(later(2))).unwrap()[0];
    assert_eq!((row.state, row.last_error.as_deref()), (LetterState::Failed, Some("550 no such user")));
    assert!(act(&store, vec![bounced("nobody@bssn.test".into())], 2).is_err());
}

#[test]
fn mail_without_a_ticket_is_promoted_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let id = store.insert_mail(&[arrival(1, "spam?")], start()).unwrap()[0];
    let mut spam = filing(MailKind::List, None);
    spam.in_digest = true;
    store.decide(id, &Question::default(), &place(), start(), just(vec![Effect::File(spam)])).unwrap();
    let digest = MailFilter { in_digest: true, ..MailFilter::default() };
    assert_eq!(store.mail(&digest, &view(start())).unwrap().len(), 1);

    let seen = world(&store, &Question { mail: Some(id), ..Question::default() }, 1);
    let mail = seen.mail.unwrap();
    assert_eq!((mail.raw.as_slice(), mail.filing.kind), (b"spam?".as_slice(), MailKind::List));
    let promote = |number: &TicketNumber| Effect::Promote { mail: id, ticket: number.clone() };
    let number = TicketNumber::new("BANTUAN70", 2026, 1);
    let opened = event(&number, TicketEvent::Opened(Box::new(new_ticket(&number, later(2)))));
    act(&store, vec![promote(&number), opened], 2).unwrap();
    assert!(act(&store, vec![promote(&number)], 3).is_err());
    assert_eq!(store.mail(&digest, &view(later(3))).unwrap().len(), 0);
    assert_eq!(store.ticket(&number, &view(later(3))).unwrap().unwrap().messages.len(), 1);
    assert_eq!(store.search("palsu", &view(later(3))).unwrap().len(), 1);
}

#[test]
fn f14_what_is_released_from_the_quarantine_is_handled_anew_but_opens_no_second_ticket() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let quarantined = |uid: u32, ticket: bool| -> InboxId {
        let id = store.insert_mail(&[arrival(uid, &format!("poison {uid}"))], start()).unwrap()[0];
        store
            .decide(id, &Question::default(), &place(), start(), |world| {
                let mut decision = opens(world, start());
                if !ticket {
                    decision.effects.truncate(1);
                }
                for effect in &mut decision.effects {
                    if let Effect::File(filing) = effect {
                        filing.quarantine = true;
                        filing.ticket = filing.ticket.take().filter(|_| ticket);
                    }
                }
                decision
            })
            .unwrap();
        id
    };
    let (without, with) = (quarantined(1, false), quarantined(2, true));
    assert!(store.unfiled("INBOX", 9).unwrap().iter().all(|one| one.quarantine));
    assert_eq!(store.quarantine(&view(start())).unwrap().len(), 2);
    assert_eq!(store.release(without, "admin", later(1)).unwrap(), Released::ToBeHandled);
    assert_eq!(store.release(with, "admin", later(1)).unwrap(), Released::Acknowledged);
    assert!(store.release(with, "admin", later(1)).is_err());
    assert_eq!(store.waiting_mail(9).unwrap(), [without]);
    assert_eq!(store.quarantine(&view(start())).unwrap().len(), 0);
    assert_eq!(store.begin_attempt(without, later(2)).unwrap().attempts, 1);
}

#[test]
fn one_wrong_effect_and_none_is_carried_out() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (_, number) = with_ticket(&store);
    let unknown = TicketNumber::new("BANTUAN70", 2026, 99);
    let wrong: Vec<Box<dyn Fn() -> Effect>> = vec![
        Box::new(|| event(&unknown, TicketEvent::Touched)),
        Box::new(|| event(&number, TicketEvent::Opened(Box::new(new_ticket(&number, start()))))),
        Box::new(|| Effect::File(filing(MailKind::Report, None))),
        Box::new(|| Effect::Queue(Box::new(letter(LetterKind::Notice, Some(&unknown), "n@bssn.test")))),
        Box::new(|| Effect::Promote { mail: InboxId(77), ticket: number.clone() }),
    ];
    let before = store.audit_head().unwrap();
    for make in wrong {
        act(&store, vec![event(&number, TicketEvent::Touched), make()], 1).unwrap_err();
    }
    assert_eq!(store.audit_head().unwrap(), before);
    // A decision without effects leaves no trace, however often a clock asks.
    act(&store, Vec::new(), 2).unwrap();
    assert_eq!(store.audit_head().unwrap(), before);
    let elsewhere = Place { prefix: "LAIN".into(), ..place() };
    let seen = store.act("look", &Question::default(), &elsewhere, later(3), |world| {
        assert_eq!(world.next_ticket.0, "LAIN-2026-000002");
        Decision::default()
    });
    seen.unwrap();
}

#[test]
fn a_batch_shares_a_commit_and_each_mail_stands_or_falls_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let arrivals: Vec<_> = (1..=6).map(|uid| arrival(uid, &format!("mail {uid}"))).collect();
    let ids = store.insert_mail(&arrivals, start()).unwrap();
    let batch = store.next_batch(10, &BTreeSet::new()).unwrap();
    assert_eq!(batch, ids);
    store.begin_attempts(&batch, start()).unwrap();
    let deciding = |id: &InboxId| Deciding {
        id: *id,
        question: Question::default(),
        decide: if *id == ids[2] {
            // Opens a ticket and then does what cannot be committed: its number goes to the next mail.
            Box::new(|world: &Snapshot| {
                let mut decision = opens(world, start());
                decision.effects.push(Effect::Promote { mail: InboxId(99), ticket: world.next_ticket.clone() });
                decision
            })
        } else {
            Box::new(|world: &Snapshot| opens(world, start()))
        },
    };
    let commits = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let seen = Arc::clone(&commits);
    drop(store);
    let store = open_store(folder.path()).with_commit_hook(Box::new(move |n| {
        seen.store(n, std::sync::atomic::Ordering::Relaxed);
        n != 2
    }));
    let decisions = store.decide_all(batch.iter().map(deciding).collect(), &place(), start()).unwrap();
    assert_eq!(decisions.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, false, true, true, true]);
    assert_eq!(commits.load(std::sync::atomic::Ordering::Relaxed), 1);
    let numbers: Vec<String> = store.ticket_states(&TicketFilter::default()).unwrap().into_iter().map(|ticket| ticket.number.0).collect();
    assert_eq!(numbers, (1..=5).map(|serial| format!("BANTUAN70-2026-{serial:06}")).collect::<Vec<_>>());
    assert_eq!(store.waiting_mail(9).unwrap(), [ids[2]]);
    // A batch that cannot be committed has not happened at all.
    let more: Vec<_> = (7..=9).map(|uid| arrival(uid, &format!("mail {uid}"))).collect();
    assert!(store.insert_mail(&more, start()).is_err());
    let more = store.insert_mail(&more, start()).unwrap();
    drop(store);
    let store = open_store(folder.path()).with_commit_hook(Box::new(|_| false));
    assert!(store.decide_all(more.iter().map(deciding).collect(), &place(), start()).is_err());
    drop(store);
    let store = open_store(folder.path());
    assert_eq!(store.waiting_mail(9).unwrap().len(), 4);
    assert_eq!(store.audit_verify().unwrap().problems, [""; 0]);
}

#[test]
fn f14_what_an_attempt_failed_on_is_tried_again_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let arrivals: Vec<_> = (1..=4).map(|uid| arrival(uid, &format!("mail {uid}"))).collect();
    let ids = store.insert_mail(&arrivals, start()).unwrap();
    let batch = |but: &[InboxId], limit| store.next_batch(limit, &but.iter().copied().collect()).unwrap();
    assert_eq!(batch(&[], 3), ids[..3]);
    store.begin_attempts(&ids[..3], start()).unwrap();
    // The process died here: each of the three goes alone, and the one that nobody tried does not wait behind them in vain.
    assert_eq!(batch(&[], 3), [ids[0]]);
    assert_eq!(batch(&[ids[0]], 3), [ids[1]]);
    assert_eq!(batch(&ids[..3], 3), [ids[3]]);
    assert_eq!(batch(&ids, 3), []);
}

#[test]
fn a_letter_is_sealed_and_claimed_in_one_commit() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    with_ticket(&store);
    let id = store.due_letters(later(1), 1).unwrap()[0];
    let due = store.letter(id).unwrap();
    assert_eq!(store.claim(&due, Some(b"sealed"), later(1)).unwrap(), Claim::Taken);
    let queued = store.letter(id).unwrap();
    assert_eq!((queued.state, queued.sealed.as_deref(), queued.attempts), (LetterState::Sending, Some(b"sealed".as_slice()), 1));
    assert_eq!(store.claim(&due, Some(b"other"), later(2)).unwrap(), Claim::Gone);
    assert_eq!(store.letter(id).unwrap().sealed.as_deref(), Some(b"sealed".as_slice()), "what is under way keeps its bytes");
}

#[test]
fn c13_what_changes_between_making_a_letter_ready_and_its_attempt_is_not_missed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path());
    let (_, number) = with_ticket(&store);
    let sari = address("sari@bank.test");
    store.add_contact(&contact("Sari", "sari@bank.test", &[], &[]), "test", start()).unwrap();
    let mut to_sari = letter(LetterKind::Dissemination, Some(&number), "dis.sari@bssn.test");
    (to_sari.to, to_sari.dissemination) = (sari.clone(), Some(DisseminationNumber::new(2026, 1)));
    let released = dissemination(&number, DisseminationState::Sending);
    act(&store, vec![Effect::SetDissemination(Box::new(released.clone())), Effect::Queue(Box::new(to_sari))], 1).unwrap();
    let due = |kind: LetterKind| {
        let of_kind = |id| Some(store.letter(id).unwrap()).filter(|queued| queued.letter.kind == kind);
        store.due_letters(later(9), 10).unwrap().into_iter().find_map(of_kind).unwrap()
    };
    let is_changed = |ready: &QueuedLetter| {
        let claim = store.claim(ready, Some(b"sealed"), later(9)).unwrap();
        let now = store.letter(ready.id).unwrap();
        claim == Claim::Changed && now.state == LetterState::Queued && now.sealed.is_none() && now.attempts == 0
    };
    // The mark of the ticket, for words that nobody encrypted.
    let ready = due(LetterKind::Acknowledgement);
    act(&store, vec![event(&number, TicketEvent::TlpSet { to: Tlp::Red })], 2).unwrap();
    assert!(is_changed(&ready));
    assert_eq!(store.claim(&due(LetterKind::Acknowledgement), Some(b"sealed"), later(9)).unwrap(), Claim::Taken);
    // The recipient, as the directory has it.
    let ready = due(LetterKind::Dissemination);
    store.verify_contact(&sari, "call-back", "test", later(3)).unwrap();
    assert!(is_changed(&ready));
    let ready = due(LetterKind::Dissemination);
    store.remove_contact(&sari, "test", later(4)).unwrap();
    assert!(is_changed(&ready));
    // And the dissemination: a letter of uncertain fate is not among those that its cancelling cancels.
    let ready = due(LetterKind::Dissemination);
    act(&store, vec![Effect::SetDissemination(Box::new(Dissemination { state: DisseminationState::Cancelled, ..released }))], 5).unwrap();
    assert!(is_changed(&ready));
    assert_eq!(store.audit_verify().unwrap().problems, [""; 0]);
}
