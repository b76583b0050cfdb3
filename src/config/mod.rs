//! The configuration: TOML with unknown keys as errors, to absolute paths and parsed durations.
//! Secrets are read where they are first needed, not here.
