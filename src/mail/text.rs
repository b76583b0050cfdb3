//! Tells what the sender wrote now from what is quoted or forwarded, and leaves out signatures,
//! footers of telephones and legal boilerplate. [`command_part`] is the stricter reading that
//! analysts' commands are taken from. The marks of each mail program stand in `quote`.

use super::Text;
use super::quote::{self, Mark};

/// A signature longer than this is taken for text: losing a report is worse than keeping a signature.
const SIGNATURE_LINES_MAX: usize = 40;
/// A bare `--` or dash counts as a signature mark only this near to the end.
const LOOSE_SIGNATURE_LINES_MAX: usize = 12;

/// A signature with its empty lines is looked for over so many lines, so that many marks cost no more.
const EMPTY_LINES_MAX: usize = 200;

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    New,
    Quoted,
    Left,
}

/// Tells a body apart.
#[must_use]
pub fn tell_apart(full: &str) -> Text {
    let lines: Vec<&str> = full.lines().collect();
    let mut sorts = vec![Sort::New; lines.len()];
    let mut at = 0;
    while at < lines.len() {
        at = sort_from(&lines, at, &mut sorts);
    }
    leave_boilerplate(&lines, &mut sorts);
    let pick = |sort: Sort| -> String {
        let mut out = String::new();
        for (line, _) in lines.iter().zip(&sorts).filter(|(_, of)| **of == sort) {
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    };
    Text { new: tidy(&pick(Sort::New)), quoted: pick(Sort::Quoted).trim().to_owned(), full: full.to_owned() }
}

/// A quotation without what stands under its texts: signatures, footers of telephones, legal boilerplate.
#[must_use]
pub fn without_signatures(quoted: &str) -> String {
    let lines: Vec<(usize, &str)> = quoted.lines().map(quote::unquoted).collect();
    let mut out = String::with_capacity(quoted.len());
    for block in lines.chunk_by(|one, other| one.0 == other.0) {
        let lines: Vec<&str> = block.iter().map(|(_, line)| *line).collect();
        let mut sorts = vec![Sort::New; lines.len()];
        let mut at = 0;
        while at < lines.len() {
            let line = lines.get(at).copied().unwrap_or_default();
            let end = if quote::is_signature_mark(line) { signature_end(&lines, at, signature_most(line)) } else { None };
            let is_footer = quote::is_device_footer(line);
            at = end.map_or(at + 1, |end| fill(&mut sorts, at, end, Sort::Left));
            if is_footer {
                fill(&mut sorts, at - 1, at, Sort::Left);
            }
        }
        leave_boilerplate(&lines, &mut sorts);
        for (line, _) in lines.iter().zip(&sorts).filter(|(_, sort)| **sort != Sort::Left) {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// How many lines a signature behind this mark may have.
fn signature_most(mark: &str) -> usize {
    if mark == "-- " { SIGNATURE_LINES_MAX } else { LOOSE_SIGNATURE_LINES_MAX }
}

/// Sorts the line at `at` and what belongs to it; gives the next line to look at.
fn sort_from(lines: &[&str], at: usize, sorts: &mut [Sort]) -> usize {
    let line = lines.get(at).copied().unwrap_or_default();
    if quote::is_quoted(line) {
        return fill(sorts, at, at + 1, Sort::Quoted);
    }
    if let Some(mark) = quote::mark_at(lines, at) {
        let after = at + mark.lines();
        let is_marked = lines.iter().skip(after).find(|line| !line.trim().is_empty()).is_some_and(|line| quote::is_quoted(line));
        // Where the quotation itself is marked line by line, what follows it is new again.
        return match mark {
            _ if is_marked => fill(sorts, at, after, Sort::Quoted),
            // Words of a person that only look like a header are kept.
            Mark::Attribution { is_sure: false, .. } => at + 1,
            _ => fill(sorts, at, lines.len(), Sort::Quoted),
        };
    }
    if quote::is_signature_mark(line)
        && let Some(end) = signature_end(lines, at, signature_most(line))
    {
        return fill(sorts, at, end, Sort::Left);
    }
    if quote::is_device_footer(line) {
        return fill(sorts, at, at + 1, Sort::Left);
    }
    at + 1
}

/// Where the signature that begins at `at` ends: at a quotation or with the text. None where it would
/// have more than `most` lines.
fn signature_end(lines: &[&str], at: usize, most: usize) -> Option<usize> {
    let mut length = 0;
    for (next, line) in lines.iter().enumerate().skip(at + 1) {
        if quote::is_quoted(line) || quote::mark_at(lines, next).is_some() {
            return Some(next);
        }
        length += usize::from(!line.trim().is_empty());
        // Empty lines cost time too.
        if length > most || next > at + EMPTY_LINES_MAX {
            return None;
        }
    }
    Some(lines.len())
}

fn fill(sorts: &mut [Sort], from: usize, to: usize, sort: Sort) -> usize {
    for slot in sorts.iter_mut().take(to).skip(from) {
        *slot = sort;
    }
    to
}

/// Takes legal boilerplate out: whole paragraphs, never the first one. A line of dashes parts them as an
/// empty one does.
fn leave_boilerplate(lines: &[&str], sorts: &mut [Sort]) {
    let mut start = 0;
    let mut is_first = true;
    while start < lines.len() {
        if lines.get(start).is_none_or(|line| line.trim().is_empty()) {
            start += 1;
            continue;
        }
        let ends = |at: &usize| lines.get(*at).is_none_or(|line| line.trim().is_empty() || (*at > start && quote::is_rule(line)));
        let end = (start..lines.len()).find(ends).unwrap_or(lines.len());
        let is_new = sorts.get(start) == Some(&Sort::New);
        if is_new && !is_first && quote::is_boilerplate(lines.get(start..end).unwrap_or_default()) {
            fill(sorts, start, end, Sort::Left);
        }
        is_first = is_first && !is_new;
        start = end;
    }
}

/// Rules and empty lines at the end are left over from what was cut off.
fn tidy(new: &str) -> String {
    let mut lines: Vec<&str> = new.trim().lines().collect();
    while lines.last().is_some_and(|line| quote::is_rule(line) || line.trim().is_empty()) {
        lines.pop();
    }
    let mut out = String::new();
    let mut empty = 0;
    for line in lines {
        empty = if line.trim().is_empty() { empty + 1 } else { 0 };
        if empty <= 1 {
            out.push_str(line);
            out.push('\n');
        }
    }
    out.trim().to_owned()
}

/// The part of an analyst's text that commands and speech may stand in (contract 5). It begins after
/// leading quoted lines and their attribution, and ends at the first sign of a quotation, a signature
/// or the line of ours. In doubt it ends early: what is left out does nothing and goes nowhere.
#[must_use]
pub fn command_part(text: &str) -> &str {
    let lines: Vec<&str> = text.split('\n').collect();
    let mut starts = Vec::with_capacity(lines.len());
    let mut offset = 0;
    for line in &lines {
        starts.push(offset);
        offset += line.len() + 1;
    }
    let place = |at: usize| starts.get(at).copied().unwrap_or(text.len()).min(text.len());
    let mut first = 0;
    while let Some(line) = lines.get(first) {
        if line.trim().is_empty() || quote::is_quoted(line) {
            first += 1;
            continue;
        }
        let length = quote::loose_attribution(&lines, first);
        let is_followed = lines.iter().skip(first + length).find(|line| !line.trim().is_empty()).is_some_and(|line| quote::is_quoted(line));
        if length == 0 || !is_followed {
            break;
        }
        first += length;
    }
    let end = (first..lines.len()).find(|at| quote::ends_command_part(&lines, *at)).unwrap_or(lines.len());
    text.get(place(first)..place(end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_now_is_told_from_what_each_client_quotes() {
        for (body, new) in [
            ("Baru.\n\nPada Rab, 27 Mei 2026 pukul 08.15 Pusat <a@b.test> menulis:\n\n> Lama.\n", "Baru."),
            ("Baru.\n\nPada Rab, 27 Mei 2026 pukul 08.15 Pusat Kontak Siber Nasional\n<a@b.test> menulis:\n> Lama.\n", "Baru."),
            ("New.\n\nOn Tue, 3 Feb 2026 at 08:12, Centre wrote:\n> Old.\n", "New."),
            ("> Lama.\n\nBaru di bawah.\n", "Baru di bawah."),
            ("On 3 Feb 2026, at 08:12, Centre <a@b.test> wrote:\n> Old.\n\nNew below.\n", "New below."),
            ("Tanya:\n> Satu?\nYa.\n> Dua?\nTidak.\n", "Tanya:\nYa.\nTidak."),
            ("New.\n\n-----Original Message-----\nFrom: x\nSent: y\nTo: z\n\nOld\n", "New."),
            ("Baru.\n________________________________\nDari: P <a@b.test>\nDikirim: Rabu\nKepada: X\nPerihal: Y\n\nLama\n", "Baru."),
            ("Lihat.\n\n---------- Pesan terusan ----------\nDari: a\n\nbukti\n", "Lihat."),
            ("See.\n\nBegin forwarded message:\n\n> From: x\n> old\n\n--\nteam\n", "See."),
            // Roundcube, Zimbra, Apple Mail, Outlook for telephones, Thunderbird and Yahoo, as they write Indonesian.
            ("Baru.\n\nPada 2026-10-02 14:20, Pusat Kontak menulis:\n> Lama.\n", "Baru."),
            (
                "Baru.\n\n----- Pesan Asli -----\nDari: \"Pusat\" <a@b.test>\nKepada: \"Siti\" <s@d.test>\nTerkirim: Rabu, 3 Maret 2026 9:41:00\nPerihal: x\n\nLama\n",
                "Baru.",
            ),
            ("Baru.\n\nDikirim dari iPad saya\n\nPada 3 Mar 2026, pukul 09.41, Pusat <a@b.test> menulis:\n\n> Lama.\n", "Baru."),
            (
                "Baru.\n\nDapatkan Outlook untuk Android<https://aka.ms/x>\n________________________________\nFrom: P <a@b.test>\nSent: Tuesday\nTo: S\nSubject: x\n\nLama\n",
                "Baru.",
            ),
            (
                "Baru.\n\n-------- Pesan Terusan --------\nPerihal: \tTagihan\nTanggal: \tSel, 3 Mar 2026 09:41:00 +0700\nDari: \tBank <c@d.test>\n\nbukti\n",
                "Baru.",
            ),
            ("Baru.\n\n    Pada Selasa, 3 Maret 2026 09.41.00 WIB, Pusat <a@b.test> menulis:  \n \n Lama tanpa tanda.\n", "Baru."),
            ("Baru.\n\nOn 03/03/2026 09:41, Pusat wrote:\n> Lama.\n> > Lebih lama.\n\nDi bawah.\n", "Baru.\n\nDi bawah."),
            ("New.\n\nFrom: Centre [mailto:a@b.test]\nSent: Tuesday, March 3, 2026 9:41 AM\nTo: S\nCc: T\nSubject: RE: x\n\nOld\n", "New."),
            ("Baru.\n\nDISCLAIMER: This e-mail may contain viruses. No liability.\n", "Baru."),
            (
                "Baru.\n\n----------\nPERHATIAN: Email ini mungkin mengandung virus. Perusahaan tidak bertanggung jawab.\n----------\n",
                "Baru.",
            ),
            (
                "Baru.\n________________________________\nThis e-mail is confidential and intended solely for the addressee. https://syarat.example\n",
                "Baru.",
            ),
            ("Satu.\n----\nDua.\n", "Satu.\n----\nDua."),
            ("Isi.\n\n-- \nBudi\nDinas\n", "Isi."),
            ("Isi.\n\nDikirim dari iPhone saya\n", "Isi."),
            ("Isi.\n\nSent from my Galaxy\n\nOn Mon, 1 Jan 2026 at 10:00, X <x@y.test> wrote:\n> z\n", "Isi."),
        ] {
            assert_eq!(tell_apart(body).new, new, "{body}");
        }
    }

    #[test]
    fn a_quotation_is_read_without_the_signatures_and_disclaimers_in_it() {
        for (quoted, left) in [
            ("> Lama.\n> -- \n> Ani\n> www.ani.example\n>> Lebih lama.\n>> --\n>> Budi", "Lama.\nLebih lama.\n"),
            ("> Isi.\n>\n> Email ini bersifat rahasia dan hanya untuk penerima. https://syarat.example\n\nBukti.", "Isi.\n\n\nBukti.\n"),
            ("> Isi.\n> Dikirim dari iPhone saya", "Isi.\n"),
            // The first paragraph is what was written.
            ("> Email ini bersifat rahasia: data kami bocor.", "Email ini bersifat rahasia: data kami bocor.\n"),
        ] {
            assert_eq!(without_signatures(quoted), left, "{quoted}");
        }
    }

    #[test]
    fn words_of_a_person_that_look_like_a_quotation_are_kept() {
        for body in [
            "Pada hari Senin pelaku menulis:\nBayar sekarang atau data disebar.",
            "Kepada : Kepala Pusat\nDari : Dinas Kominfo\nTanggal : 3 Maret 2026\nHal : Laporan\n\nSitus kami diretas.",
            "This message contains a virus and I did delete it.",
            "Dari: mana asal serangan belum diketahui.",
        ] {
            assert_eq!(tell_apart(body).new, body, "{body}");
        }
    }

    #[test]
    fn nothing_quoted_is_ever_a_command() {
        for (body, part) in [
            ("!tutup\nterima kasih\n\nOn Mon, 1 Jan 2026, X wrote:\n> !buka\n", "!tutup\nterima kasih\n\n"),
            ("> lama\n> !batal DIS-2026-0001\n\n!valid\n", "!valid\n"),
            ("Pada 1/1/26 10.00, X menulis:\n> lama\n\n!valid\n> lagi\n!tutup", "!valid\n"),
            ("!balas\nHalo\n-- \n!tutup", "!balas\nHalo\n"),
            ("!balas\nHalo\n--- balas di atas garis ini ---\n!tutup", "!balas\nHalo\n"),
            ("!balas\nHalo\nDari: A <a@b.test>\n!tutup", "!balas\nHalo\n"),
            ("!balas\nHalo\n-----Original Message-----\n!tutup", "!balas\nHalo\n"),
            ("On Mon, 1 Jan 2026, X wrote:\n!tutup", ""),
            // The address of a command does not make it the first line of the attribution that follows.
            (
                "!konfirmasi a@b.test\nLewat telepon.\n\nPada 1/1/26 10.00, X <x@y.test> menulis:\n> !tutup\n",
                "!konfirmasi a@b.test\nLewat telepon.\n\n",
            ),
            ("!konfirmasi a@b.test\nOn Mon, 1 Jan 2026, X wrote:\n> !tutup\n", "!konfirmasi a@b.test\n"),
            ("!balas\nTulislah ke a@b.test.\n\nPada 1/1/26 10.00, X menulis:\n!tutup", "!balas\nTulislah ke a@b.test.\n\n"),
            ("!tutup <a@b.test> menulis:\n> lama\n!valid", "!valid"),
            ("!valid\n\n!konfirmasi <eve@x.test>\nwrote:\n> lama", "!valid\n\n"),
            (
                "\u{feff}!konfirmasi a@b.test\nLewat telepon.\nPada 1/1/26 10.00, X menulis:\n> lama",
                "\u{feff}!konfirmasi a@b.test\nLewat telepon.\n",
            ),
            ("On Mon, 1 Jan 2026 at 10:00 Some Long Name\n<a@b.test>\nwrote:\n!tutup", ""),
        ] {
            assert_eq!(command_part(body), part, "{body}");
        }
    }
}
