//! The threads of a copy: they plan tables, copy chunks, and note in the state file what is done.
//!
//! A chunk that is done and not noted is known by its mark: notes may be gathered, and many are one
//! commit.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex};

use super::copy::{COPY_EPOCH, Copy, Table, panicked};
use super::copy_moved::ReadEnds;
use super::copy_work::{Queue, Shared, Work, lock};
use crate::error::Result;
use crate::schema::Chunk;
use crate::sink::{Slot, Writer};
use crate::source::{ChunkReader, Snapshot};
use crate::state::ChunkDone;
use crate::whose::carried;

/// So many small tables are planned together.
const PLANNED_AT_ONCE: usize = 32;
/// A table of more rows or bytes is planned by itself.
const SMALL_TABLE: (u64, u64) = (1_000, 1 << 20);
/// A chunk is meant to hold no more rows than this, so that a crash costs little and all readers
/// have work.
const CHUNK_ROWS_MAX: u64 = 100_000;
/// Of rows that are larger than this on average a chunk holds fewer.
const LARGE_ROW: u64 = 32 << 10;
/// A connection that has sent more at once keeps as much memory for its life: it is given up.
const LARGE_STATEMENT: u64 = 3 << 20;
/// Chunks noted in one commit of the state file.
const NOTE_AT_ONCE: usize = 64;

impl Copy {
    pub(super) fn work(&self, snapshot: &dyn Snapshot, tables: &[Table]) -> Result {
        let plans = together(tables);
        let shared = Shared {
            queue: Mutex::new(Queue {
                open: plans.len(),
                work: plans.into_iter().map(Work::Plan).collect(),
                failure: None,
            }),
            changed: Condvar::new(),
            notes: Mutex::new(Vec::new()),
            ends: (snapshot.is_live() && self.followed).then(ReadEnds::new),
        };
        std::thread::scope(|scope| {
            for worker in 0..self.settings.threads.max(1) {
                let (shared, worker) = (&shared, worker as u32);
                scope.spawn(carried(move || {
                    let work = AssertUnwindSafe(|| self.worker(worker, snapshot, tables, shared));
                    match catch_unwind(work) {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => shared.fail(error),
                        Err(_) => shared.fail(panicked()),
                    }
                }));
            }
        });
        self.note(&shared, true)?;
        match lock(&shared.queue).failure.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn worker(
        &self,
        number: u32,
        snapshot: &dyn Snapshot,
        tables: &[Table],
        shared: &Shared,
    ) -> Result {
        let slot = Slot {
            task: self.task.clone(),
            lane: self.lane.clone(),
            worker: number,
            epoch: COPY_EPOCH,
        };
        let mut writer: Option<Box<dyn Writer>> = None;
        let mut reader: Option<Box<dyn ChunkReader>> = None;
        while let Some(work) = shared.take(&self.stop)? {
            match work {
                Work::Plan(range) => {
                    let plans = self.plan(snapshot, tables, range)?;
                    let chunks = |(at, chunks): (usize, Vec<Chunk>)| {
                        chunks.into_iter().map(move |c| Work::Chunk(at, c))
                    };
                    shared.add(plans.into_iter().flat_map(chunks).collect());
                }
                Work::Chunk(at, chunk) => {
                    let Some(table) = tables.get(at) else { continue };
                    if reader.is_none() {
                        reader = Some(snapshot.reader()?);
                    }
                    let Some(reader) = reader.as_deref_mut() else { continue };
                    let stats = match self.chunk(&slot, &mut writer, reader, table, &chunk) {
                        Err(error) if error.is_too_large() => {
                            let pieces = self.cut(snapshot, table, &chunk, error)?;
                            shared.add(pieces.into_iter().map(|c| Work::Chunk(at, c)).collect());
                            shared.close_one();
                            continue;
                        }
                        other => other?,
                    };
                    if stats.largest > LARGE_STATEMENT {
                        writer = None;
                    }
                    self.stats.chunk(stats.rows, stats.bytes, stats.duplicates);
                    lock(&shared.notes).push(ChunkDone {
                        table: table.copy.info.name.clone(),
                        generation: table.generation,
                        chunk: chunk.id,
                        rows: stats.rows,
                        bytes: stats.bytes,
                    });
                    self.note(shared, false)?;
                }
            }
            shared.close_one();
        }
        Ok(())
    }

    /// The chunks of some tables that are still to be copied.
    fn plan(
        &self,
        snapshot: &dyn Snapshot,
        tables: &[Table],
        range: Range<usize>,
    ) -> Result<Vec<(usize, Vec<Chunk>)>> {
        let mut open = Vec::with_capacity(range.len());
        let mut planned = Vec::new();
        for (at, table) in tables.iter().enumerate().take(range.end).skip(range.start) {
            self.check_stop()?;
            let name = &table.copy.info.name;
            if table.mixed {
                let chunks = self.state.reader().chunks(&self.lane, name)?;
                open.push((at, chunks.into_iter().filter(|c| !c.done).map(|c| c.chunk).collect()));
                continue;
            }
            let row_bytes = (table.copy.bytes / table.copy.rows.max(1)).max(1);
            let least = if row_bytes > LARGE_ROW { 8 } else { 1_000 };
            let rows = self
                .settings
                .chunk_rows
                .min(CHUNK_ROWS_MAX)
                .min((self.settings.chunk_bytes / row_bytes).max(least));
            let chunks = snapshot.plan(name, rows)?;
            planned.push((name.clone(), chunks.clone()));
            open.push((at, chunks));
        }
        if !planned.is_empty() {
            self.state.plan_chunks(&self.lane, &planned)?;
        }
        Ok(open)
    }

    /// Notes finished chunks in the state file, many in one commit.
    fn note(&self, shared: &Shared, all: bool) -> Result {
        let mut read = Vec::new();
        let notes = {
            let mut notes = lock(&shared.notes);
            if !all && notes.len() < NOTE_AT_ONCE && !notes.iter().any(|n| n.rows > 1_000) {
                return Ok(());
            }
            std::mem::take(&mut *notes)
        };
        if !notes.is_empty() {
            let finished = self.state.chunks_done(&self.lane, &notes)?;
            self.stats.tables_done(finished.len());
            read.extend(
                notes
                    .into_iter()
                    .filter(|n| finished.contains(&n.table))
                    .map(|n| (n.table, n.generation)),
            );
        }
        if let Some(ends) = &shared.ends
            && let Err(error) = self.note_read(ends, read, all)
        {
            // Such tables count as read at the end.
            log::debug!("when tables had been read is not known: {error}");
        }
        Ok(())
    }
}

/// Which tables are planned together. They come largest first.
fn together(tables: &[Table]) -> Vec<Range<usize>> {
    let (rows, bytes) = SMALL_TABLE;
    let small = |table: &Table| table.copy.rows <= rows && table.copy.bytes <= bytes;
    let mut plans: Vec<Range<usize>> = Vec::new();
    let mut joins = false;
    for (at, table) in tables.iter().enumerate() {
        match plans.last_mut() {
            Some(last) if joins && small(table) && last.len() < PLANNED_AT_ONCE => {
                last.end = at + 1
            }
            _ => plans.push(at..at + 1),
        }
        joins = small(table);
    }
    plans
}
