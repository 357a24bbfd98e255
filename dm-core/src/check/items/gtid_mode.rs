//! Following by GTID needs transactions that have one.

use crate::check::facts::{Facts, SourceFacts};
use crate::check::{Check, Finding, Look, Severity, When};
use crate::config::SourceKind;
use crate::mysql::ServerKind;

const REPAIR: &str = "Turn gtid_mode ON at the source, one step at a time (OFF_PERMISSIVE, \
     ON_PERMISSIVE, ON), with enforce_gtid_consistency ON; or set `enable-gtid: false`";

pub(super) const CHECK: Check = Check {
    name: "gtid_mode",
    reported: "gtid mode check",
    when: When::Stream,
    again: true,
    alone: true,
    worst: Severity::Failure,
    looks_at: "`gtid_mode` of a MySQL source with `enable-gtid: true`: ON; with ON_PERMISSIVE file and offset are used",
    repair: REPAIR,
    ours: true,
    look: Look::Source(look),
};

fn look(_: &Facts<'_>, source: &SourceFacts<'_>) -> Vec<Finding> {
    let (Some(server), SourceKind::Mysql(plan)) = (&source.server, &source.plan.kind) else {
        return Vec::new();
    };
    if !plan.enable_gtid || server.about.version.kind != ServerKind::MySql {
        return Vec::new();
    }
    let mode = server.about.variable("gtid_mode").unwrap_or("OFF");
    let found = format!("{}: gtid_mode is {mode}", server.about.address);
    match mode.to_ascii_uppercase().as_str() {
        "ON" => Vec::new(),
        "ON_PERMISSIVE" => vec![Finding::warning(
            found,
            "gtid_mode ON",
            "In this mode the server serves nobody by GTID: the binlog is followed by file and \
             offset, so that the task cannot go on at another server. SET GLOBAL gtid_mode = ON \
             when no transaction without a GTID is left",
        )],
        _ => vec![Finding::failure(found, "gtid_mode ON", REPAIR)],
    }
}
