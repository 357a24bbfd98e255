//! A writer of the memory sink: one transaction at a time.

use std::sync::Arc;

use super::apply::{self, Journal, Tables, table_mut};
use super::{MarkKey, Shared};
use crate::error::{Error, Result, Scope, codes};
use crate::event::{Batch, ChunkMark, OrdinalSet, RowBlock, StreamMark};
use crate::sink::{ApplyStats, BlockStream, LoadStats, LoadTarget, Slot, Writer};

/// A transaction that comes in parts: its blocks so far, and the tables as it sees them.
///
/// Others see nothing of it before it commits, when its blocks are applied once more, to the
/// tables as they are then.
#[derive(Debug, Default)]
struct Part {
    blocks: Vec<RowBlock>,
    view: Tables,
}

pub(super) struct MemoryWriter {
    pub shared: Arc<Shared>,
    pub id: u64,
    pub slot: Slot,
    part: Option<Part>,
}

impl MemoryWriter {
    pub fn new(shared: Arc<Shared>, id: u64, slot: Slot) -> Self {
        Self { shared, id, slot, part: None }
    }

    fn gone(&self) -> Error {
        Error::new(&codes::DB_DRIVER, format!("writer {} of {} was ended", self.id, self.slot.lane))
            .scope(Scope::Downstream)
            .transient()
    }

    fn key(&self, mark: &StreamMark) -> MarkKey {
        (self.slot.task.clone(), mark.lane.clone(), mark.epoch, mark.worker)
    }

    /// Applies blocks and the mark as one transaction.
    fn commit<'a>(
        &self,
        blocks: impl Iterator<Item = &'a RowBlock>,
        mark: &StreamMark,
    ) -> Result<ApplyStats> {
        let mut state = self.shared.lock();
        if !state.writers.contains_key(&self.id) {
            return Err(self.gone());
        }
        let mut journal = Journal::default();
        let mut stats = ApplyStats::default();
        let tables = &mut state.catalog.tables;
        for block in blocks {
            if let Err(error) = apply::apply(tables, block, &mut journal, &mut stats) {
                journal.roll_back(tables);
                return Err(error);
            }
        }
        if !self.shared.unmarked() {
            state.stream_marks.insert(self.key(mark), mark.clone());
        }
        Ok(stats)
    }

    fn no_part(&self) -> Result<()> {
        if self.part.is_none() {
            return Ok(());
        }
        let text = "a transaction that comes in parts is still open";
        Err(Error::new(&codes::DB_EXECUTE, text).scope(Scope::Downstream))
    }
}

impl Writer for MemoryWriter {
    fn load(
        &mut self,
        target: &LoadTarget,
        rows: &mut dyn BlockStream,
        mark: &ChunkMark,
    ) -> Result<LoadStats> {
        self.no_part()?;
        let schema =
            Arc::clone(&table_mut(&mut self.shared.lock().catalog.tables, &target.table)?.schema);
        // Reading may take as long as it likes: nobody else waits for it.
        let mut images = Vec::new();
        let mut bytes = 0;
        while let Some(block) = rows.next_block()? {
            images.extend(apply::images(&schema, &block, &target.extra)?);
            bytes += block.bytes() as u64;
        }
        let mut state = self.shared.lock();
        let state = &mut *state;
        if !state.writers.contains_key(&self.id) {
            return Err(self.gone());
        }
        let table = table_mut(&mut state.catalog.tables, &target.table)?;
        if !Arc::ptr_eq(&table.schema, &schema) {
            let text = "Table definition has changed, please retry transaction";
            return Err(super::table::refused(1412, text));
        }
        let key = (self.slot.task.clone(), mark.clone());
        if state.chunk_marks.contains_key(&key) {
            let text =
                format!("chunk {} of {}.{} is there already", mark.chunk, mark.schema, mark.table);
            return Err(super::table::refused(1062, text));
        }
        table.sources.insert(mark.lane.source.clone());
        let mut journal = Journal::default();
        match apply::load(&mut state.catalog.tables, target, images, &mut journal) {
            Ok(stats) => {
                if !self.shared.unmarked() {
                    state.chunk_marks.insert(key, target.table.clone());
                }
                Ok(LoadStats { bytes, ..stats })
            }
            Err(error) => {
                journal.roll_back(&mut state.catalog.tables);
                Err(error)
            }
        }
    }

    fn apply(&mut self, batch: &Batch, mark: &StreamMark) -> Result<ApplyStats> {
        self.no_part()?;
        self.commit(batch.txns.iter().flat_map(|txn| &txn.blocks), mark)
    }

    fn apply_part(&mut self, blocks: &[RowBlock]) -> Result<ApplyStats> {
        // An error drops the part.
        let mut part = self.part.take().unwrap_or_default();
        let mut stats = ApplyStats::default();
        let mut journal = Journal::default();
        {
            let mut state = self.shared.lock();
            if !state.writers.contains_key(&self.id) {
                return Err(self.gone());
            }
            for block in blocks {
                let target = &block.plan.target;
                if !part.view.contains_key(target) {
                    let table = table_mut(&mut state.catalog.tables, target)?.clone();
                    part.view.insert(target.clone(), table);
                }
            }
        }
        for block in blocks {
            apply::apply(&mut part.view, block, &mut journal, &mut stats)?;
        }
        part.blocks.extend_from_slice(blocks);
        self.part = Some(part);
        Ok(stats)
    }

    fn commit_part(&mut self, mark: &StreamMark) -> Result<()> {
        let part = self.part.take().unwrap_or_default();
        self.commit(part.blocks.iter(), mark).map(|_| ())
    }

    fn rollback(&mut self) -> Result<()> {
        self.part = None;
        Ok(())
    }

    fn applied(&mut self) -> Result<OrdinalSet> {
        let state = self.shared.lock();
        let slot = &self.slot;
        let key = (slot.task.clone(), slot.lane.clone(), slot.epoch, slot.worker);
        Ok(state.stream_marks.get(&key).map(|mark| mark.applied.clone()).unwrap_or_default())
    }

    fn is_loaded(&mut self, mark: &ChunkMark) -> Result<bool> {
        let key = (self.slot.task.clone(), mark.clone());
        Ok(self.shared.lock().chunk_marks.contains_key(&key))
    }

    fn connection_id(&self) -> u64 {
        self.id
    }
}

impl Drop for MemoryWriter {
    fn drop(&mut self) {
        self.shared.lock().writers.remove(&self.id);
    }
}
