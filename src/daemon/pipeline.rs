//! The path of one mail, from its bytes to the committed decision (DESIGN 3). Everything that
//! reads mail walks this path: the daemon, `inspect`, the demonstration, the tests.

use crate::decide::{self, Arrived, Desk};
use crate::extract::document;
use crate::mail::dsn::{self, Bounce};
use crate::mail::kind::House;
use crate::mail::template::Templates;
use crate::mail::token::TokenKey;
use crate::mail::told::{self, Told};
use crate::mail::{Mail, read};
use crate::model::document::Document;
use crate::model::effect::{Decision, Effect, MailKind};
use crate::model::policy::Policy;
use crate::model::snapshot::{Question, Snapshot};
use crate::model::{Damage, InboxId};
use crate::openpgp::keyring::Keyring;
use crate::openpgp::open::{self, Opened};
use crate::rules::{Assessment, RuleSet, assess};
use crate::store::{Deciding, Place, Store, View, WaitingMail, is_busy, is_full};
use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Tries before a mail is put aside (DESIGN 4, ATTACKS F14): one for a passing fault, one more to be sure. As often
/// may the program end while it is at one mail alone (F73): what uses up the memory does so each time, and nobody
/// sees it fail.
const ATTEMPTS_MAX: u32 = 3;
/// Text that comes out of one encrypted mail: so many times its own size, and at least this much. Written words
/// shrink to a fifth, logs to a twentieth; what grows more is a bomb.
const EXPANSION_MAX: usize = 100;
const PLAINTEXT_BYTES_MIN: usize = 4 * 1024 * 1024;

/// Read mail of one batch that lies in memory at a time. What came encrypted and packed may be many times the
/// bytes that the batch was chosen by.
const LAID_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How far the log may be ahead of the clock: as far ahead as a signature may be (contract 5).
const CLOCK_BEHIND_MAX: SignedDuration = SignedDuration::from_mins(10);

/// What a message is read by: enough for `inspect`, which decides nothing.
#[derive(Debug)]
pub struct Reader {
    pub rules: Arc<RuleSet>,
    pub house: House,
    pub keyring: Keyring,
    /// The most bytes that may come out of one encrypted mail: as many as a mail may have.
    pub plaintext_limit: usize,
}

impl Reader {
    /// Reads, opens and assesses a message. Never fails; a panic below is the caller's to catch.
    #[must_use]
    pub fn prepare(&self, raw: &[u8], now: Timestamp) -> Prepared {
        let reading = read::read(raw);
        let likely = raw.len().saturating_mul(EXPANSION_MAX).max(PLAINTEXT_BYTES_MIN);
        let mut opened = open::open(reading, &self.keyring, now, likely.min(self.plaintext_limit));
        let told = told::tell(&opened.mail, &self.house);
        if told.indicators_dropped > 0 {
            let detail = format!("{} more indicators were not kept; the mail has them all", told.indicators_dropped);
            opened.damage.push(Damage::new("too-many-indicators", detail));
        }
        let found = assess(&self.rules, &opened.mail, &told);
        let recognised = &told.recognised;
        // A robot's parts are no documents of a report.
        // Nor are the parts of a mail that nobody could open.
        let may_be = [Some(recognised), recognised.unless_ours.as_deref()];
        let is_filed = may_be.iter().flatten().any(|may| matches!(may.kind, MailKind::Report | MailKind::Reply | MailKind::Analyst))
            && opened.findings.is_decrypted != Some(false);
        let documents = if is_filed { document::find(&opened.mail.text.new, &files(&opened.mail)) } else { document::Found::default() };
        let bounces = if recognised.kind == MailKind::Bounce { dsn::bounces(&opened.mail) } else { Vec::new() };
        Prepared {
            rules: Arc::clone(&self.rules),
            told,
            found,
            documents: documents.set(),
            attachment_documents: documents.files,
            evidence: documents.documents,
            form: documents.form,
            bounces,
            opened,
        }
    }
}

/// What mail is judged by. Replaced as a whole when the configuration is read again.
#[derive(Debug)]
pub struct Bench {
    pub policy: Arc<Policy>,
    pub templates: Arc<Templates>,
    pub reader: Reader,
}

impl Bench {
    /// The same judgement with other certificates.
    #[must_use]
    pub fn with_keyring(&self, keyring: Keyring, now: Timestamp) -> Self {
        let mut policy = Policy::clone(&self.policy);
        super::setup::look_at_units(&mut policy, &keyring, now);
        let (rules, house, plaintext_limit) = (Arc::clone(&self.reader.rules), self.reader.house.clone(), self.reader.plaintext_limit);
        let reader = Reader { rules, house, keyring, plaintext_limit };
        Self { policy: Arc::new(policy), templates: Arc::clone(&self.templates), reader }
    }

    /// The same judgement by other rules.
    #[must_use]
    pub fn with_rules(&self, rules: RuleSet) -> Self {
        let (house, keyring, plaintext_limit) = (self.reader.house.clone(), self.reader.keyring.clone(), self.reader.plaintext_limit);
        let reader = Reader { rules: Arc::new(rules), house, keyring, plaintext_limit };
        Self { policy: Arc::clone(&self.policy), templates: Arc::clone(&self.templates), reader }
    }

    /// Where the store finds the numbers' prefix and year.
    #[must_use]
    pub fn place(&self) -> Place {
        Place { prefix: self.policy.ticket_prefix.clone(), time_zone: self.policy.time_zone.clone() }
    }

    /// What decisions are made with.
    #[must_use]
    pub fn desk<'a>(&'a self, key: &'a TokenKey, now: Timestamp) -> Desk<'a> {
        Desk { policy: &self.policy, templates: &self.templates, key, now }
    }
}

/// A message as it lies before the core.
#[derive(Debug)]
pub struct Prepared {
    pub opened: Opened,
    pub told: Told,
    /// The rules that it was assessed by.
    pub rules: Arc<RuleSet>,
    pub found: Assessment,
    pub documents: BTreeSet<Document>,
    pub attachment_documents: Vec<Option<Document>>,
    /// Which attachment or which words each document was told by.
    pub evidence: BTreeMap<Document, String>,
    pub form: BTreeMap<String, String>,
    pub bounces: Vec<Bounce>,
}

impl Prepared {
    /// The message under its number.
    #[must_use]
    pub fn arrived<'a>(&'a self, id: InboxId, received_at: Timestamp, header_only: Option<u64>) -> Arrived<'a> {
        Arrived {
            id,
            received_at,
            opened: &self.opened,
            damage: &self.opened.damage,
            recognised: &self.told.recognised,
            told: &self.told,
            rules: &self.rules,
            found: &self.found,
            documents: self.documents.clone(),
            attachment_documents: self.attachment_documents.clone(),
            evidence: self.evidence.clone(),
            form: self.form.clone(),
            bounces: self.bounces.clone(),
            header_only,
            promoted: None,
            opening: None,
        }
    }

    /// How many bytes of memory the message holds, more or less: its texts and every file that came out of it.
    fn bytes(&self) -> usize {
        let mail = &self.opened.mail;
        let files = mail.attachments.iter().chain(&self.opened.opened_files);
        let files: usize = files.map(|file| file.content.len() + file.text.as_ref().map_or(0, String::len)).sum();
        mail.raw.len() + mail.text.full.len() + mail.text.new.len() + mail.text.quoted.len() + files
    }
}

/// The attachments as the search for documents sees them.
fn files(mail: &Mail) -> Vec<document::File<'_>> {
    mail.attachments
        .iter()
        .map(|file| document::File {
            name: &file.name,
            media_type: &file.media_type,
            is_layout: file.is_layout,
            text: file.text.as_deref(),
        })
        .collect()
}

/// How far the host's clock is behind what the audit log knows, where that is more than passes for an error:
/// commands wait then, for a captured one could be fresh again (ATTACKS C4).
///
/// # Errors
/// Where the store cannot be read.
pub fn clock_behind(store: &Store, now: Timestamp) -> anyhow::Result<Option<SignedDuration>> {
    let behind = store.latest_audit()?.map(|latest| latest.duration_since(now));
    Ok(behind.filter(|behind| *behind > CLOCK_BEHIND_MAX))
}

/// Whether commands are carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Commands {
    Act,
    Wait,
}

/// A mail that must not be decided yet; it is no fault of the mail.
#[derive(Debug)]
struct MustWait;

impl std::fmt::Display for MustWait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a command waits: the host's clock is behind the audit log")
    }
}

impl std::error::Error for MustWait {}

/// Handles one stored mail: counts the attempt, decides, commits.
fn handle(store: &Store, bench: &Bench, key: &TokenKey, id: InboxId, now: Timestamp, commands: Commands) -> anyhow::Result<Decision> {
    let Some(waiting) = store.begin_attempts(&[id], now).with_context(|| format!("count an attempt at mail {id}"))?.pop() else {
        return unread(store, bench, key, id, now);
    };
    let deaths = store.deaths(id);
    if deaths >= ATTEMPTS_MAX {
        let reason = format!("the program ended {deaths} times while it was at this mail");
        return put_aside(store, bench, key, &waiting, &reason, now);
    }
    let attempt = catch_unwind(AssertUnwindSafe(|| decide_on(store, bench, key, &waiting, now, commands)));
    let reason = match attempt {
        Ok(Ok(decision)) => {
            store.forget_deaths(id);
            return Ok(decision);
        }
        Ok(Err(error)) if error.is::<MustWait>() => {
            store.postpone(id)?;
            return Err(error);
        }
        // A full disk, a busy database or a machine without memory is no fault of the mail.
        Ok(Err(error)) if is_full(&error) || is_busy(&error) => {
            store.postpone(id)?;
            return Err(error);
        }
        Ok(Err(error)) if waiting.attempts < ATTEMPTS_MAX => return Err(error),
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) if waiting.attempts < ATTEMPTS_MAX => anyhow::bail!("mail {id} made the program panic, attempt {}", waiting.attempts),
        Err(_) => "the program panicked".to_owned(),
    };
    put_aside(store, bench, key, &waiting, &reason, now)
}

/// Files a mail as unreadable, with a ticket and word to the analysts; its bytes are kept and not looked into.
fn put_aside(
    store: &Store,
    bench: &Bench,
    key: &TokenKey,
    waiting: &WaitingMail,
    reason: &str,
    now: Timestamp,
) -> anyhow::Result<Decision> {
    tracing::error!(inbox = waiting.id.0, reason, "put aside");
    let sha256 = crate::model::Sha256::of(&waiting.raw);
    let desk = bench.desk(key, now);
    let give_up = |world: &Snapshot| decide::give_up(waiting.id, &sha256.0, reason, world, desk);
    let decision = store.decide(waiting.id, &Question::default(), &bench.place(), now, give_up)?;
    store.forget_deaths(waiting.id);
    Ok(decision)
}

/// A mail whose bytes in the database are not those that came: put aside like one that makes the program fail,
/// so that a person hears of it.
fn unread(store: &Store, bench: &Bench, key: &TokenKey, id: InboxId, now: Timestamp) -> anyhow::Result<Decision> {
    let (place, reason) = (bench.place(), "its bytes in the database are damaged");
    let view = View { time_zone: place.time_zone.clone(), now, center_address: bench.policy.center_address.to_string() };
    let mail = store.mail_page(id, &view)?.with_context(|| format!("there is no mail {id}"))?;
    anyhow::ensure!(mail.attempts >= ATTEMPTS_MAX, "mail {id}: {reason}, attempt {}", mail.attempts);
    tracing::error!(inbox = id.0, reason, "put aside");
    store.decide(id, &Question::default(), &place, now, |world| decide::give_up(id, &mail.sha256, reason, world, bench.desk(key, now)))
}

fn decide_on(
    store: &Store,
    bench: &Bench,
    key: &TokenKey,
    waiting: &WaitingMail,
    now: Timestamp,
    commands: Commands,
) -> anyhow::Result<Decision> {
    let laid = {
        let _at_work = store.at_work(waiting.id);
        Laid::new(store, bench, waiting, now)?
    };
    if laid.must_wait(commands) {
        return Err(MustWait.into());
    }
    let decision = store.decide(waiting.id, &laid.question, &bench.place(), now, |world| {
        let _at_work = store.at_work(waiting.id);
        laid.decide(world, bench.desk(key, now))
    })?;
    laid.tell(&decision);
    Ok(decision)
}

/// A mail read and laid before the core, with what it asks of the store.
struct Laid {
    id: InboxId,
    received_at: Timestamp,
    header_only: Option<u64>,
    prepared: Prepared,
    question: Question,
    /// The mail that !angkat names, read in the same way before the transaction.
    promoted: Option<(InboxId, Prepared)>,
    /// The mail that opened the ticket which `!status` asks about, or whose category `!kategori` sets.
    opening: Option<(InboxId, Prepared)>,
    now: Timestamp,
}

impl Laid {
    fn new(store: &Store, bench: &Bench, waiting: &WaitingMail, now: Timestamp) -> anyhow::Result<Self> {
        let prepared = bench.reader.prepare(&waiting.raw, now);
        let mut question = decide::ask(&prepared.arrived(waiting.id, waiting.received_at, waiting.header_only_bytes), &bench.policy);
        let promoted = match question.mail {
            Some(id) => store.raw(id)?.map(|raw| (id, bench.reader.prepare(&raw, now))),
            None => None,
        };
        let opening = match &question.opening {
            Some(number) => store.opening_mail(number)?.map(|(id, raw)| (id, bench.reader.prepare(&raw, now))),
            None => None,
        };
        if let Some((_, mail)) = &promoted {
            question.acknowledged = mail.opened.mail.from_one().cloned();
        }
        let (id, received_at, header_only) = (waiting.id, waiting.received_at, waiting.header_only_bytes);
        Ok(Self { id, received_at, header_only, prepared, question, promoted, opening, now })
    }

    fn must_wait(&self, commands: Commands) -> bool {
        commands == Commands::Wait && self.prepared.told.recognised.kind == MailKind::Analyst
    }

    fn bytes(&self) -> usize {
        self.prepared.bytes() + self.promoted.iter().chain(&self.opening).map(|(_, other)| other.bytes()).sum::<usize>()
    }

    fn decide(&self, world: &Snapshot, desk: Desk<'_>) -> Decision {
        let promoted = self.promoted.as_ref().map(|(id, prepared)| prepared.arrived(*id, self.now, None));
        let opening = self.opening.as_ref().map(|(id, prepared)| prepared.arrived(*id, self.now, None));
        let mut arrived = self.prepared.arrived(self.id, self.received_at, self.header_only);
        arrived.promoted = promoted.as_ref();
        arrived.opening = opening.as_ref();
        decide::decide(&arrived, world, desk)
    }

    fn tell(&self, decision: &Decision) {
        let filed = decision.effects.iter().find_map(|effect| match effect {
            Effect::File(filing) => Some(filing.kind),
            _ => None,
        });
        tracing::info!(
            inbox = self.id.0,
            kind = filed.unwrap_or(self.prepared.told.recognised.kind).word(),
            category = self.prepared.found.category.word(),
            effects = decision.effects.len(),
            "decided"
        );
    }
}

/// Mails under one commit: enough to share its fsync, few enough that the first waits for no long time.
const BATCH: usize = 32;

/// What became of each mail of a batch.
type Outcomes = Vec<(InboxId, anyhow::Result<()>)>;

/// Handles several mails that nobody began with, under one commit, or under a few where what came out of
/// them is large. A mail that fails here is no worse off than after a first try alone: the next try is
/// alone, and the last one is there too.
fn handle_batch(
    store: &Store,
    bench: &Bench,
    key: &TokenKey,
    ids: &[InboxId],
    now: Timestamp,
    commands: Commands,
) -> anyhow::Result<Outcomes> {
    let mut outcomes: Outcomes = Vec::new();
    let mut laid: Vec<Laid> = Vec::new();
    let mut laid_bytes = 0;
    for waiting in store.begin_attempts(ids, now).context("count an attempt at a batch of mail")? {
        match catch_unwind(AssertUnwindSafe(|| Laid::new(store, bench, &waiting, now))) {
            Ok(Ok(mail)) if mail.must_wait(commands) => {
                store.postpone(mail.id)?;
                outcomes.push((mail.id, Err(MustWait.into())));
            }
            Ok(Ok(mail)) => {
                laid_bytes += mail.bytes();
                laid.push(mail);
            }
            Ok(Err(error)) => outcomes.push((waiting.id, Err(error))),
            Err(_) => outcomes.push((waiting.id, Err(anyhow::anyhow!("mail {} made the program panic", waiting.id)))),
        }
        if laid_bytes > LAID_BYTES_MAX {
            laid_bytes = 0;
            decide_laid(store, bench, key, std::mem::take(&mut laid), now, &mut outcomes)?;
        }
    }
    decide_laid(store, bench, key, laid, now, &mut outcomes)?;
    Ok(outcomes)
}

/// One commit for mails that are read.
fn decide_laid(
    store: &Store,
    bench: &Bench,
    key: &TokenKey,
    laid: Vec<Laid>,
    now: Timestamp,
    outcomes: &mut Outcomes,
) -> anyhow::Result<()> {
    let deciding = |mail| {
        let mail: &Laid = mail;
        Deciding { id: mail.id, question: mail.question.clone(), decide: Box::new(move |world| mail.decide(world, bench.desk(key, now))) }
    };
    let decided = catch_unwind(AssertUnwindSafe(|| store.decide_all(laid.iter().map(deciding).collect(), &bench.place(), now)));
    // Nothing of these was committed where one of them made the core panic: each goes alone now.
    let Ok(decided) = decided else { return Ok(()) };
    for (mail, decision) in laid.iter().zip(decided?) {
        outcomes.push((mail.id, decision.map(|decision| mail.tell(&decision))));
    }
    Ok(())
}

/// Handles everything that waits; a mail that fails is left for the next round, the others go on.
/// Gives how many were decided.
///
/// # Errors
/// Where the store cannot be read.
pub fn handle_waiting(store: &Store, bench: &Bench, key: &TokenKey, now: impl Fn() -> Timestamp) -> anyhow::Result<usize> {
    let mut handled = 0;
    let mut left: BTreeSet<InboxId> = BTreeSet::new();
    let commands = if clock_behind(store, now())?.is_some() { Commands::Wait } else { Commands::Act };
    loop {
        let batch = store.next_batch(BATCH, &left)?;
        let outcomes = match batch.as_slice() {
            [] => return Ok(handled),
            [alone] => vec![(*alone, handle(store, bench, key, *alone, now(), commands).map(|_| ()))],
            several => handle_batch(store, bench, key, several, now(), commands)?,
        };
        for (id, outcome) in outcomes {
            match outcome {
                Ok(()) => handled += 1,
                Err(error) => {
                    tracing::error!(inbox = id.0, error = format!("{error:#}"), "not decided");
                    left.insert(id);
                }
            }
        }
    }
}
