//! What the tests share: folders, keys, servers.

pub mod gpg;
pub mod scripted;
pub mod servers;
