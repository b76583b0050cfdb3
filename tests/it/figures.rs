//! The chief's report: figures from histories, the page, the daily and weekly mail. `REPORT_PAGE=FILE`
//! writes the page of the made-up month, of which the README shows a picture.

mod month;

use bantuan70::cli::demo::stage::{Note, Received, Setting, Stage};
use bantuan70::config::Config;
use bantuan70::figures::{self, Figures, Reason, runs};
use bantuan70::mail::template::Templates;
use bantuan70::model::clock::ClockName;
use bantuan70::model::ledger::{Ledger, Period};
use bantuan70::model::policy::{Calendar, Policy};
use bantuan70::model::ticket::{State, TicketEvent};
use bantuan70::model::{Address, Language};
use jiff::Timestamp;
use month::{Writer, blank};
use std::path::Path;

fn policy() -> Policy {
    Config::parse(Path::new("bantuan70.toml"), "").unwrap().policy_without_people()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn march() -> Period {
    Period::new(jiff::civil::date(2026, 3, 1), jiff::civil::date(2026, 3, 31)).unwrap()
}

fn reckon(ledger: &Ledger, now: &str) -> Figures {
    figures::reckon(ledger, march(), &policy(), at(now))
}

#[test]
fn a_ticket_counts_on_the_days_of_the_centre() {
    let policy = policy();
    // 23:30 in Jakarta on the last day of February, and half past midnight on the first of April.
    let (before, after) = (at("2026-02-28T16:30:00Z"), at("2026-03-31T17:30:00Z"));
    let mut closed = Writer::opens(blank("BANTUAN70-2026-000001", before), &policy);
    closed.state(at("2026-03-05T03:00:00Z"), State::Closed).state(at("2026-03-06T03:00:00Z"), State::AwaitingReporter);
    closed.state(at("2026-03-07T03:00:00Z"), State::Closed);
    let inside = Writer::opens(blank("BANTUAN70-2026-000002", at("2026-03-31T16:30:00Z")), &policy);
    let outside = Writer::opens(blank("BANTUAN70-2026-000003", after), &policy);
    let histories = vec![closed.history, inside.history, outside.history];
    let figures = reckon(&Ledger { histories, ..Ledger::default() }, "2026-04-02T00:00:00Z");
    assert_eq!((figures.tickets.opened, figures.tickets.closed, figures.tickets.reopened, figures.tickets.open), (1, 2, 1, 1));
    assert_eq!((figures.before.opened, figures.before.closed, figures.before.open), (1, 0, 1));
    let day = |day: &str| figures.tickets.days.iter().find(|one| one.day == day).map(|one| (one.opened, one.closed));
    assert_eq!((day("2026-03-05"), day("2026-03-31"), day("2026-04-01")), (Some((0, 1)), Some((1, 0)), None));
}

#[test]
fn a_term_is_kept_or_missed_in_the_period_in_which_it_ended() {
    let policy = policy();
    let started = at("2026-03-09T02:00:00Z");
    let run = |met: Option<&str>| {
        let mut writer = Writer::opens(blank("BANTUAN70-2026-000001", started), &policy);
        writer.starts(started, ClockName::Verification);
        if let Some(met) = met {
            writer.meets(at(met), ClockName::Verification);
        }
        writer.history
    };
    let histories = vec![run(Some("2026-03-10T01:59:00Z")), run(Some("2026-03-10T02:01:00Z")), run(None)];
    let ledger = Ledger { histories, ..Ledger::default() };
    let verification = &reckon(&ledger, "2026-04-02T00:00:00Z").sla[0];
    assert_eq!((verification.kept, verification.missed, verification.running, verification.kept_percent), (1, 2, 0, Some(33.3)));
    assert_eq!(verification.missed_tickets[0].met_at.as_deref(), Some("2026-03-10T09:01:00+07:00"));
    // While the term runs nothing is missed.
    let verification = &reckon(&ledger, "2026-03-10T01:00:00Z").sla[0];
    assert_eq!((verification.kept, verification.missed, verification.running, verification.kept_percent), (0, 0, 3, None));
}

#[test]
fn a_corrected_calendar_is_run_over_the_past() {
    let mut policy = policy();
    let started = at("2026-03-18T01:00:00Z");
    let mut writer = Writer::opens(blank("BANTUAN70-2026-000001", started), &policy);
    // Met on Friday afternoon; Thursday was a holiday that nobody had entered.
    writer.starts(started, ClockName::Verification).meets(at("2026-03-20T08:00:00Z"), ClockName::Verification);
    let ledger = Ledger { histories: vec![writer.history], ..Ledger::default() };
    assert_eq!(figures::reckon(&ledger, march(), &policy, at("2026-04-02T00:00:00Z")).sla[0].missed, 1);
    let holidays = [jiff::civil::date(2026, 3, 19)].into();
    policy.calendar = Calendar::WorkingHours { from_minute: 8 * 60, to_minute: 20 * 60, holidays };
    let verification = figures::reckon(&ledger, march(), &policy, at("2026-04-02T00:00:00Z")).sla[0].clone();
    assert_eq!((verification.kept, verification.missed), (1, 0));
}

#[test]
fn a_clock_that_runs_again_is_two_runs() {
    let policy = policy();
    let (first, again) = (at("2026-03-02T01:00:00Z"), at("2026-03-05T01:00:00Z"));
    let mut writer = Writer::opens(blank("BANTUAN70-2026-000001", first), &policy);
    writer.starts(first, ClockName::Verification).meets(at("2026-03-02T05:00:00Z"), ClockName::Verification);
    writer.starts(again, ClockName::Verification);
    let found = runs::runs(&writer.history, at("2026-04-02T00:00:00Z"), &policy);
    assert_eq!(found.len(), 2);
    assert_eq!((found[1].started_at, found[1].due_at), (Some(again), Some(at("2026-03-06T01:00:00Z"))));
}

#[test]
fn the_index_is_the_mean_times_25_and_has_its_grade() {
    let policy = policy();
    let answer = |marks: [u8; 9], number: &str| {
        let mut writer = Writer::opens(blank(number, at("2026-03-02T01:00:00Z")), &policy);
        let event = TicketEvent::SurveyAnswered { answers: marks.to_vec(), comment: "Cepat\n dan <b>ramah</b>".to_owned() };
        writer.then(at("2026-03-20T01:00:00Z"), TicketEvent::SurveySent).then(at("2026-03-21T01:00:00Z"), event);
        writer.history
    };
    let of = |histories| reckon(&Ledger { histories, ..Ledger::default() }, "2026-04-02T00:00:00Z").survey;
    let survey = of(vec![answer([4; 9], "BANTUAN70-2026-000001"), answer([3, 3, 3, 3, 3, 3, 3, 3, 2], "BANTUAN70-2026-000002")]);
    // (36 + 26) / 18 × 25
    assert_eq!((survey.sent, survey.answers, survey.index, survey.grade), (2, 2, Some(86.11), Some('B')));
    assert_eq!((survey.elements[0], survey.elements[8]), (3.5, 3.0));
    assert_eq!(survey.comments, ["Cepat dan <b>ramah</b>", "Cepat dan <b>ramah</b>"]);
    assert_eq!(of(vec![answer([4; 9], "BANTUAN70-2026-000001")]).grade, Some('A'));
    assert_eq!(of(vec![answer([2; 9], "BANTUAN70-2026-000001")]).grade, Some('D'));
    assert_eq!(of(Vec::new()).index, None);
}

#[test]
fn what_needs_a_decision_is_named_the_most_pressing_first() {
    let policy = policy();
    let now = at("2026-04-01T00:00:00Z");
    let ledger = month::ledger(&policy, march(), now);
    let figures = figures::reckon(&ledger, march(), &policy, now);
    let reasons: Vec<Reason> = figures.decisions.iter().map(|decision| decision.reason).collect();
    assert_eq!(
        reasons,
        [
            Reason::Overdue,
            Reason::Untouched,
            Reason::Approval,
            Reason::Silent,
            Reason::HeldRecipient,
            Reason::StuckLetter,
            Reason::Quarantine
        ]
    );
    let overdue = &figures.decisions[0];
    assert!(overdue.count > 0 && overdue.which[0].id.starts_with("BANTUAN70-2026-"), "{overdue:?}");
    let calm = reckon(&Ledger { unaccounted: Some(0), ..Ledger::default() }, "2026-04-01T00:00:00Z");
    assert_eq!(calm.decisions, []);
    let alarms = vec![("disk".to_owned(), now)];
    let full = figures::reckon(&Ledger { alarms, ..Ledger::default() }, march(), &policy, now);
    assert_eq!(full.decisions.iter().map(|one| one.reason).collect::<Vec<_>>(), [Reason::Alarm]);
    // Mail that is in nobody's book stands above all else.
    let lost = reckon(&Ledger { unaccounted: Some(2), quarantined: 1, ..Ledger::default() }, "2026-04-01T00:00:00Z");
    assert_eq!(
        lost.decisions.iter().map(|one| (one.reason, one.count)).collect::<Vec<_>>(),
        [(Reason::Unaccounted, 2), (Reason::Quarantine, 1)]
    );
}

#[test]
fn d9_the_page_is_whole_without_script_and_without_anything_from_outside() {
    let policy = policy();
    let now = at("2026-04-01T00:00:00Z");
    let mut ledger = month::ledger(&policy, march(), now);
    ledger.stuck[0].because = "550 <script>alert(1)</script><img onerror=x> \u{202e}\"'&".to_owned();
    let templates = Templates::load(None).unwrap();
    for language in [Language::Id, Language::En] {
        let figures = figures::reckon(&ledger, march(), &policy, now);
        let page = figures::page(&figures, "report", &templates, language);
        let lower = page.to_lowercase();
        for forbidden in ["<script", "src=", "href", "url(", "@import", "http:", "https:", "javascript:", "<img", "<iframe", "<link"] {
            let found = lower.find(forbidden).map(|at| &page[at..(at + 60).min(page.len())]);
            assert_eq!(found, None, "{forbidden}");
        }
        assert!(page.contains("&lt;script") && !page.contains('\u{202e}'), "what a server said is shown as text");
        assert!(page.contains("default-src 'none'"));
        assert!(page.contains("prefers-color-scheme: dark") && page.contains("@media print"));
        assert!(page.contains(&ledger.audit_head));
        assert!(!page.contains("?figures."), "every phrase is there");
        assert!(page.len() < 120_000, "{} bytes", page.len());
        if language == Language::Id
            && let Some(path) = std::env::var_os("REPORT_PAGE")
        {
            let ledger = month::ledger(&policy, march(), now);
            let figures = figures::reckon(&ledger, march(), &policy, now);
            std::fs::write(path, figures::page(&figures, "report", &templates, language)).unwrap();
        }
    }
}

#[test]
fn the_json_has_what_contract_10_names() {
    let policy = policy();
    let now = at("2026-04-01T00:00:00Z");
    let figures = figures::reckon(&month::ledger(&policy, march(), now), march(), &policy, now);
    let json: serde_json::Value = serde_json::from_str(&figures::json(&figures)).unwrap();
    for path in [
        "/opened",
        "/closed",
        "/open_by_state/analysing",
        "/opened_by_category/phishing",
        "/opened_by_channel/183",
        "/sla/0/kept",
        "/sla/1/missed_tickets/0/number",
        "/disseminations/sent",
        "/disseminations/confirmed",
        "/disseminations/late/0/address",
        "/disseminations/not_handled/0/address",
        "/survey/index",
        "/survey/grade",
        "/mail/failed",
        "/mail/unaccounted",
        "/audit/head",
        "/before/opened",
        "/decisions/0/which/0/since",
    ] {
        assert!(json.pointer(path).is_some_and(|value| !value.is_null()), "{path} is missing in {json:#}");
    }
}

fn stage(folder: &Path, more: &str) -> Stage {
    let people = [("analyst", "Ani", "ani@bssn.test"), ("chief", "Rudi", "rudi@bssn.test"), ("chief", "Sari", "sari@bssn.test")];
    // Sunday evening in Jakarta.
    let setting = Setting { people: &people, center: "", intake: "", more };
    Stage::set_up(&folder.join("stage"), at("2026-03-01T12:00:00Z"), &setting).unwrap()
}

async fn report_mail(stage: &mut Stage) {
    let center = Address::parse("bantuan70@bssn.test").unwrap();
    let id = stage.next_message_id("siti");
    let note =
        Note { subject: "Penipuan".to_owned(), text: "Saya tertipu tautan palsu http://bank.example/x".to_owned(), ..Note::default() };
    let raw = stage.actor("siti").unwrap().writes(&center, &note, &id, stage.clock.now()).unwrap();
    stage.deliver(&raw).unwrap();
    stage.play().await.unwrap();
}

fn reports(sent: &[Received]) -> Vec<(String, String)> {
    let is_report = |mail: &&Received| mail.message_id.starts_with("report.");
    sent.iter().filter(is_report).map(|mail| (mail.to.to_string(), mail.subject.clone())).collect()
}

#[tokio::test]
async fn every_chief_gets_each_report_once_whatever_is_restarted() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = stage(folder.path(), "\n[report]\ndaily_at = \"07:00\"\nweekly_on = \"monday\"\n");
    let siti = bantuan70::cli::demo::stage::Actor::without_key("Siti", "siti@warga.example").unwrap();
    stage.add("siti", siti);
    report_mail(&mut stage).await;
    // Monday, five to seven: nothing yet.
    stage.clock.advance(jiff::SignedDuration::from_mins(11 * 60 + 55));
    assert_eq!(reports(&stage.play().await.unwrap()), []);
    stage.clock.advance(jiff::SignedDuration::from_mins(5));
    let sent = stage.play().await.unwrap();
    let told = reports(&sent);
    let of = |what: &str| told.iter().filter(|(_, subject)| subject.contains(what)).map(|(to, _)| to.as_str()).collect::<Vec<_>>();
    assert_eq!(of("Laporan harian 1 Maret 2026: 1 baru"), ["rudi@bssn.test", "sari@bssn.test"]);
    assert_eq!(of("Laporan mingguan 23 Februari 2026 – 1 Maret 2026: 1 baru"), ["rudi@bssn.test", "sari@bssn.test"]);
    let mail = sent.iter().find(|mail| mail.message_id.starts_with("report.")).unwrap();
    assert_eq!((mail.protection, mail.outer_subject.as_str()), ("encrypted", "Pemberitahuan"));
    assert!(mail.text.contains("kepala rantai ") && mail.text.contains("harus 0"), "{}", mail.text);
    // The same morning again, after a restart, and on the next days: each period once.
    stage.clock.advance(jiff::SignedDuration::from_mins(30));
    assert_eq!(reports(&stage.play().await.unwrap()), []);
    stage.reload().unwrap();
    stage.wait(24);
    assert_eq!(reports(&stage.play().await.unwrap()).len(), 2, "the daily one of Monday");
    // The clock jumps back: what was told is not told again.
    stage.clock.advance(jiff::SignedDuration::from_hours(-30));
    assert_eq!(reports(&stage.play().await.unwrap()), []);
    // Four days of standstill: one daily report, and the week's on Monday.
    stage.wait(30 + 4 * 24);
    assert_eq!(reports(&stage.play().await.unwrap()).len(), 2);
    stage.wait(2 * 24);
    assert_eq!(reports(&stage.play().await.unwrap()).len(), 4);
}

#[tokio::test]
async fn without_the_keys_no_report_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let mut stage = stage(folder.path(), "");
    stage.wait(48);
    assert_eq!(reports(&stage.play().await.unwrap()), []);
}
