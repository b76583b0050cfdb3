//! HTML to text by the html2text crate, with what is hidden from a reader's eye taken out first and
//! with the targets of links kept (ATTACKS M13). Nothing is ever fetched.

use super::body::TEXT_BYTES_MAX;
use super::part::Budget;
use super::{quote, text};
use html2text::config;
use html2text::render::{TaggedLine, TextDecorator};
use std::collections::BTreeSet;

/// HTML is read to here; the markup of office programs is some ten times its text.
pub const HTML_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Deeper nesting is stripped of its tags without being parsed: parsers slow down with the square
/// of the depth, and mail programs nest some fifty levels.
const DEPTH_MAX: usize = 512;
/// More tags than this: as for the depth.
const TAGS_MAX: usize = 200_000;
/// More link targets than this are not kept (M15).
pub const LINKS_MAX: usize = 5_000;
/// A link target is cut here (M15).
const LINK_BYTES_MAX: usize = 2_048;
/// Wide enough that no paragraph of a mail is broken: broken lines would look like quoted or signature lines.
const WIDTH: usize = 100_000;

/// What an HTML body says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Html {
    pub text: String,
    /// The targets of its links, unique, sorted.
    pub links: BTreeSet<String>,
}

/// Turns HTML to text.
#[must_use]
pub fn to_text(html: &str, budget: &mut Budget) -> Html {
    let end = html.floor_char_boundary(HTML_BYTES_MAX);
    if end < html.len() {
        budget.note("text-too-long", "the HTML was cut");
    }
    let html = html.get(..end).unwrap_or(html);
    let is_affordable = html.len() <= budget.html;
    budget.html = budget.html.saturating_sub(html.len());
    let rendered = if !is_affordable || is_wild(html) { None } else { render(html, budget) };
    let (text, links) = match rendered {
        Some(rendered) => rendered,
        None => {
            budget.note("wild-html", "too deep, too broken or too much to be parsed; its tags were taken off");
            (strip(html), BTreeSet::new())
        }
    };
    let mut text = marked_signatures(&tidy(&text));
    text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
    let links = without_signatures(links, &text);
    Html { text, links }
}

/// Stands alone in a line before and after what a mail program calls a signature; of the private use area.
const SIGNATURE_BEGINS: &str = "\u{f8f0}";
const SIGNATURE_ENDS: &str = "\u{f8f1}";

/// What mail programs call a signature, where nothing but a quotation follows it, gets the mark of one; what
/// somebody wrote in or under it is text.
fn marked_signatures(text: &str) -> String {
    if !text.contains([SIGNATURE_BEGINS, SIGNATURE_ENDS].map(|mark| mark.chars().next().unwrap_or_default())) {
        return text.to_owned();
    }
    let lines: Vec<&str> = text.lines().collect();
    let is_mark = |line: &str| matches!(line.trim(), SIGNATURE_BEGINS | SIGNATURE_ENDS);
    // Of several the last counts: what follows an earlier one is text.
    let begins = lines.iter().rposition(|line| line.trim() == SIGNATURE_BEGINS);
    let ends = lines.iter().rposition(|line| line.trim() == SIGNATURE_ENDS).map_or(lines.len(), |at| at + 1);
    let follows = (ends..lines.len()).find(|at| lines.get(*at).is_some_and(|line| !line.trim().is_empty() && !is_mark(line)));
    let is_last = follows.is_none_or(|at| lines.get(at).is_some_and(|line| quote::is_quoted(line)) || quote::mark_at(&lines, at).is_some());
    let has_text =
        |to: usize| lines.iter().take(to).any(|line| !line.trim().is_empty() && !is_mark(line) && !quote::is_signature_mark(line));
    let mut out = String::with_capacity(text.len());
    for (at, line) in lines.iter().enumerate() {
        match is_mark(line) {
            true if Some(at) == begins && is_last && has_text(at) => out.push_str("-- \n"),
            true => {}
            false => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    tidy(&out)
}

/// Takes away the links that the text shows in signatures and legal boilerplate alone.
fn without_signatures(mut links: BTreeSet<String>, text: &str) -> BTreeSet<String> {
    if links.is_empty() {
        return links;
    }
    let apart = text::tell_apart(text);
    let quoted = text::without_signatures(&apart.quoted);
    let shown = |text: &str, into: &mut BTreeSet<String>| {
        into.extend(text.split('<').skip(1).filter_map(|rest| Some(rest.split_once('>')?.0.to_owned())));
    };
    let (mut all, mut kept) = (BTreeSet::new(), BTreeSet::new());
    shown(text, &mut all);
    shown(&apart.new, &mut kept);
    shown(&quoted, &mut kept);
    links.retain(|link| kept.contains(link) || !all.contains(link));
    links
}

/// Whether parsing would cost too much: counted over the tags, before any tree is made.
fn is_wild(html: &str) -> bool {
    let (mut depth, mut tags) = (0_usize, 0_usize);
    let mut bytes = html.as_bytes();
    while let Some(at) = memchr::memchr(b'<', bytes) {
        bytes = bytes.get(at + 1..).unwrap_or_default();
        match bytes.first() {
            Some(b'/') => depth = depth.saturating_sub(1),
            Some(first) if first.is_ascii_alphabetic() => {
                let name_len = bytes.iter().take(12).take_while(|byte| byte.is_ascii_alphanumeric()).count();
                let name = bytes.get(..name_len).unwrap_or_default().to_ascii_lowercase();
                // These never hold anything, and an open paragraph or cell is closed by the next one.
                let is_void = matches!(
                    name.as_slice(),
                    b"br"
                        | b"img"
                        | b"hr"
                        | b"meta"
                        | b"link"
                        | b"input"
                        | b"col"
                        | b"area"
                        | b"base"
                        | b"wbr"
                        | b"p"
                        | b"li"
                        | b"td"
                        | b"tr"
                        | b"th"
                );
                if !is_void {
                    depth += 1;
                }
            }
            _ => continue,
        }
        tags += 1;
        if depth > DEPTH_MAX || tags > TAGS_MAX {
            return true;
        }
    }
    false
}

fn render(html: &str, budget: &mut Budget) -> Option<(String, BTreeSet<String>)> {
    let config = config::with_decorator(Plain::default()).raw_mode(true).no_link_wrapping().allow_width_overflow().link_footnotes(false);
    // The parser is other people's code over a stranger's bytes: a panic there is a finding.
    let outcome = std::panic::catch_unwind(|| {
        let dom = config.parse_html(html.as_bytes()).ok()?;
        // The trees that the marks are taken from must live as long as the one that they stand in: a tree that
        // ends takes its nodes apart.
        let marks = [SIGNATURE_BEGINS, SIGNATURE_ENDS].map(|mark| config.parse_html(format!("<p>{mark}</p>").as_bytes()).ok());
        let (links, hidden) = prune(&dom.document, &marks.each_ref().map(|mark| mark.as_ref().and_then(|mark| paragraph(&mark.document))));
        let tree = config.dom_to_render_tree(&dom).ok()?;
        config.render_to_string(tree, WIDTH).ok().map(|text| (text, links, hidden))
    });
    let (text, links, hidden) = outcome.ok().flatten()?;
    if hidden > 0 {
        budget.note("hidden-text", &format!("{hidden} hidden elements were left out"));
    }
    Some((text, links))
}

/// Takes hidden elements out of the tree and gathers the link targets of the rest. The tree is
/// walked with a list, not by recursion.
/// `marks` stand before and after signatures from then on.
fn prune(document: &html2text::Handle, marks: &[Option<html2text::Handle>; 2]) -> (BTreeSet<String>, usize) {
    let (mut links, mut hidden) = (BTreeSet::new(), 0);
    let mut open = vec![document.clone()];
    while let Some(node) = open.pop() {
        let mut children = node.children.borrow_mut();
        // The title of a page is no part of it.
        children.retain(|child| !matches!(&child.data, html2text::Element { name, .. } if &*name.local == "title"));
        let before = children.len();
        children.retain(|child| !is_hidden(child));
        hidden += before - children.len();
        for child in children.iter() {
            if let html2text::Element { ref attrs, .. } = child.data {
                for attribute in attrs.borrow().iter() {
                    if matches!(&*attribute.name.local, "href" | "action" | "formaction") && links.len() < LINKS_MAX {
                        let target: String = attribute.value.trim().chars().take(LINK_BYTES_MAX).collect();
                        if is_link(&target) {
                            links.insert(target);
                        }
                    }
                }
            }
            open.push(child.clone());
        }
        if let [Some(begins), Some(ends)] = marks
            && let Some(first) = children.iter().position(is_signature)
        {
            let last = children.iter().rposition(is_signature).unwrap_or(first);
            children.insert(last + 1, ends.clone());
            children.insert(first, begins.clone());
        }
    }
    (links, hidden)
}

/// The paragraph of a page that holds one.
fn paragraph(document: &html2text::Handle) -> Option<html2text::Handle> {
    let mut open = vec![document.clone()];
    while let Some(node) = open.pop() {
        if matches!(&node.data, html2text::Element { name, .. } if &*name.local == "p") {
            return Some(node);
        }
        open.extend(node.children.borrow().iter().cloned());
    }
    None
}

/// Whether a mail program marked this element as the signature: Gmail, Thunderbird, Outlook, Apple Mail,
/// Yahoo, Zimbra, Proton Mail, Roundcube.
fn is_signature(node: &html2text::Handle) -> bool {
    const NAMES: &[&str] = &[
        "gmail_signature",
        "moz-signature",
        "signature",
        "ms-outlook-mobile-signature",
        "applemailsignature",
        "yahoo_signature",
        "__sig_pre__",
        "__sig_post__",
        "protonmail_signature_block",
        "_rc_sig",
    ];
    let html2text::Element { ref attrs, .. } = node.data else { return false };
    attrs.borrow().iter().any(|attribute| {
        let is_name = |name: &str| {
            let lower = name.to_ascii_lowercase();
            // Clients put their own letters before the names of those that they quote.
            NAMES.contains(&lower.strip_prefix("x_").unwrap_or(&lower))
        };
        matches!(&*attribute.name.local, "class" | "id" | "data-marker") && attribute.value.split_ascii_whitespace().take(8).any(is_name)
    })
}

fn is_link(target: &str) -> bool {
    let lower: String = target.chars().take(8).collect::<String>().to_ascii_lowercase();
    ["http:", "https:", "hxxp", "ftp:", "//"].iter().any(|scheme| lower.starts_with(scheme))
}

/// Whether a reader would not see this element: by attribute or inline style.
fn is_hidden(node: &html2text::Handle) -> bool {
    let html2text::Element { ref name, ref attrs, .. } = node.data else { return false };
    if matches!(&*name.local, "script" | "style" | "template" | "noscript" | "title" | "svg" | "math" | "object" | "head") {
        return false;
    }
    attrs.borrow().iter().any(|attribute| match &*attribute.name.local {
        "hidden" => true,
        "style" => {
            let style: String = attribute.value.chars().take(4_096).filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase();
            let is_cut_off = || {
                let has = |wanted: &str, is_so: &dyn Fn(&str) -> bool| {
                    style
                        .split(';')
                        .filter_map(|declaration| declaration.split_once(':'))
                        .any(|(property, value)| property == wanted && is_so(value))
                };
                has("overflow", &|value| value == "hidden") && (has("height", &is_zero) || has("width", &is_zero))
            };
            style.split(';').any(hides) || is_cut_off()
        }
        _ => false,
    })
}

/// One declaration, without white space, lower case.
fn hides(declaration: &str) -> bool {
    let declaration = declaration.trim_end_matches("!important");
    let Some((property, value)) = declaration.split_once(':') else { return false };
    // White on white is left alone: replies from a dark screen bring their white letters along.
    match property {
        "display" => value == "none",
        "visibility" => matches!(value, "hidden" | "collapse"),
        "font-size" => number(value).is_some_and(|n| n <= if value.ends_with("px") || value.ends_with("pt") { 1.0 } else { 0.0 }),
        "opacity" | "max-height" | "max-width" => is_zero(value),
        // Moved out of every screen.
        "left" | "top" | "margin-left" | "margin-top" | "text-indent" => number(value).is_some_and(|n| n <= -999.0),
        "clip" => value.starts_with("rect(0,0,0,0") || value.starts_with("rect(0px,0px,0px,0px") || value.starts_with("rect(000"),
        "mso-hide" => value == "all",
        _ => false,
    }
}

/// The number before a unit.
fn number(value: &str) -> Option<f32> {
    value.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%').parse().ok()
}

fn is_zero(value: &str) -> bool {
    number(value).is_some_and(|n| n == 0.0)
}

/// The tags taken off by hand, for what is too wild to parse.
fn strip(html: &str) -> String {
    let mut out = String::with_capacity(html.len() / 2);
    let mut rest = html;
    while let Some((text, tag)) = rest.split_once('<') {
        out.push_str(text);
        let Some((tag, after)) = tag.split_once('>') else { return out };
        let name: String = tag.chars().take(6).collect::<String>().to_ascii_lowercase();
        rest = after;
        for skipped in ["script", "style"] {
            if name.starts_with(skipped) {
                let end = format!("</{skipped}");
                rest = after.split_once(end.as_str()).map_or("", |(_, rest)| rest.split_once('>').map_or("", |(_, rest)| rest));
            }
        }
        if ["br", "p", "/p", "div", "/div", "tr", "/tr", "li"].contains(&name.split([' ', '/']).next().unwrap_or_default()) {
            out.push('\n');
        }
    }
    out.push_str(rest);
    out.replace("&nbsp;", " ").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// Trailing blanks off, no-break spaces as spaces, never more than one empty line.
fn tidy(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut empty = 1;
    for line in text.lines() {
        let line = line.replace(['\u{a0}', '\u{200b}', '\u{200c}', '\u{feff}', '\u{ad}'], " ");
        // A signature mark is the one line whose trailing blank means something.
        let line = if line.trim_end() == "--" { "-- " } else { line.trim_end() };
        empty = if line.is_empty() { empty + 1 } else { 0 };
        if empty <= 1 {
            out.push_str(line);
            out.push('\n');
        }
    }
    out.truncate(out.trim_end_matches(['\n', ' ']).len());
    out.push('\n');
    out
}

/// Text as a person would type it: no marks for emphasis, `> ` for quotations, link targets beside
/// the words that hide them.
#[derive(Debug, Clone, Default)]
struct Plain {
    targets: Vec<String>,
}

impl TextDecorator for Plain {
    type Annotation = ();

    fn decorate_link_start(&mut self, url: &str) -> (String, ()) {
        self.targets.push(url.trim().chars().take(LINK_BYTES_MAX).collect());
        (String::new(), ())
    }
    fn decorate_link_end(&mut self) -> String {
        self.targets.pop().filter(|url| is_link(url)).map_or_else(String::new, |url| format!(" <{url}>"))
    }
    fn decorate_em_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_em_end(&self) -> String {
        String::new()
    }
    fn decorate_strong_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_strong_end(&self) -> String {
        String::new()
    }
    fn decorate_strikeout_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_strikeout_end(&self) -> String {
        String::new()
    }
    fn decorate_code_start(&self) -> (String, ()) {
        (String::new(), ())
    }
    fn decorate_code_end(&self) -> String {
        String::new()
    }
    fn decorate_preformat_first(&self) {}
    fn decorate_preformat_cont(&self) {}
    fn decorate_image(&mut self, _src: &str, title: &str) -> (String, ()) {
        (title.to_owned(), ())
    }
    fn header_prefix(&self, _level: usize) -> String {
        String::new()
    }
    fn quote_prefix(&self) -> String {
        "> ".to_owned()
    }
    fn unordered_item_prefix(&self) -> String {
        "- ".to_owned()
    }
    fn ordered_item_prefix(&self, i: i64) -> String {
        format!("{i}. ")
    }
    fn make_subblock_decorator(&self) -> Self {
        Self::default()
    }
    fn finalise(&mut self, _urls: Vec<String>) -> Vec<TaggedLine<()>> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::text::tell_apart;

    #[test]
    fn what_nobody_sees_is_no_text() {
        for style in [
            "display:none",
            "font-size: 1px",
            "font-size:0",
            "height:0;overflow:hidden",
            "position:absolute;left:-9999px",
            "text-indent:-9999px",
            "position:absolute; clip: rect(0 0 0 0)",
            "clip:rect(0,0,0,0)",
        ] {
            let mut budget = Budget::default();
            let html = format!("<p>Situs kami diretas.</p><div style=\"{style}\">slot gacor</div>");
            assert_eq!(to_text(&html, &mut budget).text.trim(), "Situs kami diretas.", "{style}");
            assert!(budget.damage.iter().any(|damage| damage.code == "hidden-text"), "{style}");
        }
        for style in ["color:#fff", "font-size:11px", "font-size:0.9em", "height:0", "left:-10px", "overflow:hidden;height:20px"] {
            let html = format!("<title>judul</title><p style=\"{style}\">Situs kami diretas.</p>");
            assert_eq!(to_text(&html, &mut Budget::default()).text.trim(), "Situs kami diretas.", "{style}");
        }
    }

    #[test]
    fn links_of_signatures_and_disclaimers_alone_are_left_out() {
        let bad = "<a href='https://jahat.example/a'>ini</a>";
        let own = "<a href='https://dinas.example/x'>kami</a>";
        for (html, new) in [
            (format!("<p>Palsu {bad}</p><div>-- <br>Budi<br>{own}</div>"), "Palsu ini <https://jahat.example/a>"),
            (
                format!("<div>Palsu {bad}</div><div class='gmail_signature' dir='ltr'>Budi<br>{own}</div>"),
                "Palsu ini <https://jahat.example/a>",
            ),
            (
                format!(
                    "<div>Palsu {bad}</div><span class='gmail_signature_prefix'>-- </span><br><div class='gmail_signature'>Budi {own}</div>"
                ),
                "Palsu ini <https://jahat.example/a>",
            ),
            (
                format!(
                    "<div>Palsu {bad}</div><div id='Signature'><p>Budi</p><p>{own}</p></div><hr><div><b>From:</b> P &lt;a@b.test&gt;<br><b>Sent:</b> Rabu<br><b>To:</b> X<br><b>Subject:</b> Y</div><p>Lama</p>"
                ),
                "Palsu ini <https://jahat.example/a>",
            ),
            (
                format!("<p>Palsu {bad}</p><hr><p>This e-mail is confidential. If you are not the intended recipient delete it. {own}</p>"),
                "Palsu ini <https://jahat.example/a>",
            ),
        ] {
            let read = to_text(&html, &mut Budget::default());
            assert_eq!(tell_apart(&read.text).new, new, "{html}");
            assert_eq!(read.links.iter().collect::<Vec<_>>(), ["https://jahat.example/a"], "{html}");
        }
        // What is written under a signature, and a mail that is nothing else, is text.
        for html in [
            format!("<div class='gmail_signature'>Budi {own}</div><p>Situs kami diretas.</p>"),
            format!("<div class='moz-signature'>Situs {own} diretas.</div>"),
        ] {
            let read = to_text(&html, &mut Budget::default());
            let new = tell_apart(&read.text).new;
            assert!(new.contains("diretas") && new.contains("kami") && !new.contains('\u{f8f0}') && read.links.len() == 1, "{new}");
        }
    }

    #[test]
    fn what_html_clients_quote_is_told_from_what_is_new() {
        for html in [
            "<div dir=\"ltr\">Baru.</div><br><div class=\"gmail_quote\"><div class=\"gmail_attr\">Pada Sel, 3 Mar 2026 pukul 09.41 Pusat &lt;<a href=\"mailto:a@b.test\">a@b.test</a>&gt; menulis:<br></div><blockquote>Lama.<br>Dua.</blockquote></div>",
            "<div><p>Baru.</p></div><div id=\"divRplyFwdMsg\"><hr><b>From:</b> Pusat &lt;a@b.test&gt;<br><b>Sent:</b> Tuesday<br><b>To:</b> Siti<br><b>Subject:</b> x</div><p>Lama.</p>",
            "<body>Baru.<div>Dikirim dari iPhone saya</div><div><br><blockquote type=\"cite\">Pada 3 Mar 2026, pukul 09.41, Pusat &lt;a@b.test&gt; menulis:<br><br></blockquote></div><blockquote type=\"cite\">Lama.</blockquote></body>",
        ] {
            let text = to_text(html, &mut Budget::default()).text;
            assert_eq!(tell_apart(&text).new, "Baru.", "{text}");
        }
    }
}
