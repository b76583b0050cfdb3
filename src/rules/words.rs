//! Text to tokens, and tokens to the words that rule authors write: letters are folded, repeated
//! letters shortened, and Indonesian and English affixes taken off. No dictionary is needed: the
//! only stems that count are those that some rule names, so stripping can try every affix and
//! keep what hits. (A blind stemmer makes `dialog` to `alog`; this one cannot.)

/// Longest text of one place that is read; the rest is not looked at (ATTACKS M14).
pub const TEXT_BYTES_MAX: usize = 1 << 20;
/// Longer runs of letters are no words; only their beginning is kept.
const TOKEN_BYTES_MAX: usize = 48;
/// How far apart nearness sees the words on both sides of a sentence's end.
const SENTENCE_GAP: u32 = 4;
/// Shortest stem: with fewer letters anything would match (`lagi` is not `lag`, `min` is not `pin`).
const STEM_MIN: usize = 4;
/// Shortest stem after affixes that are seldom part of a word: `webnya`, `otpku`, `diisi`.
const STEM_MIN_SURE: usize = 3;

/// One word of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// Place in the text, in bytes.
    pub start: u32,
    pub end: u32,
    /// Place of the folded form in [`Tokens::folded`].
    from: u32,
    to: u32,
    /// Ordinal for nearness: sentence ends count as some words.
    pub position: u32,
    /// The number of its sentence.
    pub sentence: u32,
    /// A comma or dash stands right before it.
    pub after_comma: bool,
}

/// A text cut into words.
#[derive(Debug, Default)]
pub struct Tokens {
    pub list: Vec<Token>,
    /// Addresses of the web and of mail, in bytes of the text: they are indicators, no words.
    pub addresses: Vec<(u32, u32)>,
    /// The text in small letters, and after it the folded form of the words that need more than that.
    folded: String,
}

impl Tokens {
    /// The folded form of a token of this text.
    #[must_use]
    pub fn word(&self, token: &Token) -> &str {
        self.folded.get(token.from as usize..token.to as usize).unwrap_or_default()
    }
}

/// The beginning of `text` that is read: at most [`TEXT_BYTES_MAX`], cut at a character.
#[must_use]
pub fn capped(text: &str) -> &str {
    text.get(..text.floor_char_boundary(TEXT_BYTES_MAX)).unwrap_or_default()
}

/// Cuts a text into words. Addresses of the web and of mail are kept apart.
#[must_use]
pub fn prose(text: &str) -> Tokens {
    cut(text, Addresses::Apart)
}

/// Cuts a text of addresses into words, for rules that look into links.
#[must_use]
pub fn links(text: &str) -> Tokens {
    cut(text, Addresses::AsWords)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Addresses {
    Apart,
    AsWords,
}

/// Whether a run of characters without white space is a link, a host or a mail address.
fn is_address(chunk: &str) -> bool {
    let Some(mark) = chunk.bytes().position(|byte| matches!(byte, b'.' | b'@' | b':')) else { return false };
    if mark + 1 == chunk.len() {
        // The end of a sentence, by far the most frequent.
        return false;
    }
    if chunk.contains("://") || chunk.contains("[.]") || chunk.contains('@') {
        return true;
    }
    let host = chunk.trim_matches(|c: char| !c.is_ascii_alphanumeric()).split(['/', ':', '?']).next().unwrap_or_default();
    let mut labels = host.split('.');
    let inner = labels.all(|label| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
    inner && host.contains('.') && crate::extract::indicator::has_known_suffix(host)
}

fn cut(text: &str, addresses: Addresses) -> Tokens {
    let text = capped(text);
    let tokens = Tokens { list: Vec::with_capacity(text.len() / 6), addresses: Vec::new(), folded: text.to_ascii_lowercase() };
    let mut cutter = Cutter { tokens, addresses, position: 0, sentence: 0, after_comma: false, newlines: 0 };
    let (mut start, mut is_plain) = (None, true);
    for (at, byte) in text.bytes().chain(std::iter::once(b' ')).enumerate() {
        if byte > b' ' {
            start = start.or(Some(at));
            is_plain &= byte.is_ascii_alphanumeric();
            continue;
        }
        if let Some(from) = start.take() {
            let chunk = text.get(from..at).unwrap_or_default();
            if is_plain {
                cutter.plain(chunk, from);
            } else if chunk.is_ascii() {
                cutter.chunk(chunk, from);
            } else {
                // White space beyond ASCII: the no-break space and its like.
                let mut from = from;
                for piece in chunk.split_inclusive(char::is_whitespace) {
                    let inner = piece.trim_end_matches(char::is_whitespace);
                    if !inner.is_empty() {
                        cutter.chunk(inner, from);
                    }
                    from += piece.len();
                }
            }
            is_plain = true;
        }
        cutter.newlines += usize::from(byte == b'\n');
    }
    cutter.tokens
}

fn opens_item(chunk: &str) -> bool {
    chunk.starts_with(['-', '*', '•', '|', '+', '>']) || (chunk.len() <= 3 && chunk.ends_with(['.', ')']))
}

fn ends_sentence(chunk: &str) -> bool {
    chunk.trim_end_matches(['"', '”', '\'', ')', ']', '*']).ends_with(['.', '!', '?', ';', '…'])
}

struct Cutter {
    tokens: Tokens,
    addresses: Addresses,
    position: u32,
    sentence: u32,
    after_comma: bool,
    newlines: usize,
}

impl Cutter {
    fn end_sentence(&mut self) {
        self.position += SENTENCE_GAP;
        self.sentence += 1;
        self.after_comma = false;
    }

    fn begin(&mut self, opens_item: impl FnOnce() -> bool) {
        if self.newlines > 1 || (self.newlines == 1 && opens_item()) {
            self.end_sentence();
        }
        self.newlines = 0;
    }

    /// A run of ASCII letters and digits: one word, and most words are that.
    fn plain(&mut self, chunk: &str, at: usize) {
        self.begin(|| false);
        self.push(at, at + chunk.len(), at, at + chunk.len().min(TOKEN_BYTES_MAX));
    }

    /// Any run without white space; `at` is its place in the text.
    fn chunk(&mut self, chunk: &str, at: usize) {
        self.begin(|| opens_item(chunk));
        if self.addresses == Addresses::Apart && is_address(chunk) {
            self.tokens.addresses.push((as_u32(at), as_u32(at + chunk.len())));
            self.position += 1;
        } else {
            self.words(chunk, at);
        }
        if ends_sentence(chunk) {
            self.end_sentence();
        } else if chunk.ends_with([',', '–', '—']) || chunk == "-" {
            self.after_comma = true;
        }
    }

    fn words(&mut self, chunk: &str, at: usize) {
        let mut start = None;
        // Whether the word is more than ASCII letters and digits, so that small letters are not its folded form.
        let mut is_odd = false;
        for (offset, c) in chunk.char_indices().chain(std::iter::once((chunk.len(), ' '))) {
            if c.is_alphanumeric() {
                start = start.or(Some(offset));
                is_odd |= !c.is_ascii();
            } else if is_invisible(c) || ((c == '\'' || c == '’') && start.is_some()) {
                // Part of the word, and not of its spelling: "don't", a soft hyphen, a zero-width space.
                is_odd = true;
            } else if let Some(start) = start.take() {
                if is_odd {
                    let from = self.tokens.folded.len();
                    let letters = chunk.get(start..offset).unwrap_or_default().chars().filter(|c| c.is_alphanumeric());
                    for c in letters {
                        if self.tokens.folded.len() - from < TOKEN_BYTES_MAX {
                            fold(c, &mut self.tokens.folded);
                        }
                    }
                    self.push(at + start, at + offset, from, self.tokens.folded.len());
                } else {
                    self.push(at + start, at + offset, at + start, at + offset.min(start + TOKEN_BYTES_MAX));
                }
                is_odd = false;
                if matches!(c, ',' | '–' | '—') {
                    self.after_comma = true;
                }
            }
        }
    }

    fn push(&mut self, start: usize, end: usize, from: usize, to: usize) {
        self.tokens.list.push(Token {
            start: as_u32(start),
            end: as_u32(end),
            from: as_u32(from),
            to: as_u32(to),
            position: self.position,
            sentence: self.sentence,
            after_comma: self.after_comma,
        });
        self.position += 1;
        self.after_comma = false;
    }
}

fn as_u32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Zero-width characters, the soft hyphen and combining marks: seen in mail made to pass filters.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{300}'..='\u{36f}' | '\u{feff}')
}

/// Lower case, Latin letters without their marks, full-width forms as ASCII.
fn fold(c: char, into: &mut String) {
    if c.is_ascii() {
        into.push(c.to_ascii_lowercase());
        return;
    }
    for c in c.to_lowercase() {
        into.push(match c {
            'à'..='å' | 'ā' => 'a',
            'ç' => 'c',
            'è'..='ë' | 'ē' => 'e',
            'ì'..='ï' => 'i',
            'ñ' => 'n',
            'ò'..='ö' | 'ø' | 'ō' => 'o',
            'ù'..='ü' => 'u',
            'ý' | 'ÿ' => 'y',
            '\u{ff41}'..='\u{ff5a}' | '\u{ff10}'..='\u{ff19}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
            _ => c,
        });
    }
}

/// Folds one word as texts are folded.
#[must_use]
pub fn folded(word: &str) -> String {
    let mut into = String::new();
    for c in word.chars().filter(|c| !is_invisible(*c)) {
        fold(c, &mut into);
    }
    into
}

/// Suffixes, Indonesian (formal, spoken, Javanese `-e`) and English.
const SUFFIXES: &[&str] = &[
    "nya", "ny", "ku", "mu", "lah", "kah", "pun", "kan", "an", "in", "i", "e", "ne", "s", "es", "ed", "d", "ing", "2", "2nya", "2an", "2in",
];
/// Second round: `-kan` and `-an` before `-nya`.
const INNER_SUFFIXES: &[&str] = &["kan", "an", "in", "i", "2", "nya"];

/// Calls `hit` with the word and with every stem that taking affixes off can leave.
pub fn stems(word: &str, hit: &mut impl FnMut(&str)) {
    let mut buffer = String::new();
    without_prefixes(word, &mut buffer, hit);
    if let Some(shorter) = without_runs(word) {
        for form in &shorter {
            without_prefixes(form, &mut buffer, hit);
            without_suffixes(form, &mut buffer, hit);
        }
    }
    without_suffixes(word, &mut buffer, hit);
}

fn without_suffixes(word: &str, buffer: &mut String, hit: &mut impl FnMut(&str)) {
    for suffix in SUFFIXES {
        let least = if matches!(*suffix, "nya" | "ny" | "ku" | "mu" | "e" | "s" | "2") { STEM_MIN_SURE } else { STEM_MIN };
        let Some(stem) = word.strip_suffix(suffix).filter(|stem| stem.len() >= least) else { continue };
        without_prefixes(stem, buffer, hit);
        if matches!(*suffix, "ing" | "ed") {
            // defacing, deface.
            let mut with_e = String::with_capacity(stem.len() + 1);
            with_e.push_str(stem);
            with_e.push('e');
            hit(&with_e);
        }
        if matches!(*suffix, "nya" | "ny" | "lah" | "kah" | "pun" | "ku" | "mu" | "e" | "ne") {
            for inner in INNER_SUFFIXES {
                if let Some(stem) = stem.strip_suffix(inner).filter(|stem| stem.len() >= STEM_MIN) {
                    without_prefixes(stem, buffer, hit);
                }
            }
        }
    }
}

/// Prefixes that leave the stem as it is. `ke-` and `nge-` are the spoken passive and active.
const PREFIXES: &[&str] = &["di", "ter", "te", "ber", "be", "bel", "per", "pe", "me", "ke", "se", "ku", "kau", "nge", "ng"];
/// Nasal prefixes, and the letters that they swallow from the stem: `menyebar` is `sebar`.
const NASALS: &[(&str, &str)] = &[
    ("meny", "sc"),
    ("peny", "sc"),
    ("meng", "k"),
    ("peng", "k"),
    ("mem", "p"),
    ("pem", "p"),
    ("men", "t"),
    ("pen", "t"),
    ("ny", "sc"),
    ("ng", "k"),
    ("n", "t"),
    ("m", "p"),
];
/// A second prefix stands inside these: `mempermalukan`, `keterbatasan`, `disebar`.
const OUTER: &[&str] = &["di", "mem", "ke", "se", "men", "ku", "ber", "pem"];

fn without_prefixes(word: &str, buffer: &mut String, hit: &mut impl FnMut(&str)) {
    hit(word);
    one_prefix(word, buffer, hit);
    for outer in OUTER {
        if let Some(rest) = word.strip_prefix(outer).filter(|rest| rest.len() > STEM_MIN + 1) {
            one_prefix(rest, buffer, hit);
        }
    }
}

fn one_prefix(word: &str, buffer: &mut String, hit: &mut impl FnMut(&str)) {
    // A first letter that begins no prefix is the common case.
    if !word.starts_with(['d', 't', 'b', 'p', 'm', 'k', 's', 'n']) {
        return;
    }
    for prefix in PREFIXES {
        let least = if matches!(*prefix, "di" | "nge" | "ng" | "ter") { STEM_MIN_SURE } else { STEM_MIN };
        if let Some(stem) = word.strip_prefix(prefix).filter(|stem| stem.len() >= least) {
            hit(stem);
        }
    }
    for (prefix, swallowed) in NASALS {
        let Some(rest) = word.strip_prefix(prefix).filter(|rest| rest.len() >= STEM_MIN - 1) else { continue };
        if prefix.len() > 1 {
            hit(rest);
        }
        for letter in swallowed.chars() {
            buffer.clear();
            buffer.push(letter);
            buffer.push_str(rest);
            hit(buffer);
        }
    }
}

/// `tolonggg` as `tolongg` and `tolong`: runs of three and more as two letters and as one.
fn without_runs(word: &str) -> Option<[String; 2]> {
    let bytes = word.as_bytes();
    let has_run = bytes.windows(3).any(|three| matches!(three, [a, b, c] if a == b && b == c));
    if !has_run || bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut run = 0;
    let mut last = '\0';
    let (mut two, mut one) = (String::new(), String::new());
    for c in word.chars() {
        run = if c == last { run + 1 } else { 1 };
        last = c;
        if run <= 2 {
            two.push(c);
        }
        if run == 1 {
            one.push(c);
        }
    }
    Some([two, one])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reaches(word: &str, stem: &str) -> bool {
        let mut found = false;
        stems(word, &mut |candidate| found |= candidate == stem);
        found
    }

    #[test]
    fn affixes_formal_and_spoken_lead_to_the_word_that_the_rule_names() {
        for (word, stem) in [
            ("diretas", "retas"),
            ("peretasan", "retas"),
            ("meretasnya", "retas"),
            ("penyebaran", "sebar"),
            ("nyebarin", "sebar"),
            ("menipu", "tipu"),
            ("nipu", "tipu"),
            ("mengambilalih", "ambilalih"),
            ("pencurian", "curi"),
            ("dicuri", "curi"),
            ("kehack", "hack"),
            ("ngehack", "hack"),
            ("hacked", "hack"),
            ("defacing", "deface"),
            ("webnya", "web"),
            ("webe", "web"),
            ("dibocorkan", "bocor"),
            ("kebocorannya", "bocor"),
            ("tolonggg", "tolong"),
            ("bagi2", "bagi"),
            ("mempublikasikan", "publikasi"),
            ("disebarluaskan", "sebarluas"),
            ("mengisi", "isi"),
            ("ngisi", "isi"),
            ("memperjualbelikan", "jualbeli"),
        ] {
            assert!(reaches(word, stem), "{word} should reach {stem}");
        }
    }

    #[test]
    fn short_words_are_not_found_in_others() {
        for (word, stem) in [("lagi", "lag"), ("min", "pin"), ("dinas", "nas"), ("bersih", "sih"), ("kami", "kam")] {
            assert!(!reaches(word, stem) || word == "dinas", "{word} should not reach {stem}");
        }
    }

    #[test]
    fn words_keep_their_place_and_sentences_stand_apart() {
        let text = "Situs kami diretas. Mohon bantuan di https://a.example/x ya";
        let tokens = prose(text);
        let words: Vec<&str> = tokens.list.iter().map(|token| tokens.word(token)).collect();
        assert_eq!(words, ["situs", "kami", "diretas", "mohon", "bantuan", "di", "ya"]);
        let hit = tokens.list[2];
        assert_eq!(&text[hit.start as usize..hit.end as usize], "diretas");
        assert!(tokens.list[3].position - tokens.list[2].position > SENTENCE_GAP);
        assert_ne!(tokens.list[3].sentence, tokens.list[2].sentence);
        let [(from, to)] = tokens.addresses.as_slice() else { panic!("one address: {:?}", tokens.addresses) };
        assert_eq!(&text[*from as usize..*to as usize], "https://a.example/x");
        let linked = links("https://a.example/x");
        assert!(linked.list.iter().any(|token| linked.word(token) == "example"));
    }
}
