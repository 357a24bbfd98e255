//! A MySQL table as SQLite statements. Pure.
//!
//! Keys: SQLite compares text by its bytes here, whole columns only. A MySQL unique key under a
//! case-insensitive collation, or over a prefix, allows *fewer* rows than the same key by bytes:
//! whatever the source holds, fits. So unique keys stay unique keys, never refuse what the source
//! accepted, and find rows by exactly the bytes that row images carry; they only forbid less than
//! the original, which the notes of the table say. A custom collation would make the file
//! unreadable for everybody else. Keys over expressions imply nothing about columns and are left
//! out.
//!
//! Generated columns hold plain values: the source computes them and its rows carry them.
//! Foreign keys and CHECKs are kept in the described structure only: rows arrive checked.

use std::fmt::Write as _;

use crate::schema::{Key, KeyKind, KeyPart, TableSchema};

use super::default::clause;
use super::name::{index_ident, push_quoted, quote};
use super::types::{Storage, is_collated};

/// The statements that make a table, and what they cannot say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// CREATE TABLE.
    pub create: String,
    /// Indexes: name and CREATE INDEX.
    pub indexes: Vec<(String, String)>,
    /// What differs from the original, a sentence each.
    pub notes: Vec<String>,
}

impl Layout {
    /// The layout of a table under a SQLite name.
    pub fn new(ident: &str, schema: &TableSchema) -> Self {
        Self::named(ident, ident, schema)
    }

    /// The same with the CREATE TABLE under another name, for building a table beside the old one.
    pub fn named(create_as: &str, ident: &str, schema: &TableSchema) -> Self {
        let mut notes = Vec::new();
        let create = create_table(create_as, schema, &mut notes);
        let mut indexes = Vec::new();
        for key in &schema.keys {
            note_key(key, schema, &mut notes);
            if key.kind == KeyKind::Primary {
                continue;
            }
            if let Some(columns) = indexed(key, schema) {
                let name = index_ident(ident, &key.name);
                let unique = if key.kind == KeyKind::Unique { "UNIQUE " } else { "" };
                let sql = format!(
                    "CREATE {unique}INDEX {} ON {} ({columns})",
                    quote(&name),
                    quote(ident)
                );
                indexes.push((name, sql));
            }
        }
        if !schema.foreign_keys.is_empty() {
            notes.push(
                "foreign keys are not enforced; what ON DELETE and ON UPDATE do to other tables \
                 arrives only if the source logs it"
                    .to_owned(),
            );
        }
        Self { create, indexes, notes }
    }
}

fn create_table(name: &str, schema: &TableSchema, notes: &mut Vec<String>) -> String {
    let mut out = String::from("CREATE TABLE ");
    push_quoted(&mut out, name);
    out.push_str(" (");
    let rowid = rowid_column(schema);
    for (i, column) in schema.columns.iter().enumerate() {
        out.push_str(if i == 0 { "\n  " } else { ",\n  " });
        out.push_str(&column_clause(schema, i));
        if column.generated.is_some() {
            notes.push(format!("generated column {} holds plain values", column.name));
        }
    }
    if let (None, Some(key)) = (rowid, schema.primary_key())
        && let Some(columns) = plain_columns(key, schema)
    {
        out.push_str(",\n  PRIMARY KEY (");
        push_list(&mut out, columns.into_iter());
        out.push(')');
    }
    out.push_str("\n)");
    out
}

/// The clause of one column in CREATE TABLE or ADD COLUMN.
pub fn column_clause(schema: &TableSchema, index: usize) -> String {
    let mut out = String::new();
    let Some(column) = schema.columns.get(index) else { return out };
    push_quoted(&mut out, &column.name);
    let declared = Storage::of(&column.ty).declared();
    if !declared.is_empty() {
        let _ = write!(out, " {declared}");
    }
    if rowid_column(schema) == Some(index) {
        // An alias of the rowid: no index of its own, rows lie in its order.
        out.push_str(" PRIMARY KEY");
        return out;
    }
    // The copy from files has no values of generated columns.
    if column.generated.is_none() {
        let default = clause(column);
        if !column.nullable {
            out.push_str(" NOT NULL");
        }
        if let Some(default) = default {
            let _ = write!(out, " DEFAULT {default}");
        }
    }
    out
}

/// The column that can be the rowid itself: the one integer column of the primary key.
pub fn rowid_column(schema: &TableSchema) -> Option<usize> {
    let [KeyPart::Column { name, prefix: None, .. }] = schema.primary_key()?.parts.as_slice()
    else {
        return None;
    };
    let (index, column) = schema.column(name)?;
    (Storage::of(&column.ty) == Storage::Integer).then_some(index)
}

/// The columns of a key, when it consists of columns only.
pub fn plain_columns<'a>(key: &Key, schema: &'a TableSchema) -> Option<Vec<&'a str>> {
    key.parts
        .iter()
        .map(|part| match part {
            KeyPart::Column { name, .. } => schema.column(name).map(|(_, c)| c.name.as_str()),
            KeyPart::Expression { .. } => None,
        })
        .collect()
}

fn push_list<'a>(out: &mut String, names: impl Iterator<Item = &'a str>) {
    for (i, name) in names.enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        push_quoted(out, name);
    }
}

fn indexed(key: &Key, schema: &TableSchema) -> Option<String> {
    if !key.kind.is_ordered() {
        return None;
    }
    let columns = plain_columns(key, schema)?;
    let mut out = String::new();
    for (i, (name, part)) in columns.into_iter().zip(&key.parts).enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        push_quoted(&mut out, name);
        if matches!(part, KeyPart::Column { descending: true, .. }) {
            out.push_str(" DESC");
        }
    }
    Some(out)
}

fn note_key(key: &Key, schema: &TableSchema, notes: &mut Vec<String>) {
    let unique = matches!(key.kind, KeyKind::Primary | KeyKind::Unique);
    if plain_columns(key, schema).is_none() {
        let what = if unique { "unique key" } else { "key" };
        notes.push(format!("{what} {} over an expression is left out", key.name));
        return;
    }
    if !key.kind.is_ordered() {
        notes.push(format!(
            "key {} serves searches that SQLite has no index for: left out",
            key.name
        ));
        return;
    }
    if !unique {
        return;
    }
    let loose = key.parts.iter().any(|part| match part {
        KeyPart::Column { name, prefix, .. } => {
            prefix.is_some()
                || schema.column(name).is_some_and(|(_, c)| {
                    is_collated(&c.ty)
                        && !matches!(c.ty.collation.as_str(), "utf8mb4_0900_bin" | "binary")
                })
        }
        KeyPart::Expression { .. } => false,
    });
    if loose {
        notes.push(format!(
            "unique key {} compares whole values by bytes, the original by collation or prefix: \
             it forbids less",
            key.name
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Column, ColumnType, Generated, TypeKind};

    fn column(name: &str, kind: TypeKind) -> Column {
        let mut column = Column::new(name, ColumnType::new(kind));
        column.nullable = false;
        column.default = None;
        column
    }

    #[test]
    fn a_table_reads_well() {
        let mut total = column("total", TypeKind::Decimal);
        total.ty.decimals = Some(2);
        let mut sum = column("sum", TypeKind::Int);
        sum.generated = Some(Generated { expr: "id+1".into(), stored: true });
        let mut name = column("name", TypeKind::VarChar);
        name.nullable = true;
        name.ty.collation = "utf8mb4_general_ci".into();
        let mut big = column("big", TypeKind::BigInt);
        big.ty.unsigned = true;
        let schema = TableSchema {
            columns: vec![column("id", TypeKind::Int), name, total, sum, big].into(),
            keys: vec![
                Key::over("PRIMARY", KeyKind::Primary, ["id"]),
                Key::over("name", KeyKind::Unique, ["name"]),
                Key::over("words", KeyKind::FullText, ["name"]),
                Key::over("big", KeyKind::Plain, ["big"]),
            ]
            .into(),
            ..TableSchema::default()
        };
        let layout = Layout::new("s.t", &schema);
        assert_eq!(
            layout.create,
            "CREATE TABLE \"s.t\" (\n  \"id\" INTEGER PRIMARY KEY,\n  \"name\" TEXT,\n  \
             \"total\" TEXT NOT NULL DEFAULT '0.00',\n  \"sum\" INTEGER,\n  \"big\" NOT NULL DEFAULT 0\n)"
        );
        let indexes: Vec<&str> = layout.indexes.iter().map(|(_, sql)| sql.as_str()).collect();
        assert_eq!(
            indexes,
            [
                "CREATE UNIQUE INDEX \"s.t%#name\" ON \"s.t\" (\"name\")",
                "CREATE INDEX \"s.t%#big\" ON \"s.t\" (\"big\")"
            ]
        );
        assert_eq!(layout.notes.len(), 3, "{:?}", layout.notes);
    }

    #[test]
    fn wide_and_composite_keys_are_no_rowid() {
        let mut id = column("id", TypeKind::BigInt);
        id.ty.unsigned = true;
        let schema = TableSchema {
            columns: vec![id, column("n", TypeKind::Int)].into(),
            keys: vec![Key::over("PRIMARY", KeyKind::Primary, ["id"])].into(),
            ..TableSchema::default()
        };
        assert_eq!(rowid_column(&schema), None);
        assert!(Layout::new("s.t", &schema).create.contains("PRIMARY KEY (\"id\")"));
    }
}
