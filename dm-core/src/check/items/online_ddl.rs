//! A schema change by gh-ost or pt-online-schema-change that is under way when the task starts
//! would be seen from its middle.

use crate::check::facts::{Facts, SourceFacts};
use crate::check::{Check, Finding, Look, Severity, When};
use crate::config::OnlineDdlTable;

pub(super) const CHECK: Check = Check {
    name: "online_ddl",
    reported: "online ddl checker",
    when: When::Stream,
    again: false,
    alone: false,
    worst: Severity::Failure,
    looks_at: "work tables of gh-ost and pt-online-schema-change, while `online-ddl` is on: there must be none at the start",
    repair: "wait until the schema change has ended, or drop the tables that an aborted one left behind",
    ours: false,
    look: Look::Source(look),
};

fn look(facts: &Facts<'_>, source: &SourceFacts<'_>) -> Vec<Finding> {
    let (Some(server), Some(rules)) = (&source.server, &facts.plan.online_ddl) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for name in &server.names {
        let real = match rules.kind(&name.table) {
            OnlineDdlTable::Shadow(real) => real,
            // What is left of a finished change does no harm.
            OnlineDdlTable::Trash(_) | OnlineDdlTable::Real => continue,
        };
        let target = source.tables.iter().any(|t| t.name.schema == name.schema && t.name.table == real);
        if target {
            found.push(Finding::failure(
                format!("{name} is the work table of a schema change of `{real}` that is under way"),
                "no schema change under way",
                format!(
                    "Wait until the schema change has ended; after an aborted one: DROP TABLE \
                     `{}`.`{}`",
                    name.schema, name.table
                ),
            ));
        }
    }
    found
}
