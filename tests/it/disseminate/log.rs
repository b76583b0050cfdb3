//! What the program logs in this process while the tests run, as far as a canary stands in it.

use std::io::Write;
use std::sync::{Mutex, Once, PoisonError};

static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());
static LISTEN: Once = Once::new();

struct Ear;

impl Write for Ear {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        if text.contains("canary") {
            SEEN.lock().unwrap_or_else(PoisonError::into_inner).push(text.into_owned());
        }
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// From here on every line of every level is looked at.
pub fn listen() {
    LISTEN.call_once(|| {
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(|| Ear).init();
        tracing::info!("canary of the ear itself");
    });
}

/// Lines in which a canary stood. The ear's own shows that it hears.
pub fn heard() -> Vec<String> {
    let seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(seen.iter().any(|line| line.contains("canary of the ear itself")), "the log is not heard");
    seen.iter().filter(|line| !line.contains("canary of the ear itself")).cloned().collect()
}
