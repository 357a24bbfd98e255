//! Counting how long things take and how large they are, without anybody waiting for anybody.
//!
//! A [`Histogram`] is a row of counters: to observe is to add to one of them, to look is to read them all.
//! What happens for every event of a binlog is not measured every time, because reading the clock is not
//! free: a `Sampler` picks the first few hundred and then one of sixteen, which counts sixteenfold, so that
//! sums and rates stay what they are.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// Buckets with a bound; one without follows them.
pub const BUCKETS: usize = 25;

/// What a histogram measures: the bound of its first bucket. Each further one is twice the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Times, in nanoseconds, shown in seconds: from 5 microseconds to 84 seconds, as in DM.
    Time,
    /// Bytes: from 16 to 268 MB.
    Bytes,
    /// Things: from 1 to 16.8 million.
    Count,
}

impl Scale {
    fn first(self) -> u64 {
        match self {
            Self::Time => 5_000,
            Self::Bytes => 16,
            Self::Count => 1,
        }
    }

    /// What a value is called by who reads the histogram.
    fn shown(self, value: u64) -> f64 {
        match self {
            Self::Time => value as f64 / 1e9,
            Self::Bytes | Self::Count => value as f64,
        }
    }

    /// Which bucket a value falls into.
    fn bucket(self, value: u64) -> usize {
        let steps = value.div_ceil(self.first()).saturating_sub(1);
        let doublings = u64::BITS - steps.leading_zeros();
        usize::try_from(doublings).unwrap_or(BUCKETS).min(BUCKETS)
    }
}

/// How often a value fell into each of some ranges.
#[derive(Debug)]
pub struct Histogram {
    scale: Scale,
    counts: [AtomicU64; BUCKETS + 1],
    sum: AtomicU64,
}

impl Histogram {
    /// An empty one.
    pub const fn new(scale: Scale) -> Self {
        Self { scale, counts: [const { AtomicU64::new(0) }; BUCKETS + 1], sum: AtomicU64::new(0) }
    }

    /// Counts a value that stands for `weight` such values.
    pub fn observe(&self, value: u64, weight: u64) {
        if let Some(count) = self.counts.get(self.scale.bucket(value)) {
            count.fetch_add(weight, Ordering::Relaxed);
        }
        self.sum.fetch_add(value.saturating_mul(weight), Ordering::Relaxed);
    }

    /// Counts a span of time.
    pub fn took(&self, span: Duration, weight: u64) {
        self.observe(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX), weight);
    }

    /// Does something, and counts how long it took.
    pub fn time<T>(&self, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let done = work();
        self.took(began.elapsed(), 1);
        done
    }

    /// How it stands.
    pub fn spread(&self) -> Spread {
        let counts = self.counts.iter().map(|c| c.load(Ordering::Relaxed));
        let sum = self.scale.shown(self.sum.load(Ordering::Relaxed));
        let bounds = (0..BUCKETS).map(|n| self.scale.shown(self.scale.first() << n));
        Spread { bounds: bounds.collect(), counts: counts.collect(), sum }
    }
}

/// A histogram at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Spread {
    /// Up to where each bucket goes, itself included.
    pub bounds: Vec<f64>,
    /// How many values fell into each bucket, and last how many were beyond all bounds.
    pub counts: Vec<u64>,
    /// Sum of all values.
    pub sum: f64,
}

impl Spread {
    /// How many values there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// The first so many things are all measured,
const ALL: u64 = 512;
/// then one of so many.
const ONE_OF: u64 = 16;

/// Which of many like things are measured.
#[derive(Debug, Default)]
pub(crate) struct Sampler(u64);

impl Sampler {
    /// How many things the next one stands for; 0 when it is not to be measured.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(1);
        if self.0 <= ALL { 1 } else { ONE_OF * u64::from(self.0.is_multiple_of(ONE_OF)) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_fall_where_they_belong() {
        let spans = Histogram::new(Scale::Time);
        for micros in [0, 5, 6, 10, 11, 100_000_000] {
            spans.took(Duration::from_micros(micros), 1);
        }
        let spread = spans.spread();
        assert_eq!(spread.bounds[..3], [0.000_005, 0.000_01, 0.000_02]);
        assert_eq!(spread.counts[..4], [2, 2, 1, 0]);
        assert_eq!((spread.counts[BUCKETS], spread.count()), (1, 6), "84 seconds are the last");
        assert!((spread.sum - 100.000_032).abs() < 1e-9, "{}", spread.sum);
    }

    #[test]
    fn a_sample_stands_for_those_that_are_passed_over() {
        let mut sampler = Sampler::default();
        let all = 512 + 16 * 1000;
        let weights: Vec<u64> = (0..all).map(|_| sampler.next()).collect();
        assert_eq!(weights.iter().sum::<u64>(), all);
        assert_eq!(weights.iter().filter(|w| **w > 0).count(), 1512);
    }

    proptest! {
        #[test]
        fn a_bucket_holds_what_its_bounds_say(value: u64) {
            for scale in [Scale::Time, Scale::Bytes, Scale::Count] {
                let bucket = scale.bucket(value);
                let bound = |n: usize| scale.first() << n;
                prop_assert!(bucket == BUCKETS || value <= bound(bucket));
                prop_assert!(bucket == 0 || value > bound(bucket - 1));
            }
        }
    }
}
