//! How tasks stand in DM's form: the documents that its `query-status` gives.

use std::path::Path;

use dm_core::state::{Skipped, StoredError};
use serde_json::{Map, Value, json};

use super::super::answers::{WORKER, answer};
use super::super::relay::View;
use super::{Part, Task};
use crate::files::Failure;

/// DM's error object.
pub fn process_error(error: &StoredError) -> Value {
    json!({
        "ErrCode": error.code,
        "ErrClass": error.class,
        "ErrScope": error.scope,
        "ErrLevel": error.level,
        "Message": error.message,
        "RawCause": error.raw_cause,
        "Workaround": error.workaround,
    })
}

/// DM's `ProcessResult`: null while all is well.
fn process_result(part: &Part) -> Value {
    let errors: Vec<Value> = part.error.iter().map(process_error).collect();
    match part.stage {
        "Paused" | "Finished" | "Stopped" => {
            json!({"isCanceled": part.canceled, "errors": errors, "detail": null})
        }
        _ => Value::Null,
    }
}

/// The `subTaskStatus` of one part.
pub(super) fn subtask(task: &str, part: &Part) -> Value {
    let mut map = Map::new();
    map.insert("name".to_owned(), task.into());
    map.insert("stage".to_owned(), part.stage.into());
    map.insert("unit".to_owned(), part.unit.as_str().into());
    map.insert("result".to_owned(), process_result(part));
    map.insert("unresolvedDDLLockID".to_owned(), "".into());
    match part.unit.as_str() {
        "Load" => map.insert("load".to_owned(), load(&part.status)),
        "Sync" => map.insert("sync".to_owned(), sync(part)),
        _ => map.insert("msg".to_owned(), "".into()),
    };
    // There is no continuous validation.
    map.insert("validation".to_owned(), Value::Null);
    map.insert("safeMode".to_owned(), part.safe_mode.clone());
    let one = |s: &Skipped| json!({"kind": s.kind, "count": s.count, "last": s.last});
    map.insert("skipped".to_owned(), part.skipped.iter().map(one).collect());
    let next = part.next_attempt.map(crate::time::text).unwrap_or_default();
    map.insert("nextAttempt".to_owned(), next.into());
    let slow = part.status.get("slowStage").and_then(Value::as_str).unwrap_or_default();
    map.insert("slowStage".to_owned(), slow.into());
    map.insert("guarantee".to_owned(), text(&part.status, "guarantee").into());
    map.insert("adding".to_owned(), part.adding.as_slice().into());
    Value::Object(map)
}

pub(super) fn number(document: &Value, key: &str) -> u64 {
    document.get(key).and_then(Value::as_u64).unwrap_or(0)
}

pub(super) fn text(document: &Value, key: &str) -> String {
    document.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// DM's `LoadStatus`; 64-bit numbers are texts in its JSON.
pub(super) fn load(status: &Value) -> Value {
    let load = status.get("load").unwrap_or(&Value::Null);
    let (done, total) = (number(load, "finishedBytes"), number(load, "estimatedBytes"));
    let (rows, all) = (number(load, "finishedRows"), number(load, "estimatedRows"));
    json!({
        "finishedBytes": done.to_string(),
        // An estimate may be too low.
        "totalBytes": total.max(done).to_string(),
        "progress": percent(rows.max(1), all.max(rows).max(1), rows == 0),
        "metaBinlog": text(load, "metaBinlog"),
        "metaBinlogGTID": text(load, "metaBinlogGtid"),
        "bps": number(status, "bytesPerSecond").to_string(),
        "finishedRows": rows.to_string(),
        "estimateTotalRows": all.to_string(),
        "completedTables": number(load, "tablesDone").to_string(),
        "totalTables": number(load, "tables").to_string(),
    })
}

fn percent(done: u64, all: u64, none: bool) -> String {
    let share = if none { 0.0 } else { done as f64 * 100.0 / all as f64 };
    format!("{share:.2} %")
}

/// DM's `SyncStatus`. What does not run is not said to have caught up: where the source is by now, nobody knows.
pub(super) fn sync(part: &Part) -> Value {
    let (status, reads) = (&part.status, part.reads());
    let part_of = |unit: &str| status.get(unit).unwrap_or(&Value::Null);
    let (sync, load) = (part_of("sync"), part_of("load"));
    let rows = ["inserted", "updated", "deleted"].iter().map(|key| number(sync, key)).sum::<u64>();
    let (total, recent) = (number(status, "meanRowsPerSecond"), number(status, "rowsPerSecond"));
    let (here, end) = (text(sync, "syncerBinlog"), text(sync, "masterBinlog"));
    let (here_gtid, end_gtid) = (text(sync, "syncerBinlogGtid"), text(sync, "masterBinlogGtid"));
    let synced = matches!(part.stage, "Running" | "Finished")
        // Where the source ended is some seconds old: it has this statement behind it.
        && part.waits_for().is_none()
        && ((!end_gtid.is_empty() && here_gtid == end_gtid)
            || (end_gtid.is_empty() && !end.is_empty() && here == end));
    json!({
        "totalEvents": rows.to_string(),
        "totalTps": total.to_string(),
        "recentTps": recent.to_string(),
        "masterBinlog": end,
        "masterBinlogGtid": end_gtid,
        "syncerBinlog": here,
        "syncerBinlogGtid": here_gtid,
        "blockingDDLs": part.waits_for().into_iter().collect::<Vec<_>>(),
        "unresolvedGroups": [],
        "synced": synced,
        "binlogType": reads,
        "secondsBehindMaster": number(sync, "secondsBehindMaster").to_string(),
        "blockDDLOwner": "",
        "conflictMsg": "",
        "totalRows": rows.to_string(),
        "totalRps": total.to_string(),
        "recentRps": recent.to_string(),
        "ioTotalBytes": number(sync, "readBytes").to_string(),
        "dumpIOTotalBytes": number(load, "finishedBytes").to_string(),
    })
}

/// DM's `QueryStatusListResponse`: the parts of tasks, by source.
pub fn long(dir: &Path, tasks: &[Task], sources: &[String], registered: &[String]) -> Value {
    let mut by_source: Vec<(String, Vec<Value>)> = Vec::new();
    let wanted = |source: &str| sources.is_empty() || sources.iter().any(|s| s == source);
    for task in tasks {
        for part in task.parts.iter().filter(|p| wanted(&p.source)) {
            let status = subtask(&task.row.name, part);
            match by_source.iter_mut().find(|(source, _)| *source == part.source) {
                Some((_, all)) => all.push(status),
                None => by_source.push((part.source.clone(), vec![status])),
            }
        }
    }
    for source in registered.iter().filter(|s| wanted(s)) {
        if !by_source.iter().any(|(known, _)| known == source) {
            by_source.push((source.clone(), Vec::new()));
        }
    }
    by_source.sort_by(|a, b| a.0.cmp(&b.0));
    let all: Vec<Value> = by_source
        .into_iter()
        .map(|(source, subtasks)| {
            let relay = View::read(dir, &source).map_or(Value::Null, |relay| relay.json());
            let status = json!({
                "source": source, "worker": WORKER, "result": null, "relayStatus": relay,
            });
            answer(true, "", json!({"sourceStatus": status, "subTaskStatus": subtasks}))
        })
        .collect();
    answer(true, "", json!({"sources": all}))
}

/// The short form: tasks with their status and sources; a task that cannot be read says why.
pub fn short(tasks: &[(String, Result<Task, Failure>)]) -> Value {
    let tasks: Vec<Value> = tasks
        .iter()
        .map(|(name, task)| match task {
            Ok(task) => json!({
                "taskName": name,
                "taskStatus": task.status(),
                "sources": task.parts.iter().map(|p| p.source.as_str()).collect::<Vec<_>>(),
            }),
            Err(failure) => json!({
                "taskName": name,
                "taskStatus": format!("Error - {failure}"),
                "sources": [],
            }),
        })
        .collect();
    answer(true, "", json!({"tasks": tasks}))
}
