//! Values of a column whose type a statement changes. Pure.
//!
//! The binlog tells the statement and not the converted rows: each server converts its own. Here
//! the conversions are done that have one clear result; for the others the statement is refused
//! when the table holds such a value, because a guess would part the copy from its source
//! silently.

use std::borrow::Cow;

use crate::schema::{ColumnType, TypeKind};
use crate::sql::push_timestamp;

use super::cell::{Cell, encode, plain_decimal};
use super::types::Storage;

/// When and where a statement ran.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Seconds since the epoch; 0 when not known.
    pub at: u32,
    /// Offset of the session's time zone in seconds; `None` when not known.
    pub zone: Option<i64>,
}

impl Stamp {
    /// The offset of a `time_zone` in seconds: `+02:00`, `UTC`.
    pub fn zone_of(text: &str) -> Option<i64> {
        if text.eq_ignore_ascii_case("UTC") {
            return Some(0);
        }
        let (sign, rest) = match text.split_at_checked(1)? {
            ("+", rest) => (1, rest),
            ("-", rest) => (-1, rest),
            _ => return None,
        };
        let (hours, minutes) = rest.split_once(':')?;
        Some(sign * (hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60))
    }

    /// The time as a value of a column of this type.
    pub fn text(&self, ty: &ColumnType) -> Option<String> {
        let shift = match ty.kind {
            TypeKind::Timestamp => 0,
            TypeKind::DateTime => self.zone?,
            _ => return None,
        };
        if self.at == 0 {
            return None;
        }
        let mut out = String::new();
        let decimals = u8::try_from(ty.decimals.unwrap_or(0).min(6)).unwrap_or(6);
        let seconds = i64::from(self.at) + shift;
        push_timestamp(&mut out, &dm_filter::Timestamp { seconds, micro: 0, decimals });
        Some(out)
    }
}

/// Brings a stored value into the form of another type. `from` is the type that it had; `None`
/// for a literal. `None` when there is no clear result.
pub fn convert(
    cell: Cell<'_>,
    from: Option<&ColumnType>,
    to: &ColumnType,
    stamp: &Stamp,
) -> Option<Cell<'static>> {
    if matches!(cell, Cell::Null) {
        return Some(Cell::Null);
    }
    if from.is_some_and(|from| same_form(from, to)) {
        return Some(cell.into_owned());
    }
    let kind = from.map(|f| f.kind);
    let zoned = |k: Option<TypeKind>| k == Some(TypeKind::Timestamp);
    if zoned(kind) != (to.kind == TypeKind::Timestamp) && from.is_some() && stamp.zone != Some(0) {
        return None;
    }
    match Storage::of(to) {
        Storage::Integer | Storage::Wide => to_integer(cell, from, to),
        Storage::Real => number_text(&cell)?.parse().ok().map(Cell::Real),
        Storage::Single => {
            number_text(&cell)?.parse::<f32>().ok().map(|v| Cell::Real(f64::from(v)))
        }
        Storage::Decimal => {
            round_decimal(&number_text(&cell)?, to.decimals.unwrap_or(0)).map(Cell::text)
        }
        Storage::Blob => to_blob(cell, from, to),
        Storage::Text => to_text(cell, from, to),
    }
}

/// True when every value of the one type is stored in the same form under the other.
pub fn same_form(from: &ColumnType, to: &ColumnType) -> bool {
    use TypeKind as T;
    let text = |k| matches!(k, T::VarChar | T::TinyText | T::Text | T::MediumText | T::LongText);
    let blob = |k| matches!(k, T::VarBinary | T::TinyBlob | T::Blob | T::MediumBlob | T::LongBlob);
    let int = |k| matches!(k, T::TinyInt | T::SmallInt | T::MediumInt | T::Int | T::BigInt);
    let (a, b) = (Storage::of(from), Storage::of(to));
    if a == Storage::Blob || b == Storage::Blob {
        return a == b
            && (blob(from.kind) && blob(to.kind)
                || from.kind == to.kind && from.length == to.length);
    }
    if int(from.kind) && int(to.kind) {
        // Narrowing statements succeed at the source only when all values fit.
        return true;
    }
    match (from.kind, to.kind) {
        (x, T::Char) if text(x) => false,
        (x, y) if (text(x) || x == T::Char) && text(y) => true,
        (T::Char, T::Char) | (T::Year, T::Year) | (T::Double, T::Double) | (T::Date, T::Date) => {
            true
        }
        (T::Bit, T::Bit) => a == b,
        (T::Enum, T::Enum) | (T::Set, T::Set) => {
            to.labels.get(..from.labels.len()) == Some(from.labels.as_slice())
        }
        (T::Float, T::Double) => a == Storage::Single,
        (x, y) if x == y => a == b && from.decimals.unwrap_or(0) == to.decimals.unwrap_or(0),
        _ => false,
    }
}

fn to_integer(cell: Cell<'_>, from: Option<&ColumnType>, to: &ColumnType) -> Option<Cell<'static>> {
    if let (Cell::Text(text), Some(from)) = (&cell, from) {
        match from.kind {
            TypeKind::Enum => {
                let at = from.labels.iter().position(|l| l == text.as_ref())?;
                return i64::try_from(at + 1).ok().map(Cell::Int);
            }
            TypeKind::Set
            | TypeKind::Date
            | TypeKind::Time
            | TypeKind::DateTime
            | TypeKind::Timestamp => {
                return None;
            }
            _ => {}
        }
    }
    if let Cell::Blob(bytes) = &cell {
        // A literal in hexadecimal or binary notation.
        let bytes = from.is_none().then_some(bytes)?;
        let value = bytes
            .iter()
            .try_fold(0u64, |v, &b| (v >> 56 == 0).then_some((v << 8) | u64::from(b)))?;
        return in_range(i128::from(value), to);
    }
    let rounded = round_decimal(&number_text(&cell)?, 0)?;
    in_range(rounded.parse().ok()?, to)
}

fn in_range(v: i128, to: &ColumnType) -> Option<Cell<'static>> {
    let bits = match to.kind {
        TypeKind::TinyInt => 8,
        TypeKind::SmallInt => 16,
        TypeKind::MediumInt => 24,
        TypeKind::Int => 32,
        TypeKind::Bit => to.length.unwrap_or(1).min(64),
        TypeKind::Year => {
            return (v == 0 || (1901..=2155).contains(&v)).then_some(Cell::Int(v as i64));
        }
        _ => 64,
    };
    let unsigned = to.unsigned || to.kind == TypeKind::Bit;
    let (low, high) = match unsigned {
        true => (0, (1i128 << bits) - 1),
        false => (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1),
    };
    if !(low..=high).contains(&v) {
        return None;
    }
    match u64::try_from(v) {
        Ok(v) => Some(Cell::wide(v)),
        Err(_) => i64::try_from(v).ok().map(Cell::Int),
    }
}

/// A stored number as plain digits.
fn number_text(cell: &Cell<'_>) -> Option<String> {
    match cell {
        Cell::Int(v) => Some(v.to_string()),
        Cell::Real(v) if v.is_finite() => Some(format!("{v}")),
        Cell::Text(text) => {
            let text = text.trim();
            let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+'));
            let value = text.parse::<f64>().ok()?;
            // An exponent: by way of the double, as the server does.
            Some(if plain { plain_decimal(text).into_owned() } else { format!("{value}") })
        }
        _ => None,
    }
}

/// A decimal with this many digits after the point, rounded half away from zero.
fn round_decimal(text: &str, scale: u32) -> Option<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let scale = scale as usize;
    let mut all: Vec<u8> = whole.bytes().collect();
    all.extend(fraction.bytes().chain(std::iter::repeat(b'0')).take(scale));
    if !all.iter().all(u8::is_ascii_digit) {
        return None;
    }
    if fraction.as_bytes().get(scale).is_some_and(|d| *d >= b'5') {
        let carried = all.iter_mut().rev().all(|d| {
            let nine = *d == b'9';
            *d = if nine { b'0' } else { *d + 1 };
            nine
        });
        if carried {
            all.insert(0, b'1');
        }
    }
    let mut out = String::from_utf8(all).ok()?;
    if scale > 0 {
        out.insert(out.len().checked_sub(scale)?, '.');
    }
    Some(plain_decimal(&format!("{sign}{out}")).into_owned())
}

fn to_blob(cell: Cell<'_>, from: Option<&ColumnType>, to: &ColumnType) -> Option<Cell<'static>> {
    let mut bytes = match cell {
        Cell::Blob(bytes) => bytes.into_owned(),
        Cell::Text(text) => {
            let charset = match from {
                Some(from) if from.charset.is_empty() => "utf8mb4",
                Some(from) => &from.charset,
                None => "utf8mb4",
            };
            encode(charset, &text)?.into_owned()
        }
        Cell::Int(v) => v.to_string().into_bytes(),
        _ => return None,
    };
    if !matches!(
        to.kind,
        TypeKind::Binary
            | TypeKind::VarBinary
            | TypeKind::TinyBlob
            | TypeKind::Blob
            | TypeKind::MediumBlob
            | TypeKind::LongBlob
    ) && from.is_some()
    {
        return None;
    }
    if to.kind == TypeKind::Binary {
        let length = to.length.unwrap_or(1) as usize;
        if bytes.len() < length {
            bytes.resize(length, 0);
        }
    }
    Some(Cell::blob(bytes))
}

fn to_text(cell: Cell<'_>, from: Option<&ColumnType>, to: &ColumnType) -> Option<Cell<'static>> {
    use TypeKind as T;
    if matches!(to.kind, T::Date | T::Time | T::DateTime | T::Timestamp) {
        return temporal(&cell, from, to);
    }
    let text: Cow<'_, str> = match cell {
        Cell::Text(text) => match from.map(|f| f.kind) {
            // A wide integer is stored with leading zeros.
            Some(T::BigInt | T::Bit) => plain_decimal(&text).into_owned().into(),
            _ => text,
        },
        Cell::Int(v) => {
            let zeros = from.filter(|f| f.zerofill).and_then(|f| f.length).unwrap_or(0);
            format!("{v:0width$}", width = zeros as usize).into()
        }
        Cell::Blob(bytes) => match (from, to.charset.starts_with("utf8")) {
            (None, _) | (Some(_), true) => String::from_utf8(bytes.into_owned()).ok()?.into(),
            // Text that has no exact UTF-8 form and stays as it is.
            (Some(from), false)
                if Storage::of(from) == Storage::Text && from.charset == to.charset =>
            {
                return Some(Cell::blob(bytes.into_owned()));
            }
            _ => return None,
        },
        Cell::Real(v) => real_text(v, from)?.into(),
        Cell::Null => return Some(Cell::Null),
    };
    match to.kind {
        T::Enum if text.is_empty() && from.is_some_and(|f| f.kind == T::Enum) => {}
        T::Enum => {
            let label =
                to.labels.iter().find(|l| l.as_str() == text).or_else(|| {
                    to.labels.iter().find(|l| l.eq_ignore_ascii_case(text.trim_end()))
                })?;
            return Some(Cell::text(label.clone()));
        }
        T::Set => return set_text(&text, to),
        T::Char => return Some(Cell::text(text.trim_end_matches(' ').to_owned())),
        T::Json => return None,
        _ => {}
    }
    Some(Cell::text(text.into_owned()))
}

/// Where MySQL and Rust print a number alike.
fn real_text(v: f64, from: Option<&ColumnType>) -> Option<String> {
    if v != 0.0 && !(1e-4..1e15).contains(&v.abs()) {
        return None;
    }
    if from.is_some_and(|f| f.decimals.is_some()) {
        return None;
    }
    match from.map(Storage::of) {
        // The shortest text of the 32 bits; beyond six digits the server rounds.
        Some(Storage::Single) => {
            let text = format!("{}", v as f32);
            (text.bytes().filter(u8::is_ascii_digit).count() <= 6).then_some(text)
        }
        _ => Some(format!("{v}")),
    }
}

fn set_text(text: &str, to: &ColumnType) -> Option<Cell<'static>> {
    let wanted: Vec<&str> = text.split(',').filter(|t| !t.is_empty()).collect();
    let known = |w: &&str| to.labels.iter().any(|l| l.eq_ignore_ascii_case(w));
    if !wanted.iter().all(known) {
        return None;
    }
    let labels: Vec<&str> = to
        .labels
        .iter()
        .map(String::as_str)
        .filter(|l| wanted.iter().any(|w| w.eq_ignore_ascii_case(l)))
        .collect();
    Some(Cell::text(labels.join(",")))
}

fn temporal(cell: &Cell<'_>, from: Option<&ColumnType>, to: &ColumnType) -> Option<Cell<'static>> {
    use TypeKind as T;
    let Cell::Text(text) = cell else { return None };
    let (main, fraction) = text.split_once('.').unwrap_or((text, ""));
    let shape = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect()
    };
    let main = match (to.kind, shape(main).as_str()) {
        (T::Date, "9999-99-99") => main.to_owned(),
        // The server rounds by the fraction before it cuts the time off.
        (T::Date, "9999-99-99 99:99:99") if fraction.bytes().all(|b| b == b'0') => {
            main.get(..10)?.to_owned()
        }
        (T::DateTime | T::Timestamp, "9999-99-99") => format!("{main} 00:00:00"),
        (T::DateTime | T::Timestamp, "9999-99-99 99:99:99") => main.to_owned(),
        (T::Time, "99:99:99" | "999:99:99" | "-99:99:99" | "-999:99:99") => main.to_owned(),
        (T::Time, "9999-99-99 99:99:99") if from.is_some() => main.get(11..)?.to_owned(),
        _ => return None,
    };
    let digits = if to.kind == T::Date { 0 } else { to.decimals.unwrap_or(0) as usize };
    // Cutting digits rounds at the server, with a carry into the date: not done here.
    if fraction.bytes().skip(digits).any(|b| b != b'0') {
        return None;
    }
    let mut out = main;
    if digits > 0 {
        out.push('.');
        out.extend(fraction.chars().chain(std::iter::repeat('0')).take(digits));
    }
    Some(Cell::text(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ty(kind: TypeKind) -> ColumnType {
        ColumnType::new(kind)
    }

    fn scaled(kind: TypeKind, decimals: u32) -> ColumnType {
        ColumnType { decimals: Some(decimals), ..ty(kind) }
    }

    fn run(cell: Cell<'_>, from: ColumnType, to: ColumnType) -> Option<Cell<'static>> {
        convert(cell, Some(&from), &to, &Stamp::default())
    }

    #[test]
    fn clear_conversions() {
        use TypeKind as T;
        let unsigned = ColumnType { unsigned: true, ..ty(T::BigInt) };
        let filled = ColumnType { zerofill: true, length: Some(5), ..ty(T::Int) };
        let size = ColumnType { labels: vec!["S".into(), "M".into()], ..ty(T::Enum) };
        let padded = ColumnType { length: Some(3), ..ty(T::Binary) };
        for (cell, from, to, want) in [
            (Cell::Int(5), ty(T::Int), ty(T::BigInt), Cell::Int(5)),
            (Cell::Int(5), ty(T::Int), ty(T::VarChar), Cell::text("5")),
            (Cell::Int(5), filled, ty(T::VarChar), Cell::text("00005")),
            (Cell::Int(5), ty(T::Int), scaled(T::Decimal, 2), Cell::text("5.00")),
            (Cell::text("12"), ty(T::VarChar), ty(T::Int), Cell::Int(12)),
            (
                Cell::text("9.995"),
                scaled(T::Decimal, 3),
                scaled(T::Decimal, 2),
                Cell::text("10.00"),
            ),
            (Cell::text("-0.4"), scaled(T::Decimal, 1), ty(T::Int), Cell::Int(0)),
            (Cell::text("2.5"), scaled(T::Decimal, 1), ty(T::Int), Cell::Int(3)),
            (
                Cell::text("09223372036854775808"),
                unsigned.clone(),
                ty(T::VarChar),
                Cell::text("9223372036854775808"),
            ),
            (
                Cell::text("09223372036854775808"),
                unsigned,
                scaled(T::Decimal, 0),
                Cell::text("9223372036854775808"),
            ),
            (
                Cell::text("2020-01-02"),
                ty(T::Date),
                scaled(T::DateTime, 3),
                Cell::text("2020-01-02 00:00:00.000"),
            ),
            (
                Cell::text("2020-01-02 10:00:00.50"),
                scaled(T::DateTime, 2),
                scaled(T::DateTime, 4),
                Cell::text("2020-01-02 10:00:00.5000"),
            ),
            (Cell::text("M"), size.clone(), ty(T::Int), Cell::Int(2)),
            (Cell::text("m"), ty(T::VarChar), size, Cell::text("M")),
            (Cell::text("ab "), ty(T::VarChar), ty(T::Char), Cell::text("ab")),
            (Cell::text("ab"), ty(T::VarChar), padded, Cell::blob(b"ab\0".to_vec())),
            (Cell::Real(1.5), ty(T::Double), ty(T::VarChar), Cell::text("1.5")),
            (Cell::Null, ty(T::Json), ty(T::Int), Cell::Null),
        ] {
            assert_eq!(run(cell.clone(), from, to.clone()), Some(want), "{cell:?} to {to:?}");
        }
    }

    #[test]
    fn what_is_not_clear_is_refused() {
        use TypeKind as T;
        for (cell, from, to) in [
            (Cell::text("x"), ty(T::VarChar), ty(T::Int)),
            (Cell::text("300"), ty(T::VarChar), ty(T::TinyInt)),
            (Cell::text("{}"), ty(T::VarChar), ty(T::Json)),
            (Cell::text("2020-01-02 10:00:00"), ty(T::DateTime), ty(T::Timestamp)),
            (Cell::text("2020-01-02 10:00:00.6"), scaled(T::DateTime, 1), ty(T::DateTime)),
            (
                Cell::blob(vec![0xff]),
                ty(T::Blob),
                ColumnType { charset: "utf8mb4".into(), ..ty(T::Text) },
            ),
        ] {
            assert_eq!(run(cell.clone(), from, to), None, "{cell:?}");
        }
        let utc = Stamp { at: 0, zone: Stamp::zone_of("+00:00") };
        assert_eq!(
            convert(
                Cell::text("2020-01-02 10:00:00"),
                Some(&ty(T::DateTime)),
                &ty(T::Timestamp),
                &utc
            ),
            Some(Cell::text("2020-01-02 10:00:00"))
        );
    }

    #[test]
    fn zones() {
        assert_eq!(Stamp::zone_of("-01:30"), Some(-5400));
        assert_eq!(Stamp::zone_of("SYSTEM"), None);
        assert_eq!(Stamp::zone_of("Europe/Berlin"), None);
        assert_eq!(Stamp::zone_of(""), None);
    }
}
