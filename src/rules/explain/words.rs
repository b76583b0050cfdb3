//! The words of an explanation in both languages of the centre. What rules say of themselves stands in
//! the rule files; categories and priorities are called as in the letters.

use crate::mail::template::Templates;
use crate::model::ticket::Priority;
use crate::model::{Category, Language};

/// The words of an explanation in one language.
#[derive(Debug)]
pub struct Words {
    language: Language,
    pub unsure: &'static str,
    pub score: &'static str,
    pub ahead: &'static str,
    pub second: &'static str,
    pub also: &'static str,
    pub why: &'static str,
    pub against: &'static str,
    pub raising: &'static str,
    pub turned: &'static str,
    pub without: &'static str,
    /// `{}` is a number.
    pub without_strongest: &'static str,
    pub undenied: &'static str,
    pub nothing: &'static str,
    pub priority: &'static str,
    pub saw: &'static str,
    pub clear_spam: &'static str,
    pub automatic: &'static str,
    /// Before the reason why only a share of a score counts.
    pub because: &'static str,
    pub new_text: &'static str,
    /// Of a best score and a threshold.
    pub below: &'static str,
    /// Of a lead and the least one.
    pub close: &'static str,
    pub likeness_alone: &'static str,
    pub beside_advertising: &'static str,
    pub lowered_incident: &'static str,
    /// Over what was read beside advertising.
    pub beside: &'static str,
    pub reads_as_report: &'static str,
    pub reads_as_letter: &'static str,
    pub passed_on: &'static str,
    pub no_report_beside: &'static str,
    /// Before the best two where none was chosen.
    pub nearest: &'static str,
    /// Before a file's name, and before the number of a line in it.
    attachment: (&'static str, &'static str),
    places: &'static [(&'static str, &'static str)],
    decimal: char,
}

const ENGLISH: Words = Words {
    language: Language::En,
    unsure: "unsure: a person has to decide",
    score: "score",
    ahead: "ahead by",
    second: "next",
    also: "also about",
    why: "Because",
    against: "What speaks for",
    raising: "For the priority",
    turned: "What would have changed it",
    without: "without",
    without_strongest: "without the {} strongest reasons",
    undenied: "if this were not denied",
    nothing: "no rule fired",
    priority: "priority",
    saw: "seen in",
    clear_spam: "clearly spam: no ticket opens",
    automatic: "automatic mail by its headers: no ticket opens",
    because: "because:",
    new_text: "text",
    below: "no kind reaches the threshold",
    close: "the best two are too close to one another",
    likeness_alone: "it only sounds like such a report, and by less than is wanted of that alone",
    beside_advertising: "advertising by its score, beside something that reads like a report or a letter",
    lowered_incident: "what tells of an incident weighs no less than the words that speak of no report",
    beside: "Read beside the advertising",
    reads_as_report: "this passage reads like a report, so a person has to decide",
    reads_as_letter: "this reads like a letter of its own, so a person has to decide",
    passed_on: "the sender passes the advertising on with words of their own, so a person has to decide",
    no_report_beside: "what stands beside the words of advertising was read and is no report",
    nearest: "nearest",
    attachment: ("attachment ", ", line "),
    places: &[
        ("subject", "subject"),
        ("new", "line"),
        ("quoted", "quotation, line"),
        ("attachment", "attachment, line"),
        ("attachment_name", "name of an attachment"),
        ("attachment_type", "type of an attachment"),
        ("link", "link"),
        ("sender_name", "sender's name"),
        ("sender", "sender's address"),
        ("indicator", "indicator"),
        ("domain", "domain"),
        ("language", "language"),
        ("dmarc", "DMARC"),
        ("format", "format"),
        ("kind", "kind of mail"),
    ],
    decimal: '.',
};

const INDONESIAN: Words = Words {
    language: Language::Id,
    unsure: "belum pasti: perlu keputusan petugas",
    score: "skor",
    ahead: "unggul",
    second: "berikutnya",
    also: "juga mengenai",
    why: "Karena",
    against: "Yang menunjuk ke",
    raising: "Untuk prioritas",
    turned: "Yang akan mengubah hasilnya",
    without: "tanpa",
    without_strongest: "tanpa {} alasan terkuat",
    undenied: "seandainya ini tidak disangkal",
    nothing: "tidak ada aturan yang cocok",
    priority: "prioritas",
    saw: "terlihat di",
    clear_spam: "jelas spam: tidak dibuatkan tiket",
    automatic: "surat otomatis menurut kepala suratnya: tidak dibuatkan tiket",
    because: "karena:",
    new_text: "isi surat",
    below: "tidak ada jenis yang mencapai ambang",
    close: "dua jenis teratas terlalu berdekatan",
    likeness_alone: "hanya kata-katanya yang mirip laporan sejenis, dan belum mencapai batas untuk kemiripan saja",
    beside_advertising: "skornya iklan, tetapi di sampingnya ada yang terbaca seperti laporan atau surat",
    lowered_incident: "yang menceritakan insiden tidak kalah kuat dari kata-kata yang menunjukkan bukan laporan",
    beside: "Yang terbaca di samping iklannya",
    reads_as_report: "bagian ini terbaca seperti laporan, jadi perlu keputusan petugas",
    reads_as_letter: "bagian ini terbaca seperti surat tersendiri, jadi perlu keputusan petugas",
    passed_on: "pengirim meneruskan iklan itu dengan kata-katanya sendiri, jadi perlu keputusan petugas",
    no_report_beside: "yang tertulis di samping kata-kata iklannya sudah dibaca dan bukan laporan",
    nearest: "yang terdekat",
    attachment: ("lampiran ", " baris "),
    places: &[
        ("subject", "subjek"),
        ("new", "baris"),
        ("quoted", "kutipan baris"),
        ("attachment", "lampiran baris"),
        ("attachment_name", "nama lampiran"),
        ("attachment_type", "jenis lampiran"),
        ("link", "tautan"),
        ("sender_name", "nama pengirim"),
        ("sender", "alamat pengirim"),
        ("indicator", "indikator"),
        ("domain", "domain"),
        ("language", "bahasa"),
        ("dmarc", "DMARC"),
        ("format", "format"),
        ("kind", "jenis surat"),
    ],
    decimal: ',',
};

/// The words of a language.
pub const fn words(language: Language) -> &'static Words {
    if matches!(language, Language::Id) { &INDONESIAN } else { &ENGLISH }
}

impl Words {
    /// What people call a category.
    pub fn category(&self, category: Category, templates: &Templates) -> String {
        templates.phrase(self.language, &format!("category.{}", category.word()), &[])
    }

    /// What people call a priority.
    pub fn priority(&self, priority: Priority, templates: &Templates) -> String {
        templates.phrase(self.language, &format!("priority.{}", priority.word()), &[])
    }

    /// A place of a mail, which may have the number of a line behind it, and that the name of a file: `new 3` is
    /// line 3, `attachment 7 a.pdf` line 7 of the file.
    pub fn place(&self, place: &str) -> String {
        if let Some((line, file)) = place.strip_prefix("attachment ").and_then(|rest| rest.split_once(' ')) {
            return format!("{}{file}{}{line}", self.attachment.0, self.attachment.1);
        }
        let (name, line) = place.split_once(' ').map_or((place, ""), |(name, line)| (name, line));
        let called = self.places.iter().find(|(known, _)| *known == name).map_or(name, |(_, called)| *called);
        if line.is_empty() { called.to_owned() } else { format!("{called} {line}") }
    }

    /// A score as it is written in the language.
    pub fn number(&self, score: f64) -> String {
        format!("{score:.2}").replace('.', &self.decimal.to_string())
    }

    /// What a rule adds, with its sign.
    pub fn signed(&self, adds: f64) -> String {
        format!("{adds:+.2}").replace('.', &self.decimal.to_string())
    }

    /// `subject: "WA", "dibajak"; line 3: "masuk"`: the place is named once for the words that follow one
    /// another there.
    pub fn seen(&self, saw: &[String]) -> String {
        let mut out = String::new();
        let mut last = "";
        for word in saw {
            let (place, quoted) = word.split_once(": ").unwrap_or(("", word));
            if !out.is_empty() {
                out.push_str(if place == last { ", " } else { "; " });
            }
            if place != last && !place.is_empty() {
                out.push_str(&self.place(place));
                out.push_str(": ");
            }
            out.push_str(quoted);
            last = place;
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_named_once_and_in_the_language() {
        let saw = ["subject: \"WA\"", "new 3: \"masuk\"", "new 3: \"kode: 1\"", "domain: \"a.example\""].map(str::to_owned);
        assert_eq!(words(Language::Id).seen(&saw), "subjek: \"WA\"; baris 3: \"masuk\", \"kode: 1\"; domain: \"a.example\"");
        let file = ["attachment 7 surat dinas.pdf: \"bocor\"".to_owned()];
        assert_eq!(words(Language::Id).seen(&file), "lampiran surat dinas.pdf baris 7: \"bocor\"");
        assert_eq!(words(Language::En).seen(&file), "attachment surat dinas.pdf, line 7: \"bocor\"");
        assert_eq!(words(Language::En).seen(&saw), "subject: \"WA\"; line 3: \"masuk\", \"kode: 1\"; domain: \"a.example\"");
    }
}
