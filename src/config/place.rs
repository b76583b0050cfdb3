//! Where a key stands in the file, so that an error can name the line. The file is read line by
//! line for this: it is for people, and a line that is guessed wrong changes nothing else.

use std::collections::{BTreeMap, BTreeSet};

/// Calls `each` with the number of every line that sets a key, and the key as `section.key` or
/// `section[2].key`, sections of a list counted from 1.
fn keys(text: &str, mut each: impl FnMut(usize, &str)) {
    let mut section = String::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if let Some(name) = line.strip_prefix("[[").and_then(|rest| rest.split("]]").next()) {
            let count = counts.entry(name.trim().to_owned()).or_default();
            *count += 1;
            section = format!("{}[{count}]", name.trim());
            each(number, &section);
        } else if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            name.trim().clone_into(&mut section);
            each(number, &section);
        } else if let Some((key, _)) = line.split_once('=')
            && !line.starts_with('#')
        {
            let key = key.trim().trim_matches(['"', '\'']);
            if section.is_empty() { each(number, key) } else { each(number, &format!("{section}.{key}")) }
        }
    }
}

/// The line of a key, else that of its section, counted from 1.
pub(super) fn line_of(text: &str, key: &str) -> Option<usize> {
    let section = key.rsplit_once('.').map_or(key, |(section, _)| section);
    let (mut exact, mut near) = (None, None);
    keys(text, |number, here| {
        if here == key {
            exact = exact.or(Some(number));
        }
        if here == section {
            near = near.or(Some(number));
        }
    });
    exact.or(near)
}

/// The key that stands on a line, else the section around it; empty above the first.
pub(super) fn key_at(text: &str, line: usize) -> String {
    let mut found = String::new();
    keys(text, |number, here| {
        if number == line {
            here.clone_into(&mut found);
        } else if number < line {
            // A value may go over several lines: the last key above is the one that is meant.
            here.clone_into(&mut found);
        }
    });
    found
}

/// Every key that the file sets, as `section.key`.
pub(super) fn keys_set(text: &str) -> BTreeSet<String> {
    let table: toml::Table = text.parse().unwrap_or_default();
    let mut found = BTreeSet::new();
    for (section, value) in &table {
        let tables: Vec<&toml::Table> = match value {
            toml::Value::Table(table) => vec![table],
            toml::Value::Array(list) => list.iter().filter_map(toml::Value::as_table).collect(),
            _ => Vec::new(),
        };
        found.extend(tables.into_iter().flat_map(|table| table.keys().map(move |key| format!("{section}.{key}"))));
    }
    found
}
