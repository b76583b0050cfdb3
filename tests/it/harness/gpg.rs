//! The real gpg with a home of its own: keys, signatures and ciphertexts made by another program
//! than ours. `Gpg::new` makes the home, dropping it ends its agent and removes it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A gpg home. Its path is short, since a socket's path has at most 107 characters.
#[derive(Debug)]
pub struct Gpg {
    home: tempfile::TempDir,
}

/// What a run of gpg gave.
#[derive(Debug)]
pub struct Run {
    pub ok: bool,
    pub out: Vec<u8>,
    /// The status lines and messages.
    pub status: String,
}

impl Run {
    /// The fingerprint of the primary key of a good signature.
    pub fn good_signer(&self) -> Option<String> {
        let valid = self.status.lines().find(|line| line.contains("[GNUPG:] VALIDSIG "))?;
        valid.split_whitespace().last().map(str::to_owned)
    }
}

impl Gpg {
    pub fn new() -> Self {
        let home = tempfile::Builder::new().prefix("g").rand_bytes(5).tempdir_in("/tmp").unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(home.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        Self { home }
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Makes a key, one hour old, and gives its fingerprint. `algorithm`: `future-default` is ed25519 with
    /// cv25519, `default` is RSA with an encryption subkey.
    pub fn new_key(&self, user_id: &str, algorithm: &str) -> String {
        self.new_key_until(user_id, algorithm, "2y")
    }

    /// As [`Self::new_key`], with gpg's way to say when it ends.
    pub fn new_key_until(&self, user_id: &str, algorithm: &str, expires: &str) -> String {
        let run = self.run(&["--faked-system-time", &an_hour_ago(), "--quick-gen-key", user_id, algorithm, "default", expires], b"");
        assert!(run.ok, "{}", run.status);
        let created = run.status.lines().find(|line| line.contains("KEY_CREATED")).unwrap();
        created.split_whitespace().last().unwrap().to_owned()
    }

    pub fn export(&self, key: &str) -> Vec<u8> {
        self.must(&["--armor", "--export", key], b"").out
    }

    pub fn export_secret(&self, key: &str) -> Vec<u8> {
        self.must(&["--armor", "--export-secret-keys", key], b"").out
    }

    pub fn import(&self, key: &[u8]) {
        self.must(&["--import"], key);
    }

    /// A detached, armored signature.
    pub fn sign(&self, key: &str, bytes: &[u8]) -> Vec<u8> {
        self.must(&["--armor", "--digest-algo", "SHA512", "-u", key, "--detach-sign"], bytes).out
    }

    /// As [`Self::sign`], at another time (`20261120T120000`).
    pub fn sign_at(&self, key: &str, bytes: &[u8], time: &str) -> Vec<u8> {
        self.must(&["--faked-system-time", &format!("{time}!"), "--armor", "--digest-algo", "SHA512", "-u", key, "--detach-sign"], bytes)
            .out
    }

    /// A whole `multipart/signed` mail: `header` is the outer header without Content-Type, `entity` is what is signed.
    pub fn sign_mime(&self, key: &str, header: &str, entity: &[u8]) -> Vec<u8> {
        let entity = crlf(entity);
        signed_mail(header, &entity, &self.sign(key, &entity))
    }

    /// An armored message: signed by `signer` where there is one, encrypted to `recipients`.
    pub fn encrypt_sign(&self, signer: Option<&str>, recipients: &[&str], bytes: &[u8]) -> Vec<u8> {
        let mut arguments = vec!["--armor"];
        for recipient in recipients {
            arguments.extend(["-r", recipient]);
        }
        if let Some(signer) = signer {
            arguments.extend(["-u", signer, "--sign"]);
        }
        arguments.push("--encrypt");
        self.must(&arguments, bytes).out
    }

    /// A whole `multipart/encrypted` mail with `entity` inside, signed in the same message.
    pub fn encrypt_sign_mime(&self, signer: Option<&str>, recipients: &[&str], header: &str, entity: &[u8]) -> Vec<u8> {
        encrypted_mail(header, &self.encrypt_sign(signer, recipients, &crlf(entity)))
    }

    pub fn decrypt(&self, message: &[u8]) -> Run {
        self.run(&["--decrypt"], message)
    }

    pub fn verify(&self, signature: &[u8], bytes: &[u8]) -> Run {
        let path = self.file("sig", signature);
        let run = self.run(&["--verify", path.to_str().unwrap(), "-"], bytes);
        std::fs::remove_file(path).unwrap();
        run
    }

    /// What stands in a message, packet by packet.
    pub fn packets(&self, bytes: &[u8]) -> String {
        String::from_utf8_lossy(&self.run(&["--list-packets", "--verbose"], bytes).out).into_owned()
    }

    pub fn must(&self, arguments: &[&str], input: &[u8]) -> Run {
        let run = self.run(arguments, input);
        assert!(run.ok, "gpg {arguments:?}: {}", run.status);
        run
    }

    /// Any run of gpg, with an empty passphrase and every key trusted.
    pub fn run(&self, arguments: &[&str], input: &[u8]) -> Run {
        let mut child = Command::new("gpg")
            .env("GNUPGHOME", self.home.path())
            .env("LC_ALL", "C")
            .args(["--batch", "--yes", "--no-tty", "--pinentry-mode", "loopback", "--passphrase", "", "--trust-model", "always"])
            .args(["--status-fd", "2"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("gpg is installed (package gnupg)");
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        // Writing beside reading: gpg may answer before it has read all.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Run { ok: output.status.success(), out: output.stdout, status: String::from_utf8_lossy(&output.stderr).into_owned() }
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        // The agent of this home alone.
        drop(Command::new("gpgconf").env("GNUPGHOME", self.home.path()).args(["--kill", "all"]).output());
    }
}

/// `entity` and a signature as `multipart/signed`.
pub fn signed_mail(header: &str, entity: &[u8], signature: &[u8]) -> Vec<u8> {
    let mut mail = crlf(header.trim_end().as_bytes());
    mail.extend_from_slice(
        b"\r\nContent-Type: multipart/signed; micalg=pgp-sha512;\r\n protocol=\"application/pgp-signature\"; boundary=\"=_sig\"\r\n\r\n--=_sig\r\n",
    );
    mail.extend_from_slice(entity);
    mail.extend_from_slice(b"\r\n--=_sig\r\nContent-Type: application/pgp-signature; name=\"signature.asc\"\r\n\r\n");
    mail.extend_from_slice(&crlf(signature));
    mail.extend_from_slice(b"\r\n--=_sig--\r\n");
    mail
}

/// An armored message as `multipart/encrypted`.
pub fn encrypted_mail(header: &str, message: &[u8]) -> Vec<u8> {
    let mut mail = crlf(header.trim_end().as_bytes());
    mail.extend_from_slice(b"\r\nContent-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=\"=_enc\"\r\n\r\n");
    mail.extend_from_slice(b"--=_enc\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n");
    mail.extend_from_slice(b"--=_enc\r\nContent-Type: application/octet-stream; name=\"encrypted.asc\"\r\n\r\n");
    mail.extend_from_slice(&crlf(message));
    mail.extend_from_slice(b"\r\n--=_enc--\r\n");
    mail
}

/// Every line end as CRLF.
pub fn crlf(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for &byte in bytes.iter().filter(|&&byte| byte != b'\r') {
        if byte == b'\n' {
            out.push(b'\r');
        }
        out.push(byte);
    }
    out
}

/// When keys are made, in gpg's words: a test whose clock stands still while a busy machine makes a
/// key would find it not valid yet.
pub fn an_hour_ago() -> String {
    (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1)).strftime("%Y%m%dT%H%M%S!").to_string()
}
