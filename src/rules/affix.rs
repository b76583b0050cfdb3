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

/// A prefix.
struct Prefix {
    text: &'static str,
    /// How much of the word must be left.
    least: usize,
    /// The letters of the stem that it may have swallowed: `menyebar` is `sebar`.
    swallows: &'static str,
    /// Whether a second prefix may stand inside: `mempermalukan`, `keterbatasan`, `disebar`.
    is_outer: bool,
}

const fn prefix(text: &'static str, least: usize) -> Prefix {
    Prefix { text, least, swallows: "", is_outer: false }
}

const fn nasal(text: &'static str, swallows: &'static str) -> Prefix {
    Prefix { text, least: STEM_MIN - 1, swallows, is_outer: false }
}

const fn outer(prefix: Prefix) -> Prefix {
    Prefix { is_outer: true, ..prefix }
}

/// The prefixes that begin with a letter. `ke-` and `nge-` are the spoken passive and active.
const fn prefixes(letter: u8) -> &'static [Prefix] {
    match letter {
        b'b' => const { &[outer(prefix("ber", STEM_MIN)), prefix("be", STEM_MIN), prefix("bel", STEM_MIN)] },
        b'd' => const { &[outer(prefix("di", STEM_MIN_SURE))] },
        b'k' => const { &[outer(prefix("ke", STEM_MIN)), outer(prefix("ku", STEM_MIN)), prefix("kau", STEM_MIN)] },
        b'm' => {
            const {
                &[
                    prefix("me", STEM_MIN),
                    nasal("meny", "sc"),
                    nasal("meng", "k"),
                    outer(nasal("mem", "p")),
                    outer(nasal("men", "t")),
                    nasal("m", "p"),
                ]
            }
        }
        b'n' => const { &[prefix("nge", STEM_MIN_SURE), nasal("ny", "sc"), nasal("ng", "k"), nasal("n", "t")] },
        b'p' => {
            const {
                &[
                    prefix("per", STEM_MIN),
                    prefix("pe", STEM_MIN),
                    nasal("peny", "sc"),
                    nasal("peng", "k"),
                    outer(nasal("pem", "p")),
                    nasal("pen", "t"),
                ]
            }
        }
        b's' => const { &[outer(prefix("se", STEM_MIN))] },
        b't' => const { &[prefix("ter", STEM_MIN_SURE), prefix("te", STEM_MIN)] },
        _ => &[],
    }
}

/// The beginnings of the stems that count: most words of a mail have none of them where a stem could begin.
#[derive(Debug)]
pub struct Beginnings {
    /// One bit for each beginning, at a place that several may share; stems of three letters …
    threes: Vec<u64>,
    /// … and of more.
    fours: Vec<u64>,
}

/// Places for beginnings of either length: some thousand stems fill a few in a hundred.
const PLACES: usize = 1 << 16;

impl Default for Beginnings {
    fn default() -> Self {
        Self { threes: vec![0; PLACES / 64], fours: vec![0; PLACES / 64] }
    }
}

fn place(letters: u32) -> (usize, u64) {
    let number = letters.wrapping_mul(0x9e37_79b1) >> 16;
    (number as usize / 64, 1 << (number % 64))
}

impl Beginnings {
    /// Adds a stem that counts. One of two letters is found only as it stands.
    pub fn add(&mut self, stem: &str) {
        let (into, letters) = match *stem.as_bytes() {
            [a, b, c] => (&mut self.threes, [a, b, c, 0]),
            [a, b, c, d, ..] => (&mut self.fours, [a, b, c, d]),
            _ => return,
        };
        let (word, bit) = place(u32::from_le_bytes(letters));
        if let Some(word) = into.get_mut(word) {
            *word |= bit;
        }
    }

    /// Whether a stem that counts may begin with these letters, of which the first may be a swallowed one.
    pub fn may_begin(&self, swallowed: Option<u8>, rest: &[u8]) -> bool {
        let (three, fourth) = match (swallowed, rest) {
            (None, [a, b, c, rest @ ..]) => ([*a, *b, *c, 0], rest.first()),
            (Some(a), [b, c, rest @ ..]) => ([a, *b, *c, 0], rest.first()),
            _ => return false,
        };
        let has = |letters: &[u64], number: u32| {
            let (word, bit) = place(number);
            letters.get(word).is_some_and(|word| word & bit != 0)
        };
        let number = u32::from_le_bytes(three);
        has(&self.threes, number) || fourth.is_some_and(|fourth| has(&self.fours, number | u32::from(*fourth) << 24))
    }
}

/// Calls `hit` with the word, and with every stem that taking affixes off can leave and that may count.
pub fn stems(word: &str, counting: &Beginnings, hit: &mut impl FnMut(&str)) {
    hit(word);
    strip(word, counting, hit);
    for form in without_runs(word).iter().flatten() {
        hit(form);
        strip(form, counting, hit);
    }
}

fn strip(word: &str, counting: &Beginnings, hit: &mut impl FnMut(&str)) {
    let mut strip = Strip { word, counting, ends: Vec::new(), buffer: String::new(), hit };
    strip.begin(0, None, 0);
    strip.prefix(0, 0);
}

/// A word of which affixes are taken off.
struct Strip<'a, F> {
    word: &'a str,
    counting: &'a Beginnings,
    /// Where the word may end without suffixes, and whether an `e` may follow there; found when first asked for.
    ends: Vec<(usize, bool)>,
    buffer: String,
    hit: &'a mut F,
}

impl<F: FnMut(&str)> Strip<'_, F> {
    /// Takes each prefix off that stands at `at`. No stem ends before `end_min`.
    fn prefix(&mut self, at: usize, end_min: usize) {
        let Some(rest) = self.word.get(at..) else { return };
        for Prefix { text, least, swallows, is_outer } in rest.bytes().next().map_or(&[][..], prefixes) {
            if !rest.starts_with(text) {
                continue;
            }
            let from = at + text.len();
            let least = end_min.max(from + least);
            if text.len() > 1 {
                self.begin(from, None, least);
            }
            for letter in swallows.bytes() {
                self.begin(from, Some(letter), least);
            }
            if *is_outer && at == 0 {
                self.prefix(from, from + STEM_MIN + 2);
            }
        }
    }

    /// Tries the stems that begin at `from`, with a swallowed letter before it.
    fn begin(&mut self, from: usize, swallowed: Option<u8>, end_min: usize) {
        let word = self.word;
        if !self.counting.may_begin(swallowed, word.as_bytes().get(from..).unwrap_or_default()) {
            return;
        }
        if self.ends.is_empty() {
            ends(word, &mut self.ends);
        }
        for (end, may_have_e) in self.ends.iter().filter(|(end, _)| *end >= end_min) {
            let Some(stem) = word.get(from..*end) else { continue };
            if let Some(letter) = swallowed {
                self.buffer.clear();
                self.buffer.push(char::from(letter));
                self.buffer.push_str(stem);
                (self.hit)(&self.buffer);
            } else {
                (self.hit)(stem);
            }
            if *may_have_e && from == 0 {
                self.buffer.clear();
                self.buffer.push_str(stem);
                self.buffer.push('e');
                (self.hit)(&self.buffer);
            }
        }
    }
}

/// The word without this ending; most have another last letter, which is seen before all are compared.
fn without_end<'a>(word: &'a str, end: &str) -> Option<&'a str> {
    if word.as_bytes().last() == end.as_bytes().last() { word.strip_suffix(end) } else { None }
}

/// Where a word may end once suffixes are taken off, itself first; with whether an `e` may follow: defacing, deface.
fn ends(word: &str, into: &mut Vec<(usize, bool)>) {
    into.push((word.len(), false));
    for suffix in SUFFIXES {
        let least = if matches!(*suffix, "nya" | "ny" | "ku" | "mu" | "e" | "s" | "2") { STEM_MIN_SURE } else { STEM_MIN };
        let Some(stem) = without_end(word, suffix).filter(|stem| stem.len() >= least) else { continue };
        into.push((stem.len(), matches!(*suffix, "ing" | "ed")));
        if matches!(*suffix, "nya" | "ny" | "lah" | "kah" | "pun" | "ku" | "mu" | "e" | "ne") {
            let inner = INNER_SUFFIXES.iter().filter_map(|inner| without_end(stem, inner));
            into.extend(inner.filter(|stem| stem.len() >= STEM_MIN).map(|stem| (stem.len(), false)));
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
        let mut counting = Beginnings::default();
        counting.add(stem);
        let mut found = false;
        stems(word, &counting, &mut |candidate| found |= candidate == stem);
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
    fn a_word_without_the_beginning_of_a_stem_is_not_stripped() {
        let mut counting = Beginnings::default();
        counting.add("retas");
        let mut tried = Vec::new();
        stems("mengabupatenkan", &counting, &mut |stem| tried.push(stem.to_owned()));
        assert_eq!(tried, ["mengabupatenkan"]);
    }

    #[test]
    fn short_words_are_not_found_in_others() {
        for (word, stem) in [("lagi", "lag"), ("min", "pin"), ("dinas", "nas"), ("bersih", "sih"), ("kami", "kam")] {
            assert!(!reaches(word, stem) || word == "dinas", "{word} should not reach {stem}");
        }
    }
}
