//! Configurations that work, but may not do what their author meant.

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
    if dump.where_clause.is_some() && mode.copies() && mode.syncs() {
        if instance.expression_filters.is_empty() {
            resolver.file.warn(
                path,
                "`where` of the dump configuration holds for the copy only: later changes of all rows are followed. Use \
                 `expression-filters` to the same effect",
            );
        }
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
    // A route of a whole schema does not speak for its tables one by one.
    let is_name = |text: &str| !text.contains(['*', '?', '[']) && !text.starts_with('~');
    let routed = |i: usize| {
        rules.do_tables.get(i).is_some_and(|t| !router.explain(&t.db_name, &t.tbl_name).is_empty())
    };
    let literal: Vec<usize> = rules
        .do_tables
        .iter()
        .enumerate()
        .filter(|(_, t)| is_name(&t.db_name) && is_name(&t.tbl_name))
        .map(|(i, _)| i)
        .collect();
    for i in &literal {
        let Some(table) = rules.do_tables.get(*i) else { continue };
        let sibling = literal.iter().filter(|j| routed(**j)).find_map(|j| {
            let other = rules.do_tables.get(*j)?;
            (other.db_name == table.db_name || other.tbl_name == table.tbl_name).then_some(other)
        });
        if let (Some(other), false) = (sibling, routed(*i)) {
            resolver.file.warn(
                format!("block-allow-list.{name}.do-tables[{i}]"),
                format!(
                    "`{}`.`{}` is caught by no route of `{path}`, while `{}`.`{}` is: it keeps its name at the target",
                    table.db_name, table.tbl_name, other.db_name, other.tbl_name
                ),
            );
        }
    }
}
