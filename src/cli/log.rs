//! The log on stderr. A line is handed to a queue, and a thread of its own writes it: a log that
//! nobody reads, or whose disk is full, never holds up mail (ATTACKS F74).

use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait to be written; with lines of some 200 bytes less than a megabyte. Past it lines are
/// dropped and counted.
const LINES_MAX: usize = 4096;
/// How long the end of the program waits for the last lines.
const LAST_WITHIN: Duration = Duration::from_millis(300);

/// The queue, one for the process.
static QUEUE: LazyLock<Queue> = LazyLock::new(Queue::start);

struct Queue {
    lines: SyncSender<Vec<u8>>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    waiting: AtomicU64,
    dropped: AtomicU64,
}

impl Queue {
    fn start() -> Self {
        let (lines, received) = sync_channel::<Vec<u8>>(LINES_MAX);
        let state = Arc::new(State::default());
        let of_thread = Arc::clone(&state);
        std::thread::spawn(move || {
            for line in received {
                // Where even this fails there is nobody to tell it to.
                let _ = std::io::stderr().write_all(&line);
                let dropped = of_thread.dropped.swap(0, Ordering::Relaxed);
                if dropped > 0 {
                    let _ = writeln!(std::io::stderr(), "{dropped} lines of the log were dropped: nobody took them");
                }
                of_thread.waiting.fetch_sub(1, Ordering::Release);
            }
        });
        Self { lines, state }
    }

    fn put(&self, line: &[u8]) {
        self.state.waiting.fetch_add(1, Ordering::Release);
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.lines.try_send(line.to_vec()) {
            self.state.waiting.fetch_sub(1, Ordering::Release);
            self.state.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What the subscriber writes into.
#[derive(Debug, Clone, Copy)]
pub(super) struct Queued;

impl std::io::Write for Queued {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        QUEUE.put(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Queued {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        Self
    }
}

/// Waits a moment for the last lines.
pub(super) fn finish() {
    let until = Instant::now() + LAST_WITHIN;
    while QUEUE.state.waiting.load(Ordering::Acquire) > 0 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(2));
    }
}
