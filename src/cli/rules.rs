//! `bantuan70 rules`: validate the rules on disk, run their tests, list them, explain a message by
//! them. Without a configuration the built-in rules are used.

use super::{Common, Exit, Failure, Outcome, print, replay, templates};
use crate::daemon::house;
use crate::mail::field::visible;
use crate::mail::kind::House;
use crate::mail::read;
use crate::mail::template::Templates;
use crate::mail::told::tell;
use crate::model::Language;
use crate::rules::{RuleSet, explain, passed_over, selftest};
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
    /// Use the rules of this directory instead of the configured or built-in ones
    #[arg(long, global = true, value_name = "DIR")]
    rules: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Validate the rule files; exit 2 with file and line where one is wrong
    Check,
    /// Run the tests inside the rule files; exit 1 where one fails
    Test,
    /// List the rules
    List,
    /// Show which stored reports the rules on disk would file otherwise; analysts' !kategori is the truth
    Replay {
        /// Only reports received on this day or later
        #[arg(long, value_name = "DAY", value_parser = super::report::day)]
        since: Option<jiff::civil::Date>,
    },
    /// Write the analysts' corrections as tests for a rule file; they hold personal data
    ExportCorrections,
    /// Show which rules fired on raw messages and what each added
    Explain {
        /// Raw messages
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Write a page with the words marked in the text
        #[arg(long)]
        html: bool,
        /// Language of the explanation
        #[arg(long, value_parser = ["id", "en"], default_value = "en")]
        language: String,
    },
}

pub(super) fn run(common: &Common, arguments: Arguments) -> Outcome {
    let config = common.load_or_defaults()?;
    let dir = arguments.rules.as_deref().or(config.center.rules_dir.as_deref());
    let set = load(dir)?;
    match arguments.verb {
        Verb::Check => check(common, &set, dir),
        Verb::Test => test(common, &set, dir, &house(&config)),
        Verb::List => list(common, &set),
        Verb::Replay { since } => replay::replay(common, set, since),
        Verb::ExportCorrections => replay::export(common, set),
        Verb::Explain { files, html, language } => {
            let language = Language::parse(&language).unwrap_or(Language::En);
            let templates = templates::load(common)?;
            for file in &files {
                explain_one(common, &set, (file, &house(&config)), html, (language, &templates))?;
            }
            Ok(Exit::Done)
        }
    }
}

/// The rules of the directory, else the built-in ones.
pub(super) fn load(dir: Option<&Path>) -> Result<RuleSet, Failure> {
    dir.map_or_else(RuleSet::embedded, RuleSet::load).map_err(|error| Failure::usage(error.to_string()))
}

/// The files of the folder that look like rule files and are none.
fn not_read(dir: Option<&Path>) -> Vec<String> {
    dir.map(passed_over).unwrap_or_default().iter().map(|path| path.display().to_string()).collect()
}

fn note(unread: &[String]) -> Result<(), Failure> {
    unread.iter().try_for_each(|path| print(format!("note: {} is not read: the name of a rule file ends in .toml", visible(path))))
}

fn check(common: &Common, set: &RuleSet, dir: Option<&Path>) -> Outcome {
    let unread = not_read(dir);
    if common.json {
        print(json!({ "ok": true, "rules": set.len(), "version": set.version(), "not_read": unread }))?;
        return Ok(Exit::Done);
    }
    note(&unread)?;
    print(format!("ok: {} rules, version {}", set.len(), set.version()))?;
    Ok(Exit::Done)
}

fn test(common: &Common, set: &RuleSet, dir: Option<&Path>, house: &House) -> Outcome {
    let report = selftest::run(set, house);
    if common.json {
        for failure in &report.failures {
            print(json!({ "ok": false, "file": failure.file, "line": failure.line, "of": failure.of, "reason": failure.reason }))?;
        }
        print(json!({
            "ok": report.is_passed(), "rules": report.rules, "examples": report.examples,
            "counterexamples": report.counterexamples, "tests": report.tests, "failed": report.failures.len(), "untested": report.untested,
            "not_read": not_read(dir),
        }))?;
    } else {
        for failure in &report.failures {
            print(format!("FAIL {failure}"))?;
        }
        note(&not_read(dir))?;
        for rule in &report.untested {
            print(format!("note: {rule}"))?;
        }
        let word = if report.is_passed() { "ok" } else { "FAIL" };
        print(format!(
            "{word}: {} rules, {} examples, {} counter-examples, {} tests, {} failed",
            report.rules,
            report.examples,
            report.counterexamples,
            report.tests,
            report.failures.len()
        ))?;
    }
    Ok(if report.is_passed() { Exit::Done } else { Exit::NotInOrder })
}

fn list(common: &Common, set: &RuleSet) -> Outcome {
    for rule in set.list() {
        if common.json {
            print(serde_json::to_string(&rule).map_err(|error| Failure::from(anyhow::Error::new(error)))?)?;
        } else {
            let category = rule.category.map_or("-", |category| category.word());
            print(format!("{category:15} {:+6.2}  {:40} {}", rule.weight, rule.id, rule.reason_en))?;
        }
    }
    Ok(Exit::Done)
}

fn explain_one(
    common: &Common,
    set: &RuleSet,
    (file, house): (&Path, &House),
    html: bool,
    (language, templates): (Language, &Templates),
) -> Result<(), Failure> {
    let raw = std::fs::read(file).map_err(|error| Failure::usage(format!("{}: read the message: {error}", file.display())))?;
    let (mail, _) = read::read(&raw);
    let told = tell(&mail, house);
    let explanation = explain::explain(set, &mail, &told);
    let name = file.display().to_string();
    if common.json {
        let mut object = serde_json::to_value(&explanation).map_err(|error| Failure::from(anyhow::Error::new(error)))?;
        // Scripts find what the mail tells beside what the rules conclude.
        if let Some(assessment) = object.get_mut("assessment").and_then(serde_json::Value::as_object_mut) {
            assessment.insert("language".to_owned(), json!(told.language));
            assessment.insert("tlp".to_owned(), json!(told.tlp));
            assessment.insert("indicators".to_owned(), json!(told.indicators));
            assessment.insert("indicators_dropped".to_owned(), json!(told.indicators_dropped));
        }
        if let Some(object) = object.as_object_mut() {
            object.insert("file".to_owned(), json!(name));
        }
        print(object)
    } else if html {
        print(explanation.html(language, templates, &name))
    } else {
        let by = if language == Language::En { "By the set of rules" } else { "Menurut kumpulan aturan" };
        print(format!("{}: {}\n{by} {}\n", visible(&name), explanation.text(language, templates).trim_end(), set.version()))
    }
}
