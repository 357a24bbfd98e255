//! As much SQL as the recorded cases need: CREATE TABLE and ALTER TABLE ... ADD COLUMN of the
//! scripts, and the INSERTs of a dump. For tests only: the real parser is in `ddl`.

use crate::schema::{Column, ColumnType, Generated, Key, KeyKind, KeyPart, TableSchema, TypeKind};

/// A literal of a dump.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    Null,
    Number(String),
    Text(Vec<u8>),
    Hex(Vec<u8>),
}

/// One INSERT of a dump.
#[derive(Debug)]
pub(super) struct Insert {
    pub(super) table: String,
    pub(super) columns: Vec<String>,
    pub(super) values: Vec<Literal>,
}

pub(super) fn inserts(dump: &[u8]) -> Vec<Insert> {
    let lines = dump.split(|b| *b == b'\n');
    lines.filter(|l| l.starts_with(b"INSERT INTO `")).map(insert).collect()
}

fn insert(line: &[u8]) -> Insert {
    let mut rest = &line[b"INSERT INTO ".len()..];
    let table = back_quoted(&mut rest);
    skip(&mut rest, b" (");
    let mut columns = vec![back_quoted(&mut rest)];
    while rest.starts_with(b", ") {
        skip(&mut rest, b", ");
        columns.push(back_quoted(&mut rest));
    }
    skip(&mut rest, b") VALUES (");
    let mut values = vec![literal(&mut rest)];
    while rest[0] == b',' {
        skip(&mut rest, b",");
        values.push(literal(&mut rest));
    }
    assert_eq!(rest, b");");
    assert_eq!(columns.len(), values.len());
    Insert { table, columns, values }
}

fn skip(rest: &mut &[u8], what: &[u8]) {
    assert!(rest.starts_with(what), "{:?}", String::from_utf8_lossy(&rest[..rest.len().min(80)]));
    *rest = &rest[what.len()..];
}

fn back_quoted(rest: &mut &[u8]) -> String {
    skip(rest, b"`");
    let end = rest.iter().position(|b| *b == b'`').unwrap();
    let name = String::from_utf8(rest[..end].to_vec()).unwrap();
    *rest = &rest[end + 1..];
    name
}

fn literal(rest: &mut &[u8]) -> Literal {
    // MariaDB's dump marks binary literals.
    if rest.starts_with(b"_binary ") {
        skip(rest, b"_binary ");
    }
    if rest[0] == b'\'' {
        let mut text = Vec::new();
        let mut i = 1;
        loop {
            match rest[i] {
                b'\\' => {
                    text.push(match rest[i + 1] {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        b'0' => 0,
                        b'Z' => 0x1A,
                        other => other,
                    });
                    i += 2;
                }
                b'\'' => break,
                byte => {
                    text.push(byte);
                    i += 1;
                }
            }
        }
        *rest = &rest[i + 1..];
        return Literal::Text(text);
    }
    let end = rest.iter().position(|b| matches!(b, b',' | b')')).unwrap();
    let word = String::from_utf8(rest[..end].to_vec()).unwrap();
    *rest = &rest[end..];
    match word.strip_prefix("0x") {
        _ if word == "NULL" => Literal::Null,
        Some(hex) => Literal::Hex(
            (0..hex.len())
                .step_by(2)
                .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap())
                .collect(),
        ),
        None => Literal::Number(word),
    }
}

/// The table of a CREATE TABLE statement; `None` for what the cases do not need.
pub(super) fn create_table(sql: &str) -> Option<(String, TableSchema)> {
    let rest = sql.trim().strip_prefix("CREATE TABLE ")?;
    let open = rest.find('(')?;
    let name = rest[..open].trim().trim_matches('`').to_owned();
    if name.starts_with('"') {
        return None;
    }
    let close = rest.rfind(')').unwrap();
    let options = rest[close..].to_lowercase();
    let mut schema = TableSchema {
        charset: if options.contains("latin1") { "latin1" } else { "utf8mb4" }.to_owned(),
        ..TableSchema::default()
    };
    for part in split(&rest[open + 1..matching(rest, open)]) {
        let part = part.trim();
        if part.starts_with("PRIMARY KEY") {
            schema.keys.push(primary_key(""));
        } else if let Some(columns) = part.strip_prefix("UNIQUE KEY") {
            schema.keys.push(unique_key(columns));
        } else if !part.starts_with("PERIOD FOR") {
            let column = define(part);
            if part.contains("PRIMARY KEY") {
                schema.keys.push(primary_key(&column.name));
            }
            schema.columns.push(column);
        }
    }
    Some((name, schema))
}

/// The key of ` name (a, b(10))`.
fn unique_key(text: &str) -> Key {
    let open = text.find('(').unwrap();
    let parts = split(&text[open + 1..matching(text, open)]).into_iter().map(|part| {
        let (name, prefix) = match part.trim().split_once('(') {
            Some((name, length)) => (name, Some(length.trim_end_matches(')').parse().unwrap())),
            None => (part.trim(), None),
        };
        KeyPart::Column { name: name.to_owned(), prefix, descending: false }
    });
    let parts = parts.collect();
    Key { kind: KeyKind::Unique, parts, ..primary_key("") }
}

/// A primary key of one column.
pub(super) fn primary_key(column: &str) -> Key {
    Key::over("PRIMARY", KeyKind::Primary, [column])
}

/// `ALTER TABLE t ADD COLUMN c type ... AFTER x`: the table, the column, and its place.
pub(super) fn add_column(sql: &str, schema: &TableSchema) -> Option<(String, Column, usize)> {
    let rest = sql.trim().strip_prefix("ALTER TABLE ")?;
    let (table, rest) = rest.split_once(" ADD COLUMN ")?;
    let definition = split(rest)[0];
    let (definition, after) = definition.split_once(" AFTER ")?;
    let at = schema.column(after.trim()).unwrap().0 + 1;
    Some((table.to_owned(), define(definition), at))
}

/// The place of the parenthesis that closes the one at `open`.
fn matching(text: &str, open: usize) -> usize {
    let (mut depth, mut quoted) = (0, false);
    for (i, c) in text.bytes().enumerate().skip(open) {
        match c {
            b'\'' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => {
                depth -= 1;
                if depth == 0 {
                    return i;
                }
            }
            _ => {}
        }
    }
    panic!("no closing parenthesis in {text}")
}

/// Splits at commas outside of quotes and parentheses.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth, mut quoted) = (Vec::new(), 0, 0, false);
    for (i, c) in text.bytes().enumerate() {
        match c {
            b'\'' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth -= 1,
            b',' if !quoted && depth == 0 => {
                parts.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// A nullable column.
pub(super) fn column(name: &str, ty: ColumnType) -> Column {
    let plain = serde_json::json!({
        "name": name, "ty": ty, "nullable": true, "default": null, "on_update": null,
        "generated": null, "auto_increment": false, "invisible": false, "comment": "",
    });
    serde_json::from_value(plain).unwrap()
}

fn define(definition: &str) -> Column {
    let definition = definition.trim();
    let (name, rest) = definition.split_once(char::is_whitespace).unwrap();
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
    let (word, rest) = rest.split_at(end);
    let mut ty = ColumnType::new(kind(word));
    let mut attributes = rest;
    if rest.starts_with('(') {
        let close = matching(rest, 0);
        arguments(&mut ty, &rest[1..close]);
        attributes = &rest[close + 1..];
    }
    let upper = attributes.to_uppercase();
    ty.zerofill = upper.contains("ZEROFILL");
    ty.unsigned = upper.contains("UNSIGNED") || ty.zerofill;
    ty.compressed = upper.contains("COMPRESSED");
    if let Some(at) = upper.find("CHARACTER SET ") {
        let name = attributes[at + "CHARACTER SET ".len()..].split_whitespace().next().unwrap();
        ty.charset = name.to_owned();
    }
    let expression = upper.find(" AS (");
    let generated = expression.map(|at| Generated {
        expr: attributes[at..].to_owned(),
        stored: upper.contains("STORED"),
    });
    Column {
        nullable: !upper.contains("NOT NULL") && !upper.contains("PRIMARY KEY"),
        generated,
        invisible: upper.contains("INVISIBLE"),
        ..column(name.trim_matches('`'), ty)
    }
}

fn arguments(ty: &mut ColumnType, text: &str) {
    if matches!(ty.kind, TypeKind::Enum | TypeKind::Set) {
        let labels = split(text).into_iter().map(|l| l.trim());
        let plain = |l: &str| l[1..l.len() - 1].replace("''", "'");
        ty.labels = labels.map(plain).collect();
        return;
    }
    let numbers: Vec<u32> = text.split(',').map(|n| n.trim().parse().unwrap()).collect();
    match ty.kind {
        TypeKind::Time | TypeKind::DateTime | TypeKind::Timestamp => {
            ty.decimals = numbers.first().copied();
        }
        _ => {
            ty.length = numbers.first().copied();
            ty.decimals = numbers.get(1).copied();
        }
    }
}

fn kind(word: &str) -> TypeKind {
    use TypeKind as K;
    match word.to_uppercase().as_str() {
        "TINYINT" | "BOOL" => K::TinyInt,
        "SMALLINT" => K::SmallInt,
        "MEDIUMINT" => K::MediumInt,
        "INT" => K::Int,
        "BIGINT" => K::BigInt,
        "DECIMAL" => K::Decimal,
        "FLOAT" => K::Float,
        "DOUBLE" => K::Double,
        "BIT" => K::Bit,
        "YEAR" => K::Year,
        "DATE" => K::Date,
        "TIME" => K::Time,
        "DATETIME" => K::DateTime,
        "TIMESTAMP" => K::Timestamp,
        "CHAR" => K::Char,
        "VARCHAR" => K::VarChar,
        "TINYTEXT" => K::TinyText,
        "TEXT" => K::Text,
        "MEDIUMTEXT" => K::MediumText,
        "LONGTEXT" => K::LongText,
        "BINARY" => K::Binary,
        "VARBINARY" => K::VarBinary,
        "TINYBLOB" => K::TinyBlob,
        "BLOB" => K::Blob,
        "MEDIUMBLOB" => K::MediumBlob,
        "LONGBLOB" => K::LongBlob,
        "ENUM" => K::Enum,
        "SET" => K::Set,
        "JSON" => K::Json,
        "GEOMETRY" => K::Geometry,
        "POINT" => K::Point,
        "LINESTRING" => K::LineString,
        "POLYGON" => K::Polygon,
        "MULTIPOINT" => K::MultiPoint,
        "MULTILINESTRING" => K::MultiLineString,
        "MULTIPOLYGON" => K::MultiPolygon,
        "GEOMETRYCOLLECTION" => K::GeometryCollection,
        "VECTOR" => K::Vector,
        "INET4" => K::Inet4,
        "INET6" => K::Inet6,
        "UUID" => K::Uuid,
        other => panic!("type {other}"),
    }
}
