//! Without a binlog there is nothing to follow.

use crate::check::facts::{Facts, SourceFacts};
use crate::check::{Check, Finding, Look, Severity, When};

const REPAIR: &str = "Set log_bin in the server's option file and restart it (on a managed \
     service, switch automatic backups on)";

pub(super) const CHECK: Check = Check {
    name: "binlog_enable",
    reported: "mysql_binlog_enable",
    when: When::Stream,
    again: true,
    alone: true,
    worst: Severity::Failure,
    looks_at: "`log_bin` of the source, which must be ON",
    repair: REPAIR,
    ours: false,
    look: Look::Source(look),
};

fn look(_: &Facts<'_>, source: &SourceFacts<'_>) -> Vec<Finding> {
    let Some(server) = &source.server else { return Vec::new() };
    // A variable that the server does not have cannot be set wrongly.
    if server.about.variable("log_bin").is_none() || server.about.is_on("log_bin") {
        return Vec::new();
    }
    vec![Finding::failure(
        format!("{}: log_bin is OFF: the server writes no binlog", server.about.address),
        "log_bin ON",
        REPAIR,
    )]
}
