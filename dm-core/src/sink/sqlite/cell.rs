//! Values of the stream and cells of the copy in the form in which SQLite stores them. Pure.
//!
//! Guarantee: a value gives the same stored form whichever way it came, by the copy as text or by
//! the stream as a typed value. Rows are found again by these forms, so a difference would lose an
//! update. What cannot be stored without changing it is an error.

use std::borrow::Cow;

use dm_filter::{ColumnInfo, Value};
use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::event::{CellKind, CellRef};
use crate::sql::{push_datetime, push_time, push_timestamp};

use super::types::Storage;

/// A value in one of SQLite's storage classes.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell<'a> {
    /// NULL.
    Null,
    /// INTEGER.
    Int(i64),
    /// REAL.
    Real(f64),
    /// TEXT.
    Text(Cow<'a, str>),
    /// BLOB.
    Blob(Cow<'a, [u8]>),
}

impl<'a> Cell<'a> {
    /// TEXT.
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }

    /// BLOB.
    pub fn blob(bytes: impl Into<Cow<'a, [u8]>>) -> Self {
        Self::Blob(bytes.into())
    }

    /// An integer of up to 64 bits; above 2^63-1 as text of 20 digits (see [`super::types`]).
    pub fn wide(v: u64) -> Self {
        match i64::try_from(v) {
            Ok(v) => Self::Int(v),
            Err(_) => Self::Text(format!("{v:020}").into()),
        }
    }

    /// The same value, owning its data.
    pub fn into_owned(self) -> Cell<'static> {
        match self {
            Self::Null => Cell::Null,
            Self::Int(v) => Cell::Int(v),
            Self::Real(v) => Cell::Real(v),
            Self::Text(v) => Cell::Text(Cow::Owned(v.into_owned())),
            Self::Blob(v) => Cell::Blob(Cow::Owned(v.into_owned())),
        }
    }

    /// What SQLite gave back; TEXT that is no UTF-8 comes as BLOB.
    pub fn of_ref(value: ValueRef<'a>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(v) => Self::Int(v),
            ValueRef::Real(v) => Self::Real(v),
            ValueRef::Text(v) => utf8_or_blob(v),
            ValueRef::Blob(v) => Self::Blob(v.into()),
        }
    }

    /// The value as an SQLite literal.
    pub fn literal(&self) -> String {
        match self {
            Self::Null => "NULL".to_owned(),
            Self::Int(v) => v.to_string(),
            Self::Real(v) => format!("{v:e}"),
            // A zero byte would end the text of the statement.
            Self::Text(v) if v.contains('\0') => {
                format!("CAST({} AS TEXT)", hex(v.as_bytes()))
            }
            Self::Text(v) => format!("'{}'", v.replace('\'', "''")),
            Self::Blob(v) => hex(v),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::new();
    crate::sql::push_hex(&mut out, bytes);
    out
}

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(v) => ValueRef::Integer(*v),
            Self::Real(v) => ValueRef::Real(*v),
            Self::Text(v) => ValueRef::Text(v.as_bytes()),
            Self::Blob(v) => ValueRef::Blob(v),
        }))
    }
}

/// Why a value cannot be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// An unsigned integer above 2^63-1 for a signed column.
    Range,
    /// An ENUM or SET number without a label.
    Label,
    /// An SQL expression whose text was not given.
    Expression,
    /// A number that is none.
    Number,
    /// A kind of value that this version does not know.
    Kind,
}

impl Misfit {
    /// The reason in words.
    pub fn why(self) -> &'static str {
        match self {
            Self::Range => "an unsigned integer above 9223372036854775807 in a signed column",
            Self::Label => "an ENUM or SET member that the column's definition does not have",
            Self::Expression => "an SQL expression, which only a MySQL server can compute",
            Self::Number => "a text that is no number in a column of numbers",
            Self::Kind => "an unknown kind of value",
        }
    }
}

/// A column of the target as values see it.
#[derive(Clone, Debug)]
pub struct Place {
    /// Name, for messages.
    pub name: String,
    /// How its values are stored.
    pub storage: Storage,
    /// Labels of the target's ENUM or SET, used when the source's are not known.
    pub labels: Vec<String>,
}

/// A value of the stream for a column of the target. `info` has the labels of the source.
pub fn of_value<'a>(
    value: &'a Value<'_>,
    info: Option<&ColumnInfo>,
    place: &Place,
) -> Result<Cell<'a>, Misfit> {
    let printed = |push: &dyn Fn(&mut String)| {
        let mut text = String::with_capacity(26);
        push(&mut text);
        Cell::Text(text.into())
    };
    let cell = match value {
        Value::Null => Cell::Null,
        Value::Int(v) => Cell::Int(*v),
        Value::UInt(v) | Value::Bit(v) => return of_unsigned(*v, place.storage),
        Value::Float(v) => Cell::Real(f64::from(*v)),
        Value::Double(v) => Cell::Real(*v),
        Value::Decimal(v) => return of_number(v, place.storage),
        Value::Text(v) => Cell::Text(Cow::Borrowed(v.as_ref())),
        Value::Encoded(v) => decode(v.charset, &v.bytes),
        Value::Bytes(v) | Value::Geometry(v) | Value::Vector(v) => {
            Cell::Blob(Cow::Borrowed(v.as_ref()))
        }
        Value::Date(v) => Cell::Text(format!("{:04}-{:02}-{:02}", v.year, v.month, v.day).into()),
        Value::DateTime(v) => printed(&|out| push_datetime(out, v)),
        Value::Timestamp(v) => printed(&|out| push_timestamp(out, v)),
        Value::Time(v) => printed(&|out| push_time(out, v)),
        Value::Year(v) => Cell::Int(i64::from(*v)),
        Value::Enum(v) => Cell::Text(enum_label(*v, labels(info, place))?.into()),
        Value::Set(v) => Cell::Text(set_labels(*v, labels(info, place))?.into()),
        Value::Json(v) => Cell::Text(Cow::Borrowed(v.text.as_ref())),
        _ => return Err(Misfit::Kind),
    };
    settle(cell, place.storage)
}

/// A cell of the copy for a column of the target. `text` is the value of an SQL cell as text.
pub fn of_copy<'a>(
    kind: &CellKind,
    cell: CellRef<'a>,
    text: Option<&'a [u8]>,
    place: &Place,
) -> Result<Cell<'a>, Misfit> {
    let bytes = match cell {
        CellRef::Null => return Ok(Cell::Null),
        CellRef::Sql(_) => text.ok_or(Misfit::Expression)?,
        CellRef::Value(bytes) => bytes,
    };
    let cell = match kind {
        CellKind::Number => {
            let text = std::str::from_utf8(bytes).map_err(|_| Misfit::Number)?;
            return of_number(text, place.storage);
        }
        CellKind::Text | CellKind::Json => utf8_or_blob(bytes),
        CellKind::Encoded(charset) => decode(charset, bytes),
        CellKind::Bit => {
            let value = bytes.iter().try_fold(0u64, |v, &b| {
                (v >> 56 == 0).then_some((v << 8) | u64::from(b)).ok_or(Misfit::Number)
            })?;
            return of_unsigned(value, place.storage);
        }
        CellKind::Bytes | CellKind::Geometry | CellKind::Vector => Cell::Blob(bytes.into()),
    };
    settle(cell, place.storage)
}

/// Text given by a route's extra column.
pub fn of_extra<'a>(text: &'a str, place: &Place) -> Result<Cell<'a>, Misfit> {
    settle(Cell::Text(text.into()), place.storage)
}

fn labels<'a>(info: Option<&'a ColumnInfo>, place: &'a Place) -> &'a [String] {
    match info {
        Some(info) if !info.labels.is_empty() => &info.labels,
        _ => &place.labels,
    }
}

fn enum_label(number: u32, labels: &[String]) -> Result<String, Misfit> {
    match number.checked_sub(1) {
        // The error value prints as the empty string.
        None => Ok(String::new()),
        Some(index) => labels.get(index as usize).cloned().ok_or(Misfit::Label),
    }
}

fn set_labels(bits: u64, labels: &[String]) -> Result<String, Misfit> {
    let mut out = String::new();
    for i in (0..64).filter(|i| bits & (1u64 << i) != 0) {
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str(labels.get(i).ok_or(Misfit::Label)?);
    }
    Ok(out)
}

fn utf8_or_blob(bytes: &[u8]) -> Cell<'_> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cell::Text(text.into()),
        Err(_) => Cell::Blob(bytes.into()),
    }
}

fn of_unsigned<'a>(v: u64, storage: Storage) -> Result<Cell<'a>, Misfit> {
    match storage {
        Storage::Text | Storage::Decimal => Ok(Cell::Text(v.to_string().into())),
        Storage::Real | Storage::Single => Ok(Cell::Real(v as f64)),
        Storage::Wide | Storage::Blob => Ok(Cell::wide(v)),
        Storage::Integer => i64::try_from(v).map(Cell::Int).map_err(|_| Misfit::Range),
    }
}

/// A number as text, zero-filled or not, into the form of its column.
fn of_number(text: &str, storage: Storage) -> Result<Cell<'_>, Misfit> {
    match storage {
        Storage::Integer => match text.parse::<i64>() {
            Ok(v) => Ok(Cell::Int(v)),
            Err(_) if text.parse::<u64>().is_ok() => Err(Misfit::Range),
            // A decimal in a column of integers: SQLite's affinity keeps what is no integer.
            Err(_) => Ok(Cell::Text(text.into())),
        },
        Storage::Wide => match (text.parse::<u64>(), text.parse::<i64>()) {
            (Ok(v), _) => Ok(Cell::wide(v)),
            (_, Ok(v)) => Ok(Cell::Int(v)),
            _ => Err(Misfit::Number),
        },
        // A FLOAT is read as 32 bits first: `0.1` and its longer form are the same value.
        Storage::Single => {
            text.parse::<f32>().map(|v| Cell::Real(f64::from(v))).map_err(|_| Misfit::Number)
        }
        Storage::Real => text.parse().map(Cell::Real).map_err(|_| Misfit::Number),
        Storage::Decimal => Ok(Cell::Text(plain_decimal(text))),
        Storage::Text => Ok(Cell::Text(text.into())),
        Storage::Blob => Ok(Cell::Blob(text.as_bytes().into())),
    }
}

/// ZEROFILL shows in the text of the copy and not in the stream: both become the plain number.
pub fn plain_decimal(text: &str) -> Cow<'_, str> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let stripped = digits.trim_start_matches('0');
    let lacks_digit = !stripped.starts_with(|c: char| c.is_ascii_digit());
    let zero = stripped.bytes().all(|b| matches!(b, b'0' | b'.'));
    let sign = if zero { "" } else { sign };
    if !lacks_digit && sign.len() + stripped.len() == text.len() {
        return Cow::Borrowed(text);
    }
    if lacks_digit && sign.len() + 1 + stripped.len() == text.len() && digits.starts_with('0') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{sign}{}{stripped}", if lacks_digit { "0" } else { "" }))
}

/// Brings a cell into the storage class of its column where that is exact.
fn settle(cell: Cell<'_>, storage: Storage) -> Result<Cell<'_>, Misfit> {
    Ok(match (storage, cell) {
        (_, Cell::Null) => Cell::Null,
        (Storage::Integer | Storage::Wide, Cell::Text(text)) => {
            match (text.parse::<i64>(), text.parse::<u64>()) {
                (Ok(v), _) => Cell::Int(v),
                (_, Ok(v)) => return of_unsigned(v, storage),
                _ => Cell::Text(text),
            }
        }
        (Storage::Real, Cell::Text(text)) => match text.parse() {
            Ok(v) => Cell::Real(v),
            Err(_) => Cell::Text(text),
        },
        (Storage::Single, Cell::Text(text)) => match text.parse::<f32>() {
            Ok(v) => Cell::Real(f64::from(v)),
            Err(_) => Cell::Text(text),
        },
        (Storage::Decimal, Cell::Text(text)) => {
            Cell::Text(plain_decimal(&text).into_owned().into())
        }
        (Storage::Decimal | Storage::Text, Cell::Int(v)) => Cell::Text(v.to_string().into()),
        (Storage::Real | Storage::Single, Cell::Int(v)) => Cell::Real(v as f64),
        (Storage::Text, Cell::Blob(bytes)) => match bytes {
            Cow::Borrowed(bytes) => utf8_or_blob(bytes),
            Cow::Owned(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Cell::Text(text.into()),
                Err(e) => Cell::Blob(e.into_bytes().into()),
            },
        },
        (Storage::Blob, Cell::Text(Cow::Borrowed(text))) => Cell::Blob(text.as_bytes().into()),
        (Storage::Blob, Cell::Text(Cow::Owned(text))) => Cell::Blob(text.into_bytes().into()),
        (_, cell) => cell,
    })
}

/// Text of another character set as UTF-8, when it reads back to the same bytes; otherwise the
/// bytes themselves. Both are functions of the bytes alone, so equal values stay equal.
fn decode<'a>(charset: &str, bytes: &'a [u8]) -> Cell<'a> {
    if bytes.is_ascii() && is_ascii_superset(charset) {
        return utf8_or_blob(bytes);
    }
    match wide_text(charset, bytes).or_else(|| legacy_text(charset, bytes)) {
        Some(text) => Cell::Text(text.into()),
        None => Cell::Blob(bytes.into()),
    }
}

fn is_ascii_superset(charset: &str) -> bool {
    !matches!(charset, "ucs2" | "utf16" | "utf16le" | "utf32" | "swe7" | "binary")
}

/// UCS-2, UTF-16 and UTF-32, which are UTF-8 in other clothes.
fn wide_text(charset: &str, bytes: &[u8]) -> Option<String> {
    let units = |little: bool| -> Option<Vec<u16>> {
        let (pairs, rest) = bytes.as_chunks::<2>();
        let unit =
            |&p: &[u8; 2]| if little { u16::from_le_bytes(p) } else { u16::from_be_bytes(p) };
        rest.is_empty().then(|| pairs.iter().map(unit).collect())
    };
    match charset {
        "ucs2" | "utf16" => String::from_utf16(&units(false)?).ok(),
        "utf16le" => String::from_utf16(&units(true)?).ok(),
        "utf32" => {
            let (quads, rest) = bytes.as_chunks::<4>();
            if !rest.is_empty() {
                return None;
            }
            quads.iter().map(|&q| char::from_u32(u32::from_be_bytes(q))).collect()
        }
        _ => None,
    }
}

fn legacy_text(charset: &str, bytes: &[u8]) -> Option<String> {
    let encoding = encoding(charset)?;
    let text = encoding.decode_without_bom_handling_and_without_replacement(bytes)?;
    let (back, _, unmappable) = encoding.encode(&text);
    (!unmappable && back.as_ref() == bytes).then(|| text.into_owned())
}

/// The decoder of MySQL's name of a character set; `None` where there is none of the same set.
fn encoding(charset: &str) -> Option<&'static encoding_rs::Encoding> {
    match charset {
        // MySQL's latin1 is cp1252 with its five holes filled, as in the web's decoder.
        "latin1" => Some(encoding_rs::WINDOWS_1252),
        other => crate::binlog::charset::legacy(other),
    }
}

/// Text of a column in the bytes of its character set; `None` when there is no exact way.
pub fn encode<'a>(charset: &str, text: &'a str) -> Option<Cow<'a, [u8]>> {
    if charset.starts_with("utf8") || (text.is_ascii() && is_ascii_superset(charset)) {
        return Some(Cow::Borrowed(text.as_bytes()));
    }
    let (bytes, _, unmappable) = encoding(charset)?.encode(text);
    (!unmappable).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use dm_filter::{Encoded, Json, Time, Timestamp};
    use proptest::prelude::*;

    use super::*;

    fn place(storage: Storage) -> Place {
        Place { name: "c".into(), storage, labels: vec!["a".into(), "b".into()] }
    }

    fn stream(value: &Value<'_>, storage: Storage) -> Result<Cell<'static>, Misfit> {
        of_value(value, None, &place(storage)).map(Cell::into_owned)
    }

    fn copy(kind: CellKind, bytes: &[u8], storage: Storage) -> Result<Cell<'static>, Misfit> {
        of_copy(&kind, CellRef::Value(bytes), None, &place(storage)).map(Cell::into_owned)
    }

    /// Each kind of value, how the copy shows it, and what both become.
    #[test]
    fn copy_and_stream_agree() {
        let time =
            Time { negative: true, hours: 1, micro: 500_000, decimals: 2, ..Time::default() };
        let stamp = Timestamp { seconds: 1, micro: 0, decimals: 0 };
        let gbk = Encoded { charset: "gbk", bytes: vec![0xb0, 0xa1].into() };
        let dec8 = Encoded { charset: "dec8", bytes: vec![0xe4].into() };
        let json = Json { text: "{\"a\": 1}".into(), typed: vec![] };
        use {CellKind as K, Storage as S};
        let cases: Vec<(Value<'_>, K, &[u8], S, Cell<'_>)> = vec![
            (Value::Int(-5), K::Number, b"-5", S::Integer, Cell::Int(-5)),
            (Value::UInt(7), K::Number, b"00007", S::Integer, Cell::Int(7)),
            (Value::UInt(7), K::Number, b"7", S::Wide, Cell::Int(7)),
            (
                Value::UInt(u64::MAX),
                K::Number,
                b"18446744073709551615",
                S::Wide,
                Cell::text("18446744073709551615"),
            ),
            (
                Value::UInt(1 << 63),
                K::Number,
                b"9223372036854775808",
                S::Wide,
                Cell::text("09223372036854775808"),
            ),
            (Value::Float(0.1), K::Number, b"0.1", S::Single, Cell::Real(f64::from(0.1f32))),
            (Value::Double(0.1), K::Number, b"0.1", S::Real, Cell::Real(0.1)),
            (Value::Decimal("-0.50".into()), K::Number, b"-0.50", S::Decimal, Cell::text("-0.50")),
            (Value::Decimal("1.50".into()), K::Number, b"0001.50", S::Decimal, Cell::text("1.50")),
            (Value::Text("é".into()), K::Text, "é".as_bytes(), S::Text, Cell::text("é")),
            (Value::Encoded(gbk), K::Encoded("gbk"), &[0xb0, 0xa1], S::Text, Cell::text("啊")),
            (Value::Encoded(dec8), K::Encoded("dec8"), &[0xe4], S::Text, Cell::blob(vec![0xe4])),
            (
                Value::Bytes(vec![0, 255].into()),
                K::Bytes,
                &[0, 255],
                S::Blob,
                Cell::blob(vec![0, 255]),
            ),
            (Value::Time(time), K::Text, b"-01:00:00.50", S::Text, Cell::text("-01:00:00.50")),
            (
                Value::Timestamp(stamp),
                K::Text,
                b"1970-01-01 00:00:01",
                S::Text,
                Cell::text("1970-01-01 00:00:01"),
            ),
            (Value::Year(2024), K::Number, b"2024", S::Integer, Cell::Int(2024)),
            (Value::Year(0), K::Text, b"0000", S::Integer, Cell::Int(0)),
            (Value::Bit(258), K::Bit, &[1, 2], S::Integer, Cell::Int(258)),
            (Value::Bit(u64::MAX), K::Bit, &[255; 8], S::Wide, Cell::text("18446744073709551615")),
            (Value::Enum(2), K::Text, b"b", S::Text, Cell::text("b")),
            (Value::Enum(0), K::Text, b"", S::Text, Cell::text("")),
            (Value::Set(3), K::Text, b"a,b", S::Text, Cell::text("a,b")),
            (Value::Json(json), K::Json, b"{\"a\": 1}", S::Text, Cell::text("{\"a\": 1}")),
            (
                Value::Geometry(vec![0; 25].into()),
                K::Geometry,
                &[0; 25],
                S::Blob,
                Cell::blob(vec![0; 25]),
            ),
            (Value::Vector(vec![1; 4].into()), K::Vector, &[1; 4], S::Blob, Cell::blob(vec![1; 4])),
        ];
        for (value, kind, bytes, storage, want) in cases {
            assert_eq!(stream(&value, storage), Ok(want.clone()), "{value:?}");
            assert_eq!(copy(kind, bytes, storage), Ok(want), "copy of {value:?}");
        }
    }

    #[test]
    fn what_would_change_is_refused() {
        assert_eq!(stream(&Value::UInt(u64::MAX), Storage::Integer), Err(Misfit::Range));
        assert_eq!(stream(&Value::Enum(3), Storage::Text), Err(Misfit::Label));
        assert_eq!(stream(&Value::Set(4), Storage::Text), Err(Misfit::Label));
        assert_eq!(copy(CellKind::Number, b"x", Storage::Wide), Err(Misfit::Number));
        let sql = of_copy(&CellKind::Json, CellRef::Sql("1"), None, &place(Storage::Text));
        assert_eq!(sql, Err(Misfit::Expression));
        let given =
            of_copy(&CellKind::Json, CellRef::Sql("1"), Some(b"1.50"), &place(Storage::Text));
        assert_eq!(given, Ok(Cell::text("1.50")));
    }

    #[test]
    fn decimals_without_zerofill() {
        for (text, want) in [
            ("0", "0"),
            ("0.00", "0.00"),
            ("-0.00", "0.00"),
            ("00.50", "0.50"),
            ("-00012", "-12"),
            ("100", "100"),
            ("000", "0"),
            (".5", "0.5"),
            ("+1", "1"),
        ] {
            assert_eq!(plain_decimal(text), want, "{text}");
        }
    }

    proptest! {
        #[test]
        fn wide_integers_keep_their_order(a: u64, b: u64) {
            // SQLite: integers before text, text by bytes.
            let rank = |cell: &Cell<'_>| match cell {
                Cell::Int(v) => (0, *v, String::new()),
                Cell::Text(t) => (1, 0, t.to_string()),
                _ => (2, 0, String::new()),
            };
            prop_assert_eq!(rank(&Cell::wide(a)).cmp(&rank(&Cell::wide(b))), a.cmp(&b));
        }

        #[test]
        fn decoding_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..40), at in 0usize..8) {
            let charset = ["gbk", "sjis", "utf16", "utf32", "euckr", "latin1", "geostd8", "swe7"][at];
            match decode(charset, &bytes) {
                Cell::Text(text) => {
                    let back = encode(charset, &text);
                    prop_assert!(back.is_none_or(|b| b.as_ref() == bytes.as_slice()));
                }
                other => prop_assert_eq!(other, Cell::blob(bytes.clone())),
            }
        }
    }
}
