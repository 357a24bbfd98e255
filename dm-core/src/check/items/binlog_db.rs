//! A schema that the server leaves out of its binlog is copied and then stands still.

use std::collections::BTreeSet;

use crate::check::facts::{BinlogStatus, Facts, SourceFacts};
use crate::check::{Check, Finding, Look, Severity, When};

const REPAIR: &str = "Remove binlog_do_db and binlog_ignore_db from the server's option file and \
     restart it, or leave the schema out of the task";

pub(super) const CHECK: Check = Check {
    name: "binlog_db",
    reported: "binlog_do_db/binlog_ignore_db check",
    when: When::Stream,
    again: false,
    alone: false,
    worst: Severity::Failure,
    looks_at: "`binlog_do_db` and `binlog_ignore_db` of the source, which must not hide a migrated schema",
    repair: REPAIR,
    ours: false,
    look: Look::Source(look),
};

fn look(_: &Facts<'_>, source: &SourceFacts<'_>) -> Vec<Finding> {
    let Some(server) = &source.server else { return Vec::new() };
    let BinlogStatus::On { only, without } = &server.status else { return Vec::new() };
    let fold = server.about.variable("lower_case_table_names").is_some_and(|v| v != "0");
    let has = |list: &[String], name: &str| {
        list.iter().any(|d| d == name || (fold && d.eq_ignore_ascii_case(name)))
    };
    let schemas: BTreeSet<&str> = source.tables.iter().map(|t| t.name.schema.as_str()).collect();
    let hidden = schemas.into_iter().filter(|s| {
        // The server asks binlog_ignore_db only where there is no binlog_do_db.
        if only.is_empty() { has(without, s) } else { !has(only, s) }
    });
    hidden
        .map(|schema| {
            Finding::failure(
                format!(
                    "{}: changes of schema `{schema}` are not in the binlog (binlog_do_db [{}], \
                     binlog_ignore_db [{}])",
                    server.about.address,
                    only.join(", "),
                    without.join(", ")
                ),
                "all migrated schemas in the binlog",
                REPAIR,
            )
        })
        .collect()
}
