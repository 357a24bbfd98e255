//! Unique keys that only the target has.

use dm_filter::TableName;

use crate::check::facts::Facts;
use crate::check::{Check, Finding, Look, Severity, When};
use crate::schema::{Key, TableSchema};

pub(super) const CHECK: Check = Check {
    name: "target_unique_keys",
    reported: "target unique keys check",
    when: When::Always,
    again: false,
    alone: false,
    worst: Severity::Warning,
    looks_at: "unique keys of target tables that the source tables do not have: rows that the source takes may be refused",
    repair: "drop the key at the target, or make it an ordinary one",
    ours: true,
    look: Look::Task(look),
};

fn columns(key: &Key) -> Option<Vec<String>> {
    key.parts.iter().map(|p| p.column().map(str::to_lowercase)).collect()
}

/// True when rows that differ in some unique key of the source always differ in this key.
fn implied(schema: &TableSchema, key: &Key) -> bool {
    let Some(own) = columns(key) else { return false };
    schema.unique_keys().filter_map(columns).any(|k| k.iter().all(|c| own.contains(c)))
}

fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, tables) in facts.by_target() {
        let there = facts.target.tables.get(&name).and_then(|t| t.schema.as_deref());
        let Some(there) = there else { continue };
        let sources: Vec<_> = tables.iter().filter_map(|(_, t)| t.schema()).collect();
        for key in there.unique_keys() {
            if sources.iter().any(|s| !implied(s, key)) {
                found.push(extra(&name, key));
            }
        }
    }
    found
}

fn extra(name: &TableName, key: &Key) -> Finding {
    let columns = columns(key).map_or_else(|| "an expression".to_owned(), |c| c.join(", "));
    Finding::warning(
        format!("{name} has the unique key `{}` ({columns}), which a source of it lacks", key.name),
        "no unique keys that the source lacks",
        format!(
            "A row that breaks it stops the task (1062). ALTER TABLE {name} DROP KEY `{}`, or make \
             it an ordinary key; keep it only if the source's rows are known to obey it",
            key.name
        ),
    )
}
