//! The analysts' language (contract 5): signed text to commands, the text that goes with them,
//! and the ticket they act on. Takes nothing but [`SignedText`].

mod names;

use crate::mail::text::command_part;
use crate::model::dissemination::DisseminationNumber;
use crate::model::ledger::Wanted;
use crate::model::nearest::nearest;
use crate::model::policy::Policy;
use crate::model::snapshot::Question;
use crate::model::ticket::{Channel, Priority, TicketNumber};
use crate::model::{Address, Category, Document, InboxId, Tlp};
use crate::openpgp::open::SignedText;
use names::{channel, documents, priority};
use std::collections::BTreeSet;

pub use names::category;

/// More commands than a person writes in one mail.
const COMMANDS_MAX: usize = 50;

/// Open tickets that `!daftar` chooses from; more is work for `ticket list`.
const OPEN_TICKETS_MAX: u32 = 1_000;

/// Days before today of which `!laporan` tells.
const REPORT_DAYS: i64 = 6;

/// A command with its arguments read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Note,
    Ticket(TicketNumber),
    Reply,
    Valid,
    Request(BTreeSet<Document>),
    Reject,
    Analysis,
    Category(Category),
    Priority(Priority),
    Tlp(Tlp),
    Clear,
    /// `None` is `me`.
    Assign(Option<Address>),
    Merge(TicketNumber),
    Link(TicketNumber),
    Disseminate(Vec<String>),
    Approve(DisseminationNumber, String),
    Cancel(DisseminationNumber),
    Confirm(Address),
    Handled(Address),
    Close,
    Reopen,
    Status,
    /// Open tickets, filtered.
    List(String),
    /// The figures of the open tickets.
    Report,
    Help,
    Promote(InboxId),
    Register(Channel, Option<Address>),
}

/// One row of the table of commands: what `!bantuan` and the manual show.
#[derive(Debug)]
pub struct Known {
    pub indonesian: &'static str,
    pub english: &'static str,
    /// The arguments as the help shows them.
    pub arguments: &'static str,
    read: fn(&str, &Policy) -> Option<Command>,
}

/// Every command, with both names (contract 5).
pub const KNOWN: &[Known] = &[
    known("tiket", "ticket", "NOMOR", |a, p| TicketNumber::parse(&p.ticket_prefix, a).map(Command::Ticket)),
    known("catat", "note", "", |a, _| bare(a, Command::Note)),
    known("balas", "reply", "", |a, _| bare(a, Command::Reply)),
    known("valid", "valid", "", |a, _| bare(a, Command::Valid)),
    known(
        "lengkapi",
        "request",
        "[identitas|identity formulir|form aset|asset_info topologi|topology kerentanan|vulnerability_info dampak|impact_analysis lainnya|other]",
        |a, _| documents(a).map(Command::Request),
    ),
    known("tolak", "reject", "", |a, _| bare(a, Command::Reject)),
    known("analisis", "analysis", "", |a, _| bare(a, Command::Analysis)),
    known(
        "kategori",
        "category",
        "peretasan situs|pengelabuan|perangkat perusak|penyalahgunaan data pribadi|serangan ddos|akses ilegal|kerentanan|lain-lain|spam \
         (web_defacement|phishing|malware|data_misuse|ddos|illegal_access|vulnerability|other|spam)",
        |a, _| category(a).map(Command::Category),
    ),
    known("prioritas", "priority", "rendah|sedang|tinggi|kritis", |a, _| priority(a).map(Command::Priority)),
    known("tlp", "tlp", "RED|AMBER+STRICT|AMBER|GREEN|CLEAR", |a, _| Tlp::parse(a).map(Command::Tlp)),
    known("terbuka", "clear", "", |a, _| bare(a, Command::Clear)),
    known("petugas", "assign", "ALAMAT|me", |a, _| match a.to_lowercase().as_str() {
        "me" | "saya" => Some(Command::Assign(None)),
        _ => address(a).map(|address| Command::Assign(Some(address))),
    }),
    known("gabung", "merge", "NOMOR", |a, p| TicketNumber::parse(&p.ticket_prefix, a).map(Command::Merge)),
    known("tautkan", "link", "NOMOR", |a, p| TicketNumber::parse(&p.ticket_prefix, a).map(Command::Link)),
    known("diseminasi", "disseminate", "TUJUAN …", |a, _| {
        let targets = targets(a);
        (!targets.is_empty()).then_some(Command::Disseminate(targets))
    }),
    known("setuju", "approve", "DIS-… KODE", |a, _| {
        let (number, code) = a.split_once(char::is_whitespace)?;
        let code = code.trim().to_lowercase();
        let is_code = code.len() == 12 && code.bytes().all(|b| b.is_ascii_hexdigit());
        DisseminationNumber::parse(number).filter(|_| is_code).map(|number| Command::Approve(number, code))
    }),
    known("batal", "cancel", "DIS-…", |a, _| DisseminationNumber::parse(a).map(Command::Cancel)),
    known("konfirmasi", "confirm", "ALAMAT", |a, _| address(a).map(Command::Confirm)),
    known("ditangani", "handled", "ALAMAT", |a, _| address(a).map(Command::Handled)),
    known("tutup", "close", "", |a, _| bare(a, Command::Close)),
    known("buka", "reopen", "", |a, _| bare(a, Command::Reopen)),
    known("status", "status", "", |a, _| bare(a, Command::Status)),
    known("daftar", "list", "[saya|baru|terlambat|kategori:NAMA|kata …]", |a, _| Some(Command::List(a.to_owned()))),
    known("laporan", "report", "", |a, _| bare(a, Command::Report)),
    known("angkat", "promote", "ID", |a, _| a.trim().trim_start_matches('#').parse().ok().map(|id| Command::Promote(InboxId(id)))),
    known("catatkan", "register", "telegram|whatsapp|telepon|183|portal|surat|surel [ALAMAT] (phone, letter, email)", |a, _| {
        // The name of a channel may be two words; what follows is the address.
        if let Some(channel) = channel(a) {
            return Some(Command::Register(channel, None));
        }
        let (name, to) = a.rsplit_once(char::is_whitespace)?;
        Some(Command::Register(channel(name)?, Some(address(to)?)))
    }),
    known("bantuan", "help", "", |a, _| bare(a, Command::Help)),
];

const fn known(
    indonesian: &'static str,
    english: &'static str,
    arguments: &'static str,
    read: fn(&str, &Policy) -> Option<Command>,
) -> Known {
    Known { indonesian, english, arguments, read }
}

fn bare(arguments: &str, command: Command) -> Option<Command> {
    arguments.is_empty().then_some(command)
}

/// An address, with or without the brackets and `mailto:` that clients put round it.
fn address(text: &str) -> Option<Address> {
    Address::parse(text.trim().trim_start_matches('<').trim_end_matches('>').trim_start_matches("mailto:"))
}

/// Targets are separated by commas or semicolons, so that a contact's name may have spaces; where
/// there is neither, each word is a target of its own unless none of them looks like one.
fn targets(arguments: &str) -> Vec<String> {
    let clean = |target: &str| {
        let target = target.trim().trim_matches(['"', '“', '”']).trim();
        address(target).map_or_else(|| target.to_owned(), |address| address.to_string())
    };
    let marked = |word: &str| word.contains('@') || word.contains(':');
    let parts: Vec<String> = if arguments.contains([',', ';']) || !arguments.split_whitespace().any(marked) {
        arguments.split([',', ';']).map(clean).collect()
    } else {
        arguments.split_whitespace().map(clean).collect()
    };
    let mut seen = BTreeSet::new();
    parts.into_iter().filter(|target| !target.is_empty() && seen.insert(target.to_lowercase())).collect()
}

/// A command line as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The line as typed, for the receipt.
    pub typed: String,
    pub command: Result<Command, Fault>,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// No such command; the nearest name, if one is near.
    Unknown(Option<&'static str>),
    /// The arguments do not fit; the arguments that would.
    Arguments(&'static str),
    /// `!tiket` stands first or nowhere.
    TicketNotFirst,
    /// A known command after the text had begun.
    AfterText,
    /// The first character only looks like `!` (ATTACKS C11).
    LookAlike,
    TooMany,
}

/// A signed text taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Order {
    pub lines: Vec<Line>,
    /// The text below the commands, which ends where contract 5 says.
    pub text: String,
}

impl Order {
    /// The commands in their order; those that could not be read are left out.
    pub fn commands(&self) -> impl Iterator<Item = &Command> {
        self.lines.iter().filter_map(|line| line.command.as_ref().ok())
    }

    /// Whether every line could be read.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.lines.iter().all(|line| line.command.is_ok())
    }
}

/// Takes a signed text apart.
#[must_use]
pub fn parse(signed: &SignedText, policy: &Policy) -> Order {
    read_order(command_part(signed.text()), policy)
}

/// The commands and the text of a mail's part that may hold commands.
pub(super) fn read_order(part: &str, policy: &Policy) -> Order {
    let mut order = Order::default();
    let mut rest = part;
    while let Some((line, after)) = next_line(rest) {
        let clean = clean(line);
        if clean.is_empty() {
            rest = after;
            continue;
        }
        if let Some(words) = clean.strip_prefix('!') {
            let first = order.lines.is_empty();
            order.lines.push(Line { typed: clean.clone(), command: read(words, policy, first) });
            rest = after;
            if order.lines.len() >= COMMANDS_MAX {
                order.lines.push(Line { typed: clean, command: Err(Fault::TooMany) });
                break;
            }
            continue;
        }
        if clean.starts_with(['！', '﹗', 'ǃ', '❗', '❕', '¡', 'ⵑ']) {
            order.lines.push(Line { typed: clean, command: Err(Fault::LookAlike) });
        }
        break;
    }
    for line in rest.lines() {
        let clean = clean(line);
        let late = clean.strip_prefix('!').and_then(|words| find(name_and_arguments(words).0));
        if late.is_some() {
            order.lines.push(Line { typed: clean, command: Err(Fault::AfterText) });
        }
    }
    order.text = rest.trim_matches(['\n', '\r']).trim_end().to_owned();
    order
}

fn next_line(text: &str) -> Option<(&str, &str)> {
    if text.is_empty() {
        return None;
    }
    Some(text.split_once('\n').unwrap_or((text, "")))
}

/// A line without what clients put before the first character: byte order marks, no-break and
/// zero-width spaces, direction marks (ATTACKS C11).
fn clean(line: &str) -> String {
    let invisible =
        |c: char| matches!(c, '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{ad}');
    let line: String = line.chars().filter(|c| !invisible(*c)).map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
    line.trim().to_owned()
}

fn name_and_arguments(words: &str) -> (&str, &str) {
    let (name, arguments) = words.split_once(' ').unwrap_or((words, ""));
    (name, arguments.trim())
}

fn find(name: &str) -> Option<&'static Known> {
    let name = name.to_lowercase();
    KNOWN.iter().find(|known| known.indonesian == name || known.english == name)
}

fn read(words: &str, policy: &Policy, first: bool) -> Result<Command, Fault> {
    let (name, arguments) = name_and_arguments(words.trim_start());
    let known =
        find(name).ok_or_else(|| Fault::Unknown(nearest(name, KNOWN.iter().flat_map(|known| [known.indonesian, known.english]))))?;
    let command = (known.read)(arguments, policy).ok_or(Fault::Arguments(known.arguments))?;
    if matches!(command, Command::Ticket(_)) && !first {
        return Err(Fault::TicketNotFirst);
    }
    Ok(command)
}

/// The ticket that the commands act on, taken from what is signed alone (contract 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Binding {
    One(TicketNumber),
    None,
    /// More than one number, and nothing that decides between them.
    Many(Vec<TicketNumber>),
}

/// Finds the ticket: `!tiket` first; else the tag in the protected Subject; else the one number
/// in the signed text, arguments of commands not counted.
#[must_use]
pub fn bind(signed: &SignedText, order: &Order, policy: &Policy) -> Binding {
    if let Some(Command::Ticket(number)) = order.commands().next() {
        return Binding::One(number.clone());
    }
    let prefix = &policy.ticket_prefix;
    if let Some(subject) = signed.protected_subject() {
        let numbers = numbers_in(subject, prefix);
        if !numbers.is_empty() {
            return one_of(numbers);
        }
    }
    let own: BTreeSet<&str> = order.lines.iter().map(|line| line.typed.as_str()).collect();
    let text: String = signed.text().lines().filter(|line| !own.contains(clean(line).as_str())).flat_map(|line| [line, "\n"]).collect();
    one_of(numbers_in(&text, prefix))
}

fn one_of(mut numbers: Vec<TicketNumber>) -> Binding {
    match (numbers.pop(), numbers.is_empty()) {
        (None, _) => Binding::None,
        (Some(only), true) => Binding::One(only),
        (Some(last), false) => {
            numbers.push(last);
            Binding::Many(numbers)
        }
    }
}

/// Different numbers that are looked for in one text: with two of them nothing is decided already.
const NUMBERS_MAX: usize = 20;

/// Different ticket numbers in a text, in the order of their first appearance, at most
/// `NUMBERS_MAX`; plain ASCII only, letter case aside (ATTACKS M22).
#[must_use]
pub fn numbers_in(text: &str, prefix: &str) -> Vec<TicketNumber> {
    let upper = text.to_ascii_uppercase();
    let needle = format!("{}-", prefix.to_ascii_uppercase());
    let mut numbers = Vec::new();
    for (at, _) in upper.match_indices(&needle) {
        let before = upper.get(..at).and_then(|head| head.chars().next_back());
        if before.is_some_and(|c| c.is_alphanumeric() || c == '-') {
            continue;
        }
        let tail = upper.get(at + needle.len()..).unwrap_or_default();
        let digits: String = tail.chars().take_while(|c| c.is_ascii_digit() || *c == '-').take(20).collect();
        let digits = digits.trim_end_matches('-');
        if let Some(number) = TicketNumber::parse(prefix, &format!("{needle}{digits}"))
            && !numbers.contains(&number)
        {
            numbers.push(number);
        }
        if numbers.len() >= NUMBERS_MAX {
            break;
        }
    }
    numbers
}

/// Dissemination numbers in a text, each once, in the order of their first appearance, at most
/// `NUMBERS_MAX`.
#[must_use]
pub fn disseminations_in(text: &str) -> Vec<DisseminationNumber> {
    let mut numbers: Vec<DisseminationNumber> = Vec::new();
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).filter(|word| word.len() > 4);
    for number in words.filter_map(DisseminationNumber::parse) {
        if !numbers.contains(&number) {
            numbers.push(number);
        }
        if numbers.len() >= NUMBERS_MAX {
            break;
        }
    }
    numbers
}

/// What is signed, as far as it can name a ticket or a dissemination: the protected Subject and the
/// text, what it quotes included.
#[must_use]
pub fn signed_words(signed: &SignedText) -> String {
    format!("{}\n{}", signed.protected_subject().unwrap_or_default(), signed.text())
}

/// Whether what is signed names this centre: its address in a protected To, or its address or
/// ticket prefix in the text (contract 5, ATTACKS C3).
#[must_use]
pub fn names_center(signed: &SignedText, policy: &Policy) -> bool {
    let address = policy.center_address.as_str();
    let text = signed.text().to_lowercase();
    signed.protected_to().iter().any(|to| to == address)
        || text.contains(address)
        || text.contains(&policy.ticket_prefix.to_lowercase())
        || signed.protected_subject().is_some_and(|subject| subject.to_lowercase().contains(&policy.ticket_prefix.to_lowercase()))
}

/// Adds to the question what the commands of a mail need to know.
pub fn ask(signed: &SignedText, policy: &Policy, question: &mut Question) {
    let order = parse(signed, policy);
    match bind(signed, &order, policy) {
        Binding::One(number) => {
            question.timeline = order.commands().any(|command| *command == Command::Status).then(|| number.clone());
            let asks_opening = |command: &Command| matches!(command, Command::Status | Command::Category(_));
            question.opening = order.commands().any(asks_opening).then(|| number.clone());
            let ends = |command: &Command| matches!(command, Command::Close | Command::Reject | Command::Confirm(_) | Command::Handled(_));
            question.held_of = order.commands().any(ends).then(|| number.clone());
            question.tickets.push(number);
        }
        Binding::None | Binding::Many(_) => {}
    }
    for command in order.commands() {
        match command {
            Command::Merge(number) | Command::Link(number) => question.tickets.push(number.clone()),
            Command::Approve(number, _) | Command::Cancel(number) => question.disseminations.push(number.clone()),
            Command::Disseminate(targets) => question.targets.extend(targets.iter().cloned()),
            Command::Promote(id) => question.mail = Some(*id),
            Command::Register(_, address) => question.acknowledged.clone_from(address),
            Command::List(_) => question.open_tickets = OPEN_TICKETS_MAX,
            Command::Report => question.ledger = Some(Wanted::LastDays(REPORT_DAYS)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(text: &str) -> Order {
        read_order(text, &crate::decide::tests::policy())
    }

    #[test]
    fn commands_stand_at_the_top_and_the_rest_is_text() {
        let order = order("\u{feff}\n !VALID\n\u{a0}!prioritas tinggi\n\nTerima kasih,\nkami periksa.\n");
        assert_eq!(order.commands().cloned().collect::<Vec<_>>(), [Command::Valid, Command::Priority(Priority::High)]);
        assert_eq!(order.text, "Terima kasih,\nkami periksa.");
    }

    #[test]
    fn documents_have_indonesian_names_too() {
        let order = order("!lengkapi identitas, formulir topology dampak\n");
        let expected = [Document::Identity, Document::Form, Document::Topology, Document::ImpactAnalysis].into();
        assert_eq!(order.commands().cloned().collect::<Vec<_>>(), [Command::Request(expected)]);
        assert!(matches!(order_of("!lengkapi paspor"), Some(Err(Fault::Arguments(_)))));
    }

    #[test]
    fn the_words_that_letters_show_are_the_words_that_commands_take() {
        let templates = crate::mail::template::Templates::load(None).unwrap();
        for language in [crate::model::Language::Id, crate::model::Language::En] {
            let shown = |kind: &str, word: &str| templates.phrase(language, &format!("{kind}.{word}"), &[]);
            for one in Category::ALL {
                let typed = shown("category", one.word());
                assert_eq!(order_of(&format!("!kategori {typed}")), Some(Ok(Command::Category(*one))), "{typed}");
            }
            for one in Document::ALL {
                let typed = shown("document", one.word());
                assert_eq!(order_of(&format!("!lengkapi {typed}")), Some(Ok(Command::Request([*one].into()))), "{typed}");
            }
            for one in Channel::ALL {
                let typed = shown("channel", one.word());
                assert_eq!(order_of(&format!("!catatkan {typed}")), Some(Ok(Command::Register(*one, None))), "{typed}");
                let to = Address::parse("budi@warga.example");
                assert_eq!(order_of(&format!("!catatkan {typed} <budi@warga.example>")), Some(Ok(Command::Register(*one, to))), "{typed}");
            }
            for one in Priority::ALL {
                let typed = shown("priority", one.word());
                assert_eq!(order_of(&format!("!prioritas {typed}")), Some(Ok(Command::Priority(*one))), "{typed}");
            }
        }
        let all = [Document::Identity, Document::Form, Document::Other].into();
        assert_eq!(order_of("!lengkapi data pendukung identitas, formulir layanan"), Some(Ok(Command::Request(all))));
    }

    fn order_of(text: &str) -> Option<Result<Command, Fault>> {
        order(text).lines.into_iter().next().map(|line| line.command)
    }

    #[test]
    fn c9_unknown_and_misfitting_commands_are_named_with_the_nearest() {
        let order = order("!tutpu\n!kategori phising\n");
        assert_eq!(order.lines.first().map(|line| &line.command), Some(&Err(Fault::Unknown(Some("tutup")))));
        assert!(matches!(order.lines.get(1).map(|line| &line.command), Some(Err(Fault::Arguments(_)))));
    }

    #[test]
    fn c11_a_look_alike_is_no_command_and_makes_the_mail_unclear() {
        assert!(!order("！tutup\n").is_readable());
    }

    #[test]
    fn c12_a_command_after_the_text_has_begun_refuses_the_mail() {
        assert!(!order("!catat\nSudah saya telepon.\n!tutup\n").is_readable());
        assert!(order("!catat\nJangan pakai !important di CSS.\n! seru sekali\n").is_readable());
    }

    #[test]
    fn m22_numbers_are_plain_ascii_and_stand_alone() {
        let found = numbers_in("Re: [bantuan70-2026-000012] XBANTUAN70-2026-000013 ВANTUAN70-2026-000014 BANTUAN70-2026-12", "BANTUAN70");
        assert_eq!(found, [TicketNumber("BANTUAN70-2026-000012".into())]);
    }

    #[test]
    fn m22_a_text_of_numbers_is_not_read_to_its_end() {
        let text: String = (0..9_000).map(|serial| format!("BANTUAN70-2026-{serial:06} ")).collect();
        assert_eq!(numbers_in(&text, "BANTUAN70").len(), NUMBERS_MAX);
    }

    #[test]
    fn targets_with_spaces_need_commas() {
        assert_eq!(targets("Bank Mandala, sector:kesehatan"), ["Bank Mandala", "sector:kesehatan"]);
        assert_eq!(targets("a@x.example <b@y.example> a@x.example"), ["a@x.example", "b@y.example"]);
        assert_eq!(targets("Bank Mandala"), ["Bank Mandala"]);
    }
}
