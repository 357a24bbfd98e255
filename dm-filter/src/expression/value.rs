//! Values while an expression is evaluated, and how they turn into one another.

mod cell;
mod compare;
mod number;

use std::borrow::Cow;
use std::cmp::Ordering;

use self::number::whole_or_decimal;
pub(super) use self::number::{Num, number_prefix, real_text};
use super::collation::Collation;
use super::decimal::Decimal;
use super::error::EvalError;
use super::json;
use super::temporal::{
    self, Zone, date_text, datetime_from_number, datetime_text, read_datetime, read_time, time_text,
};
use crate::value::{Date, DateTime, Time};

/// A value of an expression, borrowing from the row or from the expression where it can.
#[derive(Clone, Debug)]
pub(super) enum Val<'a> {
    Null,
    Int(i64),
    UInt(u64),
    Dec(Decimal),
    Real(f64),
    Text(Text<'a>),
    Bytes(Cow<'a, [u8]>),
    /// A hexadecimal or bit literal: bytes beside text, a number beside numbers.
    Hex(Cow<'a, [u8]>),
    Date(Date),
    DateTime(DateTime),
    Time(Time),
    /// A JSON value as its text.
    Json(Cow<'a, str>),
}

/// Whose collation wins when two texts meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Claim {
    /// A literal, or computed from literals.
    Literal,
    /// A column.
    Column,
    /// `COLLATE`.
    Explicit,
}

/// Text and how it compares.
#[derive(Clone, Debug)]
pub(super) struct Text<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) collation: Collation,
    pub(super) claim: Claim,
    /// The number behind an ENUM or SET value.
    pub(super) ordinal: Option<u64>,
}

impl<'a> Text<'a> {
    pub(super) fn literal(text: impl Into<Cow<'a, str>>) -> Self {
        Self {
            text: text.into(),
            collation: Collation::DEFAULT,
            claim: Claim::Literal,
            ordinal: None,
        }
    }

    /// The collation of two texts together.
    pub(super) fn common(&self, other: &Text<'_>) -> (Collation, Claim) {
        match self.claim.cmp(&other.claim) {
            Ordering::Greater => (self.collation, self.claim),
            Ordering::Less => (other.collation, other.claim),
            Ordering::Equal => (self.collation.merge(other.collation), self.claim),
        }
    }

    fn column(text: impl Into<Cow<'a, str>>, collation: Collation, ordinal: Option<u64>) -> Self {
        Self { text: text.into(), collation, claim: Claim::Column, ordinal }
    }
}

impl From<bool> for Val<'_> {
    fn from(truth: bool) -> Self {
        Self::Int(i64::from(truth))
    }
}

impl From<Option<bool>> for Val<'_> {
    fn from(truth: Option<bool>) -> Self {
        truth.map_or(Self::Null, Self::from)
    }
}

impl<'a> Val<'a> {
    /// The same value, borrowing from this one.
    pub(super) fn reborrow(&self) -> Val<'_> {
        match self {
            Self::Text(t) => Val::Text(Text { text: Cow::Borrowed(&t.text), ..*t }),
            Self::Bytes(b) => Val::Bytes(Cow::Borrowed(b)),
            Self::Hex(b) => Val::Hex(Cow::Borrowed(b)),
            Self::Json(j) => Val::Json(Cow::Borrowed(j)),
            Self::Null => Val::Null,
            Self::Int(v) => Val::Int(*v),
            Self::UInt(v) => Val::UInt(*v),
            Self::Dec(v) => Val::Dec(*v),
            Self::Real(v) => Val::Real(*v),
            Self::Date(v) => Val::Date(*v),
            Self::DateTime(v) => Val::DateTime(*v),
            Self::Time(v) => Val::Time(*v),
        }
    }

    /// The same value, owning its data.
    pub(super) fn into_owned(self) -> Val<'static> {
        match self {
            Self::Text(t) => Val::Text(Text {
                text: Cow::Owned(t.text.into_owned()),
                collation: t.collation,
                claim: t.claim,
                ordinal: t.ordinal,
            }),
            Self::Bytes(b) => Val::Bytes(Cow::Owned(b.into_owned())),
            Self::Hex(b) => Val::Hex(Cow::Owned(b.into_owned())),
            Self::Json(j) => Val::Json(Cow::Owned(j.into_owned())),
            Self::Null => Val::Null,
            Self::Int(v) => Val::Int(v),
            Self::UInt(v) => Val::UInt(v),
            Self::Dec(v) => Val::Dec(v),
            Self::Real(v) => Val::Real(v),
            Self::Date(v) => Val::Date(v),
            Self::DateTime(v) => Val::DateTime(v),
            Self::Time(v) => Val::Time(v),
        }
    }

    /// Text that the server would not tell from a literal.
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(Text::literal(text))
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The value as a number; `None` for NULL.
    pub(super) fn to_num(&self) -> Option<Num> {
        let exact = |text: String| Decimal::parse(&text).map_or(Num::Int(0), whole_or_decimal);
        Some(match self {
            Self::Null => return None,
            Self::Int(v) => Num::Int(*v),
            Self::UInt(v) => Num::UInt(*v),
            Self::Dec(v) => Num::Dec(*v),
            Self::Real(v) => Num::Real(*v),
            Self::Text(Text { ordinal: Some(n), .. }) => Num::UInt(*n),
            Self::Text(t) => Num::Real(number_prefix(&t.text)),
            Self::Bytes(b) => Num::Real(number_prefix(&String::from_utf8_lossy(b))),
            Self::Hex(b) => {
                let tail = b.get(b.len().saturating_sub(8)..).unwrap_or_default();
                Num::UInt(tail.iter().fold(0, |n, b| n << 8 | u64::from(*b)))
            }
            Self::Date(_) | Self::DateTime(_) | Self::Time(_) => {
                let mut digits: String = self.to_text().unwrap_or_default().into_owned();
                digits.retain(|c| c.is_ascii_digit() || c == '.' || c == '-');
                if !matches!(self, Self::Time(_)) {
                    digits.retain(|c| c != '-');
                }
                exact(digits)
            }
            Self::Json(j) => match json::kind(j) {
                Ok(json::Kind::Number) => Decimal::parse(j.trim())
                    .map_or_else(|| Num::Real(number_prefix(j)), whole_or_decimal),
                Ok(json::Kind::Bool) => Num::Int(i64::from(j.trim() == "true")),
                Ok(json::Kind::Text) => Num::Real(number_prefix(&json::unquote(j))),
                _ => Num::Int(0),
            },
        })
    }

    /// The value as text; `None` for NULL.
    pub(super) fn to_text(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::Null => return None,
            Self::Int(v) => Cow::Owned(v.to_string()),
            Self::UInt(v) => Cow::Owned(v.to_string()),
            Self::Dec(v) => Cow::Owned(v.to_string()),
            Self::Real(v) => Cow::Owned(real_text(*v)),
            Self::Text(t) => Cow::Borrowed(&*t.text),
            Self::Bytes(b) | Self::Hex(b) => String::from_utf8_lossy(b),
            Self::Date(v) => Cow::Owned(date_text(*v)),
            Self::DateTime(v) => Cow::Owned(datetime_text(*v)),
            Self::Time(v) => Cow::Owned(time_text(*v)),
            Self::Json(j) => Cow::Borrowed(&**j),
        })
    }

    /// The value as text with a collation, for functions and operators on text.
    pub(super) fn as_text(&self) -> Option<Text<'_>> {
        match self {
            Self::Text(t) => Some(Text { text: Cow::Borrowed(&t.text), ..*t }),
            Self::Bytes(_) => Some(Text {
                collation: Collation::BINARY,
                claim: Claim::Column,
                ..Text::literal(self.to_text()?)
            }),
            Self::Json(_) => {
                Some(Text { collation: Collation::BINARY, ..Text::literal(self.to_text()?) })
            }
            other => Some(Text::literal(other.to_text()?)),
        }
    }

    /// The bytes of the value; `None` for NULL.
    pub(super) fn to_bytes(&self) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Bytes(b) | Self::Hex(b) => Some(Cow::Borrowed(&**b)),
            other => Some(match other.to_text()? {
                Cow::Borrowed(s) => Cow::Borrowed(s.as_bytes()),
                Cow::Owned(s) => Cow::Owned(s.into_bytes()),
            }),
        }
    }

    /// True, false or unknown, as a condition.
    pub(super) fn truth(&self) -> Option<bool> {
        self.to_num().map(|n| !n.is_zero())
    }

    /// The value as date and time. `Ok(None)` for NULL and for what is no date.
    pub(super) fn to_datetime(&self, zone: &Zone) -> Result<Option<DateTime>, EvalError> {
        Ok(match self {
            Self::Null => None,
            Self::Date(date) => Some(DateTime { date: *date, ..DateTime::default() }),
            Self::DateTime(v) => Some(*v),
            Self::Time(_) => return Err(EvalError::NeedsToday),
            Self::Int(_) | Self::UInt(_) | Self::Dec(_) => {
                self.to_num().and_then(Num::to_decimal).and_then(|d| datetime_from_number(&d))
            }
            Self::Real(v) => Decimal::parse(&real_text(*v)).and_then(|d| datetime_from_number(&d)),
            Self::Json(j) => read_datetime(&json::unquote(j), zone).map(|r| r.value),
            other => other.to_text().and_then(|t| read_datetime(&t, zone)).map(|r| r.value),
        })
    }

    /// The value as TIME; `None` for NULL and for what is no time.
    pub(super) fn to_time(&self, zone: &Zone) -> Option<Time> {
        match self {
            Self::Time(v) => Some(*v),
            Self::DateTime(v) => Some(temporal::time_of_day(*v)),
            Self::Date(_) => Some(Time::default()),
            other => other.to_text().and_then(|t| read_time(&t, zone)),
        }
    }
}
