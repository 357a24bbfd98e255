//! Row changes of the stream on their way to a sink: planned per table version, decoded late.

use std::fmt;
use std::sync::Arc;

use dm_filter::{Columns, Row, RowOp, TableName, Value};

use super::{LaneId, RawOp, SourceTable};
use crate::error::Result;
use crate::position::{BinlogPos, Gtid, Position};

/// What happens to the rows of one version of a source table: made once per table version, shared
/// by all its blocks.
#[derive(Debug)]
pub struct TablePlan {
    /// Where the rows come from.
    pub source: SourceTable,
    /// Where they go.
    pub target: TableName,
    /// The columns as the target is told them: carried source columns, then added ones.
    pub columns: Columns,
    /// Index in the source row of each carried column; `None` when all are carried in order.
    pub pick: Option<Vec<usize>>,
    /// Values of the added columns.
    pub extra: Vec<Value<'static>>,
    /// Grows with every new version of this source table, so that sinks can keep what they
    /// compiled for one.
    pub version: u64,
}

impl TablePlan {
    fn carry<'a>(&self, row: Row<'a>) -> Row<'a> {
        let mut row = match &self.pick {
            None => row,
            Some(pick) => Row::partial(pick.iter().map(|&i| row.get(i).cloned()).collect()),
        };
        for value in &self.extra {
            row.push(value.clone());
        }
        row
    }

    /// A row change of the source as the target sees it.
    pub(crate) fn carry_op<'a>(&self, op: RowOp<'a>) -> RowOp<'a> {
        if self.pick.is_none() && self.extra.is_empty() {
            return op;
        }
        match op {
            RowOp::Insert { after } => RowOp::Insert { after: self.carry(after) },
            RowOp::Update { before, after } => {
                RowOp::Update { before: self.carry(before), after: self.carry(after) }
            }
            RowOp::Delete { before } => RowOp::Delete { before: self.carry(before) },
        }
    }
}

/// Rows that are decoded only when a worker needs them.
pub trait EncodedRows: Send + Sync + fmt::Debug {
    /// Calls `f` with each row change, in order, until it fails.
    ///
    /// # Errors
    ///
    /// What decoding or `f` fails with.
    fn each(&self, f: &mut dyn FnMut(RowOp<'_>) -> Result<()>) -> Result<()>;

    /// As [`EncodedRows::each`] without making values: for who needs the text of all of them only.
    /// False, with nothing called, where the rows have to be decoded.
    ///
    /// # Errors
    ///
    /// Damaged rows, and what `f` fails with.
    fn each_raw(&self, _f: &mut dyn FnMut(RawOp<'_>) -> Result<()>) -> Result<bool> {
        Ok(false)
    }

    /// Bytes held.
    fn bytes(&self) -> usize;
}

/// The rows of a block.
#[derive(Clone, Debug)]
pub enum RowData {
    /// As they came in a binlog event.
    Encoded(Arc<dyn EncodedRows>),
    /// Decoded already: filtered rows, scripted sources, tests.
    Owned(Arc<[RowOp<'static>]>),
}

/// How rows are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyMode {
    /// The target holds exactly what the source held before the change; anything else is an
    /// error or a counted missing row.
    Exact,
    /// The change may have been applied before, wholly or in part: insert-or-update, delete if
    /// there. Converges to the source's state.
    Idempotent,
}

/// Row changes of one table, in order, from one event.
#[derive(Clone, Debug)]
pub struct RowBlock {
    /// Where they come from, where they go, which columns.
    pub plan: Arc<TablePlan>,
    /// The rows, in terms of the source's columns.
    pub data: RowData,
    /// Whether the rows may have been applied before.
    pub mode: ApplyMode,
    /// The event says that the source had foreign key checks switched off.
    pub no_foreign_key_checks: bool,
}

impl RowBlock {
    /// Calls `f` with each row change as the target sees it (carried and added columns).
    ///
    /// # Errors
    ///
    /// What decoding or `f` fails with.
    pub fn each(&self, f: &mut dyn FnMut(RowOp<'_>) -> Result<()>) -> Result<()> {
        match &self.data {
            RowData::Encoded(rows) => rows.each(&mut |op| f(self.plan.carry_op(op))),
            RowData::Owned(rows) => {
                rows.iter().try_for_each(|op| f(self.plan.carry_op(op.clone())))
            }
        }
    }

    /// Calls `f` with each row change as its images, where the target sees them as they are: all
    /// columns are carried and none is added. False, with nothing called, where [`RowBlock::each`]
    /// has to be asked.
    ///
    /// # Errors
    ///
    /// What reading the rows or `f` fails with.
    pub fn each_raw(&self, f: &mut dyn FnMut(RawOp<'_>) -> Result<()>) -> Result<bool> {
        match &self.data {
            RowData::Encoded(rows) if self.plan.pick.is_none() && self.plan.extra.is_empty() => {
                rows.each_raw(f)
            }
            _ => Ok(false),
        }
    }

    /// Bytes held, roughly.
    pub fn bytes(&self) -> usize {
        match &self.data {
            RowData::Encoded(rows) => rows.bytes(),
            RowData::Owned(rows) => rows.len() * 128,
        }
    }
}

/// A transaction of the source, filtered and routed.
#[derive(Clone, Debug)]
pub struct Txn {
    /// Its number in the lane; see [`super::StreamMark`].
    pub ordinal: u64,
    /// Its GTID, when it has one.
    pub gtid: Option<Gtid>,
    /// Where its first event begins, for messages; `None` when that is not known.
    pub start: Option<BinlogPos>,
    /// The position behind it: where reading goes on once it and all before it are applied.
    pub end: Position,
    /// When it was committed at the source, in seconds since the epoch; 0 when not known.
    pub at: u32,
    /// Its row changes, in order; empty when nothing of it is carried.
    pub blocks: Vec<RowBlock>,
    /// Number of row changes.
    pub rows: usize,
    /// Bytes held, for the memory budget.
    pub bytes: usize,
}

/// Whole transactions of one lane that go into one target transaction, in ordinal order.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The lane.
    pub lane: LaneId,
    /// The transactions.
    pub txns: Vec<Arc<Txn>>,
}
