//! What every sink must do.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use dm_filter::{RowOp, TableName, Value};

use super::check::{Check, conclude, ensure};
use super::{build, sink_checks, sink_marks};
use crate::event::{ApplyMode, LaneId, RowBlock, SourceId, TablePlan};
use crate::sink::{ApplyStats, Sink, Slot, TargetDdl, Writer};

/// A row as texts in the order of the table's columns; `None` is NULL.
pub type TextRow = Vec<Option<String>>;

/// Reads all rows of a table.
pub type ReadRows = Box<dyn Fn(&TableName) -> Vec<TextRow>>;

/// A sink with an empty target behind it.
pub struct SinkUnderTest {
    /// The sink.
    pub sink: Arc<dyn Sink>,
    /// Reads the committed rows of a table at the target, not through the sink; in any order.
    /// Values are integers and texts.
    pub rows: ReadRows,
    /// Whatever must live as long as the target does (a temporary directory, a server).
    pub keep: Box<dyn Any>,
}

/// Runs all checks, each on a target of its own that `make` makes: empty, without the schema
/// `dm_check`, which the checks create through the sink.
///
/// What a sink does not promise ([`crate::sink::Guarantees`]) is not checked. The columns are BIGINT
/// and VARCHAR, the statements are plain.
///
/// # Panics
///
/// When a check fails; the message names all that failed and what they expected.
pub fn sink_conformance(make: &dyn Fn() -> SinkUnderTest) {
    let checks = sink_checks::ALL.iter().chain(sink_marks::ALL);
    let results = checks.map(|(name, check)| (*name, Bench::new(make()).and_then(|b| check(&b))));
    conclude("sink conformance", results.collect());
}

pub(super) type Named = (&'static str, fn(&Bench) -> Check);

pub(super) const TASK: &str = "check";

/// A target with two tables: `keyed (id bigint primary key, u varchar(50) unique, v varchar(50))`
/// and `keyless (a bigint, b varchar(50))`.
pub(super) struct Bench {
    under_test: SinkUnderTest,
    pub keyed: TableName,
    pub keyless: TableName,
    pub lane: LaneId,
    pub keyed_plan: Arc<TablePlan>,
    pub keyless_plan: Arc<TablePlan>,
}

pub(super) fn ddl(sql: &str, tables: Vec<TableName>) -> TargetDdl {
    TargetDdl { schema: "dm_check".to_owned(), ..TargetDdl::new(sql, tables) }
}

impl Bench {
    fn new(under_test: SinkUnderTest) -> Check<Self> {
        let source = SourceId::new("s1");
        let keyed = TableName::new("dm_check", "keyed");
        let keyless = TableName::new("dm_check", "keyless");
        let sink = &under_test.sink;
        sink.prepare(TASK, "identity-1")?;
        let create =
            TargetDdl::new("CREATE DATABASE `dm_check`", vec![TableName::schema_only("dm_check")]);
        sink.execute_ddl(&create)?;
        sink.execute_ddl(&ddl(
            "CREATE TABLE `dm_check`.`keyed` (`id` bigint NOT NULL, `u` varchar(50) DEFAULT NULL, \
             `v` varchar(50) DEFAULT NULL, PRIMARY KEY (`id`), UNIQUE KEY `u` (`u`))",
            vec![keyed.clone()],
        ))?;
        sink.execute_ddl(&ddl(
            "CREATE TABLE `dm_check`.`keyless` (`a` bigint DEFAULT NULL, \
             `b` varchar(50) DEFAULT NULL)",
            vec![keyless.clone()],
        ))?;
        Ok(Self {
            keyed_plan: build::plan(&source, &keyed, &keyed, &["id", "u", "v"]),
            keyless_plan: build::plan(&source, &keyless, &keyless, &["a", "b"]),
            lane: LaneId::main(&source),
            keyed,
            keyless,
            under_test,
        })
    }

    pub fn sink(&self) -> &dyn Sink {
        &*self.under_test.sink
    }

    /// The committed rows, sorted, a row as its texts joined by `|`, NULL as `-`.
    pub fn rows(&self, table: &TableName) -> Vec<String> {
        let mut rows: Vec<String> = (self.under_test.rows)(table)
            .into_iter()
            .map(|row| {
                let cells: Vec<_> =
                    row.into_iter().map(|c| c.unwrap_or_else(|| "-".to_owned())).collect();
                cells.join("|")
            })
            .collect();
        rows.sort();
        rows
    }

    pub fn slot(&self, worker: u32, epoch: u64) -> Slot {
        Slot { task: TASK.to_owned(), lane: self.lane.clone(), worker, epoch }
    }

    pub fn writer(&self) -> Check<Box<dyn Writer>> {
        Ok(self.sink().writer(&self.slot(0, 1), &AtomicBool::new(false))?)
    }

    pub fn exact(&self, ops: Vec<RowOp<'static>>) -> RowBlock {
        build::block(&self.keyed_plan, ApplyMode::Exact, ops)
    }

    pub fn idempotent(&self, ops: Vec<RowOp<'static>>) -> RowBlock {
        build::block(&self.keyed_plan, ApplyMode::Idempotent, ops)
    }

    pub fn without_key(&self, ops: Vec<RowOp<'static>>) -> RowBlock {
        build::block(&self.keyless_plan, ApplyMode::Exact, ops)
    }

    /// Applies blocks as the transaction `ordinal` of worker 0, epoch 1.
    pub fn apply(
        &self,
        writer: &mut dyn Writer,
        ordinal: u64,
        blocks: Vec<RowBlock>,
    ) -> Check<ApplyStats> {
        self.apply_as(0, writer, ordinal, blocks)
    }

    /// The same for another worker.
    pub fn apply_as(
        &self,
        worker: u32,
        writer: &mut dyn Writer,
        ordinal: u64,
        blocks: Vec<RowBlock>,
    ) -> Check<ApplyStats> {
        let batch = build::batch(&self.lane, vec![build::txn(ordinal, blocks)]);
        let applied: Vec<u64> = (1..=ordinal).collect();
        Ok(writer.apply(&batch, &build::mark(&self.lane, 1, worker, 0, &applied))?)
    }

    pub fn expect(&self, table: &TableName, rows: &[&str]) -> Check {
        let have = self.rows(table);
        ensure!(have == rows, "{table} holds {have:?}, expected {rows:?}");
        Ok(())
    }
}

/// A row of `keyed`; `-` is NULL.
pub(super) fn keyed(id: i64, u: &str, v: &str) -> Vec<Value<'static>> {
    vec![Value::Int(id), text(u), text(v)]
}

/// A row of `keyless`.
pub(super) fn keyless(a: i64, b: &str) -> Vec<Value<'static>> {
    vec![Value::Int(a), text(b)]
}

fn text(text: &str) -> Value<'static> {
    if text == "-" { Value::Null } else { Value::Text(text.to_owned().into()) }
}
