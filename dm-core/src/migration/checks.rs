//! The prechecks of a migration, before a run and by themselves.

use std::sync::Arc;

use super::{Checked, Migration, Part, build};
use crate::check::{Report, Severity, SourceSubject, Subject, run};
use crate::config::TargetPlan;
use crate::error::Result;
use crate::event::LaneId;
use crate::sink::Sink;
use crate::state::{StateReader, StateStore};
use crate::whose;

/// How many errors and warnings are told at a start, as in DM.
const MOST: usize = 10;

impl Migration {
    /// Makes the prechecks ([`crate::check`]) and changes nothing. What is to be left out
    /// (`ignore-checking-items`) is left out.
    ///
    /// # Errors
    ///
    /// When a source or target of the plan is of a kind that cannot be opened. Servers that cannot
    /// be reached are part of the report.
    pub fn check(&self) -> Result<Report> {
        let plan = &self.parts.plan;
        let sink = match (&self.parts.sink, &plan.target) {
            (Some(sink), _) => Some(Arc::clone(sink)),
            (None, TargetPlan::Mysql(_)) => Some(build::sink(plan)?),
            // Opening one would make its file.
            (None, TargetPlan::Sqlite(path)) if path.exists() => Some(build::sink(plan)?),
            (None, _) => None,
        };
        let dir = self.parts.state_dir.as_deref();
        // A state that cannot be read is reported by the check of its directory, or by the run.
        let reader = dir.and_then(|dir| StateReader::open(dir, &plan.name).ok());
        let parts = self.parts()?;
        Ok(run(&self.subject(&parts, sink, reader.as_ref(), false)))
    }

    /// Makes those checks that look at each source's server alone.
    ///
    /// # Errors
    ///
    /// As [`Migration::check`].
    pub fn check_sources(&self) -> Result<Report> {
        Ok(run(&self.subject(&self.parts()?, None, None, true)))
    }

    fn subject<'a>(
        &'a self,
        parts: &'a [Part<'a>],
        sink: Option<Arc<dyn Sink>>,
        state: Option<&StateReader>,
        sources_alone: bool,
    ) -> Subject<'a> {
        let begun = |lane: &LaneId| {
            let lane = state.and_then(|s| s.lane(lane).ok().flatten());
            lane.is_some_and(|l| l.checkpoint.is_some())
        };
        let copied = |lane: &LaneId| state.is_some_and(|s| s.copy(lane).ok().flatten().is_some());
        let sources = parts
            .iter()
            .map(|(plan, source, creator)| SourceSubject {
                plan,
                source: Arc::clone(source),
                creator: creator.clone(),
                own: !self.parts.sources.contains_key(&creator.source),
                fresh: !begun(&LaneId::main(&creator.source))
                    && !copied(&LaneId::copy(&creator.source)),
            })
            .collect();
        Subject {
            plan: &self.parts.plan,
            sources,
            sink,
            own_sink: self.parts.sink.is_none(),
            state_dir: self.parts.state_dir.as_deref(),
            sources_alone,
        }
    }

    /// The checks before a run: refuses what cannot run, logs what may go wrong.
    pub(super) fn precheck(
        &self,
        state: &Arc<StateStore>,
        parts: &[Part<'_>],
        sink: &Arc<dyn Sink>,
    ) -> Result {
        self.control.checked(Checked::default());
        if self.parts.plan.ignored_checks.all {
            return Ok(());
        }
        let reader = state.reader();
        let report = run(&self.subject(parts, Some(Arc::clone(sink)), Some(&reader), false));
        for (source, line) in report.lines_of_sources(Severity::Warning) {
            match source {
                Some(source) => whose::of(source, || log::warn!("{line}")),
                None => log::warn!("{line}"),
            }
        }
        report.verdict()?;
        self.control.checked(Checked {
            text: report.message(MOST, MOST),
            warnings: report.lines(Severity::Warning),
        });
        Ok(())
    }
}
