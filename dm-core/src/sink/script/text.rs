//! Rows as statements for a MySQL-compatible server. Pure.

use std::sync::Arc;

use dm_filter::{ColumnInfo, Row, RowKind, RowOp, Value};

use crate::error::Result;
use crate::event::{ApplyMode, CopyBlock, RawCell, RawOp, RawRow, TablePlan};
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
    ///
    /// # Errors
    ///
    /// As [`Image::push`].
    pub(super) fn push(&self, out: &mut String, op: &RowOp<'_>, mode: ApplyMode) -> Result<()> {
        match op {
            RowOp::Insert { after } => self.inserted(out, after, mode),
            RowOp::Update { before, after } => self.updated(out, before, after, mode),
            RowOp::Delete { before } => self.delete(out, before),
        }
    }

    /// As [`Table::push`], from the images of the binlog.
    pub(super) fn push_raw(&self, out: &mut String, op: &RawOp<'_>, mode: ApplyMode) -> Result<()> {
        match op.kind {
            RowKind::Insert => self.inserted(out, &op.first, mode),
            RowKind::Update => self.updated(out, &op.first, &op.second, mode),
            RowKind::Delete => self.delete(out, &op.first),
        }
    }

    fn inserted<R: Image>(&self, out: &mut String, after: &R, mode: ApplyMode) -> Result<()> {
        let verb = match mode {
            ApplyMode::Exact => "INSERT INTO ",
            ApplyMode::Idempotent => "REPLACE INTO ",
        };
        self.insert(out, verb, after)
    }

    fn updated<R: Image>(
        &self,
        out: &mut String,
        before: &R,
        after: &R,
        mode: ApplyMode,
    ) -> Result<()> {
        if mode == ApplyMode::Idempotent && after.is_whole() {
            self.delete(out, before)?;
            return self.insert(out, "REPLACE INTO ", after);
        }
        self.update(out, before, after)
    }

    /// The columns that are written and that an image carries.
    fn present<'r, R: Image>(&'r self, row: &'r R) -> impl Iterator<Item = (usize, &'r str)> {
        let named = self.columns.iter().enumerate();
        named.filter_map(|(i, name)| Some((i, name.as_deref()?))).filter(|(i, _)| row.carries(*i))
    }

    fn value<R: Image>(&self, out: &mut String, row: &R, i: usize) -> Result<()> {
        row.push(out, i, self.plan.columns.get(i))
    }

    fn insert<R: Image>(&self, out: &mut String, verb: &str, after: &R) -> Result<()> {
        out.push_str(verb);
        out.push_str(&self.name);
        if after.width() == self.columns.len() && after.is_whole() {
            out.push_str(&self.head);
        } else {
            let mut between = " (";
            for (_, name) in self.present(after) {
                out.push_str(std::mem::replace(&mut between, ","));
                out.push_str(name);
            }
            // A row without any column is written as one.
            out.push_str(if between == "," { ") VALUES (" } else { " () VALUES (" });
        }
        let mut between = "";
        for (i, _) in self.present(after) {
            out.push_str(std::mem::replace(&mut between, ","));
            self.value(out, after, i)?;
        }
        out.push_str(");\n");
        Ok(())
    }

    fn update<R: Image>(&self, out: &mut String, before: &R, after: &R) -> Result<()> {
        let start = out.len();
        out.push_str("UPDATE ");
        out.push_str(&self.name);
        let mut between = " SET ";
        for (i, name) in self.present(after) {
            if after.is_same(before, i) {
                continue;
            }
            out.push_str(std::mem::replace(&mut between, ","));
            out.push_str(name);
            out.push('=');
            self.value(out, after, i)?;
        }
        if between == "," {
            self.condition(out, before)?;
        } else {
            out.truncate(start);
        }
        Ok(())
    }

    fn delete<R: Image>(&self, out: &mut String, before: &R) -> Result<()> {
        out.push_str("DELETE FROM ");
        out.push_str(&self.name);
        self.condition(out, before)
    }

    fn condition<R: Image>(&self, out: &mut String, before: &R) -> Result<()> {
        let key = self.keys.iter().find(|k| k.iter().all(|&i| before.carries(i)));
        let mut between = " WHERE ";
        for (i, name) in self.present(before) {
            if key.is_some_and(|k| !k.contains(&i)) {
                continue;
            }
            out.push_str(std::mem::replace(&mut between, " AND "));
            out.push_str(name);
            out.push_str(if key.is_some() { "=" } else { "<=>" });
            // A string never equals a document.
            if before.is_document(i)? {
                out.push_str("CAST(");
                before.push(out, i, None)?;
                out.push_str(" AS JSON)");
            } else {
                self.value(out, before, i)?;
            }
        }
        out.push_str(if key.is_some() { ";\n" } else { " LIMIT 1;\n" });
        Ok(())
    }
}

/// An image of a row, of values or as it stands in the binlog.
trait Image {
    /// Number of columns, carried or not.
    fn width(&self) -> usize;
    /// True when every column is carried.
    fn is_whole(&self) -> bool;
    /// True when a column is carried.
    fn carries(&self, i: usize) -> bool;
    /// True when a column is surely the same in another image of the row.
    fn is_same(&self, other: &Self, i: usize) -> bool;
    /// True for a JSON document.
    fn is_document(&self, i: usize) -> Result<bool>;
    /// Appends the literal of a column that is carried.
    fn push(&self, out: &mut String, i: usize, column: Option<&ColumnInfo>) -> Result<()>;
}

impl Image for Row<'_> {
    fn width(&self) -> usize {
        self.len()
    }

    fn is_whole(&self) -> bool {
        self.is_full()
    }

    fn carries(&self, i: usize) -> bool {
        self.get(i).is_some()
    }

    fn is_same(&self, other: &Self, i: usize) -> bool {
        other.get(i) == self.get(i)
    }

    fn is_document(&self, i: usize) -> Result<bool> {
        Ok(matches!(self.get(i), Some(Value::Json(_))))
    }

    fn push(&self, out: &mut String, i: usize, column: Option<&ColumnInfo>) -> Result<()> {
        if let Some(value) = self.get(i) {
            push_value(out, value, column);
        }
        Ok(())
    }
}

impl Image for &dyn RawRow {
    fn width(&self) -> usize {
        RawRow::width(*self)
    }

    fn is_whole(&self) -> bool {
        (0..RawRow::width(*self)).all(|i| self.cell(i) != RawCell::Absent)
    }

    fn carries(&self, i: usize) -> bool {
        self.cell(i) != RawCell::Absent
    }

    fn is_same(&self, other: &Self, i: usize) -> bool {
        other.cell(i) == self.cell(i)
    }

    fn is_document(&self, i: usize) -> Result<bool> {
        self.is_json(i)
    }

    fn push(&self, out: &mut String, i: usize, column: Option<&ColumnInfo>) -> Result<()> {
        self.push_sql(out, i, column)
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
