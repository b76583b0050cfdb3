//! Indonesian, English, both, or not told (contract 6), by the small words of both languages.
//! Terms of the trade are English in either and say nothing.

use crate::model::Language;
use std::collections::HashSet;
use std::sync::LazyLock;

/// Text is read to here.
const LOOK_BYTES_MAX: usize = 64 * 1024;
/// A sentence with fewer words is told nothing by.
const SENTENCE_WORDS_MIN: usize = 3;
/// The second language counts only with so many words in whole sentences …
const SECOND_WORDS_MIN: usize = 8;
/// … and this share of all, in percent.
const SECOND_SHARE_MIN: usize = 12;

/// Small words of Indonesian, of its everyday spelling, and of Javanese and Sundanese mixed into it.
static INDONESIAN: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    "yang dan di ke dari ini itu untuk dengan tidak ada adalah saya kami kita anda kamu dia mereka pak bu bapak ibu mohon \
     sudah telah belum akan bisa dapat karena sebab jadi juga atau pada oleh sebagai dalam apakah apa bagaimana kenapa kalau \
     kalo jika bila apabila tapi tetapi namun masih lagi saja aja ya iya gak ga nggak enggak tdk yg dgn utk krn sdh blm tlg \
     dr sy tolong terima kasih terlampir laporan melaporkan lapor selamat pagi siang sore malam hari tadi kemarin kemaren \
     sejak hingga sampai setelah sebelum ketika saat waktu orang semua banyak lebih satu dua tiga yth hormat bahwa agar \
     supaya serta secara tersebut kepada atas bagi seperti hanya cuma sama banget nih dong sih kok deh lho udah udh gimana \
     mau harus perlu boleh jangan bukan makasih nomor nama dulu terus trus muncul malah sangat sekali para pun antara melalui \
     terhadap mas mbak izin ijin salam rekan kapan dimana mana siapa berapa baru langsung masuk keluar tiba teman lain lalu \
     kemudian selama setiap tiap beberapa sebuah seorang merupakan nya diminta dibuka kulo sampun niki mboten nggih monggo \
     matur nuwun punten abdi teh mah nuhun hatur aya teu ieu eta naon kumaha geus iki ora wis assalamualaikum wassalam trims \
     silakan menurut sehingga maka hal pihak akun situs halaman kantor warga"
        .split_whitespace()
        .collect()
});

static ENGLISH: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    "the and of to is are was were we our you your this that these those with for from has have had not it its on in at be by \
     an a please which as been will would can could should may they their them there or but if he she his her i my me us dear \
     regards thank thanks what who when where how why any no all some so because into about after before since until while \
     also only more most other one two do does did kindly hello hi attached here out up over than then now just still very \
     too being each both own same such don't doesn't isn't it's i'm we're you're sincerely received report find below above \
     know let seen against within without through during between under"
        .split_whitespace()
        .collect()
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
    let (mut indonesian, mut english) = (Tally::default(), Tally::default());
    for sentence in sentences(text.get(..end).unwrap_or_default()) {
        let words: Vec<String> = words(&sentence).collect();
        let (id, en) = (count(&words, &INDONESIAN), count(&words, &ENGLISH));
        indonesian.marks += id;
        english.marks += en;
        if words.len() >= SENTENCE_WORDS_MIN {
            if id > en && id >= 2 {
                indonesian.words += words.len();
            } else if en > id && en >= 2 {
                english.words += words.len();
            }
        }
    }
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

fn count(words: &[String], known: &HashSet<&str>) -> usize {
    words.iter().filter(|word| known.contains(word.as_str())).count()
}

/// Words in lower case; addresses, numbers and what holds digits are none.
fn words(sentence: &str) -> impl Iterator<Item = String> + '_ {
    sentence
        .split_whitespace()
        .filter(|word| !word.contains(['@', '/', '\\', '_', '=']) && !word.chars().any(|c| c.is_ascii_digit()))
        .flat_map(|word| word.split(['-', ',', '(', ')']))
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase())
        .filter(|word| !word.is_empty())
}

/// The sentences that the writer wrote: copied text is left out, which is what is indented, what
/// stands in quotation marks, and lines of a table or a log.
fn sentences(text: &str) -> Vec<String> {
    let mut kept = String::new();
    let mut is_after_greeting = false;
    for line in text.lines() {
        is_after_greeting = !line.trim().is_empty() && (is_after_greeting || is_closing(line));
        if is_after_greeting || line.starts_with("  ") || line.starts_with('\t') || line.trim_start().starts_with('>') || is_log(line) {
            kept.push('\n');
            continue;
        }
        kept.push_str(line.trim());
        kept.push(if line.trim().is_empty() { '\n' } else { ' ' });
    }
    let kept = without_quotations(&kept);
    let mut found = Vec::new();
    for paragraph in kept.split('\n') {
        let mut current = String::new();
        let mut before = ' ';
        for c in paragraph.chars() {
            if c.is_whitespace() && matches!(before, '.' | '!' | '?' | ':' | ';') {
                found.push(std::mem::take(&mut current));
            }
            current.push(c);
            before = c;
        }
        found.push(current);
    }
    found
}

/// "Best regards," and the name and office after it are in the language of letterheads.
fn is_closing(line: &str) -> bool {
    const WORDS_MAX: usize = 4;
    let lower = line.trim().trim_end_matches([',', '.', '!']).to_lowercase();
    let starts = [
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
    lower.split_whitespace().count() <= WORDS_MAX && starts.iter().any(|start| lower == *start || lower.starts_with(&format!("{start} ")))
}

/// A line of a log bears a time to the second.
fn is_log(line: &str) -> bool {
    line.as_bytes().windows(6).any(|w| matches!(w, [b':', a, b, b':', c, d] if [a, b, c, d].iter().all(|byte| byte.is_ascii_digit())))
}

/// Takes out what stands in double quotation marks, where they close within a few hundred letters.
fn without_quotations(text: &str) -> String {
    const QUOTATION_CHARS_MAX: usize = 400;
    let mut out = String::with_capacity(text.len());
    let mut held: Option<String> = None;
    for c in text.chars() {
        let is_mark = matches!(c, '"' | '“' | '”' | '„');
        match &mut held {
            None if is_mark => held = Some(String::new()),
            None => out.push(c),
            Some(_) if is_mark => held = None,
            Some(inside) => {
                inside.push(c);
                if inside.chars().count() > QUOTATION_CHARS_MAX || c == '\n' {
                    out.push_str(inside);
                    held = None;
                }
            }
        }
    }
    if let Some(inside) = held {
        out.push_str(&inside);
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
