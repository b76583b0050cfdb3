//! The chief's report (contract 10): when one is due, and the letter that brings it as text, as a
//! page and as JSON. The figures are reckoned in `figures`; each period is told once.

use super::Desk;
use super::letters;
use super::work::{DAEMON, Work};
use crate::figures;
use crate::mail::template::{Fields, TemplateName};
use crate::model::effect::{Decision, Effect};
use crate::model::ledger::{Ledger, Period, Wanted};
use crate::model::letter::{Enclosure, Letter, LetterKind};
use crate::model::policy::{Person, Policy};
use crate::model::snapshot::{Question, Snapshot};
use crate::model::ticket::AtReporter;
use crate::model::{Address, Sha256};
use jiff::civil::{Date, Weekday};
use jiff::{Timestamp, ToSpan as _};

/// The minute of the day of a weekly report where no daily one names another: 07:00.
const HOUR_OF_REPORTS: u16 = 7 * 60;

/// One report: its kind and the day on whose morning it is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Issue {
    /// Tells of the day before.
    Daily(Date),
    /// Tells of the seven days before.
    Weekly(Date),
}

impl Issue {
    const fn word(self) -> &'static str {
        match self {
            Self::Daily(_) => "daily",
            Self::Weekly(_) => "weekly",
        }
    }

    const fn day(self) -> Date {
        match self {
            Self::Daily(day) | Self::Weekly(day) => day,
        }
    }

    /// The days that it tells of.
    #[must_use]
    pub fn period(self) -> Option<Period> {
        let last = self.day().yesterday().ok()?;
        match self {
            Self::Daily(_) => Period::day(last),
            Self::Weekly(_) => Period::new(last.checked_sub(6.days()).ok()?, last),
        }
    }

    /// The name under which logs and the audit know it.
    #[must_use]
    pub fn name(self) -> String {
        format!("report {} {}", self.word(), self.day())
    }

    fn due_at(self, policy: &Policy) -> Option<Timestamp> {
        let minute = policy.report_daily_at.unwrap_or(HOUR_OF_REPORTS);
        let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
        Some(self.day().at(hour, minute, 0, 0).to_zoned_datetime(policy.time_zone.clone()).ok()?.timestamp())
    }

    /// Keyed by the period and the reader: the unique Message-ID is what tells each period once,
    /// whatever is restarted and however the clock jumps.
    fn message_id(self, to: &Address, desk: Desk<'_>) -> String {
        let cause = format!("{}\0{}\0{to}", self.word(), self.day());
        desk.key.message_id(LetterKind::Report.word(), &cause, desk.policy.center_address.domain())
    }

    /// The Message-ID of the first chief's letter: where it was queued, all were.
    #[must_use]
    pub fn mark(self, desk: Desk<'_>) -> Option<String> {
        desk.policy.chiefs().next().map(|chief| self.message_id(&chief.address, desk))
    }

    /// What the letter needs to know.
    #[must_use]
    pub fn ask(self, desk: Desk<'_>) -> Question {
        Question {
            references: desk.policy.chiefs().map(|chief| self.message_id(&chief.address, desk)).collect(),
            ledger: self.period().map(Wanted::Of),
            ..Question::default()
        }
    }
}

/// The reports whose hour has come: the newest of each kind. What a daemon that stood still for
/// days did not tell is in the weekly one, and `report` makes any.
#[must_use]
pub fn due(policy: &Policy, now: Timestamp) -> Vec<Issue> {
    let today = now.to_zoned_datetime(policy.time_zone.clone()).date();
    let daily = policy.report_daily_at.map(|_| Issue::Daily(today));
    let weekly = policy.report_weekly_on.and_then(|weekday| last_day(today, weekday)).map(Issue::Weekly);
    let is_due = |issue: &Issue| issue.due_at(policy).is_some_and(|due| due <= now);
    daily.into_iter().chain(weekly).filter(is_due).collect()
}

/// The last day of that name, today included.
fn last_day(today: Date, weekday: Weekday) -> Option<Date> {
    let back = today.weekday().since(weekday);
    today.checked_sub(i64::from(back).days()).ok()
}

/// A report to every chief who has not got it.
#[must_use]
pub fn report(issue: Issue, world: &Snapshot, desk: Desk<'_>) -> Decision {
    let mut work = Work::new(desk, world, issue.name());
    let Some(ledger) = world.ledger.as_deref() else { return work.finish() };
    // What was before the centre's first day with this program is nobody's report.
    if issue.due_at(desk.policy).is_none_or(|due| ledger.begun_at.is_none_or(|begun| begun > due)) {
        return work.finish();
    }
    let mut told = 0;
    let chiefs: Vec<&Person> = desk.policy.chiefs().collect();
    for chief in chiefs {
        let message_id = issue.message_id(&chief.address, desk);
        if world.letters.iter().any(|letter| letter.message_id == message_id) {
            continue;
        }
        let mut letter = letter(chief, issue.word(), ledger, &mut work);
        letter.token = work.token(&message_id);
        letter.message_id = message_id;
        work.queue(letter, AtReporter::No);
        told += 1;
    }
    if told > 0 {
        work.effect(Effect::Audit { by: DAEMON.to_owned(), what: "report".to_owned(), detail: issue.name() });
    }
    work.finish()
}

/// The figures of a ledger as a letter to one person. `title` is the key of its phrase.
fn letter(person: &Person, title: &str, ledger: &Ledger, work: &mut Work<'_>) -> Letter {
    let (fields, page, json, name) = words(title, ledger, work);
    let mut letter = work.to_person(person, None, LetterKind::Report, TemplateName::Report, &fields);
    letter.html = Some(page.clone());
    // The page goes along as a file too: to be kept, printed and sent on.
    letter.enclosures = vec![
        enclosure(&format!("{name}.html"), "text/html", page.into_bytes()),
        enclosure(&format!("{name}.json"), "application/json", json.into_bytes()),
    ];
    letter
}

/// The fields of the letter, the page, the JSON, and the name of their files.
fn words(title: &str, ledger: &Ledger, work: &Work<'_>) -> (Fields, String, String, String) {
    let desk = work.desk;
    let figures = figures::reckon(ledger, ledger.period, desk.policy, desk.now);
    let mut fields = figures::fields(&figures, title, desk.templates, desk.policy.language);
    letters::text(&mut fields, "center_name", &desk.policy.center_name);
    letters::text(&mut fields, "center_address", desk.policy.center_address.as_str());
    let page = figures::page(&figures, title, desk.templates, desk.policy.language);
    let name = if figures.from == figures.to { figures.from.clone() } else { format!("{}_{}", figures.from, figures.to) };
    (fields, page, figures::json(&figures), format!("{}-{name}", work.desk.say("figures.file", &[])))
}

/// `!laporan`: the same figures for the last days, and the page beside them.
#[must_use]
pub fn answer(work: &Work<'_>) -> Option<(Fields, Vec<Enclosure>)> {
    let ledger = work.world.ledger.as_deref()?;
    let (fields, page, json, name) = words("report", ledger, work);
    let page = enclosure(&format!("{name}.html"), "text/html", page.into_bytes());
    Some((fields, vec![page, enclosure(&format!("{name}.json"), "application/json", json.into_bytes())]))
}

fn enclosure(name: &str, media_type: &str, content: Vec<u8>) -> Enclosure {
    Enclosure { name: name.to_owned(), media_type: media_type.to_owned(), sha256: Sha256::of(&content), content: content.into() }
}
