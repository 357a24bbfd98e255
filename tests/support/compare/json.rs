//! JSON: as parsed values between servers that write it differently, and with the types of all
//! leaves between MySQL servers, where `1.5` may be a DECIMAL or a DOUBLE and a string a DATE.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::server::{Address, external_target};
use super::super::sql::{name, text};
use super::{Part, SourceTable, Way};

/// Rows of a table from which the shapes of its documents are learnt.
const DOCUMENTS: usize = 20_000;
/// Paths that are asked for in one expression.
const PATHS: usize = 40;

/// MySQL keeps types inside JSON; MariaDB keeps text, TiDB has types of its own.
pub fn types_are_comparable(source: &Address, target: &Address) -> bool {
    source.flavor.is_mysql() && target.flavor.is_mysql() && external_target().is_none()
}

/// More values for each row: the types of all leaves of a JSON column, for both sides.
pub fn leaf_types(source: &Address, table: &SourceTable, column: &str) -> Vec<Part> {
    let documents: Vec<String> = source.rows(&format!(
        "SELECT CAST({} AS CHAR) FROM {}.{} WHERE {} IS NOT NULL LIMIT {DOCUMENTS}",
        name(column),
        name(&table.schema),
        name(&table.table),
        name(column)
    ));
    let mut paths = BTreeSet::new();
    for document in &documents {
        let value: Value = serde_json::from_str(document).expect("the server's own JSON");
        leaves(&value, "$", &mut paths);
    }
    let paths: Vec<String> = paths.into_iter().collect();
    paths.chunks(PATHS).map(|some| part(column, some)).collect()
}

fn part(column: &str, paths: &[String]) -> Part {
    let types: Vec<String> = paths
        .iter()
        .map(|path| {
            format!("IFNULL(JSON_TYPE(JSON_EXTRACT({}, {})), '-')", name(column), text(path))
        })
        .collect();
    let expression = format!("CONCAT_WS(',', {})", types.join(", "));
    Part {
        label: format!("types in {column}"),
        column: column.to_owned(),
        way: Way::Plain,
        inner: paths.to_vec(),
        source: expression.clone(),
        target: expression,
    }
}

fn leaves(value: &Value, path: &str, paths: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, member) in members {
                leaves(member, &format!("{path}.{}", Value::from(key.as_str())), paths);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                leaves(item, &format!("{path}[{at}]"), paths);
            }
        }
        _ => {
            paths.insert(path.to_owned());
        }
    }
}

/// The parsed value of a document that comes in hex, as text; what does not parse stays as it is.
pub fn canonical_hex(hex: &str) -> String {
    let Some(bytes) = unhex(hex) else { return format!("no hex: {hex}") };
    canonical(&String::from_utf8_lossy(&bytes))
}

/// The parsed value of a document as hex, members sorted, numbers by value.
pub fn canonical(document: &str) -> String {
    let shown = match serde_json::from_str::<Value>(document) {
        Ok(value) => sorted(&value),
        Err(_) => format!("no JSON: {document}"),
    };
    shown.bytes().map(|b| format!("{b:02X}")).collect()
}

fn sorted(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut list: Vec<String> = members
                .iter()
                .map(|(k, v)| format!("{}:{}", Value::from(k.as_str()), sorted(v)))
                .collect();
            list.sort_unstable();
            format!("{{{}}}", list.join(","))
        }
        Value::Array(items) => {
            let list: Vec<String> = items.iter().map(sorted).collect();
            format!("[{}]", list.join(","))
        }
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(n), _, _) => n.to_string(),
            (_, Some(n), _) => n.to_string(),
            // 2.0 and 2 are the same value; their texts differ between servers.
            (_, _, Some(n)) if n.fract() == 0.0 && n.abs() < 1e15 => format!("{n:.0}"),
            (_, _, Some(n)) => format!("{n:?}"),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

fn unhex(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
