//! What the status tells beside counters: rates, and where the source ends.
//!
//! The end of the source is asked every few seconds on a thread of its own: a source that does not
//! answer must hold up neither the stream nor a stop, so nobody waits for this thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::control::Control;
use super::status::{SourceStatus, Unit};
use crate::source::Source;

/// Between two looks at the flag, and at the counters.
const LOOK: Duration = Duration::from_millis(200);
const RATE_SPAN: Duration = Duration::from_secs(1);
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
        .spawn(move || look(&*source, &control, index, &flag));
    if let Err(error) = spawned {
        log::warn!("nobody watches where the source ends: {error}");
    }
    Watch { over }
}

fn look(source: &dyn Source, control: &Control, index: usize, over: &AtomicBool) {
    let began = Instant::now();
    let mut asked: Option<Instant> = None;
    let mut measured = (began, 0, 0);
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
            control.update(index, |s| rates(s, began, &mut measured));
        }
        std::thread::sleep(LOOK);
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
