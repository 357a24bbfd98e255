//! The sink as a whole, through its traits.

mod conformance;
mod crash;
mod ddl;
mod model;
mod rows;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use dm_filter::{ColumnInfo, Columns, Row, RowOp, TableName, Value};
use rusqlite::Connection;

use super::SqliteSink;
use crate::error::{Error, Result};
use crate::event::{
    ApplyMode, Batch, CellKind, ChunkMark, CopyBlock, CopyColumn, LaneId, OrdinalSet, RowBlock,
    RowData, SourceId, SourceTable, StreamMark, TablePlan, Txn,
};
use crate::position::Position;
use crate::sink::{
    ApplyStats, BlockStream, DdlOutcome, LoadTarget, OnDuplicate, Sink, Slot, TargetDdl, Writer,
};

/// A sink in a directory of its own, with what tests need around it.
struct Bed {
    _dir: tempfile::TempDir,
    path: PathBuf,
    sink: SqliteSink,
    ordinal: u64,
    plans: AtomicU64,
}

fn lane() -> LaneId {
    LaneId::main(&SourceId::new("s1"))
}

fn name(text: &str) -> TableName {
    let (schema, table) = text.split_once('.').unwrap();
    TableName::new(schema, table)
}

impl Bed {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("copy.db");
        let sink = SqliteSink::with_patience(&path, Duration::from_millis(50)).unwrap();
        sink.prepare("t", "state-1").unwrap();
        Self { _dir: dir, path, sink, ordinal: 0, plans: AtomicU64::new(0) }
    }

    fn reopen(&self) -> SqliteSink {
        SqliteSink::with_patience(&self.path, Duration::from_millis(50)).unwrap()
    }

    fn ddl(&self, sql: &str) -> DdlOutcome {
        self.try_ddl(sql).unwrap_or_else(|e| panic!("{sql}: {e}"))
    }

    fn try_ddl(&self, sql: &str) -> Result<DdlOutcome> {
        self.sink.execute_ddl(&TargetDdl {
            schema: "d".into(),
            at: 86_400,
            time_zone: Some("+00:00".into()),
            ..TargetDdl::new(sql, Vec::new())
        })
    }

    fn slot(&self, epoch: u64) -> Slot {
        Slot { task: "t".into(), lane: lane(), worker: 0, epoch }
    }

    fn writer(&self, epoch: u64) -> Box<dyn Writer> {
        self.sink.writer(&self.slot(epoch), &AtomicBool::new(false)).unwrap()
    }

    /// A block of changes; the columns are those of the target.
    fn block(&self, table: &str, ops: Vec<RowOp<'static>>, mode: ApplyMode) -> RowBlock {
        self.block_from("s1", table, ops, mode)
    }

    fn block_from(
        &self,
        source: &str,
        table: &str,
        ops: Vec<RowOp<'static>>,
        mode: ApplyMode,
    ) -> RowBlock {
        let schema = self.sink.describe(&name(table)).unwrap().unwrap();
        let columns = schema.columns.iter().map(|c| ColumnInfo {
            labels: c.ty.labels.clone().into(),
            ..ColumnInfo::named(c.name.clone())
        });
        let plan = TablePlan {
            source: SourceTable { source: SourceId::new(source), table: name(table) },
            target: name(table),
            columns: Columns::new(columns.collect()),
            pick: None,
            extra: Vec::new(),
            version: self.plans.fetch_add(1, Ordering::Relaxed),
        };
        RowBlock {
            plan: Arc::new(plan),
            data: RowData::Owned(ops.into()),
            mode,
            no_foreign_key_checks: false,
        }
    }

    fn mark(&self, low: u64) -> StreamMark {
        let mut applied = OrdinalSet::new();
        applied.insert(self.ordinal);
        StreamMark {
            lane: lane(),
            epoch: 1,
            worker: 0,
            low,
            low_position: format!("p{low}"),
            applied,
        }
    }

    fn batch(&self, blocks: Vec<RowBlock>) -> Batch {
        let txn = Txn {
            gtid: None,
            ordinal: self.ordinal,
            start: None,
            end: Position::default(),
            at: 0,
            blocks,
            rows: 0,
            bytes: 0,
        };
        Batch { lane: lane(), txns: vec![Arc::new(txn)] }
    }

    fn apply(
        &mut self,
        table: &str,
        ops: Vec<RowOp<'static>>,
        mode: ApplyMode,
    ) -> Result<ApplyStats> {
        let block = self.block(table, ops, mode);
        self.apply_blocks(vec![block])
    }

    fn apply_blocks(&mut self, blocks: Vec<RowBlock>) -> Result<ApplyStats> {
        self.ordinal += 1;
        let (batch, mark) = (self.batch(blocks), self.mark(0));
        self.writer(1).apply(&batch, &mark)
    }

    fn exact(&mut self, table: &str, ops: Vec<RowOp<'static>>) -> ApplyStats {
        self.apply(table, ops, ApplyMode::Exact).unwrap()
    }

    /// All rows of a table as SQLite literals, sorted; columns parted by commas.
    fn rows(&self, table: &str) -> Vec<String> {
        rows_of(&self.sink, &self.path, table)
    }
}

fn rows_of(sink: &SqliteSink, path: &std::path::Path, table: &str) -> Vec<String> {
    let ident = sink.ident(&name(table)).unwrap().unwrap();
    let conn = Connection::open(path).unwrap();
    let schema = sink.describe(&name(table)).unwrap().unwrap();
    let columns: Vec<String> =
        schema.columns.iter().map(|c| format!("quote({})", super::name::quote(&c.name))).collect();
    let sql = format!("SELECT {} FROM {}", columns.join("||','||"), super::name::quote(&ident));
    let mut statement = conn.prepare(&sql).unwrap();
    let mut rows: Vec<String> =
        statement.query_map([], |r| r.get(0)).unwrap().map(|r| r.unwrap()).collect();
    rows.sort();
    rows
}

fn full(values: Vec<Value<'static>>) -> Row<'static> {
    Row::full(values)
}

fn insert(values: Vec<Value<'static>>) -> RowOp<'static> {
    RowOp::Insert { after: full(values) }
}

fn update(before: Vec<Value<'static>>, after: Vec<Value<'static>>) -> RowOp<'static> {
    RowOp::Update { before: full(before), after: full(after) }
}

fn delete(values: Vec<Value<'static>>) -> RowOp<'static> {
    RowOp::Delete { before: full(values) }
}

fn text(v: &str) -> Value<'static> {
    Value::Text(v.to_owned().into())
}

/// Blocks from a list.
struct Blocks(Vec<Result<CopyBlock>>);

impl BlockStream for Blocks {
    fn next_block(&mut self) -> Result<Option<CopyBlock>> {
        if self.0.is_empty() { Ok(None) } else { self.0.remove(0).map(Some) }
    }
}

fn block(columns: &[(&str, CellKind)], rows: &[&[Option<&[u8]>]]) -> CopyBlock {
    let columns: Arc<[CopyColumn]> = columns
        .iter()
        .map(|(name, kind)| CopyColumn { name: (*name).into(), kind: kind.clone() })
        .collect();
    let mut block = CopyBlock::new(columns);
    for cell in rows.iter().copied().flatten() {
        match cell {
            Some(bytes) => block.push_value(bytes),
            None => block.push_null(),
        }
    }
    block
}

fn chunk_mark(chunk: u32) -> ChunkMark {
    ChunkMark { lane: lane(), schema: "d".into(), table: "t".into(), generation: 1, chunk }
}

fn target(table: &str, on_duplicate: OnDuplicate) -> LoadTarget {
    LoadTarget { table: name(table), extra: Vec::new(), on_duplicate }
}

#[test]
fn another_programs_file_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("other.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE x (a)").unwrap();
    assert_eq!(SqliteSink::open(&path).unwrap_err().code().number, 10_211);
    std::fs::write(&path, b"this is no database, it is a text of some length").unwrap();
    assert_eq!(SqliteSink::open(&path).unwrap_err().code().number, 10_211);
}

#[test]
fn a_file_belongs_to_one_state() {
    let bed = Bed::new();
    bed.sink.prepare("t", "state-1").unwrap();
    bed.sink.prepare("other task", "state-2").unwrap();
    let error = bed.sink.prepare("t", "state-2").unwrap_err();
    assert_eq!(error.code().number, crate::error::codes::TARGET_FOREIGN.number);
}

#[test]
fn promises() {
    let bed = Bed::new();
    let guarantees = bed.sink.guarantees();
    assert!(guarantees.exactly_once && guarantees.fenced && guarantees.transactional_ddl);
}
