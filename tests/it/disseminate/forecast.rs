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
