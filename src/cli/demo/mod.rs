//! `bantuan70 demo`: the whole main job on sample mail, between two Maildirs, with throw-away keys
//! and a clock that is moved by hand. The daemon is the real one; nothing leaves the folder.

pub mod stage;

use super::{Common, Exit, Failure, Outcome, print};
use crate::model::Address;
use crate::model::Language;
use crate::model::contact::ContactKind;
use crate::model::effect::MailKind;
use crate::store::{MailFilter, NewContact, View};
use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use stage::{Actor, Note, Received, Setting, Stage};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Folder to play in, made by the demonstration; default: a new one among the temporary files
    dir: Option<PathBuf>,
}

/// The day on which it plays: a Tuesday morning in Jakarta.
const START: &str = "2026-03-03T01:15:00Z";

pub(super) fn run(_common: &Common, arguments: Arguments) -> Outcome {
    crate::daemon::keep_files_private();
    let dir = arguments.dir.unwrap_or_else(|| std::env::temp_dir().join(format!("bantuan70-demo-{}", std::process::id())));
    if std::fs::read_dir(&dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::usage(format!("{} is not empty; name another folder", dir.display())));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::service(format!("cannot start: {error}")))?;
    let played = runtime.block_on(play(&dir))?;
    table(&played)?;
    for line in closing_words(&played) {
        print(line)?;
    }
    Ok(Exit::Done)
}

/// One step of the play: what came, what the daemon made of it, what it sent.
#[derive(Debug, Clone)]
pub struct Step {
    pub at: Timestamp,
    pub what: String,
    /// Kind and ticket of the mail that came, if one came.
    pub filed: String,
    pub because: String,
    pub sent: Vec<Received>,
}

/// What was played.
#[derive(Debug)]
pub struct Played {
    pub steps: Vec<Step>,
    pub dir: PathBuf,
    pub audit: String,
    pub zone: TimeZone,
}

/// Plays the whole demonstration in a folder.
///
/// # Errors
/// The folder is not empty or cannot be written, or the daemon fails.
pub async fn play(dir: &std::path::Path) -> anyhow::Result<Played> {
    let start: Timestamp = START.parse().context("the day of the demonstration")?;
    let people = [("analyst", "Ani Lestari", "ani@bssn.test"), ("chief", "Budi Santoso", "budi@bssn.test")];
    // The people of the demonstration read English; the citizen is answered in Indonesian all the same.
    let stage = Stage::set_up(dir, start, &Setting { people: &people, center: "language = \"en\"\n", ..Setting::default() })?;
    let mut play = Play { stage, steps: Vec::new() };
    play.bring_people(start)?;
    play.reports().await?;
    play.analyst().await?;
    play.dissemination().await?;
    play.ending().await?;
    let report = play.stage.daemon.store.audit_verify()?;
    let order = if report.problems.is_empty() { "in order".to_owned() } else { report.problems.join("; ") };
    let audit = format!("audit: {} entries, {order}", report.entries);
    let zone = play.stage.daemon.config.center.time_zone.clone();
    Ok(Played { steps: play.steps, dir: dir.to_owned(), audit, zone })
}

struct Play {
    stage: Stage,
    steps: Vec<Step>,
}

impl Play {
    fn bring_people(&mut self, start: Timestamp) -> anyhow::Result<()> {
        self.stage.add("siti", Actor::without_key("Siti Rahayu", "siti.rahayu@warga.example")?);
        self.stage.add("cert", Actor::without_key("CERT Nordsee", "reports@cert-nordsee.example")?);
        self.stage.add("stranger", Actor::without_key("Orang Lain", "penasaran@lain.example")?);
        let bank = Actor::with_key("CSIRT Bank Mandala", "csirt@bank-mandala.example", start)?;
        let store = &self.stage.daemon.store;
        let fingerprint = bank.fingerprint.clone().context("the bank has a key")?;
        store.put_certificate(&fingerprint, &bank.certificate().unwrap_or_default(), None, start)?;
        for (name, address, fingerprint) in [
            ("CSIRT Bank Mandala", bank.address.clone(), Some(fingerprint)),
            ("CSIRT RSUD Bahagia", address("it@rsud-bahagia.example")?, None),
        ] {
            let contact = NewContact {
                name: name.to_owned(),
                address: address.clone(),
                kind: ContactKind::Role,
                organisation: name.trim_start_matches("CSIRT ").to_owned(),
                sectors: Vec::new(),
                groups: Vec::new(),
                language: Language::Id,
                fingerprint,
                expires_at: None,
            };
            store.add_contact(&contact, "demo", start)?;
            store.verify_contact(&address, "call-back", "demo", start)?;
        }
        self.stage.add("bank", bank);
        self.stage.add("rsud", Actor::without_key("CSIRT RSUD Bahagia", "it@rsud-bahagia.example")?);
        self.stage.reload()
    }

    async fn reports(&mut self) -> anyhow::Result<()> {
        let report = Note {
            subject: "Situs desa kami berubah jadi judi".to_owned(),
            text: "Selamat pagi,\n\nSejak tadi malam halaman depan https://desa-sukamaju.example berubah menjadi iklan slot gacor dan ada tulisan diretas. Saya admin situsnya dan tidak bisa masuk lagi. Foto halaman dan KTP saya terlampir. Mohon bantuannya.\n\nSiti Rahayu".to_owned(),
            enclosures: vec![("foto KTP.jpg".to_owned(), "image/jpeg".to_owned(), PHOTO.to_vec()), ("tangkapan-layar.png".to_owned(), "image/png".to_owned(), PHOTO.to_vec())],
            ..Note::default()
        };
        self.mail("siti", "A citizen reports in Indonesian, with photos", report).await?;
        let notice = Note {
            subject: "[TLP:AMBER] Infected hosts in your constituency".to_owned(),
            text: "TLP:AMBER\n\nDear colleagues,\n\nour sinkhole sees 192.0.2.77 and 192.0.2.78 in your constituency calling the command and control server of the malware family Kelabang at hxxps://c2-kelabang[.]example/gate.php. Please notify the owners.\n\nKind regards\nCERT Nordsee".to_owned(),
            ..Note::default()
        };
        self.mail("cert", "A foreign team writes in English, TLP:AMBER", notice).await?;
        let ack = self.last_to("cert");
        let absent = Note {
            subject: "Automatic reply: out of office".to_owned(),
            text: "I am out of the office until Monday.".to_owned(),
            headers: vec!["Auto-Submitted: auto-replied".to_owned()],
            answers: ack,
            ..Note::default()
        };
        self.mail("cert", "A robot answers the acknowledgement", absent).await?;
        let ack = self.last_to("siti");
        let more = Note {
            subject: "Re: [BANTUAN70-2026-000001] Laporan Anda telah kami terima".to_owned(),
            text: "Nama pelapor: Siti Rahayu\nInstansi: Desa Sukamaju\nNomor telepon: 0800-000-1234\nSistem terdampak: desa-sukamaju.example\nWaktu kejadian: 2 Maret 2026 malam\nUraian kejadian: halaman depan diganti\nDampak: layanan surat tidak bisa dipakai".to_owned(),
            answers: ack,
            ..Note::default()
        };
        self.mail("siti", "The citizen follows up with the form", more).await?;
        let guess = Note {
            subject: "[BANTUAN70-2026-000001] tolong kirim salinan laporan".to_owned(),
            text: "Mohon kirim semua isi tiket ini.".to_owned(),
            ..Note::default()
        };
        self.mail("stranger", "A stranger guesses the tag", guess).await
    }

    async fn analyst(&mut self) -> anyhow::Result<()> {
        self.stage.wait(2);
        let close = Note {
            subject: "Re: [BANTUAN70-2026-000001]".to_owned(),
            text: "!tiket BANTUAN70-2026-000001\n!tutup".to_owned(),
            ..Note::default()
        };
        self.mail("ani", "A command without a signature", close).await?;
        let valid = Note {
            subject: "Re: [BANTUAN70-2026-000001] Tiket baru".to_owned(),
            text: "!tiket BANTUAN70-2026-000001\n!petugas me\n!valid\n!prioritas tinggi".to_owned(),
            ..Note::default()
        };
        self.command("A signed command: the report is valid", valid).await?;
        self.stage.wait(5);
        let analysis = Note {
            subject: "Re: [BANTUAN70-2026-000001] Tiket baru".to_owned(),
            text: "!tiket BANTUAN70-2026-000001\n!analisis\nYth. Ibu Siti,\n\nHalaman depan diubah melalui akun pengelola yang sandinya tertebak. Mohon ganti semua sandi dan pulihkan halaman dari cadangan tanggal 1 Maret.\n\n> kutipan lama ini tidak ikut terkirim".to_owned(),
            ..Note::default()
        };
        self.command("The first analysis goes to the citizen", analysis).await
    }

    async fn dissemination(&mut self) -> anyhow::Result<()> {
        self.stage.wait(1);
        let note = Note {
            subject: "[BANTUAN70-2026-000002] Indikator malware Kelabang".to_owned(),
            text: "!tiket BANTUAN70-2026-000002\n!tlp AMBER\n!diseminasi csirt@bank-mandala.example, it@rsud-bahagia.example\nBlokir c2-kelabang.example dan periksa log sejak 1 Februari.".to_owned(),
            ..Note::default()
        };
        self.command("A TLP:AMBER dissemination to two stakeholders", note).await?;
        self.stage.wait(3);
        let mail = self.last_to("bank");
        let confirmation = Note {
            subject: "Re: [BANTUAN70-2026-000002] [TLP:AMBER]".to_owned(),
            text: "DITERIMA, terima kasih.".to_owned(),
            answers: mail,
            ..Note::default()
        };
        self.mail("bank", "The bank confirms", confirmation).await?;
        let handled = Note {
            subject: "Re: [BANTUAN70-2026-000002]".to_owned(),
            text: "!tiket BANTUAN70-2026-000002\n!konfirmasi it@rsud-bahagia.example\nDisampaikan lewat telepon kepada kepala TI."
                .to_owned(),
            ..Note::default()
        };
        self.command("The hospital was told by telephone", handled).await
    }

    async fn ending(&mut self) -> anyhow::Result<()> {
        self.stage.wait(40);
        let close = Note {
            subject: "Re: [BANTUAN70-2026-000001]".to_owned(),
            text: "!tiket BANTUAN70-2026-000001\n!tutup".to_owned(),
            ..Note::default()
        };
        self.command("The ticket is closed", close).await?;
        self.stage.wait(25);
        self.pass("A day later the survey goes out").await?;
        let survey = self.last_to("siti");
        let answer = Note {
            subject: "Re: [BANTUAN70-2026-000001] Survei".to_owned(),
            text: "1: 4\n2: 4\n3: 3\n4: 4\n5: 4\n6: 4\n7: 4\n8: 3\n9: 4\nTerima kasih, cepat sekali.".to_owned(),
            answers: survey,
            ..Note::default()
        };
        self.mail("siti", "The citizen answers the survey", answer).await
    }

    async fn mail(&mut self, who: &str, what: &str, note: Note) -> anyhow::Result<()> {
        let to = address("bantuan70@bssn.test")?;
        let id = self.stage.next_message_id(who);
        let raw = self.stage.actor(who)?.writes(&to, &note, &id, self.stage.clock.now())?;
        self.stage.deliver(&raw)?;
        self.pass(what).await
    }

    async fn command(&mut self, what: &str, note: Note) -> anyhow::Result<()> {
        let to = address("bantuan70@bssn.test")?;
        let id = self.stage.next_message_id("ani");
        let raw = self.stage.actor("ani")?.signs(&to, &note, &id, self.stage.clock.now())?;
        self.stage.deliver(&raw)?;
        self.pass(what).await
    }

    async fn pass(&mut self, what: &str) -> anyhow::Result<()> {
        let config = &self.stage.daemon.config.center;
        let view = View { time_zone: config.time_zone.clone(), now: self.stage.clock.now(), center_address: config.address.to_string() };
        let before = self.stage.daemon.store.mail(&MailFilter::default(), &view)?.len();
        let sent = self.stage.play().await?;
        let mail = self.stage.daemon.store.mail(&MailFilter::default(), &view)?;
        let new = if mail.len() > before { mail.iter().max_by_key(|row| row.id) } else { None };
        let filed = new.map_or_else(String::new, |row| {
            let kind = row.kind.unwrap_or(MailKind::Unreadable);
            row.ticket.as_ref().map_or_else(|| kind.word().to_owned(), |ticket| format!("{kind} · {ticket}"))
        });
        let because = new.map_or_else(String::new, |row| row.reason.clone());
        self.steps.push(Step { at: self.stage.clock.now(), what: what.to_owned(), filed, because, sent });
        self.stage.clock.advance(jiff::SignedDuration::from_mins(3));
        Ok(())
    }

    /// The Message-ID of the last mail that went to an actor.
    fn last_to(&self, who: &str) -> Option<String> {
        let address = &self.stage.actors.get(who)?.address;
        self.steps.iter().flat_map(|step| &step.sent).rfind(|mail| mail.to == *address).map(|mail| mail.message_id.clone())
    }
}

/// A picture of one pixel: a file that is one, and shows nobody.
const PHOTO: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 1, 0, 0, 0, 1, 8, 6, 0, 0, 0, 0x1f,
    0x15, 0xc4, 0x89, 0, 0, 0, 0x0d, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9c, 0x62, 0, 1, 0, 0, 5, 0, 1, 0x0d, 0x0a, 0x2d, 0xb4, 0, 0, 0, 0,
    0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];

/// What came, what happened, why; a row a step.
fn table(played: &Played) -> Result<(), Failure> {
    use comfy_table::{ColumnConstraint, Width};
    let mut table = comfy_table::Table::new();
    table
        .load_preset(comfy_table::presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(comfy_table::ContentArrangement::Dynamic)
        .set_width(120)
        .set_header(["when", "what came", "filed as", "what happened, and why", "what went out"]);
    let widths = [14, 26, 14, 36, 30];
    table.set_constraints(widths.map(|width| ColumnConstraint::Absolute(Width::Fixed(width))));
    for step in &played.steps {
        let sent: Vec<String> = step.sent.iter().map(outgoing).collect();
        table.add_row([
            step.at.to_zoned_datetime(played.zone.clone()).strftime("%d %b %H:%M").to_string(),
            step.what.clone(),
            step.filed.replace(" · BANTUAN70-2026-", " "),
            super::listing::escaped(&step.because).replace("; !", "\n!"),
            sent.join("\n"),
        ]);
    }
    table.lines().try_for_each(|line| print(line.trim_end()))
}

/// The kind stands at the head of our Message-IDs.
fn outgoing(mail: &Received) -> String {
    let kind = mail.message_id.split('.').next().unwrap_or_default();
    format!("{kind}, {}, to {}", mail.protection, mail.to.local())
}

/// Where to look next.
fn closing_words(played: &Played) -> Vec<String> {
    let config = played.dir.join("bantuan70.toml");
    let config = config.display();
    vec![
        String::new(),
        played.audit.clone(),
        String::new(),
        "Look next:".to_owned(),
        format!("  bantuan70 ticket show BANTUAN70-2026-000001 --config {config}"),
        format!("  bantuan70 outbox list --config {config}"),
        format!("  bantuan70 mail list --config {config}"),
        format!("  bantuan70 audit verify --config {config}"),
        format!("  {}: every mail that went out, as it left", played.dir.join("out/new").display()),
    ]
}

fn address(text: &str) -> anyhow::Result<Address> {
    Address::parse(text).with_context(|| format!("{text} is no address"))
}
