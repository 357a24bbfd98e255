//! Tables without a key: every change looks through the whole table.

use crate::check::facts::{Facts, SourceFacts};
use crate::check::{Check, Finding, Look, Severity, When};
use crate::schema::TableSchema;

pub(super) const CHECK: Check = Check {
    name: "primary_key",
    reported: "primary key",
    when: When::Always,
    again: false,
    alone: false,
    worst: Severity::Warning,
    looks_at: "tables without primary key and without a unique key of NOT NULL columns",
    repair: "give the table a primary key",
    ours: false,
    look: Look::Source(look),
};

/// True when some key tells every row from every other.
pub(super) fn has_key(schema: &TableSchema) -> bool {
    schema.unique_keys().any(|k| {
        k.parts.iter().all(|p| {
            p.column().and_then(|c| schema.column(c)).is_some_and(|(_, column)| !column.nullable)
        })
    })
}

fn look(_: &Facts<'_>, source: &SourceFacts<'_>) -> Vec<Finding> {
    let bare = |t: &&crate::check::facts::TableFacts| t.schema().is_some_and(|s| !has_key(s));
    source
        .tables
        .iter()
        .filter(bare)
        .map(|t| {
            Finding::warning(
                format!("{} has no key that tells its rows apart", t.name),
                "a primary key, or a unique key of NOT NULL columns",
                format!(
                    "It is migrated exactly, but by one worker, each change looks through the \
                     whole table, and an interrupted copy of it begins anew. Better: ALTER TABLE \
                     {} ADD PRIMARY KEY (...)",
                    t.name
                ),
            )
        })
        .collect()
}
