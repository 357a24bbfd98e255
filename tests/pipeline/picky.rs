//! A target that takes structural statements as a TiDB does: an ALTER TABLE of several changes, and
//! DROP COLUMN of a column with a key, are refused with its number.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use dm_core::ddl::{AlterSpec, Body, ParseContext, parse};
use dm_core::error::codes;
use dm_core::event::{ChunkMark, LaneId};
use dm_core::schema::TableSchema;
use dm_core::sink::{
    Clauses, DdlOutcome, Guarantees, MemorySink, Recovered, Sink, Slot, TargetDdl, Writer,
};
use dm_core::{Error, Result, TableName};

/// The target; `old` is one that says beforehand that it takes one change at a time.
pub struct Picky {
    pub tables: MemorySink,
    pub old: bool,
}

fn refused(sql: &str) -> Error {
    Error::new(&codes::DB_EXECUTE, format!("unsupported: {sql}")).server_number(8200)
}

impl Picky {
    fn check(&self, ddl: &TargetDdl) -> Result<()> {
        let statement = parse(&ddl.sql, &ParseContext::default())?;
        let Body::AlterTable(alter) = &statement.body else { return Ok(()) };
        let [clause] = alter.clauses.as_slice() else { return Err(refused(&ddl.sql)) };
        let AlterSpec::DropColumn { name, .. } = &clause.spec else { return Ok(()) };
        let schema = self.tables.describe(&alter.name)?;
        match schema.is_some_and(|schema| schema.keys.iter().any(|key| key.has_column(name))) {
            true => Err(refused(&ddl.sql)),
            false => Ok(()),
        }
    }
}

impl Sink for Picky {
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
        Ok(if self.old { Clauses::OneByOne } else { Clauses::Together })
    }

    fn execute_ddl(&self, ddl: &TargetDdl) -> Result<DdlOutcome> {
        self.check(ddl)?;
        self.tables.execute_ddl(ddl)
    }

    fn recover(&self, task: &str, lane: &LaneId, stop: &AtomicBool) -> Result<Recovered> {
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
