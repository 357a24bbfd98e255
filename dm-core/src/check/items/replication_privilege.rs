//! The rights to follow the binlog.

use crate::check::facts::{BinlogStatus, Facts, SourceFacts};
use crate::check::{Check, Finding, Look, Severity, When};

pub(super) const CHECK: Check = Check {
    name: "replication_privilege",
    reported: "source db replication privilege checker",
    when: When::Stream,
    again: true,
    alone: true,
    worst: Severity::Failure,
    looks_at: "the rights to follow: REPLICATION SLAVE and REPLICATION CLIENT (MariaDB: BINLOG MONITOR)",
    repair: "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* to the user of `from`",
    ours: false,
    look: Look::Source(look),
};

fn look(_: &Facts<'_>, source: &SourceFacts<'_>) -> Vec<Finding> {
    let Some(server) = &source.server else { return Vec::new() };
    let about = &server.about;
    let mut found = Vec::new();
    let mut lacks = |right: &str, what: &str| {
        found.push(Finding::failure(
            format!("{}: {} lacks {right}: it may not {what}", about.address, about.account),
            format!("{right} on *.*"),
            format!("GRANT {right} ON *.* TO {}", about.account),
        ));
    };
    if !about.may(&["REPLICATION SLAVE", "REPLICATION REPLICA"]) {
        lacks("REPLICATION SLAVE", "follow the binlog");
    }
    let told = about.may(&["REPLICATION CLIENT", "BINLOG MONITOR", "SUPER"]);
    if server.status == BinlogStatus::Denied || (!told && server.status == BinlogStatus::Off) {
        lacks("REPLICATION CLIENT", "ask for the end of the binlog");
    }
    found
}
