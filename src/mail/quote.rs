//! The marks by which mail programs set off what is not new: quotation, attribution, copied header
//! blocks, forwarding lines, signatures, footers, boilerplate. In Indonesian, English, and the
//! attributions of some other languages.

/// Lines that an attribution may be wrapped over.
const WRAPPED_LINES_MAX: usize = 4;
/// A longer sentence is no attribution.
const ATTRIBUTION_CHARS_MAX: usize = 400;

/// A mark after which the text is somebody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// "On … wrote:". Sure where it names a time or an address.
    Attribution { lines: usize, is_sure: bool },
    /// A line such as "-----Original Message-----" or "---------- Forwarded message".
    Divider,
    /// A block of From, Sent, To and Subject as Outlook copies it.
    Block { lines: usize },
}

impl Mark {
    pub(super) const fn lines(self) -> usize {
        match self {
            Self::Attribution { lines, .. } | Self::Block { lines } => lines,
            Self::Divider => 1,
        }
    }
}

/// A line quoted by a mark. `>>>` in the middle of text (a banner of a ransom note) is none.
pub(super) fn is_quoted(line: &str) -> bool {
    let indent = line.len() - line.trim_start_matches([' ', '\t', '\u{a0}']).len();
    indent <= 1 && line.trim_start().starts_with('>') && !line.trim_end().ends_with("<<<")
}

/// How deep a line is quoted, and the line without its marks.
pub(super) fn unquoted(line: &str) -> (usize, &str) {
    let (mut depth, mut rest) = (0, line);
    while is_quoted(rest) {
        depth += 1;
        rest = rest.trim_start().strip_prefix('>').unwrap_or_default();
        rest = rest.strip_prefix(' ').unwrap_or(rest);
    }
    (depth, rest)
}

/// The mark that begins at this line.
pub(super) fn mark_at(lines: &[&str], at: usize) -> Option<Mark> {
    let line = lines.get(at)?;
    if line.trim().is_empty() {
        return None;
    }
    if is_divider(line) {
        return Some(Mark::Divider);
    }
    if let Some(length) = header_block(lines, at) {
        return Some(Mark::Block { lines: length });
    }
    let (length, text) = attribution(lines, at)?;
    Some(Mark::Attribution { lines: length, is_sure: text.contains('@') || has_time(&text) })
}

/// `09:41` or `09.41` somewhere in it.
fn has_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.windows(4).any(|w| matches!(w, [a, b':' | b'.', c, d] if a.is_ascii_digit() && c.is_ascii_digit() && d.is_ascii_digit()))
}

const WROTE: &[&str] = &[
    "wrote:",
    "writes:",
    "menulis:",
    "menuliskan:",
    "tulis:",
    "schrieb:",
    "a écrit :",
    "a écrit:",
    "escribió:",
    "ha scritto:",
    "написал:",
    "schreef:",
];
const WROTE_AT: &[&str] = &["on ", "pada ", "am ", "le ", "el ", "il ", "op ", "di ", "tanggal ", "hari "];

/// An attribution from this line on: how many lines, and its text.
fn attribution(lines: &[&str], at: usize) -> Option<(usize, String)> {
    let mut text = String::new();
    for (count, line) in lines.iter().skip(at).take(WRAPPED_LINES_MAX).enumerate() {
        if line.trim().is_empty() || is_quoted(line) {
            return None;
        }
        if count > 0 {
            text.push(' ');
        }
        text.push_str(line.trim());
        let lower = text.to_lowercase();
        if lower.chars().count() > ATTRIBUTION_CHARS_MAX {
            return None;
        }
        if count == 0 && !begins_attribution(&lower) {
            return None;
        }
        let ends = WROTE.iter().any(|word| lower.ends_with(word))
            || lower.ends_with(':') && (lower.contains(" wrote on ") || lower.contains(" menulis pada "))
            || lower.ends_with(">:") && lower.contains('@');
        if ends {
            return Some((count + 1, text));
        }
    }
    None
}

/// The first line of an attribution: "On", a date, or a name with an address.
fn begins_attribution(lower: &str) -> bool {
    WROTE_AT.iter().any(|word| lower.starts_with(word))
        || lower.starts_with(|c: char| c.is_ascii_digit())
        || lower.contains('@')
        || lower.contains("wrote")
        || lower.contains("menulis")
}

const DIVIDERS: &[&str] = &[
    "forwarded message",
    "forwarded by",
    "pesan terusan",
    "pesan yang diteruskan",
    "pesan diteruskan",
    "surat terusan",
    "email terusan",
    "terusan pesan",
    "diteruskan oleh",
    "original message",
    "original mail",
    "pesan asli",
    "pesan awal",
    "pesan sebelumnya",
    "email asli",
    "surel asli",
    "surat asli",
    "pesan semula",
    "original appointment",
    "reply message",
    "pesan balasan",
    "ursprüngliche nachricht",
    "message d'origine",
];
const BEGINNINGS: &[&str] = &[
    "begin forwarded message:",
    "awal pesan terusan:",
    "awal pesan yang diteruskan:",
    "mulai pesan terusan:",
    "mulai pesan yang diteruskan:",
    "mulai meneruskan pesan:",
    "pesan yang diteruskan:",
    "start of forwarded message:",
];

/// "-----Original Message-----" and its like.
pub(super) fn is_divider(line: &str) -> bool {
    let line = line.trim();
    if line.len() > 120 {
        return false;
    }
    let lower = line.to_lowercase();
    let inner = lower.trim_matches(|c: char| matches!(c, '-' | '=' | '_' | '*' | '—' | '–' | ' '));
    let is_framed = lower.starts_with("--") || lower.starts_with("==") || lower.starts_with("__") || lower.starts_with("——");
    is_framed && DIVIDERS.iter().any(|word| inner.starts_with(word)) || BEGINNINGS.contains(&lower.as_str())
}

const FROM: &[&str] = &["from", "dari", "von", "de", "pengirim"];
const SENT: &[&str] = &["sent", "dikirim", "terkirim", "dikirim pada", "dikirimkan", "gesendet", "envoyé"];
const OTHERS: &[&str] = &[
    "date",
    "tanggal",
    "to",
    "kepada",
    "ke",
    "cc",
    "tembusan",
    "subject",
    "subjek",
    "perihal",
    "hal",
    "reply-to",
    "importance",
    "an",
    "betreff",
    "à",
    "objet",
];

/// The name before the colon of a copied header line, lower case.
fn key_of(line: &str) -> Option<String> {
    const KEY_CHARS_MAX: usize = 16;
    let (key, _) = line.trim().trim_start_matches(['*', '_']).split_once(':')?;
    let key = key.trim().trim_end_matches('*').trim().to_lowercase();
    (key.chars().count() <= KEY_CHARS_MAX).then_some(key)
}

/// A copied header block from this line on: From, and two more fields close by. A letter's heading
/// ("Dari", "Kepada", "Hal") is none: it has neither an address nor a line of sending.
fn header_block(lines: &[&str], at: usize) -> Option<usize> {
    const LOOK_LINES: usize = 9;
    let first = lines.get(at)?;
    if !FROM.contains(&key_of(first)?.as_str()) {
        return None;
    }
    let (mut others, mut is_sent, mut length) = (0, false, 1);
    for (count, line) in lines.iter().enumerate().skip(at + 1).take(LOOK_LINES) {
        if line.trim().is_empty() {
            // HTML clients put an empty line between the fields.
            if others == 0 || lines.get(count + 1).is_some_and(|next| key_of(next).is_some_and(|key| is_field(&key))) {
                continue;
            }
            break;
        }
        let Some(key) = key_of(line).filter(|key| is_field(key)) else {
            // An address list goes on over lines.
            if line.contains('@') || line.starts_with([' ', '\t']) {
                continue;
            }
            break;
        };
        is_sent = is_sent || SENT.contains(&key.as_str());
        others += 1;
        length = count - at + 1;
    }
    let is_addressed = first.contains('@') || first.contains("mailto:");
    (others >= 2 && (is_sent || is_addressed)).then_some(length)
}

fn is_field(key: &str) -> bool {
    OTHERS.contains(&key) || SENT.contains(&key)
}

/// `-- ` (RFC 3676 §4.3), or what people make of it.
pub(super) fn is_signature_mark(line: &str) -> bool {
    line == "-- " || matches!(line.trim(), "--" | "—" | "––" | "——" | "---" | "-- --")
}

/// A line of nothing but dashes, underscores, stars or equal signs.
pub(super) fn is_rule(line: &str) -> bool {
    let line = line.trim();
    line.chars().count() >= 3 && line.chars().all(|c| matches!(c, '-' | '_' | '=' | '*' | '—' | '–' | '~' | '#'))
}

/// What telephones and webmailers add under a message.
pub(super) fn is_device_footer(line: &str) -> bool {
    const CHARS_MAX: usize = 90;
    let lower = line.trim().trim_start_matches(['-', '*', ' ']).to_lowercase();
    if lower.is_empty() || lower.chars().count() > CHARS_MAX {
        return false;
    }
    let starts = [
        "sent from my ",
        "sent from ",
        "sent via ",
        "get outlook for ",
        "get bluemail",
        "dikirim dari ",
        "terkirim dari ",
        "dikirim melalui ",
        "dapatkan outlook ",
        "unduh outlook ",
        "dikirim menggunakan ",
        "diambil dari outlook",
        "powered by telkomsel",
        "kirim dari ",
        "sent with ",
    ];
    let devices = [
        "iphone",
        "ipad",
        "android",
        "samsung",
        "galaxy",
        "xiaomi",
        "redmi",
        "oppo",
        "vivo",
        "realme",
        "infinix",
        "huawei",
        "nokia",
        "blackberry",
        "outlook",
        "yahoo",
        "gmail",
        "mail for windows",
        "mail untuk windows",
        "email untuk windows",
        "ponsel",
        "handphone",
        "hp ",
        "smartphone",
        "phone",
        "bluemail",
        "proton",
        "spark",
        "mobile",
        "telkomsel",
        "zimbra",
        "surat untuk windows",
        "perangkat",
    ];
    starts.iter().any(|start| lower.starts_with(start)) && devices.iter().any(|device| lower.contains(device))
}

const BOILERPLATE_HEADS: &[&str] = &[
    "disclaimer",
    "confidentiality",
    "legal notice",
    "legal disclaimer",
    "catatan kerahasiaan",
    "pernyataan kerahasiaan",
    "pernyataan penyangkalan",
    "penyangkalan",
    "pemberitahuan kerahasiaan",
    "privileged",
];
const BOILERPLATE_STARTS: &[&str] = &[
    "this e-mail",
    "this email",
    "this message",
    "this communication",
    "this transmission",
    "the information",
    "the contents of",
    "the content of",
    "surel ini",
    "surat elektronik ini",
    "email ini",
    "e-mail ini",
    "pesan ini",
    "informasi yang",
    "informasi dalam",
    "isi email",
    "isi surel",
    "isi pesan",
    "notice:",
    "important",
    "perhatian",
    "peringatan",
    "penting:",
    "caution",
    "confidential",
    "rahasia",
    "please consider the environment",
    "pertimbangkan lingkungan",
    "if you are not the intended",
    "jika anda bukan penerima",
    "apabila anda bukan penerima",
    "note:",
    "catatan:",
];
const BOILERPLATE_WORDS: &[&str] = &[
    "email ini bersifat",
    "e-mail ini bersifat",
    "surel ini bersifat",
    "pesan ini bersifat",
    "confidential",
    "intended recipient",
    "intended only",
    "intended solely",
    "solely for",
    "privileged",
    "if you are not",
    "in error",
    "notify the sender",
    "delete it",
    "liab",
    "may contain virus",
    "protected by law",
    "rahasia",
    "penerima yang dituju",
    "penerima yang dimaksud",
    "bukan penerima",
    "ditujukan hanya",
    "hanya ditujukan",
    "hanya untuk",
    "segera hapus",
    "menghapus",
    "memberitahu pengirim",
    "memberitahukan pengirim",
    "menghubungi pengirim",
    "bertanggung jawab atas",
    "tanggung jawab",
    "dilarang menyebar",
    "dilarang keras",
    "kerahasiaan",
    "mungkin mengandung",
    "caused by this",
    "virus",
    "unauthorised",
    "unauthorized",
    "dapat dipidana",
    "uu ite",
    "before printing",
    "sebelum mencetak",
];

/// A paragraph of legal boilerplate: it begins like one and holds two of its phrases.
pub(super) fn is_boilerplate(paragraph: &[&str]) -> bool {
    let text = paragraph.iter().filter(|line| !is_rule(line)).map(|line| line.trim()).collect::<Vec<_>>().join(" ").to_lowercase();
    let text = text.trim_start_matches(['*', '-', '_', '=', ' ', '"', '[', '(']);
    if BOILERPLATE_HEADS.iter().any(|head| text.starts_with(head)) {
        return true;
    }
    BOILERPLATE_STARTS.iter().any(|start| text.starts_with(start))
        && BOILERPLATE_WORDS.iter().filter(|word| text.contains(**word)).count() >= 2
}

/// The loosest reading of an attribution: how many lines from here to "wrote:", or 0. No empty line stands in one. A
/// command is its beginning (a sender may bear the name of one) unless a line below begins one: the address behind a
/// command, a line above a quotation, would take the command away.
pub(super) fn loose_attribution(lines: &[&str], at: usize) -> usize {
    let Some(first) = lines.get(at) else { return 0 };
    let begins = |line: &str| begins_attribution(&line.trim().to_lowercase());
    let end = lines
        .iter()
        .skip(at)
        .take(WRAPPED_LINES_MAX)
        .take_while(|line| !line.trim().is_empty())
        .position(|line| WROTE.iter().any(|word| line.trim_end().to_lowercase().ends_with(word)));
    let Some(end) = end else { return 0 };
    let is_bare = |line: &str| WROTE.contains(&line.trim().to_lowercase().as_str());
    let is_command = first.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '!').starts_with('!');
    let is_above = || is_command && lines.iter().skip(at + 1).take(end).any(|line| begins(line) && !is_bare(line));
    if end == 0 || begins(first) && !is_above() { end + 1 } else { 0 }
}

/// Whether the text of an analyst ends before this line (contract 5). Looser than [`mark_at`].
pub(super) fn ends_command_part(lines: &[&str], at: usize) -> bool {
    let Some(line) = lines.get(at) else { return true };
    let lower = line.trim().to_lowercase();
    line.trim_start_matches([' ', '\t', '\u{a0}']).starts_with('>')
        || line.trim_end() == "--"
        || is_divider(line)
        || key_of(line).is_some_and(|key| key == "from" || key == "dari")
        || lower.contains("balas di atas garis ini")
        || lower.contains("reply above this line")
        || is_rule(line) && line.trim().starts_with("____")
        || loose_attribution(lines, at) > 0
}
