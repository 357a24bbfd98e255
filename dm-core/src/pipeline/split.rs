//! Transactions that are larger than the target takes in one: how large a part may be.
//!
//! A TiDB bounds its transactions (`txn-total-size-limit`, or its memory for one), by bytes of its own
//! counting. What it refuses is tried in smaller parts, whose size is halved until it is taken. The
//! stream is opened anew for that: marks tell what of a transaction is in.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The largest part that the target may take, as far as it is known.
#[derive(Debug)]
pub(crate) struct Split(AtomicUsize);

impl Default for Split {
    fn default() -> Self {
        Self(AtomicUsize::new(usize::MAX))
    }
}

impl Split {
    /// Bytes of a part; `None` while nothing has been refused: transactions stay whole.
    pub fn limit(&self) -> Option<usize> {
        Some(self.0.load(Ordering::Relaxed)).filter(|limit| *limit < usize::MAX)
    }

    /// So many bytes were too many for one transaction of the target.
    pub fn refused(&self, bytes: usize) {
        self.0.fetch_min(bytes / 2, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_only_get_smaller() {
        let split = Split::default();
        assert_eq!(split.limit(), None);
        split.refused(1_000);
        split.refused(4_000);
        assert_eq!(split.limit(), Some(500));
        split.refused(400);
        assert_eq!(split.limit(), Some(200));
    }
}
