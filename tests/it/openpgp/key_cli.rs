//! `bantuan70 key`, as an administrator types it.

use crate::harness::gpg::Gpg;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

struct Center {
    folder: tempfile::TempDir,
}

impl Center {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let config = format!(
            "[center]\nname = \"Pusat Kontak\"\naddress = \"bantuan70@bssn.test\"\ndata_dir = \"{}\"\n[openpgp]\nkey_file = \"center.key\"\n",
            data.display()
        );
        std::fs::write(folder.path().join("bantuan70.toml"), config).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> String {
        std::fs::write(self.path(name), bytes).unwrap();
        self.path(name).display().to_string()
    }

    /// Exit status, answer, complaint.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_bantuan70")).arg("key").args(arguments).current_dir(&self.folder).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }
}

#[test]
fn the_centres_key_is_made_once_and_its_secret_part_is_never_printed() {
    let center = Center::new();
    let (exit, made, _) = center.run(&["generate"]);
    assert_eq!(exit, 0);
    let fingerprint = made.split_whitespace().next().unwrap().to_owned();
    let secret = std::fs::read(center.path("center.key")).unwrap();
    assert_eq!(std::fs::metadata(center.path("center.key")).unwrap().permissions().mode() & 0o777, 0o600);
    let (exit, _, complaint) = center.run(&["generate"]);
    assert_eq!(exit, 2, "{complaint}");
    assert_eq!(std::fs::read(center.path("center.key")).unwrap(), secret);
    let (exit, exported, _) = center.run(&["export"]);
    assert_eq!(exit, 0);
    let gpg = Gpg::new();
    gpg.import(exported.as_bytes());
    assert!(!gpg.run(&["--list-secret-keys", &fingerprint], b"").ok);
    assert!(gpg.run(&["--list-keys", &fingerprint], b"").ok);
    // The revocation certificate is one.
    gpg.run(&["--import"], &std::fs::read(center.path("center.revocation.asc")).unwrap());
    let listed = gpg.must(&["--with-colons", "--list-keys", &fingerprint], b"").out;
    assert!(String::from_utf8(listed).unwrap().contains("pub:r:"));
    // A key file that others can read is refused with what to do.
    std::fs::set_permissions(center.path("center.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let (exit, _, complaint) = center.run(&["export"]);
    assert!(exit == 2 && complaint.contains("chmod 600"), "{complaint}");
}

#[test]
fn certificates_come_in_stay_revoked_and_go() {
    let center = Center::new();
    let gpg = Gpg::new();
    let key = gpg.new_key("CSIRT Bank <csirt@bank.example>", "future-default");
    let good = center.write("good.asc", &gpg.export(&key));
    assert_eq!(center.run(&["import", &good]).0, 0);
    let (_, listed, _) = center.run(&["list", "--json"]);
    let row: serde_json::Value = serde_json::from_str(listed.trim()).unwrap();
    assert_eq!(row["fingerprint"], key.as_str());
    assert_eq!(row["problems"], serde_json::json!([]));
    let certificate = std::fs::read_to_string(gpg.home().join(format!("openpgp-revocs.d/{key}.rev"))).unwrap();
    gpg.import(certificate.replace(":-----BEGIN", "-----BEGIN").as_bytes());
    let revoked = center.write("revoked.asc", &gpg.export(&key));
    for file in [&revoked, &good] {
        let (exit, _, complaint) = center.run(&["import", file]);
        assert!(exit == 0 && complaint.contains("revoked"), "{complaint}");
    }
    let (exit, shown, _) = center.run(&["show", &key[24..]]);
    assert!(exit == 0 && shown.contains("it is revoked"), "{shown}");
    assert_eq!(center.run(&["export", &key]).0, 0);
    assert_eq!(center.run(&["remove", &key]).0, 0);
    assert_eq!(center.run(&["show", &key]).0, 1);
}

#[test]
fn what_is_no_certificate_is_refused_on_one_line() {
    let center = Center::new();
    let gpg = Gpg::new();
    let (one, two) = (gpg.new_key("A <a@x.example>", "future-default"), gpg.new_key("B <b@x.example>", "future-default"));
    let mut both = gpg.export(&one);
    both.extend(gpg.export(&two));
    for (what, bytes, reason) in [
        ("secret", gpg.export_secret(&one), "secret key"),
        ("two", both, "2 certificates"),
        ("text", b"hello\n".to_vec(), "OpenPGP"),
        ("nothing", Vec::new(), "OpenPGP"),
    ] {
        let file = center.write(what, &bytes);
        let (exit, _, complaint) = center.run(&["import", &file]);
        assert!(exit == 2 && complaint.contains(reason) && complaint.lines().count() == 1, "{what}: {complaint}");
        assert!(!complaint.contains("PRIVATE"));
    }
    assert_eq!(center.run(&["import", "missing.asc"]).0, 2);
    assert_eq!(center.run(&["show", "ABCD"]).0, 2);
}

#[test]
fn the_centres_key_is_renewed_rolled_over_and_shown_on_the_web() {
    let center = Center::new();
    center.run(&["generate"]);
    let (exit, _, complaint) = center.run(&["generate", "--renew"]);
    assert_eq!(exit, 2, "nothing is overwritten: {complaint}");
    let (exit, told, complaint) = center.run(&["generate", "--renew", "--output", "renewed.key"]);
    assert!(exit == 0 && told.contains("ends on"), "{complaint}");
    let (exit, told, complaint) = center.run(&["generate", "--roll-over", "--output", "next.key"]);
    assert_eq!(exit, 0, "{complaint}");
    let new = told.split_whitespace().next().unwrap().to_owned();
    let gpg = Gpg::new();
    gpg.import(&std::fs::read(center.path("renewed.key")).unwrap());
    gpg.import(&std::fs::read(center.path("next.key")).unwrap());
    assert_eq!(center.run(&["export", "--wkd", "www"]).0, 0);
    let listed = String::from_utf8(gpg.must(&["--with-wkd-hash", "--list-keys", "bantuan70@bssn.test"], b"").out).unwrap();
    let hash = listed.lines().find_map(|line| line.trim().strip_suffix("@bssn.test").filter(|hash| hash.len() == 32)).unwrap();
    let shown = std::fs::read(center.path(&format!("www/.well-known/openpgpkey/bssn.test/hu/{hash}"))).unwrap();
    let web = Gpg::new();
    web.import(&shown);
    // The present key's mail is opened by the file that has a new one at its head.
    let (_, exported, _) = center.run(&["export"]);
    let now = jiff::Timestamp::now();
    let next = bantuan70::openpgp::OwnKey::read(&std::fs::read(center.path("next.key")).unwrap(), None, now).unwrap();
    assert_eq!(next.fingerprint().0, new);
    let old = bantuan70::openpgp::Certificate::read(exported.as_bytes()).unwrap().fingerprint().0;
    assert_ne!(old, new);
    let message = web.encrypt_sign(None, &[&old], b"Content-Type: text/plain\r\n\r\nlama\r\n");
    let mail = crate::harness::gpg::encrypted_mail("From: a@x.example\nSubject: x\n", &message);
    let mut keyring = bantuan70::openpgp::Keyring::new();
    keyring.set_own(next);
    let opened = bantuan70::openpgp::open::open(bantuan70::mail::read::read(&mail), &keyring, now, 1 << 20);
    assert_eq!(opened.mail.text.full.trim(), "lama");
}

/// The primary key certifies and nothing else; one subkey signs, one is encrypted to; all of them end.
#[test]
fn the_centres_key_has_a_subkey_for_each_use_and_an_end() {
    let center = Center::new();
    assert_eq!(center.run(&["generate"]).0, 0);
    let gpg = Gpg::new();
    gpg.import(center.run(&["export"]).1.as_bytes());
    let listed = String::from_utf8(gpg.must(&["--with-colons", "--list-keys", "bantuan70@bssn.test"], b"").out).unwrap();
    let keys: Vec<Vec<&str>> =
        listed.lines().filter(|line| line.starts_with("pub:") || line.starts_with("sub:")).map(|line| line.split(':').collect()).collect();
    // Lower case is the key's own use; the fields are those of gpg's doc/DETAILS: 7 is the end, 12 the use.
    let uses: Vec<String> = keys.iter().map(|key| key[11].chars().filter(char::is_ascii_lowercase).collect()).collect();
    assert_eq!(uses, ["c", "s", "e"], "{listed}");
    assert!(keys.iter().all(|key| !key[6].is_empty()), "{listed}");
}

/// A key that was made and protected by gpg, with an encryption subkey that has ended beside the one of
/// today: what was encrypted to the old one is still opened, and nothing is encrypted to it any more.
#[test]
fn a_protected_key_of_gpg_is_taken_and_its_retired_subkey_still_opens() {
    use bantuan70::openpgp::{Certificate, Keyring, OwnKey, open::open};
    let gpg = Gpg::new();
    let with_password = |arguments: &[&str]| gpg.must(&[&["--passphrase", "rahasia dapur"], arguments].concat(), b"");
    let made = with_password(&["--quick-gen-key", "Pusat <bantuan70@bssn.test>", "future-default", "default", "2y"]).status;
    let key = made.lines().find(|line| line.contains("KEY_CREATED")).unwrap().split_whitespace().last().unwrap().to_owned();
    let subkeys = || -> Vec<String> {
        let listed = String::from_utf8(gpg.must(&["--with-colons", "--list-keys", &key], b"").out).unwrap();
        let prints: Vec<String> =
            listed.lines().filter(|line| line.starts_with("fpr:")).map(|line| line.split(':').nth(9).unwrap().to_owned()).collect();
        prints[1..].to_vec()
    };
    let old = subkeys().remove(0);
    with_password(&["--quick-add-key", &key, "cv25519", "encr", "2y"]);
    with_password(&["--quick-set-expire", &key, "1d", &old]);
    let new = subkeys().into_iter().find(|subkey| *subkey != old).unwrap();
    let secret = with_password(&["--armor", "--export-secret-keys", &key]).out;
    let message = |to: &str| gpg.must(&["--armor", "-r", &format!("{to}!"), "--encrypt"], b"Content-Type: text/plain\r\n\r\nlama\r\n").out;
    let (to_old, to_new) = (message(&old), message(&new));
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(48);
    assert!(OwnKey::read(&secret, None, later).is_err() && OwnKey::read(&secret, Some("salah"), later).is_err());
    let mut keyring = Keyring::new();
    keyring.set_own(OwnKey::read(&secret, Some("rahasia dapur"), later).unwrap());
    for message in [&to_old, &to_new] {
        let mail = crate::harness::gpg::encrypted_mail("From: a@x.example\nSubject: x\n", message);
        let opened = open(bantuan70::mail::read::read(&mail), &keyring, later, 1 << 20);
        assert_eq!((opened.findings.is_decrypted, opened.mail.text.full.trim()), (Some(true), "lama"));
    }
    let certificate = keyring.own().unwrap().certificate();
    assert_eq!(certificate.problems(later), [""; 0]);
    // A recipient of ours who seals to the centre two days from now seals to the subkey of then.
    let (mut theirs, _) = super::outgoing::keyring(jiff::Timestamp::now());
    theirs.add_certificate(Certificate::read(&certificate.armored()).unwrap());
    let letter = super::outgoing::letter(bantuan70::model::letter::Protection::Sealed { recipient: certificate.fingerprint() });
    let sealed = bantuan70::openpgp::seal(&letter, &super::outgoing::center(), &theirs, later).unwrap();
    let text = String::from_utf8(sealed.bytes().to_vec()).unwrap();
    let armor = format!(
        "{}-----END PGP MESSAGE-----\n",
        &text[text.find("-----BEGIN PGP").unwrap()..text.find("-----END PGP MESSAGE-----").unwrap()]
    );
    let packets = gpg.packets(armor.as_bytes());
    assert!(packets.contains(&new[24..]) && !packets.contains(&old[24..]), "{packets}");
}
