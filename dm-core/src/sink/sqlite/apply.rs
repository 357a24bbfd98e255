//! Row changes of the stream, inside of an open transaction.
//!
//! A row is found by the first unique key whose values are all there and not NULL; such a key
//! tells exactly one row. Without one, any one row that is equal in all columns is as good as
//! another (`IS`, so that NULL equals NULL), and exactly one of them is changed.
//!
//! Idempotent changes converge to the source's state when all changes up to it are applied,
//! however many of them had been applied before: an insert takes over the row with its key; an
//! update writes all columns and inserts where nothing was; a row that holds another unique key of
//! the new row is of a later state (the source never had both) and is evicted, it comes again.
//! When several source tables feed the target, that last conclusion does not hold: there the
//! collision stays an error. A row that no key tells cannot converge, and is refused: with marks
//! every change runs once, so that such tables can be applied exactly.

use dm_filter::{Columns, Row, RowOp};
use rusqlite::{Connection, params_from_iter};

use crate::error::{Error, Result, codes};
use crate::event::{ApplyMode, RowBlock};
use crate::sink::{ApplyStats, RowCounts};

use super::cell::{Cell, of_value};
use super::compile::{Compiled, Select};
use super::store::{failed, is_duplicate};

/// Applies a block's rows, and counts what it did.
///
/// # Errors
///
/// When a row does not fit the table, or the file cannot be written. The transaction must then be
/// rolled back.
pub fn apply_block(
    conn: &Connection,
    table: &Compiled,
    block: &RowBlock,
    stats: &mut ApplyStats,
) -> Result<()> {
    let counts = RowCounts::default();
    let mut rows = Rows { conn, table, columns: &block.plan.columns, counts, missing: 0 };
    block.each(&mut |op| rows.apply(&op, block.mode))?;
    stats.did(&table.name, rows.counts);
    if rows.missing > 0 {
        stats.add_missing(&table.name, rows.missing);
    }
    Ok(())
}

struct Rows<'c> {
    conn: &'c Connection,
    table: &'c Compiled,
    columns: &'c Columns,
    counts: RowCounts,
    missing: u64,
}

impl Rows<'_> {
    fn apply(&mut self, op: &RowOp<'_>, mode: ApplyMode) -> Result<()> {
        match (op, mode) {
            (RowOp::Insert { after }, ApplyMode::Exact) => {
                self.insert(after)?;
                self.counts.inserted += 1;
            }
            (RowOp::Insert { after }, ApplyMode::Idempotent) => {
                self.upsert(after)?;
                self.counts.inserted += 1;
            }
            (RowOp::Update { before, after }, ApplyMode::Exact) => self.update(before, after)?,
            (RowOp::Update { before, after }, ApplyMode::Idempotent) => {
                self.update_or_insert(before, after)?;
            }
            (RowOp::Delete { before }, mode) => {
                if mode == ApplyMode::Idempotent {
                    self.telling_key(before)?;
                }
                let select = self.select(before)?;
                let sql = self.table.delete(&select)?;
                let n = self.run(&sql, self.selected(&select, before)?)?;
                self.counts.deleted += n;
                if n == 0 && mode == ApplyMode::Exact {
                    self.missing += 1;
                }
            }
        }
        Ok(())
    }

    fn insert(&self, after: &Row<'_>) -> Result<()> {
        let present = self.present(after)?;
        let cells = self.cells(after, &present)?;
        if present.len() == self.table.places.len() {
            self.run(&self.table.insert_all, cells)?;
        } else {
            self.run(&self.table.insert(&present), cells)?;
        }
        Ok(())
    }

    fn upsert(&self, after: &Row<'_>) -> Result<()> {
        let present = self.present(after)?;
        let key = self.telling_key(after)?;
        let sql = self.table.upsert(&present, key);
        let first = self.try_run(&sql, &self.cells(after, &present)?);
        match first {
            Err(e) if is_duplicate(&e) => {
                self.evict(after, Some((after, key)), &e)?;
                self.run(&sql, self.cells(after, &present)?).map(|_| ())
            }
            other => other.map(|_| ()).map_err(|e| self.failed(&e)),
        }
    }

    /// The columns to write: those that changed. What did not change is at the target already,
    /// and indexes over it need no look.
    fn update(&mut self, before: &Row<'_>, after: &Row<'_>) -> Result<()> {
        let present = self.present(after)?;
        let mut set: Vec<usize> =
            present.iter().copied().filter(|&i| before.get(i) != after.get(i)).collect();
        if set.is_empty() {
            set = present;
        }
        if set.is_empty() {
            return Ok(());
        }
        let n = self.update_set(before, after, &set)?;
        self.counts.updated += n;
        self.missing += u64::from(n == 0);
        Ok(())
    }

    fn update_set(&self, before: &Row<'_>, after: &Row<'_>, set: &[usize]) -> Result<u64> {
        let select = self.select(before)?;
        let mut cells = self.cells(after, set)?;
        cells.extend(self.selected(&select, before)?);
        self.run(&self.table.update(set, &select)?, cells)
    }

    fn update_or_insert(&mut self, before: &Row<'_>, after: &Row<'_>) -> Result<()> {
        let present = self.present(after)?;
        let full = present.len() == self.table.places.len();
        let key = self.telling_key(before)?;
        let select = Select::Key(key.to_vec());
        let sql = self.table.update(&present, &select)?;
        let mut cells = self.cells(after, &present)?;
        cells.extend(self.cells(before, key)?);
        let n = match self.try_run(&sql, &cells) {
            Err(e) if is_duplicate(&e) => {
                self.evict(after, Some((before, key)), &e)?;
                self.run(&sql, cells)?
            }
            other => other.map_err(|e| self.failed(&e))?,
        };
        if n == 0 && full {
            self.upsert(after)?;
        } else if n == 0 {
            // Half a row cannot be inserted; it may have been applied under its new key.
            let n = match self.key(after) {
                Some(_) => self.update_set(after, after, &present)?,
                None => 0,
            };
            self.missing += u64::from(n == 0);
            self.counts.updated += n;
            return Ok(());
        }
        self.counts.updated += 1;
        Ok(())
    }

    /// Removes the rows that hold a unique key of `after`, except the row of `own`.
    fn evict(
        &self,
        after: &Row<'_>,
        own: Option<(&Row<'_>, &[usize])>,
        error: &rusqlite::Error,
    ) -> Result<()> {
        if self.table.merged {
            return Err(self.failed(error).workaround(
                "Several source tables feed this one, and two of them hold the same key: make \
                 their keys distinct, or add a column to the key that tells them apart.",
            ));
        }
        for key in self.table.uniques.iter().filter(|k| holds(after, k)) {
            let mut cells = self.cells(after, key)?;
            let except = match own {
                Some((row, own)) => {
                    cells.extend(self.cells(row, own)?);
                    own
                }
                None => &[],
            };
            self.run(&self.table.evict(key, except), cells)?;
        }
        Ok(())
    }

    fn present(&self, row: &Row<'_>) -> Result<Vec<usize>> {
        if row.len() != self.table.places.len() {
            return Err(Error::new(
                &codes::SYNC_COLUMN_COUNT,
                format!(
                    "a row for {} has {} columns, its table version {}",
                    self.table.name,
                    row.len(),
                    self.table.places.len()
                ),
            ));
        }
        Ok((0..row.len()).filter(|&i| row.get(i).is_some()).collect())
    }

    /// The first unique key whose values the row holds.
    fn key(&self, row: &Row<'_>) -> Option<&[usize]> {
        self.table.uniques.iter().find(|k| holds(row, k)).map(Vec::as_slice)
    }

    /// The same where there must be one.
    fn telling_key(&self, row: &Row<'_>) -> Result<&[usize]> {
        self.key(row).ok_or_else(|| {
            Error::new(
                &codes::SYNC_NO_IDENTITY,
                format!(
                    "no unique key of {} names a row (none is there, or its values are NULL), and \
                     the change may have been applied before",
                    self.table.name
                ),
            )
        })
    }

    fn select(&self, before: &Row<'_>) -> Result<Select> {
        let present = self.present(before)?;
        if let Some(key) = self.key(before) {
            return Ok(Select::Key(key.to_vec()));
        }
        let telling: Vec<usize> =
            present.into_iter().filter(|i| self.table.telling.contains(i)).collect();
        if telling.len() < self.table.telling.len() {
            return Err(Error::new(
                &codes::ROW_IMAGE,
                format!("a row of {} carries neither a key nor all columns", self.table.name),
            ));
        }
        Ok(Select::Like(telling))
    }

    fn selected<'r>(&self, select: &Select, before: &'r Row<'_>) -> Result<Vec<Cell<'r>>> {
        match select {
            Select::Key(columns) | Select::Like(columns) => self.cells(before, columns),
        }
    }

    fn cells<'r>(&self, row: &'r Row<'_>, columns: &[usize]) -> Result<Vec<Cell<'r>>> {
        let mut cells = Vec::with_capacity(columns.len() + 4);
        for &i in columns {
            let cell = match (row.get(i), self.table.places.get(i)) {
                (Some(value), Some(place)) => of_value(value, self.columns.get(i), place)
                    .map_err(|why| self.table.misfit(i, why))?,
                _ => Cell::Null,
            };
            cells.push(cell);
        }
        Ok(cells)
    }

    fn try_run(&self, sql: &str, cells: &[Cell<'_>]) -> rusqlite::Result<u64> {
        let mut statement = self.conn.prepare_cached(sql)?;
        statement.execute(params_from_iter(cells)).map(|n| n as u64)
    }

    fn run(&self, sql: &str, cells: Vec<Cell<'_>>) -> Result<u64> {
        self.try_run(sql, &cells).map_err(|e| self.failed(&e))
    }

    fn failed(&self, e: &rusqlite::Error) -> Error {
        failed(&format!("a row of {} was refused", self.table.name), e)
    }
}

fn holds(row: &Row<'_>, key: &[usize]) -> bool {
    key.iter().all(|&i| row.get(i).is_some_and(|v| !v.is_null()))
}
