-- What the first schema had no place for. Every addition has a default, so that rows of before are whole.

-- Which set of rules a decision was made with: its version, a hash of the files.
ALTER TABLE inbox ADD COLUMN rules_version TEXT NOT NULL DEFAULT '';

-- How the daemon stands with the world outside, a row a name: when a thing last went well, and a figure.
CREATE TABLE standing (
    name   TEXT PRIMARY KEY NOT NULL,
    at     TEXT NOT NULL,
    value  INTEGER NOT NULL,
    detail TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What is out of order now and was told to the chief. It outlives a restart, so that an outage is told once.
CREATE TABLE alarm (
    cause   TEXT PRIMARY KEY NOT NULL,
    since   TEXT NOT NULL,
    told_at TEXT NOT NULL,
    reason  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Where mail lies in the folders that it was filed into: what reconciliation need not fetch again.
CREATE TABLE placed (
    source       TEXT NOT NULL,
    folder       TEXT NOT NULL,
    uid_validity INTEGER NOT NULL,
    uid          TEXT NOT NULL,
    inbox        INTEGER NOT NULL REFERENCES inbox (id),
    PRIMARY KEY (source, folder, uid_validity, uid)
) STRICT, WITHOUT ROWID;

-- The latest time that the log knows, asked before commands: a host's clock that went back is behind it.
CREATE INDEX audit_by_time ON audit (at);

-- Whether these bytes are stored, whatever the mailbox was called then: asked by reconciliation.
CREATE INDEX inbox_by_bytes ON inbox (sha256);

-- What was decrypted, by its hash, and from whom it came first: sent again by another it is answered by nothing.
CREATE TABLE plaintext (
    sha256 TEXT PRIMARY KEY NOT NULL CHECK (length(sha256) = 64),
    inbox  INTEGER REFERENCES inbox (id),
    -- The sender as it counts for limits; NULL where there was not exactly one.
    sender TEXT,
    at     TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER plaintext_is_kept BEFORE DELETE ON plaintext BEGIN SELECT RAISE(ABORT, 'decrypted texts are remembered for ever'); END;
-- What keeps mail from being encrypted to a certificate besides its age, in words: revoked, no
-- encryption subkey, an algorithm that is refused. Known when it is stored, so that who drafts a
-- dissemination hears of it at once; sealing looks at the certificate itself.
ALTER TABLE certificate ADD COLUMN unfit TEXT NOT NULL DEFAULT '';
-- Retention: what was erased, and when. The row, its hash and the audit log stay; the words do not.
ALTER TABLE inbox ADD COLUMN erased_at TEXT;
ALTER TABLE attachment ADD COLUMN erased_at TEXT;
ALTER TABLE outbox ADD COLUMN erased_at TEXT;
-- Raw mail may become the line that says that it was erased, and nothing else.
DROP TRIGGER raw_is_fixed;
CREATE TRIGGER raw_is_fixed BEFORE UPDATE ON raw
    WHEN substr(NEW.content, 1, 20) <> CAST('X-Bantuan70-Erased: ' AS BLOB)
    BEGIN SELECT RAISE(ABORT, 'raw mail is append-only'); END;
-- A letter may lose its words, and nothing else of it changes.
DROP TRIGGER outbox_letter_is_fixed;
CREATE TRIGGER outbox_letter_is_fixed BEFORE UPDATE OF letter, message_id, to_address ON outbox
    WHEN NEW.message_id <> OLD.message_id OR NEW.to_address <> OLD.to_address OR json_extract(NEW.letter, '$.text') <> ''
    BEGIN SELECT RAISE(ABORT, 'a queued letter never changes'); END;

-- The key that came with the report of a ticket and signed it: answers on that ticket are encrypted to it. It is
-- kept apart from the certificates of the directory, and the first one stays.
CREATE TABLE candidate (
    ticket      TEXT PRIMARY KEY NOT NULL REFERENCES ticket (number) DEFERRABLE INITIALLY DEFERRED,
    address     TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    content     BLOB NOT NULL,
    inbox       INTEGER REFERENCES inbox (id),
    at          TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Mail to a contact came back, and what the other server said; verifying the contact again clears both.
ALTER TABLE contact ADD COLUMN bounced_at TEXT;
ALTER TABLE contact ADD COLUMN bounced_because TEXT;

-- The reporter as it counts for limits: whose tickets are how many today is asked at each decision.
ALTER TABLE ticket ADD COLUMN reporter_mailbox TEXT;
CREATE INDEX ticket_by_mailbox ON ticket (reporter_mailbox, opened_at);
-- New tickets of a busy quarter of an hour, whose notice waits to be told with the others in one digest.
CREATE TABLE crowd (
    ticket TEXT PRIMARY KEY NOT NULL REFERENCES ticket (number) DEFERRABLE INITIALLY DEFERRED,
    at     TEXT NOT NULL,
    line   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
