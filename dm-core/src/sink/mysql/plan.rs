//! How the rows of one table version are written: compiled once, executed per row.

mod long;

use std::fmt::Write as _;
use std::sync::Arc;

use dm_filter::{Columns, Row, TableName, Value};

pub(super) use self::long::{Bound, LONG, is_long};
use crate::error::{Error, Result, codes};
use crate::event::TablePlan;
use crate::schema::{Column, Key, KeyPart, Pool, TableSchema, TypeKind};
use crate::sink::keys::{KeyPlan, KeyShape};
use crate::sql::{push_hex, push_string, push_value, quote_table};

/// The statements' fixed parts for one table version.
///
/// A task may have 20,000 tables: what those with the same columns and keys have in common is in their [`Shape`].
#[derive(Debug)]
pub(super) struct WritePlan {
    /// What it was compiled for.
    of: Arc<TablePlan>,
    /// The target table's name, quoted.
    pub table_sql: Box<str>,
    /// The keys that order its changes.
    pub keys: KeyPlan,
    shape: Arc<Shape>,
}

/// What does not depend on the table's name.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    infos: Columns,
    columns: Box<[AtTarget]>,
    names: Box<[Box<str>]>,
    /// Columns that are written; generated ones at the target are not.
    write: Box<[usize]>,
    /// `(a,b,c) VALUES `
    column_list: Box<str>,
    upsert_tail: Box<str>,
    identity: Option<Vec<usize>>,
    nullable_keys: Box<[Vec<usize>]>,
    /// Unique keys beside the identity, for evicting a row that stands in the way.
    others: Box<[Vec<usize>]>,
    /// Some other unique key cannot be told from the row.
    opaque_others: bool,
}

/// What matters of a column of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct AtTarget {
    kind: TypeKind,
    /// The target's clock fills it when an update does not write it.
    on_update: bool,
}

/// What plans share.
#[derive(Default)]
pub(super) struct Parts {
    shapes: Pool<Shape>,
    keys: Pool<KeyShape>,
}

impl WritePlan {
    /// Compiles the plan for a table as the target has it now.
    ///
    /// # Errors
    ///
    /// When the rows carry a column that the target does not have.
    pub fn compile(plan: &Arc<TablePlan>, target: &TableSchema) -> Result<Self> {
        let mut columns = Vec::with_capacity(plan.columns.len());
        let mut write = Vec::with_capacity(plan.columns.len());
        for (i, info) in plan.columns.iter().enumerate() {
            let Some((_, column)) = target.column(&info.name) else {
                return Err(missing_columns(plan, target));
            };
            if column.generated.is_none() {
                write.push(i);
            }
            columns.push(column);
        }
        let names: Vec<Box<str>> =
            columns.iter().map(|c| crate::sql::quote_ident(&c.name).into()).collect();
        let indexes = |key: &Key| whole_columns(key, plan);
        let mut keys: Vec<&Key> = target.unique_keys().collect();
        let not_null =
            |of_key: &[usize]| of_key.iter().all(|&i| columns.get(i).is_some_and(|c| !c.nullable));
        let identity_at = keys.iter().position(|k| indexes(k).is_some_and(|c| not_null(&c)));
        let identity = identity_at.and_then(|at| indexes(keys.remove(at)));
        let opaque_others = keys.iter().any(|k| indexes(k).is_none());
        let others: Vec<Vec<usize>> = keys.iter().filter_map(|k| indexes(k)).collect();
        let nullable_keys = if identity.is_some() { Vec::new() } else { others.clone() };
        let table_sql = quote_table(&plan.target);
        let (column_list, upsert_tail) = lists(&names, &write);
        let keys = KeyPlan::new(&table_sql, target, None, &plan.columns);
        let at_target =
            |c: &&Column| AtTarget { kind: c.ty.kind, on_update: c.on_update.is_some() };
        let shape = Shape {
            infos: plan.columns.clone(),
            columns: columns.iter().map(at_target).collect(),
            names: names.into(),
            write: write.into(),
            column_list: column_list.into(),
            upsert_tail: upsert_tail.into(),
            identity,
            nullable_keys: nullable_keys.into(),
            others: others.into(),
            opaque_others,
        };
        let (of, table_sql, shape) = (Arc::clone(plan), table_sql.into(), Arc::new(shape));
        Ok(Self { of, table_sql, keys, shape })
    }

    /// The same, with what other plans have in common with it held once.
    pub fn shared(mut self, parts: &mut Parts) -> Self {
        self.shape = parts.shapes.share(self.shape);
        self.keys = self.keys.shared(&mut parts.keys);
        self
    }

    #[cfg(test)]
    pub fn shares_shape_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shape, &other.shape)
    }

    /// The target table.
    pub fn table(&self) -> &TableName {
        &self.of.target
    }

    /// `(a,b) VALUES `: what follows `INSERT INTO t `.
    pub fn column_list(&self) -> &str {
        &self.shape.column_list
    }

    /// ` ON DUPLICATE KEY UPDATE ...`.
    pub fn upsert_tail(&self) -> &str {
        &self.shape.upsert_tail
    }

    /// True when a NOT NULL key names every row.
    pub fn has_identity(&self) -> bool {
        self.shape.identity.is_some()
    }

    /// True when a row may stand in the way of another by a key beside the identity.
    pub fn has_other_keys(&self) -> bool {
        !self.shape.others.is_empty() || self.shape.opaque_others
    }

    /// Appends `(v1,v2,...)`. Returns true when a strict session would refuse the row although
    /// the source held it: an ENUM's error value.
    pub fn push_tuple(&self, out: &mut String, row: &Row<'_>) -> bool {
        self.push_tuple_bound(out, row, &mut Bound::none())
    }

    /// As [`WritePlan::push_tuple`], with `?` for the values that `bound` takes.
    pub fn push_tuple_bound(&self, out: &mut String, row: &Row<'_>, bound: &mut Bound) -> bool {
        let mut loose = false;
        out.push('(');
        for (n, &i) in self.shape.write.iter().enumerate() {
            if n > 0 {
                out.push(',');
            }
            match row.get(i) {
                Some(value) => {
                    loose |= needs_loose(value);
                    self.push_or_bind(out, i, value, bound);
                }
                None => out.push_str("DEFAULT"),
            }
        }
        out.push(')');
        loose
    }

    /// Appends `a=1,b=2` of the columns that an update writes, with `?` for the values that `bound`
    /// takes; empty when nothing changes.
    pub fn push_assignments(
        &self,
        out: &mut String,
        before: &Row<'_>,
        after: &Row<'_>,
        bound: &mut Bound,
    ) -> bool {
        let mut loose = false;
        let mut first = true;
        for &i in &self.shape.write {
            let Some(value) = after.get(i) else { continue };
            // ON UPDATE columns must be told, or the target's clock would fill them.
            if self.keeps(i, before, value) {
                continue;
            }
            if !std::mem::take(&mut first) {
                out.push(',');
            }
            out.push_str(self.shape.names.get(i).map_or("", |name| name));
            out.push('=');
            loose |= needs_loose(value);
            self.push_or_bind(out, i, value, bound);
        }
        loose
    }

    /// True when an update need not write a column: it keeps its value, and the target would not
    /// fill it by its clock.
    pub fn keeps(&self, i: usize, before: &Row<'_>, value: &Value<'_>) -> bool {
        before.get(i) == Some(value) && self.shape.columns.get(i).is_some_and(|c| !c.on_update)
    }

    /// Indexes of the columns that are written.
    pub fn written(&self) -> &[usize] {
        &self.shape.write
    }

    /// Indexes of the columns of the NOT NULL key that names every row.
    pub fn identity(&self) -> Option<&[usize]> {
        self.shape.identity.as_deref()
    }

    /// The type of a column at the target.
    pub fn kind(&self, i: usize) -> Option<TypeKind> {
        self.shape.columns.get(i).map(|c| c.kind)
    }

    /// A column's name, quoted.
    pub fn name(&self, i: usize) -> &str {
        self.shape.names.get(i).map_or("", |name| name)
    }

    /// The identity's column where it is a single one, which entries of [`Self::push_entry`] are
    /// values of; empty where they are conditions.
    pub fn key_name(&self) -> &str {
        match self.shape.identity.as_deref() {
            Some([only]) => self.name(*only),
            _ => "",
        }
    }

    /// What stands between two entries.
    pub fn key_separator(&self) -> &'static str {
        if self.key_name().is_empty() { " OR " } else { "," }
    }

    /// Appends what names a row among others: the value of its key, or a condition.
    pub fn push_entry(&self, out: &mut String, row: &Row<'_>) {
        match self.shape.identity.as_deref() {
            Some([only]) => {
                if let Some(value) = row.get(*only) {
                    self.push_value(out, *only, value);
                }
            }
            Some(columns) => {
                out.push('(');
                self.push_key(out, columns, row);
                out.push(')');
            }
            None => {}
        }
    }

    /// Appends the condition that finds the rows of these entries.
    pub fn push_entries(&self, out: &mut String, entries: &str) {
        let name = self.key_name();
        if name.is_empty() {
            out.push_str(entries);
        } else {
            out.push_str(name);
            out.push_str(" IN (");
            out.push_str(entries);
            out.push(')');
        }
    }

    /// Appends the condition that finds a row. Returns true when the condition may match several
    /// equal rows, so that the statement needs a LIMIT.
    pub fn push_where(&self, out: &mut String, row: &Row<'_>) -> bool {
        let told =
            |columns: &[usize]| columns.iter().all(|&i| row.get(i).is_some_and(|v| !v.is_null()));
        let key = self
            .shape
            .identity
            .iter()
            .chain(&self.shape.nullable_keys)
            .find(|columns| told(columns));
        match key {
            Some(columns) => {
                self.push_key(out, columns, row);
                false
            }
            None => {
                let mut first = true;
                for i in 0..self.shape.columns.len() {
                    let Some(value) = row.get(i) else { continue };
                    if !std::mem::take(&mut first) {
                        out.push_str(" AND ");
                    }
                    self.push_exact(out, i, value);
                }
                true
            }
        }
    }

    /// Appends the condition on the identity.
    pub fn push_identity(&self, out: &mut String, row: &Row<'_>) -> bool {
        match &self.shape.identity {
            Some(columns) => {
                self.push_key(out, columns, row);
                true
            }
            None => false,
        }
    }

    /// For each key beside the identity whose value the row tells: the condition that finds
    /// another row with that value.
    pub fn evictions(&self, row: &Row<'_>) -> Vec<String> {
        let mut all = Vec::new();
        for columns in &self.shape.others {
            if columns.iter().any(|&i| row.get(i).is_none_or(Value::is_null)) {
                continue;
            }
            let mut text = String::new();
            self.push_key(&mut text, columns, row);
            text.push_str(" AND NOT (");
            self.push_identity(&mut text, row);
            text.push(')');
            all.push(text);
        }
        all
    }

    /// True when both rows have the same identity.
    pub fn same_identity(&self, a: &Row<'_>, b: &Row<'_>) -> bool {
        self.shape.identity.as_ref().is_some_and(|columns| {
            columns.iter().all(|&i| b.get(i).is_none() || a.get(i) == b.get(i))
        })
    }

    fn push_or_bind(&self, out: &mut String, i: usize, value: &Value<'_>, bound: &mut Bound) {
        let kind = self.shape.columns.get(i).map(|c| c.kind);
        if !kind.is_some_and(|kind| bound.take(out, value, kind)) {
            self.push_value(out, i, value);
        }
    }

    /// Appends a value for a column. A target that keeps JSON as text gets the text.
    pub fn push_value(&self, out: &mut String, i: usize, value: &Value<'_>) {
        match value {
            Value::Json(json) if !self.is_json(i) => push_string(out, &json.text),
            value => push_value(out, value, self.shape.infos.get(i)),
        }
    }

    fn is_json(&self, i: usize) -> bool {
        self.shape.columns.get(i).is_some_and(|c| c.kind == TypeKind::Json)
    }

    fn push_key(&self, out: &mut String, columns: &[usize], row: &Row<'_>) {
        for (n, &i) in columns.iter().enumerate() {
            if n > 0 {
                out.push_str(" AND ");
            }
            let Some(value) = row.get(i) else { continue };
            out.push_str(self.shape.names.get(i).map_or("", |name| name));
            match value {
                Value::Null => out.push_str(" IS NULL"),
                // By number: two labels may be equal under the column's collation.
                Value::Enum(v) => {
                    let _ = write!(out, "+0={v}");
                }
                Value::Set(v) => {
                    let _ = write!(out, "+0={v}");
                }
                value => {
                    out.push('=');
                    self.push_value(out, i, value);
                }
            }
        }
    }

    /// Appends a condition that is true for this value and no other that a collation, a padding
    /// rule or a rounding calls equal.
    fn push_exact(&self, out: &mut String, i: usize, value: &Value<'_>) {
        let name = self.shape.names.get(i).map_or("", |name| name);
        match value {
            Value::Null => {
                let _ = write!(out, "{name} IS NULL");
            }
            Value::Json(json) if self.is_json(i) => {
                let _ = write!(out, "{name}=CAST(");
                crate::sql::push_json(out, json);
                out.push_str(" AS JSON)");
            }
            Value::Text(_) | Value::Encoded(_) | Value::Json(_) => {
                let _ = write!(out, "CAST(CONVERT({name} USING utf8mb4) AS BINARY)=CAST(CONVERT(");
                self.push_value(out, i, value);
                out.push_str(" USING utf8mb4) AS BINARY)");
            }
            Value::Bytes(bytes) => {
                let _ = write!(out, "CAST({name} AS BINARY)=");
                push_hex(out, bytes);
            }
            Value::Geometry(bytes) | Value::Vector(bytes) => {
                let _ = write!(out, "HEX({name})=HEX(");
                push_hex(out, bytes);
                out.push(')');
            }
            Value::Enum(v) => {
                let _ = write!(out, "{name}+0={v}");
            }
            Value::Set(v) | Value::Bit(v) => {
                let _ = write!(out, "{name}+0={v}");
            }
            value => {
                out.push_str(name);
                out.push('=');
                self.push_value(out, i, value);
            }
        }
    }
}

/// The list of the written columns before their values, and what changes a row that is there to them.
fn lists(names: &[Box<str>], write: &[usize]) -> (String, String) {
    let written = || write.iter().filter_map(|&i| names.get(i)).map(|name| &**name);
    let columns: Vec<&str> = written().collect();
    let upsert: Vec<String> = written().map(|n| format!("{n}=VALUES({n})")).collect();
    let columns = format!("({}) VALUES ", columns.join(","));
    (columns, format!(" ON DUPLICATE KEY UPDATE {}", upsert.join(",")))
}

/// Strict sessions refuse an ENUM's error value, which the source holds nevertheless.
fn needs_loose(value: &Value<'_>) -> bool {
    matches!(value, Value::Enum(0))
}

/// The columns of a key, if it is made of whole, carried columns.
fn whole_columns(key: &Key, plan: &TablePlan) -> Option<Vec<usize>> {
    key.parts
        .iter()
        .map(|part| match part {
            KeyPart::Column { name, prefix: None, .. } => plan.columns.index_of(name),
            _ => None,
        })
        .collect()
}

fn missing_columns(plan: &TablePlan, target: &TableSchema) -> Error {
    let have: Vec<&str> = target.columns.iter().map(|c| c.name.as_str()).collect();
    let lacks = plan.columns.iter().filter(|info| target.column(&info.name).is_none());
    let lacks: Vec<String> = lacks.map(|info| info.name.clone()).collect();
    let quoted: Vec<String> = lacks.iter().map(|name| crate::sql::quote_ident(name)).collect();
    let word = if lacks.len() == 1 { ("column", "has") } else { ("columns", "have") };
    Error::new(
        &codes::SYNC_COLUMN_COUNT,
        format!(
            "{} {} of source table {} {} no counterpart in target table {}, which has ({})",
            word.0,
            quoted.join(", "),
            plan.source,
            word.1,
            plan.target,
            have.join(", ")
        ),
    )
    .workaround(
        "Add the column to the target table, or leave it out with `columns: {exclude: [...]}` on \
         the table's route, then resume the task.",
    )
    .lacks(plan.source.table.clone(), lacks)
}
