//! Reading chunks.
//!
//! The connections of a snapshot are opened together, because only then do they see one instant;
//! a reader borrows one and gives it back. What is left of a result that was not read to its end
//! could be gigabytes: its statement is killed. The view outlives that, so the chunk can be read
//! again, when it was the target that failed.
//!
//! Each chunk is read behind a savepoint and rolled back to it. That keeps the view but lets go of
//! the metadata lock: otherwise an ALTER TABLE of the application would wait for the whole copy,
//! and every statement on that table behind it.
//!
//! Rows with long values would take many times their size in each of several threads. They are
//! told by the server and read behind the others of their chunk, over one connection that all
//! readers take turns with, each only when the one before it has been written.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ::mysql::Value;
use ::mysql::prelude::Queryable;
use dm_filter::TableName;

use super::columns::{LONG_VALUE, Pass, ReadOptions, Selection};
use super::key::ChunkKey;
use crate::config::ConnPlan;
use crate::error::During;
use crate::error::{Error, Result, Scope, codes};
use crate::event::CopyBlock;
use crate::mysql::{Connection, Purpose, numbers, translate};
use crate::source::{Chunk, ChunkReader, TableCopy};

/// More rows than this are never in one block: NULLs have no bytes.
const BLOCK_ROWS: usize = 65_536;

/// So many tables are at hand for their further chunks: a reader is at a few at a time, and of thousands of small
/// tables each comes once.
const SELECTIONS: usize = 64;

/// The connections of one snapshot.
#[derive(Debug)]
pub(super) struct ReaderPool {
    free: Mutex<Vec<Connection>>,
    /// For rows with long values; `None` when it broke.
    long: Mutex<Option<Connection>>,
    plan: ConnPlan,
}

impl ReaderPool {
    /// The last of the connections is for rows with long values.
    pub(super) fn new(plan: ConnPlan, mut connections: Vec<Connection>) -> Self {
        let long = connections.pop();
        Self { free: Mutex::new(connections), long: Mutex::new(long), plan }
    }

    pub(super) fn take(&self) -> Result<Connection> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).pop().ok_or_else(|| {
            Error::new(
                &codes::SOURCE_SNAPSHOT_ENDED,
                "no connection of the snapshot is left: all are in use or broken",
            )
            .transient()
        })
    }

    fn give_back(&self, conn: Connection) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
    }

    /// Ends the statement that a connection is running, so that it can be dropped at once.
    fn kill_query(&self, id: u32) {
        // Without the kill the rest of the result is read and thrown away: slower, not wrong.
        if let Ok(mut conn) = Connection::open(&self.plan, Purpose::Control) {
            let _ = conn.run(&format!("KILL QUERY {id}"));
        }
    }
}

/// Reads chunks over one connection of a snapshot.
pub(super) struct Reader {
    pool: Arc<ReaderPool>,
    conn: Option<Connection>,
    condition: Arc<str>,
    options: ReadOptions,
    selections: HashMap<TableName, Arc<Selection>>,
}

impl Reader {
    pub(super) fn new(
        pool: Arc<ReaderPool>,
        condition: Arc<str>,
        options: ReadOptions,
    ) -> Result<Self> {
        let conn = pool.take()?;
        Ok(Self { pool, conn: Some(conn), condition, options, selections: HashMap::new() })
    }

    fn selection(&mut self, table: &TableCopy, conn: &Connection) -> Arc<Selection> {
        let make = || {
            let schema = &table.info.schema;
            Arc::new(Selection::new(&table.info.name, schema, conn.version(), self.options))
        };
        if self.selections.len() >= SELECTIONS && !self.selections.contains_key(&table.info.name) {
            self.selections.clear();
        }
        Arc::clone(self.selections.entry(table.info.name.clone()).or_insert_with(make))
    }
}

impl ChunkReader for Reader {
    fn read(
        &mut self,
        table: &TableCopy,
        chunk: &Chunk,
        block_bytes: usize,
        out: &mut dyn FnMut(CopyBlock) -> Result<()>,
    ) -> Result<()> {
        let conn = self.conn.take().ok_or_else(ended)?;
        let selection = self.selection(table, &conn);
        let mut slot = Some(conn);
        let read = self.passes(&mut slot, &selection, table, chunk, block_bytes, out);
        self.conn = slot;
        read.map_err(|e| e.context(format!("reading {}", table.info.name)))
    }
}

/// A statement that reads rows, and how its answer is taken.
struct Question<'a> {
    sql: &'a str,
    selection: &'a Selection,
    /// Which answer tells that a row is to be left out.
    flag: Option<usize>,
    block_bytes: usize,
}

/// The next run goes on with a new snapshot.
fn ended() -> Error {
    Error::new(&codes::SOURCE_SNAPSHOT_ENDED, "the reader has failed before").transient()
}

impl Reader {
    /// Reads a chunk: at once, or short rows first and then those with long values.
    fn passes(
        &self,
        slot: &mut Option<Connection>,
        selection: &Selection,
        table: &TableCopy,
        chunk: &Chunk,
        block_bytes: usize,
        out: &mut dyn FnMut(CopyBlock) -> Result<()>,
    ) -> Result {
        let hint = match ChunkKey::choose(&table.info.schema) {
            Some(key) if !chunk.range.is_empty() => key.hint(),
            _ => String::new(),
        };
        let conditions = [chunk.range.as_str(), &*self.condition];
        let ask = |pass| selection.sql(&table.info.name, &hint, &conditions, pass);
        let question = |sql, flag| Question { sql, selection, flag, block_bytes };
        if !selection.may_be_long() {
            return self.run(slot, &question(&ask(Pass::Whole), None), out).map(|_| ());
        }
        if table.bytes / table.rows.max(1) > LONG_VALUE {
            return self.long(&ask(Pass::Whole), selection, out);
        }
        match self.run(slot, &question(&ask(Pass::Short), Some(selection.flag())), out)? {
            0 => Ok(()),
            _ => self.long(&ask(Pass::Long), selection, out),
        }
    }

    /// Reads behind a savepoint; how many rows were left out. A connection that cannot be used any
    /// more is gone from its slot.
    fn run(
        &self,
        slot: &mut Option<Connection>,
        question: &Question<'_>,
        out: &mut dyn FnMut(CopyBlock) -> Result<()>,
    ) -> Result<u64> {
        let mut conn = slot.take().ok_or_else(ended)?;
        let id = conn.id();
        conn.run("SAVEPOINT dm_chunk")?;
        let mut abandoned = false;
        let mut abandon = || {
            abandoned = true;
            self.pool.kill_query(id);
        };
        let copied = copy(&mut conn, question, out, &mut abandon);
        if copied.is_err() && !abandoned {
            return copied;
        }
        // The kill may come when the statement has ended, and meets the next one.
        let mut attempts = if abandoned { 3 } else { 1 };
        loop {
            attempts -= 1;
            match conn.run("ROLLBACK TO SAVEPOINT dm_chunk") {
                Ok(()) => break,
                Err(e) if attempts > 0 && e.server_error() == Some(numbers::QUERY_INTERRUPTED) => {}
                Err(e) => return copied.and(Err(e)),
            }
        }
        *slot = Some(conn);
        copied
    }

    /// Reads rows with long values. An empty block is taken when the one before it is written.
    fn long(
        &self,
        sql: &str,
        selection: &Selection,
        out: &mut dyn FnMut(CopyBlock) -> Result<()>,
    ) -> Result {
        let mut turn = self.pool.long.lock().unwrap_or_else(PoisonError::into_inner);
        let mut one = |block: CopyBlock| {
            let nothing = CopyBlock::new(Arc::clone(block.columns()));
            out(block).and_then(|()| out(nothing))
        };
        let question = Question { sql, selection, flag: None, block_bytes: LONG_VALUE as usize };
        self.run(&mut turn, &question, &mut one).map(|_| ())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            self.pool.give_back(conn);
        }
    }
}

/// Streams a result into blocks. Rows whose answer at the flag is true are counted and left out.
/// `abandon` is called before a result is dropped unread.
fn copy(
    conn: &mut Connection,
    question: &Question<'_>,
    out: &mut dyn FnMut(CopyBlock) -> Result<()>,
    abandon: &mut dyn FnMut(),
) -> Result<u64> {
    let &Question { sql, selection, flag, block_bytes } = question;
    let doing = format!("{}: selecting rows", conn.address());
    let failed = |e| translate(e, &doing, During::Query, Scope::Upstream);
    let mut block = CopyBlock::new(Arc::clone(selection.columns()));
    let mut left_out = 0;
    let rows = conn.raw().query_iter(sql).map_err(failed)?;
    for row in rows {
        let row = row.map_err(failed)?;
        let cell = |i: usize| match row.as_ref(i) {
            Some(Value::Bytes(bytes)) => Some(bytes.as_slice()),
            _ => None,
        };
        if flag.and_then(cell) == Some(b"1") {
            left_out += 1;
            continue;
        }
        let bytes: usize = (0..row.len()).filter_map(cell).map(<[u8]>::len).sum();
        if bytes > block_bytes {
            // Growing by doubling would take as much again.
            block.reserve(bytes);
        }
        let mut step = selection.push_row(&mut block, cell, row.len());
        // It may be large, and handing the block on may take long.
        drop(row);
        if step.is_ok() && (block.bytes() >= block_bytes || block.rows() >= BLOCK_ROWS) {
            let full =
                std::mem::replace(&mut block, CopyBlock::new(Arc::clone(selection.columns())));
            step = out(full);
        }
        if let Err(e) = step {
            abandon();
            return Err(e);
        }
    }
    if !block.is_empty() {
        out(block)?;
    }
    Ok(left_out)
}
