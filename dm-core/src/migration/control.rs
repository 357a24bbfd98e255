//! Watching and steering a running migration.
//!
//! Guarantee: a command is answered at any time, and a source does what was wanted of it last.
//! Obstacle: the sources' threads wait for servers (a lock, a long ALTER, a network that swallows
//! packets). Method: a command only notes what is wanted and raises the flag of the source's present
//! attempt; it never waits for a server. Each attempt has a flag of its own, so that a thread that
//! was left behind by an earlier one never takes itself for the present one. What is wanted
//! (*desired*) and what is (*actual*) are two columns of the state file; only the desired one is
//! written here, only the actual one by the source's thread.

mod attempts;
mod commands;
mod starting;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub(super) use self::attempts::Next;
pub(super) use self::commands::Pending;
use super::command::{Checked, Safety};
use super::lot::{Doing, Lot};
use super::status::{SourceStatus, TaskStatus};
use crate::config::TaskPlan;
use crate::pipeline::{Meters, covers};
use crate::position::Position;
use crate::state::{Stage, StateStore};

/// A handle to a migration; clones share it.
///
/// It may be asked before, during and after a run, from any thread, and never waits for a server.
#[derive(Clone)]
pub struct Control {
    shared: Arc<Shared>,
}

struct Shared {
    inner: Mutex<Inner>,
    changed: Condvar,
}

struct Inner {
    status: TaskStatus,
    phase: Phase,
    /// The run as a whole was asked to stop.
    stopping: bool,
    /// Of the present run or the next one. Each has a flag of its own: a thread that outlives its
    /// run must not find it taken back.
    stop: Arc<AtomicBool>,
    lots: Vec<Lot>,
    /// Where wishes are written down; only while it runs, as it holds the owner's lock.
    state: Option<Arc<StateStore>>,
    /// What the checks before the present run said.
    checked: Checked,
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
    pub(super) fn new(
        plan: &TaskPlan,
        desired: impl Fn(&str) -> Stage,
        resume: Option<&Safety>,
    ) -> Self {
        let sources = || plan.sources.iter().filter(|s| s.enabled);
        let lot = |source| Lot { resume: resume.cloned(), ..Lot::new(desired(source)) };
        let lots = sources().map(|s| lot(&s.source_id)).collect();
        let sources = sources().map(|s| SourceStatus::new(&s.source_id)).collect();
        let status = TaskStatus { task: plan.name.clone(), sources };
        let inner = Inner {
            status,
            phase: Phase::New,
            stopping: false,
            lots,
            state: None,
            stop: Arc::default(),
            checked: Checked::default(),
        };
        Self { shared: Arc::new(Shared { inner: Mutex::new(inner), changed: Condvar::new() }) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.shared.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the whole migration to stop at the next safe point. Returns at once; `run` returns when
    /// it has stopped. Asked before a run, that run stops as soon as it begins. What is wanted of
    /// the sources stays as it is: this ends the process's part, [`Verb::Stop`](super::Verb::Stop) the task's.
    pub fn stop(&self) {
        let mut inner = self.lock();
        inner.stop_all();
        drop(inner);
        self.shared.changed.notify_all();
    }

    /// True when nothing is wanted any more: it was asked to stop, or every source was.
    pub fn is_ending(&self) -> bool {
        self.lock().is_ending()
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
            inner = self.wait(inner, left);
        }
    }

    fn wait<'a>(&self, inner: MutexGuard<'a, Inner>, patience: Duration) -> MutexGuard<'a, Inner> {
        match self.shared.changed.wait_timeout(inner, patience) {
            Ok((inner, _)) => inner,
            Err(poisoned) => poisoned.into_inner().0,
        }
    }

    /// Waits until something has changed, at most so long.
    pub(super) fn wait_changed(&self, patience: Duration) {
        drop(self.wait(self.lock(), patience));
    }

    /// Keeps what the checks before the run said, for whoever started it.
    pub(super) fn checked(&self, checked: Checked) {
        self.lock().checked = checked;
    }

    /// A run begins; from now on wishes are written into the state.
    pub(super) fn begin(&self, state: &Arc<StateStore>) -> crate::error::Result {
        let mut inner = self.lock();
        inner.phase = Phase::Running;
        inner.state = Some(Arc::clone(state));
        for lot in &mut inner.lots {
            // What finished or failed in an earlier run is looked at again.
            lot.doing = if lot.desired == Stage::Running { Doing::Due } else { Doing::Rest };
            lot.moved = false;
        }
        let all: Vec<usize> = (0..inner.lots.len()).collect();
        inner.write_desired(state, &all)
    }

    /// The run is over; the next one is not stopped by what stopped this one.
    pub(super) fn end(&self) {
        let mut inner = self.lock();
        inner.phase = Phase::Ended;
        inner.stopping = false;
        inner.stop = Arc::default();
        inner.state = None;
        drop(inner);
        self.shared.changed.notify_all();
    }

    /// The flag of the present run or the next one.
    pub(super) fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.lock().stop)
    }

    /// What is measured of a source.
    pub(super) fn meters(&self, source: usize) -> Arc<Meters> {
        let status = self.lock().status.sources.get(source).map(|s| Arc::clone(&s.meters));
        status.unwrap_or_default()
    }

    pub(super) fn update(&self, source: usize, f: impl FnOnce(&mut SourceStatus)) {
        if let Some(status) = self.lock().status.sources.get_mut(source) {
            f(status);
        }
        self.shared.changed.notify_all();
    }
}

impl Inner {
    fn is_ending(&self) -> bool {
        self.stopping || self.lots.iter().all(|lot| lot.desired == Stage::Stopped)
    }

    fn stop_all(&mut self) {
        self.stopping = true;
        self.stop.store(true, Ordering::Relaxed);
        self.lots.iter().for_each(Lot::raise);
    }
}
