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
        Reason::OwnKey { problem } => say("own_key", &[("reason", &unfit(std::slice::from_ref(problem), desk))]),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::template::Templates;
    use crate::mail::token::TokenKey;
    use crate::model::policy::Policy;
    use crate::model::{Address, Fingerprint, Language, Tlp};

    #[test]
    fn every_reason_has_its_words_in_both_languages() {
        let templates = Templates::load(None).unwrap();
        let (to, fingerprint) = (Address::parse("csirt@bank.example").unwrap(), Fingerprint("AB".repeat(20)));
        let detail = || "rincian".to_owned();
        let problems = [
            Unfit::Refused(detail()),
            Unfit::Revoked,
            Unfit::Expired("2026-01-02".to_owned()),
            Unfit::NotYetValid,
            Unfit::NoSubkey,
            Unfit::SubkeyRevoked,
            Unfit::SubkeyExpired,
            Unfit::SubkeyUnsupported,
            Unfit::SigningSubkey,
            Unfit::Other(detail()),
        ];
        let unfit = problems.iter().cloned().map(|problem| Reason::Unfit {
            to: to.clone(),
            fingerprint: fingerprint.clone(),
            problems: vec![problem],
        });
        let others = [
            Reason::NotEncrypted { mark: Tlp::Red },
            Reason::NoOwnKey,
            Reason::OwnKey { problem: Unfit::SigningSubkey },
            Reason::NoCertificate { to: to.clone(), fingerprint: fingerprint.clone() },
            Reason::OtherKeys { to: to.clone() },
            Reason::Failed(detail()),
        ];
        for reason in unfit.chain(others) {
            let mut told = Vec::new();
            for language in [Language::Id, Language::En] {
                let policy = Policy { language, ..crate::decide::tests::policy() };
                let desk = Desk { policy: &policy, templates: &templates, key: &TokenKey([0; 32]), now: jiff::Timestamp::UNIX_EPOCH };
                let words = words(&Held { reason: reason.clone(), may_reseal: false }, desk);
                assert!(!words.contains('?') && !words.contains("{{"), "{words}");
                told.push(words);
            }
            assert_ne!(told[0], told[1], "{reason:?}");
        }
    }
}
