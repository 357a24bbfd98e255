//! Every recorded file, replayed, has to give the rows that its server had in the end.

use dm_filter::{ColumnInfo, Date, DateTime, Time, Value};

use super::replay::{Replay, replay};
use super::sql::{self, Literal};
use crate::binlog::{EventType, HiddenKind, charset};

/// Compares the tables of a replay with the dump of its server, cell by cell.
fn compare(name: &str, replay: &Replay, skip: &[&str]) {
    let dump = super::read(name, "final.sql");
    let mut expected = sql::inserts(&dump);
    expected.retain(|i| !skip.contains(&i.table.as_str()));
    assert!(!expected.is_empty());
    let mut left: usize = 0;
    for (table_name, table) in &replay.tables {
        let mut wanted: Vec<_> = expected.iter().filter(|i| i.table == *table_name).collect();
        if skip.contains(&table_name.as_str()) {
            continue;
        }
        left += wanted.len();
        assert_eq!(table.rows.len(), wanted.len(), "{name}: rows of {table_name}");
        for row in &table.rows {
            let matches = |insert: &&sql::Insert| {
                insert.columns.iter().zip(&insert.values).all(|(column, literal)| {
                    let index = table.columns.index_of(column).unwrap();
                    same(row.get(index), table.columns.get(index).unwrap(), literal)
                })
            };
            let Some(at) = wanted.iter().position(matches) else {
                explain(name, table_name, &table.columns, row, &wanted);
            };
            wanted.remove(at);
        }
    }
    assert_eq!(left, expected.len(), "{name}: rows of tables that were not replayed");
}

fn explain(
    name: &str,
    table: &str,
    columns: &dm_filter::Columns,
    row: &dm_filter::Row<'_>,
    wanted: &[&sql::Insert],
) -> ! {
    let key = |insert: &&&sql::Insert| {
        let index = columns.index_of(&insert.columns[0]).unwrap();
        same(row.get(index), columns.get(index).unwrap(), &insert.values[0])
    };
    if let Some(insert) = wanted.iter().find(key) {
        for (column, literal) in insert.columns.iter().zip(&insert.values) {
            let index = columns.index_of(column).unwrap();
            let value = row.get(index);
            assert!(
                same(value, columns.get(index).unwrap(), literal),
                "{name}: {table}.{column}: {value:?} against {literal:?}"
            );
        }
    }
    panic!("{name}: {table} has no row {row:?}")
}

/// True when a decoded value is what the dump says.
fn same(value: Option<&Value<'_>>, column: &ColumnInfo, literal: &Literal) -> bool {
    let text = |expected: &str| *literal == Literal::Text(expected.as_bytes().to_vec());
    let number = |found: String| match literal {
        Literal::Number(n) => *n == found || n.trim_start_matches('0') == found,
        _ => false,
    };
    let bytes = |found: &[u8]| match literal {
        Literal::Hex(bytes) | Literal::Text(bytes) => bytes == found,
        _ => false,
    };
    match value.unwrap_or(&Value::Null) {
        Value::Null => *literal == Literal::Null,
        Value::Int(n) => {
            number(n.to_string()) || *literal == Literal::Number("0".into()) && *n == 0
        }
        Value::UInt(n) => match literal {
            Literal::Number(text) => text.parse() == Ok(*n),
            _ => false,
        },
        Value::Year(n) => *literal == Literal::Number(format!("{n:04}")),
        Value::Float(n) => match literal {
            // A dump has six digits; `floats.tsv` has all of them.
            Literal::Number(text) => {
                let expected: f64 = text.parse().unwrap();
                (f64::from(*n) - expected).abs() <= expected.abs() * 1e-5
            }
            _ => false,
        },
        Value::Double(n) => match literal {
            Literal::Number(text) => {
                let expected: f64 = text.parse().unwrap();
                expected == *n && expected.is_sign_negative() == n.is_sign_negative()
            }
            _ => false,
        },
        Value::Decimal(n) => *literal == Literal::Number(n.to_string()),
        Value::Text(found) => text(found),
        Value::Encoded(found) => {
            text(&charset::statement_to_utf8(found.charset, &found.bytes).unwrap())
        }
        Value::Bytes(found) | Value::Geometry(found) | Value::Vector(found) => bytes(found),
        Value::Date(day) => text(&date(*day)),
        Value::DateTime(at) => text(&datetime(at)),
        Value::Timestamp(at) => text(&timestamp(at.seconds, at.micro, at.decimals)),
        Value::Time(span) => text(&time(span)),
        Value::Bit(n) => match literal {
            Literal::Hex(bytes) => bytes.iter().fold(0, |all, b| (all << 8) | u64::from(*b)) == *n,
            _ => false,
        },
        Value::Enum(0) => text(""),
        Value::Enum(n) => text(&column.labels[*n as usize - 1]),
        Value::Set(bits) => {
            let labels = column.labels.iter().enumerate().filter(|(i, _)| bits & (1 << i) != 0);
            text(&labels.map(|(_, l)| l.as_str()).collect::<Vec<_>>().join(","))
        }
        Value::Json(document) => text(&document.text),
        other => panic!("{other:?}"),
    }
}

fn fraction(micro: u32, decimals: u8) -> String {
    let digits = format!("{micro:06}");
    if decimals == 0 { String::new() } else { format!(".{}", &digits[..usize::from(decimals)]) }
}

fn date(day: Date) -> String {
    format!("{:04}-{:02}-{:02}", day.year, day.month, day.day)
}

fn datetime(at: &DateTime) -> String {
    let time = format!("{:02}:{:02}:{:02}", at.hour, at.minute, at.second);
    format!("{} {time}{}", date(at.date), fraction(at.micro, at.decimals))
}

fn time(span: &Time) -> String {
    let sign = if span.negative { "-" } else { "" };
    let whole = format!("{:02}:{:02}:{:02}", span.hours, span.minutes, span.seconds);
    format!("{sign}{whole}{}", fraction(span.micro, span.decimals))
}

fn timestamp(seconds: i64, micro: u32, decimals: u8) -> String {
    if seconds == 0 && micro == 0 {
        return format!("0000-00-00 00:00:00{}", fraction(0, decimals));
    }
    let at = jiff::Timestamp::from_second(seconds).unwrap();
    format!("{}{}", at.strftime("%Y-%m-%d %H:%M:%S"), fraction(micro, decimals))
}

/// FLOAT and DOUBLE, exactly.
fn compare_floats(name: &str, replay: &Replay) {
    let lines = String::from_utf8(super::read(name, "floats.tsv")).unwrap();
    let table = &replay.tables["all_types"];
    let index = |column| table.columns.index_of(column).unwrap();
    let mut compared = 0;
    for line in lines.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let id = Value::UInt(fields[0].parse().unwrap());
        let row = table.rows.iter().find(|r| r.get(index("id")) == Some(&id)).unwrap();
        for (column, text) in ["c_float", "c_float_u", "c_double"].into_iter().zip(&fields[1..]) {
            let found = match row.get(index(column)).unwrap() {
                Value::Null => None,
                Value::Float(n) => Some(f64::from(*n)),
                Value::Double(n) => Some(*n),
                other => panic!("{other:?}"),
            };
            let expected = if *text == "NULL" { None } else { Some(text.parse::<f64>().unwrap()) };
            assert_eq!(found, expected, "{name}: {column} of row {}", fields[0]);
            compared += 1;
        }
    }
    assert!(compared >= 9);
}

fn check(name: &str, without_schema: bool) -> Replay {
    let replay = replay(name, without_schema);
    compare(name, &replay, &[]);
    if super::case(name).join("floats.tsv").exists() {
        compare_floats(name, &replay);
    }
    replay
}

#[test]
fn mysql_minimal_metadata() {
    check("mysql97-full-minimal", false);
}

#[test]
fn mysql_full_metadata() {
    check("mysql97-full-fullmeta", false);
}

#[test]
fn mysql_full_metadata_needs_no_structure() {
    check("mysql97-full-fullmeta", true);
}

#[test]
fn mysql_minimal_row_images() {
    check("mysql97-minimal-image", false);
}

#[test]
fn mysql_compressed_transactions() {
    let replay = check("mysql97-zstd", false);
    assert_eq!(replay.types[&EventType::TRANSACTION_PAYLOAD], 21);
    assert!(replay.types[&EventType::UPDATE_ROWS] > 8);
}

#[test]
fn mysql_json() {
    check("mysql97-json-full", false);
}

#[test]
fn mysql_partial_json() {
    let replay = check("mysql97-json-partial-full", false);
    assert_eq!(replay.types[&EventType::PARTIAL_UPDATE_ROWS], 12);
}

#[test]
fn mysql_json_prints_as_the_server_prints_it() {
    let replay = check("mysql97-json-text", false);
    assert!(replay.types[&EventType::PARTIAL_UPDATE_ROWS] >= 12);
    let table = &replay.tables["jt"];
    let documents = table.rows.iter().filter_map(|row| match row.get(1) {
        Some(Value::Json(document)) => Some(document),
        _ => None,
    });
    let typed: Vec<_> = documents.flat_map(|d| &d.typed).collect();
    let has = |path: &str, sql: &str| typed.iter().any(|t| t.path == path && t.sql == sql);
    assert!(has("$.d", "CAST('-12.50000' AS DECIMAL(14,5))"), "{typed:#?}");
    assert!(has("$.dt", "CAST('9999-12-31 23:59:59.900000' AS DATETIME(6))"));
    assert!(has("$.t", "CAST('-838:59:58.990000' AS TIME(6))"));
    assert!(has("$.\"a b\"[2].\"é\\\"\"", "CAST('1000-01-01' AS DATE)"));
    assert!(has("$.cast", "CAST(x'01020000' AS BINARY)"));
    assert!(has("$[2]", "CAST('2024-01-01' AS DATE)"));
}

#[test]
fn mariadb_without_metadata() {
    check("mariadb1011-full", false);
}

#[test]
fn mariadb_full_metadata() {
    check("mariadb1011-fullmeta", false);
}

#[test]
fn mariadb_compressed_events() {
    let replay = check("mariadb1011-compress", false);
    assert_eq!(replay.types[&EventType::MARIADB_WRITE_ROWS_COMPRESSED_V1], 19);
    assert_eq!(replay.types[&EventType::MARIADB_QUERY_COMPRESSED], 6);
}

#[test]
fn mysql_rare_events() {
    let name = "mysql97-events";
    let replay = replay(name, false);
    compare(name, &replay, &["st", "gipk", "vis", "vis2"]);
    let seen = |text: &str| replay.events.iter().any(|e| e.contains(text));
    assert!(seen("tag: \"mytag\""), "{:#?}", replay.events);
    assert!(seen("CREATE TABLE lt (c ENUM('café','x')"));
    assert!(seen("UserVar(\"u\")") && seen("IntVar") && seen("Rand"));
    assert!(seen("RowsQuery(\"UPDATE ev SET v='rows query é' WHERE id=1\")"));
    assert!(seen("XA PREPARE") || replay.types[&EventType::XA_PREPARE] == 3);
}

#[test]
fn mariadb_rare_events() {
    for name in ["mariadb1011-events", "mariadb118-events"] {
        let replay = replay(name, false);
        compare(name, &replay, &["st"]);
        assert_eq!(replay.types[&EventType::XA_PREPARE], 2);
    }
}

#[test]
fn mariadb_system_versioning() {
    let name = "mariadb1011-versioned";
    let replay = replay(name, false);
    // `v3` counts in transactions: its changes come as statements.
    compare(name, &replay, &["v3"]);
    assert!(replay.events.iter().any(|e| e == "DELETE FROM v3 WHERE a=2"));
    assert_eq!(replay.tables["v"].hidden, Some(HiddenKind::RowStart));
}

#[test]
fn mariadb_hashes_of_long_unique_keys() {
    let name = "mariadb118-hash-keys";
    let replay = check(name, false);
    for table in ["u", "u2", "u4"] {
        assert_eq!(replay.tables[table].hidden, Some(HiddenKind::UniqueHash), "{table}");
    }
    assert_eq!(replay.tables["u3"].hidden, Some(HiddenKind::RowStart));
}

#[test]
fn a_generated_invisible_key_is_recognised() {
    let replay = super::replay::replay_hiding("mysql97-events", "gipk", "my_row_id");
    let table = &replay.tables["gipk"];
    assert_eq!(table.hidden, Some(HiddenKind::GeneratedInvisiblePrimaryKey));
    let rows: Vec<_> = table.rows.iter().map(|r| (r.get(0).cloned(), r.get(1).cloned())).collect();
    let row = |a, b: &'static str| (Some(Value::Int(a)), Some(Value::Text(b.into())));
    assert_eq!(rows, [row(1, "uno"), row(2, "two")]);
}
