//! SQLite behind a narrow interface: snapshot, apply, claim, settle, queries. No SQL outside.
