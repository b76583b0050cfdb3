//! What counts as sent, and as held: the same wherever a person or a program reads it.

use super::unreached::{flat, verb};
use super::{Hall, read_by};
use bantuan70::model::contact::ContactKind;
use bantuan70::model::dissemination::RecipientState;
use serde_json::Value;

const RINA: &str = "rina@bank.example";
const TONO: &str = "tono@bank.example";
const ANI: &str = "ani@bssn.test";

/// One that went to Rina and could not be made for Tono, who has no certificate.
async fn released() -> Hall {
    let mut hall = Hall::new("");
    hall.keyed_contact(RINA, ContactKind::Person);
    hall.contact(TONO, ContactKind::Person, None, true);
    hall.command("ani", &format!("!tlp RED\n!diseminasi {RINA} {TONO}\nUntuk bantuan70@bssn.test."));
    hall.play().await;
    let line = hall.agreement(1);
    hall.command("budi", &line);
    hall.play().await;
    assert_eq!((hall.state_of(1, RINA).0, hall.state_of(1, TONO).0), (RecipientState::Sent, RecipientState::Held));
    hall
}

/// The chief's figures of today, in words and as JSON.
fn report(hall: &Hall) -> (String, Value) {
    let today = hall.now().to_zoned_datetime(hall.stage.daemon.config.center.time_zone.clone()).date().to_string();
    let arguments = ["report", "--from", &today, "--to", &today];
    let words = flat(&verb(hall, &arguments).unwrap());
    let json = verb(hall, &[&arguments[..], &["--json"]].concat()).unwrap();
    (words, serde_json::from_str(&json).unwrap())
}

/// The command of an analyst on the ticket, and its receipt.
async fn receipt(hall: &mut Hall, command: &str) -> String {
    let ticket = hall.dissemination(1).unwrap().ticket;
    hall.command("ani", &format!("!tiket {ticket}\n{command}"));
    flat(&read_by(&hall.play().await, ANI))
}

#[tokio::test]
async fn who_was_never_sent_any_mail_and_confirmed_by_another_way_does_not_count_as_sent() {
    let mut hall = released().await;
    let told = receipt(&mut hall, &format!("!ditangani {RINA}\nlewat telepon")).await;
    assert!(!told.contains("belum pernah keluar"), "hers has left: {told}");
    let told = receipt(&mut hall, &format!("!konfirmasi {TONO}\nlewat telepon")).await;
    assert!(told.contains(&format!("kepada {TONO} belum pernah keluar")), "{told}");
    let status = receipt(&mut hall, "!status").await;
    assert!(status.contains("1 dari 2 terkirim, 1 sudah mengonfirmasi, 1 sudah ditangani"), "{status}");
    let one = hall.dissemination(1).unwrap();
    let page = verb(&hall, &["ticket", "show", &one.ticket.0]).unwrap();
    assert!(page.contains("TLP:RED closed: 1 of 2 sent, 1 confirmed, 1 handled\n"), "{page}");
    let json: Value = serde_json::from_str(&verb(&hall, &["ticket", "show", &one.ticket.0, "--json"]).unwrap()).unwrap();
    let shown = &json["disseminations"][0];
    let has_left = |address: &str| {
        let all = shown["recipients"].as_array().unwrap();
        all.iter().find(|recipient| recipient["address"] == address).unwrap()["sent_at"].is_string()
    };
    assert_eq!((&shown["sent"], has_left(RINA), has_left(TONO)), (&Value::from(1), true, false));
    let (words, json) = report(&hall);
    assert_eq!(json["disseminations"]["sent"], 1);
    assert!(words.contains("1 surel terkirim"), "{words}");
}

#[tokio::test]
async fn who_was_held_is_in_the_report_until_the_dissemination_is_cancelled() {
    let mut hall = released().await;
    let held = |json: &Value| json["disseminations"]["held"].as_array().unwrap().len();
    let (words, json) = report(&hall);
    assert!(held(&json) == 1 && words.contains("Tertahan karena sertifikat: 1"), "{words}");
    let number = hall.dissemination(1).unwrap().number;
    receipt(&mut hall, &format!("!batal {number}")).await;
    assert_eq!(hall.state_of(1, TONO).0, RecipientState::Held);
    let (words, json) = report(&hall);
    assert!(held(&json) == 0 && !words.contains("Tertahan karena sertifikat"), "{words}");
}
