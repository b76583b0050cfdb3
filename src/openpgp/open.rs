//! Decrypts and verifies what came in. Never fails: what cannot be opened or proved is a finding.

use super::Keyring;
use super::certificate::Certificate;
use super::decrypt::{self, Unsealed};
use super::payload::{Payload, Protected, Trust, read_payload};
use super::verify::{self, Proof, Signatures};
use super::{carried, inline};
use crate::mail::entity::{self, Ambiguity, Entity};
use crate::mail::{Mail, Reading};
use crate::model::{Damage, Fingerprint, Sha256};
use jiff::Timestamp;

/// A message after opening: `mail` is what to read, be it the outermost or the decrypted entity.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The mail as the sender wrote it: decrypted, with protected header fields in place of outer ones.
    pub mail: Mail,
    pub damage: Vec<Damage>,
    pub findings: Findings,
    /// The proof that commands need; `None` where any condition of contract 5 does not hold.
    pub signed_text: Option<SignedText>,
    /// Why there is no `signed_text`, in words for the analyst; empty where there is.
    pub refusals: Vec<Refusal>,
    /// Certificates that came with the mail, at most five: candidates for answers to its sender, never trusted by themselves.
    pub carried: Vec<Certificate>,
}

/// Why a mail cannot command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// No OpenPGP signature at all.
    Unsigned,
    /// A part stands beside the signed one, or round it (P1, P2, P8).
    NotAllSigned,
    /// Inline PGP (P6).
    Inline,
    /// Not exactly one From with one mailbox (P3), or two Content-Type fields (P28).
    Ambiguous,
    /// The bytes or the signature were changed.
    BadSignature,
    /// No certificate of the keyring made it.
    UnknownSigner,
    /// Made by a key that is expired, revoked or too weak.
    UnfitKey,
    /// Older than 7 days or more than 10 minutes ahead (P14).
    NotFresh,
    /// Protected From differs from the outer one (P26).
    FromDiffers,
    /// Encrypted, but not to us, or damaged.
    NotDecrypted,
    /// The signed entity has no text/plain (C10).
    HtmlOnly,
}

/// What was found, for `inspect`, the timeline and analysts.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    pub is_encrypted: bool,
    /// `Some(false)`: encrypted and could not be opened; the reason is in the damage.
    pub is_decrypted: Option<bool>,
    /// Encrypted to none of our keys, as against damaged (P17: only the first is told to the sender).
    pub is_for_others: bool,
    pub is_signed: bool,
    /// Fingerprint of the certificate of the first good signature, else the issuer that is named.
    pub signer: Option<Fingerprint>,
    /// Whether a signature is good, made by `signer` and covers the whole mail.
    pub is_valid: Option<bool>,
    /// Subject and From outside, where they differ from what was protected.
    pub outer_subject: Option<String>,
    /// Certificates that came with the mail (`application/pgp-keys`, Autocrypt): candidates, never trusted by themselves.
    pub carried: Vec<Fingerprint>,
}

/// Text that stands under a good, fresh signature which covers the whole mail, and who made it.
/// Command parsing takes nothing else, and nothing outside this module can make one.
#[derive(Debug, Clone)]
pub struct SignedText {
    text: String,
    signers: Vec<Fingerprint>,
    /// One for each of `signers`.
    marks: Vec<(Timestamp, Sha256)>,
    signed_at: Timestamp,
    key: Sha256,
    protected_subject: Option<String>,
    protected_to: Vec<String>,
    is_encrypted: bool,
}

/// Opens a message: `reading` is how it was read, `plaintext_limit` the most bytes that may come out of it.
#[must_use]
pub fn open(reading: Reading, keyring: &Keyring, now: Timestamp, plaintext_limit: usize) -> Opened {
    let (mail, damage) = reading;
    let mut opening = Opening { keyring, now, plaintext_limit, damage, findings: Findings::default(), refusals: Vec::new() };
    let raw = std::sync::Arc::clone(&mail.raw);
    let (mail, signed_text) = match Entity::read(&raw) {
        Ok(entity) => opening.open_entity(mail, &entity),
        Err(ambiguity) => {
            opening.note_ambiguity(ambiguity);
            opening.refuse(Refusal::Ambiguous);
            (mail, None)
        }
    };
    opening.finish(mail, signed_text)
}

/// What the top of a message, or of what was decrypted, is.
enum Form<'a> {
    /// RFC 3156 §5.
    Signed {
        signed: &'a [u8],
        signature: Vec<u8>,
    },
    /// RFC 3156 §4, or what Exchange makes of it.
    Encrypted {
        message: Vec<u8>,
    },
    /// It says that it is signed or encrypted, and is not built so.
    Broken(Ambiguity),
    Other,
}

fn form<'a>(entity: &Entity<'a>) -> Form<'a> {
    let media_type = entity.media_type();
    let speaks = |protocol: &str| media_type.parameter("protocol").is_none() || media_type.parameter_is("protocol", protocol);
    let is_signed = media_type.essence == "multipart/signed" && speaks("application/pgp-signature");
    let is_encrypted = media_type.essence == "multipart/encrypted" && speaks("application/pgp-encrypted");
    let is_mixed = media_type.essence == "multipart/mixed";
    if !is_signed && !is_encrypted && !is_mixed {
        return Form::Other;
    }
    let parts = match entity.parts() {
        Ok(parts) => parts,
        Err(_) if is_mixed => return Form::Other,
        Err(ambiguity) => return Form::Broken(ambiguity),
    };
    let read: Vec<Entity<'a>> = parts.iter().filter_map(|part| Entity::read(part).ok()).collect();
    let essence = |part: &Entity<'_>| part.media_type().essence.clone();
    match (parts.as_slice(), read.as_slice()) {
        ([signed, _], [_, signature]) if is_signed && essence(signature) == "application/pgp-signature" => {
            Form::Signed { signed, signature: signature.content() }
        }
        ([_, _], [version, message])
            if is_encrypted && essence(version) == "application/pgp-encrypted" && essence(message) == "application/octet-stream" =>
        {
            Form::Encrypted { message: message.content() }
        }
        _ if is_mixed => exchange_form(&read).filter(|_| read.len() == parts.len()).unwrap_or(Form::Other),
        _ => Form::Broken(Ambiguity::TooManyParts),
    }
}

/// Exchange turns `multipart/encrypted` into `multipart/mixed` and puts an empty text before it (ATTACKS P29).
fn exchange_form<'a>(parts: &[Entity<'_>]) -> Option<Form<'a>> {
    let (version, message) = match parts {
        [version, message] => (version, message),
        [empty, version, message] if empty.media_type().essence == "text/plain" && empty.content().iter().all(u8::is_ascii_whitespace) => {
            (version, message)
        }
        _ => return None,
    };
    let is_version = matches!(version.media_type().essence.as_str(), "application/pgp-encrypted" | "application/octet-stream")
        && version.content().trim_ascii().eq_ignore_ascii_case(b"Version: 1");
    let content = message.content();
    let is_message = message.media_type().essence == "application/octet-stream"
        && content.trim_ascii_start().starts_with(b"-----BEGIN PGP MESSAGE-----");
    (is_version && is_message).then_some(Form::Encrypted { message: content })
}

/// One message on its way.
struct Opening<'k> {
    keyring: &'k Keyring,
    now: Timestamp,
    plaintext_limit: usize,
    damage: Vec<Damage>,
    findings: Findings,
    refusals: Vec<Refusal>,
}

impl Opening<'_> {
    fn open_entity(&mut self, mail: Mail, entity: &Entity<'_>) -> (Mail, Option<SignedText>) {
        // Two readers that count differently are two readings (ATTACKS P3).
        if entity.field_count("From") != 1 || mail.from_one().is_none() {
            self.refuse(Refusal::Ambiguous);
        }
        match form(entity) {
            Form::Signed { signed, signature } => self.signed(mail, signed, &signature),
            Form::Encrypted { message } => self.encrypted(mail, &message),
            Form::Broken(ambiguity) => {
                self.note_ambiguity(ambiguity);
                self.refuse(Refusal::NotAllSigned);
                (mail, None)
            }
            Form::Other => (self.neither(mail), None),
        }
    }

    /// `multipart/signed` at the top.
    fn signed(&mut self, mail: Mail, signed: &[u8], signature: &[u8]) -> (Mail, Option<SignedText>) {
        let signatures = self.verified(signed, signature);
        // A signature over a ciphertext says nothing about what is inside it (ATTACKS P10).
        if let Ok(inside) = Entity::read(signed)
            && inside.media_type().essence == "multipart/encrypted"
        {
            self.findings.is_encrypted = true;
            self.findings.is_decrypted = Some(false);
            self.note("signed-ciphertext", "encrypted inside a signature: not opened, the signature does not count for what is inside");
            self.refuse(Refusal::NotAllSigned);
            self.refuse(Refusal::NotDecrypted);
        }
        self.read_signed(&mail, signed, &signatures)
    }

    /// `multipart/encrypted` at the top.
    fn encrypted(&mut self, mail: Mail, message: &[u8]) -> (Mail, Option<SignedText>) {
        self.findings.is_encrypted = true;
        let Some((plaintext, signatures)) = self.decrypted(message) else { return (mail, None) };
        if signatures.is_empty()
            && let Ok(inside) = Entity::read(&plaintext)
        {
            match form(&inside) {
                Form::Signed { signed, signature } => {
                    let signatures = self.verified(signed, &signature);
                    return self.read_signed(&mail, signed, &signatures);
                }
                Form::Broken(ambiguity) => {
                    self.note_ambiguity(ambiguity);
                    self.refuse(Refusal::NotAllSigned);
                }
                Form::Encrypted { .. } | Form::Other => {}
            }
        }
        self.read_signed(&mail, &plaintext, &signatures)
    }

    /// Decrypts, and says why not where it could not.
    fn decrypted(&mut self, message: &[u8]) -> Option<(Vec<u8>, Signatures)> {
        match decrypt::decrypt(message, self.keyring, self.now, self.plaintext_limit) {
            Unsealed::Open { plaintext, signatures } => {
                self.findings.is_decrypted = Some(true);
                return Some((plaintext, signatures));
            }
            Unsealed::ForOthers => {
                self.findings.is_for_others = true;
                self.note("encrypted-for-others", "encrypted to none of the centre's keys");
            }
            Unsealed::NotEncrypted => self.note("not-encrypted", "it says that it is encrypted and is not"),
            Unsealed::Damaged(words) => self.note("not-decrypted", words),
        }
        self.findings.is_decrypted = Some(false);
        self.refuse(Refusal::NotDecrypted);
        None
    }

    fn verified(&mut self, signed: &[u8], signature: &[u8]) -> Signatures {
        self.findings.is_signed = true;
        match entity::canonical(signed) {
            Ok(bytes) => verify::detached(signature, &bytes, self.keyring, self.now),
            Err(ambiguity) => {
                self.note_ambiguity(ambiguity);
                self.refuse(Refusal::BadSignature);
                Signatures::default()
            }
        }
    }

    /// Reads what is signed or was decrypted, and makes the proof where all of contract 5 holds.
    fn read_signed(&mut self, outer: &Mail, bytes: &[u8], signatures: &Signatures) -> (Mail, Option<SignedText>) {
        self.findings.is_signed |= !signatures.is_empty();
        if self.findings.is_signed {
            self.note_signatures(signatures);
        } else {
            self.refuse(if holds_signature(bytes) { Refusal::NotAllSigned } else { Refusal::Unsigned });
        }
        let is_proven = !signatures.proofs.is_empty() || self.findings.is_decrypted == Some(true);
        let Payload { reading: (mail, damage), protected, from_differs } =
            read_payload(outer, bytes, if is_proven { Trust::Proven } else { Trust::Unproven });
        self.damage.extend(damage);
        if from_differs {
            self.note("from-differs", "the From inside is not the From outside");
            self.refuse(Refusal::FromDiffers);
        }
        if protected.is_ambiguous {
            self.refuse(Refusal::Ambiguous);
        }
        if protected.subject.is_some() && mail.subject != outer.subject {
            self.findings.outer_subject = Some(outer.subject.clone());
        }
        if mail.is_html_only || mail.text.full.trim().is_empty() {
            self.refuse(Refusal::HtmlOnly);
        }
        let text = self.refusals.is_empty().then(|| self.signed_text(&mail, bytes, &signatures.proofs, protected)).flatten();
        (mail, text)
    }

    fn signed_text(&self, mail: &Mail, bytes: &[u8], proofs: &[Proof], protected: Protected) -> Option<SignedText> {
        let hash = Sha256::of(&entity::canonical(bytes).unwrap_or_else(|_| bytes.to_vec()));
        let mark = |proof: &Proof| {
            let key = format!("{hash}\0{}\0{}", proof.issuer, proof.signed_at.as_second());
            (proof.signed_at, Sha256::of(key.as_bytes()))
        };
        let marks: Vec<(Timestamp, Sha256)> = proofs.iter().map(mark).collect();
        let (signed_at, key) = marks.first()?.clone();
        Some(SignedText {
            text: mail.text.full.clone(),
            signers: proofs.iter().map(|proof| proof.signer.clone()).collect(),
            marks,
            signed_at,
            key,
            protected_subject: protected.subject,
            protected_to: protected.to,
            is_encrypted: self.findings.is_encrypted,
        })
    }

    /// Neither form at the top: plain mail, something signed inside, or inline PGP.
    fn neither(&mut self, mut mail: Mail) -> Mail {
        match inline::find(&mail.text.full) {
            Some(block) => {
                self.refuse(Refusal::Inline);
                self.inline(&mut mail, &block);
            }
            None if holds_signature(&mail.raw) => self.refuse(Refusal::NotAllSigned),
            None => self.refuse(Refusal::Unsigned),
        }
        if mail.attachments.iter().any(|attachment| attachment.media_type == "application/pgp-encrypted") {
            self.note("encrypted-part", "an encrypted part that is not the whole mail stays closed");
        }
        mail
    }

    /// Inline PGP is opened for people to read; it proves nothing.
    fn inline(&mut self, mail: &mut Mail, block: &inline::Block) {
        let opened = match block.kind {
            inline::Kind::Signed => {
                self.findings.is_signed = true;
                verify::cleartext(block.text.as_bytes(), self.keyring, self.now)
            }
            inline::Kind::Encrypted => {
                self.findings.is_encrypted = true;
                self.decrypted(block.text.as_bytes())
            }
        };
        let Some((text, signatures)) = opened else { return };
        self.findings.is_signed |= !signatures.is_empty();
        if self.findings.is_signed {
            self.note_signatures(&signatures);
        }
        if block.is_whole {
            let mut entity = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n".to_vec();
            entity.extend_from_slice(&text);
            mail.text = crate::mail::read::read_inner(mail, &entity).0.text;
        } else {
            // Opened text is never joined with other text (ATTACKS P6, P18).
            self.findings.is_valid = self.findings.is_valid.map(|_| false);
            self.note("inline-part", "inline PGP with other text round it: only what is between the marks is signed or encrypted");
        }
    }

    fn note_signatures(&mut self, signatures: &Signatures) {
        let good = signatures.proofs.first().map(|proof| proof.signer.clone());
        let known = signatures.faults.iter().find(|fault| fault.is_checksum_good);
        self.findings.is_valid = Some(good.is_some() || known.is_some());
        self.findings.signer = good.or_else(|| known.or_else(|| signatures.faults.first()).and_then(|fault| fault.named.clone()));
        for fault in &signatures.faults {
            self.note(if signatures.proofs.is_empty() { "signature" } else { "signature-ignored" }, &fault.words);
        }
        if signatures.proofs.is_empty() {
            for fault in &signatures.faults {
                self.refuse(fault.refusal);
            }
            if signatures.faults.is_empty() {
                self.refuse(Refusal::BadSignature);
            }
        }
    }

    fn note(&mut self, code: &str, detail: impl AsRef<str>) {
        self.damage.push(Damage::new(code, detail));
    }

    fn note_ambiguity(&mut self, ambiguity: Ambiguity) {
        self.note("ambiguous-mime", ambiguity.words());
    }

    fn refuse(&mut self, refusal: Refusal) {
        if !self.refusals.contains(&refusal) {
            self.refusals.push(refusal);
        }
    }

    fn finish(mut self, mail: Mail, signed_text: Option<SignedText>) -> Opened {
        self.refusals.sort_by_key(|refusal| refusal.rank());
        let carried = carried::certificates(&mail);
        self.findings.carried = carried.iter().map(Certificate::fingerprint).collect();
        Opened { mail, damage: self.damage, findings: self.findings, signed_text, refusals: self.refusals, carried }
    }
}

/// Whether there is an OpenPGP signature somewhere inside.
fn holds_signature(bytes: &[u8]) -> bool {
    const MARK: &[u8] = b"application/pgp-signature";
    bytes.windows(MARK.len()).any(|window| window.eq_ignore_ascii_case(MARK))
}

impl Refusal {
    /// The most telling first.
    const fn rank(self) -> u8 {
        match self {
            Self::NotDecrypted => 0,
            Self::Ambiguous => 1,
            Self::NotAllSigned => 2,
            Self::Inline => 3,
            Self::Unsigned => 4,
            Self::BadSignature => 5,
            Self::UnknownSigner => 6,
            Self::UnfitKey => 7,
            Self::NotFresh => 8,
            Self::FromDiffers => 9,
            Self::HtmlOnly => 10,
        }
    }
}

impl SignedText {
    /// The text/plain under the signature, decoded.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
    /// Fingerprints of the certificates whose signatures are good (primary keys).
    #[must_use]
    pub fn signers(&self) -> &[Fingerprint] {
        &self.signers
    }
    /// The same text under this signer's signature alone, so that [`Self::key`] and
    /// [`Self::signed_at`] are those of that signature, whatever others stand beside it.
    #[must_use]
    pub fn by(&self, signer: &Fingerprint) -> Option<Self> {
        let position = self.signers.iter().position(|other| other == signer)?;
        let (signed_at, key) = self.marks.get(position)?.clone();
        Some(Self { signers: vec![signer.clone()], marks: vec![(signed_at, key.clone())], signed_at, key, ..self.clone() })
    }
    /// The signature's creation time.
    #[must_use]
    pub const fn signed_at(&self) -> Timestamp {
        self.signed_at
    }
    /// Identifies this signature for ever: hash of signed bytes, issuer and creation time (ATTACKS C1).
    #[must_use]
    pub const fn key(&self) -> &Sha256 {
        &self.key
    }
    /// The Subject inside what is signed (RFC 9788, or `protected-headers="v1"`).
    #[must_use]
    pub fn protected_subject(&self) -> Option<&str> {
        self.protected_subject.as_deref()
    }
    /// The addresses of To inside what is signed, lower case.
    #[must_use]
    pub fn protected_to(&self) -> &[String] {
        &self.protected_to
    }
    /// It came encrypted.
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }
}
