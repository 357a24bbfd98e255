//! Triggers at the target would act a second time on what the source's have done already.

use crate::check::facts::Facts;
use crate::check::{Check, Finding, Look, Severity, When};

pub(super) const CHECK: Check = Check {
    name: "target_triggers",
    reported: "target triggers check",
    when: When::Always,
    again: false,
    alone: false,
    worst: Severity::Failure,
    looks_at: "triggers on target tables: what triggers did at the source is in the binlog already",
    repair: "drop the triggers at the target until the cut-over",
    ours: true,
    look: Look::Task(look),
};

fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (name, table) in &facts.target.tables {
        if !table.triggers.is_empty() {
            found.push(Finding::failure(
                format!("{name} has triggers: {}", table.triggers.join(", ")),
                "no triggers on target tables",
                format!(
                    "Keep their text (SHOW CREATE TRIGGER) and drop them until the cut-over: {}; \
                     where they do no harm, `ignore-checking-items: [target_triggers]`",
                    table
                        .triggers
                        .iter()
                        .map(|t| format!("DROP TRIGGER `{}`.`{t}`", name.schema))
                        .collect::<Vec<_>>()
                        .join("; ")
                ),
            ));
        } else if facts.target.server.is_some() && !facts.target.sees_triggers.contains(&name.schema) {
            found.push(Finding::note(format!(
                "{name}: the target's user may not see triggers (TRIGGER)"
            )));
        }
    }
    found
}
