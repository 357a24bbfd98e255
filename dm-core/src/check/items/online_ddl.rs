//! A schema change by gh-ost or pt-online-schema-change that is under way when a copy begins
//! would be seen from its middle.

use crate::check::facts::{Facts, SourceFacts};
use crate::check::{Check, Finding, Look, Severity, When};
use crate::sql::quote_table;

pub(super) const CHECK: Check = Check {
    name: "online_ddl",
    reported: "online ddl checker",
    when: When::Copy,
    again: false,
    alone: false,
    worst: Severity::Failure,
    looks_at: "work tables of gh-ost and pt-online-schema-change, while `online-ddl` is on: there must be none at the start of a copy",
    repair: "wait until the schema change has ended, or drop the tables that an aborted one left behind",
    ours: false,
    look: Look::Source(look),
};

fn look(_: &Facts<'_>, source: &SourceFacts<'_>) -> Vec<Finding> {
    let finding = |(ghost, real): &(_, _)| {
        Finding::failure(
            format!("{ghost} is the work table of a schema change of {real} that is under way"),
            "no schema change under way",
            format!(
                "Start again when the tool has finished; after an aborted run: DROP TABLE {}. With \
                 `ignore-checking-items: [online_ddl]` the task starts now, and reads in the source's \
                 earlier binlog what changed the table; with `online-ddl: false` it is a table like \
                 any other.",
                quote_table(ghost)
            ),
        )
    };
    source.online.iter().map(finding).collect()
}
