//! The program as an administrator meets it: exit status, the one line that says why, help, and
//! that nothing is overwritten or said that should not be.

use crate::harness::servers::Servers;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const VERBS: &[&str] = &[
    "init",
    "demo",
    "run",
    "check",
    "inspect",
    "rules",
    "templates",
    "ticket",
    "contact",
    "key",
    "outbox",
    "mail",
    "quarantine",
    "retention",
    "report",
    "audit",
    "backup",
    "restore",
    "completions",
    "man",
];

/// A password that must be seen nowhere.
const CANARY: &str = "sandi-rahasia-4711";

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bantuan70")).args(arguments).current_dir(folder).env("RUST_BACKTRACE", "0").output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The one line on stderr, where the verb ended with that status.
fn refused(folder: &Path, exit: i32, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let line = err(&output);
    assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {line}{}", out(&output));
    assert_eq!(line.lines().count(), 1, "one line: {line}");
    line
}

/// A folder as `init` makes it, with a key, and servers named in it.
struct Center {
    folder: tempfile::TempDir,
}

impl Center {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let center = Self { folder };
        let output = run(center.path(), &["init", ".", "--generate-key", "--name", "Pusat \"Kontak\"", "--address", "kontak@bssn.test"]);
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        let export = run(center.path(), &["init", "ani", "--generate-key", "--name", "Ani", "--address", "ani@bssn.test"]);
        assert_eq!(export.status.code(), Some(0), "{}", err(&export));
        let secret = fs::read(center.path().join("ani/keys/center.key")).unwrap();
        let own = bantuan70::openpgp::OwnKey::read(&secret, None, jiff::Timestamp::now()).unwrap();
        fs::write(center.path().join("keys/ani.asc"), own.armored()).unwrap();
        center
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn file(&self) -> PathBuf {
        self.path().join("bantuan70.toml")
    }

    /// Puts lines into a section of the configuration.
    fn set(&self, section: &str, lines: &str) {
        let text = fs::read_to_string(self.file()).unwrap();
        let head = format!("[{section}]\n");
        assert!(text.contains(&head), "{section} is not in the configuration");
        fs::write(self.file(), text.replacen(&head, &format!("{head}{lines}\n"), 1)).unwrap();
    }

    fn add_ani(&self) {
        let text = fs::read_to_string(self.file()).unwrap();
        let ani = "\n[[analyst]]\nname = \"Ani\"\naddress = \"ani@bssn.test\"\ncertificate = \"keys/ani.asc\"\n";
        fs::write(self.file(), text + ani).unwrap();
    }

    fn password(&self, text: &str) {
        let path = self.path().join("imap.password");
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Two Maildirs instead of servers.
    fn with_maildirs(self) -> Self {
        self.set("intake", "kind = \"maildir\"\npath = \"in\"");
        self.set("outgoing", "kind = \"maildir\"\npath = \"out\"");
        self.add_ani();
        self
    }

    fn with_servers(self, imap: u16, smtp: u16, ca: &Path) -> Self {
        let login = "user = \"bantuan70\"\npassword_file = \"imap.password\"";
        let ca = ca.display();
        self.set("intake", &format!("host = \"localhost\"\nport = {imap}\nca_file = \"{ca}\"\n{login}"));
        self.set("outgoing", &format!("host = \"localhost\"\nport = {smtp}\nca_file = \"{ca}\"\n{login}"));
        self.add_ani();
        self
    }

    /// What `check` says, with its exit status.
    fn check(&self, arguments: &[&str]) -> (i32, String) {
        let output = run(self.path(), &[&["check"], arguments].concat());
        assert_eq!(err(&output), "", "answers go to stdout");
        (output.status.code().unwrap(), out(&output))
    }

    fn failures(&self, arguments: &[&str]) -> (i32, Vec<String>) {
        let (exit, text) = self.check(arguments);
        (exit, text.lines().filter(|line| line.starts_with("FAIL")).map(str::to_owned).collect())
    }
}

#[test]
fn every_verb_explains_itself() {
    let folder = tempfile::tempdir().unwrap();
    for verb in VERBS {
        let output = run(folder.path(), &[verb, "--help"]);
        assert_eq!(output.status.code(), Some(0), "{verb}");
        let text = out(&output);
        assert!(text.contains("Usage: bantuan70 ") && text.contains("--config <FILE>"), "{verb}: {text}");
    }
}

#[test]
fn wrong_usage_is_exit_2() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["nosuch"][..], &[], &["check", "--nosuch"], &["inspect"], &["init"]] {
        assert_eq!(run(folder.path(), arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn json_where_there_is_none_and_numbers_that_are_none_are_refused_in_words() {
    let nowhere = tempfile::tempdir().unwrap();
    for (arguments, instead) in [
        (&["--json", "ticket", "export", "1", "--format", "eml"][..], "use --format json"),
        (&["outbox", "retry", "7", "--json"], "outbox list --json"),
        (&["init", "centre", "--json"], "leave out --json"),
    ] {
        let line = refused(nowhere.path(), 2, arguments);
        assert!(line.contains("prints no JSON") && line.contains(instead), "{arguments:?}: {line}");
    }
    assert!(!nowhere.path().join("centre").exists(), "nothing was done");
    for arguments in
        [&["outbox", "retry", "x"][..], &["mail", "show", "-1"], &["mail", "list", "--limit", "0.5"], &["ticket", "list", "--limit", "0"]]
    {
        let output = run(nowhere.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!err(&output).contains("invalid digit"), "{arguments:?}: {}", err(&output));
    }
    assert!(err(&run(nowhere.path(), &["outbox", "retry", "x"])).contains("whole number from 1, as the first column of the list shows it"));
}

#[test]
fn a_wrong_key_is_exit_2_with_file_line_key_and_reason() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("bantuan70.toml"), "[center]\nname = \"x\"\nadress = \"a@b.example\"\n").unwrap();
    let line = refused(folder.path(), 2, &["ticket", "list"]);
    assert!(line.contains("bantuan70.toml:3: center.adress: unknown key 'adress'"), "{line}");
    let output = run(folder.path(), &["check"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(out(&output).starts_with("FAIL  configuration") && out(&output).contains(":3: center.adress"), "{}", out(&output));
}

#[test]
fn a_configuration_that_is_not_there_is_exit_2() {
    let folder = tempfile::tempdir().unwrap();
    let line = refused(folder.path(), 2, &["outbox", "list", "--config", "nowhere.toml"]);
    assert!(line.contains("nowhere.toml: cannot read the configuration") && line.contains("bantuan70 init"), "{line}");
}

#[test]
fn inspect_and_rules_need_no_configuration() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.eml"), "From: a@b.example\r\nSubject: Situs diretas\r\n\r\nHalaman depan berubah.\r\n").unwrap();
    let output = run(folder.path(), &["inspect", "a.eml"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let object: Value = serde_json::from_str(out(&output).trim()).unwrap();
    assert_eq!(object["kind"], "report");
    assert_eq!(run(folder.path(), &["rules", "check"]).status.code(), Some(0));
}

#[test]
fn init_makes_a_folder_to_start_from_and_overwrites_nothing() {
    let center = Center::new();
    let key = center.path().join("keys/center.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(key.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::read_to_string(center.path().join("rules/README.md")).unwrap(), include_str!("../../rules/README.md"));
    assert!(center.path().join("rules/phishing.toml").exists() && center.path().join("templates/id/acknowledgement.txt").exists());
    let text = fs::read_to_string(center.file()).unwrap();
    assert!(text.contains("name = \"Pusat \\\"Kontak\\\"\"") && text.contains("\nkey_file = \"keys/center.key\""), "{text}");

    let changed = center.path().join("templates/id/acknowledgement.txt");
    fs::write(&changed, "changed by hand").unwrap();
    fs::remove_file(center.path().join("templates/en/survey.txt")).unwrap();
    let secret = fs::read(&key).unwrap();
    let again = run(center.path(), &["init", ".", "--generate-key"]);
    assert_eq!(again.status.code(), Some(0), "{}", err(&again));
    assert!(out(&again).contains("kept  ./templates/id/acknowledgement.txt"), "{}", out(&again));
    assert_eq!(fs::read_to_string(&changed).unwrap(), "changed by hand");
    assert_eq!(fs::read(&key).unwrap(), secret);
    assert_eq!(fs::read_to_string(center.file()).unwrap(), text);
    assert!(center.path().join("templates/en/survey.txt").exists(), "what was missing is there again");
}

#[test]
fn d1_init_refuses_an_address_or_name_that_is_none_before_it_writes() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [["--address", "a b@c"], ["--address", "a@b.example\r\nBcc: x@y"], ["--name", "a\nb"]] {
        let line = refused(folder.path(), 2, &[&["init", "new"], &arguments[..]].concat());
        assert!(line.contains("center."), "{line}");
        assert!(!folder.path().join("new").exists());
    }
}

#[test]
fn check_of_what_init_made_names_what_is_missing() {
    let center = Center::new();
    let (exit, failures) = center.failures(&["--offline"]);
    assert_eq!((exit, failures.len()), (2, 3), "{failures:?}");
    for (line, key) in failures.iter().zip(["intake.host", "outgoing.host", "analyst"]) {
        assert!(line.contains(&format!("{key}: is missing")), "{failures:?}");
    }
    let center = center.with_maildirs();
    let (exit, text) = center.check(&["--offline"]);
    assert_eq!(exit, 0, "{text}");
    assert!(text.contains("ends in 109") && text.contains("certificate ani@bssn.test"), "days to expiry: {text}");
}

#[test]
fn check_fails_for_folders_that_run_could_not_make() {
    let center = Center::new().with_maildirs();
    fs::write(center.path().join("file"), "no folder").unwrap();
    let text = fs::read_to_string(center.file()).unwrap();
    fs::write(center.file(), text.replace("path = \"out\"", "path = \"file/out\"")).unwrap();
    let (exit, failures) = center.failures(&["--offline"]);
    assert_eq!((exit, failures.len()), (2, 1), "{failures:?}");
    assert!(failures[0].contains("file/out cannot be made") && failures[0].contains("file is no folder"), "{failures:?}");
}

/// Whoever reads the first line alone (`check | head -1`) still gets the exit status of all checks.
#[test]
fn f68_check_keeps_its_exit_status_when_nobody_reads_on() {
    let center = Center::new();
    let mut child = Command::new(env!("CARGO_BIN_EXE_bantuan70"))
        .args(["check", "--offline"])
        .current_dir(center.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(2));
}

#[test]
fn a_manual_page_is_written_for_each_verb() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(folder.path(), &["man", "--into", "."]).status.code(), Some(0));
    let page = fs::read_to_string(folder.path().join("bantuan70.1")).unwrap();
    for verb in VERBS {
        assert!(page.contains(&format!("bantuan70\\-{verb}(1)")), "{verb}");
        assert!(folder.path().join(format!("bantuan70-{verb}.1")).exists(), "{verb}");
    }
    assert_eq!(run(folder.path(), &["man", "--into", "nowhere"]).status.code(), Some(3));
}

#[test]
fn check_says_json_on_request() {
    let center = Center::new().with_maildirs();
    let (exit, text) = center.check(&["--offline", "--json"]);
    assert_eq!(exit, 0, "{text}");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() > 5 && lines.iter().all(|line| line["result"] == "ok" && line["check"].is_string()), "{text}");
    // What nobody here can release is said now, and not when a draft has waited for a week.
    let approvals = lines.iter().find(|line| line["check"] == "approvals").unwrap_or_else(|| panic!("{text}"));
    assert!(
        approvals.to_string().contains("0 can agree to a dissemination") && approvals.to_string().contains("TLP:RED asks for 2"),
        "{approvals}"
    );
}

#[test]
fn check_names_each_file_that_is_missing_or_wrong() {
    let wrong = |spoil: &dyn Fn(&Path)| {
        let center = Center::new().with_maildirs();
        spoil(center.path());
        let (exit, failures) = center.failures(&["--offline"]);
        assert_eq!(failures.len(), 1, "{failures:?}");
        (exit, failures[0].clone())
    };
    let (exit, line) = wrong(&|folder| fs::remove_file(folder.join("keys/center.key")).unwrap());
    assert!(exit == 2 && line.contains("openpgp.key_file: cannot read") && line.contains("keys/center.key"), "{line}");
    let (exit, line) = wrong(&|folder| fs::set_permissions(folder.join("keys/center.key"), fs::Permissions::from_mode(0o644)).unwrap());
    assert!(exit == 2 && line.contains("mode 0644") && line.contains("chmod 600"), "f71: {line}");
    let (exit, line) = wrong(&|folder| fs::write(folder.join("keys/center.key"), "no key").unwrap());
    assert!(exit == 2 && line.contains("openpgp.key_file"), "{line}");
    let (exit, line) = wrong(&|folder| fs::remove_file(folder.join("keys/ani.asc")).unwrap());
    assert!(exit == 2 && line.contains("ani.asc"), "{line}");
    let (exit, line) = wrong(&|folder| {
        fs::copy(folder.join("ani/keys/center.key"), folder.join("keys/ani.asc")).unwrap();
    });
    assert!(exit == 2 && line.contains("secret key"), "a secret key is no certificate: {line}");
    let (exit, line) = wrong(&|folder| fs::write(folder.join("templates/id/reply.txt"), "Subject: {{ tag }}\n\n{{ nosuch }}\n").unwrap());
    assert!(exit == 2 && line.contains("reply.txt:3: 'nosuch' is no field"), "f72: {line}");
    let (exit, line) = wrong(&|folder| fs::write(folder.join("rules/mine.toml"), "nosuch = 1\n").unwrap());
    assert!(exit == 2 && line.contains("mine.toml:1"), "f72: {line}");
    let (exit, line) = wrong(&|folder| {
        fs::create_dir(folder.join("data")).unwrap();
        fs::write(folder.join("data/bantuan70.db"), "this is no database, and long enough to be taken for one").unwrap();
        fs::set_permissions(folder.join("data"), fs::Permissions::from_mode(0o700)).unwrap();
    });
    assert!(exit != 0 && line.contains("database"), "{line}");
}

#[test]
fn c13_check_finds_two_people_with_one_certificate() {
    let center = Center::new().with_maildirs();
    let text = fs::read_to_string(center.file()).unwrap();
    fs::write(center.file(), text + "[[chief]]\naddress = \"citra@bssn.test\"\ncertificate = \"keys/ani.asc\"\n").unwrap();
    let (exit, failures) = center.failures(&["--offline"]);
    assert_eq!((exit, failures.len()), (2, 1), "{failures:?}");
    assert!(failures[0].contains("chief[1].certificate: is the same certificate as that of analyst[1]"), "{failures:?}");
}

#[test]
fn f71_run_refuses_a_key_that_is_gone_open_to_others_or_locked() {
    let center = Center::new().with_maildirs();
    let key = center.path().join("keys/center.key");
    let output = run(center.path(), &["run", "--once"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));

    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(refused(center.path(), 2, &["run", "--once"]).contains("chmod 600"));

    let center_address = bantuan70::model::Address::parse("kontak@bssn.test").unwrap();
    let locked = bantuan70::openpgp::generate_own("Pusat", &center_address, Some(CANARY), jiff::Timestamp::now()).unwrap();
    fs::write(&key, locked.secret).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(refused(center.path(), 2, &["run", "--once"]).contains("openpgp.key_file"));
    center.set("openpgp", "password_file = \"key.password\"");
    let password = center.path().join("key.password");
    fs::write(&password, "salah-4712").unwrap();
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    let line = refused(center.path(), 2, &["run", "--once"]);
    assert!(!line.contains("salah-4712"), "{line}");
    fs::write(&password, CANARY).unwrap();
    let output = run(center.path(), &["run", "--once"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(!err(&output).contains(CANARY), "{}", err(&output));

    fs::remove_file(&key).unwrap();
    assert!(refused(center.path(), 2, &["run", "--once"]).contains("keys/center.key"));
}

#[test]
fn run_names_what_it_needs_before_it_touches_anything() {
    let center = Center::new();
    assert!(refused(center.path(), 2, &["run"]).contains("intake.host: is missing"));
    assert!(!center.path().join("data").exists());
}

#[test]
fn the_data_directory_is_for_its_owner_alone() {
    let center = Center::new().with_maildirs();
    assert_eq!(run(center.path(), &["run", "--once"]).status.code(), Some(0));
    let mode = |path: &str| fs::metadata(center.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("data"), mode("data/bantuan70.db")), (0o700, 0o600));
    assert_eq!(center.failures(&[]), (0, Vec::new()));
}

#[test]
fn a_server_that_does_not_answer_is_exit_3_with_its_name() {
    let center = Center::new();
    center.password("pw");
    // Port 9 of the loopback: nobody listens there.
    let center = center.with_servers(9, 9, Path::new("/etc/hostname"));
    let text = fs::read_to_string(center.file()).unwrap();
    fs::write(center.file(), text.replace("ca_file = \"/etc/hostname\"\n", "")).unwrap();
    let (exit, failures) = center.failures(&[]);
    assert_eq!((exit, failures.len()), (3, 2), "{failures:?}");
    assert!(failures[0].starts_with("FAIL  imap localhost:9") && failures[1].starts_with("FAIL  smtp localhost:9"), "{failures:?}");
    assert_eq!(center.check(&["--offline"]).0, 0, "the network is left out");
}

#[test]
fn check_logs_in_and_a_wrong_password_is_exit_3_and_is_not_repeated() {
    let servers = Servers::start();
    let center = Center::new();
    center.password("pw\n");
    let center = center.with_servers(servers.imaps, servers.submission, &servers.ca);
    let (exit, text) = center.check(&[]);
    assert_eq!(exit, 0, "{text}");
    assert_eq!(text.matches("log-in accepted").count(), 2, "{text}");
    center.password(CANARY);
    let (exit, text) = center.check(&[]);
    assert_eq!(exit, 3, "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("FAIL")).count(), 2, "{text}");
    assert!(!text.contains(CANARY), "{text}");
    fs::set_permissions(center.path().join("imap.password"), fs::Permissions::from_mode(0o644)).unwrap();
    let (exit, text) = center.check(&[]);
    assert!(exit == 2 && text.contains("intake.password_file") && text.contains("chmod 600"), "{text}");
}

#[test]
fn completions_and_the_manual_page_are_printed() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let text = out(&run(folder.path(), &["completions", shell]));
        assert!(text.contains("bantuan70"), "{shell}");
    }
    assert!(out(&run(folder.path(), &["man"])).contains(".TH bantuan70"));
}
