//! Rows must be whole: what is not in the binlog cannot be found or written at the target.

use crate::check::facts::{Facts, SourceFacts};
use crate::check::{Check, Finding, Look, Severity, When};

const REPAIR: &str = "SET GLOBAL binlog_row_image = 'FULL' and let the applications connect anew; \
     write the same into the option file";

pub(super) const CHECK: Check = Check {
    name: "binlog_row_image",
    reported: "mysql_binlog_row_image",
    when: When::Stream,
    again: true,
    alone: true,
    worst: Severity::Failure,
    looks_at: "`binlog_row_image` of the source, which must be FULL",
    repair: REPAIR,
    ours: false,
    look: Look::Source(look),
};

fn look(_: &Facts<'_>, source: &SourceFacts<'_>) -> Vec<Finding> {
    let Some(server) = &source.server else { return Vec::new() };
    let whole = |v: &str| v.eq_ignore_ascii_case("FULL") || v.eq_ignore_ascii_case("FULL_NODUP");
    match server.about.variable("binlog_row_image") {
        Some(value) if !whole(value) => vec![Finding::failure(
            format!("{}: binlog_row_image is {value}", server.about.address),
            "binlog_row_image FULL",
            REPAIR,
        )],
        _ => Vec::new(),
    }
}
