//! Following the binlog of one source.
//!
//! Guarantee: every transaction behind the start position is applied exactly once, in an order
//! that keeps each key's history; every statement runs once, between the transactions before and
//! after it. Obstacle: workers commit out of order and the process may die at any moment. Method:
//! transactions are numbered as they are read; marks at the target say which numbers are in; a
//! restart reads again from the low-water mark, skips what the marks name and applies the rest.
//! A statement is a barrier: it runs when everything before it is in, with its own record of how
//! the structures looked before; only where it takes long do rows of other tables go on meanwhile
//! (`beside`). Only ends of groups are positions to start from.

mod aside;
mod barriers;
mod behind;
mod beside;
mod elsewhere;
mod ends;
mod events;
mod execute;
mod group;
mod history;
mod inject;
mod kept;
mod large;
mod logged;
mod lookback;
mod merged;
mod online;
mod online_keys;
mod operator;
mod outcome;
mod partly;
mod picture;
mod pieces;
mod recover;
mod rows;
mod run;
mod save;
mod statement;
mod steps;
mod unmarked;
mod waiting;
mod workers;
mod xa;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;

use self::ends::Ends;
use self::group::Group;
use self::history::History;
pub(crate) use self::recover::begin_lane;
pub(crate) use self::statement::judged;
use self::workers::{slot, start_workers, wait_for};
use self::xa::COPIED;
use self::xa::{Decided, Held};
use super::create::Creator;
use super::dispatch::{Dispatcher, Queue};
use super::parts::Parts;
use super::progress::{Low, Progress};
use super::rate::Rate;
use super::split::Split;
use super::stages::Queues;
use super::stats::StreamStats;
use super::tables::Tables;
use super::until::Until;
use super::windows::Windows;
use super::worker::{Applied, BatchLimit};
use crate::config::DdlRules;
use crate::ddl::ServerVersion;
use crate::error::{Error, Result, codes};
use crate::event::{LaneId, OrdinalSet};
use crate::meter::Sampler;
use crate::online_ddl::Follower;
use crate::position::{BinlogPos, GtidSet, Position};
use crate::schema::{Defaults, HistoryStart, Timeline, Tracker};
use crate::sink::Sink;
use crate::source::{LastGroup, Source, SourceInfo};
use crate::state::{DdlRecord, LaneChanges, StateStore};

/// How long one poll of the stream waits: bounds the time to notice a stop.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long a stop waits for what was handed out.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

/// How the stream works.
#[derive(Clone, Debug)]
pub(crate) struct StreamSettings {
    pub workers: usize,
    pub limit: BatchLimit,
    /// Transactions that may wait for one worker.
    pub queue: usize,
    /// Bytes under way.
    pub max_bytes: usize,
    /// A transaction beyond this is applied while it is read.
    pub large_bytes: usize,
    pub checkpoint_interval: Duration,
    /// Transactions and statements are committed in the source's order.
    pub in_order: bool,
    /// Apply everything so that applying it twice does no harm.
    pub safe_mode: bool,
    /// `at-least-once: allow`: rows that no key names may be repeated, and merged ones.
    pub may_repeat: bool,
}

/// What the stream of one source works with.
pub(crate) struct StreamContext {
    pub task: String,
    pub lane: LaneId,
    /// The lane of the copy that tells the windows; `None` for the main lane, whose windows are kept
    /// with the source.
    pub copy_lane: Option<LaneId>,
    pub source: Arc<dyn Source>,
    pub info: SourceInfo,
    pub sink: Arc<dyn Sink>,
    pub state: Arc<StateStore>,
    pub creator: Creator,
    pub settings: StreamSettings,
    /// The task file's rules about statements.
    pub ddl_rules: Arc<DdlRules>,
    pub stats: Arc<StreamStats>,
    pub rate: Arc<Rate>,
    /// How large a transaction the target takes.
    pub split: Arc<Split>,
    pub stop: Arc<AtomicBool>,
    pub until: Until,
    /// Told after each checkpoint: where the stream stands.
    pub report: Box<dyn Fn(&StreamReport) + Send + Sync>,
}

/// Where a stream stands.
#[derive(Clone, Debug)]
pub(crate) struct StreamReport {
    pub low: Low,
    pub bytes_under_way: usize,
    pub txns_under_way: usize,
    pub oldest_at: Option<u32>,
    pub queues: Queues,
    /// The statement that the target runs, when it takes long.
    pub statement: Option<String>,
}

/// Why following the binlog ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was asked to stop.
    Stopped,
    /// It reached the point it was to run to, or the end of recorded files.
    Reached,
}

/// Follows the binlog until it is stopped, has reached its point, or fails.
///
/// # Errors
///
/// What source, target or state fail with. Running again goes on where it stood.
pub(crate) fn follow(ctx: &StreamContext) -> Result<Ended> {
    loop {
        let before = ctx.split.limit();
        let error = match follow_once(ctx) {
            Err(error) if error.is_too_large() => error,
            other => return other,
        };
        let smaller = ctx.split.limit().filter(|now| before.is_none_or(|before| *now < before));
        // Without marks the parts that are in are repeated like all else.
        let Some(limit) = smaller else { return Err(error) };
        log::warn!(
            "lane {}: a transaction is applied in parts of up to {limit} bytes after: {error}",
            ctx.lane
        );
    }
}

fn follow_once(ctx: &StreamContext) -> Result<Ended> {
    let start = recover::recover(ctx)?;
    let progress =
        Arc::new(Progress::new(start.low.clone(), ctx.settings.max_bytes, Arc::clone(&ctx.stop)));
    let (alive, workers) = crossbeam_channel::bounded(0);
    let queues = start_workers(ctx, start.epoch, &progress, &alive)?;
    let mut stream = Stream::new(ctx, start, Arc::clone(&progress), queues, alive);
    let ended = catch_unwind(AssertUnwindSafe(|| stream.run())).unwrap_or_else(|_| {
        let error = Error::new(&codes::SYNC_PANIC, "the reader of a stream panicked");
        progress.fail(error.clone());
        Err(error)
    });
    let closed = stream.close(ended.is_ok());
    let failure = progress.failure().map(|failure| stream.with_lacking(failure));
    drop(stream);
    wait_for(ctx, &workers);
    match (ended, failure.or_else(|| progress.failure())) {
        // The failure of a worker is the cause; what the reader met is its echo.
        (_, Some(failure)) => Err(failure),
        (Err(error), None) => Err(error),
        (Ok(ended), None) => closed.map(|()| ended),
    }
}

/// What a run starts from.
pub(super) struct Start {
    pub low: Low,
    pub epoch: u64,
    /// Transactions behind `low` that are in the target.
    pub applied: OrdinalSet,
    pub tracker: Tracker,
    pub windows: Windows,
    /// Everything contained in this position may have been applied before.
    pub idempotent_until: Option<Position>,
    /// Everything that the source wrote up to this second is applied idempotently.
    pub idempotent_second: Option<u32>,
    /// Statements of which it is not known whether they ran.
    pub pending: Vec<DdlRecord>,
    /// Online schema changes under way; `None` when they are not followed.
    pub online: Option<Follower>,
    /// Prepared transactions that are kept.
    pub xa: HashMap<String, Held>,
    /// Everything up to here is in the copy.
    pub copied: Option<Position>,
    /// What was read last before the checkpoint, when that is known.
    pub last_group: Option<LastGroup>,
    /// Structures to be saved with the first checkpoint.
    pub changes: LaneChanges,
    /// Earlier runs have left no marks, or this one leaves none.
    pub unmarked: Option<unmarked::Unmarked>,
    /// Where the history of structures begins, when that is known by file.
    pub history_of: Option<HistoryStart>,
}

/// The reader's side of a running stream.
pub(super) struct Stream<'c> {
    pub ctx: &'c StreamContext,
    pub progress: Arc<Progress>,
    pub dispatcher: Option<Dispatcher>,
    pub tables: Tables,
    /// Structures from the last checkpoint up to the reader.
    pub tracker: Timeline,
    /// What the source's server fills in; a session may have settings of its own.
    pub defaults: Defaults,
    pub windows: Windows,
    pub idempotent_until: Option<Position>,
    /// Everything that the source wrote up to this second is applied idempotently.
    pub idempotent_second: Option<u32>,
    pub applied: OrdinalSet,
    pub pending: Vec<DdlRecord>,
    pub online: Option<Follower>,
    pub changes: LaneChanges,
    pub epoch: u64,
    /// The number of the last group that was begun.
    pub ordinal: u64,
    /// GTIDs executed up to the end of the last group; `None` when positions are by file.
    pub executed: Option<GtidSet>,
    /// End of the last event of any kind.
    pub seen: Option<BinlogPos>,
    pub ends: Ends,
    /// When the last group that was read was written.
    pub read_at: u32,
    pub group: Group,
    /// How to recognise what was read.
    pub history: History,
    /// The server in whose files the history of structures goes on, and whether names fold.
    history_of: Option<(String, bool)>,
    pub xa: HashMap<String, Held>,
    /// Decisions that were handed out, of groups that prepared and hold the low-water mark.
    pub decided: Vec<Decided>,
    /// Everything up to here is in the copy.
    pub copied: Option<Position>,
    pub unmarked: Option<unmarked::Unmarked>,
    /// The connection for transactions that are too large to be held.
    large: Option<Parts>,
    /// What of these is in ahead of the low-water mark.
    large_applied: Applied,
    /// Whoever writes for this run holds one: it has ended when none is left.
    alive: Sender<()>,
    /// A statement that runs while rows of other tables go on.
    beside: Option<barriers::Beside>,
    pub server: ServerVersion,
    /// Where an operator wants statements to be run before rows.
    injected: inject::Injected,
    queues: Vec<Queue>,
    /// Events that wait to be taken from the source's stream.
    events_waiting: usize,
    sampler: Sampler,
    saved: Instant,
    /// Statements have run behind what is saved.
    unsaved: bool,
    /// Polls of the source's stream, wrapping around.
    taken: u32,
    forgot: bool,
}

impl<'c> Stream<'c> {
    fn new(
        ctx: &'c StreamContext,
        start: Start,
        progress: Arc<Progress>,
        queues: Vec<Queue>,
        alive: Sender<()>,
    ) -> Self {
        Self {
            ctx,
            dispatcher: Some(Dispatcher::new(
                queues.clone(),
                Arc::clone(&progress),
                Arc::clone(&ctx.stats),
                ctx.settings.limit.rows,
            )),
            progress,
            tables: Tables::new(
                ctx.creator.clone(),
                Arc::clone(&ctx.sink),
                ctx.settings.workers > 1,
            ),
            defaults: start.tracker.defaults().clone(),
            tracker: Timeline::new(start.tracker),
            windows: start.windows,
            idempotent_until: start.idempotent_until,
            idempotent_second: start.idempotent_second,
            applied: start.applied,
            pending: start.pending,
            online: start.online,
            changes: start.changes,
            epoch: start.epoch,
            ordinal: start.low.ordinal,
            executed: start.low.position.gtid.clone(),
            seen: start.low.position.binlog.clone(),
            ends: Ends::default(),
            read_at: start.low.at,
            group: Group::default(),
            history: History::new(&ctx.info.server, start.last_group),
            history_of: start.history_of.map(|start| (start.place.server, start.folded)),
            xa: start.xa,
            decided: Vec::new(),
            copied: start.copied,
            unmarked: start.unmarked,
            large: None,
            large_applied: Applied::default(),
            alive,
            beside: None,
            server: ServerVersion::parse(&ctx.info.version),
            injected: inject::Injected::default(),
            queues,
            events_waiting: 0,
            sampler: Sampler::default(),
            saved: Instant::now(),
            unsaved: false,
            taken: 0,
            forgot: false,
        }
    }
}

fn located(error: Error, start: &BinlogPos, end: &BinlogPos, executed: Option<&GtidSet>) -> Error {
    if error.location().is_some() || error.is_transient() {
        return error;
    }
    let place = |pos: &BinlogPos| {
        Position { binlog: Some(pos.clone()), gtid: executed.cloned() }.to_string()
    };
    error.at(place(start), place(end))
}
