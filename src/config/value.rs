//! How single values are written in the configuration: durations, sizes, times of the day, names.
//! Each function gives the value, or one reason that says what to write instead.

use jiff::civil::Weekday;
use std::net::IpAddr;
use std::time::Duration;

/// The longest term that makes sense here: a century, so that sums of terms and times never overflow.
const DURATION_SECONDS_MAX: u64 = 100 * 365 * 86_400;
/// The greatest size that makes sense here: no mail server takes more than 2 GiB in one message.
const SIZE_BYTES_MAX: u64 = 2 << 30;

/// `60s`, `15m`, `24h`, `90d`, `5y` (a year is 365 days).
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("'{}' is no duration; write a number and a unit, such as \"60s\", \"15m\", \"24h\", \"90d\" or \"5y\"", shown(text));
    let (number, unit) = number_and_unit(text).ok_or_else(wrong)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "y" => 365 * 86_400,
        _ => return Err(wrong()),
    };
    match number.checked_mul(seconds) {
        Some(0) => Err("must be more than nothing".to_owned()),
        Some(total) if total <= DURATION_SECONDS_MAX => Ok(Duration::from_secs(total)),
        _ => Err(format!("'{}' is longer than 100 years", shown(text))),
    }
}

/// `50MiB`, `800KiB`, `1GiB`, in bytes.
pub(super) fn size_bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("'{}' is no size; write a number and a unit, such as \"50MiB\"", shown(text));
    let (number, unit) = number_and_unit(text).ok_or_else(wrong)?;
    let bytes = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(wrong()),
    };
    match number.checked_mul(bytes) {
        Some(0) => Err("must be more than nothing".to_owned()),
        Some(total) if total <= SIZE_BYTES_MAX => Ok(total),
        _ => Err(format!("'{}' is more than 2GiB", shown(text))),
    }
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(at)?;
    Some((number.parse().ok()?, unit.trim()))
}

/// `07:00`, as the minute of the day.
pub(super) fn minute_of_day(text: &str) -> Result<u16, String> {
    let read = || {
        let (hour, minute) = text.split_once(':')?;
        let digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(hour) || !digits(minute) {
            return None;
        }
        let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
        (hour < 24 && minute < 60).then_some(hour * 60 + minute)
    };
    read().ok_or_else(|| format!("'{}' is no time of the day; write it as \"07:00\"", shown(text)))
}

/// `08:00-16:00`, as two minutes of the day, the first before the second.
pub(super) fn working_hours(text: &str) -> Result<(u16, u16), String> {
    let wrong = || format!("'{}' are no working hours; write them as \"08:00-16:00\"", shown(text));
    let (from, to) = text.split_once('-').ok_or_else(wrong)?;
    let (from, to) = (minute_of_day(from.trim()).map_err(|_| wrong())?, minute_of_day(to.trim()).map_err(|_| wrong())?);
    if from < to { Ok((from, to)) } else { Err(format!("'{}' ends before it begins; write it as \"08:00-16:00\"", shown(text))) }
}

/// `monday` or `senin`.
pub(super) fn weekday(text: &str) -> Result<Weekday, String> {
    match text.to_ascii_lowercase().as_str() {
        "monday" | "senin" => Ok(Weekday::Monday),
        "tuesday" | "selasa" => Ok(Weekday::Tuesday),
        "wednesday" | "rabu" => Ok(Weekday::Wednesday),
        "thursday" | "kamis" => Ok(Weekday::Thursday),
        "friday" | "jumat" => Ok(Weekday::Friday),
        "saturday" | "sabtu" => Ok(Weekday::Saturday),
        "sunday" | "minggu" => Ok(Weekday::Sunday),
        _ => Err(format!("'{}' is no day of the week; write it as \"monday\"", shown(text))),
    }
}

/// A name that stands in a header beside an address: no line break can come through it (ATTACKS D1).
pub(super) fn name(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        Err("is empty; write a name".to_owned())
    } else if text.chars().count() > 100 {
        Err("is longer than 100 characters".to_owned())
    } else if text.chars().any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
        Err("holds a control character; write a name on one line".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

/// The name of an IMAP mailbox; what would be syntax in an IMAP command is refused (ATTACKS D11).
pub(super) fn mailbox(text: &str) -> Result<String, String> {
    let is_name = !text.is_empty() && text.len() <= 200 && !text.chars().any(|c| c.is_control() || matches!(c, '"' | '\\' | '*' | '%'));
    if is_name {
        Ok(text.to_owned())
    } else {
        Err(format!("'{}' is no mailbox name; quotes, backslashes, *, % and control characters are refused", shown(text)))
    }
}

/// A host name or an IP address.
pub(super) fn host(text: &str) -> Result<String, String> {
    let is_name =
        !text.is_empty() && text.len() <= 253 && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '_'));
    if is_name { Ok(text.to_owned()) } else { Err(format!("'{}' is no host name; write one such as \"imap.example\"", shown(text))) }
}

/// Whether what is sent to `host` stays on this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A value as an error shows it: short, and on one line.
pub(super) fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.chars().count() > 60 {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_read_as_the_contract_writes_them() {
        assert_eq!(duration("24h"), Ok(Duration::from_secs(86_400)));
        assert_eq!(duration("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(duration("90d"), Ok(Duration::from_secs(90 * 86_400)));
        assert_eq!(duration("5y"), Ok(Duration::from_secs(5 * 365 * 86_400)));
        assert_eq!(size_bytes("50MiB"), Ok(50 << 20));
        for wrong in ["", "24", "h", "-1h", "1.5h", "0s", "24 hours", "99999999999999999999h", "18446744073709551615y", "1000y"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "50", "50mb", "0MiB", "9999999999GiB", "18446744073709551615KiB"] {
            assert!(size_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_of_the_day_have_two_digits_and_exist() {
        assert_eq!(minute_of_day("07:00"), Ok(420));
        assert_eq!(working_hours("08:00-16:30"), Ok((480, 990)));
        for wrong in ["7:00", "24:00", "07:60", "07", "+7:00", "07:00:00"] {
            assert!(minute_of_day(wrong).is_err(), "{wrong}");
        }
        assert!(working_hours("16:00-08:00").is_err());
    }

    #[test]
    fn d1_no_name_or_mailbox_carries_a_line_break() {
        for hostile in ["a\r\nBcc: x@y", "a\nb", "a\rb", "a\u{85}b", "a\u{2028}b", ""] {
            assert!(name(hostile).is_err(), "{hostile:?}");
        }
        for hostile in ["a\r\nb", "a\"b", "a\\b", "a*", "%", ""] {
            assert!(mailbox(hostile).is_err(), "{hostile:?}");
        }
        assert!(mailbox("INBOX/Laporan 2026").is_ok());
    }

    #[test]
    fn loopback_is_this_machine_alone() {
        for here in ["localhost", "127.0.0.1", "127.8.9.1", "::1"] {
            assert!(is_loopback(here), "{here}");
        }
        for there in ["localhost.example", "10.0.0.1", "0.0.0.0", "127.0.0.1.example"] {
            assert!(!is_loopback(there), "{there}");
        }
    }
}
