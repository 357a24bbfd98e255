//! Everything that can be read of a state, by its owner and by other processes.

use std::path::Path;
use std::sync::Arc;

use dm_filter::TableName;

use super::copy_model::{ChunkState, Contained, CopyState, CopyTotals};
use super::db::Db;
use super::ddl::DdlRecord;
use super::mailbox::Command;
use super::overrides::Override;
use super::stream_model::{LaneState, OnlineDdl, PreparedXa, Skipped, Tracker};
use super::task::{SourceRow, TaskRow};
use super::{copy, ddl, existing, mailbox, overrides, stream, task, xa};
use crate::error::Result;
use crate::event::{LaneId, SourceId};

/// Reads the state of a task, running or not. Every call sees one consistent state.
///
/// Keep one of another process for a command, not for hours: its file descriptor is cheap, but
/// a file that is replaced below it is not noticed.
///
/// Every method fails with `STATE_BUSY`, `STATE_IO`, `STATE_CORRUPT` or `STATE_VALUE` when the
/// file cannot be read or understood.
#[derive(Clone, Debug)]
pub struct StateReader {
    pub(super) db: Arc<Db>,
}

impl StateReader {
    pub(super) fn over(db: Arc<Db>) -> Self {
        Self { db }
    }

    /// Opens the state of a task from another process than its owner; takes no lock.
    ///
    /// # Errors
    ///
    /// `TASK_MISSING`, `STATE_FOREIGN`, `STATE_NEWER`, `STATE_BUSY`, `STATE_IO`.
    pub fn open(dir: &Path, task: &str) -> Result<Self> {
        Ok(Self { db: Arc::new(existing::open(dir, task)?) })
    }

    /// The task as a whole.
    ///
    /// # Errors
    ///
    /// See [`StateReader`].
    pub fn task(&self) -> Result<TaskRow> {
        self.db.read(task::task)
    }

    /// Its sources with stage, error and status document, by name.
    ///
    /// # Errors
    ///
    /// See [`StateReader`].
    pub fn sources(&self) -> Result<Vec<SourceRow>> {
        self.db.read(task::sources)
    }

    /// All lanes, by source and name.
    ///
    /// # Errors
    ///
    /// See [`StateReader`].
    pub fn lanes(&self) -> Result<Vec<LaneState>> {
        self.db.read(stream::lanes)
    }

    /// One lane; `None` when it has never begun.
    ///
    /// # Errors
    ///
    /// See [`StateReader`].
    pub fn lane(&self, lane: &LaneId) -> Result<Option<LaneState>> {
        self.db.read(|conn| stream::state(conn, lane))
    }

    /// What the tracker of a lane knew at the checkpoint.
    ///
    /// # Errors
    ///
    /// See [`StateReader`].
    pub fn tracker(&self, lane: &LaneId) -> Result<Tracker> {
        self.db.read(|conn| stream::tracker(conn, lane))
    }

    /// The names of the tables that the tracker of a lane knew at the checkpoint.
    ///
    /// # Errors
    ///
    /// See [`StateReader`].
    pub fn tracked_names(&self, lane: &LaneId) -> Result<Vec<TableName>> {
        self.db.read(|conn| stream::tracked_names(conn, lane))
    }

    /// Online schema changes under way at the checkpoint.
    ///
    /// # Errors
    ///
    /// See [`StateReader`].
    pub fn online_ddl(&self, lane: &LaneId) -> Result<Vec<OnlineDdl>> {
        self.db.read(|conn| stream::online_ddl(conn, lane))
    }

    /// The prepared transactions that are kept, by xid.
    ///
    /// # Errors
    ///
    /// See [`StateReader`].
    pub fn xa(&self, lane: &LaneId) -> Result<Vec<PreparedXa>> {
        self.db.read(|conn| xa::prepared(conn, lane))
    }

    /// The rows of one part of a prepared transaction.
    ///
    /// # Errors
    ///
    /// See [`StateReader`].
    pub fn xa_part(&self, lane: &LaneId, ordinal: u64, part: u32) -> Result<Option<Vec<u8>>> {
        self.db.read(|conn| xa::part(conn, lane, ordinal, part))
    }

    /// The memory of another part ([`super::LaneChanges::notes`]).
    ///
    /// # Errors
    ///
    /// See [`StateReader`].
    pub fn note(&self, lane: &LaneId, key: &str) -> Result<Option<Vec<u8>>> {
        self.db.read(|conn| stream::note(conn, lane, key))
    }

    /// How many statements were skipped, by kind, and where the last of each was.
    ///
    /// # Errors
    ///
    /// See [`StateReader`].
    pub fn skipped(&self, lane: &LaneId) -> Result<Vec<Skipped>> {
        self.db.read(|conn| stream::skipped(conn, lane))
    }

    /// Statements of which it is not known whether they ran, in order.
    ///
    /// # Errors
    ///
    /// See [`StateReader`].
    pub fn pending_ddl(&self, lane: &LaneId) -> Result<Vec<DdlRecord>> {
        self.db.read(|conn| ddl::pending(conn, lane))
    }

    /// A copy with its tables, without their chunks; `None` when none has begun.
    ///
    /// # Errors
    ///
    /// See [`StateReader`].
    pub fn copy(&self, lane: &LaneId) -> Result<Option<CopyState>> {
        self.db.read(|conn| copy::copy(conn, lane))
    }

    /// The tables of a copy together; `None` when none has begun. With thousands of tables it takes a small part of
    /// what [`StateReader::copy`] does.
    ///
    /// # Errors
    ///
    /// See [`StateReader`].
    pub fn copy_totals(&self, lane: &LaneId) -> Result<Option<CopyTotals>> {
        self.db.read(|conn| copy::totals(conn, lane))
    }

    /// The chunks of a table of a copy that is not finished, by number.
    ///
    /// # Errors
    ///
    /// `STATE_MISUSE` for a table that the copy does not have; else see [`StateReader`].
    pub fn chunks(&self, lane: &LaneId, table: &TableName) -> Result<Vec<ChunkState>> {
        self.db.read(|conn| copy::chunks(conn, lane, table))
    }

    /// What the copied rows of the tables of a source contain, until the stream has passed it.
    ///
    /// # Errors
    ///
    /// See [`StateReader`].
    pub fn contained(&self, source: &SourceId) -> Result<Vec<Contained>> {
        self.db.read(|conn| copy::contained(conn, source))
    }

    /// The latest commands, newest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// See [`StateReader`].
    pub fn commands(&self, limit: u32) -> Result<Vec<Command>> {
        self.db.read(|conn| mailbox::commands(conn, limit))
    }

    /// All overrides, the first made first.
    ///
    /// # Errors
    ///
    /// See [`StateReader`].
    pub fn overrides(&self) -> Result<Vec<Override>> {
        self.db.read(overrides::all)
    }
}
