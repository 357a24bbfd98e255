//! Values as literals.

use std::borrow::Cow;
use std::fmt::Write as _;

use dm_filter::{ColumnInfo, Json, Value};

use super::calendar::{push_date, push_datetime, push_time, push_timestamp};
use super::quote::{push_hex, push_string};
use crate::event::{CellKind, CellRef};

/// Appends the literal of a value of the stream. `column` gives the labels of ENUM and SET;
/// without it, or for an ENUM's error value, the number is written.
pub fn push_value(out: &mut String, value: &Value<'_>, column: Option<&ColumnInfo>) {
    match value {
        Value::Null => out.push_str("NULL"),
        Value::Int(v) => {
            if *v < 0 {
                out.push('-');
            }
            push_number(out, v.unsigned_abs());
        }
        Value::UInt(v) | Value::Bit(v) => push_number(out, *v),
        Value::Float(v) => push_double(out, f64::from(*v)),
        Value::Double(v) => push_double(out, *v),
        Value::Decimal(v) => out.push_str(v),
        Value::Text(v) => push_string(out, v),
        Value::Encoded(v) => {
            out.push('_');
            out.push_str(v.charset);
            out.push(' ');
            push_hex(out, &v.bytes);
        }
        Value::Bytes(v) | Value::Geometry(v) | Value::Vector(v) => push_hex(out, v),
        Value::Date(v) => quoted(out, |out| push_date(out, *v)),
        Value::DateTime(v) => quoted(out, |out| push_datetime(out, v)),
        Value::Timestamp(v) => quoted(out, |out| push_timestamp(out, v)),
        Value::Time(v) => quoted(out, |out| push_time(out, v)),
        // A number, not a string: '0' would be the year 2000.
        Value::Year(v) => push_number(out, u64::from(*v)),
        Value::Enum(v) => match label(column, *v) {
            Some(label) => push_string(out, label),
            None => push_number(out, u64::from(*v)),
        },
        Value::Set(v) => push_set(out, *v, column),
        Value::Json(v) => push_json(out, v),
        other => push_string(out, &format!("{other:?}")),
    }
}

/// Appends a number: without the way through `fmt`, which is longer than the number.
pub fn push_number(out: &mut String, mut v: u64) {
    /// Digits of the largest.
    const DIGITS: usize = 20;
    let mut text = [b'0'; DIGITS];
    let mut at = DIGITS;
    for (i, slot) in text.iter_mut().enumerate().rev() {
        *slot = b'0' + (v % 10) as u8;
        at = i;
        v /= 10;
        if v == 0 {
            break;
        }
    }
    // Digits are UTF-8.
    out.push_str(text.get(at..).and_then(|t| std::str::from_utf8(t).ok()).unwrap_or_default());
}

fn quoted(out: &mut String, f: impl FnOnce(&mut String)) {
    out.push('\'');
    f(out);
    out.push('\'');
}

/// The shortest text that reads back as the same double, always as a floating-point literal. A
/// FLOAT goes through its exact double, so that rounding back cannot miss it.
fn push_double(out: &mut String, v: f64) {
    let _ = write!(out, "{v:e}");
}

fn label(column: Option<&ColumnInfo>, number: u32) -> Option<&str> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    column?.labels.get(index).map(String::as_str)
}

fn push_set(out: &mut String, bits: u64, column: Option<&ColumnInfo>) {
    let labels = match column {
        Some(c) if !c.labels.is_empty() => &c.labels,
        _ => return push_number(out, bits),
    };
    let mut names = String::new();
    for (i, label) in labels.iter().enumerate().take(64) {
        if bits & (1 << i) != 0 {
            if !names.is_empty() {
                names.push(',');
            }
            names.push_str(label);
        }
    }
    push_string(out, &names);
}

/// Appends a JSON document. Places whose type the text loses are put in by JSON_REPLACE.
pub fn push_json(out: &mut String, json: &Json<'_>) {
    match json.typed.as_slice() {
        [] => push_string(out, &json.text),
        [only] if only.path == "$" => {
            out.push_str("CAST(");
            out.push_str(&only.sql);
            out.push_str(" AS JSON)");
        }
        typed => {
            out.push_str("JSON_REPLACE(");
            push_string(out, &json.text);
            for place in typed {
                out.push(',');
                push_string(out, &place.path);
                out.push(',');
                out.push_str(&place.sql);
            }
            out.push(')');
        }
    }
}

/// Appends the literal of a cell of the copy.
pub fn push_cell(out: &mut String, kind: &CellKind, cell: CellRef<'_>) {
    let bytes = match cell {
        CellRef::Null => return out.push_str("NULL"),
        CellRef::Sql(sql) => return out.push_str(sql),
        CellRef::Value(bytes) => bytes,
    };
    match kind {
        CellKind::Number => match std::str::from_utf8(bytes) {
            Ok(text) => out.push_str(text),
            Err(_) => push_string(out, &lossless(bytes)),
        },
        CellKind::Text | CellKind::Json => match std::str::from_utf8(bytes) {
            Ok(text) => push_string(out, text),
            // Bytes that are no UTF-8 stand in the column against its declaration; the server
            // decides, by its own rules and loudly, whether it takes them.
            Err(_) => {
                out.push_str("_utf8mb4 ");
                push_hex(out, bytes);
            }
        },
        CellKind::Encoded(charset) => {
            out.push('_');
            out.push_str(charset);
            out.push(' ');
            push_hex(out, bytes);
        }
        CellKind::Bytes | CellKind::Bit | CellKind::Geometry | CellKind::Vector => {
            push_hex(out, bytes);
        }
    }
}

fn lossless(bytes: &[u8]) -> Cow<'_, str> {
    bytes.iter().map(|&b| char::from(b)).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dm_filter::{Encoded, JsonTyped, Time};

    use super::*;

    fn lit(value: &Value<'_>) -> String {
        let mut out = String::new();
        push_value(&mut out, value, None);
        out
    }

    #[test]
    fn numbers_read_back_exactly() {
        assert_eq!(lit(&Value::Int(i64::MIN)), "-9223372036854775808");
        assert_eq!(lit(&Value::UInt(u64::MAX)), "18446744073709551615");
        assert_eq!(lit(&Value::Double(0.1)), "1e-1");
        assert_eq!(lit(&Value::Double(-0.0)), "-0e0");
        assert_eq!(lit(&Value::Double(f64::MAX)), "1.7976931348623157e308");
        assert_eq!(lit(&Value::Float(0.1)), "1.0000000149011612e-1");
        assert_eq!(lit(&Value::Decimal("-0.50".into())), "-0.50");
        assert_eq!(lit(&Value::Year(0)), "0");
    }

    #[test]
    fn other_charsets_go_with_an_introducer() {
        let v = Value::Encoded(Encoded { charset: "gbk", bytes: vec![0xb0, 0xa1].into() });
        assert_eq!(lit(&v), "_gbk x'B0A1'");
    }

    #[test]
    fn labels_when_known_numbers_when_not() {
        let labels: Arc<[String]> = ["a".to_owned(), "it's".to_owned()].into();
        let column = ColumnInfo { labels, ..ColumnInfo::named("e") };
        let mut out = String::new();
        for v in [Value::Enum(2), Value::Enum(0), Value::Set(3), Value::Set(0)] {
            push_value(&mut out, &v, Some(&column));
            out.push(' ');
        }
        assert_eq!(out, "'it\\'s' 0 'a,it\\'s' '' ");
        assert_eq!(lit(&Value::Enum(2)), "2");
    }

    #[test]
    fn json_keeps_its_types() {
        let typed =
            vec![JsonTyped { path: "$.a".into(), sql: "CAST('1.50' AS DECIMAL(3,2))".into() }];
        let v = Value::Json(Json { text: r#"{"a": 1.50}"#.into(), typed });
        assert_eq!(lit(&v), r#"JSON_REPLACE('{"a": 1.50}','$.a',CAST('1.50' AS DECIMAL(3,2)))"#);
    }

    #[test]
    fn numbers_are_those_of_the_library() {
        for n in [0, 1, 9, 10, 99, 100, 12_345, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            assert_eq!(lit(&Value::UInt(n)), n.to_string());
            assert_eq!(lit(&Value::Int(n as i64)), (n as i64).to_string());
        }
        assert_eq!(lit(&Value::Int(i64::MIN)), i64::MIN.to_string());
    }

    #[test]
    fn temporal_values() {
        let t = Time { hours: 838, minutes: 59, seconds: 59, ..Time::default() };
        assert_eq!(lit(&Value::Time(t)), "'838:59:59'");
        assert_eq!(lit(&Value::Date(dm_filter::Date::default())), "'0000-00-00'");
    }

    #[test]
    fn cells() {
        let mut out = String::new();
        push_cell(&mut out, &CellKind::Text, CellRef::Value(b"a'b"));
        push_cell(&mut out, &CellKind::Bit, CellRef::Value(&[1, 2]));
        push_cell(&mut out, &CellKind::Number, CellRef::Null);
        push_cell(&mut out, &CellKind::Encoded("sjis"), CellRef::Value(&[0x82]));
        assert_eq!(out, "'a\\'b'x'0102'NULL_sjis x'82'");
    }
}
