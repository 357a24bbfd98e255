//! Rows can be followed only where the binlog holds rows.

use crate::check::facts::{Facts, SourceFacts};
use crate::check::{Check, Finding, Look, Severity, When};

const REPAIR: &str = "SET GLOBAL binlog_format = 'ROW' and let the applications connect anew: a \
     session keeps the format that it began with; write the same into the option file";

pub(super) const CHECK: Check = Check {
    name: "binlog_format",
    reported: "mysql_binlog_format",
    when: When::Stream,
    again: true,
    alone: true,
    worst: Severity::Failure,
    looks_at: "`binlog_format` of the source, which must be ROW",
    repair: REPAIR,
    ours: false,
    look: Look::Source(look),
};

fn look(_: &Facts<'_>, source: &SourceFacts<'_>) -> Vec<Finding> {
    let Some(server) = &source.server else { return Vec::new() };
    match server.about.variable("binlog_format") {
        Some(value) if !value.eq_ignore_ascii_case("ROW") => vec![Finding::failure(
            format!("{}: binlog_format is {value}", server.about.address),
            "binlog_format ROW",
            REPAIR,
        )],
        _ => Vec::new(),
    }
}
