//! What the configuration accepts, refuses and says.

use super::*;
use crate::model::Fingerprint;

fn load(text: &str) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bantuan70.toml");
    std::fs::write(&file, text).unwrap();
    Config::load(&file).map(|mut config| {
        // The folder ends with this function; what is compared is what stands below it.
        config.center.data_dir = config.center.data_dir.strip_prefix(folder.path()).map(Path::to_owned).unwrap_or(config.center.data_dir);
        config
    })
}

/// The error without its folder.
fn refused(text: &str) -> String {
    let error = load(text).expect_err(text).to_string();
    assert_eq!(error.lines().count(), 1, "one line: {error}");
    error.split_once("bantuan70.toml").map(|(_, rest)| rest.to_owned()).unwrap()
}

#[test]
fn an_empty_file_gives_the_contracts_defaults() {
    let config = load("").unwrap();
    assert_eq!(config.center.ticket_prefix, "BANTUAN70");
    assert_eq!(config.center.address.as_str(), "bantuan70@bssn.test");
    assert_eq!(config.center.language, Language::Id);
    assert_eq!(config.intake.message_bytes_max, 50 << 20);
    assert_eq!(config.intake.poll_interval, Duration::from_secs(60));
    assert_eq!(config.sla.warn_at, [500, 800]);
    assert_eq!(config.dissemination.approvals[&Tlp::AmberStrict], 2);
    assert_eq!(config.dissemination.approvals[&Tlp::Amber], 1);
    assert_eq!((config.report.daily_at, config.retention.messages, config.metrics_listen), (None, None, None));
    assert!(config.intake.source.is_none() && config.outgoing.target.is_none());
    let missing: Vec<String> = config.missing_to_run().into_iter().map(|error| error.key).collect();
    assert_eq!(missing, ["intake.host", "outgoing.host", "openpgp.key_file", "analyst"]);
}

#[test]
fn a_wrong_key_is_named_with_file_line_and_remedy() {
    let error = refused("[center]\nname = \"x\"\n\n[intake]\nhosst = \"a\"\n");
    assert!(error.starts_with(":5: intake.hosst: unknown key 'hosst'"), "{error}");
    let error = refused("[centre]\nname = \"x\"\n");
    assert!(error.starts_with(":1: centre: unknown key 'centre'"), "{error}");
    let error = refused("[[analyst]]\naddress = \"a@b.example\"\ncertificate = \"a\"\n[[analyst]]\nadress = \"a@b.example\"\n");
    assert!(error.starts_with(":5: analyst[2].adress: unknown key"), "{error}");
}

#[test]
fn a_wrong_value_is_named_with_what_to_write() {
    for (text, place, remedy) in [
        ("[sla]\nverification = \"24\"\n", ":2: sla.verification: ", "\"24h\""),
        ("[sla]\nverification = 24\n", ":2: sla.verification: ", "text in double quotes"),
        ("[sla]\nwarn_at = [0.5, 80]\n", ":2: sla.warn_at: ", "between 0 and 1"),
        ("[sla]\ncalendar = \"working-hours\"\n", ":1: sla.working_hours: ", "08:00-16:00"),
        ("[center]\n\naddress = \"a b@c\"\n", ":3: center.address: ", "name@domain"),
        ("[center]\ntime_zone = \"Jakarta\"\n", ":2: center.time_zone: ", "Asia/Jakarta"),
        ("[center]\nname = \"a\\r\\nBcc: x@y.example\"\n", ":2: center.name: ", "one line"),
        ("[dissemination]\napprovals = { PINK = 1 }\n", ":2: dissemination.approvals: ", "AMBER+STRICT"),
        ("[dissemination]\napprovals = { RED = 0 }\n", ":2: dissemination.approvals: ", "1 to 9"),
        ("[intake]\nprocessed = \"inbox\"\n", ":2: intake.processed: ", "must differ"),
        (
            "[intake]\nkind = \"maildir\"\npath = \"mail\"\n[outgoing]\nkind = \"maildir\"\npath = \"mail/out\"\n",
            ":6: outgoing.path: ",
            "a folder of its own",
        ),
        ("[intake]\nkind = \"maildir\"\n", ":1: intake.path: ", "name the Maildir"),
        ("[intake]\npath = \"x\"\n", ":2: intake.path: ", "kind = \"maildir\""),
        ("[intake]\nhost = \"h\"\n", ":1: intake.user: ", "is missing"),
        ("[intake]\nhost = \"h\"\nuser = \"u\"\n", ":1: intake.password_file: ", "password_credential"),
        ("[outgoing]\nhost = \"h\"\npassword_file = \"p\"\n", ":1: outgoing.user: ", "is missing"),
        ("[outgoing]\nhost = \"h\"\nport = 0\n", ":3: outgoing.port: ", "587"),
        (
            "[outgoing]\nhost = \"h\"\nport = 70000\n",
            ":3: outgoing.port: ",
            "'70000' cannot stand here; write a whole number from 0 to 65535",
        ),
        ("[outgoing]\nhost = \"h\"\nport = \"587\"\n", ":3: outgoing.port: ", "\"587\" cannot stand here; write a whole number"),
        ("[acknowledgement]\nsign = 1\n", ":2: acknowledgement.sign: ", "true or false"),
        ("[acknowledgement]\nper_hour = -1\n", ":2: acknowledgement.per_hour: ", "write a whole number from 0"),
        ("[sla]\nwarn_at = 0.5\n", ":2: sla.warn_at: ", "a list in square brackets"),
        ("[openpgp]\npassword_credential = \"../x\"\n", ":2: openpgp.password_credential: ", "systemd credential"),
        ("[intake]\nkind = \"pop3\"\n", ":2: intake.kind: ", "maildir"),
        ("[metrics]\nlisten = \"9170\"\n", ":2: metrics.listen: ", "127.0.0.1:9170"),
        ("[metrics]\nlisten = \"0.0.0.0:9170\"\n", ":2: metrics.listen: ", "loopback"),
        ("[intake\n", ":1: ", ""),
    ] {
        let error = refused(text);
        assert!(error.starts_with(place) && error.contains(remedy), "{text:?} gave {error}");
    }
}

#[test]
fn a_password_in_the_file_is_refused_and_not_repeated() {
    for section in ["intake", "outgoing", "openpgp"] {
        let error = refused(&format!("[{section}]\npassword = \"hunter2\"\n"));
        assert!(error.contains("password_file") && error.contains("never written"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn tls_none_is_for_loopback_alone() {
    let with = |host: &str| format!("[intake]\nhost = \"{host}\"\nuser = \"u\"\npassword_file = \"p\"\ntls = \"none\"\n");
    assert!(load(&with("127.0.0.1")).is_ok());
    assert!(load(&with("localhost")).is_ok());
    let error = refused(&with("imap.example"));
    assert!(error.starts_with(":5: intake.tls: ") && error.contains("starttls"), "{error}");
}

#[test]
fn relative_paths_are_meant_from_the_files_folder() {
    let config = load("[center]\ndata_dir = \"data\"\n").unwrap();
    assert_eq!(config.center.data_dir, Path::new("data"), "below the folder of the file");
    let config = load("[center]\ndata_dir = \"/srv/data\"\n").unwrap();
    assert_eq!(config.center.data_dir, Path::new("/srv/data"));
}

#[test]
fn c13_one_address_is_one_person() {
    let person = |kind: &str, address: &str| format!("[[{kind}]]\naddress = \"{address}\"\ncertificate = \"c\"\n");
    let error = refused(&(person("analyst", "a@b.example") + &person("chief", "A@B.example")));
    assert!(error.contains("chief[1].address: a@b.example is that of analyst[1]"), "{error}");
    let error = refused(&person("analyst", "bantuan70@bssn.test"));
    assert!(error.contains("that of center"), "{error}");
}

#[test]
fn c13_one_certificate_is_one_person() {
    let text =
        "[[analyst]]\naddress = \"a@b.example\"\ncertificate = \"one\"\n[[chief]]\naddress = \"c@b.example\"\ncertificate = \"two\"\n";
    let config = load(text).unwrap();
    let error = config.policy(&|_| Ok(Fingerprint("AA".to_owned()))).unwrap_err().to_string();
    assert!(error.contains("chief[1].certificate: is the same certificate as that of analyst[1]"), "{error}");
    let policy = config.policy(&|path| Ok(Fingerprint(path.file_name().unwrap().to_string_lossy().into_owned()))).unwrap();
    assert_eq!(policy.people.len(), 2);
    assert!(!policy.people[0].can_approve, "an analyst approves only where the file says so");
    assert!(policy.people[1].can_approve, "a chief always may");
    let error = config.policy(&|_| Err("no certificate in it".to_owned())).unwrap_err().to_string();
    assert!(error.contains("analyst[1].certificate: ") && error.contains("no certificate in it"), "{error}");
}

#[test]
fn f71_a_password_file_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let (file, password) = (folder.path().join("bantuan70.toml"), folder.path().join("imap.password"));
    std::fs::write(&file, "[intake]\nhost = \"h.example\"\nuser = \"u\"\npassword_file = \"imap.password\"\n").unwrap();
    std::fs::write(&password, "hunter2\n").unwrap();
    let config = Config::load(&file).unwrap();
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = config.intake.password().unwrap_err().to_string();
    assert!(error.contains("chmod 600") && !error.contains("hunter2"), "{error}");
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600)).unwrap();
    let secret = config.intake.password().unwrap().unwrap();
    assert_eq!(secret.expose(), "hunter2");
    assert!(!format!("{secret:?} {config:?}").contains("hunter2"));
    std::fs::remove_file(&password).unwrap();
    assert!(config.intake.password().unwrap_err().to_string().contains("intake.password_file: cannot read"));
}

#[test]
fn xoauth2_takes_a_command_and_no_password() {
    let base = "[intake]\nhost = \"h.example\"\nuser = \"u\"\nauth = \"xoauth2\"\n";
    assert!(refused(base).contains("intake.token_command: is missing"));
    assert!(refused(&format!("{base}token_command = [\"t\"]\npassword_file = \"p\"\n")).contains("take one out"));
    let config = load(&format!("{base}token_command = [\"token\", \"--fresh\"]\n")).unwrap();
    assert!(matches!(config.intake.source, Some(Source::Imap { login: Login::XOauth2 { .. }, .. })));
}

#[test]
fn the_keys_that_the_file_sets_are_known() {
    let config = load("[metrics]\nlisten = \"127.0.0.1:9170\"\n[[analyst]]\naddress = \"a@b.example\"\ncertificate = \"c\"\n").unwrap();
    let keys: Vec<&str> = config.keys_set.iter().map(String::as_str).collect();
    assert_eq!(keys, ["analyst.address", "analyst.certificate", "metrics.listen"]);
}
