//! A stop that ends in time, whatever the servers do.
//!
//! Guarantee: a run that was asked to stop returns within ten seconds. Obstacle: a thread that
//! waits for a server which is gone, frozen or behind a network that swallows packets hears
//! nothing. Method: the work is done on threads of its own. Each part ends by itself where it can
//! (no new work, a moment for what is under way, KILL for what hangs at the target); the copy's
//! connections are killed here. What does not end even then is left behind: its connections write
//! nothing that a mark does not tell of, its successor waits behind the fence, and the run's
//! own stop flag stays set, so that it begins nothing more when it wakes up.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, bounded};

use super::source::SourceRun;
use super::{Migration, Outcome, panicked};
use crate::error::{Error, Result, codes};
use crate::event::LaneId;
use crate::sink::Sink;
use crate::state::StateStore;

/// How often it is looked whether a stop was asked for.
const LOOK: Duration = Duration::from_millis(100);
/// After so long the connections of a copy are killed at the target.
const KILL_AFTER: Duration = Duration::from_secs(3);
/// After so long what still runs is left behind.
const LEAVE_AFTER: Duration = Duration::from_secs(7);

/// Runs a migration on a thread that may be left behind when it is asked to stop.
pub(super) fn bounded_run(
    migration: Migration,
    state: &Arc<StateStore>,
    stop: &Arc<AtomicBool>,
) -> Result<Outcome> {
    let (tell, told) = bounded(1);
    let (theirs, flag) = (Arc::clone(state), Arc::clone(stop));
    let first: Arc<OnceLock<Error>> = Arc::default();
    let failure = Arc::clone(&first);
    std::thread::Builder::new()
        .name("dm-run".to_owned())
        .spawn(move || {
            let run = AssertUnwindSafe(|| migration.run_with(&theirs, &flag, &failure));
            let result = catch_unwind(run).unwrap_or_else(|_| Err(panicked()));
            // Let go of before the run counts as ended, so that the next one may own the state.
            drop((migration, theirs));
            let _ = tell.send(result);
        })
        .map_err(|e| Error::new(&codes::NOT_SET, "cannot start a thread").cause(e))?;
    let mut asked: Option<Instant> = None;
    loop {
        match told.recv_timeout(LOOK) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Disconnected) => return Err(panicked()),
            Err(RecvTimeoutError::Timeout) => {}
        }
        if stop.load(Ordering::Relaxed)
            && asked.get_or_insert_with(Instant::now).elapsed() >= LEAVE_AFTER
        {
            log::warn!("a server does not answer: what waits for it is left behind");
            // One that failed has stopped the others.
            return first.get().map_or(Ok(Outcome::Stopped), |error| Err(error.clone()));
        }
    }
}

/// Kills the connections of copies that do not end; returns when the run is over.
pub(super) fn interrupt_copies(
    sink: &dyn Sink,
    runs: &[SourceRun],
    stop: &AtomicBool,
    over: &AtomicBool,
) {
    let mut asked: Option<Instant> = None;
    while !over.load(Ordering::Relaxed) {
        std::thread::sleep(LOOK);
        if stop.load(Ordering::Relaxed)
            && asked.get_or_insert_with(Instant::now).elapsed() >= KILL_AFTER
        {
            for run in runs {
                sink.interrupt(&run.plan.name, &LaneId::copy(&run.creator.source));
            }
            return;
        }
    }
}
