//! The network and the Maildir: raw bytes in, sealed mail out. Nothing here reads a message.

pub mod imap;
pub mod maildir;
pub mod smtp;
