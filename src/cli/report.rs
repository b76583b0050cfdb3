//! `bantuan70 report`: the figures that the chief receives, for any days: as text, as JSON, as a page.

use super::listing::{escaped_lines, open, print_json};
use super::{Common, Exit, Failure, Outcome, print};
use crate::figures;
use crate::mail::template::{TemplateName, Templates};
use crate::model::ledger::{Period, Wanted};
use clap::Args;
use jiff::civil::Date;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

/// Days before today where no first day is named: a week with today.
const DAYS: i64 = 6;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// First day, such as 2026-03-01 [default: six days before the last]
    #[arg(long, value_name = "DAY", value_parser = day)]
    from: Option<Date>,
    /// Last day, itself included [default: today]
    #[arg(long, value_name = "DAY", value_parser = day)]
    to: Option<Date>,
    /// Also write the page with charts to this file, which is replaced
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub(super) fn day(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| "a day is written as 2026-03-01".to_owned())
}

pub(super) fn run(common: &Common, arguments: Arguments) -> Outcome {
    let desk = open(common)?;
    let policy = desk.config.policy_without_people();
    let zone = &policy.time_zone;
    let last = arguments.to.unwrap_or_else(|| desk.view.now.to_zoned_datetime(zone.clone()).date());
    let midnight = last.to_zoned_datetime(zone.clone()).map_or(desk.view.now, |at| at.timestamp());
    let first = arguments.from.unwrap_or_else(|| Wanted::LastDays(DAYS).period(zone, midnight).first);
    let period =
        Period::new(first, last).ok_or_else(|| Failure::usage(format!("--from {first} is after --to {last}, or no such period can be")))?;
    let templates = Templates::load(desk.config.center.templates_dir.as_deref()).map_err(|error| Failure::usage(error.to_string()))?;
    let ledger = desk.store.ledger(period, zone)?;
    let figures = figures::reckon(&ledger, period, &policy, desk.view.now);
    if let Some(path) = &arguments.html {
        let page = figures::page(&figures, "report", &templates, policy.language);
        // It names reporters' tickets and stakeholders: its owner's alone.
        let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
        file.and_then(|mut file| file.write_all(page.as_bytes()))
            .map_err(|error| Failure::service(format!("write {}: {error}", path.display())))?;
    }
    if common.json {
        print_json(&figures)?;
        return Ok(Exit::Done);
    }
    let fields = figures::fields(&figures, "report", &templates, policy.language).text("center_name", &policy.center_name);
    let text = templates.render(TemplateName::Report, policy.language, &fields).text;
    // The line to answer above is for letters.
    let text = text.split_once('\n').map_or(text.as_str(), |(_, rest)| rest.trim_start());
    print(escaped_lines(text.trim_end()))?;
    Ok(Exit::Done)
}
