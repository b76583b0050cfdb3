//! The folder of rules: a set that analysts put there is taken without a signal once it was left alone for a moment,
//! or refused as a whole and said once. The folder is looked at and not subscribed to: editors rename files, network
//! file systems tell nothing, and a look costs less than a millisecond.

use super::alarm::Cause;
use super::{Daemon, metrics, setup};
use crate::rules::{FILES_MAX, is_rule_file};
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Between two looks. A set is taken when two looks in a row find the folder as it is, so that nothing is taken
/// while files are still being copied.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What tells one state of the folder from another. A file is known by its inode as well: one that is renamed into
/// place may have the size and the time of the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Files(Vec<File>),
    /// It cannot be read, or holds more files than a set may have; loading says why.
    Unfit,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct File {
    name: OsString,
    bytes: u64,
    inode: u64,
    /// Seconds and nanoseconds.
    modified_at: (i64, i64),
}

/// The folder as it was looked at.
#[derive(Debug)]
pub(super) struct RulesFolder {
    dir: PathBuf,
    last: Option<State>,
    /// The state that was taken or refused: it is not tried again until something changes.
    tried: Option<State>,
}

/// Looks at the folder until told to stop.
pub(super) async fn run(daemon: &Daemon, dir: PathBuf) {
    let mut folder = RulesFolder::new(dir);
    while !daemon.is_stopping() {
        folder = daemon.look_at_rules(folder).await;
        tokio::select! {
            () = daemon.stopped() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

impl RulesFolder {
    pub(super) const fn new(dir: PathBuf) -> Self {
        Self { dir, last: None, tried: None }
    }

    /// Whether there is something to try: the folder stands as at the look before, and not as it was tried.
    fn is_settled_anew(&mut self) -> bool {
        let state = state(&self.dir);
        let is_anew = self.last.as_ref() == Some(&state) && self.tried.as_ref() != Some(&state);
        if is_anew {
            self.tried = Some(state.clone());
        }
        self.last = Some(state);
        is_anew
    }
}

fn state(dir: &Path) -> State {
    let Ok(entries) = std::fs::read_dir(dir) else { return State::Unfit };
    let mut files = Vec::new();
    for entry in entries {
        let Ok(entry) = entry else { return State::Unfit };
        let path = entry.path();
        if !is_rule_file(&path) {
            continue;
        }
        if files.len() >= FILES_MAX {
            return State::Unfit;
        }
        // Through a link: what it points at is what is read.
        let Ok(about) = std::fs::metadata(&path) else { return State::Unfit };
        let modified_at = (about.mtime(), about.mtime_nsec());
        files.push(File { name: entry.file_name(), bytes: about.len(), inode: about.ino(), modified_at });
    }
    files.sort();
    State::Files(files)
}

impl Daemon {
    /// Looks at the folder once, and takes its set where it settled since the last look.
    pub(super) async fn look_at_rules(&self, folder: RulesFolder) -> RulesFolder {
        let dir = folder.dir.clone();
        let looked = self.blocking(move |_| Ok(looked_at(folder))).await;
        match looked {
            Ok((folder, false)) => folder,
            Ok((folder, true)) => {
                self.take_rules().await;
                folder
            }
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "cannot look at the folder of rules");
                RulesFolder::new(dir)
            }
        }
    }

    async fn take_rules(&self) {
        match self.blocking(Self::replace_rules).await {
            Ok(version) => {
                if let Some(version) = version {
                    tracing::info!(version, "new rules taken");
                }
                self.over(Cause::Rules).await;
                // They may be what the last reload failed for; what else it asked for is taken with it.
                if self.raised.is_up(Cause::Reload) {
                    self.reload().await;
                }
            }
            Err(error) => {
                metrics::Counters::add(&self.counters.rules_refused, 1);
                tracing::error!(error = format!("{error:#}"), "the rules in the folder are refused; the set in force stays");
                self.alarm(Cause::Rules, &format!("{error:#}")).await;
            }
        }
    }

    /// Takes the set in the folder where it is another than the one in force, and gives its version.
    fn replace_rules(&self) -> anyhow::Result<Option<String>> {
        let _alone = self.alone();
        let in_force = self.bench().reader.rules.version().to_owned();
        let Some(rules) = setup::other_rules(&self.config, &in_force)? else { return Ok(None) };
        let version = rules.version().to_owned();
        self.change_bench(|bench| bench.with_rules(rules));
        Ok(Some(version))
    }
}

fn looked_at(mut folder: RulesFolder) -> (RulesFolder, bool) {
    let is_settled_anew = folder.is_settled_anew();
    (folder, is_settled_anew)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_tried_once_when_it_was_left_alone_and_again_when_it_changed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.toml");
        std::fs::write(&file, "a").unwrap();
        let mut rules = RulesFolder::new(folder.path().to_owned());
        let mut looks = |count: usize| (0..count).map(|_| rules.is_settled_anew()).collect::<Vec<_>>();
        assert_eq!(looks(3), [false, true, false]);
        // Neither editors' own files nor reading change a set.
        std::fs::write(folder.path().join(".a.toml.swp"), "x").unwrap();
        std::fs::read(&file).unwrap();
        assert_eq!(looks(2), [false, false]);
        // While it grows it waits.
        std::fs::write(&file, "ab").unwrap();
        assert_eq!(looks(1), [false]);
        std::fs::write(&file, "abc").unwrap();
        assert_eq!(looks(3), [false, true, false]);
        // Renamed into place with the size and the time of the old one.
        let (old, new) = (std::fs::File::open(&file).unwrap(), folder.path().join("a.new"));
        std::fs::write(&new, "abd").unwrap();
        std::fs::File::open(&new).unwrap().set_modified(old.metadata().unwrap().modified().unwrap()).unwrap();
        std::fs::rename(&new, &file).unwrap();
        assert_eq!(looks(3), [false, true, false]);
        // Gone is a change too, and told by loading it.
        std::fs::remove_dir_all(folder.path()).unwrap();
        assert_eq!(looks(3), [false, true, false]);
    }
}
