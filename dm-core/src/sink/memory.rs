//! A target in memory: tables, marks and fences without a server.
//!
//! It is the second implementation of [`Sink`], for tests of everything above the sink and for
//! services that want to see a migration's result as values. It behaves as a strict MySQL target
//! does: unique keys are enforced row by row, a failed call leaves nothing, a mark commits with
//! its rows. What it leaves out is said here: texts compare by their bytes, keys over expressions
//! and foreign keys enforce nothing, generated columns and default expressions are not computed,
//! values are not checked against the width of their column.
//!
//! A [`MemorySink`] is a handle: clones share one target, which outlives writers, sinks and
//! pipelines, so that a test can kill everything ([`MemorySink::break_connections`]) and start
//! again. The fence does not wait but ends the predecessor: nothing here can be under way.

mod apply;
mod cell;
mod ddl;
mod table;
mod writer;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dm_filter::TableName;

pub use cell::Cell;

use self::apply::table_mut;
use self::ddl::Catalog;
use self::table::Table;
use self::writer::MemoryWriter;
use super::{DdlOutcome, Guarantees, Recovered, Sink, Slot, TargetDdl, Writer};
use crate::error::{Error, Result, codes};
use crate::event::{ChunkMark, LaneId, StreamMark};
use crate::schema::TableSchema;

/// Task, lane, epoch, worker.
type MarkKey = (String, LaneId, u64, u32);

#[derive(Debug, Default)]
struct State {
    catalog: Catalog,
    identities: BTreeMap<String, String>,
    stream_marks: BTreeMap<MarkKey, StreamMark>,
    /// With the target table that the chunk went into.
    chunk_marks: HashMap<(String, ChunkMark), TableName>,
    /// Statements that have run and must not run again: task, lane, number and text.
    ran: BTreeSet<(String, LaneId, u64, String)>,
    writers: BTreeMap<u64, Slot>,
    last_writer: u64,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// It keeps no marks.
    unmarked: AtomicBool,
    /// It is asked whether statements have run, and the state file is not.
    remembers: AtomicBool,
}

impl Shared {
    fn unmarked(&self) -> bool {
        self.unmarked.load(Ordering::SeqCst)
    }

    // A call that panics was a reader of blocks or rows, outside of any half-done change.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A target in memory; clones share it. See the module's documentation.
#[derive(Clone, Debug, Default)]
pub struct MemorySink {
    shared: Arc<Shared>,
}

impl MemorySink {
    /// An empty target.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty target that keeps no marks, as one whose user may not make tables of its own: changes
    /// arrive at least once.
    pub fn without_marks() -> Self {
        let sink = Self::default();
        sink.take_marks(false);
        sink
    }

    /// Lets the target take marks from now on, or no more; those that it has stay.
    pub fn take_marks(&self, takes: bool) {
        self.shared.unmarked.store(!takes, Ordering::SeqCst);
    }

    /// An empty target that says of all statements whether they have run, as a script does
    /// ([`Guarantees::remembers_statements`]).
    pub fn remembering() -> Self {
        let sink = Self::default();
        sink.shared.remembers.store(true, Ordering::SeqCst);
        sink
    }

    /// The same target with one more empty table, and its schema if that is missing.
    #[must_use]
    pub fn with_table(self, name: TableName, schema: TableSchema) -> Self {
        self.add_table(name, schema);
        self
    }

    /// Makes an empty table, and its schema if that is missing; replaces a table of that name.
    pub fn add_table(&self, name: TableName, schema: TableSchema) {
        let mut state = self.shared.lock();
        state.catalog.schemas.insert(name.schema.clone());
        let text = crate::schema::create_table(&name, &schema);
        state.catalog.tables.insert(name, Table::new(Arc::new(schema), text));
    }

    /// Runs statements, each under the default schema `schema`.
    ///
    /// # Errors
    ///
    /// The first that a statement fails with.
    pub fn run<'a>(
        &self,
        schema: &str,
        statements: impl IntoIterator<Item = &'a str>,
    ) -> Result<()> {
        statements.into_iter().try_for_each(|sql| {
            let ddl = TargetDdl { schema: schema.to_owned(), ..TargetDdl::new(sql, Vec::new()) };
            self.execute_ddl(&ddl).map(|_| ())
        })
    }

    /// The names of all tables, sorted.
    pub fn tables(&self) -> Vec<TableName> {
        self.shared.lock().catalog.tables.keys().cloned().collect()
    }

    /// The rows of a table, sorted; `None` when there is no such table.
    pub fn rows(&self, table: &TableName) -> Option<Vec<Vec<Cell>>> {
        self.shared.lock().catalog.tables.get(table).map(Table::sorted_rows)
    }

    /// Number of rows of a table; 0 when there is no such table.
    pub fn count(&self, table: &TableName) -> usize {
        self.shared.lock().catalog.tables.get(table).map_or(0, Table::len)
    }

    /// All tables with their rows, for comparing two targets.
    pub fn dump(&self) -> BTreeMap<TableName, Vec<Vec<Cell>>> {
        let state = self.shared.lock();
        state.catalog.tables.iter().map(|(name, t)| (name.clone(), t.sorted_rows())).collect()
    }

    /// Ends all writers, as a killed process or a cut cable does: open transactions are rolled
    /// back, slots are free, later calls of these writers fail as transient.
    pub fn break_connections(&self) {
        self.shared.lock().writers.clear();
    }
}

fn stopped(stop: &AtomicBool) -> Result<()> {
    if stop.load(Ordering::Relaxed) {
        return Err(Error::new(&codes::STOPPED, "asked to stop"));
    }
    Ok(())
}

impl Sink for MemorySink {
    fn guarantees(&self) -> Guarantees {
        match self.shared.unmarked() {
            true => Guarantees { fenced: true, ..Guarantees::none() },
            false => {
                let remembers = self.shared.remembers.load(Ordering::SeqCst);
                Guarantees {
                    transactional_ddl: remembers,
                    remembers_statements: remembers,
                    ..Guarantees::exact()
                }
            }
        }
    }

    fn prepare(&self, task: &str, identity: &str) -> Result<()> {
        let mut state = self.shared.lock();
        let stored = state.identities.entry(task.to_owned()).or_insert_with(|| identity.to_owned());
        if stored == identity {
            return Ok(());
        }
        let text = format!("task {task:?} has marks of another state file at this target");
        Err(Error::new(&codes::TARGET_FOREIGN, text))
    }

    fn describe(&self, table: &TableName) -> Result<Option<Arc<TableSchema>>> {
        Ok(self.shared.lock().catalog.tables.get(table).map(|t| Arc::clone(&t.schema)))
    }

    fn show_create(&self, table: &TableName) -> Result<Option<String>> {
        Ok(self.shared.lock().catalog.tables.get(table).map(|t| t.create_sql.clone()))
    }

    fn execute_ddl(&self, ddl: &TargetDdl) -> Result<DdlOutcome> {
        let mut state = self.shared.lock();
        let (Some((task, lane)), Some(number), false) =
            (&ddl.lane, ddl.once, self.shared.unmarked())
        else {
            return state.catalog.run(ddl);
        };
        let once = (task.clone(), lane.clone(), number, ddl.sql.clone());
        if state.ran.contains(&once) {
            return Ok(DdlOutcome::Done);
        }
        let outcome = state.catalog.run(ddl)?;
        state.ran.insert(once);
        Ok(outcome)
    }

    /// A statement and its mark are there together or not at all.
    fn runs_once(&self, ddl: &TargetDdl) -> bool {
        ddl.once.is_some() && ddl.lane.is_some() && !self.shared.unmarked()
    }

    fn recover(&self, task: &str, lane: &LaneId, stop: &AtomicBool) -> Result<Recovered> {
        stopped(stop)?;
        let mut state = self.shared.lock();
        state.writers.retain(|_, slot| slot.task != task || slot.lane != *lane);
        let mut recovered = Recovered::default();
        for ((of, _, epoch, _), mark) in &state.stream_marks {
            if of != task || mark.lane != *lane {
                continue;
            }
            recovered.epoch = recovered.epoch.max(*epoch);
            if recovered.low.as_ref().is_none_or(|(low, _)| mark.low > *low) {
                recovered.low = Some((mark.low, mark.low_position.clone()));
            }
            recovered.applied.union(&mark.applied);
        }
        if let Some((low, _)) = &recovered.low {
            recovered.applied.forget_upto(*low);
        }
        Ok(recovered)
    }

    fn loaded_chunks(&self, task: &str, lane: &LaneId) -> Result<Vec<ChunkMark>> {
        let state = self.shared.lock();
        let of_lane =
            state.chunk_marks.keys().filter(|(of, mark)| of == task && mark.lane == *lane);
        let mut marks: Vec<_> = of_lane.map(|(_, mark)| mark.clone()).collect();
        marks.sort_by(|a, b| {
            (&a.schema, &a.table, a.generation, a.chunk).cmp(&(
                &b.schema,
                &b.table,
                b.generation,
                b.chunk,
            ))
        });
        Ok(marks)
    }

    fn forget_task(&self, task: &str, _lanes: &[LaneId]) -> Result<()> {
        let mut state = self.shared.lock();
        state.identities.remove(task);
        state.stream_marks.retain(|(of, ..), _| of != task);
        state.chunk_marks.retain(|(of, _), _| of != task);
        Ok(())
    }

    fn forget(&self, task: &str, lane: &LaneId, epoch: u64, chunks: bool) -> Result<()> {
        let mut state = self.shared.lock();
        state.stream_marks.retain(|(of, l, e, _), _| of != task || l != lane || *e >= epoch);
        if chunks {
            state.chunk_marks.retain(|(of, mark), _| of != task || mark.lane != *lane);
        }
        Ok(())
    }

    fn empty_table(&self, task: &str, lane: &LaneId, table: &TableName) -> Result<()> {
        let mut state = self.shared.lock();
        table_mut(&mut state.catalog.tables, table)?.clear();
        state
            .chunk_marks
            .retain(|(of, mark), target| of != task || mark.lane != *lane || target != table);
        Ok(())
    }

    fn writer(&self, slot: &Slot, stop: &AtomicBool) -> Result<Box<dyn Writer>> {
        stopped(stop)?;
        let mut state = self.shared.lock();
        state.writers.retain(|_, other| {
            (&other.task, &other.lane, other.worker) != (&slot.task, &slot.lane, slot.worker)
        });
        state.last_writer += 1;
        let id = state.last_writer;
        state.writers.insert(id, slot.clone());
        Ok(Box::new(MemoryWriter::new(Arc::clone(&self.shared), id, slot.clone())))
    }
}

#[cfg(test)]
mod tests;
