//! Mail that leaves by a person's hand alone, or not at all: the dissemination ends all the same, its author hears
//! of it once, and what lost its reason is cancelled.

use super::attacks::header;
use super::{Hall, read_by, refused, to};
use crate::harness::gpg::crlf;
use bantuan70::cli::demo::stage::Received;
use bantuan70::model::contact::ContactKind;
use bantuan70::model::dissemination::{DisseminationState, RecipientState};
use bantuan70::model::letter::{LetterKind, LetterState};
use bantuan70::model::outcome::{Fault, SendOutcome};
use bantuan70::model::{Address, Fingerprint};
use bantuan70::store::{Claim, OutboxId};
use std::process::Command;

const RINA: &str = "rina@bank.example";
const SITI: &str = "siti@bank.example";
/// What the author of a dissemination that reached nobody hears.
const NOBODY: &str = "Tidak satu pun surel DIS-";

/// One to Rina and Siti, decided on and not sent yet.
async fn released() -> Hall {
    let mut hall = Hall::new("");
    hall.keyed_contact(RINA, ContactKind::Person);
    hall.keyed_contact(SITI, ContactKind::Person);
    hall.command("ani", &format!("!tlp AMBER\n!diseminasi {RINA}, {SITI}\ncanary untuk bantuan70@bssn.test."));
    hall.decide().await;
    hall
}

fn letter_of(hall: &Hall, kind: LetterKind, address: &str) -> (OutboxId, LetterState) {
    let row = hall.outbox().into_iter().rfind(|row| row.to == address && row.kind == kind).unwrap();
    (OutboxId(row.id), row.state)
}

fn forget(hall: &Hall, address: &str) {
    hall.stage.daemon.store.remove_contact(&Address::parse(address).unwrap(), "test", hall.now()).unwrap();
}

/// The contact is as it was before it was forgotten.
fn know_again(hall: &mut Hall, address: &str) {
    let certificate = hall.stage.actor(address).unwrap().certificate().unwrap();
    hall.contact(address, ContactKind::Person, Some(&certificate), true);
}

/// How often somebody was told that nobody was reached.
fn told(mails: &[Received]) -> Vec<&str> {
    mails.iter().filter(|mail| mail.text.contains(NOBODY)).map(|mail| mail.to.as_str()).collect()
}

#[tokio::test]
async fn one_that_nobody_can_be_reached_by_is_over_at_once_and_its_author_hears_it_once() {
    let mut hall = Hall::new("");
    hall.contact(RINA, ContactKind::Person, None, true);
    hall.command("ani", &format!("!tlp AMBER\n!diseminasi {RINA}\nUntuk bantuan70@bssn.test."));
    let mails = hall.play().await;
    assert_eq!((hall.dissemination(1).unwrap().state, hall.state_of(1, RINA).0), (DisseminationState::Sent, RecipientState::Held));
    assert_eq!(told(&mails), ["ani@bssn.test"], "in the receipt");
    assert!(read_by(&mails, "ani@bssn.test").contains("!konfirmasi ALAMAT"));

    // Where somebody else's agreement releases it, both hear it: who agreed in the receipt, the author in a notice.
    hall.command("ani", &format!("!tlp AMBER+STRICT\n!diseminasi {RINA}\nUntuk bantuan70@bssn.test."));
    assert_eq!(told(&hall.play().await), [""; 0]);
    let agreement = hall.agreement(2);
    hall.command("budi", &agreement);
    let mut heard: Vec<String> = told(&hall.play().await).into_iter().map(str::to_owned).collect();
    heard.sort();
    assert_eq!(
        (heard, hall.dissemination(2).unwrap().state),
        (vec!["ani@bssn.test".to_owned(), "budi@bssn.test".to_owned()], DisseminationState::Sent)
    );
    hall.stage.wait(200);
    assert_eq!(told(&hall.play().await), [""; 0]);
}

#[tokio::test]
async fn one_of_which_every_mail_is_held_is_over_and_what_is_held_can_still_be_let_go() {
    let mut hall = released().await;
    forget(&hall, RINA);
    let mails = hall.play().await;
    assert_eq!((to(&mails, SITI).len(), told(&mails).len(), hall.dissemination(1).unwrap().state), (1, 0, DisseminationState::Sent));

    let mut hall = released().await;
    forget(&hall, RINA);
    forget(&hall, SITI);
    let mails = hall.play().await;
    assert_eq!((told(&mails), hall.dissemination(1).unwrap().state), (vec!["ani@bssn.test"], DisseminationState::Sent));
    let (id, _) = letter_of(&hall, LetterKind::Dissemination, RINA);
    let heard = read_by(&mails, "ani@bssn.test");
    let all = heard.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_named = |id: OutboxId, address: &str| all.contains(&format!("outbox retry {id}' mengirim surel yang sama kepada {address}"));
    let (other, _) = letter_of(&hall, LetterKind::Dissemination, SITI);
    assert!(is_named(id, RINA) || is_named(other, SITI), "{all}");
    for line in [format!("bantuan70 outbox retry {id}"), format!("bantuan70 outbox cancel {id}")] {
        assert!(heard.contains(&line), "{line}:\n{heard}");
    }
    know_again(&mut hall, RINA);
    hall.retry(id).unwrap();
    let mails = hall.play().await;
    assert_eq!((to(&mails, RINA).len(), hall.state_of(1, RINA).0, told(&mails).len()), (1, RecipientState::Sent, 0));
}

/// Stopped while it was uncertain, it may have arrived before: who answers it has it, and the letter stays stopped. One
/// that never left confirms nothing.
#[tokio::test]
async fn what_was_stopped_while_it_was_uncertain_is_confirmed_by_who_got_it() {
    for is_uncertain in [true, false] {
        let mut hall = released().await;
        let (id, _) = letter_of(&hall, LetterKind::Dissemination, RINA);
        if is_uncertain {
            hall.attempt(id, &SendOutcome::Uncertain { reason: "the connection broke".to_owned() });
        }
        cancel(&hall, id);
        let one = hall.dissemination(1).unwrap();
        let message_id = one.recipients.iter().find(|one| one.address.as_str() == RINA).unwrap().message_id.clone().unwrap();
        hall.stage.wait(1);
        hall.play().await;
        assert_eq!(hall.state_of(1, RINA).0, RecipientState::Held);
        let confirm = [header(RINA, &message_id, "u1@bank.example"), "\nDITERIMA.\n".to_owned()].concat();
        hall.stage.deliver(&crlf(confirm.as_bytes())).unwrap();
        let mails = hall.play().await;
        let expected = if is_uncertain { RecipientState::Confirmed } else { RecipientState::Held };
        assert_eq!(hall.state_of(1, RINA).0, expected, "{}", read_by(&mails, "ani@bssn.test"));
        assert_eq!(letter_of(&hall, LetterKind::Dissemination, RINA).1, LetterState::Cancelled);
        assert_eq!(read_by(&mails, "ani@bssn.test").contains("belum terbukti"), !is_uncertain);
        assert_eq!(hall.stage.daemon.store.audit_verify().unwrap().problems, [""; 0]);
    }
}

/// An attempt that ended uncertain is not forgotten by what becomes of the letter afterwards: where it is cancelled, the
/// receipt says who may have it, and who answers it has it.
#[tokio::test]
async fn what_may_have_left_is_remembered_until_it_is_cancelled_and_after() {
    let later = SendOutcome::Later { reason: "451 later".to_owned(), fault: Fault::Letter };
    let uncertain = SendOutcome::Uncertain { reason: "the connection broke".to_owned() };
    for (way, in_list) in [("uncertain", "uncertain"), ("held at the resend", "possible duplicate"), ("put off", "possible duplicate")] {
        let mut hall = released().await;
        let (id, _) = letter_of(&hall, LetterKind::Dissemination, RINA);
        let (siti, _) = letter_of(&hall, LetterKind::Dissemination, SITI);
        hall.attempt(siti, &later);
        hall.attempt(id, &uncertain);
        match way {
            "held at the resend" => {
                forget(&hall, RINA);
                hall.stage.wait(1);
                hall.stage.play().await.unwrap();
                assert_eq!(letter_of(&hall, LetterKind::Dissemination, RINA).1, LetterState::Held);
            }
            "put off" => {
                hall.stage.wait(1);
                hall.attempt(id, &later);
                assert_eq!(letter_of(&hall, LetterKind::Dissemination, RINA).1, LetterState::Queued);
                hall.retry(id).unwrap();
            }
            _ => {}
        }
        assert!(cli(&hall, &["outbox", "list"]).lines().any(|line| line.contains(RINA) && line.contains(in_list)), "{way}");
        let one = hall.dissemination(1).unwrap();
        hall.command("ani", &format!("!batal {}", one.number));
        hall.decide().await;
        let mails = hall.play().await;
        let receipt = read_by(&mails, "ani@bssn.test").split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(receipt.contains(&format!("Mungkin sudah keluar sebelum dibatalkan, kepada: {RINA}")), "{way}: {receipt}");
        assert!(receipt.contains("1 mungkin sudah terkirim, tidak dikirim lagi"), "{way}: {receipt}");
        assert_eq!(letter_of(&hall, LetterKind::Dissemination, RINA).1, LetterState::Cancelled, "{way}");
        assert!(hall.outbox().iter().all(|row| row.to != RINA || row.next_at.is_none()), "{way}");
        let page = cli(&hall, &["ticket", "show", &one.ticket.0]);
        assert!(page.contains("1 may have been sent") && !page.contains("queued"), "{way}: {page}");

        // Of a mail that surely did not leave nothing is confirmed.
        hall.command("ani", &format!("!tiket {}\n!konfirmasi {SITI}\nLewat telepon.", one.ticket));
        let refusal = read_by(&hall.play().await, "ani@bssn.test");
        let refusal = refusal.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(refusal.contains(&format!("dibatalkan sebelum surelnya kepada {SITI} keluar")), "{way}: {refusal}");
        if way == "put off" {
            hall.command("ani", &format!("!tiket {}\n!konfirmasi {RINA}\nLewat telepon.", one.ticket));
        } else {
            let message_id = one.recipients.iter().find(|one| one.address.as_str() == RINA).unwrap().message_id.clone().unwrap();
            let confirm = [header(RINA, &message_id, "u1@bank.example"), "\nDITERIMA.\n".to_owned()].concat();
            hall.stage.deliver(&crlf(confirm.as_bytes())).unwrap();
        }
        let heard = read_by(&hall.play().await, "ani@bssn.test");
        assert_eq!(hall.state_of(1, RINA).0, RecipientState::Confirmed, "{way}: {heard}");
        assert!(!heard.contains("belum terbukti"), "{way}: {heard}");
        assert_eq!(hall.stage.daemon.store.audit_verify().unwrap().problems, [""; 0]);
    }
}

/// A mail that is under way when its dissemination is cancelled is the last attempt: what it may have done is told, and
/// it is not sent again.
#[tokio::test]
async fn what_is_under_way_when_it_is_cancelled_is_told_and_not_sent_again() {
    let outcomes = [
        (
            SendOutcome::Uncertain { reason: "the connection broke".to_owned() },
            "mungkin sudah keluar (the connection broke)",
            LetterState::Cancelled,
        ),
        (SendOutcome::Sent { reply: "250 taken".to_owned() }, "dan sudah keluar", LetterState::Sent),
        (SendOutcome::Later { reason: "451 later".to_owned(), fault: Fault::Letter }, "", LetterState::Cancelled),
    ];
    for (outcome, words, state) in outcomes {
        let mut hall = released().await;
        let (id, _) = letter_of(&hall, LetterKind::Dissemination, RINA);
        let number = hall.dissemination(1).unwrap().number;
        let queued = hall.claimed(id);
        hall.command("ani", &format!("!batal {number}"));
        hall.decide().await;
        hall.settled(&queued, &outcome);
        assert_eq!(letter_of(&hall, LetterKind::Dissemination, RINA).1, state, "{outcome:?}");
        hall.stage.wait(1);
        let mails = hall.play().await;
        assert!(to(&mails, RINA).is_empty(), "{outcome:?}");
        let heard = read_by(&mails, "ani@bssn.test").split_whitespace().collect::<Vec<_>>().join(" ");
        let told = format!("sedang dikirim ketika {number} dibatalkan");
        assert_eq!(heard.contains(&told) && heard.contains(words), !words.is_empty(), "{outcome:?}: {heard}");
        assert!(!hall.history(1).trim_end().ends_with("dengan Message-ID yang sama"), "{outcome:?}");
    }
}

/// Of two lines on one release that say the same, or the contrary, nothing is carried out, and the receipt says why.
#[tokio::test]
async fn lines_on_one_release_that_repeat_or_contradict_each_other_are_refused() {
    let mut hall = Hall::new("");
    hall.keyed_contact(RINA, ContactKind::Person);
    hall.command("ani", &format!("!tlp AMBER+STRICT\n!diseminasi {RINA}\nUntuk bantuan70@bssn.test."));
    hall.play().await;
    let (agreement, cancelling) = (hall.agreement(1), format!("!batal {}", hall.dissemination(1).unwrap().number));
    let mails = [
        (format!("{agreement}\n{agreement}"), "sama dengan baris di atasnya"),
        (format!("{agreement}\n{cancelling}"), "disetujui dan dibatalkan dalam satu surel"),
        (format!("{cancelling}\n{agreement}"), "disetujui dan dibatalkan dalam satu surel"),
    ];
    for (text, reason) in mails {
        hall.command("budi", &text);
        let receipt = read_by(&hall.play().await, "budi@bssn.test").split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(receipt.contains(reason) && !receipt.contains("tidak dapat diproses lagi"), "{text}: {receipt}");
        assert_eq!(hall.dissemination(1).unwrap().state, DisseminationState::AwaitingApproval, "{text}");
    }
}

/// The program beside the daemon.
fn cli(hall: &Hall, arguments: &[&str]) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_bantuan70")).arg("--config").arg(&hall.stage.config_file).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// `outbox cancel`, as a person runs it beside the daemon.
fn cancel(hall: &Hall, id: OutboxId) {
    cli(hall, &["outbox", "cancel", &id.to_string()]);
}

#[tokio::test]
async fn one_whose_last_waiting_mail_is_cancelled_by_hand_is_over() {
    let mut hall = released().await;
    let letters = [RINA, SITI].map(|address| letter_of(&hall, LetterKind::Dissemination, address).0);
    cancel(&hall, letters[0]);
    let (state, because) = hall.state_of(1, RINA);
    assert_eq!((state, hall.dissemination(1).unwrap().state), (RecipientState::Held, DisseminationState::Sending));
    assert!(because.contains("dibatalkan oleh command line"), "{because}");
    cancel(&hall, letters[1]);
    assert_eq!(hall.dissemination(1).unwrap().state, DisseminationState::Sent);
    hall.stage.wait(1);
    let mails = hall.play().await;
    assert_eq!((to(&mails, RINA).len() + to(&mails, SITI).len(), told(&mails)), (0, vec!["ani@bssn.test"]));
    assert_eq!(hall.stage.daemon.store.audit_verify().unwrap().problems, [""; 0]);
}

#[tokio::test]
async fn one_whose_mail_ended_uncertain_twice_is_over_and_an_answer_settles_it() {
    let mut hall = released().await;
    cancel(&hall, letter_of(&hall, LetterKind::Dissemination, SITI).0);
    let (id, _) = letter_of(&hall, LetterKind::Dissemination, RINA);
    hall.attempt(id, &SendOutcome::Uncertain { reason: "the connection broke".to_owned() });
    assert_eq!((hall.state_of(1, RINA).0, hall.dissemination(1).unwrap().state), (RecipientState::Queued, DisseminationState::Sending));
    hall.stage.wait(1);
    hall.attempt(id, &SendOutcome::Uncertain { reason: "the connection broke".to_owned() });
    assert_eq!((hall.state_of(1, RINA).0, hall.dissemination(1).unwrap().state), (RecipientState::Held, DisseminationState::Sent));
    let mails = hall.play().await;
    let heard = read_by(&mails, "ani@bssn.test");
    assert!(heard.contains("diketahui terkirim") && heard.contains(&format!("bantuan70 outbox retry {id}")), "{heard}");
    assert_eq!((told(&mails), to(&mails, RINA).len()), (vec!["ani@bssn.test"], 0));
    // It had arrived.
    let message_id = hall.dissemination(1).unwrap().recipients.iter().find(|one| one.address.as_str() == RINA).unwrap().message_id.clone();
    let confirm = [header(RINA, &message_id.unwrap(), "r1@bank.example"), "\nDITERIMA.\n".to_owned()].concat();
    hall.stage.deliver(&crlf(confirm.as_bytes())).unwrap();
    hall.play().await;
    assert_eq!(
        (hall.state_of(1, RINA).0, letter_of(&hall, LetterKind::Dissemination, RINA).1),
        (RecipientState::Confirmed, LetterState::Sent)
    );
}

#[tokio::test]
async fn what_is_held_when_its_ticket_is_closed_is_cancelled_and_what_waits_still_leaves() {
    let mut hall = released().await;
    forget(&hall, RINA);
    let daemon = hall.stage.daemon.clone();
    let (held, waits) = (letter_of(&hall, LetterKind::Dissemination, RINA).0, letter_of(&hall, LetterKind::Dissemination, SITI).0);
    // Siti's mail is put off while Rina's is found to be held.
    rusqlite::Connection::open(daemon.store.path())
        .unwrap()
        .execute("UPDATE outbox SET next_at = '2999-01-01T00:00:00.000000000Z' WHERE id = ?1", [waits.0])
        .unwrap();
    hall.play().await;
    assert_eq!(daemon.store.letter(held).unwrap().state, LetterState::Held);
    let ticket = hall.dissemination(1).unwrap().ticket;
    hall.command("ani", &format!("!tiket {ticket}\n!tutup\nSelesai."));
    let mails = hall.play().await;
    let receipt = read_by(&mails, "ani@bssn.test");
    assert!(receipt.contains("tidak diperlukan lagi") && receipt.contains(&format!("diseminasi kepada {RINA}")), "{receipt}");
    assert!(receipt.contains("1 surel DIS-") && !receipt.contains("2 surel DIS-"), "{receipt}");
    assert_eq!(daemon.store.letter(held).unwrap().state, LetterState::Cancelled);
    assert!(hall.retry(held).is_err());
    hall.retry(waits).unwrap();
    let mails = hall.play().await;
    assert_eq!((to(&mails, SITI).len(), to(&mails, RINA).len()), (1, 0));
    assert_eq!(daemon.store.audit_verify().unwrap().problems, [""; 0]);
}

#[tokio::test]
async fn what_a_recipient_has_by_another_way_is_not_sent_by_trying_again() {
    // Held, and then confirmed.
    let mut hall = released().await;
    forget(&hall, RINA);
    hall.play().await;
    let (id, state) = letter_of(&hall, LetterKind::Dissemination, RINA);
    assert_eq!(state, LetterState::Held);
    let ticket = hall.dissemination(1).unwrap().ticket;
    hall.command("ani", &format!("!tiket {ticket}\n!konfirmasi {RINA}\nLewat telepon."));
    let receipt = read_by(&hall.play().await, "ani@bssn.test");
    assert!(receipt.contains("Dibatalkan karena tidak diperlukan lagi"), "{receipt}");
    assert_eq!(letter_of(&hall, LetterKind::Dissemination, RINA), (id, LetterState::Cancelled));
    know_again(&mut hall, RINA);
    assert!(hall.retry(id).is_err());

    // A reminder that waits when the confirmation comes.
    hall.stage.wait(25);
    hall.stage.daemon.look_at_clocks().await.unwrap();
    assert_eq!(letter_of(&hall, LetterKind::Reminder, SITI).1, LetterState::Queued);
    hall.command("ani", &format!("!tiket {ticket}\n!ditangani {SITI}\nLewat telepon."));
    hall.decide().await;
    assert_eq!(letter_of(&hall, LetterKind::Reminder, SITI).1, LetterState::Cancelled);
    assert!(to(&hall.play().await, SITI).is_empty());

    // Confirmed, and then held: nobody has to decide on it.
    let mut hall = released().await;
    let ticket = hall.dissemination(1).unwrap().ticket;
    hall.command("ani", &format!("!tiket {ticket}\n!konfirmasi {RINA}\nLewat telepon."));
    hall.decide().await;
    forget(&hall, RINA);
    let mails = hall.play().await;
    assert_eq!(letter_of(&hall, LetterKind::Dissemination, RINA).1, LetterState::Cancelled);
    assert_eq!(hall.state_of(1, RINA).0, RecipientState::Confirmed);
    assert!(!read_by(&mails, "ani@bssn.test").contains("ditahan"));
}

/// A reminder that is held, since the certificate was changed, when the recipient's own signed answer comes.
#[tokio::test]
async fn a_reminder_that_is_held_is_cancelled_by_the_recipients_own_confirmation() {
    let mut hall = released().await;
    let sent = hall.play().await;
    let first = to(&sent, RINA)[0].message_id.clone();
    let rina = Address::parse(RINA).unwrap();
    let own = hall.stage.actor(RINA).unwrap().fingerprint.clone().unwrap();
    let other = Fingerprint("B".repeat(40));
    hall.stage.daemon.store.pin_certificate(&rina, &other, None, "test", hall.now()).unwrap();
    hall.stage.wait(25);
    hall.play().await;
    assert_eq!(letter_of(&hall, LetterKind::Reminder, RINA).1, LetterState::Held);
    hall.stage.daemon.store.pin_certificate(&rina, &own, None, "test", hall.now()).unwrap();
    let confirm = [header(RINA, &first, "r1@bank.example"), "\nDITERIMA.\n".to_owned()].concat();
    hall.stage.deliver(&crlf(confirm.as_bytes())).unwrap();
    hall.play().await;
    assert_eq!(
        (hall.state_of(1, RINA).0, letter_of(&hall, LetterKind::Reminder, RINA).1),
        (RecipientState::Confirmed, LetterState::Cancelled)
    );
}

/// What a person lets go again waits in all listings alike, and `!batal`, `!tutup` and a confirmation reach it.
#[tokio::test]
async fn what_is_let_go_again_waits_and_is_stopped_like_any_other() {
    for (command, stops) in [("!batal DIS", true), ("!konfirmasi rina@bank.example\nLewat telepon.", true), ("!tutup\nSelesai.", false)] {
        let mut hall = released().await;
        forget(&hall, RINA);
        hall.play().await;
        assert_eq!((hall.state_of(1, RINA).0, hall.dissemination(1).unwrap().state), (RecipientState::Held, DisseminationState::Sent));
        know_again(&mut hall, RINA);
        let (id, _) = letter_of(&hall, LetterKind::Dissemination, RINA);
        hall.retry(id).unwrap();
        assert_eq!(
            (hall.state_of(1, RINA), hall.dissemination(1).unwrap().state),
            ((RecipientState::Queued, String::new()), DisseminationState::Sending)
        );
        assert!(hall.history(1).contains(&format!("diseminasi kepada {RINA} dikirim lagi atas perintah test (outbox retry)")));
        let one = hall.dissemination(1).unwrap();
        hall.command("ani", &format!("!tiket {}\n{}", one.ticket, command.replace("DIS", &one.number.0)));
        hall.decide().await;
        let receipt = read_by(&hall.play().await, "ani@bssn.test");
        let state = letter_of(&hall, LetterKind::Dissemination, RINA).1;
        assert_eq!(state, if stops { LetterState::Cancelled } else { LetterState::Sent }, "{command}");
        if !stops {
            assert!(receipt.contains("1 surel DIS-"), "{command}: {receipt}");
        }
        assert_ne!(hall.dissemination(1).unwrap().state, DisseminationState::Sending, "{command}");
        assert_eq!(hall.stage.daemon.store.audit_verify().unwrap().problems, [""; 0]);
    }
}

/// One that failed is not cancelled with what it belongs to: it is refused once nobody waits for it.
#[tokio::test]
async fn a_failed_mail_is_not_tried_again_once_it_has_lost_its_reason() {
    let cases = [
        ("!batal DIS", "is cancelled"),
        ("!konfirmasi rina@bank.example\nLewat telepon.", "has confirmed"),
        ("!tutup\nSelesai.", "was closed with its ticket"),
    ];
    for (command, why) in cases {
        let mut hall = released().await;
        let (id, _) = letter_of(&hall, LetterKind::Dissemination, RINA);
        hall.attempt(id, &refused());
        hall.play().await;
        assert_eq!(hall.state_of(1, RINA).0, RecipientState::Bounced);
        let one = hall.dissemination(1).unwrap();
        hall.command("ani", &format!("!tiket {}\n{}", one.ticket, command.replace("DIS", &one.number.0)));
        hall.play().await;
        let refusal = hall.retry(id).unwrap_err().to_string();
        assert!(refusal.contains(why) && refusal.contains(&one.number.0), "{command}: {refusal}");
        assert!(to(&hall.play().await, RINA).is_empty());
        if command.starts_with("!tutup") {
            hall.command("ani", &format!("!tiket {}\n!buka", one.ticket));
            hall.play().await;
            hall.retry(id).unwrap();
            assert_eq!(hall.state_of(1, RINA).0, RecipientState::Queued);
        }
    }
}

/// Contract 9: what a recipient says beside the word is read by somebody, also when it had confirmed before.
#[tokio::test]
async fn what_a_recipient_writes_beside_its_confirmation_reaches_the_assignee() {
    let mut hall = released().await;
    let sent = hall.play().await;
    let first = to(&sent, RINA)[0].message_id.clone();
    let second = to(&sent, SITI)[0].message_id.clone();
    let call = "tetapi lampiran tidak dapat dibuka dan kami SUDAH DIRETAS";
    let steps = [
        (RINA, &first, format!("DITERIMA, {call}."), "mengonfirmasi DIS-", true),
        (RINA, &first, format!("DITERIMA. Sekali lagi: {call}."), "menulis pesan lagi", true),
        (RINA, &first, "DITERIMA\n\nSalam,\nRina".to_owned(), "", false),
        (SITI, &second, format!("DITERIMA, {call}."), "kini dapat ditutup", true),
    ];
    for (n, (from, answered, text, words, is_told)) in steps.into_iter().enumerate() {
        let mail = [header(from, answered, &format!("k{n}@bank.example")), format!("\n{text}\n")].concat();
        hall.stage.deliver(&crlf(mail.as_bytes())).unwrap();
        let heard = read_by(&hall.play().await, "ani@bssn.test");
        assert_eq!(hall.state_of(1, from).0, RecipientState::Confirmed, "{text}");
        assert_eq!(heard.contains(call), is_told, "{text}: {heard}");
        assert!(heard.contains(words), "{text}: {heard}");
        // Nothing else is waited for: the line that closes the ticket stands beside those that answer.
        let is_last = from == SITI;
        assert_eq!(heard.contains("\n!tutup\n"), is_last, "{text}: {heard}");
        assert!(!is_last || heard.contains(&format!("!diseminasi {SITI}")), "{text}: {heard}");
    }
    assert_eq!(hall.dissemination(1).unwrap().state, DisseminationState::Closed);
}

/// A mail that was under way when the program ended, and whose row is damaged since, keeps no start from going on.
#[tokio::test]
async fn what_was_under_way_and_cannot_be_read_is_held_and_the_chief_is_told() {
    let mut hall = released().await;
    let (id, _) = letter_of(&hall, LetterKind::Dissemination, RINA);
    let store = &hall.stage.daemon.store;
    assert_eq!(store.claim(&store.letter(id).unwrap(), Some(b"sealed"), hall.now()).unwrap(), Claim::Taken);
    let db = rusqlite::Connection::open(hall.folder().join("data/bantuan70.db")).unwrap();
    db.execute_batch("DROP TRIGGER outbox_letter_is_fixed;").unwrap();
    assert_eq!(db.execute("UPDATE outbox SET letter = '{' WHERE id = ?1", [id.0]).unwrap(), 1);
    drop(db);
    hall.stage = hall.stage.restart().unwrap();
    let mails = hall.play().await;
    assert_eq!((to(&mails, SITI).len(), to(&mails, RINA).len()), (1, 0));
    let row = hall.outbox().into_iter().find(|row| row.id == id.0).unwrap();
    assert!(row.state == LetterState::Held && row.last_error.unwrap().contains("may have gone out"));
    let told = read_by(&mails, "rudi@bssn.test");
    assert!(told.contains(&format!("outbox {id}")), "{told}");
    assert!(hall.retry(id).is_err(), "what cannot be read is not let go");
}
