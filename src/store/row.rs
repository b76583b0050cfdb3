//! How the model's values stand in columns: times as text that sorts, enumerations as the
//! contract's words.

use crate::model::{Address, Fingerprint};
use jiff::{Timestamp, tz::TimeZone};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

/// A time as nine-digit RFC 3339 in UTC: text order is time order, and nothing is rounded away.
#[derive(Debug, Clone, Copy)]
pub(super) struct At(pub Timestamp);

impl ToSql for At {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(format!("{:.9}", self.0)))
    }
}

impl FromSql for At {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map(Self).map_err(FromSqlError::other)
    }
}

/// A column that holds a word of the contract, an address or a fingerprint.
pub(super) struct Word<T>(pub T);

/// What can stand in a column as a word.
pub(super) trait FromWord: Sized {
    fn from_word(word: &str) -> Option<Self>;
}

impl<T: FromWord> FromSql for Word<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let text = value.as_str()?;
        T::from_word(text).map(Self).ok_or_else(|| FromSqlError::other(Unknown(text.escape_debug().take(80).collect())))
    }
}

/// A word that the program does not know: the file was changed by hand.
#[derive(Debug)]
struct Unknown(String);

impl std::fmt::Display for Unknown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the database holds the unknown word '{}'", self.0)
    }
}

impl std::error::Error for Unknown {}

macro_rules! from_word {
    ($($name:ty),+ $(,)?) => { $(impl FromWord for $name {
        fn from_word(word: &str) -> Option<Self> { Self::parse(word) }
    })+ };
}
from_word! {
    Address,
    crate::model::Language,
    crate::model::Category,
    crate::model::contact::ContactKind,
    crate::model::dissemination::DisseminationState,
    crate::model::dissemination::RecipientState,
    crate::model::effect::MailKind,
    crate::model::letter::LetterKind,
    crate::model::letter::LetterState,
}

impl FromWord for Fingerprint {
    fn from_word(word: &str) -> Option<Self> {
        Some(Self(word.to_owned()))
    }
}

/// RFC 3339 with the centre's offset, to the second (contract 11).
pub(super) fn local(time: Timestamp, zone: &TimeZone) -> String {
    time.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}
