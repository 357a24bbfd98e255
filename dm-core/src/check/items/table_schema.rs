//! Whether the structures of source and target go together.

use dm_filter::TableName;
use dm_router::{ColumnChoice, Target};

use crate::check::facts::{Facts, TableFacts};
use crate::check::{Check, Finding, Look, Severity, When};
use crate::mysql::ServerKind;
use crate::schema::{Key, TableSchema, same_name};

pub(super) const CHECK: Check = Check {
    name: "table_schema",
    reported: "table structure compatibility check",
    when: When::Always,
    again: false,
    alone: false,
    worst: Severity::Failure,
    looks_at: "the structures: readable, foreign keys, and against target tables that are there already: columns, primary key, columns that a route adds",
    repair: "alter the target table, or let the task create it",
    ours: false,
    look: Look::Task(look),
};

fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for source in &facts.sources {
        for table in &source.tables {
            let place = format!("{} of source {}", table.name, source.id);
            if let Some(Err(error)) = &table.info {
                found.push(Finding::failure(
                    format!("the structure of {place} cannot be had: {}", error.message()),
                    "a structure that can be read",
                    format!("Leave the table out of the task, or: {}", error.advice()),
                ));
            }
            let (Some(schema), Ok(target)) = (table.schema(), &table.target) else { continue };
            foreign_keys(facts, table, &place, schema, &mut found);
            at_target(facts, &place, schema, target, &mut found);
        }
    }
    found
}

fn foreign_keys(
    facts: &Facts<'_>,
    table: &TableFacts,
    place: &str,
    schema: &TableSchema,
    found: &mut Vec<Finding>,
) {
    let Some(server) = &facts.target.server else { return };
    if schema.foreign_keys.is_empty() {
        return;
    }
    if server.version.kind == ServerKind::TiDb && server.version.number < (6, 6, 0) {
        found.push(Finding::warning(
            format!("{place} has foreign keys, {} ignores them", server.product()),
            "no foreign keys, or TiDB 6.6 and later",
            "Nothing is to be done as long as nobody but the task writes to the target",
        ));
    }
    for key in &schema.foreign_keys {
        let home = if key.parent_schema.is_empty() { &table.name.schema } else { &key.parent_schema };
        let parent = TableName::new(home.as_str(), key.parent_table.as_str());
        let carried = facts.sources.iter().flat_map(|s| &s.tables).any(|t| {
            t.name.schema.eq_ignore_ascii_case(&parent.schema)
                && t.name.table.eq_ignore_ascii_case(&parent.table)
        });
        if !carried {
            found.push(Finding::warning(
                format!("{place} refers to {parent}, which is not part of the task"),
                format!("{parent} in the task"),
                "Add that table to the block-allow-list, or create the target table without the \
                 foreign key before the start",
            ));
        }
    }
}

fn at_target(
    facts: &Facts<'_>,
    place: &str,
    schema: &TableSchema,
    target: &Target,
    found: &mut Vec<Finding>,
) {
    let name = TableName::new(target.schema.as_str(), target.table.as_str());
    let there = facts.target.tables.get(&name);
    let made_by_hand = !target.extra.is_empty() || target.columns != ColumnChoice::All;
    let Some(there) = there.and_then(|t| t.schema.as_deref()) else {
        if there.is_none() && made_by_hand && facts.target.server.is_some() {
            found.push(Finding::failure(
                format!("{name} does not exist, and the route of {place} adds or leaves out columns"),
                format!("{name} with the columns that it should have"),
                "Create the target table by hand: the carried columns of the source, then the \
                 added ones",
            ));
        }
        return;
    };
    for extra in target.extra.iter().filter(|e| there.column(&e.name).is_none()) {
        found.push(Finding::failure(
            format!("{name} lacks `{}`, which the route of {place} adds", extra.name),
            format!("a text column `{}`", extra.name),
            format!("ALTER TABLE {name} ADD COLUMN `{}` VARCHAR(255)", extra.name),
        ));
    }
    columns(facts, place, schema, target, &name, there, found);
    let (own, other) = (primary(schema), primary(there));
    let added = |c: &String| target.extra.iter().any(|e| same_name(&e.name, c));
    if own.is_some() && own != other && !other.iter().flatten().any(added) {
        found.push(Finding::warning(
            format!(
                "{place} has the primary key ({}), {name} has ({})",
                own.unwrap_or_default().join(", "),
                other.unwrap_or_default().join(", ")
            ),
            "the same key at both ends",
            "Rows are found by the target's key: make sure that it means the same, or give the \
             target table the source's key",
        ));
    }
}

fn primary(schema: &TableSchema) -> Option<Vec<String>> {
    let columns = |k: &Key| k.parts.iter().filter_map(|p| Some(p.column()?.to_lowercase())).collect();
    schema.primary_key().map(columns)
}

fn columns(
    facts: &Facts<'_>,
    place: &str,
    schema: &TableSchema,
    target: &Target,
    name: &TableName,
    there: &TableSchema,
    found: &mut Vec<Finding>,
) {
    // Following may begin before a statement that changes what is compared here.
    let copies = facts.plan.mode.copies();
    let tell = if copies { Finding::failure } else { Finding::warning };
    let carried = |c: &&crate::schema::Column| {
        c.generated.is_none() && target.columns.carries(&c.name)
    };
    for column in schema.columns.iter().filter(carried) {
        if there.column(&column.name).is_none() {
            found.push(tell(
                format!("{name} lacks column `{}` of {place}", column.name),
                format!("column `{}`", column.name),
                format!(
                    "ALTER TABLE {name} ADD COLUMN `{}` with the type of the source, or leave it \
                     out with a route",
                    column.name
                ),
            ));
        }
    }
    for column in &there.columns {
        let filled = schema.columns.iter().filter(carried).any(|c| same_name(&c.name, &column.name))
            || target.extra.iter().any(|e| same_name(&e.name, &column.name));
        let bare = !column.nullable && column.default.is_none();
        if !filled && bare && column.generated.is_none() && !column.auto_increment {
            found.push(tell(
                format!("{name} has a column `{}` of its own without a default", column.name),
                "a default, or NULL allowed".to_owned(),
                format!("ALTER TABLE {name} ALTER COLUMN `{}` SET DEFAULT ...", column.name),
            ));
        }
    }
}
