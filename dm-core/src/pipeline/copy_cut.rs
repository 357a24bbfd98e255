//! Chunks that are larger than the target takes in one transaction are cut into smaller ones.
//!
//! Nothing of such a chunk is at the target, and no mark of it ever will be: its place in the plan
//! is taken by the pieces, under numbers that no chunk of the table has had, before the first of
//! them is written. What is killed before that meets the whole chunk again.

use super::copy::{Copy, Table};
use crate::error::{Error, Result};
use crate::schema::Chunk;
use crate::source::Snapshot;

/// Pieces of one cut. A piece that is still too large is cut again.
const PIECES: u32 = 4;

impl Copy {
    /// The pieces of a chunk that the target refused with `error`, which is given back when it
    /// cannot be cut: a table without a key, a file of a dump, a single row.
    pub(super) fn cut(
        &self,
        snapshot: &dyn Snapshot,
        table: &Table,
        chunk: &Chunk,
        error: Error,
    ) -> Result<Vec<Chunk>> {
        let name = &table.copy.info.name;
        let pieces = snapshot.cut(name, chunk, PIECES)?;
        if pieces.len() < 2 {
            return Err(error);
        }
        log::warn!("a chunk of {name} is cut in {} after: {error}", pieces.len());
        self.state.replace_chunk(&self.lane, name, chunk.id, &pieces)
    }
}
