//! Watching and stopping a running migration.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::status::{SourceStatus, TaskStatus};
use crate::config::TaskPlan;
use crate::pipeline::covers;
use crate::position::Position;

/// A handle to a migration; clones share it.
///
/// It may be asked before, during and after a run, from any thread, and never waits for a server.
#[derive(Clone)]
pub struct Control {
    shared: Arc<Shared>,
}

struct Shared {
    /// Of the present run or the next one. Each has a flag of its own: a thread that outlives its
    /// run must not find it taken back.
    stop: Mutex<Arc<AtomicBool>>,
    inner: Mutex<Inner>,
    changed: Condvar,
}

struct Inner {
    status: TaskStatus,
    phase: Phase,
}

/// Where the migration is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It has not run yet.
    New,
    Running,
    Ended,
}

/// How [`Control::wait_for`] came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Waited {
    /// Everything up to the position is in the target.
    Reached,
    /// The run ended before it got there.
    Ended,
    /// Patience ran out first.
    TimedOut,
}

impl Control {
    pub(super) fn new(plan: &TaskPlan) -> Self {
        let sources = plan
            .sources
            .iter()
            .filter(|s| s.enabled)
            .map(|s| SourceStatus::new(&s.source_id))
            .collect();
        let status = TaskStatus { task: plan.name.clone(), sources };
        Self {
            shared: Arc::new(Shared {
                stop: Mutex::default(),
                inner: Mutex::new(Inner { status, phase: Phase::New }),
                changed: Condvar::new(),
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.shared.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the migration to stop at the next safe point. Returns at once; `run` returns when it
    /// has stopped. Asked before a run, that run stops as soon as it begins.
    pub fn stop(&self) {
        self.stop_flag().store(true, Ordering::Relaxed);
    }

    /// How every source stands.
    pub fn status(&self) -> TaskStatus {
        self.lock().status.clone()
    }

    /// Waits until everything that `source` wrote up to `position` is in the target, but no longer
    /// than `patience`. Before the migration runs it waits for the run to begin.
    ///
    /// What arrived is known when the position is saved, so the answer may come up to a second
    /// late. A source that is not part of the migration is never waited for: that is
    /// [`Waited::Ended`].
    pub fn wait_for(&self, source: &str, position: &Position, patience: Duration) -> Waited {
        let deadline = Instant::now().checked_add(patience);
        let mut inner = self.lock();
        loop {
            let Some(status) = inner.status.sources.iter().find(|s| s.source == source) else {
                return Waited::Ended;
            };
            if covers(&status.position, position) {
                return Waited::Reached;
            }
            if inner.phase == Phase::Ended {
                return Waited::Ended;
            }
            let left = match deadline {
                None => patience,
                Some(deadline) => deadline.saturating_duration_since(Instant::now()),
            };
            if left.is_zero() {
                return Waited::TimedOut;
            }
            inner = match self.shared.changed.wait_timeout(inner, left) {
                Ok((inner, _)) => inner,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    pub(super) fn begin(&self) {
        self.lock().phase = Phase::Running;
    }

    /// The run is over; the next one is not stopped by what stopped this one.
    pub(super) fn end(&self) {
        *self.shared.stop.lock().unwrap_or_else(PoisonError::into_inner) = Arc::default();
        self.lock().phase = Phase::Ended;
        self.shared.changed.notify_all();
    }

    pub(super) fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.shared.stop.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn update(&self, source: usize, f: impl FnOnce(&mut SourceStatus)) {
        if let Some(status) = self.lock().status.sources.get_mut(source) {
            f(status);
        }
        self.shared.changed.notify_all();
    }
}
