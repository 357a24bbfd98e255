//! A copy that is not of one instant and that nothing settles afterwards.

use crate::check::facts::{Facts, SourceFacts};
use crate::check::{Check, Finding, Look, Severity, When};
use crate::config::Consistency;

pub(super) const CHECK: Check = Check {
    name: "consistency",
    reported: "dump consistency check",
    when: When::Copy,
    again: false,
    alone: false,
    worst: Severity::Warning,
    looks_at: "`--consistency none` together with a mode that only copies: tables are read at different instants, and no binlog settles it",
    repair: "use `task-mode: all`, or another consistency",
    ours: true,
    look: Look::Source(look),
};

fn look(facts: &Facts<'_>, source: &SourceFacts<'_>) -> Vec<Finding> {
    let loose = source.plan.dump.consistency == Consistency::None && facts.plan.mode.dumps();
    if !loose || facts.plan.mode.syncs() || source.server.is_none() {
        return Vec::new();
    }
    vec![Finding::warning(
        format!("`--consistency none` with task-mode {}", facts.plan.mode),
        "rows of one instant",
        "Two ways out: `task-mode: all`, which settles by the binlog what was read at different \
         instants; or `--consistency auto` (the default), which takes one instant",
    )]
}
