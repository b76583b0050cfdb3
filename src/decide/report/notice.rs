//! The notice of a new ticket to the analysts: all that is needed to decide, and the files.

use super::{Origin, odd, said};
use crate::decide::letters::{self, list, text, words};
use crate::decide::work::Work;
use crate::decide::{Arrived, Desk, trust};
use crate::extract::document::FORM_IN_TEXT;
use crate::extract::indicator::beside_unicode;
use crate::mail::template::TemplateName;
use crate::model::Document;
use crate::model::effect::Effect;
use crate::model::letter::{ENCLOSURES_BYTES_MAX, ENCLOSURES_MAX, Enclosure};
use crate::model::ticket::{Priority, TicketNumber};
use crate::openpgp::open::Opened;
use crate::rules::explain::Explanation;

/// Of what would have changed the result a letter names so much; the timeline has all.
const TURNS_MAX: usize = 2;
/// New tickets within five minutes that are told one by one; those past them wait for a digest.
const NOTICES_APART: u32 = 10;
/// Critical tickets within five minutes that are told one by one all the same: a flood of others does not
/// hide them, and a flood that calls itself critical does not fill mailboxes.
const CRITICAL_APART: u32 = 10;

/// The attachments that go along with a notice, as far as a mailbox takes them; the list in its
/// text names all, and `ticket export` gives them. Files that were encrypted by themselves go along
/// opened, each as a file of its own: notices are sealed.
#[must_use]
pub fn enclosures(opened: &Opened) -> Vec<Enclosure> {
    let mut bytes = 0;
    let fits = |attachment: &&crate::mail::Attachment| {
        bytes += attachment.content.len();
        !attachment.is_layout && bytes <= ENCLOSURES_BYTES_MAX
    };
    opened.opened_files.iter().chain(&opened.mail.attachments).filter(fits).take(ENCLOSURES_MAX).map(enclosure).collect()
}

/// An attachment as something that can be sent on.
#[must_use]
pub fn enclosure(attachment: &crate::mail::Attachment) -> Enclosure {
    Enclosure {
        name: attachment.name.clone(),
        media_type: attachment.media_type.clone(),
        sha256: attachment.sha256.clone(),
        content: attachment.content.clone(),
    }
}

/// Tells every analyst of the new ticket, with all that is needed to decide.
pub(super) fn notice_new(
    (arrived, explained): (&Arrived<'_>, &Explanation),
    origin: &Origin,
    number: &TicketNumber,
    told: &str,
    attention: String,
    work: &mut Work<'_>,
) {
    let Some(ticket) = work.ticket(number).cloned() else { return };
    let counters = work.world.counters;
    let is_urgent = ticket.priority == Priority::Critical && counters.new_critical < CRITICAL_APART;
    // Whoever made the ticket with !angkat waits for what stands in it.
    if counters.new_tickets >= NOTICES_APART && !is_urgent && *origin != Origin::Promoted {
        let from = arrived.from().map_or("-", |from| from.as_str());
        // Of senders of whom nothing is known either way there are too many for a line each.
        let trust = (trust::level(arrived) != trust::UNCHECKED).then(|| trust::words(arrived, None, work));
        let attention: Vec<String> = trust.into_iter().chain([attention]).collect();
        let line = letters::new_line(&ticket, from, &attention.join("\n"), work);
        // Lines to copy: the answer to them brings all that a notice holds, and the files.
        let line = format!("{line}\n{}\n\n!tiket {number}\n!status", said::beginning(arrived, work.desk));
        work.effect(Effect::Crowd { ticket: number.clone(), line });
        return;
    }
    let mut fields = work.fields(Some(number));
    text(&mut fields, "from", arrived.from().map_or_else(String::new, ToString::to_string));
    text(&mut fields, "from_name", arrived.from_name());
    text(&mut fields, "subject", &ticket.subject);
    text(&mut fields, "language", arrived.told.language.word());
    text(&mut fields, "category", ticket.category.word());
    list(&mut fields, "category_reasons", reasons(explained, work.desk));
    text(&mut fields, "priority", ticket.priority.word());
    text(&mut fields, "tlp", ticket.tlp.map_or_else(String::new, crate::model::Tlp::label));
    list(&mut fields, "documents", words(&ticket.documents));
    list(&mut fields, "missing", words(&ticket.missing()));
    list(&mut fields, "evidence", evidence_lines(arrived, work));
    list(&mut fields, "indicators", indicator_lines(arrived));
    list(&mut fields, "attachments", attachment_lines(arrived.opened));
    text(&mut fields, "trust", trust::words(arrived, None, work));
    text(&mut fields, "acknowledgement", told);
    text(&mut fields, "text", said::whole(arrived, work.desk));
    list(&mut fields, "damage", odd::lines(arrived, work.desk));
    text(&mut fields, "other_ticket", attention);
    list(&mut fields, "commands", letters::commands(&["!petugas me", "!valid", "!analisis", "!lengkapi", "!balas", "!tolak", "!status"]));
    let enclosures = enclosures(arrived.opened);
    work.notify(number, TemplateName::NoticeNew, &fields, &enclosures, None);
}

/// Why the rules chose the category, and what would have changed it, a line each: what stands in `rules explain`, as
/// far as a letter has room.
#[must_use]
pub fn reasons(explained: &Explanation, desk: Desk<'_>) -> Vec<String> {
    let (language, templates) = (desk.policy.language, desk.templates);
    let turns = explained.turned_lines(language, templates).into_iter().take(TURNS_MAX);
    explained.reason_lines(language, templates).into_iter().chain(turns).collect()
}

/// By which set of rules the category was chosen, each of its rules that fired, what it added and the words that
/// it saw, and all that would have changed the result. For the timeline, where the mail may be read long after the
/// rules have changed.
pub(super) fn judged(explained: &Explanation, work: &Work<'_>) -> String {
    let (language, templates) = (work.desk.policy.language, work.desk.templates);
    let mut reasons = explained.reason_lines(language, templates);
    if reasons.is_empty() {
        reasons.push(work.desk.say("event.no_rule", &[]));
    }
    reasons.extend(explained.turned_lines(language, templates));
    work.desk.say("event.judged", &[("rules", &explained.assessment.rules_version), ("reasons", &reasons.join("; "))])
}

/// Indicators shown in one notice.
const INDICATOR_LINES_MAX: usize = 100;

/// Indicators for people's eyes: defanged, so that no mail program makes a link of what a victim clicked.
fn indicator_lines(arrived: &Arrived<'_>) -> Vec<String> {
    let found = &arrived.told.indicators;
    let kinds = [("urls", &found.urls), ("domains", &found.domains), ("ips", &found.ips), ("emails", &found.emails)];
    let kinds = kinds.into_iter().chain([("hashes", &found.hashes), ("cves", &found.cves)]);
    let all: Vec<_> = kinds.flat_map(|(kind, values)| values.iter().map(move |value| (kind, value))).collect();
    let mut lines = indicators(&all);
    // Past a hundred the list is evidence to be exported, not something to be read in a mail.
    let more = lines.len().saturating_sub(INDICATOR_LINES_MAX);
    if more > 0 {
        lines.truncate(INDICATOR_LINES_MAX);
        lines.push(format!("… (+{more})"));
    }
    lines
}

/// Indicators with the kind of each, for people's eyes.
#[must_use]
pub fn indicators<K: AsRef<str>, V: AsRef<str>>(all: &[(K, V)]) -> Vec<String> {
    let domains = all.iter().filter(|(kind, _)| kind.as_ref() == "domains").map(|(_, domain)| domain.as_ref());
    let mut domains = Some(beside_unicode(domains));
    let shown = |(kind, value): &(K, V)| match kind.as_ref() {
        "domains" => domains.take().unwrap_or_default().iter().map(|domain| defanged(domain)).collect(),
        "hashes" | "cves" => vec![value.as_ref().to_owned()],
        _ => vec![defanged(value.as_ref())],
    };
    all.iter().flat_map(shown).collect()
}

/// A link that no mail program makes one of.
#[must_use]
pub fn defanged(link: &str) -> String {
    link.replacen("http", "hxxp", 1).replace('.', "[.]")
}

/// A line for each attachment, and for each file that was opened by itself.
pub fn attachment_lines(opened: &Opened) -> impl Iterator<Item = String> + '_ {
    opened.mail.attachments.iter().chain(&opened.opened_files).map(attachment_line)
}

/// One line for people about an attachment.
fn attachment_line(attachment: &crate::mail::Attachment) -> String {
    let name = if attachment.name.is_empty() { "-" } else { &attachment.name };
    format!("{name} · {} · {} B · {}", attachment.media_type, attachment.content.len(), attachment.sha256)
}

/// `identity: foto KTP.jpg`, a line for each document that the mail brings: which attachment or which
/// words it was told by. The first word is the contract's; the template has it in the reader's language.
#[must_use]
pub fn evidence_lines(arrived: &Arrived<'_>, work: &Work<'_>) -> Vec<String> {
    let line = |(document, evidence): (&Document, &String)| {
        let told = if evidence == FORM_IN_TEXT { work.desk.say("notice.form_in_text", &[]) } else { super::one_line(evidence) };
        format!("{}: {told}", document.word())
    };
    arrived.evidence.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m15_a_domain_stands_once_with_both_of_its_forms_and_is_no_link() {
        let found = [
            ("domains", "p\u{430}ypal.com"),
            ("domains", "xn--pypal-4ve.com"),
            ("urls", "https://p\u{430}ypal.com/a"),
            ("cves", "CVE-2026-1"),
        ];
        let shown = indicators(&found);
        assert_eq!(shown, ["xn--pypal-4ve[.]com (p\u{430}ypal[.]com)", "hxxps://p\u{430}ypal[.]com/a", "CVE-2026-1"]);
    }
}
