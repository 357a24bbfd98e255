//! Rows that the source changes by foreign keys and does not log.
//!
//! MariaDB, and MySQL before 9.6, carry out ON DELETE and ON UPDATE actions inside of the storage
//! engine: the child's rows are not in the binlog. Rows are applied with `foreign_key_checks` off,
//! as a replica of such a server applies a log that is whole, so the child at the target keeps them.

use crate::check::facts::{Facts, ServerFacts, SourceFacts};
use crate::check::{Check, Finding, Look, Severity, When};
use crate::mysql::ServerKind;
use crate::schema::ForeignKey;

pub(super) const CHECK: Check = Check {
    name: "cascades",
    reported: "unlogged cascades check",
    when: When::Stream,
    again: false,
    alone: false,
    worst: Severity::Failure,
    looks_at: "foreign keys with ON DELETE or ON UPDATE actions at a source that does not log what they do (MariaDB, MySQL before 9.6)",
    repair: "delete and change child rows by statements of their own, or leave the check out where parents never change",
    ours: true,
    look: Look::Source(look),
};

/// True when the server writes what its foreign keys do into the binlog.
fn logs(server: &ServerFacts) -> bool {
    match server.version.kind {
        ServerKind::MariaDb => false,
        ServerKind::TiDb => true,
        ServerKind::MySql => {
            server.version.number >= (9, 6, 0) && !server.is_on("innodb_native_foreign_keys")
        }
    }
}

fn acts(key: &ForeignKey) -> Option<String> {
    let does = |a: &str| matches!(a, "CASCADE" | "SET NULL" | "SET DEFAULT");
    match (does(&key.on_delete), does(&key.on_update)) {
        (true, _) => Some(format!("ON DELETE {}", key.on_delete)),
        (false, true) => Some(format!("ON UPDATE {}", key.on_update)),
        (false, false) => None,
    }
}

fn look(_: &Facts<'_>, source: &SourceFacts<'_>) -> Vec<Finding> {
    let Some(server) = source.server.as_ref().map(|s| &s.about) else { return Vec::new() };
    if logs(server) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for table in &source.tables {
        let keys = table.schema().map(|s| s.foreign_keys.as_slice()).unwrap_or_default();
        for key in keys {
            let Some(action) = acts(key) else { continue };
            found.push(Finding::failure(
                format!(
                    "{} refers to `{}` {action}, which {} does not write to its binlog",
                    table.name,
                    key.parent_table,
                    server.product()
                ),
                "a foreign key without such an action",
                "Rows of this table would stay at the target when the source's foreign key removes \
                 or changes them. Let the application change the child rows itself and recreate \
                 the foreign key with RESTRICT; where parent rows are never deleted nor their keys \
                 changed, `ignore-checking-items: [cascades]`",
            ));
        }
    }
    found
}
