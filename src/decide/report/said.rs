//! What notices show of a sender's words: the new text, the body that Outlook packed up beside it, what was
//! forwarded or quoted. Bytes that are no text are cut, and a line says so; the stored mail stays whole.

use crate::decide::{Arrived, Desk};
use crate::mail::Mail;

/// Characters of forwarded or quoted text that a notice shows.
const QUOTED_CHARS_MAX: usize = 8_000;
/// Characters of a packed body that a notice shows: what a person reads of a mail.
const PACKED_CHARS_MAX: usize = 32_000;
/// Characters of a text in a digest: three lines, enough to see what cannot wait.
const BEGINNING_CHARS_MAX: usize = 240;
/// Characters that are no text and are shown all the same, so that whoever knows their like knows them.
const NOISE_CHARS_MAX: usize = 200;
/// Shorter texts are shown as they are: they fill no notice, and too little stands in them to be judged.
const JUDGED_CHARS_MIN: usize = 200;
/// A line of fewer characters says nothing of whether it is text among noise.
const LINE_CHARS_MIN: usize = 12;

/// What the sender wrote now, for people: with the body of a `winmail.dat` that says something else.
#[must_use]
pub fn said(arrived: &Arrived<'_>, desk: Desk<'_>) -> String {
    let mail = &arrived.opened.mail;
    let new = readable(&mail.text.new, arrived, desk);
    let packed = readable(&mail.packed_text(), arrived, desk);
    joined(new, &clipped(&packed, PACKED_CHARS_MAX, desk), "notice.packed", desk)
}

/// The same and, where it was passed on, what was forwarded or quoted: the evidence itself.
#[must_use]
pub fn whole(arrived: &Arrived<'_>, desk: Desk<'_>) -> String {
    joined(said(arrived, desk), &quoted(arrived, desk), "notice.quoted", desk)
}

/// What was forwarded or quoted.
#[must_use]
pub fn quoted(arrived: &Arrived<'_>, desk: Desk<'_>) -> String {
    clipped(&readable(arrived.opened.mail.text.quoted.trim(), arrived, desk), QUOTED_CHARS_MAX, desk)
}

/// The beginning of what the sender wrote, on one line, for a digest of many.
#[must_use]
pub fn beginning(arrived: &Arrived<'_>, desk: Desk<'_>) -> String {
    let whole = said(arrived, desk).split_whitespace().collect::<Vec<_>>().join(" ");
    let mut shown: String = whole.chars().take(BEGINNING_CHARS_MAX).collect();
    if shown.len() < whole.len() {
        shown.push('…');
    }
    shown
}

/// What the sender wrote now as it is stored: all of it.
#[must_use]
pub fn stored(mail: &Mail, desk: Desk<'_>) -> String {
    joined(mail.text.new.clone(), &mail.packed_text(), "notice.packed", desk)
}

/// The first text and below its heading the second, if there is one.
fn joined(first: String, second: &str, heading: &str, desk: Desk<'_>) -> String {
    if second.trim().is_empty() {
        return first;
    }
    format!("{}\n\n{}\n\n{}", first.trim_end(), desk.say(heading, &[]), second.trim()).trim_start().to_owned()
}

fn clipped(text: &str, chars_max: usize, desk: Desk<'_>) -> String {
    let count = text.chars().count();
    if count <= chars_max {
        return text.to_owned();
    }
    let kept: String = text.chars().take(chars_max).collect();
    format!("{kept}\n{}", desk.say("notice.clipped", &[("count", &(count - chars_max).to_string())]))
}

/// The text without the bytes in it that are none; how many were left out, and where they are to be had.
fn readable(text: &str, arrived: &Arrived<'_>, desk: Desk<'_>) -> String {
    let (shown, left_out) = without_noise(text);
    if left_out == 0 {
        return text.to_owned();
    }
    let line = desk.say("notice.unreadable", &[("count", &left_out.to_string()), ("mail", &arrived.id.to_string())]);
    format!("{}\n{line}", shown.trim_end())
}

/// Lines of text and the beginning of what is none, with the number of characters that were left out.
fn without_noise(text: &str) -> (String, usize) {
    let (odd, all) = odd_of(text);
    if all < JUDGED_CHARS_MIN || odd * 3 <= all {
        return (text.to_owned(), 0);
    }
    let (mut shown, mut left_out, mut may_show) = (String::new(), 0, NOISE_CHARS_MAX);
    for line in text.split_inclusive('\n') {
        let (odd, all) = odd_of(line);
        if all >= LINE_CHARS_MIN && odd * 10 <= all {
            shown.push_str(line);
            continue;
        }
        let length = line.chars().count();
        let kept = length.min(may_show);
        shown.extend(line.chars().take(kept));
        if kept < length && !shown.ends_with('\n') && kept > 0 {
            shown.push('\n');
        }
        may_show -= kept;
        left_out += length - kept;
    }
    (shown, left_out)
}

/// How many characters are such as bytes become that are no text, and how many there are; spaces aside. Bytes in no
/// known charset are read as windows-1252, of which no language uses more than a few letters in ten.
fn odd_of(text: &str) -> (usize, usize) {
    let is_odd = |c: char| match c {
        // Quotation marks, dashes and the bullet are in the text of any office program.
        '‘' | '’' | '“' | '”' | '–' | '—' | '…' | '•' => false,
        '\u{80}'..='\u{ff}' | '\u{fffd}' | '\u{e000}'..='\u{f8ff}' => true,
        'Œ' | 'œ' | 'Š' | 'š' | 'Ÿ' | 'Ž' | 'ž' | 'ƒ' | 'ˆ' | '˜' | '‚' | '„' | '†' | '‡' | '‰' | '‹' | '›' | '€' | '™' => {
            true
        }
        _ => false,
    };
    let visible = text.chars().filter(|c| !c.is_whitespace());
    visible.fold((0, 0), |(odd, all), c| (odd + usize::from(is_odd(c)), all + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_cut_and_what_can_be_read_stays() {
        let noise: String = (0..4_000_u32).map(|at| char::from(u8::try_from((at * 7_919 + at / 3) % 256).unwrap())).collect();
        let noise = crate::mail::body::clean(&noise);
        let (shown, left_out) = without_noise(&format!("Situs kami diretas, ini berkasnya.\n{noise}\nMohon bantuan segera, Pak.\n"));
        assert!(shown.contains("Situs kami diretas, ini berkasnya.") && shown.contains("Mohon bantuan segera, Pak."), "{shown}");
        assert!(shown.chars().count() < 400 && left_out > 3_000, "{left_out}: {shown}");
    }

    #[test]
    fn other_languages_are_text() {
        let texts = [
            "Chúng tôi muốn báo cáo một sự cố: trang web của sở đã bị thay đổi giao diện từ hôm qua, và ảnh lạ hiện trên trang chủ. ",
            "Notre site a été piraté hier : la page d’accueil a été remplacée, nos données privées ont été publiées à l'étranger. ",
            "我们的网站昨天被篡改，首页显示陌生图片，请协助处理。",
            "Наш сайт был взломан вчера, на главной странице чужая картинка. ",
            "تم اختراق موقعنا أمس وتظهر صورة غريبة على الصفحة الرئيسية. ",
        ];
        for text in texts {
            assert_eq!(without_noise(&text.repeat(20)).1, 0, "{text}");
        }
    }
}
