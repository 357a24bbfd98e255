//! Rows as statements for a MySQL-compatible server. Pure.

use std::fmt::Write as _;

use dm_filter::{Columns, Row, RowOp, TableName, Value};

use crate::event::{ApplyMode, CopyBlock};
use crate::schema::{KeyPart, TableSchema};
use crate::sink::{LoadTarget, OnDuplicate};
use crate::sql::{push_cell, push_ident, push_string, push_table, push_value};

/// Rows of one INSERT of the copy, and about how many bytes.
const ROWS: usize = 1000;
const BYTES: usize = 1 << 20;

/// How rows of one table are written.
pub(super) struct Table<'a> {
    name: &'a TableName,
    columns: &'a Columns,
    /// Columns that can be written: not generated at the target.
    written: Vec<bool>,
    /// Unique keys over whole NOT NULL columns that the rows carry; the primary key first.
    keys: Vec<Vec<usize>>,
}

impl<'a> Table<'a> {
    /// A table with these columns; `schema` when its structure is known.
    pub(super) fn new(
        name: &'a TableName,
        columns: &'a Columns,
        schema: Option<&TableSchema>,
    ) -> Self {
        let generated = |name: &str| {
            schema.and_then(|s| s.column(name)).is_some_and(|(_, c)| c.generated.is_some())
        };
        let key_columns = |parts: &[KeyPart]| -> Option<Vec<usize>> {
            let column = |part: &KeyPart| match part {
                KeyPart::Column { name, prefix: None, .. } => {
                    let (_, column) = schema?.column(name)?;
                    if column.nullable { None } else { columns.index_of(name) }
                }
                _ => None,
            };
            parts.iter().map(column).collect()
        };
        let keys = schema
            .into_iter()
            .flat_map(TableSchema::unique_keys)
            .filter_map(|key| key_columns(&key.parts))
            .collect();
        Self { name, columns, written: columns.iter().map(|c| !generated(&c.name)).collect(), keys }
    }

    /// Appends the statements of a change.
    pub(super) fn push(&self, out: &mut String, op: &RowOp<'_>, mode: ApplyMode) {
        match (op, mode) {
            (RowOp::Insert { after }, ApplyMode::Exact) => self.insert(out, "INSERT INTO ", after),
            (RowOp::Insert { after }, ApplyMode::Idempotent) => {
                self.insert(out, "REPLACE INTO ", after);
            }
            (RowOp::Update { before, after }, ApplyMode::Idempotent) if after.is_full() => {
                self.delete(out, before);
                self.insert(out, "REPLACE INTO ", after);
            }
            (RowOp::Update { before, after }, _) => self.update(out, before, after),
            (RowOp::Delete { before }, _) => self.delete(out, before),
        }
    }

    fn present<'r, 'v>(
        &'r self,
        row: &'r Row<'v>,
    ) -> impl Iterator<Item = (usize, &'r str, &'r Value<'v>)> {
        self.columns
            .iter()
            .enumerate()
            .filter(|(i, _)| self.written.get(*i).copied().unwrap_or(false))
            .filter_map(|(i, c)| Some((i, c.name.as_str(), row.get(i)?)))
    }

    fn insert(&self, out: &mut String, verb: &str, after: &Row<'_>) {
        out.push_str(verb);
        push_table(out, self.name);
        let (mut names, mut values) = (String::new(), String::new());
        for (i, name, value) in self.present(after) {
            if !names.is_empty() {
                names.push(',');
                values.push(',');
            }
            push_ident(&mut names, name);
            push_value(&mut values, value, self.columns.get(i));
        }
        let _ = writeln!(out, " ({names}) VALUES ({values});");
    }

    fn update(&self, out: &mut String, before: &Row<'_>, after: &Row<'_>) {
        let mut set = String::new();
        for (i, name, value) in self.present(after) {
            if before.get(i) == Some(value) {
                continue;
            }
            if !set.is_empty() {
                set.push(',');
            }
            push_ident(&mut set, name);
            set.push('=');
            push_value(&mut set, value, self.columns.get(i));
        }
        if set.is_empty() {
            return;
        }
        out.push_str("UPDATE ");
        push_table(out, self.name);
        let _ = write!(out, " SET {set}");
        self.condition(out, before);
    }

    fn delete(&self, out: &mut String, before: &Row<'_>) {
        out.push_str("DELETE FROM ");
        push_table(out, self.name);
        self.condition(out, before);
    }

    fn condition(&self, out: &mut String, before: &Row<'_>) {
        let key = self.keys.iter().find(|k| k.iter().all(|&i| before.get(i).is_some()));
        let mut between = " WHERE ";
        for (i, name, value) in self.present(before) {
            if key.is_some_and(|k| !k.contains(&i)) {
                continue;
            }
            out.push_str(between);
            between = " AND ";
            push_ident(out, name);
            out.push_str(if key.is_some() { "=" } else { "<=>" });
            match value {
                // A string never equals a document.
                Value::Json(_) => {
                    out.push_str("CAST(");
                    push_value(out, value, None);
                    out.push_str(" AS JSON)");
                }
                _ => push_value(out, value, self.columns.get(i)),
            }
        }
        out.push_str(if key.is_some() { ";\n" } else { " LIMIT 1;\n" });
    }
}

/// Appends the INSERTs of a block of the copy.
pub(super) fn push_block(out: &mut String, target: &LoadTarget, block: &CopyBlock) {
    let verb = match target.on_duplicate {
        OnDuplicate::Error => "INSERT INTO ",
        OnDuplicate::Replace => "REPLACE INTO ",
        OnDuplicate::Ignore => "INSERT IGNORE INTO ",
    };
    let (mut rows, mut start) = (0, out.len());
    for row in 0..block.rows() {
        if rows == ROWS || out.len() - start > BYTES {
            out.push_str(";\n");
            rows = 0;
        }
        if rows == 0 {
            start = out.len();
            push_head(out, verb, target, block);
        } else {
            out.push_str(",\n");
        }
        let mut between = "(";
        for (column, cell) in block.row(row) {
            out.push_str(between);
            between = ",";
            push_cell(out, &column.kind, cell);
        }
        for (_, value) in &target.extra {
            out.push_str(between);
            between = ",";
            push_string(out, value);
        }
        out.push(')');
        rows += 1;
    }
    if rows > 0 {
        out.push_str(";\n");
    }
}

fn push_head(out: &mut String, verb: &str, target: &LoadTarget, block: &CopyBlock) {
    out.push_str(verb);
    push_table(out, &target.table);
    let mut between = " (";
    let carried = block.columns().iter().map(|c| &c.name);
    for name in carried.chain(target.extra.iter().map(|(name, _)| name)) {
        out.push_str(between);
        between = ",";
        push_ident(out, name);
    }
    out.push_str(") VALUES\n");
}
