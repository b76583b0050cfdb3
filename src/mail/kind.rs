//! What a message is (contract 6, RFC 3834): report, reply, robot, bounce, list, our own; and
//! whether it may be answered automatically. By header and words alone, without the database.

use super::results::{Dmarc, dmarc};
use super::{Mail, dsn, thread};
use crate::extract::indicator::Collector;
use crate::model::{Address, effect::MailKind};

/// What recognition knows of the centre.
#[derive(Debug, Clone)]
pub struct House {
    pub center: Address,
    pub ticket_prefix: String,
    /// Analysts and chiefs.
    pub people: Vec<Address>,
    pub authserv_id: Option<String>,
}

/// The verdict on a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognised {
    pub kind: MailKind,
    /// Why this kind, in one line.
    pub because: String,
    /// Whether the headers allow an automatic answer.
    pub may_answer: bool,
    /// Why, in one line.
    pub answer_because: String,
    /// The mail should open a ticket, but its acknowledgement waits for an analyst (DMARC fail, no-reply senders).
    pub hold_answer: bool,
    /// What the headers alone say about an automatic answer, whatever the kind: a reporter's late
    /// reply is acknowledged though it is a reply.
    pub headers: Headers,
    /// What our own mail server found about the sender's domain.
    pub dmarc: Dmarc,
    /// The verdict where the Message-ID that the mail cites turns out to be none of ours, as far as that
    /// changes anything: anybody can write one of our domain, and only the outbox knows those we gave.
    pub unless_ours: Option<Box<Recognised>>,
}

/// Whether a mail's headers allow an automatic answer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Headers {
    Allow,
    /// An analyst decides, for this reason.
    Hold(String),
    Forbid(String),
}

/// Whether a Message-ID of our domain that the mail cites is taken for one that we gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Citation {
    Ours,
    Forged,
}

/// Recognises a message.
#[must_use]
pub fn recognise(mail: &Mail, house: &House) -> Recognised {
    let mut recognised = verdict(mail, house, Citation::Ours);
    if thread::refers_to(mail, house.center.domain()) {
        let other = verdict(mail, house, Citation::Forged);
        recognised.unless_ours = (other != recognised).then(|| Box::new(other));
    }
    recognised
}

fn verdict(mail: &Mail, house: &House, citation: Citation) -> Recognised {
    let (kind, because) = kind_of(mail, house, citation);
    let by_headers = why_no_answer(mail, house);
    let headers = match &by_headers {
        None => Headers::Allow,
        Some(refusal) if refusal.is_held => Headers::Hold(refusal.because.clone()),
        Some(refusal) => Headers::Forbid(refusal.because.clone()),
    };
    let refusal = match kind {
        MailKind::Report => by_headers,
        MailKind::Reply => Some(Refusal::never("it answers a mail of ours or bears our tag")),
        MailKind::Analyst => Some(Refusal::never("an analyst gets a receipt, not an acknowledgement")),
        _ => Some(Refusal::never(&because)),
    };
    Recognised {
        kind,
        because,
        may_answer: refusal.is_none(),
        hold_answer: refusal.as_ref().is_some_and(|refusal| refusal.is_held),
        answer_because: refusal.map_or_else(|| "nothing marks it as automatic".to_owned(), |refusal| refusal.because),
        headers,
        dmarc: dmarc(mail, house.authserv_id.as_deref()),
        unless_ours: None,
    }
}

/// Why a report is not acknowledged by itself.
struct Refusal {
    because: String,
    is_held: bool,
}

impl Refusal {
    fn never(because: &str) -> Self {
        Self { because: because.to_owned(), is_held: false }
    }
    fn held(because: &str) -> Self {
        Self { because: because.to_owned(), is_held: true }
    }
}

fn kind_of(mail: &Mail, house: &House, citation: Citation) -> (MailKind, String) {
    let bears_tag = !thread::tags(&mail.subject, &house.ticket_prefix).is_empty();
    let cites_us = citation == Citation::Ours && thread::refers_to(mail, house.center.domain());
    let is_about_ours = cites_us || bears_tag;
    if let Some(because) = bounce(mail) {
        return (MailKind::Bounce, because);
    }
    if let Some(because) = own(mail, house) {
        return (MailKind::Own, because);
    }
    if dsn::is_abuse_report(mail) {
        return (MailKind::Report, "a machine-readable abuse report (X-ARF or RFC 5965)".to_owned());
    }
    if let Some(because) = automatic_reply(mail, is_about_ours) {
        return (MailKind::AutoReply, because);
    }
    if let Some(because) = list(mail) {
        return (MailKind::List, because);
    }
    if mail.writer().is_some_and(|from| house.people.contains(from)) {
        return (MailKind::Analyst, "it comes from an analyst's address".to_owned());
    }
    if bears_tag {
        return (MailKind::Reply, "its subject bears our tag".to_owned());
    }
    if cites_us {
        return (MailKind::Reply, "it refers to a mail of ours".to_owned());
    }
    (MailKind::Report, "nothing marks it as anything else".to_owned())
}

/// The value of the first field of that name, trimmed and in lower case.
fn field(mail: &Mail, name: &str) -> Option<String> {
    mail.header_values(name).next().map(|value| value.trim().to_ascii_lowercase())
}

fn has(mail: &Mail, name: &str) -> bool {
    mail.header_values(name).next().is_some()
}

/// A null return path: nobody wants an answer (RFC 3834 §2).
fn is_null_path(mail: &Mail) -> bool {
    field(mail, "Return-Path").is_some_and(|path| path.split_whitespace().collect::<String>() == "<>")
}

/// What Auto-Submitted says, comments and parameters off; the worst of several (L2).
fn auto_submitted(mail: &Mail) -> Option<String> {
    mail.header_values("Auto-Submitted").filter(|value| !value.trim().is_empty()).map(keyword).find(|word| word != "no")
}

/// The keyword of an Auto-Submitted field: what is neither comment nor parameter (RFC 3834 §5.2 allows
/// comments before it as well). `unknown` where nothing is left.
fn keyword(value: &str) -> String {
    let mut depth = 0_u32;
    let mut word = String::new();
    for c in value.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ';' if depth == 0 => break,
            _ if depth == 0 => word.push(c),
            _ => {}
        }
    }
    let word = word.trim().to_ascii_lowercase();
    if word.is_empty() { "unknown".to_owned() } else { word }
}

fn precedence(mail: &Mail) -> Option<String> {
    mail.header_values("Precedence")
        .map(|value| value.trim().to_ascii_lowercase())
        .find(|word| ["bulk", "junk", "list", "auto_reply", "auto-reply"].contains(&word.as_str()))
}

/// The local part of the sender, lower case, detail kept.
fn sender_local(mail: &Mail) -> String {
    mail.writer().or_else(|| mail.from.first()?.address.as_ref()).map_or_else(String::new, |address| address.local().to_owned())
}

const BOUNCE_WORDS: &[&str] = &[
    "undelivered mail",
    "undeliverable",
    "delivery status notification",
    "delivery failure",
    "delivery failed",
    "delivery has failed",
    "delivery notification",
    "mail delivery",
    "message delivery",
    "returned mail",
    "returned to sender",
    "failure notice",
    "failed to deliver",
    "could not be delivered",
    "not delivered",
    "non-delivery",
    "nondeliverable",
    "delayed mail",
    "delivery delayed",
    "delivery incomplete",
    "mail system error",
    "could not send message",
    "tidak terkirim",
    "gagal terkirim",
    "gagal dikirim",
    "gagal mengirim",
    "gagal disampaikan",
    "pengiriman gagal",
    "kegagalan pengiriman",
    "status pengiriman",
    "tidak dapat dikirim",
    "tidak dapat disampaikan",
    "tidak tersampaikan",
    "tidak dapat terkirim",
    "pesan dikembalikan",
    "surat dikembalikan",
];

/// A delivery report: DSN (RFC 3464), or one of the many forms that are none.
fn bounce(mail: &Mail) -> Option<String> {
    let has_dsn = mail.attachments.iter().any(|attachment| dsn::is_status(&attachment.media_type));
    let is_dsn = mail.report_type.as_deref() == Some("delivery-status");
    if is_dsn || has_dsn && (is_null_path(mail) || auto_submitted(mail).is_some() || is_daemon(mail)) {
        return Some("a delivery report (RFC 3464)".to_owned());
    }
    let says_bounce = says(&mail.subject, BOUNCE_WORDS);
    if has(mail, "X-Failed-Recipients") && (is_null_path(mail) || is_daemon(mail) || says_bounce) {
        return Some("a delivery report (X-Failed-Recipients)".to_owned());
    }
    if sender_local(mail) == "mailer-daemon" && !dsn::is_abuse_report(mail) {
        return Some("it comes from MAILER-DAEMON".to_owned());
    }
    if says_bounce && (is_null_path(mail) || sender_local(mail) == "postmaster") {
        return Some("a delivery report by sender and subject".to_owned());
    }
    None
}

fn is_daemon(mail: &Mail) -> bool {
    matches!(sender_local(mail).as_str(), "mailer-daemon" | "postmaster" | "mail-daemon" | "maildaemon")
}

fn says(text: &str, words: &[&str]) -> bool {
    let lower = text.to_lowercase();
    words.iter().any(|word| lower.contains(word))
}

/// From our own address, or under a Message-ID that only we write. Fields such as
/// X-Bantuan70-Ticket mean nothing from outside (M21).
fn own(mail: &Mail, house: &House) -> Option<String> {
    let center = house.center.without_detail();
    if mail.from.iter().filter_map(|from| from.address.as_ref()).any(|address| address.without_detail() == center) {
        return Some("it comes from our own address".to_owned());
    }
    let id = mail.message_id.as_deref()?;
    let (left, domain) = id.rsplit_once('@')?;
    let digits = left.rsplit_once('.').map_or("", |(_, digits)| digits);
    let is_keyed = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_keyed && domain.eq_ignore_ascii_case(house.center.domain())).then(|| "it bears a Message-ID of ours".to_owned())
}

const ABSENCE_WORDS: &[&str] = &[
    "automatic reply",
    "auto reply",
    "auto-reply",
    "autoreply",
    "auto response",
    "autoresponse",
    "automated response",
    "automated reply",
    "out of office",
    "out of the office",
    "out-of-office",
    "on vacation",
    "on leave",
    "away from",
    "vacation reply",
    "absence notice",
    "balasan otomatis",
    "jawaban otomatis",
    "respon otomatis",
    "respons otomatis",
    "pesan otomatis",
    "di luar kantor",
    "diluar kantor",
    "sedang cuti",
    "cuti tahunan",
    "tidak di kantor",
    "tidak berada di kantor",
    "dinas luar",
    "please confirm your message",
    "challenge-response",
    "verify your message",
    "sender verification",
    "konfirmasi pengirim",
    "permintaan anda telah kami terima",
    "your request has been received",
    "we have received your",
    "ticket received",
    "ticket created",
    "telah kami terima",
    "case created",
    "request received",
    "thank you for contacting",
    "terima kasih telah menghubungi",
];

/// An answer that no person wrote: vacation notices, receipts, calendar answers, challenges.
fn automatic_reply(mail: &Mail, is_about_ours: bool) -> Option<String> {
    if mail.report_type.as_deref() == Some("disposition-notification")
        || mail.attachments.iter().any(|a| a.media_type == "message/disposition-notification")
    {
        return Some("a read receipt (RFC 8098)".to_owned());
    }
    if let Some(method) =
        calendar_method(mail).filter(|method| matches!(method.as_str(), "REPLY" | "COUNTER" | "DECLINECOUNTER" | "REFRESH"))
    {
        return Some(format!("a calendar answer (METHOD:{method})"));
    }
    let submitted = auto_submitted(mail);
    if let Some(word) = submitted.as_deref().filter(|word| *word == "auto-replied" || (is_about_ours && !word.is_empty())) {
        return Some(format!("Auto-Submitted: {word}"));
    }
    for name in ["X-Autoreply", "X-Autorespond", "X-AutoReply-From", "X-Mail-Autoreply", "X-Autogenerated-Reply"] {
        if field(mail, name).is_some_and(|value| !matches!(value.as_str(), "no" | "false" | "0" | "")) {
            return Some(format!("the field {name}"));
        }
    }
    if let Some(word) = precedence(mail).filter(|word| word.starts_with("auto")) {
        return Some(format!("Precedence: {word}"));
    }
    if ["X-TMDA-Fingerprint", "X-TMDA-Confirm-Done", "X-Boxbe-Id", "X-ChoiceMail-Registration-Request"]
        .into_iter()
        .any(|name| has(mail, name))
    {
        return Some("a challenge to confirm the sender".to_owned());
    }
    if is_null_path(mail) && !(submitted.as_deref() == Some("auto-generated") && !is_about_ours && complains(mail)) {
        return Some("its return path is null".to_owned());
    }
    let weak = precedence(mail).is_some() || suppresses(mail) || has(mail, "X-FC-Machinegenerated") || submitted.is_some();
    if is_about_ours && weak {
        return Some("it answers a mail of ours and asks for no automatic answer".to_owned());
    }
    // L17: words alone prove nothing, since people report about automatic mail too.
    (is_about_ours && subject_says_absence(&mail.subject))
        .then(|| "it answers a mail of ours with the subject of an automatic reply".to_owned())
}

/// Words of a complaint that a tool writes.
const COMPLAINT_WORDS: &[&str] = &[
    "abuse",
    "attack",
    "brute force",
    "bruteforce",
    "failed password",
    "login attempt",
    "banned",
    "port scan",
    "scanning",
    "malware",
    "phishing",
    "botnet",
    "infected",
    "compromised",
    "ddos",
    "reflect",
    "amplif",
    "vulnerab",
    "intrusion",
    "unauthorized",
    "unauthorised",
    "blacklist",
    "blocklist",
    "complaint",
    "incident",
    "report",
    "exposed",
    "laporan",
    "serangan",
    "insiden",
    "percobaan masuk",
    "gagal masuk",
    "terinfeksi",
    "penyalahgunaan",
    "diblokir",
    "pengaduan",
];

/// Whether a tool complains of something by itself (fail2ban, a sensor): in words of a complaint, and with an
/// address, a link or a hash as evidence. RFC 3834 §2 forbids to answer it, and says nothing against reading it.
fn complains(mail: &Mail) -> bool {
    if subject_says_absence(&mail.subject) || !(says(&mail.subject, COMPLAINT_WORDS) || says(&mail.text.new, COMPLAINT_WORDS)) {
        return false;
    }
    let mut evidence = Collector::new(None);
    evidence.read(&mail.subject);
    evidence.read(&mail.text.new);
    mail.attachments.iter().filter_map(|attachment| attachment.text.as_deref()).for_each(|text| evidence.read(text));
    let found = &evidence.found;
    !(found.ips.is_empty() && found.urls.is_empty() && found.hashes.is_empty())
}

/// What only an absent person's program says: anywhere in a subject that is no "Re:".
const ABSENT: &[&str] = &[
    "automatic reply",
    "auto reply",
    "auto-reply",
    "autoreply",
    "out of office",
    "out of the office",
    "out-of-office",
    "balasan otomatis",
    "jawaban otomatis",
    "di luar kantor",
    "diluar kantor",
    "sedang cuti",
    "tidak di kantor",
    "tidak berada di kantor",
    "dinas luar",
];

/// Only at the start of the subject, tags and brackets aside: "Re: Automatic reply" is a person's.
fn subject_says_absence(subject: &str) -> bool {
    let mut rest = subject.trim();
    while let Some((_, after)) = rest.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
        rest = after.trim_start_matches([' ', ':', '-']);
    }
    let lower = rest.to_lowercase();
    let is_answer = ["re:", "bls:", "balas:", "fw:", "fwd:", "trs:"].iter().any(|start| lower.starts_with(start));
    !is_answer && ABSENT.iter().any(|word| lower.contains(word)) || ABSENCE_WORDS.iter().any(|word| lower.starts_with(word))
}

/// The METHOD of a calendar part (RFC 5546), upper case.
fn calendar_method(mail: &Mail) -> Option<String> {
    let calendar = mail.attachments.iter().find(|a| matches!(a.media_type.as_str(), "text/calendar" | "application/ics"))?;
    let text = calendar.text.as_deref()?;
    text.lines().take(1_000).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("METHOD").then(|| value.trim().to_ascii_uppercase())
    })
}

/// X-Auto-Response-Suppress: All, OOF or AutoReply; DR, RN and NRN concern receipts only (L5).
fn suppresses(mail: &Mail) -> bool {
    mail.header_values("X-Auto-Response-Suppress")
        .flat_map(|value| value.split(','))
        .any(|word| ["all", "oof", "autoreply"].contains(&word.trim().to_ascii_lowercase().as_str()))
}

/// Mail of a mailing list (RFC 2919, RFC 2369). List-Unsubscribe alone is no list: tools that report
/// abuse and advertisers write it as well, so that is left to the rules and only not answered.
fn list(mail: &Mail) -> Option<String> {
    for name in ["List-Id", "List-Post", "List-Owner", "List-Archive", "List-Help", "List-Subscribe", "Mailing-List", "X-Mailman-Version"] {
        if has(mail, name) {
            return Some(format!("the field {name}"));
        }
    }
    precedence(mail).filter(|word| word == "list").map(|_| "Precedence: list".to_owned())
}

/// Why a report gets no acknowledgement by itself; `None` where it does.
fn why_no_answer(mail: &Mail, house: &House) -> Option<Refusal> {
    let Some(from) = mail.writer() else {
        return Some(Refusal::held("there is not exactly one sender that can be written to"));
    };
    if let Some(word) = auto_submitted(mail) {
        return Some(Refusal::never(&format!("Auto-Submitted: {word}")));
    }
    if is_null_path(mail) {
        return Some(Refusal::never("its return path is null"));
    }
    if let Some(word) = precedence(mail) {
        return Some(Refusal::never(&format!("Precedence: {word}")));
    }
    if let Some(header) = mail.headers.iter().find(|header| header.name.to_ascii_lowercase().starts_with("list-")) {
        return Some(Refusal::never(&format!("the field {}", header.name)));
    }
    if suppresses(mail) {
        return Some(Refusal::never("X-Auto-Response-Suppress"));
    }
    if has(mail, "X-FC-Machinegenerated") {
        return Some(Refusal::never("X-FC-Machinegenerated"));
    }
    if let Some(method) = calendar_method(mail) {
        return Some(Refusal::never(&format!("a calendar invitation (METHOD:{method})")));
    }
    if from.local() == "postmaster" && !is_own_path(mail, from) {
        return Some(Refusal::held("postmaster@ under another or no return path is mostly a robot"));
    }
    if let Some(because) = robot_address(from) {
        return Some(because);
    }
    if from.is_quoted() {
        return Some(Refusal::held("an address that needs quotes is hardly ever a person's"));
    }
    if !from.domain().contains('.') {
        return Some(Refusal::held("the sender's domain is a name of one's own machine"));
    }
    if dmarc(mail, house.authserv_id.as_deref()) == Dmarc::Fail {
        return Some(Refusal::held("our mail server found that DMARC fails"));
    }
    None
}

/// RFC 2142 makes postmaster@ a person's mailbox: one who writes under it has it as return path.
fn is_own_path(mail: &Mail, from: &Address) -> bool {
    field(mail, "Return-Path").is_some_and(|path| Address::parse(path.trim_matches(['<', '>', ' '])).as_ref() == Some(from))
}

/// Senders that nobody reads, or that stand for a robot (L8).
fn robot_address(from: &Address) -> Option<Refusal> {
    let local = from.local();
    let is_robot = matches!(local, "mailer-daemon" | "listserv" | "majordomo" | "mail-daemon")
        || local.contains("-request")
        || local.starts_with("owner-")
        || local.ends_with("-owner")
        || local.ends_with("-bounces");
    if is_robot {
        return Some(Refusal::never(&format!("{local}@ is a robot")));
    }
    let plain: String = local.split('+').next().unwrap_or_default().chars().filter(char::is_ascii_alphanumeric).collect();
    let is_unread =
        ["noreply", "donotreply", "dontreply", "noresponse", "noanswer", "jangandibalas", "janganbalas", "tidakdibalas", "autogenerated"]
            .iter()
            .any(|word| plain.contains(word))
            || matches!(plain.as_str(), "bounce" | "bounces" | "autoreply" | "autoresponder");
    is_unread.then(|| Refusal::held(&format!("nobody reads {local}@")))
}
