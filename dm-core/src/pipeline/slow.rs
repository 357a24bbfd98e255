//! What takes long at the target: logged once, with the place in the binlog that it came from.

use std::time::{Duration, Instant};

use crate::event::Batch;

/// The time after which something is slow; shared by everybody who writes for a task.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Slow(Option<Duration>);

impl Slow {
    /// Slow is what takes at least this many milliseconds; `None` finds nothing slow.
    pub fn new(milliseconds: Option<u64>) -> Self {
        Self(milliseconds.map(Duration::from_millis))
    }

    fn is(self, took: Duration) -> bool {
        self.0.is_some_and(|limit| took >= limit)
    }

    /// Does the work, and logs what it was when it was slow.
    pub fn time<T>(self, work: impl FnOnce() -> T, what: impl FnOnce() -> String) -> T {
        if self.0.is_none() {
            return work();
        }
        let began = Instant::now();
        let done = work();
        self.note(began.elapsed(), what);
        done
    }

    /// Logs what took so long, when that is slow.
    pub fn note(self, took: Duration, what: impl FnOnce() -> String) {
        if self.is(took) {
            log::warn!("slow at the target: {} ms for {}", took.as_millis(), what());
        }
    }
}

/// A batch in one line: how much, of which tables, up to where in the binlog. No values.
pub(crate) fn batch(batch: &Batch) -> String {
    /// More tables than these are counted.
    const NAMED: usize = 5;
    let rows: usize = batch.txns.iter().map(|t| t.rows).sum();
    let mut tables: Vec<String> =
        batch.txns.iter().flat_map(|t| &t.blocks).map(|b| b.plan.target.to_string()).collect();
    tables.sort_unstable();
    tables.dedup();
    let more = tables.len().saturating_sub(NAMED);
    tables.truncate(NAMED);
    let mut names = tables.join(", ");
    if more > 0 {
        names.push_str(&format!(" and {more} more"));
    }
    let end = batch.txns.last().and_then(|t| t.end.binlog.as_ref());
    let end = end.map(ToString::to_string).unwrap_or_default();
    format!("{rows} row change(s) of {} transaction(s) to {names}, up to {end}", batch.txns.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_slow() {
        let (short, long) = (Duration::from_millis(9), Duration::from_millis(10));
        assert!(!Slow::default().is(Duration::MAX));
        assert!(!Slow::new(Some(10)).is(short) && Slow::new(Some(10)).is(long));
        assert!(Slow::new(Some(0)).is(Duration::ZERO));
        assert_eq!(Slow::new(Some(0)).time(|| 3, String::new), 3);
    }
}
