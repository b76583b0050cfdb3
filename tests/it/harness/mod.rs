//! What the tests share: folders, keys, servers.

mod files;
pub mod gpg;
pub mod scripted;
pub mod servers;
