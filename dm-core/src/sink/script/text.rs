//! Rows as statements for a MySQL-compatible server. Pure.

use std::sync::Arc;

use dm_filter::{Row, RowOp, Value};

use crate::event::{ApplyMode, CopyBlock, TablePlan};
use crate::schema::{KeyPart, TableSchema};
use crate::sink::{LoadTarget, OnDuplicate};
use crate::sql::{push_cell, push_ident, push_string, push_table, push_value};

/// Rows of one INSERT of the copy, and about how many bytes.
const ROWS: usize = 1000;
const BYTES: usize = 1 << 20;

/// How rows of one version of a table are written: made once, kept by the writer.
pub(super) struct Table {
    plan: Arc<TablePlan>,
    schema: Option<Arc<TableSchema>>,
    /// The table's name, quoted.
    name: String,
    /// The columns' names, quoted; `None` for one that is generated at the target.
    columns: Vec<Option<String>>,
    /// What stands between the name and the values of a row with all columns.
    head: String,
    /// Unique keys over whole NOT NULL columns that the rows carry; the primary key first.
    keys: Vec<Vec<usize>>,
}

impl Table {
    /// A table as it is planned; `schema` when its structure is known.
    pub(super) fn new(plan: &Arc<TablePlan>, schema: Option<&Arc<TableSchema>>) -> Self {
        let generated = |name: &str| {
            schema.and_then(|s| s.column(name)).is_some_and(|(_, c)| c.generated.is_some())
        };
        let key_columns = |parts: &[KeyPart]| -> Option<Vec<usize>> {
            let column = |part: &KeyPart| match part {
                KeyPart::Column { name, prefix: None, .. } => {
                    let (_, column) = schema?.column(name)?;
                    if column.nullable { None } else { plan.columns.index_of(name) }
                }
                _ => None,
            };
            parts.iter().map(column).collect()
        };
        let keys = schema
            .into_iter()
            .flat_map(|s| s.unique_keys())
            .filter_map(|key| key_columns(&key.parts))
            .collect();
        let quoted = |name: &str| {
            let mut text = String::new();
            push_ident(&mut text, name);
            text
        };
        let columns: Vec<Option<String>> =
            plan.columns.iter().map(|c| (!generated(&c.name)).then(|| quoted(&c.name))).collect();
        let all: Vec<&str> = columns.iter().flatten().map(String::as_str).collect();
        let mut name = String::new();
        push_table(&mut name, &plan.target);
        Self {
            head: format!(" ({}) VALUES (", all.join(",")),
            plan: Arc::clone(plan),
            schema: schema.map(Arc::clone),
            name,
            columns,
            keys,
        }
    }

    /// True when it was made for this structure.
    pub(super) fn is_of(&self, schema: Option<&Arc<TableSchema>>) -> bool {
        match (&self.schema, schema) {
            (Some(mine), Some(other)) => Arc::ptr_eq(mine, other),
            (None, None) => true,
            _ => false,
        }
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
            .filter_map(|(i, name)| Some((i, name.as_deref()?, row.get(i)?)))
    }

    fn value(&self, out: &mut String, i: usize, value: &Value<'_>) {
        push_value(out, value, self.plan.columns.get(i));
    }

    fn insert(&self, out: &mut String, verb: &str, after: &Row<'_>) {
        out.push_str(verb);
        out.push_str(&self.name);
        if after.cells().len() == self.columns.len() && after.is_full() {
            out.push_str(&self.head);
        } else {
            let mut between = " (";
            for (_, name, _) in self.present(after) {
                out.push_str(std::mem::replace(&mut between, ","));
                out.push_str(name);
            }
            // A row without any column is written as one.
            out.push_str(if between == "," { ") VALUES (" } else { " () VALUES (" });
        }
        let mut between = "";
        for (i, _, value) in self.present(after) {
            out.push_str(std::mem::replace(&mut between, ","));
            self.value(out, i, value);
        }
        out.push_str(");\n");
    }

    fn update(&self, out: &mut String, before: &Row<'_>, after: &Row<'_>) {
        let start = out.len();
        out.push_str("UPDATE ");
        out.push_str(&self.name);
        let mut between = " SET ";
        for (i, name, value) in self.present(after) {
            if before.get(i) == Some(value) {
                continue;
            }
            out.push_str(std::mem::replace(&mut between, ","));
            out.push_str(name);
            out.push('=');
            self.value(out, i, value);
        }
        if between == "," {
            self.condition(out, before);
        } else {
            out.truncate(start);
        }
    }

    fn delete(&self, out: &mut String, before: &Row<'_>) {
        out.push_str("DELETE FROM ");
        out.push_str(&self.name);
        self.condition(out, before);
    }

    fn condition(&self, out: &mut String, before: &Row<'_>) {
        let key = self.keys.iter().find(|k| k.iter().all(|&i| before.get(i).is_some()));
        let mut between = " WHERE ";
        for (i, name, value) in self.present(before) {
            if key.is_some_and(|k| !k.contains(&i)) {
                continue;
            }
            out.push_str(std::mem::replace(&mut between, " AND "));
            out.push_str(name);
            out.push_str(if key.is_some() { "=" } else { "<=>" });
            match value {
                // A string never equals a document.
                Value::Json(_) => {
                    out.push_str("CAST(");
                    push_value(out, value, None);
                    out.push_str(" AS JSON)");
                }
                _ => self.value(out, i, value),
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
