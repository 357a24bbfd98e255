//! The target side: the `Sink` trait and its implementations.
//!
//! Who drives: the pipeline opens one [`Writer`] per worker thread and gives it chunks of the copy
//! ([`Writer::load`]) or batches of the stream ([`Writer::apply`]). Each call is one target
//! transaction that also carries a mark. After an error of a writer the outcome of its last call
//! is unknown: the pipeline drops the writer, opens a new one for the same slot (which waits until
//! the old one can no longer write: the fence), and asks [`Sink::recover`] what has arrived.
//!
//! A sink never retries by itself and never guesses.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use dm_filter::TableName;

use crate::error::{Error, Result, codes};
use crate::event::{ChunkMark, LaneId, OrdinalSet};
use crate::schema::TableSchema;

pub mod keys;
mod memory;
mod mysql;
pub mod script;
pub mod sqlite;
mod statement;
mod stats;
mod writer;

pub use self::mysql::MysqlSink;
pub(crate) use self::mysql::MysqlSinkOptions;
pub use self::statement::{Clauses, DdlOutcome, TargetDdl};
pub use self::stats::{ApplyStats, LoadStats, RowCounts};
pub(crate) use self::writer::one_by_one;
pub use self::writer::{BlockStream, LoadTarget, OnDuplicate, Writer};
pub use crate::event::ApplyMode;
pub use memory::{Cell, MemorySink};

/// What a sink promises after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Guarantees {
    /// Rows and marks commit together: nothing is lost and nothing doubled, keyless tables
    /// included. Without it the sink is at-least-once.
    pub exactly_once: bool,
    /// A second writer of a slot waits until the first can no longer write.
    pub fenced: bool,
    /// A statement commits together with its mark (SQLite, a script): no structures need be compared
    /// to know whether it has run.
    pub transactional_ddl: bool,
    /// And it knows that of every statement, not only of a lane's last (a script): the state file need
    /// not be written behind each.
    pub remembers_statements: bool,
    /// Its writers write one after the other (a file has one end): the stream uses one, which needs
    /// no look at who touches what.
    pub one_writer: bool,
}

impl Guarantees {
    /// At least once, no fence, statements commit on their own.
    pub fn none() -> Self {
        Self {
            exactly_once: false,
            fenced: false,
            transactional_ddl: false,
            remembers_statements: false,
            one_writer: false,
        }
    }

    /// Exactly once behind a fence.
    pub fn exact() -> Self {
        Self { exactly_once: true, fenced: true, ..Self::none() }
    }
}

/// What the marks of a lane say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The highest `low` of all marks and the position behind it; `None` when there is no mark.
    pub low: Option<(u64, String)>,
    /// Everything applied beyond that.
    pub applied: OrdinalSet,
    /// The highest epoch that wrote a mark; 0 when there is none.
    pub epoch: u64,
}

/// Names a writer: two writers of one slot exclude each other, also across processes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    /// The task.
    pub task: String,
    /// The lane that the writer works for.
    pub lane: LaneId,
    /// The worker's number.
    pub worker: u32,
    /// Number of this run of the lane; grows with every start.
    pub epoch: u64,
}

/// A target. One sink is shared by all sources and threads of a task.
pub trait Sink: Send + Sync {
    /// What the sink promises after a crash.
    fn guarantees(&self) -> Guarantees;

    /// Makes the sink ready for a task: creates its mark tables, checks that a state file and the
    /// target belong together (`identity` is stored at the first time and compared later).
    ///
    /// # Errors
    ///
    /// Missing rights, an unreachable target, an identity that is another task's.
    fn prepare(&self, task: &str, identity: &str) -> Result<()>;

    /// The structure of a target table now; `None` when there is no such table.
    ///
    /// # Errors
    ///
    /// When the target cannot be asked.
    fn describe(&self, table: &TableName) -> Result<Option<Arc<TableSchema>>>;

    /// The names of all tables of the target, where one question tells them; `None` where each
    /// table has to be asked for ([`Sink::describe`]).
    ///
    /// # Errors
    ///
    /// When the target cannot be asked.
    fn tables(&self) -> Result<Option<HashSet<TableName>>> {
        Ok(None)
    }

    /// The target's own text of a table's structure, for comparing before and after a statement;
    /// `None` when there is no such table.
    ///
    /// # Errors
    ///
    /// When the target cannot be asked.
    fn show_create(&self, table: &TableName) -> Result<Option<String>>;

    /// The statement in the words of this target, where its dialect is another than the source's.
    ///
    /// # Errors
    ///
    /// When it uses something that the target does not have.
    fn adapt(&self, ddl: TargetDdl) -> Result<TargetDdl> {
        Ok(ddl)
    }

    /// The family of servers that the target is of; `None` where it is none of them, or nobody knows.
    ///
    /// # Errors
    ///
    /// When the target cannot be asked.
    fn family(&self) -> Result<Option<crate::ddl::Flavor>> {
        Ok(None)
    }

    /// How the target takes an ALTER TABLE of several clauses.
    ///
    /// # Errors
    ///
    /// When the target cannot be asked.
    fn clauses(&self) -> Result<Clauses> {
        Ok(Clauses::Together)
    }

    /// Waits until the target works no more on statements about the tables of this one, which an earlier
    /// connection gave it and whose outcome nobody heard. A target that has ended a statement's work when the
    /// fence of its lane lets the next one through ([`Sink::recover`]) need not do anything.
    ///
    /// # Errors
    ///
    /// When the target cannot be asked, `stop` became true, or (11129) the target says that it has
    /// given this statement up.
    fn await_ddl(&self, _ddl: &TargetDdl, _stop: &AtomicBool) -> Result<()> {
        Ok(())
    }

    /// Runs a statement that changes structures and forgets what was known of its tables.
    ///
    /// # Errors
    ///
    /// What the target answers; with [`crate::Error::is_transient`] the outcome is unknown.
    fn execute_ddl(&self, ddl: &TargetDdl) -> Result<DdlOutcome>;

    /// Waits until no writer of an earlier run of the lane can write any more (the fence), then
    /// says what the marks tell. Called once per run, before the first writer is opened.
    ///
    /// # Errors
    ///
    /// When the target cannot be asked, an earlier writer does not end in time, or `stop` became
    /// true.
    fn recover(&self, task: &str, lane: &LaneId, stop: &AtomicBool) -> Result<Recovered>;

    /// The chunks of a lane that are in the target.
    ///
    /// # Errors
    ///
    /// When the target cannot be asked.
    fn loaded_chunks(&self, task: &str, lane: &LaneId) -> Result<Vec<ChunkMark>>;

    /// Removes marks that are no longer needed: stream marks of epochs before `epoch`, and, when
    /// `chunks` is true, all chunk marks of the lane.
    ///
    /// # Errors
    ///
    /// When the target cannot be asked.
    fn forget(&self, task: &str, lane: &LaneId, epoch: u64, chunks: bool) -> Result<()>;

    /// Removes everything that [`Sink::prepare`] and the writers of these lanes have left at the target
    /// beside rows: the task may then begin anew, under another identity. Nothing of it being there
    /// is no failure.
    ///
    /// # Errors
    ///
    /// When the target cannot be asked, or it cannot forget (a script, and by default).
    fn forget_task(&self, _task: &str, _lanes: &[LaneId]) -> Result<()> {
        let text = "this target cannot forget a task: give it another place to write to";
        Err(Error::new(&codes::TARGET_FOREIGN, text))
    }

    /// Empties a target table before it is copied anew (a further generation), together with the
    /// chunk marks of its earlier generations.
    ///
    /// # Errors
    ///
    /// When the target refuses.
    fn empty_table(&self, task: &str, lane: &LaneId, table: &TableName) -> Result<()>;

    /// Takes the keys that serve only reading off a table that was just made and will get many rows:
    /// they are made when the rows are in ([`Sink::add_keys`]). What is lacking is recorded at the
    /// target, so that nothing but the target is needed to bring it back. Doing nothing is right.
    ///
    /// # Errors
    ///
    /// When the target cannot be asked.
    fn put_off_keys(&self, _task: &str, _lane: &LaneId, _table: &TableName) -> Result<()> {
        Ok(())
    }

    /// The target tables of a lane whose keys were put off and are not back yet.
    ///
    /// # Errors
    ///
    /// When the target cannot be asked.
    fn tables_without_keys(&self, _task: &str, _lane: &LaneId) -> Result<Vec<TableName>> {
        Ok(Vec::new())
    }

    /// Gives a table the keys back that were put off. May be interrupted ([`Sink::interrupt`]) and
    /// done again.
    ///
    /// # Errors
    ///
    /// What the target answers.
    fn add_keys(&self, _task: &str, _lane: &LaneId, _table: &TableName) -> Result<()> {
        Ok(())
    }

    /// True when the sink itself sees to it that a statement with a number
    /// ([`TargetDdl::once`]) that is given again after a crash does not run again.
    fn runs_once(&self, _ddl: &TargetDdl) -> bool {
        false
    }

    /// Makes durable what writers of the stream have reported as applied. Called before a checkpoint
    /// that lies behind it is saved: a crash of the machine must not leave the target behind the state
    /// file. A sink whose commits are as durable as they ever get need not do anything.
    ///
    /// # Errors
    ///
    /// When it cannot be made durable: the checkpoint is not saved then.
    fn make_durable(&self) -> Result<()> {
        Ok(())
    }

    /// Ends what the open writers of a lane are doing at the target, because the run is over and
    /// must not wait for it. Their transactions are rolled back or were committed: the marks tell.
    /// A sink whose calls always end soon need not do anything.
    fn interrupt(&self, _task: &str, _lane: &LaneId) {}

    /// Opens a writer. Returns when no earlier writer of the slot can write any more.
    ///
    /// # Errors
    ///
    /// When the target cannot be reached, the earlier writer does not end in time, or `stop`
    /// became true.
    fn writer(&self, slot: &Slot, stop: &AtomicBool) -> Result<Box<dyn Writer>>;
}
