//! What a run works with, opened and checked: the target, and a part for each source with what its tables become.
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use dm_filter::Chain;

use super::source::SourceRun;
use super::{Migration, build, online};
use crate::config::{CollationMode, ShardMode, SourceKind, SourcePlan};
use crate::error::{Error, Result};
use crate::event::{LaneId, SourceId};
use crate::pipeline::defaults::defaults_of;
use crate::pipeline::{Creator, LanePart, MergedTargets, Of, Rate};
use crate::sink::Sink;
use crate::source::Source;
use crate::state::StateStore;
use crate::whose;
/// What a run works with: its target, and a part for each source.
pub(super) type Parts = (Arc<dyn Sink>, Vec<SourceRun>);

/// A source of the plan, as the migration opens it.
pub(super) type Part<'a> = (&'a SourcePlan, Arc<dyn Source>, Creator);

impl Migration {
    pub(super) fn prepare(&self, state: &Arc<StateStore>, stop: &Arc<AtomicBool>) -> Result<Parts> {
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

    pub(super) fn creator(&self, plan: &SourcePlan) -> Creator {
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

    pub(super) fn open(&self, plan: &SourcePlan, creator: &Creator) -> Result<Arc<dyn Source>> {
        match self.parts.sources.get(&creator.source) {
            Some(source) => Ok(Arc::clone(source)),
            None => {
                let source = build::source(&self.parts.plan, plan, creator)?;
                Ok(build::relayed(source, plan, creator, self.parts.state_dir.as_deref()))
            }
        }
    }

    /// The sources that take part, each with what its tables become.
    pub(super) fn parts(&self) -> Result<Vec<Part<'_>>> {
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
