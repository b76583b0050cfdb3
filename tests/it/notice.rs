//! What analysts are told of a mail, and what they get when they ask for more: the words of their letters,
//! with the daemon between two Maildirs and a clock that stands still.

use bantuan70::cli::demo::stage::{Actor, Received, Setting, Stage};
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
        let folder = tempfile::tempdir().unwrap();
        let start: Timestamp = START.parse().unwrap();
        let people = [("analyst", "Ani", "ani@bssn.test")];
        let mut stage = Stage::set_up(&folder.path().join("play"), start, &Setting { people: &people, ..Setting::default() }).unwrap();
        stage.add("siti", Actor::without_key("Siti", "siti@dinas.go.test").unwrap());
        Self { stage, _folder: folder }
    }

    /// Delivers these bytes; gives what went out.
    async fn comes(&mut self, raw: &[u8]) -> Vec<Received> {
        self.stage.deliver(raw).unwrap();
        self.stage.play().await.unwrap()
    }
}

/// The one mail to the analyst of that kind.
fn to_ani<'a>(sent: &'a [Received], kind: &str) -> &'a Received {
    let mut mine = sent.iter().filter(|mail| mail.to.as_str() == "ani@bssn.test" && mail.message_id.starts_with(kind));
    let only = mine.next().unwrap_or_else(|| panic!("no {kind} to ani among {sent:?}"));
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
    let view = bantuan70::store::View {
        time_zone: jiff::tz::TimeZone::UTC,
        now: room.stage.clock.now(),
        center_address: "bantuan70@bssn.test".into(),
    };
    let page = room.stage.daemon.store.mail_page(bantuan70::model::InboxId(1), &view).unwrap().unwrap();
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
