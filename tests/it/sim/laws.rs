//! What must hold after each step.

use super::events::{CANARY, is_automatic};
use super::town::{Town, base};
use bantuan70::model::effect::MailKind;
use bantuan70::model::letter::{LetterKind, LetterState, Protection};
use bantuan70::model::ticket::TicketNumber;
use bantuan70::store::{MailFilter, OutboxId, TicketFilter};
use std::collections::{BTreeMap, BTreeSet};

/// What was seen so far: states of letters may only climb the ladder.
#[derive(Debug, Default)]
pub struct Watch {
    letters: BTreeMap<i64, LetterState>,
    accepted: usize,
}

macro_rules! law {
    ($holds:expr, $($broken:tt)*) => { if !$holds { return Err(format!($($broken)*)); } };
}

impl Watch {
    pub fn look(&mut self, town: &Town) -> Result<(), String> {
        let store = &town.daemon().store;
        let view = town.view();
        let audit = store.audit_verify().map_err(|error| format!("{error:#}"))?;
        law!(audit.problems.is_empty(), "audit: {}", audit.problems.join("; "));
        self.mail(town)?;
        numbers(town)?;
        self.outbox(town)?;
        // What went out in the clear told nothing of what was marked.
        for mail in town.accepted.iter().skip(self.accepted) {
            let raw = String::from_utf8_lossy(&mail.raw);
            law!(!raw.contains(CANARY), "a canary left readable in {}", mail.message_id);
            law!(view.center_address.as_str() != mail.to.as_str(), "{} went to ourselves", mail.message_id);
        }
        self.accepted = town.accepted.len();
        Ok(())
    }

    /// Every stored mail is decided or waits; none of these mails is beyond reading.
    fn mail(&self, town: &Town) -> Result<(), String> {
        let store = &town.daemon().store;
        for row in store.mail(&MailFilter::default(), &town.view()).map_err(|error| format!("{error:#}"))? {
            law!(row.state == "stored" || row.kind.is_some(), "mail {} is neither decided nor waiting", row.id);
            law!(row.kind != Some(MailKind::Unreadable) && !row.quarantine, "mail {} was put aside: {}", row.id, row.reason);
        }
        Ok(())
    }

    fn outbox(&mut self, town: &Town) -> Result<(), String> {
        let store = &town.daemon().store;
        let robot = base().actors["robot"].address.to_string();
        let mut acknowledged: BTreeSet<TicketNumber> = BTreeSet::new();
        for row in store.outbox(LetterState::ALL, &town.view()).map_err(|error| format!("{error:#}"))? {
            let name = format!("letter {} ({} to {}, {})", row.id, row.kind, row.to, row.state);
            if row.kind == LetterKind::Acknowledgement {
                law!(row.ticket.clone().is_some_and(|ticket| acknowledged.insert(ticket)), "{name}: a second acknowledgement");
            }
            law!(!is_automatic(row.kind) || row.to != robot, "{name}: a robot was answered");
            let before = self.letters.insert(row.id, row.state).unwrap_or(LetterState::Queued);
            law!(may_follow(before, row.state), "{name}: it was {before}");
            let waits = matches!(row.state, LetterState::Queued);
            law!(!waits || row.next_at.is_some(), "{name}: it waits for no time");
            law!(row.state != LetterState::Sending, "{name}: under way though nobody sends");
            law!((row.state == LetterState::Sent) <= row.sent_at.is_some(), "{name}: sent at no time");
            law!(!matches!(row.state, LetterState::Held | LetterState::Failed) || row.last_error.is_some(), "{name}: for no reason");
            law!(row.resends <= 1, "{name}: sent again {} times", row.resends);
            let times = town.accepted.iter().filter(|mail| mail.message_id == row.message_id).count();
            law!(times <= 1 + row.resends as usize, "{name}: went out {times} times");
            law!(row.state != LetterState::Sent || times > 0, "{name}: never went out");
            let letter = store.letter(OutboxId(row.id)).map_err(|error| format!("{error:#}"))?.letter;
            let is_sealed = matches!(letter.protection, Protection::Sealed { .. });
            law!(is_sealed || !letter.tlp.is_some_and(bantuan70::model::Tlp::must_be_encrypted), "{name}: {:?} unsealed", letter.tlp);
            let tags = letter.subject.matches("[BANTUAN70-").count();
            law!(tags == usize::from(letter.ticket.is_some()), "{name}: {tags} tags in '{}'", letter.subject);
        }
        Ok(())
    }

    /// At the end nothing waits in the mailbox or undecided.
    /// Gives what the play came to.
    pub fn rest(&self, town: &Town) -> Result<BTreeSet<String>, String> {
        let left: Vec<_> = ["in/new", "in/cur"].iter().flat_map(|folder| std::fs::read_dir(town.dir.join(folder)).unwrap()).collect();
        law!(left.is_empty(), "{} mails lie in the inbox", left.len());
        let waiting = town.daemon().store.waiting_mail(10).map_err(|error| format!("{error:#}"))?;
        law!(waiting.is_empty(), "mail is not decided: {waiting:?}");
        let (store, view) = (&town.daemon().store, town.view());
        let mut reached = BTreeSet::new();
        reached.extend(store.mail(&MailFilter::default(), &view).unwrap().iter().filter_map(|row| row.kind).map(|kind| kind.to_string()));
        for row in store.outbox(LetterState::ALL, &view).unwrap() {
            reached.insert(if row.kind == LetterKind::Reply { "reply letter".to_owned() } else { row.kind.to_string() });
            reached.insert(row.state.to_string());
            if row.resends > 0 {
                reached.insert("sent again".to_owned());
            }
        }
        reached.extend(store.ticket_states(&TicketFilter::default()).unwrap().iter().map(|ticket| ticket.state.to_string()));
        Ok(reached)
    }
}

/// Numbers have no hole.
fn numbers(town: &Town) -> Result<(), String> {
    let store = &town.daemon().store;
    let tickets = store.ticket_states(&TicketFilter::default()).map_err(|error| format!("{error:#}"))?;
    let found: BTreeSet<String> = tickets.iter().map(|ticket| ticket.number.to_string()).collect();
    let wanted: BTreeSet<String> = (1..=tickets.len()).map(|n| format!("BANTUAN70-2026-{n:06}")).collect();
    law!(found == wanted, "tickets have the numbers {found:?}");
    let mut disseminations = BTreeSet::new();
    for ticket in &tickets {
        let page = store.ticket(&ticket.number, &town.view()).map_err(|error| format!("{error:#}"))?;
        disseminations.extend(page.unwrap().disseminations.iter().map(|one| one.number.to_string()));
    }
    let wanted: BTreeSet<String> = (1..=disseminations.len()).map(|n| format!("DIS-2026-{n:04}")).collect();
    law!(disseminations == wanted, "disseminations have the numbers {disseminations:?}");
    Ok(())
}

/// The outbox ladder between two looks.
fn may_follow(before: LetterState, after: LetterState) -> bool {
    use LetterState::{Cancelled, Failed, Held, Queued, Sending, Sent, Uncertain};
    match before {
        Queued => after != Sending,
        Sent => matches!(after, Sent | Failed),
        Uncertain => after != Sending,
        Held => matches!(after, Held | Queued | Cancelled | Sent | Failed | Uncertain),
        Failed => after == Failed,
        Cancelled => after == Cancelled,
        Sending => false,
    }
}
