//! Indonesian and English affixes. No dictionary is needed: the only stems that count are those that
//! some rule names, so stripping can try every affix and keep what hits. (A blind stemmer makes
//! `dialog` to `alog`; this one cannot.)

/// Shortest stem: with fewer letters anything would match (`lagi` is not `lag`, `min` is not `pin`).
const STEM_MIN: usize = 4;
/// Shortest stem after affixes that are seldom part of a word: `webnya`, `otpku`, `diisi`.
const STEM_MIN_SURE: usize = 3;

/// Suffixes, Indonesian (formal, spoken, Javanese `-e`) and English.
const SUFFIXES: &[&str] = &[
    "nya", "ny", "ku", "mu", "lah", "kah", "pun", "kan", "an", "in", "i", "e", "ne", "s", "es", "ed", "d", "ing", "2", "2nya", "2an", "2in",
];
/// Second round: `-kan` and `-an` before `-nya`.
const INNER_SUFFIXES: &[&str] = &["kan", "an", "in", "i", "2", "nya"];

/// Pieces of the stems that count: a word that holds none of them has no such stem, and most words
/// have none. A piece begins at the second letter, since a nasal prefix swallows the first one.
#[derive(Debug)]
pub struct Pieces {
    threes: Vec<u64>,
    fours: Vec<u64>,
}

impl Default for Pieces {
    fn default() -> Self {
        Self { threes: vec![0; PIECES / 64], fours: vec![0; PIECES / 64] }
    }
}

/// Places for pieces of either length: some thousand stems fill a few in a hundred.
const PIECES: usize = 1 << 16;
/// From this length on a stem is known by four letters, so that the `e` of "deface" is not among them.
const FOUR_MIN: usize = 6;

fn place(piece: &[u8]) -> (usize, u64) {
    let number = piece.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)).wrapping_mul(0x9e37_79b1) >> 16;
    (number as usize / 64, 1 << (number % 64))
}

/// Which piece a stem is known by, and whether it has four letters; none of what is so short that it
/// is only found as it stands.
fn piece_of(stem: &str) -> Option<(&[u8], bool)> {
    let bytes = stem.as_bytes();
    match bytes.len() {
        FOUR_MIN.. => Some((bytes.get(1..5)?, true)),
        4.. => Some((bytes.get(1..4)?, false)),
        _ => Some((bytes.get(..3)?, false)),
    }
}

impl Pieces {
    /// Adds a stem that counts.
    pub fn add(&mut self, stem: &str) {
        let Some((piece, is_four)) = piece_of(stem) else { return };
        let (word, bit) = place(piece);
        if let Some(word) = if is_four { &mut self.fours } else { &mut self.threes }.get_mut(word) {
            *word |= bit;
        }
    }

    /// Whether this may be a stem that counts: asked before the stem is looked up.
    pub fn may_be(&self, stem: &str) -> bool {
        let Some((piece, is_four)) = piece_of(stem) else { return true };
        let (word, bit) = place(piece);
        if is_four { &self.fours } else { &self.threes }.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Whether taking affixes off this word may leave a stem that counts.
    pub fn may_be_in(&self, word: &str) -> bool {
        let has = |pieces: &[u64], piece: &[u8]| {
            let (word, bit) = place(piece);
            pieces.get(word).is_some_and(|word| word & bit != 0)
        };
        let bytes = word.as_bytes();
        bytes.windows(3).any(|three| has(&self.threes, three) || matches!(three, [a, b, c] if a == b && b == c))
            || bytes.windows(4).any(|four| has(&self.fours, four))
    }
}

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

/// The word without this ending; most have another last letter, which is seen before all are compared.
fn without_end<'a>(word: &'a str, end: &str) -> Option<&'a str> {
    if word.as_bytes().last() == end.as_bytes().last() { word.strip_suffix(end) } else { None }
}

/// The word without this beginning.
fn without_start<'a>(word: &'a str, start: &str) -> Option<&'a str> {
    if word.as_bytes().first() == start.as_bytes().first() { word.strip_prefix(start) } else { None }
}

fn without_suffixes(word: &str, buffer: &mut String, hit: &mut impl FnMut(&str)) {
    for suffix in SUFFIXES {
        let least = if matches!(*suffix, "nya" | "ny" | "ku" | "mu" | "e" | "s" | "2") { STEM_MIN_SURE } else { STEM_MIN };
        let Some(stem) = without_end(word, suffix).filter(|stem| stem.len() >= least) else { continue };
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
                if let Some(stem) = without_end(stem, inner).filter(|stem| stem.len() >= STEM_MIN) {
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
        if let Some(rest) = without_start(word, outer).filter(|rest| rest.len() > STEM_MIN + 1) {
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
        if let Some(stem) = without_start(word, prefix).filter(|stem| stem.len() >= least) {
            hit(stem);
        }
    }
    for (prefix, swallowed) in NASALS {
        let Some(rest) = without_start(word, prefix).filter(|rest| rest.len() >= STEM_MIN - 1) else { continue };
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
    fn no_stem_is_lost_where_no_piece_of_it_is_seen() {
        for word in
            ["mengambilalih", "pencurian", "defacing", "diteleponi", "tolonggg", "webnya", "menyebarkannya", "dihek", "nipu", "phoning"]
        {
            stems(word, &mut |stem| {
                let mut pieces = Pieces::default();
                pieces.add(stem);
                assert!(stem.len() < 3 || pieces.may_be_in(word), "{stem} in {word}");
            });
        }
        let mut pieces = Pieces::default();
        pieces.add("retas");
        assert!(!pieces.may_be_in("kabupaten"));
    }

    #[test]
    fn short_words_are_not_found_in_others() {
        for (word, stem) in [("lagi", "lag"), ("min", "pin"), ("dinas", "nas"), ("bersih", "sih"), ("kami", "kam")] {
            assert!(!reaches(word, stem) || word == "dinas", "{word} should not reach {stem}");
        }
    }
}
