//! A sink that fails at its k-th call.
//!
//! Every step of a migration at which a process can die is a call of its sink: before it, or after
//! the target has done it and before the answer came. A test runs with `k = 1, 2, 3, ...` until a
//! run gets through without the fault, each time starting again on what the target and the state
//! then hold, and compares the result.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use dm_filter::TableName;

use crate::error::{Error, Result, Scope, codes};
use crate::event::{Batch, ChunkMark, LaneId, OrdinalSet, RowBlock, StreamMark};
use crate::schema::TableSchema;
use crate::sink::{
    ApplyStats, BlockStream, Clauses, DdlOutcome, Guarantees, LoadStats, LoadTarget, Recovered,
    Sink, Slot, TargetDdl, Writer,
};

/// On which side of the inner call the fault lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The target has not heard of the call.
    Before,
    /// The target has done it; only the answer is lost.
    After,
}

/// What happens at the k-th call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing fails; calls are counted.
    None,
    /// The call fails as transient, and every later call fails for good: the process is dead. A
    /// new process is a new `FaultSink` around the same target.
    Die {
        /// Number of the call, from 1.
        at: u64,
        /// On which side of the inner call.
        when: When,
    },
    /// The call fails as transient; a writer that it was made on is broken for good, everything
    /// else goes on: a cut connection.
    Cut {
        /// Number of the call, from 1.
        at: u64,
        /// On which side of the inner call.
        when: When,
    },
}

struct Plan {
    fault: Fault,
    hook: Option<Box<dyn Fn() + Send + Sync>>,
    calls: AtomicU64,
    happened: AtomicBool,
}

impl Plan {
    /// Counts a call and makes it, or not; also says whether this was the one that failed.
    fn call<T>(&self, inner: impl FnOnce() -> Result<T>) -> (Result<T>, bool) {
        let dead = matches!(self.fault, Fault::Die { .. }) && self.happened.load(Ordering::SeqCst);
        if dead {
            return (Err(fault("this process is dead")), false);
        }
        let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let when = match self.fault {
            Fault::Die { at, when } | Fault::Cut { at, when } if at == number => when,
            _ => return (inner(), false),
        };
        self.happened.store(true, Ordering::SeqCst);
        if when == When::After {
            // Whatever the target says, nobody hears it.
            let _unheard = inner();
        }
        if let Some(hook) = &self.hook {
            hook();
        }
        (Err(fault("the connection is gone").transient()), true)
    }
}

fn fault(text: &str) -> Error {
    Error::new(&codes::DB_DRIVER, text).scope(Scope::Downstream)
}

/// A sink around another one that fails at its k-th call.
///
/// Calls are those of the sink and of its writers that reach the target: all but
/// [`Sink::guarantees`] and [`Writer::connection_id`].
pub struct FaultSink {
    inner: Arc<dyn Sink>,
    plan: Arc<Plan>,
}

impl FaultSink {
    /// Wraps a sink for the life of one process.
    pub fn new(inner: Arc<dyn Sink>, fault: Fault) -> Self {
        Self::build(inner, fault, None)
    }

    /// The same, and `hook` is called at the moment of the fault, before anybody hears of it: a
    /// test keeps what a killed process would have left behind.
    pub fn with_hook(
        inner: Arc<dyn Sink>,
        fault: Fault,
        hook: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self::build(inner, fault, Some(Box::new(hook)))
    }

    fn build(
        inner: Arc<dyn Sink>,
        fault: Fault,
        hook: Option<Box<dyn Fn() + Send + Sync>>,
    ) -> Self {
        let (calls, happened) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { inner, plan: Arc::new(Plan { fault, hook, calls, happened }) }
    }

    /// Number of calls so far, the failing one included.
    pub fn calls(&self) -> u64 {
        self.plan.calls.load(Ordering::SeqCst)
    }

    /// True when the fault has come to pass.
    pub fn has_failed(&self) -> bool {
        self.plan.happened.load(Ordering::SeqCst)
    }
}

impl Sink for FaultSink {
    fn guarantees(&self) -> Guarantees {
        self.inner.guarantees()
    }

    fn prepare(&self, task: &str, identity: &str) -> Result<()> {
        self.plan.call(|| self.inner.prepare(task, identity)).0
    }

    fn describe(&self, table: &TableName) -> Result<Option<Arc<TableSchema>>> {
        self.plan.call(|| self.inner.describe(table)).0
    }

    fn show_create(&self, table: &TableName) -> Result<Option<String>> {
        self.plan.call(|| self.inner.show_create(table)).0
    }

    fn execute_ddl(&self, ddl: &TargetDdl) -> Result<DdlOutcome> {
        self.plan.call(|| self.inner.execute_ddl(ddl)).0
    }

    fn adapt(&self, ddl: TargetDdl) -> Result<TargetDdl> {
        self.inner.adapt(ddl)
    }

    fn family(&self) -> Result<Option<crate::ddl::Flavor>> {
        self.inner.family()
    }

    fn clauses(&self) -> Result<Clauses> {
        self.inner.clauses()
    }

    fn await_ddl(&self, ddl: &TargetDdl, stop: &AtomicBool) -> Result<()> {
        self.plan.call(|| self.inner.await_ddl(ddl, stop)).0
    }

    fn runs_once(&self, ddl: &TargetDdl) -> bool {
        self.inner.runs_once(ddl)
    }

    fn interrupt(&self, task: &str, lane: &LaneId) {
        self.inner.interrupt(task, lane);
    }

    fn recover(&self, task: &str, lane: &LaneId, stop: &AtomicBool) -> Result<Recovered> {
        self.plan.call(|| self.inner.recover(task, lane, stop)).0
    }

    fn loaded_chunks(&self, task: &str, lane: &LaneId) -> Result<Vec<ChunkMark>> {
        self.plan.call(|| self.inner.loaded_chunks(task, lane)).0
    }

    fn forget_task(&self, task: &str, lanes: &[LaneId]) -> Result<()> {
        self.plan.call(|| self.inner.forget_task(task, lanes)).0
    }

    fn make_durable(&self) -> Result<()> {
        self.inner.make_durable()
    }

    fn forget(&self, task: &str, lane: &LaneId, epoch: u64, chunks: bool) -> Result<()> {
        self.plan.call(|| self.inner.forget(task, lane, epoch, chunks)).0
    }

    fn empty_table(&self, task: &str, lane: &LaneId, table: &TableName) -> Result<()> {
        self.plan.call(|| self.inner.empty_table(task, lane, table)).0
    }

    fn put_off_keys(&self, task: &str, lane: &LaneId, table: &TableName) -> Result<()> {
        self.plan.call(|| self.inner.put_off_keys(task, lane, table)).0
    }

    fn tables_without_keys(&self, task: &str, lane: &LaneId) -> Result<Vec<TableName>> {
        self.plan.call(|| self.inner.tables_without_keys(task, lane)).0
    }

    fn add_keys(&self, task: &str, lane: &LaneId, table: &TableName) -> Result<()> {
        self.plan.call(|| self.inner.add_keys(task, lane, table)).0
    }

    fn writer(&self, slot: &Slot, stop: &AtomicBool) -> Result<Box<dyn Writer>> {
        let inner = self.plan.call(|| self.inner.writer(slot, stop)).0?;
        Ok(Box::new(FaultWriter { inner, plan: Arc::clone(&self.plan), broken: false }))
    }
}

struct FaultWriter {
    inner: Box<dyn Writer>,
    plan: Arc<Plan>,
    broken: bool,
}

impl FaultWriter {
    fn call<T>(&mut self, f: impl FnOnce(&mut dyn Writer) -> Result<T>) -> Result<T> {
        if self.broken {
            return Err(fault("this connection is gone").transient());
        }
        let inner = &mut *self.inner;
        let (result, cut) = self.plan.call(|| f(inner));
        self.broken = cut;
        if self.broken {
            // A broken connection has no open transaction at the target.
            let _gone = self.inner.rollback();
        }
        result
    }
}

impl Writer for FaultWriter {
    fn load(
        &mut self,
        target: &LoadTarget,
        rows: &mut dyn BlockStream,
        mark: &ChunkMark,
    ) -> Result<LoadStats> {
        self.call(|w| w.load(target, rows, mark))
    }

    fn apply(&mut self, batch: &Batch, mark: &StreamMark) -> Result<ApplyStats> {
        self.call(|w| w.apply(batch, mark))
    }

    fn apply_part(&mut self, blocks: &[RowBlock]) -> Result<ApplyStats> {
        self.call(|w| w.apply_part(blocks))
    }

    fn commit_part(&mut self, mark: &StreamMark) -> Result<()> {
        self.call(|w| w.commit_part(mark))
    }

    fn rollback(&mut self) -> Result<()> {
        self.call(|w| w.rollback())
    }

    fn applied(&mut self) -> Result<OrdinalSet> {
        self.call(|w| w.applied())
    }

    fn is_loaded(&mut self, mark: &ChunkMark) -> Result<bool> {
        self.call(|w| w.is_loaded(mark))
    }

    fn connection_id(&self) -> u64 {
        self.inner.connection_id()
    }
}
