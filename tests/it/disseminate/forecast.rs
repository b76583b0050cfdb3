//! Certificates that end soon are told before they hold up anything.

use super::{Hall, KEY_LIFE, to};
use bantuan70::cli::demo::stage::Actor;
use bantuan70::model::contact::ContactKind;
use jiff::SignedDuration;

const RINA: &str = "rina@bank.example";

fn days(n: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * n)
}

#[tokio::test]
async fn a_certificate_that_ends_is_told_at_60_30_and_7_days_once_each() {
    let mut hall = Hall::new("");
    let ends_in = |hall: &Hall, n: i64| {
        let made = hall.now().checked_sub(KEY_LIFE).unwrap() + days(n);
        Actor::with_key("Rina", RINA, made).unwrap().certificate().unwrap()
    };
    let certificate = ends_in(&hall, 70);
    let print = bantuan70::openpgp::Certificate::read(&certificate).unwrap().fingerprint();
    hall.contact(RINA, ContactKind::Person, Some(&certificate), true);
    // Not vouched for: nobody is told anything about it.
    let other = ends_in(&hall, 5);
    hall.contact("asing@bank.example", ContactKind::Person, Some(&other), false);
    assert!(hall.play().await.is_empty(), "70 days are far");
    for (wait, words) in [(11, "60 hari"), (30, "30 hari"), (23, "7 hari")] {
        hall.stage.wait(24 * wait);
        let mails = hall.play().await;
        assert_eq!(mails.len(), 2, "{words}: {mails:?}");
        let notice = to(&mails, RINA)[0];
        assert!(notice.text.contains(words) && notice.text.contains(&print.0), "{}", notice.text);
        assert_eq!(notice.protection, "signed");
        let told = to(&mails, "rudi@bssn.test")[0];
        assert!(told.text.contains(&format!("<{RINA}>: berakhir ")) && !told.text.contains("asing@"), "{}", told.text);
        // Neither time nor a restart tells it again.
        for _ in 0..3 {
            hall.stage.wait(3);
            hall.stage.reload().unwrap();
            assert!(hall.play().await.is_empty(), "{words}: told again");
        }
    }
    // It ended: from now on it holds up disseminations, and those say so.
    hall.stage.wait(24 * 8);
    assert!(hall.play().await.is_empty());
}

/// A daemon that slept over two thresholds tells the last.
#[tokio::test]
async fn after_a_long_sleep_only_the_nearest_threshold_is_told() {
    let mut hall = Hall::new("");
    let made = hall.now().checked_sub(KEY_LIFE).unwrap() + days(70);
    let certificate = Actor::with_key("Rina", RINA, made).unwrap().certificate().unwrap();
    hall.contact(RINA, ContactKind::Person, Some(&certificate), true);
    hall.stage.wait(24 * 66);
    let mails = hall.play().await;
    assert_eq!(to(&mails, RINA).len(), 1);
    assert!(to(&mails, RINA)[0].text.contains("7 hari"));
}

/// The centre's own key and an analyst's certificate are told in time too, to the chief and to whose it is.
#[tokio::test]
async fn the_centres_key_and_an_analysts_certificate_are_told_before_they_end() {
    let mut hall = Hall::new("");
    let made = |n: i64| hall.now().checked_sub(KEY_LIFE).unwrap() + days(n);
    let ani = Actor::with_key("Ani", "ani@bssn.test", made(40)).unwrap();
    let center = bantuan70::model::Address::parse("bantuan70@bssn.test").unwrap();
    let own = bantuan70::openpgp::generate_own("Pusat", &center, None, made(65)).unwrap();
    std::fs::write(hall.stage.config_file.with_file_name("ani.asc"), ani.certificate().unwrap()).unwrap();
    std::fs::write(hall.stage.config_file.with_file_name("center.key"), &own.secret).unwrap();
    let print = ani.fingerprint.clone().unwrap();
    hall.stage.add("ani", ani);
    hall.stage.reload().unwrap();
    let told = |mails: &[bantuan70::cli::demo::stage::Received], of: &str| -> Vec<String> {
        let about = mails.iter().filter(|mail| mail.text.contains(of));
        about.map(|mail| format!("{} {}", mail.to, mail.protection)).collect()
    };
    // 40 and 65 days: the analyst's is under 60 already.
    let mails = hall.play().await;
    let both = ["ani@bssn.test encrypted", "rudi@bssn.test encrypted"];
    let mut of_ani = told(&mails, &print.0);
    of_ani.sort();
    assert_eq!((mails.len(), of_ani.as_slice()), (2, &both.map(str::to_owned)[..]), "{mails:?}");
    assert!(to(&mails, "ani@bssn.test")[0].text.contains("Sertifikat OpenPGP Ani <ani@bssn.test> berakhir"));
    for (wait, of_center, of_ani) in [(6, 1, 0), (5, 0, 2), (25, 1, 2), (22, 1, 0)] {
        hall.stage.wait(24 * wait);
        let mails = hall.play().await;
        assert_eq!(told(&mails, &print.0).len(), of_ani, "{wait}: {mails:?}");
        assert_eq!(told(&mails, &own.fingerprint.0), vec!["rudi@bssn.test encrypted"; of_center], "{wait}: {mails:?}");
        // Neither time nor a restart tells it again.
        hall.stage.wait(3);
        hall.stage.reload().unwrap();
        assert!(hall.play().await.is_empty(), "{wait}");
        hall.stage.clock.advance(-SignedDuration::from_hours(3));
    }
}

/// The next key is announced by the present one to who is vouched for, once.
#[tokio::test]
async fn the_centres_next_certificate_is_announced_in_mail_that_the_present_key_signs() {
    let mut hall = Hall::new("");
    hall.contact(RINA, ContactKind::Person, None, true);
    hall.contact("asing@bank.example", ContactKind::Person, None, false);
    let folder = tempfile::tempdir().unwrap();
    let next = Actor::with_key("Pusat", "bantuan70@bssn.test", hall.now()).unwrap();
    let file = folder.path().join("next.asc");
    std::fs::write(&file, next.certificate().unwrap()).unwrap();
    let announce = |hall: &Hall| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_bantuan70"))
            .args(["key", "announce", file.to_str().unwrap(), "--config", hall.stage.config_file.to_str().unwrap()])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(announce(&hall).starts_with("1 of 1 verified contacts"));
    hall.stage.wait(1);
    let mails = hall.play().await;
    assert_eq!(mails.len(), 1);
    let mail = to(&mails, RINA)[0];
    assert_eq!(mail.protection, "signed");
    assert!(mail.text.contains(&next.fingerprint.as_ref().unwrap().0), "{}", mail.text);
    // What is attached is that certificate, and the present key signed round it.
    let bench = hall.stage.daemon.bench();
    let opened = bantuan70::openpgp::open::open(bantuan70::mail::read::read(&mail.raw), &bench.reader.keyring, hall.now(), 1 << 20);
    let present = bench.reader.keyring.own().unwrap().fingerprint();
    assert_ne!(Some(&present), next.fingerprint.as_ref());
    assert!(opened.signed_text.unwrap().signers().contains(&present));
    let attached = &opened.mail.attachments[0];
    assert_eq!(bantuan70::openpgp::Certificate::read(&attached.content).unwrap().fingerprint(), next.fingerprint.unwrap());
    assert!(announce(&hall).starts_with("0 of 1 verified contacts"));
}

/// Who agrees sees of an internal unit, as of a contact, that its certificate ends soon or is not fit, and what the
/// words of the manifest mean; the code is over the manifest alone.
#[tokio::test]
async fn the_request_shows_units_whose_certificate_ends_or_is_unfit_and_what_the_manifest_says() {
    let files = tempfile::tempdir().unwrap();
    let mut more = "\n[dissemination]\napprovals = { AMBER = 2 }\n".to_owned();
    let start = jiff::Timestamp::now();
    for (name, ends) in [("segera", days(50)), ("lama", days(300)), ("habis", days(-1))] {
        let made = start.checked_sub(KEY_LIFE).unwrap() + ends;
        let file = files.path().join(name);
        std::fs::write(&file, Actor::with_key(name, &format!("{name}@unit.example"), made).unwrap().certificate().unwrap()).unwrap();
        more.push_str(&format!("\n[[internal_unit]]\nname = \"{name}\"\naddress = \"{name}@unit.example\"\ncertificate = {file:?}\n"));
    }
    let mut hall = Hall::new(&more);
    for name in ["segera", "lama", "habis"] {
        hall.stage.add(name, Actor::without_key(name, &format!("{name}@unit.example")).unwrap());
    }
    hall.keyed_contact(RINA, ContactKind::Person);
    hall.command("ani", &format!("!tlp AMBER\n!diseminasi {RINA}\nUntuk bantuan70@bssn.test."));
    let mails = hall.play().await;
    let request = mails.iter().find(|mail| mail.to.as_str() == "budi@bssn.test" && mail.text.contains("!setuju")).unwrap();
    let below = |heading: &str| -> String {
        let lines = request.text.lines().skip_while(|line| !line.contains(heading)).skip(1);
        lines.take_while(|line| !line.trim().is_empty()).collect::<Vec<_>>().join(" ")
    };
    let expiring = below("SERTIFIKAT YANG AKAN BERAKHIR DALAM 60 HARI");
    assert!(expiring.contains("segera@unit.example") && !expiring.contains("lama@unit.example"), "{expiring}");
    let (reached, held) = (below("PENERIMA"), below("TERTAHAN"));
    assert!(reached.contains("segera@") && reached.contains("lama@") && reached.contains(RINA), "{}", request.text);
    assert!(held.contains("habis@unit.example") && held.contains("sudah berakhir") && !held.contains("lama@"), "{held}");
    // A reading of the manifest stands below it, and is no part of what the code is over.
    let one = hall.dissemination(1).unwrap();
    assert!(request.text.contains("Arti kata-kata manifes") && !one.manifest().contains("Arti"));
    let manifest: String = one.manifest().lines().map(|line| format!("    {line}\n")).collect();
    assert!(request.text.contains(manifest.trim_end()), "the manifest stands there byte for byte:\n{}", request.text);
    let line = hall.agreement(1);
    hall.command("budi", &line);
    let sent = hall.play().await;
    assert!(to(&sent, "habis@unit.example").is_empty());
    assert_eq!(to(&sent, RINA).len(), 1);
}
