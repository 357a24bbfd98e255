//! One worker's way into the file.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use dm_filter::TableName;
use rusqlite::Connection;

use crate::error::{Error, Result, codes};
use crate::event::{
    Batch, ChunkMark, CopyColumn, OrdinalSet, RowBlock, SourceTable, StreamMark, TablePlan,
};
use crate::sink::{ApplyStats, BlockStream, LoadStats, LoadTarget, Slot, Writer};

use super::apply::apply_block;
use super::catalog;
use super::compile::Compiled;
use super::gate::Turn;
use super::load::{column_names, load_block};
use super::mark::{self, Pass};
use super::store::{Store, commit, failed, rollback};

/// More table versions than this are not kept.
const PLANS: usize = 4096;

/// What was compiled, as long as no structure changes.
#[derive(Debug, Default)]
struct Plans {
    changes: i64,
    by_version: HashMap<(SourceTable, u64), Arc<Compiled>>,
}

impl Plans {
    /// Forgets everything when a structure has changed since.
    fn renew(&mut self, conn: &Connection) -> Result<()> {
        let changes = catalog::changes(conn)?;
        if changes != self.changes || self.by_version.len() >= PLANS {
            self.by_version.clear();
            self.changes = changes;
        }
        Ok(())
    }

    fn of_plan(&mut self, conn: &Connection, plan: &TablePlan) -> Result<Arc<Compiled>> {
        let key = (plan.source.clone(), plan.version);
        if let Some(found) = self.by_version.get(&key).filter(|c| c.name == plan.target) {
            return Ok(Arc::clone(found));
        }
        let entry = known(conn, &plan.target)?;
        let merged = catalog::feed(conn, &plan.target, &plan.source)? > 1;
        let compiled = Arc::new(Compiled::of_columns(&entry, &plan.columns, merged)?);
        self.by_version.insert(key, Arc::clone(&compiled));
        Ok(compiled)
    }
}

/// A table that must be there.
///
/// # Errors
///
/// With MySQL's number 1146 when it is not.
pub fn known(conn: &Connection, name: &TableName) -> Result<catalog::Entry> {
    catalog::find(conn, name)?.ok_or_else(|| {
        Error::new(&codes::TARGET_ROW, format!("{name} does not exist at the target"))
            .server_number(1146)
    })
}

/// A writer of the SQLite sink.
#[derive(Debug)]
pub struct SqliteWriter {
    store: Arc<Store>,
    slot: Slot,
    pass: Pass,
    plans: Plans,
    /// Held while a transaction in parts is open.
    part: Option<Turn>,
}

impl SqliteWriter {
    /// Opens a writer and shuts out the earlier ones of its slot.
    ///
    /// # Errors
    ///
    /// When the file is locked for too long, `stop` became true, or a later run has begun.
    pub fn open(store: Arc<Store>, slot: &Slot, stop: &AtomicBool) -> Result<Self> {
        let pass = store.transaction(Some(stop), |conn| mark::take(conn, slot))?;
        Ok(Self { store, slot: slot.clone(), pass, plans: Plans::default(), part: None })
    }

    /// Runs `f` in one transaction, after the fence has been looked at.
    fn transaction<T>(
        &mut self,
        f: impl FnOnce(&Connection, &mut Plans, &Turn) -> Result<T>,
    ) -> Result<T> {
        if self.part.is_some() {
            return Err(Error::new(
                &codes::DB_EXECUTE,
                "a transaction in parts is open and must be ended first",
            ));
        }
        let turn = self.store.turn(None)?;
        let conn = self.store.writing();
        self.store.begin(&conn, None)?;
        let done = mark::check(&conn, &self.slot, self.pass)
            .and_then(|()| self.plans.renew(&conn))
            .and_then(|()| f(&conn, &mut self.plans, &turn))
            .and_then(|out| commit(&conn).map(|()| out));
        if done.is_err() {
            rollback(&conn);
            // What was compiled may rest on rows that are gone again.
            self.plans.by_version.clear();
        }
        done
    }

    fn apply_blocks(
        conn: &Connection,
        plans: &mut Plans,
        turn: &Turn,
        blocks: &[RowBlock],
        stats: &mut ApplyStats,
    ) -> Result<()> {
        for block in blocks {
            let table = plans.of_plan(conn, &block.plan)?;
            apply_block(conn, &table, block, stats)?;
            turn.progress();
        }
        Ok(())
    }
}

impl Writer for SqliteWriter {
    fn load(
        &mut self,
        target: &LoadTarget,
        rows: &mut dyn BlockStream,
        mark: &ChunkMark,
    ) -> Result<LoadStats> {
        let task = self.slot.task.clone();
        self.transaction(|conn, _, turn| {
            // First of all: a chunk that is in must not be read for nothing.
            mark::put_chunk(conn, &task, mark, &target.table)?;
            let entry = known(conn, &target.table)?;
            let source = SourceTable {
                source: mark.lane.source.clone(),
                table: TableName::new(mark.schema.clone(), mark.table.clone()),
            };
            let merged = catalog::feed(conn, &target.table, &source)? > 1;
            let mut stats = LoadStats::default();
            let mut compiled: Option<(Arc<[CopyColumn]>, Compiled)> = None;
            while let Some(block) = rows.next_block()? {
                let same = compiled.as_ref().is_some_and(|(columns, _)| columns == block.columns());
                if !same {
                    let table = Compiled::new(&entry, &column_names(target, &block), merged)?;
                    note_absent(conn, &table)?;
                    compiled = Some((Arc::clone(block.columns()), table));
                }
                if let Some((_, table)) = &compiled {
                    load_block(conn, table, target, &block, &mut stats)?;
                }
                turn.progress();
            }
            Ok(stats)
        })
    }

    fn apply(&mut self, batch: &Batch, mark: &StreamMark) -> Result<ApplyStats> {
        let task = self.slot.task.clone();
        self.transaction(|conn, plans, turn| {
            let mut stats = ApplyStats::default();
            for txn in &batch.txns {
                Self::apply_blocks(conn, plans, turn, &txn.blocks, &mut stats)?;
            }
            mark::put_stream(conn, &task, mark)?;
            Ok(stats)
        })
    }

    fn apply_part(&mut self, blocks: &[RowBlock]) -> Result<ApplyStats> {
        let fresh = self.part.is_none();
        let turn = match self.part.take() {
            Some(turn) => turn,
            None => self.store.turn(None)?,
        };
        let conn = self.store.writing();
        if fresh {
            self.store.begin(&conn, None)?;
        }
        let started = match fresh {
            true => {
                mark::check(&conn, &self.slot, self.pass).and_then(|()| self.plans.renew(&conn))
            }
            false => Ok(()),
        };
        let mut stats = ApplyStats::default();
        let done = started
            .and_then(|()| Self::apply_blocks(&conn, &mut self.plans, &turn, blocks, &mut stats));
        match done {
            Ok(()) => {
                drop(conn);
                self.part = Some(turn);
                Ok(stats)
            }
            Err(error) => {
                rollback(&conn);
                self.plans.by_version.clear();
                Err(error)
            }
        }
    }

    fn commit_part(&mut self, mark: &StreamMark) -> Result<()> {
        let task = self.slot.task.clone();
        let Some(turn) = self.part.take() else {
            return self.transaction(|conn, _, _| mark::put_stream(conn, &task, mark));
        };
        let conn = self.store.writing();
        let done = mark::put_stream(&conn, &task, mark).and_then(|()| commit(&conn));
        if done.is_err() {
            rollback(&conn);
            self.plans.by_version.clear();
        }
        drop(conn);
        drop(turn);
        done
    }

    fn rollback(&mut self) -> Result<()> {
        if let Some(turn) = self.part.take() {
            let conn = self.store.writing();
            self.plans.by_version.clear();
            let done =
                conn.execute_batch("ROLLBACK").map_err(|e| failed("could not roll back", &e));
            drop(conn);
            drop(turn);
            return done;
        }
        Ok(())
    }

    fn applied(&mut self) -> Result<OrdinalSet> {
        self.store.read(|conn| mark::applied(conn, &self.slot))
    }

    fn is_loaded(&mut self, mark: &ChunkMark) -> Result<bool> {
        self.store.read(|conn| mark::has_chunk(conn, &self.slot.task, mark))
    }

    fn connection_id(&self) -> u64 {
        0
    }
}

impl Drop for SqliteWriter {
    fn drop(&mut self) {
        if self.part.is_some() {
            rollback(&self.store.writing());
        }
    }
}

/// Copies from files have no values of generated columns; status says so.
fn note_absent(conn: &Connection, table: &Compiled) -> Result<()> {
    for column in &table.absent_generated {
        let note = format!(
            "generated column {column} is NULL in copied rows: the copy had no values of it"
        );
        catalog::add_note(conn, &table.name, &note)?;
    }
    Ok(())
}
