//! OpenPGP against the real gpg, both ways, and the rows P and D of the attacks.

mod clients;
mod incoming;
mod key_cli;
mod laws;
mod outgoing;
