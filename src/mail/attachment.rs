//! Names and sorts of attachments: what is shown is made safe here (ATTACKS M9, M10).

use super::field;
use super::part::Part;

/// A shown name is cut here.
pub const NAME_BYTES_MAX: usize = 120;

/// The name of a part, made safe, and whether anything had to be changed. `number` counts from 1.
#[must_use]
pub fn name_of(part: &Part<'_>, number: usize) -> (String, bool) {
    let typed = part.disposition.get("filename").or_else(|| part.content_type.get("name")).unwrap_or_default();
    let mut names = part.disposition.all("filename").chain(part.content_type.all("name"));
    let several =
        names.any(|other| field::decode_words(other) != field::decode_words(typed)) || part.disposition.all("filename").count() > 1;
    if typed.is_empty() {
        return (format!("part-{number}{}", extension_of(&part.media_type)), false);
    }
    let decoded = field::decode_words(typed);
    let safe = safe_name(&decoded);
    let is_changed = safe != decoded || several;
    if safe.is_empty() { (format!("part-{number}{}", extension_of(&part.media_type)), true) } else { (safe, is_changed) }
}

/// Every name that a part gives itself, for the analyst: another program may show another one (M9).
#[must_use]
pub fn all_names(part: &Part<'_>) -> String {
    let mut names: Vec<String> = Vec::new();
    for typed in part.disposition.all("filename").chain(part.content_type.all("name")) {
        let name = safe_name(&field::decode_words(typed));
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.join(", ")
}

/// A name that can be shown and written anywhere: the last component of a path, no controls, no
/// bidi marks, no leading dot or dash, no device name, at most [`NAME_BYTES_MAX`] bytes.
#[must_use]
pub fn safe_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).find(|component| !component.trim().is_empty()).unwrap_or_default();
    let kept: String = last
        .chars()
        .filter(|c| !c.is_control() && !field::is_invisible(*c))
        .map(|c| if matches!(c, ':' | '*' | '?' | '"' | '<' | '>' | '|' | '\u{2028}' | '\u{2029}') { '_' } else { c })
        .collect();
    let kept = kept.trim().trim_start_matches(['.', '-', '~']).trim();
    let stem = kept.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let is_device = matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL")
        || (stem.len() == 4 && (stem.starts_with("COM") || stem.starts_with("LPT")) && stem.ends_with(|c: char| c.is_ascii_digit()));
    let kept = if is_device { format!("_{kept}") } else { kept.to_owned() };
    cut(&kept)
}

/// Cuts in the middle, so that the extension stays to be seen.
fn cut(name: &str) -> String {
    const EXTENSION_BYTES_MAX: usize = 16;
    if name.len() <= NAME_BYTES_MAX {
        return name.to_owned();
    }
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if extension.len() <= EXTENSION_BYTES_MAX => (stem, format!(".{extension}")),
        _ => (name, String::new()),
    };
    let end = stem.floor_char_boundary(NAME_BYTES_MAX - extension.len());
    format!("{}{extension}", stem.get(..end).unwrap_or_default())
}

fn extension_of(media_type: &str) -> &'static str {
    match media_type {
        "message/rfc822" | "message/global" => ".eml",
        "text/plain" => ".txt",
        "text/html" => ".html",
        "text/calendar" => ".ics",
        "text/csv" => ".csv",
        "text/rfc822-headers" => ".headers.txt",
        "image/jpeg" => ".jpg",
        "image/png" => ".png",
        "image/gif" => ".gif",
        "application/pdf" => ".pdf",
        "application/pgp-signature" => ".asc",
        "application/pgp-keys" => ".asc",
        "message/delivery-status" => ".dsn.txt",
        "application/json" => ".json",
        _ => ".bin",
    }
}

/// What the first bytes say the content is; empty where they say nothing (M10).
#[must_use]
pub fn sniffed(content: &[u8]) -> &'static str {
    let head = content.get(..content.len().min(1_024)).unwrap_or(content);
    let lower = head.to_ascii_lowercase();
    let lower = lower.trim_ascii_start();
    match head {
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'G', b'I', b'F', b'8', ..] => "image/gif",
        [b'%', b'P', b'D', b'F', ..] => "application/pdf",
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => "application/zip",
        [b'M', b'Z', ..] => "application/x-msdownload",
        [0x7f, b'E', b'L', b'F', ..] => "application/x-executable",
        [0xd0, 0xcf, 0x11, 0xe0, ..] => "application/x-ole-storage",
        [b'{', b'\\', b'r', b't', b'f', ..] => "application/rtf",
        [b'R', b'a', b'r', b'!', ..] => "application/x-rar",
        [b'7', b'z', 0xbc, 0xaf, ..] => "application/x-7z-compressed",
        [0x1f, 0x8b, ..] => "application/gzip",
        _ if lower.starts_with(b"<!doctype html") || lower.starts_with(b"<html") || lower.starts_with(b"<script") => "text/html",
        _ if lower.starts_with(b"<svg") => "image/svg+xml",
        _ => "",
    }
}

/// Whether what the bytes are is more dangerous than what the part declares.
#[must_use]
pub fn is_disguised(declared: &str, sniffed: &str) -> bool {
    let is_program = matches!(sniffed, "application/x-msdownload" | "application/x-executable" | "text/html" | "image/svg+xml");
    is_program
        && declared != sniffed
        && (declared.starts_with("image/") && declared != "image/svg+xml"
            || declared.starts_with("audio/")
            || declared == "application/pdf")
}
