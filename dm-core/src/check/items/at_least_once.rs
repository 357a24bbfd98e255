//! The right to keep marks: without it changes arrive at least once, not exactly once.

use dm_filter::TableName;

use crate::check::facts::{Facts, ServerFacts, SourceFacts, TableFacts};
use crate::check::{Check, Finding, Look, Severity, When};
use crate::pipeline::unsafe_without_marks;
use crate::sql::quote_ident;

/// What keeping marks takes once their tables are there.
const TO_WRITE: &[&str] = &["SELECT", "INSERT", "UPDATE", "DELETE"];

pub(super) const CHECK: Check = Check {
    name: "at_least_once",
    reported: "marks at target check",
    when: When::Always,
    again: true,
    alone: false,
    worst: Severity::Failure,
    looks_at: "the right to keep marks in `meta-schema`: without it changes arrive at least once, and tables without a key and merged tables are refused unless `at-least-once: allow` is set",
    repair: "GRANT the user of `target-database` CREATE, SELECT, INSERT, UPDATE, DELETE, ALTER, DROP on `meta-schema`",
    ours: true,
    look: Look::Task(look),
};

/// The rights that are lacking for marks.
fn lacking(facts: &Facts<'_>, server: &ServerFacts) -> Vec<&'static str> {
    let schema = facts.plan.meta_schema.as_str();
    let tables = &facts.target.mark_tables;
    let has = |right: &&&str| {
        server.may_in_schema(right, schema)
            || (!tables.is_empty()
                && tables.iter().all(|t| server.may_on_table(right, &TableName::new(schema, t))))
    };
    let mut lacking: Vec<&str> = TO_WRITE.iter().filter(|r| !has(r)).copied().collect();
    if tables.is_empty() && !server.may_in_schema("CREATE", schema) {
        lacking.insert(0, "CREATE");
    }
    lacking
}

fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let Some(server) = &facts.target.server else { return Vec::new() };
    let lacking = lacking(facts, server);
    if lacking.is_empty() {
        return Vec::new();
    }
    let (schema, list) = (quote_ident(&facts.plan.meta_schema), lacking.join(", "));
    let repair = format!(
        "GRANT CREATE, SELECT, INSERT, UPDATE, DELETE, ALTER, DROP ON {schema}.* TO {}",
        server.account
    );
    let mut found = vec![Finding::warning(
        format!(
            "{}: {} may not keep marks in schema {schema} (it lacks {list}): changes arrive at least \
             once, and what was under way at a crash is applied again",
            server.address, server.account
        ),
        "marks at the target, by which every change arrives exactly once",
        repair.clone(),
    )];
    for (name, tables) in facts.by_target() {
        let there = facts.target.tables.get(&name).and_then(|t| t.schema.as_deref());
        let schema = there.or_else(|| tables.iter().find_map(|(_, t)| t.schema()));
        let Some(why) = schema.and_then(|s| unsafe_without_marks(s, tables.len() > 1)) else {
            continue;
        };
        found.push(table(&name, &tables, why, &repair));
    }
    found
}

fn table(
    name: &TableName,
    sources: &[(&SourceFacts<'_>, &TableFacts)],
    why: &str,
    repair: &str,
) -> Finding {
    let found = format!("target table {name}: {why}");
    let expected = "a key that names every row, and one source table for each target table";
    match sources.iter().all(|(source, _)| source.plan.sync.allow_at_least_once) {
        true => Finding::warning(found, expected, repair),
        false => Finding::failure(
            found,
            expected,
            format!("{repair}; or give it a primary key; or take the risk with `at-least-once: allow` under `syncers`"),
        ),
    }
}
