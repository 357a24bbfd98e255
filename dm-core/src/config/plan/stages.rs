//! How each stage of a source's pipeline works.

use std::time::Duration;

use crate::config::TableSelector;

/// How the full copy reads (`mydumpers`, with `extra-args` taken in).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DumpPlan {
    /// `threads`: connections that read at a time, at least 1.
    pub threads: usize,
    /// `rows`: rows of a chunk that one reader takes at a time, at least 1.
    pub chunk_rows: u64,
    /// `chunk-filesize` in bytes: a chunk is not meant to grow beyond it.
    pub chunk_bytes: u64,
    /// `statement-size` in bytes: the length an INSERT is meant to have.
    pub statement_bytes: u64,
    /// `where`: a condition that all copied rows fulfil.
    pub where_clause: Option<String>,
    /// `--consistency`.
    pub consistency: Consistency,
    /// `--snapshot`: the point in time to read, where the source offers that (TiDB).
    pub snapshot: Option<String>,
    /// `-B`, `-T`, `-f`, `--regex`, `-x`: which tables are copied *instead of* those of the block-allow-list;
    /// `None` leaves the choice to that list.
    pub select: Option<TableSelector>,
    /// Whether views are copied as views (`--no-views=false`).
    pub views: bool,
}

/// How one consistent state of all tables is had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Consistency {
    /// The best that the source's privileges and version allow.
    #[default]
    Auto,
    /// `FLUSH TABLES WITH READ LOCK` for a moment.
    Flush,
    /// A snapshot that the server takes on its own (TiDB).
    Snapshot,
    /// `LOCK TABLES` for a moment.
    Lock,
    /// None: the rows that were copied twice are settled while following the binlog.
    None,
}

impl Consistency {
    /// The word after `--consistency`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Flush => "flush",
            Self::Snapshot => "snapshot",
            Self::Lock => "lock",
            Self::None => "none",
        }
    }
}

/// How the full copy is written (`loaders`).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoadPlan {
    /// `pool-size`: connections that write at a time, at least 1.
    pub workers: usize,
    /// `dir`: where files of the copy are kept when any are needed.
    pub dir: String,
    /// `on-duplicate-logical`.
    pub on_duplicate: OnDuplicate,
}

/// What happens when the copy meets a row that the target has already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnDuplicate {
    /// The copied row takes its place.
    #[default]
    Replace,
    /// The task stops.
    Error,
    /// The target's row stays.
    Ignore,
}

/// How the binlog is applied (`syncers`).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SyncPlan {
    /// `worker-count`: connections that write at a time, at least 1.
    pub workers: usize,
    /// `batch`: rows of a target transaction, at least 1.
    pub batch: usize,
    /// `queue-size`: changes that may wait, at least 1.
    pub queue_size: usize,
    /// `checkpoint-flush-interval`.
    pub checkpoint_interval: Duration,
    /// `compact`: several changes of one row become one.
    pub compact: bool,
    /// `multiple-rows`: neighbouring changes of one kind become one statement.
    pub multiple_rows: bool,
    /// `safe-mode`: changes are applied so that applying them twice does no harm, always.
    pub safe_mode: bool,
    /// `safe-mode-duration`: how long that is done after a start that cannot know better.
    pub safe_mode_duration: Duration,
    /// `missing-row` (ours).
    pub missing_row: MissingRow,
    /// `commit-order` (ours).
    pub commit_order: CommitOrder,
    /// `at-least-once: allow` (ours): a target that cannot take marks may still be written to for
    /// tables without a key and for merged tables.
    pub allow_at_least_once: bool,
}

/// What happens when an UPDATE or DELETE finds no row at the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MissingRow {
    /// It is counted.
    Ignore,
    /// It is counted, and the first of each table is reported.
    #[default]
    Warn,
    /// The task stops.
    Stop,
}

/// In which order transactions become visible at the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CommitOrder {
    /// The order is kept among transactions that touch the same rows.
    #[default]
    Key,
    /// The source's order.
    Source,
}
