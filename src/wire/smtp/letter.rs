//! What must hold of a letter before a connection is opened for it (ATTACKS D2 to D4): lettre passes on
//! whatever it is given, and a bare line feed beside a dot is a second letter to some servers.

use lettre::Address;

/// RFC 5321 §4.5.3.1.6 has 1000 with CRLF.
const LINE_BYTES_MAX: usize = 998;

/// Only CRLF, 7-bit, no NUL, no long lines. The error is the reason for the outbox.
pub(super) fn check(bytes: &[u8]) -> Result<(), String> {
    if bytes.is_empty() {
        return Err("the letter is empty".to_owned());
    }
    let mut line_bytes = 0;
    let mut before = b'\n';
    for (at, byte) in bytes.iter().copied().enumerate() {
        match byte {
            b'\n' if before != b'\r' => return Err(format!("the letter has a bare line feed at byte {at}")),
            b'\n' => line_bytes = 0,
            _ if before == b'\r' => return Err(format!("the letter has a bare carriage return at byte {}", at.saturating_sub(1))),
            b'\r' => {}
            0 | 0x80.. => return Err(format!("the letter is not 7-bit at byte {at}")),
            _ => line_bytes += 1,
        }
        if line_bytes > LINE_BYTES_MAX {
            return Err(format!("the letter has a line of more than {LINE_BYTES_MAX} bytes at byte {at}"));
        }
        before = byte;
    }
    if before == b'\r' { Err("the letter ends in a bare carriage return".to_owned()) } else { Ok(()) }
}

/// The envelope sender; empty is the null sender.
pub(super) fn sender(from: &str) -> Result<Option<Address>, String> {
    if from.is_empty() { Ok(None) } else { address(from).map(Some) }
}

pub(super) fn recipient(to: &str) -> Result<Address, String> {
    address(to)
}

/// The one check between a text and an SMTP command.
fn address(text: &str) -> Result<Address, String> {
    let is_plain = text.len() <= 254 && text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>'));
    match text.parse() {
        Ok(address) if is_plain => Ok(address),
        _ => Err(format!("'{}' is no address for an envelope", text.escape_debug())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d3_no_form_of_smuggling_is_given_to_a_server() {
        for ending in ["\n.\n", "\n.\r\n", "\r.\r", "\r\n.\r", "\r\n.\n", "\r.\r\n", "\n.\r", "\r.\n", "\r\n\r.\r\n"] {
            let letter = format!("Subject: x\r\n\r\ntext{ending}MAIL FROM:<evil@x.example>\r\n");
            assert!(check(letter.as_bytes()).is_err(), "{ending:?}");
        }
        assert_eq!(check(b"Subject: x\r\n\r\ntext\r\n.\r\nMAIL FROM:<evil@x.example>\r\n"), Ok(()), "dots are doubled");
    }

    #[test]
    fn d4_only_seven_bits_and_short_lines_go_out() {
        assert!(check(b"a: \xc3\xa9\r\n").is_err());
        assert!(check(b"a: \0\r\n").is_err());
        assert!(check(b"").is_err());
        assert!(check(b"a: b\r").is_err());
        assert!(check(&[b'x'; 999]).is_err());
        assert_eq!(check(&[b'x'; 998]), Ok(()));
    }

    #[test]
    fn d2_no_address_carries_a_second_command() {
        for hostile in ["a@b>\r\nRCPT TO:<c@d", "a@b.example\r\n", "a b@c.example", "<a@b.example>", "a", "a@b.example\0"] {
            assert!(recipient(hostile).is_err(), "{hostile:?}");
        }
        for honest in ["bantuan70+k3y@bssn.test", "o'brien@x.example", "\"odd\"@x.example", "a@xn--bcher-kva.example", "a@localhost"] {
            assert!(recipient(honest).is_ok(), "{honest}");
        }
        assert_eq!(sender("").unwrap(), None);
    }
}
