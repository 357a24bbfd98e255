//! How the rows of one table version are written: compiled once, executed per row.

mod long;

use std::fmt::Write as _;

use dm_filter::{ColumnInfo, Row, TableName, Value};

pub(super) use self::long::{Bound, LONG, is_long};
use crate::error::{Error, Result, codes};
use crate::event::TablePlan;
use crate::schema::{Column, Key, KeyPart, TableSchema, TypeKind};
use crate::sink::keys::KeyPlan;
use crate::sql::{push_hex, push_ident, push_string, push_value, quote_table};

/// The statements' fixed parts for one table version.
#[derive(Debug)]
pub(super) struct WritePlan {
    /// The target table.
    pub table: TableName,
    /// Its name, quoted.
    pub table_sql: String,
    /// The keys that order its changes.
    pub keys: KeyPlan,
    infos: Vec<ColumnInfo>,
    columns: Vec<Column>,
    names: Vec<String>,
    /// Columns that are written; generated ones at the target are not.
    write: Vec<usize>,
    /// `(a,b,c) VALUES `
    column_list: String,
    upsert_tail: String,
    identity: Option<Vec<usize>>,
    nullable_keys: Vec<Vec<usize>>,
    /// Unique keys beside the identity, for evicting a row that stands in the way.
    others: Vec<Vec<usize>>,
    /// Some other unique key cannot be told from the row.
    opaque_others: bool,
}

impl WritePlan {
    /// Compiles the plan for a table as the target has it now.
    ///
    /// # Errors
    ///
    /// When the rows carry a column that the target does not have.
    pub fn compile(plan: &TablePlan, target: &TableSchema) -> Result<Self> {
        let mut columns = Vec::with_capacity(plan.columns.len());
        let mut write = Vec::with_capacity(plan.columns.len());
        for (i, info) in plan.columns.iter().enumerate() {
            let Some((_, column)) = target.column(&info.name) else {
                return Err(missing_column(plan, target, &info.name));
            };
            if column.generated.is_none() {
                write.push(i);
            }
            columns.push(column.clone());
        }
        let infos: Vec<ColumnInfo> = plan.columns.iter().cloned().collect();
        let names: Vec<String> = columns.iter().map(|c| crate::sql::quote_ident(&c.name)).collect();
        let indexes = |key: &Key| whole_columns(key, plan);
        let mut keys: Vec<&Key> = target.unique_keys().collect();
        let not_null = |columns: &[usize], all: &[Column]| {
            columns.iter().all(|&i| all.get(i).is_some_and(|c| !c.nullable))
        };
        let identity_at =
            keys.iter().position(|k| indexes(k).is_some_and(|c| not_null(&c, &columns)));
        let identity = identity_at.and_then(|at| indexes(keys.remove(at)));
        let opaque_others = keys.iter().any(|k| indexes(k).is_none());
        let others: Vec<Vec<usize>> = keys.iter().filter_map(|k| indexes(k)).collect();
        let nullable_keys = if identity.is_some() { Vec::new() } else { others.clone() };
        let table_sql = quote_table(&plan.target);
        let column_list = {
            let list: Vec<&str> =
                write.iter().filter_map(|&i| names.get(i)).map(String::as_str).collect();
            format!("({}) VALUES ", list.join(","))
        };
        let upsert_tail = {
            let list: Vec<String> = write
                .iter()
                .filter_map(|&i| names.get(i))
                .map(|n| format!("{n}=VALUES({n})"))
                .collect();
            format!(" ON DUPLICATE KEY UPDATE {}", list.join(","))
        };
        let keys = KeyPlan::new(&table_sql, target, None, &plan.columns);
        Ok(Self {
            table: plan.target.clone(),
            table_sql,
            keys,
            infos,
            columns,
            names,
            write,
            column_list,
            upsert_tail,
            identity,
            nullable_keys,
            others,
            opaque_others,
        })
    }

    /// `(a,b) VALUES `: what follows `INSERT INTO t `.
    pub fn column_list(&self) -> &str {
        &self.column_list
    }

    /// ` ON DUPLICATE KEY UPDATE ...`.
    pub fn upsert_tail(&self) -> &str {
        &self.upsert_tail
    }

    /// True when a NOT NULL key names every row.
    pub fn has_identity(&self) -> bool {
        self.identity.is_some()
    }

    /// True when a row may stand in the way of another by a key beside the identity.
    pub fn has_other_keys(&self) -> bool {
        !self.others.is_empty() || self.opaque_others
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
        for (n, &i) in self.write.iter().enumerate() {
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
        for &i in &self.write {
            let Some(value) = after.get(i) else { continue };
            // ON UPDATE columns must be told, or the target's clock would fill them.
            let kept = before.get(i) == Some(value)
                && self.columns.get(i).is_some_and(|c| c.on_update.is_none());
            if kept {
                continue;
            }
            if !std::mem::take(&mut first) {
                out.push(',');
            }
            out.push_str(self.names.get(i).map_or("", String::as_str));
            out.push('=');
            loose |= needs_loose(value);
            self.push_or_bind(out, i, value, bound);
        }
        loose
    }

    /// Appends the condition that finds a row. Returns true when the condition may match several
    /// equal rows, so that the statement needs a LIMIT.
    pub fn push_where(&self, out: &mut String, row: &Row<'_>) -> bool {
        let told =
            |columns: &[usize]| columns.iter().all(|&i| row.get(i).is_some_and(|v| !v.is_null()));
        let key = self.identity.iter().chain(&self.nullable_keys).find(|columns| told(columns));
        match key {
            Some(columns) => {
                self.push_key(out, columns, row);
                false
            }
            None => {
                let mut first = true;
                for i in 0..self.columns.len() {
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
        match &self.identity {
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
        for columns in &self.others {
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
        self.identity.as_ref().is_some_and(|columns| {
            columns.iter().all(|&i| b.get(i).is_none() || a.get(i) == b.get(i))
        })
    }

    fn push_or_bind(&self, out: &mut String, i: usize, value: &Value<'_>, bound: &mut Bound) {
        let kind = self.columns.get(i).map(|c| c.ty.kind);
        if !kind.is_some_and(|kind| bound.take(out, value, kind)) {
            self.push_value(out, i, value);
        }
    }

    /// Appends a value for a column. A target that keeps JSON as text gets the text.
    fn push_value(&self, out: &mut String, i: usize, value: &Value<'_>) {
        match value {
            Value::Json(json) if !self.is_json(i) => push_string(out, &json.text),
            value => push_value(out, value, self.infos.get(i)),
        }
    }

    fn is_json(&self, i: usize) -> bool {
        self.columns.get(i).is_some_and(|c| c.ty.kind == TypeKind::Json)
    }

    fn push_key(&self, out: &mut String, columns: &[usize], row: &Row<'_>) {
        for (n, &i) in columns.iter().enumerate() {
            if n > 0 {
                out.push_str(" AND ");
            }
            let Some(value) = row.get(i) else { continue };
            out.push_str(self.names.get(i).map_or("", String::as_str));
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
        let name = self.names.get(i).map_or("", String::as_str);
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

fn missing_column(plan: &TablePlan, target: &TableSchema, name: &str) -> Error {
    let have: Vec<&str> = target.columns.iter().map(|c| c.name.as_str()).collect();
    let mut column = String::new();
    push_ident(&mut column, name);
    Error::new(
        &codes::SYNC_COLUMN_COUNT,
        format!(
            "column {column} of source table {} has no counterpart in target table {}, which has ({})",
            plan.source,
            plan.target,
            have.join(", ")
        ),
    )
    .workaround(
        "Add the column to the target table, or leave it out with `columns: {exclude: [...]}` on \
         the table's route, then resume the task.",
    )
}
