//! Carrying out an analyst's commands: proof, ticket, all or nothing, receipt (contract 5).

use super::command::{self, Binding, Command, Fault, Line, Order};
use super::letters::{self, Speech, list, text, words};
use super::report::{self, Origin, start_clock};
use super::work::Work;
use super::{Arrived, disseminate};
use crate::mail::template::{Field, TemplateName};
use crate::model::clock::{Clock, ClockName};
use crate::model::effect::{Decision, Effect};
use crate::model::letter::{AutoSubmitted, Enclosure, LetterKind, Protection};
use crate::model::policy::Person;
use crate::model::ticket::{AtReporter, Channel, Service, State, Ticket, TicketEvent, TicketNumber};
use crate::model::{Address, Document, Tlp};
use crate::openpgp::open::{Refusal, SignedText};
use std::collections::BTreeSet;

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
    match proof(arrived, person, &work) {
        Ok(signed) => carry_out(arrived, person, &signed, work),
        Err(reasons) => refuse(arrived, person, reasons, work),
    }
}

/// The signed text, if it is this person's, fresh and not seen before; else why not.
fn proof(arrived: &Arrived<'_>, person: &Person, work: &Work<'_>) -> Result<SignedText, Vec<String>> {
    let desk = work.desk;
    let Some(signed) = &arrived.opened.signed_text else {
        let mut reasons: Vec<String> = arrived.opened.refusals.iter().map(|refusal| desk.say(refusal_key(*refusal), &[])).collect();
        if reasons.is_empty() {
            reasons.push(desk.say("refused.unsigned", &[]));
        }
        return Err(reasons);
    };
    let Some(signed) = signed.by(&person.fingerprint) else {
        let signers = signed.signers().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        return Err(vec![desk.say("refused.other_signer", &[("signer", &signers), ("expected", &person.fingerprint.0)])]);
    };
    if let Some((mail, at)) = &work.world.seen_signature {
        return Err(vec![desk.say("refused.seen_before", &[("mail", &mail.to_string()), ("at", &at.to_string())])]);
    }
    Ok(signed)
}

const fn refusal_key(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Unsigned => "refused.unsigned",
        Refusal::NotAllSigned => "refused.not_all_signed",
        Refusal::Inline => "refused.inline",
        Refusal::Ambiguous => "refused.ambiguous",
        Refusal::BadSignature => "refused.bad_signature",
        Refusal::UnknownSigner => "refused.unknown_signer",
        Refusal::UnfitKey => "refused.unfit_key",
        Refusal::NotFresh => "refused.not_fresh",
        Refusal::FromDiffers => "refused.from_differs",
        Refusal::NotDecrypted => "refused.not_decrypted",
        Refusal::HtmlOnly => "refused.html_only",
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
    fields: &crate::mail::template::Fields,
    work: &mut Work<'_>,
) -> crate::model::letter::Letter {
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
    /// What was done and needs a word after the results.
    pub next: Vec<String>,
    pub text_is_used: bool,
    pub signed: &'j SignedText,
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
        next: Vec::new(),
        text_is_used: false,
        signed,
    };
    let mut trial = work.clone();
    let outcome = run(&mut job, &mut trial);
    let is_refused = outcome.is_err();
    let (results, mut work) = match outcome {
        Ok(results) => (results, trial),
        Err(results) => {
            job.sent.clear();
            job.next = vec![work.desk.say("receipt.nothing_done", &[])];
            (results, work)
        }
    };
    let ticket = job.target.clone().filter(|number| work.ticket(number).is_some());
    let because = results.join("; ");
    let mut fields = receipt_fields(&job, results, ticket.as_ref(), &work);
    letters::set(&mut fields, "is_refused", Field::Flag(is_refused));
    let letter = reply_to(arrived, person, ticket.as_ref(), TemplateName::Receipt, &fields, &mut work);
    work.queue(letter, AtReporter::No);
    work.file(arrived, ticket, because)
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
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let mut results = Vec::new();
    for line in &order.lines {
        let Ok(command) = &line.command else { continue };
        match one(command, job, work) {
            // What !tiket names is the head of the receipt.
            Ok(_) if matches!(command, Command::Ticket(_)) => {}
            Ok(result) => results.push(format!("{} → {result}", line.typed)),
            Err(reason) => wrong.push(format!("{} → {reason}", line.typed)),
        }
    }
    if wrong.is_empty() && !job.text_is_used && !order.text.trim().is_empty() {
        match note(job, work) {
            Ok(result) => results.push(result),
            Err(reason) => wrong.push(reason),
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    if let Some(number) = job.target.clone().filter(|number| work.ticket(number).is_some()) {
        let detail = work.desk.say("event.touched", &[("by", job.by())]);
        work.event(&number, job.by(), TicketEvent::Touched, detail);
    }
    Ok(results)
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
        Command::Note => note(job, work),
        Command::Reply => speak(job, work, LetterKind::Reply, TemplateName::Reply),
        Command::Valid => valid(job, work),
        Command::Request(documents) => request(documents, job, work),
        Command::Reject => reject(job, work),
        Command::Analysis => analysis(job, work),
        Command::Category(to) => set(job, work, TicketEvent::CategorySet { to: *to }, to.word()),
        Command::Priority(to) => set(job, work, TicketEvent::PrioritySet { to: *to }, to.word()),
        Command::Tlp(to) => tlp(*to, job, work),
        Command::Clear => clear(job, work),
        Command::Assign(to) => assign(to.as_ref(), job, work),
        Command::Merge(into) => merge(into, job, work),
        Command::Link(to) => link(to, job, work),
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
        Command::Close => close(job, work),
        Command::Reopen => reopen(job, work),
        Command::Status => status(job, work),
        Command::Help => Ok(help(work, job)),
        Command::Promote(id) => promote(*id, job, work),
        Command::Register(channel, address) => register(*channel, address.as_ref(), job, work),
    }
}

fn note(job: &mut Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let number = job.number(work)?;
    let words = job.speech(work)?;
    let event = TicketEvent::Noted { text: words.clone() };
    work.event(&number, job.person.address.as_str(), event, report::one_line(&words));
    keep_enclosures(&number, job, work);
    Ok(work.desk.say("done.noted", &[("number", &number.0)]))
}

fn set(job: &Job<'_>, work: &mut Work<'_>, event: TicketEvent, word: &str) -> Result<String, String> {
    let number = job.number(work)?;
    work.event(&number, job.by(), event, word);
    Ok(work.desk.say("done.set", &[("value", word)]))
}

fn tlp(mark: Tlp, job: &Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    // Beside !diseminasi the mark is the dissemination's (contract 5).
    if job.order.commands().any(|command| matches!(command, Command::Disseminate(_))) {
        return Ok(work.desk.say("done.dissemination_mark", &[("mark", &mark.label())]));
    }
    set(job, work, TicketEvent::TlpSet { to: mark }, mark.word())
}

fn clear(job: &Job<'_>, work: &Work<'_>) -> Result<String, String> {
    let speaks =
        job.order.commands().any(|command| matches!(command, Command::Reply | Command::Request(_) | Command::Reject | Command::Analysis));
    if speaks { Ok(work.desk.say("done.clear", &[])) } else { Err(work.desk.say("refused.clear_alone", &[])) }
}

/// The protection of what an analyst writes to the reporter (contract 4): encrypted where the
/// reporter has a certificate; on AMBER and above never otherwise, unless declared free to read.
fn protection(ticket: &Ticket, job: &Job<'_>, work: &Work<'_>) -> Result<(Protection, Option<Tlp>), String> {
    if job.is_clear {
        return Ok((Protection::Signed, None));
    }
    let certificate = ticket.reporter.as_ref().and_then(|reporter| work.world.certificates.get(reporter));
    // The mark that this very mail sets counts too, wherever in it the command stands.
    let mark = ticket.tlp.max(job.mark);
    match (certificate, mark) {
        (Some(recipient), mark) => Ok((Protection::Sealed { recipient: recipient.clone() }, mark)),
        (None, Some(mark)) if mark.must_be_encrypted() => Err(work.desk.say("refused.needs_certificate", &[("mark", &mark.label())])),
        (None, mark) => Ok((Protection::Signed, mark)),
    }
}

/// What an analyst writes to the reporter: the words of the mail and nothing else (ATTACKS P19, D8).
fn speak(job: &mut Job<'_>, work: &mut Work<'_>, kind: LetterKind, template: TemplateName) -> Result<String, String> {
    let ticket = job.ticket(work)?;
    let words = job.speech(work)?;
    speak_words(&ticket, words, job, work, kind, template, BTreeSet::new())
}

fn speak_words(
    ticket: &Ticket,
    words_typed: String,
    job: &mut Job<'_>,
    work: &mut Work<'_>,
    kind: LetterKind,
    template: TemplateName,
    missing: BTreeSet<Document>,
) -> Result<String, String> {
    let Some(reporter) = ticket.reporter.clone() else { return Err(work.desk.say("refused.no_reporter", &[])) };
    let (protection, tlp) = if words_typed.is_empty() && job.enclosures.is_empty() {
        // A fixed letter: nothing of the report in it.
        (Protection::Signed, None)
    } else {
        protection(ticket, job, work)?
    };
    release_acknowledgement(&ticket.number, job.by(), work);
    let mut fields = work.fields(Some(&ticket.number));
    text(&mut fields, "text", words_typed.clone());
    if kind == LetterKind::Request {
        list(&mut fields, "missing", words(&missing));
    }
    let enclosures = std::mem::take(&mut job.enclosures);
    let speech = Speech { kind, template, text: words_typed, enclosures, protection, tlp, auto_submitted: AutoSubmitted::No };
    let Some(letter) = work.to_reporter(&ticket.number, fields, speech) else {
        return Err(work.desk.say("refused.no_reporter", &[]));
    };
    let names: String = letter.enclosures.iter().map(|enclosure| format!("\n[{} · {}]", enclosure.name, enclosure.sha256)).collect();
    job.sent.push(format!("To: {}\nSubject: {}\n\n{}{names}", letter.to, letter.subject, letter.text));
    let how = if matches!(letter.protection, Protection::Sealed { .. }) { "done.sent_encrypted" } else { "done.sent_signed" };
    work.queue(letter, AtReporter::Yes);
    Ok(work.desk.say(how, &[("to", reporter.as_str())]))
}

/// An acknowledgement that waited for an analyst goes out now (contract 2, authserv_id).
fn release_acknowledgement(number: &TicketNumber, by: &str, work: &mut Work<'_>) {
    let Some(ticket) = work.ticket(number).cloned() else { return };
    if ticket.acknowledgement_held.is_some() {
        work.effect(Effect::ReleaseHeld { ticket: number.clone() });
    }
    if !ticket.acknowledged {
        // From here on the reporter is known to be one that a person wrote to.
        let detail = work.desk.say("event.released", &[]);
        work.event(number, by, TicketEvent::Acknowledged, detail);
    }
}

fn meet(number: &TicketNumber, name: ClockName, by: &str, work: &mut Work<'_>) {
    let Some(clock) = work.ticket(number).map(|ticket| ticket.clock(name)) else { return };
    if clock.met_at.is_none() {
        let clock: Clock = clock.met(work.desk.now);
        let detail = work.desk.say("clock.met", &[("clock", name.word())]);
        work.event(number, by, TicketEvent::ClockSet { clock }, detail);
    }
}

fn move_to(number: &TicketNumber, to: State, by: &str, work: &mut Work<'_>) {
    if work.ticket(number).is_some_and(|ticket| ticket.state != to) {
        work.event(number, by, TicketEvent::StateChanged { to }, to.word());
    }
}

fn valid(job: &mut Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let ticket = job.open_ticket(work)?;
    if matches!(ticket.state, State::Analysing | State::Handling) {
        return Err(work.desk.say("refused.already_valid", &[]));
    }
    release_acknowledgement(&ticket.number, job.by(), work);
    declare_valid(&ticket.number, job.by(), work);
    let due = work.ticket(&ticket.number).and_then(|ticket| ticket.clock(ClockName::Analysis).due_at);
    Ok(work.desk.say("done.valid", &[("due", &due.map_or_else(String::new, |due| local(due, work)))]))
}

fn declare_valid(number: &TicketNumber, by: &str, work: &mut Work<'_>) {
    meet(number, ClockName::Verification, by, work);
    move_to(number, State::Analysing, by, work);
    start_clock(number, ClockName::Analysis, work);
}

fn request(documents: &BTreeSet<Document>, job: &mut Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let ticket = job.open_ticket(work)?;
    let missing = if documents.is_empty() { ticket.missing() } else { documents.clone() };
    if missing.is_empty() {
        return Err(work.desk.say("refused.nothing_missing", &[]));
    }
    job.text_is_used = true;
    let words_typed = job.order.text.clone();
    let result = speak_words(&ticket, words_typed, job, work, LetterKind::Request, TemplateName::Request, missing.clone())?;
    meet(&ticket.number, ClockName::Verification, job.by(), work);
    if !matches!(ticket.state, State::Analysing | State::Handling) {
        move_to(&ticket.number, State::AwaitingReporter, job.by(), work);
    }
    let detail = words(&missing).join(", ");
    work.event(&ticket.number, job.by(), TicketEvent::DocumentsAsked { documents: missing }, detail);
    Ok(result)
}

fn reject(job: &mut Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let ticket = job.open_ticket(work)?;
    let words = job.speech(work)?;
    let result = if ticket.reporter.is_some() {
        speak_words(&ticket, words, job, work, LetterKind::Rejection, TemplateName::Rejection, BTreeSet::new())?
    } else {
        work.event(&ticket.number, job.by(), TicketEvent::Noted { text: words.clone() }, report::one_line(&words));
        work.desk.say("done.noted", &[("number", &ticket.number.0)])
    };
    meet(&ticket.number, ClockName::Verification, job.by(), work);
    end(&ticket.number, State::Rejected, job.by(), work);
    Ok(result)
}

/// A ticket leaves the open states: its clocks stand still.
fn end(number: &TicketNumber, state: State, by: &str, work: &mut Work<'_>) {
    let clocks = work.ticket(number).map(|ticket| ticket.clocks.clone()).unwrap_or_default();
    for clock in clocks.into_iter().filter(|clock| clock.started_at.is_some() && clock.met_at.is_none()) {
        let detail = work.desk.say("clock.paused", &[("clock", clock.name.word())]);
        let clock = clock.paused(work.desk.now);
        work.event(number, by, TicketEvent::ClockSet { clock }, detail);
    }
    move_to(number, state, by, work);
}

fn analysis(job: &mut Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let ticket = job.open_ticket(work)?;
    if ticket.state == State::Handling {
        return Err(work.desk.say("refused.already_analysed", &[]));
    }
    let result = speak(job, work, LetterKind::Analysis, TemplateName::Analysis)?;
    if ticket.state != State::Analysing {
        declare_valid(&ticket.number, job.by(), work);
    }
    meet(&ticket.number, ClockName::Analysis, job.by(), work);
    move_to(&ticket.number, State::Handling, job.by(), work);
    Ok(result)
}

fn assign(to: Option<&Address>, job: &Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let number = job.number(work)?;
    let to = to.unwrap_or(&job.person.address).clone();
    let Some(person) = work.desk.policy.person(&to) else {
        return Err(work.desk.say("refused.not_an_analyst", &[("address", to.as_str())]));
    };
    work.event(&number, job.by(), TicketEvent::Assigned { to: to.clone() }, to.as_str());
    if to != job.person.address {
        let what = work.desk.say("notice.assigned", &[("number", &number.0), ("by", job.by())]);
        let fields = work.event_fields(Some(&number), what, Vec::new(), "");
        let letter = work.to_person(person, Some(&number), LetterKind::Notice, TemplateName::NoticeEvent, &fields);
        work.queue(letter, AtReporter::No);
    }
    Ok(work.desk.say("done.assigned", &[("address", to.as_str())]))
}

fn merge(into: &TicketNumber, job: &Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let ticket = job.open_ticket(work)?;
    let Some(other) = work.ticket(into).cloned() else {
        return Err(work.desk.say("refused.no_such_ticket", &[("number", &into.0)]));
    };
    if *into == ticket.number || other.state == State::Merged {
        return Err(work.desk.say("refused.cannot_merge", &[("number", &into.0)]));
    }
    for address in &ticket.participants {
        work.event(into, job.by(), TicketEvent::ParticipantAdded { address: address.clone() }, address.as_str());
    }
    work.event(into, job.by(), TicketEvent::Linked { to: ticket.number.clone() }, ticket.number.to_string());
    work.event(&ticket.number, job.by(), TicketEvent::MergedInto { to: into.clone() }, into.to_string());
    end(&ticket.number, State::Merged, job.by(), work);
    Ok(work.desk.say("done.merged", &[("number", &into.0)]))
}

fn link(to: &TicketNumber, job: &Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let number = job.number(work)?;
    if work.ticket(to).is_none() || *to == number {
        return Err(work.desk.say("refused.no_such_ticket", &[("number", &to.0)]));
    }
    work.event(&number, job.by(), TicketEvent::Linked { to: to.clone() }, to.to_string());
    work.event(to, job.by(), TicketEvent::Linked { to: number.clone() }, number.to_string());
    Ok(work.desk.say("done.linked", &[("number", &to.0)]))
}

fn close(job: &mut Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let ticket = job.open_ticket(work)?;
    let reason = job.optional_text();
    let silent = disseminate::unconfirmed(&ticket.number, work);
    if !silent.is_empty() && reason.trim().is_empty() {
        return Err(work.desk.say("refused.unconfirmed", &[("recipients", &silent.join(", "))]));
    }
    if !reason.trim().is_empty() {
        work.event(&ticket.number, job.by(), TicketEvent::Noted { text: reason.clone() }, report::one_line(&reason));
    }
    end(&ticket.number, State::Closed, job.by(), work);
    if ticket.service == Service::Complaint && letters::may_write(&ticket) {
        let fields = work.fields(Some(&ticket.number));
        if let Some(letter) = work.fixed(&ticket.number, LetterKind::Closing, TemplateName::Closing, fields) {
            job.sent.push(format!("To: {}\nSubject: {}\n\n{}", letter.to, letter.subject, letter.text));
            work.queue(letter, AtReporter::Yes);
        }
        if !ticket.survey_sent {
            start_clock(&ticket.number, ClockName::Survey, work);
        }
    }
    Ok(work.desk.say("done.closed", &[]))
}

fn reopen(job: &Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let ticket = job.ticket(work)?;
    if ticket.state.is_open() {
        return Err(work.desk.say("refused.is_open", &[]));
    }
    reopen_ticket(&ticket, job.by(), work);
    Ok(work.desk.say("done.reopened", &[("state", ticket.former_state.word())]))
}

/// Back to the former state: met clocks stay met, the others go on without the closed time (contract 8).
pub fn reopen_ticket(ticket: &Ticket, by: &str, work: &mut Work<'_>) {
    for clock in &ticket.clocks {
        let resumed = if clock.name == ClockName::Survey && !ticket.survey_sent {
            // The survey leaves unless reopened: it starts afresh with the next closing.
            Clock::waiting(ClockName::Survey)
        } else {
            clock.clone().resumed(work.desk.now)
        };
        if resumed != *clock {
            let detail = work.desk.say("clock.resumed", &[("clock", clock.name.word())]);
            work.event(&ticket.number, by, TicketEvent::ClockSet { clock: resumed }, detail);
        }
    }
    move_to(&ticket.number, ticket.former_state, by, work);
}

fn promote(id: crate::model::InboxId, job: &mut Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let (Some(filed), Some(promoted)) = (&work.world.mail, job.arrived.promoted) else {
        return Err(work.desk.say("refused.no_such_mail", &[("mail", &id.to_string())]));
    };
    // One mail and one new ticket a command mail: the snapshot holds one of each.
    if filed.id != id || work.ticket(&work.world.next_ticket).is_some() {
        return Err(work.desk.say("refused.one_new_ticket", &[]));
    }
    if let Some(number) = &filed.filing.ticket {
        return Err(work.desk.say("refused.has_ticket", &[("mail", &id.to_string()), ("number", &number.0)]));
    }
    let number = report::open_ticket(promoted, &Origin::Promoted, work);
    work.effect(Effect::Promote { mail: id, ticket: number.clone() });
    if job.target.is_none() {
        job.target = Some(number.clone());
    }
    Ok(work.desk.say("done.promoted", &[("number", &number.0)]))
}

fn register(channel: Channel, address: Option<&Address>, job: &mut Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    if !command::names_center(job.signed, work.desk.policy) {
        return Err(work.desk.say("refused.names_no_center", &[("address", work.desk.policy.center_address.as_str())]));
    }
    if work.ticket(&work.world.next_ticket).is_some() {
        return Err(work.desk.say("refused.one_new_ticket", &[]));
    }
    if job.target.is_some() || !job.rivals.is_empty() {
        return Err(work.desk.say("refused.register_with_number", &[]));
    }
    let words = job.speech(work)?;
    let number = report::register(channel, address, &words, job, work);
    keep_enclosures(&number, job, work);
    job.target = Some(number.clone());
    Ok(work.desk.say("done.registered", &[("number", &number.0)]))
}

/// What the analyst attached to a note or a registration stays with the ticket.
fn keep_enclosures(number: &TicketNumber, job: &Job<'_>, work: &mut Work<'_>) {
    if job.enclosures.is_empty() {
        return;
    }
    let attachments = job.enclosures.iter().cloned().map(|enclosure| crate::model::effect::Kept { enclosure, document: None }).collect();
    let indicators = crate::model::effect::Indicators::default();
    work.effect(Effect::Keep { ticket: number.clone(), attachments, indicators });
}

/// The attachments that go along with a speech: never keys and signatures (contract 5).
fn enclosures(arrived: &Arrived<'_>) -> Vec<Enclosure> {
    let is_key = |attachment: &crate::mail::Attachment| {
        let name = attachment.name.to_lowercase();
        ["application/pgp-keys", "application/pgp-signature", "application/pgp-encrypted", "application/pkcs7-signature"]
            .contains(&attachment.media_type.as_str())
            || attachment.media_type.ends_with("pkcs7-signature")
            || [".asc", ".sig", ".p7s", ".pgp", ".gpg", ".key"].iter().any(|end| name.ends_with(end))
    };
    let attachments = &arrived.opened.mail.attachments;
    attachments.iter().filter(|attachment| !attachment.is_layout && !is_key(attachment)).map(report::enclosure).collect()
}

/// A moment as people in the centre read it.
#[must_use]
pub fn local(at: jiff::Timestamp, work: &Work<'_>) -> String {
    at.to_zoned_datetime(work.desk.policy.time_zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
}

fn status(job: &mut Job<'_>, work: &mut Work<'_>) -> Result<String, String> {
    let ticket = job.ticket(work)?;
    let mut fields = work.fields(Some(&ticket.number));
    list(&mut fields, "facts", facts(&ticket, work));
    let timeline = work.world.timeline.iter().map(|line| format!("{} {} {} {}", local(line.at, work), line.by, line.event, line.detail));
    list(&mut fields, "timeline", timeline);
    let recipients: Vec<String> = work.disseminations_of(&ticket.number).flat_map(|one| disseminate::recipient_lines(one, work)).collect();
    list(&mut fields, "recipients", recipients);
    let letter = work.to_person(job.person, Some(&ticket.number), LetterKind::Receipt, TemplateName::Status, &fields);
    job.next.push(letter.text);
    Ok(work.desk.say("done.status", &[]))
}

/// What a ticket is, a fact a line.
#[must_use]
pub fn facts(ticket: &Ticket, work: &Work<'_>) -> Vec<String> {
    let mut facts = vec![
        format!("state: {}", ticket.state),
        format!("category: {}", ticket.category),
        format!("priority: {}", ticket.priority),
        format!("tlp: {}", ticket.tlp.map_or("-", Tlp::word)),
        format!("subject: {}", ticket.subject),
        format!("reporter: {}", ticket.reporter.as_ref().map_or("-", Address::as_str)),
        format!("assignee: {}", ticket.assignee.as_ref().map_or("-", Address::as_str)),
        format!("missing: {}", words(&ticket.missing()).join(", ")),
    ];
    for clock in &ticket.clocks {
        let due = clock.due_at.map_or_else(String::new, |due| format!(", {}", local(due, work)));
        facts.push(format!("{}: {}{due}", clock.name, clock.state(work.desk.now)));
    }
    facts
}

fn help(work: &Work<'_>, job: &mut Job<'_>) -> String {
    let lines: Vec<String> = command::KNOWN
        .iter()
        .map(|known| {
            let names = if known.indonesian == known.english {
                format!("!{}", known.indonesian)
            } else {
                format!("!{} / !{}", known.indonesian, known.english)
            };
            let meaning = work.desk.say(&format!("help.{}", known.indonesian), &[]);
            format!("{names} {}\n    {meaning}", known.arguments)
        })
        .collect();
    job.next.push(lines.join("\n"));
    work.desk.say("done.help", &[])
}

/// The receipt: what was done, what was not and why, and exactly what went out.
fn receipt_fields(job: &Job<'_>, results: Vec<String>, ticket: Option<&TicketNumber>, work: &Work<'_>) -> crate::mail::template::Fields {
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
    text(&mut fields, "outer_differs", outer_differs(job, work));
    fields
}

/// The outer Subject moves nothing; where it names another ticket, the receipt says so (ATTACKS C8).
fn outer_differs(job: &Job<'_>, work: &Work<'_>) -> String {
    let prefix = &work.desk.policy.ticket_prefix;
    let outer = job.arrived.opened.findings.outer_subject.as_ref().unwrap_or(&job.arrived.opened.mail.subject);
    match command::numbers_in(outer, prefix).into_iter().find(|number| Some(number) != job.target.as_ref()) {
        Some(other) => work.desk.say("receipt.outer_differs", &[("other", &other.0)]),
        None => String::new(),
    }
}
