//! The command line: arguments as typed, and what each verb prints. Answers go to stdout, logs to
//! stderr. A verb group is a file; this one holds what they share.

mod check;
mod contact;
pub mod demo;
mod init;
mod inspect;
mod key;
mod listing;
mod log;
mod mail;
mod outbox;
mod replay;
mod report;
mod retention;
mod rules;
mod run;
mod store;
mod templates;
mod ticket;

use crate::config::Config;
use crate::store::{Unfit, is_corrupt, is_refusal};
use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Mail-processing daemon for the mailbox of a national cyber contact centre.
#[derive(Debug, Parser)]
#[command(name = "bantuan70", version, about, propagate_version = true, max_term_width = 100)]
struct Arguments {
    /// Configuration file [default: ./bantuan70.toml, else /etc/bantuan70/bantuan70.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One JSON object a line instead of a table
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write a commented configuration, rules and templates to start from; overwrite nothing
    Init(init::Arguments),
    /// Run the whole main job on bundled sample mail, without any server
    Demo(demo::Arguments),
    /// Run the daemon
    Run(run::Arguments),
    /// Verify configuration, rules, templates, keys, directories and log-ins
    Check(check::Arguments),
    /// Show what the daemon would make of raw messages, without storing or sending anything
    Inspect(inspect::Arguments),
    /// Validate, test, list and explain classification rules
    Rules(rules::Arguments),
    /// The words of the letters: check them, list them, see one filled without sending it
    Templates(templates::Arguments),
    /// Read tickets
    Ticket(ticket::Arguments),
    /// The stakeholder directory
    Contact(contact::Arguments),
    /// OpenPGP certificates and the centre's own key
    Key(key::Arguments),
    /// Mail that waits, failed or is uncertain
    Outbox(outbox::Arguments),
    /// Every stored message: kind, ticket or none, and the reason
    Mail(mail::Arguments),
    /// Mail that could not be processed
    Quarantine(mail::QuarantineArguments),
    /// What is due to be erased under [retention]; erase it now
    Retention(retention::Arguments),
    /// The figures that the chief receives: text, JSON or a page with charts
    Report(report::Arguments),
    /// Check the audit chain
    Audit(store::AuditArguments),
    /// Copy the database consistently while the daemon runs
    Backup(store::BackupArguments),
    /// Put a backup back into an empty data directory
    Restore(store::RestoreArguments),
    /// Print shell completions
    Completions {
        /// Shell to complete for
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one page for each verb
    Man {
        /// Write bantuan70.1 and a page for each verb into this folder instead
        #[arg(long, value_name = "DIR")]
        into: Option<PathBuf>,
    },
}

/// What all verbs are given.
#[derive(Debug)]
pub(crate) struct Common {
    config: Option<PathBuf>,
    /// One JSON object a line.
    pub json: bool,
}

impl Common {
    /// The configuration file that counts: the one named, else the default places.
    pub fn config_path(&self) -> Option<PathBuf> {
        self.config.clone().or_else(|| {
            ["bantuan70.toml", "/etc/bantuan70/bantuan70.toml"].iter().map(Path::new).find(|path| path.exists()).map(Path::to_owned)
        })
    }
}

impl Common {
    /// The configuration, which the verb cannot do without: exit 2 where there is none or it is wrong.
    pub fn load(&self) -> Result<Config, Failure> {
        let Some(path) = self.config_path() else {
            return Err(Failure::usage(
                "no configuration: neither ./bantuan70.toml nor /etc/bantuan70/bantuan70.toml is there; name one with --config, or write one with 'bantuan70 init DIR'",
            ));
        };
        Config::load(&path).map_err(|error| Failure::usage(error.to_string()))
    }

    /// The configuration, else the defaults with what is built in: for `inspect` and `rules`.
    pub fn load_or_defaults(&self) -> Result<Config, Failure> {
        if self.config_path().is_some() { self.load() } else { Ok(Config::defaults()) }
    }
}

/// Verbs that print no listing, with what to ask for instead where there is something: `--json` there is refused,
/// as a script that went on would read words for people as objects.
const WITHOUT_JSON: &[(&str, &str)] = &[
    ("init", ""),
    ("demo", ""),
    ("run", ""),
    ("rules export-corrections", "it prints a rule file in TOML"),
    ("ticket export", "use --format json"),
    ("contact add", "'contact show ADDRESS --json' shows the contact"),
    ("contact verify", "'contact show ADDRESS --json' shows the contact"),
    ("contact remove", ""),
    ("contact export", "it writes a CSV file"),
    ("key generate", "'key list --json' shows the key"),
    ("key import", "'key list --json' shows the certificates"),
    ("key refresh", "'key list --json' shows the certificates"),
    ("key announce", ""),
    ("key export", "it prints a certificate"),
    ("key remove", ""),
    ("outbox retry", "'outbox list --json' shows the letter"),
    ("outbox cancel", "'outbox list --json' shows the letter"),
    ("quarantine release", "'mail show ID --json' shows the mail"),
    ("backup", "'audit verify --json' gives the head of the chain"),
    ("restore", "'audit verify --json' gives the head of the chain"),
    ("completions", ""),
    ("man", ""),
];

/// The verb and its sub-verb as typed.
fn verb_of(matches: &clap::ArgMatches) -> String {
    let Some((verb, inside)) = matches.subcommand() else { return String::new() };
    inside.subcommand_name().map_or_else(|| verb.to_owned(), |sub| format!("{verb} {sub}"))
}

/// Refuses `--json` where it would have no effect.
fn refuse_json(verb: &str) -> Option<Failure> {
    let (verb, instead) = WITHOUT_JSON.iter().find(|(without, _)| *without == verb)?;
    let instead = if instead.is_empty() { String::new() } else { format!("; {instead}") };
    Some(Failure::usage(format!("'{verb}' prints no JSON, leave out --json{instead}")))
}

/// Exit status of contract 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    /// The thing asked about is not in order.
    NotInOrder = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// A service could not be reached or refused.
    Service = 3,
}

/// Why a verb ended early: its exit status and one line for people.
#[derive(Debug)]
pub(crate) struct Failure {
    pub exit: Exit,
    pub line: String,
}

impl Failure {
    /// Wrong usage or configuration: exit 2.
    pub fn usage(line: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, line: line.into() }
    }
    /// The store refuses a change to one row, as what was asked about is not there or not in that
    /// state: exit 1. What the database itself says keeps its own status.
    pub fn from_refusal(error: anyhow::Error) -> Self {
        if is_refusal(&error) { Self { exit: Exit::NotInOrder, line: format!("{error:#}") } } else { Self::from(error) }
    }
    /// A service (IMAP, SMTP, disk) could not be reached or refused: exit 3.
    pub fn service(line: impl Into<String>) -> Self {
        Self { exit: Exit::Service, line: line.into() }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        // A listing whose reader went away (`| head`) is done, not failed (ATTACKS F68).
        let is_broken_pipe =
            error.chain().any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe));
        if is_broken_pipe {
            return Self { exit: Exit::Done, line: String::new() };
        }
        let exit = match error.downcast_ref::<Unfit>() {
            _ if is_corrupt(&error) => Exit::NotInOrder,
            Some(Unfit::Absent { .. }) => Exit::NotInOrder,
            Some(Unfit::Newer { .. }) => Exit::Usage,
            _ => Exit::Service,
        };
        Self { exit, line: format!("{error:#}") }
    }
}

pub(crate) type Outcome = Result<Exit, Failure>;

/// Parses the arguments, runs the verb and gives the exit status.
pub fn main() -> ExitCode {
    use clap::{CommandFactory as _, FromArgMatches as _};
    let matches = Arguments::command().get_matches();
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let common = Common { config: arguments.config, json: arguments.json };
    if let Some(failure) = common.json.then(|| refuse_json(&verb_of(&matches))).flatten() {
        return ended(Err(failure));
    }
    ended(perform(&common, arguments.verb))
}

fn perform(common: &Common, verb: Verb) -> Outcome {
    match verb {
        Verb::Init(arguments) => init::run(common, arguments),
        Verb::Demo(arguments) => demo::run(common, arguments),
        Verb::Run(arguments) => run::run(common, arguments),
        Verb::Check(arguments) => check::run(common, arguments),
        Verb::Inspect(arguments) => inspect::run(common, arguments),
        Verb::Rules(arguments) => rules::run(common, arguments),
        Verb::Templates(arguments) => templates::run(common, arguments),
        Verb::Ticket(arguments) => ticket::run(common, arguments),
        Verb::Contact(arguments) => contact::run(common, arguments),
        Verb::Key(arguments) => key::run(common, arguments),
        Verb::Outbox(arguments) => outbox::run(common, arguments),
        Verb::Mail(arguments) => mail::run(common, arguments),
        Verb::Quarantine(arguments) => mail::run_quarantine(common, arguments),
        Verb::Retention(arguments) => retention::run(common, arguments),
        Verb::Report(arguments) => report::run(common, arguments),
        Verb::Audit(arguments) => store::run_audit(common, arguments),
        Verb::Backup(arguments) => store::run_backup(common, arguments),
        Verb::Restore(arguments) => store::run_restore(common, arguments),
        Verb::Completions { shell } => completions(shell),
        Verb::Man { into } => man(into.as_deref()),
    }
}

/// Tells why a verb ended early, and gives the exit status.
fn ended(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(failure) => {
            if !failure.line.is_empty() {
                eprintln!("bantuan70: {}", failure.line);
            }
            ExitCode::from(failure.exit as u8)
        }
    }
}

/// Writes one line to stdout.
pub(crate) fn print(line: impl std::fmt::Display) -> Result<(), Failure> {
    use std::io::Write as _;
    writeln!(std::io::stdout(), "{line}").map_err(|error| Failure::from(anyhow::Error::new(error)))
}

fn completions(shell: clap_complete::Shell) -> Outcome {
    use clap::CommandFactory as _;
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "bantuan70", &mut text);
    print(String::from_utf8_lossy(&text).trim_end())?;
    Ok(Exit::Done)
}

fn man(into: Option<&Path>) -> Outcome {
    use clap::CommandFactory as _;
    if let Some(dir) = into {
        clap_mangen::generate_to(Arguments::command(), dir)
            .map_err(|error| Failure::service(format!("cannot write manual pages into {}: {error}", dir.display())))?;
        return Ok(Exit::Done);
    }
    let mut text = Vec::new();
    clap_mangen::Man::new(Arguments::command()).render(&mut text).map_err(|error| Failure::from(anyhow::Error::new(error)))?;
    print(String::from_utf8_lossy(&text).trim_end())?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn every_verb_that_refuses_json_is_there_and_every_other_one_prints_it() {
        let command = Arguments::command();
        let mut verbs = Vec::new();
        for verb in command.get_subcommands() {
            let mut subs = verb.get_subcommands().map(|sub| format!("{} {}", verb.get_name(), sub.get_name())).peekable();
            if subs.peek().is_none() {
                verbs.push(verb.get_name().to_owned());
            }
            verbs.extend(subs);
        }
        for (verb, _) in WITHOUT_JSON {
            assert!(verbs.iter().any(|known| known == verb), "there is no verb '{verb}'");
        }
        // What prints JSON is named here, so that a new verb is decided on.
        verbs.retain(|verb| refuse_json(verb).is_none());
        let mut with = vec![
            "check",
            "inspect",
            "rules check",
            "rules test",
            "rules list",
            "rules replay",
            "rules explain",
            "templates check",
            "templates list",
            "templates show",
            "ticket list",
            "ticket show",
            "ticket search",
            "contact list",
            "contact show",
            "contact import",
            "key list",
            "key show",
            "outbox list",
            "mail list",
            "mail show",
            "quarantine list",
            "quarantine show",
            "retention show",
            "retention run",
            "report",
            "audit verify",
        ];
        with.sort_unstable();
        verbs.sort_unstable();
        assert_eq!(verbs, with);
    }
}
