//! What people, robots and mail servers do in a play.

use super::town::{Accepted, Chance, REPORTERS, Town, base};
use bantuan70::cli::demo::stage::Note;
use bantuan70::model::letter::LetterKind;
use bantuan70::store::TicketFilter;

const WORDS: [&str; 12] = [
    "situs kantor diretas",
    "halaman depan berubah jadi judi",
    "server terenkripsi ransomware",
    "email phishing meniru bank",
    "data pelanggan bocor",
    "serangan DDoS sejak pagi",
    "akun diambil alih",
    "menang undian, klik di sini sekarang juga",
    "mohon bantuannya",
    "The web server was compromised",
    "celah SQL injection pada portal",
    "terima kasih",
];

const FILES: [(&str, &str); 4] = [
    ("KTP.jpg", "image/jpeg"),
    ("topologi.pdf", "application/pdf"),
    ("log-server.txt", "text/plain"),
    ("formulir.docx", "application/msword"),
];

/// A word that stands in every report marked AMBER and must never be readable on the way out.
pub const CANARY: &str = "RahasiaBurungKenari";

fn words(chance: &mut Chance, serial: u32) -> String {
    let mut lines: Vec<String> = (0..=chance.below(3)).map(|_| chance.one(&WORDS.map(|word| word)).to_owned()).collect();
    lines.push(format!("Nomor {serial}."));
    lines.join("\n")
}

fn files(chance: &mut Chance) -> Vec<(String, String, Vec<u8>)> {
    let mut files = Vec::new();
    while chance.percent(30) && files.len() < 3 {
        let (name, media_type) = FILES[chance.below(FILES.len())];
        files.push((name.to_owned(), media_type.to_owned(), format!("{name} {}", chance.next()).into_bytes()));
    }
    files
}

impl Town {
    /// A new report, perhaps marked, forged or a robot's.
    pub fn report(&mut self, chance: &mut Chance) {
        let serial = self.delivered;
        let is_robot = chance.percent(15);
        let who = if is_robot { "robot" } else { chance.one(&REPORTERS) };
        let mut note = Note {
            subject: words(chance, serial).replace('\n', " "),
            text: words(chance, serial),
            enclosures: files(chance),
            ..Note::default()
        };
        if is_robot {
            let marks = [
                "Auto-Submitted: auto-generated",
                "Auto-Submitted: auto-replied",
                "Precedence: bulk",
                "List-Id: <a.example>",
                "Return-Path: <>",
            ];
            note.headers.push(chance.one(&marks).to_owned());
        }
        if chance.percent(15) {
            note.text = format!("TLP:AMBER\n\n{CANARY}\n{}", note.text);
        }
        if chance.percent(10) {
            note.headers.push("Authentication-Results: mx.bssn.test; dmarc=fail header.from=x.example".to_owned());
        }
        let raw = self.written(who, &note, false);
        self.deliver(&raw);
        // The same mail twice, by another way.
        if chance.percent(10) {
            let mut again = b"Received: from b.example by mx.bssn.test; Tue, 3 Mar 2026 09:00:00 +0700\r\n".to_vec();
            again.extend_from_slice(&raw);
            self.deliver(&again);
        }
    }

    /// Somebody answers something that came from us, or guesses a number.
    pub fn answer(&mut self, chance: &mut Chance) {
        let who = chance.one(&["joko", "siti", "wati", "maling", "robot", "bank", "rina", "rsud"]);
        let mine: Vec<String> =
            self.accepted.iter().filter(|mail| mail.to == base().actors[who].address).map(|mail| mail.message_id.clone()).collect();
        let answers = if mine.is_empty() || chance.percent(15) { None } else { Some(mine[chance.below(mine.len())].clone()) };
        let number = chance.below(6) + 1;
        let subject =
            if answers.is_some() && chance.percent(50) { "Re: laporan".to_owned() } else { format!("[BANTUAN70-2026-{number:06}] kabar") };
        let serial = self.delivered;
        let text = match chance.below(5) {
            0 => format!("DITERIMA, {serial}"),
            1 => (1..=9).map(|n| format!("{n}: {}\n", chance.below(4) + 1)).collect(),
            2 => "1: 4\n2: 3\n".to_owned(),
            _ => words(chance, serial),
        };
        let headers = if who == "robot" { vec!["Auto-Submitted: auto-replied".to_owned()] } else { Vec::new() };
        let note = Note { subject, text, answers, headers, enclosures: files(chance) };
        let is_signed = matches!(who, "bank" | "rina") && chance.percent(60);
        let raw = self.written(who, &note, is_signed);
        self.deliver(&raw);
    }

    /// One of our mails comes back.
    pub fn bounce(&mut self, chance: &mut Chance) {
        if self.accepted.is_empty() {
            return;
        }
        let Accepted { message_id, to, .. } = self.accepted[chance.below(self.accepted.len())].clone();
        let fate = chance.one(&["failed\r\nStatus: 5.1.1", "delayed\r\nStatus: 4.4.1"]);
        let serial = self.delivered;
        let raw = format!(
            "Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example\r\nTo: bantuan70@bssn.test\r\nSubject: Undelivered Mail Returned to Sender\r\n\
             Message-ID: <dsn.{serial}@mx.example>\r\nDate: Tue, 3 Mar 2026 08:00:00 +0700\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSorry {serial}.\r\n\
             --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; {to}\r\nAction: {fate}\r\n\r\n\
             --b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{message_id}>\r\n\r\n--b--\r\n"
        );
        self.deliver(raw.as_bytes());
    }

    /// An analyst at work: one thing to a ticket that there is, as people mostly do.
    pub fn sensible_command(&mut self, chance: &mut Chance) {
        let count = self.daemon().store.ticket_states(&TicketFilter::default()).unwrap().len();
        let (number, serial) = (chance.below(count) + 1, self.delivered);
        let lines = [
            "!valid",
            "!analisis",
            "!balas",
            "!balas",
            "!terbuka\n!balas",
            "!lengkapi",
            "!tolak",
            "!tutup",
            "!tutup",
            "!buka",
            "!petugas me\n!valid",
            "!tlp AMBER\n!diseminasi csirt@bank.example, it@rsud.example",
            "!tlp GREEN\n!diseminasi it@rsud.example",
            "!tlp RED\n!diseminasi rina@bank.example",
            "!batal DIS-2026-0001",
            "!batal DIS-2026-0002",
            "!konfirmasi csirt@bank.example",
            "!ditangani it@rsud.example",
            "!gabung BANTUAN70-2026-000001",
        ];
        let line = chance.one(&lines);
        let text = format!("!tiket BANTUAN70-2026-{number:06}\n{line}\nKata petugas nomor {serial}.");
        let note = Note { subject: format!("Perintah {serial}"), text, ..Note::default() };
        let who = chance.one(&["ani", "budi"]);
        let raw = self.written(who, &note, true);
        self.deliver(&raw);
    }

    /// An analyst's mail of one to three commands, right and wrong ones.
    pub fn command(&mut self, chance: &mut Chance) {
        if chance.percent(60) {
            return self.sensible_command(chance);
        }
        let who = chance.one(&["ani", "ani", "budi", "rudi"]);
        let number = format!("BANTUAN70-2026-{:06}", chance.below(6) + 1);
        let other = format!("BANTUAN70-2026-{:06}", chance.below(6) + 1);
        let dissemination = format!("DIS-2026-{:04}", chance.below(3) + 1);
        let code = self.received(who).rev().find_map(|mail| code_in(&mail.text));
        let mut lines = if chance.percent(80) { vec![format!("!tiket {number}")] } else { Vec::new() };
        for _ in 0..=chance.below(3) {
            let mail = chance.below(self.delivered as usize + 2);
            let fixed = [
                "!valid",
                "!valid",
                "!analisis",
                "!analisis",
                "!balas",
                "!lengkapi",
                "!lengkapi topology",
                "!tolak",
                "!catat",
                "!tutup",
                "!tutup",
                "!buka",
                "!status",
                "!bantuan",
                "!petugas me",
                "!prioritas tinggi",
                "!kategori phishing",
                "!tlp AMBER",
                "!tlp RED",
                "!tlp GREEN",
                "!terbuka",
                "!tutpu",
                "!kategori x",
            ];
            lines.push(match chance.below(12) {
                0 => format!("!gabung {other}"),
                1 => format!("!tautkan {other}"),
                2 => format!("!angkat {mail}"),
                3 => format!("!batal {dissemination}"),
                4 => code
                    .clone()
                    .map_or_else(|| format!("!setuju {dissemination} 000000000000"), |(number, code)| format!("!setuju {number} {code}")),
                5 => format!("!konfirmasi {}", chance.one(&["csirt@bank.example", "rina@bank.example", "it@rsud.example"])),
                6 => format!(
                    "!diseminasi {}",
                    chance.one(&["csirt@bank.example, it@rsud.example", "rina@bank.example", "sector:finance", "siti@warga.example"])
                ),
                7 => format!("!catatkan {}", chance.one(&["phone", "telegram joko@kantor.example", "x"])),
                _ => chance.one(&fixed.map(|line| line)).to_owned(),
            });
        }
        let serial = self.delivered;
        if chance.percent(70) {
            lines.push(format!("Kata petugas nomor {serial} untuk bantuan70@bssn.test."));
        }
        let subject = if chance.percent(20) { format!("Re: [{other}]") } else { format!("Perintah {serial}") };
        let note = Note { subject, text: lines.join("\n"), enclosures: files(chance), ..Note::default() };
        let is_signed = chance.percent(90);
        let raw = self.written(who, &note, is_signed);
        self.deliver(&raw);
    }
}

fn code_in(text: &str) -> Option<(String, String)> {
    let line = text.lines().rfind(|line| line.starts_with("!setuju "))?;
    let mut words = line.split(' ').skip(1);
    Some((words.next()?.to_owned(), words.next()?.to_owned()))
}

/// Whether a letter of this kind was written by a clock or a rule, not by a person.
pub fn is_automatic(kind: LetterKind) -> bool {
    matches!(kind, LetterKind::Acknowledgement)
}
