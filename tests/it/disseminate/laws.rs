//! Whatever analysts command in whatever order, whatever becomes of keys, contacts and mail, and
//! wherever the process dies: a dissemination leaves only as it was agreed to by enough people, and
//! to each recipient once, but where nobody can know whether the first mail arrived (rung O5).

use crate::sim::town::{Chance, Town, base};
use bantuan70::cli::demo::stage::{Actor, Note};
use bantuan70::daemon::by_hand;
use bantuan70::model::contact::ContactKind;
use bantuan70::model::dissemination::{Dissemination, DisseminationNumber, DisseminationState, RecipientState};
use bantuan70::model::letter::{LetterKind, LetterState};
use bantuan70::model::{Address, Fingerprint, Language, Sha256};
use bantuan70::store::{NewContact, OutboxId, OutboxRow};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

/// `BANTUAN70_SIM_SEEDS` plays more, `BANTUAN70_SIM_SEED` one alone.
const SEEDS: [u64; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 32, 36];
const STEPS: usize = 40;
const ADDRESSES: [&str; 4] = ["csirt@bank.example", "rina@bank.example", "it@rsud.example", "siti@warga.example"];

macro_rules! law {
    ($holds:expr, $($broken:tt)*) => { if !$holds { return Err(format!($($broken)*)); } };
}

/// What was really signed and delivered: who agreed to which code, and who wrote which draft.
#[derive(Default)]
struct Book {
    agreed: BTreeMap<(String, String), BTreeSet<String>>,
    /// The last signed mails, to be delivered again.
    mails: Vec<Vec<u8>>,
    /// Every state in which a dissemination was seen while it awaited agreement: its codes.
    codes: BTreeMap<String, String>,
    accepted: usize,
    /// How often a person tried a letter again.
    by_hand: BTreeMap<i64, usize>,
    /// Each as it stood when nobody had changed the database behind the daemon's back.
    honest: BTreeMap<String, Dissemination>,
    /// Those whose rows somebody changed after they were released.
    tampered: BTreeSet<String>,
    /// Whose release was looked at, by the configuration of that moment.
    released: BTreeSet<String>,
    reached: BTreeSet<&'static str>,
}

/// Other certificates for each of the two who have one: one lasts, one ends in the course of the play.
fn others() -> &'static Vec<Actor> {
    static OTHERS: OnceLock<Vec<Actor>> = OnceLock::new();
    OTHERS.get_or_init(|| {
        let start: Timestamp = crate::sim::town::START.parse().unwrap();
        let ends_soon = start - super::KEY_LIFE + SignedDuration::from_hours(25);
        let make = |to: &str| [start, ends_soon].map(|made| Actor::with_key("Lain", to, made).unwrap());
        ["csirt@bank.example", "rina@bank.example"].into_iter().flat_map(make).collect()
    })
}

/// How the configuration may read: as it is, with one who may agree less, and with more who must.
const CONFIGURATIONS: [&str; 3] = ["", "budi", "\n[dissemination]\napprovals = { AMBER = 2, GREEN = 2 }\n"];

fn disseminations(town: &Town) -> Vec<Dissemination> {
    let one = |serial| town.daemon().store.dissemination_state(&DisseminationNumber::new(2026, serial)).unwrap();
    (1..).map_while(one).collect()
}

impl Book {
    fn signed(&mut self, town: &mut Town, who: &str, text: String) {
        let serial = town.delivered;
        let note = Note { subject: format!("Perintah {serial}"), text, ..Note::default() };
        let raw = town.written(who, &note, true);
        town.deliver(&raw);
        self.mails.push(raw);
    }

    fn draft(&mut self, town: &mut Town, chance: &mut Chance) {
        let mark = chance.one(&["RED", "AMBER+STRICT", "AMBER+STRICT", "AMBER", "GREEN", "CLEAR"]);
        let targets = chance.one(&[
            "rina@bank.example",
            "csirt@bank.example, it@rsud.example",
            "sector:finance",
            "rina@bank.example it@rsud.example",
        ]);
        let serial = town.delivered;
        let who = chance.one(&["ani", "budi", "rudi"]);
        // Mostly by itself; else of a report, whose reporter may send something more restricted later.
        let of = if chance.percent(50) && !town.daemon().store.open_tickets().unwrap().is_empty() {
            "!tiket BANTUAN70-2026-000001\n"
        } else {
            ""
        };
        self.signed(town, who, format!("{of}!tlp {mark}\n!diseminasi {targets}\nPeringatan nomor {serial} dari bantuan70@bssn.test."));
    }

    /// Agreed to under a certificate that ends before the mail is sent: chance alone comes to this too seldom.
    async fn a_certificate_ends_while_mail_waits(&mut self, town: &mut Town) {
        let daemon = town.daemon().clone();
        let (store, now) = (&daemon.store, town.clock.now());
        let ends = &others()[3];
        let print = ends.fingerprint.clone().unwrap();
        store.put_certificate(&print, &ends.certificate().unwrap(), None, now).unwrap();
        store.pin_certificate(&ends.address, &print, None, "laws", now).unwrap();
        store.verify_contact(&ends.address, "letter", "laws", now).unwrap();
        daemon.replace_bench().unwrap();
        let text = format!("!tlp AMBER\n!diseminasi {}\nPeringatan bantuan70@bssn.test.", ends.address);
        self.signed(town, "ani", text);
        daemon.take_in().await.unwrap();
        assert_eq!(disseminations(town).last().map(|one| one.state), Some(DisseminationState::Sending));
        town.wait(26 * 60);
        work(town, &mut Chance(u64::MAX)).await;
    }

    /// A report, or more to it under a mark.
    fn report(&mut self, town: &mut Town, chance: &mut Chance) {
        let answers = town.accepted.iter().find(|mail| mail.to == base().actors["joko"].address).map(|mail| mail.message_id.clone());
        let mark = if answers.is_some() { chance.one(&["TLP:AMBER", "TLP:RED"]) } else { "" };
        let text = format!("{mark}\n\nHalaman depan situs kantor diganti orang, nomor {}.", town.delivered);
        let raw = town.written("joko", &Note { subject: "Situs diretas".to_owned(), text, answers, ..Note::default() }, false);
        town.deliver(&raw);
    }

    /// The daemon is started again, perhaps on an edited configuration.
    fn restart(&mut self, town: &mut Town, chance: &mut Chance) {
        let file = town.dir.join("bantuan70.toml");
        let whole = std::fs::read_to_string(town.dir.join("bantuan70.toml.first")).unwrap_or_else(|_| {
            std::fs::copy(&file, town.dir.join("bantuan70.toml.first")).unwrap();
            std::fs::read_to_string(&file).unwrap()
        });
        let edited = match chance.one(&CONFIGURATIONS) {
            "budi" => {
                let (before, after) = whole.split_once("certificate = \"budi.asc\"\ncan_approve = true\n").unwrap();
                format!("{before}certificate = \"budi.asc\"\n{after}")
            }
            more => whole + more,
        };
        std::fs::write(file, edited).unwrap();
        town.open();
        self.reached.insert("a restart");
    }

    /// Somebody edits the database by hand after something was released.
    fn tamper(&mut self, town: &Town, chance: &mut Chance) {
        let released: Vec<String> = self.honest.values().filter(|one| one.released.is_some()).map(|one| one.number.0.clone()).collect();
        if released.is_empty() {
            return;
        }
        let number = &released[chance.below(released.len())];
        let db = rusqlite::Connection::open(town.dir.join("data/bantuan70.db")).unwrap();
        db.execute_batch("DROP TRIGGER IF EXISTS outbox_letter_is_fixed").unwrap();
        let sql = chance.one(&[
            "UPDATE outbox SET letter = json_set(letter, '$.text', 'Kirim sandi Anda.') WHERE kind = 'dissemination' AND dissemination = ?1",
            "UPDATE outbox SET letter = json_set(letter, '$.tlp', 'CLEAR', '$.protection', 'signed') WHERE dissemination = ?1",
            "UPDATE dissemination SET body = json_set(body, '$.text', 'Kirim sandi Anda.') WHERE number = ?1",
            "UPDATE dissemination SET tlp = 'CLEAR', body = json_set(body, '$.tlp', 'CLEAR') WHERE number = ?1",
            "UPDATE recipient SET body = json_set(body, '$.fingerprint', json('null')) WHERE dissemination = ?1",
            "UPDATE outbox SET state = 'queued', sent_at = NULL, next_at = queued_at
             WHERE state = 'sent' AND kind = 'dissemination' AND dissemination = ?1
                 AND to_address IN (SELECT address FROM recipient WHERE dissemination = ?1 AND state <> 'bounced')",
        ]);
        db.execute(sql, [number]).unwrap();
        self.tampered.insert(number.clone());
        self.reached.insert("an edit of the database");
    }

    fn agree(&mut self, town: &mut Town, chance: &mut Chance) {
        let all = disseminations(town);
        if all.is_empty() {
            return;
        }
        let one = &all[chance.below(all.len())];
        let other = &all[chance.below(all.len())];
        let who = chance.one(&["ani", "budi", "rudi"]);
        // Mostly as it stands; else a code of something else.
        let code = if chance.percent(80) { one.code() } else { other.code() };
        self.agreed.entry((one.number.to_string(), code.clone())).or_default().insert(who.to_owned());
        self.signed(town, who, format!("!setuju {} {code}", one.number));
    }

    fn cancel(&mut self, town: &mut Town, chance: &mut Chance) {
        let all = disseminations(town);
        if !all.is_empty() {
            let one = &all[chance.below(all.len())];
            self.signed(town, "ani", format!("!batal {}", one.number));
        }
    }

    /// An old signed mail comes once more, under other trace headers.
    fn replay(&mut self, town: &mut Town, chance: &mut Chance) {
        if !self.mails.is_empty() {
            let mut again = format!("Received: from x.example by mx.bssn.test; nomor {}\r\n", town.delivered).into_bytes();
            again.extend_from_slice(&self.mails[chance.below(self.mails.len())]);
            town.deliver(&again);
        }
    }

    /// What a person does to the directory.
    fn change_directory(&mut self, town: &Town, chance: &mut Chance) {
        let (store, now) = (&town.daemon().store, town.clock.now());
        let address = Address::parse(chance.one(&ADDRESSES)).unwrap();
        let pin = |actor: &Actor| -> Option<Fingerprint> {
            let fingerprint = actor.fingerprint.clone()?;
            store.put_certificate(&fingerprint, &actor.certificate().unwrap(), None, now).unwrap();
            Some(fingerprint)
        };
        let own = base().actors.values().find(|actor| actor.address == address).unwrap();
        let done = match chance.below(6) {
            0 => store.remove_contact(&address, "laws", now),
            1 => {
                let contact = NewContact {
                    name: address.local().to_owned(),
                    address: address.clone(),
                    kind: *[ContactKind::Person, ContactKind::Role].get(chance.below(2)).unwrap(),
                    organisation: "x".to_owned(),
                    sectors: vec!["finance".to_owned()],
                    groups: Vec::new(),
                    language: Language::Id,
                    fingerprint: pin(own),
                    expires_at: None,
                };
                store.add_contact(&contact, "laws", now).map(drop)
            }
            2 => others()
                .iter()
                .filter(|actor| actor.address == address)
                .nth(chance.below(2))
                .and_then(&pin)
                .map_or(Ok(()), |print| store.pin_certificate(&address, &print, None, "laws", now))
                .and_then(|()| if chance.percent(70) { store.verify_contact(&address, "letter", "laws", now) } else { Ok(()) }),
            4 => own.fingerprint.as_ref().map_or(Ok(()), |print| store.remove_certificate(print, "laws", now)),
            3 => pin(own).map_or(Ok(()), |print| store.pin_certificate(&address, &print, None, "laws", now)),
            _ => store.verify_contact(&address, "call-back", "laws", now),
        };
        // Not there, or there already: then nothing changed. The daemon sees what another process did.
        drop(done);
        town.daemon().replace_bench().unwrap();
    }

    /// A person at the command line.
    fn outbox(&mut self, town: &Town, chance: &mut Chance) {
        let rows = town.daemon().store.outbox(LetterState::ALL, &town.view()).unwrap();
        if let Some(row) = rows.get(chance.below(rows.len().max(1))) {
            let (store, bench, id, now) = (&town.daemon().store, town.daemon().bench(), OutboxId(row.id), town.clock.now());
            // What has left is not called back, and what may not be tried again is refused.
            if chance.percent(20) {
                drop(by_hand::cancel(store, &bench, id, "laws", now));
            } else if by_hand::retry(store, &bench, id, "laws", now).is_ok() {
                *self.by_hand.entry(row.id).or_default() += 1;
            }
        }
    }

    fn happen(&mut self, town: &mut Town, chance: &mut Chance) {
        match chance.below(100) {
            0..=20 => self.draft(town, chance),
            21..=44 => self.agree(town, chance),
            45..=47 => self.cancel(town, chance),
            48..=50 => self.replay(town, chance),
            51..=59 => self.report(town, chance),
            60..=73 => self.change_directory(town, chance),
            74..=77 => self.outbox(town, chance),
            78..=80 => self.tamper(town, chance),
            81..=84 => self.restart(town, chance),
            85..=89 => town.bounce(chance),
            90..=94 => town.answer(chance),
            _ => town.wait(*[5, 20, 26 * 60, 8 * 24 * 60].get(chance.below(4)).unwrap()),
        }
    }

    /// What must hold of all that was released and of all that left.
    fn look(&mut self, town: &Town) -> Result<(), String> {
        let all = disseminations(town);
        for one in all.iter().filter(|one| !self.tampered.contains(&one.number.0)).cloned().collect::<Vec<_>>() {
            self.codes.entry(one.number.to_string()).or_insert_with(|| one.code());
            self.is_agreed(&one, town)?;
            let lowered = one.lowered;
            if self.honest.insert(one.number.to_string(), one).is_some_and(|before| before.lowered != lowered) {
                self.reached.insert("asked anew");
            }
        }
        let rows = town.daemon().store.outbox(LetterState::ALL, &town.view()).unwrap();
        self.is_true(&rows)?;
        for row in rows.iter().filter(|row| row.kind == LetterKind::Dissemination && row.state == LetterState::Held) {
            self.reached.insert("held");
            if row.last_error.as_deref().is_some_and(|why| why.contains("berakhir") || why.contains("expired")) {
                self.reached.insert("ended");
            }
        }
        let mut letters: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.kind == LetterKind::Dissemination) {
            let letter = town.daemon().store.letter(OutboxId(row.id)).unwrap().letter;
            let key = (letter.dissemination.unwrap().to_string(), row.to.to_string());
            letters.entry(key).or_default().insert(row.message_id.clone());
        }
        for (key, ids) in &letters {
            law!(ids.len() == 1, "{key:?} has {} letters", ids.len());
        }
        for mail in town.accepted.iter().skip(self.accepted) {
            if let Some((key, _)) = letters.iter().find(|(_, ids)| ids.contains(&mail.message_id)) {
                let one = self.honest[&key.0].clone();
                self.is_as_agreed(&one, &mail.to, &mail.raw, town)?;
                let row = rows.iter().find(|row| row.message_id == mail.message_id).unwrap();
                let times = town.accepted.iter().filter(|other| other.message_id == mail.message_id).count();
                // A person who tries one again begins anew, with one more sending of an uncertain end.
                let by_hand = self.by_hand.get(&row.id).copied().unwrap_or_default();
                let most = if by_hand == 0 { 1 + row.resends as usize } else { 2 * (1 + by_hand) };
                law!(times <= most, "{key:?} left {times} times, {by_hand} of them tried by hand");
                self.reached.insert("left");
            }
        }
        self.accepted = town.accepted.len();
        Ok(())
    }

    /// One that is sending has something that waits to leave, and nothing is held for one who has it.
    fn is_true(&mut self, rows: &[OutboxRow]) -> Result<(), String> {
        for one in self.honest.values().filter(|one| !self.tampered.contains(&one.number.0)) {
            let of_it =
                || rows.iter().filter(|row| row.kind == LetterKind::Dissemination && row.dissemination.as_ref() == Some(&one.number));
            let leaves = |row: &OutboxRow| match row.state {
                LetterState::Queued | LetterState::Sending => true,
                LetterState::Uncertain => row.next_at.is_some(),
                _ => false,
            };
            law!(one.state != DisseminationState::Sending || of_it().any(leaves), "{} is sending, and nothing of it waits", one.number);
            let has_it = one.recipients.iter().filter(|one| matches!(one.state, RecipientState::Confirmed | RecipientState::Handled));
            for recipient in has_it {
                let is_held = of_it().any(|row| row.to == recipient.address.as_str() && row.state == LetterState::Held);
                law!(!is_held, "the mail of {} to {} is held, who has confirmed", one.number, recipient.address);
            }
            if one.state == DisseminationState::Sent && one.recipients.iter().all(|one| one.sent_at.is_none()) {
                self.reached.insert("reached nobody");
            }
        }
        Ok(())
    }

    /// Nothing is released without enough signed agreement to exactly its manifest.
    fn is_agreed(&mut self, one: &Dissemination, town: &Town) -> Result<(), String> {
        let Some(released) = &one.released else {
            let waits = matches!(one.state, DisseminationState::AwaitingApproval | DisseminationState::Cancelled);
            law!(waits, "{} is {} and was never released", one.number, one.state);
            return Ok(());
        };
        law!(*released == one.code(), "{} was changed after it was released", one.number);
        // The configuration of the moment of release counted; a later one may ask for more.
        if !self.released.insert(one.number.to_string()) {
            return Ok(());
        }
        let policy = &town.daemon().bench().policy;
        let mut people = self.agreed.get(&(one.number.to_string(), released.clone())).cloned().unwrap_or_default();
        // The author agreed to the draft by writing it, and to nothing else.
        if self.codes.get(&one.number.0).is_none_or(|first| first == released) {
            people.insert(one.author.local().to_owned());
        }
        people.retain(|who| policy.people.iter().any(|person| person.can_approve && person.address.local() == *who));
        let needed = policy.approvals_for(one.tlp).max(if one.lowered { 2 } else { 1 }) as usize;
        law!(people.len() >= needed, "{} ({}) left with the agreement of {people:?}", one.number, one.tlp);
        if needed > 1 {
            self.reached.insert("agreed by two");
        }
        Ok(())
    }

    /// The bytes that left are what the manifest says, for whom it says.
    fn is_as_agreed(&mut self, one: &Dissemination, to: &Address, raw: &[u8], town: &Town) -> Result<(), String> {
        let manifest = one.manifest();
        let name = format!("{} to {to}", one.number);
        law!(one.state != DisseminationState::AwaitingApproval && one.released.is_some(), "{name} left before it was agreed to");
        let Some(recipient) = one.recipients.iter().find(|recipient| recipient.address == *to) else {
            return Err(format!("{name}: not in the manifest"));
        };
        let print = recipient.fingerprint.as_ref().map_or("none", |print| print.0.as_str());
        law!(manifest.contains(&format!("recipient {to} {} {print}\n", recipient.kind)), "{name}: another recipient in\n{manifest}");
        let reader =
            base().actors.values().chain(others()).find(|actor| actor.address == *to && actor.fingerprint == recipient.fingerprint);
        let Some(reader) = reader else { return Err(format!("{name}: nobody has the certificate {print}")) };
        let read = reader.reads(raw, town.clock.now());
        let text = read.text.replace("\r\n", "\n");
        law!(text.contains(&one.text), "{name} says something else:\n{text}");
        law!(manifest.contains(&format!("text {}\n", Sha256::of(one.text.as_bytes()))), "{name}: another text");
        law!(read.subject.contains(&one.tlp.label()) && text.matches(&one.tlp.label()).count() >= 2, "{name} bears no label");
        law!(!one.tlp.must_be_encrypted() || read.protection == "encrypted", "{name} left {}", read.protection);
        law!((read.protection == "encrypted") == recipient.fingerprint.is_some(), "{name} left {}", read.protection);
        self.reached.insert(read.protection);
        Ok(())
    }
}

async fn play(seed: u64) -> Result<BTreeSet<&'static str>, String> {
    let (mut town, mut chance, mut book) = (Town::new(), Chance(seed), Book::default());
    // The first ticket is of a report.
    book.report(&mut town, &mut chance);
    work(&mut town, &mut Chance(u64::MAX)).await;
    if seed % 10 == 1 {
        book.a_certificate_ends_while_mail_waits(&mut town).await;
    }
    for step in 0..STEPS {
        book.happen(&mut town, &mut chance);
        if chance.percent(15) {
            town.fuse.light(1 + chance.below(25) as i64);
        }
        work(&mut town, &mut chance).await;
        if town.fuse.is_dead() {
            town.open();
            book.reached.insert("a death");
        }
        town.fuse.light(i64::MAX);
        book.look(&town).map_err(|broken| format!("step {step}: {broken}"))?;
    }
    for _ in 0..3 {
        town.wait(60);
        work(&mut town, &mut Chance(u64::MAX)).await;
        book.look(&town).map_err(|broken| format!("at the end: {broken}"))?;
    }
    if disseminations(&town).iter().any(|one| one.progress().contains_key(&RecipientState::Bounced)) {
        book.reached.insert("bounced");
    }
    Ok(book.reached)
}

async fn work(town: &mut Town, chance: &mut Chance) {
    let daemon = town.daemon().clone();
    if daemon.take_in().await.is_err() || daemon.look_at_clocks().await.is_err() || town.fuse.is_dead() {
        return;
    }
    if let Err(error) = town.send(chance) {
        assert!(town.fuse.is_dead(), "sending failed though no commit did: {error:#}");
    }
}

#[test]
fn no_sequence_of_events_sends_what_was_not_agreed_to_or_sends_it_twice() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds: Vec<u64> = match (number("BANTUAN70_SIM_SEED"), number("BANTUAN70_SIM_SEEDS")) {
        (Some(seed), _) => vec![seed],
        (None, Some(more)) => (0..more.max(20)).collect(),
        (None, None) => SEEDS.to_vec(),
    };
    let is_whole = seeds.len() > 1;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (mut failed, mut reached) = (Vec::new(), BTreeSet::new());
    for seed in seeds {
        match runtime.block_on(play(seed)) {
            Ok(of_seed) => {
                println!("seed {seed} reaches {of_seed:?}");
                reached.extend(of_seed);
            }
            Err(broken) => failed.push(format!("seed {seed}: {broken}")),
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let wanted = BTreeSet::from([
        "a death",
        "a restart",
        "agreed by two",
        "an edit of the database",
        "asked anew",
        "bounced",
        "encrypted",
        "ended",
        "held",
        "left",
        "signed",
    ]);
    assert!(!is_whole || wanted.is_subset(&reached), "the seeds reach {reached:?} alone");
}
