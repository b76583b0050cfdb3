//! The stakeholder directory and the certificates. A contact is verified by a person; nothing here
//! trusts a certificate, it only keeps which one is pinned.

use super::audit::{self, Entry};
use super::row::{At, Word, local};
use super::{Store, at, snapshot};
use crate::model::contact::{Contact, ContactKind};
use crate::model::snapshot::Candidate;
use crate::model::ticket::TicketNumber;
use crate::model::{Address, Fingerprint, Language};
use anyhow::{Context as _, bail, ensure};
use jiff::{Timestamp, tz::TimeZone};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, named_params};
use serde::Serialize;

/// More contacts than this are not named by one target.
const TARGET_CONTACTS_MAX: i64 = 5_000;

/// A contact before it has a number.
#[derive(Debug, Clone)]
pub struct NewContact {
    pub name: String,
    pub address: Address,
    pub kind: ContactKind,
    pub organisation: String,
    pub sectors: Vec<String>,
    pub groups: Vec<String>,
    pub language: Language,
    /// The pinned certificate; its bytes are stored with [`Store::put_certificate`].
    pub fingerprint: Option<Fingerprint>,
    pub expires_at: Option<Timestamp>,
}

/// A contact that stands in the directory, and what it is to become; the address stays.
#[derive(Debug, Clone)]
pub struct ChangedContact {
    pub before: Contact,
    pub after: NewContact,
}

impl ChangedContact {
    /// Whoever vouched for a contact vouched for its name, for its being a person or a role, and for
    /// its certificate. What of it changes is vouched for anew.
    #[must_use]
    pub fn keeps_verification(&self) -> bool {
        let Self { before, after } = self;
        before.name == after.name && before.kind == after.kind && before.fingerprint == after.fingerprint
    }
}

/// A contact as listings show it (contract 11).
#[derive(Debug, Clone, Serialize)]
pub struct ContactRow {
    pub id: i64,
    pub name: String,
    pub address: Address,
    pub kind: ContactKind,
    pub organisation: String,
    pub sectors: Vec<String>,
    pub groups: Vec<String>,
    pub language: Language,
    pub fingerprint: Option<Fingerprint>,
    pub expires_at: Option<String>,
    pub verified_at: Option<String>,
    /// When mail to it last came back.
    pub bounced_at: Option<String>,
    /// How: "call-back", "letter".
    pub verified_how: Option<String>,
    /// Who vouched for it.
    pub verified_by: Option<String>,
    /// Whether that still counts: it ages out after 365 days.
    pub is_verified: bool,
    /// What keeps mail from being encrypted to the certificate besides its age; empty where nothing does.
    pub unfit: String,
}

impl ContactRow {
    /// The contact as it stands at `now`, times in the centre's zone; `by` is who verified it.
    #[must_use]
    pub fn new(contact: Contact, by: Option<String>, zone: &TimeZone, now: Timestamp) -> Self {
        Self {
            is_verified: contact.is_verified(now),
            id: contact.id,
            name: contact.name,
            address: contact.address,
            kind: contact.kind,
            organisation: contact.organisation,
            sectors: contact.sectors,
            groups: contact.groups,
            language: contact.language,
            fingerprint: contact.fingerprint,
            expires_at: contact.expires_at.map(|time| local(time, zone)),
            verified_at: contact.verified_at.map(|time| local(time, zone)),
            bounced_at: contact.bounced_at.map(|time| local(time, zone)),
            verified_how: contact.verified_how,
            verified_by: by,
            unfit: contact.unfit,
        }
    }
}

/// A stored certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRow {
    pub fingerprint: Fingerprint,
    pub bytes: Vec<u8>,
    pub expires_at: Option<Timestamp>,
    pub stored_at: Timestamp,
}

impl Store {
    /// Adds a contact, not yet verified, and gives its number.
    ///
    /// # Errors
    /// Where the address is in the directory already, or it cannot be committed.
    pub fn add_contact(&self, contact: &NewContact, by: &str, now: Timestamp) -> anyhow::Result<i64> {
        self.write(|tx| add(tx, contact, by, now))
    }

    /// Adds and changes all of these in one commit, or none.
    ///
    /// # Errors
    /// As for [`Store::add_contact`]; where a contact is no longer as it was when the change was planned.
    pub fn take_contacts(&self, new: &[NewContact], changed: &[ChangedContact], by: &str, now: Timestamp) -> anyhow::Result<()> {
        self.write(|tx| {
            new.iter().try_for_each(|contact| add(tx, contact, by, now).map(drop))?;
            changed.iter().try_for_each(|change| replace(tx, change, by, now))
        })
    }

    /// All contacts, by organisation and name.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn contacts(&self) -> anyhow::Result<Vec<Contact>> {
        self.read(|db| select(db, "1 ORDER BY organisation, name, id", []))
    }

    /// Contacts whose certificate ends after `now` and no later than `until`, the first to end first.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn contacts_ending(&self, now: Timestamp, until: Timestamp) -> anyhow::Result<Vec<Contact>> {
        self.read(|db| select(db, "expires_at > ?1 AND expires_at <= ?2 ORDER BY expires_at, id", (at(now), at(until))))
    }

    /// The contact with exactly this address.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn contact(&self, address: &Address) -> anyhow::Result<Option<Contact>> {
        self.read(|db| by_address(db, address))
    }

    /// A person vouches for the contact; `how` says by which way ("call-back"). What came back before is
    /// forgotten: whoever verifies has spoken with them.
    ///
    /// # Errors
    /// Where there is no such contact, or it cannot be committed.
    pub fn verify_contact(&self, address: &Address, how: &str, by: &str, now: Timestamp) -> anyhow::Result<()> {
        self.write(|tx| {
            let changed = tx
                .execute(
                    "UPDATE contact SET verified_at = ?2, verified_how = ?3, bounced_at = NULL, bounced_because = NULL WHERE address = ?1",
                    (address.as_str(), at(now), how),
                )
                .context("verify the contact")?;
            ensure!(changed == 1, "{address} is not in the directory");
            note(tx, now, by, "verified", address.as_str(), how)
        })
    }

    /// Who vouched for the contact, as the audit log has it; `None` where nobody does now.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn verified_by(&self, contact: &Contact) -> anyhow::Result<Option<String>> {
        let Some(verified_at) = contact.verified_at else { return Ok(None) };
        self.read(|db| {
            db.query_row(
                "SELECT by FROM audit WHERE at = ?1 AND thing = 'contact' AND thing_id = ?2 AND what = 'verified' ORDER BY id DESC LIMIT 1",
                (at(verified_at), contact.address.as_str()),
                |row| row.get(0),
            )
            .optional()
            .context("look for who verified the contact")
        })
    }

    /// Pins another certificate. Whoever vouched for the old one did not vouch for this one: the
    /// verification falls, unless the fingerprint is the same.
    ///
    /// # Errors
    /// Where there is no such contact, or it cannot be committed.
    pub fn pin_certificate(
        &self,
        address: &Address,
        fingerprint: &Fingerprint,
        expires_at: Option<Timestamp>,
        by: &str,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        self.write(|tx| {
            let changed = tx
                .execute(
                    "UPDATE contact SET verified_at = CASE WHEN fingerprint IS ?2 THEN verified_at END,
                     verified_how = CASE WHEN fingerprint IS ?2 THEN verified_how END, fingerprint = ?2, expires_at = ?3 WHERE address = ?1",
                    (address.as_str(), &fingerprint.0, expires_at.map(at)),
                )
                .context("pin the certificate")?;
            ensure!(changed == 1, "{address} is not in the directory");
            note(tx, now, by, "pinned", address.as_str(), &fingerprint.0)
        })
    }

    /// Takes a contact out of the directory. Disseminations of the past keep its address.
    ///
    /// # Errors
    /// Where there is no such contact, or it cannot be committed.
    pub fn remove_contact(&self, address: &Address, by: &str, now: Timestamp) -> anyhow::Result<()> {
        self.write(|tx| {
            let changed = tx.execute("DELETE FROM contact WHERE address = ?1", [address.as_str()]).context("remove the contact")?;
            ensure!(changed == 1, "{address} is not in the directory");
            note(tx, now, by, "removed", address.as_str(), "")
        })
    }

    /// Stores a certificate that nothing is known against, or its refreshed form under the same fingerprint.
    ///
    /// # Errors
    /// Where it cannot be committed.
    pub fn put_certificate(
        &self,
        fingerprint: &Fingerprint,
        bytes: &[u8],
        expires_at: Option<Timestamp>,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        self.put_certificate_with(fingerprint, bytes, expires_at, "", now)
    }

    /// The same, with what keeps mail from being encrypted to it besides its age (empty: nothing does).
    ///
    /// # Errors
    /// Where it cannot be committed.
    pub fn put_certificate_with(
        &self,
        fingerprint: &Fingerprint,
        bytes: &[u8],
        expires_at: Option<Timestamp>,
        unfit: &str,
        now: Timestamp,
    ) -> anyhow::Result<()> {
        self.write(|tx| {
            tx.execute(
                "INSERT INTO certificate (fingerprint, content, expires_at, stored_at, unfit) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (fingerprint) DO UPDATE SET content = excluded.content, expires_at = excluded.expires_at,
                     stored_at = excluded.stored_at, unfit = excluded.unfit",
                (&fingerprint.0, bytes, expires_at.map(at), at(now), unfit),
            )
            .context("store the certificate")?;
            tx.execute("UPDATE contact SET expires_at = ?2 WHERE fingerprint = ?1", (&fingerprint.0, expires_at.map(at)))
                .context("note the end of the certificate")?;
            let digest = crate::model::Sha256::of(bytes);
            let entry = Entry {
                by: super::apply::SELF,
                what: "stored",
                thing: "certificate",
                thing_id: &fingerprint.0,
                detail: "",
                cause: "directory",
                digest: &digest.0,
            };
            audit::append(tx, now, &entry)
        })
    }

    /// The certificate of that fingerprint.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn certificate(&self, fingerprint: &Fingerprint) -> anyhow::Result<Option<CertificateRow>> {
        self.read(|db| {
            db.query_row(
                "SELECT fingerprint, content, expires_at, stored_at FROM certificate WHERE fingerprint = ?1",
                [&fingerprint.0],
                certificate_row,
            )
            .optional()
            .context("read the certificate")
        })
    }

    /// The key that came with a mail of this ticket's reporter, and its bytes. It is no certificate of the directory:
    /// what it signs is proved by nothing, and only answers on that ticket are encrypted to it.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn candidate(&self, ticket: &TicketNumber) -> anyhow::Result<Option<(Candidate, Vec<u8>)>> {
        self.read(|db| snapshot::candidate(db, ticket))
    }

    /// Every stored certificate.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn certificates(&self) -> anyhow::Result<Vec<CertificateRow>> {
        self.read(|db| {
            let mut statement =
                db.prepare_cached("SELECT fingerprint, content, expires_at, stored_at FROM certificate ORDER BY fingerprint")?;
            let rows = statement.query_map([], certificate_row)?;
            rows.collect::<Result<_, _>>().context("read the certificates")
        })
    }

    /// Removes a certificate that no contact pins.
    ///
    /// # Errors
    /// Where it is not there, a contact pins it, or it cannot be committed.
    pub fn remove_certificate(&self, fingerprint: &Fingerprint, by: &str, now: Timestamp) -> anyhow::Result<()> {
        self.write(|tx| {
            let pinned: Option<String> = tx
                .query_row("SELECT address FROM contact WHERE fingerprint = ?1 LIMIT 1", [&fingerprint.0], |row| row.get(0))
                .optional()
                .context("look for who pins the certificate")?;
            if let Some(address) = pinned {
                bail!("the certificate {fingerprint} is pinned to {address}");
            }
            let changed =
                tx.execute("DELETE FROM certificate WHERE fingerprint = ?1", [&fingerprint.0]).context("remove the certificate")?;
            ensure!(changed == 1, "there is no certificate {fingerprint}");
            note(tx, now, by, "removed", &fingerprint.0, "certificate")
        })
    }
}

fn add(tx: &Transaction<'_>, contact: &NewContact, by: &str, now: Timestamp) -> anyhow::Result<i64> {
    let is_there: bool = tx
        .query_row("SELECT EXISTS (SELECT 1 FROM contact WHERE address = ?1)", [contact.address.as_str()], |row| row.get(0))
        .context("look for the contact")?;
    ensure!(!is_there, "{} is in the directory already", contact.address);
    tx.execute(
        "INSERT INTO contact (name, address, kind, organisation, language, fingerprint, expires_at)
         VALUES (:name, :address, :kind, :organisation, :language, :fingerprint, :expires_at)",
        named_params! {
            ":name": contact.name, ":address": contact.address.as_str(), ":kind": contact.kind.word(),
            ":organisation": contact.organisation, ":language": contact.language.word(),
            ":fingerprint": contact.fingerprint.as_ref().map(|fingerprint| &fingerprint.0), ":expires_at": contact.expires_at.map(at),
        },
    )
    .context("store the contact")?;
    let id = tx.last_insert_rowid();
    label(tx, id, contact)?;
    note(tx, now, by, "added", contact.address.as_str(), contact.fingerprint.as_ref().map_or("no certificate", |f| f.0.as_str()))?;
    Ok(id)
}

/// Sectors and groups, each once.
fn label(tx: &Transaction<'_>, id: i64, contact: &NewContact) -> anyhow::Result<()> {
    let labels = contact.sectors.iter().map(|name| ("sector", name)).chain(contact.groups.iter().map(|name| ("group", name)));
    for (kind, name) in labels {
        tx.execute("INSERT INTO contact_label (contact, kind, name) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING", (id, kind, name.trim()))
            .context("store a label of the contact")?;
    }
    Ok(())
}

fn replace(tx: &Transaction<'_>, change: &ChangedContact, by: &str, now: Timestamp) -> anyhow::Result<()> {
    let ChangedContact { before, after } = change;
    let there = by_address(tx, &before.address)?;
    // The end of the certificate may have been brought up to date with its bytes just now.
    let as_planned = there.is_some_and(|there| {
        Contact { expires_at: None, unfit: String::new(), ..there } == Contact { expires_at: None, unfit: String::new(), ..before.clone() }
    });
    ensure!(as_planned && before.address == after.address, "{} was changed meanwhile; look again and repeat", before.address);
    tx.execute(
        "UPDATE contact SET name = :name, kind = :kind, organisation = :organisation, language = :language,
             fingerprint = :fingerprint, expires_at = :expires_at,
             verified_at = CASE WHEN :keeps THEN verified_at END, verified_how = CASE WHEN :keeps THEN verified_how END
         WHERE id = :id",
        named_params! {
            ":name": after.name, ":kind": after.kind.word(), ":organisation": after.organisation, ":language": after.language.word(),
            ":fingerprint": after.fingerprint.as_ref().map(|fingerprint| &fingerprint.0), ":expires_at": after.expires_at.map(at),
            ":keeps": change.keeps_verification(), ":id": before.id,
        },
    )
    .context("change the contact")?;
    tx.execute("DELETE FROM contact_label WHERE contact = ?1", [before.id]).context("take the labels of the contact off")?;
    label(tx, before.id, after)?;
    let detail = if change.keeps_verification() { "" } else { "to be verified again" };
    note(tx, now, by, "changed", after.address.as_str(), detail)
}

fn note(tx: &Transaction<'_>, now: Timestamp, by: &str, what: &str, thing_id: &str, detail: &str) -> anyhow::Result<()> {
    audit::append(tx, now, &Entry { by, what, thing: "contact", thing_id, detail, cause: "directory", digest: "" })
}

fn certificate_row(row: &Row<'_>) -> rusqlite::Result<CertificateRow> {
    Ok(CertificateRow {
        fingerprint: Fingerprint(row.get(0)?),
        bytes: row.get(1)?,
        expires_at: row.get::<_, Option<At>>(2)?.map(|at| at.0),
        stored_at: row.get::<_, At>(3)?.0,
    })
}

pub(super) fn by_address(db: &Connection, address: &Address) -> anyhow::Result<Option<Contact>> {
    Ok(select(db, "address = ?1", [address.as_str()])?.into_iter().next())
}

/// The contacts that a target names: `sector:NAME`, `group:NAME`, an address, else a name in full.
pub(super) fn named(db: &Connection, target: &str) -> anyhow::Result<Vec<Contact>> {
    let target = target.trim();
    let label = target.split_once(':').map(|(kind, name)| (kind.trim().to_ascii_lowercase(), name.trim()));
    match label {
        Some((kind, name)) if kind == "sector" || kind == "group" => {
            let condition = "id IN (SELECT contact FROM contact_label WHERE kind = ?1 AND name = ?2) ORDER BY id LIMIT ?3";
            select(db, condition, (kind, name, TARGET_CONTACTS_MAX))
        }
        _ => match Address::parse(target) {
            Some(address) => Ok(by_address(db, &address)?.into_iter().collect()),
            // Two contacts of one name are both given: the core refuses what is not one.
            None => select(db, "name = ?1 COLLATE NOCASE ORDER BY id LIMIT 10", [target]),
        },
    }
}

fn select(db: &Connection, condition: &str, parameters: impl rusqlite::Params) -> anyhow::Result<Vec<Contact>> {
    let sql = format!(
        "SELECT id, name, address, kind, organisation, language, fingerprint, expires_at, verified_at, verified_how,
             coalesce((SELECT unfit FROM certificate WHERE certificate.fingerprint = contact.fingerprint), ''),
             bounced_at, bounced_because FROM contact WHERE {condition}"
    );
    let mut statement = db.prepare_cached(&sql).context("prepare the contacts")?;
    let rows = statement.query_map(parameters, |row| {
        Ok(Contact {
            id: row.get(0)?,
            name: row.get(1)?,
            address: row.get::<_, Word<_>>(2)?.0,
            kind: row.get::<_, Word<_>>(3)?.0,
            organisation: row.get(4)?,
            sectors: Vec::new(),
            groups: Vec::new(),
            language: row.get::<_, Word<_>>(5)?.0,
            fingerprint: row.get::<_, Option<Word<_>>>(6)?.map(|word| word.0),
            expires_at: row.get::<_, Option<At>>(7)?.map(|at| at.0),
            verified_at: row.get::<_, Option<At>>(8)?.map(|at| at.0),
            verified_how: row.get(9)?,
            unfit: row.get(10)?,
            bounced_at: row.get::<_, Option<At>>(11)?.map(|at| at.0),
            bounced_because: row.get(12)?,
        })
    })?;
    let mut contacts: Vec<Contact> = rows.collect::<Result<_, _>>().context("read the contacts")?;
    let mut statement = db.prepare_cached("SELECT kind, name FROM contact_label WHERE contact = ?1 ORDER BY kind, name")?;
    for contact in &mut contacts {
        let rows = statement.query_map([contact.id], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
        for label in rows {
            let (kind, name) = label.context("read the labels of a contact")?;
            if kind == "sector" { contact.sectors.push(name) } else { contact.groups.push(name) }
        }
    }
    Ok(contacts)
}
