//! Which server the target is.

use crate::check::facts::Facts;
use crate::check::{Check, Finding, Look, Severity, When};

pub(super) const CHECK: Check = Check {
    name: "downstream_version",
    reported: "downstream version",
    when: When::Always,
    again: true,
    alone: false,
    worst: Severity::Warning,
    looks_at: "the version of the target's server, by the versions that were tried",
    repair: "use a server of a version that was tried, or try the migration on a copy first",
    ours: false,
    look: Look::Task(look),
};

fn look(facts: &Facts<'_>) -> Vec<Finding> {
    facts.target.server.as_ref().map(|s| super::version::judge(s, "target")).unwrap_or_default()
}
