//! `dm query-status`: how tasks stand, from their state files.

use std::process::ExitCode;

use dm_core::event::{LaneId, SourceId};
use dm_core::state::{StateReader, StateStore, list_tasks};
use serde_json::{Value, json};

use crate::args::StatusArgs;
use crate::files::Failure;
use crate::out;

pub fn run(args: &StatusArgs) -> Result<ExitCode, Failure> {
    let dir = &args.state.state_dir;
    let tasks = match &args.task {
        Some(task) => vec![task.clone()],
        None => list_tasks(dir)?,
    };
    let mut all = Vec::new();
    for task in tasks {
        all.push(one(dir, &task)?);
    }
    let text = json!({ "result": true, "msg": "", "tasks": all });
    out::say(&format!("{text:#}"))
}

fn one(dir: &std::path::Path, task: &str) -> Result<Value, Failure> {
    let reader = StateReader::open(dir, task)?;
    let row = reader.task()?;
    let owner = StateStore::owner(dir, task)?;
    let sources: Vec<Value> = reader
        .sources()?
        .into_iter()
        .map(|s| {
            let skipped = skipped(&reader, &s.source)?;
            let stage = match (&owner, s.actual) {
                // The process died without saying so.
                (None, Some(stage)) if stage.as_str() == "Running" => "Stopped",
                (_, Some(stage)) => stage.as_str(),
                (_, None) => "New",
            };
            Ok(json!({
                "source": s.source.as_str(),
                "stage": stage,
                "status": s.status.unwrap_or(Value::Null),
                "skipped": skipped,
                "error": s.error.map(|e| json!({
                    "ErrCode": e.code,
                    "ErrClass": e.class,
                    "ErrScope": e.scope,
                    "ErrLevel": e.level,
                    "Message": e.message,
                    "RawCause": e.raw_cause,
                    "Workaround": e.workaround,
                })),
            }))
        })
        .collect::<Result<_, Failure>>()?;
    Ok(json!({
        "taskName": row.name,
        "running": owner.is_some(),
        "owner": owner,
        "sources": sources,
    }))
}

/// The statements that were not carried, by kind, with where the last of each was.
fn skipped(reader: &StateReader, source: &SourceId) -> Result<Vec<Value>, Failure> {
    let all = reader.skipped(&LaneId::main(source))?;
    let shown =
        |s: dm_core::state::Skipped| json!({"kind": s.kind, "count": s.count, "last": s.last});
    Ok(all.into_iter().map(shown).collect())
}
