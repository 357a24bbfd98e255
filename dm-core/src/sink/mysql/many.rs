//! Many updates in one statement: `UPDATE t SET a=CASE id WHEN 1 THEN .. WHEN 2 THEN .. END WHERE id IN (1,2)`.
//!
//! Guarantee: the statement leaves the table as its updates by themselves would, and the number of
//! rows that it finds says exactly how many of them the target lacks. Obstacle: one statement is
//! counted once, runs in an order of the server's own, and gives one type to all values of a
//! column. Method: only updates take part whose row has a NOT NULL key that hashes plainly, that
//! change no unique key, and whose keys nothing else in the group touches. Then every entry names
//! at most one row and no two entries the same one (equal keys have equal hashes), so that rows
//! found and rows sent differ by the missing ones, and no order among them can be told apart.
//! Values take part whose literals are of one family in every row of a column; CASE gives those a
//! type that holds all of them exactly. All else is written by a statement of its own.

use dm_filter::{Row, Value};

use super::plan::WritePlan;
use crate::schema::TypeKind;

/// Rows of one statement. Each row is compared with half of the entries, for each column.
const ROWS: u64 = 100;
/// Entries times columns of one statement, for tables with many changed columns.
const CELLS: u64 = 600;

/// The columns that an update assigns, one bit each.
pub(super) type Assigned = u128;

/// Updates that will be one statement.
#[derive(Default)]
pub(super) struct Updates {
    /// By assigned column: ` WHEN key THEN value` of each row.
    cases: Vec<String>,
    /// The keys: a list of values, or of conditions.
    keys: String,
    /// The first update as a statement of its own, for the case that no other joins it.
    alone: String,
    bytes: usize,
}

/// The columns that an update assigns, when it may be one of many in a statement.
pub(super) fn joins(plan: &WritePlan, before: &Row<'_>, after: &Row<'_>) -> Option<Assigned> {
    let identity = plan.identity()?;
    if plan.keys.changes_key(before, after) || !is_entry(plan, before) {
        return None;
    }
    let mut assigned: Assigned = 0;
    for &i in plan.written() {
        let Some(value) = after.get(i) else { continue };
        if plan.keeps(i, before, value) {
            continue;
        }
        // A key column that is assigned its own value would be read by the next CASE.
        if identity.contains(&i) || !joins_value(plan, i, value) {
            return None;
        }
        assigned |= 1u128.checked_shl(u32::try_from(i).ok()?)?;
    }
    (assigned != 0).then_some(assigned)
}

/// True when a row's identity can be told among those of other rows.
pub(super) fn is_entry(plan: &WritePlan, row: &Row<'_>) -> bool {
    let Some(identity) = plan.identity() else { return false };
    // ENUM and SET are compared by number, which no list of literals says.
    let told = |i: &usize| {
        !matches!(row.get(*i), None | Some(Value::Null | Value::Enum(_) | Value::Set(_)))
    };
    match identity {
        [only] => row.get(*only).is_some_and(|value| compares(plan.kind(*only), value)),
        columns => columns.iter().all(told),
    }
}

/// True when a column and a list of such literals are compared as the column with one of them is.
fn compares(kind: Option<TypeKind>, value: &Value<'_>) -> bool {
    use TypeKind as T;
    match (value, kind) {
        (
            Value::Int(_) | Value::UInt(_),
            Some(T::TinyInt | T::SmallInt | T::MediumInt | T::Int | T::BigInt),
        )
        | (Value::Decimal(_), Some(T::Decimal))
        | (Value::Bytes(_), Some(T::Binary | T::VarBinary)) => true,
        // What is not ASCII would have to be brought into the column's character set.
        (Value::Text(text), Some(T::Char | T::VarChar)) => text.is_ascii(),
        _ => false,
    }
}

/// True when a value's literal is of the same family in every row of its column.
fn joins_value(plan: &WritePlan, i: usize, value: &Value<'_>) -> bool {
    use TypeKind as T;
    match value {
        Value::Null
        | Value::Int(_)
        | Value::UInt(_)
        | Value::Bit(_)
        | Value::Year(_)
        | Value::Float(_)
        | Value::Double(_)
        | Value::Decimal(_)
        | Value::Text(_)
        | Value::Date(_)
        | Value::DateTime(_)
        | Value::Timestamp(_)
        | Value::Time(_) => true,
        // By itself a hexadecimal literal is a number for a column of numbers, in CASE it is not.
        Value::Bytes(_) => matches!(
            plan.kind(i),
            Some(T::Binary | T::VarBinary | T::TinyBlob | T::Blob | T::MediumBlob | T::LongBlob)
        ),
        // Expressions, introducers, labels in the one row and numbers in the other.
        _ => false,
    }
}

/// How many rows a statement with these columns may have.
pub(super) fn most_rows(assigned: Assigned) -> u64 {
    ROWS.min(CELLS / u64::from(assigned.count_ones().max(1))).max(2)
}

impl Updates {
    /// Bytes of text.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds an update. `alone` makes its statement of its own, when that may be needed.
    pub fn push(
        &mut self,
        plan: &WritePlan,
        assigned: Assigned,
        (before, after): (&Row<'_>, &Row<'_>),
        alone: impl FnOnce() -> String,
    ) {
        let first = self.keys.is_empty();
        if first {
            self.alone = alone();
            self.bytes += self.alone.len();
        }
        let start = self.keys.len();
        self.keys.push_str(if first { "" } else { plan.key_separator() });
        let key_at = self.keys.len();
        plan.push_entry(&mut self.keys, before);
        let key = self.keys.get(key_at..).unwrap_or_default();
        self.bytes += self.keys.len() - start;
        let columns = plan.written().iter().filter(|&&i| has(assigned, i));
        for (at, &i) in columns.enumerate() {
            let Some(value) = after.get(i) else { continue };
            if self.cases.len() <= at {
                self.cases.push(String::new());
            }
            let Some(case) = self.cases.get_mut(at) else { continue };
            let before = case.len();
            case.push_str(" WHEN ");
            case.push_str(key);
            case.push_str(" THEN ");
            plan.push_value(case, i, value);
            self.bytes += case.len() - before;
        }
    }

    /// The statement of `rows` updates.
    pub fn finish(self, plan: &WritePlan, assigned: Assigned, rows: u64) -> String {
        if rows < 2 {
            return self.alone;
        }
        let mut sql = String::with_capacity(self.bytes + 256);
        sql.push_str("UPDATE ");
        sql.push_str(&plan.table_sql);
        sql.push_str(" SET ");
        let columns = plan.written().iter().filter(|&&i| has(assigned, i));
        for (at, (&i, case)) in columns.zip(&self.cases).enumerate() {
            if at > 0 {
                sql.push(',');
            }
            sql.push_str(plan.name(i));
            sql.push_str("=CASE ");
            sql.push_str(plan.key_name());
            sql.push_str(case);
            sql.push_str(" END");
        }
        sql.push_str(" WHERE ");
        plan.push_entries(&mut sql, &self.keys);
        sql
    }
}

fn has(assigned: Assigned, i: usize) -> bool {
    u32::try_from(i).ok().and_then(|i| assigned.checked_shr(i)).is_some_and(|bits| bits & 1 == 1)
}
