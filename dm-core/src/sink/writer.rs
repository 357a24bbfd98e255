//! What one worker writes with: the [`Writer`] trait, and where the chunks of a copy go.

use dm_filter::TableName;

use super::{ApplyStats, LoadStats};
use crate::error::Result;
use crate::event::{Batch, ChunkMark, CopyBlock, OrdinalSet, RowBlock, StreamMark};

/// What to do with a copied row whose key is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDuplicate {
    /// Stop: two sources disagree, or the table was not empty.
    #[default]
    Error,
    /// The copied row wins.
    Replace,
    /// The row that is there wins.
    Ignore,
}

/// Where a chunk of the copy goes.
#[derive(Clone, Debug)]
pub struct LoadTarget {
    /// Target table.
    pub table: TableName,
    /// Columns that the route adds, with their values.
    pub extra: Vec<(String, String)>,
    /// What to do with duplicates.
    pub on_duplicate: OnDuplicate,
}

/// Hands out the blocks of one chunk, in order; `None` at the end.
pub trait BlockStream {
    /// The next block.
    ///
    /// # Errors
    ///
    /// What reading fails with; the chunk is then rolled back.
    fn next_block(&mut self) -> Result<Option<CopyBlock>>;
}

/// Writes for one worker; one connection, one target transaction at a time.
pub trait Writer: Send {
    /// Writes the rows of a chunk and its mark in one target transaction.
    ///
    /// # Errors
    ///
    /// Nothing of the chunk is in the target, or (transient errors) the outcome is unknown.
    fn load(
        &mut self,
        target: &LoadTarget,
        rows: &mut dyn BlockStream,
        mark: &ChunkMark,
    ) -> Result<LoadStats>;

    /// Applies a batch and its mark in one target transaction.
    ///
    /// # Errors
    ///
    /// Nothing of the batch is in the target, or (transient errors) the outcome is unknown.
    fn apply(&mut self, batch: &Batch, mark: &StreamMark) -> Result<ApplyStats>;

    /// Applies batches one after the other, each with its mark in a target transaction of its own. A sink
    /// that is far away sends them together. `done` is called for each of them, in order, when it is known to
    /// be in the target, with what it did.
    ///
    /// # Errors
    ///
    /// That of the first batch that could not be applied. Those in front of it may be in the target
    /// (their marks tell, also of such that `done` was not called for), those behind it are not.
    fn apply_each(
        &mut self,
        batches: &[(Batch, StreamMark)],
        done: &mut dyn FnMut(ApplyStats),
    ) -> Result<()> {
        one_by_one(self, batches, done)
    }

    /// Applies a part of a transaction that is too large to be held; the target transaction stays
    /// open until [`Writer::commit_part`].
    ///
    /// # Errors
    ///
    /// The target transaction is rolled back; the source transaction must be read again from its
    /// start.
    fn apply_part(&mut self, blocks: &[RowBlock]) -> Result<ApplyStats>;

    /// Ends a transaction that was applied in parts, with its mark.
    ///
    /// # Errors
    ///
    /// As [`Writer::apply`].
    fn commit_part(&mut self, mark: &StreamMark) -> Result<()>;

    /// Drops an unfinished part.
    ///
    /// # Errors
    ///
    /// When the connection is broken; the target then rolls back by itself.
    fn rollback(&mut self) -> Result<()>;

    /// What the slot's mark of this epoch says: everything that this slot has committed beyond
    /// the mark's `low`. Asked of a fresh writer after its predecessor's outcome was unknown.
    ///
    /// # Errors
    ///
    /// When the target cannot be asked.
    fn applied(&mut self) -> Result<OrdinalSet>;

    /// True when the chunk's mark is in the target.
    ///
    /// # Errors
    ///
    /// When the target cannot be asked.
    fn is_loaded(&mut self, mark: &ChunkMark) -> Result<bool>;

    /// The target's id of the connection, for KILL; 0 when there is none.
    fn connection_id(&self) -> u64;
}

/// What [`Writer::apply_each`] does where nothing is gained by doing it at once.
pub(crate) fn one_by_one<W: Writer + ?Sized>(
    writer: &mut W,
    batches: &[(Batch, StreamMark)],
    done: &mut dyn FnMut(ApplyStats),
) -> Result<()> {
    batches.iter().try_for_each(|(batch, mark)| writer.apply(batch, mark).map(&mut *done))
}
