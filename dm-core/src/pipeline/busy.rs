//! Since when a worker has been at its present batch, for who looks from outside.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Zero while it is idle, else milliseconds of this process's life.
#[derive(Debug, Default)]
pub(crate) struct Busy(AtomicU64);

fn now() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let lived = START.get_or_init(Instant::now).elapsed().as_millis();
    u64::try_from(lived).unwrap_or(u64::MAX).saturating_add(1)
}

impl Busy {
    /// A batch begins.
    pub fn begin(&self) {
        self.0.store(now(), Ordering::Relaxed);
    }

    /// It has ended.
    pub fn end(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// True while there is a batch.
    pub fn is_busy(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }

    /// True when the present batch has taken longer than this.
    pub fn is_slow(&self, limit: Duration) -> bool {
        let since = self.0.load(Ordering::Relaxed);
        since != 0 && u128::from(now().saturating_sub(since)) > limit.as_millis()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_slow_once_it_has_taken_longer() {
        let busy = Busy::default();
        assert!(!busy.is_busy() && !busy.is_slow(Duration::ZERO));
        busy.begin();
        assert!(busy.is_busy() && !busy.is_slow(Duration::from_secs(3600)));
        busy.end();
        assert!(!busy.is_busy());
    }
}
