//! Carrying out an analyst's commands: proof, ticket, all or nothing, receipt (contract 5).

mod answer;
mod change;
#[cfg(test)]
mod clock_laws;
mod proof;
mod speech;

use super::command::{self, Binding, Command, Fault, Line, Order};
use super::letters::lines::About;
use super::letters::{self, list, text};
use super::report::{self, Origin};
use super::work::Work;
use super::{Arrived, disseminate, readable};
use crate::mail::template::{Field, Fields, TemplateName};
use crate::model::Tlp;
use crate::model::effect::{Decision, Effect};
use crate::model::letter::{AutoSubmitted, Enclosure, Letter, LetterKind};
use crate::model::policy::Person;
use crate::model::ticket::{AtReporter, Ticket, TicketEvent, TicketNumber};
use crate::openpgp::open::SignedText;

pub use answer::{facts, local, running};
pub use change::{analysis_held, analysis_sent, reopen_ticket};

/// Refusals answered one by one in a day (contract 5, ATTACKS C15).
const REFUSALS_A_DAY: u32 = 10;

/// A mail from an analyst's address.
#[must_use]
pub fn command_mail(arrived: &Arrived<'_>, work: Work<'_>) -> Decision {
    let Some(person) = arrived.person(work.desk.policy) else {
        let because = work.desk.say("file.not_one_sender", &[]);
        let mut work = work;
        work.because(because);
        return report::open(arrived, Origin::Fresh, work);
    };
    match proof::signed_by(arrived, person, &work) {
        Ok(signed) => carry_out(arrived, person, &signed, work),
        Err(reasons) => refuse(arrived, person, reasons, work),
    }
}

/// Nothing is done, nothing is passed on, and the analyst is told why: ten times a day, then once more.
fn refuse(arrived: &Arrived<'_>, person: &Person, reasons: Vec<String>, mut work: Work<'_>) -> Decision {
    let because = work.desk.say("file.refused", &[("reasons", &reasons.join("; "))]);
    work.effect(Effect::CountRefusal { person: person.address.clone() });
    let told = work.world.counters.refusals;
    if told <= REFUSALS_A_DAY {
        let mut fields = work.fields(None);
        let template = if told < REFUSALS_A_DAY {
            list(&mut fields, "reasons", reasons);
            text(&mut fields, "seen", report::one_line(&arrived.opened.mail.subject));
            let date = arrived.opened.mail.header_values("Date").next().map(report::one_line).unwrap_or_default();
            text(&mut fields, "dated", date);
            TemplateName::Refusal
        } else {
            letters::set(&mut fields, "count", Field::Number(i64::from(told)));
            TemplateName::RefusalSummary
        };
        let letter = reply_to(arrived, person, None, template, &fields, &mut work);
        work.queue(letter, AtReporter::No);
    }
    let mut decision = work.file(arrived, None, because);
    for effect in &mut decision.effects {
        if let Effect::File(filing) = effect {
            // What is not proved is not passed on, not even to a listing.
            filing.text.clear();
        }
    }
    decision
}

/// A receipt or refusal, threaded below the mail that it answers.
fn reply_to(
    arrived: &Arrived<'_>,
    person: &Person,
    ticket: Option<&TicketNumber>,
    template: TemplateName,
    fields: &Fields,
    work: &mut Work<'_>,
) -> Letter {
    let mut letter = work.to_person(person, ticket, LetterKind::Receipt, template, fields);
    if let Some(id) = &arrived.opened.mail.message_id {
        letter.in_reply_to = Some(id.clone());
        letter.references.push(id.clone());
    }
    letter.auto_submitted = AutoSubmitted::Replied;
    letter
}

/// The commands of one mail while they are carried out.
#[derive(Debug)]
pub struct Job<'j> {
    pub person: &'j Person,
    pub arrived: &'j Arrived<'j>,
    pub order: &'j Order,
    pub target: Option<TicketNumber>,
    /// Several numbers were signed and nothing decides between them.
    pub rivals: Vec<TicketNumber>,
    /// `!terbuka` stands in the mail.
    pub is_clear: bool,
    /// `!tlp` of the mail.
    pub mark: Option<Tlp>,
    pub enclosures: Vec<Enclosure>,
    /// Each letter that goes out, in full, for the receipt.
    pub sent: Vec<String>,
    /// Each that will go out once others agree, in full.
    pub proposed: Vec<String>,
    /// What was done and needs a word after the results.
    pub next: Vec<String>,
    pub text_is_used: bool,
    pub signed: &'j SignedText,
    /// What `!status` or `!bantuan` shows: a letter of its own words.
    pub answer: Option<(TemplateName, Fields)>,
    /// Files that go with it.
    pub answer_enclosures: Vec<Enclosure>,
}

impl Job<'_> {
    fn by(&self) -> &str {
        self.person.address.as_str()
    }

    /// The ticket, or the words for there being none.
    fn number(&self, work: &Work<'_>) -> Result<TicketNumber, String> {
        if !self.rivals.is_empty() {
            let numbers = self.rivals.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return Err(work.desk.say("refused.two_numbers", &[("numbers", &numbers)]));
        }
        let number = self.target.clone().ok_or_else(|| work.desk.say("refused.no_number", &[]))?;
        if work.ticket(&number).is_none() {
            return Err(work.desk.say("refused.no_such_ticket", &[("number", &number.0)]));
        }
        Ok(number)
    }

    fn ticket(&self, work: &Work<'_>) -> Result<Ticket, String> {
        let number = self.number(work)?;
        work.ticket(&number).cloned().ok_or_else(|| work.desk.say("refused.no_such_ticket", &[("number", &number.0)]))
    }

    fn open_ticket(&self, work: &Work<'_>) -> Result<Ticket, String> {
        let ticket = self.ticket(work)?;
        if ticket.state.is_open() { Ok(ticket) } else { Err(work.desk.say("refused.not_open", &[("state", ticket.state.word())])) }
    }

    /// The text, which a speech must have.
    pub fn speech(&mut self, work: &Work<'_>) -> Result<String, String> {
        if self.order.text.trim().is_empty() {
            return Err(work.desk.say("refused.no_text", &[]));
        }
        self.text_is_used = true;
        Ok(self.order.text.clone())
    }

    fn optional_text(&mut self) -> String {
        if self.has_speech() {
            return String::new();
        }
        self.text_is_used = true;
        self.order.text.clone()
    }

    /// The text as a reason for what was done: one that belongs to a speech is none.
    #[must_use]
    pub fn reason(&self) -> &str {
        if self.has_speech() { "" } else { self.order.text.trim() }
    }

    fn has_speech(&self) -> bool {
        self.order.commands().any(is_speech)
    }
}

/// Commands that the text belongs to; one of them at most in a mail.
const fn is_speech(command: &Command) -> bool {
    matches!(
        command,
        Command::Note
            | Command::Reply
            | Command::Request(_)
            | Command::Reject
            | Command::Analysis
            | Command::Disseminate(_)
            | Command::Register(..)
    )
}

fn carry_out(arrived: &Arrived<'_>, person: &Person, signed: &SignedText, mut work: Work<'_>) -> Decision {
    let order = command::parse(signed, work.desk.policy);
    // Remembered whatever comes of it: what was refused today must not act when it is sent again tomorrow.
    work.effect(Effect::RememberSignature { key: signed.key().clone(), by: person.address.clone(), signed_at: signed.signed_at() });
    let (target, rivals) = match command::bind(signed, &order, work.desk.policy) {
        Binding::One(number) => (Some(number), Vec::new()),
        Binding::None => (None, Vec::new()),
        Binding::Many(numbers) => (None, numbers),
    };
    let mut job = Job {
        person,
        arrived,
        order: &order,
        is_clear: order.commands().any(|command| *command == Command::Clear),
        mark: order.commands().find_map(|command| if let Command::Tlp(mark) = command { Some(*mark) } else { None }),
        enclosures: enclosures(arrived),
        target,
        rivals,
        sent: Vec::new(),
        proposed: Vec::new(),
        next: Vec::new(),
        text_is_used: false,
        signed,
        answer: None,
        answer_enclosures: Vec::new(),
    };
    let mut trial = work.clone();
    let outcome = run(&mut job, &mut trial);
    let is_refused = outcome.is_err();
    let (results, mut work) = match outcome {
        Ok(results) => (results, trial),
        Err(results) => {
            job.sent.clear();
            job.proposed.clear();
            job.answer = None;
            job.next = vec![work.desk.say("receipt.nothing_done", &[])];
            (results, work)
        }
    };
    let ticket = job.target.clone().filter(|number| work.ticket(number).is_some());
    let because = results.join("; ");
    if !is_refused {
        proof::name_others(&mut job, &mut work);
        tell_assignee(&job, &results, &mut work);
    }
    let answer = job.answer.take();
    // A mail that only asks is answered with what it asks for; one that also acts gets its receipt beside it.
    if answer.is_none() || order.commands().filter(|command| !matches!(command, Command::Ticket(_))).count() > 1 {
        let mut fields = receipt_fields(&job, results, ticket.as_ref(), &work);
        letters::set(&mut fields, "is_refused", Field::Flag(is_refused));
        let letter = reply_to(arrived, person, ticket.as_ref(), TemplateName::Receipt, &fields, &mut work);
        work.queue(letter, AtReporter::No);
    }
    if let Some((template, mut fields)) = answer {
        // Whatever was asked, what goes out under a ticket bears its tag (contract 3).
        if let Some(number) = &ticket {
            text(&mut fields, "tag", number.tag());
        }
        let mut letter = reply_to(arrived, person, ticket.as_ref(), template, &fields, &mut work);
        letter.enclosures = std::mem::take(&mut job.answer_enclosures);
        work.queue(letter, AtReporter::No);
    }
    work.file(arrived, ticket, because)
}

/// Whoever works on a ticket hears what a colleague did on it; whoever did it has the receipt.
fn tell_assignee(job: &Job<'_>, results: &[String], work: &mut Work<'_>) {
    let asks_only =
        |command: &Command| matches!(command, Command::Ticket(_) | Command::Status | Command::List(_) | Command::Report | Command::Help);
    let has_acted = job.text_is_used || !job.order.text.trim().is_empty() || job.order.commands().any(|command| !asks_only(command));
    let Some(number) = job.target.clone().filter(|_| has_acted) else { return };
    // Whoever was it before this mail: a new assignee is told of that by itself.
    let assignee = work.world.tickets.get(&number).and_then(|ticket| ticket.assignee.clone());
    let Some(person) = assignee.filter(|to| *to != job.person.address).and_then(|to| work.desk.policy.person(&to)) else { return };
    if work.has_told(&person.address) {
        return;
    }
    let what = work.desk.say("notice.colleague", &[("number", &number.0), ("by", &job.person.name)]);
    let sent = job.sent.join("\n\n");
    let words = if sent.is_empty() { job.order.text.as_str() } else { &sent };
    let fields = work.event_fields(&number, About::Ticket, what, results.to_vec(), words);
    let letter = work.to_person(person, Some(&number), LetterKind::Notice, TemplateName::NoticeEvent, &fields);
    work.queue(letter, AtReporter::No);
}

/// Runs every command on the trial; `Err` holds one line for each that is wrong, and then none counts.
fn run(job: &mut Job<'_>, work: &mut Work<'_>) -> Result<Vec<String>, Vec<String>> {
    let order = job.order;
    let mut wrong: Vec<String> =
        order.lines.iter().filter_map(|line| line.command.as_ref().err().map(|fault| fault_words(line, fault, work))).collect();
    if order.commands().filter(|command| is_speech(command)).count() > 1 {
        wrong.push(work.desk.say("refused.two_speeches", &[]));
    }
    if order.lines.is_empty() && order.text.trim().is_empty() {
        wrong.push(work.desk.say("refused.empty", &[]));
    }
    // The rest is tried all the same: whoever mends the mail wants to know of everything at once.
    let mut results = Vec::new();
    for (n, line) in order.lines.iter().enumerate() {
        let Ok(command) = &line.command else { continue };
        if let Some(key) = contradiction(command, order.lines.iter().take(n)) {
            wrong.push(format!("{} → {}", line.typed, work.desk.say(key, &[])));
            continue;
        }
        match one(command, job, work) {
            // What !tiket names is the head of the receipt.
            Ok(_) if matches!(command, Command::Ticket(_)) => {}
            Ok(result) => results.push(format!("{} → {result}", line.typed)),
            Err(reason) => wrong.push(format!("{} → {reason}", line.typed)),
        }
    }
    if wrong.is_empty() && !job.text_is_used && !order.text.trim().is_empty() {
        match speech::note(job, work) {
            Ok(result) => results.push(result),
            Err(reason) => wrong.push(reason),
        }
    }
    wrong.extend(would_be_held(work));
    if !wrong.is_empty() {
        return Err(wrong);
    }
    if let Some(number) = job.target.clone().filter(|number| work.ticket(number).is_some()) {
        let detail = work.desk.say("event.touched", &[("by", job.by())]);
        work.event(&number, job.by(), TicketEvent::Touched, detail);
    }
    Ok(results)
}

/// What is wrong with a command on a release for the sake of the commands above it: said twice, or agreement and
/// cancelling of one release in one mail, of which nobody can tell which is meant.
fn contradiction<'l>(command: &Command, above: impl Iterator<Item = &'l Line>) -> Option<&'static str> {
    above.filter_map(|line| line.command.as_ref().ok()).find_map(|other| match (other, command) {
        (Command::Approve(..), Command::Approve(..)) | (Command::Cancel(_), Command::Cancel(_)) if other == command => {
            Some("fault.repeated")
        }
        (Command::Approve(one, _), Command::Cancel(two)) | (Command::Cancel(one), Command::Approve(two, _)) if one == two => {
            Some("fault.agrees_and_cancels")
        }
        _ => None,
    })
}

/// A later command of the mail raised the mark above what an earlier one said to the reporter, as a merger does: the
/// text would be held, and what it brought about with it would have happened for nothing.
fn would_be_held(work: &Work<'_>) -> Vec<String> {
    let why = |letter: &Letter| {
        let ticket = letter.ticket.as_ref().filter(|_| letter.dissemination.is_none() && readable::is_asked(letter))?;
        readable::refusal(&readable::marks(work.ticket(ticket)?, work), work.desk)
    };
    work.queued().filter_map(why).collect()
}

fn fault_words(line: &Line, fault: &Fault, work: &Work<'_>) -> String {
    let reason = match fault {
        Fault::Unknown(Some(near)) => work.desk.say("fault.unknown_near", &[("near", near)]),
        Fault::Unknown(None) => work.desk.say("fault.unknown", &[]),
        Fault::Arguments(wanted) => work.desk.say("fault.arguments", &[("wanted", wanted)]),
        Fault::TicketNotFirst => work.desk.say("fault.ticket_first", &[]),
        Fault::AfterText => work.desk.say("fault.after_text", &[]),
        Fault::LookAlike => work.desk.say("fault.look_alike", &[]),
        Fault::TooMany => work.desk.say("fault.too_many", &[]),
    };
    format!("{} → {reason}", line.typed)
}

/// One command on the trial.
fn one(command: &Command, job: &mut Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    match command {
        Command::Ticket(_) => job.number(work).map(|number| number.to_string()),
        Command::Note => speech::note(job, work),
        Command::Reply => speech::speak(job, work, LetterKind::Reply, TemplateName::Reply),
        Command::Valid => change::valid(job, work),
        Command::Request(documents) => speech::request(documents, job, work),
        Command::Reject => speech::reject(job, work),
        Command::Analysis => speech::analysis(job, work),
        Command::Category(to) => change::category(*to, job, work),
        Command::Priority(to) => {
            let shown = work.desk.word("priority", to.word());
            change::set(job, work, TicketEvent::PrioritySet { to: *to }, to.word(), &shown)
        }
        Command::Tlp(to) => change::tlp(*to, job, work),
        Command::Clear => change::clear(job, work),
        Command::Assign(to) => change::assign(to.as_ref(), job, work),
        Command::Merge(into) => change::merge(into, job, work),
        Command::Link(to) => change::link(to, job, work),
        Command::Disseminate(targets) => disseminate::draft(targets, job, work),
        Command::Approve(number, code) => disseminate::approve(number, code, job, work),
        Command::Cancel(number) => disseminate::cancel(number, job, work),
        Command::Confirm(address) => {
            let how = job.optional_text();
            let ticket = job.ticket(work)?;
            disseminate::confirm_by_hand(&ticket, address, disseminate::Word::Received, &how, job.person, work)
        }
        Command::Handled(address) => {
            let how = job.optional_text();
            let ticket = job.ticket(work)?;
            disseminate::confirm_by_hand(&ticket, address, disseminate::Word::Handled, &how, job.person, work)
        }
        Command::Close => change::close(job, work),
        Command::Reopen => change::reopen(job, work),
        Command::Status => answer::status(job, work),
        Command::List(filter) => Ok(answer::open_list(filter, job, work)),
        Command::Report => Ok(answer::report(job, work)),
        Command::Help => Ok(answer::help(work, job)),
        Command::Promote(id) => change::promote(*id, job, work),
        Command::Register(channel, address) => change::register(*channel, address.as_ref(), job, work),
    }
}

/// The attachments that go along with a speech (contract 5).
fn enclosures(arrived: &Arrived<'_>) -> Vec<Enclosure> {
    files(arrived).map(report::enclosure).collect()
}

/// What a person attached: no pictures of the layout, keys and signatures.
pub fn files<'a>(arrived: &Arrived<'a>) -> impl Iterator<Item = &'a crate::mail::Attachment> {
    let is_key = |attachment: &crate::mail::Attachment| {
        let name = attachment.name.to_lowercase();
        ["application/pgp-keys", "application/pgp-signature", "application/pgp-encrypted", "application/pkcs7-signature"]
            .contains(&attachment.media_type.as_str())
            || attachment.media_type.ends_with("pkcs7-signature")
            || [".asc", ".sig", ".p7s", ".pgp", ".gpg", ".key"].iter().any(|end| name.ends_with(end))
    };
    arrived.opened.mail.attachments.iter().filter(move |attachment| !attachment.is_layout && !is_key(attachment))
}

/// The receipt: what was done, what was not and why, and exactly what went out.
fn receipt_fields(job: &Job<'_>, results: Vec<String>, ticket: Option<&TicketNumber>, work: &Work<'_>) -> Fields {
    let mut fields = work.fields(ticket);
    list(&mut fields, "results", results);
    let ticket = ticket.and_then(|number| work.ticket(number));
    text(&mut fields, "state", ticket.map_or("", |ticket| ticket.state.word()));
    let mut next = job.next.clone();
    if let Some(ticket) = ticket {
        for clock in ticket.clocks.iter().filter(|clock| clock.met_at.is_none() && clock.paused_at.is_none()) {
            if let Some(due) = clock.due_at {
                next.push(work.desk.say("receipt.clock", &[("clock", clock.name.word()), ("due", &local(due, work))]));
            }
        }
    }
    list(&mut fields, "next", next);
    list(&mut fields, "sent", job.sent.clone());
    list(&mut fields, "proposed", job.proposed.clone());
    text(&mut fields, "outer_differs", outer_differs(job, work));
    fields
}

/// The outer Subject moves nothing; where it names another ticket, the receipt says so (ATTACKS C8).
fn outer_differs(job: &Job<'_>, work: &Work<'_>) -> String {
    let prefix = &work.desk.policy.ticket_prefix;
    // Where the protected Subject is the one outside too, nothing differs.
    if job.signed.protected_subject().is_some() && job.arrived.opened.findings.outer_subject.is_none() {
        return String::new();
    }
    let outer = job.arrived.opened.findings.outer_subject.as_ref().unwrap_or(&job.arrived.opened.mail.subject);
    match command::numbers_in(outer, prefix).into_iter().find(|number| Some(number) != job.target.as_ref()) {
        Some(other) => work.desk.say("receipt.outer_differs", &[("other", &other.0)]),
        None => String::new(),
    }
}
