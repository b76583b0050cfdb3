//! The verbs that read the database, as an administrator types them: exit status, JSON, what is
//! escaped, and that they work beside a daemon that has the database open.

use crate::store::{arrival, opens, place, time};
use bantuan70::model::effect::{Decision, Effect};
use bantuan70::model::snapshot::Question;
use bantuan70::store::Store;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A data directory with its configuration, and the binary run against it.
struct Center {
    folder: tempfile::TempDir,
}

impl Center {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "[center]\nname = \"Pusat Kontak\"\naddress = \"bantuan70@bssn.test\"\nticket_prefix = \"BANTUAN70\"\ntime_zone = \"Asia/Jakarta\"\ndata_dir = \"{}\"\n",
            folder.path().join("data").display()
        );
        std::fs::write(folder.path().join("bantuan70.toml"), config).unwrap();
        Self { folder }
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("data").join("bantuan70.db")
    }

    fn daemon(&self) -> Store {
        Store::open(&self.database()).unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_bantuan70"))
            .args(["--config".as_ref(), self.folder.path().join("bantuan70.toml").as_os_str()])
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .unwrap()
    }

    /// The answer's lines, where the verb ended with `exit`.
    fn lines(&self, exit: i32, arguments: &[&str]) -> Vec<String> {
        let output = self.run(arguments);
        let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr).into_owned());
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}\n{stdout}\n{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
        stdout.lines().map(str::to_owned).collect()
    }

    fn json(&self, arguments: &[&str]) -> Vec<Value> {
        self.lines(0, arguments).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn write(&self, name: &str, content: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }
}

fn one_ticket(store: &Store) {
    let now = time("2026-11-24T06:00:00Z");
    let id = store.insert_mail(&[arrival(1, "Subject: satu\r\n\r\nisi\r\n")], now).unwrap()[0];
    store.decide(id, &Question::default(), &place(), now, |world| opens(world, now)).unwrap();
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn listings_have_the_fields_of_the_contract() {
    let center = Center::new();
    let daemon = center.daemon();
    one_ticket(&daemon);
    let ticket = &center.json(&["ticket", "list", "--json"])[0];
    for key in [
        "number",
        "state",
        "service",
        "category",
        "priority",
        "tlp",
        "subject",
        "reporter",
        "channel",
        "assignee",
        "opened_at",
        "updated_at",
        "missing",
        "clocks",
    ] {
        assert!(keys(ticket).contains(&key), "{key}");
    }
    assert_eq!(ticket["number"], "BANTUAN70-2026-000001");
    assert_eq!(ticket["opened_at"], "2026-11-24T13:00:00+07:00");
    assert_eq!(ticket["missing"], serde_json::json!(["identity", "form", "other"]));

    let page = &center.json(&["ticket", "show", "bantuan70-2026-000001", "--json"])[0];
    for key in ["messages", "timeline", "documents", "indicators", "links", "disseminations"] {
        assert!(keys(page).contains(&key), "{key}");
    }
    let messages = page["messages"].as_array().unwrap();
    assert_eq!(messages.iter().map(|message| message["direction"].as_str().unwrap()).collect::<Vec<_>>(), ["in", "out"]);
    assert_eq!(messages[1]["from"], "bantuan70@bssn.test");
    assert_eq!(page["timeline"][0]["event"], "opened");

    let letter = &center.json(&["outbox", "list", "--json"])[0];
    for key in ["id", "message_id", "to", "kind", "ticket", "state", "attempts", "next_at", "last_error"] {
        assert!(keys(letter).contains(&key), "{key}");
    }
    assert_eq!(center.json(&["mail", "list", "--json"])[0]["kind"], "report");
    assert_eq!(center.json(&["ticket", "search", "contoh.go.test", "--json"]).len(), 1);
    let exported = center.lines(0, &["ticket", "export", "BANTUAN70-2026-000001", "--format", "eml"]).join("\n");
    assert!(exported.contains("Content-Type: message/rfc822") && exported.contains("Subject: satu"), "{exported}");
}

/// What other teams get of a ticket: its indicators, under one identifier however often it is
/// exported, and nothing that says who reported.
#[test]
fn a_misp_event_has_the_indicators_and_nothing_of_the_reporter() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_bantuan70")).args(arguments).current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{arguments:?} {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["demo", "demo"]);
    let config = ["--config", "demo/bantuan70.toml"];
    let tickets: Vec<Value> =
        run(&[&["ticket", "list", "--json"], &config[..]].concat()).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut attributes = 0;
    for ticket in &tickets {
        let number = ticket["number"].as_str().unwrap();
        let export = || run(&[&["ticket", "export", number, "--format", "misp"], &config[..]].concat());
        let text = export();
        assert_eq!(text, export(), "a second import changes the first event");
        let event: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&event["Event"]["published"], event["Event"]["uuid"].as_str().unwrap().len()), (&Value::Bool(false), 36));
        if let Some(reporter) = ticket["reporter"].as_str() {
            let domain = reporter.rsplit('@').next().unwrap();
            assert!(!text.contains(reporter) && !text.contains(domain), "{reporter}: {text}");
        }
        if ticket["tlp"].is_null() {
            assert_eq!(event["Event"]["distribution"], "0", "{text}");
        }
        for attribute in event["Event"]["Attribute"].as_array().unwrap() {
            assert_eq!((&attribute["to_ids"], attribute["distribution"].as_str()), (&Value::Bool(false), Some("5")));
            attributes += 1;
        }
    }
    assert!(attributes > 3, "the demonstration has indicators");
}

#[test]
fn report_gives_text_json_and_a_page_for_any_days() {
    let center = Center::new();
    let daemon = center.daemon();
    one_ticket(&daemon);
    let days = ["report", "--from", "2026-11-01", "--to", "2026-11-30"];
    let text = center.lines(0, &days).join("\n");
    assert!(text.starts_with("LAPORAN LAYANAN\nPusat Kontak\n1 – 30 November 2026\n"), "{text}");
    assert!(text.contains("Tiket baru: 1 (periode sebelumnya 0)") && text.contains(&daemon.audit_head().unwrap().hash), "{text}");
    let page = center.folder.path().join("november.html");
    let figures = &center.json(&[&days[..], &["--json", "--html", page.to_str().unwrap()]].concat())[0];
    assert_eq!((&figures["opened"], &figures["from"], &figures["days"][23]["opened"]), (&1.into(), &"2026-11-01".into(), &1.into()));
    assert!(std::fs::read_to_string(&page).unwrap().contains("</svg>"));
    let rights = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&page).unwrap().permissions());
    assert_eq!(rights & 0o777, 0o600, "it names stakeholders and reporters' tickets");
    center.lines(2, &["report", "--from", "2026-12-01", "--to", "2026-11-30"]);
    center.lines(2, &["report", "--from", "kemarin"]);
}

#[test]
fn a_letter_is_shown_filled_for_a_ticket_and_the_words_are_checked() {
    let center = Center::new();
    one_ticket(&center.daemon());
    let shown = center.lines(0, &["templates", "show", "acknowledgement", "--ticket", "BANTUAN70-2026-000001", "--language", "en"]);
    assert_eq!(shown[0], "Subject: [BANTUAN70-2026-000001] We have received your report");
    assert!(shown.join("\n").contains("Pusat Kontak"), "{shown:?}");
    center.lines(1, &["templates", "show", "acknowledgement", "--ticket", "BANTUAN70-2026-000009"]);
    center.lines(2, &["templates", "show", "surat", "--ticket", "BANTUAN70-2026-000001"]);
    assert_eq!(center.lines(0, &["templates", "check"]).len(), 1);
    // A copy made of an older program warns; a field that no letter has is an error with its place.
    let folder = center.folder.path().join("templates/id");
    std::fs::create_dir_all(&folder).unwrap();
    let config = center.folder.path().join("bantuan70.toml");
    let with_dir = std::fs::read_to_string(&config).unwrap() + "templates_dir = \"templates\"\n";
    std::fs::write(&config, with_dir).unwrap();
    std::fs::write(folder.join("phrases.toml"), "[done]\nkata_lama = \"x\"\n").unwrap();
    let lines = center.lines(0, &["templates", "check"]);
    assert!(lines[0].starts_with("warning") && lines[0].contains("phrases.toml:2: done.kata_lama"), "{lines:?}");
    std::fs::write(folder.join("reply.txt"), "Subject: {{ tag }} Halo\n\n{{ txt }}\n").unwrap();
    let output = center.run(&["templates", "check"]);
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("reply.txt:3:") && error.contains("'txt' is no field"), "{error}");
}

#[test]
fn what_is_not_there_is_exit_1_and_what_is_mistyped_exit_2() {
    let center = Center::new();
    center.lines(1, &["ticket", "list"]);
    let _daemon = center.daemon();
    center.lines(0, &["ticket", "list"]);
    center.lines(1, &["ticket", "show", "BANTUAN70-2026-000009"]);
    center.lines(2, &["ticket", "show", "nine"]);
    center.lines(1, &["ticket", "search", "tidak ada"]);
    center.lines(2, &["ticket", "list", "--state", "sleeping"]);
    center.lines(1, &["ticket", "export", "BANTUAN70-2026-000009", "--format", "misp"]);
    center.lines(2, &["ticket", "export", "BANTUAN70-2026-000009", "--format", "stix"]);
    center.lines(1, &["outbox", "retry", "7"]);
    center.lines(1, &["mail", "show", "7"]);
    center.lines(1, &["quarantine", "release", "7"]);
    center.lines(1, &["contact", "show", "a@b.test"]);
    center.lines(1, &["contact", "remove", "a@b.test"]);
    center.lines(2, &["contact", "show", "no address"]);
}

#[test]
fn m18_search_words_are_words_whatever_they_look_like() {
    let center = Center::new();
    one_ticket(&center.daemon());
    for hostile in [
        "\" OR 1=1 --",
        "NEAR(a b)",
        "*",
        "halaman*",
        "palsu\" OR \"x",
        "ticket:BANTUAN70",
        "^palsu",
        "'; DROP TABLE ticket; --",
        "-palsu zzz",
    ] {
        let status = center.run(&["ticket", "search", "--", hostile]).status.code();
        assert!(matches!(status, Some(0 | 1)), "{hostile}: {status:?}");
    }
    center.lines(1, &["ticket", "search", "--", "halaman* zzz"]);
    assert_eq!(center.lines(0, &["ticket", "search", "PALSU", "halaman", "--json"]).len(), 1);
}

#[test]
fn outbox_verbs_change_what_a_running_daemon_sees() {
    let center = Center::new();
    let daemon = center.daemon();
    one_ticket(&daemon);
    let id = daemon.due_letters(time("2026-11-24T06:00:00Z"), 1).unwrap()[0];
    daemon.hold(id, "no certificate", time("2026-11-24T06:01:00Z")).unwrap();
    let before = daemon.outbox_generation().unwrap();
    center.lines(0, &["outbox", "retry", &id.to_string()]);
    assert_ne!(daemon.outbox_generation().unwrap(), before);
    assert_eq!(center.json(&["outbox", "list", "--json"])[0]["state"], "queued");
    center.lines(0, &["outbox", "cancel", &id.to_string()]);
    assert_eq!(center.lines(0, &["outbox", "list"]), [""; 0]);
    center.lines(1, &["outbox", "retry", &id.to_string()]);
    assert_eq!(center.json(&["outbox", "list", "--all", "--json"])[0]["state"], "cancelled");
}

#[test]
fn a_contact_is_added_verified_and_removed() {
    let center = Center::new();
    let _daemon = center.daemon();
    let add = |address: &str| {
        center.run(&[
            "contact",
            "add",
            "--name",
            "Sari",
            "--address",
            address,
            "--kind",
            "person",
            "--organisation",
            "Bank Contoh",
            "--sector",
            "keuangan",
            "--group",
            "perbankan",
        ])
    };
    assert_eq!(add("sari@bank.test").status.code(), Some(0));
    assert_eq!(add("SARI@bank.test").status.code(), Some(1), "one address is one contact");
    assert_eq!(add("sari").status.code(), Some(2));
    let contact = &center.json(&["contact", "list", "--json"])[0];
    for key in
        ["id", "name", "address", "kind", "organisation", "sectors", "groups", "language", "fingerprint", "expires_at", "verified_at"]
    {
        assert!(keys(contact).contains(&key), "{key}");
    }
    assert_eq!((&contact["sectors"], &contact["verified_at"]), (&serde_json::json!(["keuangan"]), &Value::Null));
    let verified = center.lines(0, &["contact", "verify", "sari@bank.test", "--how", "call-back"]);
    assert_eq!(verified, ["sari@bank.test is verified: Sari (person, no certificate)"]);
    let shown = &center.json(&["contact", "show", "sari@bank.test", "--json"])[0];
    assert!(shown["verified_at"].is_string() && shown["verified_how"] == "call-back", "{shown}");
    assert!(shown["verified_by"].as_str().unwrap().starts_with("command line, uid "), "who vouched: {shown}");
    let page = center.lines(0, &["contact", "show", "sari@bank.test"]).join("\n");
    assert!(page.contains("(call-back, command line, uid "), "{page}");
    center.lines(0, &["contact", "remove", "sari@bank.test"]);
    assert_eq!(center.lines(0, &["contact", "list"]), [""; 0]);
}

/// Whose verification has aged out or soon will is seen before a dissemination does not reach them.
#[test]
fn a_verification_that_ages_out_is_seen_in_the_list_and_by_check() {
    let center = Center::new();
    let store = center.daemon();
    let file = center.write(
        "all.csv",
        "name,address,kind,organisation\nA,baru@x.test,person,X\nB,lama@x.test,person,X\nC,segera@x.test,person,X\nD,baik@x.test,person,X\n",
    );
    center.lines(0, &["contact", "import", &file]);
    let now = jiff::Timestamp::now();
    for (address, days) in [("lama@x.test", 366), ("segera@x.test", 350), ("baik@x.test", 1)] {
        let then = now - jiff::SignedDuration::from_hours(24 * days);
        store.verify_contact(&bantuan70::model::Address::parse(address).unwrap(), "letter", "test", then).unwrap();
    }
    let contacts = center.json(&["contact", "list", "--json"]);
    let verified: Vec<&str> =
        contacts.iter().filter(|one| one["is_verified"] == true).map(|one| one["address"].as_str().unwrap()).collect();
    assert_eq!(verified, ["segera@x.test", "baik@x.test"]);
    let aged: Vec<String> = center.lines(0, &["contact", "list"]).into_iter().filter(|line| line.contains("aged out")).collect();
    assert!(aged.len() == 1 && aged[0].contains("lama@x.test"), "{aged:?}");
    let output = center.run(&["check", "--offline"]);
    let told = String::from_utf8(output.stdout).unwrap();
    let line = told.lines().find(|line| line.contains("contacts")).unwrap_or_else(|| panic!("{told}"));
    assert!(
        line.starts_with("ok") && line.contains("; 2 not verified (any more); to be verified again: segera@x.test in 15 days"),
        "{line}"
    );
}

#[test]
fn m20_a_csv_is_imported_as_a_whole_or_not_at_all() {
    let center = Center::new();
    let _daemon = center.daemon();
    let good = center.write(
        "good.csv",
        "\u{feff}Name,Address,Kind,Organisation,Sectors,Groups\r\n\"Sari, S.H.\",sari@bank.test,person,'=Bank,keuangan; energi,\r\nSOC,soc@bank.test,role,Bank,,\r\n",
    );
    let lines = center.lines(0, &["contact", "import", &good, "--dry-run"]);
    assert_eq!(lines.last().unwrap(), "2 new, 0 changed, 0 unchanged: nothing was done");
    assert_eq!(center.lines(0, &["contact", "list"]), [""; 0]);
    center.lines(0, &["contact", "import", &good]);
    let contacts = center.json(&["contact", "list", "--json"]);
    let sari = contacts.iter().find(|contact| contact["address"] == "sari@bank.test").unwrap();
    assert_eq!((&sari["name"], &sari["organisation"]), (&Value::from("Sari, S.H."), &Value::from("=Bank")));
    assert_eq!(sari["sectors"], serde_json::json!(["energi", "keuangan"]));
    assert_eq!(center.lines(0, &["contact", "import", &good]).last().unwrap(), "0 new, 0 changed, 2 unchanged: done");

    for (name, wrong) in [
        ("address", "name,address,kind,organisation\nA,a@b.test,person,B\nC,not an address,person,B\n"),
        ("nul", "name,address,kind,organisation\nA\u{0},a@b.test,person,B\n"),
        ("bidi", "name,address,kind,organisation\nA\u{202e},a@b.test,person,B\n"),
        ("twice", "name,address,kind,organisation\nA,a@b.test,person,B\nA,a@b.test,person,B\n"),
        ("kind", "name,address,kind,organisation\nA,a@b.test,robot,B\n"),
        ("line break", "name,address,kind,organisation\n\"A\nB\",a@b.test,person,B\n"),
    ] {
        let file = center.write("wrong.csv", wrong);
        let lines = center.lines(1, &["contact", "import", &file]);
        assert!(lines.iter().any(|line| line.starts_with("FAIL line ")), "{name}: {lines:?}");
        assert_eq!(center.json(&["contact", "list", "--json"]).len(), 2, "{name}");
    }
    let file = center.write("wrong.csv", "name,adress,kind,organisation\n");
    center.lines(2, &["contact", "import", &file]);
}

/// The table of `--dry-run` names each difference, and the import does exactly that: what the file leaves
/// open stays, and whoever was vouched for under another name, kind or certificate must be verified again.
#[test]
fn a_csv_shows_each_difference_first_and_then_does_exactly_that() {
    let center = Center::new();
    let daemon = center.daemon();
    let gpg = crate::harness::gpg::Gpg::new();
    let key = gpg.new_key_until("Sari <sari@bank.test>", "future-default", "90d");
    let certificate = center.write("sari.asc", std::str::from_utf8(&gpg.export(&key)).unwrap());
    let before = center.write(
        "before.csv",
        "name,address,kind,organisation,sectors,groups,language,certificate\nSari,sari@bank.test,person,Bank,keuangan;energi,grup,en,sari.asc\n\
         SOC,soc@bank.test,role,Bank,keuangan,,,\nTono,tono@pln.test,person,PLN,energi,,,\nLama,lama@pln.test,role,PLN,,,,\n",
    );
    center.lines(0, &["contact", "import", &before]);
    for address in ["sari@bank.test", "soc@bank.test", "tono@pln.test", "lama@pln.test"] {
        center.lines(0, &["contact", "verify", address, "--how", "call-back"]);
    }
    // A later end of the same certificate; no column of groups; no language.
    gpg.must(&["--quick-set-expire", &key, "2y"], b"");
    gpg.must(&["--quick-set-expire", &key, "2y", "*"], b"");
    std::fs::write(&certificate, gpg.export(&key)).unwrap();
    let after = center.write(
        "after.csv",
        "name,address,kind,organisation,sectors,language,certificate\nSari,sari@bank.test,person,Bank Mandala,KEUANGAN,,sari.asc\n\
         SOC,soc@bank.test,person,Bank,keuangan,en,\nTono,tono@pln.test,person,PLN,energi,,\nBaru,baru@pln.test,role,PLN,energi,,\n",
    );
    let snapshot = |center: &Center| center.json(&["contact", "list", "--json"]);
    let was = snapshot(&center);
    let dry = center.lines(0, &["contact", "import", &after, "--dry-run"]);
    assert_eq!(snapshot(&center), was, "--dry-run does nothing");
    assert_eq!(dry.last().unwrap(), "1 new, 2 changed, 1 unchanged: nothing was done");
    let squeezed: Vec<String> = dry.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let day = |at: &Value| at.as_str().unwrap()[..10].to_owned();
    let sari = was.iter().find(|contact| contact["address"] == "sari@bank.test").unwrap();
    for line in [
        "2 sari@bank.test changed organisation Bank Bank Mandala",
        "2 sari@bank.test changed sectors energi; keuangan KEUANGAN",
        &format!("2 sari@bank.test changed certificate ends {} ", day(&sari["expires_at"])),
        "3 soc@bank.test changed kind role person",
        "3 soc@bank.test changed language id en",
        &format!("3 soc@bank.test changed verified {} (call-back) no: verify again", day(&sari["verified_at"])),
        "4 tono@pln.test unchanged",
        "5 baru@pln.test new Baru · role · PLN · energi · id",
    ] {
        assert!(squeezed.iter().any(|shown| shown.starts_with(line)), "{line}:\n{}", dry.join("\n"));
    }
    assert_eq!(squeezed.len(), 1 + 3 + 3 + 1 + 1 + 1, "{squeezed:?}");
    // The same for a program.
    let objects = center.json(&["contact", "import", &after, "--dry-run", "--json"]);
    assert_eq!(objects[1]["fields"][0], serde_json::json!({ "field": "kind", "before": "role", "after": "person" }));

    let done = center.lines(0, &["contact", "import", &after]);
    assert_eq!(done[..done.len() - 1], dry[..dry.len() - 1]);
    let now = snapshot(&center);
    let one = |address: &str| now.iter().find(|contact| contact["address"] == address).unwrap();
    let sari = one("sari@bank.test");
    assert_eq!(
        (&sari["organisation"], &sari["sectors"], &sari["groups"]),
        (&"Bank Mandala".into(), &["KEUANGAN"].into(), &["grup"].into())
    );
    assert_eq!(
        (&sari["language"], &sari["fingerprint"], &sari["verified_at"]),
        (&"en".into(), &key.as_str().into(), &was[0]["verified_at"])
    );
    assert!(
        sari["expires_at"].as_str() > was.iter().find(|contact| contact["address"] == "sari@bank.test").unwrap()["expires_at"].as_str()
    );
    let soc = one("soc@bank.test");
    assert_eq!(
        (&soc["kind"], &soc["language"], &soc["verified_at"], &soc["verified_how"]),
        (&"person".into(), &"en".into(), &Value::Null, &Value::Null)
    );
    for address in ["tono@pln.test", "lama@pln.test"] {
        assert_eq!(Some(one(address)), was.iter().find(|contact| contact["address"] == address), "named by nothing, or nothing new");
    }
    assert_eq!(one("baru@pln.test")["verified_at"], Value::Null);
    // Done once, it has nothing more to do; another certificate is pinned and must be vouched for.
    assert_eq!(center.lines(0, &["contact", "import", &after]).last().unwrap(), "0 new, 0 changed, 4 unchanged: done");
    let other = gpg.new_key("Sari <sari@bank.test>", "future-default");
    std::fs::write(&certificate, gpg.export(&other)).unwrap();
    let told = center.lines(0, &["contact", "import", &after]).join("\n");
    assert!(told.contains(&key) && told.contains(&other) && told.contains("no: verify again"), "{told}");
    let sari = center.json(&["contact", "show", "sari@bank.test", "--json"]).remove(0);
    assert_eq!((&sari["fingerprint"], &sari["verified_at"]), (&other.as_str().into(), &Value::Null));
    assert_eq!(daemon.audit_verify().unwrap().problems, [""; 0]);
}

/// What is exported comes in again as it was, and no spreadsheet computes any of it.
#[test]
fn m20_the_directory_goes_out_as_csv_and_comes_in_again_as_it_was() {
    let center = Center::new();
    let daemon = center.daemon();
    let gpg = crate::harness::gpg::Gpg::new();
    let key = gpg.new_key("Sari <sari@bank.test>", "future-default");
    center.write("sari.asc", std::str::from_utf8(&gpg.export(&key)).unwrap());
    let file = center.write(
        "in.csv",
        "name,address,kind,organisation,sectors,groups,language,certificate\n\"Sari, \"\"S.H.\"\"\",sari@bank.test,person,'=cmd|x,keuangan;energi,,en,sari.asc\n\
         '@SOC,soc@bank.test,role,''=Bank,,'+grup,id,\n",
    );
    center.lines(0, &["contact", "import", &file]);
    let without_numbers = |center: &Center| -> Vec<Value> {
        let mut contacts = center.json(&["contact", "list", "--json"]);
        for contact in &mut contacts {
            contact.as_object_mut().unwrap().remove("id");
        }
        contacts
    };
    let before = without_numbers(&center);
    assert_eq!(before.iter().filter(|contact| contact["fingerprint"] == key.as_str()).count(), 1);
    let folder = std::path::Path::new(&file).parent().unwrap().join("out");
    std::fs::create_dir(&folder).unwrap();
    let out = folder.join("out.csv").to_str().unwrap().to_owned();
    center.lines(0, &["contact", "export", &out]);
    let text = std::fs::read_to_string(&out).unwrap();
    assert_eq!(text.lines().count(), 3, "{text}");
    for cell in text.lines().skip(1).flat_map(|line| line.split(',')) {
        assert!(!cell.trim_start_matches('"').starts_with(['=', '+', '-', '@', '|']), "{cell}");
    }
    center.lines(0, &["contact", "export", &out]);
    center.lines(0, &["contact", "remove", "sari@bank.test"]);
    center.lines(2, &["contact", "export", &out]);
    center.lines(0, &["contact", "remove", "soc@bank.test"]);
    center.lines(0, &["contact", "import", &out]);
    assert_eq!(without_numbers(&center), before);
    drop(daemon);
}

/// A later end of the pinned certificate is taken; another certificate with her name is not.
#[test]
fn p4_a_refreshed_certificate_is_taken_and_another_one_waits_for_a_person() {
    let center = Center::new();
    let daemon = center.daemon();
    let (gpg, forger) = (crate::harness::gpg::Gpg::new(), crate::harness::gpg::Gpg::new());
    let key = gpg.new_key_until("Sari <sari@bank.test>", "future-default", "30d");
    let file = center.write("sari.asc", std::str::from_utf8(&gpg.export(&key)).unwrap());
    center.lines(
        0,
        &[
            "contact",
            "add",
            "--name",
            "Sari",
            "--address",
            "sari@bank.test",
            "--kind",
            "person",
            "--organisation",
            "Bank",
            "--certificate",
            &file,
        ],
    );
    center.lines(0, &["contact", "verify", "sari@bank.test", "--how", "call-back"]);
    let contact = |center: &Center| center.json(&["contact", "show", "sari@bank.test", "--json"]).remove(0);
    let before = contact(&center);
    assert_eq!((&before["verified_how"], &before["unfit"]), (&Value::from("call-back"), &Value::from("")));

    let folder = std::path::Path::new(&file).parent().unwrap().join("keyring");
    std::fs::create_dir(&folder).unwrap();
    let path = folder.to_str().unwrap();
    gpg.must(&["--quick-set-expire", &key, "2y"], b"");
    gpg.must(&["--quick-set-expire", &key, "2y", "*"], b"");
    std::fs::write(folder.join("a.asc"), gpg.export(&key)).unwrap();
    let forged = forger.new_key("Sari <sari@bank.test>", "future-default");
    std::fs::write(folder.join("b.asc"), forger.export(&forged)).unwrap();
    std::fs::write(folder.join("c.asc"), forger.export(&forger.new_key("Orang <orang@lain.test>", "future-default"))).unwrap();
    std::fs::write(folder.join("d.txt"), "no certificate").unwrap();
    let told = center.lines(0, &["key", "refresh", path]);
    assert_eq!(told.last().unwrap(), "1 brought up to date, 0 as they were, 1 wait for a person, 1 of nobody here");
    assert!(told.iter().any(|line| line.starts_with(&forged) && line.contains("not taken")), "{told:?}");
    let after = contact(&center);
    assert!(after["expires_at"].as_str() > before["expires_at"].as_str(), "{before} {after}");
    assert_eq!((&after["fingerprint"], &after["verified_at"]), (&Value::from(key.as_str()), &before["verified_at"]));
    assert_eq!(
        center.lines(0, &["key", "refresh", path]).last().unwrap(),
        "0 brought up to date, 1 as they were, 1 wait for a person, 1 of nobody here"
    );

    // A person pins the other one: said that it must be verified anew, and it is not verified.
    let output = center.run(&["key", "import", folder.join("b.asc").to_str().unwrap(), "--contact", "sari@bank.test"]);
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("must be verified again"), "{complaint}");
    assert_eq!(contact(&center)["verified_at"], Value::Null);
    let output = center.run(&["key", "import", folder.join("c.asc").to_str().unwrap(), "--contact", "sari@bank.test"]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("none of its user IDs names sari@bank.test"));
    drop(daemon);
}

#[test]
fn m16_what_a_stranger_wrote_moves_no_terminal() {
    let center = Center::new();
    let daemon = center.daemon();
    let now = time("2026-11-24T06:00:00Z");
    let id = daemon.insert_mail(&[arrival(1, "x")], now).unwrap()[0];
    let hostile = "moc.\u{202e}exe\u{1b}]8;;http://x\u{7}\u{200b}\u{85}";
    daemon
        .decide(id, &Question::default(), &place(), now, |world| {
            let Decision { effects, because } = opens(world, now);
            let effects = effects
                .into_iter()
                .map(|effect| match effect {
                    Effect::File(mut filing) => {
                        filing.subject = hostile.into();
                        filing.text = hostile.into();
                        Effect::File(filing)
                    }
                    other => other,
                })
                .collect();
            Decision { effects, because }
        })
        .unwrap();
    for arguments in [
        &["mail", "list"][..],
        &["mail", "list", "--json"],
        &["mail", "show", "1"],
        &["ticket", "show", "BANTUAN70-2026-000001"],
        &["ticket", "show", "BANTUAN70-2026-000001", "--json"],
    ] {
        let output = String::from_utf8(center.run(arguments).stdout).unwrap();
        assert!(output.contains("moc."), "{output}");
        assert!(!output.chars().any(|c| (c.is_control() && c != '\n') || "\u{202e}\u{200b}".contains(c)), "{arguments:?} {output:?}");
    }
    assert_eq!(center.json(&["mail", "show", "1", "--json"])[0]["subject"], hostile);
}

#[test]
fn a_backup_is_put_back_into_an_empty_directory_alone() {
    let center = Center::new();
    let daemon = center.daemon();
    one_ticket(&daemon);
    let file = center.folder.path().join("copy.db").display().to_string();
    center.lines(0, &["backup", &file]);
    center.lines(2, &["backup", &file]);
    center.lines(2, &["restore", &file]);
    center.lines(0, &["audit", "verify"]);
    drop(daemon);
    let other = Center::new();
    other.lines(0, &["restore", &file]);
    assert_eq!(other.json(&["ticket", "list", "--json"]).len(), 1);
    let report = &other.json(&["audit", "verify", "--json"])[0];
    assert_eq!(report["problems"], serde_json::json!([]));
    assert!(!Path::new(&other.database()).with_extension("db.part").exists());
}

#[test]
fn f66_a_second_daemon_is_refused_and_names_the_first() {
    let center = Center::new();
    let _daemon = center.daemon();
    let error = Store::open(&center.database()).unwrap_err();
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error:#}");
    center.lines(0, &["audit", "verify"]);
}

#[test]
fn f62_a_damaged_database_is_exit_1_and_a_newer_one_exit_2() {
    let center = Center::new();
    one_ticket(&center.daemon());
    rusqlite::Connection::open(center.database()).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let output = center.run(&["ticket", "list"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("version 99"), "{output:?}");
    std::fs::write(center.database(), b"no database at all".repeat(500)).unwrap();
    let output = center.run(&["ticket", "list"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("bantuan70 restore"), "{output:?}");
}

#[test]
fn f68_a_listing_whose_reader_went_away_is_done() {
    let center = Center::new();
    let daemon = center.daemon();
    let now = time("2026-11-24T06:00:00Z");
    let arrivals: Vec<_> = (1..=2_000).map(|uid| arrival(uid, &format!("mail {uid}"))).collect();
    daemon.insert_mail(&arrivals, now).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_bantuan70"))
        .args(["--config".as_ref(), center.folder.path().join("bantuan70.toml").as_os_str()])
        .args(["mail", "list", "--json"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}
