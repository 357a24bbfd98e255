//! Counters that workers write and status reads.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use dm_filter::TableName;

use super::meters::Meters;
use super::stages::Stages;
use crate::sink::ApplyStats;

/// Counters of a stream since its start.
#[derive(Debug, Default)]
pub(crate) struct StreamStats {
    events: AtomicU64,
    txns: AtomicU64,
    inserted: AtomicU64,
    updated: AtomicU64,
    deleted: AtomicU64,
    ddls: AtomicU64,
    filtered: AtomicU64,
    wild: AtomicU64,
    missing: Mutex<HashMap<TableName, u64>>,
    /// Who waits for whom.
    pub stages: Stages,
    /// What is measured; it outlives the stream.
    pub meters: Arc<Meters>,
}

/// The same at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamCounts {
    /// Events read.
    pub events: u64,
    /// Transactions applied.
    pub txns: u64,
    /// Rows inserted.
    pub inserted: u64,
    /// Rows updated.
    pub updated: u64,
    /// Rows deleted.
    pub deleted: u64,
    /// Statements run.
    pub ddls: u64,
    /// Row changes that filters dropped.
    pub filtered: u64,
    /// Transactions with a key whose equality only the target knows (text beyond ASCII, a collation with
    /// rules of its own): they take that index for themselves while they are under way. Not counted with
    /// one worker.
    pub wild: u64,
    /// Updated or deleted rows that the target did not have, by target table.
    pub missing: Vec<(TableName, u64)>,
}

impl StreamCounts {
    /// Rows changed at the target.
    pub fn rows(&self) -> u64 {
        self.inserted + self.updated + self.deleted
    }
}

impl StreamStats {
    /// Those of a new stream of a source of which this is measured.
    pub fn of(meters: Arc<Meters>) -> Self {
        Self { meters, ..Self::default() }
    }

    pub fn event(&self) {
        self.events.fetch_add(1, Ordering::Relaxed);
    }

    pub fn ddl(&self) {
        self.ddls.fetch_add(1, Ordering::Relaxed);
    }

    pub fn filtered(&self, rows: u64) {
        self.filtered.fetch_add(rows, Ordering::Relaxed);
    }

    pub fn wild(&self) {
        self.wild.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts what a worker has written; `worker` is none for what the reader writes itself.
    pub fn applied(&self, worker: Option<u32>, txns: usize, stats: &ApplyStats) {
        self.meters.finished.add(worker, &stats.tables);
        self.txns.fetch_add(txns as u64, Ordering::Relaxed);
        self.inserted.fetch_add(stats.inserted, Ordering::Relaxed);
        self.updated.fetch_add(stats.updated, Ordering::Relaxed);
        self.deleted.fetch_add(stats.deleted, Ordering::Relaxed);
        if stats.missing.is_empty() {
            return;
        }
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        for (table, n) in &stats.missing {
            let count = missing.entry(table.clone()).or_default();
            if *count == 0 {
                log::warn!(
                    "{n} row(s) that the source changed or deleted are not in target table {table}"
                );
            }
            *count += n;
        }
    }

    pub fn counts(&self) -> StreamCounts {
        let missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        let get = |c: &AtomicU64| c.load(Ordering::Relaxed);
        let mut missing: Vec<_> = missing.iter().map(|(t, n)| (t.clone(), *n)).collect();
        missing.sort();
        StreamCounts {
            events: get(&self.events),
            txns: get(&self.txns),
            inserted: get(&self.inserted),
            updated: get(&self.updated),
            deleted: get(&self.deleted),
            ddls: get(&self.ddls),
            filtered: get(&self.filtered),
            wild: get(&self.wild),
            missing,
        }
    }
}
