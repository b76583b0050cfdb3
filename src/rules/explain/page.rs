//! An explanation as one HTML page, with the words marked in the text. Everything that came from the
//! mail is escaped; there are no scripts, and nothing comes from outside.

use super::words::words;
use super::{Explanation, said};
use crate::mail::template::Templates;
use crate::model::Language;
use crate::rules::compile::{NEW, PLACES, SUBJECT};
use std::fmt::Write as _;

impl Explanation {
    /// As one HTML page.
    #[must_use]
    pub fn html(&self, language: Language, templates: &Templates, title: &str) -> String {
        let words = words(language);
        let mut out = format!(
            "<!doctype html><html lang=\"{}\"><meta charset=\"utf-8\">\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>{}</title><style>{STYLE}</style><h1>{}</h1><p>{}</p>",
            if matches!(language, Language::Id) { "id" } else { "en" },
            escaped(title),
            escaped(title),
            escaped(&self.result(words, templates))
        );
        if let Some((told, passage)) = self.read_beside(words, templates) {
            let _ = write!(out, "<h2>{}</h2><p>{}<br>\"{}\"", words.beside, escaped(&told), escaped(passage));
        }
        for part in self.parts(words, templates) {
            let _ = write!(out, "<h2>{}</h2><table>", escaped(&part.title));
            for fired in part.lines {
                let adds = part.of.map_or_else(String::new, |_| words.signed(fired.adds));
                let _ = write!(
                    out,
                    "<tr><td>{adds}<td><mark class=\"{}\">{}</mark><td>{} <code>{}</code><td>{}",
                    fired.category,
                    words.category(fired.category, templates),
                    escaped(said(language, &fired.reason_id, &fired.reason_en)),
                    escaped(&fired.rule),
                    escaped(&words.seen(&fired.saw))
                );
            }
            if let Some(damped) = part.damped {
                let _ = write!(
                    out,
                    "<tr><td>× {}<td><td>{} {} <code>{}</code><td>",
                    words.number(damped.share),
                    words.because,
                    escaped(said(language, &damped.reason_id, &damped.reason_en)),
                    escaped(&damped.rule)
                );
            }
            if let Some(total) = part.total {
                let _ = write!(out, "<tr><td>= {}<td><td><td>", words.number(total));
            }
            out.push_str("</table>");
        }
        let turns = self.turned(words, language, templates);
        if !turns.is_empty() {
            let _ = write!(out, "<h2>{}</h2><ul>", words.turned);
            for (turn, grounds) in turns {
                let grounds: String = grounds.iter().map(|ground| format!("<br>{}", escaped(ground))).collect();
                let _ = write!(out, "<li>{}{grounds}", escaped(&turn));
            }
            out.push_str("</ul>");
        }
        let is_wanted = |place: usize| matches!(place, SUBJECT | NEW) || self.marks.iter().any(|mark| mark.0 == place);
        for (place, text) in self.texts.iter().filter(|(place, _)| is_wanted(*place)) {
            let name = if *place == NEW { words.new_text } else { &words.place(PLACES.get(*place).copied().unwrap_or_default()) };
            let _ = write!(out, "<h2>{name}</h2><pre>{}</pre>", self.marked(*place, text));
        }
        out
    }

    /// A text with the words marked that rules saw; of marks that overlap the first one is shown.
    fn marked(&self, place: usize, text: &str) -> String {
        let mut out = String::new();
        let mut at = 0;
        for (_, from, to, rule, category) in self.marks.iter().filter(|mark| mark.0 == place) {
            let (Some(before), Some(word)) = (text.get(at..*from), text.get(*from..*to)) else { continue };
            let _ = write!(out, "{}<mark class=\"{category}\" title=\"{}\">{}</mark>", escaped(before), escaped(rule), escaped(word));
            at = *to;
        }
        out.push_str(&escaped(text.get(at..).unwrap_or_default()));
        out
    }
}

const STYLE: &str = "body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}h1{font-size:1.2em}h2{font-size:1em;margin:1.5em 0 .3em}\
table{border-collapse:collapse}td{padding:.2em .6em;border-bottom:1px solid #ccc;vertical-align:top}td:first-child{text-align:right;white-space:nowrap}\
code{color:#555;font-size:.85em}pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f6f6f6;padding:1em;margin:0}\
mark{background:#ffe08a;padding:0 .15em}mark.spam{background:#ddd}mark.other{background:#cfe8ff}mark.phishing{background:#ffd0a8}mark.malware{background:#f4b6c2}\
mark.ddos{background:#d6c8f5}mark.data_misuse{background:#c9ecc5}mark.illegal_access{background:#f8c8a0}mark.vulnerability{background:#bfe6e6}";

/// For element content and quoted attributes; control and bidi characters are shown, not obeyed (ATTACKS M16).
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => out.extend(c.escape_unicode()),
            c if c.is_control() => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}
