//! Effects become rows, inside the transaction of their cause. What must never happen twice is a
//! constraint of the schema here: a decision that is applied again cannot be committed.

use super::audit::{self, Entry};
use super::snapshot::{self, Series};
use super::{Place, at};
use crate::model::dissemination::{Dissemination, DisseminationNumber, DisseminationState, Recipient};
use crate::model::effect::{Decision, Effect, Filing, Indicators, Kept};
use crate::model::letter::{Enclosure, Letter, LetterState};
use crate::model::ticket::{Ticket, TicketEvent, TicketNumber};
use crate::model::{InboxId, Sha256};
use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Transaction, named_params};
use std::cell::RefCell;
use std::collections::BTreeSet;

/// Who acts where no person does.
pub(super) const SELF: &str = "bantuan70";

/// Reasons longer than this are cut in the audit log; the mail itself is kept whole.
const REASON_CHARS_MAX: usize = 2_000;

/// What led to a decision.
#[derive(Debug)]
pub(super) struct Cause<'a> {
    pub text: &'a str,
    pub inbox: Option<InboxId>,
    /// The hash of the mail's content, for finding it again under other trace headers.
    pub content: Option<&'a Sha256>,
}

struct Applying<'a> {
    tx: &'a Transaction<'a>,
    cause: &'a Cause<'a>,
    place: &'a Place,
    now: Timestamp,
    /// Files that this decision stored: one that goes to thousands is hashed and written once.
    kept: RefCell<BTreeSet<Sha256>>,
}

/// Applies every effect in its order, and writes the audit entries.
pub(super) fn all(tx: &Transaction<'_>, cause: &Cause<'_>, decision: &Decision, place: &Place, now: Timestamp) -> anyhow::Result<()> {
    let applying = Applying { tx, cause, place, now, kept: RefCell::default() };
    for effect in &decision.effects {
        applying.one(effect).with_context(|| format!("apply the decision on {}", cause.text))?;
    }
    if !decision.because.is_empty() {
        let because: String = decision.because.join("; ").chars().take(REASON_CHARS_MAX).collect();
        applying.audit(SELF, "decided", "decision", cause.text, &because, "")?;
    }
    Ok(())
}

/// One recipient of a dissemination stands so from now on, and the dissemination with it.
pub(super) fn set_recipient(
    tx: &Transaction<'_>,
    cause: &Cause<'_>,
    number: &DisseminationNumber,
    recipient: &Recipient,
    state: DisseminationState,
    now: Timestamp,
) -> anyhow::Result<()> {
    let body = serde_json::to_string(recipient).context("write a recipient")?;
    // Of a certificate that was changed in the row the manifest tells, and the letter is held.
    let changed = tx
        .prepare_cached(
            "UPDATE recipient SET state = :state, at = :at, message_id = :message_id, body = :body
             WHERE dissemination = :dissemination AND address = :address",
        )?
        .execute(named_params! {
            ":state": recipient.state.word(), ":at": at(recipient.at), ":message_id": recipient.message_id, ":body": body,
            ":dissemination": number.0, ":address": recipient.address.as_str(),
        })
        .with_context(|| format!("write a recipient of {number}"))?;
    ensure!(changed == 1, "{} is no recipient of {number}", recipient.address);
    tx.prepare_cached("UPDATE dissemination SET updated_at = ?2 WHERE number = ?1")?
        .execute((&number.0, at(now)))
        .with_context(|| format!("write dissemination {number}"))?;
    tx.prepare_cached("UPDATE dissemination SET state = ?2, body = json_set(body, '$.state', ?2) WHERE number = ?1 AND state <> ?2")?
        .execute((&number.0, state.word()))
        .with_context(|| format!("write the state of {number}"))?;
    let what = recipient.state.word();
    let (detail, digest) = (recipient.address.as_str(), Sha256::of(body.as_bytes()));
    let entry = Entry { by: SELF, what, thing: "dissemination", thing_id: &number.0, detail, cause: cause.text, digest: &digest.0 };
    audit::append(tx, now, &entry)
}

impl Applying<'_> {
    fn one(&self, effect: &Effect) -> anyhow::Result<()> {
        match effect {
            Effect::File(filing) => self.file(filing),
            Effect::Event { ticket, by, event, detail } => self.event(ticket, by, event, detail),
            Effect::Queue(letter) => self.queue(letter),
            Effect::ReleaseHeld { ticket } => self.release_held(ticket),
            Effect::Keep { ticket, attachments, indicators } => self.keep(ticket, attachments, indicators),
            Effect::SetDissemination(dissemination) => self.set_dissemination(dissemination),
            Effect::SetRecipient { dissemination, recipient, state } => {
                set_recipient(self.tx, self.cause, dissemination, recipient, *state, self.now)
            }
            Effect::CancelLetters { dissemination } => self.cancel_letters(dissemination),
            Effect::SetLetterState { message_id, state, because } => self.set_letter_state(message_id, *state, because),
            Effect::RememberSignature { key, by, signed_at } => {
                self.tx
                    .prepare_cached("INSERT INTO signature (key, inbox, by, signed_at, used_at) VALUES (?1, ?2, ?3, ?4, ?5)")?
                    .execute((&key.0, self.cause.inbox.map(|id| id.0), by.as_str(), at(*signed_at), at(self.now)))
                    .context("remember the signature: it was used before")?;
                self.audit(by.as_str(), "signature", "signature", &key.0, "", "")
            }
            Effect::NoteContactBounce { address, because } => {
                let changed = self
                    .tx
                    .prepare_cached("UPDATE contact SET bounced_at = ?2, bounced_because = ?3 WHERE address = ?1")?
                    .execute((address.as_str(), at(self.now), because))
                    .context("note that mail to a contact came back")?;
                if changed > 0 { self.audit(SELF, "bounced", "contact", address.as_str(), because, "") } else { Ok(()) }
            }
            Effect::KeepCandidate { ticket, address, fingerprint, certificate } => {
                self.tx
                    .prepare_cached(
                        "INSERT INTO candidate (ticket, address, fingerprint, content, inbox, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                         ON CONFLICT DO NOTHING",
                    )?
                    .execute((&ticket.0, address.as_str(), &fingerprint.0, certificate, self.cause.inbox.map(|id| id.0), at(self.now)))
                    .context("keep a reporter's key")?;
                self.audit(SELF, "candidate", "ticket", &ticket.0, &fingerprint.0, &Sha256::of(certificate).0)
            }
            Effect::RememberPlaintext { sha256, from } => {
                self.tx
                    .prepare_cached("INSERT INTO plaintext (sha256, inbox, sender, at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")?
                    .execute((&sha256.0, self.cause.inbox.map(|id| id.0), from.as_ref().map(|from| from.as_str()), at(self.now)))
                    .context("remember a decrypted text")?;
                Ok(())
            }
            Effect::CountRefusal { person } => {
                self.tx
                    .prepare_cached("INSERT INTO refusal (person, at) VALUES (?1, ?2)")?
                    .execute((person.as_str(), at(self.now)))
                    .context("count the refusal")?;
                self.audit(SELF, "refused", "person", person.as_str(), "", "")
            }
            Effect::Promote { mail, ticket } => self.promote(*mail, ticket),
            Effect::Crowd { ticket, line } => {
                self.tx
                    .prepare_cached("INSERT INTO crowd (ticket, at, line) VALUES (?1, ?2, ?3)")?
                    .execute((&ticket.0, at(self.now), line))
                    .context("keep the line of a new ticket")?;
                Ok(())
            }
            Effect::CrowdTold => {
                self.tx.prepare_cached("DELETE FROM crowd")?.execute([]).context("forget the lines that were told")?;
                Ok(())
            }
            Effect::Audit { by, what, detail } => self.audit(by, what, "note", "", detail, ""),
        }
    }

    fn audit(&self, by: &str, what: &str, thing: &str, thing_id: &str, detail: &str, digest: &str) -> anyhow::Result<()> {
        audit::append(self.tx, self.now, &Entry { by, what, thing, thing_id, detail, cause: self.cause.text, digest })
    }

    fn file(&self, filing: &Filing) -> anyhow::Result<()> {
        let Some(id) = self.cause.inbox else { bail!("a verdict on a mail without a mail") };
        let changed = self
            .tx
            .prepare_cached(
                "UPDATE inbox SET state = 'decided', decided_at = :now, content_sha256 = :content, kind = :kind, ticket = :ticket,
                 from_address = :from, message_id = :message_id, subject = :subject, text = :text, language = :language,
                 category = :category, because = :because, quarantine = :quarantine, in_digest = :in_digest,
                 rules_version = :rules_version
                 WHERE id = :id AND state = 'stored'",
            )?
            .execute(named_params! {
                ":now": at(self.now), ":content": self.cause.content.map(|hash| &hash.0), ":kind": filing.kind.word(),
                ":ticket": filing.ticket.as_ref().map(|number| &number.0), ":from": filing.from.as_ref().map(|from| from.as_str()),
                ":message_id": filing.message_id, ":subject": filing.subject, ":text": filing.text, ":language": filing.language.word(),
                ":category": filing.category.word(), ":because": filing.because, ":quarantine": filing.quarantine,
                ":in_digest": filing.in_digest, ":rules_version": filing.rules_version, ":id": id.0,
            })
            .context("file the mail")?;
        ensure!(changed == 1, "mail {id} is decided already");
        if let Some(ticket) = &filing.ticket {
            self.index(ticket, &[&filing.subject, &filing.text])?;
        }
        let digest = Sha256::of(serde_json::to_string(filing).context("write the verdict")?.as_bytes());
        self.audit(SELF, "filed", "mail", &id.to_string(), &format!("{}: {}", filing.kind, filing.because), &digest.0)
    }

    fn event(&self, number: &TicketNumber, by: &str, event: &TicketEvent, detail: &str) -> anyhow::Result<()> {
        let before: Option<(String, i64)> = self
            .tx
            .prepare_cached("SELECT fold, events FROM ticket WHERE number = ?1")?
            .query_row([&number.0], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
            .with_context(|| format!("read ticket {number}"))?;
        let (ticket, n) = match before {
            Some((fold, events)) => {
                ensure!(!matches!(event, TicketEvent::Opened(_)), "ticket {number} is open already");
                (Some(serde_json::from_str::<Ticket>(&fold).with_context(|| format!("read ticket {number}"))?), events + 1)
            }
            None => (None, 1),
        };
        if let TicketEvent::Opened(first) = event {
            ensure!(first.number == *number, "ticket {number} opens under another number, {}", first.number);
            self.take_number(Series::Ticket, &number.0)?;
        }
        let Some(ticket) = Ticket::fold(ticket, event, self.now) else { bail!("there is no ticket {number}") };
        self.put_ticket(&ticket, n)?;
        let body = serde_json::to_string(event).context("write the event")?;
        self.tx
            .prepare_cached(
                "INSERT INTO event (ticket, n, at, by, event, detail, body, inbox) VALUES (:ticket, :n, :at, :by, :event, :detail, :body, :inbox)",
            )?
            .execute(named_params! {
                ":ticket": number.0, ":n": n, ":at": at(self.now), ":by": by, ":event": event.word(), ":detail": detail,
                ":body": body, ":inbox": self.cause.inbox.map(|id| id.0),
            })
            .with_context(|| format!("write event {n} of {number}"))?;
        let id = self.tx.last_insert_rowid();
        match event {
            TicketEvent::Opened(first) => self.index(number, &[&first.subject])?,
            TicketEvent::Noted { text } => self.index(number, &[text])?,
            _ => {}
        }
        let digest = audit::event_digest(&number.0, n, self.now, by, detail, &body);
        self.audit(by, event.word(), "event", &id.to_string(), &format!("{number} {detail}"), &digest)
    }

    fn put_ticket(&self, ticket: &Ticket, events: i64) -> anyhow::Result<()> {
        self.tx
            .prepare_cached(
                "INSERT INTO ticket (number, state, service, category, priority, tlp, subject, reporter, channel, assignee, opened_at,
                     updated_at, closed_at, survey_sent, events, fold, reporter_mailbox)
                 VALUES (:number, :state, :service, :category, :priority, :tlp, :subject, :reporter, :channel, :assignee, :opened_at,
                     :updated_at, :closed_at, :survey_sent, :events, :fold, :mailbox)
                 ON CONFLICT (number) DO UPDATE SET state = excluded.state, service = excluded.service, category = excluded.category,
                     priority = excluded.priority, tlp = excluded.tlp, subject = excluded.subject, reporter = excluded.reporter,
                     channel = excluded.channel, assignee = excluded.assignee, updated_at = excluded.updated_at,
                     closed_at = excluded.closed_at, survey_sent = excluded.survey_sent, events = excluded.events, fold = excluded.fold",
            )?
            .execute(named_params! {
                ":number": ticket.number.0, ":state": ticket.state.word(), ":service": ticket.service.word(),
                ":category": ticket.category.word(), ":priority": ticket.priority.word(), ":tlp": ticket.tlp.map(|tlp| tlp.word()),
                ":subject": ticket.subject, ":reporter": ticket.reporter.as_ref().map(|address| address.as_str()),
                ":mailbox": ticket.reporter.as_ref().map(|address| address.as_counted().to_string()),
                ":channel": ticket.channel.word(), ":assignee": ticket.assignee.as_ref().map(|address| address.as_str()),
                ":opened_at": at(ticket.opened_at), ":updated_at": at(ticket.updated_at), ":closed_at": ticket.closed_at.map(at),
                ":survey_sent": ticket.survey_sent, ":events": events,
                ":fold": serde_json::to_string(ticket).context("write the ticket")?,
            })
            .with_context(|| format!("write ticket {}", ticket.number))?;
        Ok(())
    }

    /// Advances the counter; a number that is not the next one would leave a hole.
    fn take_number(&self, series: Series, number: &str) -> anyhow::Result<()> {
        let (year, serial) = snapshot::next(self.tx, series, self.place, self.now)?;
        let next = series.number(&self.place.prefix, year, serial);
        ensure!(next == number, "the next number is {next}, not {number}");
        self.tx
            .prepare_cached(
                "INSERT INTO counter (name, year, last) VALUES (?1, ?2, ?3) ON CONFLICT (name, year) DO UPDATE SET last = excluded.last",
            )?
            .execute((series.word(), year, serial))
            .context("advance the counter")?;
        Ok(())
    }

    fn queue(&self, letter: &Letter) -> anyhow::Result<()> {
        for enclosure in &letter.enclosures {
            self.keep_blob(enclosure)?;
        }
        let body = serde_json::to_string(letter).context("write the letter")?;
        let state = if letter.held_because.is_some() { LetterState::Held } else { LetterState::Queued };
        self.tx
            .prepare_cached(
                "INSERT INTO outbox (message_id, kind, to_address, to_mailbox, to_domain, ticket, dissemination, token, state, queued_at,
                     next_at, last_error, letter)
                 VALUES (:message_id, :kind, :to_address, :to_mailbox, :to_domain, :ticket, :dissemination, :token, :state, :queued_at,
                     :next_at, :last_error, :letter)",
            )?
            .execute(named_params! {
                ":message_id": letter.message_id, ":kind": letter.kind.word(), ":to_address": letter.to.as_str(),
                ":to_mailbox": letter.to.as_counted().as_str(), ":to_domain": letter.to.domain(),
                ":ticket": letter.ticket.as_ref().map(|number| &number.0),
                ":dissemination": letter.dissemination.as_ref().map(|number| &number.0), ":token": letter.token,
                ":state": state.word(), ":queued_at": at(self.now),
                ":next_at": (state == LetterState::Queued).then(|| at(letter.not_before.unwrap_or(self.now).max(self.now))), ":last_error": letter.held_because, ":letter": body,
            })
            .with_context(|| format!("queue the {} {}", letter.kind, letter.message_id))?;
        let id = self.tx.last_insert_rowid();
        if let Some(ticket) = letter.ticket.as_ref().filter(|_| letter.dissemination.is_none()) {
            self.index(ticket, &[&letter.subject, &letter.text])?;
        }
        let detail =
            format!("{} {}{}", letter.kind, letter.to, letter.held_because.as_ref().map_or(String::new(), |why| format!(": {why}")));
        self.audit(SELF, state.word(), "letter", &id.to_string(), &detail, &Sha256::of(body.as_bytes()).0)
    }

    /// Stores the bytes of an enclosure once, anew where they had been erased. Where they are not at hand (read back from a row), they must be stored already.
    fn keep_blob(&self, enclosure: &Enclosure) -> anyhow::Result<()> {
        if self.kept.borrow().contains(&enclosure.sha256) {
            return Ok(());
        }
        self.store_blob(enclosure)?;
        self.kept.borrow_mut().insert(enclosure.sha256.clone());
        Ok(())
    }

    fn store_blob(&self, enclosure: &Enclosure) -> anyhow::Result<()> {
        if Sha256::of(&enclosure.content) == enclosure.sha256 {
            self.tx
                .prepare_cached(
                    "INSERT INTO blob (sha256, content) VALUES (?1, ?2)
                     ON CONFLICT (sha256) DO UPDATE SET content = excluded.content WHERE length(blob.content) = 0",
                )?
                .execute((&enclosure.sha256.0, &*enclosure.content))
                .context("store an attachment")?;
            return Ok(());
        }
        let is_there: bool = self
            .tx
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM blob WHERE sha256 = ?1)")?
            .query_row([&enclosure.sha256.0], |row| row.get(0))
            .context("look for an attachment")?;
        ensure!(is_there, "an attachment is not the bytes that its SHA-256 {} names", enclosure.sha256);
        Ok(())
    }

    fn release_held(&self, ticket: &TicketNumber) -> anyhow::Result<()> {
        let released = self
            .tx
            .prepare_cached(
                "UPDATE outbox SET state = 'queued', next_at = ?2, last_error = NULL
                 WHERE ticket = ?1 AND kind = 'acknowledgement' AND state = 'held'",
            )?
            .execute((&ticket.0, at(self.now)))
            .context("release the acknowledgement")?;
        self.audit(SELF, "released", "ticket", &ticket.0, &format!("{released} held acknowledgement"), "")
    }

    fn keep(&self, ticket: &TicketNumber, attachments: &[Kept], indicators: &Indicators) -> anyhow::Result<()> {
        for Kept { enclosure, document } in attachments {
            self.keep_blob(enclosure)?;
            let bytes: i64 = self
                .tx
                .prepare_cached("SELECT length(content) FROM blob WHERE sha256 = ?1")?
                .query_row([&enclosure.sha256.0], |row| row.get(0))?;
            self.tx
                .prepare_cached(
                    "INSERT INTO attachment (ticket, inbox, name, media_type, bytes, sha256, document, at)
                     VALUES (:ticket, :inbox, :name, :media_type, :bytes, :sha256, :document, :at)",
                )?
                .execute(named_params! {
                    ":ticket": ticket.0, ":inbox": self.cause.inbox.map(|id| id.0), ":name": enclosure.name,
                    ":media_type": enclosure.media_type, ":bytes": bytes, ":sha256": enclosure.sha256.0,
                    ":document": document.map(|document| document.word()), ":at": at(self.now),
                })
                .context("keep an attachment")?;
            self.audit(SELF, "kept", "ticket", &ticket.0, "attachment", &enclosure.sha256.0)?;
        }
        let kinds = [
            ("urls", &indicators.urls),
            ("domains", &indicators.domains),
            ("ips", &indicators.ips),
            ("hashes", &indicators.hashes),
            ("emails", &indicators.emails),
            ("cves", &indicators.cves),
        ];
        for (kind, values) in kinds {
            for value in values {
                self.tx
                    .prepare_cached("INSERT INTO indicator (ticket, kind, value) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
                    .execute((&ticket.0, kind, value))
                    .context("keep an indicator")?;
            }
        }
        Ok(())
    }

    fn set_dissemination(&self, dissemination: &Dissemination) -> anyhow::Result<()> {
        let number = &dissemination.number.0;
        let before: Option<Option<String>> = self
            .tx
            .prepare_cached("SELECT json_extract(body, '$.released') FROM dissemination WHERE number = ?1")?
            .query_row([number], |row| row.get(0))
            .optional()
            .context("look for the dissemination")?;
        if before.is_none() {
            self.take_number(Series::Dissemination, number)?;
            // Once, and not with each of its letters, which bear the same words.
            self.index(&dissemination.ticket, &[&dissemination.subject, &dissemination.text])?;
        }
        for enclosure in &dissemination.enclosures {
            self.keep_blob(enclosure)?;
        }
        let digest = Sha256::of(serde_json::to_string(dissemination).context("write the dissemination")?.as_bytes());
        // The recipients stand in rows of their own.
        let body = serde_json::to_string(&Dissemination { recipients: Vec::new(), ..dissemination.clone() })?;
        self.tx
            .prepare_cached(
                "INSERT INTO dissemination (number, ticket, author, state, tlp, created_at, updated_at, sent_at, body)
                 VALUES (:number, :ticket, :author, :state, :tlp, :created_at, :updated_at, :sent_at, :body)
                 ON CONFLICT (number) DO UPDATE SET state = excluded.state, tlp = excluded.tlp, updated_at = excluded.updated_at,
                     sent_at = excluded.sent_at, body = excluded.body",
            )?
            .execute(named_params! {
                ":number": number, ":ticket": dissemination.ticket.0, ":author": dissemination.author.as_str(),
                ":state": dissemination.state.word(), ":tlp": dissemination.tlp.word(), ":created_at": at(dissemination.created_at),
                ":updated_at": at(self.now), ":sent_at": dissemination.sent_at.map(at), ":body": body,
            })
            .with_context(|| format!("write dissemination {number}"))?;
        self.tx.prepare_cached("DELETE FROM recipient WHERE dissemination = ?1")?.execute([number])?;
        for (n, recipient) in dissemination.recipients.iter().enumerate() {
            self.tx
                .prepare_cached(
                    "INSERT INTO recipient (dissemination, address, kind, fingerprint, state, at, message_id, n, body)
                     VALUES (:dissemination, :address, :kind, :fingerprint, :state, :at, :message_id, :n, :body)",
                )?
                .execute(named_params! {
                    ":dissemination": number, ":address": recipient.address.as_str(), ":kind": recipient.kind.word(),
                    ":fingerprint": recipient.fingerprint.as_ref().map(|fingerprint| &fingerprint.0),
                    ":state": recipient.state.word(), ":at": at(recipient.at), ":message_id": recipient.message_id,
                    ":n": i64::try_from(n)?, ":body": serde_json::to_string(recipient).context("write a recipient")?,
                })
                .with_context(|| format!("write a recipient of {number}"))?;
        }
        self.audit(SELF, dissemination.state.word(), "dissemination", number, "", &digest.0)?;
        // What was agreed to stands where no single row can be made to fit another text.
        if let (Some(code), None) = (&dissemination.released, before.flatten()) {
            let manifest = Sha256::of(dissemination.manifest().as_bytes());
            self.audit(SELF, audit::RELEASED, "dissemination", number, code, &manifest.0)?;
        }
        Ok(())
    }

    fn cancel_letters(&self, dissemination: &DisseminationNumber) -> anyhow::Result<()> {
        // A letter under way is not called back; what follows from its outcome stops it, where it has not left.
        let cancelled = self
            .tx
            .prepare_cached(
                "UPDATE outbox SET state = 'cancelled', next_at = NULL WHERE dissemination = ?1 AND state IN ('queued', 'held', 'uncertain')",
            )?
            .execute([&dissemination.0])
            .context("cancel letters")?;
        self.audit(SELF, "cancelled", "dissemination", &dissemination.0, &format!("{cancelled} letters"), "")
    }

    /// Only from where a decision may lead there: what has left is never made to wait or to be cancelled, and what is
    /// stopped never passes for sent.
    fn set_letter_state(&self, message_id: &str, state: LetterState, because: &str) -> anyhow::Result<()> {
        let changed = self
            .tx
            .prepare_cached(
                "UPDATE outbox SET state = :state, last_error = :because, next_at = NULL,
                 sent_at = CASE WHEN :state = 'sent' THEN coalesce(sent_at, :now) ELSE sent_at END
                 WHERE message_id = :message_id AND CASE :state
                     WHEN 'sent' THEN state IN ('sent', 'uncertain')
                     WHEN 'failed' THEN state IN ('sent', 'uncertain')
                     WHEN 'cancelled' THEN state IN ('queued', 'held', 'failed', 'uncertain')
                     ELSE 0 END",
            )?
            .execute(named_params! { ":state": state.word(), ":because": because, ":now": at(self.now), ":message_id": message_id })
            .context("set the state of a letter")?;
        ensure!(changed == 1, "there is no letter {message_id} that can become {state}");
        self.audit(SELF, state.word(), "letter", message_id, because, "")
    }

    fn promote(&self, mail: InboxId, ticket: &TicketNumber) -> anyhow::Result<()> {
        let row: Option<(String, String)> = self
            .tx
            .prepare_cached(
                "UPDATE inbox SET ticket = ?2, in_digest = 0 WHERE id = ?1 AND ticket IS NULL AND state = 'decided' RETURNING subject, text",
            )?
            .query_row((mail.0, &ticket.0), |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()
            .context("promote the mail")?;
        let Some((subject, text)) = row else { bail!("mail {mail} has a ticket already, or is not there") };
        self.index(ticket, &[&subject, &text])?;
        self.audit(SELF, "promoted", "mail", &mail.to_string(), &ticket.0, "")
    }

    fn index(&self, ticket: &TicketNumber, texts: &[&str]) -> anyhow::Result<()> {
        self.tx
            .prepare_cached("INSERT INTO words (ticket, text) VALUES (?1, ?2)")?
            .execute((&ticket.0, texts.join("\n")))
            .context("index the words")?;
        Ok(())
    }
}
