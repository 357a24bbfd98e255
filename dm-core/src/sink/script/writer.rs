//! One worker's way into the script.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use super::journal::Line;
use super::text::{Table, push_block};
use super::{Shared, State};
use crate::error::{Error, Result, codes};
use crate::event::{Batch, ChunkMark, OrdinalSet, RowBlock, StreamMark};
use crate::sink::sqlite::gate::Turn;
use crate::sink::{ApplyStats, BlockStream, LoadStats, LoadTarget, RowCounts, Slot, Writer};

/// A writer of the script sink.
pub(super) struct ScriptWriter {
    shared: Arc<Shared>,
    slot: Slot,
    number: u64,
    /// Held while a transaction in parts is open.
    part: Option<Turn>,
    /// By version of their plan.
    tables: Tables,
    /// The text of the last batch: its room is used again.
    text: String,
}

type Tables = HashMap<u64, Table>;

/// Bytes of text whose room is kept from one batch to the next.
const ROOM: usize = 4 << 20;
/// Versions of tables that are kept; beyond that all are made anew.
const TABLES: usize = 1_000;

impl ScriptWriter {
    pub(super) fn new(shared: Arc<Shared>, slot: Slot, number: u64) -> Self {
        let text = String::new();
        Self { shared, slot, number, part: None, tables: Tables::new(), text }
    }

    fn turn(&self) -> Result<Turn> {
        let turn = self.shared.gate.enter(None)?;
        let key = (self.slot.task.clone(), self.slot.lane.clone(), self.slot.worker);
        if self.shared.state().holders.get(&key) == Some(&self.number) {
            return Ok(turn);
        }
        Err(Error::new(
            &codes::TARGET_FENCED,
            format!(
                "writer {} of {}: a newer writer has been opened",
                self.slot.worker, self.slot.lane
            ),
        ))
    }

    /// An empty text with so much room, that of the last batch unless that was a large one.
    fn room(&mut self, bytes: usize) -> String {
        let mut text = std::mem::take(&mut self.text);
        if text.capacity() > ROOM {
            text = String::new();
        }
        text.clear();
        text.reserve(bytes);
        text
    }

    fn free(&self) -> Result<()> {
        match self.part {
            None => Ok(()),
            Some(_) => Err(Error::new(
                &codes::DB_EXECUTE,
                "a transaction in parts is open and must be ended first",
            )),
        }
    }
}

/// Takes back an unfinished unit: whoever runs the script sees it rolled back.
fn take_back(state: &mut State) {
    if let Err(e) = state.write("ROLLBACK;\n").and_then(|()| state.end(&Line::Done)) {
        log::warn!("the script ends in an unfinished transaction: {e}");
    }
}

fn push_rows(
    state: &State,
    tables: &mut Tables,
    text: &mut String,
    block: &RowBlock,
    stats: &mut ApplyStats,
) -> Result<()> {
    use dm_filter::RowKind;
    let schema = state.journal.tracker.table(&block.plan.target);
    if tables.len() >= TABLES {
        tables.clear();
    }
    let table = tables.entry(block.plan.version).or_insert_with(|| Table::new(&block.plan, schema));
    if !table.is_of(schema) {
        *table = Table::new(&block.plan, schema);
    }
    let mut counts = RowCounts::default();
    let mut count = |kind| match kind {
        RowKind::Insert => counts.inserted += 1,
        RowKind::Update => counts.updated += 1,
        RowKind::Delete => counts.deleted += 1,
    };
    let raw = block.each_raw(&mut |op| {
        count(op.kind);
        table.push_raw(text, &op, block.mode)
    })?;
    if !raw {
        block.each(&mut |op| {
            count(op.kind());
            table.push(text, &op, block.mode)
        })?;
    }
    stats.did(&block.plan.target, counts);
    Ok(())
}

impl Writer for ScriptWriter {
    fn load(
        &mut self,
        target: &LoadTarget,
        rows: &mut dyn BlockStream,
        mark: &ChunkMark,
    ) -> Result<LoadStats> {
        self.free()?;
        let turn = self.turn()?;
        if self.is_loaded(mark)? {
            return Err(Error::new(
                &codes::TARGET_CHUNK_TWICE,
                format!(
                    "chunk {} of `{}`.`{}` is in the script",
                    mark.chunk, mark.schema, mark.table
                ),
            ));
        }
        self.shared.state().write(&format!(
            "-- chunk {} of {}, {}\nBEGIN;\n",
            mark.chunk,
            crate::sql::quote_table(&dm_filter::TableName::new(&*mark.schema, &*mark.table)),
            mark.lane
        ))?;
        let mut stats = LoadStats::default();
        let mut copy = || -> Result<()> {
            while let Some(block) = rows.next_block()? {
                let mut text = String::with_capacity(block.bytes() * 2);
                push_block(&mut text, target, &block);
                self.shared.state().write(&text)?;
                stats.rows += block.rows() as u64;
                stats.bytes += block.bytes() as u64;
                turn.progress();
            }
            Ok(())
        };
        let done = copy();
        let mut state = self.shared.state();
        let line = Line::chunk(&self.slot.task, mark, &target.table);
        match done.and_then(|()| state.write("COMMIT;\n")).and_then(|()| state.end_durable(&line)) {
            Ok(()) => Ok(stats),
            Err(error) => {
                take_back(&mut state);
                Err(error)
            }
        }
    }

    fn apply(&mut self, batch: &Batch, mark: &StreamMark) -> Result<ApplyStats> {
        self.free()?;
        let _turn = self.turn()?;
        let mut text = self.room(batch.txns.iter().map(|t| 2 * t.bytes).sum());
        let mut state = self.shared.state();
        let mut stats = ApplyStats::default();
        let lane = batch.lane.to_string();
        for txn in &batch.txns {
            // Writing to a text does not fail.
            let _ = writeln!(text, "-- transaction {} of {}: {}", txn.ordinal, lane, txn.end);
            if txn.blocks.is_empty() {
                continue;
            }
            text.push_str("BEGIN;\n");
            for block in &txn.blocks {
                push_rows(&state, &mut self.tables, &mut text, block, &mut stats)?;
            }
            text.push_str("COMMIT;\n");
        }
        state.write(&text)?;
        state.end(&Line::stream(&self.slot.task, mark))?;
        drop(state);
        self.text = text;
        Ok(stats)
    }

    fn apply_part(&mut self, blocks: &[RowBlock]) -> Result<ApplyStats> {
        let (turn, head) = match self.part.take() {
            Some(turn) => (turn, ""),
            None => (self.turn()?, "-- a large transaction\nBEGIN;\n"),
        };
        let mut text = self.room(0);
        text.push_str(head);
        let mut state = self.shared.state();
        let mut stats = ApplyStats::default();
        let mut write = || -> Result<()> {
            for block in blocks {
                push_rows(&state, &mut self.tables, &mut text, block, &mut stats)?;
            }
            state.write(&text)
        };
        match write() {
            Ok(()) => {
                drop(state);
                turn.progress();
                self.text = text;
                self.part = Some(turn);
                Ok(stats)
            }
            Err(error) => {
                take_back(&mut state);
                Err(error)
            }
        }
    }

    fn commit_part(&mut self, mark: &StreamMark) -> Result<()> {
        let line = Line::stream(&self.slot.task, mark);
        let (_turn, tail) = match self.part.take() {
            Some(turn) => (turn, "COMMIT;\n"),
            None => (self.turn()?, ""),
        };
        let mut state = self.shared.state();
        state.write(tail)?;
        state.end(&line)
    }

    fn rollback(&mut self) -> Result<()> {
        if let Some(_turn) = self.part.take() {
            take_back(&mut self.shared.state());
        }
        Ok(())
    }

    fn applied(&mut self) -> Result<OrdinalSet> {
        let slot = &self.slot;
        let state = self.shared.state();
        Ok(state.journal.applied(&slot.task, &slot.lane, slot.epoch, slot.worker))
    }

    fn is_loaded(&mut self, mark: &ChunkMark) -> Result<bool> {
        Ok(self.shared.state().journal.chunks(&self.slot.task, &mark.lane).contains(mark))
    }

    fn connection_id(&self) -> u64 {
        0
    }
}

impl Drop for ScriptWriter {
    fn drop(&mut self) {
        if let Some(_turn) = self.part.take() {
            take_back(&mut self.shared.state());
        }
    }
}
