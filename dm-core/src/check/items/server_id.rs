//! A source without a server id writes no GTIDs and serves no replica.

use crate::check::facts::{Facts, SourceFacts};
use crate::check::{Check, Finding, Look, Severity, When};

pub(super) const CHECK: Check = Check {
    name: "server_id",
    reported: "mysql_server_id",
    when: When::Stream,
    again: true,
    alone: true,
    worst: Severity::Warning,
    looks_at: "`server_id` of the source, which must not be 0 to serve a replica",
    repair: "SET GLOBAL server_id = N, with a number that no other server of the group has, and the same in its option file",
    ours: false,
    look: Look::Source(look),
};

fn look(_: &Facts<'_>, source: &SourceFacts<'_>) -> Vec<Finding> {
    let Some(server) = &source.server else { return Vec::new() };
    match server.about.variable("server_id") {
        Some("0") => vec![Finding::warning(
            format!("{}: server_id is 0", server.about.address),
            "a number above 0",
            "SET GLOBAL server_id = N, with a number that no other server of the group has, and \
             the same in its option file",
        )],
        _ => Vec::new(),
    }
}
