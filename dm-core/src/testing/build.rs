//! Makes the values that flow through a migration, in few words.

use std::collections::VecDeque;
use std::sync::Arc;

use dm_filter::{Columns, Row, RowOp, TableName, Value};

use crate::error::Result;
use crate::event::{
    ApplyMode, Batch, CellKind, ChunkMark, CopyBlock, CopyColumn, LaneId, OrdinalSet, RowBlock,
    RowData, SourceId, SourceTable, StreamMark, TablePlan, Txn,
};
use crate::position::Position;
use crate::sink::BlockStream;

/// A plan that carries all columns of a table, in order, to a table of the same or another name.
pub fn plan(
    source: &SourceId,
    table: &TableName,
    target: &TableName,
    columns: &[&str],
) -> Arc<TablePlan> {
    Arc::new(TablePlan {
        source: SourceTable { source: source.clone(), table: table.clone() },
        target: target.clone(),
        columns: Columns::named(columns.iter().copied()),
        pick: None,
        extra: Vec::new(),
        version: 1,
    })
}

/// An INSERT.
pub fn insert(values: impl IntoIterator<Item = Value<'static>>) -> RowOp<'static> {
    RowOp::Insert { after: Row::full(values) }
}

/// An UPDATE.
pub fn update(
    before: impl IntoIterator<Item = Value<'static>>,
    after: impl IntoIterator<Item = Value<'static>>,
) -> RowOp<'static> {
    RowOp::Update { before: Row::full(before), after: Row::full(after) }
}

/// A DELETE.
pub fn delete(values: impl IntoIterator<Item = Value<'static>>) -> RowOp<'static> {
    RowOp::Delete { before: Row::full(values) }
}

/// Decoded changes of one table.
pub fn block(plan: &Arc<TablePlan>, mode: ApplyMode, ops: Vec<RowOp<'static>>) -> RowBlock {
    RowBlock {
        plan: Arc::clone(plan),
        data: RowData::Owned(ops.into()),
        mode,
        no_foreign_key_checks: false,
    }
}

/// A transaction of this number.
pub fn txn(ordinal: u64, blocks: Vec<RowBlock>) -> Arc<Txn> {
    let rows = blocks.iter().map(|b| match &b.data {
        RowData::Owned(rows) => rows.len(),
        RowData::Encoded(_) => 0,
    });
    Arc::new(Txn {
        gtid: None,
        ordinal,
        start: None,
        end: Position::default(),
        at: 0,
        rows: rows.sum(),
        bytes: blocks.iter().map(RowBlock::bytes).sum(),
        blocks,
    })
}

/// Transactions for one target transaction.
pub fn batch(lane: &LaneId, txns: Vec<Arc<Txn>>) -> Batch {
    Batch { lane: lane.clone(), txns }
}

/// A stream mark; the position behind `low` is the text `at LOW`.
pub fn mark(lane: &LaneId, epoch: u64, worker: u32, low: u64, applied: &[u64]) -> StreamMark {
    let mut set = OrdinalSet::new();
    applied.iter().for_each(|&ordinal| set.insert(ordinal));
    StreamMark {
        lane: lane.clone(),
        epoch,
        worker,
        low,
        low_position: format!("at {low}"),
        applied: set,
    }
}

/// The mark of a chunk of a table's first generation.
pub fn chunk_mark(lane: &LaneId, table: &TableName, chunk: u32) -> ChunkMark {
    ChunkMark {
        lane: lane.clone(),
        schema: table.schema.clone(),
        table: table.table.clone(),
        generation: 1,
        chunk,
    }
}

/// A copied block: columns with their kinds, then rows of texts, `None` for NULL.
pub fn copied(columns: &[(&str, CellKind)], rows: &[&[Option<&str>]]) -> CopyBlock {
    let columns = columns
        .iter()
        .map(|(name, kind)| CopyColumn { name: (*name).to_owned(), kind: kind.clone() });
    let mut block = CopyBlock::new(columns.collect());
    for cell in rows.iter().copied().flatten() {
        match cell {
            Some(text) => block.push_value(text.as_bytes()),
            None => block.push_null(),
        }
    }
    block
}

/// Hands out blocks, or an error at the end.
#[derive(Debug, Default)]
pub struct Blocks {
    blocks: VecDeque<CopyBlock>,
    error: Option<crate::Error>,
}

impl Blocks {
    /// A stream of these blocks.
    pub fn new(blocks: impl IntoIterator<Item = CopyBlock>) -> Self {
        Self { blocks: blocks.into_iter().collect(), error: None }
    }

    /// The same stream, failing where it would end.
    #[must_use]
    pub fn then_fail(mut self, error: crate::Error) -> Self {
        self.error = Some(error);
        self
    }
}

impl BlockStream for Blocks {
    fn next_block(&mut self) -> Result<Option<CopyBlock>> {
        match (self.blocks.pop_front(), self.error.take()) {
            (Some(block), error) => {
                self.error = error;
                Ok(Some(block))
            }
            (None, Some(error)) => Err(error),
            (None, None) => Ok(None),
        }
    }
}
