//! What a mail tells by itself, before anybody judges it: its kind, language and mark, its indicators,
//! the machine formats in it. Made once for a mail, for the rules and for the decision alike; no rule
//! changes anything of it.

use super::Mail;
use super::kind::{self, House, Recognised};
use super::results::Dmarc;
use super::text;
use crate::extract::indicator::Collector;
use crate::extract::{language, mark};
use crate::model::effect::{Indicators, MailKind};
use crate::model::{Language, Tlp};
use std::collections::BTreeSet;

/// What a mail tells by itself.
#[derive(Debug, Clone)]
pub struct Told {
    /// Its kind, with the reason, and whether it may be answered.
    pub recognised: Recognised,
    /// The language of what the sender newly wrote.
    pub language: Language,
    /// The most restrictive mark that the sender stated.
    pub tlp: Option<Tlp>,
    pub indicators: Indicators,
    /// How many more indicators there were than are kept.
    pub indicators_dropped: usize,
    /// Hosts that mix scripts inside a label (ATTACKS M15).
    pub mixed_script: BTreeSet<String>,
    /// Machine formats among the parts: `xarf`, `feedback_report`.
    pub formats: Vec<&'static str>,
}

/// What a mail tells to this centre. Pure, and never fails.
#[must_use]
pub fn tell(mail: &Mail, house: &House) -> Told {
    let recognised = kind::recognise(mail, house);
    let collector = Collector::new(Some(house.center.domain())).of_newsletter(recognised.kind == MailKind::List);
    let collected = collected(mail, collector);
    Told {
        recognised,
        language: language::of_message(&mail.subject, &mail.text.new),
        tlp: mark::tlp_stated(&mail.subject, &mail.text.new, mail.stated_in_files()),
        indicators: collected.found,
        indicators_dropped: collected.dropped,
        mixed_script: collected.mixed_script,
        formats: formats(mail),
    }
}

impl Told {
    /// The DMARC result that our own server wrote (contract 2 `authserv_id`), in the words of rule files;
    /// nobody else is believed.
    #[must_use]
    pub const fn dmarc(&self) -> &'static str {
        match self.recognised.dmarc {
            Dmarc::Fail => "fail",
            Dmarc::Pass => "pass",
            Dmarc::None | Dmarc::Unchecked => "none",
        }
    }
}

/// Machine formats among the parts.
fn formats(mail: &Mail) -> Vec<&'static str> {
    let mut formats = Vec::new();
    let is_type = |wanted: &str| mail.attachments.iter().any(|attachment| attachment.media_type == wanted);
    let says = |wanted: &str| mail.attachments.iter().filter_map(|attachment| attachment.text.as_deref()).any(|text| text.contains(wanted));
    if is_type("application/x-xarf")
        || says("xarf_version")
        || says("Schema-URL:")
        || says("XARF")
        || mail.header_values("X-XARF").next().is_some()
    {
        formats.push("xarf");
    }
    // RFC 5965 §3.
    if is_type("message/feedback-report") || mail.report_type.as_deref() == Some("feedback-report") {
        formats.push("feedback_report");
    }
    formats
}

/// The indicators of a mail: of what the sender wrote, of what is quoted, and of readable attachments,
/// signatures left out.
fn collected(mail: &Mail, mut collector: Collector) -> Collector {
    collector.read(&mail.subject);
    collector.read(&mail.text.new);
    collector.read(&text::without_signatures(&mail.text.quoted));
    for attachment in &mail.attachments {
        collector.read(attachment.text.as_deref().unwrap_or_default());
    }
    for link in &mail.links {
        collector.link(link);
    }
    collector
}
