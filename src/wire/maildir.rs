//! A Maildir as inbox and as outbox: messages are files, filing is a rename.
//! What has a name in `new` or `cur` is whole, since it came there by a rename; `tmp` is never read.

use super::{Body, Filing, HEADER_BYTES_MAX, Wake, WireError};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// How often the folders are looked at while waiting.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Numbers the deliveries of this process, so that two in one tick of the clock get two names in order.
static DELIVERIES: AtomicU64 = AtomicU64::new(0);

/// One folder with `tmp`, `new` and `cur`, and its Maildir++ subfolders beside them.
#[derive(Debug)]
pub struct Maildir {
    root: PathBuf,
    /// The times of `new` and `cur` when they were last listed.
    seen: Mutex<Option<[SystemTime; 2]>>,
}

/// A message that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The file name without flags: the identity of the message, the same in `new` and `cur`.
    pub name: String,
    pub path: PathBuf,
}

impl Maildir {
    /// Opens the Maildir and makes what is missing of it. Fails where the folder cannot be made or read.
    pub fn open(path: &Path) -> Result<Self, WireError> {
        make_folder(path).map_err(|error| fault("open", path, &error))?;
        Ok(Self { root: path.to_owned(), seen: Mutex::new(None) })
    }

    /// The messages in `new` and `cur`, oldest first. A file that begins with a dot or is no plain file is none.
    pub fn waiting(&self) -> Result<Vec<Entry>, WireError> {
        let seen = self.times();
        let found = self.list().map_err(|error| fault("list", &self.root, &error))?;
        if let Ok(mut last) = self.seen.lock() {
            *last = seen;
        }
        let mut found: Vec<_> = found.into_iter().collect();
        found.sort_by(|(a, (a_time, _)), (b, (b_time, _))| (a_time, a).cmp(&(b_time, b)));
        Ok(found.into_iter().map(|(name, (_, path))| Entry { name, path }).collect())
    }

    /// Files in `new` and `cur` whose names are no text: they can be neither taken in nor filed.
    pub fn unnamed(&self) -> Vec<String> {
        let folders = ["new", "cur"].into_iter().filter_map(|folder| fs::read_dir(self.root.join(folder)).ok());
        let names = folders.flatten().filter_map(|entry| entry.ok()?.file_name().into_string().err());
        names.map(|name| name.to_string_lossy().into_owned()).collect()
    }

    /// The Maildir++ subfolder of that name, where it is there.
    pub fn subfolder(&self, folder: &str) -> Option<Self> {
        let root = self.root.join(format!(".{folder}"));
        (folder_is_valid(folder) && root.is_dir()).then(|| Self { root, seen: Mutex::new(None) })
    }

    /// Reads one message. Larger than `max` bytes: the header alone.
    pub fn read(&self, name: &str, max: u64) -> Result<Body, WireError> {
        let read = || -> io::Result<Body> {
            let Some(path) = self.find(name)? else { return Ok(Body::Gone) };
            match File::open(&path) {
                Ok(file) => read_file(file, max),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(Body::Gone),
                Err(error) => Err(error),
            }
        };
        read().map_err(|error| fault("read a message in", &self.root, &error))
    }

    /// Moves one message into the Maildir++ subfolder `folder`, which is made if it is missing.
    /// The move is on disk when this returns. A message that already is there counts as filed.
    pub fn file(&self, name: &str, folder: &str) -> Result<Filing, WireError> {
        if !folder_is_valid(folder) {
            return Err(WireError::Refused(format!("cannot file into maildir folder '{}': not a folder name", folder.escape_debug())));
        }
        let target = self.root.join(format!(".{folder}"));
        let file = || -> io::Result<Filing> {
            make_folder(&target)?;
            let Some(path) = self.find(name)? else {
                let there = find_in(&target, name)?.is_some();
                return Ok(if there { Filing::Filed } else { Filing::Gone });
            };
            let flags = path.file_name().and_then(|file| file.to_str()).and_then(|file| file.strip_prefix(name)).unwrap_or("");
            let flags = if flags.is_empty() { ":2," } else { flags };
            match fs::rename(&path, target.join("cur").join(format!("{name}{flags}"))) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Filing::Gone),
                other => other?,
            }
            sync_folder(&target.join("cur"))?;
            path.parent().map_or(Ok(()), sync_folder)?;
            Ok(Filing::Filed)
        };
        file().map_err(|error| fault("file a message into", &target, &error))
    }

    /// Delivers `bytes` as a new message and returns its name. It is on disk when this returns.
    pub fn deliver(&self, bytes: &[u8]) -> Result<String, WireError> {
        self.deliver_file(bytes).map_err(|error| fault("deliver into", &self.root, &error))
    }

    /// Waits until `new` or `cur` changed since [`Maildir::waiting`] listed them, at most `poll`.
    pub async fn wait_changed(&self, poll: Duration) -> Wake {
        let changed = async {
            loop {
                let seen = self.seen.lock().ok().and_then(|seen| *seen);
                if seen.is_none() || self.times() != seen {
                    return;
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::time::timeout(poll, changed).await.map_or(Wake::Timeout, |()| Wake::Changed)
    }

    fn times(&self) -> Option<[SystemTime; 2]> {
        let time = |folder| fs::metadata(self.root.join(folder)).and_then(|data| data.modified()).ok();
        Some([time("new")?, time("cur")?])
    }

    fn list(&self) -> io::Result<BTreeMap<String, (SystemTime, PathBuf)>> {
        let mut found = BTreeMap::new();
        for folder in ["new", "cur"] {
            for entry in fs::read_dir(self.root.join(folder))? {
                let entry = entry?;
                let Ok(file) = entry.file_name().into_string() else { continue };
                // A file may be moved while the folder is read.
                let Ok(data) = entry.metadata() else { continue };
                if file.starts_with('.') || !data.is_file() {
                    continue;
                }
                found.insert(without_flags(&file).to_owned(), (data.modified()?, entry.path()));
            }
        }
        Ok(found)
    }

    fn find(&self, name: &str) -> io::Result<Option<PathBuf>> {
        find_in(&self.root, name)
    }

    fn deliver_file(&self, bytes: &[u8]) -> io::Result<String> {
        let (pending, mut file) = self.create_pending()?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| file.metadata()?.modified());
        let moved = written.and_then(|time| {
            let age = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            let number = DELIVERIES.fetch_add(1, Ordering::Relaxed);
            let name = format!("{}.M{:06}P{}Q{number:010}.bantuan70", age.as_secs(), age.subsec_micros(), std::process::id());
            fs::rename(&pending, self.root.join("new").join(&name))?;
            sync_folder(&self.root.join("new"))?;
            Ok(name)
        });
        if moved.is_err() {
            // Best effort: a leftover in `tmp` is never read and is swept after 36 hours by Maildir's own rule.
            fs::remove_file(&pending).ok();
        }
        moved
    }

    fn create_pending(&self) -> io::Result<(PathBuf, File)> {
        loop {
            let number = DELIVERIES.fetch_add(1, Ordering::Relaxed);
            let path = self.root.join("tmp").join(format!("P{}Q{number}.bantuan70", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                other => return other.map(|file| (path, file)),
            }
        }
    }
}

fn read_file(file: File, max: u64) -> io::Result<Body> {
    let size = file.metadata()?.len();
    let mut bytes = Vec::new();
    if size <= max {
        file.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
        return Ok(Body::Whole(bytes));
    }
    file.take(HEADER_BYTES_MAX as u64).read_to_end(&mut bytes)?;
    let end = header_end(&bytes);
    bytes.truncate(end);
    Ok(Body::HeaderOnly { header: bytes, size })
}

/// The length of the header with the empty line that ends it, or of everything where there is none.
fn header_end(bytes: &[u8]) -> usize {
    let crlf = bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4);
    let lf = bytes.windows(2).position(|two| two == b"\n\n").map(|at| at + 2);
    crlf.into_iter().chain(lf).min().unwrap_or(bytes.len())
}

fn find_in(root: &Path, name: &str) -> io::Result<Option<PathBuf>> {
    if !name_is_valid(name) {
        return Ok(None);
    }
    // The usual places first: a folder may hold a hundred thousand names.
    for usual in [format!("new/{name}"), format!("cur/{name}:2,"), format!("cur/{name}:2,S")] {
        let path = root.join(usual);
        if path.is_file() {
            return Ok(Some(path));
        }
    }
    for folder in ["cur", "new"] {
        for entry in fs::read_dir(root.join(folder))? {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(|file| without_flags(file) == name) {
                return Ok(Some(entry.path()));
            }
        }
    }
    Ok(None)
}

fn without_flags(file: &str) -> &str {
    file.split_once(':').map_or(file, |(name, _)| name)
}

/// A name is one path component: it was a file's name when it was listed.
fn name_is_valid(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', ':', '\0'])
}

fn folder_is_valid(folder: &str) -> bool {
    name_is_valid(folder)
        && !folder.ends_with('.')
        && !folder.contains("..")
        && !folder.chars().any(char::is_control)
        && folder.len() <= 200
}

fn make_folder(path: &Path) -> io::Result<()> {
    for folder in ["tmp", "new", "cur"] {
        fs::create_dir_all(path.join(folder))?;
    }
    Ok(())
}

/// A rename is only as durable as the folder it is written in.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn fault(act: &str, path: &Path, error: &io::Error) -> WireError {
    let text = format!("cannot {act} maildir {}: {}", path.display(), error.to_string().to_lowercase());
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem | ErrorKind::NotADirectory => WireError::Refused(text),
        _ => WireError::Unreachable(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maildir() -> (tempfile::TempDir, Maildir) {
        let folder = tempfile::tempdir().unwrap();
        let maildir = Maildir::open(&folder.path().join("mail")).unwrap();
        (folder, maildir)
    }

    fn names(maildir: &Maildir) -> Vec<String> {
        maildir.waiting().unwrap().into_iter().map(|entry| entry.name).collect()
    }

    #[test]
    fn delivered_mail_waits_in_order_and_reads_back_byte_for_byte() {
        let (_folder, maildir) = maildir();
        let sent: Vec<_> = (0..20).map(|n| maildir.deliver(format!("Subject: {n}\r\n\r\n\u{0}\n").as_bytes()).unwrap()).collect();
        assert_eq!(names(&maildir), sent);
        assert_eq!(maildir.read(&sent[3], 100).unwrap(), Body::Whole(b"Subject: 3\r\n\r\n\0\n".to_vec()));
        assert_eq!(fs::read_dir(maildir.root.join("tmp")).unwrap().count(), 0);
    }

    #[test]
    fn f17_a_mail_that_a_person_has_read_still_waits_under_the_same_name() {
        let (_folder, maildir) = maildir();
        let name = maildir.deliver(b"Subject: x\n\n").unwrap();
        fs::rename(maildir.root.join("new").join(&name), maildir.root.join("cur").join(format!("{name}:2,RS"))).unwrap();
        assert_eq!(names(&maildir), [name.as_str()]);
        assert_ne!(maildir.read(&name, 100).unwrap(), Body::Gone);
        assert_eq!(maildir.file(&name, "Processed").unwrap(), Filing::Filed);
        assert!(maildir.root.join(".Processed/cur").join(format!("{name}:2,RS")).is_file());
    }

    #[test]
    fn f15_of_a_mail_that_is_too_large_the_header_alone_is_read() {
        let (_folder, maildir) = maildir();
        let name = maildir.deliver(b"Subject: big\r\n\r\n0123456789").unwrap();
        assert_eq!(maildir.read(&name, 26).unwrap(), Body::Whole(b"Subject: big\r\n\r\n0123456789".to_vec()));
        let header = b"Subject: big\r\n\r\n".to_vec();
        assert_eq!(maildir.read(&name, 25).unwrap(), Body::HeaderOnly { header, size: 26 });
    }

    #[test]
    fn f3_filing_again_after_a_crash_counts_as_done() {
        let (_folder, maildir) = maildir();
        let name = maildir.deliver(b"a: b\n\n").unwrap();
        assert_eq!(maildir.file(&name, "Processed").unwrap(), Filing::Filed);
        assert_eq!(maildir.file(&name, "Processed").unwrap(), Filing::Filed);
        assert_eq!(maildir.file("nobody", "Processed").unwrap(), Filing::Gone);
        assert_eq!(maildir.read(&name, 9).unwrap(), Body::Gone);
        assert!(names(&maildir).is_empty());
    }

    #[test]
    fn m9_no_name_and_no_folder_leads_outside() {
        let (_folder, maildir) = maildir();
        let name = maildir.deliver(b"a: b\n\n").unwrap();
        for folder in ["", "../x", "a/b", ".hidden", "a..b", "a\nb", "x."] {
            assert!(maildir.file(&name, folder).is_err(), "{folder:?}");
        }
        assert_eq!(maildir.read("../../etc/passwd", 9).unwrap(), Body::Gone);
        assert_eq!(names(&maildir), [name]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_with_a_new_mail_or_with_the_time() {
        let (_folder, maildir) = maildir();
        assert_eq!(maildir.wait_changed(Duration::ZERO).await, Wake::Changed);
        assert!(names(&maildir).is_empty());
        assert_eq!(maildir.wait_changed(Duration::from_secs(60)).await, Wake::Timeout);
        fs::write(maildir.root.join("new/1"), b"x").unwrap();
        // The time of a folder moves in ticks of the kernel; a delivery in the same tick is found by the poll.
        File::open(maildir.root.join("new")).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(maildir.wait_changed(Duration::from_secs(60)).await, Wake::Changed);
    }
}
