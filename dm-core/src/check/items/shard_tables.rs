//! Tables that come together must look alike.

use dm_filter::TableName;

use crate::check::facts::Facts;
use crate::check::{Check, Finding, Look, Severity, When};
use crate::config::ShardMode;
use crate::schema::{differences, same_columns};

pub(super) const CHECK: Check = Check {
    name: "schema_of_shard_tables",
    reported: "sharding table consistency checking",
    when: When::Copy,
    again: false,
    alone: false,
    worst: Severity::Failure,
    looks_at: "the structures of source tables that go to one target table: they must be the same (optimistic: they may differ, which is told)",
    repair: "bring the tables to the same structure before the start",
    ours: false,
    look: Look::Task(look),
};

fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (target, tables) in facts.by_target() {
        let mut known = tables.iter().filter_map(|(s, t)| Some((&s.id, &t.name, t.schema()?)));
        let Some((source, first, pattern)) = known.next() else { continue };
        for (id, name, schema) in known {
            let same = same_columns(pattern, schema);
            let mut unlike = differences(pattern, schema);
            // Where each table stands by itself these say nothing about its rows.
            unlike.retain(|d| !d.starts_with("comment:") && !d.starts_with("foreign keys:"));
            if unlike.is_empty() {
                continue;
            }
            found.push(one(facts, &target, (source, first), (id, name), &unlike, same));
        }
    }
    found
}

fn one(
    facts: &Facts<'_>,
    target: &TableName,
    first: (&String, &TableName),
    other: (&String, &TableName),
    unlike: &[String],
    same: bool,
) -> Finding {
    let fatal = match facts.plan.shard_mode {
        ShardMode::Pessimistic => true,
        ShardMode::Optimistic { .. } => false,
        ShardMode::None => !same,
    };
    let tell = if fatal { Finding::failure } else { Finding::warning };
    tell(
        format!(
            "{} of source {} and {} of source {} go to {target} and differ: {}",
            first.1,
            first.0,
            other.1,
            other.0,
            unlike.join("; ")
        ),
        "the same structure",
        "ALTER the tables to the same structure before the start, or route them to different \
         target tables",
    )
}
