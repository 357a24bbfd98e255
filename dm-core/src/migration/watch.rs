//! What the status tells beside counters: rates, and where the source ends.
//!
//! The end of the source is asked every few seconds on a thread of its own: a source that does not
//! answer must hold up neither the stream nor a stop, so nobody waits for this thread.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::control::Control;
use super::status::{SourceStatus, Unit};
use crate::source::Source;
use crate::whose::carried;

/// Between two looks at the flag, and at the counters.
const LOOK: Duration = Duration::from_millis(200);
const RATE_SPAN: Duration = Duration::from_secs(1);
/// The pace is taken from so many looks.
const PACE: usize = 10;
/// Between two questions to the source.
const ASK: Duration = Duration::from_secs(5);

/// Ends the watch when it is dropped.
pub(super) struct Watch {
    over: Arc<AtomicBool>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// Watches a source until the result is dropped. Without a thread to give there is less status.
pub(super) fn watch(source: &Arc<dyn Source>, control: &Control, index: usize) -> Watch {
    let over = Arc::new(AtomicBool::new(false));
    let (source, control, flag) = (Arc::clone(source), control.clone(), Arc::clone(&over));
    let spawned = std::thread::Builder::new()
        .name("dm-watch".to_owned())
        .spawn(carried(move || look(&*source, &control, index, &flag)));
    if let Err(error) = spawned {
        log::warn!("nobody watches where the source ends: {error}");
    }
    Watch { over }
}

fn look(source: &dyn Source, control: &Control, index: usize, over: &AtomicBool) {
    let began = Instant::now();
    let mut asked: Option<Instant> = None;
    let mut measured = (began, 0, 0);
    let mut lags = Lags::default();
    while !over.load(Ordering::Relaxed) {
        let syncs = control.status().sources.get(index).is_some_and(|s| s.unit == Unit::Sync);
        if syncs && asked.is_none_or(|at| at.elapsed() >= ASK) {
            if let Ok(end) = source.end_position()
                && !over.load(Ordering::Relaxed)
            {
                control.update(index, |s| s.source_end = end);
            }
            asked = Some(Instant::now());
        }
        if measured.0.elapsed() >= RATE_SPAN {
            control.update(index, |s| {
                rates(s, began, &mut measured);
                s.remaining_seconds = lags.remaining(Instant::now(), s.lag_seconds);
            });
        }
        std::thread::sleep(LOOK);
    }
}

/// How far the target was behind in the last seconds.
#[derive(Default)]
struct Lags(VecDeque<(Instant, u64)>);

impl Lags {
    /// Seconds until the lag that falls as it did is none; `None` while it does not fall.
    fn remaining(&mut self, now: Instant, lag: u64) -> Option<u64> {
        self.0.push_back((now, lag));
        while self.0.len() > PACE {
            self.0.pop_front();
        }
        if lag == 0 {
            return Some(0);
        }
        let (then, before) = self.0.front()?;
        let fell = before.checked_sub(lag).filter(|fell| *fell > 0)?;
        let span = now.duration_since(*then).as_secs_f64();
        Some((lag as f64 * span / fell as f64).ceil() as u64)
    }
}

fn rates(status: &mut SourceStatus, began: Instant, measured: &mut (Instant, u64, u64)) {
    let (at, rows_before, bytes_before) = *measured;
    let (rows, bytes) = match status.unit {
        Unit::Sync => (status.stream.rows(), 0),
        _ => (status.copy.rows, status.copy.bytes),
    };
    let span = at.elapsed().as_secs_f64().max(0.001);
    // The unit changed in between: its counter begins at 0.
    let per_second = |now: u64, before: u64| (now.saturating_sub(before) as f64 / span) as u64;
    status.rows_per_second = per_second(rows, rows_before);
    status.bytes_per_second = per_second(bytes, bytes_before);
    status.mean_rows_per_second = (rows as f64 / began.elapsed().as_secs_f64().max(1.0)) as u64;
    *measured = (Instant::now(), rows, bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_remains_is_told_by_how_the_lag_falls() {
        let began = Instant::now();
        let at = |second: u64| began + Duration::from_secs(second);
        let mut lags = Lags::default();
        assert_eq!(lags.remaining(at(0), 100), None, "one look tells nothing");
        assert_eq!(lags.remaining(at(1), 120), None, "it falls back");
        assert_eq!(lags.remaining(at(2), 80), Some(8), "10 in a second");
        assert_eq!(lags.remaining(at(3), 0), Some(0));
    }
}
