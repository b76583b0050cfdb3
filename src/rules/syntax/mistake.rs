//! What is wrong with the text of a rule file, said so that an analyst can mend it: the rule, the key, what stands
//! there, and what should. The parser speaks of types and tables; its authors of rules do not.

use super::{Parts, Rule, RulesError, SampleAttachment, Source, When};
use crate::model::nearest::nearest;
use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

/// What is said of a list without anything in it.
pub(super) const EMPTY: &str = "is an empty list";
/// More of a wrong value is not shown.
const SHOWN_CHARS_MAX: usize = 40;
/// Quotes that word processors put in.
const CURLY: [char; 7] = ['“', '”', '„', '‟', '‘', '’', '‚'];

/// An error of the parser in an analyst's words.
pub(super) fn told(source: &Source, error: &toml::de::Error) -> RulesError {
    let at = error.span().map_or(0, |span| span.start);
    let message = error.message().replace('\n', " ");
    match DeTable::parse(&source.text) {
        Ok(document) => meant(source, document.get_ref(), at, &message),
        Err(_) => written(source, at, &message),
    }
}

/// The place of a mistake: the table (`rule`, `test`), its name, the keys from there.
#[derive(Debug, Default)]
struct Place {
    table: String,
    name: Option<String>,
    keys: Vec<String>,
}

impl Place {
    /// `rule 'x': when.any`.
    fn shown(&self) -> String {
        let name = self.name.as_ref().map(|name| format!(" '{name}'")).unwrap_or_default();
        let keys = self.keys.join(".");
        match (self.table.is_empty(), keys.is_empty()) {
            (true, _) => keys,
            (false, true) => format!("{}{name}", self.table),
            (false, false) => format!("{}{name}: {keys}", self.table),
        }
    }

    fn key(&self) -> &str {
        self.keys.last().unwrap_or(&self.table)
    }
}

/// What is TOML, and no rule file.
fn meant(source: &Source, document: &DeTable<'_>, at: usize, message: &str) -> RulesError {
    let mut place = place(document, at);
    let mut at = at;
    let reason = if let Some((missing, _)) = between(message, "missing field `") {
        place.keys.push(missing.to_owned());
        format!("is missing; write {}", example(&place.table, missing))
    } else if let Some((unknown, rest)) = between(message, "unknown field `") {
        no_such_key(&place, unknown, rest)
    } else if message.contains(EMPTY) {
        format!("{EMPTY}; name at least one, or take the key out")
    } else if message.starts_with("an example is") {
        match sample_fault(document, at) {
            Some((place_at, key)) => {
                at = place_at;
                place.keys.push(key.clone());
                no_such_key(&place, &key, &names::<Parts>())
            }
            None => message.to_owned(),
        }
    } else {
        wrong_type(source, &place, at, message)
    };
    let shown = place.shown();
    source.error(at, if shown.is_empty() { reason } else { format!("{shown}: {reason}") })
}

/// Why there is no such key, and which was meant. `known` names the keys in backticks.
fn no_such_key(place: &Place, unknown: &str, known: &str) -> String {
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    let is_key_of = |names: String| names.split('`').any(|name| name == unknown);
    let elsewhere = if place.table.is_empty() && place.keys.len() == 1 && is_key_of(names::<Rule>()) {
        "; it is a rule's: a rule begins with [[rule]]"
    } else if place.table == "rule" && place.keys.len() > 1 && is_key_of(names::<Rule>()) {
        "; it is the rule's: write it outside of the braces of when, and above [rule.when]"
    } else if place.table == "rule" && place.keys.len() == 1 && is_key_of(names::<When>()) {
        "; it is a condition: write it into when = { … }"
    } else {
        ""
    };
    let meant = nearest(unknown, known.iter().copied()).filter(|_| elsewhere.is_empty());
    let meant = meant.map(|meant| format!(" (did you mean `{meant}`?)")).unwrap_or_default();
    format!("there is no such key{meant}{elsewhere}; the keys here are `{}`", known.join("`, `"))
}

/// The keys of a table as the parser tells them.
fn names<T: DeserializeOwned>() -> String {
    let told = toml::from_str::<T>("'' = 0").err().map(|error| error.message().to_owned()).unwrap_or_default();
    told.split_once("expected ").map(|(_, known)| known.to_owned()).unwrap_or_default()
}

/// A value of another kind than its key takes.
fn wrong_type(source: &Source, place: &Place, at: usize, message: &str) -> String {
    let Some((found, wanted)) = message.split_once(", expected ") else { return message.to_owned() };
    let found = found.split_once(": ").map_or(found, |(_, found)| found);
    let is = |kind: &str| found.starts_with(kind);
    let key = place.key();
    let value = value_at(source, at);
    match wanted {
        "a sequence" if is("map") && place.table.is_empty() => {
            format!("there may be many of these: write [[{key}]], with two brackets on each side")
        }
        "a sequence" if is("map") => format!("is a list: write {key} = [{{ … }}]"),
        "a sequence" => format!("is a list: write {key} = [{value}]"),
        "a map" if is("sequence") => format!("there is one in a file: write [{key}], with one bracket on each side"),
        "a string" => format!("is a text: write it in quotes, \"{}\"", value.trim_matches('"')),
        "a boolean" => format!("write {key} = true or {key} = false, without quotes"),
        "f64" => format!("is a number: write it without quotes and with a decimal point, as {key} = 2.5"),
        "usize" | "u32" => format!("is a whole number from 0 on: write it without quotes, as {key} = 2"),
        _ if wanted.starts_with("struct") || wanted == "a map" => format!("is a group of keys: write {}", example(&place.table, key)),
        _ => format!("{found} cannot stand here; {wanted} is wanted"),
    }
}

/// The value at a byte as it is written, as far as it stands on one line.
fn value_at(source: &Source, at: usize) -> String {
    let rest = source.text.get(at..).unwrap_or_default().lines().next().unwrap_or_default();
    let end = match rest.chars().next() {
        Some(quote @ ('"' | '\'')) => rest.get(1..).and_then(|rest| rest.find(quote)).map(|end| end + 2),
        _ => rest.find([',', ' ', ']', '}', '#']),
    };
    let value: String = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default().chars().take(SHOWN_CHARS_MAX).collect();
    value.trim().to_owned()
}

/// How a key is written that is missing.
fn example(table: &str, key: &str) -> String {
    match (table, key) {
        (_, "id") => "id = \"malware-courier\"".to_owned(),
        (_, "reason_id") => "reason_id = \"Kurir gadungan mengirim APK.\"".to_owned(),
        (_, "reason_en") => "reason_en = \"A false courier sends an APK.\"".to_owned(),
        (_, "when") => "when = { any = [\"virus\", \"trojan*\"] }".to_owned(),
        (_, "category") => "category = \"malware\"".to_owned(),
        (_, "near") => "near = [{ words = [\"kurir\", \"apk|aplikasi\"], within = 8 }]".to_owned(),
        (_, "words") => "words = [\"kurir\", \"apk|aplikasi\"]".to_owned(),
        (_, "name") => "name = \"undangan.apk\"".to_owned(),
        (_, "before") => "before = [\"bukan\", \"tidak ada\"]".to_owned(),
        (_, "indicators") => "indicators = { urls = 1 }".to_owned(),
        (_, key) => format!("{key} = …"),
    }
}

/// The key of an example that is none, and where it stands.
fn sample_fault(document: &DeTable<'_>, at: usize) -> Option<(usize, String)> {
    let rules = document.iter().filter(|(key, _)| key.get_ref() == "rule").filter_map(|(_, value)| value.get_ref().as_array());
    let tables = rules.flat_map(|rules| rules.iter()).filter_map(|rule| rule.get_ref().as_table());
    let samples = tables.flat_map(|rule| rule.iter()).find(|(_, value)| value.span().start == at)?.1.get_ref().as_array()?;
    for sample in samples.iter() {
        let Some(sample) = sample.get_ref().as_table() else { continue };
        let files = sample.iter().filter(|(key, _)| key.get_ref() == "attachments").filter_map(|(_, files)| files.get_ref().as_array());
        let files = files.flat_map(|files| files.iter()).filter_map(|file| file.get_ref().as_table());
        let of_files = files.flat_map(|file| file.keys()).map(|key| (key, names::<SampleAttachment>()));
        let own = sample.keys().map(|key| (key, names::<Parts>()));
        let mut all = own.chain(of_files);
        let unknown = all.find(|(key, known)| !known.split('`').skip(1).step_by(2).any(|known| known == key.get_ref()));
        if let Some((key, _)) = unknown {
            return Some((key.span().start, key.get_ref().to_string()));
        }
    }
    None
}

/// The rest of a message after `begin` up to the next backtick, and what follows.
fn between<'a>(message: &'a str, begin: &str) -> Option<(&'a str, &'a str)> {
    message.split_once(begin)?.1.split_once('`')
}

fn place(document: &DeTable<'_>, at: usize) -> Place {
    for (table, value) in document {
        for element in value.get_ref().as_array().into_iter().flat_map(|elements| elements.iter()) {
            let Some(inner) = element.get_ref().as_table() else { continue };
            let keys = if element.span().start == at { Some(Vec::new()) } else { keys(inner, at) };
            if let Some(keys) = keys {
                return Place { table: table.get_ref().to_string(), name: name(inner), keys };
            }
        }
    }
    Place { keys: keys(document, at).unwrap_or_default(), ..Place::default() }
}

/// The keys that lead to a byte, the innermost last.
fn keys(table: &DeTable<'_>, at: usize) -> Option<Vec<String>> {
    for (key, value) in table {
        let inner = match value.get_ref() {
            DeValue::Table(inner) => keys(inner, at),
            DeValue::Array(elements) => {
                elements.iter().filter_map(|element| element.get_ref().as_table()).find_map(|inner| keys(inner, at))
            }
            _ => None,
        };
        let is_here = key.span().contains(&at) || value.span().contains(&at);
        if let Some(inner) = inner.or_else(|| is_here.then(Vec::new)) {
            return Some([vec![key.get_ref().to_string()], inner].concat());
        }
    }
    None
}

/// The name that a rule or test has.
fn name(table: &DeTable<'_>) -> Option<String> {
    let (_, value) = table.iter().find(|(key, _)| matches!(key.get_ref().as_ref(), "id" | "name"))?;
    value.get_ref().as_str().map(str::to_owned)
}

/// What is no TOML: read off the line, since there is nothing else.
fn written(source: &Source, at: usize, message: &str) -> RulesError {
    let elsewhere = match message {
        _ if message.starts_with("unclosed array,") => open_list(source, at),
        _ if message.starts_with("duplicate key") => single_bracket(source, at),
        _ => None,
    };
    if let Some((line, reason)) = elsewhere {
        return RulesError { file: source.name.clone(), line, reason };
    }
    let number = source.line(at);
    let line = source.text.lines().nth(number.saturating_sub(1)).unwrap_or_default();
    let key = line.split_once(['=', ':']).map(|(key, _)| key.trim().trim_matches(['"', '\''])).unwrap_or_default();
    let is_key = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    let reason = if line.contains(CURLY) {
        "curly quotes are no quotes here; write straight ones: \"…\"".to_owned()
    } else if let Some(number) = comma_number(line) {
        format!("a comma parts values here; write the number with a decimal point: {}", number.replace(',', "."))
    } else if message.starts_with("duplicate key") {
        twice(source, at)
    } else if line.trim_start().starts_with('[') && (message.starts_with("unclosed") || message.starts_with("unexpected key")) {
        "a rule begins with [[rule]], two brackets on each side; a table such as [lists] has one".to_owned()
    } else if message.ends_with("expected `=`") {
        "there is no `=`; write key = value, as id = \"malware-courier\"".to_owned()
    } else if message.starts_with("string values must be quoted") {
        "a text stands in straight quotes: \"…\"".to_owned()
    } else if message.contains("expected `\"`") || message.contains("expected `'`") {
        "the quotes are not closed on this line; a text begins and ends with \", and one with \" inside stands in '…'".to_owned()
    } else if message.starts_with("unexpected key or value") && line.contains('=') {
        "nothing may follow the value on its line; a text with \" inside stands in '…'".to_owned()
    } else if message.starts_with("missing escaped value") {
        "\\ begins an escape in \"…\"; write the text in '…', where \\ is itself".to_owned()
    } else if message.starts_with("missing comma") {
        "write a comma between the values, or close what begins above it: a list with ], a table with }".to_owned()
    } else {
        message.to_owned()
    };
    let rule = rule_named(source, number);
    let key = if is_key && !reason.starts_with(key) { format!("{key}: ") } else { String::new() };
    source.error(at, format!("{rule}{key}{reason}"))
}

/// The list that is open where the file ends: its line, and what to do.
fn open_list(source: &Source, at: usize) -> Option<(usize, String)> {
    let above: Vec<&str> = source.text.lines().take(source.line(at)).collect();
    let key = |line: &&str| {
        let (key, value) = line.split_once('=')?;
        value.trim_start().starts_with('[').then(|| key.trim().to_owned())
    };
    let index = above.iter().rposition(|line| key(line).is_some())?;
    let key = above.get(index).and_then(key)?;
    Some((index + 1, format!("{}{key}: the list is not closed; end it with ]", rule_named(source, index + 1))))
}

/// A table of which there are many that was begun with one bracket, and stands here with two.
fn single_bracket(source: &Source, at: usize) -> Option<(usize, String)> {
    let head = |index: usize| source.text.lines().nth(index).map(|line| line.split('#').next().unwrap_or_default().trim());
    let number = source.line(at);
    let table = head(number.saturating_sub(1))?.trim_matches(['[', ']']);
    let single = format!("[{table}]");
    let is_many = matches!(table, "rule" | "test");
    let first = (0..number).find(|index| is_many && head(*index).is_some_and(|line| line == single))? + 1;
    Some((first, format!("{table}: there may be many of these: write [[{table}]], with two brackets on each side")))
}

/// `0,5` behind a `=`, as it stands.
fn comma_number(line: &str) -> Option<&str> {
    line.split('=').skip(1).map(str::trim_start).find_map(|value| {
        let end = value.find(|c: char| !(c.is_ascii_digit() || matches!(c, ',' | '-' | '+'))).unwrap_or(value.len());
        let number = value.get(..end)?;
        let (whole, part) = number.split_once(',')?;
        (whole.ends_with(|c: char| c.is_ascii_digit()) && part.starts_with(|c: char| c.is_ascii_digit())).then_some(number)
    })
}

/// A key that stands twice: where first, and what may have been forgotten between.
fn twice(source: &Source, at: usize) -> String {
    let is_of_key = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    let rest = source.text.get(at..).unwrap_or_default();
    let key = rest.get(..rest.find(|c| !is_of_key(c)).unwrap_or(rest.len())).unwrap_or_default();
    let above: Vec<&str> = source.text.lines().take(source.line(at).saturating_sub(1)).collect();
    let is_same =
        |line: &str| line.trim_start_matches([' ', '\t', '[', '"']).strip_prefix(key).is_some_and(|rest| !rest.starts_with(is_of_key));
    let first = above.iter().rposition(|line| is_same(line)).map(|index| format!(", first in line {}", index + 1)).unwrap_or_default();
    let is_table = source.text.lines().nth(above.len()).is_some_and(|line| line.trim_start().starts_with('['));
    let remedy = if is_table { "put all of it under one" } else { "keep one, and begin a further rule with [[rule]]" };
    format!("{key} stands twice{first}; {remedy}")
}

/// The beginning of what is said of a line of a rule.
fn rule_named(source: &Source, line: usize) -> String {
    rule_above(source, line).map(|id| format!("rule '{id}': ")).unwrap_or_default()
}

/// The name of the rule that a line is part of.
fn rule_above(source: &Source, line: usize) -> Option<String> {
    let lines: Vec<&str> = source.text.lines().collect();
    let is_head = |line: &&str| line.starts_with('[');
    let head = lines.iter().take(line).rposition(is_head)?;
    if !lines.get(head)?.starts_with("[[rule]]") {
        return None;
    }
    let of_rule = lines.iter().skip(head + 1).take_while(|line| !is_head(line));
    let id = of_rule.filter_map(|line| line.split_once('=')).find(|(key, _)| key.trim() == "id")?.1;
    Some(id.trim().trim_matches(['"', '\'']).chars().take(SHOWN_CHARS_MAX).collect())
}
