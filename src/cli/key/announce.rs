//! The centre's renewed or next certificate goes to every verified contact, in a mail that the
//! present key signs.

use super::super::{Exit, Failure, Outcome, print};
use crate::config::Config;
use crate::daemon;
use crate::decide::forecast;
use crate::model::Sha256;
use crate::model::contact::Contact;
use crate::model::letter::Enclosure;
use crate::openpgp::Certificate;
use crate::store::Store;
use jiff::Timestamp;
use std::sync::Arc;

pub(super) fn run(config: &Config, store: &Store, certificate: &Certificate, now: Timestamp) -> Outcome {
    let problems = certificate.problems(now);
    if !problems.is_empty() {
        return Err(Failure::usage(format!("the certificate cannot be used: {}", problems.join("; "))));
    }
    let bench = daemon::bench(config, Some(store), now).map_err(|error| Failure::usage(error.to_string()))?;
    let key = store.token_key()?;
    let content: Arc<[u8]> = certificate.armored().into();
    let news = forecast::News {
        fingerprint: certificate.fingerprint(),
        ends: certificate.expires_at(now),
        enclosure: Enclosure {
            name: "openpgp-certificate.asc".to_owned(),
            media_type: "application/pgp-keys".to_owned(),
            sha256: Sha256::of(&content),
            content,
        },
    };
    let contacts: Vec<Contact> = store.contacts()?.into_iter().filter(|contact| contact.is_verified(now)).collect();
    let mut queued = 0;
    for contacts in contacts.chunks(forecast::CONTACTS_MAX) {
        let desk = bench.desk(&key, now);
        let question = news.ask(contacts, desk);
        let decision = store.act("key announce", &question, &bench.place(), now, |world| news.tell(contacts, world, desk))?;
        queued += decision.effects.iter().filter(|effect| matches!(effect, crate::model::effect::Effect::Queue(_))).count();
    }
    print(format_args!("{queued} of {} verified contacts will be told of {}", contacts.len(), news.fingerprint))?;
    Ok(Exit::Done)
}
