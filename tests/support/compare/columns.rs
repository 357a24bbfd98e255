//! Columns: what a table has, and the expression that shows a value without loss.
//!
//! | column | shown as | between different servers | against SQLite |
//! |---|---|---|---|
//! | integers, YEAR | decimal digits of `c + 0` | same | INTEGER; TEXT of 20 digits beyond 64 bits signed |
//! | DECIMAL | the server's text | same | TEXT, the same digits |
//! | FLOAT, DOUBLE | mantissa and exponent of two, exactly, with the sign of -0 | same | REAL, the same bits |
//! | BIT | HEX | same | INTEGER; TEXT with the decimal number for BIT(64) above 63 bits |
//! | ENUM, SET | number and HEX of the label | same, label in utf8mb4 | TEXT, the label |
//! | CHAR, VARCHAR, TEXT | HEX of the stored bytes when both charsets agree, else of utf8mb4 | same | TEXT |
//! | BINARY, BLOB, VECTOR, geometry (SRID and WKB) | HEX | same | BLOB |
//! | DATE, TIME, DATETIME, TIMESTAMP (in UTC) | the server's text | same | TEXT |
//! | JSON | HEX of the text, and the types of all leaves | as parsed values | TEXT, as parsed values |
//! | INET4, INET6, UUID | the server's text | same | TEXT |

use std::collections::BTreeMap;

use mysql::prelude::Queryable;

use super::super::server::{Address, external_target};
use super::super::sql::{name, text};
use super::{Pair, Report, SourceTable, json};

/// Longer values are compared by length and SHA-256: a row in hex must fit a packet.
pub const LONG: usize = 60_000;

/// A column of a server's table, or of a SQLite table (with an empty type).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// `information_schema.columns.data_type`, lower case.
    pub data_type: String,
    /// The character set of a text column.
    pub charset: Option<String>,
}

/// How the values of a column are made comparable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `c + 0`.
    Number,
    /// The server's text.
    Plain,
    /// Mantissa and exponent.
    Float,
    /// Mantissa and exponent, then the bits of the double.
    FloatBits,
    /// HEX of what is stored.
    Hex,
    /// HEX of the text in utf8mb4.
    HexUtf8,
    /// Number and HEX of the label in utf8mb4.
    Label,
    /// The parsed value, members sorted.
    Json,
}

impl Way {
    /// How to compare a source's column with the target's.
    pub fn of(ours: &Column, theirs: &Column, sqlite: bool) -> Self {
        let json = ours.data_type == "json" || theirs.data_type == "json";
        match ours.data_type.as_str() {
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "year" => Self::Number,
            "bit" if sqlite => Self::Number,
            "float" | "double" if sqlite => Self::FloatBits,
            "float" | "double" => Self::Float,
            "enum" | "set" if sqlite => Self::HexUtf8,
            "enum" | "set" => Self::Label,
            _ if json && (sqlite || theirs.data_type != ours.data_type) => Self::Json,
            // TiDB writes the members in an order of its own.
            "json" if external_target().is_some() => Self::Json,
            "json" => Self::HexUtf8,
            "decimal" | "date" | "time" | "datetime" | "timestamp" | "inet4" | "inet6" | "uuid" => {
                Self::Plain
            }
            _ if ours.charset.is_some() && (sqlite || ours.charset != theirs.charset) => {
                Self::HexUtf8
            }
            _ => Self::Hex,
        }
    }

    /// True when the text that a server gives is not yet comparable.
    pub fn needs_work(self) -> bool {
        matches!(self, Self::FloatBits | Self::Json)
    }

    /// The comparable form of a server's text.
    pub fn normalised(self, value: &str) -> String {
        match self {
            _ if value == "NULL" => value.to_owned(),
            Self::FloatBits => float_bits(read_float(value)),
            Self::Json => json::canonical_hex(value),
            _ => value.to_owned(),
        }
    }
}

/// A double as its bits.
pub fn float_bits(value: f64) -> String {
    format!("{:016X}({value:?})", value.to_bits())
}

impl Column {
    /// The expression that gives a value as ASCII text, or NULL. Long values become a digest, one
    /// that [`digest`] can repeat when the other side is SQLite.
    pub fn expression(&self, way: Way, sqlite: bool) -> String {
        let column = name(&self.name);
        match way {
            Way::Number => format!("({column} + 0)"),
            Way::Plain => format!("CAST({column} AS CHAR)"),
            Way::Float | Way::FloatBits => exact_float(&column),
            Way::Hex => long(&column, sqlite),
            Way::HexUtf8 => long(&format!("CONVERT({column} USING utf8mb4)"), sqlite),
            Way::Label => {
                format!("CONCAT({column} + 0, ':', HEX(CONVERT({column} USING utf8mb4)))")
            }
            Way::Json => format!("HEX(CONVERT({column} USING utf8mb4))"),
        }
    }
}

/// A floating-point number as `mantissa@exponent` of two. Made into text whole, a number with a long
/// exponent would lose its last digit: the servers keep to 22 characters inside of expressions.
fn exact_float(column: &str) -> String {
    // The logarithm of the largest numbers rounds up to 1024, which is out of range.
    let exponent = format!("LEAST(1023, FLOOR(LOG2(ABS({column}))))");
    format!(
        "IF({column} = 0, {column} * 1e0, CONCAT({column} / POW(2, {exponent}), '@', {exponent}))"
    )
}

/// The double that [`exact_float`] shows.
fn read_float(text: &str) -> f64 {
    let (mantissa, exponent) = text.split_once('@').unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(i32::MAX);
    let half = exponent / 2;
    // In two steps, neither of which leaves the range.
    mantissa.parse().unwrap_or(f64::NAN) * 2_f64.powi(half) * 2_f64.powi(exponent - half)
}

fn long(value: &str, sqlite: bool) -> String {
    let digest = if sqlite {
        format!("CONCAT('crc:', LENGTH({value}), ':', CRC32({value}))")
    } else {
        format!("CONCAT('sha:', LENGTH({value}), ':', SHA2({value}, 256))")
    };
    format!("IF(LENGTH({value}) > {LONG}, {digest}, HEX({value}))")
}

/// What a server gives for these bytes by [`Column::expression`] for a SQLite target.
pub fn digest(bytes: &[u8]) -> String {
    if bytes.len() <= LONG {
        return bytes.iter().map(|b| format!("{b:02X}")).collect();
    }
    let crc = bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |c, _| (c >> 1) ^ (0xEDB8_8320 & (c & 1).wrapping_neg()))
    });
    format!("crc:{}:{}", bytes.len(), !crc)
}

/// The columns of a table in order; empty when there is no such table.
pub fn fetch(address: &Address, schema: &str, table: &str) -> Vec<Column> {
    let rows: Vec<(String, String, Option<String>)> = address.rows(&format!(
        "SELECT column_name, LOWER(data_type), character_set_name FROM information_schema.columns \
         WHERE BINARY table_schema = BINARY {} AND BINARY table_name = BINARY {} ORDER BY ordinal_position",
        text(schema),
        text(table)
    ));
    rows.into_iter().map(|(name, data_type, charset)| Column { name, data_type, charset }).collect()
}

/// The columns by which a row is known: the primary key, else a unique key without NULL.
pub fn key(address: &Address, schema: &str, table: &str) -> Vec<String> {
    let rows: Vec<(String, Option<String>, String, Option<u32>)> = address.rows(&format!(
        "SELECT index_name, column_name, IFNULL(nullable, ''), sub_part FROM information_schema.statistics \
         WHERE non_unique = 0 AND BINARY table_schema = BINARY {} AND BINARY table_name = BINARY {} \
         ORDER BY index_name <> 'PRIMARY', index_name, seq_in_index",
        text(schema),
        text(table)
    ));
    let mut indexes: Vec<&str> = rows.iter().map(|r| r.0.as_str()).collect();
    indexes.dedup();
    for index in indexes {
        let parts = rows.iter().filter(|r| r.0 == index);
        let names: Option<Vec<String>> = parts
            .map(|(_, column, nullable, part)| {
                column.clone().filter(|_| nullable != "YES" && part.is_none())
            })
            .collect();
        if let Some(names) = names {
            return names;
        }
    }
    Vec::new()
}

/// Every column of the source is at the target, and (unless allowed) no other.
pub fn compare_names(
    title: &str,
    ours: &[Column],
    theirs: &[Column],
    more: bool,
    report: &mut Report,
) {
    let has = |list: &[Column], name: &str| list.iter().any(|c| c.name.eq_ignore_ascii_case(name));
    for column in ours.iter().filter(|c| !has(theirs, &c.name)) {
        report.0.push(format!("{title}: column {} is missing at the target", column.name));
    }
    for column in theirs.iter().filter(|c| !more && !has(ours, &c.name)) {
        report.0.push(format!("{title}: column {} is only at the target", column.name));
    }
}

/// The definitions of columns, keys, constraints and options, as the servers show them.
pub fn compare_structure(
    title: &str,
    source: (&Address, &SourceTable),
    target: (&Address, &Pair),
    report: &mut Report,
) {
    let renamed = source.1.schema != target.1.schema || source.1.table != target.1.table;
    let ours = structure(source.0, &source.1.schema, &source.1.table, renamed);
    let theirs = structure(target.0, &target.1.schema, &target.1.table, renamed);
    for line in ours.iter().filter(|line| !theirs.contains(line)) {
        report.0.push(format!("{title}: only at the source: {line}"));
    }
    for line in theirs.iter().filter(|line| !ours.contains(line)) {
        report.0.push(format!("{title}: only at the target: {line}"));
    }
}

/// A column without the words on its character set, and with its collation: MySQL shows either only if it
/// was written or differs from the table's, and what its own text names counts as written from then on.
fn with_collation(line: &str, collations: &BTreeMap<String, String>) -> String {
    let without = |text: &str, words: &str| -> String {
        let Some((head, rest)) = text.split_once(words) else { return text.to_owned() };
        let end = rest.find(' ').unwrap_or(rest.len());
        format!("{head}{}", &rest[end..])
    };
    // The words stand behind the type, before a default whose text may be anything.
    let (before, behind) = match line.find(" DEFAULT ").or_else(|| line.find(" COMMENT ")) {
        Some(at) => line.split_at(at),
        None => (line, ""),
    };
    let plain = without(&without(before, " CHARACTER SET "), " COLLATE ");
    let name = line.trim_start().trim_start_matches('`').split('`').next().unwrap_or_default();
    match collations.get(name) {
        Some(collation) => format!("{plain}{behind} collated {collation}"),
        None => format!("{plain}{behind}"),
    }
}

/// The lines of SHOW CREATE TABLE without the table's name and the next AUTO_INCREMENT. (The
/// defaults of TIMESTAMP columns in information_schema are in the zone of the session that made
/// them; here they are in that of the reader.) Constraints of a table with another name are left
/// out: they carry names.
fn structure(address: &Address, schema: &str, table: &str, renamed: bool) -> Vec<String> {
    let mut conn = address.conn();
    let show = format!("SHOW CREATE TABLE {}.{}", name(schema), name(table));
    conn.query_drop("SET SESSION sql_mode = ''").expect("a session variable");
    let (_, text): (String, String) = conn.query_first(&show).expect("our table").expect("a row");
    let collations = "SELECT column_name, collation_name FROM information_schema.columns WHERE table_schema = ? AND \
                      table_name = ? AND collation_name IS NOT NULL";
    let collations: Vec<(String, String)> =
        conn.exec(collations, (schema, table)).expect("its columns");
    let collations: BTreeMap<String, String> = collations.into_iter().collect();
    let mut lines: Vec<String> = Vec::new();
    for (at, line) in text.lines().enumerate().skip(1) {
        let line = line.trim_end_matches(',');
        if let Some(options) = line.strip_prefix(") ") {
            let words = options.split(' ').filter(|w| !w.starts_with("AUTO_INCREMENT="));
            lines.push(words.collect::<Vec<_>>().join(" "));
        } else if line.starts_with("  `") {
            lines.push(format!("column {at}{}", with_collation(line, &collations)));
        } else if !(renamed && line.trim_start().starts_with("CONSTRAINT")) {
            lines.push(line.to_owned());
        }
    }
    lines
}
