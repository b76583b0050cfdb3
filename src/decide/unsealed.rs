//! Why a letter is held that could not be sealed, in the centre's language: an analyst reads it in
//! a notice, in the timeline and in `outbox list`. Nothing here decides whether it is.

use super::Desk;
use crate::model::unfit::Unfit;
use crate::openpgp::{Held, Reason};

/// The reason of the seal.
#[must_use]
pub fn words(held: &Held, desk: Desk<'_>) -> String {
    let say = |key: &str, arguments: &[(&str, &str)]| desk.say(&format!("held.{key}"), arguments);
    match &held.reason {
        Reason::NotEncrypted { mark } => say("not_encrypted", &[("mark", &mark.label())]),
        Reason::NoOwnKey => say("no_own_key", &[]),
        Reason::OwnKey { problem } => say("own_key", &[("reason", problem)]),
        Reason::NoCertificate { to, fingerprint } => {
            say("no_such_certificate", &[("address", to.as_str()), ("fingerprint", &fingerprint.0)])
        }
        Reason::Unfit { to, problems, .. } => say("certificate_unfit", &[("address", to.as_str()), ("reason", &unfit(problems, desk))]),
        Reason::OtherKeys { to } => say("other_keys", &[("address", to.as_str())]),
        Reason::Failed(what) => say("failed", &[("reason", what)]),
    }
}

/// What is wrong with a certificate.
#[must_use]
pub fn unfit(problems: &[Unfit], desk: Desk<'_>) -> String {
    let one = |problem: &Unfit| {
        let (key, detail) = problem.phrase();
        desk.say(&format!("unfit.{key}"), &[("detail", detail)])
    };
    problems.iter().map(one).collect::<Vec<_>>().join(", ")
}
