//! `dm explain`: what a task does to its tables.

use std::process::ExitCode;

use dm_core::config::{RawTask, SourceText};
use dm_core::explain::{
    MergeAdvice, RuleBook, TableFate, explain_table, findings, findings_to_json, look_over,
};
use dm_core::router::{SourceName, Survey};
use dm_core::{Migration, TableName};
use serde_json::{Value, json};

use crate::args::ExplainArgs;
use crate::files::{self, Failure};
use crate::out;

/// Exit status when the routes contradict each other.
const CONTRADICTION: u8 = 2;

pub fn run(args: &ExplainArgs) -> Result<ExitCode, Failure> {
    let (plan, warnings) = files::plan(&args.files)?;
    for warning in &warnings {
        out::tell(&format!("warning: {warning}"));
    }
    let migration = Migration::builder(plan).build();
    if !args.tables.is_empty() {
        let tables: Vec<_> = args.tables.iter().map(|t| t.0.clone()).collect();
        return some(args, &migration, &tables);
    }
    let found = if args.offline { Found::default() } else { Found::ask(&migration) };
    let rules = if found.asked_all(&migration) { None } else { Some(book(args)?) };
    all(args, &migration, &found, rules.as_ref())
}

/// The tables that were named, in all sources.
fn some(
    args: &ExplainArgs,
    migration: &Migration,
    tables: &[TableName],
) -> Result<ExitCode, Failure> {
    let plan = migration.plan();
    let fates: Vec<TableFate> = tables
        .iter()
        .flat_map(|t| plan.sources.iter().map(move |s| explain_table(plan, s, t)))
        .collect();
    let ambiguous = fates.iter().any(|f| f.is_migrated() && f.route.is_none());
    if args.json {
        let fates: Vec<Value> = fates.iter().map(TableFate::to_json).collect();
        out::say(&format!("{:#}", json!({"task": plan.name, "tables": fates})))?;
    } else {
        let fates: Vec<String> = fates.iter().map(ToString::to_string).collect();
        out::say(&fates.join("\n\n"))?;
    }
    Ok(status(ambiguous))
}

fn status(contradiction: bool) -> ExitCode {
    if contradiction { ExitCode::from(CONTRADICTION) } else { ExitCode::SUCCESS }
}

/// What the sources answered.
#[derive(Default)]
struct Found {
    tables: Vec<SourceName>,
    /// Sources that were asked with success.
    asked: Vec<String>,
    /// Those that could not be, and why.
    failed: Vec<(String, String)>,
    /// What is known of the keys of tables that come together.
    advice: Vec<MergeAdvice>,
}

impl Found {
    fn ask(migration: &Migration) -> Self {
        let mut found = Self::default();
        for plan in &migration.plan().sources {
            let id = &plan.source_id;
            let answer = migration.source(id).and_then(|s| {
                s.tables(&|t: &TableName| !dm_core::filter::is_system_schema(&t.schema))
            });
            match answer {
                Ok(tables) => {
                    found.asked.push(id.clone());
                    let name = |t: TableName| SourceName::new(id.as_str(), t.schema, t.table);
                    found.tables.extend(tables.into_iter().map(name));
                }
                Err(error) => found.failed.push((id.clone(), error.to_string())),
            }
        }
        found.tables.sort();
        found.advise(migration);
        found
    }

    /// Asks for the structure of one table of each merge: all of them should look alike.
    fn advise(&mut self, migration: &Migration) {
        let survey = look_over(migration.plan(), &self.tables);
        for merge in &survey.merges {
            let Some(first) = merge.sources.first() else { continue };
            let name = TableName::new(first.schema.as_str(), first.table.as_str());
            let described = migration.source(&first.source).and_then(|s| s.describe(&name));
            // Advice is worth less than the rest of the answer.
            let schema = described.ok().flatten().map(|info| info.schema);
            let routed = survey.routed.iter().find(|(n, _)| n == first);
            let added: Vec<String> = routed
                .map(|(_, target)| target.extra.iter().map(|e| e.name.clone()).collect())
                .unwrap_or_default();
            let target = TableName::new(merge.target.0.as_str(), merge.target.1.as_str());
            self.advice.push(MergeAdvice::of(target, schema.as_deref(), &added));
        }
    }

    fn asked_all(&self, migration: &Migration) -> bool {
        self.asked.len() == migration.plan().sources.len()
    }
}

/// The rules as the task file has them.
fn book(args: &ExplainArgs) -> Result<RuleBook, Failure> {
    let text = files::read(&args.files.task)?;
    let name = args.files.task.display().to_string();
    let task = RawTask::from_yaml(&SourceText { name: &name, text: &text })?;
    let mut book = RuleBook::of(&task);
    book.instances.sort_by(|a, b| a.source.cmp(&b.source));
    Ok(book)
}

fn all(
    args: &ExplainArgs,
    migration: &Migration,
    found: &Found,
    rules: Option<&RuleBook>,
) -> Result<ExitCode, Failure> {
    let plan = migration.plan();
    let mut tables = found.tables.clone();
    // Of a source that was not asked, the rules at least name some tables.
    for instance in rules.iter().flat_map(|b| &b.instances) {
        if !found.asked.contains(&instance.source) {
            let name = |t: &TableName| {
                SourceName::new(instance.source.as_str(), t.schema.as_str(), t.table.as_str())
            };
            tables.extend(instance.named.iter().map(name));
        }
    }
    let survey = look_over(plan, &tables);
    let fates: Vec<TableFate> = tables
        .iter()
        .filter_map(|t| {
            let source = plan.sources.iter().find(|s| s.source_id == t.source)?;
            let name = TableName::new(t.schema.as_str(), t.table.as_str());
            Some(explain_table(plan, source, &name))
        })
        .collect();
    if args.json {
        let document = document(&plan.name, &fates, &survey, found, rules);
        out::say(&format!("{document:#}"))?;
    } else {
        out::say(&text(args, &fates, &survey, found, rules))?;
    }
    Ok(status(!survey.ambiguous.is_empty() || !survey.collisions.is_empty()))
}

fn document(
    task: &str,
    fates: &[TableFate],
    survey: &Survey,
    found: &Found,
    rules: Option<&RuleBook>,
) -> Value {
    let failed: Vec<Value> =
        found.failed.iter().map(|(s, e)| json!({"source": s, "error": e})).collect();
    json!({
        "task": task,
        "askedSources": found.asked,
        "unreachableSources": failed,
        "tables": fates.iter().map(TableFate::to_json).collect::<Vec<_>>(),
        "findings": findings_to_json(survey, &found.advice),
        "rules": rules.map(RuleBook::to_json),
    })
}

fn text(
    args: &ExplainArgs,
    fates: &[TableFate],
    survey: &Survey,
    found: &Found,
    rules: Option<&RuleBook>,
) -> String {
    let mut parts = Vec::new();
    for (source, error) in &found.failed {
        parts.push(format!("source {source} cannot be asked for its tables: {error}"));
    }
    if let Some(rules) = rules {
        let why = if args.offline {
            "No source was asked (--offline)."
        } else {
            "Not every source could be asked."
        };
        parts.push(format!(
            "{why} From the rules alone it is not known which tables there are; these are the \
             rules, and the tables that they name."
        ));
        parts.push(rules.to_string());
    }
    let migrated = fates.iter().filter(|f| f.is_migrated()).count();
    let mut lines: Vec<String> = fates.iter().map(TableFate::line).collect();
    lines.push(format!("{migrated} of {} tables are migrated", fates.len()));
    parts.push(lines.join("\n"));
    parts.extend(findings(survey, &found.advice));
    parts.join("\n\n")
}
