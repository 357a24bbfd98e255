//! Where the tables go: by one route each, and to names that the target tells apart.

use dm_router::SourceName;

use crate::check::facts::Facts;
use crate::check::{Check, Finding, Look, Severity, When};
use crate::explain::look_over;

pub(super) const CHECK: Check = Check {
    name: "target_names",
    reported: "target names check",
    when: When::Always,
    again: false,
    alone: false,
    worst: Severity::Failure,
    looks_at: "the routes of all tables together: each is claimed by one, and no two target names differ only in case where the target does not tell them apart",
    repair: "make the patterns of the routes exclude each other",
    ours: true,
    look: Look::Task(look),
};

fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let name = |id: &str, t: &dm_filter::TableName| {
        SourceName::new(id, t.schema.as_str(), t.table.as_str())
    };
    let tables: Vec<SourceName> = facts
        .sources
        .iter()
        .flat_map(|s| s.tables.iter().map(move |t| name(&s.id, &t.name)))
        .collect();
    let survey = look_over(facts.plan, &tables);
    let mut found = Vec::new();
    for (table, error) in &survey.ambiguous {
        found.push(Finding::failure(
            format!("source {}: {error}", table.source),
            "one route for each table",
            "Make the patterns exclude each other",
        ));
    }
    // A server that folds names would take both for one table.
    let server = facts.target.server.as_ref();
    let exact = server.is_some_and(|s| s.variable("lower_case_table_names") == Some("0"));
    for twins in &survey.collisions {
        let names: Vec<String> =
            twins.spellings.iter().map(|((d, t), _)| format!("{d}.{t}")).collect();
        let tell = if exact { Finding::warning } else { Finding::failure };
        found.push(tell(
            format!("target names that differ only in case: {}", names.join(", ")),
            "names that differ in more",
            "Route one of them to another name",
        ));
    }
    found
}
