//! The rights at the target.

use std::collections::BTreeSet;

use dm_filter::TableName;

use crate::check::facts::Facts;
use crate::check::{Check, Finding, Look, Severity, When};
use crate::sql::quote_ident;

const RIGHTS: &[&str] = &["CREATE", "SELECT", "INSERT", "UPDATE", "DELETE", "ALTER", "DROP", "INDEX"];

pub(super) const CHECK: Check = Check {
    name: "target_privilege",
    reported: "target db privilege checker",
    when: When::Always,
    again: true,
    alone: false,
    worst: Severity::Warning,
    looks_at: "the rights at the target, on the target schemas and on `meta-schema`: CREATE, SELECT, INSERT, UPDATE, DELETE, ALTER, DROP, INDEX",
    repair: "GRANT them to the user of `target-database`",
    ours: false,
    look: Look::Task(look),
};

fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let Some(server) = &facts.target.server else { return Vec::new() };
    if server.grants.is_none() {
        return Vec::new();
    }
    let targets: BTreeSet<TableName> = facts.by_target().into_keys().collect();
    let mut schemas: BTreeSet<&str> = targets.iter().map(|t| t.schema.as_str()).collect();
    schemas.insert(&facts.plan.meta_schema);
    let mut found = Vec::new();
    for schema in schemas {
        let own: Vec<&TableName> = targets.iter().filter(|t| t.schema == schema).collect();
        let there = |right: &&&str| {
            server.may_in_schema(right, schema)
                // Rights on every table that there will be do as well.
                || (!own.is_empty() && own.iter().all(|t| server.may_on_table(right, t)))
        };
        let lacking: Vec<&str> = RIGHTS.iter().filter(|r| !there(r)).copied().collect();
        if !lacking.is_empty() {
            let list = lacking.join(", ");
            found.push(Finding::warning(
                format!("{}: {} lacks {list} on schema `{schema}`", server.address, server.account),
                format!("{list} on `{schema}`.*"),
                format!("GRANT {list} ON {}.* TO {}", quote_ident(schema), server.account),
            ));
        }
    }
    found
}
