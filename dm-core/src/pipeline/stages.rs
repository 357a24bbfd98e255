//! Which stage of a stream the others wait for.
//!
//! Each stage adds up the time that it stood still for another one, and workers the time that they
//! were at work at the target. Clocks are read only where somebody is about to wait, so that
//! knowing costs nothing while all flows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The stage that limits a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bottleneck {
    /// Nothing waits: what the source writes arrives as it comes.
    #[default]
    Source,
    /// Reading, decoding and finding out what depends on what: this process.
    Decode,
    /// Transactions that touch the same rows wait for each other.
    Conflict,
    /// The target, which takes its time for what it is given.
    Target,
}

impl Bottleneck {
    /// Its name in status documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Decode => "decode",
            Self::Conflict => "conflict",
            Self::Target => "target",
        }
    }
}

/// What waits before each stage, and which one is the slow one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Queues {
    /// Events that were read from the source and wait to be decoded.
    pub events: usize,
    /// Row changes that wait for a worker.
    pub rows: usize,
    /// Workers that are writing at the target.
    pub busy_workers: usize,
    /// The slow stage since the last look.
    pub bottleneck: Bottleneck,
}

/// Time that stages stood still or worked, in microseconds.
#[derive(Debug, Default)]
pub(crate) struct Stages {
    source: AtomicU64,
    room: AtomicU64,
    conflict: AtomicU64,
    target: AtomicU64,
}

/// What time is spent on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Spent {
    /// The dispatching thread waits for the source.
    WaitingForSource,
    /// The dispatching thread waits for room in a worker's queue.
    WaitingForRoom,
    /// A worker waits for the commit of another.
    WaitingForOthers,
    /// A worker writes.
    Writing,
}

impl Stages {
    fn sum(&self, what: Spent) -> &AtomicU64 {
        match what {
            Spent::WaitingForSource => &self.source,
            Spent::WaitingForRoom => &self.room,
            Spent::WaitingForOthers => &self.conflict,
            Spent::Writing => &self.target,
        }
    }

    /// Runs `f` and adds what it took.
    pub fn time<T>(&self, what: Spent, f: impl FnOnce() -> T) -> T {
        self.timed(what, f).0
    }

    /// The same; tells also what it took.
    pub fn timed<T>(&self, what: Spent, f: impl FnOnce() -> T) -> (T, Duration) {
        let began = Instant::now();
        let result = f();
        let took = began.elapsed();
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.sum(what).fetch_add(micros, Ordering::Relaxed);
        (result, took)
    }

    /// The slow stage of the time since the last call, which lasted `span`.
    pub fn judge(&self, span: Duration) -> Bottleneck {
        let taken = |what| Duration::from_micros(self.sum(what).swap(0, Ordering::Relaxed));
        let source = taken(Spent::WaitingForSource);
        let room = taken(Spent::WaitingForRoom);
        let others = taken(Spent::WaitingForOthers);
        let writing = taken(Spent::Writing);
        if room > span / 4 {
            // Room is made by workers alone: either they write, or they wait for each other.
            if others > writing { Bottleneck::Conflict } else { Bottleneck::Target }
        } else if source > span / 4 {
            Bottleneck::Source
        } else {
            Bottleneck::Decode
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_waited_for_is_the_slow_one() {
        let second = Duration::from_secs(1);
        let spent = |times: &[(Spent, u64)]| {
            let stages = Stages::default();
            for (what, ms) in times {
                stages.sum(*what).fetch_add(ms * 1000, Ordering::Relaxed);
            }
            stages.judge(second)
        };
        assert_eq!(spent(&[]), Bottleneck::Decode);
        assert_eq!(spent(&[(Spent::WaitingForSource, 900)]), Bottleneck::Source);
        let full = (Spent::WaitingForRoom, 600);
        assert_eq!(spent(&[full, (Spent::Writing, 3000)]), Bottleneck::Target);
        let waits = (Spent::WaitingForOthers, 5000);
        assert_eq!(spent(&[full, waits, (Spent::Writing, 3000)]), Bottleneck::Conflict);
    }

    #[test]
    fn a_look_begins_anew() {
        let stages = Stages::default();
        stages.sum(Spent::WaitingForSource).store(u64::MAX / 2, Ordering::Relaxed);
        assert_eq!(stages.judge(Duration::from_secs(1)), Bottleneck::Source);
        assert_eq!(stages.judge(Duration::from_secs(1)), Bottleneck::Decode);
    }
}
