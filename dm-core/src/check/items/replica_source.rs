//! A source that itself receives changes from another server.

use crate::check::facts::{Facts, SourceFacts};
use crate::check::{Check, Finding, Look, Severity, When};
use crate::config::SourceKind;
use crate::mysql::ServerKind;

pub(super) const CHECK: Check = Check {
    name: "replica_source",
    reported: "replica source check",
    when: When::Stream,
    again: true,
    alone: true,
    worst: Severity::Failure,
    looks_at: "a source that is a replica: it must write what it receives into its own binlog; before MySQL 8.0.21 CREATE TABLE ... SELECT comes as two transactions of one GTID, which a GTID reader loses",
    repair: "log_replica_updates = ON, or read from the primary",
    ours: true,
    look: Look::Source(look),
};

fn look(_: &Facts<'_>, source: &SourceFacts<'_>) -> Vec<Finding> {
    let (Some(server), SourceKind::Mysql(plan)) = (&source.server, &source.plan.kind) else {
        return Vec::new();
    };
    if server.is_replica != Some(true) {
        return Vec::new();
    }
    let about = &server.about;
    let names = ["log_replica_updates", "log_slave_updates"];
    let known = names.iter().find(|n| about.variable(n).is_some());
    let mut found = Vec::new();
    if let Some(name) = known.filter(|n| !about.is_on(n)) {
        found.push(Finding::failure(
            format!("{} is a replica and {name} is OFF", about.address),
            format!("{name} ON"),
            format!(
                "Set {name} = ON in its option file and restart it, or read from its primary: what \
                 it receives is not in its binlog"
            ),
        ));
    }
    let old = about.version.kind == ServerKind::MySql && about.version.number < (8, 0, 21);
    if plan.enable_gtid && old {
        found.push(Finding::warning(
            format!("{} is a replica of version {} read by GTID", about.address, about.version.text),
            "the primary, or MySQL 8.0.21 and later",
            "CREATE TABLE ... SELECT at its primary would come without its rows: do not use it \
             while the task runs, or read from the primary",
        ));
    }
    found
}
