//! The SQLite side of a comparison: which storage class each value must have, by the table in
//! `columns.rs`. A value of another class is shown with the class it has and so differs.

use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use super::columns::{Column, Way, digest, float_bits};
use super::{BETWEEN, Part, json};

/// The table of the file that holds `schema.table`.
pub fn table_name(schema: &str, table: &str) -> String {
    format!("{schema}.{table}")
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A connection that cannot write.
pub fn open(file: &Path) -> Connection {
    let conn = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY);
    conn.unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

/// The columns of a table; empty when there is no such table.
pub fn columns(file: &Path, schema: &str, table: &str) -> Vec<Column> {
    if !file.exists() {
        return Vec::new();
    }
    let conn = open(file);
    let mut statement = conn.prepare("SELECT name FROM pragma_table_xinfo(?1)").expect("pragma");
    let names =
        statement.query_map([table_name(schema, table)], |row| row.get(0)).expect("columns");
    names.map(|name| Column { name: name.expect("a name"), ..Column::default() }).collect()
}

/// The rows of a table, one string each.
pub fn read(file: &Path, schema: &str, table: &str, parts: &[Part]) -> Vec<String> {
    let conn = open(file);
    let list: Vec<String> = parts.iter().map(|p| quoted(&p.column)).collect();
    let query = format!("SELECT {} FROM {}", list.join(", "), quoted(&table_name(schema, table)));
    let mut statement = conn.prepare(&query).unwrap_or_else(|e| panic!("{e}\nin: {query}"));
    let mut rows = statement.query([]).expect("rows");
    let mut shown = Vec::new();
    while let Some(row) = rows.next().expect("a row") {
        let values: Vec<String> = parts
            .iter()
            .enumerate()
            .map(|(at, part)| value(row.get_ref(at).expect("a value"), part.way))
            .collect();
        shown.push(values.join(&BETWEEN.to_string()));
    }
    shown
}

fn value(value: ValueRef<'_>, way: Way) -> String {
    match (value, way) {
        (ValueRef::Null, _) => "NULL".to_owned(),
        (ValueRef::Integer(n), Way::Number) => n.to_string(),
        (ValueRef::Text(bytes), Way::Number) if bytes.len() == 20 && too_big(bytes).is_some() => {
            too_big(bytes).unwrap_or_default().to_string()
        }
        (ValueRef::Text(bytes), Way::Plain) => String::from_utf8_lossy(bytes).into_owned(),
        (ValueRef::Real(n), Way::FloatBits) => float_bits(n),
        (ValueRef::Text(bytes), Way::Json) => json::canonical(&String::from_utf8_lossy(bytes)),
        (ValueRef::Text(bytes), Way::HexUtf8) | (ValueRef::Blob(bytes), Way::Hex) => digest(bytes),
        (ValueRef::Integer(n), _) => format!("integer {n}"),
        (ValueRef::Real(n), _) => format!("real {n:?}"),
        (ValueRef::Text(bytes), _) => format!("text {}", hex(bytes)),
        (ValueRef::Blob(bytes), _) => format!("blob {}", hex(bytes)),
    }
}

/// A number that SQLite's signed 64 bits cannot hold. It is text of 20 digits, so that such texts
/// are ordered as their numbers are.
fn too_big(digits: &[u8]) -> Option<u64> {
    let number = std::str::from_utf8(digits).ok().and_then(|text| text.parse::<u64>().ok());
    number.filter(|n| i64::try_from(*n).is_err())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02X}")).collect()
}
