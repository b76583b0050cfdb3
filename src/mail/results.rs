//! What our own mail server found about the sender, read from Authentication-Results (RFC 8601 §2.2).
//! Half of such a field is written by the sender (the envelope address, the HELO name), so that quoted
//! strings and comments are taken off before anything in it is believed.

use super::Mail;

/// Fields of our server's name that are read: a server writes one, or one for each method.
const FIELDS_MAX: usize = 20;
/// Comments within comments; deeper is no server's.
const COMMENT_DEPTH_MAX: u32 = 20;
/// Stands for a quoted string: what is in it is a value, and never a method or a verdict.
const QUOTED: char = '"';

/// The verdict of DMARC (RFC 7489) by our own server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dmarc {
    Pass,
    Fail,
    /// Our server has no policy to go by, or could not tell.
    None,
    /// No such field of our server, none that can be read, or no server is configured to be believed.
    Unchecked,
}

/// The verdict of the server of that name; nobody else is believed (contract 2 `authserv_id`).
///
/// The topmost field that names it counts (L14, RFC 8601 §5). Where that one says nothing of DMARC, since
/// the server writes a field for each method, those below are asked too; but what is not topmost may have come with the mail,
/// and proves nobody: it can make the verdict `Fail` or `None`, never `Pass`.
#[must_use]
pub fn dmarc(mail: &Mail, server: Option<&str>) -> Dmarc {
    let Some(server) = server else { return Dmarc::Unchecked };
    let of_server = mail.header_values("Authentication-Results").filter(|value| names(value, server)).take(FIELDS_MAX);
    for (place, value) in of_server.enumerate() {
        match verdict(value) {
            Dmarc::Unchecked => {}
            Dmarc::Pass if place > 0 => return Dmarc::None,
            found => return found,
        }
    }
    Dmarc::Unchecked
}

/// Whether the field is the server's. A field that cannot be taken apart is, where it begins with the name.
fn names(value: &str, server: &str) -> bool {
    let is_server = |first: &str| first.split_whitespace().next().is_some_and(|word| word.eq_ignore_ascii_case(server));
    match segments(value, true) {
        Some(segments) => segments.first().is_some_and(|first| is_server(first)),
        None => is_server(value.split(';').next().unwrap_or_default()),
    }
}

/// The worst that one field says: two verdicts of one server are for two domains in From.
fn verdict(value: &str) -> Dmarc {
    let Some(segments) = segments(value, false) else {
        // An open quote or comment: it proves nothing, but what looks like a failure is taken for one.
        let bare: String = value.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase();
        return if bare.contains("dmarc=fail") { Dmarc::Fail } else { Dmarc::Unchecked };
    };
    segments.iter().skip(1).filter_map(|result| dmarc_word(result)).fold(Dmarc::Unchecked, |so_far, word| match (so_far, word.as_str()) {
        (Dmarc::Fail, _) | (_, "fail") => Dmarc::Fail,
        (Dmarc::Unchecked | Dmarc::Pass, "pass") => Dmarc::Pass,
        _ => Dmarc::None,
    })
}

/// The verdict of a result that is DMARC's: `dmarc=pass`, `dmarc / 1 = pass` (RFC 8601 §2.2 methodspec).
fn dmarc_word(result: &str) -> Option<String> {
    let (method, rest) = result.split_once('=')?;
    let method = method.split('/').next().unwrap_or_default().trim();
    let word = rest.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect::<String>();
    method.eq_ignore_ascii_case("dmarc").then(|| word.to_ascii_lowercase())
}

/// The parts between semicolons, without comments; quoted strings are kept for the server's name and are
/// one mark elsewhere. `None` where a quote or a comment is not closed, or comments nest too deep.
fn segments(value: &str, keeps_quoted: bool) -> Option<Vec<String>> {
    let mut all = vec![String::new()];
    let (mut depth, mut quoted, mut escaped) = (0_u32, false, false);
    for c in value.chars() {
        let last = all.last_mut()?;
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted || depth > 0 => escaped = true,
            '"' if depth == 0 => {
                quoted = !quoted;
                if quoted && !keeps_quoted {
                    last.push(QUOTED);
                }
            }
            _ if quoted => {
                if keeps_quoted {
                    last.push(if c.is_whitespace() { QUOTED } else { c });
                }
            }
            '(' if depth >= COMMENT_DEPTH_MAX => return None,
            '(' => {
                depth += 1;
                last.push(' ');
            }
            ')' if depth > 0 => depth -= 1,
            ')' => return None,
            _ if depth > 0 => {}
            ';' => all.push(String::new()),
            _ => last.push(c),
        }
    }
    (depth == 0 && !quoted).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::read;

    fn of(values: &[&str]) -> Dmarc {
        let fields: String = values.iter().map(|value| format!("Authentication-Results: {value}\r\n")).collect();
        dmarc(&read::read(format!("{fields}From: a@x.example\r\n\r\nx").as_bytes()).0, Some("mx.bssn.test"))
    }

    #[test]
    fn l14_what_a_sender_puts_into_quotes_and_comments_is_no_verdict() {
        for (value, expected) in [
            (r#"mx.bssn.test; spf=pass smtp.mailfrom="a; dmarc=pass; b"@evil.test"#, Dmarc::Unchecked),
            (r#"mx.bssn.test; spf=pass smtp.mailfrom="a\"; dmarc=pass; b"@evil.test; dmarc=fail"#, Dmarc::Fail),
            ("mx.bssn.test; spf=pass (helo is x; dmarc=pass; y) smtp.mailfrom=evil.test", Dmarc::Unchecked),
            (r"mx.bssn.test; spf=pass (a (b) \) ; dmarc=pass ; ) ; dmarc=none", Dmarc::None),
            (r#"mx.bssn.test; spf=pass smtp.mailfrom="a; dmarc=pass"#, Dmarc::Unchecked),
            ("mx.bssn.test; spf=pass (open; dmarc=pass", Dmarc::Unchecked),
            ("mx.bssn.test; spf=pass ); dmarc=pass", Dmarc::Unchecked),
            ("mx.bssn.test; spf=pass (open; dmarc = fail", Dmarc::Fail),
            (r#""mx.bssn.test" 1; dmarc=pass"#, Dmarc::Pass),
            ("(ours) mx.bssn.test; dmarc=pass (p=reject) header.from=x", Dmarc::Pass),
            (r#"evil.test; x="; mx.bssn.test; dmarc=pass""#, Dmarc::Unchecked),
            ("mx.bssn.test; dmarc=passed", Dmarc::None),
            ("mx.bssn.test; x-dmarc=pass", Dmarc::Unchecked),
        ] {
            assert_eq!(of(&[value]), expected, "{value}");
        }
        let deep = format!("mx.bssn.test; {}dmarc=pass{}; dmarc=pass", "(".repeat(100_000), ")".repeat(100_000));
        assert_eq!(of(&[&deep]), Dmarc::Unchecked);
    }

    #[test]
    fn l14_a_failure_is_seen_however_the_server_writes_it_and_a_pass_only_on_top() {
        for value in ["dmarc (c)=fail", "dmarc/1=fail", "dmarc (c) / (d) 1 (e) = (f) FAIL (g)", "dmarc=pass; dmarc=fail"] {
            assert_eq!(of(&[&format!("mx.bssn.test; {value}")]), Dmarc::Fail, "{value}");
        }
        assert_eq!(of(&["mx.bssn.test; spf=pass", "mx.bssn.test; dmarc=fail"]), Dmarc::Fail);
        assert_eq!(of(&["mx.bssn.test; spf=pass", "mx.bssn.test; dmarc=pass"]), Dmarc::None);
        assert_eq!(of(&["other.test; dmarc=fail", "mx.bssn.test; dmarc=pass"]), Dmarc::Pass);
        assert_eq!(of(&["mx.bssn.test; dmarc=pass", "mx.bssn.test; dmarc=fail"]), Dmarc::Pass, "what stands below came with the mail");
        assert_eq!(dmarc(&read::read(b"Authentication-Results: mx.bssn.test; dmarc=pass\r\n\r\nx").0, None), Dmarc::Unchecked);
    }
}
