-- The first schema. A landed file never changes; the next change is the next number.
-- Times are RFC 3339 in UTC with nine digits after the point, so that text order is time order.

CREATE TABLE meta (
    name  TEXT PRIMARY KEY NOT NULL,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The last serial of each year; a number is taken in the transaction that uses it.
CREATE TABLE counter (
    name TEXT    NOT NULL CHECK (name IN ('ticket', 'dissemination')),
    year INTEGER NOT NULL,
    last INTEGER NOT NULL CHECK (last > 0),
    PRIMARY KEY (name, year)
) STRICT, WITHOUT ROWID;

CREATE TABLE ticket (
    number      TEXT PRIMARY KEY NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('new', 'awaiting_reporter', 'verifying', 'analysing', 'handling', 'closed', 'rejected', 'merged')),
    service     TEXT NOT NULL CHECK (service IN ('complaint', 'dissemination')),
    category    TEXT NOT NULL CHECK (category IN ('web_defacement', 'phishing', 'malware', 'data_misuse', 'ddos', 'illegal_access', 'vulnerability', 'other', 'spam')),
    priority    TEXT NOT NULL CHECK (priority IN ('low', 'medium', 'high', 'critical')),
    tlp         TEXT CHECK (tlp IN ('CLEAR', 'GREEN', 'AMBER', 'AMBER+STRICT', 'RED')),
    subject     TEXT NOT NULL,
    reporter    TEXT,
    channel     TEXT NOT NULL CHECK (channel IN ('email', 'telegram', 'whatsapp', 'phone', '183', 'portal', 'letter')),
    assignee    TEXT,
    opened_at   TEXT NOT NULL,
    updated_at  TEXT NOT NULL,
    closed_at   TEXT,
    survey_sent INTEGER NOT NULL CHECK (survey_sent IN (0, 1)),
    events      INTEGER NOT NULL CHECK (events > 0),
    -- The fold of the ticket's events, whole; the columns above repeat it for listings.
    fold        TEXT NOT NULL
) STRICT;
CREATE INDEX ticket_by_state ON ticket (state);
CREATE INDEX ticket_by_opening ON ticket (opened_at, number);
-- What time can still do something to; the condition is that of `open_tickets`, word for word.
CREATE INDEX ticket_open ON ticket (opened_at, number)
    WHERE state NOT IN ('closed', 'rejected', 'merged') OR (state = 'closed' AND survey_sent = 0 AND service = 'complaint');
CREATE INDEX ticket_by_reporter ON ticket (reporter);
CREATE TRIGGER ticket_stays BEFORE DELETE ON ticket BEGIN SELECT RAISE(ABORT, 'a ticket is never removed'); END;

CREATE TABLE inbox (
    id                INTEGER PRIMARY KEY,
    source            TEXT NOT NULL,
    sha256            TEXT NOT NULL CHECK (length(sha256) = 64),
    bytes             INTEGER NOT NULL CHECK (bytes >= 0),
    -- Set where the mail was too large and its header alone was fetched: the size that the server named.
    header_only_bytes INTEGER,
    received_at       TEXT NOT NULL,
    stored_at         TEXT NOT NULL,
    state             TEXT NOT NULL DEFAULT 'stored' CHECK (state IN ('stored', 'decided')),
    attempts          INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    attempted_at      TEXT,
    decided_at        TEXT,
    content_sha256    TEXT,
    kind              TEXT CHECK (kind IN ('report', 'reply', 'analyst', 'auto_reply', 'bounce', 'list', 'own', 'unreadable')),
    ticket            TEXT REFERENCES ticket (number) DEFERRABLE INITIALLY DEFERRED,
    from_address      TEXT,
    message_id        TEXT,
    subject           TEXT NOT NULL DEFAULT '',
    text              TEXT NOT NULL DEFAULT '',
    language          TEXT NOT NULL DEFAULT 'unknown' CHECK (language IN ('id', 'en', 'mixed', 'unknown')),
    category          TEXT NOT NULL DEFAULT 'other' CHECK (category IN ('web_defacement', 'phishing', 'malware', 'data_misuse', 'ddos', 'illegal_access', 'vulnerability', 'other', 'spam')),
    because           TEXT NOT NULL DEFAULT '',
    quarantine        INTEGER NOT NULL DEFAULT 0 CHECK (quarantine IN (0, 1)),
    in_digest         INTEGER NOT NULL DEFAULT 0 CHECK (in_digest IN (0, 1)),
    -- A person released it from the quarantine.
    released_at       TEXT,
    CHECK (state = 'stored' OR (kind IS NOT NULL AND decided_at IS NOT NULL)),
    UNIQUE (source, sha256)
) STRICT;
CREATE INDEX inbox_waiting ON inbox (id) WHERE state = 'stored';
CREATE INDEX inbox_by_ticket ON inbox (ticket);
CREATE INDEX inbox_by_message_id ON inbox (message_id);
CREATE INDEX inbox_by_content ON inbox (content_sha256);
CREATE INDEX inbox_by_arrival ON inbox (received_at);
CREATE INDEX inbox_in_digest ON inbox (id) WHERE in_digest = 1;
CREATE INDEX inbox_in_quarantine ON inbox (id) WHERE quarantine = 1;
CREATE TRIGGER inbox_stays BEFORE DELETE ON inbox BEGIN SELECT RAISE(ABORT, 'a stored mail is never removed'); END;

-- The bytes as they came. Apart from the row, so that listings do not read past them.
CREATE TABLE raw (
    inbox   INTEGER PRIMARY KEY NOT NULL REFERENCES inbox (id),
    content BLOB NOT NULL
) STRICT;
CREATE TRIGGER raw_is_kept BEFORE DELETE ON raw BEGIN SELECT RAISE(ABORT, 'raw mail is append-only'); END;
CREATE TRIGGER raw_is_fixed BEFORE UPDATE ON raw BEGIN SELECT RAISE(ABORT, 'raw mail is append-only'); END;

-- Each place in a mailbox where a mail was seen. Several may lead to one mail: it is decided once and filed from each.
CREATE TABLE arrival (
    id           INTEGER PRIMARY KEY,
    inbox        INTEGER REFERENCES inbox (id),
    source       TEXT NOT NULL,
    uid_validity INTEGER NOT NULL,
    uid          TEXT NOT NULL,
    state        TEXT NOT NULL DEFAULT 'stored' CHECK (state IN ('stored', 'copied', 'filed', 'gone')),
    seen_at      TEXT NOT NULL,
    copied_at    TEXT,
    filed_at     TEXT,
    CHECK (inbox IS NOT NULL OR state = 'gone'),
    UNIQUE (source, uid_validity, uid)
) STRICT;
CREATE INDEX arrival_unfiled ON arrival (id) WHERE state IN ('stored', 'copied');
CREATE INDEX arrival_by_inbox ON arrival (inbox);

CREATE TABLE event (
    id     INTEGER PRIMARY KEY,
    ticket TEXT NOT NULL REFERENCES ticket (number) DEFERRABLE INITIALLY DEFERRED,
    n      INTEGER NOT NULL CHECK (n > 0),
    at     TEXT NOT NULL,
    by     TEXT NOT NULL,
    event  TEXT NOT NULL CHECK (event IN ('opened', 'message', 'noted', 'documents_came', 'documents_asked', 'state_changed', 'category_set', 'priority_set', 'tlp_set', 'tlp_received', 'assigned', 'linked', 'merged_into', 'participant_added', 'clock_set', 'touched', 'acknowledgement_held', 'acknowledged', 'reminded', 'survey_sent', 'survey_answered', 'told', 'dissemination')),
    detail TEXT NOT NULL,
    body   TEXT NOT NULL,
    inbox  INTEGER REFERENCES inbox (id),
    UNIQUE (ticket, n)
) STRICT;
CREATE TRIGGER event_is_kept BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'history is append-only'); END;
CREATE TRIGGER event_is_fixed BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'history is append-only'); END;

CREATE TABLE outbox (
    id            INTEGER PRIMARY KEY,
    message_id    TEXT NOT NULL UNIQUE,
    kind          TEXT NOT NULL CHECK (kind IN ('acknowledgement', 'request', 'reply', 'analysis', 'rejection', 'closing', 'survey', 'dissemination', 'reminder', 'notice', 'receipt', 'report')),
    to_address    TEXT NOT NULL,
    -- The recipient without +detail, and the domain: what the limits count by.
    to_mailbox    TEXT NOT NULL,
    to_domain     TEXT NOT NULL,
    ticket        TEXT REFERENCES ticket (number) DEFERRABLE INITIALLY DEFERRED,
    dissemination TEXT REFERENCES dissemination (number) DEFERRABLE INITIALLY DEFERRED,
    token         TEXT,
    state         TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'uncertain', 'held', 'cancelled')),
    attempts      INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    -- How often an uncertain letter was sent again; once is what the daemon does by itself.
    resends       INTEGER NOT NULL DEFAULT 0 CHECK (resends >= 0),
    queued_at     TEXT NOT NULL,
    next_at       TEXT,
    -- Whose turn comes first among what is due: 0 acknowledgements, 1 what one person waits for, 2 disseminations.
    turn          INTEGER NOT NULL AS (CASE kind WHEN 'acknowledgement' THEN 0 WHEN 'dissemination' THEN 2 ELSE 1 END) STORED,
    attempted_at  TEXT,
    sent_at       TEXT,
    last_error    TEXT,
    reply         TEXT,
    letter        TEXT NOT NULL,
    sealed        BLOB,
    CHECK (state <> 'sending' OR sealed IS NOT NULL),
    CHECK (state <> 'sent' OR sent_at IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX outbox_one_acknowledgement ON outbox (ticket) WHERE kind = 'acknowledgement';
CREATE INDEX outbox_due ON outbox (turn, next_at, id) WHERE state IN ('queued', 'uncertain');
CREATE INDEX outbox_next ON outbox (next_at) WHERE state IN ('queued', 'uncertain');
CREATE INDEX outbox_by_state ON outbox (state);
CREATE INDEX outbox_by_ticket ON outbox (ticket);
CREATE INDEX outbox_by_dissemination ON outbox (dissemination);
CREATE INDEX outbox_by_mailbox ON outbox (to_mailbox, queued_at);
-- Asked at each decision: they answer without reading the letters.
CREATE INDEX outbox_acknowledgements ON outbox (queued_at, state) WHERE kind = 'acknowledgement';
CREATE INDEX outbox_acknowledgements_by_domain ON outbox (to_domain, queued_at, state) WHERE kind = 'acknowledgement';
CREATE INDEX outbox_by_token ON outbox (token) WHERE token IS NOT NULL;
CREATE TRIGGER outbox_stays BEFORE DELETE ON outbox BEGIN SELECT RAISE(ABORT, 'a letter is never removed'); END;
CREATE TRIGGER outbox_letter_is_fixed BEFORE UPDATE OF letter, message_id, to_address ON outbox BEGIN SELECT RAISE(ABORT, 'a queued letter never changes'); END;

CREATE TABLE blob (
    sha256  TEXT PRIMARY KEY NOT NULL CHECK (length(sha256) = 64),
    content BLOB NOT NULL
) STRICT;

CREATE TABLE attachment (
    id         INTEGER PRIMARY KEY,
    ticket     TEXT NOT NULL REFERENCES ticket (number) DEFERRABLE INITIALLY DEFERRED,
    inbox      INTEGER REFERENCES inbox (id),
    name       TEXT NOT NULL,
    media_type TEXT NOT NULL,
    bytes      INTEGER NOT NULL,
    sha256     TEXT NOT NULL REFERENCES blob (sha256),
    document   TEXT CHECK (document IN ('identity', 'form', 'asset_info', 'topology', 'vulnerability_info', 'impact_analysis', 'other')),
    at         TEXT NOT NULL
) STRICT;
CREATE INDEX attachment_by_ticket ON attachment (ticket);

CREATE TABLE indicator (
    ticket TEXT NOT NULL REFERENCES ticket (number) DEFERRABLE INITIALLY DEFERRED,
    kind   TEXT NOT NULL CHECK (kind IN ('urls', 'domains', 'ips', 'hashes', 'emails', 'cves')),
    value  TEXT NOT NULL,
    PRIMARY KEY (ticket, kind, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX indicator_by_value ON indicator (value);

CREATE TABLE dissemination (
    number     TEXT PRIMARY KEY NOT NULL,
    ticket     TEXT NOT NULL REFERENCES ticket (number) DEFERRABLE INITIALLY DEFERRED,
    author     TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('draft', 'awaiting_approval', 'sending', 'sent', 'closed', 'cancelled')),
    tlp        TEXT NOT NULL CHECK (tlp IN ('CLEAR', 'GREEN', 'AMBER', 'AMBER+STRICT', 'RED')),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    sent_at    TEXT,
    body       TEXT NOT NULL
) STRICT;
CREATE INDEX dissemination_by_ticket ON dissemination (ticket);
CREATE INDEX dissemination_by_state ON dissemination (state);
CREATE TRIGGER dissemination_stays BEFORE DELETE ON dissemination BEGIN SELECT RAISE(ABORT, 'a dissemination is never removed'); END;

CREATE TABLE recipient (
    dissemination TEXT NOT NULL REFERENCES dissemination (number) DEFERRABLE INITIALLY DEFERRED,
    address       TEXT NOT NULL,
    kind          TEXT NOT NULL CHECK (kind IN ('person', 'role', 'internal_unit')),
    fingerprint   TEXT,
    state         TEXT NOT NULL CHECK (state IN ('held', 'queued', 'sent', 'bounced', 'confirmed', 'handled')),
    at            TEXT NOT NULL,
    message_id    TEXT,
    PRIMARY KEY (dissemination, address)
) STRICT, WITHOUT ROWID;

-- A command signature that was used; it never acts again.
CREATE TABLE signature (
    key       TEXT PRIMARY KEY NOT NULL CHECK (length(key) = 64),
    inbox     INTEGER REFERENCES inbox (id),
    by        TEXT NOT NULL,
    signed_at TEXT NOT NULL,
    used_at   TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER signature_is_kept BEFORE DELETE ON signature BEGIN SELECT RAISE(ABORT, 'used signatures are remembered for ever'); END;

CREATE TABLE refusal (
    id     INTEGER PRIMARY KEY,
    person TEXT NOT NULL,
    at     TEXT NOT NULL
) STRICT;
CREATE INDEX refusal_by_person ON refusal (person, at);

CREATE TABLE certificate (
    fingerprint TEXT PRIMARY KEY NOT NULL,
    content     BLOB NOT NULL,
    expires_at  TEXT,
    stored_at   TEXT NOT NULL
) STRICT;

CREATE TABLE contact (
    id           INTEGER PRIMARY KEY,
    name         TEXT NOT NULL,
    address      TEXT NOT NULL UNIQUE,
    kind         TEXT NOT NULL CHECK (kind IN ('person', 'role')),
    organisation TEXT NOT NULL,
    language     TEXT NOT NULL CHECK (language IN ('id', 'en', 'mixed', 'unknown')),
    fingerprint  TEXT,
    expires_at   TEXT,
    verified_at  TEXT,
    verified_how TEXT
) STRICT;

CREATE TABLE contact_label (
    contact INTEGER NOT NULL REFERENCES contact (id) ON DELETE CASCADE,
    kind    TEXT NOT NULL CHECK (kind IN ('sector', 'group')),
    name    TEXT NOT NULL COLLATE NOCASE,
    PRIMARY KEY (contact, kind, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX contact_label_by_name ON contact_label (kind, name);

-- Each entry holds the hash of the one before it; the head stands in meta and in each report to the chief.
CREATE TABLE audit (
    id       INTEGER PRIMARY KEY,
    at       TEXT NOT NULL,
    by       TEXT NOT NULL,
    what     TEXT NOT NULL,
    thing    TEXT NOT NULL,
    thing_id TEXT NOT NULL,
    detail   TEXT NOT NULL,
    cause    TEXT NOT NULL,
    -- SHA-256 of the row that the entry is about, as it was written.
    digest   TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash     TEXT NOT NULL
) STRICT;
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_is_fixed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

-- Words of tickets: what came, what went, what was noted.
CREATE VIRTUAL TABLE words USING fts5 (ticket UNINDEXED, text, tokenize = "unicode61 remove_diacritics 2");
