//! A schema change by gh-ost or pt-online-schema-change that is under way when the task starts
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
    looks_at: "work tables of gh-ost and pt-online-schema-change, while `online-ddl` is on: there must be none at the start",
    repair: "wait until the schema change has ended, or drop the tables that an aborted one left behind",
    ours: false,
    look: Look::Source(look),
};

fn look(_: &Facts<'_>, source: &SourceFacts<'_>) -> Vec<Finding> {
    let one = |(ghost, real): &(dm_filter::TableName, dm_filter::TableName)| {
        Finding::failure(
            format!("{ghost}: an online schema change of {real} is running, or was left behind"),
            "no schema change under way",
            format!(
                "Start again when the tool has finished; what an earlier run of it left behind: DROP \
                 TABLE {} at the source. With `ignore-checking-items: [online_ddl]` the task starts \
                 now, and reads in the source's earlier binlog what changed these tables; with \
                 `online-ddl: false` they are tables like any other",
                quote_table(ghost)
            ),
        )
    };
    source.changes.iter().map(one).collect()
}
