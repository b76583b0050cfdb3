//! The network against real servers, and against servers that fail and lie.

mod faults;
mod imap;
mod safety;
mod smtp;

use bantuan70::wire::{Login, Timeouts};
use std::time::Duration;

fn mail(number: usize) -> Vec<u8> {
    format!("From: a@warga.example\r\nSubject: laporan {number}\r\n\r\nisi {number}\r\n").into_bytes()
}

/// Time-outs for servers that keep silent on purpose; those that are never waited for stay long.
fn impatient() -> Timeouts {
    let short = Duration::from_millis(150);
    Timeouts {
        greeting: short,
        command: short,
        data: short,
        block: short,
        after_dot: short,
        idle: short,
        idle_end: short,
        ..Timeouts::default()
    }
}

fn login() -> Login {
    Login::Password { user: "pusat".to_owned(), password: "s3cret".to_owned() }
}
