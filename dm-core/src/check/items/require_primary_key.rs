//! Targets that take no table without a primary key.

use crate::check::facts::Facts;
use crate::check::{Check, Finding, Look, Severity, When};

pub(super) const CHECK: Check = Check {
    name: "require_primary_key",
    reported: "sql_require_primary_key check",
    when: When::Always,
    again: false,
    alone: false,
    worst: Severity::Failure,
    looks_at: "`sql_require_primary_key` (MariaDB: `innodb_force_primary_key`) of the target while tables without a primary key are to be created",
    repair: "switch it off at the target, or create the target table with a primary key of its own",
    ours: true,
    look: Look::Task(look),
};

fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let Some(server) = &facts.target.server else { return Vec::new() };
    let names = ["sql_require_primary_key", "innodb_force_primary_key"];
    let Some(name) = names.into_iter().find(|n| server.is_on(n)) else { return Vec::new() };
    // MariaDB is content with a unique key of NOT NULL columns.
    let bare = |s: &crate::schema::TableSchema| {
        if name == "innodb_force_primary_key" {
            !super::primary_key::has_key(s)
        } else {
            s.primary_key().is_none()
        }
    };
    let mut found = Vec::new();
    for (target, tables) in facts.by_target() {
        if facts.target.tables.contains_key(&target) {
            continue;
        }
        if tables.iter().any(|(_, t)| t.schema().is_some_and(bare)) {
            found.push(Finding::failure(
                format!("{}: {name} is ON, {target} would have no primary key", server.address),
                format!("{name} OFF, or a primary key"),
                format!(
                    "SET GLOBAL {name} = OFF at the target, or create {target} by hand with a \
                     primary key of its own (an AUTO_INCREMENT column that the source does not have)"
                ),
            ));
        }
    }
    found
}
