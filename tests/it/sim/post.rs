//! Sending without a network: what `daemon::send` does, with a server that says what chance wants.

use super::town::{Accepted, Chance, Town};
use bantuan70::decide::disseminate::{self, Agreed};
use bantuan70::decide::retry::{self, Tried};
use bantuan70::mail::write::Center;
use bantuan70::model::dissemination::DisseminationState;
use bantuan70::model::letter::LetterState;
use bantuan70::model::outcome::{Fault, SendOutcome, Settled};
use bantuan70::openpgp::{recheck, seal};
use bantuan70::store::{Claim, OutboxId, QueuedLetter};

impl Town {
    /// Sends what is due. An error is a commit that failed.
    pub fn send(&mut self, chance: &mut Chance) -> anyhow::Result<()> {
        for id in self.daemon().store.due_letters(self.clock.now(), 500)? {
            if !self.send_one(id, chance)? {
                break;
            }
        }
        Ok(())
    }

    /// `false`: the server is unwell, and the rest waits.
    fn send_one(&mut self, id: OutboxId, chance: &mut Chance) -> anyhow::Result<bool> {
        let now = self.clock.now();
        let daemon = self.daemon().clone();
        let (store, bench) = (&daemon.store, daemon.bench());
        let queued = store.letter(id)?;
        let held =
            |because: String| Settled { state: LetterState::Held, next_at: None, error: Some(because), reply: None, counts_attempt: false };
        let released = queued.letter.dissemination.as_ref().map(|number| store.released(number)).transpose()?.flatten();
        if queued.ground.dissemination == Some(DisseminationState::Cancelled) {
            return store.cancel(id, "bantuan70", now).map(|()| true);
        }
        let desk = bench.desk(&daemon.key, now);
        let agreed = released.and_then(|(one, manifest)| Agreed::new(one, &manifest));
        let letter = match disseminate::leaving(&queued.letter, &queued.ground, agreed.as_ref(), desk) {
            Ok(letter) => letter,
            Err(because) => return self.commit(id, &queued, &held(because)).map(|()| true),
        };
        let center = Center { name: bench.policy.center_name.clone(), address: bench.policy.center_address.clone() };
        let sealed = match &queued.sealed {
            Some(bytes) => recheck(bytes.clone(), &letter, &center, &bench.reader.keyring, now),
            None => seal(&letter, &center, &bench.reader.keyring, now),
        };
        let sealed = match sealed {
            Ok(sealed) => sealed,
            Err(refused) => return self.commit(id, &queued, &held(refused.to_string())).map(|()| true),
        };
        let fresh = queued.sealed.is_none().then(|| sealed.bytes());
        if store.claim(&queued, fresh, now)? != Claim::Taken {
            return Ok(true);
        }
        let reason = || "the server said so".to_owned();
        let (is_accepted, outcome) = match chance.below(100) {
            0..=4 => (false, SendOutcome::Later { reason: reason(), fault: Fault::Letter }),
            5..=6 => (false, SendOutcome::Later { reason: reason(), fault: Fault::Server }),
            7..=8 => (false, SendOutcome::Never { reason: reason() }),
            9..=12 => (true, SendOutcome::Uncertain { reason: reason() }),
            13..=14 => (false, SendOutcome::Uncertain { reason: reason() }),
            _ => (true, SendOutcome::Sent { reply: "250 ok".to_owned() }),
        };
        if is_accepted {
            let message_id = sealed.message_id().to_owned();
            self.accepted.push(Accepted { message_id, to: queued.letter.to.clone(), raw: sealed.bytes().to_vec() });
        }
        let tried = Tried { queued_at: queued.queued_at, attempts: queued.attempts, resends: queued.resends, was: queued.state };
        let settled = retry::settle(&queued.letter, tried, &outcome, now);
        self.commit(id, &queued, &settled)?;
        Ok(!matches!(outcome, SendOutcome::Later { fault: Fault::Server, .. }))
    }

    fn commit(&self, id: OutboxId, queued: &QueuedLetter, settled: &Settled) -> anyhow::Result<()> {
        let (daemon, now) = (self.daemon(), self.clock.now());
        let bench = daemon.bench();
        let desk = bench.desk(&daemon.key, now);
        let question = retry::ask(&queued.letter);
        let consequences = |world: &_| retry::consequences(id, &queued.letter, settled, world, desk);
        daemon.store.settle(id, settled, &bench.place(), &question, now, consequences)?;
        Ok(())
    }
}
