//! Turns the row changes of a batch into as few statements as keep its meaning.
//!
//! Guarantee: running the statements in order leaves the target as running every change by itself
//! in order would. Method: within one target transaction, changes of different tables commute
//! (foreign key checks are off, cascades come from the log). Within a table, a change may join an
//! earlier group of its kind when nothing in between touches one of its keys; a wild key touches
//! everything. Multi-row forms are used only where matched rows can be counted: a row of a
//! multi-row UPDATE (`many`) or DELETE joins only a group that has not touched its keys.

use std::collections::HashMap;
use std::sync::Arc;

use dm_filter::{Row, RowOp, TableName};

use super::many::{self, Assigned, Updates};
use super::plan::{Bound, WritePlan, is_long};
use crate::error::{Error, Result, codes};
use crate::event::ApplyMode;
use crate::sink::keys::{KeyHash, KeyMap};

/// Rows of one statement: bounds its text and the depth of its OR.
const ROWS_PER_STATEMENT: u64 = 1_000;
const DELETES_PER_STATEMENT: u64 = 200;
/// Groups that are looked at for one that a change may join.
const LOOK_AT: usize = 64;

/// What a statement should report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expect {
    /// Nothing to count.
    Nothing,
    /// Rows inserted.
    Inserted(u64),
    /// Rows that should be found for an update.
    Updated(u64),
    /// Rows that should be found for a delete.
    Deleted(u64),
    /// Rows written idempotently.
    Upserted(u64),
}

/// One statement and what it should report.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub sql: String,
    pub expect: Expect,
    pub table: TableName,
    /// Must run in a session that is not strict.
    pub loose: bool,
    /// The long values that stand as `?` in the text.
    pub params: Vec<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Insert {
        loose: bool,
    },
    Upsert {
        loose: bool,
    },
    Delete {
        counted: bool,
        /// Its rows are named by entries of the key, not by conditions.
        entries: bool,
    },
    /// Updates of these columns.
    Update {
        assigned: Assigned,
    },
    /// Statements of their own.
    Raw,
}

struct Group {
    kind: Kind,
    plan: Arc<WritePlan>,
    rows: u64,
    text: String,
    updates: Updates,
    statements: Vec<Statement>,
}

#[derive(Default)]
struct TableOps {
    groups: Vec<Group>,
    /// The last group that touches a key.
    touched: KeyMap<usize>,
    wild: Option<usize>,
}

/// Collects changes and gives statements.
#[derive(Default)]
pub(super) struct Grouper {
    tables: HashMap<TableName, usize>,
    ops: Vec<TableOps>,
    hashes: Vec<KeyHash>,
    max_text: usize,
}

impl Grouper {
    /// A grouper whose statements stay below `max_text` bytes where one row allows it.
    pub fn new(max_text: usize) -> Self {
        Self { max_text, ..Self::default() }
    }

    /// Adds a change.
    ///
    /// # Errors
    ///
    /// A change of a table without a key that may have been applied before.
    pub fn push(&mut self, plan: &Arc<WritePlan>, op: &RowOp<'_>, mode: ApplyMode) -> Result<()> {
        self.hashes.clear();
        plan.keys.hashes(op, &mut self.hashes);
        let at = match self.tables.get(plan.table()) {
            Some(&at) => at,
            None => {
                self.ops.push(TableOps::default());
                self.tables.insert(plan.table().clone(), self.ops.len() - 1);
                self.ops.len() - 1
            }
        };
        let Some(ops) = self.ops.get_mut(at) else { return Ok(()) };
        match mode {
            ApplyMode::Exact => exact(ops, &self.hashes, plan, op, self.max_text),
            ApplyMode::Idempotent => idempotent(ops, &self.hashes, plan, op, self.max_text),
        }
    }

    /// The statements, in an order that keeps the meaning.
    pub fn finish(self) -> Vec<Statement> {
        self.ops.into_iter().flat_map(|t| t.groups).flat_map(Group::finish).collect()
    }
}

fn exact(
    ops: &mut TableOps,
    hashes: &[KeyHash],
    plan: &Arc<WritePlan>,
    op: &RowOp<'_>,
    max_text: usize,
) -> Result<()> {
    match op {
        RowOp::Insert { after } => insert(ops, hashes, plan, after, max_text),
        RowOp::Delete { before } => {
            let mut text = String::new();
            if many::is_entry(plan, before) {
                plan.push_entry(&mut text, before);
                ops.delete(hashes, plan, &text, (true, true), max_text);
            } else if plan.push_where(&mut text, before) {
                // Equal rows: one of them, alone.
                let sql = format!("DELETE FROM {} WHERE {text} LIMIT 1", plan.table_sql);
                ops.raw(hashes, plan, statement(plan, sql, Expect::Deleted(1)));
            } else {
                ops.delete(hashes, plan, &text, (true, false), max_text);
            }
        }
        RowOp::Update { before, after } => {
            let told = hashes.iter().all(|h| matches!(h, KeyHash::Plain { .. }));
            let told = told && !is_long(after);
            match many::joins(plan, before, after).filter(|_| told) {
                Some(assigned) => ops.update(hashes, plan, assigned, (before, after), max_text),
                None => {
                    if let Some(alone) = update_alone(plan, before, after) {
                        ops.raw(hashes, plan, alone);
                    }
                }
            }
        }
    }
    Ok(())
}

/// An update as a statement of its own; `None` when it changes nothing that is written.
fn update_alone(plan: &WritePlan, before: &Row<'_>, after: &Row<'_>) -> Option<Statement> {
    let mut text = format!("UPDATE {} SET ", plan.table_sql);
    let empty = text.len();
    let mut bound = Bound::long();
    let loose = plan.push_assignments(&mut text, before, after, &mut bound);
    if text.len() == empty {
        return None;
    }
    text.push_str(" WHERE ");
    if plan.push_where(&mut text, before) {
        text.push_str(" LIMIT 1");
    }
    let mut s = statement(plan, text, Expect::Updated(1));
    (s.loose, s.params) = (loose, bound.values);
    Some(s)
}

fn insert(
    ops: &mut TableOps,
    hashes: &[KeyHash],
    plan: &Arc<WritePlan>,
    row: &Row<'_>,
    max: usize,
) {
    if is_long(row) {
        let mut s = one_row(plan, row, "");
        s.expect = Expect::Inserted(1);
        return ops.raw(hashes, plan, s);
    }
    let mut tuple = String::new();
    let loose = plan.push_tuple(&mut tuple, row);
    ops.tuple(hashes, plan, Kind::Insert { loose }, &tuple, max);
}

/// An INSERT of one row, long values apart from the text.
fn one_row(plan: &WritePlan, row: &Row<'_>, tail: &str) -> Statement {
    let mut sql = format!("INSERT INTO {} {}", plan.table_sql, plan.column_list());
    let mut bound = Bound::long();
    let loose = plan.push_tuple_bound(&mut sql, row, &mut bound);
    sql.push_str(tail);
    let mut s = statement(plan, sql, Expect::Upserted(1));
    (s.loose, s.params) = (loose, bound.values);
    s
}

fn idempotent(
    ops: &mut TableOps,
    hashes: &[KeyHash],
    plan: &Arc<WritePlan>,
    op: &RowOp<'_>,
    max_text: usize,
) -> Result<()> {
    if !plan.has_identity() {
        return Err(no_identity(plan));
    }
    match op {
        RowOp::Insert { after } => upsert(ops, hashes, plan, after, max_text),
        RowOp::Delete { before } => {
            let mut text = String::new();
            plan.push_identity(&mut text, before);
            ops.delete(hashes, plan, &text, (false, false), max_text);
        }
        RowOp::Update { before, after } if after.is_full() => {
            if !plan.same_identity(before, after) {
                let mut text = String::new();
                plan.push_identity(&mut text, before);
                ops.delete(hashes, plan, &text, (false, false), max_text);
            }
            upsert(ops, hashes, plan, after, max_text);
        }
        RowOp::Update { .. } => return Err(partial_image(plan)),
    }
    Ok(())
}

fn upsert(
    ops: &mut TableOps,
    hashes: &[KeyHash],
    plan: &Arc<WritePlan>,
    row: &Row<'_>,
    max: usize,
) {
    if plan.has_other_keys() || is_long(row) {
        for condition in plan.evictions(row) {
            let sql = format!("DELETE FROM {} WHERE {condition}", plan.table_sql);
            ops.raw(hashes, plan, statement(plan, sql, Expect::Nothing));
        }
        ops.raw(hashes, plan, one_row(plan, row, plan.upsert_tail()));
    } else {
        let mut tuple = String::new();
        let loose = plan.push_tuple(&mut tuple, row);
        ops.tuple(hashes, plan, Kind::Upsert { loose }, &tuple, max);
    }
}

fn statement(plan: &WritePlan, sql: String, expect: Expect) -> Statement {
    Statement { sql, expect, table: plan.table().clone(), loose: false, params: Vec::new() }
}

fn no_identity(plan: &WritePlan) -> Error {
    Error::new(
        &codes::SYNC_NO_IDENTITY,
        format!(
            "target table {} has no primary key and no unique key that is NOT NULL, and these \
             changes may have been applied before",
            plan.table()
        ),
    )
}

fn partial_image(plan: &WritePlan) -> Error {
    Error::new(
        &codes::ROW_IMAGE,
        format!(
            "an update of {} carries only a part of the row, and it may have been applied before",
            plan.table()
        ),
    )
}

impl TableOps {
    /// The group of a kind that a change with these keys may join, or a new one.
    ///
    /// It joins the earliest that it may, so that the changes behind it find room, too.
    fn group(
        &mut self,
        hashes: &[KeyHash],
        plan: &Arc<WritePlan>,
        kind: Kind,
        limit: impl Fn(&Group) -> bool,
    ) -> &mut Group {
        let first = self.first(hashes, kind);
        let joins = |g: &Group| g.kind == kind && Arc::ptr_eq(&g.plan, plan) && limit(g);
        let found = self
            .groups
            .iter()
            .enumerate()
            .skip(first)
            .take(LOOK_AT)
            .chain(self.groups.iter().enumerate().skip(first).rev().take(1))
            .find(|(_, g)| joins(g))
            .map(|(i, _)| i);
        let at = match found {
            Some(at) => at,
            None => {
                self.groups.push(Group {
                    kind,
                    plan: Arc::clone(plan),
                    rows: 0,
                    text: String::new(),
                    updates: Updates::default(),
                    statements: Vec::new(),
                });
                self.groups.len() - 1
            }
        };
        for h in hashes {
            self.touched.insert(*h, at);
        }
        if hashes.iter().any(|h| matches!(h, KeyHash::Wild { .. })) {
            self.wild = Some(at);
        }
        &mut self.groups[at]
    }

    /// The first group that a change with these keys may join.
    fn first(&self, hashes: &[KeyHash], kind: Kind) -> usize {
        if hashes.iter().any(|h| matches!(h, KeyHash::Wild { .. })) {
            return self.groups.len().saturating_sub(1);
        }
        let barrier =
            hashes.iter().filter_map(|h| self.touched.get(h)).chain(&self.wild).copied().max();
        match (barrier, kind) {
            // Of one row's updates in one statement only one would happen.
            (Some(at), Kind::Update { .. }) => at + 1,
            (at, _) => at.unwrap_or(0),
        }
    }

    fn update(
        &mut self,
        hashes: &[KeyHash],
        plan: &Arc<WritePlan>,
        assigned: Assigned,
        (before, after): (&Row<'_>, &Row<'_>),
        max: usize,
    ) {
        let most = many::most_rows(assigned);
        let fits = |g: &Group| g.rows < most && g.updates.bytes() < max / 2;
        let group = self.group(hashes, plan, Kind::Update { assigned }, fits);
        group.rows += 1;
        group.updates.push(plan, assigned, (before, after), || {
            update_alone(plan, before, after).map(|s| s.sql).unwrap_or_default()
        });
    }

    fn tuple(
        &mut self,
        hashes: &[KeyHash],
        plan: &Arc<WritePlan>,
        kind: Kind,
        tuple: &str,
        max: usize,
    ) {
        let fits = |g: &Group| g.rows < ROWS_PER_STATEMENT && g.text.len() + tuple.len() < max;
        let group = self.group(hashes, plan, kind, fits);
        if group.rows > 0 {
            group.text.push(',');
        }
        group.text.push_str(tuple);
        group.rows += 1;
    }

    fn delete(
        &mut self,
        hashes: &[KeyHash],
        plan: &Arc<WritePlan>,
        text: &str,
        (counted, entries): (bool, bool),
        max: usize,
    ) {
        let fits = |g: &Group| g.rows < DELETES_PER_STATEMENT && g.text.len() + text.len() < max;
        let group = self.group(hashes, plan, Kind::Delete { counted, entries }, fits);
        let (separator, open, close) = match entries {
            true => (plan.key_separator(), "", ""),
            false => (" OR ", "(", ")"),
        };
        if group.rows > 0 {
            group.text.push_str(separator);
        }
        group.text.push_str(open);
        group.text.push_str(text);
        group.text.push_str(close);
        group.rows += 1;
    }

    fn raw(&mut self, hashes: &[KeyHash], plan: &Arc<WritePlan>, statement: Statement) {
        let group = self.group(hashes, plan, Kind::Raw, |_| true);
        group.statements.push(statement);
    }
}

impl Group {
    fn finish(self) -> Vec<Statement> {
        let Self { kind, plan, rows, text, updates, statements } = self;
        let (sql, expect, loose) = match kind {
            Kind::Raw => return statements,
            Kind::Insert { loose } => (
                format!("INSERT INTO {} {}{text}", plan.table_sql, plan.column_list()),
                Expect::Inserted(rows),
                loose,
            ),
            Kind::Upsert { loose } => (
                format!(
                    "INSERT INTO {} {}{text}{}",
                    plan.table_sql,
                    plan.column_list(),
                    plan.upsert_tail()
                ),
                Expect::Upserted(rows),
                loose,
            ),
            Kind::Delete { counted, entries } => {
                let mut sql = format!("DELETE FROM {} WHERE ", plan.table_sql);
                match entries {
                    true => plan.push_entries(&mut sql, &text),
                    false => sql.push_str(&text),
                }
                (sql, if counted { Expect::Deleted(rows) } else { Expect::Nothing }, false)
            }
            Kind::Update { assigned } => {
                (updates.finish(&plan, assigned, rows), Expect::Updated(rows), false)
            }
        };
        let mut s = statement(&plan, sql, expect);
        s.loose = loose;
        vec![s]
    }
}

#[cfg(test)]
mod tests;
