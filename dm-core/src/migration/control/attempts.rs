//! What the threads of the sources ask and tell: what to do next, and how an attempt ended.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Control, Inner};
use crate::event::SourceId;
use crate::migration::command::Safety;
use crate::migration::lot::{Doing, Lot};
use crate::state::{Stage, StateStore};
use crate::whose;
/// What the thread of a source does next.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::migration) enum Next {
    /// An attempt; after a resume with what was said about it.
    Attempt(Option<Safety>),
    /// Nothing more in this run.
    End,
}

impl Control {
    /// What the thread of a source does next; waits for a command when there is nothing.
    pub(in crate::migration) fn next(&self, source: usize) -> Next {
        let mut inner = self.lock();
        loop {
            let open = inner.lots.iter().any(Lot::is_open);
            let stopping = inner.stopping;
            let Some(lot) = inner.lots.get_mut(source) else { return Next::End };
            if stopping || (lot.desired == Stage::Stopped && !open) {
                lot.doing = Doing::Over;
                drop(inner);
                self.shared.changed.notify_all();
                return Next::End;
            }
            if lot.doing == Doing::Due && lot.desired == Stage::Running {
                return Next::Attempt(lot.resume.take());
            }
            inner = self.wait(inner, Duration::from_secs(60));
        }
    }

    /// An attempt begins; what stopped the one before is over.
    pub(in crate::migration) fn begin_attempt(&self, source: usize) {
        let mut inner = self.lock();
        let stopping = inner.stopping;
        if let Some(status) = inner.status.sources.get_mut(source) {
            (status.stage, status.error) = (Stage::Running, None);
        }
        if let Some(lot) = inner.lots.get_mut(source) {
            lot.doing = Doing::Working;
            lot.moved = false;
            // A wish that came since the last look holds for this attempt too.
            let stop = stopping || lot.desired != Stage::Running;
            lot.stop = Arc::new(AtomicBool::new(stop));
        }
    }

    /// The attempt has reached its servers and works.
    pub(in crate::migration) fn moved(&self, source: usize) {
        if let Some(lot) = self.lock().lots.get_mut(source) {
            lot.moved = true;
        }
        self.shared.changed.notify_all();
    }

    /// An attempt was ended by its flag; what comes next is told by what is wanted.
    pub(in crate::migration) fn stopped(&self, source: usize) {
        self.settle(
            source,
            |lot| {
                if lot.desired == Stage::Running { Doing::Due } else { Doing::Rest }
            },
        );
    }

    /// An attempt failed, and a person has to act; a wish that came meanwhile holds.
    pub(in crate::migration) fn failed(&self, source: usize) {
        self.settle(source, |lot| if lot.resume.is_some() { Doing::Due } else { Doing::Rest });
    }

    /// The source has nothing more to do in this run.
    pub(in crate::migration) fn over(&self, source: usize) {
        self.settle(source, |_| Doing::Over);
    }

    fn settle(&self, source: usize, doing: impl FnOnce(&Lot) -> Doing) {
        if let Some(lot) = self.lock().lots.get_mut(source) {
            lot.doing = doing(lot);
        }
        self.shared.changed.notify_all();
    }

    /// The run has ended; what a server keeps from ending is left behind, and counts as ended.
    pub(in crate::migration) fn leave(&self, state: &StateStore) {
        let mut inner = self.lock();
        let mut left = Vec::new();
        let Inner { lots, status, .. } = &mut *inner;
        for (lot, status) in lots.iter_mut().zip(&mut status.sources) {
            if !matches!(lot.doing, Doing::Working | Doing::Waiting) {
                continue;
            }
            lot.doing = Doing::Over;
            let stage = if lot.desired == Stage::Paused { Stage::Paused } else { Stage::Stopped };
            if status.stage == Stage::Running {
                status.stage = stage;
                left.push((SourceId::new(status.source.as_str()), stage));
            }
        }
        drop(inner);
        for (source, stage) in left {
            if let Err(error) = state.set_source_actual(&source, stage) {
                let told = || log::warn!("the stage of source {source} is not written: {error}");
                whose::of(source.as_str(), told);
            }
        }
        self.shared.changed.notify_all();
    }

    /// What a resume has to say to whoever asked for it.
    pub(in crate::migration) fn note(&self, source: usize, note: String) {
        if let Some(lot) = self.lock().lots.get_mut(source) {
            lot.note = note;
        }
    }

    /// The stage that is wanted of a source.
    pub(in crate::migration) fn desired(&self, source: usize) -> Stage {
        self.lock().lots.get(source).map_or(Stage::Stopped, |lot| lot.desired)
    }

    /// Waits before the next attempt of a source; a command ends the wait.
    pub(in crate::migration) fn wait_again(&self, source: usize, wait: Duration) {
        let deadline = Instant::now() + wait;
        let mut inner = self.lock();
        if let Some(lot) = inner.lots.get_mut(source) {
            lot.doing = Doing::Waiting;
        }
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(lot) = inner.lots.get_mut(source) else { return };
            if lot.doing != Doing::Waiting {
                return;
            }
            if left.is_zero() || lot.stop.load(Ordering::Relaxed) {
                lot.doing = if lot.desired == Stage::Running { Doing::Due } else { Doing::Rest };
                break;
            }
            inner = self.wait(inner, left);
        }
        drop(inner);
        self.shared.changed.notify_all();
    }

    /// The flag of the present attempt of a source.
    pub(in crate::migration) fn attempt_flag(&self, source: usize) -> Arc<AtomicBool> {
        self.lock().lots.get(source).map(|lot| Arc::clone(&lot.stop)).unwrap_or_default()
    }

    pub(in crate::migration) fn is_stopped(&self, source: usize) -> bool {
        self.lock().lots.get(source).is_none_or(|lot| lot.stop.load(Ordering::Relaxed))
    }
}
