//! Rate limits: how fast rows and bytes may go to the target.
//!
//! One [`Rate`] is shared by all sources and threads of a task. Work is paid for before it is
//! sent: whoever takes more than there is goes into debt and waits until the debt is paid, so that
//! a block larger than the limit passes, and the mean is kept all the same. Nobody waits with a
//! lock held, and a stop ends every wait.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::slow::Slow;
use crate::config::Limits;

/// What may be saved up while nothing flows: short, so that a pause is not followed by a burst
/// that the target feels.
const SAVED: Duration = Duration::from_millis(200);
/// A wait is cut in steps of this length, to notice a stop.
const STEP: Duration = Duration::from_millis(50);

/// A token bucket. It reads no clock: `now` is the time since any fixed moment.
#[derive(Clone, Debug)]
struct Bucket {
    per_second: f64,
    /// What may be taken without waiting; below zero it is debt.
    level: f64,
    at: Duration,
}

impl Bucket {
    fn new(per_second: u64) -> Self {
        Self { per_second: per_second.max(1) as f64, level: 0.0, at: Duration::ZERO }
    }

    /// Takes `amount` and says how long to wait before using it.
    fn take(&mut self, amount: u64, now: Duration) -> Duration {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.at = self.at.max(now);
        let most = self.per_second * SAVED.as_secs_f64();
        self.level = (self.level + passed * self.per_second).min(most) - amount as f64;
        if self.level >= 0.0 {
            return Duration::ZERO;
        }
        Duration::try_from_secs_f64(-self.level / self.per_second).unwrap_or(Duration::MAX)
    }
}

/// The limits of a task, shared by everybody who writes for it.
#[derive(Debug)]
pub(crate) struct Rate {
    began: Instant,
    rows: Option<Mutex<Bucket>>,
    bytes: Option<Mutex<Bucket>>,
    slow: Slow,
}

impl Rate {
    /// The limits of a plan.
    pub fn new(limits: &Limits) -> Self {
        let bucket = |per_second: Option<u64>| per_second.map(|n| Mutex::new(Bucket::new(n)));
        Self {
            began: Instant::now(),
            rows: bucket(limits.max_rows_per_second),
            bytes: bucket(limits.max_bytes_per_second),
            slow: Slow::new(limits.slow_ms),
        }
    }

    /// What counts as slow.
    pub fn slow(&self) -> Slow {
        self.slow
    }

    /// Pays for rows and bytes that are about to be sent; waits as long as that takes, or until
    /// `stop` is true.
    pub fn pay(&self, rows: usize, bytes: usize, stop: &AtomicBool) {
        let mut left = self.price(rows, bytes, self.began.elapsed());
        while !left.is_zero() && !stop.load(Ordering::Relaxed) {
            let step = left.min(STEP);
            std::thread::sleep(step);
            left = left.saturating_sub(step);
        }
    }

    fn price(&self, rows: usize, bytes: usize, now: Duration) -> Duration {
        let take = |bucket: &Option<Mutex<Bucket>>, amount: usize| {
            bucket.as_ref().map_or(Duration::ZERO, |b| {
                let mut bucket = b.lock().unwrap_or_else(PoisonError::into_inner);
                bucket.take(amount as u64, now)
            })
        };
        take(&self.rows, rows).max(take(&self.bytes, bytes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limits(rows: Option<u64>, bytes: Option<u64>) -> Limits {
        Limits {
            max_rows_per_second: rows,
            max_bytes_per_second: bytes,
            max_memory: 1 << 20,
            slow_ms: None,
        }
    }

    #[test]
    fn without_limits_nobody_waits() {
        let rate = Rate::new(&limits(None, None));
        assert_eq!(rate.price(usize::MAX, usize::MAX, Duration::ZERO), Duration::ZERO);
    }

    #[test]
    fn the_slower_limit_counts() {
        let rate = Rate::new(&limits(Some(100), Some(1_000)));
        assert_eq!(rate.price(100, 10_000, Duration::ZERO), Duration::from_secs(10));
        let rate = Rate::new(&limits(Some(100), Some(1_000_000)));
        assert_eq!(rate.price(200, 10, Duration::ZERO), Duration::from_secs(2));
    }

    #[test]
    fn little_is_saved_up() {
        let mut bucket = Bucket::new(1_000);
        let hour = Duration::from_secs(3_600);
        // A fifth of a second's worth is free, the rest is waited for.
        assert_eq!(bucket.take(200, hour), Duration::ZERO);
        assert_eq!(bucket.take(500, hour), Duration::from_millis(500));
    }

    #[test]
    fn a_stop_ends_the_wait() {
        let rate = Rate::new(&limits(Some(1), None));
        let began = Instant::now();
        rate.pay(1_000_000, 0, &AtomicBool::new(true));
        assert!(began.elapsed() < Duration::from_secs(60));
    }

    proptest! {
        /// Whoever waits as told never exceeds the limit, apart from what was saved up.
        #[test]
        fn the_mean_is_kept(
            amounts in prop::collection::vec(1u64..5_000, 1..50),
            per_second in 1u64..10_000,
        ) {
            let mut bucket = Bucket::new(per_second);
            let mut now = Duration::ZERO;
            let mut sent = 0;
            for amount in amounts {
                now += bucket.take(amount, now);
                sent += amount;
                let allowed = per_second as f64 * (now + SAVED).as_secs_f64();
                prop_assert!(sent as f64 <= allowed * 1.000_001 + 1.0, "{sent} after {now:?}");
            }
        }
    }
}
