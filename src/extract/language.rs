//! Indonesian, English, both, or not told (contract 6), by the small words of both languages.
//! Terms of the trade are English in either and say nothing.

use super::short;
use crate::model::Language;
use rustc_hash::FxHashMap;
use std::sync::LazyLock;

/// Text is read to here: whoever writes in two languages does so within three pages.
const LOOK_BYTES_MAX: usize = 8 * 1024;
/// A sentence with fewer words is told nothing by.
const SENTENCE_WORDS_MIN: usize = 3;
/// The second language counts only with so many words in whole sentences …
const SECOND_WORDS_MIN: usize = 8;
/// … and this share of all, in percent.
const SECOND_SHARE_MIN: usize = 12;

/// Small words of Indonesian, of its everyday spelling, and of Javanese and Sundanese mixed into it.
const INDONESIAN: &str = "yang dan di ke dari ini itu untuk dengan tidak ada adalah saya kami kita anda kamu dia mereka pak bu bapak ibu mohon \
     sudah telah belum akan bisa dapat karena sebab jadi juga atau pada oleh sebagai dalam apakah apa bagaimana kenapa kalau \
     kalo jika bila apabila tapi tetapi namun masih lagi saja aja ya iya gak ga nggak enggak tdk yg dgn utk krn sdh blm tlg \
     dr sy tolong terima kasih terlampir laporan melaporkan lapor selamat pagi siang sore malam hari tadi kemarin kemaren \
     sejak hingga sampai setelah sebelum ketika saat waktu orang semua banyak lebih satu dua tiga yth hormat bahwa agar \
     supaya serta secara tersebut kepada atas bagi seperti hanya cuma sama banget nih dong sih kok deh lho udah udh gimana \
     mau harus perlu boleh jangan bukan makasih nomor nama dulu terus trus muncul malah sangat sekali para pun antara melalui \
     terhadap mas mbak izin ijin salam rekan kapan dimana mana siapa berapa baru langsung masuk keluar tiba teman lain lalu \
     kemudian selama setiap tiap beberapa sebuah seorang merupakan nya diminta dibuka kulo sampun niki mboten nggih monggo \
     matur nuwun punten abdi teh mah nuhun hatur aya teu ieu eta naon kumaha geus iki ora wis assalamualaikum wassalam trims \
     silakan menurut sehingga maka hal pihak akun situs halaman kantor warga";

const ENGLISH: &str = "the and of to is are was were we our you your this that these those with for from has have had not it its on in at be by \
     an a please which as been will would can could should may they their them there or but if he she his her i my me us dear \
     regards thank thanks what who when where how why any no all some so because into about after before since until while \
     also only more most other one two do does did kindly hello hi attached here out up over than then now just still very \
     too being each both own same such don't doesn't isn't it's i'm we're you're sincerely received report find below above \
     know let seen against within without through during between under";

/// Which of the languages a small word belongs to.
#[derive(Debug, Clone, Copy, Default)]
struct Belongs {
    is_indonesian: bool,
    is_english: bool,
}

/// By the number of the word, see [`short`]; none of them is long.
static SMALL_WORDS: LazyLock<FxHashMap<u128, Belongs>> = LazyLock::new(|| {
    let mut words: FxHashMap<u128, Belongs> = FxHashMap::default();
    INDONESIAN.split_whitespace().filter_map(short::of).for_each(|word| words.entry(word).or_default().is_indonesian = true);
    ENGLISH.split_whitespace().filter_map(short::of).for_each(|word| words.entry(word).or_default().is_english = true);
    words
});

/// The language of what a sender newly wrote; of the subject where that tells nothing.
#[must_use]
pub fn of_message(subject: &str, new_text: &str) -> Language {
    match of_text(new_text) {
        Language::Unknown => of_text(subject),
        told => told,
    }
}

/// The language of a text.
#[must_use]
pub fn of_text(text: &str) -> Language {
    let end = text.floor_char_boundary(LOOK_BYTES_MAX);
    let mut written = written(text.get(..end).unwrap_or_default());
    if written.is_ascii() {
        written.make_ascii_lowercase();
    } else {
        written = written.to_lowercase();
    }
    // What follows the last word, so that it is read as the others are.
    written.extend([' '; short::BYTES]);
    let (mut indonesian, mut english) = (Tally::default(), Tally::default());
    let (small, bytes) = (&*SMALL_WORDS, written.as_bytes());
    let mut sentence = Sentence::default();
    let (mut start, mut is_plain) = (None, true);
    for (at, byte) in bytes.iter().enumerate() {
        if !byte.is_ascii_whitespace() {
            start = start.or(Some(at));
            is_plain &= byte.is_ascii_lowercase();
            continue;
        }
        if let Some(from) = start.take() {
            if std::mem::replace(&mut is_plain, true) {
                sentence.count(short::at(bytes, from, at - from).and_then(|word| small.get(&word)));
            } else {
                let run = written.get(from..at).unwrap_or_default();
                words(run, &mut |word| sentence.count(short::of(word).and_then(|word| small.get(&word))));
                if run.ends_with(['.', '!', '?', ':', ';']) {
                    std::mem::take(&mut sentence).add_to(&mut indonesian, &mut english);
                }
            }
        }
        if *byte == b'\n' {
            std::mem::take(&mut sentence).add_to(&mut indonesian, &mut english);
        }
    }
    sentence.add_to(&mut indonesian, &mut english);
    decide(&indonesian, &english)
}

#[derive(Default)]
struct Tally {
    /// Small words anywhere.
    marks: usize,
    /// All words of sentences in this language.
    words: usize,
}

fn decide(indonesian: &Tally, english: &Tally) -> Language {
    let (first, second, language) = if (indonesian.words, indonesian.marks) >= (english.words, english.marks) {
        (indonesian, english, Language::Id)
    } else {
        (english, indonesian, Language::En)
    };
    if first.marks == 0 {
        return Language::Unknown;
    }
    let share = second.words * 100 / (first.words + second.words).max(1);
    if second.words >= SECOND_WORDS_MIN && share >= SECOND_SHARE_MIN { Language::Mixed } else { language }
}

/// The words of a sentence, counted.
#[derive(Default)]
struct Sentence {
    words: usize,
    indonesian: usize,
    english: usize,
}

impl Sentence {
    fn count(&mut self, belongs: Option<&Belongs>) {
        let belongs = belongs.copied().unwrap_or_default();
        self.words += 1;
        self.indonesian += usize::from(belongs.is_indonesian);
        self.english += usize::from(belongs.is_english);
    }

    fn add_to(self, indonesian: &mut Tally, english: &mut Tally) {
        indonesian.marks += self.indonesian;
        english.marks += self.english;
        if self.words < SENTENCE_WORDS_MIN {
            return;
        }
        if self.indonesian > self.english && self.indonesian >= 2 {
            indonesian.words += self.words;
        } else if self.english > self.indonesian && self.english >= 2 {
            english.words += self.words;
        }
    }
}

/// The words in a run of more than small letters; addresses, numbers and what holds digits are none.
fn words(run: &str, each: &mut impl FnMut(&str)) {
    if !run.bytes().any(|byte| matches!(byte, b'@' | b'/' | b'\\' | b'_' | b'=' | b'0'..=b'9')) {
        // The no-break space and its like are white space too.
        let parts = run.split(|c: char| matches!(c, '-' | ',' | '(' | ')') || c.is_whitespace());
        parts.map(|part| part.trim_matches(|c: char| !c.is_alphanumeric())).filter(|part| !part.is_empty()).for_each(each);
    }
}

/// What the writer wrote, a paragraph a line: copied text is left out, which is what is indented, what
/// stands in quotation marks, and lines of a table or a log.
fn written(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut is_after_greeting = false;
    for line in text.lines() {
        let trimmed = line.trim();
        is_after_greeting = !trimmed.is_empty() && (is_after_greeting || is_closing(trimmed));
        if is_after_greeting || line.starts_with("  ") || line.starts_with('\t') || trimmed.starts_with('>') || is_log(line) {
            kept.push('\n');
            continue;
        }
        kept.push_str(trimmed);
        kept.push(if trimmed.is_empty() { '\n' } else { ' ' });
    }
    without_quotations(kept)
}

/// "Best regards," and the name and office after it are in the language of letterheads.
fn is_closing(line: &str) -> bool {
    const LETTERS_MAX: usize = 120;
    const WORDS_MAX: usize = 4;
    const STARTS: &[&str] = &[
        "regards",
        "best regards",
        "kind regards",
        "warm regards",
        "best",
        "sincerely",
        "yours sincerely",
        "cheers",
        "salam",
        "hormat kami",
        "hormat saya",
        "rgds",
        "br",
        "with kind regards",
    ];
    let line = line.trim().trim_end_matches([',', '.', '!']);
    if line.len() > LETTERS_MAX || line.split_whitespace().nth(WORDS_MAX).is_some() {
        return false;
    }
    STARTS.iter().any(|start| {
        let (begins, rest) = line.split_at_checked(start.len()).unwrap_or_default();
        begins.eq_ignore_ascii_case(start) && (rest.is_empty() || rest.starts_with(' '))
    })
}

/// A line of a log bears a time to the second.
fn is_log(line: &str) -> bool {
    let is_time = |six: &[u8]| matches!(six, [b':', a, b, b':', c, d] if [a, b, c, d].iter().all(|byte| byte.is_ascii_digit()));
    memchr::memchr_iter(b':', line.as_bytes()).any(|at| line.as_bytes().get(at..at + 6).is_some_and(is_time))
}

/// Takes out what stands in double quotation marks, where they close within a few hundred letters.
fn without_quotations(text: String) -> String {
    const QUOTATION_CHARS_MAX: usize = 400;
    // “, ” and „ begin with the byte 0xe2.
    if memchr::memchr2(b'"', 0xe2, text.as_bytes()).is_none() {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    // Where the quotation begins, and how many letters of it there are.
    let mut held: Option<(usize, usize)> = None;
    for (at, c) in text.char_indices() {
        let is_mark = matches!(c, '"' | '“' | '”' | '„');
        match &mut held {
            None if is_mark => held = Some((at + c.len_utf8(), 0)),
            None => out.push(c),
            Some(_) if is_mark => held = None,
            Some((from, letters)) => {
                *letters += 1;
                if *letters > QUOTATION_CHARS_MAX || c == '\n' {
                    out.push_str(text.get(*from..at + c.len_utf8()).unwrap_or_default());
                    held = None;
                }
            }
        }
    }
    if let Some((from, _)) = held {
        out.push_str(text.get(from..).unwrap_or_default());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_writer_wrote_decides() {
        for (text, language) in [
            ("Mohon bantuan, situs kami diretas dan tampilannya berubah.", Language::Id),
            ("min tolong dong akun ig gw kena hack, ga bisa login lg", Language::Id),
            ("Dear team, we found a phishing page that is hosted in your country.", Language::En),
            (
                "Pada layar ada tulisan \"all your files have been encrypted and you have to pay\" dan semua berkas tidak bisa dibuka.",
                Language::Id,
            ),
            ("Server kami down karena ddos attack, firewall dan load balancer tidak kuat.", Language::Id),
            (
                "Mohon bantuan, akun kami diambil orang lain sejak kemarin.\n\nFor our colleagues abroad: the account was taken over yesterday and we cannot log in.",
                Language::Mixed,
            ),
            ("198.51.100.4 443", Language::Unknown),
            ("", Language::Unknown),
        ] {
            assert_eq!(of_text(text), language, "{text}");
        }
    }
}
