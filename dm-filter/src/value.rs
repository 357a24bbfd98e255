//! One cell of a row.
//!
//! MySQL has more kinds of values than a client library tells apart: DECIMAL, JSON, BIT and TEXT
//! are all "bytes" on the wire, and zero dates fit no calendar type. This enum keeps each kind
//! apart and exact: decimals stay text, dates stay their parts, text in a character set that has
//! no exact conversion keeps its bytes and says which set they are in.

use std::borrow::Cow;

/// A value of one column.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// SQL NULL.
    Null,
    /// A signed integer of any width.
    Int(i64),
    /// An unsigned integer of any width.
    UInt(u64),
    /// FLOAT, exact.
    Float(f32),
    /// DOUBLE, exact.
    Double(f64),
    /// DECIMAL, as the server prints it (`-12.50`).
    Decimal(Cow<'a, str>),
    /// Text, converted to UTF-8 without loss.
    Text(Cow<'a, str>),
    /// Text in a character set that is kept as it is (gbk, sjis, ...).
    Encoded(Encoded<'a>),
    /// BINARY, VARBINARY and the BLOB types; BINARY comes padded with 0x00 to its length.
    Bytes(Cow<'a, [u8]>),
    /// DATE; zero and partly zero dates included.
    Date(Date),
    /// DATETIME.
    DateTime(DateTime),
    /// TIMESTAMP, in UTC.
    Timestamp(Timestamp),
    /// TIME.
    Time(Time),
    /// YEAR; 0 is the year `0000`.
    Year(u16),
    /// BIT(n), as a number.
    Bit(u64),
    /// ENUM by its member number, from 1; 0 is the error value `''`. Labels are in the column.
    Enum(u32),
    /// SET as a bit per member, the first member in the lowest bit.
    Set(u64),
    /// JSON.
    Json(Json<'a>),
    /// A geometry: SRID (4 bytes, little endian) followed by WKB, as the server stores it.
    Geometry(Cow<'a, [u8]>),
    /// VECTOR: 32-bit little endian floats.
    Vector(Cow<'a, [u8]>),
}

/// Text whose bytes stay in their character set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded<'a> {
    /// MySQL's name of the character set: `gbk`, `sjis`, `koi8r`, ...
    pub charset: &'static str,
    /// The bytes.
    pub bytes: Cow<'a, [u8]>,
}

/// DATE as its parts; month and day may be zero, as MySQL allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// 0 to 9999.
    pub year: u16,
    /// 0 to 12.
    pub month: u8,
    /// 0 to 31.
    pub day: u8,
}

/// DATETIME as its parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateTime {
    /// The day.
    pub date: Date,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// 0 to 999,999.
    pub micro: u32,
    /// Fractional digits of the column, 0 to 6: how many to print.
    pub decimals: u8,
}

/// TIMESTAMP as seconds since the epoch, UTC; 0 seconds and 0 micros is `0000-00-00 00:00:00`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Seconds since 1970-01-01 00:00:00 UTC.
    pub seconds: i64,
    /// 0 to 999,999.
    pub micro: u32,
    /// Fractional digits of the column, 0 to 6.
    pub decimals: u8,
}

/// TIME: a signed span of up to 838:59:59.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Time {
    /// True below zero (also for `-00:00:00.5`).
    pub negative: bool,
    /// 0 to 838.
    pub hours: u16,
    /// 0 to 59.
    pub minutes: u8,
    /// 0 to 59.
    pub seconds: u8,
    /// 0 to 999,999.
    pub micro: u32,
    /// Fractional digits of the column, 0 to 6.
    pub decimals: u8,
}

/// A JSON document: its text as the server prints it, and what that text cannot say.
///
/// MySQL keeps scalars inside a document that JSON text has no form for: DECIMAL, DATE, TIME,
/// DATETIME, binary. Their text reads back as a double or a string, so each such place is listed
/// with its exact value. Ordinary documents have none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Json<'a> {
    /// The document as text.
    pub text: Cow<'a, str>,
    /// Places whose type the text loses; empty for ordinary documents.
    pub typed: Vec<JsonTyped>,
}

/// A place in a JSON document that holds a value of an SQL type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonTyped {
    /// Path as MySQL writes it (`$.a[2]."b c"`), `$` for the document itself.
    pub path: String,
    /// An SQL expression of exactly that type and value: `CAST('1.50' AS DECIMAL(3,2))`.
    pub sql: String,
}

impl Value<'_> {
    /// True for SQL NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The same value, owning its data.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Int(v) => Value::Int(v),
            Self::UInt(v) => Value::UInt(v),
            Self::Float(v) => Value::Float(v),
            Self::Double(v) => Value::Double(v),
            Self::Decimal(v) => Value::Decimal(Cow::Owned(v.into_owned())),
            Self::Text(v) => Value::Text(Cow::Owned(v.into_owned())),
            Self::Encoded(v) => Value::Encoded(Encoded {
                charset: v.charset,
                bytes: Cow::Owned(v.bytes.into_owned()),
            }),
            Self::Bytes(v) => Value::Bytes(Cow::Owned(v.into_owned())),
            Self::Date(v) => Value::Date(v),
            Self::DateTime(v) => Value::DateTime(v),
            Self::Timestamp(v) => Value::Timestamp(v),
            Self::Time(v) => Value::Time(v),
            Self::Year(v) => Value::Year(v),
            Self::Bit(v) => Value::Bit(v),
            Self::Enum(v) => Value::Enum(v),
            Self::Set(v) => Value::Set(v),
            Self::Json(v) => {
                Value::Json(Json { text: Cow::Owned(v.text.into_owned()), typed: v.typed })
            }
            Self::Geometry(v) => Value::Geometry(Cow::Owned(v.into_owned())),
            Self::Vector(v) => Value::Vector(Cow::Owned(v.into_owned())),
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(v: &'a str) -> Self {
        Self::Text(Cow::Borrowed(v))
    }
}

impl From<String> for Value<'_> {
    fn from(v: String) -> Self {
        Self::Text(Cow::Owned(v))
    }
}

impl From<i32> for Value<'_> {
    fn from(v: i32) -> Self {
        Self::Int(i64::from(v))
    }
}

impl From<f64> for Value<'_> {
    fn from(v: f64) -> Self {
        Self::Double(v)
    }
}

/// `None` is NULL.
impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(v: Option<T>) -> Self {
        v.map_or(Self::Null, Into::into)
    }
}

impl From<i64> for Value<'_> {
    fn from(v: i64) -> Self {
        Self::Int(v)
    }
}

impl From<u64> for Value<'_> {
    fn from(v: u64) -> Self {
        Self::UInt(v)
    }
}
