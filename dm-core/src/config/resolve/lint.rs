//! Configurations that work, but may not do what their author meant.

use std::collections::HashMap;

use dm_filter::{BlockAllowList, TableName, TablePattern};
use dm_router::TableRouter;

use super::Resolver;
use crate::config::keys::join;
use crate::config::plan::{Consistency, DumpPlan, TaskMode};
use crate::config::raw::RawInstance;

/// Doubts about an instance as a whole.
pub(super) fn instance(
    resolver: &mut Resolver<'_>,
    instance: &RawInstance,
    path: &str,
    mode: TaskMode,
    dump: &DumpPlan,
    router: Option<&TableRouter>,
) {
    if !instance.expression_filters.is_empty() && mode.copies() {
        resolver.file.warn(
            join(path, "expression-filters"),
            "expression filters hold while following only: the copy takes all rows. Set `where` of the dump \
             configuration to the same effect",
        );
    }
    if dump.where_clause.is_some()
        && mode.copies()
        && mode.syncs()
        && instance.expression_filters.is_empty()
    {
        resolver.file.warn(
            path,
            "`where` of the dump configuration holds for the copy only: later changes of all rows are followed. Use \
             `expression-filters` to the same effect",
        );
    }
    if let Some(router) = router {
        unrouted(resolver, instance, path, router);
    }
}

/// Doubts about a dump configuration.
pub(super) fn dump(resolver: &mut Resolver<'_>, dump: &DumpPlan, place: &str, mode: TaskMode) {
    if dump.consistency == Consistency::None && mode == TaskMode::Full {
        resolver.file.warn(
            join(place, "extra-args"),
            "with `--consistency none` the copy holds rows of different moments; only following the binlog (`task-mode: \
             all`) settles that. It is right only while nothing writes to the source",
        );
    }
}

/// A table that is listed and that no route catches, while others of its list are routed: a route's
/// pattern was probably meant to catch it.
fn unrouted(resolver: &mut Resolver<'_>, instance: &RawInstance, path: &str, router: &TableRouter) {
    let task = resolver.task;
    let name = &instance.block_allow_list;
    let Some(rules) = task.block_allow_list.get(name).and_then(Option::as_ref) else { return };
    let named = |t: &&TablePattern| is_name(&t.db_name) && is_name(&t.tbl_name);
    let caught = |t: &TablePattern| !router.explain(&t.db_name, &t.tbl_name).is_empty();
    // A list may have tens of thousands of entries: each is asked once.
    let (mut by_schema, mut by_table) = (HashMap::new(), HashMap::new());
    let mut alone = Vec::new();
    for (i, table) in rules.do_tables.iter().enumerate() {
        if !named(&table) {
            continue;
        }
        if caught(table) {
            by_schema.entry(table.db_name.as_str()).or_insert(table);
            by_table.entry(table.tbl_name.as_str()).or_insert(table);
        } else {
            alone.push((i, table));
        }
    }
    for (i, table) in alone {
        let sibling = by_table.get(table.tbl_name.as_str());
        let Some(other) = sibling.or_else(|| by_schema.get(table.db_name.as_str())) else {
            continue;
        };
        resolver.file.warn(
            format!("block-allow-list.{name}.do-tables[{i}]"),
            format!(
                "`{}`.`{}` is caught by no route of `{path}`, while `{}`.`{}` is: it keeps its name at the target",
                table.db_name, table.tbl_name, other.db_name, other.tbl_name
            ),
        );
    }
}

/// Notes which of an instance's rules are about a table or schema that its block-allow-list leaves
/// out; [`hidden`] tells those that are so in every instance that uses them.
pub(super) fn note_hidden(
    resolver: &mut Resolver<'_>,
    instance: &RawInstance,
    block: &BlockAllowList,
) {
    let task = resolver.task;
    let routes = instance.route_rules.iter().filter_map(|name| {
        let rule = task.routes.get(name)?.as_ref()?;
        Some(("routes", name, &rule.schema_pattern, &rule.table_pattern))
    });
    let filters = instance.filter_rules.iter().filter_map(|name| {
        let rule = task.filters.get(name)?.as_ref()?;
        Some(("filters", name, &rule.schema_pattern, &rule.table_pattern))
    });
    let expressions = instance.expression_filters.iter().filter_map(|name| {
        let rule = task.expression_filter.get(name)?.as_ref()?;
        Some(("expression-filter", name, &rule.schema, &rule.table))
    });
    let mut seen = Vec::new();
    for (group, name, schema, table) in routes.chain(filters).chain(expressions) {
        // Of a pattern it is not known what it will meet.
        let Some(schema) = Some(schema).filter(|s| is_name(s)) else { continue };
        let about = if table.is_empty() || !is_name(table) {
            TableName::schema_only(schema.as_str())
        } else {
            TableName::new(schema.as_str(), table.as_str())
        };
        seen.push((join(group, name), block.allows(&about), about));
    }
    for (path, allowed, about) in seen {
        let entry = resolver.hidden.entry(path).or_insert((false, about));
        entry.0 |= allowed;
    }
}

/// Rules that can never match, because no instance that uses them takes their table.
pub(super) fn hidden(resolver: &mut Resolver<'_>) {
    for (path, (allowed, about)) in std::mem::take(&mut resolver.hidden) {
        if !allowed {
            resolver.file.warn(
                path,
                format!(
                    "never matches: {about} is left out by the block-allow-list of every instance that uses the rule"
                ),
            );
        }
    }
}

/// Whether a text that may be a pattern is a plain name.
fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(['*', '?', '[']) && !text.starts_with('~')
}
