//! Whether the binlog still has the place where an incremental task is to begin.

use crate::check::facts::{Facts, SourceFacts};
use crate::check::{Check, Finding, Look, Severity, When};

pub(super) const CHECK: Check = Check {
    name: "meta_position",
    reported: "meta position check",
    when: When::Stream,
    again: false,
    alone: false,
    worst: Severity::Failure,
    looks_at: "`meta` of an incremental task: the source must still have that file and offset, or the transactions behind that GTID set",
    repair: "give a position that the source still has, or copy again (`task-mode: all`)",
    ours: false,
    look: Look::Source(look),
};

fn look(_: &Facts<'_>, source: &SourceFacts<'_>) -> Vec<Finding> {
    let Some(error) = source.server.as_ref().and_then(|s| s.start.as_ref()) else {
        return Vec::new();
    };
    vec![Finding::failure(
        error.message(),
        "a position that the source can continue from",
        format!(
            "{} SHOW BINARY LOGS lists the files that there are; without such a position the rows \
             have to be copied again (`task-mode: all`)",
            error.advice()
        ),
    )]
}
