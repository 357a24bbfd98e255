//! Counters of the full copy.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::meters::Meters;

/// Counters that the copy's workers write and status reads.
#[derive(Debug)]
pub(crate) struct CopyStats {
    tables: AtomicU64,
    tables_done: AtomicU64,
    rows_estimated: AtomicU64,
    bytes_estimated: AtomicU64,
    rows: AtomicU64,
    bytes: AtomicU64,
    duplicates: AtomicU64,
    means: Mutex<String>,
    began: Instant,
    /// What is measured; it outlives the copy.
    pub meters: Arc<Meters>,
}

/// The same at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct CopyCounts {
    /// Tables to copy in this run.
    pub tables: u64,
    /// Tables finished in this run.
    pub tables_done: u64,
    /// Rows that the source estimates.
    pub rows_estimated: u64,
    /// Bytes that the source estimates.
    pub bytes_estimated: u64,
    /// Rows written in this run.
    pub rows: u64,
    /// Bytes of cell data written in this run.
    pub bytes: u64,
    /// Rows that were there already and were kept or replaced.
    pub duplicates: u64,
    /// How position and rows were tied together.
    pub means: String,
    /// Seconds since the copy began in this run.
    pub seconds: f64,
}

impl Default for CopyStats {
    fn default() -> Self {
        Self {
            tables: AtomicU64::new(0),
            tables_done: AtomicU64::new(0),
            rows_estimated: AtomicU64::new(0),
            bytes_estimated: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            duplicates: AtomicU64::new(0),
            means: Mutex::default(),
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

    pub fn means(&self, means: &str) {
        means.clone_into(&mut self.means.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub fn begin(&self, tables: impl Iterator<Item = (u64, u64)>) {
        for (rows, bytes) in tables {
            self.tables.fetch_add(1, Ordering::Relaxed);
            self.rows_estimated.fetch_add(rows, Ordering::Relaxed);
            self.bytes_estimated.fetch_add(bytes, Ordering::Relaxed);
        }
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
            rows: get(&self.rows),
            bytes: get(&self.bytes),
            duplicates: get(&self.duplicates),
            means: self.means.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            seconds: self.began.elapsed().as_secs_f64(),
        }
    }
}
