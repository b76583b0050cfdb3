//! The rule format: TOML files, validated; errors name file, line and reason.
