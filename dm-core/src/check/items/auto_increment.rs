//! Keys that each source table counts up by itself meet when the tables come together.

use crate::check::facts::Facts;
use crate::check::{Check, Finding, Look, Severity, When};
use crate::explain::{KeyDanger, MergeAdvice};

pub(super) const CHECK: Check = Check {
    name: "auto_increment_ID",
    reported: "auto-increment key checking",
    when: When::Always,
    again: false,
    alone: false,
    worst: Severity::Warning,
    looks_at: "AUTO_INCREMENT keys of source tables that go to one target table: their ranges overlap",
    repair: "create the target table by hand with a key that cannot meet",
    ours: false,
    look: Look::Task(look),
};

fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (target, tables) in facts.by_target() {
        if tables.len() < 2 {
            continue;
        }
        let there = facts.target.tables.get(&target).and_then(|t| t.schema.as_deref());
        let Some((_, table)) = tables.iter().find(|(_, t)| t.schema().is_some()) else { continue };
        let added: Vec<String> = match &table.target {
            Ok(route) => route.extra.iter().map(|e| e.name.clone()).collect(),
            Err(_) => Vec::new(),
        };
        // A table made by hand has its own keys.
        let schema = there.or_else(|| table.schema());
        let advice = MergeAdvice::of(target.clone(), schema, &added);
        if matches!(advice.danger, KeyDanger::AutoIncrement { .. }) {
            found.push(Finding::warning(
                format!("{} tables come together in {target}", tables.len()),
                "keys that cannot meet",
                advice.to_string(),
            ));
        }
    }
    found
}
