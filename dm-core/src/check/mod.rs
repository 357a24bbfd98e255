//! Prechecks: what must be so at sources and target before a task starts.
//!
//! A wrong setting is found before the hours of a copy, not behind them; all that is wrong is told
//! at once, each with what was found, what is expected, and how to repair it. Repairs never harm a
//! server: none of them forgets binlogs, GTIDs or rows.
//!
//! Method: first the facts are gathered (`gather`, the only part that connects, by a bounded
//! number of threads over sources and tables), then every [`Check`] of the table [`all`] judges
//! them; a check is pure, sits in a file of its own and names itself as DM does, so that
//! `ignore-checking-items` works. A restart of a task that has begun looks only at what may have
//! changed meanwhile: servers, not tables.

mod facts;
mod gather;
mod gather_target;
mod grants;
mod items;
mod report;

use std::path::Path;
use std::sync::Arc;

use self::facts::{Facts, SourceFacts};
pub use self::items::all;
pub use self::report::{CheckResult, Finding, Report, Severity};
use crate::config::{SourcePlan, TaskPlan};
use crate::pipeline::Creator;
use crate::sink::Sink;
use crate::source::Source;

/// When a check has something to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum When {
    /// In every task.
    Always,
    /// When existing rows are copied.
    Copy,
    /// When the binlog is followed.
    Stream,
    /// When existing rows are copied and the binlog is followed from there.
    CopyAndStream,
}

impl When {
    fn holds(self, plan: &TaskPlan) -> bool {
        match self {
            Self::Always => true,
            Self::Copy => plan.mode.copies(),
            Self::Stream => plan.mode.syncs(),
            Self::CopyAndStream => plan.mode.copies() && plan.mode.syncs(),
        }
    }

    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Copy => "copy",
            Self::Stream => "follow",
            Self::CopyAndStream => "copy and follow",
        }
    }
}

/// One thing that is looked at before a task starts.
#[derive(Debug)]
#[non_exhaustive]
pub struct Check {
    /// The name in `ignore-checking-items`.
    pub name: &'static str,
    /// The name that reports use.
    pub reported: &'static str,
    /// When it is made.
    pub when: When,
    /// False for what a task that has begun is not asked again.
    pub again: bool,
    /// True when it looks at a source's server alone: `dm check-source` makes these.
    pub alone: bool,
    /// The worst that it finds.
    pub worst: Severity,
    /// What it looks at, a sentence.
    pub looks_at: &'static str,
    /// How what it finds is repaired, a sentence.
    pub repair: &'static str,
    /// True for checks that DM does not make.
    pub ours: bool,
    pub(crate) look: Look,
}

/// What a check is asked about.
pub(crate) enum Look {
    /// Each source by itself.
    Source(fn(&Facts<'_>, &SourceFacts<'_>) -> Vec<Finding>),
    /// The task as a whole.
    Task(fn(&Facts<'_>) -> Vec<Finding>),
}

impl std::fmt::Debug for Look {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Source(_) => "Source",
            Self::Task(_) => "Task",
        })
    }
}

/// A source that is to be checked.
pub(crate) struct SourceSubject<'a> {
    pub plan: &'a SourcePlan,
    pub source: Arc<dyn Source>,
    pub creator: Creator,
    /// The source is the one that the plan names, and its server may be asked.
    pub own: bool,
    /// Nothing was copied or followed yet.
    pub fresh: bool,
}

/// What is to be checked.
pub(crate) struct Subject<'a> {
    pub plan: &'a TaskPlan,
    pub sources: Vec<SourceSubject<'a>>,
    /// The target; `None` when it is not there yet, or not to be asked.
    pub sink: Option<Arc<dyn Sink>>,
    /// The sink is the one that the plan names, and its server may be asked.
    pub own_sink: bool,
    pub state_dir: Option<&'a Path>,
    /// Only what concerns each source's server by itself.
    pub sources_alone: bool,
}

impl Subject<'_> {
    fn makes(&self, check: &Check) -> bool {
        check.when.holds(self.plan)
            && !self.plan.ignored_checks.contains(check.name)
            && (check.alone || !self.sources_alone)
    }
}

/// Makes all checks.
pub(crate) fn run(subject: &Subject<'_>) -> Report {
    let (facts, unreachable) = gather::facts(subject);
    let mut report = Report::new(unreachable);
    for check in all() {
        if !subject.makes(check) {
            continue;
        }
        match check.look {
            Look::Source(look) => {
                for source in &facts.sources {
                    if check.again || source.fresh {
                        report.add(check, Some(&source.id), look(&facts, source));
                    }
                }
            }
            Look::Task(look) => {
                if check.again || facts.sources.iter().any(|s| s.fresh) {
                    report.add(check, None, look(&facts));
                }
            }
        }
    }
    report
}

#[cfg(test)]
mod tests;
