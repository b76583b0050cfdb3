//! Each raw message of `tests/mail`, named for what is odd in it, against the golden object beside
//! it. `UPDATE=1 cargo test --test it inspect::` writes the objects anew; review the difference.
//! What the rules add (category, score, priority) is tested by the rules' own tests.

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The fields that depend on the rule files.
const OF_THE_RULES: &[&str] = &["category", "score", "scores", "secondary", "is_unsure", "rsit", "rules", "rules_version", "priority"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mail")
}

fn messages() -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
    all.sort();
    all
}

/// Runs `inspect` away from any configuration and gives its objects by the file's stem.
pub fn inspect(files: &[PathBuf]) -> BTreeMap<String, Map<String, Value>> {
    let nowhere = tempfile::tempdir().unwrap();
    let output =
        Command::new(env!("CARGO_BIN_EXE_bantuan70")).current_dir(nowhere.path()).args(["inspect", "--json"]).args(files).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let objects: Vec<Map<String, Value>> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), files.len(), "one object a message");
    let stem = |path: &str| Path::new(path).file_stem().unwrap().to_string_lossy().into_owned();
    objects.into_iter().map(|object| (stem(object["file"].as_str().unwrap()), object)).collect()
}

#[test]
fn every_message_is_read_as_its_golden_object_says() {
    let files = messages();
    assert!(files.len() >= 60, "the corpus of odd messages is here");
    let found = inspect(&files);
    let is_update = std::env::var_os("UPDATE").is_some();
    let mut differences = Vec::new();
    for file in &files {
        let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
        let mut object = found[&stem].clone();
        object.insert("file".to_owned(), Value::String(format!("{stem}.eml")));
        object.retain(|field, _| !OF_THE_RULES.contains(&field.as_str()));
        let text = format!("{}\n", serde_json::to_string_pretty(&object).unwrap());
        let golden = file.with_extension("json");
        if is_update {
            std::fs::write(&golden, &text).unwrap();
        } else if std::fs::read_to_string(&golden).unwrap_or_default() != text {
            differences.push(format!("{stem}: it is now\n{text}"));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn every_object_has_the_fields_of_the_contract() {
    let fields = [
        "file",
        "kind",
        "subject",
        "from",
        "language",
        "category",
        "score",
        "rules",
        "priority",
        "tlp",
        "indicators",
        "attachments",
        "documents",
        "missing",
        "new_text",
        "should_ack",
        "ack_reason",
        "openpgp",
    ];
    for (stem, object) in inspect(&messages()) {
        for field in fields {
            assert!(object.contains_key(field), "{stem} has no {field}");
        }
    }
}

#[test]
fn what_cannot_be_read_is_an_object_too_and_no_failure() {
    let nowhere = tempfile::tempdir().unwrap();
    let found = inspect(&[nowhere.path().join("absent.eml"), nowhere.path().to_owned()]);
    for object in found.values() {
        assert_eq!(object["kind"], "unreadable");
        assert!(!object["error"].as_str().unwrap().is_empty());
    }
}

#[test]
fn m8_an_empty_file_is_shown_as_the_daemon_takes_it_a_report_of_nobody() {
    let nowhere = tempfile::tempdir().unwrap();
    let empty = nowhere.path().join("empty.eml");
    std::fs::write(&empty, b"").unwrap();
    let found = inspect(&[empty]);
    let object = found.values().next().unwrap();
    assert_eq!((&object["kind"], &object["from"], &object["should_ack"]), (&"report".into(), &serde_json::Value::Null, &false.into()));
}

#[test]
fn other_rules_are_tried_without_a_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let (rules, mail) = (folder.path().join("coba"), folder.path().join("surat.eml"));
    std::fs::create_dir(&rules).unwrap();
    let rule = "[[rule]]\nid = \"coba\"\ncategory = \"phishing\"\nweight = 4.0\nreason_id = \"Coba.\"\nreason_en = \"Trial.\"\n\
                when = { any = [\"kucing\"] }\nexamples = [\"Kucing ini\"]\n";
    std::fs::write(rules.join("coba.toml"), rule).unwrap();
    std::fs::write(&mail, "From: a@b.example\r\nTo: c@d.example\r\nSubject: Kucing\r\n\r\nAda kucing.\r\n").unwrap();
    let run = |dir: &Path| {
        Command::new(env!("CARGO_BIN_EXE_bantuan70"))
            .current_dir(folder.path())
            .args(["inspect", "--rules"])
            .arg(dir)
            .arg(&mail)
            .output()
            .unwrap()
    };
    let object: Value = serde_json::from_slice(&run(&rules).stdout).unwrap();
    assert_eq!((object["category"].as_str(), object["rules"][0]["rule"].as_str()), (Some("phishing"), Some("coba")), "{object}");
    let absent = run(&folder.path().join("tidak-ada"));
    assert_eq!(absent.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&absent.stderr).contains("tidak-ada"), "the folder is named");
}
