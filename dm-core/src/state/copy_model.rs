//! What is stored of a full copy.

use std::sync::Arc;

use dm_filter::TableName;

use crate::position::Position;
use crate::schema::{Chunk, SchemaCopy, TableCopy};

/// What is known when a copy begins.
#[derive(Clone, Copy, Debug)]
pub struct CopyBegin<'a> {
    /// Where the stream starts after the copy.
    pub position: &'a Position,
    /// Rows hold changes up to here and none beyond; `None` when this is known at the end only.
    pub contained_upto: Option<&'a Position>,
    /// How position and rows were tied together, for status.
    pub means: &'a str,
    /// The schemas of the tables.
    pub schemas: &'a [SchemaCopy],
    /// The tables, in the order to copy them.
    pub tables: &'a [TableCopy],
}

/// A copy as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct CopyState {
    /// Where the stream starts after the copy.
    pub position: Position,
    /// Rows hold changes up to here and none beyond, once that is known.
    pub contained_upto: Option<Position>,
    /// How position and rows were tied together.
    pub means: String,
    /// When it began, seconds since the epoch.
    pub started: i64,
    /// When it was finished.
    pub finished: Option<i64>,
    /// The schemas of the tables.
    pub schemas: Vec<SchemaCopy>,
    /// The tables, in the order to copy them.
    pub tables: Vec<CopyTable>,
}

/// A table of a copy as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct CopyTable {
    /// Name, structure and estimates.
    pub copy: TableCopy,
    /// How often it was started; 1 for the first time.
    pub generation: u32,
    /// All its rows contain every change before this position.
    pub position: Position,
    /// None of its rows contains a change beyond this position, once that is known.
    pub contained_upto: Option<Position>,
    /// Its chunks are planned.
    pub planned: bool,
    /// Number of its chunks.
    pub chunks: u64,
    /// Number of its chunks that are at the target.
    pub chunks_done: u64,
    /// Rows at the target.
    pub rows_done: u64,
    /// Bytes of cell data at the target.
    pub bytes_done: u64,
}

impl CopyTable {
    /// True when all of the table is at the target.
    pub fn is_finished(&self) -> bool {
        self.planned && self.chunks == self.chunks_done
    }
}

/// The tables of a copy together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CopyTotals {
    /// How many there are.
    pub tables: u64,
    /// How many of them are at the target.
    pub tables_done: u64,
    /// Estimated rows.
    pub rows: u64,
    /// Estimated bytes.
    pub bytes: u64,
    /// Rows at the target.
    pub rows_done: u64,
    /// Bytes of cell data at the target.
    pub bytes_done: u64,
}

/// A planned chunk and whether it is at the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkState {
    /// The chunk.
    pub chunk: Chunk,
    /// It is at the target.
    pub done: bool,
}

/// A chunk that has arrived at the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkDone {
    /// Its table, as named at the source.
    pub table: TableName,
    /// The generation of the table that it belongs to.
    pub generation: u32,
    /// Its number.
    pub chunk: u32,
    /// Rows written.
    pub rows: u64,
    /// Bytes of cell data.
    pub bytes: u64,
}

/// What the copied rows of a table already contain, so that the stream does not apply it twice:
/// with `from` = `upto` the rows are of one instant and events up to it are dropped; otherwise
/// the events between are applied idempotently.
#[derive(Clone, Debug, PartialEq)]
pub struct Contained {
    /// The table, as named at the source.
    pub table: TableName,
    /// Every change before this position is in the rows.
    pub from: Arc<Position>,
    /// No change beyond this position is.
    pub upto: Arc<Position>,
}
