//! The public face: a migration that a service builds, runs, watches and stops.
//!
//! A [`Migration`] is built from a [`TaskPlan`] and may be given filters, sources or a sink of the
//! embedder's own. [`Migration::run`] blocks until it is done, stopped or failed, and may be
//! called again: it goes on where it stood. [`Migration::spawn`] does the same in a thread of its
//! own. A [`Control`] watches and stops it from anywhere. The library never prints, exits,
//! installs a signal handler or a logger, and never reads the environment.

mod addition;
mod build;
mod builder;
mod checks;
mod command;
mod control;
mod door;
mod forget;
mod import;
mod leave;
mod lot;
mod online;
mod parts;
pub mod refusal;
mod running;
mod source;
mod status;
mod stop;
mod structures;
mod watch;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

pub use self::addition::{Addable, write_down};
pub use self::build::relay_config;
pub use self::builder::MigrationBuilder;
pub use self::command::{Answer, Checked, Command, Reply, Safety, Verb};
pub use self::control::{Control, Waited};
pub use self::forget::{forget_marks, marks_place};
pub use self::import::Imported;
use self::parts::{Part, Parts};
pub use self::running::Running;
pub use self::status::{ErrorCounts, SourceStatus, TaskStatus, Unit};
use crate::config::{SourcePlan, TaskPlan};
use crate::error::{Error, Result, codes};
use crate::source::Source;
use crate::state::{Stage, StateStore};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Everything that the task asks for is done: the copy of a full task, the end of recorded
    /// files, the point that the run was to reach.
    Finished,
    /// It was asked to stop; starting it again goes on. When a server did not answer, what was
    /// under way may have been left behind: marks and fences make that safe, and the next run in
    /// this process begins when its threads have ended.
    Stopped,
}

/// A migration. See the module documentation.
pub struct Migration {
    parts: MigrationBuilder,
    control: Control,
}

impl Migration {
    /// The handle to watch and stop it from other threads.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// What it was built from.
    pub fn plan(&self) -> &TaskPlan {
        &self.parts.plan
    }

    /// A source of the plan, as the migration opens it: for looking at its tables. Nothing is
    /// connected before it is asked something.
    ///
    /// # Errors
    ///
    /// When the plan has no such source, or it is of a kind that cannot be opened.
    pub fn source(&self, id: &str) -> Result<Arc<dyn Source>> {
        let plan = self.source_plan(id)?;
        self.open(plan, &self.creator(plan))
    }

    fn source_plan(&self, id: &str) -> Result<&SourcePlan> {
        let sources = &self.parts.plan.sources;
        sources.iter().find(|s| s.source_id == id).ok_or_else(|| {
            Error::new(&codes::SUBTASK_MISSING, format!("the task has no source {id:?}"))
        })
    }

    /// Runs until everything is done, or it is stopped.
    ///
    /// # Errors
    ///
    /// What a source failed with for good. The state is kept: running again goes on.
    pub fn run(&self) -> Result<Outcome> {
        let result = self.run_once();
        self.control.end();
        result
    }

    /// Runs in a thread of its own.
    ///
    /// # Errors
    ///
    /// When the system has no thread to give; what the run itself fails with, [`Running::join`]
    /// tells.
    pub fn spawn(self) -> Result<Running> {
        Running::start(self)
    }

    fn run_once(&self) -> Result<Outcome> {
        let plan = &self.parts.plan;
        let state = Arc::new(match &self.parts.state_dir {
            Some(dir) => StateStore::open(dir, &plan.name)?,
            None => StateStore::in_memory(&plan.name)?,
        });
        state.set_started(self.parts.config.as_deref())?;
        self.control.begin(&state)?;
        let done = AtomicBool::new(false);
        let this = Self { parts: self.parts.clone(), control: self.control.clone() };
        let result = std::thread::scope(|scope| {
            scope.spawn(|| door::serve(&state, &self.control, &done));
            let result = stop::bounded_run(this, &state, &self.control.stop_flag());
            self.control.leave(&state);
            done.store(true, Ordering::Relaxed);
            result
        });
        let stage = match &result {
            Ok(Outcome::Finished) => Stage::Finished,
            Ok(Outcome::Stopped) => Stage::Stopped,
            Err(_) => Stage::Paused,
        };
        state.set_actual(stage)?;
        result
    }

    fn run_with(
        &self,
        state: &Arc<StateStore>,
        stop: &Arc<AtomicBool>,
        first: &OnceLock<Error>,
    ) -> Result<Outcome> {
        let Some((sink, runs)) = self.start(state, stop)? else { return Ok(Outcome::Stopped) };
        let over = AtomicBool::new(false);
        let failure = std::thread::scope(|scope| {
            scope.spawn(|| stop::interrupt_copies(&*sink, &runs, stop, &over));
            let running: Vec<_> = runs
                .iter()
                .map(|run| {
                    scope.spawn(move || {
                        let result = run.named();
                        run.over();
                        if let Err(error) = &result {
                            let _ = first.set(error.clone());
                            // One source that cannot go on stops the run: what it means for the
                            // others is for the operator to say.
                            stop.store(true, Ordering::Relaxed);
                            run.stop_others();
                        }
                        result
                    })
                })
                .collect();
            let mut failure = None;
            let mut stopped = false;
            for thread in running {
                match thread.join() {
                    Ok(Ok(outcome)) => stopped |= outcome == Outcome::Stopped,
                    Ok(Err(error)) => failure = failure.or(Some(error)),
                    Err(_) => failure = failure.or_else(|| Some(panicked())),
                }
            }
            over.store(true, Ordering::Relaxed);
            failure.map_or(Ok(stopped), Err)
        });
        failure.map(|stopped| if stopped { Outcome::Stopped } else { Outcome::Finished })
    }

    /// Connects and checks. A task that an earlier run has begun waits for servers that are away;
    /// a new one says so at once, because its address or password may be wrong. `None` when it was
    /// asked to stop meanwhile.
    fn start(&self, state: &Arc<StateStore>, stop: &Arc<AtomicBool>) -> Result<Option<Parts>> {
        let resume = self.parts.plan.sources.first().map(|s| s.resume);
        let waits = resume.is_some_and(|r| r.enabled) && !state.reader().lanes()?.is_empty();
        let mut wait = resume.map(|r| r.backoff_min).unwrap_or_default();
        loop {
            let error = match self.prepare(state, stop) {
                Ok(parts) => return Ok(Some(parts)),
                Err(error) => error,
            };
            if !(waits && error.is_transient()) {
                if !stop.load(Ordering::Relaxed) {
                    self.control.cannot_begin(state, &error);
                }
                return Err(error);
            }
            if stop.load(Ordering::Relaxed) || self.control.is_ending() {
                return Ok(None);
            }
            let this = source::this_wait(wait, &error);
            log::warn!("starts in {:.1} s after: {error}", this.as_secs_f64());
            self.control.wait_to_begin(state, &error, this, stop);
            wait = resume.map_or(wait, |r| (wait * 2).min(r.backoff_max));
        }
    }
}

fn panicked() -> Error {
    Error::new(&codes::SYNC_PANIC, "the thread of a source ended unexpectedly")
}
