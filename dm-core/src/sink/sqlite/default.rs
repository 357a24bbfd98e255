//! DEFAULT clauses: what can be computed once and for all becomes a value. Pure.
//!
//! A default matters in two places: for the rows that are there when a column is added (the binlog
//! does not tell their values, each server fills them in by itself), and for columns that a
//! partial row image leaves out.

use crate::schema::{Column, TypeKind};

use super::cell::Cell;
use super::convert::{Stamp, convert};
use super::types::implicit_default;

/// What a DEFAULT clause gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Default {
    /// A constant in the form of its column.
    Value(Cell<'static>),
    /// The present time.
    Now,
    /// An expression that only a MySQL server can compute.
    Expression,
}

/// The default of a column: its own, or what MySQL gives when it has none.
pub fn default_of(column: &Column) -> Default {
    let Some(text) = &column.default else {
        return match (column.nullable, implicit_default(column)) {
            (false, Some(cell)) => Default::Value(cell),
            _ => Default::Value(Cell::Null),
        };
    };
    match literal(text.trim()) {
        Some(Default::Value(cell)) => match convert(cell, None, &column.ty, &Stamp::default()) {
            Some(cell) => Default::Value(cell),
            None => Default::Expression,
        },
        Some(other) => other,
        None => Default::Expression,
    }
}

/// The value for rows that are there when the column is added at `stamp`; `None` when only a
/// server could compute it.
pub fn value_at(column: &Column, stamp: &Stamp) -> Option<Cell<'static>> {
    match default_of(column) {
        Default::Value(cell) => Some(cell),
        Default::Now => stamp.text(&column.ty).map(Cell::text),
        Default::Expression => None,
    }
}

/// The DEFAULT clause for SQLite; `None` where SQLite cannot say it.
pub fn clause(column: &Column) -> Option<String> {
    match default_of(column) {
        Default::Value(Cell::Null) => None,
        Default::Value(cell) => Some(cell.literal()),
        Default::Now => match (column.ty.kind, column.ty.decimals.unwrap_or(0)) {
            // SQLite's clock gives UTC, which is what TIMESTAMP columns hold here.
            (TypeKind::Timestamp | TypeKind::DateTime, 0) => Some("CURRENT_TIMESTAMP".to_owned()),
            _ => None,
        },
        Default::Expression => None,
    }
}

fn literal(text: &str) -> Option<Default> {
    let inner = text.strip_prefix('(').and_then(|t| t.strip_suffix(')'));
    if let Some(inner) = inner {
        return literal(inner.trim());
    }
    let upper = text.to_ascii_uppercase();
    match upper.as_str() {
        "NULL" => return Some(Default::Value(Cell::Null)),
        "TRUE" => return Some(Default::Value(Cell::Int(1))),
        "FALSE" => return Some(Default::Value(Cell::Int(0))),
        _ => {}
    }
    let word = upper.split('(').next().unwrap_or_default().trim_end();
    if matches!(word, "CURRENT_TIMESTAMP" | "NOW" | "LOCALTIME" | "LOCALTIMESTAMP") {
        return Some(Default::Now);
    }
    if let Some(bytes) = hex_or_bits(text) {
        return Some(Default::Value(Cell::blob(bytes)));
    }
    if is_number(text) {
        return Some(Default::Value(Cell::text(text.to_owned())));
    }
    // _utf8mb4'text': the client's character set is UTF-8 here in any case.
    let quoted = match text.strip_prefix('_') {
        Some(rest) => rest.get(rest.find(['\'', '"'])?..)?.trim(),
        None => text.strip_prefix(['N', 'n']).filter(|t| t.starts_with('\'')).unwrap_or(text),
    };
    Some(Default::Value(Cell::text(unquote(quoted)?)))
}

fn is_number(text: &str) -> bool {
    let digits = text.trim_start_matches(['+', '-']);
    digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') && digits.parse::<f64>().is_ok()
}

/// `0x1F`, `x'1F'`, `0b101`, `b'101'` as bytes, big endian.
fn hex_or_bits(text: &str) -> Option<Vec<u8>> {
    let lower = text.to_ascii_lowercase();
    let quoted = |rest: &str| rest.strip_prefix('\'')?.strip_suffix('\'').map(str::to_owned);
    let body = |c: char| {
        lower
            .strip_prefix('0')
            .and_then(|t| t.strip_prefix(c))
            .map(str::to_owned)
            .or_else(|| lower.strip_prefix(c).and_then(quoted))
    };
    if let Some(mut digits) = body('x') {
        if digits.len() % 2 == 1 {
            digits.insert(0, '0');
        }
        return (0..digits.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(digits.get(i..i + 2)?, 16).ok())
            .collect();
    }
    let digits = body('b')?;
    let padded = format!("{}{digits}", "0".repeat((8 - digits.len() % 8) % 8));
    (0..padded.len())
        .step_by(8)
        .map(|i| u8::from_str_radix(padded.get(i..i + 8)?, 2).ok())
        .collect()
}

/// The text of a quoted string with backslash escapes.
fn unquote(text: &str) -> Option<String> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let mut chars = text.get(1..)?.chars();
    let mut out = String::with_capacity(text.len());
    loop {
        match chars.next()? {
            '\\' => out.push(match chars.next()? {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'b' => '\u{8}',
                '0' => '\0',
                'Z' => '\u{1a}',
                other => other,
            }),
            c if c == quote => match chars.next() {
                None => return Some(out),
                Some(next) if next == quote => out.push(quote),
                Some(_) => return None,
            },
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::ColumnType;

    fn column(kind: TypeKind, default: Option<&str>, nullable: bool) -> Column {
        let mut column = Column::new("c", ColumnType::new(kind));
        column.nullable = nullable;
        column.default = default.map(Into::into);
        column
    }

    #[test]
    fn literals_become_values_of_their_column() {
        let mut price = column(TypeKind::Decimal, Some("5"), false);
        price.ty.length = Some(10);
        price.ty.decimals = Some(2);
        assert_eq!(clause(&price).as_deref(), Some("'5.00'"));
        assert_eq!(clause(&column(TypeKind::Int, Some("'7'"), false)).as_deref(), Some("7"));
        assert_eq!(
            clause(&column(TypeKind::VarChar, Some("'it''s \\\\n'"), true)).as_deref(),
            Some("'it''s \\n'")
        );
        let mut flags = column(TypeKind::Bit, Some("b'101'"), true);
        flags.ty.length = Some(3);
        assert_eq!(clause(&flags).as_deref(), Some("5"));
        assert_eq!(
            clause(&column(TypeKind::VarChar, Some("_utf8mb4'x'"), true)).as_deref(),
            Some("'x'")
        );
        assert_eq!(clause(&column(TypeKind::VarChar, Some("NULL"), true)), None);
        assert_eq!(clause(&column(TypeKind::Int, None, true)), None);
        assert_eq!(clause(&column(TypeKind::Int, None, false)).as_deref(), Some("0"));
        let now = column(TypeKind::Timestamp, Some("CURRENT_TIMESTAMP"), false);
        assert_eq!(clause(&now).as_deref(), Some("CURRENT_TIMESTAMP"));
        assert_eq!(
            default_of(&column(TypeKind::VarChar, Some("(uuid())"), true)),
            Default::Expression
        );
    }

    #[test]
    fn rubbish_is_an_expression() {
        for text in ["'abc", "x'1g'", "'a' 'b", "", "(", "_x"] {
            assert_eq!(
                default_of(&column(TypeKind::VarChar, Some(text), true)),
                Default::Expression,
                "{text}"
            );
        }
    }

    #[test]
    fn existing_rows_get_the_time_of_the_statement() {
        let now = column(TypeKind::Timestamp, Some("now()"), false);
        let stamp = Stamp { at: 86_400, zone: Some(0) };
        assert_eq!(value_at(&now, &stamp), Some(Cell::text("1970-01-02 00:00:00")));
        let local = column(TypeKind::DateTime, Some("now()"), false);
        assert_eq!(
            value_at(&local, &Stamp { at: 86_400, zone: Some(3600) }),
            Some(Cell::text("1970-01-02 01:00:00"))
        );
        assert_eq!(value_at(&local, &Stamp { at: 86_400, zone: None }), None);
    }
}
