//! Files are read in a child process of this same binary: no network, no file access, bounded time,
//! memory and output. Whatever a file does to its parser, the daemon goes on, and the mail
//! with it. Without [`enable`] (in tests of the library) files are read in the process itself.

use super::file::{self, Enclosed, Finding, Inside, Sort, TEXT_BYTES_MAX};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The first argument that makes a process of this binary the child.
const CHILD: &str = "__read-file";
/// The second argument that makes it only say what it could give up.
const PROBE: &str = "probe";
/// A letter takes milliseconds; a file that needs this long is made to.
const CPU_SECONDS_MAX: u64 = 1;
/// A child that does nothing takes no CPU time; on a busy machine one that works waits for its turn.
const WALL_MAX: Duration = Duration::from_secs(10);
/// What the child may allocate: the file, what it unfolds to, and its text, with room.
const DATA_BYTES_MAX: u64 = 256 << 20;
/// All that the child may map, the binary included.
const ADDRESS_BYTES_MAX: u64 = 1 << 30;
/// The marks and lengths of an answer, names and types of files, the detail of a finding.
const DETAIL_BYTES_MAX: usize = 64 * 1024;

static IS_ENABLED: AtomicBool = AtomicBool::new(false);

/// From now on files are read in a child process. For the binary alone, since the child is
/// `/proc/self/exe` again.
pub fn enable() {
    IS_ENABLED.store(true, Ordering::Relaxed);
}

/// What the kernel gives the child, for `check`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protection {
    /// Limits on time, memory and files (setrlimit).
    pub limits: bool,
    /// No file and no TCP port can be opened (Landlock).
    pub landlock: bool,
    /// No system call but those that reading and allocating need (seccomp).
    pub seccomp: bool,
}

/// What the kernel gives a child, found by starting one. None where that fails or nothing is enabled.
#[must_use]
pub fn probe() -> Option<Protection> {
    if !IS_ENABLED.load(Ordering::Relaxed) {
        return None;
    }
    let output =
        Command::new("/proc/self/exe").args([CHILD, PROBE]).env_clear().stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut words = text.split(' ').map(|word| word == "true");
    Some(Protection { limits: words.next()?, landlock: words.next()?, seccomp: words.next()? })
}

/// Reads a file in a child, or here where that is not enabled; and the CPU time that the child took.
pub(super) fn read(sort: Sort, content: &[u8]) -> (Result<Inside, Finding>, Duration) {
    if !IS_ENABLED.load(Ordering::Relaxed) {
        return (file::read(sort, content), Duration::ZERO);
    }
    let mut command = Command::new("/proc/self/exe");
    command.args([CHILD, sort.word()]).env_clear().current_dir("/");
    let (answer, cpu) = answer_of_child(command, content, answer_bytes_max(sort), WALL_MAX);
    (answer.and_then(|answer| answer_of(&answer)), cpu)
}

const fn answer_bytes_max(sort: Sort) -> usize {
    match sort {
        Sort::Ole | Sort::Tnef => sort.bytes_max() + TEXT_BYTES_MAX + DETAIL_BYTES_MAX,
        _ => TEXT_BYTES_MAX + DETAIL_BYTES_MAX,
    }
}

/// Starts a child, gives it the content, takes its answer, and ends it: at the latest when its time is over.
fn answer_of_child(mut command: Command, content: &[u8], bytes_max: usize, wall: Duration) -> (Result<Vec<u8>, Finding>, Duration) {
    let until = Instant::now() + wall;
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let Ok(mut child) = child else { return (Err(Finding::unreadable("no process could be started to read it")), Duration::ZERO) };
    let answer = exchange(&mut child, content, bytes_max, until);
    let has_ended = answer.is_some() && waits_for_end(&child, until);
    if !has_ended {
        // A process that ended just now is not there to be killed, and is waited for all the same.
        let _gone = child.kill();
    }
    let cpu = cpu_of(&child);
    let status = child.wait();
    let answer = match (answer, status) {
        (Some(answer), Ok(status)) if status.success() => Ok(answer),
        (_, Ok(_)) if !has_ended => Err(Finding::slow(format!("its reader was stopped after {} s", wall.as_secs()))),
        // RLIMIT_CPU ends a process by SIGXCPU, or SIGKILL.
        (_, Ok(status)) if matches!(status.signal(), Some(libc::SIGXCPU | libc::SIGKILL)) => {
            Err(Finding::slow(format!("its reader was stopped after {CPU_SECONDS_MAX} s of work")))
        }
        (_, Ok(status)) => Err(Finding::unreadable(format!("its reader was stopped ({status})"))),
        (_, Err(_)) => Err(Finding::unreadable("its reader gave no answer")),
    };
    (answer, cpu)
}

/// Writes and reads at once, so that neither side waits for the other for ever. None where the time is over.
fn exchange(child: &mut Child, content: &[u8], bytes_max: usize, until: Instant) -> Option<Vec<u8>> {
    const CHUNK_BYTES: usize = 64 * 1024;
    let (mut stdin, mut stdout) = (child.stdin.take(), child.stdout.take()?);
    fcntl_setfl(stdin.as_ref()?, OFlags::NONBLOCK).ok()?;
    fcntl_setfl(&stdout, OFlags::NONBLOCK).ok()?;
    let mut left = content;
    let mut answer = Vec::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        if left.is_empty() {
            stdin = None;
        }
        let mut waited = vec![PollFd::new(&stdout, PollFlags::IN)];
        waited.extend(stdin.as_ref().map(|stdin| PollFd::new(stdin, PollFlags::OUT)));
        if !poll_until(&mut waited, until) {
            return None;
        }
        if let Some(input) = &mut stdin {
            match input.write(left.get(..left.len().min(CHUNK_BYTES)).unwrap_or(left)) {
                Ok(written) => left = left.get(written..).unwrap_or_default(),
                Err(error) if is_not_yet(&error) => {}
                // A child that died early shows in its status.
                Err(_) => left = &[],
            }
        }
        match stdout.read(&mut chunk) {
            Ok(0) => return Some(answer),
            Ok(read) => answer.extend_from_slice(chunk.get(..read).unwrap_or_default()),
            Err(error) if is_not_yet(&error) => {}
            Err(_) => return Some(answer),
        }
        if answer.len() > bytes_max {
            return None;
        }
    }
}

fn is_not_yet(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::Interrupted)
}

/// Waits for any of these; false where the time is over.
fn poll_until(waited: &mut [PollFd<'_>], until: Instant) -> bool {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let Ok(time) = Timespec::try_from(left) else { return false };
        match poll(waited, Some(&time)) {
            Ok(0) => return false,
            Ok(_) => return true,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

/// Whether the child ends in time after its last word. It is not waited for: its status still stands.
fn waits_for_end(child: &Child, until: Instant) -> bool {
    let Ok(handle) = pidfd_open(Pid::from_child(child), PidfdFlags::empty()) else { return false };
    poll_until(&mut [PollFd::new(&handle, PollFlags::IN)], until)
}

/// The CPU time of a child that was not yet waited for, by fields 14 and 15 of its `stat` (proc(5)).
fn cpu_of(child: &Child) -> Duration {
    // USER_HZ is 100 on every architecture that this runs on.
    const TICK: Duration = Duration::from_millis(10);
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
    // The name in brackets may hold anything; the fields after it start with the third.
    let after_name = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks: u32 = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u32>().ok()).sum();
    TICK.saturating_mul(ticks)
}

/// The child's answer in its own words: a mark, then what was inside, or code and detail of a finding.
fn answer_of(answer: &[u8]) -> Result<Inside, Finding> {
    let unreadable = || Finding::unreadable("its reader gave no answer");
    let (mark, mut rest) = answer.split_first().ok_or_else(unreadable)?;
    let mut words = || take_field(&mut rest).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    if *mark == b'F' {
        let (code, detail) = (words().ok_or_else(unreadable)?, words().ok_or_else(unreadable)?);
        return Err(Finding::by_code(&code, detail));
    }
    let mut inside = Inside { is_partial: *mark == b'P', ..Inside::of_text(words().ok_or_else(unreadable)?) };
    while let Some(name) = take_field(&mut rest) {
        let (Some(media_type), Some(content)) = (take_field(&mut rest), take_field(&mut rest)) else { return Err(unreadable()) };
        if inside.files.len() == file::ENCLOSED_MAX {
            break;
        }
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        inside.files.push(Enclosed { name: text(name), media_type: text(media_type), content: content.to_vec() });
    }
    Ok(inside)
}

/// A field: its length as four bytes, then so many bytes.
fn take_field<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    let (field, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    *rest = after;
    Some(field)
}

fn put_field(out: &mut Vec<u8>, field: &[u8]) {
    let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(field);
}

/// As [`answer_of`] reads it.
fn answer_with(outcome: Result<Inside, Finding>) -> Vec<u8> {
    match outcome {
        Ok(mut inside) => {
            file::truncate(&mut inside.text, TEXT_BYTES_MAX);
            let mut out = vec![if inside.is_partial { b'P' } else { b'T' }];
            put_field(&mut out, inside.text.as_bytes());
            for file in inside.files {
                put_field(&mut out, file.name.as_bytes());
                put_field(&mut out, file.media_type.as_bytes());
                put_field(&mut out, &file.content);
            }
            out
        }
        Err(finding) => {
            let mut out = vec![b'F'];
            put_field(&mut out, finding.code.as_bytes());
            put_field(&mut out, finding.detail.as_bytes());
            out
        }
    }
}

/// The child's whole life, if this process is one: gives up its rights, reads a file from stdin,
/// writes what is inside to stdout.
#[must_use]
pub fn child() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some(CHILD) {
        return None;
    }
    let word = arguments.next()?;
    let protection = give_up_rights();
    if word == PROBE {
        let written = write!(std::io::stdout(), "{} {} {}", protection.limits, protection.landlock, protection.seccomp);
        return Some(if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let sort = Sort::parse(&word)?;
    let mut content = Vec::new();
    if std::io::stdin().take(sort.bytes_max() as u64).read_to_end(&mut content).is_err() {
        return Some(ExitCode::FAILURE);
    }
    let answer = answer_with(file::read(sort, &content));
    let written = std::io::stdout().write_all(&answer).and_then(|()| std::io::stdout().flush());
    Some(if written.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Takes from this process all that reading a file from stdin does not need, as far as the kernel can.
pub fn give_up_rights() -> Protection {
    Protection { limits: set_limits(), landlock: close_files_and_net(), seccomp: close_system_calls() }
}

fn set_limits() -> bool {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let set = |resource, most: u64| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) }).is_ok();
    let limits = [
        (Resource::Cpu, CPU_SECONDS_MAX),
        (Resource::Data, DATA_BYTES_MAX),
        (Resource::As, ADDRESS_BYTES_MAX),
        (Resource::Fsize, TEXT_BYTES_MAX as u64),
        (Resource::Core, 0),
        (Resource::Nproc, 0),
    ];
    limits.into_iter().all(|(resource, most)| set(resource, most))
}

fn close_files_and_net() -> bool {
    use landlock::{ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetStatus};
    let restrict = || {
        Ruleset::default()
            .handle_access(AccessFs::from_all(ABI::V5))?
            .handle_access(AccessNet::from_all(ABI::V5))?
            .create()?
            .restrict_self()
    };
    restrict().is_ok_and(|status| status.ruleset != RulesetStatus::NotEnforced)
}

/// What the standard library, the allocator and the parsers call; everything else fails with EPERM.
const SYSTEM_CALLS: &[libc::c_long] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_lseek,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_tgkill,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

fn close_system_calls() -> bool {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};
    let Ok(arch) = std::env::consts::ARCH.try_into() else { return false };
    let rules = SYSTEM_CALLS.iter().map(|call| (*call, Vec::new())).collect();
    let refusal = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let program: Option<BpfProgram> =
        SeccompFilter::new(rules, refusal, SeccompAction::Allow, arch).ok().and_then(|filter| filter.try_into().ok());
    program.is_some_and(|program| apply_filter(&program).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_sleeps_is_killed_and_the_mail_goes_on() {
        for words in ["exec sleep 600", "exec sleep 600 >&-", "cat >/dev/null; echo x; exec sleep 600"] {
            let mut command = Command::new("sh");
            command.args(["-c", words]);
            // More than a pipe holds: a child that does not read must not make the parent wait.
            let (answer, _) = answer_of_child(command, &[0; 1 << 20], 1_024, Duration::from_millis(200));
            let finding = answer.unwrap_err();
            assert_eq!(finding.code, "file-slow", "{words}: {}", finding.detail);
        }
    }

    #[test]
    fn a_child_that_says_too_much_is_not_listened_to() {
        let mut command = Command::new("sh");
        command.args(["-c", "yes"]);
        assert!(answer_of_child(command, b"", 4_096, Duration::from_secs(60)).0.is_err());
    }

    #[test]
    fn what_is_inside_comes_back_as_it_was() {
        let file = Enclosed { name: "a.pdf".to_owned(), media_type: "application/pdf".to_owned(), content: vec![0, 1, 2] };
        let inside = Inside { text: "Surat".to_owned(), files: vec![file.clone(), file], is_partial: true };
        assert_eq!(answer_of(&answer_with(Ok(inside.clone()))), Ok(inside));
        let finding = Finding::archive("a ZIP archive of 1: a.txt");
        assert_eq!(answer_of(&answer_with(Err(finding.clone()))), Err(finding));
        for cut in [&b""[..], b"T", b"T\0\0\0\x09abc", b"T\0\0\0\x01a\0\0\0\x01b"] {
            assert!(answer_of(cut).is_err());
        }
    }
}
