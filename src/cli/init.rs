//! `bantuan70 init`: a folder to start from. What is there already is kept as it is.

use super::{Common, Exit, Failure, Outcome, print};
use crate::config::{self, Config};
use crate::mail::template;
use crate::openpgp;
use crate::rules::{PAGE, RuleSet};
use anyhow::Context as _;
use clap::Args;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Where the centre's key goes where the configuration names no other place.
const KEY_FILE: &str = "keys/center.key";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Folder to write into; made where it is missing
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The centre's mail address, for the configuration and the key
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
    /// The centre's name, for the configuration and the key
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Make an OpenPGP key for the centre and name it in the configuration
    #[arg(long)]
    generate_key: bool,
}

pub(super) fn run(_common: &Common, arguments: Arguments) -> Outcome {
    let dir = &arguments.dir;
    let file = dir.join("bantuan70.toml");
    let text = start(&arguments);
    // A wrong address is told before anything is written.
    Config::parse(&file, &text).map_err(|error| Failure::usage(error.to_string()))?;
    tell(&file, write(&file, text.as_bytes(), 0o640)?)?;
    write_folder(&dir.join("rules"), &[RuleSet::embedded_files(), &[PAGE]].concat())?;
    write_folder(&dir.join("templates"), template::EMBEDDED)?;
    // What is there may be older than this program.
    let config = Config::load(&file).map_err(|error| Failure::usage(error.to_string()))?;
    if arguments.generate_key {
        generate_key(dir, &config)?;
    }
    print(format_args!("next: name servers and people in {0}, then run: bantuan70 check --config {0}", file.display()))?;
    Ok(Exit::Done)
}

/// What became of a file that was to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    New,
    Kept,
}

/// The configuration to start from, with what the arguments say set in it.
fn start(arguments: &Arguments) -> String {
    let mut text = String::with_capacity(config::START.len() + 200);
    for line in config::START.lines() {
        let set = |key: &str, value: &Option<String>| {
            value.as_ref().filter(|_| line.starts_with(&format!("#{key} = "))).map(|value| format!("{key} = {}", quoted(value)))
        };
        // Only `[center]` stands above the first section of people that has such keys too.
        let is_center = !text.contains("[intake]");
        let given = set("name", &arguments.name).or_else(|| set("address", &arguments.address)).filter(|_| is_center);
        let key = (arguments.generate_key && line.starts_with("#key_file = ")).then(|| format!("key_file = \"{KEY_FILE}\""));
        text.push_str(&given.or(key).unwrap_or_else(|| line.to_owned()));
        text.push('\n');
    }
    text
}

/// A TOML basic string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Makes the centre's key, readable by the owner alone, and its revocation certificate beside it.
fn generate_key(dir: &Path, config: &Config) -> Result<(), Failure> {
    let file = config.openpgp.key_file.clone().unwrap_or_else(|| dir.join(KEY_FILE));
    if file.exists() {
        return tell(&file, Written::Kept);
    }
    if let Some(folder) = file.parent() {
        make_folder(folder, 0o700)?;
    }
    let made = openpgp::generate_own(&config.center.name, &config.center.address, None, jiff::Timestamp::now())
        .map_err(|error| Failure::service(error.to_string()))?;
    tell(&file, write(&file, &made.secret, 0o600)?)?;
    let revocation = file.with_extension("revocation.asc");
    tell(&revocation, write(&revocation, &made.revocation, 0o600)?)?;
    print(format_args!("key   {} for {} <{}>", made.fingerprint, config.center.name, config.center.address))?;
    print("keep the revocation certificate apart from the key: on paper, or on another machine")?;
    if config.openpgp.key_file.is_none() {
        print(format_args!("name the key in {}: [openpgp] key_file = \"{KEY_FILE}\"", config.file.display()))?;
    }
    Ok(())
}

/// Writes files under a folder and tells it in one line, and one for each that was kept.
fn write_folder(folder: &Path, files: &[(&str, &str)]) -> Result<(), Failure> {
    let mut new = 0_usize;
    for (name, content) in files {
        let path = folder.join(name);
        match write(&path, content.as_bytes(), 0o644)? {
            Written::New => new += 1,
            Written::Kept => tell(&path, Written::Kept)?,
        }
    }
    if new > 0 { print(format_args!("wrote {} ({new} files)", folder.display())) } else { Ok(()) }
}

/// Writes a new file; one that exists is kept.
fn write(path: &Path, content: &[u8], mode: u32) -> Result<Written, Failure> {
    if let Some(folder) = path.parent() {
        make_folder(folder, 0o755)?;
    }
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path) {
        Ok(mut file) => {
            file.write_all(content).with_context(|| format!("cannot write {}", path.display()))?;
            Ok(Written::New)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(Written::Kept),
        Err(error) => Err(Failure::service(format!("cannot write {}: {error}", path.display()))),
    }
}

fn tell(path: &Path, written: Written) -> Result<(), Failure> {
    match written {
        Written::New => print(format_args!("wrote {}", path.display())),
        Written::Kept => print(format_args!("kept  {} (is there already)", path.display())),
    }
}

fn make_folder(folder: &Path, mode: u32) -> Result<(), Failure> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(folder)
        .map_err(|error| Failure::service(format!("cannot make the folder {}: {error}", folder.display())))
}
