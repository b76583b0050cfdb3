-- What the first schema had no place for. Every addition has a default, so that rows of before are whole.

-- Which set of rules a decision was made with: its version, a hash of the files.
ALTER TABLE inbox ADD COLUMN rules_version TEXT NOT NULL DEFAULT '';
