//! What analysts are told of a mail, and what they get when they ask for more: the words of their letters,
//! with the daemon between two Maildirs and a clock that stands still.

use bantuan70::cli::demo::stage::{Actor, Note, Received, Setting, Stage};
use bantuan70::mail::template::Templates;
use bantuan70::model::{InboxId, Language};
use bantuan70::store::{MailFilter, View};
use jiff::Timestamp;

/// A Tuesday morning in Jakarta.
const START: &str = "2026-03-03T01:15:00Z";

/// A centre with one analyst.
struct Room {
    stage: Stage,
    _folder: tempfile::TempDir,
}

impl Room {
    fn new() -> Self {
        Self::with("")
    }

    fn with(intake: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let start: Timestamp = START.parse().unwrap();
        let people = [("analyst", "Ani", "ani@bssn.test")];
        let mut stage =
            Stage::set_up(&folder.path().join("play"), start, &Setting { people: &people, intake, ..Setting::default() }).unwrap();
        stage.add("siti", Actor::without_key("Siti", "siti@dinas.go.test").unwrap());
        Self { stage, _folder: folder }
    }

    /// Delivers these bytes; gives what went out.
    async fn comes(&mut self, raw: &[u8]) -> Vec<Received> {
        self.stage.deliver(raw).unwrap();
        self.stage.play().await.unwrap()
    }

    /// Siti reports with these files.
    async fn reports(&mut self, subject: &str, text: &str, enclosures: &[(&str, &str, &[u8])]) -> Vec<Received> {
        let own = |(name, kind, content): &(&str, &str, &[u8])| ((*name).to_owned(), (*kind).to_owned(), content.to_vec());
        let note = Note { subject: subject.into(), text: text.into(), enclosures: enclosures.iter().map(own).collect(), ..Note::default() };
        let (now, id) = (self.stage.clock.now(), self.stage.next_message_id("siti"));
        let to = self.stage.daemon.config.center.address.clone();
        let raw = self.stage.actor("siti").unwrap().writes(&to, &note, &id, now).unwrap();
        self.comes(&raw).await
    }

    /// Ani signs these words; gives what went out.
    async fn signs(&mut self, text: &str) -> Vec<Received> {
        let (now, id) = (self.stage.clock.now(), self.stage.next_message_id("ani"));
        let to = self.stage.daemon.config.center.address.clone();
        let note = Note { subject: "perintah".into(), text: text.into(), ..Note::default() };
        let raw = self.stage.actor("ani").unwrap().signs(&to, &note, &id, now).unwrap();
        self.comes(&raw).await
    }

    fn view(&self) -> View {
        View { time_zone: jiff::tz::TimeZone::UTC, now: self.stage.clock.now(), center_address: "bantuan70@bssn.test".into() }
    }
}

/// The one mail to the analyst of that kind.
fn to_ani<'a>(sent: &'a [Received], kind: &str) -> &'a Received {
    let mut mine = sent.iter().filter(|mail| mail.to.as_str() == "ani@bssn.test" && mail.message_id.starts_with(kind));
    let only = mine.next().unwrap_or_else(|| panic!("no {kind} to ani"));
    assert!(mine.next().is_none(), "one {kind} to ani");
    only
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/mail/{name}.eml", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// What the classification and the documents are taken from is what the analyst reads.
#[tokio::test]
async fn the_text_that_outlook_packed_up_stands_in_the_notice_and_with_the_stored_mail() {
    let mut room = Room::new();
    let sent = room.comes(&fixture("m12-winmail-dat-says-something-else")).await;
    let told = &to_ani(&sent, "notice").text;
    assert!(told.contains("situs kami berubah tampilannya"), "{told}");
    assert!(told.contains("winmail.dat") && told.contains("unduh http://evil.example/a.exe"), "{told}");
    let page = room.stage.daemon.store.mail_page(InboxId(1), &room.view()).unwrap().unwrap();
    assert!(page.text.contains("unduh http://evil.example/a.exe"), "{}", page.text);
}

/// A mail of bytes that are no text is told with a line that says so, not with all its bytes.
#[tokio::test]
async fn bytes_that_are_no_text_do_not_fill_the_notice() {
    let mut room = Room::new();
    let noise: Vec<u8> = (0..4_000_u32).map(|at| u8::try_from((at.wrapping_mul(2_654_435_761) >> 13) & 0xff).unwrap()).collect();
    let sent = room.comes(&noise).await;
    let told = &to_ani(&sent, "notice").text;
    assert!(told.contains("karakter yang bukan teks tidak ditampilkan; surel utuhnya: bantuan70 mail show 1 --raw"), "{told}");
    assert!(told.chars().count() < 2_500, "{} characters: {told}", told.chars().count());
}

/// A mail program is enough: what a notice holds, and the files, are to be had by mail at any time.
#[tokio::test]
async fn the_answer_to_status_holds_what_a_notice_holds_and_brings_the_files() {
    let mut room = Room::new();
    let text = "Kami menerima surel penipuan yang meniru bank, lihat http://palsu.example/masuk.\n\n\
        -------- Pesan Terusan --------\nDari: Bank <bank@palsu.example>\nTanggal: Sel, 3 Mar 2026\nPerihal: Tagihan\n\nBayar sekarang juga.\n";
    room.reports("Penipuan", text, &[("ktp.jpg", "image/jpeg", b"\xff\xd8\xff a picture"), ("log.txt", "text/plain", b"10.0.0.1 masuk")])
        .await;
    let sent = room.signs("!tiket BANTUAN70-2026-000001\n!status\n").await;
    let answer = to_ani(&sent, "receipt");
    assert_eq!(&*answer.files["ktp.jpg"], b"\xff\xd8\xff a picture");
    assert_eq!(&*answer.files["log.txt"], b"10.0.0.1 masuk");
    for part in ["ALASAN KATEGORI", "hxxp://palsu[.]example/masuk", "Bayar sekarang juga.", "ktp.jpg"] {
        assert!(answer.text.contains(part), "{part}: {}", answer.text);
    }
    assert!(answer.text.contains("dokumen datang") || answer.text.contains("dibuka"), "{}", answer.text);
}

/// The history keeps the contract's words; people read their own.
#[tokio::test]
async fn the_history_is_told_in_the_language_of_the_centre() {
    let mut room = Room::new();
    room.reports("Situs diretas", "Situs kami diganti orang.", &[]).await;
    room.signs("!tiket BANTUAN70-2026-000001\n!valid\n!prioritas tinggi\n").await;
    let sent = room.signs("!tiket BANTUAN70-2026-000001\n!status\n").await;
    let told = &to_ani(&sent, "receipt").text;
    for part in ["keadaan\n    dianalisis", "prioritas\n    tinggi", "dokumen diminta\n    identitas, formulir layanan, data pendukung"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!told.contains("analysing"), "{told}");
}

/// Whoever promoted a mail reads it at once, however much came before it.
#[tokio::test]
async fn a_promoted_mail_is_told_at_once_in_a_crowd_too() {
    let mut room = Room::new();
    room.comes(b"From: s@dinas.go.test\r\nAuto-Submitted: auto-replied\r\nSubject: Alarm\r\n\r\nHalaman depan situs berubah.\r\n").await;
    for at in 0..11 {
        let raw = format!(
            "From: Siti <siti@dinas.go.test>\r\nSubject: Laporan {at}\r\nMessage-ID: <m{at}@dinas.go.test>\r\n\r\nSitus diretas, ke-{at}.\r\n"
        );
        room.comes(raw.as_bytes()).await;
    }
    let sent = room.signs("!angkat 1\n").await;
    assert!(to_ani(&sent, "notice").text.contains("Halaman depan situs berubah."));
}

/// Why a mail stands by itself is told where people look: in the notice, the history and the list.
#[tokio::test]
async fn a_number_that_does_not_exist_is_named_in_the_notice_and_in_the_history() {
    let mut room = Room::new();
    let sent = room.reports("Re: [BANTUAN70-2026-000412] situs", "Tolong, situs kami diretas.", &[]).await;
    let told = &to_ani(&sent, "notice").text;
    assert!(told.contains("menyebut nomor tiket yang tidak ada (BANTUAN70-2026-000412)"), "{told}");
    let number = bantuan70::model::ticket::TicketNumber("BANTUAN70-2026-000001".into());
    let page = room.stage.daemon.store.ticket(&number, &room.view()).unwrap().unwrap();
    assert!(page.timeline[0].detail.contains("nomor tiket yang tidak ada (BANTUAN70-2026-000412)"), "{}", page.timeline[0].detail);
}

/// The reason in the lists is that of the quarantine (contract 11).
#[tokio::test]
async fn a_mail_that_is_too_large_says_so_in_the_lists() {
    let mut room = Room::with("max_message = \"10KiB\"\n");
    room.reports("Besar", &"Situs kami diretas. ".repeat(2_000), &[]).await;
    let row = room.stage.daemon.store.quarantine(&room.view()).unwrap().remove(0);
    assert!(row.reason.contains("melebihi batas") && row.reason.contains("tiket BANTUAN70-2026-000001"), "{}", row.reason);
    let listed = room.stage.daemon.store.mail(&MailFilter::default(), &room.view()).unwrap().remove(0);
    assert!(listed.reason.contains("melebihi batas"), "{}", listed.reason);
}

/// No code and no English sentence stands in an Indonesian notice.
#[tokio::test]
async fn what_is_odd_about_a_mail_is_told_in_the_language_of_the_centre() {
    let mut room = Room::new();
    let sent = room.comes(b"").await;
    let told = &to_ani(&sent, "notice").text;
    assert!(told.contains("surelnya kosong sama sekali") && !told.contains("no bytes at all"), "{told}");
    let raw = b"From: Siti <siti@dinas.go.test>\r\nSubject: x\r\nDate: kapan-kapan\r\nContent-Type: text/plain; charset=x-khayal\r\n\r\nSitus kami diretas, caf\xe9.\r\n";
    let sent = room.comes(raw).await;
    let told = &to_ani(&sent, "notice").text;
    assert!(told.contains("tanggal yang tidak dapat dibaca: kapan-kapan"), "{told}");
    assert!(told.contains("himpunan karakter yang tidak dikenal: x-khayal"), "{told}");
}

#[test]
fn every_finding_has_its_words() {
    let found = regex::Regex::new(r#"(?:\bnote\(|Damage::new\(|\bcode: )\s*"([a-z0-9-]+)""#).unwrap();
    let templates = Templates::load(None).unwrap();
    let (mut folders, mut codes) = (vec![std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = std::fs::read_to_string(path).unwrap();
                codes.extend(found.captures_iter(&source).map(|code| code[1].to_owned()));
            }
        }
    }
    assert!(codes.len() > 40, "{codes:?}");
    for code in codes.iter().chain(&["signature".to_owned(), "signature-ignored".to_owned(), "archive".to_owned()]) {
        for language in [Language::Id, Language::En] {
            let words = templates.phrase(language, &format!("damage.{code}"), &[]);
            assert!(!words.starts_with('?'), "{code} has no words in {language:?}");
        }
    }
}
