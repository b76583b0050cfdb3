//! What the verbs that read the database share: opening it, one JSON object a line, tables, and
//! the escaping of what strangers wrote. Nothing here decides anything.

use super::{Common, Exit, Failure, Outcome, print};
use crate::config::Config;
use crate::daemon::clock::Clock;
use crate::store::{FILE_NAME, Store, View};
use serde::Serialize;
use std::borrow::Cow;
use std::path::PathBuf;

/// Configuration, database and how times are shown.
pub(super) struct Desk {
    pub config: Config,
    pub store: Store,
    pub view: View,
}

/// Opens the database beside a daemon that may be running.
pub(super) fn open(common: &Common) -> Result<Desk, Failure> {
    let config = common.load()?;
    let store = Store::open_read(&database(&config))?;
    // The daemon's time, in whole seconds: what `outbox retry` makes due now is due for a daemon of the same second.
    let now = Clock::System.now();
    let view = View { time_zone: config.center.time_zone.clone(), now, center_address: config.center.address.to_string() };
    Ok(Desk { config, store, view })
}

/// Where the database of this configuration is.
pub(super) fn database(config: &Config) -> PathBuf {
    config.center.data_dir.join(FILE_NAME)
}

impl Desk {
    /// The ticket number that was typed: in full, letter case and brackets aside.
    pub fn ticket_number(&self, typed: &str) -> Result<crate::model::ticket::TicketNumber, Failure> {
        let bare = typed.trim().trim_start_matches('[').trim_end_matches(']');
        crate::model::ticket::TicketNumber::parse(&self.config.center.ticket_prefix, bare).ok_or_else(|| {
            Failure::usage(format!("'{}' is no ticket number such as {}-2026-000123", escaped(typed), self.config.center.ticket_prefix))
        })
    }
}

/// Who acts on the command line, for the audit log: what the operating system knows, then the name.
pub(super) fn who() -> String {
    use std::os::unix::fs::MetadataExt as _;
    let uid = std::fs::metadata("/proc/self").map(|own| own.uid().to_string()).unwrap_or_else(|_| "unknown".to_owned());
    let name = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).unwrap_or_default();
    let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).take(32).collect();
    if name.is_empty() { format!("command line, uid {uid}") } else { format!("command line, uid {uid} ({name})") }
}

/// The thing asked about is not there: exit 1.
pub(super) fn not_found(line: impl Into<String>) -> Failure {
    Failure { exit: Exit::NotInOrder, line: line.into() }
}

/// The ID of a row as a list shows it.
pub(super) fn row_id(word: &str) -> Result<i64, String> {
    word.parse()
        .ok()
        .filter(|id| *id > 0)
        .ok_or_else(|| "an ID is a whole number from 1, as the first column of the list shows it".to_owned())
}

/// How many rows are asked for.
pub(super) fn row_count(word: &str) -> Result<usize, String> {
    word.parse().ok().filter(|count| *count > 0).ok_or_else(|| "write a whole number from 1".to_owned())
}

/// Prints one object as a line of JSON.
pub(super) fn print_json(object: &impl Serialize) -> Result<(), Failure> {
    let line = serde_json::to_string(object).map_err(|error| Failure::service(format!("write JSON: {error}")))?;
    print(escaped_json(&line))
}

/// Prints rows as JSON lines or as a table.
pub(super) fn print_rows<T: Serialize>(common: &Common, rows: &[T], headings: &[&str], cells: impl Fn(&T) -> Vec<String>) -> Outcome {
    if common.json {
        rows.iter().try_for_each(print_json)?;
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        return Ok(Exit::Done);
    }
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING).set_header(headings);
    for row in rows {
        table.add_row(cells(row).into_iter().map(|cell| escaped(&cell).into_owned()));
    }
    for line in table.lines() {
        print(line.trim_end())?;
    }
    Ok(Exit::Done)
}

/// Prints `name  value` lines; empty values are left out.
pub(super) fn print_fields(fields: &[(&str, String)]) -> Result<(), Failure> {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    fields.iter().filter(|(_, value)| !value.is_empty()).try_for_each(|(name, value)| print(format!("{name:width$}  {}", escaped(value))))
}

/// A value that may be absent, as a cell.
pub(super) fn cell(value: Option<&impl ToString>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

/// More marks on one letter than this are shown as escapes (M16: combining floods).
const COMBINING_MAX: usize = 3;

/// What strangers wrote, on one line and without anything that a terminal obeys or a reader does not see (M16).
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    escape(text, false)
}

/// As [`escaped`], line breaks kept.
pub(super) fn escaped_lines(text: &str) -> Cow<'_, str> {
    escape(text, true)
}

fn escape(text: &str, keeps_lines: bool) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~') || keeps_lines && byte == b'\n') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut combining = 0;
    let text = if keeps_lines { Cow::Owned(text.replace("\r\n", "\n")) } else { Cow::Borrowed(text) };
    for c in text.chars() {
        combining = if is_combining(c) { combining + 1 } else { 0 };
        if c == '\n' && keeps_lines {
            out.push(c);
        } else if is_unseen(c) || combining > COMBINING_MAX {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// JSON text whose strings hold nothing that a terminal obeys; the value is the same.
fn escaped_json(line: &str) -> Cow<'_, str> {
    if !line.chars().any(is_unseen) {
        return Cow::Borrowed(line);
    }
    let mut out = String::with_capacity(line.len());
    for c in line.chars() {
        if is_unseen(c) {
            // Outside of strings JSON text is ASCII, so this is inside of one.
            let mut units = [0_u16; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Controls, bidi marks, zero-width characters, tags, line and paragraph separators.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn is_combining(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m16_nothing_that_a_terminal_obeys_is_printed() {
        assert_eq!(escaped("a\u{202e}b\u{1b}]8;;x\u{7}\nc"), "a\\u{202e}b\\u{1b}]8;;x\\u{7}\\u{a}c");
        assert_eq!(escaped_lines("satu\r\ndua\u{9b}31m"), "satu\ndua\\u{9b}31m");
        assert_eq!(escaped("é naïve 日本 🙂"), "é naïve 日本 🙂");
        let zalgo = format!("Z{}", "\u{300}".repeat(40));
        assert_eq!(escaped(&zalgo).matches("\\u{300}").count(), 37);
    }

    #[test]
    fn m16_json_is_escaped_and_means_the_same() {
        let value = serde_json::json!({"subject": "a\u{202e}b\u{1b}[0m\u{e0041}\u{85}é"});
        let line = escaped_json(&value.to_string()).into_owned();
        assert!(line.chars().all(|c| !is_unseen(c)), "{line}");
        assert!(line.contains("\\u202e"));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), value);
    }
}
