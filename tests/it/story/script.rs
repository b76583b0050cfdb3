//! The written form of a story. At the left margin stand the script and its remarks; what is
//! indented by four spaces is the outcome, and is not read.
//!
//! ```text
//! analyst ani@bssn.test Ani Lestari          chief, internal_unit: the same
//! someone siti siti@warga.example Siti       with words before the name: key, person, role, verified, sector:NAME
//! center key = value                         a line of [center]; `intake` likewise; `more` for whole sections
//! at +2h                                     also m and d: time passes, and the daemon does what is due
//! mail siti: subject                         `signed` with the sender's key, `auto` as a robot
//! again siti                                 her last mail once more, under another trace header
//! ```
//! Below `mail` (`show` below `at` as well): `answers: KIND` (the last letter of that kind that the sender got), `header: LINE`,
//! `file: NAME MEDIA-TYPE`, `show: KIND` (print the text of such letters), `| text`. `{code}` in the
//! text is the code of the last request for approval.

use std::collections::BTreeSet;

#[derive(Debug, Default)]
pub struct Story {
    pub people: Vec<Someone>,
    pub others: Vec<Someone>,
    pub center: String,
    pub intake: String,
    pub more: String,
    pub pieces: Vec<Piece>,
}

/// Lines as they are written, and the scene that they end with.
#[derive(Debug, Default)]
pub struct Piece {
    pub written: String,
    pub scene: Option<Scene>,
}

#[derive(Debug, Default)]
pub struct Someone {
    pub short: String,
    pub kind: String,
    pub name: String,
    pub address: String,
    pub has_key: bool,
    pub is_verified: bool,
    pub sectors: Vec<String>,
}

#[derive(Debug, Clone)]
pub enum Scene {
    /// Minutes, and the kinds of letters to show.
    Wait(i64, BTreeSet<String>),
    Mail(Writing),
    Again(String),
}

#[derive(Debug, Clone, Default)]
pub struct Writing {
    pub who: String,
    pub is_signed: bool,
    pub subject: String,
    pub text: String,
    pub answers: Option<String>,
    pub headers: Vec<String>,
    pub files: Vec<(String, String)>,
    pub shows: BTreeSet<String>,
}

impl Story {
    pub fn read(written: &str) -> Self {
        let mut story = Self::default();
        let mut piece = Piece::default();
        let lines: Vec<&str> = written.lines().filter(|line| !line.starts_with("    ")).collect();
        for (index, line) in lines.iter().enumerate() {
            piece.written.push_str(line);
            piece.written.push('\n');
            story.line(line, &mut piece);
            let next = lines.get(index + 1).copied().unwrap_or_default();
            if piece.scene.is_some() && !belongs_below(next) {
                story.pieces.push(std::mem::take(&mut piece));
            }
        }
        story.pieces.push(piece);
        story
    }

    fn line(&mut self, line: &str, piece: &mut Piece) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        if let (Some(Scene::Wait(_, shows)), "show:") = (&mut piece.scene, word) {
            shows.insert(rest.to_owned());
            return;
        }
        if let Some(Scene::Mail(writing)) = &mut piece.scene {
            match word {
                "|" => writing.text.push_str(&format!("{rest}\n")),
                "answers:" => writing.answers = Some(rest.to_owned()),
                "header:" => writing.headers.push(rest.to_owned()),
                "file:" => {
                    let (name, media_type) = rest.rsplit_once(' ').unwrap();
                    writing.files.push((name.to_owned(), media_type.to_owned()));
                }
                "show:" => drop(writing.shows.insert(rest.to_owned())),
                _ => panic!("not understood below a mail: {line}"),
            }
            return;
        }
        match word {
            "" | "#" => {}
            "analyst" | "chief" | "internal_unit" => {
                let (address, name) = rest.split_once(' ').unwrap();
                self.people.push(Someone {
                    kind: word.to_owned(),
                    name: name.to_owned(),
                    address: address.to_owned(),
                    ..Someone::default()
                });
            }
            "someone" => self.others.push(someone(rest)),
            "center" => self.center.push_str(&format!("{rest}\n")),
            "intake" => self.intake.push_str(&format!("{rest}\n")),
            "more" => self.more.push_str(&format!("{rest}\n")),
            "at" => piece.scene = Some(Scene::Wait(minutes(rest), BTreeSet::new())),
            "again" => piece.scene = Some(Scene::Again(rest.to_owned())),
            "mail" | "signed" | "auto" => {
                let (who, subject) = rest.split_once(':').unwrap();
                let headers = if word == "auto" { vec!["Auto-Submitted: auto-replied".to_owned()] } else { Vec::new() };
                let (who, subject) = (who.to_owned(), subject.trim().to_owned());
                piece.scene = Some(Scene::Mail(Writing { who, subject, headers, is_signed: word == "signed", ..Writing::default() }));
            }
            _ => panic!("not understood: {line}"),
        }
    }
}

fn belongs_below(line: &str) -> bool {
    ["|", "answers:", "header:", "file:", "show:"].contains(&line.split(' ').next().unwrap_or_default())
}

fn someone(rest: &str) -> Someone {
    let mut words = rest.split(' ').peekable();
    let mut one = Someone { short: words.next().unwrap().to_owned(), address: words.next().unwrap().to_owned(), ..Someone::default() };
    while let Some(word) = words.next_if(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == ':')) {
        match word {
            "key" => one.has_key = true,
            "verified" => one.is_verified = true,
            "person" | "role" => one.kind = word.to_owned(),
            _ => one.sectors.push(word.strip_prefix("sector:").unwrap_or_else(|| panic!("not understood: {word}")).to_owned()),
        }
    }
    one.name = words.collect::<Vec<_>>().join(" ");
    one
}

fn minutes(text: &str) -> i64 {
    let text = text.strip_prefix('+').unwrap();
    let number: i64 = text[..text.len() - 1].parse().unwrap();
    number * [("m", 1), ("h", 60), ("d", 24 * 60)].iter().find(|(unit, _)| text.ends_with(unit)).unwrap().1
}

/// What a file of that name holds: enough for each to be told from the others.
pub fn content(name: &str) -> Vec<u8> {
    format!("{name}, seen here for the first time\n").into_bytes()
}

/// The code of a request for approval.
pub fn code_in(text: &str) -> Option<String> {
    let line = text.lines().rfind(|line| line.starts_with("!setuju "))?;
    line.split(' ').nth(2).map(str::to_owned)
}

/// Fingerprints, hashes, codes and Message-IDs are of another value in each run.
pub fn masked(text: &str) -> String {
    let hexadecimal = regex::Regex::new(r"\b[0-9A-Fa-f]{12,}\b").unwrap();
    hexadecimal.replace_all(text, |found: &regex::Captures<'_>| if found[0].len() == 12 { "‹code›" } else { "‹hash›" }).into_owned()
}
