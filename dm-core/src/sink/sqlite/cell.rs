//! Values of the stream and cells of the copy in the form in which SQLite stores them. Pure.
//!
//! Guarantee: a value gives the same stored form whichever way it came, by the copy as text or by
//! the stream as a typed value. Rows are found again by these forms, so a difference would lose an
//! update. What cannot be stored without changing it is an error.

mod charset;
mod settle;

use std::borrow::Cow;

use dm_filter::{ColumnInfo, Value};
use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::event::{CellKind, CellRef};
use crate::sql::{push_datetime, push_time, push_timestamp};

use self::charset::decode;
pub(super) use self::charset::encode;
pub(super) use self::settle::plain_decimal;
use self::settle::{of_number, of_unsigned, settle};
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

#[cfg(test)]
mod tests;
