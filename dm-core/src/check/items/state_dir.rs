//! The directory of the state files.

use crate::check::facts::Facts;
use crate::check::{Check, Finding, Look, Severity, When};

pub(super) const CHECK: Check = Check {
    name: "state_dir",
    reported: "state directory check",
    when: When::Always,
    again: true,
    alone: false,
    worst: Severity::Failure,
    looks_at: "the state directory: not on a network file system, whose locks cannot be relied on, and not writable by others",
    repair: "give a directory on a local disk with `--state-dir`",
    ours: true,
    look: Look::Task(look),
};

fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let Some(error) = &facts.state_dir else { return Vec::new() };
    vec![Finding::failure(error.message(), "a directory on a local disk", error.advice())]
}
