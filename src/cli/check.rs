//! `bantuan70 check`: one line a check, `ok` or `FAIL` with the cause and what to do. It changes
//! nothing and sends nothing.

mod keys;
mod servers;
mod standing;

use super::{Common, Exit, Failure, Outcome, print};
use crate::config::Config;
use crate::daemon;
use crate::mail::template::Templates;
use crate::rules::selftest;
use crate::store::Store;
use clap::Args;
use jiff::Timestamp;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Leave the network out: no log-in at the mail servers
    #[arg(long)]
    offline: bool,
}

pub(super) fn run(common: &Common, arguments: Arguments) -> Outcome {
    let mut report = Report { json: common.json, worst: Exit::Done };
    let config = match common.load() {
        Ok(config) => config,
        Err(failure) => {
            report.fail("configuration", Exit::Usage, &failure.line)?;
            return Ok(report.worst);
        }
    };
    report.ok("configuration", &config.file.display().to_string())?;
    for missing in config.missing_to_run() {
        report.fail("needed to run", Exit::Usage, &missing.to_string())?;
    }
    let now = Timestamp::now();
    data_dir(&mut report, &config)?;
    rules(&mut report, &config)?;
    templates(&mut report, &config)?;
    keys::check(&mut report, &config, now)?;
    let database = database(&mut report, &config)?;
    if let Some(store) = &database {
        keys::check_contacts(&mut report, store, now)?;
        standing::check(&mut report, &config, store, now)?;
    }
    if let Some(listen) = config.metrics_listen {
        report.ok("metrics.listen", &format!("http://{listen}/metrics while the daemon runs"))?;
    }
    attachments(&mut report)?;
    servers::check(&mut report, &config, arguments.offline)?;
    Ok(report.worst)
}

/// How far the kernel can shut in the process that reads attachments.
fn attachments(report: &mut Report) -> Result<(), Failure> {
    let Some(kernel) = crate::extract::sandbox::probe() else {
        return report.fail("attachments", Exit::NotInOrder, "the process that reads them cannot be started; their text will be missing");
    };
    let lacks: Vec<&str> = [("limits", kernel.limits), ("Landlock", kernel.landlock), ("seccomp", kernel.seccomp)]
        .into_iter()
        .filter_map(|(name, is_there)| (!is_there).then_some(name))
        .collect();
    if lacks.is_empty() {
        report.ok("attachments", "are read by a process without files, network and further system calls")
    } else {
        report.ok("attachments", &format!("are read by a process apart; this kernel lacks {}", lacks.join(", ")))
    }
}

/// What was found so far.
struct Report {
    json: bool,
    worst: Exit,
}

impl Report {
    fn ok(&mut self, what: &str, detail: &str) -> Result<(), Failure> {
        self.line(what, "ok", detail)
    }

    /// One failed check; the gravest of the causes is the exit status.
    fn fail(&mut self, what: &str, exit: Exit, cause: &str) -> Result<(), Failure> {
        if rank(exit) > rank(self.worst) {
            self.worst = exit;
        }
        self.line(what, "FAIL", cause)
    }

    /// A reader that went away (`| head`) does not end the checks: the exit status is that of all.
    fn line(&self, what: &str, result: &str, detail: &str) -> Result<(), Failure> {
        let printed = if self.json {
            print(serde_json::json!({ "check": what, "result": result, "detail": detail }))
        } else {
            print(format_args!("{result:<4}  {what:<22}  {detail}"))
        };
        printed.or_else(|failure| if failure.exit == Exit::Done { Ok(()) } else { Err(failure) })
    }
}

/// A configuration that is wrong explains servers that do not answer, not the other way round.
const fn rank(exit: Exit) -> u8 {
    match exit {
        Exit::Done => 0,
        Exit::NotInOrder => 1,
        Exit::Service => 2,
        Exit::Usage => 3,
    }
}

/// The data directory must be there, ours to write and nobody else's to read.
fn data_dir(report: &mut Report, config: &Config) -> Result<(), Failure> {
    let dir = &config.center.data_dir;
    match std::fs::metadata(dir) {
        Err(error) if is_absent(&error) => match to_be_made(dir) {
            Ok(detail) => report.ok("data_dir", &detail),
            Err(cause) => report.fail("data_dir", Exit::Usage, &cause),
        },
        Err(error) => report.fail("data_dir", Exit::Usage, &format!("cannot read {}: {error}", dir.display())),
        Ok(about) if !about.is_dir() => report.fail("data_dir", Exit::Usage, &format!("{} is no folder; name another", dir.display())),
        Ok(about) => {
            let mode = about.permissions().mode() & 0o777;
            if mode & 0o007 != 0 {
                let cause = format!("{} has mode {mode:04o}, so that others can look into it; run: chmod 700 {0}", dir.display());
                return report.fail("data_dir", Exit::NotInOrder, &cause);
            }
            // Asking the system is the one way that counts file systems mounted read-only too.
            match tempfile_in(dir) {
                Ok(()) => report.ok("data_dir", &format!("{} (mode {mode:04o})", dir.display())),
                Err(error) => report.fail("data_dir", Exit::Usage, &format!("cannot write into {}: {error}", dir.display())),
            }
        }
    }
}

/// Nothing has this name, or what stands above it is no folder.
fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

/// Whether `run` could make this folder: the nearest thing above it that exists must be a folder
/// that this user may write into.
fn to_be_made(dir: &Path) -> Result<String, String> {
    let above = dir.ancestors().skip(1).find(|path| path.symlink_metadata().is_ok());
    let above = above.map_or_else(|| Path::new("."), |path| if path.as_os_str().is_empty() { Path::new(".") } else { path });
    if !above.is_dir() {
        return Err(format!("{} cannot be made: {} is no folder", dir.display(), above.display()));
    }
    daemon::may_write(above)
        .map_err(|error| format!("{} cannot be made: no right to write into {}: {error}", dir.display(), above.display()))?;
    Ok(format!("{} is not there yet; 'run' makes it in {}", dir.display(), above.display()))
}

/// Makes and removes an empty file.
fn tempfile_in(dir: &Path) -> std::io::Result<()> {
    let path = dir.join(format!(".check-{}", std::process::id()));
    std::fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)
}

fn rules(report: &mut Report, config: &Config) -> Result<(), Failure> {
    let dir = config.center.rules_dir.as_ref().map_or_else(|| "built in".to_owned(), |dir| dir.display().to_string());
    match super::rules::load(config.center.rules_dir.as_deref()) {
        Err(failure) => report.fail("rules", failure.exit, &failure.line),
        Ok(set) => {
            let tests = selftest::run(&set, &daemon::house(config));
            match tests.failures.first() {
                None => report.ok("rules", &format!("{dir}: {} rules, version {}", set.len(), set.version())),
                Some(first) => report.fail("rules", Exit::NotInOrder, &format!("{} tests fail, the first: {first}", tests.failures.len())),
            }
        }
    }
}

fn templates(report: &mut Report, config: &Config) -> Result<(), Failure> {
    let dir = config.center.templates_dir.as_deref();
    match Templates::load(dir) {
        Ok(templates) => {
            for warning in templates.warnings() {
                report.ok("templates", &format!("warning: {warning}"))?;
            }
            report.ok("templates", &dir.map_or_else(|| "built in".to_owned(), |dir| dir.display().to_string()))
        }
        Err(error) => report.fail("templates", Exit::Usage, &error.to_string()),
    }
}

/// Every page and index of the database, beside a daemon that may be running.
fn database(report: &mut Report, config: &Config) -> Result<Option<Store>, Failure> {
    let path = config.center.data_dir.join(crate::store::FILE_NAME);
    if !path.exists() {
        report.ok("database", &format!("{} is not there yet; 'run' makes it", path.display()))?;
        return Ok(None);
    }
    let checked = Store::open_read(&path).and_then(|store| Ok((store.check_integrity()?, store)));
    match checked {
        Ok((problems, store)) => {
            match problems.first() {
                None => report.ok("database", &path.display().to_string())?,
                Some(first) => report.fail(
                    "database",
                    Exit::NotInOrder,
                    &format!(
                        "{} is damaged ({} problems, the first: {first}); stop the daemon and restore a backup",
                        path.display(),
                        problems.len()
                    ),
                )?,
            }
            Ok(Some(store))
        }
        Err(error) => {
            report.fail("database", Exit::Service, &format!("{error:#}"))?;
            Ok(None)
        }
    }
}
