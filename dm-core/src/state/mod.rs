//! The state of a task: one SQLite file, which is also the mailbox of a running task.
//!
//! Guarantee: what a method has written when it returns survives a crash of the process and of the
//! machine, as a whole or not at all, and only one process at a time runs a task. Obstacles: a
//! process that is killed leaves its locks and half of its thoughts behind; other programs open the
//! file as well (`dm query-status`, a sqlite3 shell, a backup). Method: every method is one SQLite
//! transaction in WAL mode with `synchronous=FULL`; things that must not drift apart (a checkpoint
//! and the table structures at it) travel in one call ([`StateStore::save_checkpoint`]). Ownership
//! is a kernel lock on a file beside it ([`StateStore::open`]), which dies with its process. Only the
//! owner writes the task's state; other processes read ([`StateReader`]) and put letters into the
//! mailbox ([`Mailbox`]), both in short transactions.
//!
//! What the state file does *not* know is what has arrived at the target: it commits apart from it.
//! That is told by the marks at the target ([`crate::event::StreamMark`]); with them a state file
//! that was lost, restored from yesterday or is a second behind only makes work, never wrong data.
//! The task's identity, a random id born with the file, ties the two together.
//!
//! A restart begins with [`StateStore::open`], [`StateStore::begin_run`] for each lane (a new epoch),
//! and goes on from [`StateReader::lane`], [`StateReader::tracker`] and [`StateReader::copy`].
//!
//! No passwords are stored. Clock times are for people; no decision depends on them.

mod additions;
mod copy;
mod copy_model;
mod db;
mod ddl;
mod dir;
mod existing;
mod mailbox;
mod older;
mod overrides;
mod reader;
mod registry;
mod reserve;
mod stream;
mod stream_model;
mod tables;
mod task;
mod tracked;
mod xa;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::Result;

pub use additions::Addition;
pub use copy_model::{
    ChunkDone, ChunkState, Contained, CopyBegin, CopyState, CopyTable, CopyTotals,
};
pub use ddl::{DdlRecord, NewDdl};
pub(crate) use dir::{create_dir, file_stem, look as look_at_dir, private, replace};
pub use dir::{list_tasks, log_file, open_log};
pub use mailbox::{Command, CommandState, Mailbox};
pub use older::{IN_ALL as OLDER_IN_ALL, PER_TABLE as OLDER_PER_TABLE};
pub use overrides::{Override, OverrideAction};
pub use reader::StateReader;
pub use registry::{Registered, Registry};
pub use stream::IDEMPOTENT_SECOND;
pub use stream_model::{
    Checkpoint, LANE_START, LAST_GROUP, LaneChanges, LaneState, MOVE_GAP, OnlineDdl, PreparedXa,
    STOPPED_AT, Skipped, TrackedTable, Tracker, XaPart,
};
pub use task::{SourceRow, Stage, StoredError, TaskRow};
pub use xa::SERVER_NOTE;

/// The state of one task, open for the process that runs it.
///
/// All methods may be called from any thread; they share one connection.
#[derive(Debug)]
pub struct StateStore {
    db: Arc<db::Db>,
    identity: String,
    // Held for its life: the kernel lets go of it when the process ends, however it ends.
    _lock: Option<dir::OwnerLock>,
}

impl StateStore {
    /// Opens the state of a task as its owner, creating directory and file when they are missing.
    ///
    /// The directory gets mode 0700 when it is created, all files 0600.
    ///
    /// # Errors
    ///
    /// `STATE_OWNED` when another process owns the task (its pid is in the message), `STATE_DIR`
    /// and `STATE_NETWORK_FS` for a directory that cannot be used, `STATE_FOREIGN`,
    /// `STATE_CORRUPT` and `STATE_NEWER` for a file that is not ours to write, `STATE_BUSY` and
    /// `STATE_IO`.
    pub fn open(dir: &Path, task: &str) -> Result<Self> {
        dir::prepare(dir)?;
        let lock = dir::OwnerLock::take(dir, task)?;
        let file = dir::state_file(dir, task);
        dir::create_private(&file)?;
        let db = db::Db::open(&file)?;
        let store = Self::start(db, task, Some(lock))?;
        store.db.reserve()?;
        store.interrupt_commands()?;
        Ok(store)
    }

    /// A state that lives in memory and ends with this value: for tests, and for services that
    /// keep positions themselves. It has no owner lock and no mailbox for other processes.
    ///
    /// # Errors
    ///
    /// When SQLite has no memory.
    pub fn in_memory(task: &str) -> Result<Self> {
        Self::start(db::Db::in_memory()?, task, None)
    }

    fn start(db: db::Db, task: &str, lock: Option<dir::OwnerLock>) -> Result<Self> {
        let identity = db.create(task)?;
        Ok(Self { db: Arc::new(db), identity, _lock: lock })
    }

    /// Removes all that is stored of a task, as its owner. The lock file stays: removing it would
    /// let two processes lock two different files of the same name.
    ///
    /// # Errors
    ///
    /// `STATE_OWNED` when the task runs, `TASK_MISSING` when there is nothing, `STATE_DIR`.
    pub fn remove(dir: &Path, task: &str) -> Result<()> {
        dir::require(dir, task)?;
        let _lock = dir::OwnerLock::take(dir, task)?;
        dir::remove_files(dir, task)
    }

    /// The process that owns the task, as it wrote itself down; `None` when nobody does.
    ///
    /// # Errors
    ///
    /// When the lock file cannot be read.
    pub fn owner(dir: &Path, task: &str) -> Result<Option<String>> {
        dir::owner(dir, task)
    }

    /// The random id that the task got when its state was created. The target stores it beside
    /// its marks, so that a mark of another task of the same name is recognised.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The file; `None` for a state in memory.
    pub fn path(&self) -> Option<PathBuf> {
        self.db.path().map(Path::to_owned)
    }

    /// Everything that can be read, over the owner's own connection.
    pub fn reader(&self) -> StateReader {
        StateReader::over(Arc::clone(&self.db))
    }

    /// The mailbox, over the owner's own connection: the second door for an embedding service.
    pub fn mailbox(&self) -> Mailbox {
        Mailbox::over(Arc::clone(&self.db))
    }
}

#[cfg(test)]
mod tests;
