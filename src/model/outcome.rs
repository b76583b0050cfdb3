//! What became of one attempt to send a letter. `wire::smtp` makes it, `decide::retry` reads it;
//! the texts are for people, nobody branches on them.

use super::letter::LetterState;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Whose fault a temporary failure is: it decides which retry clock runs (ATTACKS F30 to F45).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// This letter alone: its sender, recipient or content was put off, or the connection died under it.
    /// It backs off by the retry schedule, others go on.
    Letter,
    /// The server or the way to it: no connection, a 421, TLS, log-in. No letter is to blame and none
    /// loses an attempt; the whole outbox waits.
    Server,
}

/// The end of one attempt (DESIGN 4, outbox ladder).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendOutcome {
    /// The server answered 2xx after the final dot; its reply, one line.
    Sent { reply: String },
    /// Surely not delivered, may be tried again.
    Later { reason: String, fault: Fault },
    /// Refused for good (5xx about this letter), or a letter that must not be given to a server.
    Never { reason: String },
    /// The final dot may have arrived and no answer came (RFC 1047).
    Uncertain { reason: String },
}

/// The rung of the outbox ladder that follows from an outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    pub state: LetterState,
    /// When to try again; kept where the state is `queued` or `uncertain`.
    pub next_at: Option<Timestamp>,
    pub error: Option<String>,
    /// The server's reply.
    pub reply: Option<String>,
    /// `false` where the fault was the server's as a whole: the attempt is not held against the letter (F30).
    pub counts_attempt: bool,
}
