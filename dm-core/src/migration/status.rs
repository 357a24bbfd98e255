//! How a migration stands.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::pipeline::{CopyCounts, Meters, Queues, StreamCounts};
use crate::position::Position;
use crate::state::Stage;

/// What a source is doing, in DM's words for the units of a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// Nothing yet.
    #[default]
    Check,
    /// Copying rows. DM has two units for this, Dump and Load; here rows go straight through.
    Load,
    /// Following the binlog.
    Sync,
}

impl Unit {
    /// DM's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Check => "Check",
            Self::Load => "Load",
            Self::Sync => "Sync",
        }
    }
}

/// How one source stands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SourceStatus {
    /// `source-id`.
    pub source: String,
    /// Stage of the source's part of the task.
    pub stage: Stage,
    /// What it is doing.
    pub unit: Unit,
    /// The copy's counters.
    pub copy: CopyCounts,
    /// The stream's counters.
    pub stream: StreamCounts,
    /// Everything up to here is in the target.
    pub position: Position,
    /// Where the source ends, as it said last; asked only when other processes may want to know.
    pub source_end: Position,
    /// `safe-mode` of the task file: everything is applied idempotently.
    pub safe_mode: bool,
    /// The target takes no marks: what was under way at a crash is applied again.
    pub at_least_once: bool,
    /// Rows written in the last second.
    pub rows_per_second: u64,
    /// Bytes of copied rows written in the last second; 0 while following.
    pub bytes_per_second: u64,
    /// Rows written in a second, on average since the source's last start.
    pub mean_rows_per_second: u64,
    /// Seconds that the target is behind the source; 0 when nothing waits.
    pub lag_seconds: u64,
    /// Seconds until it has caught up at the pace of the last seconds; `None` while it falls back.
    pub remaining_seconds: Option<u64>,
    /// Bytes of rows under way.
    pub bytes_under_way: usize,
    /// Transactions under way.
    pub txns_under_way: usize,
    /// The statement that the target runs at the moment, when it takes long: what it is about waits for it.
    pub waiting_for: Option<String>,
    /// What waits before each stage of the stream, and which one is the slow one.
    pub queues: Queues,
    /// The error that the source stopped at, or that it is waiting to get over.
    pub error: Option<String>,
    /// When it goes on by itself after that error; `None` when it runs, and when somebody has to act first.
    pub next_attempt: Option<SystemTime>,
    /// Errors that ended an attempt to copy, since the process began.
    pub load_errors: ErrorCounts,
    /// Errors that ended an attempt to follow, since the process began.
    pub sync_errors: ErrorCounts,
    /// What is measured, as it stands when somebody looks.
    pub(crate) meters: Arc<Meters>,
}

/// How often an attempt ended in an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorCounts {
    /// It was tried again by itself.
    pub resumable: u64,
    /// It needed a person.
    pub fatal: u64,
}

impl SourceStatus {
    pub(crate) fn new(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            stage: Stage::New,
            unit: Unit::Check,
            copy: CopyCounts::default(),
            stream: StreamCounts::default(),
            position: Position::default(),
            source_end: Position::default(),
            safe_mode: false,
            at_least_once: false,
            rows_per_second: 0,
            bytes_per_second: 0,
            mean_rows_per_second: 0,
            lag_seconds: 0,
            remaining_seconds: None,
            bytes_under_way: 0,
            txns_under_way: 0,
            waiting_for: None,
            queues: Queues::default(),
            error: None,
            next_attempt: None,
            load_errors: ErrorCounts::default(),
            sync_errors: ErrorCounts::default(),
            meters: Arc::default(),
        }
    }

    /// Counts an error that ended an attempt, after which it goes on by itself, or not.
    pub(super) fn failed(&mut self, again_in: Option<Duration>) {
        self.next_attempt = again_in.and_then(|wait| SystemTime::now().checked_add(wait));
        let counts = match self.unit {
            Unit::Sync => &mut self.sync_errors,
            Unit::Check | Unit::Load => &mut self.load_errors,
        };
        if again_in.is_some() {
            counts.resumable += 1;
        } else {
            counts.fatal += 1;
        }
    }

    /// The stage that holds the stream up at the moment (see [`Bottleneck`](crate::Bottleneck));
    /// empty when nothing lags.
    pub fn slow_stage(&self) -> &'static str {
        match self.unit {
            Unit::Sync if self.lag_seconds > 0 => self.queues.bottleneck.as_str(),
            _ => "",
        }
    }

    /// Bytes of binlog events read, as far as they are measured: the first ones each, then one of some,
    /// which counts for all of these.
    pub fn read_bytes(&self) -> u64 {
        self.meters.event_bytes.spread().sum as u64
    }

    /// How often a change arrives: `exactly once` or `at least once`.
    pub fn guarantee(&self) -> &'static str {
        if self.at_least_once { "at least once" } else { "exactly once" }
    }

    /// The document that is kept in the state file for other processes.
    pub fn to_json(&self) -> Value {
        let place = |p: &Position| {
            (
                p.binlog.as_ref().map(ToString::to_string).unwrap_or_default(),
                p.gtid.as_ref().map(ToString::to_string).unwrap_or_default(),
            )
        };
        let (binlog, gtid) = place(&self.position);
        let (end_binlog, end_gtid) = place(&self.source_end);
        let (begin_binlog, begin_gtid) = place(&self.copy.position);
        let missing: Vec<Value> = self
            .stream
            .missing
            .iter()
            .map(|(t, n)| json!({"table": t.to_string(), "rows": n}))
            .collect();
        json!({
            "source": self.source,
            "stage": self.stage.as_str(),
            "unit": self.unit.as_str(),
            "load": {
                "tables": self.copy.tables,
                "tablesDone": self.copy.tables_done,
                "estimatedRows": self.copy.rows_estimated,
                "estimatedBytes": self.copy.bytes_estimated,
                "finishedRows": self.copy.all_rows(),
                "finishedBytes": self.copy.all_bytes(),
                "means": self.copy.means,
                "metaBinlog": begin_binlog,
                "metaBinlogGtid": begin_gtid,
                "seconds": self.copy.seconds,
            },
            "sync": {
                "totalEvents": self.stream.events,
                "readBytes": self.read_bytes(),
                "transactions": self.stream.txns,
                "inserted": self.stream.inserted,
                "updated": self.stream.updated,
                "deleted": self.stream.deleted,
                "ddls": self.stream.ddls,
                "filtered": self.stream.filtered,
                "wildKeys": self.stream.wild,
                "missingRows": missing,
                "syncerBinlog": binlog,
                "syncerBinlogGtid": gtid,
                "masterBinlog": end_binlog,
                "masterBinlogGtid": end_gtid,
                "secondsBehindMaster": self.lag_seconds,
                "bytesUnderWay": self.bytes_under_way,
                "transactionsUnderWay": self.txns_under_way,
                "waitingFor": self.waiting_for,
                "bottleneck": self.queues.bottleneck.as_str(),
                "eventsWaiting": self.queues.events,
                "rowsWaiting": self.queues.rows,
                "busyWorkers": self.queues.busy_workers,
            },
            "safeMode": self.safe_mode,
            "guarantee": self.guarantee(),
            "rowsPerSecond": self.rows_per_second,
            "bytesPerSecond": self.bytes_per_second,
            "meanRowsPerSecond": self.mean_rows_per_second,
            "slowStage": self.slow_stage(),
            "error": self.error,
            "nextAttempt": self.next_attempt.map(seconds),
        })
    }
}

/// Seconds since the epoch.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// How a whole task stands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskStatus {
    /// Name of the task.
    pub task: String,
    /// Its sources, in the order of the task file.
    pub sources: Vec<SourceStatus>,
}
