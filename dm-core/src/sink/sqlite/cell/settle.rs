//! Values in the storage class of their column, where that is exact.

use std::borrow::Cow;

use super::super::types::Storage;
use super::{Cell, Misfit, utf8_or_blob};

pub(super) fn of_unsigned<'a>(v: u64, storage: Storage) -> Result<Cell<'a>, Misfit> {
    match storage {
        Storage::Text | Storage::Decimal => Ok(Cell::Text(v.to_string().into())),
        Storage::Real | Storage::Single => Ok(Cell::Real(v as f64)),
        Storage::Wide | Storage::Blob => Ok(Cell::wide(v)),
        Storage::Integer => i64::try_from(v).map(Cell::Int).map_err(|_| Misfit::Range),
    }
}

/// A number as text, zero-filled or not, into the form of its column.
pub(super) fn of_number(text: &str, storage: Storage) -> Result<Cell<'_>, Misfit> {
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
pub(in crate::sink::sqlite) fn plain_decimal(text: &str) -> Cow<'_, str> {
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
pub(super) fn settle(cell: Cell<'_>, storage: Storage) -> Result<Cell<'_>, Misfit> {
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
