//! The service form as lines of `question: answer`, in the text of a reply or in a file. A form
//! whose answers are empty is a blank form.

use std::collections::BTreeMap;

/// So many answered questions make a form.
const ANSWERS_MIN: usize = 4;
/// So many questions make a text a form, blank or not.
const QUESTIONS_MIN: usize = 5;
/// An answer is kept to here.
const ANSWER_CHARS_MAX: usize = 2_000;

/// The questions, by the field that each fills.
const QUESTIONS: &[(&str, &[&str])] = &[
    ("name", &["nama pelapor", "nama lengkap", "nama", "reporter name", "name of reporter", "full name", "name"]),
    (
        "organisation",
        &[
            "instansi",
            "instansi/organisasi",
            "nama instansi",
            "organisasi",
            "lembaga",
            "perusahaan",
            "organisation",
            "organization",
            "company",
            "institution",
        ],
    ),
    (
        "telephone",
        &[
            "nomor telepon",
            "no telepon",
            "no. telepon",
            "telepon",
            "no hp",
            "no. hp",
            "nomor hp",
            "hp",
            "telp",
            "no telp",
            "no. telp",
            "kontak",
            "telephone",
            "phone",
            "phone number",
            "telephone number",
            "mobile",
        ],
    ),
    (
        "system",
        &[
            "sistem terdampak",
            "sistem yang terdampak",
            "aset terdampak",
            "sistem",
            "nama sistem",
            "affected system",
            "affected systems",
            "system affected",
            "system",
        ],
    ),
    (
        "time",
        &[
            "waktu kejadian",
            "tanggal kejadian",
            "waktu",
            "tanggal dan waktu",
            "tanggal/waktu kejadian",
            "time of the event",
            "time of event",
            "time of incident",
            "date and time",
            "date of incident",
        ],
    ),
    (
        "event",
        &[
            "uraian kejadian",
            "uraian",
            "kronologi",
            "kronologi kejadian",
            "kronologis",
            "deskripsi",
            "deskripsi kejadian",
            "apa yang terjadi",
            "what happened",
            "description",
            "description of the event",
            "description of incident",
        ],
    ),
    ("impact", &["dampak", "dampak kejadian", "dampak yang ditimbulkan", "akibat", "impact"]),
];

/// The fields of a form that is filled in; `None` where there is no form or a blank one.
#[must_use]
pub fn fields_of_form(text: &str) -> Option<BTreeMap<String, String>> {
    let answers = answers_of(text);
    let filled: BTreeMap<String, String> =
        answers.into_iter().filter(|(_, answer)| is_answer(answer)).map(|(field, answer)| (field.to_owned(), answer)).collect();
    (filled.len() >= ANSWERS_MIN).then_some(filled)
}

/// Whether the text asks the questions of the form, answered or not.
#[must_use]
pub fn looks_like_form(text: &str) -> bool {
    answers_of(text).len() >= QUESTIONS_MIN
}

/// Dots, dashes and hints in brackets stand where an answer should.
fn is_answer(answer: &str) -> bool {
    let bare = answer.trim();
    let is_hint = bare.starts_with(['(', '[', '<']) && bare.ends_with([')', ']', '>']);
    !is_hint && bare.chars().filter(|c| c.is_alphanumeric()).count() >= 2
}

fn answers_of(text: &str) -> BTreeMap<&'static str, String> {
    const LINES_MAX: usize = 5_000;
    let mut answers: BTreeMap<&'static str, String> = BTreeMap::new();
    let mut open: Option<&'static str> = None;
    for line in text.lines().take(LINES_MAX) {
        if let Some((field, answer)) = question_of(line) {
            let answer = answer.trim().to_owned();
            answers.entry(field).or_insert(answer);
            open = Some(field);
            continue;
        }
        // An answer may go on over lines until an empty one.
        let Some(field) = open else { continue };
        if line.trim().is_empty() {
            open = answers.get(field).is_some_and(|answer| answer.is_empty()).then_some(field);
            continue;
        }
        if let Some(answer) = answers.get_mut(field) {
            if !answer.is_empty() {
                answer.push(' ');
            }
            answer.push_str(line.trim());
            if answer.chars().count() > ANSWER_CHARS_MAX {
                *answer = answer.chars().take(ANSWER_CHARS_MAX).collect();
                open = None;
            }
        }
    }
    answers
}

/// A question of the form and what stands after it: parted by a colon, a tab or both; or the question
/// alone on its line, whose answer stands below or in no cell of the table.
fn question_of(line: &str) -> Option<(&'static str, &str)> {
    let line = line.trim().trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ')' | '-' | '*' | '•' | ' ' | '\t'));
    let (question, answer) = line.split_once([':', '\t']).unwrap_or((line, ""));
    let answer = answer.trim_start_matches([':', '\t', ' ']);
    let question = question.trim().trim_matches('*').trim().to_lowercase();
    let question = question.split(['(', '*']).next().unwrap_or_default().trim();
    QUESTIONS.iter().find(|(_, words)| words.contains(&question)).map(|(field, _)| (*field, answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filled_form_is_read_and_a_blank_one_is_none() {
        let filled = "Nama pelapor: Budi\nInstansi : Dinas X\nNomor telepon: 0800\nSistem terdampak: situs\nWaktu kejadian: Senin\nUraian kejadian: diubah\n orang\nDampak: malu\n\nSalam\n";
        let form = fields_of_form(filled).unwrap();
        assert_eq!(form.get("organisation").map(String::as_str), Some("Dinas X"));
        assert_eq!(form.get("event").map(String::as_str), Some("diubah orang"));
        assert_eq!(form.get("impact").map(String::as_str), Some("malu"));
        let blank =
            "Nama pelapor:\nInstansi:\nNomor telepon: ........\nSistem terdampak:\nWaktu kejadian: (tanggal)\nUraian kejadian:\nDampak:\n";
        assert!(fields_of_form(blank).is_none());
        assert!(looks_like_form(blank));
        // The rows of a table whose second column is empty.
        let rows = "Nama pelapor\t\nInstansi\t\nNomor telepon\t\nSistem terdampak\t\nUraian kejadian\t\nDampak\t\n";
        assert!(looks_like_form(rows) && fields_of_form(rows).is_none());
        let below = "Nama pelapor\nBudi\nInstansi\nDinas X\nSistem terdampak\nsitus\nDampak\nmalu sekali\n";
        assert_eq!(fields_of_form(below).unwrap().get("impact").map(String::as_str), Some("malu sekali"));
        assert!(!looks_like_form("Nama: Budi\nDampak: besar\n"));
    }
}
