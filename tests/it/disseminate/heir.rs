//! `!gabung` while a dissemination goes on: whoever takes the ticket up answers for it. The mail that is out names
//! the old number, and so does the manifest; what is answered to it counts all the same.

use super::{Hall, read_by, to};
use bantuan70::cli::demo::stage::{Actor, Note};
use bantuan70::model::Address;
use bantuan70::model::contact::ContactKind;
use bantuan70::model::dissemination::{DisseminationState, RecipientState};
use bantuan70::model::ticket::{State, TicketNumber};
use bantuan70::store::TicketPage;

const RINA: &str = "rina@bank.example";
const SITI: &str = "siti@bank.example";
const TONO: &str = "tono@bank.example";

fn number(hall: &Hall, serial: u32) -> TicketNumber {
    TicketNumber(format!("BANTUAN70-{}-{serial:06}", hall.year))
}

fn page(hall: &Hall, serial: u32) -> TicketPage {
    let view = hall.view();
    hall.stage.daemon.store.ticket(&number(hall, serial), &view).unwrap().unwrap()
}

/// What happened to the dissemination by the history of that ticket.
fn told(hall: &Hall, serial: u32) -> String {
    page(hall, serial).timeline.into_iter().filter(|line| line.event == "dissemination").map(|line| line.detail + "\n").collect()
}

fn on(hall: &mut Hall, who: &str, serial: u32, commands: &str) {
    let text = format!("!tiket {}\n{commands}", number(hall, serial));
    hall.command(who, &text);
}

/// The recipient's signed mail; it answers nothing but what its subject names.
fn signs(hall: &mut Hall, who: &str, subject: &str, answers: Option<&str>) {
    let id = hall.stage.next_message_id(who);
    let note = Note { subject: subject.to_owned(), text: "DITERIMA.".to_owned(), answers: answers.map(str::to_owned), ..Note::default() };
    let center = Address::parse("bantuan70@bssn.test").unwrap();
    let raw = hall.stage.actor(who).unwrap().signs(&center, &note, &id, hall.now()).unwrap();
    hall.stage.deliver(&raw).unwrap();
}

/// Ticket 1 with a dissemination that is out to rina and siti, and a second one to tono that budi has not agreed to;
/// it was merged into ticket 2, and that into ticket 3, which is budi's. What ani read of the mergers.
async fn merged() -> (Hall, String) {
    let mut hall = Hall::new("");
    for address in [RINA, SITI, TONO] {
        hall.keyed_contact(address, ContactKind::Person);
    }
    hall.command("ani", &format!("!tlp AMBER\n!diseminasi {RINA}, {SITI}\nUntuk bantuan70@bssn.test: tutup port 8443."));
    hall.play().await;
    on(&mut hall, "ani", 1, &format!("!tlp RED\n!diseminasi {TONO}\nRahasia."));
    hall.play().await;
    for channel in ["telepon", "telegram"] {
        hall.command("budi", &format!("!catatkan {channel}\nbantuan70@bssn.test: situs bank diretas."));
        hall.play().await;
    }
    on(&mut hall, "budi", 3, "!petugas me");
    hall.play().await;
    let mut read = String::new();
    for serial in [1, 2] {
        let into = number(&hall, serial + 1);
        on(&mut hall, "ani", serial, &format!("!gabung {into}"));
        let sent = hall.play().await;
        read += &read_by(&sent, "ani@bssn.test");
        if serial == 2 {
            let budi = read_by(&sent, "budi@bssn.test");
            assert!(budi.contains("ikut ke BANTUAN70") && budi.contains(&hall.dissemination(1).unwrap().number.0), "{budi}");
        }
    }
    assert_eq!(page(&hall, 1).ticket.state, State::Merged);
    (hall, read)
}

#[tokio::test]
async fn who_takes_a_ticket_up_answers_for_its_disseminations() {
    let (mut hall, read) = merged().await;
    let (first, second) = (hall.dissemination(1).unwrap(), hall.dissemination(2).unwrap());
    assert!(read.contains(&format!("{}, {} ikut ke {}", first.number, second.number, number(&hall, 2))), "{read}");
    // Both stand with the heir, named as they were drafted.
    let shown = page(&hall, 3).disseminations;
    assert_eq!(
        shown.iter().map(|one| (&one.number, &one.ticket)).collect::<Vec<_>>(),
        [(&first.number, &number(&hall, 1)), (&second.number, &number(&hall, 1))]
    );
    on(&mut hall, "budi", 3, "!status");
    let status = read_by(&hall.play().await, "budi@bssn.test");
    assert!(status.contains(RINA) && status.contains(TONO), "{status}");

    // The closing rule asks for their confirmations too.
    on(&mut hall, "budi", 3, "!tutup");
    let refusal = read_by(&hall.play().await, "budi@bssn.test");
    assert!([RINA, SITI, TONO].iter().all(|address| refusal.contains(address)), "{refusal}");
    assert!(page(&hall, 3).ticket.state.is_open());

    // Reminders go on as those mails went, and the heir's history tells of them.
    hall.stage.wait(25);
    let sent = hall.play().await;
    assert!(to(&sent, RINA)[0].outer_subject.contains(&number(&hall, 1).tag()), "{:?}", to(&sent, RINA));
    assert!(told(&hall, 3).contains("pengingat"), "{}", told(&hall, 3));
    assert!(!told(&hall, 1).contains("pengingat"), "{}", told(&hall, 1));

    // The code that was asked for before still agrees: what is released is what the manifest said.
    hall.command("budi", &format!("!setuju {} {}", second.number, second.code()));
    let sent = hall.play().await;
    assert_eq!(hall.dissemination(2).unwrap().manifest(), second.manifest());
    let mail = to(&sent, TONO)[0];
    assert!(mail.protection == "encrypted" && mail.outer_subject.contains(&number(&hall, 1).tag()), "{mail:?}");
    let answered = mail.message_id.clone();

    // One answers the mail, one starts a mail of its own and has nothing but the old number; a stranger to both has neither.
    signs(&mut hall, TONO, "Re: informasi", Some(&answered));
    let tag = number(&hall, 1).tag();
    signs(&mut hall, RINA, &format!("Re: {tag} informasi"), None);
    hall.play().await;
    assert_eq!(hall.state_of(1, RINA).0, RecipientState::Confirmed);
    assert_eq!(hall.state_of(2, TONO).0, RecipientState::Confirmed);
    assert_eq!(hall.state_of(1, SITI).0, RecipientState::Sent);
    assert_eq!(hall.dissemination(2).unwrap().state, DisseminationState::Closed);
    let confirmations = page(&hall, 3).messages.iter().filter(|mail| mail.kind == "reply").count();
    assert_eq!((confirmations, told(&hall, 3).matches("mengonfirmasi penerimaan").count()), (2, 2), "{}", told(&hall, 3));

    // By hand under either number; then nothing keeps the heir from closing.
    on(&mut hall, "ani", 1, &format!("!konfirmasi {SITI}\nDitelepon."));
    let sent = read_by(&hall.play().await, "ani@bssn.test");
    assert!(sent.contains(&format!("{} kini dapat ditutup", number(&hall, 3))), "{sent}");
    on(&mut hall, "budi", 3, "!tutup");
    hall.play().await;
    assert_eq!(page(&hall, 3).ticket.state, State::Closed);
    assert_eq!(hall.stage.daemon.store.audit_verify().unwrap().problems, [""; 0]);
}

#[tokio::test]
async fn what_was_not_agreed_to_ends_when_the_heir_is_closed() {
    let (mut hall, _) = merged().await;
    let agreement = hall.agreement(2);
    on(&mut hall, "budi", 3, "!tutup\nSemua sudah ditelepon.");
    hall.play().await;
    let states = [1, 2].map(|serial| hall.dissemination(serial).unwrap().state);
    assert_eq!(states, [DisseminationState::Closed, DisseminationState::Cancelled]);
    hall.command("budi", &agreement);
    hall.stage.wait(30);
    let late = hall.play().await;
    assert!(to(&late, TONO).is_empty() && to(&late, RINA).is_empty(), "{late:?}");
}

#[tokio::test]
async fn a_merged_ticket_that_is_reopened_answers_for_itself_and_what_is_drafted_on_one_is_the_heirs() {
    let (mut hall, _) = merged().await;
    on(&mut hall, "ani", 2, &format!("!tlp AMBER\n!diseminasi {SITI}\nTutup juga port 9443."));
    hall.play().await;
    assert_eq!(hall.dissemination(3).unwrap().ticket, number(&hall, 3));

    on(&mut hall, "ani", 1, "!buka");
    hall.play().await;
    let shown = |hall: &Hall, serial| page(hall, serial).disseminations.len();
    assert_eq!((shown(&hall, 1), shown(&hall, 2), shown(&hall, 3)), (2, 0, 1));
    on(&mut hall, "ani", 1, "!tutup");
    let refusal = read_by(&hall.play().await, "ani@bssn.test");
    assert!(refusal.contains(RINA) && refusal.contains(TONO), "{refusal}");
    on(&mut hall, "budi", 3, "!tutup");
    let refusal = read_by(&hall.play().await, "budi@bssn.test");
    assert!(refusal.contains(SITI) && !refusal.contains(RINA), "{refusal}");
}

/// What the heir received is a source of the draft from then on: one marked lower needs agreement anew, with that told.
#[tokio::test]
async fn c13_a_draft_that_goes_along_to_a_ticket_of_a_higher_mark_is_asked_about_anew() {
    let mut hall = Hall::new("");
    hall.keyed_contact(TONO, ContactKind::Person);
    hall.command("ani", &format!("!tlp AMBER+STRICT\n!diseminasi {TONO}\nUntuk bantuan70@bssn.test: tutup port 8443."));
    hall.play().await;
    hall.stage.add("joko", Actor::without_key("Joko", "joko@kantor.example").unwrap());
    let note =
        Note { subject: "Situs diretas".to_owned(), text: "TLP:RED\n\nHalaman depan kami diganti orang.".to_owned(), ..Note::default() };
    let id = hall.stage.next_message_id("joko");
    let center = Address::parse("bantuan70@bssn.test").unwrap();
    let raw = hall.stage.actor("joko").unwrap().writes(&center, &note, &id, hall.now()).unwrap();
    hall.stage.deliver(&raw).unwrap();
    hall.play().await;
    let agreement = hall.agreement(1);
    let into = number(&hall, 2);
    on(&mut hall, "ani", 1, &format!("!gabung {into}"));
    hall.play().await;
    hall.command("budi", &agreement);
    let sent = hall.play().await;
    assert!(to(&sent, TONO).is_empty(), "{sent:?}");
    let one = hall.dissemination(1).unwrap();
    assert!(one.lowered && one.state == DisseminationState::AwaitingApproval && one.approvals.is_empty(), "{one:?}");
    assert!(read_by(&sent, "rudi@bssn.test").contains("bertanda TLP:RED, lebih tinggi"), "{sent:?}");
    let anew = hall.agreement(1);
    for who in ["budi", "rudi"] {
        hall.command(who, &anew);
    }
    assert_eq!(to(&hall.play().await, TONO).len(), 1);
}
