//! How sources stand while their task cannot begin: a server is away, or a check speaks against it.
//!
//! Guarantee: whoever asks finds the error, and no word of an earlier run that sounds as if all were
//! well. Obstacle: the threads of the sources, which tell how they stand, have not begun. Method: what
//! begins the task says it for each source that is wanted to run, as a source's thread says it of an error
//! of its own; the first attempt takes it back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Control, Inner};
use crate::error::Error;
use crate::event::SourceId;
use crate::migration::lot::Doing;
use crate::state::{Stage, StateStore};
use crate::whose;

impl Control {
    /// The task cannot begin, and is not tried again.
    pub(in crate::migration) fn cannot_begin(&self, state: &StateStore, error: &Error) {
        let told = self.lock().stand_at(error, |_| {});
        write(state, &told, error);
    }

    /// The task cannot begin yet: waits until it is to be tried again. A command to resume ends the wait, and
    /// so does the end of the run.
    pub(in crate::migration) fn wait_to_begin(
        &self,
        state: &StateStore,
        error: &Error,
        wait: Duration,
        stop: &AtomicBool,
    ) {
        let told = self.lock().stand_at(error, |doing| *doing = Doing::Waiting);
        write(state, &told, error);
        self.shared.changed.notify_all();
        let deadline = Instant::now() + wait;
        let mut inner = self.lock();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let due = inner.lots.iter().any(|lot| lot.doing == Doing::Due);
            let over = due || left.is_zero() || stop.load(Ordering::Relaxed) || inner.is_ending();
            if inner.settle_waiting(over) {
                self.shared.changed.notify_all();
            }
            if over {
                return;
            }
            inner = self.wait(inner, left);
        }
    }
}

impl Inner {
    /// Notes the error at every source that is wanted to run, and names them.
    fn stand_at(&mut self, error: &Error, doing: impl Fn(&mut Doing)) -> Vec<SourceId> {
        let mut told = Vec::new();
        for (lot, status) in self.lots.iter_mut().zip(&mut self.status.sources) {
            if lot.desired == Stage::Running {
                doing(&mut lot.doing);
                status.stage = Stage::Paused;
                status.error = Some(error.to_string());
                told.push(SourceId::new(status.source.as_str()));
            }
        }
        told
    }

    /// Lets those wait no longer that somebody paused or stopped meanwhile, and when the wait is over all;
    /// true when that was any.
    fn settle_waiting(&mut self, over: bool) -> bool {
        let mut any = false;
        for lot in self.lots.iter_mut().filter(|lot| lot.doing == Doing::Waiting) {
            let wanted = lot.desired == Stage::Running;
            if !wanted || over {
                lot.doing = if wanted { Doing::Due } else { Doing::Rest };
                any = true;
            }
        }
        any
    }
}

fn write(state: &StateStore, sources: &[SourceId], error: &Error) {
    for source in sources {
        // Whoever reads in between finds no pause without its error.
        let written = state
            .set_error(source, Some(error))
            .and_then(|()| state.set_source_actual(source, Stage::Paused));
        if let Err(e) = written {
            whose::of(source.as_str(), || {
                log::warn!("how source {source} stands is not written: {e}")
            });
        }
    }
}
