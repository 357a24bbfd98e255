//! A target of one's own: a sink around SQLite that tells a listener what was committed.
//!
//! A sink that stands before another one hands every call on, so that the guarantees of the inner
//! one stay: here rows and marks still commit together. `dm_core::testing::sink_conformance` shows
//! that it keeps the rules of the trait.
//!
//! ```sh
//! cargo run -p dm-core --example embed_sink
//! ```

use std::error::Error;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use dm_core::config::{SourceText, TaskPlan};
use dm_core::event::{Batch, ChunkMark, LaneId, OrdinalSet, RowBlock, StreamMark};
use dm_core::schema::TableSchema;
use dm_core::sink::sqlite::SqliteSink;
use dm_core::sink::{
    ApplyStats, BlockStream, DdlOutcome, Guarantees, LoadStats, LoadTarget, Recovered, Sink, Slot,
    TargetDdl, Writer,
};
use dm_core::testing::ScriptedSource;
use dm_core::testing::build::insert;
use dm_core::{Migration, Outcome, Result, TableName, Until, Value};

/// Hands everything on and tells how many rows each commit brought.
struct Telling<S> {
    inner: S,
    told: Mutex<Sender<u64>>,
}

impl<S: Sink> Sink for Telling<S> {
    fn guarantees(&self) -> Guarantees {
        self.inner.guarantees()
    }
    fn prepare(&self, task: &str, identity: &str) -> Result<()> {
        self.inner.prepare(task, identity)
    }
    fn describe(&self, table: &TableName) -> Result<Option<Arc<TableSchema>>> {
        self.inner.describe(table)
    }
    fn show_create(&self, table: &TableName) -> Result<Option<String>> {
        self.inner.show_create(table)
    }
    fn execute_ddl(&self, ddl: &TargetDdl) -> Result<DdlOutcome> {
        self.inner.execute_ddl(ddl)
    }
    fn recover(&self, task: &str, lane: &LaneId, stop: &AtomicBool) -> Result<Recovered> {
        self.inner.recover(task, lane, stop)
    }
    fn loaded_chunks(&self, task: &str, lane: &LaneId) -> Result<Vec<ChunkMark>> {
        self.inner.loaded_chunks(task, lane)
    }
    fn forget(&self, task: &str, lane: &LaneId, epoch: u64, chunks: bool) -> Result<()> {
        self.inner.forget(task, lane, epoch, chunks)
    }
    fn empty_table(&self, task: &str, lane: &LaneId, table: &TableName) -> Result<()> {
        self.inner.empty_table(task, lane, table)
    }
    fn writer(&self, slot: &Slot, stop: &AtomicBool) -> Result<Box<dyn Writer>> {
        let inner = self.inner.writer(slot, stop)?;
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(Box::new(TellingWriter { inner, told }))
    }
}

struct TellingWriter {
    inner: Box<dyn Writer>,
    told: Sender<u64>,
}

impl TellingWriter {
    fn tell(&self, rows: u64) {
        // Nobody need listen.
        let _ = self.told.send(rows);
    }
}

impl Writer for TellingWriter {
    fn load(
        &mut self,
        target: &LoadTarget,
        rows: &mut dyn BlockStream,
        mark: &ChunkMark,
    ) -> Result<LoadStats> {
        let stats = self.inner.load(target, rows, mark)?;
        self.tell(stats.rows);
        Ok(stats)
    }
    fn apply(&mut self, batch: &Batch, mark: &StreamMark) -> Result<ApplyStats> {
        let stats = self.inner.apply(batch, mark)?;
        self.tell(stats.inserted + stats.updated + stats.deleted);
        Ok(stats)
    }
    fn apply_part(&mut self, blocks: &[RowBlock]) -> Result<ApplyStats> {
        self.inner.apply_part(blocks)
    }
    fn commit_part(&mut self, mark: &StreamMark) -> Result<()> {
        self.inner.commit_part(mark)
    }
    fn rollback(&mut self) -> Result<()> {
        self.inner.rollback()
    }
    fn applied(&mut self) -> Result<OrdinalSet> {
        self.inner.applied()
    }
    fn is_loaded(&mut self, mark: &ChunkMark) -> Result<bool> {
        self.inner.is_loaded(mark)
    }
    fn connection_id(&self) -> u64 {
        self.inner.connection_id()
    }
}

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let task = "{name: t, task-mode: all, target-database: {sqlite: x.db}, mysql-instances: [{source-id: s}]}";
    let source_file = "{source-id: s, from: {host: h, user: u}}";
    let (plan, _) = TaskPlan::from_yaml(
        &SourceText { name: "task.yaml", text: task },
        &[SourceText { name: "source.yaml", text: source_file }],
        &|_| None,
    )?;
    let source = ScriptedSource::new("s");
    source.ddl("", "CREATE DATABASE d")?;
    source.ddl("d", "CREATE TABLE t (id INT PRIMARY KEY)")?;
    let rows = |ids: std::ops::Range<i64>| ids.map(|id| insert([Value::Int(id)])).collect();
    source.commit(vec![(TableName::new("d", "t"), rows(0..3))])?;

    let (told, listener) = channel();
    let file = dir.path().join("target.db");
    let sink = Telling { inner: SqliteSink::open(&file)?, told: Mutex::new(told) };
    let migration = Migration::builder(plan)
        .source("s", Arc::new(source.clone()))
        .sink(Arc::new(sink))
        .state_dir(dir.path())
        .until(Until::CaughtUp)
        .build();
    assert_eq!(migration.run()?, Outcome::Finished);
    source.commit(vec![(TableName::new("d", "t"), rows(10..14))])?;
    assert_eq!(migration.run()?, Outcome::Finished);
    let commits: Vec<u64> = listener.try_iter().collect();
    println!("commits brought {commits:?} rows");
    assert_eq!(commits.iter().sum::<u64>(), 7);
    Ok(())
}

#[test]
fn it_runs() {
    main().unwrap();
}
