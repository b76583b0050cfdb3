//! The way of one message from its form to what is proved of it. Findings and refusals are noted
//! on the way; the proof is made at one place, where none was.

use super::form::{Form, form, holds_signature};
use super::{Findings, Opened, Refusal, SignedText};
use crate::mail::entity::{self, Ambiguity, Entity};
use crate::mail::{Attachment, Mail};
use crate::model::{Damage, Fingerprint, Sha256};
use crate::openpgp::decrypt::{self, Unsealed};
use crate::openpgp::payload::{Payload, Protected, Trust, read_payload};
use crate::openpgp::verify::{self, Proof, Signatures};
use crate::openpgp::{Certificate, Keyring, carried, inline};
use jiff::Timestamp;

/// Encrypted files of one mail that are opened; the rest stays as it came.
const OPENED_FILES_MAX: usize = 5;

/// What a signature stands on, for verifying it once more against certificates that came along.
enum Evidence<'a> {
    Detached { signed: &'a [u8], signature: &'a [u8] },
    Message(&'a [u8]),
}

/// One message on its way.
pub(super) struct Opening<'k> {
    keyring: &'k Keyring,
    now: Timestamp,
    plaintext_limit: usize,
    damage: Vec<Damage>,
    findings: Findings,
    refusals: Vec<Refusal>,
    plaintext_sha256: Option<Sha256>,
}

impl<'k> Opening<'k> {
    pub fn new(keyring: &'k Keyring, now: Timestamp, plaintext_limit: usize, damage: Vec<Damage>) -> Self {
        Self { keyring, now, plaintext_limit, damage, findings: Findings::default(), refusals: Vec::new(), plaintext_sha256: None }
    }

    pub fn open_entity(&mut self, mail: Mail, entity: &Entity<'_>) -> (Mail, Option<SignedText>) {
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
        self.read_signed(&mail, signed, &signatures, &Evidence::Detached { signed, signature })
    }

    /// `multipart/encrypted` at the top.
    fn encrypted(&mut self, mut mail: Mail, message: &[u8]) -> (Mail, Option<SignedText>) {
        self.findings.is_encrypted = true;
        let Some((plaintext, signatures)) = self.decrypted(message) else { return (mail, None) };
        // The ciphertext, which the raw bytes hold too, is no attachment of what was inside it.
        mail.attachments = Vec::new();
        if signatures.is_empty()
            && let Ok(inside) = Entity::read(&plaintext)
        {
            match form(&inside) {
                Form::Signed { signed, signature } => {
                    let signatures = self.verified(signed, &signature);
                    return self.read_signed(&mail, signed, &signatures, &Evidence::Detached { signed, signature: &signature });
                }
                Form::Broken(ambiguity) => {
                    self.note_ambiguity(ambiguity);
                    self.refuse(Refusal::NotAllSigned);
                }
                Form::Encrypted { .. } | Form::Other => {}
            }
        }
        self.read_signed(&mail, &plaintext, &signatures, &Evidence::Message(message))
    }

    /// Decrypts, and says why not where it could not.
    fn decrypted(&mut self, message: &[u8]) -> Option<(Vec<u8>, Signatures)> {
        match decrypt::decrypt(message, self.keyring, self.now, self.plaintext_limit) {
            Unsealed::Open { plaintext, signatures } => {
                self.findings.is_decrypted = Some(true);
                self.plaintext_sha256 = Some(Sha256::of(&plaintext));
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
    fn read_signed(&mut self, outer: &Mail, bytes: &[u8], signatures: &Signatures, evidence: &Evidence<'_>) -> (Mail, Option<SignedText>) {
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
        if signatures.proofs.is_empty() && self.findings.is_signed {
            self.findings.carried_signer = self.carried_signer(&carried::certificates(&mail), evidence);
        }
        let text = if self.refusals.is_empty() { self.signed_text(&mail, bytes, &signatures.proofs, protected) } else { None };
        (mail, text)
    }

    /// Which certificate that came with the mail made its signature. It proves nothing to commands.
    fn carried_signer(&self, carried: &[Certificate], evidence: &Evidence<'_>) -> Option<Fingerprint> {
        if carried.is_empty() {
            return None;
        }
        let mut keyring = Keyring::new();
        if let Some(own) = self.keyring.own() {
            keyring.set_own(own.clone());
        }
        for certificate in carried {
            keyring.add_certificate(certificate.clone());
        }
        let signatures = match evidence {
            Evidence::Detached { signed, signature } => verify::detached(signature, &entity::canonical(signed).ok()?, &keyring, self.now),
            Evidence::Message(message) => match decrypt::decrypt(message, &keyring, self.now, self.plaintext_limit) {
                Unsealed::Open { signatures, .. } => signatures,
                _ => return None,
            },
        };
        let old = signatures.faults.into_iter().filter(|fault| fault.is_checksum_good).filter_map(|fault| fault.named);
        let signer = signatures.proofs.into_iter().map(|proof| proof.signer).chain(old).next()?;
        carried.iter().any(|certificate| certificate.fingerprint() == signer).then_some(signer)
    }

    /// Encrypted files beside a text in the clear, each by itself.
    fn files(&mut self, mail: &Mail) -> Vec<Attachment> {
        let mut opened = Vec::new();
        let mut left = self.plaintext_limit;
        for attachment in mail.attachments.iter().filter(|attachment| is_encrypted_file(attachment)).take(OPENED_FILES_MAX) {
            match decrypt::decrypt(&attachment.content, self.keyring, self.now, left) {
                Unsealed::Open { plaintext, .. } => {
                    left = left.saturating_sub(plaintext.len());
                    self.note("encrypted-file", format!("{} was opened on its own", attachment.name));
                    opened.push(Attachment {
                        name: opened_name(&attachment.name),
                        media_type: "application/octet-stream".to_owned(),
                        sha256: Sha256::of(&plaintext),
                        content: plaintext.into(),
                        is_layout: false,
                        text: None,
                    });
                }
                Unsealed::ForOthers => {
                    self.note("encrypted-file", format!("{} is encrypted to none of the centre's keys", attachment.name))
                }
                Unsealed::NotEncrypted => {}
                Unsealed::Damaged(words) => self.note("encrypted-file", format!("{} could not be opened: {words}", attachment.name)),
            }
        }
        opened
    }

    fn signed_text(&mut self, mail: &Mail, bytes: &[u8], proofs: &[Proof], protected: Protected) -> Option<SignedText> {
        // A signature over text holds whatever its line ends are, so bytes that have no one spelling
        // would be remembered as another mail each time (ATTACKS C1, P16).
        let hash = match entity::canonical(bytes) {
            Ok(bytes) => Sha256::of(&bytes),
            Err(ambiguity) => {
                self.note_ambiguity(ambiguity);
                self.refuse(Refusal::Ambiguous);
                return None;
            }
        };
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
            protected_references: protected.references,
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

    pub fn note_ambiguity(&mut self, ambiguity: Ambiguity) {
        self.note("ambiguous-mime", ambiguity.words());
    }

    pub fn refuse(&mut self, refusal: Refusal) {
        if !self.refusals.contains(&refusal) {
            self.refusals.push(refusal);
        }
    }

    pub fn finish(mut self, mail: Mail, signed_text: Option<SignedText>) -> Opened {
        self.refusals.sort_by_key(|refusal| refusal.rank());
        let carried = carried::certificates(&mail);
        self.findings.carried = carried.iter().map(Certificate::fingerprint).collect();
        // What was encrypted as a whole is opened once; what is encrypted inside again stays closed.
        let opened_files = if self.findings.is_encrypted { Vec::new() } else { self.files(&mail) };
        Opened {
            mail,
            damage: self.damage,
            findings: self.findings,
            signed_text,
            refusals: self.refusals,
            carried,
            opened_files,
            plaintext_sha256: self.plaintext_sha256,
            outer_message_id: None,
        }
    }
}

/// By its name or its first bytes; keys and signatures are none.
fn is_encrypted_file(attachment: &Attachment) -> bool {
    let is_named = opened_name(&attachment.name).len() < attachment.name.len();
    let content = attachment.content.trim_ascii_start();
    // RFC 9580 §4.2: a session key packet in the new and in the two old length forms.
    let is_binary = matches!(content.first(), Some(0xc1 | 0x84 | 0x85));
    content.starts_with(b"-----BEGIN PGP MESSAGE-----") || is_named && is_binary
}

/// The name without what encryption added to it.
fn opened_name(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let ending = [".asc", ".pgp", ".gpg"].iter().find(|ending| lower.ends_with(*ending) && name.len() > ending.len());
    ending.map_or(name, |ending| name.get(..name.len() - ending.len()).unwrap_or(name)).to_owned()
}
