//! Sequences of a MariaDB source.
//!
//! A sequence is no table: the copy does not make it. Statements on sequences that follow are carried, and the rows by
//! which the server logs what they have counted are passed over: the target's sequence counts for itself.

use crate::check::facts::{Facts, SourceFacts};
use crate::check::{Check, Finding, Look, Severity, When};

pub(super) const CHECK: Check = Check {
    name: "sequences",
    reported: "sequences check",
    when: When::Always,
    again: false,
    alone: false,
    worst: Severity::Warning,
    looks_at: "sequences of a MariaDB source: they are not copied, and how far they have counted is not migrated",
    repair: "create them at the target by hand, and set their values there at the cut-over",
    ours: true,
    look: Look::Source(look),
};

fn look(_: &Facts<'_>, source: &SourceFacts<'_>) -> Vec<Finding> {
    let Some(server) = &source.server else { return Vec::new() };
    let finding = |name: &dm_filter::TableName| {
        Finding::warning(
            format!(
                "{}: {name} is a sequence: it is not copied, and its values are not migrated",
                server.about.address
            ),
            "no sequence in the task, or one at the target, too",
            "Create it at the target by hand, and at the cut-over set it there behind the source's last \
             value; `ignore-tables` of the block-allow-list leaves it out, with the statements on it",
        )
    };
    server.sequences.iter().map(finding).collect()
}
