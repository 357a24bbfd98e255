//! Counters of the full copy.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::meters::Meters;
use crate::position::Position;
use crate::state::CopyTotals;

/// Counters that the copy's workers write and status reads.
#[derive(Debug)]
pub(crate) struct CopyStats {
    tables: AtomicU64,
    tables_done: AtomicU64,
    rows_estimated: AtomicU64,
    bytes_estimated: AtomicU64,
    rows_before: AtomicU64,
    bytes_before: AtomicU64,
    rows: AtomicU64,
    bytes: AtomicU64,
    duplicates: AtomicU64,
    means: Mutex<String>,
    position: Mutex<Position>,
    began: Instant,
    /// What is measured; it outlives the copy.
    pub meters: Arc<Meters>,
}

/// The same at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct CopyCounts {
    /// Tables of the copy.
    pub tables: u64,
    /// Tables that are finished.
    pub tables_done: u64,
    /// Rows that the source estimates.
    pub rows_estimated: u64,
    /// Bytes that the source estimates.
    pub bytes_estimated: u64,
    /// Rows that earlier runs had written.
    pub rows_before: u64,
    /// Bytes of cell data that earlier runs had written.
    pub bytes_before: u64,
    /// Rows written in this run.
    pub rows: u64,
    /// Bytes of cell data written in this run.
    pub bytes: u64,
    /// Rows that were there already and were kept or replaced.
    pub duplicates: u64,
    /// How position and rows were tied together.
    pub means: String,
    /// Where the stream begins after the copy; empty before it is known.
    pub position: Position,
    /// Seconds since the copy began in this run.
    pub seconds: f64,
}

impl CopyCounts {
    /// Rows written, in this run and before.
    pub fn all_rows(&self) -> u64 {
        self.rows_before + self.rows
    }

    /// Bytes of cell data written, in this run and before.
    pub fn all_bytes(&self) -> u64 {
        self.bytes_before + self.bytes
    }
}

impl Default for CopyStats {
    fn default() -> Self {
        Self {
            tables: AtomicU64::new(0),
            tables_done: AtomicU64::new(0),
            rows_estimated: AtomicU64::new(0),
            bytes_estimated: AtomicU64::new(0),
            rows_before: AtomicU64::new(0),
            bytes_before: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            duplicates: AtomicU64::new(0),
            means: Mutex::default(),
            position: Mutex::default(),
            began: Instant::now(),
            meters: Arc::default(),
        }
    }
}

impl CopyStats {
    /// Those of a new copy of a source of which this is measured.
    pub fn of(meters: Arc<Meters>) -> Self {
        Self { meters, ..Self::default() }
    }

    /// A snapshot is there; the stream begins at `first`, where the first one of the copy stood.
    pub fn snapshot(&self, means: &str, first: &Position) {
        means.clone_into(&mut self.means.lock().unwrap_or_else(PoisonError::into_inner));
        first.clone_into(&mut self.position.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The copy as the state file has it, when a round of it begins.
    pub fn begin(&self, all: &CopyTotals) {
        let set = |counter: &AtomicU64, value| counter.store(value, Ordering::Relaxed);
        if self.tables.load(Ordering::Relaxed) == 0 {
            set(&self.rows_before, all.rows_done);
            set(&self.bytes_before, all.bytes_done);
        }
        set(&self.rows_estimated, all.rows);
        set(&self.bytes_estimated, all.bytes);
        set(&self.tables_done, all.tables_done);
        set(&self.tables, all.tables);
    }

    pub fn chunk(&self, rows: u64, bytes: u64, duplicates: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.duplicates.fetch_add(duplicates, Ordering::Relaxed);
    }

    pub fn tables_done(&self, n: usize) {
        self.tables_done.fetch_add(n as u64, Ordering::Relaxed);
    }

    pub fn counts(&self) -> CopyCounts {
        let get = |c: &AtomicU64| c.load(Ordering::Relaxed);
        CopyCounts {
            tables: get(&self.tables),
            tables_done: get(&self.tables_done),
            rows_estimated: get(&self.rows_estimated),
            bytes_estimated: get(&self.bytes_estimated),
            rows_before: get(&self.rows_before),
            bytes_before: get(&self.bytes_before),
            rows: get(&self.rows),
            bytes: get(&self.bytes),
            duplicates: get(&self.duplicates),
            means: self.means.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            position: self.position.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            seconds: self.began.elapsed().as_secs_f64(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(tables_done: u64, rows_done: u64) -> CopyTotals {
        let bytes_done = 10 * rows_done;
        CopyTotals { tables: 3, tables_done, rows: 300, bytes: 3_000, rows_done, bytes_done }
    }

    #[test]
    fn a_run_that_goes_on_counts_from_where_the_last_one_ended() {
        let stats = CopyStats::default();
        stats.begin(&done(1, 150));
        stats.chunk(50, 500, 0);
        let now = stats.counts();
        assert_eq!((now.tables, now.tables_done, now.rows_estimated), (3, 1, 300));
        assert_eq!((now.rows, now.all_rows(), now.all_bytes()), (50, 200, 2_000));
        // A new snapshot of the same run.
        stats.begin(&done(2, 200));
        let now = stats.counts();
        assert_eq!((now.tables_done, now.rows, now.all_rows()), (2, 50, 200));
    }
}
