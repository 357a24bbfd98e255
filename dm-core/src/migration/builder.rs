//! What a migration is given before it is one.
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use dm_filter::Filter;

use super::Migration;
use super::command::Safety;
use super::control::Control;
use crate::config::TaskPlan;
use crate::event::SourceId;
use crate::pipeline::Until;
use crate::sink::Sink;
use crate::source::Source;
use crate::state::Stage;
/// Builds a [`Migration`].
#[derive(Clone)]
pub struct MigrationBuilder {
    pub(super) plan: Arc<TaskPlan>,
    pub(super) state_dir: Option<PathBuf>,
    pub(super) filters: Vec<Arc<dyn Filter>>,
    pub(super) sources: HashMap<SourceId, Arc<dyn Source>>,
    pub(super) sink: Option<Arc<dyn Sink>>,
    pub(super) until: Until,
    pub(super) stages: HashMap<String, Stage>,
    pub(super) stays: bool,
    pub(super) resume: Option<Safety>,
    pub(super) start_time: Option<u32>,
    pub(super) config: Option<String>,
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

    /// Begins as a resume does: see [`Verb::Resume`](super::Verb::Resume).
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
}
