//! `bantuan70 rules replay` and `rules export-corrections`: stored reports against the rules on disk,
//! with the analysts' corrections as the truth. Nothing stored is changed.

use super::listing::{Desk, cell, escaped, escaped_lines, not_found, open, print_json, print_rows};
use super::{Common, Exit, Failure, Outcome, print};
use crate::daemon::{keyring, reader};
use crate::model::{Category, InboxId};
use crate::openpgp::Keyring;
use crate::rules::{RuleSet, syntax};
use crate::store::{Judged, JudgedFilter};
use jiff::civil::Date;
use serde::Serialize;
use std::io::{IsTerminal as _, Write as _};

/// The progress line is written anew after so many reports: more often nobody can read it.
const PROGRESS_EVERY: u64 = 20;
/// Text of an attachment that goes into an exported test.
const ENCLOSED_CHARS_MAX: usize = 4_000;

/// A report that the rules on disk file otherwise, or whose category an analyst corrected.
#[derive(Debug, Serialize)]
struct Row {
    id: InboxId,
    ticket: Option<String>,
    received: String,
    filed: Category,
    rules_version: String,
    now: Category,
    is_unsure: bool,
    corrected: Option<Category>,
    subject: String,
}

/// What a replay comes to.
#[derive(Debug, Default, Serialize)]
struct Sum {
    reports: u64,
    otherwise: u64,
    corrected: u64,
    right_before: u64,
    right_now: u64,
    rules_version: String,
}

/// Runs the stored reports through these rules.
pub(super) fn replay(common: &Common, set: RuleSet, since: Option<Date>) -> Outcome {
    let desk = open(common)?;
    let filter = JudgedFilter { since: since.map(|day| beginning(day, &desk)).transpose()?, corrected_only: false };
    let mut sum = Sum { rules_version: set.version().to_owned(), ..Sum::default() };
    let keyring = keyring(&desk.config, &desk.store, desk.view.now).unwrap_or_else(|_| Keyring::new());
    let reader = reader(&desk.config, set, keyring);
    let mut rows = Vec::new();
    each(&desk, filter, |judged| {
        let found = reader.prepare(&judged.raw, judged.received_at);
        let now = found.found.category;
        let corrected = judged.corrected.as_ref().map(|(category, _)| *category);
        sum.reports += 1;
        sum.otherwise += u64::from(now != judged.filed);
        if let Some(truth) = corrected {
            sum.corrected += 1;
            sum.right_before += u64::from(truth == judged.filed);
            sum.right_now += u64::from(truth == now);
        }
        if now != judged.filed || corrected.is_some_and(|truth| truth != now) {
            rows.push(Row {
                id: judged.id,
                ticket: judged.ticket.as_ref().map(ToString::to_string),
                received: desk.view.time_zone.to_datetime(judged.received_at).date().to_string(),
                filed: judged.filed,
                rules_version: judged.rules_version,
                now,
                is_unsure: found.found.is_unsure,
                corrected,
                subject: found.opened.mail.subject.chars().take(60).collect(),
            });
        }
        Ok(())
    })?;
    if sum.reports == 0 {
        return Err(not_found("there are no stored reports in that time"));
    }
    print_rows(common, &rows, &["ID", "RECEIVED", "TICKET", "FILED", "NOW", "ANALYST", "SUBJECT"], |row| {
        let now = if row.is_unsure { format!("{} (unsure)", row.now) } else { row.now.to_string() };
        let ticket = cell(row.ticket.as_ref());
        vec![
            row.id.to_string(),
            row.received.clone(),
            ticket,
            row.filed.to_string(),
            now,
            cell(row.corrected.as_ref()),
            row.subject.clone(),
        ]
    })?;
    if common.json {
        print_json(&sum)?;
        return Ok(Exit::Done);
    }
    print(format!("{} reports, {} of them would be filed otherwise by rules {}", sum.reports, sum.otherwise, sum.rules_version))?;
    if sum.corrected > 0 {
        print(format!(
            "of {} that analysts corrected, {} were filed right ({}), now {} ({})",
            sum.corrected,
            sum.right_before,
            percent(sum.right_before, sum.corrected),
            sum.right_now,
            percent(sum.right_now, sum.corrected)
        ))?;
    }
    Ok(Exit::Done)
}

fn percent(part: u64, whole: u64) -> String {
    format!("{} %", (part * 100 + whole / 2) / whole.max(1))
}

fn beginning(day: Date, desk: &Desk) -> Result<jiff::Timestamp, Failure> {
    let begins = desk.view.time_zone.to_timestamp(day.at(0, 0, 0, 0));
    begins.map_err(|error| Failure::usage(format!("--since: {error}")))
}

/// Goes through the reports, with a line of progress where somebody watches.
fn each(desk: &Desk, filter: JudgedFilter, mut with: impl FnMut(Judged) -> Result<(), Failure>) -> Result<(), Failure> {
    let all = desk.store.judged_count(filter)?;
    let is_watched = std::io::stderr().is_terminal();
    let (mut after, mut done) = (InboxId(0), 0);
    while let Some(judged) = desk.store.judged_after(after, filter)? {
        after = judged.id;
        with(judged)?;
        done += 1;
        if is_watched && (done % PROGRESS_EVERY == 0 || done == all) {
            const WIDTH: u64 = 30;
            let filled = usize::try_from(done.min(all) * WIDTH / all.max(1)).unwrap_or_default();
            let left = usize::try_from(WIDTH).unwrap_or_default().saturating_sub(filled);
            // Progress is for the eye; where it cannot be written nothing is lost.
            let _ = write!(std::io::stderr(), "\r[{}{}] {done} of {all}", "#".repeat(filled), ".".repeat(left));
        }
    }
    if is_watched && done > 0 {
        let _ = writeln!(std::io::stderr());
    }
    Ok(())
}

const HEAD: &str = "\
# Koreksi petugas atas kategori laporan, sebagai uji untuk folder aturan.
# PERHATIAN: berkas ini memuat isi surat pelapor beserta data pribadinya. Samarkan nama, nomor, dan alamat
# sebelum berkas ini dipindahkan, dibagikan, atau disimpan bersama aturan.
#
# Corrections of categories by analysts, as tests for the folder of rules.
# CAUTION: this file holds the words of reporters and their personal data. Take out names, numbers and
# addresses before it is moved, shared or kept with the rules.
";

/// Writes the corrections as tests of a rule file.
pub(super) fn export(common: &Common) -> Outcome {
    let desk = open(common)?;
    let keyring = keyring(&desk.config, &desk.store, desk.view.now).unwrap_or_else(|_| Keyring::new());
    let set = RuleSet::embedded().map_err(|error| Failure::usage(error.to_string()))?;
    let reader = reader(&desk.config, set, keyring);
    let mut tests = Vec::new();
    each(&desk, JudgedFilter { since: None, corrected_only: true }, |judged| {
        let Some((truth, by)) = &judged.corrected else { return Ok(()) };
        let mail = reader.prepare(&judged.raw, judged.received_at).opened.mail;
        let enclosed = mail.attachments.iter().map(|attachment| syntax::SampleAttachment {
            name: escaped(&attachment.name).into_owned(),
            media_type: attachment.media_type.clone(),
            text: harmless(&attachment.text.as_deref().unwrap_or_default().chars().take(ENCLOSED_CHARS_MAX).collect::<String>()),
        });
        tests.push(syntax::Test {
            name: Some(format!("{}: filed as {}, corrected by {by}", cell(judged.ticket.as_ref()), judged.filed)),
            category: truth.word().to_owned(),
            subject: escaped(&mail.subject).into_owned(),
            text: harmless(&mail.text.new),
            quoted: harmless(&mail.text.quoted),
            attachments: enclosed.collect(),
            ..syntax::Test::default()
        });
        Ok(())
    })?;
    if tests.is_empty() {
        return Err(not_found("no category was corrected yet"));
    }
    if common.json {
        for test in &tests {
            print_json(test)?;
        }
        return Ok(Exit::Done);
    }
    let text = syntax::written(tests).map_err(|error| Failure::service(format!("write the tests: {error}")))?;
    print(format!("{HEAD}\n{text}"))?;
    Ok(Exit::Done)
}

/// The file is read in terminals and editors too: what a reporter wrote commands neither.
fn harmless(text: &str) -> String {
    escaped_lines(text).into_owned()
}
