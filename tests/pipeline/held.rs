//! A target that takes its time for statements on one table, `t`, and on schemas: until somebody opens the
//! gate.
//!
//! As at a server, a statement goes on when nobody listens any more, and the fence of its lane lets the next
//! run through when it has ended.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use dm_core::error::codes;
use dm_core::event::{ChunkMark, LaneId};
use dm_core::schema::TableSchema;
use dm_core::sink::{DdlOutcome, Guarantees, MemorySink, Recovered, Sink, Slot, TargetDdl, Writer};
use dm_core::{Error, Result, TableName};

/// What statements wait at.
#[derive(Default)]
pub struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    closed: bool,
    inside: usize,
    refused: bool,
}

impl Gate {
    pub fn set(&self, closed: bool) {
        self.state.lock().unwrap().closed = closed;
        self.changed.notify_all();
    }

    /// The statement behind the gate will be refused.
    pub fn refuse(&self, refused: bool) {
        self.state.lock().unwrap().refused = refused;
    }

    pub fn is_held(&self) -> bool {
        self.state.lock().unwrap().inside > 0
    }

    fn pass(&self, inner: impl FnOnce() -> Result<DdlOutcome>) -> Result<DdlOutcome> {
        let mut state = self.state.lock().unwrap();
        state.inside += 1;
        while state.closed {
            state = self.changed.wait(state).unwrap();
        }
        let result = match state.refused {
            true => Err(Error::new(&codes::DB_EXECUTE, "not this one").server_number(1071)),
            false => inner(),
        };
        state.inside -= 1;
        self.changed.notify_all();
        result
    }

    fn wait_until_empty(&self, stop: &AtomicBool) {
        let mut state = self.state.lock().unwrap();
        while state.inside > 0 && !stop.load(Ordering::Relaxed) {
            state = self.changed.wait_timeout(state, Duration::from_millis(20)).unwrap().0;
        }
    }
}

pub struct Held {
    pub tables: MemorySink,
    pub gate: Arc<Gate>,
}

impl Sink for Held {
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

    fn execute_ddl(&self, ddl: &TargetDdl) -> Result<DdlOutcome> {
        let about = |t: &TableName| t.table == "t" || t.table.is_empty();
        match ddl.tables.iter().any(about) && ddl.lane.is_some() {
            true => self.gate.pass(|| self.tables.execute_ddl(ddl)),
            false => self.tables.execute_ddl(ddl),
        }
    }

    fn runs_once(&self, ddl: &TargetDdl) -> bool {
        self.tables.runs_once(ddl)
    }

    fn recover(&self, task: &str, lane: &LaneId, stop: &AtomicBool) -> Result<Recovered> {
        self.gate.wait_until_empty(stop);
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
