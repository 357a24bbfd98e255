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

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dm_filter::TableName;

use super::copy_stats::CopyStats;
use super::copy_work::stopped;
use super::create::Creator;
use super::prepared;
use super::rate::Rate;
use super::unmarked::{self, WITHOUT_MARKS};
use crate::error::{Error, Result, codes};
use crate::event::LaneId;
use crate::position::Position;
use crate::schema::TableCopy;
use crate::sink::{LoadTarget, OnDuplicate, Sink};
use crate::source::{Snapshot, Source};
use crate::state::{ChunkDone, CopyBegin, CopyState, CopyTable, StateStore};

/// Attempts to write one chunk before the copy is given up (and resumed from outside).
pub(super) const ATTEMPTS: u32 = 5;
/// How often a copy goes on with a new snapshot because tables were changed meanwhile.
const ROUNDS: u32 = 50;
/// Chunks have marks of their own: all runs of a copy write under one epoch.
pub(super) const COPY_EPOCH: u64 = 0;

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
    pub mixed: bool,
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
}

pub(super) fn panicked() -> Error {
    Error::new(&codes::SYNC_PANIC, "a thread of the copy panicked")
}

/// True for errors of the source which say that a statement changed a table after the view was
/// opened: an unknown column, no such table, no such database, a changed definition.
fn is_changed(error: &Error) -> bool {
    error.error_scope() == crate::error::Scope::Upstream
        && matches!(error.server_error(), Some(1049 | 1054 | 1146 | 1412))
}
