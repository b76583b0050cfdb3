//! `bantuan70 rules replay` and `rules export-corrections`: stored reports against the rules on disk,
//! with the analysts' corrections as the truth. Nothing stored is changed.

use super::listing::{Desk, cell, escaped, escaped_lines, not_found, open, print_json, print_rows};
use super::{Common, Exit, Failure, Outcome, print};
use crate::daemon::{keyring, reader};
use crate::mail::Mail;
use crate::model::{Category, InboxId};
use crate::openpgp::Keyring;
use crate::rules::taught::Taught;
use crate::rules::{Assessment, RuleSet, assess, selftest, syntax};
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
    /// It stands as an example or test in these rules.
    is_example: bool,
    subject: String,
}

/// How many of some corrected reports were filed as the analysts say, then and now.
#[derive(Debug, Default, Serialize)]
struct Right {
    corrected: u64,
    right_before: u64,
    right_now: u64,
}

impl Right {
    fn count(&mut self, truth: Category, filed: Category, now: Category) {
        self.corrected += 1;
        self.right_before += u64::from(truth == filed);
        self.right_now += u64::from(truth == now);
    }

    fn shown(&self) -> String {
        let Self { corrected, right_before, right_now } = *self;
        let (before, now) = (percent(right_before, corrected), percent(right_now, corrected));
        format!("{right_before} were filed right ({before}), now {right_now} ({now})")
    }
}

/// What a replay comes to.
#[derive(Debug, Default, Serialize)]
struct Sum {
    reports: u64,
    otherwise: u64,
    /// Of the corrected reports, those that the rules on disk have not seen: what this says holds for new mail.
    unseen: Right,
    /// Those that stand in the rule files as examples or tests: the rules have learned from them.
    examples: Right,
    rules_version: String,
}

/// Runs the stored reports through these rules.
pub(super) fn replay(common: &Common, set: RuleSet, since: Option<Date>) -> Outcome {
    let desk = open(common)?;
    let filter = JudgedFilter { since: since.map(|day| beginning(day, &desk)).transpose()?, corrected_only: false };
    let mut sum = Sum { rules_version: set.version().to_owned(), ..Sum::default() };
    let taught = Taught::of(&set);
    let keyring = keyring(&desk.config, &desk.store, desk.view.now).unwrap_or_else(|_| Keyring::new());
    let reader = reader(&desk.config, set, keyring);
    let mut rows = Vec::new();
    each(&desk, filter, |judged| {
        let found = reader.prepare(&judged.raw, judged.received_at);
        let now = found.found.category;
        let corrected = judged.corrected.as_ref().map(|(category, _)| *category);
        sum.reports += 1;
        sum.otherwise += u64::from(now != judged.filed);
        let ticket = judged.ticket.as_ref().map(ToString::to_string);
        // Asked of those alone that are measured: each is held against every example of the set.
        let is_example = corrected.is_some() && taught.has(ticket.as_deref(), &found.opened.mail);
        if let Some(truth) = corrected {
            let group = if is_example { &mut sum.examples } else { &mut sum.unseen };
            group.count(truth, judged.filed, now);
        }
        if now != judged.filed || corrected.is_some_and(|truth| truth != now) {
            rows.push(Row {
                id: judged.id,
                ticket,
                received: desk.view.time_zone.to_datetime(judged.received_at).date().to_string(),
                filed: judged.filed,
                rules_version: judged.rules_version,
                now,
                is_unsure: found.found.is_unsure,
                corrected,
                is_example,
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
            row.corrected
                .map_or_else(|| cell(None::<&Category>), |truth| format!("{truth}{}", if row.is_example { " (example)" } else { "" })),
            row.subject.clone(),
        ]
    })?;
    if common.json {
        print_json(&sum)?;
        return Ok(Exit::Done);
    }
    print(format!("{} reports, {} of them would be filed otherwise by rules {}", sum.reports, sum.otherwise, sum.rules_version))?;
    let corrected = sum.unseen.corrected + sum.examples.corrected;
    if corrected == 0 {
        print("no analyst corrected one of them with !kategori, so that nothing says which of the two is right")?;
        return Ok(Exit::Done);
    }
    print(format!("analysts corrected {corrected} of them, and these alone are measured; nobody said whether the others are right:"))?;
    if sum.unseen.corrected > 0 {
        print(format!("  of {} that these rules have not seen, {}", sum.unseen.corrected, sum.unseen.shown()))?;
    } else {
        print("  none that these rules have not seen: how they file new mail is not measured here")?;
    }
    if sum.examples.corrected > 0 {
        let learned = "that stand in them as examples or tests and that they have learned from";
        print(format!("  of {} {learned}, {}", sum.examples.corrected, sum.examples.shown()))?;
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
pub(super) fn export(common: &Common, set: RuleSet) -> Outcome {
    let desk = open(common)?;
    let keyring = keyring(&desk.config, &desk.store, desk.view.now).unwrap_or_else(|_| Keyring::new());
    let reader = reader(&desk.config, set, keyring);
    let mut tests = Vec::new();
    each(&desk, JudgedFilter { since: None, corrected_only: true }, |judged| {
        let Some((truth, by)) = &judged.corrected else { return Ok(()) };
        let prepared = reader.prepare(&judged.raw, judged.received_at);
        let ticket = cell(judged.ticket.as_ref());
        let mut test = exported(&prepared.opened.mail, prepared.told.dmarc());
        let (mail, told) = selftest::told(&test.parts(), &reader.house);
        let differs = differs(&prepared.found, &assess(&reader.rules, &mail, &told)).unwrap_or_default();
        test.name = Some(format!("{ticket}: filed as {}, corrected by {by}{differs}", judged.filed));
        test.report = judged.ticket.as_ref().map(ToString::to_string);
        test.category = truth.word().to_owned();
        tests.push(test);
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

/// Fields by which a mail's kind is told, besides those of mailing lists; a rule may ask for it.
const FIELDS: &[&str] =
    &["Auto-Submitted", "Precedence", "X-ARF", "X-XARF", "X-Auto-Response-Suppress", "X-Failed-Recipients", "X-FC-Machinegenerated"];
/// Links behind the text that go into an exported test.
const LINKS_MAX: usize = 50;

/// A mail as a test: what rules look at, as far as a test can hold it.
fn exported(mail: &Mail, dmarc: &str) -> syntax::Test {
    let enclosed = mail.attachments.iter().map(|attachment| syntax::SampleAttachment {
        name: escaped(&attachment.name).into_owned(),
        media_type: attachment.media_type.clone(),
        text: harmless(&attachment.text.as_deref().unwrap_or_default().chars().take(ENCLOSED_CHARS_MAX).collect::<String>()),
    });
    let is_asked = |name: &str| {
        FIELDS.iter().any(|field| field.eq_ignore_ascii_case(name))
            || name.get(..5).is_some_and(|begin| begin.eq_ignore_ascii_case("list-"))
    };
    let headers = mail.headers.iter().filter(|header| is_asked(&header.name));
    let from = mail.from.first().map(|from| match from.name.replace(['<', '>'], " ") {
        name if name.trim().is_empty() => from.typed.clone(),
        name => format!("{} <{}>", name.trim(), from.typed),
    });
    syntax::Test {
        subject: escaped(&mail.subject).into_owned(),
        text: harmless(&mail.text.new),
        quoted: harmless(&mail.text.quoted),
        from: escaped(&from.unwrap_or_default()).into_owned(),
        dmarc: (dmarc != "none").then(|| dmarc.to_owned()),
        headers: headers.map(|header| (header.name.clone(), escaped(&header.value).into_owned())).collect(),
        links: mail.links.iter().take(LINKS_MAX).map(|link| escaped(link).into_owned()).collect(),
        attachments: enclosed.collect(),
        ..syntax::Test::default()
    }
}

/// What a test does not keep of its mail, where that decides.
fn differs(mail: &Assessment, test: &Assessment) -> Option<String> {
    (mail.category != test.category).then(|| {
        format!(
            "; CAUTION: a test cannot hold all of this mail: these rules file the mail as {}, and the test as {}",
            mail.category, test.category
        )
    })
}

/// The file is read in terminals and editors too: what a reporter wrote commands neither.
fn harmless(text: &str) -> String {
    escaped_lines(text).into_owned()
}
