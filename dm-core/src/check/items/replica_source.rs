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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Severity;
    use crate::check::facts::{BinlogStatus, ServerFacts, SourceServer, TargetFacts};
    use crate::config::{SourceText, TaskPlan};
    use crate::mysql::ServerVersion;

    /// What is found at a replica of a version, which writes what it receives into its binlog or does not.
    fn found(version: &str, gtid: bool, logs: &str) -> Vec<Finding> {
        let text = "name: t\ntask-mode: all\ntarget-database: {sqlite: t.db}\n\
                    mysql-instances: [{source-id: s}]";
        let task = SourceText { name: "task", text };
        let text = format!("{{source-id: s, enable-gtid: {gtid}, from: {{host: h, user: u}}}}");
        let source = SourceText { name: "source", text: &text };
        let (plan, _) = TaskPlan::from_yaml(&task, &[source], &|_| None).unwrap();
        let about = ServerFacts {
            address: "h:3306".to_owned(),
            account: "'u'@'%'".to_owned(),
            version: ServerVersion::parse(version, ""),
            variables: [("log_slave_updates".to_owned(), logs.to_owned())].into(),
            grants: None,
            connected: 1,
        };
        let server = SourceServer {
            rds_retention: None,
            about,
            status: BinlogStatus::On { only: Vec::new(), without: Vec::new() },
            is_replica: Some(true),
            prepared: Some(Vec::new()),
            start: None,
            sequences: Vec::new(),
        };
        let source = SourceFacts {
            id: "s".to_owned(),
            plan: &plan.sources[0],
            fresh: true,
            server: Some(server),
            changes: Vec::new(),
            tables: Vec::new(),
        };
        let facts =
            Facts { plan: &plan, sources: Vec::new(), target: TargetFacts::default(), state_dir: None };
        look(&facts, &source)
    }

    #[test]
    fn an_old_replica_that_is_read_by_gtid_deserves_a_word() {
        for version in ["5.7.44-log", "8.0.20"] {
            let found = found(version, true, "ON");
            assert_eq!(found.len(), 1, "{version}: {found:?}");
            assert_eq!(found[0].severity, Severity::Warning);
            assert!(found[0].found.contains(version), "{found:?}");
            assert!(found[0].repair.contains("CREATE TABLE ... SELECT"), "{found:?}");
        }
        for (version, gtid) in [("8.0.20", false), ("8.0.21", true), ("10.11.6-MariaDB", true)] {
            assert!(found(version, gtid, "ON").is_empty(), "{version} {gtid}");
        }
        assert_eq!(found("8.0.20", true, "OFF").len(), 2);
    }
}
