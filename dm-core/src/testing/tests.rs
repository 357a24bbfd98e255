use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use dm_filter::{TableName, Value};

use super::build::{delete, insert, update};
use super::*;
use crate::error::{Result, codes};
use crate::event::{
    ApplyMode, Batch, ChunkMark, LaneId, OrdinalSet, RowBlock, RowData, StreamMark,
};
use crate::position::Position;
use crate::schema::TableSchema;
use crate::sink::{
    ApplyStats, BlockStream, Cell, DdlOutcome, Guarantees, LoadStats, LoadTarget, MemorySink,
    Recovered, Sink, Slot, TargetDdl, Writer,
};
use crate::source::{Body, Polled, RowsBody, Source};

fn under_test(sink: &MemorySink, as_sink: Arc<dyn Sink>) -> SinkUnderTest {
    let target = sink.clone();
    let text = |cell: Cell| match cell {
        Cell::Null => None,
        other => Some(other.to_string()),
    };
    let rows = move |table: &TableName| {
        let rows = target.rows(table).unwrap();
        rows.into_iter().map(|row| row.into_iter().map(text).collect()).collect()
    };
    SinkUnderTest { sink: as_sink, rows: Box::new(rows), keep: Box::new(()) }
}

#[test]
fn the_memory_sink_conforms() {
    sink_conformance(&|| {
        let sink = MemorySink::new();
        under_test(&sink, Arc::new(sink.clone()))
    });
}

#[test]
fn a_sink_around_a_sink_conforms() {
    sink_conformance(&|| {
        let sink = MemorySink::new();
        under_test(&sink, Arc::new(FaultSink::new(Arc::new(sink.clone()), Fault::None)))
    });
}

/// What a sink may get wrong without saying so.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Flaw {
    /// `recover` knows nothing.
    Forgets,
    /// Any state file is welcome.
    TrustsAll,
    /// Missing rows are not counted.
    CountsNothing,
    /// Chunks are loaded without a mark.
    MarksNoChunk,
    /// A failing batch is taken as done.
    SwallowsErrors,
    /// A dropped part is committed.
    KeepsParts,
    /// Slots are not fenced.
    SharesSlots,
    /// The second of two equal rows is passed over.
    MergesTwins,
}

struct Flawed {
    inner: MemorySink,
    flaw: Flaw,
    opened: AtomicU32,
}

struct FlawedWriter {
    inner: Box<dyn Writer>,
    flaw: Flaw,
}

impl Sink for Flawed {
    fn guarantees(&self) -> Guarantees {
        self.inner.guarantees()
    }
    fn prepare(&self, task: &str, identity: &str) -> Result<()> {
        let trusts = self.flaw == Flaw::TrustsAll;
        self.inner.prepare(task, if trusts { "any" } else { identity })
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
        let told = self.inner.recover(task, lane, stop)?;
        Ok(if self.flaw == Flaw::Forgets { Recovered::default() } else { told })
    }
    fn loaded_chunks(&self, task: &str, lane: &LaneId) -> Result<Vec<ChunkMark>> {
        let told = self.inner.loaded_chunks(task, lane)?;
        Ok(if self.flaw == Flaw::MarksNoChunk { Vec::new() } else { told })
    }
    fn forget(&self, task: &str, lane: &LaneId, epoch: u64, chunks: bool) -> Result<()> {
        self.inner.forget(task, lane, epoch, chunks)
    }
    fn empty_table(&self, task: &str, lane: &LaneId, table: &TableName) -> Result<()> {
        self.inner.empty_table(task, lane, table)
    }
    fn writer(&self, slot: &Slot, _stop: &AtomicBool) -> Result<Box<dyn Writer>> {
        let mut slot = slot.clone();
        if self.flaw == Flaw::SharesSlots {
            slot.worker += 100 * self.opened.fetch_add(1, Ordering::SeqCst);
        }
        let inner = self.inner.writer(&slot, &AtomicBool::new(false))?;
        Ok(Box::new(FlawedWriter { inner, flaw: self.flaw }))
    }
}

impl Writer for FlawedWriter {
    fn load(
        &mut self,
        target: &LoadTarget,
        rows: &mut dyn BlockStream,
        mark: &ChunkMark,
    ) -> Result<LoadStats> {
        self.inner.load(target, rows, mark)
    }
    fn apply(&mut self, batch: &Batch, mark: &StreamMark) -> Result<ApplyStats> {
        let mut batch = batch.clone();
        if self.flaw == Flaw::MergesTwins {
            for txn in &mut batch.txns {
                for block in &mut Arc::make_mut(txn).blocks {
                    if let RowData::Owned(rows) = &block.data {
                        let mut rows = rows.to_vec();
                        rows.dedup();
                        block.data = RowData::Owned(rows.into());
                    }
                }
            }
        }
        let mut result = self.inner.apply(&batch, mark);
        if self.flaw == Flaw::SwallowsErrors {
            result = result.or_else(|_| Ok(ApplyStats::default()));
        }
        if let (Flaw::CountsNothing, Ok(stats)) = (self.flaw, &mut result) {
            stats.missing.clear();
        }
        result
    }
    fn apply_part(&mut self, blocks: &[RowBlock]) -> Result<ApplyStats> {
        self.inner.apply_part(blocks)
    }
    fn commit_part(&mut self, mark: &StreamMark) -> Result<()> {
        self.inner.commit_part(mark)
    }
    fn rollback(&mut self) -> Result<()> {
        if self.flaw == Flaw::KeepsParts { Ok(()) } else { self.inner.rollback() }
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

/// The suite is worth something only if it finds these.
#[test]
fn flawed_sinks_do_not_conform() {
    for (flaw, check) in [
        (Flaw::Forgets, "stream marks of all workers"),
        (Flaw::TrustsAll, "a target belongs to one state file"),
        (Flaw::CountsNothing, "missing rows are counted"),
        (Flaw::MarksNoChunk, "chunk marks tell what is loaded"),
        (Flaw::SwallowsErrors, "a failed batch leaves nothing"),
        (Flaw::KeepsParts, "a part that fails or is dropped"),
        (Flaw::SharesSlots, "two writers of a slot"),
        (Flaw::MergesTwins, "rows without a key keep their number"),
    ] {
        let run = move || {
            sink_conformance(&|| {
                let inner = MemorySink::new();
                let flawed = Flawed { inner: inner.clone(), flaw, opened: AtomicU32::new(0) };
                under_test(&inner, Arc::new(flawed))
            });
        };
        let failure = std::panic::catch_unwind(run).expect_err(check);
        let text = failure.downcast_ref::<String>().unwrap();
        assert!(text.contains(check), "{flaw:?}: {text}");
    }
}

fn name(table: &str) -> TableName {
    TableName::new("db", table)
}

fn values(id: i64, text: &str) -> Vec<Value<'static>> {
    vec![Value::Int(id), Value::Text(text.to_owned().into())]
}

fn script(source: &ScriptedSource) -> Position {
    source.ddl("", "CREATE DATABASE db").unwrap();
    source.ddl("db", "CREATE TABLE t (id int primary key, v varchar(20))").unwrap();
    source.ddl("db", "CREATE TABLE k (a int, b varchar(20))").unwrap();
    let start = source.end_position().unwrap();
    let rows = (1..=10).map(|i| insert(values(i, "x"))).collect();
    source.commit(vec![(name("t"), rows)]).unwrap();
    let twins = vec![insert(values(1, "a")), insert(values(1, "a"))];
    let change = vec![update(values(3, "x"), values(30, "y")), delete(values(4, "x"))];
    source.commit(vec![(name("k"), twins), (name("t"), change)]).unwrap();
    source.rotate();
    source.ddl("db", "ALTER TABLE t ADD COLUMN w int DEFAULT 7").unwrap();
    source.commit(vec![(name("k"), vec![delete(values(1, "a"))])]).unwrap();
    start
}

#[test]
fn the_scripted_source_conforms() {
    for source in [ScriptedSource::new("s"), ScriptedSource::with_gtids("s")] {
        let start = script(&source);
        let rows = BTreeMap::from([(name("t"), 9), (name("k"), 1)]);
        source_conformance(&source, &rows, &start);
    }
}

#[test]
fn a_script_is_a_small_server() {
    let source = ScriptedSource::new("s");
    script(&source);
    let rows = &source.dump()[&name("t")];
    assert!(rows.contains(&vec![Cell::text("30"), Cell::text("y"), Cell::text("7")]), "{rows:?}");
    let before = (source.dump(), source.end_position().unwrap());
    // Neither a row twice nor a change of nothing is logged.
    let wide = |id| {
        let mut row = values(id, "x");
        row.push(Value::Null);
        row
    };
    let twice = source.commit(vec![(name("t"), vec![insert(wide(50)), insert(wide(1))])]);
    assert_eq!(twice.unwrap_err().server_error(), Some(1062));
    assert!(source.commit(vec![(name("t"), vec![delete(wide(4))])]).is_err());
    assert!(source.ddl("db", "CREATE TABLE t (a int)").is_err());
    assert_eq!((source.dump(), source.end_position().unwrap()), before);
}

#[test]
fn streams_end_idle_or_break_as_told() {
    let source = ScriptedSource::new("s");
    let start = script(&source);
    let end = source.end_position().unwrap();
    let mut stream = source.open(&end).unwrap();
    assert!(matches!(stream.poll(Duration::ZERO).unwrap(), Polled::Idle));
    source.cut_streams();
    assert!(stream.poll(Duration::ZERO).unwrap_err().is_transient());
    let mut stream = source.open(&start).unwrap();
    source.finish();
    let mut rows = 0;
    loop {
        match stream.poll(Duration::ZERO).unwrap() {
            Polled::End => break,
            Polled::Idle => panic!("a finished script idles"),
            Polled::Event(event) => {
                if let Body::Rows(RowsBody::Owned { rows: changes, .. }) = event.body {
                    rows += changes.len();
                }
            }
        }
    }
    assert_eq!(rows, 10 + 2 + 2 + 1);
    let nowhere = Position::from_text("scripted-bin.000001:17;").unwrap();
    let error = source.open(&nowhere).err().unwrap();
    assert_eq!(error.code(), &codes::SOURCE_POSITION_BEYOND);
    let empty = Position::default();
    assert!(matches!(source.open(&empty).unwrap().poll(Duration::ZERO), Ok(Polled::Event(_))));
}

#[test]
fn gtids_pass_over_what_the_reader_has() {
    let source = ScriptedSource::with_gtids("s");
    let start = script(&source);
    let position = Position { binlog: None, gtid: start.gtid };
    let mut stream = source.open(&position).unwrap();
    let Polled::Event(event) = stream.poll(Duration::ZERO).unwrap() else {
        panic!("nothing behind the start");
    };
    let Body::Gtid { gtid: Some(gtid), .. } = event.body else { panic!("{event:?}") };
    assert!(gtid.to_string().ends_with(":4"), "{gtid}");
    let foreign = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5";
    let position = Position::from_text(&format!(";mysql:{foreign}")).unwrap();
    let error = source.open(&position).err().unwrap();
    assert_eq!(error.code(), &codes::SOURCE_GTID_MISSING);
}

/// One process of a tiny migration: opens a slot, asks what is applied, applies the rest.
fn process(sink: &FaultSink, lane: &LaneId, epoch: u64) -> crate::Result<()> {
    let stop = AtomicBool::new(false);
    let done = sink.recover("t", lane, &stop)?;
    let slot = Slot { task: "t".into(), lane: lane.clone(), worker: 0, epoch };
    let mut writer = sink.writer(&slot, &stop)?;
    let plan = build::plan(&lane.source, &name("k"), &name("k"), &["a", "b"]);
    let mut applied: Vec<u64> = (1..=4).filter(|n| done.applied.contains(*n)).collect();
    for ordinal in 1..=4 {
        if !done.applied.contains(ordinal) {
            applied.push(ordinal);
            let rows = vec![insert(values(1, "twin"))];
            let block = build::block(&plan, ApplyMode::Exact, rows);
            let batch = build::batch(lane, vec![build::txn(ordinal, vec![block])]);
            writer.apply(&batch, &build::mark(lane, epoch, 0, 0, &applied))?;
        }
    }
    Ok(())
}

/// Rows without a key survive a death at every call, on either side of it, exactly once each.
#[test]
fn death_at_every_call_neither_loses_nor_doubles() {
    for when in [When::Before, When::After] {
        for at in 1.. {
            let target = MemorySink::new();
            target.run("db", ["CREATE DATABASE db", "CREATE TABLE k (a int, b text)"]).unwrap();
            let lane = LaneId::main(ScriptedSource::new("s").id());
            let dying = FaultSink::new(Arc::new(target.clone()), Fault::Die { at, when });
            let first = process(&dying, &lane, 1);
            if !dying.has_failed() {
                assert_eq!(dying.calls(), 6);
                break;
            }
            assert!(first.unwrap_err().is_transient());
            assert!(!process(&dying, &lane, 1).unwrap_err().is_transient());
            target.break_connections();
            let next = FaultSink::new(Arc::new(target.clone()), Fault::None);
            process(&next, &lane, 2).unwrap();
            assert_eq!(target.count(&name("k")), 4, "death {when:?} call {at}");
        }
    }
}

#[test]
fn a_cut_connection_is_replaced() {
    let target = MemorySink::new();
    target.run("db", ["CREATE DATABASE db", "CREATE TABLE k (a int, b text)"]).unwrap();
    let lane = LaneId::main(ScriptedSource::new("s").id());
    let fault = Fault::Cut { at: 4, when: When::After };
    let sink = FaultSink::new(Arc::new(target.clone()), fault);
    assert!(process(&sink, &lane, 1).unwrap_err().is_transient());
    process(&sink, &lane, 2).unwrap();
    assert_eq!(target.count(&name("k")), 4);
}
