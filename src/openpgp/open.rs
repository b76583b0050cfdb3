//! Decrypts and verifies what came in. Never fails: what cannot be opened or proved is a finding.

mod form;
mod opening;

use super::Keyring;
use super::certificate::Certificate;
use crate::mail::entity::Entity;
use crate::mail::{Attachment, Mail, Reading};
use crate::model::{Damage, Fingerprint, Sha256};
use jiff::Timestamp;
use opening::Opening;

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
    /// Encrypted files that were attached to a mail in the clear, each opened on its own: for
    /// analysts, encrypted. Nothing of them is joined with the mail's text (ATTACKS P18).
    pub opened_files: Vec<Attachment>,
    /// What came out of the encryption of the mail, or of the one inline block in it, hashed: the
    /// same text under another envelope is known again by it.
    pub plaintext_sha256: Option<Sha256>,
    /// The Message-ID outside, whatever was protected.
    pub outer_message_id: Option<String>,
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
    /// The one of `carried` that made the signature: whoever wrote the mail has its secret key, and
    /// nothing says who that is (ATTACKS P4).
    pub carried_signer: Option<Fingerprint>,
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
    protected_references: Vec<String>,
    is_encrypted: bool,
}

/// Opens a message: `reading` is how it was read, `plaintext_limit` the most bytes that may come out of it.
#[must_use]
pub fn open(reading: Reading, keyring: &Keyring, now: Timestamp, plaintext_limit: usize) -> Opened {
    let (mail, damage) = reading;
    let mut opening = Opening::new(keyring, now, plaintext_limit, damage);
    let raw = std::sync::Arc::clone(&mail.raw);
    let outer_message_id = mail.message_id.clone();
    let (mail, signed_text) = match Entity::read(&raw) {
        Ok(entity) => opening.open_entity(mail, &entity),
        Err(ambiguity) => {
            opening.note_ambiguity(ambiguity);
            opening.refuse(Refusal::Ambiguous);
            (mail, None)
        }
    };
    Opened { outer_message_id, ..opening.finish(mail, signed_text) }
}

impl Refusal {
    /// The most telling first.
    pub(super) const fn rank(self) -> u8 {
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
    /// The Message-IDs that what is signed answers, without angle brackets.
    #[must_use]
    pub fn protected_references(&self) -> &[String] {
        &self.protected_references
    }
    /// It came encrypted.
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }
}
