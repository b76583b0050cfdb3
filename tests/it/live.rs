//! The program itself, as a process, between a real Dovecot, a real Postfix and a real gpg: what it must do
//! for people, and what it must do when it is killed or its servers fail. Each test has servers, folders and
//! keys of its own, so that they run beside each other.

mod bombs;
mod center;
mod commands;
mod cut;
mod dissemination;
mod faults;
mod intake;
mod kill;
mod lying;
mod mailbox;
mod many;
mod outbox;
mod process;
mod robots;
