//! What a task does to a table, said before it runs.
//!
//! [`explain_table`] answers for one table: is it migrated, by which rule, to which target, which
//! of its events are left out. [`look_over`] answers for all tables together: routes that
//! contradict each other, tables that come together, names that differ only in case, tables that
//! no route catches. [`RuleBook`] lists the rules themselves, for when no source can be asked.
//!
//! Nothing here is decided a second time: the answers are those of the same compiled filters and
//! routes that the running task asks. Nothing is read or connected.
//!
//! ```
//! use dm_core::TableName;
//! use dm_core::config::{SourceText, TaskPlan};
//! use dm_core::explain::explain_table;
//!
//! let task = "
//! name: shop
//! task-mode: all
//! target-database: {sqlite: shop.db}
//! routes: {merge: {schema-pattern: shop_?, target-schema: shop}}
//! mysql-instances: [{source-id: live, route-rules: [merge]}]";
//! let source = "{source-id: live, from: {host: 127.0.0.1, user: dm}}";
//! let (plan, _) = TaskPlan::from_yaml(
//!     &SourceText { name: "task.yaml", text: task },
//!     &[SourceText { name: "source.yaml", text: source }],
//!     &|_| None,
//! )?;
//! let fate = explain_table(&plan, &plan.sources[0], &TableName::new("shop_1", "customer"));
//! assert!(fate.is_migrated());
//! assert_eq!(fate.route.unwrap().schema, "shop");
//! # Ok::<(), dm_core::config::Problems>(())
//! ```

mod merge;
mod rules;

use std::fmt::{self, Write as _};

use dm_filter::{EventAction, EventType, TableName, Trigger, is_system_schema};
use dm_router::{ColumnChoice, Router, SourceName, Survey, Target};
use serde_json::{Value, json};

pub use self::merge::{KeyDanger, MergeAdvice};
pub use self::rules::{InstanceRules, Rule, RuleBook};
use crate::config::{OnlineDdlTable, SourcePlan, TaskPlan};

/// What becomes of one table of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TableFate {
    /// `source-id`.
    pub source: String,
    /// The table at the source.
    pub table: TableName,
    /// Whether its existing rows are copied.
    pub copied: Answer,
    /// Whether its changes are followed.
    pub followed: Answer,
    /// Where it goes; `None` when several routes claim it, see `claimed_by`.
    pub route: Option<Target>,
    /// The routes that claim it, when there are several: an error.
    pub claimed_by: Vec<String>,
    /// The event filters that are asked about it, in their order.
    pub event_rules: Vec<String>,
    /// The events that do not pass, whatever their text.
    pub stopped: Vec<StoppedEvents>,
    /// The expression filters that its rows are asked against while following.
    pub expressions: Vec<String>,
}

/// Yes or no, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The answer.
    pub yes: bool,
    /// The reason, in words.
    pub why: String,
}

impl Answer {
    fn new(yes: bool, why: impl Into<String>) -> Self {
        Self { yes, why: why.into() }
    }
}

/// Events that one rule stops.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoppedEvents {
    /// The rule, by its name under `filters`.
    pub rule: String,
    /// The key of the rule that speaks about them.
    pub key: &'static str,
    /// True when they stop the task (`Error`); otherwise they are left out.
    pub is_error: bool,
    /// The events, in the filter's words; groups are named as such (`all dml`).
    pub events: Vec<String>,
}

impl TableFate {
    /// True when anything of the table reaches the target.
    pub fn is_migrated(&self) -> bool {
        self.copied.yes || self.followed.yes
    }

    /// The name at the target, if there is a clear one.
    pub fn target(&self) -> Option<TableName> {
        let route = self.route.as_ref()?;
        Some(TableName::new(route.schema.as_str(), route.table.as_str()))
    }

    /// One line: for lists of tables.
    pub fn line(&self) -> String {
        if !self.is_migrated() {
            return format!("{} {}: not migrated, {}", self.source, self.table, self.followed.why);
        }
        let mut line = format!("{} {} -> {}", self.source, self.table, self.goes_to());
        if !self.copied.yes {
            line.push_str(", not copied");
        }
        if !self.followed.yes {
            line.push_str(", not followed");
        }
        if !self.stopped.is_empty() || !self.expressions.is_empty() {
            line.push_str(", filtered");
        }
        line
    }

    fn goes_to(&self) -> String {
        match (self.target(), self.route.as_ref().and_then(|r| r.rule.as_ref())) {
            (None, _) => format!("several routes claim it: {}", self.claimed_by.join(", ")),
            (Some(target), None) => format!("{target} (no route, the name stays)"),
            (Some(target), Some(rule)) => format!("{target} (route `{rule}`)"),
        }
    }

    /// For programs: one object, with all keys always there.
    pub fn to_json(&self) -> Value {
        let answer = |a: &Answer| json!({"yes": a.yes, "why": a.why});
        let route = self.route.as_ref().map(|r| {
            let extra: Vec<Value> =
                r.extra.iter().map(|e| json!({"column": e.name, "value": e.value})).collect();
            let (include, exclude) = match &r.columns {
                ColumnChoice::All => (Value::Null, Value::Null),
                ColumnChoice::Include(list) => (json!(list), Value::Null),
                ColumnChoice::Exclude(list) => (Value::Null, json!(list)),
            };
            json!({
                "rule": r.rule, "schema": r.schema, "table": r.table,
                "addedColumns": extra, "onlyColumns": include, "leftOutColumns": exclude,
            })
        });
        let stopped: Vec<Value> = self
            .stopped
            .iter()
            .map(|s| {
                let action = if s.is_error { "Error" } else { "Ignore" };
                json!({"rule": s.rule, "key": s.key, "action": action, "events": s.events})
            })
            .collect();
        json!({
            "source": self.source,
            "schema": self.table.schema,
            "table": self.table.table,
            "migrated": self.is_migrated(),
            "copied": answer(&self.copied),
            "followed": answer(&self.followed),
            "target": route,
            "ambiguousRoutes": self.claimed_by,
            "eventRules": self.event_rules,
            "stoppedEvents": stopped,
            "expressionFilters": self.expressions,
        })
    }
}

impl fmt::Display for TableFate {
    /// Several lines, without a line end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let yes = |yes| if yes { "yes" } else { "no" };
        write!(f, "{} of source {}", self.table, self.source)?;
        write!(f, "\n  copied: {}, {}", yes(self.copied.yes), self.copied.why)?;
        write!(f, "\n  followed: {}, {}", yes(self.followed.yes), self.followed.why)?;
        if !self.is_migrated() {
            return Ok(());
        }
        write!(f, "\n  target: {}", self.goes_to())?;
        if let Some(route) = &self.route {
            for column in &route.extra {
                write!(f, "\n  added column: `{}` = {:?}", column.name, column.value)?;
            }
            match &route.columns {
                ColumnChoice::All => {}
                ColumnChoice::Include(list) => write!(f, "\n  only columns: {}", list.join(", "))?,
                ColumnChoice::Exclude(list) => {
                    write!(f, "\n  without columns: {}", list.join(", "))?
                }
            }
        }
        for stopped in &self.stopped {
            let what = if stopped.is_error { "stop the task" } else { "left out" };
            let events = stopped.events.join(", ");
            write!(
                f,
                "\n  events {what}: {events} (`{}` of filter `{}`)",
                stopped.key, stopped.rule
            )?;
        }
        if self.stopped.is_empty() {
            f.write_str("\n  events left out: none")?;
        }
        if !self.event_rules.is_empty() {
            write!(f, "\n  filters asked: {}", self.event_rules.join(", "))?;
        }
        if !self.expressions.is_empty() {
            write!(f, "\n  rows left out while following by: {}", self.expressions.join(", "))?;
        }
        Ok(())
    }
}

/// What becomes of a table of one of the plan's sources. The table need not exist.
pub fn explain_table(plan: &TaskPlan, source: &SourcePlan, table: &TableName) -> TableFate {
    let routed = source.router.route(&source.source_id, &table.schema, &table.table);
    let (route, claimed_by) = match routed {
        Ok(target) => (Some(target), Vec::new()),
        Err(_) => {
            let rules = source.router.explain(&table.schema, &table.table);
            (None, rules.into_iter().map(str::to_owned).collect())
        }
    };
    let names = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect();
    TableFate {
        source: source.source_id.clone(),
        table: table.clone(),
        copied: copied(plan, source, table),
        followed: followed(plan, source, table),
        route,
        claimed_by,
        event_rules: names(source.events.rules_of(table)),
        stopped: stopped(source, table),
        expressions: names(source.expressions.rules_of(table)),
    }
}

fn copied(plan: &TaskPlan, source: &SourcePlan, table: &TableName) -> Answer {
    if !plan.mode.copies() {
        return Answer::new(false, format!("task-mode {} copies nothing", plan.mode));
    }
    if let Some(answer) = helper(plan, table) {
        return answer;
    }
    match &source.dump.select {
        None => {
            let reason = source.block_allow.explain(table);
            Answer::new(reason.is_allowed(), reason.to_string())
        }
        Some(_) if is_system_schema(&table.schema) => {
            Answer::new(false, "system schemas are never migrated")
        }
        Some(select) if select.selects(&table.schema, &table.table) => {
            Answer::new(true, "extra-args of the dump select it, in place of the block-allow-list")
        }
        Some(_) => Answer::new(false, "extra-args of the dump do not select it"),
    }
}

/// The answer for a table of an online schema change tool.
fn helper(plan: &TaskPlan, table: &TableName) -> Option<Answer> {
    let (rules, real) = match plan.online_ddl.as_ref()?.kind(&table.table) {
        OnlineDdlTable::Real => return None,
        OnlineDdlTable::Shadow(real) => ("shadow-table-rules", real),
        OnlineDdlTable::Trash(real) => ("trash-table-rules", real),
    };
    Some(Answer::new(
        false,
        format!("by `{rules}` an online schema change tool's table, beside `{real}`"),
    ))
}

fn followed(plan: &TaskPlan, source: &SourcePlan, table: &TableName) -> Answer {
    if let Some(answer) = helper(plan, table) {
        return answer;
    }
    let reason = source.block_allow.explain(table);
    if reason.is_allowed() && !plan.mode.syncs() {
        return Answer::new(false, format!("task-mode {} does not follow the binlog", plan.mode));
    }
    Answer::new(reason.is_allowed(), reason.to_string())
}

/// The events that do not pass, those of one rule together.
fn stopped(source: &SourcePlan, table: &TableName) -> Vec<StoppedEvents> {
    let mut found: Vec<(StoppedEvents, Vec<EventType>)> = Vec::new();
    for (event, judgement) in source.events.explain(table) {
        let Some((rule, trigger)) = judgement.by else { continue };
        let key = match trigger {
            Trigger::Event => "events",
            Trigger::SqlPattern => "sql-pattern",
        };
        let is_error = judgement.action == EventAction::Error;
        let same = |s: &StoppedEvents| s.rule == rule && s.key == key && s.is_error == is_error;
        match found.iter_mut().find(|(s, _)| same(s)) {
            Some((_, events)) => events.push(event),
            None => {
                let rule = rule.to_owned();
                let stopped = StoppedEvents { rule, key, is_error, events: Vec::new() };
                found.push((stopped, vec![event]));
            }
        }
    }
    found.into_iter().map(|(s, events)| StoppedEvents { events: words(&events), ..s }).collect()
}

/// Events by the widest names that fit.
fn words(events: &[EventType]) -> Vec<String> {
    let mut left = events.to_vec();
    let mut words = Vec::new();
    let mut group = |left: &mut Vec<EventType>, word: &str, of: &dyn Fn(EventType) -> bool| {
        let mut members = EventType::ALL.iter().copied().filter(|e| of(*e));
        if members.all(|e| left.contains(&e)) {
            words.push(word.to_owned());
            left.retain(|e| !of(*e));
        }
    };
    group(&mut left, "all", &|_| true);
    if !left.is_empty() {
        group(&mut left, "all dml", &EventType::is_dml);
        group(&mut left, "all ddl", &EventType::is_ddl);
    }
    if left.iter().any(|e| e.is_incompatible_ddl()) {
        group(&mut left, "incompatible ddl changes", &EventType::is_incompatible_ddl);
    }
    // A name that stands for finer ones speaks for them.
    let wide = left.clone();
    left.retain(|e| !e.refines().is_some_and(|parent| wide.contains(&parent)));
    words.extend(left.iter().map(ToString::to_string));
    words
}

/// What deserves attention in all tables together. `tables` are those that there are at the
/// sources, each with its source's id; those that are not migrated are passed over.
pub fn look_over(plan: &TaskPlan, tables: &[SourceName]) -> Survey {
    let of = |id: &str| plan.sources.iter().find(|s| s.source_id == id);
    let migrated = tables.iter().filter(|t| {
        let name = TableName::new(t.schema.as_str(), t.table.as_str());
        of(&t.source).is_some_and(|s| copied(plan, s, &name).yes || followed(plan, s, &name).yes)
    });
    let router = |id: &str| -> &dyn Router {
        of(id).map_or(&dm_router::Unrouted as &dyn Router, |s| &*s.router)
    };
    dm_router::survey(router, migrated.cloned())
}

/// What [`look_over`] found, in words: one paragraph each, errors first.
pub fn findings(survey: &Survey, advice: &[MergeAdvice]) -> Vec<String> {
    const SHOWN: usize = 5;
    let list = |names: &[SourceName]| {
        let shown = names.iter().take(SHOWN).map(full_name).collect::<Vec<_>>().join(", ");
        match names.len().checked_sub(SHOWN) {
            Some(more) if more > 0 => format!("{shown} and {more} more"),
            _ => shown,
        }
    };
    let mut out = Vec::new();
    for (table, error) in &survey.ambiguous {
        out.push(format!(
            "error: source {}: {error}. Make the patterns exclude each other: one route must \
             decide",
            table.source
        ));
    }
    for collision in &survey.collisions {
        let mut text = String::from(
            "error: targets that differ only in case, which a server without regard to case takes \
             for one:",
        );
        for ((schema, table), sources) in &collision.spellings {
            let _ = write!(text, "\n  {} from {}", TableName::new(schema, table), list(sources));
        }
        out.push(text);
    }
    for merge in &survey.merges {
        let target = TableName::new(merge.target.0.as_str(), merge.target.1.as_str());
        let known = advice.iter().find(|a| a.target == target);
        let words = known.map_or_else(
            || MergeAdvice::of(target.clone(), None, &[]).to_string(),
            |a| a.to_string(),
        );
        out.push(format!(
            "note: {} tables come together in {target}: {}\n  {words}",
            merge.sources.len(),
            list(&merge.sources)
        ));
    }
    for left in &survey.left_out {
        out.push(format!(
            "warning: no route catches {}, while {} is routed by `{}`: {} their names at the \
             target. Widen the route's pattern if that is not meant",
            list(&left.tables),
            full_name(&left.sibling),
            left.rule,
            if left.tables.len() == 1 { "it keeps" } else { "they keep" },
        ));
    }
    out
}

fn full_name(name: &SourceName) -> String {
    format!("{} {}", name.source, TableName::new(name.schema.as_str(), name.table.as_str()))
}

/// The same for programs.
pub fn findings_to_json(survey: &Survey, advice: &[MergeAdvice]) -> Value {
    let name = |n: &SourceName| json!({"source": n.source, "schema": n.schema, "table": n.table});
    let names = |list: &[SourceName]| list.iter().map(name).collect::<Vec<_>>();
    json!({
        "ambiguous": survey.ambiguous.iter()
            .map(|(n, e)| json!({"table": name(n), "message": e.to_string()}))
            .collect::<Vec<_>>(),
        "caseCollisions": survey.collisions.iter()
            .map(|c| c.spellings.iter()
                .map(|((s, t), n)| json!({"schema": s, "table": t, "sources": names(n)}))
                .collect::<Vec<_>>())
            .collect::<Vec<_>>(),
        "merges": survey.merges.iter()
            .map(|m| {
                let target = TableName::new(m.target.0.as_str(), m.target.1.as_str());
                let known = advice.iter().find(|a| a.target == target);
                let words = known.map_or_else(|| MergeAdvice::of(target, None, &[]).to_string(), |a| a.to_string());
                json!({"schema": m.target.0, "table": m.target.1, "sources": names(&m.sources), "advice": words})
            })
            .collect::<Vec<_>>(),
        "unrouted": survey.left_out.iter()
            .map(|l| json!({"tables": names(&l.tables), "sibling": name(&l.sibling), "rule": l.rule}))
            .collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests;
