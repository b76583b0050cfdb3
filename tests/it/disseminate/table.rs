//! The table of contract 9: mark, kind of recipient, state of its certificate, verification,
//! agreement; for each cell what leaves, what is held, and who is told. Whatever leaves is judged by
//! the tests' own reader.

use super::wire::{Seen, look, readings};
use super::{Hall, KEY_LIFE, log, read_by, to};
use crate::harness::gpg::{Gpg, an_hour_ago};
use bantuan70::cli::demo::stage::{Actor, Note, Received};
use bantuan70::model::contact::ContactKind;
use bantuan70::model::dissemination::{Dissemination, DisseminationState, RecipientState};
use bantuan70::model::letter::{LetterKind, LetterState, Protection};
use bantuan70::model::{Address, Tlp};
use bantuan70::store::OutboxId;
use jiff::{SignedDuration, Timestamp};
use rusqlite::types::ValueRef;
use std::collections::BTreeMap;
use std::sync::OnceLock;

const SUBJECT: &str = "canary-subjek";
const TEXT: &str = "canary-teks";
const FILE: &str = "canary-berkas.txt";
const CONTENT: &str = "canary-isi";

/// How a certificate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    None,
    Good,
    /// It had ended when the dissemination was drafted.
    Ended,
    /// It was revoked then.
    Revoked,
    /// No subkey to encrypt to.
    SignOnly,
    /// RSA with 1024 bits.
    Weak,
    /// Nothing but SHA-1 binds its keys.
    Sha1,
    /// It ends between agreement and sending.
    EndsBetween,
    /// It is revoked then.
    RevokedBetween,
}

use State::{Ended, EndsBetween, Good, None as NoKey, Revoked, RevokedBetween, Sha1, SignOnly, Weak};

const STATES: [State; 9] = [NoKey, Good, Ended, Revoked, SignOnly, Weak, Sha1, EndsBetween, RevokedBetween];

/// Whether somebody vouches for a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Vouched {
    Yes,
    No,
    /// More than 365 days ago.
    Once,
}

/// What must become of a recipient.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// No dissemination comes of the command; its author is told why.
    Refused(&'static str),
    /// Held from the draft on; the receipt says why.
    Held(&'static str),
    /// Held at the last look; the author gets a notice.
    HeldLate(&'static str),
    Sealed,
    Signed,
}

fn fate(mark: Tlp, kind: ContactKind, state: State, vouched: Vouched) -> Fate {
    if vouched != Vouched::Yes {
        return Fate::Refused("belum diverifikasi");
    }
    if mark == Tlp::Red && kind == ContactKind::Role {
        return Fate::Refused("TLP:RED hanya untuk orang");
    }
    of_certificate(mark, state)
}

fn of_certificate(mark: Tlp, state: State) -> Fate {
    match state {
        NoKey if mark.must_be_encrypted() => Fate::Held("tidak pernah dikirim tanpa enkripsi"),
        NoKey => Fate::Signed,
        Good => Fate::Sealed,
        Ended => Fate::Held("sudah berakhir"),
        Revoked => Fate::Held("sudah dicabut"),
        SignOnly => Fate::Held("tidak mempunyai subkunci untuk enkripsi"),
        Weak | Sha1 => Fate::Held("ditolak karena terlalu lemah"),
        EndsBetween => Fate::HeldLate("sudah berakhir"),
        RevokedBetween => Fate::HeldLate("sudah dicabut"),
    }
}

/// Certificates are made once; making them is what costs.
struct Keys {
    of: BTreeMap<State, Vec<u8>>,
    revoked_later: Vec<u8>,
    /// The secret part of the good one, for its owner's gpg.
    secret: Vec<u8>,
}

fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| {
        let gpg = Gpg::new();
        let made = |name: &str, algorithm: &str| gpg.new_key(&format!("{name} <{name}@bank.example>"), algorithm);
        let revoke = |key: &str| {
            let certificate = std::fs::read_to_string(gpg.home().join(format!("openpgp-revocs.d/{key}.rev"))).unwrap();
            gpg.import(certificate.replace(":-----BEGIN", "-----BEGIN").as_bytes());
            gpg.export(key)
        };
        let good = made("good", "future-default");
        let (revoked, later) = (made("revoked", "future-default"), made("later", "future-default"));
        let before = gpg.export(&later);
        let born = an_hour_ago();
        let bound = [
            "--faked-system-time",
            &born,
            "--cert-digest-algo",
            "SHA1",
            "--quick-gen-key",
            "sha1 <sha1@bank.example>",
            "future-default",
            "default",
            "2y",
        ];
        let bound = gpg.must(&bound, b"").status;
        let sha1 = bound.lines().find(|line| line.contains("KEY_CREATED")).unwrap().split_whitespace().last().unwrap().to_owned();
        let of = BTreeMap::from([
            (Good, gpg.export(&good)),
            (Revoked, revoke(&revoked)),
            (SignOnly, gpg.export(&made("signonly", "ed25519"))),
            (Weak, gpg.export(&made("weak", "rsa1024"))),
            (Sha1, gpg.export(&sha1)),
            (RevokedBetween, before),
        ]);
        Keys { of, revoked_later: revoke(&later), secret: gpg.export_secret(&good) }
    })
}

/// The certificate in that state for a play that begins now.
fn certificate(state: State, start: Timestamp) -> Option<Vec<u8>> {
    let ends = |hours: i64| {
        let made = start.checked_sub(KEY_LIFE).unwrap() + SignedDuration::from_hours(hours);
        Actor::with_key("Bank", "csirt@bank.example", made).unwrap().certificate()
    };
    match state {
        NoKey => None,
        Ended => ends(1),
        EndsBetween => ends(5),
        other => Some(keys().of[&other].clone()),
    }
}

fn note(text: String) -> Note {
    let file = (FILE.to_owned(), "text/plain".to_owned(), CONTENT.as_bytes().to_vec());
    Note { subject: SUBJECT.to_owned(), text, enclosures: vec![file], ..Note::default() }
}

/// Every mark needs two people here, so that each cell is seen with and without enough of them.
const TWO: &str = "\n[dissemination]\napprovals = { RED = 2, \"AMBER+STRICT\" = 2, AMBER = 2, GREEN = 2, CLEAR = 2 }\n";

/// Agreement first, then time passes and a certificate is revoked, then the mail goes out.
async fn agree_and_send(hall: &mut Hall, serials: &[u32], between: impl FnOnce(&Hall)) -> Vec<Received> {
    let lines: Vec<String> = serials.iter().map(|serial| hall.agreement(*serial)).collect();
    for lines in lines.chunks(10) {
        hall.command("budi", &lines.join("\n"));
    }
    hall.decide().await;
    hall.stage.wait(4);
    between(hall);
    hall.stage.reload().unwrap();
    hall.play().await
}

/// Nothing that left or waits to leave under a mark that must be encrypted can be read on the way,
/// and nothing of it was logged.
fn nothing_is_readable(hall: &Hall, mails: &[Received], mark: Tlp) {
    let canaries = [SUBJECT, TEXT, "canary-berkas", CONTENT];
    let of_dissemination = |address: &str| address.ends_with("@bank.example") || address.ends_with("@unit.example");
    for mail in mails {
        let is_free = of_dissemination(mail.to.as_str()) && !mark.must_be_encrypted();
        if !is_free {
            let is_about_the_key = mail.message_id.starts_with("notice.") && of_dissemination(mail.to.as_str());
            assert!(is_about_the_key || matches!(look(&mail.raw), Seen::Encrypted(_)), "{mark:?} to {}", mail.to);
            let all = readings(&mail.raw);
            assert!(canaries.iter().all(|canary| !all.contains(canary)), "{mark:?}, to {}:\n{all}", mail.to);
        }
    }
    for row in hall.outbox() {
        let is_free = of_dissemination(row.to.as_str()) && !mark.must_be_encrypted();
        if let Some(bytes) = hall.sealed(&row).filter(|_| !is_free) {
            // That a contact's key ends soon is told in the clear, and says nothing else.
            let is_about_the_key = row.kind == LetterKind::Notice && of_dissemination(row.to.as_str());
            assert!(is_about_the_key || matches!(look(&bytes), Seen::Encrypted(_)), "letter {} to {}", row.id, row.to);
            let all = readings(&bytes);
            assert!(canaries.iter().all(|canary| !all.contains(canary)), "letter {} to {}", row.id, row.to);
        }
    }
    every_byte_of_the_outbox(hall, mark, &canaries);
    assert_eq!(log::heard(), [""; 0]);
}

/// The table itself, column by column. A letter that waits to be sealed is kept in words: whatever of
/// the dissemination stands there may leave sealed alone, and nothing of it stands in another column.
fn every_byte_of_the_outbox(hall: &Hall, mark: Tlp, canaries: &[&str]) {
    let store = &hall.stage.daemon.store;
    let db = rusqlite::Connection::open(store.path()).unwrap();
    let mut statement = db.prepare("SELECT * FROM outbox").unwrap();
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query([]).unwrap();
    let mut looked_at = 0;
    while let Some(row) = rows.next().unwrap() {
        let id: i64 = row.get("id").unwrap();
        let letter = store.letter(OutboxId(id)).unwrap().letter;
        let (to, is_sealed) = (letter.to.as_str(), matches!(letter.protection, Protection::Sealed { .. }));
        let is_free = !to.ends_with("@bssn.test") && !mark.must_be_encrypted();
        for (index, column) in columns.iter().enumerate() {
            let value = match row.get_ref(index).unwrap() {
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => readings(bytes),
                _ => continue,
            };
            let holds = canaries.iter().any(|canary| value.contains(canary));
            let may_hold = match column.as_str() {
                "letter" => is_free || is_sealed,
                "sealed" => is_free && !is_sealed,
                _ => false,
            };
            assert!(!holds || may_hold, "{column} of letter {id} to {to}");
            looked_at += 1;
        }
    }
    assert!(looked_at > 20, "{looked_at} values");
}

/// One recipient of one dissemination after all was done.
fn judge(hall: &Hall, mails: &[Received], address: &str, wanted: &Fate, late: &str) {
    let got: Vec<_> = to(mails, address).into_iter().filter(|mail| !mail.message_id.starts_with("notice.")).collect();
    let rows: Vec<_> = hall.outbox().into_iter().filter(|row| row.to.as_str() == address && row.kind != LetterKind::Notice).collect();
    match wanted {
        Fate::Sealed => {
            assert_eq!(got.len(), 1, "{address}");
            let Seen::Encrypted(keys) = look(&got[0].raw) else { panic!("{address}: {wanted:?}") };
            assert_eq!(keys.len(), 2, "{address}: the recipient and the centre");
            assert_eq!(rows[0].state, LetterState::Sent);
        }
        Fate::Signed => {
            assert_eq!(got.len(), 1, "{address}");
            assert_eq!(look(&got[0].raw), Seen::Signed, "{address}");
            assert!(readings(&got[0].raw).contains(TEXT));
        }
        Fate::Refused(_) => assert!(got.is_empty() && rows.is_empty(), "{address}"),
        Fate::Held(_) => {
            assert!(got.is_empty(), "{address}");
            // To one without a certificate there is nothing to seal; of any other a person can mend the cause.
            let letters = if address.contains("none") { Vec::new() } else { vec![LetterState::Held] };
            assert_eq!(rows.iter().map(|row| row.state).collect::<Vec<_>>(), letters, "{address}");
            assert!(rows.iter().all(|row| hall.sealed(row).is_none()), "{address}");
        }
        Fate::HeldLate(reason) => {
            assert!(got.is_empty(), "{address}");
            assert_eq!(rows.iter().map(|row| row.state).collect::<Vec<_>>(), [LetterState::Held], "{address}");
            let notices = late.lines().filter(|line| line.contains(address) && line.contains(reason)).count();
            assert!(notices > 0, "{address}, {reason}: nobody was told:\n{late}");
        }
    }
}

/// Its owner's gpg opens each mail that left sealed, finds the centre's signature good over all of it, and
/// reads the true subject and the label directly round the text.
fn gpg_opens_and_verifies(hall: &Hall, mails: &[Received], mark: Tlp) {
    let gpg = Gpg::new();
    gpg.import(&keys().secret);
    let bench = hall.stage.daemon.bench();
    let own = bench.reader.keyring.own().unwrap();
    gpg.import(&own.armored());
    let mut opened = 0;
    for mail in mails.iter().filter(|mail| mail.to.as_str().contains("-good-") && mail.message_id.starts_with("dissemination.")) {
        let raw = std::str::from_utf8(&mail.raw).unwrap();
        let armor = &raw[raw.find("-----BEGIN PGP MESSAGE").unwrap()..raw.find("-----END PGP MESSAGE").unwrap()];
        let run = gpg.decrypt(format!("{armor}-----END PGP MESSAGE-----\n").as_bytes());
        assert_eq!(run.good_signer(), Some(own.fingerprint().0), "{}: {}", mail.to, run.status);
        let inside = bantuan70::mail::read::read(&run.out).0;
        let label = mark.label();
        assert!(inside.subject.ends_with(&format!("{label} {SUBJECT}")), "{}", inside.subject);
        let text = inside.text.full.replace("\r\n", "\n");
        assert!(text.contains(&format!("{label}\n\n{TEXT} bantuan70@bssn.test\n\n{label}")), "{text}");
        assert_eq!((inside.attachments[0].name.as_str(), &*inside.attachments[0].content), (FILE, CONTENT.as_bytes()));
        opened += 1;
    }
    assert_eq!(opened, if mark == Tlp::Red { 1 } else { 2 });
}

/// All cells of one mark for contacts.
async fn contacts(mark: Tlp) {
    log::listen();
    keys();
    let mut hall = Hall::new(TWO);
    let start = hall.now();
    let mut cells = BTreeMap::new();
    for state in STATES {
        let certificate = certificate(state, start);
        for kind in [ContactKind::Person, ContactKind::Role] {
            for vouched in [Vouched::Yes, Vouched::No, Vouched::Once] {
                let address = format!("{kind}-{state:?}-{vouched:?}@bank.example").to_lowercase();
                hall.contact(&address, kind, certificate.as_deref(), vouched == Vouched::Yes);
                if vouched == Vouched::Once {
                    let (contact, then) = (Address::parse(&address).unwrap(), start - SignedDuration::from_hours(24 * 366));
                    hall.stage.daemon.store.verify_contact(&contact, "call-back", "test", then).unwrap();
                }
                cells.insert(address, fate(mark, kind, state, vouched));
            }
        }
    }
    hall.stage.wait(2);
    for address in cells.keys() {
        hall.command_with("ani", note(format!("!tlp {}\n!diseminasi {address}\n{TEXT} bantuan70@bssn.test", mark.word())));
    }
    // The author alone: nothing leaves, whatever the mark; the receipts say what would become of each.
    let drafted = hall.play().await;
    // A contact whose key ends soon hears of that, and of nothing else.
    let outside = drafted.iter().filter(|mail| !mail.to.as_str().ends_with("@bssn.test"));
    for mail in outside {
        assert!(
            !mail.message_id.starts_with("dissemination.") && !mail.text.contains(TEXT),
            "the author alone is not enough: {}",
            mail.text
        );
    }
    let receipts: Vec<&str> = to(&drafted, "ani@bssn.test").iter().map(|mail| mail.text.as_str()).collect();
    assert_eq!(receipts.len(), cells.len());
    for (address, wanted) in &cells {
        let mine: Vec<&&str> = receipts.iter().filter(|text| text.contains(address)).collect();
        assert_eq!(mine.len(), 1, "{address}: one receipt");
        match wanted {
            Fate::Refused(reason) => assert!(mine[0].contains(reason), "{address}, {reason}:\n{}", mine[0]),
            Fate::Held(reason) => assert!(mine[0].contains(&format!("{address} ditahan")) && mine[0].contains(reason), "{}", mine[0]),
            _ => assert!(!mine[0].contains("ditahan"), "{address}:\n{}", mine[0]),
        }
    }
    let all: Vec<(u32, Dissemination)> = (1..).map_while(|serial| hall.dissemination(serial).map(|one| (serial, one))).collect();
    assert_eq!(all.len(), cells.values().filter(|wanted| !matches!(wanted, Fate::Refused(_))).count());
    let serials: Vec<u32> = all.iter().map(|(serial, _)| *serial).collect();
    let sent = agree_and_send(&mut hall, &serials, |hall| drop(hall.keep(&keys().revoked_later))).await;
    let late = read_by(&sent, "ani@bssn.test");
    for (address, wanted) in &cells {
        judge(&hall, &sent, address, wanted, &late);
    }
    for (serial, one) in &all {
        let address = one.recipients[0].address.as_str();
        let (state, _) = hall.state_of(*serial, address);
        let wanted = &cells[address];
        let is_sent = matches!(wanted, Fate::Sealed | Fate::Signed);
        assert_eq!(state, if is_sent { RecipientState::Sent } else { RecipientState::Held }, "{address}");
        assert_eq!(hall.dissemination(*serial).unwrap().state, DisseminationState::Sent, "{address}: nothing of it waits");
    }
    gpg_opens_and_verifies(&hall, &sent, mark);
    nothing_is_readable(&hall, &[drafted, sent].concat(), mark);
    // An hour later, and nothing more comes of it.
    hall.stage.wait(1);
    let later = hall.play().await;
    assert!(later.iter().all(|mail| !mail.to.as_str().ends_with("@bank.example")), "{later:?}");
}

/// All cells of one mark for internal units, which are copied beside one contact.
async fn units(mark: Tlp) {
    log::listen();
    let files = tempfile::tempdir().unwrap();
    let start = Timestamp::now();
    let file = |state: State| files.path().join(format!("{state:?}.asc"));
    let mut more = TWO.to_owned();
    let mut cells = BTreeMap::new();
    for state in STATES {
        let address = format!("{state:?}@unit.example").to_lowercase();
        more.push_str(&format!("\n[[internal_unit]]\nname = \"{state:?}\"\naddress = \"{address}\"\n"));
        if let Some(certificate) = certificate(state, start) {
            let file = file(state);
            std::fs::write(&file, certificate).unwrap();
            more.push_str(&format!("certificate = {file:?}\n"));
        }
        cells.insert(address, state);
    }
    let mut hall = Hall::new(&more);
    for address in cells.keys() {
        hall.stage.add(address, Actor::without_key("Unit", address).unwrap());
    }
    hall.keyed_contact("rina@bank.example", ContactKind::Person);
    hall.stage.wait(2);
    hall.command_with("ani", note(format!("!tlp {}\n!diseminasi rina@bank.example\n{TEXT} bantuan70@bssn.test", mark.word())));
    let drafted = hall.play().await;
    let receipt = read_by(&drafted, "ani@bssn.test");
    let sent = agree_and_send(&mut hall, &[1], |_| std::fs::write(file(RevokedBetween), &keys().revoked_later).unwrap()).await;
    let late = read_by(&sent, "ani@bssn.test");
    judge(&hall, &sent, "rina@bank.example", &Fate::Sealed, &late);
    for (address, state) in &cells {
        if mark == Tlp::Red {
            assert!(to(&sent, address).is_empty() && !receipt.contains(address), "RED reaches {address}");
            continue;
        }
        // A unit without certificate is held whatever the mark.
        let wanted = if *state == NoKey { Fate::Held("sertifikat") } else { of_certificate(mark, *state) };
        judge(&hall, &sent, address, &wanted, &late);
        if let Fate::Held(reason) = wanted {
            assert!(receipt.contains(&format!("{address} ditahan")) && receipt.contains(reason), "{receipt}");
        }
    }
    nothing_is_readable(&hall, &[drafted, sent].concat(), mark);
}

/// RED reaches an internal unit where it stands in the directory as a person and is named; whatever the
/// mark, a unit that is named gets one mail and not a copy beside it.
#[tokio::test]
async fn d5_an_internal_unit_gets_one_mail_and_red_only_where_it_is_named_as_a_person() {
    let files = tempfile::tempdir().unwrap();
    let pusat = Actor::with_key("Pusat Data", "pusat@unit.example", Timestamp::now()).unwrap();
    let certificate = pusat.certificate().unwrap();
    let file = files.path().join("unit.asc");
    std::fs::write(&file, &certificate).unwrap();
    let unit = format!("\n[[internal_unit]]\nname = \"Pusat Data\"\naddress = \"pusat@unit.example\"\ncertificate = {file:?}\n");
    let mut hall = Hall::new(&unit);
    hall.stage.add("pusat", pusat);
    hall.keyed_contact("rina@bank.example", ContactKind::Person);
    let drafted =
        |hall: &mut Hall, mark: &str, to: &str| hall.command("ani", &format!("!tlp {mark}\n!diseminasi {to}\nUntuk bantuan70@bssn.test."));
    // As a unit: copied up to AMBER+STRICT, and not addressed by RED.
    drafted(&mut hall, "AMBER", "rina@bank.example");
    assert_eq!(to(&hall.play().await, "pusat@unit.example").len(), 1);
    drafted(&mut hall, "RED", "pusat@unit.example");
    assert!(read_by(&hall.play().await, "ani@bssn.test").contains("tidak ada kontak pusat@unit.example"));
    // As a person of the directory.
    hall.contact("pusat@unit.example", ContactKind::Person, Some(&certificate), true);
    drafted(&mut hall, "AMBER", "rina@bank.example, pusat@unit.example");
    assert_eq!(to(&hall.play().await, "pusat@unit.example").len(), 1, "not copied beside it");
    drafted(&mut hall, "RED", "rina@bank.example");
    hall.play().await;
    drafted(&mut hall, "RED", "rina@bank.example, pusat@unit.example");
    hall.play().await;
    let lines = [hall.agreement(3), hall.agreement(4)].join("\n");
    hall.command("budi", &lines);
    let sent = hall.play().await;
    assert_eq!((to(&sent, "rina@bank.example").len(), to(&sent, "pusat@unit.example").len()), (2, 1));
    assert_eq!(to(&sent, "pusat@unit.example")[0].protection, "encrypted");
}

macro_rules! marks {
    ($($name:ident $mark:expr;)*) => { $(
        #[tokio::test]
        async fn $name() {
            contacts($mark).await;
            units($mark).await;
        }
    )* };
}

marks! {
    p30_the_table_for_red Tlp::Red;
    p30_the_table_for_amber_strict Tlp::AmberStrict;
    p30_the_table_for_amber Tlp::Amber;
    p30_the_table_for_green Tlp::Green;
    p30_the_table_for_clear Tlp::Clear;
}
