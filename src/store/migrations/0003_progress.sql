-- Each recipient whole in a row of its own: the sending of one mail changes one row, however many others there are.
-- `n` is the place in the dissemination's list. The list in `dissemination.body` stays as it was and is no longer read.
ALTER TABLE recipient ADD COLUMN n INTEGER NOT NULL DEFAULT 0;
ALTER TABLE recipient ADD COLUMN body TEXT NOT NULL DEFAULT '';
INSERT INTO recipient (dissemination, address, kind, fingerprint, state, at, message_id, n, body)
    SELECT dissemination.number, json_extract(each.value, '$.address'), json_extract(each.value, '$.kind'),
        json_extract(each.value, '$.fingerprint'), json_extract(each.value, '$.state'), json_extract(each.value, '$.at'),
        json_extract(each.value, '$.message_id'), each.key, each.value
    FROM dissemination, json_each(dissemination.body, '$.recipients') AS each WHERE true
    ON CONFLICT (dissemination, address) DO UPDATE SET n = excluded.n, body = excluded.body;
-- Whether anything of a dissemination still waits is asked with each mail of it.
CREATE INDEX recipient_queued ON recipient (dissemination) WHERE state = 'queued';
