//! Sequences of a MariaDB source.
//!
//! A sequence is no table: its values are not copied. Yet the server logs each batch of values as a row of it, which
//! stops a stream that carries its name, because the target has no such table.

use crate::check::facts::{Facts, SourceFacts};
use crate::check::{Check, Finding, Look, Severity, When};

const REPAIR: &str = "Leave it out (`ignore-tables` of the block-allow-list), create it at the target by hand, and \
                      set its value there at the cut-over";

pub(super) const CHECK: Check = Check {
    name: "sequences",
    reported: "sequences check",
    when: When::Always,
    again: false,
    alone: false,
    worst: Severity::Warning,
    looks_at: "sequences of a MariaDB source that the lists let in: their values are not migrated, and the stream stops at the first one that is logged",
    repair: "leave them out with the block-allow-list, and set their values at the target at the cut-over",
    ours: true,
    look: Look::Source(look),
};

fn look(facts: &Facts<'_>, source: &SourceFacts<'_>) -> Vec<Finding> {
    let Some(server) = &source.server else { return Vec::new() };
    let stops = match facts.plan.mode.syncs() {
        true => ", and the task stops when the source writes of it",
        false => "",
    };
    let finding = |name: &dm_filter::TableName| {
        Finding::warning(
            format!("{}: {name} is a sequence: its values are not migrated{stops}", server.about.address),
            "no sequence in the task",
            REPAIR,
        )
    };
    server.sequences.iter().map(finding).collect()
}
