//! The SQLite sink: a local copy of MySQL schemas in one file.
//!
//! Guarantee: exactly once. Rows and the mark that tells of them are one SQLite transaction
//! (`mark`); a crash at any point leaves either both or neither, and the next run reads the marks
//! and skips what is there. Statements that change structures are transactions as well. A writer
//! that was replaced cannot change anything any more, also when it lives in another process
//! (`mark` again). What a restart does: SQLite itself rolls back what was open when the file is
//! opened next; nothing else needs repair.
//!
//! Names: `name`. Types: `types`. Keys: `layout`. Concurrency: `gate` (in the process) and
//! SQLite's lock (between processes), both waited for within bounds; one chunk or batch is written
//! at a time. Readers of the file are never blocked (`store`).

mod apply;
mod catalog;
mod cell;
mod compile;
mod convert;
mod ddl;
mod default;
pub(in crate::sink) mod gate;
mod layout;
mod load;
mod mark;
mod name;
mod rebuild;
mod store;
mod types;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use dm_filter::TableName;
use rusqlite::OptionalExtension;

use crate::error::Result;
use crate::event::{ChunkMark, LaneId};
use crate::schema::TableSchema;
use crate::sink::{DdlOutcome, Guarantees, Recovered, Sink, Slot, TargetDdl, Writer};

use store::{Store, failed};
use writer::{SqliteWriter, known};

pub use name::{table_ident, table_name};

/// How long to wait for another writer by default.
const PATIENCE: Duration = Duration::from_secs(60);

/// A SQLite file as a target.
#[derive(Debug)]
pub struct SqliteSink {
    store: Arc<Store>,
}

impl SqliteSink {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    ///
    /// When it cannot be opened, belongs to another program, or has a newer format.
    pub fn open(path: &Path) -> Result<Self> {
        Self::with_patience(path, PATIENCE)
    }

    /// The same with a time to wait: for the file's lock when another process holds it, and for
    /// another writer of this process that does nothing.
    ///
    /// # Errors
    ///
    /// As [`SqliteSink::open`].
    pub fn with_patience(path: &Path, patience: Duration) -> Result<Self> {
        Ok(Self { store: Arc::new(Store::open(path, patience)?) })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        self.store.path()
    }

    /// In what the tables differ from their originals, a sentence each.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn notes(&self) -> Result<Vec<(TableName, Vec<String>)>> {
        self.store.read(catalog::notes)
    }

    /// The tables of the file and the number of rows of each, which are counted for it.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn row_counts(&self) -> Result<Vec<(TableName, u64)>> {
        self.store.read(|conn| {
            let mut counts = Vec::new();
            for (table, _) in catalog::notes(conn)? {
                let Some(entry) = catalog::find(conn, &table)? else { continue };
                let sql = format!("SELECT count(*) FROM {}", name::quote(&entry.ident));
                let rows: i64 = conn
                    .query_row(&sql, [], |row| row.get(0))
                    .map_err(|e| failed(&format!("the rows of {table} were not counted"), &e))?;
                counts.push((table, rows.unsigned_abs()));
            }
            Ok(counts)
        })
    }

    /// The name of a table inside of the file; `None` when there is no such table.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub fn ident(&self, table: &TableName) -> Result<Option<String>> {
        self.store.read(|conn| Ok(catalog::find(conn, table)?.map(|e| e.ident)))
    }
}

impl Sink for SqliteSink {
    fn guarantees(&self) -> Guarantees {
        Guarantees { transactional_ddl: true, one_writer: true, ..Guarantees::exact() }
    }

    fn prepare(&self, task: &str, identity: &str) -> Result<()> {
        self.store.transaction(None, |conn| mark::identify(conn, task, identity))
    }

    fn describe(&self, table: &TableName) -> Result<Option<Arc<TableSchema>>> {
        self.store.read(|conn| Ok(catalog::find(conn, table)?.map(|e| e.schema)))
    }

    /// SQLite's statements of the table, then the structure that they stand for: a change that
    /// SQLite cannot say (a longer VARCHAR) shows in the latter.
    fn show_create(&self, table: &TableName) -> Result<Option<String>> {
        self.store.read(|conn| {
            let Some(entry) = catalog::find(conn, table)? else { return Ok(None) };
            let sql: Option<String> = conn
                .query_row(
                    "SELECT group_concat(sql, char(59, 10)) FROM (SELECT sql FROM sqlite_schema
                     WHERE tbl_name = ? AND sql IS NOT NULL ORDER BY type DESC, name)",
                    [&entry.ident],
                    |r| r.get(0),
                )
                .optional()
                .map_err(|e| failed("the SQLite target could not be asked", &e))?
                .flatten();
            let structure = serde_json::to_string(entry.schema.as_ref()).unwrap_or_default();
            Ok(Some(format!("{};\n-- {structure}", sql.unwrap_or_default())))
        })
    }

    fn execute_ddl(&self, ddl: &TargetDdl) -> Result<DdlOutcome> {
        self.store.transaction(None, |conn| {
            if let (Some((task, lane)), Some(number)) = (&ddl.lane, ddl.once)
                && !mark::put_ddl(conn, task, lane, number, &ddl.sql)?
            {
                return Ok(DdlOutcome::Done);
            }
            ddl::execute(conn, ddl)
        })
    }

    /// A statement and its mark are in the file together or not at all.
    fn runs_once(&self, ddl: &TargetDdl) -> bool {
        ddl.once.is_some() && ddl.lane.is_some()
    }

    fn recover(&self, task: &str, lane: &LaneId, stop: &AtomicBool) -> Result<Recovered> {
        self.store.transaction(Some(stop), |conn| {
            mark::fence(conn, task, lane)?;
            mark::recovered(conn, task, lane)
        })
    }

    fn loaded_chunks(&self, task: &str, lane: &LaneId) -> Result<Vec<ChunkMark>> {
        self.store.read(|conn| mark::chunks(conn, task, lane))
    }

    fn forget_task(&self, task: &str, _lanes: &[LaneId]) -> Result<()> {
        self.store.transaction(None, |conn| mark::forget_task(conn, task))
    }

    fn forget(&self, task: &str, lane: &LaneId, epoch: u64, chunks: bool) -> Result<()> {
        self.store.transaction(None, |conn| mark::forget(conn, task, lane, epoch, chunks))
    }

    fn empty_table(&self, task: &str, lane: &LaneId, table: &TableName) -> Result<()> {
        self.store.transaction(None, |conn| {
            let entry = known(conn, table)?;
            conn.execute(&format!("DELETE FROM {}", name::quote(&entry.ident)), [])
                .map_err(|e| failed(&format!("{table} could not be emptied"), &e))?;
            mark::forget_target(conn, task, lane, table)
        })
    }

    fn writer(&self, slot: &Slot, stop: &AtomicBool) -> Result<Box<dyn Writer>> {
        Ok(Box::new(SqliteWriter::open(Arc::clone(&self.store), slot, stop)?))
    }
}

#[cfg(test)]
mod tests;
