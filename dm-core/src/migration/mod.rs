//! The public face: a migration that a service builds, runs, watches and stops.
//!
//! A [`Migration`] is built from a [`TaskPlan`] and may be given filters, sources or a sink of the
//! embedder's own. [`Migration::run`] blocks until it is done, stopped or failed, and may be
//! called again: it goes on where it stood. [`Migration::spawn`] does the same in a thread of its
//! own. A [`Control`] watches and stops it from anywhere. The library never prints, exits,
//! installs a signal handler or a logger, and never reads the environment.

mod addition;
mod build;
mod checks;
mod command;
mod control;
mod door;
mod forget;
mod import;
mod leave;
mod lot;
mod online;
pub mod refusal;
mod running;
mod source;
mod status;
mod stop;
mod structures;
mod watch;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use dm_filter::{Chain, Filter};

pub use self::addition::{Addable, write_down};
pub use self::build::relay_config;
pub use self::command::{Answer, Checked, Command, Reply, Safety, Verb};
pub use self::control::{Control, Waited};
pub use self::forget::{forget_marks, marks_place};
pub use self::import::Imported;
pub use self::running::Running;
use self::source::SourceRun;
pub use self::status::{ErrorCounts, SourceStatus, TaskStatus, Unit};
use crate::config::{CollationMode, ShardMode, SourceKind, SourcePlan, TaskPlan};
use crate::error::{Error, Result, codes};
use crate::event::{LaneId, SourceId};
use crate::pipeline::defaults::defaults_of;
use crate::pipeline::{Creator, LanePart, MergedTargets, Of, Rate, Until};
use crate::sink::Sink;
use crate::source::Source;
use crate::state::{Stage, StateStore};
use crate::whose;

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

/// What a run works with: its target, and a part for each source.
type Parts = (Arc<dyn Sink>, Vec<SourceRun>);

/// Builds a [`Migration`].
#[derive(Clone)]
pub struct MigrationBuilder {
    plan: Arc<TaskPlan>,
    state_dir: Option<PathBuf>,
    filters: Vec<Arc<dyn Filter>>,
    sources: HashMap<SourceId, Arc<dyn Source>>,
    sink: Option<Arc<dyn Sink>>,
    until: Until,
    stages: HashMap<String, Stage>,
    stays: bool,
    resume: Option<Safety>,
    start_time: Option<u32>,
    config: Option<String>,
}

impl MigrationBuilder {
    /// Keeps the state in `<dir>/<task>.db`; without it the state lives in memory and a restart
    /// of the process begins anew.
    #[must_use]
    pub fn state_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(dir.into());
        self
    }

    /// Adds a filter for all sources, beside those of the plan. The strongest verdict wins.
    #[must_use]
    pub fn filter(mut self, filter: impl Filter + 'static) -> Self {
        self.filters.push(Arc::new(filter));
        self
    }

    /// Uses this source for an instance of the plan, in place of the one that its file names.
    #[must_use]
    pub fn source(mut self, id: impl Into<Arc<str>>, source: Arc<dyn Source>) -> Self {
        self.sources.insert(SourceId::new(id), source);
        self
    }

    /// Uses this sink in place of the one that `target-database` names.
    #[must_use]
    pub fn sink(mut self, sink: Arc<dyn Sink>) -> Self {
        self.sink = Some(sink);
        self
    }

    /// How far to run; until it is stopped when nothing is said.
    #[must_use]
    pub fn until(mut self, until: Until) -> Self {
        self.until = until;
        self
    }

    /// Begins with a source paused or stopped; without a word it runs. See [`Control::command`] for
    /// how it goes on.
    #[must_use]
    pub fn begin_as(mut self, source: impl Into<String>, stage: Stage) -> Self {
        self.stages.insert(source.into(), stage);
        self
    }

    /// A source that cannot go on pauses, and the run stays, for the other sources and for a resume,
    /// until all sources are finished or stopped. What a person need not repair is tried again
    /// by itself. Without this the run ends with the first error that does not pass.
    #[must_use]
    pub fn stays(mut self, stays: bool) -> Self {
        self.stays = stays;
        self
    }

    /// Follows the binlog from this second (since the epoch) on, in place of `meta`: for a source
    /// in mode incremental that has no position yet.
    #[must_use]
    pub fn start_time(mut self, second: u32) -> Self {
        self.start_time = Some(second);
        self
    }

    /// Begins as a resume does: see [`Verb::Resume`].
    #[must_use]
    pub fn resume(mut self, safety: Safety) -> Self {
        self.resume = Some(safety);
        self
    }

    /// Keeps a text with the state for whoever starts the task again; no readable password may be
    /// in it. See [`crate::state::TaskRow::config`].
    #[must_use]
    pub fn keep_config(mut self, config: impl Into<String>) -> Self {
        self.config = Some(config.into());
        self
    }

    /// The migration. Nothing is connected or written yet.
    pub fn build(self) -> Migration {
        let stages = &self.stages;
        let control = Control::new(
            &self.plan,
            |source| stages.get(source).copied().unwrap_or(Stage::Running),
            self.resume.as_ref(),
        );
        Migration { parts: self, control }
    }
}

/// A source of the plan, as the migration opens it.
type Part<'a> = (&'a SourcePlan, Arc<dyn Source>, Creator);

/// A migration. See the module documentation.
pub struct Migration {
    parts: MigrationBuilder,
    control: Control,
}

impl Migration {
    /// Begins to build a migration for a plan.
    pub fn builder(plan: TaskPlan) -> MigrationBuilder {
        MigrationBuilder {
            plan: Arc::new(plan),
            state_dir: None,
            filters: Vec::new(),
            sources: HashMap::new(),
            sink: None,
            until: Until::Stopped,
            stages: HashMap::new(),
            stays: false,
            resume: None,
            start_time: None,
            config: None,
        }
    }

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

    fn prepare(&self, state: &Arc<StateStore>, stop: &Arc<AtomicBool>) -> Result<Parts> {
        let plan = &self.parts.plan;
        let sink = match &self.parts.sink {
            Some(sink) => Arc::clone(sink),
            None => build::sink(plan)?,
        };
        let parts = self.parts()?;
        self.precheck(state, &parts, &sink)?;
        let runs = self.sources(state, &sink, stop, parts)?;
        // Only when the sources are as they must be: nothing is written for a task that cannot run.
        sink.prepare(&plan.name, state.identity())?;
        Ok((sink, runs))
    }

    fn creator(&self, plan: &SourcePlan) -> Creator {
        let mut chain = Chain::new().with(Arc::clone(&plan.filter));
        for filter in &self.parts.filters {
            chain.push(Arc::clone(filter));
        }
        Creator {
            source: SourceId::new(plan.source_id.as_str()),
            filter: Arc::new(chain),
            router: plan.router.clone(),
            select: plan.dump.select.clone(),
            merged: Arc::default(),
            collations: None,
            online: self.parts.plan.online_ddl.clone().map(Arc::new),
            part: LanePart::All,
        }
    }

    fn open(&self, plan: &SourcePlan, creator: &Creator) -> Result<Arc<dyn Source>> {
        match self.parts.sources.get(&creator.source) {
            Some(source) => Ok(Arc::clone(source)),
            None => {
                let source = build::source(&self.parts.plan, plan, creator)?;
                Ok(build::relayed(source, plan, creator, self.parts.state_dir.as_deref()))
            }
        }
    }

    /// The sources that take part, each with what its tables become.
    fn parts(&self) -> Result<Vec<Part<'_>>> {
        let mut parts = Vec::new();
        for source_plan in self.parts.plan.sources.iter().filter(|s| s.enabled) {
            let creator = self.creator(source_plan);
            let source = self.open(source_plan, &creator)?;
            parts.push((source_plan, source, creator));
        }
        Ok(parts)
    }

    fn sources(
        &self,
        state: &Arc<StateStore>,
        sink: &Arc<dyn Sink>,
        stop: &Arc<AtomicBool>,
        parts: Vec<Part<'_>>,
    ) -> Result<Vec<SourceRun>> {
        let plan = &self.parts.plan;
        let merged = MergedTargets::new(plan.shard_mode != ShardMode::None);
        for (_, source, creator) in &parts {
            let wanted = creator.clone();
            let named = |e: Error| e.context(format!("source {}", creator.source));
            let tell = || online::tell(plan, &**source, creator, state);
            whose::of(creator.source.as_str(), tell).map_err(named)?;
            let folds = source.info().map_err(named)?.lower_case_table_names != 0;
            let now = source.tables(&move |t| wanted.wants(t)).map_err(named)?;
            // Some that the stream has still to read about are gone by now.
            let then = state.reader().tracked_names(&LaneId::main(&creator.source))?;
            for table in now.into_iter().chain(then.into_iter().filter(|t| creator.wants(t))) {
                merged.add(Of { source: &creator.source, folds }, &table, creator.place(&table)?);
            }
        }
        let merged = Arc::new(merged);
        let rate = Arc::new(Rate::new(&plan.limits));
        parts
            .into_iter()
            .enumerate()
            .map(|(index, (source_plan, source, creator))| {
                let collations = match plan.collation {
                    CollationMode::Strict => Some(Arc::new(defaults_of(&source.info()?))),
                    CollationMode::Loose => None,
                };
                Ok(SourceRun {
                    index,
                    beside: self.open_beside(source_plan, &creator)?,
                    plan: Arc::clone(plan),
                    settings: build::settings(plan, source_plan, &sink.guarantees()),
                    meta: source_plan.meta.clone(),
                    resume: source_plan.resume,
                    source,
                    sink: Arc::clone(sink),
                    state: Arc::clone(state),
                    creator: Creator { merged: Arc::clone(&merged), collations, ..creator },
                    rate: Arc::clone(&rate),
                    control: self.control.clone(),
                    stop: Arc::clone(stop),
                    until: self.parts.until.clone(),
                    start_time: self.parts.start_time,
                    stays: self.parts.stays,
                    watched: self.parts.state_dir.is_some(),
                })
            })
            .collect()
    }

    /// A source once more, for what is read of it beside its main stream: registered under an id of its
    /// own, and never in the place of a dump.
    fn open_beside(&self, plan: &SourcePlan, creator: &Creator) -> Result<Arc<dyn Source>> {
        let mut beside = plan.clone();
        if let SourceKind::Mysql(server) = &mut beside.kind {
            (server.server_id, server.dump_dir) = (None, None);
        }
        self.open(&beside, creator)
    }
}

fn panicked() -> Error {
    Error::new(&codes::SYNC_PANIC, "the thread of a source ended unexpectedly")
}
