//! Log-in over IMAP: SASL where the server has it, LOGIN where not. No secret ever stands in an error.

use super::dialogue::{Answer, Dialogue, Size};
use crate::wire::{Login, WireError};
use async_imap::imap_proto::{Response, Status};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

impl Dialogue {
    /// Logs in and asks again what the server can do.
    pub(super) async fn log_in(&mut self, login: &Login) -> Result<(), WireError> {
        let answer = match login {
            Login::XOAuth2 { user, token } => {
                self.authenticate("XOAUTH2", &format!("user={user}\u{1}auth=Bearer {token}\u{1}\u{1}")).await?
            }
            Login::Password { user, password } if self.can("AUTH=PLAIN") => {
                self.authenticate("PLAIN", &format!("\0{user}\0{password}")).await?
            }
            Login::Password { user, password } => {
                if self.can("LOGINDISABLED") {
                    return Err(self.refused("takes no password", "it has neither auth=plain nor login"));
                }
                let (Some(user), Some(password)) = (quoted(user), quoted(password)) else {
                    return Err(self.refused("takes this user and password only by auth=plain", "they are not plain ascii"));
                };
                self.run_as("LOGIN", &format!("LOGIN {user} {password}"), Size::SMALL, |_| {}).await?
            }
        };
        match answer {
            Answer::Ok => self.ask_capabilities().await,
            // RFC 5530: these are about the server, not about the password.
            Answer::No { code, text } if matches!(code.as_str(), "UNAVAILABLE" | "SERVERBUG" | "INUSE" | "LIMIT") => {
                Err(WireError::Unreachable(format!("cannot log in at {} now: {text}", self.at())))
            }
            Answer::No { text, .. } => Err(self.refused("refuses the log-in", &text)),
        }
    }

    /// RFC 3501 §6.2.2 and, where the server has it, RFC 4959 (the response along with the command).
    async fn authenticate(&mut self, mechanism: &str, response: &str) -> Result<Answer, WireError> {
        let response = BASE64.encode(response);
        let inline = self.can("SASL-IR");
        let command = if inline { format!("AUTHENTICATE {mechanism} {response}") } else { format!("AUTHENTICATE {mechanism}") };
        let tag = self.say(&command, Size::SMALL).await?;
        let mut to_send = if inline { None } else { Some(response) };
        // One challenge asks for the response, one may carry the reason of a refusal, answered by an empty line.
        for _ in 0..4 {
            let (asks, answer) = self
                .read(self.timeouts.command, |this, response| match response {
                    Response::Done { tag: done, status, outcome } if done.0 == tag => {
                        (false, Some(this.answer(mechanism, status, outcome)))
                    }
                    Response::Data { status: Status::Bye, .. } => (false, Some(Err(this.farewell(response)))),
                    response => (matches!(response, Response::Continue(_)), None),
                })
                .await?;
            if let Some(answer) = answer {
                return answer;
            }
            if asks {
                self.write(&to_send.take().unwrap_or_default()).await?;
            }
        }
        Err(self.protocol("does not end the log-in"))
    }
}

/// A quoted string (RFC 3501 §4.3); `None` for what only a literal could carry.
pub(super) fn quoted(text: &str) -> Option<String> {
    let is_plain = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    is_plain.then(|| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}
