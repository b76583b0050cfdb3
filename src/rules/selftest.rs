//! The tests inside rule files.
