//! `[intake]` and `[outgoing]`: where mail comes from and goes to, and how to log in there.

use super::read::Reading;
use super::{Config, ConfigError, Intake, Login, Outgoing, SecretSource, Server, Source, Target, Tls, raw, value};
use std::path::PathBuf;

/// The keys that say which server.
struct Typed {
    host: Option<String>,
    port: Option<u16>,
    tls: Option<String>,
    ca_file: Option<PathBuf>,
}

impl Reading<'_> {
    pub(super) fn intake(&self, mut raw: raw::Intake, intake: &mut Intake) -> Result<(), ConfigError> {
        intake.config_file.clone_from(&self.file);
        self.set("intake.mailbox", raw.mailbox.take(), value::mailbox, &mut intake.mailbox)?;
        self.set("intake.processed", raw.processed.take(), value::mailbox, &mut intake.processed)?;
        self.set("intake.quarantine", raw.quarantine.take(), value::mailbox, &mut intake.quarantine)?;
        // RFC 3501 §5.1: INBOX is the one name that is the same in any letter case. Moving mail
        // into the mailbox that it comes from would never end (ATTACKS F18).
        let same = |a: &str, b: &str| a == b || a.eq_ignore_ascii_case("inbox") && b.eq_ignore_ascii_case("inbox");
        for (key, a, b) in [
            ("intake.processed", &intake.processed, &intake.mailbox),
            ("intake.quarantine", &intake.quarantine, &intake.mailbox),
            ("intake.quarantine", &intake.quarantine, &intake.processed),
        ] {
            if same(a, b) {
                return Err(self.wrong(key, format!("'{a}' is used twice; mailbox, processed and quarantine must differ")));
            }
        }
        self.set("intake.poll_interval", raw.poll_interval.take(), value::duration, &mut intake.poll_interval)?;
        self.set("intake.max_message", raw.max_message.take(), value::size_bytes, &mut intake.message_bytes_max)?;
        intake.authserv_id = self.parsed("intake.authserv_id", raw.authserv_id.take(), value::host)?;
        intake.source = self.source(raw)?;
        Ok(())
    }

    fn source(&self, raw: raw::Intake) -> Result<Option<Source>, ConfigError> {
        match raw.kind.as_deref().unwrap_or("imap") {
            "maildir" => Ok(Some(Source::Maildir { path: self.maildir_path("intake", raw.path)? })),
            "imap" => {
                self.only_with_maildir("intake", raw.path.is_some())?;
                let xoauth2 = match raw.auth.as_deref() {
                    None | Some("password") => None,
                    Some("xoauth2") => Some(raw.token_command.unwrap_or_default()),
                    Some(other) => {
                        let reason =
                            format!("'{}' is not known; write \"xoauth2\" with token_command, or leave it out", value::shown(other));
                        return Err(self.wrong("intake.auth", reason));
                    }
                };
                let password = self.secret("intake", raw.password_file, raw.password_credential)?;
                let typed = Typed { host: raw.host, port: raw.port, tls: raw.tls, ca_file: raw.ca_file };
                let Some(server) = self.server("intake", typed, (993, Tls::Implicit))? else { return Ok(None) };
                let Some(user) = raw.user else {
                    return Err(self.wrong("intake.user", "is missing; name the user of the IMAP log-in"));
                };
                Ok(Some(Source::Imap { server, login: self.login("intake", user, password, xoauth2)? }))
            }
            other => Err(self.wrong("intake.kind", format!("'{}' is not known; write \"imap\" or \"maildir\"", value::shown(other)))),
        }
    }

    /// A daemon that takes in what it sends would answer itself.
    pub(super) fn two_maildirs(&self, config: &Config) -> Result<(), ConfigError> {
        let (Some(Source::Maildir { path: inward }), Some(Target::Maildir { path: outward })) =
            (&config.intake.source, &config.outgoing.target)
        else {
            return Ok(());
        };
        if inward.starts_with(outward) || outward.starts_with(inward) {
            return Err(self.wrong("outgoing.path", "is the Maildir of [intake] or lies in it; name a folder of its own"));
        }
        Ok(())
    }

    pub(super) fn outgoing(&self, raw: raw::Outgoing, outgoing: &mut Outgoing) -> Result<(), ConfigError> {
        outgoing.config_file.clone_from(&self.file);
        outgoing.plus_addresses = raw.plus_addresses.unwrap_or(outgoing.plus_addresses);
        outgoing.target = match raw.kind.as_deref().unwrap_or("smtp") {
            "maildir" => Some(Target::Maildir { path: self.maildir_path("outgoing", raw.path)? }),
            "smtp" => {
                self.only_with_maildir("outgoing", raw.path.is_some())?;
                let password = self.secret("outgoing", raw.password_file, raw.password_credential)?;
                match self.server(
                    "outgoing",
                    Typed { host: raw.host, port: raw.port, tls: raw.tls, ca_file: raw.ca_file },
                    (587, Tls::StartTls),
                )? {
                    None => None,
                    Some(server) => {
                        let login = match raw.user {
                            Some(user) => self.login("outgoing", user, password, None)?,
                            None if password.is_some() => {
                                return Err(self.wrong("outgoing.user", "is missing beside the password; name the user of the SMTP log-in"));
                            }
                            None => Login::None,
                        };
                        Some(Target::Smtp { server, login })
                    }
                }
            }
            other => {
                return Err(self.wrong("outgoing.kind", format!("'{}' is not known; write \"smtp\" or \"maildir\"", value::shown(other))));
            }
        };
        Ok(())
    }

    fn maildir_path(&self, section: &str, path: Option<PathBuf>) -> Result<PathBuf, ConfigError> {
        match path {
            Some(path) => Ok(self.path(path)),
            None => Err(self.wrong(&format!("{section}.path"), "is missing for kind = \"maildir\"; name the Maildir")),
        }
    }

    fn only_with_maildir(&self, section: &str, has_path: bool) -> Result<(), ConfigError> {
        if has_path {
            return Err(self.wrong(&format!("{section}.path"), "is for kind = \"maildir\" alone; set that kind or take the path out"));
        }
        Ok(())
    }

    fn server(&self, section: &str, typed: Typed, (default_port, default_tls): (u16, Tls)) -> Result<Option<Server>, ConfigError> {
        let tls_key = format!("{section}.tls");
        let tls = self.parsed(&tls_key, typed.tls, read_tls)?.unwrap_or(default_tls);
        let Some(host) = self.parsed(&format!("{section}.host"), typed.host, value::host)? else { return Ok(None) };
        if tls == Tls::None && !value::is_loopback(&host) {
            let reason = format!("\"none\" is for loopback addresses alone, and {host} is none; write \"implicit\" or \"starttls\"");
            return Err(self.wrong(&tls_key, reason));
        }
        let port = typed.port.unwrap_or(default_port);
        if port == 0 {
            return Err(self.wrong(&format!("{section}.port"), format!("0 is no port; the usual one is {default_port}")));
        }
        Ok(Some(Server { host, port, tls, ca_file: typed.ca_file.map(|path| self.path(path)) }))
    }

    fn login(
        &self,
        section: &str,
        user: String,
        password: Option<SecretSource>,
        xoauth2: Option<Vec<String>>,
    ) -> Result<Login, ConfigError> {
        if user.is_empty() || user.chars().any(char::is_control) {
            return Err(self.wrong(&format!("{section}.user"), "is empty or holds a control character; write the user's name"));
        }
        match (password, xoauth2) {
            (None, Some(token_command)) if !token_command.is_empty() => Ok(Login::XOauth2 { user, token_command }),
            (None, Some(_)) => {
                Err(self
                    .wrong(&format!("{section}.token_command"), "is missing; write the command that prints the token, as a list of words"))
            }
            (Some(_), Some(_)) => {
                Err(self.wrong(&format!("{section}.auth"), "\"xoauth2\" takes token_command and no password; take one out"))
            }
            (Some(password), None) => Ok(Login::Password { user, password }),
            (None, None) => Err(self.wrong(
                &format!("{section}.password_file"),
                format!("is missing for user '{}'; name a file that holds the password, or a password_credential", value::shown(&user)),
            )),
        }
    }

    pub(super) fn secret(
        &self,
        section: &str,
        file: Option<PathBuf>,
        credential: Option<String>,
    ) -> Result<Option<SecretSource>, ConfigError> {
        let key = format!("{section}.password_credential");
        match (file, credential) {
            (Some(_), Some(_)) => Err(self.wrong(&key, "stands beside password_file; keep one of the two")),
            (Some(path), None) => Ok(Some(SecretSource::File(self.path(path)))),
            (None, Some(name)) => {
                let is_name = !name.is_empty()
                    && !name.starts_with('.')
                    && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
                if is_name {
                    Ok(Some(SecretSource::Credential(name)))
                } else {
                    Err(self
                        .wrong(&key, "is no name of a systemd credential; write the name that LoadCredential= gives it, such as \"imap\""))
                }
            }
            (None, None) => Ok(None),
        }
    }
}

fn read_tls(text: &str) -> Result<Tls, String> {
    match text {
        "implicit" => Ok(Tls::Implicit),
        "starttls" => Ok(Tls::StartTls),
        "none" => Ok(Tls::None),
        _ => Err(format!("'{}' is not known; write \"implicit\", \"starttls\", or for a loopback address \"none\"", value::shown(text))),
    }
}
