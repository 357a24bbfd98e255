//! A target that takes its time for statements on one table, `t`, and on schemas: until somebody opens the
//! gate.
//!
//! As at a server, a statement goes on when nobody listens any more, and the fence of its lane lets the next
//! run through when it has ended.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use dm_core::error::codes;
use dm_core::sink::{Clauses, DdlOutcome, MemorySink, Sink, TargetDdl};
use dm_core::{Error, Result, TableName};

use crate::around::Between;
use crate::picky;

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
    takes: Option<Clauses>,
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

    /// Behind it several changes at once are refused, as a TiDB does; which it says of itself.
    pub fn be_picky(&self, takes: Option<Clauses>) {
        self.state.lock().unwrap().takes = takes;
    }

    fn takes(&self) -> Option<Clauses> {
        self.state.lock().unwrap().takes
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

impl Between for Arc<Gate> {
    fn execute(&self, tables: &MemorySink, ddl: &TargetDdl) -> Result<DdlOutcome> {
        let about = |t: &TableName| t.table == "t" || t.table.is_empty();
        match ddl.tables.iter().any(about) && ddl.lane.is_some() {
            true if self.takes().is_some() => {
                self.pass(|| picky::check(tables, ddl).and_then(|()| tables.execute_ddl(ddl)))
            }
            true => self.pass(|| tables.execute_ddl(ddl)),
            false => tables.execute_ddl(ddl),
        }
    }

    fn clauses(&self) -> Clauses {
        self.takes().unwrap_or(Clauses::Together)
    }

    fn wait_before_recovery(&self, stop: &AtomicBool) {
        self.wait_until_empty(stop);
    }
}
