//! The mailbox under the daemon's hands: others read and move mail in it, it is made anew, taken away and given
//! back, holds too much, and holds what nobody knows of (ATTACKS 2.1, contract 12.6).

use super::center::{ADDRESS, Center, report};
use crate::harness::servers::{Servers, wait_for};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

const USER: &str = "bantuan70";

fn mail(user: &str) -> Vec<u8> {
    report(&format!("{user}@warga.example"), "Situs diretas", "Halaman depan situs kami diretas.\r\n")
}

fn tickets(center: &Center) -> usize {
    center.json(&["ticket", "list"]).len()
}

fn inbox(center: &Center) -> usize {
    center.servers.messages(USER, "INBOX").len()
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A folder that Dovecot, which works as nobody, may not look into.
fn closed(center: &Center, folder: &str) -> std::path::PathBuf {
    center.servers.make(USER, "INBOX");
    let path = center.servers.maildir(USER, folder);
    fs::create_dir(&path).unwrap();
    mode(&path, 0o700);
    path
}

/// The lines of `check` without the network, by what they check.
fn checked(center: &Center) -> Vec<(String, String, String)> {
    let ran = center.run(&["check", "--offline", "--json"]);
    let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
    let rows = ran.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.map(|row| (text(&row, "check"), text(&row, "result"), text(&row, "detail"))).collect()
}

fn line(center: &Center, what: &str) -> Option<(String, String)> {
    checked(center).into_iter().find(|(check, ..)| check == what).map(|(_, result, detail)| (result, detail))
}

fn wait_alarm(center: &Center, cause: &str) -> String {
    let name = format!("alarm {cause}");
    wait_for(|| format!("{name}\n{}", center.log()), || line(center, &name).map(|(_, detail)| detail))
}

fn wait_no_alarm(center: &Center, cause: &str) {
    let name = format!("alarm {cause}");
    wait_for(|| format!("the end of {name}\n{}", center.log()), || line(center, &name).is_none().then_some(()));
}

/// Makes Dovecot forget how it numbered the messages of a folder: they get another UIDVALIDITY.
fn number_anew(center: &Center, folder: &str) {
    let path = center.servers.maildir(USER, folder);
    for entry in fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()) {
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        if name == "dovecot-uidlist" || name.starts_with("dovecot.index") {
            fs::remove_file(entry).unwrap();
        }
    }
}

/// The UIDVALIDITY that Dovecot keeps for a folder, as it stands in its file.
fn numbering(center: &Center, folder: &str) -> Option<String> {
    let list = fs::read_to_string(center.servers.maildir(USER, folder).join("dovecot-uidlist")).ok()?;
    list.split_whitespace().find(|word| word.starts_with('V')).map(str::to_owned)
}

#[test]
fn f6_f7_mail_that_others_take_away_while_we_work_is_gone_and_nothing_happens_twice() {
    let center = Center::new();
    for number in 0..60 {
        center.deliver(&mail(&format!("p{number}")));
    }
    let names = center.servers.file_names(USER, "INBOX");
    let root = center.servers.maildir(USER, "INBOX");
    let daemon = center.start();
    // A colleague clears the inbox from the other end at the same time.
    for name in names.iter().rev() {
        for folder in ["new", "cur"] {
            let found = fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
            for path in found.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(name.split(':').next().unwrap())) {
                fs::remove_file(path).ok();
            }
        }
    }
    wait_for(|| center.log(), || (inbox(&center) == 0).then_some(()));
    center.deliver(&mail("later"));
    center.wait_mail("later", "an acknowledgement", |_| true);
    center.wait_quiet();
    let written = center.written_to();
    let people: BTreeSet<&String> = written.iter().collect();
    assert_eq!(people.len(), written.len(), "nobody was written to twice: {written:?}");
    assert_eq!(tickets(&center), written.len());
    assert!(checked(&center).iter().all(|(check, ..)| !check.starts_with("alarm")), "{:?}", checked(&center));
    drop(daemon);
    center.audit();
}

#[test]
fn f7_mail_that_others_take_away_between_commit_and_move_counts_as_filed() {
    let center = Center::new();
    center.configure("intake", "poll_interval = \"1s\"");
    let processed = closed(&center, "Processed");
    let _daemon = center.start();
    center.deliver(&mail("satu"));
    center.wait_mail("satu", "an acknowledgement", |_| true);
    wait_alarm(&center, "filing");
    let path = fs::read_dir(center.servers.maildir(USER, "INBOX").join("cur")).unwrap().next();
    let path = path.or_else(|| fs::read_dir(center.servers.maildir(USER, "INBOX").join("new")).unwrap().next());
    fs::remove_file(path.unwrap().unwrap().path()).unwrap();
    fs::remove_dir_all(&processed).unwrap();
    wait_no_alarm(&center, "filing");
    center.wait_quiet();
    assert_eq!((tickets(&center), center.written_to().len()), (1, 1));
    let place = &center.json(&["mail", "show", "1"])[0]["places"][0];
    assert!(place.as_str().unwrap().ends_with("filed"), "{place}");
}

#[test]
fn f8_a_mailbox_numbered_anew_between_two_runs_and_in_one_opens_no_ticket_twice() {
    let center = Center::new();
    center.configure("intake", "poll_interval = \"1s\"\nmailbox = \"Masuk\"");
    // What is decided stays in the mailbox, so that it is met again.
    let processed = closed(&center, "Processed");
    for user in ["satu", "dua"] {
        center.servers.append(USER, "Masuk", &mail(user));
    }
    center.once();
    assert_eq!((tickets(&center), center.servers.messages(USER, "Masuk").len()), (2, 2));
    number_anew(&center, "Masuk");
    let _daemon = center.start();
    let arrivals = || center.json(&["mail", "show", "1"])[0]["places"].as_array().unwrap().len();
    wait_for(|| center.log(), || (arrivals() == 2).then_some(()));
    // And now under an open session: a folder is restored from a backup.
    let (folder, aside) = (center.servers.maildir(USER, "Masuk"), center.servers.maildir(USER, "Lain"));
    let restore = || {
        fs::rename(&folder, &aside).unwrap();
        number_anew(&center, "Lain");
        fs::rename(&aside, &folder).unwrap();
    };
    let before = numbering(&center, "Masuk");
    restore();
    center.servers.append(USER, "Masuk", &mail("tiga"));
    center.wait_mail("tiga", "an acknowledgement", |_| true);
    let is_met_anew = || {
        // Dovecot's open session may have put its own numbers back as it ended.
        if numbering(&center, "Masuk") == before {
            restore();
        }
        (arrivals() >= 3).then_some(())
    };
    wait_for(|| center.log(), is_met_anew);
    fs::remove_dir_all(&processed).unwrap();
    wait_for(|| center.log(), || center.servers.messages(USER, "Masuk").is_empty().then_some(()));
    center.wait_quiet();
    assert_eq!((tickets(&center), center.written_to().len()), (3, 3));
    center.audit();
}

#[test]
fn f9_a_mailbox_that_is_taken_away_is_told_and_met_again_when_it_is_back() {
    let center = Center::new();
    center.configure("intake", "poll_interval = \"1s\"\nmailbox = \"Masuk\"");
    let folder = center.servers.maildir(USER, "Masuk");
    let aside = center.servers.maildir(USER, "Lain");
    center.servers.make(USER, "INBOX");
    center.servers.append(USER, "Masuk", &mail("nol"));
    let mut daemon = center.start();
    center.wait_mail("nol", "an acknowledgement", |_| true);
    wait_for(|| center.log(), || center.servers.messages(USER, "Masuk").is_empty().then_some(()));
    type Deed<'a> = Box<dyn Fn() + 'a>;
    let deeds: [(&str, Deed, Deed); 3] = [
        ("renamed", Box::new(|| fs::rename(&folder, &aside).unwrap()), Box::new(|| fs::rename(&aside, &folder).unwrap())),
        // Dovecot goes on with what it has open: the rights are asked when the folder is opened again.
        (
            "norights",
            Box::new(|| {
                let interrupted = center.log().matches("intake interrupted").count();
                fs::rename(&folder, &aside).unwrap();
                center.wait_log("intake interrupted", interrupted + 1);
                mode(&aside, 0o000);
                fs::rename(&aside, &folder).unwrap();
                let interrupted = center.log().matches("intake interrupted").count();
                center.wait_log("intake interrupted", interrupted + 2);
            }),
            Box::new(|| mode(&folder, 0o755)),
        ),
        ("removed", Box::new(|| fs::remove_dir_all(&folder).unwrap()), Box::new(|| {})),
    ];
    for (user, away, back) in deeds {
        let interrupted = center.log().matches("intake interrupted").count();
        away();
        center.wait_log("intake interrupted", interrupted + 1);
        wait_alarm(&center, "intake");
        assert!(!daemon.has_ended(), "{}", center.log());
        back();
        center.servers.append(USER, "Masuk", &mail(user));
        center.wait_mail(user, "an acknowledgement", |_| true);
        wait_no_alarm(&center, "intake");
    }
    // Told to people, each time and its end: they have no chief here, so the analysts hear of it.
    center.wait_quiet();
    let notices = center.outbox().into_iter().filter(|row| row["to"] == "analyst1@bssn.test" && row["ticket"].is_null()).count();
    assert_eq!(notices, 6);
    assert_eq!(tickets(&center), 4);
}

#[test]
fn f15_mail_that_is_too_large_has_a_ticket_waits_in_the_quarantine_and_analysts_know() {
    let center = Center::new();
    center.configure("intake", "max_message = \"100KiB\"");
    let _daemon = center.start();
    let text = "Halaman depan situs kami diretas.\r\n".repeat(6000);
    center.deliver(&report("besar@warga.example", "Situs diretas", &text));
    center.deliver(&mail("kecil"));
    center.wait_mail("kecil", "an acknowledgement", |_| true);
    wait_for(|| center.log(), || (inbox(&center) == 0).then_some(()));
    center.wait_quiet();
    assert_eq!(center.servers.messages(USER, "Quarantine").len(), 1);
    let row = &center.json(&["quarantine", "list"])[0];
    assert!(row["bytes"].as_u64().unwrap() > 200_000, "{row}");
    let mail = center.json(&["mail", "list"]).into_iter().find(|mail| mail["id"] == row["id"]).unwrap();
    let number = mail["ticket"].as_str().unwrap().to_owned();
    let told = center.outbox().into_iter().any(|letter| letter["ticket"] == number.as_str() && letter["to"] == "analyst1@bssn.test");
    assert!(told, "{:?}", center.outbox());
    // Header and all, it is accounted for.
    center.wait_log("folders compared with the store", 1);
    assert_eq!(line(&center, "mail accounted for").unwrap().0, "ok");
}

#[test]
fn f17_we_mark_nothing_as_read_and_what_others_have_read_comes_in_all_the_same() {
    let center = Center::new();
    center.deliver(&mail("terbaca"));
    center.deliver(&mail("baru"));
    // Another client has read one of them.
    let root = center.servers.maildir(USER, "INBOX");
    let path = fs::read_dir(root.join("new")).unwrap().next().unwrap().unwrap().path();
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    fs::rename(&path, root.join("cur").join(format!("{name}:2,S"))).unwrap();
    let _daemon = center.start();
    for user in ["terbaca", "baru"] {
        center.wait_mail(user, "an acknowledgement", |_| true);
    }
    wait_for(|| center.log(), || (inbox(&center) == 0).then_some(()));
    let names = center.servers.file_names(USER, "Processed");
    let seen = |name: &&String| name.split_once(":2,").is_some_and(|(_, flags)| flags.contains('S'));
    assert_eq!((names.len(), names.iter().filter(seen).count()), (2, 1), "{names:?}");
}

#[test]
fn f18_folders_that_cannot_be_opened_at_start_are_told_and_mail_comes_in() {
    let center = Center::new();
    center.configure("intake", "poll_interval = \"1s\"");
    let folders = [closed(&center, "Processed"), closed(&center, "Quarantine")];
    let ran = center.run(&["check"]);
    assert!(ran.exit != 0 && ran.out.contains("closed to us"), "{}", ran.out);
    let _daemon = center.start();
    center.deliver(&mail("satu"));
    center.wait_mail("satu", "an acknowledgement", |_| true);
    wait_alarm(&center, "filing");
    for folder in folders {
        fs::remove_dir_all(folder).unwrap();
    }
    wait_no_alarm(&center, "filing");
    wait_for(|| center.log(), || (inbox(&center) == 0).then_some(()));
    assert_eq!(tickets(&center), 1);
}

#[test]
fn mail_that_comes_while_we_work_is_taken_in_once() {
    let center = Center::new();
    for number in 0..30 {
        center.deliver(&mail(&format!("p{number}")));
    }
    let _daemon = center.start();
    for number in 30..60 {
        let bytes = mail(&format!("p{number}"));
        if number % 2 == 0 { center.deliver(&bytes) } else { center.servers.append(USER, "INBOX", &bytes) }
    }
    wait_for(|| center.log(), || (inbox(&center) == 0 && tickets(&center) == 60).then_some(()));
    center.wait_quiet();
    let people: BTreeSet<String> = center.written_to().into_iter().collect();
    assert_eq!((people.len(), center.written_to().len()), (60, 60));
    assert_eq!(center.servers.messages(USER, "Processed").len(), 60);
}

#[test]
fn a_token_command_that_fails_is_told_by_its_own_name() {
    let center = Center::new();
    let text = fs::read_to_string(center.path("bantuan70.toml")).unwrap();
    let (before, after) = text.split_once("user = \"bantuan70\"\npassword_file = \"password\"").unwrap();
    let login = "user = \"bantuan70\"\nauth = \"xoauth2\"\ntoken_command = [\"/bin/false\"]";
    fs::write(center.path("bantuan70.toml"), format!("{before}{login}{after}")).unwrap();
    let mut daemon = center.start_with(&["run"]);
    let detail = wait_alarm(&center, "token");
    assert!(detail.contains("token_command /bin/false"), "{detail}");
    center.wait_quiet();
    assert_eq!(center.outbox().iter().filter(|row| row["to"] == "analyst1@bssn.test").count(), 1);
    assert!(!daemon.has_ended(), "sending goes on: {}", center.log());
}

#[test]
fn mail_that_somebody_filed_past_us_is_counted_until_it_is_in_the_inbox() {
    let center = Center::new();
    center.deliver(&mail("satu"));
    assert_eq!(center.once(), 0);
    assert_eq!(line(&center, "mail accounted for").unwrap().0, "ok");
    // What was filed before is known by its place or its bytes, also after the folder was numbered anew.
    number_anew(&center, "Processed");
    assert_eq!(center.once(), 0);
    assert_eq!(line(&center, "mail accounted for").unwrap().0, "ok");
    center.servers.append(USER, "Processed", &mail("lewat"));
    assert_eq!(center.once(), 0);
    let (result, detail) = line(&center, "mail accounted for").unwrap();
    assert!(result == "FAIL" && detail.starts_with("1 messages") && detail.contains("Processed: uid 2"), "{detail}");
    wait_alarm(&center, "unaccounted");
    // To look is not to read.
    assert!(center.servers.file_names(USER, "Processed").iter().all(|name| !name.contains('S') || name.starts_with(char::is_numeric)));
    let folder = center.servers.maildir(USER, "Processed");
    let lost = ["new", "cur"].into_iter().flat_map(|part| fs::read_dir(folder.join(part)).unwrap());
    let lost =
        lost.map(|entry| entry.unwrap().path()).find(|path| String::from_utf8_lossy(&fs::read(path).unwrap()).contains("lewat@")).unwrap();
    fs::rename(&lost, center.servers.maildir(USER, "INBOX").join("new/lewat.1.test")).unwrap();
    assert_eq!(center.once(), 0);
    assert_eq!((line(&center, "mail accounted for").unwrap().0.as_str(), tickets(&center)), ("ok", 2));
    wait_no_alarm(&center, "unaccounted");
}

#[test]
fn a_mark_of_ours_that_somebody_else_set_hides_no_mail() {
    let center = Center::with(Arc::new(Servers::start_with("IMAP4rev1")), ADDRESS, |_| {});
    // Dovecot keeps keywords as small letters, and their names in a file of the folder.
    center.servers.append(USER, "INBOX", &mail("tersembunyi"));
    let root = center.servers.maildir(USER, "INBOX");
    fs::write(root.join("dovecot-keywords"), "0 bantuan70-filed\n").unwrap();
    let path = fs::read_dir(root.join("new")).unwrap().next().unwrap().unwrap().path();
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    fs::rename(&path, root.join("cur").join(format!("{name}:2,a"))).unwrap();
    assert_eq!(center.once(), 0);
    assert_eq!((tickets(&center), center.written_to().len()), (1, 1));
}
