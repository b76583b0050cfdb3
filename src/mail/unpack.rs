//! What the files of a mail hold: the text of letters and tables, and what Outlook packed up. The
//! files are read in `extract::file`; here it is decided what becomes of what was found.

use super::body;
use super::part::Budget;
use super::{Attachment, Mail, html, read, text};
use crate::extract::file::{self, Enclosed, Inside, Sort};
use crate::model::Damage;

/// Takes the text out of letters and tables, first things first, until the limits are reached; puts
/// the attachments of a `winmail.dat` in its place.
pub(super) fn fill(mail: &mut Mail, budget: &mut Budget) {
    let found = std::mem::take(&mut mail.attachments);
    for mut attachment in found {
        if attachment.is_layout || attachment.text.is_some() {
            mail.attachments.push(attachment);
            continue;
        }
        let Some(inside) = look_into(&attachment.name, &attachment.media_type, &attachment.content, budget) else {
            if is_winmail(&attachment) {
                budget.note("tnef", "winmail.dat is kept whole; what is inside is not listed");
            }
            mail.attachments.push(attachment);
            continue;
        };
        if is_winmail(&attachment) {
            unpack_winmail(mail, attachment, inside, budget);
        } else {
            attachment.text = read::afforded(with_files(inside, 1, budget), budget);
            mail.attachments.push(attachment);
        }
    }
}

/// The text of a file inside an attached message.
pub(super) fn text_of(name: &str, media_type: &str, content: &[u8], nested: usize, budget: &mut Budget) -> Option<String> {
    look_into(name, media_type, content, budget).map(|inside| with_files(inside, nested + 1, budget))
}

impl Mail {
    /// The body of a `winmail.dat` that says something else than the mail's own text; empty where there is none.
    #[must_use]
    pub fn packed_text(&self) -> String {
        let texts = self.attachments.iter().filter(|file| is_winmail(file)).filter_map(|file| file.text.as_deref());
        texts.map(|text| text::tell_apart(&body::clean(text)).new).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n")
    }
}

fn is_winmail(attachment: &Attachment) -> bool {
    file::sort_of(&attachment.name, &attachment.media_type, &attachment.content) == Some(Sort::Tnef)
}

/// What a file holds; what went wrong is a finding on it.
fn look_into(name: &str, media_type: &str, content: &[u8], budget: &mut Budget) -> Option<Inside> {
    let (inside, finding) = file::inside(name, media_type, content, &mut budget.files);
    if let Some(finding) = finding {
        budget.damage.push(Damage::new(finding.code, format!("{name}: {}", finding.detail)));
    }
    inside
}

/// The text of a file and of what it packs up, one after the other: an Outlook message.
fn with_files(inside: Inside, nested: usize, budget: &mut Budget) -> String {
    let mut text = inside.text;
    for (at, file) in inside.files.iter().enumerate() {
        let attachment = attachment_of(file, at + 1, nested, budget);
        text.push_str(&format!("\n[{}]\n{}", attachment.name, attachment.text.unwrap_or_default()));
    }
    text.truncate(text.floor_char_boundary(body::TEXT_BYTES_MAX));
    text
}

fn attachment_of(file: &Enclosed, number: usize, nested: usize, budget: &mut Budget) -> Attachment {
    read::attachment_of(&file.name, &file.media_type, &file.content, number, nested, budget)
}

/// The attachments of a `winmail.dat` become the mail's; its body does where the mail has none.
fn unpack_winmail(mail: &mut Mail, mut winmail: Attachment, mut inside: Inside, budget: &mut Budget) {
    let whole = if inside.is_partial { "; it is broken or holds more, and is kept whole as well" } else { "" };
    budget.note("tnef", &format!("winmail.dat was unpacked: {} files{whole}", inside.files.len()));
    let is_blank = mail.text.full.trim().is_empty();
    if inside.text.trim().is_empty()
        && let Some(at) = inside.files.iter().position(|file| file.name == "body.html" && file.media_type == "text/html")
    {
        let source = body::decode_charset(&inside.files.remove(at).content, None, budget);
        let html = html::to_text(&source, budget);
        inside.text = html.text;
        mail.links.extend(html.links);
        mail.is_html_only = mail.is_html_only || is_blank;
    }
    let says_else = !is_blank && !is_same(&mail.text.full, &inside.text);
    if is_blank {
        mail.text = text::tell_apart(&body::clean(&inside.text));
    } else if says_else {
        // Two readings of one mail: both are kept (ATTACKS 1.4).
        budget.note("ambiguous-mime", "the body in winmail.dat says something else");
        winmail.text = read::afforded(std::mem::take(&mut inside.text), budget);
    }
    if says_else || inside.is_partial {
        mail.attachments.push(winmail);
    }
    for file in &inside.files {
        let mut attachment = attachment_of(file, mail.attachments.len() + 1, 0, budget);
        if attachment.text.is_none() && !is_winmail(&attachment) {
            attachment.text = look_into(&attachment.name, &attachment.media_type, &attachment.content, budget)
                .map(|inside| with_files(inside, 1, budget))
                .and_then(|text| read::afforded(text, budget));
        }
        mail.attachments.push(attachment);
    }
}

/// Whether the second text says nothing that the first does not: letters and digits alone count.
fn is_same(first: &str, second: &str) -> bool {
    let bare = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    bare(first).contains(&bare(second))
}
