//! What flows through a migration: names with their source, blocks of copied rows, transactions
//! of the stream, and the marks that say at the target what has arrived.
//!
//! Rows and positions travel in one value, so that they cannot drift apart: a [`Txn`] knows where
//! it stood, a mark names exactly the transactions that its target transaction contains.

mod block;
mod exact;
mod mark;
mod raw;
mod rows;

use std::fmt;
use std::sync::Arc;

use dm_filter::TableName;
use serde::{Deserialize, Serialize};

pub use block::{CellKind, CellRef, CopyBlock, CopyColumn};
pub(crate) use exact::{exact, is_passed};
pub use mark::{ChunkMark, OrdinalSet, Part, StreamMark};
pub use raw::{RawCell, RawOp, RawRow};
pub use rows::{ApplyMode, Batch, EncodedRows, RowBlock, RowData, TablePlan, Txn};

/// The name of a source, from `source-id` of its file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SourceId(Arc<str>);

impl SourceId {
    /// A source of this name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One table of one source: the identity of a shard.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceTable {
    /// The source.
    pub source: SourceId,
    /// The table, as named there.
    pub table: TableName,
}

impl fmt::Display for SourceTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.source, self.table)
    }
}

/// A unit of reading with its own order, checkpoint and marks.
///
/// The main stream of a source is the lane `main`; the full copy is `copy`; a table that is
/// copied again or added later gets a lane of its own, which ends by joining the main one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LaneId {
    /// The source that is read.
    pub source: SourceId,
    /// Name of the lane within its source.
    pub name: Arc<str>,
}

impl LaneId {
    /// The lane of a source's binlog stream.
    pub fn main(source: &SourceId) -> Self {
        Self { source: source.clone(), name: "main".into() }
    }

    /// The lane of a source's full copy.
    pub fn copy(source: &SourceId) -> Self {
        Self { source: source.clone(), name: "copy".into() }
    }
}

impl fmt::Display for LaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.source, self.name)
    }
}
