//! Values while an expression is evaluated, and how they turn into one another.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::collation::Collation;
use super::decimal::Decimal;
use super::error::EvalError;
use super::json;
use super::temporal::{
    self, Zone, date_text, datetime_from_number, datetime_text, read_datetime, read_time, time_text,
};
use crate::change::ColumnInfo;
use crate::value::{Date, DateTime, Encoded, Time, Value};

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

/// A number.
#[derive(Clone, Copy, Debug)]
pub(super) enum Num {
    Int(i64),
    UInt(u64),
    Dec(Decimal),
    Real(f64),
}

impl Num {
    pub(super) fn to_f64(self) -> f64 {
        match self {
            Self::Int(v) => v as f64,
            Self::UInt(v) => v as f64,
            Self::Dec(v) => v.to_f64(),
            Self::Real(v) => v,
        }
    }

    /// The exact value; `None` for a floating-point number.
    pub(super) fn to_decimal(self) -> Option<Decimal> {
        match self {
            Self::Int(v) => Some(Decimal::from(v)),
            Self::UInt(v) => Some(Decimal::from(v)),
            Self::Dec(v) => Some(v),
            Self::Real(_) => None,
        }
    }

    pub(super) fn is_zero(self) -> bool {
        match self {
            Self::Int(v) => v == 0,
            Self::UInt(v) => v == 0,
            Self::Dec(v) => v.is_zero(),
            Self::Real(v) => v == 0.0,
        }
    }

    /// Rounded to a signed integer; a number too large becomes the nearest one.
    pub(super) fn to_i64(self) -> i64 {
        match self {
            Self::Int(v) => v,
            Self::UInt(v) => i64::try_from(v).unwrap_or(i64::MAX),
            Self::Dec(v) => v.to_i64().unwrap_or(if v.is_negative() { i64::MIN } else { i64::MAX }),
            Self::Real(v) => v.round_ties_even() as i64,
        }
    }

    pub(super) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(&b)),
            (Self::UInt(a), Self::UInt(b)) => Some(a.cmp(&b)),
            (Self::Real(_), _) | (_, Self::Real(_)) => self.to_f64().partial_cmp(&other.to_f64()),
            _ => Some(self.to_decimal()?.cmp(&other.to_decimal()?)),
        }
    }
}

impl<'a> From<Num> for Val<'a> {
    fn from(number: Num) -> Self {
        match number {
            Num::Int(v) => Self::Int(v),
            Num::UInt(v) => Self::UInt(v),
            Num::Dec(v) => Self::Dec(v),
            Num::Real(v) => Self::Real(v),
        }
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

/// The number that a text begins with, 0 if none, as the server casts text.
pub(super) fn number_prefix(text: &str) -> f64 {
    let text = text.trim_start();
    let mut end = 0;
    let mut seen_digit = false;
    let mut seen_point = false;
    let bytes = text.as_bytes();
    while let Some(b) = bytes.get(end) {
        match b {
            b'+' | b'-' if end == 0 => {}
            b'.' if !seen_point => seen_point = true,
            b'0'..=b'9' => seen_digit = true,
            b'e' | b'E' if seen_digit => {
                let after = bytes.get(end + 1..).unwrap_or_default();
                let sign = usize::from(matches!(after.first(), Some(b'+' | b'-')));
                let digits = after.iter().skip(sign).take_while(|b| b.is_ascii_digit()).count();
                if digits > 0 {
                    end += 1 + sign + digits;
                }
                break;
            }
            _ => break,
        }
        end += 1;
    }
    if !seen_digit {
        return 0.0;
    }
    text.get(..end).and_then(|t| t.trim_end_matches('.').parse().ok()).unwrap_or(0.0)
}

impl<'a> Val<'a> {
    /// The value of a cell.
    pub(super) fn from_cell(
        value: &'a Value<'_>,
        info: &'a ColumnInfo,
        collation: Collation,
        zone: &Zone,
    ) -> Result<Self, EvalError> {
        Ok(match value {
            Value::Null => Self::Null,
            Value::Int(v) => Self::Int(*v),
            Value::UInt(v) | Value::Bit(v) => Self::UInt(*v),
            Value::Float(v) => Self::Real(f64::from(*v)),
            Value::Double(v) => Self::Real(*v),
            Value::Decimal(v) => Self::Dec(
                Decimal::parse(v)
                    .ok_or_else(|| EvalError::OutOfRange(format!("`{}`", info.name)))?,
            ),
            Value::Text(v) => Self::Text(Text::column(&**v, collation, None)),
            Value::Encoded(v) => Self::Text(Text::column(decode(v)?, collation, None)),
            Value::Bytes(v) | Value::Geometry(v) | Value::Vector(v) => {
                Self::Bytes(Cow::Borrowed(v))
            }
            Value::Date(v) => Self::Date(*v),
            Value::DateTime(v) => Self::DateTime(*v),
            Value::Timestamp(v) => Self::DateTime(zone.local(*v)),
            Value::Time(v) => Self::Time(*v),
            Value::Year(v) => Self::UInt(u64::from(*v)),
            Value::Enum(0) => Self::Text(Text::column("", collation, Some(0))),
            Value::Enum(v) => {
                let label = usize::try_from(*v).ok().and_then(|i| info.labels.get(i - 1));
                let label = label.ok_or_else(|| EvalError::UnknownLabel(info.name.clone()))?;
                Self::Text(Text::column(label.as_str(), collation, Some(u64::from(*v))))
            }
            Value::Set(v) => Self::Text(Text::column(set_text(*v, info)?, collation, Some(*v))),
            Value::Json(v) => Self::Json(Cow::Borrowed(&v.text)),
        })
    }

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

    fn is_temporal(&self) -> bool {
        matches!(self, Self::Date(_) | Self::DateTime(_) | Self::Time(_))
    }

    /// Compares by the server's rules of conversion; `None` when a NULL takes part, or something
    /// that cannot be brought to a common type.
    pub(super) fn compare(
        &self,
        other: &Val<'_>,
        zone: &Zone,
    ) -> Result<Option<Ordering>, EvalError> {
        match (self, other) {
            (Val::Null, _) | (_, Val::Null) => Ok(None),
            (Val::Json(_), _) | (_, Val::Json(_)) => compare_json(self, other),
            _ if self.is_temporal() || other.is_temporal() => compare_temporal(self, other, zone),
            (Val::Text(a), Val::Text(b)) => Ok(Some(a.common(b).0.compare(&a.text, &b.text))),
            (
                Val::Text(_) | Val::Bytes(_) | Val::Hex(_),
                Val::Text(_) | Val::Bytes(_) | Val::Hex(_),
            ) => Ok(self.to_bytes().zip(other.to_bytes()).map(|(a, b)| a.cmp(&b))),
            _ => Ok(compare_numbers(self, other)),
        }
    }
}

/// A number, at least one side being one. Text that is a plain number is compared exactly, so that
/// large integers in quotes mean what they say.
fn compare_numbers(a: &Val<'_>, b: &Val<'_>) -> Option<Ordering> {
    let number = |v: &Val<'_>, beside: &Val<'_>| match v {
        Val::Text(t) if t.ordinal.is_none() && !matches!(beside, Val::Real(_)) => {
            Decimal::parse(t.text.trim()).map(Num::Dec).or_else(|| v.to_num())
        }
        _ => v.to_num(),
    };
    number(a, b)?.compare(number(b, a)?)
}

fn compare_temporal(a: &Val<'_>, b: &Val<'_>, zone: &Zone) -> Result<Option<Ordering>, EvalError> {
    if matches!(a, Val::Time(_)) || matches!(b, Val::Time(_)) {
        let dated = |v: &Val<'_>| matches!(v, Val::Date(_) | Val::DateTime(_));
        if dated(a) || dated(b) {
            return Err(EvalError::NeedsToday);
        }
        let (Some(x), Some(y)) = (a.to_time(zone), b.to_time(zone)) else {
            return unreadable(a, b);
        };
        return Ok(Some(temporal::time_micros(x).cmp(&temporal::time_micros(y))));
    }
    match (a.to_datetime(zone)?, b.to_datetime(zone)?) {
        (Some(x), Some(y)) => Ok(Some(temporal::compare(x, y))),
        _ if a.is_numeric() || b.is_numeric() => Ok(compare_numbers(a, b)),
        _ => unreadable(a, b),
    }
}

impl Val<'_> {
    fn is_numeric(&self) -> bool {
        matches!(self, Val::Int(_) | Val::UInt(_) | Val::Dec(_) | Val::Real(_))
    }
}

/// A literal that should be a date and is none is a mistake of the filter's author; a column that
/// holds such text is just not comparable.
fn unreadable(a: &Val<'_>, b: &Val<'_>) -> Result<Option<Ordering>, EvalError> {
    for side in [a, b] {
        if let Val::Text(Text { claim: Claim::Literal, text, .. }) = side {
            return Err(EvalError::NotATime(text.to_string()));
        }
    }
    Ok(None)
}

/// JSON beside an SQL value: the value counts as the JSON scalar that it would become.
fn compare_json(a: &Val<'_>, b: &Val<'_>) -> Result<Option<Ordering>, EvalError> {
    let as_json = |v: &Val<'_>, beside: &Val<'_>| -> Option<String> {
        Some(match v {
            Val::Json(j) => j.to_string(),
            // TRUE and FALSE are the numbers 1 and 0 in SQL.
            Val::Int(n @ (0 | 1)) if beside.is_json_bool() => (*n == 1).to_string(),
            Val::Int(_) | Val::UInt(_) | Val::Dec(_) | Val::Real(_) => v.to_text()?.into_owned(),
            _ => json::quote(&v.to_text()?),
        })
    };
    match (as_json(a, b), as_json(b, a)) {
        (Some(x), Some(y)) => json::compare(&x, &y),
        _ => Ok(None),
    }
}

impl Val<'_> {
    fn is_json_bool(&self) -> bool {
        matches!(self, Val::Json(j) if json::kind(j) == Ok(json::Kind::Bool))
    }
}

/// An integer where the number has no fraction.
fn whole_or_decimal(number: Decimal) -> Num {
    match number.to_i64() {
        Some(v) if number.scale() == 0 => Num::Int(v),
        _ => Num::Dec(number),
    }
}

/// A floating-point number as the server prints it, near enough: without exponent up to 15 digits.
pub(super) fn real_text(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-15..1e15).contains(&size) {
        format!("{value:e}")
    } else {
        value.to_string()
    }
}

fn set_text(bits: u64, info: &ColumnInfo) -> Result<String, EvalError> {
    let known = u32::try_from(info.labels.len()).unwrap_or(64);
    if known < 64 && bits >> known != 0 {
        return Err(EvalError::UnknownLabel(info.name.clone()));
    }
    let chosen = info.labels.iter().take(64).enumerate().filter(|(i, _)| bits >> i & 1 == 1);
    Ok(chosen.map(|(_, label)| label.as_str()).collect::<Vec<_>>().join(","))
}

/// Text of another character set as UTF-8.
fn decode(text: &Encoded<'_>) -> Result<String, EvalError> {
    let label = match text.charset {
        "gbk" | "gb2312" => "gbk",
        "gb18030" => "gb18030",
        "big5" => "big5",
        "sjis" | "cp932" => "shift_jis",
        "ujis" | "eucjpms" => "euc-jp",
        "euckr" => "euc-kr",
        "koi8r" => "koi8-r",
        "koi8u" => "koi8-u",
        "latin1" => "windows-1252",
        "cp1250" => "windows-1250",
        "cp1251" => "windows-1251",
        "cp1256" => "windows-1256",
        "cp1257" => "windows-1257",
        "cp866" => "ibm866",
        "latin2" => "iso-8859-2",
        "latin5" => "iso-8859-9",
        "latin7" => "iso-8859-13",
        "greek" => "iso-8859-7",
        "hebrew" => "iso-8859-8",
        "tis620" => "windows-874",
        "macroman" => "macintosh",
        "ascii" | "utf8" | "utf8mb3" | "utf8mb4" => "utf-8",
        "utf16le" => "utf-16le",
        "ucs2" | "utf16" => "utf-16be",
        _ => return Err(EvalError::Charset(text.charset.to_string())),
    };
    let encoding = encoding_rs::Encoding::for_label(label.as_bytes())
        .ok_or_else(|| EvalError::Charset(text.charset.to_string()))?;
    encoding
        .decode_without_bom_handling_and_without_replacement(&text.bytes)
        .map(Cow::into_owned)
        .ok_or_else(|| EvalError::Charset(text.charset.to_string()))
}
