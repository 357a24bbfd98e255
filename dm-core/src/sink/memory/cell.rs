//! One form for a value, whichever way it came.
//!
//! The copy brings text as the source printed it, the stream brings typed values. Here both become
//! the same [`Cell`], so that a copied row and a replicated one compare equal exactly when they are.

use std::fmt;

use dm_filter::{ColumnInfo, Value};

use crate::event::{CellKind, CellRef};
use crate::schema::{Column, TypeKind};
use crate::sql::{push_datetime, push_json, push_time, push_timestamp};

/// A stored value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cell {
    /// SQL NULL.
    Null,
    /// Everything that prints as text: numbers, strings, temporal values, labels, JSON.
    Text(String),
    /// Binary strings, geometries, vectors, and text in a character set that is not converted.
    Bytes(Vec<u8>),
    /// An expression that gives the value; it is kept, not computed.
    Sql(String),
}

impl Cell {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }
}

impl fmt::Display for Cell {
    /// For reading: `NULL`, the text, `x'6162'`, the expression in parentheses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Text(text) => f.write_str(text),
            Self::Bytes(bytes) => {
                f.write_str("x'")?;
                bytes.iter().try_for_each(|b| write!(f, "{b:02x}"))?;
                f.write_str("'")
            }
            Self::Sql(sql) => write!(f, "({sql})"),
        }
    }
}

/// A value of the stream. `info` describes it at the source, `column` is where it goes.
pub(super) fn of_value(value: &Value<'_>, info: Option<&ColumnInfo>, column: &Column) -> Cell {
    let mut text = String::new();
    match value {
        Value::Null => return Cell::Null,
        Value::Int(v) => text = v.to_string(),
        Value::UInt(v) | Value::Bit(v) => text = v.to_string(),
        Value::Float(v) => return float(f64::from(*v), column),
        Value::Double(v) => return float(*v, column),
        Value::Decimal(v) => text.push_str(v),
        Value::Text(v) => text.push_str(v),
        Value::Encoded(v) => return Cell::Bytes(v.bytes.to_vec()),
        Value::Bytes(v) | Value::Geometry(v) | Value::Vector(v) => return Cell::Bytes(v.to_vec()),
        Value::Date(v) => text = format!("{:04}-{:02}-{:02}", v.year, v.month, v.day),
        Value::DateTime(v) => push_datetime(&mut text, v),
        Value::Timestamp(v) => push_timestamp(&mut text, v),
        Value::Time(v) => push_time(&mut text, v),
        Value::Year(v) => text = format!("{v:04}"),
        Value::Enum(v) => text = label(*v, info, column),
        Value::Set(v) => text = members(*v, info, column),
        Value::Json(v) if v.typed.is_empty() => text.push_str(&v.text),
        Value::Json(v) => {
            push_json(&mut text, v);
            return Cell::Sql(text);
        }
        other => text = format!("{other:?}"),
    }
    of_text(text, column)
}

/// A value of the copy.
pub(super) fn of_cell(cell: CellRef<'_>, kind: &CellKind, column: &Column) -> Cell {
    let bytes = match cell {
        CellRef::Null => return Cell::Null,
        CellRef::Sql(sql) => return Cell::Sql(sql.to_owned()),
        CellRef::Value(bytes) => bytes,
    };
    match kind {
        CellKind::Bit => {
            let number = bytes.iter().fold(0u64, |n, b| (n << 8) | u64::from(*b));
            Cell::Text(number.to_string())
        }
        CellKind::Number | CellKind::Text | CellKind::Json => match std::str::from_utf8(bytes) {
            Ok(text) => of_text(text.to_owned(), column),
            Err(_) => Cell::Bytes(bytes.to_vec()),
        },
        _ => Cell::Bytes(bytes.to_vec()),
    }
}

/// A text as the column would print it: no leading zeros of ZEROFILL, floats by their value.
pub(super) fn of_text(text: String, column: &Column) -> Cell {
    use TypeKind as T;
    match column.ty.kind {
        T::TinyInt | T::SmallInt | T::MediumInt | T::Int | T::BigInt => {
            Cell::Text(text.parse::<i128>().map_or(text, |n| n.to_string()))
        }
        T::Float | T::Double => match text.parse() {
            Ok(v) => float(v, column),
            Err(_) => Cell::Text(text),
        },
        _ => Cell::Text(text),
    }
}

fn float(v: f64, column: &Column) -> Cell {
    #[allow(clippy::cast_possible_truncation)] // rounding to the column's width is meant
    let v = if column.ty.kind == TypeKind::Float { f64::from(v as f32) } else { v };
    // MySQL's zero has no sign in comparisons.
    Cell::Text(if v == 0.0 { "0".to_owned() } else { v.to_string() })
}

fn labels<'a>(info: Option<&'a ColumnInfo>, column: &'a Column) -> &'a [String] {
    match info {
        Some(info) if !info.labels.is_empty() => &info.labels,
        _ => &column.ty.labels,
    }
}

fn label(number: u32, info: Option<&ColumnInfo>, column: &Column) -> String {
    let labels = labels(info, column);
    if labels.is_empty() {
        return number.to_string();
    }
    // Number 0 is the error value '', which has no label.
    let index = (number as usize).checked_sub(1);
    index.and_then(|i| labels.get(i)).cloned().unwrap_or_default()
}

fn members(bits: u64, info: Option<&ColumnInfo>, column: &Column) -> String {
    let labels = labels(info, column);
    if labels.is_empty() {
        return bits.to_string();
    }
    let chosen = labels.iter().take(64).enumerate().filter(|(i, _)| bits & (1 << i) != 0);
    chosen.map(|(_, label)| label.as_str()).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use dm_filter::{Date, DateTime, Json, JsonTyped, Timestamp};

    use super::*;
    use crate::schema::ColumnType;

    fn column(kind: TypeKind) -> Column {
        Column::new("c", ColumnType::new(kind))
    }

    #[test]
    fn copy_and_stream_meet() {
        let labels = Column {
            ty: ColumnType {
                labels: vec!["a".into(), "b".into(), "c".into()],
                ..ColumnType::new(TypeKind::Set)
            },
            ..column(TypeKind::Set)
        };
        let when = DateTime {
            date: Date { year: 2020, month: 2, day: 0 },
            hour: 1,
            decimals: 3,
            micro: 5000,
            ..DateTime::default()
        };
        let cases: Vec<(Value<'_>, CellKind, &[u8], Column)> = vec![
            (Value::UInt(5), CellKind::Number, b"00005", column(TypeKind::Int)),
            (Value::Int(-5), CellKind::Number, b"-5", column(TypeKind::BigInt)),
            (Value::Float(0.1), CellKind::Number, b"0.10000000149011612", column(TypeKind::Float)),
            (Value::Double(-0.0), CellKind::Number, b"0", column(TypeKind::Double)),
            (Value::Decimal("1.50".into()), CellKind::Number, b"1.50", column(TypeKind::Decimal)),
            (Value::Bit(258), CellKind::Bit, &[1, 2], column(TypeKind::Bit)),
            (Value::Set(0b101), CellKind::Text, b"a,c", labels.clone()),
            (Value::Enum(2), CellKind::Text, b"b", labels.clone()),
            (Value::Enum(0), CellKind::Text, b"", labels),
            (Value::Year(0), CellKind::Number, b"0000", column(TypeKind::Year)),
            (
                Value::DateTime(when),
                CellKind::Text,
                b"2020-02-00 01:00:00.005",
                column(TypeKind::DateTime),
            ),
            (
                Value::Timestamp(Timestamp { seconds: 86_400, ..Timestamp::default() }),
                CellKind::Text,
                b"1970-01-02 00:00:00",
                column(TypeKind::Timestamp),
            ),
            (Value::Bytes(b"\0".as_slice().into()), CellKind::Bytes, b"\0", column(TypeKind::Blob)),
        ];
        for (value, kind, bytes, column) in cases {
            let copied = of_cell(CellRef::Value(bytes), &kind, &column);
            assert_eq!(of_value(&value, None, &column), copied, "{value:?}");
        }
    }

    #[test]
    fn what_text_cannot_say_stays_an_expression() {
        let typed = vec![JsonTyped { path: "$".into(), sql: "CAST('1.5' AS DECIMAL(2,1))".into() }];
        let json = Value::Json(Json { text: "1.5".into(), typed });
        let cell = of_value(&json, None, &column(TypeKind::Json));
        assert_eq!(cell, Cell::Sql("CAST(CAST('1.5' AS DECIMAL(2,1)) AS JSON)".into()));
        assert_ne!(cell, Cell::text("1.5"));
    }
}
