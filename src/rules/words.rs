//! Text to tokens: where the words stand, their folded form, sentences and commas. What the words
//! mean is no matter here.

use crate::extract::indicator::has_known_suffix;
use crate::extract::short;

/// Longest text of one place that is read; the rest is not looked at (ATTACKS M14).
pub const TEXT_BYTES_MAX: usize = 1 << 20;
/// Longer runs of letters are no words; only their beginning is kept.
const TOKEN_BYTES_MAX: usize = 48;
/// How far apart nearness sees the words on both sides of a sentence's end.
const SENTENCE_GAP: u32 = 4;

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
    /// The text in small letters, after it the folded form of the words that need more than that, and
    /// at the end as many spaces as a short word has bytes.
    folded: String,
    /// How long the text itself is.
    text_bytes: u32,
}

impl Tokens {
    /// The folded form of a token of this text.
    #[must_use]
    pub fn word(&self, token: &Token) -> &str {
        self.folded.get(token.from as usize..token.to as usize).unwrap_or_default()
    }

    /// What stands between a token and the next one, or the end of the text.
    #[must_use]
    pub fn gap(&self, index: usize) -> &str {
        let Some(token) = self.list.get(index) else { return "" };
        let end = self.list.get(index + 1).map_or(self.text_bytes, |next| next.start);
        self.folded.get(token.end as usize..end as usize).unwrap_or_default()
    }

    /// Where question marks stand, in bytes of the text.
    pub fn question_marks(&self) -> impl Iterator<Item = usize> {
        memchr::memchr_iter(b'?', self.folded.as_bytes().get(..self.text_bytes as usize).unwrap_or_default())
    }

    /// The folded form as a number; none for a long word.
    #[must_use]
    pub fn short(&self, token: &Token) -> Option<u128> {
        short::at(self.folded.as_bytes(), token.from as usize, (token.to - token.from) as usize)
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
    inner && host.contains('.') && has_known_suffix(host)
}

fn cut(text: &str, addresses: Addresses) -> Tokens {
    let text = capped(text);
    let mut folded = String::with_capacity(text.len() + text.len() / 16 + 2 * short::BYTES);
    folded.push_str(text);
    folded.make_ascii_lowercase();
    let tokens = Tokens { list: Vec::with_capacity(text.len() / 6), addresses: Vec::new(), folded, text_bytes: as_u32(text.len()) };
    let mut cutter = Cutter { tokens, addresses, position: 0, sentence: 0, after_comma: false, newlines: 0 };
    let bytes = text.as_bytes();
    let is_space = |at: usize| bytes.get(at).is_none_or(|byte| *byte <= b' ');
    let mut at = 0;
    while at < bytes.len() {
        if is_space(at) {
            cutter.newlines += usize::from(bytes.get(at) == Some(&b'\n'));
            at += 1;
            continue;
        }
        let from = at;
        loop {
            let letters = letters(bytes, at);
            at += letters;
            if letters < WIDTH {
                break;
            }
        }
        if is_space(at) {
            cutter.plain(from, at);
            continue;
        }
        let word_end = at;
        while !is_space(at) {
            at += 1;
        }
        let mark = bytes.get(word_end).copied().unwrap_or_default();
        if word_end > from && at == word_end + 1 && matches!(mark, b',' | b'.' | b'!' | b'?' | b';' | b':') {
            cutter.with_mark(from, word_end, mark);
        } else {
            cutter.run(text.get(from..at).unwrap_or_default(), from);
        }
    }
    cutter.tokens.folded.push_str(&" ".repeat(short::BYTES));
    cutter.tokens
}

/// Bytes that are looked at together.
const WIDTH: usize = size_of::<u64>();

/// How many of the next [`WIDTH`] bytes are ASCII letters and digits before the first other one. All are compared at
/// once: most words end among them, and to guess where is what costs a processor most.
fn letters(bytes: &[u8], at: usize) -> usize {
    const fn each(byte: u8) -> u64 {
        u64::from_le_bytes([byte; WIDTH])
    }
    const HIGH: u64 = each(0x80);
    let Some(eight) = bytes.get(at..at + WIDTH).and_then(|eight| eight.try_into().ok()) else {
        return bytes.get(at..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    };
    let all = u64::from_le_bytes(eight);
    // The high bit of each byte of a sum says that the byte was not below a bound; none carries into the next.
    let ascii = all & !HIGH;
    let letter = ascii | each(0x20);
    let is_letter = (letter + each(0x80 - b'a')) & !(letter + each(0x7f - b'z'));
    let is_digit = (ascii + each(0x80 - b'0')) & !(ascii + each(0x7f - b'9'));
    let is_plain = (is_letter | is_digit) & !all & HIGH;
    (!is_plain & HIGH).trailing_zeros() as usize / 8
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
    fn plain(&mut self, from: usize, to: usize) {
        self.begin(|| false);
        self.push(from, to, from, to.min(from + TOKEN_BYTES_MAX));
    }

    /// A run of ASCII letters and digits with one mark at its end, as the last word of a sentence has it.
    fn with_mark(&mut self, from: usize, to: usize, mark: u8) {
        // "3." opens an item, as in `opens_item`.
        self.begin(|| mark == b'.' && to - from <= 2);
        self.push(from, to, from, to.min(from + TOKEN_BYTES_MAX));
        match mark {
            b',' => self.after_comma = true,
            b':' => {}
            _ => self.end_sentence(),
        }
    }

    /// A run of other characters without ASCII white space.
    fn run(&mut self, run: &str, from: usize) {
        if run.is_ascii() {
            return self.chunk(run, from);
        }
        // White space beyond ASCII: the no-break space and its like.
        let mut from = from;
        for piece in run.split_inclusive(char::is_whitespace) {
            let inner = piece.trim_end_matches(char::is_whitespace);
            if !inner.is_empty() {
                self.chunk(inner, from);
            }
            from += piece.len();
        }
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
            if c.is_alphanumeric() && !is_invisible(c) {
                start = start.or(Some(offset));
                is_odd |= !c.is_ascii();
            } else if is_invisible(c) || ((c == '\'' || c == '’') && start.is_some()) {
                // Part of the word, and not of its spelling: "don't", a soft hyphen, a zero-width space.
                is_odd = true;
            } else if let Some(start) = start.take() {
                if is_odd {
                    let from = self.tokens.folded.len();
                    fold_word(chunk.get(start..offset).unwrap_or_default(), &mut self.tokens.folded);
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

/// Zero-width characters, the soft hyphen, combining marks, variation selectors, fillers and tags: seen in
/// mail made to pass filters.
fn is_invisible(c: char) -> bool {
    !c.is_ascii()
        && matches!(c, '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' | '\u{300}'..='\u{36f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{e0000}'..='\u{e01ef}')
}

/// A word that is more than ASCII: what is invisible left out, lower case, Latin letters without their
/// marks, letters and digits in other dress (full-width, mathematical, circled) as ASCII. Letters of other
/// scripts count as the Latin ones that they look like where Latin letters stand beside them, or where
/// the whole word looks Latin: so are words hidden from filters, and Russian or Greek stays what it is.
fn fold_word(word: &str, into: &mut String) {
    let from = into.len();
    let mut letters = word.chars().filter(|c| c.is_alphanumeric() && !is_invisible(*c)).map(plain);
    let is_latin = |c: char| c.is_ascii_alphabetic() || matches!(c, '\u{c0}'..='\u{24f}');
    let is_mixed = letters.clone().any(is_latin);
    let is_alike = letters.clone().all(|c| c.is_ascii() || is_latin(c) || alike(c).is_some());
    letters
        .by_ref()
        .map(|c| match alike(c).or_else(|| nearly_alike(c).filter(|_| is_mixed)) {
            Some(latin) if is_mixed || is_alike => latin,
            _ => c,
        })
        .for_each(|c| {
            if into.len() - from < TOKEN_BYTES_MAX {
                fold(c, into);
            }
        });
}

/// A letter or digit in another dress as ASCII (compatibility forms of Unicode, those of one letter).
fn plain(c: char) -> char {
    let nth = |first: char, from: char, count: u32| char::from_u32(first as u32 + (c as u32 - from as u32) % count);
    match c {
        '\u{ff10}'..='\u{ff19}' | '\u{ff21}'..='\u{ff3a}' | '\u{ff41}'..='\u{ff5a}' => char::from_u32(c as u32 - 0xfee0),
        '\u{24b6}'..='\u{24cf}' => nth('a', '\u{24b6}', 26),
        '\u{24d0}'..='\u{24e9}' => nth('a', '\u{24d0}', 26),
        '\u{1f130}'..='\u{1f149}' => nth('a', '\u{1f130}', 26),
        '\u{1f150}'..='\u{1f169}' => nth('a', '\u{1f150}', 26),
        '\u{1f170}'..='\u{1f189}' => nth('a', '\u{1f170}', 26),
        '\u{1d400}'..='\u{1d6a3}' => nth('a', '\u{1d400}', 26),
        '\u{1d7ce}'..='\u{1d7ff}' => nth('0', '\u{1d7ce}', 10),
        _ => None,
    }
    .unwrap_or(c)
}

/// The Latin letter that a letter of another script is taken for (the confusables of UTS 39, one letter for one).
fn alike(c: char) -> Option<char> {
    Some(match c {
        'а' | 'А' | 'Α' | 'α' | 'ɑ' | 'ᴀ' => 'a',
        'В' | 'Β' | 'Ь' | 'ʙ' => 'b',
        'с' | 'С' | 'ϲ' | 'Ϲ' | 'ᴄ' => 'c',
        'ԁ' | 'Ԁ' | 'ᴅ' => 'd',
        'е' | 'Е' | 'Ε' | 'ҽ' | 'ᴇ' => 'e',
        'ғ' | 'ꜰ' => 'f',
        'ɡ' | 'ɢ' | 'Ԍ' => 'g',
        'һ' | 'Һ' | 'Н' | 'Η' | 'հ' | 'ʜ' => 'h',
        'і' | 'І' | 'Ι' | 'ι' | 'ı' | 'ɪ' => 'i',
        'ј' | 'Ј' | 'ϳ' | 'ᴊ' => 'j',
        'К' | 'Κ' | 'κ' | 'ᴋ' => 'k',
        'ӏ' | 'Ӏ' | 'ʟ' => 'l',
        'М' | 'Μ' | 'ᴍ' => 'm',
        'Ν' | 'ո' | 'ɴ' => 'n',
        'о' | 'О' | 'Ο' | 'ο' | 'σ' | 'օ' | 'ᴏ' => 'o',
        'р' | 'Р' | 'Ρ' | 'ρ' | 'ᴘ' => 'p',
        'ԛ' | 'Ԛ' => 'q',
        'ʀ' => 'r',
        'ѕ' | 'Ѕ' | 'ꜱ' => 's',
        'Т' | 'Τ' | 'ᴛ' => 't',
        'υ' | 'ս' | 'ᴜ' => 'u',
        'ν' | 'ѵ' | 'Ѵ' | 'ᴠ' => 'v',
        'ѡ' | 'ԝ' | 'Ԝ' | 'ᴡ' => 'w',
        'х' | 'Х' | 'Χ' | 'χ' => 'x',
        'у' | 'У' | 'Υ' | 'γ' | 'ү' | 'Ү' | 'ʏ' => 'y',
        'Ζ' | 'ᴢ' => 'z',
        _ => return None,
    })
}

/// The Latin letter that is meant by one that looks like it only among Latin letters.
fn nearly_alike(c: char) -> Option<char> {
    Some(match c {
        'в' | 'ь' | 'β' => 'b',
        'ε' | 'є' | 'Є' => 'e',
        'н' => 'h',
        'к' => 'k',
        'м' => 'm',
        'п' | 'П' | 'η' => 'n',
        'г' | 'Г' => 'r',
        'т' | 'τ' => 't',
        'и' | 'И' | 'μ' => 'u',
        'ш' | 'Ш' | 'ω' => 'w',
        _ => return None,
    })
}

/// Lower case, Latin letters without their marks.
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
            _ => c,
        });
    }
}

/// Folds one word as texts are folded.
#[must_use]
pub fn folded(word: &str) -> String {
    let mut into = String::new();
    fold_word(word, &mut into);
    into
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_letters_and_digits_before_any_other_byte_are_counted() {
        for byte in 0..=u8::MAX {
            for count in 0..=WIDTH {
                let mut text = [b'z', b'0', b'A', b'9', b'a', b'Z', b'5', b'm', b'?', b'?'];
                text[count] = byte;
                let plain = text.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
                assert_eq!(super::letters(&text, 0), plain.min(WIDTH), "{text:?}");
                assert_eq!(super::letters(&text[..count + 1], 0), plain.min(WIDTH).min(count + 1), "{text:?}");
            }
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

    #[test]
    fn letters_that_only_look_latin_are_read_as_they_look_and_keep_their_place() {
        // Cyrillic a, e, o, O, T, P; full width; mathematical bold; small capitals; a zero-width space and a filler.
        for (typed, read) in [
            ("r\u{430}nsomw\u{430}r\u{435}", "ransomware"),
            ("\u{41e}\u{422}\u{420}", "otp"),
            ("\u{ff32}\u{ff45}\u{ff54}as", "retas"),
            ("\u{1d429}\u{1d421}\u{1d422}\u{1d42c}\u{1d421}\u{1d422}\u{1d427}\u{1d420}", "phishing"),
            ("\u{1d7cf}\u{1d7d0}", "12"),
            ("\u{24bd}ack", "hack"),
            ("\u{29c}\u{1d00}\u{1d04}k", "hack"),
            ("di\u{200b}re\u{3164}tas", "diretas"),
            ("h\u{43a}ck\u{435}d", "hkcked"),
            ("r\u{e9}tas", "retas"),
        ] {
            let text = format!("situs {typed}, ya");
            let tokens = prose(&text);
            let token = tokens.list[1];
            assert_eq!(tokens.word(&token), read, "{typed}");
            assert_eq!(&text[token.start as usize..token.end as usize], typed);
            assert_eq!(folded(typed), read);
        }
    }

    #[test]
    fn other_languages_keep_their_letters() {
        for word in ["\u{432}\u{43e}\u{442}", "\u{43f}\u{438}\u{441}\u{44c}\u{43c}\u{43e}", "\u{3bb}\u{3cc}\u{3b3}\u{3bf}\u{3c2}"] {
            assert_eq!(folded(word), word);
        }
    }
}
