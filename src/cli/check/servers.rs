//! Where mail comes from and goes to: the secrets, and a log-in at each server.

use super::Report;
use crate::cli::{Exit, Failure};
use crate::config::{Config, Login, Secret, Source, Target};
use crate::daemon;
use crate::wire::{self, Timeouts, WireError, imap, smtp};
use std::path::Path;
use std::time::Duration;

/// A person waits for the answer: shorter than what the daemon allows.
const CONNECT_WITHIN: Duration = Duration::from_secs(15);
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

pub(super) fn check(report: &mut Report, config: &Config, is_offline: bool) -> Result<(), Failure> {
    let intake = config.intake.password();
    let outgoing = config.outgoing.password();
    for (what, password) in [("intake.password", &intake), ("outgoing.password", &outgoing)] {
        match password {
            Err(error) => report.fail(what, Exit::Usage, &error.to_string())?,
            Ok(Some(_)) => report.ok(what, "can be read, and by nobody else")?,
            Ok(None) => {}
        }
    }
    if config.intake.source.is_some() {
        match &config.intake.authserv_id {
            Some(id) => {
                report.ok("intake.authserv_id", &format!("{id} is believed: it must remove this name from mail that comes from outside"))?
            }
            None => report.ok("intake.authserv_id", "none: no DMARC verdict is known, so no acknowledgement is held for one")?,
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::service(format!("cannot start the network: {error}")))?;
    match (&config.intake.source, intake) {
        (Some(Source::Maildir { path }), _) => maildir(report, "intake", path)?,
        (Some(Source::Imap { server, login }), Ok(password)) if !is_offline => {
            let found = runtime.block_on(async {
                let login = logged_in(login, password).await?.ok_or_else(|| WireError::Refused("intake has no log-in".to_owned()))?;
                let intake = &config.intake;
                imap::login_check(&daemon::endpoint(server), &login, &intake.mailbox, &intake.processed, &intake.quarantine, timeouts())
                    .await
            });
            let what = format!("imap {}:{}", server.host, server.port);
            match found {
                Err(error) => report.fail(&what, Exit::Service, &error.to_string())?,
                Ok(checked) if !checked.closed_folders.is_empty() => {
                    let cause =
                        format!("log-in accepted, and folders are closed to us: {}; give it the rights", checked.closed_folders.join("; "));
                    report.fail(&what, Exit::Service, &cause)?;
                }
                Ok(checked) => report.ok(&what, &said(&checked, config))?,
            }
        }
        _ => {}
    }
    match (&config.outgoing.target, outgoing) {
        (Some(Target::Maildir { path }), _) => maildir(report, "outgoing", path)?,
        (Some(Target::Smtp { server, login }), Ok(password)) if !is_offline => {
            let name = config.center.address.domain();
            let found = runtime.block_on(async {
                let login = logged_in(login, password).await?;
                smtp::login_check(&daemon::endpoint(server), login.as_ref(), name, timeouts()).await
            });
            let what = format!("smtp {}:{}", server.host, server.port);
            match found {
                Err(error) => report.fail(&what, Exit::Service, &error.to_string())?,
                Ok(()) => report.ok(&what, "log-in accepted")?,
            }
        }
        _ => {}
    }
    Ok(())
}

fn said(checked: &imap::Checked, config: &Config) -> String {
    let mut parts = vec![format!("log-in accepted, {} messages wait in {}", checked.waiting, config.intake.mailbox)];
    if !checked.can_idle {
        parts.push(format!("no IDLE: new mail is looked for every {} s", config.intake.poll_interval.as_secs()));
    }
    match (checked.can_move, checked.can_expunge_one) {
        (true, _) => {}
        (false, true) => parts.push("no MOVE: mail is copied, then removed".to_owned()),
        (false, false) => parts.push("neither MOVE nor UIDPLUS: mail is copied, and stays in the mailbox marked as deleted".to_owned()),
    }
    if !checked.missing_folders.is_empty() {
        parts.push(format!("made when first needed: {}", checked.missing_folders.join(", ")));
    }
    parts.join("; ")
}

fn maildir(report: &mut Report, section: &str, path: &Path) -> Result<(), Failure> {
    let what = format!("{section} maildir");
    match std::fs::metadata(path) {
        Ok(about) if about.is_dir() => report.ok(&what, &path.display().to_string()),
        Ok(_) => report.fail(&what, Exit::Usage, &format!("{} is no folder; name a Maildir", path.display())),
        Err(error) if super::is_absent(&error) => match super::to_be_made(path) {
            Ok(detail) => report.ok(&what, &detail),
            Err(cause) => report.fail(&what, Exit::Usage, &cause),
        },
        Err(error) => report.fail(&what, Exit::Usage, &format!("cannot read {}: {error}", path.display())),
    }
}

/// The log-in as the daemon would make it; none where the server takes none.
async fn logged_in(login: &Login, password: Option<Secret>) -> Result<Option<wire::Login>, WireError> {
    match login {
        Login::None => Ok(None),
        login => daemon::wire_login(login, password).await.map(Some).map_err(|error| WireError::Refused(format!("{error:#}"))),
    }
}

fn timeouts() -> Timeouts {
    Timeouts {
        connect: CONNECT_WITHIN,
        greeting: ANSWER_WITHIN,
        command: ANSWER_WITHIN,
        operation: 2 * ANSWER_WITHIN,
        ..Timeouts::default()
    }
}
