//! Which templates there are and which fields each is given: the one table that code, check and
//! `templates/README.md` go by.

use crate::model::words;
use std::collections::BTreeMap;

words! {
    /// A letter's template; the word is the name of its file.
    TemplateName {
        // To reporters.
        Acknowledgement = "acknowledgement",
        Request = "request",
        Reply = "reply",
        Analysis = "analysis",
        Rejection = "rejection",
        Closing = "closing",
        Survey = "survey",
        SurveyAgain = "survey_again",
        Reminder = "reminder",
        CannotDecrypt = "cannot_decrypt",
        // To analysts and chiefs.
        NoticeNew = "notice_new",
        NoticeFollowup = "notice_followup",
        NoticeEvent = "notice_event",
        NoticeApproval = "notice_approval",
        Receipt = "receipt",
        Refusal = "refusal",
        RefusalSummary = "refusal_summary",
        Status = "status",
        Help = "help",
        Digest = "digest",
        DigestNew = "digest_new",
        Alarm = "alarm",
        Report = "report",
        // To stakeholders.
        Dissemination = "dissemination",
        DisseminationReminder = "dissemination_reminder",
        CertificateEnds = "certificate_ends",
        KeyAnnouncement = "key_announcement",
    }
}

/// What kind of value a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Text,
    List,
    Flag,
    Number,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    Text(String),
    List(Vec<String>),
    Flag(bool),
    Number(i64),
}

/// The values for one letter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(BTreeMap<&'static str, Field>);

impl Fields {
    /// No values yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more text.
    #[must_use]
    pub fn text(self, name: &'static str, text: impl Into<String>) -> Self {
        self.with(name, Field::Text(text.into()))
    }

    /// With one more list.
    #[must_use]
    pub fn list(self, name: &'static str, lines: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.with(name, Field::List(lines.into_iter().map(Into::into).collect()))
    }

    /// With one more flag.
    #[must_use]
    pub fn flag(self, name: &'static str, flag: bool) -> Self {
        self.with(name, Field::Flag(flag))
    }

    /// With one more number.
    #[must_use]
    pub fn number(self, name: &'static str, number: i64) -> Self {
        self.with(name, Field::Number(number))
    }

    /// With one more value.
    #[must_use]
    pub fn with(mut self, name: &'static str, field: Field) -> Self {
        self.0.insert(name, field);
        self
    }

    /// The value of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Field> {
        self.0.get(name)
    }

    /// The names that were given.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }

    /// The text of that name, else nothing.
    pub(super) fn text_of(&self, name: &str) -> &str {
        match self.get(name) {
            Some(Field::Text(text)) => text,
            _ => "",
        }
    }
}

/// Given to every template; number and tag are empty where no ticket is concerned.
const COMMON: &[(&str, Shape)] = &[
    ("center_name", Shape::Text),
    ("center_address", Shape::Text),
    ("number", Shape::Text),
    ("tag", Shape::Text),
    // The terms of the service standard, as `[sla]` sets them.
    ("verification_hours", Shape::Number),
    ("analysis_hours", Shape::Number),
    ("in_working_hours", Shape::Flag),
];

impl TemplateName {
    /// The declared fields, the common ones first.
    pub fn fields(self) -> impl Iterator<Item = (&'static str, Shape)> {
        COMMON.iter().chain(self.own_fields()).copied()
    }

    const fn own_fields(self) -> &'static [(&'static str, Shape)] {
        use Shape::{Flag, List, Number, Text};
        match self {
            Self::Acknowledgement => &[("missing", List), ("has_missing", Flag), ("is_hidden", Flag)],
            Self::Request => &[("missing", List), ("text", Text)],
            Self::Reply | Self::Analysis | Self::Rejection => &[("text", Text)],
            Self::Closing | Self::Survey | Self::SurveyAgain | Self::CannotDecrypt => &[],
            Self::Reminder => &[("missing", List), ("days", Number)],
            Self::KeyAnnouncement => &[("fingerprint", Text), ("ends", Text)],
            Self::NoticeNew => &[
                ("from", Text),
                ("from_name", Text),
                ("subject", Text),
                ("language", Text),
                ("category", Text),
                ("category_reasons", List),
                ("priority", Text),
                ("tlp", Text),
                ("documents", List),
                ("evidence", List),
                ("missing", List),
                ("indicators", List),
                ("attachments", List),
                ("trust", Text),
                ("acknowledgement", Text),
                ("text", Text),
                ("damage", List),
                ("commands", List),
                ("other_ticket", Text),
            ],
            Self::NoticeFollowup => &[
                ("from", Text),
                ("subject", Text),
                ("text", Text),
                ("documents", List),
                ("evidence", List),
                ("missing", List),
                ("attachments", List),
                ("trust", Text),
                ("attention", Text),
                ("state", Text),
                ("form", List),
                ("clock", Text),
                ("commands", List),
            ],
            Self::NoticeEvent => &[("what", Text), ("facts", List), ("text", Text), ("commands", List)],
            Self::NoticeApproval => &[
                ("dissemination", Text),
                ("mark", Text),
                ("author", Text),
                ("text", Text),
                ("subject", Text),
                ("recipients", List),
                ("held", List),
                ("expiring", List),
                ("warnings", List),
                ("attachments", List),
                ("manifest", Text),
                ("code", Text),
                ("commands", List),
            ],
            Self::Receipt => &[
                ("results", List),
                ("is_refused", Flag),
                ("state", Text),
                ("next", List),
                ("sent", List),
                ("proposed", List),
                ("outer_differs", Text),
            ],
            Self::Refusal => &[("reasons", List), ("seen", Text), ("dated", Text)],
            Self::RefusalSummary => &[("count", Number)],
            Self::Status => &[
                ("heading", Text),
                ("facts", List),
                ("category_reasons", List),
                ("damage", List),
                ("indicators", List),
                ("messages", List),
                ("quoted", Text),
                ("attachments", List),
                ("timeline", List),
                ("recipients", List),
            ],
            Self::Help => &[("commands", List)],
            Self::Digest => &[("lines", List), ("quarantine", List)],
            Self::DigestNew => &[("lines", List)],
            Self::Alarm => &[("what", Text), ("facts", List)],
            Self::Report => &[
                ("title", Text),
                ("period", Text),
                ("generated_at", Text),
                ("opened", Number),
                ("closed", Number),
                ("to_decide", Number),
                ("decisions", List),
                ("numbers", List),
                ("terms", List),
                ("missed", List),
                ("states", List),
                ("categories", List),
                ("channels", List),
                ("disseminations", List),
                ("survey", List),
                ("mail", List),
                ("audit", Text),
            ],
            Self::Dissemination => &[("label", Text), ("subject", Text), ("text", Text), ("dissemination", Text), ("ask", Text)],
            Self::DisseminationReminder => &[("dissemination", Text), ("label", Text), ("sent_at", Text)],
            Self::CertificateEnds => &[("fingerprint", Text), ("ends", Text), ("days", Number)],
        }
    }

    /// Whether the letter goes to an analyst or a chief, who may answer it with commands.
    #[must_use]
    pub const fn is_to_analysts(self) -> bool {
        matches!(
            self,
            Self::NoticeNew
                | Self::NoticeFollowup
                | Self::NoticeEvent
                | Self::NoticeApproval
                | Self::Receipt
                | Self::Refusal
                | Self::RefusalSummary
                | Self::Status
                | Self::Help
                | Self::Digest
                | Self::DigestNew
                | Self::Alarm
                | Self::Report
        )
    }

    /// Whether the letter can belong to no ticket, so that its subject needs no tag.
    #[must_use]
    pub const fn may_lack_ticket(self) -> bool {
        matches!(self, Self::RefusalSummary | Self::Help | Self::Digest | Self::DigestNew | Self::Alarm | Self::Report)
    }
}
