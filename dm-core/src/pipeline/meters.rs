//! What is measured of a source's copy and stream, for as long as the process lives.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use dm_filter::TableName;

use crate::meter::{Histogram, Scale};
use crate::sink::RowCounts;
use crate::source::Body;

/// Numbers of queues are told by their remainder: there may be many, and a metric has few labels.
pub(crate) const QUEUES: usize = 8;

/// What an event is to the metrics, and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    /// Row changes.
    Rows,
    /// A statement.
    Query,
    /// The end of a transaction.
    Xid,
    /// All others.
    Other,
}

impl EventKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Rows, Self::Query, Self::Xid, Self::Other];

    /// That of an event.
    pub fn of(body: &Body) -> Self {
        match body {
            Body::Rows(_) => Self::Rows,
            Body::Query(_) | Body::Statement(_) | Body::UnfinishedAlter => Self::Query,
            Body::Xid | Body::XaPrepare { .. } => Self::Xid,
            _ => Self::Other,
        }
    }

    /// Its name as a label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Query => "query",
            Self::Xid => "xid",
            Self::Other => "other",
        }
    }
}

/// A histogram for each kind of event.
#[derive(Debug)]
pub(crate) struct ByKind([Histogram; 4]);

impl ByKind {
    const fn new() -> Self {
        Self([const { Histogram::new(Scale::Time) }; 4])
    }

    /// That of a kind.
    pub fn of(&self, kind: EventKind) -> &Histogram {
        let [rows, query, xid, other] = &self.0;
        match kind {
            EventKind::Rows => rows,
            EventKind::Query => query,
            EventKind::Xid => xid,
            EventKind::Other => other,
        }
    }
}

/// The name of a queue as a label; `None` for what goes through none.
pub(crate) fn queue_name(queue: Option<usize>) -> String {
    queue.map(|n| format!("q_{n}")).unwrap_or_default()
}

/// Row changes that are in the target, by target table and queue.
///
/// A batch is counted as a whole, so that the lock is taken once for some hundred rows.
#[derive(Debug, Default)]
pub(crate) struct Finished(Mutex<BTreeMap<TableName, [RowCounts; QUEUES + 1]>>);

/// Further tables are counted together, under no name: every table is some lines of each answer to
/// somebody who looks.
const TABLES_MAX: usize = 256;

impl Finished {
    /// Counts what a batch did; `worker` is none for what the reader writes itself.
    pub fn add(&self, worker: Option<u32>, tables: &[(TableName, RowCounts)]) {
        let queue = worker.map_or(QUEUES, |worker| worker as usize % QUEUES);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (table, counts) in tables {
            let room = all.len() < TABLES_MAX;
            let of_table = match all.get_mut(table) {
                Some(of_table) => of_table,
                None if room => all.entry(table.clone()).or_default(),
                None => all.entry(TableName::new("", "")).or_default(),
            };
            if let Some(have) = of_table.get_mut(queue) {
                have.add(*counts);
            }
        }
    }

    /// What there is: table, queue, counts.
    pub fn all(&self) -> Vec<(TableName, Option<usize>, RowCounts)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_table = |(table, queues): (&TableName, &[RowCounts; QUEUES + 1])| {
            let queues = queues.iter().enumerate().filter(|(_, n)| **n != RowCounts::default());
            queues
                .map(|(n, counts)| (table.clone(), (n < QUEUES).then_some(n), *counts))
                .collect::<Vec<_>>()
        };
        all.iter().flat_map(of_table).collect()
    }
}

/// What is measured of a source.
#[derive(Debug)]
pub(crate) struct Meters {
    /// Waiting for an event, and taking it.
    pub read: Histogram,
    /// Length of an event.
    pub event_bytes: Histogram,
    /// Rows that are carried of an event with rows.
    pub event_rows: Histogram,
    /// Planning an event that is carried.
    pub dispatched: ByKind,
    /// Passing over an event that is not carried.
    pub skipped: ByKind,
    /// Finding out which transactions one depends on.
    pub conflict: Histogram,
    /// Handing a transaction to a worker: waiting for room in its queue.
    pub handed_out: [Histogram; QUEUES],
    /// Row changes handed to workers, and behind them those that the reader writes itself.
    pub added: [AtomicU64; QUEUES + 1],
    /// Statements run.
    pub added_ddls: AtomicU64,
    /// Row changes that are in the target.
    pub finished: Finished,
    /// A transaction at the target, with its commit, waits and repetitions.
    pub txn: Histogram,
    /// A statement that changes structures at the target.
    pub ddl: Histogram,
    /// A question to the target.
    pub query: Histogram,
    /// Row changes in a target transaction, and source transactions in it.
    pub batch_rows: [Histogram; QUEUES],
    pub batch_txns: [Histogram; QUEUES],
    /// Between two checkpoints.
    pub checkpoint: Histogram,
    /// How far the target is behind, at each checkpoint.
    pub lag: Histogram,
    /// Workers of the stream.
    pub workers: AtomicU64,
    /// Writing a chunk of the copy.
    pub load_txn: Histogram,
}

impl Default for Meters {
    fn default() -> Self {
        let time = || Histogram::new(Scale::Time);
        let counts = || [const { Histogram::new(Scale::Count) }; QUEUES];
        Self {
            read: time(),
            event_bytes: Histogram::new(Scale::Bytes),
            event_rows: Histogram::new(Scale::Count),
            dispatched: ByKind::new(),
            skipped: ByKind::new(),
            conflict: time(),
            handed_out: [const { Histogram::new(Scale::Time) }; QUEUES],
            added: [const { AtomicU64::new(0) }; QUEUES + 1],
            added_ddls: AtomicU64::new(0),
            finished: Finished::default(),
            txn: time(),
            ddl: time(),
            query: time(),
            batch_rows: counts(),
            batch_txns: counts(),
            checkpoint: time(),
            lag: time(),
            workers: AtomicU64::new(0),
            load_txn: time(),
        }
    }
}

impl Meters {
    /// An event was carried or passed over.
    pub fn event(&self, seen: &SeenEvent, rows: Option<usize>, weight: u64) {
        let span = seen.began.elapsed();
        self.event_bytes.observe(seen.bytes, weight);
        match rows {
            Some(rows) => {
                self.dispatched.of(seen.kind).took(span, weight);
                if seen.kind == EventKind::Rows {
                    self.event_rows.observe(rows as u64, weight);
                }
            }
            None => self.skipped.of(seen.kind).took(span, weight),
        }
    }

    /// Row changes are handed to a worker; none for those that the reader writes itself.
    pub fn add(&self, worker: Option<usize>, rows: usize) {
        let queue = worker.map_or(QUEUES, |worker| worker % QUEUES);
        if let Some(added) = self.added.get(queue) {
            added.fetch_add(rows as u64, Ordering::Relaxed);
        }
    }

    /// A worker's transaction is in the target.
    pub fn batch(&self, worker: u32, rows: usize, txns: usize) {
        let queue = worker as usize % QUEUES;
        for (all, n) in [(&self.batch_rows, rows), (&self.batch_txns, txns)] {
            all.get(queue).inspect(|h| h.observe(n as u64, 1));
        }
    }

    /// Row changes that the workers could apply in a second if they never waited for work: what one at
    /// the target takes on average, over all workers.
    pub fn ideal_rows_per_second(&self) -> f64 {
        let rows: f64 = self.batch_rows.iter().map(|h| h.spread().sum).sum();
        let seconds = self.txn.spread().sum;
        let workers = self.workers.load(Ordering::Relaxed) as f64;
        if seconds > 0.0 { rows / seconds * workers } else { 0.0 }
    }
}

/// An event that is measured.
pub(crate) struct SeenEvent {
    pub kind: EventKind,
    pub bytes: u64,
    pub began: Instant,
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::meter::Sampler;
    use crate::pipeline::stages::Spent;
    use crate::pipeline::stats::StreamStats;
    use crate::sink::ApplyStats;

    /// Everything that is counted for transactions of one row, in batches of 50, in the order in which the
    /// stream, the dispatcher and a worker do it, and nothing else: without the transactions.
    fn count(stats: &StreamStats, batches: usize) {
        const EVENTS: [EventKind; 4] =
            [EventKind::Other, EventKind::Query, EventKind::Rows, EventKind::Xid];
        let (mut events, mut placed) = (Sampler::default(), Sampler::default());
        let meters = &stats.meters;
        let mut done = ApplyStats::default();
        done.did(&TableName::new("a", "t"), RowCounts { inserted: 50, ..RowCounts::default() });
        for _ in 0..batches {
            for _ in 0..50 {
                for kind in EVENTS {
                    stats.event();
                    let weight = events.next();
                    if weight > 0 {
                        meters.read.took(Duration::ZERO, weight);
                        let seen = SeenEvent { kind, bytes: 60, began: Instant::now() };
                        meters.event(&seen, Some(1), weight);
                    }
                }
                let weight = placed.next();
                let began = (weight > 0).then(Instant::now);
                let known = began.map(|began| {
                    meters.conflict.took(began.elapsed(), weight);
                    Instant::now()
                });
                meters.add(Some(3), 1);
                known.inspect(|known| meters.handed_out[3].took(known.elapsed(), weight));
            }
            stats.stages.time(Spent::Writing, || meters.txn.time(|| ()));
            meters.batch(3, 50, 50);
            stats.applied(Some(3), 50, &done);
        }
    }

    /// The numbers are right; what it takes to have them is printed of an optimised build:
    /// `DM_TEST_COST_ROUNDS=5 cargo test --release -p dm-core --lib counting -- --nocapture`.
    #[test]
    fn counting_loses_nothing() {
        let stats = StreamStats::of(Arc::default());
        count(&stats, 20);
        let counts = stats.counts();
        assert_eq!((counts.events, counts.txns, counts.inserted), (4_000, 1_000, 1_000));
        let finished = RowCounts { inserted: 1_000, ..RowCounts::default() };
        assert_eq!(stats.meters.finished.all(), [(TableName::new("a", "t"), Some(3), finished)]);
        // Those that are not measured are counted by those that are.
        assert!((3_900..=4_100).contains(&stats.meters.read.spread().count()));
        let rounds = std::env::var("DM_TEST_COST_ROUNDS").ok().and_then(|n| n.parse().ok());
        for _ in 0..rounds.unwrap_or(0) {
            let began = Instant::now();
            count(&stats, 20_000);
            println!("{:.1} ns for a transaction", began.elapsed().as_nanos() as f64 / 1e6);
        }
    }

    #[test]
    fn what_is_finished_is_told_by_table_and_queue() {
        let finished = Finished::default();
        let counts = |inserted| RowCounts { inserted, ..RowCounts::default() };
        let table = |n: usize| TableName::new("a", format!("t{n:03}"));
        finished.add(Some(9), &[(table(0), counts(5)), (table(1), counts(1))]);
        finished.add(Some(1), &[(table(0), counts(2))]);
        finished.add(None, &[(table(0), counts(3))]);
        assert_eq!(
            finished.all(),
            [
                (table(0), Some(1), counts(7)),
                (table(0), None, counts(3)),
                (table(1), Some(1), counts(1)),
            ]
        );
        // Beyond a number tables have no lines of their own, and what is in them is counted.
        for n in 0..2 * TABLES_MAX {
            finished.add(Some(0), &[(table(n), counts(1))]);
        }
        let all = finished.all();
        assert!(all.len() <= TABLES_MAX + 4, "{}", all.len());
        let sum: u64 = all.iter().map(|(_, _, n)| n.inserted).sum();
        assert_eq!(sum, 11 + 2 * TABLES_MAX as u64);
    }

    #[test]
    fn what_the_workers_could_do() {
        let meters = Meters::default();
        assert!(meters.ideal_rows_per_second() < 0.5, "nothing is known");
        meters.workers.store(4, Ordering::Relaxed);
        for worker in 0..2 {
            meters.batch(worker, 500, 3);
            meters.txn.took(std::time::Duration::from_millis(500), 1);
        }
        assert!((meters.ideal_rows_per_second() - 4_000.0).abs() < 1.0);
    }
}
