//! The full copy of one source.
//!
//! Guarantee: when the copy is finished, every row of the source is at the target exactly once as
//! of a known position per table, whatever died in between; finished chunks are never read again.
//! Obstacle: a snapshot dies with its connections, so what remains after a crash is read at a
//! later moment than what was done. Method: every table keeps the position that all its rows
//! contain and the one that none exceeds. The stream drops the table's changes up to the first
//! and applies those up to the second idempotently. A table without a key is one chunk of one
//! snapshot, so that its window is empty. A chunk's mark commits with its rows: a restart asks the
//! target which chunks it has before it reads the others.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use crossbeam_channel::bounded;
use dm_filter::TableName;

use super::copy_moved::ReadEnds;
use super::copy_stats::CopyStats;
use super::copy_work::{Blocks, Queue, Shared, Work, lock, stopped};
use super::create::Creator;
use super::prepared;
use super::rate::Rate;
use super::unmarked::{self, WITHOUT_MARKS};
use crate::error::{Error, Result, codes};
use crate::event::{ChunkMark, CopyBlock, LaneId};
use crate::position::Position;
use crate::schema::{Chunk, TableCopy};
use crate::sink::{LoadStats, LoadTarget, OnDuplicate, Sink, Slot, Writer};
use crate::source::{ChunkReader, Snapshot, Source};
use crate::state::{ChunkDone, CopyBegin, CopyState, CopyTable, StateStore};
use crate::whose::carried;

/// So many small tables are planned together.
const PLANNED_AT_ONCE: usize = 32;
/// A table of more rows or bytes is planned by itself.
const SMALL_TABLE: (u64, u64) = (1_000, 1 << 20);
/// Attempts to write one chunk before the copy is given up (and resumed from outside).
pub(super) const ATTEMPTS: u32 = 5;
/// How often a copy goes on with a new snapshot because tables were changed meanwhile.
const ROUNDS: u32 = 50;
/// A chunk is meant to hold no more rows than this, so that a crash costs little and all readers
/// have work.
const CHUNK_ROWS_MAX: u64 = 100_000;
/// Chunks have marks of their own: all runs of a copy write under one epoch.
const COPY_EPOCH: u64 = 0;
/// Of rows that are larger than this on average a chunk holds fewer.
const LARGE_ROW: u64 = 32 << 10;
/// A connection that has sent more at once keeps as much memory for its life: it is given up.
const LARGE_STATEMENT: u64 = 3 << 20;
/// Chunks noted in one commit of the state file.
const NOTE_AT_ONCE: usize = 64;

/// The note of a copy that says where the stream has to start, when not at its snapshot.
pub(crate) const START: &str = "start";

/// The note of a copy that says that its snapshots are those of a server in use.
const LIVE: &str = "live";

/// What the copy of one source works with.
pub(crate) struct Copy {
    pub task: String,
    pub lane: LaneId,
    pub source: Arc<dyn Source>,
    pub sink: Arc<dyn Sink>,
    pub state: Arc<StateStore>,
    pub creator: Creator,
    pub stats: Arc<CopyStats>,
    pub rate: Arc<Rate>,
    pub stop: Arc<AtomicBool>,
    /// The binlog is followed behind the copy.
    pub followed: bool,
    pub settings: CopySettings,
}

/// How the copy works.
#[derive(Clone, Debug)]
pub(crate) struct CopySettings {
    pub threads: usize,
    pub chunk_rows: u64,
    pub chunk_bytes: u64,
    pub block_bytes: usize,
    pub on_duplicate: OnDuplicate,
    /// `at-least-once: allow`: rows that no key names may be repeated, and merged ones.
    pub may_repeat: bool,
}

pub(super) struct Table {
    pub copy: TableCopy,
    pub generation: u32,
    pub target: LoadTarget,
    /// Done chunks were read from an earlier snapshot.
    mixed: bool,
}

impl Copy {
    /// Copies what is not copied yet. Returns the position to follow the binlog from.
    ///
    /// # Errors
    ///
    /// What source, target or state file fail with; calling again goes on.
    pub fn run(&self) -> Result<Position> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.round() {
                Ok(Some(position)) => return Ok(position),
                Ok(None) if attempt >= ROUNDS => {
                    return Err(Error::new(
                        &codes::SYNC_DDL_IN_COPY,
                        "tables or columns are renamed again and again while they are copied",
                    )
                    .transient());
                }
                Ok(None) => {}
                // A statement changed a table after the view was opened: what is left is read
                // from a new one, which finds out what was changed.
                Err(error) if is_changed(&error) && attempt < ROUNDS => {
                    log::info!("the copy goes on with a new snapshot after: {error}");
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// `None` when tables have to be copied anew.
    fn round(&self) -> Result<Option<Position>> {
        let reader = self.state.reader();
        let begun = reader.copy(&self.lane)?;
        if let Some(copy) = begun.as_ref().filter(|c| c.finished.is_some()) {
            return Ok(Some(copy.position.clone()));
        }
        if let Some(copy) = &begun {
            if !self.sink.guarantees().exactly_once && !self.was_unmarked()? {
                return Err(unmarked::marks_lost(&self.lane));
            }
            self.note_marked(copy)?;
        }
        let begun = reader.copy(&self.lane)?;
        let (position, contained) = match begun {
            Some(copy)
                if copy.tables.iter().all(CopyTable::is_finished) && !self.has_moved()? =>
            {
                let upto = copy.contained_upto.clone();
                (copy.position, upto.map_or_else(|| self.source.end_position(), Ok)?)
            }
            begun => {
                let done = self.copy_rest(begun)?;
                if self.has_moved()? {
                    return Ok(None);
                }
                done
            }
        };
        self.add_keys()?;
        self.state.finish_copy(&self.lane, &contained)?;
        // The state file knows all chunks now; their marks are not needed any more.
        self.sink.forget(&self.task, &self.lane, COPY_EPOCH + 1, true)?;
        Ok(Some(position))
    }

    /// True when names moved under a snapshot, so that tables have to be copied anew.
    fn has_moved(&self) -> Result<bool> {
        let reader = self.state.reader();
        if reader.note(&self.lane, LIVE)?.is_none() {
            return Ok(false);
        }
        let Some(copy) = reader.copy(&self.lane)? else { return Ok(false) };
        Ok(!self.moved(&copy, &self.source.end_position()?)?.is_empty())
    }

    fn copy_rest(&self, begun: Option<CopyState>) -> Result<(Position, Position)> {
        let creator = self.creator.clone();
        // When it goes on, too: which tables it is about depends on what happened since.
        let choose = move |t: &TableName| creator.wants(t);
        let before = match begun {
            None if self.followed => prepared::before(&*self.source, &self.stop)?,
            _ => None,
        };
        let snapshot = self.source.snapshot(&choose, &self.stop)?;
        if let Some(start) = before.map(|b| b.start(&*self.source)).transpose()?.flatten() {
            self.state.set_note(&self.lane, START, start.to_text().as_bytes())?;
        }
        let first = begun.as_ref().map_or(snapshot.position(), |copy| &copy.position);
        self.stats.snapshot(snapshot.means(), first);
        let tables = match &begun {
            None => self.begin(&*snapshot)?,
            Some(copy) => self.resume(copy, &*snapshot)?,
        };
        if snapshot.is_live() && self.followed {
            self.state.set_note(&self.lane, LIVE, b"")?;
        }
        self.create(&*snapshot, &tables)?;
        self.work(&*snapshot, &tables)?;
        let contained = match snapshot.contained_upto() {
            Some(upto) => upto.clone(),
            None => self.source.end_position()?,
        };
        let position = match begun {
            Some(copy) => copy.position,
            None => snapshot.position().clone(),
        };
        Ok((position, contained))
    }

    fn begin(&self, snapshot: &dyn Snapshot) -> Result<Vec<Table>> {
        let tables: Result<Vec<Table>> =
            snapshot.tables().iter().map(|t| self.table(t, 1, false)).collect();
        let tables = tables?;
        if !self.sink.guarantees().exactly_once {
            // Before anything is written.
            self.state.set_note(&self.lane, WITHOUT_MARKS, b"")?;
        }
        self.state.begin_copy(
            &self.lane,
            &CopyBegin {
                position: snapshot.position(),
                contained_upto: snapshot.contained_upto(),
                means: snapshot.means(),
                schemas: snapshot.schemas(),
                tables: snapshot.tables(),
            },
        )?;
        Ok(tables)
    }

    pub(super) fn table(&self, copy: &TableCopy, generation: u32, mixed: bool) -> Result<Table> {
        let mut target = self.creator.load_target(&copy.info.name, self.settings.on_duplicate)?;
        if mixed
            && target.on_duplicate == OnDuplicate::Error
            && !self.creator.is_merged(&copy.info.name)
        {
            // A row that moved between chunks since the first snapshot is there twice: the later
            // one wins here, and the stream's window settles the rest.
            target.on_duplicate = OnDuplicate::Replace;
        }
        self.prepare_repeats(copy, &mut target)?;
        Ok(Table { copy: copy.clone(), generation, target, mixed })
    }

    /// Without marks, a chunk that an earlier run has written is not known: what it left is replaced.
    fn prepare_repeats(&self, copy: &TableCopy, target: &mut LoadTarget) -> Result {
        if self.sink.guarantees().exactly_once && !self.was_unmarked()? {
            return Ok(());
        }
        if !self.sink.guarantees().exactly_once && !self.settings.may_repeat {
            unmarked::check(&*self.sink, &self.creator, &copy.info.name, &copy.info.schema)?;
        }
        if target.on_duplicate == OnDuplicate::Error && self.was_unmarked()? {
            target.on_duplicate = OnDuplicate::Replace;
        }
        Ok(())
    }

    /// True when this copy has written without marks.
    pub(super) fn was_unmarked(&self) -> Result<bool> {
        Ok(self.state.reader().note(&self.lane, WITHOUT_MARKS)?.is_some())
    }

    /// Notes the chunks that are at the target although the state file does not know it.
    fn note_marked(&self, copy: &CopyState) -> Result {
        // A chunk that an earlier process left under way may still be committed: first the fence.
        self.sink.recover(&self.task, &self.lane, &self.stop)?;
        let generations: HashMap<&TableName, u32> =
            copy.tables.iter().map(|t| (&t.copy.info.name, t.generation)).collect();
        let done: Vec<ChunkDone> = self
            .sink
            .loaded_chunks(&self.task, &self.lane)?
            .into_iter()
            .filter_map(|m| {
                let table = TableName::new(m.schema, m.table);
                (generations.get(&table) == Some(&m.generation)).then_some(ChunkDone {
                    table,
                    generation: m.generation,
                    chunk: m.chunk,
                    rows: 0,
                    bytes: 0,
                })
            })
            .collect();
        self.state.chunks_done(&self.lane, &done)?;
        Ok(())
    }

    pub(super) fn check_stop(&self) -> Result {
        if self.stop.load(Ordering::Relaxed) { Err(stopped()) } else { Ok(()) }
    }

    fn work(&self, snapshot: &dyn Snapshot, tables: &[Table]) -> Result {
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

    fn chunk(
        &self,
        slot: &Slot,
        writer: &mut Option<Box<dyn Writer>>,
        reader: &mut dyn ChunkReader,
        table: &Table,
        chunk: &Chunk,
    ) -> Result<LoadStats> {
        let mark = ChunkMark {
            lane: self.lane.clone(),
            schema: table.copy.info.name.schema.clone(),
            table: table.copy.info.name.table.clone(),
            generation: table.generation,
            chunk: chunk.id,
        };
        let mut attempt = 0;
        loop {
            self.check_stop()?;
            let w = match writer.take() {
                Some(w) => w,
                None => {
                    let mut w = self.sink.writer(slot, &self.stop)?;
                    if attempt > 0 && w.is_loaded(&mark)? {
                        *writer = Some(w);
                        return Ok(LoadStats::default());
                    }
                    w
                }
            };
            let w = writer.insert(w);
            let target = self.aim(table, attempt);
            let error = match self.transfer(w.as_mut(), reader, table, &target, chunk, &mark) {
                Ok(stats) => return Ok(stats),
                Err(Failure::Source(error)) => return Err(error),
                Err(Failure::Target(error)) => error,
            };
            attempt += 1;
            // A duplicate key may be our own mark, committed by a connection that outlived its
            // process.
            if error.server_error() == Some(1062) && w.is_loaded(&mark)? {
                return Ok(LoadStats::default());
            }
            if !error.is_transient() || attempt >= ATTEMPTS {
                return Err(error);
            }
            log::warn!("a chunk of {} is written again after: {error}", table.copy.info.name);
            *writer = None;
        }
    }

    /// Where a chunk goes: one that may be there already, of which no mark tells, replaces its like.
    fn aim<'t>(&self, table: &'t Table, attempt: u32) -> Cow<'t, LoadTarget> {
        let mut target = Cow::Borrowed(&table.target);
        let again = attempt > 0 && !self.sink.guarantees().exactly_once;
        if again && target.on_duplicate == OnDuplicate::Error {
            target.to_mut().on_duplicate = OnDuplicate::Replace;
        }
        target
    }

    /// Reads and writes a chunk at the same time.
    fn transfer(
        &self,
        writer: &mut dyn Writer,
        reader: &mut dyn ChunkReader,
        table: &Table,
        target: &LoadTarget,
        chunk: &Chunk,
        mark: &ChunkMark,
    ) -> Result<LoadStats, Failure> {
        let (blocks_in, blocks_out) = bounded::<CopyBlock>(0);
        let block_bytes = self.settings.block_bytes;
        std::thread::scope(|scope| {
            let reading = scope.spawn(carried(move || {
                reader.read(&table.copy, chunk, block_bytes, &mut |block| {
                    blocks_in.send(block).map_err(|_| hung_up())
                })
            }));
            let mut stream = Blocks {
                blocks: blocks_out,
                rate: &self.rate,
                stop: &self.stop,
                reading: Some(reading),
                source: None,
            };
            let load = || writer.load(target, &mut stream, mark);
            let written = self.stats.meters.load_txn.time(load);
            let source = stream.end();
            match (written, source) {
                (Ok(stats), None) => Ok(stats),
                (_, Some(error)) => Err(Failure::Source(error)),
                (Err(error), None) => Err(Failure::Target(error)),
            }
        })
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

enum Failure {
    Source(Error),
    Target(Error),
}

pub(super) fn panicked() -> Error {
    Error::new(&codes::SYNC_PANIC, "a thread of the copy panicked")
}

fn hung_up() -> Error {
    Error::new(&codes::STOPPED, "the writer of this chunk has ended")
}

/// True for errors of the source which say that a statement changed a table after the view was
/// opened: an unknown column, no such table, no such database, a changed definition.
fn is_changed(error: &Error) -> bool {
    error.error_scope() == crate::error::Scope::Upstream
        && matches!(error.server_error(), Some(1049 | 1054 | 1146 | 1412))
}
