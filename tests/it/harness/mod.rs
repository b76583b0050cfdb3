//! What the tests share: folders, keys, servers.

pub mod gpg;
