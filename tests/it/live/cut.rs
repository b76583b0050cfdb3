//! A wire between the program and a real server that breaks after a number of bytes, wherever that is in the
//! dialogue and in TLS.

use super::center::{ADDRESS, Center, report};
use crate::harness::servers::Servers;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// The wire. Each connection may carry so many bytes to the server and to the client.
pub struct Wire {
    pub port: u16,
    limits: Arc<[AtomicUsize; 2]>,
    ended: Arc<AtomicBool>,
    /// While it is silent both ends stay open, and nothing is carried.
    silent: Arc<AtomicBool>,
    /// What becomes of a connection whose bytes are used up, and how often one has come to a halt.
    at_limit: Arc<AtLimit>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

#[derive(Default)]
struct AtLimit {
    halts: AtomicBool,
    halted: AtomicUsize,
}

impl Wire {
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let limits = Arc::new([AtomicUsize::new(usize::MAX), AtomicUsize::new(usize::MAX)]);
        let ended = Arc::new(AtomicBool::new(false));
        let (silent, open) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (of_thread, is_over) = (Arc::clone(&limits), Arc::clone(&ended));
        let (is_silent, opened) = (Arc::clone(&silent), Arc::clone(&open));
        let at_limit: Arc<AtLimit> = Arc::default();
        let of_limit = Arc::clone(&at_limit);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                let (client, server) = (client.unwrap(), TcpStream::connect(("127.0.0.1", server)).unwrap());
                let [up, down] = [0, 1].map(|way| of_thread[way].load(Ordering::SeqCst));
                for (from, to, limit) in [(&client, &server, up), (&server, &client, down)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    from.set_nodelay(true).unwrap();
                    opened.lock().unwrap().push(from.try_clone().unwrap());
                    let (is_silent, at_limit) = (Arc::clone(&is_silent), Arc::clone(&of_limit));
                    std::thread::spawn(move || carry(from, to, limit, &is_silent, &at_limit));
                }
            }
        });
        Self { port, limits, ended, silent, at_limit, open }
    }

    /// From now on nothing is carried, and nobody is told.
    pub fn silence(&self) {
        self.silent.store(true, Ordering::SeqCst);
    }

    /// Connections from now on are carried again.
    pub fn speak(&self) {
        self.silent.store(false, Ordering::SeqCst);
    }

    /// Cuts every connection.
    pub fn cut(&self) {
        for stream in self.open.lock().unwrap().drain(..) {
            stream.shutdown(Shutdown::Both).ok();
        }
    }

    /// A connection whose bytes are used up stays open from now on, and the rest waits.
    pub fn halt_at_limit(&self) {
        self.at_limit.halts.store(true, Ordering::SeqCst);
    }

    /// How often one has come to a halt.
    pub fn halted(&self) -> usize {
        self.at_limit.halted.load(Ordering::SeqCst)
    }

    /// How many bytes connections from now on carry to the server, and to the client.
    pub fn limit(&self, up: usize, down: usize) {
        self.limits[0].store(up, Ordering::SeqCst);
        self.limits[1].store(down, Ordering::SeqCst);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        TcpStream::connect(("127.0.0.1", self.port)).ok();
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, mut left: usize, is_silent: &AtomicBool, at_limit: &AtLimit) {
    let mut buffer = [0; 4096];
    while left > 0 {
        let most = left.min(buffer.len());
        match from.read(&mut buffer[..most]) {
            Ok(0) | Err(_) => break,
            // Swallowed: what a firewall drops is lost for good.
            Ok(_) if is_silent.load(Ordering::SeqCst) => {}
            Ok(count) if to.write_all(&buffer[..count]).is_err() => break,
            Ok(count) => left -= count,
        }
    }
    if left == 0 && at_limit.halts.load(Ordering::SeqCst) {
        // Both streams stay open: the wire holds them too.
        at_limit.halted.fetch_add(1, Ordering::SeqCst);
        return;
    }
    for stream in [&from, &to] {
        stream.shutdown(Shutdown::Both).ok();
    }
}

/// How many copies of an acknowledgement a reporter has; all bear one Message-ID.
fn copies(center: &Center, user: &str) -> usize {
    let letters = center.letters(user);
    let ids: BTreeSet<_> = letters.iter().map(|letter| letter.mail.message_id.clone()).collect();
    assert_eq!(ids.len(), 1, "{user}: {ids:?}");
    letters.len()
}

#[test]
fn f1_f2_f3_f11_an_imap_connection_cut_anywhere_loses_and_doubles_nothing() {
    let servers = Arc::new(Servers::start());
    let wire = Wire::to(servers.imaps);
    let center = Center::with(servers, ADDRESS, |ports| ports.imap = wire.port);
    let text = "Halaman depan situs kami diretas.\r\n".repeat(60);
    let (mut reports, mut failures) = (0, 0);
    for cut in (0..).step_by(513).take(20) {
        if center.servers.messages("bantuan70", "INBOX").is_empty() {
            center.deliver(&report(&format!("p{reports}@warga.example"), "Situs diretas", &text));
            reports += 1;
        }
        wire.limit(usize::MAX, cut);
        failures += usize::from(center.once() == 3);
    }
    wire.limit(usize::MAX, usize::MAX);
    assert_eq!(center.once(), 0);
    println!("{reports} reports, {failures} connections cut");
    assert!(reports > 1 && failures > 5);
    assert_eq!(center.json(&["ticket", "list"]).len(), reports);
    assert!(center.servers.messages("bantuan70", "INBOX").is_empty());
    assert_eq!(center.servers.messages("bantuan70", "Processed").len(), reports);
    center.wait_quiet();
    for number in 0..reports {
        let user = format!("p{number}");
        center.servers.wait_messages(&user, "INBOX", 1);
        assert_eq!(copies(&center, &user), 1);
    }
    center.audit();
}

#[test]
fn f39_f41_an_smtp_connection_cut_anywhere_repeats_only_what_is_marked() {
    let servers = Arc::new(Servers::start());
    let wire = Wire::to(servers.submission);
    let center = Center::with(servers, ADDRESS, |ports| ports.smtp = wire.port);
    let up = (1..6).map(|step| (step * 1290, usize::MAX));
    let down = (0..6).map(|step| (usize::MAX, 1700 + step * 170));
    let mut users = Vec::new();
    for (up, down) in up.chain(down) {
        let user = format!("p{}", users.len());
        center.deliver(&report(&format!("{user}@warga.example"), "Situs diretas", "Halaman depan situs kami diretas.\r\n"));
        users.push(user);
        wire.limit(up, down);
        center.once();
        wire.limit(usize::MAX, usize::MAX);
        center.retry_all();
        assert_eq!(center.once(), 0);
    }
    let outbox = center.outbox();
    assert!(outbox.iter().all(|row| row["state"] == "sent"), "{outbox:?}");
    let mut repeats = 0;
    for user in &users {
        center.servers.wait_messages(user, "INBOX", 1);
        let row = outbox.iter().find(|row| row["to"] == format!("{user}@warga.example")).unwrap();
        let copies = copies(&center, user);
        assert!(copies as u64 <= 1 + row["resends"].as_u64().unwrap(), "{user} has {copies}: {row}");
        repeats += copies - 1;
    }
    println!("{} letters sent again after an uncertain end, {repeats} came twice", outbox.iter().filter(|row| row["resends"] != 0).count());
    center.audit();
}
