//! How the rows of one table version are written: compiled once, executed per row.

mod conditions;
mod long;
mod values;

use std::sync::Arc;

use dm_filter::{Columns, Row, TableName, Value};

pub(super) use self::long::{Bound, LONG, is_long};
use crate::error::{Error, Result, codes};
use crate::event::TablePlan;
use crate::schema::{Column, Key, KeyPart, Pool, TableSchema, TypeKind};
use crate::sink::keys::{KeyPlan, KeyShape};
use crate::sql::quote_table;

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

    /// True when both rows have the same identity.
    pub fn same_identity(&self, a: &Row<'_>, b: &Row<'_>) -> bool {
        self.shape.identity.as_ref().is_some_and(|columns| {
            columns.iter().all(|&i| b.get(i).is_none() || a.get(i) == b.get(i))
        })
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
