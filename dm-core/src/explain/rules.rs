//! The rules of a task as they are written, for when no source can be asked for its tables.

use std::fmt;

use dm_filter::{BlockAllowRules, TableName};
use serde_json::{Value, json};

use crate::config::{RawInstance, RawTask};

/// The rules of a task, by source.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuleBook {
    /// One entry for each source, in the order of the task file.
    pub instances: Vec<InstanceRules>,
}

/// The rules of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InstanceRules {
    /// `source-id`.
    pub source: String,
    /// The rules, those of the block-allow-list first.
    pub rules: Vec<Rule>,
    /// The tables that the rules name without a pattern, sorted.
    pub named: Vec<TableName>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// The key that it stands under: `routes`, `filters`, ...
    pub group: &'static str,
    /// Its name.
    pub name: String,
    /// What it says, in words.
    pub says: String,
}

impl RuleBook {
    /// Reads the rules of a task file as they are written.
    pub fn of(task: &RawTask) -> Self {
        let instances = task.mysql_instances.iter().flatten();
        Self { instances: instances.map(|i| instance(task, i)).collect() }
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        let rule = |r: &Rule| json!({"group": r.group, "name": r.name, "says": r.says});
        let of = |i: &InstanceRules| json!({"source": i.source, "rules": i.rules.iter().map(rule).collect::<Vec<_>>()});
        Value::Array(self.instances.iter().map(of).collect())
    }
}

impl fmt::Display for RuleBook {
    /// A paragraph for each source, without a line end behind the last.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, instance) in self.instances.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "source {}", instance.source)?;
            if instance.rules.is_empty() {
                f.write_str(
                    "\n  no rules: every table but those of system schemas, under its own name",
                )?;
            }
            for rule in &instance.rules {
                write!(f, "\n  {} `{}`: {}", rule.group, rule.name, rule.says)?;
            }
        }
        Ok(())
    }
}

fn instance(task: &RawTask, instance: &RawInstance) -> InstanceRules {
    let mut rules = Vec::new();
    let mut named = Vec::new();
    let mut name = |schema: &str, table: &str| {
        if is_name(schema) && is_name(table) {
            named.push(TableName::new(schema, table));
        }
    };
    let (group, list) = match instance.block_allow_list.as_str() {
        "" => ("black-white-list", &instance.black_white_list),
        _ => ("block-allow-list", &instance.block_allow_list),
    };
    let lists = [&task.block_allow_list, &task.black_white_list];
    if let Some(found) = lists.iter().find_map(|l| l.get(list)).and_then(Option::as_ref) {
        let tables = found.do_tables.iter().chain(&found.ignore_tables);
        tables.for_each(|t| name(&t.db_name, &t.tbl_name));
        rules.push(Rule { group, name: list.clone(), says: block_allow(found) });
    }
    for rule in &instance.route_rules {
        let Some(Some(route)) = task.routes.get(rule) else { continue };
        name(&route.schema_pattern, &route.table_pattern);
        let from = pair(&route.schema_pattern, &route.table_pattern);
        let to = pair(&route.target_schema, &route.target_table);
        let says = format!("{from} -> {to}");
        rules.push(Rule { group: "routes", name: rule.clone(), says });
    }
    for rule in &instance.filter_rules {
        let Some(Some(filter)) = task.filters.get(rule) else { continue };
        name(&filter.schema_pattern, &filter.table_pattern);
        let mut says =
            format!("{} {}", filter.action, pair(&filter.schema_pattern, &filter.table_pattern));
        if !filter.events.is_empty() {
            says.push_str(&format!(", events: {}", filter.events.join(", ")));
        }
        if !filter.sql_pattern.is_empty() {
            says.push_str(&format!(", sql-pattern: {}", filter.sql_pattern.join(", ")));
        }
        rules.push(Rule { group: "filters", name: rule.clone(), says });
    }
    for rule in &instance.expression_filters {
        let Some(Some(filter)) = task.expression_filter.get(rule) else { continue };
        name(&filter.schema, &filter.table);
        let says = format!("leaves out rows of {}", pair(&filter.schema, &filter.table));
        rules.push(Rule { group: "expression-filter", name: rule.clone(), says });
    }
    named.sort();
    named.dedup();
    InstanceRules { source: instance.source_id.clone(), rules, named }
}

fn block_allow(rules: &BlockAllowRules) -> String {
    let tables = |list: &[dm_filter::TablePattern]| {
        list.iter().map(|t| pair(&t.db_name, &t.tbl_name)).collect::<Vec<_>>()
    };
    let parts = [
        ("do-dbs", rules.do_dbs.clone()),
        ("ignore-dbs", rules.ignore_dbs.clone()),
        ("do-tables", tables(&rules.do_tables)),
        ("ignore-tables", tables(&rules.ignore_tables)),
    ];
    let said: Vec<String> = parts
        .into_iter()
        .filter(|(_, list)| !list.is_empty())
        .map(|(key, list)| format!("{key} {}", list.join(", ")))
        .collect();
    if said.is_empty() { "empty: every table".to_owned() } else { said.join("; ") }
}

fn pair(schema: &str, table: &str) -> String {
    if table.is_empty() { format!("{schema}.*") } else { format!("{schema}.{table}") }
}

/// Whether a text that may be a pattern is a plain name.
fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(['*', '?', '[']) && !text.starts_with('~')
}
