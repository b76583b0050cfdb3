//! What comes after the sending: reminders, silence, the state of each recipient wherever somebody
//! asks, and answers under keys that are no longer fit.

use super::attacks::{Recipient, header};
use super::{Hall, read_by, to};
use crate::harness::gpg::{crlf, signed_mail};
use bantuan70::cli::demo::stage::Received;
use bantuan70::model::contact::ContactKind;
use bantuan70::model::dissemination::RecipientState;
use bantuan70::store::OutboxId;
use std::process::Command;

const RINA: &str = "rina@bank.example";

fn reminders<'r>(mails: &'r [Received], address: &str) -> Vec<&'r Received> {
    to(mails, address).into_iter().filter(|mail| mail.message_id.starts_with("reminder.")).collect()
}

/// Reminders come as configured to whoever got the mail and has not confirmed, until `confirm_within`
/// is twice over; then an analyst hears of it once, of each recipient, also of one who was held for days.
#[tokio::test]
async fn who_does_not_confirm_is_reminded_as_configured_and_then_told_to_the_analyst() {
    let mut hall = Hall::new("\n[dissemination]\nconfirm_within = \"24h\"\nremind_every = \"10h\"\n");
    for name in ["rina", "siti", "tono", "lambat"] {
        hall.keyed_contact(&format!("{name}@bank.example"), ContactKind::Person);
    }
    hall.contact("nanti@bank.example", ContactKind::Person, None, true);
    let targets = "rina@bank.example, siti@bank.example, tono@bank.example, lambat@bank.example, nanti@bank.example";
    hall.command("ani", &format!("!tlp AMBER\n!diseminasi {targets}\nUntuk bantuan70@bssn.test."));
    hall.decide().await;
    // One mail stays behind for twenty hours.
    let behind = OutboxId(hall.outbox().into_iter().find(|row| row.to.as_str() == "lambat@bank.example").unwrap().id);
    hall.stage.daemon.store.hold(behind, "test", hall.now()).unwrap();
    let sent = hall.play().await;
    let mail_to_siti = to(&sent, "siti@bank.example")[0].message_id.clone();
    let confirm = [header("siti@bank.example", &mail_to_siti, "s1@bank.example"), "\nDITERIMA.\n".to_owned()].concat();
    let ticket = hall.dissemination(1).unwrap().ticket.to_string();
    let mut reminded = Vec::new();
    for hour in 1..=72 {
        hall.stage.wait(1);
        if hour == 5 {
            hall.stage.deliver(&crlf(confirm.as_bytes())).unwrap();
        }
        if hour == 20 {
            hall.retry(behind).unwrap();
        }
        if hour == 15 {
            hall.command("ani", &format!("!tiket {ticket}\n!ditangani tono@bank.example\nLewat telepon."));
        }
        let mails = hall.play().await;
        assert!(reminders(&mails, "siti@bank.example").is_empty() && to(&mails, "nanti@bank.example").is_empty());
        for (name, address) in [("rina", RINA), ("tono", "tono@bank.example"), ("lambat", "lambat@bank.example")] {
            for reminder in reminders(&mails, address) {
                assert_eq!(reminder.protection, "encrypted", "a reminder is as well kept as what it reminds of");
                assert!(
                    reminder.subject.contains("TLP:AMBER") && !reminder.outer_subject.contains("konfirmasi"),
                    "{}",
                    reminder.outer_subject
                );
                reminded.push((hour, name));
            }
        }
        let told = read_by(&mails, "ani@bssn.test").contains("setelah dua kali batas waktu");
        assert_eq!(told, [48, 68].contains(&hour), "hour {hour}");
        if told {
            let notice = read_by(&mails, "ani@bssn.test");
            assert_eq!((notice.contains(RINA), notice.contains("lambat@")), (hour == 48, hour == 68), "each once:\n{notice}");
            assert!(!notice.contains("siti@") && !notice.contains("tono@") && !notice.contains("nanti@"), "{notice}");
        }
    }
    let of = |name: &str| reminded.iter().filter(|(_, who)| *who == name).map(|(hour, _)| *hour).collect::<Vec<_>>();
    assert_eq!((of("rina"), of("tono"), of("lambat")), (vec![10, 20, 30, 40], vec![10], vec![30, 40, 50, 60]));

    // Whoever asks sees who confirmed, who has not, who was never reached.
    hall.command("ani", &format!("!tiket {ticket}\n!status"));
    let status = read_by(&hall.play().await, "ani@bssn.test");
    for (address, state) in [
        ("rina@bank.example", "terkirim"),
        ("siti@bank.example", "sudah mengonfirmasi dengan balasan"),
        ("tono@bank.example", "sudah ditangani Lewat telepon."),
        ("nanti@bank.example", "ditahan"),
    ] {
        let line = status.lines().find(|line| line.contains(&format!("<{address}>"))).unwrap();
        assert!(line.contains(&format!("· {state}")), "{line}");
    }
    let said = |arguments: &[&str]| -> serde_json::Value {
        let config = hall.stage.config_file.to_str().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_bantuan70")).args(arguments).args(["--json", "--config", config]).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let shown = said(&["ticket", "show", &ticket]);
    let states: Vec<(&str, &str)> = shown["disseminations"][0]["recipients"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["address"].as_str().unwrap(), one["state"].as_str().unwrap()))
        .collect();
    for wanted in [(RINA, "sent"), ("siti@bank.example", "confirmed"), ("tono@bank.example", "handled"), ("nanti@bank.example", "held")] {
        assert!(states.contains(&wanted), "{states:?}");
    }
    hall.command("ani", "!laporan");
    let report = read_by(&hall.play().await, "ani@bssn.test");
    let below = |heading: &str| -> Vec<String> {
        let lines = report.lines().skip_while(|line| !line.contains(heading));
        lines.skip(1).take_while(|line| line.contains('@')).map(str::to_owned).collect()
    };
    let (late, open) = (below("Terlambat mengonfirmasi: 2"), below("Sudah mengonfirmasi, belum melaporkan penanganan: 1"));
    assert!(late.iter().any(|line| line.contains(RINA)) && late.iter().any(|line| line.contains("lambat@")), "{report}");
    assert!(open.len() == 1 && open[0].contains("siti@bank.example"), "{report}");
}

/// Rina's key is revoked, or ends, after she got what only her signature confirms: then it confirms nothing.
#[tokio::test]
async fn d7_p13_a_confirmation_under_a_revoked_or_ended_key_is_none() {
    for is_revoked in [true, false] {
        let mut hall = Hall::new("");
        let rina = Recipient::on_until(&mut hall, RINA, ContactKind::Person, "3d");
        hall.command("ani", &format!("!tlp RED\n!diseminasi {RINA}\nUntuk bantuan70@bssn.test."));
        hall.play().await;
        let line = hall.agreement(1);
        hall.command("budi", &line);
        let sent = hall.play().await;
        let mail = to(&sent, RINA).into_iter().find(|mail| mail.message_id.starts_with("dissemination.")).unwrap().clone();
        if is_revoked {
            let certificate = std::fs::read_to_string(rina.gpg.home().join(format!("openpgp-revocs.d/{}.rev", rina.key))).unwrap();
            hall.stage.wait(1);
            let answer = confirmation(&rina, &mail, hall.now(), "a1@bank.example");
            rina.gpg.import(certificate.replace(":-----BEGIN", "-----BEGIN").as_bytes());
            hall.keep(&rina.gpg.export(&rina.key));
            hall.stage.reload().unwrap();
            hall.stage.deliver(&answer).unwrap();
        } else {
            // She prolonged it and sent the new copy to nobody.
            rina.gpg.must(&["--quick-set-expire", &rina.key, "2y"], b"");
            rina.gpg.must(&["--quick-set-expire", &rina.key, "2y", "*"], b"");
            hall.stage.wait(4 * 24);
            hall.play().await;
            let answer = confirmation(&rina, &mail, hall.now(), "a1@bank.example");
            hall.stage.deliver(&answer).unwrap();
        }
        let told = read_by(&hall.play().await, "ani@bssn.test");
        assert_eq!(hall.state_of(1, RINA).0, RecipientState::Sent, "revoked {is_revoked}");
        assert!(told.contains("menuntut konfirmasi yang bertanda tangan"), "revoked {is_revoked}: {told}");
        if !is_revoked {
            // With the new end known here the same answer would have counted.
            hall.keep(&rina.gpg.export(&rina.key));
            hall.stage.reload().unwrap();
            let answer = confirmation(&rina, &mail, hall.now(), "a2@bank.example");
            hall.stage.deliver(&answer).unwrap();
            hall.play().await;
            assert_eq!(hall.state_of(1, RINA).0, RecipientState::Confirmed);
        }
    }
}

/// DITERIMA in answer to that mail, signed at that time.
fn confirmation(who: &Recipient, answered: &Received, at: jiff::Timestamp, id: &str) -> Vec<u8> {
    let entity = crlf(b"Content-Type: text/plain\n\nDITERIMA.\n");
    let stamp = at.strftime("%Y%m%dT%H%M%S").to_string();
    signed_mail(&header(RINA, &answered.message_id, id), &entity, &who.gpg.sign_at(&who.key, &entity, &stamp))
}

/// The certificate of the moment of sending counts: what was refreshed under the approved fingerprint
/// since is sealed to the subkey of today, and the one that ended in between is not used.
#[tokio::test]
async fn p30_a_refreshed_certificate_is_sealed_to_as_it_stands_at_the_moment_of_sending() {
    let mut hall = Hall::new("");
    let rina = Recipient::on_until(&mut hall, RINA, ContactKind::Person, "2y");
    let subkeys = |rina: &Recipient| -> Vec<String> {
        let listed = String::from_utf8(rina.gpg.must(&["--with-colons", "--list-keys", &rina.key], b"").out).unwrap();
        let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
        let is_for_mail = |fields: &Vec<String>| fields[0] == "sub" && fields[11].contains('e');
        listed.lines().map(fields).filter(is_for_mail).map(|fields| fields[4].clone()).collect()
    };
    let old = subkeys(&rina);
    assert_eq!(old.len(), 1);
    hall.command("ani", &format!("!tlp AMBER\n!diseminasi {RINA}\nUntuk bantuan70@bssn.test."));
    hall.decide().await;
    assert_eq!(hall.state_of(1, RINA).0, RecipientState::Queued);
    // She makes a new subkey and lets the old one end, both under the same fingerprint.
    let sub_prints = String::from_utf8(rina.gpg.must(&["--with-colons", "--list-keys", &rina.key], b"").out).unwrap();
    let old_print = sub_prints.lines().rfind(|line| line.starts_with("fpr:")).unwrap().split(':').nth(9).unwrap().to_owned();
    rina.gpg.must(&["--quick-add-key", &rina.key, "cv25519", "encr", "2y"], b"");
    rina.gpg.must(&["--quick-set-expire", &rina.key, "1d", &old_print], b"");
    let new: Vec<String> = subkeys(&rina).into_iter().filter(|key| !old.contains(key)).collect();
    assert_eq!(new.len(), 1);
    // gpg took the place of the former signatures: at a moment before the new ones nothing would bind a subkey.
    hall.catch_up();
    hall.keep(&rina.gpg.export(&rina.key));
    hall.stage.reload().unwrap();
    hall.stage.wait(2 * 24);
    let sent = hall.play().await;
    let mail = to(&sent, RINA).into_iter().find(|mail| mail.message_id.starts_with("dissemination.")).unwrap().clone();
    let super::wire::Seen::Encrypted(keys) = super::wire::look(&mail.raw) else { panic!("{mail:?}") };
    assert!(keys.contains(&new[0]) && !keys.contains(&old[0]) && keys.len() == 2, "{keys:?}: {new:?}, not {old:?}");
}
