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

/// Time-outs for servers that keep silent on purpose: long enough for the honest part on a busy machine.
fn impatient() -> Timeouts {
    let (short, shorter) = (Duration::from_secs(1), Duration::from_millis(150));
    Timeouts {
        greeting: short,
        command: short,
        data: short,
        block: short,
        after_dot: short,
        idle: shorter,
        idle_end: shorter,
        ..Timeouts::default()
    }
}

/// Short time-outs only where a script has a silence in it that the client must end.
fn timeouts_for(script: &str) -> Timeouts {
    if script.contains("!silence") { impatient() } else { Timeouts::default() }
}

fn login() -> Login {
    Login::Password { user: "pusat".to_owned(), password: "s3cret".to_owned() }
}
