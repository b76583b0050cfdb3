//! The text of an RTF file: groups that hold no text are left out, escapes are undone.

use super::file::TEXT_BYTES_MAX;

/// Destinations whose content is no text.
const SILENT: &[&str] = &[
    "fonttbl",
    "colortbl",
    "stylesheet",
    "info",
    "pict",
    "object",
    "themedata",
    "datastore",
    "listtable",
    "listoverridetable",
    "generator",
    "rsidtbl",
    "xmlnstbl",
    "latentstyles",
    "colorschememapping",
    "mmathPr",
    "fldinst",
    "bin",
    "nonshppict",
];
/// Deeper groups are taken as silent.
const DEPTH_MAX: usize = 1_000;

/// The text; broken files give what can be read.
pub(super) fn text_of(content: &[u8]) -> String {
    let mut out = String::new();
    let mut silent_from: Option<usize> = None;
    let mut depth = 0_usize;
    let mut rest = content;
    let mut skip = 0_usize;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if out.len() > TEXT_BYTES_MAX {
            break;
        }
        match byte {
            b'{' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    silent_from = silent_from.or(Some(depth));
                }
                if rest.starts_with(b"\\*") {
                    silent_from = silent_from.or(Some(depth));
                }
            }
            b'}' => {
                if silent_from == Some(depth) {
                    silent_from = None;
                }
                depth = depth.saturating_sub(1);
            }
            b'\\' => {
                let (control, after) = control_of(rest);
                rest = after;
                if let Control::Word(name, _) = &control
                    && SILENT.contains(name)
                {
                    silent_from = silent_from.or(Some(depth));
                }
                if silent_from.is_none() {
                    emit(&control, &mut out, &mut skip);
                }
            }
            b'\r' | b'\n' => {}
            _ if silent_from.is_some() => {}
            _ if skip > 0 => skip -= 1,
            _ => out.push(windows(*byte)),
        }
    }
    out
}

enum Control<'a> {
    Word(&'a str, i32),
    Byte(u8),
    Symbol(u8),
}

/// What follows a backslash: a word with a number, a byte in hexadecimal, or a symbol.
fn control_of(rest: &[u8]) -> (Control<'_>, &[u8]) {
    const WORD_BYTES_MAX: usize = 32;
    match rest {
        [b'\'', high, low, after @ ..] => {
            let digits = [*high, *low];
            let byte = std::str::from_utf8(&digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok()).unwrap_or(b' ');
            (Control::Byte(byte), after)
        }
        [first, ..] if first.is_ascii_alphabetic() => {
            let word_len = rest.iter().take(WORD_BYTES_MAX).take_while(|byte| byte.is_ascii_alphabetic()).count();
            let (word, after) = rest.split_at_checked(word_len).unwrap_or((rest, &[]));
            let number_len =
                after.iter().take(11).enumerate().take_while(|(at, byte)| byte.is_ascii_digit() || (*at == 0 && **byte == b'-')).count();
            let (number, after) = after.split_at_checked(number_len).unwrap_or((after, &[]));
            let number = std::str::from_utf8(number).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0);
            (Control::Word(std::str::from_utf8(word).unwrap_or_default(), number), after.strip_prefix(b" ").unwrap_or(after))
        }
        [symbol, after @ ..] => (Control::Symbol(*symbol), after),
        [] => (Control::Symbol(b' '), rest),
    }
}

fn emit(control: &Control<'_>, out: &mut String, skip: &mut usize) {
    match control {
        Control::Byte(_) if *skip > 0 => *skip -= 1,
        Control::Byte(byte) => out.push(windows(*byte)),
        Control::Symbol(b'~') => out.push(' '),
        Control::Symbol(symbol @ (b'{' | b'}' | b'\\')) => out.push(char::from(*symbol)),
        Control::Word("par" | "line" | "row" | "sect" | "page", _) => out.push('\n'),
        Control::Word("tab" | "cell", _) => out.push('\t'),
        Control::Word("u", number) => {
            // Negative numbers are 16-bit values above 32,767; one fallback character follows.
            let code = if *number < 0 { number + 65_536 } else { *number };
            out.push(u32::try_from(code).ok().and_then(char::from_u32).unwrap_or('\u{fffd}'));
            *skip = 1;
        }
        _ => {}
    }
}

/// Windows-1252 where it differs from Latin-1 in what letters use.
pub(super) const fn windows(byte: u8) -> char {
    match byte {
        0x80 => '€',
        0x85 => '…',
        0x91 | 0x92 => '\'',
        0x93 | 0x94 => '"',
        0x95 => '•',
        0x96 | 0x97 => '-',
        _ => byte as char,
    }
}
