//! Rows that are in a target table before the copy.

use crate::check::facts::Facts;
use crate::check::{Check, Finding, Look, Severity, When};
use crate::config::OnDuplicate;

pub(super) const CHECK: Check = Check {
    name: "downstream_table_empty",
    reported: "downstream table emptiness",
    when: When::Copy,
    again: false,
    alone: false,
    worst: Severity::Warning,
    looks_at: "whether target tables hold rows before the first copy",
    repair: "empty the target table, if its rows are not meant to stay",
    ours: false,
    look: Look::Task(look),
};

fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (target, tables) in facts.by_target() {
        let filled = facts.target.tables.get(&target).is_some_and(|t| t.has_rows == Some(true));
        let Some((source, _)) = tables.first().filter(|(s, _)| filled && s.fresh) else { continue };
        let then = match source.plan.load.on_duplicate {
            _ if tables.len() > 1 => "stops the copy",
            OnDuplicate::Replace => "is replaced",
            OnDuplicate::Ignore => "stays",
            OnDuplicate::Error => "stops the copy",
        };
        found.push(Finding::warning(
            format!("{target} holds rows already"),
            "an empty table",
            format!(
                "Rows with other keys stay beside the copied ones, a row whose key is copied \
                 {then} (on-duplicate-logical); empty the table if that is not meant",
            ),
        ));
    }
    found
}
