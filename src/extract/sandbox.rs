//! Files are read in a child process of this same binary: no network, no file access, bounded CPU
//! time, memory and output. Whatever a file does to its parser, the daemon goes on, and the mail
//! with it. Without [`enable`] (in tests of the library) files are read in the process itself.

use super::file::{self, Finding, Sort, TEXT_BYTES_MAX};
use std::io::{Read, Write};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

/// The first argument that makes a process of this binary the child.
const CHILD: &str = "__read-file";
/// The second argument that makes it only say what it could give up.
const PROBE: &str = "probe";
/// A letter takes milliseconds; a file that needs this long is made to.
const CPU_SECONDS_MAX: u64 = 5;
/// What the child may allocate: the file, what it unfolds to, and its text, with room.
const DATA_BYTES_MAX: u64 = 256 << 20;
/// All that the child may map, the binary included.
const ADDRESS_BYTES_MAX: u64 = 1 << 30;
/// The detail of a finding, after the mark.
const DETAIL_BYTES_MAX: u64 = 1_024;

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

/// Reads a file in a child, or here where that is not enabled.
pub(super) fn read(sort: Sort, content: &[u8]) -> Result<String, Finding> {
    if !IS_ENABLED.load(Ordering::Relaxed) {
        return file::read(sort, content);
    }
    let child = Command::new("/proc/self/exe")
        .args([CHILD, sort.word()])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else { return Err(Finding::unreadable("no process could be started to read it")) };
    if let Some(mut stdin) = child.stdin.take() {
        // A child that died early shows in its status.
        let _broken_pipe = stdin.write_all(content);
    }
    let mut answer = Vec::new();
    let read = child.stdout.take().map(|stdout| stdout.take(TEXT_BYTES_MAX as u64 + DETAIL_BYTES_MAX).read_to_end(&mut answer));
    let status = child.wait();
    match (read, status) {
        (Some(Ok(_)), Ok(status)) if status.success() => answer_of(&answer),
        (_, Ok(status)) => Err(Finding::unreadable(format!("its reader was stopped ({status})"))),
        _ => Err(Finding::unreadable("its reader gave no answer")),
    }
}

/// The child's answer: a mark, then text or detail.
fn answer_of(answer: &[u8]) -> Result<String, Finding> {
    let (mark, rest) = answer.split_first().unwrap_or((&b'-', &[]));
    let text = String::from_utf8_lossy(rest).into_owned();
    match mark {
        b'T' => Ok(text),
        b'E' => Err(Finding::encrypted()),
        b'L' => Err(Finding::too_large(text)),
        _ => Err(Finding::unreadable(text)),
    }
}

/// The child's whole life, if this process is one: gives up its rights, reads a file from stdin,
/// writes its text to stdout.
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
    if std::io::stdin().take(file::FILE_BYTES_MAX as u64).read_to_end(&mut content).is_err() {
        return Some(ExitCode::FAILURE);
    }
    let answer = match file::read(sort, &content) {
        Ok(mut text) => {
            file::truncate(&mut text, TEXT_BYTES_MAX);
            format!("T{text}")
        }
        Err(finding) => {
            let mark = match finding.code {
                "file-encrypted" => 'E',
                "file-too-large" => 'L',
                _ => 'U',
            };
            format!("{mark}{}", finding.detail)
        }
    };
    let written = std::io::stdout().write_all(answer.as_bytes()).and_then(|()| std::io::stdout().flush());
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
