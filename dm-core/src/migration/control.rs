//! Watching and stopping a running migration.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::status::{SourceStatus, TaskStatus};
use crate::config::TaskPlan;

/// A handle to a migration; clones share it.
#[derive(Clone)]
pub struct Control {
    shared: Arc<Shared>,
}

struct Shared {
    stop: Arc<AtomicBool>,
    status: Mutex<TaskStatus>,
}

impl Control {
    pub(super) fn new(plan: &TaskPlan) -> Self {
        let sources = plan
            .sources
            .iter()
            .filter(|s| s.enabled)
            .map(|s| SourceStatus::new(&s.source_id))
            .collect();
        Self {
            shared: Arc::new(Shared {
                stop: Arc::default(),
                status: Mutex::new(TaskStatus { task: plan.name.clone(), sources }),
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, TaskStatus> {
        self.shared.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the migration to stop at the next safe point. Returns at once; `run` returns when it
    /// has stopped.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }

    /// How every source stands.
    pub fn status(&self) -> TaskStatus {
        self.lock().clone()
    }

    pub(super) fn begin(&self) {
        self.shared.stop.store(false, Ordering::Relaxed);
    }

    pub(super) fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.shared.stop)
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }

    pub(super) fn update(&self, source: usize, f: impl FnOnce(&mut SourceStatus)) {
        if let Some(status) = self.lock().sources.get_mut(source) {
            f(status);
        }
    }
}
