//! A CSV file into the directory: what would become of each row is reckoned first and shown field by
//! field; without `--dry-run` exactly that is then done, in one commit or not at all.

use super::super::listing::{Desk, escaped, not_found, print_rows, who};
use super::super::{Common, Exit, Failure, Outcome, key, print};
use super::{Typed, export, kind, language, read_limited, store_certificates};
use crate::model::contact::Contact;
use crate::model::{Address, Language};
use crate::openpgp::Certificate;
use crate::store::{ChangedContact, NewContact, View};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The columns of the CSV file; the first four must be there.
pub(super) const COLUMNS: &[&str] = &["name", "address", "kind", "organisation", "sectors", "groups", "language", "certificate"];
/// A CSV file of more bytes is not read.
const CSV_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A directory of more rows is no directory of people.
const ROWS_MAX: usize = 100_000;
/// More wrong rows than this are not listed one by one.
const PROBLEMS_MAX: usize = 50;

/// What becomes of one row, as it is printed.
#[derive(Debug, Serialize)]
struct Fate {
    line: u64,
    address: Address,
    /// `new`, `changed`, `unchanged`.
    what: &'static str,
    fields: Vec<Difference>,
}

/// One field before and after; `-` where there is nothing.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Difference {
    field: &'static str,
    before: String,
    after: String,
}

/// One row of the file.
struct Row {
    contact: NewContact,
    certificate: Option<Certificate>,
    has_language: bool,
}

/// What is to be done.
#[derive(Default)]
struct Plan {
    fates: Vec<Fate>,
    new: Vec<NewContact>,
    changed: Vec<ChangedContact>,
    certificates: Vec<Certificate>,
}

pub(super) fn run(common: &Common, desk: &Desk, file: &Path, dry_run: bool) -> Outcome {
    let bytes = read_limited(file, CSV_BYTES_MAX).map_err(Failure::usage)?;
    let (headings, rows) = read_rows(desk, file, &bytes).map_err(Failure::usage)?;
    let mut seen = BTreeSet::new();
    let (mut good, mut problems) = (Vec::new(), Vec::new());
    for (line, row) in rows {
        match row {
            Err(problem) => problems.push(format!("line {line}: {problem}")),
            Ok(row) if !seen.insert(row.contact.address.clone()) => {
                problems.push(format!("line {line}: {} stands twice", row.contact.address));
            }
            Ok(row) => good.push((line, row)),
        }
    }
    if !problems.is_empty() {
        problems.iter().take(PROBLEMS_MAX).try_for_each(|problem| print(format!("FAIL {}", escaped(problem))))?;
        return Err(not_found(format!("{}: {} wrong rows, nothing was done", file.display(), problems.len())));
    }
    let plan = plan(desk, &headings, good)?;
    show(common, &plan, dry_run)?;
    if !dry_run {
        store_certificates(desk, plan.certificates.iter())?;
        desk.store.take_contacts(&plan.new, &plan.changed, &who(), desk.view.now).map_err(Failure::from_refusal)?;
    }
    Ok(Exit::Done)
}

fn show(common: &Common, plan: &Plan, dry_run: bool) -> Result<(), Failure> {
    if common.json {
        return print_rows(common, &plan.fates, &[], |_| Vec::new()).map(drop);
    }
    let mut cells = Vec::new();
    for fate in &plan.fates {
        let start = || vec![fate.line.to_string(), fate.address.to_string(), fate.what.to_owned()];
        if fate.what != "changed" {
            let all = fate.fields.iter().map(|one| one.after.as_str()).collect::<Vec<_>>().join(" · ");
            cells.push([start(), vec![String::new(), String::new(), all]].concat());
            continue;
        }
        for one in &fate.fields {
            cells.push([start(), vec![one.field.to_owned(), one.before.clone(), one.after.clone()]].concat());
        }
    }
    print_rows(common, &cells, &["LINE", "ADDRESS", "WHAT", "FIELD", "BEFORE", "AFTER"], Clone::clone)?;
    let count = |what: &str| plan.fates.iter().filter(|fate| fate.what == what).count();
    let done = if dry_run { "nothing was done" } else { "done" };
    print(format_args!("{} new, {} changed, {} unchanged: {done}", count("new"), count("changed"), count("unchanged")))
}

/// Compares each row with the directory.
fn plan(desk: &Desk, headings: &[String], rows: Vec<(u64, Row)>) -> Result<Plan, Failure> {
    let known: BTreeMap<Address, Contact> = desk.store.contacts()?.into_iter().map(|contact| (contact.address.clone(), contact)).collect();
    let mut plan = Plan::default();
    for (line, row) in rows {
        let (address, certificate) = (row.contact.address.clone(), row.certificate.clone());
        let Some(before) = known.get(&address) else {
            plan.fates.push(Fate { line, address, what: "new", fields: told(&row.contact, &desk.view) });
            plan.new.push(row.contact);
            plan.certificates.extend(certificate);
            continue;
        };
        let after = kept(headings, row, before);
        // What is stored already of that certificate counts as well: an older copy takes nothing back.
        let merged = certificate.map(|certificate| key::merged(&desk.store, certificate)).transpose()?;
        let after = NewContact { expires_at: merged.as_ref().map_or(after.expires_at, |merged| merged.expires_at(desk.view.now)), ..after };
        let change = ChangedContact { before: before.clone(), after };
        let fields = differences(&change, merged.as_ref(), &desk.view);
        plan.fates.push(Fate { line, address, what: if fields.is_empty() { "unchanged" } else { "changed" }, fields });
        if plan.fates.last().is_some_and(|fate| !fate.fields.is_empty()) {
            plan.changed.push(change);
            plan.certificates.extend(merged);
        }
    }
    Ok(plan)
}

/// The row with what it leaves open as the directory has it.
fn kept(headings: &[String], row: Row, before: &Contact) -> NewContact {
    let has = |column: &str| headings.iter().any(|heading| heading == column);
    let after = row.contact;
    NewContact {
        sectors: if has("sectors") { after.sectors } else { before.sectors.clone() },
        groups: if has("groups") { after.groups } else { before.groups.clone() },
        language: if row.has_language { after.language } else { before.language },
        fingerprint: after.fingerprint.or_else(|| before.fingerprint.clone()),
        expires_at: if row.certificate.is_some() { after.expires_at } else { before.expires_at },
        ..after
    }
}

/// A new contact, field by field.
fn told(contact: &NewContact, view: &View) -> Vec<Difference> {
    values(contact, view)
        .into_iter()
        .filter(|(_, after)| after != NOTHING)
        .map(|(field, after)| one(field, NOTHING.to_owned(), after))
        .collect()
}

/// What changes, verification last: whoever vouched did not vouch for another name, kind or certificate.
fn differences(change: &ChangedContact, certificate: Option<&Certificate>, view: &View) -> Vec<Difference> {
    let ChangedContact { before, after } = change;
    let mut fields: Vec<Difference> = values(&as_new(before), view)
        .into_iter()
        .zip(values(after, view))
        .filter(|((_, before), (_, after))| before != after)
        .map(|((field, before), (_, after))| one(field, before, after))
        .collect();
    if let Some(certificate) = certificate {
        let unfit = key::unfit(certificate, view.now);
        if unfit != before.unfit && after.fingerprint == before.fingerprint {
            fields.push(one("certificate problems", shown(&before.unfit), shown(&unfit)));
        }
    }
    if let Some(at) = before.verified_at.filter(|_| !change.keeps_verification()) {
        let how = before.verified_how.as_deref().unwrap_or_default();
        fields.push(one("verified", format!("{} ({how})", day(at, view)), "no: verify again".to_owned()));
    }
    fields
}

const NOTHING: &str = "-";

fn one(field: &'static str, before: String, after: String) -> Difference {
    Difference { field, before, after }
}

fn shown(text: &str) -> String {
    if text.is_empty() { NOTHING.to_owned() } else { text.to_owned() }
}

fn day(at: Timestamp, view: &View) -> String {
    at.to_zoned_datetime(view.time_zone.clone()).strftime("%Y-%m-%d").to_string()
}

fn as_new(contact: &Contact) -> NewContact {
    NewContact {
        name: contact.name.clone(),
        address: contact.address.clone(),
        kind: contact.kind,
        organisation: contact.organisation.clone(),
        sectors: contact.sectors.clone(),
        groups: contact.groups.clone(),
        language: contact.language,
        fingerprint: contact.fingerprint.clone(),
        expires_at: contact.expires_at,
    }
}

fn values(contact: &NewContact, view: &View) -> Vec<(&'static str, String)> {
    vec![
        ("name", contact.name.clone()),
        ("kind", contact.kind.to_string()),
        ("organisation", contact.organisation.clone()),
        ("sectors", labels(&contact.sectors)),
        ("groups", labels(&contact.groups)),
        ("language", contact.language.to_string()),
        ("certificate", contact.fingerprint.as_ref().map_or_else(|| NOTHING.to_owned(), ToString::to_string)),
        ("certificate ends", contact.expires_at.map_or_else(|| NOTHING.to_owned(), |at| day(at, view))),
    ]
}

/// Labels in one order, each once, letter case aside, as the directory keeps them.
fn labels(names: &[String]) -> String {
    let each: BTreeMap<String, &str> = names.iter().rev().map(|name| (name.to_ascii_lowercase(), name.as_str())).collect();
    shown(&each.into_values().collect::<Vec<_>>().join("; "))
}

type Rows = Vec<(u64, Result<Row, String>)>;

/// The columns that the file has, and its rows.
fn read_rows(desk: &Desk, file: &Path, bytes: &[u8]) -> Result<(Vec<String>, Rows), String> {
    // What spreadsheets write before UTF-8.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(bytes);
    let headings: Vec<String> = reader
        .headers()
        .map_err(|error| format!("{}: {error}", file.display()))?
        .iter()
        .map(|heading| heading.trim().to_ascii_lowercase())
        .collect();
    for required in COLUMNS.iter().take(4) {
        if !headings.iter().any(|heading| heading == required) {
            return Err(format!("{}: the first line names no column '{required}'", file.display()));
        }
    }
    if let Some(unknown) = headings.iter().find(|heading| !COLUMNS.contains(&heading.as_str())) {
        return Err(format!("{}: unknown column '{}': known are {}", file.display(), escaped(unknown), COLUMNS.join(", ")));
    }
    let folder = file.parent().unwrap_or_else(|| Path::new(""));
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| format!("{}: {error}", file.display()))?;
        let line = record.position().map_or(0, csv::Position::line);
        if rows.len() >= ROWS_MAX {
            return Err(format!("{} has more than {ROWS_MAX} rows", file.display()));
        }
        let value = |column: &str| {
            let index = headings.iter().position(|heading| heading == column);
            index.and_then(|index| record.get(index)).map(export::without_guard).unwrap_or_default().to_owned()
        };
        rows.push((line, read_row(desk, folder, value)));
    }
    Ok((headings, rows))
}

fn read_row(desk: &Desk, folder: &Path, value: impl Fn(&str) -> String) -> Result<Row, String> {
    let list = |column: &str| value(column).split(';').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let (typed_address, typed_language, certificate) = (value("address"), value("language"), value("certificate"));
    let has_language = !typed_language.is_empty();
    let typed = Typed {
        name: value("name"),
        address: Address::parse(&typed_address).ok_or_else(|| format!("'{}' is not a mail address", escaped(&typed_address)))?,
        kind: kind(&value("kind"))?,
        organisation: value("organisation"),
        sectors: list("sectors"),
        groups: list("groups"),
        language: if has_language { language(&typed_language)? } else { Language::Id },
        certificate: (!certificate.is_empty()).then(|| folder.join(certificate)),
    };
    let (contact, certificate) = typed.read(desk)?;
    Ok(Row { contact, certificate, has_language })
}
