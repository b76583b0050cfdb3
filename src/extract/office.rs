//! The text of office files: ZIP with XML inside (DOCX, XLSX, PPTX, ODT, ODS).
//! Every size is bounded before it is unfolded (ATTACKS M11).

use super::file::{Finding, TEXT_BYTES_MAX, truncate};
use quick_xml::events::Event;
use std::io::{Cursor, Read};

/// Entries that an office file may have; real ones have some hundreds.
const ENTRIES_MAX: usize = 4_096;
/// What one part may unfold to.
const PART_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// What all parts together may unfold to.
const ALL_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// XML nested deeper than this is not read on.
const DEPTH_MAX: usize = 256;

/// Whether a part of the ZIP holds text for people.
fn holds_text(name: &str) -> bool {
    let is_numbered = |prefix: &str| name.starts_with(prefix) && name.ends_with(".xml");
    matches!(name, "word/document.xml" | "word/footnotes.xml" | "word/comments.xml" | "xl/sharedStrings.xml" | "content.xml")
        || is_numbered("word/header")
        || is_numbered("word/footer")
        || is_numbered("xl/worksheets/sheet")
        || is_numbered("ppt/slides/slide")
        || name.ends_with("document.xml.rels")
}

/// The text of DOCX, XLSX, PPTX, ODT or ODS.
pub(super) fn text_of(content: &[u8]) -> Result<String, Finding> {
    let mut archive = zip::ZipArchive::new(Cursor::new(content)).map_err(|error| Finding::unreadable(error.to_string()))?;
    if archive.len() > ENTRIES_MAX {
        return Err(Finding::too_large(format!("{} entries", archive.len())));
    }
    let names: Vec<String> = archive.file_names().flatten().filter(|name| holds_text(name)).map(|name| name.into_owned()).collect();
    let shared = match names.iter().any(|name| name == "xl/sharedStrings.xml") {
        true => strings_of(&part(&mut archive, "xl/sharedStrings.xml", PART_BYTES_MAX)?),
        false => Vec::new(),
    };
    let mut text = String::new();
    let mut left = ALL_BYTES_MAX;
    for name in names.iter().filter(|name| name.as_str() != "xl/sharedStrings.xml") {
        let xml = part(&mut archive, name, PART_BYTES_MAX.min(left))?;
        left = left.saturating_sub(xml.len() as u64);
        if name.ends_with(".rels") {
            links_of(&xml, &mut text)
        } else {
            text_of_xml(&xml, &shared, &mut text)
        }
        if text.len() > TEXT_BYTES_MAX {
            break;
        }
    }
    truncate(&mut text, TEXT_BYTES_MAX);
    Ok(text)
}

/// One part, unfolded to a limit.
fn part(archive: &mut zip::ZipArchive<Cursor<&[u8]>>, name: &str, bytes_max: u64) -> Result<String, Finding> {
    let file = archive.by_name(name).map_err(|error| match error.to_string() {
        text if text.to_ascii_lowercase().contains("password") => Finding::encrypted(),
        text => Finding::unreadable(text),
    })?;
    let mut bytes = Vec::new();
    let read = file.take(bytes_max + 1).read_to_end(&mut bytes);
    if bytes.len() as u64 > bytes_max {
        return Err(Finding::too_large("a part unfolds to too much"));
    }
    read.map_err(|error| Finding::unreadable(error.to_string()))?;
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// The text of a part: paragraphs and rows as lines, cells apart by tabs.
fn text_of_xml(xml: &str, shared: &[String], out: &mut String) {
    let mut reader = quick_xml::Reader::from_str(xml);
    reader.config_mut().check_end_names = false;
    let mut depth = 0_usize;
    let mut is_shared_cell = false;
    let mut in_value = false;
    let mut in_deleted = 0_usize;
    while let Ok(event) = reader.read_event() {
        if out.len() > TEXT_BYTES_MAX {
            return;
        }
        match event {
            Event::Start(start) => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return;
                }
                match start.local_name().as_ref() {
                    "c" => is_shared_cell = start.attributes().flatten().any(|a| a.key.as_ref() == "t" && a.value.as_ref() == "s"),
                    "v" => in_value = true,
                    // Field codes and deleted text are not what a reader sees.
                    "instrText" | "delText" | "script" => in_deleted += 1,
                    _ => {}
                }
            }
            Event::Empty(empty) => match empty.local_name().as_ref() {
                "br" | "line-break" | "cr" => out.push('\n'),
                "tab" | "s" => out.push(' '),
                _ => {}
            },
            Event::Text(text) if in_deleted == 0 => {
                let text = text.to_string();
                match text.trim().parse::<usize>() {
                    Ok(index) if in_value && is_shared_cell => out.push_str(shared.get(index).map_or("", String::as_str)),
                    _ => out.push_str(&text),
                }
            }
            Event::GeneralRef(name) if in_deleted == 0 => out.push(entity(&name)),
            Event::CData(text) if in_deleted == 0 => out.push_str(&text),
            Event::End(end) => {
                depth = depth.saturating_sub(1);
                match end.local_name().as_ref() {
                    "p" | "h" | "row" | "tr" | "table-row" => out.push('\n'),
                    "tc" | "table-cell" => cell_end(out),
                    "c" => cell_end(out),
                    "v" => in_value = false,
                    "instrText" | "delText" | "script" => in_deleted = in_deleted.saturating_sub(1),
                    _ => {}
                }
            }
            Event::Eof => return,
            _ => {}
        }
    }
}

/// A cell ends: its paragraphs were lines, and the next cell stands beside it.
fn cell_end(out: &mut String) {
    while out.ends_with('\n') {
        out.pop();
    }
    out.push('\t');
}

/// The shared strings of a workbook.
fn strings_of(xml: &str) -> Vec<String> {
    const STRINGS_MAX: usize = 200_000;
    let mut reader = quick_xml::Reader::from_str(xml);
    reader.config_mut().check_end_names = false;
    let (mut strings, mut current) = (Vec::new(), String::new());
    while let Ok(event) = reader.read_event() {
        match event {
            Event::Text(text) => current.push_str(&text),
            Event::GeneralRef(name) => current.push(entity(&name)),
            Event::End(end) if end.local_name().as_ref() == "si" => strings.push(std::mem::take(&mut current)),
            Event::Eof => break,
            _ => {}
        }
        if strings.len() > STRINGS_MAX {
            break;
        }
    }
    strings
}

/// The five entities of XML and character numbers; others are not defined in these files, and no
/// definition in the file itself is followed (no bomb of entities can unfold).
fn entity(name: &str) -> char {
    match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let code = match name.strip_prefix('#') {
                Some(hex) if hex.starts_with(['x', 'X']) => u32::from_str_radix(hex.get(1..).unwrap_or_default(), 16).ok(),
                Some(decimal) => decimal.parse().ok(),
                None => None,
            };
            code.and_then(char::from_u32).unwrap_or(' ')
        }
    }
}

/// The targets of links in a document: a letter may hide an address behind a word.
fn links_of(xml: &str, out: &mut String) {
    let mut reader = quick_xml::Reader::from_str(xml);
    while let Ok(event) = reader.read_event() {
        match event {
            Event::Empty(tag) | Event::Start(tag) => {
                let value = |name: &str| tag.attributes().flatten().find(|a| a.key.as_ref() == name).map(|a| a.value.to_string());
                if value("TargetMode").is_some_and(|mode| mode == "External")
                    && let Some(target) = value("Target").filter(|target| target.starts_with("http"))
                {
                    out.push_str(&target.replace("&amp;", "&"));
                    out.push('\n');
                }
            }
            Event::Eof => return,
            _ => {}
        }
        if out.len() > TEXT_BYTES_MAX {
            return;
        }
    }
}
