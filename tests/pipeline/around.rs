//! A target in memory that comes between some of the calls.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use dm_core::event::{ChunkMark, LaneId};
use dm_core::schema::TableSchema;
use dm_core::sink::{
    Clauses, DdlOutcome, Guarantees, MemorySink, Recovered, Sink, Slot, TargetDdl, Writer,
};
use dm_core::{Result, TableName};

/// What comes between; the others go through.
pub trait Between: Send + Sync {
    /// Runs a statement.
    fn execute(&self, tables: &MemorySink, ddl: &TargetDdl) -> Result<DdlOutcome>;

    /// Waits for what must have ended before a run goes on.
    fn wait_before_recovery(&self, _stop: &AtomicBool) {}

    /// How many changes of a table the target takes at once.
    fn clauses(&self) -> Clauses {
        Clauses::Together
    }
}

pub struct Around<B> {
    pub tables: MemorySink,
    pub between: B,
}

impl<B: Between> Sink for Around<B> {
    fn guarantees(&self) -> Guarantees {
        self.tables.guarantees()
    }

    fn prepare(&self, task: &str, identity: &str) -> Result<()> {
        self.tables.prepare(task, identity)
    }

    fn describe(&self, table: &TableName) -> Result<Option<Arc<TableSchema>>> {
        self.tables.describe(table)
    }

    fn show_create(&self, table: &TableName) -> Result<Option<String>> {
        self.tables.show_create(table)
    }

    fn clauses(&self) -> Result<Clauses> {
        Ok(self.between.clauses())
    }

    fn execute_ddl(&self, ddl: &TargetDdl) -> Result<DdlOutcome> {
        self.between.execute(&self.tables, ddl)
    }

    fn runs_once(&self, ddl: &TargetDdl) -> bool {
        self.tables.runs_once(ddl)
    }

    fn recover(&self, task: &str, lane: &LaneId, stop: &AtomicBool) -> Result<Recovered> {
        self.between.wait_before_recovery(stop);
        self.tables.recover(task, lane, stop)
    }

    fn loaded_chunks(&self, task: &str, lane: &LaneId) -> Result<Vec<ChunkMark>> {
        self.tables.loaded_chunks(task, lane)
    }

    fn forget(&self, task: &str, lane: &LaneId, epoch: u64, chunks: bool) -> Result<()> {
        self.tables.forget(task, lane, epoch, chunks)
    }

    fn empty_table(&self, task: &str, lane: &LaneId, table: &TableName) -> Result<()> {
        self.tables.empty_table(task, lane, table)
    }

    fn writer(&self, slot: &Slot, stop: &AtomicBool) -> Result<Box<dyn Writer>> {
        self.tables.writer(slot, stop)
    }
}
