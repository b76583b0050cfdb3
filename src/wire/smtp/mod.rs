//! Giving sealed mail to an SMTP server, one letter a transaction, one recipient a letter. Each stage's
//! answer is told apart, since what happens to a letter turns on it (ATTACKS F30 to F45).

mod letter;
mod replies;

use super::connect::{self, Place, Speech};
use super::{Endpoint, Login, Timeouts, WireError, shown};
use crate::model::{Fault, SendOutcome};
use crate::openpgp::seal::SealedMail;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use replies::{Ledger, Replies};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// The greeting that lettre is given after STARTTLS, where the server sends none (RFC 3207 §4.2).
const GREETING_AGAIN: &[u8] = b"220 tls\r\n";
/// How long QUIT may take: the letters are delivered whatever comes of it (ATTACKS F43).
const QUIT_WITHIN: Duration = Duration::from_secs(5);

/// A connection, greeted and logged in, for many letters one after the other.
pub struct Connection {
    lettre: AsyncSmtpConnection,
    ledger: Arc<Mutex<Ledger>>,
    endpoint: Endpoint,
    timeouts: Timeouts,
    is_open: bool,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("endpoint", &self.endpoint).field("is_open", &self.is_open).finish_non_exhaustive()
    }
}

/// What a command came to.
#[derive(Debug)]
enum Reply {
    /// The server's code.
    Code(u16),
    /// It cannot be read as a reply, with the reason.
    Garbage(String),
    /// No reply: the connection broke, or the time was over.
    Lost(String),
}

impl Connection {
    /// Connects, protects the connection and logs in. [`WireError::Refused`] is about us and wants a person;
    /// after the others the same may work later. No letter is to blame for either.
    pub async fn open(endpoint: &Endpoint, login: Option<&Login>, ehlo_name: &str, timeouts: Timeouts) -> Result<Self, WireError> {
        if !ehlo_name_is_valid(ehlo_name) {
            return Err(WireError::Refused(format!("'{}' is no host name to greet an smtp server with", ehlo_name.escape_debug())));
        }
        let connected = connect::connect(endpoint, Speech::Smtp { ehlo_name }, &timeouts).await?;
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let greeting = connected.is_greeted.then_some(GREETING_AGAIN);
        let stream = Box::new(Replies::new(connected.stream, connected.peer, Arc::clone(&ledger), greeting));
        let hello = ClientId::Domain(ehlo_name.to_owned());
        let greeted = timeout(timeouts.greeting + timeouts.command, AsyncSmtpConnection::connect_with_transport(stream, &hello)).await;
        let stage = if lock(&ledger).has_written() { "ehlo" } else { "the greeting" };
        let lettre = match greeted {
            Ok(Ok(lettre)) => lettre,
            Ok(Err(error)) => return Err(refusal(endpoint, &ledger, stage, &reply_of(&Err(error)))),
            Err(_) => {
                let silence = Reply::Lost(format!("no answer within {} s", (timeouts.greeting + timeouts.command).as_secs_f32()));
                return Err(refusal(endpoint, &ledger, stage, &silence));
            }
        };
        let mut new = Self { lettre, ledger, endpoint: endpoint.clone(), timeouts, is_open: true };
        if let Some(login) = login {
            new.log_in(login).await?;
        }
        Ok(new)
    }

    async fn log_in(&mut self, login: &Login) -> Result<(), WireError> {
        let (mechanisms, credentials): (&[Mechanism], _) = match login {
            Login::Password { user, password } => (&[Mechanism::Plain, Mechanism::Login], Credentials::new(user.clone(), password.clone())),
            Login::XOAuth2 { user, token } => (&[Mechanism::Xoauth2], Credentials::new(user.clone(), token.clone())),
        };
        if self.lettre.server_info().get_auth_mechanism(mechanisms).is_none() {
            let text = format!("smtp server {} offers no log-in of the kind that is configured", Place(&self.endpoint));
            return Err(WireError::Refused(text));
        }
        let limit = self.timeouts.command;
        match timed(limit, self.lettre.auth(mechanisms, &credentials)).await {
            Reply::Code(code) if is_done(code) => Ok(()),
            // XOAUTH2 tells the reason of a refusal in one more challenge, which lettre does not answer.
            Reply::Garbage(_) if lock(&self.ledger).reply().starts_with("334") => {
                Err(WireError::Refused(format!("smtp server {} refuses the log-in", Place(&self.endpoint))))
            }
            reply => Err(refusal(&self.endpoint, &self.ledger, "the log-in", &reply)),
        }
    }

    /// Whether the connection may be used for another letter. Once it is not, open a new one.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// Asks the server whether the connection still lives, for one that has been idle: a letter should not
    /// be begun on a dead one. Also clears what an earlier transaction left.
    pub async fn refresh(&mut self) -> bool {
        if self.is_open {
            self.reset().await;
        }
        self.is_open
    }

    /// RSET. Closed until it is answered, also for a caller that gives the wait up.
    async fn reset(&mut self) {
        self.is_open = false;
        let reply = timed(self.timeouts.command, self.lettre.command(Rset)).await;
        self.is_open = matches!(reply, Reply::Code(code) if is_done(code));
    }

    /// Ends the connection politely.
    pub async fn quit(mut self) {
        if self.is_open {
            timeout(QUIT_WITHIN, self.lettre.quit()).await.ok();
        }
    }

    /// Gives one letter to the server. The bytes go out as they are, but for the doubling of dots that the
    /// protocol undoes. After an outcome of the server's fault the connection is closed.
    pub async fn send(&mut self, mail: &SealedMail) -> SendOutcome {
        self.transact(mail.envelope_from().as_str(), mail.envelope_to().as_str(), mail.bytes()).await
    }

    async fn transact(&mut self, from: &str, to: &str, bytes: &[u8]) -> SendOutcome {
        let (from, to) = match (letter::check(bytes), letter::sender(from), letter::recipient(to)) {
            (Ok(()), Ok(from), Ok(to)) => (from, to),
            (Err(reason), ..) | (_, Err(reason), _) | (.., Err(reason)) => return SendOutcome::Never { reason },
        };
        // Closed until the transaction has come to an end: it may be given up half way.
        if !std::mem::replace(&mut self.is_open, false) {
            return later(format!("the connection to {} is closed", Place(&self.endpoint)), Fault::Server);
        }
        let (command, data) = (self.timeouts.command, self.timeouts.data);
        let reply = timed(command, self.lettre.command(Mail::new(from, Vec::new()))).await;
        if let Some(outcome) = self.before_content("mail from", &reply, is_done, Fault::Server).await {
            return outcome;
        }
        let reply = timed(command, self.lettre.command(Rcpt::new(to, Vec::new()))).await;
        if let Some(outcome) = self.before_content("rcpt to", &reply, is_done, Fault::Letter).await {
            return outcome;
        }
        let reply = timed(data, self.lettre.command(Data)).await;
        if let Some(outcome) = self.before_content("data", &reply, |code| code == 354, Fault::Letter).await {
            return outcome;
        }
        // The final dot brings the last line end with it.
        let content = bytes.strip_suffix(b"\r\n").unwrap_or(bytes);
        let reply = timed(self.timeouts.block + self.timeouts.after_dot, self.lettre.message(content)).await;
        self.after_content(&reply)
    }

    /// What an answer before the content means; `None`: go on. `lost`: whose fault a broken connection is here.
    async fn before_content(&mut self, stage: &str, reply: &Reply, is_good: fn(u16) -> bool, lost: Fault) -> Option<SendOutcome> {
        let said = format!("{stage}: {}", lock(&self.ledger).reply());
        let outcome = match reply {
            Reply::Code(code) if is_good(*code) => return None,
            // The server closes, or wants a log-in that we have made: about us, not about the letter.
            Reply::Code(421) => later(said, Fault::Server),
            Reply::Code(530 | 534 | 535 | 538) => later(said, Fault::Server),
            Reply::Code(code) if code / 100 == 4 => {
                self.reset().await;
                later(said, Fault::Letter)
            }
            Reply::Code(code) if code / 100 == 5 => {
                self.reset().await;
                SendOutcome::Never { reason: said }
            }
            Reply::Code(_) => later(format!("{said} (an answer out of place)"), Fault::Letter),
            Reply::Garbage(why) => later(format!("{stage}: {why}"), Fault::Letter),
            Reply::Lost(why) => later(format!("{stage}: {why}"), lost),
        };
        Some(outcome)
    }

    fn after_content(&mut self, reply: &Reply) -> SendOutcome {
        let (said, early, is_dot_out) = {
            let ledger = lock(&self.ledger);
            (ledger.reply().to_owned(), ledger.early().map(str::to_owned), ledger.is_dot_out())
        };
        let after = format!("after the content: {said}");
        let end = match reply {
            Reply::Code(code) if is_dot_out && is_done(*code) => Some(SendOutcome::Sent { reply: said.clone() }),
            Reply::Code(421) => return later(after, Fault::Server),
            Reply::Code(code) if code / 100 == 4 => Some(later(after, Fault::Letter)),
            Reply::Code(code) if code / 100 == 5 => Some(SendOutcome::Never { reason: after }),
            _ => None,
        };
        if let Some(end) = end {
            self.is_open = true;
            return end;
        }
        let why = match reply {
            Reply::Lost(why) | Reply::Garbage(why) => why.clone(),
            Reply::Code(_) => format!("an answer out of place: {said}"),
        };
        if is_dot_out {
            return SendOutcome::Uncertain { reason: format!("after the final dot: {why}; it may have been delivered") };
        }
        // The server cannot have taken a letter whose end it never got; what it said meanwhile is its answer.
        match early.as_deref() {
            Some(words) if words.starts_with('5') => SendOutcome::Never { reason: format!("before the end of the content: {words}") },
            Some(words) if words.starts_with("421") => later(format!("before the end of the content: {words}"), Fault::Server),
            Some(words) => later(format!("before the end of the content: {words}"), Fault::Letter),
            None => later(format!("before the end of the content: {why}"), Fault::Letter),
        }
    }
}

/// For `check`: connects, logs in, says goodbye.
pub async fn login_check(endpoint: &Endpoint, login: Option<&Login>, ehlo_name: &str, timeouts: Timeouts) -> Result<(), WireError> {
    Connection::open(endpoint, login, ehlo_name, timeouts).await?.quit().await;
    Ok(())
}

fn lock(ledger: &Mutex<Ledger>) -> std::sync::MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

fn later(reason: String, fault: Fault) -> SendOutcome {
    SendOutcome::Later { reason, fault }
}

fn is_done(code: u16) -> bool {
    code / 100 == 2
}

async fn timed(limit: Duration, command: impl Future<Output = Result<Response, lettre::transport::smtp::Error>>) -> Reply {
    match timeout(limit, command).await {
        Ok(result) => reply_of(&result),
        Err(_) => Reply::Lost(format!("no answer within {} s", limit.as_secs_f32())),
    }
}

fn reply_of(result: &Result<Response, lettre::transport::smtp::Error>) -> Reply {
    match result {
        Ok(response) => Reply::Code(response.code().into()),
        Err(error) => match error.status() {
            Some(code) => Reply::Code(code.into()),
            None => match broken(error) {
                Some(io) if io.kind() == std::io::ErrorKind::InvalidData => Reply::Garbage(io.to_string()),
                Some(io) => Reply::Lost(shown(&io.to_string().to_lowercase())),
                None => Reply::Garbage("what it says is no smtp reply".to_owned()),
            },
        },
    }
}

fn broken(error: &lettre::transport::smtp::Error) -> Option<&std::io::Error> {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return Some(io);
        }
        source = inner.source();
    }
    None
}

/// A failure before any letter: greeting, EHLO, log-in.
fn refusal(endpoint: &Endpoint, ledger: &Mutex<Ledger>, stage: &str, reply: &Reply) -> WireError {
    let at = Place(endpoint);
    let (said, refused) = {
        let ledger = lock(ledger);
        (ledger.reply().to_owned(), ledger.refusal().map(str::to_owned))
    };
    match (refused, reply) {
        (Some(words), _) if words.starts_with('4') => WireError::Unreachable(format!("smtp server {at} puts off {stage}: {words}")),
        (Some(words), _) => WireError::Refused(format!("smtp server {at} refuses {stage}: {words}")),
        (None, Reply::Code(_)) => WireError::Protocol(format!("smtp server {at} answers {stage} out of place: {said}")),
        (None, Reply::Garbage(why)) => WireError::Protocol(format!("smtp server {at} does not answer {stage}: {why}")),
        (None, Reply::Lost(why)) => WireError::Unreachable(format!("smtp server {at} does not answer {stage}: {why}")),
    }
}

fn ehlo_name_is_valid(name: &str) -> bool {
    !name.is_empty() && name.len() <= 255 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-[]:".contains(&byte))
}
